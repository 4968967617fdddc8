-- How tables are used, and whether vacuum keeps up, both ways.
SET client_min_messages = warning;
CREATE SCHEMA tab;
SET search_path = tab, public;
UPDATE glperf.threshold SET warning = 100 WHERE id = 'dead_rows_evidence';
UPDATE glperf.threshold SET warning = 500 WHERE id = 'seq_scan_rows';

CREATE TABLE clean (id int PRIMARY KEY, v int)
	WITH (autovacuum_enabled = off, fillfactor = 50);
CREATE TABLE dead (id int PRIMARY KEY, v int)
	WITH (autovacuum_enabled = off);
CREATE TABLE tiny (id int) WITH (autovacuum_enabled = off);
CREATE TABLE guessed (id int) WITH (autovacuum_enabled = off);
CREATE TABLE empty (id int);
INSERT INTO clean SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO dead SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO tiny SELECT g FROM generate_series(1, 10) g;
INSERT INTO guessed SELECT g FROM generate_series(1, 1000) g;
SELECT pg_stat_force_next_flush();
VACUUM ANALYZE clean, dead, tiny;
UPDATE clean SET v = v + 1 WHERE id <= 50;
DELETE FROM dead WHERE id > 300;
DELETE FROM tiny;
SELECT count(*) FROM dead;
SET enable_seqscan = off;
SELECT v FROM clean WHERE id = 7;
RESET enable_seqscan;
SELECT pg_stat_force_next_flush();

SELECT table_name, size_bytes > 0 AS size, live_rows, dead_rows, dead_pct,
	index_scan_pct, hot_pct, updated_rows, deleted_rows,
	last_vacuum_at IS NOT NULL AS vacuumed,
	last_analyze_at IS NOT NULL AS analysed, status
FROM glperf.table_access WHERE schema_name = 'tab'
ORDER BY table_name COLLATE "C";
SELECT table_name, hit_ratio BETWEEN 0 AND 1 AS hit,
	regexp_replace(reasons, '\d{4}-\d\d-\d\d \d\d:\d\d', 'DATE') AS reasons
FROM glperf.table_access WHERE schema_name = 'tab'
ORDER BY table_name COLLATE "C";

SELECT area, object, check_id, value, unit, warning, critical, status,
	regexp_replace(message, '\d{4}-\d\d-\d\d \d\d:\d\d', 'DATE') AS message,
	remedy
FROM glperf.health_tables WHERE object LIKE 'tab.%';
VACUUM dead;
SELECT pg_stat_force_next_flush();
SELECT status, reasons FROM glperf.table_access WHERE table_name = 'dead';
SELECT count(*) FROM glperf.health_tables WHERE object LIKE 'tab.%';

UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
RESET search_path;
DROP SCHEMA tab CASCADE;

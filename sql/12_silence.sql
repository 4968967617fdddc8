-- Findings can be silenced for a while, with a reason; they stay visible, make
-- way for others, and speak again by themselves.
SET client_min_messages = warning;
CREATE SCHEMA quiet;
SET search_path = quiet, public;
SELECT format('CREATE TABLE t%s (a int, b int); CREATE INDEX t%s_a ON t%s (a); CREATE INDEX t%s_dup ON t%s (a)',
	g, g, g, g, g) FROM generate_series(1, 7) g \gexec
CREATE VIEW page AS
SELECT object, status, value > 0 AS value, warning, critical,
	regexp_replace(regexp_replace(message, '\d+ (kB|bytes)', 'N kB', 'g'),
				   '\d{4}-\d\d-\d\d \d\d:\d\d', 'DATE') AS message, remedy
FROM glperf.health
WHERE check_id = 'index_redundant' AND object ~ 'quiet|more'
ORDER BY object COLLATE "C";

-- five, and how many more
SELECT object, status FROM page;
INSERT INTO glperf.silence (check_id, object, reason)
VALUES ('index_redundant', 'quiet.t1_dup', 'needed for the audit');
-- the silenced one stays, and another one takes its place
SELECT object, status FROM page;
SELECT * FROM page WHERE object = 'quiet.t1_dup';
SELECT until_at > now() + interval '89 days' AS by_default,
	silenced_by = session_user AS by FROM glperf.silence;
-- the same for pollers, at once (in a time zone in which nobody has asked yet)
SET timezone = 'Asia/Kathmandu';
SELECT object, status, message LIKE 'silenced until %' AS message
FROM glperf.recent_health
WHERE check_id = 'index_redundant' AND object ~ 'quiet'
ORDER BY object COLLATE "C";
RESET timezone;
-- the facts are as they were
SELECT verdict, drop_ddl FROM glperf.index_usage WHERE index_name = 't1_dup';
-- in time it speaks again
UPDATE glperf.silence SET until_at = now() - interval '1 s';
SELECT status FROM page WHERE object = 'quiet.t1_dup';
UPDATE glperf.silence SET until_at = 'infinity';
SELECT status, message FROM page WHERE object = 'quiet.t1_dup';
-- only what was meant
SELECT count(*) FILTER (WHERE status = 'warning') AS warnings FROM page;
UPDATE glperf.silence SET check_id = 'index_unused';
SELECT status FROM page WHERE object = 'quiet.t1_dup';
-- patterns
UPDATE glperf.silence SET check_id = 'index\_%', object = 'quiet.%';
SELECT object, status FROM page;
-- the remedy ends it
SELECT remedy FROM page WHERE object = 'quiet.t1_dup' \gexec
SELECT count(*) AS silences FROM glperf.silence;
SELECT object, status FROM page;

-- foreign keys, tables and statements
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (ref int CONSTRAINT child_ref REFERENCES parent);
INSERT INTO parent VALUES (1);
INSERT INTO child SELECT 1 FROM generate_series(1, 100);
ANALYZE parent, child;
UPDATE glperf.threshold SET warning = 10, critical = NULL
WHERE id = 'fk_table_rows';
CREATE TABLE dead (a int) WITH (autovacuum_enabled = off);
INSERT INTO dead SELECT generate_series(1, 1000);
DELETE FROM dead WHERE a > 10;
SELECT pg_stat_force_next_flush();
UPDATE glperf.threshold SET warning = 10 WHERE id = 'dead_rows_evidence';
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
SELECT 'slow' AS slow FROM pg_sleep(0.11);
CREATE VIEW others AS
SELECT CASE WHEN object LIKE 'query%' THEN 'query' ELSE object END AS object,
	status, message LIKE 'silenced until % by %: known (warning: %' AS silenced
FROM glperf.health
WHERE (check_id IN ('fk_table_rows', 'dead_rows') AND object ~ '^quiet')
	OR (check_id = 'slow_query_mean' AND message ~ 'AS slow FROM pg_sleep')
ORDER BY CASE WHEN object LIKE 'query%' THEN 'query' ELSE object END COLLATE "C";
UPDATE glperf.threshold SET critical = NULL WHERE id = 'dead_rows';
SELECT * FROM others;
INSERT INTO glperf.silence (check_id, object, reason, until_at)
SELECT check_id, object, 'known', now() + interval '1 day'
FROM glperf.health
WHERE (check_id IN ('fk_table_rows', 'dead_rows') AND object ~ '^quiet')
	OR (check_id = 'slow_query_mean' AND message ~ 'AS slow FROM pg_sleep');
SELECT * FROM others;

\set VERBOSITY terse
-- nonsense is refused; others may look, not silence
INSERT INTO glperf.silence (check_id, object, reason) VALUES ('x', 'y', ' ');
INSERT INTO glperf.silence (check_id, object, reason) VALUES ('x', 'y\', 'z');
\set VERBOSITY default
CREATE ROLE regress_reader;
GRANT pg_monitor TO regress_reader;
SET ROLE regress_reader;
SELECT count(*) > 0 AS seen FROM glperf.silence;
SELECT count(*) > 0 AS silenced FROM glperf.health WHERE message LIKE 'silenced until%';
DELETE FROM glperf.silence;
RESET ROLE;
DROP ROLE regress_reader;
DELETE FROM glperf.silence;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
RESET search_path;
DROP SCHEMA quiet CASCADE;

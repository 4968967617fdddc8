-- The server's own checks: each can say ok, and each can say otherwise.

-- cache: too few reads to judge, good, bad
UPDATE glperf.threshold SET warning = 1e15 WHERE id = 'cache_evidence';
SELECT database, status, blocks_hit + blocks_read > 0 AS reads,
	hit_pct BETWEEN 0 AND 100 AS pct
FROM glperf.cache WHERE database = current_database();
UPDATE glperf.threshold SET warning = 0 WHERE id = 'cache_evidence';
UPDATE glperf.threshold SET warning = 0.001, critical = 0
WHERE id = 'cache_hit';
SELECT status FROM glperf.cache WHERE database = current_database();
SELECT object = 'database ' || current_database() AS object, check_id, unit,
	status, message ~ '^[0-9.]+ % of block reads come from shared buffers, over all time since' AS message, remedy
FROM glperf.health_server WHERE check_id = 'cache_hit'
	AND object = 'database ' || current_database();
UPDATE glperf.threshold SET warning = 100, critical = 100
WHERE id = 'cache_hit';
SELECT status FROM glperf.cache WHERE database = current_database();

-- disk latency: unknown without timing, which is said; judged with it
SET track_io_timing = off;
SELECT bool_and(read_status = 'unknown' AND write_status = 'unknown'
				AND read_mean_ms IS NULL) AS unknown
FROM glperf.io_latency;
SELECT object, status, message, remedy FROM glperf.health_server
WHERE check_id LIKE 'disk%' ORDER BY check_id;
SET track_io_timing = on;
CREATE TABLE read_me AS SELECT g FROM generate_series(1, 100) g;
SELECT count(*) > 0 AS rows, bool_and(read_mean_ms >= 0) AS means
FROM glperf.io_latency WHERE reads > 0;
UPDATE glperf.threshold SET warning = 0 WHERE id = 'io_evidence';
UPDATE glperf.threshold SET warning = 1e9, critical = 1e9
WHERE id = 'disk_read_latency';
SELECT status, message ~ '^the slowest kind of access takes [0-9.]+ ms on average$' AS message, remedy
FROM glperf.health_server WHERE check_id = 'disk_read_latency';
RESET track_io_timing;
DROP TABLE read_me;

-- write-ahead log and checkpoints
SELECT count(*) AS one, bool_and(wal_bytes > 0) AS bytes,
	bool_and(wal_bytes_per_s >= 0) AS rate,
	bool_and(checkpoints_timed + checkpoints_requested >= 0) AS checkpoints,
	bool_and(archive_state IN ('off', 'ok', 'failing',
							   'nothing archived yet')) AS archive
FROM glperf.wal;
UPDATE glperf.threshold SET warning = 1e9 WHERE id = 'checkpoints_evidence';
SELECT status, message ~ '^only \d+ checkpoints so far' AS message
FROM glperf.health_server WHERE check_id = 'checkpoints_requested';
CHECKPOINT;
UPDATE glperf.threshold SET warning = 0 WHERE id = 'checkpoints_evidence';
UPDATE glperf.threshold SET warning = 0, critical = 100
WHERE id = 'checkpoints_requested';
SELECT status, message ~ '^\d+ of \d+ checkpoints were forced' AS message,
	remedy ~ '^ALTER SYSTEM SET max_wal_size = ''\d+MB''; SELECT pg_reload_conf\(\);$' AS remedy
FROM glperf.health_server WHERE check_id = 'checkpoints_requested';

-- transaction ids
SELECT database, xid_age >= 0 AS age, xid_wraparound_pct BETWEEN 0 AND 100
	AS pct, multixact_age >= 0 AS multixact, oldest_table IS NOT NULL AS oldest,
	status
FROM glperf.vacuum WHERE database = current_database();
SELECT count(oldest_table) AS oldest_tables_known FROM glperf.vacuum;
UPDATE glperf.threshold SET warning = 0, critical = 0 WHERE id = 'wraparound';
SELECT status,
	message ~ '^[0-9.]+ % of the transaction ids are in use, oldest in ' AS message,
	remedy ~ '^VACUUM \(FREEZE, VERBOSE\) ' AS remedy
FROM glperf.health_server WHERE check_id = 'wraparound'
	AND object = 'database ' || current_database();

-- settings against the guide, both ways
SELECT name, recommended, guide_section FROM glperf.settings
WHERE name NOT IN (SELECT name FROM pg_settings WHERE pending_restart)
ORDER BY name COLLATE "C";
-- the guide's own setting
SELECT status = CASE WHEN setting::int BETWEEN 0 AND 100 THEN 'ok'
	ELSE 'warning' END AS right, remedy
FROM glperf.settings WHERE name = 'log_min_duration_statement';
SELECT status = 'ok' AS right FROM glperf.settings
WHERE name = 'shared_preload_libraries';
DO $$
BEGIN
	EXECUTE format('ALTER DATABASE %I SET log_min_duration_statement = 50',
				   current_database());
	EXECUTE format('ALTER DATABASE %I SET random_page_cost = 1.5',
				   current_database());
	EXECUTE format('ALTER DATABASE %I SET track_io_timing = on',
				   current_database());
END $$;
\c -
SELECT name, setting, status, message FROM glperf.settings
WHERE name IN ('log_min_duration_statement', 'random_page_cost',
			   'track_io_timing') ORDER BY name;
DO $$
BEGIN
	EXECUTE format('ALTER DATABASE %I SET log_min_duration_statement = 500',
				   current_database());
	EXECUTE format('ALTER DATABASE %I SET random_page_cost = 4',
				   current_database());
	EXECUTE format('ALTER DATABASE %I SET track_io_timing = off',
				   current_database());
END $$;
\c -
SELECT name, setting, status, message, remedy FROM glperf.settings
WHERE name IN ('log_min_duration_statement', 'random_page_cost',
			   'track_io_timing') ORDER BY name;
-- the limit is the one that statements are judged by
UPDATE glperf.threshold SET warning = 250 WHERE id = 'slow_query_mean';
SELECT recommended, message FROM glperf.settings
WHERE name = 'log_min_duration_statement';
DO $$
BEGIN
	EXECUTE format('ALTER DATABASE %I RESET log_min_duration_statement',
				   current_database());
	EXECUTE format('ALTER DATABASE %I RESET random_page_cost',
				   current_database());
	EXECUTE format('ALTER DATABASE %I RESET track_io_timing',
				   current_database());
END $$;
\c -
SELECT count(*) = 1 AS summary FROM glperf.health_server
WHERE object = 'settings' AND status = 'ok';
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;

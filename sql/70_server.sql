-- The server's own checks: each can say ok, and each can say otherwise.

-- Rates take two readings: leave one, do something, and look.
CREATE TEMP VIEW reading AS
SELECT g.source, count(*) > 0 AS counters, bool_and(g.total >= 0) AS totals
FROM glperf.counter_growth('{database,wal,checkpoints,archiver,io}') g
GROUP BY g.source;
SELECT * FROM reading ORDER BY source COLLATE "C";
SELECT pg_sleep(0.6);
SET temp_buffers = '800kB';
SET work_mem = '64kB';
SET track_io_timing = on;
CREATE TEMP TABLE larger AS
SELECT g, repeat('x', 500) AS x FROM generate_series(1, 5000) g;
SELECT count(*) FROM larger;
SELECT count(*) FROM (SELECT DISTINCT x, g FROM larger OFFSET 0) d;
CHECKPOINT;
SELECT pg_stat_force_next_flush();
-- others report when they get round to it
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		PERFORM pg_stat_clear_snapshot();
		EXIT WHEN (SELECT checkpoints_requested > 0 AND wal_bytes_per_s > 0
				   FROM glperf.wal);
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
SELECT source, bool_and(growth >= 0) AS growth, bool_and(window_s >= 0.5) AS window
FROM glperf.counter_growth('{database,wal,checkpoints,archiver}')
WHERE source <> 'database' OR object = current_database()
GROUP BY source ORDER BY source COLLATE "C";
SELECT glperf.counter_growth('{nothing}');
SELECT glperf.counter_growth('{wal}', -1);

-- cache: too few reads to matter, good, bad
UPDATE glperf.threshold SET warning = 1e15 WHERE id = 'cache_evidence';
SELECT database, status, blocks_hit + blocks_read > 0 AS reads,
	total_blocks_hit >= blocks_hit AS of_all,
	hit_pct BETWEEN 0 AND 100 AND total_hit_pct BETWEEN 0 AND 100 AS pct
FROM glperf.cache WHERE database = current_database();
SELECT status, message ~ '^[0-9.]+ % of \d+ block reads in the last \d+ s came from shared buffers: so few that it does not matter$' AS message
FROM glperf.health_server WHERE check_id = 'cache_hit'
	AND object = 'database ' || current_database();
UPDATE glperf.threshold SET warning = 0 WHERE id = 'cache_evidence';
UPDATE glperf.threshold SET warning = 0.001, critical = 0
WHERE id = 'cache_hit';
SELECT status FROM glperf.cache WHERE database = current_database();
SELECT object = 'database ' || current_database() AS object, check_id, unit,
	status, message ~ '^[0-9.]+ % of \d+ block reads in the last \d+ s came from shared buffers$' AS message, remedy
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
SELECT count(*) > 0 AS rows, bool_and(read_mean_ms >= 0) AS means
FROM glperf.io_latency WHERE reads > 0;
UPDATE glperf.threshold SET warning = 0 WHERE id = 'io_evidence';
UPDATE glperf.threshold SET warning = 1e9, critical = 1e9
WHERE id = 'disk_read_latency';
SELECT status, message ~ '^the slowest kind of access took [0-9.]+ ms on average in the last \d+ s$' AS message, remedy
FROM glperf.health_server WHERE check_id = 'disk_read_latency';
UPDATE glperf.threshold SET warning = 0, critical = 0
WHERE id = 'disk_read_latency';
-- (pages that the system has cached may take no time that a clock shows)
SELECT CASE WHEN value > 0 THEN status ELSE 'critical' END AS status,
	CASE WHEN value > 0 THEN remedy
	ELSE 'SELECT * FROM glperf.io_latency;' END AS remedy
FROM glperf.health_server WHERE check_id = 'disk_read_latency';
UPDATE glperf.threshold SET warning = 1e9 WHERE id = 'io_evidence';
SELECT status, message ~ '^\d+ in the last \d+ s: so few that their time does not matter$' AS message, remedy
FROM glperf.health_server WHERE check_id = 'disk_read_latency';
RESET track_io_timing;

-- write-ahead log and checkpoints
SELECT count(*) AS one, bool_and(wal_bytes > 0) AS bytes,
	bool_and(wal_bytes_per_s > 0 AND wal_window_s > 0) AS rate,
	bool_and(checkpoints_timed + checkpoints_requested > 0) AS checkpoints,
	bool_and(total_checkpoints_requested >= checkpoints_requested) AS of_all,
	bool_and(archive_state IN ('off', 'ok', 'failing',
							   'nothing archived yet')) AS archive
FROM glperf.wal;
UPDATE glperf.threshold SET warning = 1e9 WHERE id = 'checkpoints_evidence';
SELECT status, message ~ '^only \d+ checkpoints in the last \d+ minutes' AS message
FROM glperf.health_server WHERE check_id = 'checkpoints_requested';
UPDATE glperf.threshold SET warning = 0 WHERE id = 'checkpoints_evidence';
UPDATE glperf.threshold SET warning = 0, critical = 100
WHERE id = 'checkpoints_requested';
SELECT status, message ~ '^\d+ of \d+ checkpoints in the last \d+ minutes were forced' AS message,
	remedy ~ '^ALTER SYSTEM SET max_wal_size = ''\d+MB''; SELECT pg_reload_conf\(\);$' AS remedy
FROM glperf.health_server WHERE check_id = 'checkpoints_requested';
UPDATE glperf.threshold SET warning = 100 WHERE id = 'checkpoints_requested';
SELECT status, remedy
FROM glperf.health_server WHERE check_id = 'checkpoints_requested';
UPDATE glperf.threshold SET warning = 1e9 WHERE id = 'wal_rate';
SELECT status, unit, message ~ '^\d+ [kMG]?B(ytes)? of WAL per second|^\d+ bytes of WAL per second' AS message, remedy
FROM glperf.health_server WHERE check_id = 'wal_rate';
UPDATE glperf.threshold SET warning = 0 WHERE id = 'wal_rate';
SELECT status, remedy FROM glperf.health_server WHERE check_id = 'wal_rate';

-- temporary files; nobody is in anybody's way
UPDATE glperf.threshold SET warning = 1e9, critical = 1e9
WHERE id = 'temp_rate';
SELECT check_id, status, regexp_replace(message, '\d+', 'N', 'g') LIKE CASE check_id
	WHEN 'deadlocks' THEN 'N deadlocks in the last N minutes'
	ELSE 'N temporary files of N % in the last N s' END AS message, remedy
FROM glperf.health_server
WHERE check_id IN ('temp_rate', 'deadlocks', 'checksum_failures')
	AND object = 'database ' || current_database()
ORDER BY check_id COLLATE "C";
UPDATE glperf.threshold SET warning = 0 WHERE id = 'temp_rate';
SELECT status, remedy FROM glperf.health_server
WHERE check_id = 'temp_rate' AND object = 'database ' || current_database();
SELECT temp_files > 0 AS files, temp_bytes > 0 AS bytes, commits > 0 AS commits,
	rollback_pct BETWEEN 0 AND 100 AS pct, deadlocks, conflicts,
	temp_status, deadlock_status, checksum_status
FROM glperf.database_activity WHERE database = current_database();
DROP TABLE larger;
RESET work_mem;

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

-- The server: cache, disk, write-ahead log, transaction ids and settings,
-- judged by the guide.

CREATE FUNCTION io_times(
	OUT source text, OUT activity text, OUT reads int8,
	OUT read_time_ms float8, OUT writes int8, OUT write_time_ms float8,
	OUT since_at timestamptz)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_io_times';
COMMENT ON FUNCTION io_times() IS
'Reads and writes of data files and the time they took, in milliseconds: from pg_stat_io where the server has it (16 and later), else reads per database from pg_stat_database and the writes that statements had to do themselves from pg_stat_statements. Times are 0 while track_io_timing is off. NULL: not counted.';

CREATE FUNCTION checkpoints(
	OUT timed int8, OUT requested int8, OUT write_time_ms float8,
	OUT sync_time_ms float8, OUT buffers int8, OUT since_at timestamptz)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_checkpoints';
COMMENT ON FUNCTION checkpoints() IS
'Checkpoints since since_at: started by the clock (timed), or by the volume of WAL or a command (requested); buffers written and the milliseconds spent, whatever view this server keeps them in.';

CREATE VIEW cache AS
WITH c AS (
	SELECT g.object AS database, max(g.window_s) AS window_s,
		max(g.total) FILTER (WHERE g.counter = 'blocks_hit') AS hit,
		max(g.total) FILTER (WHERE g.counter = 'blocks_read') AS read,
		max(g.growth) FILTER (WHERE g.counter = 'blocks_hit') AS recent_hit,
		max(g.growth) FILTER (WHERE g.counter = 'blocks_read')
			AS recent_read,
		greatest(max(g.since_at), (SELECT w.stats_reset
								   FROM pg_catalog.pg_stat_wal w))
			AS evidence_since_at
	FROM counter_growth('{database}') g
	GROUP BY g.object
), r AS (
	SELECT c.*, 100.0::float8 * c.recent_hit
			/ nullif(c.recent_hit + c.recent_read, 0) AS hit_pct
	FROM c
)
SELECT r.database,
	r.recent_hit::int8 AS blocks_hit, r.recent_read::int8 AS blocks_read,
	r.hit_pct,
	r.window_s,
	r.hit::int8 AS total_blocks_hit, r.read::int8 AS total_blocks_read,
	100.0::float8 * r.hit / nullif(r.hit + r.read, 0) AS total_hit_pct,
	r.evidence_since_at,
	CASE
		WHEN r.window_s IS NULL THEN 'unknown'
		WHEN r.recent_hit + r.recent_read <= e.warning
			OR r.hit_pct IS NULL THEN 'ok'
		ELSE verdict(r.hit_pct, t.warning, t.critical, t.direction) END
		AS status
FROM r
JOIN threshold t ON t.id = 'cache_hit'
JOIN threshold e ON e.id = 'cache_evidence';
COMMENT ON VIEW cache IS
'How much of what each database reads comes from shared buffers: lately, as a bad hour drowns in the totals since evidence_since_at, which stand beside it. Lately is since a reading of five minutes ago, or the oldest there is (see glperf.counter_growth). A block not found in shared buffers may still come from the operating system''s cache. Source: guide, Cache Configuration.';
COMMENT ON COLUMN cache.database IS 'Database, or shared catalogs.';
COMMENT ON COLUMN cache.blocks_hit IS 'Block reads answered by shared buffers in the last window_s seconds; NULL: first sample.';
COMMENT ON COLUMN cache.blocks_read IS 'Block reads that went to the operating system in the last window_s seconds; NULL: first sample.';
COMMENT ON COLUMN cache.hit_pct IS 'blocks_hit as a share (0 to 100) of both; NULL if nothing was read, or at the first sample.';
COMMENT ON COLUMN cache.window_s IS 'Seconds that these three cover; NULL: first sample, ask again in a few seconds.';
COMMENT ON COLUMN cache.total_blocks_hit IS 'Block reads answered by shared buffers since evidence_since_at.';
COMMENT ON COLUMN cache.total_blocks_read IS 'Block reads that went to the operating system since evidence_since_at.';
COMMENT ON COLUMN cache.total_hit_pct IS 'Their share (0 to 100) since evidence_since_at; not judged.';
COMMENT ON COLUMN cache.evidence_since_at IS 'Since when the totals count; NULL if unknown.';
COMMENT ON COLUMN cache.status IS 'Verdict of hit_pct against the threshold cache_hit; ok with no more than cache_evidence block reads, as nothing is to be gained then; unknown at the first sample.';

CREATE VIEW io_latency AS
WITH g AS (
	SELECT g.object, max(g.window_s) AS window_s, max(g.since_at) AS since_at,
		max(g.total) FILTER (WHERE g.counter = 'reads')::int8 AS total_reads,
		max(g.total) FILTER (WHERE g.counter = 'read_time_ms')
			AS total_read_time_ms,
		max(g.total) FILTER (WHERE g.counter = 'writes')::int8
			AS total_writes,
		max(g.total) FILTER (WHERE g.counter = 'write_time_ms')
			AS total_write_time_ms,
		max(g.growth) FILTER (WHERE g.counter = 'reads')::int8 AS reads,
		max(g.growth) FILTER (WHERE g.counter = 'read_time_ms')
			AS read_time_ms,
		max(g.growth) FILTER (WHERE g.counter = 'writes')::int8 AS writes,
		max(g.growth) FILTER (WHERE g.counter = 'write_time_ms')
			AS write_time_ms
	FROM counter_growth('{io}') g
	GROUP BY g.object
), io AS (
	SELECT g.*, s.setting = 'on' AS timed,
		CASE WHEN s.setting = 'on'
			THEN g.read_time_ms / nullif(g.reads, 0) END AS read_mean_ms,
		CASE WHEN s.setting = 'on'
			THEN g.write_time_ms / nullif(g.writes, 0) END AS write_mean_ms
	FROM g
	CROSS JOIN pg_catalog.pg_settings s
	WHERE s.name = 'track_io_timing'
)
SELECT pg_catalog.split_part(io.object, ', ', 1) AS source,
	pg_catalog.substr(io.object, pg_catalog.strpos(io.object, ', ') + 2)
		AS activity,
	io.reads,
	io.read_mean_ms,
	CASE WHEN io.reads > e.warning
		THEN verdict(io.read_mean_ms, r.warning, r.critical, r.direction)
		ELSE 'unknown' END AS read_status,
	io.writes,
	io.write_mean_ms,
	CASE WHEN io.writes > e.warning
		THEN verdict(io.write_mean_ms, w.warning, w.critical, w.direction)
		ELSE 'unknown' END AS write_status,
	io.window_s,
	io.total_reads,
	CASE WHEN io.timed THEN io.total_read_time_ms END AS total_read_time_ms,
	io.total_writes,
	CASE WHEN io.timed THEN io.total_write_time_ms END AS total_write_time_ms,
	io.since_at AS evidence_since_at
FROM io
JOIN threshold r ON r.id = 'disk_read_latency'
JOIN threshold w ON w.id = 'disk_write_latency'
JOIN threshold e ON e.id = 'io_evidence';
COMMENT ON VIEW io_latency IS
'Mean time of one read and one write of data files, per kind of activity, lately (as in glperf.cache), against the guide''s 5 and 10 ms. Times are NULL while track_io_timing is off. Before PostgreSQL 16 the server counts no writes of background processes: what is shown then are those that statements had to do themselves. Source: guide, Disk I/O Optimization.';
COMMENT ON COLUMN io_latency.source IS 'Where the numbers come from: pg_stat_io (PostgreSQL 16 and later), pg_stat_database or pg_stat_statements.';
COMMENT ON COLUMN io_latency.activity IS 'Kind of process and access, or the database.';
COMMENT ON COLUMN io_latency.reads IS 'Reads in the last window_s seconds; NULL where they are not counted, or at the first sample.';
COMMENT ON COLUMN io_latency.read_mean_ms IS 'Mean time of one of them, in milliseconds; NULL while track_io_timing is off, and if there was none.';
COMMENT ON COLUMN io_latency.read_status IS 'Verdict of read_mean_ms against disk_read_latency; unknown if not timed, at the first sample, or with no more than io_evidence reads.';
COMMENT ON COLUMN io_latency.writes IS 'Writes in the last window_s seconds; NULL where they are not counted, or at the first sample.';
COMMENT ON COLUMN io_latency.write_mean_ms IS 'Mean time of one of them, in milliseconds; NULL while track_io_timing is off, and if there was none.';
COMMENT ON COLUMN io_latency.write_status IS 'Verdict of write_mean_ms against disk_write_latency; unknown if not timed, at the first sample, or with no more than io_evidence writes.';
COMMENT ON COLUMN io_latency.window_s IS 'Seconds that these cover; NULL: first sample, ask again in a few seconds.';
COMMENT ON COLUMN io_latency.total_reads IS 'Reads since evidence_since_at; NULL where they are not counted.';
COMMENT ON COLUMN io_latency.total_read_time_ms IS 'Time of all of them, in milliseconds; NULL while track_io_timing is off.';
COMMENT ON COLUMN io_latency.total_writes IS 'Writes since evidence_since_at; NULL where they are not counted.';
COMMENT ON COLUMN io_latency.total_write_time_ms IS 'Time of all of them, in milliseconds; NULL while track_io_timing is off.';
COMMENT ON COLUMN io_latency.evidence_since_at IS 'Since when the totals count; NULL if unknown.';

CREATE VIEW wal AS
WITH g AS (
	-- five minutes for what is written, six hours for checkpoints, of which
	-- there are a few an hour
	SELECT w.* FROM counter_growth('{wal}') w
	UNION ALL
	SELECT c.* FROM counter_growth('{checkpoints,archiver}', 21600) c
), p AS (
	SELECT
		max(g.total) FILTER (WHERE g.counter = 'records')::int8
			AS wal_records,
		max(g.total) FILTER (WHERE g.counter = 'full_page_images')::int8
			AS full_page_images,
		max(g.total) FILTER (WHERE g.counter = 'bytes') AS wal_bytes,
		max(g.growth / g.window_s) FILTER (WHERE g.counter = 'bytes')
			AS wal_bytes_per_s,
		max(g.window_s) FILTER (WHERE g.source = 'wal') AS wal_window_s,
		max(g.total) FILTER (WHERE g.counter = 'buffers_full')::int8
			AS wal_buffers_full,
		max(g.since_at) FILTER (WHERE g.source = 'wal') AS since_at,
		max(g.total) FILTER (WHERE g.counter = 'timed')::int8 AS total_timed,
		max(g.total) FILTER (WHERE g.counter = 'requested')::int8
			AS total_requested,
		max(g.growth) FILTER (WHERE g.counter = 'timed')::int8 AS timed,
		max(g.growth) FILTER (WHERE g.counter = 'requested')::int8
			AS requested,
		max(g.window_s) FILTER (WHERE g.source = 'checkpoints')
			AS checkpoints_window_s,
		max(g.since_at) FILTER (WHERE g.source = 'checkpoints')
			AS checkpoints_since_at,
		max(g.growth) FILTER (WHERE g.counter = 'failed')::int8
			AS archive_failures,
		max(g.window_s) FILTER (WHERE g.source = 'archiver')
			AS archive_window_s
	FROM g
)
SELECT p.wal_records, p.full_page_images, p.wal_bytes,
	p.wal_bytes_per_s, p.wal_window_s,
	p.wal_buffers_full,
	p.since_at AS evidence_since_at,
	p.timed AS checkpoints_timed,
	p.requested AS checkpoints_requested,
	100.0::float8 * p.requested / nullif(p.timed + p.requested, 0)
		AS checkpoints_requested_pct,
	p.checkpoints_window_s,
	CASE WHEN p.timed + p.requested >= e.warning
		THEN verdict(100.0::float8 * p.requested
						 / nullif(p.timed + p.requested, 0),
					 t.warning, t.critical, t.direction)
		ELSE 'unknown' END AS checkpoints_status,
	p.total_timed AS total_checkpoints_timed,
	p.total_requested AS total_checkpoints_requested,
	p.checkpoints_since_at,
	a.archived_count, a.failed_count AS archive_failed_count,
	p.archive_failures, p.archive_window_s,
	a.last_archived_time AS last_archived_at,
	a.last_failed_time AS last_archive_failed_at,
	CASE
		WHEN s.setting = 'off' THEN 'off'
		WHEN a.last_failed_time > coalesce(a.last_archived_time,
										   '-infinity') THEN 'failing'
		WHEN a.last_archived_time IS NULL THEN 'nothing archived yet'
		ELSE 'ok' END AS archive_state
FROM p
CROSS JOIN pg_catalog.pg_stat_archiver a
JOIN pg_catalog.pg_settings s ON s.name = 'archive_mode'
JOIN threshold t ON t.id = 'checkpoints_requested'
JOIN threshold e ON e.id = 'checkpoints_evidence';
COMMENT ON VIEW wal IS
'Write-ahead log, checkpoints and archiving of this node, one row: totals since the stamps given, and what happened lately (see glperf.counter_growth).';
COMMENT ON COLUMN wal.wal_records IS 'WAL records written since evidence_since_at.';
COMMENT ON COLUMN wal.full_page_images IS 'Whole pages written to WAL, after the first change of a page since a checkpoint, since evidence_since_at.';
COMMENT ON COLUMN wal.wal_bytes IS 'Bytes of WAL written since evidence_since_at.';
COMMENT ON COLUMN wal.wal_bytes_per_s IS 'Bytes of WAL per second in the last wal_window_s seconds; NULL: first sample.';
COMMENT ON COLUMN wal.wal_window_s IS 'Seconds that wal_bytes_per_s covers: since a reading of five minutes ago, or the oldest there is.';
COMMENT ON COLUMN wal.wal_buffers_full IS 'How often a statement had to write WAL because wal_buffers was full, since evidence_since_at.';
COMMENT ON COLUMN wal.evidence_since_at IS 'Since when the WAL counters count.';
COMMENT ON COLUMN wal.checkpoints_timed IS 'Checkpoints started by the clock (on a standby, restartpoints due) in the last checkpoints_window_s seconds; NULL: first sample.';
COMMENT ON COLUMN wal.checkpoints_requested IS 'Checkpoints started by the volume of WAL, or by a command, in that time.';
COMMENT ON COLUMN wal.checkpoints_requested_pct IS 'Requested checkpoints as a share (0 to 100) of both; NULL if there was none.';
COMMENT ON COLUMN wal.checkpoints_window_s IS 'Seconds that these cover: since a reading of six hours ago, or the oldest there is; NULL: first sample.';
COMMENT ON COLUMN wal.checkpoints_status IS 'Verdict of checkpoints_requested_pct; unknown below checkpoints_evidence checkpoints in that time.';
COMMENT ON COLUMN wal.total_checkpoints_timed IS 'Checkpoints started by the clock since checkpoints_since_at.';
COMMENT ON COLUMN wal.total_checkpoints_requested IS 'Requested ones since checkpoints_since_at.';
COMMENT ON COLUMN wal.checkpoints_since_at IS 'Since when checkpoints are counted.';
COMMENT ON COLUMN wal.archived_count IS 'WAL files archived.';
COMMENT ON COLUMN wal.archive_failed_count IS 'Attempts to archive that failed.';
COMMENT ON COLUMN wal.archive_failures IS 'Of these, in the last archive_window_s seconds; NULL: first sample.';
COMMENT ON COLUMN wal.archive_window_s IS 'Seconds that archive_failures covers, as for checkpoints.';
COMMENT ON COLUMN wal.last_archived_at IS 'Last file archived; NULL if none.';
COMMENT ON COLUMN wal.last_archive_failed_at IS 'Last attempt that failed; NULL if none.';
COMMENT ON COLUMN wal.archive_state IS 'off, ok, nothing archived yet, or failing: the last attempt failed.';

CREATE VIEW database_activity AS
WITH g AS (
	SELECT g.object AS database, max(g.window_s) AS window_s,
		max(g.growth) FILTER (WHERE g.counter = 'temp_files')::int8
			AS temp_files,
		max(g.growth) FILTER (WHERE g.counter = 'temp_bytes')::int8
			AS temp_bytes,
		max(g.growth) FILTER (WHERE g.counter = 'commits')::int8 AS commits,
		max(g.growth) FILTER (WHERE g.counter = 'rollbacks')::int8
			AS rollbacks
	FROM counter_growth('{database}') g
	GROUP BY g.object
), hour AS (
	-- deadlocks are rare: an hour of them
	SELECT h.object AS database, max(h.window_s) AS window_s,
		max(h.growth) FILTER (WHERE h.counter = 'deadlocks')::int8
			AS deadlocks,
		max(h.growth) FILTER (WHERE h.counter = 'conflicts')::int8
			AS conflicts
	FROM counter_growth('{database}', 3600) h
	GROUP BY h.object
)
SELECT d.datname::text AS database,
	g.temp_files, g.temp_bytes,
	g.temp_bytes / g.window_s AS temp_bytes_per_s,
	g.commits, g.rollbacks,
	100.0::float8 * g.rollbacks / nullif(g.commits + g.rollbacks, 0)
		AS rollback_pct,
	g.window_s,
	hour.deadlocks, hour.conflicts,
	hour.window_s AS hour_window_s,
	d.checksum_failures, d.checksum_last_failure AS checksum_last_failure_at,
	verdict(g.temp_bytes / g.window_s / 1e6, t.warning, t.critical,
			t.direction) AS temp_status,
	verdict(hour.deadlocks * 3600 / greatest(hour.window_s, 3600),
			l.warning, l.critical, l.direction) AS deadlock_status,
	verdict(coalesce(d.checksum_failures, 0)::float8, k.warning, k.critical,
			k.direction) AS checksum_status
FROM pg_catalog.pg_stat_database d
JOIN g ON g.database = d.datname::text
JOIN hour ON hour.database = d.datname::text
JOIN threshold t ON t.id = 'temp_rate'
JOIN threshold l ON l.id = 'deadlocks'
JOIN threshold k ON k.id = 'checksum_failures';
COMMENT ON VIEW database_activity IS
'What each database did lately: temporary files, transactions, deadlocks, queries cancelled on a standby, damaged pages. Lately is since a reading of five minutes (deadlocks and conflicts: an hour) ago, or the oldest there is; see glperf.counter_growth.';
COMMENT ON COLUMN database_activity.database IS 'Name of the database.';
COMMENT ON COLUMN database_activity.temp_files IS 'Temporary files finished in the last window_s seconds; NULL: first sample.';
COMMENT ON COLUMN database_activity.temp_bytes IS 'Their size in bytes.';
COMMENT ON COLUMN database_activity.temp_bytes_per_s IS 'The same per second.';
COMMENT ON COLUMN database_activity.commits IS 'Transactions committed in the last window_s seconds.';
COMMENT ON COLUMN database_activity.rollbacks IS 'Transactions rolled back in that time.';
COMMENT ON COLUMN database_activity.rollback_pct IS 'Their share (0 to 100) of both; NULL if there was none. Not judged: drivers roll back to reset a connection.';
COMMENT ON COLUMN database_activity.window_s IS 'Seconds that these cover; NULL: first sample, ask again in a few seconds.';
COMMENT ON COLUMN database_activity.deadlocks IS 'Deadlocks in the last hour_window_s seconds; NULL: first sample.';
COMMENT ON COLUMN database_activity.conflicts IS 'Queries cancelled on this standby in that time because replay needed their rows or locks; 0 on a primary.';
COMMENT ON COLUMN database_activity.hour_window_s IS 'Seconds that these cover.';
COMMENT ON COLUMN database_activity.checksum_failures IS 'Damaged pages met since the statistics were reset; NULL: checksums are off, nobody would know.';
COMMENT ON COLUMN database_activity.checksum_last_failure_at IS 'When the last one was met; NULL: never.';
COMMENT ON COLUMN database_activity.temp_status IS 'Verdict of temp_bytes_per_s against the threshold temp_rate; unknown at the first sample.';
COMMENT ON COLUMN database_activity.deadlock_status IS 'Verdict of deadlocks in an hour against the threshold deadlocks; unknown at the first sample.';
COMMENT ON COLUMN database_activity.checksum_status IS 'Verdict of checksum_failures.';

CREATE FUNCTION uptime(
	OUT since_at timestamptz, OUT window_s float8, OUT down_s float8,
	OUT outages int8, OUT last_outage_at timestamptz,
	OUT last_outage_s float8)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_uptime';
COMMENT ON FUNCTION uptime() IS
'How long, of the last thirty days (window_s seconds since since_at: fewer if the collector has not watched for so long), the server was down (down_s), how often, and when last; NULL: never. Restarts count. After a crash an outage begins with the collector''s last note, at most ten seconds early. What the server cannot see, such as the network before it, is not in it. No row unless glperf is in shared_preload_libraries.';

CREATE VIEW vacuum AS
WITH holders AS (
	SELECT pg_catalog.age(a.backend_xmin) AS xmin_age,
		pg_catalog.format('%s %s of %s', a.backend_type, a.pid,
			coalesce(nullif(a.application_name, ''), a.usename, 'the server'))
			AS held_by
	FROM pg_catalog.pg_stat_activity a
	WHERE a.backend_xmin IS NOT NULL
		AND a.pid <> pg_catalog.pg_backend_pid()
	UNION ALL
	SELECT pg_catalog.age(x.xmin), 'replication slot ' || s.slot_name
	FROM pg_catalog.pg_replication_slots s,
		LATERAL (VALUES (s.xmin), (s.catalog_xmin)) x (xmin)
	WHERE x.xmin IS NOT NULL
	UNION ALL
	SELECT pg_catalog.age(p.transaction), 'prepared transaction ' || p.gid
	FROM pg_catalog.pg_prepared_xacts p
), oldest AS (
	SELECT h.xmin_age, h.held_by FROM holders h
	ORDER BY h.xmin_age DESC, h.held_by LIMIT 1
), stale AS (
	SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
	FROM pg_catalog.pg_class c
	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'm', 't') AND c.relfrozenxid <> '0'::xid
	ORDER BY pg_catalog.age(c.relfrozenxid) DESC, c.oid LIMIT 1
)
SELECT d.datname::text AS database,
	pg_catalog.age(d.datfrozenxid)::int8 AS xid_age,
	100.0::float8 * pg_catalog.age(d.datfrozenxid) / 2147483648
		AS xid_wraparound_pct,
	pg_catalog.mxid_age(d.datminmxid)::int8 AS multixact_age,
	100.0::float8 * pg_catalog.mxid_age(d.datminmxid) / 2147483648
		AS multixact_wraparound_pct,
	f.setting::int8 AS autovacuum_freeze_max_age,
	CASE WHEN d.datname = pg_catalog.current_database()
		THEN (SELECT s.name FROM stale s) END AS oldest_table,
	o.xmin_age::int8 AS oldest_snapshot_age,
	o.held_by AS oldest_snapshot_held_by,
	verdict(100.0::float8 / 2147483648
				* greatest(pg_catalog.age(d.datfrozenxid),
						   pg_catalog.mxid_age(d.datminmxid)),
			t.warning, t.critical, t.direction) AS status
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_settings f ON f.name = 'autovacuum_freeze_max_age'
JOIN threshold t ON t.id = 'wraparound'
LEFT JOIN oldest o ON true;
COMMENT ON VIEW vacuum IS
'How far each database is from running out of transaction ids, and what keeps vacuum from removing dead rows.';
COMMENT ON COLUMN vacuum.database IS 'Name of the database.';
COMMENT ON COLUMN vacuum.xid_age IS 'Age of the oldest transaction id, in transactions.';
COMMENT ON COLUMN vacuum.xid_wraparound_pct IS 'xid_age as a share (0 to 100) of 2^31, shortly before which the server refuses writes.';
COMMENT ON COLUMN vacuum.multixact_age IS 'Age of the oldest multixact id, in multixacts.';
COMMENT ON COLUMN vacuum.multixact_wraparound_pct IS 'multixact_age as a share (0 to 100) of 2^31.';
COMMENT ON COLUMN vacuum.autovacuum_freeze_max_age IS 'Age in transactions at which autovacuum freezes a table whatever else it does.';
COMMENT ON COLUMN vacuum.oldest_table IS 'Table with the oldest transaction id, in the current database only; NULL for others.';
COMMENT ON COLUMN vacuum.oldest_snapshot_age IS 'Age in transactions of the oldest snapshot that something on the cluster keeps; NULL if nothing does.';
COMMENT ON COLUMN vacuum.oldest_snapshot_held_by IS 'Who keeps it: a session, a replication slot or a prepared transaction.';
COMMENT ON COLUMN vacuum.status IS 'Verdict of the larger of both shares against the threshold wraparound.';

CREATE VIEW settings AS
WITH s AS (
	SELECT p.name, p.reset_val AS setting, p.unit
	FROM pg_catalog.pg_settings p
), t AS (
	SELECT
		max(t.warning) FILTER (WHERE t.id = 'slow_query_mean') AS slow_ms,
		max(t.warning) FILTER (WHERE t.id = 'random_page_cost') AS page_cost
	FROM threshold t
)
SELECT 'log_min_duration_statement'::text AS name, s.setting,
	t.slow_ms::text AS recommended,
	CASE WHEN s.setting::int8 < 0 OR s.setting::int8 > t.slow_ms
		THEN 'warning' ELSE 'ok' END AS status,
	CASE WHEN s.setting::int8 < 0
		THEN 'no statement is logged, however slow'
		WHEN s.setting::int8 > t.slow_ms
		THEN pg_catalog.format('statements between %s and %s ms are slow and not logged', t.slow_ms, s.setting)
		ELSE 'slow statements are logged' END AS message,
	pg_catalog.format('ALTER SYSTEM SET log_min_duration_statement = %s; SELECT pg_reload_conf();', t.slow_ms) AS remedy,
	'Profiling Tools'::text AS guide_section
FROM s, t WHERE s.name = 'log_min_duration_statement' AND t.slow_ms IS NOT NULL
UNION ALL
SELECT 'track_io_timing', s.setting, 'on',
	CASE s.setting WHEN 'on' THEN 'ok' ELSE 'warning' END,
	CASE s.setting WHEN 'on' THEN 'reads and writes are timed'
		ELSE 'reads and writes are not timed, so disk latency is unknown' END,
	'ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf();',
	'Disk I/O Optimization'
FROM s WHERE s.name = 'track_io_timing'
UNION ALL
SELECT 'shared_preload_libraries', s.setting, 'pg_stat_statements',
	CASE WHEN src.state IN ('not preloaded', 'not installed') THEN 'warning'
		ELSE 'ok' END,
	coalesce(src.message, 'statements are recorded'), src.remedy,
	'Query Tuning'
FROM s, statement_source() src WHERE s.name = 'shared_preload_libraries'
UNION ALL
SELECT 'random_page_cost', r.setting,
	(q.setting::float8 * 1.1::float8)::text,
	CASE WHEN r.setting::float8 > t.page_cost * q.setting::float8
		THEN 'warning' ELSE 'ok' END,
	CASE WHEN r.setting::float8 > t.page_cost * q.setting::float8
		THEN pg_catalog.format('the planner takes a random read for %s times as slow as a sequential one, as on a rotating disk; on SSD it shuns indexes for nothing',
			r.setting::float8 / nullif(q.setting::float8, 0))
		ELSE 'fits SSD' END,
	pg_catalog.format('ALTER SYSTEM SET random_page_cost = %s; SELECT pg_reload_conf();',
					  q.setting::float8 * 1.1::float8),
	'Disk I/O Optimization'
FROM s r, s q, t
WHERE r.name = 'random_page_cost' AND q.name = 'seq_page_cost'
	AND q.setting::float8 > 0
UNION ALL
SELECT s.name, s.setting, 'on',
	CASE WHEN s.setting = 'on' THEN 'ok'
		WHEN s.name IN ('fsync', 'full_page_writes') THEN 'critical'
		ELSE 'warning' END,
	CASE WHEN s.setting = 'on' THEN 'as it should be'
		ELSE m.message END,
	pg_catalog.format('ALTER SYSTEM SET %s = on; SELECT pg_reload_conf();',
					  s.name),
	NULL
FROM s JOIN (VALUES
	('autovacuum', 'dead rows and old transaction ids pile up until the server stops'),
	('track_counts', 'autovacuum and every statistic here are blind'),
	('track_activities', 'what sessions are doing is not shown'),
	('log_lock_waits', 'waits for locks leave no trace in the log'),
	('fsync', 'a crash of the machine destroys the database'),
	('full_page_writes', 'a crash of the machine can destroy pages'))
	m (name, message) ON m.name = s.name
UNION ALL
SELECT p.name, p.setting, NULL, 'warning',
	'changed in the configuration file, waiting for a restart of the server',
	'Restart the server.', NULL
FROM pg_catalog.pg_settings p WHERE p.pending_restart;
COMMENT ON VIEW settings IS
'Settings that the guide names, or that its measurements need, as a new session of this role gets them.';
COMMENT ON COLUMN settings.name IS 'Name of the setting.';
COMMENT ON COLUMN settings.setting IS 'Its value, in the unit of pg_settings.';
COMMENT ON COLUMN settings.recommended IS 'The value that satisfies the guide; NULL where the point is another.';
COMMENT ON COLUMN settings.status IS 'ok, warning, or critical where data is at risk.';
COMMENT ON COLUMN settings.message IS 'What the value means.';
COMMENT ON COLUMN settings.remedy IS 'Statement that changes it, to be run by a superuser.';
COMMENT ON COLUMN settings.guide_section IS 'Section of the tuning guide; NULL where the guide is silent.';

CREATE VIEW health_server AS
WITH io AS (
	SELECT
		max(i.read_mean_ms) FILTER (WHERE i.read_status <> 'unknown')
			AS read_ms,
		max(i.write_mean_ms) FILTER (WHERE i.write_status <> 'unknown')
			AS write_ms,
		sum(i.reads)::int8 AS reads, sum(i.writes)::int8 AS writes,
		max(i.window_s) AS window_s
	FROM io_latency i
), timing AS (
	SELECT s.setting = 'on' AS is_on FROM pg_catalog.pg_settings s
	WHERE s.name = 'track_io_timing'
), w AS MATERIALIZED (
	SELECT * FROM wal
), d AS MATERIALIZED (
	SELECT * FROM database_activity
), words AS (
	SELECT 'first sample: a rate takes two readings, some seconds apart'::text
			AS first,
		'Ask again in ten seconds; where glperf is in shared_preload_libraries, readings outlive the session.'::text
			AS again
)
SELECT 'server'::text AS area, 'database ' || c.database AS object,
	t.id AS check_id,
	CASE WHEN c.blocks_hit + c.blocks_read > e.warning THEN c.hit_pct END
		AS value,
	t.unit, t.warning, t.critical, c.status,
	CASE
		WHEN c.window_s IS NULL THEN words.first || coalesce(
			pg_catalog.format(' (%s %% since %s)',
				pg_catalog.round(c.total_hit_pct::numeric, 1),
				coalesce(pg_catalog.to_char(c.evidence_since_at,
											'YYYY-MM-DD HH24:MI'),
						 'the counters began')), '')
		ELSE pg_catalog.format('%s of %s block reads in the last %s s came from shared buffers%s',
			coalesce(pg_catalog.round(c.hit_pct::numeric, 1) || ' %', 'none'),
			c.blocks_hit + c.blocks_read,
			pg_catalog.round(c.window_s::numeric),
			CASE WHEN c.blocks_hit + c.blocks_read <= e.warning
				THEN ': so few that it does not matter' ELSE '' END) END
		AS message,
	CASE
		WHEN c.window_s IS NULL THEN words.again
		WHEN c.status IN ('warning', 'critical')
		THEN 'Look at hit_ratio in glperf.slow_queries and glperf.table_access: an index that avoids reading is better than more memory; then raise shared_buffers.' END
		AS remedy,
	t.guide_section
FROM cache c JOIN threshold t ON t.id = 'cache_hit'
JOIN threshold e ON e.id = 'cache_evidence' CROSS JOIN words
WHERE c.database = pg_catalog.current_database()
	OR c.status IN ('warning', 'critical')
UNION ALL
SELECT 'server', k.object, t.id, k.value, t.unit, t.warning, t.critical,
	CASE WHEN timing.is_on AND k.value IS NULL AND k.operations IS NOT NULL
			THEN 'ok'
		ELSE verdict(k.value, t.warning, t.critical, t.direction) END,
	CASE WHEN NOT timing.is_on THEN 'track_io_timing is off, so nobody knows'
		WHEN io.window_s IS NULL THEN words.first
		WHEN k.operations IS NULL THEN 'not counted by this server'
		WHEN k.value IS NULL THEN pg_catalog.format(
			'%s in the last %s s: so few that their time does not matter',
			k.operations, pg_catalog.round(io.window_s::numeric))
		ELSE pg_catalog.format('the slowest kind of access took %s ms on average in the last %s s',
			pg_catalog.round(k.value::numeric, 2),
			pg_catalog.round(io.window_s::numeric)) END,
	CASE WHEN NOT timing.is_on
		THEN 'ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf();'
		WHEN io.window_s IS NULL THEN words.again
		WHEN k.value IS NOT NULL
			AND verdict(k.value, t.warning, t.critical, t.direction) <> 'ok'
		THEN 'SELECT * FROM glperf.io_latency;' END,
	t.guide_section
FROM io CROSS JOIN timing CROSS JOIN words
CROSS JOIN LATERAL (VALUES
	('data files, reads', 'disk_read_latency', io.read_ms, io.reads),
	('data files, writes', 'disk_write_latency', io.write_ms, io.writes))
	k (object, id, value, operations)
JOIN threshold t ON t.id = k.id
UNION ALL
SELECT 'server', 'checkpoints', t.id, w.checkpoints_requested_pct, t.unit,
	t.warning, t.critical, w.checkpoints_status,
	CASE WHEN w.checkpoints_window_s IS NULL THEN words.first
		WHEN w.checkpoints_status = 'unknown'
		THEN pg_catalog.format('only %s checkpoints in the last %s minutes: too few to judge',
			w.checkpoints_timed + w.checkpoints_requested,
			pg_catalog.round(w.checkpoints_window_s::numeric / 60))
		ELSE pg_catalog.format('%s of %s checkpoints in the last %s minutes were forced by the volume of WAL or a command',
			w.checkpoints_requested,
			w.checkpoints_timed + w.checkpoints_requested,
			pg_catalog.round(w.checkpoints_window_s::numeric / 60)) END,
	CASE WHEN w.checkpoints_window_s IS NULL THEN words.again
		WHEN w.checkpoints_status IN ('warning', 'critical')
		THEN pg_catalog.format('ALTER SYSTEM SET max_wal_size = ''%sMB''; SELECT pg_reload_conf();',
			2 * s.setting::int8) END,
	t.guide_section
FROM w CROSS JOIN words
JOIN threshold t ON t.id = 'checkpoints_requested'
JOIN pg_catalog.pg_settings s ON s.name = 'max_wal_size'
UNION ALL
SELECT 'server', 'WAL', t.id, w.wal_bytes_per_s / 1e6, t.unit, t.warning,
	t.critical,
	verdict(w.wal_bytes_per_s / 1e6, t.warning, t.critical, t.direction),
	CASE WHEN w.wal_window_s IS NULL THEN words.first
		ELSE pg_catalog.format('%s of WAL per second in the last %s s%s',
			pg_catalog.pg_size_pretty(w.wal_bytes_per_s::int8),
			pg_catalog.round(w.wal_window_s::numeric),
			CASE WHEN w.wal_bytes_per_s >= 1e6 THEN pg_catalog.format(
				': max_wal_size lasts %s minutes',
				pg_catalog.round((s.setting::float8 * 1048576
					/ w.wal_bytes_per_s / 60)::numeric)) ELSE '' END) END,
	CASE WHEN w.wal_window_s IS NULL THEN words.again
		WHEN verdict(w.wal_bytes_per_s / 1e6, t.warning, t.critical,
					 t.direction) <> 'ok'
		THEN 'SELECT * FROM glperf.statements ORDER BY wal_bytes DESC LIMIT 20; -- drop unused indexes, and make less of it with wal_compression' END,
	t.guide_section
FROM w CROSS JOIN words
JOIN threshold t ON t.id = 'wal_rate'
JOIN pg_catalog.pg_settings s ON s.name = 'max_wal_size'
UNION ALL
SELECT 'server', 'database ' || d.database, t.id, v.value, t.unit, t.warning,
	t.critical, v.status,
	CASE WHEN v.value IS NULL THEN words.first ELSE v.message END,
	CASE WHEN v.value IS NULL THEN words.again
		WHEN v.status <> 'ok' THEN v.remedy END,
	t.guide_section
FROM d CROSS JOIN words
CROSS JOIN LATERAL (VALUES
	('temp_rate', d.temp_bytes_per_s / 1e6, d.temp_status,
		pg_catalog.format('%s temporary files of %s in the last %s s',
			d.temp_files, pg_catalog.pg_size_pretty(d.temp_bytes),
			pg_catalog.round(d.window_s::numeric)),
		'SELECT * FROM glperf.statements ORDER BY temp_bytes DESC LIMIT 20; -- raise work_mem for the roles that run them'),
	('deadlocks', d.deadlocks * 3600 / greatest(d.hour_window_s, 3600),
		d.deadlock_status,
		pg_catalog.format('%s deadlocks in the last %s minutes', d.deadlocks,
			pg_catalog.round(d.hour_window_s::numeric / 60)),
		'Read the server''s log for the statements, and let all transactions lock rows in the same order.'),
	('checksum_failures', coalesce(d.checksum_failures, 0)::float8,
		d.checksum_status,
		pg_catalog.format('%s damaged pages, the last one met at %s',
			d.checksum_failures, pg_catalog.to_char(d.checksum_last_failure_at,
				'YYYY-MM-DD HH24:MI')),
		'The disk loses data: read the server''s log for the files, fail over or restore, and replace the disk.'))
	v (id, value, status, message, remedy)
JOIN threshold t ON t.id = v.id
WHERE v.status IN ('warning', 'critical')
	OR (d.database = pg_catalog.current_database()
		AND v.id <> 'checksum_failures')
UNION ALL
SELECT 'server', 'uptime', t.id, u.value, t.unit, t.warning, t.critical,
	CASE WHEN u.window_s / 86400 < e.warning THEN 'unknown'
		ELSE verdict(u.value, t.warning, t.critical, t.direction) END,
	CASE WHEN u.window_s IS NULL
		THEN 'not watched: glperf is not in shared_preload_libraries'
		ELSE pg_catalog.format('down %s times, %s s together, in the last %s hours%s%s',
			u.outages, pg_catalog.round(u.down_s::numeric, 1),
			pg_catalog.round((u.window_s / 3600)::numeric, 1),
			CASE WHEN u.outages > 0 THEN
				pg_catalog.format('; last at %s for %s s',
					pg_catalog.to_char(u.last_outage_at, 'YYYY-MM-DD HH24:MI'),
					pg_catalog.round(u.last_outage_s::numeric, 1)) END,
			CASE WHEN u.window_s / 86400 < e.warning
				THEN ': too short to judge' ELSE '' END) END,
	CASE WHEN u.window_s IS NULL
		THEN 'Add glperf to shared_preload_libraries and restart the server.'
		WHEN verdict(u.value, t.warning, t.critical, t.direction) <> 'ok'
		THEN 'Read the server''s log for why it went down; plan restarts together, and fail over to a standby for longer ones.' END,
	t.guide_section
FROM threshold t
JOIN threshold e ON e.id = 'uptime_evidence'
LEFT JOIN LATERAL (SELECT n.*,
		100.0::float8 * (1 - n.down_s / nullif(n.window_s, 0)) AS value
	FROM uptime() n) u ON true
WHERE t.id = 'uptime'
UNION ALL
SELECT 'server', 'WAL archiving', 'archiving',
	w.archive_failures::float8, 'failures', NULL, NULL,
	CASE w.archive_state WHEN 'failing' THEN 'critical' ELSE 'ok' END,
	CASE w.archive_state
		WHEN 'failing' THEN pg_catalog.format('the last attempt to archive failed at %s%s; WAL fills the disk',
			pg_catalog.to_char(w.last_archive_failed_at,
							   'YYYY-MM-DD HH24:MI'),
			CASE WHEN w.archive_failures IS NOT NULL THEN
				pg_catalog.format(', %s attempts in the last %s minutes',
					w.archive_failures,
					pg_catalog.round(w.archive_window_s::numeric / 60)) END)
		ELSE w.archive_state END,
	CASE w.archive_state WHEN 'failing'
		THEN 'Read the server''s log for what archive_command says.' END,
	NULL
FROM w WHERE w.archive_state <> 'off'
UNION ALL
SELECT 'server', 'database ' || v.database, t.id,
	greatest(v.xid_wraparound_pct, v.multixact_wraparound_pct), t.unit,
	t.warning, t.critical, v.status,
	pg_catalog.format('%s %% of the transaction ids are in use%s',
		pg_catalog.round(greatest(v.xid_wraparound_pct,
								  v.multixact_wraparound_pct)::numeric, 1),
		', oldest in ' || v.oldest_table),
	CASE WHEN v.status <> 'ok'
		THEN coalesce('VACUUM (FREEZE, VERBOSE) ' || v.oldest_table || ';',
			pg_catalog.format('Run VACUUM (FREEZE) in database %s.',
							  v.database)) END,
	t.guide_section
FROM vacuum v JOIN threshold t ON t.id = 'wraparound'
WHERE v.database = pg_catalog.current_database() OR v.status <> 'ok'
UNION ALL
SELECT 'server', 'oldest snapshot', t.id,
	v.oldest_snapshot_age::float8, t.unit, t.warning, t.critical,
	verdict(v.oldest_snapshot_age::float8, t.warning, t.critical,
			t.direction),
	pg_catalog.format('%s keeps vacuum from removing rows that died in the last %s transactions',
		v.oldest_snapshot_held_by, v.oldest_snapshot_age),
	CASE WHEN verdict(v.oldest_snapshot_age::float8, t.warning, t.critical,
					  t.direction) <> 'ok'
		THEN 'End it, or find out why it is still needed.' END,
	t.guide_section
FROM vacuum v JOIN threshold t ON t.id = 'xmin_age'
WHERE v.database = pg_catalog.current_database()
	AND v.oldest_snapshot_age IS NOT NULL
UNION ALL
SELECT 'server', 'setting ' || s.name, 'setting',
	NULL, NULL, NULL, NULL, s.status,
	pg_catalog.format('%s: %s', nullif(s.setting, ''), s.message),
	CASE WHEN s.status <> 'ok' THEN s.remedy END, s.guide_section
FROM settings s WHERE s.status <> 'ok'
UNION ALL
SELECT 'server', 'settings', 'setting', count(*)::float8, 'settings', NULL,
	NULL, 'ok',
	pg_catalog.format('%s settings are as the guide has them', count(*)),
	NULL, NULL
FROM settings s WHERE s.status = 'ok';
COMMENT ON VIEW health_server IS
'Rows of glperf.health about the server: cache, disk latency, checkpoints, WAL, archiving, temporary files, deadlocks, damaged pages, transaction ids and settings.';

REVOKE ALL ON FUNCTION io_times(), checkpoints(), uptime() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION io_times(), checkpoints(), uptime() TO pg_monitor;
GRANT SELECT ON cache, io_latency, wal, database_activity, vacuum, settings,
	health_server TO pg_monitor;

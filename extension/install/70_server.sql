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
WITH reads AS (
	SELECT coalesce(d.datname::text, 'shared catalogs') AS database,
		d.blks_hit AS blocks_hit, d.blks_read AS blocks_read,
		greatest(d.stats_reset, w.stats_reset) AS evidence_since_at
	FROM pg_catalog.pg_stat_database d
	CROSS JOIN pg_catalog.pg_stat_wal w
)
SELECT r.database, r.blocks_hit, r.blocks_read,
	100.0::float8 * r.blocks_hit
		/ nullif(r.blocks_hit + r.blocks_read, 0) AS hit_pct,
	r.evidence_since_at,
	CASE WHEN r.blocks_hit + r.blocks_read < e.warning THEN 'unknown'
		ELSE verdict(100.0::float8 * r.blocks_hit
						 / nullif(r.blocks_hit + r.blocks_read, 0),
					 t.warning, t.critical, t.direction) END AS status
FROM reads r
JOIN threshold t ON t.id = 'cache_hit'
JOIN threshold e ON e.id = 'cache_evidence';
COMMENT ON VIEW cache IS
'How much of what each database reads comes from shared buffers. hit_pct covers the whole time since evidence_since_at, in which a bad hour drowns: for a rate over time take the difference of blocks_hit and blocks_read between two samples. A block not found in shared buffers may still come from the operating system''s cache. Source: guide, Cache Configuration.';
COMMENT ON COLUMN cache.database IS 'Database, or shared catalogs.';
COMMENT ON COLUMN cache.blocks_hit IS 'Block reads answered by shared buffers.';
COMMENT ON COLUMN cache.blocks_read IS 'Block reads that went to the operating system.';
COMMENT ON COLUMN cache.hit_pct IS 'blocks_hit as a share (0 to 100) of both; NULL if nothing was read.';
COMMENT ON COLUMN cache.evidence_since_at IS 'Since when the counters count; NULL if unknown.';
COMMENT ON COLUMN cache.status IS 'Verdict of hit_pct against the threshold cache_hit; unknown below cache_evidence block reads.';

CREATE VIEW io_latency AS
WITH io AS (
	SELECT i.*,
		i.read_time_ms / nullif(i.reads, 0) AS read_mean_ms,
		i.write_time_ms / nullif(i.writes, 0) AS write_mean_ms,
		s.setting = 'on' AS timed
	FROM io_times() i
	CROSS JOIN pg_catalog.pg_settings s
	WHERE s.name = 'track_io_timing'
)
SELECT io.source, io.activity, io.reads,
	CASE WHEN io.timed THEN io.read_time_ms END AS read_time_ms,
	CASE WHEN io.timed THEN io.read_mean_ms END AS read_mean_ms,
	CASE WHEN io.timed AND io.reads >= e.warning
		THEN verdict(io.read_mean_ms, r.warning, r.critical, r.direction)
		ELSE 'unknown' END AS read_status,
	io.writes,
	CASE WHEN io.timed THEN io.write_time_ms END AS write_time_ms,
	CASE WHEN io.timed THEN io.write_mean_ms END AS write_mean_ms,
	CASE WHEN io.timed AND io.writes >= e.warning
		THEN verdict(io.write_mean_ms, w.warning, w.critical, w.direction)
		ELSE 'unknown' END AS write_status,
	io.since_at AS evidence_since_at
FROM io
JOIN threshold r ON r.id = 'disk_read_latency'
JOIN threshold w ON w.id = 'disk_write_latency'
JOIN threshold e ON e.id = 'io_evidence';
COMMENT ON VIEW io_latency IS
'Mean time of one read and one write of data files, per kind of activity, against the guide''s 5 and 10 ms. Times are NULL while track_io_timing is off; operations done while it was off pull the means down. Source: guide, Disk I/O Optimization.';
COMMENT ON COLUMN io_latency.source IS 'Where the numbers come from: pg_stat_io (PostgreSQL 16 and later), pg_stat_database or pg_stat_statements.';
COMMENT ON COLUMN io_latency.activity IS 'Kind of process and access, or the database.';
COMMENT ON COLUMN io_latency.reads IS 'Reads; NULL where they are not counted.';
COMMENT ON COLUMN io_latency.read_time_ms IS 'Time of all reads, in milliseconds; NULL while track_io_timing is off.';
COMMENT ON COLUMN io_latency.read_mean_ms IS 'Mean time of one read, in milliseconds; NULL while track_io_timing is off.';
COMMENT ON COLUMN io_latency.read_status IS 'Verdict of read_mean_ms against disk_read_latency; unknown if not timed, or below io_evidence reads.';
COMMENT ON COLUMN io_latency.writes IS 'Writes; NULL where they are not counted.';
COMMENT ON COLUMN io_latency.write_time_ms IS 'Time of all writes, in milliseconds; NULL while track_io_timing is off.';
COMMENT ON COLUMN io_latency.write_mean_ms IS 'Mean time of one write, in milliseconds; NULL while track_io_timing is off.';
COMMENT ON COLUMN io_latency.write_status IS 'Verdict of write_mean_ms against disk_write_latency; unknown if not timed, or below io_evidence writes.';
COMMENT ON COLUMN io_latency.evidence_since_at IS 'Since when the counters count; NULL if unknown.';

CREATE VIEW wal AS
SELECT w.wal_records, w.wal_fpi AS full_page_images,
	w.wal_bytes::float8 AS wal_bytes,
	w.wal_bytes::float8 / nullif(extract(epoch FROM pg_catalog.now()
		- w.stats_reset)::float8, 0) AS wal_bytes_per_s,
	w.wal_buffers_full,
	w.stats_reset AS evidence_since_at,
	c.timed AS checkpoints_timed,
	c.requested AS checkpoints_requested,
	100.0::float8 * c.requested / nullif(c.timed + c.requested, 0)
		AS checkpoints_requested_pct,
	CASE WHEN c.timed + c.requested < e.warning THEN 'unknown'
		ELSE verdict(100.0::float8 * c.requested
						 / nullif(c.timed + c.requested, 0),
					 t.warning, t.critical, t.direction) END
		AS checkpoints_status,
	c.since_at AS checkpoints_since_at,
	a.archived_count, a.failed_count AS archive_failed_count,
	a.last_archived_time AS last_archived_at,
	a.last_failed_time AS last_archive_failed_at,
	CASE
		WHEN s.setting = 'off' THEN 'off'
		WHEN a.last_failed_time > coalesce(a.last_archived_time,
										   '-infinity') THEN 'failing'
		WHEN a.last_archived_time IS NULL THEN 'nothing archived yet'
		ELSE 'ok' END AS archive_state
FROM pg_catalog.pg_stat_wal w
CROSS JOIN checkpoints() c
CROSS JOIN pg_catalog.pg_stat_archiver a
JOIN pg_catalog.pg_settings s ON s.name = 'archive_mode'
JOIN threshold t ON t.id = 'checkpoints_requested'
JOIN threshold e ON e.id = 'checkpoints_evidence';
COMMENT ON VIEW wal IS
'Write-ahead log, checkpoints and archiving of this node since the stamps given; one row.';
COMMENT ON COLUMN wal.wal_records IS 'WAL records written.';
COMMENT ON COLUMN wal.full_page_images IS 'Whole pages written to WAL, after the first change of a page since a checkpoint.';
COMMENT ON COLUMN wal.wal_bytes IS 'Bytes of WAL written.';
COMMENT ON COLUMN wal.wal_bytes_per_s IS 'Mean bytes of WAL per second since evidence_since_at.';
COMMENT ON COLUMN wal.wal_buffers_full IS 'How often a statement had to write WAL because wal_buffers was full.';
COMMENT ON COLUMN wal.evidence_since_at IS 'Since when the WAL counters count.';
COMMENT ON COLUMN wal.checkpoints_timed IS 'Checkpoints started by the clock (on a standby, restartpoints due).';
COMMENT ON COLUMN wal.checkpoints_requested IS 'Checkpoints started by the volume of WAL, or by a command.';
COMMENT ON COLUMN wal.checkpoints_requested_pct IS 'Requested checkpoints as a share (0 to 100) of all; NULL if there was none.';
COMMENT ON COLUMN wal.checkpoints_status IS 'Verdict of checkpoints_requested_pct; unknown below checkpoints_evidence checkpoints.';
COMMENT ON COLUMN wal.checkpoints_since_at IS 'Since when checkpoints are counted.';
COMMENT ON COLUMN wal.archived_count IS 'WAL files archived.';
COMMENT ON COLUMN wal.archive_failed_count IS 'Attempts to archive that failed.';
COMMENT ON COLUMN wal.last_archived_at IS 'Last file archived; NULL if none.';
COMMENT ON COLUMN wal.last_archive_failed_at IS 'Last attempt that failed; NULL if none.';
COMMENT ON COLUMN wal.archive_state IS 'off, ok, nothing archived yet, or failing: the last attempt failed.';

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
			AS write_ms
	FROM io_latency i
), timing AS (
	SELECT s.setting = 'on' AS is_on FROM pg_catalog.pg_settings s
	WHERE s.name = 'track_io_timing'
)
SELECT 'server'::text AS area, 'database ' || c.database AS object,
	t.id AS check_id, c.hit_pct AS value, t.unit, t.warning, t.critical,
	c.status,
	CASE WHEN c.status = 'unknown'
		THEN pg_catalog.format('only %s block reads so far: too few to judge',
							   c.blocks_hit + c.blocks_read)
		ELSE pg_catalog.format('%s %% of block reads come from shared buffers, over all time since %s',
			pg_catalog.round(c.hit_pct::numeric, 1),
			coalesce(pg_catalog.to_char(c.evidence_since_at,
										'YYYY-MM-DD HH24:MI'),
					 'the counters began')) END AS message,
	CASE WHEN c.status IN ('warning', 'critical')
		THEN 'Look at hit_ratio in glperf.slow_queries and glperf.table_access: an index that avoids reading is better than more memory; then raise shared_buffers.' END
		AS remedy,
	t.guide_section
FROM cache c JOIN threshold t ON t.id = 'cache_hit'
WHERE c.database = pg_catalog.current_database()
	OR c.status IN ('warning', 'critical')
UNION ALL
SELECT 'server', k.object, t.id, k.value, t.unit, t.warning, t.critical,
	verdict(k.value, t.warning, t.critical, t.direction),
	CASE WHEN NOT timing.is_on THEN 'track_io_timing is off, so nobody knows'
		WHEN k.value IS NULL THEN 'too few timed operations to judge'
		ELSE pg_catalog.format('the slowest kind of access takes %s ms on average',
			pg_catalog.round(k.value::numeric, 2)) END,
	CASE WHEN NOT timing.is_on
		THEN 'ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf();'
		WHEN k.value IS NOT NULL
			AND verdict(k.value, t.warning, t.critical, t.direction) <> 'ok'
		THEN 'SELECT * FROM glperf.io_latency;' END,
	t.guide_section
FROM io CROSS JOIN timing
CROSS JOIN LATERAL (VALUES
	('data files, reads', 'disk_read_latency', io.read_ms),
	('data files, writes', 'disk_write_latency', io.write_ms))
	k (object, id, value)
JOIN threshold t ON t.id = k.id
UNION ALL
SELECT 'server', 'checkpoints', t.id, w.checkpoints_requested_pct, t.unit,
	t.warning, t.critical, w.checkpoints_status,
	CASE WHEN w.checkpoints_status = 'unknown'
		THEN pg_catalog.format('only %s checkpoints so far: too few to judge',
			w.checkpoints_timed + w.checkpoints_requested)
		ELSE pg_catalog.format('%s of %s checkpoints were forced by the volume of WAL or a command',
			w.checkpoints_requested,
			w.checkpoints_timed + w.checkpoints_requested) END,
	CASE WHEN w.checkpoints_status IN ('warning', 'critical')
		THEN pg_catalog.format('ALTER SYSTEM SET max_wal_size = ''%sMB''; SELECT pg_reload_conf();',
			2 * s.setting::int8) END,
	t.guide_section
FROM wal w
JOIN threshold t ON t.id = 'checkpoints_requested'
JOIN pg_catalog.pg_settings s ON s.name = 'max_wal_size'
UNION ALL
SELECT 'server', 'WAL archiving', 'archiving',
	w.archive_failed_count::float8, 'failures', NULL, NULL,
	CASE w.archive_state WHEN 'failing' THEN 'critical' ELSE 'ok' END,
	CASE w.archive_state
		WHEN 'failing' THEN pg_catalog.format('archiving has been failing since %s, and WAL fills the disk',
			pg_catalog.to_char(w.last_archive_failed_at,
							   'YYYY-MM-DD HH24:MI'))
		ELSE w.archive_state END,
	CASE w.archive_state WHEN 'failing'
		THEN 'Read the server''s log for what archive_command says.' END,
	NULL
FROM wal w WHERE w.archive_state <> 'off'
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
'Rows of glperf.health about the server: cache, disk latency, checkpoints, archiving, transaction ids and settings.';

REVOKE ALL ON FUNCTION io_times(), checkpoints() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION io_times(), checkpoints() TO pg_monitor;
GRANT SELECT ON cache, io_latency, wal, vacuum, settings, health_server
	TO pg_monitor;

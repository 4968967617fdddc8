-- Before a statement of --apply runs: would it fail, wait or do harm?

CREATE FUNCTION volume_space(tablespace oid,
	OUT volume text, OUT free_bytes int8, OUT total_bytes int8)
LANGUAGE c VOLATILE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_volume_space';
COMMENT ON FUNCTION volume_space(oid) IS
'Space on the volume of a tablespace, NULL: of the WAL. volume is the same for paths on the same file system; free_bytes is what the server may still use. NULLs if the file system does not say.';

CREATE FUNCTION preflight_space(size_bytes int8, OUT check_id text,
	OUT status text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
WITH target AS MATERIALIZED (
	SELECT s.oid, s.spcname,
		$1 * (SELECT t.warning FROM glperf.threshold t
			  WHERE t.id = 'build_space') AS needed_bytes
	FROM pg_database d
	JOIN pg_tablespace s
		ON CASE WHEN current_setting('default_tablespace') = ''
			THEN s.oid = d.dattablespace
			ELSE s.spcname = current_setting('default_tablespace') END
	WHERE d.datname = current_database()
), space AS MATERIALIZED (
	SELECT t.*, v.free_bytes, v.total_bytes, w.free_bytes AS wal_free_bytes,
		-- what is written to the WAL comes on top of it
		$1 + CASE WHEN w.volume = v.volume THEN t.needed_bytes ELSE 0 END
			AS wal_needed_bytes
	FROM target t, glperf.volume_space(t.oid) v, glperf.volume_space(NULL) w
)
SELECT 'disk_space',
	CASE WHEN s.needed_bytes IS NULL OR s.free_bytes IS NULL THEN 'unknown'
		WHEN s.free_bytes < s.needed_bytes THEN 'refuse'
		WHEN glperf.verdict('storage', 100.0 * (s.total_bytes - s.free_bytes
			+ $1) / nullif(s.total_bytes, 0)) = 'critical' THEN 'warning'
		ELSE 'ok' END,
	CASE WHEN s.free_bytes IS NULL
		THEN format('the space left in tablespace %I is not known', s.spcname)
		WHEN s.needed_bytes IS NULL THEN 'the size of the index is not known'
		WHEN s.free_bytes < s.needed_bytes THEN
			format('building it needs %s in tablespace %I, which has %s left',
				pg_size_pretty(s.needed_bytes::numeric), s.spcname,
				pg_size_pretty(s.free_bytes))
		ELSE format('tablespace %I has %s left', s.spcname,
				pg_size_pretty(s.free_bytes)) END
FROM space s
UNION ALL
SELECT 'wal_space',
	CASE WHEN s.wal_needed_bytes IS NULL OR s.wal_free_bytes IS NULL
			THEN 'unknown'
		WHEN s.wal_free_bytes < s.wal_needed_bytes THEN 'refuse'
		ELSE 'ok' END,
	CASE WHEN s.wal_needed_bytes IS NULL OR s.wal_free_bytes IS NULL
			THEN 'the space left for WAL is not known'
		WHEN s.wal_free_bytes < s.wal_needed_bytes THEN
			format('building it writes about %s of WAL, whose volume has too little left (%s)',
				pg_size_pretty($1), pg_size_pretty(s.wal_free_bytes))
		ELSE format('the volume of the WAL has %s left',
				pg_size_pretty(s.wal_free_bytes)) END
FROM space s
$$;
COMMENT ON FUNCTION preflight_space(int8) IS
'Whether an index of this size can be built where it would go: the tablespace needs the factor of threshold build_space (the index, and the files that sort it), the WAL its size once. The warning is about threshold storage.';

CREATE FUNCTION preflight_table(schema_name text, table_name text,
	is_drop bool, max_wait_s float8, OUT check_id text, OUT status text,
	OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $$
WITH target AS MATERIALIZED (
	SELECT c.oid, coalesce($4, w.critical) AS max_wait_s,
		w.warning AS warn_s
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	LEFT JOIN glperf.threshold w ON w.id = 'build_wait'
	WHERE n.nspname = $1 AND c.relname = $2
), holder AS MATERIALIZED (
	-- sessions and prepared transactions with locks that matter on the table
	SELECT l.pid, l.virtualtransaction,
		bool_or(l.mode IN ('ShareUpdateExclusiveLock',
			'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
			AS is_busy
	FROM target t
	JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = t.oid
		AND l.database = (SELECT d.oid FROM pg_database d
						  WHERE d.datname = current_database())
	WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
		AND ($3 OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
	GROUP BY 1, 2
), session AS MATERIALIZED (
	SELECT a.pid, a.usename, a.application_name, a.state, a.backend_type,
		extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age_s,
		EXISTS (SELECT FROM holder h WHERE h.pid = a.pid AND h.is_busy)
			AS is_busy,
		a.xact_start IS NOT NULL
			AND (EXISTS (SELECT FROM holder h WHERE h.pid = a.pid)
				 OR (a.backend_xmin IS NOT NULL
					 AND v.pid IS NULL AND b.pid IS NULL)) AS is_awaited,
		v.pid IS NOT NULL AS is_vacuum, b.pid IS NOT NULL AS is_build
	FROM pg_stat_activity a
	LEFT JOIN pg_stat_progress_vacuum v ON v.pid = a.pid
	LEFT JOIN pg_stat_progress_create_index b ON b.pid = a.pid
	WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
), oldest AS (
	SELECT s.* FROM session s WHERE s.is_awaited
	ORDER BY s.age_s DESC NULLS LAST LIMIT 1
), prepared AS (
	SELECT p.gid, extract(epoch FROM clock_timestamp() - p.prepared)::float8
		AS age_s
	FROM pg_prepared_xacts p
	-- its locks belong to no process, but to the session that prepared it, or
	-- after a restart to none
	JOIN pg_locks x ON x.locktype = 'transactionid'
		AND x.transactionid = p.transaction
	JOIN holder h ON h.pid IS NULL
		AND h.virtualtransaction = x.virtualtransaction
	WHERE p.database = current_database()
	ORDER BY p.prepared LIMIT 1
)
SELECT 'table_busy', 'refuse',
	CASE
		WHEN s.backend_type = 'autovacuum worker'
			THEN 'autovacuum is at work on the table'
		WHEN s.is_vacuum THEN format('VACUUM is running on the table (pid %s)', s.pid)
		WHEN s.is_build THEN format('another index of the table is being built (pid %s)', s.pid)
		ELSE format('a session holds a lock that excludes it (pid %s%s)', s.pid,
			coalesce(', ' || nullif(s.application_name, ''), ''))
	END
FROM session s WHERE s.is_busy
UNION ALL
SELECT 'old_transaction',
	CASE WHEN o.age_s >= t.max_wait_s THEN 'refuse'
		WHEN o.age_s >= t.warn_s THEN 'warning' ELSE 'ok' END,
	format('it has to wait for a transaction that is open for %s s (pid %s%s%s, %s)',
		round(o.age_s), o.pid, coalesce(', role ' || quote_ident(o.usename), ''),
		coalesce(', ' || nullif(o.application_name, ''), ''),
		coalesce(o.state, 'state not visible'))
FROM oldest o, target t WHERE o.age_s IS NOT NULL
UNION ALL
SELECT 'prepared_transaction',
	CASE WHEN p.age_s >= t.max_wait_s THEN 'refuse' ELSE 'warning' END,
	format('it has to wait for the prepared transaction %L, which is %s s old',
		p.gid, round(p.age_s))
FROM prepared p, target t
UNION ALL
SELECT 'old_transaction', 'unknown',
	'other roles'' transactions are not visible: connect as a member of pg_monitor'
WHERE NOT pg_has_role('pg_read_all_stats', 'USAGE')
$$;
COMMENT ON FUNCTION preflight_table(text, text, bool, float8) IS
'What would hold up building an index on a table, or (is_drop) dropping one: sessions that vacuum it, build on it or lock it; the oldest transaction that CREATE INDEX CONCURRENTLY has to wait for, refused when it is open longer than max_wait_s (NULL: critical limit of threshold build_wait); prepared transactions.';

CREATE FUNCTION preflight_replication(size_bytes int8, OUT check_id text,
	OUT status text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'replica_lag',
	CASE WHEN r.replay_lag_s > t.warning THEN 'refuse'
		WHEN r.replay_lag_s IS NULL THEN 'warning' ELSE 'ok' END,
	CASE WHEN r.replay_lag_s IS NULL
		THEN format('the lag of standby %s is not known: %s', r.name, r.message)
		ELSE format('standby %s is %s s behind, %s s are allowed: building would add to it',
			r.name, round(r.replay_lag_s::numeric, 1), t.warning) END
FROM glperf.replication r
JOIN glperf.threshold t ON t.id = 'replication_lag'
WHERE r.kind = 'standby' AND r.state IN ('streaming', 'catchup', 'stalled')
UNION ALL
SELECT 'replica_slot', 'refuse',
	format('slot %s would be lost after another %s of WAL, and building writes about %s',
		r.slot_name, pg_size_pretty(r.safe_wal_bytes), pg_size_pretty($1))
FROM glperf.replication r
WHERE r.safe_wal_bytes < $1 * 2 AND r.wal_status <> 'lost'
	AND r.state NOT IN ('streaming')
$$;
COMMENT ON FUNCTION preflight_replication(int8) IS
'Whether the WAL of an index of this size would make replication worse: standbys behind by more than threshold replication_lag, slots that are about to be lost.';

CREATE FUNCTION preflight_drop(schema_name text, index_name text,
	OUT check_id text, OUT status text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'drop_offer', CASE WHEN u.drop_ddl IS NULL THEN 'refuse' ELSE 'ok' END,
	format('%I is not to be dropped any more: %s', u.index_name, u.reason)
FROM glperf.index_usage u
WHERE u.schema_name = $1 AND u.index_name = $2
$$;
COMMENT ON FUNCTION preflight_drop(text, text) IS
'Whether glperf.index_usage still offers to drop an index: what made it superfluous may have gone since the advice was given, or somebody may have used it.';

CREATE FUNCTION apply_preflight(step text, size_bytes int8, max_wait_s float8,
	OUT check_id text, OUT status text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
WITH target AS MATERIALIZED (
	SELECT t.command, t.schema_name, t.index_name,
		CASE WHEN t.command = 'create index' THEN t.table_name
			ELSE r.relname::text END AS table_name,
		-- of a rebuild it is what that frees, and what is there bounds it
		CASE WHEN t.command = 'reindex' THEN pg_relation_size(c.oid)
			ELSE $2 END AS size_bytes
	FROM glperf.ddl_target($1) t
	LEFT JOIN pg_namespace n ON n.nspname = t.schema_name
	LEFT JOIN pg_class c ON c.relnamespace = n.oid
		AND c.relname = t.index_name AND t.command <> 'create index'
	LEFT JOIN pg_index i ON i.indexrelid = c.oid
	LEFT JOIN pg_class r ON r.oid = i.indrelid
	WHERE t.is_concurrent AND t.command IN ('create index', 'drop index', 'reindex')
)
SELECT p.* FROM target t, glperf.preflight_space(t.size_bytes) p
WHERE t.command <> 'drop index'
UNION ALL
SELECT p.* FROM target t, glperf.preflight_table(t.schema_name, t.table_name,
	t.command = 'drop index', $3) p
UNION ALL
SELECT p.* FROM target t, glperf.preflight_replication(t.size_bytes) p
WHERE t.command <> 'drop index'
UNION ALL
SELECT p.* FROM target t, glperf.preflight_drop(t.schema_name, t.index_name) p
WHERE t.command = 'drop index'
$$;
COMMENT ON FUNCTION apply_preflight(text, int8, float8) IS
'What glperf-advisor --apply asks before it runs a step that builds, rebuilds or drops an index CONCURRENTLY; no rows for other steps. size_bytes: expected size of the index; of one that is rebuilt its own size counts. status: ok, warning, refuse (do not run it now) or unknown. check_id: disk_space, wal_space, table_busy, old_transaction, prepared_transaction, replica_lag, replica_slot, drop_offer.';

REVOKE ALL ON FUNCTION volume_space(oid), preflight_space(int8),
	preflight_table(text, text, bool, float8), preflight_replication(int8),
	preflight_drop(text, text), apply_preflight(text, int8, float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION volume_space(oid), preflight_space(int8),
	preflight_table(text, text, bool, float8), preflight_replication(int8),
	preflight_drop(text, text), apply_preflight(text, int8, float8) TO pg_monitor;

-- The guide's question "which queries are slow", answered with reasons.
-- After the collector, whose percentiles it shows.

CREATE FUNCTION statement_report(
	strict bool DEFAULT true,
	OUT queryid int8, OUT database text, OUT role text, OUT toplevel bool,
	OUT query text, OUT calls int8, OUT total_time_ms float8,
	OUT mean_time_ms float8, OUT max_time_ms float8,
	OUT stddev_time_ms float8, OUT p50_ms float8, OUT p95_ms float8,
	OUT p99_ms float8, OUT p95_at_most_ms float8, OUT p99_at_most_ms float8,
	OUT rows int8, OUT hit_ratio float8, OUT io_time_ms float8,
	OUT temp_bytes int8, OUT wal_bytes float8, OUT share_pct float8,
	OUT status text, OUT reasons text, OUT evidence_since_at timestamptz,
	OUT kind text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 5000
SET search_path = pg_catalog, pg_temp
AS $$
	WITH limits AS (
		SELECT
			max(warning) FILTER (WHERE id = 'slow_query_mean') AS mean_warning,
			max(critical) FILTER (WHERE id = 'slow_query_mean') AS mean_critical,
			max(direction) FILTER (WHERE id = 'slow_query_mean')
				AS mean_direction,
			max(warning) FILTER (WHERE id = 'cache_hit') AS hit_pct,
			max(warning) FILTER (WHERE id = 'cache_evidence') AS hit_blocks,
			max(warning) FILTER (WHERE id = 'statement_io_share') AS io_pct,
			max(warning) FILTER (WHERE id = 'statement_lock_share')
				AS lock_pct,
			max(warning) FILTER (WHERE id = 'wait_evidence') AS looks,
			max(warning) FILTER (WHERE id = 'statement_variation') AS variation,
			max(warning) FILTER (WHERE id = 'statement_rows') AS row_limit,
			max(warning) FILTER (WHERE id = 'statement_blocks') AS block_limit,
			max(warning) FILTER (WHERE id = 'statement_plan_share') AS plan_pct
		FROM glperf.threshold
	), stats AS (
		SELECT s.*,
			s.shared_blks_hit + s.shared_blks_read AS blks,
			s.io_read_time_ms + s.io_write_time_ms AS io_ms,
			(s.temp_blks_read + s.temp_blks_written)
				* current_setting('block_size')::int8 AS temp_bytes,
			sum(s.total_time_ms) FILTER (WHERE s.toplevel) OVER () AS all_ms,
			-- no value exceeds the maximum, unless that was reset on its own
			CASE WHEN s.minmax_stats_since IS NOT DISTINCT FROM s.stats_since
				OR s.minmax_stats_since IS NULL
				THEN s.max_time_ms END AS bound_ms
		FROM glperf.statement_stats(true, strict) s
	), locks AS (
		SELECT w.dbid, w.queryid, sum(w.samples) AS samples,
			sum(w.samples) FILTER (WHERE w.wait_event_type = 'Lock') AS waiting
		FROM glperf.wait_counts() w
		WHERE w.queryid IS NOT NULL
		GROUP BY w.dbid, w.queryid
	)
	SELECT
		s.queryid,
		d.datname::text AS database,
		r.rolname::text AS role,
		s.toplevel,
		s.query,
		s.calls,
		s.total_time_ms,
		s.mean_time_ms,
		s.max_time_ms,
		s.stddev_time_ms,
		c.p50_ms,
		c.p95_ms,
		c.p99_ms,
		least(s.mean_time_ms + sqrt(19::float8) * s.stddev_time_ms, s.bound_ms)
			AS p95_at_most_ms,
		least(s.mean_time_ms + sqrt(99::float8) * s.stddev_time_ms, s.bound_ms)
			AS p99_at_most_ms,
		s.rows,
		s.shared_blks_hit / nullif(s.blks, 0)::float8 AS hit_ratio,
		s.io_ms AS io_time_ms,
		s.temp_bytes,
		s.wal_bytes,
		100 * s.total_time_ms / nullif(s.all_ms, 0) AS share_pct,
		CASE WHEN s.kind = 'maintenance' THEN 'ok'
			ELSE glperf.verdict(s.mean_time_ms, l.mean_warning,
				l.mean_critical, l.mean_direction) END AS status,
		nullif(concat_ws('; ',
			CASE WHEN s.kind = 'maintenance'
					AND s.mean_time_ms > l.mean_warning THEN
				'maintenance: not judged as a query' END,
			CASE WHEN s.kind = 'command'
					AND s.mean_time_ms > l.mean_warning THEN
				'a command, which no index makes faster' END,
			CASE WHEN k.samples > l.looks
					AND 100 * k.waiting / k.samples > l.lock_pct THEN
				format('waits for locks: %s of the %s times that it was seen running',
					k.waiting, k.samples) END,
			CASE WHEN s.temp_blks_written > 0 THEN
				format('spills %s per call to temporary files',
					pg_size_pretty(s.temp_bytes / nullif(s.calls, 0))) END,
			CASE WHEN s.blks >= l.hit_blocks
					AND 100.0 * s.shared_blks_hit / nullif(s.blks, 0) < l.hit_pct THEN
				format('only %s %% of its blocks come from shared buffers, %s read per call',
					round((100.0 * s.shared_blks_hit
						   / nullif(s.blks, 0))::numeric, 1),
					pg_size_pretty(s.shared_blks_read / nullif(s.calls, 0)
						* current_setting('block_size')::int8)) END,
			CASE WHEN 100 * s.io_ms / nullif(s.total_time_ms, 0) > l.io_pct THEN
				format('I/O bound: %s %% of its time is spent reading and writing blocks',
					round((100 * s.io_ms / nullif(s.total_time_ms, 0))::numeric)) END,
			CASE WHEN s.calls > 1
					AND s.stddev_time_ms / nullif(s.mean_time_ms, 0) > l.variation THEN
				format('unstable: %s to %s ms, standard deviation %s times the mean',
					round(s.min_time_ms::numeric, 1),
					round(s.max_time_ms::numeric, 1),
					round((s.stddev_time_ms
						   / nullif(s.mean_time_ms, 0))::numeric, 1)) END,
			CASE WHEN s.rows / nullif(s.calls, 0) > l.row_limit THEN
				format('handles %s rows per call',
								  s.rows / nullif(s.calls, 0)) END,
			CASE WHEN s.rows > 0 AND s.blks > l.block_limit * greatest(s.rows, s.calls) THEN
				format('touches %s blocks for %s rows per call: an index may be missing',
					s.blks / nullif(s.calls, 0),
					round((s.rows::float8 / nullif(s.calls, 0))::numeric, 1)) END,
			CASE WHEN 100 * s.plan_time_ms
						/ nullif(s.plan_time_ms + s.total_time_ms, 0)
						> l.plan_pct THEN
				format('%s %% of its time is planning: prepare it once per session',
					round((100 * s.plan_time_ms
						   / nullif(s.plan_time_ms + s.total_time_ms, 0))::numeric)) END
		), '') AS reasons,
		s.stats_since AS evidence_since_at,
		s.kind
	FROM stats s
	CROSS JOIN limits l
	LEFT JOIN glperf.statement_latency() c
		ON c.queryid = s.queryid AND c.dbid = s.dbid AND c.userid = s.userid
			AND c.toplevel = s.toplevel
	LEFT JOIN locks k ON k.queryid = s.queryid AND k.dbid = s.dbid
	LEFT JOIN pg_database d ON d.oid = s.dbid
	LEFT JOIN pg_roles r ON r.oid = s.userid;
$$;
COMMENT ON FUNCTION statement_report(bool) IS
'The rows of glperf.statements. strict true raises an error with the next action when pg_stat_statements cannot be read, strict false returns no row then.';

CREATE VIEW statements AS
SELECT * FROM statement_report();
COMMENT ON VIEW statements IS
'Every statement that pg_stat_statements knows, one row per (role, database, toplevel, queryid), judged by the threshold slow_query_mean and explained. Counters since evidence_since_at.';
COMMENT ON COLUMN statements.queryid IS
'Identifier of the statement in pg_stat_statements.';
COMMENT ON COLUMN statements.database IS
'Database that the statement ran in; NULL if it was dropped.';
COMMENT ON COLUMN statements.role IS
'Role that ran the statement; NULL if it was dropped.';
COMMENT ON COLUMN statements.toplevel IS
'false for statements run inside a function, which pg_stat_statements.track = all records.';
COMMENT ON COLUMN statements.query IS
'Text with constants replaced by $1, $2, ...';
COMMENT ON COLUMN statements.calls IS
'Executions that succeeded; failed ones are not recorded by pg_stat_statements.';
COMMENT ON COLUMN statements.total_time_ms IS
'Execution time of all calls, in milliseconds.';
COMMENT ON COLUMN statements.mean_time_ms IS
'Mean execution time per call, in milliseconds; what the guide''s rule looks at.';
COMMENT ON COLUMN statements.max_time_ms IS
'Longest execution, in milliseconds.';
COMMENT ON COLUMN statements.stddev_time_ms IS
'Standard deviation of the execution time, in milliseconds.';
COMMENT ON COLUMN statements.p50_ms IS
'Measured median, in milliseconds; NULL without the collector.';
COMMENT ON COLUMN statements.p95_ms IS
'Measured 95th percentile, in milliseconds; NULL without the collector.';
COMMENT ON COLUMN statements.p99_ms IS
'Measured 99th percentile, in milliseconds; NULL without the collector.';
COMMENT ON COLUMN statements.p95_at_most_ms IS
'The 95th percentile is at most this many milliseconds: Cantelli''s bound mean + sqrt(19) * stddev, or the maximum if smaller. An upper limit, not an estimate.';
COMMENT ON COLUMN statements.p99_at_most_ms IS
'The 99th percentile is at most this many milliseconds: mean + sqrt(99) * stddev, or the maximum if smaller.';
COMMENT ON COLUMN statements.rows IS
'Rows returned or changed by all calls.';
COMMENT ON COLUMN statements.hit_ratio IS
'Share (0 to 1) of block reads answered by shared buffers; NULL if the statement read no block.';
COMMENT ON COLUMN statements.io_time_ms IS
'Time spent reading and writing blocks, in milliseconds; 0 also when track_io_timing is off.';
COMMENT ON COLUMN statements.temp_bytes IS
'Bytes read from and written to temporary files by all calls.';
COMMENT ON COLUMN statements.wal_bytes IS
'Bytes of write-ahead log written by all calls.';
COMMENT ON COLUMN statements.share_pct IS
'Share (0 to 100) of the execution time of all top-level statements.';
COMMENT ON COLUMN statements.status IS
'Verdict of mean_time_ms against slow_query_mean: ok, warning or critical; ok for maintenance, however long it takes.';
COMMENT ON COLUMN statements.reasons IS
'What the counters say about why it is slow, separated by semicolons; NULL if they say nothing.';
COMMENT ON COLUMN statements.evidence_since_at IS
'When the counters began; NULL if unknown.';
COMMENT ON COLUMN statements.kind IS
'query: planned, so that an index may help; command: COPY, CALL, LOCK, COMMIT and the like, which take an application''s time; maintenance: VACUUM, CREATE INDEX and other DDL, and what is asked of schema glperf, which are never called slow.';

CREATE VIEW slow_queries AS
SELECT * FROM statement_report()
WHERE status IN ('warning', 'critical')
ORDER BY mean_time_ms DESC;
COMMENT ON VIEW slow_queries IS
'Statements slower on average than the threshold slow_query_mean (the guide''s 100 ms), slowest first; columns as in glperf.statements, which has the others too. Replaces the guide''s query, whose total_time and mean_time exist on no supported server. Source: guide, Query Tuning.';
COMMENT ON COLUMN slow_queries.queryid IS
'Identifier of the statement in pg_stat_statements.';
COMMENT ON COLUMN slow_queries.database IS
'Database that the statement ran in; NULL if it was dropped.';
COMMENT ON COLUMN slow_queries.role IS
'Role that ran the statement; NULL if it was dropped.';
COMMENT ON COLUMN slow_queries.toplevel IS
'false for statements run inside a function, which pg_stat_statements.track = all records.';
COMMENT ON COLUMN slow_queries.query IS
'Text with constants replaced by $1, $2, ...';
COMMENT ON COLUMN slow_queries.calls IS
'Executions that succeeded; failed ones are not recorded by pg_stat_statements.';
COMMENT ON COLUMN slow_queries.total_time_ms IS
'Execution time of all calls, in milliseconds.';
COMMENT ON COLUMN slow_queries.mean_time_ms IS
'Mean execution time per call, in milliseconds; what the guide''s rule looks at.';
COMMENT ON COLUMN slow_queries.max_time_ms IS
'Longest execution, in milliseconds.';
COMMENT ON COLUMN slow_queries.stddev_time_ms IS
'Standard deviation of the execution time, in milliseconds.';
COMMENT ON COLUMN slow_queries.p50_ms IS
'Measured median, in milliseconds; NULL without the collector.';
COMMENT ON COLUMN slow_queries.p95_ms IS
'Measured 95th percentile, in milliseconds; NULL without the collector.';
COMMENT ON COLUMN slow_queries.p99_ms IS
'Measured 99th percentile, in milliseconds; NULL without the collector.';
COMMENT ON COLUMN slow_queries.p95_at_most_ms IS
'The 95th percentile is at most this many milliseconds: Cantelli''s bound mean + sqrt(19) * stddev, or the maximum if smaller. An upper limit, not an estimate.';
COMMENT ON COLUMN slow_queries.p99_at_most_ms IS
'The 99th percentile is at most this many milliseconds: mean + sqrt(99) * stddev, or the maximum if smaller.';
COMMENT ON COLUMN slow_queries.rows IS
'Rows returned or changed by all calls.';
COMMENT ON COLUMN slow_queries.hit_ratio IS
'Share (0 to 1) of block reads answered by shared buffers; NULL if the statement read no block.';
COMMENT ON COLUMN slow_queries.io_time_ms IS
'Time spent reading and writing blocks, in milliseconds; 0 also when track_io_timing is off.';
COMMENT ON COLUMN slow_queries.temp_bytes IS
'Bytes read from and written to temporary files by all calls.';
COMMENT ON COLUMN slow_queries.wal_bytes IS
'Bytes of write-ahead log written by all calls.';
COMMENT ON COLUMN slow_queries.share_pct IS
'Share (0 to 100) of the execution time of all top-level statements.';
COMMENT ON COLUMN slow_queries.status IS
'Verdict of mean_time_ms against slow_query_mean: ok, warning or critical; ok for maintenance, however long it takes.';
COMMENT ON COLUMN slow_queries.reasons IS
'What the counters say about why it is slow, separated by semicolons; NULL if they say nothing.';
COMMENT ON COLUMN slow_queries.evidence_since_at IS
'When the counters began; NULL if unknown.';
COMMENT ON COLUMN slow_queries.kind IS
'query: planned, so that an index may help; command: COPY, CALL, LOCK, COMMIT and the like, which take an application''s time; maintenance: VACUUM, CREATE INDEX and other DDL, and what is asked of schema glperf, which are never called slow.';

CREATE VIEW statement_rankings AS
WITH s AS (
	SELECT * FROM statement_report()
), r AS (
	SELECT v.ranking, v.unit, v.value, s.*,
		pg_catalog.row_number() OVER (PARTITION BY v.ranking
			ORDER BY v.value DESC, s.queryid, s.role, s.database) AS rank,
		100.0::float8 * v.value
			/ nullif(sum(v.value) OVER (PARTITION BY v.ranking), 0)
			AS value_share_pct
	FROM s CROSS JOIN LATERAL (VALUES
		('total time', 'ms', s.total_time_ms),
		('mean time', 'ms', s.mean_time_ms),
		('I/O time', 'ms', s.io_time_ms),
		('temporary files', 'bytes', s.temp_bytes::float8),
		('WAL', 'bytes', s.wal_bytes),
		('calls', 'calls', s.calls::float8))
		v (ranking, unit, value)
	WHERE v.value > 0 AND s.toplevel
)
SELECT r.ranking, r.rank, r.value, r.unit,
	CASE WHEN r.ranking <> 'mean time' THEN r.value_share_pct END AS share_pct,
	r.queryid, r.database, r.role, r.kind, r.calls, r.mean_time_ms, r.query,
	r.reasons, r.evidence_since_at
FROM r
ORDER BY r.ranking, r.rank;
COMMENT ON VIEW statement_rankings IS
'Every statement''s place by total time, mean time (the guide''s order), I/O time, temporary files, WAL and calls, with its share of each: WHERE rank <= 20 is the top that the guide looks at. Statements inside functions are left out, as they are counted in those that called them. Source: guide, Query Tuning.';
COMMENT ON COLUMN statement_rankings.ranking IS 'By what: total time, mean time, I/O time (empty while track_io_timing is off), temporary files, WAL, calls.';
COMMENT ON COLUMN statement_rankings.rank IS 'Place, from 1.';
COMMENT ON COLUMN statement_rankings.value IS 'What it is ranked by, in unit.';
COMMENT ON COLUMN statement_rankings.unit IS 'ms, bytes or calls.';
COMMENT ON COLUMN statement_rankings.share_pct IS 'Share (0 to 100) of the sum over all statements; NULL for the mean time.';
COMMENT ON COLUMN statement_rankings.queryid IS 'As in glperf.statements, like all that follow.';
COMMENT ON COLUMN statement_rankings.database IS 'Database that the statement ran in.';
COMMENT ON COLUMN statement_rankings.role IS 'Role that ran it.';
COMMENT ON COLUMN statement_rankings.kind IS 'query, command or maintenance.';
COMMENT ON COLUMN statement_rankings.calls IS 'Executions that succeeded.';
COMMENT ON COLUMN statement_rankings.mean_time_ms IS 'Mean execution time per call, in milliseconds.';
COMMENT ON COLUMN statement_rankings.query IS 'Text with constants replaced by $1, $2, ...';
COMMENT ON COLUMN statement_rankings.reasons IS 'What the counters say about why it is slow.';
COMMENT ON COLUMN statement_rankings.evidence_since_at IS 'When the counters began.';

CREATE VIEW health_statements AS
WITH found AS (
	SELECT r.*, pg_catalog.format('query %s in %s', r.queryid,
		coalesce(r.database, 'a dropped database')) AS object
	FROM statement_report(false) r
	WHERE r.status IN ('warning', 'critical')
), slow AS (
	SELECT f.*, z.silenced,
		pg_catalog.row_number() OVER (PARTITION BY z.silenced
			ORDER BY f.mean_time_ms DESC, f.queryid) AS rank,
		count(*) OVER (PARTITION BY z.silenced) AS total
	FROM found f
	CROSS JOIN LATERAL (SELECT
		'slow_query_mean' || E'\n' || f.object LIKE ANY (
			(SELECT silence_patterns())::text[]) AS silenced) z
), t AS (
	SELECT * FROM threshold WHERE id = 'slow_query_mean'
)
SELECT 'statements'::text AS area,
	'pg_stat_statements'::text AS object,
	t.id AS check_id,
	NULL::float8 AS value,
	t.unit, t.warning, t.critical,
	'unknown'::text AS status,
	s.message AS message,
	s.remedy AS remedy,
	t.guide_section
FROM statement_source() s CROSS JOIN t
WHERE s.state <> 'ok'
UNION ALL
SELECT 'statements',
	slow.object,
	t.id, slow.mean_time_ms, t.unit, t.warning, t.critical, slow.status,
	pg_catalog.format('takes %s ms on average, %s, %s %% of all statement time: %s%s',
		pg_catalog.round(slow.mean_time_ms::numeric, 1),
		CASE slow.calls WHEN 1 THEN 'called once'
			ELSE pg_catalog.format('%s calls', slow.calls) END,
		pg_catalog.round(slow.share_pct::numeric, 1),
		pg_catalog.left(pg_catalog.btrim(pg_catalog.regexp_replace(
			slow.query, '\s+', ' ', 'g')), 100),
		' (' || slow.reasons || ')'),
	CASE WHEN slow.database IS NULL OR slow.kind <> 'query' THEN NULL
		WHEN slow.database = pg_catalog.current_database()
		THEN 'SELECT * FROM glperf.advise_indexes();'
		ELSE pg_catalog.format('In database %s: SELECT * FROM glperf.advise_indexes();',
							   pg_catalog.quote_ident(slow.database)) END,
	t.guide_section
FROM slow CROSS JOIN t
WHERE slow.rank <= 5
UNION ALL
SELECT 'statements',
	CASE WHEN slow.silenced THEN 'more silenced statements'
		ELSE 'more slow statements' END,
	t.id, slow.mean_time_ms, t.unit, t.warning, t.critical,
	CASE WHEN slow.silenced THEN 'ok' ELSE slow.status END,
	pg_catalog.format('%s more statements are slow; the first of them takes %s ms on average',
		slow.total - 5, pg_catalog.round(slow.mean_time_ms::numeric, 1)),
	'SELECT * FROM glperf.slow_queries;', t.guide_section
FROM slow CROSS JOIN t
WHERE slow.rank = 6
UNION ALL
SELECT 'statements', 'all statements', t.id, m.slowest, t.unit, t.warning,
	t.critical, verdict(m.slowest, t.warning, t.critical, t.direction),
	CASE WHEN m.slowest IS NULL THEN 'no statement has been recorded yet'
		ELSE pg_catalog.format('no statement is slow; the slowest of %s takes %s ms on average',
			m.statements, pg_catalog.round(m.slowest::numeric, 1)) END,
	NULL, t.guide_section
FROM (SELECT max(r.mean_time_ms) AS slowest, count(*) AS statements
	  FROM statement_report(false) r WHERE r.kind <> 'maintenance') m
CROSS JOIN t CROSS JOIN statement_source() s
WHERE s.state = 'ok' AND NOT EXISTS (SELECT FROM slow);
COMMENT ON VIEW health_statements IS
'Rows of glperf.health about statements: the five slowest, and how many more; or that none is slow; or why that is unknown.';

REVOKE ALL ON FUNCTION statement_report(bool) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION statement_report(bool) TO pg_monitor;
GRANT SELECT ON statements, slow_queries, statement_rankings,
	health_statements TO pg_monitor;

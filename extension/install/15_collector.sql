/* The collector: what the preloaded library counts and keeps. */

CREATE FUNCTION parameter_samples(
	OUT userid oid, OUT dbid oid, OUT queryid int8, OUT query_text text,
	OUT param_types text[], OUT param_values text[], OUT search_path text,
	OUT times_seen int8, OUT sampled_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_parameter_samples';
COMMENT ON FUNCTION parameter_samples() IS
'Executions kept as samples, at most four per statement and role, for the index advisor. No row unless glperf is in shared_preload_libraries. Shows the samples of the own role, to members of pg_read_all_stats those of all.';

CREATE FUNCTION parameter_samples_reset() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_parameter_samples_reset';
COMMENT ON FUNCTION parameter_samples_reset() IS
'Forgets every parameter sample of the cluster; statistics are not touched.';

CREATE VIEW parameter_samples AS
SELECT s.queryid,
	d.datname::pg_catalog.text AS database,
	r.rolname::pg_catalog.text AS role,
	s.query_text,
	s.param_types,
	s.param_values,
	s.search_path,
	s.times_seen,
	s.sampled_at
FROM glperf.parameter_samples() AS s
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.dbid
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.userid;
COMMENT ON VIEW parameter_samples IS
'Constants with which each statement ran, at most four executions per statement and role, most often seen first; empty unless glperf is in shared_preload_libraries and glperf.sample_parameters is on.';
COMMENT ON COLUMN parameter_samples.queryid IS 'Query id as in pg_stat_statements.';
COMMENT ON COLUMN parameter_samples.database IS 'Database of the statement; NULL if it was dropped.';
COMMENT ON COLUMN parameter_samples.role IS 'Role that ran the statement; NULL if it was dropped.';
COMMENT ON COLUMN parameter_samples.query_text IS 'The statement as the client sent it, with its literals; NULL if its database has another encoding than this one.';
COMMENT ON COLUMN parameter_samples.param_types IS 'Types of the bound parameters $1, $2, ...; NULL for statements of other databases.';
COMMENT ON COLUMN parameter_samples.param_values IS 'Values of the bound parameters as text; an element that is NULL is SQL NULL.';
COMMENT ON COLUMN parameter_samples.search_path IS 'search_path of the session.';
COMMENT ON COLUMN parameter_samples.times_seen IS 'Sampled executions with the same constants.';
COMMENT ON COLUMN parameter_samples.sampled_at IS 'Start of the latest of these executions.';

CREATE FUNCTION statement_latency(
	with_cells bool DEFAULT false,
	OUT userid oid, OUT dbid oid, OUT queryid int8, OUT toplevel bool,
	OUT since_at timestamptz,
	OUT calls int8, OUT errors int8, OUT total_ms float8, OUT mean_ms float8,
	OUT p50_ms float8, OUT p95_ms float8, OUT p99_ms float8,
	OUT max_ms float8, OUT cells int8[])
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_statement_latency';
COMMENT ON FUNCTION statement_latency(bool) IS
'Latency of every statement, by role and database, since since_at: calls are executions that ended, errors those of them that failed; percentiles are off by at most 5 %. queryid NULL is what had no room of its own (userid NULL then), counted by database. with_cells adds the histogram, whose differences over time glperf.latency_percentile() takes. No row unless glperf is in shared_preload_libraries.';

CREATE FUNCTION database_latency(
	with_cells bool DEFAULT false,
	OUT dbid oid, OUT is_total bool,
	OUT calls int8, OUT errors int8, OUT total_ms float8, OUT mean_ms float8,
	OUT p50_ms float8, OUT p95_ms float8, OUT p99_ms float8,
	OUT max_ms float8, OUT cells int8[])
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_database_latency';
COMMENT ON FUNCTION database_latency(bool) IS
'Latency of all statements that clients sent, by database, and with is_total of all of them; columns as in glperf.statement_latency().';

CREATE FUNCTION endpoint_latency(
	with_cells bool DEFAULT false,
	OUT kind text, OUT endpoint text,
	OUT calls int8, OUT errors int8, OUT total_ms float8, OUT mean_ms float8,
	OUT p50_ms float8, OUT p95_ms float8, OUT p99_ms float8,
	OUT max_ms float8, OUT cells int8[])
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_endpoint_latency';
COMMENT ON FUNCTION endpoint_latency(bool) IS
'Latency by endpoint: kind tag is named by a comment of the statement (route, else controller#action, else application, as sqlcommenter and Marginalia write them), kind application_name by that setting; at most 256, further ones are counted as other. Columns as in glperf.statement_latency().';

CREATE FUNCTION error_counts(
	OUT dbid oid, OUT sqlstate text, OUT queryid int8, OUT errors int8,
	OUT last_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_error_counts';
COMMENT ON FUNCTION error_counts() IS
'Errors that reached clients since the server started, whatever of them is logged, by database (NULL: before one was chosen), SQLSTATE (NULL: no room to tell) and statement (NULL: none, such as a syntax error or a refused connection, or no room to tell). No row unless glperf is in shared_preload_libraries.';

CREATE FUNCTION latency_percentile(cells int8[], fraction float8)
RETURNS float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_latency_percentile';
COMMENT ON FUNCTION latency_percentile(int8[], float8) IS
'Percentile in milliseconds, fraction 0.95 for p95, of a histogram as in the column cells of glperf.statement_latency(), of the sum of several or of the difference of two; NULL without any call.';

CREATE FUNCTION latency_bound_ms(cell int4) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT power(2::float8, cell / 8.0::float8) / 1000 $$;
COMMENT ON FUNCTION latency_bound_ms(int4) IS
'Upper bound in milliseconds of cell 1 to 240 of a histogram; the last cell holds what is longer, too.';

CREATE FUNCTION collector_status(
	OUT preloaded bool, OUT query_ids bool, OUT max_statements int8,
	OUT statements int8, OUT statements_evicted int8,
	OUT sampled_statements int8, OUT sample_bytes int8, OUT samples_taken int8,
	OUT samples_skipped int8, OUT worker_pid int4)
RETURNS record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_collector_status';
COMMENT ON FUNCTION collector_status() IS
'Is the collector at work, and how full is it: preloaded: glperf is in shared_preload_libraries; query_ids: compute_query_id is not off; statements: in the table, of at most glperf.max_statements; statements_evicted: whose counts were added to the rest of their database; samples_skipped: executions too large to keep; worker_pid: the background worker that evicts, remembers recent totals and looks at waits, NULL while there is none (max_worker_processes must have room for it).';

CREATE VIEW endpoints AS
SELECT e.kind,
	COALESCE(NULLIF(e.endpoint, ''), '(none)') AS endpoint,
	e.calls,
	e.errors,
	100.0::pg_catalog.float8 OPERATOR(pg_catalog.*) e.errors OPERATOR(pg_catalog./) e.calls AS error_pct,
	e.total_ms,
	e.mean_ms,
	e.p50_ms,
	e.p95_ms,
	e.p99_ms,
	e.max_ms,
	100.0::pg_catalog.float8 OPERATOR(pg_catalog.*) e.total_ms
		OPERATOR(pg_catalog./) NULLIF(pg_catalog.sum(e.total_ms) OVER (), 0) AS share_pct,
	CASE WHEN 'critical' IN (v95.verdict, v99.verdict) THEN 'critical'
		WHEN 'warning' IN (v95.verdict, v99.verdict) THEN 'warning'
		ELSE v95.verdict END AS status
FROM glperf.endpoint_latency() AS e,
	LATERAL glperf.verdict('latency_p95', e.p95_ms) AS v95(verdict),
	LATERAL glperf.verdict('latency_p99', e.p99_ms) AS v99(verdict);
COMMENT ON VIEW endpoints IS
'The slowest and busiest endpoints of the application: statements by the tag in their comment (sqlcommenter, Marginalia), untagged ones by application_name, since the server started; latency of statements in the database, not of requests. At most 256, then other. Empty unless glperf is in shared_preload_libraries. Source: the tuning guide, Monitoring and Profiling.';
COMMENT ON COLUMN endpoints.kind IS 'tag: named by a comment of the statement; application_name: by the session; other: no room to tell.';
COMMENT ON COLUMN endpoints.endpoint IS 'Route, controller#action, application, or application_name.';
COMMENT ON COLUMN endpoints.calls IS 'Statements executed, including those that failed.';
COMMENT ON COLUMN endpoints.errors IS 'Of these, failed.';
COMMENT ON COLUMN endpoints.error_pct IS 'Failed ones in percent of calls.';
COMMENT ON COLUMN endpoints.total_ms IS 'Time of all of them, in milliseconds.';
COMMENT ON COLUMN endpoints.mean_ms IS 'Mean time of one, in milliseconds.';
COMMENT ON COLUMN endpoints.p50_ms IS 'Median in milliseconds, off by at most 5 %, as p95 and p99.';
COMMENT ON COLUMN endpoints.p95_ms IS '95th percentile in milliseconds.';
COMMENT ON COLUMN endpoints.p99_ms IS '99th percentile in milliseconds.';
COMMENT ON COLUMN endpoints.max_ms IS 'Longest one, in milliseconds.';
COMMENT ON COLUMN endpoints.share_pct IS 'Share of the time of all endpoints, in percent.';
COMMENT ON COLUMN endpoints.status IS 'Worse verdict of p95_ms and p99_ms against the thresholds latency_p95 and latency_p99.';

CREATE VIEW errors AS
SELECT d.datname::pg_catalog.text AS database,
	e.class,
	n.class_name,
	e.errors,
	l.calls,
	100.0::pg_catalog.float8 OPERATOR(pg_catalog.*) e.errors
		OPERATOR(pg_catalog./) GREATEST(l.calls, e.errors, 1) AS rate_pct,
	e.sqlstates,
	e.last_at
FROM (SELECT c.dbid, pg_catalog.left(c.sqlstate, 2) AS class,
		pg_catalog.sum(c.errors)::pg_catalog.int8 AS errors,
		pg_catalog.string_agg(DISTINCT c.sqlstate, ', ') AS sqlstates,
		pg_catalog.max(c.last_at) AS last_at
	FROM glperf.error_counts() AS c
	GROUP BY c.dbid, pg_catalog.left(c.sqlstate, 2)) AS e
LEFT JOIN glperf.database_latency() AS l
	ON l.dbid OPERATOR(pg_catalog.=) e.dbid AND NOT l.is_total
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) e.dbid
LEFT JOIN (VALUES
	('00', 'successful completion'),
	('01', 'warning'),
	('02', 'no data'),
	('03', 'SQL statement not yet complete'),
	('08', 'connection exception'),
	('09', 'triggered action exception'),
	('0A', 'feature not supported'),
	('0B', 'invalid transaction initiation'),
	('0F', 'locator exception'),
	('0L', 'invalid grantor'),
	('0P', 'invalid role specification'),
	('0Z', 'diagnostics exception'),
	('20', 'case not found'),
	('21', 'cardinality violation'),
	('22', 'data exception'),
	('23', 'integrity constraint violation'),
	('24', 'invalid cursor state'),
	('25', 'invalid transaction state'),
	('26', 'invalid SQL statement name'),
	('27', 'triggered data change violation'),
	('28', 'invalid authorization specification'),
	('2B', 'dependent privilege descriptors still exist'),
	('2D', 'invalid transaction termination'),
	('2F', 'SQL routine exception'),
	('34', 'invalid cursor name'),
	('38', 'external routine exception'),
	('39', 'external routine invocation exception'),
	('3B', 'savepoint exception'),
	('3D', 'invalid catalog name'),
	('3F', 'invalid schema name'),
	('40', 'transaction rollback'),
	('42', 'syntax error or access rule violation'),
	('44', 'WITH CHECK OPTION violation'),
	('53', 'insufficient resources'),
	('54', 'program limit exceeded'),
	('55', 'object not in prerequisite state'),
	('57', 'operator intervention'),
	('58', 'system error'),
	('72', 'snapshot failure'),
	('F0', 'configuration file error'),
	('HV', 'foreign data wrapper error'),
	('P0', 'PL/pgSQL error'),
	('XX', 'internal error')
	) AS n(class, class_name) ON n.class OPERATOR(pg_catalog.=) e.class;
COMMENT ON VIEW errors IS
'Errors that reached clients since the server started, by database and class of SQLSTATE, counted even when log_min_messages keeps them out of the log. Empty unless glperf is in shared_preload_libraries. Source: the tuning guide, error rate.';
COMMENT ON COLUMN errors.database IS 'Database; NULL for connections that were refused before it was chosen.';
COMMENT ON COLUMN errors.class IS 'First two characters of the SQLSTATE; NULL: no room to tell.';
COMMENT ON COLUMN errors.class_name IS 'What the class stands for (PostgreSQL, Appendix A).';
COMMENT ON COLUMN errors.errors IS 'Errors of the class.';
COMMENT ON COLUMN errors.calls IS 'Statements that clients executed in the database, including failed ones; NULL: none counted.';
COMMENT ON COLUMN errors.rate_pct IS 'Errors of the class in percent of calls; glperf.health judges the rate of all classes.';
COMMENT ON COLUMN errors.sqlstates IS 'SQLSTATEs that occurred.';
COMMENT ON COLUMN errors.last_at IS 'When the latest one occurred.';

CREATE FUNCTION recent_latency(
	window_s float8 DEFAULT 300,
	OUT since_at timestamptz, OUT length_s float8, OUT calls int8,
	OUT errors int8, OUT per_second float8, OUT error_pct float8,
	OUT p50_ms float8, OUT p95_ms float8, OUT p99_ms float8)
RETURNS record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_recent_latency';
COMMENT ON FUNCTION recent_latency(float8) IS
'What clients asked for in about the last window_s seconds (at most some ten minutes, exact to ten seconds; length_s tells) in all databases: statements but commands such as COMMIT, and how many per second, those refused before they ran included, errors of any kind and in percent, latency of statements in milliseconds, off by at most 5 %. NULL unless glperf is in shared_preload_libraries.';

CREATE FUNCTION wait_counts(
	OUT dbid oid, OUT queryid int8, OUT wait_event_type text,
	OUT wait_event text, OUT samples int8, OUT looks int8)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_wait_counts';
COMMENT ON FUNCTION wait_counts() IS
'How often, in so many looks since the server started, statements were seen waiting for an event, or working (CPU); the collector looks every glperf.wait_interval milliseconds. queryid NULL: no statement of a client, or no room to tell (dbid NULL then). No row unless glperf is in shared_preload_libraries.';

CREATE FUNCTION connection_peaks(
	OUT state text, OUT now_count int8, OUT peak_count int8,
	OUT peak_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_connection_peaks';
COMMENT ON FUNCTION connection_peaks() IS
'High-water marks since the server started, and when they were reached: connections counts every client from authentication on, exactly; active (running a statement), idle in transaction and waiting for a lock are those seen every glperf.wait_interval milliseconds. No row unless glperf is in shared_preload_libraries.';

CREATE VIEW waits AS
SELECT d.datname::pg_catalog.text AS database,
	w.queryid,
	w.wait_event_type,
	w.wait_event,
	w.samples,
	100.0::pg_catalog.float8 OPERATOR(pg_catalog.*) w.samples
		OPERATOR(pg_catalog./) NULLIF(pg_catalog.sum(w.samples) OVER (), 0) AS share_pct,
	w.samples::pg_catalog.float8 OPERATOR(pg_catalog./) NULLIF(w.looks, 0) AS mean_backends
FROM glperf.wait_counts() AS w
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) w.dbid;
COMMENT ON VIEW waits IS
'What statements spend their time on, as seen by looking at all backends many times a second since the server started. Empty unless glperf is in shared_preload_libraries.';
COMMENT ON COLUMN waits.database IS 'Database; NULL: no room to tell, or dropped.';
COMMENT ON COLUMN waits.queryid IS 'Statement as in pg_stat_statements; NULL: none of a client, or no room to tell.';
COMMENT ON COLUMN waits.wait_event_type IS 'As in pg_stat_activity; CPU when the backend was not waiting.';
COMMENT ON COLUMN waits.wait_event IS 'As in pg_stat_activity; CPU when the backend was not waiting.';
COMMENT ON COLUMN waits.samples IS 'Times seen.';
COMMENT ON COLUMN waits.share_pct IS 'Share of all times seen, in percent.';
COMMENT ON COLUMN waits.mean_backends IS 'Backends that were busy with this at a time, on average.';

CREATE VIEW health_collector AS
WITH s AS (
	SELECT r.*, c.preloaded, c.query_ids
	FROM glperf.collector_status() AS c
	LEFT JOIN glperf.recent_latency(300) AS r ON c.preloaded
), m AS (
	SELECT s.*, v.check_id, v.value, v.what
	FROM s, LATERAL (VALUES
		('latency_p95', s.p95_ms, '95 % of statements took at most '),
		('latency_p99', s.p99_ms, '99 % of statements took at most '),
		('error_rate', s.error_pct, 'share of requests that failed: '),
		('throughput', s.per_second, 'requests per second: ')
		) AS v(check_id, value, what)
)
SELECT 'latency'::text AS area,
	'all databases'::text AS object,
	m.check_id::text AS check_id,
	m.value,
	t.unit,
	t.warning,
	t.critical,
	v.status,
	CASE WHEN NOT m.preloaded THEN 'not measured: glperf is not in shared_preload_libraries'
		WHEN NOT m.query_ids THEN 'not measured: compute_query_id is off'
		WHEN m.value IS NULL THEN 'no statement in the last '
			|| pg_catalog.round(m.length_s)::text || ' s'
		ELSE m.what || pg_catalog.round(m.value::numeric, 2)::text || ' ' || t.unit
			|| ' (' || m.calls::text || ' statements and ' || m.errors::text
			|| ' errors in the last ' || pg_catalog.round(m.length_s)::text || ' s)'
			|| CASE WHEN m.check_id = 'throughput' AND m.value < t.warning
				AND glperf.verdict('latency_p95', m.p95_ms) IN ('ok', 'unknown')
				THEN '; that is all that was asked for, and it was served in time'
				ELSE '' END
		END AS message,
	CASE WHEN NOT m.preloaded THEN (
			SELECT pg_catalog.format('ALTER SYSTEM SET shared_preload_libraries = %s; -- then restart the server',
				pg_catalog.string_agg(pg_catalog.quote_literal(
					pg_catalog.btrim(l.name, ' "')), ', ' ORDER BY l.n))
			FROM pg_catalog.unnest(pg_catalog.string_to_array(
				coalesce(nullif(pg_catalog.current_setting('shared_preload_libraries'), ''),
						 'pg_stat_statements') || ',glperf', ','))
				WITH ORDINALITY AS l(name, n))
		WHEN NOT m.query_ids THEN 'ALTER SYSTEM SET compute_query_id = auto; SELECT pg_reload_conf();'
		WHEN v.status = 'ok' THEN NULL
		WHEN m.check_id = 'error_rate' THEN 'SELECT * FROM glperf.errors ORDER BY errors DESC;'
		WHEN m.check_id = 'throughput' THEN 'SELECT * FROM glperf.waits ORDER BY samples DESC;'
		ELSE 'SELECT * FROM glperf.slow_queries; -- and run glperf-advisor for indexes' END AS remedy,
	t.guide_section
FROM m
JOIN glperf.threshold AS t ON t.id = m.check_id
CROSS JOIN LATERAL (SELECT
		CASE WHEN NOT m.preloaded OR NOT m.query_ids THEN 'unknown'
			-- few requests are no fault as long as they are served in time
			WHEN m.check_id = 'throughput'
				AND glperf.verdict('latency_p95', m.p95_ms) IN ('ok', 'unknown') THEN 'ok'
			WHEN m.check_id = 'error_rate' AND m.value IS NULL THEN 'ok'
			ELSE glperf.verdict(m.check_id, m.value) END AS status
) AS v;
COMMENT ON VIEW health_collector IS
'Rows of glperf.health about the latency, errors and throughput of the last five minutes in all databases, from the collector; unknown unless glperf is in shared_preload_libraries. Columns as in glperf.health.';
COMMENT ON COLUMN health_collector.area IS 'Always latency.';
COMMENT ON COLUMN health_collector.object IS 'Always all databases.';
COMMENT ON COLUMN health_collector.check_id IS 'Id of the threshold in glperf.threshold.';
COMMENT ON COLUMN health_collector.value IS 'Measured value; NULL: nothing was measured.';
COMMENT ON COLUMN health_collector.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN health_collector.warning IS 'First limit.';
COMMENT ON COLUMN health_collector.critical IS 'Second limit; NULL: none.';
COMMENT ON COLUMN health_collector.status IS 'ok, warning, critical, or unknown without the collector. Throughput below its limit is ok while what is asked for is served in time.';
COMMENT ON COLUMN health_collector.message IS 'What was found, in words.';
COMMENT ON COLUMN health_collector.remedy IS 'What to do or where to look; NULL where nothing is to be done.';
COMMENT ON COLUMN health_collector.guide_section IS 'Section of the tuning guide.';

REVOKE ALL ON FUNCTION parameter_samples(), parameter_samples_reset(),
	statement_latency(bool), database_latency(bool), endpoint_latency(bool),
	error_counts(), latency_percentile(int8[], float8),
	latency_bound_ms(int4), collector_status(), recent_latency(float8),
	wait_counts(), connection_peaks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parameter_samples(), statement_latency(bool),
	database_latency(bool), endpoint_latency(bool), error_counts(),
	latency_percentile(int8[], float8), latency_bound_ms(int4),
	collector_status(), recent_latency(float8), wait_counts(),
	connection_peaks() TO pg_monitor;
GRANT SELECT ON parameter_samples, endpoints, errors, waits, health_collector TO pg_monitor;

-- History: what glperf.snapshot() keeps, called by the collector's worker
-- (glperf.history_database) or from cron.

CREATE FUNCTION histogram_subtract(later int8[], earlier int8[]) RETURNS int8[]
LANGUAGE c IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_histogram_subtract';
COMMENT ON FUNCTION histogram_subtract(int8[], int8[]) IS
'What a histogram, the column cells of glperf.statement_latency(), has counted since an earlier reading; the later one itself when the earlier is NULL or the counts began anew in between.';

CREATE FUNCTION histogram_pack(cells int8[]) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_histogram_pack';
COMMENT ON FUNCTION histogram_pack(int8[]) IS
'A histogram in the form that the history keeps, of some twenty bytes; glperf.histogram_sum() reads it.';

CREATE FUNCTION histogram_add(state internal, packed bytea) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_histogram_add';
COMMENT ON FUNCTION histogram_add(internal, bytea) IS
'Part of glperf.histogram_sum().';

CREATE FUNCTION histogram_total(state internal) RETURNS int8[]
LANGUAGE c IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_histogram_total';
COMMENT ON FUNCTION histogram_total(internal) IS
'Part of glperf.histogram_sum().';

CREATE AGGREGATE histogram_sum(bytea) (
	SFUNC = histogram_add,
	STYPE = internal,
	SSPACE = 1928,
	FINALFUNC = histogram_total,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE histogram_sum(bytea) IS
'Sum of packed histograms, such as the column cells of glperf.history_statement over several windows, as glperf.latency_percentile() takes it; NULL if one of them is NULL.';

CREATE TABLE history_snapshot (
	taken_at timestamptz NOT NULL PRIMARY KEY,
	window_s float8,
	source text NOT NULL
);
COMMENT ON TABLE history_snapshot IS
'One row per call of glperf.snapshot() that is still kept.';
COMMENT ON COLUMN history_snapshot.taken_at IS 'When it was taken: the end of its window.';
COMMENT ON COLUMN history_snapshot.window_s IS 'Seconds since the one before; NULL: the first one, which only notes where counting begins.';
COMMENT ON COLUMN history_snapshot.source IS 'collector, or pg_stat_statements where glperf is not preloaded.';

CREATE TABLE history_statement (
	taken_at timestamptz NOT NULL,
	window_s float8 NOT NULL,
	role text,
	database text,
	queryid int8 NOT NULL,
	toplevel bool NOT NULL,
	calls int8 NOT NULL,
	errors int8,
	total_ms float8 NOT NULL,
	p50_ms float8,
	p95_ms float8,
	p99_ms float8,
	cells bytea
);
CREATE INDEX history_statement_taken_at ON history_statement
	USING brin (taken_at) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON TABLE history_statement IS
'What each statement did in each window; one row per statement that ran in it. Bounded in age and size by glperf.snapshot().';
COMMENT ON COLUMN history_statement.taken_at IS 'End of the window.';
COMMENT ON COLUMN history_statement.window_s IS 'Length of the window in seconds.';
COMMENT ON COLUMN history_statement.role IS 'Role that ran it; NULL: dropped.';
COMMENT ON COLUMN history_statement.database IS 'Database; NULL: dropped.';
COMMENT ON COLUMN history_statement.queryid IS 'Statement as in pg_stat_statements.';
COMMENT ON COLUMN history_statement.toplevel IS 'Sent by a client, not run inside a function.';
COMMENT ON COLUMN history_statement.calls IS 'Executions in the window.';
COMMENT ON COLUMN history_statement.errors IS 'Of these, failed; NULL where glperf is not preloaded.';
COMMENT ON COLUMN history_statement.total_ms IS 'Time of all of them, in milliseconds.';
COMMENT ON COLUMN history_statement.p50_ms IS 'Median in milliseconds; NULL where glperf is not preloaded, as p95_ms and p99_ms.';
COMMENT ON COLUMN history_statement.p95_ms IS '95th percentile in milliseconds.';
COMMENT ON COLUMN history_statement.p99_ms IS '99th percentile in milliseconds.';
COMMENT ON COLUMN history_statement.cells IS 'Histogram of latency, packed: percentiles over several windows are glperf.latency_percentile(glperf.histogram_sum(cells), 0.95), see glperf.history_latency().';

CREATE TABLE history_database (
	taken_at timestamptz NOT NULL,
	window_s float8 NOT NULL,
	database text,
	calls int8 NOT NULL,
	errors int8 NOT NULL,
	per_second float8 NOT NULL,
	total_ms float8 NOT NULL,
	p50_ms float8,
	p95_ms float8,
	p99_ms float8,
	cells bytea
);
CREATE INDEX history_database_taken_at ON history_database
	USING brin (taken_at) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON TABLE history_database IS
'What all statements of clients did in each window, by database; empty where glperf is not preloaded. Bounded in age and size by glperf.snapshot().';
COMMENT ON COLUMN history_database.taken_at IS 'End of the window.';
COMMENT ON COLUMN history_database.window_s IS 'Length of the window in seconds.';
COMMENT ON COLUMN history_database.database IS 'Database; NULL: all of them together.';
COMMENT ON COLUMN history_database.calls IS 'Statements executed in the window.';
COMMENT ON COLUMN history_database.errors IS 'Of these, failed.';
COMMENT ON COLUMN history_database.per_second IS 'Statements per second.';
COMMENT ON COLUMN history_database.total_ms IS 'Time of all of them, in milliseconds.';
COMMENT ON COLUMN history_database.p50_ms IS 'Median in milliseconds.';
COMMENT ON COLUMN history_database.p95_ms IS '95th percentile in milliseconds.';
COMMENT ON COLUMN history_database.p99_ms IS '99th percentile in milliseconds.';
COMMENT ON COLUMN history_database.cells IS 'Histogram of latency, packed, as in glperf.history_statement.';

-- The reading that the next window begins with.  It is worth nothing after a
-- crash, because the counters begin anew then.
CREATE UNLOGGED TABLE history_last (
	userid oid NOT NULL,
	dbid oid NOT NULL,
	queryid int8 NOT NULL,
	toplevel bool NOT NULL,
	calls int8 NOT NULL,
	errors int8,
	total_ms float8 NOT NULL,
	cells int8[],
	since_at timestamptz,
	PRIMARY KEY (queryid, userid, dbid, toplevel)
) WITH (fillfactor = 50);
COMMENT ON TABLE history_last IS
'Counters as the latest glperf.snapshot() read them; queryid 0: of a whole database, or with dbid 0 of all. Of no use but to the next one.';
COMMENT ON COLUMN history_last.userid IS 'Role.';
COMMENT ON COLUMN history_last.dbid IS 'Database.';
COMMENT ON COLUMN history_last.queryid IS 'Statement.';
COMMENT ON COLUMN history_last.toplevel IS 'Sent by a client.';
COMMENT ON COLUMN history_last.calls IS 'Executions since counting began.';
COMMENT ON COLUMN history_last.errors IS 'Of these, failed.';
COMMENT ON COLUMN history_last.total_ms IS 'Time of all of them, in milliseconds.';
COMMENT ON COLUMN history_last.cells IS 'Histogram of latency.';
COMMENT ON COLUMN history_last.since_at IS 'When counting began; NULL where that is not known.';

-- known to dumps, but without rows
SELECT pg_catalog.pg_extension_config_dump('history_last', 'WHERE false');
SELECT pg_catalog.pg_extension_config_dump('history_snapshot', '');
SELECT pg_catalog.pg_extension_config_dump('history_statement', '');
SELECT pg_catalog.pg_extension_config_dump('history_database', '');

CREATE FUNCTION snapshot(retention_days float8 DEFAULT 14,
						 max_bytes int8 DEFAULT 1073741824)
RETURNS int8
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	-- one at a time
	LOCK TABLE glperf.history_last IN SHARE ROW EXCLUSIVE MODE;

	WITH c AS MATERIALIZED (
		SELECT preloaded FROM glperf.collector_status()
	), w AS MATERIALIZED (
		SELECT extract(epoch FROM clock_timestamp() - max(s.taken_at))::float8 AS window_s,
			clock_timestamp() AS taken_at
		FROM glperf.history_snapshot s
	), r AS MATERIALIZED (
		SELECT l.userid, l.dbid, l.queryid, l.toplevel, l.calls, l.errors, l.total_ms, l.cells,
			l.since_at
		FROM c, glperf.statement_latency(true) l WHERE l.queryid IS NOT NULL
		UNION ALL
		SELECT 0::oid, coalesce(d.dbid, 0::oid), 0, d.is_total, d.calls, d.errors, d.total_ms, d.cells,
			pg_postmaster_start_time()
		FROM glperf.database_latency(true) d WHERE d.is_total OR d.dbid IS NOT NULL
		UNION ALL
		SELECT p.userid, p.dbid, p.queryid, p.toplevel, p.calls, NULL, p.total_time_ms, NULL, p.stats_since
		FROM glperf.statement_stats() p
		WHERE NOT (SELECT preloaded FROM c) AND p.queryid IS NOT NULL
	), d AS MATERIALIZED (
		-- what began to count anew, or shrank, is new altogether
		SELECT r.userid, r.dbid, r.queryid, r.toplevel,
			r.calls - coalesce(l.calls, 0) AS calls,
			r.errors - coalesce(l.errors, 0) AS errors,
			greatest(r.total_ms - coalesce(l.total_ms, 0), 0) AS total_ms,
			glperf.histogram_subtract(r.cells, l.cells) AS cells
		FROM r LEFT JOIN glperf.history_last l
			ON (l.queryid, l.userid, l.dbid, l.toplevel) = (r.queryid, r.userid, r.dbid, r.toplevel)
			AND l.since_at IS NOT DISTINCT FROM r.since_at AND l.calls <= r.calls
		WHERE r.calls IS DISTINCT FROM l.calls
	), keep AS (
		INSERT INTO glperf.history_last AS l
		SELECT r.userid, r.dbid, r.queryid, r.toplevel, r.calls, r.errors, r.total_ms, r.cells, r.since_at
		FROM r JOIN d USING (queryid, userid, dbid, toplevel)
		ON CONFLICT (queryid, userid, dbid, toplevel) DO UPDATE
		SET calls = EXCLUDED.calls, errors = EXCLUDED.errors, total_ms = EXCLUDED.total_ms,
			cells = EXCLUDED.cells, since_at = EXCLUDED.since_at
	), forget AS (
		DELETE FROM glperf.history_last l
		WHERE NOT EXISTS (SELECT FROM r WHERE (r.queryid, r.userid, r.dbid, r.toplevel)
			= (l.queryid, l.userid, l.dbid, l.toplevel))
	), statements AS (
		INSERT INTO glperf.history_statement
		SELECT w.taken_at, w.window_s, pg_get_userbyid(d.userid), b.datname,
			d.queryid, d.toplevel, d.calls, d.errors, d.total_ms,
			glperf.latency_percentile(d.cells, 0.5),
			glperf.latency_percentile(d.cells, 0.95),
			glperf.latency_percentile(d.cells, 0.99),
			glperf.histogram_pack(d.cells)
		FROM w, d LEFT JOIN pg_database b ON b.oid = d.dbid
		WHERE d.queryid <> 0 AND w.window_s > 0
			AND EXISTS (SELECT FROM glperf.history_last)
	), databases AS (
		INSERT INTO glperf.history_database
		SELECT w.taken_at, w.window_s, b.datname, d.calls, d.errors,
			d.calls / w.window_s, d.total_ms,
			glperf.latency_percentile(d.cells, 0.5),
			glperf.latency_percentile(d.cells, 0.95),
			glperf.latency_percentile(d.cells, 0.99),
			glperf.histogram_pack(d.cells)
		FROM w, d LEFT JOIN pg_database b ON b.oid = d.dbid
		WHERE d.queryid = 0 AND w.window_s > 0 AND (d.toplevel OR b.oid IS NOT NULL)
			AND EXISTS (SELECT FROM glperf.history_last)
	)
	INSERT INTO glperf.history_snapshot
	SELECT w.taken_at, CASE WHEN EXISTS (SELECT FROM glperf.history_last) THEN w.window_s END,
		CASE WHEN c.preloaded THEN 'collector' ELSE 'pg_stat_statements' END
	FROM w, c;

	-- age; and size, by forgetting the older half when there is too much
	WITH oldest AS MATERIALIZED (
		SELECT greatest(
			now() - make_interval(secs => retention_days * 86400),
			CASE WHEN pg_relation_size('glperf.history_statement') > max_bytes / 2
				AND (SELECT count(*) FROM glperf.history_statement) * 150 > max_bytes / 2
				THEN (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY taken_at)
					FROM glperf.history_snapshot) END) AS at
	), a AS (
		DELETE FROM glperf.history_statement WHERE taken_at < (SELECT at FROM oldest)
	), b AS (
		DELETE FROM glperf.history_database WHERE taken_at < (SELECT at FROM oldest)
	)
	DELETE FROM glperf.history_snapshot WHERE taken_at < (SELECT at FROM oldest);

	SELECT glperf.capacity_snapshot();

	SELECT count(*) FROM glperf.history_statement
	WHERE taken_at = (SELECT max(taken_at) FROM glperf.history_snapshot);
$$;
COMMENT ON FUNCTION snapshot(float8, int8) IS
'Keeps what every statement did since the last call in glperf.history_statement and glperf.history_database, and forgets what is older than retention_days or, when there is more than about max_bytes, the older half. Returns the number of statements kept; the first call only notes where counting begins. Reads the collector, or pg_stat_statements where glperf is not preloaded. The collector calls it in glperf.history_database; otherwise call it from cron.';

CREATE FUNCTION history_latency(
	after_at timestamptz, until_at timestamptz DEFAULT 'infinity',
	OUT scope text, OUT role text, OUT database text, OUT queryid int8,
	OUT toplevel bool, OUT windows int8, OUT begins_at timestamptz,
	OUT ends_at timestamptz, OUT calls int8, OUT errors int8,
	OUT total_ms float8, OUT mean_ms float8, OUT p50_ms float8,
	OUT p95_ms float8, OUT p99_ms float8)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH h AS (
		SELECT 'statement' AS scope, s.role, s.database, s.queryid, s.toplevel,
			s.taken_at, s.window_s, s.calls, s.errors, s.total_ms, s.cells
		FROM glperf.history_statement s
		UNION ALL
		SELECT CASE WHEN d.database IS NULL THEN 'all' ELSE 'database' END,
			NULL, d.database, NULL, true,
			d.taken_at, d.window_s, d.calls, d.errors, d.total_ms, d.cells
		FROM glperf.history_database d
	), s AS (
		SELECT h.scope, h.role, h.database, h.queryid, h.toplevel,
			count(*) AS windows,
			min(h.taken_at - make_interval(secs => h.window_s)) AS begins_at,
			max(h.taken_at) AS ends_at,
			sum(h.calls)::int8 AS calls, sum(h.errors)::int8 AS errors,
			sum(h.total_ms) AS total_ms,
			glperf.histogram_sum(h.cells) AS cells
		FROM h
		WHERE h.taken_at > after_at AND h.taken_at <= until_at
		GROUP BY h.scope, h.role, h.database, h.queryid, h.toplevel
	)
	SELECT s.scope, s.role, s.database, s.queryid, s.toplevel, s.windows,
		s.begins_at, s.ends_at, s.calls, s.errors, s.total_ms,
		s.total_ms / nullif(s.calls, 0),
		glperf.latency_percentile(s.cells, 0.5),
		glperf.latency_percentile(s.cells, 0.95),
		glperf.latency_percentile(s.cells, 0.99)
	FROM s
$$;
COMMENT ON FUNCTION history_latency(timestamptz, timestamptz) IS
'Latency over any stretch of the history: the windows that ended after after_at and no later than until_at, added up; begins_at and ends_at tell what they cover of it. One row per statement (scope statement), per database (scope database, top level only) and for all databases (scope all). Percentiles are those of all executions, off by at most 5 %; NULL where glperf was not preloaded all the time.';

CREATE VIEW query_regressions AS
WITH h AS (
	SELECT s.role, s.database, s.queryid, s.toplevel,
		s.taken_at OPERATOR(pg_catalog.>) (pg_catalog.now() - '1 day'::interval) AS is_now,
		pg_catalog.sum(s.calls)::int8 AS calls,
		pg_catalog.sum(s.total_ms) AS total_ms,
		glperf.latency_percentile(glperf.histogram_sum(s.cells), 0.95) AS p95_ms
	FROM glperf.history_statement AS s
	WHERE s.taken_at > pg_catalog.now() - '1 day'::interval
		OR (s.taken_at > pg_catalog.now() - '8 days'::interval
			AND s.taken_at <= pg_catalog.now() - '7 days'::interval)
	GROUP BY 1, 2, 3, 4, 5
)
SELECT n.queryid, n.database, n.role, n.toplevel,
	n.calls, b.calls AS calls_before,
	n.total_ms / n.calls AS mean_ms,
	b.total_ms / b.calls AS mean_before_ms,
	n.p95_ms, b.p95_ms AS p95_before_ms,
	(n.total_ms / n.calls) / NULLIF(b.total_ms / b.calls, 0) AS mean_ratio,
	n.total_ms - n.calls * (b.total_ms / b.calls) AS lost_ms
FROM h AS n
JOIN h AS b ON b.queryid = n.queryid AND b.role = n.role
	AND b.database = n.database AND b.toplevel = n.toplevel AND NOT b.is_now
WHERE n.is_now AND n.calls > 0 AND b.calls > 0;
COMMENT ON VIEW query_regressions IS
'Each statement of the last day beside the same day a week earlier, from glperf.history_statement; empty until there is a week of history.';
COMMENT ON COLUMN query_regressions.queryid IS 'Statement as in pg_stat_statements.';
COMMENT ON COLUMN query_regressions.database IS 'Database.';
COMMENT ON COLUMN query_regressions.role IS 'Role that ran it.';
COMMENT ON COLUMN query_regressions.toplevel IS 'Sent by a client, not run inside a function.';
COMMENT ON COLUMN query_regressions.calls IS 'Executions in the last day.';
COMMENT ON COLUMN query_regressions.calls_before IS 'Executions in the same day a week earlier.';
COMMENT ON COLUMN query_regressions.mean_ms IS 'Mean time in the last day, in milliseconds.';
COMMENT ON COLUMN query_regressions.mean_before_ms IS 'Mean time a week earlier, in milliseconds.';
COMMENT ON COLUMN query_regressions.p95_ms IS '95th percentile in milliseconds; NULL where glperf was not preloaded all the time.';
COMMENT ON COLUMN query_regressions.p95_before_ms IS 'The same a week earlier.';
COMMENT ON COLUMN query_regressions.mean_ratio IS 'How many times as long it takes now; NULL if it took no time before.';
COMMENT ON COLUMN query_regressions.lost_ms IS 'Time lost by being slower in the last day, in milliseconds; negative: gained.';

REVOKE ALL ON FUNCTION histogram_subtract(int8[], int8[]),
	histogram_pack(int8[]), histogram_add(internal, bytea),
	histogram_total(internal), histogram_sum(bytea),
	history_latency(timestamptz, timestamptz),
	snapshot(float8, int8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION histogram_subtract(int8[], int8[]),
	histogram_pack(int8[]), histogram_add(internal, bytea),
	histogram_total(internal), histogram_sum(bytea),
	history_latency(timestamptz, timestamptz) TO pg_monitor;
GRANT SELECT ON history_snapshot, history_statement, history_database,
	query_regressions TO pg_monitor;

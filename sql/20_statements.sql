-- pg_stat_statements read in one shape, from any version and any schema, with
-- an error that names the next action when it cannot be read.
SELECT * FROM glperf.statement_source();

-- same columns and the same numbers as the extension's own view
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
SELECT 1 AS one;
SELECT 1 AS one;
SELECT g.calls = p.calls AND g.total_time_ms = p.total_exec_time
	AND g.mean_time_ms = p.mean_exec_time AND g.rows = p.rows
	AND g.wal_bytes = p.wal_bytes AND g.toplevel = p.toplevel
	AND g.stats_since <= now() AS same, g.calls
FROM glperf.statement_stats() g
JOIN pg_stat_statements p USING (userid, dbid, queryid)
WHERE p.query = 'SELECT $1 AS one' AND g.query = p.query;
SELECT count(*) > 0 AS rows, count(query) AS texts
FROM glperf.statement_stats(with_text => false);

-- old versions of the extension, with the names of their time, in a schema
-- that nobody expects
DROP EXTENSION pg_stat_statements;
CREATE SCHEMA "my ""stats""";
CREATE EXTENSION pg_stat_statements SCHEMA "my ""stats""" VERSION '1.4';
SELECT toplevel, calls, total_time_ms > 0 AS total, mean_time_ms > 0 AS mean,
	stats_since IS NULL AS since_unknown, wal_bytes IS NULL AS no_wal,
	io_read_time_ms >= 0 AS io
FROM glperf.statement_stats() WHERE query = 'SELECT $1 AS one';
ALTER EXTENSION pg_stat_statements UPDATE TO '1.8';
SELECT calls, total_time_ms > 0 AS total, plans IS NOT NULL AS plans,
	wal_bytes
FROM glperf.statement_stats() WHERE query = 'SELECT $1 AS one';
ALTER EXTENSION pg_stat_statements UPDATE TO '1.9';
SELECT calls, total_time_ms > 0 AS total, stats_since <= now() AS since
FROM glperf.statement_stats() WHERE query = 'SELECT $1 AS one';

-- not installed
DROP EXTENSION pg_stat_statements;
SELECT * FROM glperf.statement_source();
SELECT * FROM glperf.statement_stats();
SELECT * FROM glperf.slow_queries;
SELECT count(*) FROM glperf.statement_stats(strict => false);
SELECT object, status, message, remedy FROM glperf.health_statements;
DROP SCHEMA "my ""stats""";
CREATE EXTENSION pg_stat_statements;

-- not visible: execute rights alone would give a partial answer
CREATE ROLE "glperf ""half""";
GRANT USAGE ON SCHEMA glperf TO "glperf ""half""";
GRANT EXECUTE ON FUNCTION glperf.statement_stats, glperf.statement_source,
	glperf.statement_report, glperf.statement_latency,
	glperf.wait_counts, glperf.silence_patterns,
	glperf.verdict(float8, float8, float8, text)
	TO "glperf ""half""";
GRANT SELECT ON glperf.threshold, glperf.health_statements,
	glperf.slow_queries TO "glperf ""half""";
SET ROLE "glperf ""half""";
SELECT * FROM glperf.statement_stats();
SELECT * FROM glperf.slow_queries;
SELECT object, status, message, remedy FROM glperf.health_statements;
RESET ROLE;
GRANT pg_read_all_stats TO "glperf ""half""";
SET ROLE "glperf ""half""";
SELECT count(*) > 0 AS visible FROM glperf.statement_stats();
RESET ROLE;
DROP OWNED BY "glperf ""half""";
DROP ROLE "glperf ""half""";

-- switched off
SET pg_stat_statements.track = 'none';
SELECT * FROM glperf.statement_source();
RESET pg_stat_statements.track;
SET compute_query_id = off;
SELECT * FROM glperf.statement_source();
RESET compute_query_id;
SELECT object, status FROM glperf.health_statements;

-- nobody else may call it
SELECT has_function_privilege('pg_monitor', p.oid, 'execute') AS pg_monitor,
	has_function_privilege('public', p.oid, 'execute') AS public
FROM pg_proc p
WHERE p.oid IN ('glperf.statement_stats'::regproc,
				'glperf.statement_source'::regproc);

-- Statements: pg_stat_statements of any version and in any schema, and the
-- guide's question "which queries are slow", answered with reasons.

CREATE FUNCTION statement_source(
	OUT state text, OUT message text, OUT remedy text)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_statement_source';
COMMENT ON FUNCTION statement_source() IS
'Whether statements are recorded and can be read: state ok, not installed, not preloaded, not visible (the role lacks pg_read_all_stats) or off; message and remedy are NULL when ok. Never fails.';

CREATE FUNCTION statement_stats(
	with_text bool DEFAULT true, strict bool DEFAULT true,
	OUT userid oid, OUT dbid oid, OUT toplevel bool, OUT queryid int8,
	OUT query text, OUT calls int8, OUT total_time_ms float8,
	OUT mean_time_ms float8, OUT min_time_ms float8, OUT max_time_ms float8,
	OUT stddev_time_ms float8, OUT rows int8, OUT shared_blks_hit int8,
	OUT shared_blks_read int8, OUT shared_blks_dirtied int8,
	OUT shared_blks_written int8, OUT temp_blks_read int8,
	OUT temp_blks_written int8, OUT io_read_time_ms float8,
	OUT io_write_time_ms float8, OUT wal_bytes float8,
	OUT stats_since timestamptz, OUT minmax_stats_since timestamptz,
	OUT plans int8, OUT plan_time_ms float8, OUT kind text)
RETURNS SETOF record
LANGUAGE c STABLE ROWS 5000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_statement_stats';
COMMENT ON FUNCTION statement_stats(bool, bool) IS
'pg_stat_statements with the same columns whatever its version and schema, one row per (userid, dbid, toplevel, queryid), all databases. Times in milliseconds, blocks of block_size bytes; I/O times cover shared, local and temporary blocks and are 0 without track_io_timing; stats_since is when the counters began (per statement from PostgreSQL 17, else the last reset; NULL if unknown); minmax_stats_since NULL before 17. kind: query (planned, an index may help), command (COPY, CALL, LOCK, COMMIT, CREATE TABLE: takes an application''s time all the same) or maintenance (VACUUM, ANALYZE, CREATE INDEX and other DDL, EXPLAIN, and what is asked of schema glperf). with_text false leaves query and kind NULL and is cheaper. strict true raises an error with the next action when pg_stat_statements is missing, not preloaded or not visible; strict false returns no row then.';

REVOKE ALL ON FUNCTION statement_source(), statement_stats(bool, bool)
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION statement_source(), statement_stats(bool, bool)
	TO pg_monitor;

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

REVOKE ALL ON FUNCTION parameter_samples(), parameter_samples_reset() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parameter_samples() TO pg_monitor;
GRANT SELECT ON parameter_samples TO pg_monitor;

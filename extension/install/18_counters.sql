-- The server's counters remembered, so that there are rates to judge.

CREATE FUNCTION counter_growth(
	sources text[], at_least_s float8 DEFAULT 300,
	OUT source text, OUT object text, OUT counter text, OUT total float8,
	OUT growth float8, OUT window_s float8, OUT since_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_counter_growth';
COMMENT ON FUNCTION counter_growth(text[], float8) IS
'Counters of the server (sources: database, wal, checkpoints, archiver, io), since since_at (total) and in the last window_s seconds (growth): since the newest reading that is at_least_s old, or else since the oldest. Every call leaves a reading behind, for all sessions where glperf is preloaded, else for this one; readings are kept for a day, nine seconds apart at first and farther with age. growth and window_s NULL: first sample, nothing to compare with yet, or the counter has begun anew. Errors: invalid_parameter_value.';

REVOKE ALL ON FUNCTION counter_growth(text[], float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION counter_growth(text[], float8) TO pg_monitor;

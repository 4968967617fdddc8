/* what-if planning */

CREATE FUNCTION whatif(
	query text,
	ddl text[] DEFAULT '{}',
	OUT cost_before float8,
	OUT cost_after float8,
	OUT gain_pct float8,
	OUT indexes_used text[],
	OUT size_bytes int8[],
	OUT plan_before text,
	OUT plan_after text)
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'glperf_whatif';
COMMENT ON FUNCTION whatif(text, text[]) IS
'Plans one statement as it is and as if the given CREATE INDEX and DROP INDEX statements had been carried out; executes and creates nothing. Names are resolved with the caller''s search_path and rights. cost_before and cost_after are the planner''s cost units, gain_pct is the saving in percent (0..100, negative when the plan gets dearer), indexes_used names the indexes of the second plan, size_bytes holds the estimated size of each CREATE INDEX in order. Waits at most 10 ms for a lock. Null arguments give null.';
REVOKE ALL ON FUNCTION whatif(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION whatif(text, text[]) TO pg_monitor;

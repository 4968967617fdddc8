/* index advice */

CREATE FUNCTION advise_indexes(
	budget_bytes int8 DEFAULT NULL,
	max_indexes int4 DEFAULT NULL,
	min_benefit_pct float8 DEFAULT NULL,
	time_limit_ms int4 DEFAULT NULL,
	workload jsonb DEFAULT NULL)
RETURNS TABLE (
	rank int4,
	action text,
	schema_name text,
	table_name text,
	index_name text,
	ddl text,
	steps text[],
	undo_ddl text,
	size_bytes int8,
	benefit_ms_per_day float8,
	write_cost_ms_per_day float8,
	wal_bytes_per_day float8,
	benefit_pct float8,
	statements_helped int4,
	statements_hurt int4,
	queryids int8[],
	confidence text,
	reasons text[],
	loss_without_ms_per_day float8)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_advise_indexes';
COMMENT ON FUNCTION advise_indexes(int8, int4, float8, int4, jsonb) IS
'Recommends what to do about the indexes for the statements of pg_stat_statements in this database; one row per recommendation, none when there is nothing to do: first tables to ANALYZE because plans rest on missing or stale statistics and statistics to create because a sample proves the planner wrong by ten times or more, then indexes to create, most benefit first, some of which replace existing ones, then existing ones to merge, to drop (those of glperf.index_usage with a drop_ddl that no recorded statement would use) and to rebuild. action is analyze, create statistics, create, replace (create, then drop what the new index covers), merge (two existing indexes into one that does what both do), drop, or reindex (broken or bloated; one that a failed build left behind is rebuilt where it would be created); index_name is that of the statistics object for create statistics, and NULL for analyze, as is undo_ddl; figures of benefit and cost are 0 for what creates no index that the workload gains from, size_bytes of a drop or rebuild is what it frees. Executes and creates nothing. budget_bytes bounds the disk space of all recommended indexes together, max_indexes their number (NULL: no bound); min_benefit_pct is the share of the workload''s time that each index has to save (0..100, NULL: 0.5); time_limit_ms ends the search with the best found so far (NULL: none). workload hands in other statements than those recorded, as a JSON array of objects with query and, optionally, calls, time_ms and rows of all calls in a day, role, search_path, queryid, toplevel (false: it ran inside a function, so that names which are no columns are variables of that) and samples (up to three objects with query, the text with constants, and seen, how often it ran so); without time_ms a statement weighs what the planner estimates. An object with that array as statements and recorded true adds them to the recorded ones instead, as for the statements of a standby. ddl is for reading and copying; steps holds the same statements to be run one by one outside a transaction; undo_ddl takes them back. benefit_ms_per_day is the index''s contribution to the saving of statements, to be set against write_cost_ms_per_day and wal_bytes_per_day; what several indexes save together is divided by what each adds to the others, averaged over the orders of adding them, so that the contributions add up to the whole. benefit_pct is its share of the workload''s time; loss_without_ms_per_day is what would be lost if this index alone were left out, less than its contribution where another one could step in and more where others are of no use without it. queryids are those of pg_stat_statements. confidence is high, medium or low. Each statement is planned with the rights of the role that ran it.';

CREATE FUNCTION advised_statements()
RETURNS TABLE (
	queryid int8,
	role text,
	query text,
	calls int8,
	time_ms_per_day float8,
	outcome text,
	reason text,
	cost_before float8,
	cost_after float8,
	speedup_ratio float8,
	indexes text[],
	samples int4)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_advised_statements';
COMMENT ON FUNCTION advised_statements() IS
'What this session''s last advise_indexes() made of every statement; makes a run with default options when there was none. outcome is advised, no gain or not analysable, with the reason for the latter two. cost_before is the planner''s, cost_after the same share of it as the recommended indexes leave of the time (by glperf.cost_model); NULL when it could not be planned. speedup_ratio is cost_before / cost_after. samples is the number of sampled executions it was planned with, 0 when only its normalised text was known.';

CREATE FUNCTION advice_summary(
	OUT statements int4,
	OUT advised int4,
	OUT no_gain int4,
	OUT not_analysable int4,
	OUT candidates int4,
	OUT planner_calls int4,
	OUT elapsed_ms float8,
	OUT workload_ms_per_day float8,
	OUT gain_ms_per_day float8,
	OUT upper_bound_pct float8,
	OUT captured_pct float8,
	OUT budget_bytes int8,
	OUT used_bytes int8,
	OUT complete bool,
	OUT started_at timestamptz,
	OUT sampled_pages int8)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_advice_summary';
COMMENT ON FUNCTION advice_summary() IS
'One row about this session''s last advise_indexes(), which it makes with default options when there was none. upper_bound_pct is the share of the workload''s time that no set of indexes can exceed, captured_pct the recommended set''s share of that, write cost taken off; NULL when nothing can be gained. complete is false when the time limit ended the search. sampled_pages is the number of table blocks that were read to find out how big indexes would be.';

CREATE FUNCTION advice_plans()
RETURNS TABLE (
	rank int4,
	index_name text,
	queryid int8,
	role text,
	query text,
	sample int4,
	table_name text,
	alias text,
	node_before text,
	node_after text,
	node_cost_before float8,
	node_cost_after float8,
	cost_before float8,
	cost_after float8)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_advice_plans';
COMMENT ON FUNCTION advice_plans() IS
'Where the indexes that this session''s last advise_indexes() recommends come into plans: one row per index, statement, way of running it (sample, from 1) and scan of a table. rank and index_name are those of the recommendation, alias is how the statement calls the table. node_before is how the table is read as things are (NULL when that plan does not read it), node_after with all recommended indexes; node costs are of one run of that scan, cost_before and cost_after of the whole statement, in the planner''s units. A statement whose planning with all of them did not come to its end (a table was locked, or the time was up) has no rows. Makes a run with default options when there was none.';

CREATE FUNCTION advice_rivals()
RETURNS TABLE (
	rank int4,
	index_name text,
	rival text,
	rival_size_bytes int8,
	rival_benefit_ms_per_day float8,
	rival_write_cost_ms_per_day float8,
	reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_advice_rivals';
COMMENT ON FUNCTION advice_rivals() IS
'The candidate that would do best in the place of each index that this session''s last advise_indexes() recommends to create, and why it lost: what it would save against the recommended one, in per cent and milliseconds a day, what its upkeep takes more, or which bound forbids it. No row for an index that had no rival on its table. The rival''s figures are derived from the plans of the run, not planned anew: its estimated size, what the statements that the index helps would save with it instead (NULL for one that takes more than the whole budget and was not planned with), and what its upkeep takes.';

CREATE FUNCTION advice_not_examined()
RETURNS TABLE (
	kind text,
	object text,
	count int8,
	time_ms_per_day float8,
	reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_advice_not_examined';
COMMENT ON FUNCTION advice_not_examined() IS
'What this session''s last advise_indexes() did not look at, so that silence is not taken for health. kind is statement (could not be analysed; one row per reason, count says how many, time_ms_per_day how much they take), table (too small for an index; count and time are of the statements that read it; tables of glperf itself are left out), candidate (left out by a limit or the budget), statistics (a table of which no sample was compared with the planner''s beliefs), or search (it ended early). No row: everything was looked at.';

REVOKE ALL ON FUNCTION advise_indexes(int8, int4, float8, int4, jsonb),
	advised_statements(), advice_summary(), advice_plans(), advice_rivals(),
	advice_not_examined() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION advise_indexes(int8, int4, float8, int4, jsonb),
	advised_statements(), advice_summary(), advice_plans(), advice_rivals(),
	advice_not_examined() TO pg_monitor;

-- What verification is made of, as far as that is SQL: which statements name
-- which tables, what their plans use, and verdicts without evidence.
\set SHOW_CONTEXT never
CREATE SCHEMA verify_test;
SET search_path = verify_test, public;
CREATE TABLE base (id int PRIMARY KEY, v int);
INSERT INTO base SELECT i, i FROM generate_series(1, 5000) i;
CREATE TABLE "Odd ""name" (id int);
CREATE VIEW over AS SELECT * FROM base;
CREATE VIEW over_over AS SELECT count(*) FROM over;
CREATE TABLE parted (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
VACUUM ANALYZE base;
CREATE ROLE glperf_verify_owner;
CREATE ROLE glperf_verify_reader IN ROLE pg_monitor;

-- tables that a text names
SELECT q, (SELECT array_agg(x ORDER BY x COLLATE "C") FROM unnest(s.tables) x) AS tables, s.written FROM unnest(ARRAY[
	'SELECT * FROM base b JOIN verify_test."Odd ""name" o USING (id)',
	'INSERT INTO base SELECT * FROM other_schema.t WHERE v = $1',
	'UPDATE base SET v = v + 1 FROM x WHERE x.id = base.id',
	'WITH d AS (DELETE FROM base RETURNING *) SELECT * FROM d, y',
	'SELECT * FROM base WHERE v > interval $1',
	'SELECT 1',
	'VACUUM base',
	'SELEC nonsense',
	'SELECT 1; DELETE FROM base',
	'']) WITH ORDINALITY AS u(q, n), glperf.statement_tables(q) s ORDER BY n;
SELECT glperf.statement_tables(NULL);

-- names under which a table can be meant
SELECT (SELECT array_agg(n ORDER BY n COLLATE "C") FROM unnest(glperf.relations_over('verify_test', r)) n)
FROM unnest('{base,parted,part_1,no_such_table}'::text[]) WITH ORDINALITY u(r, n) ORDER BY u.n;
SELECT glperf.relations_over('verify_test', 'Odd "name');

-- indexes that a plan uses now
SELECT q, glperf.statement_indexes(current_user::regrole, 'verify_test', q) FROM unnest(ARRAY[
	'SELECT * FROM base WHERE id = 7', 'SELECT * FROM base WHERE id = $1', 'SELECT * FROM base WHERE v = 7',
	'UPDATE base SET v = 1 WHERE id = $1', 'SELECT * FROM no_such_table', 'VACUUM base', 'SELEC nonsense',
	'SELECT 1; DROP TABLE base']) WITH ORDINALITY u(q, n) ORDER BY n;
SELECT glperf.statement_indexes(0, 'verify_test', 'SELECT * FROM base WHERE id = 7') IS NULL AS no_such_role;
SELECT glperf.statement_indexes('glperf_verify_owner'::regrole, 'verify_test', 'SELECT * FROM base WHERE id = 7') IS NULL AS no_right_to_the_table;
SET ROLE glperf_verify_reader;
SELECT glperf.statement_indexes('glperf_verify_owner'::regrole, 'pg_catalog', 'SELECT oid FROM pg_class WHERE oid = 7') IS NULL AS not_of_the_role;
RESET ROLE;
-- the search_path that a role begins with
SELECT glperf.role_search_path('glperf_verify_owner'::regrole);
ALTER ROLE glperf_verify_owner SET search_path = verify_test, pg_temp;
SELECT glperf.role_search_path('glperf_verify_owner'::regrole);
SELECT glperf.role_search_path(0);

-- verdicts without evidence
SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'statistics', a, 'verify_test', 'base', 'glp_' || a,
	'x', 'y', '{}', 1, 1, 1, 1, 'high', '{}') FROM unnest('{create,drop,reindex,merge}'::text[]) a;
CREATE INDEX glp_create ON base (v);
CREATE INDEX glp_drop ON base (v, id);
CREATE INDEX glp_merge ON base (v, id, (v + 1));
SELECT glperf.recommendation_applied(glperf.recommendation_begin(),
	'{create verify_test.glp_create,drop verify_test.glp_drop,reindex verify_test.glp_reindex,merge verify_test.glp_merge}');
SELECT r.name, v.state, CASE WHEN v.message !~ 'statements' THEN v.message END AS message, v.index_scans FROM glperf.recommendation r, glperf.recommendation_verdict(r.name) v
WHERE r.schema_name = 'verify_test' ORDER BY r.name;
SELECT name, old_state, state, verdict, undo_ddl FROM glperf.verify_recommendations() ORDER BY name;
-- counters that were not noted here, as after a restore
DELETE FROM glperf.recommendation_snapshot;
SELECT v.state, v.message FROM glperf.recommendation_verdict('glp_create') v;
-- named as for dismiss()
SELECT count(*) FROM glperf.recommendation_effect('glp_create');
SELECT glperf.recommendation_verdict('no such one');
SELECT glperf.recommendation_effect('no such one');
SELECT glperf.recommendation_verdict(NULL);
SET ROLE glperf_verify_reader;
SELECT state FROM glperf.recommendation_verdict('glp_create');
SELECT count(*) FROM glperf.verify_recommendations();
SELECT glperf.notice_recommendations();
RESET ROLE;
-- carried out by hand: rebuilt, created, dropped
SELECT count(glperf.record_recommendation(glperf.recommendation_begin(), 'statistics', a, 'verify_test', 'base', 'glp_' || n,
	'x', 'y', '{}', 1, 1, 1, 1, 'high', '{}')) FROM (VALUES ('reindex', 'drop'), ('drop', 'merge'), ('create', 'none')) v(a, n);
SELECT glperf.notice_recommendations();
REINDEX INDEX CONCURRENTLY glp_drop;
DROP INDEX glp_merge;
SELECT glperf.notice_recommendations();
SELECT name, state FROM glperf.recommendation WHERE name ~ '(reindex|drop) .*glp_(drop|merge)$' ORDER BY name;
SELECT glperf.notice_recommendations();
-- the history says how much a statement's time varied before: a mean of ten
-- seconds over executions alike, or over a few long ones
CREATE TABLE varied (id int, v int);
PREPARE varied AS SELECT count(*) FROM varied WHERE v = 1;
EXECUTE varied;
SELECT queryid AS id FROM pg_stat_statements WHERE query ~ '^PREPARE varied' \gset
SELECT count(glperf.record_recommendation(glperf.recommendation_begin(), 'statistics', 'create', 'verify_test', 'varied', 'glp_varied',
	'x', 'y', ARRAY[:id]::int8[], 1, 1, 1, 1, 'high', '{}'));
SELECT glperf.recommendation_applied(glperf.recommendation_begin(), '{create verify_test.glp_varied}');
\o /dev/null
\set ECHO none
SELECT 'EXECUTE varied' FROM generate_series(1, 30) \gexec
\set ECHO all
\o
CREATE FUNCTION varied(few int8, cell int) RETURNS TABLE (calls_before int8, known_since bool, verdict text) LANGUAGE sql AS $$
	DELETE FROM glperf.history_statement;
	-- 100 executions, few of them in that cell
	INSERT INTO glperf.history_statement (taken_at, window_s, role, database, queryid, toplevel, calls, errors, total_ms, cells)
	SELECT b.taken_at, 0, current_user, current_database(), r.queryids[1], true, 100, 0, 1000000,
		glperf.histogram_pack((SELECT array_agg(CASE n WHEN cell THEN few WHEN 187 THEN 100 - few ELSE 0 END ORDER BY n)
			FROM generate_series(1, 240) n))
	FROM glperf.recommendation r JOIN glperf.recommendation_snapshot b ON b.id = r.before_snapshot
	WHERE r.index_name = 'glp_varied';
	SELECT e.calls_before, e.before_from_at IS NOT NULL, e.verdict FROM glperf.recommendation_effect('glp_varied') e
$$;
SELECT * FROM varied(0, 239);
SELECT * FROM varied(10, 239);
DELETE FROM glperf.history_statement;
-- too long ago
UPDATE glperf.recommendation SET applied_at = now() - interval '100 days';
SELECT count(*) FROM glperf.verify_recommendations();
DELETE FROM glperf.recommendation;
DROP ROLE glperf_verify_owner, glperf_verify_reader;
\set VERBOSITY terse
DROP SCHEMA verify_test CASCADE;

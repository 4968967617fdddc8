-- Index advice: what is recommended, what is left alone and why, and that
-- every statement is accounted for.
\set SHOW_CONTEXT never
CREATE SCHEMA advise_test;
SET search_path = advise_test, public;
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE executions (
	id int PRIMARY KEY,
	tenant_id int NOT NULL REFERENCES tenants,
	agent text NOT NULL,
	status text NOT NULL,
	created timestamptz NOT NULL,
	touched timestamptz,
	payload text);
CREATE TABLE steps (
	id int PRIMARY KEY,
	execution_id int NOT NULL REFERENCES executions,
	position int NOT NULL,
	body text);
INSERT INTO tenants SELECT i, 'tenant ' || i FROM generate_series(1, 200) i;
INSERT INTO executions SELECT i, i % 200 + 1, 'agent ' || i * 7919 % 300,
	CASE WHEN i % 60 = 0 THEN 'running' WHEN i % 61 = 0 THEN 'pending' ELSE 'done' END,
	'2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', NULL, repeat('x', 100)
FROM generate_series(1, 40000) i;
INSERT INTO steps SELECT i, i * 7 % 40000 + 1, i % 10, repeat('y', 60)
FROM generate_series(1, 60000) i;
VACUUM ANALYZE tenants, executions, steps;

CREATE FUNCTION statement(query text, calls int DEFAULT 1000, ms_per_call float8 DEFAULT 20,
	rows_per_call int DEFAULT 10) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_build_object('query', query, 'calls', calls,
		'time_ms', calls * ms_per_call, 'rows', calls * rows_per_call,
		'search_path', 'advise_test'))
$$;
CREATE FUNCTION advice(VARIADIC workload jsonb[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(ddl, 'glp_\w+_[0-9a-f]{8}\M', '...', 'g')
	FROM glperf.advise_indexes(workload =>
		(SELECT jsonb_agg(s) FROM unnest(workload) w, jsonb_array_elements(w) s))
$$;

-- equality, then order
SELECT advice(statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20'));
-- order alone, backwards
SELECT advice(statement('SELECT * FROM executions ORDER BY created DESC LIMIT 20'));
SELECT advice(statement('SELECT * FROM executions ORDER BY tenant_id, created DESC LIMIT 20'));
-- rare constants
SELECT advice(statement('SELECT * FROM executions WHERE status IN (''running'', ''pending'') ORDER BY created LIMIT 20'));
SELECT advice(statement('SELECT * FROM executions WHERE status = ''running'' ORDER BY created LIMIT 10'));
-- the join column of a foreign key
SELECT advice(statement('SELECT * FROM executions e JOIN steps s ON s.execution_id = e.id WHERE e.id = 7'));
-- all of that at once, and what is then redundant
SELECT advice(
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20'),
	statement('SELECT count(*) FROM executions WHERE agent = ''agent 9'' AND payload <> '''''),
	statement('SELECT * FROM executions ORDER BY created DESC LIMIT 20'),
	statement('SELECT * FROM executions WHERE status IN (''running'', ''pending'') ORDER BY created LIMIT 20'),
	statement('SELECT * FROM executions e JOIN steps s ON s.execution_id = e.id WHERE e.id = 7'));
SELECT outcome, reason, speedup_ratio > 2 AS faster, cardinality(indexes) AS indexes, query
FROM glperf.advised_statements() ORDER BY query COLLATE "C";
SELECT rank, action, schema_name, table_name, size_bytes > 0 AS sized,
	benefit_ms_per_day > 0 AS gains, write_cost_ms_per_day AS write_cost,
	benefit_pct > 1 AS worth_it, statements_helped AS helped, statements_hurt AS hurt,
	confidence, reasons[1] AS reason
FROM glperf.advise_indexes(workload =>
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20') ||
	statement('SELECT count(*) FROM executions WHERE agent = ''agent 9'' AND payload <> '''''));
SELECT reason FROM glperf.advise_indexes(workload =>
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20') ||
	statement('SELECT count(*) FROM executions WHERE agent = ''agent 9'' AND payload <> ''''')),
	unnest(reasons) AS reason
WHERE reason LIKE '%redundant%';

-- What exists already, or cannot help, is left alone.
SELECT advice(statement('SELECT * FROM executions WHERE id = 7'));
SELECT outcome, reason FROM glperf.advised_statements();
SELECT advice(statement('SELECT * FROM executions WHERE payload <> '''''));
SELECT outcome, reason FROM glperf.advised_statements();
SELECT advice(statement('SELECT * FROM tenants WHERE name = ''tenant 7'''));
SELECT outcome, reason FROM glperf.advised_statements();
-- each row of a result compared with all of it; grouped once instead; a table
-- in its place, which an index helps
CREATE FUNCTION why(query text) RETURNS TABLE (outcome text, reason text) LANGUAGE sql AS $$
	SELECT FROM advice(statement(query));
	SELECT outcome, reason FROM glperf.advised_statements();
$$;
SELECT * FROM why('WITH "Work" AS (SELECT execution_id, position, count(*) AS n FROM steps GROUP BY 1, 2)
	SELECT * FROM "Work" w WHERE n > (SELECT avg(n) FROM "Work" o WHERE o.position = w.position)');
SELECT * FROM why('WITH work AS (SELECT execution_id, position, count(*) AS n FROM steps GROUP BY 1, 2),
	mean AS (SELECT position, avg(n) AS n FROM work GROUP BY 1)
	SELECT * FROM work w JOIN mean USING (position) WHERE w.n > mean.n');
SELECT * FROM why('WITH few AS MATERIALIZED (SELECT * FROM tenants WHERE id < 5)
	SELECT count(*), (SELECT sum(id) FROM few o WHERE o.id < f.id) FROM few f, steps WHERE body <> '''' GROUP BY f.id');
SELECT * FROM why('SELECT * FROM executions w WHERE touched > (SELECT avg(id) * interval ''1 s'' + now() FROM executions o WHERE o.agent = w.agent)');
CREATE INDEX existing ON executions (agent, created);
SELECT advice(statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20'),
	statement('SELECT * FROM executions WHERE agent = ''agent 7'''));
-- an invalid one does nothing for anybody
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'existing'::regclass;
SELECT advice(statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20'));
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'existing'::regclass;
DROP INDEX existing;
-- one that the new index makes pointless is named
CREATE INDEX existing ON executions (agent);
SELECT reason FROM glperf.advise_indexes(workload =>
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20')),
	unnest(reasons) AS reason
WHERE reason LIKE '%existing%';
DROP INDEX existing;

-- Budgets and limits.
CREATE FUNCTION workload() RETURNS jsonb LANGUAGE sql AS $$
	SELECT statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20', 3000)
		|| statement('SELECT * FROM executions ORDER BY created DESC LIMIT 20', 2000)
		|| statement('SELECT * FROM executions e JOIN steps s ON s.execution_id = e.id WHERE e.id = 7', 1000)
$$;
SELECT count(*) FROM glperf.advise_indexes(workload => workload());
SELECT count(*) FROM glperf.advise_indexes(0, workload => workload());
SELECT budget_bytes, used_bytes, no_gain, gain_ms_per_day, complete FROM glperf.advice_summary();
SELECT count(*) > 0 AS some, sum(size_bytes) <= 1200000 AS within
FROM glperf.advise_indexes(1200000, workload => workload());
SELECT rank, table_name FROM glperf.advise_indexes(max_indexes => 1, workload => workload());
SELECT count(*) FROM glperf.advise_indexes(max_indexes => 0, workload => workload());
SELECT count(*) FROM glperf.advise_indexes(min_benefit_pct => 40, workload => workload());
SELECT count(*) FROM glperf.advise_indexes(min_benefit_pct => 100, workload => workload());
SELECT count(*) FROM glperf.advise_indexes(9223372036854775807, 2147483647, 0, 2147483647, workload());
SELECT glperf.advise_indexes(-1);
SELECT glperf.advise_indexes(max_indexes => -1);
SELECT glperf.advise_indexes(min_benefit_pct => -0.1);
SELECT glperf.advise_indexes(min_benefit_pct => 100.1);
SELECT glperf.advise_indexes(min_benefit_pct => 'NaN');
SELECT glperf.advise_indexes(min_benefit_pct => 'Infinity');
SELECT glperf.advise_indexes(time_limit_ms => 0);
SELECT glperf.advise_indexes(time_limit_ms => -1);
-- workloads that are none
SELECT glperf.advise_indexes(workload => '{}');
SELECT glperf.advise_indexes(workload => '1');
SELECT glperf.advise_indexes(workload => 'null');
SELECT glperf.advise_indexes(workload => '[1]');
SELECT glperf.advise_indexes(workload => '[{"query": 1, "calls": "many"}]');
SELECT count(*) FROM glperf.advise_indexes(workload => '[]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1"}, {"query": "SELECT 1", "calls": "many"}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "calls": 1e400}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "time_ms": -1}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "samples": {}}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "samples": [5]}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "samples": [{"seen": 1}]}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "samples": [{"query": "SELECT 1", "seen": -1}]}]');
SELECT glperf.advise_indexes(workload => '[{"query": "SELECT 1", "calls": 1.5}]');
SELECT glperf.advise_indexes(workload => '{"statements": [], "recorded": "yes"}');
SELECT glperf.advise_indexes(workload => '[{}]');
SELECT count(*) FROM glperf.advise_indexes(workload => '[{}, {"query": null}, {"query": ""}, {"query": "SELECT 1", "calls": -5, "time_ms": -1, "rows": -1}, {"query": "SELECT 1", "role": "nobody knows"}, {"query": "SELECT 1", "search_path": "\"open"}]');
SELECT outcome, reason, query FROM glperf.advised_statements();

-- Upkeep: what is written all the time and read seldom gets no index.
SELECT advice(statement('SELECT count(*) FROM executions WHERE touched > ''2026-01-01''', 10, 5, 1),
	statement('UPDATE executions SET touched = now() WHERE id = 7', 5000000, 0.02, 1));
SELECT outcome, reason, left(query, 30) AS query FROM glperf.advised_statements() ORDER BY query;
SELECT advice(statement('SELECT count(*) FROM executions WHERE touched > ''2026-01-01''', 100000, 5, 1),
	statement('UPDATE executions SET touched = now() WHERE id = 7', 5000, 0.02, 1));
SELECT statements_hurt AS hurt, write_cost_ms_per_day > 0 AS costs, wal_bytes_per_day > 0 AS wal
FROM glperf.advise_indexes(workload =>
	statement('SELECT count(*) FROM executions WHERE touched > ''2026-01-01''', 100000, 5, 1)
	|| statement('UPDATE executions SET touched = now() WHERE id = 7', 5000, 0.02, 1));

-- The same question gets the same answer.
CREATE TEMP TABLE first AS SELECT * FROM glperf.advise_indexes(workload => workload());
CREATE TEMP TABLE second AS SELECT * FROM glperf.advise_indexes(workload => workload());
SELECT count(*) > 0 AS some, (SELECT count(*) FROM (TABLE first EXCEPT TABLE second) d) AS different
FROM first;

-- Normalised statements, as pg_stat_statements has them without samples:
-- typed literals are mended, so far as they can be.
CREATE FUNCTION analysable(query text) RETURNS text LANGUAGE sql AS $$
	SELECT count(*)::text FROM glperf.advise_indexes(workload => statement(query));
	SELECT CASE outcome WHEN 'not analysable' THEN reason ELSE 'yes' END
	FROM glperf.advised_statements();
$$;
SELECT query, analysable(query) FROM (VALUES
	('SELECT * FROM executions WHERE created > now() - interval $1'),
	('SELECT * FROM executions WHERE created > now() - interval $1 day'),
	('SELECT * FROM executions WHERE created > now() - interval $1 hour to second'),
	('SELECT * FROM executions WHERE created > date $1'),
	('SELECT * FROM executions WHERE created > timestamp $1'),
	('SELECT * FROM executions WHERE created > timestamptz $1'),
	('SELECT * FROM executions WHERE created > timestamp with time zone $1 AND id = $2'),
	('SELECT * FROM executions WHERE created > timestamp without time zone $1'),
	('SELECT * FROM executions WHERE created::time > time $1'),
	('SELECT extract($1 from created) FROM executions WHERE id = $2'),
	('SELECT extract($1 FROM created - interval $2) FROM executions'),
	('SELECT date $1 + interval $2, "interval", $3 FROM (SELECT 1 AS "interval") s'),
	('SELECT * FROM executions WHERE agent = text $1'),
	('SELECT * FROM executions WHERE id = int4 $1'),
	('SELECT * FROM executions WHERE id > double precision $1'),
	('SELECT * FROM executions WHERE agent = pg_catalog.varchar $1'),
	('SELECT * FROM executions WHERE tableoid = regclass $1'),
	('SELECT * FROM executions WHERE created > timestamp(3) $1'),
	('SELECT count($1) FROM executions'),
	('SELECT concat($1, agent) FROM executions'),
	('SELECT jsonb_build_object($1, agent) FROM executions WHERE id = $2'),
	('SELECT * FROM generate_series($1, $2)'),
	('SELECT ''interval $1'', "date" FROM (SELECT $1 AS "date") s -- interval $1'),
	('SELECT * FROM executions WHERE id IN ($1 /*, ... */)'),
	('SELECT * FROM executions ORDER BY agent LIMIT $1 OFFSET $2'),
	('SELECT * FROM executions WHERE created BETWEEN $1 AND $2 AND agent LIKE $3'))
	AS q (query);

-- pg_stat_statements: every statement of this database is accounted for, and
-- the ones that cannot be planned are named with the reason.
CREATE ROLE advise_app;
GRANT USAGE ON SCHEMA advise_test TO advise_app;
GRANT SELECT ON ALL TABLES IN SCHEMA advise_test TO advise_app;
CREATE ROLE advise_gone SUPERUSER;
CREATE ROLE advise_watch IN ROLE pg_monitor;
CREATE TABLE dropped (a int);
CREATE TABLE changed (a int, b int);
CREATE TABLE revoked (a int);
GRANT SELECT ON revoked TO advise_app;
SET glperf.sample_parameters = off;
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
SET ROLE advise_app;
\o /dev/null
SELECT 'SELECT id FROM advise_test.executions WHERE agent = ''agent ' || i || ''' ORDER BY created DESC LIMIT 5'
FROM generate_series(1, 20) i \gexec
SELECT 'SELECT count(*) FROM advise_test.steps WHERE execution_id = ' || i
FROM generate_series(1, 20) i \gexec
SELECT count(*) FROM advise_test.executions WHERE created < timestamptz '2025-01-01' - interval '1 day';
SELECT * FROM advise_test.revoked WHERE a = 1;
RESET ROLE;
SET ROLE advise_gone;
SELECT count(*) FROM advise_test.executions WHERE id < 5;
RESET ROLE;
SELECT a AS dropped_table FROM dropped;
SELECT b AS changed_table FROM changed;
CREATE TEMP TABLE temporary AS SELECT 1 AS a;
SELECT a AS temporary_table FROM temporary;
COPY tenants TO STDOUT;
\o
DROP TABLE temporary;
DROP TABLE dropped;
ALTER TABLE changed DROP COLUMN b;
REVOKE SELECT ON revoked FROM advise_app;
DROP ROLE advise_gone;
SELECT DISTINCT regexp_replace(ddl, '^.* ON | INCLUDE .*$', '', 'g') AS index, confidence
FROM glperf.advise_indexes() ORDER BY index;
SELECT outcome, reason, query FROM glperf.advised_statements()
WHERE query ~ '^(SELECT|COPY)' AND query !~ 'pg_stat_statements|glperf\.' ORDER BY query COLLATE "C", outcome;
CREATE FUNCTION all_accounted_for() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM glperf.advise_indexes();
	RETURN (SELECT statements FROM glperf.advice_summary()) = (SELECT count(*)
		FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid WHERE datname = current_database());
END $$;
SELECT all_accounted_for();
SELECT statements = advised + no_gain + not_analysable AS adds_up, advised > 0 AS some, complete
FROM glperf.advice_summary();
SELECT count(*) = statements AS one_row_each, count(reason) = no_gain + not_analysable AS reasons
FROM glperf.advised_statements(), glperf.advice_summary() GROUP BY statements, no_gain, not_analysable;
-- asking changes nothing in what is asked about
SELECT count(*) AS calls_of_our_own FROM pg_stat_statements
WHERE query LIKE '%advise_test.executions WHERE agent = %' AND calls <> 20;
-- a monitoring role without any right on the tables gets the same advice
SET ROLE advise_watch;
SELECT count(*) FROM advise_test.executions;
SELECT DISTINCT regexp_replace(ddl, '^.* ON | INCLUDE .*$', '', 'g') AS index, confidence
FROM glperf.advise_indexes() ORDER BY index;
RESET ROLE;
SET ROLE advise_app;
SELECT glperf.advise_indexes();
RESET ROLE;
-- the time limit ends the run with what there is
SELECT count(*) >= 0 AS ended FROM glperf.advise_indexes(time_limit_ms => 1);
RESET glperf.sample_parameters;

-- Hostile names: the DDL executes, gives the promised index, and can be undone.
CREATE SCHEMA "advise; DROP";
CREATE TABLE "advise; DROP"."ta""ble '--" ("se""lect" int, "new
line" text COLLATE "POSIX", "select" int, "aÄÖÜäöüßéèêàâôûçñÄÖÜäöüßéèêàâôûç" int,
	"/*" int);
INSERT INTO "advise; DROP"."ta""ble '--" SELECT i, i, i, i, i FROM generate_series(1, 20000) i;
CREATE TABLE "advise; DROP"."aÄÖÜäöüßéèêàâôûçñÄÖÜäöüßéèêàâôûç" AS TABLE "advise; DROP"."ta""ble '--";
ANALYZE "advise; DROP"."ta""ble '--", "advise; DROP"."aÄÖÜäöüßéèêàâôûçñÄÖÜäöüßéèêàâôûç";
CREATE TEMP TABLE hostile AS
SELECT n, a.* FROM (
	SELECT row_number() OVER (ORDER BY relname COLLATE "C", attnum) AS n,
		format('SELECT * FROM %s WHERE %I = %L', attrelid::regclass, attname, '7') AS query
	FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
	WHERE relnamespace = '"advise; DROP"'::regnamespace AND relkind = 'r' AND attnum > 0
	UNION ALL
	SELECT 100, 'SELECT * FROM "advise; DROP"."ta""ble ''--" WHERE "new
line" > ''it''''s'' AND "select" = 7 ORDER BY "se""lect" DESC LIMIT 3'
	UNION ALL
	SELECT 101, 'SELECT * FROM "advise; DROP"."ta""ble ''--" WHERE upper("new
line") = ''7''') q,
	glperf.advise_indexes(workload => statement(query)) a
WHERE action = 'create';
SELECT count(*), count(DISTINCT index_name) AS names, max(octet_length(index_name)) <= 63 AS fit,
	bool_and(cardinality(steps) = 1 AND steps[1] = ddl) AS steps_are_ddl
FROM hostile;
SELECT ddl FROM hostile GROUP BY ddl ORDER BY min(n) \gexec
SELECT n, translate(replace(pg_get_indexdef(format('%I.%I', schema_name, index_name)::regclass),
	' USING btree', ''), '()', '') = translate(replace(ddl, ' CONCURRENTLY', ''), '()', '') AS promised
FROM hostile ORDER BY n;
SELECT undo_ddl FROM hostile GROUP BY undo_ddl ORDER BY min(n) \gexec
SELECT count(*) FROM pg_index WHERE indrelid = '"advise; DROP"."ta""ble ''--"'::regclass;

-- A partition tree whose parts number their columns differently, one of which
-- is also read directly: one index for all, built leaf by leaf.
CREATE TABLE parted (id int, k int, v text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10000);
CREATE TABLE parted_2 (v text, k int, id int);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10000) TO (20000);
INSERT INTO parted SELECT i, nullif(i % 50, 0), md5(i::text) || repeat('p', 80) FROM generate_series(0, 19999) i;
ANALYZE parted;
CREATE TEMP TABLE parted_steps AS SELECT n, step FROM glperf.advise_indexes(workload =>
	statement('SELECT * FROM parted WHERE k IS NULL AND v < ''0a''') ||
	statement('SELECT * FROM parted_2 WHERE k IS NULL AND v < ''0a''')),
	unnest(steps) WITH ORDINALITY AS u (step, n);
SELECT regexp_replace(step, 'glp_\w+_[0-9a-f]{8}\M', '...', 'g') AS step FROM parted_steps ORDER BY n;
\set ECHO none
SELECT step FROM parted_steps ORDER BY n \gexec
\set ECHO all
SELECT relname, indisvalid FROM pg_index JOIN pg_class c ON c.oid = indrelid
WHERE relname LIKE 'parted%' ORDER BY relname;
-- One of many values is no condition of an index: there will be another one next
-- time, for a table with parts as for any.
CREATE TABLE keyed (id int, v int, note text) PARTITION BY HASH (v);
\set ECHO none
SELECT format('CREATE TABLE keyed_%s PARTITION OF keyed FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i)
FROM generate_series(0, 7) i \gexec
\set ECHO all
INSERT INTO keyed SELECT i, i, repeat('n', 100) FROM generate_series(1, 20000) i;
ANALYZE keyed;
SELECT regexp_replace(steps[1], 'glp_\w+_[0-9a-f]{8}\M', '...', 'g') AS step FROM glperf.advise_indexes(workload =>
	statement('SELECT * FROM keyed WHERE id = 555'));

RESET search_path;
SET client_min_messages = warning;
DROP OWNED BY advise_app, advise_watch;
DROP ROLE advise_app, advise_watch;
DROP SCHEMA advise_test, "advise; DROP" CASCADE;

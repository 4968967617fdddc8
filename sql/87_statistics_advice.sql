-- Statistics that the planner lacks: proposed before the indexes that depend
-- on them, gains computed as if they existed, and silence where they would
-- not help.
\set SHOW_CONTEXT never
CREATE SCHEMA stat_test;
SET search_path = stat_test, public;
-- what is recomputed are the planner's costs
SET glperf.cost_model = 'planner';
CREATE TABLE people (id int PRIMARY KEY, name text, note text);
INSERT INTO people SELECT i, 'Name ' || i, repeat('x', 60)
FROM generate_series(1, 100000) i;
-- a zip code lies in one city; kind and colour have nothing to do with it
CREATE TABLE addresses (id int PRIMARY KEY, city int, zip int, kind int,
	colour int, note text);
INSERT INTO addresses SELECT i, i * 7919 % 1000 / 20, i * 7919 % 1000,
	i % 7, i * 31 % 1009, repeat('x', 60)
FROM generate_series(1, 100000) i;
ANALYZE people, addresses;

CREATE FUNCTION statement(query text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_build_object('query', query, 'calls', 1000,
		'time_ms', 20000, 'rows', 1000, 'search_path', 'stat_test'))
$$;
-- what is recommended for one statement, hashes taken out
CREATE FUNCTION advice(query text) RETURNS TABLE (rank int, action text,
	ddl text, undo_ddl text) LANGUAGE sql AS $$
	SELECT rank, action, regexp_replace(ddl, '_[0-9a-f]{8}\M', '_...', 'g'),
		regexp_replace(undo_ddl, '_[0-9a-f]{8}\M', '_...', 'g')
	FROM glperf.advise_indexes(workload => statement(query))
$$;
CREATE FUNCTION statistics_for(query text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT action || ': ' || regexp_replace(ddl, '_[0-9a-f]{8}\M', '_...', 'g')
	FROM glperf.advise_indexes(workload => statement(query))
	WHERE action IN ('create statistics', 'analyze')
$$;

-- An expression without statistics is taken for one row in 200: 500 rows.
\set by_name 'SELECT * FROM people WHERE lower(name) = ''name 77'''
SELECT * FROM advice(:'by_name');
SELECT outcome, cost_before > 1000 AS dear_before, cost_after < 20 AS one_row_after
FROM glperf.advised_statements();
SELECT action, reason FROM glperf.advise_indexes(workload => statement(:'by_name')),
	unnest(reasons) AS reason
WHERE reason ~ 'statistics' ORDER BY rank;
-- an unknown value
SELECT * FROM statistics_for('SELECT * FROM people WHERE lower(name) = $1');
-- what is recommended can be carried out, and then there is nothing to add
CREATE TEMP TABLE steps AS SELECT rank, n, step
FROM glperf.advise_indexes(workload => statement(:'by_name')),
	unnest(steps) WITH ORDINALITY AS u (step, n)
WHERE action = 'create statistics';
\set ECHO none
SELECT step FROM steps ORDER BY rank, n \gexec
\set ECHO all
SELECT * FROM advice(:'by_name');
SELECT cost_before > 1000 AS dear_before, cost_after < 20 AS one_row_after
FROM glperf.advised_statements();
DROP TABLE steps;
-- statistics that exist, but hold nothing yet
SELECT format('DROP STATISTICS %I.%I', stxnamespace::regnamespace, stxname)
	AS command FROM pg_statistic_ext WHERE stxrelid = 'people'::regclass \gset
:command;
CREATE STATISTICS empty ON (lower(name)) FROM people;
SELECT * FROM statistics_for(:'by_name');
DROP STATISTICS empty;
-- an index on the expression brings statistics of its own
CREATE INDEX people_lower ON people (lower(name));
ANALYZE people;
SELECT * FROM advice(:'by_name');
DROP INDEX people_lower;
-- an expression of which half a per cent is right
SELECT * FROM statistics_for('SELECT * FROM people WHERE id % 200 = 7');
-- functions of people are not run on samples: unknown
CREATE FUNCTION own(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RAISE WARNING 'own() has run on %', $1; RETURN $1; END $$;
CREATE ROLE stat_owner;
GRANT USAGE, CREATE ON SCHEMA stat_test TO stat_owner;
ALTER TABLE people OWNER TO stat_owner;
CREATE FUNCTION advice_as(role text, query text) RETURNS TABLE (rank int,
	action text, confidence text, reason text) LANGUAGE sql AS $$
	SELECT rank, action, confidence, reason FROM glperf.advise_indexes(workload =>
		jsonb_set(statement(query), '{0,role}', to_jsonb(role))),
		unnest(reasons) AS reason
	WHERE reason ~ 'statistics|unknown until'
$$;
SELECT * FROM advice_as('stat_owner', 'SELECT * FROM people WHERE own(name) = ''Name 77''');

-- Columns that depend on each other: 100 rows, not 2.
\set by_zip 'SELECT * FROM addresses WHERE city = 17 AND zip = 345'
SELECT * FROM statistics_for(:'by_zip');
SELECT cost_after AS with_statistics FROM glperf.advised_statements() \gset
SELECT * FROM statistics_for('SELECT * FROM addresses WHERE zip = $1 AND city = $2');
-- the planner would AND two bitmaps and believe in one row: one index does
SELECT count(*) FROM advice('SELECT * FROM addresses WHERE zip = $1 AND city = $2')
WHERE action = 'create';
CREATE TEMP TABLE steps AS SELECT n, step
FROM glperf.advise_indexes(workload => statement(:'by_zip')),
	unnest(steps) WITH ORDINALITY AS u (step, n)
WHERE action = 'create statistics';
\set ECHO none
SELECT step FROM steps ORDER BY n \gexec
\set ECHO all
SELECT * FROM statistics_for(:'by_zip');
SELECT cost_after / :with_statistics BETWEEN 0.5 AND 2 AS as_computed
FROM glperf.advised_statements();
SELECT format('DROP STATISTICS %I.%I', stxnamespace::regnamespace, stxname)
	AS command FROM pg_statistic_ext WHERE stxrelid = 'addresses'::regclass \gset
:command;
-- one column says it all, or the columns are independent
SELECT * FROM statistics_for('SELECT * FROM addresses WHERE zip = 345');
SELECT * FROM statistics_for('SELECT * FROM addresses WHERE kind = 3 AND colour = 31');
SELECT * FROM statistics_for('SELECT * FROM addresses WHERE kind = $1 AND colour = $2');
SELECT * FROM statistics_for('SELECT * FROM addresses WHERE city = 17 OR zip = 345');
-- a few common pairs, where neither column determines the other
CREATE TABLE pairs (a int, b int, note text);
INSERT INTO pairs SELECT i % 40, i / 40 * 13 % 997, repeat('x', 60)
FROM generate_series(1, 60000) i;
INSERT INTO pairs SELECT 7, 7, repeat('x', 60) FROM generate_series(1, 700) i;
ANALYZE pairs;
SELECT * FROM statistics_for('SELECT * FROM pairs WHERE a = 7 AND b = 7');
-- groups
SELECT * FROM advice('SELECT city, zip, count(*) FROM addresses GROUP BY zip, city');
SELECT reason FROM glperf.advise_indexes(workload =>
	statement('SELECT city, zip, count(*) FROM addresses GROUP BY zip, city')),
	unnest(reasons) AS reason
WHERE reason ~ 'unknown until';
SELECT * FROM statistics_for('SELECT DISTINCT city, zip FROM addresses');
SELECT * FROM statistics_for('SELECT kind, colour, count(*) FROM addresses GROUP BY kind, colour');
CREATE STATISTICS known (ndistinct) ON zip, city FROM addresses;
SELECT * FROM statistics_for('SELECT city, zip, count(*) FROM addresses GROUP BY zip, city');
ANALYZE addresses;
SELECT * FROM statistics_for('SELECT city, zip, count(*) FROM addresses GROUP BY zip, city');
DROP STATISTICS known;
-- both at once are one object
SELECT * FROM statistics_for('SELECT city, zip, count(*) FROM addresses WHERE zip = 345 AND city = 17 GROUP BY zip, city');
-- several objects of one table have names of their own, and nobody else's
CREATE FUNCTION names(query text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT index_name FROM glperf.advise_indexes(workload => statement(query) ||
		statement('SELECT * FROM addresses WHERE colour % 2 = 1'))
	WHERE action = 'create statistics' ORDER BY 1
$$;
CREATE TEMP TABLE own AS SELECT n AS name FROM names(:'by_zip') n;
SELECT count(DISTINCT name) FROM own;
SELECT format('CREATE STATISTICS %I ON id, note FROM people', min(name)) AS command,
	min(name) AS taken FROM own \gset
:command;
SELECT count(DISTINCT n), count(*) FILTER (WHERE n = :'taken') AS taken,
	count(*) FILTER (WHERE n = :'taken' || '_2') AS another,
	count(*) FILTER (WHERE n IN (SELECT name FROM own)) AS as_before
FROM names(:'by_zip') n;
SELECT ddl ~ format('^CREATE STATISTICS stat_test.%s ', index_name) AS in_ddl,
	undo_ddl = format('DROP STATISTICS stat_test.%s', index_name) AS in_undo
FROM glperf.advise_indexes(workload => statement(:'by_zip')) WHERE action = 'create statistics';
SELECT format('DROP STATISTICS %I', :'taken') AS command \gset
:command;
-- objects that wait for the same ANALYZE; one that never is to be filled
CREATE STATISTICS wait_1 (dependencies) ON zip, city FROM addresses;
CREATE STATISTICS wait_2 ON (colour % 2) FROM addresses;
SELECT action, ddl, (SELECT count(*) FROM unnest(reasons) r WHERE r ~ 'no data yet') AS objects
FROM glperf.advise_indexes(workload => statement(:'by_zip') ||
	statement('SELECT * FROM addresses WHERE colour % 2 = 1'))
WHERE action = 'analyze';
ALTER STATISTICS wait_1 SET STATISTICS 0;
SELECT * FROM statistics_for(:'by_zip');
DROP STATISTICS wait_1, wait_2;
-- a table that was never analysed needs that first, and too small a table nothing
CREATE TABLE fresh AS TABLE addresses;
SELECT * FROM statistics_for('SELECT * FROM fresh WHERE city = 17 AND zip = 345');
CREATE TABLE small AS SELECT * FROM addresses LIMIT 500;
ANALYZE small;
SELECT * FROM statistics_for('SELECT * FROM small WHERE city = 17 AND zip = 345');
-- asking again gives the same answer
SELECT count(*) FROM (SELECT DISTINCT ddl FROM generate_series(1, 3),
	LATERAL glperf.advise_indexes(workload => statement(:'by_zip'))) d;

-- Partitioned tables: of the only partition that is read, whether the statement
-- names it or not, as if it had them; of the whole what autovacuum leaves out.
CREATE TABLE parts (id int, region int, city int, zip int, note text) PARTITION BY LIST (region);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1) WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE parts_2a PARTITION OF parts_2 FOR VALUES FROM (0) TO (1000000) WITH (autovacuum_enabled = off);
INSERT INTO parts SELECT id, 1 + id % 2, city, zip, note FROM addresses;
ANALYZE parts_1, parts_2a;
SELECT rank, action, ddl, undo_ddl FROM advice('SELECT * FROM parts WHERE region = 1 AND city = 17 AND zip = 344');
SELECT * FROM statistics_for('SELECT * FROM parts_1 WHERE city = 17 AND zip = 344');
SELECT * FROM statistics_for('SELECT * FROM parts WHERE region = 2 AND city = 17 AND zip = 345');
SELECT cost_after AS with_statistics FROM glperf.advised_statements() \gset
CREATE STATISTICS parts_2a_city_zip (dependencies) ON city, zip FROM parts_2a;
ANALYZE parts_2a;
SELECT * FROM statistics_for('SELECT * FROM parts WHERE region = 2 AND city = 17 AND zip = 345');
SELECT cost_after / :with_statistics BETWEEN 0.5 AND 2 AS as_computed FROM glperf.whatif(
	'SELECT * FROM parts WHERE region = 2 AND city = 17 AND zip = 345', ARRAY['CREATE INDEX ON parts (region, city, zip)']);
SELECT * FROM statistics_for('SELECT * FROM parts WHERE region = 1 AND zip % 20 = 4');
-- of several partitions nothing is said
SELECT * FROM statistics_for('SELECT * FROM parts WHERE city = 17 AND zip = 345');
SELECT * FROM statistics_for('SELECT zip, count(*) FROM parts GROUP BY zip');
SELECT * FROM statistics_for('SELECT * FROM parts JOIN people USING (id) WHERE people.id < 100');
ANALYZE parts;
SELECT * FROM statistics_for('SELECT zip, count(*) FROM parts GROUP BY zip');
INSERT INTO parts SELECT id + 200000, 2, city, zip, note FROM addresses;
ANALYZE parts_2a;
SELECT * FROM statistics_for('SELECT zip, count(*) FROM parts GROUP BY zip');

-- Hostile names.
CREATE TABLE "ta""ble '--" ("se""lect" int, "new
line" int, "/*" text);
INSERT INTO "ta""ble '--" SELECT i / 10 % 20, i / 10 % 1000, i FROM generate_series(1, 50000) i;
ANALYZE "ta""ble '--";
CREATE TEMP TABLE hostile AS
SELECT a.rank, n, step, undo_ddl FROM glperf.advise_indexes(workload => statement(
	'SELECT * FROM "ta""ble ''--" WHERE "se""lect" = 7 AND "new
line" = 27') || statement('SELECT * FROM "ta""ble ''--" WHERE upper("/*") = ''7''')) a,
	unnest(steps) WITH ORDINALITY AS u (step, n)
WHERE action = 'create statistics';
SELECT count(*) FROM hostile;
\set ECHO none
SELECT step FROM hostile ORDER BY rank, n \gexec
\set ECHO all
SELECT stxkeys, cardinality(stxkind) > 0 AS kinds, stxexprs IS NOT NULL AS expression
FROM pg_statistic_ext WHERE stxrelid = '"ta""ble ''--"'::regclass ORDER BY 1;
SELECT undo_ddl FROM hostile WHERE n = 1 ORDER BY rank \gexec
SELECT count(*) FROM pg_statistic_ext WHERE stxrelid = '"ta""ble ''--"'::regclass;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA stat_test CASCADE;
DROP ROLE stat_owner;

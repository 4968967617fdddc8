-- Planning as if indexes existed: that they are seen for what they would be,
-- and that nothing at all is left behind.  Plans are shown without costs.
CREATE SCHEMA whatif_test;
SET search_path = whatif_test, public;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE t (
	id int PRIMARY KEY,
	agent text NOT NULL,
	status text NOT NULL,
	created timestamptz NOT NULL,
	score int,
	tags int[],
	note text);
INSERT INTO t SELECT i, 'agent ' || i * 7919 % 500,
	CASE WHEN i % 50 = 0 THEN 'running' ELSE 'done' END,
	'2026-01-01 00:00+00'::timestamptz + i * interval '1 minute',
	i * 104729 % 20011, ARRAY[i % 1000], repeat('x', 60)
FROM generate_series(1, 20000) i;
VACUUM ANALYZE t;

CREATE FUNCTION plan(query text, VARIADIC ddl text[] DEFAULT '{}')
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT line FROM glperf.whatif(query, ddl),
		regexp_split_to_table(regexp_replace(plan_after,
			'  \(cost=[^)]*\)', '', 'g'), '\n') line
$$;
CREATE FUNCTION gain(query text, VARIADIC ddl text[] DEFAULT '{}')
RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN gain_pct > 90 THEN 'over 90 %' WHEN gain_pct > 10 THEN 'over 10 %'
		WHEN gain_pct > 0 THEN 'little' WHEN gain_pct = 0 THEN 'none' ELSE 'loss' END
		|| ', using ' || indexes_used::text
	FROM glperf.whatif(query, ddl)
$$;

-- A made-up index is used as the real one would be.
SELECT plan('SELECT * FROM t WHERE agent = ''agent 7''', 'CREATE INDEX i ON t (agent)');
SELECT gain('SELECT * FROM t WHERE score = 7', 'CREATE INDEX i ON t (score)');
SELECT plan('SELECT * FROM t WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 5',
	'CREATE INDEX i ON t (agent, created DESC)');
SELECT plan('SELECT * FROM t ORDER BY score DESC NULLS LAST, created LIMIT 5',
	'CREATE INDEX i ON t (score DESC NULLS LAST, created)');
-- the other way round would need a sort
SELECT plan('SELECT * FROM t ORDER BY score DESC NULLS LAST, created LIMIT 5',
	'CREATE INDEX i ON t (score DESC, created)');
-- several columns, several indexes, the better one is chosen
SELECT gain('SELECT * FROM t WHERE agent = ''agent 7'' AND score > 100',
	'CREATE INDEX a ON t (agent)', 'CREATE INDEX b ON t (agent, score)');
-- index-only, thanks to INCLUDE
SELECT plan('SELECT sum(score) FROM t WHERE agent = ''agent 7''',
	'CREATE INDEX i ON t (agent) INCLUDE (score)');
-- partial: with the constant it is used, with another it is not
SELECT plan('SELECT * FROM t WHERE status = ''running'' ORDER BY created LIMIT 5',
	'CREATE INDEX i ON t (created) WHERE status = ''running''');
SELECT gain('SELECT * FROM t WHERE status = ''done'' ORDER BY created LIMIT 5',
	'CREATE INDEX i ON t (created) WHERE status = ''running''');
-- expression
SELECT gain('SELECT * FROM t WHERE lower(agent) = ''agent 7''',
	'CREATE INDEX i ON t (lower(agent))');
-- operator class and collation
SELECT gain('SELECT * FROM t WHERE agent LIKE ''agent 77%''',
	'CREATE INDEX i ON t (agent text_pattern_ops)');
SELECT gain('SELECT * FROM t WHERE agent COLLATE "C" = ''agent 7''',
	'CREATE INDEX i ON t (agent COLLATE "C")');
-- a schema-qualified table, no name of its own
SELECT indexes_used[1] LIKE 'glp\_t\_score\_%' AS named
FROM glperf.whatif('SELECT * FROM t WHERE score = 7',
	ARRAY['CREATE INDEX CONCURRENTLY ON whatif_test.t (score)']);
-- other access methods
SELECT gain('SELECT * FROM t WHERE score = 7', 'CREATE INDEX i ON t USING hash (score)');
SELECT gain('SELECT * FROM t WHERE tags @> ''{7}''', 'CREATE INDEX i ON t USING gin (tags)');
SELECT gain('SELECT count(*) FROM t WHERE created < ''2026-01-01 02:00+00''',
	'CREATE INDEX i ON t USING brin (created)');

-- inner side of a join
CREATE TABLE child (id int PRIMARY KEY, t_id int NOT NULL, body text);
INSERT INTO child SELECT i, i * 7 % 20000 + 1, repeat('y', 80)
FROM generate_series(1, 20000) i;
VACUUM ANALYZE child;
SELECT plan('SELECT * FROM t JOIN child ON child.t_id = t.id WHERE t.agent = ''agent 7'' AND t.score < 1000',
	'CREATE INDEX ON t (agent, score)', 'CREATE INDEX c ON child (t_id)') AS plan
OFFSET 1;

-- A statement that writes, a view, parameters.
SELECT plan('UPDATE t SET note = ''z'' WHERE score = 7', 'CREATE INDEX i ON t (score)');
SELECT plan('DELETE FROM t WHERE score = 7', 'CREATE INDEX i ON t (score)');
SELECT gain('INSERT INTO child SELECT score, id, note FROM t WHERE score = 7',
	'CREATE INDEX i ON t (score)');
CREATE VIEW running AS SELECT * FROM t WHERE status = 'running';
SELECT plan('SELECT * FROM running ORDER BY created DESC LIMIT 3',
	'CREATE INDEX i ON t (created) WHERE status = ''running''');
SELECT gain('SELECT * FROM t WHERE score = $1 AND created > $2', 'CREATE INDEX i ON t (score)');
SELECT gain('SELECT * FROM t WHERE score = ANY ($1) LIMIT $2', 'CREATE INDEX i ON t (score)');
-- nothing proves the predicate for a value that is not known
SELECT gain('SELECT * FROM t WHERE status = $1 ORDER BY created LIMIT 5',
	'CREATE INDEX i ON t (created) WHERE status = ''running''');
SELECT gain('EXPLAIN SELECT * FROM t WHERE score = 7', 'CREATE INDEX i ON t (score)');
SELECT gain('DECLARE c CURSOR FOR SELECT * FROM t WHERE score = 7', 'CREATE INDEX i ON t (score)');
SELECT gain('CREATE TABLE n AS SELECT * FROM t WHERE score = 7', 'CREATE INDEX i ON t (score)');
-- no DDL: the plan as it is
SELECT plan('SELECT * FROM t WHERE id = 7');

-- DROP INDEX hides a real index, from this statement alone.
SELECT plan('SELECT * FROM t WHERE id = 7', 'DROP INDEX t_pkey');
SELECT plan('SELECT * FROM t WHERE id = 7', 'DROP INDEX CONCURRENTLY IF EXISTS t_pkey, nothing',
	'CREATE INDEX instead ON t (id)');
SELECT plan('SELECT * FROM t WHERE id = 7');

-- A copy of a real index costs the same (the descent is not free), and its
-- estimated size is close to the real one.
SELECT what, abs(cost_after / cost_before - 1) < 0.03 AS same_cost,
	abs(size_bytes[1] / pg_relation_size('t_pkey')::float8 - 1) < 0.05 AS same_size
FROM (VALUES
	('point', 'SELECT * FROM t WHERE id = 7'),
	('range', 'SELECT * FROM t WHERE id BETWEEN 100 AND 900'),
	('order', 'SELECT * FROM t ORDER BY id LIMIT 10'),
	('index-only', 'SELECT id FROM t WHERE id < 2000'),
	('join', 'SELECT * FROM child JOIN t ON t.id = child.t_id WHERE child.id < 100'))
	AS q (what, query),
	glperf.whatif(query, ARRAY['DROP INDEX t_pkey', 'CREATE INDEX i ON t (id)']);
-- HypoPG's size, in which the budgets of other advisors are: a header for each
-- column of each row, and 1.3 times the room
SET glperf.size_model = hypopg;
SELECT (glperf.whatif('SELECT id FROM t WHERE id = 7',
	ARRAY['CREATE INDEX ON t (id, score)'])).size_bytes[1] = 8192 * ceil(20000 * (4 + 4 + 2 * 8 + 8) * 1.3 / (8192 - 24 - 16))
	AS hypopgs_size;
RESET glperf.size_model;

-- UNIQUE is not believed: the planner must not drop this join on its strength.
SELECT plan('SELECT child.id FROM child LEFT JOIN t ON t.score = child.id',
	'CREATE UNIQUE INDEX u ON t (score)') ~ 'Join|Loop' AS joined LIMIT 1;

-- A partition tree: one definition serves every leaf, whose columns may have
-- other numbers.
CREATE TABLE p (id int, dropped int, k int, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10000);
CREATE TABLE p2 (v text, k int, id int);
ALTER TABLE p DROP COLUMN dropped;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10000) TO (20000);
INSERT INTO p SELECT i, i * 7919 % 10007, repeat('p', 80) FROM generate_series(0, 19999) i;
VACUUM ANALYZE p;
SELECT plan('SELECT * FROM p WHERE k = 7', 'CREATE INDEX i ON p (k)');
SELECT plan('SELECT * FROM p WHERE k = 7 AND id < 10', 'CREATE INDEX i ON p (k, id) WHERE k > 0');
SELECT plan('SELECT * FROM p WHERE k = 7', 'CREATE INDEX i ON p2 (k)');
CREATE INDEX p_k ON p (k);
SELECT plan('SELECT * FROM p WHERE k = 7', 'DROP INDEX p_k');

-- Nothing is left: no relation, no lock, no setting, no plan, no statistics.
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ',
		(SELECT count(*) FROM pg_class WHERE relnamespace = 'whatif_test'::regnamespace),
		(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()
			AND locktype = 'relation' AND relation >= 16384
			AND relation IN ('t'::regclass, 'child'::regclass)),
		current_setting('search_path'), current_user,
		current_setting('transaction_read_only'), current_setting('lock_timeout'),
		current_setting('client_min_messages'),
		(SELECT count(*) FROM pg_prepared_statements),
		(SELECT count(*) FROM pg_cursors WHERE name <> ''))
$$;
BEGIN;
SET LOCAL lock_timeout = '7s';
SELECT state() AS before \gset
SELECT gain('SELECT * FROM t WHERE score = 7', 'CREATE INDEX i ON t (score)');
SELECT state() = :'before' AS nothing_left;
SAVEPOINT a;
SELECT glperf.whatif('SELECT 1 / 0', ARRAY['CREATE INDEX i ON t (score)']);
ROLLBACK TO a;
SELECT state() = :'before' AS nothing_left_after_error;
-- the same transaction may still write
UPDATE t SET score = score WHERE id = 1;
ROLLBACK;
-- the next statements after a failure are planned and run as ever
SELECT glperf.whatif('SELECT * FROM t WHERE score = 7 AND 1 / 0 = 1',
	ARRAY['CREATE INDEX i ON t (score)']);
SELECT count(*) FROM t WHERE score = 7;
SELECT plan('SELECT * FROM t WHERE score = 7');
-- a prepared statement keeps its own plan
SET plan_cache_mode = force_generic_plan;
PREPARE by_score (int) AS SELECT count(*) FROM t WHERE score = $1;
SELECT gain('SELECT count(*) FROM t WHERE score = $1', 'CREATE INDEX i ON t (score)');
EXECUTE by_score (7);
SELECT gain('SELECT count(*) FROM t WHERE score = $1', 'CREATE INDEX i ON t (score)');
EXECUTE by_score (7);
RESET plan_cache_mode;
DEALLOCATE by_score;
-- SQL that runs while a statement is planned sees what really is there
CREATE FUNCTION lookup(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN (SELECT id FROM whatif_test.t WHERE score = $1);
END $$;
CREATE ROLE whatif_user;
GRANT pg_monitor TO whatif_user;
GRANT USAGE, CREATE ON SCHEMA whatif_test TO whatif_user;
GRANT SELECT ON t TO whatif_user;
SET ROLE whatif_user;
SELECT gain('SELECT * FROM t WHERE score = lookup(7)', 'CREATE INDEX i ON t (score)');
SELECT lookup(7) IS NOT NULL AS usable_afterwards;
RESET ROLE;
-- no entry of the inner statement in pg_stat_statements
SELECT count(*) AS entries FROM pg_stat_statements
WHERE query LIKE '%FROM t WHERE score = %' AND query NOT LIKE '%gain%'
	AND query NOT LIKE '%plan%' AND query NOT LIKE '%whatif%'
	AND query NOT LIKE 'SELECT count(*) FROM t%' AND query NOT LIKE 'PREPARE%';

-- Bad input: a clear error, and the session as before.
\set SHOW_CONTEXT never
SELECT state() AS after \gset
SELECT glperf.whatif('SELECT 1; SELECT 2');
SELECT glperf.whatif('');
SELECT glperf.whatif('   -- nothing');
SELECT glperf.whatif('SELEC 1');
SELECT glperf.whatif('SELECT * FROM t WHERE note = ''open');
SELECT glperf.whatif('SELECT nothing FROM t');
SELECT glperf.whatif('SELECT * FROM nothing');
SELECT glperf.whatif('VACUUM t');
SELECT glperf.whatif('DROP TABLE t');
SELECT glperf.whatif('SET ROLE whatif_user');
SELECT glperf.whatif('DO $$ BEGIN END $$');
SELECT glperf.whatif('COPY t FROM STDIN');
SELECT glperf.whatif('COPY t TO PROGRAM ''true''');
SELECT glperf.whatif('EXECUTE by_score (7)');
SELECT glperf.whatif('EXPLAIN ANALYZE EXECUTE by_score (7)');
SELECT glperf.whatif('EXPLAIN CREATE TABLE n AS EXECUTE by_score');
SELECT glperf.whatif('BEGIN');
SELECT glperf.whatif('SELECT $2 + 1, $1') IS NULL;
SELECT glperf.whatif('SELECT $0');
SELECT glperf.whatif(NULL) IS NULL AS null_is_null;
SELECT glperf.whatif('SELECT 1', NULL) IS NULL AS null_is_null;
-- the DDL
\set try 'SELECT glperf.whatif(''SELECT * FROM t'', ARRAY[:''ddl''])'
\set ddl ''
:try;
\set ddl 'CREATE INDEX i ON t (score); DROP TABLE t'
:try;
\set ddl 'CREATE INDEX'
:try;
\set ddl 'CREATE INDEX i ON t (score'
:try;
\set ddl 'DROP TABLE t'
:try;
\set ddl 'SELECT 1'
:try;
\set ddl 'DROP INDEX nothing'
:try;
\set ddl 'DROP INDEX t'
:try;
\set ddl 'CREATE INDEX i ON nothing (score)'
:try;
\set ddl 'CREATE INDEX i ON running (score)'
:try;
\set ddl 'CREATE INDEX i ON t (nothing)'
:try;
\set ddl 'CREATE INDEX i ON t (score) INCLUDE (nothing)'
:try;
\set ddl 'CREATE INDEX i ON t (score) INCLUDE ((score + 1))'
:try;
\set ddl 'CREATE INDEX i ON t (score nothing)'
:try;
\set ddl 'CREATE INDEX i ON t (score text_ops)'
:try;
\set ddl 'CREATE INDEX i ON t (note COLLATE nothing)'
:try;
\set ddl 'CREATE INDEX i ON t USING nothing (score)'
:try;
\set ddl 'CREATE INDEX i ON t USING gin (score)'
:try;
\set ddl 'CREATE INDEX i ON t USING hash (score, id)'
:try;
\set ddl 'CREATE INDEX i ON t (ctid)'
:try;
\set ddl 'CREATE INDEX i ON t ((tableoid::int)) WHERE ctid IS NOT NULL'
:try;
\set ddl 'CREATE INDEX i ON t USING hash (score) INCLUDE (id)'
:try;
\set ddl 'CREATE INDEX i ON t USING brin (score DESC)'
:try;
\set ddl 'CREATE UNIQUE INDEX i ON t USING hash (score)'
:try;
\set ddl 'CREATE INDEX i ON t ((random()))'
:try;
\set ddl 'CREATE INDEX i ON t (score) WHERE created > now()'
:try;
\set ddl 'CREATE INDEX i ON t (score) WHERE score'
:try;
\set ddl 'CREATE INDEX i ON t (score) WHERE score = (SELECT 1)'
:try;
\set ddl 'CREATE INDEX i ON t (score) WHERE count(*) > 1'
:try;
\set ddl 'CREATE INDEX i ON t ((generate_series(1, 2)))'
:try;
SELECT glperf.whatif('SELECT * FROM t', ARRAY['CREATE INDEX i ON t (score)', NULL]);
SELECT glperf.whatif('SELECT * FROM t', array_fill('CREATE INDEX i ON t (score)'::text, ARRAY[64]))
	IS NULL AS "null";
SELECT glperf.whatif('SELECT * FROM t', array_fill('CREATE INDEX i ON t (score)'::text, ARRAY[65]));
SELECT glperf.whatif('SELECT * FROM t', ARRAY['CREATE INDEX i ON t ('
	|| (SELECT string_agg('score', ', ') FROM generate_series(1, 33)) || ')']);
SELECT state() = :'after' AS nothing_left;

-- Hostile names: used, and shown for what they are.
CREATE SCHEMA "what if";
CREATE TABLE "what if"."ta""ble; DROP" ("se""lect" int, "new
line" int, "aÄÖÜäöüßéèêàâôûçñÄÖÜäöüßéèêàâôûç" int, "select" int, "--" int);
INSERT INTO "what if"."ta""ble; DROP" SELECT i, i, i, i, i FROM generate_series(1, 5000) i;
ANALYZE "what if"."ta""ble; DROP";
SELECT plan(format('SELECT * FROM %s WHERE %I = 7', attrelid::regclass, attname),
	format('CREATE INDEX "i""; %s" ON %s (%I)', attnum, attrelid::regclass, attname))
FROM pg_attribute
WHERE attrelid = '"what if"."ta""ble; DROP"'::regclass AND attnum > 0
ORDER BY attnum;
SELECT attnum, octet_length(name) <= 63 AS fits, cost_after < cost_before AS used
FROM pg_attribute,
	glperf.whatif(format('SELECT * FROM %s WHERE %I = 7', attrelid::regclass, attname),
		ARRAY[format('CREATE INDEX ON %s (%I)', attrelid::regclass, attname)]),
	unnest(indexes_used) AS name
WHERE attrelid = '"what if"."ta""ble; DROP"'::regclass AND attnum > 0
ORDER BY attnum;

-- Rights: those of the caller, for the statement and for the DDL.
CREATE TABLE secret (a int, b int);
INSERT INTO secret SELECT i % 10, i FROM generate_series(1, 10000) i;
ANALYZE secret;
SET ROLE whatif_user;
SELECT glperf.whatif('SELECT * FROM secret WHERE a = 1');
SELECT glperf.whatif('UPDATE t SET score = 1');
-- the estimated size of a partial index would tell what the table holds
SELECT glperf.whatif('SELECT * FROM t', ARRAY['CREATE INDEX i ON secret (a) WHERE a = 1']);
RESET ROLE;
GRANT SELECT (a) ON secret TO whatif_user;
SET ROLE whatif_user;
SELECT glperf.whatif('SELECT a FROM secret WHERE b = 1');
SELECT gain('SELECT a FROM secret WHERE a = 11', 'CREATE INDEX i ON secret (a)') IS NULL AS "null";
SELECT glperf.whatif('SELECT a FROM secret', ARRAY['CREATE INDEX i ON secret (a) WHERE b = 1']);
RESET ROLE;
CREATE ROLE whatif_nobody;
SET ROLE whatif_nobody;
SELECT glperf.whatif('SELECT 1');
RESET ROLE;

-- Planning runs functions.  With a superuser's rights only trusted ones may;
-- an ordinary role's run read only and are undone.
CREATE TABLE trap (what text);
GRANT INSERT ON trap TO whatif_user;
CREATE FUNCTION sneak(what text) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO whatif_test.trap VALUES (what);
	RETURN 1;
END $$;
SET ROLE whatif_user;
CREATE FUNCTION evil(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN whatif_test.sneak(what);
END $$;
SELECT glperf.whatif('SELECT * FROM t WHERE score = evil(''ordinary role'')');
RESET ROLE;
SELECT glperf.whatif('SELECT * FROM t WHERE score = evil(''superuser'')');
SELECT glperf.whatif('SELECT * FROM t', ARRAY['CREATE INDEX i ON t (score) WHERE score > evil(''predicate'')']);
SELECT glperf.whatif('SELECT * FROM t', ARRAY['CREATE INDEX i ON t ((score + evil(''expression'')))']);
-- what the owner of a table hung on it: a function that was harmless then
CREATE FUNCTION harmless(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
SET ROLE whatif_user;
CREATE FUNCTION later(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
CREATE TABLE lure1 (a int);
CREATE INDEX ON lure1 (a) WHERE a > later('index predicate');
CREATE TABLE lure2 (a int);
CREATE INDEX ON lure2 ((a + later('index expression')));
CREATE TABLE lure3 (a int);
CREATE STATISTICS lure3_s ON (a + later('statistics')), a FROM lure3;
CREATE DOMAIN lured AS int CHECK (VALUE > later('domain'));
CREATE TABLE lure4 (a int) PARTITION BY RANGE ((a + later('partition key')));
CREATE TABLE lure5 (a int);
CREATE TABLE lure5_child (CHECK (a > later('constraint'))) INHERITS (lure5);
CREATE FUNCTION same(int, int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM whatif_test.sneak('operator');
	RETURN false;
END $$;
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same, RESTRICT = eqsel);
CREATE TABLE lure6 (a int);
ALTER TABLE lure6 ENABLE ROW LEVEL SECURITY;
CREATE POLICY lure6 ON lure6 USING (a > later('row security'));
CREATE VIEW lure7 AS SELECT * FROM t WHERE score > later('view');
-- a function of columns is not run by planning, so an index on it is no lure
CREATE TABLE plain (a int, b text);
CREATE INDEX ON plain (later(b));
CREATE OR REPLACE FUNCTION later(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN whatif_test.sneak(what);
END $$;
RESET ROLE;
SELECT glperf.whatif('SELECT * FROM lure1');
SELECT glperf.whatif('SELECT * FROM lure2');
SELECT glperf.whatif('SELECT a, count(*) FROM lure3 GROUP BY a');
SELECT glperf.whatif('SELECT score::lured FROM t');
SELECT glperf.whatif('SELECT * FROM lure4 WHERE a = 1');
SELECT glperf.whatif('SELECT * FROM lure5 WHERE a = 1');
SELECT glperf.whatif('SELECT * FROM t WHERE score === 1');
-- a superuser is above row security: no such policy is planned
SELECT plan('SELECT * FROM lure6');
SELECT glperf.whatif('SELECT * FROM lure7');
SELECT plan('SELECT * FROM plain WHERE a = 1');
SELECT plan('SELECT * FROM t WHERE id = 7 AND harmless(note) = 1');
SELECT count(*) AS sprung FROM trap;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA whatif_test, "what if" CASCADE;
DROP ROLE whatif_nobody;
DROP OWNED BY whatif_user;
DROP ROLE whatif_user;

-- Planning probes the ends of an index, and PostgreSQL counts that as a scan.
-- Ours must not make an unused index look used; EXPLAIN shows that it would.
CREATE TABLE whatif_probe AS
	SELECT i, timestamptz '2026-01-01' + i * interval '1 s' AS at
	FROM generate_series(1, 20000) i;
CREATE INDEX whatif_probe_at ON whatif_probe (at);
ANALYZE whatif_probe;
SELECT count(*) FROM generate_series(1, 8), LATERAL glperf.whatif(
	'SELECT * FROM public.whatif_probe WHERE at > timestamptz ''2026-01-01 05:30''');
SELECT pg_stat_force_next_flush();
SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'whatif_probe_at';
EXPLAIN (COSTS OFF)
	SELECT * FROM whatif_probe WHERE at > timestamptz '2026-01-01 05:30';
SELECT pg_stat_force_next_flush();
SELECT idx_scan > 0 AS explain_counts
FROM pg_stat_user_indexes WHERE indexrelname = 'whatif_probe_at';
SHOW track_counts;
DROP TABLE whatif_probe;

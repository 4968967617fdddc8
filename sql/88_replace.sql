-- Existing indexes that others take the place of: replace, merge, drop,
-- rebuild; and every guard that keeps one.
\set SHOW_CONTEXT never
CREATE SCHEMA replace_test;
SET search_path = replace_test, public;
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE jobs (
	id int PRIMARY KEY,
	parent_id int REFERENCES parents,
	agent text NOT NULL,
	status text NOT NULL,
	created timestamptz NOT NULL,
	payload text)
WITH (autovacuum_enabled = off);
INSERT INTO parents SELECT i FROM generate_series(0, 99) i;
INSERT INTO jobs SELECT i, i % 100, 'agent ' || i * 7919 % 400,
	CASE WHEN i % 60 = 0 THEN 'running' ELSE 'done' END,
	'2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', repeat('x', 100)
FROM generate_series(1, 40000) i;
-- VACUUM removes and marks visible only what no snapshot older than it may need,
-- and autovacuum's ANALYZE holds one for a moment
CREATE PROCEDURE no_older_snapshots() LANGUAGE plpgsql AS $$
DECLARE
	horizon xid := pg_current_xact_id()::xid;
BEGIN
	WHILE EXISTS (SELECT FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND age(backend_xmin) > age(horizon)) LOOP
		PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
	END LOOP;
END $$;
CALL no_older_snapshots();
-- all rows are sampled and each agent's are less than a page of any index, or a
-- sample now and then has more and a page is added to the cost
ALTER TABLE jobs ALTER agent SET STATISTICS 500;
VACUUM ANALYZE parents, jobs;
CREATE FUNCTION statement(query text, calls int DEFAULT 1000) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_build_object('query', query, 'calls', calls,
		'time_ms', calls * 20, 'rows', calls, 'search_path', 'replace_test'))
$$;
\set by_agent 'SELECT * FROM jobs WHERE agent = ''agent 7'' ORDER BY created LIMIT 20'
-- what is recommended for the tables of this test, hashes taken out
CREATE FUNCTION advice(VARIADIC workload jsonb[]) RETURNS TABLE (action text, step text) LANGUAGE sql AS $$
	SELECT action, regexp_replace(step, 'glp_\w+_[0-9a-f]{8}\M', '...', 'g')
	FROM glperf.advise_indexes(workload =>
		(SELECT coalesce(jsonb_agg(s), '[]') FROM unnest(workload) w, jsonb_array_elements(w) s)),
		unnest(steps) WITH ORDINALITY AS u (step, n)
	WHERE schema_name = 'replace_test'
	ORDER BY rank, n
$$;
-- Replace: create first, drop then, and a way back.
CREATE INDEX old_agent ON jobs (agent);
SELECT * FROM advice(statement(:'by_agent'));
SELECT confidence, reason FROM glperf.advise_indexes(workload => statement(:'by_agent')),
	unnest(reasons) AS reason
WHERE reason ~ 'old_agent';
CREATE TEMP TABLE replacement AS SELECT steps, undo_ddl
FROM glperf.advise_indexes(workload => statement(:'by_agent'));
\set ECHO none
SELECT unnest(steps) FROM replacement \gexec
\set ECHO all
SELECT count(*) FILTER (WHERE relname = 'old_agent') AS old, count(*) AS all
FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indrelid = 'jobs'::regclass;
SELECT * FROM advice(statement(:'by_agent'));
\set ECHO none
SELECT s FROM replacement, regexp_split_to_table(undo_ddl, ';\n') s \gexec
\set ECHO all
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = 'jobs'::regclass AND NOT indisprimary;
-- created already, but not dropped yet: then the drop is left
SELECT steps[1] AS command FROM replacement \gset
\set ECHO none
:command;
\set ECHO all
SELECT * FROM advice(statement(:'by_agent'));
DROP INDEX old_agent;
SELECT format('DROP INDEX %s', indexrelid::regclass) AS command FROM pg_index
WHERE indrelid = 'jobs'::regclass AND NOT indisprimary \gset
\set ECHO none
:command;
\set ECHO all

-- Guards: the new index is created beside it, nothing is dropped.
CREATE FUNCTION try(ddl text, VARIADIC more text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	s text;
	result text;
BEGIN
	BEGIN
		EXECUTE ddl;
		FOREACH s IN ARRAY more LOOP
			EXECUTE s;
		END LOOP;
		SELECT string_agg(a.action || ': ' || regexp_replace(a.step, ' ON .*', ''), ', ') INTO result
		FROM advice(statement('SELECT * FROM jobs WHERE agent = ''agent 7'' ORDER BY created LIMIT 20')) a;
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN result;
	END;
END $$;
SELECT ddl, try(ddl) FROM unnest(ARRAY[
	'CREATE INDEX old ON jobs (agent)',
	'CREATE INDEX old ON jobs (agent) WITH (fillfactor = 70)',
	-- others
	'CREATE UNIQUE INDEX old ON jobs (agent, id)',
	'CREATE INDEX old ON jobs (agent) WHERE status = ''running''',
	'CREATE INDEX old ON jobs (agent) INCLUDE (status)',
	'CREATE INDEX old ON jobs (agent text_pattern_ops)',
	'CREATE INDEX old ON jobs (agent COLLATE "POSIX")',
	'CREATE INDEX old ON jobs (agent DESC)',
	'CREATE INDEX old ON jobs USING hash (agent)',
	'CREATE INDEX old ON jobs (upper(agent))',
	'CREATE INDEX old ON jobs (created)']) AS ddl;
-- needed by something else
SELECT try('CREATE INDEX old ON jobs (agent)', 'ALTER TABLE jobs CLUSTER ON old') AS clustered;
SELECT try('CREATE UNIQUE INDEX old ON jobs (id)', 'ALTER TABLE jobs REPLICA IDENTITY USING INDEX old') AS identity;
-- somebody has said that it is to stay
SELECT try('CREATE INDEX old ON jobs (agent)', 'INSERT INTO glperf.recommendation
	(name, action, schema_name, table_name, index_name, ddl, state)
VALUES (''drop replace_test.old'', ''drop'', ''replace_test'', ''jobs'', ''old'', '''', ''dismissed'')') AS dismissed;
-- a table that belongs to an extension
SELECT try('CREATE INDEX old ON jobs (agent)', 'ALTER EXTENSION glperf ADD TABLE jobs') AS of_extension;
-- much smaller than what would take its place: idle, not known to be, in use
SELECT try('CREATE INDEX old ON jobs (agent)', 'UPDATE glperf.threshold t SET warning = v.w
FROM (VALUES (''index_prefix_size'', 1.01), (''index_evidence'', 0)) v(id, w) WHERE t.id = v.id') AS idle;
SELECT try('CREATE INDEX old ON jobs (agent)',
	'UPDATE glperf.threshold SET warning = 1.01 WHERE id = ''index_prefix_size''') AS unknown;
CREATE INDEX old ON jobs (agent);
SET enable_seqscan = off;
SELECT count(*) FROM jobs WHERE agent = 'agent 9';
RESET enable_seqscan;
SELECT pg_stat_force_next_flush() IS NOT NULL AS flushed;
SELECT try('SELECT 1', 'UPDATE glperf.threshold SET warning = 1.01 WHERE id = ''index_prefix_size''') AS in_use;
DROP INDEX old;
-- a statement of the workload is better off with the small one
CREATE INDEX old ON jobs (agent);
VACUUM jobs;
SELECT DISTINCT action, substring(reason FROM 'old stays.*') AS stays
FROM glperf.advise_indexes(workload => statement(:'by_agent') || statement('SELECT agent FROM jobs ORDER BY agent')), unnest(reasons) reason
WHERE schema_name = 'replace_test' AND reason ~ '^old stays';
SELECT count(*) AS drops FROM advice(statement(:'by_agent'), statement('SELECT agent FROM jobs ORDER BY agent')) WHERE step LIKE 'DROP%';
DROP INDEX old;
-- nobody has scanned it, yet the workload would
CREATE INDEX old ON jobs (status, parent_id);
SELECT try('SELECT 1', 'UPDATE glperf.threshold SET warning = 0 WHERE id = ''index_evidence''') AS not_used;
BEGIN;
UPDATE glperf.threshold SET warning = 0 WHERE id = 'index_evidence';
SELECT count(*) AS drops FROM advice(statement('SELECT payload FROM jobs WHERE status = ''running'' AND parent_id = 7')) WHERE step LIKE 'DROP%';
ROLLBACK;
DROP INDEX old;
-- an index for a foreign key may go when the new one finds the rows as well
CREATE INDEX fk ON jobs (parent_id);
SELECT * FROM advice(statement('SELECT * FROM jobs WHERE parent_id = $1 ORDER BY created LIMIT 20'));
DROP INDEX fk;

-- Merge: each includes what the other lacks.
CREATE INDEX one ON jobs (agent) INCLUDE (status);
CREATE INDEX two ON jobs (agent, created) INCLUDE (parent_id);
SELECT * FROM advice(statement('SELECT status FROM jobs WHERE agent = ''agent 7'''));
SELECT action, size_bytes > 0 AS sized, benefit_ms_per_day AS benefit FROM glperf.advise_indexes(workload =>
	statement('SELECT status FROM jobs WHERE agent = ''agent 7''')) WHERE action = 'merge';
CREATE TEMP TABLE merging AS SELECT steps, undo_ddl FROM glperf.advise_indexes(workload =>
	statement('SELECT status FROM jobs WHERE agent = ''agent 7''')) WHERE action = 'merge';
\set ECHO none
SELECT unnest(steps) FROM merging \gexec
\set ECHO all
SELECT regexp_replace(pg_get_indexdef(indexrelid), 'glp_\w+_[0-9a-f]{8}\M', '...') FROM pg_index
WHERE indrelid = 'jobs'::regclass AND NOT indisprimary;
SELECT * FROM advice(statement('SELECT status FROM jobs WHERE agent = ''agent 7'''));
\set ECHO none
SELECT s FROM merging, regexp_split_to_table(undo_ddl, ';\n') s \gexec
\set ECHO all
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = 'jobs'::regclass AND NOT indisprimary ORDER BY 1;
DROP INDEX one, two;
-- no merges: different second keys, directions, predicates; uniqueness; one
-- that covers the other is dropped
CREATE FUNCTION pair(one text, two text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		EXECUTE one;
		EXECUTE two;
		SELECT string_agg(a.action || ': ' || regexp_replace(a.step, ' ON .*', ''), ', ') INTO result
		FROM advice(statement('SELECT status FROM jobs WHERE agent = ''agent 7''')) a
		WHERE action IN ('merge', 'drop');
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN result;
	END;
END $$;
SELECT one, two, pair(one, two) FROM (VALUES
	('CREATE INDEX one ON jobs (agent, created)', 'CREATE INDEX two ON jobs (agent, status)'),
	('CREATE INDEX one ON jobs (agent) INCLUDE (status)', 'CREATE INDEX two ON jobs (agent DESC, created) INCLUDE (parent_id)'),
	('CREATE INDEX one ON jobs (agent) INCLUDE (status)', 'CREATE INDEX two ON jobs (agent) INCLUDE (created) WHERE id > 7'),
	('CREATE UNIQUE INDEX one ON jobs (agent, id) INCLUDE (status)', 'CREATE INDEX two ON jobs (agent, id, created) INCLUDE (parent_id)'),
	('CREATE INDEX one ON jobs (agent) INCLUDE (status)', 'CREATE INDEX two ON jobs (agent, created) INCLUDE (status)'),
	('CREATE INDEX one ON jobs (agent)', 'CREATE INDEX two ON jobs (agent, status)')) AS v (one, two);

-- Rebuild: what a failed build left behind, if it is wanted; dropped if not.
CREATE INDEX broken ON jobs (agent, created);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
SELECT * FROM advice(statement(:'by_agent'));
SELECT action, undo_ddl FROM glperf.advise_indexes(workload => statement(:'by_agent'))
WHERE schema_name = 'replace_test';
REINDEX INDEX CONCURRENTLY broken;
SELECT * FROM advice(statement(:'by_agent'));
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
SELECT * FROM advice(statement('SELECT * FROM jobs WHERE id = 7'));
ALTER INDEX broken RENAME TO broken_ccnew;
SELECT * FROM advice(statement(:'by_agent'));
DROP INDEX broken_ccnew;
-- mostly air
CREATE TABLE airy (id int PRIMARY KEY, a int, pad text);
INSERT INTO airy SELECT i, i, repeat('a', 40) FROM generate_series(1, 40000) i;
CREATE INDEX airy_a ON airy (a);
DELETE FROM airy WHERE id % 10 <> 0;
CALL no_older_snapshots();
VACUUM ANALYZE airy;
BEGIN;
UPDATE glperf.threshold SET warning = 0.1 WHERE id = 'index_bloat_size';
SELECT * FROM advice('[]') ORDER BY step;
ROLLBACK;
SELECT * FROM advice('[]');

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA replace_test CASCADE;

-- The memory of recommendations: from proposed to dismissed and back, applied
-- by hand and by a run, and what is refused.
\set SHOW_CONTEXT never
CREATE SCHEMA memory_test;
SET search_path = memory_test, public;
-- statements of other tests name other tables t
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
CREATE TABLE t (a int, b int, "odd ""name" int);
CREATE ROLE glperf_memory_reader IN ROLE pg_monitor;

-- a run over a source proposes one index
CREATE FUNCTION run(source text, names text[], benefit float8 DEFAULT 1000, action text DEFAULT 'create')
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	s uuid := glperf.recommendation_begin();
	n text;
	done text[] := '{}';
BEGIN
	FOREACH n IN ARRAY names LOOP
		done := done || glperf.record_recommendation(s, source, action, 'memory_test', 't', n,
			format('CREATE INDEX CONCURRENTLY %I ON memory_test.t (a)', n),
			format('DROP INDEX CONCURRENTLY memory_test.%I', n), '{1,0,2}', 81920, benefit, 1, 10, 'high', '{why}');
	END LOOP;
	PERFORM glperf.recommendation_end(s, source, done);
	RETURN QUERY SELECT unnest(done);
END $$;
CREATE VIEW memory AS SELECT name, state, runs, sources, queryids, applied_at IS NOT NULL AS applied, message
FROM glperf.recommendation WHERE schema_name = 'memory_test' ORDER BY name;
CREATE FUNCTION match(index_name text, benefit float8 DEFAULT 1000, source text DEFAULT 'statistics',
	action text DEFAULT 'create', size int8 DEFAULT 81920)
RETURNS TABLE (state text, is_new bool, is_suppressed bool, note text) LANGUAGE sql AS $$
	SELECT m.state, m.is_new, m.is_suppressed, m.note FROM
	glperf.recommendation_match(action, 'memory_test', 't', index_name, source, size, benefit) m
$$;

-- names are quoted where they must be
SELECT glperf.recommendation_name('create', 'memory_test', 't', 'glp_1'),
	glperf.recommendation_name('create', 'a schema', 't', 'it''s "so"'),
	glperf.recommendation_name('analyze', 'memory_test', 'T', NULL);

-- proposed: new once per source
SELECT * FROM match('glp_1');
SELECT * FROM run('statistics', ARRAY['glp_1', 'glp odd"2']);
SELECT * FROM memory;
SELECT * FROM match('glp_1');
SELECT * FROM match('glp_1', source => 'log');
SELECT * FROM run('statistics', '{glp_1}');
SELECT * FROM run('file', '{glp_1}');
SELECT * FROM memory;
SELECT * FROM glperf.recommendations_gone('statistics', '{}');

-- dismissed: by index name, with or without schema, or by its own name
SELECT glperf.dismiss('glp odd"2', NULL);
SELECT glperf.dismiss('memory_test.glp_1', 'writes matter more');
SELECT regexp_replace(message, '^by \S+:', 'by ...:') AS message, state, sources FROM memory;
SELECT * FROM run('statistics', '{glp_1}');
SELECT state, runs, sources FROM memory WHERE name = 'create memory_test.glp_1';
SELECT state, is_new, is_suppressed, regexp_replace(note, 'by \S+:', 'by ...:') AS note FROM match('glp_1', 2000);
SELECT state, is_new, is_suppressed, regexp_replace(note, 'by \S+:', 'by ...:') AS note FROM match('glp_1', 2001);
SELECT glperf.propose_again('glp_1');
SELECT glperf.propose_again('glp_1') IS NULL AS nothing_to_take_back;
SELECT state, message FROM memory WHERE name = 'create memory_test.glp_1';
-- of what promises no gain the size is what counts
SELECT count(*) FROM run('statistics', '{glp_merged}', 0, 'merge');
SELECT glperf.dismiss('glp_merged', 'no');
SELECT is_suppressed FROM match('glp_merged', 0, action => 'merge', size => 163840);
SELECT is_suppressed FROM match('glp_merged', 0, action => 'merge', size => 163841);

-- applied by hand: noticed when it is proposed no more
SELECT count(*) FROM run('statistics', '{glp_3}');
CREATE INDEX glp_3 ON t (a);
SELECT name, is_in_place FROM glperf.recommendations_gone('statistics', '{}') WHERE name ~ 'glp_3';
SELECT count(*) FROM run('statistics', '{}');
SELECT state, sources, applied FROM memory WHERE name = 'create memory_test.glp_3';
DROP INDEX glp_3;
SELECT * FROM match('glp_3');
-- in place or not
CREATE INDEX glp_there ON t (b);
SELECT a.action, glperf.recommendation_in_place(a.action, 'memory_test', 't', 'glp_there') AS there,
	glperf.recommendation_in_place(a.action, 'memory_test', 't', 'glp_not_there') AS not_there,
	glperf.recommendation_in_place(a.action, 'memory_test', 'no_table', 'glp_not_there') AS no_table
FROM unnest('{create,replace,merge,drop,reindex,analyze,nonsense}'::text[]) WITH ORDINALITY a(action, n) ORDER BY n;
-- applied by a run
SELECT count(*) FROM run('statistics', '{glp_there}');
SELECT glperf.recommendation_applied(glperf.recommendation_begin(), '{create memory_test.glp_there,no such one}') AS known;
SELECT state, sources, applied FROM memory WHERE name = 'create memory_test.glp_there';
-- rebuilt before
SELECT count(*) FROM run('statistics', '{glp_there}', action => 'reindex');
SELECT glperf.recommendation_applied(glperf.recommendation_begin(), '{reindex memory_test.glp_there}') AS known;
SELECT * FROM match('glp_there', action => 'reindex');

-- two statistics objects of one table are two recommendations
SELECT count(*) FROM run('statistics', '{glp_stat_1,glp_stat_2}', 0, 'create statistics');
SELECT name, state FROM memory WHERE name ~ '^create statistics';
CREATE STATISTICS glp_stat_2 ON a, b FROM t;
SELECT count(*) FROM run('statistics', '{}');
SELECT name, state FROM memory WHERE name ~ '^create statistics';
SELECT glperf.recommendation_in_place('create statistics', 'memory_test', 'u', 'glp_stat_2') AS of_another_table;
SELECT state, message FROM glperf.recommendation_verdict('glp_stat_2');
DROP STATISTICS glp_stat_2;
SELECT state, message FROM glperf.recommendation_verdict('glp_stat_2');
SELECT * FROM match('glp_stat_2', 0, action => 'create statistics');
-- taken back for want of effect: not proposed again
UPDATE glperf.recommendation SET state = 'no effect', message = 'nothing changed' WHERE index_name = 'glp_stat_2';
SELECT * FROM match('glp_stat_2', 0, action => 'create statistics');

-- rebuilt by hand: noticed, whichever way
CREATE INDEX glp_old ON t (a, b);
CREATE TABLE parted (a int) PARTITION BY RANGE (a);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE INDEX glp_parted ON parted (a);
CREATE FUNCTION rebuilt(index_name text) RETURNS TABLE (rebuilt bool) LANGUAGE sql AS $$
	SELECT g.is_in_place FROM glperf.recommendations_gone('statistics', '{}') g
	WHERE g.name = glperf.recommendation_name('reindex', 'memory_test', 't', index_name)
$$;
SELECT count(*) FROM run('statistics', '{glp_old}', 0, 'reindex');
SELECT * FROM rebuilt('glp_old');
REINDEX INDEX glp_old;
SELECT * FROM rebuilt('glp_old');
SELECT count(*) FROM run('statistics', '{glp_old}', 0, 'reindex');
SELECT * FROM rebuilt('glp_old');
REINDEX INDEX CONCURRENTLY glp_old;
SELECT * FROM rebuilt('glp_old');
SELECT count(*) FROM run('statistics', '{}');
SELECT state, sources, applied FROM memory WHERE name = 'reindex memory_test.glp_old';
SELECT state, message FROM glperf.recommendation_verdict('glp_old');
-- an index that is gone was not rebuilt
SELECT count(*) FROM run('statistics', '{glp_old}', 0, 'reindex');
DROP INDEX glp_old;
SELECT * FROM rebuilt('glp_old');
SELECT glperf.index_files('memory_test', 'glp_old') IS NULL AS gone, glperf.index_files('memory_test', 't') IS NULL AS no_index;
-- that of one partition will do
SELECT glperf.index_files('memory_test', 'glp_parted') AS files \gset
REINDEX INDEX part_1_a_idx;
SELECT glperf.index_files('memory_test', 'glp_parted') <> :'files' AS rebuilt;
-- an index on another table is not the one that was wanted; one that could not be dropped is there
CREATE TABLE u (a int);
CREATE INDEX glp_elsewhere ON u (a);
SELECT glperf.recommendation_in_place('create', 'memory_test', 't', 'glp_elsewhere') AS created;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'glp_elsewhere'::regclass;
SELECT glperf.recommendation_in_place('drop', 'memory_test', 'u', 'glp_elsewhere') AS dropped;

-- refused
SELECT glperf.dismiss('no such one', 'x');
SELECT glperf.dismiss(NULL, 'x');
SELECT glperf.propose_again('');
SELECT glperf.dismiss('glp_there', 'x');
SELECT glperf.record_recommendation('00000000-0000-0000-0000-000000000000', 'statistics', 'create', 'memory_test', 't', 'i',
	'x', 'y', '{}', 1, 1, 1, 1, 'high', '{}');
SELECT glperf.record_recommendation(NULL, 'statistics', 'create', 'memory_test', 't', 'i',
	'x', 'y', '{}', 1, 1, 1, 1, 'high', '{}');
SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'a crystal ball', 'create', 'memory_test', 't', 'i',
	'x', 'y', '{}', 1, 1, 1, 1, 'high', '{}');
SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'file', 'bless', 'memory_test', 't', 'i',
	'x', 'y', '{}', 1, 1, 1, 1, 'high', '{}');
SELECT glperf.recommendation_end('00000000-0000-0000-0000-000000000000', 'statistics', '{}');
SELECT glperf.recommendation_end(glperf.recommendation_begin(), NULL, '{}');
SELECT glperf.recommendation_applied('00000000-0000-0000-0000-000000000000', '{}');
\set VERBOSITY terse
UPDATE glperf.recommendation SET state = 'forgotten';
\set VERBOSITY default
-- NULLs where a run knows nothing
SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'log', 'analyze', 'memory_test', 't', NULL,
	'ANALYZE memory_test.t', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT queryids, reasons, size_bytes, undo_ddl FROM glperf.recommendation WHERE name = 'analyze memory_test.t';

-- ... and what is about no index is in nobody's way
SELECT glperf.dismiss('memory_test.glp_3', 'x');

-- a reader reads
SET ROLE glperf_memory_reader;
SELECT count(*) > 0 AS some FROM glperf.recommendation;
SELECT is_new FROM glperf.recommendation_match('create', 'memory_test', 't', 'glp_new', 'statistics', 1, 1);
SELECT glperf.dismiss('glp_1', 'x');
SELECT glperf.recommendation_begin();
RESET ROLE;

-- snapshots that nothing needs go with the next run
UPDATE glperf.recommendation SET state = 'dismissed', sources = '{}', applied_at = NULL;
SELECT glperf.recommendation_begin() IS NOT NULL AS begun;
SELECT count(*) FROM glperf.recommendation_snapshot;
DELETE FROM glperf.recommendation;
DELETE FROM glperf.recommendation_snapshot;
DROP ROLE glperf_memory_reader;
\set VERBOSITY terse
DROP SCHEMA memory_test CASCADE;

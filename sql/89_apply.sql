-- What a step of a recommendation is about: only what --apply may run has a
-- command of its own, whatever the names look like.
SELECT command, is_concurrent, schema_name, table_name, index_name,
	partition_schema, partition_index
FROM unnest(ARRAY[
	'CREATE INDEX CONCURRENTLY i ON public.t (a)',
	'CREATE INDEX CONCURRENTLY i ON public.t USING gin (a) WHERE b > 0',
	'CREATE INDEX i ON ONLY public.t (a)',
	'CREATE INDEX CONCURRENTLY "drop table; --" ON "S 1"."t""x" (a)',
	'DROP INDEX CONCURRENTLY public.i',
	'ALTER INDEX public.p ATTACH PARTITION other.l',
	'REINDEX INDEX CONCURRENTLY public.i',
	'ANALYZE public.t',
	'ANALYZE public.t (a, b)',
	'CREATE STATISTICS public.s ON a, b FROM public.t',
	-- refused: no name, no schema, blocks, IF NOT EXISTS, CASCADE, other things
	'CREATE INDEX CONCURRENTLY ON public.t (a)',
	'CREATE INDEX CONCURRENTLY i ON t (a)',
	'CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON public.t (a)',
	'CREATE INDEX i ON public.t (a)',
	'DROP INDEX public.i',
	'DROP INDEX CONCURRENTLY i',
	'DROP INDEX CONCURRENTLY IF EXISTS public.i',
	'DROP INDEX CONCURRENTLY public.i CASCADE',
	'DROP INDEX CONCURRENTLY public.i, public.j',
	'DROP TABLE public.t',
	'ALTER INDEX public.i RENAME TO j',
	'ALTER TABLE public.p ATTACH PARTITION public.l DEFAULT',
	'REINDEX INDEX public.i',
	'REINDEX TABLE CONCURRENTLY public.t',
	'REINDEX INDEX CONCURRENTLY i',
	'REINDEX (TABLESPACE x) INDEX CONCURRENTLY public.i',
	'VACUUM public.t',
	'ANALYZE',
	'SELECT 1']) WITH ORDINALITY AS s (ddl, n),
	glperf.ddl_target(s.ddl)
ORDER BY n;

-- errors
SELECT glperf.ddl_target('CREATE INDEX CONCURRENTLY i ON public.t (a); DROP TABLE t');
SELECT glperf.ddl_target('');
SELECT glperf.ddl_target('CREATE INDEX CONCURRENTLY i ON');
SELECT glperf.ddl_target(NULL) IS NULL AS null_is_null;

-- An index is ours when the log says so, not when its name looks like it.
CREATE SCHEMA apply_test;
CREATE TABLE apply_test.t (a int, b int);
CREATE INDEX glp_t_a_00000001 ON apply_test.t (a);
CREATE FUNCTION apply_test.state(step text) RETURNS text
LANGUAGE sql AS $$
	SELECT format('%s: %s%s%s', command, coalesce(state, '-'),
		CASE WHEN is_own THEN ', own' END,
		CASE WHEN is_done THEN ', done' END)
	FROM glperf.apply_step($1)
$$;
\set create 'CREATE INDEX CONCURRENTLY glp_t_a_00000001 ON apply_test.t (a)'
SELECT apply_test.state(:'create') AS foreign_index;
UPDATE pg_index SET indisvalid = false
WHERE indexrelid = 'apply_test.glp_t_a_00000001'::regclass;
SELECT apply_test.state(:'create') AS foreign_invalid;
SELECT count(*) AS foreign_is_no_leftover FROM glperf.apply_leftovers;

-- a build that was interrupted
SELECT glperf.apply_begin(:'create', NULL) AS id \gset
SELECT apply_test.state(:'create') AS own_invalid;
SELECT * FROM glperf.apply_leftovers;
SELECT glperf.apply_end(:'id', 'failed', '55P03', 'canceling statement');
SELECT apply_test.state(:'create') AS own_invalid;

-- a name clash makes nothing ours
SELECT glperf.apply_end(:'id', 'refused', '42P07', 'already exists');
SELECT apply_test.state(:'create') AS refused;

-- cleaned up, and built again
SELECT glperf.apply_end(:'id', 'failed', NULL, NULL);
SELECT glperf.apply_begin(drop_ddl, NULL) AS drop_id
FROM glperf.apply_leftovers \gset
SELECT apply_test.state(:'create') AS still_own;
DROP INDEX CONCURRENTLY apply_test.glp_t_a_00000001;
SELECT glperf.apply_end(:'drop_id', 'done', NULL, NULL);
SELECT apply_test.state(:'create') AS dropped;
SELECT glperf.apply_begin(:'create', 'undo') AS id \gset
:create;
SELECT glperf.apply_end(:'id', 'done', NULL, NULL);
SELECT apply_test.state(:'create') AS built;
-- under the same name on another table it is not done
SELECT apply_test.state('CREATE INDEX CONCURRENTLY glp_t_a_00000001 ON apply_test.u (a)')
	AS other_table;
SELECT command, schema_name, table_name, index_name, outcome, sqlstate, undo_ddl,
	started_at IS NOT NULL AS started, finished_at >= started_at AS finished,
	role = session_user AS by_me
FROM glperf.apply_log ORDER BY started_at;

-- other kinds of objects and steps
CREATE VIEW apply_test.v AS SELECT 1;
SELECT apply_test.state('CREATE INDEX CONCURRENTLY v ON apply_test.t (b)');
SELECT apply_test.state('ANALYZE apply_test.t');
SELECT apply_test.state('DROP INDEX CONCURRENTLY apply_test.nothing');
SELECT apply_test.state('SELECT 1');

-- a partitioned table: the parent's index is incomplete, not invalid
CREATE TABLE apply_test.p (k int, a int) PARTITION BY LIST (k);
CREATE TABLE apply_test.p1 PARTITION OF apply_test.p FOR VALUES IN (1);
CREATE INDEX p_a ON ONLY apply_test.p (a);
CREATE INDEX p1_a ON apply_test.p1 (a);
SELECT glperf.apply_begin('CREATE INDEX p_a ON ONLY apply_test.p (a)', NULL) IS NOT NULL AS begun;
SELECT apply_test.state('CREATE INDEX p_a ON ONLY apply_test.p (a)') AS parent,
	apply_test.state('ALTER INDEX apply_test.p_a ATTACH PARTITION apply_test.p1_a') AS attach;
SELECT count(*) AS parents_are_no_leftovers FROM glperf.apply_leftovers;
ALTER INDEX apply_test.p_a ATTACH PARTITION apply_test.p1_a;
SELECT apply_test.state('CREATE INDEX p_a ON ONLY apply_test.p (a)') AS parent,
	apply_test.state('ALTER INDEX apply_test.p_a ATTACH PARTITION apply_test.p1_a') AS attach;

-- a rebuild is done when this session did it, whatever was done another night
SELECT glperf.apply_begin('REINDEX INDEX CONCURRENTLY apply_test.glp_t_a_00000001', NULL) AS id \gset
SELECT apply_test.state('REINDEX INDEX CONCURRENTLY apply_test.glp_t_a_00000001');
CREATE INDEX glp_t_a_00000001_ccnew ON apply_test.t (a);
UPDATE pg_index SET indisvalid = false
WHERE indexrelid = 'apply_test.glp_t_a_00000001_ccnew'::regclass;
SELECT index_name FROM glperf.apply_leftovers;
SELECT glperf.apply_end(:'id', 'done', NULL, NULL);
SELECT apply_test.state('REINDEX INDEX CONCURRENTLY apply_test.glp_t_a_00000001');
SELECT count(*) AS foreign_rebuild_is_no_leftover FROM glperf.apply_leftovers;
UPDATE glperf.apply_log SET finished_at = finished_at - interval '1 day' WHERE command = 'reindex';
SELECT apply_test.state('REINDEX INDEX CONCURRENTLY apply_test.glp_t_a_00000001');

-- Only who may write the log may run --apply; pg_monitor reads it.
CREATE ROLE apply_monitor IN ROLE pg_monitor;
CREATE ROLE apply_nobody;
SET ROLE apply_monitor;
SELECT count(*) > 0 AS readable FROM glperf.apply_log;
SELECT count(*) FROM glperf.apply_leftovers;
SELECT state, is_done FROM glperf.apply_step(:'create');
\set SHOW_CONTEXT never
SELECT glperf.apply_begin(:'create', NULL);
RESET ROLE;
SET ROLE apply_nobody;
SELECT count(*) FROM glperf.apply_log;
RESET ROLE;

TRUNCATE glperf.apply_log;
DROP ROLE apply_monitor, apply_nobody;
SET client_min_messages = warning;
DROP SCHEMA apply_test CASCADE;

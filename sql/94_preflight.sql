-- The look before a build: what is asked for which step, and bad input.
\set SHOW_CONTEXT never
CREATE SCHEMA preflight_test;
SET search_path = preflight_test, public;
CREATE TABLE t (a int, b int);
CREATE INDEX i ON t (a);
CREATE ROLE glperf_preflight_nobody;
CREATE ROLE glperf_preflight_reader IN ROLE pg_monitor;

-- space: a volume is known by name, and has less free than in all
SELECT volume IS NOT NULL AS named, free_bytes > 0 AS free, free_bytes <= total_bytes AS bounded
FROM unnest(ARRAY[NULL, (SELECT oid FROM pg_tablespace WHERE spcname = 'pg_default')]) s(oid), glperf.volume_space(s.oid);
SELECT * FROM glperf.volume_space(1);
SELECT check_id, status IN ('ok', 'warning') AS enough, regexp_replace(message, '[0-9]+ ([kMGTP]?B|bytes)', 'N', 'g') AS message
FROM glperf.preflight_space(8192);
SELECT check_id, status, regexp_replace(message, '[0-9]+ ([kMGTP]?B|bytes)', 'N', 'g') AS message
FROM glperf.preflight_space(1::int8 << 50);
SELECT check_id, status, message FROM glperf.preflight_space(NULL) ORDER BY check_id;
-- an index takes twice its size for a while, and its WAL as much again as it has
SELECT v.free_bytes AS free FROM pg_tablespace s, glperf.volume_space(s.oid) v
WHERE s.spcname = 'pg_default' \gset
SELECT share, string_agg(check_id, ' ' ORDER BY check_id) FILTER (WHERE status = 'refuse') AS refused
FROM unnest('{0.2,0.4,0.6}'::float8[]) share, glperf.preflight_space((share * :free)::int8)
GROUP BY share ORDER BY share;

-- which steps are looked at
SELECT step, (SELECT array_agg(DISTINCT p.check_id ORDER BY p.check_id) FROM glperf.apply_preflight(step, 8192, 3600) p
	WHERE p.check_id LIKE '%space') AS checks
FROM unnest(ARRAY[
	'CREATE INDEX CONCURRENTLY n ON preflight_test.t (b)',
	'CREATE INDEX n ON ONLY preflight_test.t (b)',
	'DROP INDEX CONCURRENTLY preflight_test.i',
	'REINDEX INDEX CONCURRENTLY preflight_test.i',
	'ANALYZE preflight_test.t']) WITH ORDINALITY u(step, n) ORDER BY n;
SELECT * FROM glperf.apply_preflight('DROP TABLE preflight_test.t', 1, 1);
SELECT count(*) FROM glperf.apply_preflight('REINDEX INDEX CONCURRENTLY preflight_test.no_such_index', 1, 1) WHERE status = 'refuse';
SELECT * FROM glperf.apply_preflight('CREATE INDEX CONCURRENTLY n ON no_such_schema.t (b)', 1, 1) WHERE check_id NOT LIKE '%space';
\set VERBOSITY terse
SELECT * FROM glperf.apply_preflight('not SQL', 1, 1);
\set VERBOSITY default
SELECT * FROM glperf.apply_preflight('', 1, 1);
SELECT * FROM glperf.apply_preflight(NULL, 1, 1);

-- nothing holds it up: no table is busy
SELECT check_id FROM glperf.preflight_table('preflight_test', 't', false, 3600) WHERE check_id = 'table_busy';
SELECT count(*) FROM glperf.preflight_table('preflight_test', 'no_such_table', false, 3600) WHERE check_id = 'table_busy';
-- members of pg_monitor see all sessions
SET ROLE glperf_preflight_reader;
SELECT count(*) FROM glperf.preflight_table('preflight_test', 't', false, 3600) WHERE status = 'unknown';
SELECT count(*) = 2 AS both FROM glperf.preflight_space(8192);
RESET ROLE;
GRANT USAGE ON SCHEMA glperf TO glperf_preflight_nobody;
SET ROLE glperf_preflight_nobody;
SELECT * FROM glperf.preflight_space(8192);
RESET ROLE;
-- no standby, no slot: nothing to say
SELECT count(*) FROM glperf.preflight_replication(1);
REVOKE USAGE ON SCHEMA glperf FROM glperf_preflight_nobody;
DROP ROLE glperf_preflight_nobody, glperf_preflight_reader;
\set VERBOSITY terse
DROP SCHEMA preflight_test CASCADE;

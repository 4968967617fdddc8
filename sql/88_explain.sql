-- Explanations: contributions that add up, plans before and after, candidates
-- that lost, what was not looked at, and how far a recommendation can be
-- relied on (one reproducer for each doubt).
\set SHOW_CONTEXT never
CREATE SCHEMA explain_test;
SET search_path = explain_test, public;
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE executions (
	id int PRIMARY KEY,
	tenant_id int NOT NULL,
	agent text NOT NULL,
	status text NOT NULL,
	created timestamptz NOT NULL,
	touched timestamptz,
	payload text);
CREATE TABLE steps (
	id int PRIMARY KEY,
	execution_id int NOT NULL,
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
		'search_path', 'explain_test'))
$$;
CREATE FUNCTION workload() RETURNS jsonb LANGUAGE sql AS $$
	SELECT statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20')
		|| statement('SELECT * FROM executions WHERE status IN (''running'', ''pending'') ORDER BY created')
		|| statement('SELECT * FROM executions e JOIN steps s ON s.execution_id = e.id WHERE e.agent = ''agent 8''')
		|| statement('UPDATE executions SET touched = now() WHERE id = 7', 500)
		|| statement('SELECT * FROM tenants WHERE name = ''tenant 7''')
		|| statement('SELECT * FROM nowhere')
		|| statement('SELECT a FROM nowhere')
		|| statement('VACUUM executions')
$$;

-- Contributions add up to what the statements save; the join's saving is
-- divided between the two indexes that make it possible.
SELECT rank, table_name, benefit_ms_per_day > 0 AS contributes,
	loss_without_ms_per_day > 0 AS missed, statements_helped AS helped
FROM glperf.advise_indexes(workload => workload());
CREATE TEMP TABLE recs AS SELECT * FROM glperf.advise_indexes(workload => workload());
SELECT abs(sum(r.benefit_ms_per_day) - s.saved) < 1e-6 * s.saved AS contributions_add_up,
	abs(sum(r.benefit_ms_per_day - r.write_cost_ms_per_day) - a.gain_ms_per_day) < 1e-6 * s.saved
		AS as_in_summary
FROM recs r, glperf.advice_summary() a,
	(SELECT sum(time_ms_per_day * (1 - cost_after / cost_before)) AS saved
	 FROM glperf.advised_statements() WHERE outcome = 'advised') s
GROUP BY s.saved, a.gain_ms_per_day;
SELECT bool_and(r.benefit_ms_per_day < j.saved) AS shared,
	bool_and(r.loss_without_ms_per_day >= r.benefit_ms_per_day * 0.999) AS needed_for_its_share
FROM recs r,
	(SELECT time_ms_per_day * (1 - cost_after / cost_before) AS saved
	 FROM glperf.advised_statements() WHERE query LIKE '%JOIN%') j
WHERE r.table_name = 'steps';

-- Plans.
SELECT p.rank, p.table_name, p.alias, p.sample, p.node_before,
	replace(p.node_after, p.index_name, '...') AS node_after,
	p.node_cost_before > p.node_cost_after OR p.query LIKE '%LIMIT%' AS scan_cheaper,
	p.cost_before > p.cost_after AS cheaper, left(p.query, 40) AS query
FROM glperf.advice_plans() p ORDER BY rank, query COLLATE "C";
SELECT bool_and(r.ddl LIKE '%' || p.index_name || '%') AND count(DISTINCT p.rank) = (SELECT count(*) FROM recs)
	AS every_index_is_in_a_plan
FROM glperf.advice_plans() p JOIN recs r USING (rank);

-- Rivals: each has a reason that its figures bear out.
SELECT r.rank, v.rival_size_bytes > 0 AS sized,
	CASE WHEN v.reason ~ '^saves (nothing|[0-9.]+ % less)'
		THEN v.rival_benefit_ms_per_day < r.benefit_ms_per_day
		ELSE v.rival_benefit_ms_per_day >= r.benefit_ms_per_day * 0.99 END AS borne_out
FROM recs r JOIN glperf.advice_rivals() v USING (rank, index_name) ORDER BY rank;
-- a budget under which the wide index does not fit
SELECT count(*) FROM glperf.advise_indexes(400000, workload =>
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20'));
SELECT rival, rival_benefit_ms_per_day AS benefit, substring(reason from '^over budget') AS reason
FROM glperf.advice_rivals();
-- a wide index that would end HOT updates
CREATE TABLE hot (id int PRIMARY KEY, k int, v int, pad text) WITH (fillfactor = 50);
INSERT INTO hot SELECT i, i % 100, i, repeat('h', 60) FROM generate_series(1, 20000) i;
VACUUM ANALYZE hot;
UPDATE hot SET v = v + 1 WHERE id % 100 = 7;
SELECT pg_stat_force_next_flush() IS NOT NULL AS flushed;
VACUUM ANALYZE hot;
SELECT regexp_replace(ddl, 'glp_\w+_[0-9a-f]{8}\M', '...') AS ddl FROM glperf.advise_indexes(workload =>
	statement('SELECT k, v FROM hot WHERE k = $1')
	|| statement('UPDATE hot SET v = v + 1 WHERE id = $1', 2000000, 0.02, 1));
SELECT rival, substring(reason from '^its upkeep takes') AS reason FROM glperf.advice_rivals();
-- the words have the figures of the other columns
SELECT count(*) FROM glperf.advise_indexes(workload =>
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20'));
SELECT substring(regexp_replace(v.reason, '[0-9.]+ ?(ms|s|min|h)? ', 'N ', 'g') from '^[^;,]*, N a day') AS reason,
	abs(m.words[1]::float8 - 100 * (1 - v.rival_benefit_ms_per_day / r.benefit_ms_per_day)) < 0.5 AS share,
	abs(m.words[2]::float8 * CASE m.words[3] WHEN 's' THEN 1000 WHEN 'min' THEN 60000 ELSE 1 END
		/ (r.benefit_ms_per_day - v.rival_benefit_ms_per_day) - 1) < 0.05 AS difference
FROM glperf.advice_rivals() v
JOIN glperf.advise_indexes(workload =>
	statement('SELECT * FROM executions WHERE agent = ''agent 7'' ORDER BY created DESC LIMIT 20')) r USING (rank),
	regexp_match(v.reason, '([0-9.]+) % less than the recommended one, ([0-9.]+) (ms|s|min) a day') m(words);

-- What was not looked at.
SELECT count(*) > 0 AS some FROM glperf.advise_indexes(workload => workload());
SELECT kind, object, count, time_ms_per_day, reason FROM glperf.advice_not_examined();
SELECT count(*) FROM glperf.advise_indexes(workload => statement('SELECT * FROM executions WHERE agent = ''agent 7'''));
SELECT * FROM glperf.advice_not_examined();
SELECT count(*) FROM glperf.advise_indexes(100000, workload => statement('SELECT * FROM executions WHERE agent = ''agent 7'''));
SELECT kind, count > 0 AS counted, reason FROM glperf.advice_not_examined();
SELECT count(*) >= 0 AS ended FROM glperf.advise_indexes(time_limit_ms => 1, workload =>
	(SELECT jsonb_agg(w) FROM generate_series(1, 200), jsonb_array_elements(workload()) w));
SELECT kind, reason FROM glperf.advice_not_examined() WHERE kind = 'search';
-- tables of the extension are not a matter of advice
SELECT count(*) FROM glperf.advise_indexes(workload => statement('SELECT * FROM glperf.threshold WHERE warning > 7')
	|| statement('SELECT * FROM glperf.history_statement h JOIN tenants t ON t.id = h.queryid WHERE h.calls = 7'));
SELECT outcome, reason, query FROM glperf.advised_statements() ORDER BY query COLLATE "C";
SELECT kind, object, count, reason FROM glperf.advice_not_examined();
-- statements of functions have variables where others have columns
CREATE FUNCTION inside(query text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array((statement(query) -> 0) || '{"toplevel": false}')
$$;
SELECT regexp_replace(ddl, 'glp_\w+_[0-9a-f]{8}\M', '...') AS ddl FROM glperf.advise_indexes(workload =>
	inside('SELECT * FROM executions WHERE agent = wanted AND created > new.created')
	|| inside('SELECT (SELECT max(s.position) FROM steps s WHERE s.execution_id = l.rec.id), wanted LIMIT $1')
	|| inside('SELECT * FROM executions e WHERE e.nothing = wanted')
	|| inside('SELECT * FROM executions WHERE wanted IS NULL')
	|| statement('SELECT * FROM executions WHERE agent = wanted'));
SELECT outcome, reason, query FROM glperf.advised_statements() ORDER BY query COLLATE "C";
-- nothing asked, nothing to tell
SELECT count(*) FROM glperf.advise_indexes(workload => '[]');
SELECT count(*) FROM glperf.advice_plans();
SELECT count(*) FROM glperf.advice_rivals();
SELECT count(*) FROM glperf.advice_not_examined();

-- Confidence.
CREATE FUNCTION doubts(query text, VARIADIC others jsonb[] DEFAULT '{}') RETURNS TABLE (
	confidence text, doubt text) LANGUAGE sql AS $$
	SELECT a.confidence, regexp_replace(doubt, '\d+', 'N', 'g')
	FROM glperf.advise_indexes(workload => statement(query) ||
		coalesce((SELECT jsonb_agg(s) FROM unnest(others) o, jsonb_array_elements(o) s), '[]')) a
		LEFT JOIN unnest(a.reasons) doubt ON doubt LIKE 'confidence: %'
			OR doubt LIKE '%statistics%'
	WHERE a.action = 'create'
$$;
-- none
SELECT * FROM doubts('SELECT * FROM executions WHERE agent = ''agent 7''');
-- unknown values
SELECT * FROM doubts('SELECT * FROM executions WHERE agent = $1');
-- no statistics
CREATE TABLE fresh AS TABLE executions;
SELECT * FROM doubts('SELECT * FROM fresh WHERE agent = ''agent 7''');
ALTER TABLE executions ALTER tenant_id SET STATISTICS 0;
CREATE TABLE half (LIKE executions);
ALTER TABLE half ALTER agent SET STATISTICS 0;
INSERT INTO half TABLE executions;
VACUUM ANALYZE half;
SELECT * FROM doubts('SELECT * FROM half WHERE agent = ''agent 7''');
-- an expression of which nothing is known
CREATE FUNCTION own(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
CREATE ROLE explain_owner;
GRANT USAGE, CREATE ON SCHEMA explain_test TO explain_owner;
ALTER TABLE half OWNER TO explain_owner;
SELECT a.confidence, doubt FROM glperf.advise_indexes(workload => jsonb_set(
	statement('SELECT * FROM half WHERE own(payload) = ''x'''), '{0,role}', '"explain_owner"')) a,
	unnest(a.reasons) doubt
WHERE a.action = 'create' AND doubt ~ 'confidence|expression';
-- beyond the histogram of a table that grows
CREATE TABLE events (id int, at timestamptz, note text);
INSERT INTO events SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', repeat('e', 80)
FROM generate_series(1, 30000) i;
SELECT pg_stat_force_next_flush() IS NOT NULL AS flushed;
VACUUM ANALYZE events;
-- (it has not grown yet)
SELECT * FROM doubts('SELECT * FROM events WHERE at > ''2026-01-21 21:00+00''');
SELECT * FROM doubts('SELECT * FROM events WHERE at > ''2026-01-21 12:00+00'' AND at < ''2026-01-21 13:00+00''');
INSERT INTO events SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', repeat('e', 80)
FROM generate_series(30001, 40000) i;
SELECT * FROM doubts('SELECT * FROM events WHERE at > ''2026-01-21 21:00+00''');
SELECT * FROM doubts('SELECT * FROM events WHERE ''2026-01-21 21:00+00'' < at');
-- an early stop
SELECT * FROM doubts('SELECT * FROM executions WHERE payload <> ''y'' ORDER BY created LIMIT 20');
SELECT * FROM doubts('SELECT * FROM executions ORDER BY created LIMIT 20');
-- index-only scans of a table that changes
SELECT * FROM doubts('SELECT tenant_id, agent FROM executions WHERE tenant_id BETWEEN 1 AND 60');
SELECT * FROM doubts('SELECT tenant_id, agent FROM executions WHERE tenant_id BETWEEN 1 AND 60',
	statement('UPDATE executions SET touched = now() WHERE id = $1', 5000, 0.02, 1));
SELECT * FROM doubts('SELECT tenant_id, agent FROM executions WHERE tenant_id BETWEEN 1 AND 60',
	statement('INSERT INTO executions (id) VALUES ($1)', 5000, 0.02, 1));
UPDATE pg_class SET relallvisible = relpages * 0.75 WHERE oid = 'executions'::regclass;
SELECT * FROM doubts('SELECT tenant_id, agent FROM executions WHERE tenant_id BETWEEN 1 AND 10');
UPDATE pg_class SET relallvisible = relpages WHERE oid = 'executions'::regclass;
ALTER TABLE executions SET (autovacuum_enabled = false);
BEGIN;
UPDATE executions SET touched = now() WHERE id % 10 = 0;
ROLLBACK;
SELECT pg_stat_force_next_flush() IS NOT NULL AS flushed;
SELECT * FROM doubts('SELECT tenant_id, agent FROM executions WHERE tenant_id BETWEEN 1 AND 10');
VACUUM executions;
ALTER TABLE executions RESET (autovacuum_enabled);
-- less than half of the time is saved
SELECT * FROM doubts('SELECT count(payload) FROM executions WHERE agent = ''agent 7'' UNION ALL SELECT count(payload) FROM executions UNION ALL SELECT count(id) FROM executions WHERE payload <> ''y''');
-- a partial index and parameters
SET glperf.sample_parameters = on;
SELECT pg_stat_statements_reset() IS NOT NULL AS reset, glperf.parameter_samples_reset() IS NOT NULL AS forgotten;
PREPARE by_status(text) AS SELECT * FROM executions WHERE status = $1 ORDER BY created LIMIT 10;
\o /dev/null
SELECT 'EXECUTE by_status(''running'')' FROM generate_series(1, 4) \gexec
\o
DEALLOCATE by_status;
SELECT a.confidence, a.ddl ~ 'WHERE \(status =' AS partial, doubt
FROM glperf.advise_indexes() a, unnest(a.reasons) doubt
WHERE a.table_name = 'executions' AND doubt LIKE 'confidence: %';

-- Rights.
CREATE ROLE explain_watch IN ROLE pg_monitor;
SET ROLE explain_watch;
SELECT count(*) >= 0 AS may FROM glperf.advice_plans(), glperf.advice_rivals(), glperf.advice_not_examined();
RESET ROLE;
SET ROLE explain_owner;
SELECT count(*) FROM glperf.advice_plans();
SELECT count(*) FROM glperf.advice_rivals();
SELECT count(*) FROM glperf.advice_not_examined();
RESET ROLE;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA explain_test CASCADE;
DROP ROLE explain_owner, explain_watch;

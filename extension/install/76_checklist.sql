-- The guide's checklists: evidence where the database has it, and the word of
-- people where it has not.

CREATE TABLE attestation (
	item text COLLATE pg_catalog."C" NOT NULL,
	attested_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	attested_by text NOT NULL,
	role text NOT NULL,
	note text
);
CREATE INDEX attestation_item ON attestation (item, attested_at DESC);
COMMENT ON TABLE attestation IS
'Who said when that an item of the guide''s checklist was done, as glperf.attest() wrote it. Nothing is ever overwritten; survives dump and restore.';
COMMENT ON COLUMN attestation.item IS 'Item of glperf.checklist.';
COMMENT ON COLUMN attestation.attested_at IS 'When it was said.';
COMMENT ON COLUMN attestation.attested_by IS 'Who did it, as told.';
COMMENT ON COLUMN attestation.role IS 'Role that said so.';
COMMENT ON COLUMN attestation.note IS 'What was told besides: a link, a result; NULL: nothing.';
SELECT pg_catalog.pg_extension_config_dump('attestation', '');

CREATE FUNCTION checklist_items(
	OUT rank int8, OUT list text, OUT item text, OUT description text,
	OUT cycle text, OUT repeat_after interval)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 19
SET search_path = pg_catalog, pg_temp
AS $$ VALUES
	(1::int8, 'Pre-Production', 'load_test_2x', 'Load testing completed at 2x expected traffic', 'once', NULL::interval),
	(2, 'Pre-Production', 'stress_test_5x', 'Stress testing completed at 5x expected traffic', 'once', NULL),
	(3, 'Pre-Production', 'soak_test_24h', 'Soak testing completed (24 hours at expected load)', 'once', NULL),
	(4, 'Pre-Production', 'targets_met', 'All performance targets met', 'once', NULL),
	(5, 'Pre-Production', 'autoscaling_tested', 'Auto-scaling configured and tested', 'once', NULL),
	(6, 'Pre-Production', 'circuit_breakers_tested', 'Circuit breakers tested', 'once', NULL),
	(7, 'Pre-Production', 'cache_warming_documented', 'Cache warming procedures documented', 'once', NULL),
	(8, 'Production', 'monitor_metrics', 'Monitor key metrics daily', 'daily', '1 day'),
	(9, 'Production', 'review_slow_queries', 'Review slow query log weekly', 'weekly', '7 days'),
	(10, 'Production', 'analyze_trends', 'Analyze performance trends weekly', 'weekly', '7 days'),
	(11, 'Production', 'capacity_review', 'Capacity planning review monthly', 'monthly', '1 month'),
	(12, 'Production', 'load_test', 'Load testing quarterly', 'quarterly', '3 months'),
	(13, 'Production', 'optimize_performance', 'Performance optimization quarterly', 'quarterly', '3 months'),
	-- no cycle of their own: the guide's review cycle
	(14, 'Continuous Optimization', 'slowest_endpoints', 'Identify top 10 slowest endpoints', 'quarterly', '3 months'),
	(15, 'Continuous Optimization', 'profile_operations', 'Profile slowest operations', 'quarterly', '3 months'),
	(16, 'Continuous Optimization', 'optimize_queries', 'Optimize database queries', 'quarterly', '3 months'),
	(17, 'Continuous Optimization', 'implement_caching', 'Implement caching where beneficial', 'quarterly', '3 months'),
	(18, 'Continuous Optimization', 'review_autoscaling', 'Review and tune auto-scaling policies', 'quarterly', '3 months'),
	(19, 'Continuous Optimization', 'llm_costs', 'Monitor and reduce LLM API costs', 'quarterly', '3 months')
$$;
COMMENT ON FUNCTION checklist_items() IS
'Items of the guide''s three checklists, in its order and words, and how often each is due: repeat_after NULL is once. Continuous Optimization has no cycle there, so it follows the guide''s review cycle, quarterly. Source: guide, Performance Tuning Checklist.';

CREATE FUNCTION checklist_evidence(
	OUT item text, OUT state text, OUT message text, OUT seen_at timestamptz)
RETURNS SETOF record
LANGUAGE sql VOLATILE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
	WITH collector AS MATERIALIZED (
		SELECT c.worker_pid IS NOT NULL AS watching,
			c.preloaded AND c.query_ids AS counting
		FROM glperf.collector_status() c
	), kept AS MATERIALIZED (
		SELECT max(s.taken_at) AS at FROM glperf.history_snapshot s
	), targets AS MATERIALIZED (
		SELECT h.check_id, h.status FROM glperf.health_collector h
		UNION ALL
		SELECT h.check_id, h.status FROM glperf.health_host h
		WHERE h.check_id IN ('cpu', 'memory')
	), bad AS MATERIALIZED (
		SELECT
			string_agg(DISTINCT t.check_id, ', ') FILTER
				(WHERE t.status IN ('warning', 'critical')) AS missed,
			string_agg(DISTINCT t.check_id, ', ') FILTER
				(WHERE t.status = 'unknown') AS unknown
		FROM targets t
	)
	SELECT 'targets_met',
		CASE WHEN b.missed IS NOT NULL THEN 'not done'
			WHEN b.unknown IS NOT NULL THEN 'unknown' ELSE 'done' END,
		CASE WHEN b.missed IS NOT NULL THEN 'not met just now: ' || b.missed
			WHEN b.unknown IS NOT NULL THEN 'not known: ' || b.unknown
			ELSE 'latency, errors, throughput, processors and memory meet their targets just now' END,
		clock_timestamp()
	FROM bad b
	UNION ALL
	SELECT 'monitor_metrics',
		CASE WHEN c.watching OR k.at > clock_timestamp() - i.repeat_after
			THEN 'done' ELSE 'to do' END,
		CASE WHEN c.watching THEN 'the collector watches all the time'
			WHEN k.at > clock_timestamp() - i.repeat_after
				THEN 'glperf.snapshot() is called'
			ELSE 'nothing polls: neither is glperf in shared_preload_libraries, nor is glperf.snapshot() called' END,
		CASE WHEN c.watching THEN clock_timestamp() ELSE k.at END
	FROM collector c, kept k, glperf.checklist_items() i
	WHERE i.item = 'monitor_metrics'
	UNION ALL
	SELECT 'review_slow_queries', 'to do',
		CASE WHEN count(*) FILTER (WHERE h.status IN ('warning', 'critical')) > 0
			THEN 'there are slow statements: read glperf.slow_queries, then attest'
			ELSE 'no slow statement stands out: read glperf.statements, then attest' END,
		NULL
	FROM glperf.health_statements h
	UNION ALL
	SELECT 'analyze_trends', 'to do',
		CASE WHEN k.at IS NULL
			THEN 'no history: call glperf.snapshot() from cron or set glperf.history_database'
			ELSE 'read glperf.query_regressions, then attest; history reaches to '
				|| to_char(k.at, 'YYYY-MM-DD HH24:MI') END, NULL
	FROM kept k
	UNION ALL
	SELECT 'capacity_review', 'to do',
		'read glperf.capacity, then attest', NULL
	UNION ALL
	SELECT 'optimize_performance',
		CASE WHEN max(l.finished_at) IS NOT NULL THEN 'done' ELSE 'to do' END,
		CASE WHEN max(l.finished_at) IS NOT NULL
			THEN count(*) || ' changes of glperf-advisor --apply, the last at '
				|| to_char(max(l.finished_at), 'YYYY-MM-DD HH24:MI')
			ELSE 'glperf-advisor has applied nothing yet' END,
		max(l.finished_at)
	FROM glperf.apply_log l WHERE l.outcome = 'done'
	UNION ALL
	SELECT 'slowest_endpoints',
		CASE WHEN e.n > 0 THEN 'done'
			ELSE 'to do' END,
		CASE WHEN e.n > 0 THEN format(
				'glperf.endpoints knows %s, the slowest by p95: %s', e.n, e.slowest)
			WHEN c.counting THEN 'no endpoint has been seen yet'
			ELSE 'glperf is not in shared_preload_libraries' END,
		CASE WHEN e.n > 0 THEN clock_timestamp() END
	FROM collector c, (SELECT count(*) AS n, (array_agg(p.endpoint
			ORDER BY p.p95_ms DESC NULLS LAST, p.endpoint))[1] AS slowest
		FROM glperf.endpoints p WHERE p.kind <> 'other') e
	UNION ALL
	SELECT 'profile_operations', 'to do',
		CASE WHEN c.watching
			THEN 'read glperf.waits and the reasons in glperf.slow_queries, then attest'
			ELSE 'read the reasons in glperf.slow_queries, then attest' END, NULL
	FROM collector c
	UNION ALL
	SELECT 'optimize_queries',
		CASE WHEN count(*) FILTER (WHERE h.status IN ('warning', 'critical')) > 0
			THEN 'not done'
			WHEN count(*) FILTER (WHERE h.status = 'unknown') > 0
			THEN 'unknown' ELSE 'done' END,
		CASE WHEN count(*) FILTER (WHERE h.status IN ('warning', 'critical')) > 0
			THEN 'statements are slow: SELECT * FROM glperf.slow_queries, SELECT * FROM glperf.advise_indexes()'
			WHEN count(*) FILTER (WHERE h.status = 'unknown') > 0
			THEN 'statements are not recorded'
			ELSE 'no statement is slow' END,
		clock_timestamp()
	FROM glperf.health_statements h
	WHERE h.check_id = 'slow_query_mean' OR h.status = 'unknown'
	UNION ALL
	SELECT 'implement_caching',
		CASE WHEN count(*) FILTER (WHERE m.status = 'warning') > 0 THEN 'not done'
			WHEN count(*) FILTER (WHERE m.status = 'ok') > 0 THEN 'done'
			ELSE 'to do' END,
		coalesce('below target: ' || string_agg(DISTINCT m.metric, ', ')
				FILTER (WHERE m.status = 'warning'),
			'on target: ' || string_agg(DISTINCT m.metric, ', ')
				FILTER (WHERE m.status = 'ok'),
			'no cache reports its hit rate with glperf.report_metric()'),
		max(m.reported_at)
	FROM glperf.external_metrics m WHERE m.metric LIKE '%\_hit'
	UNION ALL
	SELECT 'llm_costs',
		CASE WHEN count(*) FILTER (WHERE h.status = 'warning') > 0 THEN 'not done'
			WHEN count(*) FILTER (WHERE h.status = 'ok') > 1 THEN 'done'
			ELSE 'to do' END,
		CASE WHEN count(*) FILTER (WHERE h.status = 'warning') > 0
			THEN 'above the limit: ' || string_agg(h.check_id, ', ')
				FILTER (WHERE h.status = 'warning')
			WHEN count(*) FILTER (WHERE h.status = 'ok') > 1
			THEN 'requests and tokens are reported and within their limits'
			ELSE 'report llm_requests and llm_tokens with glperf.report_metric()' END,
		clock_timestamp()
	FROM glperf.health_external h
	WHERE h.check_id IN ('llm_requests', 'llm_tokens')
$$;
COMMENT ON FUNCTION checklist_evidence() IS
'What the database itself knows about the items of the checklist. state: done, not done (there is evidence against it), to do (message says what to read before attesting), or unknown. seen_at: the moment that the evidence is from; NULL: none. Items without a row are for people to attest.';

CREATE FUNCTION attest(item text, by text DEFAULT NULL, note text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_attest';
COMMENT ON FUNCTION attest(text, text, text) IS
'Writes down that an item of glperf.checklist was done: SELECT glperf.attest(''load_test'', ''Ann'', ''https://...''). by NULL: the role itself, which is kept in any case. Granted to nobody: GRANT USAGE ON SCHEMA glperf, GRANT EXECUTE ON FUNCTION glperf.attest. Errors: undefined_object for an unknown item, read_only_sql_transaction on a standby.';

CREATE VIEW checklist AS
WITH latest AS (
	SELECT DISTINCT ON (a.item) a.*
	FROM attestation a ORDER BY a.item, a.attested_at DESC
), both_kinds AS (
	SELECT i.*, e.state, e.message AS evidence, a.note,
		CASE WHEN e.state = 'done'
			AND (a.attested_at IS NULL OR e.seen_at >= a.attested_at)
			THEN e.seen_at ELSE a.attested_at END AS done_at,
		CASE WHEN e.state = 'done'
			AND (a.attested_at IS NULL OR e.seen_at >= a.attested_at)
			THEN 'glperf'
			WHEN a.attested_by <> a.role
			THEN pg_catalog.format('%s (as told by role %s)', a.attested_by, a.role)
			ELSE a.attested_by END AS done_by
	FROM checklist_items() i
	LEFT JOIN checklist_evidence() e ON e.item = i.item
	LEFT JOIN latest a ON a.item = i.item
)
SELECT b.rank, b.list, b.item, b.description, b.cycle,
	CASE
		WHEN b.state = 'not done' THEN 'warning'
		WHEN b.done_at IS NULL THEN 'unknown'
		WHEN b.done_at + b.repeat_after < pg_catalog.clock_timestamp()
			THEN 'warning'
		ELSE 'ok' END AS status,
	CASE
		WHEN b.state = 'not done' THEN b.evidence
		WHEN b.done_at IS NULL
			THEN coalesce('never done: ' || b.evidence, 'never attested')
		WHEN b.done_at + b.repeat_after < pg_catalog.clock_timestamp()
			THEN 'overdue' || coalesce(': ' || b.evidence, '')
		WHEN b.done_by = 'glperf' THEN b.evidence
		ELSE 'attested' END AS message,
	b.done_at, b.done_by, b.note,
	b.done_at + b.repeat_after AS due_at,
	CASE
		WHEN b.state = 'not done' THEN NULL
		WHEN b.done_at IS NULL
			OR b.done_at + b.repeat_after < pg_catalog.clock_timestamp()
			THEN pg_catalog.format('SELECT glperf.attest(%L, %L, %L);',
								   b.item, 'who did it', 'where to read about it')
		END AS remedy
FROM both_kinds b
ORDER BY b.rank;
COMMENT ON VIEW checklist IS
'The guide''s three checklists, one row per item: done, by evidence of the database or by attestation, when, by whom, and when it is due again. Source: guide, Performance Tuning Checklist.';
COMMENT ON COLUMN checklist.rank IS 'Position in the guide.';
COMMENT ON COLUMN checklist.list IS 'Pre-Production, Production or Continuous Optimization.';
COMMENT ON COLUMN checklist.item IS 'Name of the item, for glperf.attest().';
COMMENT ON COLUMN checklist.description IS 'The guide''s words.';
COMMENT ON COLUMN checklist.cycle IS 'How often: once, daily, weekly, monthly, quarterly.';
COMMENT ON COLUMN checklist.status IS 'ok: done and not due; warning: overdue, or there is evidence against it; unknown: never done.';
COMMENT ON COLUMN checklist.message IS 'The evidence, or what to read before attesting.';
COMMENT ON COLUMN checklist.done_at IS 'When it was last done; NULL: never.';
COMMENT ON COLUMN checklist.done_by IS 'Who did it; glperf: the evidence is the database''s own; NULL: nobody.';
COMMENT ON COLUMN checklist.note IS 'Note of the last attestation; NULL: none.';
COMMENT ON COLUMN checklist.due_at IS 'When it is due again; NULL: never done, or done once and for all.';
COMMENT ON COLUMN checklist.remedy IS 'How to attest it; NULL when nothing is due, or when it has to be done first.';

-- attest() is granted to nobody: it speaks for people
REVOKE ALL ON FUNCTION checklist_items(), checklist_evidence(),
	attest(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checklist_items(), checklist_evidence()
	TO pg_monitor;
GRANT SELECT ON attestation, checklist TO pg_monitor;

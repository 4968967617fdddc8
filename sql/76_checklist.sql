-- The guide's checklists: complete, in its words, with evidence both ways.
SELECT list, item, description, cycle FROM glperf.checklist ORDER BY rank;
SELECT count(*) = 19 AS complete, count(DISTINCT item) = 19 AS distinct_items,
	bool_and(status IN ('ok', 'warning', 'unknown')) AS statuses,
	bool_and(message <> '') AS messages,
	bool_and((status = 'unknown') = (done_at IS NULL)
			 OR status = 'warning') AS done,
	bool_and((done_by IS NULL) = (done_at IS NULL)) AS by,
	bool_and(status <> 'unknown' OR remedy IS NOT NULL) AS remedies
FROM glperf.checklist;
-- every piece of evidence belongs to an item
SELECT e.item FROM glperf.checklist_evidence() e
WHERE e.state NOT IN ('done', 'not done', 'to do', 'unknown')
	OR NOT EXISTS (SELECT FROM glperf.checklist_items() i WHERE i.item = e.item);

-- attested, due, overdue
SELECT item, status, done_at, message FROM glperf.checklist
WHERE item IN ('load_test', 'load_test_2x') ORDER BY rank;
SELECT glperf.attest('load_test', 'Ann', 'report 17'),
	glperf.attest('load_test_2x');
SELECT item, status, done_at > now() - interval '1 minute' AS now,
	replace(done_by, current_user, 'me') AS done_by, note,
	due_at = done_at + interval '3 months' AS due, remedy
FROM glperf.checklist WHERE item IN ('load_test', 'load_test_2x') ORDER BY rank;
UPDATE glperf.attestation SET attested_at = now() - interval '100 days';
SELECT item, status, message, remedy FROM glperf.checklist
WHERE item IN ('load_test', 'load_test_2x') ORDER BY rank;
-- the latest word counts, and the earlier ones stay
SELECT glperf.attest('load_test', 'Bob');
SELECT status, done_by LIKE 'Bob (as told by role %)' AS by, note
FROM glperf.checklist WHERE item = 'load_test';
SELECT attested_by, note FROM glperf.attestation
WHERE item = 'load_test' ORDER BY attested_at;
SELECT glperf.attest('review_slow_queries'), glperf.attest('capacity_review'),
	glperf.attest('monitor_metrics');
SELECT item, status,
	round(extract(epoch FROM due_at - done_at) / 86400) BETWEEN 28 AND 31 AS month,
	due_at - done_at = interval '7 days' AS week
FROM glperf.checklist WHERE item IN ('review_slow_queries', 'capacity_review')
ORDER BY rank;
UPDATE glperf.attestation SET attested_at = now() - interval '8 days';
SELECT item, status FROM glperf.checklist
WHERE item IN ('review_slow_queries', 'capacity_review', 'load_test')
ORDER BY rank;

-- evidence of the database itself: caches and LLM use as reported
SELECT glperf.report_metric('redis_hit', 99, 'a'),
	glperf.report_metric('llm_requests', 10, 'a'),
	glperf.report_metric('llm_tokens', 10, 'a');
SELECT item, status, message, done_by FROM glperf.checklist
WHERE item IN ('implement_caching', 'llm_costs') ORDER BY rank;
SELECT glperf.report_metric('config_hit', 9, 'a'),
	glperf.report_metric('llm_requests', 100, 'a');
SELECT item, status, message, remedy FROM glperf.checklist
WHERE item IN ('implement_caching', 'llm_costs') ORDER BY rank;
-- evidence against it weighs more than a word
SELECT glperf.attest('llm_costs', 'Ann');
SELECT status, message FROM glperf.checklist WHERE item = 'llm_costs';
DELETE FROM glperf.metric_report;
SELECT status, message FROM glperf.checklist WHERE item = 'llm_costs';
-- statements
BEGIN;
UPDATE glperf.threshold SET warning = 0, critical = 0
WHERE id = 'slow_query_mean';
SELECT status, message FROM glperf.checklist WHERE item = 'optimize_queries';
UPDATE glperf.threshold SET warning = 1e9, critical = 1e9
WHERE id = 'slow_query_mean';
SELECT status, message, done_by FROM glperf.checklist
WHERE item = 'optimize_queries';
ROLLBACK;
-- targets
BEGIN;
UPDATE glperf.threshold SET warning = 0, critical = 0 WHERE id = 'memory';
SELECT status, message ~ '^not met just now: .*memory' AS message
FROM glperf.checklist WHERE item = 'targets_met';
ROLLBACK;
-- the advisor's changes
BEGIN;
INSERT INTO glperf.apply_log (finished_at, command, statement, outcome)
VALUES (now() - interval '1 day', 'create index', 'x', 'done');
SELECT status, message LIKE '1 changes of glperf-advisor --apply, the last at %'
	AS message, done_by FROM glperf.checklist WHERE item = 'optimize_performance';
UPDATE glperf.apply_log SET finished_at = now() - interval '4 months'
WHERE statement = 'x';
SELECT status, message LIKE 'overdue: 1 changes %' AS message
FROM glperf.checklist WHERE item = 'optimize_performance';
UPDATE glperf.apply_log SET outcome = 'failed' WHERE statement = 'x';
SELECT status FROM glperf.checklist WHERE item = 'optimize_performance';
ROLLBACK;

-- nonsense
SELECT glperf.attest('load_tets');
SELECT glperf.attest(NULL);
SELECT glperf.attest('load_test', repeat('x', 201));
BEGIN READ ONLY;
SELECT glperf.attest('load_test');
ROLLBACK;

-- one right
CREATE ROLE glperf_lead;
GRANT USAGE ON SCHEMA glperf TO glperf_lead;
SET ROLE glperf_lead;
SELECT glperf.attest('load_test');
RESET ROLE;
GRANT EXECUTE ON FUNCTION glperf.attest TO glperf_lead;
SET ROLE glperf_lead;
SELECT glperf.attest('load_test', note => 'third run');
SELECT current_user;
INSERT INTO glperf.attestation VALUES ('load_test', now(), 'x', 'y');
RESET ROLE;
SELECT done_by, note FROM glperf.checklist WHERE item = 'load_test';
REVOKE EXECUTE ON FUNCTION glperf.attest FROM glperf_lead;
REVOKE USAGE ON SCHEMA glperf FROM glperf_lead;
DROP ROLE glperf_lead;
DELETE FROM glperf.attestation;

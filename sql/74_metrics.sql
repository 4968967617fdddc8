-- What the application reports: judged, aged, refused, and never in the way.
SET application_name = 'api';

-- nobody has reported anything
SELECT metric, instance, value, status, age_s FROM glperf.external_metrics
ORDER BY metric;
SELECT object, check_id, value, status, message, remedy
FROM glperf.health_external WHERE check_id = 'redis_hit';

-- each metric of the guide, above and below its limit; equal to it is ok
SELECT glperf.report_metric(id, warning) FROM glperf.threshold
WHERE source = 'external' ORDER BY id;
SELECT check_id, object, value, status, remedy FROM glperf.health_external
ORDER BY check_id;
SELECT glperf.report_metric(id, warning
	+ CASE direction WHEN 'below' THEN -0.5 ELSE 0.5 END)
FROM glperf.threshold WHERE source = 'external' ORDER BY id;
SELECT check_id, object, value, status, remedy FROM glperf.health_external
ORDER BY check_id;
SELECT message ~ '^79.5 %, reported \d+ s ago by ' AS message
FROM glperf.health_external WHERE check_id = 'redis_hit';
SELECT instance, reported_by = current_user AS reported_by,
	age_s BETWEEN 0 AND 60 AS fresh, reported_at <= clock_timestamp() AS past
FROM glperf.external_metrics WHERE metric = 'redis_hit';

-- instances: hit rates are judged one by one, requests per minute add up
SELECT glperf.report_metric('redis_hit', 99, 'worker'),
	glperf.report_metric('llm_requests', 40),
	glperf.report_metric('llm_requests', 15, 'worker');
SELECT object, check_id, value, status FROM glperf.health_external
WHERE check_id IN ('redis_hit', 'llm_requests') ORDER BY check_id, object COLLATE "C";
SELECT glperf.report_metric('llm_requests', 20.5, 'worker');
SELECT value, status, message ~ ', sum of 2 instances$' AS message
FROM glperf.health_external WHERE check_id = 'llm_requests';

-- a report that is not repeated becomes unknown, and does not count
UPDATE glperf.metric_report SET reported_at = now() - interval '6 minutes'
WHERE instance = 'worker';
SELECT object, check_id, value, status,
	message ~ '^last reported \d+ s ago by .*: too old to judge$' AS old,
	remedy IS NOT NULL AS remedy
FROM glperf.health_external
WHERE check_id IN ('redis_hit', 'llm_requests') ORDER BY check_id, object COLLATE "C";
UPDATE glperf.threshold SET warning = 3600 WHERE id = 'report_age';
SELECT object, value, status FROM glperf.health_external
WHERE check_id = 'redis_hit' ORDER BY object COLLATE "C";
UPDATE glperf.threshold SET warning = 300 WHERE id = 'report_age';
-- an instance that is gone leaves the page, and with the next report the table
UPDATE glperf.metric_report SET reported_at = now() - interval '2 days'
WHERE instance = 'worker';
SELECT object FROM glperf.health_external WHERE check_id = 'redis_hit';
SELECT glperf.report_metric('redis_hit', 90);
SELECT metric, instance FROM glperf.metric_report
WHERE metric IN ('redis_hit', 'llm_requests') ORDER BY 1, 2;
-- the last one stays, as unknown
UPDATE glperf.metric_report SET reported_at = now() - interval '2 days'
WHERE metric = 'redis_hit';
SELECT object, status FROM glperf.health_external
WHERE check_id = 'redis_hit';

-- a metric of one's own
INSERT INTO glperf.threshold (id, description, warning, critical, direction,
							  unit, source)
VALUES ('queue', 'jobs waiting', 10, 20, 'above', 'jobs', 'external');
SELECT glperf.report_metric('queue', 21);
SELECT object, value, unit, status FROM glperf.health_external
WHERE check_id = 'queue';
-- silenced
UPDATE glperf.threshold SET warning = NULL, critical = NULL
WHERE id IN ('queue', 'llm_hit');
SELECT check_id FROM glperf.health_external
WHERE check_id IN ('queue', 'llm_hit');
DELETE FROM glperf.threshold WHERE id = 'queue';
SELECT count(*) FROM glperf.health_external WHERE check_id = 'queue';
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;

-- nonsense
SELECT glperf.report_metric('redis_hitt', 1);
SELECT glperf.report_metric('cpu', 1);
SELECT glperf.report_metric('redis_hit', 101);
SELECT glperf.report_metric('redis_hit', -1);
SELECT glperf.report_metric('llm_tokens', 'Infinity');
SELECT glperf.report_metric('llm_tokens', 'NaN');
SELECT glperf.report_metric(NULL, 1);
SELECT glperf.report_metric('redis_hit', NULL);
SELECT glperf.report_metric('redis_hit', 1, repeat('x', 201));
SELECT glperf.report_metric(E'a''; DROP TABLE glperf.metric_report; --', 1);
BEGIN READ ONLY;
SELECT glperf.report_metric('redis_hit', 1);
ROLLBACK;

-- one right is all it takes, and all it gives
CREATE ROLE glperf_app;
GRANT USAGE ON SCHEMA glperf TO glperf_app;
SET ROLE glperf_app;
SELECT glperf.report_metric('config_hit', 91);
RESET ROLE;
GRANT EXECUTE ON FUNCTION glperf.report_metric TO glperf_app;
SET ROLE glperf_app;
SELECT glperf.report_metric('config_hit', 91, 'app');
SELECT current_user;
SELECT count(*) FROM glperf.metric_report;
UPDATE glperf.metric_report SET value = 100;
SELECT count(*) FROM glperf.health;
SELECT glperf.report_metric('config_hit', 900);
SELECT current_user;
RESET ROLE;
SELECT instance, value, reported_by FROM glperf.metric_report
WHERE metric = 'config_hit' AND instance = 'app';
-- objects of the caller are not used in its stead
CREATE SCHEMA glperf_trap AUTHORIZATION glperf_app;
SET ROLE glperf_app;
CREATE FUNCTION glperf_trap.clock_timestamp() RETURNS timestamptz
LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''caught''; END';
SET search_path = glperf_trap, pg_catalog;
SELECT glperf.report_metric('config_hit', 92, 'app');
RESET search_path;
RESET ROLE;
DROP SCHEMA glperf_trap CASCADE;
REVOKE EXECUTE ON FUNCTION glperf.report_metric FROM glperf_app;
REVOKE USAGE ON SCHEMA glperf FROM glperf_app;
DROP ROLE glperf_app;

DELETE FROM glperf.metric_report;
RESET application_name;

-- The collector's functions and views, whether the library is preloaded or
-- not; what they count is proved by t/06*.pl.
SET search_path = pg_catalog;

-- shapes
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a
WHERE a.attrelid = 'glperf.health_collector'::regclass AND a.attnum > 0
ORDER BY a.attnum;
SELECT check_id, unit, guide_section IS NOT NULL AS has_section,
	status IN ('ok', 'warning', 'critical', 'unknown') AS has_status,
	message <> '' AS has_message,
	CASE WHEN status = 'ok' THEN remedy IS NULL ELSE remedy <> '' END AS remedy_if_needed
FROM glperf.health_collector ORDER BY check_id;

-- a verdict is only given where something is measured
SELECT count(*) FROM glperf.health_collector, glperf.collector_status() c
WHERE (status <> 'unknown') AND NOT preloaded;

-- all views answer
SELECT (SELECT count(*) >= 0 FROM glperf.statement_latency()) AS statements,
	(SELECT count(*) >= 0 FROM glperf.database_latency(true)) AS databases,
	(SELECT count(*) >= 0 FROM glperf.endpoints) AS endpoints,
	(SELECT count(*) >= 0 FROM glperf.errors) AS errors,
	(SELECT count(*) >= 0 FROM glperf.waits) AS waits,
	(SELECT count(*) >= 0 FROM glperf.parameter_samples) AS samples,
	(SELECT count(*) >= 0 FROM glperf.connection_peaks()) AS peaks;

-- percentiles of histograms
SELECT round(glperf.latency_bound_ms(1)::numeric, 6) AS first_ms,
	round(glperf.latency_bound_ms(240)::numeric / 60000, 2) AS last_min;
WITH h AS (
	SELECT array_agg(CASE i WHEN 80 THEN 90 WHEN 120 THEN 9 WHEN 160 THEN 1
		ELSE 0 END::int8 ORDER BY i) AS cells
	FROM generate_series(1, 240) i
)
SELECT p, glperf.latency_percentile(cells, p) / glperf.latency_bound_ms(cell)
	BETWEEN 0.94 AND 1.0 AS in_cell
FROM h, (VALUES (0.5, 80), (0.9, 80), (0.95, 120), (0.99, 120), (1, 160)) v(p, cell);
SELECT glperf.latency_percentile(array_fill(0::int8, ARRAY[240]), 0.5) AS no_calls;
SELECT glperf.latency_percentile(NULL, 0.5) AS nothing;
SELECT glperf.latency_percentile('{1,2,3}', 0.5);
SELECT glperf.latency_percentile(array_fill(1::int8, ARRAY[240]), 1.5);
SELECT glperf.latency_percentile(array_fill(-1::int8, ARRAY[240]), 0.5);
SELECT glperf.recent_latency(-1);

-- who may do what
CREATE ROLE regress_glperf_watch IN ROLE pg_monitor;
CREATE ROLE regress_glperf_nobody;
SET ROLE regress_glperf_watch;
SELECT count(*) FROM glperf.health_collector;
SELECT count(*) >= 0 AS may_read FROM glperf.parameter_samples;
SELECT glperf.parameter_samples_reset();
SET ROLE regress_glperf_nobody;
SELECT count(*) FROM glperf.parameter_samples;
SELECT count(*) FROM glperf.statement_latency();
RESET ROLE;
SELECT glperf.parameter_samples_reset();
DROP ROLE regress_glperf_watch, regress_glperf_nobody;

-- settings
SET glperf.sample_parameters = off;
RESET glperf.sample_parameters;
SET glperf.track = 'everything';

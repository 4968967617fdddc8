-- What only the application can measure: it reports, glperf judges.

CREATE TABLE metric_report (
	metric text COLLATE pg_catalog."C" NOT NULL,
	instance text COLLATE pg_catalog."C" NOT NULL,
	value float8 NOT NULL,
	reported_at timestamptz NOT NULL,
	reported_by text NOT NULL,
	PRIMARY KEY (metric, instance)
-- rows are updated all the time, and no indexed column changes
) WITH (fillfactor = 50);
COMMENT ON TABLE metric_report IS
'The latest report of each metric by each instance of the application, as glperf.report_metric() wrote it; glperf.external_metrics judges it. Not dumped: reports age in minutes.';
COMMENT ON COLUMN metric_report.metric IS 'What was measured: glperf.threshold.id of source external.';
COMMENT ON COLUMN metric_report.instance IS 'Who measured it: the application_name of the session, unless another name was given.';
COMMENT ON COLUMN metric_report.value IS 'What was measured, in the threshold''s unit.';
COMMENT ON COLUMN metric_report.reported_at IS 'When it was reported.';
COMMENT ON COLUMN metric_report.reported_by IS 'Role that reported it.';
-- known to dumps, but without rows
SELECT pg_catalog.pg_extension_config_dump('metric_report', 'WHERE false');

CREATE FUNCTION report_metric(name text, value float8,
							  instance text DEFAULT NULL)
RETURNS bool
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_report_metric';
COMMENT ON FUNCTION report_metric(text, float8, text) IS
'Puts a metric that only the application knows on the health page: redis_hit, agent_pack_hit, config_hit and llm_hit in percent, llm_requests and llm_tokens per minute, or any row that you INSERT INTO glperf.threshold with source external. The latest value of each instance (default: application_name) is kept; one that is not repeated within the threshold report_age becomes unknown. False: another transaction is just reporting the same, nothing was written; it never waits. Granted to nobody: GRANT USAGE ON SCHEMA glperf TO app; GRANT EXECUTE ON FUNCTION glperf.report_metric TO app; no right on a table is needed. Each call is a write: every 10 to 60 seconds is enough. Errors: undefined_object for an unknown name, numeric_value_out_of_range, read_only_sql_transaction on a standby.';

CREATE VIEW external_metrics AS
SELECT t.id AS metric,
	r.instance,
	r.value,
	t.unit,
	t.warning,
	t.critical,
	CASE WHEN a.age_s <= l.warning OR l.warning IS NULL
		THEN verdict(r.value, t.warning, t.critical, t.direction)
		ELSE 'unknown' END AS status,
	r.reported_at,
	a.age_s,
	r.reported_by
FROM threshold t
JOIN threshold l ON l.id = 'report_age'
LEFT JOIN metric_report r ON r.metric = t.id
LEFT JOIN LATERAL (SELECT greatest(0, extract(epoch FROM
	pg_catalog.clock_timestamp() - r.reported_at)::float8) AS age_s
	WHERE r.reported_at IS NOT NULL) a ON true
WHERE t.source = 'external'
	AND (a.age_s IS NULL OR l.critical IS NULL OR a.age_s <= l.critical
		OR NOT EXISTS (SELECT FROM metric_report o
			WHERE o.metric = r.metric AND o.reported_at > r.reported_at));
COMMENT ON VIEW external_metrics IS
'Metrics that the application reports with glperf.report_metric(), one row per instance; one row without a value where nobody ever did. A report older than the warning limit of report_age is unknown, one older than its critical limit is left out if there is a newer one.';
COMMENT ON COLUMN external_metrics.metric IS 'Id of the threshold in glperf.threshold.';
COMMENT ON COLUMN external_metrics.instance IS 'Who measured it; NULL: never reported.';
COMMENT ON COLUMN external_metrics.value IS 'Last value reported, in unit; NULL: none.';
COMMENT ON COLUMN external_metrics.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN external_metrics.warning IS 'First limit; NULL: none.';
COMMENT ON COLUMN external_metrics.critical IS 'Second limit; NULL: none.';
COMMENT ON COLUMN external_metrics.status IS 'Verdict; unknown when never reported or too old.';
COMMENT ON COLUMN external_metrics.reported_at IS 'When it was reported; NULL: never.';
COMMENT ON COLUMN external_metrics.age_s IS 'Seconds since then; NULL: never.';
COMMENT ON COLUMN external_metrics.reported_by IS 'Role that reported it.';

CREATE VIEW health_external AS
WITH m AS (
	-- hit rates are each instance's own; what is counted per minute adds up to
	-- what the provider limits
	SELECT e.metric, coalesce(nullif(e.instance, ''), 'application') AS object,
		CASE WHEN e.status <> 'unknown' THEN e.value END AS value,
		e.value AS last_value, e.age_s, e.reported_by, 1::int8 AS instances
	FROM external_metrics e
	WHERE e.unit <> 'per minute'
	UNION ALL
	SELECT e.metric, 'application',
		sum(e.value) FILTER (WHERE e.status <> 'unknown'), sum(e.value),
		coalesce(max(e.age_s) FILTER (WHERE e.status <> 'unknown'),
				 min(e.age_s)),
		CASE WHEN min(e.reported_by) = max(e.reported_by)
			THEN min(e.reported_by) ELSE 'several roles' END,
		count(*) FILTER (WHERE e.status <> 'unknown')
	FROM external_metrics e
	WHERE e.unit = 'per minute'
	GROUP BY e.metric
)
SELECT 'external'::text AS area, m.object, t.id AS check_id, m.value, t.unit,
	t.warning, t.critical,
	verdict(m.value, t.warning, t.critical, t.direction) AS status,
	CASE
		WHEN m.age_s IS NULL THEN 'never reported'
		WHEN m.value IS NULL THEN pg_catalog.format(
			'last reported %s s ago by %s: too old to judge',
			pg_catalog.round(m.age_s::numeric), m.reported_by)
		ELSE pg_catalog.format('%s %s, reported %s s ago by %s%s',
			pg_catalog.round(m.value::numeric, 1), t.unit,
			pg_catalog.round(m.age_s::numeric), m.reported_by,
			CASE WHEN m.instances > 1
				THEN ', sum of ' || m.instances || ' instances' ELSE '' END)
		END AS message,
	CASE
		WHEN m.value IS NULL THEN pg_catalog.format(
			'Let the application call SELECT glperf.report_metric(%L, value); or silence the check: UPDATE glperf.threshold SET warning = NULL, critical = NULL WHERE id = %L;',
			t.id, t.id)
		WHEN verdict(m.value, t.warning, t.critical, t.direction) = 'ok' THEN NULL
		WHEN t.direction = 'below'
			THEN 'Enlarge the cache, keep entries longer, or find out what empties it.'
		WHEN t.id LIKE 'llm\_%'
			THEN 'Raise the hit rate of the cache of LLM responses, send simple tasks to cheaper models, or have the limit raised.'
		ELSE 'Look into the application.' END AS remedy,
	t.guide_section
FROM m JOIN threshold t ON t.id = m.metric
-- silenced
WHERE t.warning IS NOT NULL OR t.critical IS NOT NULL;
COMMENT ON VIEW health_external IS
'Rows of glperf.health about what the application reports: caches per instance, LLM requests and tokens of all instances together.';

-- granted to nobody: reporting is a right to be given
REVOKE ALL ON FUNCTION report_metric(text, float8, text) FROM PUBLIC;
GRANT SELECT ON metric_report, external_metrics, health_external TO pg_monitor;

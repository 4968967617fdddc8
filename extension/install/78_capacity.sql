-- Capacity: how fast the database grows, and when it meets its limits.

CREATE TABLE history_capacity (
	day_at timestamptz NOT NULL,
	resource text COLLATE pg_catalog."C" NOT NULL,
	object text COLLATE pg_catalog."C" NOT NULL,
	unit text NOT NULL,
	samples int8 NOT NULL,
	mean_value float8 NOT NULL,
	peak_value float8 NOT NULL,
	last_value float8 NOT NULL,
	limit_value float8,
	sampled_at timestamptz NOT NULL,
	PRIMARY KEY (resource, object, day_at)
);
COMMENT ON TABLE history_capacity IS
'One row per resource and day (UTC), kept by glperf.capacity_snapshot() for years: what glperf.capacity forecasts from. Survives dump and restore.';
COMMENT ON COLUMN history_capacity.day_at IS 'Begin of the day.';
COMMENT ON COLUMN history_capacity.resource IS 'storage, database, volume, connections or traffic.';
COMMENT ON COLUMN history_capacity.object IS 'Which one.';
COMMENT ON COLUMN history_capacity.unit IS 'Unit of the values: bytes, connections or req/s.';
COMMENT ON COLUMN history_capacity.samples IS 'Times looked at on that day.';
COMMENT ON COLUMN history_capacity.mean_value IS 'Mean of these.';
COMMENT ON COLUMN history_capacity.peak_value IS 'Highest of these.';
COMMENT ON COLUMN history_capacity.last_value IS 'Last of these.';
COMMENT ON COLUMN history_capacity.limit_value IS 'What there was of it in all; NULL: no limit known.';
COMMENT ON COLUMN history_capacity.sampled_at IS 'When it was last looked at.';
SELECT pg_catalog.pg_extension_config_dump('history_capacity', '');

CREATE FUNCTION capacity_snapshot(
	size_interval_s float8 DEFAULT 3600, retention_days float8 DEFAULT 800)
RETURNS int8
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM glperf.history_capacity
	WHERE day_at < now() - make_interval(secs => retention_days * 86400);

	WITH old AS MATERIALIZED (
		-- sizes take a look at every file, and change slowly
		SELECT NOT EXISTS (SELECT FROM glperf.history_capacity h
			WHERE h.resource = 'storage' AND h.sampled_at >
				clock_timestamp() - make_interval(secs => size_interval_s))
			AS sizes
	), databases AS MATERIALIZED (
		SELECT d.datname::text AS name, pg_database_size(d.oid)::float8 AS bytes
		FROM old, pg_database d
		WHERE old.sizes AND (has_database_privilege(d.oid, 'connect')
			OR pg_has_role('pg_read_all_stats', 'usage'))
	), last AS MATERIALIZED (
		SELECT s.taken_at, s.window_s, s.source FROM glperf.history_snapshot s
		ORDER BY s.taken_at DESC LIMIT 1
	), r (resource, object, unit, value, limit_value) AS (
		SELECT 'database', d.name, 'bytes', d.bytes, NULL::float8
		FROM databases d WHERE d.bytes IS NOT NULL
		UNION ALL
		SELECT 'storage', 'all databases', 'bytes', sum(d.bytes), NULL
		FROM databases d HAVING count(d.bytes) > 0
		UNION ALL
		SELECT 'volume', h.object, 'bytes', h.used_bytes, h.total_bytes
		FROM old, glperf.host_metrics() h
		WHERE old.sizes AND h.metric = 'storage' AND h.used_bytes IS NOT NULL
		UNION ALL
		SELECT 'connections', 'all clients', 'connections', c.used, c.usable
		FROM glperf.connections c
		UNION ALL
		-- of the window that glperf.snapshot() has just closed
		SELECT 'traffic', 'all databases', 'req/s',
			CASE l.source
				WHEN 'collector' THEN coalesce((SELECT d.per_second
					FROM glperf.history_database d
					WHERE d.database IS NULL AND d.taken_at = l.taken_at), 0)
				ELSE (SELECT coalesce(sum(s.calls), 0)
					FROM glperf.history_statement s
					WHERE s.toplevel AND s.taken_at = l.taken_at) / l.window_s
				END, NULL
		FROM last l
		WHERE l.window_s > 0 AND NOT EXISTS (SELECT FROM glperf.history_capacity h
			WHERE h.resource = 'traffic' AND h.sampled_at >= l.taken_at)
	), kept AS (
		INSERT INTO glperf.history_capacity AS h
		SELECT date_trunc('day', clock_timestamp(), 'UTC'), r.resource, r.object,
			r.unit, 1, r.value, r.value, r.value, r.limit_value, clock_timestamp()
		FROM r
		ON CONFLICT (resource, object, day_at) DO UPDATE SET
			samples = h.samples + 1,
			mean_value = (h.mean_value * h.samples + EXCLUDED.mean_value)
				/ (h.samples + 1),
			peak_value = greatest(h.peak_value, EXCLUDED.peak_value),
			last_value = EXCLUDED.last_value,
			limit_value = EXCLUDED.limit_value,
			sampled_at = EXCLUDED.sampled_at
		RETURNING 1
	)
	SELECT count(*) FROM kept;
$$;
COMMENT ON FUNCTION capacity_snapshot(float8, float8) IS
'Adds a look at sizes, connections and traffic to the row of the day in glperf.history_capacity, and forgets days older than retention_days; sizes are looked at once in size_interval_s. Returns the number of rows. glperf.snapshot() calls it.';

CREATE VIEW capacity AS
WITH l AS (
	SELECT
		max(t.warning) FILTER (WHERE t.id = 'capacity_evidence') AS evidence_days,
		max(t.warning) FILTER (WHERE t.id = 'capacity_window') AS window_days,
		max(t.warning) FILTER (WHERE t.id = 'storage_capacity') * 1e9
			AS storage_bytes
	FROM threshold t
), known (resource, object, unit) AS (VALUES
	('storage', 'all databases', 'bytes'), ('volume', 'all volumes', 'bytes'),
	('connections', 'all clients', 'connections'),
	('traffic', 'all databases', 'req/s')
), days AS (
	SELECT h.*,
		-- what has to fit: a peak of connections, a mean of traffic
		CASE h.resource WHEN 'connections' THEN h.peak_value
			WHEN 'traffic' THEN h.mean_value ELSE h.last_value END AS value,
		extract(epoch FROM h.day_at - max(h.day_at)
			OVER (PARTITION BY h.resource, h.object))::float8 / 86400 AS day
	FROM history_capacity h CROSS JOIN l
	WHERE l.window_days IS NULL OR h.day_at > pg_catalog.now()
		- pg_catalog.make_interval(secs => l.window_days * 86400)
), fits AS (
	SELECT d.resource, d.object, max(d.unit) AS unit, count(*) AS days,
		max(d.day) - min(d.day) + 1 AS span_days, max(d.day_at) AS last_at,
		(array_agg(d.value ORDER BY d.day_at DESC))[1] AS value,
		(array_agg(d.limit_value ORDER BY d.day_at DESC))[1] AS limit_value,
		pg_catalog.regr_slope(d.value, d.day) AS slope,
		pg_catalog.regr_intercept(d.value, d.day) AS intercept,
		pg_catalog.regr_r2(d.value, d.day) AS r2
	FROM days d GROUP BY d.resource, d.object
), f AS (
	SELECT k.resource, coalesce(x.object, k.object) AS object,
		k.unit, x.days, x.span_days, x.last_at, x.value,
		CASE k.resource WHEN 'storage' THEN l.storage_bytes
			ELSE x.limit_value END AS limit_value, x.r2,
		CASE WHEN x.days >= l.evidence_days OR l.evidence_days IS NULL
			THEN x.slope END AS slope,
		x.intercept, l.evidence_days
	FROM l CROSS JOIN (SELECT * FROM known
		UNION ALL VALUES ('database', NULL, 'bytes')) k
	LEFT JOIN fits x ON x.resource = k.resource
	WHERE x.resource IS NOT NULL OR k.resource <> 'database'
), forecast AS (
	SELECT f.*,
		CASE WHEN f.slope IS NOT NULL
			THEN greatest(0, f.intercept + f.slope * 91.3125) END AS forecast_3m,
		CASE WHEN f.slope IS NOT NULL
			THEN greatest(0, f.intercept + f.slope * 182.625) END AS forecast_6m,
		CASE WHEN f.slope IS NOT NULL
			THEN greatest(0, f.intercept + f.slope * 365.25) END AS forecast_12m,
		CASE
			WHEN f.slope IS NULL OR f.limit_value IS NULL THEN NULL
			WHEN f.value >= f.limit_value THEN 0
			WHEN f.slope > 0 THEN greatest(0,
				(f.limit_value - greatest(f.intercept, f.value)) / f.slope)
			END AS days_until_limit
	FROM f
), plan AS (
	SELECT t.id, t.direction,
		t.warning * CASE t.unit WHEN 'GB' THEN 1e9::float8 ELSE 1 END AS warning,
		t.critical * CASE t.unit WHEN 'GB' THEN 1e9::float8 ELSE 1 END AS critical
	FROM threshold t
), judged AS (
	SELECT c.*, p3.warning AS plan_3m, p6.warning AS plan_6m,
		p12.warning AS plan_12m,
		ARRAY[
			CASE WHEN c.days_until_limit IS NULL THEN 'ok'
				ELSE verdict(c.days_until_limit, d.warning, d.critical,
							 d.direction) END,
			verdict(c.forecast_3m, p3.warning, p3.critical, 'above'),
			verdict(c.forecast_6m, p6.warning, p6.critical, 'above'),
			verdict(c.forecast_12m, p12.warning, p12.critical, 'above')]
			AS verdicts
	FROM forecast c
	JOIN plan d ON d.id = 'capacity_days'
	LEFT JOIN plan p3 ON p3.id = c.resource || '_3m'
	LEFT JOIN plan p6 ON p6.id = c.resource || '_6m'
	LEFT JOIN plan p12 ON p12.id = c.resource || '_12m'
)
SELECT j.resource, j.object, j.unit, j.value, j.limit_value,
	j.slope AS growth_per_day,
	j.forecast_3m, j.forecast_6m, j.forecast_12m,
	j.plan_3m, j.plan_6m, j.plan_12m,
	j.days_until_limit, j.r2 AS fit_ratio, coalesce(j.days, 0) AS days,
	j.last_at,
	CASE
		WHEN j.slope IS NULL THEN 'unknown'
		WHEN 'critical' = ANY (j.verdicts) THEN 'critical'
		WHEN 'warning' = ANY (j.verdicts) THEN 'warning'
		ELSE 'ok' END AS status,
	CASE
		WHEN j.days IS NULL THEN 'unknown, because there is no history'
		WHEN j.slope IS NULL THEN pg_catalog.format(
			'unknown, because there is too little history: %s of %s days',
			j.days, j.evidence_days)
		WHEN j.days_until_limit = 0 THEN 'the limit is reached'
		WHEN j.days_until_limit IS NOT NULL THEN pg_catalog.format(
			'full in %s days at the growth of the last %s days',
			pg_catalog.round(j.days_until_limit::numeric),
			pg_catalog.round(j.span_days::numeric))
		WHEN j.slope > 0 THEN pg_catalog.format(
			'grows by %s %s per day, by the last %s days',
			CASE j.unit WHEN 'bytes' THEN pg_catalog.pg_size_pretty(j.slope::int8)
				ELSE pg_catalog.round(j.slope::numeric, 3)::text END,
			CASE j.unit WHEN 'bytes' THEN '' ELSE j.unit END,
			pg_catalog.round(j.span_days::numeric))
		ELSE 'does not grow' END AS message
FROM judged j;
COMMENT ON VIEW capacity IS
'Growth of storage, volumes, connections and traffic: a straight line through the days that glperf.history_capacity keeps, forecast 3, 6 and 12 months from the last of them, beside what the guide plans for then. Unknown without history: set glperf.history_database, or call glperf.snapshot() from cron. Source: guide, Capacity Planning.';
COMMENT ON COLUMN capacity.resource IS 'storage (all databases together), database, volume, connections (the day''s peak) or traffic (the day''s mean).';
COMMENT ON COLUMN capacity.object IS 'Which database or volume.';
COMMENT ON COLUMN capacity.unit IS 'Unit of value, limit, growth, forecasts and plans: bytes, connections or req/s.';
COMMENT ON COLUMN capacity.value IS 'On the last day; NULL: no history.';
COMMENT ON COLUMN capacity.limit_value IS 'What there is in all: size of the volume, usable connections, the threshold storage_capacity; NULL: no limit known.';
COMMENT ON COLUMN capacity.growth_per_day IS 'Slope of the line, per day; NULL with fewer days than the threshold capacity_evidence.';
COMMENT ON COLUMN capacity.forecast_3m IS 'Expected 3 months after the last day; NULL: unknown.';
COMMENT ON COLUMN capacity.forecast_6m IS 'Expected 6 months after the last day.';
COMMENT ON COLUMN capacity.forecast_12m IS 'Expected 12 months after the last day.';
COMMENT ON COLUMN capacity.plan_3m IS 'What the guide plans for then (thresholds traffic_3m, storage_3m); NULL: nothing.';
COMMENT ON COLUMN capacity.plan_6m IS 'The same for 6 months.';
COMMENT ON COLUMN capacity.plan_12m IS 'The same for 12 months.';
COMMENT ON COLUMN capacity.days_until_limit IS 'Days until limit_value is reached at this growth; 0: it is; NULL: never, or unknown.';
COMMENT ON COLUMN capacity.fit_ratio IS 'How well the line fits, 0 to 1 (r squared): far below 1 means that growth is uneven; NULL: too few days, or no change at all.';
COMMENT ON COLUMN capacity.days IS 'Days of history that the line is drawn through.';
COMMENT ON COLUMN capacity.last_at IS 'The last of them; NULL: none.';
COMMENT ON COLUMN capacity.status IS 'Worst verdict of days_until_limit against capacity_days and of the forecasts against the plans; unknown without enough history.';
COMMENT ON COLUMN capacity.message IS 'The same in words.';

CREATE VIEW health_capacity AS
SELECT 'capacity'::text AS area,
	CASE c.resource WHEN 'volume' THEN c.object
		ELSE c.resource || ' of ' || c.object END AS object,
	t.id AS check_id,
	x.value / CASE t.unit WHEN 'GB' THEN 1e9::float8 ELSE 1 END AS value,
	t.unit, t.warning, t.critical,
	CASE
		WHEN c.status = 'unknown' THEN 'unknown'
		WHEN x.value IS NULL THEN 'ok'
		ELSE verdict(x.value / CASE t.unit WHEN 'GB' THEN 1e9::float8 ELSE 1 END,
					 t.warning, t.critical, t.direction) END AS status,
	CASE
		WHEN c.status = 'unknown' OR x.id = 'capacity_days' THEN c.message
		ELSE pg_catalog.format('%s expected in %s months', CASE c.unit
			WHEN 'bytes' THEN pg_catalog.pg_size_pretty(x.value::int8)
			ELSE pg_catalog.round(x.value::numeric, 1) || ' ' || c.unit END,
			x.months) END AS message,
	CASE
		WHEN c.status = 'unknown'
			THEN 'Set glperf.history_database, or call SELECT glperf.snapshot() from cron, and wait.'
		WHEN x.value IS NULL OR verdict(x.value
			/ CASE t.unit WHEN 'GB' THEN 1e9::float8 ELSE 1 END,
			t.warning, t.critical, t.direction) = 'ok' THEN NULL
		WHEN c.resource = 'traffic'
			THEN 'Scale up or add read replicas: the guide''s Growth Projections.'
		WHEN c.resource = 'connections'
			THEN 'Pool connections, or raise max_connections at the next restart.'
		ELSE 'Enlarge the volume, or SELECT * FROM glperf.capacity WHERE resource = ''database''; for what grows.' END AS remedy,
	t.guide_section
FROM capacity c
CROSS JOIN LATERAL (VALUES
	('capacity_days', c.days_until_limit, NULL::int8),
	(c.resource || '_3m', c.forecast_3m, 3),
	(c.resource || '_6m', c.forecast_6m, 6),
	(c.resource || '_12m', c.forecast_12m, 12)) x (id, value, months)
JOIN threshold t ON t.id = x.id
WHERE c.resource <> 'database'
	AND (x.months IS NOT NULL OR c.resource <> 'traffic')
	-- what is unknown is said once
	AND (c.status <> 'unknown' OR x.months IS NULL
		OR (c.resource = 'traffic' AND x.id = 'traffic_3m'));
COMMENT ON VIEW health_capacity IS
'Rows of glperf.health about growth: days until a limit is reached, and forecasts against the guide''s plan.';

REVOKE ALL ON FUNCTION capacity_snapshot(float8, float8) FROM PUBLIC;
GRANT SELECT ON history_capacity, capacity, health_capacity TO pg_monitor;

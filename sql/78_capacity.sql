-- Forecasts: of history that is too short, steady, flat, shrinking, and of one
-- that hits its limits.
DELETE FROM glperf.history_capacity;
SELECT resource, object, unit, value, growth_per_day, forecast_3m, days, status,
	message FROM glperf.capacity ORDER BY resource;
SELECT object, check_id, value, status, message, remedy IS NOT NULL AS remedy
FROM glperf.health_capacity ORDER BY object COLLATE "C";

-- value(d) of n days, the last of them today
CREATE FUNCTION grow(n int, resource text, object text, unit text, at_end float8,
					 per_day float8, limit_value float8) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO glperf.history_capacity
	SELECT date_trunc('day', now(), 'UTC') - d * interval '24 hours', resource,
		object, unit, 1, v, v, v, limit_value, now() - d * interval '24 hours'
	FROM generate_series(0, n - 1) d, LATERAL (SELECT at_end - d * per_day) x (v)
$$;

-- too short
SELECT grow(13, 'traffic', 'all databases', 'req/s', 200, 1, NULL);
SELECT resource, value, growth_per_day, forecast_12m, days, status, message
FROM glperf.capacity WHERE resource = 'traffic';
DELETE FROM glperf.history_capacity;

-- traffic: within the guide's plan, and beyond it at 3, 6, 12 months
SELECT grow(14, 'traffic', 'all databases', 'req/s', 200, 1, NULL);
SELECT value, round(growth_per_day::numeric, 6) AS growth_per_day,
	round(forecast_3m::numeric, 1) AS m3,
	round(forecast_6m::numeric, 1) AS m6, round(forecast_12m::numeric, 1) AS m12,
	plan_3m, plan_6m, plan_12m, days_until_limit, round(fit_ratio::numeric, 3) AS fit,
	days, status, message FROM glperf.capacity WHERE resource = 'traffic';
SELECT check_id, round(value::numeric) AS value, status, message, remedy
FROM glperf.health_capacity WHERE object LIKE 'traffic%' ORDER BY value;
DELETE FROM glperf.history_capacity;
SELECT grow(30, 'traffic', 'all databases', 'req/s', 200, 3.8, NULL);
SELECT check_id, round(value::numeric) AS value, status, remedy
FROM glperf.health_capacity WHERE object LIKE 'traffic%' ORDER BY value;
DELETE FROM glperf.history_capacity;

-- storage: the guide's 500 GB, and its plan
SELECT grow(60, 'storage', 'all databases', 'bytes', 400e9, 2e9, NULL);
SELECT limit_value, round(growth_per_day::numeric, 3) AS growth_per_day,
	 round(days_until_limit) AS days_until_limit,
	round((forecast_3m / 1e9)::numeric) AS m3, plan_3m, status, message
FROM glperf.capacity WHERE resource = 'storage';
SELECT check_id, round(value::numeric) AS value, unit, warning, critical, status
FROM glperf.health_capacity WHERE object LIKE 'storage%' ORDER BY value;
UPDATE glperf.threshold SET warning = 410 WHERE id = 'storage_capacity';
SELECT round(days_until_limit) AS days_until_limit, status FROM glperf.capacity
WHERE resource = 'storage';
UPDATE glperf.threshold SET warning = 390 WHERE id = 'storage_capacity';
SELECT days_until_limit, status, message FROM glperf.capacity
WHERE resource = 'storage';
UPDATE glperf.threshold SET warning = 10000 WHERE id = 'storage_capacity';
SELECT status, message FROM glperf.capacity WHERE resource = 'storage';
UPDATE glperf.threshold SET warning = 500 WHERE id = 'storage_capacity';
DELETE FROM glperf.history_capacity;

-- a volume that fills up, one that does not grow, one that shrinks
SELECT grow(20, 'volume', 'volume /a', 'bytes', 80e9, 1e9, 100e9),
	grow(20, 'volume', 'volume /b', 'bytes', 80e9, 0, 100e9),
	grow(20, 'volume', 'volume /c', 'bytes', 80e9, -1e9, 100e9);
SELECT object, round(days_until_limit::numeric, 3) AS days_until_limit,
	forecast_12m > 0 AS left, status, message
FROM glperf.capacity WHERE resource = 'volume' ORDER BY object;
SELECT object, check_id, round(value) AS value, status, remedy IS NULL AS quiet
FROM glperf.health_capacity WHERE object LIKE 'volume%' ORDER BY object;
DELETE FROM glperf.history_capacity;
-- one that has jumped above its line fills up from there
SELECT grow(20, 'volume', 'volume /a', 'bytes', 60e9, 1e9, 100e9);
UPDATE glperf.history_capacity SET last_value = 90e9
WHERE day_at = (SELECT max(day_at) FROM glperf.history_capacity);
SELECT round((days_until_limit * growth_per_day / 1e9)::numeric, 3) AS room_gb
FROM glperf.capacity WHERE resource = 'volume';
DELETE FROM glperf.history_capacity;

-- connections: the day's peak counts; gaps in the days are no harm; what is
-- older than the window does not count
SELECT grow(40, 'connections', 'all clients', 'connections', 60, 0.5, 100);
UPDATE glperf.history_capacity SET mean_value = 1, last_value = 2;
DELETE FROM glperf.history_capacity
WHERE extract(day FROM now() - day_at)::int % 3 = 1;
INSERT INTO glperf.history_capacity
SELECT date_trunc('day', now(), 'UTC') - interval '200 days', 'connections',
	'all clients', 'connections', 1, 1e6, 1e6, 1e6, 100, now();
SELECT value, round(growth_per_day::numeric, 6) AS growth_per_day,
	round(days_until_limit::numeric, 6) AS days_until_limit, status, message
FROM glperf.capacity WHERE resource = 'connections';
DELETE FROM glperf.history_capacity;
DROP FUNCTION grow(int, text, text, text, float8, float8, float8);

-- what is kept: one row per day and resource; sizes not at every call
SELECT glperf.capacity_snapshot() > 4 AS kept;
SELECT DISTINCT resource FROM glperf.history_capacity
WHERE resource <> 'traffic' ORDER BY 1;
SELECT h.last_value > 0.5 * pg_database_size(current_database()) AS size
FROM glperf.history_capacity h
WHERE resource = 'database' AND object = current_database();
SELECT last_value >= (SELECT sum(last_value) FROM glperf.history_capacity
					  WHERE resource = 'database') AS sum
FROM glperf.history_capacity WHERE resource = 'storage';
SELECT glperf.capacity_snapshot() < 3 AS no_sizes;
SELECT samples, peak_value >= mean_value AS peak, limit_value = (
	SELECT usable FROM glperf.connections) AS limit_value
FROM glperf.history_capacity WHERE resource = 'connections';
-- a day's mean and peak are of all its looks
UPDATE glperf.history_capacity SET samples = 3, mean_value = 100, peak_value = 1000
WHERE resource = 'connections';
SELECT glperf.capacity_snapshot() < 3 AS no_sizes;
SELECT samples, abs(mean_value - (300 + last_value) / 4) < 1e-6 AS mean, peak_value
FROM glperf.history_capacity WHERE resource = 'connections';
SELECT glperf.capacity_snapshot(0) > 4 AS sizes;
UPDATE glperf.history_capacity SET day_at = day_at - interval '900 days';
SELECT glperf.capacity_snapshot(0) > 4 AS again;
SELECT count(*) AS forgotten FROM glperf.history_capacity
WHERE day_at < now() - interval '800 days';
-- traffic comes from glperf.snapshot()
DELETE FROM glperf.history_capacity;
SELECT glperf.snapshot() >= 0 AS taken;
SELECT count(*) > 100 AS a_request FROM pg_class;
SELECT glperf.snapshot() >= 0 AS taken;
SELECT unit, samples, last_value > 0 AS traffic FROM glperf.history_capacity
WHERE resource = 'traffic';
-- and once from each
SELECT glperf.capacity_snapshot() > 0 AS kept;
SELECT samples FROM glperf.history_capacity WHERE resource = 'traffic';
DELETE FROM glperf.history_capacity;
DELETE FROM glperf.history_snapshot;
DELETE FROM glperf.history_statement;
DELETE FROM glperf.history_database;
TRUNCATE glperf.history_last;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;

-- What needs attention first; the rest is counted.
\pset format wrapped
SELECT area, left(object, 40) AS object, check_id,
	round(value::numeric, 1) AS value, unit, status,
	message || coalesce(E'\n-> ' || remedy, '') AS "message -> remedy"
FROM glperf.health
WHERE status <> 'ok'
ORDER BY array_position(ARRAY['critical', 'warning', 'unknown'], status), area, object;

SELECT status, count(*) AS checks, string_agg(DISTINCT area, ', ') AS areas
FROM glperf.health
GROUP BY status
ORDER BY array_position(ARRAY['critical', 'warning', 'unknown', 'ok'], status);

-- What needs attention first; the rest is counted.
SELECT status, area, check_id, round(value::numeric, 1) || ' ' || unit AS value,
	rtrim(regexp_replace(CASE WHEN object ~ '^(query|more) ' THEN message
			ELSE object || ': ' || message END || coalesce(E'\n-> ' || remedy, ''),
		'([^\n]{1,76})(\s+|$)', E'\\1\n', 'g'), E'\n') AS "message -> remedy"
FROM glperf.health
WHERE status <> 'ok';

SELECT status, count(*) AS checks, string_agg(DISTINCT area, ', ') AS areas
FROM glperf.health
GROUP BY status
ORDER BY array_position(ARRAY['critical', 'warning', 'unknown', 'ok'], status);

-- The health page as in the README's picture: one line per check.
\pset linestyle unicode
\pset footer off
SELECT status, area, left(object, 34) AS object, check_id AS check,
	concat(round(value::numeric, 1), ' ', unit) AS value,
	concat_ws(' / ', warning, critical) AS "warning / critical",
	CASE WHEN length(message) <= 64 THEN message
		ELSE left(message, 62) || ' …' END AS message
FROM glperf.health
ORDER BY array_position(ARRAY['critical', 'warning', 'unknown', 'ok'], status),
	area, object, check_id
LIMIT 30;

-- The health page as in the README's picture: one line per check.
\pset linestyle unicode
\pset footer off
SELECT status, area, left(object, 40) AS object, check_id AS check,
	CASE WHEN value IS NULL THEN ''
		ELSE concat(round(value::numeric, 1)::float8, ' ', unit) END AS value,
	concat_ws(' / ', warning, critical) AS "warning / critical",
	CASE WHEN length(message) <= 56 THEN message
		ELSE left(message, 54) || ' …' END AS message
FROM glperf.health
LIMIT 28;

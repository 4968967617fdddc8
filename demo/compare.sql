-- Mean time per call in both periods, from the differences of the counters.
\pset border 2
SELECT left(regexp_replace(query, '\s+', ' ', 'g'), 66) AS statement,
	b.calls AS "calls before", a.calls AS "after",
	round((b.total_ms / b.calls)::numeric, 2) AS "mean ms before",
	round((a.total_ms / a.calls)::numeric, 2) AS "after ",
	-- a tenth of a millisecond is noise, not speed
	CASE WHEN abs(b.total_ms / b.calls - a.total_ms / a.calls) < 0.1 THEN 'same'
		ELSE round(((b.total_ms / b.calls)
			/ nullif(a.total_ms / a.calls, 0))::numeric, 1) || ' x'
	END AS "speed-up"
FROM (SELECT * FROM demo.period WHERE period = 'before') b
JOIN (SELECT * FROM demo.period WHERE period = 'again') a USING (queryid, query)
WHERE query ~* '\m(FROM|INTO|UPDATE)\M'
ORDER BY b.total_ms DESC;

SELECT
	round(sum(total_ms / calls * weight)
		FILTER (WHERE period = 'before')::numeric, 1) AS "mean ms per statement before",
	round(sum(total_ms / calls * weight)
		FILTER (WHERE period = 'again')::numeric, 1) AS "after",
	round((sum(total_ms / calls * weight) FILTER (WHERE period = 'before')
		/ sum(total_ms / calls * weight)
			FILTER (WHERE period = 'again'))::numeric, 1) || ' x' AS "speed-up"
FROM demo.period p
JOIN (
	-- the same mix of statements for both: that of the first period
	SELECT queryid, calls / sum(calls) OVER () AS weight
	FROM demo.period b
	WHERE period = 'before'
		AND EXISTS (SELECT FROM demo.period a
			WHERE a.period = 'again' AND a.queryid = b.queryid)) w USING (queryid);

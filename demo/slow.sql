SELECT left(regexp_replace(query, '\s+', ' ', 'g'), 60) AS statement, calls,
	round(mean_time_ms::numeric, 1) AS mean_ms,
	round(coalesce(p95_ms, p95_at_most_ms)::numeric, 1) AS p95_ms,
	round(share_pct::numeric, 1) AS share_pct, status
FROM glperf.slow_queries
WHERE status <> 'ok'
ORDER BY total_time_ms DESC
LIMIT 15;

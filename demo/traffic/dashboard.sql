-- The operations dashboard: what runs now, how busy an agent is.
\set agent random_zipfian(1, 120, 1.1)
\set what random(1, 4)
\if :what = 1
SELECT status, count(*) FROM executions WHERE status IN ('running', 'pending') GROUP BY status;
\elif :what = 2
SELECT count(*) FROM executions WHERE status = 'running';
\elif :what = 3
SELECT name AS agent FROM agents WHERE id = :agent \gset
SELECT count(*) FROM executions WHERE agent_name = ':agent';
\else
SELECT date_trunc('hour', created_at) AS hour, count(*), avg(duration_ms) FROM executions WHERE created_at > now() - interval '6 hours' GROUP BY 1 ORDER BY 1;
\endif

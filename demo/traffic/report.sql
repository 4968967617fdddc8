-- The nightly report, for one tenant or one pack at a time.
\set tenant random_zipfian(1, 200, 1.1)
\set pack random(1, 30)
\set what random(1, 3)
\if :what = 1
SELECT t.name, count(*), sum(e.duration_ms) FROM executions e JOIN tenants t ON t.id = e.tenant_id WHERE e.tenant_id = :tenant AND e.created_at >= now() - interval '7 days' GROUP BY t.name;
\elif :what = 2
SELECT a.name, count(*), avg(e.duration_ms) FROM packs p JOIN agents a ON a.pack_id = p.id JOIN executions e ON e.agent_name = a.name WHERE p.id = :pack AND e.created_at >= now() - interval '1 day' GROUP BY a.name;
\else
SELECT s.name, count(*), avg(s.duration_ms) FROM executions e JOIN steps s ON s.execution_id = e.id WHERE e.tenant_id = :tenant AND e.created_at >= now() - interval '1 hour' GROUP BY s.name;
\endif

-- The public API: lists and lookups, constants in the text (simple protocol).
\set agent random_zipfian(1, 120, 1.1)
\set id random(1, :rows)
\set tenant random_zipfian(1, 200, 1.1)
\set what random(1, 10)
\if :what <= 4
SELECT name AS agent FROM agents WHERE id = :agent \gset
SELECT * FROM executions WHERE agent_name = ':agent' ORDER BY created_at DESC LIMIT 10;
\elif :what <= 6
SELECT id, agent_name, status, created_at FROM executions ORDER BY created_at DESC LIMIT 20;
\elif :what <= 8
SELECT e.status, e.duration_ms, s.step_no, s.name, s.duration_ms FROM executions e JOIN steps s ON s.execution_id = e.id WHERE e.id = :id ORDER BY s.step_no;
\else
SELECT name AS agent FROM agents WHERE id = :agent \gset
INSERT INTO executions (agent_name, tenant_id, status, created_at, payload) VALUES (':agent', :tenant, 'pending', now(), '{"region": 1}');
\endif

-- The workers: claim what is pending, write its steps, finish it (-M prepared).
\set agent random_zipfian(1, 120, 1.1)
\set ms random(10, 4000)
\set what random(1, 4)
\if :what = 1
SELECT id, created_at FROM executions WHERE status = 'running' ORDER BY created_at LIMIT 100;
\else
BEGIN;
UPDATE executions SET status = 'running' WHERE id = (SELECT id FROM executions WHERE status = 'pending' ORDER BY created_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id AS claimed \gset
INSERT INTO steps (execution_id, agent_id, step_no, name, duration_ms) VALUES (:claimed, :agent, 1, 'fetch', :ms), (:claimed, :agent, 2, 'compute', :ms);
UPDATE executions SET status = 'completed', duration_ms = :ms WHERE id = :claimed;
COMMIT;
\endif

-- Fills the tables with :rows executions and half as many steps.  The shape:
-- 120 agents of which the first gets some 15 % of the executions and the last
-- a third of a percent; 200 tenants, skewed too; 90 days in order of time; some
-- 3 % of the executions running or pending, half of those within the last days.
\set QUIET on
SELECT setseed(0.42) \g /dev/null

INSERT INTO tenants
SELECT i, 'tenant ' || i, (ARRAY['free', 'team', 'enterprise'])[1 + i % 3],
	now() - i * interval '3 days'
FROM generate_series(1, 200) i;

INSERT INTO packs
SELECT i, 'pack-' || i, '1.' || i % 7 || '.' || i % 3
FROM generate_series(1, 30) i;

INSERT INTO agents
SELECT i, f || CASE WHEN r = '' THEN '' ELSE '-' || r END,
	1 + i % 30, (ARRAY['compute', 'fetch', 'report', 'llm'])[1 + i % 4]
FROM (
	SELECT row_number() OVER (ORDER BY r_no, f_no)::int AS i, f, r
	FROM unnest(ARRAY['document-reader', 'grid-factor', 'emissions-report',
		'fuel-mix', 'weather', 'forecast', 'anomaly', 'calculator', 'audit',
		'summary', 'unit-converter', 'benchmark'])
		WITH ORDINALITY AS f (f, f_no),
		unnest(ARRAY['', 'eu', 'us', 'apac', 'uk', 'in', 'br', 'za', 'ca',
		'au']) WITH ORDINALITY AS r (r, r_no)) n;

\echo '  executions ...'
INSERT INTO executions (id, agent_name, tenant_id, status, created_at,
	duration_ms, payload)
SELECT i, a.names[1 + floor(120 * power(ra, 2.5))::int],
	1 + floor(200 * power(random(), 2))::int, status,
	now() - interval '90 days' * (1 - i / :rows::float8)
		- interval '10 minutes' * random(),
	CASE WHEN status IN ('completed', 'failed')
		THEN (10 * exp(6 * rd))::int END,
	jsonb_build_object('input', md5(i::text), 'region', i % 10,
		'tokens', (4000 * rd)::int, 'trace', md5((i * 7)::text))
FROM (SELECT array_agg(name ORDER BY id) AS names FROM agents) a,
	LATERAL (
	SELECT i, random() AS ra, random() AS rd,
		CASE WHEN r < 0.010 THEN 'running'
			WHEN r < 0.016 THEN 'pending'
			WHEN i > 0.97 * :rows AND r < 0.25 THEN 'running'
			WHEN i > 0.97 * :rows AND r < 0.45 THEN 'pending'
			WHEN r > 0.96 THEN 'failed'
			ELSE 'completed' END AS status
	FROM (SELECT i, random() AS r FROM generate_series(1, :rows) i) n) e;

\echo '  steps ...'
INSERT INTO steps (id, execution_id, agent_id, step_no, name, duration_ms)
SELECT i, :rows - i / 3, 1 + floor(120 * power(random(), 2.5))::int, 1 + i % 3,
	(ARRAY['fetch', 'compute', 'write'])[1 + i % 3], (10 * exp(5 * random()))::int
FROM generate_series(1, :rows / 2) i;

\echo '  keys ...'
ALTER TABLE executions ADD PRIMARY KEY (id);
ALTER TABLE steps ADD PRIMARY KEY (id);
ALTER TABLE executions
	ADD FOREIGN KEY (agent_name) REFERENCES agents (name),
	ADD FOREIGN KEY (tenant_id) REFERENCES tenants;
ALTER TABLE steps
	ADD FOREIGN KEY (execution_id) REFERENCES executions,
	ADD FOREIGN KEY (agent_id) REFERENCES agents;
CREATE INDEX ON executions (tenant_id);
SELECT setval(pg_get_serial_sequence('executions', 'id'), :rows) \g /dev/null
SELECT setval(pg_get_serial_sequence('steps', 'id'), :rows) \g /dev/null

\echo '  vacuum, analyze ...'
VACUUM (ANALYZE) tenants, packs, agents, executions, steps;

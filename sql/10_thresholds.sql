-- The guide's limits: complete, judged the right way round, and safe to edit.

-- the whole table of the guide, and the defaults where it is silent
SELECT id, warning, critical, direction, unit, source, guide_section
FROM glperf.threshold WHERE guide_section IS NOT NULL ORDER BY id;
SELECT id, warning, critical, direction, unit, source
FROM glperf.threshold WHERE guide_section IS NULL ORDER BY id;
SELECT count(*) = 0 AS seeded_from_the_list
FROM glperf.threshold t
FULL JOIN glperf.threshold_defaults() d USING (id)
WHERE (t.warning, t.critical, t.direction, t.unit, t.source,
	   t.guide_section, t.description, t.builtin, t.edited)
	IS DISTINCT FROM (d.warning, d.critical, d.direction, d.unit, d.source,
					  d.guide_section, d.description, true, false);

-- a value equal to a limit is within it, in both directions
SELECT v, glperf.verdict('slow_query_mean', v)
FROM unnest('{0,100,100.1,500,500.1,Infinity,NaN}'::float8[]) v;
SELECT v, glperf.verdict('cache_hit', v)
FROM unnest('{100,90,89.9,80,79.9,0,-Infinity}'::float8[]) v;
SELECT glperf.verdict('cache_hit', NULL) AS no_value,
	glperf.verdict(NULL, 1) IS NULL AS no_threshold,
	glperf.verdict(1, NULL, NULL, 'above') AS no_limits,
	glperf.verdict(1, NULL, 0, 'above') AS only_critical,
	glperf.verdict(1, 0, NULL, NULL) AS no_direction,
	glperf.verdict(NULL, 0, NULL, 'above') AS value_null;
SELECT glperf.verdict('slow_quer_mean', 1);
SELECT glperf.verdict(1, 2, 3, 'sideways');

-- edits are obeyed and marked
UPDATE glperf.threshold SET warning = 50 WHERE id = 'slow_query_mean'
RETURNING id, warning, critical, builtin, edited;
SELECT glperf.verdict('slow_query_mean', 60);
UPDATE glperf.threshold SET warning = NULL, critical = NULL
WHERE id = 'cpu' RETURNING id, warning, critical, edited;
SELECT glperf.verdict('cpu', 99);
UPDATE glperf.threshold SET warning = NULL
WHERE id = 'memory' RETURNING id, warning, critical, edited;

-- an upgrade keeps them, and puts back what is not an edit
SELECT glperf.threshold_refresh() = count(*) AS complete
FROM glperf.threshold_defaults();
SELECT id, warning, critical, edited FROM glperf.threshold
WHERE edited ORDER BY id;

-- nonsense is refused
UPDATE glperf.threshold SET warning = 600 WHERE id = 'slow_query_mean';
UPDATE glperf.threshold SET warning = 70 WHERE id = 'cache_hit';
UPDATE glperf.threshold SET warning = 'NaN' WHERE id = 'latency_p95';
UPDATE glperf.threshold SET critical = 'Infinity' WHERE id = 'latency_p95';
UPDATE glperf.threshold SET warning = -1 WHERE id = 'latency_p95';
UPDATE glperf.threshold SET critical = 101 WHERE id = 'storage';
UPDATE glperf.threshold SET direction = 'below', warning = 500, critical = 100
WHERE id = 'slow_query_mean';
UPDATE glperf.threshold SET unit = 's' WHERE id = 'latency_p95';
UPDATE glperf.threshold SET id = 'latency' WHERE id = 'latency_p95';
DELETE FROM glperf.threshold WHERE id = 'latency_p95';
TRUNCATE glperf.threshold;
INSERT INTO glperf.threshold (id, description, warning, direction, unit)
VALUES ('cpu', 'again', 1, 'above', '%');
INSERT INTO glperf.threshold (id, description, warning, direction, unit)
VALUES ('queue', 'jobs', 1, 'sideways', 'jobs');
INSERT INTO glperf.threshold (id, description, direction, unit)
VALUES ('', 'nothing', 'above', 'jobs');
INSERT INTO glperf.threshold (id, description, warning, direction, unit)
VALUES (NULL, 'nothing', 1, 'above', 'jobs');

-- thresholds of one's own; builtin and edited are not for the user to set
INSERT INTO glperf.threshold (id, description, warning, critical, direction,
							  unit, builtin)
VALUES ('queue', 'jobs waiting', 10, 20, 'above', 'jobs', true)
RETURNING id, source, builtin, edited;
SELECT glperf.verdict('queue', 11);
UPDATE glperf.threshold SET unit = 'tasks', warning = 12 WHERE id = 'queue'
RETURNING unit, warning, builtin, edited;

-- what pg_dump writes comes back over the rows that CREATE EXTENSION seeded
SELECT c.relname, filter
FROM pg_extension e, unnest(extconfig, extcondition) AS x(rel, filter)
JOIN pg_class c ON c.oid = x.rel
WHERE extname = 'glperf' AND c.relname = 'threshold';
BEGIN;
CREATE TEMP TABLE dumped AS
SELECT * FROM glperf.threshold WHERE edited;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id;
DELETE FROM glperf.threshold WHERE NOT builtin;
SELECT count(*) AS as_shipped FROM glperf.threshold WHERE edited;
INSERT INTO glperf.threshold SELECT * FROM dumped;
SELECT id, warning, critical, builtin, edited FROM glperf.threshold
WHERE edited ORDER BY id;
ROLLBACK;

-- back to the shipped limits
DELETE FROM glperf.threshold WHERE id = 'queue';
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
SELECT count(*) FROM glperf.threshold WHERE edited;

-- The health page: its shape, that every row is complete, and that it never
-- fails as a whole.
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'glperf' AND table_name = 'health'
ORDER BY ordinal_position;

-- every view named health_* is part of it, with the same columns
SELECT v.relname, p.relname IS NOT NULL AS united
FROM pg_class v
LEFT JOIN (SELECT DISTINCT c.relname
		   FROM pg_rewrite r
		   JOIN pg_depend d ON d.objid = r.oid
			AND d.classid = 'pg_rewrite'::regclass
		   JOIN pg_class c ON c.oid = d.refobjid
			AND d.refclassid = 'pg_class'::regclass
		   WHERE r.ev_class = 'glperf.health'::regclass) p USING (relname)
WHERE v.relnamespace = 'glperf'::regnamespace AND v.relkind = 'v'
	AND v.relname LIKE 'health\_%' AND p.relname IS NULL;
SELECT c.relname, string_agg(a.attname || ' ' || format_type(atttypid, -1), ', '
	ORDER BY attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
WHERE c.relnamespace = 'glperf'::regnamespace AND c.relkind = 'v'
	AND c.relname LIKE 'health\_%'
GROUP BY c.relname
HAVING string_agg(a.attname || ' ' || format_type(atttypid, -1), ', '
				  ORDER BY attnum)
	<> 'area text, object text, check_id text, value double precision, unit text, warning double precision, critical double precision, status text, message text, remedy text, guide_section text';

-- every row says where, what, and how it is; what is not ok has a remedy, SQL
-- or not; a row with limits has the status that they give it
CREATE TEMP VIEW flaws AS
SELECT * FROM glperf.health
WHERE area IS NULL OR object IS NULL OR check_id IS NULL OR message IS NULL
	OR message = '' OR status IS NULL
	OR status NOT IN ('ok', 'warning', 'critical', 'unknown')
	OR (unit IS NULL AND (value IS NOT NULL OR warning IS NOT NULL));
SELECT * FROM flaws;
SELECT h.* FROM glperf.health h JOIN glperf.threshold t ON t.id = h.check_id
WHERE h.status <> 'unknown' AND h.value IS NOT NULL
	AND (h.warning, h.critical) IS NOT DISTINCT FROM (t.warning, t.critical)
	AND h.status <> glperf.verdict(h.value, t.warning, t.critical, t.direction)
	-- low throughput is fine where no more was asked for
	AND h.check_id <> 'throughput';
SELECT DISTINCT area FROM glperf.health ORDER BY area;

-- a remedy that looks like SQL is SQL, whatever fires; where nothing is to be
-- done there is none, unless it ends a silence
CREATE FUNCTION pg_temp.refused(remedy text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	-- parses utility statements, and analyses the others
	EXECUTE format('CREATE FUNCTION public.remedy() RETURNS void LANGUAGE sql AS %L',
				   remedy);
	DROP FUNCTION public.remedy();
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN sqlerrm;
END $$;
SELECT pg_temp.refused('SELECT 1; VACUUM x; -- and more') IS NULL AS taken,
	pg_temp.refused('SELECT * FROM glperf.health; or so') IS NULL AS not_taken;
CREATE TEMP VIEW refused AS
SELECT h.check_id, h.remedy, r.why
FROM glperf.health h, pg_temp.refused(h.remedy) r (why)
WHERE h.remedy ~ '^[A-Z]{2,} ' AND r.why IS NOT NULL;
SELECT * FROM refused;
SELECT check_id, object, remedy FROM glperf.health
WHERE status = 'ok' AND remedy IS NOT NULL AND message NOT LIKE 'silenced%';
BEGIN;
UPDATE glperf.threshold SET
	warning = CASE WHEN direction = 'above' THEN 0 WHEN unit = '%' THEN 100 ELSE 1e9 END,
	critical = CASE WHEN direction = 'above' THEN 0 WHEN unit = '%' THEN 100 ELSE 1e9 END
WHERE id NOT LIKE '%evidence';
UPDATE glperf.threshold SET warning = 0 WHERE id LIKE '%evidence';
SELECT count(DISTINCT check_id) > 5 AS many_fire
FROM glperf.health WHERE status IN ('warning', 'critical');
-- the worst first
SELECT count(*) AS out_of_order
FROM (SELECT status, lag(status) OVER () AS above FROM glperf.health) h
WHERE strpos('critical warning unknown ok', status)
	< strpos('critical warning unknown ok', above);
SELECT * FROM refused;
ROLLBACK;

-- a source that is missing is a row, and the other rows are still there
BEGIN;
DROP EXTENSION pg_stat_statements;
SELECT object, status, message, remedy FROM glperf.health
WHERE area = 'statements';
SELECT count(*) FROM flaws;
SELECT DISTINCT area FROM glperf.health ORDER BY area;
ROLLBACK;

-- silenced limits silence the check, and break nothing
BEGIN;
UPDATE glperf.threshold SET warning = NULL, critical = NULL;
SELECT count(*) FROM flaws;
SELECT count(*) AS judged_without_limit
FROM glperf.health h JOIN glperf.threshold t ON t.id = h.check_id
WHERE h.status IN ('warning', 'critical')
	AND h.warning IS NULL AND h.critical IS NULL;
ROLLBACK;

-- cheap enough for a dashboard that asks every few seconds
SET statement_timeout = '5s';
SELECT count(*) > 5 AS answered FROM glperf.health;
RESET statement_timeout;

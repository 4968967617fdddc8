-- The health page for pollers.

CREATE FUNCTION recent_health_rows(
	views text[],
	OUT area text, OUT object text, OUT check_id text, OUT value float8,
	OUT unit text, OUT warning float8, OUT critical float8, OUT status text,
	OUT message text, OUT remedy text, OUT guide_section text,
	OUT measured_at timestamptz)
RETURNS SETOF record
LANGUAGE c STRICT ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_recent_health';
COMMENT ON FUNCTION recent_health_rows(text[]) IS
'The rows of glperf.recent_health, of these health_* views. A view''s rows are kept for 4000 times the processor time that they took, and 15 minutes at most: in the session and, where glperf is preloaded, for all sessions of the same role in the same database.';

-- each area has its view health_<area>, and no other view is named so
CREATE VIEW recent_health AS
SELECT r.area, r.object, r.check_id, r.value, r.unit, r.warning, r.critical,
	CASE WHEN z.note IS NULL THEN r.status ELSE 'ok' END AS status,
	CASE WHEN z.note IS NULL THEN r.message
		ELSE pg_catalog.format('silenced %s (%s: %s)', z.note, r.status,
							   r.message) END AS message,
	coalesce(z.remedy, r.remedy) AS remedy,
	r.guide_section, r.measured_at
FROM recent_health_rows((
	SELECT pg_catalog.array_agg(c.relname::text ORDER BY c.relname)
	FROM pg_catalog.pg_class c
	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'glperf' AND c.relkind = 'v'
		AND c.relname LIKE 'health\_%')) r
LEFT JOIN LATERAL silence_of(r.check_id, r.object) z
	ON r.status <> 'ok';
COMMENT ON VIEW recent_health IS
'glperf.health for what polls it: the rows of each area are as recent as they are cheap, so that polling costs less than 0.5 % of a processor however large the database is. measured_at says how recent. Where glperf is preloaded all sessions of a role find what one of them has measured; without, each measures for itself, so what polls has to keep its connection.';
COMMENT ON COLUMN recent_health.area IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.object IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.check_id IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.value IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.unit IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.warning IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.critical IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.status IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.message IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.remedy IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.guide_section IS 'As in glperf.health.';
COMMENT ON COLUMN recent_health.measured_at IS 'When this area was measured.';

REVOKE ALL ON FUNCTION recent_health_rows(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION recent_health_rows(text[]) TO pg_monitor;
GRANT SELECT ON recent_health TO pg_monitor;

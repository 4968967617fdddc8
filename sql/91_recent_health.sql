-- The health page for pollers: the rows of glperf.health, measured anew as
-- often as they are cheap.
SELECT count(*) FILTER (WHERE h.area IS NULL) AS missing_in_health,
	count(*) FILTER (WHERE r.area IS NULL) AS missing_in_recent
FROM (SELECT DISTINCT area, check_id FROM glperf.health) h
FULL JOIN (SELECT DISTINCT area, check_id FROM glperf.recent_health) r
	USING (area, check_id);
-- measured by this session, not long ago
SELECT bool_and(measured_at <= clock_timestamp()
	AND measured_at > pg_postmaster_start_time()) FROM glperf.recent_health;

-- an expensive area is kept, and each area by itself; a cheap one is new
CREATE VIEW glperf.expensive AS
SELECT 'x'::text AS area, 'x'::text AS object, 'x'::text AS check_id,
	clock.t AS value, 'x'::text AS unit, NULL::float8 AS warning,
	NULL::float8 AS critical, 'ok'::text AS status, 'x'::text AS message,
	NULL::text AS remedy, NULL::text AS guide_section
FROM (SELECT count(*)::float8 AS work FROM generate_series(1, 300000)) w,
	LATERAL (SELECT extract(epoch FROM clock_timestamp())::float8 + 0 * w.work
		AS t) clock;
CREATE VIEW glperf.cheap AS
SELECT 'x'::text AS area, 'x'::text AS object, 'x'::text AS check_id,
	extract(epoch FROM clock_timestamp())::float8 AS value,
	'x'::text AS unit, NULL::float8 AS warning,
	NULL::float8 AS critical, 'ok'::text AS status, 'x'::text AS message,
	NULL::text AS remedy, NULL::text AS guide_section;
CREATE TEMP TABLE seen AS
SELECT 1 AS pass, view, value, measured_at
FROM (VALUES ('expensive'), ('cheap')) v (view),
	glperf.recent_health_rows(ARRAY[view]);
DO $$
BEGIN
	-- (what it took decides for how long it is kept)
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN (SELECT r.measured_at <> s.measured_at
				   FROM glperf.recent_health_rows(ARRAY['cheap']) r, seen s
				   WHERE s.view = 'cheap');
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
INSERT INTO seen
SELECT 2, view, value, measured_at
FROM (VALUES ('expensive'), ('cheap')) v (view),
	glperf.recent_health_rows(ARRAY[view]);
SELECT view, count(DISTINCT value) AS values, count(DISTINCT measured_at) AS times
FROM seen GROUP BY view ORDER BY view;
-- what another role was told is not told to this one
CREATE ROLE health_poller;
GRANT pg_monitor TO health_poller;
SET ROLE health_poller;
SELECT count(*) FROM glperf.recent_health_rows(ARRAY['expensive']);
SELECT count(*) > 20 AS answered FROM glperf.recent_health;
RESET ROLE;
DROP ROLE health_poller;
-- an error or a cancel leaves what was known
SELECT count(*) FROM glperf.recent_health_rows(ARRAY['no such view']);
CREATE VIEW glperf.endless AS
SELECT e.* FROM glperf.cheap e, pg_sleep(600);
SET statement_timeout = 50;
SELECT count(*) FROM glperf.recent_health_rows(ARRAY['endless']);
RESET statement_timeout;
DROP VIEW glperf.endless;
SELECT count(*) FROM glperf.recent_health_rows(ARRAY['expensive']);
-- only views of the page
SELECT count(*) FROM glperf.recent_health_rows(ARRAY['settings']);
SELECT count(*) FROM glperf.recent_health_rows(ARRAY[NULL, 'expensive']);
SELECT count(*) FROM glperf.recent_health_rows(NULL);
DROP VIEW glperf.expensive, glperf.cheap;

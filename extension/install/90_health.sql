-- The health page: every verdict in one place.

CREATE VIEW health AS
SELECT h.area, h.object, h.check_id, h.value, h.unit, h.warning, h.critical,
	CASE WHEN z.note IS NULL THEN h.status ELSE 'ok' END AS status,
	CASE WHEN z.note IS NULL THEN h.message
		ELSE pg_catalog.format('silenced %s (%s: %s)', z.note, h.status,
							   h.message) END AS message,
	coalesce(z.remedy, h.remedy) AS remedy,
	h.guide_section
FROM (
	SELECT * FROM health_statements
	UNION ALL SELECT * FROM health_indexes
	UNION ALL SELECT * FROM health_bloat
	UNION ALL SELECT * FROM health_tables
	UNION ALL SELECT * FROM health_pool
	UNION ALL SELECT * FROM health_replication
	UNION ALL SELECT * FROM health_server
	UNION ALL SELECT * FROM health_host
	UNION ALL SELECT * FROM health_external
	UNION ALL SELECT * FROM health_capacity
	UNION ALL SELECT * FROM health_collector
) h
LEFT JOIN LATERAL silence_of(h.check_id, h.object) z
	ON h.status <> 'ok'
-- worst first; of one check the highest value, and what is summed up last
ORDER BY CASE WHEN z.note IS NULL THEN
		pg_catalog.array_position(ARRAY['critical', 'warning', 'unknown'], h.status) END,
	h.area, h.check_id, h.object LIKE 'more %', h.value DESC NULLS LAST,
	h.object;
COMMENT ON VIEW health IS
'Every check, one row each: what was measured, the limits it is judged by, what that means in plain words and what to do about it. SELECT * FROM glperf.health WHERE status <> ''ok'' lists what needs attention, the worst first.';
COMMENT ON COLUMN health.area IS 'Topic of the check: statements, latency, indexes, tables, pool, replication, server, host, external (reported by the application), capacity.';
COMMENT ON COLUMN health.object IS 'What was examined: a statement, an index, a pool, a standby, a setting.';
COMMENT ON COLUMN health.check_id IS 'The threshold (glperf.threshold.id) that judges it, or the name of the check where there is no limit.';
COMMENT ON COLUMN health.value IS 'What was measured, in unit; NULL where it is unknown or not a number.';
COMMENT ON COLUMN health.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN health.warning IS 'First limit, in unit; NULL: none.';
COMMENT ON COLUMN health.critical IS 'Second limit, in unit; NULL: none.';
COMMENT ON COLUMN health.status IS 'ok, warning, critical, or unknown when it cannot be measured; ok also where a row of glperf.silence is in force, which the message says.';
COMMENT ON COLUMN health.message IS 'What was found, in plain words.';
COMMENT ON COLUMN health.remedy IS 'What to do, as SQL where there is a statement for it; NULL where nothing is to be done.';
COMMENT ON COLUMN health.guide_section IS 'Section of the tuning guide; NULL where the guide is silent.';

GRANT SELECT ON health TO pg_monitor;

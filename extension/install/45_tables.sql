-- Tables: how they are read and written, and whether vacuum keeps up.

CREATE VIEW table_access AS
WITH limits AS MATERIALIZED (
	SELECT
		max(t.warning) FILTER (WHERE t.id = 'dead_rows') AS warning,
		max(t.critical) FILTER (WHERE t.id = 'dead_rows') AS critical,
		max(t.direction) FILTER (WHERE t.id = 'dead_rows') AS direction,
		max(t.warning) FILTER (WHERE t.id = 'dead_rows_evidence') AS min_rows,
		max(t.warning) FILTER (WHERE t.id = 'seq_scan_rows') AS seq_rows,
		counters_since() AS since_at
	FROM threshold t
)
SELECT
	s.schemaname::text AS schema_name,
	s.relname::text AS table_name,
	relation_bytes(s.relid) AS size_bytes,
	s.n_live_tup AS live_rows,
	s.n_dead_tup AS dead_rows,
	100.0::float8 * s.n_dead_tup / nullif(s.n_live_tup + s.n_dead_tup, 0)
		AS dead_pct,
	s.seq_scan AS seq_scans,
	s.seq_tup_read::float8 / nullif(s.seq_scan, 0) AS rows_per_seq_scan,
	coalesce(s.idx_scan, 0) AS index_scans,
	s.idx_tup_fetch::float8 / nullif(s.idx_scan, 0) AS rows_per_index_scan,
	100.0::float8 * coalesce(s.idx_scan, 0)
		/ nullif(s.seq_scan + coalesce(s.idx_scan, 0), 0) AS index_scan_pct,
	s.n_tup_ins AS inserted_rows,
	s.n_tup_upd AS updated_rows,
	s.n_tup_del AS deleted_rows,
	100.0::float8 * s.n_tup_hot_upd / nullif(s.n_tup_upd, 0) AS hot_pct,
	(io.heap_blks_hit + coalesce(io.idx_blks_hit, 0)
	 + coalesce(io.toast_blks_hit, 0) + coalesce(io.tidx_blks_hit, 0))::float8
	/ nullif(io.heap_blks_hit + coalesce(io.idx_blks_hit, 0)
			 + coalesce(io.toast_blks_hit, 0) + coalesce(io.tidx_blks_hit, 0)
			 + io.heap_blks_read + coalesce(io.idx_blks_read, 0)
			 + coalesce(io.toast_blks_read, 0)
			 + coalesce(io.tidx_blks_read, 0), 0) AS hit_ratio,
	greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum_at,
	greatest(s.last_analyze, s.last_autoanalyze) AS last_analyze_at,
	s.n_mod_since_analyze AS rows_changed_since_analyze,
	l.since_at AS evidence_since_at,
	CASE WHEN s.n_live_tup + s.n_dead_tup < l.min_rows THEN 'ok'
		ELSE verdict(100.0::float8 * s.n_dead_tup
						 / nullif(s.n_live_tup + s.n_dead_tup, 0),
					 l.warning, l.critical, l.direction) END AS status,
	nullif(pg_catalog.concat_ws('; ',
		CASE WHEN s.n_live_tup + s.n_dead_tup >= l.min_rows
				AND 100.0 * s.n_dead_tup > l.warning
					* (s.n_live_tup + s.n_dead_tup) THEN
			pg_catalog.format('%s %% of its rows are dead, last vacuumed %s',
				pg_catalog.round(100.0 * s.n_dead_tup
								 / nullif(s.n_live_tup + s.n_dead_tup, 0)),
				coalesce(pg_catalog.to_char(
							greatest(s.last_vacuum, s.last_autovacuum),
							'YYYY-MM-DD HH24:MI'), 'never')) END,
		CASE WHEN s.seq_tup_read / nullif(s.seq_scan, 0) > l.seq_rows THEN
			pg_catalog.format('%s sequential scans read %s rows each',
				s.seq_scan, s.seq_tup_read / nullif(s.seq_scan, 0)) END,
		CASE WHEN s.n_live_tup + s.n_mod_since_analyze >= l.min_rows
				AND s.last_analyze IS NULL AND s.last_autoanalyze IS NULL THEN
			'never analysed, so the planner guesses' END
	), '') AS reasons
FROM pg_catalog.pg_stat_user_tables s
JOIN pg_catalog.pg_statio_user_tables io ON io.relid = s.relid
CROSS JOIN limits l;
COMMENT ON VIEW table_access IS
'How each user table is read and written since evidence_since_at, and whether vacuum keeps up with it. Never waits for a lock on a table. Partitions are rows of their own.';
COMMENT ON COLUMN table_access.schema_name IS 'Schema of the table.';
COMMENT ON COLUMN table_access.table_name IS 'Name of the table.';
COMMENT ON COLUMN table_access.size_bytes IS 'Size of the table with TOAST and without indexes, in bytes.';
COMMENT ON COLUMN table_access.live_rows IS 'Estimated live rows.';
COMMENT ON COLUMN table_access.dead_rows IS 'Estimated dead rows that vacuum has not removed yet.';
COMMENT ON COLUMN table_access.dead_pct IS 'Dead rows as a share (0 to 100) of all rows; NULL for an empty table.';
COMMENT ON COLUMN table_access.seq_scans IS 'Sequential scans.';
COMMENT ON COLUMN table_access.rows_per_seq_scan IS 'Mean number of rows that a sequential scan read; NULL if there was none.';
COMMENT ON COLUMN table_access.index_scans IS 'Index scans, on all indexes of the table.';
COMMENT ON COLUMN table_access.rows_per_index_scan IS 'Mean number of rows that an index scan fetched from the table; NULL if there was none.';
COMMENT ON COLUMN table_access.index_scan_pct IS 'Share (0 to 100) of scans that used an index; NULL if there was none.';
COMMENT ON COLUMN table_access.inserted_rows IS 'Rows inserted.';
COMMENT ON COLUMN table_access.updated_rows IS 'Rows updated.';
COMMENT ON COLUMN table_access.deleted_rows IS 'Rows deleted.';
COMMENT ON COLUMN table_access.hot_pct IS 'Share (0 to 100) of updates that touched no index (HOT); NULL without updates.';
COMMENT ON COLUMN table_access.hit_ratio IS 'Share (0 to 1) of block reads of table, indexes and TOAST answered by shared buffers, over the whole time since evidence_since_at; NULL if nothing was read.';
COMMENT ON COLUMN table_access.last_vacuum_at IS 'Last vacuum, by hand or automatic; NULL if none is known.';
COMMENT ON COLUMN table_access.last_analyze_at IS 'Last analyze, by hand or automatic; NULL if none is known.';
COMMENT ON COLUMN table_access.rows_changed_since_analyze IS 'Rows changed since the last analyze.';
COMMENT ON COLUMN table_access.evidence_since_at IS 'Since when the counters count; NULL if unknown.';
COMMENT ON COLUMN table_access.status IS 'Verdict of dead_pct against the threshold dead_rows; ok for tables smaller than dead_rows_evidence.';
COMMENT ON COLUMN table_access.reasons IS 'What stands out, separated by semicolons; NULL if nothing does.';

CREATE VIEW health_tables AS
WITH found AS (
	SELECT a.*, pg_catalog.format('%I.%I', a.schema_name, a.table_name)
		AS object
	FROM table_access a
	WHERE a.status IN ('warning', 'critical')
), bad AS (
	SELECT f.*, t.unit, t.warning, t.critical, t.guide_section, z.silenced,
		pg_catalog.row_number() OVER (PARTITION BY z.silenced
			ORDER BY f.dead_rows DESC, f.schema_name, f.table_name) AS rank,
		count(*) OVER (PARTITION BY z.silenced) AS total
	FROM found f JOIN threshold t ON t.id = 'dead_rows'
	CROSS JOIN LATERAL (SELECT
		'dead_rows' || E'\n' || f.object LIKE ANY (
			(SELECT silence_patterns())::text[]) AS silenced) z
)
SELECT 'tables'::text AS area, b.object,
	'dead_rows'::text AS check_id, b.dead_pct AS value, b.unit, b.warning,
	b.critical, b.status,
	pg_catalog.format('%s (%s dead rows)', b.reasons, b.dead_rows) AS message,
	pg_catalog.format('VACUUM %I.%I;', b.schema_name, b.table_name) AS remedy,
	b.guide_section
FROM bad b WHERE b.rank <= 5
UNION ALL
SELECT 'tables',
	CASE WHEN b.silenced THEN 'more silenced tables' ELSE 'more tables' END,
	'dead_rows', b.dead_pct, b.unit, b.warning, b.critical,
	CASE WHEN b.silenced THEN 'ok' ELSE b.status END,
	pg_catalog.format('%s more tables have too many dead rows', b.total - 5),
	'SELECT * FROM glperf.table_access WHERE status <> ''ok'';',
	b.guide_section
FROM bad b WHERE b.rank = 6
UNION ALL
SELECT 'tables', 'all tables', 'dead_rows', NULL, t.unit, t.warning,
	t.critical, 'ok', 'vacuum keeps up with every table', NULL,
	t.guide_section
FROM threshold t
WHERE t.id = 'dead_rows' AND NOT EXISTS (SELECT FROM bad);
COMMENT ON VIEW health_tables IS
'Rows of glperf.health about tables: the five with the most dead rows beyond the threshold dead_rows, and how many more.';

GRANT SELECT ON table_access, health_tables TO pg_monitor;

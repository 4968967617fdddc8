-- Bloat of B-trees, from a sample of their pages.

CREATE FUNCTION index_density(
	index regclass, max_pages int4 DEFAULT 128,
	OUT size_bytes int8, OUT pages_read int8,
	OUT density_pct float8, OUT density_low_pct float8,
	OUT density_high_pct float8, OUT empty_pct float8,
	OUT freed_bytes int8, OUT freed_low_bytes int8, OUT freed_high_bytes int8,
	OUT reason text)
LANGUAGE c STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_index_density';
COMMENT ON FUNCTION index_density(regclass, int4) IS
'How full the leaf pages of a B-tree are (density_pct, which pgstatindex() calls avg_leaf_density), and the bytes that REINDEX would free, estimated from max_pages pages (2 to 10000) spread over the index, with 95 % confidence intervals (low, high; they coincide where all pages were read). empty_pct: share of pages without entries. Waits for no relation lock. NULL with the reason where it can''t be said: not a B-tree, not valid, locked, empty, or below 8 pages.';

CREATE FUNCTION largest_btrees(
	max_indexes int4, min_bytes int8,
	OUT index oid, OUT schema_name text, OUT table_name text,
	OUT index_name text, OUT size_bytes int8, OUT is_exclusion bool)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 20
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_largest_btrees';
COMMENT ON FUNCTION largest_btrees(int4, int8) IS
'The largest B-trees of user tables with min_bytes at least, max_indexes (1 to 1000) of them, largest first. Sizes are those of the files; waits for no lock.';

CREATE FUNCTION index_bloat_report(
	max_indexes int4, max_pages int4,
	OUT schema_name text, OUT table_name text, OUT index_name text,
	OUT size_bytes int8, OUT pages_read int8,
	OUT density_pct float8, OUT density_low_pct float8,
	OUT density_high_pct float8, OUT empty_pct float8,
	OUT freed_bytes int8, OUT freed_low_bytes int8, OUT freed_high_bytes int8,
	OUT freed_pct float8, OUT verdict text, OUT status text, OUT reason text,
	OUT reindex_ddl text)
RETURNS SETOF record
LANGUAGE sql STRICT ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
	WITH sampled AS (
		SELECT b.schema_name, b.table_name, b.index_name, b.is_exclusion,
			coalesce(d.size_bytes, b.size_bytes) AS size_bytes,
			d.pages_read, d.density_pct, d.density_low_pct,
			d.density_high_pct, d.empty_pct, d.freed_bytes,
			d.freed_low_bytes, d.freed_high_bytes, d.reason,
			100.0 * d.freed_bytes / nullif(d.size_bytes, 0) AS freed_pct,
			-- sure enough: even the low end of the interval is above
			CASE WHEN d.freed_bytes IS NULL THEN 'unknown'
				WHEN d.freed_low_bytes < l.least_bytes THEN 'ok'
				ELSE glperf.verdict(
					100.0 * d.freed_low_bytes / d.size_bytes,
					t.warning, t.critical, t.direction) END AS sure,
			CASE WHEN d.freed_bytes IS NULL THEN 'unknown'
				WHEN d.freed_bytes < l.least_bytes THEN 'ok'
				ELSE glperf.verdict(
					100.0 * d.freed_bytes / d.size_bytes,
					t.warning, t.critical, t.direction) END AS likely
		FROM glperf.threshold t,
			(SELECT coalesce(s.warning, 0) * 1048576 AS least_bytes
			 FROM glperf.threshold s WHERE s.id = 'index_bloat_size') l,
			-- an index that is not this large cannot free as much
			LATERAL glperf.largest_btrees(max_indexes, l.least_bytes::int8) b,
			LATERAL glperf.index_density(b.index, max_pages) d
		WHERE t.id = 'index_bloat'
	), judged AS (
		SELECT s.*,
			CASE WHEN s.sure IN ('warning', 'critical') THEN 'bloated'
				WHEN s.sure = s.likely THEN s.sure
				ELSE 'unknown' END AS verdict
		FROM sampled s
	)
	SELECT j.schema_name, j.table_name, j.index_name, j.size_bytes,
		j.pages_read, j.density_pct, j.density_low_pct, j.density_high_pct,
		j.empty_pct, j.freed_bytes, j.freed_low_bytes, j.freed_high_bytes,
		j.freed_pct::float8, j.verdict,
		CASE WHEN j.verdict = 'bloated' THEN j.sure ELSE j.verdict END,
		CASE WHEN j.freed_bytes IS NULL THEN j.reason
			WHEN j.verdict = 'unknown' THEN
				format('REINDEX would free between %s and %s: more pages would have to be read',
					pg_size_pretty(j.freed_low_bytes),
					pg_size_pretty(j.freed_high_bytes))
			WHEN j.verdict = 'bloated' THEN
				format('REINDEX would free %s of %s (at least %s)%s%s',
					pg_size_pretty(j.freed_bytes),
					pg_size_pretty(j.size_bytes),
					pg_size_pretty(j.freed_low_bytes),
					coalesce(format(': leaf pages are %s %% full',
						round(j.density_pct::numeric)), ''),
					CASE WHEN j.is_exclusion
						THEN '; it blocks writes, as an exclusion constraint''s index cannot be rebuilt concurrently'
						ELSE '' END)
			ELSE j.reason END,
		CASE WHEN j.verdict = 'bloated' AND NOT pg_is_in_recovery() THEN
			format('REINDEX INDEX %s%I.%I',
				CASE WHEN j.is_exclusion THEN '' ELSE 'CONCURRENTLY ' END,
				j.schema_name, j.index_name) END
	FROM judged j
	ORDER BY j.freed_bytes DESC NULLS LAST, j.size_bytes DESC,
		j.schema_name, j.index_name;
$$;
COMMENT ON FUNCTION index_bloat_report(int4, int4) IS
'The rows of glperf.index_bloat for the max_indexes largest B-trees, reading max_pages pages of each and its metapage at most.';

CREATE VIEW index_bloat AS
SELECT * FROM index_bloat_report(20, 128);
COMMENT ON VIEW index_bloat IS
'The 20 largest B-trees that are large enough to matter (threshold index_bloat_size): how full their leaf pages are, what REINDEX would free, and the statement that does it. Reads 128 pages of each at most (20 MB together), and not through shared buffers'' good ones. For another selection call glperf.index_bloat_report(max_indexes, max_pages) or glperf.index_density(index).';
COMMENT ON COLUMN index_bloat.schema_name IS 'Schema of the index.';
COMMENT ON COLUMN index_bloat.table_name IS 'Table that the index belongs to.';
COMMENT ON COLUMN index_bloat.index_name IS 'Name of the index.';
COMMENT ON COLUMN index_bloat.size_bytes IS 'Size of the index in bytes.';
COMMENT ON COLUMN index_bloat.pages_read IS 'Pages in the sample.';
COMMENT ON COLUMN index_bloat.density_pct IS 'Mean share of leaf pages in use; 90 in a new index, about 70 after inserts in random order. NULL where it could not be measured.';
COMMENT ON COLUMN index_bloat.density_low_pct IS 'Lower end of its 95 % confidence interval.';
COMMENT ON COLUMN index_bloat.density_high_pct IS 'Upper end of its 95 % confidence interval.';
COMMENT ON COLUMN index_bloat.empty_pct IS 'Share of pages that hold no entries: deleted, and waiting to be used again.';
COMMENT ON COLUMN index_bloat.freed_bytes IS 'Bytes that REINDEX would give back to the file system; counts that equal keys share an entry in a new index. NULL where it could not be measured.';
COMMENT ON COLUMN index_bloat.freed_low_bytes IS 'Lower end of its 95 % confidence interval.';
COMMENT ON COLUMN index_bloat.freed_high_bytes IS 'Upper end of its 95 % confidence interval.';
COMMENT ON COLUMN index_bloat.freed_pct IS 'freed_bytes as a share of size_bytes: what the threshold index_bloat judges.';
COMMENT ON COLUMN index_bloat.verdict IS 'bloated: even the lower end of the interval is above the threshold; ok; unknown: the sample cannot tell, or there is none.';
COMMENT ON COLUMN index_bloat.status IS 'ok, warning, critical or unknown.';
COMMENT ON COLUMN index_bloat.reason IS 'What REINDEX would free, or why that is unknown.';
COMMENT ON COLUMN index_bloat.reindex_ddl IS 'Statement that rebuilds the index, to be run outside a transaction block; NULL unless it is bloated, and on a standby.';

-- The page is polled, so its row is made from few pages: 10 indexes, 32 pages
-- of each and a metapage.  They are the same ones each time (see
-- index_density.c), so a poller finds them in a cache; where memory is so short
-- that it does not, 330 reads every 10 seconds are about 1 % of the 3000 I/O
-- operations per second that the guide plans with.  In return the row is
-- never out of date, needs nobody to refresh it, and is there on a standby.
CREATE VIEW health_bloat AS
WITH read AS (
	SELECT b.*, pg_catalog.format('%I.%I', b.schema_name, b.index_name)
			AS object
	FROM index_bloat_report(10, 32) b
), marked AS (
	SELECT r.*,
		'index_bloat' || E'\n' || r.object LIKE ANY (
			(SELECT silence_patterns())::text[]) AS silenced
	FROM read r
), sampled AS (
	SELECT m.*,
		pg_catalog.row_number() OVER (PARTITION BY m.verdict, m.silenced
			ORDER BY m.freed_bytes DESC NULLS LAST,
				m.schema_name, m.index_name) AS rank,
		count(*) OVER (PARTITION BY m.verdict, m.silenced) AS total
	FROM marked m
)
SELECT 'indexes'::text AS area, s.object, 'index_bloat'::text AS check_id,
	s.freed_pct AS value, t.unit, t.warning, t.critical, s.status,
	pg_catalog.format('bloated index on %I: %s', s.table_name, s.reason)
		AS message,
	coalesce(s.reindex_ddl || ';',
		'Ask glperf.index_bloat on the primary.') AS remedy,
	t.guide_section
FROM sampled s JOIN threshold t ON t.id = 'index_bloat'
WHERE s.verdict = 'bloated' AND (s.rank <= 5 OR s.silenced)
UNION ALL
SELECT 'indexes', 'more bloated indexes', t.id, s.freed_pct, t.unit,
	t.warning, t.critical, s.status,
	pg_catalog.format('%s more of the 10 largest B-trees are bloated',
		s.total - 5),
	'SELECT * FROM glperf.index_bloat WHERE verdict = ''bloated'';',
	t.guide_section
FROM sampled s JOIN threshold t ON t.id = 'index_bloat'
WHERE s.verdict = 'bloated' AND s.rank = 6 AND NOT s.silenced
UNION ALL
SELECT 'indexes', 'largest B-trees', t.id, NULL, t.unit, t.warning,
	t.critical, 'ok', 'none of the largest B-trees is known to be bloated',
	NULL, t.guide_section
FROM threshold t
WHERE t.id = 'index_bloat'
	AND NOT EXISTS (SELECT FROM sampled s WHERE s.verdict = 'bloated');
COMMENT ON VIEW health_bloat IS
'Rows of glperf.health about bloat of the 10 largest B-trees, from 32 pages of each.';

-- Those who may scan any table through pgstattuple may do so here; pg_monitor
-- is among them.
GRANT USAGE ON SCHEMA glperf TO pg_stat_scan_tables;
REVOKE ALL ON FUNCTION index_density(regclass, int4),
	largest_btrees(int4, int8), index_bloat_report(int4, int4) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION index_density(regclass, int4),
	largest_btrees(int4, int8) TO pg_monitor, pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION index_bloat_report(int4, int4) TO pg_monitor;
GRANT SELECT ON index_bloat, health_bloat TO pg_monitor;

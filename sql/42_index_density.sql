-- Leaf density of B-trees from a sample, and what is bloated.
CREATE SCHEMA density;
CREATE TABLE density.t (id int, a int, b int);
INSERT INTO density.t SELECT g, g, (g * 7919) % 100003
FROM generate_series(1, 60000) g;
CREATE INDEX fresh ON density.t (id);
CREATE INDEX on_hash ON density.t USING hash (id);
CREATE INDEX half_full ON density.t (id) WITH (fillfactor = 50);
CREATE INDEX tiny ON density.t (id) WHERE id < 100;
CREATE TABLE density.nothing (id int PRIMARY KEY);
CREATE TABLE density.part (id int) PARTITION BY RANGE (id);
CREATE INDEX part_idx ON density.part (id);
CREATE FUNCTION density.fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
'BEGIN RETURN 1 / ($1 - 5); END';
CREATE TABLE density.f (id int);
INSERT INTO density.f SELECT generate_series(1, 10);
CREATE INDEX CONCURRENTLY broken ON density.f (density.fails(id));

-- bloat that does not depend on what vacuum may remove just now
CREATE TABLE density.d (id int, k int);
INSERT INTO density.d SELECT g, (g * 7919) % 100003
FROM generate_series(1, 20000) g;
CREATE INDEX sparse ON density.d (k) WITH (fillfactor = 10);
ALTER INDEX density.sparse SET (fillfactor = 90);
CREATE UNIQUE INDEX sparse_unique ON density.d (id) WITH (fillfactor = 15);
ALTER INDEX density.sparse_unique RESET (fillfactor);

-- the same as by reading everything
SELECT i AS index, size_bytes = pg_relation_size(i::regclass) AS size,
	pages_read <= 64 AS bounded, abs(density_pct - about) < 2 AS density,
	density_low_pct <= density_pct AND density_pct <= density_high_pct AND
	freed_low_bytes <= freed_bytes AND freed_bytes <= freed_high_bytes
	AS ordered,
	abs(freed_bytes / size_bytes::float8 - about_freed) < 0.04 AS freed,
	reason
FROM (VALUES ('density.fresh', 90, 0), ('density.half_full', 50, 0),
	('density.sparse', 10, 0.89),
	('density.sparse_unique', 15, 0.83)) v (i, about, about_freed),
	glperf.index_density(i::regclass, 64);
-- all pages: no doubt is left
SELECT pages_read = size_bytes / 8192 - 1 AS all_of_them,
	density_low_pct = density_high_pct AS density,
	freed_low_bytes = freed_high_bytes AS freed
FROM glperf.index_density('density.sparse', 10000);
-- the same sample each time
SELECT count(DISTINCT d) FROM generate_series(1, 3),
	glperf.index_density('density.sparse', 20) d;

-- what can't be said, and why
SELECT i AS index, density_pct IS NULL AND freed_bytes IS NULL AS nothing,
	pages_read, reason
FROM unnest(ARRAY['density.on_hash', 'density.t', 'density.nothing_pkey',
	'density.tiny', 'density.part_idx', 'density.broken']) i,
	glperf.index_density(i::regclass);
SELECT size_bytes, reason FROM glperf.index_density(0);
SELECT * FROM glperf.index_density(NULL);
SELECT * FROM glperf.index_density('density.fresh', 1);
SELECT * FROM glperf.index_density('density.fresh', 10001);
SELECT * FROM glperf.largest_btrees(0, 0);

-- the largest, by their files
SELECT schema_name, table_name, index_name,
	size_bytes = pg_relation_size(index) AS size, is_exclusion
FROM glperf.largest_btrees(1000, 0) WHERE schema_name = 'density';
SELECT bool_and(size_bytes >= next) AS ordered, count(*) AS rows
FROM (SELECT size_bytes, lead(size_bytes) OVER () AS next
	  FROM glperf.largest_btrees(3, 0)) l;
SELECT count(*) FROM glperf.largest_btrees(1000, 0)
WHERE schema_name IN ('pg_catalog', 'pg_toast');
SELECT count(*) FROM glperf.largest_btrees(10, 1000000000000);

-- nothing is large enough to matter
SELECT count(*) FROM glperf.index_bloat WHERE schema_name = 'density';
SELECT object, value, status, message FROM glperf.health
WHERE check_id = 'index_bloat';
UPDATE glperf.threshold SET warning = 0.5 WHERE id = 'index_bloat_size';
SELECT index_name, verdict, status, reindex_ddl
FROM glperf.index_bloat WHERE schema_name = 'density' ORDER BY 1;
SELECT object, value > 75 AS value, unit, status, remedy FROM glperf.health
WHERE check_id = 'index_bloat' ORDER BY 1;
-- the limit is obeyed
UPDATE glperf.threshold SET warning = 99, critical = NULL
WHERE id = 'index_bloat';
SELECT count(*) FILTER (WHERE verdict = 'bloated') AS bloated,
	count(*) FILTER (WHERE verdict = 'ok') >= 4 AS ok
FROM glperf.index_bloat WHERE schema_name = 'density';
UPDATE glperf.threshold SET warning = 50, critical = 80
WHERE id = 'index_bloat';
-- an exclusion constraint's index cannot be rebuilt concurrently
CREATE TABLE density.e (id int);
INSERT INTO density.e SELECT generate_series(1, 20000);
ALTER TABLE density.e
	ADD EXCLUDE USING btree (id WITH =) WITH (fillfactor = 10);
ALTER INDEX density.e_id_excl SET (fillfactor = 90);
SELECT verdict, reindex_ddl, reason LIKE '%blocks writes%' AS warned
FROM glperf.index_bloat WHERE index_name = 'e_id_excl';
-- the statements do what they say
CREATE TABLE density.promised AS
SELECT index_name, size_bytes, freed_bytes, freed_low_bytes, freed_high_bytes
FROM glperf.index_bloat WHERE reindex_ddl IS NOT NULL;
SELECT reindex_ddl FROM glperf.index_bloat
WHERE schema_name = 'density' AND reindex_ddl IS NOT NULL
ORDER BY index_name \gexec
SELECT index_name,
	abs(size_bytes - pg_relation_size(('density.' || index_name)::regclass)
		- freed_bytes) <= 0.05 * size_bytes AS kept
FROM density.promised ORDER BY 1;
SELECT count(*) FROM glperf.index_bloat WHERE verdict = 'bloated';

-- who may ask
CREATE ROLE density_scanner;
GRANT pg_stat_scan_tables TO density_scanner;
SET ROLE density_scanner;
SELECT density_pct > 80 AS answered FROM glperf.index_density(
	(SELECT c.oid FROM pg_class c WHERE relname = 'fresh'));
SELECT count(*) > 0 AS answered FROM glperf.largest_btrees(3, 0);
SELECT count(*) FROM glperf.index_bloat;
RESET ROLE;
DROP ROLE density_scanner;

UPDATE glperf.threshold SET warning = 10 WHERE id = 'index_bloat_size';
SELECT count(*) FROM glperf.threshold WHERE edited;
SET client_min_messages = warning;
DROP SCHEMA density CASCADE;

-- Index verdicts on the cases that mislead comparisons by text, by attribute
-- numbers, by name or by scan counters alone.
SET client_min_messages = warning;
CREATE SCHEMA trap;
SET search_path = trap, public;

-- Nothing here is old enough to be called unused, until further down.
UPDATE glperf.threshold SET warning = 100000 WHERE id = 'index_evidence';

-- What each index must be called; those that are not listed here must not be
-- offered for dropping.
CREATE TABLE expected (
	index_name text PRIMARY KEY, verdict text, covered_by text, remark text);

-- exact duplicates: the newer one goes
CREATE TABLE c01 (a int, b int, c int);
CREATE INDEX c01_old ON c01 (a);
CREATE INDEX c01_new ON c01 (a);
INSERT INTO expected VALUES ('c01_new', 'duplicate', 'c01_old', 'same keys');
-- three of them: two go, both in favour of the oldest
CREATE TABLE c02 (a int, b int, c int);
CREATE INDEX c02_1 ON c02 (a, b);
CREATE INDEX c02_2 ON c02 (a, b);
CREATE INDEX c02_3 ON c02 (a, b);
INSERT INTO expected VALUES
	('c02_2', 'duplicate', 'c02_1', 'three of a kind'),
	('c02_3', 'duplicate', 'c02_1', 'three of a kind');
-- equal expressions, whose stored trees differ in parse locations
CREATE TABLE c03 (d text);
CREATE INDEX c03_i ON c03 (lower(d));
CREATE INDEX c03_with_a_much_longer_name ON c03 (lower(d));
INSERT INTO expected VALUES
	('c03_with_a_much_longer_name', 'duplicate', 'c03_i', 'same expression');
-- different expressions have the same attribute number, 0
CREATE TABLE c04 (d text);
CREATE INDEX c04_lower ON c04 (lower(d));
CREATE INDEX c04_upper ON c04 (upper(d));
-- expressions that are equal to people only
CREATE TABLE c05 (a int, b int);
CREATE INDEX c05_ab ON c05 ((a + b));
CREATE INDEX c05_ba ON c05 ((b + a));
-- prefix
CREATE TABLE c06 (a int, b int);
CREATE INDEX c06_a ON c06 (a);
CREATE INDEX c06_ab ON c06 (a, b);
INSERT INTO expected VALUES ('c06_a', 'prefix', 'c06_ab', 'leading key');
-- no prefix: second column, other order
CREATE TABLE c07 (a int, b int);
CREATE INDEX c07_b ON c07 (b);
CREATE INDEX c07_ab ON c07 (a, b);
CREATE TABLE c08 (a int, b int);
CREATE INDEX c08_ab ON c08 (a, b);
CREATE INDEX c08_ba ON c08 (b, a);
-- "1" is a textual prefix of "11 2"
CREATE TABLE c09 (c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int,
				  c8 int, c9 int, c10 int, c11 int);
CREATE INDEX c09_1 ON c09 (c1);
CREATE INDEX c09_11_2 ON c09 (c11, c2);
-- a chain: all in favour of the last link
CREATE TABLE c10 (a int, b int, c int);
CREATE INDEX c10_a ON c10 (a);
CREATE INDEX c10_abc ON c10 (a, b, c);
CREATE INDEX c10_ab ON c10 (a, b);
INSERT INTO expected VALUES
	('c10_a', 'prefix', 'c10_abc', 'chain'),
	('c10_ab', 'prefix', 'c10_abc', 'chain');
-- included columns
CREATE TABLE c11 (a int, b int);
CREATE INDEX c11_a_b ON c11 (a) INCLUDE (b);
CREATE INDEX c11_ab ON c11 (a, b);
INSERT INTO expected VALUES
	('c11_a_b', 'prefix', 'c11_ab', 'the other has it as a key');
CREATE TABLE c12 (a int, b int, c int);
CREATE INDEX c12_b ON c12 (a) INCLUDE (b);
CREATE INDEX c12_c ON c12 (a) INCLUDE (c);
CREATE TABLE c13 (a int, b int);
CREATE INDEX c13_a ON c13 (a);
CREATE INDEX c13_a_b ON c13 (a) INCLUDE (b);
INSERT INTO expected VALUES ('c13_a', 'covered', 'c13_a_b', 'includes more');
CREATE TABLE c14 (a int, b int, c int);
CREATE INDEX c14_bc ON c14 (a) INCLUDE (b, c);
CREATE INDEX c14_cb ON c14 (a) INCLUDE (c, b);
INSERT INTO expected VALUES
	('c14_cb', 'duplicate', 'c14_bc', 'order of included columns');
CREATE TABLE c15 (a int, b int, c int);
CREATE INDEX c15_a_c ON c15 (a) INCLUDE (c);
CREATE INDEX c15_ab ON c15 (a, b);
-- directions
CREATE TABLE c16 (a int, b int);
CREATE INDEX c16_asc ON c16 (a);
CREATE INDEX c16_desc ON c16 (a DESC);
INSERT INTO expected VALUES
	('c16_desc', 'duplicate', 'c16_asc', 'scanned backwards');
CREATE TABLE c17 (a int, b int);
CREATE INDEX c17_asc ON c17 (a, b);
CREATE INDEX c17_mixed ON c17 (a, b DESC);
CREATE TABLE c18 (a int, b int);
CREATE INDEX c18_mixed ON c18 (a, b DESC);
CREATE INDEX c18_flipped ON c18 (a DESC, b);
INSERT INTO expected VALUES
	('c18_flipped', 'duplicate', 'c18_mixed', 'all reversed');
CREATE TABLE c19 (a int);
CREATE INDEX c19_last ON c19 (a);
CREATE INDEX c19_first ON c19 (a NULLS FIRST);
CREATE TABLE c20 (a int);
CREATE INDEX c20_asc ON c20 (a NULLS FIRST);
CREATE INDEX c20_desc ON c20 (a DESC NULLS LAST);
INSERT INTO expected VALUES
	('c20_desc', 'duplicate', 'c20_asc', 'reversed with its nulls');
CREATE TABLE c21 (a int, b int);
CREATE INDEX c21_a ON c21 (a);
CREATE INDEX c21_desc ON c21 (a DESC, b);
INSERT INTO expected VALUES
	('c21_a', 'prefix', 'c21_desc', 'prefix scanned backwards');
-- collation and operator class
CREATE TABLE c22 (d text);
CREATE INDEX c22_default ON c22 (d);
CREATE INDEX c22_posix ON c22 (d COLLATE "POSIX");
CREATE TABLE c23 (d text);
CREATE INDEX c23_default ON c23 (d);
CREATE INDEX c23_pattern ON c23 (d text_pattern_ops);
CREATE TABLE c24 (d text);
CREATE INDEX c24_text ON c24 (d text_ops);
CREATE INDEX c24_varchar ON c24 (d varchar_ops);
INSERT INTO expected VALUES
	('c24_varchar', 'duplicate', 'c24_text', 'same operator family');
CREATE TABLE c25 (j jsonb);
CREATE INDEX c25_ops ON c25 USING gin (j);
CREATE INDEX c25_path ON c25 USING gin (j jsonb_path_ops);
-- predicates
CREATE TABLE c26 (a int, b int);
CREATE INDEX c26_0 ON c26 (a) WHERE b > 0;
CREATE INDEX c26_1 ON c26 (a) WHERE b > 1;
CREATE TABLE c27 (a int, b int);
CREATE INDEX c27_full ON c27 (a);
CREATE INDEX c27_part ON c27 (a) WHERE b IS NOT NULL;
CREATE TABLE c28 (a int);
CREATE INDEX c28_full ON c28 (a);
CREATE INDEX c28_part ON c28 (a) WHERE a > 10;
INSERT INTO expected VALUES
	('c28_part', 'covered', 'c28_full', 'bounds on the leading column');
CREATE TABLE c29 (a int);
CREATE INDEX c29_5 ON c29 (a) WHERE a > 5;
CREATE INDEX c29_10 ON c29 (a) WHERE a > 10;
INSERT INTO expected VALUES
	('c29_10', 'covered', 'c29_5', 'implied and bounded');
CREATE TABLE c30 (status text);
CREATE INDEX c30_full ON c30 (status);
CREATE INDEX c30_part ON c30 (status)
WHERE status IN ('running', 'pending');
INSERT INTO expected VALUES
	('c30_part', 'covered', 'c30_full', 'values of the leading column');
CREATE TABLE c31 (status text);
CREATE INDEX c31_full ON c31 (status);
CREATE INDEX c31_part ON c31 (status) WHERE status <> 'done';
-- a queue: the small index is no part of the primary key's
CREATE TABLE c32 (id int PRIMARY KEY, status text);
CREATE INDEX c32_new ON c32 (id) WHERE status = 'new';
CREATE TABLE c33 (a int, b int, c int);
CREATE INDEX c33_bc ON c33 (a) WHERE b = 1 AND c = 2;
CREATE INDEX c33_cb ON c33 (a) WHERE c = 2 AND b = 1;
INSERT INTO expected VALUES
	('c33_cb', 'duplicate', 'c33_bc', 'order of conditions');
CREATE TABLE c34 (a int, status varchar(20));
CREATE INDEX c34_in ON c34 (a) WHERE status IN ('x', 'y');
CREATE INDEX c34_or ON c34 (a) WHERE status = 'x' OR status = 'y';
INSERT INTO expected VALUES
	('c34_or', 'duplicate', 'c34_in', 'two ways to write it');
CREATE TABLE c35 (a int, b int, c int);
CREATE INDEX c35_ab ON c35 (a, b) WHERE c = 1;
CREATE INDEX c35_a ON c35 (a) WHERE c = 1;
INSERT INTO expected VALUES
	('c35_a', 'prefix', 'c35_ab', 'same rows');
CREATE TABLE c36 (a int, b int, c int);
CREATE INDEX c36_ab ON c36 (a, b) WHERE c = 1;
CREATE INDEX c36_a ON c36 (a);
-- uniqueness
CREATE TABLE c37 (id int PRIMARY KEY);
CREATE UNIQUE INDEX c37_id ON c37 (id);
INSERT INTO expected VALUES
	('c37_id', 'duplicate', 'c37_pkey', 'the primary key does it');
CREATE TABLE c38 (a int);
CREATE INDEX c38_plain ON c38 (a);
CREATE UNIQUE INDEX c38_unique ON c38 (a);
INSERT INTO expected VALUES
	('c38_plain', 'duplicate', 'c38_unique', 'older, but not unique');
CREATE TABLE c39 (a int, b int);
CREATE UNIQUE INDEX c39_a ON c39 (a);
CREATE UNIQUE INDEX c39_ab ON c39 (a, b);
CREATE TABLE c40 (a int UNIQUE, UNIQUE (a) INCLUDE (a));
CREATE TABLE c41 (a int, UNIQUE (a) DEFERRABLE);
CREATE UNIQUE INDEX c41_now ON c41 (a);
CREATE TABLE c42 (a int);
CREATE UNIQUE INDEX c42_distinct ON c42 (a);
CREATE UNIQUE INDEX c42_not_distinct ON c42 (a) NULLS NOT DISTINCT;
INSERT INTO expected VALUES
	('c42_distinct', 'duplicate', 'c42_not_distinct', 'the stricter one stays');
CREATE TABLE c43 (a int, b int);
CREATE INDEX c43_a ON c43 (a);
CREATE UNIQUE INDEX c43_ab ON c43 (a, b);
INSERT INTO expected VALUES
	('c43_a', 'prefix', 'c43_ab', 'prefix of a unique index');
CREATE TABLE c44 (a int, b bool);
CREATE UNIQUE INDEX c44_part ON c44 (a) WHERE b;
CREATE UNIQUE INDEX c44_full ON c44 (a);
-- something needs the index
CREATE TABLE c45 (a int NOT NULL);
CREATE INDEX c45_old ON c45 (a);
CREATE UNIQUE INDEX c45_identity ON c45 (a);
ALTER TABLE c45 REPLICA IDENTITY USING INDEX c45_identity;
CREATE UNIQUE INDEX c45_new ON c45 (a);
INSERT INTO expected VALUES
	('c45_old', 'duplicate', 'c45_identity', 'replica identity stays'),
	('c45_new', 'duplicate', 'c45_identity', 'replica identity stays');
CREATE TABLE c46 (a int);
CREATE INDEX c46_old ON c46 (a);
CREATE INDEX c46_cluster ON c46 (a);
ALTER TABLE c46 CLUSTER ON c46_cluster;
INSERT INTO expected VALUES
	('c46_old', 'duplicate', 'c46_cluster', 'the clustered one stays');
CREATE TABLE c47 (a int, EXCLUDE USING btree (a WITH =));
CREATE INDEX c47_plain ON c47 (a);
INSERT INTO expected VALUES
	('c47_plain', 'duplicate', 'c47_a_excl', 'the constraint stays');
CREATE TABLE c48 (a int NOT NULL);
CREATE UNIQUE INDEX c48_old ON c48 (a);
CREATE UNIQUE INDEX c48_new ON c48 (a);
CREATE TABLE c48_child (a int REFERENCES c48 (a));
CREATE INDEX c48_child_a ON c48_child (a);
INSERT INTO expected VALUES
	('c48_new', 'duplicate', 'c48_old', 'a foreign key refers to the other');
-- other access methods
CREATE TABLE c49 (a int, arr int[], j jsonb);
CREATE INDEX c49_arr ON c49 USING gin (arr);
CREATE INDEX c49_arr2 ON c49 USING gin (arr);
CREATE INDEX c49_both ON c49 USING gin (j, arr);
INSERT INTO expected VALUES
	('c49_arr', 'covered', 'c49_both', 'GIN searches each column by itself'),
	('c49_arr2', 'covered', 'c49_both', 'GIN searches each column by itself');
CREATE TABLE c50 (a int);
CREATE INDEX c50_btree ON c50 (a);
CREATE INDEX c50_hash ON c50 USING hash (a);
CREATE INDEX c50_hash2 ON c50 USING hash (a);
CREATE INDEX c50_brin ON c50 USING brin (a);
INSERT INTO expected VALUES
	('c50_hash2', 'duplicate', 'c50_hash', 'same access method');
CREATE TABLE c51 (a int);
CREATE INDEX c51_fine ON c51 USING brin (a) WITH (pages_per_range = 16);
CREATE INDEX c51_coarse ON c51 USING brin (a);
CREATE TABLE c52 (v tsvector);
CREATE INDEX c52_default ON c52 USING gist (v);
CREATE INDEX c52_long ON c52 USING gist (v tsvector_ops (siglen = 100));
CREATE INDEX c52_dup ON c52 USING gist (v);
INSERT INTO expected VALUES
	('c52_dup', 'duplicate', 'c52_default', 'same options');
CREATE TABLE c53 (p point, r int4range);
CREATE INDEX c53_p ON c53 USING gist (p);
CREATE INDEX c53_pr ON c53 USING gist (p, r);
-- settings of a B-tree only tune its space
CREATE TABLE c54 (n numeric);
CREATE INDEX c54_full ON c54 (n);
CREATE INDEX c54_loose ON c54 (n)
WITH (fillfactor = 70, deduplicate_items = off);
INSERT INTO expected VALUES
	('c54_loose', 'duplicate', 'c54_full', 'fill factor');
-- left behind by a failed build; neither usable nor a substitute
CREATE TABLE c55 (a int);
INSERT INTO c55 VALUES (1), (1);
CREATE INDEX c55_plain ON c55 (a);
CREATE UNIQUE INDEX CONCURRENTLY c55_broken ON c55 (a);
INSERT INTO expected VALUES
	('c55_broken', 'invalid', NULL, 'failed build');
-- partitions are judged at the top; an index of a partition's own is not
CREATE TABLE c56 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE c56_1 PARTITION OF c56 FOR VALUES FROM (0) TO (10);
CREATE TABLE c56_2 PARTITION OF c56 FOR VALUES FROM (10) TO (20);
CREATE INDEX c56_a ON c56 (a);
CREATE INDEX c56_ab ON c56 (a, b);
CREATE INDEX c56_1_own ON c56_1 (a, b);
INSERT INTO expected VALUES
	('c56_a', 'prefix', 'c56_ab', 'partitioned'),
	('c56_1_own', 'duplicate', 'c56_1_a_b_idx', 'of one partition only');
-- a partitioned index that still lacks a partition
CREATE TABLE c57 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE c57_1 PARTITION OF c57 FOR VALUES FROM (0) TO (10);
CREATE INDEX c57_a ON ONLY c57 (a);
CREATE INDEX c57_b ON c57 (a, b);
-- the same names elsewhere
CREATE SCHEMA trap2;
CREATE TABLE trap2.c01 (a int, b int, c int);
CREATE INDEX c01_old ON trap2.c01 (a);
CREATE INDEX c58 ON trap2.c01 (b);
-- the member of an extension
CREATE TABLE c59 (a int);
CREATE INDEX c59_old ON c59 (a);
CREATE INDEX c59_new ON c59 (a);
ALTER EXTENSION pg_stat_statements ADD TABLE c59;
-- expressions as prefixes
CREATE TABLE c60 (d text, a int);
CREATE INDEX c60_lower ON c60 (lower(d));
CREATE INDEX c60_lower_a ON c60 (lower(d), a);
INSERT INTO expected VALUES
	('c60_lower', 'prefix', 'c60_lower_a', 'expression as a prefix');
-- functions of users are compared, and never run
CREATE FUNCTION c61_f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE TABLE c61 (a int, b int);
CREATE INDEX c61_old ON c61 (a) WHERE b > c61_f(1);
CREATE INDEX c61_new ON c61 (a) WHERE b > c61_f(1);
CREATE INDEX c61_other ON c61 (a) WHERE b > c61_f(2);
CREATE OR REPLACE FUNCTION c61_f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
AS $$ BEGIN RAISE 'a function of a user was run'; END $$;
INSERT INTO expected VALUES
	('c61_new', 'duplicate', 'c61_old', 'same function');
-- whole rows and composite values in predicates
CREATE TYPE c62_t AS (x int, y int);
CREATE TABLE c62 (a int, v c62_t);
CREATE INDEX c62_old ON c62 (a) WHERE v > ROW(1, 2)::c62_t;
CREATE INDEX c62_new ON c62 (a) WHERE v > ROW(1, 2)::c62_t;
CREATE INDEX c62_other ON c62 (a) WHERE (v).x > 1;
INSERT INTO expected VALUES
	('c62_new', 'duplicate', 'c62_old', 'composite value');
-- two columns of one name and type: not the same column
CREATE TABLE c63 (a int, b int);
ALTER TABLE c63 DROP COLUMN a;
ALTER TABLE c63 ADD COLUMN a int;
CREATE INDEX c63_b ON c63 (b);
CREATE INDEX c63_a ON c63 (a);
-- of several that would do, the one that is most like it
CREATE TABLE c75 (a int, b int);
CREATE UNIQUE INDEX c75_unique ON c75 (a);
CREATE INDEX c75_plain ON c75 (a);
CREATE INDEX c75_wide ON c75 (a, b);
INSERT INTO expected VALUES
	('c75_plain', 'duplicate', 'c75_unique', 'rather than a prefix of the wide one');
-- conditions on the leading column that do not bound a scan of it
CREATE TABLE c76 (d text);
CREATE INDEX c76_full ON c76 (d COLLATE "C");
CREATE INDEX c76_part ON c76 (d COLLATE "C") WHERE d COLLATE "POSIX" > 'm';
CREATE TABLE c77 (a int);
CREATE INDEX c77_full ON c77 (a);
CREATE INDEX c77_all ON c77 (a) WHERE a > ALL ('{5,9}');
-- other access methods: included columns and conditions count as well
CREATE TABLE c78 (p point, a int);
CREATE INDEX c78_p ON c78 USING gist (p);
CREATE INDEX c78_p_a ON c78 USING gist (p) INCLUDE (a);
CREATE TABLE c79 (arr int[], a int);
CREATE INDEX c79_full ON c79 USING gin (arr);
CREATE INDEX c79_part ON c79 USING gin (arr) WHERE a > 5;
-- temporary tables vanish by themselves
CREATE TEMP TABLE c64 (a int);
CREATE INDEX c64_old ON c64 (a);
CREATE INDEX c64_new ON c64 (a);
-- much larger, and whether the small one is in use is not known yet
CREATE TABLE c65 (a int, b text);
INSERT INTO c65 SELECT g % 9, repeat(md5(g::text), 14) FROM generate_series(1, 3000) g;
CREATE INDEX c65_small ON c65 (a);
CREATE INDEX c65_large ON c65 (a) INCLUDE (b);
-- statistics of an expression in more detail than the other index has
CREATE TABLE c66 (t text);
CREATE INDEX c66_coarse ON c66 (lower(t));
CREATE INDEX c66_fine ON c66 (lower(t));
ALTER INDEX c66_fine ALTER COLUMN 1 SET STATISTICS 1000;
INSERT INTO expected VALUES
	('c66_coarse', 'duplicate', 'c66_fine', 'coarser statistics');

-- wrong verdicts, and drops offered or missing against the list: none
CREATE VIEW verdicts AS
SELECT * FROM glperf.index_usage
WHERE schema_name IN ('trap', 'trap2') AND table_name <> 'expected';
SELECT coalesce(v.index_name, e.index_name) AS index_name, v.verdict,
	e.verdict AS expected, v.covered_by, e.covered_by AS expected_by, v.reason
FROM verdicts v
FULL JOIN expected e ON e.index_name = v.index_name AND v.schema_name = 'trap'
WHERE (v.drop_ddl IS NOT NULL) IS DISTINCT FROM (e.index_name IS NOT NULL)
	OR (e.index_name IS NOT NULL
		AND (v.verdict, v.covered_by)
			IS DISTINCT FROM (e.verdict, e.covered_by))
ORDER BY 1;
SELECT verdict, count(*) AS indexes, count(drop_ddl) AS offered
FROM verdicts GROUP BY verdict ORDER BY verdict;
-- why the others stay
SELECT index_name, reason FROM verdicts WHERE verdict = 'keep'
ORDER BY index_name COLLATE "C";
-- nobody is told to drop what another one is dropped in favour of
SELECT count(*) FROM verdicts x
JOIN verdicts y ON y.schema_name = x.schema_name
	AND y.index_name = x.covered_by
WHERE x.drop_ddl IS NOT NULL AND y.drop_ddl IS NOT NULL;

-- a page for people
SELECT object, status, regexp_replace(message, '\d+ kB', 'N kB') AS message,
	remedy
FROM glperf.health_indexes
WHERE object IN ('trap.c55_broken', 'more indexes') ORDER BY object;

-- every statement runs, and its undo brings back what was there
COMMENT ON INDEX c54_loose IS E'it''s for\nthe report; -- \\ keep';
ALTER INDEX c60_lower ALTER COLUMN 1 SET STATISTICS 200;
ALTER INDEX c60_lower_a ALTER COLUMN 1 SET STATISTICS 300;
ALTER INDEX c62_new DEPENDS ON EXTENSION pg_stat_statements;
ALTER INDEX c56_2_a_idx RENAME TO "C56 of 2";
ALTER INDEX "C56 of 2" SET (fillfactor = 60);
COMMENT ON INDEX "C56 of 2" IS 'a part';
CREATE VIEW whole AS
SELECT c.relname, i.indisvalid, pg_get_indexdef(c.oid) AS definition,
	obj_description(c.oid, 'pg_class') AS comment, c.relowner, c.reltablespace,
	(SELECT array_agg(coalesce(a.attstattarget, -1) ORDER BY a.attnum) FROM pg_attribute a
	 WHERE a.attrelid = c.oid) AS targets,
	(SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid) AS part_of,
	(SELECT array_agg(d.deptype::text || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
			ORDER BY 1) FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid)
		AS depends_on
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'trap'::regnamespace AND c.relname <> 'c55_broken';
CREATE TABLE whole_before AS SELECT * FROM whole;
CREATE TABLE undo AS
SELECT index_name, drop_ddl, undo_ddl
FROM verdicts WHERE drop_ddl IS NOT NULL AND verdict <> 'invalid';
SELECT drop_ddl FROM verdicts WHERE drop_ddl IS NOT NULL
ORDER BY index_name COLLATE "C" \gexec
SELECT count(*) AS offered FROM verdicts WHERE drop_ddl IS NOT NULL;
CREATE OR REPLACE FUNCTION c61_f(int) RETURNS int IMMUTABLE LANGUAGE sql
AS 'SELECT $1';
SELECT s FROM undo, unnest(string_to_array(undo_ddl, E';\n')) WITH ORDINALITY AS u(s, n)
ORDER BY index_name COLLATE "C", n \gexec
SELECT count(*) AS restored FROM undo;
(TABLE whole_before EXCEPT TABLE whole) UNION ALL (TABLE whole EXCEPT TABLE whole_before);
ALTER EXTENSION pg_stat_statements DROP TABLE c59;

-- names that need quoting survive the round trip
CREATE SCHEMA "we ""ird
schema";
CREATE TABLE "we ""ird
schema"."tab'le; DROP" ("co""l" int, "größe" int);
CREATE INDEX "ix '""
;--" ON "we ""ird
schema"."tab'le; DROP" ("co""l");
CREATE INDEX "größe_0123456789012345678901234567890123456789012345678901234" ON "we ""ird
schema"."tab'le; DROP" ("co""l", "größe");
CREATE UNIQUE INDEX " " ON "we ""ird
schema"."tab'le; DROP" ("größe");
CREATE INDEX "DROP" ON "we ""ird
schema"."tab'le; DROP" ("größe");
CREATE TABLE weird AS
SELECT index_name, verdict, covered_by, drop_ddl, undo_ddl
FROM glperf.index_usage WHERE schema_name LIKE 'we%'
	AND drop_ddl IS NOT NULL;
SELECT * FROM weird ORDER BY index_name COLLATE "C";
SELECT drop_ddl FROM weird ORDER BY index_name COLLATE "C" \gexec
SELECT undo_ddl FROM weird ORDER BY index_name COLLATE "C" \gexec
SELECT count(*) AS same
FROM glperf.index_usage u JOIN weird w USING (index_name, verdict, drop_ddl,
											  undo_ddl);

-- use, as far as the counters know
UPDATE glperf.threshold SET warning = 0 WHERE id = 'index_evidence';
CREATE SCHEMA use;
SET search_path = use, public;
TRUNCATE trap.expected;
CREATE TABLE parent (id int PRIMARY KEY, x int, y int);
CREATE TABLE u (id int PRIMARY KEY, a int, b int, c int, d text,
				parent int REFERENCES parent,
				parent2 int CONSTRAINT "Second!" REFERENCES parent);
INSERT INTO parent SELECT g, g, g FROM generate_series(1, 100) g;
INSERT INTO u SELECT g, g, g, g, g, 1, 1 FROM generate_series(1, 1000) g;
CREATE INDEX u_used ON u (a);
CREATE INDEX u_idle ON u (b);
CREATE UNIQUE INDEX u_unique ON u (c);
CREATE INDEX u_expression ON u (lower(d));
CREATE INDEX u_parent ON u (parent);
CREATE INDEX u_parent2 ON u (parent2) WHERE parent2 IS NOT NULL;
-- of two that serve one foreign key, one may go
CREATE TABLE u2 (p int REFERENCES parent, q int);
CREATE INDEX u2_pq ON u2 (p, q);
CREATE INDEX u2_hash ON u2 USING hash (p);
CREATE INDEX u2_p ON u2 (p DESC NULLS LAST);
-- both halves unused: one at a time
CREATE TABLE u3 (a int, b int);
CREATE INDEX u3_a ON u3 (a);
CREATE INDEX u3_ab ON u3 (a, b);
-- the narrow one used, the wide one not: the wide one goes
CREATE TABLE u4 (a int, b int);
CREATE INDEX u4_a ON u4 (a);
INSERT INTO u4 SELECT g, g FROM generate_series(1, 1000) g;
-- the wide one used: the narrow one goes
CREATE TABLE u5 (a int, b int);
INSERT INTO u5 SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX u5_ab ON u5 (a, b);
-- duplicates, only the newer one used: the older one goes
CREATE TABLE u6 (a int);
INSERT INTO u6 SELECT g FROM generate_series(1, 1000) g;
CREATE INDEX u6_new ON u6 (a);
-- a wide index far larger than the used narrow one is no substitute
CREATE TABLE u7 (a int, b text);
INSERT INTO u7 SELECT g, repeat('x', 500) || g
FROM generate_series(1, 3000) g;
CREATE INDEX u7_a ON u7 (a);
-- partitioned: the scans of all parts count
CREATE TABLE u8 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE u8_1 PARTITION OF u8 FOR VALUES FROM (0) TO (500);
CREATE TABLE u8_2 PARTITION OF u8 FOR VALUES FROM (500) TO (2000);
INSERT INTO u8 SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX u8_a ON u8 (a);
CREATE INDEX u8_b ON u8 (b);
-- a twin is one, however bloated
CREATE TABLE u9 (a int);
INSERT INTO u9 SELECT g FROM generate_series(1, 3000) g;
CREATE INDEX u9_bloated ON u9 (a) WITH (fillfactor = 10);
-- a wide one that stays for its expression takes the narrow one's place, unused
CREATE TABLE u10 (d text, a int);
INSERT INTO u10 SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX u10_lower ON u10 (lower(d));
CREATE INDEX u10_lower_a ON u10 (lower(d), a);
ANALYZE u, u4, u5, u6, u7, u8, u9, u10;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT b FROM u WHERE a = 7;
SELECT b FROM u4 WHERE a = 7;
SELECT b FROM u5 WHERE a = 7;
SELECT a FROM u6 WHERE a = 7;
SELECT length(b) FROM u7 WHERE a = 7;
CREATE INDEX u7_ab ON u7 (a, b);
BEGIN;
DROP INDEX u7_a;
SELECT length(b) FROM u7 WHERE a = 8;
ROLLBACK;
SELECT b FROM u8 WHERE a = 700;
SELECT a FROM u9 WHERE a = 7;
CREATE INDEX u9_slim ON u9 (a);
BEGIN;
DROP INDEX u9_bloated;
SELECT a FROM u9 WHERE a = 7;
ROLLBACK;
BEGIN;
DROP INDEX u10_lower_a;
SELECT a FROM u10 WHERE lower(d) = '7';
ROLLBACK;
RESET enable_seqscan;
RESET enable_bitmapscan;
CREATE INDEX u4_ab ON u4 (a, b);
CREATE INDEX u5_a ON u5 (a);
CREATE INDEX u6_newer ON u6 (a);
SELECT pg_stat_force_next_flush();
SELECT index_name, scans, tuples_read, verdict, covered_by,
	drop_ddl IS NOT NULL AS offered,
	regexp_replace(regexp_replace(reason, '\d+ s\M', 'N s'),
				   '\(.*\)', '(...)') AS reason
FROM glperf.index_usage WHERE schema_name = 'use'
ORDER BY index_name COLLATE "C";
SELECT drop_ddl FROM glperf.index_usage
WHERE schema_name = 'use' AND drop_ddl IS NOT NULL
ORDER BY index_name COLLATE "C" \gexec
-- what was withheld follows, and nothing that a foreign key needs is lost
SELECT drop_ddl FROM glperf.index_usage
WHERE schema_name = 'use' AND drop_ddl IS NOT NULL
ORDER BY index_name COLLATE "C";
SELECT count(*) FROM glperf.foreign_keys_without_index
WHERE schema_name = 'use';

-- without evidence there is no verdict
SELECT bool_and(evidence_since_at <= clock_timestamp()
				AND evidence_s >= 0) AS evidence
FROM glperf.index_usage;
CREATE INDEX u_again ON u (b);
UPDATE glperf.threshold SET warning = 35 WHERE id = 'index_evidence';
SELECT index_name, verdict, drop_ddl,
	regexp_replace(reason, '\d+ (s|minutes)\M', 'N') AS reason
FROM glperf.index_usage WHERE index_name = 'u_again';
SELECT object, value < warning AS below, unit, warning, status,
	message ~ '^\d+ of \d+ indexes have not been scanned, but the counters do not reach back far enough' AS message,
	remedy
FROM glperf.health_indexes WHERE check_id = 'index_evidence';
-- the clock starts with the latest reset of any of the statistics
SELECT index_name, verdict FROM glperf.index_report(
	now() - interval '40 days', 35 * 86400, 5, NULL, NULL, true,
	NULL, NULL)
WHERE index_name = 'u_again';	-- its file is new
SELECT index_name, verdict, drop_ddl FROM glperf.index_report(
	NULL, 0, 5, NULL, NULL, true,
	NULL, NULL) WHERE index_name = 'u_again';
SELECT index_name, verdict, drop_ddl, reason FROM glperf.index_report(
	now() - interval '40 days', 0, 5, '{s1,s2}', NULL, true,
	NULL, NULL)
WHERE index_name = 'u_again';
SELECT index_name, verdict FROM glperf.index_report(
	now() - interval '40 days', NULL, 5, NULL, NULL, true,
	NULL, NULL) WHERE index_name = 'u_again';
SELECT glperf.counters_since() IS NOT NULL AS known,
	glperf.standbys_attached() AS standbys;

-- other nodes tell what they scan
CREATE FUNCTION told(standbys text[], min_evidence_s float8 DEFAULT 0,
	OUT verdict text, OUT drop_ddl text, OUT replica_scans int8,
	OUT replicas_missing text, OUT reason text)
LANGUAGE sql AS $$
	SELECT r.verdict, r.drop_ddl, r.replica_scans, r.replicas_missing,
		regexp_replace(r.reason, '\d+ (s|minutes)\M', 'N', 'g')
	FROM glperf.index_report(now() - interval '40 days', min_evidence_s, 5,
		standbys, 86400, true, NULL, NULL) r
	WHERE index_name = 'u_again'
$$;
CREATE FUNCTION tell(node text, scans int8 DEFAULT 0,
	last_used_at timestamptz DEFAULT NULL,
	since_at timestamptz DEFAULT now() - interval '40 days',
	standbys text[] DEFAULT '{}') RETURNS bool
LANGUAGE sql AS $$
	SELECT glperf.report_replica_usage(node, 'use', 'u_again', scans,
									   last_used_at, since_at, standbys)
$$;
SELECT * FROM told('{s1}');		-- nothing was told
SELECT tell('s1');
SELECT * FROM told('{s1}');		-- known to be idle on both
SELECT * FROM told('{s1,s2}');	-- one of two has told
SELECT * FROM told('{s1,s1}');	-- which of two has told?
SELECT * FROM told(NULL);		-- no longer attached, but it has told
SELECT * FROM told('{s1}', 100 * 86400);	-- not for long enough
SELECT tell('s1', since_at => NULL);	-- nor if nobody knows for how long
SELECT * FROM told('{s1}');
SELECT tell('s1', standbys => '{deep}');	-- it has a standby of its own
SELECT * FROM told('{s1}');
SELECT tell('deep', 3);
SELECT * FROM told('{s1}');		-- which scans the index
SELECT tell('deep', 3, now() - interval '30 days', now() - interval '40 days');
SELECT * FROM told('{s1}');		-- long ago, before the index was rebuilt
SELECT tell('deep', 1, now() + interval '1 hour');
SELECT verdict, replica_scans, reason FROM told('{s1}');
SELECT tell('deep', 1, clock_timestamp());
SELECT verdict, replica_scans FROM told('{s1}', 60);
-- what is too old counts for nothing, what is older still is forgotten
UPDATE glperf.replica_usage SET reported_at = now() - interval '2 days';
SELECT * FROM told('{s1}');
UPDATE glperf.replica_usage SET reported_at = now() - interval '2 years'
WHERE node = 'deep';
SELECT tell('s1');
SELECT node, scans, standbys, reported_by = session_user AS by
FROM glperf.replica_usage;
-- a report from before the file was made is about another index
UPDATE glperf.replica_usage SET reported_at = now() - interval '23 hours';
SELECT * FROM told('{s1}');
-- refused
SELECT glperf.report_replica_usage('s1', 'use', 'no such', 0, NULL, NULL) AS no_index,
	glperf.report_replica_usage('s1', 'no such', 'u_again', 0, NULL, NULL) AS no_schema;
\set VERBOSITY sqlstate
SELECT glperf.report_replica_usage('', 'use', 'u_again', 0, NULL, NULL);
SELECT glperf.report_replica_usage('s1', 'use', 'u_again', NULL, NULL, NULL);
SELECT glperf.report_replica_usage('s1', 'use', 'u_again', -1, NULL, NULL);
BEGIN READ ONLY;
SELECT tell('s1');
ROLLBACK;
-- it is a right to be given
CREATE ROLE regress_teller;
SET ROLE regress_teller;
SELECT glperf.report_replica_usage('s1', 'use', 'u_again', 0, NULL, NULL);
RESET ROLE;
\set VERBOSITY default
GRANT USAGE ON SCHEMA glperf TO regress_teller;
GRANT EXECUTE ON FUNCTION glperf.report_replica_usage TO regress_teller;
SET ROLE regress_teller;
SELECT glperf.report_replica_usage('s1', 'use', 'u_again', 5, NULL, NULL);
RESET ROLE;
SELECT scans, reported_by FROM glperf.replica_usage;
REVOKE USAGE ON SCHEMA glperf FROM regress_teller;
REVOKE EXECUTE ON FUNCTION glperf.report_replica_usage FROM regress_teller;
DROP ROLE regress_teller;
DELETE FROM glperf.replica_usage;
DROP FUNCTION told, tell;
SELECT glperf.node_name() IS NULL AS primary_needs_no_name;

-- what finds much of the table whatever it is asked for
CREATE TABLE few (flag bool, status text, many int, nulls int, fk int,
				  id int UNIQUE);
INSERT INTO few SELECT g % 2 = 0,
	CASE WHEN g % 1000 = 0 THEN 'pending' ELSE 'done' END, g,
	CASE WHEN g % 2 = 0 THEN g % 2 END, 1, g
FROM generate_series(1, 4000) g;
CREATE TABLE one (id int PRIMARY KEY);
INSERT INTO one VALUES (1);
ALTER TABLE few ADD FOREIGN KEY (fk) REFERENCES one;
CREATE INDEX few_flag ON few (flag);
CREATE INDEX few_flag_hash ON few USING hash (flag);
CREATE INDEX few_expr ON few ((id % 2));
CREATE INDEX few_status ON few (status);
CREATE INDEX few_part ON few (flag) WHERE many > 10;
CREATE INDEX few_many ON few (many);
CREATE INDEX few_nulls ON few (nulls);
CREATE INDEX few_fk ON few (fk);
CREATE INDEX few_idle ON few ((flag IS NULL));
CREATE INDEX few_cluster ON few ((many % 2));	-- CLUSTER needs it
ALTER TABLE few CLUSTER ON few_cluster;
ANALYZE few;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
DO $$
BEGIN
	FOR i IN 1 .. 3 LOOP
		PERFORM nulls FROM few WHERE flag;
		PERFORM id FROM few WHERE id % 2 = 1;
		PERFORM id FROM few WHERE status = 'pending';
		PERFORM id FROM few WHERE many = i;
		PERFORM id FROM few WHERE nulls = 0;
		PERFORM id FROM few WHERE fk = 1;
		PERFORM id FROM few WHERE many % 2 = 1;
	END LOOP;
END $$;
SELECT pg_stat_force_next_flush();
RESET enable_seqscan;
RESET enable_bitmapscan;
-- (now only: from 18 on it serves a search for flag, too)
CREATE INDEX few_two ON few (status, flag, many);
CREATE VIEW selectivity AS
SELECT index_name, verdict, drop_ddl IS NULL AS stays,
	substring(reason FROM 'but whatever.*') AS reason
FROM glperf.index_usage WHERE table_name = 'few' AND verdict = 'unselective'
ORDER BY index_name COLLATE "C";
SELECT * FROM selectivity;	-- small tables are left alone
UPDATE glperf.threshold SET warning = 1000 WHERE id = 'seq_scan_rows';
SELECT * FROM selectivity;
UPDATE glperf.threshold SET warning = 60 WHERE id = 'index_selectivity';
SELECT * FROM selectivity;
UPDATE glperf.threshold t SET warning = d.warning
FROM glperf.threshold_defaults() d
WHERE d.id = t.id AND t.id IN ('index_selectivity', 'seq_scan_rows');
-- and how much of an index is found in shared buffers
SELECT index_name, hit_ratio BETWEEN 0 AND 1 AS ratio FROM glperf.index_usage
WHERE index_name IN ('few_flag', 'few_many') ORDER BY index_name;
DROP TABLE few, one CASCADE;

-- sizes agree with those that wait for locks
SELECT glperf.relation_bytes('u'::regclass) = pg_table_size('u') AS heap,
	glperf.relation_bytes('u7'::regclass) = pg_table_size('u7') AS toasted,
	glperf.relation_bytes('u_again'::regclass)
		= pg_relation_size('u_again') AS index,
	glperf.relation_bytes('u8'::regclass) AS partitioned,
	glperf.relation_bytes(0) AS missing,
	bool_and(size_bytes
		= pg_relation_size(format('%I.%I', schema_name, index_name)::regclass))
		AS usage
FROM glperf.index_usage
WHERE schema_name = 'use' AND index_name NOT IN ('u8_a', 'u8_b');

UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
RESET search_path;
DROP SCHEMA trap, trap2, use, "we ""ird
schema" CASCADE;

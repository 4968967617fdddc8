-- Foreign keys without an index, on the cases that mislead: the index is
-- there but not usable, or it is usable though it looks different.
SET client_min_messages = warning;
CREATE SCHEMA fk;
SET search_path = fk, public;

CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, big int8 UNIQUE,
				x int, y int, z int, UNIQUE (x, y), UNIQUE (x, y, z));
CREATE TABLE expected (table_name text, columns text, remark text);

-- none at all
CREATE TABLE c01 (a int REFERENCES p);
INSERT INTO expected VALUES ('c01', 'a', 'no index');
CREATE TABLE c02 (a int REFERENCES p);
CREATE INDEX ON c02 (a);
-- not leading
CREATE TABLE c03 (a int REFERENCES p, b int);
CREATE INDEX ON c03 (b, a);
INSERT INTO expected VALUES ('c03', 'a', 'second key');
CREATE TABLE c04 (a int REFERENCES p, b int);
CREATE INDEX ON c04 (a, b);
-- included only
CREATE TABLE c05 (a int REFERENCES p, b int);
CREATE INDEX ON c05 (b) INCLUDE (a);
INSERT INTO expected VALUES ('c05', 'a', 'included column');
-- an expression of it
CREATE TABLE c06 (a int REFERENCES p);
CREATE INDEX ON c06 ((a + 0));
INSERT INTO expected VALUES ('c06', 'a', 'expression');
-- partial
CREATE TABLE c07 (a int REFERENCES p);
CREATE INDEX ON c07 (a) WHERE a IS NOT NULL;
CREATE TABLE c08 (a int REFERENCES p, b int);
CREATE INDEX ON c08 (a) WHERE b IS NOT NULL;
INSERT INTO expected VALUES ('c08', 'a', 'partial by another column');
CREATE TABLE c09 (a int REFERENCES p);
CREATE INDEX ON c09 (a) WHERE a > 0;
INSERT INTO expected VALUES ('c09', 'a', 'partial by value');
-- composite: any order of the leading keys will do
CREATE TABLE c10 (a int, b int, FOREIGN KEY (a, b) REFERENCES p (x, y));
CREATE INDEX ON c10 (b, a);
CREATE TABLE c11 (a int, b int, FOREIGN KEY (a, b) REFERENCES p (x, y));
CREATE INDEX ON c11 (a);
CREATE INDEX ON c11 (b);
INSERT INTO expected VALUES ('c11', 'a, b', 'one column each');
CREATE TABLE c12 (a int, b int, c int,
				  FOREIGN KEY (a, b) REFERENCES p (x, y));
CREATE INDEX ON c12 (a, c, b);
INSERT INTO expected VALUES ('c12', 'a, b', 'a stranger in between');
CREATE TABLE c13 (a int, b int, c int,
				  FOREIGN KEY (a, b, c) REFERENCES p (x, y, z));
CREATE INDEX ON c13 (c, a, b) WHERE a IS NOT NULL AND c IS NOT NULL;
-- a unique index on part of it leaves one row to look at
CREATE TABLE c14 (a int UNIQUE, b int,
				  FOREIGN KEY (a, b) REFERENCES p (x, y));
CREATE TABLE c37 (a int, b int, c int, UNIQUE (a, c),
				  FOREIGN KEY (a, b) REFERENCES p (x, y));
INSERT INTO expected VALUES ('c37', 'a, b', 'unique only with a stranger');
-- other access methods
CREATE TABLE c15 (a int REFERENCES p);
CREATE INDEX ON c15 USING hash (a);
CREATE TABLE c16 (a int REFERENCES p);
CREATE INDEX ON c16 USING brin (a);
INSERT INTO expected VALUES ('c16', 'a', 'BRIN finds pages, not rows');
CREATE TABLE c17 (a int, b int, FOREIGN KEY (a, b) REFERENCES p (x, y));
CREATE INDEX ON c17 USING hash (a);
INSERT INTO expected VALUES ('c17', 'a, b', 'hash on one of two');
-- collation and operator class
CREATE TABLE c18 (a text REFERENCES p (code));
CREATE INDEX ON c18 (a COLLATE "POSIX");
INSERT INTO expected VALUES ('c18', 'a', 'other collation');
CREATE TABLE c19 (a text REFERENCES p (code));
CREATE INDEX ON c19 (a text_pattern_ops);
-- types of one family
CREATE TABLE c20 (a int REFERENCES p (big));
CREATE INDEX ON c20 (a);
CREATE TABLE c21 (a varchar(10) REFERENCES p (code));
CREATE INDEX ON c21 (a DESC NULLS LAST);
-- not usable
CREATE TABLE c22 (a int REFERENCES p);
INSERT INTO p VALUES (1);
INSERT INTO c22 VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY c22_broken ON c22 (a);
INSERT INTO expected VALUES ('c22', 'a', 'failed build');
-- to itself
CREATE TABLE c23 (id int PRIMARY KEY, parent int REFERENCES c23);
INSERT INTO expected VALUES ('c23', 'parent', 'to itself');
-- the primary key leads with it
CREATE TABLE c24 (a int REFERENCES p, b int, PRIMARY KEY (a, b));
-- two foreign keys on the same columns, one row
CREATE TABLE c24_ref (id int PRIMARY KEY);
CREATE TABLE c25 (a int, CONSTRAINT one FOREIGN KEY (a) REFERENCES p,
				  CONSTRAINT two FOREIGN KEY (a) REFERENCES c24_ref);
INSERT INTO expected VALUES ('c25', 'a', 'two foreign keys');
-- not validated, deferrable: checked all the same
CREATE TABLE c26 (a int);
ALTER TABLE c26 ADD FOREIGN KEY (a) REFERENCES p DEFERRABLE NOT VALID;
INSERT INTO expected VALUES ('c26', 'a', 'not valid');
-- partitioned: once, at the top
CREATE TABLE c27 (id int, a int REFERENCES p) PARTITION BY RANGE (id);
CREATE TABLE c27_1 PARTITION OF c27 FOR VALUES FROM (0) TO (10);
CREATE TABLE c27_2 PARTITION OF c27 FOR VALUES FROM (10) TO (20);
INSERT INTO expected VALUES ('c27', 'a', 'partitioned');
CREATE TABLE c28 (id int, a int REFERENCES p) PARTITION BY RANGE (id);
CREATE TABLE c28_1 PARTITION OF c28 FOR VALUES FROM (0) TO (10);
CREATE INDEX ON c28 (a);
-- each partition has its own
CREATE TABLE c29 (id int, a int REFERENCES p) PARTITION BY RANGE (id);
CREATE TABLE c29_1 PARTITION OF c29 FOR VALUES FROM (0) TO (10);
CREATE TABLE c29_2 (gone int, a int, id int);
ALTER TABLE c29_2 DROP COLUMN gone;
ALTER TABLE c29 ATTACH PARTITION c29_2 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON c29_1 (a);
CREATE INDEX ON c29_2 (a);
CREATE TABLE c30 (id int, a int REFERENCES p) PARTITION BY RANGE (id);
CREATE TABLE c30_1 PARTITION OF c30 FOR VALUES FROM (0) TO (10);
CREATE TABLE c30_2 PARTITION OF c30 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON c30_1 (a);
INSERT INTO expected VALUES ('c30', 'a', 'one partition has none');
-- referring to a partitioned table: once, though the catalog has one more per
-- partition
CREATE TABLE pp (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE pp_1 PARTITION OF pp FOR VALUES FROM (0) TO (10);
CREATE TABLE pp_2 PARTITION OF pp FOR VALUES FROM (10) TO (20);
CREATE TABLE c31 (a int REFERENCES pp);
INSERT INTO expected VALUES ('c31', 'a', 'to a partitioned table');
CREATE TABLE c32 (a int REFERENCES pp);
CREATE INDEX ON c32 (a);
-- a foreign key of one partition only
CREATE TABLE c33 (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE c33_1 PARTITION OF c33 FOR VALUES FROM (0) TO (10);
ALTER TABLE c33_1 ADD FOREIGN KEY (a) REFERENCES p;
INSERT INTO expected VALUES ('c33_1', 'a', 'of one partition');
-- inheritance passes no foreign key on
CREATE TABLE c34 (a int REFERENCES p);
CREATE TABLE c34_child () INHERITS (c34);
CREATE INDEX ON c34_child (a);
INSERT INTO expected VALUES ('c34', 'a', 'the child''s index is the child''s');
-- temporary tables vanish by themselves
CREATE TEMP TABLE tp (id int PRIMARY KEY);
CREATE TEMP TABLE tc (a int REFERENCES tp);
-- a dropped column shifts the numbers
CREATE TABLE c35 (gone int, b int, a int REFERENCES p);
ALTER TABLE c35 DROP COLUMN gone;
CREATE INDEX ON c35 (b);
INSERT INTO expected VALUES ('c35', 'a', 'dropped column');
-- names that need quoting
CREATE TABLE "c36 ""x"";
" ("a ""b""" int REFERENCES p, "Ä" int,
	FOREIGN KEY ("a ""b""", "Ä") REFERENCES p (x, y));
INSERT INTO expected VALUES
	(E'c36 "x";\n', '"a ""b"""', 'quoting'),
	(E'c36 "x";\n', '"a ""b""", "Ä"', 'quoting');

-- against the list: nothing wrong, nothing missing
SELECT coalesce(f.table_name, e.table_name) AS table_name,
	coalesce(f.columns, e.columns) AS columns, f.constraint_name, e.remark
FROM (SELECT * FROM glperf.foreign_keys_without_index
	  WHERE schema_name = 'fk') f
FULL JOIN expected e USING (table_name, columns)
WHERE f.table_name IS NULL OR e.table_name IS NULL;
SELECT count(*) AS reported FROM glperf.foreign_keys_without_index
WHERE schema_name = 'fk';
SELECT constraint_name, columns, referenced_table, create_ddl
FROM glperf.foreign_keys_without_index
WHERE schema_name = 'fk' AND table_name IN ('c11', 'c25', 'c27', 'c33_1')
ORDER BY table_name;

-- rows are estimates: unknown, one table's, all partitions'
INSERT INTO c01 SELECT 1 FROM generate_series(1, 500);
INSERT INTO c27 SELECT g, 1 FROM generate_series(0, 19) g;
ANALYZE c01, c27;
SELECT table_name, table_rows FROM glperf.foreign_keys_without_index
WHERE schema_name = 'fk' AND table_name IN ('c01', 'c03', 'c27')
ORDER BY table_name;

-- only large tables are worth a line on the health page
SELECT count(*) FROM glperf.health_indexes WHERE object LIKE 'fk.%';
UPDATE glperf.threshold SET warning = 100, critical = 400
WHERE id = 'fk_table_rows';
SELECT object, value, warning, critical, status, message, remedy
FROM glperf.health_indexes WHERE object LIKE 'fk.%';
UPDATE glperf.threshold SET warning = 10 WHERE id = 'fk_table_rows';
SELECT object, value, status FROM glperf.health_indexes
WHERE object LIKE 'fk.%' ORDER BY object;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;

-- every statement runs, and leaves nothing to report
SELECT create_ddl FROM glperf.foreign_keys_without_index
WHERE schema_name = 'fk' ORDER BY table_name COLLATE "C", columns \gexec
SELECT count(*) AS left FROM glperf.foreign_keys_without_index
WHERE schema_name = 'fk';

RESET search_path;
DROP SCHEMA fk CASCADE;

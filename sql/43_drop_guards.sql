-- Nothing that something else rests on is offered for dropping, however unused
-- it is; and what is offered can be dropped.
SET client_min_messages = warning;
UPDATE glperf.threshold SET warning = 0 WHERE id = 'index_evidence';
CREATE SCHEMA guard;
SET search_path = guard, public;

CREATE TABLE parent (a int, b int, t text, PRIMARY KEY (a, b));
INSERT INTO parent SELECT g, g, g FROM generate_series(1, 1000) g;

-- constraints
CREATE TABLE g01 (a int PRIMARY KEY, b int UNIQUE);
CREATE TABLE g02 (a int, CONSTRAINT g02_now UNIQUE (a) DEFERRABLE);
CREATE TABLE g03 (a int, CONSTRAINT g03_later UNIQUE (a) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE g04 (r int4range, EXCLUDE USING gist (r WITH &&));
CREATE TABLE g05 (a int, EXCLUDE USING hash (a WITH =) WHERE (a > 0));
-- uniqueness without a constraint: plain, partial, of an expression, of NULLs
CREATE TABLE g06 (a int, b int, t text);
CREATE UNIQUE INDEX g06_plain ON g06 (a);
CREATE UNIQUE INDEX g06_partial ON g06 (b) WHERE a IS NULL;
CREATE UNIQUE INDEX g06_expression ON g06 (lower(t));
CREATE UNIQUE INDEX g06_nulls ON g06 (b) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX g06_include ON g06 (t) INCLUDE (a);
-- a unique one is not replaced by a plain one, nor by one with another notion
CREATE TABLE g07 (a int, b int);
CREATE UNIQUE INDEX g07_unique ON g07 (a);
CREATE INDEX g07_wide ON g07 (a, b);
CREATE TABLE g08 (a int);
CREATE UNIQUE INDEX g08_nulls ON g08 (a) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX g08_partial ON g08 (a) NULLS NOT DISTINCT WHERE a > 0;
CREATE TABLE g09 (t text);
CREATE UNIQUE INDEX g09_c ON g09 (t COLLATE "C");
CREATE UNIQUE INDEX g09_posix ON g09 (t COLLATE "POSIX");
-- replica identity, clustering
CREATE TABLE g10 (a int NOT NULL, b int);
CREATE UNIQUE INDEX g10_identity ON g10 (a);
ALTER TABLE g10 REPLICA IDENTITY USING INDEX g10_identity;
CREATE INDEX g10_cluster ON g10 (b);
ALTER TABLE g10 CLUSTER ON g10_cluster;
-- what foreign keys look rows up by: at either end, in either order, partly
CREATE TABLE g11 (x int, y int, z int, FOREIGN KEY (x, y) REFERENCES parent);
CREATE INDEX g11_other_order ON g11 (y, x);
CREATE TABLE g12 (x int, y int, z int, FOREIGN KEY (x, y) REFERENCES parent);
CREATE INDEX g12_half ON g12 (y);
CREATE TABLE g13 (x int, y int, z int, FOREIGN KEY (x, y) REFERENCES parent ON DELETE CASCADE);
CREATE INDEX g13_more ON g13 (x, z, y);
-- half an index is pointless beside a whole one
CREATE TABLE g96 (x int, y int, FOREIGN KEY (x, y) REFERENCES parent);
CREATE INDEX g96_whole ON g96 (x, y);
CREATE INDEX g96_half ON g96 (y);
CREATE TABLE g14 (a int, b int);
CREATE UNIQUE INDEX g14_target ON g14 (a);
CREATE TABLE g14_child (a int REFERENCES g14 (a));
CREATE INDEX g14_child_hash ON g14_child USING hash (a);
CREATE TABLE g15 (x int, y int, FOREIGN KEY (x, y) REFERENCES parent) PARTITION BY RANGE (x);
CREATE TABLE g15_1 PARTITION OF g15 FOR VALUES FROM (0) TO (500);
CREATE INDEX g15_xy ON g15 (x, y);
-- statistics of an expression go with its index
CREATE TABLE g16 (t text, a int, b int);
INSERT INTO g16 SELECT g, g, g FROM generate_series(1, 1000) g;
CREATE INDEX g16_lower ON g16 (lower(t));
CREATE INDEX g16_sum ON g16 ((a + b), a);
ANALYZE g16;
-- parts of a partitioned index; one that a partition has besides
CREATE TABLE g17 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g17_1 PARTITION OF g17 FOR VALUES FROM (0) TO (500);
CREATE TABLE g17_2 PARTITION OF g17 FOR VALUES FROM (500) TO (1000);
CREATE UNIQUE INDEX g17_unique ON g17 (a, b);
ALTER TABLE g17 ALTER a SET NOT NULL, ALTER b SET NOT NULL;
ALTER TABLE g17_1 REPLICA IDENTITY USING INDEX g17_1_a_b_idx;
-- a materialized view refreshed concurrently needs a unique index
CREATE MATERIALIZED VIEW g18 AS SELECT g AS a, g % 7 AS b FROM generate_series(1, 1000) g;
CREATE UNIQUE INDEX g18_unique ON g18 (a);
-- what belongs to an extension, and to a temporary or system table
CREATE TABLE g19 (a int);
CREATE INDEX g19_a ON g19 (a);
ALTER EXTENSION pg_stat_statements ADD TABLE g19;
CREATE TEMP TABLE g20 (a int);
CREATE INDEX g20_a ON g20 (a);
-- a foreign key's index is not redundant to one of which a part is invalid
CREATE TABLE g21 (x int, y int, FOREIGN KEY (x, y) REFERENCES parent);
-- (without looking into the other table, which would count as use of its key)
SET session_replication_role = replica;
INSERT INTO g21 SELECT 1, 1 FROM generate_series(1, 2);
RESET session_replication_role;
CREATE INDEX g21_xy ON g21 (x, y);
CREATE UNIQUE INDEX CONCURRENTLY g21_broken ON g21 (x, y);
-- nothing rests on these: unused, they may go
CREATE TABLE g99 (a int, b int, c text);
CREATE INDEX g99_plain ON g99 (a);
CREATE INDEX g99_partial ON g99 (b) WHERE a = 1;
CREATE INDEX g99_include ON g99 (b DESC) INCLUDE (c);
CREATE INDEX g99_gin ON g99 USING gin (to_tsvector('simple', c));
CREATE INDEX g99_brin ON g99 USING brin (a);
CREATE MATERIALIZED VIEW g98 AS SELECT g AS a FROM generate_series(1, 10) g;
CREATE INDEX g98_a ON g98 (a);
CREATE TABLE g97 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g97_1 PARTITION OF g97 FOR VALUES FROM (0) TO (500);
CREATE INDEX g97_b ON g97 (b);
CREATE INDEX g97_1_own ON g97_1 (a);

-- by the page and by the advice: the same ones
CREATE TABLE offered AS
SELECT index_name, verdict, drop_ddl FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NOT NULL;
SELECT index_name, verdict FROM offered ORDER BY index_name COLLATE "C";
SELECT o.index_name AS not_advised, a.index_name AS not_on_the_page FROM offered o
FULL JOIN (SELECT * FROM glperf.advise_indexes() WHERE action = 'drop' AND schema_name = 'guard') a
	ON a.index_name = o.index_name AND a.ddl = o.drop_ddl
WHERE o.index_name IS NULL OR a.index_name IS NULL;
-- why the others stay
SELECT index_name, verdict, reason FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NULL AND verdict <> 'used'
ORDER BY index_name COLLATE "C";
-- nothing is old enough when a year of evidence is asked for
UPDATE glperf.threshold SET warning = 366 WHERE id = 'index_evidence';
SELECT index_name, verdict FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NOT NULL ORDER BY index_name COLLATE "C";
-- all that is offered executes
SELECT drop_ddl FROM offered ORDER BY index_name COLLATE "C" \gexec
SELECT count(*) AS left_over FROM offered
JOIN pg_class c ON c.relname = index_name AND c.relnamespace = 'guard'::regnamespace;
-- and nothing that holds the data together has gone
DELETE FROM parent WHERE a = 7;
INSERT INTO g06 VALUES (1, NULL, 'x');
INSERT INTO g06 VALUES (2, NULL, 'y');
REFRESH MATERIALIZED VIEW CONCURRENTLY g18;

ALTER EXTENSION pg_stat_statements DROP TABLE g19;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
RESET search_path;
DROP SCHEMA guard CASCADE;

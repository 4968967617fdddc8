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
-- a foreign key rests on the one index of two that it was made with
CREATE TABLE g22 (a int NOT NULL);
CREATE UNIQUE INDEX g22_first ON g22 (a);
CREATE TABLE g22_child (a int REFERENCES g22 (a));
CREATE INDEX g22_child_a ON g22_child (a);
ALTER TABLE g22 ADD CONSTRAINT g22_second PRIMARY KEY (a);
-- twins of which one is the replica identity, or what CLUSTER sorts by
CREATE TABLE g23 (a int PRIMARY KEY, b int);
CREATE UNIQUE INDEX g23_identity ON g23 (a);
ALTER TABLE g23 REPLICA IDENTITY USING INDEX g23_identity;
CREATE INDEX g23_cluster ON g23 (b);
ALTER TABLE g23 CLUSTER ON g23_cluster;
CREATE INDEX g23_twin ON g23 (b);
-- a constraint that is checked later does not enforce what an index does now
CREATE TABLE g24 (a int, UNIQUE (a) DEFERRABLE);
CREATE UNIQUE INDEX g24_now ON g24 (a);
-- nor does one for which NULLs are distinct; a condition bounds the other column
CREATE TABLE g25 (a int, b int, UNIQUE (a));
CREATE UNIQUE INDEX g25_nulls ON g25 (a) NULLS NOT DISTINCT;
CREATE TABLE g26 (a int, b int);
CREATE UNIQUE INDEX g26_all ON g26 (a);
CREATE UNIQUE INDEX g26_some ON g26 (b) WHERE a > 0;
-- nor one over more columns
CREATE TABLE g27 (a int, b int, UNIQUE (a, b));
CREATE UNIQUE INDEX g27_narrow ON g27 (a);
-- an exclusion that is as good as a unique constraint, but is none
CREATE TABLE g28 (a int, EXCLUDE USING btree (a WITH =));
CREATE UNIQUE INDEX g28_unique ON g28 (a);
-- a foreign key to its own table, one not validated, one deferred
CREATE TABLE g29 (id int PRIMARY KEY, up int REFERENCES g29);
CREATE INDEX g29_up ON g29 (up);
CREATE TABLE g30 (x int, y int);
ALTER TABLE g30 ADD FOREIGN KEY (x, y) REFERENCES parent NOT VALID;
CREATE INDEX g30_xy ON g30 (x, y);
CREATE TABLE g31 (x int, y int, FOREIGN KEY (x, y) REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX g31_yx ON g31 (y, x);
-- what a foreign key never looks up is left out, or comes behind
CREATE TABLE g32 (x int, y int, FOREIGN KEY (x, y) REFERENCES parent);
CREATE INDEX g32_present ON g32 (x, y) WHERE x IS NOT NULL;
CREATE TABLE g33 (x int, y int, z int, FOREIGN KEY (x, y) REFERENCES parent);
CREATE INDEX g33_include ON g33 (x, y) INCLUDE (z);
-- a foreign key of a partition alone, and one to a partitioned table
CREATE TABLE g34 (x int, y int) PARTITION BY RANGE (x);
CREATE TABLE g34_1 PARTITION OF g34 FOR VALUES FROM (0) TO (500);
ALTER TABLE g34_1 ADD FOREIGN KEY (x, y) REFERENCES parent;
CREATE INDEX g34_1_xy ON g34_1 (x, y);
CREATE TABLE g35 (a int PRIMARY KEY) PARTITION BY RANGE (a);
CREATE TABLE g35_1 PARTITION OF g35 FOR VALUES FROM (0) TO (500);
CREATE TABLE g35_child (a int REFERENCES g35);
CREATE INDEX g35_child_a ON g35_child (a);
-- unique in a partition alone; attached; below two levels
CREATE TABLE g36 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g36_1 PARTITION OF g36 FOR VALUES FROM (0) TO (500);
CREATE UNIQUE INDEX g36_1_own ON g36_1 (b);
CREATE TABLE g37 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g37_1 PARTITION OF g37 FOR VALUES FROM (0) TO (500) PARTITION BY RANGE (b);
CREATE TABLE g37_11 PARTITION OF g37_1 FOR VALUES FROM (0) TO (500);
CREATE UNIQUE INDEX g37_unique ON g37 (a, b);
-- unique in one table of an inheritance tree
CREATE TABLE g38 (a int);
CREATE TABLE g38_child (UNIQUE (a)) INHERITS (g38);
-- another materialized view that may be refreshed concurrently
CREATE MATERIALIZED VIEW g39 AS SELECT g AS a FROM generate_series(1, 100) g;
CREATE UNIQUE INDEX g39_unique ON g39 (a);
-- statistics of an expression in an index with a condition, and a unique one
CREATE TABLE g40 (t text, a int);
INSERT INTO g40 SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX g40_length ON g40 (length(t)) WHERE a > 0;
CREATE UNIQUE INDEX g40_upper ON g40 (upper(t), a);
ANALYZE g40;
-- an exclusion that is checked later, and a constraint that was an index first
CREATE TABLE g41 (a int4range, b int4range, CONSTRAINT g41_apart EXCLUDE USING gist (a WITH &&, b WITH =) DEFERRABLE);
CREATE TABLE g42 (a int NOT NULL);
CREATE UNIQUE INDEX g42_was_index ON g42 (a);
ALTER TABLE g42 ADD CONSTRAINT g42_now_constraint PRIMARY KEY USING INDEX g42_was_index;
-- what ON CONFLICT names
CREATE TABLE g43 (a int, b int);
CREATE UNIQUE INDEX g43_conflict ON g43 (a) WHERE b = 1;
-- an index of an unlogged table that keeps it unique
CREATE UNLOGGED TABLE g44 (a int);
CREATE UNIQUE INDEX g44_a ON g44 (a);
-- the index of a partition is redundant to a part of an index that is itself
-- unused: not both at once
CREATE TABLE g45 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g45_1 PARTITION OF g45 FOR VALUES FROM (0) TO (500);
CREATE INDEX g45_b ON g45 (b);
CREATE INDEX g45_1_own ON g45_1 (b);
-- nor is it redundant if it is what is in use
CREATE TABLE g46 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g46_1 PARTITION OF g46 FOR VALUES FROM (0) TO (500);
CREATE INDEX g46_b ON g46 (b);
CREATE INDEX g46_1_own ON g46_1 (b);
BEGIN;
SET LOCAL enable_seqscan = off;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'g46_1_b_idx'::regclass;
SELECT count(*) FROM g46_1 WHERE b = 1;
ROLLBACK;
SELECT pg_stat_force_next_flush() IS NOT NULL AS flushed;
-- what rests on a part rests on the whole: replica identity, clustering,
-- constraint and foreign keys of a partition alone
CREATE TABLE g47 (a int NOT NULL) PARTITION BY RANGE (a);
CREATE TABLE g47_1 PARTITION OF g47 FOR VALUES FROM (0) TO (500);
CREATE UNIQUE INDEX g47_twin ON g47 (a);
CREATE UNIQUE INDEX g47_identity ON g47 (a);
ALTER TABLE g47_1 REPLICA IDENTITY USING INDEX g47_1_a_idx1;
CREATE TABLE g48 (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE g48_1 PARTITION OF g48 FOR VALUES FROM (0) TO (500);
CREATE INDEX g48_cluster ON g48 (b);
ALTER TABLE g48_1 CLUSTER ON g48_1_b_idx;
CREATE TABLE g49 (a int NOT NULL) PARTITION BY RANGE (a);
CREATE TABLE g49_1 PARTITION OF g49 FOR VALUES FROM (0) TO (500);
CREATE UNIQUE INDEX g49_twin ON g49 (a);
CREATE UNIQUE INDEX g49_constraint ON g49 (a);
ALTER TABLE g49_1 ADD CONSTRAINT g49_1_pkey PRIMARY KEY USING INDEX g49_1_a_idx1;
CREATE TABLE g50 (x int, y int) PARTITION BY RANGE (x);
CREATE TABLE g50_1 PARTITION OF g50 FOR VALUES FROM (0) TO (500);
ALTER TABLE g50_1 ADD FOREIGN KEY (x, y) REFERENCES parent;
CREATE INDEX g50_xy ON g50 (x, y);
CREATE INDEX g50_yx ON g50 (y, x);
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

-- all that an index holds together
CREATE VIEW resting AS
SELECT 'constraint ' || conname AS what FROM pg_constraint WHERE connamespace = 'guard'::regnamespace
UNION ALL
SELECT 'unique ' || indexrelid::regclass FROM pg_index
JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'guard'::regnamespace AND indisunique AND indisvalid
UNION ALL
SELECT 'identity ' || indexrelid::regclass FROM pg_index WHERE indisreplident
UNION ALL
SELECT 'cluster ' || indexrelid::regclass FROM pg_index WHERE indisclustered
UNION ALL
SELECT 'found ' || conname FROM pg_constraint k WHERE connamespace = 'guard'::regnamespace AND contype = 'f'
	AND NOT EXISTS (SELECT FROM glperf.foreign_keys_without_index f WHERE f.schema_name = 'guard' AND f.constraint_name LIKE '%' || conname || '%')
UNION ALL
SELECT 'statistics ' || starelid::regclass || ' ' || staattnum FROM pg_statistic
JOIN pg_class c ON c.oid = starelid WHERE relnamespace = 'guard'::regnamespace AND relkind = 'i';
CREATE TABLE rests AS SELECT * FROM resting;
-- by the page and by the advice: the same ones
CREATE TABLE offered AS
SELECT index_name, verdict, drop_ddl FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NOT NULL;
SELECT index_name, verdict FROM offered ORDER BY index_name COLLATE "C";
SELECT o.index_name AS not_advised, a.index_name AS not_on_the_page FROM offered o
FULL JOIN (SELECT * FROM glperf.advise_indexes() WHERE action = 'drop' AND schema_name = 'guard') a
	ON a.index_name = o.index_name AND a.ddl = o.drop_ddl
WHERE o.index_name IS NULL OR a.index_name IS NULL;
-- why the others stay (foreign keys look up parent, which may have been counted
-- by now or not)
SELECT index_name, verdict, regexp_replace(reason, '\m\d+ s\M', 'N s') AS reason FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NULL AND verdict <> 'used'
	AND table_name <> 'parent'
ORDER BY index_name COLLATE "C";
SELECT count(DISTINCT table_name) >= 40 AS enough_tables, count(*) >= 60 AS enough_indexes FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NULL AND verdict = 'keep';
-- scans from before a redundant index went say nothing of the others
BEGIN;
UPDATE glperf.threshold SET warning = 1e-9 WHERE id = 'index_evidence';
INSERT INTO glperf.recommendation (name, action, schema_name, table_name, index_name, ddl, reasons, applied_at)
SELECT k || t, 'drop', 'guard', t, k || t, '', ARRAY[k], now() + interval '1 minute'
FROM (VALUES ('duplicate', 'g99'), ('duplicate', 'g97_1'), ('unused', 'g98')) v(k, t);
SELECT index_name, verdict, evidence_s FROM glperf.index_usage
WHERE schema_name = 'guard' AND index_name IN ('g97_b', 'g97_1_own', 'g98_a', 'g99_plain')
	AND verdict <> 'unused' ORDER BY 1;
-- nor do those while a role's are not counted
ALTER ROLE CURRENT_ROLE SET track_counts = off;
SELECT count(*), min(verdict), min(reason) FROM glperf.index_usage
WHERE schema_name = 'guard' AND index_name IN ('g97_b', 'g97_1_own', 'g98_a', 'g99_plain');
ROLLBACK;
-- nothing is old enough when a year of evidence is asked for
UPDATE glperf.threshold SET warning = 366 WHERE id = 'index_evidence';
SELECT index_name, verdict FROM glperf.index_usage
WHERE schema_name = 'guard' AND drop_ddl IS NOT NULL ORDER BY index_name COLLATE "C";
-- all that is offered executes
SELECT drop_ddl FROM offered ORDER BY index_name COLLATE "C" \gexec
SELECT count(*) AS left_over FROM offered
JOIN pg_class c ON c.relname = index_name AND c.relnamespace = 'guard'::regnamespace;
-- and nothing that holds the data together has gone, but what another one does
SELECT what AS lost FROM rests
EXCEPT SELECT what FROM resting ORDER BY 1;
INSERT INTO g43 VALUES (1, 1) ON CONFLICT (a) WHERE b = 1 DO NOTHING;
DELETE FROM parent WHERE a = 7;
INSERT INTO g06 VALUES (1, NULL, 'x');
INSERT INTO g06 VALUES (2, NULL, 'y');
REFRESH MATERIALIZED VIEW CONCURRENTLY g18;

ALTER EXTENSION pg_stat_statements DROP TABLE g19;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
RESET search_path;
DROP SCHEMA guard CASCADE;

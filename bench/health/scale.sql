-- scale.sql: a catalog of 5,000 tables with five indexes each, and as many
-- statements.  Among the indexes of each table one is a prefix of another, one
-- is partial, one has an expression; every tenth table has a foreign key, and
-- every hundredth of those no index for it.
SET client_min_messages = warning;
CREATE SCHEMA scale;
SELECT format('CREATE TABLE scale.t%s (id int PRIMARY KEY, a int, b int, c text, d text, ref int%s)',
	g, CASE WHEN g % 10 = 0 THEN ' REFERENCES scale.t1' END)
FROM generate_series(1, :tables) g \gexec
SELECT format(i, g, g) FROM generate_series(1, :tables) g,
	(VALUES ('CREATE INDEX t%s_a ON scale.t%s (a)'),
		('CREATE INDEX t%s_ab ON scale.t%s (a, b)'),
		('CREATE INDEX t%s_c ON scale.t%s (c, ref) WHERE c IS NOT NULL'),
		('CREATE INDEX t%s_d ON scale.t%s (lower(d))')) v (i) \gexec
-- every hundredth table large enough to be looked at
SELECT format('INSERT INTO scale.t%s SELECT x, x, x %% 100, x, x, x %% 10 FROM generate_series(1, 3000) x', g)
FROM generate_series(1, :tables) g WHERE g % 100 = 1 ORDER BY g \gexec
-- three B-trees with bloat to find
CREATE TABLE scale.bloated (a int, b int, c int);
INSERT INTO scale.bloated SELECT g, g, g FROM generate_series(1, 300000) g;
CREATE INDEX bloated_a ON scale.bloated (a) WITH (fillfactor = 20);
CREATE INDEX bloated_b ON scale.bloated (b) WITH (fillfactor = 20);
CREATE INDEX bloated_c ON scale.bloated (c) WITH (fillfactor = 20);
ALTER INDEX scale.bloated_a RESET (fillfactor);
ALTER INDEX scale.bloated_b RESET (fillfactor);
ALTER INDEX scale.bloated_c RESET (fillfactor);
ANALYZE;
SELECT pg_stat_statements_reset();
SELECT format('SELECT b FROM scale.t%s WHERE a = 1', g)
FROM generate_series(1, :tables) g \gexec

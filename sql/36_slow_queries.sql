-- Slow statements by the guide's rule, each with the reasons that its counters
-- give; bounds that are true whatever the distribution.
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;

-- slow: 150 ms on average
SELECT 'slow' AS what FROM pg_sleep(0.15);
SELECT 'slow' AS what FROM pg_sleep(0.15);
-- slow once in ten calls: unstable, not slow on average
SET pg_stat_statements.track = 'all';
DO $$
BEGIN
	FOR i IN 1..9 LOOP
		EXECUTE 'SELECT 1 AS unstable FROM pg_sleep($1)' USING 0.0;
	END LOOP;
	EXECUTE 'SELECT 1 AS unstable FROM pg_sleep($1)' USING 0.2;
END $$;
RESET pg_stat_statements.track;
-- spills
SET work_mem = '64kB';
SELECT count(*) AS spilled
FROM (SELECT g FROM generate_series(1, 20000) g ORDER BY -g OFFSET 0) s;
RESET work_mem;
-- many rows
SELECT count(*) AS fetched
FROM (SELECT 1 FROM generate_series(1, 5)) s;
CREATE TEMP TABLE many AS SELECT g AS many FROM generate_series(1, 20000) g;
-- many blocks for one row
CREATE TABLE wide (id int, filler text);
ALTER TABLE wide ALTER filler SET STORAGE PLAIN;
INSERT INTO wide SELECT g, repeat('x', 7000) FROM generate_series(1, 1200) g;
SELECT id AS found FROM wide WHERE id = 7;
DROP TABLE wide;

SELECT database = current_database() AS here, role = current_user AS mine,
	toplevel, query, calls, status, mean_time_ms >= 150 AS mean,
	share_pct BETWEEN 0 AND 100 AS share,
	(p50_ms IS NOT NULL) = (SELECT preloaded FROM glperf.collector_status())
		AND (p50_ms >= 100) IS NOT false AS measured, reasons
FROM glperf.slow_queries
WHERE query LIKE '%what FROM pg_sleep%';
SELECT toplevel, calls, status, reasons LIKE 'unstable: %' AS unstable
FROM glperf.statements WHERE query LIKE 'SELECT%unstable FROM pg_sleep%';
SELECT reasons ~ '^spills \d+ kB per call to temporary files' AS spills,
	temp_bytes > 0 AS temp_bytes
FROM glperf.statements WHERE query LIKE '%AS spilled%';
SELECT reasons LIKE '%handles 20000 rows per call%' AS many
FROM glperf.statements WHERE query LIKE 'CREATE TEMP TABLE many%';
SELECT reasons LIKE '%touches 12__ blocks for 1.0 rows per call%' AS blocks
FROM glperf.statements WHERE query LIKE '%AS found FROM wide%';
SELECT reasons IS NULL AS nothing_to_say
FROM glperf.statements WHERE query LIKE '%AS fetched%';

-- the guide's limit is the table's
SELECT count(*) AS slow FROM glperf.slow_queries
WHERE query LIKE '%what FROM pg_sleep%';
UPDATE glperf.threshold SET warning = 5000, critical = 6000
WHERE id = 'slow_query_mean';
SELECT count(*) AS slow FROM glperf.slow_queries;
SELECT object, check_id, status, warning, critical,
	message ~ '^no statement is slow; the slowest of \d+ takes [0-9.]+ ms'
		AS message, remedy, guide_section
FROM glperf.health_statements;
UPDATE glperf.threshold SET warning = 1, critical = 140
WHERE id = 'slow_query_mean';
SELECT status FROM glperf.slow_queries WHERE query LIKE '%what FROM pg_sleep%';
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;

-- Cantelli's bound holds, and never exceeds the longest execution
SELECT bool_and(p95_at_most_ms <= max_time_ms) AS at_most_max,
	bool_and(p95_at_most_ms <= p99_at_most_ms) AS ordered,
	bool_and(p95_at_most_ms >= mean_time_ms - 1e-6) AS above_mean
FROM glperf.statements;

-- a health row says what, how much and where to look
SELECT object ~ ('^query -?\d+ in ' || current_database()) AS object, check_id,
	value > warning AS above, unit, status,
	message ~ '^takes [0-9.]+ ms on average, 2 calls, [0-9.]+ % of all statement time: SELECT \$1 AS what FROM pg_sleep\(\$2\)' AS message,
	remedy, guide_section
FROM glperf.health_statements WHERE message LIKE '%what FROM pg_sleep%';

-- five rows and a count, however many are slow
UPDATE glperf.threshold SET warning = 0 WHERE id = 'slow_query_mean';
SELECT count(*) FILTER (WHERE object LIKE 'query %') AS named,
	max(message) FILTER (WHERE object = 'more slow statements')
		~ '^\d+ more statements are slow' AS more,
	count(*) FILTER (WHERE object NOT LIKE 'query %') AS others
FROM glperf.health_statements;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;

-- maintenance is not slow, an application's command is, and both are told
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
UPDATE glperf.threshold SET warning = 0, critical = 0
WHERE id = 'slow_query_mean';
CREATE TABLE kinds AS SELECT g FROM generate_series(1, 100) g;
CREATE INDEX ON kinds (g);
VACUUM kinds;
/* nightly */ ANALYZE kinds;
COPY kinds TO PROGRAM 'cat > /dev/null';
BEGIN; LOCK TABLE kinds; COMMIT;
-- a comment before it /* and another in it
(SELECT count(*) FROM kinds);
DO $$ BEGIN PERFORM 1; END $$;
-- what is asked of glperf itself; not what only looks like it
WITH kinds AS (SELECT id FROM glperf.threshold) SELECT count(*) > 0 FROM kinds;
SELECT count(my_glperf.g) FROM kinds my_glperf;
SELECT s.kind, s.status, s.reasons, count(*) AS statements,
	string_agg(upper(left(regexp_replace(s.query, '^\(|/\*.*?\*/\s*', ''), 6)), ' '
			   ORDER BY upper(left(regexp_replace(s.query, '^\(|/\*.*?\*/\s*', ''), 6)) COLLATE "C") AS what
FROM glperf.statements s
WHERE s.query ~ 'kinds|DO|COMMIT' AND s.database = current_database()
GROUP BY s.kind, s.status, s.reasons
ORDER BY s.kind COLLATE "C";
SELECT kind FROM glperf.slow_queries GROUP BY kind ORDER BY kind COLLATE "C";
SELECT count(remedy) AS remedies, count(*) > 0 AS rows
FROM glperf.health_statements WHERE message ~ 'COPY|LOCK|VACUUM';
DROP TABLE kinds;
UPDATE glperf.threshold t SET warning = d.warning, critical = d.critical
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
-- the bounds of percentiles, of 40 calls one of which took long
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
\o /dev/null
SELECT format('SELECT pg_sleep(%s)', CASE g WHEN 7 THEN 0.05 ELSE 0.00 END)
FROM generate_series(1, 40) g
\set ECHO none
\gexec
\set ECHO all
\o
SELECT calls, p95_at_most_ms < max_time_ms AS below,
	abs(p95_at_most_ms - mean_time_ms - 4.358898943540674 * stddev_time_ms) < 1e-6 AS p95,
	p99_at_most_ms = least(max_time_ms, mean_time_ms + 9.9498743710662 * stddev_time_ms) AS p99
FROM glperf.statements WHERE query LIKE 'SELECT pg_sleep%';
-- what runs inside a function is part of what called it
CREATE FUNCTION outer_one() RETURNS int8 LANGUAGE plpgsql AS
'BEGIN PERFORM count(*) AS inner_one FROM pg_class, pg_sleep(0.01); RETURN 1; END';
SET pg_stat_statements.track = 'all';
SELECT outer_one() > 0 AS ran;
RESET pg_stat_statements.track;
SELECT toplevel, count(*) > 0 AS known, round(sum(share_pct)) = 100 AS whole
FROM glperf.statements WHERE database = current_database() OR toplevel
GROUP BY toplevel ORDER BY toplevel;
SELECT count(*) FILTER (WHERE NOT toplevel) AS inside, (
	SELECT count(*) FROM glperf.statement_rankings WHERE query LIKE 'SELECT count(*) AS inner_one%') AS ranked
FROM glperf.statements WHERE query LIKE 'SELECT count(*) AS inner_one%';
DROP FUNCTION outer_one();
-- rankings: in order, and shares of the whole
SELECT ranking, unit, min(rank) AS first,
	bool_and(share_pct BETWEEN 0 AND 100) AS share,
	count(*) = max(rank) AS no_gaps
FROM glperf.statement_rankings WHERE ranking <> 'I/O time'
GROUP BY ranking, unit ORDER BY ranking COLLATE "C";
SELECT ranking FROM glperf.statement_rankings r
JOIN glperf.statement_rankings n USING (ranking)
WHERE n.rank = r.rank + 1 AND n.value > r.value;

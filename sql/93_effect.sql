-- What verification makes of a statement's counters.  Failures proved: chance
-- passes for an effect, or an effect for chance; what slowed everything down
-- is blamed on an index; lost counters are compared.
CREATE SCHEMA effect;
SET search_path = effect, public;
CREATE TABLE base AS SELECT g AS v FROM generate_series(1, 1000) g;
CREATE TABLE other AS SELECT g AS v FROM generate_series(1, 1000) g;
UPDATE glperf.threshold SET warning = 4 WHERE id = 'verify_calls';

-- Each statement runs eight times.  Half of that stands for the time since,
-- and what it took before is made up: factor times as long, with this standard
-- deviation (in mean times since) and that many times the blocks.  Four calls
-- each make t = 2 * (1 - factor * drift) / (deviation * drift).
CREATE TABLE made (n int PRIMARY KEY, tab text, factor float8,
				   deviation float8, blocks float8, remark text);
INSERT INTO made VALUES
	(1, 'base', 2, 0.5, 1, 'half the time, far from chance'),
	(2, 'base', 2, 0.9, 1, 'half the time, may be chance'),
	(3, 'base', 2, 0.9, 2, '... but it reads half the blocks'),
	(4, 'base', 2, 4, 2, '... far too uncertain for that'),
	(5, 'base', 0.5, 0.25, 1, 'twice the time, far from chance'),
	(6, 'base', 0.5, 0.5, 1, 'twice the time, may be chance'),
	(7, 'base', 0.5, 0.5, 0.5, '... but it reads twice the blocks'),
	(8, 'base', 0.5, 2, 0.5, '... far too uncertain for that'),
	(9, 'base', 1.09, 0.001, 2, 'certain, and too little'),
	(10, 'base', 0.82, 0.001, 0.5, 'certain, and a loss too small to matter'),
	(11, 'base', 2, 0, 1, 'no deviation, faster'),
	(12, 'base', 0.5, 0, 1, 'no deviation, slower'),
	(13, 'base', 1, 1, 1, 'three calls before'),
	(14, 'base', 1, 1, 1, 'three calls since'),
	(15, 'base', 1, 1, 1, 'new'),
	(16, 'base', 1, 1, 1, 'evicted when the index was there'),
	(17, 'base', 1, 1, 1, 'fewer calls than before'),
	(31, 'other', 0.5, 0.1, 1, NULL),
	(32, 'other', 0.5, 0.1, 1, NULL),
	(33, 'other', 0.5, 0.1, 1, NULL);
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
\set ECHO none
\o /dev/null
SELECT format('SELECT count(*)%s FROM effect.%s', repeat(', 1', n), tab)
FROM made, generate_series(1, 8) \gexec
\o
\set ECHO all
CREATE TABLE known AS
SELECT m.*, s.queryid FROM made m
JOIN pg_stat_statements s
	ON s.query LIKE 'SELECT count(*)%FROM effect.' || m.tab
	AND m.n = (length(s.query) - length(replace(s.query, ', $', ''))) / 3;
SELECT count(*) = (SELECT count(*) FROM made) AS all_known FROM known;

SELECT glperf.record_recommendation(glperf.recommendation_begin(),
	'statistics', 'create', 'effect', 'base', 'glp_effect', 'x', 'y',
	'{4711}', 1, 1, 1, 1, 'high', '{}') IS NOT NULL AS recorded;
CREATE INDEX glp_effect ON base (v);
SELECT glperf.recommendation_applied(glperf.recommendation_begin(),
									 '{create effect.glp_effect}');
WITH s AS (
	SELECT k.*, a.total_time_ms AS ms, a.blocks AS blks, r.before_snapshot,
		r.after_snapshot
	FROM known k CROSS JOIN glperf.recommendation r
	JOIN glperf.recommendation_counter a
		ON a.snapshot = r.after_snapshot AND a.queryid = k.queryid
	WHERE r.index_name = 'glp_effect'
), before AS (
	UPDATE glperf.recommendation_counter c
	SET calls = CASE s.n WHEN 13 THEN 3 WHEN 17 THEN 5 ELSE 4 END,
		total_time_ms = s.factor * s.ms / 8
			* CASE s.n WHEN 13 THEN 3 WHEN 17 THEN 5 ELSE 4 END,
		spread = (s.deviation * s.ms / 8) ^ 2 * 4,
		blocks = s.blocks * s.blks / 2
	FROM s WHERE c.snapshot = s.before_snapshot AND c.queryid = s.queryid
)
-- with a spread beyond all that was measured, none is left for the time since
UPDATE glperf.recommendation_counter c
SET calls = CASE s.n WHEN 14 THEN 5 ELSE 4 END,
	total_time_ms = s.ms / 2, spread = 1e12, blocks = s.blks / 2
FROM s WHERE c.snapshot = s.after_snapshot AND c.queryid = s.queryid;
DELETE FROM glperf.recommendation_counter c
USING known k, glperf.recommendation r
WHERE c.queryid = k.queryid AND r.index_name = 'glp_effect'
	AND (k.n = 15 AND c.snapshot IN (r.before_snapshot, r.after_snapshot)
		 OR k.n = 16 AND c.snapshot = r.after_snapshot);
-- one that pg_stat_statements has forgotten since
INSERT INTO glperf.recommendation_counter
SELECT s, 'pg_monitor'::regrole, 4711, true, 10, 10, 0, 10
FROM glperf.recommendation r,
	unnest(ARRAY[r.before_snapshot, r.after_snapshot]) s
WHERE r.index_name = 'glp_effect';
CREATE VIEW effects AS
SELECT k.n, k.remark, e.link, e.verdict, e.message, e.drift_ratio
FROM glperf.recommendation_effect('glp_effect') e
LEFT JOIN known k USING (queryid) WHERE k.n IS NOT NULL OR e.queryid = 4711;

-- three others take twice as long as before
SELECT n, verdict, round(drift_ratio::numeric, 3) AS drift FROM effects
WHERE n IN (1, 5, 7) ORDER BY n;
-- two are too few to say
UPDATE glperf.recommendation_counter c SET calls = 3, total_time_ms = total_time_ms * 0.75
FROM known k, glperf.recommendation r
WHERE k.n = 33 AND c.queryid = k.queryid AND c.snapshot = r.before_snapshot;
SELECT * FROM effects ORDER BY n;
-- nobody believes that all got a hundred times slower or faster
UPDATE glperf.recommendation_counter c
SET calls = 4, total_time_ms = c.total_time_ms / 50
FROM known k, glperf.recommendation r
WHERE k.tab = 'other' AND c.queryid = k.queryid AND c.snapshot = r.before_snapshot;
SELECT DISTINCT drift_ratio FROM effects WHERE n < 13;
UPDATE glperf.recommendation_counter c
SET total_time_ms = c.total_time_ms * 10000
FROM known k, glperf.recommendation r
WHERE k.tab = 'other' AND c.queryid = k.queryid AND c.snapshot = r.before_snapshot;
SELECT DISTINCT drift_ratio FROM effects WHERE n < 13;

UPDATE glperf.threshold t SET warning = d.warning
FROM glperf.threshold_defaults() d WHERE d.id = t.id AND t.edited;
DELETE FROM glperf.recommendation;
DELETE FROM glperf.recommendation_snapshot;
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA effect CASCADE;

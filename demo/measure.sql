-- Before and after: copies of pg_stat_statements' counters, never a reset, so
-- that nobody else who reads them is disturbed.
CREATE SCHEMA demo;

CREATE TABLE demo.counters (
	taken text,
	queryid bigint,
	query text,
	calls bigint,
	total_exec_time float8
);

CREATE FUNCTION demo.take(taken text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO demo.counters
	SELECT take.taken, s.queryid, min(s.query), sum(s.calls), sum(s.total_exec_time)
	FROM pg_stat_statements s
	JOIN pg_database d ON d.oid = s.dbid
	WHERE d.datname = current_database()
	GROUP BY s.queryid;
END;

-- One row per statement and period of traffic.
CREATE VIEW demo.period AS
SELECT a.queryid, split_part(a.taken, ' ', 1) AS period, a.query,
	a.calls - coalesce(b.calls, 0) AS calls,
	a.total_exec_time - coalesce(b.total_exec_time, 0) AS total_ms
FROM demo.counters a
LEFT JOIN demo.counters b ON b.queryid = a.queryid
	AND b.taken = split_part(a.taken, ' ', 1) || ' before'
WHERE a.taken LIKE '% after'
	AND a.calls > coalesce(b.calls, 0);

/*
 * 50_pool: who holds the connections, whether application pools keep to what
 * they declared, how full the server is, and who waits for whom.
 *
 * PostgreSQL sees a pool's open connections and their ages; it can't see the
 * clients that wait for one.  Everything here is read from pg_stat_activity,
 * whose own rule decides who may see the text of statements.
 */

CREATE FUNCTION worse_status(a text, b text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
			WHEN 'critical' IN (a, b) THEN 'critical'
			WHEN 'warning' IN (a, b) THEN 'warning'
			WHEN 'unknown' IN (a, b) THEN 'unknown'
			ELSE coalesce(a, b)
		END
$$;
COMMENT ON FUNCTION worse_status(text, text) IS
'The worse of two statuses: critical, warning, unknown, ok; NULL only when both are.';

CREATE FUNCTION pool_default(setting text) RETURNS int8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE $1
			WHEN 'pool_size' THEN 50
			WHEN 'max_overflow' THEN 20
			WHEN 'pool_timeout_s' THEN 10
			WHEN 'pool_recycle_s' THEN 1800
		END::int8
$$;
COMMENT ON FUNCTION pool_default(text) IS
'The tuning guide''s value of a pool setting (pool_size, max_overflow, pool_timeout_s, pool_recycle_s), which an undeclared application is judged by (guide: Connection Pool Tuning). NULL: no such setting.';

CREATE TABLE pool (
	application_name text PRIMARY KEY
		CONSTRAINT "application_name must not exceed 63 bytes, PostgreSQL cuts it"
		CHECK (octet_length(application_name) <= 63)
		CONSTRAINT "application_name must not end with a single backslash"
		CHECK (application_name !~ '(^|[^\\])(\\\\)*\\$'),
	instances int8 NOT NULL DEFAULT 1
		CONSTRAINT "instances must be 1 to 1000000"
		CHECK (instances BETWEEN 1 AND 1000000),
	pool_size int8 NOT NULL DEFAULT glperf.pool_default('pool_size')
		CONSTRAINT "pool_size must be 1 to 1000000"
		CHECK (pool_size BETWEEN 1 AND 1000000),
	max_overflow int8 NOT NULL DEFAULT glperf.pool_default('max_overflow')
		CONSTRAINT "max_overflow must be 0 to 1000000"
		CHECK (max_overflow BETWEEN 0 AND 1000000),
	pool_timeout_s float8 NOT NULL
		DEFAULT glperf.pool_default('pool_timeout_s')
		CONSTRAINT "pool_timeout_s must be more than 0, at most 1e9 seconds"
		CHECK (pool_timeout_s > 0 AND pool_timeout_s <= 1e9),
	pool_recycle_s float8 DEFAULT glperf.pool_default('pool_recycle_s')
		CONSTRAINT "pool_recycle_s must be more than 0, at most 1e9, or NULL: never"
		CHECK (pool_recycle_s > 0 AND pool_recycle_s <= 1e9),
	note text
);
SELECT pg_catalog.pg_extension_config_dump('glperf.pool', '');

COMMENT ON TABLE pool IS
'Connection pools as their applications declare them, one row per pool; insert yours. Rows survive dump and restore. Names and meanings are those of SQLAlchemy''s QueuePool (guide: Connection Pool Tuning).';
COMMENT ON COLUMN pool.application_name IS
'LIKE pattern that the application_name of the pool''s connections matches; the longest matching pattern wins, an exact name before all.';
COMMENT ON COLUMN pool.instances IS
'Processes (pods, workers) that each have such a pool.';
COMMENT ON COLUMN pool.pool_size IS 'Connections that one instance keeps.';
COMMENT ON COLUMN pool.max_overflow IS
'Connections beyond pool_size that one instance opens on demand.';
COMMENT ON COLUMN pool.pool_timeout_s IS
'Seconds that a client waits for a connection before it gets an error.';
COMMENT ON COLUMN pool.pool_recycle_s IS
'Age in seconds at which a connection is replaced when it is next taken from the pool; NULL: never.';
COMMENT ON COLUMN pool.note IS 'Anything worth remembering.';

-- -------------------------------------------------------------- raw material

CREATE VIEW pool_connections AS
SELECT
	pg_catalog.now() AS time,
	a.pid::int8 AS pid,
	coalesce(a.application_name, '') AS application_name,
	a.datname::text AS database,
	a.usename::text AS role,
	coalesce(a.client_hostname, pg_catalog.host(a.client_addr), 'local')
		AS host,
	coalesce(a.state, 'starting') AS state,
	coalesce(p.application_name, a.application_name, '') AS pool,
	p.application_name IS NOT NULL AS declared,
	extract(epoch FROM s.at - a.backend_start)::float8 AS backend_age_s,
	extract(epoch FROM s.at - a.xact_start)::float8 AS transaction_age_s,
	extract(epoch FROM s.at - a.state_change)::float8 AS state_age_s,
	extract(epoch FROM coalesce(a.xact_start, a.query_start)
		- a.backend_start)::float8 AS age_at_last_use_s
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS at) AS s
LEFT JOIN LATERAL (
	SELECT d.application_name
	FROM glperf.pool AS d
	WHERE coalesce(a.application_name, '') LIKE d.application_name
	ORDER BY a.application_name = d.application_name DESC,
		pg_catalog.length(d.application_name) DESC, d.application_name
	LIMIT 1
) AS p ON true
WHERE a.backend_type = 'client backend';

COMMENT ON VIEW pool_connections IS
'One row per client connection, with the declared pool that it belongs to and its ages (guide: Connection Pool Tuning). Source: pg_stat_activity.';
COMMENT ON COLUMN pool_connections.time IS 'Time of this reading.';
COMMENT ON COLUMN pool_connections.pid IS 'Process id of the backend.';
COMMENT ON COLUMN pool_connections.application_name IS
'What the client calls itself; empty: nothing.';
COMMENT ON COLUMN pool_connections.database IS 'Database; NULL: not known yet.';
COMMENT ON COLUMN pool_connections.role IS 'Login role; NULL: not known yet.';
COMMENT ON COLUMN pool_connections.host IS
'Client''s host name or address; local: over a socket.';
COMMENT ON COLUMN pool_connections.state IS
'State of pg_stat_activity; starting: not logged in yet; disabled: track_activities is off.';
COMMENT ON COLUMN pool_connections.pool IS
'Pattern of the declared pool, else the application_name.';
COMMENT ON COLUMN pool_connections.declared IS
'Whether a row of glperf.pool matches.';
COMMENT ON COLUMN pool_connections.backend_age_s IS
'Seconds since the connection was opened.';
COMMENT ON COLUMN pool_connections.transaction_age_s IS
'Seconds since the open transaction began; NULL: none is open.';
COMMENT ON COLUMN pool_connections.state_age_s IS
'Seconds in the present state; NULL: not known.';
COMMENT ON COLUMN pool_connections.age_at_last_use_s IS
'How old, in seconds, the connection was when its last transaction or statement began; NULL: never used.';

CREATE VIEW pool_state AS
SELECT
	pg_catalog.now() AS time,
	c.application_name,
	c.database,
	c.state,
	count(*) AS connections,
	count(DISTINCT c.host) AS hosts,
	max(c.transaction_age_s) AS oldest_transaction_s,
	max(c.state_age_s) AS oldest_state_s,
	max(c.backend_age_s) AS oldest_backend_s,
	pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY c.backend_age_s)
		AS median_backend_s,
	(pg_catalog.array_agg(c.pid ORDER BY c.state_age_s DESC NULLS LAST,
		c.pid))[1] AS oldest_state_pid,
	min(c.pool) AS pool,
	pg_catalog.bool_and(c.declared) AS declared
FROM glperf.pool_connections AS c
GROUP BY c.application_name, c.database, c.state;

COMMENT ON VIEW pool_state IS
'Client connections by application, database and state, with their ages: the guide''s own query, for every database (guide: Connection Pool Tuning).';
COMMENT ON COLUMN pool_state.time IS 'Time of this reading.';
COMMENT ON COLUMN pool_state.application_name IS
'What the client calls itself; empty: nothing.';
COMMENT ON COLUMN pool_state.database IS 'Database; NULL: not known yet.';
COMMENT ON COLUMN pool_state.state IS
'active, idle, idle in transaction, idle in transaction (aborted), fastpath function call, starting, or disabled.';
COMMENT ON COLUMN pool_state.connections IS 'Connections in that state.';
COMMENT ON COLUMN pool_state.hosts IS 'Distinct client hosts among them.';
COMMENT ON COLUMN pool_state.oldest_transaction_s IS
'Age of the oldest open transaction, in seconds; NULL: none is open.';
COMMENT ON COLUMN pool_state.oldest_state_s IS
'Longest time that one of them has been in this state, in seconds.';
COMMENT ON COLUMN pool_state.oldest_backend_s IS
'Age of the oldest connection, in seconds.';
COMMENT ON COLUMN pool_state.median_backend_s IS
'Median age of the connections, in seconds.';
COMMENT ON COLUMN pool_state.oldest_state_pid IS
'Process id of the one that has been longest in this state.';
COMMENT ON COLUMN pool_state.pool IS
'Pattern of the declared pool, else the application_name.';
COMMENT ON COLUMN pool_state.declared IS 'Whether a row of glperf.pool matches.';

-- -------------------------------------------------------------- conformance

CREATE VIEW pool_summary AS
WITH member AS MATERIALIZED (
	SELECT * FROM glperf.pool_connections
), limits AS (
	SELECT p.application_name AS pool, true AS declared,
		p.instances, p.pool_size, p.max_overflow,
		p.pool_timeout_s, p.pool_recycle_s
	FROM glperf.pool AS p
	UNION ALL
	-- nobody said how many instances there are: as many as hosts
	SELECT m.pool, false, count(DISTINCT m.host),
		glperf.pool_default('pool_size'), glperf.pool_default('max_overflow'),
		glperf.pool_default('pool_timeout_s')::float8,
		glperf.pool_default('pool_recycle_s')::float8
	FROM member AS m
	WHERE NOT m.declared
	GROUP BY m.pool
), counted AS (
	SELECT
		l.pool, l.declared, l.instances,
		l.pool_size * l.instances AS size_limit,
		(l.pool_size + l.max_overflow) * l.instances AS hard_limit,
		l.max_overflow * l.instances AS overflow_limit,
		l.pool_timeout_s, l.pool_recycle_s,
		count(m.pid) AS open,
		count(*) FILTER (WHERE m.state <> 'idle') AS in_use,
		count(*) FILTER (WHERE m.state = 'idle') AS idle,
		count(*) FILTER (WHERE m.state LIKE 'idle in transaction%')
			AS idle_in_transaction,
		max(m.state_age_s) FILTER (WHERE m.state LIKE 'idle in transaction%')
			AS oldest_idle_in_transaction_s,
		max(m.transaction_age_s) AS oldest_transaction_s,
		max(m.backend_age_s) AS oldest_backend_s,
		count(*) FILTER (WHERE m.backend_age_s > l.pool_recycle_s)
			AS older_than_recycle,
		-- Age is compared when a connection is taken; what is seen is its
		-- last transaction, so grant as long a hold as others would wait.
		count(*) FILTER (WHERE m.age_at_last_use_s
			> l.pool_recycle_s + l.pool_timeout_s) AS used_past_recycle,
		max(m.age_at_last_use_s) AS oldest_use_s,
		count(*) FILTER (WHERE m.backend_age_s < l.pool_timeout_s)
			AS opened_lately,
		count(DISTINCT m.host) AS hosts,
		pg_catalog.array_agg(DISTINCT m.database)
			FILTER (WHERE m.database IS NOT NULL) AS databases
	FROM limits AS l
	LEFT JOIN member AS m ON m.pool = l.pool AND m.declared = l.declared
	GROUP BY l.pool, l.declared, l.instances, l.pool_size, l.max_overflow,
		l.pool_timeout_s, l.pool_recycle_s
), grown AS MATERIALIZED (
	-- long enough for each declared pool to have replaced its connections
	SELECT g.object AS database, max(g.window_s) AS window_s,
		max(g.growth) FILTER (WHERE g.counter = 'sessions') AS sessions,
		max(g.growth) FILTER (WHERE g.counter = 'session_time_ms')
			AS session_ms
	FROM glperf.counter_growth('{database}', (
		SELECT coalesce(max(p.pool_recycle_s),
						glperf.pool_default('pool_recycle_s')::float8)
		FROM glperf.pool AS p)) AS g
	GROUP BY g.object
)
SELECT
	c.pool, c.declared, c.instances, c.size_limit, c.hard_limit,
	c.overflow_limit, c.pool_timeout_s, c.pool_recycle_s,
	c.open, c.in_use, c.idle, c.idle_in_transaction,
	c.oldest_idle_in_transaction_s, c.oldest_transaction_s,
	c.oldest_backend_s, c.older_than_recycle, c.used_past_recycle,
	c.oldest_use_s, c.opened_lately, c.hosts,
	pg_catalog.array_to_string(c.databases, ', ') AS databases,
	greatest(c.open - c.size_limit, 0) AS overflow_in_use,
	s.mean_session_s, s.sessions, s.window_s
FROM counted AS c
LEFT JOIN LATERAL (
	SELECT sum(g.session_ms) / 1000 / nullif(sum(g.sessions), 0)
			AS mean_session_s,
		sum(g.sessions)::int8 AS sessions,
		min(g.window_s) AS window_s
	FROM grown AS g
	WHERE g.database = ANY (c.databases)
) AS s ON true;

COMMENT ON VIEW pool_summary IS
'Numbers behind pool_conformance: one row per declared pool, with or without connections, and per undeclared application_name, which the guide''s defaults and as many instances as client hosts stand in for.';
COMMENT ON COLUMN pool_summary.pool IS
'Pattern of the declared pool, else the application_name.';
COMMENT ON COLUMN pool_summary.declared IS 'Whether a row of glperf.pool matches.';
COMMENT ON COLUMN pool_summary.instances IS
'Declared instances; undeclared: client hosts seen.';
COMMENT ON COLUMN pool_summary.size_limit IS 'pool_size times instances.';
COMMENT ON COLUMN pool_summary.hard_limit IS
'pool_size plus max_overflow, times instances.';
COMMENT ON COLUMN pool_summary.overflow_limit IS 'max_overflow times instances.';
COMMENT ON COLUMN pool_summary.pool_timeout_s IS
'Seconds that a client waits for a connection.';
COMMENT ON COLUMN pool_summary.pool_recycle_s IS
'Age at which a connection is replaced when next taken, in seconds; NULL: never.';
COMMENT ON COLUMN pool_summary.open IS 'Open connections.';
COMMENT ON COLUMN pool_summary.in_use IS
'Connections not idle: running or inside a transaction.';
COMMENT ON COLUMN pool_summary.idle IS 'Idle connections.';
COMMENT ON COLUMN pool_summary.idle_in_transaction IS
'Connections idle in a transaction, aborted ones included.';
COMMENT ON COLUMN pool_summary.oldest_idle_in_transaction_s IS
'Longest time that one has been idle in a transaction, in seconds; NULL: none is.';
COMMENT ON COLUMN pool_summary.oldest_transaction_s IS
'Age of the oldest open transaction, in seconds; NULL: none is open.';
COMMENT ON COLUMN pool_summary.oldest_backend_s IS
'Age of the oldest connection, in seconds; NULL: none is open.';
COMMENT ON COLUMN pool_summary.older_than_recycle IS
'Connections older than pool_recycle_s. Idle ones among them are no fault: a pool replaces them when they are next taken.';
COMMENT ON COLUMN pool_summary.used_past_recycle IS
'Connections used more than pool_timeout_s after they had passed pool_recycle_s: the pool should have replaced them.';
COMMENT ON COLUMN pool_summary.oldest_use_s IS
'Greatest age in seconds that a connection had when it was last used; NULL: none was used.';
COMMENT ON COLUMN pool_summary.opened_lately IS
'Open connections younger than pool_timeout_s.';
COMMENT ON COLUMN pool_summary.hosts IS 'Client hosts seen.';
COMMENT ON COLUMN pool_summary.databases IS 'Databases connected to, comma-separated; NULL: none.';
COMMENT ON COLUMN pool_summary.overflow_in_use IS
'Open connections beyond pool_size times instances.';
COMMENT ON COLUMN pool_summary.mean_session_s IS
'Mean length of the sessions of those databases in the last window_s seconds: their time by the sessions that began (pg_stat_database); NULL: none began, or first sample.';
COMMENT ON COLUMN pool_summary.sessions IS
'Sessions of those databases that began in the last window_s seconds; NULL: first sample.';
COMMENT ON COLUMN pool_summary.window_s IS
'Seconds that mean_session_s and sessions cover: since a reading as old as the longest declared pool_recycle_s, or the oldest there is (see glperf.counter_growth); NULL: first sample.';

CREATE VIEW pool_checks AS
SELECT
	s.pool, s.declared,
	v.check_id, v.value, v.unit, v.warning, v.critical, v.status,
	CASE WHEN v.status <> 'ok' THEN v.reason END AS reason,
	CASE WHEN v.status <> 'ok' THEN v.remedy END AS remedy
FROM glperf.pool_summary AS s
CROSS JOIN (
	SELECT
		max(t.warning) FILTER (WHERE t.id = 'pool_overflow') AS overflow_warning,
		max(t.warning) FILTER (WHERE t.id = 'pool_idle_share') AS idle_warning,
		max(t.critical) FILTER (WHERE t.id = 'pool_idle_share')
			AS idle_critical,
		max(t.critical / nullif(t.warning, 0))
			FILTER (WHERE t.id = 'connection_age') AS age_factor
	FROM glperf.threshold AS t
	WHERE t.id IN ('pool_overflow', 'pool_idle_share', 'connection_age')
) AS t
CROSS JOIN LATERAL (VALUES
	-- "below max_overflow threshold"
	('pool_overflow', s.overflow_in_use::float8, 'connections',
		t.overflow_warning, s.overflow_limit::float8,
		CASE
			WHEN s.overflow_in_use > 0
				AND s.overflow_in_use >= s.overflow_limit THEN 'critical'
			WHEN s.overflow_in_use > t.overflow_warning THEN 'warning'
			WHEN NOT s.declared THEN 'unknown'
			ELSE 'ok'
		END,
		CASE
			WHEN s.open > s.hard_limit THEN
				pg_catalog.format('%s connections are open, %s more than pool_size + max_overflow of %s instance(s) allow (%s)',
					s.open, s.open - s.hard_limit, s.instances, s.hard_limit)
			WHEN s.overflow_in_use > 0
				AND s.overflow_in_use >= s.overflow_limit THEN
				pg_catalog.format('the overflow is used up: %s of %s connections are open, %s in use; clients wait up to %s s and then fail',
					s.open, s.hard_limit, s.in_use, s.pool_timeout_s)
			WHEN s.overflow_in_use > 0 THEN
				pg_catalog.format('%s connections beyond pool_size are open (%s of at most %s)',
					s.overflow_in_use, s.open, s.hard_limit)
			ELSE
				pg_catalog.format('not declared; %s open, within the guide''s defaults',
					s.open)
		END,
		CASE
			WHEN NOT s.declared THEN
				pg_catalog.format('INSERT INTO glperf.pool (application_name, instances) VALUES (%L, %s);',
					s.pool, greatest(s.instances, 1))
			WHEN s.open > s.hard_limit THEN
				'Look for undeclared instances (glperf.pool_hosts), for a second engine in the application, or for connections that are opened outside the pool.'
			ELSE
				'Shorten transactions or raise pool_size, as far as glperf.connections leaves room.'
		END),
	-- "mostly active (not idle)": judged once the pool is half open
	('pool_idle_share',
		100.0 * s.idle / nullif(s.open, 0)::float8, '%',
		t.idle_warning, t.idle_critical,
		CASE
			WHEN s.open * 2 < s.size_limit OR s.open <= s.instances THEN 'ok'
			ELSE glperf.verdict('pool_idle_share',
								100.0 * s.idle / s.open::float8)
		END,
		pg_catalog.format('%s of %s connections are idle: the pool is larger than it needs to be now',
			s.idle, s.open),
		'Lower pool_size, or the number of instances, if this stays so under load.'),
	-- pool_recycle, judged by use: an idle connection is replaced when taken,
	-- and one that was taken in time may be held for pool_timeout
	('connection_age', s.oldest_use_s, 's',
		s.pool_recycle_s + s.pool_timeout_s,
		s.pool_recycle_s * t.age_factor + s.pool_timeout_s,
		CASE
			WHEN s.oldest_use_s IS NULL THEN 'ok'
			ELSE glperf.verdict(s.oldest_use_s,
				s.pool_recycle_s + s.pool_timeout_s,
				s.pool_recycle_s * t.age_factor + s.pool_timeout_s, 'above')
		END,
		pg_catalog.format('%s connection(s) were used after pool_recycle (%s s), one at an age of %s s',
			s.used_past_recycle, s.pool_recycle_s,
			pg_catalog.round(s.oldest_use_s::numeric)),
		'Set pool_recycle in the application; connections that live for ever keep their memory and miss a fail-over.'),
	-- a connection taken and not given back starves the others
	('idle_in_transaction', s.oldest_idle_in_transaction_s, 's',
		s.pool_timeout_s, s.pool_recycle_s,
		CASE
			WHEN s.oldest_idle_in_transaction_s IS NULL THEN 'ok'
			ELSE glperf.verdict(s.oldest_idle_in_transaction_s,
				s.pool_timeout_s, s.pool_recycle_s, 'above')
		END,
		pg_catalog.format('%s connection(s) are idle in a transaction, one for %s s, longer than clients wait for one (pool_timeout %s s)',
			s.idle_in_transaction,
			pg_catalog.round(s.oldest_idle_in_transaction_s::numeric, 1),
			s.pool_timeout_s),
		'Give connections back before slow work outside the database; as a net: ALTER ROLE ... SET idle_in_transaction_session_timeout.'),
	-- sessions shorter than the wait for a connection: nothing is pooled
	('pool_churn', s.mean_session_s, 's',
		s.pool_timeout_s, NULL::float8,
		CASE
			WHEN s.declared AND s.open > 0
				AND s.sessions > s.hard_limit
				AND s.window_s > s.pool_recycle_s
				AND s.mean_session_s < s.pool_timeout_s THEN 'warning'
			ELSE 'ok'
		END,
		pg_catalog.format('sessions of %s lasted %s s on average in the last %s s (%s of them): connections are opened anew instead of pooled',
			s.databases,
			pg_catalog.round(s.mean_session_s::numeric, 2),
			pg_catalog.round(s.window_s::numeric), s.sessions),
		'Look for NullPool, an engine per request, or health checks that log in each time.')
) AS v(check_id, value, unit, warning, critical, status, reason, remedy);

COMMENT ON VIEW pool_checks IS
'One row per pool and check: what pool_conformance is decided by (guide: Connection Pool Tuning).';
COMMENT ON COLUMN pool_checks.pool IS
'Pattern of the declared pool, else the application_name.';
COMMENT ON COLUMN pool_checks.declared IS 'Whether a row of glperf.pool matches.';
COMMENT ON COLUMN pool_checks.check_id IS
'pool_overflow (connections beyond pool_size; critical: max_overflow reached), pool_idle_share, connection_age (age at last use against pool_recycle plus pool_timeout), idle_in_transaction (against pool_timeout), pool_churn (mean session against pool_timeout).';
COMMENT ON COLUMN pool_checks.value IS 'Measured value; NULL: nothing to measure.';
COMMENT ON COLUMN pool_checks.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN pool_checks.warning IS 'Warning limit.';
COMMENT ON COLUMN pool_checks.critical IS 'Critical limit; NULL: none.';
COMMENT ON COLUMN pool_checks.status IS
'ok, warning, critical; unknown: within the guide''s defaults, but nobody declared the pool.';
COMMENT ON COLUMN pool_checks.reason IS 'What is wrong; NULL when ok.';
COMMENT ON COLUMN pool_checks.remedy IS 'What to do next; NULL when ok.';

CREATE VIEW pool_conformance AS
SELECT
	pg_catalog.now() AS time,
	s.pool,
	s.declared,
	s.instances,
	s.hosts,
	s.open,
	s.in_use,
	s.idle,
	s.idle_in_transaction,
	s.size_limit,
	s.hard_limit,
	s.overflow_in_use,
	100.0 * s.open / s.hard_limit::float8 AS open_pct,
	100.0 * s.idle / nullif(s.open, 0)::float8 AS idle_pct,
	s.older_than_recycle,
	s.used_past_recycle,
	s.oldest_backend_s,
	s.oldest_idle_in_transaction_s,
	s.oldest_transaction_s,
	s.opened_lately / s.pool_timeout_s AS opened_per_s,
	s.mean_session_s,
	c.status,
	CASE
		WHEN c.status IN ('warning', 'critical') THEN 'violates'
		WHEN NOT s.declared THEN 'undeclared'
		WHEN s.open = 0 THEN 'absent'
		ELSE 'conforms'
	END AS verdict,
	c.reasons
FROM glperf.pool_summary AS s
JOIN (
	SELECT k.pool, k.declared,
		CASE max(CASE k.status WHEN 'critical' THEN 3 WHEN 'warning' THEN 2
				WHEN 'unknown' THEN 1 ELSE 0 END)
			WHEN 3 THEN 'critical'
			WHEN 2 THEN 'warning'
			WHEN 1 THEN 'unknown'
			ELSE 'ok'
		END AS status,
		pg_catalog.string_agg(k.reason, '; ' ORDER BY
			CASE k.status WHEN 'critical' THEN 0 WHEN 'warning' THEN 1
				ELSE 2 END, k.check_id) AS reasons
	FROM glperf.pool_checks AS k
	GROUP BY k.pool, k.declared
) AS c ON c.pool = s.pool AND c.declared = s.declared;

COMMENT ON VIEW pool_conformance IS
'One row per declared pool and per undeclared application: what is open against what is allowed, and whether the pool keeps to its settings (guide: Connection Pool Tuning). PostgreSQL can''t see clients that wait for a connection; a full overflow says that they do.';
COMMENT ON COLUMN pool_conformance.time IS 'Time of this reading.';
COMMENT ON COLUMN pool_conformance.pool IS
'Pattern of the declared pool, else the application_name.';
COMMENT ON COLUMN pool_conformance.declared IS
'Whether a row of glperf.pool matches; else the guide''s defaults judge.';
COMMENT ON COLUMN pool_conformance.instances IS
'Declared instances; undeclared: client hosts seen.';
COMMENT ON COLUMN pool_conformance.hosts IS 'Client hosts seen.';
COMMENT ON COLUMN pool_conformance.open IS 'Open connections.';
COMMENT ON COLUMN pool_conformance.in_use IS
'Connections not idle: running or inside a transaction.';
COMMENT ON COLUMN pool_conformance.idle IS 'Idle connections.';
COMMENT ON COLUMN pool_conformance.idle_in_transaction IS
'Connections idle in a transaction.';
COMMENT ON COLUMN pool_conformance.size_limit IS 'pool_size times instances.';
COMMENT ON COLUMN pool_conformance.hard_limit IS
'pool_size plus max_overflow, times instances.';
COMMENT ON COLUMN pool_conformance.overflow_in_use IS
'Open connections beyond size_limit.';
COMMENT ON COLUMN pool_conformance.open_pct IS
'Open connections in per cent of hard_limit.';
COMMENT ON COLUMN pool_conformance.idle_pct IS
'Idle share of the open connections in per cent; NULL: none is open.';
COMMENT ON COLUMN pool_conformance.older_than_recycle IS
'Connections older than pool_recycle; idle ones are replaced when next taken.';
COMMENT ON COLUMN pool_conformance.used_past_recycle IS
'Connections used more than pool_timeout after they had passed pool_recycle: a violation.';
COMMENT ON COLUMN pool_conformance.oldest_backend_s IS
'Age of the oldest connection in seconds; NULL: none is open.';
COMMENT ON COLUMN pool_conformance.oldest_idle_in_transaction_s IS
'Longest time in seconds that one has been idle in a transaction; NULL: none is.';
COMMENT ON COLUMN pool_conformance.oldest_transaction_s IS
'Age of the oldest open transaction in seconds; NULL: none is open.';
COMMENT ON COLUMN pool_conformance.opened_per_s IS
'Connections opened per second during the last pool_timeout seconds that are still open: churn, at least this much.';
COMMENT ON COLUMN pool_conformance.mean_session_s IS
'Mean length in seconds of the sessions of the pool''s databases lately, as in glperf.pool_summary; NULL: none began, or first sample.';
COMMENT ON COLUMN pool_conformance.status IS
'Worst of the pool''s checks: ok, warning, critical, or unknown (undeclared).';
COMMENT ON COLUMN pool_conformance.verdict IS
'conforms, violates, undeclared (within the guide''s defaults) or absent (declared, nothing open).';
COMMENT ON COLUMN pool_conformance.reasons IS
'What is wrong, worst first; NULL: nothing.';

CREATE VIEW pool_hosts AS
SELECT
	pg_catalog.now() AS time,
	h.pool, h.declared, h.application_name, h.host,
	h.open, h.in_use, h.idle, h.idle_in_transaction,
	h.oldest_backend_s,
	h.host_limit,
	CASE
		WHEN h.pool_open > h.host_limit THEN 'critical'
		WHEN NOT h.declared THEN 'unknown'
		ELSE 'ok'
	END AS status,
	CASE
		WHEN h.pool_open > h.host_limit THEN
			pg_catalog.format('%s connections from this host, at most %s are possible when every other host runs one instance',
				h.pool_open, h.host_limit)
		WHEN NOT h.declared THEN 'not declared'
	END AS reason
FROM (
	SELECT
		c.pool, c.declared, c.application_name, c.host,
		count(*) AS open,
		count(*) FILTER (WHERE c.state <> 'idle') AS in_use,
		count(*) FILTER (WHERE c.state = 'idle') AS idle,
		count(*) FILTER (WHERE c.state LIKE 'idle in transaction%')
			AS idle_in_transaction,
		max(c.backend_age_s) AS oldest_backend_s,
		sum(count(*)) OVER (PARTITION BY c.pool, c.declared, c.host)::int8
			AS pool_open,
		-- the most instances that fit on one host
		s.hard_limit / s.instances
			* greatest(s.instances - s.hosts + 1, 1) AS host_limit
	FROM glperf.pool_connections AS c
	JOIN glperf.pool_summary AS s
		ON s.pool = c.pool AND s.declared = c.declared
	GROUP BY c.pool, c.declared, c.application_name, c.host,
		s.hard_limit, s.instances, s.hosts
) AS h;

COMMENT ON VIEW pool_hosts IS
'One row per pool, application and client host: which instance holds how many connections (guide: Connection Pool Tuning).';
COMMENT ON COLUMN pool_hosts.time IS 'Time of this reading.';
COMMENT ON COLUMN pool_hosts.pool IS
'Pattern of the declared pool, else the application_name.';
COMMENT ON COLUMN pool_hosts.declared IS 'Whether a row of glperf.pool matches.';
COMMENT ON COLUMN pool_hosts.application_name IS
'What the client calls itself; empty: nothing.';
COMMENT ON COLUMN pool_hosts.host IS
'Client''s host name or address; local: over a socket.';
COMMENT ON COLUMN pool_hosts.open IS 'Open connections.';
COMMENT ON COLUMN pool_hosts.in_use IS
'Connections not idle: running or inside a transaction.';
COMMENT ON COLUMN pool_hosts.idle IS 'Idle connections.';
COMMENT ON COLUMN pool_hosts.idle_in_transaction IS
'Connections idle in a transaction.';
COMMENT ON COLUMN pool_hosts.oldest_backend_s IS
'Age of the oldest connection, in seconds.';
COMMENT ON COLUMN pool_hosts.host_limit IS
'Most connections that this host can hold: pool_size plus max_overflow, times the instances that may run on it.';
COMMENT ON COLUMN pool_hosts.status IS
'critical: over the limit; unknown: not declared; else ok.';
COMMENT ON COLUMN pool_hosts.reason IS 'Why it isn''t ok; NULL when it is.';

-- --------------------------------------------------------------- saturation

CREATE VIEW connections AS
SELECT
	pg_catalog.now() AS time,
	n.max_connections,
	n.reserved,
	n.max_connections - n.reserved AS usable,
	n.used,
	n.active, n.idle, n.idle_in_transaction,
	100.0 * n.used / (n.max_connections - n.reserved)::float8 AS used_pct,
	greatest(n.max_connections - n.reserved - n.used, 0) AS free,
	(SELECT p.peak_count FROM glperf.connection_peaks() p
		WHERE p.state = 'connections') AS high_water,
	(SELECT p.peak_at FROM glperf.connection_peaks() p
		WHERE p.state = 'connections') AS high_water_at,
	d.declared AS declared_by_pools,
	glperf.verdict('connection_saturation',
		100.0 * n.used / (n.max_connections - n.reserved)::float8) AS status
FROM (
	SELECT
		pg_catalog.current_setting('max_connections')::int8
			AS max_connections,
		pg_catalog.current_setting('superuser_reserved_connections')::int8
			-- came with 16
			+ coalesce(pg_catalog.current_setting('reserved_connections',
				true)::int8, 0) AS reserved,
		count(*) AS used,
		count(*) FILTER (WHERE a.state IN
			('active', 'fastpath function call')) AS active,
		count(*) FILTER (WHERE a.state = 'idle') AS idle,
		count(*) FILTER (WHERE a.state LIKE 'idle in transaction%')
			AS idle_in_transaction
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.backend_type = 'client backend'
) AS n
CROSS JOIN (
	SELECT coalesce(sum((p.pool_size + p.max_overflow) * p.instances),
					0)::int8 AS declared
	FROM glperf.pool AS p
) AS d;

COMMENT ON VIEW connections IS
'How full the server is with client connections: one row (guide: Connection Pool Tuning). Background processes don''t count; what is reserved for superusers can''t be used by applications.';
COMMENT ON COLUMN connections.time IS 'Time of this reading.';
COMMENT ON COLUMN connections.max_connections IS 'The setting.';
COMMENT ON COLUMN connections.reserved IS
'superuser_reserved_connections plus reserved_connections (16 and later).';
COMMENT ON COLUMN connections.usable IS
'Connections that ordinary roles can open: max_connections minus reserved.';
COMMENT ON COLUMN connections.used IS 'Client connections open now.';
COMMENT ON COLUMN connections.active IS 'Client connections that run something.';
COMMENT ON COLUMN connections.idle IS 'Idle client connections.';
COMMENT ON COLUMN connections.idle_in_transaction IS
'Client connections idle in a transaction.';
COMMENT ON COLUMN connections.used_pct IS 'used in per cent of usable.';
COMMENT ON COLUMN connections.free IS 'Connections left to ordinary roles.';
COMMENT ON COLUMN connections.high_water IS
'Most connections seen at once; NULL: nobody samples them.';
COMMENT ON COLUMN connections.high_water_at IS
'When that was; NULL: nobody samples them.';
COMMENT ON COLUMN connections.declared_by_pools IS
'Connections that all declared pools may open together; more than usable means that they can exhaust the server.';
COMMENT ON COLUMN connections.status IS
'ok, warning or critical by the threshold connection_saturation.';

-- ----------------------------------------------------------------- blocking

CREATE VIEW blocking_edges AS
WITH waiter AS MATERIALIZED (
	-- pg_blocking_pids locks the whole lock table: for lock waiters only
	SELECT a.pid, pg_catalog.pg_blocking_pids(a.pid) AS blockers
	FROM pg_catalog.pg_stat_activity AS a
	WHERE a.wait_event_type = 'Lock'
)
SELECT DISTINCT w.pid::int8 AS pid, b.pid::int8 AS blocker_pid
FROM waiter AS w
CROSS JOIN LATERAL pg_catalog.unnest(w.blockers) AS b(pid);

COMMENT ON VIEW blocking_edges IS
'One row per pair of a waiting backend and one that keeps it waiting, exactly as the lock manager sees it (pg_blocking_pids): holders of conflicting locks, and those queued before it.';
COMMENT ON COLUMN blocking_edges.pid IS 'Process id of the waiting backend.';
COMMENT ON COLUMN blocking_edges.blocker_pid IS
'Process id of a backend that it waits for; 0: a prepared transaction.';

CREATE VIEW blocking AS
WITH RECURSIVE edge AS MATERIALIZED (
	SELECT * FROM glperf.blocking_edges
), root AS (
	-- from the roots outwards: as much work as there are edges, however many
	-- backends queue up behind one another
	SELECT e.pid, e.blocker_pid AS root_pid
	FROM edge AS e
	WHERE NOT EXISTS (SELECT FROM edge AS x WHERE x.pid = e.blocker_pid)
	UNION
	SELECT e.pid, r.root_pid
	FROM root AS r
	JOIN edge AS e ON e.blocker_pid = r.pid
), activity AS MATERIALIZED (
	SELECT a.* FROM pg_catalog.pg_stat_activity AS a
	WHERE EXISTS (SELECT FROM edge AS e)
), lock AS MATERIALIZED (
	SELECT l.pid, l.mode, l.locktype, l.waitstart
	FROM pg_catalog.pg_locks AS l
	WHERE NOT l.granted AND EXISTS (SELECT FROM edge AS e)
), chosen AS (
	-- several roots: the transaction that has been open longest
	SELECT DISTINCT ON (r.pid) r.pid, r.root_pid,
		a.application_name, a.usename, a.state, a.xact_start, a.query
	FROM root AS r
	LEFT JOIN activity AS a ON a.pid = r.root_pid
	ORDER BY r.pid, a.xact_start NULLS LAST, r.root_pid
)
SELECT
	pg_catalog.now() AS time,
	w.pid,
	a.application_name,
	a.datname::text AS database,
	a.usename::text AS role,
	l.mode AS lock_mode,
	coalesce(l.locktype, a.wait_event) AS lock_type,
	greatest(extract(epoch FROM pg_catalog.clock_timestamp()
		- coalesce(l.waitstart, a.query_start))::float8, 0) AS blocked_s,
	w.blocked_by,
	w.blockers,
	(SELECT pg_catalog.string_agg(r.root_pid::text, ', ' ORDER BY r.root_pid)
		FROM root AS r WHERE r.pid = w.pid) AS roots,
	c.root_pid,
	EXISTS (SELECT FROM edge AS e
			WHERE e.pid = w.pid AND e.blocker_pid = c.root_pid)
		AS root_blocks_directly,
	c.application_name AS root_application,
	c.usename::text AS root_role,
	CASE WHEN c.root_pid = 0 THEN 'prepared transaction' ELSE c.state END
		AS root_state,
	extract(epoch FROM pg_catalog.clock_timestamp() - c.xact_start)::float8
		AS root_transaction_s,
	a.query,
	c.query AS root_query
FROM (
	SELECT e.pid, count(*) AS blockers,
		pg_catalog.string_agg(e.blocker_pid::text, ', '
			ORDER BY e.blocker_pid) AS blocked_by
	FROM edge AS e
	GROUP BY e.pid
) AS w
LEFT JOIN activity AS a ON a.pid = w.pid
LEFT JOIN LATERAL (
	SELECT x.* FROM lock AS x WHERE x.pid = w.pid
	ORDER BY x.waitstart NULLS LAST LIMIT 1
) AS l ON true
LEFT JOIN chosen AS c ON c.pid = w.pid;

COMMENT ON VIEW blocking IS
'One row per backend that waits for a lock: for how long, for whom, and who is at the root of it. Costs nothing to speak of when nobody waits.';
COMMENT ON COLUMN blocking.time IS 'Time of this reading.';
COMMENT ON COLUMN blocking.pid IS 'Process id of the waiting backend.';
COMMENT ON COLUMN blocking.application_name IS 'What its client calls itself.';
COMMENT ON COLUMN blocking.database IS 'Its database.';
COMMENT ON COLUMN blocking.role IS 'Its login role.';
COMMENT ON COLUMN blocking.lock_mode IS
'Lock mode waited for; NULL: it got the lock meanwhile.';
COMMENT ON COLUMN blocking.lock_type IS
'What is locked: relation, tuple, transactionid ... (pg_locks.locktype).';
COMMENT ON COLUMN blocking.blocked_s IS 'Seconds waited so far.';
COMMENT ON COLUMN blocking.blocked_by IS
'Process ids that it waits for directly, comma-separated; 0: a prepared transaction.';
COMMENT ON COLUMN blocking.blockers IS 'Number of these.';
COMMENT ON COLUMN blocking.roots IS
'Process ids at the far end of the chain, which wait for nobody; NULL: a deadlock about to be found.';
COMMENT ON COLUMN blocking.root_pid IS
'The root whose transaction has been open longest; NULL: a deadlock about to be found.';
COMMENT ON COLUMN blocking.root_blocks_directly IS
'Whether it waits for that root itself, or for somebody who does.';
COMMENT ON COLUMN blocking.root_application IS
'What the root''s client calls itself.';
COMMENT ON COLUMN blocking.root_role IS 'The root''s login role.';
COMMENT ON COLUMN blocking.root_state IS
'State of the root (idle in transaction: a client that forgot it), or prepared transaction.';
COMMENT ON COLUMN blocking.root_transaction_s IS
'Seconds that the root''s transaction has been open; NULL: a prepared transaction.';
COMMENT ON COLUMN blocking.query IS
'The waiting statement, as far as pg_stat_activity shows it.';
COMMENT ON COLUMN blocking.root_query IS
'The root''s running or last statement, as far as pg_stat_activity shows it.';

CREATE VIEW blocking_roots AS
SELECT
	pg_catalog.now() AS time,
	b.root_pid,
	min(b.root_application) AS application_name,
	min(b.root_role) AS role,
	min(b.root_state) AS state,
	max(b.root_transaction_s) AS transaction_s,
	count(*) AS waiters,
	sum(b.blocked_s) AS blocked_s,
	max(b.blocked_s) AS longest_s,
	min(b.root_query) AS query,
	CASE
		WHEN b.root_pid IS NULL THEN NULL
		WHEN b.root_pid = 0 THEN
			'SELECT gid, prepared, owner FROM pg_prepared_xacts; -- then COMMIT PREPARED or ROLLBACK PREPARED'
		WHEN min(b.root_state) = 'active' THEN
			pg_catalog.format('SELECT pg_cancel_backend(%s);', b.root_pid)
		ELSE pg_catalog.format('SELECT pg_terminate_backend(%s);', b.root_pid)
	END AS remedy
FROM glperf.blocking AS b
GROUP BY b.root_pid;

COMMENT ON VIEW blocking_roots IS
'One row per backend at the root of lock waits: how many wait for it, directly or not, and for how long together.';
COMMENT ON COLUMN blocking_roots.time IS 'Time of this reading.';
COMMENT ON COLUMN blocking_roots.root_pid IS
'Process id of the root; 0: a prepared transaction. NULL: a deadlock about to be found.';
COMMENT ON COLUMN blocking_roots.application_name IS
'What its client calls itself.';
COMMENT ON COLUMN blocking_roots.role IS 'Its login role.';
COMMENT ON COLUMN blocking_roots.state IS
'State of the root, or prepared transaction.';
COMMENT ON COLUMN blocking_roots.transaction_s IS
'Seconds that its transaction has been open.';
COMMENT ON COLUMN blocking_roots.waiters IS
'Backends that wait for it, directly or through others.';
COMMENT ON COLUMN blocking_roots.blocked_s IS
'Seconds that all of them have waited, together.';
COMMENT ON COLUMN blocking_roots.longest_s IS
'Seconds that the first of them has waited.';
COMMENT ON COLUMN blocking_roots.query IS
'Its running or last statement, as far as pg_stat_activity shows it.';
COMMENT ON COLUMN blocking_roots.remedy IS
'What frees the waiters; look at the query first.';

-- ------------------------------------------------------------- health page

CREATE VIEW health_pool AS
SELECT
	'pool' AS area,
	'server' AS object,
	'connection_saturation' AS check_id,
	c.used_pct AS value,
	t.unit, t.warning, t.critical,
	c.status,
	pg_catalog.format('%s of %s usable connections are open (max_connections %s, %s reserved)',
		c.used, c.usable, c.max_connections, c.reserved)
	|| CASE
		WHEN c.declared_by_pools > c.usable THEN
			pg_catalog.format('; the declared pools may open %s',
				c.declared_by_pools)
		ELSE ''
	END AS message,
	CASE
		WHEN c.status <> 'ok' THEN
			'SELECT * FROM glperf.pool_state ORDER BY connections DESC;'
	END AS remedy,
	t.guide_section
FROM glperf.connections AS c
CROSS JOIN glperf.threshold AS t
WHERE t.id = 'connection_saturation'
UNION ALL
SELECT
	'pool',
	CASE WHEN k.pool = '' THEN '(no application_name)' ELSE k.pool END,
	k.check_id, k.value, k.unit, k.warning, k.critical, k.status,
	coalesce(CASE WHEN NOT k.declared THEN 'not declared: ' ELSE '' END
			 || k.reason, 'as declared'),
	k.remedy,
	t.guide_section
FROM glperf.pool_checks AS k
CROSS JOIN glperf.threshold AS t
WHERE t.id = 'pool_overflow'
	AND (k.declared OR k.status IN ('warning', 'critical'))
UNION ALL
SELECT
	'pool',
	'undeclared applications',
	'pool_declared',
	count(*)::float8, 'applications', NULL, NULL,
	'unknown',
	pg_catalog.format('%s application(s) hold several connections that no row of glperf.pool declares: %s',
		count(*), pg_catalog.string_agg(
			CASE WHEN s.pool = '' THEN '(no application_name)' ELSE s.pool END
			|| ' (' || s.open::text || ')', ', '
			ORDER BY s.open DESC, s.pool)),
	pg_catalog.format('INSERT INTO glperf.pool (application_name, instances) VALUES (%L, %s);',
		(pg_catalog.array_agg(s.pool ORDER BY s.open DESC, s.pool))[1],
		(pg_catalog.array_agg(s.instances ORDER BY s.open DESC, s.pool))[1]),
	min(t.guide_section)
FROM glperf.pool_summary AS s
CROSS JOIN glperf.threshold AS t
WHERE t.id = 'pool_overflow' AND NOT s.declared AND s.open > 1
HAVING count(*) > 0
UNION ALL
SELECT
	'pool',
	'lock waits',
	'blocking',
	coalesce(max(b.longest_s), 0), t.unit, t.warning, t.critical,
	glperf.verdict('pool_wait', coalesce(max(b.longest_s), 0)),
	CASE
		WHEN count(b.waiters) = 0 THEN 'nobody waits for a lock'
		ELSE pg_catalog.format('%s backend(s) wait for a lock, the first for %s s; at the root: %s',
			sum(b.waiters), pg_catalog.round(max(b.longest_s)::numeric, 1),
			pg_catalog.string_agg(coalesce('pid ' || b.root_pid::text
				|| ' (' || b.state || ')', 'a deadlock'), ', '
				ORDER BY b.longest_s DESC))
	END,
	(pg_catalog.array_agg(b.remedy ORDER BY b.longest_s DESC))[1],
	t.guide_section
FROM glperf.threshold AS t
LEFT JOIN glperf.blocking_roots AS b ON true
WHERE t.id = 'pool_wait'
GROUP BY t.unit, t.warning, t.critical, t.guide_section;

COMMENT ON VIEW health_pool IS
'The health page''s rows about connections: saturation, every check of every declared pool, what undeclared applications do wrong, and lock waits, judged by the time that a client waits for a connection (guide: Connection Pool Tuning).';
COMMENT ON COLUMN health_pool.area IS 'Always pool.';
COMMENT ON COLUMN health_pool.object IS
'server, a pool, undeclared applications, or lock waits.';
COMMENT ON COLUMN health_pool.check_id IS
'Row of glperf.threshold where there is one, else the check''s name (glperf.pool_checks).';
COMMENT ON COLUMN health_pool.value IS 'Measured value; NULL: nothing to measure.';
COMMENT ON COLUMN health_pool.unit IS 'Unit of value, warning and critical.';
COMMENT ON COLUMN health_pool.warning IS
'Warning limit; for a pool its own declaration goes before the threshold. NULL: none.';
COMMENT ON COLUMN health_pool.critical IS
'Critical limit; for a pool its own declaration goes before the threshold. NULL: none.';
COMMENT ON COLUMN health_pool.status IS 'ok, warning, critical or unknown.';
COMMENT ON COLUMN health_pool.message IS 'The finding in words.';
COMMENT ON COLUMN health_pool.remedy IS
'What to do next, as SQL where there is one; NULL when nothing is to be done.';
COMMENT ON COLUMN health_pool.guide_section IS
'Section of the tuning guide that asks for it.';

REVOKE ALL ON FUNCTION worse_status(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION pool_default(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION worse_status(text, text) TO pg_monitor;
GRANT EXECUTE ON FUNCTION pool_default(text) TO pg_monitor;
GRANT SELECT ON pool, pool_connections, pool_state, pool_summary,
	pool_checks, pool_conformance, pool_hosts, connections,
	blocking_edges, blocking, blocking_roots, health_pool TO pg_monitor;

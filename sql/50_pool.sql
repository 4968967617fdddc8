-- Pools, connections and lock waits as far as one session can show them; real
-- pools are in t/050_pool.pl, real lock waits in t/051_blocking.pl.

-- declaring a pool: the guide's values are the defaults
INSERT INTO glperf.pool (application_name) VALUES ('api-%');
SELECT * FROM glperf.pool;
-- clear refusals
INSERT INTO glperf.pool (application_name) VALUES ('api-%');
INSERT INTO glperf.pool (application_name) VALUES (NULL);
INSERT INTO glperf.pool (application_name, instances) VALUES ('x', 0);
INSERT INTO glperf.pool (application_name, pool_size) VALUES ('x', 0);
INSERT INTO glperf.pool (application_name, max_overflow) VALUES ('x', -1);
INSERT INTO glperf.pool (application_name, pool_timeout_s) VALUES ('x', 0);
INSERT INTO glperf.pool (application_name, pool_timeout_s) VALUES ('x', 'NaN');
INSERT INTO glperf.pool (application_name, pool_recycle_s) VALUES ('x', -1);
INSERT INTO glperf.pool (application_name, pool_recycle_s)
	VALUES ('x', 'infinity');
INSERT INTO glperf.pool (application_name) VALUES (E'ends with \\');
INSERT INTO glperf.pool (application_name) VALUES (repeat('x', 64));
INSERT INTO glperf.pool (application_name, instances)
	VALUES ('x', 9223372036854775807);
-- an escaped backslash at the end, and never recycling, are fine
INSERT INTO glperf.pool (application_name, pool_recycle_s)
	VALUES (E'ends with \\\\', NULL);
DELETE FROM glperf.pool;
SELECT glperf.pool_default('pool_size') AS pool_size,
	glperf.pool_default('max_overflow') AS max_overflow,
	glperf.pool_default('pool_timeout_s') AS pool_timeout_s,
	glperf.pool_default('pool_recycle_s') AS pool_recycle_s,
	glperf.pool_default('x') AS unknown;

-- this session, undeclared
SET application_name = 'pool test''s "app"';
SELECT application_name, database = current_database() AS here,
	role = current_user AS me, host = 'local' OR host IS NOT NULL AS host,
	state, pool, declared, backend_age_s >= 0 AS age,
	transaction_age_s >= 0 AS xact_age, age_at_last_use_s >= 0 AS last_use
FROM glperf.pool_connections WHERE pid = pg_backend_pid();
SELECT application_name, state, connections, hosts, declared,
	oldest_backend_s >= 0 AS oldest, oldest_state_pid = pg_backend_pid() AS pid
FROM glperf.pool_state WHERE application_name = current_setting('application_name');
SELECT declared, open, in_use, idle, size_limit, hard_limit, overflow_in_use,
	idle_pct, status, verdict, reasons
FROM glperf.pool_conformance WHERE pool = current_setting('application_name');
SELECT application_name, open, host_limit, status, reason
FROM glperf.pool_hosts WHERE pool = current_setting('application_name');

-- declared: the exact name goes before the longest pattern
INSERT INTO glperf.pool (application_name, pool_size, max_overflow)
VALUES ('pool%', 1, 0), ('pool test%', 2, 1), ('%', 100, 0);
SELECT pool, declared FROM glperf.pool_connections
WHERE pid = pg_backend_pid();
INSERT INTO glperf.pool (application_name, pool_size, max_overflow, note)
VALUES ('pool test''s "app"', 1, 1, 'exact');
INSERT INTO glperf.pool (application_name) VALUES ('pool test%%%%%%%%%%%%%%%%');
SELECT pool, declared FROM glperf.pool_connections
WHERE pid = pg_backend_pid();
DELETE FROM glperf.pool WHERE application_name = 'pool test%%%%%%%%%%%%%%%%';
-- one that conforms, three with no connection at all or with others'
SELECT pool, declared, instances, size_limit, hard_limit, status, verdict,
	reasons
FROM glperf.pool_conformance WHERE pool LIKE 'pool%'
ORDER BY pool COLLATE "C";
-- (whether sessions began since somebody has looked is not for this test)
SELECT check_id, value >= 0 OR check_id = 'pool_churn' AS value, unit, warning,
	critical, status, reason
FROM glperf.pool_checks WHERE pool = 'pool test''s "app"' ORDER BY check_id;

-- an old connection in use: the age at which it was used counts
UPDATE glperf.pool SET pool_recycle_s = 0.000001, pool_timeout_s = 0.000001
WHERE note = 'exact';
SELECT k.check_id, k.status, k.reason ~ 'used after pool_recycle' AS reason
FROM glperf.pool_checks AS k
WHERE pool = 'pool test''s "app"' AND check_id = 'connection_age';
SELECT used_past_recycle, status, verdict FROM glperf.pool_conformance
WHERE pool = 'pool test''s "app"';
DELETE FROM glperf.pool;

-- saturation: what applications can open, filled by client connections
SELECT max_connections = current_setting('max_connections')::int8 AS max,
	reserved = current_setting('superuser_reserved_connections')::int8
		+ coalesce(current_setting('reserved_connections', true)::int8, 0)
		AS reserved,
	usable = max_connections - reserved AS usable,
	used = (SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'client backend') AS used,
	used_pct = 100.0 * used / usable::float8 AS pct,
	free = usable - used AS free,
	(high_water IS NULL OR high_water >= 1) AS high_water, declared_by_pools,
	status = glperf.verdict('connection_saturation', used_pct) AS status
FROM glperf.connections;

-- nobody waits
SELECT count(*) AS edges FROM glperf.blocking_edges;
SELECT count(*) AS waiting FROM glperf.blocking;
SELECT count(*) AS roots FROM glperf.blocking_roots;

-- the health page's rows, for one declared pool
INSERT INTO glperf.pool (application_name, pool_size) VALUES ('nobody', 5);
SELECT object, check_id, value IS NOT NULL AS value, unit, warning, critical,
	status, remedy, guide_section
FROM glperf.health_pool
WHERE object IN ('server', 'nobody', 'lock waits') ORDER BY object, check_id;
-- pools that together may open more than the server has
UPDATE glperf.pool SET pool_size = 100000;
SELECT message ~ 'the declared pools may open 100020' AS said
FROM glperf.health_pool WHERE object = 'server';
DELETE FROM glperf.pool;

-- the checks at their borders, of figures that are made up
BEGIN;
CREATE TABLE figures AS SELECT * FROM glperf.pool_summary WITH NO DATA;
CREATE OR REPLACE VIEW glperf.pool_summary AS SELECT * FROM figures;
INSERT INTO figures SELECT f.* FROM (VALUES
	('full', '{"open": 10}'),
	('overflow 1', '{"open": 11, "overflow_in_use": 1}'),
	('overflow 3', '{"open": 13, "overflow_in_use": 3}'),
	('overflow 4, used up', '{"open": 14, "overflow_in_use": 4}'),
	('overflow 5, too many', '{"open": 15, "overflow_in_use": 5}'),
	('no overflow allowed', '{"open": 10, "overflow_limit": 0, "hard_limit": 10}'),
	('no overflow allowed, and some', '{"open": 11, "overflow_in_use": 1, "overflow_limit": 0, "hard_limit": 10}'),
	('undeclared', '{"declared": false}'),
	('undeclared, overflow', '{"declared": false, "open": 11, "overflow_in_use": 1}'),
	('idle 50 %', '{"open": 10, "idle": 5}'),
	('idle 60 %', '{"open": 10, "idle": 6}'),
	('idle 75 %', '{"open": 8, "idle": 6}'),
	('idle 80 %', '{"open": 5, "idle": 4}'),
	('idle, not half open', '{"open": 4, "idle": 4}'),
	('idle, one each', '{"open": 2, "idle": 2, "size_limit": 2}'),
	('idle, more than one each', '{"open": 3, "idle": 3, "size_limit": 4}'),
	('closed', '{"open": 0, "sessions": 15, "window_s": 1801, "mean_session_s": 1}'),
	('used at recycle + timeout', '{"oldest_use_s": 1810}'),
	('used later', '{"oldest_use_s": 1811, "used_past_recycle": 1}'),
	('used at twice that', '{"oldest_use_s": 3610, "used_past_recycle": 1}'),
	('used much later', '{"oldest_use_s": 3611, "used_past_recycle": 1}'),
	('never recycled', '{"oldest_use_s": 1e6, "pool_recycle_s": null}'),
	('held as long as others wait', '{"oldest_idle_in_transaction_s": 10}'),
	('held longer', '{"oldest_idle_in_transaction_s": 10.5, "idle_in_transaction": 1}'),
	('held as long as it may live', '{"oldest_idle_in_transaction_s": 1800}'),
	('held for longer than that', '{"oldest_idle_in_transaction_s": 1801}'),
	('anew', '{"sessions": 15, "window_s": 1801, "mean_session_s": 9.9}'),
	('anew, by few', '{"sessions": 14, "window_s": 1801, "mean_session_s": 9.9}'),
	('anew, not for long', '{"sessions": 15, "window_s": 1800, "mean_session_s": 9.9}'),
	('anew, but used', '{"sessions": 15, "window_s": 1801, "mean_session_s": 10}'),
	('anew, undeclared', '{"sessions": 15, "window_s": 1801, "mean_session_s": 1, "declared": false}')
) c(name, over), jsonb_populate_record(NULL::figures, '{"declared": true, "instances": 2,
	"size_limit": 10, "hard_limit": 14, "overflow_limit": 4, "pool_timeout_s": 10, "pool_recycle_s": 1800,
	"open": 5, "in_use": 5, "idle": 0, "idle_in_transaction": 0, "used_past_recycle": 0,
	"hosts": 1, "databases": "shop", "overflow_in_use": 0}'::jsonb || over::jsonb
	|| jsonb_build_object('pool', name)) f;
SELECT pool, check_id, status, warning, critical, reason FROM glperf.pool_checks
WHERE status <> 'ok' ORDER BY pool COLLATE "C", check_id;
SELECT pool, left(remedy, 40) AS remedy FROM glperf.pool_checks
WHERE check_id = 'pool_overflow' AND status <> 'ok' ORDER BY pool COLLATE "C";
SELECT verdict, status, string_agg(pool, '; ' ORDER BY pool COLLATE "C") AS pools
FROM glperf.pool_conformance GROUP BY 1, 2 ORDER BY 1, 2;
-- the health page has a row for each, with what is wrong first
SELECT check_id, status, count(*) FROM glperf.health_pool
WHERE object IN (SELECT pool FROM figures) GROUP BY 1, 2 ORDER BY 1, 2;
ROLLBACK;

-- the shape is the health page's
SELECT attname, atttypid::regtype FROM pg_attribute
WHERE attrelid = 'glperf.health_pool'::regclass AND attnum > 0
ORDER BY attnum;
SELECT glperf.worse_status('ok', 'unknown'), glperf.worse_status('unknown', 'warning'),
	glperf.worse_status('critical', 'ok'), glperf.worse_status('ok', NULL),
	glperf.worse_status(NULL, NULL);

-- who may read it: a member of pg_monitor as much as a superuser, others not
CREATE ROLE pool_watcher IN ROLE pg_monitor;
CREATE ROLE pool_nobody;
SET ROLE pool_watcher;
SELECT count(*) AS rows FROM glperf.pool_conformance
WHERE pool = current_setting('application_name');
SELECT state, role <> '' AS role FROM glperf.pool_connections
WHERE pid = pg_backend_pid();
SELECT object, status FROM glperf.health_pool
WHERE object IN ('server', 'lock waits') ORDER BY object;
INSERT INTO glperf.pool (application_name) VALUES ('x');
SET ROLE pool_nobody;
SELECT * FROM glperf.connections;
RESET ROLE;
DROP ROLE pool_watcher, pool_nobody;
RESET application_name;

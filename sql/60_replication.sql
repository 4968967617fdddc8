-- Replication as seen from a server without standbys; a real primary and its
-- standbys are in t/030_replication.pl and t/031_cascade_logical.pl.

-- a primary is never behind, and no function raises an error on it
SELECT role, state, lag_bytes, lag_s, lag_at_least_s, lag_at_most_s,
	last_message_age_s, last_replayed_commit_age_s, status, message, remedy
FROM glperf.replication_lag;
SELECT in_recovery, current_lsn > '0/0' AS current, replay_lsn, receive_lsn,
	replay_pause, last_xact_replay_at
FROM glperf.wal_position();
SELECT count(*) AS rows FROM glperf.replication;

-- the first commit after a position: what it was, when, and when unknown
CREATE TABLE repl_t (x int);
SELECT pg_current_wal_insert_lsn() AS before, clock_timestamp() AS t0 \gset
INSERT INTO repl_t VALUES (1);
SELECT clock_timestamp() AS t1, pg_current_wal_insert_lsn() AS between \gset
INSERT INTO repl_t VALUES (2);
SELECT c.committed_at BETWEEN :'t0' AND :'t1' AS first, c.complete
FROM glperf.commit_after(:'before') AS c;
SELECT c.committed_at > :'t1' AS second, c.complete
FROM glperf.commit_after(:'between') AS c;
-- a position in the middle of a record or page is as good as any
SELECT count(*) AS positions, bool_and(c.complete) AS complete,
	bool_and(c.committed_at IS NOT NULL) AS found
FROM generate_series(0, 200) AS i
CROSS JOIN LATERAL
	glperf.commit_after(:'before'::pg_lsn - (i * 7)::numeric) AS c;
-- the future, the distant past, nothing at all
SELECT * FROM glperf.commit_after('FFFFFFFF/FFFFFFFF');
SELECT * FROM glperf.commit_after('0/1');
SELECT * FROM glperf.commit_after('0/0');
SELECT * FROM glperf.commit_after(NULL);
SELECT glperf.position_age_s(:'before') BETWEEN 0 AND 600 AS age,
	glperf.position_age_s('FFFFFFFF/FFFFFFFF') AS nothing_missing,
	glperf.position_age_s('0/1') AS unknown,
	glperf.position_age_s(NULL) AS null;
-- slots: one that was never used, one that nobody reads
SELECT slot_name FROM pg_create_physical_replication_slot('glperf_unused');
SELECT slot_name FROM pg_create_physical_replication_slot('glperf_idle', true);
INSERT INTO repl_t VALUES (3);
CHECKPOINT;
SELECT kind, name, slot_name, slot_type, database, state, sync_state, status
FROM glperf.replication ORDER BY name;
SELECT replay_lag_bytes > 0 AS behind, replay_lag_s BETWEEN 0 AND 600 AS lag,
	retained_wal_bytes >= replay_lag_bytes AS retained, wal_status,
	safe_wal_bytes, seconds_to_lost, sent_lag_bytes, apply_errors, remedy
FROM glperf.replication WHERE name = 'glperf_idle';
SELECT object, check_id, value IS NULL AS no_value, unit, warning, critical,
	status, guide_section
FROM glperf.health_replication ORDER BY object;
SELECT pg_drop_replication_slot('glperf_unused');
SELECT pg_drop_replication_slot('glperf_idle');

-- a subscription that is switched off, without a publisher anywhere
SET client_min_messages = error;
CREATE SUBSCRIPTION "glperf ""sub""" CONNECTION 'host=/nonexistent'
	PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false);
RESET client_min_messages;
SELECT kind, name, database, state, status, apply_errors, remedy
FROM glperf.replication;
DROP SUBSCRIPTION "glperf ""sub""";

-- verdicts at their borders: the same view over standbys and slots that are
-- made up, at a position and a time that stand still; 1 MB is written a second
BEGIN;
SET LOCAL wal_sender_timeout = '60s';
CREATE TABLE node AS SELECT * FROM glperf.wal_position();
UPDATE node SET current_lsn = '10/0';
CREATE TABLE senders AS SELECT * FROM pg_stat_replication WITH NO DATA;
CREATE TABLE slots (slot_name name, slot_type text, temporary bool, database name, active bool, active_pid int,
	restart_lsn pg_lsn, confirmed_flush_lsn pg_lsn, wal_status text, safe_wal_size int8);
CREATE FUNCTION age_s(pg_lsn) RETURNS float8 LANGUAGE sql AS
	$$ SELECT CASE WHEN '10/0' - $1 < 1e9 THEN ('10/0' - $1)::float8 / 1e6 END $$;
DO $$
DECLARE
	view text := pg_get_viewdef('glperf.replication'::regclass);
	part text[];
BEGIN
	FOREACH part SLICE 1 IN ARRAY ARRAY[['glperf.wal_position()', 'node'], ['pg_stat_replication', 'senders'],
		['pg_replication_slots', 'slots'], ['glperf.position_age_s', 'age_s'], ['clock_timestamp()', 'now()']]
	LOOP
		ASSERT position(part[1] IN view) > 0, part[1];
		view := replace(view, part[1], part[2]);
	END LOOP;
	EXECUTE 'CREATE OR REPLACE VIEW glperf.replication AS ' || view;
END $$;
-- by so many bytes behind
INSERT INTO senders (pid, application_name, state, sync_state, sent_lsn, write_lsn, flush_lsn, replay_lsn,
	reply_time, replay_lag)
SELECT pid, name, state, 'async', '10/0', '10/0'::pg_lsn - written::numeric, '10/0'::pg_lsn - written::numeric,
	'10/0'::pg_lsn - replay::numeric, now() - make_interval(secs => reply_s), lag::interval
FROM (VALUES (1, 'a has all', 'streaming', 0, 0, 0, NULL),
	(2, 'b 10 s', 'streaming', 0, 10000000, 1, NULL),
	(3, 'b 11 s', 'streaming', 0, 11000000, 1, NULL),
	(4, 'b 60 s', 'streaming', 0, 60000000, 1, NULL),
	(5, 'b 61 s', 'streaming', 0, 61000000, 1, NULL),
	(6, 'c silent for 31 s, has all', 'streaming', 0, 0, 31, NULL),
	(7, 'c silent for 32 s, has all', 'streaming', 0, 0, 32, NULL),
	(8, 'd silent for 10 s', 'streaming', 0, 5000000, 10, NULL),
	(9, 'd silent for 11 s', 'streaming', 0, 5000000, 11, NULL),
	(10, 'd silent for 11 s, 61 s', 'streaming', 0, 61000000, 11, NULL),
	(11, 'e a huge transaction', 'streaming', 0, 2000000000, 10, '12 s'),
	(12, 'e a huge one, no lag measured', 'streaming', 0, 2000000000, 10, NULL),
	(13, 'e a huge one, silent for 11 s', 'streaming', 0, 2000000000, 11, '70 s'),
	(14, 'f receives only', 'streaming', 5000000, NULL, 1, NULL),
	(15, 'f receives only, 61 s', 'streaming', 61000000, NULL, 1, NULL),
	(16, 'f receives only, silent for 32 s', 'streaming', 0, NULL, 32, NULL),
	(17, 'g new', 'startup', NULL, NULL, NULL, NULL),
	(18, 'h backup, silent for 40 s', 'backup', 0, NULL, 40, NULL),
	(19, 'i slot lost', 'streaming', 0, 5000000, 1, NULL),
	(20, 'i slot unreserved', 'streaming', 0, 5000000, 1, NULL),
	(21, 'i slot extended', 'streaming', 0, 5000000, 1, NULL))
	s(pid, name, state, written, replay, reply_s, lag);
INSERT INTO slots (slot_name, slot_type, temporary, active, active_pid, restart_lsn, wal_status, safe_wal_size)
SELECT name, 'physical', false, pid IS NOT NULL, pid, '10/0'::pg_lsn - retained::numeric, status, safe
FROM (VALUES ('s_lost', 19, 90000000, 'lost', NULL::int8), ('s_unreserved', 20, 90000000, 'unreserved', -1),
	('s_extended', 21, 90000000, 'extended', 30000000), ('s_reserved', 1, 90000000, 'reserved', 30000000),
	('t_never_used', NULL, NULL, NULL, NULL), ('t_gone', NULL, 5000000, 'reserved', NULL),
	('t_gone_60_s', NULL, 61000000, 'reserved', 122000000), ('t_gone_to_be_lost', NULL, 90000000, 'extended', 30000000),
	('t_gone_unreserved', NULL, 90000000, 'unreserved', 0), ('t_gone_and_lost', NULL, 90000000, 'lost', NULL),
	('t_up_to_date', NULL, 0, 'reserved', 30000000)) s(name, pid, retained, status, safe);
SELECT name, kind, state, status, replay_lag_bytes AS bytes, replay_lag_s AS s, seconds_to_lost AS to_lost, message
FROM glperf.replication ORDER BY name COLLATE "C";
SELECT left(remedy, 60) AS remedy, string_agg(name, '; ' ORDER BY name COLLATE "C") AS names
FROM glperf.replication WHERE remedy IS NOT NULL GROUP BY 1 ORDER BY min(name COLLATE "C");
ROLLBACK;

-- names in synchronous_standby_names that are not there: t/030_replication.pl

-- the limits are those of the table; the shape is the health page's
SELECT attname, atttypid::regtype FROM pg_attribute
WHERE attrelid = 'glperf.health_replication'::regclass AND attnum > 0
ORDER BY attnum;

-- who may read it: a member of pg_monitor as much as a superuser, others not
CREATE ROLE repl_watcher IN ROLE pg_monitor;
CREATE ROLE repl_nobody;
SET ROLE repl_watcher;
SELECT role, state, status FROM glperf.replication_lag;
SELECT count(*) AS rows FROM glperf.replication;
SELECT object, status FROM glperf.health_replication;
SET ROLE repl_nobody;
SELECT * FROM glperf.replication_lag;
SELECT * FROM glperf.commit_after('0/1');
RESET ROLE;
DROP ROLE repl_watcher, repl_nobody;
DROP TABLE repl_t;

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

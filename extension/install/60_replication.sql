/*
 * 60_replication: how far standbys, slots and subscriptions are behind, and
 * how old what this node shows is.
 *
 * Seconds come from the WAL itself (extension/replication.c): the age of the
 * first commit that a standby doesn't show yet.  The lag columns of
 * pg_stat_replication keep their last measurement while nothing moves, and
 * now() - pg_last_xact_replay_timestamp() grows on an idle primary.
 */

CREATE FUNCTION wal_position(
	OUT in_recovery bool,
	OUT current_lsn pg_lsn,
	OUT replay_lsn pg_lsn,
	OUT receive_lsn pg_lsn,
	OUT replay_pause text,
	OUT last_xact_replay_at timestamptz)
LANGUAGE c VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_wal_position';
COMMENT ON FUNCTION wal_position() IS
'This node''s place in the WAL, without an error on any kind of node: in_recovery; current_lsn, the end of the WAL it can hand on (written on a primary, received or replayed on a standby); on a standby only, else NULL: replay_lsn, receive_lsn (NULL: nothing was streamed since the start), replay_pause (the words of pg_get_wal_replay_pause_state()), last_xact_replay_at (commit time of the last replayed transaction by the primary''s clock). Source: PostgreSQL access/xlogrecovery.h.';

CREATE FUNCTION commit_after(
	lsn pg_lsn,
	OUT committed_at timestamptz,
	OUT complete bool)
LANGUAGE c VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_commit_after';
COMMENT ON FUNCTION commit_after(pg_lsn) IS
'Time of the first commit in this node''s WAL at or after a position, by the clock of the primary that wrote it. committed_at is NULL when none was found; complete then says whether there is none (true: the whole WAL up to its end was read) or it isn''t known (false: the WAL is gone, or 16 MB held no commit).';

CREATE FUNCTION position_age_s(lsn pg_lsn) RETURNS float8
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
			WHEN c.committed_at IS NOT NULL THEN
				greatest(extract(epoch FROM
					clock_timestamp() - c.committed_at)::float8, 0)
			WHEN c.complete THEN 0
		END
	FROM glperf.commit_after($1) AS c
$$;
COMMENT ON FUNCTION position_age_s(pg_lsn) IS
'Seconds since the first commit at or after a WAL position: how stale a node is that has replayed exactly up to it. 0: no commit lies behind the position. NULL: not known (see commit_after).';

CREATE FUNCTION upstream_passed(
	lsn pg_lsn,
	OUT after_at timestamptz,
	OUT by_at timestamptz)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_upstream_passed';
COMMENT ON FUNCTION upstream_passed(pg_lsn) IS
'When the WAL of this standby''s upstream went past a position: after after_at and no later than by_at, by upstream''s clock, as its messages told before the WAL itself arrived. Steps of a quarter of a second in the last half hour. NULL where that isn''t known: nothing behind the position was announced, or glperf is not in shared_preload_libraries.';

CREATE FUNCTION subscription_errors(
	OUT subid oid,
	OUT apply_errors int8,
	OUT sync_errors int8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- pg_stat_subscription_stats came with 15; 19 renamed a column.
	IF pg_catalog.to_regclass('pg_catalog.pg_stat_subscription_stats')
		IS NOT NULL
	THEN
		RETURN QUERY
			SELECT s.subid,
				(j.v ->> 'apply_error_count')::int8,
				coalesce(j.v ->> 'sync_error_count',
						 j.v ->> 'sync_table_error_count')::int8
			FROM pg_catalog.pg_stat_subscription_stats AS s
			CROSS JOIN LATERAL (SELECT to_jsonb(s) AS v) AS j;
	END IF;
END
$$;
COMMENT ON FUNCTION subscription_errors() IS
'Errors of each subscription''s workers since the statistics were reset: apply_errors and sync_errors (initial copies), from pg_stat_subscription_stats. No rows before PostgreSQL 15.';

-- ---------------------------------------------------------------- this node

CREATE VIEW replication_lag AS
WITH setting AS MATERIALIZED (
	SELECT
		max(s.setting::float8) FILTER (WHERE s.name = 'wal_receiver_timeout')
			/ 1000 AS receiver_timeout_s,
		max(s.setting::float8)
			FILTER (WHERE s.name = 'recovery_min_apply_delay')
			/ 1000 AS apply_delay_s
	FROM pg_catalog.pg_settings AS s
	WHERE s.name IN ('wal_receiver_timeout', 'recovery_min_apply_delay')
), node AS MATERIALIZED (
	SELECT w.*,
		r.pid IS NOT NULL AND r.status = 'streaming' AS connected,
		-- A receiver sets both stamps to one value when it starts, and calls
		-- itself streaming before upstream has agreed to it.
		coalesce(r.last_msg_send_time = r.last_msg_receipt_time, false)
			AS nothing_heard,
		r.status AS receiver_status,
		r.latest_end_lsn,
		coalesce(r.sender_host || ':' || r.sender_port::text,
				 'the primary') AS upstream,
		pg_catalog.current_setting('primary_conninfo', true) <> ''
			AS has_upstream,
		-- by our own clock, as the sender's may differ
		extract(epoch FROM pg_catalog.clock_timestamp()
			- r.last_msg_receipt_time)::float8 AS message_age_s,
		extract(epoch FROM r.last_msg_receipt_time
			- r.last_msg_send_time)::float8 AS clock_offset_s,
		greatest(w.current_lsn, r.latest_end_lsn) AS known_end_lsn,
		-- announced by upstream, not here yet: what a slow link holds back
		coalesce(r.latest_end_lsn > greatest(w.current_lsn, r.written_lsn),
				 false) AS in_transit,
		extract(epoch FROM pg_catalog.clock_timestamp() - r.latest_end_time
			- (r.last_msg_receipt_time - r.last_msg_send_time))::float8
			AS announced_s
	FROM glperf.wal_position() AS w
	LEFT JOIN pg_catalog.pg_stat_wal_receiver AS r ON w.in_recovery
), measured AS MATERIALIZED (
	SELECT n.*, s.*,
		(n.known_end_lsn - n.replay_lsn)::int8 AS behind_bytes,
		extract(epoch FROM pg_catalog.clock_timestamp()
			- n.last_xact_replay_at)::float8 AS last_xact_age_s,
		-- Received commits that aren't replayed.  A primary whose clock runs
		-- ahead of ours stamps its messages and its commits alike; one that
		-- seems to run behind may as well be far away, so leave that.
		CASE
			WHEN NOT n.in_recovery
				OR n.connected AND n.current_lsn <= n.replay_lsn THEN 0
			ELSE glperf.position_age_s(n.replay_lsn)
				+ coalesce(greatest(- n.clock_offset_s, 0), 0)
		END AS pending_s,
		-- WAL that has not arrived: the collector knows when it was announced.
		extract(epoch FROM pg_catalog.clock_timestamp() - u.by_at)::float8
			+ coalesce(greatest(- n.clock_offset_s, 0), 0) AS passed_s,
		extract(epoch FROM pg_catalog.clock_timestamp() - u.after_at)::float8
			+ coalesce(greatest(- n.clock_offset_s, 0), 0) AS not_passed_s,
		-- A receiver asks for a sign of life after half its timeout.
		n.connected AND s.receiver_timeout_s > 0
			AND n.message_age_s > s.receiver_timeout_s * 0.5 + 1 AS stalled,
		-- Without a timeout nobody asks, and silence means nothing.
		n.connected AND s.receiver_timeout_s = 0
			AND n.message_age_s > t.critical AS silent
	FROM node AS n
	CROSS JOIN setting AS s
	CROSS JOIN glperf.threshold AS t
	LEFT JOIN LATERAL glperf.upstream_passed(n.replay_lsn) AS u ON n.in_recovery
	WHERE t.id = 'replication_lag'
), known AS MATERIALIZED (
	SELECT m.*,
		CASE
			WHEN m.pending_s > 0 OR NOT m.in_transit THEN m.pending_s
			WHEN m.pending_s = 0 THEN m.passed_s
		END AS known_s
	FROM measured AS m
), bounded AS MATERIALIZED (
	SELECT m.*,
		m.known_s IS NOT NULL AS exact,
		greatest(m.pending_s, 0,
			CASE WHEN m.in_transit THEN m.announced_s END) AS at_least_s,
		-- The last replayed commit is always a bound, and the only one while
		-- WAL is missing.  Else everything before known_end_lsn was all that
		-- existed when upstream last spoke.
		CASE
			WHEN NOT m.in_recovery THEN 0
			WHEN m.pending_s > 0 THEN m.pending_s
			WHEN m.known_s IS NULL OR NOT m.connected OR m.nothing_heard
				THEN m.last_xact_age_s
			WHEN m.stalled OR m.silent THEN
				least(greatest(m.pending_s, m.message_age_s),
					  m.last_xact_age_s)
			WHEN m.pending_s = 0 AND m.in_transit THEN
				greatest(m.known_s, least(m.not_passed_s, m.last_xact_age_s))
			ELSE m.known_s
		END AS at_most_s
	FROM known AS m
), stated AS MATERIALIZED (
	SELECT b.*,
		CASE
			WHEN NOT b.in_recovery THEN 'primary'
			WHEN NOT b.connected AND NOT b.has_upstream THEN 'unknown'
			WHEN NOT b.connected THEN 'disconnected'
			WHEN b.stalled THEN 'stalled'
			WHEN b.silent OR b.nothing_heard THEN 'unknown'
			WHEN b.replay_pause <> 'not paused' THEN 'paused'
			WHEN glperf.verdict('replication_lag',
					coalesce(b.known_s, b.at_most_s) - b.apply_delay_s) = 'ok'
				THEN 'ok'
			ELSE 'behind'
		END AS state
	FROM bounded AS b
), judged AS (
	SELECT b.*,
		CASE
			-- the oldest change that it lacks is known, whatever follows
			WHEN b.pending_s > 0 THEN b.pending_s
			WHEN b.state NOT IN ('primary', 'ok', 'behind', 'paused') THEN NULL
			WHEN b.exact OR b.state = 'ok' THEN coalesce(b.known_s, b.at_most_s)
		END AS lag_s,
		CASE b.state
			WHEN 'primary' THEN 'ok'
			WHEN 'ok' THEN 'ok'
			WHEN 'behind' THEN
				CASE
					WHEN b.exact THEN
						glperf.verdict('replication_lag',
									   b.known_s - b.apply_delay_s)
					ELSE glperf.worse_status('warning',
						glperf.verdict('replication_lag',
									   b.at_least_s - b.apply_delay_s))
				END
			WHEN 'paused' THEN
				glperf.worse_status('warning',
					glperf.verdict('replication_lag', b.at_least_s))
			WHEN 'stalled' THEN
				glperf.worse_status('warning',
					glperf.verdict('replication_lag', b.at_most_s))
			WHEN 'disconnected' THEN
				CASE
					WHEN b.at_most_s IS NULL THEN 'critical'
					ELSE glperf.worse_status('warning',
						glperf.verdict('replication_lag', b.at_most_s))
				END
			ELSE
				CASE glperf.verdict('replication_lag', b.at_most_s)
					WHEN 'ok' THEN 'ok'
					ELSE 'unknown'
				END
		END AS status,
		CASE
			WHEN b.exact THEN
				pg_catalog.round(b.known_s::numeric, 1)::text || ' s'
			ELSE pg_catalog.format('%s to %s s',
				pg_catalog.round(b.at_least_s::numeric, 1),
				coalesce(pg_catalog.round(b.at_most_s::numeric, 1)::text,
						 'unknown'))
		END AS lag_words
	FROM stated AS b
)
SELECT
	pg_catalog.now() AS time,
	CASE WHEN j.in_recovery THEN 'standby' ELSE 'primary' END AS role,
	j.state,
	CASE WHEN j.in_recovery THEN j.behind_bytes ELSE 0 END AS lag_bytes,
	j.lag_s,
	j.at_least_s AS lag_at_least_s,
	j.at_most_s AS lag_at_most_s,
	CASE WHEN j.in_recovery THEN j.message_age_s END AS last_message_age_s,
	CASE WHEN j.in_recovery THEN j.clock_offset_s END AS clock_offset_s,
	CASE WHEN j.in_recovery THEN j.last_xact_age_s END
		AS last_replayed_commit_age_s,
	CASE WHEN j.in_recovery THEN j.apply_delay_s END AS apply_delay_s,
	j.status,
	CASE j.state
		WHEN 'primary' THEN 'this node is the primary'
		WHEN 'ok' THEN
			CASE
				WHEN j.behind_bytes = 0 THEN
					'up to date: everything announced is replayed'
				ELSE pg_catalog.format('up to date: %s behind (%s)',
					j.lag_words, pg_catalog.pg_size_pretty(j.behind_bytes))
			END
		WHEN 'behind' THEN
			pg_catalog.format('%s behind (%s)%s',
				j.lag_words, pg_catalog.pg_size_pretty(j.behind_bytes),
				CASE WHEN j.in_transit THEN
					'; a part of that has not arrived yet' ELSE '' END)
		WHEN 'paused' THEN
			pg_catalog.format('replay is paused (%s); %s behind (%s)',
				j.replay_pause, j.lag_words,
				pg_catalog.pg_size_pretty(j.behind_bytes))
		WHEN 'stalled' THEN
			pg_catalog.format('the WAL receiver has heard nothing from %s for %s s, though it should have asked; what was written meanwhile is not known here',
				j.upstream, pg_catalog.round(j.message_age_s::numeric))
		WHEN 'disconnected' THEN
			pg_catalog.format('no WAL receiver is streaming%s; the lag has no bound, %s',
				coalesce(' (status ' || j.receiver_status || ')', ''),
				coalesce('the last replayed commit is '
					|| pg_catalog.round(j.last_xact_age_s::numeric)::text
					|| ' s old', 'and no commit was replayed since the start'))
		ELSE
			CASE
				WHEN j.connected AND j.nothing_heard THEN
					pg_catalog.format('a WAL receiver has started and heard nothing from %s yet',
						j.upstream)
				WHEN j.connected THEN
					pg_catalog.format('nothing heard from %s for %s s, and wal_receiver_timeout = 0 keeps the receiver from asking',
						j.upstream,
						pg_catalog.round(j.message_age_s::numeric))
				ELSE
					pg_catalog.format('restores from an archive: %s',
						coalesce('the last replayed commit is '
							|| pg_catalog.round(j.last_xact_age_s::numeric)::text
							|| ' s old',
							'no commit was replayed since the start'))
			END
	END
	|| CASE
		WHEN j.in_recovery AND j.apply_delay_s > 0 THEN
			pg_catalog.format('; %s s of it are recovery_min_apply_delay',
							  j.apply_delay_s)
		ELSE ''
	END AS message,
	CASE
		WHEN j.state = 'paused' THEN
			'SELECT pg_wal_replay_resume();'
		WHEN j.state = 'stalled' THEN
			'Look at the walreceiver process (stopped? waiting for the disk?) and at the network; the server drops the link after wal_receiver_timeout.'
		WHEN j.state = 'disconnected' THEN
			'Read this server''s log for the reason; on the primary look at pg_replication_slots: a standby whose slot is lost has to be rebuilt. Route reads elsewhere meanwhile.'
		WHEN j.state = 'unknown' AND j.connected AND NOT j.nothing_heard THEN
			'ALTER SYSTEM SET wal_receiver_timeout = ''60s''; SELECT pg_reload_conf();'
		WHEN j.state = 'behind' AND j.status <> 'ok' THEN
			CASE
				WHEN j.in_transit THEN
					'Look at the network and at the WAL rate of the primary; wal_compression makes less of it. Route reads elsewhere meanwhile.'
				ELSE 'Look for queries that hold replay up (pg_stat_database_conflicts, max_standby_streaming_delay) and for a saturated disk; route reads elsewhere meanwhile.'
			END
	END AS remedy
FROM judged AS j;

COMMENT ON VIEW replication_lag IS
'How old the data that this node shows is: one row, on a primary too. Replaces now() - pg_last_xact_replay_timestamp(), which reports lag on an idle primary (guide: Database Scaling). Works without shared_preload_libraries.';
COMMENT ON COLUMN replication_lag.time IS 'Time of this reading.';
COMMENT ON COLUMN replication_lag.role IS 'primary or standby.';
COMMENT ON COLUMN replication_lag.state IS
'primary; ok; behind (the link or replay doesn''t keep up); paused (replay was paused by somebody); stalled (the receiver hears nothing although it asked); disconnected (no receiver streams); unknown (restored from an archive, a receiver that has only started, or a silent link without wal_receiver_timeout).';
COMMENT ON COLUMN replication_lag.lag_bytes IS
'WAL received or announced by upstream and not replayed, in bytes; at least this much when stalled or disconnected. 0 on a primary.';
COMMENT ON COLUMN replication_lag.lag_s IS
'Seconds since the first commit that isn''t replayed here, 0 when there is none; relative to upstream, which on a cascading standby may be behind itself. While WAL is in transit: since the last replayed commit, as long as that is within the limit. NULL: can''t be known here (stalled, disconnected, a slow link, or no commit within 16 MB of WAL); the bounds are. Corrected when the primary''s clock is seen to be ahead.';
COMMENT ON COLUMN replication_lag.lag_at_least_s IS
'Lower bound of the lag in seconds: what is known to be missing.';
COMMENT ON COLUMN replication_lag.lag_at_most_s IS
'Upper bound of the lag in seconds: nothing older than this is missing. NULL: no bound is known.';
COMMENT ON COLUMN replication_lag.last_message_age_s IS
'Seconds since the last message from upstream; up to half of wal_receiver_timeout is normal on an idle link. NULL: no receiver, or a primary.';
COMMENT ON COLUMN replication_lag.clock_offset_s IS
'Seconds from the sending of upstream''s last message, by its clock, to its arrival here, by ours: the way it took plus the difference of the clocks. Seconds here mean wrong clocks or a very slow link, and make lags wrong by as much. NULL: no receiver, or a primary.';
COMMENT ON COLUMN replication_lag.last_replayed_commit_age_s IS
'The guide''s formula, now() - pg_last_xact_replay_timestamp(), in seconds; not a lag. NULL on a primary or before the first replayed commit.';
COMMENT ON COLUMN replication_lag.apply_delay_s IS
'recovery_min_apply_delay in seconds; lag up to this is wanted and not judged. NULL on a primary.';
COMMENT ON COLUMN replication_lag.status IS
'ok, warning, critical or unknown by the threshold replication_lag; never ok while stalled, paused or disconnected.';
COMMENT ON COLUMN replication_lag.message IS 'The finding in words.';
COMMENT ON COLUMN replication_lag.remedy IS
'What to do next; NULL when nothing is to be done.';

-- ------------------------------------------- standbys, slots, subscriptions

CREATE VIEW replication AS
WITH node AS MATERIALIZED (
	SELECT * FROM glperf.wal_position()
), setting AS MATERIALIZED (
	SELECT
		nullif(max(s.setting::float8)
			FILTER (WHERE s.name = 'wal_sender_timeout'), 0) / 1000
			AS sender_timeout_s,
		nullif(max(s.setting::float8)
			FILTER (WHERE s.name = 'wal_receiver_timeout'), 0) / 1000
			AS receiver_timeout_s,
		max(s.setting::float8)
			FILTER (WHERE s.name = 'wal_retrieve_retry_interval') / 1000
			AS worker_restart_s,
		nullif(max(s.setting::float8
			* CASE s.unit WHEN 'min' THEN 60 WHEN 'ms' THEN 0.001 ELSE 1 END)
			FILTER (WHERE s.name = 'idle_replication_slot_timeout'), 0)
			AS slot_idle_timeout_s
	FROM pg_catalog.pg_settings AS s
	WHERE s.name IN ('wal_sender_timeout', 'wal_receiver_timeout',
					 'wal_retrieve_retry_interval',
					 'idle_replication_slot_timeout')
), slot_raw AS MATERIALIZED (
	-- columns that later majors added are read by name
	SELECT s.slot_name::text AS slot_name, s.slot_type, s.temporary,
		s.database::text AS database, s.active, s.active_pid,
		s.restart_lsn, s.wal_status, s.safe_wal_size,
		coalesce(s.confirmed_flush_lsn, s.restart_lsn) AS position_lsn,
		coalesce(j.v ->> 'invalidation_reason',
			CASE WHEN (j.v ->> 'conflicting')::bool THEN 'conflict' END)
			AS invalidation_reason,
		coalesce((j.v ->> 'synced')::bool, false) AS synced,
		extract(epoch FROM pg_catalog.clock_timestamp()
			- (j.v ->> 'inactive_since')::timestamptz)::float8 AS inactive_s
	FROM pg_catalog.pg_replication_slots AS s
	CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s) AS v) AS j
), slot_sized AS MATERIALIZED (
	SELECT s.*,
		s.wal_status = 'lost' OR s.invalidation_reason IS NOT NULL AS lost,
		greatest(n.current_lsn - s.restart_lsn, 0)::int8 AS retained_bytes,
		-- The last so many bytes took so many seconds to write, so the next
		-- ones will: look as far back as may still be written.
		least(n.current_lsn - s.restart_lsn, s.safe_wal_size::numeric)
			AS look_back_bytes,
		n.current_lsn
	FROM slot_raw AS s CROSS JOIN node AS n
), slot AS MATERIALIZED (
	SELECT s.*,
		CASE
			WHEN s.lost THEN 0
			WHEN s.safe_wal_size <= 0 AND s.wal_status = 'unreserved' THEN 0
			WHEN s.active AND s.wal_status = 'reserved' THEN NULL
			-- WAL used up or idle too long, whichever comes first
			ELSE least(
				CASE
					WHEN s.look_back_bytes > 0 THEN
						nullif(glperf.position_age_s(
							s.current_lsn - s.look_back_bytes), 0)
						* s.safe_wal_size / s.look_back_bytes::float8
				END,
				CASE
					WHEN c.slot_idle_timeout_s > s.inactive_s THEN
						c.slot_idle_timeout_s - s.inactive_s
					WHEN c.slot_idle_timeout_s <= s.inactive_s THEN 0
				END)
		END AS seconds_to_lost
	FROM slot_sized AS s CROSS JOIN setting AS c
), sender_bytes AS MATERIALIZED (
	SELECT r.pid, r.application_name, r.state, r.sync_state,
		coalesce(r.client_hostname, pg_catalog.host(r.client_addr), 'local')
			AS client,
		r.write_lsn, r.flush_lsn, r.replay_lsn,
		-- greatest() passes over NULL, which is no position: not 0 bytes
		CASE WHEN r.sent_lsn IS NOT NULL THEN
			greatest(n.current_lsn - r.sent_lsn, 0) END::int8 AS sent_bytes,
		CASE WHEN r.write_lsn IS NOT NULL THEN
			greatest(n.current_lsn - r.write_lsn, 0) END::int8 AS write_bytes,
		CASE WHEN r.flush_lsn IS NOT NULL THEN
			greatest(n.current_lsn - r.flush_lsn, 0) END::int8 AS flush_bytes,
		CASE WHEN r.replay_lsn IS NOT NULL THEN
			greatest(n.current_lsn - r.replay_lsn, 0) END::int8 AS replay_bytes,
		-- Something like pg_receivewal, which keeps WAL and replays none.
		r.replay_lsn IS NULL AND r.write_lsn IS NOT NULL AS only_keeps,
		extract(epoch FROM r.write_lag)::float8 AS write_lag_s,
		extract(epoch FROM r.flush_lag)::float8 AS flush_lag_s,
		extract(epoch FROM r.replay_lag)::float8 AS replay_lag_s,
		extract(epoch FROM pg_catalog.clock_timestamp() - r.reply_time)::float8
			AS reply_age_s
	FROM pg_catalog.pg_stat_replication AS r CROSS JOIN node AS n
), sender AS MATERIALIZED (
	SELECT b.*,
		-- Within one huge transaction there is no commit to find; then the
		-- walsender's own measurement is good enough while replies come in.
		CASE
			WHEN b.replay_bytes > 0 THEN
				coalesce(glperf.position_age_s(b.replay_lsn),
					CASE WHEN b.reply_age_s <= t.warning THEN b.replay_lag_s END)
			WHEN b.replay_bytes = 0 THEN 0
		END AS replay_s,
		CASE
			WHEN b.flush_bytes > 0 THEN
				coalesce(glperf.position_age_s(b.flush_lsn),
					CASE WHEN b.reply_age_s <= t.warning THEN b.flush_lag_s END)
			WHEN b.flush_bytes = 0 THEN 0
		END AS flush_s,
		CASE
			WHEN b.write_bytes > 0 THEN
				coalesce(glperf.position_age_s(b.write_lsn),
					CASE WHEN b.reply_age_s <= t.warning THEN b.write_lag_s END)
			WHEN b.write_bytes = 0 THEN 0
		END AS write_s,
		-- A walsender asks after half its timeout; a standby that has
		-- something to confirm answers at once.
		coalesce(b.reply_age_s > c.sender_timeout_s * 0.5 + 1
			OR (b.replay_bytes > 0 AND b.reply_age_s > t.warning), false)
			AS stalled
	FROM sender_bytes AS b
	CROSS JOIN setting AS c
	CROSS JOIN glperf.threshold AS t
	WHERE t.id = 'replication_lag'
), standby_row AS (
	SELECT
		CASE
			WHEN s.state = 'backup' THEN 'backup'
			WHEN k.slot_type = 'logical' THEN 'logical subscriber'
			ELSE 'standby'
		END AS kind,
		s.application_name AS name,
		s.client, k.slot_name, k.slot_type, k.database,
		CASE
			WHEN k.lost THEN 'lost'
			WHEN s.stalled AND s.state <> 'backup' THEN 'stalled'
			ELSE s.state
		END AS state,
		s.sync_state,
		s.sent_bytes, s.write_bytes, s.flush_bytes, s.replay_bytes,
		s.write_s, s.flush_s, s.replay_s, s.reply_age_s,
		k.wal_status, k.retained_bytes, k.safe_wal_size AS safe_bytes,
		k.seconds_to_lost, k.invalidation_reason,
		NULL::int8 AS apply_errors,
		CASE
			WHEN s.state = 'backup' THEN 'ok'
			WHEN k.lost OR k.wal_status = 'unreserved' THEN 'critical'
			WHEN s.stalled THEN
				glperf.worse_status('warning',
					glperf.verdict('replication_lag', s.judged_s))
			ELSE glperf.verdict('replication_lag', s.judged_s)
		END AS status,
		CASE
			WHEN s.state = 'backup' THEN 'a base backup is running'
			WHEN k.lost THEN 'its slot is lost: it can''t go on from here'
			WHEN s.stalled THEN
				pg_catalog.format('no reply for %s s, %s not confirmed as replayed%s',
					pg_catalog.round(s.reply_age_s::numeric),
					pg_catalog.pg_size_pretty(coalesce(s.replay_bytes, s.write_bytes)),
					coalesce(', the oldest commit of them '
						|| pg_catalog.round(s.judged_s::numeric, 1)::text
						|| ' s old', ''))
			WHEN s.only_keeps THEN
				pg_catalog.format('keeps the WAL and replays none, like pg_receivewal; %s not written',
					pg_catalog.pg_size_pretty(s.write_bytes))
			WHEN s.replay_bytes = 0 THEN 'has replayed everything'
			WHEN s.replay_bytes IS NULL THEN 'hasn''t confirmed anything yet'
			ELSE
				pg_catalog.format('%s not replayed%s',
					pg_catalog.pg_size_pretty(s.replay_bytes),
					coalesce(', the oldest commit of them '
						|| pg_catalog.round(s.replay_s::numeric, 1)::text
						|| ' s old', ', seconds are not known'))
		END AS message,
		CASE
			WHEN s.state = 'backup' THEN NULL
			WHEN k.lost THEN
				'Rebuild the standby (pg_basebackup), then drop the slot.'
			WHEN k.wal_status = 'unreserved' THEN
				'Raise max_slot_wal_keep_size now: the slot is lost at the next checkpoint.'
			WHEN s.stalled THEN
				'Look at the standby: its WAL receiver or the network hangs; the link is dropped after wal_sender_timeout.'
			WHEN s.only_keeps THEN
				CASE WHEN glperf.verdict('replication_lag', s.judged_s) <> 'ok' THEN
					'Look at the receiver''s disk and at the network.' END
			WHEN glperf.verdict('replication_lag', s.judged_s) <> 'ok' THEN
				'On the standby: SELECT * FROM glperf.replication_lag; (paused, held up by queries, or a slow disk).'
		END AS remedy
	FROM (
		SELECT b.*,
			CASE WHEN b.only_keeps THEN b.write_s ELSE b.replay_s END
				AS judged_s
		FROM sender AS b
	) AS s
	LEFT JOIN slot AS k ON k.active_pid = s.pid
), slot_row AS (
	SELECT
		'slot' AS kind,
		k.slot_name AS name,
		NULL::text AS client, k.slot_name, k.slot_type, k.database,
		k.slot_state AS state,
		NULL::text AS sync_state,
		NULL::int8 AS sent_bytes, NULL::int8 AS write_bytes,
		NULL::int8 AS flush_bytes, k.behind_bytes AS replay_bytes,
		NULL::float8 AS write_s, NULL::float8 AS flush_s,
		k.behind_s AS replay_s, k.inactive_s AS reply_age_s,
		k.wal_status, k.retained_bytes, k.safe_wal_size AS safe_bytes,
		k.seconds_to_lost, k.invalidation_reason,
		NULL::int8 AS apply_errors,
		CASE k.slot_state
			WHEN 'lost' THEN 'critical'
			WHEN 'unused' THEN 'ok'
			WHEN 'synced' THEN 'ok'
			WHEN 'active' THEN
				CASE k.wal_status
					WHEN 'unreserved' THEN 'critical'
					WHEN 'extended' THEN 'warning'
					ELSE 'ok'
				END
			ELSE
				CASE
					WHEN k.wal_status = 'unreserved' THEN 'critical'
					ELSE glperf.worse_status('warning',
						glperf.verdict('replication_lag', k.behind_s))
				END
		END AS status,
		CASE k.slot_state
			WHEN 'lost' THEN
				pg_catalog.format('the slot is lost (%s): its %s can''t go on from here, however long it waits',
					coalesce(k.invalidation_reason,
						'more WAL than max_slot_wal_keep_size'),
					k.consumer)
			WHEN 'unused' THEN 'never used: it retains nothing'
			WHEN 'synced' THEN
				'copied from the primary for a failover'
			WHEN 'active' THEN
				'read by a session, not by a walsender'
			ELSE
				pg_catalog.format('its %s is not connected%s; %s of WAL retained%s',
					k.consumer,
					coalesce(' since '
						|| pg_catalog.round(k.inactive_s::numeric)::text
						|| ' s', ''),
					pg_catalog.pg_size_pretty(k.retained_bytes),
					coalesce(', the oldest commit not sent '
						|| pg_catalog.round(k.behind_s::numeric, 1)::text
						|| ' s old', ''))
				|| CASE
					WHEN k.wal_status = 'unreserved' THEN
						'; lost at the next checkpoint'
					WHEN k.seconds_to_lost IS NOT NULL THEN
						pg_catalog.format('; lost in about %s s if this goes on',
							pg_catalog.round(k.seconds_to_lost::numeric))
					WHEN k.safe_wal_size IS NULL THEN
						'; no limit is set (max_slot_wal_keep_size), so it can fill the disk'
					ELSE ''
				END
		END AS message,
		CASE k.slot_state
			WHEN 'lost' THEN
				pg_catalog.format('Rebuild the %s from a new base, then: SELECT pg_drop_replication_slot(%L);',
					k.consumer, k.slot_name)
			WHEN 'unused' THEN NULL
			WHEN 'synced' THEN NULL
			WHEN 'active' THEN NULL
			ELSE
				CASE
					WHEN k.wal_status = 'unreserved' THEN
						'Raise max_slot_wal_keep_size now, and start the '
						|| k.consumer || '.'
					ELSE
						pg_catalog.format('Start the %s; if it is gone for good: SELECT pg_drop_replication_slot(%L);',
							k.consumer, k.slot_name)
				END
		END AS remedy
	FROM (
		SELECT s.*,
			CASE s.slot_type
				WHEN 'logical' THEN 'subscriber'
				ELSE 'standby'
			END AS consumer,
			CASE
				WHEN s.lost THEN 'lost'
				WHEN s.synced THEN 'synced'
				WHEN s.active THEN 'active'
				WHEN s.restart_lsn IS NULL THEN 'unused'
				ELSE 'disconnected'
			END AS slot_state,
			greatest(s.current_lsn - s.position_lsn, 0)::int8 AS behind_bytes,
			CASE
				WHEN s.active OR s.lost OR s.synced THEN NULL
				WHEN s.position_lsn >= s.current_lsn THEN 0
				ELSE glperf.position_age_s(s.position_lsn)
			END AS behind_s
		FROM slot AS s
		WHERE NOT EXISTS (SELECT FROM sender_bytes AS b
						  WHERE b.pid = s.active_pid)
	) AS k
), sync_name AS (
	-- synchronous_standby_names: [FIRST|ANY] n (a, "b"), n (a), or a, b
	SELECT
		coalesce(m.part[2], pg_catalog.replace(m.part[1], '""', '"')) AS name,
		coalesce(pg_catalog.substring(v.setting,
			'^\s*(?:[A-Za-z]+\s+)?(\d+)\s*\('), '1')::int8 AS needed
	FROM (SELECT pg_catalog.current_setting('synchronous_standby_names')
			AS setting) AS v
	CROSS JOIN LATERAL pg_catalog.regexp_matches(
		pg_catalog.regexp_replace(v.setting,
			'^\s*(?:[A-Za-z]+\s+)?\d+\s*\((.*)\)\s*$', '\1'),
		'"((?:[^"]|"")*)"|([^",\s]+)', 'g') AS m(part)
), sync_row AS (
	SELECT
		'standby' AS kind, n.name,
		NULL::text AS client, NULL::text AS slot_name,
		NULL::text AS slot_type, NULL::text AS database,
		'disconnected' AS state, 'sync' AS sync_state,
		NULL::int8 AS sent_bytes, NULL::int8 AS write_bytes,
		NULL::int8 AS flush_bytes, NULL::int8 AS replay_bytes,
		NULL::float8 AS write_s, NULL::float8 AS flush_s,
		NULL::float8 AS replay_s, NULL::float8 AS reply_age_s,
		NULL::text AS wal_status, NULL::int8 AS retained_bytes,
		NULL::int8 AS safe_bytes, NULL::float8 AS seconds_to_lost,
		NULL::text AS invalidation_reason, NULL::int8 AS apply_errors,
		CASE WHEN here.connected < n.needed THEN 'critical'
			ELSE 'warning' END AS status,
		CASE WHEN here.connected < n.needed THEN
				pg_catalog.format('named in synchronous_standby_names and not connected: commits wait (%s of %s needed are connected)',
					here.connected, n.needed)
			ELSE 'named in synchronous_standby_names and not connected; others stand in'
		END AS message,
		'Start the standby, or take it out of synchronous_standby_names.'
			AS remedy
	FROM sync_name AS n
	CROSS JOIN LATERAL (
		SELECT count(*) AS connected
		FROM sender_bytes AS b
		WHERE b.state = 'streaming'
			AND EXISTS (SELECT FROM sync_name AS m
						WHERE m.name = '*'
							OR pg_catalog.lower(m.name)
								= pg_catalog.lower(b.application_name))
	) AS here
	WHERE NOT (SELECT in_recovery FROM node)
		AND NOT EXISTS (SELECT FROM sender_bytes AS b
						WHERE n.name = '*'
							OR pg_catalog.lower(n.name)
								= pg_catalog.lower(b.application_name))
), subscription AS (
	SELECT s.oid AS subid, s.subname::text AS name, s.subenabled,
		d.datname::text AS database, s.subslotname::text AS slot_name,
		w.pid, e.apply_errors,
		extract(epoch FROM pg_catalog.clock_timestamp()
			- w.last_msg_receipt_time)::float8 AS message_age_s,
		CASE
			WHEN NOT s.subenabled THEN 'disabled'
			WHEN w.pid IS NULL THEN 'down'
			-- a worker may take some seconds from its start to its next error
			WHEN e.apply_errors > 0 AND a.backend_start
				> pg_catalog.clock_timestamp() - pg_catalog.make_interval(
					secs => greatest(c.worker_restart_s, 5)) THEN 'failing'
			WHEN a.wait_event_type = 'Lock' THEN 'blocked'
			WHEN pg_catalog.clock_timestamp() - w.last_msg_receipt_time
				> pg_catalog.make_interval(
					secs => c.receiver_timeout_s * 0.5 + 1) THEN 'stalled'
			ELSE 'streaming'
		END AS state
	FROM pg_catalog.pg_subscription AS s
	CROSS JOIN setting AS c
	LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
	LEFT JOIN LATERAL (
		-- the leading apply worker, not its helpers
		SELECT x.* FROM pg_catalog.pg_stat_subscription AS x
		CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(x) AS v) AS j
		WHERE x.subid = s.oid AND x.relid IS NULL
			AND j.v ->> 'leader_pid' IS NULL
			AND coalesce(j.v ->> 'worker_type', 'apply') = 'apply'
	) AS w ON true
	LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = w.pid
	LEFT JOIN glperf.subscription_errors() AS e ON e.subid = s.oid
	WHERE NOT (SELECT in_recovery FROM node)
), subscription_row AS (
	SELECT
		'subscription' AS kind, s.name,
		NULL::text AS client, s.slot_name,
		'logical' AS slot_type, s.database,
		s.state, NULL::text AS sync_state,
		NULL::int8 AS sent_bytes, NULL::int8 AS write_bytes,
		NULL::int8 AS flush_bytes, NULL::int8 AS replay_bytes,
		NULL::float8 AS write_s, NULL::float8 AS flush_s,
		NULL::float8 AS replay_s, s.message_age_s AS reply_age_s,
		NULL::text AS wal_status, NULL::int8 AS retained_bytes,
		NULL::int8 AS safe_bytes, NULL::float8 AS seconds_to_lost,
		NULL::text AS invalidation_reason, s.apply_errors,
		CASE s.state
			WHEN 'disabled' THEN
				CASE WHEN s.apply_errors > 0 THEN 'critical'
					ELSE 'warning' END
			WHEN 'down' THEN 'critical'
			WHEN 'failing' THEN 'critical'
			WHEN 'blocked' THEN
				glperf.verdict('replication_lag', s.message_age_s)
			WHEN 'stalled' THEN
				glperf.worse_status('warning',
					glperf.verdict('replication_lag', s.message_age_s))
			ELSE 'ok'
		END AS status,
		CASE s.state
			WHEN 'disabled' THEN
				'disabled; the publisher''s slot goes on retaining WAL'
			WHEN 'down' THEN 'no apply worker is running'
			WHEN 'failing' THEN 'the apply worker fails and is started again'
			WHEN 'blocked' THEN
				pg_catalog.format('the apply worker waits for a lock; nothing read for %s s',
					pg_catalog.round(s.message_age_s::numeric, 1))
			WHEN 'stalled' THEN
				pg_catalog.format('nothing heard from the publisher for %s s',
					pg_catalog.round(s.message_age_s::numeric))
			ELSE 'streaming; how far behind it is, the publisher knows'
		END
		|| CASE
			WHEN s.apply_errors > 0 THEN
				pg_catalog.format(' (%s apply errors since the statistics were reset)',
					s.apply_errors)
			ELSE ''
		END AS message,
		CASE s.state
			WHEN 'disabled' THEN
				pg_catalog.format('ALTER SUBSCRIPTION %I ENABLE;', s.name)
			WHEN 'down' THEN
				'Read the server''s log: a conflict or a lost link stops the worker (ALTER SUBSCRIPTION ... SKIP skips one transaction); max_logical_replication_workers may be used up.'
			WHEN 'failing' THEN
				pg_catalog.format('Read the server''s log for the conflicting row; remove it, or ALTER SUBSCRIPTION %I SKIP (lsn = ...);',
					s.name)
			WHEN 'blocked' THEN
				pg_catalog.format('SELECT * FROM glperf.blocking WHERE pid = %s;',
					s.pid)
			WHEN 'stalled' THEN
				'Look at the publisher and at the network.'
		END AS remedy
	FROM subscription AS s
), united AS (
	SELECT * FROM standby_row
	UNION ALL SELECT * FROM slot_row
	UNION ALL SELECT * FROM sync_row
	UNION ALL SELECT * FROM subscription_row
)
SELECT
	pg_catalog.now() AS time,
	u.kind, u.name, u.client, u.slot_name, u.slot_type, u.database,
	u.state, u.sync_state,
	u.sent_bytes AS sent_lag_bytes,
	u.write_bytes AS write_lag_bytes,
	u.flush_bytes AS flush_lag_bytes,
	u.replay_bytes AS replay_lag_bytes,
	u.write_s AS write_lag_s,
	u.flush_s AS flush_lag_s,
	u.replay_s AS replay_lag_s,
	u.reply_age_s,
	u.wal_status,
	u.retained_bytes AS retained_wal_bytes,
	u.safe_bytes AS safe_wal_bytes,
	u.seconds_to_lost,
	u.invalidation_reason,
	u.apply_errors,
	u.status, u.message, u.remedy
FROM united AS u;

COMMENT ON VIEW replication IS
'One row per connected standby or subscriber, per slot that nobody reads (a vanished standby stays visible by its slot, a lost slot stays a critical row), per synchronous standby that is missing, and per subscription of this node (guide: Database Scaling). Works on a primary, a standby and a cascading standby.';
COMMENT ON COLUMN replication.time IS 'Time of this reading.';
COMMENT ON COLUMN replication.kind IS
'standby, logical subscriber, backup (a base backup), slot (nobody reads it) or subscription (of this node).';
COMMENT ON COLUMN replication.name IS
'application_name of the standby or subscriber, name of the slot or subscription.';
COMMENT ON COLUMN replication.client IS
'Host of the standby or subscriber; local: over a socket. NULL: not connected.';
COMMENT ON COLUMN replication.slot_name IS 'Replication slot; NULL: none.';
COMMENT ON COLUMN replication.slot_type IS 'physical or logical; NULL: no slot.';
COMMENT ON COLUMN replication.database IS
'Database of a logical slot or subscription; NULL for physical replication.';
COMMENT ON COLUMN replication.state IS
'For standbys the state of pg_stat_replication (streaming, catchup, backup ...), or stalled (no reply though one is due), disconnected, lost; for slots also unused, active (read by a session), synced (failover slot on a standby); for subscriptions streaming, blocked (waits for a lock), stalled, failing, down, disabled.';
COMMENT ON COLUMN replication.sync_state IS
'async, potential, sync or quorum (pg_stat_replication); NULL: not a standby.';
COMMENT ON COLUMN replication.sent_lag_bytes IS
'WAL of this node not sent yet, in bytes. NULL: not connected.';
COMMENT ON COLUMN replication.write_lag_bytes IS
'WAL of this node not confirmed as written, in bytes. NULL: not connected.';
COMMENT ON COLUMN replication.flush_lag_bytes IS
'WAL of this node not confirmed as flushed, in bytes. NULL: not connected.';
COMMENT ON COLUMN replication.replay_lag_bytes IS
'WAL of this node not confirmed as replayed, in bytes; for a slot: behind its position. NULL: lost, or a subscription (only the publisher knows).';
COMMENT ON COLUMN replication.write_lag_s IS
'Age in seconds of the first commit not confirmed as written, read from the WAL; 0: none. NULL: not known.';
COMMENT ON COLUMN replication.flush_lag_s IS
'Age in seconds of the first commit not confirmed as flushed, read from the WAL; 0: none. NULL: not known.';
COMMENT ON COLUMN replication.replay_lag_s IS
'Age in seconds of the first commit not confirmed as replayed (for a slot: not sent), read from the WAL; 0: none. Right after an idle phase and while a standby hangs, unlike pg_stat_replication.replay_lag. Within a transaction of more than 16 MB that column is taken, as long as replies come in. NULL: not known (also: lost, or a subscription).';
COMMENT ON COLUMN replication.reply_age_s IS
'Seconds since the last reply of the standby, the last message to the subscription, or since the slot became inactive (17 and later). NULL: not known.';
COMMENT ON COLUMN replication.wal_status IS
'reserved, extended (beyond max_wal_size), unreserved (lost at the next checkpoint) or lost; NULL: no slot, or it reserves nothing.';
COMMENT ON COLUMN replication.retained_wal_bytes IS
'WAL that the slot keeps on this node''s disk, in bytes; NULL: no slot, or lost.';
COMMENT ON COLUMN replication.safe_wal_bytes IS
'WAL that can still be written before the slot may be lost, in bytes; negative: overdue. NULL: no limit (max_slot_wal_keep_size = -1), or lost.';
COMMENT ON COLUMN replication.seconds_to_lost IS
'Seconds until the slot may be lost, at the rate at which the same amount of WAL was written last, or by idle_replication_slot_timeout (18); 0: lost or overdue. NULL: not in danger, or no rate is known.';
COMMENT ON COLUMN replication.invalidation_reason IS
'Why the slot was invalidated (pg_replication_slots, 16 and later); NULL: it wasn''t, or not known.';
COMMENT ON COLUMN replication.apply_errors IS
'Errors of the subscription''s apply worker since the statistics were reset (15 and later); NULL: not a subscription.';
COMMENT ON COLUMN replication.status IS
'ok, warning, critical or unknown, by the threshold replication_lag and by the state.';
COMMENT ON COLUMN replication.message IS 'The finding in words.';
COMMENT ON COLUMN replication.remedy IS
'What to do next; NULL when nothing is to be done.';

-- ------------------------------------------------------------- health page

CREATE VIEW health_replication AS
SELECT
	'replication' AS area,
	'this node' AS object,
	'replication_lag' AS check_id,
	coalesce(l.lag_s, l.lag_at_most_s) AS value,
	t.unit, t.warning, t.critical,
	l.status, l.message, l.remedy, t.guide_section
FROM glperf.replication_lag AS l
CROSS JOIN glperf.threshold AS t
WHERE t.id = 'replication_lag'
UNION ALL
SELECT
	'replication',
	r.kind || ' ' || r.name,
	'replication_lag',
	r.replay_lag_s,
	t.unit, t.warning, t.critical,
	r.status, r.message, r.remedy, t.guide_section
FROM glperf.replication AS r
CROSS JOIN glperf.threshold AS t
WHERE t.id = 'replication_lag';

COMMENT ON VIEW health_replication IS
'The health page''s rows about replication: this node, and every row of glperf.replication (guide: Database Scaling).';
COMMENT ON COLUMN health_replication.area IS 'Always replication.';
COMMENT ON COLUMN health_replication.object IS
'this node, or the kind and name of a row of glperf.replication.';
COMMENT ON COLUMN health_replication.check_id IS
'Row of glperf.threshold that the value is judged by.';
COMMENT ON COLUMN health_replication.value IS
'Lag in seconds; for a stalled or disconnected node its upper bound. NULL: not known.';
COMMENT ON COLUMN health_replication.unit IS 'Unit of value.';
COMMENT ON COLUMN health_replication.warning IS 'Warning limit, in the unit.';
COMMENT ON COLUMN health_replication.critical IS 'Critical limit, in the unit.';
COMMENT ON COLUMN health_replication.status IS
'ok, warning, critical or unknown.';
COMMENT ON COLUMN health_replication.message IS 'The finding in words.';
COMMENT ON COLUMN health_replication.remedy IS
'What to do next; NULL when nothing is to be done.';
COMMENT ON COLUMN health_replication.guide_section IS
'Section of the tuning guide that asks for it.';

REVOKE ALL ON FUNCTION wal_position() FROM PUBLIC;
REVOKE ALL ON FUNCTION commit_after(pg_lsn) FROM PUBLIC;
REVOKE ALL ON FUNCTION position_age_s(pg_lsn) FROM PUBLIC;
REVOKE ALL ON FUNCTION upstream_passed(pg_lsn) FROM PUBLIC;
REVOKE ALL ON FUNCTION subscription_errors() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wal_position() TO pg_monitor;
GRANT EXECUTE ON FUNCTION commit_after(pg_lsn) TO pg_monitor;
GRANT EXECUTE ON FUNCTION position_age_s(pg_lsn) TO pg_monitor;
GRANT EXECUTE ON FUNCTION upstream_passed(pg_lsn) TO pg_monitor;
GRANT EXECUTE ON FUNCTION subscription_errors() TO pg_monitor;
GRANT SELECT ON replication_lag, replication, health_replication TO pg_monitor;

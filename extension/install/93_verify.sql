-- What a recommendation brought: statements before and after it was applied.

CREATE FUNCTION statement_tables(query text,
	OUT tables text[], OUT written text[])
LANGUAGE c STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_statement_tables';
COMMENT ON FUNCTION statement_tables(text) IS
'Relations that a statement names, as written (quoted where needed, with the schema if it has one), and those that it inserts into, updates or deletes from. Only parses. NULLs for what does not parse and for utility statements.';

CREATE FUNCTION statement_indexes(role oid, search_path text, query text)
RETURNS text[]
LANGUAGE c VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_statement_indexes';
COMMENT ON FUNCTION statement_indexes(oid, text, text) IS
'Indexes in the plan that a statement gets now, planned as its role and not executed; quoted and qualified. NULL when it cannot be planned, or when the caller may not act as the role.';

CREATE FUNCTION role_search_path(role oid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT coalesce((
	SELECT substr(c, 13) FROM pg_db_role_setting d, unnest(d.setconfig) c
	WHERE c LIKE 'search\_path=%' AND d.setrole IN ($1, 0)
		AND d.setdatabase IN (0, (SELECT oid FROM pg_database
								  WHERE datname = current_database()))
	ORDER BY d.setrole <> 0 DESC, d.setdatabase <> 0 DESC LIMIT 1),
	'"$user", public')
$$;
COMMENT ON FUNCTION role_search_path(oid) IS
'search_path that a role gets when it connects to this database, unless postgresql.conf says otherwise.';

CREATE FUNCTION relations_over(schema_name text, table_name text)
RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
WITH RECURSIVE over(relid) AS (
	SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1 AND c.relname = $2
	UNION
	SELECT next.relid
	FROM over o
	CROSS JOIN LATERAL (
		SELECT r.ev_class AS relid FROM pg_depend d
		JOIN pg_rewrite r ON r.oid = d.objid
		WHERE d.classid = 'pg_rewrite'::regclass
			AND d.refclassid = 'pg_class'::regclass AND d.refobjid = o.relid
		UNION ALL
		SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = o.relid
		UNION ALL
		SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = o.relid
	) next
)
SELECT coalesce(array_agg(k.name), '{}')
FROM over o
JOIN pg_class c ON c.oid = o.relid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES (quote_ident(c.relname)),
	(format('%I.%I', n.nspname, c.relname))) k(name)
$$;
COMMENT ON FUNCTION relations_over(text, text) IS
'Names under which a statement can mean a table: its own, and those of its partitions, parents and views; with and without schema, quoted where needed.';

CREATE FUNCTION recommendation_effect(name text,
	OUT queryid int8, OUT role text, OUT query text, OUT link text,
	OUT calls_before int8, OUT calls_after int8, OUT mean_before_ms float8,
	OUT mean_after_ms float8, OUT blocks_before float8,
	OUT blocks_after float8, OUT drift_ratio float8,
	OUT change_ms_per_day float8, OUT verdict text, OUT message text,
	OUT before_from_at timestamptz)
RETURNS SETOF record
LANGUAGE sql VOLATILE ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
WITH rec AS MATERIALIZED (
	SELECT r.*, s.taken_at,
		greatest(extract(epoch FROM clock_timestamp() - s.taken_at)::float8, 60)
			/ 86400 AS days
	FROM glperf.recommendation r
	JOIN glperf.recommendation_snapshot s ON s.id = r.after_snapshot
	WHERE r.name = glperf.recommendation_named($1)
), lim AS MATERIALIZED (
	SELECT max(t.warning) FILTER (WHERE t.id = 'verify_calls') AS calls,
		interval '1 day' * max(t.warning) FILTER (WHERE t.id = 'index_evidence')
			AS evidence,
		1 - max(t.warning) FILTER (WHERE t.id = 'statement_change') / 100
			AS gain,
		1 + max(t.critical) FILTER (WHERE t.id = 'statement_change') / 100
			AS loss
	FROM glperf.threshold t
), touched AS MATERIALIZED (
	-- everything that was changed at the same time
	SELECT array_agg(DISTINCT n.name) AS names
	FROM rec
	JOIN glperf.recommendation o ON o.after_snapshot = rec.after_snapshot
	CROSS JOIN LATERAL unnest(glperf.relations_over(o.schema_name,
													o.table_name)) n(name)
), own AS MATERIALIZED (
	SELECT glperf.relations_over(rec.schema_name, rec.table_name) AS names
	FROM rec
), recent AS MATERIALIZED (
	-- before: as long before the first snapshot as has passed since the second,
	-- a day at least, and not from before the last change that we know of
	SELECT h.role, h.queryid, h.toplevel, sum(h.calls)::int8 AS calls,
		sum(h.total_ms) / sum(h.calls) AS mean,
		min(h.taken_at - make_interval(secs => h.window_s)) AS from_at,
		glperf.histogram_sum(h.cells) AS cells
	FROM rec
	JOIN glperf.recommendation_snapshot b ON b.id = rec.before_snapshot
	CROSS JOIN lim
	JOIN glperf.history_statement h ON h.taken_at <= b.taken_at
		AND h.taken_at > b.taken_at - lim.evidence
		AND h.taken_at - make_interval(secs => h.window_s) >= greatest(
			b.taken_at - least(lim.evidence,
				greatest(interval '1 day', clock_timestamp() - rec.taken_at)),
			(SELECT max(o.applied_at) FROM glperf.recommendation o
			 WHERE o.applied_at < b.taken_at))
	WHERE h.database = current_database()
		-- what failed took another time
		AND coalesce(h.errors, 0) = 0
	GROUP BY 1, 2, 3
	HAVING sum(h.calls) >= max(lim.calls)
), counted AS MATERIALIZED (
	-- else until the first snapshot; after: since the second
	SELECT s.userid, s.queryid, s.query, t.tables, t.written,
		s.queryid = ANY (rec.queryids) AS advised, h.from_at,
		coalesce(h.calls, b.calls) AS calls_b,
		coalesce(h.mean, b.total_time_ms / nullif(b.calls, 0)) AS mean_b,
		CASE WHEN h.calls IS NULL THEN b.spread / nullif(b.calls, 0)
			-- no histogram: at least as wide as an exponential distribution
			ELSE coalesce(v.variance,
				greatest(b.spread / nullif(b.calls, 0), h.mean ^ 2))
		END AS var_b,
		b.blocks / nullif(b.calls, 0)::float8 AS blocks_b,
		d.calls AS calls_a,
		d.time_ms / nullif(d.calls, 0) AS mean_a,
		greatest(0, s.stddev_time_ms * s.stddev_time_ms * s.calls
			- coalesce(a.spread, 0)
			- (d.time_ms / nullif(d.calls, 0)
			   - a.total_time_ms / nullif(a.calls, 0)) ^ 2
				* a.calls * d.calls / nullif(s.calls, 0))
			/ nullif(d.calls, 0) AS var_a,
		d.blocks / nullif(d.calls, 0)::float8 AS blocks_a,
		CASE
			WHEN a.calls > s.calls OR a.total_time_ms > s.total_time_ms
				OR s.stats_since > rec.taken_at OR b.calls > a.calls
				OR (b.calls IS NOT NULL AND a.calls IS NULL)
				THEN 'its counters were reset, or it was evicted, in between'
			WHEN b.calls IS NULL AND h.calls IS NULL
				THEN 'it did not run before'
		END AS lost
	FROM rec
	CROSS JOIN glperf.statement_stats(true, false) s
	LEFT JOIN glperf.recommendation_counter b
		ON b.snapshot = rec.before_snapshot AND b.queryid = s.queryid
			AND b.userid = s.userid AND b.toplevel = s.toplevel
	LEFT JOIN glperf.recommendation_counter a
		ON a.snapshot = rec.after_snapshot AND a.queryid = s.queryid
			AND a.userid = s.userid AND a.toplevel = s.toplevel
	LEFT JOIN recent h ON h.role = pg_get_userbyid(s.userid)
		AND h.queryid = s.queryid AND h.toplevel = s.toplevel
	CROSS JOIN LATERAL (
		-- the middle of a cell stands for what is in it
		SELECT sum(u.n * m.ms ^ 2) / sum(u.n) - (sum(u.n * m.ms) / sum(u.n)) ^ 2
			AS variance
		FROM unnest(h.cells) WITH ORDINALITY u(n, cell)
		CROSS JOIN LATERAL (
			SELECT (glperf.latency_bound_ms(u.cell::int4)
				+ glperf.latency_bound_ms(u.cell::int4 - 1)) / 2 AS ms) m
		WHERE u.n > 0) v
	CROSS JOIN LATERAL (
		SELECT s.calls - coalesce(a.calls, 0) AS calls,
			s.total_time_ms - coalesce(a.total_time_ms, 0) AS time_ms,
			s.shared_blks_hit + s.shared_blks_read - coalesce(a.blocks, 0)
				AS blocks) d
	LEFT JOIN LATERAL glperf.statement_tables(s.query) t ON true
	WHERE s.dbid = (SELECT p.oid FROM pg_database p
					WHERE p.datname = current_database())
), drift AS MATERIALIZED (
	-- how much slower or faster everything else got meanwhile
	SELECT CASE WHEN count(*) < 3 THEN 1
		ELSE least(5, greatest(0.2, percentile_cont(0.5)
			WITHIN GROUP (ORDER BY c.mean_a / c.mean_b))) END AS ratio
	FROM counted c, lim, touched
	WHERE c.lost IS NULL AND c.calls_b >= lim.calls
		AND c.calls_a >= lim.calls AND c.mean_b > 0 AND NOT c.advised
		AND NOT coalesce(c.tables && touched.names, true)
), compared AS MATERIALIZED (
	SELECT c.*, drift.ratio AS drift,
		c.mean_b * drift.ratio AS expected,
		(c.mean_a - c.mean_b * drift.ratio)
			/ nullif(sqrt(c.var_b * drift.ratio ^ 2 / c.calls_b
						  + c.var_a / c.calls_a), 0) AS t
	FROM counted c, drift, own
	WHERE c.advised OR c.tables && own.names
), judged AS MATERIALIZED (
	SELECT c.*,
		CASE
			WHEN c.lost IS NOT NULL THEN 'unknown'
			WHEN c.calls_b < lim.calls OR c.calls_a < lim.calls
				OR c.mean_a IS NULL OR c.mean_b IS NULL THEN 'unknown'
			WHEN c.mean_a <= c.expected * lim.gain
				AND (coalesce(c.t, -4) <= -3
					 OR (c.t <= -1 AND c.blocks_a <= c.blocks_b * lim.gain))
				THEN 'faster'
			WHEN c.mean_a >= c.expected * lim.loss
				AND (coalesce(c.t, 4) >= 3
					 OR (c.t >= 1 AND c.blocks_a >= c.blocks_b * lim.loss))
				THEN 'slower'
			ELSE 'same'
		END AS verdict,
		CASE
			WHEN c.lost IS NOT NULL THEN c.lost
			WHEN c.calls_b < lim.calls
				THEN format('only %s of %s calls before', c.calls_b, lim.calls)
			WHEN c.calls_a < lim.calls
				THEN format('only %s of %s calls since', c.calls_a, lim.calls)
		END AS message
	FROM compared c, lim
)
SELECT j.queryid, coalesce(r.rolname, j.userid::text)::text, j.query,
	CASE
		WHEN j.advised THEN 'advised'
		WHEN j.written && own.names THEN 'writes'
		-- a merge is for no statement in particular, but for all of these
		WHEN rec.action NOT IN ('create', 'replace', 'merge')
			OR j.verdict = 'unknown'
			OR (j.verdict = 'same' AND rec.action <> 'merge') THEN 'reads'
		WHEN format('%I.%I', rec.schema_name, rec.index_name) = ANY (
				glperf.statement_indexes(j.userid,
					glperf.role_search_path(j.userid), j.query)) THEN 'uses'
		ELSE 'reads'
	END,
	j.calls_b, j.calls_a, j.mean_b, j.mean_a, j.blocks_b, j.blocks_a, j.drift,
	CASE WHEN j.verdict <> 'unknown'
		THEN (j.mean_a - j.expected) * j.calls_a / rec.days END,
	j.verdict, j.message, j.from_at
FROM judged j CROSS JOIN rec CROSS JOIN own
LEFT JOIN pg_roles r ON r.oid = j.userid
UNION ALL
SELECT a.queryid, coalesce(r.rolname, a.userid::text)::text, NULL, 'advised',
	b.calls, 0, b.total_time_ms / nullif(b.calls, 0), NULL,
	b.blocks / nullif(b.calls, 0)::float8, NULL, NULL, NULL, 'unknown',
	'pg_stat_statements has no entry for it any more', NULL
FROM rec
JOIN glperf.recommendation_counter a
	ON a.snapshot = rec.after_snapshot AND a.queryid = ANY (rec.queryids)
LEFT JOIN glperf.recommendation_counter b
	ON b.snapshot = rec.before_snapshot AND b.queryid = a.queryid
		AND b.userid = a.userid AND b.toplevel = a.toplevel
LEFT JOIN pg_roles r ON r.oid = a.userid
WHERE NOT EXISTS (SELECT FROM counted c
				  WHERE c.queryid = a.queryid AND c.userid = a.userid)
$$;
COMMENT ON FUNCTION recommendation_effect(text) IS
'Statements that name the table of an applied recommendation, or that it was for, compared before and after: mean time and shared blocks per call before it was applied and since. Before is what glperf.history_statement holds of the time before, where it holds calls enough: as long as has passed since, a day at least, at most the days of threshold index_evidence, and nothing from before an earlier recommendation was applied; before_from_at says from when on. Otherwise, and for blocks always, it is all from when the counters began, and before_from_at is NULL. link: advised (it is for this statement), writes (it writes the table), uses (its plan has the new index), reads (it names the table). drift_ratio: by how much all statements on other tables got slower or faster meanwhile, which is taken off; 1 when fewer than three say. verdict: faster or slower when the mean time differs by more than threshold statement_change and by more than chance (three standard errors, or one if blocks agree), same, or unknown with the reason in message: fewer calls than threshold verify_calls, counters reset or evicted. change_ms_per_day: negative is a saving.';

CREATE FUNCTION recommendation_verdict(name text,
	OUT state text, OUT message text, OUT mean_before_ms float8,
	OUT mean_after_ms float8, OUT saved_ms_per_day float8,
	OUT index_scans int8, OUT hot_before_pct float8, OUT hot_after_pct float8)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
WITH rec AS MATERIALIZED (
	SELECT r.*, a.id IS NOT NULL AND b.id IS NOT NULL AS has_counters,
		b.table_updates -> k.name AS upd_b,
		a.table_updates -> k.name AS upd_a,
		glperf.table_updates(r.schema_name, r.table_name) AS upd_n,
		-- an index that was rebuilt is there when it can be used
		glperf.recommendation_in_place(
			CASE r.action WHEN 'reindex' THEN 'create' ELSE r.action END,
			r.schema_name, r.table_name, r.index_name) AS in_place,
		CASE WHEN r.action IN ('create', 'replace', 'merge') THEN (
			SELECT sum(pg_stat_get_numscans(coalesce(t.relid, c.oid)))::int8
			FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace
			LEFT JOIN LATERAL pg_partition_tree(c.oid) t ON true
			WHERE n.nspname = r.schema_name AND c.relname = r.index_name)
		END AS scans,
		coalesce(glperf.counters_since() > r.applied_at, false) AS reset
	FROM glperf.recommendation r
	LEFT JOIN glperf.recommendation_snapshot b ON b.id = r.before_snapshot
	LEFT JOIN glperf.recommendation_snapshot a ON a.id = r.after_snapshot
	CROSS JOIN LATERAL (
		SELECT format('%I.%I', r.schema_name, r.table_name) AS name) k
	WHERE r.name = glperf.recommendation_named($1)
), effect AS MATERIALIZED (
	SELECT e.* FROM rec
	CROSS JOIN LATERAL glperf.recommendation_effect(rec.name) e
	WHERE e.link <> 'reads'
		OR rec.action NOT IN ('create', 'replace', 'merge')
		-- a statement may miss what was dropped
		OR (rec.action IN ('replace', 'merge') AND e.verdict = 'slower')
), sums AS MATERIALIZED (
	SELECT count(*) FILTER (WHERE e.verdict = 'faster') AS faster,
		count(*) FILTER (WHERE e.verdict = 'slower') AS slower,
		count(*) FILTER (WHERE e.verdict <> 'unknown') AS known,
		count(*) FILTER (WHERE e.verdict <> 'unknown'
						 AND e.link IN ('advised', 'uses')) AS known_readers,
		count(e.verdict) AS total,
		coalesce(-sum(e.change_ms_per_day)
			FILTER (WHERE e.verdict = 'faster'), 0) AS gain,
		-- an index that no plan has used slows down writers only, and those
		-- read more blocks with it; else the machine was busy
		coalesce(sum(e.change_ms_per_day)
			FILTER (WHERE e.verdict = 'slower'
					AND (e.link <> 'advised' OR rec.action <> 'create'
						 OR rec.reset OR rec.scans IS DISTINCT FROM 0
						 OR e.blocks_after > e.blocks_before * lim.loss)), 0)
			AS loss,
		sum(e.mean_before_ms * e.calls_after)
			FILTER (WHERE e.verdict <> 'unknown')
			/ nullif(sum(e.calls_after)
				FILTER (WHERE e.verdict <> 'unknown'), 0) AS before,
		sum(e.mean_after_ms * e.calls_after)
			FILTER (WHERE e.verdict <> 'unknown')
			/ nullif(sum(e.calls_after)
				FILTER (WHERE e.verdict <> 'unknown'), 0) AS after,
		min(e.message) FILTER (WHERE e.verdict = 'unknown') AS why
	FROM rec
	CROSS JOIN (SELECT 1 + t.warning / 100 AS loss FROM glperf.threshold t
				WHERE t.id = 'statement_change') lim
	LEFT JOIN effect e ON true
), hot AS MATERIALIZED (
	SELECT 100 * (rec.upd_b ->> 1)::float8 / nullif((rec.upd_b ->> 0)::float8, 0)
			AS before,
		CASE WHEN (rec.upd_n ->> 0)::float8 >= (rec.upd_a ->> 0)::float8
				AND NOT rec.reset THEN
			100 * ((rec.upd_n ->> 1)::float8 - (rec.upd_a ->> 1)::float8)
			/ nullif((rec.upd_n ->> 0)::float8 - (rec.upd_a ->> 0)::float8, 0)
		END AS after
	FROM rec
), decided AS MATERIALIZED (
	SELECT CASE
			WHEN rec.in_place IS FALSE OR NOT rec.has_counters
				OR s.known = 0 THEN 'unknown'
			WHEN s.loss > s.gain THEN 'regressed'
			-- a change that comes from elsewhere is no merit of the index
			-- these promise that nothing gets slower, and no more
			WHEN rec.action IN ('merge', 'drop', 'reindex') THEN 'verified'
			WHEN rec.action IN ('create', 'replace') AND rec.scans = 0 AND NOT rec.reset
				AND s.known_readers > 0 THEN 'no effect'
			WHEN s.gain > s.loss
				AND (rec.action NOT IN ('create', 'replace') OR rec.scans > 0)
				THEN 'verified'
			WHEN rec.action IN ('create', 'replace') AND s.known_readers = 0 THEN 'unknown'
			ELSE 'no effect'
		END AS state
	FROM rec, sums s
)
SELECT d.state,
	CASE
		WHEN rec.in_place IS FALSE THEN CASE rec.action
			WHEN 'drop' THEN 'the index is there again'
			WHEN 'reindex' THEN 'the index is broken again, or gone'
			WHEN 'create statistics' THEN 'the statistics are not there any more'
			ELSE 'the index is not there any more' END
		WHEN NOT rec.has_counters THEN
			'no counters of this server were noted before and when it was applied'
		WHEN s.total = 0 THEN 'none of its statements has run since'
		WHEN d.state = 'unknown' THEN
			format('%s of %s statements cannot be compared yet: %s',
				s.total - s.known, s.total,
				coalesce(s.why, 'those that it is for did not run'))
		ELSE format('%s of %s statements faster, %s slower, %s as before%s: %s ms a call before, %s ms now%s%s',
			s.faster, s.total, s.slower, s.known - s.faster - s.slower,
			CASE WHEN s.total > s.known
				THEN format(', %s unknown', s.total - s.known) ELSE '' END,
			round(s.before::numeric, 3), round(s.after::numeric, 3),
			CASE WHEN rec.scans = 0 AND NOT rec.reset
				THEN '; the index was not scanned once' ELSE '' END,
			CASE WHEN hot.before - hot.after > (SELECT t.warning
				FROM glperf.threshold t WHERE t.id = 'statement_change')
				THEN format('; HOT updates fell from %s to %s %%',
					round(hot.before::numeric), round(hot.after::numeric))
				ELSE '' END)
	END,
	s.before, s.after,
	CASE WHEN s.known > 0 THEN s.gain - s.loss END,
	CASE WHEN NOT rec.reset THEN rec.scans END, hot.before, hot.after
FROM decided d, rec, sums s, hot
$$;
COMMENT ON FUNCTION recommendation_verdict(text) IS
'What an applied recommendation brought, from recommendation_effect(): verified (keep it: more was saved than lost; a drop, merge or reindex: nothing got slower), no effect (its statements ran, and nothing changed or the index was not scanned), regressed (more was lost than saved; what a statement loses that neither scans the created index nor reads more blocks is not the index''s doing), or unknown with the reason in message. Changes nothing. name is that of glperf.recommendation, or of the index. Errors: undefined_object, ambiguous_column.';

CREATE FUNCTION notice_recommendations() RETURNS int8
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT coalesce(glperf.recommendation_applied(glperf.recommendation_begin(),
											  h.names), 0)
FROM (
	SELECT array_agg(r.name) AS names FROM glperf.recommendation r
	WHERE r.state = 'proposed' AND r.sources <> '{}'
		AND glperf.recommendation_in_place(r.action, r.schema_name,
			r.table_name, r.index_name)
		AND has_table_privilege('glperf.recommendation', 'UPDATE')
		AND has_table_privilege('glperf.recommendation_counter', 'INSERT')
		AND has_table_privilege('glperf.recommendation_snapshot', 'INSERT')
		AND has_table_privilege('glperf.recommendation_snapshot', 'UPDATE')
		AND has_table_privilege('glperf.recommendation_snapshot', 'DELETE')
	HAVING count(*) > 0) h
UNION ALL
SELECT 0
LIMIT 1
$$;
COMMENT ON FUNCTION notice_recommendations() IS
'What is proposed and has been carried out by hand counts as applied from now on, without waiting for the next run to notice it; returns how many those are. glperf-advisor verify calls it. Without the rights on these tables that recording a run takes it does nothing.';

CREATE FUNCTION verify_recommendations(
	OUT name text, OUT old_state text, OUT state text, OUT verdict text,
	OUT message text, OUT undo_ddl text, OUT mean_before_ms float8,
	OUT mean_after_ms float8, OUT saved_ms_per_day float8,
	OUT index_scans int8, OUT hot_before_pct float8, OUT hot_after_pct float8,
	OUT applied_at timestamptz)
RETURNS SETOF record
LANGUAGE sql VOLATILE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
WITH judged AS MATERIALIZED (
	SELECT r.name, r.state AS old_state, v.*
	FROM glperf.recommendation r
	CROSS JOIN LATERAL glperf.recommendation_verdict(r.name) v
	WHERE r.state IN ('applied', 'verified', 'no effect', 'regressed')
		AND r.applied_at > now() - interval '1 day' * (
			SELECT t.warning FROM glperf.threshold t
			WHERE t.id = 'index_evidence')
), changed AS (
	UPDATE glperf.recommendation r
	SET state = CASE WHEN j.state = 'unknown' THEN r.state ELSE j.state END,
		state_since_at = CASE WHEN j.state IN ('unknown', r.state)
			THEN r.state_since_at ELSE clock_timestamp() END,
		verified_at = CASE WHEN j.state = 'unknown' THEN r.verified_at
			ELSE clock_timestamp() END,
		mean_before_ms = coalesce(j.mean_before_ms, r.mean_before_ms),
		mean_after_ms = coalesce(j.mean_after_ms, r.mean_after_ms),
		saved_ms_per_day = coalesce(j.saved_ms_per_day, r.saved_ms_per_day),
		index_scans = coalesce(j.index_scans, r.index_scans),
		hot_before_pct = coalesce(j.hot_before_pct, r.hot_before_pct),
		hot_after_pct = coalesce(j.hot_after_pct, r.hot_after_pct),
		message = CASE WHEN j.state = 'unknown' THEN r.message
			ELSE j.message END,
		settled_size_bytes = r.size_bytes,
		settled_benefit_ms_per_day = r.benefit_ms_per_day
	FROM judged j
	WHERE r.name = j.name
	RETURNING r.name, j.old_state, r.state, j.state AS verdict, j.message,
		CASE WHEN r.state IN ('no effect', 'regressed')
				AND coalesce(glperf.recommendation_in_place(r.action,
					r.schema_name, r.table_name, r.index_name), true)
			THEN r.undo_ddl END AS undo_ddl,
		j.mean_before_ms, j.mean_after_ms, j.saved_ms_per_day, j.index_scans,
		j.hot_before_pct, j.hot_after_pct, r.applied_at
)
SELECT * FROM changed c ORDER BY c.applied_at, c.name
$$;
COMMENT ON FUNCTION verify_recommendations() IS
'Judges every recommendation that was applied within the days of threshold index_evidence, and notes the result in glperf.recommendation: one row each, with undo_ddl where taking it back is advised. verdict is that of recommendation_verdict(); where that is unknown, state stays as it was. glperf-advisor calls it in every run. Needs SELECT and UPDATE on glperf.recommendation.';

REVOKE ALL ON FUNCTION statement_tables(text),
	statement_indexes(oid, text, text), role_search_path(oid),
	relations_over(text, text), recommendation_effect(text),
	recommendation_verdict(text), notice_recommendations(),
	verify_recommendations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION statement_tables(text),
	statement_indexes(oid, text, text), role_search_path(oid),
	relations_over(text, text), recommendation_effect(text),
	recommendation_verdict(text), notice_recommendations(),
	verify_recommendations() TO pg_monitor;

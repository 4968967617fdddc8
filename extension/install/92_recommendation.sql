-- What was ever recommended, and what became of it.  glperf-advisor writes
-- here on the primary; everything that it decides by is decided here.

CREATE TABLE recommendation_snapshot (
	id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	taken_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	table_updates jsonb NOT NULL DEFAULT '{}',
	index_files jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE recommendation_snapshot IS
'When counters were noted, to compare statements before and after a recommendation was applied. Kept as long as a recommendation needs it. Not dumped: counters are those of one server.';
COMMENT ON COLUMN recommendation_snapshot.id IS 'Names the snapshot.';
COMMENT ON COLUMN recommendation_snapshot.taken_at IS 'When it was taken.';
COMMENT ON COLUMN recommendation_snapshot.table_updates IS 'Per table of a recommendation, under its quoted qualified name: rows updated, and how many of those without a new index entry (HOT).';

COMMENT ON COLUMN recommendation_snapshot.index_files IS 'Per index that a recommendation wants to rebuild, under its quoted qualified name: its index_files(). Others later on mean that it was rebuilt.';

CREATE TABLE recommendation_counter (
	snapshot uuid NOT NULL
		REFERENCES recommendation_snapshot ON DELETE CASCADE,
	userid oid NOT NULL,
	queryid int8 NOT NULL,
	toplevel bool NOT NULL,
	calls int8 NOT NULL,
	total_time_ms float8 NOT NULL,
	spread float8 NOT NULL,
	blocks int8 NOT NULL,
	PRIMARY KEY (snapshot, queryid, userid, toplevel)
);
COMMENT ON TABLE recommendation_counter IS
'Counters of the statements of this database at a snapshot, from pg_stat_statements. Not dumped.';
COMMENT ON COLUMN recommendation_counter.snapshot IS 'The snapshot.';
COMMENT ON COLUMN recommendation_counter.userid IS 'Role that ran the statement.';
COMMENT ON COLUMN recommendation_counter.queryid IS 'The statement, as in pg_stat_statements.';
COMMENT ON COLUMN recommendation_counter.toplevel IS 'As in pg_stat_statements.';
COMMENT ON COLUMN recommendation_counter.calls IS 'Executions until then.';
COMMENT ON COLUMN recommendation_counter.total_time_ms IS 'Their time.';
COMMENT ON COLUMN recommendation_counter.spread IS 'Sum of the squared deviations from their mean time: the variance of what came later follows from two of these.';
COMMENT ON COLUMN recommendation_counter.blocks IS 'Shared blocks that they touched, cached or not.';

CREATE TABLE recommendation (
	name text COLLATE pg_catalog."C" PRIMARY KEY,
	action text NOT NULL,
	schema_name text NOT NULL,
	table_name text NOT NULL,
	index_name text,
	state text NOT NULL DEFAULT 'proposed'
		CHECK (state IN ('proposed', 'applied', 'verified', 'no effect',
						 'regressed', 'dismissed')),
	state_since_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	first_seen_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	last_seen_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	runs int8 NOT NULL DEFAULT 1,
	sources text[] NOT NULL DEFAULT '{}',
	ddl text NOT NULL,
	undo_ddl text,
	queryids int8[] NOT NULL DEFAULT '{}',
	size_bytes int8,
	benefit_ms_per_day float8,
	write_cost_ms_per_day float8,
	benefit_pct float8,
	confidence text,
	reasons text[] NOT NULL DEFAULT '{}',
	applied_at timestamptz,
	verified_at timestamptz,
	mean_before_ms float8,
	mean_after_ms float8,
	saved_ms_per_day float8,
	index_scans int8,
	hot_before_pct float8,
	hot_after_pct float8,
	message text,
	settled_size_bytes int8,
	settled_benefit_ms_per_day float8,
	before_snapshot uuid,
	after_snapshot uuid
);
COMMENT ON TABLE recommendation IS
'Every recommendation that glperf-advisor ever made, with what became of it: proposed; applied, and then, once its statements ran often enough, verified, no effect or regressed; or dismissed with glperf.dismiss(). Survives dump and restore.';
COMMENT ON COLUMN recommendation.name IS 'Action and quoted qualified name of what it is about; names the recommendation.';
COMMENT ON COLUMN recommendation.action IS 'As in advise_indexes().';
COMMENT ON COLUMN recommendation.schema_name IS 'Schema of the table.';
COMMENT ON COLUMN recommendation.table_name IS 'Table.';
COMMENT ON COLUMN recommendation.index_name IS 'Index, or statistics object, where there is one.';
COMMENT ON COLUMN recommendation.state IS 'proposed, applied, verified, no effect, regressed or dismissed.';
COMMENT ON COLUMN recommendation.state_since_at IS 'When it came into this state.';
COMMENT ON COLUMN recommendation.first_seen_at IS 'When it was first proposed.';
COMMENT ON COLUMN recommendation.last_seen_at IS 'When it was last proposed, or would have been had it not been dismissed.';
COMMENT ON COLUMN recommendation.runs IS 'Number of runs that proposed it.';
COMMENT ON COLUMN recommendation.sources IS 'Workloads whose last run proposed it: statistics (pg_stat_statements), file, log. Empty: it is not proposed now.';
COMMENT ON COLUMN recommendation.ddl IS 'Statements that carry it out.';
COMMENT ON COLUMN recommendation.undo_ddl IS 'Statement that takes it back; NULL when nothing does.';
COMMENT ON COLUMN recommendation.queryids IS 'Statements that it is for, as in pg_stat_statements.';
COMMENT ON COLUMN recommendation.size_bytes IS 'Expected size of the index.';
COMMENT ON COLUMN recommendation.benefit_ms_per_day IS 'Expected saving.';
COMMENT ON COLUMN recommendation.write_cost_ms_per_day IS 'Expected cost of writes.';
COMMENT ON COLUMN recommendation.benefit_pct IS 'Expected saving as a share of the workload''s time.';
COMMENT ON COLUMN recommendation.confidence IS 'high, medium or low, before it was applied.';
COMMENT ON COLUMN recommendation.reasons IS 'Why it was proposed.';
COMMENT ON COLUMN recommendation.applied_at IS 'When it was carried out, or first found to be; NULL: not yet.';
COMMENT ON COLUMN recommendation.verified_at IS 'When it was last judged by measurements; NULL: not yet.';
COMMENT ON COLUMN recommendation.mean_before_ms IS 'Measured: mean time of its statements before, weighed by their calls after.';
COMMENT ON COLUMN recommendation.mean_after_ms IS 'Measured: mean time of the same statements after.';
COMMENT ON COLUMN recommendation.saved_ms_per_day IS 'Measured: what its statements save, less what others lose; negative: a loss.';
COMMENT ON COLUMN recommendation.index_scans IS 'Measured: scans of the index since it exists; NULL where there is none.';
COMMENT ON COLUMN recommendation.hot_before_pct IS 'Share of the table''s updates that needed no new index entry, before; NULL without updates.';
COMMENT ON COLUMN recommendation.hot_after_pct IS 'The same after; NULL without updates.';
COMMENT ON COLUMN recommendation.message IS 'What was measured, in words; why it was dismissed.';
COMMENT ON COLUMN recommendation.settled_size_bytes IS 'size_bytes when it was dismissed or had failed: it is proposed again when that has grown by the factor of threshold dismissed_growth.';
COMMENT ON COLUMN recommendation.settled_benefit_ms_per_day IS 'The same for benefit_ms_per_day.';
COMMENT ON COLUMN recommendation.before_snapshot IS 'Counters before it was applied.';
COMMENT ON COLUMN recommendation.after_snapshot IS 'Counters from which on it counts as applied.';
SELECT pg_catalog.pg_extension_config_dump('glperf.recommendation', '');
-- known to dumps, but without rows
SELECT pg_catalog.pg_extension_config_dump('glperf.recommendation_snapshot', 'WHERE false');
SELECT pg_catalog.pg_extension_config_dump('glperf.recommendation_counter', 'WHERE false');

CREATE FUNCTION recommendation_name(action text, schema_name text,
	table_name text, index_name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT format('%s %I.%I', $1, $2, coalesce($4, $3))
$$;
COMMENT ON FUNCTION recommendation_name(text, text, text, text) IS
'Key of glperf.recommendation. The name of a recommended index follows from its definition, so the same advice has the same name in every run.';

CREATE FUNCTION index_files(schema_name text, index_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT string_agg(format('%s:%s', l.relid, pg_relation_filenode(l.relid)), ' '
				  ORDER BY l.relid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
-- no rows for what is no part of a tree
LEFT JOIN LATERAL pg_partition_tree(c.oid) t ON true
CROSS JOIN LATERAL (SELECT coalesce(t.relid, c.oid) AS relid) l
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('i', 'I')
	AND t.isleaf IS NOT FALSE
$$;
COMMENT ON FUNCTION index_files(text, text) IS
'Which files hold an index, of all partitions if it has some; NULL when it does not exist. Only to be compared: every way of rebuilding an index gives it another file, and REINDEX CONCURRENTLY another OID, too.';

CREATE FUNCTION recommendation_in_place(action text, schema_name text,
	table_name text, index_name text) RETURNS bool
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
WITH found AS (
	SELECT t.oid AS table_oid, i.indrelid = t.oid AS is_its_index,
		c.oid IS NOT NULL AS has_index,
		coalesce(i.indisvalid AND i.indisready AND i.indislive, false)
			AS is_usable
	FROM (VALUES (true)) AS one(row)
	LEFT JOIN pg_namespace n ON n.nspname = $2
	LEFT JOIN pg_class t ON t.relnamespace = n.oid AND t.relname = $3
	LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $4
	LEFT JOIN pg_index i ON i.indexrelid = c.oid
)
SELECT CASE
	WHEN $1 IN ('create', 'replace', 'merge')
		THEN coalesce(f.is_its_index, false) AND f.is_usable
	WHEN $1 = 'drop' THEN f.table_oid IS NOT NULL AND NOT f.has_index
	WHEN $1 = 'reindex' THEN (
		SELECT coalesce(f.is_its_index, false) AND f.is_usable
			AND glperf.index_files($2, $4) <>
				s.index_files ->> format('%I.%I', $2, $4)
		FROM glperf.recommendation r
		JOIN glperf.recommendation_snapshot s ON s.id = r.before_snapshot
		WHERE r.name = glperf.recommendation_name($1, $2, $3, $4))
	WHEN $1 = 'create statistics' THEN EXISTS (
		SELECT FROM pg_statistic_ext e
		WHERE e.stxrelid = f.table_oid AND e.stxname = $4)
	ELSE NULL END
FROM found f
$$;
COMMENT ON FUNCTION recommendation_in_place(text, text, text, text) IS
'Whether a recommendation to create, replace, merge or drop an index or to create statistics is carried out just now, by whomever; whether an index that was recommended to be rebuilt has been since (NULL when its files were not noted then). NULL for other actions.';

CREATE FUNCTION recommendation_match(action text, schema_name text,
	table_name text, index_name text, source text, size_bytes int8,
	benefit_ms_per_day float8,
	OUT name text, OUT state text, OUT first_seen_at timestamptz,
	OUT is_new bool, OUT is_suppressed bool, OUT note text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
WITH known AS (
	SELECT k.name, r.state, r.first_seen_at, r.sources, r.message,
		r.state = 'dismissed'
			OR (r.state IN ('no effect', 'regressed')
				AND r.action IN ('create', 'replace', 'merge', 'drop',
								 'create statistics')) AS settled,
		-- nothing is promised to get faster: what counts is space
		CASE WHEN r.action IN ('drop', 'merge', 'reindex')
			THEN $6 > t.warning * greatest(r.settled_size_bytes, 8192)
			ELSE $7 > t.warning * greatest(r.settled_benefit_ms_per_day, 0)
				AND $7 > 0
		END AS grown
	FROM (VALUES (glperf.recommendation_name($1, $2, $3, $4))) AS k(name)
	LEFT JOIN glperf.recommendation r ON r.name = k.name
	LEFT JOIN glperf.threshold t ON t.id = 'dismissed_growth'
), judged AS (
	SELECT k.*, coalesce(k.settled AND NOT coalesce(k.grown, false), false)
		AS suppressed
	FROM known k
)
SELECT j.name,
	CASE WHEN j.suppressed THEN j.state ELSE 'proposed' END,
	j.first_seen_at,
	NOT j.suppressed AND (j.state IS NULL OR j.state <> 'proposed'
						  OR NOT $5 = ANY (j.sources)),
	j.suppressed,
	CASE
		WHEN j.suppressed THEN format('%s: %s', j.state, j.message)
		WHEN j.settled THEN format('was %s (%s), but much more depends on it now',
								   j.state, j.message)
		WHEN j.state IN ('applied', 'verified')
			AND $1 IN ('create', 'replace', 'merge', 'drop',
					   'create statistics')
			THEN format('was %s before, and taken back since', j.state)
		WHEN j.state IN ('applied', 'verified', 'no effect', 'regressed')
			AND $1 = 'reindex'
			THEN 'was rebuilt before, and needs it again'
	END
FROM judged j
$$;
COMMENT ON FUNCTION recommendation_match(text, text, text, text, text, int8, float8) IS
'What is known of a recommendation that a run just made. is_new: the last run over the same source did not propose it. is_suppressed: it was dismissed, or was tried and did not help, and what speaks for it has not grown by the factor of threshold dismissed_growth since. note says so in words, NULL when there is nothing to say. Changes nothing.';

CREATE FUNCTION recommendations_gone(source text, names text[],
	OUT name text, OUT ddl text, OUT is_in_place bool)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
SELECT r.name, r.ddl,
	coalesce(glperf.recommendation_in_place(r.action, r.schema_name,
		r.table_name, r.index_name), false)
FROM glperf.recommendation r
WHERE r.state = 'proposed' AND $1 = ANY (r.sources)
	AND NOT r.name = ANY ($2)
ORDER BY r.name
$$;
COMMENT ON FUNCTION recommendations_gone(text, text[]) IS
'What the last run over a source proposed and this one, which proposed names, does not; is_in_place: because somebody has carried it out. Changes nothing.';

CREATE FUNCTION recommendation_begin() RETURNS uuid
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
-- one writer at a time, or two runs could deadlock over the rows
SELECT pg_advisory_xact_lock(7452455064404623362);
-- what nobody needs any more
DELETE FROM glperf.recommendation_snapshot s
WHERE NOT EXISTS (
	SELECT FROM glperf.recommendation r
	WHERE (r.before_snapshot = s.id OR r.after_snapshot = s.id)
		AND (r.state = 'proposed' AND r.sources <> '{}'
			 OR r.applied_at > now() - interval '1 day' * (
				SELECT t.warning FROM glperf.threshold t
				WHERE t.id = 'index_evidence')));
WITH snap AS (
	INSERT INTO glperf.recommendation_snapshot DEFAULT VALUES RETURNING id
), counters AS (
	INSERT INTO glperf.recommendation_counter
		(snapshot, userid, queryid, toplevel, calls, total_time_ms, spread,
		 blocks)
	SELECT snap.id, s.userid, s.queryid, s.toplevel, s.calls, s.total_time_ms,
		s.stddev_time_ms * s.stddev_time_ms * s.calls,
		s.shared_blks_hit + s.shared_blks_read
	FROM snap, glperf.statement_stats(false, false) s
	WHERE s.dbid = (SELECT d.oid FROM pg_database d
					WHERE d.datname = current_database())
		AND s.queryid IS NOT NULL
	ON CONFLICT DO NOTHING
)
SELECT snap.id FROM snap
$$;
COMMENT ON FUNCTION recommendation_begin() IS
'Notes the counters of all statements of this database, and forgets snapshots that nothing needs; returns the new one. The first step of recording a run: the transaction holds an advisory lock from here on. Needs all rights on glperf.recommendation_snapshot and recommendation_counter.';

CREATE FUNCTION table_updates(schema_name text, table_name text) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_array(
	coalesce(sum(pg_stat_get_tuples_updated(l.relid)), 0),
	coalesce(sum(pg_stat_get_tuples_hot_updated(l.relid)), 0))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL pg_partition_tree(c.oid) t ON true
CROSS JOIN LATERAL (SELECT coalesce(t.relid, c.oid) AS relid) l
WHERE n.nspname = $1 AND c.relname = $2
$$;
COMMENT ON FUNCTION table_updates(text, text) IS
'Rows updated in a table, with its partitions, and how many of those needed no new index entry (HOT): a JSON array of two counters.';

CREATE FUNCTION refuse(condition text, message text, hint text) RETURNS text
LANGUAGE c VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_refuse';
COMMENT ON FUNCTION refuse(text, text, text) IS
'Raises an error; for functions in SQL. condition: undefined_object, ambiguous_column or invalid_parameter_value.';

CREATE FUNCTION recommendation_check(snapshot uuid, source text, action text)
RETURNS bool
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
	WHEN NOT EXISTS (SELECT FROM glperf.recommendation_snapshot s
					 WHERE s.id = $1)
		THEN glperf.refuse('undefined_object',
			format('there is no snapshot "%s"', $1),
			'Take one with glperf.recommendation_begin(), in the same transaction.')
	WHEN NOT coalesce($2 IN ('statistics', 'file', 'log'), false)
		THEN glperf.refuse('invalid_parameter_value',
			format('"%s" is no source of recommendations', $2),
			'A source is statistics, file or log.')
	WHEN NOT coalesce($3 IN ('create', 'replace', 'merge', 'drop', 'reindex',
							 'analyze', 'create statistics'), false)
		THEN glperf.refuse('invalid_parameter_value',
			format('"%s" is no action of a recommendation', $3),
			'See the column action of glperf.advise_indexes().')
	END IS NULL
$$;
COMMENT ON FUNCTION recommendation_check(uuid, text, text) IS
'Refuses what cannot be recorded: an unknown snapshot, source or action. Errors: undefined_object, invalid_parameter_value.';

CREATE FUNCTION record_recommendation(snapshot uuid, source text, action text,
	schema_name text, table_name text, index_name text, ddl text,
	undo_ddl text, queryids int8[], size_bytes int8,
	benefit_ms_per_day float8, write_cost_ms_per_day float8,
	benefit_pct float8, confidence text, reasons text[]) RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT glperf.recommendation_check($1, $2, $3);
UPDATE glperf.recommendation_snapshot s
SET table_updates = s.table_updates || jsonb_build_object(
	format('%I.%I', $4, $5), glperf.table_updates($4, $5)),
	index_files = CASE WHEN $3 = 'reindex'
		THEN s.index_files || jsonb_build_object(
			format('%I.%I', $4, $6), glperf.index_files($4, $6))
		ELSE s.index_files END
WHERE s.id = $1;
INSERT INTO glperf.recommendation AS r
	(name, action, schema_name, table_name, index_name, state, sources, ddl,
	 undo_ddl, queryids, size_bytes, benefit_ms_per_day,
	 write_cost_ms_per_day, benefit_pct, confidence, reasons,
	 before_snapshot)
SELECT m.name, $3, $4, $5, $6, m.state, ARRAY[$2], $7, $8,
	coalesce(array_remove($9, 0::int8), '{}'), $10, $11, $12, $13, $14,
	coalesce($15, '{}'), $1
FROM glperf.recommendation_match($3, $4, $5, $6, $2, $10, $11) m
ON CONFLICT (name) DO UPDATE
SET last_seen_at = excluded.last_seen_at, runs = r.runs + 1;
-- what stays dismissed keeps the evidence that it was dismissed on
UPDATE glperf.recommendation r
SET state = 'proposed',
	state_since_at = CASE WHEN r.state = 'proposed' THEN r.state_since_at
		ELSE clock_timestamp() END,
	sources = array_append(array_remove(r.sources, $2), $2),
	ddl = $7, undo_ddl = $8,
	queryids = coalesce(array_remove($9, 0::int8), '{}'),
	size_bytes = $10, benefit_ms_per_day = $11, write_cost_ms_per_day = $12,
	benefit_pct = $13, confidence = $14, reasons = coalesce($15, '{}'),
	applied_at = NULL, verified_at = NULL, mean_before_ms = NULL,
	mean_after_ms = NULL, saved_ms_per_day = NULL, index_scans = NULL,
	hot_before_pct = NULL, hot_after_pct = NULL, message = NULL,
	before_snapshot = $1, after_snapshot = NULL
FROM glperf.recommendation_match($3, $4, $5, $6, $2, $10, $11) m
WHERE r.name = m.name AND NOT m.is_suppressed;
SELECT glperf.recommendation_name($3, $4, $5, $6)
$$;
COMMENT ON FUNCTION record_recommendation(uuid, text, text, text, text, text, text, text, int8[], int8, float8, float8, float8, text, text[]) IS
'Notes that a run over a source proposed this, with the snapshot of recommendation_begin(); returns its name. Needs INSERT, SELECT and UPDATE on glperf.recommendation. Errors: those of recommendation_check().';

CREATE FUNCTION recommendation_end(snapshot uuid, source text, names text[])
RETURNS int8
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT glperf.recommendation_check($1, $2, 'create');
WITH gone AS (
	SELECT g.name, g.is_in_place
	FROM glperf.recommendations_gone($2, $3) g
), hand AS (
	UPDATE glperf.recommendation_snapshot s
	SET table_updates = s.table_updates || coalesce((
		SELECT jsonb_object_agg(format('%I.%I', r.schema_name, r.table_name),
			glperf.table_updates(r.schema_name, r.table_name))
		FROM gone g JOIN glperf.recommendation r ON r.name = g.name
		WHERE g.is_in_place), '{}')
	WHERE s.id = $1
), changed AS (
	UPDATE glperf.recommendation r
	SET sources = array_remove(r.sources, $2),
		state = CASE WHEN g.is_in_place THEN 'applied' ELSE r.state END,
		state_since_at = CASE WHEN g.is_in_place THEN clock_timestamp()
			ELSE r.state_since_at END,
		applied_at = CASE WHEN g.is_in_place THEN clock_timestamp() END,
		after_snapshot = CASE WHEN g.is_in_place THEN $1 END
	FROM gone g
	WHERE r.name = g.name
	RETURNING r.name
)
SELECT count(*) FROM changed
$$;
COMMENT ON FUNCTION recommendation_end(uuid, text, text[]) IS
'Ends the recording of a run over a source that proposed names: what the run before proposed and this one does not is no longer current, or counts as applied when somebody has carried it out. Returns how many those are.';

CREATE FUNCTION recommendation_applied(snapshot uuid, names text[])
RETURNS int8
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT glperf.recommendation_check($1, 'statistics', 'create');
WITH noted AS (
	UPDATE glperf.recommendation_snapshot s
	SET table_updates = s.table_updates || coalesce((
		SELECT jsonb_object_agg(format('%I.%I', r.schema_name, r.table_name),
			glperf.table_updates(r.schema_name, r.table_name))
		FROM glperf.recommendation r WHERE r.name = ANY ($2)), '{}')
	WHERE s.id = $1
), changed AS (
	UPDATE glperf.recommendation r
	SET state = 'applied', state_since_at = clock_timestamp(),
		applied_at = clock_timestamp(), sources = '{}', after_snapshot = $1
	WHERE r.name = ANY ($2)
	RETURNING r.name
)
SELECT count(*) FROM changed
$$;
COMMENT ON FUNCTION recommendation_applied(uuid, text[]) IS
'Notes that recommendations were carried out, with a snapshot of recommendation_begin() taken after that; returns how many are known.';

CREATE FUNCTION recommendation_named(name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE count(*)
	WHEN 1 THEN min(r.name)
	WHEN 0 THEN glperf.refuse('undefined_object',
		format('there is no recommendation "%s"', $1),
		'SELECT name, ddl FROM glperf.recommendation lists them.')
	ELSE glperf.refuse('ambiguous_column',
		format('more than one recommendation is about "%s"', $1),
		format('Name one of: %s.', string_agg(quote_literal(r.name), ', '
											  ORDER BY r.name)))
	END
FROM glperf.recommendation r
WHERE r.name = $1
	OR ($1 IN (r.index_name,
			-- NULL for what is about no index
			quote_ident(r.schema_name) || '.' || quote_ident(r.index_name))
		AND NOT EXISTS (SELECT FROM glperf.recommendation o
						WHERE o.name = $1))
$$;
COMMENT ON FUNCTION recommendation_named(text) IS
'The recommendation with this name, or about the index of this name, with or without its schema. Errors: undefined_object, ambiguous_column.';

CREATE FUNCTION dismiss(name text, reason text) RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
UPDATE glperf.recommendation r
SET state = 'dismissed', state_since_at = clock_timestamp(), sources = '{}',
	message = format('by %s: %s', session_user, coalesce($2, 'no reason given')),
	settled_size_bytes = r.size_bytes,
	settled_benefit_ms_per_day = r.benefit_ms_per_day
WHERE r.name = glperf.recommendation_named($1)
RETURNING r.name
$$;
COMMENT ON FUNCTION dismiss(text, text) IS
'Tells glperf-advisor not to propose this again, until what speaks for it has grown by the factor of threshold dismissed_growth; glperf-advisor --all shows it nevertheless. name is that of glperf.recommendation, or of the index. Returns the name. Needs UPDATE on glperf.recommendation. Errors: undefined_object, ambiguous_column.';

CREATE FUNCTION propose_again(name text) RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
UPDATE glperf.recommendation r
SET state = 'proposed', state_since_at = clock_timestamp(), sources = '{}',
	message = NULL, settled_size_bytes = NULL,
	settled_benefit_ms_per_day = NULL
WHERE r.name = glperf.recommendation_named($1)
	AND r.state IN ('dismissed', 'no effect', 'regressed')
RETURNING r.name
$$;
COMMENT ON FUNCTION propose_again(text) IS
'Takes back dismiss(), or gives another chance to what had no effect; the next run proposes it if it still wants to. Returns the name; NULL if there was nothing to take back.';

REVOKE ALL ON recommendation, recommendation_snapshot, recommendation_counter
	FROM PUBLIC;
GRANT SELECT ON recommendation, recommendation_snapshot,
	recommendation_counter TO pg_monitor;
REVOKE ALL ON FUNCTION recommendation_name(text, text, text, text),
	index_files(text, text),
	recommendation_in_place(text, text, text, text),
	recommendation_match(text, text, text, text, text, int8, float8),
	recommendations_gone(text, text[]), recommendation_begin(),
	table_updates(text, text), recommendation_check(uuid, text, text),
	record_recommendation(uuid, text, text, text, text, text, text, text,
		int8[], int8, float8, float8, float8, text, text[]),
	recommendation_end(uuid, text, text[]),
	recommendation_applied(uuid, text[]), recommendation_named(text),
	dismiss(text, text), propose_again(text), refuse(text, text, text)
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION recommendation_name(text, text, text, text),
	index_files(text, text),
	recommendation_in_place(text, text, text, text),
	recommendation_match(text, text, text, text, text, int8, float8),
	recommendations_gone(text, text[]), recommendation_begin(),
	table_updates(text, text), recommendation_check(uuid, text, text),
	record_recommendation(uuid, text, text, text, text, text, text, text,
		int8[], int8, float8, float8, float8, text, text[]),
	recommendation_end(uuid, text, text[]),
	recommendation_applied(uuid, text[]), recommendation_named(text),
	dismiss(text, text), propose_again(text), refuse(text, text, text)
	TO pg_monitor;

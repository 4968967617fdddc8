-- What glperf-advisor --apply did, and what a step is about.

CREATE TABLE apply_log (
	id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	finished_at timestamptz,
	role text NOT NULL DEFAULT session_user,
	command text NOT NULL,
	schema_name text,
	table_name text,
	index_name text,
	statement text NOT NULL,
	undo_ddl text,
	outcome text NOT NULL DEFAULT 'started'
		CHECK (outcome IN ('started', 'done', 'failed', 'refused')),
	sqlstate text,
	message text
);
-- the only look-up: the newest entry about one index
CREATE INDEX apply_log_index_name
	ON apply_log (index_name, schema_name, started_at DESC);
COMMENT ON TABLE apply_log IS
'Every statement that glperf-advisor --apply ran, written before it ran: the record of what is ours to clean up. An entry that stays "started" was interrupted. Survives dump and restore.';
COMMENT ON COLUMN apply_log.id IS 'Names the step.';
COMMENT ON COLUMN apply_log.started_at IS 'When the statement was about to run.';
COMMENT ON COLUMN apply_log.finished_at IS 'When it had ended; NULL while it runs or when the run was interrupted.';
COMMENT ON COLUMN apply_log.role IS 'Session user of the run.';
COMMENT ON COLUMN apply_log.command IS 'Kind of statement, as in ddl_target().';
COMMENT ON COLUMN apply_log.schema_name IS 'Schema of the index or table; NULL when the statement names none.';
COMMENT ON COLUMN apply_log.table_name IS 'Table; NULL when the statement names none.';
COMMENT ON COLUMN apply_log.index_name IS 'Index; NULL when the statement names none.';
COMMENT ON COLUMN apply_log.statement IS 'The statement as it was sent.';
COMMENT ON COLUMN apply_log.undo_ddl IS 'What takes it back; NULL when nothing does.';
COMMENT ON COLUMN apply_log.outcome IS 'started, done, failed, or refused (a foreign object held the name; nothing ran).';
COMMENT ON COLUMN apply_log.sqlstate IS 'SQLSTATE of the failure; NULL otherwise.';
COMMENT ON COLUMN apply_log.message IS 'The failure in words; NULL otherwise.';
SELECT pg_catalog.pg_extension_config_dump('glperf.apply_log', '');

CREATE FUNCTION ddl_target(ddl text,
	OUT command text, OUT is_concurrent bool, OUT schema_name text,
	OUT table_name text, OUT index_name text,
	OUT partition_schema text, OUT partition_index text)
LANGUAGE c STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_ddl_target';
COMMENT ON FUNCTION ddl_target(text) IS
'What one DDL statement is about, read from its parse tree and nothing else. command: create index, drop index, attach partition, reindex, analyze, create statistics, or other: everything else, and what --apply never runs (names without a schema, IF [NOT] EXISTS, CASCADE, building, rebuilding or dropping without CONCURRENTLY except ON ONLY a partitioned table). Errors: syntax_error; invalid_parameter_value unless there is exactly one statement.';

CREATE FUNCTION apply_owns(schema_name text, index_name text) RETURNS bool
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT coalesce((
	SELECT l.command = 'create index' OR l.outcome <> 'done'
	FROM glperf.apply_log l
	WHERE l.schema_name = $1 AND l.index_name = $2
		AND l.command IN ('create index', 'drop index')
		AND l.outcome <> 'refused'
	ORDER BY l.started_at DESC LIMIT 1), false)
	OR EXISTS (
		SELECT FROM glperf.apply_log l
		WHERE $2 ~ '_ccnew[0-9]*$' AND l.schema_name = $1
			AND l.index_name = regexp_replace($2, '_ccnew[0-9]*$', '')
			AND l.command = 'reindex' AND l.outcome <> 'done')
$$;
COMMENT ON FUNCTION apply_owns(text, text) IS
'True when glperf-advisor --apply created the index of this name, began to create it, or began to drop it, and has not dropped it since, or when it is what an interrupted REINDEX of ours was building: if it is invalid now, it is ours to remove. Source: apply_log.';

CREATE FUNCTION apply_step(step text,
	OUT command text, OUT is_concurrent bool, OUT schema_name text,
	OUT table_name text, OUT index_name text, OUT state text,
	OUT is_own bool, OUT is_done bool, OUT drop_ddl text)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
WITH target AS (
	SELECT * FROM glperf.ddl_target($1)
), object AS (
	SELECT t.*, c.oid AS index_oid, c.relkind, i.indrelid,
		CASE
			WHEN t.index_name IS NULL THEN NULL
			WHEN c.oid IS NULL THEN 'absent'
			WHEN c.relkind NOT IN ('i', 'I') THEN 'other relation'
			WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'valid'
			WHEN EXISTS (SELECT FROM pg_stat_progress_create_index p
						 WHERE p.index_relid = c.oid
							AND p.datname = current_database())
				THEN 'building'
			WHEN c.relkind = 'I' THEN 'incomplete'
			ELSE 'invalid'
		END AS state,
		glperf.apply_owns(t.schema_name, t.index_name) AS is_own
	FROM target t
		LEFT JOIN pg_namespace n ON n.nspname = t.schema_name
		LEFT JOIN pg_class c
			ON c.relnamespace = n.oid AND c.relname = t.index_name
		LEFT JOIN pg_index i ON i.indexrelid = c.oid
)
SELECT o.command, o.is_concurrent, o.schema_name, o.table_name, o.index_name,
	o.state, coalesce(o.is_own, false),
	CASE o.command
		WHEN 'create index' THEN
			o.is_own AND o.state IN ('valid', 'incomplete')
			AND EXISTS (
				SELECT FROM pg_class r JOIN pg_namespace n
					ON n.oid = r.relnamespace
				WHERE r.oid = o.indrelid AND r.relname = o.table_name
					AND n.nspname = o.schema_name)
		WHEN 'drop index' THEN o.state = 'absent'
		-- a valid index may need it again another night
		WHEN 'reindex' THEN o.state = 'valid' AND EXISTS (
			SELECT FROM glperf.apply_log l
			WHERE l.statement = $1 AND l.outcome = 'done'
				AND l.finished_at >= (
					SELECT a.backend_start FROM pg_stat_activity a
					WHERE a.pid = pg_backend_pid()))
		WHEN 'attach partition' THEN EXISTS (
			SELECT FROM pg_inherits h
				JOIN pg_class l ON l.oid = h.inhrelid
				JOIN pg_namespace n ON n.oid = l.relnamespace
			WHERE h.inhparent = o.index_oid
				AND l.relname = o.partition_index
				AND n.nspname = o.partition_schema)
		ELSE false
	END,
	CASE WHEN o.relkind = 'i'
		THEN format('DROP INDEX CONCURRENTLY %I.%I',
					o.schema_name, o.index_name)
	END
FROM object o
$$;
COMMENT ON FUNCTION apply_step(text) IS
'One step of a recommendation and where it stands. state of its index: absent, valid, invalid, building (by a session that is at work now), incomplete (partitioned, leaves missing), other relation; NULL without an index. is_own as in apply_owns(). is_done: nothing is left to do. drop_ddl: how to remove the index, NULL for a partitioned one.';

CREATE FUNCTION apply_begin(step text, undo_ddl text) RETURNS uuid
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
INSERT INTO glperf.apply_log
	(command, schema_name, table_name, index_name, statement, undo_ddl)
SELECT t.command, t.schema_name, t.table_name, t.index_name, $1, $2
FROM glperf.ddl_target($1) t
RETURNING id
$$;
COMMENT ON FUNCTION apply_begin(text, text) IS
'Note in apply_log that a statement is about to run; returns the id for apply_end(). Needs INSERT and SELECT on apply_log.';

CREATE FUNCTION apply_end(id uuid, outcome text, sqlstate text, message text)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
UPDATE glperf.apply_log l
SET finished_at = clock_timestamp(), outcome = $2, sqlstate = $3, message = $4
WHERE l.id = $1
$$;
COMMENT ON FUNCTION apply_end(uuid, text, text, text) IS
'Note in apply_log how a statement ended: done, failed or refused. Needs UPDATE and SELECT on apply_log.';

CREATE VIEW apply_leftovers AS
SELECT n.nspname::text AS schema_name, r.relname::text AS table_name,
	c.relname::text AS index_name,
	pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname)
		AS drop_ddl
FROM pg_catalog.pg_index i
	JOIN pg_catalog.pg_class c
		ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
	JOIN pg_catalog.pg_class r
		ON r.oid OPERATOR(pg_catalog.=) i.indrelid
	JOIN pg_catalog.pg_namespace n
		ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relkind OPERATOR(pg_catalog.=) 'i'
	AND NOT (i.indisvalid AND i.indisready AND i.indislive)
	AND glperf.apply_owns(n.nspname::text, c.relname::text)
	AND NOT EXISTS (
		SELECT FROM pg_catalog.pg_stat_progress_create_index p
		WHERE p.index_relid OPERATOR(pg_catalog.=) c.oid
			AND p.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW apply_leftovers IS
'Invalid indexes that an interrupted glperf-advisor --apply left behind: every write maintains them and no query uses them. The next --apply drops them first. Indexes that something else left behind are in index_usage, verdict invalid.';
COMMENT ON COLUMN apply_leftovers.schema_name IS 'Schema of the index.';
COMMENT ON COLUMN apply_leftovers.table_name IS 'Table of the index.';
COMMENT ON COLUMN apply_leftovers.index_name IS 'Name of the index.';
COMMENT ON COLUMN apply_leftovers.drop_ddl IS 'Statement that removes it; runs outside a transaction block.';

REVOKE ALL ON apply_log FROM PUBLIC;
GRANT SELECT ON apply_log, apply_leftovers TO pg_monitor;
REVOKE ALL ON FUNCTION ddl_target(text), apply_owns(text, text),
	apply_step(text), apply_begin(text, text),
	apply_end(uuid, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ddl_target(text), apply_owns(text, text),
	apply_step(text), apply_begin(text, text),
	apply_end(uuid, text, text, text) TO pg_monitor;

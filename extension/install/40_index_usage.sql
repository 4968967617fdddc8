-- Indexes: which are used, which are redundant, which are broken, and which
-- are missing beside a foreign key.

CREATE FUNCTION relation_bytes(relation oid) RETURNS int8
LANGUAGE c STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_relation_bytes';
COMMENT ON FUNCTION relation_bytes(oid) IS
'Bytes on disk of a relation and its TOAST table, as pg_table_size counts them, but read from the files: it waits for no lock. 0 for partitioned and temporary tables; NULL if there is no such relation.';

-- What other nodes count.

CREATE TABLE replica_usage (
	node text COLLATE pg_catalog."C" NOT NULL,
	schema_name text COLLATE pg_catalog."C" NOT NULL,
	index_name text COLLATE pg_catalog."C" NOT NULL,
	scans int8 NOT NULL,
	last_used_at timestamptz,
	since_at timestamptz,
	standbys text[],
	reported_at timestamptz NOT NULL,
	reported_by text NOT NULL,
	PRIMARY KEY (node, schema_name, index_name)
-- each report rewrites all rows of its node, and no indexed column
) WITH (fillfactor = 50);
COMMENT ON TABLE replica_usage IS
'Scans of each index on other nodes, as glperf.report_replica_usage() wrote them; glperf.index_usage counts them in. Not dumped: reports age in days.';
COMMENT ON COLUMN replica_usage.node IS 'Name of the node, as glperf.node_name() says there.';
COMMENT ON COLUMN replica_usage.schema_name IS 'Schema of the index.';
COMMENT ON COLUMN replica_usage.index_name IS 'Name of the index.';
COMMENT ON COLUMN replica_usage.scans IS 'Scans there since since_at.';
COMMENT ON COLUMN replica_usage.last_used_at IS 'Last scan there; NULL: none, or the node cannot tell (before PostgreSQL 16).';
COMMENT ON COLUMN replica_usage.since_at IS 'Since when the node has counted; NULL: unknown.';
COMMENT ON COLUMN replica_usage.standbys IS 'Names of the standbys attached to that node; NULL: not told.';
COMMENT ON COLUMN replica_usage.reported_at IS 'When it was reported.';
COMMENT ON COLUMN replica_usage.reported_by IS 'Role that reported it.';
SELECT pg_catalog.pg_extension_config_dump('replica_usage', 'WHERE false');

CREATE FUNCTION report_replica_usage(
	node text, schema text, index text, scans int8,
	last_used_at timestamptz, since_at timestamptz,
	standbys text[] DEFAULT NULL)
RETURNS bool
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_report_replica_usage';
COMMENT ON FUNCTION report_replica_usage(text, text, text, int8, timestamptz, timestamptz, text[]) IS
'Tells this node how often another one has scanned an index, so that glperf.index_usage can call it unused, or used, although standbys are attached: glperf-advisor does so for every index of glperf.index_usage on the replica (scans, last_scan_at, evidence_since_at), with node = glperf.node_name() and standbys = glperf.standby_names() read there. A later report of the same node and index replaces the earlier one. False: there is no such index here, nothing was kept. Granted to nobody: GRANT USAGE ON SCHEMA glperf TO role; GRANT EXECUTE ON FUNCTION glperf.report_replica_usage TO role. Errors: null_value_not_allowed, numeric_value_out_of_range, read_only_sql_transaction on a standby.';

CREATE FUNCTION index_report(
	counters_since_at timestamptz, min_evidence_s float8,
	prefix_ratio float8, standbys text[], report_age_s float8,
	with_undo bool, key_share_pct float8, key_share_rows float8,
	OUT schema_name text, OUT table_name text, OUT index_name text,
	OUT size_bytes int8, OUT scans int8, OUT tuples_read int8,
	OUT evidence_since_at timestamptz, OUT evidence_s float8,
	OUT is_unique bool, OUT is_constraint bool, OUT is_valid bool,
	OUT verdict text, OUT reason text, OUT covered_by text,
	OUT drop_ddl text, OUT undo_ddl text,
	OUT last_scan_at timestamptz, OUT replica_scans int8,
	OUT replicas_missing text, OUT hit_ratio float8)
RETURNS SETOF record
LANGUAGE c STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_index_usage';
COMMENT ON FUNCTION index_report(timestamptz, float8, float8, text[], float8, bool,
	float8, float8) IS
'The rows of glperf.index_usage. counters_since_at: when the scan counters began; min_evidence_s: seconds without a scan that make an index unused, NULL: nothing does; prefix_ratio: an index this many times as large is no substitute for one in use, NULL: any size is; standbys: names of the attached nodes, whose scans are not counted here; report_age_s: seconds after which what was reported about them counts for nothing, NULL: never; with_undo: print undo_ddl, too, which takes as long as all the rest; key_share_pct: an index in use whose every key finds more of the table is unselective, NULL: none is; key_share_rows: in tables of more rows than this.';

CREATE FUNCTION counters_since() RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT greatest(
		(SELECT stats_reset FROM pg_stat_database
		 WHERE datname = current_database()),
		(SELECT stats_reset FROM pg_stat_bgwriter),
		(SELECT stats_reset FROM pg_stat_wal))
	WHERE current_setting('track_counts')::bool AND NOT EXISTS (
		SELECT FROM pg_db_role_setting s
		WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d
									WHERE d.datname = current_database()))
			AND EXISTS (SELECT FROM unnest(s.setconfig) c
				WHERE lower(c) ~ '^track_counts=(f|n|0|of)'));
$$;
COMMENT ON FUNCTION counters_since() IS
'Since when the statistics of this database say anything. A crash empties them and leaves pg_stat_database.stats_reset NULL, but stamps the cluster-wide statistics: so the latest of all reset stamps. NULL, unknown, while track_counts is off, for everybody or for a role or database: then scans are missing.';

CREATE FUNCTION standby_names() RETURNS SETOF text
LANGUAGE sql STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(s.slot_name::text, r.application_name)
	FROM pg_stat_replication r
	LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
	WHERE r.state IN ('streaming', 'catchup')
		AND r.application_name NOT IN ('pg_receivewal', 'pg_basebackup')
		AND s.slot_type IS DISTINCT FROM 'logical'
	UNION ALL
	SELECT s.slot_name::text FROM pg_replication_slots s
	WHERE s.slot_type = 'physical' AND NOT s.active
$$;
COMMENT ON FUNCTION standby_names() IS
'Names of the standbys attached to this node: the slot, or else the application_name, of each physical replication connection, and each physical slot whose standby is away. Their queries scan indexes that are never scanned here.';

CREATE FUNCTION node_name() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT coalesce(nullif(w.slot_name, ''),
				-- written out without quotes
				substring(' ' || w.conninfo
					FROM ' application_name=(.*?)(?: [a-z_]+=|$)'))
		 FROM pg_stat_wal_receiver w WHERE w.conninfo IS NOT NULL),
		nullif(current_setting('primary_slot_name', true), ''),
		nullif(current_setting('cluster_name'), ''),
		'walreceiver')
	WHERE pg_is_in_recovery()
$$;
COMMENT ON FUNCTION node_name() IS
'What glperf.standby_names() on the node that this standby is attached to calls it: its slot, or else its application_name (cluster_name, unless primary_conninfo has another). NULL on a primary.';

CREATE FUNCTION standbys_attached() RETURNS int8
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT count(*) FROM glperf.standby_names() $$;
COMMENT ON FUNCTION standbys_attached() IS
'Number of standbys attached to this node, see glperf.standby_names().';

CREATE VIEW index_usage AS
SELECT r.*
FROM index_report(
	counters_since(),
	(SELECT t.warning * 86400 FROM threshold t WHERE t.id = 'index_evidence'),
	(SELECT t.warning FROM threshold t WHERE t.id = 'index_prefix_size'),
	(SELECT pg_catalog.array_agg(s.name) FROM standby_names() s(name)),
	(SELECT t.warning FROM threshold t WHERE t.id = 'replica_report'),
	true,
	(SELECT t.warning FROM threshold t WHERE t.id = 'index_selectivity'),
	(SELECT t.warning FROM threshold t WHERE t.id = 'seq_scan_rows')) r;
COMMENT ON VIEW index_usage IS
'Every index of user tables with a verdict, its reason, and, where dropping it is advised, the statement that drops it and the one that brings it back. Never waits for a lock on a table. Source: guide, Index Strategy.';
COMMENT ON COLUMN index_usage.schema_name IS 'Schema of the table and the index.';
COMMENT ON COLUMN index_usage.table_name IS 'Table that the index belongs to.';
COMMENT ON COLUMN index_usage.index_name IS 'Name of the index.';
COMMENT ON COLUMN index_usage.size_bytes IS 'Size of the index in bytes; of a partitioned index, the sum of its parts.';
COMMENT ON COLUMN index_usage.scans IS 'Index scans on this node since evidence_since_at (also those of the planner and of EXPLAIN, which look up a column''s extremes).';
COMMENT ON COLUMN index_usage.tuples_read IS 'Index entries returned by those scans.';
COMMENT ON COLUMN index_usage.evidence_since_at IS 'Since when the counters are known to cover this index: the latest of all resets of statistics, of the last crash, of the creation of the index''s file, here and on the nodes that have reported, and of what glperf.recommendation knows to have dropped a redundant index of the same table, whose work this one may do since. NULL if unknown.';
COMMENT ON COLUMN index_usage.evidence_s IS 'Seconds from evidence_since_at until now; NULL if unknown.';
COMMENT ON COLUMN index_usage.is_unique IS 'The index keeps its columns unique.';
COMMENT ON COLUMN index_usage.is_constraint IS 'The index enforces a primary key, unique or exclusion constraint.';
COMMENT ON COLUMN index_usage.is_valid IS 'Queries can use the index.';
COMMENT ON COLUMN index_usage.verdict IS 'used; unused: not scanned for as long as the threshold index_evidence asks; duplicate: another index has the same keys; covered: another one holds more; prefix: another one begins with its keys; invalid: left behind by a failed build; unselective: used, but every key finds a large part of the table (threshold index_selectivity); keep: something besides scans needs it; unknown: the counters do not reach back far enough, or a standby has not reported its own.';
COMMENT ON COLUMN index_usage.reason IS 'Why the verdict is what it is.';
COMMENT ON COLUMN index_usage.covered_by IS 'The index that makes this one redundant; NULL if none does. It is never offered for dropping itself.';
COMMENT ON COLUMN index_usage.drop_ddl IS 'Statement that drops the index; NULL unless that is advised. To be run outside a transaction block.';
COMMENT ON COLUMN index_usage.undo_ddl IS 'Statements that bring the index back, with its parts, comment, statistics targets and dependence on extensions, separated by semicolon and newline, to be run one by one outside a transaction block; NULL unless drop_ddl is set, or if the table is locked just now.';
COMMENT ON COLUMN index_usage.last_scan_at IS 'Last scan on this node or one that has reported; NULL: none, or not known (before PostgreSQL 16).';
COMMENT ON COLUMN index_usage.replica_scans IS 'Scans on other nodes, as reported with glperf.report_replica_usage(); NULL: none has reported lately.';
COMMENT ON COLUMN index_usage.hit_ratio IS 'Share (0 to 1) of the index''s block reads on this node answered by shared buffers since evidence_since_at; NULL if none was read. Not judged.';
COMMENT ON COLUMN index_usage.replicas_missing IS 'Standbys that have not reported what they scan, so that an index which is idle here cannot be called unused; NULL: none. One that has once reported is missed until its reports are forgotten (critical limit of threshold replica_report), attached or not; if it is gone for good: DELETE FROM glperf.replica_usage WHERE node = its name.';

CREATE FUNCTION foreign_key_report(
	OUT schema_name text, OUT table_name text, OUT constraint_name text,
	OUT columns text, OUT referenced_table text, OUT table_rows float8,
	OUT create_ddl text)
RETURNS SETOF record
LANGUAGE c STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_foreign_keys_without_index';
COMMENT ON FUNCTION foreign_key_report() IS
'The rows of glperf.foreign_keys_without_index.';

CREATE VIEW foreign_keys_without_index AS
SELECT * FROM foreign_key_report();
COMMENT ON VIEW foreign_keys_without_index IS
'Foreign keys whose referencing rows no index finds, so that each delete or key update of a referenced row reads the whole referencing table. One row per set of columns; a partitioned table''s once, at the top.';
COMMENT ON COLUMN foreign_keys_without_index.schema_name IS 'Schema of the referencing table.';
COMMENT ON COLUMN foreign_keys_without_index.table_name IS 'Referencing table.';
COMMENT ON COLUMN foreign_keys_without_index.constraint_name IS 'Foreign key; several on the same columns are separated by commas.';
COMMENT ON COLUMN foreign_keys_without_index.columns IS 'Referencing columns, quoted where needed, separated by commas.';
COMMENT ON COLUMN foreign_keys_without_index.referenced_table IS 'Referenced table; several are separated by commas.';
COMMENT ON COLUMN foreign_keys_without_index.table_rows IS 'Estimated rows of the referencing table; NULL if it was never analysed.';
COMMENT ON COLUMN foreign_keys_without_index.create_ddl IS 'Statement that creates the missing index; to be run outside a transaction block. That of a partitioned table blocks writes while it runs.';

CREATE VIEW health_indexes AS
WITH usage AS (
	-- of some ten thousand indexes: no more than is needed below
	SELECT u.schema_name, u.table_name, u.index_name, u.size_bytes, u.verdict,
		CASE WHEN u.drop_ddl IS NOT NULL THEN u.reason END AS reason,
		u.drop_ddl, u.replicas_missing
	FROM index_report(
		counters_since(),
		(SELECT t.warning * 86400 FROM threshold t
		 WHERE t.id = 'index_evidence'),
		(SELECT t.warning FROM threshold t WHERE t.id = 'index_prefix_size'),
		(SELECT pg_catalog.array_agg(s.name) FROM standby_names() s(name)),
		(SELECT t.warning FROM threshold t WHERE t.id = 'replica_report'),
		false,
		(SELECT t.warning FROM threshold t WHERE t.id = 'index_selectivity'),
		(SELECT t.warning FROM threshold t WHERE t.id = 'seq_scan_rows')) u
), droppable AS (
	SELECT usage.*, n.check_id, n.object,
		n.check_id || E'\n' || n.object LIKE ANY (
			(SELECT silence_patterns())::text[]) AS silenced
	FROM usage
	CROSS JOIN LATERAL (SELECT
		CASE WHEN usage.verdict IN ('duplicate', 'covered', 'prefix')
			THEN 'index_redundant' ELSE 'index_' || usage.verdict END AS check_id,
		pg_catalog.format('%I.%I', usage.schema_name, usage.index_name) AS object
		) n
	WHERE usage.drop_ddl IS NOT NULL
), offered AS (
	SELECT d.*,
		pg_catalog.row_number() OVER (PARTITION BY d.check_id, d.silenced
			ORDER BY d.size_bytes DESC, d.object) AS rank,
		count(*) OVER (PARTITION BY d.check_id, d.silenced) AS total,
		sum(d.size_bytes) OVER (PARTITION BY d.check_id, d.silenced)
			AS total_bytes
	FROM droppable d
), missing AS (
	SELECT f.*, pg_catalog.format('%I.%I (%s)', f.schema_name, f.table_name,
								  f.columns) AS object
	FROM foreign_keys_without_index f
), fk AS (
	SELECT f.*, t.unit, t.warning, t.critical, t.guide_section,
		verdict(f.table_rows, t.warning, t.critical, t.direction) AS status,
		z.silenced,
		pg_catalog.row_number() OVER (PARTITION BY z.silenced
			ORDER BY f.table_rows DESC NULLS LAST, f.schema_name,
				f.table_name, f.columns) AS rank,
		count(*) OVER (PARTITION BY z.silenced) AS total
	FROM missing f
	JOIN threshold t ON t.id = 'fk_table_rows'
	CROSS JOIN LATERAL (SELECT
		'fk_table_rows' || E'\n' || f.object LIKE ANY (
			(SELECT silence_patterns())::text[]) AS silenced) z
	WHERE verdict(f.table_rows, t.warning, t.critical, t.direction)
		IN ('warning', 'critical')
), evidence AS (
	SELECT count(*) FILTER (WHERE usage.verdict = 'unknown') AS unknown,
		min(usage.replicas_missing) FILTER (WHERE usage.verdict = 'unknown')
			AS missing,
		count(*) FILTER (WHERE usage.drop_ddl IS NOT NULL) AS offered,
		count(*) AS total
	FROM usage
)
SELECT 'indexes'::text AS area, o.object, o.check_id,
	o.size_bytes::float8 AS value, 'bytes'::text AS unit,
	NULL::float8 AS warning, NULL::float8 AS critical,
	'warning'::text AS status,
	pg_catalog.format('%s on %I: %s',
		CASE o.verdict
			WHEN 'invalid' THEN 'broken index'
			WHEN 'unused' THEN 'unused index'
			ELSE 'redundant index' END,
		o.table_name, o.reason) AS message,
	o.drop_ddl || ';' AS remedy,
	'Index Strategy'::text AS guide_section
FROM offered o WHERE o.rank <= 5 OR o.check_id = 'index_invalid'
UNION ALL
SELECT 'indexes',
	CASE WHEN o.silenced THEN 'more silenced indexes' ELSE 'more indexes' END,
	o.check_id, o.total_bytes::float8, 'bytes',
	NULL, NULL, CASE WHEN o.silenced THEN 'ok' ELSE 'warning' END,
	pg_catalog.format('%s more like the five largest, %s in all',
		o.total - 5, pg_catalog.pg_size_pretty(o.total_bytes)),
	'SELECT * FROM glperf.index_usage WHERE drop_ddl IS NOT NULL;',
	'Index Strategy'
FROM offered o WHERE o.rank = 6 AND o.check_id <> 'index_invalid'
UNION ALL
SELECT 'indexes', f.object,
	'fk_table_rows', f.table_rows, f.unit, f.warning, f.critical, f.status,
	pg_catalog.format('no index for foreign key %s: each delete in %s reads all rows of %I',
		f.constraint_name, f.referenced_table, f.table_name),
	f.create_ddl || ';', f.guide_section
FROM fk f WHERE f.rank <= 5
UNION ALL
SELECT 'indexes',
	CASE WHEN f.silenced THEN 'more silenced foreign keys'
		ELSE 'more foreign keys' END,
	'fk_table_rows', f.table_rows, f.unit, f.warning, f.critical,
	CASE WHEN f.silenced THEN 'ok' ELSE f.status END,
	pg_catalog.format('%s more foreign keys of large tables have no index',
					  f.total - 5),
	'SELECT * FROM glperf.foreign_keys_without_index;', f.guide_section
FROM fk f WHERE f.rank = 6
UNION ALL
SELECT 'indexes', 'unused indexes', t.id,
	extract(epoch FROM pg_catalog.now() - counters_since())::float8 / 86400,
	t.unit, t.warning, t.critical, 'unknown',
	CASE WHEN e.missing IS NOT NULL
		THEN pg_catalog.format('%s of %s indexes are not scanned here, but may be on standby %s, which has not told', e.unknown, e.total, e.missing)
		ELSE pg_catalog.format('%s of %s indexes have not been scanned, but the counters do not reach back far enough to call them unused', e.unknown, e.total)
	END,
	CASE WHEN e.missing IS NOT NULL
		THEN 'Let glperf-advisor read the standbys, too, or compare scans in glperf.index_usage on every node; give each standby a slot or an application_name of its own.'
		ELSE pg_catalog.format('Wait until the counters are %s days old; do not reset statistics.', t.warning) END,
	t.guide_section
FROM evidence e JOIN threshold t ON t.id = 'index_evidence'
WHERE e.unknown > 0
UNION ALL
SELECT 'indexes', 'all indexes', 'index_usage', e.total::float8, 'indexes',
	NULL, NULL, 'ok',
	pg_catalog.format('none of %s indexes is broken, redundant or known to be unused', e.total),
	NULL, 'Index Strategy'
FROM evidence e WHERE e.offered = 0;
COMMENT ON VIEW health_indexes IS
'Rows of glperf.health about indexes: broken ones, the five largest redundant and unused ones and how many more, foreign keys of large tables without an index, and whether the evidence suffices.';

-- report_replica_usage() is granted to nobody: it decides what may be dropped
REVOKE ALL ON FUNCTION relation_bytes(oid),
	report_replica_usage(text, text, text, int8, timestamptz, timestamptz,
						 text[]),
	index_report(timestamptz, float8, float8, text[], float8, bool,
	float8, float8),
	counters_since(), standby_names(), node_name(), standbys_attached(),
	foreign_key_report() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION relation_bytes(oid),
	index_report(timestamptz, float8, float8, text[], float8, bool,
	float8, float8),
	counters_since(), standby_names(), node_name(), standbys_attached(),
	foreign_key_report() TO pg_monitor;
GRANT SELECT ON replica_usage, index_usage, foreign_keys_without_index,
	health_indexes TO pg_monitor;

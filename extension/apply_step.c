/*
 * apply_step.c
 *		What a step of a recommendation does, read from its parse tree.
 *
 * glperf-advisor --apply runs the statements that advise_indexes() returned.
 * Before it runs one, it has to know which index that statement is about: to
 * see whether the work is done already, to clean up after a failure, and to
 * refuse everything that is not one of the few commands it is meant to run.
 * The parser answers that; matching text would be fooled by a name.
 *
 * Only the raw parser runs: no catalog is read, no lock is taken, and nothing
 * in the statement is executed or resolved.
 */
#include "glperf.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "parser/parser.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(glperf_ddl_target);

/* What ddl_target() returns; NULL means "the statement names none". */
typedef struct DdlTarget
{
	const char *command;		/* "create index", ..., or "other" */
	bool		is_concurrent;
	const char *schema_name;
	const char *table_name;
	const char *index_name;
	const char *partition_schema;	/* ATTACH PARTITION only */
	const char *partition_index;
} DdlTarget;

/*
 * CREATE INDEX: wants a name, because nobody could find the index afterwards,
 * and refuses IF NOT EXISTS, which reports success over an invalid leftover.
 * Without CONCURRENTLY only ON ONLY is accepted, the parent's empty shell:
 * anything else blocks writers while it builds.
 */
static void
target_create_index(const IndexStmt *stmt, DdlTarget *target)
{
	if (stmt->idxname == NULL || stmt->if_not_exists ||
		stmt->relation->schemaname == NULL ||
		stmt->relation->catalogname != NULL ||
		(!stmt->concurrent && stmt->relation->inh))
		return;
	target->command = "create index";
	target->is_concurrent = stmt->concurrent;
	target->schema_name = stmt->relation->schemaname;
	target->table_name = stmt->relation->relname;
	target->index_name = stmt->idxname;
}

/* DROP INDEX: one index, schema-qualified, without blocking or CASCADE. */
static void
target_drop_index(const DropStmt *stmt, DdlTarget *target)
{
	List	   *name;

	if (stmt->removeType != OBJECT_INDEX || stmt->behavior == DROP_CASCADE ||
		stmt->missing_ok || !stmt->concurrent ||
		list_length(stmt->objects) != 1)
		return;
	name = (List *) linitial(stmt->objects);
	if (list_length(name) != 2)
		return;
	target->command = "drop index";
	target->is_concurrent = stmt->concurrent;
	target->schema_name = strVal(linitial(name));
	target->index_name = strVal(lsecond(name));
}

/* ALTER INDEX parent ATTACH PARTITION leaf, and no other ALTER. */
static void
target_attach_partition(const AlterTableStmt *stmt, DdlTarget *target)
{
	AlterTableCmd *cmd;
	RangeVar   *leaf;

	if (stmt->objtype != OBJECT_INDEX || list_length(stmt->cmds) != 1 ||
		stmt->relation->schemaname == NULL || stmt->missing_ok)
		return;
	cmd = linitial_node(AlterTableCmd, stmt->cmds);
	if (cmd->subtype != AT_AttachPartition)
		return;
	leaf = castNode(PartitionCmd, cmd->def)->name;
	if (leaf->schemaname == NULL)
		return;
	target->command = "attach partition";
	target->schema_name = stmt->relation->schemaname;
	target->index_name = stmt->relation->relname;
	target->partition_schema = leaf->schemaname;
	target->partition_index = leaf->relname;
}

/* ANALYZE of one schema-qualified table. */
static void
target_analyze(const VacuumStmt *stmt, DdlTarget *target)
{
	VacuumRelation *rel;

	if (stmt->is_vacuumcmd || list_length(stmt->rels) != 1)
		return;
	rel = linitial_node(VacuumRelation, stmt->rels);
	if (rel->relation == NULL || rel->relation->schemaname == NULL)
		return;
	target->command = "analyze";
	target->schema_name = rel->relation->schemaname;
	target->table_name = rel->relation->relname;
}

/* REINDEX INDEX CONCURRENTLY of one schema-qualified index. */
static void
target_reindex(const ReindexStmt *stmt, DdlTarget *target)
{
	bool		concurrently = false;
	ListCell   *lc;

	foreach(lc, stmt->params)
		if (strcmp(lfirst_node(DefElem, lc)->defname, "concurrently") == 0 &&
			lfirst_node(DefElem, lc)->arg == NULL)
		concurrently = true;
	if (stmt->kind != REINDEX_OBJECT_INDEX || stmt->relation == NULL ||
		stmt->relation->schemaname == NULL || !concurrently ||
		list_length(stmt->params) != 1)
		return;
	target->command = "reindex";
	target->is_concurrent = true;
	target->schema_name = stmt->relation->schemaname;
	target->index_name = stmt->relation->relname;
}

/* Classify one raw parse tree. */
static void
classify_statement(Node *stmt, DdlTarget *target)
{
	target->command = "other";
	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
			target_create_index((IndexStmt *) stmt, target);
			break;
		case T_DropStmt:
			target_drop_index((DropStmt *) stmt, target);
			break;
		case T_AlterTableStmt:
			target_attach_partition((AlterTableStmt *) stmt, target);
			break;
		case T_VacuumStmt:
			target_analyze((VacuumStmt *) stmt, target);
			break;
		case T_ReindexStmt:
			target_reindex((ReindexStmt *) stmt, target);
			break;
		case T_CreateStatsStmt:
			if (!((CreateStatsStmt *) stmt)->if_not_exists)
				target->command = "create statistics";
			break;
		default:
			break;
	}
}

/* Put a string or NULL into column attno (from 0) of a result row. */
static void
set_text(Datum *values, bool *nulls, int attno, const char *value)
{
	nulls[attno] = (value == NULL);
	if (value != NULL)
		values[attno] = CStringGetTextDatum(value);
}

/*
 * Error context callback: a syntax error's position is one in the statement
 * that was passed, not in the query that called us.
 */
static void
move_error_position(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
}

/* Parse a string of exactly one statement. */
static Node *
parse_one_statement(char *ddl)
{
	ErrorContextCallback callback;
	List	   *parsed;

	callback.callback = move_error_position;
	callback.arg = ddl;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	parsed = raw_parser(ddl, RAW_PARSE_DEFAULT);
	error_context_stack = callback.previous;

	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expected exactly one statement, found %d",
						list_length(parsed)),
				 errhint("Pass the elements of \"steps\" one by one.")));
	return linitial_node(RawStmt, parsed)->stmt;
}

/*
 * ddl_target(ddl text) -> (command, is_concurrent, schema_name, table_name,
 * index_name, partition_schema, partition_index)
 */
Datum
glperf_ddl_target(PG_FUNCTION_ARGS)
{
	DdlTarget	target = {0};
	TupleDesc	tupdesc;
	Datum		values[7] = {0};
	bool		nulls[7] = {0};

	classify_statement(parse_one_statement(text_to_cstring(PG_GETARG_TEXT_PP(0))),
					   &target);

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of ddl_target");
	tupdesc = BlessTupleDesc(tupdesc);

	set_text(values, nulls, 0, target.command);
	values[1] = BoolGetDatum(target.is_concurrent);
	set_text(values, nulls, 2, target.schema_name);
	set_text(values, nulls, 3, target.table_name);
	set_text(values, nulls, 4, target.index_name);
	set_text(values, nulls, 5, target.partition_schema);
	set_text(values, nulls, 6, target.partition_index);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values,
													  nulls)));
}

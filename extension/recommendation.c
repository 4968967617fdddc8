/*
 * recommendation.c
 *		What the SQL functions about recommendations cannot do in SQL.
 *
 * Verification has to know which statements a recommendation can have
 * touched: those that name its table, and of those the ones whose plan uses
 * its index now.  The first is read from the raw parse tree, where no name is
 * looked up and nothing runs; the second comes from the planner, inside the
 * sandbox and with the rights of the role whose statement it is.
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "sandbox.h"
#include "sql_array.h"
#include "statement.h"
#include "whatif.h"

PG_FUNCTION_INFO_V1(glperf_refuse);
PG_FUNCTION_INFO_V1(glperf_statement_tables);
PG_FUNCTION_INFO_V1(glperf_statement_indexes);

/* refuse(condition, message, hint) -- an error, for functions in SQL */
Datum
glperf_refuse(PG_FUNCTION_ARGS)
{
	char	   *condition = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *message = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *hint = text_to_cstring(PG_GETARG_TEXT_PP(2));

	ereport(ERROR,
			(errcode(strcmp(condition, "ambiguous_column") == 0 ?
					 ERRCODE_AMBIGUOUS_COLUMN :
					 strcmp(condition, "invalid_parameter_value") == 0 ?
					 ERRCODE_INVALID_PARAMETER_VALUE :
					 ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s", message), errhint("%s", hint)));
	PG_RETURN_NULL();			/* keep compiler quiet */
}

/* Tables that a statement names: char * "schema.table" or "table". */
typedef struct NamedTables
{
	MemoryContext caller;
	const char *query;
	bool		parsed;
	List	   *all;
	List	   *written;
} NamedTables;

/* A name as it can be compared with others: quoted where it must be. */
static char *
table_key(NamedTables *tables, const RangeVar *relation)
{
	return MemoryContextStrdup(tables->caller,
							   quote_qualified_identifier(relation->schemaname,
														  relation->relname));
}

/* Append to one of the lists, which live as long as the caller. */
static List *
append_table(NamedTables *tables, List *list, const RangeVar *relation)
{
	MemoryContext old = MemoryContextSwitchTo(tables->caller);

	list = lappend(list, table_key(tables, relation));
	MemoryContextSwitchTo(old);
	return list;
}

/* Collect the names below a node of a raw parse tree. */
static bool
collect_tables(Node *node, void *arg)
{
	NamedTables *tables = arg;

	if (node == NULL)
		return false;
	if (IsA(node, RangeVar))
	{
		tables->all = append_table(tables, tables->all, (RangeVar *) node);
		return false;
	}
	if (IsA(node, InsertStmt))
		tables->written = append_table(tables, tables->written,
									   ((InsertStmt *) node)->relation);
	else if (IsA(node, UpdateStmt))
		tables->written = append_table(tables, tables->written,
									   ((UpdateStmt *) node)->relation);
	else if (IsA(node, DeleteStmt))
		tables->written = append_table(tables, tables->written,
									   ((DeleteStmt *) node)->relation);
#ifdef GLPERF_HAVE_MERGE
	else if (IsA(node, MergeStmt))
		tables->written = append_table(tables, tables->written,
									   ((MergeStmt *) node)->relation);
#endif
	return raw_expression_tree_walker(node, collect_tables, arg);
}

/* Parse the text and walk it; in the sandbox, as the text may not parse. */
static void
tables_work(void *arg)
{
	NamedTables *tables = arg;
	List	   *parsed = raw_parser(glperf_statement_repair(tables->query),
									RAW_PARSE_DEFAULT);
	ListCell   *lc;

	foreach(lc, parsed)
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		/* the walker doesn't know utility statements */
		if (IsA(stmt, SelectStmt) || IsA(stmt, InsertStmt) ||
			IsA(stmt, UpdateStmt) || IsA(stmt, DeleteStmt)
#ifdef GLPERF_HAVE_MERGE
			|| IsA(stmt, MergeStmt)
#endif
			)
		{
			collect_tables(stmt, tables);
			tables->parsed = true;
		}
	}
}

/*
 * statement_tables(query, OUT tables text[], OUT written text[])
 *
 * NULLs for a text that does not parse and for utility statements.
 */
Datum
glperf_statement_tables(PG_FUNCTION_ARGS)
{
	NamedTables tables = {.caller = CurrentMemoryContext};
	GlperfFailure failure;
	TupleDesc	tupdesc;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of statement_tables()");
	tables.query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (glperf_sandbox_run(GetUserId(), NULL, tables_work, &tables,
						   &failure) && tables.parsed)
	{
		values[0] = glperf_text_array(tables.all);
		values[1] = glperf_text_array(tables.written);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values,
													  nulls)));
}

/* Planning of one statement: which indexes it uses. */
typedef struct IndexJob
{
	MemoryContext caller;
	const char *text;
	List	   *names;			/* char *, quoted and qualified */
} IndexJob;

/* Plan it, in the sandbox. */
static void
indexes_work(void *arg)
{
	IndexJob   *job = arg;
	GlperfStatement stmt = {0};
	GlperfAnalysed analysed;
	GlperfWhatif whatif = {0};
	List	   *oids = NIL;
	ListCell   *lc;

	stmt.text = job->text;
	glperf_statement_analyse(&stmt, &analysed);
	foreach(lc, analysed.queries)
	{
		Query	   *query = lfirst_node(Query, lc);

		if (query->commandType != CMD_UTILITY)
			oids = glperf_plan_real_indexes(&whatif,
											glperf_whatif_plan(&whatif, query, job->text,
															   analysed.cursor_options,
															   analysed.params),
											oids);
	}
	foreach(lc, oids)
	{
		Oid			index = lfirst_oid(lc);
		char	   *schema = get_namespace_name(get_rel_namespace(index));
		char	   *name = get_rel_name(index);
		MemoryContext old;

		if (schema == NULL || name == NULL)
			continue;
		old = MemoryContextSwitchTo(job->caller);
		job->names = lappend(job->names,
							 quote_qualified_identifier(schema, name));
		MemoryContextSwitchTo(old);
	}
}

/*
 * statement_indexes(role, search_path, query) -- indexes its plan uses now
 *
 * NULL when that can't be said: the caller may not act as the role, or the
 * statement cannot be planned.
 */
Datum
glperf_statement_indexes(PG_FUNCTION_ARGS)
{
	Oid			role = PG_GETARG_OID(0);
	char	   *search_path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	IndexJob	job = {.caller = CurrentMemoryContext};
	GlperfFailure failure;

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)) ||
		!has_privs_of_role(GetUserId(), role))
		PG_RETURN_NULL();
	job.text = text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (!glperf_sandbox_run(role, search_path, indexes_work, &job, &failure))
	{
		job.names = NIL;
		job.text = glperf_statement_repair(job.text);
		if (!glperf_sandbox_run(role, search_path, indexes_work, &job,
								&failure))
			PG_RETURN_NULL();
	}
	PG_RETURN_DATUM(glperf_text_array(job.names));
}

/*
 * whatif_sql.c
 *		SQL function whatif(query, ddl[]): one statement, planned twice.
 */
#include "whatif.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "index_sample.h"
#include "sandbox.h"
#include "sql_array.h"
#include "statement.h"
#include "whatif_stats.h"

PG_FUNCTION_INFO_V1(glperf_whatif);

#define WHATIF_COLS			7
#define WHATIF_MAX_DDL		64

/* Input and results of one call; results live in the caller's context. */
typedef struct WhatifCall
{
	MemoryContext caller;
	char	   *query;
	char	  **ddl;
	int			nddl;
	const char *current;		/* text being analysed, for error positions */

	GlperfWhatif whatif;
	double		cost[2];
	char	   *plan[2];
	List	   *used;			/* char * */
	int64	   *sizes;			/* bytes of each CREATE INDEX, in order */
	GlperfTableSamples *samples;
} WhatifCall;

/* Pretend that an index, and its parts in all partitions, is gone. */
static void
hide(WhatifCall *call, Oid index)
{
	List	   *indexes = list_make1_oid(index);
	ListCell   *lc;

	if (get_rel_relkind(index) == RELKIND_PARTITIONED_INDEX)
		indexes = find_all_inheritors(index, AccessShareLock, NULL);
	call->whatif.hidden = repalloc(call->whatif.hidden, sizeof(Oid) *
								   (call->whatif.nhidden + list_length(indexes)));
	foreach(lc, indexes)
		call->whatif.hidden[call->whatif.nhidden++] = lfirst_oid(lc);
}

/* DROP INDEX: pretend that these indexes are gone. */
static void
hide_dropped(WhatifCall *call, DropStmt *drop)
{
	ListCell   *lc;

	foreach(lc, drop->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList((List *) lfirst(lc));
		Oid			index = RangeVarGetRelid(name, AccessShareLock,
											 drop->missing_ok);

		if (!OidIsValid(index))
			continue;
		if (get_rel_relkind(index) != RELKIND_INDEX &&
			get_rel_relkind(index) != RELKIND_PARTITIONED_INDEX)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not an index", name->relname)));
		hide(call, index);
	}
}

/*
 * The estimated size tells how many rows satisfy a predicate, so whoever may
 * not read the table may not ask.
 */
static void
check_readable(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV,
					   get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/* Turn one DDL text into a definition or a hidden index. */
static void
take_ddl(WhatifCall *call, const char *ddl)
{
	List	   *parsed;
	Node	   *node;

	call->current = ddl;
	parsed = raw_parser(ddl, RAW_PARSE_DEFAULT);
	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("expected exactly one statement in each member of ddl, found %d",
						list_length(parsed)),
				 errhint("Pass several statements as several array members.")));
	node = linitial_node(RawStmt, parsed)->stmt;
	if (IsA(node, IndexStmt))
	{
		GlperfIndexDef *def = glperf_index_def_from_stmt((IndexStmt *) node, ddl);

		if (def->pred)
			check_readable(def->relid);
		glperf_whatif_set_size(def, call->samples);
		call->whatif.defs[call->whatif.ndefs++] = def;
	}
	else if (IsA(node, DropStmt) &&
			 ((DropStmt *) node)->removeType == OBJECT_INDEX)
		hide_dropped(call, (DropStmt *) node);
	else
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ddl must consist of CREATE INDEX and DROP INDEX statements")));
}

/* Plan every query of the statement and add up. */
static void
plan_all(WhatifCall *call, GlperfWhatif *whatif, GlperfAnalysed *analysed,
		 int which)
{
	ListCell   *lc;
	StringInfoData text;

	initStringInfo(&text);
	foreach(lc, analysed->queries)
	{
		Query	   *query = lfirst_node(Query, lc);
		PlannedStmt *plan;
		ListCell   *name;
		MemoryContext old;

		if (query->commandType == CMD_UTILITY)
			continue;
		plan = glperf_whatif_plan(whatif, query, call->query,
								  analysed->cursor_options, analysed->params);
		glperf_check_permissions(plan);
		call->cost[which] += plan->planTree->total_cost;
		appendStringInfo(&text, "%s%s", text.len > 0 ? "\n" : "",
						 glperf_plan_text(whatif, plan));
		if (which == 0)
			continue;
		old = MemoryContextSwitchTo(call->caller);
		foreach(name, glperf_plan_index_names(whatif, plan))
			call->used = lappend(call->used, pstrdup(lfirst(name)));
		MemoryContextSwitchTo(old);
	}
	call->plan[which] = MemoryContextStrdup(call->caller, text.data);
}

/* The work inside the sandbox. */
static void
whatif_work(void *arg)
{
	WhatifCall *call = arg;
	GlperfStatement stmt = {0};
	GlperfAnalysed analysed;
	GlperfWhatif before = {0};
	GlperfProbes probes = {CurrentMemoryContext, NIL};

	call->samples = glperf_samples_create(CurrentMemoryContext);
	call->whatif.defs = palloc(sizeof(GlperfIndexDef *) * (call->nddl + 1));
	call->whatif.hidden = palloc(sizeof(Oid));
	call->whatif.probes = &probes;
	call->whatif.as_built = true;
	call->sizes = MemoryContextAllocZero(call->caller,
										 sizeof(int64) * (call->nddl + 1));

	call->current = stmt.text = call->query;
	glperf_statement_analyse(&stmt, &analysed);
	plan_all(call, &before, &analysed, 0);
	for (int i = 0; i < call->nddl; i++)
		take_ddl(call, call->ddl[i]);
	call->current = call->query;
	plan_all(call, &call->whatif, &analysed, 1);
	for (int i = 0; i < call->whatif.ndefs; i++)
		call->sizes[i] = (int64) (call->whatif.defs[i]->pages * BLCKSZ);
}

/* Members of a text[] argument as C strings; NULL members are refused. */
static char **
text_array(ArrayType *array, int *n)
{
	Datum	   *values;
	bool	   *nulls;
	char	  **result;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  n);
	if (*n > WHATIF_MAX_DDL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("ddl must not have more than %d members",
						WHATIF_MAX_DDL)));
	result = palloc(sizeof(char *) * (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("ddl must not contain nulls")));
		result[i] = TextDatumGetCString(values[i]);
	}
	return result;
}

/*
 * glperf_whatif(query text, ddl text[]) -- cost and plan before and after
 *
 * Raises what analysis of the statement or of a DDL text raises; nothing is
 * executed or created.
 */
Datum
glperf_whatif(PG_FUNCTION_ARGS)
{
	WhatifCall	call = {0};
	GlperfFailure failure;
	TupleDesc	tupdesc;
	Datum		values[WHATIF_COLS];
	bool		nulls[WHATIF_COLS] = {0};
	Datum	   *sizes;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != WHATIF_COLS)
		elog(ERROR, "unexpected result type of whatif()");
	call.caller = CurrentMemoryContext;
	call.query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	call.ddl = text_array(PG_GETARG_ARRAYTYPE_P(1), &call.nddl);

	if (!glperf_sandbox_run(GetUserId(), NULL, whatif_work, &call, &failure))
	{
		if (failure.sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("a table of the statement is locked by another session"),
					 errhint("Try again when that is done; SELECT * FROM pg_locks WHERE mode = 'AccessExclusiveLock' shows whose lock it is.")));
		ereport(ERROR,
				(errcode(failure.sqlerrcode),
				 errmsg_internal("%s", failure.message),
				 failure.hint ? errhint("%s", failure.hint) : 0,
				 failure.cursorpos > 0 ? internalerrquery(call.current) : 0,
				 failure.cursorpos > 0 ?
				 internalerrposition(failure.cursorpos) : 0));
	}

	sizes = palloc(sizeof(Datum) * (call.nddl + 1));
	for (int i = 0; i < call.whatif.ndefs; i++)
		sizes[i] = Int64GetDatum(call.sizes[i]);
	values[0] = Float8GetDatum(call.cost[0]);
	values[1] = Float8GetDatum(call.cost[1]);
	values[2] = Float8GetDatum(call.cost[0] > 0 ?
							   100.0 * (1 - call.cost[1] / call.cost[0]) : 0);
	values[3] = glperf_text_array(call.used);
	values[4] = PointerGetDatum(construct_array(sizes, call.whatif.ndefs,
												INT8OID, 8, FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	values[5] = CStringGetTextDatum(call.plan[0]);
	values[6] = CStringGetTextDatum(call.plan[1]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/*
 * statement.c
 *		From the text of a statement to a Query that may be planned.
 *
 * Analysis goes through transformTopLevelStmt() rather than
 * parse_analyze_varparams(): that one computes a query id and runs
 * post_parse_analyze_hook, which would enter our own planning into
 * pg_stat_statements.
 *
 * Functions are looked at before the planner can fold them, see trust.c.
 */
#include "statement.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "trees.h"
#include "trust.h"

/* The only statement of a text, or an error. */
static RawStmt *
parse_one(const char *text, bool expression)
{
	List	   *parsed = raw_parser(text, expression ? RAW_PARSE_PLPGSQL_EXPR :
									RAW_PARSE_DEFAULT);

	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("expected exactly one statement, found %d",
						list_length(parsed)),
				 errhint("Pass one SELECT, INSERT, UPDATE, DELETE or MERGE statement.")));
	return linitial_node(RawStmt, parsed);
}

/* What is to be said about a utility statement beyond that it has no plan. */
static const char *
utility_remark(Node *node)
{
	if (IsA(node, FetchStmt))
		return ": its cursor's query stands with DECLARE";
	if (IsA(node, DoStmt) || IsA(node, CallStmt))
		return ": what it runs is recorded with pg_stat_statements.track = all";
	return "";
}

/*
 * Unwrap statements that run a query in a costume; refuse other utility
 * statements by name.  pg_stat_statements enters executions of PREPARE's query
 * under the whole text of PREPARE: *argtypes are the types that it names.
 */
static void
unwrap(RawStmt *raw, int *cursor_options, List **argtypes)
{
	Node	   *node = raw->stmt;

	*argtypes = NIL;
	if (IsA(node, DeclareCursorStmt))
	{
		*cursor_options = ((DeclareCursorStmt *) node)->options &
			CURSOR_OPT_FAST_PLAN;
		raw->stmt = ((DeclareCursorStmt *) node)->query;
	}
	else if (IsA(node, PrepareStmt))
	{
		*argtypes = ((PrepareStmt *) node)->argtypes;
		raw->stmt = ((PrepareStmt *) node)->query;
	}
	else if (IsA(node, ExplainStmt))
		raw->stmt = ((ExplainStmt *) node)->query;
	else if (IsA(node, CreateTableAsStmt) &&
			 !IsA(((CreateTableAsStmt *) node)->query, ExecuteStmt))
		raw->stmt = ((CreateTableAsStmt *) node)->query;
	else if (IsA(node, CopyStmt) && ((CopyStmt *) node)->query &&
			 !((CopyStmt *) node)->is_from)
		raw->stmt = ((CopyStmt *) node)->query;
	if (IsA(raw->stmt, SelectStmt))
		((SelectStmt *) raw->stmt)->intoClause = NULL;

	/* REFRESH runs the view's query, but not WITH NO DATA */
	if (IsA(raw->stmt, RefreshMatViewStmt) &&
		!((RefreshMatViewStmt *) raw->stmt)->skipData)
		return;
	switch (nodeTag(raw->stmt))
	{
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
#if defined(GLPERF_HAVE_MERGE)
		case T_MergeStmt:
#endif
			return;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("utility statement %s has no plan%s",
							GetCommandTagName(CreateCommandTag(node)),
							utility_remark(node)),
					 errhint("Pass one SELECT, INSERT, UPDATE, DELETE or MERGE statement.")));
	}
}

/* The query behind a materialized view. */
static Query *
matview_query(const RefreshMatViewStmt *stmt)
{
	Relation	rel = table_openrv(stmt->relation, AccessShareLock);
	Query	   *query;

	if (rel->rd_rel->relkind != RELKIND_MATVIEW || rel->rd_rules == NULL ||
		rel->rd_rules->numLocks != 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a materialized view",
						RelationGetRelationName(rel))));
	query = copyObject(linitial_node(Query, rel->rd_rules->rules[0]->actions));
	table_close(rel, NoLock);
	AcquireRewriteLocks(query, true, false);
	return query;
}

/* Types of parameters: those given, else those that PREPARE names. */
static Oid *
known_types(const GlperfStatement *stmt, List *argtypes, int *ntypes)
{
	Oid		   *types;

	*ntypes = Max(stmt->nparams, list_length(argtypes));
	if (*ntypes == 0)
		return NULL;
	types = palloc0(sizeof(Oid) * *ntypes);
	if (stmt->nparams > 0)
		memcpy(types, stmt->param_types, sizeof(Oid) * stmt->nparams);
	for (int i = 0; i < list_length(argtypes); i++)
		if (!OidIsValid(types[i]))
			types[i] = typenameTypeId(NULL, list_nth(argtypes, i));
	return types;
}

/* Parameter list with the known values; NULL when none is known. */
static ParamListInfo
bind_params(const GlperfStatement *stmt, Oid *types, int ntypes,
			bool *open_params)
{
	ParamListInfo params;

	*open_params = ntypes > stmt->nparams ||
		(ntypes > 0 && stmt->param_values == NULL);
	if (ntypes == 0)
		return NULL;
	params = makeParamList(ntypes);
	for (int i = 0; i < ntypes; i++)
	{
		ParamExternData *prm = &params->params[i];
		Oid			typinput;
		Oid			typioparam;

		/* an invalid type makes the planner leave the parameter alone */
		prm->ptype = InvalidOid;
		prm->isnull = true;
		if (stmt->param_values == NULL || i >= stmt->nparams ||
			!glperf_trust_input(types[i]))
			continue;
		prm->ptype = types[i];
		/* without the flag the planner uses the value in estimates alone */
		prm->pflags = stmt->generic ? 0 : PARAM_FLAG_CONST;
		prm->isnull = stmt->param_values[i] == NULL;
		getTypeInputInfo(types[i], &typinput, &typioparam);
		if (!prm->isnull)
			prm->value = OidInputFunctionCall(typinput, stmt->param_values[i],
											  typioparam, -1);
	}
	return params;
}

/*
 * The planner takes an unknown LIMIT for a tenth of the result.  What the
 * statement returned per call says it better.
 */
static void
bind_limit(const GlperfStatement *stmt, Query *query, ParamListInfo params)
{
	Node	   *nodes[2] = {query->limitCount, query->limitOffset};

	if (stmt->rows_per_call <= 0)
		return;
	for (int i = 0; i < 2; i++)
	{
		Param	   *param = (Param *) nodes[i];
		ParamExternData *prm;

		if (param == NULL || !IsA(param, Param) ||
			param->paramkind != PARAM_EXTERN || param->paramtype != INT8OID)
			continue;
		if (params == NULL || param->paramid > params->numParams)
			continue;
		prm = &params->params[param->paramid - 1];
		if (OidIsValid(prm->ptype))
			continue;
		prm->ptype = INT8OID;
		prm->isnull = false;
		prm->pflags = PARAM_FLAG_CONST;
		prm->value = Int64GetDatum(i == 0 ?
								   (int64) Max(1.0, stmt->rows_per_call) : 0);
	}
}

/* Refuse a table that is, or has a partition that is, on another server. */
static void
check_local(Oid relid)
{
	List	   *tables = find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("reads foreign table %s, for which planning may contact another server",
						quote_identifier(get_rel_name(lfirst_oid(lc)))),
				 errhint("Look for indexes on the server that has the table.")));
	list_free(tables);
}

/* Look for foreign tables anywhere in a query. */
static bool
local_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		glperf_each_relation((Query *) node, check_local);
		return query_tree_walker((Query *) node, local_walker, context, 0);
	}
	return expression_tree_walker(node, local_walker, context);
}

void
glperf_statement_analyse(const GlperfStatement *stmt, GlperfAnalysed *result)
{
	RawStmt    *raw = parse_one(stmt->text, stmt->expression);
	ParseState *pstate;
	Query	   *query;
	Oid		   *types;
	int			ntypes;
	List	   *argtypes;

	result->cursor_options = CURSOR_OPT_PARALLEL_OK;
	unwrap(raw, &result->cursor_options, &argtypes);
	types = known_types(stmt, argtypes, &ntypes);
	if (IsA(raw->stmt, RefreshMatViewStmt))
		query = matview_query((RefreshMatViewStmt *) raw->stmt);
	else
	{
		pstate = make_parsestate(NULL);
		pstate->p_sourcetext = stmt->text;
		setup_parse_variable_parameters(pstate, &types, &ntypes);
		if (stmt->variables)
			glperf_statement_take_variables(stmt, pstate);
		query = transformTopLevelStmt(pstate, raw);
		check_variable_parameters(pstate, query);
		free_parsestate(pstate);
	}

	result->params = bind_params(stmt, types, ntypes, &result->open_params);
	bind_limit(stmt, query, result->params);
	result->queries = QueryRewrite(query);
	if (stmt->local)
		(void) local_walker((Node *) result->queries, NULL);
	for (int i = 0; i < list_length(result->queries); i++)
		glperf_trust_query((Query *) list_nth(result->queries, i));
}

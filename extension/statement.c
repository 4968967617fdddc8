/*
 * statement.c
 *		From the text of a statement to a Query that may be planned.
 *
 * Analysis goes through transformTopLevelStmt() rather than
 * parse_analyze_varparams(): that one computes a query id and runs
 * post_parse_analyze_hook, which would enter our own planning into
 * pg_stat_statements.
 *
 * Functions are looked at before the planner can fold them, see
 * untrusted_function().
 */
#include "statement.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_authid.h"
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
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/*
 * Does the current role have rights that make code run at plan time
 * dangerous?  Read-only mode stops writes, but not COPY ... TO PROGRAM.
 */
static bool
role_is_powerful(void)
{
	Oid			role = GetUserId();

	return superuser_arg(role) ||
		has_privs_of_role(role, ROLE_PG_EXECUTE_SERVER_PROGRAM) ||
		has_privs_of_role(role, ROLE_PG_WRITE_SERVER_FILES);
}

/*
 * May the planner evaluate this function?  Built-in functions and those
 * written in C come from an administrator.  Volatile ones are never folded.
 * Anything else could run any code with the role's rights.
 */
static bool
untrusted_function(Oid funcid, void *context)
{
	HeapTuple	tup;
	Form_pg_proc proc;
	bool		untrusted;

	if (funcid < FirstNormalObjectId)
		return false;
	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	if (!HeapTupleIsValid(tup))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tup);
	untrusted = proc->provolatile != PROVOLATILE_VOLATILE &&
		proc->prolang != INTERNALlanguageId && proc->prolang != ClanguageId;
	ReleaseSysCache(tup);
	if (untrusted)
		*(Oid *) context = funcid;
	return untrusted;
}

/* Walk a Query for functions that must not be folded. */
static bool
untrusted_walker(Node *node, Oid *found)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, untrusted_walker,
								 (void *) found, 0);
	if (check_functions_in_node(node, untrusted_function, (void *) found))
		return true;
	return expression_tree_walker(node, untrusted_walker, (void *) found);
}

/* Refuse statements whose planning would run code we cannot answer for. */
static void
check_functions(Query *query)
{
	Oid			found = InvalidOid;

	if (!role_is_powerful())
		return;
	if (untrusted_walker((Node *) query, &found))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("calls function %s.%s(), which planning would run with the rights of role \"%s\"",
						quote_identifier(get_namespace_name(get_func_namespace(found))),
						quote_identifier(get_func_name(found)),
						GetUserNameFromId(GetUserId(), true)),
				 errhint("Run such statements as a role that is not a superuser.")));
}

/* The only statement of a text, or an error. */
static RawStmt *
parse_one(const char *text)
{
	List	   *parsed = raw_parser(text, RAW_PARSE_DEFAULT);

	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("expected exactly one statement, found %d",
						list_length(parsed)),
				 errhint("Pass one SELECT, INSERT, UPDATE, DELETE or MERGE statement.")));
	return linitial_node(RawStmt, parsed);
}

/*
 * Unwrap statements that run a query in a costume; refuse other utility
 * statements by name.
 */
static void
unwrap(RawStmt *raw, int *cursor_options)
{
	Node	   *node = raw->stmt;

	if (IsA(node, DeclareCursorStmt))
	{
		*cursor_options = ((DeclareCursorStmt *) node)->options &
			CURSOR_OPT_FAST_PLAN;
		raw->stmt = ((DeclareCursorStmt *) node)->query;
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
					 errmsg("utility statement %s has no plan",
							GetCommandTagName(CreateCommandTag(node))),
					 errhint("Pass one SELECT, INSERT, UPDATE, DELETE or MERGE statement.")));
	}
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
		if (stmt->param_values == NULL || i >= stmt->nparams)
			continue;
		prm->ptype = types[i];
		prm->pflags = PARAM_FLAG_CONST;
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

void
glperf_statement_analyse(const GlperfStatement *stmt, GlperfAnalysed *result)
{
	RawStmt    *raw = parse_one(stmt->text);
	ParseState *pstate;
	Query	   *query;
	Oid		   *types = NULL;
	int			ntypes = stmt->nparams;

	result->cursor_options = CURSOR_OPT_PARALLEL_OK;
	unwrap(raw, &result->cursor_options);

	if (ntypes > 0)
	{
		types = palloc(sizeof(Oid) * ntypes);
		memcpy(types, stmt->param_types, sizeof(Oid) * ntypes);
	}
	pstate = make_parsestate(NULL);
	pstate->p_sourcetext = stmt->text;
	setup_parse_variable_parameters(pstate, &types, &ntypes);
	query = transformTopLevelStmt(pstate, raw);
	check_variable_parameters(pstate, query);
	free_parsestate(pstate);

	result->params = bind_params(stmt, types, ntypes, &result->open_params);
	bind_limit(stmt, query, result->params);
	result->queries = QueryRewrite(query);
	for (int i = 0; i < list_length(result->queries); i++)
		check_functions((Query *) list_nth(result->queries, i));
}

/*
 * trust.c
 *		Whose code may run while a statement is planned.
 *
 * The planner evaluates functions of constants, the estimators evaluate
 * operators on values from the statistics, and the relation cache does both
 * to index predicates, constraints and the like.  Read-only mode stops their
 * writes, but not COPY ... TO PROGRAM or pg_terminate_backend(): so nothing
 * that an ordinary role may have written runs with the rights of a superuser
 * or the like.
 *
 * Stored expressions are read from the catalogs, since merely asking the
 * relation cache for them evaluates them.  What gets past that, since values
 * of composite types and of domains are made by the parser, is met when it is
 * called.
 */
#include "trust.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "trees.h"

typedef struct TrustWalk
{
	bool		stored;			/* an expression over a table's own columns */
	bool		estimated;		/* below: an operator, run by estimators */
	bool		constant;		/* below: of constants only */
	Oid			found;			/* the culprit */
} TrustWalk;

static void check_expr(Node *expr, bool stored);

/* Does the current role have rights that read-only mode does not contain? */
static bool
role_is_powerful(void)
{
	Oid			role = GetUserId();

	return superuser_arg(role) ||
		has_privs_of_role(role, ROLE_PG_EXECUTE_SERVER_PROGRAM) ||
		has_privs_of_role(role, ROLE_PG_WRITE_SERVER_FILES) ||
		has_privs_of_role(role, ROLE_PG_SIGNAL_BACKEND);
}

/*
 * Could planning run this function, and did anybody but an administrator
 * write it?  Built-in functions and those in C come from an administrator,
 * and so do a superuser's in our own schema.
 * Volatile ones run only behind an operator.  Of stored expressions, those
 * over columns run only when their SQL text is inlined.
 */
static bool
untrusted_function(Oid funcid, void *context)
{
	TrustWalk  *walk = context;
	HeapTuple	tup;
	Form_pg_proc proc;
	bool		untrusted;

	if (funcid < FirstNormalObjectId)
		return false;
	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	if (!HeapTupleIsValid(tup))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tup);
	untrusted = proc->prolang != INTERNALlanguageId &&
		proc->prolang != ClanguageId &&
		(walk->estimated || proc->provolatile != PROVOLATILE_VOLATILE);
	if (untrusted && superuser_arg(proc->proowner) &&
		proc->pronamespace == get_namespace_oid("glperf", true))
		untrusted = false;
	if (untrusted && walk->stored)
		untrusted = !superuser_arg(proc->proowner) &&
			(walk->constant || proc->prolang == SQLlanguageId);
	ReleaseSysCache(tup);
	if (untrusted)
		walk->found = funcid;
	return untrusted;
}

/* Conditions of a domain: the type cache prepares them, folding constants. */
static void
check_domain(Oid type)
{
	while (get_typtype(type) == TYPTYPE_DOMAIN)
	{
		Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tup;

		ScanKeyInit(&key, Anum_pg_constraint_contypid, BTEqualStrategyNumber,
					F_OIDEQ, ObjectIdGetDatum(type));
		scan = systable_beginscan(rel, ConstraintTypidIndexId, true, NULL, 1,
								  &key);
		while (HeapTupleIsValid(tup = systable_getnext(scan)))
		{
			bool		isnull;
			Datum		bin = heap_getattr(tup, Anum_pg_constraint_conbin,
										   RelationGetDescr(rel), &isnull);

			if (!isnull)
				check_expr(stringToNode(TextDatumGetCString(bin)), true);
		}
		systable_endscan(scan);
		table_close(rel, AccessShareLock);
		type = getBaseType(type);
	}
}

/* Walk a Query or an expression; true when something was found. */
static bool
trust_walker(Node *node, TrustWalk *walk)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		glperf_each_relation((Query *) node, glperf_trust_table);
		return query_tree_walker((Query *) node, trust_walker, (void *) walk,
								 0);
	}
	if (IsA(node, CoerceToDomain))
		check_domain(((CoerceToDomain *) node)->resulttype);
	walk->estimated = IsA(node, OpExpr) || IsA(node, DistinctExpr) ||
		IsA(node, NullIfExpr) || IsA(node, ScalarArrayOpExpr) ||
		IsA(node, RowCompareExpr);
	walk->constant = !walk->stored || !contain_var_clause(node);
	if (check_functions_in_node(node, untrusted_function, (void *) walk))
		return true;
	return expression_tree_walker(node, trust_walker, (void *) walk);
}

/* Refuse what would run code that we cannot answer for. */
static void
refuse(Oid funcid)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("calls function %s.%s(), which planning would run with the rights of role \"%s\"",
					quote_identifier(get_namespace_name(get_func_namespace(funcid))),
					quote_identifier(get_func_name(funcid)),
					GetUserNameFromId(GetUserId(), true)),
			 errhint("Run such statements as a role that is not a superuser.")));
}

/* The same for an expression. */
static void
check_expr(Node *expr, bool stored)
{
	TrustWalk	walk = {.stored = stored};

	if (trust_walker(expr, &walk))
		refuse(walk.found);
}

/*
 * Check two stored expressions of every row of a catalog that belongs to a
 * table.  attribute2 is 0 where there is only one.
 */
static void
check_rows(Oid catalog, Oid index, AttrNumber table_attribute, Oid relid,
		   AttrNumber attribute1, AttrNumber attribute2)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, table_attribute, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, index, true, NULL, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		AttrNumber	attributes[] = {attribute1, attribute2};

		for (int i = 0; i < 2; i++)
		{
			bool		isnull = true;
			Datum		value = 0;

			if (attributes[i] != 0)
				value = heap_getattr(tup, attributes[i], RelationGetDescr(rel),
									 &isnull);
			if (!isnull)
				check_expr(stringToNode(TextDatumGetCString(value)), true);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Partition key expressions. */
static void
check_partition_key(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	bool		isnull;
	Datum		value;

	if (!HeapTupleIsValid(tup))
		return;
	value = SysCacheGetAttr(PARTRELID, tup,
							Anum_pg_partitioned_table_partexprs, &isnull);
	if (!isnull)
		check_expr(stringToNode(TextDatumGetCString(value)), true);
	ReleaseSysCache(tup);
}

void
glperf_trust_table(Oid relid)
{
	List	   *tables;
	ListCell   *lc;

	if (!role_is_powerful() || relid < FirstNormalObjectId)
		return;
	tables = find_all_inheritors(relid, NoLock, NULL);
	foreach(lc, tables)
	{
		Oid			table = lfirst_oid(lc);

		check_rows(IndexRelationId, IndexIndrelidIndexId,
				   Anum_pg_index_indrelid, table,
				   Anum_pg_index_indexprs, Anum_pg_index_indpred);
		check_rows(ConstraintRelationId, ConstraintRelidTypidNameIndexId,
				   Anum_pg_constraint_conrelid, table,
				   Anum_pg_constraint_conbin, 0);
		check_rows(StatisticExtRelationId, StatisticExtRelidIndexId,
				   Anum_pg_statistic_ext_stxrelid, table,
				   Anum_pg_statistic_ext_stxexprs, 0);
#ifdef ATTRIBUTE_GENERATED_VIRTUAL
		/* virtual generated columns are put in by the planner */
		check_rows(AttrDefaultRelationId, AttrDefaultIndexId,
				   Anum_pg_attrdef_adrelid, table,
				   Anum_pg_attrdef_adbin, 0);
#endif
		check_partition_key(table);
	}
	list_free(tables);
}

void
glperf_trust_query(Query *query)
{
	if (role_is_powerful())
		check_expr((Node *) query, false);
}

void
glperf_trust_expr(Node *expr)
{
	if (role_is_powerful())
		check_expr(expr, false);
}

void
glperf_trust_call(Oid funcid)
{
	HeapTuple	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	Form_pg_proc proc;
	bool		is_volatile,
				is_foreign;

	if (!HeapTupleIsValid(tup))
		return;
	proc = (Form_pg_proc) GETSTRUCT(tup);
	is_volatile = proc->provolatile == PROVOLATILE_VOLATILE;
	is_foreign = funcid >= FirstNormalObjectId &&
		proc->prolang != INTERNALlanguageId && proc->prolang != ClanguageId &&
		!superuser_arg(proc->proowner) && role_is_powerful();
	ReleaseSysCache(tup);
	if (is_volatile)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("planning would run volatile function %s",
						format_procedure(funcid)),
				 errhint("A function that is declared IMMUTABLE runs when a statement is planned and should not call volatile ones.")));
	if (is_foreign)
		refuse(funcid);
}

/* Is this a function that the current role had better not run? */
static bool
foreign_function(Oid funcid, void *context)
{
	HeapTuple	tup;
	Form_pg_proc proc;
	bool		foreign;

	if (funcid < FirstNormalObjectId)
		return false;
	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	if (!HeapTupleIsValid(tup))
		return true;
	proc = (Form_pg_proc) GETSTRUCT(tup);
	foreign = proc->prolang != INTERNALlanguageId &&
		proc->prolang != ClanguageId &&
		(proc->proowner != GetUserId() || role_is_powerful());
	ReleaseSysCache(tup);
	return foreign;
}

/* Walk an expression; true when it should not be run. */
static bool
run_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	/* a domain's conditions are anybody's */
	if (IsA(node, CoerceToDomain) || IsA(node, SubPlan) || IsA(node, Query) ||
		check_functions_in_node(node, foreign_function, context))
		return true;
	return expression_tree_walker(node, run_walker, context);
}

bool
glperf_trust_run(Node *expr)
{
	return !run_walker(expr, NULL);
}

bool
glperf_trust_input(Oid type)
{
	Oid			element = get_base_element_type(type);

	if (!role_is_powerful() || type < FirstNormalObjectId)
		return true;
	if (OidIsValid(element) && element != type)
		return glperf_trust_input(element);
	/* making a domain checks its conditions, also inside other types */
	return get_typtype(type) == TYPTYPE_BASE || get_typtype(type) == TYPTYPE_ENUM;
}

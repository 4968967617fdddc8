/*
 * index_def.c
 *		Making and comparing index definitions.
 *
 * Definitions are compared as PostgreSQL would: operator classes, collations,
 * sort options and expression trees by equal(); never as text.
 *
 * Locking: definitions are made while the table is locked by whoever analyses
 * the statement; comparing needs no lock.
 */
#include "index_def.h"

#include "access/amapi.h"
#include "access/brin.h"
#include "access/genam.h"
#include "access/hash.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relation.h"
#include "access/reloptions.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_utilcmd.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "trust.h"

/* Resolve operator class and collation of one key column. */
static bool
set_key(GlperfIndexDef *def, int i, Oid type, Oid typcollation,
		Oid opclass, Oid collation, int16 option)
{
	if (!OidIsValid(opclass))
		opclass = GetDefaultOpClass(type, def->amoid);
	if (!OidIsValid(opclass))
		return false;
	def->opclass[i] = opclass;
	def->opfamily[i] = get_opclass_family(opclass);
	def->opcintype[i] = get_opclass_input_type(opclass);
	def->collation[i] = OidIsValid(collation) ? collation : typcollation;
	def->option[i] = option;
	return true;
}

bool
glperf_index_def_append(GlperfIndexDef *def, AttrNumber attnum, Oid opclass,
						Oid collation, int16 option, bool include)
{
	Oid			type;
	Oid			typcollation;
	int32		typmod;

	if (def->ncolumns >= INDEX_MAX_KEYS)
		return false;
	if (!include)
	{
		get_atttypetypmodcoll(def->relid, attnum, &type, &typmod,
							  &typcollation);
		if (!set_key(def, def->nkeys, type, typcollation, opclass, collation,
					 option))
			return false;
		def->nkeys++;
	}
	def->attnum[def->ncolumns++] = attnum;
	return true;
}

bool
glperf_index_def_append_expr(GlperfIndexDef *def, Node *expr, Oid opclass,
							 Oid collation, int16 option)
{
	if (def->ncolumns >= INDEX_MAX_KEYS || def->ncolumns > def->nkeys)
		return false;
	if (!set_key(def, def->nkeys, exprType(expr), exprCollation(expr),
				 opclass, collation, option))
		return false;
	def->nkeys++;
	def->attnum[def->ncolumns++] = 0;
	def->exprs = lappend(def->exprs, copyObject(expr));
	return true;
}

Node *
glperf_index_def_expr(const GlperfIndexDef *def, int i)
{
	int			n = 0;

	if (def->attnum[i] != 0)
		return NULL;
	for (int j = 0; j < i; j++)
		if (def->attnum[j] == 0)
			n++;
	return (Node *) list_nth(def->exprs, n);
}

/* Do two key columns hold the same values in a comparable order? */
static bool
same_key(const GlperfIndexDef *a, int i, const GlperfIndexDef *b, int j)
{
	return a->attnum[i] == b->attnum[j] &&
		a->opfamily[i] == b->opfamily[j] &&
		a->opcintype[i] == b->opcintype[j] &&
		a->collation[i] == b->collation[j] &&
		(a->attnum[i] != 0 || equal(glperf_index_def_expr(a, i),
									glperf_index_def_expr(b, j)));
}

/* Is each of b's keys among a's, wherever?  For access methods without order. */
static bool
has_keys(const GlperfIndexDef *a, const GlperfIndexDef *b)
{
	for (int i = 0; i < b->nkeys; i++)
	{
		int			j = 0;

		while (j < a->nkeys && !same_key(a, j, b, i))
			j++;
		if (j == a->nkeys)
			return false;
	}
	return true;
}

bool
glperf_index_def_has_column(const GlperfIndexDef *def, AttrNumber attnum)
{
	for (int i = 0; i < def->ncolumns; i++)
		if (def->attnum[i] == attnum)
			return true;
	return false;
}

bool
glperf_index_def_leads(const GlperfIndexDef *narrow,
					   const GlperfIndexDef *wide)
{
	if (narrow->relid != wide->relid || narrow->amoid != wide->amoid ||
		narrow->nkeys > wide->nkeys)
		return false;
	for (int i = 0; i < narrow->nkeys; i++)
		if (!same_key(narrow, i, wide, i) ||
			narrow->option[i] != wide->option[i])
			return false;
	return equal(narrow->pred, wide->pred);
}

bool
glperf_index_def_equal(const GlperfIndexDef *a, const GlperfIndexDef *b)
{
	if (a->nkeys != b->nkeys || a->ncolumns != b->ncolumns ||
		!glperf_index_def_leads(a, b))
		return false;
	for (int i = a->nkeys; i < a->ncolumns; i++)
		if (!glperf_index_def_has_column(b, a->attnum[i]))
			return false;
	return true;
}

bool
glperf_index_def_covers(const GlperfIndexDef *a, const GlperfIndexDef *b)
{
	bool		same = true;
	bool		flipped = true;

	if (a->relid != b->relid || a->amoid != b->amoid || a->nkeys < b->nkeys)
		return false;
	if (a->amoid == GIN_AM_OID)
		return has_keys(a, b) && equal(a->pred, b->pred);
	for (int i = 0; i < b->nkeys; i++)
	{
		if (!same_key(a, i, b, i))
			return false;
		if (a->option[i] != b->option[i])
			same = false;
		if ((a->option[i] ^ b->option[i]) !=
			(INDOPTION_DESC | INDOPTION_NULLS_FIRST))
			flipped = false;
	}
	if (!same && !flipped)
		return false;
	for (int i = b->nkeys; i < b->ncolumns; i++)
		if (!glperf_index_def_has_column(a, b->attnum[i]))
			return false;
	return equal(a->pred, b->pred);
}

/* Columns that the union of two definitions lacks in the second one. */
static int
lacks(const GlperfIndexDef *narrow, const GlperfIndexDef *wide)
{
	int			n = 0;

	for (int i = narrow->nkeys; i < narrow->ncolumns; i++)
		if (!glperf_index_def_has_column(wide, narrow->attnum[i]))
			n++;
	return n;
}

bool
glperf_index_def_can_unite(const GlperfIndexDef *narrow,
						   const GlperfIndexDef *wide)
{
	int			missing;

	if (narrow->amoid != BTREE_AM_OID || narrow->exprs != NIL ||
		wide->exprs != NIL || !glperf_index_def_leads(narrow, wide))
		return false;
	missing = lacks(narrow, wide);
	return missing > 0 && wide->ncolumns + missing <= GLPERF_MAX_COLUMNS;
}

void
glperf_index_def_unite(GlperfIndexDef *wide, const GlperfIndexDef *narrow)
{
	for (int i = narrow->nkeys; i < narrow->ncolumns; i++)
		if (!glperf_index_def_has_column(wide, narrow->attnum[i]) &&
			!glperf_index_def_append(wide, narrow->attnum[i], InvalidOid,
									 InvalidOid, 0, true))
			elog(ERROR, "could not unite two index definitions");
}

/* Column number in table of a column of parent; Invalid when it has none. */
static AttrNumber
map_attnum(Oid parent, Oid table, AttrNumber attnum)
{
	char	   *name;

	if (attnum <= 0 || parent == table)
		return attnum;
	name = get_attname(parent, attnum, true);
	return name ? get_attnum(table, name) : InvalidAttrNumber;
}

typedef struct MapContext
{
	Oid			parent;
	Oid			table;
	bool		failed;
} MapContext;

/* Renumber the Vars of an expression in place, for a partition. */
static bool
map_vars_walker(Node *node, MapContext *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		var->varattno = map_attnum(context->parent, context->table,
								   var->varattno);
		if (var->varattno == InvalidAttrNumber)
			context->failed = true;
		return false;
	}
	return expression_tree_walker(node, map_vars_walker, (void *) context);
}

AttrNumber
glperf_index_def_attnum_on(const GlperfIndexDef *def, int i, Oid table)
{
	return map_attnum(def->relid, table, def->attnum[i]);
}

GlperfIndexDef *
glperf_index_def_on_partition(const GlperfIndexDef *def, Oid table)
{
	GlperfIndexDef *result = palloc(sizeof(GlperfIndexDef));
	MapContext	context = {def->relid, table, false};

	*result = *def;
	result->relid = table;
	for (int i = 0; i < def->ncolumns; i++)
	{
		result->attnum[i] = glperf_index_def_attnum_on(def, i, table);
		if (def->attnum[i] != 0 && result->attnum[i] == InvalidAttrNumber)
			context.failed = true;
	}
	result->exprs = copyObject(def->exprs);
	result->pred = copyObject(def->pred);
	map_vars_walker((Node *) result->exprs, &context);
	map_vars_walker((Node *) result->pred, &context);
	return context.failed ? NULL : result;
}

GlperfIndexDef *
glperf_index_def_from_relation(Relation index)
{
	GlperfIndexDef *def = palloc0(sizeof(GlperfIndexDef));
	Form_pg_index form = index->rd_index;
	oidvector  *opclass;
	bool		isnull;

	opclass = (oidvector *)
		DatumGetPointer(SysCacheGetAttr(INDEXRELID, index->rd_indextuple,
										Anum_pg_index_indclass, &isnull));

	def->relid = form->indrelid;
	def->amoid = index->rd_rel->relam;
	def->nkeys = form->indnkeyatts;
	def->ncolumns = form->indnatts;
	for (int i = 0; i < def->ncolumns; i++)
		def->attnum[i] = form->indkey.values[i];
	for (int i = 0; i < def->nkeys; i++)
	{
		def->opclass[i] = opclass->values[i];
		def->opfamily[i] = index->rd_opfamily[i];
		def->opcintype[i] = index->rd_opcintype[i];
		def->collation[i] = index->rd_indcollation[i];
		def->option[i] = index->rd_indoption[i];
	}
	def->exprs = RelationGetIndexExpressions(index);
	def->pred = RelationGetIndexPredicate(index);
	def->name = pstrdup(RelationGetRelationName(index));
	return def;
}

/* Append what one IndexElem says; raises what CREATE INDEX would raise. */
static void
append_elem(GlperfIndexDef *def, Relation rel, IndexElem *elem, bool include)
{
	Oid			type;
	Oid			collation;
	int32		typmod;
	Oid			opclass = InvalidOid;
	AttrNumber	attnum = 0;
	int16		option = 0;
	bool		ok;

	if (elem->name)
	{
		attnum = get_attnum(RelationGetRelid(rel), elem->name);
		if (attnum == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" does not exist", elem->name)));
		get_atttypetypmodcoll(RelationGetRelid(rel), attnum, &type, &typmod,
							  &collation);
	}
	else
	{
		if (include)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("expressions are not supported in included columns")));
		if (contain_mutable_functions((Node *) expression_planner((Expr *) elem->expr)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("functions in index expression must be marked IMMUTABLE")));
		type = exprType(elem->expr);
		collation = exprCollation(elem->expr);
	}
	if (elem->collation)
		collation = get_collation_oid(elem->collation, false);
	if (!include)
	{
		HeapTuple	tup = SearchSysCache1(AMOID, ObjectIdGetDatum(def->amoid));
		char	   *amname = pstrdup(NameStr(((Form_pg_am) GETSTRUCT(tup))->amname));

		ReleaseSysCache(tup);
		opclass = ResolveOpClass(elem->opclass, type, amname, def->amoid);
		if (elem->ordering == SORTBY_DESC)
			option |= INDOPTION_DESC;
		if (elem->nulls_ordering == SORTBY_NULLS_FIRST ||
			(elem->nulls_ordering == SORTBY_NULLS_DEFAULT &&
			 elem->ordering == SORTBY_DESC))
			option |= INDOPTION_NULLS_FIRST;
	}
	if (elem->name)
		ok = glperf_index_def_append(def, attnum, opclass, collation, option,
									 include);
	else
		ok = glperf_index_def_append_expr(def, elem->expr, opclass, collation,
										  option);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("cannot use more than %d columns in an index",
						INDEX_MAX_KEYS)));
}

/* Raise what CREATE INDEX would about columns like ctid. */
static void
check_system_columns(const GlperfIndexDef *def, IndexStmt *stmt)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;
	bool		met = false;

	foreach(lc, list_concat_copy(stmt->indexParams,
								 stmt->indexIncludingParams))
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (elem->name)
			met |= get_attnum(def->relid, elem->name) < 0;
		else if (!list_member_ptr(stmt->indexIncludingParams, elem))
			pull_varattnos(elem->expr, 1, &columns);
	}
	pull_varattnos(stmt->whereClause, 1, &columns);
	for (int i = FirstLowInvalidHeapAttributeNumber + 1; i < 0; i++)
		met |= bms_is_member(i - FirstLowInvalidHeapAttributeNumber, columns);
	if (met)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index creation on system columns is not supported")));
}

/* Raise what CREATE INDEX would about things an access method cannot do. */
static void
check_access_method(Oid amoid, IndexStmt *stmt)
{
	const IndexAmRoutine *am = GetIndexAmRoutineByAmId(amoid, false);
	const char *missing = NULL;
	ListCell   *lc;

	if (stmt->unique && !am->amcanunique)
		missing = "unique indexes";
	else if (stmt->indexIncludingParams && !am->amcaninclude)
		missing = "included columns";
	else if (list_length(stmt->indexParams) > 1 && !am->amcanmulticol)
		missing = "multicolumn indexes";
	foreach(lc, stmt->indexParams)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);

		if (!am->amcanorder && (elem->ordering != SORTBY_DEFAULT ||
								elem->nulls_ordering != SORTBY_NULLS_DEFAULT))
			missing = "ASC, DESC and NULLS options";
	}
	if (missing)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method \"%s\" does not support %s",
						get_am_name(amoid), missing)));
}

/* Storage parameters that matter to size or cost; raises what CREATE INDEX would. */
static void
take_options(GlperfIndexDef *def, IndexStmt *stmt)
{
	const IndexAmRoutine *am = GetIndexAmRoutineByAmId(def->amoid, false);
	Datum		options = transformRelOptions((Datum) 0, stmt->options, NULL,
											  NULL, false, false);
	bytea	   *parsed = index_reloptions(am->amoptions, options, true);

	def->tablespace = stmt->tableSpace ?
		get_tablespace_oid(stmt->tableSpace, false) :
		GetDefaultTablespace(RELPERSISTENCE_PERMANENT, false);
	if (parsed == NULL)
		return;
	if (def->amoid == BTREE_AM_OID)
	{
		def->fillfactor = ((BTOptions *) parsed)->fillfactor;
		def->no_deduplication = !((BTOptions *) parsed)->deduplicate_items;
	}
	else if (def->amoid == HASH_AM_OID)
		def->fillfactor = ((HashOptions *) parsed)->fillfactor;
	else if (def->amoid == BRIN_AM_OID)
		def->pages_per_range = ((BrinOptions *) parsed)->pagesPerRange;
}

GlperfIndexDef *
glperf_index_def_from_stmt(IndexStmt *stmt, const char *ddl)
{
	GlperfIndexDef *def = palloc0(sizeof(GlperfIndexDef));
	Relation	rel;
	ListCell   *lc;

	rel = relation_openrv(stmt->relation, AccessShareLock);
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_MATVIEW &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot create index on relation \"%s\"",
						RelationGetRelationName(rel)),
				 errhint("Name a table, a materialized view or a partitioned table.")));
	def->relid = RelationGetRelid(rel);
	def->amoid = get_index_am_oid(stmt->accessMethod, false);
	check_access_method(def->amoid, stmt);
	take_options(def, stmt);
	stmt = transformIndexStmt(def->relid, stmt, ddl);
	foreach(lc, stmt->indexParams)
		glperf_trust_expr(lfirst_node(IndexElem, lc)->expr);
	glperf_trust_expr(stmt->whereClause);
	check_system_columns(def, stmt);

	foreach(lc, stmt->indexParams)
		append_elem(def, rel, (IndexElem *) lfirst(lc), false);
	foreach(lc, stmt->indexIncludingParams)
		append_elem(def, rel, (IndexElem *) lfirst(lc), true);
	if (stmt->whereClause)
	{
		/* the same preparation that the relation cache gives a predicate */
		Node	   *pred = eval_const_expressions(NULL, stmt->whereClause);

		if (contain_mutable_functions(pred))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("functions in index predicate must be marked IMMUTABLE")));
		pred = (Node *) canonicalize_qual((Expr *) pred, false);
		def->pred = make_ands_implicit((Expr *) pred);
		fix_opfuncids((Node *) def->pred);
	}
	foreach(lc, def->exprs)
	{
		lfirst(lc) = eval_const_expressions(NULL, lfirst(lc));
		fix_opfuncids(lfirst(lc));
	}
	relation_close(rel, NoLock);
	if (stmt->idxname)
		def->name = pstrdup(stmt->idxname);
	else
		glperf_index_def_set_name(def);
	return def;
}

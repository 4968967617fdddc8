/*
 * index_catalog.c
 *		Reads indexes and foreign keys from the catalogs, without ever waiting
 *		for a lock on a user's table.
 *
 * pg_index and pg_constraint are scanned with an ordinary catalog lock;
 * everything else comes from system caches, the statistics collector and
 * stat().  Index expressions and predicates are taken as the trees that the
 * catalog stores; deparsing them would open the table and wait.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_type.h"
#include "commands/vacuum.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "pgstat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "index_catalog.h"
#include "relsize.h"

/* A constraint that an index carries, found by the index's OID. */
typedef struct GlperfIndexUse
{
	Oid			index;			/* hash key */
	char	   *guard;			/* first reason to keep it */
} GlperfIndexUse;

/* A table that belongs to an extension. */
typedef struct GlperfExtensionTable
{
	Oid			table;			/* hash key */
	Oid			extension;
} GlperfExtensionTable;

/* A partitioned index, found by its OID. */
typedef struct GlperfTreeNode
{
	Oid			oid;			/* hash key */
	GlperfIndex *index;
} GlperfTreeNode;

/* See index_catalog.h. */
bool
glperf_is_system_schema(Oid nspid)
{
	char	   *name;

	if (IsCatalogNamespace(nspid) || IsToastNamespace(nspid) ||
		isAnyTempNamespace(nspid))
		return true;
	name = get_namespace_name(nspid);
	return name == NULL || strcmp(name, "information_schema") == 0;
}

/* A function that is not PostgreSQL's own. */
static bool
is_foreign_function(Oid funcid, void *context)
{
	return funcid >= FirstNormalObjectId;
}

/*
 * Does the tree hold anything that must not be folded?  Functions of users
 * would run with the rights of whoever reads the view; composite values would
 * make the planner open, and wait for, the table that defines their type.
 */
static bool
contain_unfoldable(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_foreign_function, NULL))
		return true;
	switch (nodeTag(node))
	{
		case T_FieldSelect:
		case T_FieldStore:
		case T_ConvertRowtypeExpr:
		case T_RowExpr:
		case T_RowCompareExpr:
		case T_CoerceToDomain:
			return true;
		default:
			break;
	}
	if (IsA(node, Var) || IsA(node, Const))
	{
		Oid			type = exprType(node);
		Oid			element = get_element_type(type);

		if (type_is_rowtype(OidIsValid(element) ? element : type))
			return true;
	}
	return expression_tree_walker(node, contain_unfoldable, context);
}

/*
 * A stored predicate as an implicitly ANDed list in the planner's normal
 * form.  *opaque is set when it has to be left as it is, and may only be
 * compared with equal().
 */
static List *
read_predicate(Datum stored, bool *opaque)
{
	Node	   *node = stringToNode(TextDatumGetCString(stored));

	*opaque = contain_unfoldable(node, NULL);
	if (!*opaque)
	{
		node = eval_const_expressions(NULL, node);
		node = (Node *) canonicalize_qual((Expr *) node, false);
	}
	return make_ands_implicit((Expr *) node);
}

/* Numbers of an int2vector, oidvector, int2[] or oid[] column, copied. */
static void *
read_array(Datum value, Size width, int *n)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	void	   *copy;

	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	copy = palloc(Max(*n, 1) * width);
	memcpy(copy, ARR_DATA_PTR(array), *n * width);
	return copy;
}

/* A column of pg_index that is never null. */
static Datum
index_attr(HeapTuple tuple, Relation pg_index, int attnum)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum,
									 RelationGetDescr(pg_index), &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in pg_index column %d", attnum);
	return value;
}

/* Keys, classes, collations, directions, expressions and predicate. */
static void
read_definition(GlperfIndex *index, HeapTuple tuple, Relation pg_index)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
	int			n;
	bool		isnull;
	Datum		value;
	ListCell   *next = NULL;

	index->nkeys = form->indnkeyatts;
	index->natts = form->indnatts;
	index->attnum = read_array(index_attr(tuple, pg_index,
										  Anum_pg_index_indkey),
							   sizeof(int16), &n);
	index->opclass = read_array(index_attr(tuple, pg_index,
										   Anum_pg_index_indclass),
								sizeof(Oid), &n);
	index->collation = read_array(index_attr(tuple, pg_index,
											 Anum_pg_index_indcollation),
								  sizeof(Oid), &n);
	index->option = read_array(index_attr(tuple, pg_index,
										  Anum_pg_index_indoption),
							   sizeof(int16), &n);
	index->opfamily = palloc(index->nkeys * sizeof(Oid));
	index->opcintype = palloc(index->nkeys * sizeof(Oid));
	index->expression = palloc0(index->nkeys * sizeof(Node *));

	value = heap_getattr(tuple, Anum_pg_index_indexprs,
						 RelationGetDescr(pg_index), &isnull);
	if (!isnull)
	{
		List	   *exprs = stringToNode(TextDatumGetCString(value));

		index->has_expression = true;
		next = list_head(exprs);
		for (int i = 0; i < index->nkeys; i++)
		{
			if (index->attnum[i] != 0)
				continue;
			index->expression[i] = lfirst(next);
			next = lnext(exprs, next);
		}
	}
	for (int i = 0; i < index->nkeys; i++)
	{
		if (!get_opclass_opfamily_and_input_type(index->opclass[i],
												 &index->opfamily[i],
												 &index->opcintype[i]))
			elog(ERROR, "cache lookup failed for operator class %u",
				 index->opclass[i]);
	}
	value = heap_getattr(tuple, Anum_pg_index_indpred,
						 RelationGetDescr(pg_index), &isnull);
	if (!isnull)
		index->predicate = read_predicate(value, &index->opaque);
}

/* An array of options as text, '' for SQL NULL. */
static char *
options_text(Datum value, bool isnull)
{
	if (isnull)
		return "";
	return OidOutputFunctionCall(F_ARRAY_OUT, value);
}

/*
 * Settings that make indexes of the same keys differ, except for B-trees,
 * where they only tune space.
 */
static char *
read_settings(const GlperfIndex *index, HeapTuple class_tuple)
{
	StringInfoData buf;
	bool		isnull;
	Datum		value;

	if (index->am == BTREE_AM_OID)
		return "";
	initStringInfo(&buf);
	value = SysCacheGetAttr(RELOID, class_tuple, Anum_pg_class_reloptions,
							&isnull);
	appendStringInfoString(&buf, options_text(value, isnull));
	for (int i = 1; i <= index->nkeys; i++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM,
											ObjectIdGetDatum(index->oid),
											Int16GetDatum(i));

		if (!HeapTupleIsValid(tuple))
			continue;
		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attoptions,
								&isnull);
		if (!isnull)
			appendStringInfo(&buf, " %d:%s", i, options_text(value, false));
		ReleaseSysCache(tuple);
	}
	return buf.data;
}

/*
 * How detailed the statistics of each key are.  Plain columns have theirs from
 * the table, whatever index they are in.
 */
static int *
read_targets(const GlperfIndex *index)
{
	int		   *target = palloc(index->nkeys * sizeof(int));

	for (int i = 0; i < index->nkeys; i++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM,
											ObjectIdGetDatum(index->oid),
											Int16GetDatum(i + 1));

		target[i] = -1;
		if (HeapTupleIsValid(tuple))
		{
			target[i] = glperf_stats_target(tuple);
			ReleaseSysCache(tuple);
		}
		if (target[i] < 0)
			target[i] = default_statistics_target;
	}
	return target;
}

/* Counters, size and age. */
static void
read_measures(GlperfIndex *index, Form_pg_class class_form)
{
	PgStat_StatTabEntry *counters = pgstat_fetch_stat_tabentry(index->oid);

	index->bytes = glperf_relation_main_file(class_form, &index->created);
	if (counters == NULL)
		return;
	index->scans = counters->numscans;
	index->tuples_read = counters->tuples_returned;
	index->blocks_fetched = counters->blocks_fetched;
	index->blocks_hit = counters->blocks_hit;
#ifdef GLPERF_HAVE_LAST_SCAN
	index->last_scan = counters->lastscan;
#endif
}

/*
 * Why an index must stay, as far as its own row and its table tell.  NULL if
 * nothing speaks for it.
 */
static char *
own_guard(Form_pg_index form)
{
	if (form->indisprimary)
		return "primary key";
	if (form->indisexclusion)
		return "exclusion constraint";
	if (form->indisreplident)
		return "replica identity of the table";
	if (form->indisclustered)
		return "CLUSTER sorts the table by it";
	return NULL;
}

/* Read one index; NULL if it is none of ours or has just been dropped. */
static GlperfIndex *
read_index(HeapTuple tuple, Relation pg_index, bool measure)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
	HeapTuple	class_tuple;
	Form_pg_class class_form;
	GlperfIndex *index;

	class_tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(form->indexrelid));
	if (!HeapTupleIsValid(class_tuple))
		return NULL;
	class_form = (Form_pg_class) GETSTRUCT(class_tuple);
	if (class_form->relpersistence == RELPERSISTENCE_TEMP ||
		glperf_is_system_schema(class_form->relnamespace))
	{
		ReleaseSysCache(class_tuple);
		return NULL;
	}

	index = palloc0(sizeof(GlperfIndex));
	index->oid = form->indexrelid;
	index->table = form->indrelid;
	index->schema_name = get_namespace_name(class_form->relnamespace);
	index->table_name = get_rel_name(form->indrelid);
	index->index_name = pstrdup(NameStr(class_form->relname));
	index->am = class_form->relam;
	index->tablespace = class_form->reltablespace;
	index->partitioned = class_form->relkind == RELKIND_PARTITIONED_INDEX;
	index->unique = form->indisunique;
	index->immediate = form->indimmediate;
	index->nulls_not_distinct = glperf_nulls_not_distinct(form);
	index->valid = form->indisvalid && form->indisready && form->indislive;
	if (class_form->relispartition)
		index->parent = get_partition_parent(index->oid, true);
	if (index->table_name != NULL)
	{
		read_definition(index, tuple, pg_index);
		index->settings = read_settings(index, class_tuple);
		if (index->has_expression)
			index->target = read_targets(index);
		if (measure)
			read_measures(index, class_form);
		index->guard = own_guard(form);
	}
	ReleaseSysCache(class_tuple);
	return index->table_name == NULL ? NULL : index;
}

/* A hash table in CurrentMemoryContext of entries that begin with an OID. */
static HTAB *
hash_by_oid(const char *name, Size entrysize)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = entrysize;
	ctl.hcxt = CurrentMemoryContext;
	return hash_create(name, 128, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Remember why constraints need an index: their own, or the one referenced. */
static HTAB *
constraint_uses(void)
{
	HTAB	   *uses = hash_by_oid("glperf index uses", sizeof(GlperfIndexUse));
	Relation	pg_constraint;
	SysScanDesc scan;
	HeapTuple	tuple;

	pg_constraint = table_open(ConstraintRelationId, AccessShareLock);
	scan = systable_beginscan(pg_constraint, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		GlperfIndexUse *use;
		bool		found;

		if (!OidIsValid(form->conindid))
			continue;
		use = hash_search(uses, &form->conindid, HASH_ENTER, &found);
		/* its own constraint is the better reason */
		if (found && form->contype == CONSTRAINT_FOREIGN)
			continue;
		use->guard = psprintf(form->contype == CONSTRAINT_FOREIGN ?
							  "foreign key %s refers to it" :
							  "enforces constraint %s",
							  quote_identifier(NameStr(form->conname)));
	}
	systable_endscan(scan);
	table_close(pg_constraint, AccessShareLock);
	return uses;
}

/* Tables that belong to extensions: one scan instead of one per table. */
static HTAB *
extension_tables(void)
{
	HTAB	   *tables = hash_by_oid("glperf extension tables",
									 sizeof(GlperfExtensionTable));
	ScanKeyData key;
	Relation	pg_depend;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(ExtensionRelationId));
	pg_depend = table_open(DependRelationId, AccessShareLock);
	scan = systable_beginscan(pg_depend, DependReferenceIndexId, true, NULL,
							  1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		GlperfExtensionTable *entry;

		if (form->classid != RelationRelationId ||
			form->deptype != DEPENDENCY_EXTENSION)
			continue;
		entry = hash_search(tables, &form->objid, HASH_ENTER, NULL);
		entry->extension = form->refobjid;
	}
	systable_endscan(scan);
	table_close(pg_depend, AccessShareLock);
	return tables;
}

/* list_sort: by table, then by OID, so that results are stable. */
static int
compare_indexes(const ListCell *a, const ListCell *b)
{
	const GlperfIndex *x = lfirst(a);
	const GlperfIndex *y = lfirst(b);

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->oid < y->oid ? -1 : x->oid > y->oid;
}

/*
 * Add what leaves were measured to the partitioned indexes above them, and
 * note the topmost of these.
 */
static void
sum_up_partitions(List *indexes)
{
	HTAB	   *by_oid = hash_by_oid("glperf partitioned indexes",
									 sizeof(GlperfTreeNode));
	ListCell   *lc;

	foreach(lc, indexes)
	{
		GlperfIndex *index = lfirst(lc);

		if (index->partitioned)
		{
			GlperfTreeNode *node = hash_search(by_oid, &index->oid,
											   HASH_ENTER, NULL);

			node->index = index;
		}
	}
	foreach(lc, indexes)
	{
		GlperfIndex *leaf = lfirst(lc);
		Oid			parent = leaf->parent;

		while (OidIsValid(parent))
		{
			GlperfTreeNode *node = hash_search(by_oid, &parent, HASH_FIND,
											   NULL);
			GlperfIndex *sum;

			if (node == NULL)
				break;
			sum = node->index;
			leaf->root = sum;
			parent = sum->parent;
			if (leaf->partitioned)
				continue;
			sum->bytes += leaf->bytes;
			sum->scans += leaf->scans;
			sum->tuples_read += leaf->tuples_read;
			sum->blocks_fetched += leaf->blocks_fetched;
			sum->blocks_hit += leaf->blocks_hit;
			sum->last_scan = Max(sum->last_scan, leaf->last_scan);

			/*
			 * The tree is as old as its oldest leaf: partitions come and go
			 * in the course of its life.
			 */
			if (sum->created == 0 ||
				(leaf->created != 0 && leaf->created < sum->created))
				sum->created = leaf->created;
		}
	}
	hash_destroy(by_oid);
}

/*
 * Parts of an index go with the whole: what speaks for one speaks for all.
 */
static void
guard_partitions(List *indexes)
{
	ListCell   *lc;

	foreach(lc, indexes)
	{
		GlperfIndex *part = lfirst(lc);

		if (!OidIsValid(part->parent))
			continue;
		if (part->guard != NULL && part->root != NULL &&
			part->root->guard == NULL)
			part->root->guard = psprintf("%s, in partition %s", part->guard,
										 quote_identifier(part->table_name));
		part->guard = psprintf("partition of index %s, judged there",
							   quote_identifier(get_rel_name(part->parent)));
	}
}

/* See index_catalog.h. */
List *
glperf_index_list(bool measure)
{
	List	   *indexes = NIL;
	HTAB	   *uses = constraint_uses();
	HTAB	   *extensions = extension_tables();
	Relation	pg_index;
	SysScanDesc scan;
	HeapTuple	tuple;

	pg_index = table_open(IndexRelationId, AccessShareLock);
	scan = systable_beginscan(pg_index, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		GlperfIndex *index = read_index(tuple, pg_index, measure);
		GlperfIndexUse *use;
		GlperfExtensionTable *member;

		if (index == NULL)
			continue;
		member = hash_search(extensions, &index->table, HASH_FIND, NULL);
		if (member != NULL)
			index->extension = member->extension;
		use = hash_search(uses, &index->oid, HASH_FIND, NULL);
		if (use != NULL)
			index->guard = use->guard;
		indexes = lappend(indexes, index);
		CHECK_FOR_INTERRUPTS();
	}
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);

	list_sort(indexes, compare_indexes);
	sum_up_partitions(indexes);
	guard_partitions(indexes);
	return indexes;
}

/* Some index is not usable. */
static bool
has_invalid(List *indexes)
{
	ListCell   *lc;

	foreach(lc, indexes)
	{
		if (!((GlperfIndex *) lfirst(lc))->valid)
			return true;
	}
	return false;
}

/* See index_catalog.h. */
void
glperf_index_find_builds(List *indexes)
{
	ListCell   *lc;

	if (!has_invalid(indexes))
		return;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT p.index_relid, p.relid"
					" FROM pg_catalog.pg_stat_progress_create_index p"
					" WHERE p.datname = pg_catalog.current_database()"
					" UNION ALL "
					"SELECT l.relation, NULL FROM pg_catalog.pg_locks l"
					" WHERE l.locktype = 'relation' AND l.granted"
					" AND l.mode = 'ShareUpdateExclusiveLock'"
					" AND l.database = (SELECT oid"
					" FROM pg_catalog.pg_database"
					" WHERE datname = pg_catalog.current_database())",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the progress of index builds");
	foreach(lc, indexes)
	{
		GlperfIndex *index = lfirst(lc);
		HeapTuple	tuple;

		if (index->valid)
			continue;
		for (uint64 i = 0; i < SPI_processed && !index->building; i++)
		{
			HeapTuple	row = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;
			bool		no_index;
			bool		no_table;
			Oid			oid = DatumGetObjectId(SPI_getbinval(row, desc, 1,
															 &no_index));
			Oid			table = DatumGetObjectId(SPI_getbinval(row, desc, 2,
															   &no_table));

			/* early in its life a build does not name its index yet */
			index->building = (!no_index && oid == index->oid) ||
				(!no_table && table == index->table && oid == InvalidOid);
		}
		tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index->oid));
		if (!HeapTupleIsValid(tuple))
			index->building = true; /* dropped meanwhile */
		else
		{
			if (((Form_pg_index) GETSTRUCT(tuple))->indisvalid)
				index->building = true; /* finished meanwhile */
			ReleaseSysCache(tuple);
		}
	}
	SPI_finish();
}

bool
glperf_index_has_dependents(Oid index)
{
	ScanKeyData key[2];
	Relation	pg_depend;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(index));
	pg_depend = table_open(DependRelationId, AccessShareLock);
	scan = systable_beginscan(pg_depend, DependReferenceIndexId, true,
							  NULL, 2, key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_depend) GETSTRUCT(tuple))->deptype ==
			DEPENDENCY_NORMAL;
	systable_endscan(scan);
	table_close(pg_depend, AccessShareLock);
	return found;
}

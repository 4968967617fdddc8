/*
 * foreign_keys.c
 *		Foreign keys whose referencing rows no index finds.
 *
 * Deleting or updating a referenced row makes the server look for the rows
 * that refer to it.  Without an index on the referencing columns each such
 * look reads the whole table, while the referenced row stays locked.
 *
 * The answer is given per set of columns: two foreign keys on the same columns
 * need one index, and a foreign key of a partitioned table is judged, and
 * mended, at the top.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "index_catalog.h"

PG_FUNCTION_INFO_V1(glperf_foreign_keys_without_index);

/* Elements of an int2[] or oid[] column of pg_constraint, copied. */
static void *
constraint_array(HeapTuple tuple, Relation rel, int attnum, Size width,
				 int *n)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, RelationGetDescr(rel),
									 &isnull);
	ArrayType  *array;
	void	   *copy;

	if (isnull)
		elog(ERROR, "unexpected null in pg_constraint column %d", attnum);
	array = DatumGetArrayTypeP(value);
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	copy = palloc(Max(*n, 1) * width);
	memcpy(copy, ARR_DATA_PTR(array), *n * width);
	return copy;
}

/*
 * The collation by which the check compares this column: the column's own,
 * unless the referenced column's is nondeterministic (ri_triggers.c adds it to
 * its query then).
 */
static Oid
checked_collation(Oid table, AttrNumber column, Oid referenced,
				  AttrNumber referenced_column)
{
	Oid			type;
	int32		typmod;
	Oid			own;
	Oid			other;

	get_atttypetypmodcoll(table, column, &type, &typmod, &own);
	get_atttypetypmodcoll(referenced, referenced_column, &type, &typmod,
						  &other);
	if (OidIsValid(other) && other != own &&
		!get_collation_isdeterministic(other))
		return other;
	return own;
}

/*
 * Read one foreign key.  Columns compared by something else than equality (the
 * period of a temporal key) are left out: the others narrow the search.
 */
static GlperfForeignKey *
read_foreign_key(HeapTuple tuple, Relation pg_constraint)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	GlperfForeignKey *fk = palloc0(sizeof(GlperfForeignKey));
	AttrNumber *referenced_column;
	int			n;
	int			kept = 0;

	fk->oid = form->oid;
	fk->table = form->conrelid;
	fk->referenced = form->confrelid;
	fk->name = pstrdup(NameStr(form->conname));
	fk->inherited = OidIsValid(form->conparentid);
	fk->column = constraint_array(tuple, pg_constraint,
								  Anum_pg_constraint_conkey,
								  sizeof(int16), &n);
	referenced_column = constraint_array(tuple, pg_constraint,
										 Anum_pg_constraint_confkey,
										 sizeof(int16), &n);
	fk->equality = constraint_array(tuple, pg_constraint,
									Anum_pg_constraint_conpfeqop,
									sizeof(Oid), &n);
	fk->collation = palloc(n * sizeof(Oid));
	for (int i = 0; i < n; i++)
	{
		if (get_mergejoin_opfamilies(fk->equality[i]) == NIL)
			continue;
		fk->column[kept] = fk->column[i];
		fk->equality[kept] = fk->equality[i];
		fk->collation[kept] = checked_collation(fk->table, fk->column[i],
												fk->referenced,
												referenced_column[i]);
		kept++;
	}
	fk->ncolumns = kept;
	return fk;
}

/* list_sort: by table, then by name. */
static int
compare_foreign_keys(const ListCell *a, const ListCell *b)
{
	const GlperfForeignKey *x = lfirst(a);
	const GlperfForeignKey *y = lfirst(b);

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* See index_catalog.h. */
List *
glperf_foreign_key_list(void)
{
	List	   *fks = NIL;
	Relation	pg_constraint;
	SysScanDesc scan;
	HeapTuple	tuple;

	pg_constraint = table_open(ConstraintRelationId, AccessShareLock);
	scan = systable_beginscan(pg_constraint, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype != CONSTRAINT_FOREIGN ||
			!glperf_constraint_enforced(form) ||
			!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(form->conrelid)) ||
			!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(form->confrelid)))
			continue;
		fks = lappend(fks, read_foreign_key(tuple, pg_constraint));
		CHECK_FOR_INTERRUPTS();
	}
	systable_endscan(scan);
	table_close(pg_constraint, AccessShareLock);
	list_sort(fks, compare_foreign_keys);
	return fks;
}

/* The same foreign key as a partition has it: its columns by name. */
static GlperfForeignKey *
foreign_key_of_partition(const GlperfForeignKey *fk, Oid partition)
{
	GlperfForeignKey *copy = palloc(sizeof(GlperfForeignKey));

	*copy = *fk;
	copy->table = partition;
	copy->column = palloc(fk->ncolumns * sizeof(AttrNumber));
	for (int i = 0; i < fk->ncolumns; i++)
	{
		char	   *name = get_attname(fk->table, fk->column[i], true);

		copy->column[i] = name == NULL ? InvalidAttrNumber :
			get_attnum(partition, name);
		if (copy->column[i] == InvalidAttrNumber)
			return NULL;		/* changed while we look */
	}
	return copy;
}

/* Position in the list, sorted by table, of the first index of the table. */
static int
first_index_of(Oid table, List *indexes)
{
	int			low = 0;
	int			high = list_length(indexes);

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (((GlperfIndex *) list_nth(indexes, middle))->table < table)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One of the indexes finds the rows of this foreign key. */
static bool
is_supported(const GlperfForeignKey *fk, List *indexes)
{
	for (int i = first_index_of(fk->table, indexes);
		 i < list_length(indexes); i++)
	{
		GlperfIndex *index = list_nth(indexes, i);

		if (index->table != fk->table)
			break;
		if (glperf_index_supports_foreign_key(index, fk))
			return true;
	}
	return false;
}

/*
 * Every partition that can have an index has one of its own.  Partitions are
 * looked up without locking them.
 */
static bool
is_supported_by_leaves(const GlperfForeignKey *fk, List *indexes)
{
	ListCell   *lc;
	bool		any = false;

	foreach(lc, find_all_inheritors(fk->table, NoLock, NULL))
	{
		Oid			partition = lfirst_oid(lc);
		GlperfForeignKey *own;

		if (get_rel_relkind(partition) != RELKIND_RELATION)
			continue;
		own = foreign_key_of_partition(fk, partition);
		if (own != NULL && !is_supported(own, indexes))
			return false;
		any = true;
	}
	return any;
}

/* Estimated rows of a table and its partitions; NaN if never analysed. */
static double
estimated_rows(Oid table)
{
	double		rows = NAN;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(table, NoLock, NULL))
	{
		HeapTuple	tuple = SearchSysCache1(RELOID,
											ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_class form;

		if (!HeapTupleIsValid(tuple))
			continue;
		form = (Form_pg_class) GETSTRUCT(tuple);
		if (form->relkind != RELKIND_PARTITIONED_TABLE && form->reltuples >= 0)
			rows = isnan(rows) ? form->reltuples : rows + form->reltuples;
		ReleaseSysCache(tuple);
	}
	return rows;
}

/* Both foreign keys have the same set of columns. */
static bool
same_columns(const GlperfForeignKey *a, const GlperfForeignKey *b)
{
	Bitmapset  *x = NULL;
	Bitmapset  *y = NULL;

	if (a->table != b->table || a->ncolumns != b->ncolumns)
		return false;
	for (int i = 0; i < a->ncolumns; i++)
	{
		x = bms_add_member(x, a->column[i]);
		y = bms_add_member(y, b->column[i]);
	}
	return bms_equal(x, y);
}

/* Quoted names of the columns, separated by commas; NULL if one is gone. */
static char *
column_list(const GlperfForeignKey *fk)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < fk->ncolumns; i++)
	{
		char	   *name = get_attname(fk->table, fk->column[i], true);

		if (name == NULL)
			return NULL;
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(name));
	}
	return buf.data;
}

/* Emit the row of a set of columns; names are those of its foreign keys. */
static void
store_finding(ReturnSetInfo *rsinfo, const GlperfForeignKey *fk,
			  const char *names, const char *referenced)
{
	char	   *schema = get_namespace_name(get_rel_namespace(fk->table));
	char	   *table = get_rel_name(fk->table);
	char	   *columns = column_list(fk);
	double		rows;
	Datum		values[7];
	bool		nulls[7] = {0};

	if (schema == NULL || table == NULL || columns == NULL)
		return;
	rows = estimated_rows(fk->table);
	values[0] = CStringGetTextDatum(schema);
	values[1] = CStringGetTextDatum(table);
	values[2] = CStringGetTextDatum(names);
	values[3] = CStringGetTextDatum(columns);
	values[4] = CStringGetTextDatum(referenced);
	values[5] = Float8GetDatum(rows);
	nulls[5] = isnan(rows);

	/* a partitioned table's index cannot be built concurrently */
	values[6] = CStringGetTextDatum(
									psprintf("CREATE INDEX %sON %s (%s)",
											 get_rel_relkind(fk->table) == RELKIND_PARTITIONED_TABLE ?
											 "" : "CONCURRENTLY ",
											 quote_qualified_identifier(schema, table), columns));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Append a name to a list printed as "a, b", once. */
static char *
append_name(char *list, const char *name)
{
	return list == NULL ? pstrdup(name) : psprintf("%s, %s", list, name);
}

/* schema.table of a relation for reading; "?" if it is gone. */
static char *
relation_name(Oid relid)
{
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *name = get_rel_name(relid);

	if (schema == NULL || name == NULL)
		return "?";
	return quote_qualified_identifier(schema, name);
}

/*
 * glperf.foreign_keys_without_index: schema_name, table_name,
 * constraint_name, columns, referenced_table, table_rows, create_ddl.
 */
Datum
glperf_foreign_keys_without_index(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *indexes = glperf_index_list(false);
	List	   *fks = glperf_foreign_key_list();
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, fks)
	{
		GlperfForeignKey *fk = lfirst(lc);
		char	   *names = NULL;
		char	   *referenced = NULL;
		Oid			last_referenced = InvalidOid;
		bool		first = true;
		ListCell   *other;

		CHECK_FOR_INTERRUPTS();
		if (fk->inherited || fk->ncolumns == 0 ||
			get_rel_persistence(fk->table) == RELPERSISTENCE_TEMP ||
			glperf_is_system_schema(get_rel_namespace(fk->table)) ||
			is_supported(fk, indexes) ||
			(get_rel_relkind(fk->table) == RELKIND_PARTITIONED_TABLE &&
			 is_supported_by_leaves(fk, indexes)))
			continue;

		/* foreign keys on the same columns share the row of the first */
		foreach(other, fks)
		{
			GlperfForeignKey *same = lfirst(other);

			if (same->inherited || !same_columns(fk, same))
				continue;
			if (lfirst(other) != fk && names == NULL)
			{
				first = false;
				break;
			}
			names = append_name(names, same->name);
			if (same->referenced != last_referenced)
				referenced = append_name(referenced,
										 relation_name(same->referenced));
			last_referenced = same->referenced;
		}
		if (first)
			store_finding(rsinfo, fk, names, referenced);
	}
	return (Datum) 0;
}

/*
 * index_bloat.c
 *		Which B-trees are worth a look for bloat: the largest ones.
 *
 * relpages is as old as the last vacuum, so sizes come from the files; see
 * relsize.c.  One pass over pg_class keeps the largest found so far.
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "index_catalog.h"
#include "relsize.h"

/* More than that is a full survey, not a look at the largest. */
#define MAX_INDEXES		1000

/* One of the largest. */
typedef struct LargeIndex
{
	Oid			oid;
	Oid			schema;
	char	   *name;
	int64		bytes;
} LargeIndex;

PG_FUNCTION_INFO_V1(glperf_largest_btrees);

/* Largest first; equal sizes by OID, so that the order is always the same. */
static int
compare_size(const void *a, const void *b)
{
	const LargeIndex *x = a;
	const LargeIndex *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->oid < y->oid ? -1 : x->oid > y->oid;
}

/* Put an index in its place among the n largest; returns their new number. */
static int
keep_largest(LargeIndex *largest, int n, int max, const LargeIndex *index)
{
	int			place = n;

	while (place > 0 && compare_size(index, &largest[place - 1]) < 0)
		place--;
	if (place == max)
		return n;
	if (n == max)
	{
		pfree(largest[n - 1].name);
		n--;
	}
	memmove(&largest[place + 1], &largest[place],
			(n - place) * sizeof(LargeIndex));
	largest[place] = *index;
	largest[place].name = pstrdup(index->name);
	return n + 1;
}

/* Find the largest B-trees of user tables; returns how many there are. */
static int
find_largest(LargeIndex *largest, int max, int64 min_bytes)
{
	Relation	pg_class = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_class, InvalidOid, false, NULL,
										  0, NULL);
	HeapTuple	tuple;
	int			n = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class rel = (Form_pg_class) GETSTRUCT(tuple);
		LargeIndex	index;

		if (rel->relkind != RELKIND_INDEX || rel->relam != BTREE_AM_OID ||
			rel->relpersistence == RELPERSISTENCE_TEMP)
			continue;
		CHECK_FOR_INTERRUPTS();
		index.bytes = glperf_relation_main_bytes(rel);
		if (index.bytes < min_bytes ||
			(n == max && index.bytes < largest[n - 1].bytes) ||
			glperf_is_system_schema(rel->relnamespace))
			continue;
		index.oid = rel->oid;
		index.schema = rel->relnamespace;
		index.name = NameStr(rel->relname);
		n = keep_largest(largest, n, max, &index);
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return n;
}

/* Append one index to the result, unless it is gone by now. */
static void
put_index(ReturnSetInfo *rsinfo, const LargeIndex *index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID,
										ObjectIdGetDatum(index->oid));
	Form_pg_index form;
	Datum		values[6];
	bool		nulls[6] = {0};
	char	   *schema;
	char	   *table;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_index) GETSTRUCT(tuple);
	schema = get_namespace_name(index->schema);
	table = get_rel_name(form->indrelid);
	if (schema != NULL && table != NULL)
	{
		values[0] = ObjectIdGetDatum(index->oid);
		values[1] = CStringGetTextDatum(schema);
		values[2] = CStringGetTextDatum(table);
		values[3] = CStringGetTextDatum(index->name);
		values[4] = Int64GetDatum(index->bytes);
		values[5] = BoolGetDatum(form->indisexclusion);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	ReleaseSysCache(tuple);
}

/*
 * glperf.largest_btrees(max_indexes, min_bytes): one row per index, largest
 * first.
 *
 * Errors:	ERRCODE_INVALID_PARAMETER_VALUE when max_indexes is not 1..1000.
 */
Datum
glperf_largest_btrees(PG_FUNCTION_ARGS)
{
	int			max = PG_GETARG_INT32(0);
	int64		min_bytes = PG_GETARG_INT64(1);
	LargeIndex *largest;
	int			n;

	if (max < 1 || max > MAX_INDEXES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_indexes must be between 1 and %d", MAX_INDEXES),
				 errhint("Call glperf.index_density() for the indexes that you choose yourself.")));
	InitMaterializedSRF(fcinfo, 0);
	/* one more, for moving the others up before the last falls off */
	largest = palloc((max + 1) * sizeof(LargeIndex));
	n = find_largest(largest, max, min_bytes);
	for (int i = 0; i < n; i++)
		put_index((ReturnSetInfo *) fcinfo->resultinfo, &largest[i]);
	return (Datum) 0;
}

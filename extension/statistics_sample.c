/*
 * statistics_sample.c
 *		Counting in a sample of a table.
 *
 * The blocks come from row_sample.c, always the same ones of a table; of their
 * rows a reservoir keeps a bounded number.
 */
#include "statistics_sample.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sortsupport.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "row_sample.h"

/* Blocks of one table that are read, and rows that are kept, at most. */
#define SAMPLE_BLOCKS	1000
#define SAMPLE_ROWS		30000

/* A value with its row, for sorting. */
typedef struct SampleValue
{
	Datum		value;
	bool		isnull;
	int			row;
} SampleValue;

/* Receive a row: the first ones, then each with the same chance. */
static void
take_row(void *arg, TupleTableSlot *slot)
{
	GlperfStatisticsSample *sample = arg;
	MemoryContext old;
	int			place = sample->n;

	sample->seen++;
	if (sample->n == SAMPLE_ROWS)
	{
		sample->random = sample->random * UINT64CONST(6364136223846793005) +
			UINT64CONST(1442695040888963407);
		place = (int) ((double) (sample->random >> 11) / (double) (UINT64CONST(1) << 53) *
					   sample->seen);
		if (place >= SAMPLE_ROWS)
			return;
		heap_freetuple(sample->rows[place]);
	}
	else
		sample->n++;
	old = MemoryContextSwitchTo(sample->context);
	sample->rows[place] = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(old);
}

bool
glperf_sample_read(GlperfStatisticsSample *sample, Oid relid)
{
	double		share;
	int			natts;

	memset(sample, 0, sizeof(GlperfStatisticsSample));
	sample->context = CurrentMemoryContext;
	sample->rel = table_open(relid, AccessShareLock);
	sample->rows = palloc(sizeof(HeapTuple) * SAMPLE_ROWS);
	natts = RelationGetNumberOfAttributes(sample->rel);
	sample->ids = palloc0(sizeof(int *) * (natts + 1));
	sample->unsortable = palloc0(sizeof(bool) * (natts + 1));
	share = glperf_sample_rows(sample->rel, SAMPLE_BLOCKS, GLPERF_BLOCKS_SPREAD,
							   take_row, sample);
	if (share <= 0 || sample->n < GLPERF_LEAST_EVIDENCE * GLPERF_LEAST_EVIDENCE)
		return false;
	sample->total = sample->seen / share;
	sample->estate = CreateExecutorState();
	sample->econtext = GetPerTupleExprContext(sample->estate);
	sample->slot = MakeSingleTupleTableSlot(RelationGetDescr(sample->rel),
											&TTSOpsHeapTuple);
	return true;
}

void
glperf_sample_end(GlperfStatisticsSample *sample)
{
	if (sample->slot)
		ExecDropSingleTupleTableSlot(sample->slot);
	if (sample->estate)
		FreeExecutorState(sample->estate);
	table_close(sample->rel, NoLock);
}

/* For qsort_arg(): NULLs first. */
static int
compare_values(const void *a, const void *b, void *arg)
{
	const SampleValue *va = a;
	const SampleValue *vb = b;

	return ApplySortComparator(va->value, va->isnull, vb->value, vb->isnull,
							   (SortSupport) arg);
}

/*
 * Number equal values alike: by a hash of each, which takes a fraction of the
 * time of a sort where a comparison goes by a collation.
 */
static int *
number_by_hash(const SampleValue *values, int n, TypeCacheEntry *entry,
			   Oid collation)
{
	uint32		mask = pg_nextpower2_32(Max(n, 16)) * 2 - 1;
	int		   *places = palloc(sizeof(int) * (mask + 1));	/* -1: free */
	int		   *ids = palloc(sizeof(int) * n);
	int			id = 0;

	memset(places, -1, sizeof(int) * (mask + 1));
	for (int i = 0; i < n; i++)
	{
		uint32		slot;

		if (values[i].isnull)
		{
			ids[values[i].row] = 0;
			continue;
		}
		slot = murmurhash32(DatumGetUInt32(FunctionCall1Coll(&entry->hash_proc_finfo,
															 collation,
															 values[i].value))) & mask;
		while (places[slot] >= 0 &&
			   !DatumGetBool(FunctionCall2Coll(&entry->eq_opr_finfo, collation,
											   values[places[slot]].value,
											   values[i].value)))
			slot = (slot + 1) & mask;
		if (places[slot] < 0)
		{
			places[slot] = i;
			ids[values[i].row] = ++id;
		}
		else
			ids[values[i].row] = ids[values[places[slot]].row];
	}
	pfree(places);
	return ids;
}

/* Number values; may reorder them.  NULL when the type has no order. */
static int *
number_values(SampleValue *values, int n, Oid type, Oid collation)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_LT_OPR |
											  TYPECACHE_EQ_OPR_FINFO |
											  TYPECACHE_HASH_PROC_FINFO);
	SortSupportData sort = {0};
	int		   *ids;
	int			id = 0;

	if (!OidIsValid(entry->lt_opr))
		return NULL;
	if (OidIsValid(entry->hash_proc) && OidIsValid(entry->eq_opr))
		return number_by_hash(values, n, entry, collation);
	sort.ssup_cxt = CurrentMemoryContext;
	sort.ssup_collation = collation;
	sort.ssup_nulls_first = true;
	PrepareSortSupportFromOrderingOp(entry->lt_opr, &sort);
	qsort_arg(values, n, sizeof(SampleValue), compare_values, &sort);
	ids = palloc(sizeof(int) * n);
	for (int i = 0; i < n; i++)
	{
		if (!values[i].isnull &&
			(i == 0 || compare_values(&values[i - 1], &values[i], &sort) != 0))
			id++;
		ids[values[i].row] = values[i].isnull ? 0 : id;
	}
	return ids;
}

int *
glperf_sample_columns(GlperfStatisticsSample *sample, AttrNumber attnum)
{
	TupleDesc	desc = RelationGetDescr(sample->rel);
	Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);
	SampleValue *values;

	CHECK_FOR_INTERRUPTS();
	if (sample->ids[attnum] != NULL || sample->unsortable[attnum])
		return sample->ids[attnum];
	values = palloc(sizeof(SampleValue) * sample->n);
	for (int i = 0; i < sample->n; i++)
	{
		values[i].value = heap_getattr(sample->rows[i], attnum, desc,
									   &values[i].isnull);
		values[i].row = i;
	}
	if (!att->attisdropped)
		sample->ids[attnum] = number_values(values, sample->n, att->atttypid,
											att->attcollation);
	sample->unsortable[attnum] = sample->ids[attnum] == NULL;
	pfree(values);
	return sample->ids[attnum];
}

int
glperf_sample_mark(GlperfStatisticsSample *sample, Node *clause, bool *mark)
{
	ExprState  *state = ExecPrepareExpr((Expr *) clause, sample->estate);
	int			n = 0;

	sample->econtext->ecxt_scantuple = sample->slot;
	for (int i = 0; i < sample->n; i++)
	{
		bool		isnull;
		Datum		value;

		ExecStoreHeapTuple(sample->rows[i], sample->slot, false);
		value = ExecEvalExprSwitchContext(state, sample->econtext, &isnull);
		mark[i] = !isnull && DatumGetBool(value);
		n += mark[i];
		ResetExprContext(sample->econtext);
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	return n;
}

/* Rows compared by several columns' numbers, for sorting. */
typedef struct RowOrder
{
	int		  **ids;
	int			ncolumns;
} RowOrder;

/* For qsort_arg(). */
static int
compare_rows(const void *a, const void *b, void *arg)
{
	const RowOrder *order = arg;

	for (int c = 0; c < order->ncolumns; c++)
	{
		int			ia = order->ids[c][*(const int *) a];
		int			ib = order->ids[c][*(const int *) b];

		if (ia != ib)
			return ia < ib ? -1 : 1;
	}
	return 0;
}

int
glperf_sample_groups(GlperfStatisticsSample *sample, int **ids, int ncolumns,
					 const bool *mark, int *size, int *group)
{
	RowOrder	order = {ids, ncolumns};
	int		   *rows = palloc(sizeof(int) * (sample->n + 1));
	int			n = 0;
	int			groups = 0;

	for (int i = 0; i < sample->n; i++)
		if (mark == NULL || mark[i])
			rows[n++] = i;
	qsort_arg(rows, n, sizeof(int), compare_rows, &order);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || compare_rows(&rows[i - 1], &rows[i], &order) != 0)
			size[groups++] = 0;
		size[groups - 1]++;
		if (group)
			group[rows[i]] = groups - 1;
	}
	pfree(rows);
	return groups;
}

double
glperf_estimate_groups(const int *size, int groups, double n, double total)
{
	double		once = 0;

	for (int g = 0; g < groups; g++)
		once += size[g] == 1;
	if (n <= 0 || total <= n)
		return groups;
	return n * groups / (n - once + once * n / total);
}

int *
glperf_sample_number(GlperfStatisticsSample *sample,
					 const GlperfSampled *sampled, Oid type, Oid collation)
{
	SampleValue *values = palloc(sizeof(SampleValue) * sample->n);

	for (int i = 0; i < sample->n; i++)
	{
		values[i].value = sampled->values[i];
		values[i].isnull = sampled->nulls[i];
		values[i].row = i;
	}
	return number_values(values, sample->n, type, collation);
}

GlperfSampled
glperf_sample_evaluate(GlperfStatisticsSample *sample, Node *expr)
{
	ExprState  *state = ExecPrepareExpr((Expr *) expr, sample->estate);
	GlperfSampled result;
	int16		typlen;
	bool		typbyval;

	get_typlenbyval(exprType(expr), &typlen, &typbyval);
	result.values = palloc(sizeof(Datum) * sample->n);
	result.nulls = palloc(sizeof(bool) * sample->n);
	sample->econtext->ecxt_scantuple = sample->slot;
	for (int i = 0; i < sample->n; i++)
	{
		Datum		value;

		ExecStoreHeapTuple(sample->rows[i], sample->slot, false);
		value = ExecEvalExprSwitchContext(state, sample->econtext,
										  &result.nulls[i]);
		result.values[i] = result.nulls[i] ? (Datum) 0 :
			datumCopy(value, typbyval, typlen);
		ResetExprContext(sample->econtext);
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	return result;
}

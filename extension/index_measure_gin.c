/*
 * index_measure_gin.c
 *		How big a GIN index would be, from a sample of its table's rows.
 *
 * The keys inside of values are extracted by the operator class itself.  Of
 * values that have many, and of expressions, fewer rows do.
 */
#include "index_measure.h"

#include <math.h>

#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"

#include "sandbox.h"
#include "trust.h"

/* Rows whose keys are extracted to find out how many there are. */
#define GIN_PROBE		300
/* Keys that are enough; making those of expressions takes longer. */
#define GIN_KEYS		250000
#define GIN_EXPR_KEYS	125000

/* Keys of one column being collected. */
typedef struct GinWork
{
	GlperfIndexRows *m;
	GlperfGinColumn *column;
	int			number;			/* of the column */
	Node	   *expr;			/* what it holds, if it is an expression */
	int			stride;			/* every so many'th chunk */
	int			most;			/* rows */
	MemoryContext home;			/* of the keys */
	int			allocated;		/* keys */
	int			rows;			/* done */
} GinWork;

/* How the values of a column are got out of rows. */
typedef struct GinValues
{
	ExprState  *expr;
	ExprContext *econtext;
	TupleTableSlot *slot;
} GinValues;

/* Make room for n more keys. */
static void
reserve_keys(GinWork *work, int n)
{
	GlperfSampledKeys *keys = &work->m->keys;

	if (keys->n + n <= work->allocated)
		return;
	work->allocated = Max(Max(1024, work->allocated * 2), keys->n + n);
	keys->key = keys->key ?
		repalloc_huge(keys->key, sizeof(GlperfSampledKey) * work->allocated) :
		MemoryContextAllocHuge(work->home,
							   sizeof(GlperfSampledKey) * work->allocated);
}

/* The value of a sampled row, in CurrentMemoryContext. */
static Datum
fetch_value(GinWork *work, GinValues *values, int row, bool *isnull)
{
	GlperfTableSample *sample = work->m->sample;

	if (values->expr == NULL)
		return heap_getattr(sample->tuples[row], work->column->attnum,
							sample->desc, isnull);
	ExecStoreHeapTuple(sample->tuples[row], values->slot, false);
	return ExecEvalExpr(values->expr, values->econtext, isnull);
}

/* Add the keys of one row. */
static void
take_row(GinWork *work, GinValues *values, int row)
{
	GlperfTableSample *sample = work->m->sample;
	uint32		leaf = list_length(sample->leaves) > 1 ? sample->leaf[row] : 0;
	GlperfCell *cells;
	bool		isnull;
	Datum		value = fetch_value(work, values, row, &isnull);
	int			n = glperf_gin_keys(work->column, value, isnull, &cells);

	reserve_keys(work, n);
	for (int i = 0; i < n; i++)
	{
		GlperfSampledKey *key = &work->m->keys.key[work->m->keys.n++];

		key->hash = hash_combine64(cells[i].hash,
								   work->number + 1 +
								   leaf * INDEX_MAX_KEYS) *
			UINT64CONST(0xff51afd7ed558ccd);
		key->chunk = sample->chunk[row];
		key->block = sample->block[row];
		key->bytes = cells[i].width + (work->m->def->nkeys > 1 ? 4 : 0);
	}
	work->rows++;
}

/* Collect the keys of rows, each row in memory of its own. */
static void
collect(void *arg)
{
	GinWork    *work = arg;
	GlperfTableSample *sample = work->m->sample;
	EState	   *estate = CreateExecutorState();
	GinValues	values = {.econtext = GetPerTupleExprContext(estate)};

	if (work->expr)
	{
		values.expr = ExecPrepareExpr((Expr *) copyObject(work->expr), estate);
		values.slot = MakeSingleTupleTableSlot(sample->desc,
											   &TTSOpsHeapTuple);
		values.econtext->ecxt_scantuple = values.slot;
	}
	for (int row = 0; row < sample->nrows && work->rows < work->most; row++)
	{
		MemoryContext old;

		if (sample->chunk[row] % work->stride != 0 ||
			(work->m->matches && !work->m->matches->match[row]))
			continue;
		CHECK_FOR_INTERRUPTS();
		ResetExprContext(values.econtext);
		old = MemoryContextSwitchTo(values.econtext->ecxt_per_tuple_memory);
		take_row(work, &values, row);
		MemoryContextSwitchTo(old);
	}
	if (values.slot)
		ExecDropSingleTupleTableSlot(values.slot);
	FreeExecutorState(estate);
}

/*
 * Keys of a column in every stride'th chunk, of so many rows at most; returns
 * of how many, -1 when its expression fails.
 */
static int
collect_keys(GinWork work, GlperfIndexRows *m, int stride, int most)
{
	GlperfFailure failure;

	work.m = m;
	work.stride = stride;
	work.most = most;
	work.home = CurrentMemoryContext;
	m->keys.key = NULL;
	m->keys.n = 0;
	if (work.expr == NULL)
		collect(&work);
	else if (!glperf_sandbox_run(GetUserId(), NULL, collect, &work, &failure))
		return -1;
	return work.rows;
}

/* One chunk in how many is enough, when so many rows have so many keys? */
static int
choose_stride(const GlperfTableSample *sample, int rows, int keys, bool expr)
{
	double		most = (expr ? GIN_EXPR_KEYS : GIN_KEYS) *
	(double) rows / Max(1, keys);

	return Max(1, (int) ceil(sample->nrows / Max(1.0, most)));
}

/* Add the keys of one column to an index of so many trees. */
static bool
measure_column(GlperfMeasure *m, GlperfGin *gin, int c, double trees)
{
	GlperfTableSample *sample = m->all.sample;
	GlperfGinColumn column;
	GinWork		work = {.column = &column,.number = c,
		.expr = glperf_index_def_expr(m->def, c)
	};
	bool		runs = m->runs.sample != NULL;
	int			stride;
	int			rows;

	if ((work.expr && (!glperf_trust_run(work.expr) ||
					   contain_mutable_functions(work.expr))) ||
		!glperf_gin_column_open(m->def, c, &column))
		return false;
	rows = collect_keys(work, &m->all, 1, GIN_PROBE);
	if (rows <= 0)
		return rows == 0;
	stride = choose_stride(sample, rows, m->all.keys.n, work.expr != NULL);
	rows = collect_keys(work, &m->all, stride, sample->nrows);
	if (rows <= 0)
		return rows == 0;
	m->share = ceil((double) sample->chunks_read / stride) / sample->chunks;
	/* of so many keys those of the runs, too, would take long */
	if (stride > 1)
		runs = false;
	if (runs &&
		collect_keys(work, &m->runs, 1, m->runs.sample->nrows) < 0)
		return false;
	glperf_keys_gin(m->all.keys, runs ? &m->runs.keys : NULL,
					m->tuples * m->all.keys.n / rows, Min(1.0, m->share),
					sample->chunks, Max(1.0, sample->blocks / trees), gin);
	m->def->keys_per_row += (double) m->all.keys.n / rows;
	return true;
}

bool
glperf_measure_gin(GlperfTableSamples *samples, GlperfMeasure *m)
{
	GlperfGin	gin = {0};
	GlperfIndexDef rest = *m->def;
	double		trees = glperf_measure_trees(m);

	m->def->keys_per_row = 0;
	/* what is worked out for all columns at once is the predicate alone */
	rest.exprs = NIL;
	rest.ncolumns = 0;
	m->all.def = m->runs.def = &rest;
	if (!glperf_measure_runs(samples, m) ||
		(m->def->pred != NIL && !glperf_measure_prepare(&m->all)))
		return false;
	m->tuples = glperf_measure_matches(m);
	for (int c = 0; c < m->def->nkeys; c++)
		if (!measure_column(m, &gin, c, trees))
			return false;
	m->def->pages = glperf_gin_pages(&gin, maintenance_work_mem * 1024.0, trees);
	m->def->gin_keys = gin.keys;
	m->def->gin_data_pages = gin.posting_pages;
	m->def->gin_entry_pages = m->def->pages - 1 - gin.posting_pages;
	return true;
}

/*
 * index_measure.c
 *		How big an index would be, from a sample of its table's rows.
 *
 * Entries are made of the sampled rows as CREATE INDEX would make them:
 * expressions and predicate are evaluated, GIN's keys extracted (by
 * index_measure_gin.c).  When half of the sample says something else than all
 * of it, more is read.
 *
 * Evaluating runs functions, once for every row: as the role that the sandbox
 * was entered as, which may read the table, and only what trust.c lets that
 * role run.  A failure, or what takes long, leaves the size to the statistics.
 */
#include "index_measure.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "sandbox.h"
#include "trust.h"

/* Difference between half the sample and all of it that asks for more. */
#define STABLE			0.05

/* Rows that are enough for the mean of what entries take. */
#define SINGLE_ROWS		4000

/* Bytes of an inner page's entry from which on it matters what is cut off. */
#define WIDE_PIVOT		64

/* Longest evaluation of expressions for one index, in ms. */
#define EVALUATE_MS		500

/* Largest entry of a B-tree, as BTMaxItemSize() has it for a page. */
#define BTREE_MAX_ENTRY \
	(MAXALIGN_DOWN((BLCKSZ - \
					MAXALIGN(SizeOfPageHeaderData + 3 * sizeof(ItemIdData)) - \
					MAXALIGN(sizeof(BTPageOpaqueData))) / 3) - \
	 MAXALIGN(sizeof(ItemPointerData)))

/* -------- expressions and predicate -------- */

/* May these expressions be evaluated on rows by the current role? */
static bool
may_evaluate(const GlperfIndexDef *def)
{
	if (OidIsValid(def->expr_relid) && def->expr_relid != def->relid)
		return false;
	return glperf_trust_run((Node *) def->exprs) &&
		glperf_trust_run((Node *) def->pred) &&
		!contain_mutable_functions((Node *) def->exprs) &&
		!contain_mutable_functions((Node *) def->pred);
}

/*
 * Cells for the results of an expression.  Those over all rows are the same for
 * all indexes; those over the rows of a predicate are of this one.
 */
static GlperfCells *
result_cells(GlperfIndexRows *m, Node *expr, Oid opclass, GlperfCells *own)
{
	int16		typlen;
	bool		byval;

	if (m->def->pred == NIL)
		return glperf_sample_expr(m->sample, expr, opclass);
	if (own == NULL)
	{
		own = palloc0(sizeof(GlperfCells));
		own->keytype = glperf_stored_type(opclass, exprType(expr));
		get_typlenbyvalalign(own->keytype, &typlen, &byval, &own->align);
	}
	own->cell = own->cell ?
		repalloc(own->cell, sizeof(GlperfCell) * m->sample->allocated) :
		palloc(sizeof(GlperfCell) * m->sample->allocated);
	return own;
}

/* Cells for the results of each expression. */
static void
reserve_results(GlperfIndexRows *m)
{
	if (m->exprs == NULL)
		m->exprs = palloc0(sizeof(GlperfCells *) *
						   (list_length(m->def->exprs) + 1));
	for (int c = 0, e = 0; c < m->def->nkeys; c++)
		if (m->def->attnum[c] == 0 && e < list_length(m->def->exprs))
		{
			m->exprs[e] = result_cells(m, list_nth(m->def->exprs, e),
									   m->def->opclass[c], m->exprs[e]);
			e++;
		}
}

/* Evaluate every expression of one row, unless that has been done. */
static void
evaluate_row(GlperfIndexRows *m, int row, ExprState **exprs, ExprContext *econtext)
{
	ListCell   *lc;
	int			i = 0;

	foreach(lc, m->def->exprs)
	{
		Oid			type = exprType(lfirst(lc));
		GlperfCells *cells = m->exprs[i];
		ExprState  *expr = exprs[i++];
		Datum		value;
		bool		isnull;
		int16		typlen;
		bool		byval;

		if (row < cells->n)
			continue;
		value = ExecEvalExprSwitchContext(expr, econtext, &isnull);
		get_typlenbyval(cells->keytype == CSTRINGOID ? CSTRINGOID : type,
						&typlen, &byval);
		glperf_cell_set(&cells->cell[row], value, isnull, typlen, byval,
						get_typstorage(type));
		cells->n = row + 1;
	}
}

/* The first row whose predicate or expressions are still to be evaluated. */
static int
first_to_evaluate(const GlperfIndexRows *m)
{
	int			first = m->sample->nrows;

	if (m->def->exprs == NIL)
		return m->matches->n;
	for (int i = 0; i < list_length(m->def->exprs); i++)
		first = Min(first, m->exprs[i]->n);
	return first;
}

/* Does the predicate hold for a row?  Asked once for all indexes with it. */
static bool
row_matches(GlperfIndexRows *m, int row, ExprState *pred, ExprContext *econtext)
{
	if (pred == NULL)
		return true;
	if (row == m->matches->n)
	{
		m->matches->match[row] = ExecQual(pred, econtext);
		m->matches->n++;
	}
	return m->matches->match[row];
}

/* Evaluate predicate and expressions of the rows not done yet. */
static void
evaluate(void *arg)
{
	GlperfIndexRows *m = arg;
	EState	   *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(m->sample->desc,
													&TTSOpsHeapTuple);
	ExprState  *pred = m->def->pred ?
	ExecPrepareQual(m->def->pred, estate) : NULL;
	ExprState **exprs = palloc(sizeof(ExprState *) *
							   (list_length(m->def->exprs) + 1));
	TimestampTz started = GetCurrentTimestamp();
	ListCell   *lc;
	int			n = 0;

	foreach(lc, m->def->exprs)
		exprs[n++] = ExecPrepareExpr(lfirst(lc), estate);
	econtext->ecxt_scantuple = slot;
	for (int row = first_to_evaluate(m); row < m->sample->nrows; row++)
	{
		CHECK_FOR_INTERRUPTS();
		if (row % 64 == 0 &&
			TimestampDifferenceExceeds(started, GetCurrentTimestamp(),
									   EVALUATE_MS))
			elog(ERROR, "expression of an index takes too long");
		ResetExprContext(econtext);
		ExecStoreHeapTuple(m->sample->tuples[row], slot, false);
		if (row_matches(m, row, pred, econtext))
			evaluate_row(m, row, exprs, econtext);
	}
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

bool
glperf_measure_prepare(GlperfIndexRows *m)
{
	const GlperfIndexDef *def = m->def;
	GlperfFailure failure;
	int			e = 0;

	if (def->exprs != NIL || def->pred != NIL)
	{
		if (!may_evaluate(def))
			return false;
		reserve_results(m);
		if (def->pred != NIL)
			m->matches = glperf_sample_matches(m->sample, def->pred);
		if (first_to_evaluate(m) < m->sample->nrows &&
			!glperf_sandbox_run(GetUserId(), NULL, evaluate, m, &failure))
			return false;
	}
	for (int c = 0; c < def->ncolumns; c++)
		m->columns[c] = def->attnum[c] == 0 ? m->exprs[e++] :
			glperf_sample_column(m->sample, def->attnum[c], c < def->nkeys ?
								 def->opclass[c] : InvalidOid);
	return true;
}

/* -------- number of entries -------- */

/*
 * Where the sample has few of them, the planner's estimate decides, unless the
 * sample refutes it.
 */
double
glperf_measure_matches(GlperfMeasure *m)
{
	GlperfTableSample *sample = m->all.sample;
	double		n = 0;
	double		squares = 0;
	double		chunks = Max(1, sample->chunks_read);
	double		mean;
	double		error;
	double		sampled;
	double		planned = m->def->tuples;
	int			row = 0;

	if (m->all.matches == NULL)
		return m->rows;
	for (int c = 0; c < sample->chunks_read; c++)
	{
		double		here = 0;

		for (; row < sample->nrows && sample->chunk[row] == (uint32) c; row++)
			here += m->all.matches->match[row];
		n += here;
		squares += here * here;
	}
	if (sample->nrows == 0)
		return planned;
	mean = n / chunks;
	sampled = n / sample->nrows * m->rows;
	if (sample->whole)
		return sampled;
	error = sqrt(Max(0.0, squares / chunks - mean * mean) / chunks *
				 (1 - chunks / sample->chunks)) / Max(1e-9, mean) * sampled;
	if (n == 0)
	{
		/* the planner never says less than one row, nor that it knows of none */
		planned = Min(planned, 3.0 / sample->nrows * m->rows);
		return planned <= 1 || planned * sample->nrows > m->rows ? 0 : planned;
	}
	if ((n < 100 || error > 0.1 * sampled) &&
		fabs(planned - sampled) <= 2 * error)
		return planned;
	return sampled;
}

/*
 * The table's rows: what the planner takes them for, from the last VACUUM or
 * ANALYZE, unless the sample says that this is out of date.
 */
static double
count_rows(const GlperfTableSample *sample, double planned)
{
	if (sample->whole)
		return sample->nrows;
	if (fabs(planned - sample->rows) <=
		Max(3 * sample->rows_error, 0.02 * sample->rows))
		return planned;
	return sample->rows;
}

/* -------- B-tree and hash -------- */

/* End of a value that is put behind len bytes. */
static uint32
place(uint32 len, const GlperfCell *cell, char align)
{
	if (cell->isnull)
		return len;
	if (cell->aligned)
		len = att_align_nominal(len, align);
	return len + cell->width;
}

/* Bytes of an index tuple with so many bytes of data. */
static uint32
tuple_bytes(uint32 data, bool nulls)
{
	uint32		head = sizeof(IndexTupleData);

	if (nulls)
		head = MAXALIGN(sizeof(IndexTupleData) +
						sizeof(IndexAttributeBitMapData));
	return MAXALIGN(head + data);
}

/* The first ncolumns columns of the index's entry for one row. */
static void
set_key(GlperfIndexRows *m, int row, int ncolumns, GlperfSampledKey *key)
{
	uint32		data = 0;
	bool		nulls = false;
	uint64		hash = list_length(m->sample->leaves) > 1 ?
	m->sample->leaf[row] + 1 : 0;

	for (int c = 0; c < ncolumns; c++)
	{
		const GlperfCell *cell = &m->columns[c]->cell[row];

		data = place(data, cell, m->columns[c]->align);
		nulls |= cell->isnull;
		hash = hash_combine64(hash, cell->isnull ? 0x9e3779b9 : cell->hash);
		hash *= UINT64CONST(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	key->hash = hash;
	key->chunk = m->sample->chunk[row];
	key->block = m->sample->block[row];
	key->bytes = tuple_bytes(data, nulls);
}

/*
 * Entries of every stride'th of the sampled rows, as far as ncolumns columns
 * go; returns how many bytes they have on average.
 */
static double
make_keys(GlperfIndexRows *m, int ncolumns, int stride)
{
	double		bytes = 0;
	int			seen = 0;
	bool		hash = m->def->amoid == HASH_AM_OID;

	m->keys.key = m->keys.key ?
		repalloc(m->keys.key,
				 sizeof(GlperfSampledKey) * (m->sample->nrows + 1)) :
		palloc(sizeof(GlperfSampledKey) * (m->sample->nrows + 1));
	m->keys.n = 0;
	for (int row = 0; row < m->sample->nrows; row++)
	{
		if ((m->matches && !m->matches->match[row]) || seen++ % stride != 0)
			continue;
		/* a hash index leaves NULLs out */
		if (hash && m->columns[0]->cell[row].isnull)
			continue;
		set_key(m, row, ncolumns, &m->keys.key[m->keys.n]);
		bytes += m->keys.key[m->keys.n++].bytes;
	}
	return bytes / Max(1, m->keys.n);
}

double
glperf_measure_trees(const GlperfMeasure *m)
{
	return Max(1, list_length(m->all.sample->leaves));
}

/*
 * One row in how many is enough?  Of entries that share nothing only the mean
 * size matters, unless one may be too long.
 */
static int
row_stride(const GlperfMeasure *m)
{
	double		widest = 0;
	double		rows = m->tuples / Max(1.0, m->rows) * m->all.sample->nrows;

	if (m->deduplicate || m->def->amoid != BTREE_AM_OID ||
		m->def->exprs != NIL)
		return 1;
	for (int c = 0; c < m->def->ncolumns; c++)
		widest += m->all.columns[c]->widest + MAXIMUM_ALIGNOF;
	return widest < BTREE_MAX_ENTRY / 2 ? Max(1, (int) (rows / SINGLE_ROWS)) : 1;
}

/*
 * Mean bytes of what an inner page keeps of an entry: the columns up to the
 * first that tells it from its neighbour.  Where that saves little, all of
 * them are counted.
 */
static double
measure_pivot(GlperfMeasure *m, int stride)
{
	double		bytes = make_keys(&m->all, m->def->nkeys, stride);
	double		pivot = 0;
	double		told = 0;		/* share of entries told apart so far */
	double		distinct;

	if (bytes < WIDE_PIVOT || m->def->nkeys == 1 || m->all.keys.n == 0)
		return bytes;
	distinct = glperf_keys_groups(m->all.keys, NULL, m->tuples, m->share,
								  m->all.sample->chunks).distinct;
	for (int k = 1; k <= m->def->nkeys; k++)
	{
		double		more = 1;

		bytes = make_keys(&m->all, k, stride);
		if (k < m->def->nkeys)
			more = Min(1.0, glperf_keys_groups(m->all.keys, NULL, m->tuples,
											   m->share,
											   m->all.sample->chunks).distinct / distinct);
		pivot += Max(0.0, more - told) * bytes;
		told = Max(told, more);
	}
	return pivot;
}

/* Make everything of the sample that the B-tree's or hash's size rests on. */
static bool
prepare(GlperfMeasure *m)
{
	GlperfTableSample *sample = m->all.sample;
	int			stride;

	if (!glperf_measure_prepare(&m->all))
		return false;
	m->tuples = glperf_measure_matches(m);
	stride = row_stride(m);
	m->share = sample->chunks > 0 ? sample->chunks_read / sample->chunks : 1;
	m->entry = m->pivot = make_keys(&m->all, m->def->ncolumns, stride);
	if (m->def->ncolumns > m->def->nkeys ||
		(m->def->nkeys > 1 && m->entry >= WIDE_PIVOT))
	{
		m->pivot = measure_pivot(m, stride);
		make_keys(&m->all, m->def->ncolumns, stride);
	}
	return true;
}

/* Pages of the B-tree from the first n keys. */
static GlperfTree
measure_tree(GlperfMeasure *m, int n, double share)
{
	GlperfLeaves leaves = {0};
	GlperfSampledKeys keys = {m->all.keys.key, n};

	if (n > 0)
		m->def->distinct =
			glperf_keys_leaves(keys, m->runs.sample ? &m->runs.keys : NULL,
							   m->tuples, share,
							   m->all.sample->chunks, m->deduplicate,
							   &leaves).distinct;
	else
		/* the sample has none of the rows that the planner sees */
		glperf_leaves_add(&leaves, m->tuples, 1, m->def->entry_bytes, false);
	return glperf_tree(&leaves, m->pivot, glperf_measure_trees(m),
					   m->def->fillfactor);
}

/* Is half of the sample of another opinion than all of it? */
static bool
uncertain(GlperfMeasure *m)
{
	GlperfSampledKeys *keys = &m->all.keys;
	uint32		middle = m->all.sample->chunks_read / 2;
	int			half = 0;
	GlperfTree	tree;

	if (m->all.sample->whole || !m->deduplicate || keys->n < 100)
		return false;
	while (half < keys->n && keys->key[half].chunk < middle)
		half++;
	tree = measure_tree(m, half, m->share / 2);
	return fabs(tree.pages - m->tree.pages) > STABLE * m->tree.pages + 2;
}

bool
glperf_measure_runs(GlperfTableSamples *samples, GlperfMeasure *m)
{
	if ((m->def->amoid == BTREE_AM_OID && !m->deduplicate) ||
		m->all.sample->whole)
		return true;
	m->runs.sample = glperf_sample_runs(samples, m->all.sample);
	if (m->runs.sample == NULL)
		return true;
	if (m->def->amoid == GIN_AM_OID)
		return m->def->pred == NIL || glperf_measure_prepare(&m->runs);
	if (!glperf_measure_prepare(&m->runs))
		return false;
	make_keys(&m->runs, m->def->ncolumns, 1);
	return true;
}

/* A B-tree, with as much of a sample as it takes. */
static bool
measure_btree(GlperfTableSamples *samples, GlperfMeasure *m)
{
	if (!glperf_measure_runs(samples, m))
		return false;
	for (;;)
	{
		if (!prepare(m))
			return false;
		m->tree = measure_tree(m, m->all.keys.n, m->share);
		if (!uncertain(m) || !glperf_sample_grow(samples, m->all.sample))
			break;
	}
	m->def->pages = m->tree.pages;
	m->def->height = m->tree.height;
	m->def->entry_bytes = m->entry;
	for (int i = 0; i < m->all.keys.n; i++)
		if (m->all.keys.key[i].bytes > BTREE_MAX_ENTRY)
			m->def->impossible = "a row's key is longer than a B-tree can store";
	return true;
}

/* A hash index. */
static bool
measure_hash(GlperfTableSamples *samples, GlperfMeasure *m)
{
	GlperfKeyShape shape;
	GlperfTableSample *sample = m->all.sample;
	double		trees = glperf_measure_trees(m);

	if (!glperf_measure_runs(samples, m) || !prepare(m))
		return false;
	if (sample->nrows > 0 && m->all.matches == NULL)
		m->tuples *= (double) m->all.keys.n / sample->nrows;
	shape = glperf_keys_groups(m->all.keys,
							   m->runs.sample ? &m->runs.keys : NULL,
							   m->tuples, m->share, sample->chunks);
	for (int i = 0; i < shape.ngroups; i++)
		shape.groups[i].n /= trees;
	m->def->pages = glperf_hash_pages(m->rows / trees, shape.groups,
									  shape.ngroups, m->def->fillfactor) * trees;
	return true;
}

/* -------- all of them -------- */

void
glperf_index_def_measure(GlperfIndexDef *def, GlperfTableSamples *samples,
						 bool deduplicate)
{
	GlperfMeasure m = {.def = def,.deduplicate = deduplicate};
	GlperfTableSample *sample;
	const char *why;
	bool		done;

	sample = glperf_sample_table(samples, def->relid, &why);
	if (sample == NULL)
	{
		def->size_basis = why;
		return;
	}
	m.rows = count_rows(sample, def->rows);
	m.all.def = m.runs.def = def;
	m.all.sample = sample;
	m.all.columns = palloc0(sizeof(GlperfCells *) * def->ncolumns);
	m.runs.columns = palloc0(sizeof(GlperfCells *) * def->ncolumns);
	if (def->rows > 0)
		def->tuples *= m.rows / def->rows;
	def->rows = m.rows;
	if (def->amoid == BTREE_AM_OID)
		done = measure_btree(samples, &m);
	else if (def->amoid == HASH_AM_OID)
		done = measure_hash(samples, &m);
	else if (def->amoid == GIN_AM_OID)
		done = glperf_measure_gin(samples, &m);
	else
	{
		def->size_basis = "the access method's size follows from the table's";
		return;
	}
	if (!done)
	{
		def->size_basis = "its expressions or condition could not be evaluated on a sample";
		return;
	}
	def->tuples = m.tuples;
	def->size_basis = NULL;
}

/*
 * whatif_stats.c
 *		Statistics that the planner would have if an index existed.
 *
 * A real index tells the planner more than where rows are.  ANALYZE gathers
 * statistics on its expressions, without which an equality is taken to match
 * one row in 200.  They are made up here from rows of the table, and offered
 * through the planner's hook while glperf_whatif_plan() runs.  Where columns
 * end is in whatif_ends.c.
 *
 * See examine_variable() in selfuncs.c.
 */
#include "whatif.h"

#include "access/nbtree.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "bitset.h"
#include "index_sample.h"
#include "row_sample.h"
#include "trust.h"
#include "whatif_stats.h"

/* Rows looked at for the statistics of one expression, as by ANALYZE. */
#define STATS_ROWS		30000

static get_index_stats_hook_type prev_index_stats = NULL;

/* An expression's values in the sampled rows. */
typedef struct ExprSample
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
} ExprSample;

/* A sampled row's place in its table. */
typedef struct RowPlace
{
	int			row;
	uint32		leaf;
	ItemPointerData tid;
} RowPlace;

/* For qsort(): in the order of the table. */
static int
compare_rows(const void *a, const void *b)
{
	const RowPlace *x = a;
	const RowPlace *y = b;

	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	return ItemPointerCompare((ItemPointer) &x->tid, (ItemPointer) &y->tid);
}

/*
 * Sampled rows in the order in which they lie in the table: the correlation of
 * an expression with it is one of its statistics.
 */
static RowPlace *
order_rows(GlperfTableSample *sample)
{
	RowPlace   *places = palloc(sizeof(RowPlace) * (sample->nrows + 1));

	for (int i = 0; i < sample->nrows; i++)
	{
		places[i].row = i;
		places[i].leaf = sample->leaf[i];
		places[i].tid = sample->tuples[i]->t_self;
	}
	qsort(places, sample->nrows, sizeof(RowPlace), compare_rows);
	return places;
}

/* Evaluate an expression on every row of a sample. */
static void
evaluate(ExprSample *result, Node *expr, GlperfTableSample *sample)
{
	EState	   *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	ExprState  *state = ExecPrepareExpr((Expr *) copyObject(expr), estate);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(sample->desc,
													&TTSOpsHeapTuple);
	RowPlace   *places = order_rows(sample);
	int16		typlen;
	bool		typbyval;

	get_typlenbyval(exprType(expr), &typlen, &typbyval);
	result->n = Min(sample->nrows, STATS_ROWS);
	result->values = palloc(sizeof(Datum) * (result->n + 1));
	result->nulls = palloc(sizeof(bool) * (result->n + 1));
	econtext->ecxt_scantuple = slot;
	for (int i = 0; i < result->n; i++)
	{
		int			place = (int) ((int64) i * sample->nrows / result->n);
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(econtext);
		ExecStoreHeapTuple(sample->tuples[places[place].row], slot, false);
		value = ExecEvalExprSwitchContext(state, econtext, &result->nulls[i]);
		if (!result->nulls[i])
			value = datumCopy(value, typbyval, typlen);
		result->values[i] = value;
	}
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

/* What a typanalyze function's callback asks for: value number row. */
static Datum
fetch_value(VacAttrStatsP stats, int row, bool *isnull)
{
	*isnull = stats->exprnulls[row];
	return stats->exprvals[row];
}

Datum
glperf_whatif_slot_array(Datum *values, int count, Oid type, bool *isnull)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;

	*isnull = count == 0;
	if (count == 0)
		return (Datum) 0;
	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_array(values, count, type, typlen,
										   typbyval, typalign));
}

/* The row that ANALYZE would write into pg_statistic. */
static HeapTuple
make_statistic(const VacAttrStats *stats)
{
	Relation	catalog = table_open(StatisticRelationId, AccessShareLock);
	Datum		values[Natts_pg_statistic] = {0};
	bool		nulls[Natts_pg_statistic] = {0};
	HeapTuple	result;

	values[Anum_pg_statistic_stanullfrac - 1] = Float4GetDatum(stats->stanullfrac);
	values[Anum_pg_statistic_stawidth - 1] = Int32GetDatum(stats->stawidth);
	values[Anum_pg_statistic_stadistinct - 1] = Float4GetDatum(stats->stadistinct);
	for (int k = 0; k < STATISTIC_NUM_SLOTS; k++)
	{
		int			count = stats->numnumbers[k];
		Datum	   *numbers = palloc(sizeof(Datum) * (count + 1));

		for (int i = 0; i < count; i++)
			numbers[i] = Float4GetDatum(stats->stanumbers[k][i]);
		values[Anum_pg_statistic_stakind1 - 1 + k] = Int16GetDatum(stats->stakind[k]);
		values[Anum_pg_statistic_staop1 - 1 + k] = ObjectIdGetDatum(stats->staop[k]);
		values[Anum_pg_statistic_stacoll1 - 1 + k] = ObjectIdGetDatum(stats->stacoll[k]);
		values[Anum_pg_statistic_stanumbers1 - 1 + k] =
			glperf_whatif_slot_array(numbers, count, FLOAT4OID,
									 &nulls[Anum_pg_statistic_stanumbers1 - 1 + k]);
		values[Anum_pg_statistic_stavalues1 - 1 + k] =
			glperf_whatif_slot_array(stats->stavalues[k], stats->numvalues[k],
									 stats->statypid[k],
									 &nulls[Anum_pg_statistic_stavalues1 - 1 + k]);
	}
	result = heap_form_tuple(RelationGetDescr(catalog), values, nulls);
	table_close(catalog, AccessShareLock);
	return result;
}

HeapTuple
glperf_whatif_analyse(Datum *sampled, bool *nulls, int n, Node *expr,
					  Oid collation, double rows)
{
	VacAttrStats *stats = palloc0(sizeof(VacAttrStats));
	HeapTuple	type = SearchSysCacheCopy1(TYPEOID,
										   ObjectIdGetDatum(exprType(expr)));
	bool		ok;

	if (!HeapTupleIsValid(type) || n == 0)
		return NULL;
	glperf_set_default_stats_target(stats);
	stats->attrtypid = exprType(expr);
	stats->attrtypmod = exprTypmod(expr);
	stats->attrtype = (Form_pg_type) GETSTRUCT(type);
	stats->attrcollid = OidIsValid(collation) ? collation : exprCollation(expr);
	stats->anl_context = CurrentMemoryContext;
	stats->exprvals = sampled;
	stats->exprnulls = nulls;
	stats->rowstride = 1;
	for (int k = 0; k < STATISTIC_NUM_SLOTS; k++)
	{
		stats->statypid[k] = stats->attrtypid;
		get_typlenbyvalalign(stats->attrtypid, &stats->statyplen[k],
							 &stats->statypbyval[k], &stats->statypalign[k]);
	}
	if (OidIsValid(stats->attrtype->typanalyze))
		ok = DatumGetBool(OidFunctionCall1(stats->attrtype->typanalyze,
										   PointerGetDatum(stats)));
	else
		ok = std_typanalyze(stats);
	if (!ok || stats->compute_stats == NULL)
		return NULL;
	stats->compute_stats(stats, fetch_value, n, Max(rows, n));
	return stats->stats_valid ? make_statistic(stats) : NULL;
}

/* Statistics of an expression over a sample, which all indexes share. */
typedef struct ExprStats
{
	Node	   *expr;
	Oid			collation;
	double		rows;			/* of the table */
	HeapTuple	stats;			/* NULL: there are none */
} ExprStats;

/* Make them; scratch is for what does not last. */
static HeapTuple
make_expr_stats(GlperfTableSample *sample, Node *expr, Oid collation,
				double rows, MemoryContext scratch)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	ExprStats  *result;
	HeapTuple	stats = NULL;
	ExprSample	values;

	if (glperf_trust_run(expr))
	{
		evaluate(&values, expr, sample);
		stats = glperf_whatif_analyse(values.values, values.nulls, values.n,
									  expr, collation, rows);
	}
	MemoryContextSwitchTo(sample->context);
	result = palloc(sizeof(ExprStats));
	result->expr = copyObject(expr);
	result->collation = collation;
	result->rows = rows;
	result->stats = stats ? heap_copytuple(stats) : NULL;
	sample->expr_stats = lappend(sample->expr_stats, result);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	return result->stats;
}

/* Find them or make them. */
static HeapTuple
expr_stats(GlperfTableSample *sample, Node *expr, Oid collation, double rows,
		   MemoryContext scratch)
{
	ListCell   *lc;

	foreach(lc, sample->expr_stats)
	{
		ExprStats  *known = lfirst(lc);

		if (known->collation == collation && known->rows == rows &&
			equal(known->expr, expr))
			return known->stats;
	}
	return make_expr_stats(sample, expr, collation, rows, scratch);
}

void
glperf_whatif_set_stats(GlperfIndexDef *def, GlperfTableSamples *samples)
{
	MemoryContext home = GetMemoryChunkContext(def);
	MemoryContext scratch;
	GlperfTableSample *sample;
	const char *why;
	int			n = 0;

	/* the planner does not ask a partial index for statistics */
	if (def->exprs == NIL || def->pred != NIL || def->expr_stats != NIL)
		return;
	sample = glperf_sample_table(samples, def->relid, &why);
	if (sample == NULL)
		return;
	scratch = AllocSetContextCreate(CurrentMemoryContext,
									"glperf expression statistics",
									ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < def->nkeys; i++)
	{
		HeapTuple	stats;
		MemoryContext old;

		if (def->attnum[i] != 0)
			continue;
		stats = expr_stats(sample, list_nth(def->exprs, n++),
						   def->collation[i], def->rows, scratch);
		old = MemoryContextSwitchTo(home);
		def->expr_stats = lappend(def->expr_stats,
								  stats ? heap_copytuple(stats) : NULL);
		MemoryContextSwitchTo(old);
	}
	MemoryContextDelete(scratch);
}

HeapTuple
glperf_index_def_statistic(const GlperfIndexDef *def, int column)
{
	int			n = 0;

	if (def->expr_stats == NIL || column >= def->nkeys ||
		def->attnum[column] != 0)
		return NULL;
	for (int i = 0; i < column; i++)
		if (def->attnum[i] == 0)
			n++;
	return list_nth(def->expr_stats, n);
}

/* The planner asks what an index knows about one of its expressions. */
static bool
whatif_index_stats(PlannerInfo *root, Oid index, AttrNumber attnum,
				   VariableStatData *vardata)
{
	const GlperfIndexDef *def =
	glperf_whatif_definition(glperf_whatif_active(), index);
	HeapTuple	stats;

	if (def == NULL)
		return prev_index_stats &&
			prev_index_stats(root, index, attnum, vardata);
	stats = glperf_index_def_statistic(def, attnum - 1);
	if (HeapTupleIsValid(stats))
	{
		vardata->statsTuple = heap_copytuple(stats);
		vardata->freefunc = heap_freetuple;
	}
	return true;
}

void
glperf_whatif_stats_init(void)
{
	glperf_whatif_ends_init();
	prev_index_stats = get_index_stats_hook;
	get_index_stats_hook = whatif_index_stats;
}

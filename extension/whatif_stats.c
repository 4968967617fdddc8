/*
 * whatif_stats.c
 *		Statistics that the planner would have if an index existed.
 *
 * A real index tells the planner more than where rows are.  ANALYZE gathers
 * statistics on its expressions, without which an equality is taken to match
 * one row in 200.  And where a comparison falls beyond the histogram, the
 * planner looks up the real end of the column in the index, so that the
 * newest rows of a table that grows are not taken for nearly none.  Both are
 * made up here from rows of the table, and offered through the planner's hooks
 * while glperf_whatif_plan() runs.
 *
 * See examine_variable() and get_actual_variable_range() in selfuncs.c.
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
/* Blocks read to find the ends of a column. */
#define PROBE_BLOCKS	512

static get_relation_stats_hook_type prev_relation_stats = NULL;
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

/* Array of count values for a statistics slot; sets *isnull when empty. */
static Datum
slot_array(Datum *values, int count, Oid type, bool *isnull)
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
			slot_array(numbers, count, FLOAT4OID,
					   &nulls[Anum_pg_statistic_stanumbers1 - 1 + k]);
		values[Anum_pg_statistic_stavalues1 - 1 + k] =
			slot_array(stats->stavalues[k], stats->numvalues[k],
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

void
glperf_whatif_set_stats(GlperfIndexDef *def, GlperfTableSamples *samples)
{
	MemoryContext home = GetMemoryChunkContext(def);
	MemoryContext scratch;
	MemoryContext old;
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
		HeapTuple	stats = NULL;
		ExprSample	values;
		Node	   *expr;

		if (def->attnum[i] != 0)
			continue;
		old = MemoryContextSwitchTo(scratch);
		expr = list_nth(def->exprs, n);
		if (glperf_trust_run(expr))
		{
			evaluate(&values, expr, sample);
			stats = glperf_whatif_analyse(values.values, values.nulls,
										  values.n, expr, def->collation[i],
										  def->rows);
		}
		MemoryContextSwitchTo(home);
		def->expr_stats = lappend(def->expr_stats,
								  stats ? heap_copytuple(stats) : NULL);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		n++;
	}
	MemoryContextDelete(scratch);
}

/* Statistics of key column number column (from 0) of def, or NULL. */
static HeapTuple
stored_statistic(const GlperfIndexDef *def, int column)
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
	stats = stored_statistic(def, attnum - 1);
	if (HeapTupleIsValid(stats))
	{
		vardata->statsTuple = heap_copytuple(stats);
		vardata->freefunc = heap_freetuple;
	}
	return true;
}

/* The ends of one column, looked up once per run. */
typedef struct ColumnEnds
{
	Oid			relid;
	AttrNumber	attnum;
	Oid			collation;
	bool		exact;			/* the whole table was read */
	bool		found;			/* below: there is a value at all */
	Datum		min;
	Datum		max;
} ColumnEnds;

/* State of looking for them. */
typedef struct EndsSearch
{
	ColumnEnds *ends;
	FmgrInfo   *compare;
	MemoryContext context;
	bool		typbyval;
	int16		typlen;
} EndsSearch;

/* Is a before b? */
static bool
is_before(EndsSearch *search, Datum a, Datum b)
{
	return DatumGetInt32(FunctionCall2Coll(search->compare,
										   search->ends->collation, a, b)) < 0;
}

/* Copy a value to where it lasts. */
static Datum
keep(EndsSearch *search, Datum value)
{
	MemoryContext old = MemoryContextSwitchTo(search->context);

	value = datumCopy(value, search->typbyval, search->typlen);
	MemoryContextSwitchTo(old);
	return value;
}

/* Take one value: is it the lowest or the highest so far? */
static void
take_value(EndsSearch *search, Datum value)
{
	ColumnEnds *ends = search->ends;

	if (!ends->found || is_before(search, value, ends->min))
		ends->min = keep(search, value);
	if (!ends->found || is_before(search, ends->max, value))
		ends->max = keep(search, value);
	ends->found = true;
}

/* Take the value of one row. */
static void
take_row(void *arg, TupleTableSlot *slot)
{
	EndsSearch *search = arg;
	bool		isnull;
	Datum		value = slot_getattr(slot, search->ends->attnum, &isnull);

	if (!isnull)
		take_value(search, value);
}

/*
 * Take the values that the statistics name.  The most common ones are not in
 * the histogram, but may lie beyond its ends.  What does not is of no use.
 */
static void
take_statistics(EndsSearch *search, HeapTuple stats)
{
	ColumnEnds *ends = search->ends;
	AttStatsSlot slot;

	if (get_attstatsslot(&slot, stats, STATISTIC_KIND_MCV, InvalidOid,
						 ATTSTATSSLOT_VALUES))
	{
		for (int i = 0; i < slot.nvalues && slot.stacoll == ends->collation; i++)
			take_value(search, slot.values[i]);
		free_attstatsslot(&slot);
	}
	if (ends->found &&
		get_attstatsslot(&slot, stats, STATISTIC_KIND_HISTOGRAM, InvalidOid,
						 ATTSTATSSLOT_VALUES))
	{
		ends->found = slot.nvalues > 1 && slot.stacoll == ends->collation &&
			(is_before(search, ends->min, slot.values[0]) ||
			 is_before(search, slot.values[slot.nvalues - 1], ends->max));
		free_attstatsslot(&slot);
	}
}

/*
 * Has the table changed since its statistics were made?  If the counters were
 * lost, its size may still tell.
 */
static bool
has_changed(Relation rel)
{
	return DatumGetInt64(DirectFunctionCall1(pg_stat_get_mod_since_analyze,
											 ObjectIdGetDatum(RelationGetRelid(rel)))) > 0 ||
		RelationGetNumberOfBlocks(rel) != (BlockNumber) rel->rd_rel->relpages;
}

/*
 * The ends of a column with these statistics that leads the key of def, or
 * NULL when they cannot be told.
 */
static ColumnEnds *
column_ends(GlperfProbes *probes, const GlperfIndexDef *def, Oid relid,
			AttrNumber attnum, HeapTuple stats)
{
	FmgrInfo	compare;
	EndsSearch	search = {NULL, &compare, probes->context};
	MemoryContext old;
	Relation	rel;
	ListCell   *lc;
	Oid			proc = get_opfamily_proc(def->opfamily[0], def->opcintype[0],
										 def->opcintype[0], BTORDER_PROC);

	foreach(lc, probes->ends)
	{
		ColumnEnds *ends = lfirst(lc);

		if (ends->relid == relid && ends->attnum == attnum &&
			ends->collation == def->collation[0])
			return ends->found ? ends : NULL;
	}
	old = MemoryContextSwitchTo(probes->context);
	search.ends = palloc0(sizeof(ColumnEnds));
	search.ends->relid = relid;
	search.ends->attnum = attnum;
	search.ends->collation = def->collation[0];
	probes->ends = lappend(probes->ends, search.ends);
	MemoryContextSwitchTo(old);

	rel = relation_open(relid, NoLock);
	get_typlenbyval(get_atttype(relid, attnum), &search.typlen,
					&search.typbyval);
	if (OidIsValid(proc))
	{
		fmgr_info(proc, &compare);
		if (has_changed(rel))
			search.ends->exact = glperf_sample_rows(rel, PROBE_BLOCKS,
													GLPERF_BLOCKS_TAIL,
													take_row, &search) >= 1;
		if (!search.ends->exact)
			take_statistics(&search, stats);
	}
	relation_close(rel, NoLock);
	return search.ends->found ? search.ends : NULL;
}

/* A copy of a column's statistics whose histogram ends where the column does. */
static HeapTuple
stretch_histogram(HeapTuple stats, const GlperfIndexDef *def,
				  const ColumnEnds *ends, Oid type)
{
	AttStatsSlot slot;
	FmgrInfo	compare;
	EndsSearch	search = {(ColumnEnds *) ends, &compare};
	Relation	catalog;
	Datum		values[Natts_pg_statistic] = {0};
	bool		nulls[Natts_pg_statistic] = {0};
	bool		replaces[Natts_pg_statistic] = {0};
	Form_pg_statistic form = (Form_pg_statistic) GETSTRUCT(stats);
	int16	   *kinds = &form->stakind1;
	HeapTuple	result = NULL;

	if (!get_attstatsslot(&slot, stats, STATISTIC_KIND_HISTOGRAM,
						  get_opfamily_member(def->opfamily[0],
											  def->opcintype[0],
											  def->opcintype[0],
											  BTLessStrategyNumber),
						  ATTSTATSSLOT_VALUES))
		return NULL;
	fmgr_info(get_opfamily_proc(def->opfamily[0], def->opcintype[0],
								def->opcintype[0], BTORDER_PROC), &compare);
	if (slot.nvalues > 1 && slot.stacoll == ends->collation)
	{
		/* rows that were not read may hold values still further out */
		if (ends->exact || is_before(&search, ends->min, slot.values[0]))
			slot.values[0] = ends->min;
		if (ends->exact || is_before(&search, slot.values[slot.nvalues - 1],
									 ends->max))
			slot.values[slot.nvalues - 1] = ends->max;
		catalog = table_open(StatisticRelationId, AccessShareLock);
		for (int k = 0; k < STATISTIC_NUM_SLOTS; k++)
			if (kinds[k] == STATISTIC_KIND_HISTOGRAM)
			{
				int			column = Anum_pg_statistic_stavalues1 - 1 + k;

				replaces[column] = true;
				values[column] = slot_array(slot.values, slot.nvalues, type,
											&nulls[column]);
			}
		result = heap_modify_tuple(stats, RelationGetDescr(catalog), values,
								   nulls, replaces);
		table_close(catalog, AccessShareLock);
	}
	free_attstatsslot(&slot);
	return result;
}

/*
 * The planner's relation of a range table entry, or NULL.  (The caller's
 * vardata does not tell: brincostestimate() leaves it uninitialised.)
 */
static RelOptInfo *
relation_of(PlannerInfo *root, RangeTblEntry *rte)
{
	for (int i = 1; i < root->simple_rel_array_size; i++)
		if (root->simple_rte_array[i] == rte)
			return root->simple_rel_array[i];
	return NULL;
}

/*
 * May the statement's role see all of the column?  If not, the planner applies
 * no operator that might tell it the values in the statistics.
 */
static bool
may_see(RelOptInfo *rel, RangeTblEntry *rte, AttrNumber attnum)
{
	Oid			role;

	if (rte->securityQuals != NIL)
		return false;
	role = glperf_rel_user(rel, rte);
	if (!OidIsValid(role))
		role = GetUserId();
	return pg_class_aclcheck(rte->relid, role, ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(rte->relid, attnum, role, ACL_SELECT) == ACLCHECK_OK;
}

/* The made-up B-tree that a real one's place at the column's ends would have. */
static const GlperfIndexDef *
probing_index(const GlperfWhatif *whatif, Oid relid, AttrNumber attnum)
{
	List	   *ancestors = NIL;
	bool		partition = get_rel_relispartition(relid);

	for (int i = glperf_whatif_next(whatif, 0); i < whatif->ndefs;
		 i = glperf_whatif_next(whatif, i + 1))
	{
		const GlperfIndexDef *def = whatif->defs[i];

		if ((def->relid == relid && def->attnum[0] != attnum) ||
			def->amoid != BTREE_AM_OID || def->pred != NIL ||
			(def->relid != relid && !partition) ||
			!glperf_whatif_applies(def, relid, &ancestors))
			continue;
		if (def->relid != relid)
			def = glperf_index_def_on_partition(def, relid);
		if (def && def->attnum[0] == attnum)
			return def;
	}
	return NULL;
}

/* Does a real index tell the planner where the column ends? */
static bool
has_real_index(RelOptInfo *rel, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);

		if (!index->hypothetical && index->relam == BTREE_AM_OID &&
			index->indpred == NIL && index->indexkeys[0] == attnum)
			return true;
	}
	return false;
}

/* The planner asks for the statistics of a column. */
static bool
whatif_relation_stats(PlannerInfo *root, RangeTblEntry *rte,
					  AttrNumber attnum, VariableStatData *vardata)
{
	const GlperfWhatif *whatif = glperf_whatif_active();
	const GlperfIndexDef *def;
	RelOptInfo *rel;
	ColumnEnds *ends;
	HeapTuple	stats;

	if (prev_relation_stats && prev_relation_stats(root, rte, attnum, vardata))
		return true;
	if (whatif == NULL || whatif->probes == NULL || attnum <= 0 ||
		rte->rtekind != RTE_RELATION || rte->inh)
		return false;
	rel = relation_of(root, rte);
	if (rel == NULL || has_real_index(rel, attnum))
		return false;
	def = probing_index(whatif, rte->relid, attnum);
	if (def == NULL)
		return false;
	stats = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(rte->relid),
							Int16GetDatum(attnum), BoolGetDatum(false));
	if (!HeapTupleIsValid(stats))
		return false;
	ends = column_ends(whatif->probes, def, rte->relid, attnum, stats);
	vardata->statsTuple = ends == NULL ? NULL :
		stretch_histogram(stats, def, ends, get_atttype(rte->relid, attnum));
	ReleaseSysCache(stats);
	if (vardata->statsTuple == NULL)
		return false;
	vardata->freefunc = heap_freetuple;
	vardata->acl_ok = may_see(rel, rte, attnum);
	return true;
}

void
glperf_whatif_stats_init(void)
{
	prev_relation_stats = get_relation_stats_hook;
	get_relation_stats_hook = whatif_relation_stats;
	prev_index_stats = get_index_stats_hook;
	get_index_stats_hook = whatif_index_stats;
}

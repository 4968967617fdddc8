/*
 * whatif_ends.c
 *		Where columns end, as the planner would look it up in an index.
 *
 * Where a comparison falls beyond the histogram, the planner looks up the real
 * end of the column in a B-tree, so that the newest rows of a table that grows
 * are not taken for nearly none; and having done so it believes in fewer rows
 * than one in ten thousand of a table, the least that it takes a comparison
 * near the end of a histogram of 100 bounds to match without.  For a B-tree
 * that does not exist, the end is found in rows of the table, and a histogram
 * of finer bounds, evenly between those known, brings that least number down.
 * Whole numbers cannot be divided at will, so finer bounds make estimates in
 * the middle worse: they are only for what compares with values near the end.
 *
 * See get_actual_variable_range() and ineq_histogram_selectivity() in
 * selfuncs.c.
 */
#include "whatif.h"

#include <math.h>

#include "access/nbtree.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/vacuum.h"
#include "common/int.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "row_sample.h"
#include "trees.h"
#include "whatif_stats.h"

/* Blocks read to find the ends of a column. */
#define PROBE_BLOCKS	512
/* The same where they lie at the table's ends, as this correlation says. */
#define END_BLOCKS		32
#define MIN_ORDER		0.9
/* Most parts that the step from one bound of a histogram to the next gets. */
#define MAX_PARTS		50

static get_relation_stats_hook_type prev_relation_stats = NULL;

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
	HeapTuple	stats;			/* what is to be said of it, or NULL */
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
 * the histogram, but may lie beyond its ends.
 */
static void
take_statistics(EndsSearch *search, HeapTuple stats)
{
	AttStatsSlot slot;

	if (!get_attstatsslot(&slot, stats, STATISTIC_KIND_MCV, InvalidOid,
						  ATTSTATSSLOT_VALUES))
		return;
	for (int i = 0; i < slot.nvalues && slot.stacoll == search->ends->collation; i++)
		take_value(search, slot.values[i]);
	free_attstatsslot(&slot);
}

/* Can part_way() calculate with values of this type? */
static bool
is_calculable(Oid type)
{
	return type == INT4OID || type == INT8OID || type == DATEOID ||
		type == TIMESTAMPOID || type == TIMESTAMPTZOID || type == FLOAT8OID;
}

/*
 * The value which lies beyond this one by a share of the way to it from
 * another; before it for a negative share.  Where there is no such value, or
 * no calculating with the type, the value itself.
 */
static Datum
part_way(Oid type, Datum from, Datum value, double share)
{
	double		way;
	int64		to;

	switch (type)
	{
		case INT4OID:
		case DATEOID:
			way = share * ((double) DatumGetInt32(value) - DatumGetInt32(from));
			to = DatumGetInt32(value) + (int64) rint(way);
			return to > PG_INT32_MIN && to < PG_INT32_MAX ?
				Int32GetDatum((int32) to) : value;
		case INT8OID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			way = share * ((double) DatumGetInt64(value) -
						   (double) DatumGetInt64(from));
			return fabs(way) > PG_INT64_MAX / 4.0 ||
				pg_add_s64_overflow(DatumGetInt64(value), (int64) rint(way), &to) ?
				value : Int64GetDatum(to);
		case FLOAT8OID:
			way = DatumGetFloat8(value) +
				share * (DatumGetFloat8(value) - DatumGetFloat8(from));
			return isfinite(way) ? Float8GetDatum(way) : value;
		default:
			return value;
	}
}

/* How many rows ANALYZE samples: as many as the column of the most detail asks. */
static double
sampled_rows(Relation rel)
{
	int			most = 0;

	for (int i = 1; i <= RelationGetNumberOfAttributes(rel); i++)
	{
		HeapTuple	column = SearchSysCache2(ATTNUM,
											 ObjectIdGetDatum(RelationGetRelid(rel)),
											 Int16GetDatum(i));
		int			target;

		if (!HeapTupleIsValid(column))
			continue;
		target = glperf_stats_target(column);
		if (!((Form_pg_attribute) GETSTRUCT(column))->attisdropped)
			most = Max(most, target < 0 ? default_statistics_target : target);
		ReleaseSysCache(column);
	}
	return 300.0 * most;
}

/*
 * Take what a column's ends are likely to be where ANALYZE saw only some of
 * the rows: as far beyond those seen as these are from each other.
 */
static void
take_likely(EndsSearch *search, Relation rel, HeapTuple stats)
{
	double		sampled = sampled_rows(rel);
	double		seen = 1 - ((Form_pg_statistic) GETSTRUCT(stats))->stanullfrac;
	Oid			type = get_atttype(search->ends->relid, search->ends->attnum);
	AttStatsSlot slot;

	if (rel->rd_rel->reltuples <= sampled)
		return;
	if (get_attstatsslot(&slot, stats, STATISTIC_KIND_MCV, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		for (int i = 0; i < slot.nnumbers; i++)
			seen -= slot.numbers[i];
		free_attstatsslot(&slot);
	}
	if (get_attstatsslot(&slot, stats, STATISTIC_KIND_HISTOGRAM, InvalidOid,
						 ATTSTATSSLOT_VALUES))
	{
		int			last = slot.nvalues - 1;
		double		share = last / Max(seen * sampled, 1);

		if (last > 0 && share < 1 && slot.stacoll == search->ends->collation)
		{
			take_value(search, part_way(type, slot.values[1], slot.values[0],
										share));
			take_value(search, part_way(type, slot.values[last - 1],
										slot.values[last], share));
		}
		free_attstatsslot(&slot);
	}
}

/* Do the rows lie in the table in the order of this column? */
static bool
is_ordered(HeapTuple stats)
{
	AttStatsSlot slot;
	bool		ordered;

	if (!get_attstatsslot(&slot, stats, STATISTIC_KIND_CORRELATION, InvalidOid,
						  ATTSTATSSLOT_NUMBERS))
		return false;
	ordered = slot.nnumbers == 1 && fabsf(slot.numbers[0]) >= MIN_ORDER;
	free_attstatsslot(&slot);
	return ordered;
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

/* The function that orders the column that leads def, or InvalidOid. */
static Oid
order_proc(const GlperfIndexDef *def)
{
	return get_opfamily_proc(def->opfamily[0], def->opcintype[0],
							 def->opcintype[0], BTORDER_PROC);
}

/*
 * The bounds of a histogram with each step from one to the next in so many
 * parts; sets *count.
 */
static Datum *
refine(const AttStatsSlot *slot, Oid type, int parts, int *count)
{
	Datum	   *result;

	*count = (slot->nvalues - 1) * parts + 1;
	result = palloc(sizeof(Datum) * *count);
	for (int i = 0; i < *count; i++)
		result[i] = i % parts == 0 ? slot->values[i / parts] :
			part_way(type, slot->values[i / parts], slot->values[i / parts + 1],
					 (double) (i % parts) / parts - 1);
	return result;
}

/*
 * A copy of a column's statistics whose histogram ends where the column does,
 * of bounds as fine as a table of so many rows calls for; NULL when there is
 * nothing to change.
 */
static HeapTuple
stretch_histogram(HeapTuple stats, const GlperfIndexDef *def,
				  const ColumnEnds *ends, Oid type, double rows)
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
	bool		changed = false;
	int			parts = 1;

	if (!get_attstatsslot(&slot, stats, STATISTIC_KIND_HISTOGRAM,
						  get_opfamily_member(def->opfamily[0],
											  def->opcintype[0],
											  def->opcintype[0],
											  BTLessStrategyNumber),
						  ATTSTATSSLOT_VALUES))
		return NULL;
	fmgr_info(order_proc(def), &compare);
	if (slot.nvalues > 1 && slot.stacoll == ends->collation)
	{
		Datum	   *last = &slot.values[slot.nvalues - 1];

		/* rows that were not read may hold values still further out */
		if (ends->found && (ends->exact || is_before(&search, ends->min, slot.values[0])))
		{
			changed |= is_before(&search, ends->min, slot.values[0]) ||
				is_before(&search, slot.values[0], ends->min);
			slot.values[0] = ends->min;
		}
		if (ends->found && (ends->exact || is_before(&search, *last, ends->max)))
		{
			changed |= is_before(&search, *last, ends->max) ||
				is_before(&search, ends->max, *last);
			*last = ends->max;
		}
		if (is_calculable(type))
			parts = (int) Min(ceil(0.01 * rows / (slot.nvalues - 1)), MAX_PARTS);
	}
	if (changed || parts > 1)
	{
		int			count;
		Datum	   *bounds = refine(&slot, type, Max(parts, 1), &count);

		catalog = table_open(StatisticRelationId, AccessShareLock);
		for (int k = 0; k < STATISTIC_NUM_SLOTS; k++)
			if (kinds[k] == STATISTIC_KIND_HISTOGRAM)
			{
				int			column = Anum_pg_statistic_stavalues1 - 1 + k;

				replaces[column] = true;
				values[column] = glperf_whatif_slot_array(bounds, count, type,
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
 * The statistics of a column that leads the key of def, as they are with its
 * ends known; NULL when that makes no difference.
 */
static HeapTuple
stretched_statistics(GlperfProbes *probes, const GlperfIndexDef *def, Oid relid,
					 AttrNumber attnum, HeapTuple stats)
{
	FmgrInfo	compare;
	EndsSearch	search = {NULL, &compare, probes->context};
	HeapTuple	stretched = NULL;
	MemoryContext old;
	Relation	rel;
	ListCell   *lc;
	Oid			proc = order_proc(def);

	foreach(lc, probes->ends)
	{
		ColumnEnds *ends = lfirst(lc);

		if (ends->relid == relid && ends->attnum == attnum &&
			ends->collation == def->collation[0])
			return ends->stats;
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
		else if (is_ordered(stats))
			glperf_sample_rows(rel, END_BLOCKS, GLPERF_BLOCKS_ENDS, take_row,
							   &search);
		else
			take_likely(&search, rel, stats);
		if (!search.ends->exact)
			take_statistics(&search, stats);
		stretched = stretch_histogram(stats, def, search.ends,
									  get_atttype(relid, attnum),
									  rel->rd_rel->reltuples);
	}
	relation_close(rel, NoLock);
	if (stretched)
	{
		old = MemoryContextSwitchTo(probes->context);
		search.ends->stats = heap_copytuple(stretched);
		MemoryContextSwitchTo(old);
	}
	return search.ends->stats;
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

/* What near_end() has to find. */
typedef struct EndWalk
{
	PlannerInfo *root;
	Index		relid;
	AttrNumber	attnum;
	const GlperfIndexDef *def;	/* index on the column */
	HeapTuple	stats;			/* its statistics */
	bool		looked;			/* is the rest known? */
	AttStatsSlot slot;			/* its histogram */
	FmgrInfo	compare;
} EndWalk;

/* Is this the column itself? */
static bool
is_column(const EndWalk *walk, Node *node)
{
	node = glperf_strip_relabel(node);
	return node && IsA(node, Var) &&
		((Var *) node)->varno == (int) walk->relid &&
		((Var *) node)->varattno == walk->attnum;
}

/*
 * Unpack the histogram, at the first comparison: most columns that the planner
 * asks about have none.
 */
static bool
has_histogram(EndWalk *walk)
{
	Oid			proc;

	if (!walk->looked)
	{
		proc = order_proc(walk->def);
		walk->looked = true;
		if (OidIsValid(proc) &&
			get_attstatsslot(&walk->slot, walk->stats,
							 STATISTIC_KIND_HISTOGRAM, InvalidOid,
							 ATTSTATSSLOT_VALUES))
			fmgr_info(proc, &walk->compare);
	}
	return walk->slot.nvalues > 1;
}

/* Does the column's comparison with this reach the first or the last step? */
static bool
reaches_end(EndWalk *walk, Node *other)
{
	Const	   *value = (Const *) estimate_expression_value(walk->root, other);
	int			last;

	if (!IsA(value, Const) || value->constisnull || !has_histogram(walk))
		return false;
	last = walk->slot.nvalues - 1;
	/* of another type: who knows */
	if (value->consttype != walk->def->opcintype[0])
		return true;
	return DatumGetInt32(FunctionCall2Coll(&walk->compare, walk->slot.stacoll,
										   value->constvalue,
										   walk->slot.values[1])) <= 0 ||
		DatumGetInt32(FunctionCall2Coll(&walk->compare, walk->slot.stacoll,
										value->constvalue,
										walk->slot.values[last - 1])) >= 0;
}

/* Is there a comparison that reaches an end of the column? */
static bool
end_walker(Node *node, void *context)
{
	EndWalk    *walk = context;

	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) node;
		Node	   *left = linitial(op->args);
		Node	   *right = lsecond(op->args);
		int			strategy = get_op_opfamily_strategy(op->opno,
														walk->def->opfamily[0]);

		if (strategy != 0 && strategy != BTEqualStrategyNumber &&
			((is_column(walk, left) && reaches_end(walk, right)) ||
			 (is_column(walk, right) && reaches_end(walk, left))))
			return true;
	}
	return expression_tree_walker(node, end_walker, context);
}

/*
 * Does some condition on rel compare the column with a value in the first or
 * the last step of its histogram, or beyond?  Only then does the planner look
 * up an end.
 */
static bool
near_end(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum,
		 const GlperfIndexDef *def, HeapTuple stats)
{
	EndWalk		walk = {root, rel->relid, attnum, def, stats};
	bool		near = false;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		near = end_walker((Node *) lfirst_node(RestrictInfo, lc)->clause,
						  &walk);
		if (near)
			break;
	}
	free_attstatsslot(&walk.slot);
	return near;
}

/* The made-up B-tree that a real one's place at the column's ends would have. */
static const GlperfIndexDef *
probing_index(const GlperfWhatif *whatif, Oid relid, AttrNumber attnum)
{
	for (int i = glperf_whatif_next(whatif, 0); i < whatif->ndefs;
		 i = glperf_whatif_next(whatif, i + 1))
	{
		const GlperfIndexDef *def = whatif->defs[i];

		if (def->amoid != BTREE_AM_OID || def->pred != NIL ||
			!glperf_whatif_applies(def, relid) ||
			glperf_index_def_attnum_on(def, 0, relid) != attnum)
			continue;
		if (def->relid != relid)
			def = glperf_index_def_on_partition(def, relid);
		if (def != NULL)
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

/* What the planner does when it needs statistics no more: they are kept. */
static void
keep_tuple(HeapTuple tuple)
{
}

/* The planner asks for the statistics of a column. */
static bool
whatif_relation_stats(PlannerInfo *root, RangeTblEntry *rte,
					  AttrNumber attnum, VariableStatData *vardata)
{
	const GlperfWhatif *whatif = glperf_whatif_active();
	const GlperfIndexDef *def;
	RelOptInfo *rel;
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
	vardata->statsTuple = near_end(root, rel, attnum, def, stats) ?
		stretched_statistics(whatif->probes, def, rte->relid, attnum, stats) :
		NULL;
	ReleaseSysCache(stats);
	if (vardata->statsTuple == NULL)
		return false;
	vardata->freefunc = keep_tuple;
	vardata->acl_ok = may_see(rel, rte, attnum);
	return true;
}

void
glperf_whatif_ends_init(void)
{
	prev_relation_stats = get_relation_stats_hook;
	get_relation_stats_hook = whatif_relation_stats;
}

/*
 * scan_price.c
 *		Processor time of reading a table, whole or through an index.
 *
 * A row fetched through an index costs little when the last one fetched was
 * its neighbour, and some forty times as much as a row of a sequential scan
 * when it may be anywhere: the processor waits for memory.  Which of the two
 * it is depends on the correlation of the index with the table, and in a
 * nested loop on the order of the rows on its outer side.
 */
#include "plan_price.h"

#include <math.h>

#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "price_units.h"
#include "whatif.h"

/* Last column of a table that a scan has to reach. */
static int
last_column(RelOptInfo *rel)
{
	Bitmapset  *columns = NULL;
	int			last = 0;
	int			i = -1;
	ListCell   *lc;

	for (AttrNumber a = rel->max_attr; a > 0; a--)
		if (!bms_is_empty(rel->attr_needed[a - rel->min_attr]))
		{
			last = a;
			break;
		}
	foreach(lc, rel->baserestrictinfo)
		pull_varattnos((Node *) ((RestrictInfo *) lfirst(lc))->clause,
					   rel->relid, &columns);
	while ((i = bms_next_member(columns, i)) >= 0)
		last = Max(last, i + FirstLowInvalidHeapAttributeNumber);
	return last;
}

/* Subplans that are run anew for each row, with what they cost the planner. */
typedef struct RepeatedWalk
{
	const GlperfPricing *pricing;
	double		cost;			/* planner's, per row */
	double		price;			/* per row */
} RepeatedWalk;

/* Walker over expressions: add up the subplans that run for each row. */
static bool
repeated_walker(Node *node, void *context)
{
	RepeatedWalk *walk = context;

	if (node == NULL)
		return false;
	if (IsA(node, RestrictInfo))
		node = (Node *) ((RestrictInfo *) node)->clause;
	if (IsA(node, AlternativeSubPlan))
		node = linitial(((AlternativeSubPlan *) node)->subplans);
	if (IsA(node, SubPlan) && !runs_once((SubPlan *) node))
	{
		walk->cost += ((SubPlan *) node)->per_call_cost;
		walk->price += glperf_price_subplan(walk->pricing,
											((SubPlan *) node)->plan_id);
	}
	return expression_tree_walker(node, repeated_walker, context);
}

/* Does a condition compare text with a pattern? */
static bool
matches_pattern(Node *clause)
{
	if (!IsA(clause, OpExpr))
		return false;
	switch (get_oprrest(((OpExpr *) clause)->opno))
	{
		case F_LIKESEL:
		case F_NLIKESEL:
		case F_ICLIKESEL:
		case F_ICNLIKESEL:
		case F_REGEXEQSEL:
		case F_REGEXNESEL:
		case F_ICREGEXEQSEL:
		case F_ICREGEXNESEL:
			return true;
		default:
			return false;
	}
}

/*
 * Time to test a row of a base relation for these conditions but those that an
 * index sees to.  A condition is tested only on rows that pass those before.
 */
static double
test_row(const GlperfPricing *pricing, List *conditions, List *indexclauses)
{
	double		price = 0;
	double		share = 1;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		RepeatedWalk walk = {pricing, 0, 0};
		QualCost	cost;

		if (is_redundant_with_indexclauses(rinfo, indexclauses))
			continue;
		(void) repeated_walker((Node *) rinfo->clause, &walk);
		cost_qual_eval_node(&cost, (Node *) rinfo, NULL);
		price += share * (operations(cost.per_tuple - walk.cost) +
						  walk.price);
		if (matches_pattern((Node *) rinfo->clause))
			price += share * PATTERN;
		if (rinfo->norm_selec >= 0 && rinfo->norm_selec <= 1)
			share *= rinfo->norm_selec;
	}
	return price;
}

/* A whole table. */
static double
price_seq_scan(const GlperfPricing *pricing, RelOptInfo *rel)
{
	int			columns = last_column(rel);

	return rel->pages * (SEQ_PAGE + (columns > 0 ? PAGE_BYTES : 0)) +
		rel->tuples * (SEQ_ROW + COLUMN * columns +
					   test_row(pricing, rel->baserestrictinfo, NIL));
}

/* Bytes of an index. */
static double
index_bytes(IndexOptInfo *index)
{
	return (double) index->pages * BLCKSZ;
}

/* Finding the first entry. */
static double
price_lookup(IndexPath *path, bool in_order)
{
	if (in_order)
		return LOOKUP;
	return between(LOOKUP, LOOKUP_SCATTERED,
				   missing(index_bytes(path->indexinfo)));
}

/* Entries that a scan of an index delivers; its selectivity is of the table. */
static double
entries_found(IndexPath *path)
{
	IndexOptInfo *index = path->indexinfo;
	double		entries = path->indexselectivity * index->rel->tuples;

	return Max(1.0, Min(entries, index->tuples));
}

/* How much of an index a scan delivers. */
static double
share_of_index(IndexPath *path)
{
	return Min(1.0, entries_found(path) / Max(1.0, path->indexinfo->tuples));
}

/* Is a column of an index bound to a value, or to several? */
static bool
binds_column(const IndexOptInfo *index, const IndexClause *clause)
{
	Node	   *qual = (Node *) linitial_node(RestrictInfo,
											  clause->indexquals)->clause;
	Oid			opno = IsA(qual, OpExpr) ? ((OpExpr *) qual)->opno :
	IsA(qual, ScalarArrayOpExpr) ? ((ScalarArrayOpExpr *) qual)->opno :
	InvalidOid;

	if (IsA(qual, NullTest))
		return ((NullTest *) qual)->nulltesttype == IS_NULL;
	return OidIsValid(opno) &&
		get_op_opfamily_strategy(opno, index->opfamily[clause->indexcol]) ==
		BTEqualStrategyNumber;
}

/*
 * Share of an index's entries that satisfy one condition, as far as that is
 * known: of one on another table, just for an equality.
 */
static double
share_by_clause(const GlperfPricing *pricing, const IndexOptInfo *index,
				const IndexClause *clause)
{
	Node	   *qual = (Node *) linitial_node(RestrictInfo,
											  clause->indexquals)->clause;
	double		share = clause->rinfo->norm_selec;
	double		values;

	/* of a join's condition that is the share of all pairs of rows */
	if (share >= 0 && share <= 1 &&
		bms_membership(clause->rinfo->clause_relids) == BMS_SINGLETON)
		return share;
	if (pricing->here == NULL || !IsA(qual, OpExpr) ||
		!binds_column(index, clause))
		return 1;
	values = glperf_price_values(pricing->here, get_leftop(qual));
	return values > 1 ? 1 / values : 1;
}

/*
 * Of the entries that a B-tree scan reads, the share that satisfies all its
 * conditions.  Conditions bound the part that is read up to the first column
 * without an equality; the others are tested on each entry of that part.
 */
static double
share_that_matches(const GlperfPricing *pricing, IndexPath *path)
{
	const IndexOptInfo *index = path->indexinfo;
	int			column = -1;
	bool		bound = true;
	double		share = 1;
	ListCell   *lc;

	if (index->relam != BTREE_AM_OID || GLPERF_BTREE_SKIPS)
		return 1;
	foreach(lc, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);

		if (clause->indexcol > column)
		{
			/* from a gap on, nothing bounds the scan any more */
			if (!bound || clause->indexcol > column + 1)
				column = index->ncolumns;
			else
				column = clause->indexcol;
			bound = false;
		}
		bound |= column == clause->indexcol && binds_column(index, clause);
		if (column != clause->indexcol)
			share *= share_by_clause(pricing, index, clause);
	}
	return share;
}

/*
 * Reading an index's entries: those of a leaf page are copied when the scan
 * comes to it, so wide ones cost more.
 */
static double
price_entries(const GlperfPricing *pricing, IndexPath *path)
{
	double		found = entries_found(path);
	double		passed = Min(path->indexinfo->tuples,
							 found / Max(1e-9, share_that_matches(pricing, path))) -
	found;

	return found * ENTRY + Max(0.0, passed) * PASSED_ENTRY +
		share_of_index(path) * path->indexinfo->pages * INDEX_PAGE;
}

/* One run of an index scan. */
static double
price_index_scan(const GlperfPricing *pricing, IndexPath *path, bool in_order)
{
	IndexOptInfo *index = path->indexinfo;
	RelOptInfo *rel = index->rel;
	double		entries = entries_found(path);
	double		fetched = entries;
	double		bytes = (double) rel->pages * BLCKSZ;
	double		follows = glperf_price_index_correlation(pricing, index);
	double		scattered = missing(bytes);
	double		price = price_lookup(path, in_order) + price_entries(pricing, path);
	double		pages;

	if (path->path.pathtype == T_IndexOnlyScan)
	{
		fetched *= 1 - rel->allvisfrac;
		price += entries * COLUMN * index->ncolumns;
	}
	else
		price += entries * COLUMN * last_column(rel);

	fetched = Max(0.0, fetched);
	/* rows that a partial index leaves out lie on the same pages */
	pages = share_of_index(path) * rel->pages;
	price += Min(fetched, pages) * PAGE_BYTES * scattered;
	/* the first row is as far away as the look-up was */
	if (fetched > 0)
		price += Min(1.0, fetched) *
			between(FETCH, FETCH_SCATTERED,
					in_order ? (1 - follows) * scattered : scattered) +
			Max(0.0, fetched - 1) *
			between(FETCH, FETCH_SCATTERED, (1 - follows) * scattered);
	return price + entries *
		test_row(pricing, index->indrestrictinfo, path->indexclauses);
}

/*
 * Rows that a search of several keys passes on its way to those that have all
 * of them: an access method that intersects lists reads each.
 */
static double
rows_passed(IndexPath *path)
{
	double		passed = 0;
	ListCell   *lc;

	if (path->indexinfo->relam != GIN_AM_OID ||
		list_length(path->indexclauses) < 2)
		return 0;
	foreach(lc, path->indexclauses)
	{
		Selectivity each = lfirst_node(IndexClause, lc)->rinfo->norm_selec;

		/* the planner has worked it out for all but a few */
		passed += path->indexinfo->tuples *
			(each >= 0 ? each : path->indexselectivity);
	}
	return passed;
}

/* Entries that a bitmap's indexes deliver, and the time for that. */
static double
price_bitmap_index(const GlperfPricing *pricing, Path *path, double *follows)
{
	double		price = 0;
	List	   *parts = NIL;
	ListCell   *lc;

	if (IsA(path, IndexPath))
	{
		IndexPath  *scan = (IndexPath *) path;

		/* a BRIN index tells whole ranges of pages, in their order */
		if (scan->indexinfo->relam == BRIN_AM_OID)
		{
			*follows = 1;
			return operations(scan->indextotalcost);
		}
		*follows = Max(*follows, glperf_price_index_correlation(pricing, scan->indexinfo));
		return price_lookup(scan, false) +
			LIST_ROW * rows_passed(scan) +
			price_entries(pricing, scan);
	}
	if (IsA(path, BitmapAndPath))
		parts = ((BitmapAndPath *) path)->bitmapquals;
	else if (IsA(path, BitmapOrPath))
		parts = ((BitmapOrPath *) path)->bitmapquals;
	foreach(lc, parts)
		price += price_bitmap_index(pricing, (Path *) lfirst(lc), follows);
	return price;
}

/* Share of the table that a bitmap selects. */
static double
bitmap_selectivity(Path *path)
{
	double		share;
	ListCell   *lc;

	if (IsA(path, BitmapAndPath))
	{
		share = 1;
		foreach(lc, ((BitmapAndPath *) path)->bitmapquals)
			share *= bitmap_selectivity((Path *) lfirst(lc));
		return share;
	}
	if (IsA(path, BitmapOrPath))
	{
		share = 0;
		foreach(lc, ((BitmapOrPath *) path)->bitmapquals)
			share += bitmap_selectivity((Path *) lfirst(lc));
		return Min(1.0, share);
	}
	return ((IndexPath *) path)->indexselectivity;
}

/* One run of a bitmap scan. */
static double
price_bitmap_scan(const GlperfPricing *pricing, BitmapHeapPath *path)
{
	RelOptInfo *rel = path->path.parent;
	double		follows = 0;
	double		price = price_bitmap_index(pricing, path->bitmapqual,
										   &follows);
	double		share = bitmap_selectivity(path->bitmapqual);
	double		rows = Max(1.0, share * rel->tuples);
	double		all = Max(1.0, rel->pages);
	double		pages = Min(all, 2 * all * rows / (2 * all + rows));
	double		fewest = ceil(share * all);
	List	   *seen_to = NIL;

	/* a BRIN index sees to no row */
	if (IsA(path->bitmapqual, IndexPath) &&
		((IndexPath *) path->bitmapqual)->indexinfo->relam != BRIN_AM_OID)
		seen_to = ((IndexPath *) path->bitmapqual)->indexclauses;

	pages = between(Min(fewest, pages), pages, 1 - follows);
	return price + pages * between(SEQ_PAGE, BITMAP_PAGE,
								   missing(all * BLCKSZ)) +
		rows * (BITMAP_ROW + COLUMN * last_column(rel) +
				test_row(pricing, rel->baserestrictinfo, seen_to));
}

double
glperf_price_scan(const GlperfPricing *pricing, Path *path, bool in_order)
{
	if (IsA(path, IndexPath))
		return price_index_scan(pricing, (IndexPath *) path, in_order);
	if (IsA(path, BitmapHeapPath))
		return price_bitmap_scan(pricing, (BitmapHeapPath *) path);
	return price_seq_scan(pricing, path->parent);
}

/*
 * access_cost.c
 *		Costs of many configurations from few plans.
 *
 * Parts of a plan whose cost does not simply add up (a LIMIT that stops
 * early, Memoize, parallel scans, recursion) are left whole: the candidates
 * used in there are required, and nothing is exchanged.
 */
#include "access_cost.h"

#include <math.h>

#include "access/stratnum.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/memutils.h"

#include "bitset.h"
#include "guc.h"
#include "whatif.h"

/* A LIMIT that reads less than this share of its input stops early. */
#define FULL_READ	0.99

/* State of taking one plan apart. */
typedef struct SkeletonWalk
{
	GlperfMatrix *matrix;
	const GlperfWhatif *whatif;
	List	   *rels;
	GlperfSkeleton *skeleton;
	int			allocated;
	PlannerInfo *root;			/* whose paths these are */
	GlperfLoops unlimited;		/* loops but for a LIMIT above, which alone
								 * keeps this whole; else none */
	GlperfPricing pricing;
	bool		in_order;		/* about the next scan; see GlperfSlot */
	Path	   *driver;			/* scan that decides it, NULL: it is certain */
	GlperfPart *part;			/* that is taken apart, NULL for the top */
} SkeletonWalk;

static void walk_path(SkeletonWalk *walk, Path *path, GlperfLoops loops,
					  bool ordered, bool whole);
static void walk_part(SkeletonWalk *walk, PlannerInfo *root, int id,
					  Path *path, GlperfLoops loops, bool ordered, bool whole);

/* What runs once, and what does not. */
static const GlperfLoops once = {1, {1, 1}};
static const GlperfLoops never = {0, {0, 0}};

/* So many times as often. */
static GlperfLoops
repeat(GlperfLoops loops, double times)
{
	loops.planner *= times;
	loops.price.expected *= times;
	loops.price.pessimistic *= times;
	return loops;
}

/* Candidates in a bitmap scan's tree. */
static void
require_bitmap(SkeletonWalk *walk, Path *path)
{
	ListCell   *lc;

	if (IsA(path, IndexPath))
	{
		int			candidate =
		glperf_whatif_index_number(walk->whatif,
								   ((IndexPath *) path)->indexinfo->indexoid);

		if (candidate >= 0)
			bitset_add(walk->skeleton->required, candidate);
	}
	else if (IsA(path, BitmapAndPath))
		foreach(lc, ((BitmapAndPath *) path)->bitmapquals)
			require_bitmap(walk, (Path *) lfirst(lc));
	else if (IsA(path, BitmapOrPath))
		foreach(lc, ((BitmapOrPath *) path)->bitmapquals)
			require_bitmap(walk, (Path *) lfirst(lc));
}

/* Number of a base relation, or -1. */
static int
rel_number(List *rels, RelOptInfo *rel)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, rels)
	{
		if (lfirst(lc) == rel)
			return n;
		n++;
	}
	return -1;
}

/* Take something that runs so often out of the rest of a skeleton. */
static void
take_price(GlperfSkeleton *skeleton, GlperfLoops loops, GlperfPrice price)
{
	skeleton->rest.expected -= loops.price.expected * price.expected;
	skeleton->rest.pessimistic -= loops.price.pessimistic * price.pessimistic;
}

/* Slot of this walk's skeleton that a scan is, or -1. */
static int
slot_of(const SkeletonWalk *walk, const Path *scan)
{
	int			number = scan ? rel_number(walk->rels, scan->parent) : -1;

	for (int i = 0; number >= 0 && i < walk->skeleton->nslots; i++)
		if (walk->skeleton->slots[i].rel == number)
			return i;
	return -1;
}

/* A scan: a slot, or part of the whole when it must stay. */
static void
take_scan(SkeletonWalk *walk, Path *path, GlperfLoops loops, bool ordered,
		  bool whole)
{
	GlperfSkeleton *skeleton = walk->skeleton;
	int			number = rel_number(walk->rels, path->parent);
	GlperfSlot *slot;
	GlperfPrice price;

	if (whole || number < 0)
	{
		if (IsA(path, IndexPath))
			require_bitmap(walk, path);
		else if (IsA(path, BitmapHeapPath))
			require_bitmap(walk, ((BitmapHeapPath *) path)->bitmapqual);
		return;
	}
	if (skeleton->nslots == walk->allocated)
	{
		walk->allocated = Max(8, walk->allocated * 2);
		skeleton->slots = skeleton->slots ?
			repalloc(skeleton->slots, sizeof(GlperfSlot) * walk->allocated) :
			palloc(sizeof(GlperfSlot) * walk->allocated);
	}
	slot = &skeleton->slots[skeleton->nslots];
	memset(slot, 0, sizeof(GlperfSlot));
	slot->rel = number;
	slot->loops = loops;
	slot->cost = path->total_cost;
	slot->in_order = walk->in_order;
	slot->driver = slot_of(walk, walk->driver);
	slot->relid = path->parent->relid;
	skeleton->nslots++;
	if (walk->matrix->by_time)
		slot->price = glperf_price_scan(&walk->pricing, path, slot->in_order);
	slot->outer = bms_copy(PATH_REQ_OUTER(path));
	if (ordered)
		slot->order = glperf_access_order(path->parent, path->pathkeys);
	skeleton->fixed -= loops.planner * path->total_cost;
	price.expected = price.pessimistic = slot->price;
	take_price(skeleton, loops, price);
}

/* Something that has to stay as it is. */
static void
walk_whole(SkeletonWalk *walk, Path *path, GlperfLoops loops)
{
	GlperfLoops unlimited = walk->unlimited;

	walk->unlimited = never;
	walk_path(walk, path, loops, true, true);
	walk->unlimited = unlimited;
}

/* The input of something that reads all of it before it returns a row. */
static void
walk_to_end(SkeletonWalk *walk, Path *path, GlperfLoops loops, bool whole)
{
	GlperfLoops unlimited = walk->unlimited;

	walk->unlimited = never;
	if (unlimited.planner > 0)
		walk_path(walk, path, unlimited, false, false);
	else
		walk_path(walk, path, loops, false, whole);
	walk->unlimited = unlimited;
}

/*
 * How often a nested loop reads its inner side, in the planner's eyes.  Where
 * the first match is enough it does not count all of each scan, which shows
 * only in what the join costs.  See final_cost_nestloop().
 */
static double
full_scans(JoinPath *join)
{
	Path	   *outer = join->outerjoinpath;
	Path	   *inner = join->innerjoinpath;
	double		scans = Max(1.0, outer->rows);
	QualCost	qual;
	double		one;

	if (join->jointype != JOIN_SEMI && join->jointype != JOIN_ANTI)
		return scans;
	cost_qual_eval(&qual, join->joinrestrictinfo, NULL);
	one = inner->total_cost +
		(cpu_tuple_cost + qual.per_tuple) * Max(1.0, inner->rows);
	return one > 0 ?
		Min(scans, (join->path.total_cost - outer->total_cost) / one) : scans;
}

/* Note whether the look-ups of an inner side follow on each other, and why. */
static void
note_order(SkeletonWalk *walk, Path *outer, Path *inner)
{
	Path	   *scan = glperf_price_driver(outer);
	GlperfDelivery delivery;
	List	   *lookup;

	walk->in_order = glperf_price_in_order(&walk->pricing, outer, inner);
	if (scan == NULL || !glperf_price_is_scan(scan))
		return;
	delivery = glperf_price_delivery(&walk->pricing, scan);
	lookup = glperf_price_lookup(&walk->pricing, scan->parent, inner);
	/* if not, it is for another reason, which stays */
	if (walk->in_order == glperf_price_calls_in_order(lookup,
													  scan->parent->relid,
													  &delivery))
		walk->driver = scan;
}

/* The inner side of a nested loop. */
static void
walk_inner(SkeletonWalk *walk, JoinPath *join, GlperfLoops loops, bool whole)
{
	Path	   *outer = join->outerjoinpath;
	Path	   *inner = join->innerjoinpath;
	GlperfPricing doubtful = walk->pricing;

	doubtful.growth = glperf_pessimistic_growth;
	loops.planner *= full_scans(join);
	loops.price.expected *= glperf_price_loops(&walk->pricing, outer, inner);
	loops.price.pessimistic *= glperf_price_loops(&doubtful, outer, inner);
	if (whole)
		walk_whole(walk, inner, loops);
	else
	{
		if (IsA(inner, IndexPath) && walk->matrix->by_time)
			note_order(walk, outer, inner);
		walk_path(walk, inner, loops, false, whole);
		walk->in_order = false;
		walk->driver = NULL;
	}
}

/* The two sides of a join. */
static void
walk_join(SkeletonWalk *walk, JoinPath *join, GlperfLoops loops, bool ordered,
		  bool whole)
{
	Path	   *outer = join->outerjoinpath;
	Path	   *inner = join->innerjoinpath;

	switch (nodeTag(join))
	{
		case T_NestPath:
			walk_path(walk, outer, loops, ordered, whole);
			walk_inner(walk, join, loops, whole);
			break;
		case T_MergePath:
			{
				MergePath  *merge = (MergePath *) join;

				walk_path(walk, outer, loops, merge->outersortkeys == NIL,
						  whole);
				walk_path(walk, inner, loops, merge->innersortkeys == NIL,
						  whole);
				break;
			}
		default:
			walk_path(walk, outer, loops, false, whole);
			walk_to_end(walk, inner, loops, whole);
			break;
	}
}

/* Share of its input that a LIMIT reads. */
static double
share_read(LimitPath *limit)
{
	double		run = limit->subpath->total_cost - limit->subpath->startup_cost;

	if (run <= 0)
		return 1;
	return Min(1.0, (limit->path.total_cost - limit->path.startup_cost) / run);
}

/* What is stopped early has to stay as it is, up to where rows are gathered. */
static void
walk_limit(SkeletonWalk *walk, LimitPath *limit, GlperfLoops loops, bool ordered,
		   bool whole)
{
	GlperfLoops unlimited = walk->unlimited;
	double		share = share_read(limit);
	bool		stops = share < FULL_READ;

	walk->unlimited = stops && !whole ? loops : never;
	walk_path(walk, limit->subpath, repeat(loops, share), ordered, whole || stops);
	walk->unlimited = unlimited;
}

/*
 * Visit a path.  loops: how often it runs; ordered: its parent relies on its
 * order; whole: nothing below may be exchanged.
 */
static void
walk_path(SkeletonWalk *walk, Path *path, GlperfLoops loops, bool ordered,
		  bool whole)
{
	ListCell   *lc;

	if (path == NULL)
		return;
	check_stack_depth();
	switch (nodeTag(path))
	{
		case T_Path:
			if (path->pathtype == T_SeqScan)
				take_scan(walk, path, loops, ordered, whole);
			break;
		case T_IndexPath:
		case T_BitmapHeapPath:
			take_scan(walk, path, loops, ordered, whole);
			break;
		case T_NestPath:
		case T_MergePath:
		case T_HashPath:
			walk_join(walk, (JoinPath *) path, loops, ordered, whole);
			break;
		case T_MaterialPath:
			/* rescans read the stored rows */
			walk_path(walk, ((MaterialPath *) path)->subpath, once, ordered,
					  whole || loops.planner > 1);
			break;
		case T_MemoizePath:
			walk_whole(walk, ((MemoizePath *) path)->subpath, loops);
			break;
		case T_SortPath:
			walk_to_end(walk, ((SortPath *) path)->subpath, loops, whole);
			break;
		case T_IncrementalSortPath:
			walk_path(walk, ((SortPath *) path)->subpath, loops, true, whole);
			break;
		case T_AggPath:
			if (((AggPath *) path)->aggstrategy == AGG_HASHED ||
				((AggPath *) path)->aggstrategy == AGG_PLAIN)
			{
				walk_to_end(walk, ((AggPath *) path)->subpath, loops, whole);
				break;
			}
			walk_path(walk, ((AggPath *) path)->subpath, loops,
					  ((AggPath *) path)->aggstrategy == AGG_SORTED, whole);
			break;
		case T_GroupPath:
			walk_path(walk, ((GroupPath *) path)->subpath, loops, true, whole);
			break;
		case T_GroupingSetsPath:
			walk_path(walk, ((GroupingSetsPath *) path)->subpath, loops, true,
					  whole);
			break;
		case T_WindowAggPath:
			walk_path(walk, ((WindowAggPath *) path)->subpath, loops, true,
					  whole);
			break;
		case T_ProjectionPath:
			walk_path(walk, ((ProjectionPath *) path)->subpath, loops, ordered,
					  whole);
			break;
		case T_ProjectSetPath:
			walk_path(walk, ((ProjectSetPath *) path)->subpath, loops, ordered,
					  whole);
			break;
		case T_SubqueryScanPath:
			walk_part(walk, path->parent->subroot, path->parent->relid,
					  ((SubqueryScanPath *) path)->subpath, loops, ordered,
					  whole);
			break;
		case T_MinMaxAggPath:
			foreach(lc, ((MinMaxAggPath *) path)->mmaggregates)
				walk_path(walk, ((MinMaxAggInfo *) lfirst(lc))->path, loops,
						  true, true);
			break;
		case T_LockRowsPath:
			walk_path(walk, ((LockRowsPath *) path)->subpath, loops, ordered,
					  whole);
			break;
		case T_LimitPath:
			walk_limit(walk, (LimitPath *) path, loops, ordered, whole);
			break;
		case T_ModifyTablePath:
			walk_path(walk, ((ModifyTablePath *) path)->subpath, loops, false,
					  whole);
			break;
		case T_AppendPath:
			foreach(lc, ((AppendPath *) path)->subpaths)
				walk_path(walk, (Path *) lfirst(lc), loops, ordered, whole);
			break;
		case T_MergeAppendPath:
			foreach(lc, ((MergeAppendPath *) path)->subpaths)
				walk_path(walk, (Path *) lfirst(lc), loops, true, whole);
			break;
		case T_GatherPath:
			walk_whole(walk, ((GatherPath *) path)->subpath, loops);
			break;
		case T_GatherMergePath:
			walk_whole(walk, ((GatherMergePath *) path)->subpath, loops);
			break;
		case T_RecursiveUnionPath:
			walk_whole(walk, ((RecursiveUnionPath *) path)->leftpath, loops);
			walk_whole(walk, ((RecursiveUnionPath *) path)->rightpath, loops);
			break;
		default:
			foreach(lc, glperf_set_path_inputs(path))
				walk_path(walk, (Path *) lfirst(lc), loops, true, whole);
			break;
	}
}

/* Is this SubPlan one that runs once and to its end? */
static SubPlan *
find_init_plan(PlannerInfo *root, int plan_id)
{
	ListCell   *lc;

	foreach(lc, root->init_plans)
		if (lfirst_node(SubPlan, lc)->plan_id == plan_id)
		return lfirst_node(SubPlan, lc);
	return NULL;
}

/*
 * The plans of root's CTEs and expressions.  InitPlans are parts; how often
 * the others run is unknown here, so what they use is required.
 */
static void
walk_subplans(SkeletonWalk *walk, PlannerInfo *root, bool whole)
{
	int			plan_id = 0;
	ListCell   *lc;

	foreach(lc, root->glob->subroots)
	{
		PlannerInfo *subroot = lfirst_node(PlannerInfo, lc);
		SubPlan    *init = find_init_plan(root, ++plan_id);
		RelOptInfo *final;
		bool		exchange;

		if (subroot->parent_root != root)
			continue;
		/* MIN and MAX by an index have no final paths: see MinMaxAggPath */
		final = fetch_upper_rel(subroot, UPPERREL_FINAL, NULL);
		if (final->cheapest_total_path == NULL)
			continue;
		exchange = init && (init->subLinkType == CTE_SUBLINK ||
							init->subLinkType == EXPR_SUBLINK ||
							init->subLinkType == ARRAY_SUBLINK);
		walk_part(walk, subroot, -plan_id, final->cheapest_total_path,
				  exchange ? once : never, true, whole || !exchange);
	}
}

/* A plan of root with everything that belongs to it. */
static void
walk_root(SkeletonWalk *walk, PlannerInfo *root, Path *path, GlperfLoops loops,
		  bool ordered, bool whole)
{
	PlannerInfo *outer = walk->root;

	walk->root = walk->pricing.here = root;
	walk_path(walk, path, loops, ordered, whole);
	walk_subplans(walk, root, whole);
	walk->root = walk->pricing.here = outer;
}

/* Something that is planned for itself. */
static void
walk_part(SkeletonWalk *walk, PlannerInfo *root, int id, Path *path,
		  GlperfLoops loops, bool ordered, bool whole)
{
	SkeletonWalk inner = *walk;
	GlperfPartUse *use;
	GlperfPrice price = {0, 0};

	if (whole)
	{
		walk_root(walk, root, path, loops, ordered, whole);
		return;
	}
	ordered = ordered && path->pathkeys != NIL;
	use = palloc(sizeof(GlperfPartUse));
	use->part = glperf_access_part(walk->matrix, walk->part, id, ordered);
	use->loops = loops;
	inner.skeleton = glperf_access_new_skeleton(walk->matrix, path->total_cost);
	inner.allocated = 0;
	inner.part = use->part;
	if (walk->matrix->by_time)
		price = glperf_price_root(&walk->pricing, root, path);
	inner.skeleton->rest = price;
	inner.in_order = false;
	inner.driver = NULL;
	walk_root(&inner, root, path, once, ordered, false);
	walk->skeleton->fixed -= loops.planner * path->total_cost;
	take_price(walk->skeleton, loops, price);
	walk->skeleton->parts = lappend(walk->skeleton->parts, use);
	use->part->skeletons = glperf_access_keep_skeleton(walk->matrix, use->part->skeletons,
													   inner.skeleton);
}

void
glperf_access_skeleton(GlperfMatrix *matrix, const GlperfWhatif *whatif,
					   PlannerInfo *root, Path *path, List *rels, double cost,
					   GlperfPrice price)
{
	MemoryContext old = MemoryContextSwitchTo(matrix->context);
	SkeletonWalk walk = {.matrix = matrix,.whatif = whatif,.rels = rels};

	walk.pricing.whatif = whatif;
	walk.pricing.root = root;
	walk.pricing.growth = 1;
	walk.skeleton = glperf_access_new_skeleton(matrix, cost);
	walk.skeleton->rest = price;
	walk_root(&walk, root, path, once, true, false);
	matrix->skeletons = glperf_access_keep_skeleton(matrix, matrix->skeletons,
													walk.skeleton);
	MemoryContextSwitchTo(old);
}

/*
 * plan_price.c
 *		Processor time that a plan will take, with its tables in memory.
 *
 * What is modelled is what differs most from the planner's cost: rows fetched
 * one by one, whose cost depends on whether their neighbours were just used,
 * and hash tables that do not fit in the processor's caches.  Everything else
 * takes the planner's own cost, at a fixed rate: that part of it is about
 * processor time anyway.
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
#include "optimizer/tlist.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "price_units.h"
#include "whatif.h"

/* A LIMIT that reads less of its input stops early. */
#define MAX_SHARE			1.0

static double price_path(const GlperfPricing *pricing, Path *path);

/*
 * How many times more rows than planned a path may yield.  Those of a subquery
 * are as doubtful as the joins inside, whatever is then done with them.
 */
static double
more_rows(const GlperfPricing *pricing, Path *path)
{
	GlperfPricing inside = *pricing;
	Path	   *below = NULL;

	check_stack_depth();
	switch (nodeTag(path))
	{
		case T_SubqueryScanPath:
			inside.here = path->parent->subroot;
			below = ((SubqueryScanPath *) path)->subpath;
			break;
		case T_SortPath:
		case T_IncrementalSortPath:
			below = ((SortPath *) path)->subpath;
			break;
		case T_ProjectionPath:
			below = ((ProjectionPath *) path)->subpath;
			break;
		case T_GlperfUniquePath:
			below = linitial(glperf_set_path_inputs(path));
			break;
		case T_AggPath:
			if (((AggPath *) path)->groupClause != NIL)
				below = ((AggPath *) path)->subpath;
			break;
		default:
			break;
	}
	return below ? more_rows(&inside, below) :
		glperf_price_doubt(pricing, path->parent);
}

/* Rows that a path yields, as pessimistic as wanted. */
static double
rows_of(const GlperfPricing *pricing, Path *path)
{
	double		more = IsA(path, SubqueryScanPath) ? more_rows(pricing, path) :
	glperf_price_doubt(pricing, path->parent);

	return Max(1.0, path->rows) * more;
}

/* Price of all that a planner's root has to do, chosen path first. */
static double
price_root(const GlperfPricing *pricing, PlannerInfo *root, Path *path)
{
	GlperfPricing mine = *pricing;
	ListCell   *lc;

	mine.here = root;
	mine.top = path;
	mine.subplan_cost = 0;
	foreach(lc, root->init_plans)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, lc);

		mine.subplan_cost += subplan->startup_cost + subplan->per_call_cost;
	}
	return price_path(&mine, path);
}

double
glperf_price_subplan(const GlperfPricing *pricing, int number)
{
	PlannerInfo *root;
	RelOptInfo *final;
	Path	   *path;

	if (number < 1 || number > list_length(pricing->root->glob->subroots))
		return 0;
	root = (PlannerInfo *) list_nth(pricing->root->glob->subroots, number - 1);
	if (root == NULL)
		return 0;
	final = fetch_upper_rel(root, UPPERREL_FINAL, NULL);
	if (final->pathlist == NIL)
		return 0;
	path = get_cheapest_fractional_path(final, root->tuple_fraction);
	return path ? price_root(pricing, root, path) : 0;
}

double
glperf_price_loops(const GlperfPricing *pricing, Path *outer, Path *inner)
{
	double		loops = rows_of(pricing, outer);

	if (IsA(inner, MaterialPath))
		return 1;
	if (IsA(inner, MemoizePath) && ((MemoizePath *) inner)->est_entries > 0)
		loops = Min(loops, ((MemoizePath *) inner)->est_entries);
	return loops;
}

/* A nested loop. */
static double
price_nested_loop(const GlperfPricing *pricing, JoinPath *join)
{
	Path	   *outer = join->outerjoinpath;
	Path	   *inner = join->innerjoinpath;
	double		runs = rows_of(pricing, outer);
	double		loops = glperf_price_loops(pricing, outer, inner);
	double		once = IsA(inner, IndexPath) ?
	glperf_price_scan(pricing, inner,
					  glperf_price_in_order(pricing, outer, inner)) :
	price_path(pricing, inner);
	QualCost	qual;
	double		pairs = runs * Max(1.0, inner->rows);

	/* the first match is enough */
	if (join->inner_unique || join->jointype == JOIN_SEMI ||
		join->jointype == JOIN_ANTI)
		pairs /= 2;
	cost_qual_eval(&qual, join->joinrestrictinfo, NULL);
	if (IsA(inner, MaterialPath))
		once += pairs * STORED_ROW;
	else if (IsA(inner, MemoizePath))
		once += runs * MEMOIZE_PROBE / Max(1.0, loops);
	return price_path(pricing, outer) + loops * once +
		pairs * operations(qual.per_tuple) +
		rows_of(pricing, &join->path) * JOIN_ROW;
}

/* Bytes of a hash table over these rows. */
static double
hash_bytes(double rows, int width)
{
	return rows * (width + HASH_OVERHEAD);
}

/*
 * Share of the probes of a hash table that look for another key than the one
 * before did: the same one's rows are still in the processor's caches.
 */
static double
keys_apart(const GlperfPricing *pricing, HashPath *hash, double probes)
{
	Path	   *outer = hash->jpath.outerjoinpath;
	ListCell   *lc;

	foreach(lc, pricing->here ? hash->path_hashclauses : NIL)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		Node	   *expr = bms_is_subset(rinfo->left_relids,
										 outer->parent->relids) ?
		get_leftop(rinfo->clause) : get_rightop(rinfo->clause);
		double		keys;

		if (!glperf_price_sorted_by(outer, expr))
			continue;
		keys = glperf_price_values(pricing->here, expr);
		if (keys > 0)
			return Min(1.0, keys / probes);
	}
	return 1;
}

/* A hash join. */
static double
price_hash_join(const GlperfPricing *pricing, HashPath *hash)
{
	JoinPath   *join = &hash->jpath;
	Path	   *outer = join->outerjoinpath;
	Path	   *inner = join->innerjoinpath;
	double		built = rows_of(pricing, inner);
	double		probes = rows_of(pricing, outer);
	double		matches = rows_of(pricing, &join->path);
	double		far = missing(hash_bytes(built, inner->pathtarget->width));
	double		apart = keys_apart(pricing, hash, probes);
	double		price = price_path(pricing, outer) +
	price_path(pricing, inner);

	/* what finds nothing looks at the buckets alone */
	price += built * (HASH_BUILD + HASH_BUILD_FAR * far) +
		probes * (HASH_PROBE +
				  apart * HASH_PROBE_FAR * missing(built * HASH_BUCKET)) +
		matches * (JOIN_ROW + apart * HASH_MATCH_FAR * far);
	if (hash->num_batches > 1)
		price += (built + probes) * SPILLED_ROW *
			(hash->num_batches - 1) / hash->num_batches;
	return price;
}

/* Sorting rows by these keys. */
static double
price_sort(double rows, int width, List *pathkeys)
{
	double		compare = SORT_COMPARE_WIDE;
	double		price;

	if (pathkeys != NIL)
	{
		EquivalenceClass *ec = ((PathKey *) linitial(pathkeys))->pk_eclass;
		EquivalenceMember *em = ec->ec_members != NIL ?
		linitial(ec->ec_members) : NULL;

		if (em && get_typbyval(em->em_datatype))
			compare = list_length(pathkeys) == 1 ? SORT_COMPARE :
				SORT_COMPARE_NEXT;
	}
	price = rows * (STORED_ROW + compare * log2(Max(2.0, rows)));
	if (rows * (width + HASH_OVERHEAD) > work_mem * 1024.0)
		price += rows * SPILLED_ROW;
	return price;
}

/* A merge join, with the sorts it brings along. */
static double
price_merge_join(const GlperfPricing *pricing, MergePath *merge)
{
	Path	   *outer = merge->jpath.outerjoinpath;
	Path	   *inner = merge->jpath.innerjoinpath;
	double		left = rows_of(pricing, outer);
	double		right = rows_of(pricing, inner);
	double		price = price_path(pricing, outer) +
	price_path(pricing, inner);

	if (merge->outersortkeys != NIL)
		price += price_sort(left, outer->pathtarget->width,
							merge->outersortkeys);
	if (merge->innersortkeys != NIL)
		price += price_sort(right, inner->pathtarget->width,
							merge->innersortkeys);
	if (merge->materialize_inner)
		price += right * STORED_ROW;
	return price + (left + right) * MERGE_ROW +
		rows_of(pricing, &merge->jpath.path) * JOIN_ROW;
}

/* The planner's cost of a node above what is below it, as time. */
static double
own_cost(const GlperfPricing *pricing, Path *path, Path *below)
{
	double		more = rows_of(pricing, below) / Max(1.0, below->rows);
	double		cost = path->total_cost - below->total_cost;

	/* subplans that run once are in the cost of the topmost node */
	if (path == pricing->top)
		cost -= pricing->subplan_cost;
	return operations(cost) * more;
}

/* Walker over expressions: count the operations that yield a numeric. */
static bool
count_numeric(Node *node, void *context)
{
	int		   *n = context;

	if (node == NULL)
		return false;
	if ((IsA(node, OpExpr) || IsA(node, Aggref) || IsA(node, FuncExpr)) &&
		exprType(node) == NUMERICOID)
		(*n)++;
	return expression_tree_walker(node, count_numeric, context);
}

/* Rows that find another group than the row before did. */
static double
groups_apart(const GlperfPricing *pricing, AggPath *agg)
{
	PathTarget *target = agg->path.pathtarget;
	int			i = 0;
	ListCell   *lc;

	foreach(lc, target->exprs)
	{
		Index		ref = get_pathtarget_sortgroupref(target, i++);

		if (ref != 0 &&
			get_sortgroupref_clause_noerr(ref, agg->groupClause) != NULL &&
			glperf_price_sorted_by(agg->subpath, (Node *) lfirst(lc)))
			return Min(rows_of(pricing, agg->subpath),
					   Max(1.0, agg->numGroups));
	}
	return rows_of(pricing, agg->subpath);
}

/* Grouping. */
static double
price_aggregate(const GlperfPricing *pricing, AggPath *agg)
{
	Path	   *below = agg->subpath;
	int			arithmetic = 0;
	double		price = price_path(pricing, below) +
	own_cost(pricing, &agg->path, below);

	(void) count_numeric((Node *) agg->path.pathtarget->exprs, &arithmetic);
	price += rows_of(pricing, below) * NUMERIC * arithmetic;

	if (agg->aggstrategy == AGG_HASHED || agg->aggstrategy == AGG_MIXED)
		price += rows_of(pricing, below) * GROUP_ROW +
			groups_apart(pricing, agg) * GROUP_ROW_FAR *
			missing(hash_bytes(Max(1.0, agg->numGroups),
							   below->pathtarget->width + 64 +
							   arithmetic * NUMERIC_STATE));
	return price;
}

/* Share of its input that a LIMIT reads. */
static double
share_read(LimitPath *limit)
{
	double		run = limit->subpath->total_cost - limit->subpath->startup_cost;

	if (run <= 0)
		return 1;
	return Min(MAX_SHARE, (limit->path.total_cost -
						   limit->path.startup_cost) / run);
}

/* Only what a plan reads after its first row gets less under a LIMIT. */
static double
price_limit(const GlperfPricing *pricing, LimitPath *limit)
{
	Path	   *below = limit->subpath;
	double		price = price_path(pricing, below);
	double		start = below->total_cost > 0 ?
	below->startup_cost / below->total_cost : 1;

	return price * (start + (1 - start) * share_read(limit));
}

/* A list of inputs, one after the other. */
static double
price_list(const GlperfPricing *pricing, List *paths)
{
	double		price = 0;
	ListCell   *lc;

	foreach(lc, paths)
		price += price_path(pricing, (Path *) lfirst(lc));
	return price;
}

/* The same, with what the planner says the node itself adds. */
static double
price_inputs(const GlperfPricing *pricing, Path *path, List *inputs)
{
	double		own = path->total_cost;
	ListCell   *lc;

	foreach(lc, inputs)
		own -= ((Path *) lfirst(lc))->total_cost;
	return price_list(pricing, inputs) + operations(own);
}

/* A node that adds to its input what the planner says. */
static double
price_above(const GlperfPricing *pricing, Path *path, Path *below)
{
	return price_path(pricing, below) + own_cost(pricing, path, below);
}

/* A subquery, whose paths are of another root. */
static double
price_subquery(const GlperfPricing *pricing, SubqueryScanPath *scan)
{
	GlperfPricing inside = *pricing;

	inside.here = scan->path.parent->subroot;
	return price_path(&inside, scan->subpath) +
		own_cost(&inside, &scan->path, scan->subpath);
}

/* Work that processes share; all of them count. */
static double
price_gather(const GlperfPricing *pricing, Path *path, Path *below)
{
	double		processes = Max(1, below->parallel_workers);

	return price_path(pricing, below) * processes +
		rows_of(pricing, path) * JOIN_ROW;
}

/* Time that path takes to deliver all of its rows, once. */
static double
price_path(const GlperfPricing *pricing, Path *path)
{
	check_stack_depth();
	switch (nodeTag(path))
	{
		case T_Path:
			if (path->pathtype == T_SeqScan)
				return glperf_price_scan(pricing, path, false);
			return operations(path->total_cost);
		case T_IndexPath:
		case T_BitmapHeapPath:
			return glperf_price_scan(pricing, path, false);
		case T_NestPath:
			return price_nested_loop(pricing, (JoinPath *) path);
		case T_HashPath:
			return price_hash_join(pricing, (HashPath *) path);
		case T_MergePath:
			return price_merge_join(pricing, (MergePath *) path);
		case T_MaterialPath:
			return price_path(pricing, ((MaterialPath *) path)->subpath) +
				rows_of(pricing, path) * STORED_ROW;
		case T_MemoizePath:
			return price_path(pricing, ((MemoizePath *) path)->subpath);
		case T_SortPath:
			return price_path(pricing, ((SortPath *) path)->subpath) +
				price_sort(rows_of(pricing, ((SortPath *) path)->subpath),
						   path->pathtarget->width, path->pathkeys);
		case T_IncrementalSortPath:
			return price_above(pricing, path, ((SortPath *) path)->subpath);
		case T_AggPath:
			return price_aggregate(pricing, (AggPath *) path);
		case T_GroupPath:
			return price_above(pricing, path, ((GroupPath *) path)->subpath);
		case T_GroupingSetsPath:
			return price_above(pricing, path,
							   ((GroupingSetsPath *) path)->subpath);
		case T_WindowAggPath:
			return price_above(pricing, path,
							   ((WindowAggPath *) path)->subpath);
		case T_ProjectionPath:
			return price_above(pricing, path,
							   ((ProjectionPath *) path)->subpath);
		case T_ProjectSetPath:
			return price_above(pricing, path,
							   ((ProjectSetPath *) path)->subpath);
		case T_SubqueryScanPath:
			return price_subquery(pricing, (SubqueryScanPath *) path);
		case T_LockRowsPath:
			return price_above(pricing, path,
							   ((LockRowsPath *) path)->subpath);
		case T_ModifyTablePath:
			return price_path(pricing, ((ModifyTablePath *) path)->subpath);
		case T_LimitPath:
			return price_limit(pricing, (LimitPath *) path);
		case T_AppendPath:
			return price_list(pricing, ((AppendPath *) path)->subpaths);
		case T_MergeAppendPath:
			return price_list(pricing, ((MergeAppendPath *) path)->subpaths) +
				rows_of(pricing, path) * MERGE_ROW;
		case T_GatherPath:
			return price_gather(pricing, path, ((GatherPath *) path)->subpath);
		case T_GatherMergePath:
			return price_gather(pricing, path,
								((GatherMergePath *) path)->subpath);
		case T_MinMaxAggPath:
			/* one entry at the end of an index each; subplans are priced */
			return LOOKUP;
		default:
			return price_inputs(pricing, path, glperf_set_path_inputs(path));
	}
}

/* Walker over expressions: note the subplans that are not run just once. */
static bool
note_repeated(Node *node, void *context)
{
	Bitmapset **repeated = context;

	if (node == NULL)
		return false;
	if (IsA(node, RestrictInfo))
		node = (Node *) ((RestrictInfo *) node)->clause;
	if (IsA(node, SubPlan) && !runs_once((SubPlan *) node))
		*repeated = bms_add_member(*repeated, ((SubPlan *) node)->plan_id);
	return expression_tree_walker(node, note_repeated, context);
}

/* Does a root belong to another one, however far down? */
static bool
belongs_to(PlannerInfo *root, PlannerInfo *owner)
{
	while (root && root != owner)
		root = root->parent_root;
	return root != NULL;
}

/* One of the two figures of glperf_price_root(). */
static double
price_with_subplans(const GlperfPricing *pricing, PlannerInfo *root,
					Path *path, Bitmapset *repeated)
{
	double		price = price_root(pricing, root, path);
	int			number = 0;
	ListCell   *lc;

	foreach(lc, pricing->root->glob->subroots)
	{
		PlannerInfo *subroot = lfirst(lc);

		number++;
		if (subroot && subroot != root && belongs_to(subroot, root) &&
			!bms_is_member(number, repeated))
			price += glperf_price_subplan(pricing, number);
	}
	return price;
}

GlperfPrice
glperf_price_root(const GlperfPricing *pricing, PlannerInfo *root, Path *path)
{
	GlperfPricing mine = *pricing;
	GlperfPrice price;
	Bitmapset  *repeated = NULL;
	ListCell   *lc;

	foreach(lc, pricing->whatif->rels)
		(void) note_repeated((Node *) ((RelOptInfo *) lfirst(lc))->baserestrictinfo,
							 &repeated);
	mine.growth = 1;
	price.expected = price_with_subplans(&mine, root, path, repeated);
	mine.growth = glperf_pessimistic_growth;
	price.pessimistic = price_with_subplans(&mine, root, path, repeated);
	return price;
}

/*
 * access_cost.c
 *		Costs of many configurations from few plans.
 *
 * Parts of a plan whose cost does not simply add up (a LIMIT that stops
 * early, Memoize, parallel scans, recursion) are left whole: the candidates
 * used in there are required, and nothing is exchanged.
 */
#include "access_cost.h"

#include "access/stratnum.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/memutils.h"

#include "bitset.h"
#include "whatif.h"

/*
 * Charge for each row that an index scan fetches from the table, in planner
 * units.  With the table in memory the planner's page costs mean little, and
 * visiting a row through an index takes about ten times the processor time of
 * passing it in a sequential scan; cpu_tuple_cost makes no difference between
 * the two.  Nested loops over such scans are where advice goes wrong.
 */
#define FETCH_CHARGE	0.1

/* A LIMIT that reads less than this share of its input stops early. */
#define FULL_READ	0.99

/* State of taking one plan apart. */
typedef struct SkeletonWalk
{
	GlperfMatrix *matrix;
	const GlperfWhatif *whatif;
	List	   *rels;
	GlperfSkeleton *skeleton;	/* NULL: only add up charges */
	int			allocated;
	double		charges;
} SkeletonWalk;

static void walk_path(SkeletonWalk *walk, Path *path, double loops,
					  bool ordered, bool whole);

/* The order of a path of rel, as far as it is over plain columns. */
static GlperfSortOrder
path_order(RelOptInfo *rel, List *pathkeys)
{
	GlperfSortOrder order = {0};
	ListCell   *lc;

	foreach(lc, pathkeys)
	{
		PathKey    *pk = (PathKey *) lfirst(lc);
		ListCell   *lm;
		AttrNumber	attnum = 0;

		foreach(lm, pk->pk_eclass->ec_members)
		{
			EquivalenceMember *em = (EquivalenceMember *) lfirst(lm);
			Node	   *expr = (Node *) em->em_expr;

			while (expr && IsA(expr, RelabelType))
				expr = (Node *) ((RelabelType *) expr)->arg;
			if (bms_equal(em->em_relids, rel->relids) && IsA(expr, Var))
			{
				attnum = ((Var *) expr)->varattno;
				break;
			}
		}
		if (attnum == 0 || order.n == GLPERF_SORT_COLUMNS)
			break;
		order.columns[order.n++] = attnum * 4 +
			(glperf_pathkey_is_desc(pk) ? 2 : 0) + (pk->pk_nulls_first ? 1 : 0);
	}
	return order;
}

/* Does have begin with wanted? */
static bool
order_serves(const GlperfSortOrder *have, const GlperfSortOrder *wanted)
{
	if (have->n < wanted->n)
		return false;
	for (int i = 0; i < wanted->n; i++)
		if (have->columns[i] != wanted->columns[i])
			return false;
	return true;
}

/* Charge for one run of a scan. */
static double
fetch_charge(Path *path)
{
	IndexPath  *index = (IndexPath *) path;

	if (!IsA(path, IndexPath) || path->pathtype != T_IndexScan)
		return 0;
	return FETCH_CHARGE * index->indexselectivity * path->parent->tuples;
}

/* Remember the paths of rel as options of one candidate (-1: existing). */
static void
keep_options(GlperfMatrix *matrix, int number, RelOptInfo *rel,
			 int candidate)
{
	MemoryContext old = MemoryContextSwitchTo(matrix->context);
	ListCell   *lc;

	foreach(lc, rel->pathlist)
	{
		Path	   *path = (Path *) lfirst(lc);
		GlperfAccessOption *option;

		if (!IsA(path, IndexPath) && !IsA(path, BitmapHeapPath) &&
			!(IsA(path, Path) && path->pathtype == T_SeqScan))
			continue;
		option = palloc(sizeof(GlperfAccessOption));
		option->candidate = candidate;
		option->outer = bms_copy(PATH_REQ_OUTER(path));
		option->order = path_order(rel, path->pathkeys);
		option->cost = path->total_cost + fetch_charge(path);
		matrix->options[number] = lappend(matrix->options[number], option);
	}
	MemoryContextSwitchTo(old);
}

/* Make room for the options of relation number. */
static void
grow(GlperfMatrix *matrix, int number)
{
	MemoryContext old = MemoryContextSwitchTo(matrix->context);
	int			size = Max(8, 2 * (number + 1));

	if (number >= matrix->nrels)
	{
		List	  **options = palloc0(sizeof(List *) * size);

		if (matrix->nrels > 0)
			memcpy(options, matrix->options, sizeof(List *) * matrix->nrels);
		matrix->options = options;
		matrix->nrels = size;
	}
	MemoryContextSwitchTo(old);
}

void
glperf_access_collect(GlperfMatrix *matrix, const GlperfWhatif *whatif,
					  int number, PlannerInfo *root, RelOptInfo *rel)
{
	List	   *indexes = rel->indexlist;
	List	   *paths = rel->pathlist;
	List	   *partial = rel->partial_pathlist;
	List	   *existing = NIL;
	ListCell   *lc;

	grow(matrix, number);
	rel->partial_pathlist = NIL;
	foreach(lc, indexes)
	{
		IndexOptInfo *info = (IndexOptInfo *) lfirst(lc);
		int			candidate =
		glperf_whatif_index_number(whatif, info->indexoid);

		if (candidate < 0)
		{
			existing = lappend(existing, info);
			continue;
		}
		rel->pathlist = NIL;
		rel->indexlist = list_make1(info);
		create_index_paths(root, rel);
		keep_options(matrix, number, rel, candidate);
	}
	rel->pathlist = NIL;
	foreach(lc, paths)
		if (IsA(lfirst(lc), Path))
		rel->pathlist = lappend(rel->pathlist, lfirst(lc));
	keep_options(matrix, number, rel, -1);
	rel->pathlist = NIL;
	rel->indexlist = existing;
	create_index_paths(root, rel);
	keep_options(matrix, number, rel, -1);

	rel->indexlist = indexes;
	rel->pathlist = paths;
	rel->partial_pathlist = partial;
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

/* A scan: a slot, or part of the whole when it must stay. */
static void
take_scan(SkeletonWalk *walk, Path *path, double loops, bool ordered,
		  bool whole)
{
	GlperfSkeleton *skeleton = walk->skeleton;
	double		cost = path->total_cost + fetch_charge(path);
	int			number;
	GlperfSlot *slot;

	walk->charges += loops * fetch_charge(path);
	if (skeleton == NULL)
		return;
	number = rel_number(walk->rels, path->parent);
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
	slot = &skeleton->slots[skeleton->nslots++];
	memset(slot, 0, sizeof(GlperfSlot));
	slot->rel = number;
	slot->loops = loops;
	slot->cost = cost;
	slot->outer = bms_copy(PATH_REQ_OUTER(path));
	if (ordered)
		slot->order = path_order(path->parent, path->pathkeys);
	skeleton->fixed -= loops * cost;
}

/* The two sides of a join. */
static void
walk_join(SkeletonWalk *walk, JoinPath *join, double loops, bool ordered,
		  bool whole)
{
	Path	   *outer = join->outerjoinpath;
	Path	   *inner = join->innerjoinpath;

	switch (nodeTag(join))
	{
		case T_NestPath:
			walk_path(walk, outer, loops, ordered, whole);
			walk_path(walk, inner, loops * Max(1.0, outer->rows), false,
					  whole);
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
			walk_path(walk, inner, loops, false, whole);
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

/*
 * Visit a path.  loops: how often it runs; ordered: its parent relies on its
 * order; whole: nothing below may be exchanged.
 */
static void
walk_path(SkeletonWalk *walk, Path *path, double loops, bool ordered,
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
			walk_path(walk, ((MaterialPath *) path)->subpath, 1, ordered,
					  whole || loops > 1);
			break;
		case T_MemoizePath:
			walk_path(walk, ((MemoizePath *) path)->subpath, loops, ordered,
					  true);
			break;
		case T_SortPath:
			walk_path(walk, ((SortPath *) path)->subpath, loops, false, whole);
			break;
		case T_IncrementalSortPath:
			walk_path(walk, ((SortPath *) path)->subpath, loops, true, whole);
			break;
		case T_AggPath:
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
			walk_path(walk, ((SubqueryScanPath *) path)->subpath, loops,
					  ordered, whole);
			break;
		case T_LockRowsPath:
			walk_path(walk, ((LockRowsPath *) path)->subpath, loops, ordered,
					  whole);
			break;
		case T_LimitPath:
			walk_path(walk, ((LimitPath *) path)->subpath,
					  loops * share_read((LimitPath *) path), ordered,
					  whole || share_read((LimitPath *) path) < FULL_READ);
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
			walk_path(walk, ((GatherPath *) path)->subpath, loops, ordered,
					  true);
			break;
		case T_GatherMergePath:
			walk_path(walk, ((GatherMergePath *) path)->subpath, loops,
					  ordered, true);
			break;
		default:
			break;
	}
}

double
glperf_access_charges(Path *path)
{
	SkeletonWalk walk = {NULL, NULL, NIL, NULL, 0, 0};

	walk_path(&walk, path, 1, false, false);
	return walk.charges;
}

void
glperf_access_skeleton(GlperfMatrix *matrix, const GlperfWhatif *whatif,
					   Path *path, List *rels, double cost)
{
	MemoryContext old = MemoryContextSwitchTo(matrix->context);
	SkeletonWalk walk = {matrix, whatif, rels, NULL, 0, 0};

	walk.skeleton = palloc0(sizeof(GlperfSkeleton));
	if (matrix->words > 0)
		walk.skeleton->required = palloc0(sizeof(uint64) * matrix->words);
	walk.skeleton->fixed = cost;
	walk_path(&walk, path, 1, true, false);
	matrix->skeletons = lappend(matrix->skeletons, walk.skeleton);
	MemoryContextSwitchTo(old);
}

/* For qsort(): cheapest first; as things are before a candidate. */
static int
compare_options(const void *a, const void *b)
{
	const GlperfAccessOption *oa = *(GlperfAccessOption *const *) a;
	const GlperfAccessOption *ob = *(GlperfAccessOption *const *) b;

	if (oa->cost != ob->cost)
		return oa->cost < ob->cost ? -1 : 1;
	return oa->candidate - ob->candidate;
}

/* Find the options that fit a slot, once. */
static void
sort_options(GlperfMatrix *matrix, GlperfSlot *slot)
{
	List	   *options = matrix->options[slot->rel];
	ListCell   *lc;

	slot->fitting = MemoryContextAlloc(matrix->context,
									   sizeof(GlperfAccessOption *) *
									   list_length(options));
	foreach(lc, options)
	{
		GlperfAccessOption *option = lfirst(lc);

		/* fewer outer rows would mean other row counts above */
		if (bms_equal(option->outer, slot->outer) &&
			order_serves(&option->order, &slot->order))
			slot->fitting[slot->nfitting++] = option;
	}
	qsort(slot->fitting, slot->nfitting, sizeof(GlperfAccessOption *),
		  compare_options);
	for (int i = 0; i < slot->nfitting; i++)
		if (slot->fitting[i]->candidate < 0)
			slot->nfitting = i + 1;
	slot->sorted = true;
}

/* Cheapest option for a slot under config; negative when there is none. */
static double
slot_cost(GlperfMatrix *matrix, GlperfSlot *slot, const uint64 *config)
{
	/* no candidate concerns this table */
	if (slot->rel >= matrix->nrels || matrix->options[slot->rel] == NIL)
		return slot->cost;
	if (!slot->sorted)
		sort_options(matrix, slot);
	for (int i = 0; i < slot->nfitting; i++)
	{
		GlperfAccessOption *option = slot->fitting[i];

		if (option->candidate < 0 || bitset_get(config, option->candidate))
			return option->cost;
	}
	return -1;
}

double
glperf_access_cost(GlperfMatrix *matrix, const uint64 *config)
{
	double		best = -1;
	ListCell   *lc;

	foreach(lc, matrix->skeletons)
	{
		GlperfSkeleton *skeleton = lfirst(lc);
		double		cost = skeleton->fixed;
		bool		feasible = skeleton->required == NULL ||
		bitset_subset(skeleton->required, config, matrix->words);

		for (int i = 0; i < skeleton->nslots && feasible; i++)
		{
			double		slot = slot_cost(matrix, &skeleton->slots[i], config);

			if (slot < 0)
				feasible = false;
			cost += skeleton->slots[i].loops * slot;
		}
		if (feasible && cost > 0 && (best < 0 || cost < best))
			best = cost;
	}
	return best;
}

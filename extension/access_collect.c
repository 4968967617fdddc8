/*
 * access_collect.c
 *		What reading each table through each candidate costs.
 *
 * While a statement is planned with all of its candidates, each is shown to
 * the planner by itself, and every path that it makes of it is an option.
 */
#include "access_cost.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/paths.h"
#include "utils/memutils.h"

#include "trees.h"
#include "whatif.h"

GlperfSortOrder
glperf_access_order(RelOptInfo *rel, List *pathkeys)
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
			Node	   *expr = glperf_strip_relabel((Node *) em->em_expr);

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

/* Remember the paths of rel as options of one candidate (-1: existing). */
static void
keep_options(GlperfMatrix *matrix, const GlperfWhatif *whatif, int number,
			 PlannerInfo *root, RelOptInfo *rel, int candidate)
{
	GlperfPricing pricing = {
		.whatif = whatif,.root = root,.growth = 1,.here = root
	};
	MemoryContext old = MemoryContextSwitchTo(matrix->context);
	ListCell   *lc;

	foreach(lc, rel->pathlist)
	{
		Path	   *path = (Path *) lfirst(lc);
		GlperfAccessOption *option;

		if (!glperf_price_is_scan(path))
			continue;
		option = palloc(sizeof(GlperfAccessOption));
		option->candidate = candidate;
		option->outer = bms_copy(PATH_REQ_OUTER(path));
		option->order = glperf_access_order(rel, path->pathkeys);
		option->cost = path->total_cost;
		if (matrix->by_time)
		{
			for (int o = 0; o < 2; o++)
				option->price[o] = glperf_price_scan(&pricing, path, o);
			option->delivery = glperf_price_delivery(&pricing, path);
			option->lookup = glperf_price_lookup(&pricing, NULL, path);
		}
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

/*
 * An index that is of no use alone may be in a bitmap with others, one for
 * each arm of an OR.
 */
static void
keep_for_or(GlperfMatrix *matrix, int number, RelOptInfo *rel, int candidate)
{
	List	   *clauses = list_concat_copy(rel->baserestrictinfo,
										   rel->joininfo);
	GlperfAccessOption *option;
	ListCell   *lc;

	foreach(lc, clauses)
		if (lfirst_node(RestrictInfo, lc)->orclause != NULL)
		break;
	if (lc != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(matrix->context);

		option = palloc0(sizeof(GlperfAccessOption));
		option->candidate = candidate;
		option->cost = GLPERF_NOT_ALONE;
		matrix->options[number] = lappend(matrix->options[number], option);
		MemoryContextSwitchTo(old);
	}
	list_free(clauses);
}

void
glperf_access_collect(GlperfMatrix *matrix, const GlperfWhatif *whatif,
					  int number, PlannerInfo *root, RelOptInfo *rel)
{
	List	   *paths = rel->pathlist;
	List	   *partial = rel->partial_pathlist;
	List	   *revealed = glperf_whatif_reveal(root, rel);
	List	   *existing = rel->indexlist;
	ListCell   *lc;

	grow(matrix, number);
	rel->partial_pathlist = NIL;
	foreach(lc, revealed)
	{
		IndexOptInfo *info = (IndexOptInfo *) lfirst(lc);
		int			candidate =
		glperf_whatif_index_number(whatif, info->indexoid);

		rel->pathlist = NIL;
		rel->indexlist = list_make1(info);
		create_index_paths(root, rel);
		if (rel->pathlist == NIL)
			keep_for_or(matrix, number, rel, candidate);
		keep_options(matrix, whatif, number, root, rel, candidate);
	}
	rel->pathlist = NIL;
	foreach(lc, paths)
		if (IsA(lfirst(lc), Path))
		rel->pathlist = lappend(rel->pathlist, lfirst(lc));
	keep_options(matrix, whatif, number, root, rel, -1);
	rel->pathlist = NIL;
	rel->indexlist = existing;
	create_index_paths(root, rel);
	keep_options(matrix, whatif, number, root, rel, -1);

	rel->pathlist = paths;
	rel->partial_pathlist = partial;
	glperf_access_show_best(matrix, whatif, number, root, rel, revealed);
}

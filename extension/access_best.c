/*
 * access_best.c
 *		Which candidates can be the best way of reading a table.
 *
 * The planner's work grows with the square of the number of indexes on a
 * table, as it tries which of them go together in a bitmap.  Nearly all are
 * dearer than another one that does the same, which the cost of each by itself
 * shows.  The best for each leading column stays, so that what goes together
 * in a bitmap is not lost.
 */
#include "access_cost.h"

#include "optimizer/paths.h"

#include "bitset.h"
#include "statistics_advice.h"
#include "whatif.h"

/* For list_sort(): cheapest first; as things are before a candidate. */
static int
compare_cost(const ListCell *a, const ListCell *b)
{
	const GlperfAccessOption *oa = lfirst(a);
	const GlperfAccessOption *ob = lfirst(b);

	if (oa->cost != ob->cost)
		return oa->cost < ob->cost ? -1 : 1;
	return oa->candidate - ob->candidate;
}

/* Does one index begin with the same plain column as another? */
static bool
same_lead(const GlperfIndexDef *a, const GlperfIndexDef *b)
{
	return a->relid == b->relid && a->amoid == b->amoid &&
		a->attnum[0] == b->attnum[0] && a->attnum[0] != 0;
}

/* Does one of these cheaper options do what this one does? */
static bool
outdone(const GlperfWhatif *whatif, List *cheaper,
		const GlperfAccessOption *option)
{
	ListCell   *lc;

	if (option->cost >= GLPERF_NOT_ALONE)
		return false;
	foreach(lc, cheaper)
	{
		const GlperfAccessOption *other = lfirst(lc);

		if (same_lead(whatif->defs[other->candidate],
					  whatif->defs[option->candidate]) &&
			bms_equal(other->outer, option->outer) &&
			glperf_access_order_serves(&other->order, &option->order))
			return true;
	}
	return false;
}

void
glperf_access_best(const GlperfMatrix *matrix, const GlperfWhatif *whatif,
				   int number, const uint64 *config, uint64 *best)
{
	List	   *options;
	List	   *kept = NIL;
	ListCell   *lc;

	if (number >= matrix->nrels || matrix->options[number] == NIL)
		return;
	options = list_copy(matrix->options[number]);
	list_sort(options, compare_cost);
	foreach(lc, options)
	{
		const GlperfAccessOption *option = lfirst(lc);

		if (option->candidate < 0 ||
			!bitset_get(config, option->candidate) ||
			outdone(whatif, kept, option))
			continue;
		kept = lappend(kept, (void *) option);
		bitset_add(best, option->candidate);
	}
	list_free(options);
	list_free(kept);
}

void
glperf_access_show_best(const GlperfMatrix *matrix,
						const GlperfWhatif *whatif, int number,
						PlannerInfo *root, RelOptInfo *rel, List *revealed)
{
	uint64	   *best = palloc0(sizeof(uint64) * matrix->words);
	List	   *shown = list_copy(rel->indexlist);
	ListCell   *lc;

	glperf_access_best(matrix, whatif, number, whatif->enabled, best);
	foreach(lc, revealed)
	{
		IndexOptInfo *info = (IndexOptInfo *) lfirst(lc);

		if (bitset_get(best,
					   glperf_whatif_index_number(whatif, info->indexoid)))
			shown = lappend(shown, info);
	}
	if (!glperf_statistics_corrected(whatif->corrections, rel))
	{
		rel->indexlist = shown;
		create_index_paths(root, rel);
		return;
	}
	foreach(lc, shown)
	{
		rel->indexlist = list_make1(lfirst(lc));
		create_index_paths(root, rel);
	}
	rel->indexlist = shown;
}

void
glperf_access_useful(const GlperfMatrix *matrix, uint64 *useful)
{
	for (int r = 0; r < matrix->nrels; r++)
	{
		ListCell   *lc;

		foreach(lc, matrix->options[r])
		{
			const GlperfAccessOption *option = lfirst(lc);

			if (option->candidate >= 0)
				bitset_add(useful, option->candidate);
		}
	}
}

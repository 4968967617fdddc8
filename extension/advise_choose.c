/*
 * advise_choose.c
 *		The selection problem of a run: what select.c has to know of it.
 */
#include "advise.h"

#include "catalog/partition.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Share of the workload's time that doubling its tables' space may cost. */
#define STORAGE_SHARE	0.02

/*
 * Calls of the planner per statement after which a search goes on no more, so
 * that with the last ones it comes to ten at most; and what even the smallest
 * workload may have.
 */
#define CALLS			8.5
#define MIN_CALLS		100

/* Sets worth trying, each once, under construction. */
typedef struct MoveList
{
	GlperfSelectProblem *problem;
	int			words;
	int			allocated;
	HTAB	   *seen;			/* by set */
	uint64	   *done;			/* candidates whose slimmer forms are there */
	uint64	   *single;			/* scratch */
} MoveList;

/* Add a set to the moves unless it is there. */
static void
add_move(MoveList *list, const uint64 *set)
{
	GlperfSelectProblem *problem = list->problem;
	uint64	   *copy;
	bool		found;

	(void) hash_search(list->seen, set, HASH_ENTER, &found);
	if (found)
		return;
	if (problem->nmoves == list->allocated)
	{
		list->allocated = Max(64, list->allocated * 2);
		problem->moves = problem->moves ?
			repalloc(problem->moves, sizeof(uint64 *) * list->allocated) :
			palloc(sizeof(uint64 *) * list->allocated);
	}
	copy = palloc(list->words * sizeof(uint64));
	memcpy(copy, set, list->words * sizeof(uint64));
	problem->moves[problem->nmoves++] = copy;
}

/*
 * Add c as a move, and every slimmer candidate that it makes pointless, which
 * the planner passes over while the wide one is there.
 */
static void
add_slimmer(GlperfAdvice *advice, MoveList *list, int c)
{
	const uint64 *covers = list->problem->covers[c];

	if (bitset_get(list->done, c))
		return;
	bitset_add(list->done, c);
	for (int o = 0; o < advice->candidates.n; o++)
	{
		if (o != c && !bitset_get(covers, o))
			continue;
		memset(list->single, 0, list->words * sizeof(uint64));
		bitset_add(list->single, o);
		add_move(list, list->single);
	}
}

/* Sets worth trying: what some plan used, whole and one by one. */
static void
collect_moves(GlperfAdvice *advice, GlperfSelectProblem *problem)
{
	int			words = Max(1, bitset_words(advice->candidates.n));
	MoveList	list = {.problem = problem,.words = words};
	HASHCTL		ctl = {0};

	ctl.keysize = ctl.entrysize = words * sizeof(uint64);
	ctl.hcxt = CurrentMemoryContext;
	list.seen = hash_create("glperf moves", 1024, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	list.done = palloc0(words * sizeof(uint64));
	list.single = palloc0(words * sizeof(uint64));
	for (int s = 0; s < advice->nstatements; s++)
		for (int p = 0; p < advice->statements[s].nplanned; p++)
		{
			GlperfPlanned *planned = &advice->statements[s].planned[p];

			for (int k = 0; k < planned->ncosts; k++)
			{
				const uint64 *used = planned->costs[k].used;

				if (bitset_empty(used, words))
					continue;
				for (int c = 0; c < advice->candidates.n; c++)
					if (bitset_get(used, c))
						add_slimmer(advice, &list, c);
				add_move(&list, used);
			}
		}
	/* alone, a statement would not use what serves several */
	for (int c = 0; c < advice->candidates.n; c++)
		if (advice->candidates.items[c].united && advice->alive[c])
			add_slimmer(advice, &list, c);
	hash_destroy(list.seen);
}

/* Adapters from selection's callbacks. */
static double
select_ratio(void *arg, int statement, const uint64 *config)
{
	return glperf_advise_ratio((GlperfAdvice *) arg, statement, config);
}

/* Estimate without planning. */
static double
select_bound(void *arg, int statement, const uint64 *config)
{
	return glperf_advise_bound((GlperfAdvice *) arg, statement, config);
}

/* Is it time to come to an end? */
static bool
select_stop(void *arg)
{
	GlperfAdvice *advice = arg;

	if (!advice->hurry &&
		glperf_advise_out_of_time(advice, GLPERF_SEARCH_SHARE))
		advice->hurry = true;
	return advice->hurry;
}

/* Has the planner been called enough? */
static bool
select_enough(void *arg)
{
	GlperfAdvice *advice = arg;

	return advice->planner_calls >= Max(MIN_CALLS, CALLS * advice->nstatements);
}

/*
 * Disk space has a price even without a budget: an index competes with the
 * tables for memory.  Indexes as big as all tables concerned cost a fixed
 * share of the workload's time.
 */
static double
storage_price(GlperfAdvice *advice)
{
	List	   *tables = NIL;
	double		pages = 0;

	for (int c = 0; c < advice->candidates.n; c++)
		if (advice->alive[c] &&
			!list_member_oid(tables, advice->defs[c]->relid))
		{
			tables = lappend_oid(tables, advice->defs[c]->relid);
			pages += advice->defs[c]->heap_pages;
		}
	return advice->total_weight * STORAGE_SHARE / Max(1.0, pages);
}

/*
 * Note which candidates serve whatever candidate o serves: on its own table,
 * or on a partitioned table that this one is a part of.
 */
static void
note_covered(GlperfAdvice *advice, uint64 **covers, int o)
{
	int			n = advice->candidates.n;
	GlperfIndexDef *narrow = advice->defs[o];
	List	   *ancestors = NIL;

	if (!advice->alive[o])
		return;
	if (get_rel_relispartition(narrow->relid))
		ancestors = get_partition_ancestors(narrow->relid);
	for (int c = 0; c < n; c++)
	{
		GlperfIndexDef *wide = advice->defs[c];

		if (c == o || !advice->alive[c])
			continue;
		if (list_member_oid(ancestors, wide->relid))
			wide = glperf_index_def_on_partition(wide, narrow->relid);
		if (wide && glperf_index_def_covers(wide, narrow))
			bitset_add(covers[c], o);
	}
}

/* What selection has to know of the candidates. */
static void
describe_candidates(GlperfAdvice *advice, GlperfSelectProblem *problem)
{
	int			n = advice->candidates.n;
	double	   *size = palloc0(sizeof(double) * (n + 1));
	double	   *write_cost = palloc0(sizeof(double) * (n + 1));
	double		page_price = storage_price(advice);

	problem->covers = palloc(sizeof(uint64 *) * (n + 1));
	for (int c = 0; c < n; c++)
		problem->covers[c] = palloc0(bitset_bytes(n));
	for (int c = 0; c < n; c++)
	{
		CHECK_FOR_INTERRUPTS();
		size[c] = advice->defs[c]->pages * BLCKSZ;
		write_cost[c] = advice->write_costs[c].ms +
			advice->defs[c]->pages * page_price;
		note_covered(advice, problem->covers, c);
	}
	problem->ncandidates = n;
	problem->size = size;
	problem->write_cost = write_cost;
}

void
glperf_advise_choose(GlperfAdvice *advice)
{
	MemoryContext context = AllocSetContextCreate(advice->context,
												  "glperf selection",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	GlperfSelectProblem problem = {0};
	double	   *weight = palloc0(sizeof(double) * (advice->nstatements + 1));
	double	   *limit = palloc0(sizeof(double) * (advice->nstatements + 1));
	uint64	  **relevant = palloc0(sizeof(uint64 *) * (advice->nstatements + 1));
	int			bytes = bitset_bytes(advice->candidates.n);
	uint64	   *chosen;

	for (int s = 0; s < advice->nstatements; s++)
	{
		weight[s] = advice->statements[s].weight;
		limit[s] = glperf_advise_limit(advice, s);
		relevant[s] = advice->statements[s].relevant;
	}
	describe_candidates(advice, &problem);
	problem.nstatements = advice->nstatements;
	problem.weight = weight;
	problem.relevant = relevant;
	problem.budget = advice->options.budget;
	problem.max_candidates = advice->options.max_indexes;
	problem.min_gain = advice->total_weight *
		advice->options.min_benefit_pct / 100.0;
	problem.trust = GLPERF_TRUSTED_RATIO;
	problem.limit = limit;
	problem.ratio = select_ratio;
	problem.bound = select_bound;
	problem.stop = select_stop;
	problem.enough = select_enough;
	problem.arg = advice;
	collect_moves(advice, &problem);
	advice->selection = glperf_select(&problem);
	MemoryContextSwitchTo(old);
	chosen = palloc0(bytes + 1);
	memcpy(chosen, advice->selection.chosen, bytes);
	advice->selection.chosen = chosen;
	if (!advice->selection.complete)
		advice->complete = false;
	MemoryContextDelete(context);
}

/*
 * advise_peel.c
 *		The first plans with candidates: what each statement would use.
 *
 * A statement is planned with all of its candidates, then without those that
 * it used, and so on.  The first of these plannings also tells what reading
 * each table through each candidate costs, and so which candidates are of use
 * to the statement at all.
 */
#include "advise.h"

/* Rounds of planning without the indexes that the last plan used. */
#define WIDE_ROUNDS		2
#define SLIM_ROUNDS		2

/* Plan with config, then without what was used, and so on. */
static void
peel(GlperfAdvice *advice, GlperfAdviceStatement *statement,
	 GlperfPlanned *planned, uint64 *config, int rounds)
{
	int			words = bitset_words(advice->candidates.n);

	for (int round = 0; round < rounds; round++)
	{
		GlperfCost *cost;

		if (glperf_advise_out_of_time(advice, GLPERF_PEEL_SHARE))
		{
			advice->complete = false;
			return;
		}
		cost = glperf_advise_cost_of(advice, statement, planned, config, true);
		if (bitset_empty(cost->used, words) ||
			cost->cost > planned->base_cost * GLPERF_TRUSTED_RATIO)
			return;
		for (int w = 0; w < words; w++)
			config[w] &= ~cost->used[w];
	}
}

/*
 * Leave out what no table of the statement could be read through.  Indexes on
 * expressions stay: their statistics may change a plan that does not use them.
 */
static void
drop_useless(GlperfAdvice *advice, GlperfPlanned *planned, uint64 *useful)
{
	int			words = bitset_words(advice->candidates.n);

	if (!planned->matrix->filled)
		return;
	memset(useful, 0, words * sizeof(uint64));
	glperf_access_useful(planned->matrix, useful);
	for (int c = 0; c < advice->candidates.n; c++)
		if (advice->defs[c]->exprs != NIL)
			bitset_add(useful, c);
	bitset_intersect(planned->relevant, useful, words);
}

/* All plannings of one way of running a statement; config is scratch. */
static void
peel_instance(GlperfAdvice *advice, GlperfAdviceStatement *statement,
			  GlperfPlanned *planned, uint64 *config)
{
	int			bytes = bitset_bytes(advice->candidates.n);

	/* the plan as things are stays possible, whatever is added */
	(void) glperf_advise_new_cost(advice, planned);
	planned->matrix->words = bitset_words(advice->candidates.n);
	memcpy(config, planned->relevant, bytes);
	peel(advice, statement, planned, config, 1);
	drop_useless(advice, planned, config);
	memcpy(config, planned->relevant, bytes);
	peel(advice, statement, planned, config, WIDE_ROUNDS);
	/* covering indexes hide the slim ones, which cost less space */
	memcpy(config, planned->relevant, bytes);
	for (int c = 0; c < advice->candidates.n; c++)
		if (advice->defs[c]->ncolumns > advice->defs[c]->nkeys)
			bitset_del(config, c);
	peel(advice, statement, planned, config, SLIM_ROUNDS);
}

void
glperf_advise_peel(GlperfAdvice *advice)
{
	int			words = bitset_words(advice->candidates.n);
	uint64	   *config = palloc0(words * sizeof(uint64) + 1);

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		if (statement->nplanned == 0)
			continue;
		memset(statement->relevant, 0, words * sizeof(uint64));
		for (int p = 0; p < statement->nplanned; p++)
		{
			peel_instance(advice, statement, &statement->planned[p], config);
			bitset_union(statement->relevant, statement->planned[p].relevant,
						 words);
		}
	}
}

/*
 * advise_value.c
 *		What a plan counts for, and what plans already made say of others.
 *
 * See glperf.cost_model: with "planner" it is the planner's cost, with "time"
 * the price of plan_price.c.
 */
#include "advise.h"

#include "guc.h"

bool
glperf_value_by_time(void)
{
	return glperf_cost_model == GLPERF_COST_TIME;
}

double
glperf_value_price(const GlperfPlanned *planned, const GlperfPrice *price)
{
	double		expected = price->expected / planned->base_price.expected;
	double		pessimistic = price->pessimistic /
	planned->base_price.pessimistic;
	double		ratio = expected;

	if (pessimistic > 1 + GLPERF_COUNTED_REGRESSION)
		ratio = Max(expected, pessimistic);
	else if (pessimistic > expected)
		ratio += planned->doubt * (pessimistic - expected);
	return planned->base_cost * ratio;
}

void
glperf_value_add(GlperfPrice *price, const GlperfWhatif *whatif,
				 double gamble)
{
	GlperfPricing pricing = {
		.whatif = whatif,.root = whatif->final_root,.growth = 1
	};
	GlperfPrice one = glperf_price_root(&pricing, whatif->final_root,
										whatif->final_rel->cheapest_total_path);

	price->expected += gamble * one.expected;
	price->pessimistic += gamble * one.pessimistic;
}

double
glperf_value_ratio(const GlperfAdviceStatement *statement, double now, double then)
{
	double		ratio = now > 0 ? then / now : 1.0;

	if (ratio < 1 && glperf_value_by_time())
		ratio = 1 - statement->explained * (1 - ratio);
	return ratio;
}

GlperfCost *
glperf_value_possible(GlperfPlanned *planned, GlperfCost *best, const uint64 *config,
					  int words)
{
	bool		priced = planned->base_price.expected > 0;

	if ((priced && !best->gambles) ||
		best->cost > planned->base_cost * (1 + GLPERF_COUNTED_REGRESSION))
		return best;
	for (int i = 0; i < planned->ncosts; i++)
		if (planned->costs[i].cost < best->cost &&
			!(priced && planned->costs[i].gambles) &&
			bitset_subset(planned->costs[i].used, config, words))
			best = &planned->costs[i];
	return best;
}

GlperfCost *
glperf_value_known(GlperfPlanned *planned, const uint64 *config, int words)
{
	for (int i = 0; i < planned->ncosts; i++)
	{
		GlperfCost *cost = &planned->costs[i];

		if (bitset_subset(cost->used, config, words) &&
			bitset_subset(config, cost->config, words))
			return glperf_value_possible(planned, cost, config, words);
	}
	return NULL;
}

GlperfCost *
glperf_value_cheapest(GlperfPlanned *planned, const uint64 *config, int words)
{
	GlperfCost *best = &planned->costs[0];

	for (int i = 1; i < planned->ncosts; i++)
		if (planned->costs[i].cost < best->cost &&
			bitset_subset(planned->costs[i].used, config, words))
			best = &planned->costs[i];
	return best;
}

/*
 * Of the plans made so far that config makes possible, the one that the
 * planner would choose.
 */
static GlperfCost *
likely_made(GlperfPlanned *planned, const uint64 *config, int words)
{
	GlperfCost *likely = &planned->costs[0];

	for (int i = 1; i < planned->ncosts; i++)
		if (planned->costs[i].planner_cost < likely->planner_cost &&
			bitset_subset(planned->costs[i].used, config, words))
			likely = &planned->costs[i];
	return likely;
}

/* Price of the plan that the planner would choose, as far as is known. */
static double
estimated_price(GlperfPlanned *planned, const uint64 *config, int words)
{
	GlperfCost *likely = likely_made(planned, config, words);
	GlperfPrice price;
	double		cost;

	if (planned->matrix->filled)
	{
		cost = glperf_access_price(planned->matrix, config, &price);
		if (cost > 0 && cost < likely->planner_cost * (1 - 1e-6))
			return glperf_value_price(planned, &price);
	}
	return glperf_value_possible(planned, likely, config, words)->cost;
}

/* Estimated cost of one way of running a statement under config. */
static double
estimated_cost(GlperfAdvice *advice, GlperfPlanned *planned,
			   const uint64 *config, uint64 *scratch)
{
	int			words = bitset_words(advice->candidates.n);
	GlperfCost *known;
	double		best;

	memcpy(scratch, config, words * sizeof(uint64));
	bitset_intersect(scratch, planned->relevant, words);
	known = glperf_value_known(planned, scratch, words);
	if (known)
		return known->cost;
	if (planned->base_price.expected > 0)
		return estimated_price(planned, scratch, words);
	/* see glperf_value_possible() */
	best = likely_made(planned, scratch, words)->cost;
	if (best > planned->base_cost * (1 + GLPERF_COUNTED_REGRESSION))
		return best;
	best = glperf_value_cheapest(planned, scratch, words)->cost;
	if (planned->matrix->filled)
	{
		double		cost = glperf_access_cost(planned->matrix, scratch);

		if (cost > 0 && cost < best)
			best = cost;
	}
	return best;
}

double
glperf_advise_bound(GlperfAdvice *advice, int s, const uint64 *config)
{
	GlperfAdviceStatement *statement = &advice->statements[s];
	double		now = 0;
	double		then = 0;

	for (int p = 0; p < statement->nplanned; p++)
	{
		now += statement->planned[p].base_cost;
		then += estimated_cost(advice, &statement->planned[p], config,
							   advice->scratch);
	}
	return glperf_value_ratio(statement, now, then);
}

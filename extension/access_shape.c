/*
 * access_shape.c
 *		What the shapes that plans have come to under other configurations.
 *
 * A shape is a skeleton: slots for scans, parts that are planned for
 * themselves, and the rest, which costs the same whatever fills those.
 */
#include "access_cost.h"

#include <math.h>

#include "utils/memutils.h"

#include "bitset.h"

/* Costs that differ by less are the same to the planner. */
#define SAME_COST	1.01

bool
glperf_access_order_serves(const GlperfSortOrder *have, const GlperfSortOrder *wanted)
{
	if (have->n < wanted->n)
		return false;
	for (int i = 0; i < wanted->n; i++)
		if (have->columns[i] != wanted->columns[i])
			return false;
	return true;
}

/* Do two orders serve each other? */
static bool
same_order(const GlperfSortOrder *a, const GlperfSortOrder *b)
{
	return glperf_access_order_serves(a, b) &&
		glperf_access_order_serves(b, a);
}

GlperfSkeleton *
glperf_access_new_skeleton(GlperfMatrix *matrix, double cost)
{
	GlperfSkeleton *skeleton = palloc0(sizeof(GlperfSkeleton));

	if (matrix->words > 0)
		skeleton->required = palloc0(sizeof(uint64) * matrix->words);
	skeleton->fixed = cost;
	return skeleton;
}

/* More than by rounding? */
static bool
differ(double a, double b)
{
	return fabs(a - b) > 1e-6 * (fabs(a) + fabs(b));
}

/* Do two things run as often? */
static bool
same_loops(const GlperfLoops *a, const GlperfLoops *b)
{
	return a->planner == b->planner &&
		a->price.expected == b->price.expected &&
		a->price.pessimistic == b->price.pessimistic;
}

/* Does some candidate concern a slot's table? */
static bool
is_open(const GlperfMatrix *matrix, const GlperfSlot *slot)
{
	return slot->rel < matrix->nrels && matrix->options[slot->rel] != NIL;
}

/* Are two slots' scans close to the last one in the same cases? */
static bool
same_driver(const GlperfMatrix *matrix, const GlperfSlot *a,
			const GlperfSlot *b)
{
	return a->driver == b->driver &&
		(a->in_order == b->in_order || (a->driver >= 0 && is_open(matrix, a)));
}

/* Do two skeletons price every configuration alike? */
static bool
same_shape(GlperfMatrix *matrix, const GlperfSkeleton *a,
		   const GlperfSkeleton *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (differ(a->fixed, b->fixed) ||
		differ(a->rest.expected, b->rest.expected) ||
		differ(a->rest.pessimistic, b->rest.pessimistic) ||
		a->nslots != b->nslots ||
		list_length(a->parts) != list_length(b->parts) ||
		(a->required == NULL) != (b->required == NULL) ||
		(a->required && !bitset_equal(a->required, b->required, matrix->words)))
		return false;
	for (int i = 0; i < a->nslots; i++)
		if (a->slots[i].rel != b->slots[i].rel ||
			!same_loops(&a->slots[i].loops, &b->slots[i].loops) ||
			!same_driver(matrix, &a->slots[i], &b->slots[i]) ||
			!bms_equal(a->slots[i].outer, b->slots[i].outer) ||
			!same_order(&a->slots[i].order, &b->slots[i].order))
			return false;
	forboth(la, a->parts, lb, b->parts)
	{
		GlperfPartUse *ua = lfirst(la);
		GlperfPartUse *ub = lfirst(lb);

		if (ua->part != ub->part || !same_loops(&ua->loops, &ub->loops))
			return false;
	}
	return true;
}

List *
glperf_access_keep_skeleton(GlperfMatrix *matrix, List *skeletons, GlperfSkeleton *skeleton)
{
	ListCell   *lc;

	foreach(lc, skeletons)
		if (same_shape(matrix, lfirst(lc), skeleton))
	{
		skeleton = lfirst(lc);
		skeletons = foreach_delete_current(skeletons, lc);
		break;
	}
	/* the shape that was chosen last comes last */
	return lappend(skeletons, skeleton);
}

GlperfPart *
glperf_access_part(GlperfMatrix *matrix, GlperfPart *owner, int id, bool ordered)
{
	GlperfPart *part;
	ListCell   *lc;

	foreach(lc, matrix->parts)
	{
		part = lfirst(lc);
		if (part->owner == owner && part->id == id && part->ordered == ordered)
			return part;
	}
	part = palloc0(sizeof(GlperfPart));
	part->owner = owner;
	part->id = id;
	part->ordered = ordered;
	matrix->parts = lappend(matrix->parts, part);
	/* where no order is asked for, rows in order will do as well */
	if (!ordered)
		part->in_order = glperf_access_part(matrix, owner, id, true);
	return part;
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

/* The options that fit a slot; slots of one kind share them. */
static GlperfFit *
find_fit(GlperfMatrix *matrix, const GlperfSlot *slot)
{
	List	   *options = matrix->options[slot->rel];
	MemoryContext old;
	GlperfFit  *fit;
	ListCell   *lc;

	foreach(lc, matrix->fits)
	{
		fit = lfirst(lc);
		if (fit->rel == slot->rel && bms_equal(fit->outer, slot->outer) &&
			same_order(&fit->order, &slot->order))
			return fit;
	}
	old = MemoryContextSwitchTo(matrix->context);
	fit = palloc0(sizeof(GlperfFit));
	fit->rel = slot->rel;
	fit->outer = slot->outer;
	fit->order = slot->order;
	fit->options = palloc(sizeof(GlperfAccessOption *) * list_length(options));
	foreach(lc, options)
	{
		GlperfAccessOption *option = lfirst(lc);

		/* fewer outer rows would mean other row counts above */
		if (option->cost < GLPERF_NOT_ALONE &&
			bms_equal(option->outer, slot->outer) &&
			glperf_access_order_serves(&option->order, &slot->order))
			fit->options[fit->noptions++] = option;
	}
	qsort(fit->options, fit->noptions, sizeof(GlperfAccessOption *),
		  compare_options);
	fit->candidates = palloc(sizeof(int) * (fit->noptions + 1));
	for (int i = 0; i < fit->noptions; i++)
	{
		fit->candidates[i] = fit->options[i]->candidate;
		if (fit->candidates[i] < 0)
			fit->noptions = i + 1;
	}
	matrix->fits = lappend(matrix->fits, fit);
	MemoryContextSwitchTo(old);
	return fit;
}

/* The cheapest option that fits a slot under config; NULL when none does. */
static GlperfAccessOption *
best_option(GlperfMatrix *matrix, GlperfSlot *slot, const uint64 *config)
{
	GlperfFit  *fit = slot->fit;

	if (fit == NULL)
		fit = slot->fit = find_fit(matrix, slot);
	if (fit->tick == matrix->tick)
		return fit->best;
	fit->tick = matrix->tick;
	fit->best = NULL;
	for (int i = 0; i < fit->noptions && fit->best == NULL; i++)
		if (fit->candidates[i] < 0 || bitset_get(config, fit->candidates[i]))
			fit->best = fit->options[i];
	return fit->best;
}

/* Are a slot's scans by this option close to the last one under config? */
static bool
in_order_now(GlperfMatrix *matrix, GlperfSkeleton *skeleton,
			 const GlperfSlot *slot, const GlperfAccessOption *option,
			 const uint64 *config)
{
	GlperfSlot *driver;
	GlperfAccessOption *driving;

	if (slot->driver < 0)
		return slot->in_order;
	driver = &skeleton->slots[slot->driver];
	if (!is_open(matrix, driver))
		return slot->in_order;
	driving = best_option(matrix, driver, config);
	return driving && glperf_price_calls_in_order(option->lookup,
												  driver->relid,
												  &driving->delivery);
}

/* Add cost and price of a slot under config; false when nothing fits it. */
static bool
add_slot(GlperfMatrix *matrix, GlperfSkeleton *skeleton, GlperfSlot *slot,
		 const uint64 *config, double *cost, GlperfPrice *price)
{
	double		one = slot->cost;
	double		one_price = slot->price;

	if (is_open(matrix, slot))
	{
		GlperfAccessOption *option = best_option(matrix, slot, config);

		if (option == NULL)
			return false;
		one = option->cost;
		one_price = option->price[in_order_now(matrix, skeleton, slot, option,
											   config)];
	}
	*cost += slot->loops.planner * one;
	price->expected += slot->loops.price.expected * one_price;
	price->pessimistic += slot->loops.price.pessimistic * one_price;
	return true;
}

static double part_cost(GlperfMatrix *matrix, GlperfPart *part,
						const uint64 *config);

/*
 * Cost and price of a shape with the cheapest scans and parts under config;
 * negative when there are none, or when it costs no less than limit.
 */
static double
shape_cost(GlperfMatrix *matrix, GlperfSkeleton *skeleton,
		   const uint64 *config, double limit, GlperfPrice *price)
{
	double		cost = skeleton->fixed;
	ListCell   *lc;

	*price = skeleton->rest;
	if (skeleton->required &&
		!bitset_subset(skeleton->required, config, matrix->words))
		return -1;
	for (int i = 0; i < skeleton->nslots; i++)
		if (!add_slot(matrix, skeleton, &skeleton->slots[i], config, &cost,
					  price) ||
			cost >= limit)
			return -1;
	foreach(lc, skeleton->parts)
	{
		GlperfPartUse *use = lfirst(lc);
		double		part = part_cost(matrix, use->part, config);

		if (part < 0)
			return -1;
		cost += use->loops.planner * part;
		price->expected += use->loops.price.expected *
			use->part->price.expected;
		price->pessimistic += use->loops.price.pessimistic *
			use->part->price.pessimistic;
	}
	return cost;
}

/*
 * Cost of the cheapest of some shapes under config, or negative.  Of those
 * that cost the planner about the same it may choose any, see add_path(): the
 * price is that of the one that it chose last.
 */
static double
cheapest_shape(GlperfMatrix *matrix, List *skeletons, const uint64 *config,
			   GlperfPrice *price)
{
	double		fuzz = matrix->by_time ? SAME_COST : 1;
	double		best = -1;
	ListCell   *lc;

	foreach(lc, skeletons)
	{
		GlperfPrice its_price;
		double		cost = shape_cost(matrix, lfirst(lc), config,
									  best < 0 ? HUGE_VAL : best * fuzz,
									  &its_price);

		if (cost <= 0)
			continue;
		*price = its_price;
		best = best < 0 ? cost : Min(best, cost);
	}
	return best;
}

/* Cost of a part under config, worked out once for all shapes that use it. */
static double
part_cost(GlperfMatrix *matrix, GlperfPart *part, const uint64 *config)
{
	if (part->tick != matrix->tick)
	{
		double		in_order = part->in_order ?
		part_cost(matrix, part->in_order, config) : -1;

		part->cost = cheapest_shape(matrix, part->skeletons, config,
									&part->price);
		if (in_order > 0 && (part->cost < 0 || in_order < part->cost))
		{
			part->cost = in_order;
			part->price = part->in_order->price;
		}
		part->tick = matrix->tick;
	}
	return part->cost;
}

double
glperf_access_cost(GlperfMatrix *matrix, const uint64 *config)
{
	GlperfPrice price;

	return glperf_access_price(matrix, config, &price);
}

double
glperf_access_price(GlperfMatrix *matrix, const uint64 *config,
					GlperfPrice *price)
{
	matrix->tick++;
	return cheapest_shape(matrix, matrix->skeletons, config, price);
}

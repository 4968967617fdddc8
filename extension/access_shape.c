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

GlperfSkeleton *
glperf_access_new_skeleton(GlperfMatrix *matrix, double cost)
{
	GlperfSkeleton *skeleton = palloc0(sizeof(GlperfSkeleton));

	if (matrix->words > 0)
		skeleton->required = palloc0(sizeof(uint64) * matrix->words);
	skeleton->fixed = cost;
	return skeleton;
}

/* Do two skeletons price every configuration alike? */
static bool
same_shape(GlperfMatrix *matrix, const GlperfSkeleton *a,
		   const GlperfSkeleton *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (fabs(a->fixed - b->fixed) > 1e-6 * (fabs(a->fixed) + fabs(b->fixed)) ||
		a->nslots != b->nslots ||
		list_length(a->parts) != list_length(b->parts) ||
		(a->required == NULL) != (b->required == NULL) ||
		(a->required && !bitset_equal(a->required, b->required, matrix->words)))
		return false;
	for (int i = 0; i < a->nslots; i++)
		if (a->slots[i].rel != b->slots[i].rel ||
			a->slots[i].loops != b->slots[i].loops ||
			!bms_equal(a->slots[i].outer, b->slots[i].outer) ||
			!order_serves(&a->slots[i].order, &b->slots[i].order) ||
			!order_serves(&b->slots[i].order, &a->slots[i].order))
			return false;
	forboth(la, a->parts, lb, b->parts)
	{
		GlperfPartUse *ua = lfirst(la);
		GlperfPartUse *ub = lfirst(lb);

		if (ua->part != ub->part || ua->loops != ub->loops)
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
		return skeletons;
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

static double part_cost(GlperfMatrix *matrix, GlperfPart *part,
						const uint64 *config);

/*
 * Cost of a shape with the cheapest scans and parts under config; negative
 * when there are none.
 */
static double
shape_cost(GlperfMatrix *matrix, GlperfSkeleton *skeleton,
		   const uint64 *config)
{
	double		cost = skeleton->fixed;
	ListCell   *lc;

	if (skeleton->required &&
		!bitset_subset(skeleton->required, config, matrix->words))
		return -1;
	for (int i = 0; i < skeleton->nslots; i++)
	{
		double		slot = slot_cost(matrix, &skeleton->slots[i], config);

		if (slot < 0)
			return -1;
		cost += skeleton->slots[i].loops * slot;
	}
	foreach(lc, skeleton->parts)
	{
		GlperfPartUse *use = lfirst(lc);
		double		part = part_cost(matrix, use->part, config);

		if (part < 0)
			return -1;
		cost += use->loops * part;
	}
	return cost;
}

/* Cost of the cheapest of some shapes under config, or negative. */
static double
cheapest_shape(GlperfMatrix *matrix, List *skeletons, const uint64 *config)
{
	double		best = -1;
	ListCell   *lc;

	foreach(lc, skeletons)
	{
		double		cost = shape_cost(matrix, lfirst(lc), config);

		if (cost > 0 && (best < 0 || cost < best))
			best = cost;
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

		part->cost = cheapest_shape(matrix, part->skeletons, config);
		if (in_order > 0 && (part->cost < 0 || in_order < part->cost))
			part->cost = in_order;
		part->tick = matrix->tick;
	}
	return part->cost;
}

double
glperf_access_cost(GlperfMatrix *matrix, const uint64 *config)
{
	matrix->tick++;
	return cheapest_shape(matrix, matrix->skeletons, config);
}

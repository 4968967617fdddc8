/*
 * marginal.c
 *		Dividing what several earn together.
 *
 * Few members: every subset is valued once, and Shapley's formula gives the
 * average over all orders.  Many: fixed pseudo-random orders, each also
 * backwards, which evens out most of what chance would do.
 */
#include "marginal.h"

typedef struct Division
{
	int			n;
	const int  *members;
	int			words;
	double		total;
	double		(*value) (void *arg, const uint64 *set);
	void	   *arg;
	uint64	   *set;			/* scratch */
} Division;

/* Value of the set that holds, within its bounds. */
static double
bounded_value(Division *d, bool empty, bool full)
{
	double		value;

	if (empty)
		return 0;
	if (full)
		return d->total;
	value = d->value(d->arg, d->set);
	if (d->total >= 0)
		return Min(Max(value, 0.0), d->total);
	return Max(Min(value, 0.0), d->total);
}

/* Value of the subset whose members are the bits of mask. */
static double
subset_value(Division *d, uint32 mask)
{
	memset(d->set, 0, d->words * sizeof(uint64));
	for (int i = 0; i < d->n; i++)
		if (mask & ((uint32) 1 << i))
			bitset_add(d->set, d->members[i]);
	return bounded_value(d, mask == 0, mask == ((uint32) 1 << d->n) - 1);
}

/* All orders at once. */
static void
share_exactly(Division *d, double *share)
{
	int			n = d->n;
	uint32		all = ((uint32) 1 << n) - 1;
	double	   *values = palloc(sizeof(double) * (all + 1));
	double		weight[GLPERF_EXACT_MEMBERS];

	/* |S|! (n - |S| - 1)! / n! for sets of each size */
	weight[0] = 1.0 / n;
	for (int s = 1; s < n; s++)
		weight[s] = weight[s - 1] * s / (n - s);
	for (uint32 mask = 0; mask <= all; mask++)
		values[mask] = subset_value(d, mask);
	for (int i = 0; i < n; i++)
		for (uint32 mask = 0; mask <= all; mask++)
		{
			uint32		with = mask | ((uint32) 1 << i);
			int			size = 0;

			if (mask == with)
				continue;
			for (int b = 0; b < n; b++)
				size += (mask >> b) & 1;
			share[i] += weight[size] * (values[with] - values[mask]);
		}
	pfree(values);
}

/* One order of joining; first to last, or the other way round. */
static void
share_in_order(Division *d, const int *order, bool backwards, double *share)
{
	double		before = 0;

	memset(d->set, 0, d->words * sizeof(uint64));
	for (int i = 0; i < d->n; i++)
	{
		int			member = order[backwards ? d->n - 1 - i : i];
		double		after;

		bitset_add(d->set, d->members[member]);
		after = bounded_value(d, false, i == d->n - 1);
		share[member] += (after - before) / GLPERF_ORDERS;
		before = after;
	}
}

/* A fixed number of orders. */
static void
share_by_orders(Division *d, double *share)
{
	int		   *order = palloc(sizeof(int) * d->n);
	uint64		state = UINT64CONST(0x2545F4914F6CDD1D);

	for (int i = 0; i < d->n; i++)
		order[i] = i;
	for (int o = 0; o < GLPERF_ORDERS / 2; o++)
	{
		/* Fisher and Yates; the sequence is the same in every run */
		for (int i = d->n - 1; i > 0; i--)
		{
			int			j;
			int			swap = order[i];

			state = state * UINT64CONST(6364136223846793005) +
				UINT64CONST(1442695040888963407);
			j = (int) ((state >> 33) % (uint64) (i + 1));
			order[i] = order[j];
			order[j] = swap;
		}
		share_in_order(d, order, false, share);
		share_in_order(d, order, true, share);
	}
	pfree(order);
}

void
glperf_marginal_shares(int n, const int *members, int words, double total,
					   double (*value) (void *arg, const uint64 *set),
					   void *arg, double *share)
{
	Division	d = {n, members, words, total, value, arg, NULL};

	for (int i = 0; i < n; i++)
		share[i] = 0;
	if (n == 0)
		return;
	d.set = palloc(words * sizeof(uint64));
	if (n <= GLPERF_EXACT_MEMBERS)
		share_exactly(&d, share);
	else
		share_by_orders(&d, share);
	pfree(d.set);
}

/*
 * marginal.c
 *		Unit test of dividing what several earn together.
 *
 * Failures proved: shares do not add up to the total; equals are treated
 * unequally; who adds nothing is paid; of two that can stand in for each other
 * one takes all; a value out of bounds makes a share absurd; two runs differ;
 * many members are divided differently from few.
 *
 * unit: extension/marginal.c
 */
#include "postgres_fe.h"

#include <math.h>

#include "marginal.h"

#include "tap.h"

/* Members are the bits of one word, at these places. */
static const int members[] = {3, 7, 12, 20, 21, 33, 40, 41, 50, 63};

/* How many of the first n members a set holds. */
static int
count(const uint64 *set, int n)
{
	int			held = 0;

	for (int i = 0; i < n; i++)
		held += bitset_get(set, members[i]);
	return held;
}

/* Each member adds ten times its place: additive. */
static double
additive(void *arg, const uint64 *set)
{
	double		value = 0;

	for (int i = 0; i < *(int *) arg; i++)
		if (bitset_get(set, members[i]))
			value += 10 * i;
	return value;
}

/* Any one of the first two does the whole job; the others do nothing. */
static double
substitutes(void *arg, const uint64 *set)
{
	return count(set, 2) > 0 ? 100 : 0;
}

/* Only the first two together do anything. */
static double
complements(void *arg, const uint64 *set)
{
	return count(set, 2) == 2 ? 100 : 0;
}

/* Estimates that are off. */
static double
absurd(void *arg, const uint64 *set)
{
	return count(set, 2) > 0 ? 1e9 : -1e9;
}

/* Sum of shares. */
static double
sum(const double *share, int n)
{
	double		total = 0;

	for (int i = 0; i < n; i++)
		total += share[i];
	return total;
}

/* Nearly equal? */
static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-9 * (1 + fabs(a));
}

/* All checks. */
int
main(void)
{
	double		share[lengthof(members)];
	double		again[lengthof(members)];
	int			n;

	for (n = 1; n <= (int) lengthof(members); n++)
	{
		double		total = 10.0 * n * (n - 1) / 2;
		bool		right = true;

		glperf_marginal_shares(n, members, 1, total, additive, &n, share);
		for (int i = 0; i < n; i++)
			right = right && near(share[i], 10 * i);
		ok(right, "members get what they add");
		ok(near(sum(share, n), total), "... and the sum is the total");
	}

	for (n = 3; n <= 9; n += 6)
	{
		glperf_marginal_shares(n, members, 1, 100, substitutes, NULL, share);
		ok(near(sum(share, n), 100), "substitutes share the total");
		ok(near(share[0], share[1]) && share[0] > 49,
		   "... half and half");
		ok(share[2] == 0 && share[n - 1] == 0,
		   "... and who adds nothing gets nothing");
		glperf_marginal_shares(n, members, 1, 100, complements, NULL, share);
		ok(near(share[0], share[1]) && near(sum(share, n), 100),
		   "... so do those that need each other");
		glperf_marginal_shares(n, members, 1, 100, absurd, NULL, share);
		ok(near(sum(share, n), 100) && share[0] >= 0 && share[0] <= 100,
		   "... values out of bounds are cut");
		glperf_marginal_shares(n, members, 1, -5, absurd, NULL, share);
		ok(near(sum(share, n), -5) && share[0] <= 5,
		   "... also of a loss");
		glperf_marginal_shares(n, members, 1, 100, substitutes, NULL, share);
		glperf_marginal_shares(n, members, 1, 100, substitutes, NULL, again);
		ok(memcmp(share, again, sizeof(double) * n) == 0,
		   "... and two runs agree");
	}
	glperf_marginal_shares(0, members, 1, 0, substitutes, NULL, share);
	ok(true, "nobody is no problem");
	printf("1..%d\n", number);
	return 0;
}

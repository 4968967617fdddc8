/*
 * marginal.h
 *		Dividing what several earn together: plain C over arrays.
 *
 * Compiles without a server (-DFRONTEND), so that it can be tested without
 * one.
 */
#ifndef GLPERF_MARGINAL_H
#define GLPERF_MARGINAL_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "bitset.h"

/* So many members are averaged over all orders, more over a fixed number. */
#define GLPERF_EXACT_MEMBERS	6
#define GLPERF_ORDERS			64

/*
 * glperf_marginal_shares -- what each of n members contributes to total
 *
 * members:	their numbers in the sets that value() is asked about
 * words:	width of those sets
 * total:	what all of them earn together; none earn nothing
 * value:	what a set earns; called for proper, non-empty subsets only, and
 *			taken to lie between nothing and total
 * share:	[n] filled; their sum is total but for rounding
 *
 * A member's share is what it adds to those before it, averaged over orders of
 * joining (Shapley's value): equals get equal shares, and who adds nothing to
 * any set gets nothing.  Deterministic.
 */
extern void glperf_marginal_shares(int n, const int *members, int words,
								   double total,
								   double (*value) (void *arg, const uint64 *set),
								   void *arg, double *share);

#endif							/* GLPERF_MARGINAL_H */

/*
 * plan_price.h
 *		Processor time that a plan will take, with its tables in memory.
 *
 * The planner's cost decides which plan runs; it does not say how long that
 * takes once the data is cached: it charges a page read in sequence as much
 * as a hundred rows, and a row fetched at random hardly more than one passed
 * in a sequential scan.  A *price* is in nanoseconds, from the time that the
 * steps of a plan were measured to take (bench/advisor/price.py).  Only the
 * proportions matter: every statement is scaled by its measured time.
 */
#ifndef GLPERF_PLAN_PRICE_H
#define GLPERF_PLAN_PRICE_H

#include "compat.h"

#include "nodes/pathnodes.h"

struct GlperfWhatif;

/* How to price the plans of one planner call. */
typedef struct GlperfPricing
{
	const struct GlperfWhatif *whatif;	/* knows tables and made-up indexes */
	PlannerInfo *root;			/* any one of the planner call's, for subplans */

	/*
	 * Rows of a join are taken to be this many times the planner's estimate,
	 * once for every table joined to the first: 1 believes the planner.
	 */
	double		growth;

	PlannerInfo *here;			/* whose paths are priced; NULL when unknown */

	/* plan_price.c's own: a root's topmost node, and what else is in its cost */
	const Path *top;
	double		subplan_cost;
} GlperfPricing;

/* An estimate of one plan: believing the planner's row counts, and not. */
typedef struct GlperfPrice
{
	double		expected;		/* ns */
	double		pessimistic;
} GlperfPrice;

/* row_doubt.c: growth that stands for the planner's usual error. */
extern const double glperf_pessimistic_growth;

/*
 * How many times more rows than planned rel may have, with a growth above 1:
 * that, or more where a table is referred to by few of its values.
 */
extern double glperf_price_doubt(const GlperfPricing *pricing,
								 RelOptInfo *rel);

/*
 * While root is being planned, with its tables' rows estimated: note which of
 * them refer to few values of which others.  Only the first call for a root
 * does anything.
 */
extern void glperf_price_note_joins(const struct GlperfWhatif *whatif,
									PlannerInfo *root);

/*
 * Number of different values of an expression of root's, also after its plan
 * is finished; 0 when unknown.
 */
extern double glperf_price_values(PlannerInfo *root, Node *expr);

/*
 * Price of a root of the planner's that runs this path, and of all subplans
 * that belong to it.  pricing->growth is ignored.
 */
extern GlperfPrice glperf_price_root(const GlperfPricing *pricing,
									 PlannerInfo *root, Path *path);

/*
 * Price of one run of a scan of a base relation.  in_order: it is one of many,
 * and each looks up what follows in the index on what the last one did.
 */
extern double glperf_price_scan(const GlperfPricing *pricing, Path *path,
								bool in_order);

/* scan_order.c: share of a B-tree's order that is the table's, 0 to 1. */
extern double glperf_price_index_correlation(const GlperfPricing *pricing,
											 IndexOptInfo *index);

/* In which order a scan of a base relation delivers its rows. */
typedef struct GlperfDelivery
{
	AttrNumber	lead;			/* leading column of the B-tree, or 0 */
	bool		follows;		/* (nearly) that of the table */
} GlperfDelivery;

/* The same of a scan that was planned. */
extern GlperfDelivery glperf_price_delivery(const GlperfPricing *pricing,
											Path *scan);

/* The scan whose order a path's rows keep, or NULL. */
extern Path *glperf_price_driver(Path *path);

/* Does a path read a table, whichever way? */
extern bool glperf_price_is_scan(const Path *path);

/* A column of another table that an index scan looks up the values of. */
typedef struct GlperfLookupColumn
{
	Index		relid;
	AttrNumber	attnum;
	bool		follows;		/* it is in the order of its table */
} GlperfLookupColumn;

/*
 * What the first column of an index scan's index is compared with, as far as
 * that is columns of outer, or with NULL of any relation of the root: List of
 * GlperfLookupColumn *.
 */
extern List *glperf_price_lookup(const GlperfPricing *pricing,
								 RelOptInfo *outer, Path *inner);

/*
 * Does each of an index scan's look-ups follow on the last one, when the rows
 * that call for them come from relid in this order?
 */
extern bool glperf_price_calls_in_order(const List *lookup, Index relid,
										const GlperfDelivery *delivery);

/* Do the rows of outer come in the order of the index that inner looks into? */
extern bool glperf_price_in_order(const GlperfPricing *pricing, Path *outer,
								  Path *inner);

/* Does an index see to it that rows come sorted by expr, also through joins? */
extern bool glperf_price_sorted_by(Path *path, Node *expr);

/* How often a nested loop runs its inner side; memoised runs don't count. */
extern double glperf_price_loops(const GlperfPricing *pricing, Path *outer,
								 Path *inner);

#endif							/* GLPERF_PLAN_PRICE_H */

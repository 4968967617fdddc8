/*
 * price_units.h
 *		Nanoseconds that the steps of plans take; private to the pricing files.
 *
 * Measured by bench/advisor/price.py.  Those named FAR and SCATTERED are with
 * processor caches that hold nothing of the structure; see missing().
 */
#ifndef GLPERF_PRICE_UNITS_H
#define GLPERF_PRICE_UNITS_H

#include "plan_price.h"

#include "nodes/primnodes.h"
#include "optimizer/cost.h"

#define SEQ_PAGE			300.0	/* start on a page of a sequential scan */
#define PAGE_BYTES			1500.0	/* its rows' bytes come from memory */
#define SEQ_ROW				25.0	/* one row of it */
#define COLUMN				1.5 /* step over one column of a row */
#define OPERATION			8.0 /* one cpu_operator_cost */
#define NUMERIC				18.0	/* more for arithmetic on numeric */
#define NUMERIC_STATE		250.0	/* bytes that sum(numeric) keeps */
#define PATTERN				100.0	/* more for LIKE and its like */
#define LOOKUP				600.0	/* find a key next to the last one */
#define LOOKUP_SCATTERED	2700.0
#define INDEX_PAGE			4000.0	/* copy the entries of a leaf page */
#define ENTRY				35.0	/* step to the next index entry */
#define PASSED_ENTRY		20.0	/* an entry that a condition rejects */
#define LIST_ROW			25.0	/* pass a row of a list to intersect */
#define FETCH				50.0	/* visit a row next to the last one */
#define FETCH_SCATTERED		1200.0
#define BITMAP_PAGE			1000.0	/* start on a page of a bitmap scan */
#define BITMAP_ROW			45.0	/* sort and return one row */
#define HASH_BUILD			70.0
#define HASH_BUILD_FAR		150.0	/* more for a table beyond the caches */
#define HASH_PROBE			20.0	/* look into a bucket */
#define HASH_PROBE_FAR		300.0	/* more where the buckets are far */
#define HASH_MATCH_FAR		400.0	/* more for a match that is far */
#define HASH_BUCKET			12.0	/* bytes of the buckets per row */
#define JOIN_ROW			30.0	/* form a row of a join */
#define STORED_ROW			20.0	/* write or read a stored row */
#define MEMOIZE_PROBE		100.0
#define MERGE_ROW			60.0	/* advance one side of a merge join */
#define SORT_COMPARE		7.0 /* two values passed in registers */
#define SORT_COMPARE_NEXT	18.0	/* with further columns for equal ones */
#define SORT_COMPARE_WIDE	50.0	/* two other values */
#define SPILLED_ROW			300.0	/* write to a temporary file and read */
#define GROUP_ROW			30.0	/* find the group of a row by hashing */
#define GROUP_ROW_FAR		350.0

/* Bytes of a structure of which half will be in the processor's caches. */
#define CACHED_BYTES		(16.0 * 1024 * 1024)

/* Memory that a hash table takes for one row besides its columns. */
#define HASH_OVERHEAD		40.0

/* Price of a subplan by its number; see plan_price.c. */
extern double glperf_price_subplan(const GlperfPricing *pricing, int number);

/* Nanoseconds for a planner's cost that is about processor time. */
static inline double
operations(double cost)
{
	return cost <= 0 ? 0 : cost / cpu_operator_cost * OPERATION;
}

/* Share of the touches of a structure that miss the processor's caches. */
static inline double
missing(double bytes)
{
	return bytes / (bytes + CACHED_BYTES);
}

/* Between the time of a neighbourly step and of a scattered one. */
static inline double
between(double near, double scattered, double share)
{
	return near + (scattered - near) * share;
}

/* Is a subplan run once, not for each row? */
static inline bool
runs_once(const SubPlan *subplan)
{
	return subplan->useHashTable || subplan->parParam == NIL;
}

#endif							/* GLPERF_PRICE_UNITS_H */

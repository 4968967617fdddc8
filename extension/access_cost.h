/*
 * access_cost.h
 *		Costs of many configurations from few plans.
 *
 * Above its scans a plan costs what it costs, whichever way each table is
 * read, as long as rows come in the same order and for the same outer rows.
 * So one plan taken apart (a *skeleton*: the cost of everything else, and a
 * *slot* per table) and the cost of reading each table through each candidate
 * (its *options*) price every combination of candidates in the plan's shape.
 *
 * The idea is INUM's (Papadomanolakis, Dash, Ailamaki: Efficient Use of the
 * Query Optimizer for Automated Database Design, VLDB 2007).
 */
#ifndef GLPERF_ACCESS_COST_H
#define GLPERF_ACCESS_COST_H

#include "compat.h"

#include "nodes/pathnodes.h"

/* Leading sort columns that are told apart. */
#define GLPERF_SORT_COLUMNS		4

/* An order of rows: column number, direction and place of NULLs, packed. */
typedef struct GlperfSortOrder
{
	int			n;
	int32		columns[GLPERF_SORT_COLUMNS];
} GlperfSortOrder;

/* One way of reading a table. */
typedef struct GlperfAccessOption
{
	int			candidate;		/* -1: as things are */
	Relids		outer;			/* relations whose rows it needs, or NULL */
	GlperfSortOrder order;
	double		cost;			/* of one scan, planner units */
} GlperfAccessOption;

/* A table's place in a plan. */
typedef struct GlperfSlot
{
	int			rel;			/* number of the base relation */
	double		loops;			/* scans */
	Relids		outer;			/* relations whose rows are at hand */
	GlperfSortOrder order;		/* that the plan relies on */
	double		cost;			/* of one scan, as planned */
	GlperfAccessOption **fitting;	/* options that fit, cheapest first, up to
									 * the first that needs no candidate */
	int			nfitting;
	bool		sorted;			/* fitting has been made */
} GlperfSlot;

/* A plan taken apart. */
typedef struct GlperfSkeleton
{
	double		fixed;			/* cost of everything but the slots */
	GlperfSlot *slots;
	int			nslots;
	uint64	   *required;		/* candidates used where none can replace them */
} GlperfSkeleton;

/* All that is known of one statement. */
typedef struct GlperfMatrix
{
	MemoryContext context;
	int			words;			/* width of candidate sets */
	bool		filled;			/* options have been collected */
	List	  **options;		/* [relation] List of GlperfAccessOption * */
	int			nrels;
	List	   *skeletons;		/* GlperfSkeleton * */
} GlperfMatrix;

struct GlperfWhatif;

/* Collect the options of base relation number rel; see whatif.c. */
extern void glperf_access_collect(GlperfMatrix *matrix,
								  const struct GlperfWhatif *whatif,
								  int number, PlannerInfo *root,
								  RelOptInfo *rel);

/*
 * Take a plan apart.  rels lists the base relations in the order of their
 * numbers; cost is what the plan counts for, which may exceed the path's.
 */
extern void glperf_access_skeleton(GlperfMatrix *matrix,
								   const struct GlperfWhatif *whatif,
								   Path *path, List *rels, double cost);

/*
 * What a plan's index scans are charged on top of the planner's cost for
 * fetching rows one by one, loops included.
 */
extern double glperf_access_charges(Path *path);

/*
 * Cost of the cheapest known shape under config, or a negative number when no
 * shape is feasible.  An estimate: the planner may find a better shape.
 */
extern double glperf_access_cost(GlperfMatrix *matrix, const uint64 *config);

#endif							/* GLPERF_ACCESS_COST_H */

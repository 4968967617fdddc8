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

#include "plan_price.h"

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
	double		price[2];		/* the same in ns: scattered, in order */
	GlperfDelivery delivery;	/* order of its rows */
	List	   *lookup;			/* GlperfLookupColumn *, other tables' */
} GlperfAccessOption;

/* Cost of what is of use only together with other indexes. */
#define GLPERF_NOT_ALONE	1e300

/* How often a part of a plan runs, in the planner's eyes and in prices. */
typedef struct GlperfLoops
{
	double		planner;
	GlperfPrice price;
} GlperfLoops;

/* The options that do for some slots. */
typedef struct GlperfFit
{
	int			rel;
	Relids		outer;
	GlperfSortOrder order;
	GlperfAccessOption **options;	/* cheapest first, up to the first that
									 * needs no candidate */
	int		   *candidates;		/* of the same */
	int			noptions;
	int64		tick;			/* of the configuration that best is for */
	GlperfAccessOption *best;	/* NULL: none */
} GlperfFit;

/* A table's place in a plan. */
typedef struct GlperfSlot
{
	int			rel;			/* number of the base relation */
	GlperfLoops loops;			/* scans */
	bool		in_order;		/* as planned each close to the last one */
	int			driver;			/* slot that decides that, -1: it is certain */
	Index		relid;			/* the planner's number of the relation */
	Relids		outer;			/* relations whose rows are at hand */
	GlperfSortOrder order;		/* that the plan relies on */
	double		cost;			/* of one scan, as planned */
	double		price;			/* the same in ns */
	GlperfFit  *fit;			/* NULL: not looked for yet */
} GlperfSlot;

/*
 * A subquery, a CTE or an InitPlan that is planned for itself: whichever way it
 * is run, the plan around it costs the same.
 */
typedef struct GlperfPart
{
	struct GlperfPart *owner;	/* part that it belongs to, NULL for the top */
	int			id;				/* which of the owner's parts */
	bool		ordered;		/* the owner relies on its order */
	struct GlperfPart *in_order;	/* the same with ordered, or NULL */
	List	   *skeletons;		/* GlperfSkeleton *: ways of running it */
	int64		tick;			/* of the configuration that cost is for */
	double		cost;			/* of the cheapest, or negative */
	GlperfPrice price;			/* of the same */
} GlperfPart;

/* A part's place in a plan. */
typedef struct GlperfPartUse
{
	GlperfPart *part;
	GlperfLoops loops;			/* runs */
} GlperfPartUse;

/* A plan taken apart. */
typedef struct GlperfSkeleton
{
	double		fixed;			/* cost of everything but slots and parts */
	GlperfPrice rest;			/* price of the same */
	GlperfSlot *slots;
	int			nslots;
	List	   *parts;			/* GlperfPartUse * */
	uint64	   *required;		/* candidates used where none can replace them */
} GlperfSkeleton;

/* All that is known of one statement. */
typedef struct GlperfMatrix
{
	MemoryContext context;
	int			words;			/* width of candidate sets */
	bool		by_time;		/* prices are wanted */
	bool		filled;			/* options have been collected */
	List	  **options;		/* [relation] List of GlperfAccessOption * */
	int			nrels;
	List	   *skeletons;		/* GlperfSkeleton * */
	List	   *parts;			/* GlperfPart * */
	List	   *fits;			/* GlperfFit * */
	int64		tick;			/* number of configurations asked for */
} GlperfMatrix;

struct GlperfWhatif;

/* access_collect.c: the order of a path of rel, as far as it is over columns. */
extern GlperfSortOrder glperf_access_order(RelOptInfo *rel, List *pathkeys);

/*
 * Collect the options of base relation number rel, whose made-up indexes the
 * planner has not looked at yet (see glperf_whatif_reveal()), and then let it
 * look at those that are worth it.
 */
extern void glperf_access_collect(GlperfMatrix *matrix,
								  const struct GlperfWhatif *whatif,
								  int number, PlannerInfo *root,
								  RelOptInfo *rel);

/*
 * access_best.c: adds to best the candidates of config that are the cheapest
 * for anything that relation number offers: for an order of rows, for some
 * outer rows, for a leading column.  With many indexes on a table it takes the
 * planner long to find out that the others are of no use.
 */
extern void glperf_access_best(const GlperfMatrix *matrix,
							   const struct GlperfWhatif *whatif, int number,
							   const uint64 *config, uint64 *best);

/*
 * Let the planner look at the best of rel's revealed indexes (IndexOptInfo *),
 * and at those in its list.
 */
extern void glperf_access_show_best(const GlperfMatrix *matrix,
									const struct GlperfWhatif *whatif,
									int number, PlannerInfo *root,
									RelOptInfo *rel, List *revealed);

/* Adds to useful the candidates that some relation could be read through. */
extern void glperf_access_useful(const GlperfMatrix *matrix, uint64 *useful);

/* Does have begin with wanted? */
extern bool glperf_access_order_serves(const GlperfSortOrder *have,
									   const GlperfSortOrder *wanted);

/*
 * Take a plan apart, path of root.  rels lists the base relations in the order
 * of their numbers; cost and price are what the plan counts for, which may
 * exceed the path's.
 */
extern void glperf_access_skeleton(GlperfMatrix *matrix,
								   const struct GlperfWhatif *whatif,
								   PlannerInfo *root, Path *path, List *rels,
								   double cost, GlperfPrice price);

/* access_shape.c: an empty skeleton, allocated in the current context. */
extern GlperfSkeleton *glperf_access_new_skeleton(GlperfMatrix *matrix,
												  double cost);

/* Adds a skeleton to a list unless that has its like. */
extern List *glperf_access_keep_skeleton(GlperfMatrix *matrix,
										 List *skeletons,
										 GlperfSkeleton *skeleton);

/* The part of owner with this number, made when it is new. */
extern GlperfPart *glperf_access_part(GlperfMatrix *matrix, GlperfPart *owner,
									  int id, bool ordered);

/*
 * Cost of the cheapest known shape under config, or a negative number when no
 * shape is feasible.  An estimate: the planner may find a better shape.
 */
extern double glperf_access_cost(GlperfMatrix *matrix, const uint64 *config);

/*
 * The shape and the scans that the planner would choose under config: returns
 * their cost to the planner, and their price in *price.
 */
extern double glperf_access_price(GlperfMatrix *matrix, const uint64 *config,
								  GlperfPrice *price);

#endif							/* GLPERF_ACCESS_COST_H */

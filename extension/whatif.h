/*
 * whatif.h
 *		Planning with indexes that do not exist, without executing anything.
 */
#ifndef GLPERF_WHATIF_H
#define GLPERF_WHATIF_H

#include "compat.h"

#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"

#include "index_def.h"

/*
 * What the planner sees besides the truth while one glperf_whatif_plan() call
 * runs.  defs[] holds ndefs definitions; those whose bit in enabled is set
 * (all, when enabled is NULL) exist for that call.  hidden[] are existing
 * indexes that do not.  When harvest is set it is called for every base
 * relation once its clauses are known.
 */
struct GlperfMatrix;
struct GlperfProbes;
struct GlperfStatisticsSet;

typedef struct GlperfWhatif
{
	GlperfIndexDef **defs;
	int			ndefs;
	const uint64 *enabled;		/* bit set over defs, or NULL for all */
	Oid		   *hidden;
	int			nhidden;
	void		(*harvest) (void *arg, PlannerInfo *root, RelOptInfo *rel,
							RangeTblEntry *rte);
	void	   *harvest_arg;

	/*
	 * When above 0: believe no more than this share of any table to be
	 * all-visible, but for tables at rest.  Index-only scans look best right
	 * after VACUUM; advice has to hold between two of them.
	 */
	double		max_visible;

	/*
	 * Count rows and all-visible pages of the tables that get an index anew,
	 * as CREATE INDEX does.  Not for comparing plans with and without it.
	 */
	bool		as_built;

	/* when set: look up the ends of columns, as a real index lets it */
	struct GlperfProbes *probes;

	/*
	 * When set: note the base relations of the plan in rels and its final
	 * paths in final_rel, all valid until CurrentMemoryContext goes; with
	 * collect, fill the matrix with the options of every relation, and let
	 * the planner look only at those that can be the best.
	 */
	struct GlperfMatrix *matrix;
	bool		collect;
	List	   *rels;
	List	   *tables;			/* Oid of each of rels */
	RelOptInfo *final_rel;
	PlannerInfo *final_root;

	List	  **references;		/* row_doubt.c's own, of this call */

	/* whatif.c's own, of this call */
	MemoryContext context;
	Oid			last_table;		/* asked for */
	List	   *last_ancestors; /* of it */

	/* When set: plan as if these statistics existed. */
	const struct GlperfStatisticsSet *statistics;
	List	   *corrections;	/* GlperfCorrection *, of this call */
} GlperfWhatif;

/*
 * glperf_whatif_plan -- plan query (a copy of it) as if
 *
 * Calls standard_planner(), so no other module's planner hook sees the made-up
 * indexes, and adds nothing to any plan cache.  Nothing is left behind by an
 * error.  Not reentrant: planning that runs SQL of its own sees the truth.
 */
extern PlannedStmt *glperf_whatif_plan(GlperfWhatif *whatif, Query *query,
									   const char *text, int cursor_options,
									   ParamListInfo params);

/*
 * Fills the size of def and the statistics of its expressions.  The share of
 * rows that its predicate keeps is included, from samples where they can be
 * had, else from the planner's own estimate.  Locks the table in ACCESS SHARE
 * mode.
 */
struct GlperfTableSamples;
extern void glperf_whatif_set_size(GlperfIndexDef *def,
								   struct GlperfTableSamples *samples);

/*
 * The plan's total cost, plus a charge for stopping early where that is a
 * gamble; for comparing configurations, see plan_risk.c.
 */
extern double glperf_plan_cost(PlannedStmt *plan);

/* The nodes right below one of a plan, those of its subqueries' plans not. */
extern List *glperf_plan_children(Plan *plan);

/*
 * What to tell people whose statement spends much of the plan's cost on reading
 * the result of a WITH query for each row of another; NULL if it does not.
 */
extern char *glperf_plan_repeated(PlannedStmt *plan);

/* The what-if planning going on, or NULL. */
extern const GlperfWhatif *glperf_whatif_active(void);

/*
 * Is table, or a partitioned ancestor of it, what def is about?  To be asked
 * while a what-if planning goes on.
 */
extern bool glperf_whatif_applies(const GlperfIndexDef *def, Oid table);

/* Number of the first definition from i on that exists for this call. */
extern int	glperf_whatif_next(const GlperfWhatif *whatif, int i);

/*
 * While options are collected: the made-up indexes of rel, taken out of its
 * list and fit to be looked at.
 */
extern List *glperf_whatif_reveal(PlannerInfo *root, RelOptInfo *rel);

/* Position in defs[] of a made-up index's OID, or -1 for a real one. */
extern int	glperf_whatif_index_number(const GlperfWhatif *whatif, Oid index);

/* Definition of a made-up index by its OID, NULL for a real one. */
extern const GlperfIndexDef *glperf_whatif_definition(const GlperfWhatif *whatif,
													  Oid index);

/* The table behind one of whatif's rels, or InvalidOid. */
extern Oid	glperf_whatif_table(const GlperfWhatif *whatif, RelOptInfo *rel);

/* Adds to used (a bit set over defs) every definition that plan scans. */
extern void glperf_plan_used(const GlperfWhatif *whatif, PlannedStmt *plan,
							 uint64 *used);

/* Adds to list (of Oid) every existing index that plan scans. */
extern List *glperf_plan_real_indexes(const GlperfWhatif *whatif,
									  PlannedStmt *plan, List *list);

/*
 * Names of all indexes that plan scans, made-up ones by their definition's
 * name; a List of char *, each name once, in plan order.
 */
extern List *glperf_plan_index_names(const GlperfWhatif *whatif,
									 PlannedStmt *plan);

/* One scan of a table in a plan. */
typedef struct GlperfPlanScan
{
	Oid			relid;
	char	   *alias;			/* as the statement calls the table */
	char	   *node;			/* as in Index Scan using i */
	List	   *candidates;		/* int list: made-up indexes that it reads */
	bool		index_only;
	double		cost;			/* of one run, planner units */
	double		rows;			/* of one run */
} GlperfPlanScan;

/* The scans of tables in a plan, in plan order; a List of GlperfPlanScan *. */
extern List *glperf_plan_scans(const GlperfWhatif *whatif, PlannedStmt *plan);

/*
 * The plan as indented text, one node a line: node type, index, relation,
 * cost and rows.  Made from the plan alone, without starting the executor.
 */
extern char *glperf_plan_text(const GlperfWhatif *whatif, PlannedStmt *plan);

#endif							/* GLPERF_WHATIF_H */

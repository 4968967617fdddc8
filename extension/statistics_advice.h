/*
 * statistics_advice.h
 *		Statistics that the planner lacks, and plans as if it had them.
 *
 * While statements are planned for the first time, what the planner believes
 * about combinations of columns and about expressions is *observed*.  A sample
 * of the table then shows what is true.  Where both differ by a factor of ten
 * and CREATE STATISTICS would mend it, the statistics are *wanted*, and later
 * planning goes on as if they existed, as far as that can be done: statistics
 * of an expression are made from the sample; the number of rows that satisfy
 * several equalities is corrected; numbers of groups stay as they are.
 */
#ifndef GLPERF_STATISTICS_ADVICE_H
#define GLPERF_STATISTICS_ADVICE_H

#include "compat.h"

#include "nodes/pathnodes.h"

/* Most columns of one statistics object. */
#define GLPERF_STATISTICS_COLUMNS	8

/* An estimate that is off by this factor asks for statistics. */
#define GLPERF_STATISTICS_FACTOR	10.0

typedef enum GlperfObservationKind
{
	GLPERF_OBSERVED_EXPRESSION, /* a condition on an expression */
	GLPERF_OBSERVED_CONJUNCTION,	/* equalities on several columns */
	GLPERF_OBSERVED_GROUPS		/* GROUP BY or DISTINCT over several */
} GlperfObservationKind;

/* What the planner believed once.  Vars have varno 1. */
typedef struct GlperfObservation
{
	GlperfObservationKind kind;
	Oid			relid;
	int			ncolumns;
	AttrNumber	columns[GLPERF_STATISTICS_COLUMNS]; /* ascending; of clauses:
													 * in their order */
	Node	   *expr;			/* expression, or NULL */
	List	   *clauses;		/* conditions, their values folded */
	double		estimated;		/* share of rows, or number of groups */
	bool		builtin;		/* calls built-in functions alone */
	List	   *statements;		/* int list: where it was observed */
	double		actual;			/* by the sample; negative: unknown */
	double		corrected;		/* share that the planner would expect with
								 * statistics; negative: unknown */
} GlperfObservation;

/* A statistics object that should exist, or be filled. */
typedef struct GlperfStatistics
{
	Oid			relid;
	int			ncolumns;		/* 0 for one expression */
	AttrNumber	columns[GLPERF_STATISTICS_COLUMNS]; /* ascending */
	Node	   *expr;
	bool		ndistinct;
	bool		dependencies;
	bool		mcv;
	char	   *existing;		/* quoted name of one that ANALYZE has not
								 * filled yet; NULL: none exists */
	char	   *name;			/* of the one to create; NULL: not named yet */
	HeapTuple	tuple;			/* a row of pg_statistic for expr, or NULL */
	bool		recomputed;		/* costs were computed as if it existed */
	List	   *findings;		/* char *, for people */
	List	   *statements;		/* int list */
} GlperfStatistics;

/* A table of which nothing could be found out. */
typedef struct GlperfSkipped
{
	Oid			relid;
	char	   *reason;
} GlperfSkipped;

/* All of one run. */
typedef struct GlperfStatisticsSet
{
	MemoryContext context;
	List	   *observed;		/* GlperfObservation * */
	List	   *wanted;			/* GlperfStatistics * */
	List	   *skipped;		/* GlperfSkipped * */
	List	   *wholes;			/* OIDs: partitioned tables that are joined or
								 * grouped */
} GlperfStatisticsSet;

/* One relation whose row count one planner call corrects. */
typedef struct GlperfCorrection
{
	RelOptInfo *rel;
	List	   *rinfos;			/* the equalities */
	RestrictInfo *carrier;		/* holds the correction */
	Selectivity alone;			/* its own selectivity */
	Selectivity together;		/* the one that makes the product right */
} GlperfCorrection;

/*
 * glperf_statistics_observe -- note what the planner believes about rel
 *
 * To be called once rel's clauses are known and its size is estimated, for
 * statement number s.
 */
extern void glperf_statistics_observe(GlperfStatisticsSet *set, int s,
									  PlannerInfo *root, RelOptInfo *rel,
									  RangeTblEntry *rte);

/*
 * glperf_statistics_find -- compare with samples, decide what is wanted
 *
 * stop() is asked between tables.  Reads at most a fixed number of blocks of
 * each table concerned, as its owner, inside the sandbox.
 */
extern void glperf_statistics_find(GlperfStatisticsSet *set,
								   bool (*stop) (void *arg), void *arg);

/*
 * Planning as if: to be called from the hooks of whatif.c with the set that
 * the call was given, NULL for none.
 */

/* Add to rel what carries the statistics of its expressions. */
extern void glperf_statistics_attach(const GlperfStatisticsSet *set,
									 Oid table, RelOptInfo *rel);

/* Correct rel's size and paths; what was corrected is added to the list. */
extern void glperf_statistics_correct(const GlperfStatisticsSet *set,
									  List **corrections, PlannerInfo *root,
									  RelOptInfo *rel, RangeTblEntry *rte);

/*
 * Was rel corrected?  Then its indexes are to be looked at one at a time: the
 * bitmaps of columns that depend on each other must not be ANDed.
 */
extern bool glperf_statistics_corrected(List *corrections,
										const RelOptInfo *rel);

/*
 * Does an object exist that holds what is wanted?  Then its name is put into
 * wanted->existing, in context; true when ANALYZE has filled it, or was told
 * not to: there is nothing to want.
 */
extern bool glperf_statistics_exist(GlperfStatistics *wanted,
									MemoryContext context);

/*
 * Name what is to be created: by its definition, so that it has the same name
 * in every run, and so that no other object has it.
 */
extern void glperf_statistics_set_name(const GlperfStatisticsSet *set,
									   GlperfStatistics *statistics);

/* CREATE STATISTICS and its ANALYZE, or ANALYZE alone; List of char *. */
extern List *glperf_statistics_steps(const GlperfStatistics *statistics);

/* What takes it back; NULL for ANALYZE. */
extern char *glperf_statistics_undo(const GlperfStatistics *statistics);

/* What it is about, as in (a, b) or lower(name). */
extern char *glperf_statistics_columns(const GlperfStatistics *statistics);

#endif							/* GLPERF_STATISTICS_ADVICE_H */

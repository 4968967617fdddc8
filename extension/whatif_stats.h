/*
 * whatif_stats.h
 *		Statistics that the planner would have if an index existed.
 */
#ifndef GLPERF_WHATIF_STATS_H
#define GLPERF_WHATIF_STATS_H

#include "compat.h"

#include "access/htup.h"

#include "index_def.h"

/* Ends of columns that were looked up; lives as long as its context. */
typedef struct GlperfProbes
{
	MemoryContext context;
	List	   *ends;			/* ColumnEnds *, see whatif_stats.c */
} GlperfProbes;

/*
 * glperf_whatif_set_stats -- what ANALYZE would say about def's expressions
 *
 * Evaluates them on the sampled rows of the table and keeps the result in
 * def->expr_stats, in def's own memory context.  Leaves out tables of which
 * there is no sample, and expressions that call code which the current role
 * had better not run (glperf_trust_run()).
 *
 * Errors:	those of the expressions, as CREATE INDEX would raise them.
 */
struct GlperfTableSamples;
extern void glperf_whatif_set_stats(GlperfIndexDef *def,
									struct GlperfTableSamples *samples);

/*
 * glperf_whatif_analyse -- what ANALYZE would say about n values of expr
 *
 * Lets the type's own method turn a sample of a table of so many rows into a
 * row of pg_statistic, in CurrentMemoryContext; NULL when it cannot.
 */
extern HeapTuple glperf_whatif_analyse(Datum *values, bool *nulls, int n,
									   Node *expr, Oid collation,
									   double rows);

/* Hook into the planner's search for statistics. */
extern void glperf_whatif_stats_init(void);

#endif							/* GLPERF_WHATIF_STATS_H */

/*
 * whatif_stats.h
 *		Statistics that the planner would have if an index existed.
 */
#ifndef GLPERF_WHATIF_STATS_H
#define GLPERF_WHATIF_STATS_H

#include "compat.h"

#include "access/htup.h"

#include "index_def.h"

/* Ends of columns that were looked up; live as long as the context. */
typedef struct GlperfProbes
{
	MemoryContext context;
	List	   *ends;			/* ColumnEnds *, see whatif_ends.c */
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

/* Array of count values for a statistics slot; sets *isnull when empty. */
extern Datum glperf_whatif_slot_array(Datum *values, int count, Oid type,
									  bool *isnull);

/* Hook into the planner's search for statistics; the latter for columns. */
extern void glperf_whatif_stats_init(void);
extern void glperf_whatif_ends_init(void);

/* Statistics made up for key column number column (from 0) of def, or NULL. */
extern HeapTuple glperf_index_def_statistic(const GlperfIndexDef *def,
											int column);

#endif							/* GLPERF_WHATIF_STATS_H */

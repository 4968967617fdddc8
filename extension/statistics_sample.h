/*
 * statistics_sample.h
 *		Counting in a sample of a table.
 *
 * Equal values of a column get the same number, NULL is 0; everything else
 * works on these numbers.
 */
#ifndef GLPERF_STATISTICS_SAMPLE_H
#define GLPERF_STATISTICS_SAMPLE_H

#include "compat.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/relcache.h"

/* A share that rests on fewer rows of the sample is no evidence. */
#define GLPERF_LEAST_EVIDENCE	10

/* A sample of one table. */
typedef struct GlperfStatisticsSample
{
	Relation	rel;
	MemoryContext context;
	HeapTuple  *rows;
	int			n;
	double		total;			/* rows of the table, estimated */
	int		  **ids;			/* [attnum]; NULL: not numbered yet */
	bool	   *unsortable;		/* [attnum] */
	double		seen;			/* rows offered to the sample */
	uint64		random;			/* state, the same in every run */
	EState	   *estate;
	ExprContext *econtext;
	TupleTableSlot *slot;
} GlperfStatisticsSample;

/*
 * glperf_sample_read -- read a bounded sample of a table
 *
 * Returns false when there is too little to judge by.  Either way the table
 * is left open, and glperf_sample_end() has to follow.
 */
extern bool glperf_sample_read(GlperfStatisticsSample *sample, Oid relid);
extern void glperf_sample_end(GlperfStatisticsSample *sample);

/* Numbers of a column's values, [row]; NULL when its type has no order. */
extern int *glperf_sample_columns(GlperfStatisticsSample *sample,
								  AttrNumber attnum);

/* Mark the rows that satisfy a condition; returns their number. */
extern int	glperf_sample_mark(GlperfStatisticsSample *sample, Node *clause,
							   bool *mark);

/*
 * Sizes of the groups that some columns' numbers make of the marked rows (of
 * all, when mark is NULL); fills group[row] when that is wanted.  Returns
 * their number.
 */
extern int	glperf_sample_groups(GlperfStatisticsSample *sample, int **ids,
								 int ncolumns, const bool *mark, int *size,
								 int *group);

/*
 * Number of groups in a table of total rows of which n were seen, as ANALYZE
 * estimates it: Duj1 of Haas and Stokes, from the groups seen once.
 */
extern double glperf_estimate_groups(const int *size, int groups, double n,
									 double total);

/* An expression's values over the sample, [row]. */
typedef struct GlperfSampled
{
	Datum	   *values;
	bool	   *nulls;
} GlperfSampled;

/* Evaluate an expression on every row. */
extern GlperfSampled glperf_sample_evaluate(GlperfStatisticsSample *sample,
											Node *expr);

/* Numbers of such values; NULL when their type has no order. */
extern int *glperf_sample_number(GlperfStatisticsSample *sample,
								 const GlperfSampled *sampled, Oid type,
								 Oid collation);

#endif							/* GLPERF_STATISTICS_SAMPLE_H */

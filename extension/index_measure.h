/*
 * index_measure.h
 *		One index being measured; between index_measure.c and
 *		index_measure_gin.c.
 */
#ifndef GLPERF_INDEX_MEASURE_H
#define GLPERF_INDEX_MEASURE_H

#include "index_pages.h"
#include "index_sample.h"

/* Sampled rows as the index sees them. */
typedef struct GlperfIndexRows
{
	const GlperfIndexDef *def;
	GlperfTableSample *sample;
	GlperfCells **columns;		/* [def->ncolumns] */
	GlperfMatches *matches;		/* rows that the predicate holds for; NULL:
								 * all */
	GlperfCells **exprs;		/* one per expression */
	GlperfSampledKeys keys;		/* of rows that the index has */
} GlperfIndexRows;

/* One index being measured. */
typedef struct GlperfMeasure
{
	GlperfIndexDef *def;
	bool		deduplicate;
	double		rows;			/* of the table */
	GlperfIndexRows all;		/* the sample */
	GlperfIndexRows runs;		/* longer stretches, when sample is set */
	double		tuples;
	double		pivot;			/* mean bytes of the key columns */
	double		entry;			/* mean bytes of all columns */
	double		share;			/* of the chunks that keys are from */
	GlperfTree	tree;
} GlperfMeasure;

/* Bring columns, expressions and predicate up to the sample's rows. */
extern bool glperf_measure_prepare(GlperfIndexRows *m);

/* Partitions that have an index of their own; all other things have one. */
extern double glperf_measure_trees(const GlperfMeasure *m);

/* Rows of the table that satisfy the predicate. */
extern double glperf_measure_matches(GlperfMeasure *m);

/* Look at longer stretches, if equal keys may lie near each other. */
extern bool glperf_measure_runs(GlperfTableSamples *samples, GlperfMeasure *m);

/* Measure a GIN index; false when it cannot be done. */
extern bool glperf_measure_gin(GlperfTableSamples *samples, GlperfMeasure *m);

#endif							/* GLPERF_INDEX_MEASURE_H */

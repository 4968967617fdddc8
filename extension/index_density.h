/*
 * index_density.h
 *		How full the leaf pages of a B-tree are, from a sample of them.
 */
#ifndef GLPERF_INDEX_DENSITY_H
#define GLPERF_INDEX_DENSITY_H

#include "compat.h"

/*
 * What a sample says of one index.  Every estimate has the bounds of its 95 %
 * confidence interval; they coincide where all pages were read.
 */
typedef struct GlperfDensity
{
	int64		size_bytes;		/* -1: unknown */
	int			pages_read;		/* without the metapage */
	bool		estimated;		/* the freed_* fields are set */
	bool		has_leaves;		/* the density_* fields are set, too */
	double		density;		/* used share of leaf pages, 0..1 */
	double		density_low;
	double		density_high;
	double		empty;			/* share of pages without entries, 0..1 */
	double		freed_bytes;	/* that REINDEX would give back */
	double		freed_low_bytes;
	double		freed_high_bytes;
	const char *reason;			/* why something is missing, or NULL */
} GlperfDensity;

/*
 * glperf_index_density_sample -- look at max_pages pages of an index at most
 *
 * Never waits for a lock of the index, and releases its own at the end.  What
 * cannot be measured leaves a reason; only a cancelled query is an error.
 */
extern void glperf_index_density_sample(Oid index, int max_pages,
										GlperfDensity *result);

#endif							/* GLPERF_INDEX_DENSITY_H */

/*
 * index_keys_gin.c
 *		Keys of a GIN index, from those that a sample has.
 */
#include "index_sample.h"

#include <math.h>

#include "index_pages.h"

/* Standard errors within which frequent keys are looked at together. */
#define NOISE			15.0

/* Add keys; blocks: of the table. */
static void
add_keys(GlperfGin *gin, const GlperfGroups *keys, double blocks)
{
	glperf_gin_add(gin, keys->n, keys->key, keys->tuples, keys->firsts,
				   blocks * keys->spread /
				   Max(1.0, keys->tuples * keys->firsts));
}

/* For qsort(): by rows of the sample. */
static int
compare_groups(const void *a, const void *b)
{
	double		x = ((const GlperfGroups *) a)->rows;
	double		y = ((const GlperfGroups *) b)->rows;

	return x < y ? -1 : x > y;
}

/*
 * Keys whose rows differ by little.  How far they differ in the whole is what
 * they differ by in the sample less what chance makes of that: whether rows
 * fit into an entry or on a page is decided by the one, not the other.
 */
static void
calm(GlperfGroups *groups, int n, double share)
{
	double		sum = 0;
	double		squares = 0;
	double		chance = 0;
	double		mean;
	double		factor;

	for (int i = 0; i < n; i++)
	{
		sum += groups[i].rows;
		squares += groups[i].rows * groups[i].rows;
		chance += groups[i].rows * groups[i].rows / groups[i].chunks;
	}
	mean = sum / n;
	squares = squares / n - mean * mean;
	chance = chance / n * (1 - share);
	factor = squares > chance ? sqrt(1 - chance / squares) : 0;
	for (int i = 0; i < n; i++)
		groups[i].tuples *=
			(mean + (groups[i].rows - mean) * factor) / groups[i].rows;
}

/* Add keys that are frequent, those alike together; share: of all chunks. */
static void
add_frequent(GlperfGin *gin, GlperfGroups *groups, int n, double share,
			 double blocks)
{
	int			end;

	qsort(groups, n, sizeof(GlperfGroups), compare_groups);
	for (int start = 0; start < n; start = end)
	{
		double		limit = groups[start].rows *
		(1 + NOISE / sqrt(groups[start].chunks));

		for (end = start; end < n && groups[end].rows <= limit; end++)
			;
		calm(groups + start, end - start, share);
	}
	for (int i = 0; i < n; i++)
		add_keys(gin, &groups[i], blocks);
}

void
glperf_keys_gin(GlperfSampledKeys keys, const GlperfSampledKeys *runs,
				double tuples, double share, double chunks, double blocks,
				GlperfGin *gin)
{
	GlperfKeyShape shape = glperf_keys_groups(keys, runs, tuples, share,
											  chunks);
	int			rare = 0;

	/* keys that are extrapolated come first; what was read whole is exact */
	while (rare < shape.ngroups &&
		   (share >= 1 || shape.groups[rare].chunks == 0))
		add_keys(gin, &shape.groups[rare++], blocks);
	if (rare < shape.ngroups)
		add_frequent(gin, shape.groups + rare, shape.ngroups - rare, share,
					 blocks);
	if (shape.groups)
		pfree(shape.groups);
}

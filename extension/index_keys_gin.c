/*
 * index_keys_gin.c
 *		Keys of a GIN index, from those that a sample has.
 */
#include "index_sample.h"

#include <math.h>

#include "index_pages.h"

/* Standard errors within which frequent keys are taken for equally frequent. */
#define NOISE			5.0

/* Add keys; blocks: of the table. */
static void
add_keys(GlperfGin *gin, const GlperfGroups *keys, double blocks)
{
	glperf_gin_add(gin, keys->n, keys->key, keys->tuples, keys->firsts,
				   blocks / Max(1.0, keys->tuples * keys->firsts));
}

/* For qsort(): by rows of the sample. */
static int
compare_groups(const void *a, const void *b)
{
	double		x = ((const GlperfGroups *) a)->rows;
	double		y = ((const GlperfGroups *) b)->rows;

	return x < y ? -1 : x > y;
}

/* What keys have in common: the mean of each. */
static GlperfGroups
mean_of(const GlperfGroups *groups, int n)
{
	GlperfGroups mean = {.n = n};

	for (int i = 0; i < n; i++)
	{
		mean.key += groups[i].key / n;
		mean.tuples += groups[i].tuples / n;
		mean.rows += groups[i].rows;
		mean.firsts += groups[i].firsts * groups[i].rows;
	}
	mean.firsts /= mean.rows;
	return mean;
}

/*
 * Add keys that are frequent.  Those that chance alone may have made different
 * are taken to be alike: whether rows fit into an entry or on a page is then
 * decided by what is known of all of them together.
 */
static void
add_frequent(GlperfGin *gin, GlperfGroups *groups, int n, double blocks)
{
	int			end;

	qsort(groups, n, sizeof(GlperfGroups), compare_groups);
	for (int start = 0; start < n; start = end)
	{
		double		limit = groups[start].rows *
		(1 + NOISE / sqrt(groups[start].chunks));
		GlperfGroups mean;

		for (end = start; end < n && groups[end].rows <= limit; end++)
			;
		mean = mean_of(groups + start, end - start);
		add_keys(gin, &mean, blocks);
	}
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
		add_frequent(gin, shape.groups + rare, shape.ngroups - rare, blocks);
	if (shape.groups)
		pfree(shape.groups);
}

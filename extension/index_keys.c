/*
 * index_keys.c
 *		Equal keys: what a sample says about their number and frequency.
 *
 * Keys seen in many chunks are as frequent in the whole as in the sample.  Of
 * the others it is counted how many were seen in one chunk, in two and so on,
 * and those numbers are explained by keys of several frequencies, each key
 * falling into chunks at random (a Poisson mixture, fitted by expectation and
 * maximisation).  What is counted is chunks that have the key, not rows:
 * neighbouring rows are often alike, and would count as evidence that a key is
 * frequent everywhere.  How much the number of keys has to be lowered because
 * equal ones also lie in neighbouring chunks is seen in a few longer runs.
 */
#include "index_sample.h"

#include <math.h>

#include "port/pg_bitutils.h"

#include "index_pages.h"

/* Keys in so many chunks of the sample are frequent. */
#define FREQUENT		10

/* Fewer keys in runs than expected that mean something, not noise. */
#define RUNS_RATIO		0.97

/* Sizes of runs that are told apart, by powers of two. */
#define RUN_SIZES		24

/* Frequencies that the mixture is made of, and rounds of fitting it. */
#define RATES			24
#define LOWEST_RATE		0.02
#define ROUNDS			250

/* Chi-square by degree of freedom that one frequency is believed up to. */
#define MISFIT			6.0

/* Rows of a key in a chunk, on average, that mean it lies in runs. */
#define RUN_ROWS		1.1

/* All sampled rows with one key. */
typedef struct KeyGroup
{
	uint64		hash;
	uint32		rows;
	uint32		chunks;
	uint32		last_chunk;
	uint32		blocks;
	uint32		last_block;
	uint32		bytes;
} KeyGroup;

/* Groups of a sample, in an open hash table. */
typedef struct KeyTable
{
	KeyGroup   *group;
	uint32		mask;
} KeyTable;

/* Keys seen in one chunk, two, ...; the last is unused. */
typedef struct Seen
{
	double		times[FREQUENT];
	double		keys;
	double		chunks;			/* pairs of key and chunk */
} Seen;

/* Numbers over the keys that are not frequent. */
typedef struct RareKeys
{
	double		rows;			/* in the sample */
	double		bytes;			/* of their entries */
	double		blocks;			/* pairs of key and block */
	Seen		seen;			/* in chunks */
	double		run_keys[RUN_SIZES];	/* keys in one chunk, by rows */
	double		run_rows[RUN_SIZES];
} RareKeys;

/* Keys of several frequencies. */
typedef struct Mixture
{
	double		rate[RATES];	/* chunks that have the key, in the whole */
	double		amount[RATES];	/* keys, also those that happen not to be
								 * there */
	double		keys[RATES];	/* those that are there */
	double		distinct;		/* sum of keys */
} Mixture;

/* The group of a key, or the free place for it. */
static KeyGroup *
find_group(const KeyTable *table, uint64 hash)
{
	uint32		slot = (uint32) (hash >> 17) & table->mask;

	while (table->group[slot].rows != 0 && table->group[slot].hash != hash)
		slot = (slot + 1) & table->mask;
	return &table->group[slot];
}

/* Count the sampled rows by key. */
static KeyTable
count_keys(const GlperfSampledKey *keys, int n)
{
	KeyTable	table;
	uint32		size = 64;

	while (size < (uint32) n * 2)
		size *= 2;
	table.mask = size - 1;
	table.group = palloc_extended(sizeof(KeyGroup) * size,
								  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
	{
		const GlperfSampledKey *key = &keys[i];
		KeyGroup   *group = find_group(&table, key->hash);

		if (group->rows == 0)
		{
			group->hash = key->hash;
			group->bytes = key->bytes;
		}
		if (group->rows == 0 || group->last_block != key->block)
			group->blocks++;
		if (group->rows == 0 || group->last_chunk != key->chunk)
			group->chunks++;
		group->rows++;
		group->last_chunk = key->chunk;
		group->last_block = key->block;
	}
	return table;
}

/* Note a key that was seen so many times. */
static void
see(Seen *seen, uint32 times)
{
	if (times == 0)
		return;
	seen->times[Min(times, FREQUENT) - 1]++;
	seen->keys++;
	seen->chunks += times;
}

/* Add up the groups that are not frequent. */
static RareKeys
sum_rare(const KeyTable *table)
{
	RareKeys	rare = {0};

	for (uint32 i = 0; i <= table->mask; i++)
	{
		KeyGroup   *group = &table->group[i];

		if (group->rows == 0 || group->chunks >= FREQUENT)
			continue;
		rare.rows += group->rows;
		rare.bytes += group->bytes;
		rare.blocks += group->blocks;
		see(&rare.seen, group->chunks);
		if (group->chunks == 1)
		{
			int			size = Min(pg_leftmost_one_pos32(group->rows),
								   RUN_SIZES - 1);

			rare.run_keys[size]++;
			rare.run_rows[size] += group->rows;
		}
	}
	return rare;
}

/*
 * Would keys of one and the same frequency be seen so often in this share of
 * the whole?  Then fills mix with that: few counts allow for many mixtures.
 */
static bool
fit_one_rate(const Seen *seen, double share, Mixture *mix)
{
	double		x = 1e-9;
	double		high = FREQUENT;
	double		likely;
	double		misfit = 0;
	int			cells = 0;

	/* chunks by key when no key is unseen: x / (1 - exp(-x)) */
	while (high - x > 1e-9)
	{
		double		middle = (x + high) / 2;

		if (middle / (1 - exp(-middle)) < seen->chunks / seen->keys)
			x = middle;
		else
			high = middle;
	}
	likely = exp(-x) / (1 - exp(-x));
	for (int j = 0; j < FREQUENT - 1; j++)
	{
		double		expected;

		likely *= x / (j + 1);
		expected = seen->keys * likely;
		if (expected < 3)
		{
			/* the rest is so rare that one of it would be too many */
			if (seen->times[j] > 3 * expected + 5)
				return false;
			continue;
		}
		misfit += (seen->times[j] - expected) *
			(seen->times[j] - expected) / expected;
		cells++;
	}
	if (misfit > MISFIT * Max(1, cells - 1))
		return false;
	mix->rate[0] = Max(LOWEST_RATE, x / share);
	mix->amount[0] = seen->chunks / share / mix->rate[0];
	mix->keys[0] = mix->amount[0] * (1 - exp(-mix->rate[0]));
	mix->distinct = mix->keys[0];
	return true;
}

/*
 * Which keys would be seen so often in this share of the whole?  Starts from
 * an even mixture and fits it to the counts; few rounds, so that it does not
 * follow every accident of the sample.
 */
static Mixture
fit_mixture(const Seen *seen, double share)
{
	Mixture		mix = {0};
	double		likely[RATES][FREQUENT];
	double		visible[RATES];
	double		amount[RATES];
	double		highest = Max(1.0, FREQUENT / share);
	double		pairs = 0;

	if (fit_one_rate(seen, share, &mix))
		return mix;
	for (int g = 0; g < RATES; g++)
	{
		double		x;
		double		p;

		mix.rate[g] = LOWEST_RATE *
			pow(highest / LOWEST_RATE, (double) g / (RATES - 1));
		x = mix.rate[g] * share;
		p = exp(-x);
		visible[g] = 0;
		for (int j = 0; j < FREQUENT - 1; j++)
			visible[g] += likely[g][j] = p *= x / (j + 1);
		amount[g] = seen->chunks / RATES / x;
	}
	for (int round = 0; round < ROUNDS; round++)
	{
		double		gain[RATES] = {0};

		for (int j = 0; j < FREQUENT - 1; j++)
		{
			double		sum = 1e-300;

			if (seen->times[j] <= 0)
				continue;
			for (int g = 0; g < RATES; g++)
				sum += amount[g] * likely[g][j];
			for (int g = 0; g < RATES; g++)
				gain[g] += likely[g][j] * seen->times[j] / sum;
		}
		for (int g = 0; g < RATES; g++)
			amount[g] *= gain[g] / Max(visible[g], 1e-300);
	}
	for (int g = 0; g < RATES; g++)
		pairs += amount[g] * mix.rate[g];
	for (int g = 0; g < RATES; g++)
	{
		/* as many pairs as there must be */
		mix.amount[g] = pairs > 0 ?
			amount[g] * seen->chunks / share / pairs : 0;
		mix.keys[g] = mix.amount[g] * (1 - exp(-mix.rate[g]));
		mix.distinct += mix.keys[g];
	}
	return mix;
}

/* Multiply the number of keys; each becomes as much rarer. */
static void
scale_mixture(Mixture *mix, double factor)
{
	for (int g = 0; g < RATES; g++)
		mix->keys[g] *= factor;
	mix->distinct *= factor;
}

/*
 * Keys that are not frequent in the longer runs, relative to keys in their
 * chunks: what it is, and what it would be if every key fell anywhere.
 */
static double
runs_ratio(const KeyTable *table, const GlperfSampledKeys *runs,
		   const Mixture *mix, double chunks)
{
	double		in_runs = 0;
	double		in_chunks = 0;
	double		expected_runs = 0;
	double		expected_chunks = 0;
	int			end;

	for (int start = 0; start < runs->n; start = end)
	{
		uint32		run = runs->key[start].chunk / GLPERF_RUN_CHUNKS;
		KeyTable	here;

		for (end = start; end < runs->n &&
			 runs->key[end].chunk / GLPERF_RUN_CHUNKS == run; end++)
			;
		here = count_keys(runs->key + start, end - start);
		for (uint32 i = 0; i <= here.mask; i++)
		{
			KeyGroup   *group = &here.group[i];

			if (group->rows == 0 ||
				find_group(table, group->hash)->chunks >= FREQUENT)
				continue;
			in_runs++;
			in_chunks += group->chunks;
		}
		pfree(here.group);
	}
	for (int g = 0; g < RATES; g++)
	{
		double		x = mix->rate[g] * GLPERF_RUN_CHUNKS / chunks;

		expected_runs += mix->amount[g] * (1 - exp(-x));
		expected_chunks += mix->amount[g] * x;
	}
	if (in_chunks < 50 || expected_runs <= 0)
		return 1;
	return in_runs / in_chunks / (expected_runs / expected_chunks);
}

/* The keys that are not frequent, in the whole; tuples of them. */
static Mixture
extrapolate(const KeyTable *table, const RareKeys *rare,
			const GlperfSampledKeys *runs, double share, double chunks,
			double tuples)
{
	Mixture		mix = fit_mixture(&rare->seen, share);
	double		distinct = mix.distinct;

	if (runs)
	{
		double		ratio = runs_ratio(table, runs, &mix, chunks);

		if (ratio < RUNS_RATIO)
			distinct *= ratio;
	}
	distinct = Max(rare->seen.keys, Min(distinct, tuples));
	if (mix.distinct > 0)
		scale_mixture(&mix, distinct / mix.distinct);
	return mix;
}

/* Add the entries of keys that are not frequent. */
static void
add_rare(GlperfLeaves *leaves, const RareKeys *rare, const Mixture *mix,
		 double tuples)
{
	double		entry = rare->bytes / rare->seen.keys;
	double		keys = 0;
	double		rows = 0;

	if (rare->rows > rare->seen.chunks * RUN_ROWS)
	{
		/* as many rows as are seen in one place, or a multiple of that */
		for (int i = 0; i < RUN_SIZES; i++)
		{
			keys += rare->run_keys[i];
			rows += rare->run_rows[i];
		}
		for (int i = 0; i < RUN_SIZES && rows > 0; i++)
			if (rare->run_keys[i] > 0)
				glperf_leaves_add(leaves, mix->distinct *
								  rare->run_keys[i] / keys,
								  Max(1.0, rare->run_rows[i] /
									  rare->run_keys[i] * tuples / rows *
									  keys / mix->distinct), entry, true);
		if (rows > 0)
			return;
	}
	for (int g = 0; g < RATES; g++)
		if (mix->keys[g] > 0)
			rows += mix->keys[g] * mix->rate[g] / (1 - exp(-mix->rate[g]));
	for (int g = 0; g < RATES; g++)
		if (mix->keys[g] > 0)
			glperf_leaves_add_random(leaves, mix->keys[g],
									 Max(1.0, mix->rate[g] /
										 (1 - exp(-mix->rate[g])) *
										 tuples / rows), entry, true);
}

/* Without deduplication every row has an entry of its own. */
static void
add_single(GlperfSampledKeys keys, double tuples, GlperfLeaves *leaves)
{
	double		bytes = 0;
	double		squares = 0;

	for (int i = 0; i < keys.n; i++)
	{
		double		item = keys.key[i].bytes + sizeof(ItemIdData);

		bytes += item;
		squares += item * item;
	}
	leaves->items += tuples;
	leaves->bytes += bytes / keys.n * tuples;
	leaves->square += squares / keys.n * tuples;
}

GlperfKeyShape
glperf_keys_leaves(GlperfSampledKeys keys, const GlperfSampledKeys *runs,
				   double tuples, double share, double chunks,
				   bool deduplicate, GlperfLeaves *leaves)
{
	GlperfKeyShape shape = {0, 1};
	KeyTable	table;
	RareKeys	rare;
	double		scale;
	double		rare_tuples;
	double		squares = 0;

	if (keys.n == 0)
		return shape;
	scale = Max(1.0, tuples / keys.n);
	if (!deduplicate && leaves)
	{
		add_single(keys, tuples, leaves);
		return shape;
	}
	table = count_keys(keys.key, keys.n);
	rare = sum_rare(&table);
	rare_tuples = rare.rows * scale;
	shape.distinct = rare.seen.keys;
	if (share < 1 && rare.seen.keys > 0)
	{
		Mixture		mix = extrapolate(&table, &rare, runs, share, chunks,
									  rare_tuples);

		shape.distinct = mix.distinct;
		if (leaves && deduplicate)
			add_rare(leaves, &rare, &mix, rare_tuples);
	}
	if (shape.distinct > 0)
		squares = rare_tuples * rare_tuples / shape.distinct;
	for (uint32 i = 0; i <= table.mask; i++)
	{
		KeyGroup   *group = &table.group[i];
		double		rows = group->rows * scale;

		if (group->rows == 0 || (share < 1 && group->chunks < FREQUENT))
			continue;
		if (group->chunks >= FREQUENT)
		{
			shape.distinct++;
			squares += rows * rows;
		}
		if (leaves && deduplicate)
			glperf_leaves_add(leaves, 1, floor(rows + 0.5), group->bytes,
							  true);
	}
	shape.group = Max(1.0, squares / tuples);
	pfree(table.group);
	return shape;
}

GlperfKeyShape
glperf_keys_gin(GlperfSampledKeys keys, double tuples, double share,
				double blocks, GlperfGin *gin)
{
	GlperfKeyShape shape = {0, 1};
	KeyTable	table;
	RareKeys	rare;
	double		scale;

	if (keys.n == 0)
		return shape;
	scale = tuples / keys.n;
	table = count_keys(keys.key, keys.n);
	rare = sum_rare(&table);
	shape.distinct = rare.seen.keys;
	if (share < 1 && rare.seen.keys > 0)
	{
		Mixture		mix = extrapolate(&table, &rare, NULL, share, 0,
									  rare.rows * scale);
		double		mean = rare.rows * scale / mix.distinct;
		double		firsts = rare.blocks / rare.rows;

		shape.distinct = mix.distinct;
		glperf_gin_add(gin, mix.distinct, rare.bytes / rare.seen.keys, mean,
					   firsts, blocks / Max(1.0, mean * firsts));
	}
	for (uint32 i = 0; i <= table.mask; i++)
	{
		KeyGroup   *group = &table.group[i];
		double		firsts;

		if (group->rows == 0 || (share < 1 && group->chunks < FREQUENT))
			continue;
		if (group->chunks >= FREQUENT)
			shape.distinct++;
		firsts = (double) group->blocks / group->rows;
		glperf_gin_add(gin, 1, group->bytes, group->rows * scale, firsts,
					   blocks / Max(1.0, group->rows * scale * firsts));
	}
	pfree(table.group);
	return shape;
}

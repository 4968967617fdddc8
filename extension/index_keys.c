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
	uint32		first_chunk;
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

/* Keys by the number of their rows in one place. */
typedef struct RunKeys
{
	double		keys[RUN_SIZES];
	double		rows[RUN_SIZES];
} RunKeys;

/* Numbers over the keys that are not frequent. */
typedef struct RareKeys
{
	double		rows;			/* in the sample */
	double		bytes;			/* of their entries */
	double		blocks;			/* pairs of key and block */
	double		spread;			/* chunks that keys of several are spread over */
	double		apart;			/* those several, summed */
	Seen		seen;			/* in chunks */
	double		others;			/* of frequent keys: rows in one chunk, summed */
	RunKeys		runs;			/* in one chunk, or in a longer stretch */
	bool		in_runs;		/* equal ones lie near each other */
} RareKeys;

/*
 * Keys of several frequencies that the sample does not show to be frequent.
 * Of keys that are so on the border, some are seen often by chance: those are
 * no part of this.
 */
typedef struct Mixture
{
	double		amount[RATES];	/* keys, also those that happen not to be
								 * there */
	double		rate[RATES];	/* chunks that have the key, in the whole */
	double		keys[RATES];	/* those that are there */
	double		distinct;		/* sum of keys */
	double		pairs;			/* of key and chunk, in the whole */
	double		tuples;			/* rows with these keys, in the whole */
	double		excess;			/* chunks that a frequent key was seen in too
								 * often: chance made some of them frequent */
} Mixture;

/* What the sampled keys say of all keys of the whole. */
typedef struct KeyAnalysis
{
	KeyTable	table;			/* keys of the sample */
	RareKeys	rare;			/* those that are not frequent */
	Mixture		mix;			/* the same in the whole; empty if all of it
								 * was read */
	int			alone;			/* keys that are looked at one by one */
	double		scale;			/* rows of the whole for each of the sample */
} KeyAnalysis;

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
			group->first_chunk = key->chunk;
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

/* Note a key with so many rows in one place. */
static void
note_run(RunKeys *runs, uint32 rows)
{
	int			size = Min(pg_leftmost_one_pos32(rows), RUN_SIZES - 1);

	runs->keys[size]++;
	runs->rows[size] += rows;
}

/*
 * Chunks of the sample that a key in several of them is likely to be spread
 * over: the outermost ones seen are not the outermost there are.
 */
static double
chunks_spread(const KeyGroup *group)
{
	double		n = group->chunks;

	return (group->last_chunk - group->first_chunk) * (n + 1) / (n - 1);
}

/* Add up the groups that are not frequent. */
static RareKeys
sum_rare(const KeyTable *table)
{
	RareKeys	rare = {0};

	for (uint32 i = 0; i <= table->mask; i++)
	{
		KeyGroup   *group = &table->group[i];

		if (group->rows == 0)
			continue;
		if (group->chunks >= FREQUENT)
		{
			rare.others += (double) group->rows / group->chunks;
			continue;
		}
		rare.rows += group->rows;
		rare.bytes += group->bytes;
		rare.blocks += group->blocks;
		see(&rare.seen, group->chunks);
		if (group->chunks == 1)
			note_run(&rare.runs, group->rows);
		else
		{
			rare.spread += chunks_spread(group) * group->chunks;
			rare.apart += group->chunks;
		}
	}
	return rare;
}

/*
 * How likely a key with x occurrences in the sample, on average, is seen in
 * one chunk, in two, ... up to what is not frequent.  Returns the sum, and the
 * mean number of those chunks.
 */
static double
likely_seen(double x, double *likely, double *mean)
{
	double		p = exp(-x);
	double		sum = 0;

	*mean = 0;
	for (int j = 0; j < FREQUENT - 1; j++)
	{
		likely[j] = p *= x / (j + 1);
		sum += p;
		*mean += p * (j + 1);
	}
	*mean /= Max(sum, 1e-300);
	return sum;
}

/*
 * Put keys of one frequency into the mixture: so many as there are with those
 * that are seen often, found in so many chunks of the whole.
 */
static void
mix_keys(Mixture *mix, int g, double amount, double rate, double share)
{
	double		likely[FREQUENT];
	double		mean;
	double		seen = likely_seen(rate * share, likely, &mean);
	double		unseen = exp(-rate * share);

	mix->amount[g] = amount * (seen + unseen);
	/* chunks in the sample, and those outside */
	mix->rate[g] = seen * mean / Max(seen + unseen, 1e-300) +
		rate * (1 - share);
	mix->keys[g] = amount * Max(0.0, seen + unseen - exp(-rate));
	mix->distinct += mix->keys[g];
	mix->pairs += mix->amount[g] * mix->rate[g];
}

/*
 * Would keys of one and the same frequency be seen so often in this share of
 * the whole?  Then fills mix with that: few counts allow for many mixtures.
 */
static bool
fit_one_rate(const Seen *seen, double share, Mixture *mix)
{
	double		x = 1e-9;
	double		high = 4 * FREQUENT;
	double		likely[FREQUENT];
	double		mean;
	double		visible;
	double		misfit = 0;
	int			cells = 0;

	while (high - x > 1e-9)
	{
		double		middle = (x + high) / 2;

		(void) likely_seen(middle, likely, &mean);
		if (mean < seen->chunks / seen->keys)
			x = middle;
		else
			high = middle;
	}
	visible = likely_seen(x, likely, &mean);
	for (int j = 0; j < FREQUENT - 1; j++)
	{
		double		expected = seen->keys * likely[j] / visible;

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
	mix_keys(mix, 0, seen->keys / visible, x / share, share);
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
	double		rate[RATES];
	double		highest = Max(1.0, FREQUENT / share);

	if (fit_one_rate(seen, share, &mix))
		return mix;
	for (int g = 0; g < RATES; g++)
	{
		double		mean;

		rate[g] = LOWEST_RATE *
			pow(highest / LOWEST_RATE, (double) g / (RATES - 1));
		visible[g] = likely_seen(rate[g] * share, likely[g], &mean);
		amount[g] = seen->chunks / RATES / (rate[g] * share);
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
		mix_keys(&mix, g, amount[g], rate[g], share);
	return mix;
}

/*
 * Keys that are not frequent in the longer runs, relative to keys in their
 * chunks: what it is, and what it would be if every key fell anywhere.  Fills
 * sizes with their rows in a run.
 */
static double
runs_ratio(const KeyTable *table, const GlperfSampledKeys *runs,
		   const Mixture *mix, double chunks, RunKeys *sizes)
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
			note_run(sizes, group->rows);
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

/*
 * The keys that are not frequent, in the whole; scale: rows of the whole for
 * each of the sample.
 */
static Mixture
extrapolate(const KeyTable *table, RareKeys *rare,
			const GlperfSampledKeys *runs, double share, double chunks,
			double scale)
{
	Mixture		mix = fit_mixture(&rare->seen, share);
	double		distinct = mix.distinct;
	double		unbiased = mix.pairs * share / rare->seen.chunks;

	mix.tuples = rare->rows * scale;
	if (rare->others > 0)
	{
		mix.excess = (unbiased - 1) * rare->rows / rare->others;
		mix.excess = Max(0.0, Min(FREQUENT / 2.0, mix.excess));
		mix.tuples += mix.excess * rare->others * scale;
	}
	if (runs)
	{
		RunKeys		sizes = {0};
		double		ratio = runs_ratio(table, runs, &mix, chunks, &sizes);

		if (ratio < RUNS_RATIO)
		{
			distinct *= ratio;
			rare->runs = sizes;
			rare->in_runs = true;
		}
	}
	distinct = Max(rare->seen.keys, Min(distinct, mix.tuples));
	/* the fewer keys, the more rows each has */
	for (int g = 0; g < RATES && mix.distinct > 0; g++)
		mix.keys[g] *= distinct / mix.distinct;
	mix.distinct = distinct;
	return mix;
}

/* Rows of a key that is frequent, or of any if all chunks were read. */
static double
frequent_rows(const KeyGroup *group, const KeyAnalysis *found)
{
	return group->rows * found->scale *
		(1 - found->mix.excess / group->chunks);
}

/* Rows of a key of each frequency, so that they are as many as there are. */
static void
spread_rows(const Mixture *mix, double rows[RATES])
{
	double		sum = 0;

	for (int g = 0; g < RATES; g++)
		sum += mix->amount[g] * mix->rate[g];
	for (int g = 0; g < RATES; g++)
		rows[g] = mix->keys[g] <= 0 ? 0 :
			Max(1.0, mix->amount[g] * mix->rate[g] / mix->keys[g] *
				mix->tuples / Max(1e-300, sum));
}

/* Add the entries of keys that are not frequent. */
static void
add_rare(GlperfLeaves *leaves, const RareKeys *rare, const Mixture *mix)
{
	double		entry = rare->bytes / rare->seen.keys;
	double		keys = 0;
	double		rows = 0;
	double		of_rate[RATES];

	if (rare->in_runs || rare->rows > rare->seen.chunks * RUN_ROWS)
	{
		/* as many rows as are seen in one place, or a multiple of that */
		for (int i = 0; i < RUN_SIZES; i++)
		{
			keys += rare->runs.keys[i];
			rows += rare->runs.rows[i];
		}
		for (int i = 0; i < RUN_SIZES && rows > 0; i++)
			if (rare->runs.keys[i] > 0)
				glperf_leaves_add(leaves, mix->distinct *
								  rare->runs.keys[i] / keys,
								  Max(1.0, rare->runs.rows[i] /
									  rare->runs.keys[i] * mix->tuples / rows *
									  keys / mix->distinct), entry, true);
		if (rows > 0)
			return;
	}
	spread_rows(mix, of_rate);
	for (int g = 0; g < RATES; g++)
		if (mix->keys[g] > 0)
			glperf_leaves_add_random(leaves, mix->keys[g], of_rate[g], entry,
									 true);
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

/* Is a group of its own, and not among the rare ones that a mixture describes? */
static bool
stands_alone(const KeyGroup *group, double share)
{
	return group->rows > 0 && (share >= 1 || group->chunks >= FREQUENT);
}

/*
 * Sort the sampled keys out: those that are frequent stay in the table, the
 * others are extrapolated to the whole.
 */
static KeyAnalysis
analyse(GlperfSampledKeys keys, const GlperfSampledKeys *runs, double tuples,
		double share, double chunks)
{
	KeyAnalysis found = {0};

	found.scale = Max(1.0, tuples / keys.n);
	found.table = count_keys(keys.key, keys.n);
	found.rare = sum_rare(&found.table);
	if (share < 1 && found.rare.seen.keys > 0)
		found.mix = extrapolate(&found.table, &found.rare, runs, share, chunks,
								found.scale);
	for (uint32 i = 0; i <= found.table.mask; i++)
		if (stands_alone(&found.table.group[i], share))
			found.alone++;
	return found;
}

GlperfKeyShape
glperf_keys_leaves(GlperfSampledKeys keys, const GlperfSampledKeys *runs,
				   double tuples, double share, double chunks,
				   bool deduplicate, GlperfLeaves *leaves)
{
	GlperfKeyShape shape = {0};
	KeyAnalysis found;

	if (keys.n == 0)
		return shape;
	if (!deduplicate)
	{
		add_single(keys, tuples, leaves);
		return shape;
	}
	found = analyse(keys, runs, tuples, share, chunks);
	shape.distinct = found.alone + found.mix.distinct;
	if (found.mix.distinct > 0)
		add_rare(leaves, &found.rare, &found.mix);
	for (uint32 i = 0; i <= found.table.mask; i++)
	{
		KeyGroup   *group = &found.table.group[i];

		if (stands_alone(group, share))
			glperf_leaves_add(leaves, 1,
							  floor(frequent_rows(group, &found) + 0.5),
							  group->bytes, true);
	}
	pfree(found.table.group);
	return shape;
}

GlperfKeyShape
glperf_keys_groups(GlperfSampledKeys keys, const GlperfSampledKeys *runs,
				   double tuples, double share, double chunks)
{
	GlperfKeyShape shape = {0};
	KeyAnalysis found;
	const RareKeys *rare = &found.rare;
	double		rows[RATES];

	if (keys.n == 0)
		return shape;
	found = analyse(keys, runs, tuples, share, chunks);
	shape.distinct = found.alone + found.mix.distinct;
	shape.groups = palloc_extended(sizeof(GlperfGroups) *
								   (found.alone + RATES), MCXT_ALLOC_HUGE);
	spread_rows(&found.mix, rows);
	for (int g = 0; g < RATES; g++)
		if (found.mix.keys[g] > 0)
			shape.groups[shape.ngroups++] = (GlperfGroups)
		{
			.n = found.mix.keys[g],.tuples = rows[g],
				.key = rare->bytes / rare->seen.keys,
				.firsts = rare->blocks / rare->rows,
				.spread = rare->apart == 0 ? 1 :
				Min(1.0, rare->spread / rare->apart / (share * chunks))
		};
	for (uint32 i = 0; i <= found.table.mask; i++)
	{
		KeyGroup   *group = &found.table.group[i];

		if (stands_alone(group, share))
			shape.groups[shape.ngroups++] = (GlperfGroups)
		{
			.n = 1,.tuples = frequent_rows(group, &found),
				.key = group->bytes,
				.firsts = (double) group->blocks / group->rows,
				.spread = group->chunks < 2 ? 0 :
				Min(1.0, chunks_spread(group) / (share * chunks)),
				.rows = group->rows,.chunks = group->chunks
		};
	}
	pfree(found.table.group);
	return shape;
}

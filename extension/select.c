/*
 * select.c
 *		Choosing a set of candidates.
 *
 * Greedy over a fixed candidate set, once by gain per byte and once by gain,
 * then local search that drops, exchanges and adds until nothing improves; the
 * better end wins.  Candidates never grow in here.  The upper bound is the
 * sum, over statements, of what each would gain from all of its candidates
 * at once with no write cost.
 */
#include "select.h"

/* rounds of local search; each ends in at least one strict improvement */
#define MAX_ROUNDS	40
/* most moves that one member makes way for */
#define MAX_PICKS	3
/* times that an attractive move may turn out not to be one */
#define MAX_TRIES	6
/* smallest change in gain that is one, relative to the workload */
#define EPSILON		1e-6

typedef struct State
{
	const GlperfSelectProblem *p;
	int			words;
	uint64	   *config;			/* the set so far */
	uint64	   *trial;			/* scratch */
	double	   *ratio;			/* [statement] under config */
	bool	   *refuted;		/* [move] looked better than it was */
	double	   *lowest;			/* [statement] of all sets adopted */
	double		total_weight;
	bool		stopped;
} State;

/* A ratio as it counts: small gains are not believed. */
static inline double
trusted(const GlperfSelectProblem *p, double ratio)
{
	return ratio > p->trust && ratio <= 1.0 ? 1.0 : ratio;
}

/* Do two sets have a member in common? */
static bool
intersects(const uint64 *a, const uint64 *b, int words)
{
	for (int w = 0; w < words; w++)
		if (a[w] & b[w])
			return true;
	return false;
}

/* Sum of a value over a set's members. */
static double
set_sum(const GlperfSelectProblem *p, const uint64 *config,
		const double *values)
{
	double		sum = 0;

	for (int i = 0; i < p->ncandidates; i++)
		if (bitset_get(config, i))
			sum += values[i];
	return sum;
}

/* Number of a set's members. */
static int
set_count(const GlperfSelectProblem *p, const uint64 *config)
{
	int			n = 0;

	for (int i = 0; i < p->ncandidates; i++)
		if (bitset_get(config, i))
			n++;
	return n;
}

/* Within the storage and count budgets? */
static bool
fits(const GlperfSelectProblem *p, const uint64 *config)
{
	if (p->budget >= 0 && set_sum(p, config, p->size) > p->budget)
		return false;
	return p->max_candidates < 0 ||
		set_count(p, config) <= p->max_candidates;
}

double
glperf_select_gain(const GlperfSelectProblem *p, const uint64 *config)
{
	double		gain = 0 - set_sum(p, config, p->write_cost);
	int			words = bitset_words(p->ncandidates);

	for (int s = 0; s < p->nstatements; s++)
		if (intersects(p->relevant[s], config, words))
			gain += p->weight[s] *
				(1.0 - trusted(p, p->ratio(p->arg, s, config)));
	return gain;
}

/*
 * Gain of config over the state's set, looking only at statements that the
 * difference can matter to; -1e300 when a statement would regress too much.
 * Without exact it may be too low, never too high.
 */
static double
delta(State *st, const uint64 *config, bool exact)
{
	const GlperfSelectProblem *p = st->p;
	double		gain = 0;
	double		(*ratio_of) (void *, int, const uint64 *) =
	exact || p->bound == NULL ? p->ratio : p->bound;

	if (p->stop && p->stop(p->arg))
	{
		st->stopped = true;
		return -1e300;
	}
	for (int i = 0; i < p->ncandidates; i++)
	{
		bool		was = bitset_get(st->config, i);
		bool		is = bitset_get(config, i);

		if (was != is)
			gain += was ? p->write_cost[i] : -p->write_cost[i];
	}
	for (int s = 0; s < p->nstatements; s++)
	{
		bool		touched = false;
		double		ratio;

		for (int w = 0; w < st->words && !touched; w++)
			touched = (p->relevant[s][w] & (config[w] ^ st->config[w])) != 0;
		if (!touched)
			continue;
		ratio = ratio_of(p->arg, s, config);
		if (ratio > 1.0 + p->max_regression && ratio > st->ratio[s])
			return -1e300;
		gain += p->weight[s] * (trusted(p, st->ratio[s]) - trusted(p, ratio));
	}
	return gain;
}

/* Make config the state's set. */
static void
adopt(State *st, const uint64 *config)
{
	const GlperfSelectProblem *p = st->p;

	memcpy(st->config, config, st->words * sizeof(uint64));
	for (int s = 0; s < p->nstatements; s++)
	{
		st->ratio[s] = intersects(p->relevant[s], st->config, st->words) ?
			p->ratio(p->arg, s, st->config) : 1.0;
		st->lowest[s] = Min(st->lowest[s], st->ratio[s]);
	}
}

/* Does the set hold something that serves whatever candidate i serves? */
static bool
covered(State *st, const uint64 *config, int i)
{
	const GlperfSelectProblem *p = st->p;

	if (p->covers == NULL)
		return false;
	for (int c = 0; c < p->ncandidates; c++)
		if (c != i && bitset_get(config, c) &&
			p->covers[c * p->ncandidates + i])
			return true;
	return false;
}

/* Put into trial the state's set and one move, without what that covers. */
static void
apply_move(State *st, const uint64 *move)
{
	memcpy(st->trial, st->config, st->words * sizeof(uint64));
	bitset_union(st->trial, move, st->words);
}

/* A set whose members are pairwise not redundant? */
static bool
irredundant(State *st, const uint64 *config)
{
	for (int i = 0; i < st->p->ncandidates; i++)
		if (bitset_get(config, i) && covered(st, config, i))
			return false;
	return true;
}

/* Move that looks best by bounds, or -1. */
static int
attractive_move(State *st, bool per_byte, double *least)
{
	const GlperfSelectProblem *p = st->p;
	double		best_score = 0;
	int			best = -1;

	for (int m = 0; m < p->nmoves && !st->stopped; m++)
	{
		double		needed;
		double		gain;
		double		bytes;
		double		score;

		apply_move(st, p->moves[m]);
		if (st->refuted[m] ||
			bitset_equal(st->trial, st->config, st->words) ||
			!fits(p, st->trial) || !irredundant(st, st->trial))
			continue;
		needed = p->min_gain * (set_count(p, st->trial) -
								set_count(p, st->config));
		gain = delta(st, st->trial, false);
		if (gain < needed)
			continue;
		bytes = set_sum(p, st->trial, p->size) -
			set_sum(p, st->config, p->size);
		score = per_byte ? gain / Max(bytes, 1.0) : gain;
		if (score > best_score * (1 + EPSILON))
		{
			best_score = score;
			best = m;
			*least = needed;
		}
	}
	return best;
}

/*
 * Best move to add, by gain or by gain per byte; false when none is left.
 * What looks best is made sure of before it is adopted; if it does not hold,
 * the next best has its turn.
 */
static bool
add_best(State *st, bool per_byte)
{
	const GlperfSelectProblem *p = st->p;

	memset(st->refuted, 0, p->nmoves * sizeof(bool));
	for (int tries = 0; tries < MAX_TRIES && !st->stopped; tries++)
	{
		double		least = 0;
		int			best = attractive_move(st, per_byte, &least);

		if (best < 0 || st->stopped)
			return false;
		apply_move(st, p->moves[best]);
		if (delta(st, st->trial, true) >= least)
		{
			adopt(st, st->trial);
			return true;
		}
		st->refuted[best] = true;
	}
	return false;
}

/* Drop a member that does not earn its keep; false when all do. */
static bool
drop_worst(State *st)
{
	const GlperfSelectProblem *p = st->p;
	double		best_gain = -p->min_gain;
	int			best = -1;

	for (int i = 0; i < p->ncandidates && !st->stopped; i++)
	{
		double		gain;

		if (!bitset_get(st->config, i))
			continue;
		memcpy(st->trial, st->config, st->words * sizeof(uint64));
		bitset_del(st->trial, i);
		gain = delta(st, st->trial, false);
		if (gain > best_gain)
		{
			best_gain = gain;
			best = i;
		}
	}
	if (best < 0 || st->stopped)
		return false;
	memcpy(st->trial, st->config, st->words * sizeof(uint64));
	bitset_del(st->trial, best);
	if (delta(st, st->trial, true) <= -p->min_gain)
		return false;
	adopt(st, st->trial);
	return true;
}

/*
 * The best move on top of base, member out left out, by its gain over the
 * state's set; base becomes the result.  -1e300 when no move fits.
 */
static double
best_refill(State *st, uint64 *base, int out)
{
	const GlperfSelectProblem *p = st->p;
	double		best_gain = -1e300;
	int			best = -1;

	for (int m = 0; m < p->nmoves && !st->stopped; m++)
	{
		double		gain;

		memcpy(st->trial, base, st->words * sizeof(uint64));
		bitset_union(st->trial, p->moves[m], st->words);
		bitset_del(st->trial, out);
		if (bitset_equal(st->trial, base, st->words) ||
			!fits(p, st->trial) || !irredundant(st, st->trial))
			continue;
		gain = delta(st, st->trial, false);
		/* more members must be worth their number */
		gain -= p->min_gain * Max(0, set_count(p, st->trial) -
								  set_count(p, st->config));
		if (best < 0 || gain > best_gain)
		{
			best_gain = gain;
			best = m;
		}
	}
	if (best < 0 || st->stopped)
		return -1e300;
	bitset_union(base, p->moves[best], st->words);
	bitset_del(base, out);
	return best_gain;
}

/*
 * Exchange a member for something better; false when nothing is.  Under a
 * limit, one may have to make way for several that are worse each.
 */
static bool
exchange_best(State *st)
{
	const GlperfSelectProblem *p = st->p;
	int			picks = p->budget < 0 && p->max_candidates < 0 ? 1 : MAX_PICKS;
	double		best_gain = st->total_weight * EPSILON;
	uint64	   *best = palloc0(st->words * sizeof(uint64));
	uint64	   *base = palloc0(st->words * sizeof(uint64));
	bool		found = false;

	for (int i = 0; i < p->ncandidates && !st->stopped; i++)
	{
		if (!bitset_get(st->config, i))
			continue;
		memcpy(base, st->config, st->words * sizeof(uint64));
		bitset_del(base, i);
		for (int pick = 0; pick < picks && !st->stopped; pick++)
		{
			double		gain = best_refill(st, base, i);

			if (gain <= -1e300)
				break;
			if (gain > best_gain * (1 + EPSILON))
			{
				best_gain = gain;
				memcpy(best, base, st->words * sizeof(uint64));
				found = true;
			}
		}
	}
	/* what looks better has to be better */
	found = found && !st->stopped &&
		delta(st, best, true) > st->total_weight * EPSILON;
	if (found)
		adopt(st, best);
	pfree(base);
	pfree(best);
	return found;
}

/* One complete search from the empty set. */
static double
search(State *st, bool per_byte)
{
	uint64	   *empty = palloc0(st->words * sizeof(uint64));

	adopt(st, empty);
	pfree(empty);
	while (add_best(st, per_byte))
		;
	for (int round = 0; round < MAX_ROUNDS && !st->stopped; round++)
	{
		if (drop_worst(st))
			continue;
		if (exchange_best(st))
			continue;
		if (!add_best(st, per_byte))
			break;
	}
	return glperf_select_gain(st->p, st->config);
}

/*
 * What no set can exceed, as long as more candidates never make a statement
 * dearer; at least what was found.
 */
static double
upper_bound(State *st)
{
	const GlperfSelectProblem *p = st->p;
	double		bound = 0;

	for (int s = 0; s < p->nstatements; s++)
		if (!bitset_empty(p->relevant[s], st->words))
			bound += p->weight[s] *
				Max(0.0, 1.0 - Min(st->lowest[s],
								   p->ratio(p->arg, s, p->relevant[s])));
	return bound;
}

GlperfSelection
glperf_select(const GlperfSelectProblem *p)
{
	GlperfSelection result = {0};
	State		st = {.p = p};
	double		gain;

	st.words = Max(1, bitset_words(p->ncandidates));
	st.config = palloc0(st.words * sizeof(uint64));
	st.trial = palloc0(st.words * sizeof(uint64));
	st.ratio = palloc0(sizeof(double) * (p->nstatements + 1));
	st.lowest = palloc0(sizeof(double) * (p->nstatements + 1));
	st.refuted = palloc0(sizeof(bool) * (p->nmoves + 1));
	for (int s = 0; s < p->nstatements; s++)
	{
		st.total_weight += p->weight[s];
		st.lowest[s] = 1.0;
	}
	result.chosen = palloc0(st.words * sizeof(uint64));

	result.gain = search(&st, true);
	memcpy(result.chosen, st.config, st.words * sizeof(uint64));
	if (!st.stopped)
	{
		gain = search(&st, false);
		if (!st.stopped && gain > result.gain + st.total_weight * EPSILON)
		{
			result.gain = gain;
			memcpy(result.chosen, st.config, st.words * sizeof(uint64));
		}
	}
	result.complete = !st.stopped;
	result.bound = upper_bound(&st);
	return result;
}

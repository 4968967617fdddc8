/*
 * select.c
 *		Choosing a set of candidates.
 *
 * Greedy over a fixed candidate set, by gain per byte, by gain, and between
 * the two; then local search that drops, exchanges and forces in until nothing
 * improves.  All of this goes by estimates.  The best end is made sure of, and
 * searched on from as long as that tells something new.  Candidates never grow
 * in here.  The upper bound is the sum, over statements, of what each would
 * gain from all of its candidates at once with no write cost.
 */
#include "select_state.h"

#include <math.h>

/* rounds of local search; each ends in at least one strict improvement */
#define MAX_ROUNDS		60
/* most moves that refill the room which something left */
#define MAX_PICKS		3
/* a problem with no more moves than this is small */
#define SMALL_MOVES		200
/* no more places than this are few */
#define FEW_PLACES		12
/* times that the end of a search is made sure of */
#define MAX_VERIFIED	6
/* so many of them in a row that came to nothing are enough */
#define MAX_IN_VAIN		2
/* what a search after that must promise to be made sure of, by workload */
#define WORTH_VERIFYING	1e-4

/* a statement with this share of the workload is worth finding out what slows it */
#define WORTH_BLAMING	0.01

/* Not bytes count, but shares of both budgets. */
#define SHARES			(-1.0)

/* How much bytes count in the greedy searches. */
static const double byte_powers[] = {1.0, 0.0, 0.5, 0.75, SHARES};

/*
 * What a member has to save in the stages of a search, by workload; see
 * glperf_select().
 */
static const double prices[] = {0.005, 0.001, 0};

/* A set to come back to. */
typedef struct Saved
{
	uint64	   *config;
	double		score;
} Saved;

double
glperf_select_gain(const GlperfSelectProblem *p, const uint64 *config)
{
	double		gain = 0;
	int			words = bitset_words(p->ncandidates);

	for (int c = 0; c < p->ncandidates; c++)
		if (bitset_get(config, c))
			gain -= p->write_cost[c];
	for (int s = 0; s < p->nstatements; s++)
		if (bitset_overlap(p->relevant[s], config, words))
			gain += p->weight[s] *
				(1.0 - glperf_select_trusted(p, p->ratio(p->arg, s, config)));
	return gain;
}

/* Smallest improvement worth a change. */
static double
epsilon(const GlperfSelectState *st)
{
	return st->total_weight * GLPERF_SELECT_EPSILON;
}

/* Keep the state's set. */
static void
keep(const GlperfSelectState *st, Saved *saved)
{
	memcpy(saved->config, st->config, st->words * sizeof(uint64));
	saved->score = glperf_select_score(st);
}

/* A set to keep others in. */
static Saved
nothing_saved(const GlperfSelectState *st)
{
	Saved		saved = {palloc0(st->words * sizeof(uint64)), 0};

	return saved;
}

/* Is some candidate of the move redundant beside the set, or banned? */
static bool
redundant(const GlperfSelectState *st, const GlperfMove *move)
{
	for (int i = 0; i < move->nmembers; i++)
	{
		int			c = move->members[i];

		if (bitset_get(st->banned, c))
			return true;
		if (st->p->covers == NULL || bitset_get(st->config, c))
			continue;
		if (bitset_overlap(st->p->covers[c], st->config, st->words))
			return true;
		for (int w = 0; w < st->words; w++)
			for (uint64 rest = st->config[w]; rest; rest &= rest - 1)
				if (bitset_get(st->p->covers[w * 64 + bitset_lowest(rest)], c))
					return true;
		for (int j = 0; j < i; j++)
			if (glperf_select_conflicts(st, c, move->members[j]))
				return true;
	}
	return false;
}

/* A move that is not evaluated yet: its score at most, by some measure. */
typedef struct Hope
{
	int			move;
	double		score;
} Hope;

/* For qsort(): the most promising first, then the lower number. */
static int
compare_hopes(const void *a, const void *b)
{
	const Hope *ha = a;
	const Hope *hb = b;

	if (ha->score != hb->score)
		return ha->score > hb->score ? -1 : 1;
	return ha->move - hb->move;
}

/* What a gain counts for when it takes so many bytes and places. */
static double
weight_of(const GlperfSelectState *st, double byte_power, double bytes,
		  int count)
{
	const GlperfSelectProblem *p = st->p;

	if (byte_power == SHARES)
		return 1 / ((p->budget > 0 ? bytes / p->budget : 0) +
					(double) count / p->max_candidates);
	if (byte_power == 0)
		return 1;
	if (byte_power == 1)
		return 1 / Max(bytes, 1.0);
	return pow(Max(bytes, 1.0), -byte_power);
}

/* Least that a move has to gain. */
static double
least_gain(const GlperfSelectState *st, int count)
{
	return Max(epsilon(st), st->min_gain * count);
}

/*
 * List the moves that fit and may gain enough, the most promising first;
 * *most is what one can gain beyond what its members have to.
 */
static int
list_hopes(GlperfSelectState *st, double byte_power, Hope *hopes,
		   double *most)
{
	int			n = 0;

	*most = 0;
	for (int m = 0; m < st->p->nmoves; m++)
	{
		int			count;
		double		bytes = glperf_select_added(st, &st->moves[m], &count);
		double		gain;

		if (count == 0 || !glperf_select_fits(st, bytes, count))
			continue;
		gain = glperf_select_most_gain(st, &st->moves[m]);
		if (gain < least_gain(st, count))
			continue;
		*most = Max(*most, gain - st->min_gain * count);
		hopes[n].move = m;
		hopes[n++].score = gain * weight_of(st, byte_power, bytes, count);
	}
	qsort(hopes, n, sizeof(Hope), compare_hopes);
	return n;
}

/*
 * The best move by gain over bytes to a power, of those listed; NULL when none
 * gains enough.  floor is a gain that it has to reach.  Of two alike the
 * smaller is better, then the lower number.
 */
static GlperfMove *
best_move(GlperfSelectState *st, double byte_power, const Hope *hopes,
		  int nhopes, double floor)
{
	double		best_score = 0;
	double		best_bytes = 0;
	GlperfMove *best = NULL;

	for (int i = 0; i < nhopes; i++)
	{
		GlperfMove *move = &st->moves[hopes[i].move];
		int			count;
		double		bytes;
		double		weight;
		double		least;
		double		gain;
		double		score;

		if (hopes[i].score < best_score * (1 - GLPERF_SELECT_EPSILON))
			break;
		if (glperf_select_stopped(st))
			return NULL;
		bytes = glperf_select_added(st, move, &count);
		weight = weight_of(st, byte_power, bytes, count);
		least = Max(floor, least_gain(st, count));
		gain = glperf_select_add_gain(st, move,
									  Max(least, best_score *
										  (1 - GLPERF_SELECT_EPSILON) / weight));
		score = gain * weight;
		if (gain <= epsilon(st) || gain < least ||
			score < best_score * (1 - GLPERF_SELECT_EPSILON))
			continue;
		if (score <= best_score * (1 + GLPERF_SELECT_EPSILON) &&
			(bytes > best_bytes || (bytes == best_bytes && move > best)))
			continue;
		if (!redundant(st, move))
		{
			best_score = score;
			best_bytes = bytes;
			best = move;
		}
	}
	return best;
}

/* Add a move's members. */
static void
add_members(GlperfSelectState *st, const GlperfMove *move)
{
	for (int i = 0; i < move->nmembers; i++)
		glperf_select_add(st, move->members[i]);
}

/*
 * Add up to picks moves, the best by gain over bytes to a power first, and
 * note that the set is no longer part of what it was.  need is what they have
 * to gain together, beyond what their members have to: as soon as that is out
 * of reach nothing is added any more.
 */
static int
add_best(GlperfSelectState *st, double byte_power, int picks, double need)
{
	Hope	   *hopes = palloc(sizeof(Hope) * (st->p->nmoves + 1));
	int			added = 0;

	while (added < picks)
	{
		double		before = glperf_select_score(st);
		double		most;
		int			n = list_hopes(st, byte_power, hopes, &most);
		double		floor = need / (picks - added);
		GlperfMove *best;

		if (need > 0 && most * (picks - added) < need)
			break;
		best = best_move(st, byte_power, hopes, n, floor);
		if (best == NULL)
			break;
		add_members(st, best);
		glperf_select_less(st, false);
		need -= glperf_select_score(st) - before;
		added++;
	}
	pfree(hopes);
	return added;
}

/* Member whose loss costs least, by byte if by_byte; keep has those to stay. */
static int
cheapest_member(GlperfSelectState *st, const GlperfMove *stays, bool by_byte,
				double *gain)
{
	double		best = 0;
	int			cheapest = -1;

	for (int c = 0; c < st->p->ncandidates; c++)
	{
		double		change;
		double		score;
		bool		mine = false;

		if (!bitset_get(st->config, c))
			continue;
		for (int i = 0; stays && i < stays->nmembers; i++)
			mine |= stays->members[i] == c;
		if (mine || glperf_select_stopped(st))
			continue;
		change = glperf_select_drop_gain(st, c) + st->min_gain;
		score = by_byte && change < 0 ?
			change / Max(1.0, st->p->size[c]) : change;
		if (change > GLPERF_FORBIDDEN / 2 && (cheapest < 0 || score > best))
		{
			best = score;
			cheapest = c;
			*gain = change;
		}
	}
	return cheapest;
}

/*
 * Drop members that do not earn their keep, but those of stays; false when all
 * do.
 */
static bool
drop_useless(GlperfSelectState *st, const GlperfMove *stays)
{
	bool		dropped = false;

	for (;;)
	{
		double		gain = 0;
		int			c = cheapest_member(st, stays, false, &gain);

		if (c < 0 || gain < 0 || st->stopped)
			return dropped;
		glperf_select_drop(st, c);
		dropped = true;
	}
}

/* Is the set better than the one saved?  If not, return to that. */
static bool
improved(GlperfSelectState *st, const Saved *before)
{
	if (!st->stopped && glperf_select_fits(st, 0, 0) &&
		glperf_select_score(st) > before->score + epsilon(st))
		return true;
	glperf_select_become(st, before->config);
	return false;
}

/* Let member c make way for something better. */
static bool
exchange(GlperfSelectState *st, int c, Saved *scratch)
{
	bool		better = false;

	keep(st, scratch);
	bitset_add(st->banned, c);
	for (int power = 0; power < 2 && !better; power++)
	{
		double		need;

		glperf_select_less(st, true);
		glperf_select_drop(st, c);
		need = st->slowed > 0 ? 0 :
			scratch->score + epsilon(st) - glperf_select_score(st);
		(void) add_best(st, byte_powers[power], MAX_PICKS, need);
		glperf_select_less(st, false);
		better = improved(st, scratch);
	}
	bitset_del(st->banned, c);
	return better;
}

/* Force a move in: what it makes pointless and what lacks room makes way. */
static bool
force(GlperfSelectState *st, GlperfMove *move, Saved *scratch)
{
	double		gain = glperf_select_add_gain(st, move, GLPERF_FORBIDDEN);

	keep(st, scratch);
	for (int i = 0; i < move->nmembers; i++)
	{
		int			c = move->members[i];

		if (bitset_get(st->config, c))
			continue;
		for (int o = 0; st->p->covers && o < st->p->ncandidates; o++)
			if (bitset_get(st->config, o) && glperf_select_conflicts(st, c, o))
				glperf_select_drop(st, o);
		glperf_select_add(st, c);
	}
	/* one may do what two did */
	drop_useless(st, move);
	while (!glperf_select_fits(st, 0, 0) && !st->stopped)
	{
		double		loss;
		bool		bytes = st->p->budget >= 0 && st->bytes > st->p->budget;
		int			c = cheapest_member(st, move, bytes, &loss);

		if (c < 0)
			break;
		glperf_select_drop(st, c);
	}
	/* what has room now cannot make up for more than it gains by itself */
	if (glperf_select_score(st) > scratch->score - gain &&
		glperf_select_fits(st, 0, 0))
		(void) add_best(st, 1.0, MAX_PICKS,
						scratch->score + epsilon(st) - glperf_select_score(st));
	return improved(st, scratch);
}

/*
 * Could forcing a move in be worth trying?  What makes way for it only makes
 * the set worse, so it has to gain something as the set is.
 */
static bool
worth_forcing(GlperfSelectState *st, GlperfMove *move)
{
	int			count;
	double		bytes = glperf_select_added(st, move, &count);

	return count > 0 && (st->p->budget < 0 || bytes <= st->p->budget) &&
		glperf_select_most_gain(st, move) > epsilon(st) &&
		glperf_select_add_gain(st, move, epsilon(st)) > epsilon(st);
}

/* Change for the better until no change does. */
static void
local_search(GlperfSelectState *st, Saved *best)
{
	Saved		scratch = nothing_saved(st);
	bool		change = true;

	for (int round = 0; round < MAX_ROUNDS && change && !st->stopped; round++)
	{
		change = drop_useless(st, NULL);
		if (add_best(st, 1.0, st->p->ncandidates, 0) > 0)
			change = true;
		for (int c = 0; c < st->p->ncandidates && !st->stopped; c++)
			if (bitset_get(st->config, c) &&
				glperf_select_news(st, &st->single[c]) &&
				exchange(st, c, &scratch))
				change = true;
		for (int m = 0; m < st->p->nmoves && !st->stopped; m++)
			if (worth_forcing(st, &st->moves[m]) &&
				glperf_select_news(st, &st->moves[m]) &&
				force(st, &st->moves[m], &scratch))
				change = true;
		if (!st->stopped && glperf_select_score(st) > best->score)
			keep(st, best);
	}
	pfree(scratch.config);
}

/* Forget the set, and add to it while that gains anything. */
static void
greedy(GlperfSelectState *st, double byte_power, Saved *best)
{
	uint64	   *empty = palloc0(st->words * sizeof(uint64));

	glperf_select_become(st, empty);
	pfree(empty);
	while (add_best(st, byte_power, 1, 0) > 0)
		if (glperf_select_score(st) > best->score)
			keep(st, best);
}

/*
 * The best that greedy and local search find by estimates.  Small problems and
 * those with few places get a local search from the end of every greedy one,
 * big ones from the best.
 */
static void
search(GlperfSelectState *st, Saved *best)
{
	bool		few = st->p->max_candidates >= 0 &&
	st->p->max_candidates <= FEW_PLACES;
	bool		small = few || st->p->nmoves <= SMALL_MOVES;

	for (size_t i = 0; i < lengthof(byte_powers) && !st->stopped; i++)
	{
		/* bytes matter where there is a limit to them */
		if ((byte_powers[i] == SHARES && !few) ||
			(byte_powers[i] > 0 && st->p->budget < 0))
			continue;
		greedy(st, byte_powers[i], best);
		if (small)
			local_search(st, best);
	}
	if (!small && !st->stopped)
	{
		glperf_select_become(st, best->config);
		local_search(st, best);
	}
}

/*
 * The member without which the fewest statements are too slow, or -1.  What
 * those that are too slow now cost without it is made sure of, if they matter:
 * by estimates, the loss of any member would do.
 */
static int
most_in_the_way(GlperfSelectState *st)
{
	int		   *slow = palloc(sizeof(int) * (st->p->nstatements + 1));
	int			nslow = 0;
	int			worst = -1;
	int			fewest = 0;
	double		most = 0;

	for (int s = 0; s < st->p->nstatements; s++)
		if (glperf_select_is_slowed(st, s) &&
			st->p->weight[s] >= st->total_weight * WORTH_BLAMING)
			slow[nslow++] = s;
	for (int c = 0; c < st->p->ncandidates && !st->stopped; c++)
	{
		double		saved;

		if (!bitset_get(st->config, c))
			continue;
		glperf_select_drop(st, c);
		for (int i = 0; i < nslow; i++)
			(void) glperf_select_make_sure(st, slow[i]);
		saved = st->saved - st->upkeep;
		if (worst < 0 || st->slowed < fewest ||
			(st->slowed == fewest && saved > most))
		{
			worst = c;
			fewest = st->slowed;
			most = saved;
		}
		glperf_select_add(st, c);
	}
	pfree(slow);
	return worst;
}

/*
 * Make sure of the state's set.  What turns out to slow down a statement too
 * much loses members until it does not: a search that ends at such sets only
 * would find nothing.
 */
static bool
verify(GlperfSelectState *st)
{
	bool		sure = glperf_select_verify(st);

	while (sure && st->slowed > 0)
	{
		int			c = most_in_the_way(st);

		if (c < 0)
			return false;
		glperf_select_drop(st, c);
		sure = glperf_select_verify(st);
	}
	return sure;
}

/*
 * Make sure of the state's set; search on from it as long as that told
 * something new.  Leaves in best the best set that is sure.
 */
static void
make_sure(GlperfSelectState *st, Saved *best)
{
	const GlperfSelectProblem *p = st->p;
	int			in_vain = 0;

	for (int i = 0; i < MAX_VERIFIED && !st->stopped; i++)
	{
		Saved		next = nothing_saved(st);
		bool		sure = verify(st);

		in_vain++;
		if (sure && glperf_select_score(st) > best->score)
		{
			keep(st, best);
			in_vain = 0;
		}
		if (in_vain == MAX_IN_VAIN || (p->enough && p->enough(p->arg)))
			break;
		/* from the best that is known now */
		next.score = best->score;
		memcpy(next.config, best->config, st->words * sizeof(uint64));
		if (!st->stopped)
			local_search(st, &next);
		/* or from elsewhere, as things look now */
		if (!st->stopped && p->nmoves <= SMALL_MOVES)
			search(st, &next);
		if (next.score <= best->score + st->total_weight * WORTH_VERIFYING)
			break;
		glperf_select_become(st, next.config);
		pfree(next.config);
	}
}

/*
 * What no set can exceed, as long as more candidates never make a statement
 * dearer; at least what was found.
 */
static double
upper_bound(GlperfSelectState *st)
{
	const GlperfSelectProblem *p = st->p;
	double		bound = 0;

	for (int s = 0; s < p->nstatements; s++)
	{
		double		ratio = st->lowest[s];

		if (bitset_empty(p->relevant[s], st->words))
			continue;
		ratio = Min(ratio, p->ratio(p->arg, s, p->relevant[s]));
		if (p->bound)
			ratio = Min(ratio, p->bound(p->arg, s, p->relevant[s]));
		bound += p->weight[s] * Max(0.0, 1.0 - ratio);
	}
	return bound;
}

/*
 * Of the sets found, less the members that do not save what they have to, the
 * one that gains most.  The more members have to save the sooner they are
 * dropped, and in the same order.
 */
static void
choose(GlperfSelectState *st, const Saved *found, int nfound, Saved *best)
{
	double		most = epsilon(st);

	for (int i = 0; i < nfound && !st->stopped; i++)
	{
		double		score;

		glperf_select_become(st, found[i].config);
		score = glperf_select_score(st);
		/* a part of a set that is sure need not be */
		if (drop_useless(st, NULL) &&
			(!verify(st) || glperf_select_score(st) < score))
			glperf_select_become(st, found[i].config);
		if (st->slowed == 0 && st->saved - st->upkeep > most)
		{
			keep(st, best);
			most = st->saved - st->upkeep + epsilon(st);
		}
	}
}

/*
 * What each member has to save keeps the set small, but it also decides where
 * a search ends, and with little room a higher price may end at a better set.
 * So where there is a limit, the search is made for fixed prices from the
 * highest down to the one that is asked for, and the set that gains most for
 * that price is taken.  Asking for less never leads to a worse set.
 */
GlperfSelection
glperf_select(const GlperfSelectProblem *p)
{
	GlperfSelection result = {0};
	GlperfSelectState *st = glperf_select_state(p);
	Saved		best = nothing_saved(st);
	Saved		estimated = nothing_saved(st);
	Saved		found[lengthof(prices)];
	int			nfound = 0;

	for (size_t i = 0; i < lengthof(prices) && !st->stopped; i++)
	{
		double		price = prices[i] * st->total_weight;

		if (p->budget < 0 && p->max_candidates < 0)
		{
			/* nothing competes for room */
			price = p->min_gain;
			i = lengthof(prices);
		}
		else if (i > 0 && prices[i - 1] * st->total_weight <=
				 p->min_gain * (1 + GLPERF_SELECT_EPSILON))
			break;
		st->min_gain = price;
		estimated = nothing_saved(st);
		search(st, &estimated);
		if (st->stopped && p->bound != NULL)
			break;
		glperf_select_become(st, estimated.config);
		found[nfound] = nothing_saved(st);
		make_sure(st, &found[nfound++]);
	}
	st->min_gain = p->min_gain;
	choose(st, found, nfound, &best);
	/* no time to choose, or to make sure of anything */
	for (int i = 0; i < nfound && best.score <= 0; i++)
		best = found[i];
	if (st->stopped && best.score <= 0)
		best = estimated;
	result.chosen = best.config;
	result.gain = glperf_select_gain(p, best.config);
	result.complete = !st->stopped;
	result.bound = upper_bound(st);
	return result;
}

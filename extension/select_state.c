/*
 * select_state.c
 *		A set of candidates under construction, and what changes to it gain.
 *
 * A statement's part of a set is a bit set over its own relevant candidates,
 * mostly one word.  Adding a move touches only statements with a relevant
 * member in it, and what it saves each of them stays what it was until that
 * statement's part changes.
 */
#include "select_state.h"

#include <math.h>

/* The memory starts with this many places, and is emptied at this many. */
#define MEMO_FIRST	4096
#define MEMO_MOST	(1 << 20)

/* A loss is one when it exceeds what arithmetic does by itself. */
#define ROUNDING	1e-9

/* An estimate was right when it differs by no more than this share. */
#define SAME_RATIO	1e-4

double
glperf_select_trusted(const GlperfSelectProblem *p, double ratio)
{
	return ratio > p->trust && ratio <= 1.0 ? 1.0 : ratio;
}

bool
glperf_select_stopped(GlperfSelectState *st)
{
	if (!st->stopped && st->p->stop && st->p->stop(st->p->arg))
		st->stopped = true;
	return st->stopped;
}

double
glperf_select_score(const GlperfSelectState *st)
{
	if (st->slowed > 0)
		return GLPERF_FORBIDDEN;
	return st->saved - st->upkeep - st->min_gain * st->count;
}

bool
glperf_select_fits(const GlperfSelectState *st, double bytes, int count)
{
	const GlperfSelectProblem *p = st->p;

	if (p->budget >= 0 && st->bytes + bytes > p->budget * (1 + ROUNDING))
		return false;
	return p->max_candidates < 0 || st->count + count <= p->max_candidates;
}

double
glperf_select_added(const GlperfSelectState *st, const GlperfMove *move,
					int *count)
{
	double		bytes = 0;

	*count = 0;
	for (int i = 0; i < move->nmembers; i++)
		if (!bitset_get(st->config, move->members[i]))
		{
			bytes += st->p->size[move->members[i]];
			(*count)++;
		}
	return bytes;
}

bool
glperf_select_conflicts(const GlperfSelectState *st, int c, int other)
{
	uint64	   *const *covers = st->p->covers;

	return covers != NULL && c != other &&
		(bitset_get(covers[c], other) || bitset_get(covers[other], c));
}

/* Hash of a statement's part of a set. */
static uint64
hash_key(const GlperfSelectState *st, int s, const uint64 *key)
{
	uint64		h = (uint64) (s + 1) * UINT64CONST(0x9E3779B97F4A7C15);

	for (int w = 0; w < st->nwords[s]; w++)
	{
		h ^= key[w];
		h *= UINT64CONST(0xBF58476D1CE4E5B9);
		h ^= h >> 31;
	}
	return h;
}

/* Place of a statement's key in the memory: where it is, or a free one. */
static GlperfMemo *
find_memo(GlperfSelectState *st, int s, const uint64 *key, uint64 hash)
{
	uint64		i = hash & (st->memo_size - 1);

	for (;; i = (i + 1) & (st->memo_size - 1))
	{
		GlperfMemo *memo = &st->memo[i];

		if (memo->statement < 0 ||
			(memo->word == key[0] && memo->statement == s &&
			 (st->nwords[s] == 1 ||
			  bitset_equal(st->keys + memo->key, key, st->nwords[s]))))
			return memo;
	}
}

/* An empty memory of a size. */
static void
new_memo(GlperfSelectState *st, int size)
{
	st->memo_size = size;
	st->memo_used = 0;
	st->memo = palloc(sizeof(GlperfMemo) * size);
	for (int i = 0; i < size; i++)
		st->memo[i].statement = -1;
}

/* Twice the room; or a fresh start when it has grown too big. */
static void
grow_memo(GlperfSelectState *st)
{
	GlperfMemo *old = st->memo;
	int			size = st->memo_size;

	if (size >= MEMO_MOST)
	{
		pfree(old);
		new_memo(st, size);
		st->nkeys = 0;
		return;
	}
	new_memo(st, size * 2);
	for (int i = 0; i < size; i++)
		if (old[i].statement >= 0)
		{
			const uint64 *key = st->keys + old[i].key;

			*find_memo(st, old[i].statement, key,
					   hash_key(st, old[i].statement, key)) = old[i];
			st->memo_used++;
		}
	pfree(old);
}

/* Room in the memory for a statement's key. */
static GlperfMemo *
make_memo(GlperfSelectState *st, int s, const uint64 *key, uint64 hash)
{
	GlperfMemo *memo;

	if (st->memo_used * 2 >= st->memo_size)
		grow_memo(st);
	if (st->nkeys + st->nwords[s] > st->keys_allocated)
	{
		st->keys_allocated = st->keys_allocated * 2 + st->nwords[s];
		st->keys = repalloc(st->keys, sizeof(uint64) * st->keys_allocated);
	}
	memo = find_memo(st, s, key, hash);
	if (memo->statement < 0)
	{
		memo->statement = s;
		memo->exact = false;
		memo->word = key[0];
		memo->key = st->nkeys;
		memcpy(st->keys + st->nkeys, key, st->nwords[s] * sizeof(uint64));
		st->nkeys += st->nwords[s];
		st->memo_used++;
	}
	return memo;
}

/* A statement's part of a set as a set of candidates, in scratch. */
static const uint64 *
expand(GlperfSelectState *st, int s, const uint64 *key)
{
	memset(st->scratch, 0, st->words * sizeof(uint64));
	for (int w = 0; w < st->nwords[s]; w++)
		for (uint64 rest = key[w]; rest; rest &= rest - 1)
			bitset_add(st->scratch,
					   st->candidates[s][w * 64 + bitset_lowest(rest)]);
	return st->scratch;
}

/* Ratio of a statement under its part of some set, as far as is known. */
static double
estimate(GlperfSelectState *st, int s, const uint64 *key)
{
	const GlperfSelectProblem *p = st->p;
	uint64		hash = hash_key(st, s, key);
	GlperfMemo *memo = find_memo(st, s, key, hash);
	double		ratio;

	if (memo->statement >= 0 && (memo->exact || memo->epoch == st->epoch[s]))
		return memo->ratio;
	if (bitset_empty(key, st->nwords[s]))
		ratio = 1.0;
	else if (p->bound)
		ratio = p->bound(p->arg, s, expand(st, s, key));
	else
		ratio = p->ratio(p->arg, s, expand(st, s, key));
	st->least[s] = Min(st->least[s], ratio);
	memo = make_memo(st, s, key, hash);
	memo->ratio = ratio;
	memo->exact = p->bound == NULL;
	memo->epoch = st->epoch[s];
	if (memo->exact)
		st->lowest[s] = Min(st->lowest[s], ratio);
	return ratio;
}

/* The ratio that a statement may not exceed. */
static double
limit_of(const GlperfSelectState *st, int s)
{
	return st->p->limit ? st->p->limit[s] : 1.0 + st->p->max_regression;
}

bool
glperf_select_is_slowed(const GlperfSelectState *st, int s)
{
	return st->ratio[s] > limit_of(st, s);
}

/* Would a statement slow down more than is allowed, and than it does now? */
static bool
regresses(const GlperfSelectState *st, int s, double ratio)
{
	return ratio > limit_of(st, s) && ratio > st->ratio[s] * (1 + ROUNDING);
}

/*
 * Saving of a statement by another part than it has; GLPERF_FORBIDDEN when
 * it regresses too much.
 */
static double
saving(GlperfSelectState *st, int s, const uint64 *key)
{
	double		ratio = estimate(st, s, key);

	if (regresses(st, s, ratio))
		return GLPERF_FORBIDDEN;
	return st->p->weight[s] * (glperf_select_trusted(st->p, st->ratio[s]) -
							   glperf_select_trusted(st->p, ratio));
}

/* Saving of a statement by adding what the touch says. */
static double
touch_saving(GlperfSelectState *st, GlperfTouch *touch)
{
	int			s = touch->statement;
	const uint64 *mask = st->masks + touch->mask;
	const uint64 *now = st->local + st->first[s];

	if (touch->seen[0] == st->mark[s])
		return touch->saving[0];
	if (touch->seen[1] == st->mark[s])
	{
		/* the other one is the older now */
		double		known = touch->saving[1];

		touch->seen[1] = touch->seen[0];
		touch->saving[1] = touch->saving[0];
		touch->seen[0] = st->mark[s];
		touch->saving[0] = known;
		return known;
	}
	for (int w = 0; w < st->nwords[s]; w++)
		st->key[w] = now[w] | mask[w];
	touch->seen[1] = touch->seen[0];
	touch->saving[1] = touch->saving[0];
	touch->seen[0] = st->mark[s];
	touch->saving[0] = bitset_equal(st->key, now, st->nwords[s]) ? 0 :
		saving(st, s, st->key);
	return touch->saving[0];
}

bool
glperf_select_news(GlperfSelectState *st, GlperfMove *move)
{
	uint64		now = (uint64) (st->min_gain * 1e6) + 1;
	bool		news;

	for (int t = 0; t < move->ntouches; t++)
		now = (now ^ st->mark[move->touches[t].statement]) *
			UINT64CONST(0x9E3779B97F4A7C15);
	news = now != move->tried || st->bytes < move->tried_bytes ||
		st->count < move->tried_count;
	move->tried = now;
	move->tried_bytes = st->bytes;
	move->tried_count = st->count;
	return news;
}

void
glperf_select_less(GlperfSelectState *st, bool less)
{
	st->had_more = less && st->p->bound != NULL;
	if (!st->had_more)
		return;
	memcpy(st->more_mark, st->mark, sizeof(uint64) * st->p->nstatements);
	memcpy(st->more_ratio, st->ratio, sizeof(double) * st->p->nstatements);
}

/*
 * The most that a touch can save a statement: what would be left of its cost
 * is no less than ever estimated, or than with a set that had more.
 */
static double
most_saving(const GlperfSelectState *st, const GlperfTouch *touch)
{
	int			s = touch->statement;
	double		now = glperf_select_trusted(st->p, st->ratio[s]);
	double		saving = now - glperf_select_trusted(st->p, st->least[s]);

	for (int i = 0; i < 2 && st->had_more; i++)
		if (touch->seen[i] == st->more_mark[s] &&
			touch->saving[i] > GLPERF_FORBIDDEN)
			return Min(st->p->weight[s] * saving,
					   st->p->weight[s] *
					   (now - glperf_select_trusted(st->p, st->more_ratio[s])) +
					   touch->saving[i]);
	return st->p->weight[s] * saving;
}

/* What adding a move costs in upkeep. */
static double
added_upkeep(const GlperfSelectState *st, const GlperfMove *move)
{
	double		upkeep = 0;

	for (int i = 0; i < move->nmembers; i++)
		if (!bitset_get(st->config, move->members[i]))
			upkeep += st->p->write_cost[move->members[i]];
	return upkeep;
}

/* Is it remembered what a touch saves?  If not, the most that it can. */
static bool
known_saving(const GlperfSelectState *st, const GlperfTouch *touch,
			 double *saving)
{
	for (int i = 0; i < 2; i++)
		if (touch->seen[i] == st->mark[touch->statement])
		{
			*saving = touch->saving[i];
			return true;
		}
	*saving = most_saving(st, touch);
	return false;
}

double
glperf_select_most_gain(const GlperfSelectState *st, const GlperfMove *move)
{
	double		gain = -added_upkeep(st, move);

	for (int t = 0; t < move->ntouches; t++)
	{
		double		change;

		if (!known_saving(st, &move->touches[t], &change) &&
			st->p->bound == NULL)
			return -GLPERF_FORBIDDEN;
		if (change <= GLPERF_FORBIDDEN)
			return change;
		gain += change;
	}
	return gain;
}

/* Note a touch that is not known of, those that may save most in front. */
static void
note_unknown(GlperfSelectState *st, int n, int touch, double most)
{
	int			at = n;

	for (; at > 0 && st->unknown[at - 1].most < most; at--)
		st->unknown[at] = st->unknown[at - 1];
	st->unknown[at].touch = touch;
	st->unknown[at].most = most;
}

double
glperf_select_add_gain(GlperfSelectState *st, GlperfMove *move, double least)
{
	double		gain = -added_upkeep(st, move);
	int			unknown = 0;

	for (int t = 0; t < move->ntouches; t++)
	{
		double		change;

		if (!known_saving(st, &move->touches[t], &change))
			note_unknown(st, unknown++, t, change);
		if (change <= GLPERF_FORBIDDEN)
			return change;
		gain += change;
	}
	/* from the most that it can be to what it is, as far as that matters */
	for (int i = 0; i < unknown; i++)
	{
		double		change;

		if (gain < least && st->p->bound)
			return gain;
		change = touch_saving(st, &move->touches[st->unknown[i].touch]);
		if (change <= GLPERF_FORBIDDEN)
			return change;
		gain += change - st->unknown[i].most;
	}
	return gain;
}

double
glperf_select_drop_gain(GlperfSelectState *st, int c)
{
	GlperfMove *move = &st->single[c];
	double		gain = st->p->write_cost[c];

	for (int t = 0; t < move->ntouches; t++)
	{
		int			s = move->touches[t].statement;
		const uint64 *mask = st->masks + move->touches[t].mask;
		const uint64 *now = st->local + st->first[s];
		double		change;

		for (int w = 0; w < st->nwords[s]; w++)
			st->key[w] = now[w] & ~mask[w];
		change = saving(st, s, st->key);
		if (change <= GLPERF_FORBIDDEN)
			return change;
		gain += change;
	}
	return gain;
}

/* A statement's ratio changed. */
static void
set_ratio(GlperfSelectState *st, int s, double ratio)
{
	double		limit = limit_of(st, s);

	st->slowed += (ratio > limit) - (st->ratio[s] > limit);
	st->saved += st->p->weight[s] *
		(glperf_select_trusted(st->p, st->ratio[s]) -
		 glperf_select_trusted(st->p, ratio));
	st->ratio[s] = ratio;
	st->mark[s] = hash_key(st, s, st->local + st->first[s]) +
		(uint64) st->epoch[s] + 1;
}

/* Let the statements know that c came or went. */
static void
tell_statements(GlperfSelectState *st, int c)
{
	GlperfMove *move = &st->single[c];

	for (int t = 0; t < move->ntouches; t++)
	{
		int			s = move->touches[t].statement;
		const uint64 *mask = st->masks + move->touches[t].mask;
		uint64	   *now = st->local + st->first[s];

		for (int w = 0; w < st->nwords[s]; w++)
			now[w] ^= mask[w];
		set_ratio(st, s, estimate(st, s, now));
	}
}

void
glperf_select_add(GlperfSelectState *st, int c)
{
	if (bitset_get(st->config, c))
		return;
	bitset_add(st->config, c);
	st->bytes += st->p->size[c];
	st->upkeep += st->p->write_cost[c];
	st->count++;
	tell_statements(st, c);
}

void
glperf_select_drop(GlperfSelectState *st, int c)
{
	if (!bitset_get(st->config, c))
		return;
	bitset_del(st->config, c);
	st->bytes -= st->p->size[c];
	st->upkeep -= st->p->write_cost[c];
	st->count--;
	tell_statements(st, c);
}

void
glperf_select_become(GlperfSelectState *st, const uint64 *config)
{
	for (int c = 0; c < st->p->ncandidates; c++)
	{
		if (bitset_get(config, c))
			glperf_select_add(st, c);
		else
			glperf_select_drop(st, c);
	}
	/* sums that come and go gather rounding errors */
	if (st->count == 0)
		st->bytes = st->upkeep = st->saved = 0;
}

bool
glperf_select_make_sure(GlperfSelectState *st, int s)
{
	uint64	   *now = st->local + st->first[s];
	GlperfMemo *memo;
	double		ratio;

	if (bitset_empty(now, st->nwords[s]))
		return true;
	if (glperf_select_stopped(st))
		return false;
	memo = make_memo(st, s, now, hash_key(st, s, now));
	if (memo->exact)
		return true;
	ratio = st->p->ratio(st->p->arg, s, expand(st, s, now));
	memo->ratio = ratio;
	memo->exact = true;
	st->lowest[s] = Min(st->lowest[s], ratio);
	st->least[s] = Min(st->least[s], ratio);
	/* a plan was made, which tells of other sets too if it is new */
	if (fabs(ratio - st->ratio[s]) > SAME_RATIO * ratio)
		st->epoch[s]++;
	memo->epoch = st->epoch[s];
	set_ratio(st, s, ratio);
	return true;
}

bool
glperf_select_verify(GlperfSelectState *st)
{
	for (int s = 0; s < st->p->nstatements; s++)
		if (!glperf_select_make_sure(st, s))
			return false;
	return true;
}

/* Note that a move matters to statement s; its mask, all clear, in masks[]. */
static uint64 *
add_touch(GlperfSelectState *st, GlperfMove *move, int s)
{
	/* lists grow when their length is a power of 2 */
	if ((move->ntouches & (move->ntouches - 1)) == 0)
	{
		int			room = Max(1, move->ntouches * 2);

		move->touches = move->touches ?
			repalloc(move->touches, sizeof(GlperfTouch) * room) :
			palloc(sizeof(GlperfTouch) * room);
	}
	if (st->nmasks + st->nwords[s] > st->masks_allocated)
	{
		st->masks_allocated = st->masks_allocated * 2 + st->nwords[s];
		st->masks = repalloc(st->masks, sizeof(uint64) * st->masks_allocated);
	}
	memset(&move->touches[move->ntouches], 0, sizeof(GlperfTouch));
	move->touches[move->ntouches].statement = s;
	move->touches[move->ntouches++].mask = st->nmasks;
	memset(st->masks + st->nmasks, 0, st->nwords[s] * sizeof(uint64));
	st->nmasks += st->nwords[s];
	return st->masks + st->nmasks - st->nwords[s];
}

/* Number a statement's own candidates, and let them know of it. */
static void
add_statement(GlperfSelectState *st, int s)
{
	const GlperfSelectProblem *p = st->p;
	int			n = 0;

	for (int c = 0; c < p->ncandidates; c++)
		if (bitset_get(p->relevant[s], c))
			n++;
	st->nwords[s] = bitset_words(n);
	st->first[s] = s == 0 ? 0 : st->first[s - 1] + st->nwords[s - 1];
	st->candidates[s] = palloc(sizeof(int) * (n + 1));
	st->ratio[s] = st->lowest[s] = st->least[s] = 1.0;
	if (p->bound && n > 0)
		st->least[s] = Min(1.0, p->bound(p->arg, s, p->relevant[s]));
	st->total_weight += p->weight[s];
	n = 0;
	for (int c = 0; c < p->ncandidates; c++)
		if (bitset_get(p->relevant[s], c))
		{
			bitset_add(add_touch(st, &st->single[c], s), n);
			st->candidates[s][n++] = c;
		}
}

/* Fill in a move from what its members touch, statements in order. */
static void
add_move(GlperfSelectState *st, GlperfMove *move, const uint64 *set)
{
	const GlperfSelectProblem *p = st->p;
	int		   *at;

	for (int c = 0; c < p->ncandidates; c++)
		if (bitset_get(set, c))
			move->nmembers++;
	move->members = palloc(sizeof(int) * (move->nmembers + 1));
	move->nmembers = 0;
	for (int c = 0; c < p->ncandidates; c++)
		if (bitset_get(set, c))
			move->members[move->nmembers++] = c;
	at = palloc0(sizeof(int) * (move->nmembers + 1));
	for (;;)
	{
		int			s = p->nstatements;
		uint64	   *mask;

		for (int i = 0; i < move->nmembers; i++)
		{
			GlperfMove *single = &st->single[move->members[i]];

			if (at[i] < single->ntouches)
				s = Min(s, single->touches[at[i]].statement);
		}
		if (s == p->nstatements)
			break;
		mask = add_touch(st, move, s);
		for (int i = 0; i < move->nmembers; i++)
		{
			GlperfMove *single = &st->single[move->members[i]];

			if (at[i] < single->ntouches &&
				single->touches[at[i]].statement == s)
				bitset_union(mask, st->masks + single->touches[at[i]++].mask,
							 st->nwords[s]);
		}
	}
	pfree(at);
}

GlperfSelectState *
glperf_select_state(const GlperfSelectProblem *p)
{
	GlperfSelectState *st = palloc0(sizeof(GlperfSelectState));
	int			n = p->nstatements + 1;
	int			widest = 1;

	st->p = p;
	st->min_gain = p->min_gain;
	st->words = Max(1, bitset_words(p->ncandidates));
	st->config = palloc0(st->words * sizeof(uint64));
	st->banned = palloc0(st->words * sizeof(uint64));
	st->scratch = palloc0(st->words * sizeof(uint64));
	st->first = palloc0(n * sizeof(int));
	st->nwords = palloc0(n * sizeof(int));
	st->candidates = palloc0(n * sizeof(int *));
	st->ratio = palloc0(n * sizeof(double));
	st->lowest = palloc0(n * sizeof(double));
	st->least = palloc0(n * sizeof(double));
	st->mark = palloc0(n * sizeof(uint64));
	st->epoch = palloc0(n * sizeof(int));
	st->more_mark = palloc0(n * sizeof(uint64));
	st->more_ratio = palloc0(n * sizeof(double));
	st->unknown = palloc(n * sizeof(GlperfUnknown));
	st->masks_allocated = st->keys_allocated = 1024;
	st->masks = palloc(sizeof(uint64) * st->masks_allocated);
	st->keys = palloc(sizeof(uint64) * st->keys_allocated);
	st->single = palloc0(sizeof(GlperfMove) * (p->ncandidates + 1));
	st->moves = palloc0(sizeof(GlperfMove) * (p->nmoves + 1));
	new_memo(st, MEMO_FIRST);
	for (int s = 0; s < p->nstatements; s++)
	{
		add_statement(st, s);
		widest = Max(widest, st->nwords[s]);
	}
	st->key = palloc0(widest * sizeof(uint64));
	if (p->nstatements > 0)
		n = st->first[p->nstatements - 1] + st->nwords[p->nstatements - 1];
	st->local = palloc0((n + 1) * sizeof(uint64));
	for (int s = 0; s < p->nstatements; s++)
		set_ratio(st, s, 1.0);
	for (int c = 0; c < p->ncandidates; c++)
	{
		st->single[c].members = palloc(sizeof(int));
		st->single[c].members[0] = c;
		st->single[c].nmembers = 1;
	}
	for (int m = 0; m < p->nmoves; m++)
		add_move(st, &st->moves[m], p->moves[m]);
	return st;
}

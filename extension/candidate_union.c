/*
 * candidate_union.c
 *		One index where several statements ask for different columns of it.
 *
 * Two statements search a table by the same column, and each asks for an index
 * that includes the columns which it alone reads.  One index with the columns
 * of both does the work of the two, for little more space than either.  It may
 * also be the only way: with one of two narrow indexes the planner may use it
 * for both statements, and fetch rows from all over the table for the other.
 */
#include "candidates.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* How often unions are united. */
#define ROUNDS			2
/* Among more candidates than these the search has sets enough to end at. */
#define MOST_CANDIDATES	500

/* A pair worth uniting. */
typedef struct Pair
{
	int			narrow;			/* its keys lead those of the other */
	int			wide;
	double		score;
} Pair;

/* For qsort(): the best first, then by number. */
static int
compare_pairs(const void *a, const void *b)
{
	const Pair *pa = a;
	const Pair *pb = b;

	if (pa->score != pb->score)
		return pa->score > pb->score ? -1 : 1;
	return pa->narrow != pb->narrow ? pa->narrow - pb->narrow :
		pa->wide - pb->wide;
}

/* Weight of those who ask for one candidate and not for another. */
static double
weight_beside(const GlperfAskers *askers, int one, int other)
{
	double		weight = 0;
	int			s = -1;

	while ((s = bms_next_member(askers->of[one], s)) >= 0)
		if (!bms_is_member(s, askers->of[other]))
			weight += askers->weight[s];
	return weight;
}

/* All pairs worth uniting of which one is new, the best first. */
static int
find_pairs(const GlperfCandidates *set, const GlperfAskers *askers, int new,
		   Pair **pairs)
{
	int			n = 0;
	int			allocated = 64;

	*pairs = palloc(sizeof(Pair) * allocated);
	for (int i = 0; i < set->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!set->items[i].supported)
			continue;
		for (int j = i < new ? new : 0; j < set->n; j++)
		{
			Pair		pair = {i, j};

			if (j == i || !set->items[j].supported ||
				!glperf_index_def_can_unite(set->items[i].def,
											set->items[j].def))
				continue;
			/* it is worth it for the one who has less of it */
			pair.score = Min(weight_beside(askers, i, j),
							 weight_beside(askers, j, i));
			if (pair.score <= 0)
				continue;
			if (n == allocated)
				*pairs = repalloc(*pairs, sizeof(Pair) * (allocated *= 2));
			(*pairs)[n++] = pair;
		}
	}
	qsort(*pairs, n, sizeof(Pair), compare_pairs);
	return n;
}

/* Add the union of a pair; false: no room for more candidates. */
static bool
unite(GlperfCandidates *set, GlperfAskers *askers, const Pair *pair)
{
	GlperfHarvest nobody = {.set = set};
	GlperfIndexDef both = *set->items[pair->wide].def;
	int			before = set->n;
	int			number;

	glperf_index_def_unite(&both, set->items[pair->narrow].def);
	glperf_candidates_propose(&nobody, &both, "what several statements ask for");
	if (nobody.proposed == NIL)
		return false;
	number = llast_int(nobody.proposed);
	if (set->n == before)
		return true;			/* somebody asks for just that */
	set->items[number].supported = true;
	set->items[number].united = true;
	set->items[number].ordered = set->items[pair->wide].ordered ||
		set->items[pair->narrow].ordered;
	askers->of[number] = bms_union(askers->of[pair->narrow],
								   askers->of[pair->wide]);
	return true;
}

void
glperf_candidates_unite(GlperfCandidates *set, GlperfAskers *askers)
{
	int			new = 0;
	int			room = set->n <= MOST_CANDIDATES ? GLPERF_MAX_UNIONS : 0;

	for (int round = 0; round < ROUNDS && room > 0; round++)
	{
		int			n = set->n;
		Pair	   *pairs;
		int			npairs = find_pairs(set, askers, new, &pairs);

		/* half of the room is for unions of unions */
		int			most = round < ROUNDS - 1 ? room / 2 : room;

		for (int i = 0; i < npairs && set->n - n < most; i++)
			if (!unite(set, askers, &pairs[i]))
				return;
		pfree(pairs);
		room -= set->n - n;
		new = n;
	}
}

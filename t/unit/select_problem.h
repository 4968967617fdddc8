/*
 * select_problem.h
 *		Problems for the unit tests of selection, and what solves them exactly.
 */
#ifndef SELECT_PROBLEM_H
#define SELECT_PROBLEM_H

#include "select.h"
#include "tap.h"

#define MAX_STATEMENTS	40
#define MAX_CANDIDATES	40
#define MAX_PLANS		8
#define MAX_MOVES		400
#define MAX_ASKED		1000

/* A way of running a statement: what it needs and how dear it is. */
typedef struct TestPlan
{
	uint64		used;
	double		ratio;
} TestPlan;

/* A problem, mostly small enough to try all sets; one word holds every set. */
typedef struct TestProblem
{
	GlperfSelectProblem p;
	TestPlan	plans[MAX_STATEMENTS][MAX_PLANS];
	int			nplans[MAX_STATEMENTS];
	uint64		harmful[MAX_STATEMENTS];	/* members that lure the planner */
	double		weight[MAX_STATEMENTS];
	uint64		relevant_set[MAX_STATEMENTS];
	uint64	   *relevant[MAX_STATEMENTS];
	double		size[MAX_CANDIDATES];
	double		write_cost[MAX_CANDIDATES];
	uint64		covers_set[MAX_CANDIDATES];
	uint64	   *covers[MAX_CANDIDATES];
	uint64		move_set[MAX_MOVES];
	uint64	   *moves[MAX_MOVES];
	uint64		asked[MAX_STATEMENTS][MAX_ASKED];	/* of ratio() */
	int			nasked[MAX_STATEMENTS];
	bool		met[MAX_STATEMENTS][MAX_PLANS]; /* by ratio() */
	bool		plan_first;		/* ask what all candidates at once cost */
	long		calls;
	long		stop_after;		/* calls of stop() before it says yes; < 0
								 * never */
} TestProblem;

/* A uniform number in [0, 1) from a fixed sequence. */
static double
uniform(void)
{
	static uint64 state = UINT64CONST(0x2545F4914F6CDD1D);

	return uniform_next(&state);
}

/* Cheapest plan that the set allows; worse with something harmful in it. */
static double
test_ratio(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;
	double		best = 1.0;

	t->calls++;
	for (int i = 0; i < t->nplans[statement]; i++)
		if ((t->plans[statement][i].used & ~*config) == 0)
			best = Min(best, t->plans[statement][i].ratio);
	if (*config & t->harmful[statement])
		best *= 1.5;
	return best;
}

/*
 * An estimate without the expense, as the server's: exact where ratio() was
 * asked, else knowing some of the plans only, or believing one too good.
 */
static double
test_bound(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;
	uint64		mine = *config & t->relevant_set[statement];
	double		best = 1.0;

	for (int i = 0; i < t->nasked[statement]; i++)
		if (t->asked[statement][i] == mine)
			return test_ratio(arg, statement, config);
	for (int i = 0; i < t->nplans[statement]; i++)
		if ((t->plans[statement][i].used & ~*config) == 0 &&
			((i + statement) % 5 != 0 || t->met[statement][i]))
			best = Min(best, t->plans[statement][i].ratio);
	return (statement + mine) % 7 == 3 ? best * 0.8 : best;
}

/* The truth, which is remembered. */
static double
test_asked_ratio(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;

	double		ratio = test_ratio(arg, statement, config);

	if (t->nasked[statement] < MAX_ASKED)
		t->asked[statement][t->nasked[statement]++] =
			*config & t->relevant_set[statement];
	/* the plan that was made is known from now on */
	for (int i = 0; i < t->nplans[statement]; i++)
		if ((t->plans[statement][i].used & ~*config) == 0 &&
			t->plans[statement][i].ratio <= ratio)
			t->met[statement][i] = true;
	return ratio;
}

/* Has the search been allowed enough? */
static bool
test_stop(void *arg)
{
	TestProblem *t = arg;

	return t->stop_after >= 0 && t->stop_after-- <= 0;
}

/* Offer a set as a move, once. */
static void
offer(TestProblem *t, uint64 set)
{
	for (int m = 0; m < t->p.nmoves; m++)
		if (t->move_set[m] == set)
			return;
	t->move_set[t->p.nmoves] = set;
	t->moves[t->p.nmoves] = &t->move_set[t->p.nmoves];
	t->p.nmoves++;
}

/* An empty problem of this many statements and candidates. */
static TestProblem *
make_problem(int nstatements, int ncandidates)
{
	TestProblem *t = pg_malloc0(sizeof(TestProblem));

	t->stop_after = -1;
	for (int s = 0; s < nstatements; s++)
	{
		t->weight[s] = 100;
		t->relevant[s] = &t->relevant_set[s];
	}
	for (int c = 0; c < ncandidates; c++)
	{
		t->size[c] = 1;
		t->covers[c] = &t->covers_set[c];
	}
	t->p.nstatements = nstatements;
	t->p.ncandidates = ncandidates;
	t->p.weight = t->weight;
	t->p.relevant = t->relevant;
	t->p.size = t->size;
	t->p.write_cost = t->write_cost;
	t->p.moves = t->moves;
	t->p.budget = -1;
	t->p.max_candidates = -1;
	t->p.trust = 1.0;
	t->p.max_regression = 0.1;
	t->p.ratio = test_ratio;
	t->p.stop = test_stop;
	t->p.arg = t;
	for (int c = 0; c < ncandidates; c++)
		offer(t, UINT64CONST(1) << c);
	return t;
}

/* Give a statement a plan, and selection the move that makes it possible. */
static void
add_plan(TestProblem *t, int statement, uint64 used, double ratio)
{
	TestPlan   *plan = &t->plans[statement][t->nplans[statement]++];

	plan->used = used;
	plan->ratio = ratio;
	t->relevant_set[statement] |= used;
	offer(t, used);
}

/* Number of members. */
static int
set_count(uint64 set)
{
	int			n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

#endif							/* SELECT_PROBLEM_H */

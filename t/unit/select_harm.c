/*
 * select_harm.c
 *		Unit test of selection: what to do about sets that turn out to do harm.
 *
 * Failures proved: a search whose ends all turn out to do harm returns nothing,
 * or loses what is not to blame.
 *
 * unit: extension/select.c
 * unit: extension/select_state.c
 */
#include "postgres_fe.h"

#include <math.h>

#include "select.h"

#include "tap.h"
#include "select_problem.h"

/* Each candidate helps its statement; more than two harm the last one. */
static double
crowded_ratio(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;

	if (statement < t->p.ncandidates)
		return (*config >> statement & 1) ? 0.5 : 1.0;
	if (t->nasked[statement] < MAX_ASKED)
		t->asked[statement][t->nasked[statement]++] = *config;
	return set_count(*config) > 2 ? 1.5 : 1.0;
}

/* The same, which knows of harm only from the sets that were asked for. */
static double
crowded_bound(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;

	for (int i = 0; i < t->nasked[statement]; i++)
		if (t->asked[statement][i] == *config)
			return crowded_ratio(arg, statement, config);
	return statement < t->p.ncandidates ?
		crowded_ratio(arg, statement, config) : 1.0;
}

/* One set after the other turns out to do harm. */
static void
test_harm_found_late(void)
{
	TestProblem *t = make_problem(10, 9);
	GlperfSelection result;

	for (int c = 0; c < 9; c++)
		add_plan(t, c, UINT64CONST(1) << c, 0.5);
	t->relevant_set[9] = (UINT64CONST(1) << 9) - 1;
	t->p.ratio = crowded_ratio;
	t->p.bound = crowded_bound;
	result = glperf_select(&t->p);
	ok(set_count(*result.chosen) == 2,
	   "sets that turn out to do harm are mended, not given up");
}

/* Candidate 5 has its use, but lures the plan of the first statement. */
static double
lured_ratio(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;

	if (statement > 0)
		return (*config >> statement & 1) ? 0.5 : 1.0;
	if (t->nasked[0] < MAX_ASKED)
		t->asked[0][t->nasked[0]++] = *config;
	return (*config >> 5 & 1) ? 1.5 : (*config & 1) ? 0.1 : 1.0;
}

/* The same, which knows of that only from the sets that were asked for. */
static double
lured_bound(void *arg, int statement, const uint64 *config)
{
	TestProblem *t = arg;

	for (int i = 0; i < t->nasked[statement]; i++)
		if (t->asked[statement][i] == *config)
			return lured_ratio(arg, statement, config);
	return statement > 0 ? lured_ratio(arg, statement, config) :
		(*config & 1) ? 0.1 : 1.0;
}

/* Who is in the way is found out, not who is missed least. */
static void
test_culprit(void)
{
	TestProblem *t = make_problem(20, 20);
	uint64		all = (UINT64CONST(1) << 20) - 1;
	GlperfSelection result;

	for (int c = 0; c < 20; c++)
		add_plan(t, c, UINT64CONST(1) << c, 0.5);
	t->weight[0] = 2000;
	t->weight[5] = 200;
	t->relevant_set[0] = all;
	t->p.ratio = lured_ratio;
	t->p.bound = lured_bound;
	result = glperf_select(&t->p);
	ok(*result.chosen == (all & ~(UINT64CONST(1) << 5)),
	   "of a set that turns out to do harm, only the culprit goes");
}

/* Run everything and close the TAP stream. */
int
main(void)
{
	test_harm_found_late();
	test_culprit();
	printf("1..%d\n", number);
	return 0;
}

/*
 * select.c
 *		Unit test of selection: constraints, quality, traps, interruption.
 *
 * Failures proved: a budget, the count limit or the regression limit is
 * broken; the gain that is claimed is not the gain of the set, or is above the
 * bound; a set far from the best one is returned where all sets can be tried;
 * two runs differ; redundant candidates are chosen together; a search that is
 * stopped returns something worse than nothing; asking less of a member leads
 * to a worse set, or it saves less than was asked; a search goes on after it
 * was told that enough has been asked.
 *
 * unit: extension/select.c
 * unit: extension/select_state.c
 */
#include "postgres_fe.h"

#include <math.h>

#include "select.h"

#include "tap.h"
#include "select_problem.h"

/* A random problem as workloads make them: a few statements per candidate. */
static TestProblem *
random_problem_of(int nstatements, int ncandidates)
{
	TestProblem *t = make_problem(nstatements, ncandidates);

	for (int c = 0; c < ncandidates; c++)
	{
		t->size[c] = floor(exp(uniform() * 5) * 10);
		t->write_cost[c] = uniform() < 0.5 ? 0 : uniform() * 30;
	}
	for (int s = 0; s < nstatements; s++)
	{
		int			nplans = 1 + (int) (uniform() * (MAX_PLANS - 1));

		t->weight[s] = floor(exp(uniform() * 6) * 5);
		for (int i = 0; i < nplans; i++)
		{
			uint64		used = 0;
			int			n = 1 + (int) (uniform() * uniform() * 4);

			while (n-- > 0)
				used |= UINT64CONST(1) << (int) (uniform() * ncandidates);
			add_plan(t, s, used, 0.01 + uniform() * 0.98);
		}
	}
	return t;
}

/* The same, of any size. */
static TestProblem *
random_problem(void)
{
	int			n = 3 + (int) (uniform() * 8);

	return random_problem_of(n, 4 + (int) (uniform() * 7));
}

/* Bytes of a set. */
static double
set_size(TestProblem *t, uint64 set)
{
	double		size = 0;

	for (int c = 0; c < t->p.ncandidates; c++)
		if (set >> c & 1)
			size += t->size[c];
	return size;
}

/* Does a set satisfy every constraint? */
static bool
allowed(TestProblem *t, uint64 set)
{
	if (t->p.budget >= 0 && set_size(t, set) > t->p.budget)
		return false;
	if (t->p.max_candidates >= 0 && set_count(set) > t->p.max_candidates)
		return false;
	for (int s = 0; s < t->p.nstatements; s++)
		if ((set & t->relevant_set[s]) != 0 &&
			test_ratio(t, s, &set) > 1.0 + t->p.max_regression)
			return false;
	return true;
}

/* The best gain of all sets. */
static double
best_gain(TestProblem *t)
{
	double		best = 0;

	for (uint64 set = 0; set < UINT64CONST(1) << t->p.ncandidates; set++)
		if (allowed(t, set))
			best = Max(best, glperf_select_gain(&t->p, &set));
	return best;
}

/* Tally over many problems of one kind. */
typedef struct Tally
{
	int			problems;
	int			broken;			/* constraints */
	int			wrong;			/* gain, bound or a second run differ */
	int			optimal;
	double		sum;			/* of shares of the optimum */
	double		planned;		/* calls of ratio() per statement */
	double		worst;
} Tally;

/* Solve one problem. */
static GlperfSelection
solve(TestProblem *t)
{
	memset(t->nasked, 0, sizeof(t->nasked));
	memset(t->met, 0, sizeof(t->met));
	for (int s = 0; s < t->p.nstatements && t->plan_first; s++)
		(void) t->p.ratio(t, s, &t->relevant_set[s]);
	return glperf_select(&t->p);
}

/* Solve one problem twice and add it up. */
static void
measure(TestProblem *t, Tally *tally)
{
	GlperfSelection a = solve(t);
	GlperfSelection b = solve(t);
	double		best;
	bool		monotone = true;
	double		share;

	tally->planned += t->calls / 2.0 / t->p.nstatements;
	best = best_gain(t);
	share = best > 0 ? a.gain / best : 1;
	for (int s = 0; s < t->p.nstatements; s++)
		if (t->harmful[s] != 0)
			monotone = false;
	tally->problems++;
	if (!allowed(t, *a.chosen))
		tally->broken++;
	if (fabs(a.gain - glperf_select_gain(&t->p, a.chosen)) > 1e-6 ||
		a.gain > a.bound + 1e-6 || (monotone && best > a.bound + 1e-6) ||
		a.gain > best + 1e-6 || *a.chosen != *b.chosen || a.gain != b.gain ||
		!a.complete)
		tally->wrong++;
	if (share > 1 - 1e-9)
		tally->optimal++;
	tally->sum += share;
	tally->worst = tally->problems == 1 ? share : Min(tally->worst, share);
	pg_free(t);
}

/* Report a tally as TAP. */
static void
judge(const char *kind, const Tally *tally, double least)
{
	char		what[200];

	printf("# %s: %d of %d optimal, %.2f %% of the optimum on average, %.1f %% at worst\n",
		   kind, tally->optimal, tally->problems,
		   100 * tally->sum / tally->problems, 100 * tally->worst);
	snprintf(what, sizeof(what), "%s: no constraint is broken", kind);
	ok(tally->broken == 0, what);
	snprintf(what, sizeof(what), "%s: the gain is the set's, at most the bound, twice the same",
			 kind);
	ok(tally->wrong == 0, what);
	snprintf(what, sizeof(what), "%s: close to the best of all sets", kind);
	ok(tally->sum / tally->problems >= least, what);
}

/* Against brute force. */
static void
test_quality(void)
{
	Tally		tallies[6] = {{0}};

	for (int i = 0; i < 200; i++)
	{
		TestProblem *t = random_problem();

		measure(t, &tallies[0]);
		t = random_problem();
		t->p.budget = set_size(t, ~UINT64CONST(0)) * (0.05 + 0.6 * uniform());
		measure(t, &tallies[1]);
		t = random_problem();
		t->p.max_candidates = (int) (uniform() * 5);
		measure(t, &tallies[2]);
		t = random_problem();
		t->p.budget = set_size(t, ~UINT64CONST(0)) * (0.05 + 0.6 * uniform());
		t->p.max_candidates = 1 + (int) (uniform() * 4);
		t->p.trust = 0.9;
		measure(t, &tallies[3]);
		t = random_problem();
		for (int s = 0; s < t->p.nstatements; s++)
			if (uniform() < 0.3)
				t->harmful[s] = t->relevant_set[s] &
					(UINT64CONST(1) << (int) (uniform() * t->p.ncandidates));
		measure(t, &tallies[4]);
		t = random_problem();
		t->p.budget = set_size(t, ~UINT64CONST(0)) * (0.05 + 0.6 * uniform());
		t->p.ratio = test_asked_ratio;
		t->p.bound = test_bound;
		/* as the server does before it selects */
		t->plan_first = true;
		measure(t, &tallies[5]);
	}
	judge("no limit", &tallies[0], 0.99);
	judge("storage", &tallies[1], 0.99);
	judge("count", &tallies[2], 0.99);
	judge("storage, count, distrust", &tallies[3], 0.99);
	judge("regressions", &tallies[4], 0.99);
	judge("wrong estimates", &tallies[5], 0.97);
	printf("# wrong estimates: %.1f exact costs asked per statement\n",
		   tallies[5].planned / tallies[5].problems);
	ok(tallies[5].planned / tallies[5].problems < 10,
	   "wrong estimates: few exact costs are asked for");
}

/* Has enough been asked, whatever it was? */
static bool
always_enough(void *arg)
{
	return true;
}

/* A search that is told that enough was asked makes sure of what it has. */
static void
test_enough(void)
{
	double		asked[2] = {0};
	double		gain[2] = {0};
	int			broken = 0;

	for (int i = 0; i < 40; i++)
	{
		TestProblem *t = random_problem_of(MAX_STATEMENTS, MAX_CANDIDATES);

		t->p.budget = set_size(t, ~UINT64CONST(0)) * (0.1 + 0.4 * uniform());
		t->p.ratio = test_asked_ratio;
		t->p.bound = test_bound;
		t->plan_first = true;
		for (int told = 0; told < 2; told++)
		{
			GlperfSelection result;

			t->p.enough = told ? always_enough : NULL;
			t->calls = 0;
			result = solve(t);
			asked[told] += t->calls;
			gain[told] += result.gain;
			t->p.bound = NULL;
			t->p.ratio = test_ratio;
			if (!allowed(t, *result.chosen) || !result.complete ||
				fabs(result.gain - glperf_select_gain(&t->p, result.chosen)) > 1e-6)
				broken++;
			t->p.ratio = test_asked_ratio;
			t->p.bound = test_bound;
		}
		pg_free(t);
	}
	printf("# told that it is enough: %.2f of the exact costs asked, %.2f of the gain\n",
		   asked[1] / asked[0], gain[1] / gain[0]);
	ok(broken == 0, "told that it is enough: the set is sure and breaks nothing");
	ok(asked[1] < 0.97 * asked[0], "told that it is enough: fewer exact costs are asked for");
	ok(gain[1] > 0.9 * gain[0], "told that it is enough: most of the gain is there");
}

/* Small problems made by hand. */
static void
test_traps(void)
{
	TestProblem *t;
	GlperfSelection result;
	double		limit[2] = {1.0, 1.0};

	/* nothing to choose from */
	t = make_problem(0, 0);
	result = glperf_select(&t->p);
	ok(result.gain == 0 && result.bound == 0 && result.complete && *result.chosen == 0,
	   "an empty problem has an empty answer");

	/* the dense one first, and the big one no longer fits */
	t = make_problem(2, 2);
	t->size[1] = 10;
	add_plan(t, 0, 1, 0.7);
	add_plan(t, 1, 2, 0.1);
	t->p.budget = 10;
	result = glperf_select(&t->p);
	ok(*result.chosen == 2, "a small dense candidate does not keep out a big one");

	/* the best single one is in the way of two that gain more together */
	t = make_problem(3, 3);
	t->size[0] = 6;
	t->size[1] = t->size[2] = 5;
	add_plan(t, 0, 1, 0.3);
	add_plan(t, 1, 2, 0.5);
	add_plan(t, 2, 4, 0.5);
	t->p.budget = 10;
	result = glperf_select(&t->p);
	ok(*result.chosen == 6, "one candidate makes way for two that gain more together");

	/* the best single one is no good beside the others */
	t = make_problem(2, 3);
	add_plan(t, 0, 1, 0.5);
	add_plan(t, 1, 1, 0.5);
	add_plan(t, 0, 2, 0.1);
	add_plan(t, 1, 4, 0.1);
	t->p.max_candidates = 2;
	result = glperf_select(&t->p);
	ok(*result.chosen == 6, "a first choice that the others made pointless is exchanged");

	/* two that are worth nothing without each other */
	t = make_problem(1, 3);
	add_plan(t, 0, 3, 0.1);
	add_plan(t, 0, 4, 0.8);
	result = glperf_select(&t->p);
	ok(*result.chosen == 3, "a pair that is worth nothing apart is found");

	/* the wide one covers the narrow one */
	t = make_problem(2, 2);
	add_plan(t, 0, 1, 0.10);
	add_plan(t, 0, 2, 0.11);
	add_plan(t, 1, 2, 0.1);
	bitset_add(&t->covers_set[1], 0);
	t->p.covers = t->covers;
	result = glperf_select(&t->p);
	ok(*result.chosen == 2, "a candidate that another one covers is not chosen beside it");

	/* what would be worth most together must not be together */
	t = make_problem(1, 2);
	add_plan(t, 0, 3, 0.1);
	add_plan(t, 0, 1, 0.5);
	bitset_add(&t->covers_set[1], 0);
	t->p.covers = t->covers;
	result = glperf_select(&t->p);
	ok(*result.chosen == 1, "nor are both chosen by a move that offers them together");

	/* upkeep above the gain */
	t = make_problem(1, 1);
	add_plan(t, 0, 1, 0.5);
	t->write_cost[0] = 51;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0 && result.gain == 0, "upkeep above the gain: not chosen");
	t->write_cost[0] = 49;
	result = glperf_select(&t->p);
	ok(*result.chosen == 1 && fabs(result.gain - 1) < 1e-9 && fabs(result.bound - 50) < 1e-9,
	   "upkeep below the gain: chosen, and taken off");

	/* what each candidate has to save */
	t->p.min_gain = 2;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0, "a candidate that saves too little is not chosen");

	/* gains that are not believed */
	t = make_problem(1, 1);
	add_plan(t, 0, 1, 0.99);
	t->p.trust = 0.9;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0, "a gain too small to be believed is none");

	/* one statement gains, another regresses */
	t = make_problem(2, 1);
	add_plan(t, 0, 1, 0.1);
	t->relevant_set[1] = 1;
	t->harmful[1] = 1;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0, "nothing is chosen that makes a statement regress");
	t->p.max_regression = 0.6;
	result = glperf_select(&t->p);
	ok(*result.chosen == 1 && fabs(result.gain - 40) < 1e-9,
	   "a regression within the limit is weighed against the gain");

	/* the limit may be each statement's own */
	limit[1] = 1.6;
	t->p.limit = limit;
	t->p.max_regression = 0.1;
	result = glperf_select(&t->p);
	ok(*result.chosen == 1, "a statement's own limit counts where it is the wider one");
	limit[1] = 1.2;
	t->p.max_regression = 0.6;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0, "and where it is the narrower one");

	/* ties */
	t = make_problem(1, 3);
	add_plan(t, 0, 1, 0.5);
	add_plan(t, 0, 2, 0.5);
	add_plan(t, 0, 4, 0.5);
	result = glperf_select(&t->p);
	ok(*result.chosen == 1, "ties go to the lower number");

	/* alike, and smaller */
	t->size[0] = t->size[1] = 3;
	result = glperf_select(&t->p);
	ok(*result.chosen == 4, "of candidates that gain the same the smallest is chosen");
	t->size[0] = 1;

	/* limits at zero */
	t->p.max_candidates = 0;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0, "no candidates allowed: none chosen");
	t->p.max_candidates = -1;
	t->p.budget = 0;
	result = glperf_select(&t->p);
	ok(*result.chosen == 0, "no space allowed: none chosen");
	t->p.budget = 1;
	result = glperf_select(&t->p);
	ok(*result.chosen == 1, "space for exactly one");
}

/* Interrupted at every possible moment. */
static void
test_stopping(void)
{
	TestProblem *t = random_problem();
	double		full;
	double		before = 0;
	bool		sane = true;
	bool		reported = true;
	bool		estimated = true;
	bool		complete = false;
	int			improved = 0;

	t->p.budget = set_size(t, ~UINT64CONST(0)) / 3;
	full = glperf_select(&t->p).gain;
	for (long n = 0; n < 3000; n++)
	{
		GlperfSelection result;

		t->stop_after = n;
		result = glperf_select(&t->p);
		if (result.complete)
			break;
		if (!allowed(t, *result.chosen) || result.gain < -1e-9 ||
			result.gain > full + 1e-6)
			sane = false;
		if (result.gain > before + 1e-9)
			improved++;
		before = result.gain;
		if (result.gain > result.bound + 1e-6)
			reported = false;
	}
	ok(sane, "stopped at any moment: an allowed set, no worse than nothing");
	ok(improved > 0, "what was found before the stop is kept");
	ok(reported, "the bound holds for a search that was stopped");

	/* stopped when there are only estimates yet */
	t = make_problem(2, 1);
	add_plan(t, 1, 1, 0.5);
	t->p.ratio = test_asked_ratio;
	t->p.bound = test_bound;
	for (long n = 1; !complete; n++)
	{
		GlperfSelection result;

		t->stop_after = n;
		result = solve(t);
		complete = result.complete;
		estimated &= *result.chosen == 1;
	}
	ok(estimated, "what only estimates speak for is better than nothing");
}

/* What members have to save: the less, the more is gained; each saves it. */
static void
test_prices(void)
{
	static const double shares[] = {0.03, 0.005, 0.003, 0.001, 0.0005, 0};
	int			worse = 0;
	int			useless = 0;

	for (int i = 0; i < 60; i++)
	{
		TestProblem *t = random_problem_of(MAX_STATEMENTS, MAX_CANDIDATES);
		double		total = 0;
		double		before = 0;

		for (int s = 0; s < t->p.nstatements; s++)
			total += t->weight[s];
		t->p.budget = set_size(t, ~UINT64CONST(0)) * (0.05 + 0.5 * uniform());
		if (i % 3 != 1)
			t->p.max_candidates = 1 + (int) (uniform() * 5);
		t->p.ratio = test_asked_ratio;
		t->p.bound = i % 2 ? NULL : test_bound;
		for (size_t k = 0; k < lengthof(shares); k++)
		{
			GlperfSelection result;

			t->p.min_gain = shares[k] * total;
			result = solve(t);
			if (result.gain < before - 1e-6 * total)
				worse++;
			before = result.gain;
			for (int c = 0; c < t->p.ncandidates && !t->p.bound; c++)
			{
				uint64		rest = *result.chosen & ~(UINT64CONST(1) << c);

				if (rest != *result.chosen && result.gain -
					glperf_select_gain(&t->p, &rest) <
					t->p.min_gain - 1e-6 * total)
					useless++;
			}
		}
		pg_free(t);
	}
	ok(worse == 0, "to ask for less never leads to a worse set");
	ok(useless == 0, "each member saves what it has to");
}

/* Run everything and close the TAP stream. */
int
main(void)
{
	test_traps();
	test_stopping();
	test_prices();
	test_quality();
	test_enough();
	printf("1..%d\n", number);
	return 0;
}

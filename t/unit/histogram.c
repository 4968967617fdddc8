/*
 * histogram.c
 *		Unit test of latency histograms: bounds, cells, percentiles.
 *
 * Failures proved: a duration lands in a cell whose bounds don't contain it;
 * a percentile of any distribution is off by more than the promised 5 %.
 *
 * unit: extension/histogram.c
 */
#include "postgres_fe.h"

#include <math.h>

#include "histogram.h"

#include "tap.h"

/* A uniform number in [0, 1) from a fixed sequence. */
static double
uniform(void)
{
	static uint64 state = UINT64CONST(88172645463325252);

	return uniform_next(&state);
}

/* A normally distributed number. */
static double
gauss(void)
{
	return sqrt(-2 * log(1 - uniform())) * cos(2 * M_PI * uniform());
}

/* Compare two durations for qsort. */
static int
compare(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

/* Draw one duration in ns of distribution which. */
static uint64
draw(int which)
{
	switch (which)
	{
		case 0:					/* like the guide: 85 / 211 / 306 ms */
			return (uint64) (85e6 * exp(0.55 * gauss()));
		case 1:					/* short statements */
			return (uint64) (0.15e6 * exp(0.8 * gauss()));
		case 2:					/* short ones, with a slow tail */
			return uniform() < 0.94 ? (uint64) (0.2e6 * exp(0.5 * gauss())) :
				(uint64) (50e6 * uniform());
		case 3:					/* all the same, at a cell's lower edge */
			return 1024001;
		case 4:					/* all the same, at its upper edge */
			return 1116600;
		case 5:					/* reports */
			return (uint64) (2e9 * exp(uniform()));
		default:				/* uniform up to 1 s */
			return 1000 + (uint64) (1e9 * uniform());
	}
}

#define DRAWS 50000

/* Greatest relative error of some percentiles over DRAWS durations. */
static double
worst_error(int which)
{
	static uint64 durations[DRAWS];
	static const double ps[] = {0.01, 0.5, 0.95, 0.99, 0.999};
	uint64		cells[GLPERF_HIST_CELLS] = {0};
	double		worst = 0;

	for (int i = 0; i < DRAWS; i++)
	{
		durations[i] = draw(which);
		cells[glperf_histogram_cell(durations[i])]++;
	}
	qsort(durations, DRAWS, sizeof(uint64), compare);
	for (int i = 0; i < lengthof(ps); i++)
	{
		double		truth = (double) durations[(int) ceil(ps[i] * DRAWS) - 1] / 1e6;
		double		found = glperf_histogram_percentile(cells, DRAWS,
														(double) durations[DRAWS - 1] / 1e6,
														ps[i]);

		worst = Max(worst, fabs(found / truth - 1));
	}
	return worst;
}

/* Is the duration within the bounds of its cell? */
static bool
in_cell(uint64 ns)
{
	int			cell = glperf_histogram_cell(ns);
	double		ms = (double) ns / 1e6;

	return cell >= 0 && cell < GLPERF_HIST_CELLS &&
		ms >= glperf_histogram_bound_ms(cell) * (1 - 1e-12) &&
		ms <= glperf_histogram_bound_ms(cell + 1) * (1 + 1e-12);
}

/* Run all tests. */
int
main(void)
{
	static const char *const names[] = {
		"lognormal like the guide", "short statements", "slow tail",
		"constant at a lower edge", "constant at an upper edge", "reports",
		"uniform"
	};
	bool		good = true;
	uint64		cells[GLPERF_HIST_CELLS] = {0};

	for (int i = 0; i < 300000; i++)
		good &= in_cell((uint64) (1000 * exp2(30 * uniform())));
	ok(good, "300,000 durations from 1 us to 18 min are in their cells");

	good = true;
	for (int cell = 0; cell < GLPERF_HIST_CELLS; cell++)
	{
		uint64		border = (uint64) ceil(glperf_histogram_bound_ms(cell) * 1e6);

		good &= in_cell(border) && in_cell(border + 1);
		if (cell > 0)
			good &= in_cell(border - 1);
	}
	ok(good, "so are those at the borders");

	ok(glperf_histogram_cell(0) == 0 && glperf_histogram_cell(999) == 0,
	   "shorter ones are in the first cell");
	ok(glperf_histogram_cell(PG_UINT64_MAX) == GLPERF_HIST_CELLS - 1 &&
	   glperf_histogram_cell(UINT64CONST(2000) * 1000000000) ==
	   GLPERF_HIST_CELLS - 1, "longer ones are in the last cell");
	ok(isnan(glperf_histogram_percentile(cells, 0, 0, 0.5)),
	   "no count, no percentile");
	cells[GLPERF_HIST_CELLS - 1] = 1;
	ok(glperf_histogram_percentile(cells, 1, 1080000, 0.99) > 0.95 * 1080000,
	   "one count in the last cell");

	memset(cells, 0, sizeof(cells));
	cells[glperf_histogram_cell(1030000)] = 100;
	ok(glperf_histogram_percentile(cells, 100, 1.03, 0.99) == 1.03,
	   "nothing is longer than the longest");

	for (int i = 0; i < lengthof(names); i++)
	{
		double		error = worst_error(i);
		char		what[100];

		snprintf(what, sizeof(what), "%s: off by at most %.1f %%", names[i],
				 error * 100);
		ok(error <= GLPERF_HIST_MAX_ERROR + 1e-9, what);
	}
	printf("1..%d\n", number);
	return 0;
}

/*
 * histogram.c
 *		Percentiles of latency histograms; plain arithmetic without a server.
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include <math.h>

#include "histogram.h"

/* Eighth of the octave in which a sixteenth of the mantissa's range begins. */
const uint8 glperf_hist_guess[16] = {
	0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7
};

/* Where the next eighth begins: 2^((i+1)/8) - 1, in units of 2^-52. */
const uint64 glperf_hist_mantissa[8] = {
	UINT64CONST(0x0172B83C7D517B),
	UINT64CONST(0x0306FE0A31B716),
	UINT64CONST(0x04BFDAD5362A28),
	UINT64CONST(0x06A09E667F3BCD),
	UINT64CONST(0x08ACE5422AA0DC),
	UINT64CONST(0x0AE89F995AD3AE),
	UINT64CONST(0x0D5818DCFBA488),
	UINT64CONST(0x10000000000000),
};

/* See histogram.h. */
double
glperf_histogram_bound_ms(int cell)
{
	return exp2(cell / 8.0) / 1000.0;
}

/* See histogram.h. */
double
glperf_histogram_percentile(const uint64 *cells, uint64 total, double max_ms,
							double p)
{
	double		rank = p * (double) total;
	double		below = 0;
	double		estimate = NAN;

	if (total == 0)
		return NAN;

	for (int i = 0; i < GLPERF_HIST_CELLS; i++)
	{
		double		low = glperf_histogram_bound_ms(i);
		double		high = glperf_histogram_bound_ms(i + 1);

		if (cells[i] == 0)
			continue;
		if (below + (double) cells[i] < rank)
		{
			below += (double) cells[i];
			continue;
		}

		estimate = low * pow(high / low, (rank - below) / (double) cells[i]);

		/*
		 * Durations need not be spread over the cell; wherever they are, the
		 * bound holds between these two.
		 */
		estimate = Max(estimate, high * (1 - GLPERF_HIST_MAX_ERROR));
		estimate = Min(estimate, low * (1 + GLPERF_HIST_MAX_ERROR));
		break;
	}

	/* Nothing is longer than the longest, wherever its cell ends. */
	if (max_ms > 0 && (estimate > max_ms || isnan(estimate)))
		estimate = max_ms;
	return estimate;
}

/*
 * histogram.h
 *		Latency histograms: from a duration to a cell, from cells to percentiles.
 *
 * Cells are exponential, eight per octave, from 1 microsecond to 18 minutes:
 * cell k holds durations from 2^(k/8) to 2^((k+1)/8) microseconds, the first
 * one also what is shorter and the last one what is longer.  These are the
 * bounds of OpenTelemetry's scale 3 and of Prometheus' native schema 3.
 */
#ifndef GLPERF_HISTOGRAM_H
#define GLPERF_HISTOGRAM_H

#define GLPERF_HIST_CELLS 240

/* The error that no percentile exceeds, relative to the true duration. */
#define GLPERF_HIST_MAX_ERROR 0.05

/* Tables for glperf_histogram_cell(), in histogram.c. */
#ifndef GLPERF_LOCAL
#define GLPERF_LOCAL
#endif
extern GLPERF_LOCAL const uint8 glperf_hist_guess[16];
extern GLPERF_LOCAL const uint64 glperf_hist_mantissa[8];

/*
 * glperf_histogram_cell -- the cell that a duration belongs to
 *
 * Takes the octave from the exponent of the duration in microseconds, and the
 * eighth of it from the mantissa: every sixteenth of the mantissa's range has
 * at most one border between eighths in it.
 */
static inline int
glperf_histogram_cell(uint64 duration_ns)
{
	union
	{
		double		us;
		uint64		bits;
	}			u;
	uint64		mantissa;
	int			octave;
	int			eighth;

	if (unlikely((int64) duration_ns < 1000))
		return duration_ns < 1000 ? 0 : GLPERF_HIST_CELLS - 1;
	u.us = (double) (int64) duration_ns * 1e-3;
	octave = (int) (u.bits >> 52) - 1023;
	if (unlikely(octave >= GLPERF_HIST_CELLS / 8))
		return GLPERF_HIST_CELLS - 1;
	mantissa = u.bits & ((UINT64CONST(1) << 52) - 1);
	eighth = glperf_hist_guess[mantissa >> 48];
	eighth += mantissa >= glperf_hist_mantissa[eighth];
	return octave * 8 + eighth;
}

/* Lower bound of the cell in milliseconds; that of GLPERF_HIST_CELLS, too. */
extern double glperf_histogram_bound_ms(int cell);

/*
 * glperf_histogram_percentile -- estimate a percentile
 *
 * cells:	GLPERF_HIST_CELLS counts
 * total:	their sum
 * max_ms:	longest duration that was counted, or 0 if unknown
 * p:		fraction, above 0 and at most 1
 *
 * Returns milliseconds, NaN without any count.  The estimate is off by at
 * most GLPERF_HIST_MAX_ERROR of the duration at that rank, for ranks from 1 us
 * to 18 minutes: interpolated in its cell as far as this bound allows.
 */
extern double glperf_histogram_percentile(const uint64 *cells, uint64 total,
										  double max_ms, double p);

#endif							/* GLPERF_HISTOGRAM_H */

/*
 * thresholds.h
 *		Reading and judging against the limits of glperf.threshold.
 */
#ifndef GLPERF_THRESHOLDS_H
#define GLPERF_THRESHOLDS_H

#include "compat.h"

/*
 * glperf_verdict -- judge a value against two limits
 *
 * value:		what was measured; NaN is judged 'unknown'
 * warning:		first limit, NaN when there is none
 * critical:	second limit, NaN when there is none
 * below:		true when too little is bad, false when too much is
 *
 * Returns one of the constants "ok", "warning", "critical", "unknown".  A
 * value equal to a limit is within it.
 */
extern const char *glperf_verdict(double value, double warning,
								  double critical, bool below);

#endif							/* GLPERF_THRESHOLDS_H */

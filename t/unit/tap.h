/*
 * tap.h
 *		What every C unit test needs: TAP lines, and numbers that look random.
 */
#ifndef GLPERF_UNIT_TAP_H
#define GLPERF_UNIT_TAP_H

#include "postgres_fe.h"

static int	number = 0;

/* Print one TAP line. */
static void
ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
}

/* Next number of a fixed sequence, uniform in [0, 1); state is its seed. */
static double
uniform_next(uint64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (double) (*state >> 11) / (double) (UINT64CONST(1) << 53);
}

#endif							/* GLPERF_UNIT_TAP_H */

/*
 * advise_weight.c
 *		How much each statement of a run matters.
 */
#include "advise.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "utils/syscache.h"

#include "guc.h"
#include "relsize.h"

/* Tables in a join from which on its rows are often misjudged. */
#define MISJUDGED_TABLES	3

/* Milliseconds that one unit of planner cost stands for, when none is known. */
#define MS_PER_COST		0.01
/* The same for a price in nanoseconds. */
#define MS_PER_NS		1e-6

/* Cost, and price, of a plan that takes longer than what is done around it. */
#define LEAST_COST		10.0
#define LEAST_NS		100000.0

/* A statement with this share of the workload's time or more matters. */
#define MINOR_SHARE			0.001
/* Milliseconds a call that are no harm to one that does not matter. */
#define HARMLESS_MS			50.0

/* Was any index that the statement uses now made after its counters began? */
static bool
times_are_obsolete(GlperfAdviceStatement *statement)
{
	ListCell   *lc;

	if (statement->item->since == 0)
		return false;
	foreach(lc, statement->real_used)
	{
		HeapTuple	tup = SearchSysCache1(RELOID,
										  ObjectIdGetDatum(lfirst_oid(lc)));
		TimestampTz created;

		if (!HeapTupleIsValid(tup))
			continue;
		created = glperf_relation_file_created((Form_pg_class) GETSTRUCT(tup));
		ReleaseSysCache(tup);
		if (created > statement->item->since)
			return true;
	}
	return false;
}

/* For qsort(), ascending. */
static int
compare_doubles(const void *a, const void *b)
{
	double		da = *(const double *) a;
	double		db = *(const double *) b;

	return da < db ? -1 : da > db;
}

/*
 * Does a statement's time tell what a unit of cost takes?  Not if it belongs to
 * another plan, nor if most of it is spent on what has no cost: on starting and
 * ending, on writing rows, inside of functions.
 */
static bool
tells_rate(GlperfAdviceStatement *statement)
{
	GlperfWorkItem *item = statement->item;
	double		least = glperf_cost_model == GLPERF_COST_TIME ?
	LEAST_NS : LEAST_COST;

	return statement->nplanned > 0 && item->calls > 0 && item->time_ms > 0 &&
		statement->planned[0].harvest.big &&
		statement->planned[0].base_cost >= least &&
		!statement->obsolete;
}

/*
 * Milliseconds that one unit of planner cost takes here: the median over the
 * statements that tell it.
 */
static double
ms_per_cost(GlperfAdvice *advice)
{
	double	   *values = palloc(sizeof(double) * (advice->nstatements + 1));
	int			n = 0;

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		GlperfWorkItem *item = statement->item;

		if (tells_rate(statement))
			values[n++] = item->time_ms / item->calls /
				statement->planned[0].base_cost;
	}
	if (n == 0)
		return glperf_cost_model == GLPERF_COST_TIME ? MS_PER_NS : MS_PER_COST;
	qsort(values, n, sizeof(double), compare_doubles);
	return values[n / 2];
}

/*
 * Where the measured time lies between what a plan takes with the planner's
 * rows, and with as many more as pessimism sees: that is how far the latter
 * counts, and more than usual at most.  Prices are in ms here.
 */
static double
doubt_by_time(double measured, double expected, double pessimistic)
{
	double		doubt;

	if (measured <= expected || expected <= 0 || pessimistic <= expected)
		return GLPERF_USUAL_DOUBT;
	doubt = (measured - expected) / (pessimistic - expected);
	return Min(1.0, Max(GLPERF_USUAL_DOUBT, doubt));
}

/*
 * How much of a statement's time the price of its plan explains, pessimism
 * included.  Where many tables are joined, the usual reason for a time far
 * above it is a join that yields many more rows than that; an index found under
 * that mistake may not help there at all.
 */
static void
explain_time(GlperfAdviceStatement *statement, double rate)
{
	GlperfWorkItem *item = statement->item;
	GlperfPlanned *planned = &statement->planned[0];
	double		measured;
	double		most;

	statement->explained = 1;
	if (glperf_cost_model != GLPERF_COST_TIME || item->time_ms < 0 ||
		item->calls <= 0 || planned->base_price.expected <= 0 ||
		statement->obsolete)
		return;
	measured = item->time_ms / item->calls;
	most = rate * planned->base_price.pessimistic;
	for (int p = 0; p < statement->nplanned; p++)
		statement->planned[p].doubt =
			doubt_by_time(measured,
						  rate * statement->planned[p].base_price.expected,
						  rate * statement->planned[p].base_price.pessimistic);
	if (measured > most && planned->nrels >= MISJUDGED_TABLES)
		statement->explained = most / measured;
}

void
glperf_advise_weigh(GlperfAdvice *advice)
{
	double		rate;

	for (int s = 0; s < advice->nstatements; s++)
		advice->statements[s].obsolete =
			times_are_obsolete(&advice->statements[s]);
	rate = ms_per_cost(advice);
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		GlperfWorkItem *item = statement->item;

		if (statement->nplanned > 0)
		{
			double		planned = item->calls * item->per_day * rate *
			statement->planned[0].base_cost;

			explain_time(statement, rate);
			if (item->time_ms < 0)
				statement->weight = planned;
			else if (planned < statement->weight && statement->obsolete)
				statement->weight = planned;
		}
		advice->total_weight += statement->weight;
	}
}

double
glperf_advise_limit(const GlperfAdvice *advice, int s)
{
	const GlperfAdviceStatement *statement = &advice->statements[s];
	double		calls = statement->item->calls * statement->item->per_day;
	double		least = advice->total_weight * MINOR_SHARE;
	double		allowed = GLPERF_COUNTED_REGRESSION;
	double		gross = GLPERF_MAX_REGRESSION;

	if (!glperf_value_by_time())
		return 1 + gross;
	if (statement->weight >= least)
		return 1 + allowed;
	if (statement->weight <= 0)
		return 1 + gross;
	gross = Max(gross, HARMLESS_MS * calls / statement->weight);
	return 1 + Min(gross, allowed * least / statement->weight);
}

/*
 * statistics_find.c
 *		Which statistics would mend the planner's beliefs.
 *
 * Rows of a bounded sample are numbered column by column: equal values of a
 * column get the same number, NULL is 0.  Everything else is counting: how
 * many rows satisfy a conjunction, how many groups there are, how far one
 * column determines another.
 *
 * Conditions and expressions are evaluated as the table's owner, so only those
 * made of the server's own functions are; what others would compute stays
 * unknown until ANALYZE.
 */
#include "statistics_advice.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "sandbox.h"
#include "statistics_sample.h"
#include "trees.h"
#include "whatif_stats.h"

/* Most common combinations that statistics keep by default. */
#define MCV_ITEMS		100

/* Looking at one table, inside the sandbox. */
typedef struct FindJob
{
	GlperfStatisticsSet *set;
	Oid			relid;
	bool		enough;			/* rows to judge by */
} FindJob;

/* Share of rows in whose group by column a column b has a single value. */
static double
dependency_degree(GlperfStatisticsSample *sample, int *a, int *b)
{
	int		   *ids[2] = {a, b};
	int		   *size = palloc(sizeof(int) * (sample->n + 1));
	int		   *group = palloc(sizeof(int) * (sample->n + 1));
	int			groups = glperf_sample_groups(sample, ids, 1, NULL, size, group);
	int		   *first = palloc(sizeof(int) * (groups + 1));
	double		supporting = 0;

	for (int g = 0; g < groups; g++)
		first[g] = -1;
	for (int i = 0; i < sample->n; i++)
	{
		int			g = group[i];

		if (first[g] == -1)
			first[g] = b[i];
		else if (first[g] != b[i])
			size[g] = 0;
	}
	for (int g = 0; g < groups; g++)
		supporting += size[g];
	pfree(size);
	pfree(group);
	pfree(first);
	return supporting / sample->n;
}

/* One conjunction being judged. */
typedef struct Conjunction
{
	GlperfStatisticsSample *sample;
	GlperfObservation *observation;
	int		   *ids[GLPERF_STATISTICS_COLUMNS];
	double		share[GLPERF_STATISTICS_COLUMNS];	/* of each condition */
	bool	   *mark;			/* rows that satisfy all those with values */
	int			marked;
	bool		open;			/* there are parameters without value */
} Conjunction;

/*
 * What the planner expects of a conjunction once it knows how far columns
 * determine each other, by its own formula (see dependencies.c): the column
 * that another one determines best is taken out, and so on.
 */
static double
expected_by_dependencies(Conjunction *c)
{
	int			left = c->observation->ncolumns;
	bool		gone[GLPERF_STATISTICS_COLUMNS] = {0};
	double		product = 1;
	double		result;

	while (left > 1)
	{
		double		best = -1;
		int			implied = 0;
		int			by = 0;

		for (int a = 0; a < c->observation->ncolumns; a++)
			for (int b = 0; b < c->observation->ncolumns; b++)
			{
				double		degree;

				if (a == b || gone[a] || gone[b])
					continue;
				degree = dependency_degree(c->sample, c->ids[a], c->ids[b]);
				if (degree > best)
				{
					best = degree;
					implied = b;
					by = a;
				}
			}
		/* P(b | a) */
		product *= best * Min(1.0, c->share[by] > 0 ?
							  c->share[implied] / c->share[by] : 1.0) +
			(1 - best) * c->share[implied];
		gone[implied] = true;
		left--;
	}
	result = product;
	for (int a = 0; a < c->observation->ncolumns; a++)
		if (!gone[a])
			result *= c->share[a];
	return result;
}

/*
 * What a list of the most common combinations would make the planner expect;
 * negative when these combinations would not be in it.
 */
static double
expected_by_mcv(Conjunction *c)
{
	GlperfStatisticsSample *sample = c->sample;
	int		   *size = palloc(sizeof(int) * (sample->n + 1));
	int		   *group = palloc(sizeof(int) * (sample->n + 1));
	int			groups;
	bool		kept = true;

	if (c->open)
		return -1;
	groups = glperf_sample_groups(sample, c->ids, c->observation->ncolumns, NULL, size,
								  group);
	for (int i = 0; i < sample->n && groups > MCV_ITEMS && kept; i++)
	{
		int			larger = 0;

		if (!c->mark[i])
			continue;
		for (int g = 0; g < groups; g++)
			larger += size[g] > size[group[i]];
		kept = larger < MCV_ITEMS && size[group[i]] >= GLPERF_LEAST_EVIDENCE;
		/* its group need not be looked at again */
		while (i + 1 < sample->n && c->mark[i + 1] &&
			   group[i + 1] == group[i])
			i++;
	}
	if (groups > MCV_ITEMS && c->marked == 0)
		kept = false;
	pfree(size);
	pfree(group);
	return kept ? (double) c->marked / sample->n : -1;
}

/* By which factor two numbers of rows differ, none counting below one. */
static double
factor(double a, double b)
{
	a = Max(1.0, a);
	b = Max(1.0, b);
	return a > b ? a / b : b / a;
}

/*
 * Is an estimate off by the factor that asks for statistics, whatever luck the
 * sample had?  found rows of it speak for actual rows.
 */
static bool
is_wrong(double estimated_rows, double actual_rows, double found, double n,
		 double total)
{
	double		most = (found + 3 + 2 * sqrt(found)) / n * total;

	if (factor(estimated_rows, actual_rows) < GLPERF_STATISTICS_FACTOR)
		return false;
	if (actual_rows > estimated_rows)
		return found >= GLPERF_LEAST_EVIDENCE;
	return factor(estimated_rows, most) >= GLPERF_STATISTICS_FACTOR &&
		estimated_rows > most;
}

/* The wanted object about these columns or this expression, made if need be. */
static GlperfStatistics *
want(GlperfStatisticsSet *set, const GlperfObservation *observation)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);
	GlperfStatistics *result = NULL;
	AttrNumber	columns[GLPERF_STATISTICS_COLUMNS];
	ListCell   *lc;

	/* ascending, each once: conditions come in any order */
	memcpy(columns, observation->columns, sizeof(columns));
	for (int i = 1; i < observation->ncolumns; i++)
		for (int j = i; j > 0 && columns[j] < columns[j - 1]; j--)
		{
			AttrNumber	swap = columns[j];

			columns[j] = columns[j - 1];
			columns[j - 1] = swap;
		}
	foreach(lc, set->wanted)
	{
		GlperfStatistics *other = lfirst(lc);

		if (other->relid == observation->relid &&
			other->ncolumns == observation->ncolumns &&
			memcmp(other->columns, columns,
				   sizeof(AttrNumber) * other->ncolumns) == 0 &&
			equal(other->expr, observation->expr))
			result = other;
	}
	if (result == NULL)
	{
		result = palloc0(sizeof(GlperfStatistics));
		result->relid = observation->relid;
		result->ncolumns = observation->ncolumns;
		memcpy(result->columns, columns, sizeof(columns));
		result->expr = copyObject(observation->expr);
		set->wanted = lappend(set->wanted, result);
	}
	result->statements = list_concat_unique_int(result->statements,
												observation->statements);
	MemoryContextSwitchTo(old);
	return result;
}

/* Note a finding, for people, once. */
static void
finding(GlperfStatisticsSet *set, GlperfStatistics *statistics,
		const char *text)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);
	ListCell   *lc;

	foreach(lc, statistics->findings)
		if (strcmp((char *) lfirst(lc), text) == 0)
		break;
	if (lc == NULL)
		statistics->findings = lappend(statistics->findings, pstrdup(text));
	MemoryContextSwitchTo(old);
}

/*
 * Shares of the conditions, one by one and together; false when a column has
 * no order.  A parameter without a value stands for any value that occurs.
 */
static bool
measure(Conjunction *c)
{
	GlperfObservation *observation = c->observation;
	GlperfStatisticsSample *sample = c->sample;
	int		   *size = palloc(sizeof(int) * (sample->n + 1));
	bool	   *one = palloc(sizeof(bool) * (sample->n + 1));
	int		   *free_ids[GLPERF_STATISTICS_COLUMNS];
	int			nfree = 0;
	double		share;

	c->mark = palloc(sizeof(bool) * (sample->n + 1));
	memset(c->mark, true, sample->n);
	for (int i = 0; i < observation->ncolumns; i++)
	{
		Node	   *clause = list_nth(observation->clauses, i);
		int			groups;

		c->ids[i] = glperf_sample_columns(sample, observation->columns[i]);
		if (c->ids[i] == NULL)
			return false;
		if (!glperf_has_param(clause))
		{
			c->share[i] = (double) glperf_sample_mark(sample, clause, one) / sample->n;
			for (int r = 0; r < sample->n; r++)
				c->mark[r] &= one[r];
			continue;
		}
		groups = glperf_sample_groups(sample, &c->ids[i], 1, NULL, size, NULL);
		c->share[i] = 1 / glperf_estimate_groups(size, groups, sample->n,
												 sample->total);
		free_ids[nfree++] = c->ids[i];
	}
	c->open = nfree > 0;
	c->marked = 0;
	for (int r = 0; r < sample->n; r++)
		c->marked += c->mark[r];
	share = (double) c->marked / sample->n;
	if (nfree > 0 && c->marked > 0)
	{
		int			groups = glperf_sample_groups(sample, free_ids, nfree, c->mark, size,
												  NULL);

		share /= glperf_estimate_groups(size, groups, c->marked,
										sample->total * share);
	}
	observation->actual = share;
	return true;
}

/* A number of rows, for people. */
static char *
rows_text(double rows)
{
	rows = Max(1.0, rows);
	return psprintf("%.0f row%s", rows, rint(rows) == 1 ? "" : "s");
}

/* What a sample says of a number of rows. */
static char *
found_text(const GlperfStatisticsSample *sample, double found, double rows)
{
	return psprintf("a sample of %d rows %s", sample->n, found < 1 ?
					psprintf("has none, which speaks for less than %.0f",
							 ceil(3.0 / sample->n * sample->total)) :
					psprintf("speaks for %.0f", rows));
}

/* Equalities on several columns. */
static void
judge_conjunction(GlperfStatisticsSet *set, GlperfStatisticsSample *sample,
				  GlperfObservation *observation)
{
	Conjunction c = {.sample = sample,.observation = observation};
	double		total = sample->total;
	double		by_dependencies;
	double		by_mcv;
	double		wrong;
	GlperfStatistics *statistics;

	if (!measure(&c) ||
		!is_wrong(observation->estimated * total, observation->actual * total,
				  c.marked, sample->n, total))
		return;
	wrong = factor(observation->estimated * total, observation->actual * total);
	by_dependencies = expected_by_dependencies(&c);
	by_mcv = expected_by_mcv(&c);
	if (factor(by_dependencies * total, observation->actual * total) <
		Min(GLPERF_STATISTICS_FACTOR, wrong / 3))
	{
		statistics = want(set, observation);
		statistics->dependencies = true;
		observation->corrected = by_dependencies;
	}
	else if (by_mcv >= 0)
	{
		statistics = want(set, observation);
		statistics->mcv = true;
		observation->corrected = by_mcv;
	}
	else
		return;					/* no statistics would mend it */
	finding(set, statistics,
			psprintf("the planner expects %s of an %sequality on all of these columns, %s",
					 rows_text(observation->estimated * total),
					 c.open ? "unknown " : "",
					 found_text(sample, c.marked, observation->actual * total)));
}

/* Groups made by several columns. */
static void
judge_groups(GlperfStatisticsSet *set, GlperfStatisticsSample *sample,
			 GlperfObservation *observation)
{
	int		   *ids[GLPERF_STATISTICS_COLUMNS];
	int		   *size = palloc(sizeof(int) * (sample->n + 1));
	int			groups;
	GlperfStatistics *statistics;

	for (int i = 0; i < observation->ncolumns; i++)
	{
		ids[i] = glperf_sample_columns(sample, observation->columns[i]);
		if (ids[i] == NULL)
			return;
	}
	groups = glperf_sample_groups(sample, ids, observation->ncolumns, NULL, size, NULL);
	observation->actual = glperf_estimate_groups(size, groups, sample->n,
												 sample->total);
	if (factor(observation->actual, observation->estimated) <
		GLPERF_STATISTICS_FACTOR)
		return;
	statistics = want(set, observation);
	statistics->ndistinct = true;
	finding(set, statistics,
			psprintf("the planner expects %.0f groups by these columns, a sample of %d rows speaks for %.0f",
					 observation->estimated, sample->n, observation->actual));
}

/* A condition on an expression without statistics. */
static void
judge_expression(GlperfStatisticsSet *set, GlperfStatisticsSample *sample,
				 GlperfObservation *observation)
{
	Node	   *clause = linitial(observation->clauses);
	GlperfSampled sampled = glperf_sample_evaluate(sample, observation->expr);
	HeapTuple	tuple;
	MemoryContext old;
	GlperfStatistics *statistics;
	bool		open = glperf_has_param(clause);
	double		total = sample->total;
	double		found = sample->n;

	if (open)
	{
		int		   *size = palloc(sizeof(int) * (sample->n + 1));
		int		   *ids = glperf_sample_number(sample, &sampled,
											   exprType(observation->expr),
											   exprCollation(observation->expr));

		if (ids == NULL || !IsA(clause, OpExpr) ||
			get_oprrest(((OpExpr *) clause)->opno) != F_EQSEL)
			return;
		observation->actual = 1 /
			glperf_estimate_groups(size, glperf_sample_groups(sample, &ids, 1, NULL, size, NULL),
								   sample->n, total);
		if (factor(observation->estimated * total,
				   observation->actual * total) < GLPERF_STATISTICS_FACTOR)
			return;
	}
	else
	{
		bool	   *mark = palloc(sizeof(bool) * sample->n);

		found = glperf_sample_mark(sample, clause, mark);
		observation->actual = found / sample->n;
		if (!is_wrong(observation->estimated * total,
					  observation->actual * total, found, sample->n, total))
			return;
	}
	tuple = glperf_whatif_analyse(sampled.values, sampled.nulls, sample->n,
								  observation->expr, InvalidOid, total);
	if (tuple == NULL)
		return;
	statistics = want(set, observation);
	old = MemoryContextSwitchTo(set->context);
	if (statistics->tuple == NULL)
		statistics->tuple = heap_copytuple(tuple);
	MemoryContextSwitchTo(old);
	finding(set, statistics,
			psprintf("the planner has no statistics of the expression and expects %s, %s",
					 rows_text(observation->estimated * total),
					 found_text(sample, found, observation->actual * total)));
}

/*
 * A condition that cannot be tried out: equality with something of which
 * nothing is known is taken for half a per cent of the rows.
 */
static void
judge_unknown(GlperfStatisticsSet *set, GlperfStatisticsSample *sample,
			  GlperfObservation *observation)
{
	Node	   *clause = linitial(observation->clauses);

	if (observation->kind != GLPERF_OBSERVED_EXPRESSION ||
		!IsA(clause, OpExpr) ||
		get_oprrest(((OpExpr *) clause)->opno) != F_EQSEL ||
		observation->estimated * sample->total <
		GLPERF_STATISTICS_FACTOR * GLPERF_LEAST_EVIDENCE)
		return;
	finding(set, want(set, observation),
			psprintf("the planner has no statistics of the expression and guesses %s; how many there are was not tried, since it calls functions that are not the server's own",
					 rows_text(observation->estimated * sample->total)));
}

/* Judge one observation. */
static void
judge(GlperfStatisticsSet *set, GlperfStatisticsSample *sample,
	  GlperfObservation *observation)
{
	if (!observation->builtin)
		judge_unknown(set, sample, observation);
	else if (observation->kind == GLPERF_OBSERVED_CONJUNCTION)
		judge_conjunction(set, sample, observation);
	else if (observation->kind == GLPERF_OBSERVED_GROUPS)
		judge_groups(set, sample, observation);
	else
		judge_expression(set, sample, observation);
}

/* All observations of one table; the work of a FindJob. */
static void
judge_table(void *arg)
{
	FindJob    *job = arg;
	GlperfStatisticsSample sample;
	ListCell   *lc;

	job->enough = glperf_sample_read(&sample, job->relid);
	if (job->enough)
		foreach(lc, job->set->observed)
	{
		GlperfObservation *observation = lfirst(lc);

		if (observation->relid == job->relid)
			judge(job->set, &sample, observation);
	}
	glperf_sample_end(&sample);
	foreach(lc, job->set->wanted)
	{
		GlperfStatistics *wanted = lfirst(lc);

		if (wanted->relid == job->relid && glperf_statistics_exist(wanted, job->set->context))
			job->set->wanted = foreach_delete_current(job->set->wanted, lc);
	}
}

/* Was the table ever analysed?  Without that, ANALYZE comes first. */
static bool
analysed(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_class) GETSTRUCT(tuple))->reltuples >= 0;
	ReleaseSysCache(tuple);
	return result;
}

/* Forget what was wanted of a table whose examination failed. */
static void
forget(GlperfStatisticsSet *set, Oid relid)
{
	ListCell   *lc;

	foreach(lc, set->wanted)
		if (((GlperfStatistics *) lfirst(lc))->relid == relid)
		set->wanted = foreach_delete_current(set->wanted, lc);
	foreach(lc, set->observed)
	{
		GlperfObservation *observation = lfirst(lc);

		if (observation->relid == relid)
			observation->corrected = -1;
	}
}

/* Which costs will be computed as if the statistics existed. */
static void
mark_recomputed(GlperfStatisticsSet *set)
{
	ListCell   *lc;
	ListCell   *lo;

	foreach(lc, set->wanted)
	{
		GlperfStatistics *wanted = lfirst(lc);

		wanted->recomputed = wanted->expr ? wanted->tuple != NULL :
			wanted->dependencies || wanted->mcv;
	}
	/* a correction without its statistics would be a promise nobody keeps */
	foreach(lo, set->observed)
	{
		GlperfObservation *observation = lfirst(lo);
		bool		kept = false;

		foreach(lc, set->wanted)
		{
			GlperfStatistics *wanted = lfirst(lc);

			kept |= wanted->relid == observation->relid &&
				wanted->expr == NULL &&
				wanted->ncolumns == observation->ncolumns &&
				(wanted->dependencies || wanted->mcv) &&
				list_difference_int(observation->statements,
									wanted->statements) == NIL;
		}
		if (!kept)
			observation->corrected = -1;
	}
}

void
glperf_statistics_find(GlperfStatisticsSet *set, bool (*stop) (void *arg),
					   void *arg)
{
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, set->observed)
		tables = list_append_unique_oid(tables,
										((GlperfObservation *) lfirst(lc))->relid);
	foreach(lc, tables)
	{
		FindJob		job = {set, lfirst_oid(lc), true};
		GlperfFailure failure = {0};
		const char *why = NULL;

		if (!analysed(job.relid))
			why = "never analysed: ANALYZE comes first";
		else if (stop(arg))
			why = "the time limit was reached before it";
		else if (!glperf_sandbox_run_on_table(job.relid, judge_table, &job,
											  &failure))
		{
			forget(set, job.relid);
			why = failure.message;
		}
		else if (!job.enough)
			why = "too few rows in a sample, or a storage that cannot be sampled";
		if (why)
		{
			MemoryContext old = MemoryContextSwitchTo(set->context);
			GlperfSkipped *skipped = palloc(sizeof(GlperfSkipped));

			skipped->relid = job.relid;
			skipped->reason = pstrdup(why);
			set->skipped = lappend(set->skipped, skipped);
			MemoryContextSwitchTo(old);
		}
	}
	mark_recomputed(set);
}

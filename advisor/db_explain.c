/*
 * db_explain.c
 *		What the extension says about a run besides its recommendations:
 *		plans before and after, what lost, and what was not looked at.
 */
#include "postgres_fe.h"

#include "libpq-fe.h"

#include "advice.h"
#include "db_internal.h"
#include "rows.h"

static const Column plan_change_columns[] = {
	{"rank", KIND_INT, offsetof(PlanChange, rank)},
#define GLPERF_PLAN_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(PlanChange, name)},
#include "glperf_recommendation.h"
};

static const Column rival_columns[] = {
	{"rank", KIND_INT, offsetof(Rival, rank)},
#define GLPERF_RIVAL_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Rival, name)},
#include "glperf_recommendation.h"
};

static const Column not_examined_columns[] = {
#define GLPERF_NOT_EXAMINED_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(NotExamined, name)},
#include "glperf_recommendation.h"
};

/* Give each recommendation its rows, which come in order of rank. */
static void
attach(Recommendation *rec, PlanChange *plans, int nplans, Rival *rivals,
	   int nrivals)
{
	for (int i = 0; i < nplans; i++)
		if (plans[i].rank == rec->rank && rec->nplans++ == 0)
			rec->plans = &plans[i];
	for (int i = 0; i < nrivals; i++)
		if (rivals[i].rank == rec->rank && rec->nrivals++ == 0)
			rec->rivals = &rivals[i];
}

/* See db_internal.h. */
void
db_read_explanations(Advice *advice)
{
	PGresult   *res;
	PlanChange *plans;
	Rival	   *rivals;
	int			nplans;
	int			nrivals;

	res = db_run_or_fail("could not read the plans of the analysis",
						 "SELECT p.* FROM glperf.advice_plans()"
						 " WITH ORDINALITY p ORDER BY p.rank, p.ordinality",
						 0, NULL);
	plans = rows_load_all(res, plan_change_columns,
						  lengthof(plan_change_columns), sizeof(PlanChange),
						  &nplans);
	res = db_run_or_fail("could not read what lost in the analysis",
						 "SELECT r.* FROM glperf.advice_rivals()"
						 " WITH ORDINALITY r ORDER BY r.rank, r.ordinality",
						 0, NULL);
	rivals = rows_load_all(res, rival_columns, lengthof(rival_columns),
						   sizeof(Rival), &nrivals);
	for (int i = 0; i < advice->nrecommendations; i++)
		attach(&advice->recommendations[i], plans, nplans, rivals, nrivals);

	/* limits first: they concern everything, a small table itself alone */
	res = db_run_or_fail("could not read what the analysis left out",
						 "SELECT n.* FROM glperf.advice_not_examined()"
						 " WITH ORDINALITY n ORDER BY n.kind = 'table',"
						 " n.time_ms_per_day DESC NULLS LAST, n.ordinality",
						 0, NULL);
	advice->notexamined = rows_load_all(res, not_examined_columns,
										lengthof(not_examined_columns),
										sizeof(NotExamined),
										&advice->nnotexamined);
}

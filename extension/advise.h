/*
 * advise.h
 *		State of one run of the index advisor.
 */
#ifndef GLPERF_ADVISE_H
#define GLPERF_ADVISE_H

#include "compat.h"

#include "utils/timestamp.h"

#include "access_cost.h"
#include "candidates.h"
#include "index_sample.h"
#include "select.h"
#include "statistics_advice.h"
#include "whatif.h"
#include "whatif_stats.h"
#include "workload.h"
#include "write_cost.h"

/* A plan that was made: under config it used these indexes at this cost. */
typedef struct GlperfCost
{
	uint64	   *config;
	uint64	   *used;
	double		cost;
	double		planner_cost;	/* what made the planner choose it */
	bool		gambles;		/* cost has a charge by plan_risk.c */
} GlperfCost;

/* One way of running a statement, with what is known of its costs. */
typedef struct GlperfPlanned
{
	GlperfInstance *instance;
	GlperfHarvest harvest;
	bool		ok;				/* it could be planned */
	bool		open_params;	/* planned with unknown values */
	double		base_cost;		/* with no candidate */
	int			nrels;			/* tables in the plan */
	GlperfPrice base_price;		/* ns; zero unless plans are priced */
	double		doubt;			/* how far the pessimistic price counts */
	double		base_planner_cost;
	uint64	   *relevant;		/* candidates that can matter */
	GlperfMatrix *matrix;		/* prices what was not planned */
	List	   *before;			/* GlperfPlanScan * of the plan as things are */
	List	   *after;			/* ... and with all recommended indexes */
	double		after_cost;		/* of that plan */
	bool		gambles;		/* that plan counts on stopping early */
	List	   *overruns;		/* Oid list of tables: a condition lies beyond
								 * the histogram */
	GlperfCost *costs;
	int			ncosts;
	int			allocated;
} GlperfPlanned;

typedef enum GlperfOutcome
{
	GLPERF_NO_GAIN,
	GLPERF_ADVISED,
	GLPERF_NOT_ANALYSABLE
} GlperfOutcome;

/* One statement of the workload on its way through the run. */
typedef struct GlperfAdviceStatement
{
	GlperfWorkItem *item;
	GlperfPlanned planned[GLPERF_INSTANCES];
	int			nplanned;
	double		weight;			/* ms per day now */
	bool		obsolete;		/* its time is from before an index it uses
								 * now */
	double		explained;		/* share of it that its plan's price explains */
	List	   *real_used;		/* Oid list: existing indexes in its plans now */
	uint64	   *relevant;		/* union over the ways of running */
	uint64	   *used;			/* chosen candidates in the final plans */
	double		ratio;			/* final cost relative to now */
	GlperfOutcome outcome;
	char	   *reason;
	char	   *repeated;		/* see glperf_plan_repeated(), of today's plan */
} GlperfAdviceStatement;

/* One recommendation, ready to be shown. */
typedef struct GlperfRecommendation
{
	const char *action;			/* analyze, create or drop */
	int			candidate;		/* -1 unless it creates an index */
	char	   *schema;
	char	   *table;
	char	   *name;
	char	   *ddl;
	List	   *steps;			/* char * */
	char	   *undo;
	double		size;			/* bytes */
	double		benefit;		/* ms per day, write cost not taken off */
	GlperfWriteCost write;
	double		benefit_pct;
	double		loss_without;	/* ms per day lost if it alone were left out */
	int			helped;
	int			hurt;
	List	   *queryids;		/* int64 * */
	const char *confidence;
	List	   *reasons;		/* char * */
} GlperfRecommendation;

typedef struct GlperfAdviceOptions
{
	double		budget;			/* bytes, < 0 for none */
	int			max_indexes;	/* < 0 for no limit */
	double		min_benefit_pct;	/* of the workload's time, per index */
	int			time_limit_ms;	/* <= 0 for none */
	Jsonb	   *workload;		/* statements handed in, or NULL */
} GlperfAdviceOptions;

typedef struct GlperfAdvice
{
	MemoryContext context;
	GlperfAdviceOptions options;
	TimestampTz started;
	double		elapsed_ms;
	GlperfWorkload *workload;
	GlperfAdviceStatement *statements;
	int			nstatements;
	double		total_weight;	/* ms per day */
	GlperfCandidates candidates;
	GlperfIndexDef **defs;		/* [candidate] */
	bool	   *alive;			/* [candidate] may be chosen */
	List	   *writes;			/* GlperfWrite * */
	GlperfWriteCost *write_costs;	/* [candidate] */
	GlperfTableSamples *samples;	/* rows of tables, for sizes */
	List	   *real_used;		/* Oid list: existing indexes in plans */
	GlperfProbes probes;		/* ends of columns */
	GlperfStatisticsSet statistics; /* that are missing */
	int			planner_calls;
	GlperfSelection selection;
	GlperfRecommendation *recommendations;
	int			nrecommendations;
	double		used_bytes;
	bool		complete;
	bool		hurry;			/* the time is up: no more planning */
	uint64	   *scratch;		/* a set of candidates */
} GlperfAdvice;

/* A gain of less than this share of a statement's cost is not believed. */
#define GLPERF_TRUSTED_RATIO	0.9

/*
 * A plan that becomes dearer than now by more than the first counts as a loss;
 * by more than the second it forbids the set by the planner's cost, and is
 * gross harm by time: see glperf_advise_limit().  Charges for gambles are in
 * both, so neither says how much slower the statement would be.
 */
#define GLPERF_COUNTED_REGRESSION	0.1
#define GLPERF_MAX_REGRESSION		1.0

/* advise.c: the whole run.  Allocates in a context of its own. */
extern GlperfAdvice *glperf_advise(const GlperfAdviceOptions *options);

/* advise_choose.c: set up the selection problem and solve it. */
extern void glperf_advise_choose(GlperfAdvice *advice);

/*
 * advise_weight.c: how much each statement matters: its measured time, unless it has none, or
 * that was measured before an index existed that it uses now.  Then what the
 * planner thinks of it is worth more, at the rate of the other statements.
 */
extern void glperf_advise_weigh(GlperfAdvice *advice);

/*
 * The cost relative to now beyond which a statement forbids a set.  By time
 * that is 10 % for one that matters.  One with little of the workload's time
 * may lose as much of that time as those, but never by gross harm: not more
 * than twice as slow, or some milliseconds a call.  A report that runs once a
 * day must not cost everybody else their index.
 */
extern double glperf_advise_limit(const GlperfAdvice *advice, int s);

/* advise_cost.c: planning the statements of a run. */

/* Analyse and plan as things are; collect candidates and writes. */
extern void glperf_advise_harvest(GlperfAdvice *advice);

/*
 * Find out which statistics are missing, and harvest the statements concerned
 * again as if they existed.
 */
extern void glperf_advise_missing_statistics(GlperfAdvice *advice);

/*
 * advise_peel.c: plan each statement with its best candidates, then without
 * those, ...
 */
extern void glperf_advise_peel(GlperfAdvice *advice);

/* Room for the result of one more plan. */
extern GlperfCost *glperf_advise_new_cost(GlperfAdvice *advice,
										  GlperfPlanned *planned);

/*
 * The plan of one way of running a statement under config, planning if it
 * must.  wide: the planner need not look at candidates that others outdo.
 * Planning may move all plans known before.
 */
extern GlperfCost *glperf_advise_cost_of(GlperfAdvice *advice,
										 GlperfAdviceStatement *statement,
										 GlperfPlanned *planned,
										 const uint64 *config, bool wide);

/*
 * Cost of statement s under config relative to now; plans only if it must, and
 * not when the time is up.
 */
extern double glperf_advise_ratio(GlperfAdvice *advice, int s,
								  const uint64 *config);

/* The same without planning: an estimate from the plans already made. */
extern double glperf_advise_bound(GlperfAdvice *advice, int s,
								  const uint64 *config);

/* Adds to used what the plans of statement s use under config. */
extern void glperf_advise_used(GlperfAdvice *advice, int s,
							   const uint64 *config, uint64 *used);

/*
 * What the planner is to see under config (NULL: no candidate), as every plan
 * of the run is made.
 */
extern void glperf_advise_whatif(GlperfAdvice *advice, const uint64 *config,
								 GlperfWhatif *whatif);

/*
 * Is this share of the time limit over?  Also the place where a cancel is
 * noticed; and what is planned next may last until then.
 */
extern bool glperf_advise_out_of_time(GlperfAdvice *advice, double share);

/*
 * Shares of the time limit at which each stage ends, so that the stages after
 * it have time to make something of what was found.
 */
#define GLPERF_HARVEST_SHARE	0.4
#define GLPERF_SIZE_SHARE		0.5
#define GLPERF_PEEL_SHARE		0.75
#define GLPERF_SEARCH_SHARE		0.95

/* advise_value.c: what a plan counts for. */

/* Are plans valued by their time, not by the planner's cost? */
extern bool glperf_value_by_time(void);

/* Adds the price of the plan just made, a gamble counting so many times. */
extern void glperf_value_add(GlperfPrice *price, const GlperfWhatif *whatif,
							 double gamble);

/* A gain that pessimism about row counts takes away counts for half. */
#define GLPERF_USUAL_DOUBT	0.5

/*
 * One figure for the price of a plan.  When more rows than the planner expects
 * make it slower than the plan as things are under the same suspicion, that is
 * what it counts for.
 */
extern double glperf_value_price(const GlperfPlanned *planned,
								 const GlperfPrice *price);

/*
 * A statement's cost relative to now.  What of its measured time the price of
 * its plan does not explain is no promise of a gain.
 */
extern double glperf_value_ratio(const GlperfAdviceStatement *statement,
								 double now, double then);

/*
 * The cheapest plan known that config makes possible.  It may be another one
 * than the planner's: of two plans that it takes for equal, one may be a
 * gamble (plan_risk.c), and an index is not to be judged by that accident.
 * Unless the planner's choice makes the statement slower than it is now: then
 * that is what will happen, and the search must know.  Where prices count, the
 * planner's choice stands for itself but for gambles.
 */
extern GlperfCost *glperf_value_possible(GlperfPlanned *planned,
										 GlperfCost *best,
										 const uint64 *config, int words);

/* The plan under config if that is known, else NULL; config is relevant. */
extern GlperfCost *glperf_value_known(GlperfPlanned *planned,
									  const uint64 *config, int words);

/*
 * The cheapest plan made so far that config makes possible: the one as things
 * are, if no other.
 */
extern GlperfCost *glperf_value_cheapest(GlperfPlanned *planned,
										 const uint64 *config, int words);

/*
 * advise_upkeep.c: statistics that the advice rests on.  Appends
 * recommendations and puts them to the front.
 */
extern void glperf_advise_statistics(GlperfAdvice *advice);

/* Room for one more recommendation, at the end; moves those before it. */
extern GlperfRecommendation *glperf_advise_append(GlperfAdvice *advice);

/*
 * advise_replace.c: existing indexes to replace, merge, drop or rebuild.
 */
extern void glperf_advise_drops(GlperfAdvice *advice);

/*
 * advise_explain.c: plans with the chosen indexes, and what can be said about
 * the run besides its recommendations.
 */

/* Plan the advised statements with the chosen indexes. */
extern void glperf_advise_final_plans(GlperfAdvice *advice);

/* advise_sql.c: the session's last run, or one with default options. */
extern GlperfAdvice *glperf_last_advice(void);

/*
 * advise_risk.c: how far a recommendation can be relied on.
 */

/* Note conditions on rel that lie beyond the histogram of their column. */
extern void glperf_risk_observe(List **overruns, MemoryContext context,
								PlannerInfo *root, RelOptInfo *rel,
								RangeTblEntry *rte);

/* Set rec's confidence, and say why. */
extern void glperf_risk_grade(GlperfAdvice *advice,
							  GlperfRecommendation *rec);

/* advise_report.c: from a selection to recommendations with reasons. */
extern void glperf_advise_report(GlperfAdvice *advice);

/* Time for people, in the unit that suits it. */
extern char *glperf_format_ms(double ms);

#endif							/* GLPERF_ADVISE_H */

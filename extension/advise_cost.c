/*
 * advise_cost.c
 *		Planning the statements of a run, as seldom as possible.
 *
 * A plan made under configuration C that uses the indexes U costs the same
 * under every C' with U within C' within C.  So each plan made answers for
 * many configurations, and the planner is called only for the rest.
 *
 * What counts depends on glperf.cost_model.  With "planner" it is the cheapest
 * of the plans that a configuration makes possible, so adding an index never
 * makes a statement look dearer.  With "time" it is the price (plan_price.c)
 * of the very plan that the planner would run.
 *
 * Every statement is analysed anew for each plan, inside the sandbox: analysis
 * is cheap beside planning, and nothing has to outlive the sandbox.
 */
#include "advise.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "sandbox.h"
#include "trees.h"

/* Share of a table that is taken to be all-visible at most. */
#define MAX_VISIBLE		0.8

/* An estimate without planning that is further off is told to developers. */
#define TOLD_ERROR		0.03

/*
 * Memory of a run up to which the options of further statements are collected,
 * and up to which further plans are taken apart.
 */
#define MOST_COLLECTED_MB	160
#define MOST_NOTED_MB		192

/* One planning job, run inside the sandbox. */
typedef struct PlanJob
{
	GlperfAdvice *advice;
	GlperfAdviceStatement *statement;
	GlperfPlanned *planned;
	GlperfStatement *stmt;
	const uint64 *config;		/* NULL: harvest */
	uint64	   *used;
	double		cost;
	double		planner_cost;	/* without any charge */
	GlperfPrice price;
	int			nrels;			/* tables in the plan */
	bool		gambles;		/* a plan counts on stopping early */
	bool		collected;		/* the matrix has been filled */
	bool		repair;			/* mend the text first */
	bool		again;			/* harvested before, without statistics */
} PlanJob;

bool
glperf_advise_out_of_time(GlperfAdvice *advice, double share)
{
	long		left;

	CHECK_FOR_INTERRUPTS();
	if (advice->options.time_limit_ms <= 0)
	{
		glperf_sandbox_limit(0);
		return false;
	}
	left = (long) (advice->options.time_limit_ms * share) -
		TimestampDifferenceMilliseconds(advice->started,
										GetCurrentTimestamp());
	if (left <= 0)
		return true;
	glperf_sandbox_limit((int) left);
	return false;
}

/* Note which rows a day the statement writes, first way of running only. */
static void
note_writes(PlanJob *job, Query *query, PlannedStmt *plan)
{
	GlperfAdvice *advice = job->advice;
	GlperfWorkItem *item = job->statement->item;
	GlperfVolume volume = {item->rows * item->per_day,
		item->calls * item->per_day,
	item->time_ms < 0 ? -1 : item->time_ms * item->per_day};

	if (job->planned != &job->statement->planned[0] || job->again)
		return;
	if (query)
		advice->writes = glperf_write_note(advice->writes, query, plan, volume,
										   advice->context);
	else
		advice->writes = glperf_write_note_copy(advice->writes,
												job->stmt->text, volume,
												advice->context);
}

/* Note which existing indexes some plan relies on. */
static void
note_real_indexes(PlanJob *job, const GlperfWhatif *whatif,
				  PlannedStmt *plan)
{
	GlperfAdvice *advice = job->advice;
	List	   *used = glperf_plan_real_indexes(whatif, plan, NIL);
	MemoryContext old = MemoryContextSwitchTo(advice->context);

	advice->real_used = list_concat_unique_oid(advice->real_used, used);
	if (job->config == NULL)
		job->statement->real_used =
			list_concat_unique_oid(job->statement->real_used, used);
	MemoryContextSwitchTo(old);
}

/* Harvest callback: what an index and what statistics could do for rel. */
static void
harvest_relation(void *arg, PlannerInfo *root, RelOptInfo *rel,
				 RangeTblEntry *rte)
{
	PlanJob    *job = arg;
	double		tuples = rel->tuples;

	/* what shares of its rows are shares of, if it has parts, too */
	rel->tuples = glperf_rel_tuples(root, rel);
	glperf_risk_observe(&job->planned->overruns, job->advice->context, root,
						rel, rte);
	if (!job->again)
		glperf_statistics_observe(&job->advice->statistics,
								  job->statement - job->advice->statements,
								  root, rel, rte);
	glperf_candidates_harvest(&job->planned->harvest, root, rel, rte);
	rel->tuples = tuples;
}

void
glperf_advise_whatif(GlperfAdvice *advice, const uint64 *config,
					 GlperfWhatif *whatif)
{
	/* the planner's own cost is to be what EXPLAIN would say today */
	whatif->max_visible = glperf_value_by_time() ? MAX_VISIBLE : 0;
	whatif->probes = &advice->probes;
	if (advice->statistics.wanted)
		whatif->statistics = &advice->statistics;
	if (config)
	{
		whatif->defs = advice->defs;
		whatif->ndefs = advice->candidates.n;
		whatif->enabled = config;
	}
}

/* Remember the scans of the plan as things are. */
static void
note_scans(PlanJob *job, const GlperfWhatif *whatif, PlannedStmt *plan)
{
	MemoryContext old = MemoryContextSwitchTo(job->advice->context);

	job->planned->before = list_concat(job->planned->before,
									   glperf_plan_scans(whatif, plan));
	MemoryContextSwitchTo(old);
}

/* Remember what no index changes about the plan as things are. */
static void
note_repeated(PlanJob *job, PlannedStmt *plan)
{
	char	   *repeated = glperf_plan_repeated(plan);

	if (repeated)
		job->statement->repeated = MemoryContextStrdup(job->advice->context,
													   repeated);
}

/*
 * Is there memory to note more of what estimates are made from?  What takes it
 * are tables of hundreds of partitions.  The statements that take most time come
 * first; of the others nothing is known but the plans that were made.
 */
static bool
may_note(const GlperfAdvice *advice, Size megabytes)
{
	return MemoryContextMemAllocated(advice->context, true) <
		megabytes * 1024 * 1024;
}

/* Add what a plan costs to the job, and take it apart. */
static void
value_plan(PlanJob *job, GlperfWhatif *whatif, PlannedStmt *plan)
{
	double		cost = glperf_plan_cost(plan);
	double		planned = plan->planTree->total_cost;

	job->planner_cost += planned;
	job->gambles |= cost > planned;
	if (whatif->matrix && whatif->final_rel && glperf_value_by_time())
	{
		glperf_value_add(&job->price, whatif,
						 planned > 0 ? cost / planned : 1);
		cost = planned;
	}
	job->cost += cost;
	if (whatif->matrix && whatif->final_rel &&
		may_note(job->advice, MOST_NOTED_MB))
		glperf_access_skeleton(whatif->matrix, whatif, whatif->final_root,
							   whatif->final_rel->cheapest_total_path,
							   whatif->rels, cost, job->price);
}

/* The work of a PlanJob. */
static void
plan_work(void *arg)
{
	PlanJob    *job = arg;
	GlperfAnalysed analysed;
	GlperfWhatif whatif = {0};
	ListCell   *lc;

	if (job->repair)
	{
		const char *text = job->stmt->text;

		if (job->stmt->expression)
			text = glperf_statement_expression(text);
		job->stmt->text = MemoryContextStrdup(job->advice->context,
											  glperf_statement_repair(text));
	}
	if (job->config == NULL)
		note_writes(job, NULL, NULL);
	glperf_statement_analyse(job->stmt, &analysed);
	glperf_advise_whatif(job->advice, job->config, &whatif);
	if (job->config == NULL)
	{
		whatif.harvest = harvest_relation;
		whatif.harvest_arg = job;
		job->planned->open_params = analysed.open_params;
		job->planned->before = NIL;
	}
	job->cost = job->planner_cost = 0;
	job->gambles = false;
	memset(&job->price, 0, sizeof(GlperfPrice));
	if (list_length(analysed.queries) == 1)
	{
		whatif.matrix = job->planned->matrix;
		whatif.matrix->by_time = glperf_value_by_time();
		whatif.collect = job->config != NULL && !whatif.matrix->filled &&
			whatif.matrix->words > 0 &&
			may_note(job->advice, MOST_COLLECTED_MB);
		job->collected = whatif.collect;
	}
	foreach(lc, analysed.queries)
	{
		Query	   *query = lfirst_node(Query, lc);
		PlannedStmt *plan;

		if (query->commandType == CMD_UTILITY)
			continue;
		plan = glperf_whatif_plan(&whatif, query, job->stmt->text,
								  analysed.cursor_options, analysed.params);
		job->advice->planner_calls++;
		value_plan(job, &whatif, plan);
		job->nrels = list_length(whatif.rels);
		note_real_indexes(job, &whatif, plan);
		if (job->config)
			glperf_plan_used(&whatif, plan, job->used);
		else
		{
			glperf_check_permissions(plan);
			note_writes(job, query, plan);
			note_scans(job, &whatif, plan);
			note_repeated(job, plan);
		}
	}
}

/* Run a job as the role whose statement it is. */
static bool
run_job(PlanJob *job, GlperfFailure *failure)
{
	Oid			role = job->statement->item->userid;

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
	{
		failure->sqlerrcode = ERRCODE_UNDEFINED_OBJECT;
		failure->message = "the role that ran it no longer exists";
		return false;
	}
	if (glperf_sandbox_run(role, job->planned->instance->search_path,
						   plan_work, job, failure))
		return true;
	/* stopped in the middle: by the run's own limit if it has one */
	if (failure->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		job->advice->options.time_limit_ms > 0)
		job->advice->complete = false;
	return false;
}

/* The same as a callback of glperf_statement_guess_types(). */
static bool
attempt_job(void *arg, GlperfFailure *failure)
{
	PlanJob    *job = arg;

	job->repair = false;		/* done before */
	return run_job(job, failure);
}

/* The plan as things are is what all others are compared with. */
static void
note_base(GlperfPlanned *planned, const PlanJob *job)
{
	planned->base_cost = job->cost;
	planned->base_planner_cost = job->planner_cost;
	planned->base_price = job->price;
	planned->doubt = GLPERF_USUAL_DOUBT;
	planned->nrels = job->nrels;
	if (job->price.expected > 0)
		planned->base_cost = job->price.expected;
}

/*
 * Run a job again whose text is no SQL: a server parsed it once, so it may be
 * an expression of PL/pgSQL, where any name may be a variable.
 */
static bool
run_as_expression(PlanJob *job, GlperfFailure *failure)
{
	GlperfStatement before = *job->stmt;
	GlperfFailure then = {0};

	if (!before.variables && job->statement->item->queryid == 0)
		return false;
	job->stmt->expression = job->stmt->variables = true;
	if (run_job(job, &then))
		return true;
	if (then.sqlerrcode == ERRCODE_SYNTAX_ERROR)
		*job->stmt = before;
	else
		*failure = then;
	return false;
}

/*
 * Run a job again that failed, with a statement that is mended or taken for
 * what it may be instead.
 */
static bool
run_mended(PlanJob *job, GlperfFailure *failure)
{
	GlperfStatement *stmt = job->stmt;

	if (!stmt->variables && (failure->sqlerrcode == ERRCODE_UNDEFINED_COLUMN ||
							 failure->sqlerrcode == ERRCODE_UNDEFINED_TABLE) &&
		glperf_statement_in_function(stmt->text))
	{
		stmt->variables = true;
		if (run_job(job, failure))
			return true;
	}
	/* N$1 is a name */
	if ((failure->sqlerrcode != ERRCODE_SYNTAX_ERROR &&
		 failure->sqlerrcode != ERRCODE_UNDEFINED_COLUMN &&
		 !glperf_statement_type_error(failure->sqlerrcode)) ||
		job->planned->instance->sampled)
		return false;
	job->repair = true;
	if (run_job(job, failure))
		return true;
	if (failure->sqlerrcode == ERRCODE_SYNTAX_ERROR &&
		run_as_expression(job, failure))
		return true;
	return glperf_statement_type_error(failure->sqlerrcode) &&
		glperf_statement_guess_types(stmt, job->advice->context, attempt_job,
									 job, failure);
}

/* Harvest one way of running a statement; mends the text if it must. */
static bool
harvest_instance(GlperfAdvice *advice, GlperfAdviceStatement *statement,
				 GlperfPlanned *planned, GlperfFailure *failure)
{
	GlperfStatement *stmt = &planned->instance->stmt;
	PlanJob		job = {advice, statement, planned, stmt};

	planned->harvest.set = &advice->candidates;
	planned->matrix = MemoryContextAllocZero(advice->context,
											 sizeof(GlperfMatrix));
	planned->matrix->context = advice->context;
	if (!run_job(&job, failure) && !run_mended(&job, failure))
		return false;
	note_base(planned, &job);
	return true;
}

/*
 * A partial index is worth it only when the statement asks for that very part
 * every time, and one on an expression with a constant when that stays: drop
 * those that some way of running does not share.
 */
static void
mark_supported(GlperfAdvice *advice, GlperfAdviceStatement *statement)
{
	for (int p = 0; p < statement->nplanned; p++)
	{
		ListCell   *lc;

		foreach(lc, statement->planned[p].harvest.proposed)
		{
			int			c = lfirst_int(lc);
			const GlperfIndexDef *def = advice->candidates.items[c].def;
			bool		everywhere = true;
			bool		valued = glperf_has_value((Node *) def->pred) ||
			glperf_has_value((Node *) def->exprs);

			for (int o = 0; o < statement->nplanned; o++)
				if (!list_member_int(statement->planned[o].harvest.proposed, c))
					everywhere = false;
			/* what holds for any value does not rest on samples of them */
			if (valued && !glperf_workload_constants(statement->item))
				everywhere = false;
			if (everywhere || (!valued && def->pred == NIL))
				advice->candidates.items[c].supported = true;
		}
	}
}

/* Why a statement has no plan, for people. */
static char *
failure_reason(const GlperfFailure *failure, const GlperfWorkItem *item,
			   List *temp_tables)
{
	const GlperfInstance *instance = &item->instances[0];
	char	   *temp_table = NULL;

	if (failure->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return "a table it reads is locked at the moment";
	if (failure->sqlerrcode == ERRCODE_SYNTAX_ERROR &&
		glperf_statement_command(instance->stmt.text))
		return psprintf("utility statement %s has no plan",
						glperf_statement_command(instance->stmt.text));
	if (failure->sqlerrcode == ERRCODE_UNDEFINED_TABLE)
		temp_table = glperf_statement_temp_table(instance->stmt.text,
												 temp_tables);
	if (temp_table)
		return psprintf("reads temporary table %s, which is gone with its session",
						quote_identifier(temp_table));
	if (failure->sqlerrcode == ERRCODE_UNDEFINED_TABLE)
		return psprintf("%s: it was dropped, renamed or temporary, or is not in the search_path %s",
						failure->message, instance->search_path);
	if (failure->sqlerrcode == ERRCODE_UNDEFINED_COLUMN)
		return psprintf("%s: it was dropped or renamed%s", failure->message,
						item->nested ? "" :
						", or is a variable of a function that has changed since");
	if (instance->stmt.variables &&
		glperf_statement_type_error(failure->sqlerrcode))
		return "runs inside a function, with variables whose types are not known here";
	return failure->message;
}

void
glperf_advise_harvest(GlperfAdvice *advice)
{
	List	   *temp_tables = glperf_workload_temp_tables(advice->workload);

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		GlperfWorkItem *item = statement->item;
		GlperfFailure failure = {0};

		for (int i = 0; i < item->ninstances; i++)
		{
			GlperfPlanned *planned = &statement->planned[statement->nplanned];

			if (glperf_advise_out_of_time(advice, GLPERF_HARVEST_SHARE))
			{
				advice->complete = false;
				failure.message = "the time limit was reached before it";
				break;
			}

			memset(planned, 0, sizeof(GlperfPlanned));
			planned->instance = &item->instances[i];
			if (harvest_instance(advice, statement, planned, &failure))
			{
				planned->ok = true;
				statement->nplanned++;
			}
		}
		if (statement->nplanned == 0)
		{
			statement->outcome = GLPERF_NOT_ANALYSABLE;
			statement->reason = failure_reason(&failure,
											   item, temp_tables);
			continue;
		}
		mark_supported(advice, statement);
	}
}

/* For glperf_statistics_find(). */
static bool
stop_finding(void *arg)
{
	return glperf_advise_out_of_time((GlperfAdvice *) arg,
									 GLPERF_HARVEST_SHARE);
}

/* Harvest a statement once more, as if the missing statistics existed. */
static void
harvest_again(GlperfAdvice *advice, GlperfAdviceStatement *statement)
{
	for (int p = 0; p < statement->nplanned; p++)
	{
		GlperfPlanned *planned = &statement->planned[p];
		GlperfFailure failure = {0};
		GlperfMatrix *before = planned->matrix;
		PlanJob		job = {advice, statement, planned,
		&planned->instance->stmt,.again = true};

		/* what was taken apart before rests on wrong numbers of rows */
		planned->matrix = MemoryContextAllocZero(advice->context,
												 sizeof(GlperfMatrix));
		planned->matrix->context = advice->context;
		if (run_job(&job, &failure))
			note_base(planned, &job);
		else
			planned->matrix = before;
	}
	mark_supported(advice, statement);
}

void
glperf_advise_missing_statistics(GlperfAdvice *advice)
{
	List	   *concerned = NIL;
	ListCell   *lc;

	glperf_statistics_find(&advice->statistics, stop_finding, advice);
	foreach(lc, advice->statistics.wanted)
	{
		GlperfStatistics *wanted = lfirst(lc);

		if (wanted->recomputed)
			concerned = list_concat_unique_int(concerned, wanted->statements);
	}
	foreach(lc, concerned)
		harvest_again(advice, &advice->statements[lfirst_int(lc)]);
}

GlperfCost *
glperf_advise_new_cost(GlperfAdvice *advice, GlperfPlanned *planned)
{
	MemoryContext old = MemoryContextSwitchTo(advice->context);
	int			bytes = bitset_bytes(advice->candidates.n);
	GlperfCost *cost;

	if (planned->ncosts == planned->allocated)
	{
		planned->allocated = Max(8, planned->allocated * 2);
		planned->costs = planned->costs ?
			repalloc(planned->costs, sizeof(GlperfCost) * planned->allocated) :
			palloc(sizeof(GlperfCost) * planned->allocated);
	}
	cost = &planned->costs[planned->ncosts++];
	cost->config = palloc0(bytes);
	cost->used = palloc0(bytes);
	cost->cost = planned->base_cost;
	cost->planner_cost = planned->base_planner_cost;
	cost->gambles = false;
	MemoryContextSwitchTo(old);
	return cost;
}

/*
 * What the planner is to look at of a wide configuration: the rest would only
 * take its time.  NULL as long as nothing is known.
 */
static uint64 *
best_of(GlperfAdvice *advice, GlperfPlanned *planned, const uint64 *config)
{
	GlperfWhatif whatif = {0};
	uint64	   *best;

	if (!planned->matrix->filled)
		return NULL;
	best = palloc0(bitset_bytes(advice->candidates.n));
	whatif.defs = advice->defs;
	for (int r = 0; r < planned->matrix->nrels; r++)
		glperf_access_best(planned->matrix, &whatif, r, config, best);
	return best;
}

GlperfCost *
glperf_advise_cost_of(GlperfAdvice *advice, GlperfAdviceStatement *statement,
					  GlperfPlanned *planned, const uint64 *config, bool wide)
{
	int			words = bitset_words(advice->candidates.n);
	uint64	   *mine = palloc(words * sizeof(uint64) + 1);
	uint64	   *best;
	GlperfCost *cost;
	GlperfFailure failure;
	PlanJob		job;

	memcpy(mine, config, words * sizeof(uint64));
	bitset_intersect(mine, planned->relevant, words);
	cost = glperf_value_known(planned, mine, words);
	if (cost == NULL && advice->hurry)
		cost = glperf_value_cheapest(planned, mine, words);
	if (cost)
	{
		pfree(mine);
		return cost;
	}
	cost = glperf_advise_new_cost(advice, planned);
	memcpy(cost->config, mine, words * sizeof(uint64));
	pfree(mine);
	best = wide ? best_of(advice, planned, cost->config) : NULL;
	job = (PlanJob)
	{
		advice, statement, planned, &planned->instance->stmt,
			best ? best : cost->config, cost->used
	};
	/* a table may be locked just now: then count on no gain */
	if (run_job(&job, &failure))
	{
		cost->cost = planned->base_price.expected > 0 ?
			glperf_value_price(planned, &job.price) : job.cost;
		cost->planner_cost = job.planner_cost;
		cost->gambles = job.gambles;
		planned->matrix->filled |= job.collected;
	}
	else
		memset(cost->used, 0, words * sizeof(uint64));
	if (best)
		pfree(best);
	return glperf_value_possible(planned, cost, cost->config, words);
}

/* For those who look into why a search takes long: how far off it was. */
static void
tell_error(int s, double estimate, double ratio)
{
	if (fabs(ratio - estimate) > TOLD_ERROR * Max(ratio, estimate))
		elog(DEBUG1, "statement %d of the advice: %.3f of its cost expected, %.3f planned",
			 s, estimate, ratio);
}

double
glperf_advise_ratio(GlperfAdvice *advice, int s, const uint64 *config)
{
	GlperfAdviceStatement *statement = &advice->statements[s];
	bool		tell = message_level_is_interesting(DEBUG1);
	double		estimate = tell ? glperf_advise_bound(advice, s, config) : 0;
	int			calls = advice->planner_calls;
	double		now = 0;
	double		then = 0;
	double		ratio;

	if (advice->hurry)
		return glperf_advise_bound(advice, s, config);
	for (int p = 0; p < statement->nplanned; p++)
	{
		now += statement->planned[p].base_cost;
		then += glperf_advise_cost_of(advice, statement,
									  &statement->planned[p], config, false)->cost;
	}
	ratio = glperf_value_ratio(statement, now, then);
	if (tell && advice->planner_calls > calls)
		tell_error(s, estimate, ratio);
	return ratio;
}

void
glperf_advise_used(GlperfAdvice *advice, int s, const uint64 *config,
				   uint64 *used)
{
	GlperfAdviceStatement *statement = &advice->statements[s];

	for (int p = 0; p < statement->nplanned; p++)
		bitset_union(used,
					 glperf_advise_cost_of(advice, statement,
										   &statement->planned[p], config,
										   false)->used,
					 bitset_words(advice->candidates.n));
}

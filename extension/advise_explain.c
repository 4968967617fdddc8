/*
 * advise_explain.c
 *		What can be said about a run besides its recommendations: plans before
 *		and after, candidates that lost, and what was not looked at.
 */
#include "advise.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "sandbox.h"
#include "trees.h"

PG_FUNCTION_INFO_V1(glperf_advice_plans);
PG_FUNCTION_INFO_V1(glperf_advice_rivals);
PG_FUNCTION_INFO_V1(glperf_advice_not_examined);

/* A plan that stops early is dearer to us than to the planner by so much. */
#define GAMBLE_SHARE	0.02

/* Planning one way of running a statement with the chosen indexes. */
typedef struct FinalJob
{
	GlperfAdvice *advice;
	GlperfPlanned *planned;
} FinalJob;

/* The work of a FinalJob. */
static void
final_work(void *arg)
{
	FinalJob   *job = arg;
	GlperfPlanned *planned = job->planned;
	GlperfStatement *stmt = &planned->instance->stmt;
	GlperfAnalysed analysed;
	GlperfWhatif whatif = {0};
	List	   *scans = NIL;
	double		cost = 0;
	double		charged = 0;
	ListCell   *lc;

	glperf_statement_analyse(stmt, &analysed);
	glperf_advise_whatif(job->advice, job->advice->selection.chosen, &whatif);
	foreach(lc, analysed.queries)
	{
		Query	   *query = lfirst_node(Query, lc);
		PlannedStmt *plan;
		MemoryContext old;

		if (query->commandType == CMD_UTILITY)
			continue;
		plan = glperf_whatif_plan(&whatif, query, stmt->text,
								  analysed.cursor_options, analysed.params);
		job->advice->planner_calls++;
		cost += plan->planTree->total_cost;
		charged += glperf_plan_cost(plan) - plan->planTree->total_cost;
		old = MemoryContextSwitchTo(job->advice->context);
		scans = list_concat(scans, glperf_plan_scans(&whatif, plan));
		MemoryContextSwitchTo(old);
	}
	planned->after = scans;
	planned->after_cost = cost;
	planned->gambles = charged > GAMBLE_SHARE * cost;
}

void
glperf_advise_final_plans(GlperfAdvice *advice)
{
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		for (int p = 0; p < statement->nplanned; p++)
		{
			FinalJob	job = {advice, &statement->planned[p]};
			GlperfFailure failure = {0};

			if (statement->outcome != GLPERF_ADVISED ||
				glperf_advise_out_of_time(advice, 1.0))
				continue;
			/* a table that is locked just now leaves its plan untold */
			(void) glperf_sandbox_run(statement->item->userid,
									  job.planned->instance->search_path,
									  final_work, &job, &failure);
		}
	}
}

/* The scan of the same table, under the same alias, in the other plan. */
static GlperfPlanScan *
counterpart(List *before, const GlperfPlanScan *scan, int occurrence)
{
	ListCell   *lc;

	foreach(lc, before)
	{
		GlperfPlanScan *other = lfirst(lc);

		if (other->relid == scan->relid &&
			strcmp(other->alias, scan->alias) == 0 && occurrence-- == 0)
			return other;
	}
	return NULL;
}

/* Number of scans like this one that come before it. */
static int
occurrence_of(List *scans, const GlperfPlanScan *scan)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, scans)
	{
		GlperfPlanScan *other = lfirst(lc);

		if (other == scan)
			break;
		n += other->relid == scan->relid &&
			strcmp(other->alias, scan->alias) == 0;
	}
	return n;
}

/* One row of advice_plans(). */
static void
put_plan(ReturnSetInfo *rsinfo, GlperfAdvice *advice, int rank,
		 GlperfAdviceStatement *statement, int p, GlperfPlanScan *scan)
{
	GlperfPlanned *planned = &statement->planned[p];
	GlperfPlanScan *before =
	counterpart(planned->before, scan, occurrence_of(planned->after, scan));
	char	   *table = get_rel_name(scan->relid);
	Datum		values[14];
	bool		nulls[14] = {0};

	values[0] = Int32GetDatum(rank);
	values[1] = CStringGetTextDatum(advice->recommendations[rank - 1].name);
	values[2] = Int64GetDatum(statement->item->queryid);
	values[3] = CStringGetTextDatum(statement->item->role);
	values[4] = CStringGetTextDatum(statement->item->query);
	values[5] = Int32GetDatum(p + 1);
	nulls[6] = table == NULL;
	values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(table);
	values[7] = CStringGetTextDatum(scan->alias);
	nulls[8] = nulls[10] = before == NULL;
	values[8] = before ? CStringGetTextDatum(before->node) : (Datum) 0;
	values[9] = CStringGetTextDatum(scan->node);
	values[10] = before ? Float8GetDatum(before->cost) : (Datum) 0;
	values[11] = Float8GetDatum(scan->cost);
	values[12] = Float8GetDatum(planned->base_planner_cost);
	values[13] = Float8GetDatum(planned->after_cost);
	if (rsinfo->setDesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of advice_plans()");
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * glperf_advice_plans() -- the scans that recommended indexes change
 */
Datum
glperf_advice_plans(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfAdvice *advice;

	InitMaterializedSRF(fcinfo, 0);
	advice = glperf_last_advice();
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		int			candidate = advice->recommendations[r].candidate;

		if (candidate < 0)
			continue;
		for (int s = 0; s < advice->nstatements; s++)
			for (int p = 0; p < advice->statements[s].nplanned; p++)
			{
				ListCell   *lc;

				foreach(lc, advice->statements[s].planned[p].after)
				{
					GlperfPlanScan *scan = lfirst(lc);

					if (list_member_int(scan->candidates, candidate))
						put_plan(rsinfo, advice, r + 1, &advice->statements[s],
								 p, scan);
				}
			}
	}
	return (Datum) 0;
}

/* A candidate that could have been in the place of a recommended one. */
typedef struct Rival
{
	int			candidate;
	double		gain;			/* ms per day of the set with it instead,
								 * relative to the chosen one's, upkeep off */
	double		saving;			/* of statements alone */
	int			slower;			/* statement that would get too slow, or -1 */
} Rival;

/* What a configuration saves on the statements concerned, upkeep not off. */
static double
saving_of_set(GlperfAdvice *advice, const bool *concerned,
			  const uint64 *config, int *slower)
{
	double		saving = 0;

	for (int s = 0; s < advice->nstatements; s++)
	{
		double		ratio;

		if (!concerned[s])
			continue;
		ratio = glperf_advise_bound(advice, s, config);
		if (ratio > glperf_advise_limit(advice, s) && slower)
			*slower = s;
		saving += advice->statements[s].weight *
			(1 - (ratio > GLPERF_TRUSTED_RATIO && ratio <= 1 ? 1 : ratio));
	}
	return saving;
}

/* The candidate that would do best in the place of a recommended one. */
static Rival
best_rival(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	int			n = advice->candidates.n;
	int			words = bitset_words(n);
	uint64	   *config = palloc(words * sizeof(uint64));
	bool	   *concerned = palloc0(sizeof(bool) * (advice->nstatements + 1));
	Rival		best = {-1, 0, 0, -1};
	double		with;

	for (int s = 0; s < advice->nstatements; s++)
		concerned[s] = bitset_get(advice->statements[s].used, rec->candidate);
	with = saving_of_set(advice, concerned, advice->selection.chosen, NULL);
	for (int c = 0; c < n; c++)
	{
		Rival		rival = {c, 0, 0, -1};
		bool		relevant = false;

		if (!advice->alive[c] || bitset_get(advice->selection.chosen, c) ||
			advice->defs[c]->relid != advice->defs[rec->candidate]->relid)
			continue;
		for (int s = 0; s < advice->nstatements && !relevant; s++)
			relevant = concerned[s] &&
				bitset_get(advice->statements[s].relevant, c);
		if (!relevant)
			continue;
		CHECK_FOR_INTERRUPTS();
		memcpy(config, advice->selection.chosen, words * sizeof(uint64));
		bitset_del(config, rec->candidate);
		bitset_add(config, c);
		rival.saving = saving_of_set(advice, concerned, config, &rival.slower) -
			with;
		rival.gain = rival.saving - advice->write_costs[c].ms +
			rec->write.ms;
		if (best.candidate < 0 || rival.gain > best.gain ||
			(rival.gain == best.gain && advice->defs[c]->pages <
			 advice->defs[best.candidate]->pages))
			best = rival;
	}
	pfree(config);
	pfree(concerned);
	return best;
}

/*
 * A candidate that does more than the recommended index, but takes more than
 * the whole budget; -1 when there is none.  It was never planned with.
 */
static int
rival_over_budget(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	int			best = -1;

	for (int c = 0; c < advice->candidates.n && advice->options.budget >= 0; c++)
		if (!advice->alive[c] && advice->candidates.items[c].supported &&
			advice->defs[c]->pages * BLCKSZ > advice->options.budget &&
			glperf_index_def_covers(advice->defs[c],
									advice->defs[rec->candidate]) &&
			(best < 0 || advice->defs[c]->pages < advice->defs[best]->pages))
			best = c;
	return best;
}

/* Megabytes for people. */
static char *
megabytes(double bytes)
{
	return psprintf("%.1f MB", bytes / 1048576.0);
}

/*
 * What the rival would save against the recommended index, on the statements
 * that this one helps, upkeep not off.
 */
static char *
saving_of_rival(const GlperfRecommendation *rec, const Rival *rival,
				double least)
{
	double		saves = rec->benefit + rival->saving;
	double		pct = 100 * fabs(rival->saving) / Max(rec->benefit, 1e-9);

	if (fabs(rival->saving) <= least)
		return psprintf("saves as much, %s a day",
						glperf_format_ms(rec->benefit));
	if (saves <= least)
		return psprintf("saves nothing, where the recommended one saves %s a day",
						glperf_format_ms(rec->benefit));
	return psprintf("saves %.*f %% %s than the recommended one, %s a day",
					pct < 9.5 ? 1 : 0, pct, rival->saving < 0 ? "less" : "more",
					glperf_format_ms(fabs(rival->saving)));
}

/* Why the rival lost. */
static char *
why_it_lost(GlperfAdvice *advice, GlperfRecommendation *rec,
			const Rival *rival)
{
	GlperfIndexDef *mine = advice->defs[rec->candidate];
	GlperfIndexDef *other = advice->defs[rival->candidate];
	double		bytes = other->pages * BLCKSZ;
	double		upkeep = advice->write_costs[rival->candidate].ms - rec->write.ms;
	double		least = advice->total_weight * 1e-6;
	char	   *saving = saving_of_rival(rec, rival, least);

	if (advice->options.budget >= 0 &&
		advice->used_bytes - rec->size + bytes > advice->options.budget)
		return psprintf("over budget: it takes %s, %s more; it %s",
						megabytes(bytes), megabytes(bytes - rec->size), saving);
	if (rival->slower >= 0)
		return psprintf("makes a statement (query id %lld) dearer by more than the %.0f %% that are allowed; on all together it %s",
						(long long) advice->statements[rival->slower].item->queryid,
						100 * (glperf_advise_limit(advice, rival->slower) - 1),
						saving);
	if (upkeep > least && rival->saving > -least && rival->gain < -least)
		return psprintf("its upkeep takes %s a day more, and it %s",
						glperf_format_ms(upkeep), saving);
	if (rival->gain < -least)
		return psprintf("%s%s%s", saving,
						fabs(upkeep) <= least ? "" :
						psprintf(", and its upkeep takes %s a day %s",
								 glperf_format_ms(fabs(upkeep)),
								 upkeep > 0 ? "more" : "less"),
						glperf_index_def_covers(mine, other) ?
						"; its columns are part of the recommended one" : "");
	if (glperf_index_def_covers(mine, other))
		return "the recommended one does whatever it does";
	if (bytes > rec->size)
		return psprintf("%s, and takes %s on disk instead of %s", saving,
						megabytes(bytes), megabytes(rec->size));
	return psprintf("%s, by costs derived from other plans; a plan made with it did not bear that out, or came later",
					saving);
}

/* Wording a rival, inside the sandbox. */
typedef struct RivalJob
{
	GlperfAdvice *advice;
	int			candidate;
	MemoryContext context;
	char	   *description;
} RivalJob;

/* The work of a RivalJob. */
static void
describe_rival(void *arg)
{
	RivalJob   *job = arg;
	GlperfIndexDef *def = job->advice->defs[job->candidate];
	Relation	table = relation_open(def->relid, AccessShareLock);

	job->description =
		MemoryContextStrdup(job->context, glperf_index_def_describe(def));
	relation_close(table, NoLock);
}

/* glperf_advice_rivals() -- the best candidate that lost to each index */
Datum
glperf_advice_rivals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfAdvice *advice;

	InitMaterializedSRF(fcinfo, 0);
	advice = glperf_last_advice();
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];
		RivalJob	job = {advice, -1, CurrentMemoryContext, NULL};
		GlperfFailure failure = {0};
		Rival		rival;
		Datum		values[7];
		bool		nulls[7] = {0};

		if (rec->candidate < 0)
			continue;
		rival = best_rival(advice, rec);
		if (rival.candidate < 0)
		{
			rival.candidate = rival_over_budget(advice, rec);
			nulls[4] = true;
		}
		if (rival.candidate < 0)
			continue;
		job.candidate = rival.candidate;
		if (!glperf_sandbox_run_on_table(advice->defs[rival.candidate]->relid,
										 describe_rival, &job, &failure))
			continue;
		values[0] = Int32GetDatum(r + 1);
		values[1] = CStringGetTextDatum(rec->name);
		values[2] = CStringGetTextDatum(job.description);
		values[3] = Int64GetDatum((int64) (advice->defs[rival.candidate]->pages * BLCKSZ));
		values[4] = Float8GetDatum(rec->benefit + rival.saving);
		values[5] = Float8GetDatum(advice->write_costs[rival.candidate].ms);
		values[6] = CStringGetTextDatum(nulls[4] ?
										psprintf("over budget: it takes %s",
												 megabytes(advice->defs[rival.candidate]->pages * BLCKSZ)) :
										why_it_lost(advice, rec, &rival));
		if (rsinfo->setDesc->natts != lengthof(values))
			elog(ERROR, "unexpected result type of advice_rivals()");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* One row of advice_not_examined(). */
static void
put_not_examined(ReturnSetInfo *rsinfo, const char *kind, const char *object,
				 int64 count, double weight, const char *reason)
{
	Datum		values[5];
	bool		nulls[5] = {0};

	values[0] = CStringGetTextDatum(kind);
	nulls[1] = object == NULL;
	values[1] = object ? CStringGetTextDatum(object) : (Datum) 0;
	values[2] = Int64GetDatum(count);
	nulls[3] = weight < 0;
	values[3] = Float8GetDatum(weight);
	values[4] = CStringGetTextDatum(reason);
	if (rsinfo->setDesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of advice_not_examined()");
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Statements that could not be analysed, one row a reason. */
static void
put_statements(ReturnSetInfo *rsinfo, GlperfAdvice *advice)
{
	bool	   *told = palloc0(sizeof(bool) * (advice->nstatements + 1));

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *first = &advice->statements[s];
		double		weight = 0;
		int64		count = 0;

		if (told[s] || first->outcome != GLPERF_NOT_ANALYSABLE)
			continue;
		for (int o = s; o < advice->nstatements; o++)
		{
			GlperfAdviceStatement *other = &advice->statements[o];

			if (other->outcome != GLPERF_NOT_ANALYSABLE ||
				strcmp(other->reason, first->reason) != 0)
				continue;
			told[o] = true;
			weight += other->weight;
			count++;
		}
		put_not_examined(rsinfo, "statement", NULL, count, weight,
						 first->reason);
	}
	pfree(told);
}

/* schema.table, quoted; NULL when it is gone. */
static char *
table_name(Oid relid)
{
	return get_rel_name(relid) == NULL ? NULL : glperf_qualified_name(relid);
}

/* Tables that statements read and that got no index, for being small. */
static void
put_small_tables(ReturnSetInfo *rsinfo, GlperfAdvice *advice)
{
	List	   *small = NIL;
	ListCell   *lc;

	for (int s = 0; s < advice->nstatements; s++)
		for (int p = 0; p < advice->statements[s].nplanned; p++)
			small = list_concat_unique_oid(small,
										   advice->statements[s].planned[p].harvest.small);
	foreach(lc, small)
	{
		char	   *name = table_name(lfirst_oid(lc));
		double		weight = 0;
		int64		count = 0;

		if (name == NULL)
			continue;
		for (int s = 0; s < advice->nstatements; s++)
			if (advice->statements[s].nplanned > 0 &&
				list_member_oid(advice->statements[s].planned[0].harvest.small,
								lfirst_oid(lc)))
			{
				count++;
				weight += advice->statements[s].weight;
			}
		put_not_examined(rsinfo, "table", name, count, weight,
						 "too small for an index to matter");
	}
}

/* Candidates that were left out, one row a reason. */
static void
put_candidates(ReturnSetInfo *rsinfo, GlperfAdvice *advice)
{
	int64		over_budget = 0;
	int64		unsupported = 0;

	for (int c = 0; c < advice->candidates.n; c++)
	{
		GlperfIndexDef *def = advice->defs[c];

		if (!advice->candidates.items[c].supported)
			unsupported += def->pred != NIL;
		else if (!advice->alive[c] && advice->options.budget >= 0 &&
				 def->pages * BLCKSZ > advice->options.budget)
			over_budget++;
	}
	if (advice->candidates.overflowed)
		put_not_examined(rsinfo, "candidate", NULL, 0, -1,
						 psprintf("more than %d candidates: the statements that take the most time were served first",
								  advice->candidates.limit));
	if (over_budget > 0)
		put_not_examined(rsinfo, "candidate", NULL, over_budget, -1,
						 "larger than the whole budget");
	if (unsupported > 0)
		put_not_examined(rsinfo, "candidate", NULL, unsupported, -1,
						 "partial, and not every sample of the statement asks for that part");
}

/* glperf_advice_not_examined() -- what the run did not look at, and why */
Datum
glperf_advice_not_examined(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfAdvice *advice;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	advice = glperf_last_advice();
	put_statements(rsinfo, advice);
	put_small_tables(rsinfo, advice);
	put_candidates(rsinfo, advice);
	foreach(lc, advice->statistics.skipped)
	{
		GlperfSkipped *skipped = lfirst(lc);
		char	   *name = table_name(skipped->relid);

		if (name)
			put_not_examined(rsinfo, "statistics", name, 1, -1,
							 skipped->reason);
	}
	if (!advice->complete)
		put_not_examined(rsinfo, "search", NULL, 1, -1,
						 advice->options.time_limit_ms > 0 ?
						 "the time limit ended the search: this is the best of what was seen" :
						 "a table was locked or vanished while it was looked at: the next run sees more");
	return (Datum) 0;
}

/*
 * advise_sql.c
 *		SQL functions of the index advisor.
 *
 * advise_indexes() makes a run and keeps it for the session, so that
 * advised_statements() and advice_summary() tell of the same run; they make
 * one themselves when there is none.
 */
#include "advise.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "sql_array.h"

PG_FUNCTION_INFO_V1(glperf_advise_indexes);
PG_FUNCTION_INFO_V1(glperf_advised_statements);
PG_FUNCTION_INFO_V1(glperf_advice_summary);

/* Default for min_benefit_pct; the SQL declaration passes NULL. */
#define DEFAULT_MIN_BENEFIT_PCT		0.5

/* The last run of this session. */
static GlperfAdvice *last_advice = NULL;
static Oid	last_user = InvalidOid;

/* Make a run and keep it; the run before is forgotten only on success. */
static GlperfAdvice *
run(const GlperfAdviceOptions *options)
{
	GlperfAdvice *advice = glperf_advise(options);

	advice->options.workload = NULL;	/* the caller's memory */

	if (last_advice)
		MemoryContextDelete(last_advice->context);
	MemoryContextSetParent(advice->context, TopMemoryContext);
	last_advice = advice;
	last_user = GetUserId();
	return advice;
}

/* Never another role's. */
GlperfAdvice *
glperf_last_advice(void)
{
	GlperfAdviceOptions options = {-1, -1, DEFAULT_MIN_BENEFIT_PCT, 0, NULL};

	if (last_advice && last_user == GetUserId())
		return last_advice;
	return run(&options);
}

/* A List of int64 * as int8[]. */
static Datum
int8_array(List *list)
{
	Datum	   *values = palloc(sizeof(Datum) * (list_length(list) + 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, list)
		values[n++] = Int64GetDatum(*(int64 *) lfirst(lc));
	return PointerGetDatum(construct_array(values, n, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Refuse an option that is out of range. */
static void
check_option(bool ok, const char *name, const char *hint)
{
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is out of range", name),
				 errhint("%s", hint)));
}

/* Options from the arguments of advise_indexes(). */
static GlperfAdviceOptions
read_options(FunctionCallInfo fcinfo)
{
	GlperfAdviceOptions options = {-1, -1, DEFAULT_MIN_BENEFIT_PCT, 0, NULL};

	if (!PG_ARGISNULL(0))
	{
		options.budget = (double) PG_GETARG_INT64(0);
		check_option(options.budget >= 0, "budget_bytes",
					 "Pass zero or more bytes, or NULL for no limit.");
	}
	if (!PG_ARGISNULL(1))
	{
		options.max_indexes = PG_GETARG_INT32(1);
		check_option(options.max_indexes >= 0, "max_indexes",
					 "Pass zero or more, or NULL for no limit.");
	}
	if (!PG_ARGISNULL(2))
	{
		options.min_benefit_pct = PG_GETARG_FLOAT8(2);
		check_option(options.min_benefit_pct >= 0 &&
					 options.min_benefit_pct <= 100, "min_benefit_pct",
					 "Pass a share of the workload's time, 0 to 100.");
	}
	if (!PG_ARGISNULL(3))
	{
		options.time_limit_ms = PG_GETARG_INT32(3);
		check_option(options.time_limit_ms > 0, "time_limit_ms",
					 "Pass a number of milliseconds above zero, or NULL for no limit.");
	}
	if (!PG_ARGISNULL(4))
		options.workload = PG_GETARG_JSONB_P(4);
	return options;
}

/*
 * glperf_advise_indexes(budget_bytes, max_indexes, min_benefit_pct,
 *						 time_limit_ms, workload) -- one row per recommendation
 */
Datum
glperf_advise_indexes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfAdviceOptions options = read_options(fcinfo);
	GlperfAdvice *advice;

	InitMaterializedSRF(fcinfo, 0);
	advice = run(&options);
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];
		Datum		values[] = {
			Int32GetDatum(r + 1),
			CStringGetTextDatum(rec->action),
			CStringGetTextDatum(rec->schema),
			CStringGetTextDatum(rec->table),
			CStringGetTextDatum(rec->name ? rec->name : ""),
			CStringGetTextDatum(rec->ddl),
			glperf_text_array(rec->steps),
			CStringGetTextDatum(rec->undo ? rec->undo : ""),
			Int64GetDatum((int64) rec->size),
			Float8GetDatum(rec->benefit),
			Float8GetDatum(rec->write.ms),
			Float8GetDatum(rec->write.wal_bytes),
			Float8GetDatum(rec->benefit_pct),
			Int32GetDatum(rec->helped),
			Int32GetDatum(rec->hurt),
			int8_array(rec->queryids),
			CStringGetTextDatum(rec->confidence),
			glperf_text_array(rec->reasons),
			Float8GetDatum(rec->loss_without),
		};
		bool		nulls[lengthof(values)] = {0};

		nulls[4] = rec->name == NULL;
		nulls[7] = rec->undo == NULL;
		if (rsinfo->setDesc->natts != lengthof(values))
			elog(ERROR, "unexpected result type of advise_indexes()");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* Names of the recommended indexes that a statement's plans use. */
static Datum
used_names(GlperfAdvice *advice, GlperfAdviceStatement *statement)
{
	List	   *names = NIL;

	for (int r = 0; r < advice->nrecommendations; r++)
		if (statement->used && advice->recommendations[r].candidate >= 0 &&
			bitset_get(statement->used, advice->recommendations[r].candidate))
			names = lappend(names, advice->recommendations[r].name);
	return glperf_text_array(names);
}

/* glperf_advised_statements() -- what became of each statement */
Datum
glperf_advised_statements(PG_FUNCTION_ARGS)
{
	static const char *const outcomes[] = {
		"no gain", "advised", "not analysable"
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfAdvice *advice;

	InitMaterializedSRF(fcinfo, 0);
	advice = glperf_last_advice();
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		GlperfWorkItem *item = statement->item;
		bool		planned = statement->nplanned > 0;
		double		cost = 0;
		Datum		values[12];
		bool		nulls[12] = {0};

		for (int p = 0; p < statement->nplanned; p++)
			cost += statement->planned[p].base_planner_cost /
				statement->nplanned;
		if (rsinfo->setDesc->natts != lengthof(values))
			elog(ERROR, "unexpected result type of advised_statements()");
		values[0] = Int64GetDatum(item->queryid);
		values[1] = CStringGetTextDatum(item->role);
		values[2] = CStringGetTextDatum(item->query);
		values[3] = Int64GetDatum(item->calls);
		values[4] = Float8GetDatum(statement->weight);
		values[5] = CStringGetTextDatum(outcomes[statement->outcome]);
		nulls[6] = statement->reason == NULL;
		values[6] = nulls[6] ? (Datum) 0 : CStringGetTextDatum(statement->reason);
		values[7] = Float8GetDatum(cost);
		values[8] = Float8GetDatum(cost * statement->ratio);
		values[9] = Float8GetDatum(statement->ratio > 0 ?
								   1 / statement->ratio : 1);
		nulls[7] = nulls[8] = nulls[9] = !planned;
		values[10] = used_names(advice, statement);
		values[11] = Int32GetDatum(planned &&
								   statement->planned[0].instance->sampled ?
								   statement->nplanned : 0);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* glperf_advice_summary() -- one row about the last run */
Datum
glperf_advice_summary(PG_FUNCTION_ARGS)
{
	GlperfAdvice *advice;
	TupleDesc	tupdesc;
	int			outcomes[3] = {0};
	double		gain = 0;
	double		bound;
	Datum		values[16];
	bool		nulls[16] = {0};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of advice_summary()");
	advice = glperf_last_advice();
	for (int s = 0; s < advice->nstatements; s++)
		outcomes[advice->statements[s].outcome]++;
	for (int r = 0; r < advice->nrecommendations; r++)
		gain += advice->recommendations[r].benefit -
			advice->recommendations[r].write.ms;
	bound = advice->selection.bound;
	values[0] = Int32GetDatum(advice->nstatements);
	values[1] = Int32GetDatum(outcomes[GLPERF_ADVISED]);
	values[2] = Int32GetDatum(outcomes[GLPERF_NO_GAIN]);
	values[3] = Int32GetDatum(outcomes[GLPERF_NOT_ANALYSABLE]);
	values[4] = Int32GetDatum(advice->candidates.n);
	values[5] = Int32GetDatum(advice->planner_calls);
	values[6] = Float8GetDatum(advice->elapsed_ms);
	values[7] = Float8GetDatum(advice->total_weight);
	values[8] = Float8GetDatum(gain);
	values[9] = Float8GetDatum(advice->total_weight > 0 ?
							   100 * bound / advice->total_weight : 0);
	values[10] = Float8GetDatum(bound > 0 ?
								Min(100.0, 100 * Max(0, gain) / bound) : 0);
	nulls[10] = bound <= 0;
	nulls[11] = advice->options.budget < 0;
	values[11] = Int64GetDatum(nulls[11] ? 0 : (int64) advice->options.budget);
	values[12] = Int64GetDatum((int64) advice->used_bytes);
	values[13] = BoolGetDatum(advice->complete);
	values[14] = TimestampTzGetDatum(advice->started);
	values[15] = Int64GetDatum(advice->samples->pages_read);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/*
 * advise_upkeep.c
 *		Statistics to gather and to create.
 *
 * They come first, since a plan made without them says little about an index.
 */
#include "advise.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "sandbox.h"

/* Statistics are stale when this share of the rows has changed since. */
#define STALE_SHARE		0.2
/* ... and at least so many rows; autovacuum is about to analyse the rest */
#define STALE_ROWS		10000
/*
 * ... and it was not analysed just now: what a session changed before its own
 * ANALYZE may reach the counters after it.
 */
#define STALE_MS		3600000

GlperfRecommendation *
glperf_advise_append(GlperfAdvice *advice)
{
	MemoryContext old = MemoryContextSwitchTo(advice->context);
	GlperfRecommendation *rec;

	advice->recommendations = repalloc(advice->recommendations,
									   sizeof(GlperfRecommendation) *
									   (advice->nrecommendations + 1));
	rec = &advice->recommendations[advice->nrecommendations++];
	memset(rec, 0, sizeof(GlperfRecommendation));
	rec->candidate = -1;
	rec->confidence = "high";
	MemoryContextSwitchTo(old);
	return rec;
}

/* Was the table analysed within the last ms milliseconds? */
static bool
analysed_lately(Oid relid, int ms)
{
	PGFunction	when[] = {pg_stat_get_last_analyze_time,
	pg_stat_get_last_autoanalyze_time};

	for (size_t i = 0; i < lengthof(when); i++)
	{
		LOCAL_FCINFO(fcinfo, 1);
		Datum		stamp;

		InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
		fcinfo->args[0].value = ObjectIdGetDatum(relid);
		fcinfo->args[0].isnull = false;
		stamp = when[i] (fcinfo);
		if (!fcinfo->isnull &&
			!TimestampDifferenceExceeds(DatumGetTimestampTz(stamp),
										GetCurrentTimestamp(), ms))
			return true;
	}
	return false;
}

/* Why a table's statistics cannot be relied on; NULL when they can. */
static char *
statistics_fault(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	float4		rows;
	int64		changed;

	if (!HeapTupleIsValid(tup))
		return NULL;
	rows = ((Form_pg_class) GETSTRUCT(tup))->reltuples;
	ReleaseSysCache(tup);
	if (rows < 0)
		return "the table has never been analysed: plans rest on guesses";
	changed = DatumGetInt64(DirectFunctionCall1(pg_stat_get_mod_since_analyze,
												ObjectIdGetDatum(relid)));
	if (changed > STALE_ROWS && changed > rows * STALE_SHARE &&
		!analysed_lately(relid, STALE_MS))
		return psprintf("%lld rows have changed since the table was last analysed, when it had %.0f",
						(long long) changed, rows);
	return NULL;
}

/* Rows of a table by its last ANALYZE; negative when there was none. */
static double
rows_when_analysed(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	double		rows = -1;

	if (HeapTupleIsValid(tup))
	{
		rows = ((Form_pg_class) GETSTRUCT(tup))->reltuples;
		ReleaseSysCache(tup);
	}
	return rows;
}

/*
 * Why statistics of the whole of a partitioned table cannot be relied on; NULL
 * when they can.  Changes are counted by partition, and forgotten as each is
 * analysed, so what counts is by how much the table has grown or shrunk.
 */
static char *
whole_fault(Oid relid)
{
	double		then = rows_when_analysed(relid);
	double		now = 0;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_PARTITIONED_TABLE)
		now += Max(0, rows_when_analysed(lfirst_oid(lc)));
	if (now < STALE_ROWS)
		return NULL;
	if (then < 0)
		return "it is joined or grouped as a whole and was never analysed as such; autovacuum analyses partitions, never the partitioned table: do it again when its data has changed much";
	if (fabs(now - then) > STALE_ROWS && fabs(now - then) > then * STALE_SHARE)
		return psprintf("its partitions have %.0f rows, and had %.0f when it was last analysed as a whole, by which it is joined or grouped; autovacuum never does that",
						now, then);
	return NULL;
}

/* Make the last recommendation the first one. */
static void
move_to_front(GlperfAdvice *advice)
{
	GlperfRecommendation last =
	advice->recommendations[advice->nrecommendations - 1];

	memmove(advice->recommendations + 1, advice->recommendations,
			sizeof(GlperfRecommendation) * (advice->nrecommendations - 1));
	advice->recommendations[0] = last;
}

/* The recommendation to analyse a table, if there is one already. */
static GlperfRecommendation *
analyze_of(GlperfAdvice *advice, const char *schema, const char *table)
{
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];

		if (strcmp(rec->action, "analyze") == 0 &&
			strcmp(rec->schema, schema) == 0 &&
			strcmp(rec->table, table) == 0)
			return rec;
	}
	return NULL;
}

/* Advise ANALYZE for one table, and doubt the advice that lacked it. */
static void
add_analyze(GlperfAdvice *advice, Oid relid, char *fault)
{
	GlperfRecommendation *rec;
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *table = get_rel_name(relid);

	for (int r = 0; r < advice->nrecommendations; r++)
	{
		rec = &advice->recommendations[r];
		if (rec->candidate < 0 ||
			advice->defs[rec->candidate]->relid != relid)
			continue;
		rec->confidence = "low";
		rec->reasons = lappend(rec->reasons,
							   "the table's statistics are missing or stale: analyse it and ask again first");
	}
	rec = analyze_of(advice, schema, table);
	if (rec != NULL)
	{
		rec->reasons = lappend(rec->reasons, fault);
		return;
	}
	rec = glperf_advise_append(advice);
	rec->action = "analyze";
	rec->schema = schema;
	rec->table = table;
	rec->ddl = psprintf("ANALYZE %s", quote_qualified_identifier(schema, table));
	rec->steps = list_make1(rec->ddl);
	rec->reasons = list_make1(fault);
	move_to_front(advice);
}

/* One statistics object to be worded, inside the sandbox. */
typedef struct StatisticsJob
{
	GlperfAdvice *advice;
	GlperfStatistics *statistics;
	GlperfRecommendation *rec;
	char	   *columns;
} StatisticsJob;

/* Names and DDL of one statistics object. */
static void
word_statistics(void *arg)
{
	StatisticsJob *job = arg;
	Oid			relid = job->statistics->relid;
	Relation	table = relation_open(relid, AccessShareLock);
	MemoryContext old = MemoryContextSwitchTo(job->advice->context);
	GlperfRecommendation *rec = job->rec;
	StringInfoData ddl;
	ListCell   *lc;

	rec->schema = get_namespace_name(get_rel_namespace(relid));
	rec->table = get_rel_name(relid);
	if (job->statistics->existing == NULL)
	{
		glperf_statistics_set_name(&job->advice->statistics, job->statistics);
		rec->name = job->statistics->name;
	}
	rec->steps = glperf_statistics_steps(job->statistics);
	rec->undo = glperf_statistics_undo(job->statistics);
	initStringInfo(&ddl);
	foreach(lc, rec->steps)
		appendStringInfo(&ddl, "%s%s", ddl.len > 0 ? ";\n" : "",
						 (char *) lfirst(lc));
	rec->ddl = ddl.data;
	job->columns = glperf_statistics_columns(job->statistics);
	MemoryContextSwitchTo(old);
	relation_close(table, NoLock);
}

/* Reasons of one statistics object, and a remark on the indexes beside it. */
static void
explain_statistics(GlperfAdvice *advice, StatisticsJob *job)
{
	GlperfStatistics *statistics = job->statistics;
	GlperfRecommendation *rec = job->rec;
	ListCell   *lc;

	rec->reasons = list_make1(statistics->existing ?
							  psprintf("the statistics %s on %s have no data yet",
									   statistics->existing, job->columns) :
							  psprintf("the planner lacks statistics on %s",
									   job->columns));
	rec->reasons = list_concat(rec->reasons, statistics->findings);
	rec->reasons = lappend(rec->reasons, statistics->recomputed ?
						   "indexes are judged as if these statistics existed" :
						   "what they change in plans is unknown until ANALYZE");
	rec->helped = list_length(statistics->statements);
	foreach(lc, statistics->statements)
	{
		int64	   *queryid = palloc(sizeof(int64));

		*queryid = advice->statements[lfirst_int(lc)].item->queryid;
		rec->queryids = lappend(rec->queryids, queryid);
	}
	rec->confidence = statistics->tuple || statistics->expr == NULL ?
		"high" : "medium";
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *index = &advice->recommendations[r];
		bool		concerns = false;

		if (index->candidate < 0 ||
			advice->defs[index->candidate]->relid != statistics->relid)
			continue;
		foreach(lc, statistics->statements)
			concerns |= bitset_get(advice->statements[lfirst_int(lc)].used,
								   index->candidate);
		if (!concerns)
			continue;
		index->reasons = lappend(index->reasons, statistics->recomputed ?
								 psprintf("its gain was computed as if the statistics on %s existed: create them first",
										  job->columns) :
								 psprintf("confidence: the planner lacks statistics on %s: create them and ask again first",
										  job->columns));
		if (!statistics->recomputed)
			index->confidence = "low";
	}
}

/* Two recommendations to analyse one table become one. */
static void
join_reasons(GlperfRecommendation *rec, const GlperfRecommendation *other)
{
	ListCell   *lc;

	rec->reasons = list_concat(rec->reasons, other->reasons);
	foreach(lc, other->queryids)
	{
		bool		known = false;
		ListCell   *lk;

		foreach(lk, rec->queryids)
			known |= *(int64 *) lfirst(lk) == *(int64 *) lfirst(lc);
		if (!known)
			rec->queryids = lappend(rec->queryids, lfirst(lc));
	}
	rec->helped = list_length(rec->queryids);
	if (strcmp(other->confidence, rec->confidence) != 0)
		rec->confidence = "medium";
}

/* Statistics to create, or to fill. */
static void
add_missing_statistics(GlperfAdvice *advice)
{
	ListCell   *lc;

	foreach(lc, advice->statistics.wanted)
	{
		GlperfRecommendation rec = {0};
		StatisticsJob job = {advice, lfirst(lc), &rec, NULL};
		GlperfFailure failure = {0};
		GlperfRecommendation *same = NULL;
		MemoryContext old;

		rec.candidate = -1;
		rec.action = job.statistics->existing ? "analyze" : "create statistics";
		if (!glperf_sandbox_run_on_table(job.statistics->relid,
										 word_statistics, &job, &failure))
		{
			advice->complete = false;
			continue;
		}
		old = MemoryContextSwitchTo(advice->context);
		explain_statistics(advice, &job);
		/* several objects may wait for the same ANALYZE */
		if (job.statistics->existing)
			same = analyze_of(advice, rec.schema, rec.table);
		if (same != NULL)
			join_reasons(same, &rec);
		MemoryContextSwitchTo(old);
		if (same != NULL)
			continue;
		*glperf_advise_append(advice) = rec;
		move_to_front(advice);
	}
}

void
glperf_advise_statistics(GlperfAdvice *advice)
{
	List	   *seen = NIL;
	ListCell   *whole;

	add_missing_statistics(advice);
	foreach(whole, advice->statistics.wholes)
	{
		char	   *fault = whole_fault(lfirst_oid(whole));

		if (fault && get_rel_name(lfirst_oid(whole)) != NULL)
			add_analyze(advice, lfirst_oid(whole), fault);
	}
	for (int s = 0; s < advice->nstatements; s++)
		for (int p = 0; p < advice->statements[s].nplanned; p++)
		{
			ListCell   *lc;

			foreach(lc, advice->statements[s].planned[p].harvest.tables)
			{
				Oid			relid = lfirst_oid(lc);
				char	   *fault;

				if (list_member_oid(seen, relid) ||
					get_rel_name(relid) == NULL ||
					get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
					continue;
				seen = lappend_oid(seen, relid);
				fault = statistics_fault(relid);
				if (fault)
					add_analyze(advice, relid, fault);
			}
		}
}

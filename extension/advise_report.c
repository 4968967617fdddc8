/*
 * advise_report.c
 *		From a selection to recommendations with reasons.
 *
 * A statement's saving is shared equally among the chosen indexes in its
 * plans, so the benefits of all recommendations add up to the total.
 */
#include "advise.h"

#include <math.h>

#include "access/genam.h"
#include "access/relation.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sandbox.h"

/* Bytes of a statement's text in a reason. */
#define SNIPPET_BYTES	80

/* One recommendation to be worded, inside the sandbox. */
typedef struct ReportJob
{
	GlperfAdvice *advice;
	GlperfRecommendation *rec;
} ReportJob;

/* Time for people. */
static char *
format_ms(double ms)
{
	if (ms >= 2 * 3600000.0)
		return psprintf("%.1f h", ms / 3600000.0);
	if (ms >= 2 * 60000.0)
		return psprintf("%.1f min", ms / 60000.0);
	if (ms >= 2000.0)
		return psprintf("%.1f s", ms / 1000.0);
	return psprintf("%.1f ms", ms);
}

/* The start of a statement on one line. */
static char *
snippet(const char *query)
{
	StringInfoData out;
	bool		blank = true;

	initStringInfo(&out);
	for (const char *c = query; *c && out.len < SNIPPET_BYTES * 2; c++)
	{
		unsigned char u = (unsigned char) *c;

		if (u <= ' ' || u == 0x7f)
		{
			if (!blank)
				appendStringInfoChar(&out, ' ');
			blank = true;
		}
		else
		{
			appendStringInfoChar(&out, *c);
			blank = false;
		}
	}
	if (out.len > SNIPPET_BYTES)
	{
		out.len = pg_mbcliplen(out.data, out.len, SNIPPET_BYTES);
		out.data[out.len] = '\0';
		appendStringInfoString(&out, "...");
	}
	return out.data;
}

/* Candidates that this one makes pointless, by description. */
static void
name_redundant(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	GlperfIndexDef *def = advice->defs[rec->candidate];

	for (int c = 0; c < advice->candidates.n; c++)
	{
		GlperfIndexDef *other = advice->defs[c];

		if (c == rec->candidate || other->pred || other->ncolumns > other->nkeys ||
			!advice->candidates.items[c].supported ||
			bitset_get(advice->selection.chosen, c) ||
			!glperf_index_def_covers(def, other))
			continue;
		rec->reasons = lappend(rec->reasons,
							   psprintf("a separate index on (%s) would be redundant: its columns lead this one",
										glperf_index_def_columns(other)));
	}
}

/* Existing indexes that this one makes pointless. */
static void
name_replaced(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	GlperfIndexDef *def = advice->defs[rec->candidate];
	Relation	table = relation_open(def->relid, AccessShareLock);
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(table))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		GlperfIndexDef *existing = glperf_index_def_from_relation(index);
		MemoryContext old;

		if (!index->rd_index->indisunique &&
			!index->rd_index->indisexclusion &&
			glperf_index_def_covers(def, existing))
		{
			old = MemoryContextSwitchTo(advice->context);
			rec->reasons = lappend(rec->reasons,
								   psprintf("makes the existing index %s redundant; glperf.index_usage says when it may go",
											quote_identifier(existing->name)));
			MemoryContextSwitchTo(old);
		}
		index_close(index, NoLock);
	}
	relation_close(table, NoLock);
}

/* Statement that gains most from a candidate; -1 when none does. */
static int
top_statement(GlperfAdvice *advice, int candidate)
{
	double		best = 0;
	int			top = -1;

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		double		gain = statement->weight * (1 - statement->ratio);

		if (bitset_get(statement->used, candidate) && gain > best)
		{
			best = gain;
			top = s;
		}
	}
	return top;
}

/* Why, for whom, and how sure. */
static void
give_reasons(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	GlperfIndexDef *def = advice->defs[rec->candidate];
	int			top = top_statement(advice, rec->candidate);
	GlperfWriteCost *write = &rec->write;

	rec->reasons = list_make1(advice->candidates.items[rec->candidate].why);
	if (top >= 0)
	{
		GlperfAdviceStatement *statement = &advice->statements[top];

		rec->reasons = lappend(rec->reasons,
							   psprintf("helps %d statement%s, most of all: %s (%s a day, estimated cost falls to %.2g %%)",
										rec->helped, rec->helped == 1 ? "" : "s",
										snippet(statement->item->query),
										format_ms(statement->weight),
										100 * statement->ratio));
	}
	if (def->pred)
		rec->reasons = lappend(rec->reasons,
							   psprintf("holds only the %.2g %% of the rows that satisfy the condition",
										def->rows > 0 ?
										100 * def->tuples / def->rows : 0));
	if (top >= 0 && advice->statements[top].item->instances[0].generic)
		rec->reasons = lappend(rec->reasons,
							   "that statement runs generic plans, so it was planned without the values of its parameters");
	if (def->pred && top >= 0)
		rec->reasons = lappend(rec->reasons,
							   psprintf("its constant %s",
										glperf_workload_constants_basis(advice->statements[top].item)));
	if (write->entries > 0)
		rec->reasons = lappend(rec->reasons,
							   psprintf("upkeep: about %.0f entries and %s a day%s",
										write->entries, format_ms(write->ms),
										write->hot_lost >= 1 ?
										psprintf(", and %.0f updates a day stop being HOT",
												 write->hot_lost) : ""));
	name_redundant(advice, rec);
}

/*
 * High: real constants, and at least half of the cost saved.  Low: planned
 * with unknown values throughout, or the table was never analysed.
 */
static void
grade(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	double		sampled = 0;
	double		total = 0;
	double		gain = 0;

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		if (!bitset_get(statement->used, rec->candidate))
			continue;
		total += statement->weight;
		gain += statement->weight * (1 - statement->ratio);
		/* a generic plan is made without values, so nothing is unknown */
		if (!statement->planned[0].open_params ||
			statement->item->instances[0].generic)
			sampled += statement->weight;
	}
	if (total <= 0)
		total = 1;
	if (sampled / total < 0.5)
	{
		rec->confidence = gain / total >= 0.5 ? "medium" : "low";
		rec->reasons = lappend(rec->reasons,
							   "confidence: planned with unknown parameter values, since there are no samples; load glperf by shared_preload_libraries to keep some");
	}
	else
	{
		rec->confidence = gain / total >= 0.5 ? "high" : "medium";
		rec->reasons = lappend(rec->reasons,
							   "confidence: planned with the constants that the statements ran with");
	}
}

/* Word one recommendation: names, DDL, reasons. */
static void
word_recommendation(void *arg)
{
	ReportJob  *job = arg;
	GlperfAdvice *advice = job->advice;
	GlperfRecommendation *rec = job->rec;
	GlperfIndexDef *def = advice->defs[rec->candidate];
	Relation	table = relation_open(def->relid, AccessShareLock);
	MemoryContext old = MemoryContextSwitchTo(advice->context);
	StringInfoData ddl;
	ListCell   *lc;

	rec->schema = get_namespace_name(get_rel_namespace(def->relid));
	rec->table = get_rel_name(def->relid);
	rec->name = def->name;
	rec->steps = glperf_index_def_steps(def);
	rec->undo = glperf_index_def_undo(def);
	initStringInfo(&ddl);
	foreach(lc, rec->steps)
		appendStringInfo(&ddl, "%s%s", ddl.len > 0 ? ";\n" : "",
						 (char *) lfirst(lc));
	rec->ddl = ddl.data;
	give_reasons(advice, rec);
	grade(advice, rec);
	MemoryContextSwitchTo(old);
	name_replaced(advice, rec);
	relation_close(table, NoLock);
}

/* Share the savings of all statements among the chosen indexes. */
static void
share_benefits(GlperfAdvice *advice)
{
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		int			sharers = 0;

		for (int r = 0; r < advice->nrecommendations; r++)
			if (bitset_get(statement->used,
						   advice->recommendations[r].candidate))
				sharers++;
		for (int r = 0; r < advice->nrecommendations; r++)
		{
			GlperfRecommendation *rec = &advice->recommendations[r];
			int64	   *queryid;

			if (!bitset_get(statement->used, rec->candidate))
				continue;
			rec->benefit += statement->weight * (1 - statement->ratio) / sharers;
			rec->helped++;
			queryid = palloc(sizeof(int64));
			*queryid = statement->item->queryid;
			rec->queryids = lappend(rec->queryids, queryid);
		}
	}
}

/* Most benefit first; names decide between equals. */
static int
compare_recommendations(const void *a, const void *b)
{
	const GlperfRecommendation *ra = a;
	const GlperfRecommendation *rb = b;

	if (ra->benefit != rb->benefit)
		return ra->benefit > rb->benefit ? -1 : 1;
	return strcmp(ra->name ? ra->name : "", rb->name ? rb->name : "");
}

void
glperf_advise_report(GlperfAdvice *advice)
{
	GlperfFailure failure;
	int			kept = 0;

	advice->recommendations = palloc0(sizeof(GlperfRecommendation) *
									  (advice->candidates.n + 1));
	for (int c = 0; c < advice->candidates.n; c++)
	{
		GlperfRecommendation *rec;

		if (!bitset_get(advice->selection.chosen, c))
			continue;
		rec = &advice->recommendations[advice->nrecommendations++];
		rec->action = "create";
		rec->candidate = c;
		rec->size = advice->defs[c]->pages * BLCKSZ;
		rec->write = advice->write_costs[c];
		rec->hurt = rec->write.statements;
		rec->name = advice->defs[c]->name;
	}
	share_benefits(advice);
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];
		ReportJob	job = {advice, rec};

		if (advice->total_weight > 0)
			rec->benefit_pct = 100 * rec->benefit / advice->total_weight;
		/* its table is locked or gone by now: the next run will see */
		if (!glperf_sandbox_run_on_table(advice->defs[rec->candidate]->relid,
										 word_recommendation, &job, &failure))
		{
			advice->complete = false;
			continue;
		}
		advice->used_bytes += rec->size;
		advice->recommendations[kept++] = *rec;
	}
	advice->nrecommendations = kept;
	qsort(advice->recommendations, kept, sizeof(GlperfRecommendation),
		  compare_recommendations);
	glperf_advise_drops(advice);
	glperf_advise_statistics(advice);
}

/*
 * advise_report.c
 *		From a selection to recommendations with reasons.
 *
 * A statement's saving is divided among the chosen indexes in its plans by
 * what each adds to the others (marginal.c), so the benefits of all
 * recommendations add up to the total.
 */
#include "advise.h"

#include <math.h>

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "marginal.h"
#include "sandbox.h"

/* Bytes of a statement's text in a reason. */
#define SNIPPET_BYTES	80

/* One recommendation to be worded, inside the sandbox. */
typedef struct ReportJob
{
	GlperfAdvice *advice;
	GlperfRecommendation *rec;
} ReportJob;

/* See advise.h. */
char *
glperf_format_ms(double ms)
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
							   psprintf("a separate index on (%s) would be redundant: its columns %s this one",
										glperf_index_def_columns(other),
										def->amoid == GIN_AM_OID ?
										"are among those of" : "lead"));
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

		if (index->rd_index->indisvalid && !index->rd_index->indisunique &&
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
										glperf_format_ms(statement->weight),
										100 * statement->ratio));
	}
	if (def->pred)
		rec->reasons = lappend(rec->reasons,
							   psprintf("holds only the %.2g %% of the rows that satisfy the condition",
										def->rows > 0 ?
										100 * def->tuples / def->rows : 0));
	if (top >= 0 && advice->statements[top].item->instances[0].generic)
		rec->reasons = lappend(rec->reasons,
							   "that statement runs generic plans, so its plan may not depend on the values of its parameters");
	if (glperf_has_value((Node *) def->pred) && top >= 0)
		rec->reasons = lappend(rec->reasons,
							   psprintf("its constant %s",
										glperf_workload_constants_basis(advice->statements[top].item)));
	if (write->entries > 0)
		rec->reasons = lappend(rec->reasons,
							   psprintf("upkeep: about %.0f entries and %s a day%s",
										write->entries, glperf_format_ms(write->ms),
										write->hot_lost >= 1 ?
										psprintf(", and %.0f updates a day stop being HOT",
												 write->hot_lost) : ""));
	if (def->size_basis)
		rec->reasons = lappend(rec->reasons,
							   psprintf("size estimated from statistics: %s",
										def->size_basis));
	name_redundant(advice, rec);
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
	MemoryContextSwitchTo(old);
	name_replaced(advice, rec);
	relation_close(table, NoLock);
}

/* A statement whose saving is divided. */
typedef struct Saving
{
	GlperfAdvice *advice;
	int			statement;
} Saving;

/* What a set of candidates saves of it, by the plans made so far. */
static double
saving_of(void *arg, const uint64 *set)
{
	Saving	   *saving = arg;

	return saving->advice->statements[saving->statement].weight *
		(1 - glperf_advise_bound(saving->advice, saving->statement, set));
}

/* Divide the saving of one statement among the indexes of its final plans. */
static void
share_saving(GlperfAdvice *advice, int s)
{
	GlperfAdviceStatement *statement = &advice->statements[s];
	Saving		saving = {advice, s};
	int		   *members = palloc(sizeof(int) * (advice->nrecommendations + 1));
	int		   *ranks = palloc(sizeof(int) * (advice->nrecommendations + 1));
	double	   *share = palloc(sizeof(double) * (advice->nrecommendations + 1));
	int			n = 0;

	for (int r = 0; r < advice->nrecommendations; r++)
		if (bitset_get(statement->used, advice->recommendations[r].candidate))
		{
			ranks[n] = r;
			members[n++] = advice->recommendations[r].candidate;
		}
	glperf_marginal_shares(n, members, bitset_words(advice->candidates.n),
						   statement->weight * (1 - statement->ratio),
						   saving_of, &saving, share);
	for (int i = 0; i < n; i++)
	{
		GlperfRecommendation *rec = &advice->recommendations[ranks[i]];
		int64	   *queryid = palloc(sizeof(int64));

		rec->benefit += share[i];
		rec->helped++;
		*queryid = statement->item->queryid;
		rec->queryids = lappend(rec->queryids, queryid);
	}
	pfree(members);
	pfree(ranks);
	pfree(share);
}

/* What would be lost if one index alone were left out. */
static double
loss_without(GlperfAdvice *advice, int candidate)
{
	int			words = bitset_words(advice->candidates.n);
	uint64	   *others = palloc(words * sizeof(uint64));
	double		loss = 0;

	memcpy(others, advice->selection.chosen, words * sizeof(uint64));
	bitset_del(others, candidate);
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		if (bitset_get(statement->used, candidate))
			loss += statement->weight *
				Max(0.0, Min(1.0, glperf_advise_bound(advice, s, others)) -
					statement->ratio);
	}
	pfree(others);
	return loss;
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
	for (int s = 0; s < advice->nstatements; s++)
		share_saving(advice, s);
	glperf_advise_final_plans(advice);
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];
		ReportJob	job = {advice, rec};

		rec->loss_without = loss_without(advice, rec->candidate);
		if (advice->total_weight > 0)
			rec->benefit_pct = 100 * rec->benefit / advice->total_weight;
		/* its table is locked or gone by now: the next run will see */
		if (!glperf_sandbox_run_on_table(advice->defs[rec->candidate]->relid,
										 word_recommendation, &job, &failure))
		{
			advice->complete = false;
			continue;
		}
		glperf_risk_grade(advice, rec);
		advice->used_bytes += rec->size;
		advice->recommendations[kept++] = *rec;
	}
	advice->nrecommendations = kept;
	qsort(advice->recommendations, kept, sizeof(GlperfRecommendation),
		  compare_recommendations);
	glperf_advise_drops(advice);
	glperf_advise_statistics(advice);
}

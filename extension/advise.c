/*
 * advise.c
 *		One run of the index advisor, from workload to recommendations.
 *
 * The order of things: read the statements; plan each as things are,
 * collecting candidates; leave out what existing indexes do already; size the
 * rest; plan each statement with all of its candidates, then without those it
 * used, and so on; select; explain.
 *
 * Nothing is executed, created or locked beyond each single planning.
 */
#include "advise.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "relsize.h"
#include "sandbox.h"
#include "table_writes.h"

/* Pages of an index from which on it is packed when nothing writes to it. */
#define PACKED_PAGES	2048
/* Size of a B-tree whose pages are full, of one whose pages are not. */
#define PACKED_SHARE	0.905

/* Most candidates of one run. */
#define MAX_CANDIDATES	20000

/* Sizes are estimated for so long before the sandbox is left, in ms. */
#define SIZE_BATCH_MS	200

/* Work on one candidate, inside the sandbox. */
typedef struct CandidateJob
{
	GlperfAdvice *advice;
	int			candidate;
	Oid			relid;
} CandidateJob;

/* Mark the candidates of one table that an existing index serves already. */
static void
compare_existing(void *arg)
{
	CandidateJob *job = arg;
	GlperfAdvice *advice = job->advice;
	Relation	table = relation_open(job->relid, AccessShareLock);
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(table))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		GlperfIndexDef *def = glperf_index_def_from_relation(index);

		if (index->rd_index->indisvalid)
			for (int c = 0; c < advice->candidates.n; c++)
				if (glperf_index_def_covers(def, advice->candidates.items[c].def))
					advice->alive[c] = false;
		index_close(index, NoLock);
	}
	relation_close(table, NoLock);
}

/*
 * Room left in an index's pages is for entries to come: none, if its table is
 * only read.  Not worth mentioning for small ones.
 */
static bool
worth_packing(const GlperfIndexDef *def)
{
	return glperf_value_by_time() &&
		def->amoid == BTREE_AM_OID && def->pages >= PACKED_PAGES &&
		!get_rel_relispartition(def->relid) &&
		get_rel_relkind(def->relid) == RELKIND_RELATION &&
		glperf_table_at_rest(def->relid, def->rows);
}

/* The first candidate from c on that is alive and of this table, or n. */
static int
next_on_table(GlperfAdvice *advice, Oid relid, int c)
{
	while (c < advice->candidates.n &&
		   (!advice->alive[c] || advice->defs[c]->relid != relid))
		c++;
	return c;
}

/* Estimate the size and the upkeep of one candidate. */
static void
size_candidate(GlperfAdvice *advice, int c)
{
	GlperfIndexDef *def = advice->defs[c];

	glperf_whatif_set_size(def, advice->samples);
	advice->write_costs[c] = glperf_write_cost(def, advice->writes,
											   advice->options.workload == NULL);
	if (advice->write_costs[c].entries == 0 && worth_packing(def))
	{
		def->fillfactor = 100;
		def->pages = ceil(def->pages * PACKED_SHARE);
	}
}

/*
 * Do so with the job's candidate and those of its table behind it, for a
 * while.  Entering the sandbox for each would take as long again.
 */
static void
size_some(void *arg)
{
	CandidateJob *job = arg;
	GlperfAdvice *advice = job->advice;
	TimestampTz started = GetCurrentTimestamp();
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "glperf sizes",
												  ALLOCSET_DEFAULT_SIZES);

	while (job->candidate < advice->candidates.n &&
		   !TimestampDifferenceExceeds(started, GetCurrentTimestamp(),
									   SIZE_BATCH_MS))
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		size_candidate(advice, job->candidate);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		job->candidate = next_on_table(advice, job->relid, job->candidate + 1);
	}
}

/* The direction in which some order wants a column of a table; 0 if none. */
static int16
wanted_direction(GlperfAdvice *advice, Oid relid, AttrNumber attnum)
{
	for (int c = 0; c < advice->candidates.n; c++)
	{
		GlperfCandidate *candidate = &advice->candidates.items[c];

		if (!candidate->ordered || candidate->def->relid != relid)
			continue;
		for (int i = 0; i < candidate->def->nkeys; i++)
			if (candidate->def->attnum[i] == attnum)
				return candidate->def->option[i];
	}
	return 0;
}

/* Let candidate number to take the place of number from everywhere. */
static void
replace_candidate(GlperfAdvice *advice, int from, int to)
{
	GlperfCandidate *items = advice->candidates.items;

	items[to].supported |= items[from].supported;
	items[from].supported = false;
	for (int s = 0; s < advice->nstatements; s++)
		for (int p = 0; p < advice->statements[s].nplanned; p++)
		{
			GlperfHarvest *harvest = &advice->statements[s].planned[p].harvest;

			if (list_member_int(harvest->proposed, from))
				harvest->proposed = list_append_unique_int(harvest->proposed, to);
		}
}

/*
 * A search reads an index in either direction, so one that is only searched
 * takes the directions that some order asks for: one index then does both.
 */
static void
align_directions(GlperfAdvice *advice)
{
	GlperfCandidate *items = advice->candidates.items;

	for (int c = 0; c < advice->candidates.n; c++)
	{
		GlperfIndexDef *def = items[c].def;
		bool		changed = false;

		if (items[c].ordered || def->amoid != BTREE_AM_OID)
			continue;
		for (int i = 0; i < def->nkeys; i++)
		{
			int16		option = def->attnum[i] > 0 ?
			wanted_direction(advice, def->relid, def->attnum[i]) : 0;

			if (option != def->option[i])
				changed = true;
			def->option[i] = option;
		}
		if (!changed)
			continue;
		glperf_index_def_set_name(def);
		for (int o = 0; o < advice->candidates.n; o++)
			if (o != c && glperf_index_def_equal(items[o].def, def))
			{
				replace_candidate(advice, c, o);
				break;
			}
	}
}

/* Time per day of the statements that proposed a candidate. */
static double
proposers_weight(GlperfAdvice *advice, int c)
{
	double		weight = 0;

	for (int s = 0; s < advice->nstatements; s++)
		if (advice->statements[s].nplanned > 0 &&
			list_member_int(advice->statements[s].planned[0].harvest.proposed,
							c))
			weight += advice->statements[s].weight;
	return weight;
}

/*
 * Two candidates that differ only in all directions flipped are one index;
 * keep the way round that more of the workload asks for.
 */
static void
merge_flipped(GlperfAdvice *advice)
{
	GlperfCandidate *items = advice->candidates.items;

	for (int c = 0; c < advice->candidates.n; c++)
		for (int o = c + 1; o < advice->candidates.n; o++)
		{
			if (!items[c].supported || !items[o].supported ||
				!glperf_index_def_covers(items[c].def, items[o].def) ||
				!glperf_index_def_covers(items[o].def, items[c].def))
				continue;
			if (proposers_weight(advice, o) > proposers_weight(advice, c))
				replace_candidate(advice, c, o);
			else
				replace_candidate(advice, o, c);
		}
}

/* Add candidates for several statements at once. */
static void
unite_candidates(GlperfAdvice *advice)
{
	int			n = advice->candidates.n;
	double	   *weight = palloc(sizeof(double) * (advice->nstatements + 1));
	GlperfAskers askers = {
		palloc0(sizeof(Bitmapset *) * (n + GLPERF_MAX_UNIONS)), weight
	};
	ListCell   *lc;

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		weight[s] = statement->weight;
		if (statement->nplanned == 0)
			continue;
		foreach(lc, statement->planned[0].harvest.proposed)
			askers.of[lfirst_int(lc)] =
			bms_add_member(askers.of[lfirst_int(lc)], s);
	}
	glperf_candidates_unite(&advice->candidates, &askers);
}

/* Size the candidates of one table; those that cannot be are left out. */
static void
size_candidates(GlperfAdvice *advice, Oid relid)
{
	GlperfFailure failure;
	int			n = advice->candidates.n;
	CandidateJob job = {advice, next_on_table(advice, relid, 0), relid};

	while (job.candidate < n)
	{
		if (!glperf_advise_out_of_time(advice, GLPERF_SIZE_SHARE) &&
			glperf_sandbox_run_on_table(relid, size_some, &job, &failure))
			continue;
		/* the one that it failed at */
		advice->alive[job.candidate] = false;
		job.candidate = next_on_table(advice, relid, job.candidate + 1);
	}
	for (int c = next_on_table(advice, relid, 0); c < n;
		 c = next_on_table(advice, relid, c + 1))
		if (advice->defs[c]->impossible ||
			(advice->options.budget >= 0 &&
			 advice->defs[c]->pages * BLCKSZ > advice->options.budget))
			advice->alive[c] = false;
}

/* Decide which candidates are worth planning with, and size them. */
static void
prepare_candidates(GlperfAdvice *advice)
{
	int			n;
	List	   *tables = NIL;
	ListCell   *lc;
	GlperfFailure failure;

	glperf_candidates_join(&advice->candidates);
	align_directions(advice);
	merge_flipped(advice);
	unite_candidates(advice);
	n = advice->candidates.n;
	advice->defs = palloc0(sizeof(GlperfIndexDef *) * (n + 1));
	advice->alive = palloc0(sizeof(bool) * (n + 1));
	advice->write_costs = palloc0(sizeof(GlperfWriteCost) * (n + 1));
	for (int c = 0; c < n; c++)
	{
		advice->defs[c] = advice->candidates.items[c].def;
		advice->alive[c] = advice->candidates.items[c].supported;
		tables = list_append_unique_oid(tables, advice->defs[c]->relid);
	}
	foreach(lc, tables)
	{
		CandidateJob job = {advice, 0, lfirst_oid(lc)};

		/* cannot look at its indexes now: then give no advice on it */
		if (!glperf_sandbox_run_on_table(job.relid, compare_existing, &job,
										 &failure))
			for (int c = 0; c < n; c++)
				if (advice->defs[c]->relid == job.relid)
					advice->alive[c] = false;
	}
	/* table by table, as one sample is kept at a time */
	advice->samples = glperf_samples_create(advice->context);
	foreach(lc, tables)
		size_candidates(advice, lfirst_oid(lc));
	glperf_samples_forget(advice->samples);
}

/* Which candidates can matter to which statement. */
static void
mark_relevant(GlperfAdvice *advice)
{
	int			n = advice->candidates.n;
	int			words = bitset_words(n);

	advice->scratch = palloc0(words * sizeof(uint64) + 1);
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		statement->relevant = palloc0(words * sizeof(uint64) + 1);
		statement->used = palloc0(words * sizeof(uint64) + 1);
		statement->ratio = 1.0;
		for (int p = 0; p < statement->nplanned; p++)
		{
			GlperfPlanned *planned = &statement->planned[p];

			planned->relevant = palloc0(words * sizeof(uint64) + 1);
			for (int c = 0; c < n; c++)
				if (advice->alive[c] &&
					glperf_candidate_relevant(&planned->harvest, c))
					bitset_add(planned->relevant, c);
			bitset_union(statement->relevant, planned->relevant, words);
		}
	}
}

/* Why a statement that indexes could serve goes without. */
static char *
passed_over(GlperfAdvice *advice, int s)
{
	GlperfAdviceStatement *statement = &advice->statements[s];
	double		ratio = glperf_advise_ratio(advice, s, statement->relevant);

	if (ratio > GLPERF_TRUSTED_RATIO)
		return "no index would make it at least 10 % cheaper";
	if (statement->weight * (1 - ratio) <
		advice->total_weight * advice->options.min_benefit_pct / 100)
		return psprintf("an index would help, but save less than %g %% of the workload's time (min_benefit_pct)",
						advice->options.min_benefit_pct);
	return "an index would help, but not enough for its size and upkeep";
}

/* What became of each statement. */
static void
conclude(GlperfAdvice *advice)
{
	int			words = bitset_words(advice->candidates.n);

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		if (statement->nplanned == 0)
			continue;
		statement->ratio = glperf_advise_ratio(advice, s,
											   advice->selection.chosen);
		if (statement->ratio <= GLPERF_TRUSTED_RATIO)
		{
			glperf_advise_used(advice, s, advice->selection.chosen,
							   statement->used);
			statement->outcome = GLPERF_ADVISED;
			continue;
		}
		statement->outcome = GLPERF_NO_GAIN;
		if (statement->repeated)
			statement->reason = statement->repeated;
		else if (statement->planned[0].harvest.hints != NIL)
			statement->reason = linitial(statement->planned[0].harvest.hints);
		else if (!statement->planned[0].harvest.big &&
				 statement->planned[0].harvest.temporary)
			statement->reason = "reads a temporary table, whose indexes are up to the session that makes it";
		else if (!statement->planned[0].harvest.big &&
				 statement->planned[0].harvest.own)
			statement->reason = "reads tables of glperf, which bring their own indexes";
		else if (!statement->planned[0].harvest.big &&
				 statement->planned[0].harvest.catalog)
			statement->reason = "reads system catalogs, whose indexes are fixed";
		else if (!statement->planned[0].harvest.reads)
			statement->reason = "reads no table";
		else if (!statement->planned[0].harvest.big)
			statement->reason = "reads no table that is big enough for an index to matter";
		else if (statement->planned[0].harvest.tables == NIL)
			statement->reason = "has no condition, join or order that an index could serve";
		else if (bitset_empty(statement->relevant, words))
			statement->reason = "the existing indexes serve it as well as any new one could";
		else
			statement->reason = passed_over(advice, s);
	}
}

/* Read the workload and weigh its statements. */
static void
load(GlperfAdvice *advice)
{
	advice->workload = advice->options.workload ?
		glperf_workload_given(advice->options.workload) :
		glperf_workload_load();
	advice->nstatements = advice->workload->n;
	advice->statements = palloc0(sizeof(GlperfAdviceStatement) *
								 (advice->nstatements + 1));
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		statement->item = &advice->workload->items[s];
		statement->weight = Max(0, statement->item->time_ms) *
			statement->item->per_day;
	}
}

GlperfAdvice *
glperf_advise(const GlperfAdviceOptions *options)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "glperf advice",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	GlperfAdvice *advice = palloc0(sizeof(GlperfAdvice));

	advice->context = context;
	advice->options = *options;
	advice->started = GetCurrentTimestamp();
	advice->complete = true;
	advice->candidates.context = context;
	advice->probes.context = context;
	advice->candidates.limit = MAX_CANDIDATES;
	advice->statistics.context = context;

	PG_TRY();
	{
		load(advice);
		glperf_advise_harvest(advice);
		glperf_advise_missing_statistics(advice);
		glperf_advise_weigh(advice);
		prepare_candidates(advice);
		mark_relevant(advice);
		glperf_advise_peel(advice);
		glperf_advise_choose(advice);
		conclude(advice);
		glperf_advise_report(advice);
	}
	PG_FINALLY();
	{
		glperf_sandbox_limit(0);
	}
	PG_END_TRY();
	advice->elapsed_ms = TimestampDifferenceMilliseconds(advice->started,
														 GetCurrentTimestamp());
	MemoryContextSwitchTo(old);
	return advice;
}

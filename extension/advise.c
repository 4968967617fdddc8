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

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sandbox.h"

/* Most candidates of one run. */
#define MAX_CANDIDATES	1000

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

/* Estimate the size of one candidate. */
static void
size_candidate(void *arg)
{
	CandidateJob *job = arg;

	glperf_whatif_set_size(job->advice->defs[job->candidate]);
}

/* Decide which candidates are worth planning with, and size them. */
static void
prepare_candidates(GlperfAdvice *advice)
{
	int			n = advice->candidates.n;
	List	   *tables = NIL;
	ListCell   *lc;
	GlperfFailure failure;

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
		if (!glperf_sandbox_run(GetUserId(), NULL, compare_existing, &job,
								&failure))
			for (int c = 0; c < n; c++)
				if (advice->defs[c]->relid == job.relid)
					advice->alive[c] = false;
	}
	for (int c = 0; c < n; c++)
	{
		CandidateJob job = {advice, c, InvalidOid};

		if (!advice->alive[c])
			continue;
		if (glperf_advise_out_of_time(advice) ||
			!glperf_sandbox_run(GetUserId(), NULL, size_candidate, &job,
								&failure))
		{
			advice->alive[c] = false;
			continue;
		}
		advice->write_costs[c] = glperf_write_cost(advice->defs[c],
												   advice->writes);
	}
}

/* Which candidates can matter to which statement. */
static void
mark_relevant(GlperfAdvice *advice)
{
	int			n = advice->candidates.n;
	int			words = bitset_words(n);

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

/* Add a set to the moves unless it is there. */
static void
add_move(GlperfSelectProblem *problem, const uint64 *set, int words,
		 int *allocated)
{
	uint64	   *copy;

	for (int m = 0; m < problem->nmoves; m++)
		if (bitset_equal(problem->moves[m], set, words))
			return;
	if (problem->nmoves == *allocated)
	{
		*allocated = Max(64, *allocated * 2);
		problem->moves = problem->moves ?
			repalloc(problem->moves, sizeof(uint64 *) * *allocated) :
			palloc(sizeof(uint64 *) * *allocated);
	}
	copy = palloc(words * sizeof(uint64));
	memcpy(copy, set, words * sizeof(uint64));
	problem->moves[problem->nmoves++] = copy;
}

/* Sets worth trying: what some plan used, whole and one by one. */
static void
collect_moves(GlperfAdvice *advice, GlperfSelectProblem *problem)
{
	int			words = bitset_words(advice->candidates.n);
	uint64	   *single = palloc0(words * sizeof(uint64) + 1);
	int			allocated = 0;

	for (int s = 0; s < advice->nstatements; s++)
		for (int p = 0; p < advice->statements[s].nplanned; p++)
		{
			GlperfPlanned *planned = &advice->statements[s].planned[p];

			for (int k = 0; k < planned->ncosts; k++)
			{
				if (bitset_empty(planned->costs[k].used, words))
					continue;
				for (int c = 0; c < advice->candidates.n; c++)
					if (bitset_get(planned->costs[k].used, c))
					{
						memset(single, 0, words * sizeof(uint64));
						bitset_add(single, c);
						add_move(problem, single, words, &allocated);
					}
				add_move(problem, planned->costs[k].used, words, &allocated);
			}
		}
}

/* Adapters from selection's callbacks. */
static double
select_ratio(void *arg, int statement, const uint64 *config)
{
	return glperf_advise_ratio((GlperfAdvice *) arg, statement, config);
}

static bool
select_stop(void *arg)
{
	return glperf_advise_out_of_time((GlperfAdvice *) arg);
}

/* Set up the selection problem and solve it. */
static void
choose(GlperfAdvice *advice)
{
	int			n = advice->candidates.n;
	GlperfSelectProblem problem = {0};
	double	   *weight = palloc0(sizeof(double) * (advice->nstatements + 1));
	uint64	  **relevant = palloc0(sizeof(uint64 *) * (advice->nstatements + 1));
	double	   *size = palloc0(sizeof(double) * (n + 1));
	double	   *write_cost = palloc0(sizeof(double) * (n + 1));
	bool	   *covers = palloc0(sizeof(bool) * (n * n + 1));

	for (int s = 0; s < advice->nstatements; s++)
	{
		weight[s] = advice->statements[s].weight;
		relevant[s] = advice->statements[s].relevant;
	}
	for (int c = 0; c < n; c++)
	{
		size[c] = advice->defs[c]->pages * BLCKSZ;
		write_cost[c] = advice->write_costs[c].ms;
		for (int o = 0; o < n; o++)
			covers[c * n + o] = c != o && advice->alive[c] &&
				advice->alive[o] &&
				glperf_index_def_covers(advice->defs[c], advice->defs[o]);
	}
	problem.nstatements = advice->nstatements;
	problem.ncandidates = n;
	problem.weight = weight;
	problem.relevant = relevant;
	problem.size = size;
	problem.write_cost = write_cost;
	problem.covers = covers;
	problem.budget = advice->options.budget;
	problem.max_candidates = advice->options.max_indexes;
	problem.min_gain = advice->total_weight *
		advice->options.min_benefit_pct / 100.0;
	problem.trust = GLPERF_TRUSTED_RATIO;
	problem.max_regression = 0.1;
	problem.ratio = select_ratio;
	problem.stop = select_stop;
	problem.arg = advice;
	collect_moves(advice, &problem);
	advice->selection = glperf_select(&problem);
	if (!advice->selection.complete)
		advice->complete = false;
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
		if (statement->planned[0].harvest.tables == NIL)
			statement->reason = "reads no table that is big enough for an index to matter";
		else if (bitset_empty(statement->relevant, words))
			statement->reason = "the existing indexes serve it as well as any new one could";
		else if (glperf_advise_ratio(advice, s, statement->relevant) <=
				 GLPERF_TRUSTED_RATIO)
			statement->reason = "an index would help, but not enough for its size and upkeep";
		else
			statement->reason = "no index would make it at least 10 % cheaper";
	}
}

/* Read the workload and weigh its statements. */
static void
load(GlperfAdvice *advice)
{
	advice->workload = glperf_workload_load();
	advice->nstatements = advice->workload->n;
	advice->statements = palloc0(sizeof(GlperfAdviceStatement) *
								 (advice->nstatements + 1));
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		statement->item = &advice->workload->items[s];
		statement->weight = statement->item->time_ms *
			statement->item->per_day;
		advice->total_weight += statement->weight;
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
	advice->candidates.limit = MAX_CANDIDATES;

	load(advice);
	glperf_advise_harvest(advice);
	prepare_candidates(advice);
	mark_relevant(advice);
	glperf_advise_peel(advice);
	choose(advice);
	conclude(advice);
	glperf_advise_report(advice);
	advice->elapsed_ms = TimestampDifferenceMilliseconds(advice->started,
														 GetCurrentTimestamp());
	MemoryContextSwitchTo(old);
	return advice;
}

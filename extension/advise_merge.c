/*
 * advise_merge.c
 *		Pairs of existing indexes that one could stand for.
 *
 * Two indexes are merged when the keys of one lead the other's and each
 * includes columns that the other lacks; their union does what both do.
 */
#include "advise_replace.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sandbox.h"

/* Most pairs that are merged in one run. */
#define MAX_MERGES		10

/* Could this existing index be one half of a merge? */
static bool
may_be_merged(const GlperfIndex *index)
{
	return index->am == BTREE_AM_OID && index->valid && !index->unique &&
		index->guard == NULL && !index->partitioned &&
		!index->has_expression && !index->opaque &&
		!OidIsValid(index->parent) && index->settings[0] == '\0';
}

/* Describe the union of a pair, if it has one; inside the sandbox. */
typedef struct MergeJob
{
	GlperfAdvice *advice;
	GlperfMerge *merge;			/* def stays NULL without a union */
} MergeJob;

/* The definition of an existing index. */
static GlperfIndexDef *
definition_of(const GlperfIndex *index)
{
	Relation	rel = index_open(index->oid, AccessShareLock);
	GlperfIndexDef *def = glperf_index_def_from_relation(rel);

	index_close(rel, NoLock);
	return def;
}

/* The work of a MergeJob. */
static void
merge_work(void *arg)
{
	MergeJob   *job = arg;
	GlperfMerge *merge = job->merge;
	MemoryContext old = MemoryContextSwitchTo(job->advice->context);
	GlperfIndexDef *narrow = definition_of(merge->narrow);
	GlperfIndexDef *def = definition_of(merge->wide);

	if (glperf_index_def_can_unite(narrow, def))
	{
		glperf_index_def_unite(def, narrow);
		glperf_index_def_set_name(def);
		merge->steps = glperf_index_def_steps(def);
		merge->schema = get_namespace_name(get_rel_namespace(def->relid));
		merge->table = get_rel_name(def->relid);
		merge->def = def;
	}
	MemoryContextSwitchTo(old);
	if (merge->def != NULL)
		glperf_whatif_set_size(def, job->advice->samples);
}

/*
 * Could the keys of one lead those of the other?  Asked of every pair, before
 * looking closer.
 */
static bool
may_lead(const GlperfIndex *narrow, const GlperfIndex *wide)
{
	return narrow->table == wide->table && narrow->nkeys <= wide->nkeys &&
		narrow->nkeys < narrow->natts &&
		memcmp(narrow->attnum, wide->attnum,
			   sizeof(AttrNumber) * narrow->nkeys) == 0;
}

/* Is this index half of a pair already? */
static bool
is_taken(List *merges, const GlperfIndex *index)
{
	ListCell   *lc;

	foreach(lc, merges)
	{
		GlperfMerge *merge = lfirst(lc);

		if (merge->narrow->oid == index->oid || merge->wide->oid == index->oid)
			return true;
	}
	return false;
}

List *
glperf_find_merges(GlperfAdvice *advice, List *indexes)
{
	List	   *tables = NIL;
	List	   *merges = NIL;
	ListCell   *lw;
	ListCell   *ln;

	for (int s = 0; s < advice->nstatements; s++)
		for (int p = 0; p < advice->statements[s].nplanned; p++)
			tables = list_concat_unique_oid(tables,
											advice->statements[s].planned[p].harvest.tables);
	foreach(lw, indexes)
		foreach(ln, indexes)
	{
		GlperfIndex *wide = lfirst(lw);
		GlperfIndex *narrow = lfirst(ln);
		GlperfMerge *merge;
		MergeJob	job;
		GlperfFailure failure = {0};

		if (wide == narrow || !may_lead(narrow, wide) ||
			list_length(merges) >= MAX_MERGES ||
			!list_member_oid(tables, wide->table) ||
			!may_be_merged(wide) || !may_be_merged(narrow) ||
			is_taken(merges, wide) || is_taken(merges, narrow))
			continue;
		merge = palloc0(sizeof(GlperfMerge));
		merge->narrow = narrow;
		merge->wide = wide;
		job = (MergeJob)
		{
			advice, merge
		};
		if (glperf_sandbox_run_on_table(wide->table, merge_work, &job,
										&failure) && merge->def != NULL &&
			merge->def->pages * BLCKSZ < narrow->bytes + wide->bytes)
			merges = lappend(merges, merge);
	}
	glperf_samples_forget(advice->samples);
	return merges;
}

/*
 * advise_merge.c
 *		Pairs of existing indexes that one could stand for.
 *
 * Two indexes are merged when the keys of one lead the other's and each
 * includes columns that the other lacks; their union does what both do.
 */
#include "advise_replace.h"

#include "access/relation.h"
#include "catalog/pg_am.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sandbox.h"

/* Most pairs that are merged in one run. */
#define MAX_MERGES		10

/* Does index hold column attnum, as key or included? */
static bool
holds(const GlperfIndex *index, AttrNumber attnum)
{
	for (int i = 0; i < index->natts; i++)
		if (index->attnum[i] == attnum)
			return true;
	return false;
}

/* Could this existing index be one half of a merge? */
static bool
may_be_merged(const GlperfIndex *index)
{
	return index->am == BTREE_AM_OID && index->valid && !index->unique &&
		index->guard == NULL && !index->partitioned &&
		!index->has_expression && !index->opaque &&
		!OidIsValid(index->parent) && index->settings[0] == '\0';
}

/*
 * Do narrow's keys lead wide's, while each includes what the other lacks?
 * (If only one did, it would cover the other.)
 */
static bool
complement(const GlperfIndex *narrow, const GlperfIndex *wide)
{
	bool		missing = false;

	if (narrow->table != wide->table || narrow->nkeys > wide->nkeys ||
		!equal(narrow->predicate, wide->predicate))
		return false;
	for (int i = 0; i < narrow->nkeys; i++)
		if (narrow->attnum[i] != wide->attnum[i] ||
			narrow->opclass[i] != wide->opclass[i] ||
			narrow->collation[i] != wide->collation[i] ||
			narrow->option[i] != wide->option[i])
			return false;
	for (int i = narrow->nkeys; i < narrow->natts; i++)
		missing |= !holds(wide, narrow->attnum[i]);
	return missing &&
		glperf_index_covers(wide, narrow) == GLPERF_COVER_NONE &&
		narrow->natts + wide->natts <= GLPERF_MAX_COLUMNS;
}

/* Describe the union of a pair; inside the sandbox. */
typedef struct MergeJob
{
	GlperfAdvice *advice;
	GlperfMerge *merge;
} MergeJob;

/* The work of a MergeJob. */
static void
merge_work(void *arg)
{
	MergeJob   *job = arg;
	GlperfMerge *merge = job->merge;
	GlperfIndex *wide = merge->wide;
	Relation	table = relation_open(wide->table, AccessShareLock);
	MemoryContext old = MemoryContextSwitchTo(job->advice->context);
	GlperfIndexDef *def = palloc0(sizeof(GlperfIndexDef));

	def->relid = wide->table;
	def->amoid = wide->am;
	def->pred = copyObject(wide->predicate);
	for (int i = 0; i < wide->nkeys; i++)
		if (!glperf_index_def_append(def, wide->attnum[i], wide->opclass[i],
									 wide->collation[i], wide->option[i],
									 false))
			elog(ERROR, "could not copy an index definition");
	for (int i = wide->nkeys; i < wide->natts; i++)
		glperf_index_def_append(def, wide->attnum[i], InvalidOid, InvalidOid, 0,
								true);
	for (int i = merge->narrow->nkeys; i < merge->narrow->natts; i++)
		if (!holds(wide, merge->narrow->attnum[i]))
			glperf_index_def_append(def, merge->narrow->attnum[i], InvalidOid,
									InvalidOid, 0, true);
	glperf_index_def_set_name(def);
	merge->steps = glperf_index_def_steps(def);
	merge->schema = get_namespace_name(get_rel_namespace(def->relid));
	merge->table = get_rel_name(def->relid);
	merge->def = def;
	MemoryContextSwitchTo(old);
	glperf_whatif_set_size(def, job->advice->samples);
	relation_close(table, NoLock);
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

		if (wide == narrow || wide->table != narrow->table ||
			list_length(merges) >= MAX_MERGES ||
			!list_member_oid(tables, wide->table) ||
			!may_be_merged(wide) || !may_be_merged(narrow) ||
			!complement(narrow, wide) || is_taken(merges, wide) ||
			is_taken(merges, narrow))
			continue;
		merge = palloc0(sizeof(GlperfMerge));
		merge->narrow = narrow;
		merge->wide = wide;
		job = (MergeJob)
		{
			advice, merge
		};
		if (glperf_sandbox_run_on_table(wide->table, merge_work, &job,
										&failure) &&
			merge->def->pages * BLCKSZ < narrow->bytes + wide->bytes)
			merges = lappend(merges, merge);
	}
	glperf_samples_forget(advice->samples);
	return merges;
}

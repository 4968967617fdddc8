/*
 * advise_replace.c
 *		Existing indexes that others take the place of: replace, merge, drop,
 *		rebuild.
 *
 * glperf.index_usage is the authority on what may go.  It is asked as if the
 * recommended indexes existed already, so every guard that holds for an index
 * beside another one holds for an index beside a new one.  One thing more is
 * known only here: what the statements of the workload would cost without it.
 */
#include "advise.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "commands/vacuum.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "advise_replace.h"
#include "sandbox.h"

static const char *const drops_query =
"SELECT i.schema_name, i.table_name, i.index_name, i.size_bytes, i.verdict,"
"  i.reason, i.drop_ddl, i.undo_ddl, c.oid, i.covered_by,"
"  EXISTS (SELECT FROM glperf.recommendation r WHERE r.state = 'dismissed'"
"	AND r.name = glperf.recommendation_name('drop', i.schema_name,"
"	 i.table_name, i.index_name))"
" FROM glperf.index_usage i"
" JOIN pg_namespace n ON n.nspname = i.schema_name"
" JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = i.index_name"
" WHERE i.drop_ddl IS NOT NULL"
" ORDER BY i.size_bytes DESC, i.schema_name, i.index_name";

/* Broken ones that something else needs, and those that are mostly air. */
static const char *const rebuilds_query =
"SELECT i.schema_name, i.table_name, i.index_name, i.size_bytes,"
"  pg_catalog.format('REINDEX INDEX CONCURRENTLY %I.%I', i.schema_name,"
"	i.index_name) AS ddl, i.reason"
" FROM glperf.index_usage i"
" WHERE NOT i.is_valid AND i.verdict = 'keep'"
"  AND i.reason LIKE 'not valid, but %'"
"  AND NOT pg_catalog.pg_is_in_recovery()"
" UNION ALL "
"SELECT b.schema_name, b.table_name, b.index_name, b.freed_bytes,"
"  b.reindex_ddl, b.reason"
" FROM glperf.index_bloat_report(10, 32) b"
" WHERE b.reindex_ddl IS NOT NULL"
" ORDER BY 4 DESC, 1, 3";

/*
 * Shells of partitioned indexes that an interrupted --apply left: the topmost
 * first, since its steps bring those below with them.
 */
static const char *const unfinished_query =
"SELECT c.oid, i.indrelid"
" FROM pg_index i"
" JOIN pg_class c ON c.oid = i.indexrelid"
" JOIN pg_namespace n ON n.oid = c.relnamespace"
" WHERE c.relkind = 'I' AND NOT i.indisvalid"
"  AND glperf.apply_owns(n.nspname::text, c.relname::text)"
"  AND NOT pg_catalog.pg_is_in_recovery()"
" ORDER BY (SELECT count(*)"
"	FROM pg_partition_ancestors(i.indrelid)), c.relname";

/* Planning one way of running a statement without some indexes. */
typedef struct WithoutJob
{
	GlperfAdvice *advice;
	GlperfPlanned *planned;
	GlperfIndexDef *extra;		/* index that exists besides, or NULL */
	Oid		   *hidden;
	int			nhidden;
	double		cost;
} WithoutJob;

/* The work of a WithoutJob. */
static void
without_work(void *arg)
{
	WithoutJob *job = arg;
	GlperfAdvice *advice = job->advice;
	GlperfStatement *stmt = &job->planned->instance->stmt;
	int			n = advice->candidates.n;
	GlperfIndexDef **defs = palloc(sizeof(GlperfIndexDef *) * (n + 1));
	uint64	   *enabled = palloc0(bitset_bytes(n + 1));
	GlperfAnalysed analysed;
	GlperfWhatif whatif = {0};
	ListCell   *lc;

	memcpy(defs, advice->defs, sizeof(GlperfIndexDef *) * n);
	memcpy(enabled, advice->selection.chosen,
		   bitset_words(n) * sizeof(uint64));
	if (job->extra)
	{
		defs[n] = job->extra;
		bitset_add(enabled, n);
	}
	glperf_statement_analyse(stmt, &analysed);
	glperf_advise_whatif(advice, enabled, &whatif);
	whatif.defs = defs;
	whatif.ndefs = job->extra ? n + 1 : n;
	whatif.hidden = job->hidden;
	whatif.nhidden = job->nhidden;
	foreach(lc, analysed.queries)
	{
		Query	   *query = lfirst_node(Query, lc);

		if (query->commandType == CMD_UTILITY)
			continue;
		job->cost += glperf_plan_cost(glperf_whatif_plan(&whatif, query,
														 stmt->text,
														 analysed.cursor_options,
														 analysed.params));
		advice->planner_calls++;
	}
}

/*
 * Would a statement that uses one of these existing indexes now get dearer
 * than it is, if they were gone and the recommended ones there?
 */
static bool
missed_by_statements(GlperfAdvice *advice, Oid *hidden, int nhidden,
					 GlperfIndexDef *extra)
{
	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		bool		uses = false;

		for (int i = 0; i < nhidden; i++)
			uses |= list_member_oid(statement->real_used, hidden[i]);
		for (int p = 0; uses && p < statement->nplanned; p++)
		{
			WithoutJob	job = {advice, &statement->planned[p], extra, hidden,
			nhidden, 0};
			GlperfFailure failure = {0};

			/* what cannot be planned now may miss it */
			if (!glperf_sandbox_run(statement->item->userid,
									job.planned->instance->search_path,
									without_work, &job, &failure) ||
				job.cost > job.planned->base_planner_cost *
				(1 + GLPERF_COUNTED_REGRESSION))
				return true;
		}
	}
	return false;
}

/* A definition as glperf.index_usage compares indexes. */
static GlperfIndex *
as_index(const GlperfIndexDef *def)
{
	GlperfIndex *index = palloc0(sizeof(GlperfIndex));
	int			expr = 0;

	index->table = def->relid;
	index->schema_name = get_namespace_name(get_rel_namespace(def->relid));
	index->table_name = get_rel_name(def->relid);
	index->index_name = def->name;
	index->am = def->amoid;
	index->partitioned =
		get_rel_relkind(def->relid) == RELKIND_PARTITIONED_TABLE;
	index->nkeys = def->nkeys;
	index->natts = def->ncolumns;
	index->attnum = (AttrNumber *) def->attnum;
	index->opclass = (Oid *) def->opclass;
	index->opfamily = (Oid *) def->opfamily;
	index->opcintype = (Oid *) def->opcintype;
	index->collation = (Oid *) def->collation;
	index->option = (int16 *) def->option;
	index->expression = palloc0(sizeof(Node *) * def->nkeys);
	for (int i = 0; i < def->nkeys; i++)
		if (def->attnum[i] == 0)
			index->expression[i] = list_nth(def->exprs, expr++);
	index->has_expression = expr > 0;
	index->target = palloc(sizeof(int) * def->nkeys);
	for (int i = 0; i < def->nkeys; i++)
		index->target[i] = default_statistics_target;
	index->predicate = def->pred;
	index->settings = "";
	index->valid = true;
	index->immediate = true;
	index->guard = "is recommended";
	index->bytes = (int64) (def->pages * BLCKSZ);
	return index;
}

/* Text column of a row, in the advice's memory; NULL for NULL. */
static char *
text_value(GlperfAdvice *advice, HeapTuple row, TupleDesc desc, int column)
{
	char	   *value = SPI_getvalue(row, desc, column);

	return value ? MemoryContextStrdup(advice->context, value) : NULL;
}

/* What may go, supposing the indexes of a list; a List of GlperfDroppable *. */
static List *
read_droppable(GlperfAdvice *advice, List *indexes)
{
	List	   *result = NIL;
	MemoryContext old;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	glperf_index_suppose(indexes);
	PG_TRY();
	{
		if (SPI_execute(drops_query, true, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not read glperf.index_usage");
	}
	PG_FINALLY();
	{
		glperf_index_suppose(NIL);
	}
	PG_END_TRY();
	old = MemoryContextSwitchTo(advice->context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		GlperfDroppable *d = palloc0(sizeof(GlperfDroppable));
		bool		isnull;

		d->schema = text_value(advice, row, desc, 1);
		d->table = text_value(advice, row, desc, 2);
		d->name = text_value(advice, row, desc, 3);
		d->bytes = (double) DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
		d->verdict = text_value(advice, row, desc, 5);
		d->reason = text_value(advice, row, desc, 6);
		d->ddl = text_value(advice, row, desc, 7);
		d->undo = text_value(advice, row, desc, 8);
		d->oid = DatumGetObjectId(SPI_getbinval(row, desc, 9, &isnull));
		d->covered_by = text_value(advice, row, desc, 10);
		d->is_dismissed = DatumGetBool(SPI_getbinval(row, desc, 11, &isnull));
		result = lappend(result, d);
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
	return result;
}

/* Note for each pair which of its indexes may go in favour of the union. */
static void
match_merges(List *merges, List *droppable)
{
	ListCell   *lm;
	ListCell   *ld;

	foreach(lm, merges)
	{
		GlperfMerge *merge = lfirst(lm);

		merge->gone[0] = merge->gone[1] = NULL;
		foreach(ld, droppable)
		{
			GlperfDroppable *d = lfirst(ld);

			if (d->covered_by == NULL ||
				strcmp(d->covered_by, merge->def->name) != 0)
				continue;
			if (d->oid == merge->narrow->oid)
				merge->gone[0] = d;
			else if (d->oid == merge->wide->oid)
				merge->gone[1] = d;
		}
	}
}

/* Does index_usage let both go, with a way back, and no statement miss them? */
static bool
merge_holds(GlperfAdvice *advice, GlperfMerge *merge)
{
	Oid			hidden[2] = {merge->narrow->oid, merge->wide->oid};

	return merge->gone[0] && merge->gone[1] && merge->gone[0]->undo &&
		merge->gone[1]->undo && !merge->gone[0]->is_dismissed &&
		!merge->gone[1]->is_dismissed &&
		!missed_by_statements(advice, hidden, 2, merge->def);
}

/* Megabytes for people. */
static char *
megabytes(double bytes)
{
	return psprintf("%.1f MB", bytes / 1048576.0);
}

/* Append a statement to ddl and steps. */
static void
add_step(GlperfRecommendation *rec, char *step)
{
	rec->steps = lappend(rec->steps, step);
	rec->ddl = rec->ddl ? psprintf("%s;\n%s", rec->ddl, step) : step;
}

/* Put a statement before those that take everything back. */
static void
add_undo(GlperfRecommendation *rec, const char *undo)
{
	rec->undo = rec->undo ? psprintf("%s;\n%s", undo, rec->undo) :
		pstrdup(undo);
}

/* Recommend a merge. */
static void
add_merge(GlperfAdvice *advice, GlperfMerge *merge)
{
	GlperfRecommendation *rec = glperf_advise_append(advice);
	ListCell   *lc;

	rec->action = "merge";
	rec->schema = merge->schema;
	rec->table = merge->table;
	rec->name = merge->def->name;
	rec->size = merge->def->pages * BLCKSZ;
	foreach(lc, merge->steps)
		add_step(rec, lfirst(lc));
	rec->undo = glperf_index_def_undo(merge->def);
	for (int i = 0; i < 2; i++)
	{
		add_step(rec, merge->gone[i]->ddl);
		add_undo(rec, merge->gone[i]->undo);
	}
	rec->reasons = list_make2(psprintf("does what %s (%s) and %s (%s) do, in %s: create it first, then drop them",
									   quote_identifier(merge->gone[0]->name),
									   megabytes(merge->gone[0]->bytes),
									   quote_identifier(merge->gone[1]->name),
									   megabytes(merge->gone[1]->bytes),
									   megabytes(rec->size)),
							  "no statement of the workload gets dearer without them");
}

/* The recommendation that creates this index, or NULL. */
static GlperfRecommendation *
creator(GlperfAdvice *advice, const GlperfDroppable *d)
{
	for (int r = 0; d->covered_by && r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];

		if (rec->candidate >= 0 && strcmp(rec->name, d->covered_by) == 0 &&
			strcmp(rec->schema, d->schema) == 0 &&
			strcmp(rec->table, d->table) == 0)
			return rec;
	}
	return NULL;
}

/* Let a new index take the place of an old one, if nobody misses that. */
static void
replace(GlperfAdvice *advice, GlperfRecommendation *rec, GlperfDroppable *d)
{
	Oid			hidden = d->oid;
	char	   *announced = psprintf("makes the existing index %s redundant",
									 quote_identifier(d->name));
	ListCell   *lc;

	if (d->undo == NULL ||
		strncmp(d->ddl, "DROP INDEX CONCURRENTLY ", 24) != 0)
		return;
	if (d->is_dismissed)
	{
		rec->reasons = lappend(rec->reasons,
							   psprintf("%s stays: dropping it was dismissed",
										quote_identifier(d->name)));
		return;
	}
	if (missed_by_statements(advice, &hidden, 1, NULL))
	{
		rec->reasons = lappend(rec->reasons,
							   psprintf("%s stays: a statement would get dearer without it",
										quote_identifier(d->name)));
		return;
	}
	/* what was only announced comes true */
	foreach(lc, rec->reasons)
		if (strncmp(lfirst(lc), announced, strlen(announced)) == 0)
		rec->reasons = foreach_delete_current(rec->reasons, lc);
	rec->action = "replace";
	add_step(rec, d->ddl);
	add_undo(rec, d->undo);
	rec->reasons = lappend(rec->reasons,
						   psprintf("takes the place of %s (%s), which is dropped once the new one is there: it %s",
									quote_identifier(d->name),
									megabytes(d->bytes),
									strcmp(d->verdict, "prefix") == 0 ?
									"begins with the same keys" :
									strcmp(d->verdict, "covered") == 0 ?
									"has the same keys and holds all that the old one holds" :
									"has the same keys"));
}

/* A drop for its own sake. */
static void
add_drop(GlperfAdvice *advice, GlperfDroppable *d)
{
	GlperfRecommendation *rec;

	/* nobody has scanned it, yet a recorded statement would */
	if (strcmp(d->verdict, "unused") == 0 &&
		list_member_oid(advice->real_used, d->oid))
		return;
	rec = glperf_advise_append(advice);
	rec->action = "drop";
	rec->schema = d->schema;
	rec->table = d->table;
	rec->name = d->name;
	rec->size = d->bytes;
	rec->ddl = d->ddl;
	rec->undo = d->undo;
	rec->steps = list_make1(d->ddl);
	rec->reasons = list_make2(d->verdict, d->reason);
}

/*
 * Was an index that a failed build left behind meant to be this one?  Then it
 * is rebuilt under its own name.  Leftovers of REINDEX are none of those.
 */
static GlperfIndex *
broken_twin(List *indexes, const GlperfIndexDef *def)
{
	GlperfIndex *wanted = as_index(def);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		GlperfIndex *index = lfirst(lc);
		GlperfIndex rebuilt = *index;

		rebuilt.valid = true;
		if (index->table == def->relid && !index->valid && !index->unique &&
			index->guard == NULL && !index->partitioned &&
			strstr(index->index_name, "_ccnew") == NULL &&
			strstr(index->index_name, "_ccold") == NULL &&
			glperf_index_covers(&rebuilt, wanted) == GLPERF_COVER_EXACT)
			return index;
	}
	return NULL;
}

/* Create what a failed build left behind by rebuilding that. */
static List *
rebuild_broken(GlperfAdvice *advice, List *indexes, List *droppable)
{
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		GlperfRecommendation *rec = &advice->recommendations[r];
		GlperfIndex *twin = rec->candidate < 0 ? NULL :
		broken_twin(indexes, advice->defs[rec->candidate]);
		ListCell   *lc;

		if (twin == NULL)
			continue;
		foreach(lc, droppable)
		{
			GlperfDroppable *d = lfirst(lc);

			/* only what is known to be a leftover, not a build under way */
			if (d->oid != twin->oid || strcmp(d->verdict, "invalid") != 0)
				continue;
			rec->action = "reindex";
			rec->name = d->name;
			rec->steps = NIL;
			rec->ddl = NULL;
			add_step(rec, psprintf("REINDEX INDEX CONCURRENTLY %s",
								   quote_qualified_identifier(d->schema,
															  d->name)));
			rec->undo = d->ddl;
			rec->reasons = lappend(rec->reasons,
								   psprintf("the index %s was to do this, but its build failed: rebuild it",
											quote_identifier(d->name)));
			droppable = foreach_delete_current(droppable, lc);
			break;
		}
	}
	return droppable;
}

/* Indexes that exist and should be rebuilt. */
static void
add_rebuilds(GlperfAdvice *advice)
{
	MemoryContext old;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute(rebuilds_query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read glperf.index_bloat");
	old = MemoryContextSwitchTo(advice->context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		GlperfRecommendation *rec = glperf_advise_append(advice);
		bool		isnull;

		rec->action = "reindex";
		rec->schema = text_value(advice, row, desc, 1);
		rec->table = text_value(advice, row, desc, 2);
		rec->name = text_value(advice, row, desc, 3);
		rec->size = (double) DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
		add_step(rec, text_value(advice, row, desc, 5));
		rec->reasons = list_make1(text_value(advice, row, desc, 6));
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
}

/* One unfinished index to be described, inside the sandbox. */
typedef struct ResumeJob
{
	GlperfAdvice *advice;
	Oid			index;
	Oid			table;
	GlperfRecommendation rec;
} ResumeJob;

/* The work of a ResumeJob: all steps again; those that are done are passed. */
static void
resume_work(void *arg)
{
	ResumeJob  *job = arg;
	Relation	table = relation_open(job->table, AccessShareLock);
	Relation	index = index_open(job->index, AccessShareLock);
	MemoryContext old = MemoryContextSwitchTo(job->advice->context);
	GlperfIndexDef *def = glperf_index_def_from_relation(index);
	GlperfRecommendation *rec = &job->rec;
	ListCell   *lc;

	rec->action = "create";
	rec->candidate = -1;
	rec->schema = get_namespace_name(RelationGetNamespace(table));
	rec->table = pstrdup(RelationGetRelationName(table));
	rec->name = def->name;
	foreach(lc, glperf_index_def_steps(def))
		add_step(rec, lfirst(lc));
	rec->undo = glperf_index_def_undo(def);
	rec->confidence = "high";
	rec->reasons = list_make1("an interrupted run began to build it: until all parts are there and attached, the partitioned index is not valid, and new partitions get none");
	MemoryContextSwitchTo(old);
	index_close(index, NoLock);
	relation_close(table, NoLock);
}

/* Does a recommendation create this index, alone or among others? */
static bool
is_step_already(GlperfAdvice *advice, const char *ddl)
{
	for (int r = 0; r < advice->nrecommendations; r++)
	{
		ListCell   *lc;

		foreach(lc, advice->recommendations[r].steps)
			if (strcmp(lfirst(lc), ddl) == 0)
			return true;
	}
	return false;
}

/*
 * Partitioned indexes that were begun and not finished.  Their leaves may all
 * be there, so that no statement would gain from the rest; yet the rest is to
 * be done.
 */
static void
resume_builds(GlperfAdvice *advice)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute(unfinished_query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read glperf.apply_log");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		ResumeJob  *job = MemoryContextAllocZero(advice->context,
												 sizeof(ResumeJob));
		MemoryContext old;
		bool		isnull;

		job->advice = advice;
		job->index = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
													SPI_tuptable->tupdesc, 1,
													&isnull));
		job->table = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
													SPI_tuptable->tupdesc, 2,
													&isnull));
		old = MemoryContextSwitchTo(advice->context);
		jobs = lappend(jobs, job);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	foreach(lc, jobs)
	{
		ResumeJob  *job = lfirst(lc);
		GlperfFailure failure = {0};

		if (!glperf_sandbox_run_on_table(job->table, resume_work, job,
										 &failure))
			advice->complete = false;
		else if (!is_step_already(advice, linitial(job->rec.steps)))
			*glperf_advise_append(advice) = job->rec;
	}
}

void
glperf_advise_drops(GlperfAdvice *advice)
{
	MemoryContext old = MemoryContextSwitchTo(advice->context);
	List	   *indexes = glperf_index_list(true);
	List	   *merges = glperf_find_merges(advice, indexes);
	List	   *droppable;
	bool		changed;
	ListCell   *lc;

	do
	{
		List	   *supposed = NIL;

		for (int r = 0; r < advice->nrecommendations; r++)
			if (advice->recommendations[r].candidate >= 0)
				supposed = lappend(supposed,
								   as_index(advice->defs[advice->recommendations[r].candidate]));
		foreach(lc, merges)
			supposed = lappend(supposed,
							   as_index(((GlperfMerge *) lfirst(lc))->def));
		droppable = read_droppable(advice, supposed);
		match_merges(merges, droppable);
		changed = false;
		foreach(lc, merges)
			if (!merge_holds(advice, lfirst(lc)))
		{
			merges = foreach_delete_current(merges, lc);
			changed = true;
		}

		/*
		 * what a merge that will not happen would replace has to be judged
		 * anew
		 */
	} while (changed);

	resume_builds(advice);
	droppable = rebuild_broken(advice, indexes, droppable);
	foreach(lc, merges)
		add_merge(advice, lfirst(lc));
	foreach(lc, droppable)
	{
		GlperfDroppable *d = lfirst(lc);
		GlperfRecommendation *rec = creator(advice, d);
		bool		merged = false;
		ListCell   *lm;

		foreach(lm, merges)
			merged |= ((GlperfMerge *) lfirst(lm))->gone[0] == d ||
			((GlperfMerge *) lfirst(lm))->gone[1] == d ||
			(d->covered_by && strcmp(d->covered_by,
									 ((GlperfMerge *) lfirst(lm))->def->name) == 0);
		if (rec)
			replace(advice, rec, d);
		else if (!merged)
			add_drop(advice, d);
	}
	add_rebuilds(advice);
	MemoryContextSwitchTo(old);
}

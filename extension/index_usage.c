/*
 * index_usage.c
 *		The verdict on every index: used, unused, redundant, invalid, or to be
 *		kept, with statements that drop it and bring it back.
 *
 * Three rules keep the verdicts honest.
 *
 * An index is unused only if its counters are known to cover the time that is
 * asked for.  A crash empties them without leaving a trace in
 * pg_stat_database, so the caller passes the latest of all reset stamps, and
 * the age of the index's own file bounds it further.
 *
 * Never both halves of a redundant pair are offered for dropping: what covers
 * a redundant index stays as long as that one is there.
 *
 * No lock of a user's table is waited for.  The definition that brings an
 * index back is only printed if its table can be locked at once.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "index_catalog.h"
#include "index_def.h"
#include "replica_usage.h"

/* What the verdicts are judged by. */
typedef struct GlperfUsageLimits
{
	TimestampTz now;
	TimestampTz since;			/* when all counters began; 0 unknown */
	double		min_evidence_s; /* unscanned for so long means unused */
	double		prefix_ratio;	/* an index this much larger is no substitute */
	bool		in_recovery;
	bool		with_undo;		/* print what brings an index back */
	double		key_share_pct;	/* a key that finds more is unselective */
	double		key_share_rows; /* in tables of more rows than this */

	/* all that there is, for what is part of it */
	GlperfIndex **all;
	int			n;
	List	   *fks;
} GlperfUsageLimits;

PG_FUNCTION_INFO_V1(glperf_index_usage);

/* A span of time for reading, in its largest fitting unit. */
static char *
span_text(double seconds)
{
	if (seconds >= 2 * 86400.0)
		return psprintf("%.0f days", seconds / 86400);
	if (seconds >= 2 * 3600.0)
		return psprintf("%.0f hours", seconds / 3600);
	if (seconds >= 2 * 60.0)
		return psprintf("%.0f minutes", seconds / 60);
	return psprintf("%.0f s", Max(seconds, 0));
}

/* Scans of the index on all nodes that are known. */
static int64
all_scans(const GlperfIndex *index)
{
	return index->scans + index->replicas.scans;
}

/* Since when the counters of this index say anything; 0 unknown. */
static TimestampTz
evidence_since(const GlperfIndex *index, const GlperfUsageLimits *limits)
{
	if (limits->since == 0 ||
		(index->replicas.reports > 0 && index->replicas.since == 0))
		return 0;
	return Max(Max(limits->since, index->created),
			   Max(index->replicas.since, index->disturbed));
}

/* For how long, in seconds. */
static double
evidence_seconds(const GlperfIndex *index, const GlperfUsageLimits *limits)
{
	TimestampTz since = evidence_since(index, limits);

	if (since == 0 || since > limits->now)
		return 0;
	return (limits->now - since) / (double) USECS_PER_SEC;
}

/*
 * Seconds since the index was last scanned, as far as the evidence goes; 0 if
 * it was scanned at a time that the server does not tell.
 */
static double
idle_seconds(const GlperfIndex *index, const GlperfUsageLimits *limits)
{
	double		evidence = evidence_seconds(index, limits);

	if (index->replicas.reports > 0)
		evidence = Min(evidence, index->replicas.idle_s);
	if (index->scans == 0)
		return evidence;
	if (index->last_scan == 0 || index->last_scan > limits->now)
		return 0;
	return Min(evidence,
			   (limits->now - index->last_scan) / (double) USECS_PER_SEC);
}

/* Nothing has scanned it for as long as is asked for. */
static bool
is_idle(const GlperfIndex *index, const GlperfUsageLimits *limits)
{
	if (all_scans(index) > 0 &&
		(idle_seconds(index, limits) == 0 || limits->min_evidence_s <= 0))
		return false;
	return evidence_since(index, limits) != 0 &&
		idle_seconds(index, limits) >= limits->min_evidence_s;
}

/* Unscanned, here and on every other node. */
static bool
is_known_idle(const GlperfIndex *index, const GlperfUsageLimits *limits)
{
	return index->replicas.missing == NULL && is_idle(index, limits);
}

/* Unscanned, and nothing else speaks for it; a part goes with the whole. */
static bool
is_droppable_as_unused(const GlperfIndex *index,
					   const GlperfUsageLimits *limits)
{
	if (index->root != NULL)
		index = index->root;
	return index->guard == NULL && index->valid && !index->unique &&
		!index->has_expression && is_known_idle(index, limits);
}

/* The extension that the index's table belongs to, as a reason; or NULL. */
static char *
owned_by_extension(const GlperfIndex *index)
{
	char	   *name = OidIsValid(index->extension) ?
	get_extension_name(index->extension) : NULL;

	return name == NULL ? NULL :
		psprintf("belongs to extension %s", quote_identifier(name));
}

/* Take back an offer to drop that the server would refuse. */
static void
withdraw_refused_drop(GlperfIndex *index)
{
	char	   *reason;

	if (!index->drop)
		return;
	reason = owned_by_extension(index);
	if (reason == NULL && glperf_index_has_dependents(index->oid))
		reason = "other objects depend on it";
	if (reason == NULL)
		return;
	index->reason = reason;
	index->verdict = "keep";
	index->drop = false;
}

/*
 * y may take x's place: it covers x, and is not on its way out itself.  Of two
 * that cover each other the one that has to stay wins, then the older one.
 */
static GlperfCover
may_replace(const GlperfIndex *x, const GlperfIndex *y,
			const GlperfUsageLimits *limits)
{
	GlperfCover cover = glperf_index_covers(x, y);

	if (cover == GLPERF_COVER_NONE)
		return cover;
	if (is_droppable_as_unused(y, limits) &&
		!is_droppable_as_unused(x, limits))
		return GLPERF_COVER_NONE;
	if (glperf_index_covers(y, x) != GLPERF_COVER_NONE &&
		y->guard == NULL && x->oid < y->oid &&
		!(is_droppable_as_unused(x, limits) &&
		  !is_droppable_as_unused(y, limits)))
		return GLPERF_COVER_NONE;
	return cover;
}

/*
 * Find, for each of n indexes of one table, the best index to take its place.
 * Only an index that stays itself may take a place; a chain ends at its last
 * link.
 */
static void
find_redundant(GlperfIndex **indexes, int n, const GlperfUsageLimits *limits)
{
	bool		changed;

	for (int i = 0; i < n; i++)
	{
		if (indexes[i]->guard != NULL)
			continue;
		for (int j = 0; j < n; j++)
		{
			GlperfCover cover = may_replace(indexes[i], indexes[j], limits);

			if (cover > indexes[i]->cover)
			{
				indexes[i]->cover = cover;
				indexes[i]->covered_by = indexes[j];
			}
		}
	}

	/* point at survivors; what has none is not redundant after all */
	do
	{
		changed = false;
		for (int i = 0; i < n; i++)
		{
			GlperfIndex *x = indexes[i];
			GlperfCover best = GLPERF_COVER_NONE;

			if (x->covered_by == NULL ||
				x->covered_by->cover == GLPERF_COVER_NONE)
				continue;
			for (int j = 0; j < n; j++)
			{
				GlperfCover cover;

				if (indexes[j]->cover != GLPERF_COVER_NONE)
					continue;
				cover = may_replace(x, indexes[j], limits);
				if (cover > best)
				{
					best = cover;
					x->covered_by = indexes[j];
				}
			}
			x->cover = best;
			if (best == GLPERF_COVER_NONE)
				x->covered_by = NULL;
			changed = true;
		}
	} while (changed);
}

/*
 * Why a redundant index is no burden but a help, as long as it is not known to
 * be idle; NULL if it is just redundant.
 */
static char *
worth_keeping(const GlperfIndex *index, const GlperfUsageLimits *limits)
{
	const GlperfIndex *other = index->covered_by;

	if (is_known_idle(index, limits))
		return NULL;
	if (index->cover != GLPERF_COVER_EXACT && limits->prefix_ratio > 0 &&
		other->bytes > limits->prefix_ratio * index->bytes)
		return psprintf("it is %.1f times as large, so keeping both may be right",
						other->bytes / (double) Max(index->bytes, 1));
	if (index->tablespace != other->tablespace)
		return "it is in another tablespace, so keeping both may be right";
	return NULL;
}

/* Verdict of an index that another one covers. */
static void
judge_redundant(GlperfIndex *index, const GlperfUsageLimits *limits)
{
	GlperfIndex *other = index->covered_by;
	const char *name = quote_identifier(other->index_name);
	char	   *keep = worth_keeping(index, limits);
	char	   *numbers;

	numbers = psprintf("%lld against %lld scans, %s against %s",
					   (long long) all_scans(index), (long long) all_scans(other),
					   text_to_cstring(DatumGetTextPP(DirectFunctionCall1(pg_size_pretty,
																		  Int64GetDatum(index->bytes)))),
					   text_to_cstring(DatumGetTextPP(DirectFunctionCall1(pg_size_pretty,
																		  Int64GetDatum(other->bytes)))));
	switch (index->cover)
	{
		case GLPERF_COVER_EXACT:
			index->verdict = "duplicate";
			index->reason = psprintf("%s has the same keys (%s)",
									 name, numbers);
			break;
		case GLPERF_COVER_WIDER:
			index->verdict = "covered";
			index->reason = psprintf("%s has the same keys and holds all that this one holds (%s)",
									 name, numbers);
			break;
		default:
			index->verdict = "prefix";
			index->reason = psprintf("%s begins with the same keys (%s)",
									 name, numbers);
			break;
	}
	index->drop = keep == NULL;
	if (keep != NULL)
		index->reason = psprintf("%s; %s", index->reason, keep);
	else if (other->root != NULL)
		other->root->covers_other = true;
	else
		other->covers_other = true;
}

/* Verdict of an index that queries cannot use. */
static void
judge_invalid(GlperfIndex *index)
{
	if (index->building)
	{
		index->verdict = "keep";
		index->reason = "is being built";
	}
	else if (index->guard != NULL)
	{
		index->verdict = "keep";
		index->reason = psprintf("not valid, but %s", index->guard);
	}
	else if (index->partitioned)
	{
		index->verdict = "keep";
		index->reason = "some partitions do not have their index yet: create it there and ALTER INDEX ... ATTACH PARTITION";
	}
	else
	{
		index->verdict = "invalid";
		index->reason = "left behind by a failed build: no query can use it, and every write maintains it";
		index->drop = true;
	}
}

/* How often, for reading. */
static char *
times_text(int64 scans)
{
	return scans == 1 ? "once" : psprintf("%lld times", (long long) scans);
}

/* Reason of an index that something scans, here or elsewhere. */
static char *
used_reason(const GlperfIndex *index, double evidence)
{
	const GlperfReplicaUse *replicas = &index->replicas;
	char	   *reason;

	if (index->scans == 0)
		return psprintf("not scanned here, but %s on standby \"%s\"%s",
						times_text(replicas->scans), replicas->user,
						replicas->reports > 1 ? " and others" : "");
	reason = psprintf("scanned %s in %s", times_text(index->scans),
					  span_text(evidence));

	/* EXPLAIN alone makes the planner look up a column's extremes */
	if (!index->unique && replicas->scans == 0 &&
		index->tuples_read <= index->scans)
		return psprintf("%s, for at most one entry each time (the planner's own probes look like that)",
						reason);
	if (replicas->scans > 0)
		return psprintf("%s, and %s on standbys", reason,
						times_text(replicas->scans));
	return reason;
}

/*
 * An index in use whose every key finds much of the table.  Nothing is offered
 * for dropping: what uses it would have to be looked at first.
 */
static void
judge_selectivity(GlperfIndex *index, const GlperfUsageLimits *limits)
{
	double		share;

	if (index->guard != NULL)
		return;
	share = glperf_index_key_share(index, limits->key_share_rows);
	if (isnan(share) || share <= limits->key_share_pct)
		return;
	index->verdict = "unselective";
	index->reason = psprintf("%s; but whatever is looked for, it finds at least %.0f %% of the table: reading that alone is as fast",
							 index->reason, share);
}

/* Verdict of a valid index that nothing covers. */
static void
judge_by_use(GlperfIndex *index, GlperfIndex **siblings, int n, List *fks,
			 const GlperfUsageLimits *limits)
{
	double		evidence = evidence_seconds(index, limits);
	bool		idle = is_idle(index, limits);
	const GlperfForeignKey *fk;
	char	   *extension;

	if (all_scans(index) > 0 && !idle)
	{
		index->verdict = "used";
		index->reason = used_reason(index, evidence);
		if (glperf_index_needed_by(index, siblings, n, fks) == NULL)
			judge_selectivity(index, limits);
		return;
	}
	index->verdict = "keep";
	if (index->guard != NULL)
		index->reason = index->guard;
	else if (index->unique)
		index->reason = "keeps its columns unique";
	else if (index->has_expression)
		index->reason = "its expression has statistics that the planner uses even without scanning it";
	else if ((fk = glperf_index_needed_by(index, siblings, n, fks)) != NULL ||
			 (index->partitioned &&
			  (fk = glperf_index_part_needed_by(index, limits->all, limits->n,
												limits->fks)) != NULL))
		index->reason = psprintf("foreign key %s needs it when referenced rows are deleted or updated",
								 quote_identifier(fk->name));
	else if ((extension = owned_by_extension(index)) != NULL)
		index->reason = extension;
	else if (index->replicas.missing != NULL)
	{
		index->verdict = "unknown";
		index->reason = psprintf("not scanned here, but standby %s has not told what it scans",
								 index->replicas.missing);
	}
	else if (!idle && evidence_since(index, limits) == 0)
	{
		index->verdict = "unknown";
		index->reason = "not scanned, but since when scans are counted is not known";
	}
	else if (!idle)
	{
		index->verdict = "unknown";
		index->reason = psprintf("not scanned, but the counters reach back only %s of the %s asked for",
								 span_text(evidence),
								 span_text(limits->min_evidence_s));
	}
	else
	{
		index->verdict = "unused";
		index->reason = psprintf("not scanned for %s%s",
								 span_text(idle_seconds(index, limits)),
								 index->replicas.reports > 0 ?
								 ", neither here nor on a standby" : "");
		index->drop = !index->covers_other;
		if (index->covers_other)
			index->reason = psprintf("%s; another index is to be dropped in its favour first",
									 index->reason);
	}
}

/* Judge those of the n indexes of one table that others make superfluous. */
static void
judge_by_others(GlperfIndex **indexes, int n, const GlperfUsageLimits *limits)
{
	find_redundant(indexes, n, limits);
	for (int i = 0; i < n; i++)
	{
		if (!indexes[i]->valid)
			judge_invalid(indexes[i]);
		else if (indexes[i]->covered_by != NULL)
			judge_redundant(indexes[i], limits);
		withdraw_refused_drop(indexes[i]);
	}
}

/* Judge the others. */
static void
judge_rest(GlperfIndex **indexes, int n, List *fks,
		   const GlperfUsageLimits *limits)
{
	for (int i = 0; i < n; i++)
	{
		if (indexes[i]->verdict != NULL)
			continue;
		judge_by_use(indexes[i], indexes, n, fks, limits);
		withdraw_refused_drop(indexes[i]);
	}
}

/* Referencing table of the foreign key in a list's cell. */
static Oid
fk_table(const ListCell *cell)
{
	return ((const GlperfForeignKey *) lfirst(cell))->table;
}

/* The end of the indexes of one table, which begin at first. */
static int
end_of_table(GlperfIndex **all, int n, int first)
{
	int			end = first + 1;

	while (end < n && all[end]->table == all[first]->table)
		end++;
	return end;
}

/*
 * Judge all indexes, table by table.  What a redundant one relies on may be
 * part of an index of another table, so those come first everywhere.
 */
static void
judge_all(List *indexes, GlperfUsageLimits *limits)
{
	int			n = list_length(indexes);
	GlperfIndex **all = palloc(Max(n, 1) * sizeof(GlperfIndex *));
	List	   *fks = glperf_foreign_key_list();
	ListCell   *fk = list_head(fks);
	int			i = 0;
	int			end;
	ListCell   *lc;

	/* both lists are in the order of tables */
	foreach(lc, indexes)
		all[i++] = lfirst(lc);
	limits->all = all;
	limits->n = n;
	limits->fks = fks;
	for (int first = 0; first < n; first = end)
	{
		end = end_of_table(all, n, first);
		judge_by_others(all + first, end - first, limits);
		CHECK_FOR_INTERRUPTS();
	}
	for (int first = 0; first < n; first = end)
	{
		Oid			table = all[first]->table;
		List	   *own = NIL;

		end = end_of_table(all, n, first);
		for (; fk != NULL && fk_table(fk) <= table; fk = lnext(fks, fk))
		{
			if (fk_table(fk) == table)
				own = lappend(own, lfirst(fk));
		}
		judge_rest(all + first, end - first, own, limits);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Emit the row of one index. */
static void
store_index(ReturnSetInfo *rsinfo, GlperfIndex *index,
			const GlperfUsageLimits *limits)
{
	TimestampTz since = evidence_since(index, limits);
	TimestampTz last_scan = Max(index->last_scan, index->replicas.last_scan);
	Datum		values[20];
	bool		nulls[20] = {0};
	char	   *undo = NULL;

	if (index->drop && limits->in_recovery)
	{
		index->drop = false;
		index->reason = psprintf("%s (on this standby; indexes are dropped on the primary)",
								 index->reason);
	}
	if (index->drop && limits->with_undo)
	{
		undo = glperf_index_undo(index->oid);
		if (undo == NULL)
			index->reason = psprintf("%s; its table is locked just now, so the statement that would bring it back is not shown",
									 index->reason);
	}
	values[0] = CStringGetTextDatum(index->schema_name);
	values[1] = CStringGetTextDatum(index->table_name);
	values[2] = CStringGetTextDatum(index->index_name);
	values[3] = Int64GetDatum(index->bytes);
	values[4] = Int64GetDatum(index->scans);
	values[5] = Int64GetDatum(index->tuples_read);
	values[6] = TimestampTzGetDatum(since);
	nulls[6] = since == 0;
	values[7] = Float8GetDatum(evidence_seconds(index, limits));
	nulls[7] = since == 0;
	values[8] = BoolGetDatum(index->unique);
	values[9] = BoolGetDatum(index->guard != NULL &&
							 OidIsValid(get_index_constraint(index->oid)));
	values[10] = BoolGetDatum(index->valid);
	values[11] = CStringGetTextDatum(index->verdict);
	values[12] = CStringGetTextDatum(index->reason);
	nulls[13] = index->covered_by == NULL;
	if (!nulls[13])
		values[13] = CStringGetTextDatum(index->covered_by->index_name);
	nulls[14] = !index->drop;
	if (index->drop)
		values[14] = CStringGetTextDatum(
										 psprintf("DROP INDEX %s%s",
												  index->partitioned ? "" : "CONCURRENTLY ",
												  quote_qualified_identifier(index->schema_name,
																			 index->index_name)));
	nulls[15] = undo == NULL;
	if (undo != NULL)
		values[15] = CStringGetTextDatum(undo);
	values[16] = TimestampTzGetDatum(last_scan);
	nulls[16] = last_scan == 0;
	values[17] = Int64GetDatum(index->replicas.scans);
	nulls[17] = index->replicas.reports == 0;
	nulls[18] = index->replicas.missing == NULL;
	if (!nulls[18])
		values[18] = CStringGetTextDatum(index->replicas.missing);
	nulls[19] = index->blocks_fetched == 0;
	values[19] = Float8GetDatum(nulls[19] ? 0 : index->blocks_hit /
								(double) index->blocks_fetched);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * glperf.index_report(evidence_since_at, min_evidence_s, prefix_ratio,
 * standbys, report_age_s, with_undo, key_share_pct, key_share_rows): one row
 * per index; columns as in glperf.index_usage.
 */
Datum
glperf_index_usage(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfUsageLimits limits;
	GlperfReplicas *replicas;
	List	   *indexes;
	ListCell   *lc;

	limits.now = GetCurrentTimestamp();
	limits.since = PG_ARGISNULL(0) ? 0 : PG_GETARG_TIMESTAMPTZ(0);
	limits.min_evidence_s = PG_ARGISNULL(1) ? get_float8_infinity() :
		PG_GETARG_FLOAT8(1);
	limits.prefix_ratio = PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2);
	limits.in_recovery = RecoveryInProgress();
	limits.with_undo = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	limits.key_share_pct = PG_ARGISNULL(6) ? get_float8_infinity() :
		PG_GETARG_FLOAT8(6);
	limits.key_share_rows = PG_ARGISNULL(7) ? 0 : PG_GETARG_FLOAT8(7);

	InitMaterializedSRF(fcinfo, 0);
	indexes = glperf_index_list(true);
	glperf_index_find_builds(indexes);
	glperf_index_find_disturbed(indexes);
	replicas = glperf_replicas_read(PG_ARGISNULL(3) ? NULL :
									PG_GETARG_ARRAYTYPE_P(3),
									PG_ARGISNULL(4) ? get_float8_infinity() :
									PG_GETARG_FLOAT8(4));
	foreach(lc, indexes)
	{
		GlperfIndex *index = lfirst(lc);

		index->replicas = glperf_replicas_use(replicas, index);
	}
	indexes = glperf_index_with_supposed(indexes);
	judge_all(indexes, &limits);
	foreach(lc, indexes)
	{
		if (!OidIsValid(((GlperfIndex *) lfirst(lc))->oid))
			continue;
		store_index(rsinfo, lfirst(lc), &limits);
		CHECK_FOR_INTERRUPTS();
	}
	return (Datum) 0;
}

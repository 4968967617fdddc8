/*
 * write_cost.c
 *		What an index costs whenever its table is written.
 *
 * Every inserted row and every new version of a row needs an entry.  An
 * update that changes no indexed column may be HOT and then needs none; an
 * index over an updated column, be it key, INCLUDE or predicate, ends that for
 * every index of the table.  Deleted rows cost vacuum a pass over the entry.
 */
#include "write_cost.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "access/sysattr.h"
#include "parser/parsetree.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/relcache.h"

/*
 * Milliseconds of one entry: the descent and the insertion with its WAL
 * record, and later vacuum's removal.  Cached pages are assumed.
 */
#define ENTRY_MS			0.004
#define ENTRY_LEVEL_MS		0.0015
#define VACUUM_ENTRY_MS		0.001
/* WAL of one entry besides the entry itself: record and block headers */
#define ENTRY_WAL_OVERHEAD	60.0

List *
glperf_write_note(List *writes, Query *query, double rows_per_day,
				  MemoryContext context)
{
	MemoryContext old;
	GlperfWrite *write;
	ListCell   *lc;

	if (query->resultRelation == 0 || rows_per_day <= 0 ||
		(query->commandType != CMD_INSERT &&
		 query->commandType != CMD_UPDATE &&
		 query->commandType != CMD_DELETE))
		return writes;
	old = MemoryContextSwitchTo(context);
	write = palloc0(sizeof(GlperfWrite));
	write->relid = rt_fetch(query->resultRelation, query->rtable)->relid;
	write->kind = query->commandType;
	write->rows_per_day = rows_per_day;
	if (write->kind == CMD_UPDATE)
		foreach(lc, query->targetList)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);

		if (!tle->resjunk)
			write->columns = bms_add_member(write->columns, tle->resno);
	}
	writes = lappend(writes, write);
	MemoryContextSwitchTo(old);
	return writes;
}

/* Columns whose change the index has to follow, as attnums. */
static Bitmapset *
indexed_columns(const GlperfIndexDef *def)
{
	Bitmapset  *offsets = NULL;
	Bitmapset  *columns = NULL;
	int			i = -1;

	pull_varattnos((Node *) def->exprs, 1, &offsets);
	pull_varattnos((Node *) def->pred, 1, &offsets);
	while ((i = bms_next_member(offsets, i)) >= 0)
		if (i + FirstLowInvalidHeapAttributeNumber > 0)
			columns = bms_add_member(columns,
									 i + FirstLowInvalidHeapAttributeNumber);
	for (int c = 0; c < def->ncolumns; c++)
		if (def->attnum[c] > 0)
			columns = bms_add_member(columns, def->attnum[c]);
	return columns;
}

/* Share of the table's updates that were HOT so far; 0 when unknown. */
static double
hot_share(Oid relid)
{
	int64		updated = DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_updated,
															ObjectIdGetDatum(relid)));
	int64		hot = DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_hot_updated,
														ObjectIdGetDatum(relid)));

	return updated > 0 ? Min(1.0, (double) hot / (double) updated) : 0;
}

/* Number of indexes that the table has already. */
static int
existing_indexes(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	int			n = list_length(RelationGetIndexList(rel));

	relation_close(rel, NoLock);
	return n;
}

/*
 * Entries that one row makes.  GIN makes one of every key inside its value;
 * 30,000 inserts took 1 to 2 times as long per key as a B-tree entry takes,
 * the clean-up of its pending list included.  BRIN only follows a range's
 * first rows and those beyond its bounds: no difference could be measured.
 */
static double
entries_per_row(const GlperfIndexDef *def)
{
	if (def->amoid == GIN_AM_OID)
		return Max(1.0, def->keys_per_row);
	if (def->amoid == BRIN_AM_OID)
		return 0.01;
	return 1;
}

/* Does an update of its columns leave updates HOT? */
static bool
keeps_hot(const GlperfIndexDef *def)
{
	return GLPERF_BRIN_KEEPS_HOT && def->amoid == BRIN_AM_OID &&
		def->pred == NIL;
}

GlperfWriteCost
glperf_write_cost(const GlperfIndexDef *def, List *writes)
{
	GlperfWriteCost cost = {0};
	Bitmapset  *columns = indexed_columns(def);
	double		share = def->rows > 0 ? def->tuples / def->rows : 1.0;
	double		per_row = entries_per_row(def);
	double		hot = hot_share(def->relid);
	int			others = existing_indexes(def->relid);
	double		removed = 0;
	ListCell   *lc;

	foreach(lc, writes)
	{
		GlperfWrite *write = lfirst(lc);
		double		entries = 0;

		if (write->relid != def->relid)
			continue;
		if (write->kind == CMD_INSERT)
			entries = write->rows_per_day * share * per_row;
		else if (write->kind == CMD_DELETE)
			removed += write->rows_per_day * share * per_row;
		else if (!keeps_hot(def) && bms_overlap(columns, write->columns))
		{
			/* its own entries, and those that all others now need too */
			entries = write->rows_per_day *
				Max(share, def->pred ? Min(1.0, 2 * share) : 1.0) * per_row +
				write->rows_per_day * hot * others;
			cost.hot_lost += write->rows_per_day * hot;
		}
		else
			entries = write->rows_per_day * (1 - hot) * share * per_row;
		if (entries > 0)
			cost.statements++;
		cost.entries += entries;
		removed += write->kind == CMD_UPDATE ? entries : 0;
	}
	cost.ms = cost.entries * (ENTRY_MS + ENTRY_LEVEL_MS * Max(0, def->height)) +
		removed * VACUUM_ENTRY_MS;
	cost.wal_bytes = cost.entries * (def->entry_bytes + ENTRY_WAL_OVERHEAD);
	return cost;
}

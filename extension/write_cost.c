/*
 * write_cost.c
 *		What an index costs whenever its table is written.
 *
 * Every inserted row and every new version of a row needs an entry.  An
 * update that changes no indexed column may be HOT and then needs none; an
 * index over an updated column, be it key, INCLUDE, expression or predicate,
 * ends that for every index of the table.  Deleted rows cost nothing at once,
 * but vacuum reads the whole index each time, and removes the entries.
 *
 * The times are measured by bench/advisor/write.pl, with pages in memory.
 */
#include "write_cost.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/xlog.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "postmaster/bgwriter.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "table_writes.h"

/*
 * Milliseconds of one entry: forming and inserting it with its WAL record, and
 * descending by level.  One that may go anywhere needs more, the more pages
 * there are to miss in the processor's caches; so do keys that compare slowly.
 */
#define ENTRY_MS			0.00055
#define LEVEL_MS			0.00015
#define SPREAD_MS			0.00055 /* by doubling of the pages ... */
#define SPREAD_FROM			5.5 /* ... from so many doublings on */
#define SPREAD_MOST			20.0
#define OTHERS_SHARE		0.1 /* a page of another index, as one of its */
#define SLOW_KEY_MS			0.0010
#define EXPRESSION_MS		0.0003
/* of a row that a partial index leaves out: its condition is still evaluated */
#define CONDITION_MS		0.0002
#define GIN_KEY_MS			0.0020
/* image of a page that is the first to be changed after a checkpoint */
#define IMAGE_MS			0.0030
/* an update that stops being HOT, besides the entries of all indexes */
#define HOT_LOST_MS			0.0020
/* the same key for a new version: full pages are searched for dead ones */
#define UNCHANGED_MS		0.0009	/* by doubling of the pages ... */
#define UNCHANGED_FROM		8.0 /* ... from so many doublings on */
/* vacuum: one entry removed, one page read */
#define VACUUM_ENTRY_MS		0.0003
#define VACUUM_PAGE_MS		0.0015
/* the statement around it: for comparing with what was measured */
#define CALL_MS				0.0002
#define ROW_MS				0.0006
#define ROW_BYTE_MS			0.000003

/* WAL of one entry besides the entry itself: record and block headers */
#define ENTRY_WAL			46.0
/* share of a page that is not a hole, in the images after a checkpoint */
#define IMAGE_SHARE			0.75
/* WAL of a row version that is not HOT, besides entries */
#define HOT_LOST_WAL		150.0

/* Updates that are HOT when nothing is known and nothing stands against it. */
#define USUAL_HOT			0.7

/* Limits to how much slower than the model a machine may be taken to be. */
#define FASTEST				0.5
#define SLOWER				1.25	/* by so much or less says nothing */
#define SLOWEST				3.0

/* Shortest window in which a table's counters make a rate, in seconds. */
#define MIN_WINDOW			86400.0

/* Position of leading keys in the table that counts as growing with it. */
#define APPEND_CORRELATION	0.9

/* What is known of the table of an index. */
typedef struct TableFacts
{
	GlperfTableWrites counts;
	Bitmapset  *indexed;		/* columns whose update is never HOT now */
	int			indexes;		/* that need an entry per version of a row */
	double		insert_ms;		/* of their entries for a new row, together */
	double		update_ms;		/* and for a new version */
	double		places;			/* pages of theirs that new rows go to */
	double		pages;			/* all of theirs */
	double		entry_bytes;	/* of all of them together */
	bool		triggers;		/* its statements' time is not ours to read */
} TableFacts;

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

/* Can updates of its columns be HOT all the same? */
static bool
is_summarizing(Oid amoid)
{
	return GLPERF_BRIN_KEEPS_HOT && amoid == BRIN_AM_OID;
}

/*
 * Entries that one row makes.  GIN makes one of every key inside its value;
 * BRIN only follows a range's first rows and those beyond its bounds.
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

/* -------- time of an entry -------- */

/* Does an entry go where the last one went?  New rows' keys, that is. */
static bool
appends(const GlperfIndexDef *def)
{
	HeapTuple	tup;
	AttStatsSlot slot;
	bool		result = false;

	if (def->attnum[0] <= 0)
		return false;
	tup = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(def->relid),
						  Int16GetDatum(def->attnum[0]),
						  BoolGetDatum(get_rel_relkind(def->relid) ==
									   RELKIND_PARTITIONED_TABLE));
	if (!HeapTupleIsValid(tup))
		return false;
	if (get_attstatsslot(&slot, tup, STATISTIC_KIND_CORRELATION, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		result = slot.nnumbers > 0 &&
			slot.numbers[0] > APPEND_CORRELATION;
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(tup);
	return result;
}

/* Is comparing keys of this type much more than comparing two numbers? */
static bool
compares_slowly(const GlperfIndexDef *def)
{
	for (int i = 0; i < def->nkeys; i++)
	{
		Oid			type = def->opcintype[i];

		if (OidIsValid(def->collation[i]) &&
			!glperf_collation_is_c(def->collation[i]))
			return true;
		if (type == NUMERICOID || type == JSONBOID)
			return true;
		/* a leading column of mostly different values decides alone */
		if (i == 0 && def->attnum[0] > 0 && type != BOOLOID)
			break;
	}
	return false;
}

/*
 * Milliseconds of one entry, in the place of a new row's or anywhere.  Equal
 * keys are kept in the order of their rows, so of few different ones only as
 * many places are ever in use.  others: pages in use of the table's other
 * indexes, which take their share of the caches.
 */
static double
entry_ms(const GlperfIndexDef *def, bool append, double others)
{
	double		places = Max(1.0, def->pages);
	double		ms;

	if (def->amoid == GIN_AM_OID)
		return GIN_KEY_MS;
	ms = ENTRY_MS + LEVEL_MS * Max(1, def->height) +
		EXPRESSION_MS * list_length(def->exprs);
	if (append)
		return ms;
	if (def->distinct > 0)
		places = Min(places, def->distinct);
	places += others * OTHERS_SHARE;
	ms += SPREAD_MS * Max(0.0, Min(SPREAD_MOST, log2(places)) - SPREAD_FROM);
	return ms + (compares_slowly(def) ? SLOW_KEY_MS : 0);
}

/* Different values of an index's leading column; 0 when unknown. */
static double
leading_values(const GlperfIndexDef *def, double rows)
{
	HeapTuple	tup = SearchSysCache3(STATRELATTINH,
									  ObjectIdGetDatum(def->relid),
									  Int16GetDatum(def->attnum[0]),
									  BoolGetDatum(false));
	double		values;

	if (!HeapTupleIsValid(tup))
		return 0;
	values = ((Form_pg_statistic) GETSTRUCT(tup))->stadistinct;
	ReleaseSysCache(tup);
	return values < 0 ? -values * rows : values;
}

/* -------- the table -------- */

/* Add what an existing index asks of its table's writes. */
static void
add_index(TableFacts *facts, Relation index, double rows)
{
	GlperfIndexDef *def = glperf_index_def_from_relation(index);

	if (is_summarizing(def->amoid))
		return;
	def->pages = Max(1, index->rd_rel->relpages);
	def->height = def->pages > 300 ? 2 : 1;
	/* a partitioned index has no pages of its own */
	if (index->rd_rel->relkind == RELKIND_PARTITIONED_INDEX)
		def->pages = Max(1.0, rows / 300);
	if (def->nkeys == 1)
		def->distinct = leading_values(def, rows);
	facts->indexes++;
	if (!appends(def))
		facts->places += def->distinct > 0 ?
			Min(def->distinct, def->pages) : def->pages;
	facts->insert_ms += entry_ms(def, appends(def), 0);
	facts->pages += def->pages;
	/* a new version is put beside the old one, wherever among its equals */
	def->distinct = 0;
	facts->update_ms += entry_ms(def, false, 0) + UNCHANGED_MS *
		Max(0.0, Min(SPREAD_MOST, log2(def->pages)) - UNCHANGED_FROM);
	facts->entry_bytes += 16 + 8 * def->ncolumns;
}

/* Add what the indexes of a table mean for its writes. */
static void
add_indexes(TableFacts *facts, Relation rel)
{
	ListCell   *lc;
	Bitmapset  *blocking;
	int			i = -1;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = relation_open(lfirst_oid(lc), AccessShareLock);

		add_index(facts, index, Max(1, rel->rd_rel->reltuples));
		relation_close(index, NoLock);
	}
	blocking = RelationGetIndexAttrBitmap(rel, GLPERF_HOT_BLOCKING);
	while ((i = bms_next_member(blocking, i)) >= 0)
		if (i + FirstLowInvalidHeapAttributeNumber > 0)
			facts->indexed = bms_add_member(facts->indexed, i +
											FirstLowInvalidHeapAttributeNumber);
}

/* Look at a table. */
static TableFacts
table_facts(Oid relid)
{
	TableFacts	facts = {0};
	Relation	rel = relation_open(relid, AccessShareLock);

	facts.counts = glperf_table_writes(relid);
	facts.triggers = rel->trigdesc != NULL;
	add_indexes(&facts, rel);
	relation_close(rel, NoLock);
	return facts;
}

/* -------- whose write is it -------- */

/* A write as the index's table sees it. */
typedef struct SeenWrite
{
	GlperfWrite *write;
	double		rows;			/* that reach the table of the index */
	bool		touches;		/* updates a column of the index */
	bool		never_hot;		/* updates a column of an existing one */
} SeenWrite;

/* Rows of a table by the catalog, all partitions. */
static double
catalog_rows(Oid relid)
{
	List	   *oids = find_all_inheritors(relid, NoLock, NULL);
	double		rows = 0;
	ListCell   *lc;

	foreach(lc, oids)
	{
		HeapTuple	tup = SearchSysCache1(RELOID,
										  ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tup))
			continue;
		if (RELKIND_HAS_STORAGE(((Form_pg_class) GETSTRUCT(tup))->relkind))
			rows += Max(0, ((Form_pg_class) GETSTRUCT(tup))->reltuples);
		ReleaseSysCache(tup);
	}
	return rows;
}

/* Columns of one table of a partition tree by their numbers in another. */
static Bitmapset *
map_columns(Bitmapset *columns, Oid from, Oid to)
{
	Bitmapset  *mapped = NULL;
	int			i = -1;

	if (from == to)
		return columns;
	while ((i = bms_next_member(columns, i)) >= 0)
	{
		char	   *name = get_attname(from, i, true);
		AttrNumber	attnum = name ? get_attnum(to, name) : InvalidAttrNumber;

		if (attnum > 0)
			mapped = bms_add_member(mapped, attnum);
	}
	return mapped;
}

/* Does this write concern the index, and with how many rows? */
static bool
see_write(const GlperfIndexDef *def, const TableFacts *facts,
		  GlperfWrite *write, SeenWrite *seen)
{
	Bitmapset  *columns;

	seen->write = write;
	seen->rows = write->rows_per_day;
	if (write->relid == def->relid ||
		(get_rel_relispartition(write->relid) &&
		 list_member_oid(get_partition_ancestors(write->relid), def->relid)))
		;
	else if (get_rel_relispartition(def->relid) &&
			 list_member_oid(get_partition_ancestors(def->relid),
							 write->relid))
		/* spread over the partitions as the rows are */
		seen->rows *= Min(1.0, def->rows /
						  Max(1.0, catalog_rows(write->relid)));
	else
		return false;
	columns = map_columns(write->columns, write->relid, def->relid);
	seen->touches = bms_overlap(columns, indexed_columns(def));
	seen->never_hot = bms_overlap(columns, facts->indexed);
	return true;
}

/* All writes that concern the index. */
static int
see_writes(const GlperfIndexDef *def, const TableFacts *facts, List *writes,
		   SeenWrite *seen)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, writes)
		if (see_write(def, facts, lfirst(lc), &seen[n]))
		n++;
	return n;
}

/* -------- HOT -------- */

/*
 * Share of those updates that are HOT which change no column of an existing
 * index: the table's share among all updates, which have others, too.
 */
static double
hot_share(const TableFacts *facts, const SeenWrite *seen, int n)
{
	double		updates = 0;
	double		eligible = 0;

	for (int i = 0; i < n; i++)
		if (seen[i].write->kind == CMD_UPDATE)
		{
			updates += seen[i].rows;
			if (!seen[i].never_hot)
				eligible += seen[i].rows;
		}
	if (facts->counts.updated < 1)
		return USUAL_HOT;
	if (eligible <= 0)
		return 0;
	return Min(1.0, facts->counts.hot / facts->counts.updated *
			   updates / eligible);
}

/*
 * How much slower than the model's this server writes: the measured time of
 * statements that insert, against what the model makes of them.  1 when none
 * was measured.
 */
static double
machine_factor(const GlperfIndexDef *def, const TableFacts *facts,
			   const SeenWrite *seen, int n)
{
	double		measured = 0;
	double		modelled = 0;
	double		width = def->heap_pages * BLCKSZ / Max(1.0, def->rows);

	if (facts->triggers)
		return 1;
	for (int i = 0; i < n; i++)
	{
		GlperfWrite *write = seen[i].write;

		if (write->kind != CMD_INSERT || write->ms_per_day <= 0 ||
			write->calls_per_day <= 0)
			continue;
		measured += write->ms_per_day;
		modelled += CALL_MS * write->calls_per_day + write->rows_per_day *
			(ROW_MS + ROW_BYTE_MS * width + facts->insert_ms);
	}
	if (modelled <= 0)
		return 1;
	modelled = measured / modelled;
	/* the values that it computes and the call take their share, too */
	if (modelled > SLOWER)
		return Min(SLOWEST, modelled / SLOWER);
	return Max(FASTEST, Min(1.0, modelled * SLOWER));
}

/* -------- WAL -------- */

/*
 * Images a day of pages that are the first to be changed after a checkpoint,
 * of an index of so many pages that gets so many entries a day anywhere.
 */
static double
page_images(double pages, double entries)
{
	double		checkpoints = 86400.0 / Max(30, CheckPointTimeout);

	if (!fullPageWrites)
		return 0;
	pages = Max(1.0, pages);
	return checkpoints * pages * (1 - exp(-entries / checkpoints / pages));
}

/* -------- what no statement explains -------- */

/* Rows a day of one kind that the counters have beyond the statements. */
static double
beyond(double counted, double window, CmdType kind, const SeenWrite *seen,
	   int n)
{
	double		rows = counted / window * 86400.0;

	for (int i = 0; i < n; i++)
		if (seen[i].write->kind == kind)
			rows -= seen[i].rows;
	/* both are rates over different windows: a tenth is noise */
	return rows > 0.1 * counted / window * 86400.0 ? rows : 0;
}

/* -------- all of it -------- */

/* Sums over all writes. */
typedef struct Upkeep
{
	double		inserted;		/* entries for new rows */
	double		updated;		/* entries for new versions */
	double		left_out;		/* rows that a predicate leaves out */
	double		removed;		/* entries for vacuum */
	double		dead;			/* row versions for vacuum */
} Upkeep;

/* Add an update; rows of it. */
static void
add_update(const GlperfIndexDef *def, const TableFacts *facts,
		   const SeenWrite *seen, double rows, double hot, double share,
		   Upkeep *upkeep, GlperfWriteCost *cost)
{
	double		entries;

	if (seen && seen->never_hot)
		hot = 0;
	upkeep->dead += rows * (1 - hot);
	if (seen && seen->touches &&
		!(is_summarizing(def->amoid) && def->pred == NIL))
	{
		/* rows may move into the index or out of it */
		entries = rows * (def->pred ? Min(1.0, 2 * share) : share);
		upkeep->dead += rows * hot;
		cost->hot_lost += rows * hot;
		upkeep->left_out += Max(0.0, rows - entries);
	}
	else
	{
		entries = rows * (1 - hot) * share;
		upkeep->left_out += rows * (1 - hot) * (1 - share);
	}
	upkeep->updated += entries;
	upkeep->removed += entries;
	if (entries > 0)
		cost->statements++;
}

/* Add one write of the workload. */
static void
add_seen(const GlperfIndexDef *def, const TableFacts *facts,
		 const SeenWrite *seen, double hot, double share, Upkeep *upkeep,
		 GlperfWriteCost *cost)
{
	if (seen->write->kind == CMD_INSERT)
	{
		upkeep->inserted += seen->rows * share;
		upkeep->left_out += seen->rows * (1 - share);
		if (seen->rows * share > 0)
			cost->statements++;
	}
	else if (seen->write->kind == CMD_DELETE)
	{
		upkeep->removed += seen->rows * share;
		upkeep->dead += seen->rows;
	}
	else
		add_update(def, facts, seen, seen->rows, hot, share, upkeep, cost);
}

/* Add what the table's counters have beyond the statements. */
static void
add_unexplained(const GlperfIndexDef *def, const TableFacts *facts,
				const SeenWrite *seen, int n, double hot, double share,
				Upkeep *upkeep, GlperfWriteCost *cost)
{
	double		window = glperf_counters_window();
	double		rows;

	if (window < MIN_WINDOW)
		return;
	rows = beyond(facts->counts.inserted, window, CMD_INSERT, seen, n);
	upkeep->inserted += rows * share;
	upkeep->left_out += rows * (1 - share);
	cost->unexplained += rows;
	rows = beyond(facts->counts.updated, window, CMD_UPDATE, seen, n);
	/* of columns that are not known */
	add_update(def, facts, NULL, rows, hot, share, upkeep, cost);
	cost->unexplained += rows;
	rows = beyond(facts->counts.deleted, window, CMD_DELETE, seen, n);
	upkeep->removed += rows * share;
	upkeep->dead += rows;
	cost->unexplained += rows;
}

GlperfWriteCost
glperf_write_cost(const GlperfIndexDef *def, List *writes, bool recorded)
{
	GlperfWriteCost cost = {0};
	Upkeep		upkeep = {0};
	TableFacts	facts = table_facts(def->relid);
	SeenWrite  *seen = palloc(sizeof(SeenWrite) * (list_length(writes) + 1));
	int			n = see_writes(def, &facts, writes, seen);
	double		share = def->rows > 0 ? Min(1.0, def->tuples / def->rows) : 1;
	double		hot = hot_share(&facts, seen, n);
	bool		append = appends(def);
	double		others;			/* entries of existing indexes */
	double		images;

	for (int i = 0; i < n; i++)
		add_seen(def, &facts, &seen[i], hot, share, &upkeep, &cost);
	if (recorded)
		add_unexplained(def, &facts, seen, n, hot, share, &upkeep, &cost);
	upkeep.inserted *= entries_per_row(def);
	upkeep.updated *= entries_per_row(def);
	upkeep.removed *= entries_per_row(def);
	others = cost.hot_lost * facts.indexes;
	cost.entries = upkeep.inserted + upkeep.updated + others;
	images = page_images(def->pages,
						 upkeep.updated + (append ? 0 : upkeep.inserted)) +
		page_images(def->heap_pages / 10 * facts.indexes, others);
	cost.ms = upkeep.inserted * entry_ms(def, append, facts.places) +
		upkeep.updated * entry_ms(def, false, facts.places) +
		upkeep.left_out * CONDITION_MS + images * IMAGE_MS +
		cost.hot_lost * (HOT_LOST_MS + facts.update_ms) +
		(upkeep.removed + others) * VACUUM_ENTRY_MS +
	/* autovacuum's defaults */
		(upkeep.dead * def->pages + cost.hot_lost * facts.pages) /
		(50 + 0.2 * def->rows) * VACUUM_PAGE_MS;
	cost.ms *= machine_factor(def, &facts, seen, n);
	cost.wal_bytes = (upkeep.inserted + upkeep.updated) *
		(def->entry_bytes + ENTRY_WAL) +
		cost.hot_lost * (facts.entry_bytes + facts.indexes * ENTRY_WAL +
						 HOT_LOST_WAL) +
		images * BLCKSZ * IMAGE_SHARE;
	return cost;
}

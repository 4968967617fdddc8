/*
 * index_sample.c
 *		Rows of a table, sampled to find out how big an index on it would be.
 *
 * Read are chunks of blocks, the first of a van der Corput sequence
 * with scrambled digits: whatever their number, they lie about equally far
 * apart, they are the same ones every time, and more of them contain the fewer.
 *
 * Rows are kept as they are stored; nothing is fetched from TOAST tables.
 * What row_sample.c does is less: see there why there are two.
 *
 * Locking: ACCESS SHARE, taken conditionally; its end is the sandbox's.
 */
#include "index_sample.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "guc.h"

/* Rows that are enough to begin with, and the fewest and most blocks. */
#define FIRST_ROWS		30000
#define FIRST_MIN		300
#define FIRST_MAX		600

/* Blocks of a chunk. */
#define CHUNK			1

/* Longer stretches that are read when it matters whether rows are alike. */
#define RUNS			12

/* Chunks whose reading is under way at the same time. */
#define PREFETCH		16

/* A table with storage: the sampled one, or one of its partitions. */
typedef struct SampleLeaf
{
	Oid			relid;
	BlockNumber blocks;
	uint32		first_chunk;	/* among those of all leaves */
	AttrNumber *map;			/* column of each of the table's, or NULL */
} SampleLeaf;

/* Where rows of one leaf are read to. */
typedef struct LeafReader
{
	GlperfTableSample *sample;
	SampleLeaf *leaf;
	int			number;			/* of the leaf */
	Relation	rel;
	TableScanDesc scan;
	TupleTableSlot *slot;
	Datum	   *values;
	bool	   *nulls;
} LeafReader;

GlperfTableSamples *
glperf_samples_create(MemoryContext context)
{
	GlperfTableSamples *samples = MemoryContextAllocZero(context,
														 sizeof(GlperfTableSamples));

	samples->context = context;
	return samples;
}

void
glperf_samples_forget(GlperfTableSamples *samples)
{
	if (samples->current)
		MemoryContextDelete(samples->current->context);
	samples->current = NULL;
}

/* -------- what may be read -------- */

/* Why the current role's sample of a table would not be all of it, or NULL. */
static const char *
refusal(Oid relid)
{
	if (glperf_size_sample_pages == 0)
		return "glperf.size_sample_pages is 0";
	if (IsolationIsSerializable())
		return "the transaction is serializable, and reading rows would count as its own";
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return "the table's rows may not be read by the role";
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return "row security hides rows of the table";
	return NULL;
}

/* Open a table if nobody stands in the way and it has readable rows. */
static Relation
open_readable(Oid relid)
{
	Relation	rel;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return NULL;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return NULL;
	if ((rel->rd_rel->relkind != RELKIND_RELATION &&
		 rel->rd_rel->relkind != RELKIND_MATVIEW) ||
		RELATION_IS_OTHER_TEMP(rel) ||
		(RecoveryInProgress() &&
		 rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT) ||
		(rel->rd_rel->relkind == RELKIND_MATVIEW &&
		 !RelationIsPopulated(rel)))
	{
		relation_close(rel, NoLock);
		return NULL;
	}
	return rel;
}

/* Which of a partition's columns is which of the table's; NULL: the same. */
static AttrNumber *
column_map(TupleDesc parent, Relation rel)
{
	AttrNumber *map = palloc0(sizeof(AttrNumber) * parent->natts);
	TupleDesc	desc = RelationGetDescr(rel);
	bool		same = parent->natts == desc->natts;

	for (int i = 0; i < parent->natts; i++)
	{
		if (TupleDescAttr(parent, i)->attisdropped)
			continue;
		map[i] = get_attnum(RelationGetRelid(rel),
							NameStr(TupleDescAttr(parent, i)->attname));
		if (map[i] != i + 1)
			same = false;
	}
	if (!same)
		return map;
	pfree(map);
	return NULL;
}

/* List the parts of a table that have rows. */
static void
list_leaves(GlperfTableSample *sample, List *oids)
{
	ListCell   *lc;

	foreach(lc, oids)
	{
		Oid			relid = lfirst_oid(lc);
		Relation	rel = open_readable(relid);
		SampleLeaf *leaf;

		if (rel == NULL)
			continue;
		leaf = palloc0(sizeof(SampleLeaf));
		leaf->relid = relid;
		leaf->blocks = RelationGetNumberOfBlocks(rel);
		leaf->first_chunk = (uint32) sample->chunks;
		if (relid != sample->relid)
			leaf->map = column_map(sample->desc, rel);
		sample->leaves = lappend(sample->leaves, leaf);
		sample->blocks += leaf->blocks;
		sample->chunks += (leaf->blocks + CHUNK - 1) / CHUNK;
		relation_close(rel, NoLock);
	}
}

/* -------- reading -------- */

/* Make room for the first rows. */
static void
reserve_rows(GlperfTableSample *sample)
{
	sample->allocated = 1024;
	sample->tuples = palloc(sizeof(HeapTuple) * sample->allocated);
	sample->chunk = palloc(sizeof(uint32) * sample->allocated);
	sample->block = palloc(sizeof(uint32) * sample->allocated);
	sample->leaf = palloc(sizeof(uint32) * sample->allocated);
}

/* Make room for another row. */
static void
reserve_row(GlperfTableSample *sample)
{
	ListCell   *lc;
	int			n;

	if (sample->nrows < sample->allocated)
		return;
	n = sample->allocated * 2;
	sample->tuples = repalloc(sample->tuples, sizeof(HeapTuple) * n);
	sample->chunk = repalloc(sample->chunk, sizeof(uint32) * n);
	sample->block = repalloc(sample->block, sizeof(uint32) * n);
	sample->leaf = repalloc(sample->leaf, sizeof(uint32) * n);
	foreach(lc, sample->columns)
	{
		GlperfCells *cells = lfirst(lc);

		cells->cell = repalloc(cells->cell, sizeof(GlperfCell) * n);
	}
	foreach(lc, sample->matches)
	{
		GlperfMatches *matches = lfirst(lc);

		matches->match = repalloc(matches->match, sizeof(bool) * n);
	}
	sample->allocated = n;
}

/* The row in the slot, in the columns of the sampled table. */
static HeapTuple
copy_row(LeafReader *reader)
{
	TupleDesc	desc = reader->sample->desc;
	HeapTuple	tuple;

	if (reader->leaf->map == NULL)
		return ExecCopySlotHeapTuple(reader->slot);
	slot_getallattrs(reader->slot);
	for (int i = 0; i < desc->natts; i++)
	{
		AttrNumber	from = reader->leaf->map[i];

		reader->nulls[i] = from <= 0 || reader->slot->tts_isnull[from - 1];
		reader->values[i] = from <= 0 ? (Datum) 0 :
			reader->slot->tts_values[from - 1];
	}
	tuple = heap_form_tuple(desc, reader->values, reader->nulls);
	tuple->t_self = reader->slot->tts_tid;
	return tuple;
}

/* Read the rows of one chunk. */
static void
read_chunk(LeafReader *reader, uint32 chunk)
{
	GlperfTableSample *sample = reader->sample;
	BlockNumber first = (chunk - reader->leaf->first_chunk) * CHUNK;
	BlockNumber last = Min(first + CHUNK, reader->leaf->blocks) - 1;
	ItemPointerData low;
	ItemPointerData high;

	CHECK_FOR_INTERRUPTS();
	ItemPointerSet(&low, first, FirstOffsetNumber);
	ItemPointerSet(&high, last, MaxOffsetNumber);
	if (reader->scan == NULL)
		reader->scan = glperf_beginscan_tidrange(reader->rel,
												 GetActiveSnapshot(),
												 &low, &high);
	else
		table_rescan_tidrange(reader->scan, &low, &high);
	while (table_scan_getnextslot_tidrange(reader->scan, ForwardScanDirection,
										   reader->slot))
	{
		BlockNumber block = ItemPointerGetBlockNumber(&reader->slot->tts_tid);
		int			n = sample->nrows;

		reserve_row(sample);
		sample->tuples[n] = copy_row(reader);
		sample->chunk[n] = sample->chunks_read;
		sample->block[n] = sample->chunks_read * CHUNK + (block - first);
		sample->leaf[n] = reader->number;
		sample->nrows++;
	}
	sample->chunks_read++;
	sample->pages_read += last - first + 1;
}

/* Number of the leaf that a chunk belongs to. */
static int
leaf_of_chunk(GlperfTableSample *sample, uint32 chunk)
{
	int			low = 0;
	int			high = list_length(sample->leaves) - 1;

	while (low < high)
	{
		int			middle = (low + high + 1) / 2;
		SampleLeaf *leaf = list_nth(sample->leaves, middle);

		if (leaf->first_chunk <= chunk)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* Finish with a leaf. */
static void
close_reader(LeafReader *reader)
{
	if (reader->rel == NULL)
		return;
	if (reader->scan)
		table_endscan(reader->scan);
	ExecDropSingleTupleTableSlot(reader->slot);
	relation_close(reader->rel, NoLock);
	reader->scan = NULL;
	reader->rel = NULL;
}

/* Begin with a leaf; false when it cannot be read now. */
static bool
open_reader(LeafReader *reader, int number)
{
	close_reader(reader);
	reader->number = number;
	reader->leaf = list_nth(reader->sample->leaves, number);
	reader->rel = open_readable(reader->leaf->relid);
	if (reader->rel == NULL)
		return false;
	reader->slot = table_slot_create(reader->rel, NULL);
	return true;
}

/* Ask for the blocks of a chunk ahead of time. */
static void
prefetch_chunk(LeafReader *reader, uint32 chunk)
{
	BlockNumber first = (chunk - reader->leaf->first_chunk) * CHUNK;

	for (BlockNumber b = first;
		 b < Min(first + CHUNK, reader->leaf->blocks); b++)
		(void) PrefetchBuffer(reader->rel, MAIN_FORKNUM, b);
}

/* Read these chunks, given in ascending order. */
static void
read_chunks(GlperfTableSample *sample, const uint32 *chunks, int n)
{
	LeafReader	reader = {.sample = sample,.number = -1};
	bool		readable = false;

	reader.values = palloc(sizeof(Datum) * sample->desc->natts);
	reader.nulls = palloc(sizeof(bool) * sample->desc->natts);
	for (int i = 0; i < n; i++)
	{
		int			number = leaf_of_chunk(sample, chunks[i]);

		if (number != reader.number)
			readable = open_reader(&reader, number);
		if (!readable)
			continue;
		if (i + PREFETCH < n &&
			leaf_of_chunk(sample, chunks[i + PREFETCH]) == number)
			prefetch_chunk(&reader, chunks[i + PREFETCH]);
		read_chunk(&reader, chunks[i]);
	}
	close_reader(&reader);
}

/* For qsort(), ascending. */
static int
compare_chunks(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

/*
 * Member i of a sequence over bits digits: the bits of i in reverse, each
 * flipped or not by a hash of those above it.
 */
static uint32
scrambled(uint32 i, int bits)
{
	uint32		x = 0;

	for (int level = 0; level < bits; level++)
	{
		uint32		flip = murmurhash32((1U << level) | x);

		x = (x << 1) | (((i >> level) ^ (flip >> 7)) & 1);
	}
	return x;
}

/* Read the members from ... to - 1 of the table's sequence of chunks. */
static void
read_members(GlperfTableSample *sample, uint32 from, uint32 to)
{
	uint32		total = (uint32) sample->chunks;
	int			bits = 0;
	uint32	   *chunks;
	uint32		n = 0;

	to = Min(to, total);
	if (from >= to)
		return;
	while (bits < 31 && ((uint32) 1 << bits) < total)
		bits++;
	chunks = palloc(sizeof(uint32) * to);
	for (uint32 i = 0; n < to; i++)
	{
		uint32		chunk = scrambled(i, bits);

		if (chunk < total)
			chunks[n++] = chunk;
	}
	sample->members = to;
	qsort(chunks + from, to - from, sizeof(uint32), compare_chunks);
	read_chunks(sample, chunks + from, to - from);
	pfree(chunks);
}

/* What the chunks read say about the number of rows. */
static void
estimate_rows(GlperfTableSample *sample)
{
	double		n = sample->chunks_read;
	double		squares = 0;
	double		mean;
	int			row = 0;

	if (n == 0)
		return;
	mean = sample->nrows / n;
	for (int c = 0; c < sample->chunks_read; c++)
	{
		int			rows = 0;

		for (; row < sample->nrows && sample->chunk[row] == (uint32) c; row++)
			rows++;
		squares += (rows - mean) * (rows - mean);
	}
	sample->rows = sample->nrows / Max(1.0, sample->pages_read) *
		sample->blocks;
	sample->rows_error = sqrt(squares / Max(1.0, n - 1) / n *
							  (1 - n / sample->chunks)) * sample->chunks;
}

/* Make a step that was read before the present one. */
static void
use_step(GlperfTableSample *sample, int step)
{
	sample->step = step;
	sample->chunks_read = sample->steps[step].chunks_read;
	sample->nrows = sample->steps[step].nrows;
	sample->whole = sample->steps[step].whole;
}

/* Note what has been read as a step, the present one. */
static void
note_progress(GlperfTableSamples *samples, GlperfTableSample *sample,
			  int before)
{
	sample->whole = sample->chunks_read >= sample->chunks;
	samples->pages_read += sample->pages_read - before;
	estimate_rows(sample);
	sample->step = sample->nsteps++;
	sample->steps[sample->step] = (GlperfSampleStep)
	{
		sample->chunks_read, sample->nrows, sample->whole
	};
}

/* Blocks to begin with, from how many rows one has. */
static int
first_blocks(GlperfTableSample *sample, double rows)
{
	double		per_block = sample->blocks > 0 ? rows / sample->blocks : 0;
	int			blocks = FIRST_MAX;

	if (per_block >= 1)
		blocks = Max(FIRST_MIN, Min(FIRST_MAX,
									(int) (FIRST_ROWS / per_block)));
	blocks = Min(blocks, glperf_size_sample_pages);
	/* the whole of a table that is little bigger is worth more */
	if (sample->blocks <= blocks * 1.25 &&
		sample->blocks <= glperf_size_sample_pages)
		blocks = (int) sample->blocks;
	return blocks;
}

/* Sample a table whose rows may be read. */
static GlperfTableSample *
make_sample(GlperfTableSamples *samples, Oid relid)
{
	MemoryContext context = AllocSetContextCreate(samples->context,
												  "glperf sample",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	GlperfTableSample *sample = palloc0(sizeof(GlperfTableSample));
	List	   *oids = list_make1_oid(relid);
	Relation	rel;
	double		rows;
	int			wanted;

	sample->relid = relid;
	sample->context = context;
	reserve_rows(sample);
	if (ConditionalLockRelationOid(relid, AccessShareLock) &&
		(rel = try_relation_open(relid, NoLock)) != NULL)
	{
		sample->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
		rows = rel->rd_rel->relpages > 0 ?
			(double) rel->rd_rel->reltuples / rel->rd_rel->relpages : 60;
		if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			oids = find_all_inheritors(relid, NoLock, NULL);
		relation_close(rel, NoLock);
		list_leaves(sample, oids);
		wanted = (first_blocks(sample, rows * sample->blocks) + CHUNK - 1) / CHUNK;
		/* in two goes, so that one half can be held against the whole */
		read_members(sample, 0, wanted / 2);
		read_members(sample, wanted / 2, wanted);
		note_progress(samples, sample, 0);
	}
	MemoryContextSwitchTo(old);
	return sample;
}

GlperfTableSample *
glperf_sample_table(GlperfTableSamples *samples, Oid relid, const char **why)
{
	GlperfTableSample *sample = samples->current;

	*why = refusal(relid);
	if (*why)
		return NULL;
	if (sample && sample->relid == relid)
	{
		use_step(sample, 0);
		return sample;
	}
	if (samples->refused == relid)
	{
		*why = samples->why;
		return NULL;
	}
	glperf_samples_forget(samples);
	sample = make_sample(samples, relid);
	if (sample->desc == NULL || sample->leaves == NIL ||
		(sample->chunks_read == 0 && sample->chunks > 0))
	{
		MemoryContextDelete(sample->context);
		samples->refused = relid;
		*why = samples->why = "the table is locked, or its rows cannot be read here";
		return NULL;
	}
	samples->current = sample;
	samples->tables++;
	return sample;
}

bool
glperf_sample_grow(GlperfTableSamples *samples, GlperfTableSample *sample)
{
	int			before = sample->pages_read;
	int			most = glperf_size_sample_pages / CHUNK;
	MemoryContext old;

	if (sample->step + 1 < sample->nsteps)
	{
		use_step(sample, sample->step + 1);
		return true;
	}
	if (sample->whole || sample->chunks_read == 0 || sample->members >= most ||
		sample->nsteps == GLPERF_SAMPLE_STEPS)
		return false;
	old = MemoryContextSwitchTo(sample->context);
	read_members(sample, sample->members, Min(sample->members * 2, most));
	MemoryContextSwitchTo(old);
	note_progress(samples, sample, before);
	return sample->pages_read > before;
}

GlperfTableSample *
glperf_sample_runs(GlperfTableSamples *samples, GlperfTableSample *sample)
{
	GlperfTableSample *runs = sample->runs;
	MemoryContext old;
	uint32		total = (uint32) sample->chunks;

	if (runs || sample->whole || total < RUNS * GLPERF_RUN_CHUNKS * 2 ||
		glperf_size_sample_pages < 2 * RUNS * GLPERF_RUN_CHUNKS * CHUNK)
		return runs;
	old = MemoryContextSwitchTo(sample->context);
	runs = palloc(sizeof(GlperfTableSample));
	*runs = *sample;
	runs->columns = runs->expr_stats = NIL;
	runs->matches = NIL;
	runs->nrows = runs->chunks_read = runs->pages_read = 0;
	runs->members = 0;
	reserve_rows(runs);
	for (uint32 i = 0; i < RUNS; i++)
	{
		uint32		chunks[GLPERF_RUN_CHUNKS];
		uint32		from = (uint32) (((uint64) total * i) / RUNS +
									 murmurhash32(i) % (total / RUNS -
														GLPERF_RUN_CHUNKS));

		for (int c = 0; c < GLPERF_RUN_CHUNKS; c++)
			chunks[c] = from + c;
		read_chunks(runs, chunks, GLPERF_RUN_CHUNKS);
		/* a part that is locked must not shift those behind it */
		runs->chunks_read = (i + 1) * GLPERF_RUN_CHUNKS;
	}
	MemoryContextSwitchTo(old);
	samples->pages_read += runs->pages_read;
	sample->runs = runs;
	return runs;
}

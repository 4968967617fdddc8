/*
 * index_density.c
 *		How full the leaf pages of a B-tree are, and what REINDEX would free.
 *
 * Estimates from column statistics go wrong with NULLs, duplicates, partial
 * indexes and expressions, and reading the whole index is too much for a
 * dashboard.  So a sample of pages is read, and each is judged by what is on
 * it: the space in use, and the space that its entries would need in a new
 * index, where equal keys share one posting list and dead entries are gone.
 *
 * The pages are the first of a van der Corput sequence whose digits are
 * scrambled by a hash of the index's file number.  Any leading part of it is
 * spread evenly over the file, which beats independent random pages as
 * neighbours are alike; a longer sample contains the shorter one; and the
 * sample of an index stays nearly the same while the index grows, so that
 * looking at it again and again finds the pages in a cache.
 *
 * The relation lock is taken conditionally.  A buffer is locked in share mode
 * for as long as it takes to copy it.  Pages that have to be read go through a
 * ring of buffers, so nothing useful is pushed out of shared buffers.
 *
 * See nbtree/README, nbtsort.c and nbtdedup.c.
 */
#include "compat.h"

#include <math.h>

#include "access/nbtree.h"
#include "access/relation.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

/* Below this many pages, rounding up to whole pages hides all the rest. */
#define TINY_PAGES			8

/* Pages that may be asked for: what is more is a job for pgstattuple. */
#define MAX_PAGES			10000

/* Reads that are under way at the same time. */
#define PREFETCH			16

/* Room of a page for line pointers and entries. */
#define PAGE_ROOM	((double) (BLCKSZ - SizeOfPageHeaderData - \
							   MAXALIGN(sizeof(BTPageOpaqueData))))

/* Longest posting list of a new index: see nbtsort.c */
#define POSTING_BYTES \
	MAXALIGN_DOWN(MAXALIGN_DOWN(BLCKSZ * 10 / 100) - sizeof(ItemIdData))

/*
 * What a sample says of one index.  Every estimate has the bounds of its 95 %
 * confidence interval; they coincide where all pages were read.
 */
typedef struct GlperfDensity
{
	int64		size_bytes;		/* -1: unknown */
	int			pages_read;		/* without the metapage */
	bool		estimated;		/* the freed_* fields are set */
	bool		has_leaves;		/* the density_* fields are set, too */
	double		density;		/* used share of leaf pages, 0..1 */
	double		density_low;
	double		density_high;
	double		empty;			/* share of pages without entries, 0..1 */
	double		freed_bytes;	/* that REINDEX would give back */
	double		freed_low_bytes;
	double		freed_high_bytes;
	const char *reason;			/* why something is missing, or NULL */
} GlperfDensity;

/* What was seen on one page. */
typedef struct PageSample
{
	bool		leaf;			/* and in use */
	bool		empty;			/* deleted, about to be, or never used */
	double		used;			/* share of its room, 0..1; leaf pages */
	double		entries;		/* bytes in a new index, 0 unless leaf */
	double		high_key;		/* bytes of its high key, 0 without one */
} PageSample;

/* What the sample is to be judged by. */
typedef struct TreeFacts
{
	BlockNumber pages;			/* without the metapage */
	bool		deduplicate;	/* a new index would */
	bool		unique;
	int			fill;			/* per cent of a new leaf page */
} TreeFacts;

/* An estimate and half the width of its confidence interval. */
typedef struct Estimate
{
	double		mean;
	double		margin;
} Estimate;

PG_FUNCTION_INFO_V1(glperf_index_density);

/* -------- the sample -------- */

/*
 * Member i of the scrambled sequence over bits digits: the bits of i in
 * reverse, each flipped or not by a hash of those above it.  This maps the
 * numbers below 2^bits onto themselves, one to one.
 */
static uint32
scrambled(uint32 i, int bits, uint32 seed)
{
	uint32		x = 0;

	for (int level = 0; level < bits; level++)
	{
		uint32		flip = murmurhash32(seed ^ ((1U << level) | x));

		x = (x << 1) | (((i >> level) ^ (flip >> 7)) & 1);
	}
	return x;
}

/* Order of blocks in the file. */
static int
compare_blocks(const void *a, const void *b)
{
	BlockNumber x = *(const BlockNumber *) a;
	BlockNumber y = *(const BlockNumber *) b;

	return x < y ? -1 : x > y;
}

/* Choose n of the blocks 1 ... pages, in the order of the file. */
static void
choose_blocks(BlockNumber *blocks, int n, BlockNumber pages, uint32 seed)
{
	int			bits = 0;
	uint32		i = 0;
	int			chosen = 0;

	while (bits < 31 && (UINT64CONST(1) << bits) < pages)
		bits++;
	while (chosen < n)
	{
		uint32		x = scrambled(i++, bits, seed);

		/* beyond the end: left out until the index has grown so far */
		if (x < pages)
			blocks[chosen++] = x + 1;
	}
	qsort(blocks, n, sizeof(BlockNumber), compare_blocks);
}

/* -------- one page -------- */

/* Bytes that tids entries with the same key of that size take when new. */
static double
group_bytes(const TreeFacts *tree, int size, int tids, bool nulls)
{
	double		single = MAXALIGN(size) + sizeof(ItemIdData);
	int			limit = ((int) POSTING_BYTES - size) / (int) sizeof(ItemPointerData);
	int			rest;
	double		bytes;

	/* of a unique key's entries all but one are dead versions of the row */
	if (tree->unique && !nulls)
		return single;
	if (!tree->deduplicate || limit < 2)
		return tids * single;
	rest = tids % limit;
	bytes = (tids / limit) *
		(MAXALIGN(size + limit * sizeof(ItemPointerData)) + sizeof(ItemIdData));
	if (rest == 1)
		bytes += single;
	else if (rest > 1)
		bytes += MAXALIGN(size + rest * sizeof(ItemPointerData)) + sizeof(ItemIdData);
	return bytes;
}

/* The entry of a line pointer, or NULL if it isn't one that is alive. */
static IndexTuple
page_entry(Page page, OffsetNumber off)
{
	ItemId		id = PageGetItemId(page, off);

	if (!ItemIdIsNormal(id) || ItemIdIsDead(id) ||
		ItemIdGetOffset(id) + ItemIdGetLength(id) > BLCKSZ ||
		ItemIdGetLength(id) < sizeof(IndexTupleData))
		return NULL;
	return (IndexTuple) PageGetItem(page, id);
}

/*
 * Bytes that the entries of a leaf page take in a new index.  Entries with
 * equal keys are neighbours, so one pass finds the groups; those that go on
 * across pages are counted in parts.
 */
static double
entries_bytes(Page page, BTPageOpaque opaque, const TreeFacts *tree)
{
	OffsetNumber max = PageGetMaxOffsetNumber(page);
	double		bytes = 0;
	IndexTuple	group = NULL;
	int			group_size = 0;
	int			tids = 0;

	for (OffsetNumber off = P_FIRSTDATAKEY(opaque); off <= max; off++)
	{
		IndexTuple	entry = page_entry(page, off);
		bool		posting;
		int			size;
		int			more;

		if (entry == NULL)
			continue;
		posting = BTreeTupleIsPosting(entry);
		size = posting ? BTreeTupleGetPostingOffset(entry) : IndexTupleSize(entry);
		more = posting ? BTreeTupleGetNPosting(entry) : 1;
		if (group != NULL && size == group_size &&
			IndexTupleHasNulls(entry) == IndexTupleHasNulls(group) &&
			memcmp((char *) entry + sizeof(IndexTupleData),
				   (char *) group + sizeof(IndexTupleData),
				   size - sizeof(IndexTupleData)) == 0)
		{
			tids += more;
			continue;
		}
		if (group != NULL)
			bytes += group_bytes(tree, group_size, tids,
								 IndexTupleHasNulls(group));
		group = entry;
		group_size = size;
		tids = more;
	}
	if (group != NULL)
		bytes += group_bytes(tree, group_size, tids,
							 IndexTupleHasNulls(group));
	return bytes;
}

/* Judge the copy of a page. */
static void
judge_page(Page page, const TreeFacts *tree, PageSample *sample)
{
	BTPageOpaque opaque;

	memset(sample, 0, sizeof(*sample));
	if (PageIsNew(page))
	{
		sample->empty = true;
		return;
	}
	if (PageGetSpecialSize(page) != MAXALIGN(sizeof(BTPageOpaqueData)))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("a page of the index is no B-tree page"),
				 errhint("Please REINDEX it.")));
	opaque = BTPageGetOpaque(page);
	if (P_IGNORE(opaque))
		sample->empty = true;
	else if (P_ISLEAF(opaque))
	{
		sample->leaf = true;
		sample->used = 1 - PageGetFreeSpace(page) / PAGE_ROOM;
		sample->entries = entries_bytes(page, opaque, tree);
		if (!P_RIGHTMOST(opaque) && PageGetMaxOffsetNumber(page) >= P_HIKEY)
			sample->high_key = MAXALIGN(ItemIdGetLength(PageGetItemId(page, P_HIKEY)));
	}
}

/* Copy a page, holding its lock for that long only. */
static void
read_page(Relation index, BlockNumber block, BufferAccessStrategy ring,
		  PGAlignedBlock *copy)
{
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, ring);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(copy->data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
}

/* -------- from the sample to the index -------- */

/* 97.5 % quantile of Student's t, from the normal one. */
static double
t_quantile(int df)
{
	const double z = 1.959964;

	return z + (z * z * z + z) / (4 * df) +
		(5 * pow(z, 5) + 16 * z * z * z + 3 * z) / (96.0 * df * df);
}

/*
 * Mean of values in the order of the file, known being the share of all pages
 * that they are.  The variance comes from the differences of neighbours: with
 * a sample that is spread evenly, slow changes along the file do not make the
 * mean uncertain.
 */
static Estimate
estimate_mean(const double *values, int n, double known)
{
	Estimate	e = {0, 0};
	double		squares = 0;

	for (int i = 0; i < n; i++)
		e.mean += values[i] / n;
	if (known >= 1)
		return e;
	for (int i = 1; i < n; i++)
		squares += (values[i] - values[i - 1]) * (values[i] - values[i - 1]);
	if (n > 1)
		e.margin = t_quantile(n - 1) *
			sqrt(squares / (2.0 * (n - 1)) / n * (1 - known));
	return e;
}

/* Bytes that building an index leaves free on each page. */
static double
new_page_gap(int fillfactor)
{
	return BLCKSZ * (100 - fillfactor) / 100.0;
}

/* Bytes of a new index for that many bytes of entries. */
static double
rebuilt_bytes(double entries, double high_key, const TreeFacts *tree)
{
	double		pivot = Max(high_key, MAXALIGN(sizeof(IndexTupleData))) +
	sizeof(ItemIdData);
	double		leaf_room = PAGE_ROOM - new_page_gap(tree->fill) - pivot;
	double		fanout = (PAGE_ROOM - new_page_gap(BTREE_NONLEAF_FILLFACTOR)) / pivot;
	double		level = Max(1, ceil(entries / Max(leaf_room, PAGE_ROOM / 16)));
	double		pages = 1 + level;

	while (level > 1)
	{
		level = ceil(level / Max(floor(fanout), 2));
		pages += level;
	}
	return pages * BLCKSZ;
}

/* Fill in the estimates. */
static void
judge_sample(const PageSample *samples, int n, const TreeFacts *tree,
			 GlperfDensity *result)
{
	double		known = (double) n / tree->pages;
	double	   *values = palloc(n * sizeof(double));
	double		high_keys = 0;
	int			leaves = 0;
	int			empty = 0;
	Estimate	e;

	for (int i = 0; i < n; i++)
	{
		empty += samples[i].empty;
		if (!samples[i].leaf)
			continue;
		values[leaves++] = samples[i].used;
		high_keys += samples[i].high_key;
	}
	result->pages_read = n;
	result->empty = (double) empty / n;
	if (leaves > 0)
	{
		e = estimate_mean(values, leaves, known);
		result->has_leaves = true;
		result->density = e.mean;
		result->density_low = Max(0, e.mean - e.margin);
		result->density_high = Min(1, e.mean + e.margin);
		high_keys /= leaves;
	}
	else
		result->reason = "none of the pages read is a leaf in use";

	for (int i = 0; i < n; i++)
		values[i] = samples[i].entries;
	e = estimate_mean(values, n, known);

	/* nothing found in n pages: with 95 %, less than 3 in n have anything */
	if (leaves == 0 && known < 1)
		e.margin = PAGE_ROOM * 3 / n;
	result->estimated = true;
	result->freed_bytes =
		Max(0, result->size_bytes -
			rebuilt_bytes(e.mean * tree->pages, high_keys, tree));
	result->freed_low_bytes =
		Max(0, result->size_bytes -
			rebuilt_bytes((e.mean + e.margin) * tree->pages, high_keys, tree));
	result->freed_high_bytes =
		Max(0, result->size_bytes -
			rebuilt_bytes(Max(0, e.mean - e.margin) * tree->pages, high_keys,
						  tree));
	pfree(values);
}

/* Why an index that is open and locked can't be looked at, or NULL. */
static const char *
unreadable(Relation index)
{
	if (index->rd_rel->relkind == RELKIND_PARTITIONED_INDEX)
		return "partitioned: only its parts have pages";
	if (index->rd_rel->relkind != RELKIND_INDEX ||
		index->rd_rel->relam != BTREE_AM_OID)
		return "not a B-tree index";
	if (RELATION_IS_OTHER_TEMP(index))
		return "temporary, of another session";
	if (index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED &&
		RecoveryInProgress())
		return "unlogged: a standby does not have it";
	if (!index->rd_index->indisvalid)
		return "not valid: being built, or left behind by a failed build";
	return NULL;
}

/* Read the sample of an open B-tree. */
static void
sample_index(Relation index, int max_pages, GlperfDensity *result)
{
	BufferAccessStrategy ring = GetAccessStrategy(BAS_BULKREAD);
	BlockNumber nblocks = RelationGetNumberOfBlocks(index);
	PGAlignedBlock page;
	BTMetaPageData *meta;
	TreeFacts	tree;
	BlockNumber *blocks;
	PageSample *samples;
	int			n;

	result->size_bytes = (int64) nblocks * BLCKSZ;
	if (nblocks <= 1)
	{
		result->reason = "empty";
		return;
	}
	read_page(index, BTREE_METAPAGE, ring, &page);
	meta = BTPageGetMeta((Page) page.data);
	if (meta->btm_magic != BTREE_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("the first page of the index is no B-tree metapage"),
				 errhint("Please REINDEX it.")));
	tree.pages = nblocks - 1;
	tree.unique = index->rd_index->indisunique;
	tree.fill = BTGetFillFactor(index);
	tree.deduplicate = !tree.unique && BTGetDeduplicateItems(index) &&
		meta->btm_version >= BTREE_NOVAC_VERSION && meta->btm_allequalimage;
	if (nblocks < TINY_PAGES)
	{
		result->reason = meta->btm_root == P_NONE ? "empty" :
			"too small to say: fewer than 8 pages";
		return;
	}

	n = Min(tree.pages, (BlockNumber) max_pages);
	blocks = palloc(n * sizeof(BlockNumber));
	samples = palloc(n * sizeof(PageSample));
	choose_blocks(blocks, n, tree.pages,
				  murmurhash32((uint32) index->rd_rel->relfilenode));
	for (int i = 0; i < Min(n, PREFETCH); i++)
		PrefetchBuffer(index, MAIN_FORKNUM, blocks[i]);
	for (int i = 0; i < n; i++)
	{
		if (i + PREFETCH < n)
			PrefetchBuffer(index, MAIN_FORKNUM, blocks[i + PREFETCH]);
		read_page(index, blocks[i], ring, &page);
		judge_page((Page) page.data, &tree, &samples[i]);
	}
	judge_sample(samples, n, &tree, result);
	pfree(blocks);
	pfree(samples);
	FreeAccessStrategy(ring);
}

/* Lock, look, and unlock again. */
static void
sample_unlocked_index(Oid oid, int max_pages, GlperfDensity *result)
{
	Relation	index;

	if (!ConditionalLockRelationOid(oid, AccessShareLock))
	{
		result->reason = "locked just now";
		return;
	}
	index = try_relation_open(oid, NoLock);
	if (index == NULL)
	{
		UnlockRelationOid(oid, AccessShareLock);
		result->reason = "there is no such index";
		return;
	}
	result->reason = unreadable(index);
	if (result->reason == NULL)
		sample_index(index, max_pages, result);
	relation_close(index, AccessShareLock);
}

/*
 * sample_safely -- look at max_pages pages of an index at most
 *
 * Never waits for a lock of the index, and releases its own at the end.  What
 * cannot be measured leaves a reason; only a cancelled query is an error.  A
 * damaged or unreadable page is a finding about one index, and must not take
 * all others off the page; hence the subtransaction.
 */
static void
sample_safely(Oid index, int max_pages, GlperfDensity *result)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	memset(result, 0, sizeof(*result));
	result->size_bytes = -1;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		sample_unlocked_index(index, max_pages, result);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;
		int			category;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
		if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED &&
			error->sqlerrcode != ERRCODE_INDEX_CORRUPTED &&
			error->sqlerrcode != ERRCODE_UNDEFINED_FILE &&
			category != ERRCODE_SYSTEM_ERROR)
			ReThrowError(error);
		result->estimated = result->has_leaves = false;
		result->reason = psprintf("cannot be read: %s", error->message);
	}
	PG_END_TRY();
}

/* -------- SQL -------- */

/*
 * glperf.index_density(index, max_pages): one row.
 *
 * Errors:	ERRCODE_INVALID_PARAMETER_VALUE when max_pages is not 2..10000.
 */
Datum
glperf_index_density(PG_FUNCTION_ARGS)
{
	Oid			index = PG_GETARG_OID(0);
	int			max_pages = PG_GETARG_INT32(1);
	GlperfDensity d;
	TupleDesc	desc;
	Datum		values[10];
	bool		nulls[10] = {0};

	if (max_pages < 2 || max_pages > MAX_PAGES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_pages must be between 2 and %d", MAX_PAGES),
				 errhint("pgstatindex() of the extension pgstattuple reads a whole index.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	sample_safely(index, max_pages, &d);

	values[0] = Int64GetDatum(d.size_bytes);
	nulls[0] = d.size_bytes < 0;
	values[1] = Int64GetDatum(d.pages_read);
	values[2] = Float8GetDatum(d.density * 100);
	values[3] = Float8GetDatum(d.density_low * 100);
	values[4] = Float8GetDatum(d.density_high * 100);
	nulls[2] = nulls[3] = nulls[4] = !d.has_leaves;
	values[5] = Float8GetDatum(d.empty * 100);
	values[6] = Int64GetDatum((int64) d.freed_bytes);
	values[7] = Int64GetDatum((int64) d.freed_low_bytes);
	values[8] = Int64GetDatum((int64) d.freed_high_bytes);
	nulls[5] = nulls[6] = nulls[7] = nulls[8] = !d.estimated;
	nulls[9] = d.reason == NULL;
	if (d.reason != NULL)
		values[9] = CStringGetTextDatum(d.reason);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

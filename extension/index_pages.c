/*
 * index_pages.c
 *		Pages of an index from what is known of its entries.
 *
 * Follows what CREATE INDEX does, down to the order in which a page is found
 * full: a B-tree's leaf is closed when less than a tenth of it is free as the
 * next item comes, its last item then opens the next page, and equal keys
 * share posting lists of a tenth of a page at most.
 *
 * See nbtsort.c, nbtdedup.c, hashpage.c, brin_pageops.c, gindatapage.c and
 * ginentrypage.c.
 */
#include "index_pages.h"

#include <math.h>

#include "access/brin.h"
#include "access/hash.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "common/hashfn.h"

/* Room for items and line pointers between page header and special space. */
#define ROOM(special)	((double) (BLCKSZ - SizeOfPageHeaderData - \
								   MAXALIGN(special)))
#define LINE			((double) sizeof(ItemIdData))
#define TID				((double) sizeof(ItemPointerData))

/* A leaf page without its high key's line pointer. */
#define LEAF_ROOM		(ROOM(sizeof(BTPageOpaqueData)) - 2 * LINE)
#define INNER_FREE		(BLCKSZ * (100.0 - BTREE_NONLEAF_FILLFACTOR) / 100)

/* Largest posting list of a build, without its line pointer. */
#define POSTING_BYTES \
	((double) MAXALIGN_DOWN(MAXALIGN_DOWN(BLCKSZ * 10 / 100) - sizeof(ItemIdData)))

/* Sizes of random groups that are told apart. */
#define RANDOM_SIZES	64

/* hash: from here on the number of buckets grows by quarters */
#define HASH_QUARTERS	512.0
/* hash: bits of a bitmap page */
#define HASH_BITMAP		(BLCKSZ / 2 * 8.0)

/* hash: groups in a slot from which on they are not placed one by one */
#define MANY_GROUPS		10.0
/* hash: slots whose buckets are filled to see how evenly they are */
#define MOST_SLOTS		4096

/* GIN: largest entry before its rows get a tree; see GinMaxItemSize */
#define GIN_MAX_ITEM	2704.0
/* GIN: bytes of header and first row of a compressed list */
#define GIN_LIST_BYTES		8.0
/* GIN: bytes of a segment of a list, at the start of a tree and behind that */
#define GIN_SEGMENT			384.0
#define GIN_SHORT_SEGMENT	256.0
/* GIN: entries that are put on pages to see how full those get */
#define MOST_ENTRIES	20000.0
/* GIN: how full random insertions leave the entry tree's pages */
#define GIN_MIXED		0.68

/* Share of a leaf page that makes no page: the number of items is a guess. */
#define SLACK			0.02

/* Leaf pages whose items are counted, not guessed. */
#define COUNTED_PAGES	8

/* Add n items. */
static void
add_items(GlperfLeaves *leaves, double n, double bytes, double posting)
{
	leaves->items += n;
	leaves->bytes += n * (bytes + LINE);
	leaves->posting_bytes += n * posting;
	leaves->square += n * (bytes + LINE) * (bytes + LINE);
}

void
glperf_leaves_add(GlperfLeaves *leaves, double n, double tuples,
				  double entry, bool deduplicate)
{
	double		cap = floor((POSTING_BYTES - entry) / TID);
	double		full;
	double		rest;

	if (!deduplicate || cap < 2 || tuples < 2)
	{
		add_items(leaves, n * tuples, entry, 0);
		return;
	}
	full = floor(tuples / cap);
	rest = floor(tuples - full * cap + 0.5);
	add_items(leaves, n * full, entry + (double) MAXALIGN((int) (cap * TID)),
			  cap * TID);
	if (rest >= 2)
		add_items(leaves, n, entry + (double) MAXALIGN((int) (rest * TID)),
				  rest * TID);
	else if (rest == 1)
		add_items(leaves, n, entry, 0);
}

/*
 * Sizes follow a Poisson distribution without its zero, whose parameter is
 * found by iteration: mean = lambda / (1 - exp(-lambda)).
 */
void
glperf_leaves_add_random(GlperfLeaves *leaves, double n, double mean,
						 double entry, bool deduplicate)
{
	double		lambda = mean;
	double		p;
	double		left = 1;
	double		left_tuples;

	if (!deduplicate || mean < 1.001 || mean > RANDOM_SIZES / 2)
	{
		glperf_leaves_add(leaves, n, Max(1.0, mean), entry, deduplicate);
		return;
	}
	for (int i = 0; i < 60; i++)
		lambda = mean * (1 - exp(-lambda));
	p = exp(-lambda) / (1 - exp(-lambda));
	left_tuples = mean;
	for (int k = 1; k <= RANDOM_SIZES && left > 1e-9; k++)
	{
		p *= lambda / k;
		glperf_leaves_add(leaves, n * Min(p, left), k, entry, true);
		left -= Min(p, left);
		left_tuples -= p * k;
	}
	if (left > 1e-6 && left_tuples > 0)
		glperf_leaves_add(leaves, n * left, Max(1.0, left_tuples / left),
						  entry, true);
}

/*
 * Whole items that fit where room of them would, if their number varies by
 * chance with this standard deviation.
 */
static double
whole_items(double room, double deviation)
{
	double		low = Max(0.0, floor(room) - 3);
	double		items = low;

	if (deviation < 0.01)
		return floor(room);
	if (deviation > 1)
		return room - 0.5;
	for (int i = 1; i <= 6; i++)
		items += 0.5 * erfc((low + i - room) / deviation / M_SQRT2);
	return items;
}

/*
 * Items that stay on a page: it is closed by the item that comes when less
 * than free bytes are left, or that does not fit, and its last one moves on.
 */
static double
items_per_page(double bytes, double posting, double free_bytes,
			   double deviation)
{
	double		until_full = (LEAF_ROOM - free_bytes + posting) / bytes;
	double		that_fit = (LEAF_ROOM - LINE) / bytes - 1;
	double		items = Min(until_full, that_fit);

	return Max(1.0, whole_items(items, deviation / bytes * sqrt(Max(1.0, items))));
}

GlperfTree
glperf_tree(const GlperfLeaves *leaves, double pivot, double trees,
			int fillfactor)
{
	GlperfTree	tree = {trees, 0, 0};
	double		mean;
	double		level;
	double		fanout;
	double		free_bytes;
	double		deviation;
	double		per_page;
	double		slack = SLACK;

	if (leaves->items <= 0)
		return tree;
	mean = leaves->bytes / leaves->items;
	deviation = sqrt(Max(0.0, leaves->square / leaves->items - mean * mean));
	if (fillfactor == 0)
		fillfactor = BTREE_DEFAULT_FILLFACTOR;
	free_bytes = BLCKSZ * (100.0 - fillfactor) / 100;
	/* per tree from here; the last page is not full */
	per_page = items_per_page(mean, leaves->posting_bytes / leaves->items,
							  free_bytes, deviation);
	level = leaves->items / trees / per_page;
	/* the item that closes the last page stays; of few alike no other does */
	if (level < COUNTED_PAGES && deviation < 0.01)
		slack = 1.0001 / per_page;
	level = trees == 1 ? ceil(level - slack) : Max(1.0, level + 0.5);
	level = Max(1.0, level);
	tree.leaves = level * trees;
	tree.pages += tree.leaves;
	fanout = Max(2.0, items_per_page(pivot + LINE, 0, INNER_FREE, 0));
	while (level > 1)
	{
		level = ceil(level / fanout);
		tree.pages += level * trees;
		tree.height++;
	}
	return tree;
}

/* -------- hash -------- */

/*
 * A hash index's buckets, or as many of them as are enough to see how evenly
 * groups fall into them.  Between two powers of two some buckets are not split
 * yet, and hold what two slots would.
 */
typedef struct Buckets
{
	double		scale;			/* buckets for each one here */
	uint32		slots;			/* a power of two */
	uint32		n;
	uint32		drawn;			/* random numbers so far */
	double	   *tuples;			/* [n] */
} Buckets;

/* The bucket of a slot. */
static uint32
bucket_of(const Buckets *buckets, uint32 slot)
{
	return slot < buckets->n ? slot : slot - buckets->slots / 2;
}

/* The next number of a sequence that is the same each time. */
static uint32
draw(uint32 *drawn)
{
	return murmurhash32(++*drawn * 0x9e3779b9);
}

/* A number of a standard normal distribution. */
static double
draw_normal(uint32 *drawn)
{
	double		sum = -6;

	for (int i = 0; i < 12; i++)
		sum += draw(drawn) / 4294967296.0;
	return sum;
}

/* Let groups of one size fall into buckets. */
static void
fill_buckets(Buckets *buckets, GlperfGroups groups)
{
	double		n = groups.n / buckets->scale;
	double		mean = n / buckets->slots;

	if (mean > MANY_GROUPS)
	{
		for (uint32 slot = 0; slot < buckets->slots; slot++)
			buckets->tuples[bucket_of(buckets, slot)] += groups.tuples *
				(mean + sqrt(mean) * draw_normal(&buckets->drawn));
		return;
	}
	for (; n > 0; n--)
	{
		uint32		slot = draw(&buckets->drawn) % buckets->slots;

		/* what is left of a fraction comes with that probability */
		if (n < 1 && draw(&buckets->drawn) > n * 4294967296.0)
			break;
		buckets->tuples[bucket_of(buckets, slot)] += groups.tuples;
	}
}

/* Buckets of a build that expects so many tuples of which fill go into one. */
static double
count_buckets(double tuples, double fill)
{
	double		wanted = tuples / fill;
	double		buckets = 2;

	while (buckets < wanted)
	{
		double		step = buckets >= HASH_QUARTERS ? buckets / 4 : buckets;
		double		next = buckets * 2;

		while (buckets < wanted && buckets < next)
			buckets += step;
	}
	return buckets;
}

double
glperf_hash_pages(double estimated, const GlperfGroups *groups, int ngroups,
				  int fillfactor)
{
	double		item = MAXALIGN(sizeof(IndexTupleData) + sizeof(uint32)) + LINE;
	double		per_page = floor(ROOM(16) / item);
	double		tuples = 0;
	double		total;
	double		overflow = 0;
	Buckets		buckets = {1, 2};

	if (fillfactor == 0)
		fillfactor = HASH_DEFAULT_FILLFACTOR;
	for (int i = 0; i < ngroups; i++)
		tuples += groups[i].n * groups[i].tuples;
	total = count_buckets(Max(estimated, tuples),
						  floor(BLCKSZ * fillfactor / 100 / item));
	while (buckets.slots < total / buckets.scale)
	{
		if (buckets.slots < MOST_SLOTS)
			buckets.slots *= 2;
		else
			buckets.scale *= 2;
	}
	buckets.n = (uint32) ceil(total / buckets.scale);
	buckets.tuples = palloc0(sizeof(double) * buckets.n);
	for (int i = 0; i < ngroups; i++)
	{
		GlperfGroups group = groups[i];

		/* of few big ones not a fraction, but whole pages are counted */
		if (group.n < buckets.scale)
		{
			overflow += group.n * floor(group.tuples / per_page);
			group.tuples -= floor(group.tuples / per_page) * per_page;
		}
		fill_buckets(&buckets, group);
	}
	for (uint32 b = 0; b < buckets.n; b++)
		overflow += buckets.scale *
			Max(0.0, ceil(buckets.tuples[b] / per_page - 1e-9) - 1);
	pfree(buckets.tuples);
	/* metapage, bitmap pages */
	return total + overflow + 1 + ceil((overflow + 1) / HASH_BITMAP);
}

/* -------- BRIN -------- */

double
glperf_brin_pages(double heap_blocks, double summary, int pages_per_range)
{
	double		ranges = ceil(heap_blocks /
							  (pages_per_range > 0 ? pages_per_range :
							   BRIN_DEFAULT_PAGES_PER_RANGE));

	return 1 + Max(1.0, ceil(ranges * TID / ROOM(8))) +
		Max(1.0, ceil(ranges * (summary + LINE) / ROOM(8)));
}

/* -------- GIN -------- */

/*
 * Bytes of the compressed list of one key's rows, header included.  A row is
 * kept as its distance from the one before: one byte within a block, more
 * between blocks, seven bits each, eleven of them for the line.
 */
static double
gin_list_bytes(double tuples, double firsts, double gap)
{
	double		far = 2 + exp(-7 / gap) + exp(-1023 / gap) + exp(-131071 / gap);

	return GIN_LIST_BYTES + (tuples - 1) * (firsts * far + (1 - firsts));
}

/*
 * Bytes of an entry with its list.  A fraction of a row means that some keys
 * have one more than others; of longer lists the padding is half of the most.
 */
static double
gin_entry_bytes(double head, double tuples, double firsts, double gap)
{
	double		low = floor(tuples);

	if (tuples >= 4)
		return head + gin_list_bytes(tuples, firsts, gap) +
			(MAXIMUM_ALIGNOF - 1) / 2.0;
	if (low == tuples)
		return MAXALIGN((int) ceil(head + gin_list_bytes(low, firsts, gap)));
	return gin_entry_bytes(head, low, firsts, gap) * (low + 1 - tuples) +
		gin_entry_bytes(head, low + 1, firsts, gap) * (tuples - low);
}

/* Note n entries of so many bytes on average, padded to the next boundary. */
static void
add_entries(GlperfGin *gin, double n, double bytes)
{
	double		size = bytes / MAXIMUM_ALIGNOF;
	int			low = Min((int) size, GLPERF_GIN_SIZES - 2);
	double		share = Min(1.0, size - low);

	gin->size[low] += n * (1 - share);
	gin->size[low + 1] += n * share;
	gin->entry_bytes += n * (bytes + LINE);
}

/*
 * Pages of a tree of rows whose list takes so many bytes.  The first page is
 * filled with the longest segments, each with its header; what does not fit is
 * appended in shorter ones, and then there is a root.
 */
static double
posting_tree_pages(double list)
{
	double		first = floor(ROOM(16) / GIN_SEGMENT) *
	(GIN_SEGMENT - GIN_LIST_BYTES);

	if (list * GIN_SEGMENT / (GIN_SEGMENT - GIN_LIST_BYTES) <= ROOM(16))
		return 1;
	return 2 + ceil(Max(0.0, list - first) * GIN_SHORT_SEGMENT /
					(GIN_SHORT_SEGMENT - GIN_LIST_BYTES) /
					(ROOM(16) - GIN_SHORT_SEGMENT / 2));
}

void
glperf_gin_add(GlperfGin *gin, double n, double key, double tuples,
			   double firsts, double gap)
{
	double		head = MAXALIGN((int) ceil(sizeof(IndexTupleData) + key));
	double		bytes;

	if (n <= 0)
		return;
	tuples = Max(1.0, tuples);
	gap = Max(1.0, gap);
	bytes = gin_entry_bytes(head, tuples, firsts, gap);
	gin->head = (gin->head * gin->keys + head * n) / (gin->keys + n);
	gin->keys += n;
	gin->memory += n * (Max(tuples, 5.0) * TID * 1.5 + 72 + key);
	if (bytes <= GIN_MAX_ITEM)
	{
		add_entries(gin, n, bytes);
		return;
	}
	add_entries(gin, n, head);
	gin->posting_pages += n *
		posting_tree_pages(gin_list_bytes(tuples, firsts, gap));
}

/*
 * Pages of entries that come in ascending order: each goes to the last page,
 * which is split in the middle of its bytes when it is full; what stays behind
 * is not touched again.
 */
static double
fill_ascending(const uint16 *entry, int n)
{
	double		pages = 1;
	double		used = 0;
	int			first = 0;		/* entry of the last page */

	for (int i = 0; i < n; i++)
	{
		double		left = 0;
		double		size = entry[i] + LINE;

		used += size;
		if (used <= ROOM(8) - LINE || i == first)
			continue;
		while (left <= used / 2)
			left += entry[first++] + LINE;
		used -= left;
		pages++;
	}
	return pages;
}

/*
 * Leaf pages of the entry tree, with keys of all sizes mixed; so many of them
 * as are enough to see how they fill pages.
 */
static double
entry_pages(const GlperfGin *gin)
{
	int			n = (int) Min(MOST_ENTRIES, Max(1.0, rint(gin->keys)));
	uint16	   *entry = palloc0(sizeof(uint16) * n);
	uint32		drawn = 0;
	double		keys = 0;
	double		pages;
	int			filled = 0;

	for (int size = 0; size < GLPERF_GIN_SIZES; size++)
	{
		keys += gin->size[size];
		while (filled < n && filled + 0.5 < keys / gin->keys * n)
			entry[filled++] = size * MAXIMUM_ALIGNOF;
	}
	for (int i = filled - 1; i > 0; i--)
	{
		int			other = draw(&drawn) % (i + 1);
		uint16		swapped = entry[i];

		entry[i] = entry[other];
		entry[other] = swapped;
	}
	pages = fill_ascending(entry, filled);
	pfree(entry);
	return Max(1.0, pages * gin->keys / n);
}

/*
 * Keys come in ascending order as often as the build's memory is full.  After
 * several such passes pages are as full as random insertions make them.
 */
static double
tree_pages(const GlperfGin *gin, double build_memory)
{
	double		level = 1;
	double		pages = 1 + gin->posting_pages; /* metapage */

	if (gin->memory > build_memory)
		level = Max(1.0, ceil(gin->entry_bytes / (ROOM(8) * GIN_MIXED)));
	else if (gin->keys > 0)
		level = rint(entry_pages(gin));
	pages += level;
	while (level > 1)
	{
		double		fanout = ROOM(8) * 0.5 / (gin->head + LINE);

		level = ceil(level / Max(2.0, fanout));
		pages += level;
	}
	return pages;
}

double
glperf_gin_pages(const GlperfGin *gin, double build_memory, double trees)
{
	GlperfGin	one = *gin;

	for (int i = 0; i < GLPERF_GIN_SIZES; i++)
		one.size[i] /= trees;
	one.entry_bytes /= trees;
	one.posting_pages /= trees;
	one.keys /= trees;
	one.memory /= trees;
	return tree_pages(&one, build_memory) * trees;
}

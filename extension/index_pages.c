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

#include "access/itup.h"
#include "access/nbtree.h"

/* Room for items and line pointers between page header and special space. */
#define ROOM(special)	((double) (BLCKSZ - SizeOfPageHeaderData - \
								   MAXALIGN(special)))
#define LINE			((double) sizeof(ItemIdData))
#define TID				((double) sizeof(ItemPointerData))

/* A leaf page without its high key's line pointer. */
#define LEAF_ROOM		(ROOM(sizeof(BTPageOpaqueData)) - 2 * LINE)
#define LEAF_FREE		(BLCKSZ * (100.0 - BTREE_DEFAULT_FILLFACTOR) / 100)
#define INNER_FREE		(BLCKSZ * (100.0 - BTREE_NONLEAF_FILLFACTOR) / 100)

/* Largest posting list of a build, without its line pointer. */
#define POSTING_BYTES \
	((double) MAXALIGN_DOWN(MAXALIGN_DOWN(BLCKSZ * 10 / 100) - sizeof(ItemIdData)))

/* Sizes of random groups that are told apart. */
#define RANDOM_SIZES	64

/* hash: fill factor of a fresh index; see hash.h */
#define HASH_FILL		0.75
/* hash: from here on the number of buckets grows by quarters */
#define HASH_QUARTERS	512.0
/* hash: bits of a bitmap page */
#define HASH_BITMAP		(BLCKSZ / 2 * 8.0)

/* BRIN: heap blocks summarised by one entry; see brin.h */
#define BRIN_RANGE		128.0

/* GIN: largest entry before its rows get a tree; see GinMaxItemSize */
#define GIN_MAX_ITEM	2704.0
/* GIN: bytes of header and first row of a compressed list */
#define GIN_LIST_BYTES		8.0
#define GIN_SEGMENT		320.0
/* GIN: how full random insertions leave the entry tree's pages */
#define GIN_MIXED		0.68

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
 * Items that stay on a page: it is closed by the item that comes when less
 * than free bytes are left, or that does not fit, and its last one moves on.
 */
static double
items_per_page(double bytes, double posting, double free_bytes, bool alike)
{
	double		until_full = (LEAF_ROOM - free_bytes + posting) / bytes;
	double		that_fit = (LEAF_ROOM - LINE) / bytes - 1;

	if (alike)
		return Max(1.0, Min(floor(until_full), floor(that_fit)));
	return Max(1.0, Min(until_full - 0.5, that_fit - 0.5));
}

GlperfTree
glperf_tree(const GlperfLeaves *leaves, double pivot, double trees)
{
	GlperfTree	tree = {trees, 0, 0};
	double		mean;
	double		level;
	double		fanout;
	bool		alike;

	if (leaves->items <= 0)
		return tree;
	mean = leaves->bytes / leaves->items;
	alike = leaves->square / leaves->items - mean * mean < 1.0;
	/* per tree from here; the last page is not full */
	level = leaves->items / trees /
		items_per_page(mean, leaves->posting_bytes / leaves->items,
					   LEAF_FREE, alike);
	level = trees == 1 ? ceil(level - 0.02) : Max(1.0, level + 0.5);
	level = Max(1.0, level);
	tree.leaves = level * trees;
	tree.pages += tree.leaves;
	fanout = Max(2.0, items_per_page(pivot + LINE, 0, INNER_FREE, true));
	while (level > 1)
	{
		level = ceil(level / fanout);
		tree.pages += level * trees;
		tree.height++;
	}
	return tree;
}

/* Expected pages beyond the first that a bucket of so many tuples needs. */
static double
overflow_pages(double mean, double deviation, double per_page)
{
	double		sum = 0;

	/* seven slices of equal probability of a normal distribution */
	static const double slice[] = {-1.47, -0.79, -0.37, 0, 0.37, 0.79, 1.47};

	for (int i = 0; i < lengthof(slice); i++)
	{
		double		tuples = Max(0.0, mean + slice[i] * deviation);

		sum += Max(0.0, ceil(tuples / per_page) - 1);
	}
	return sum / lengthof(slice);
}

double
glperf_hash_pages(double estimated, double tuples, double group)
{
	double		item = MAXALIGN(sizeof(IndexTupleData) + sizeof(uint32)) + LINE;
	double		fill = floor(BLCKSZ * HASH_FILL / item);
	double		per_page = floor(ROOM(16) / item);
	double		wanted = Max(estimated, tuples) / fill;
	double		buckets = 2;
	double		groups = Max(1.0, tuples / Max(1.0, group));
	double		overflow;

	while (buckets < wanted)
	{
		double		step = buckets >= HASH_QUARTERS ? buckets / 4 : buckets;
		double		next = buckets * 2;

		while (buckets < wanted && buckets < next)
			buckets += step;
	}
	if (groups < buckets)
		/* most buckets stay empty, the others hold a group or two */
		overflow = groups * Max(0.0, ceil(group / per_page) - 1);
	else
		overflow = buckets * overflow_pages(tuples / buckets,
											sqrt(tuples / buckets * group),
											per_page);
	/* metapage, bitmap pages */
	return buckets + overflow + 1 + ceil((overflow + 1) / HASH_BITMAP);
}

double
glperf_brin_pages(double heap_blocks, double summary)
{
	double		ranges = ceil(heap_blocks / BRIN_RANGE);

	return 1 + Max(1.0, ceil(ranges * TID / ROOM(8))) +
		Max(1.0, ceil(ranges * (summary + LINE) / ROOM(8)));
}

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

void
glperf_gin_add(GlperfGin *gin, double n, double key, double tuples,
			   double firsts, double gap)
{
	double		head = MAXALIGN((int) ceil(sizeof(IndexTupleData) + key));
	double		bytes;
	double		list;

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
		gin->entry_bytes += n * (bytes + LINE);
		return;
	}
	/* segments with a header each, pages filled with whole ones */
	list = gin_list_bytes(tuples, firsts, gap);
	list += list / GIN_SEGMENT * GIN_LIST_BYTES;
	gin->entry_bytes += n * (head + LINE);
	gin->posting_pages += n * ceil(list / (ROOM(16) - GIN_SEGMENT / 2));
	/* a posting tree of several pages has a root */
	if (list > ROOM(16))
		gin->posting_pages += n;
}

/*
 * Keys come in ascending order as often as the build's memory is full.  In one
 * such pass a full page is split so that a little more than half of it stays
 * behind, and what stayed is not touched again; after several passes pages are
 * as full as random insertions make them.
 */
double
glperf_gin_pages(const GlperfGin *gin, double build_memory)
{
	double		mean = gin->entry_bytes / Max(1.0, gin->keys);
	double		fit = Max(1.0, floor(ROOM(8) / Max(1.0, mean)));
	double		stay = floor((fit + 1) / 2) + 1;
	double		level;
	double		pages = 1 + gin->posting_pages; /* metapage */

	if (gin->memory <= build_memory)
		level = 1 + ceil(Max(0.0, gin->keys - fit) / Min(stay, fit));
	else
		level = Max(1.0, ceil(gin->entry_bytes / (ROOM(8) * GIN_MIXED)));
	pages += level;
	while (level > 1)
	{
		double		fanout = ROOM(8) * 0.5 / (gin->head + LINE);

		level = ceil(level / Max(2.0, fanout));
		pages += level;
	}
	return pages;
}

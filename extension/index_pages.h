/*
 * index_pages.h
 *		Pages of an index from what is known of its entries; arithmetic only.
 */
#ifndef GLPERF_INDEX_PAGES_H
#define GLPERF_INDEX_PAGES_H

#include "compat.h"

/*
 * Items of all leaf pages of a B-tree together: entries that stand alone and
 * posting lists.  Sums, so that groups of equal keys can be added one by one.
 */
typedef struct GlperfLeaves
{
	double		items;
	double		bytes;			/* with line pointers */
	double		posting_bytes;	/* of that, TIDs a high key does not keep */
	double		square;			/* sum of the squares of the items' bytes */
} GlperfLeaves;

/* A B-tree as CREATE INDEX makes it. */
typedef struct GlperfTree
{
	double		pages;			/* with metapage; 1 for an empty index */
	double		leaves;
	int			height;			/* levels below the root */
} GlperfTree;

/*
 * glperf_leaves_add -- add n groups of equal keys
 *
 * n:		number of such groups, also a fraction of one
 * tuples:	tuples in each group, 1 or more
 * entry:	MAXALIGNed bytes of a tuple without its TIDs
 * deduplicate: the tuples of a group share posting lists
 */
extern void glperf_leaves_add(GlperfLeaves *leaves, double n, double tuples,
							  double entry, bool deduplicate);

/*
 * The same for n groups whose sizes are random with this mean, as when every
 * row picks its key by itself.
 */
extern void glperf_leaves_add_random(GlperfLeaves *leaves, double n,
									 double mean, double entry,
									 bool deduplicate);

/*
 * glperf_tree -- the tree over these leaves
 *
 * pivot:	bytes of a tuple of key columns
 * trees:	indexes that the leaves are spread over evenly, 1 or more
 * fillfactor: of the leaves, 0 for the default; likewise below
 */
extern GlperfTree glperf_tree(const GlperfLeaves *leaves, double pivot,
							  double trees, int fillfactor);

/* Groups of equal keys: so many, of so many tuples each. */
typedef struct GlperfGroups
{
	double		n;
	double		tuples;
	double		key;			/* bytes of a key */
	double		firsts;			/* share of tuples that are first in a block */
	double		spread;			/* share of the blocks that they lie among */
	double		rows;			/* of a key that was sampled often, and the */
	double		chunks;			/* chunks it was in; 0 when extrapolated */
} GlperfGroups;

/*
 * Pages of a hash index: estimated tuples that its number of buckets is chosen
 * for, and the groups that it holds, as ngroups entries.
 */
extern double glperf_hash_pages(double estimated, const GlperfGroups *groups,
								int ngroups, int fillfactor);

/*
 * Pages of a BRIN index over so many heap blocks; summary in bytes, blocks of
 * a range, 0 for the default.
 */
extern double glperf_brin_pages(double heap_blocks, double summary,
								int pages_per_range);

/* Sizes of GIN entries that are told apart, by MAXALIGN. */
#define GLPERF_GIN_SIZES	(BLCKSZ / MAXIMUM_ALIGNOF / 2)

/* Entries of a GIN index, as sums over all of its keys. */
typedef struct GlperfGin
{
	double		size[GLPERF_GIN_SIZES]; /* keys by the size of their entry */
	double		entry_bytes;	/* of the entry tree's leaves */
	double		posting_pages;	/* of posting trees */
	double		keys;
	double		head;			/* mean bytes of a key's tuple without rows */
	double		memory;			/* bytes that a build collects */
} GlperfGin;

/*
 * glperf_gin_add -- add n keys of so many bytes that are in tuples rows each
 *
 * firsts:	share of those rows that are the first with this key in their block
 * gap:		mean distance of two such blocks, 1 or more
 */
extern void glperf_gin_add(GlperfGin *gin, double n, double key, double tuples,
						   double firsts, double gap);

/* Pages of these; trees as for glperf_tree(), each built with so many bytes. */
extern double glperf_gin_pages(const GlperfGin *gin, double build_memory,
							   double trees);

#endif							/* GLPERF_INDEX_PAGES_H */

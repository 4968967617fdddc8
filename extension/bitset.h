/*
 * bitset.h
 *		Fixed-width bit sets, for server code and for plain C alike.
 *
 * A set over n members takes bitset_words(n) words; all sets of one problem
 * have the same width, so there is nothing to allocate or to grow.
 */
#ifndef GLPERF_BITSET_H
#define GLPERF_BITSET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define bitset_words(n)		(((n) + 63) / 64)
#define bitset_bytes(n)		(bitset_words(n) * sizeof(uint64))

static inline bool
bitset_get(const uint64 *set, int i)
{
	return (set[i / 64] >> (i % 64)) & 1;
}

static inline void
bitset_add(uint64 *set, int i)
{
	set[i / 64] |= ((uint64) 1) << (i % 64);
}

static inline void
bitset_del(uint64 *set, int i)
{
	set[i / 64] &= ~(((uint64) 1) << (i % 64));
}

/* Position of the lowest bit of a word that is not 0. */
static inline int
bitset_lowest(uint64 word)
{
#ifdef __GNUC__
	return __builtin_ctzll(word);
#else
	int			i = 0;

	while (!((word >> i) & 1))
		i++;
	return i;
#endif
}

/* The first member from i on of a set over n; n or more when there is none. */
static inline int
bitset_next(const uint64 *set, int i, int n)
{
	while (i < n)
	{
		uint64		rest = set[i / 64] >> (i % 64);

		if (rest)
			return i + bitset_lowest(rest);
		i = (i / 64 + 1) * 64;
	}
	return n;
}

/* Is every member of a in b? */
static inline bool
bitset_subset(const uint64 *a, const uint64 *b, int words)
{
	for (int w = 0; w < words; w++)
		if (a[w] & ~b[w])
			return false;
	return true;
}

static inline bool
bitset_equal(const uint64 *a, const uint64 *b, int words)
{
	return memcmp(a, b, words * sizeof(uint64)) == 0;
}

static inline void
bitset_union(uint64 *into, const uint64 *from, int words)
{
	for (int w = 0; w < words; w++)
		into[w] |= from[w];
}

static inline void
bitset_intersect(uint64 *into, const uint64 *with, int words)
{
	for (int w = 0; w < words; w++)
		into[w] &= with[w];
}

/* Have they a member in common? */
static inline bool
bitset_overlap(const uint64 *a, const uint64 *b, int words)
{
	for (int w = 0; w < words; w++)
		if (a[w] & b[w])
			return true;
	return false;
}

static inline bool
bitset_empty(const uint64 *set, int words)
{
	for (int w = 0; w < words; w++)
		if (set[w])
			return false;
	return true;
}

#endif							/* GLPERF_BITSET_H */

/*
 * row_sample.h
 *		Some rows of a table, read block by block.
 */
#ifndef GLPERF_ROW_SAMPLE_H
#define GLPERF_ROW_SAMPLE_H

#include "compat.h"

#include "executor/tuptable.h"
#include "storage/block.h"
#include "utils/relcache.h"

/* Which blocks of a table that has more than the limit. */
typedef enum GlperfBlocks
{
	GLPERF_BLOCKS_SPREAD,		/* evenly over the table */
	GLPERF_BLOCKS_TAIL,			/* half of them at the end, where it grows */
	GLPERF_BLOCKS_ENDS			/* half at the beginning, half at the end */
} GlperfBlocks;

/*
 * glperf_sample_rows -- hand every visible row of some blocks to take()
 *
 * At most limit blocks are read, in order, the same ones each time.  Returns
 * the share of the table's blocks that was read: 1 when all were, 0 when its
 * access method cannot read single blocks.
 *
 * Locking: the caller holds a lock on rel.  Checks for interrupts.
 */
extern double glperf_sample_rows(Relation rel, BlockNumber limit,
								 GlperfBlocks which,
								 void (*take) (void *arg, TupleTableSlot *slot),
								 void *arg);

#endif							/* GLPERF_ROW_SAMPLE_H */

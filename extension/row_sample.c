/*
 * row_sample.c
 *		Some rows of a table, read block by block.
 *
 * A scan over a range of row addresses reads single blocks through any table
 * access method that can, by the same interface on all servers.  The blocks
 * are chosen by arithmetic, not by chance, so that advice is repeatable.
 *
 * index_sample.c is another reader of samples, for sizes of indexes: its
 * sample grows until it is precise enough, goes through all partitions and
 * knows which rows were neighbours.  Here the number of blocks is fixed, they
 * come from one table and may be those at its end, and rows are handed over
 * without being kept, so statistics and GIN costs keep what they need.
 */
#include "row_sample.h"

#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

/* Block number i of n wanted ones out of nblocks, ascending in i. */
static BlockNumber
choose_block(BlockNumber i, BlockNumber n, BlockNumber nblocks)
{
	BlockNumber from = (BlockNumber) ((uint64) nblocks * i / n);
	BlockNumber to = (BlockNumber) ((uint64) nblocks * (i + 1) / n);

	return from + murmurhash32(i) % (to - from);
}

/* Hand over the rows of the blocks from first to last. */
static void
read_blocks(TableScanDesc scan, TupleTableSlot *slot, BlockNumber first,
			BlockNumber last, void (*take) (void *arg, TupleTableSlot *slot),
			void *arg)
{
	ItemPointerData from;
	ItemPointerData to;

	ItemPointerSet(&from, first, 0);
	ItemPointerSet(&to, last, PG_UINT16_MAX);
	table_rescan_tidrange(scan, &from, &to);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		take(arg, slot);
	}
}

double
glperf_sample_rows(Relation rel, BlockNumber limit, GlperfBlocks which,
				   void (*take) (void *arg, TupleTableSlot *slot), void *arg)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	BlockNumber tail = 0;
	TupleTableSlot *slot;
	TableScanDesc scan;
	ItemPointerData start;

	if (nblocks == 0)
		return 1;
	if (rel->rd_tableam->scan_set_tidrange == NULL || limit == 0)
		return 0;
	ItemPointerSet(&start, 0, 0);
	slot = table_slot_create(rel, NULL);
	scan = glperf_beginscan_tidrange(rel, GetActiveSnapshot(), &start, &start);
	if (nblocks <= limit)
		read_blocks(scan, slot, 0, nblocks - 1, take, arg);
	else
	{
		BlockNumber others;

		if (which != GLPERF_BLOCKS_SPREAD)
			tail = (limit + 1) / 2;
		others = limit - tail;
		if (which == GLPERF_BLOCKS_ENDS && others > 0)
			read_blocks(scan, slot, 0, others - 1, take, arg);
		for (BlockNumber i = 0; which != GLPERF_BLOCKS_ENDS && i < others; i++)
		{
			BlockNumber block = choose_block(i, others, nblocks - tail);

			read_blocks(scan, slot, block, block, take, arg);
		}
		if (tail > 0)
			read_blocks(scan, slot, nblocks - tail, nblocks - 1, take, arg);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return Min(1.0, (double) limit / nblocks);
}

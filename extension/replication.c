/*
 * replication.c
 *		Where this node's WAL ends, and how old a position in it is.
 *
 * PostgreSQL reports replication progress as positions in the WAL.  Turning
 * a position into seconds by the lag columns of pg_stat_replication or by
 * pg_last_xact_replay_timestamp() goes wrong on an idle primary, after an
 * idle phase and when a receiver hangs (both remember an old measurement).
 * The WAL itself knows better: the first commit record behind the position
 * that a standby has replayed says when the oldest change that this standby
 * doesn't show yet became visible elsewhere.  glperf_commit_after() finds
 * that record, on a primary (for any standby or slot) and on a standby (for
 * the WAL that it has received) alike, and needs no preloaded library.
 *
 * Locking: none.  WAL files are read the way a walsender reads them, up to
 * the flushed position; a file that is removed or recycled meanwhile makes
 * the answer "not known".  Nothing but a commit's time leaves this file.
 */
#include "compat.h"

#include <fcntl.h>

#include "access/htup_details.h"
#include "access/rmgr.h"
#include "access/xact.h"
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

/*
 * How much WAL one call reads at most, in bytes.  Commits are kilobytes apart
 * on a busy server; only one huge transaction makes the search give up.
 */
#define GLPERF_WAL_SCAN_BYTES (16 * 1024 * 1024)

/* How many timelines back a segment file is looked for. */
#define GLPERF_WAL_TIMELINES 8

/* What the page reader needs, and what it found out. */
typedef struct WalScan
{
	TimeLineID	tli;			/* newest timeline of this node's WAL */
	XLogRecPtr	limit;			/* end of the WAL that may be read */
	bool		reached_limit;	/* the reader asked for more than that */
	bool		open_ended;		/* where WAL ends is for the reader to find */
} WalScan;

PG_FUNCTION_INFO_V1(glperf_wal_position);
PG_FUNCTION_INFO_V1(glperf_commit_after);

/*
 * Find the end of the WAL that this node can hand on, and its timeline.  On a
 * standby that is what it has flushed or (from an archive) replayed.
 *
 * A standby that was restarted does not know what it had received before, as
 * long as it isn't connected.  What lies in its files behind the last record
 * that was replayed tells by itself whether it is the next one.
 */
static void
set_readable_end(WalScan *scan)
{
	XLogRecPtr	received;
	TimeLineID	received_tli;

	if (!RecoveryInProgress())
	{
		scan->limit = wal_flush_position(&scan->tli);
		return;
	}
	scan->limit = GetXLogReplayRecPtr(&scan->tli);
	received = GetWalRcvFlushRecPtr(NULL, &received_tli);
	if (received > scan->limit)
	{
		scan->tli = Max(scan->tli, received_tli);
		scan->limit = received;
	}
	else if (!WalRcvStreaming())
	{
		scan->open_ended = true;
		scan->limit += GLPERF_WAL_SCAN_BYTES + XLOG_BLCKSZ;
	}
}

/*
 * Make the reader's open file that of a segment, looking at the newest
 * timeline first: after a promotion the segments before the switch exist
 * under the old timeline's name only.
 *
 * WALRead() then has nothing to open, so a file that isn't there is no error.
 * Returns false in that case.
 */
static bool
open_segment(XLogReaderState *reader, XLogSegNo segno, TimeLineID newest)
{
	TimeLineID	tli = newest;

	if (reader->seg.ws_file >= 0)
		wal_segment_close(reader);

	for (int i = 0; i < GLPERF_WAL_TIMELINES && tli > 0; i++, tli--)
	{
		char		path[MAXPGPATH];
		int			file;

		XLogFilePath(path, tli, segno, wal_segment_size);
		file = BasicOpenFile(path, O_RDONLY | PG_BINARY);
		if (file >= 0)
		{
			reader->seg.ws_file = file;
			reader->seg.ws_segno = segno;
			reader->seg.ws_tli = tli;
			return true;
		}
	}
	return false;
}

/*
 * Page reader for XLogReader: one page of WAL below the limit.  Returns -1
 * instead of waiting or raising an error.
 */
static int
scan_read_page(XLogReaderState *reader, XLogRecPtr page, int wanted,
			   XLogRecPtr target, char *buffer)
{
	WalScan    *scan = (WalScan *) reader->private_data;
	XLogSegNo	segno;
	WALReadError error;
	int			count = XLOG_BLCKSZ;

	CHECK_FOR_INTERRUPTS();

	if (page + wanted > scan->limit)
	{
		scan->reached_limit = true;
		return -1;
	}
	if (page + XLOG_BLCKSZ > scan->limit)
		count = scan->limit - page;

	XLByteToSeg(page, segno, wal_segment_size);
	if ((reader->seg.ws_file < 0 || reader->seg.ws_segno != segno) &&
		!open_segment(reader, segno, scan->tli))
		return -1;
	if (!WALRead(reader, buffer, page, count, reader->seg.ws_tli, &error))
		return -1;
	return count;
}

/*
 * Read on from the reader's position to the first commit record.
 *
 * at:		set to the commit's time when one is found.
 * give_up:	position from which on no more records are read.
 *
 * Returns whether a commit was found.
 */
static bool
scan_for_commit(XLogReaderState *reader, XLogRecPtr give_up, TimestampTz *at)
{
	for (;;)
	{
		char	   *message;
		uint8		op;

		CHECK_FOR_INTERRUPTS();
		if (XLogReadRecord(reader, &message) == NULL)
			return false;
		op = XLogRecGetInfo(reader) & XLOG_XACT_OPMASK;
		if (XLogRecGetRmid(reader) == RM_XACT_ID &&
			(op == XLOG_XACT_COMMIT || op == XLOG_XACT_COMMIT_PREPARED))
		{
			*at = ((xl_xact_commit *) XLogRecGetData(reader))->xact_time;
			return true;
		}
		if (reader->EndRecPtr >= give_up)
			return false;
	}
}

/*
 * glperf.commit_after(lsn) -- time of the first commit at or after lsn
 *
 * Returns (committed_at timestamptz, complete bool).  committed_at is NULL
 * when no commit record was found; complete says whether this means that
 * there is none (the search reached the end of this node's WAL), or that it
 * isn't known (the WAL is gone, or the search gave up).
 */
Datum
glperf_commit_after(PG_FUNCTION_ARGS)
{
	XLogRecPtr	start = PG_GETARG_LSN(0);
	WalScan		scan = {0};
	XLogReaderState *reader;
	volatile bool found = false;
	TimestampTz at = 0;
	TupleDesc	tupdesc;
	Datum		values[2] = {0};
	bool		nulls[2] = {0};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of glperf.commit_after");

	set_readable_end(&scan);
	if (start >= scan.limit)
		scan.reached_limit = true;
	else if (!XLogRecPtrIsInvalid(start))
	{
		reader = XLogReaderAllocate(wal_segment_size, NULL,
									XL_ROUTINE(.page_read = scan_read_page,
											   .segment_open = wal_segment_open,
											   .segment_close = wal_segment_close),
									&scan);
		if (reader == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("Failed while allocating a WAL reading processor.")));

		/* The reader's file isn't known to the resource owner. */
		PG_TRY();
		{
			if (!XLogRecPtrIsInvalid(wal_find_next_record(reader, start)))
				found = scan_for_commit(reader, start + GLPERF_WAL_SCAN_BYTES,
										&at);
		}
		PG_FINALLY();
		{
			if (reader->seg.ws_file >= 0)
				wal_segment_close(reader);
			XLogReaderFree(reader);
		}
		PG_END_TRY();
	}

	values[0] = TimestampTzGetDatum(at);
	nulls[0] = !found;
	values[1] = BoolGetDatum(found || scan.reached_limit || scan.open_ended);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/* The words of pg_get_wal_replay_pause_state(). */
static const char *
pause_state_word(RecoveryPauseState state)
{
	switch (state)
	{
		case RECOVERY_NOT_PAUSED:
			return "not paused";
		case RECOVERY_PAUSE_REQUESTED:
			return "pause requested";
		case RECOVERY_PAUSED:
			return "paused";
	}
	return "unknown";
}

/*
 * glperf.wal_position() -- this node's place in the WAL, in one row
 *
 * The SQL functions for these facts raise an error on the wrong kind of node
 * (pg_current_wal_lsn() on a standby, the pause state on a primary), and a
 * promotion between two of them would do so too; this one never does.
 */
Datum
glperf_wal_position(PG_FUNCTION_ARGS)
{
	bool		in_recovery = RecoveryInProgress();
	XLogRecPtr	current;
	XLogRecPtr	replayed = InvalidXLogRecPtr;
	XLogRecPtr	received = InvalidXLogRecPtr;
	TimestampTz last_xact = 0;
	TimeLineID	tli;
	TupleDesc	tupdesc;
	Datum		values[6] = {0};
	bool		nulls[6] = {0};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of glperf.wal_position");

	if (in_recovery)
	{
		replayed = GetXLogReplayRecPtr(&tli);
		received = GetWalRcvFlushRecPtr(NULL, &tli);
		last_xact = GetLatestXTime();
		current = Max(replayed, received);
		values[4] = CStringGetTextDatum(pause_state_word(GetRecoveryPauseState()));
	}
	else
		current = GetXLogWriteRecPtr();

	values[0] = BoolGetDatum(in_recovery);
	values[1] = LSNGetDatum(current);
	values[2] = LSNGetDatum(replayed);
	values[3] = LSNGetDatum(received);
	values[5] = TimestampTzGetDatum(last_xact);
	nulls[2] = XLogRecPtrIsInvalid(replayed);
	nulls[3] = XLogRecPtrIsInvalid(received);
	nulls[4] = !in_recovery;
	nulls[5] = last_xact == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/*
 * received.c
 *		When this standby's upstream wrote which position of the WAL.
 *
 * WAL that has arrived tells by its commit records how old it is (see
 * replication.c).  WAL that a slow link holds back does not; but each message
 * of a walsender says where its WAL ends, and when, well before all of it is
 * here.  The background worker keeps these announcements in a ring: replay
 * stands where upstream stood at that time.
 *
 * An LWLock protects the ring; the worker alone writes it.
 */
#include "glperf.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "funcapi.h"
#include "replication/walreceiver.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

#include "collector.h"
#include "received.h"

/* Announcements are this far apart at least, so that they last half an hour. */
#define MIN_STEP_US (INT64CONST(250) * 1000)
#define KEPT (4 * 1800)

/* Upstream's WAL ended there at that time, and not much earlier. */
typedef struct Announcement
{
	XLogRecPtr	lsn;
	TimestampTz at;
} Announcement;

/* Shared memory. */
typedef struct ReceivedShared
{
	LWLock	   *lock;
	uint64		count;			/* announcements so far; the ring's position */
	Announcement ring[KEPT];
} ReceivedShared;

static ReceivedShared *shared = NULL;

PG_FUNCTION_INFO_V1(glperf_upstream_passed);

/* Bytes of shared memory. */
Size
glperf_received_shmem_size(void)
{
	return sizeof(ReceivedShared);
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_received_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf received", glperf_received_shmem_size(),
							 &found);
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = glperf_collector_lock(GLPERF_LOCK_RECEIVED);
}

/* The announcement number i. */
static inline Announcement *
announcement(uint64 i)
{
	return &shared->ring[i % KEPT];
}

/*
 * See received.h.  The newest announcement gives way to the next one unless it
 * came long enough after the one before it.
 */
void
glperf_received_note(void)
{
	Announcement now;
	uint64		n = shared->count;

	if (!RecoveryInProgress() || WalRcv == NULL)
		return;
	SpinLockAcquire(&WalRcv->mutex);
	now.lsn = WalRcv->latestWalEnd;
	now.at = WalRcv->latestWalEndTime;
	SpinLockRelease(&WalRcv->mutex);
	if (XLogRecPtrIsInvalid(now.lsn) ||
		(n > 0 && announcement(n - 1)->lsn == now.lsn))
		return;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	/* another upstream's WAL may end earlier, or its clock be behind */
	if (n > 0 && (announcement(n - 1)->lsn > now.lsn ||
				  announcement(n - 1)->at > now.at))
		n = 0;
	if (n > 1 &&
		announcement(n - 1)->at - announcement(n - 2)->at < MIN_STEP_US)
		n--;
	*announcement(n) = now;
	shared->count = n + 1;
	LWLockRelease(shared->lock);
}

/*
 * passed -- when upstream's WAL went past a position
 *
 * after:	set to a time at which it had not, 0 if none is known
 * by:		set to a time at which it had
 *
 * Both by upstream's clock.  Returns false if that isn't known: nothing behind
 * the position was announced, or it is too long ago.
 *
 * Locking:	a shared LWLock.
 */
static bool
passed(XLogRecPtr lsn, TimestampTz *after, TimestampTz *by)
{
	uint64		low;
	uint64		high;
	bool		known;

	*after = *by = 0;
	if (shared == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	low = shared->count > KEPT ? shared->count - KEPT : 0;
	high = shared->count;

	/* the first one behind the position: between low and high */
	known = high > low && announcement(low)->lsn <= lsn &&
		announcement(high - 1)->lsn > lsn;
	while (known && high - low > 1)
	{
		uint64		middle = (low + high) / 2;

		if (announcement(middle)->lsn <= lsn)
			low = middle;
		else
			high = middle;
	}
	if (known)
	{
		*after = announcement(low)->at;
		*by = announcement(high)->at;
	}
	LWLockRelease(shared->lock);
	return known;
}

/*
 * glperf.upstream_passed(lsn) -- when upstream's WAL went past a position
 *
 * One row (after_at, by_at), NULL where that isn't known.
 */
Datum
glperf_upstream_passed(PG_FUNCTION_ARGS)
{
	TimestampTz after;
	TimestampTz by;
	bool		known;
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2];

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	known = passed(PG_GETARG_LSN(0), &after, &by);
	values[0] = TimestampTzGetDatum(after);
	values[1] = TimestampTzGetDatum(by);
	nulls[0] = nulls[1] = !known;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/*
 * uptime.c
 *		When the server was not there.
 *
 * The background worker notes every ten seconds, in a small file, that the
 * server is running.  When it starts it finds the last note of its predecessor:
 * what lies between was an outage, known to ten seconds after a crash, and
 * exactly after an orderly shutdown.  A worker that does not get to its note for
 * minutes was not there either: the machine was suspended, or stood still.
 *
 * The file is in a directory that backups leave out, so that a copy of the
 * server begins a history of its own.  It is not forced to disk: losing it with
 * the machine means that counting begins anew, which is shown.
 */
#include "glperf.h"

#include <sys/stat.h>
#include <unistd.h>

#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "collector.h"
#include "uptime.h"

#define UPTIME_FILE "pg_stat_tmp/glperf_uptime"
#define UPTIME_MAGIC 0x676c5001

/* Outages are remembered this long, and this many of them. */
#define WINDOW_US (INT64CONST(30) * 86400 * 1000000)
#define OUTAGES 64

/* A worker that is silent for longer was not running. */
#define SILENCE_US (INT64CONST(120) * 1000000)

/* Shorter than that is nothing. */
#define SHORTEST_US (INT64CONST(100) * 1000)

typedef struct Outage
{
	TimestampTz begin;
	TimestampTz end;
} Outage;

/* What the file holds. */
typedef struct Uptime
{
	uint32		magic;
	int32		count;
	TimestampTz since;			/* nothing is known of the time before */
	TimestampTz seen;			/* last time that the server was there */
	Outage		outages[OUTAGES];	/* in the order of time */
} Uptime;

typedef struct UptimeShared
{
	LWLock	   *lock;
	Uptime		uptime;			/* magic 0: the file was not read yet */
} UptimeShared;

static UptimeShared *shared = NULL;

PG_FUNCTION_INFO_V1(glperf_uptime);

/* Bytes of shared memory. */
Size
glperf_uptime_shmem_size(void)
{
	return sizeof(UptimeShared);
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_uptime_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf uptime", glperf_uptime_shmem_size(),
							 &found);
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = glperf_collector_lock(GLPERF_LOCK_UPTIME);
}

/* Read the file; false if there is none, or none that makes sense. */
static bool
read_file(Uptime *uptime, TimestampTz now)
{
	FILE	   *file = AllocateFile(UPTIME_FILE, PG_BINARY_R);
	bool		ok;

	if (file == NULL)
		return false;
	ok = fread(uptime, sizeof(*uptime), 1, file) == 1;
	FreeFile(file);
	return ok && uptime->magic == UPTIME_MAGIC && uptime->count >= 0 &&
		uptime->count <= OUTAGES && uptime->since <= uptime->seen &&
		uptime->seen <= now;
}

/* Write the file; a failure only means that less is known later. */
static void
write_file(const Uptime *uptime)
{
	FILE	   *file = AllocateFile(UPTIME_FILE ".tmp", PG_BINARY_W);
	bool		ok;

	if (file == NULL)
		return;
	ok = fwrite(uptime, sizeof(*uptime), 1, file) == 1;
	if (FreeFile(file) != 0 || !ok)
		(void) unlink(UPTIME_FILE ".tmp");
	else if (rename(UPTIME_FILE ".tmp", UPTIME_FILE) != 0)
		(void) unlink(UPTIME_FILE ".tmp");
}

/* Forget the oldest outage, and with it the time before its end. */
static void
forget_oldest(Uptime *uptime, bool by_age)
{
	if (!by_age)
		uptime->since = Max(uptime->since, uptime->outages[0].end);
	uptime->count--;
	memmove(&uptime->outages[0], &uptime->outages[1],
			uptime->count * sizeof(Outage));
}

/* The server was not there from the last time that it was seen until now. */
static void
add_outage(Uptime *uptime, TimestampTz now)
{
	if (uptime->count == OUTAGES)
		forget_oldest(uptime, false);
	uptime->outages[uptime->count].begin = uptime->seen;
	uptime->outages[uptime->count].end = now;
	uptime->count++;
}

/* See uptime.h. */
void
glperf_uptime_keep(void)
{
	TimestampTz now = GetCurrentTimestamp();
	Uptime		uptime = shared->uptime;	/* nobody else writes it */
	bool		first = uptime.magic == 0;

	if (first && !read_file(&uptime, now))
	{
		memset(&uptime, 0, sizeof(uptime));
		uptime.magic = UPTIME_MAGIC;
		uptime.since = uptime.seen = now;
	}
	if (now - uptime.seen > (first ? SHORTEST_US : SILENCE_US))
		add_outage(&uptime, now);
	/* a clock that was set back must not make time that is counted twice */
	uptime.seen = Max(uptime.seen, now);
	while (uptime.count > 0 && uptime.outages[0].end < now - WINDOW_US)
		forget_oldest(&uptime, true);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->uptime = uptime;
	LWLockRelease(shared->lock);
	write_file(&uptime);
}

/*
 * glperf.uptime(): one row about the last thirty days, or as far as is known:
 * since_at, window_s, down_s, outages, last_outage_at, last_outage_s.  No row
 * while nobody keeps notes.
 */
Datum
glperf_uptime(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Uptime		uptime = {0};
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz begin;
	int64		down = 0;
	Datum		values[6];
	bool		nulls[6] = {0};

	InitMaterializedSRF(fcinfo, 0);
	if (shared != NULL)
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		uptime = shared->uptime;
		LWLockRelease(shared->lock);
	}
	if (uptime.magic == 0)
		return (Datum) 0;
	begin = Max(uptime.since, now - WINDOW_US);
	for (int i = 0; i < uptime.count; i++)
		down += Max(uptime.outages[i].end - Max(uptime.outages[i].begin, begin),
					0);
	values[0] = TimestampTzGetDatum(begin);
	values[1] = Float8GetDatum(Max(now - begin, 0) / 1e6);
	values[2] = Float8GetDatum(down / 1e6);
	values[3] = Int64GetDatum(uptime.count);
	nulls[4] = nulls[5] = uptime.count == 0;
	if (uptime.count > 0)
	{
		const Outage *last = &uptime.outages[uptime.count - 1];

		values[4] = TimestampTzGetDatum(last->begin);
		values[5] = Float8GetDatum((last->end - last->begin) / 1e6);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}

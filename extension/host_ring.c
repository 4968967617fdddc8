/*
 * host_ring.c
 *		Readings kept, so that a rate has something to compare with.
 *
 * The kernel counts since boot; what matters is the last minutes, so a rate
 * needs an earlier reading.  Waiting between two readings would delay every
 * poll of the health page, so earlier readings are kept: by the collector's
 * background worker, every ten seconds and for everybody alike, when glperf is
 * preloaded; by the session itself otherwise.  (If each caller replaced one
 * shared reading, two dashboards would cut each other's window to nothing.)
 * Who cannot wait for a second poll asks for two readings at once.
 *
 * Kills for want of memory must not be missed between two polls, and such a
 * kill is likely to restart the server and to empty shared memory; they are
 * counted over a day, from what the postmaster itself remembers if need be.
 */
#include "glperf.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "collector.h"
#include "guc.h"
#include "host.h"

/* Readings are kept this far apart, and rates are over this long. */
#define KEEP_US (INT64CONST(10) * 1000000)
#define WINDOW_US (INT64CONST(300) * 1000000)
#define KEPT 32

/* Two readings closer than this say nothing: the kernel counts in ticks. */
#define SHORTEST_US (INT64CONST(1000) * GLPERF_HOST_MIN_WAIT_MS)

/* Kept readings older than this show that nobody keeps them any more. */
#define STALE_US (INT64CONST(60) * 1000000)

/* Kills are remembered hourly for a day. */
#define EVENTS_US (INT64CONST(3600) * 1000000)
#define EVENTS_KEPT 24

/* Readings in the order they were made: the newest is number count - 1. */
typedef struct HostRing
{
	LWLock	   *lock;			/* NULL: the session's own */
	char		root[MAXPGPATH];
	uint64		count;
	uint64		event_count;
	GlperfHostReading readings[KEPT];	/* number n is at n % KEPT */
	GlperfHostEvents events[EVENTS_KEPT];
} HostRing;

static HostRing *shared = NULL;
static HostRing *own = NULL;

/* The postmaster's first sight, which outlives shared memory. */
static GlperfHostEvents first_events;

/* Bytes of shared memory. */
Size
glperf_host_shmem_size(void)
{
	return sizeof(HostRing);
}

/* What the reading says about kills. */
static GlperfHostEvents
events_of(const GlperfHostReading *reading)
{
	GlperfHostEvents events;

	events.clock_us = reading->clock_us;
	events.at = reading->at;
	events.missing = reading->missing;
	events.oom_kills = reading->oom_kills;
	events.cgroup_oom_kills = reading->cgroup_oom_kills;
	return events;
}

/*
 * Attach to shared memory, and initialise it in the postmaster.  After a crash
 * this runs in the same postmaster, which remembers its first sight.
 */
void
glperf_host_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf host", glperf_host_shmem_size(), &found);
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = glperf_collector_lock(GLPERF_LOCK_HOST);
	strlcpy(shared->root, glperf_host_root, MAXPGPATH);
	if (first_events.clock_us == 0)
	{
		GlperfHostReading *reading = &shared->readings[0];

		glperf_host_read(glperf_host_root, reading, NULL);
		first_events = events_of(reading);
		shared->count = 1;
	}
	shared->events[0] = first_events;
	shared->event_count = 1;
}

/* Add a reading, if the last one is old enough. */
static void
ring_add(HostRing *ring, const char *root, const GlperfHostReading *reading)
{
	const GlperfHostReading *last;
	const GlperfHostEvents *event;

	if (strcmp(ring->root, root) != 0)
	{
		strlcpy(ring->root, root, MAXPGPATH);
		ring->count = 0;
		ring->event_count = 0;
	}
	last = &ring->readings[(ring->count + KEPT - 1) % KEPT];
	/* a moment early is not too early */
	if (ring->count == 0 || reading->clock_us - last->clock_us >= KEEP_US * 9 / 10)
	{
		ring->readings[ring->count % KEPT] = *reading;
		ring->count++;
	}
	event = &ring->events[(ring->event_count + EVENTS_KEPT - 1) % EVENTS_KEPT];
	if (ring->event_count == 0 || reading->clock_us - event->clock_us >= EVENTS_US)
	{
		ring->events[ring->event_count % EVENTS_KEPT] = events_of(reading);
		ring->event_count++;
	}
}

/* See host.h: called by the background worker, which is alone in writing. */
void
glperf_host_keep(void)
{
	static GlperfHostReading reading;

	glperf_host_read(glperf_host_root, &reading, NULL);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	ring_add(shared, glperf_host_root, &reading);
	LWLockRelease(shared->lock);
}

/* Microseconds from one reading to another; negative if that one is later. */
static int64
elapsed_us(const GlperfHostReading *now, const GlperfHostReading *before)
{
	return (int64) now->clock_us - (int64) before->clock_us;
}

/* See host.h. */
double
glperf_host_iowait_pct(const GlperfHostReading *now, const GlperfHostReading *before)
{
	double		total = glperf_host_growth(now->cpu_total, before->cpu_total);

	if (((now->missing | before->missing) & (1 << GLPERF_HOST_CPU)) != 0 ||
		total <= 0)
		return NAN;
	return 100 * Min(glperf_host_growth(now->cpu_iowait, before->cpu_iowait), total) / total;
}

/* Look at one step of the window for waits above spike_pct. */
static void
count_step(GlperfHostComparison *call, const GlperfHostReading *now,
		   const GlperfHostReading *before, double spike_pct)
{
	double		pct = glperf_host_iowait_pct(now, before);

	if (isnan(pct) || elapsed_us(now, before) < SHORTEST_US)
		return;
	call->steps++;
	if (pct > spike_pct)
		call->waiting_steps++;
	call->iowait_peak = Max(call->iowait_peak, pct);
}

/*
 * Compare now with the oldest reading of the window, or with the newest before
 * it, and look at the steps between.
 */
static void
compare_with_ring(GlperfHostComparison *call, const char *root,
				  const HostRing *ring, double spike_pct)
{
	uint64		first = ring->count > KEPT ? ring->count - KEPT : 0;
	uint64		from;

	if (ring->count == 0 || strcmp(ring->root, root) != 0)
		return;
	for (from = first; from < ring->count - 1; from++)
	{
		if (elapsed_us(&call->now, &ring->readings[from % KEPT]) <=
			WINDOW_US + KEEP_US)
			break;
	}
	if (elapsed_us(&call->now, &ring->readings[from % KEPT]) >= SHORTEST_US)
		call->before = ring->readings[from % KEPT];
	for (uint64 i = from; i < ring->count; i++)
		count_step(call, i + 1 < ring->count ?
				   &ring->readings[(i + 1) % KEPT] : &call->now,
				   &ring->readings[i % KEPT], spike_pct);
	if (ring->event_count > 0)
		call->events = ring->events[(ring->event_count > EVENTS_KEPT ?
									 ring->event_count : 0) % EVENTS_KEPT];
}

/* Is somebody keeping readings of this root for everybody? */
static bool
shared_is_fresh(const GlperfHostComparison *call, const char *root)
{
	const GlperfHostReading *last;

	if (shared == NULL || shared->count == 0 ||
		strcmp(shared->root, root) != 0)
		return false;
	last = &shared->readings[(shared->count - 1) % KEPT];
	return elapsed_us(&call->now, last) < STALE_US;
}

/* Wait between two readings; can be cancelled. */
static void
wait_between(int64 wait_ms)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													wait_ms);

	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   until);

		CHECK_FOR_INTERRUPTS();
		if (left <= 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT |
						 WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* See host.h. */
void
glperf_host_compare(const char *root, int64 wait_ms, double spike_pct,
					GlperfHostComparison *call)
{
	memset(call, 0, sizeof(*call));
	if (wait_ms > 0)
	{
		glperf_host_read(root, &call->before, NULL);
		call->events = events_of(&call->before);
		wait_between(wait_ms);
	}
	glperf_host_read(root, &call->now, &call->reasons);
	if (wait_ms > 0)
		count_step(call, &call->now, &call->before, spike_pct);
	else
	{
		bool		compared = false;

		if (shared != NULL)
		{
			LWLockAcquire(shared->lock, LW_SHARED);
			compared = shared_is_fresh(call, root);
			if (compared)
				compare_with_ring(call, root, shared, spike_pct);
			LWLockRelease(shared->lock);
		}
		if (!compared)
		{
			if (own == NULL)
				own = MemoryContextAllocZero(TopMemoryContext, sizeof(HostRing));
			compare_with_ring(call, root, own, spike_pct);
			ring_add(own, root, &call->now);
		}
	}
	call->window_s = call->before.clock_us == 0 ? NAN :
		elapsed_us(&call->now, &call->before) / 1e6;
}

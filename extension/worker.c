/*
 * worker.c
 *		The collector's background worker: room, recent totals, looks at waits and
 *		at the machine.
 *
 * The worker touches shared memory only, and reads files of /proc and /sys.  It has no database, so it can't be in
 * the way of anybody who drops one, runs on a standby as well, and sees no
 * user's data.  Statistics go on without it: it only keeps the table of
 * statements from filling up and remembers how totals were a while ago.
 */
#include "glperf.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "collector.h"
#include "collector_store.h"
#include "errors.h"
#include "guc.h"
#include "host.h"
#include "received.h"
#include "uptime.h"
#include "waits.h"
#include "worker.h"

/* Totals are kept this often, and this many of them: ten minutes. */
#define TOTALS_INTERVAL_US (INT64CONST(10) * 1000000)
#define TOTALS_KEPT 61

/* How often the table of statements is looked after, in milliseconds. */
#define UPKEEP_MS 1000

/* Share of the table that is made free when it is nearly full: 1/10. */
#define EVICT_SHARE 10

/* Shared memory. */
typedef struct WorkerShared
{
	LWLock	   *lock;
	pid_t		pid;			/* of the worker, 0 while there is none */
	uint64		kept;			/* totals kept so far; the ring's position */
	GlperfTotals ring[TOTALS_KEPT];
} WorkerShared;

/* How much a statement was used lately; the worker's own. */
typedef struct Usage
{
	uint64		calls;			/* when last looked at */
	double		lately;			/* calls, older ones counting less */
} Usage;

static WorkerShared *shared = NULL;

PGDLLEXPORT void glperf_worker_main(Datum arg);

/* Bytes of shared memory. */
Size
glperf_worker_shmem_size(void)
{
	return sizeof(WorkerShared);
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_worker_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf worker", glperf_worker_shmem_size(),
							 &found);
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = glperf_collector_lock(GLPERF_LOCK_WORKER);
	shared->ring[0].at = GetCurrentTimestamp();
	shared->kept = 1;
}

/* See worker.h. */
void
glperf_worker_init(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "glperf", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "glperf_worker_main",
			sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "glperf collector", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "glperf collector", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* See worker.h. */
int
glperf_worker_pid(void)
{
	return shared == NULL ? 0 : (int) shared->pid;
}

/* The worker ends. */
static void
forget_pid(int code, Datum arg)
{
	shared->pid = 0;
}

/* Sum of all that is counted now. */
static void
read_totals(GlperfTotals *totals)
{
	int			n = glperf_store_size();
	int			nerrors = glperf_errors_size();

	memset(totals, 0, sizeof(*totals));
	totals->at = GetCurrentTimestamp();
	for (int i = 0; i < n; i++)
	{
		GlperfReading reading;

		/* BEGIN and COMMIT would make everything look fast. */
		if (!glperf_store_read(i, &reading) || !reading.toplevel ||
			reading.utility)
			continue;
		totals->calls += reading.calls;
		totals->failed += reading.errors;
		totals->total_ns += reading.total_ns;
		for (int c = 0; c < GLPERF_HIST_CELLS; c++)
			totals->cells[c] += reading.cells[c];
	}
	for (int i = 0; i < nerrors; i++)
	{
		GlperfErrorCount row;

		if (glperf_errors_read(i, &row))
			totals->errors += row.count;
	}
}

/* Keep the totals of now for later. */
static void
keep_totals(void)
{
	static GlperfTotals totals;

	read_totals(&totals);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->ring[shared->kept % TOTALS_KEPT] = totals;
	shared->kept++;
	LWLockRelease(shared->lock);
}

/* What came after before, where a statement that left meanwhile counts as 0. */
static uint64
growth(uint64 now, uint64 before)
{
	return now > before ? now - before : 0;
}

/* See worker.h. */
TimestampTz
glperf_worker_window(TimestampTz since, GlperfTotals *window)
{
	GlperfTotals now;
	GlperfTotals before;
	uint64		oldest;

	memset(window, 0, sizeof(*window));
	if (shared == NULL)
		return 0;
	read_totals(&now);

	LWLockAcquire(shared->lock, LW_SHARED);
	oldest = shared->kept > TOTALS_KEPT ? shared->kept - TOTALS_KEPT : 0;
	before = shared->ring[oldest % TOTALS_KEPT];
	for (uint64 i = oldest + 1; i < shared->kept; i++)
	{
		if (shared->ring[i % TOTALS_KEPT].at > since)
			break;
		before = shared->ring[i % TOTALS_KEPT];
	}
	LWLockRelease(shared->lock);

	window->at = before.at;
	window->calls = 0;
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
	{
		window->cells[c] = growth(now.cells[c], before.cells[c]);
		window->calls += window->cells[c];
	}
	window->failed = growth(now.failed, before.failed);
	window->errors = growth(now.errors, before.errors);
	window->total_ns = growth(now.total_ns, before.total_ns);
	return now.at;
}

static const Usage *compared_usage; /* for compare_usage() */

/* Order places by how little they were used lately. */
static int
compare_usage(const void *a, const void *b)
{
	double		x = compared_usage[*(const int *) a].lately;
	double		y = compared_usage[*(const int *) b].lately;

	return (x > y) - (x < y);
}

/*
 * Look after the table of statements: note how much each was used since the
 * last time, and evict the least used when places run short.
 */
static void
look_after_store(Usage *usage, int *candidates)
{
	static int	rounds = 0;
	bool		wants_room = glperf_store_wants_room();
	int			n = glperf_store_size();
	int			ncandidates = 0;

	glperf_store_settle();

	/* Reading every histogram is for when there is a use for it. */
	if (!wants_room && ++rounds % 10 != 0)
		return;
	for (int i = 1; i < n; i++)
	{
		GlperfReading reading;

		if (!glperf_store_read(i, &reading))
		{
			usage[i].calls = 0;
			usage[i].lately = 0;
			continue;
		}
		usage[i].lately = usage[i].lately * 0.5 +
			(double) growth(reading.calls, usage[i].calls);
		usage[i].calls = reading.calls;
		if (reading.queryid != 0)
			candidates[ncandidates++] = i;
	}
	if (!wants_room)
		return;
	compared_usage = usage;
	qsort(candidates, ncandidates, sizeof(int), compare_usage);
	glperf_store_evict(candidates, Min(ncandidates, n / EVICT_SHARE + 1));
}

/* The worker. */
void
glperf_worker_main(Datum arg)
{
	int			n = glperf_store_size();
	Usage	   *usage;
	int		   *candidates;
	TimestampTz next_upkeep = 0;
	TimestampTz next_totals = 0;
	TimestampTz next_history = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	before_shmem_exit(forget_pid, (Datum) 0);
	shared->pid = MyProcPid;

	usage = MemoryContextAllocZero(TopMemoryContext, n * sizeof(Usage));
	candidates = MemoryContextAllocZero(TopMemoryContext, n * sizeof(int));

	while (!ShutdownRequestPending)
	{
		TimestampTz now = GetCurrentTimestamp();
		long		timeout = UPKEEP_MS;

		if (now >= next_upkeep)
		{
			look_after_store(usage, candidates);
			next_upkeep = now + UPKEEP_MS * INT64CONST(1000);
		}
		if (now >= next_totals)
		{
			keep_totals();
			glperf_host_keep();
			glperf_uptime_keep();
			next_totals = now + TOTALS_INTERVAL_US;
		}
		next_history = glperf_history_run(now, next_history);
		glperf_received_note();
		if (glperf_wait_interval_ms > 0)
		{
			glperf_waits_sample();
			timeout = Min(timeout, glperf_wait_interval_ms);
		}

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT |
						 WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	glperf_uptime_keep();
	/* 0 would mean that the work is done, and nobody starts it again */
	proc_exit(1);
}

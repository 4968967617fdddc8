/*
 * worker_history.c
 *		Snapshots into the history tables, at intervals.
 *
 * The collector's worker has no database.  For each snapshot it starts another
 * one, which connects to glperf.history_database, calls glperf.snapshot() if
 * the extension is there, and ends.  So nobody who drops the database or the
 * extension is held up, and an error ends that one run.  After failures, such
 * as a database that doesn't exist, the next run waits ever longer.
 */
#include "glperf.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_extension_d.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "worker.h"

/* The interval is doubled for each failure, this often at most. */
#define MAX_DOUBLINGS 6
#define MAX_WAIT_S 3600

/* Shared memory: runs that began since one ended well. */
typedef struct HistoryShared
{
	volatile uint32 failures;
} HistoryShared;

static HistoryShared *shared = NULL;

PGDLLEXPORT void glperf_history_main(Datum arg);

/* Bytes of shared memory. */
Size
glperf_history_shmem_size(void)
{
	return sizeof(HistoryShared);
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_history_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf history", glperf_history_shmem_size(),
							 &found);
	if (!found)
		shared->failures = 0;
}

/* Start one run; what can't be started counts as failed. */
static void
start_run(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "glperf", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "glperf_history_main",
			sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "glperf history", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "glperf history", BGW_MAXLEN);
	shared->failures++;
	(void) RegisterDynamicBackgroundWorker(&worker, NULL);
}

/* See worker.h. */
TimestampTz
glperf_history_run(TimestampTz now, TimestampTz due)
{
	int64		wait_s = glperf_history_interval_s;

	if (glperf_history_database == NULL || glperf_history_database[0] == '\0')
		return 0;
	if (now < due || RecoveryInProgress())
		return due;
	wait_s <<= Min(shared->failures, MAX_DOUBLINGS);
	start_run();
	wait_s = Min(wait_s, Max(MAX_WAIT_S, glperf_history_interval_s));
	return now + wait_s * INT64CONST(1000000);
}

/*
 * Does the extension exist in this database?  If so, it stays until the
 * transaction ends: dropping it waits for a lock that is taken here.
 */
static bool
hold_extension(void)
{
	Oid			extension = get_extension_oid("glperf", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	return get_extension_oid("glperf", true) == extension;
}

/* One run. */
void
glperf_history_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(glperf_history_database, NULL, 0);
	SetConfigOption("lock_timeout", "5s", PGC_SUSET, PGC_S_OVERRIDE);

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (hold_extension())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		pgstat_report_activity(STATE_RUNNING, "SELECT glperf.snapshot()");
		if (SPI_execute("SELECT glperf.snapshot()", false, 0) != SPI_OK_SELECT)
			elog(ERROR, "glperf.snapshot() failed");
		SPI_finish();
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	shared->failures = 0;
	proc_exit(0);
}

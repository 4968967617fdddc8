/*
 * collector.c
 *		The preloaded part: shared memory, and hooks around each statement.
 *
 * Hooks run in every database and in every kind of process, whether the
 * extension was created there or not, so they touch C state only.  They call
 * the previous hook or the standard function, and leave the statement's query
 * id alone: other modules, loaded before or after, want to see it too.
 *
 * A statement is at the top level when no other one is running: one that a
 * function, DO, EXPLAIN ANALYZE or CREATE TABLE AS runs is not.  EXECUTE passes
 * as if the client had sent the prepared statement itself.  Parallel workers
 * are part of their leader's statement.
 */
#include "glperf.h"

#include "access/parallel.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "tcop/utility.h"

#include "collector.h"
#include "guc.h"
#include "samples.h"

#define TRANCHE "glperf"

static bool loaded = false;		/* in shared_preload_libraries */
static LWLockPadded *locks = NULL;
static int	nesting_level = 0;	/* statements running around this one */

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;
static ExecutorRun_hook_type prev_ExecutorRun = NULL;
static ExecutorFinish_hook_type prev_ExecutorFinish = NULL;
static ProcessUtility_hook_type prev_ProcessUtility = NULL;

/* See collector.h. */
LWLock *
glperf_collector_lock(GlperfLock which)
{
	return &locks[which].lock;
}

/* See collector.h. */
bool
glperf_collector_loaded(void)
{
	return loaded;
}

/* Ask for shared memory; sizes depend on start-time settings only. */
static void
request_shmem(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	RequestAddinShmemSpace(glperf_samples_shmem_size());
	RequestNamedLWLockTranche(TRANCHE, GLPERF_LOCK_COUNT);
}

/* Attach to shared memory, in the postmaster initialise it. */
static void
startup_shmem(void)
{
	if (prev_shmem_startup)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	locks = GetNamedLWLockTranche(TRANCHE);
	glperf_samples_shmem_startup();
	LWLockRelease(AddinShmemInitLock);
}

/* Run a statement, after having sampled it if it is its turn. */
static void
run_statement(GLPERF_EXECUTOR_RUN_PARAMS)
{
	uint64		queryid = queryDesc->plannedstmt->queryId;

	if (nesting_level == 0 && queryid != 0 && glperf_sample_parameters &&
		!IsParallelWorker())
		glperf_samples_note(queryDesc, queryid);

	nesting_level++;
	PG_TRY();
	{
		if (prev_ExecutorRun)
			prev_ExecutorRun(GLPERF_EXECUTOR_RUN_ARGS);
		else
			standard_ExecutorRun(GLPERF_EXECUTOR_RUN_ARGS);
	}
	PG_FINALLY();
	{
		nesting_level--;
	}
	PG_END_TRY();
}

/* Statements that triggers run at the end of another one are nested. */
static void
finish_statement(QueryDesc *queryDesc)
{
	nesting_level++;
	PG_TRY();
	{
		if (prev_ExecutorFinish)
			prev_ExecutorFinish(queryDesc);
		else
			standard_ExecutorFinish(queryDesc);
	}
	PG_FINALLY();
	{
		nesting_level--;
	}
	PG_END_TRY();
}

/* Statements that a utility statement runs are nested, but for EXECUTE's. */
static void
run_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *queryEnv, DestReceiver *dest,
			QueryCompletion *qc)
{
	int			deeper = IsA(pstmt->utilityStmt, ExecuteStmt) ? 0 : 1;

	nesting_level += deeper;
	PG_TRY();
	{
		if (prev_ProcessUtility)
			prev_ProcessUtility(pstmt, queryString, readOnlyTree, context,
								params, queryEnv, dest, qc);
		else
			standard_ProcessUtility(pstmt, queryString, readOnlyTree, context,
									params, queryEnv, dest, qc);
	}
	PG_FINALLY();
	{
		nesting_level -= deeper;
	}
	PG_END_TRY();
}

/*
 * glperf_collector_init -- register the hooks
 *
 * Without preloading there is no shared memory to count into, so nothing is
 * hooked, and what reads the collector finds that it isn't there.
 */
void
glperf_collector_init(bool preloaded)
{
	glperf_guc_init(preloaded);
	if (!preloaded)
		return;
	loaded = true;
	EnableQueryId();

	GLPERF_HOOK_SHMEM_REQUEST(request_shmem, prev_shmem_request);
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	prev_ExecutorRun = ExecutorRun_hook;
	ExecutorRun_hook = run_statement;
	prev_ExecutorFinish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish_statement;
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = run_utility;
}

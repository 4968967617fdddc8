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
 *
 * An execution is counted once, at its end, however many times the executor is
 * entered to fetch from it; one that fails is counted when the error passes.
 */
#include "glperf.h"

#include <time.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"

#include "collector.h"
#include "collector_store.h"
#include "endpoints.h"
#include "errors.h"
#include "guc.h"
#include "host.h"
#include "samples.h"
#include "waits.h"
#include "worker.h"

#define TRANCHE "glperf"

/* Executions that may be under way at once and have their times added up. */
#define MAX_OPEN 16

/* An execution between its first fetch and its end. */
typedef struct OpenStatement
{
	QueryDesc  *query;
	uint64		ns;				/* spent so far */
} OpenStatement;

static bool loaded = false;		/* in shared_preload_libraries */
static LWLockPadded *locks = NULL;

static int	nesting_level = 0;	/* statements running around this one */
static OpenStatement open_statements[MAX_OPEN];
static int	nopen = 0;

/* Id of the utility statement analysed last. */
static uint64 utility_queryid = 0;

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;
static post_parse_analyze_hook_type prev_post_parse_analyze = NULL;
static ExecutorRun_hook_type prev_ExecutorRun = NULL;
static ExecutorFinish_hook_type prev_ExecutorFinish = NULL;
static ExecutorEnd_hook_type prev_ExecutorEnd = NULL;
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
	RequestAddinShmemSpace(glperf_store_shmem_size());
	RequestAddinShmemSpace(glperf_errors_shmem_size());
	RequestAddinShmemSpace(glperf_endpoints_shmem_size());
	RequestAddinShmemSpace(glperf_waits_shmem_size());
	RequestAddinShmemSpace(glperf_worker_shmem_size());
	RequestAddinShmemSpace(glperf_history_shmem_size());
	RequestAddinShmemSpace(glperf_host_shmem_size());
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
	glperf_store_shmem_startup();
	glperf_errors_shmem_startup();
	glperf_endpoints_shmem_startup();
	glperf_waits_shmem_startup();
	glperf_worker_shmem_startup();
	glperf_history_shmem_startup();
	glperf_host_shmem_startup();
	LWLockRelease(AddinShmemInitLock);
}

/* Nanoseconds of a clock that nobody sets. */
static inline uint64
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64) now.tv_sec * 1000000000 + (uint64) now.tv_nsec;
}

/* Are statements counted here and now? */
static inline bool
counting(uint64 queryid)
{
	return queryid != 0 && glperf_track != GLPERF_TRACK_NONE &&
		(nesting_level == 0 || glperf_track == GLPERF_TRACK_ALL) &&
		!IsParallelWorker();
}

/* Count an execution that ended, at the present nesting level. */
static inline void
count_execution(uint64 queryid, bool utility, const char *text, uint64 ns,
				bool failed)
{
	int			cell = glperf_histogram_cell(ns);

	glperf_store_count((int64) queryid, GetUserId(), nesting_level == 0,
					   utility, cell, ns, failed);
	if (likely(nesting_level == 0))
	{
		glperf_endpoints_count(text, cell, ns, failed);
		glperf_waits_running(0);
	}
}

/*
 * Time that the execution has taken so far, which is forgotten; -1 if there is
 * none to be counted.
 */
static int64
close_statement(QueryDesc *query)
{
	for (int i = nopen - 1; i >= 0; i--)
	{
		if (open_statements[i].query == query)
		{
			int64		ns = (int64) open_statements[i].ns;

			open_statements[i] = open_statements[--nopen];
			return ns;
		}
	}
	return -1;
}

/*
 * Add to the time of an execution that goes on.  Beyond MAX_OPEN at once, which
 * takes that many half-fetched cursors, each fetch is counted as an execution.
 */
static void
add_time(QueryDesc *query, uint64 ns)
{
	for (int i = nopen - 1; i >= 0; i--)
	{
		if (open_statements[i].query == query)
		{
			open_statements[i].ns += ns;
			return;
		}
	}
	if (nopen < MAX_OPEN)
	{
		open_statements[nopen].query = query;
		open_statements[nopen++].ns = ns;
	}
	else
		count_execution(query->plannedstmt->queryId, false, query->sourceText,
						ns, false);
}

/*
 * An error leaves a statement.  At the top level it is the statement's end;
 * further in, somebody may still catch it.
 */
static pg_noinline void
count_failure(QueryDesc *query, uint64 ns)
{
	uint64		queryid = query->plannedstmt->queryId;
	int64		before = close_statement(query);

	if (nesting_level > 0)
		return;
	count_execution(queryid, false, query->sourceText, ns + Max(before, 0),
					true);
	glperf_errors_caught((int64) queryid);
}

/* Does the statement do nothing any more once all its rows were fetched? */
static inline bool
only_reads(QueryDesc *query)
{
	return query->operation == CMD_SELECT &&
		!query->plannedstmt->hasModifyingCTE;
}

/*
 * Part of a statement ran: a fetch from a cursor, or a statement that has
 * triggers to run yet.  When a cursor is fetched from again after it was
 * counted, because nothing was left, there is nothing to add to.
 */
static pg_noinline void
count_part(QueryDesc *query, bool first, uint64 ns)
{
	if (nesting_level == 0 && only_reads(query))
		glperf_waits_running(0);
	for (int i = 0; i < nopen && !first; i++)
		first = open_statements[i].query == query;
	if (first)
		add_time(query, ns);
}

/* A statement, or the first fetch from it, is about to run. */
static inline void
begin_statement(QueryDesc *query, uint64 queryid)
{
	/* a leftover of a subtransaction's cursor, at the same address */
	if (unlikely(nopen > 0))
		close_statement(query);
	if (nesting_level == 0 && glperf_sample_parameters)
		glperf_samples_note(query, queryid);
}

/*
 * Run a statement or fetch from it, having sampled it if it is its turn.  What
 * is asked for all its rows at once, as most are, is counted here and leaves
 * nothing to remember.
 */
static void
run_statement(GLPERF_EXECUTOR_RUN_PARAMS)
{
	uint64		queryid = queryDesc->plannedstmt->queryId;
	bool		count_it = counting(queryid);
	bool		first = !queryDesc->already_executed;
	uint64		start = 0;

	if (likely(count_it))
	{
		if (first)
			begin_statement(queryDesc, queryid);
		if (nesting_level == 0)
			glperf_waits_running(queryid);
		start = clock_ns();
	}

	nesting_level++;
	PG_TRY();
	{
		if (prev_ExecutorRun)
			prev_ExecutorRun(GLPERF_EXECUTOR_RUN_ARGS);
		else
			standard_ExecutorRun(GLPERF_EXECUTOR_RUN_ARGS);
	}
	PG_CATCH();
	{
		nesting_level--;
		if (count_it)
			count_failure(queryDesc, clock_ns() - start);
		PG_RE_THROW();
	}
	PG_END_TRY();
	nesting_level--;

	if (likely(count_it))
	{
		uint64		ns = clock_ns() - start;

		if (likely(first && count == 0 && only_reads(queryDesc)))
			count_execution(queryid, false, queryDesc->sourceText, ns, false);
		else
			count_part(queryDesc, first, ns);
	}
}

/* Run the AFTER triggers of a statement that wrote, and count it. */
static pg_noinline void
finish_writing(QueryDesc *queryDesc)
{
	uint64		queryid = queryDesc->plannedstmt->queryId;
	bool		count_it = counting(queryid);
	uint64		start = 0;

	if (count_it)
		start = clock_ns();
	nesting_level++;
	PG_TRY();
	{
		if (prev_ExecutorFinish)
			prev_ExecutorFinish(queryDesc);
		else
			standard_ExecutorFinish(queryDesc);
	}
	PG_CATCH();
	{
		nesting_level--;
		if (count_it)
			count_failure(queryDesc, clock_ns() - start);
		PG_RE_THROW();
	}
	PG_END_TRY();
	nesting_level--;
	if (count_it)
	{
		uint64		ns = clock_ns() - start;
		int64		before = close_statement(queryDesc);

		if (before >= 0)
			count_execution(queryid, false, queryDesc->sourceText, before + ns,
							false);
	}
}

/*
 * Finish a statement: its AFTER triggers run, as part of its time.  A SELECT
 * that changes nothing has none, and passes.
 */
static void
finish_statement(QueryDesc *queryDesc)
{
	if (!only_reads(queryDesc))
		finish_writing(queryDesc);
	else if (prev_ExecutorFinish)
		prev_ExecutorFinish(queryDesc);
	else
		standard_ExecutorFinish(queryDesc);
}

/* A cursor that was not fetched from to its end is closed: count it. */
static pg_noinline void
end_cursor(QueryDesc *queryDesc)
{
	int64		ns = close_statement(queryDesc);

	if (ns >= 0)
		count_execution(queryDesc->plannedstmt->queryId, false,
						queryDesc->sourceText, (uint64) ns, false);
}

/* A statement ends. */
static void
end_statement(QueryDesc *queryDesc)
{
	if (unlikely(nopen > 0))
		end_cursor(queryDesc);
	if (prev_ExecutorEnd)
		prev_ExecutorEnd(queryDesc);
	else
		standard_ExecutorEnd(queryDesc);
}

/*
 * Remember a utility statement's id: other modules clear it in the statement
 * before ours sees it run.
 */
static void
note_analysis(ParseState *pstate, Query *query, GlperfJumbleState *jstate)
{
	glperf_endpoints_new_text();
	if (query->utilityStmt != NULL && nesting_level == 0)
		utility_queryid = query->queryId;
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jstate);
}

/*
 * Id of a utility statement of the client.  A statement prepared in the
 * protocol may have lost its id when it ran before; then the last one analysed
 * can be another.
 */
static uint64
utility_id(PlannedStmt *pstmt)
{
	if (pstmt->queryId != 0)
		return pstmt->queryId;
	if (pgstat_get_my_query_id() != 0)
		return pgstat_get_my_query_id();
	return utility_queryid;
}

/*
 * Run a utility statement.  EXECUTE, PREPARE and DEALLOCATE are left to what
 * they run, as in pg_stat_statements.  The statement's own memory may be gone
 * when it has run.
 */
static void
run_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *queryEnv, DestReceiver *dest,
			QueryCompletion *qc)
{
	Node	   *command = pstmt->utilityStmt;
	bool		passes;
	uint64		queryid = 0;
	uint64		start = 0;

	passes = IsA(command, ExecuteStmt) || IsA(command, PrepareStmt) ||
		IsA(command, DeallocateStmt);
	if (!passes && glperf_track_utility)
		queryid = nesting_level == 0 ? utility_id(pstmt) : pstmt->queryId;
	utility_queryid = 0;
	if (!counting(queryid))
		queryid = 0;
	if (queryid != 0)
	{
		if (nesting_level == 0)
			glperf_waits_running(queryid);
		start = clock_ns();
	}

	nesting_level += !passes;
	PG_TRY();
	{
		if (prev_ProcessUtility)
			prev_ProcessUtility(pstmt, queryString, readOnlyTree, context,
								params, queryEnv, dest, qc);
		else
			standard_ProcessUtility(pstmt, queryString, readOnlyTree, context,
									params, queryEnv, dest, qc);
	}
	PG_CATCH();
	{
		nesting_level -= !passes;
		if (queryid != 0 && nesting_level == 0)
		{
			count_execution(queryid, true, queryString, clock_ns() - start,
							true);
			glperf_errors_caught((int64) queryid);
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
	nesting_level -= !passes;
	if (queryid != 0)
		count_execution(queryid, true, NULL, clock_ns() - start, false);
}

/* Nothing is half fetched any more when a transaction ends. */
static void
end_transaction(XactEvent event, void *arg)
{
	if (likely(nopen == 0 && event != XACT_EVENT_ABORT))
		return;
	if (event == XACT_EVENT_ABORT)
		glperf_errors_abort();
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT ||
		event == XACT_EVENT_PREPARE)
		nopen = 0;
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
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = note_analysis;
	prev_ExecutorRun = ExecutorRun_hook;
	ExecutorRun_hook = run_statement;
	prev_ExecutorFinish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish_statement;
	prev_ExecutorEnd = ExecutorEnd_hook;
	ExecutorEnd_hook = end_statement;
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = run_utility;
	RegisterXactCallback(end_transaction, NULL);
	glperf_errors_init();
	glperf_waits_init();
	glperf_worker_init();
}

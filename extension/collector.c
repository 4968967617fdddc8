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

#include "collector.h"
#include "collector_store.h"
#include "counters.h"
#include "endpoints.h"
#include "errors.h"
#include "guc.h"
#include "host.h"
#include "received.h"
#include "recent_shared.h"
#include "samples.h"
#include "uptime.h"
#include "utility_id.h"
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

/*
 * The client's statement that runs, if nesting_level is above 0; its id is in
 * glperf_backend_slot.
 */
static uint64 running_since = 0;
static const char *running_text = NULL;
static bool running_utility = false;

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;
static post_parse_analyze_hook_type prev_post_parse_analyze = NULL;
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
	RequestAddinShmemSpace(glperf_store_shmem_size());
	RequestAddinShmemSpace(glperf_errors_shmem_size());
	RequestAddinShmemSpace(glperf_endpoints_shmem_size());
	RequestAddinShmemSpace(glperf_waits_shmem_size());
	RequestAddinShmemSpace(glperf_worker_shmem_size());
	RequestAddinShmemSpace(glperf_history_shmem_size());
	RequestAddinShmemSpace(glperf_host_shmem_size());
	RequestAddinShmemSpace(glperf_received_shmem_size());
	RequestAddinShmemSpace(glperf_counters_shmem_size());
	RequestAddinShmemSpace(glperf_uptime_shmem_size());
	RequestAddinShmemSpace(glperf_recent_shmem_size());
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
	glperf_received_shmem_startup();
	glperf_counters_shmem_startup();
	glperf_uptime_shmem_startup();
	glperf_recent_shmem_startup();
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

/* Does the statement do nothing any more once all its rows were fetched? */
static inline bool
only_reads(QueryDesc *query)
{
	return query->operation == CMD_SELECT &&
		!query->plannedstmt->hasModifyingCTE;
}

/* Count an execution that ended, at the present nesting level. */
static pg_noinline void
count_execution(uint64 queryid, bool utility, const char *text, uint64 ns,
				bool failed)
{
	int			cell = glperf_histogram_cell(ns);
	Oid			userid = GetUserId();
	bool		toplevel = nesting_level == 0;
	GlperfRecentStatement *recent = glperf_store_recent(queryid);
	GlperfStoreEntry *entry;

	if (recent->queryid != queryid ||
		recent->who != glperf_store_who(userid, toplevel))
		glperf_store_meet(recent, queryid, userid, toplevel);
	entry = recent->entry;
	if (pg_atomic_read_u64(&entry->key) != recent->key)
		entry = glperf_store_find(recent->key, queryid, userid, toplevel,
								  utility);
	glperf_store_add(entry, cell, ns, failed);
	if (toplevel)
	{
		glperf_endpoints_count(text, cell, ns, failed);
		glperf_waits_running(0);
	}
}

/*
 * The process ends within a statement: it was terminated.  The error's count
 * is up to errors.c.
 */
static void
count_terminated(int code, Datum arg)
{
	uint64		queryid = glperf_backend_slot->queryid;

	if (nesting_level == 0 || queryid == 0 || running_since == 0)
		return;
	nesting_level = 0;
	count_execution(queryid, running_utility, running_text,
					clock_ns() - running_since, true);
}

/* What a process does before its first statement is counted. */
static pg_noinline void
begin_counting(void)
{
	static bool begun = false;

	if (begun)
		return;
	begun = true;
	glperf_waits_attach();
	before_shmem_exit(count_terminated, (Datum) 0);
}

/* Note what the client's statement is that begins to run; returns the time. */
static inline uint64
begin_running(uint64 queryid, const char *text)
{
	glperf_waits_running(queryid);
	running_text = text;
	return running_since = clock_ns();
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
 * A cursor that was not fetched from to its end is closed, or its transaction
 * ends: count it, unless that is because it was rolled back.
 */
static void
count_cursor(void *arg)
{
	QueryDesc  *query = arg;
	int64		ns = close_statement(query);

	if (ns >= 0 && IsTransactionState())
		count_execution(query->plannedstmt->queryId, false, query->sourceText,
						(uint64) ns, false);
}

/*
 * Add to the time of an execution that goes on.  Beyond MAX_OPEN at once, which
 * takes that many half-fetched cursors, each fetch is counted as an execution.
 *
 * That a cursor ends shows when its memory is given back: an ExecutorEnd hook
 * would be paid for by every statement.
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
	if (nopen == MAX_OPEN)
	{
		count_execution(query->plannedstmt->queryId, false, query->sourceText,
						ns, false);
		return;
	}
	if (only_reads(query))
	{
		MemoryContext context = query->estate->es_query_cxt;
		MemoryContextCallback *callback;

		callback = MemoryContextAlloc(context, sizeof(*callback));
		callback->func = count_cursor;
		callback->arg = query;
		MemoryContextRegisterResetCallback(context, callback);
	}
	open_statements[nopen].query = query;
	open_statements[nopen++].ns = ns;
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
static void
begin_statement(QueryDesc *query, uint64 queryid)
{
	/* a leftover of what a subtransaction wrote, at the same address */
	if (nopen > 0)
		close_statement(query);
	if (nesting_level == 0)
	{
		GlperfRecentStatement *recent = glperf_store_recent(queryid);

		if (recent->queryid != queryid)
			glperf_store_meet(recent, queryid, GetUserId(), true);
		glperf_samples_note(query, queryid, &recent->throttle);
	}
}

/* Run a statement that writes, fetch from one, or run one in a function. */
static pg_noinline void
run_part(GLPERF_EXECUTOR_RUN_PARAMS)
{
	uint64		queryid = queryDesc->plannedstmt->queryId;
	bool		count_it = counting(queryid);
	bool		first = !queryDesc->already_executed;
	uint64		start = 0;

	if (count_it)
	{
		begin_counting();
		if (first)
			begin_statement(queryDesc, queryid);
		start = nesting_level == 0 ?
			begin_running(queryid, queryDesc->sourceText) : clock_ns();
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

	if (count_it)
	{
		uint64		ns = clock_ns() - start;

		if (first && count == 0 && only_reads(queryDesc))
			count_execution(queryid, false, queryDesc->sourceText, ns, false);
		else
			count_part(queryDesc, first, ns);
	}
}

/*
 * A statement that this process has not run lately; false if it is not to be
 * counted as the client's.  What a parallel worker runs is nested for good.
 */
static pg_noinline bool
meet_statement(GlperfRecentStatement *recent, uint64 queryid)
{
	if (IsParallelWorker())
		nesting_level = 1;
	if (!counting(queryid) || IsParallelWorker())
		return false;
	begin_counting();
	glperf_store_meet(recent, queryid, GetUserId(), true);
	return true;
}

/*
 * Run a statement, having sampled it if it is its turn.
 *
 * Here is the hot path: a client's SELECT that is asked for all its rows at
 * once, as most are, is counted here and leaves nothing to remember.  No lock,
 * no allocation, no system call; two clock reads and two atomic additions.
 */
static void
run_statement(GLPERF_EXECUTOR_RUN_PARAMS)
{
	uint64		queryid = queryDesc->plannedstmt->queryId;
	GlperfRecentStatement *recent = glperf_store_recent(queryid);
	GlperfStoreEntry *entry;
	uint64		key;
	uint64		ns;
	int			cell;

	if (unlikely(nesting_level > 0 || count > 0 ||
				 queryDesc->already_executed || !only_reads(queryDesc) ||
				 glperf_track == GLPERF_TRACK_NONE) ||
		(unlikely(recent->queryid != queryid ||
				  recent->who != glperf_store_who(GetUserId(), true)) &&
		 !meet_statement(recent, queryid)))
	{
		run_part(GLPERF_EXECUTOR_RUN_ARGS);
		return;
	}

	glperf_samples_note(queryDesc, queryid, &recent->throttle);
	/* these need not be remembered any more when the statement has run */
	key = recent->key;
	entry = recent->entry;
	begin_running(queryid, queryDesc->sourceText);

	nesting_level = 1;
	PG_TRY();
	{
		if (prev_ExecutorRun)
			prev_ExecutorRun(GLPERF_EXECUTOR_RUN_ARGS);
		else
			standard_ExecutorRun(GLPERF_EXECUTOR_RUN_ARGS);
	}
	PG_CATCH();
	{
		nesting_level = 0;
		count_failure(queryDesc, clock_ns() - running_since);
		PG_RE_THROW();
	}
	PG_END_TRY();
	nesting_level = 0;

	ns = clock_ns() - running_since;
	cell = glperf_histogram_cell(ns);
	if (unlikely(pg_atomic_read_u64(&entry->key) != key))
		entry = glperf_store_find(key, queryid, GetUserId(), true, false);
	glperf_store_add(entry, cell, ns, false);
	glperf_endpoints_count(running_text, cell, ns, false);
	glperf_waits_running(0);
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

/*
 * Remember a utility statement's id: other modules clear it in the statement
 * before ours sees it run.
 */
static void
note_analysis(ParseState *pstate, Query *query, GlperfJumbleState *jstate)
{
	glperf_endpoints_new_text();
	if (query->utilityStmt != NULL && nesting_level == 0)
		glperf_utility_id_note(pstate->p_sourcetext, query->stmt_location,
							   query->queryId);
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jstate);
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
	{
		queryid = pstmt->queryId;
		if (queryid == 0 && nesting_level == 0)
			queryid = glperf_utility_id(queryString, pstmt->stmt_location);
	}
	if (!counting(queryid))
		queryid = 0;
	if (queryid != 0)
	{
		begin_counting();
		running_utility = nesting_level == 0;
		start = nesting_level == 0 ?
			begin_running(queryid, queryString) : clock_ns();
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
		if (nesting_level == 0)
			running_utility = false;
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
	if (nesting_level == 0)
		running_utility = false;
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
		glperf_errors_abort(true);
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT ||
		event == XACT_EVENT_PREPARE)
		nopen = 0;
}

/* An error may end with a subtransaction, that is after SAVEPOINT. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId mySubid,
				   SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		glperf_errors_abort(false);
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
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = run_utility;
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	glperf_errors_init();
	glperf_waits_init();
	glperf_worker_init();
}

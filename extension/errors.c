/*
 * errors.c
 *		Errors by SQLSTATE, database and statement.
 *
 * An error is counted once, at the first of these places that sees it:
 *
 * - where the collector's hooks catch it on its way out of a statement;
 * - where it goes to the server log: errors from parsing and planning, refused
 *	 connections, everything that no hook of a statement is around of;
 * - where the transaction aborts, for what log_min_messages keeps out of the
 *	 log;
 * - where it is raised, in a transaction that has failed already: nobody can
 *	 catch it there, and no transaction aborts;
 * - where the process exits because of it, be it before it was connected.
 *
 * Errors that a PL/pgSQL handler catches pass none of them.  The last two know
 * the error from see_error(), which is called as an error's context is asked
 * for: at the bottom of the stack of those, from the postmaster on.
 *
 * The table is a hash of fixed size, claimed by compare-and-exchange, because
 * a client that is turned away ("too many clients") has no PGPROC and can't
 * wait for a lock.  When the part for statements is full, an error is counted
 * without its statement, then without anything.
 */
#include "glperf.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/pg_shmem.h"
#include "storage/shmem.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

#include "errors.h"

#define STATEMENT_ROWS 512		/* powers of two */
#define DATABASE_ROWS 256
#define OTHER_ROW (STATEMENT_ROWS + DATABASE_ROWS)
#define ROWS (OTHER_ROW + 1)

/* Rows in which a key may be. */
#define WINDOW 32

/* One row; the last one has no key and counts the rest. */
typedef struct ErrorRow
{
	pg_atomic_uint64 key;		/* 0: free */
	pg_atomic_uint64 count;
	pg_atomic_uint64 last_at;
	pg_atomic_uint32 ready;		/* the fields below are filled */
	Oid			dbid;
	int			sqlstate;
	int64		queryid;
} ErrorRow;

static ErrorRow *rows = NULL;
static emit_log_hook_type prev_emit_log = NULL;

/* The error that is being handled now was counted. */
static bool counted = false;

/* What was raised last, be it a notice, and whether that alone counted it. */
static int	raised = 0;
static int64 raised_queryid = 0;
static bool raised_counted = false;

static void see_error(void *arg);
static void see_flush(void *arg);

/* Calls see_error() when anything is raised; see_flush() keeps it in place. */
static ErrorContextCallback error_watch = {.callback = see_error};
static MemoryContextCallback flush_watch = {.func = see_flush};
static bool flush_watched = false;

/* Bytes of shared memory. */
Size
glperf_errors_shmem_size(void)
{
	return mul_size(ROWS, sizeof(ErrorRow));
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_errors_shmem_startup(void)
{
	bool		found;

	rows = ShmemInitStruct("glperf errors", glperf_errors_shmem_size(),
						   &found);
	if (found)
		return;
	for (int i = 0; i < ROWS; i++)
	{
		pg_atomic_init_u64(&rows[i].key, 0);
		pg_atomic_init_u64(&rows[i].count, 0);
		pg_atomic_init_u64(&rows[i].last_at, 0);
		pg_atomic_init_u32(&rows[i].ready, i == OTHER_ROW);
		rows[i].dbid = InvalidOid;
		rows[i].sqlstate = 0;
		rows[i].queryid = 0;
	}
}

/* Is the table there for this process?  Some detach from shared memory. */
static bool
have_table(void)
{
	return rows != NULL && UsedShmemSegAddr != NULL;
}

/*
 * The row of the error in a part of the table, claimed if need be; NULL if the
 * part is full.
 */
static ErrorRow *
claim_row(ErrorRow *part, uint32 size, Oid dbid, int sqlstate, int64 queryid)
{
	uint64		key = (uint64) dbid << 32 | (uint32) sqlstate;

	key = (key ^ (uint64) queryid * UINT64CONST(0x9E3779B97F4A7C15)) *
		UINT64CONST(0xD6E8FEB86659FD93);
	key ^= key >> 32;
	key |= UINT64CONST(1) << 63;

	for (int i = 0; i < WINDOW; i++)
	{
		ErrorRow   *row = &part[(key + i) & (size - 1)];
		uint64		found = 0;

		if (pg_atomic_compare_exchange_u64(&row->key, &found, key))
		{
			row->dbid = dbid;
			row->sqlstate = sqlstate;
			row->queryid = queryid;
			pg_write_barrier();
			pg_atomic_write_u32(&row->ready, 1);
			return row;
		}
		if (found == key)
			return row;
	}
	return NULL;
}

/* Count one error. */
static void
count_error(int sqlstate, int64 queryid)
{
	ErrorRow   *row = NULL;

	if (!have_table() || !glperf_is_client_backend())
		return;
	if (queryid != 0)
		row = claim_row(rows, STATEMENT_ROWS, MyDatabaseId, sqlstate, queryid);
	if (row == NULL)
		row = claim_row(rows + STATEMENT_ROWS, DATABASE_ROWS, MyDatabaseId,
						sqlstate, 0);
	if (row == NULL)
		row = &rows[OTHER_ROW];
	pg_atomic_fetch_add_u64(&row->count, 1);
	pg_atomic_write_u64(&row->last_at, (uint64) GetCurrentTimestamp());
}

/* See errors.h. */
void
glperf_errors_caught(int64 queryid)
{
	count_error(geterrcode(), queryid);
	counted = true;
}

/*
 * An error on its way to the log.  One that happens outside a transaction is
 * followed by no abort that would reset the flag, so none is set.
 */
static void
see_log(ErrorData *edata)
{
	if (edata->elevel >= ERROR && !counted &&
		!(raised_counted && raised == edata->sqlerrcode))
	{
		count_error(edata->sqlerrcode, (int64) pgstat_get_my_query_id());
		counted = IsTransactionState();
		raised_counted = true;
	}
	if (prev_emit_log)
		prev_emit_log(edata);
}

/* Is it the SQLSTATE of an error?  Else of success, a warning or no data. */
static bool
is_error(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category != ERRCODE_TO_CATEGORY(ERRCODE_SUCCESSFUL_COMPLETION) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_WARNING) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_NO_DATA);
}

/* The process ends: by an error if its status is 1, and then by the last. */
static void
count_fatal(int code, Datum arg)
{
	if (code == 1 && !counted && !raised_counted && is_error(raised))
		count_error(raised, raised_queryid);
}

/* Call see_flush() when errors that were handled are forgotten. */
static void
watch_flush(void)
{
	if (flush_watched)
		return;
	flush_watched = true;
	MemoryContextRegisterResetCallback(ErrorContext, &flush_watch);
}

/*
 * Something is raised.  Its level can't be known here, nor whether it will be
 * caught, so it is only remembered, except where that is clear.
 */
static void
see_error(void *arg)
{
	static bool watch_exit = false;

	if (!IsUnderPostmaster || !glperf_is_client_backend() ||
		proc_exit_inprogress)
		return;
	raised = geterrcode();
	raised_queryid = (int64) pgstat_get_my_query_id();
	raised_counted = false;
	if (IsAbortedTransactionBlockState() && is_error(raised))
	{
		count_error(raised, 0);
		raised_counted = true;
	}

	/* before_shmem_exit() is not allowed while a connection is being made */
	if (!watch_exit && is_error(raised))
	{
		watch_exit = true;
		on_proc_exit(count_fatal, (Datum) 0);
	}
	watch_flush();
}

/* The main loop, having handled an error, has cleared the stack of contexts. */
static void
see_flush(void *arg)
{
	flush_watched = false;
	if (error_context_stack == NULL && !proc_exit_inprogress)
		error_context_stack = &error_watch;
}

/*
 * SQLSTATE of the error on the error stack, 0 if there is none.  PostgreSQL
 * only tells by raising an error itself, which resets what holds interrupts.
 */
static int
pending_sqlstate(void)
{
	uint32		save_interrupts = InterruptHoldoffCount;
	uint32		save_cancel = QueryCancelHoldoffCount;
	MemoryContext context = CurrentMemoryContext;
	volatile int sqlstate = 0;

	PG_TRY();
	{
		sqlstate = geterrcode();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	InterruptHoldoffCount = save_interrupts;
	QueryCancelHoldoffCount = save_cancel;
	return sqlstate;
}

/*
 * See errors.h.  If an error aborts the transaction, then from the main loop's
 * handler, which holds interrupts in addition to what aborts it; ROLLBACK,
 * procedures and handlers in functions don't.
 */
void
glperf_errors_abort(bool whole)
{
	bool		by_error = InterruptHoldoffCount > 1 && !proc_exit_inprogress;

	if (by_error && !counted)
	{
		int			sqlstate = pending_sqlstate();

		if (sqlstate != 0)
			count_error(sqlstate, (int64) pgstat_get_my_query_id());
	}
	if (whole || by_error)
		counted = false;
	if (IsUnderPostmaster)
		watch_flush();
}

/* See errors.h. */
void
glperf_errors_init(void)
{
	prev_emit_log = emit_log_hook;
	emit_log_hook = see_log;
	error_watch.previous = error_context_stack;
	error_context_stack = &error_watch;
}

/* See errors.h. */
int
glperf_errors_size(void)
{
	return rows == NULL ? 0 : ROWS;
}

/* See errors.h. */
bool
glperf_errors_read(int i, GlperfErrorCount *row)
{
	if (pg_atomic_read_u32(&rows[i].ready) == 0)
		return false;
	pg_read_barrier();
	row->dbid = rows[i].dbid;
	row->sqlstate = rows[i].sqlstate;
	row->queryid = rows[i].queryid;
	row->count = pg_atomic_read_u64(&rows[i].count);
	row->last_at = (TimestampTz) pg_atomic_read_u64(&rows[i].last_at);
	return row->count > 0;
}

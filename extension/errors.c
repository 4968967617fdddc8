/*
 * errors.c
 *		Errors by SQLSTATE, database and statement.
 *
 * An error is counted once, at the first of three places that sees it:
 *
 * - where the collector's hooks catch it on its way out of a statement;
 * - where it goes to the server log: errors from parsing and planning, refused
 *	 connections, everything that no hook of a statement is around of;
 * - where the transaction aborts: what log_min_messages keeps out of the log.
 *
 * Errors that a PL/pgSQL handler catches pass none of them.
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
	if (edata->elevel >= ERROR && !counted)
	{
		count_error(edata->sqlerrcode, (int64) pgstat_get_my_query_id());
		counted = IsTransactionState();
	}
	if (prev_emit_log)
		prev_emit_log(edata);
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
 * handler, which holds interrupts in addition to AbortTransaction() itself;
 * ROLLBACK and procedures don't.
 */
void
glperf_errors_abort(void)
{
	if (!counted && InterruptHoldoffCount > 1 && !proc_exit_inprogress)
	{
		int			sqlstate = pending_sqlstate();

		if (sqlstate != 0)
			count_error(sqlstate, (int64) pgstat_get_my_query_id());
	}
	counted = false;
}

/* See errors.h. */
void
glperf_errors_init(void)
{
	prev_emit_log = emit_log_hook;
	emit_log_hook = see_log;
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

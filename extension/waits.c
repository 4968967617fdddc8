/*
 * waits.c
 *		What statements wait for, and how many connections there were at most.
 *
 * The background worker looks at every backend many times a second: its wait
 * event is in its PGPROC, its statement in a slot of ours that only the
 * backend writes.  Neither is locked; a look may pair an event with the
 * statement before or after, which evens out.  Only the worker writes the
 * profile, so it needs no lock either: a row's fields are filled before its
 * count.
 *
 * Connected clients are counted exactly, as they authenticate and leave;
 * the other high-water marks are those of the looks.
 */
#include "glperf.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "waits.h"

/*
 * From libpq/auth.h, which can't be included without the headers of every
 * library that the server was built with.
 */
typedef struct Port Port;
typedef void (*ClientAuthentication_hook_type) (Port *, int);
extern PGDLLIMPORT ClientAuthentication_hook_type ClientAuthentication_hook;

#define STATEMENT_ROWS 4096		/* powers of two */
#define EVENT_ROWS 512
#define OTHER_ROW (STATEMENT_ROWS + EVENT_ROWS)
#define ROWS (OTHER_ROW + 1)

/* Rows in which a key may be. */
#define WINDOW 32

/* One row of the profile. */
typedef struct WaitRow
{
	pg_atomic_uint64 samples;	/* 0: free */
	uint64		queryid;
	Oid			dbid;
	uint32		event;
} WaitRow;

/* One high-water mark. */
typedef struct Peak
{
	pg_atomic_uint32 now;
	pg_atomic_uint32 peak;
	pg_atomic_uint64 at;
} Peak;

/* Head of the shared memory; the backends' slots follow. */
typedef struct WaitShared
{
	int			nbackends;
	pg_atomic_uint64 looks;
	Peak		peaks[GLPERF_PEAK_COUNT];
	WaitRow		rows[ROWS];
} WaitShared;

static GlperfBackendSlot no_slot;
GlperfBackendSlot *glperf_backend_slot = &no_slot;

static WaitShared *shared = NULL;
static GlperfBackendSlot *slots = NULL;
static ClientAuthentication_hook_type prev_ClientAuthentication = NULL;

/* Bytes of shared memory; the same at request and at attach. */
Size
glperf_waits_shmem_size(void)
{
	return add_size(CACHELINEALIGN(sizeof(WaitShared)),
					mul_size(glperf_max_backends(),
							 sizeof(GlperfBackendSlot)));
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_waits_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf waits", glperf_waits_shmem_size(),
							 &found);
	slots = (GlperfBackendSlot *) ((char *) shared +
								   CACHELINEALIGN(sizeof(WaitShared)));
	if (found)
		return;
	memset(shared, 0, glperf_waits_shmem_size());
	shared->nbackends = glperf_max_backends();
	pg_atomic_init_u64(&shared->looks, 0);
	for (int i = 0; i < GLPERF_PEAK_COUNT; i++)
	{
		pg_atomic_init_u32(&shared->peaks[i].now, 0);
		pg_atomic_init_u32(&shared->peaks[i].peak, 0);
		pg_atomic_init_u64(&shared->peaks[i].at, 0);
	}
	for (int i = 0; i < ROWS; i++)
		pg_atomic_init_u64(&shared->rows[i].samples, 0);
}

/* Set what a mark is now, and raise it. */
static void
raise_peak(GlperfPeak which, uint32 value)
{
	Peak	   *peak = &shared->peaks[which];
	uint32		old = pg_atomic_read_u32(&peak->peak);

	while (value > old)
	{
		if (pg_atomic_compare_exchange_u32(&peak->peak, &old, value))
		{
			pg_atomic_write_u64(&peak->at, (uint64) GetCurrentTimestamp());
			break;
		}
	}
}

/* A client leaves. */
static void
count_departure(int code, Datum arg)
{
	pg_atomic_fetch_sub_u32(&shared->peaks[GLPERF_PEAK_CONNECTIONS].now, 1);
}

/* A client comes: it holds a connection slot, let in or not. */
static void
count_arrival(Port *port, int status)
{
	if (prev_ClientAuthentication)
		prev_ClientAuthentication(port, status);
	if (shared == NULL || am_walsender)
		return;
	raise_peak(GLPERF_PEAK_CONNECTIONS,
			   pg_atomic_add_fetch_u32(&shared->peaks[GLPERF_PEAK_CONNECTIONS].now,
									   1));
	before_shmem_exit(count_departure, (Datum) 0);
}

/* See waits.h. */
void
glperf_waits_init(void)
{
	prev_ClientAuthentication = ClientAuthentication_hook;
	ClientAuthentication_hook = count_arrival;
}

/* The process ends; another one may get its slot. */
static void
clear_slot(int code, Datum arg)
{
	glperf_backend_slot->queryid = 0;
	glperf_backend_slot = &no_slot;
}

/* See waits.h. */
void
glperf_waits_attach(void)
{
	int			number = MyProc == NULL ? -1 : glperf_backend_number();

	if (glperf_backend_slot != &no_slot || shared == NULL || number < 0 ||
		number >= shared->nbackends)
		return;
	before_shmem_exit(clear_slot, (Datum) 0);
	glperf_backend_slot = &slots[number];
}

/* The row of a part of the profile, made if need be; NULL if it is full. */
static WaitRow *
find_row(WaitRow *part, uint32 size, Oid dbid, uint64 queryid, uint32 event)
{
	uint64		h = (uint64) dbid << 32 | event;

	h ^= queryid * UINT64CONST(0x9E3779B97F4A7C15);
	h = (h ^ h >> 32) * UINT64CONST(0xD6E8FEB86659FD93);
	h ^= h >> 32;
	for (int i = 0; i < WINDOW; i++)
	{
		WaitRow    *row = &part[(h + i) & (size - 1)];

		if (pg_atomic_read_u64(&row->samples) == 0)
		{
			row->dbid = dbid;
			row->queryid = queryid;
			row->event = event;
			pg_write_barrier();
			return row;
		}
		if (row->dbid == dbid && row->queryid == queryid &&
			row->event == event)
			return row;
	}
	return NULL;
}

/* Add one sighting to the profile. */
static void
add_sample(Oid dbid, uint64 queryid, uint32 event)
{
	WaitRow    *row;

	row = find_row(shared->rows, STATEMENT_ROWS, dbid, queryid, event);
	if (row == NULL)
		row = find_row(shared->rows + STATEMENT_ROWS, EVENT_ROWS, InvalidOid,
					   0, event);
	if (row == NULL)
		row = &shared->rows[OTHER_ROW];
	pg_atomic_write_u64(&row->samples, pg_atomic_read_u64(&row->samples) + 1);
}

/* See waits.h. */
void
glperf_waits_sample(void)
{
	uint32		active = 0;
	uint32		in_transaction = 0;
	uint32		waiting = 0;

	for (int i = 0; i < shared->nbackends; i++)
	{
		volatile PGPROC *proc = &ProcGlobal->allProcs[i];
		uint64		queryid = slots[i].queryid;
		uint32		event = proc->wait_event_info;
		Oid			dbid = proc->databaseId;

		if (proc->pid == 0 || !OidIsValid(dbid) || proc == MyProc)
			continue;
		if ((event & 0xFF000000) == PG_WAIT_LOCK)
			waiting++;
		if (queryid != 0)
			active++;
		else if (event == WAIT_EVENT_CLIENT_READ &&
				 glperf_proc_in_transaction(proc))
			in_transaction++;

		/* Idle is no wait, nor is a process waiting for work to do. */
		if ((queryid == 0 && (event == 0 || event == WAIT_EVENT_CLIENT_READ)) ||
			(event & 0xFF000000) == PG_WAIT_ACTIVITY)
			continue;
		add_sample(dbid, queryid, event);
	}
	pg_atomic_write_u32(&shared->peaks[GLPERF_PEAK_ACTIVE].now, active);
	raise_peak(GLPERF_PEAK_ACTIVE, active);
	pg_atomic_write_u32(&shared->peaks[GLPERF_PEAK_IN_TRANSACTION].now,
						in_transaction);
	raise_peak(GLPERF_PEAK_IN_TRANSACTION, in_transaction);
	pg_atomic_write_u32(&shared->peaks[GLPERF_PEAK_WAITING].now, waiting);
	raise_peak(GLPERF_PEAK_WAITING, waiting);
	pg_atomic_write_u64(&shared->looks, glperf_waits_looks() + 1);
}

/* See waits.h. */
int
glperf_waits_size(void)
{
	return shared == NULL ? 0 : ROWS;
}

/* See waits.h. */
bool
glperf_waits_read(int i, GlperfWaitCount *row)
{
	WaitRow    *from = &shared->rows[i];

	row->samples = pg_atomic_read_u64(&from->samples);
	pg_read_barrier();
	row->dbid = from->dbid;
	row->queryid = from->queryid;
	row->event = i == OTHER_ROW ? 0 : from->event;
	return row->samples > 0;
}

/* See waits.h. */
uint64
glperf_waits_looks(void)
{
	return shared == NULL ? 0 : pg_atomic_read_u64(&shared->looks);
}

/* See waits.h. */
void
glperf_waits_peak(GlperfPeak which, int64 *now, int64 *peak, TimestampTz *at)
{
	*now = *peak = *at = 0;
	if (shared == NULL)
		return;
	*now = pg_atomic_read_u32(&shared->peaks[which].now);
	*peak = pg_atomic_read_u32(&shared->peaks[which].peak);
	*at = (TimestampTz) pg_atomic_read_u64(&shared->peaks[which].at);
}

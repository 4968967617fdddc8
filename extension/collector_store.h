/*
 * collector_store.h
 *		The table of statements with their latency histograms.
 *
 * Counters only ever grow while a statement is in the table; readers that
 * want a window take the difference of two readings.
 */
#ifndef GLPERF_COLLECTOR_STORE_H
#define GLPERF_COLLECTOR_STORE_H

#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "port/atomics.h"

#include "histogram.h"

/* Entries of each backend's cache; a power of two. */
#define GLPERF_STATEMENT_CACHE 64

/* What a place in the table holds. */
typedef enum GlperfStatementState
{
	GLPERF_STATEMENT_FREE,
	GLPERF_STATEMENT_LIVE,
	GLPERF_STATEMENT_DYING		/* evicted; a late count may still arrive */
} GlperfStatementState;

/*
 * One statement of one role in one database.  queryid 0 stands for what has no
 * place of its own in that database, dbid 0 for what has none at all.
 */
typedef struct GlperfStatement
{
	pg_atomic_uint64 key;		/* 0 unless live */
	int64		queryid;
	Oid			userid;
	Oid			dbid;
	bool		toplevel;
	bool		utility;		/* a command, such as COMMIT or VACUUM */
	uint8		state;			/* GlperfStatementState, under the lock */
	TimestampTz since;			/* counts from here on; when dying, evicted */
	pg_atomic_uint64 total_ns;
	pg_atomic_uint64 max_ns;
	pg_atomic_uint64 errors;	/* executions that failed, also in cells */
	pg_atomic_uint64 cells[GLPERF_HIST_CELLS];
} GlperfStatement;

/* A reading of one statement, or a sum of several. */
typedef struct GlperfReading
{
	int64		queryid;
	Oid			userid;
	Oid			dbid;
	bool		toplevel;
	bool		utility;
	TimestampTz since;
	uint64		calls;			/* sum of cells */
	uint64		errors;
	uint64		total_ns;
	uint64		max_ns;
	uint64		cells[GLPERF_HIST_CELLS];
} GlperfReading;

/* How full the table is. */
typedef struct GlperfStoreUsage
{
	int64		places;
	int64		used;
	int64		evicted;		/* statements, since start */
} GlperfStoreUsage;

/* A statement that this backend has counted lately. */
typedef struct GlperfStatementCache
{
	uint64		key;
	GlperfStatement *statement;
} GlperfStatementCache;

extern GLPERF_LOCAL GlperfStatementCache glperf_statement_cache[GLPERF_STATEMENT_CACHE];

extern Size glperf_store_shmem_size(void);
extern void glperf_store_shmem_startup(void);

/* Number of places, 0 without shared memory. */
extern int	glperf_store_size(void);

/* Read place i; false if there is no statement. */
extern bool glperf_store_read(int i, GlperfReading *reading);

/* Executions counted in place i so far, whatever it holds. */
extern uint64 glperf_store_calls(int i);

extern void glperf_store_usage(GlperfStoreUsage *usage);

/* Is it time to make room? */
extern bool glperf_store_wants_room(void);

/*
 * glperf_store_evict -- take statements out of the table
 *
 * places:	their n places, in any order; those not live are passed over
 *
 * What they have counted goes to their database's entry for the rest, so that
 * totals stay.  A backend that found one of them before may still count into
 * it, so their places are free only after a while: see glperf_store_settle().
 */
extern void glperf_store_evict(const int *places, int n);

/* Free the places of statements evicted some seconds ago. */
extern void glperf_store_settle(void);

/* The statement's place, made if need be; never NULL. */
extern GlperfStatement *glperf_store_find(uint64 key, int64 queryid,
										  Oid userid, bool toplevel,
										  bool utility);

/* Identity of a statement in the table; never 0 or 1. */
static inline uint64
glperf_store_key(int64 queryid, Oid dbid, Oid userid, bool toplevel)
{
	uint64		h = (uint64) userid << 32 | dbid;

	h = h * UINT64CONST(0x9E3779B97F4A7C15) + (toplevel ? 0 : 0x7F4A7C15);
	h = (h ^ (uint64) queryid) * UINT64CONST(0xD6E8FEB86659FD93);
	h ^= h >> 32;
	return h < 2 ? h + 2 : h;
}

/*
 * glperf_store_count -- count one execution of this backend
 *
 * cell is glperf_histogram_cell(duration_ns).  The hot path: no lock, no allocation, no system call; two atomic additions
 * to shared memory.
 */
static inline void
glperf_store_count(int64 queryid, Oid userid, bool toplevel, bool utility,
				   int cell, uint64 duration_ns, bool failed)
{
	uint64		key = glperf_store_key(queryid, MyDatabaseId, userid, toplevel);
	GlperfStatementCache *cached;
	GlperfStatement *statement;
	uint64		max;

	cached = &glperf_statement_cache[key % GLPERF_STATEMENT_CACHE];
	statement = cached->statement;
	if (unlikely(cached->key != key ||
				 pg_atomic_read_u64(&statement->key) != key))
		statement = glperf_store_find(key, queryid, userid, toplevel, utility);

	pg_atomic_fetch_add_u64(&statement->cells[cell], 1);
	pg_atomic_fetch_add_u64(&statement->total_ns, duration_ns);
	max = pg_atomic_read_u64(&statement->max_ns);
	while (unlikely(duration_ns > max) &&
		   !pg_atomic_compare_exchange_u64(&statement->max_ns, &max,
										   duration_ns))
		;
	if (unlikely(failed))
		pg_atomic_fetch_add_u64(&statement->errors, 1);
}

#endif							/* GLPERF_COLLECTOR_STORE_H */

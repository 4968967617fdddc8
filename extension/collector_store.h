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
#include "samples.h"

/* Statements that each backend remembers; a power of two. */
#define GLPERF_RECENT_STATEMENTS 256

/* What a place in the table holds. */
typedef enum GlperfStoreState
{
	GLPERF_STORE_FREE,
	GLPERF_STORE_LIVE,
	GLPERF_STORE_DYING			/* evicted; a late count may still arrive */
} GlperfStoreState;

/*
 * One statement of one role in one database.  queryid 0 stands for what has no
 * place of its own in that database, dbid 0 for what has none at all.
 */
typedef struct GlperfStoreEntry
{
	pg_atomic_uint64 key;		/* 0 unless live */
	int64		queryid;
	Oid			userid;
	Oid			dbid;
	bool		toplevel;
	bool		utility;		/* a command, such as COMMIT or VACUUM */
	uint8		state;			/* GlperfStoreState, under the lock */
	TimestampTz since;			/* counts from here on; when dying, evicted */
	pg_atomic_uint64 total_ns;
	pg_atomic_uint64 max_ns;
	pg_atomic_uint64 errors;	/* executions that failed, also in cells */
	pg_atomic_uint64 cells[GLPERF_HIST_CELLS];
} GlperfStoreEntry;

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

/* A statement that this backend has run lately. */
typedef struct GlperfRecentStatement
{
	uint64		queryid;
	uint64		who;			/* see glperf_store_who(); 0: unused */
	uint64		key;			/* glperf_store_key() */
	GlperfStoreEntry *entry;	/* valid while its key is ours */
	GlperfSampleThrottle throttle;	/* of all roles */
} GlperfRecentStatement;

extern GLPERF_LOCAL GlperfRecentStatement glperf_recent[GLPERF_RECENT_STATEMENTS];

extern Size glperf_store_shmem_size(void);
extern void glperf_store_shmem_startup(void);

/* Number of places, 0 without shared memory. */
extern int	glperf_store_size(void);

/* Read place i; false if there is no statement. */
extern bool glperf_store_read(int i, GlperfReading *reading);

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

/* Remember another statement in the place of recent. */
extern void glperf_store_meet(GlperfRecentStatement *recent, uint64 queryid,
							  Oid userid, bool toplevel);

/* The statement's entry, made if need be; never NULL. */
extern GlperfStoreEntry *glperf_store_find(uint64 key, uint64 queryid,
										   Oid userid, bool toplevel,
										   bool utility);

/* Where a statement is remembered, if it is. */
static inline GlperfRecentStatement *
glperf_store_recent(uint64 queryid)
{
	return &glperf_recent[queryid % GLPERF_RECENT_STATEMENTS];
}

/* Role and level of an execution, as one number above 0. */
static inline uint64
glperf_store_who(Oid userid, bool toplevel)
{
	return (uint64) userid << 1 | toplevel;
}

/*
 * glperf_store_add -- count one execution in an entry
 *
 * cell is glperf_histogram_cell(duration_ns).  Two atomic additions to shared
 * memory, and more only for the longest execution so far and for failures.
 */
static inline void
glperf_store_add(GlperfStoreEntry *entry, int cell, uint64 duration_ns,
				 bool failed)
{
	uint64		max;

	pg_atomic_fetch_add_u64(&entry->cells[cell], 1);
	pg_atomic_fetch_add_u64(&entry->total_ns, duration_ns);
	max = pg_atomic_read_u64(&entry->max_ns);
	while (unlikely(duration_ns > max) &&
		   !pg_atomic_compare_exchange_u64(&entry->max_ns, &max, duration_ns))
		;
	if (unlikely(failed))
		pg_atomic_fetch_add_u64(&entry->errors, 1);
}

#endif							/* GLPERF_COLLECTOR_STORE_H */

/*
 * waits.h
 *		What statements wait for, and how many connections there were at most.
 */
#ifndef GLPERF_WAITS_H
#define GLPERF_WAITS_H

#include "datatype/timestamp.h"

/* The statement that one backend runs; written by that backend only. */
typedef struct GlperfBackendSlot
{
	volatile uint64 queryid;	/* 0: none */
	char		pad[64 - sizeof(uint64)];	/* a cache line each */
} GlperfBackendSlot;

/* How often statements were seen waiting, or working. */
typedef struct GlperfWaitCount
{
	Oid			dbid;			/* InvalidOid: no room to tell */
	uint64		queryid;		/* 0: no statement, or no room to tell */
	uint32		event;			/* as in PGPROC, 0: working */
	uint64		samples;
} GlperfWaitCount;

/* High-water marks; each with the time of its latest rise. */
typedef enum GlperfPeak
{
	GLPERF_PEAK_CONNECTIONS,	/* clients connected: exact */
	GLPERF_PEAK_ACTIVE,			/* running a statement: seen */
	GLPERF_PEAK_IN_TRANSACTION, /* in a transaction, not running one: seen */
	GLPERF_PEAK_WAITING,		/* waiting for a lock: seen */
	GLPERF_PEAK_COUNT
} GlperfPeak;

/* This backend's slot; one in its own memory as long as it has no other. */
extern GLPERF_LOCAL GlperfBackendSlot *glperf_backend_slot;

extern Size glperf_waits_shmem_size(void);
extern void glperf_waits_shmem_startup(void);

/* Register what counts connections; while libraries are preloaded. */
extern void glperf_waits_init(void);

/* Find this backend's slot, unless it has it. */
extern void glperf_waits_attach(void);

/* One look at all backends, by the background worker only. */
extern void glperf_waits_sample(void);

/* Rows of the profile, and one of them; false if there is nothing in it. */
extern int	glperf_waits_size(void);
extern bool glperf_waits_read(int i, GlperfWaitCount *row);

/* Looks taken so far. */
extern uint64 glperf_waits_looks(void);

/* A high-water mark, what it is now, and when it last rose (0: never). */
extern void glperf_waits_peak(GlperfPeak which, int64 *now, int64 *peak,
							  TimestampTz *at);

/*
 * This backend, having called glperf_waits_attach(), begins to run a statement
 * of the client, or ends it: 0.
 */
static inline void
glperf_waits_running(uint64 queryid)
{
	glperf_backend_slot->queryid = queryid;
}

#endif							/* GLPERF_WAITS_H */

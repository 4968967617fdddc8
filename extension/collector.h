/*
 * collector.h
 *		What the rooms of the preloaded part share.
 */
#ifndef GLPERF_COLLECTOR_H
#define GLPERF_COLLECTOR_H

#include "storage/lwlock.h"

/* The collector's locks; none is taken by an execution that is only counted. */
typedef enum GlperfLock
{
	GLPERF_LOCK_SAMPLES,
	GLPERF_LOCK_STORE,
	GLPERF_LOCK_ENDPOINTS,
	GLPERF_LOCK_WORKER,
	GLPERF_LOCK_HOST,
	GLPERF_LOCK_RECEIVED,
	GLPERF_LOCK_COUNTERS,
	GLPERF_LOCK_UPTIME,
	GLPERF_LOCK_RECENT,
	GLPERF_LOCK_COUNT
} GlperfLock;

/* One of the locks; only after shared memory exists. */
extern LWLock *glperf_collector_lock(GlperfLock which);

/* Was the library loaded by shared_preload_libraries? */
extern bool glperf_collector_loaded(void);

#endif							/* GLPERF_COLLECTOR_H */

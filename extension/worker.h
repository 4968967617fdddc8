/*
 * worker.h
 *		The collector's background worker, and the latency of the last minutes.
 */
#ifndef GLPERF_WORKER_H
#define GLPERF_WORKER_H

#include "datatype/timestamp.h"

#include "histogram.h"

/* All statements but commands that clients sent, and all errors, at a time. */
typedef struct GlperfTotals
{
	TimestampTz at;
	uint64		calls;
	uint64		failed;			/* calls that failed */
	uint64		errors;			/* errors, those outside a call included */
	uint64		total_ns;
	uint64		cells[GLPERF_HIST_CELLS];
} GlperfTotals;

extern Size glperf_worker_shmem_size(void);
extern void glperf_worker_shmem_startup(void);

/* Process id of the worker, 0 while there is none. */
extern int	glperf_worker_pid(void);

/* Register the worker; while libraries are preloaded. */
extern void glperf_worker_init(void);

/*
 * glperf_worker_window -- what happened lately
 *
 * Fills window with the difference between now and at least since, if the
 * worker remembers as much, else the longest window that it does; at is its
 * beginning.  Returns the time of its end, 0 without the collector.
 */
extern TimestampTz glperf_worker_window(TimestampTz since,
										GlperfTotals *window);

extern Size glperf_history_shmem_size(void);
extern void glperf_history_shmem_startup(void);

/*
 * glperf_history_run -- take a snapshot if it is due
 *
 * Returns when the next one is due; 0 while snapshots are off.
 */
extern TimestampTz glperf_history_run(TimestampTz now, TimestampTz due);

#endif							/* GLPERF_WORKER_H */

/*
 * counters.h
 *		The server's counters remembered, so that there are rates to judge.
 */
#ifndef GLPERF_COUNTERS_H
#define GLPERF_COUNTERS_H

/* Shared memory, when preloaded. */
extern Size glperf_counters_shmem_size(void);
extern void glperf_counters_shmem_startup(void);

#endif							/* GLPERF_COUNTERS_H */

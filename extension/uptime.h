/*
 * uptime.h
 *		When the server was not there.
 */
#ifndef GLPERF_UPTIME_H
#define GLPERF_UPTIME_H

/* Shared memory, when preloaded. */
extern Size glperf_uptime_shmem_size(void);
extern void glperf_uptime_shmem_startup(void);

/*
 * glperf_uptime_keep -- note that the server is there
 *
 * Called by the background worker, every ten seconds and when it ends.
 */
extern void glperf_uptime_keep(void);

#endif							/* GLPERF_UPTIME_H */

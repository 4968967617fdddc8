/*
 * received.h
 *		When this standby's upstream wrote which position of the WAL.
 */
#ifndef GLPERF_RECEIVED_H
#define GLPERF_RECEIVED_H

#include "compat.h"

extern Size glperf_received_shmem_size(void);
extern void glperf_received_shmem_startup(void);

/* Note what the WAL receiver was told last; by the background worker only. */
extern void glperf_received_note(void);

#endif							/* GLPERF_RECEIVED_H */

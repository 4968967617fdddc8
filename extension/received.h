/*
 * received.h
 *		When this standby's upstream wrote which position of the WAL.
 */
#ifndef GLPERF_RECEIVED_H
#define GLPERF_RECEIVED_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"

extern Size glperf_received_shmem_size(void);
extern void glperf_received_shmem_startup(void);

/* Note what the WAL receiver was told last; by the background worker only. */
extern void glperf_received_note(void);

/*
 * glperf_received_passed -- when upstream's WAL went past a position
 *
 * after:	set to a time at which it had not, 0 if none is known
 * by:		set to a time at which it had
 *
 * Both by upstream's clock.  Returns false if that isn't known: nothing behind
 * the position was announced, or it is too long ago.
 *
 * Locking:	a shared LWLock.
 */
extern bool glperf_received_passed(XLogRecPtr lsn, TimestampTz *after,
								   TimestampTz *by);

#endif							/* GLPERF_RECEIVED_H */

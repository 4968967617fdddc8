/*
 * errors.h
 *		Errors by SQLSTATE, database and statement.
 */
#ifndef GLPERF_ERRORS_H
#define GLPERF_ERRORS_H

#include "datatype/timestamp.h"

/* One row of the table. */
typedef struct GlperfErrorCount
{
	Oid			dbid;			/* InvalidOid: before a database was chosen */
	int			sqlstate;		/* as made by MAKE_SQLSTATE; 0: any other */
	int64		queryid;		/* 0: none, or no room to tell */
	uint64		count;
	TimestampTz last_at;
} GlperfErrorCount;

extern Size glperf_errors_shmem_size(void);
extern void glperf_errors_shmem_startup(void);

/* Register what sees the log; while libraries are preloaded. */
extern void glperf_errors_init(void);

/*
 * glperf_errors_caught -- count the error that a statement ends with
 *
 * To be called with the error still on the stack, by whoever catches it and
 * throws it again at the top level.  Uses atomic operations only.
 */
extern void glperf_errors_caught(int64 queryid);

/* To be called when a transaction, or a subtransaction, aborts. */
extern void glperf_errors_abort(bool whole);

/* Number of rows, and one of them; false if there is nothing in it. */
extern int	glperf_errors_size(void);
extern bool glperf_errors_read(int i, GlperfErrorCount *row);

#endif							/* GLPERF_ERRORS_H */

/*
 * recent_shared.h
 *		Rows of the health page that sessions of one role share.
 */
#ifndef GLPERF_RECENT_SHARED_H
#define GLPERF_RECENT_SHARED_H

#include "access/htup.h"
#include "utils/timestamp.h"

/* Rows of one view, as they were measured. */
typedef struct GlperfKeptRows
{
	TimestampTz measured;
	double		keep_ms;		/* for so long they are recent */
	int			nrows;
	HeapTuple  *rows;
} GlperfKeptRows;

/* Shared memory, when preloaded. */
extern Size glperf_recent_shmem_size(void);
extern void glperf_recent_shmem_startup(void);

/* Are rows of that time, to be kept for so long, still recent? */
extern bool glperf_rows_are_recent(TimestampTz measured, double keep_ms);

/*
 * glperf_recent_shared_get -- what another session has measured lately
 *
 * Of the view of that name in schema glperf, as the present role in the
 * present database is told.  Rows are allocated in the current context.  False:
 * there is nothing, or nothing recent.
 */
extern bool glperf_recent_shared_get(const char *view, GlperfKeptRows *kept);

/*
 * glperf_recent_shared_put -- let others have these rows
 *
 * No row may refer to a value outside of it.  Does nothing if they are too
 * many, or if the library was not preloaded.
 */
extern void glperf_recent_shared_put(const char *view,
									 const GlperfKeptRows *kept);

#endif							/* GLPERF_RECENT_SHARED_H */

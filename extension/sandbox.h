/*
 * sandbox.h
 *		Running analysis so that it cannot change or break anything.
 */
#ifndef GLPERF_SANDBOX_H
#define GLPERF_SANDBOX_H

#include "compat.h"

/* Why some work inside the sandbox failed. */
typedef struct GlperfFailure
{
	int			sqlerrcode;		/* as ereport's errcode() */
	int			cursorpos;		/* position in the statement, or 0 */
	char	   *message;		/* palloc'd in the caller's context */
	char	   *hint;			/* the same, or NULL */
} GlperfFailure;

/*
 * glperf_sandbox_run -- call work(arg) with nothing at stake
 *
 * roleid:		role whose rights apply
 * search_path:	search path for the work, or NULL to leave it
 *
 * The work runs as roleid under SECURITY_RESTRICTED_OPERATION, read only, with
 * a lock timeout of a few milliseconds, in a subtransaction that is rolled
 * back in any case, so every lock it took is released.  Its CurrentMemoryContext
 * is thrown away afterwards: results must be copied out by the work itself.
 *
 * Returns false and fills *failure on an error; a cancel or a timeout of the
 * caller's own statement is raised again.
 */
extern bool glperf_sandbox_run(Oid roleid, const char *search_path,
							   void (*work) (void *arg), void *arg,
							   GlperfFailure *failure);

#endif							/* GLPERF_SANDBOX_H */

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
 * a lock timeout of a few milliseconds and a time limit of a few seconds, in a
 * subtransaction that is rolled back in any case, so every lock it took is
 * released.  Its CurrentMemoryContext is thrown away afterwards: results must
 * be copied out by the work itself.
 *
 * Returns false and fills *failure on an error, and when the time limit is
 * hit; a cancel or a timeout of the caller's own statement is raised again.
 */
extern bool glperf_sandbox_run(Oid roleid, const char *search_path,
							   void (*work) (void *arg), void *arg,
							   GlperfFailure *failure);

/*
 * Allow each following piece of work at most so many milliseconds, below the
 * usual limit; 0 for that.  Lasts until it is set again: set it before each.
 */
extern void glperf_sandbox_limit(int ms);

/*
 * glperf_sandbox_run() for work on one table and its indexes.  Runs as the table's owner,
 * who wrote what is attached to it, and refuses what glperf_trust_table() does.
 */
extern bool glperf_sandbox_run_on_table(Oid relid, void (*work) (void *arg),
										void *arg, GlperfFailure *failure);

#endif							/* GLPERF_SANDBOX_H */

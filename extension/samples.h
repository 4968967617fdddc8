/*
 * samples.h
 *		Constants with which each statement ran, for whoever plans it again.
 *
 * A few real executions of every statement are kept in shared memory: the
 * text as the client sent it, the bound parameters and the search_path.  They
 * exist only when the library is in shared_preload_libraries.
 */
#ifndef GLPERF_SAMPLES_H
#define GLPERF_SAMPLES_H

#include "executor/execdesc.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

/* Samples kept per statement. */
#define GLPERF_SAMPLES_PER_STATEMENT 4

/* One execution of a statement. */
typedef struct GlperfSample
{
	char	   *query_text;		/* this one statement as the client sent it,
								 * with its literals; PREPARE ... AS removed */
	int			nparams;		/* bound parameters, 0 when all are literals */
	Oid		   *param_types;	/* nparams type OIDs of the sampled database */
	char	  **param_values;	/* nparams values in text form, readable under
								 * any DateStyle; NULL is SQL NULL */
	bool		generic;		/* ran a plan made without these values, kept
								 * for any: see PREPARE's plan_cache_mode */
	char	   *search_path;	/* setting of the session, as in SHOW */
	int64		times_seen;		/* sampled executions with these constants */
	TimestampTz sampled_at;		/* last such execution */
} GlperfSample;

/* When a backend looks next whether a statement is to be sampled. */
typedef struct GlperfSampleThrottle
{
	uint32		executions;		/* seen by this backend, wraps */
	uint32		due;			/* value of executions at the next look */
} GlperfSampleThrottle;

/*
 * glperf_samples_get -- the samples of one statement, most often seen first
 *
 * Returns a palloc'd List of GlperfSample *, at most
 * GLPERF_SAMPLES_PER_STATEMENT; NIL when the library is not preloaded or the
 * statement has none.  The caller checks that its user may read the
 * statement.
 *
 * Locking:	a shared LWLock while the samples are copied.
 */
extern List *glperf_samples_get(Oid dbid, Oid userid, int64 queryid);

/* Shared memory and hooks; see collector.c for the order of the calls. */
extern Size glperf_samples_shmem_size(void);
extern void glperf_samples_shmem_startup(void);
extern void glperf_samples_take(QueryDesc *queryDesc, uint64 queryid,
								GlperfSampleThrottle *throttle);

/*
 * glperf_samples_note -- called before each top-level execution
 *
 * Counts the execution, and samples it when it is this statement's turn: by a
 * backend at its 1st and 2nd execution and then at ever longer intervals, of
 * which shared memory lets pass what is not too soon after the last one.  Without its turn this
 * is one comparison and one increment of backend-local memory.
 */
static inline void
glperf_samples_note(QueryDesc *queryDesc, uint64 queryid,
					GlperfSampleThrottle *throttle)
{
	if (unlikely((int32) (++throttle->executions - throttle->due) >= 0))
		glperf_samples_take(queryDesc, queryid, throttle);
}

#endif							/* GLPERF_SAMPLES_H */

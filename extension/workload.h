/*
 * workload.h
 *		The statements that advice is for, and how much each of them matters.
 */
#ifndef GLPERF_WORKLOAD_H
#define GLPERF_WORKLOAD_H

#include "compat.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "statement.h"

/* Ways of running one statement that are planned: all samples that are kept. */
#define GLPERF_INSTANCES	4

/* Executions that must have used a constant before it counts as one. */
#define GLPERF_STABLE_EXECUTIONS	3

/* One way in which a statement was run. */
typedef struct GlperfInstance
{
	GlperfStatement stmt;
	const char *search_path;
	bool		sampled;		/* real constants, not $n */
	bool		generic;		/* sampled, but its plan may not use them */
	int64		seen;			/* sampled executions like this one */
} GlperfInstance;

/* One row of pg_stat_statements. */
typedef struct GlperfWorkItem
{
	Oid			userid;
	int64		queryid;
	char	   *role;			/* name of userid */
	char	   *query;			/* normalised text */
	int64		calls;
	double		time_ms;		/* total execution time in the window; < 0
								 * when unknown */
	double		rows;			/* rows returned or changed in the window */
	bool		nested;			/* it ran inside a function */
	TimestampTz since;			/* start of the window, 0 when unknown */
	double		per_day;		/* factor from the window to a day */

	GlperfInstance instances[GLPERF_INSTANCES];
	int			ninstances;
} GlperfWorkItem;

typedef struct GlperfWorkload
{
	GlperfWorkItem *items;		/* most time first */
	int			n;
} GlperfWorkload;

/*
 * glperf_workload_load -- read the statements of the current database
 *
 * Allocates in CurrentMemoryContext.
 *
 * Errors:	those of glperf.statement_stats() when pg_stat_statements is
 *			missing, not preloaded or not readable.
 */
extern GlperfWorkload *glperf_workload_load(void);

/*
 * Are the constants that all instances share there to stay?  They are when
 * the text is all there is, or enough executions were sampled and none of
 * them ran a generic plan.
 */
extern bool glperf_workload_constants(const GlperfWorkItem *item);

/* Why, in words that follow "its constant ..."; for people. */
extern const char *glperf_workload_constants_basis(const GlperfWorkItem *item);

/*
 * glperf_workload_given -- the statements of a JSON array handed in
 *
 * Members are objects: query (required), calls, time_ms (of all calls
 * together), rows (the same), role, search_path, queryid, toplevel (false: ran
 * inside a function), samples (texts with constants, objects with query and
 * seen).  Taken as one day's work.  Another role than the caller's needs
 * membership in it.
 *
 * An object with that array as "statements" and "recorded": true adds them to
 * glperf_workload_load(); what both have becomes more of the same.
 *
 * Errors:	ERRCODE_INVALID_PARAMETER_VALUE for anything else,
 *			ERRCODE_INSUFFICIENT_PRIVILEGE.
 */
extern GlperfWorkload *glperf_workload_given(Jsonb *statements);

/*
 * statement_temp.c: names (char *) of the temporary tables that statements of
 * the workload make, and which of them a text mentions, NULL for none.
 */
extern List *glperf_workload_temp_tables(const GlperfWorkload *workload);
extern char *glperf_statement_temp_table(const char *text, List *names);

#endif							/* GLPERF_WORKLOAD_H */

/*
 * workload.h
 *		Statements from elsewhere than pg_stat_statements: a file, server logs,
 *		standbys.
 *
 * Executions of the same statement with other constants become one, under its
 * text with $1, $2, ... for them; the texts that were seen most stay as
 * samples.  The extension gets it as JSON.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "options.h"

/* Texts kept per statement while reading, and handed on. */
#define WORKLOAD_VARIANTS	16
#define WORKLOAD_SAMPLES	3

/* One execution, or several of the same text. */
typedef struct Execution
{
	const char *text;
	const char *role;			/* NULL: not known */
	const char *search_path;	/* NULL: the role's */
	int64		queryid;		/* 0: not known */
	double		calls;
	double		time_ms;		/* of all of them; < 0: not known */
	double		rows;
	bool		normalised;		/* the text has no constants to offer */
} Execution;

typedef struct Workload Workload;

extern Workload *workload_create(void);

/* workload_add -- count an execution */
extern void workload_add(Workload *workload, const Execution *execution);

/* workload_per_day -- factor from a window to a day, for so many calls in it */
extern double workload_per_day(double window_s, double calls);

/* workload_scale -- from the time that was covered to a day */
extern void workload_scale(Workload *workload, double window_s);

/* workload_size -- number of different statements */
extern int	workload_size(const Workload *workload);

/*
 * workload_json -- several workloads as the argument of advise_indexes()
 *
 * recorded adds them to the statements of the server.  Roles for which usable
 * says no are left out, so that the caller's rights apply.
 */
extern char *workload_json(Workload *const *workloads, int n, bool recorded,
						   bool (*usable) (const char *role));

/* source_sql -- read a file of statements */
extern void source_sql(const char *path, Workload *workload);

/* source_log -- read a server log; adds what it covers to the window */
typedef struct LogWindow
{
	double		first_s;		/* NaN: nothing seen */
	double		last_s;
	int64		durations;		/* executions taken */
	int64		without_text;	/* durations whose statement is not told */
	int64		other_database;
} LogWindow;
extern void source_log(const char *path, const char *line_prefix,
					   const char *database, Workload *workload,
					   LogWindow *window);

#endif							/* WORKLOAD_H */

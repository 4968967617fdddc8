/*
 * report.h
 *		Showing the advice: one renderer per format, and where it goes.
 *
 * Renderers are pure functions of their arguments: they read the advice and
 * write to a stream.  Only report.c knows about files.
 */
#ifndef REPORT_H
#define REPORT_H

#include "advice.h"
#include "check.h"
#include "options.h"

/*
 * report_open -- make sure that the report can be written
 *
 * Called before the long part of the work.  With --output, creates a
 * temporary file (mode 0600) beside it, which the program removes if it ends
 * before report_write().
 */
extern void report_open(const AdvisorOptions *opts);

/*
 * report_write -- render, flush, and put the file in its place
 *
 * Returns false, after a message, when the report could not be written.
 */
extern bool report_write(const AdvisorOptions *opts, const Advice *advice);

/* report_text -- for people */
extern void report_text(FILE *out, const AdvisorOptions *opts,
						const Advice *advice);

/* report_sql -- a script for psql */
extern void report_sql(FILE *out, const AdvisorOptions *opts,
					   const Advice *advice);

/* report_json -- for programs; see docs/advisor-json.md */
extern void report_json(FILE *out, const Advice *advice);

/* report_write_verdicts -- as report_write(), for the command verify */
extern bool report_write_verdicts(const AdvisorOptions *opts,
								  const Advice *advice);

/* report_text_server -- which server, for people */
extern void report_text_server(FILE *out, const ServerFacts *server);

/* report_text_heading -- an underlined heading */
extern void report_text_heading(FILE *out, const char *title);

/* report_text_history -- what is left out, and what is proposed no longer */
extern void report_text_history(FILE *out, const AdvisorOptions *opts,
								const Advice *advice, int width);

/* report_text_width -- columns to write for */
extern int	report_text_width(FILE *out);

/* report_text_verdicts -- what became of what was applied */
extern void report_text_verdicts(FILE *out, const AdvisorOptions *opts,
								 const Advice *advice, int width);

/* report_sql_verdicts -- a script that takes back what did not help */
extern void report_sql_verdicts(FILE *out, const AdvisorOptions *opts,
								const Advice *advice);

/* report_json_verdicts -- the document of the command verify */
extern void report_json_verdicts(FILE *out, const Advice *advice);

/* report_write_check -- as report_write(), for the command check */
extern bool report_write_check(const AdvisorOptions *opts, const Check *check);

/*
 * report_check_text -- for people and monitoring systems
 *
 * The first line is a plugin's: state, what is worst, and performance data.
 */
extern void report_check_text(FILE *out, const AdvisorOptions *opts,
							  const Check *check);

/* report_check_json -- for programs; see docs/advisor-json.md */
extern void report_check_json(FILE *out, const Check *check);

/* report_nothing -- why there is no recommendation */
extern const char *report_nothing(const AdvisorOptions *opts,
								  const Advice *advice);

/* report_outcome -- "not tried", "done", "failed" or "skipped" */
extern const char *report_outcome(ApplyOutcome outcome);

#endif							/* REPORT_H */

/*
 * options.h
 *		Command line of glperf-advisor.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "fe_utils/connect_utils.h"
#include "fe_utils/simple_list.h"

typedef enum ReportFormat
{
	FORMAT_TEXT,
	FORMAT_SQL,
	FORMAT_JSON
} ReportFormat;

typedef enum Command
{
	COMMAND_ADVISE,				/* no command given */
	COMMAND_CHECK,
	COMMAND_VERIFY
} Command;

typedef struct AdvisorOptions
{
	Command		command;

	/* connection; NULL leaves the choice to libpq */
	const char *host;
	const char *port;
	const char *user;
	const char *dbname;			/* name, conninfo string or URI */
	enum trivalue prompt_password;

	/* analysis; -1 leaves the choice to the extension */
	int64		budget_bytes;	/* of all new indexes together */
	int			max_indexes;
	double		min_benefit_pct;	/* of the workload's time, 0..100 */
	int			time_limit_ms;	/* of the search; best so far is returned */
	int			statement_timeout_ms;	/* of any query, 0 = none */

	/* workload; none of the first two: pg_stat_statements */
	SimpleStringList workload_files;
	SimpleStringList log_files;
	SimpleStringList replicas;	/* conninfo strings of standbys */

	/* check */
	const char *area;			/* of the health page; NULL: all */
	const char *pgbouncer;		/* conninfo of an admin console, or NULL */
	bool		accept_unknown; /* what isn't measured isn't a failure */

	/* application */
	bool		apply;
	bool		allow_drop;
	int			lock_timeout_ms;	/* per wait of CREATE INDEX CONCURRENTLY */
	int			max_wait_ms;	/* age of transactions it would wait for; -1:
								 * threshold build_wait */

	/* memory of earlier runs */
	bool		all;			/* show what was dismissed, too */
	bool		no_record;		/* write nothing to the database */

	/* output */
	ReportFormat format;
	const char *output;			/* NULL: standard output */
	bool		explain;
	bool		quiet;
	bool		verbose;
} AdvisorOptions;

/*
 * options_parse -- read argv into opts
 *
 * Answers --help and --version itself.  Exits with GLPERF_EXIT_USAGE, after a
 * message and a hint on stderr, when the command line cannot be meant.
 */
extern void options_parse(AdvisorOptions *opts, int argc, char *argv[]);

/*
 * options_limits -- what bounds the advice, as on a command line; NULL: nothing
 */
extern const char *options_limits(const AdvisorOptions *opts);

/*
 * options_exit_failure -- end the program because of a failure
 *
 * With GLPERF_EXIT_FAILURE; the check command ends as unknown instead, and
 * says so where a monitoring system looks for it.
 */
extern void options_exit_failure(void) __attribute__((noreturn));

#endif							/* OPTIONS_H */

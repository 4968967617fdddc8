/*
 * main.c
 *		glperf-advisor: turn the extension's analysis into safe DDL.
 *
 * The extension owns every fact and every verdict.  This program asks for
 * them, shows them, runs the statements that the extension returned when it
 * is told to, and reports what became of each.
 */
#include "postgres_fe.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "common/logging.h"

#include "advice.h"
#include "apply.h"
#include "check.h"
#include "db.h"
#include "history.h"
#include "options.h"
#include "report.h"
#include "sources.h"

/* Defaults; -1 and NULL leave the choice to libpq or the extension. */
static AdvisorOptions opts = {
	.prompt_password = TRI_DEFAULT,
	.budget_bytes = -1,
	.max_indexes = -1,
	.min_benefit_pct = -1,
	.time_limit_ms = -1,
	.statement_timeout_ms = -1,
	.max_wait_ms = -1,
	.lock_timeout_ms = 10 * 60 * 1000,
	.format = FORMAT_TEXT,
};

/*
 * Started without standard files, we would get the connection to the server
 * under their numbers, and write messages and reports to it.
 */
static void
keep_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
	{
		/* a report that nobody gets is still an error */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open(DEVNULL, fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
			exit(GLPERF_EXIT_FAILURE);
	}
}

/* What --apply needs before the analysis; ends the program if it can't be. */
static void
prepare_apply(Advice *advice)
{
	if (advice->server.in_recovery)
	{
		pg_log_error("cannot apply recommendations on a standby server");
		pg_log_error_hint("Connect to the primary, or leave out --apply.");
		exit(GLPERF_EXIT_FAILURE);
	}
	if (!db_apply_lock())
	{
		pg_log_error("another glperf-advisor --apply is running in this database");
		exit(GLPERF_EXIT_RUNNING);
	}
	/* a message that nobody reads is no reason to stop in the middle */
	signal(SIGPIPE, SIG_IGN);
	db_apply_settings(&opts);
	apply_leftovers(&opts, advice);
}

/* The command verify: judge what was applied, and nothing else. */
static int
verify(Advice *advice)
{
	if (!db_verify(&opts, advice, true))
	{
		pg_log_error("could not verify: %s", advice->record_message);
		if (advice->server.in_recovery)
			pg_log_error_hint("Connect to the primary.");
		else
			pg_log_error_hint("It takes SELECT and UPDATE on glperf.recommendation.");
		return GLPERF_EXIT_FAILURE;
	}
	advice->status = history_verify_status(&opts, advice);
	db_disconnect();
	if (!report_write_verdicts(&opts, advice))
		return GLPERF_EXIT_FAILURE;
	return advice->status;
}

/* The steps of a run, in order. */
int
main(int argc, char *argv[])
{
	Advice		advice = {0};

	keep_standard_files();
	pg_logging_init(argv[0]);
	set_pglocale_pgservice(argv[0], PG_TEXTDOMAIN("glperf-advisor"));
	setlocale(LC_NUMERIC, "C"); /* a decimal comma is not JSON */
	options_parse(&opts, argc, argv);
	if (opts.verbose)
		pg_logging_increase_verbosity();
	else if (opts.quiet)
		pg_logging_set_level(PG_LOG_WARNING);
	advice.applied = opts.apply;
	advice.allow_drop = opts.allow_drop;

	report_open(&opts);
	db_connect(&opts);
	db_handshake(&opts, &advice.server);
	if (opts.command == COMMAND_CHECK)
		return check_run(&opts, &advice.server);
	if (opts.command == COMMAND_VERIFY)
		return verify(&advice);
	if (opts.apply)
		prepare_apply(&advice);
	sources_read(&opts, &advice);
	db_verify(&opts, &advice, false);
	db_analyse(&opts, &advice);
	history_settle(&opts, &advice);
	db_record(&opts, &advice);
	if (opts.apply)
	{
		apply_run(&opts, &advice);
		db_record_applied(&opts, &advice);
	}
	advice.status = apply_status(&opts, &advice);
	db_disconnect();

	if (!report_write(&opts, &advice))
		return GLPERF_EXIT_FAILURE;
	return advice.status;
}

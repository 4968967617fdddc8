/*
 * report.c
 *		Where the report goes, and which renderer writes it.
 *
 * A report file is either the old one or the complete new one: it is written
 * under a temporary name and renamed.  What isn't a regular file (/dev/null,
 * a pipe) is written directly, as renaming would replace it.
 */
#include "postgres_fe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/logging.h"

#include "history.h"
#include "report.h"

static FILE *out = NULL;
static char *temporary = NULL;	/* NULL: nothing to rename or remove */

/* At exit: leave no half-written report. */
static void
remove_temporary(void)
{
	if (temporary != NULL)
		unlink(temporary);
}

/* Say why the report cannot be written. */
static void
complain(const AdvisorOptions *opts, const char *what)
{
	pg_log_error("could not %s \"%s\": %m", what,
				 opts->output ? opts->output : "standard output");
}

/* Open the report's stream before the long part of the work. */
void
report_open(const AdvisorOptions *opts)
{
	struct stat st;
	int			fd;

	if (opts->output == NULL)
	{
		out = stdout;
		return;
	}
	if (stat(opts->output, &st) == 0 && !S_ISREG(st.st_mode))
		fd = open(opts->output, O_WRONLY | O_APPEND | O_NOCTTY, 0);
	else
	{
		temporary = psprintf("%s.XXXXXX", opts->output);
		fd = mkstemp(temporary);	/* mode 0600 */
		if (fd < 0)
			temporary = NULL;
		else
			atexit(remove_temporary);
	}
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out == NULL)
	{
		complain(opts, "create file");
		options_exit_failure();
	}
}

/* Flush the stream, and put a file in its place. */
static bool
report_finish(const AdvisorOptions *opts)
{
	if (fflush(out) != 0 || ferror(out) ||
		(temporary != NULL && fsync(fileno(out)) != 0) ||
		(out != stdout && fclose(out) != 0))
	{
		complain(opts, "write to");
		return false;
	}
	if (temporary != NULL)
	{
		if (rename(temporary, opts->output) != 0)
		{
			complain(opts, "rename the report to");
			return false;
		}
		temporary = NULL;
	}
	return true;
}

/* Render the report, and put it in its place. */
bool
report_write(const AdvisorOptions *opts, const Advice *advice)
{
	if (opts->quiet && opts->output == NULL && !history_is_news(advice))
		return true;

	switch (opts->format)
	{
		case FORMAT_TEXT:
			report_text(out, opts, advice);
			break;
		case FORMAT_SQL:
			report_sql(out, opts, advice);
			break;
		case FORMAT_JSON:
			report_json(out, advice);
			break;
	}

	return report_finish(opts);
}

/* The same for the command verify; see report.h. */
bool
report_write_verdicts(const AdvisorOptions *opts, const Advice *advice)
{
	if (opts->quiet && opts->output == NULL && !history_is_news(advice))
		return true;
	switch (opts->format)
	{
		case FORMAT_TEXT:
			report_text_server(out, &advice->server);
			report_text_verdicts(out, opts, advice, report_text_width(out));
			if (advice->nverdicts == 0)
				fprintf(out, "\nNothing to verify: nothing was applied lately.\n");
			break;
		case FORMAT_SQL:
			report_sql_verdicts(out, opts, advice);
			break;
		case FORMAT_JSON:
			report_json_verdicts(out, advice);
			break;
	}
	return report_finish(opts);
}

/* The same for a check; see report.h. */
bool
report_write_check(const AdvisorOptions *opts, const Check *check)
{
	if (opts->quiet && opts->output == NULL && check->status == GLPERF_CHECK_OK)
		return true;
	if (opts->format == FORMAT_JSON)
		report_check_json(out, check);
	else
		report_check_text(out, opts, check);
	return report_finish(opts);
}

/* See report.h. */
const char *
report_nothing(const AdvisorOptions *opts, const Advice *advice)
{
	const Summary *summary = &advice->summary;

	if (summary->statements == 0)
		return "there is no statement to advise on";
	if (summary->not_analysable == summary->statements)
		return "none of the statements could be analysed";
	if (options_limits(opts) != NULL)
		return psprintf("no index would pay for itself within the limits of this run (%s)",
						options_limits(opts));
	return "no index would pay for itself";
}

/* The word for what became of a recommendation. */
const char *
report_outcome(ApplyOutcome outcome)
{
	switch (outcome)
	{
		case APPLY_NOT_TRIED:
			return "not tried";
		case APPLY_DONE:
			return "done";
		case APPLY_FAILED:
			return "failed";
		case APPLY_SKIPPED:
			return "skipped";
	}
	return NULL;				/* keep compiler quiet */
}

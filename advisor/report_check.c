/*
 * report_check.c
 *		What the command check prints.
 *
 * Monitoring plugins print one line: the state, a text, and after a "|" the
 * performance data; more lines may follow.  A "|" in a text would begin
 * performance data, so there is none.
 */
#include "postgres_fe.h"

#include <math.h>

#include "json.h"
#include "report.h"
#include "text.h"

static const char *const states[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

/* A foreign string, on one line and without "|". */
static char *
plugin_text(const char *s)
{
	char	   *clean = text_clean(s);

	for (char *c = clean; *c; c++)
		if (*c == '|')
			*c = '/';
	return clean;
}

/* The worst row; NULL without any. */
static const HealthRow *
worst_row(const Check *check)
{
	const HealthRow *worst = NULL;

	for (int i = 0; i < check->nrows; i++)
		if (worst == NULL ||
			check_severity(check_row_status(&check->rows[i])) >
			check_severity(check_row_status(worst)))
			worst = &check->rows[i];
	return worst;
}

/* One finding: what was found, and what to do about it. */
static void
write_row(FILE *out, const HealthRow *row)
{
	fprintf(out, "[%s] %s, %s: %s\n", text_clean(row->status),
			plugin_text(row->area), plugin_text(row->object),
			plugin_text(row->message));
	if (check_row_status(row) == GLPERF_CHECK_OK || row->remedy == NULL)
		return;
	/* a statement that would have to be changed to be shown isn't */
	fprintf(out, "    %s\n", strchr(row->remedy, '|') == NULL ?
			text_clean(row->remedy) : "What to do: glperf.health says it.");
}

/* See report.h. */
void
report_check_text(FILE *out, const AdvisorOptions *opts, const Check *check)
{
	const HealthRow *worst = worst_row(check);

	fprintf(out, "GLPERF %s - ", states[check->status]);
	if (worst == NULL)
		fputs("nothing was checked: there is no such area", out);
	else if (check_row_status(worst) == GLPERF_CHECK_OK)
		fprintf(out, "%d checks", check->nrows);
	else
		fprintf(out, "%d critical, %d warning, %d unknown: %s, %s: %s",
				check->count[GLPERF_CHECK_CRITICAL],
				check->count[GLPERF_CHECK_WARNING],
				check->count[GLPERF_CHECK_UNKNOWN], plugin_text(worst->area),
				plugin_text(worst->object), plugin_text(worst->message));
	fprintf(out, " | critical=%d warning=%d unknown=%d ok=%d\n",
			check->count[GLPERF_CHECK_CRITICAL],
			check->count[GLPERF_CHECK_WARNING],
			check->count[GLPERF_CHECK_UNKNOWN], check->count[GLPERF_CHECK_OK]);
	if (check->pgbouncer_version != NULL && opts->verbose)
		fprintf(out, "%s\n", plugin_text(check->pgbouncer_version));
	for (int severity = check_severity(GLPERF_CHECK_CRITICAL);
		 severity >= (opts->verbose ? 0 : 1); severity--)
		for (int i = 0; i < check->nrows; i++)
			if (check_severity(check_row_status(&check->rows[i])) == severity)
				write_row(out, &check->rows[i]);
}

/* See report.h. */
void
report_check_json(FILE *out, const Check *check)
{
	JsonWriter	writer;
	JsonWriter *w = &writer;

	json_begin(w, out, check->server.now);
	json_TEXT(w, "database", check->server.database);
	json_TEXT(w, "pgbouncer_version", check->pgbouncer_version);
	json_INT(w, "exit_status", check->status);
	json_INT(w, "critical", check->count[GLPERF_CHECK_CRITICAL]);
	json_INT(w, "warning", check->count[GLPERF_CHECK_WARNING]);
	json_INT(w, "unknown", check->count[GLPERF_CHECK_UNKNOWN]);
	json_INT(w, "ok", check->count[GLPERF_CHECK_OK]);
	json_open(w, "checks", '[');
	for (int i = 0; i < check->nrows; i++)
	{
		const HealthRow *row = &check->rows[i];

		json_open(w, NULL, '{');
#define GLPERF_HEALTH_COLUMN(name, kind) json_##kind(w, #name, row->name);
#include "glperf_health.h"
		json_close(w, '}');
	}
	json_close(w, ']');
	json_end(w);
}

/*
 * report_history.c
 *		For people and psql: what became of earlier recommendations.
 */
#include "postgres_fe.h"

#include <math.h>

#include "db.h"
#include "history.h"
#include "report.h"
#include "text.h"

#define LABEL	"     %-11s"
#define INDENT	"                "

/* What a state means to the reader. */
static const char *
advice_for(const Verdict *verdict)
{
	if (strcmp(verdict->state, "verified") == 0)
		return "keep";
	if (strcmp(verdict->state, "regressed") == 0)
		return "did harm";
	if (strcmp(verdict->state, "no effect") == 0)
		return "no effect";
	return "not known yet";
}

/* One verdict. */
static void
print_verdict(FILE *out, const Verdict *verdict, int width)
{
	fprintf(out, "%s, applied %s: %s\n", text_clean(verdict->name),
			text_clean(verdict->applied_at), advice_for(verdict));
	if (strcmp(verdict->verdict, "unknown") == 0 &&
		strcmp(verdict->state, "applied") != 0)
		fprintf(out, LABEL "nothing new since it was judged\n", "");
	if (verdict->message != NULL)
		text_wrap(out, "     measured   ", INDENT, verdict->message, width);
	if (!isnan(verdict->saved_ms_per_day))
		fprintf(out, LABEL "%s per day\n",
				verdict->saved_ms_per_day < 0 ? "costs" : "saves",
				text_ms(fabs(verdict->saved_ms_per_day)));
	if (verdict->undo_ddl != NULL)
		fprintf(out, LABEL "%s;\n", "undo", text_clean(verdict->undo_ddl));
}

/* See report.h. */
void
report_text_verdicts(FILE *out, const AdvisorOptions *opts,
					 const Advice *advice, int width)
{
	int			shown = 0;

	for (int i = 0; i < advice->nverdicts; i++)
	{
		if (!history_verdict_shown(opts, &advice->verdicts[i]))
			continue;
		if (shown++ == 0)
			report_text_heading(out, "What was applied before");
		print_verdict(out, &advice->verdicts[i], width);
	}
}

/* See report.h. */
void
report_text_history(FILE *out, const AdvisorOptions *opts,
					const Advice *advice, int width)
{
	if (advice->ngone > 0)
		report_text_heading(out, "Recommended before, and now no longer");
	for (int i = 0; i < advice->ngone; i++)
		text_wrap(out, "  ", "    ",
				  psprintf("%s: %s", advice->gone[i].name,
						   advice->gone[i].is_in_place ?
						   "somebody has done it; it will be verified" :
						   options_limits(opts) == NULL ?
						   "would no longer pay for itself" :
						   psprintf("would no longer pay for itself within the limits of this run (%s)",
									options_limits(opts))), width);
	if (opts->quiet)
		return;
	if (advice->nsuppressed > 0)
		fprintf(out, "\n%d %s left out, as dismissed or tried in vain; --all shows %s.\n",
				advice->nsuppressed,
				advice->nsuppressed == 1 ? "recommendation is" :
				"recommendations are",
				advice->nsuppressed == 1 ? "it" : "them");
	if (!advice->recorded)
		text_wrap(out, "\n", "", psprintf("This run is not in glperf.recommendation (%s): the next one cannot tell what is new, and nothing gets verified.",
										  advice->record_message ?
										  advice->record_message : "unknown reason"),
				  width);
}

/* See report.h. */
void
report_sql_verdicts(FILE *out, const AdvisorOptions *opts,
					const Advice *advice)
{
	int			n = 0;

	fprintf(out, "-- glperf-advisor %s verify, database %s, %s\n", GLPERF_VERSION,
			text_clean(advice->server.database), advice->server.now);
	fprintf(out, "-- Run with psql -X, not with --single-transaction.\n\n"
			"SET client_encoding = '%s';\n%sSET lock_timeout = %d;\n",
			advice->server.client_encoding, db_script_settings,
			opts->lock_timeout_ms);
	for (int i = 0; i < advice->nverdicts; i++)
	{
		const Verdict *verdict = &advice->verdicts[i];

		if (verdict->undo_ddl == NULL)
			continue;
		fprintf(out, "\n-- %s: %s\n-- %s\n%s;\n", text_clean(verdict->name),
				advice_for(verdict), text_clean(verdict->message),
				verdict->undo_ddl);
		n++;
	}
	if (n == 0)
		fprintf(out, "\n-- nothing to take back\n");
}

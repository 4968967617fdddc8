/*
 * report_sql.c
 *		The advice as a script for psql.
 *
 * Every statement stands alone, outside a transaction block, as CONCURRENTLY
 * demands.  A name can hold a newline, which would end a comment and let the
 * rest of the name run as SQL; so comments hold only text_clean()ed strings,
 * and a statement that does not survive that is not offered in a comment.
 */
#include "postgres_fe.h"

#include "apply.h"
#include "db.h"
#include "report.h"
#include "text.h"

/* A statement that is shown, not run. */
static void
comment_statement(FILE *out, const char *label, const char *ddl)
{
	if (ddl == NULL)
		return;
	if (text_has_unsafe(ddl))
		fprintf(out, "-- %s: a name holds control characters; see --format=json\n",
				label);
	else
		fprintf(out, "-- %s: %s;\n", label, ddl);
}

/* Settings that the statements need, and how to run them. */
static void
print_header(FILE *out, const AdvisorOptions *opts, const Advice *advice)
{
	fprintf(out, "-- glperf-advisor %s, database %s, %s\n", GLPERF_VERSION,
			text_clean(advice->server.database), advice->server.now);
	fprintf(out, "-- Run with psql -X, not with --single-transaction.  After a failure, drop the\n"
			"-- invalid index before running its statement again; glperf.index_usage shows it.\n\n");
	fprintf(out, "SET client_encoding = '%s';\n"
			"%s"
			"SET statement_timeout = 0;\n"
			"SET lock_timeout = %d;\n", advice->server.client_encoding,
			db_script_settings, opts->lock_timeout_ms);
}

/* The whole script. */
void
report_sql(FILE *out, const AdvisorOptions *opts, const Advice *advice)
{
	print_header(out, opts, advice);
	for (int i = 0; i < advice->nrecommendations; i++)
	{
		const Recommendation *rec = &advice->recommendations[i];
		bool		by_hand = apply_leaves(rec);
		bool		offer_only = by_hand ||
		(strcmp(rec->action, "drop") == 0 && !opts->allow_drop);

		fprintf(out, "\n-- %d. %s: saves %s per day (%s), writes cost %s per day, %s\n",
				(int) rec->rank, text_clean(rec->action),
				text_ms(rec->benefit_ms_per_day), text_pct(rec->benefit_pct),
				text_ms(rec->write_cost_ms_per_day),
				text_bytes(rec->size_bytes));
		for (int j = 0; j < rec->reasons.n; j++)
			fprintf(out, "-- %s\n", text_clean(rec->reasons.items[j]));
		if (rec->outcome != APPLY_NOT_TRIED)
			fprintf(out, "-- %s by --apply\n", report_outcome(rec->outcome));
		for (int j = 0; j < rec->steps.n; j++)
		{
			if (offer_only)
				comment_statement(out, by_hand ?
								  "locks all partitions: run it by hand, with a short lock_timeout" :
								  "not run without --allow-drop",
								  rec->steps.items[j]);
			else if (rec->outcome == APPLY_DONE)
				comment_statement(out, "done", rec->steps.items[j]);
			else
				fprintf(out, "%s;\n", rec->steps.items[j]);
		}
		comment_statement(out, "undo", rec->undo_ddl);
	}
	if (advice->nrecommendations == 0)
		fprintf(out, "\n-- nothing to do: %s\n", report_nothing(opts, advice));
}

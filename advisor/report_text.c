/*
 * report_text.c
 *		The advice for people.
 *
 * Order of what a reader asks: is this my server, what should I do, what will
 * it bring and cost, why, what about the indexes that I have, and what was
 * not looked at.  Everything that comes from the database is cleaned first.
 */
#include "postgres_fe.h"

#include <math.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fe_utils/print.h"
#include "mb/pg_wchar.h"

#include "history.h"
#include "report.h"
#include "text.h"

#define DEFAULT_WIDTH	100
#define LABEL			"     %-11s"	/* of one fact about a recommendation */
#define INDENT			"                "	/* below such a fact */

/* Less than this cannot show what a day looks like. */
#define SHORT_WINDOW_S	86400

/* Statements shown per recommendation unless --verbose */
#define MAX_STATEMENTS	5

/* A loss that differs from the benefit by less than this share is the same. */
#define SAME_SHARE		0.01

/* Lines about what was not examined, unless --verbose */
#define MAX_NOT_EXAMINED	5

/* Rows of the table of statements that were not analysed, unless --verbose */
#define MAX_OUTCOMES	10

/* See report.h: the terminal's, or a readable default. */
int
report_text_width(FILE *out)
{
	struct winsize size;

	if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 &&
		size.ws_col >= 60)
		return size.ws_col;
	return DEFAULT_WIDTH;
}

/* See report.h. */
void
report_text_heading(FILE *out, const char *title)
{
	fprintf(out, "\n%s\n", title);
	for (int i = 0; title[i]; i++)
		fputc('=', out);
	fputs("\n\n", out);
}

/* "singular" or "plural", for n of something */
static const char *
plural(int64 n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* A name with its schema, for reading and not for pasting */
static char *
qualified(const char *schema, const char *name)
{
	char	   *clean_schema = text_clean(schema);
	char	   *clean_name = text_clean(name);

	return psprintf("%s.%s", clean_schema, clean_name);
}

/* Bytes in a double, as the functions of text.h want them */
static int64
real_to_bytes(double bytes)
{
	return isnan(bytes) || fabs(bytes) > 1e18 ? GLPERF_NULL_INT :
		(int64) bytes;
}

/* See report.h. */
void
report_text_server(FILE *out, const ServerFacts *server)
{
	fprintf(out, "glperf-advisor %s  %s\n\n", GLPERF_VERSION, server->now);
	fprintf(out, "  database    %s on %s:%s as %s\n",
			text_clean(server->database), text_clean(server->host),
			text_clean(server->port), text_clean(server->user));
	fprintf(out, "  server      PostgreSQL %s, %s, glperf %s\n",
			text_clean(server->server_version),
			server->in_recovery ? "standby" : "primary",
			text_clean(server->extension_version));
}

/* Which server, which statements, since when. */
static void
print_header(FILE *out, const Advice *advice)
{
	const ServerFacts *server = &advice->server;
	const Summary *summary = &advice->summary;

	report_text_server(out, server);
	if (advice->source_text != NULL)
		fprintf(out, "  workload    %s\n", text_clean(advice->source_text));
	if (server->stats_since != NULL)
		fprintf(out, "  statistics  since %s (%s)\n", server->stats_since,
				text_ms(server->window_s * 1000));
	if (server->window_s < SHORT_WINDOW_S)
		fprintf(out, "              (less than a day: figures per day are extrapolated)\n");
	fprintf(out, "  statements  %s: %s gain, %s would not gain, %s could not be analysed\n",
			text_count(summary->statements), text_count(summary->advised),
			text_count(summary->no_gain),
			text_count(summary->not_analysable));
	fprintf(out, "  analysis    %s: %s candidate indexes, %s plans\n",
			text_ms(summary->elapsed_ms), text_count(summary->candidates),
			text_count(summary->planner_calls));
	for (int i = 0; i < advice->nnotexamined; i++)
		if (strcmp(advice->notexamined[i].kind, "search") == 0)
			fprintf(out, "              %s\n",
					text_clean(advice->notexamined[i].reason));
}

/* Is id one of a list? */
static bool
list_has(const TextList *list, const char *id)
{
	for (int i = 0; id != NULL && i < list->n; i++)
		if (strcmp(list->items[i], id) == 0)
			return true;
	return false;
}

/* --explain: a plan, line by line */
static void
print_plan(FILE *out, const char *label, const char *plan)
{
	if (plan == NULL)
		return;
	fprintf(out, INDENT "  %s\n", label);
	while (*plan)
	{
		int			indent = strspn(plan, " ");
		int			len = strcspn(plan, "\n");
		char	   *line = pnstrdup(plan, len);

		fprintf(out, INDENT "    %*s%s\n", indent, "", text_clean(line));
		free(line);
		plan += len + (plan[len] == '\n');
	}
}

/* Are two strings, which may be NULL, the same? */
static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Do two ways of running a statement read a table in the same manner? */
static bool
same_change(const PlanChange *a, const PlanChange *b)
{
	return same_text(a->queryid, b->queryid) && same_text(a->role, b->role) &&
		same_text(a->query, b->query) &&
		same_text(a->table_name, b->table_name) &&
		same_text(a->alias, b->alias) &&
		same_text(a->node_before, b->node_before) &&
		same_text(a->node_after, b->node_after);
}

/* --explain: how a recommendation changes the scans of one statement */
static void
print_changes(FILE *out, const Recommendation *rec, const Statement *stmt,
			  int width)
{
	for (int i = 0; i < rec->nplans; i++)
	{
		const PlanChange *change = &rec->plans[i];
		char	   *before;
		bool		told = false;

		if (!same_text(change->queryid, stmt->queryid) ||
			!same_text(change->role, stmt->role) ||
			!same_text(change->query, stmt->query))
			continue;
		for (int j = 0; j < i && !told; j++)
			told = same_change(change, &rec->plans[j]);
		if (told)
			continue;
		before = change->node_before == NULL ? pg_strdup("not read") :
			psprintf("%s (cost %.2f)", change->node_before,
					 change->node_cost_before);
		text_wrap(out, INDENT "  ", INDENT "    ",
				  psprintf("%s%s%s: %s -> %s (cost %.2f)",
						   change->table_name ? change->table_name : "?",
						   same_text(change->alias, change->table_name) ?
						   "" : " ",
						   same_text(change->alias, change->table_name) ?
						   "" : change->alias,
						   before, change->node_after,
						   change->node_cost_after), width);
	}
}

/*
 * Is this a statement that a recommendation helps?  The plan has to use its
 * index, as statements of files and logs have no queryid to tell them apart.
 */
static bool
is_helped(const Recommendation *rec, const Statement *stmt)
{
	return strcmp(stmt->outcome, "advised") == 0 &&
		list_has(&rec->queryids, stmt->queryid) &&
		list_has(&stmt->indexes, rec->index_name);
}

/* One statement that gains. */
static void
print_helped_statement(FILE *out, const AdvisorOptions *opts,
					   const Recommendation *rec, const Statement *stmt,
					   int width)
{
	char	   *speedup = isnan(stmt->speedup_ratio) ? pg_strdup("faster") :
	psprintf("%.1fx faster", stmt->speedup_ratio);

	fprintf(out, INDENT "%s, %s calls, %s per day:\n", speedup,
			text_count(stmt->calls), text_ms(stmt->time_ms_per_day));
	fprintf(out, INDENT "  %s\n",
			text_fit(stmt->query ? stmt->query : "(text not visible)",
					 width - 18));
	if (!opts->explain)
		return;
	print_changes(out, rec, stmt, width);
	print_plan(out, "without:", stmt->plan_before);
	print_plan(out, "with:", stmt->plan_after);
	if (stmt->plan_error != NULL)
		text_wrap(out, INDENT "  no plan: ", INDENT "    ", stmt->plan_error,
				  width);
}

/* Statements that a recommendation helps, the most expensive ones first. */
static void
print_statements(FILE *out, const AdvisorOptions *opts, const Advice *advice,
				 const Recommendation *rec, int width)
{
	int			shown = 0;
	int			hidden = 0;

	fprintf(out, LABEL "%s %s", "helps", text_count(rec->statements_helped),
			plural(rec->statements_helped, "statement", "statements"));
	if (rec->statements_hurt > 0)
		fprintf(out, ", slows down %s", text_count(rec->statements_hurt));
	fputc('\n', out);
	for (int i = 0; i < advice->nstatements; i++)
	{
		const Statement *stmt = &advice->statements[i];

		if (!is_helped(rec, stmt))
			continue;
		if (shown >= MAX_STATEMENTS && !opts->verbose)
			hidden++;
		else
		{
			print_helped_statement(out, opts, rec, stmt, width);
			shown++;
		}
	}
	if (hidden > 0)
		fprintf(out, INDENT "and %d more (--verbose shows them)\n", hidden);
}

/* What would be lost without it, where that isn't what it saves. */
static void
print_loss(FILE *out, const Recommendation *rec)
{
	double		loss = rec->loss_without_ms_per_day;
	double		benefit = rec->benefit_ms_per_day;

	if (isnan(loss) || isnan(benefit) ||
		fabs(loss - benefit) <= SAME_SHARE * Max(loss, benefit))
		return;
	fprintf(out, LABEL "%s per day would be lost: %s\n", "without it",
			text_ms(loss), loss < benefit ?
			"other indexes could do part of its work" :
			"other indexes bring less without it");
}

/* What --apply did with it. */
static void
print_outcome(FILE *out, const Recommendation *rec, int width)
{
	char	   *first;

	if (rec->outcome == APPLY_NOT_TRIED && rec->message != NULL)
	{
		text_wrap(out, psprintf(LABEL, "applied"), INDENT, rec->message, width);
		return;
	}
	if (rec->outcome == APPLY_NOT_TRIED)
	{
		fprintf(out, LABEL "%s\n", "applied", rec->match.is_suppressed ?
				"not run, as it is shown because of --all only" :
				"not run without --allow-drop");
		return;
	}
	if (rec->outcome == APPLY_DONE)
	{
		fprintf(out, LABEL "done in %s, verified\n", "applied",
				text_ms(rec->apply_ms));
		if (rec->message != NULL)
			text_wrap(out, INDENT, INDENT, rec->message, width);
		return;
	}
	first = psprintf(LABEL "%s after %d of %d steps: ", "applied",
					 report_outcome(rec->outcome), rec->steps_done,
					 rec->steps.n);
	text_wrap(out, first, INDENT, rec->message ? rec->message : "", width);
	if (rec->left_invalid)
		fprintf(out, INDENT "an invalid index is left; the next run with --apply drops it\n");
}

/* One recommendation. */
static void
print_recommendation(FILE *out, const AdvisorOptions *opts,
					 const Advice *advice, const Recommendation *rec,
					 int width)
{
	fprintf(out, "%3d. %s %s%s%s\n", (int) rec->rank,
			strcmp(rec->action, "create") == 0 ? "create an index on" :
			strcmp(rec->action, "drop") == 0 ? "drop an index of" :
			text_clean(rec->action),
			qualified(rec->schema_name, rec->table_name),
			rec->confidence ? "   confidence: " : "",
			text_clean(rec->confidence));
	for (int i = 0; i < rec->steps.n; i++)
	{
		fprintf(out, "     %s;\n", text_clean(rec->steps.items[i]));
		if (text_has_unsafe(rec->steps.items[i]))
			fprintf(out, "     (a name holds control characters: take the statement from --format=sql)\n");
	}
	fputc('\n', out);
	if (!isnan(rec->benefit_ms_per_day))
		fprintf(out, LABEL "%s per day, %s of the workload's time\n", "saves",
				text_ms(rec->benefit_ms_per_day), text_pct(rec->benefit_pct));
	print_loss(out, rec);
	if (rec->size_bytes != GLPERF_NULL_INT || !isnan(rec->write_cost_ms_per_day))
		fprintf(out, LABEL "%s of disk; %s and %s of WAL per day for writes\n",
				"costs", text_bytes(rec->size_bytes),
				text_ms(rec->write_cost_ms_per_day),
				text_bytes(real_to_bytes(rec->wal_bytes_per_day)));
	if (rec->statements_helped > 0 || rec->statements_hurt > 0)
		print_statements(out, opts, advice, rec, width);
	for (int i = 0; i < rec->reasons.n; i++)
		text_wrap(out, i == 0 ? "     why        " : INDENT, INDENT "  ",
				  rec->reasons.items[i], width);
	for (int i = 0; i < rec->nrivals; i++)
		text_wrap(out, i == 0 ? "     instead of " : INDENT, INDENT "  ",
				  psprintf("%s: %s", rec->rivals[i].rival,
						   rec->rivals[i].reason), width);
	if (rec->undo_ddl != NULL)
		fprintf(out, LABEL "%s;\n", "undo", text_clean(rec->undo_ddl));
	if (rec->match.first_seen_at != NULL)
		fprintf(out, LABEL "%s\n", "proposed", psprintf("since %s",
														rec->match.first_seen_at));
	if (rec->match.note != NULL)
		text_wrap(out, "     note       ", INDENT, rec->match.note, width);
	if (rec->warning != NULL)
		text_wrap(out, "     warning    ", INDENT, rec->warning, width);
	if (advice->applied)
		print_outcome(out, rec, width);
	fputc('\n', out);
}

/* Totals of all recommendations. */
static void
print_totals(FILE *out, const Advice *advice)
{
	const Summary *summary = &advice->summary;
	double		saved = 0;
	double		pct = 0;
	double		writes = 0;

	for (int i = 0; i < advice->nrecommendations; i++)
	{
		const Recommendation *rec = &advice->recommendations[i];

		saved += isnan(rec->benefit_ms_per_day) ? 0 : rec->benefit_ms_per_day;
		pct += isnan(rec->benefit_pct) ? 0 : rec->benefit_pct;
		writes += isnan(rec->write_cost_ms_per_day) ? 0 :
			rec->write_cost_ms_per_day;
	}
	fprintf(out, "Together: %s per day (%s of the workload's time) for %s of disk and %s per day\nof writes",
			text_ms(saved), text_pct(pct), text_bytes(summary->used_bytes),
			text_ms(writes));
	if (summary->budget_bytes != GLPERF_NULL_INT)
		fprintf(out, ", within a budget of %s",
				text_bytes(summary->budget_bytes));
	fputs(".\n", out);
	if (!isnan(summary->captured_pct) && !isnan(summary->upper_bound_pct))
		fprintf(out, "No set of these candidates could save more than %s; this one captures %s of that.\n",
				text_pct(summary->upper_bound_pct),
				text_pct(summary->captured_pct));
}

/* Invalid indexes of interrupted runs. */
static void
print_leftovers(FILE *out, const Advice *advice, int width)
{
	if (advice->nleftovers == 0)
		return;
	report_text_heading(out, "Left behind by an interrupted run");
	for (int i = 0; i < advice->nleftovers; i++)
	{
		const Leftover *leftover = &advice->leftovers[i];

		fprintf(out, "  invalid index %s: %s\n",
				qualified(leftover->schema_name, leftover->index_name),
				leftover->outcome == APPLY_DONE ? "dropped" :
				leftover->outcome == APPLY_FAILED ? "could not be dropped" :
				"--apply drops it");
		if (leftover->message != NULL)
			text_wrap(out, "    ", "    ", leftover->message, width);
	}
}

/* A table in psql's manner. */
static void
begin_table(printTableContent *table, printTableOpt *topt,
			const char *const *headers, const char *aligns, int nrows)
{
	memset(topt, 0, sizeof(*topt));
	topt->format = PRINT_ALIGNED;
	topt->border = 1;
	topt->start_table = true;
	topt->stop_table = true;
	topt->encoding = PG_UTF8;
	printTableInit(table, topt, NULL, strlen(aligns), nrows);
	for (int i = 0; aligns[i]; i++)
		printTableAddHeader(table, unconstify(char *, headers[i]), false,
							aligns[i]);
}

/* Print it and free what it holds. */
static void
end_table(printTableContent *table, FILE *out)
{
	printTable(table, out, false, NULL);
	printTableCleanup(table);
}

/* Is this index among the recommended drops, and thus said already? */
static bool
is_recommended_drop(const Advice *advice, const IndexNote *note)
{
	for (int i = 0; i < advice->nrecommendations; i++)
	{
		const Recommendation *rec = &advice->recommendations[i];

		if (strcmp(rec->action, "drop") == 0 && rec->index_name != NULL &&
			strcmp(rec->index_name, note->index_name) == 0 &&
			strcmp(rec->schema_name, note->schema_name) == 0)
			return true;
	}
	return false;
}

/* Indexes that exist and should perhaps not. */
static void
print_notes(FILE *out, const Advice *advice, int width)
{
	static const char *const headers[] = {"index", "size", "verdict", "reason"};
	printTableContent table;
	printTableOpt topt;
	int			n = 0;

	for (int i = 0; i < advice->nnotes; i++)
		n += !is_recommended_drop(advice, &advice->notes[i]);
	if (n == 0)
		return;
	report_text_heading(out, "Existing indexes worth a look");
	begin_table(&table, &topt, headers, "lrll", n);
	for (int i = 0; i < advice->nnotes; i++)
	{
		const IndexNote *note = &advice->notes[i];

		if (is_recommended_drop(advice, note))
			continue;
		printTableAddCell(&table, qualified(note->schema_name,
											note->index_name), false, true);
		printTableAddCell(&table, text_bytes(note->size_bytes), false, true);
		printTableAddCell(&table, text_clean(note->verdict), false, true);
		printTableAddCell(&table, text_fit(note->reason, Max(width, 120)),
						  false, true);
	}
	end_table(&table, out);
	fprintf(out, "SELECT * FROM glperf.index_usage shows the evidence and the statements to drop them.\n");
}

/* Statements of one outcome, and why; limit 0 shows them all. */
static void
print_outcomes(FILE *out, const Advice *advice, const char *outcome,
			   const char *title, int limit, int width)
{
	static const char *const headers[] = {
		"time/day", "calls", "role", "reason", "statement"
	};
	printTableContent table;
	printTableOpt topt;
	int			n = 0;
	int			shown = 0;
	double		hidden_ms = 0;

	for (int i = 0; i < advice->nstatements; i++)
		n += strcmp(advice->statements[i].outcome, outcome) == 0;
	if (n == 0)
		return;
	report_text_heading(out, title);
	begin_table(&table, &topt, headers, "rrlll",
				limit > 0 ? Min(n, limit) : n);
	for (int i = 0; i < advice->nstatements; i++)
	{
		const Statement *stmt = &advice->statements[i];

		if (strcmp(stmt->outcome, outcome) != 0)
			continue;
		if (limit > 0 && shown >= limit)
		{
			hidden_ms += isnan(stmt->time_ms_per_day) ? 0 :
				stmt->time_ms_per_day;
			continue;
		}
		shown++;
		printTableAddCell(&table, text_ms(stmt->time_ms_per_day), false, true);
		printTableAddCell(&table, text_count(stmt->calls), false, true);
		printTableAddCell(&table, text_clean(stmt->role), false, true);
		printTableAddCell(&table, text_fit(stmt->reason, 60), false, true);
		printTableAddCell(&table, text_fit(stmt->query, Max(width - 60, 50)),
						  false, true);
	}
	end_table(&table, out);
	if (shown < n)
		fprintf(out, "and %d more, %s per day in all (--verbose shows them)\n",
				n - shown, text_ms(hidden_ms));
}

/* What one thing is that was not looked at, in words */
static char *
not_examined_subject(const NotExamined *item)
{
	const char *object = item->object ? item->object : "";

	if (strcmp(item->kind, "candidate") == 0)
		return item->count <= 0 ? pg_strdup("candidate indexes") :
			psprintf("%s candidate %s", text_count(item->count),
					 plural(item->count, "index", "indexes"));
	if (strcmp(item->kind, "statistics") == 0)
		return psprintf("statistics of %s", object);
	if (strcmp(item->kind, "table") == 0)
		return psprintf("table %s, which %s %s (%s per day)", object,
						text_count(item->count),
						plural(item->count, "statement reads",
							   "statements read"),
						text_ms(item->time_ms_per_day));
	return psprintf("%s%s%s", item->kind, *object ? " " : "", object);
}

/* What was not looked at, besides statements; the header tells of a search. */
static void
print_not_examined(FILE *out, const AdvisorOptions *opts,
				   const Advice *advice, int width)
{
	int			shown = 0;
	int			hidden = 0;

	for (int i = 0; i < advice->nnotexamined; i++)
	{
		const NotExamined *item = &advice->notexamined[i];

		if (strcmp(item->kind, "statement") == 0 ||
			strcmp(item->kind, "search") == 0)
			continue;
		if (shown >= MAX_NOT_EXAMINED && !opts->verbose)
		{
			hidden++;
			continue;
		}
		if (shown++ == 0)
			report_text_heading(out, "Not examined");
		text_wrap(out, "  ", "    ",
				  psprintf("%s: %s", not_examined_subject(item),
						   item->reason), width);
	}
	if (hidden > 0)
		fprintf(out, "  and %d more (--verbose shows them)\n", hidden);
}

/* Those that --quiet lets through, and their totals. */
static void
print_recommendations(FILE *out, const AdvisorOptions *opts,
					  const Advice *advice, int width)
{
	int			shown = 0;

	for (int i = 0; i < advice->nrecommendations; i++)
	{
		const Recommendation *rec = &advice->recommendations[i];

		if (!history_shown(opts, rec))
			continue;
		if (shown++ == 0)
			report_text_heading(out, opts->quiet ? "News" : "Recommendations");
		print_recommendation(out, opts, advice, rec, width);
	}
	if (advice->nrecommendations == 0)
		fprintf(out, "\nNothing to do: %s.\n", report_nothing(opts, advice));
	else if (shown == advice->nrecommendations)
		print_totals(out, advice);
	else
		fprintf(out, "\n%d recommendations are as before; a run without --quiet shows them.\n",
				advice->nrecommendations - shown);
}

/* The whole report. */
void
report_text(FILE *out, const AdvisorOptions *opts, const Advice *advice)
{
	int			width = report_text_width(out);

	print_header(out, advice);
	print_leftovers(out, advice, width);
	report_text_verdicts(out, opts, advice, width);
	print_recommendations(out, opts, advice, width);
	report_text_history(out, opts, advice, width);
	if (!opts->quiet)
	{
		print_notes(out, advice, width);
		print_outcomes(out, advice, "not analysable",
					   "Statements that could not be analysed",
					   opts->verbose ? 0 : MAX_OUTCOMES, width);
		print_not_examined(out, opts, advice, width);
	}
	if (opts->verbose)
		print_outcomes(out, advice, "no gain", "Statements without gain", 0,
					   width);
	if (advice->nrecommendations > 0 && !advice->applied)
		fprintf(out, "\nNothing was changed.  --apply creates the indexes; --format=sql prints a script.\n");
	if (advice->nrecommendations > 0 && advice->recorded)
		fprintf(out, "SELECT glperf.dismiss('INDEX', 'REASON') keeps one from being proposed again.\n");
}

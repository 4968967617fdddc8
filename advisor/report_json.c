/*
 * report_json.c
 *		The advice as one JSON document; docs/advisor-json.md describes it.
 *
 * Query identifiers are strings, because a double, which is what most readers
 * make of a number, holds only 53 of their bits.
 */
#include "postgres_fe.h"

#include "json.h"
#include "report.h"

/* The n items of an array as a list, each by a function of its own */
#define WRITE_LIST(w, key, items, n, write_item) \
	do { \
		json_open(w, key, '['); \
		for (int item = 0; item < (n); item++) \
			write_item(w, &(items)[item]); \
		json_close(w, ']'); \
	} while (0)

/* Where the advice comes from */
static void
write_server(JsonWriter *w, const ServerFacts *server)
{
	json_open(w, "server", '{');
	json_TEXT(w, "database", server->database);
	json_TEXT(w, "host", server->host);
	json_TEXT(w, "port", server->port);
	json_TEXT(w, "user", server->user);
	json_TEXT(w, "server_version", server->server_version);
	json_TEXT(w, "extension_version", server->extension_version);
	json_TEXT(w, "api_version", server->api_version);
	json_BOOL(w, "in_recovery", server->in_recovery);
	json_TEXT(w, "stats_since", server->stats_since);
	json_REAL(w, "window_s", server->window_s);
	json_close(w, '}');
}

/* What the run says about itself */
static void
write_summary(JsonWriter *w, const Summary *summary)
{
	json_open(w, "summary", '{');
#define GLPERF_SUMMARY_COLUMN(name, kind) \
	json_##kind(w, #name, summary->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* What a recommendation changes in one plan */
static void
write_plan(JsonWriter *w, const PlanChange *plan)
{
	json_open(w, NULL, '{');
#define GLPERF_PLAN_COLUMN(name, kind) \
	json_##kind(w, #name, plan->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* One candidate that lost to it */
static void
write_rival(JsonWriter *w, const Rival *rival)
{
	json_open(w, NULL, '{');
#define GLPERF_RIVAL_COLUMN(name, kind) \
	json_##kind(w, #name, rival->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* One recommendation and what became of it */
static void
write_recommendation(JsonWriter *w, const Recommendation *rec)
{
	json_open(w, NULL, '{');
#define GLPERF_RECOMMENDATION_COLUMN(name, kind) \
	json_##kind(w, #name, rec->name);
#include "glperf_recommendation.h"
	WRITE_LIST(w, "plans", rec->plans, rec->nplans, write_plan);
	WRITE_LIST(w, "rivals", rec->rivals, rec->nrivals, write_rival);
#define GLPERF_MATCH_COLUMN(name, kind) \
	json_##kind(w, #name, rec->match.name);
#include "glperf_recommendation.h"
	json_TEXT(w, "outcome", report_outcome(rec->outcome));
	json_INT(w, "steps_done", rec->steps_done);
	json_REAL(w, "apply_ms", rec->apply_ms);
	json_TEXT(w, "message", rec->message);
	json_TEXT(w, "warning", rec->warning);
	json_BOOL(w, "left_invalid", rec->left_invalid);
	json_close(w, '}');
}

/* One statement of the workload */
static void
write_statement(JsonWriter *w, const Statement *stmt)
{
	json_open(w, NULL, '{');
#define GLPERF_STATEMENT_COLUMN(name, kind) \
	json_##kind(w, #name, stmt->name);
#include "glperf_recommendation.h"
	json_TEXT(w, "plan_before", stmt->plan_before);
	json_TEXT(w, "plan_after", stmt->plan_after);
	json_TEXT(w, "plan_error", stmt->plan_error);
	json_close(w, '}');
}

/* One existing index that is worth a look */
static void
write_note(JsonWriter *w, const IndexNote *note)
{
	json_open(w, NULL, '{');
#define GLPERF_INDEX_NOTE_COLUMN(name, kind) \
	json_##kind(w, #name, note->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* One thing that was not looked at */
static void
write_not_examined(JsonWriter *w, const NotExamined *item)
{
	json_open(w, NULL, '{');
#define GLPERF_NOT_EXAMINED_COLUMN(name, kind) \
	json_##kind(w, #name, item->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* One invalid index of an interrupted run */
static void
write_leftover(JsonWriter *w, const Leftover *leftover)
{
	json_open(w, NULL, '{');
	json_TEXT(w, "schema_name", leftover->schema_name);
	json_TEXT(w, "table_name", leftover->table_name);
	json_TEXT(w, "index_name", leftover->index_name);
	json_TEXT(w, "drop_ddl", leftover->drop_ddl);
	json_TEXT(w, "outcome", report_outcome(leftover->outcome));
	json_TEXT(w, "message", leftover->message);
	json_close(w, '}');
}

/* What an earlier recommendation came to */
static void
write_verdict(JsonWriter *w, const Verdict *verdict)
{
	json_open(w, NULL, '{');
#define GLPERF_VERDICT_COLUMN(name, kind) \
	json_##kind(w, #name, verdict->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* One that is proposed no longer */
static void
write_gone(JsonWriter *w, const Gone *gone)
{
	json_open(w, NULL, '{');
#define GLPERF_GONE_COLUMN(name, kind) \
	json_##kind(w, #name, gone->name);
#include "glperf_recommendation.h"
	json_close(w, '}');
}

/* The document of the command verify. */
void
report_json_verdicts(FILE *out, const Advice *advice)
{
	JsonWriter	writer;
	JsonWriter *w = &writer;

	json_begin(w, out, advice->server.now);
	json_TEXT(w, "database", advice->server.database);
	json_INT(w, "exit_status", advice->status);
	WRITE_LIST(w, "verdicts", advice->verdicts, advice->nverdicts,
			   write_verdict);
	json_end(w);
}

/* The whole document. */
void
report_json(FILE *out, const Advice *advice)
{
	JsonWriter	writer;
	JsonWriter *w = &writer;

	json_begin(w, out, advice->server.now);
	json_INT(w, "exit_status", advice->status);
	json_BOOL(w, "applied", advice->applied);
	json_BOOL(w, "interrupted", advice->interrupted);
	write_server(w, &advice->server);
	write_summary(w, &advice->summary);

	WRITE_LIST(w, "recommendations", advice->recommendations,
			   advice->nrecommendations, write_recommendation);
	WRITE_LIST(w, "statements", advice->statements, advice->nstatements,
			   write_statement);
	WRITE_LIST(w, "not_examined", advice->notexamined, advice->nnotexamined,
			   write_not_examined);
	WRITE_LIST(w, "existing_indexes", advice->notes, advice->nnotes,
			   write_note);
	WRITE_LIST(w, "leftovers", advice->leftovers, advice->nleftovers,
			   write_leftover);

	json_TEXT(w, "source", advice->source);
	json_BOOL(w, "recorded", advice->recorded);
	json_TEXT(w, "record_message", advice->recorded ? NULL :
			  advice->record_message);
	WRITE_LIST(w, "verdicts", advice->verdicts, advice->nverdicts,
			   write_verdict);
	WRITE_LIST(w, "gone", advice->gone, advice->ngone, write_gone);
	WRITE_LIST(w, "left_out", advice->suppressed, advice->nsuppressed,
			   write_recommendation);
	json_end(w);
}

/*
 * db_history.c
 *		The memory of recommendations: reading and writing
 *		glperf.recommendation through the extension's functions.
 *
 * Nothing here ends the program once there is advice to show: without the
 * right to write, or on a standby, the run goes on without a memory, and the
 * report says so.
 */
#include "postgres_fe.h"

#include "common/logging.h"
#include "common/string.h"
#include "fe_utils/cancel.h"
#include "libpq-fe.h"

#include "db.h"
#include "db_internal.h"
#include "rows.h"
#include "text.h"

static const Column match_columns[] = {
#define GLPERF_MATCH_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Match, name)},
#include "glperf_recommendation.h"
};

static const Column gone_columns[] = {
#define GLPERF_GONE_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Gone, name)},
#include "glperf_recommendation.h"
};

static const Column verdict_columns[] = {
#define GLPERF_VERDICT_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Verdict, name)},
#include "glperf_recommendation.h"
};

/* A number as a parameter; NULL for none. */
static char *
int_param(int64 value)
{
	return value == GLPERF_NULL_INT ? NULL : psprintf(INT64_FORMAT, value);
}

/* The same for a real number. */
static char *
real_param(double value)
{
	return value != value ? NULL : psprintf("%.17g", value);
}

/* Names of all recommendations of this run, as an SQL array. */
static char *
all_names(const Advice *advice)
{
	TextList	names = {0};

	names.items = pg_malloc0(sizeof(char *) * (advice->nrecommendations +
											   advice->nsuppressed + 1));
	for (int i = 0; i < advice->nrecommendations; i++)
		names.items[names.n++] = advice->recommendations[i].match.name;
	for (int i = 0; i < advice->nsuppressed; i++)
		names.items[names.n++] = advice->suppressed[i].match.name;
	return db_array(&names);
}


/* -------- reading -------- */

/* Look one recommendation up; false when that is not possible. */
static bool
match_one(Advice *advice, Recommendation *rec)
{
	const char *params[7];
	PGresult   *res;

	params[0] = rec->action;
	params[1] = rec->schema_name;
	params[2] = rec->table_name;
	params[3] = rec->index_name;
	params[4] = advice->source;
	params[5] = int_param(rec->size_bytes);
	params[6] = real_param(rec->benefit_ms_per_day);
	res = db_run_optional("SELECT m.name, m.state, " DB_UTC("m.first_seen_at")
						  " AS first_seen_at, m.is_new, m.is_suppressed, m.note"
						  " FROM glperf.recommendation_match($1, $2, $3, $4,"
						  " $5, $6::int8, $7::float8) m",
						  7, params, &advice->record_message);
	if (res == NULL)
		return false;
	rows_load_one(res, 0, match_columns, lengthof(match_columns), &rec->match);
	PQclear(res);

	/* the primary's memory is about the primary's workload */
	if (advice->server.in_recovery)
		rec->match.is_new = !rec->match.is_suppressed;
	return true;
}

/* Look all of them up, and what is missing among them. */
void
db_match(const AdvisorOptions *opts, Advice *advice)
{
	const char *params[2];
	PGresult   *res;
	bool		known = true;

	for (int i = 0; i < advice->nrecommendations; i++)
	{
		Recommendation *rec = &advice->recommendations[i];

		if (known)
			known = match_one(advice, rec);
		if (!known)
			rec->match.is_new = true;
	}
	/* a search that ended early may have missed what it found before */
	if (!known || advice->server.in_recovery || !advice->summary.complete)
		return;
	params[0] = advice->source;
	params[1] = all_names(advice);
	res = db_run_optional("SELECT g.name, g.ddl, g.is_in_place"
						  " FROM glperf.recommendations_gone($1, $2::text[]) g",
						  2, params, &advice->record_message);
	if (res != NULL)
		advice->gone = rows_load_all(res, gone_columns, lengthof(gone_columns),
									 sizeof(Gone), &advice->ngone);
}


/* -------- writing -------- */

/*
 * Open a transaction that may write.  Returns false, with the reason, when it
 * can't be opened; the connection may be gone.
 */
static bool
begin_write(const AdvisorOptions *opts, Advice *advice)
{
	PGresult   *res = db_run("BEGIN TRANSACTION READ WRITE", 0, NULL);
	bool		ok = (PQresultStatus(res) == PGRES_COMMAND_OK);

	if (!ok)
		advice->record_message = text_clean(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
	PQclear(res);
	if (ok)
	{
		db_stay_out_of_workload(true);
		db_set_read_settings(opts);
	}
	return ok;
}

/* Close it, for good or not.  Returns whether it was for good. */
static bool
end_write(Advice *advice, bool ok)
{
	PGresult   *res = db_run(ok ? "COMMIT" : "ROLLBACK", 0, NULL);

	if (ok && PQresultStatus(res) != PGRES_COMMAND_OK)
	{
		advice->record_message = text_clean(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
		ok = false;
	}
	PQclear(res);
	return ok;
}

/* One statement of such a transaction; returns the first field, or NULL. */
static char *
run_write(Advice *advice, const char *sql, int nparams,
		  const char *const *params)
{
	PGresult   *res = db_run(sql, nparams, params);
	char	   *value = NULL;

	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0)
		value = pg_strdup(PQgetvalue(res, 0, 0));
	else
		advice->record_message = text_clean(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
	PQclear(res);
	return value;
}

/* Note one recommendation. */
static bool
record_one(Advice *advice, const Recommendation *rec)
{
	const char *params[15];

	params[0] = advice->snapshot;
	params[1] = advice->source;
	params[2] = rec->action;
	params[3] = rec->schema_name;
	params[4] = rec->table_name;
	params[5] = rec->index_name;
	params[6] = rec->ddl;
	params[7] = rec->undo_ddl;
	params[8] = db_array(&rec->queryids);
	params[9] = int_param(rec->size_bytes);
	params[10] = real_param(rec->benefit_ms_per_day);
	params[11] = real_param(rec->write_cost_ms_per_day);
	params[12] = real_param(rec->benefit_pct);
	params[13] = rec->confidence;
	params[14] = db_array(&rec->reasons);
	return run_write(advice, "SELECT glperf.record_recommendation($1::uuid, $2,"
					 " $3, $4, $5, $6, $7, $8, $9::int8[], $10::int8,"
					 " $11::float8, $12::float8, $13::float8, $14,"
					 " $15::text[])", 15, params) != NULL;
}

/* May this run be noted at all? */
static bool
may_record(const AdvisorOptions *opts, Advice *advice)
{
	if (opts->no_record)
		advice->record_message = "--no-record was given";
	else if (advice->server.in_recovery)
		advice->record_message = "this is a standby";
	else
		return true;
	return false;
}

/* Note the run. */
void
db_record(const AdvisorOptions *opts, Advice *advice)
{
	const char *params[3];
	bool		ok;

	if (!may_record(opts, advice) || !begin_write(opts, advice))
		return;
	advice->snapshot = run_write(advice, "SELECT glperf.recommendation_begin()",
								 0, NULL);
	ok = (advice->snapshot != NULL);
	for (int i = 0; ok && i < advice->nrecommendations; i++)
		ok = record_one(advice, &advice->recommendations[i]);
	for (int i = 0; ok && i < advice->nsuppressed; i++)
		ok = record_one(advice, &advice->suppressed[i]);
	if (ok && advice->summary.complete)
	{
		params[0] = advice->snapshot;
		params[1] = advice->source;
		params[2] = all_names(advice);
		ok = run_write(advice, "SELECT glperf.recommendation_end($1::uuid, $2,"
					   " $3::text[])", 3, params) != NULL;
	}
	advice->recorded = end_write(advice, ok);
}

/* Note what --apply carried out, with counters to start measuring from. */
void
db_record_applied(const AdvisorOptions *opts, Advice *advice)
{
	TextList	names = {0};
	const char *params[2];
	bool		ok;

	names.items = pg_malloc0(sizeof(char *) * (advice->nrecommendations + 1));
	for (int i = 0; i < advice->nrecommendations; i++)
		if (advice->recommendations[i].outcome == APPLY_DONE)
			names.items[names.n++] = advice->recommendations[i].match.name;

	/* the next run notices what could not be noted now */
	if (!advice->recorded || names.n == 0 || PQstatus(db_conn) != CONNECTION_OK)
		return;
	if (!begin_write(opts, advice))
		return;
	params[0] = run_write(advice, "SELECT glperf.recommendation_begin()", 0,
						  NULL);
	params[1] = db_array(&names);
	ok = params[0] != NULL &&
		run_write(advice, "SELECT glperf.recommendation_applied($1::uuid,"
				  " $2::text[])", 2, params) != NULL;
	if (!end_write(advice, ok))
		pg_log_warning("could not note what was applied: %s",
					   advice->record_message ? advice->record_message : "");
}

/* Judge what was applied. */
bool
db_verify(const AdvisorOptions *opts, Advice *advice, bool notice)
{
	PGresult   *res;
	bool		ok;

	if (!may_record(opts, advice) || !begin_write(opts, advice))
		return false;
	if (notice &&
		run_write(advice, "SELECT glperf.notice_recommendations()", 0,
				  NULL) == NULL)
		return end_write(advice, false);
	res = db_run("SELECT v.name, v.old_state, v.state, v.verdict, v.message,"
				 " v.undo_ddl, v.mean_before_ms, v.mean_after_ms,"
				 " v.saved_ms_per_day, v.index_scans, v.hot_before_pct,"
				 " v.hot_after_pct, " DB_UTC("v.applied_at") " AS applied_at"
				 " FROM glperf.verify_recommendations() v", 0, NULL);
	ok = (PQresultStatus(res) == PGRES_TUPLES_OK);
	if (ok)
		advice->verdicts = rows_load_all(res, verdict_columns,
										 lengthof(verdict_columns),
										 sizeof(Verdict), &advice->nverdicts);
	else
	{
		advice->record_message = text_clean(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
		PQclear(res);
	}
	ok = end_write(advice, ok);
	if (!ok)
		advice->nverdicts = 0;
	return ok;
}

/*
 * db_apply.c
 *		What --apply says to the server.
 *
 * Everything here returns its errors, as what was done before them has to be
 * reported; only the preparation, before anything was done, may end the
 * program.
 */
#include "postgres_fe.h"

#include "common/logging.h"
#include "common/string.h"
#include "libpq-fe.h"

#include "db.h"
#include "db_internal.h"
#include "rows.h"
#include "text.h"

/* How fast a backend notices that we were killed. */
#define CONNECTION_CHECK_MS		"5000"

/*
 * Key of pg_try_advisory_lock(bigint): the letters "glperf" and 0x0001.
 * Documented in docs/advisor-json.md, so that others can stay out of the way.
 */
#define APPLY_LOCK_KEY		"7452455064404623361"

static const Column leftover_columns[] = {
	{"schema_name", KIND_TEXT, offsetof(Leftover, schema_name)},
	{"table_name", KIND_TEXT, offsetof(Leftover, table_name)},
	{"index_name", KIND_TEXT, offsetof(Leftover, index_name)},
	{"drop_ddl", KIND_TEXT, offsetof(Leftover, drop_ddl)},
};

static const Column step_columns[] = {
	{"command", KIND_TEXT, offsetof(StepState, command)},
	{"schema_name", KIND_TEXT, offsetof(StepState, schema_name)},
	{"table_name", KIND_TEXT, offsetof(StepState, table_name)},
	{"index_name", KIND_TEXT, offsetof(StepState, index_name)},
	{"state", KIND_TEXT, offsetof(StepState, state)},
	{"is_own", KIND_BOOL, offsetof(StepState, is_own)},
	{"is_done", KIND_BOOL, offsetof(StepState, is_done)},
	{"drop_ddl", KIND_TEXT, offsetof(StepState, drop_ddl)},
};

static const Column preflight_columns[] = {
#define GLPERF_PREFLIGHT_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Preflight, name)},
#include "glperf_recommendation.h"
};

/* Keep what --apply wants to know about a failed statement. */
static void
set_error(DbError *error, PGresult *res)
{
	char	   *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	char	   *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	char	   *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);

	strlcpy(error->sqlstate, sqlstate ? sqlstate : "", sizeof(error->sqlstate));
	if (message == NULL)
		message = PQerrorMessage(db_conn);
	error->message = psprintf("%s%s%s", message, detail ? ": " : "",
							  detail ? detail : "");
	pg_strip_crlf(error->message);
	error->connection_lost = (PQstatus(db_conn) != CONNECTION_OK);
}

/* Take the lock of --apply, if nobody has it. */
bool
db_apply_lock(void)
{
	const char *params[1] = {APPLY_LOCK_KEY};
	PGresult   *res;
	bool		locked;

	/* a pooler invents the process id that it tells its clients */
	res = db_run_or_fail("could not identify the session",
						 "SELECT pg_catalog.pg_backend_pid()", 0, NULL);
	if (strtol(PQgetvalue(res, 0, 0), NULL, 10) != PQbackendPID(db_conn))
	{
		pg_log_error("cannot apply recommendations through a connection pooler");
		pg_log_error_hint("Connect to the server itself, or leave out --apply.");
		exit(GLPERF_EXIT_FAILURE);
	}
	PQclear(res);

	db_stay_out_of_workload(false);
	res = db_run_or_fail("could not take the lock of --apply",
						 "SELECT pg_catalog.pg_try_advisory_lock($1::int8)",
						 1, params);
	locked = (PQgetvalue(res, 0, 0)[0] == 't');
	PQclear(res);
	return locked;
}

/* Settings of the session that runs DDL. */
void
db_apply_settings(const AdvisorOptions *opts)
{
	static const char *const check_interval[] = {
		"client_connection_check_interval", CONNECTION_CHECK_MS, "f"
	};
	PGresult   *res;

	db_set_setting("search_path", db_safe_search_path, false);
	db_set_setting("statement_timeout", "0", false);
	db_lift_timeouts(false);
	db_set_lock_timeout(opts->lock_timeout_ms);

	/*
	 * If we are killed, the server should stop building and give up the lock,
	 * rather than work on for hours.  Not every platform can tell.
	 */
	res = db_run("SELECT pg_catalog.set_config($1, $2, $3::bool)", 3,
				 check_interval);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		pg_log_debug("this server cannot check connections: %s",
					 PQresultErrorMessage(res));
	PQclear(res);
}

/* Wait at most ms for a lock from now on. */
void
db_set_lock_timeout(int ms)
{
	char		timeout[32];
	const char *params[3] = {"lock_timeout", timeout, "f"};

	/* if this fails, so does the next statement, which is reported */
	snprintf(timeout, sizeof(timeout), "%d", ms);
	PQclear(db_run("SELECT pg_catalog.set_config($1, $2, $3::bool)", 3, params));
}

/* Read glperf.apply_leftovers. */
bool
db_leftovers(Advice *advice, DbError *error)
{
	PGresult   *res = db_run("SELECT schema_name, table_name, index_name,"
							 " drop_ddl FROM glperf.apply_leftovers"
							 " ORDER BY schema_name, index_name", 0, NULL);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
	{
		set_error(error, res);
		PQclear(res);
		return false;
	}
	advice->leftovers = rows_load_all(res, leftover_columns,
									  lengthof(leftover_columns),
									  sizeof(Leftover), &advice->nleftovers);
	return true;
}

/* Read glperf.apply_step() of one statement. */
bool
db_step_state(const char *step, StepState *state, DbError *error)
{
	PGresult   *res = db_run("SELECT * FROM glperf.apply_step($1)", 1, &step);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
	{
		set_error(error, res);
		PQclear(res);
		return false;
	}
	rows_load_one(res, 0, step_columns, lengthof(step_columns), state);
	PQclear(res);
	return true;
}

/* Read glperf.apply_preflight() of one statement. */
bool
db_preflight(const AdvisorOptions *opts, const char *step, int64 size_bytes,
			 Preflight **rows, int *nrows, DbError *error)
{
	const char *params[3];
	PGresult   *res;

	params[0] = step;
	params[1] = size_bytes == GLPERF_NULL_INT ? NULL :
		psprintf(INT64_FORMAT, size_bytes);
	params[2] = opts->max_wait_ms < 0 ? NULL :
		psprintf("%.3f", opts->max_wait_ms / 1000.0);
	res = db_run("SELECT p.check_id, p.status, p.message"
				 " FROM glperf.apply_preflight($1, $2::int8, $3::float8) p"
				 " WHERE p.status <> 'ok'"
				 " ORDER BY p.status = 'refuse' DESC, p.check_id", 3, params);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
	{
		set_error(error, res);
		PQclear(res);
		return false;
	}
	*rows = rows_load_all(res, preflight_columns, lengthof(preflight_columns),
						  sizeof(Preflight), nrows);
	return true;
}

/* Write to the log how a step ended.  Its index is ours either way. */
static void
end_step(const char *id, const char *outcome, const DbError *error)
{
	const char *params[4];
	PGresult   *res;

	params[0] = id;
	params[1] = outcome;
	params[2] = error && error->sqlstate[0] ? error->sqlstate : NULL;
	params[3] = error ? error->message : NULL;
	res = db_run("SELECT glperf.apply_end($1::uuid, $2, $3, $4)", 4, params);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		pg_log_warning("could not complete the entry in glperf.apply_log: %s",
					   text_clean(PQresultErrorMessage(res)));
	PQclear(res);
}

/* Note a statement in the log, run it, and note how it ended. */
bool
db_run_step(const char *step, const char *undo_ddl, DbError *error)
{
	const char *params[2];
	PGresult   *res;
	char	   *id;
	bool		ok;

	params[0] = step;
	params[1] = undo_ddl;
	res = db_run("SELECT glperf.apply_begin($1, $2)", 2, params);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
	{
		set_error(error, res);
		PQclear(res);
		return false;
	}
	id = pg_strdup(PQgetvalue(res, 0, 0));
	PQclear(res);

	res = db_run(step, 0, NULL);
	ok = (PQresultStatus(res) == PGRES_COMMAND_OK);
	if (!ok)
		set_error(error, res);
	PQclear(res);
	if (ok || !error->connection_lost)
		end_step(id, ok ? "done" : strcmp(error->sqlstate, "42P07") == 0 ?
				 "refused" : "failed", ok ? NULL : error);
	pg_free(id);
	return ok;
}

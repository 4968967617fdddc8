/*
 * db.c
 *		Connection, handshake and analysis.
 *
 * db.c and db_apply.c are the only files with SQL.  Statements read the
 * extension's interface (glperf.*) and nothing else, besides session
 * settings, the advisory lock and the DDL that the extension returned.
 * Values travel as parameters; no statement is put together from text.
 * Columns are found by name.
 */
#include "postgres_fe.h"

#include <math.h>
#include <signal.h>

#include "common/logging.h"
#include "common/string.h"
#include "fe_utils/cancel.h"
#include "fe_utils/string_utils.h"
#include "libpq-fe.h"
#include "pqexpbuffer.h"

#include "db.h"
#include "db_internal.h"
#include "glperf_version.h"
#include "options.h"
#include "rows.h"
#include "text.h"

/* At no time wait longer for a lock while only reading. */
#define ANALYSIS_LOCK_TIMEOUT_MS	2000

static const Column recommendation_columns[] = {
#define GLPERF_RECOMMENDATION_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Recommendation, name)},
#include "glperf_recommendation.h"
};

static const Column statement_columns[] = {
#define GLPERF_STATEMENT_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Statement, name)},
#include "glperf_recommendation.h"
};

static const Column summary_columns[] = {
#define GLPERF_SUMMARY_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(Summary, name)},
#include "glperf_recommendation.h"
};

static const Column note_columns[] = {
#define GLPERF_INDEX_NOTE_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(IndexNote, name)},
#include "glperf_recommendation.h"
};

static const Column server_columns[] = {
	{"database", KIND_TEXT, offsetof(ServerFacts, database)},
	{"extension_version", KIND_TEXT, offsetof(ServerFacts, extension_version)},
	{"api_version", KIND_TEXT, offsetof(ServerFacts, api_version)},
	{"now", KIND_TEXT, offsetof(ServerFacts, now)},
	{"in_recovery", KIND_BOOL, offsetof(ServerFacts, in_recovery)},
};

static const Column window_columns[] = {
	{"stats_since", KIND_TEXT, offsetof(ServerFacts, stats_since)},
	{"window_s", KIND_REAL, offsetof(ServerFacts, window_s)},
};

static const Column plan_columns[] = {
	{"plan_before", KIND_TEXT, offsetof(Statement, plan_before)},
	{"plan_after", KIND_TEXT, offsetof(Statement, plan_after)},
};

PGconn	   *db_conn = NULL;

/* See db.h. */
bool		db_applying = false;

/* What search_path was before we made it safe; for --explain */
static char *user_search_path = NULL;

#define SAFE_SEARCH_PATH	"pg_catalog, pg_temp"

const char *const db_safe_search_path = SAFE_SEARCH_PATH;

const char *const db_script_settings =
"SET search_path = " SAFE_SEARCH_PATH ";\n";


/* -------- errors -------- */

/*
 * What to do about a failure of the analysis, by its SQLSTATE.  What the
 * server says about a missing function is no help to somebody whose extension
 * is too old, so own says whether ours is the better hint.
 */
static const char *
hint_for(const char *sqlstate, bool *own)
{
	*own = true;
	if (strcmp(sqlstate, "3F000") == 0) /* invalid_schema_name */
		return "Run CREATE EXTENSION glperf in this database.";
	if (strcmp(sqlstate, "42883") == 0 ||	/* undefined_function */
		strcmp(sqlstate, "42P01") == 0 ||	/* undefined_table */
		strcmp(sqlstate, "42703") == 0) /* undefined_column */
		return "Run ALTER EXTENSION glperf UPDATE, or install matching versions.";
	*own = false;
	if (strcmp(sqlstate, "42501") == 0) /* insufficient_privilege */
		return "Connect as a member of pg_monitor (for --apply: the owner of the tables), or as a superuser.";
	if (strcmp(sqlstate, "57014") == 0 && !CancelRequested)
		return "Raise --statement-timeout, or lower --time-limit.";
	return NULL;
}

/* A field of an error, safe to show (it may quote names); NULL without it. */
static char *
error_field(PGresult *res, int field)
{
	char	   *value = PQresultErrorField(res, field);

	return value ? text_clean(value) : NULL;
}

/* Say what failed, why, and what to do about it; end the program. */
static void
fail_with_result(const char *what, PGresult *res)
{
	char	   *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	char	   *message = error_field(res, PG_DIAG_MESSAGE_PRIMARY);
	char	   *detail = error_field(res, PG_DIAG_MESSAGE_DETAIL);
	char	   *server_hint = error_field(res, PG_DIAG_MESSAGE_HINT);
	bool		own = false;
	const char *hint = sqlstate ? hint_for(sqlstate, &own) : NULL;

	if (CancelRequested)
		pg_log_error("%s: cancelled", what);
	else if (message == NULL)
		pg_log_error("%s: %s", what, PQerrorMessage(db_conn));
	else
		pg_log_error("%s: %s", what, message);
	if (detail != NULL)
		pg_log_error_detail("%s", detail);
	if (server_hint != NULL && !own)
		hint = server_hint;
	if (hint != NULL)
		pg_log_error_hint("%s", hint);
	options_exit_failure();
}

/* Run a statement with text parameters; the caller checks the result. */
PGresult *
db_run(const char *sql, int nparams, const char *const *params)
{
	pg_log_debug("%s", text_clean(sql));
	return PQexecParams(db_conn, sql, nparams, NULL, params, NULL, NULL, 0);
}

/*
 * End the program if it was told to.  A cancel request that reaches the server
 * between two statements stops none, so this is asked before each.
 */
static void
stop_if_cancelled(void)
{
	if (!CancelRequested || db_applying)
		return;
	pg_log_error("cancelled");
	options_exit_failure();
}

/* As db_run(), ending the program unless the statement succeeds. */
PGresult *
db_run_or_fail(const char *what, const char *sql, int nparams,
			   const char *const *params)
{
	PGresult   *res;
	ExecStatusType status;

	stop_if_cancelled();
	res = db_run(sql, nparams, params);
	status = PQresultStatus(res);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_with_result(what, res);
	return res;
}

/*
 * Run a statement that the report can do without, inside the analysis
 * transaction.  Returns NULL on failure, with the transaction as before.
 */
PGresult *
db_run_optional(const char *sql, int nparams, const char *const *params,
				char **why)
{
	PGresult   *res;

	PQclear(db_run_or_fail("could not set a savepoint", "SAVEPOINT glperf", 0,
						   NULL));
	res = db_run(sql, nparams, params);
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
	{
		PQclear(db_run_or_fail("could not release a savepoint",
							   "RELEASE SAVEPOINT glperf", 0, NULL));
		return res;
	}
	if (CancelRequested || PQstatus(db_conn) != CONNECTION_OK)
		fail_with_result("analysis failed", res);
	if (why != NULL)
		*why = error_field(res, PG_DIAG_MESSAGE_PRIMARY);
	if (why != NULL && *why == NULL)
		*why = "unknown error";
	PQclear(res);
	PQclear(db_run_or_fail("could not roll back to a savepoint",
						   "ROLLBACK TO SAVEPOINT glperf", 0, NULL));
	return NULL;
}



/* -------- connection -------- */

/*
 * SIGTERM and SIGHUP do what SIGINT does: cancel the statement, then finish
 * in order.  fe_utils knows only SIGINT, so pass it on.
 */
static void
handle_termination(SIGNAL_ARGS)
{
	int			save_errno = errno;

	raise(SIGINT);
	errno = save_errno;
}

/* One attempt to connect. */
static PGconn *
try_connect(const AdvisorOptions *opts, const char *password)
{
	const char *keywords[] = {
		"host", "port", "user", "password", "dbname", "application_name",
		"client_encoding", NULL
	};
	const char *values[] = {
		opts->host, opts->port, opts->user, password, opts->dbname,
		"glperf-advisor", "UTF8", NULL
	};

	/* a connection string in dbname overrides what stands before it */
	return PQconnectdbParams(keywords, values, true);
}

/* A message without hosts that may be more than that. */
static char *
hide_hosts(char *message, const char *hosts)
{
	while (*hosts)
	{
		size_t		len = strcspn(hosts, ",");
		char	   *host = pnstrdup(hosts, len);

		/* directories and addresses are of other characters, too */
		if (host[0] != '/' && host[strspn(host, "0123456789abcdef:.")] != '\0')
			message = text_hide_name(message, host);
		hosts += len + (hosts[len] == ',');
	}
	return message;
}

/* See db.h. */
char *
db_connection_error(PGconn *conn)
{
	PQconninfoOption *options = conn ? PQconninfo(conn) : NULL;
	char	   *message = conn ? PQerrorMessage(conn) : "out of memory";

	for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
	{
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "host") == 0)
			message = hide_hosts(message, o->val);
		else if (strcmp(o->keyword, "user") == 0 ||
				 strcmp(o->keyword, "dbname") == 0)
			message = text_hide_name(message, o->val);
	}
	PQconninfoFree(options);
	return message;
}

/* Connect, and let signals cancel what is running. */
void
db_connect(const AdvisorOptions *opts)
{
	char	   *password = NULL;
	const char *server_encoding;

	if (opts->prompt_password == TRI_YES)
		password = simple_prompt("Password: ", false);
	db_conn = try_connect(opts, password);
	if (db_conn != NULL && PQstatus(db_conn) == CONNECTION_BAD &&
		PQconnectionNeedsPassword(db_conn) && password == NULL &&
		opts->prompt_password != TRI_NO)
	{
		PQfinish(db_conn);
		password = simple_prompt("Password: ", false);
		db_conn = try_connect(opts, password);
	}
	if (db_conn == NULL || PQstatus(db_conn) == CONNECTION_BAD)
	{
		pg_log_error("%s", db_connection_error(db_conn));
		options_exit_failure();
	}
	/* a server without an encoding would refuse to send what isn't UTF-8 */
	server_encoding = PQparameterStatus(db_conn, "server_encoding");
	if (server_encoding != NULL && strcmp(server_encoding, "SQL_ASCII") == 0)
		PQsetClientEncoding(db_conn, "SQL_ASCII");

	setup_cancel_handler(NULL);
	pqsignal(SIGTERM, handle_termination);
	pqsignal(SIGHUP, handle_termination);
	SetCancelConn(db_conn);
}

/* Close the connection, which gives up the lock of --apply. */
void
db_disconnect(void)
{
	ResetCancelConn();
	PQfinish(db_conn);
	db_conn = NULL;
}

/* Set a setting, for the transaction or for the session. */
void
db_set_setting(const char *name, const char *value, bool local)
{
	const char *params[3];

	params[0] = name;
	params[1] = value;
	params[2] = local ? "t" : "f";
	PQclear(db_run_or_fail("could not change a setting",
						   "SELECT pg_catalog.set_config($1, $2, $3::bool)",
						   3, params));
}

/*
 * Keep our own statements out of pg_stat_statements, where the next analysis
 * would find them.  Only superusers may; for others it doesn't matter enough
 * to fill the server's log with refusals.
 */
void
db_stay_out_of_workload(bool local)
{
	const char *superuser = PQparameterStatus(db_conn, "is_superuser");

	if (superuser != NULL && strcmp(superuser, "on") == 0)
		db_set_setting("pg_stat_statements.track", "none", local);
}

/*
 * Open the transaction of the analysis.  Its settings are local, so that they
 * stay with us behind a pooler and leave nothing behind.
 */
void
db_begin_read_only(const AdvisorOptions *opts)
{
	PQclear(db_run_or_fail("could not begin a transaction",
						   "BEGIN TRANSACTION READ ONLY", 0, NULL));
	db_stay_out_of_workload(true);
	db_set_read_settings(opts);
}

/*
 * Timeouts that a role or database has for others, and that would end us while
 * a log is read or an index is built.
 */
void
db_lift_timeouts(bool local)
{
	PGresult   *res;
	const char *params[1] = {local ? "t" : "f"};

	/* not all majors have all of them */
	res = db_run_or_fail("could not change a setting",
						 "SELECT pg_catalog.set_config(s.name, '0', $1::bool)"
						 " FROM pg_catalog.pg_settings s WHERE s.name IN"
						 " ('idle_in_transaction_session_timeout',"
						 "  'idle_session_timeout', 'transaction_timeout')"
						 " AND s.setting <> '0'",
						 1, params);
	PQclear(res);
}

/* See db_internal.h. */
void
db_set_read_settings(const AdvisorOptions *opts)
{
	char		timeout[32];
	PGresult   *res;

	if (user_search_path == NULL)
	{
		res = db_run_or_fail("could not read a setting",
							 "SELECT pg_catalog.current_setting('search_path')",
							 0, NULL);
		user_search_path = pg_strdup(PQgetvalue(res, 0, 0));
		PQclear(res);
	}
	db_set_setting("search_path", db_safe_search_path, true);
	db_lift_timeouts(true);
	snprintf(timeout, sizeof(timeout), "%d", opts->statement_timeout_ms);
	db_set_setting("statement_timeout", timeout, true);
	snprintf(timeout, sizeof(timeout), "%d", ANALYSIS_LOCK_TIMEOUT_MS);
	db_set_setting("lock_timeout", timeout, true);
}

/* Close it. */
void
db_end_read_only(void)
{
	PQclear(db_run_or_fail("could not end the transaction", "COMMIT", 0, NULL));
}

/* Refuse an extension whose interface is another major or too old. */
static void
check_api_version(const ServerFacts *server)
{
	int			major;
	int			minor;

	if (server->api_version != NULL &&
		sscanf(server->api_version, "%d.%d", &major, &minor) == 2 &&
		major == GLPERF_API_MAJOR && minor >= GLPERF_API_MINOR)
		return;
	pg_log_error("glperf-advisor %s needs interface %d.%d, but the extension in database \"%s\" (glperf %s) offers %s",
				 GLPERF_VERSION, GLPERF_API_MAJOR, GLPERF_API_MINOR,
				 text_clean(server->database),
				 text_clean(server->extension_version),
				 server->api_version ? text_clean(server->api_version) : "none");
	pg_log_error_hint("Install the same version of both, and run ALTER EXTENSION glperf UPDATE.");
	options_exit_failure();
}

/* Find the extension, and check that we speak its language. */
void
db_handshake(const AdvisorOptions *opts, ServerFacts *server)
{
	PGresult   *res;

	db_begin_read_only(opts);
	res = db_run_or_fail("could not find the extension glperf",
						 "SELECT pg_catalog.current_database() AS database,"
						 " glperf.version() AS extension_version,"
						 " glperf.api_version() AS api_version,"
						 " pg_catalog.pg_is_in_recovery() AS in_recovery, "
						 DB_UTC("pg_catalog.clock_timestamp()") " AS now",
						 0, NULL);
	rows_load_one(res, 0, server_columns, lengthof(server_columns), server);
	PQclear(res);
	db_end_read_only();

	server->user = pg_strdup(PQuser(db_conn));
	server->host = pg_strdup(PQhost(db_conn) ? PQhost(db_conn) : "");
	server->port = pg_strdup(PQport(db_conn) ? PQport(db_conn) : "");
	server->client_encoding =
		pg_strdup(PQparameterStatus(db_conn, "client_encoding"));
	server->server_version = pg_strdup(PQparameterStatus(db_conn,
														 "server_version"));
	check_api_version(server);
}


/* -------- analysis -------- */

/* glperf.advise_indexes() with the limits of the command line */
static void
read_recommendations(const AdvisorOptions *opts, Advice *advice)
{
	char		limits[4][64];
	const char *params[5];
	PGresult   *res;

	snprintf(limits[0], sizeof(limits[0]), INT64_FORMAT, opts->budget_bytes);
	snprintf(limits[1], sizeof(limits[1]), "%d", opts->max_indexes);
	snprintf(limits[2], sizeof(limits[2]), "%.17g", opts->min_benefit_pct);
	snprintf(limits[3], sizeof(limits[3]), "%d", opts->time_limit_ms);
	params[0] = opts->budget_bytes < 0 ? NULL : limits[0];
	params[1] = opts->max_indexes < 0 ? NULL : limits[1];
	params[2] = opts->min_benefit_pct < 0 ? NULL : limits[2];
	params[3] = opts->time_limit_ms < 0 ? NULL : limits[3];
	params[4] = advice->workload;

	res = db_run_or_fail("analysis failed",
						 "SELECT * FROM glperf.advise_indexes($1::int8, $2::int4,"
						 " $3::float8, $4::int4, $5::jsonb) ORDER BY rank",
						 5, params);
	advice->recommendations = rows_load_all(res, recommendation_columns,
											lengthof(recommendation_columns),
											sizeof(Recommendation),
											&advice->nrecommendations);
}

/* What the run says about itself and about each statement. */
static void
read_statements(Advice *advice)
{
	PGresult   *res;

	res = db_run_or_fail("could not read the statements of the analysis",
						 "SELECT * FROM glperf.advised_statements()"
						 " ORDER BY time_ms_per_day DESC NULLS LAST, queryid",
						 0, NULL);
	advice->statements = rows_load_all(res, statement_columns,
									   lengthof(statement_columns),
									   sizeof(Statement), &advice->nstatements);
	for (int i = 0; i < advice->nstatements; i++)
	{
		Statement  *stmt = &advice->statements[i];

		/* what gains was planned, so it's a query and has no constants */
		if (stmt->query != NULL && strcmp(stmt->outcome, "advised") != 0)
			text_hide_literals(stmt->query);
	}

	res = db_run_or_fail("could not read the summary of the analysis",
						 "SELECT * FROM glperf.advice_summary()", 0, NULL);
	if (PQntuples(res) != 1)
	{
		pg_log_error("glperf.advice_summary() returned %d rows instead of one",
					 PQntuples(res));
		options_exit_failure();
	}
	rows_load_one(res, 0, summary_columns, lengthof(summary_columns),
				  &advice->summary);
	PQclear(res);
}

/* Since when the statements were counted. */
static void
read_window(Advice *advice)
{
	PGresult   *res;
	char	   *why;

	if (strcmp(advice->source, "statistics") != 0)
		return;					/* it knows its own window */
	advice->server.window_s = NAN;
	res = db_run_optional("SELECT " DB_UTC("min(s.stats_since)") " AS stats_since,"
						  " extract(epoch FROM now() - min(s.stats_since))::float8"
						  " AS window_s FROM glperf.statement_stats() s",
						  0, NULL, &why);
	if (res == NULL)
		pg_log_warning("the age of the statistics is unknown: %s", why);
	else
	{
		rows_load_one(res, 0, window_columns, lengthof(window_columns),
					  &advice->server);
		PQclear(res);
	}
}

/* Notes on existing indexes. */
static void
read_notes(Advice *advice)
{
	PGresult   *res;
	char	   *why;

	res = db_run_optional("SELECT * FROM glperf.index_usage"
						  " WHERE verdict NOT IN ('used', 'keep', 'unknown')"
						  " ORDER BY size_bytes DESC NULLS LAST, schema_name,"
						  " index_name", 0, NULL, &why);
	if (res == NULL)
		pg_log_warning("existing indexes could not be examined: %s", why);
	else
		advice->notes = rows_load_all(res, note_columns, lengthof(note_columns),
									  sizeof(IndexNote), &advice->nnotes);
}

/* The search_path of a role: our own session's, or what it would get. */
static char *
search_path_of(const Advice *advice, const char *role)
{
	PGresult   *res;
	char	   *path = user_search_path;

	if (role == NULL || strcmp(role, advice->server.user) == 0)
		return path;
	res = db_run_optional("SELECT glperf.role_search_path(r.oid)"
						  " FROM pg_roles r WHERE r.rolname = $1", 1, &role,
						  NULL);
	if (res != NULL && PQntuples(res) == 1)
	{
		/* "$user" is its own schema, and we are somebody else */
		path = PQescapeIdentifier(db_conn, role, strlen(role));
		path = text_replace(PQgetvalue(res, 0, 0), "\"$user\"", path);
	}
	PQclear(res);
	return path;
}

/* --explain: plans of one statement without and with its indexes. */
static void
read_plans(Advice *advice, Statement *stmt)
{
	PQExpBuffer ddl = createPQExpBuffer();
	const char *params[2];
	PGresult   *res;

	appendPQExpBufferChar(ddl, '{');
	for (int i = 0; i < advice->nrecommendations; i++)
	{
		Recommendation *rec = &advice->recommendations[i];

		if (strcmp(rec->action, "create") != 0 || rec->steps.n == 0)
			continue;
		appendPGArray(ddl, rec->steps.items[0]);
	}
	appendPQExpBufferChar(ddl, '}');

	/* names in the statement mean what they mean to its role */
	db_set_setting("search_path", search_path_of(advice, stmt->role), true);
	params[0] = stmt->query;
	params[1] = ddl->data;
	res = db_run_optional("SELECT plan_before, plan_after"
						  " FROM glperf.whatif($1::text, $2::text[]) LIMIT 1",
						  2, params, &stmt->plan_error);
	if (res != NULL)
	{
		if (PQntuples(res) == 1)
			rows_load_one(res, 0, plan_columns, lengthof(plan_columns), stmt);
		PQclear(res);
	}
	db_set_setting("search_path", db_safe_search_path, true);
	destroyPQExpBuffer(ddl);
}

/* See db_internal.h. */
char *
db_array(const TextList *list)
{
	PQExpBuffer array = createPQExpBuffer();

	appendPQExpBufferChar(array, '{');
	for (int i = 0; i < list->n; i++)
		appendPGArray(array, list->items[i]);
	appendPQExpBufferChar(array, '}');
	return array->data;
}

/* Run the analysis and read all of its results. */
void
db_analyse(const AdvisorOptions *opts, Advice *advice)
{
	DbError		error;

	db_begin_read_only(opts);
	pg_log_info("analysing the workload of database \"%s\"",
				text_clean(advice->server.database));
	read_recommendations(opts, advice);
	read_statements(advice);
	db_read_explanations(advice);
	read_window(advice);
	read_notes(advice);
	if (!opts->apply && !db_leftovers(advice, &error))
	{
		pg_log_error("could not look for leftovers: %s", text_clean(error.message));
		options_exit_failure();
	}
	db_match(opts, advice);
	if (opts->explain)
		for (int i = 0; i < advice->nstatements; i++)
			if (strcmp(advice->statements[i].outcome, "advised") == 0 &&
				advice->statements[i].query != NULL)
				read_plans(advice, &advice->statements[i]);
	db_end_read_only();
}

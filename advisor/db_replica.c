/*
 * db_replica.c
 *		What a standby ran, and which indexes it needs.
 *
 * A standby counts its own statements and its own index scans: an index that
 * nothing scans on the primary may be what the standby lives on.  Its
 * connection string is never shown; messages call it by its place on the
 * command line, or by the name that the server knows it by.
 */
#include "postgres_fe.h"

#include "common/logging.h"
#include "common/string.h"
#include "libpq-fe.h"

#include "db.h"
#include "db_internal.h"
#include "options.h"
#include "text.h"
#include "workload.h"

#define REPLICA_OPTIONS	"-c search_path=" "pg_catalog,pg_temp" \
	" -c default_transaction_read_only=on -c lock_timeout=2s"

/* Connect as the string says, to our database unless it names one. */
static PGconn *
connect_replica(const AdvisorOptions *opts, const Advice *advice,
				const char *conninfo)
{
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	const char *keywords[64];
	const char *values[64];
	int			n = 0;
	bool		has_dbname = false;
	bool		has_options = false;

	for (PQconninfoOption *o = parsed; o && o->keyword && n < 56; o++)
	{
		if (o->val == NULL)
			continue;
		has_dbname = has_dbname || strcmp(o->keyword, "dbname") == 0;
		has_options = has_options || strcmp(o->keyword, "options") == 0 ||
			strcmp(o->keyword, "service") == 0;
		keywords[n] = o->keyword;
		values[n++] = o->val;
	}
	if (!has_dbname)
	{
		keywords[n] = "dbname";
		values[n++] = advice->server.database;
	}
	if (!has_options)
	{
		keywords[n] = "options";
		values[n++] = REPLICA_OPTIONS;
	}
	keywords[n] = "fallback_application_name";
	values[n++] = "glperf-advisor";
	keywords[n] = "client_encoding";
	values[n++] = "UTF8";
	keywords[n] = NULL;
	values[n] = NULL;
	return PQconnectdbParams(keywords, values, false);
}

/* Run a query there; NULL, after a message, on failure. */
static PGresult *
run_there(PGconn *conn, const char *name, const char *sql)
{
	PGresult   *res = PQexec(conn, sql);

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		return res;
	pg_log_warning("%s could not be read: %s", name,
				   PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) ?
				   text_clean(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)) :
				   text_clean(PQerrorMessage(conn)));
	PQclear(res);
	return NULL;
}

/* Is it a standby of this server, and in the same database? */
static bool
check_replica(PGconn *conn, const Advice *advice, char **name)
{
	static const char identity[] =
	"SELECT system_identifier::text FROM pg_control_system()";
	PGresult   *res = run_there(conn, *name,
								"SELECT pg_is_in_recovery(), glperf.node_name(),"
								" current_database(),"
								" (SELECT system_identifier::text"
								" FROM pg_control_system())");
	PGresult   *own;
	const char *problem = NULL;

	if (res == NULL)
		return false;
	own = db_run_or_fail("could not identify the server", identity, 0, NULL);
	if (strcmp(PQgetvalue(own, 0, 0), PQgetvalue(res, 0, 3)) != 0)
		problem = "it is no copy of this server";
	else if (PQgetvalue(res, 0, 0)[0] != 't')
		problem = "it is no standby";
	else if (strcmp(PQgetvalue(res, 0, 2), advice->server.database) != 0)
		problem = "the connection string names another database";
	else
		*name = psprintf("standby \"%s\"", text_clean(PQgetvalue(res, 0, 1)));
	if (problem != NULL)
		pg_log_warning("%s is left out: %s", *name, problem);
	PQclear(own);
	PQclear(res);
	return problem == NULL;
}

/* Add its statements. */
static bool
read_statements(PGconn *conn, const char *name, Workload *workload)
{
	PGresult   *res = run_there(conn, name,
								"SELECT s.queryid, s.query, r.rolname, s.calls,"
								" s.total_time_ms, s.rows,"
								" extract(epoch FROM now() - s.stats_since)::float8"
								" FROM glperf.statement_stats() s"
								" LEFT JOIN pg_roles r ON r.oid = s.userid"
								" WHERE s.dbid = (SELECT d.oid FROM pg_database d"
								" WHERE d.datname = current_database())"
								" AND s.query IS NOT NULL"
								" ORDER BY s.total_time_ms DESC, s.queryid");

	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++)
	{
		double		calls = strtod(PQgetvalue(res, i, 3), NULL);
		double		per_day = workload_per_day(PQgetisnull(res, i, 6) ? 86400 :
											   strtod(PQgetvalue(res, i, 6), NULL),
											   calls);
		Execution	execution = {
			.text = PQgetvalue(res, i, 1),
			.role = PQgetisnull(res, i, 2) ? NULL : PQgetvalue(res, i, 2),
			.queryid = strtoll(PQgetvalue(res, i, 0), NULL, 10),
			.calls = calls * per_day,
			.time_ms = strtod(PQgetvalue(res, i, 4), NULL) * per_day,
			.rows = strtod(PQgetvalue(res, i, 5), NULL) * per_day,
			.normalised = true
		};

		workload_add(workload, &execution);
	}
	PQclear(res);
	return true;
}

/* Tell the primary how often it scanned each index. */
static bool
report_usage(PGconn *conn, const char *name)
{
	PGresult   *res = run_there(conn, name,
								"SELECT jsonb_build_object('node', glperf.node_name(),"
								" 'standbys', ARRAY(SELECT * FROM glperf.standby_names()),"
								" 'indexes', (SELECT coalesce(jsonb_agg(jsonb_build_object("
								" 'schema', u.schema_name, 'index', u.index_name,"
								" 'scans', u.scans, 'last', u.last_scan_at,"
								" 'since', u.evidence_since_at)), '[]')"
								" FROM glperf.index_usage u))::text");
	PGresult   *told;
	const char *params[1];
	char	   *why = NULL;
	bool		ok;

	if (res == NULL)
		return false;
	params[0] = PQgetvalue(res, 0, 0);
	told = db_run_optional("SELECT count(*) FILTER (WHERE glperf.report_replica_usage("
						   " $1::jsonb ->> 'node', i.schema, i.index, i.scans, i.last,"
						   " i.since, ARRAY(SELECT jsonb_array_elements_text("
						   "$1::jsonb -> 'standbys'))))"
						   " FROM jsonb_to_recordset($1::jsonb -> 'indexes')"
						   " AS i(schema text, index text, scans int8, last timestamptz,"
						   " since timestamptz)", 1, params, &why);
	ok = (told != NULL);
	if (!ok)
	{
		pg_log_warning("index usage of %s cannot be noted: %s", name,
					   why);
		pg_log_warning_hint("Without it no index can be called unused.  Grant EXECUTE on function glperf.report_replica_usage.");
	}
	PQclear(told);
	PQclear(res);
	return ok;
}

/* See db.h. */
bool
db_replica(const AdvisorOptions *opts, Advice *advice, const char *conninfo,
		   Workload *workload)
{
	static int	number = 0;
	char	   *name = psprintf("replica %d of the command line", ++number);
	PGconn	   *conn = connect_replica(opts, advice, conninfo);
	bool		ok;

	if (PQstatus(conn) != CONNECTION_OK)
	{
		pg_log_warning("could not connect to %s: %s", name,
					   text_clean(db_connection_error(conn)));
		PQfinish(conn);
		return false;
	}
	ok = check_replica(conn, advice, &name) &&
		read_statements(conn, name, workload);

	/* the primary writes it down; a standby that we advise cannot */
	if (ok && !opts->no_record && !advice->server.in_recovery)
		report_usage(conn, name);
	PQfinish(conn);
	return ok;
}

/* See db.h. */
void
db_sources_begin(const AdvisorOptions *opts, const Advice *advice)
{
	PQclear(db_run_or_fail("could not begin a transaction",
						   opts->no_record || advice->server.in_recovery ?
						   "BEGIN TRANSACTION READ ONLY" :
						   "BEGIN TRANSACTION READ WRITE", 0, NULL));
	db_stay_out_of_workload(true);
	db_set_read_settings(opts);
	/* a large log takes its time */
	db_set_setting("idle_in_transaction_session_timeout", "0", true);
}

/* See db.h. */
void
db_sources_end(void)
{
	db_end_read_only();
}

/* See db.h. */
char *
db_line_prefix(void)
{
	PGresult   *res = db_run_or_fail("could not read a setting",
									 "SELECT current_setting('log_line_prefix')",
									 0, NULL);
	char	   *prefix = pg_strdup(PQgetvalue(res, 0, 0));

	PQclear(res);
	return prefix;
}

/* See db.h. */
bool
db_usable_role(const char *role)
{
	static PGresult *usable = NULL;

	if (usable == NULL)
		usable = db_run_or_fail("could not read the roles",
								"SELECT r.rolname FROM pg_roles r"
								" WHERE pg_has_role(r.oid, 'USAGE')", 0, NULL);
	for (int i = 0; i < PQntuples(usable); i++)
		if (strcmp(PQgetvalue(usable, i, 0), role) == 0)
			return true;
	return false;
}

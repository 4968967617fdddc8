/*
 * source_pgbouncer.c
 *		What a PgBouncer says about its pools.
 *
 * The admin console refuses the extended query protocol and all but its own
 * commands, so these are simple queries of fixed text.  Its columns differ
 * between releases and are found by name; one that is missing counts as 0.
 *
 * How long clients wait is judged by the threshold pool_wait, how full a pool
 * is by connection_saturation.  A full pool in which nobody waits is as busy
 * as it was made to be: that is a warning at most.
 */
#include "postgres_fe.h"

#include <math.h>
#include <poll.h>
#include <time.h>

#include "common/logging.h"
#include "libpq-fe.h"

#include "db.h"
#include "source_pgbouncer.h"
#include "text.h"

/* Longest wait for the console, in seconds, to connect and for an answer. */
#define CONNECT_TIMEOUT_S	"10"
#define ANSWER_TIMEOUT_S	10

/* The admin console's own entry in the lists */
#define CONSOLE				"pgbouncer"

static PGconn *console = NULL;

/* -------- asking -------- */

/* Connect; the database is the console unless the string says otherwise. */
static PGconn *
connect_console(const char *conninfo)
{
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	const char *keywords[64];
	const char *values[64];
	int			n = 0;

	keywords[n] = "dbname";
	values[n++] = CONSOLE;
	keywords[n] = "connect_timeout";
	values[n++] = CONNECT_TIMEOUT_S;
	keywords[n] = "application_name";
	values[n++] = "glperf-advisor";
	/* what comes later counts */
	for (PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++)
	{
		if (o->val == NULL || n >= lengthof(keywords) - 1)
			continue;
		keywords[n] = o->keyword;
		values[n++] = o->val;
	}
	keywords[n] = NULL;
	values[n] = NULL;
	return PQconnectdbParams(keywords, values, false);
}

/*
 * Wait until the console has sent an answer.  A PgBouncer that hangs must not
 * hang its monitoring.
 */
static bool
wait_for_answer(void)
{
	time_t		until = time(NULL) + ANSWER_TIMEOUT_S;

	while (PQisBusy(console))
	{
		struct pollfd fd = {.fd = PQsocket(console),.events = POLLIN};
		time_t		now = time(NULL);

		if (now >= until)
			return false;
		if (poll(&fd, 1, (int) (until - now) * 1000) < 0 && errno != EINTR)
			return false;
		if (!PQconsumeInput(console))
			return false;
	}
	return true;
}

/*
 * Run a SHOW command by the simple protocol.  Returns NULL, and the reason in
 * *why, when there is no table in return.
 */
static PGresult *
ask(const char *command, char **why)
{
	PGresult   *res = NULL;
	PGresult   *more;

	if (!PQsendQuery(console, command))
		*why = text_clean(PQerrorMessage(console));
	else if (!wait_for_answer())
		*why = psprintf("no answer to %s within %d s", command, ANSWER_TIMEOUT_S);
	else
	{
		res = PQgetResult(console);
		if (PQresultStatus(res) == PGRES_TUPLES_OK)
		{
			while (wait_for_answer() && (more = PQgetResult(console)) != NULL)
				PQclear(more);
			return res;
		}
		*why = text_clean(PQerrorMessage(console));
		if (**why == '\0')
			*why = psprintf("%s returned no table", command);
		PQclear(res);
	}
	return NULL;
}

/* A field as text; "" where this release has no such column. */
static const char *
field(PGresult *res, int row, const char *name)
{
	int			column = PQfnumber(res, name);

	return column < 0 ? "" : PQgetvalue(res, row, column);
}

/* A field as a number; 0 where this release has no such column. */
static double
number(PGresult *res, int row, const char *name)
{
	return strtod(field(res, row, name), NULL);
}

/* The row of a database; -1 if there is none. */
static int
find_database(PGresult *res, const char *column, const char *database)
{
	for (int i = 0; i < PQntuples(res); i++)
		if (strcmp(field(res, i, column), database) == 0)
			return i;
	return -1;
}

/* -------- findings -------- */

/* A finding without a limit. */
static HealthRow *
add_row(Check *check, const char *object, const char *check_id, double value,
		const char *unit, const char *status, char *message, char *remedy)
{
	HealthRow  *row = check_add(check, 1);

	row->area = PGBOUNCER_AREA;
	row->object = pg_strdup(object);
	row->check_id = pg_strdup(check_id);
	row->value = value;
	row->unit = unit ? pg_strdup(unit) : NULL;
	row->warning = row->critical = NAN;
	row->status = pg_strdup(status);
	row->message = message;
	row->remedy = remedy;
	return row;
}

/* Why there is nothing to say. */
static void
add_unknown(Check *check, const char *object, char *message, const char *remedy)
{
	add_row(check, object, "pgbouncer", NAN, NULL, "unknown", message,
			pg_strdup(remedy));
}

/* How long the first client in the queue has been waiting. */
static void
add_wait(const AdvisorOptions *opts, Check *check, const char *object,
		 PGresult *pools, int i)
{
	double		waiting = number(pools, i, "cl_waiting");
	double		wait_s = number(pools, i, "maxwait") +
	number(pools, i, "maxwait_us") / 1e6;
	HealthRow  *row = add_row(check, object, "pool_wait",
							  waiting > 0 ? wait_s : 0, NULL, "unknown", NULL,
							  NULL);

	db_check_judge(opts, row, 1);
	if (waiting == 0)
		row->message = pg_strdup("no client waits for a connection");
	else
		row->message = psprintf("%.0f clients wait for a connection, the first for %.1f s; %.0f server connections are active",
								waiting, wait_s,
								number(pools, i, "sv_active"));
	if (check_row_status(row) != GLPERF_CHECK_OK)
		row->remedy = pg_strdup("Look for long transactions in glperf.pool_state; raise pool_size only if the server has room in glperf.connections.");
}

/* How much of its server connections a pool uses. */
static void
add_saturation(const AdvisorOptions *opts, Check *check, const char *object,
			   PGresult *pools, int i, PGresult *databases)
{
	int			d = find_database(databases, "name",
								  field(pools, i, "database"));
	double		size = d < 0 ? 0 : number(databases, d, "pool_size");
	double		active = number(pools, i, "sv_active");
	double		waiting = number(pools, i, "cl_waiting");
	HealthRow  *row;

	if (size <= 0)
		return;					/* it went away between the two commands */
	row = add_row(check, object, "connection_saturation",
				  100 * active / size, NULL, "unknown", NULL, NULL);
	db_check_judge(opts, row, 1);
	row->message = psprintf("%.0f of %.0f server connections are in use%s",
							active, size,
							waiting > 0 ? ", and clients wait" : "");
	if (waiting == 0 && check_row_status(row) == GLPERF_CHECK_CRITICAL)
		row->status = pg_strdup("warning");
	if (check_row_status(row) != GLPERF_CHECK_OK)
		row->remedy = pg_strdup("Shorten transactions, or raise pool_size if the server has room in glperf.connections.");
}

/* The pools: one per database and user. */
static void
add_pools(const AdvisorOptions *opts, Check *check, PGresult *pools,
		  PGresult *databases)
{
	for (int i = 0; i < PQntuples(pools); i++)
	{
		const char *database = field(pools, i, "database");
		char	   *object = psprintf("%s, user %s", database,
									  field(pools, i, "user"));

		if (strcmp(database, CONSOLE) == 0)
			continue;
		add_wait(opts, check, object, pools, i);
		add_saturation(opts, check, object, pools, i, databases);
	}
}

/* Databases: paused or disabled ones, and their own limit of connections. */
static void
add_databases(const AdvisorOptions *opts, Check *check, PGresult *databases)
{
	for (int i = 0; i < PQntuples(databases); i++)
	{
		const char *name = field(databases, i, "name");
		double		limit = number(databases, i, "max_connections");
		double		current = number(databases, i, "current_connections");
		const char *stopped =
		number(databases, i, "paused") != 0 ? "paused" :
		number(databases, i, "disabled") != 0 ? "disabled" : NULL;

		if (strcmp(name, CONSOLE) == 0)
			continue;
		if (stopped != NULL)
			add_row(check, name, "pgbouncer_database", NAN, NULL, "warning",
					psprintf("the database is %s: its clients %s", stopped,
							 *stopped == 'p' ? "wait" : "are refused"),
					psprintf("On the admin console: %s \"%s\";",
							 *stopped == 'p' ? "RESUME" : "ENABLE", name));
		if (limit > 0)
		{
			HealthRow  *row = add_row(check, name, "connection_saturation",
									  100 * current / limit, NULL, "unknown",
									  psprintf("%.0f of max_db_connections = %.0f are open",
											   current, limit), NULL);

			db_check_judge(opts, row, 1);
		}
	}
}

/*
 * Waiting over the last period of statistics, which the snapshot of the pools
 * may miss: time waited per second is the mean number of clients waiting.
 */
static void
add_stats(Check *check, PGresult *stats)
{
	for (int i = 0; i < PQntuples(stats); i++)
	{
		const char *database = field(stats, i, "database");
		double		waiting = number(stats, i, "avg_wait_time") / 1e6;

		if (strcmp(database, CONSOLE) == 0 ||
			PQfnumber(stats, "avg_wait_time") < 0)
			continue;
		add_row(check, database, "pgbouncer_waiting", waiting, "clients", "ok",
				psprintf("%.2f clients waited on average in the last period of statistics; %.0f transactions/s",
						 waiting, number(stats, i, "avg_xact_count")), NULL);
	}
}

/* What to do when the console lets nobody in. */
static const char *
connect_remedy(const char *why)
{
	if (PQconnectionNeedsPassword(console))
		return "Put the password into ~/.pgpass or a service file.";
	if (strstr(why, "not allowed") != NULL)
		return "The role has to be in stats_users or admin_users of pgbouncer.ini.";
	if (strstr(why, "authentication") != NULL)
		return "Compare the password in ~/.pgpass or the service file with PgBouncer's auth_file.";
	return "See whether PgBouncer runs, and listens where --pgbouncer says.";
}

/* See source_pgbouncer.h. */
void
source_pgbouncer(const AdvisorOptions *opts, Check *check)
{
	PGresult   *version;
	PGresult   *pools;
	PGresult   *databases;
	PGresult   *stats;
	char	   *why = NULL;

	console = connect_console(opts->pgbouncer);
	if (console == NULL || PQstatus(console) != CONNECTION_OK)
	{
		why = text_clean(db_connection_error(console));
		add_unknown(check, "admin console", psprintf("cannot connect: %s", why),
					connect_remedy(why));
		PQfinish(console);
		return;
	}
	version = ask("SHOW VERSION", &why);
	pools = version ? ask("SHOW POOLS", &why) : NULL;
	databases = pools ? ask("SHOW DATABASES", &why) : NULL;
	stats = databases ? ask("SHOW STATS", &why) : NULL;
	PQfinish(console);

	if (version != NULL && PQntuples(version) > 0)
		check->pgbouncer_version = pg_strdup(PQgetvalue(version, 0, 0));
	if (stats == NULL)
	{
		add_unknown(check, "admin console", psprintf("it does not answer: %s", why),
					"Connect to the database pgbouncer, as a role in stats_users or admin_users of pgbouncer.ini.");
		return;
	}
	add_pools(opts, check, pools, databases);
	add_databases(opts, check, databases);
	add_stats(check, stats);
	add_row(check, "admin console", "pgbouncer", NAN, NULL, "ok",
			psprintf("%s answers", text_clean(check->pgbouncer_version)), NULL);
}

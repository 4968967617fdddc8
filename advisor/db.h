/*
 * db.h
 *		Everything the advisor says to the server.
 *
 * db.c, db_apply.c and db_check.c are the only files with SQL, and there is no general query function:
 * each function below does one thing and returns C values.  One connection
 * serves the whole run.  Functions of the analysis end the program on an
 * error, after saying what failed and what to do next; functions of --apply
 * return it, because what was done until then has to be reported.
 */
#ifndef DB_H
#define DB_H

#include "advice.h"
#include "check.h"
#include "options.h"

/* Why a statement of --apply failed. */
typedef struct DbError
{
	char		sqlstate[6];	/* empty when the connection was lost */
	char	   *message;		/* primary message and detail, one line */
	bool		connection_lost;
} DbError;

/* Where one step of a recommendation stands; see glperf.apply_step() */
typedef struct StepState
{
	char	   *command;		/* "create index", ..., "other" */
	char	   *schema_name;
	char	   *table_name;
	char	   *index_name;
	char	   *state;			/* "absent", "valid", ...; NULL: no index */
	bool		is_own;
	bool		is_done;
	char	   *drop_ddl;
} StepState;

/*
 * db_connect -- connect, asking for a password when allowed, and arrange that
 * SIGINT, SIGTERM and SIGHUP cancel what is running and set CancelRequested
 */
extern void db_connect(const AdvisorOptions *opts);
extern void db_disconnect(void);

/*
 * db_connection_error -- why a connection of libpq failed, for people
 *
 * Without the names that it was asked for where they may hold a password.
 */
struct pg_conn;
extern char *db_connection_error(struct pg_conn *conn);

/* db_handshake -- is this an extension that we can talk to, and where? */
extern void db_handshake(const AdvisorOptions *opts, ServerFacts *server);

/*
 * db_analyse -- run the analysis and fill in all of advice but server facts
 *
 * One READ ONLY transaction with timeouts, so that a pooler keeps us on one
 * server session and nothing can be written, whatever the planner runs.
 */
extern void db_analyse(const AdvisorOptions *opts, Advice *advice);

/* db_check_health -- add the rows of glperf.health, of one area if it is given */
extern void db_check_health(const AdvisorOptions *opts, Check *check);

/*
 * db_check_judge -- judge values by thresholds of the database
 *
 * Each row has check_id and value; unit, warning, critical, status and
 * guide_section are filled in, and status is "unknown" without a value.
 */
extern void db_check_judge(const AdvisorOptions *opts, HealthRow *rows,
						   int nrows);

/*
 * db_apply_lock -- take the lock that lets one --apply run per database
 *
 * Returns false when another session holds it.  Ends the program when a
 * transaction pooler is in between, as locks and settings would not stick.
 */
extern bool db_apply_lock(void);

/*
 * db_applying -- statements are being applied: a signal no longer ends the
 * program, as what was done until then has to be reported
 */
extern bool db_applying;

/* db_apply_settings -- timeouts and liveness checks of the session */
extern void db_apply_settings(const AdvisorOptions *opts);

/* db_set_lock_timeout -- wait at most ms for a lock from now on */
extern void db_set_lock_timeout(int ms);

/* db_leftovers -- invalid indexes that earlier runs left behind */
extern bool db_leftovers(Advice *advice, DbError *error);

/* db_step_state -- what a step is about and where it stands */
extern bool db_step_state(const char *step, StepState *state, DbError *error);

/*
 * db_run_step -- run one statement outside a transaction block
 *
 * Writes the intention to glperf.apply_log first and the end of it
 * afterwards; runs nothing when the first cannot be written.
 */
extern bool db_run_step(const char *step, const char *undo_ddl,
						DbError *error);

/*
 * db_replica -- statements and index usage of a standby
 *
 * Adds its statements to the workload, a day's worth each, and tells this
 * server how its indexes are used there unless nothing may be recorded.
 * Returns false, after a message, when it could not be read.
 */
struct Workload;
extern bool db_replica(const AdvisorOptions *opts, Advice *advice,
					   const char *conninfo, struct Workload *workload);

/*
 * db_sources_begin, db_sources_end -- around what reads the sources
 *
 * One transaction: safe names, and no trace in pg_stat_statements.
 */
extern void db_sources_begin(const AdvisorOptions *opts, const Advice *advice);
extern void db_sources_end(void);

/* db_line_prefix -- the server's log_line_prefix */
extern char *db_line_prefix(void);

/* db_usable_role -- may this session plan as that role? */
extern bool db_usable_role(const char *role);

/* db_preflight -- what speaks against running a step now */
extern bool db_preflight(const AdvisorOptions *opts, const char *step,
						 int64 size_bytes, Preflight **rows, int *nrows,
						 DbError *error);

/*
 * db_match -- what glperf.recommendation knows of each recommendation
 *
 * Part of the analysis; writes nothing.  Without the right to read it, every
 * recommendation is new.
 */
extern void db_match(const AdvisorOptions *opts, Advice *advice);

/*
 * db_record -- note the run in glperf.recommendation
 *
 * Sets advice->recorded, or says why not in advice->record_message.
 */
extern void db_record(const AdvisorOptions *opts, Advice *advice);

/* db_record_applied -- note what --apply carried out */
extern void db_record_applied(const AdvisorOptions *opts, Advice *advice);

/*
 * db_verify -- judge what was applied, and note the verdicts
 *
 * notice: look first for what was carried out by hand; a run that analyses
 * reports that itself.
 *
 * Returns false, with the reason in advice->record_message, when it could not
 * be done.
 */
extern bool db_verify(const AdvisorOptions *opts, Advice *advice, bool notice);

/* Settings for a script that runs what the extension returned */
extern const char *const db_script_settings;

#endif							/* DB_H */

/*
 * db_internal.h
 *		What db.c and db_apply.c share; nobody else includes this.
 */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include "libpq-fe.h"

#include "advice.h"
#include "options.h"

/* ISO 8601 in UTC, whatever DateStyle and TimeZone are */
#define DB_UTC(expr) "to_char(" expr " AT TIME ZONE 'UTC'," \
	" 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* A search_path under which every name that we use means what we mean */
extern const char *const db_safe_search_path;

/* The one connection; NULL before db_connect() */
extern PGconn *db_conn;

/* db_run -- run a statement; the caller checks and frees the result */
extern PGresult *db_run(const char *sql, int nparams,
						const char *const *params);

/* db_run_or_fail -- as db_run(), but a failure ends the program */
extern PGresult *db_run_or_fail(const char *what, const char *sql,
								int nparams, const char *const *params);

/*
 * db_run_optional -- run a statement that the report can do without
 *
 * Inside a transaction.  Returns NULL on failure, with the transaction as
 * before and the message in *why.
 */
extern PGresult *db_run_optional(const char *sql, int nparams,
								 const char *const *params, char **why);

/*
 * db_read_explanations -- plans, rivals, and what was not looked at
 *
 * Of the session's last analysis, so part of its transaction.
 */
extern void db_read_explanations(Advice *advice);

/* db_array -- a list as the text of an SQL array */
extern char *db_array(const TextList *list);

/*
 * db_begin_read_only -- open a READ ONLY transaction
 *
 * Its settings, safe search_path and timeouts, are local to it.
 */
extern void db_begin_read_only(const AdvisorOptions *opts);

/* db_set_read_settings -- the same settings for any open transaction */
extern void db_set_read_settings(const AdvisorOptions *opts);
extern void db_end_read_only(void);

/* db_set_setting -- for the transaction (local) or the session, or fail */
extern void db_set_setting(const char *name, const char *value, bool local);

/* db_lift_timeouts -- those that end idle sessions and long transactions */
extern void db_lift_timeouts(bool local);

/* db_stay_out_of_workload -- do not let pg_stat_statements count us */
extern void db_stay_out_of_workload(bool local);

#endif							/* DB_INTERNAL_H */

/*
 * db_internal.h
 *		What db.c and db_apply.c share; nobody else includes this.
 */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include "libpq-fe.h"

#include "options.h"

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
 * db_begin_read_only -- open a READ ONLY transaction
 *
 * Its settings, safe search_path and timeouts, are local to it.
 */
extern void db_begin_read_only(const AdvisorOptions *opts);
extern void db_end_read_only(void);

/* db_set_setting -- for the transaction (local) or the session, or fail */
extern void db_set_setting(const char *name, const char *value, bool local);

/* db_stay_out_of_workload -- do not let pg_stat_statements count us */
extern void db_stay_out_of_workload(bool local);

#endif							/* DB_INTERNAL_H */

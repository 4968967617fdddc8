/*
 * statement_kind.h
 *		What sort of statement a text is.
 */
#ifndef GLPERF_STATEMENT_KIND_H
#define GLPERF_STATEMENT_KIND_H

/*
 * glperf_statement_kind -- "query" (planned: an index may help), "command"
 * (COPY, CALL, LOCK, COMMIT, CREATE TABLE ... AS: takes an application's time)
 * or "maintenance" (VACUUM, CREATE INDEX, a question to glperf, ...: takes as
 * long as it takes)
 *
 * query:	len bytes, need not end with NUL
 */
extern const char *glperf_statement_kind(const char *query, int len);

#endif							/* GLPERF_STATEMENT_KIND_H */

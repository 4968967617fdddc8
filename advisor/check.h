/*
 * check.h
 *		The command check: the health page for a monitoring system.
 */
#ifndef CHECK_H
#define CHECK_H

#include "advice.h"

/* GLPERF_CHECK_OK ... GLPERF_CHECK_UNKNOWN */
typedef enum CheckStatus
{
#define GLPERF_CHECK_STATUS(name, status, meaning) GLPERF_CHECK_##name = status,
#include "glperf_exit.h"
#undef GLPERF_CHECK_STATUS
} CheckStatus;

/* One finding; columns as in glperf.health */
typedef struct HealthRow
{
#define GLPERF_HEALTH_COLUMN(name, kind) Column##kind name;
#include "glperf_health.h"
} HealthRow;

typedef struct Check
{
	ServerFacts server;
	char	   *pgbouncer_version;	/* NULL when not asked, or not to be had */
	int			nrows;
	HealthRow  *rows;
	int			count[GLPERF_CHECK_UNKNOWN + 1];	/* rows of each status */
	CheckStatus status;
} Check;

/* check_run -- do it all, on an open connection; returns the exit status */
struct AdvisorOptions;
extern int	check_run(const struct AdvisorOptions *opts,
					  const ServerFacts *server);

/* check_add -- room for n more rows, zeroed; returns the first */
extern HealthRow *check_add(Check *check, int n);

/* check_row_status -- status of one row as a number */
extern CheckStatus check_row_status(const HealthRow *row);

/* check_severity -- how bad: ok, unknown, warning, critical */
extern int	check_severity(CheckStatus status);

#endif							/* CHECK_H */

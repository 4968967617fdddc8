/*
 * check.c
 *		The command check: the health page for a monitoring system.
 *
 * The rows are those of glperf.health, and of a PgBouncer if one is named;
 * the worst of them is the exit status.  Nothing is judged here.
 */
#include "postgres_fe.h"

#include "check.h"
#include "db.h"
#include "options.h"
#include "report.h"
#include "source_pgbouncer.h"

/* See check.h. */
HealthRow *
check_add(Check *check, int n)
{
	HealthRow  *first;

	check->rows = pg_realloc(check->rows,
							 (check->nrows + n) * sizeof(HealthRow));
	first = check->rows + check->nrows;
	memset(first, 0, n * sizeof(HealthRow));
	check->nrows += n;
	return first;
}

/* See check.h. */
CheckStatus
check_row_status(const HealthRow *row)
{
	if (row->status == NULL)
		return GLPERF_CHECK_UNKNOWN;
	if (strcmp(row->status, "ok") == 0)
		return GLPERF_CHECK_OK;
	if (strcmp(row->status, "warning") == 0)
		return GLPERF_CHECK_WARNING;
	if (strcmp(row->status, "critical") == 0)
		return GLPERF_CHECK_CRITICAL;
	return GLPERF_CHECK_UNKNOWN;
}

/* See check.h. */
int
check_severity(CheckStatus status)
{
	switch (status)
	{
		case GLPERF_CHECK_OK:
			return 0;
		case GLPERF_CHECK_UNKNOWN:
			return 1;
		case GLPERF_CHECK_WARNING:
			return 2;
		case GLPERF_CHECK_CRITICAL:
			return 3;
	}
	return 3;					/* keep compiler quiet */
}

/* Do it all. */
int
check_run(const AdvisorOptions *opts, const ServerFacts *server)
{
	Check		check = {.server = *server};
	bool		bouncer = opts->area != NULL &&
	strcmp(opts->area, PGBOUNCER_AREA) == 0;

	if (!bouncer)
		db_check_health(opts, &check);
	if (opts->pgbouncer != NULL && (opts->area == NULL || bouncer))
		source_pgbouncer(opts, &check);
	db_disconnect();

	for (int i = 0; i < check.nrows; i++)
	{
		CheckStatus status = check_row_status(&check.rows[i]);

		check.count[status]++;
		if (opts->accept_unknown && status == GLPERF_CHECK_UNKNOWN)
			continue;
		if (check_severity(status) > check_severity(check.status))
			check.status = status;
	}
	/* a misspelt area must not look like good news */
	if (check.nrows == 0)
		check.status = GLPERF_CHECK_UNKNOWN;

	if (!report_write_check(opts, &check))
		return GLPERF_CHECK_UNKNOWN;
	return check.status;
}

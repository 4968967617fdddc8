/*
 * db_check.c
 *		What the command check asks the database.
 */
#include "postgres_fe.h"

#include <math.h>

#include "libpq-fe.h"

#include "check.h"
#include "db.h"
#include "db_internal.h"
#include "rows.h"

static const Column health_columns[] = {
#define GLPERF_HEALTH_COLUMN(name, kind) \
	{#name, KIND_##kind, offsetof(HealthRow, name)},
#include "glperf_health.h"
};

static const Column verdict_columns[] = {
	{"unit", KIND_TEXT, offsetof(HealthRow, unit)},
	{"warning", KIND_REAL, offsetof(HealthRow, warning)},
	{"critical", KIND_REAL, offsetof(HealthRow, critical)},
	{"status", KIND_TEXT, offsetof(HealthRow, status)},
	{"guide_section", KIND_TEXT, offsetof(HealthRow, guide_section)},
};

/* The health page, worst first. */
void
db_check_health(const AdvisorOptions *opts, Check *check)
{
	PGresult   *res;
	const char *params[1];
	int			n;

	params[0] = opts->area;
	db_begin_read_only(opts);
	res = db_run_or_fail("could not read the health page",
						 "SELECT * FROM glperf.health"
						 " WHERE $1::text IS NULL OR area = $1"
						 " ORDER BY pg_catalog.array_position(ARRAY['critical',"
						 " 'warning', 'unknown', 'ok'], status), area,"
						 " check_id, object", 1, params);
	n = PQntuples(res);
	if (n > 0)
	{
		HealthRow  *row = check_add(check, n);

		for (int i = 0; i < n; i++)
			rows_load_one(res, i, health_columns, lengthof(health_columns),
						  &row[i]);
	}
	PQclear(res);
	db_end_read_only();
}

/* Judge each row's value by the threshold that its check_id names. */
void
db_check_judge(const AdvisorOptions *opts, HealthRow *rows, int nrows)
{
	db_begin_read_only(opts);
	for (int i = 0; i < nrows; i++)
	{
		char		value[64];
		const char *params[2];
		PGresult   *res;

		snprintf(value, sizeof(value), "%.17g", rows[i].value);
		params[0] = rows[i].check_id;
		params[1] = isnan(rows[i].value) ? NULL : value;
		res = db_run_or_fail("could not read a threshold",
							 "SELECT t.unit, t.warning, t.critical,"
							 " t.guide_section, glperf.verdict($2::float8,"
							 " t.warning, t.critical, t.direction) AS status"
							 " FROM (VALUES ($1)) AS v (id) LEFT JOIN"
							 " glperf.threshold t ON t.id = v.id", 2, params);
		rows_load_one(res, 0, verdict_columns, lengthof(verdict_columns),
					  &rows[i]);
		PQclear(res);
	}
	db_end_read_only();
}

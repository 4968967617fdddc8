/*
 * rows.c
 *		From the rows of a result to C structs.
 */
#include "postgres_fe.h"

#include <math.h>

#include "common/logging.h"
#include "fe_utils/string_utils.h"

#include "advice.h"
#include "options.h"
#include "rows.h"

/* Load a field that isn't NULL. */
static void
load_field(char *value, ColumnKind kind, void *target)
{
	switch (kind)
	{
		case KIND_INT:
			*(int64 *) target = strtoll(value, NULL, 10);
			break;
		case KIND_REAL:
			*(double *) target = strtod(value, NULL);
			break;
		case KIND_BOOL:
			*(bool *) target = (value[0] == 't');
			break;
		case KIND_TEXT:
			*(char **) target = pg_strdup(value);
			break;
		case KIND_TEXTS:
			{
				TextList   *list = target;

				if (!parsePGArray(value, &list->items, &list->n))
				{
					pg_log_error("could not parse array \"%s\"", value);
					options_exit_failure();
				}
				break;
			}
	}
}

/* Load a NULL; see advice.h for what stands for it. */
static void
load_null(ColumnKind kind, void *target)
{
	switch (kind)
	{
		case KIND_INT:
			*(int64 *) target = GLPERF_NULL_INT;
			break;
		case KIND_REAL:
			*(double *) target = NAN;
			break;
		case KIND_BOOL:
			*(bool *) target = false;
			break;
		case KIND_TEXT:
			*(char **) target = NULL;
			break;
		case KIND_TEXTS:
			((TextList *) target)->n = 0;
			((TextList *) target)->items = NULL;
			break;
	}
}

/* Load one row into a struct. */
void
rows_load_one(PGresult *res, int row, const Column *columns, int ncolumns,
			  void *target)
{
	for (int i = 0; i < ncolumns; i++)
	{
		int			field = PQfnumber(res, columns[i].name);
		void	   *member = (char *) target + columns[i].offset;

		if (field < 0)
		{
			pg_log_error("the extension did not return column \"%s\"",
						 columns[i].name);
			options_exit_failure();
		}
		if (PQgetisnull(res, row, field))
			load_null(columns[i].kind, member);
		else
			load_field(PQgetvalue(res, row, field), columns[i].kind, member);
	}
}

/* Load all rows into an array of structs. */
void *
rows_load_all(PGresult *res, const Column *columns, int ncolumns, size_t size,
			  int *nrows)
{
	char	   *rows;

	*nrows = PQntuples(res);
	rows = pg_malloc0(size * Max(*nrows, 1));
	for (int i = 0; i < *nrows; i++)
		rows_load_one(res, i, columns, ncolumns, rows + i * size);
	PQclear(res);
	return rows;
}

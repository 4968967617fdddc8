/*
 * thresholds.c
 *		The guide's limits: the seed of glperf.threshold, the check on what
 *		operators change there, and the verdict of a value.
 *
 * The list itself is include/glperf_thresholds.h.  A threshold in that list is
 * "built-in": its limits can be changed, what it means cannot, and it cannot
 * be deleted, so that every view finds the limits it needs.
 *
 * Edits survive pg_dump because rows that differ from the list are dumped as
 * configuration (pg_extension_config_dump).  A restore meets the rows that
 * CREATE EXTENSION has just seeded; glperf_threshold_check() then turns the
 * INSERT of an edited row into an UPDATE.  glperf.threshold_refresh() brings
 * the rows that nobody edited up to the list after an upgrade.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "thresholds.h"

#define GLPERF_NO_LIMIT		NAN

/* One line of include/glperf_thresholds.h. */
typedef struct GlperfThreshold
{
	const char *id;
	double		warning;		/* in unit; NaN: none */
	double		critical;		/* in unit; NaN: none */
	const char *direction;		/* "above" or "below" */
	const char *unit;
	const char *source;			/* "postgres", "host" or "external" */
	const char *guide_section;	/* NULL: the guide is silent */
	const char *description;
} GlperfThreshold;

#define GLPERF_THRESHOLD(id, warning, critical, direction, unit, source, guide_section, description) \
	{id, warning, critical, direction, unit, source, guide_section, description},
static const GlperfThreshold builtin_thresholds[] = {
#include "glperf_thresholds.h"
};

#undef GLPERF_THRESHOLD

/* Columns of glperf.threshold, in order. */
enum
{
	COL_ID = 1,
	COL_DESCRIPTION,
	COL_WARNING,
	COL_CRITICAL,
	COL_DIRECTION,
	COL_UNIT,
	COL_SOURCE,
	COL_GUIDE_SECTION,
	COL_BUILTIN,
	COL_EDITED
};

PG_FUNCTION_INFO_V1(glperf_threshold_defaults);
PG_FUNCTION_INFO_V1(glperf_threshold_check);
PG_FUNCTION_INFO_V1(glperf_verdict_limits);
PG_FUNCTION_INFO_V1(glperf_verdict_id);

/* See thresholds.h. */
const char *
glperf_verdict(double value, double warning, double critical, bool below)
{
	if (isnan(value))
		return "unknown";
	if (!isnan(critical) && (below ? value < critical : value > critical))
		return "critical";
	if (!isnan(warning) && (below ? value < warning : value > warning))
		return "warning";
	return "ok";
}

/* The built-in threshold of this id, or NULL. */
static const GlperfThreshold *
find_builtin(const char *id)
{
	for (int i = 0; i < (int) lengthof(builtin_thresholds); i++)
	{
		if (strcmp(builtin_thresholds[i].id, id) == 0)
			return &builtin_thresholds[i];
	}
	return NULL;
}

/*
 * glperf.threshold_defaults(): the limits as shipped, one row per threshold
 * (id, description, warning, critical, direction, unit, source,
 * guide_section); NULL where there is no limit or no guide section.
 */
Datum
glperf_threshold_defaults(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < (int) lengthof(builtin_thresholds); i++)
	{
		const GlperfThreshold *t = &builtin_thresholds[i];
		Datum		values[8];
		bool		nulls[8] = {0};

		values[0] = CStringGetTextDatum(t->id);
		values[1] = CStringGetTextDatum(t->description);
		values[2] = Float8GetDatum(t->warning);
		nulls[2] = isnan(t->warning);
		values[3] = Float8GetDatum(t->critical);
		nulls[3] = isnan(t->critical);
		values[4] = CStringGetTextDatum(t->direction);
		values[5] = CStringGetTextDatum(t->unit);
		values[6] = CStringGetTextDatum(t->source);
		if (t->guide_section != NULL)
			values[7] = CStringGetTextDatum(t->guide_section);
		else
			nulls[7] = true;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc,
							 values, nulls);
	}
	return (Datum) 0;
}

/* A text column of the row, palloc'd; NULL for SQL NULL. */
static char *
row_text(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* A float8 column of the row; NaN for SQL NULL, so NaN itself is refused. */
static double
row_limit(HeapTuple row, TupleDesc desc, int column, const char *id)
{
	bool		isnull;
	double		value;

	value = DatumGetFloat8(heap_getattr(row, column, desc, &isnull));
	if (isnull)
		return NAN;
	if (isnan(value) || isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("limit of threshold \"%s\" must be a finite number",
						id),
				 errhint("Use NULL for no limit.")));
	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("limit of threshold \"%s\" must not be negative",
						id)));
	return value;
}

/* Refuse limits that no value could be judged by. */
static void
check_limits(const char *id, double warning, double critical,
			 const char *direction, const char *unit)
{
	bool		below = strcmp(direction, "below") == 0;

	if (strcmp(unit, "%") == 0 &&
		((!isnan(warning) && warning > 100) ||
		 (!isnan(critical) && critical > 100)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("limit of threshold \"%s\" is a percentage and must not exceed 100",
						id)));
	if (isnan(warning) || isnan(critical))
		return;
	if (below ? warning < critical : warning > critical)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("warning limit %g of threshold \"%s\" lies beyond its critical limit %g",
						warning, id, critical),
				 below ?
				 errdetail("Values below the limits are bad here, so the warning limit must be the larger one.") :
				 errdetail("Values above the limits are bad here, so the warning limit must be the smaller one."),
				 errhint("Change both limits in one UPDATE.")));
}

/* Two strings, either of which may be NULL, are the same. */
static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

/* Refuse a change of what a built-in threshold means. */
static void
check_meaning(const GlperfThreshold *t, HeapTuple row, TupleDesc desc)
{
	if (!same_text(t->description, row_text(row, desc, COL_DESCRIPTION)) ||
		!same_text(t->direction, row_text(row, desc, COL_DIRECTION)) ||
		!same_text(t->unit, row_text(row, desc, COL_UNIT)) ||
		!same_text(t->source, row_text(row, desc, COL_SOURCE)) ||
		!same_text(t->guide_section, row_text(row, desc, COL_GUIDE_SECTION)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("only the limits of built-in threshold \"%s\" can be changed",
						t->id),
				 errhint("Insert a threshold of your own under another id.")));
}

/*
 * A dumped edit comes back as an INSERT of a row that CREATE EXTENSION has
 * seeded already: apply its limits to that row.  Returns false when there is
 * no such row.
 */
static bool
restore_edit(const char *id, double warning, double critical)
{
	Oid			types[3] = {TEXTOID, FLOAT8OID, FLOAT8OID};
	Datum		values[3];
	char		nulls[3];
	bool		found;

	values[0] = CStringGetTextDatum(id);
	values[1] = Float8GetDatum(warning);
	values[2] = Float8GetDatum(critical);
	nulls[0] = ' ';
	nulls[1] = isnan(warning) ? 'n' : ' ';
	nulls[2] = isnan(critical) ? 'n' : ' ';

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("UPDATE glperf.threshold"
							  " SET warning = $2, critical = $3"
							  " WHERE id = $1",
							  3, types, values, nulls, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not restore a threshold");
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/* DELETE or TRUNCATE: built-in rows stay. */
static HeapTuple
check_delete(TriggerData *trigdata)
{
	char	   *id;

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("glperf.threshold cannot be truncated"),
				 errhint("Delete your own rows with DELETE ... WHERE NOT builtin.")));
	id = row_text(trigdata->tg_trigtuple,
				  RelationGetDescr(trigdata->tg_relation), COL_ID);
	if (find_builtin(id) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("built-in threshold \"%s\" cannot be deleted", id),
				 errhint("To silence it, set warning and critical to NULL.")));
	return trigdata->tg_trigtuple;
}

/* Are two limits the same, or both NULL (NaN)? */
static bool
same_limit(double a, double b)
{
	return isnan(a) ? isnan(b) : a == b;
}

/*
 * Trigger of glperf.threshold: BEFORE INSERT OR UPDATE OR DELETE FOR EACH ROW
 * and BEFORE TRUNCATE.  Refuses nonsense and keeps "builtin" and "edited"
 * true to the list.
 */
Datum
glperf_threshold_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	row;
	const GlperfThreshold *t;
	char	   *id;
	char	   *direction;
	char	   *unit;
	double		warning;
	double		critical;
	bool		isnull;
	bool		edited;
	int			columns[2] = {COL_BUILTIN, COL_EDITED};
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("glperf.threshold_check() can only be called as a trigger")));
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		return PointerGetDatum(check_delete(trigdata));

	desc = RelationGetDescr(trigdata->tg_relation);
	row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;

	id = row_text(row, desc, COL_ID);
	direction = row_text(row, desc, COL_DIRECTION);
	unit = row_text(row, desc, COL_UNIT);
	if (id == NULL || direction == NULL || unit == NULL)
		return PointerGetDatum(row);	/* NOT NULL speaks for itself */
	warning = row_limit(row, desc, COL_WARNING, id);
	critical = row_limit(row, desc, COL_CRITICAL, id);
	check_limits(id, warning, critical, direction, unit);

	t = find_builtin(id);
	edited = DatumGetBool(heap_getattr(row, COL_EDITED, desc, &isnull));
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		if (!isnull && edited && restore_edit(id, warning, critical))
			return PointerGetDatum(NULL);
	}
	else
	{
		char	   *old_id = row_text(trigdata->tg_trigtuple, desc, COL_ID);

		if (strcmp(old_id, id) != 0 && find_builtin(old_id) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("built-in threshold \"%s\" cannot be renamed",
							old_id)));
	}
	if (t != NULL)
		check_meaning(t, row, desc);

	edited = t == NULL || !same_limit(warning, t->warning) ||
		!same_limit(critical, t->critical);
	values[0] = BoolGetDatum(t != NULL);
	values[1] = BoolGetDatum(edited);
	row = heap_modify_tuple_by_cols(row, desc, 2, columns, values, nulls);
	return PointerGetDatum(row);
}

/* Argument n as a number, NaN for SQL NULL. */
static double
arg_number(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NAN : PG_GETARG_FLOAT8(n);
}

/* true for 'below', false for 'above', an error for anything else. */
static bool
direction_is_below(const char *direction)
{
	if (strcmp(direction, "below") == 0)
		return true;
	if (strcmp(direction, "above") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid direction \"%s\"", direction),
				 errhint("Use \"above\" or \"below\".")));
	return false;
}

/* glperf.verdict(value, warning, critical, direction), for joined limits. */
Datum
glperf_verdict_limits(PG_FUNCTION_ARGS)
{
	bool		below;

	if (PG_ARGISNULL(3))
		PG_RETURN_TEXT_P(cstring_to_text("unknown"));
	below = direction_is_below(text_to_cstring(PG_GETARG_TEXT_PP(3)));
	PG_RETURN_TEXT_P(cstring_to_text(glperf_verdict(arg_number(fcinfo, 0),
													arg_number(fcinfo, 1),
													arg_number(fcinfo, 2),
													below)));
}

/*
 * glperf.verdict(threshold_id, value): 'ok', 'warning', 'critical', or
 * 'unknown' when value is NULL.  An id that is not in glperf.threshold is an
 * error: a misspelt name must not read as a quiet 'unknown'.
 */
Datum
glperf_verdict_id(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {TEXTOID};
	Datum		args[1];
	double		limits[2];
	bool		below;
	bool		isnull;
	const char *verdict;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	args[0] = PG_GETARG_DATUM(0);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("SELECT warning, critical, direction"
							  " FROM glperf.threshold WHERE id = $1",
							  1, types, args, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read glperf.threshold");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("threshold \"%s\" does not exist",
						TextDatumGetCString(args[0])),
				 errhint("SELECT id FROM glperf.threshold lists them.")));
	for (int i = 0; i < 2; i++)
	{
		limits[i] = DatumGetFloat8(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc,
												 i + 1, &isnull));
		if (isnull)
			limits[i] = NAN;
	}
	below = direction_is_below(SPI_getvalue(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 3));
	SPI_finish();

	verdict = glperf_verdict(arg_number(fcinfo, 1), limits[0], limits[1],
							 below);
	PG_RETURN_TEXT_P(cstring_to_text(verdict));
}

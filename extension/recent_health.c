/*
 * recent_health.c
 *		The health page for those who ask again and again.
 *
 * In a database with many thousands of indexes the page takes a good part of a
 * second, which is nothing to somebody who looks at it, and too much for
 * something that polls it every few seconds.  Nearly all of that time goes
 * into areas that hardly change.  So each area's rows are kept for as long as
 * they were expensive: 2500 times the processor time that they took.  However
 * large the database, and however often somebody asks, an area then takes at
 * most 1/2500 of a processor, and the twelve areas less than 0.5 %; where the page is cheap, its
 * rows are as good as new.
 *
 * The rows are kept in the session's own memory, as what a role may see
 * is its own.  Nothing is shared, and nothing written.
 */
#include "compat.h"

#include <sys/resource.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* An area's rows are kept for this many times of what they took. */
#define KEEP_FACTOR		2500

/* But no longer than this, in milliseconds. */
#define KEEP_MAX_MS		(15 * 60 * 1000)

/* Nor is a first sample, which says that there is more to come. */
#define KEEP_FIRST_MS	2000

/* Columns of glperf.health, and the time of measurement behind them. */
#define HEALTH_COLUMNS	11
#define MESSAGE_COLUMN	9

/* What one role was told about one area. */
typedef struct KeptArea
{
	char	   *view;			/* name of its view in schema glperf */
	Oid			role;
	TimestampTz measured;
	double		keep_ms;
	MemoryContext context;		/* of the rows; NULL: none yet */
	TupleDesc	desc;
	int			nrows;
	HeapTuple  *rows;
} KeptArea;

static List *kept_areas = NIL;

PG_FUNCTION_INFO_V1(glperf_recent_health);

/* Processor time of this process so far, in milliseconds. */
static double
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
		(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

/* What is kept for this view and this role; an empty entry at first. */
static KeptArea *
find_area(const char *view)
{
	MemoryContext old;
	KeptArea   *area;
	ListCell   *lc;

	foreach(lc, kept_areas)
	{
		area = lfirst(lc);
		if (area->role == GetUserId() && strcmp(area->view, view) == 0)
			return area;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	area = palloc0(sizeof(KeptArea));
	area->view = pstrdup(view);
	area->role = GetUserId();
	kept_areas = lappend(kept_areas, area);
	MemoryContextSwitchTo(old);
	return area;
}

/* Is there something to show that is new enough? */
static bool
is_recent(const KeptArea *area)
{
	TimestampTz now = GetCurrentTimestamp();

	/* a clock that was set back says nothing about ages */
	return area->context != NULL && now >= area->measured &&
		!TimestampDifferenceExceeds(area->measured, now, (int) area->keep_ms);
}

/* Does a row say that it has nothing to be compared with yet? */
static bool
has_first_sample(const KeptArea *area)
{
	for (int i = 0; i < area->nrows; i++)
	{
		bool		null;
		Datum		message = heap_getattr(area->rows[i], MESSAGE_COLUMN,
										   area->desc, &null);

		if (!null && strncmp(TextDatumGetCString(message), "first sample",
							 strlen("first sample")) == 0)
			return true;
	}
	return false;
}

/*
 * Read the area's view.  What was kept stays until all rows are there, so that
 * an error or a cancel leaves a complete set.
 */
static void
refresh(KeptArea *area)
{
	double		before = cpu_ms();
	TimestampTz measured = GetCurrentTimestamp();
	StringInfoData sql;
	MemoryContext context;
	MemoryContext old;
	TupleDesc	desc;
	HeapTuple  *rows;
	int			nrows;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT * FROM glperf.%s",
					 quote_identifier(area->view));
	if (SPI_execute(sql.data, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read view \"%s\"", area->view);
	if (SPI_tuptable->tupdesc->natts != HEALTH_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("view \"%s\" is not a part of the health page", area->view),
				 errhint("Those are named health_<area>.")));

	/* below the transaction's until it is complete */
	context = AllocSetContextCreate(CurTransactionContext,
									"glperf health page",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	desc = CreateTupleDescCopy(SPI_tuptable->tupdesc);
	nrows = (int) SPI_processed;
	rows = palloc(Max(nrows, 1) * sizeof(HeapTuple));
	for (int i = 0; i < nrows; i++)
		rows[i] = heap_copytuple(SPI_tuptable->vals[i]);
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
	pfree(sql.data);

	if (area->context != NULL)
		MemoryContextDelete(area->context);
	MemoryContextSetParent(context, TopMemoryContext);
	area->context = context;
	area->desc = desc;
	area->rows = rows;
	area->nrows = nrows;
	area->measured = measured;
	area->keep_ms = Min((cpu_ms() - before) * KEEP_FACTOR,
						has_first_sample(area) ? KEEP_FIRST_MS : KEEP_MAX_MS);
}

/* Append the area's rows to the result. */
static void
put_rows(ReturnSetInfo *rsinfo, const KeptArea *area)
{
	for (int i = 0; i < area->nrows; i++)
	{
		Datum		values[HEALTH_COLUMNS + 1];
		bool		nulls[HEALTH_COLUMNS + 1];

		heap_deform_tuple(area->rows[i], area->desc, values, nulls);
		values[HEALTH_COLUMNS] = TimestampTzGetDatum(area->measured);
		nulls[HEALTH_COLUMNS] = false;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/*
 * glperf.recent_health_rows(views): rows of those views of the health page,
 * as recent as they are cheap.
 */
Datum
glperf_recent_health(PG_FUNCTION_ARGS)
{
	ArrayType  *views = PG_GETARG_ARRAYTYPE_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *names;
	bool	   *nulls;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(views, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
					  &n);
	SPI_connect();
	for (int i = 0; i < n; i++)
	{
		KeptArea   *area;

		if (nulls[i])
			continue;
		area = find_area(TextDatumGetCString(names[i]));
		if (!is_recent(area))
			refresh(area);
		put_rows(rsinfo, area);
	}
	SPI_finish();
	return (Datum) 0;
}

/*
 * recent_health.c
 *		The health page for those who ask again and again.
 *
 * In a database with many thousands of indexes the page takes a good part of a
 * second, which is nothing to somebody who looks at it, and too much for
 * something that polls it every few seconds.  Nearly all of that time goes
 * into areas that hardly change.  So each area's rows are kept for as long as
 * they were expensive: 4000 times the processor time that they took.  However
 * large the database, and however often somebody asks, an area then takes at
 * most 1/4000 of a processor, and the twelve areas less than 0.3 %; where the
 * page is cheap, its rows are as good as new.
 *
 * The rows are kept in the session's own memory, as what a role may see is its
 * own; where glperf is preloaded other sessions of the same role find them, too
 * (recent_shared.c).  Nothing is written to disk.
 */
#include "compat.h"

#include <sys/resource.h>

#include "access/heaptoast.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "recent_shared.h"

/* An area's rows are kept for this many times of what they took. */
#define KEEP_FACTOR		4000

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
	MemoryContext context;		/* of the rows; NULL: none yet */
	GlperfKeptRows kept;
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

/* Has a view the columns of the result, without the time of measurement? */
static bool
is_of_page(TupleDesc view, TupleDesc desc)
{
	if (view->natts != HEALTH_COLUMNS)
		return false;
	for (int i = 0; i < HEALTH_COLUMNS; i++)
	{
		if (TupleDescAttr(view, i)->atttypid != TupleDescAttr(desc, i)->atttypid)
			return false;
	}
	return true;
}

/* Does a row say that it has nothing to be compared with yet? */
static bool
has_first_sample(const GlperfKeptRows *kept, TupleDesc desc)
{
	for (int i = 0; i < kept->nrows; i++)
	{
		bool		null;
		Datum		message = heap_getattr(kept->rows[i], MESSAGE_COLUMN, desc,
										   &null);

		if (!null && strncmp(TextDatumGetCString(message), "first sample",
							 strlen("first sample")) == 0)
			return true;
	}
	return false;
}

/* Read a view; its rows are allocated in the given context. */
static void
read_view(const char *view, TupleDesc desc, MemoryContext context,
		  GlperfKeptRows *kept)
{
	double		before = cpu_ms();
	StringInfoData sql;
	MemoryContext old;

	kept->measured = GetCurrentTimestamp();
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT * FROM glperf.%s", quote_identifier(view));
	if (SPI_execute(sql.data, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read view \"%s\"", view);
	if (!is_of_page(SPI_tuptable->tupdesc, desc))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("view \"%s\" is not a part of the health page", view),
				 errhint("Those are named health_<area>.")));

	old = MemoryContextSwitchTo(context);
	kept->nrows = (int) SPI_processed;
	kept->rows = palloc(Max(kept->nrows, 1) * sizeof(HeapTuple));
	for (int i = 0; i < kept->nrows; i++)
	{
		/* a value kept elsewhere may be gone before the row is */
		kept->rows[i] = HeapTupleHasExternal(SPI_tuptable->vals[i]) ?
			toast_flatten_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc) :
			heap_copytuple(SPI_tuptable->vals[i]);
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
	pfree(sql.data);
	kept->keep_ms = Min((cpu_ms() - before) * KEEP_FACTOR,
						has_first_sample(kept, desc) ? KEEP_FIRST_MS :
						KEEP_MAX_MS);
}

/*
 * Take over what another session has measured, or else measure.  What was kept
 * stays until all rows are there, so that an error or a cancel leaves a
 * complete set.
 */
static void
refresh(KeptArea *area, TupleDesc desc)
{
	GlperfKeptRows kept = {0};
	MemoryContext context;
	MemoryContext old;
	bool		found;

	/* below the transaction's until it is complete */
	context = AllocSetContextCreate(CurTransactionContext,
									"glperf health page",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	found = glperf_recent_shared_get(area->view, &kept);
	MemoryContextSwitchTo(old);
	if (!found)
	{
		read_view(area->view, desc, context, &kept);
		glperf_recent_shared_put(area->view, &kept);
	}
	if (area->context != NULL)
		MemoryContextDelete(area->context);
	MemoryContextSetParent(context, TopMemoryContext);
	area->context = context;
	area->kept = kept;
}

/*
 * Append rows to the result.  Its last column is beyond those that a row has,
 * and therefore null at first.
 */
static void
put_rows(ReturnSetInfo *rsinfo, const GlperfKeptRows *kept)
{
	for (int i = 0; i < kept->nrows; i++)
	{
		Datum		values[HEALTH_COLUMNS + 1];
		bool		nulls[HEALTH_COLUMNS + 1];

		heap_deform_tuple(kept->rows[i], rsinfo->setDesc, values, nulls);
		values[HEALTH_COLUMNS] = TimestampTzGetDatum(kept->measured);
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
	if (rsinfo->setDesc->natts != HEALTH_COLUMNS + 1)
		elog(ERROR, "recent_health_rows() has %d columns, expected %d",
			 rsinfo->setDesc->natts, HEALTH_COLUMNS + 1);
	deconstruct_array(views, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
					  &n);
	SPI_connect();
	for (int i = 0; i < n; i++)
	{
		KeptArea   *area;

		if (nulls[i])
			continue;
		area = find_area(TextDatumGetCString(names[i]));
		if (area->context == NULL ||
			!glperf_rows_are_recent(area->kept.measured, area->kept.keep_ms))
			refresh(area, rsinfo->setDesc);
		put_rows(rsinfo, &area->kept);
	}
	SPI_finish();
	return (Datum) 0;
}

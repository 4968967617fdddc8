/*
 * counters.c
 *		The server's counters remembered, so that there are rates to judge.
 *
 * The server counts since its statistics were last reset, often for months: a
 * bad hour drowns in that, and a bad week of long ago never goes away.  So
 * whoever asks for a rate leaves a reading behind, and gets the growth since an
 * earlier one.  Readings are shared by all sessions when glperf is preloaded,
 * and the session's own otherwise; the first one has nothing to be compared
 * with, which callers have to say.
 *
 * Readings are kept for a day.  Those of long ago are kept farther apart, so
 * that any window from seconds to a day finds one that is nearly as old, and
 * nobody who asks often makes the window of others shorter.
 *
 * A counter that shrank, or whose reset stamp has moved, has begun anew: what
 * was kept of it is forgotten.
 */
#include "glperf.h"

#include <math.h>
#include <time.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "collector.h"
#include "counters.h"

#define COUNTERS 12				/* of one object, at most */
#define OBJECTS 96				/* at most; then the least asked for goes */
#define KEPT 24					/* readings of one object */
#define NAME_BYTES 128

/* Readings are at least this far apart, and at most this old. */
#define SPACING_US (INT64CONST(9) * 1000000)
#define OLDEST_US (INT64CONST(86400) * 1000000)

/* A shorter window says nothing: statistics arrive with a delay. */
#define SHORTEST_US (INT64CONST(500) * 1000)

/* What there is to read, and what it is called. */
typedef struct Source
{
	const char *name;
	const char *query;			/* object, float8[] of counters, reset stamp */
	const char *counters[COUNTERS + 1];
} Source;

static const Source sources[] = {
	{"database",
		"SELECT coalesce(datname::text, 'shared catalogs'),"
		" ARRAY[blks_hit, blks_read, temp_files, temp_bytes, deadlocks,"
		" conflicts, xact_commit, xact_rollback, sessions, session_time]"
		"::float8[], stats_reset"
		" FROM pg_catalog.pg_stat_database",
		{"blocks_hit", "blocks_read", "temp_files", "temp_bytes", "deadlocks",
			"conflicts", "commits", "rollbacks", "sessions",
	"session_time_ms"}},
	{"wal",
		"SELECT 'WAL'::text, ARRAY[wal_records, wal_fpi, wal_bytes,"
		" wal_buffers_full]::float8[], stats_reset"
		" FROM pg_catalog.pg_stat_wal",
	{"records", "full_page_images", "bytes", "buffers_full"}},
	{"checkpoints",
		"SELECT 'checkpoints'::text, ARRAY[timed, requested, write_time_ms,"
		" sync_time_ms, buffers]::float8[], since_at"
		" FROM glperf.checkpoints()",
		{"timed", "requested", "write_time_ms", "sync_time_ms",
	"buffers"}},
	{"archiver",
		"SELECT 'archiver'::text, ARRAY[archived_count, failed_count]"
		"::float8[], stats_reset FROM pg_catalog.pg_stat_archiver",
	{"archived", "failed"}},
	{"io",
		"SELECT source || ', ' || activity, ARRAY[coalesce(reads::float8, 'NaN'),"
		" coalesce(read_time_ms, 'NaN'), coalesce(writes::float8, 'NaN'),"
		" coalesce(write_time_ms, 'NaN')]::float8[],"
		" CASE WHEN source = 'pg_stat_statements' THEN NULL"
		" ELSE since_at END FROM glperf.io_times()",
	{"reads", "read_time_ms", "writes", "write_time_ms"}},
};

/* One reading. */
typedef struct Reading
{
	int64		clock_us;		/* of a clock that nobody sets */
	double		counters[COUNTERS];
} Reading;

/* All that is remembered of one object, in the order of time. */
typedef struct Object
{
	const Source *source;		/* the same address in all processes */
	char		name[NAME_BYTES];
	TimestampTz reset;			/* 0: none */
	int			count;
	Reading		kept[KEPT];
} Object;

typedef struct Memory
{
	LWLock	   *lock;			/* NULL: the session's own */
	int			count;
	Object		objects[OBJECTS];
} Memory;

static Memory *shared = NULL;
static Memory *own = NULL;

PG_FUNCTION_INFO_V1(glperf_counter_growth);

/* Bytes of shared memory. */
Size
glperf_counters_shmem_size(void)
{
	return sizeof(Memory);
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_counters_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf counters", glperf_counters_shmem_size(),
							 &found);
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = glperf_collector_lock(GLPERF_LOCK_COUNTERS);
}

/* Microseconds of a clock that nobody sets. */
static int64
clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64CONST(1000000) + now.tv_nsec / 1000;
}

/* Forget a reading. */
static void
remove_reading(Object *object, int i)
{
	object->count--;
	memmove(&object->kept[i], &object->kept[i + 1],
			(object->count - i) * sizeof(Reading));
}

/*
 * Make room for one more reading: what is too old goes, else the one that
 * leaves the smallest gap for its age.
 */
static void
make_room(Object *object, int64 now)
{
	int			victim = 1;
	double		smallest = INFINITY;

	while (object->count > 0 && now - object->kept[0].clock_us > OLDEST_US)
		remove_reading(object, 0);
	if (object->count < KEPT)
		return;
	for (int i = 1; i < object->count - 1; i++)
	{
		double		gap = (double) (object->kept[i + 1].clock_us -
									object->kept[i - 1].clock_us) /
		Max(now - object->kept[i].clock_us, 1);

		if (gap < smallest)
		{
			smallest = gap;
			victim = i;
		}
	}
	remove_reading(object, victim);
}

/* The object of this name; the one least asked for makes way for a new one. */
static Object *
find_object(Memory *memory, const Source *source, const char *name)
{
	Object	   *object = NULL;

	for (int i = 0; i < memory->count; i++)
	{
		Object	   *o = &memory->objects[i];

		if (o->source == source && strcmp(o->name, name) == 0)
			return o;
		if (object == NULL || o->count == 0 ||
			(object->count > 0 && o->kept[o->count - 1].clock_us <
			 object->kept[object->count - 1].clock_us))
			object = o;
	}
	if (memory->count < OBJECTS)
		object = &memory->objects[memory->count++];
	object->source = source;
	strlcpy(object->name, name, NAME_BYTES);
	object->reset = 0;
	object->count = 0;
	return object;
}

/* Have the counters begun anew since the last reading? */
static bool
began_anew(const Object *object, const Reading *now, TimestampTz reset)
{
	const Reading *last = &object->kept[object->count - 1];

	if (object->reset != reset || now->clock_us < last->clock_us)
		return true;
	for (int i = 0; i < COUNTERS; i++)
	{
		if (now->counters[i] < last->counters[i])
			return true;
	}
	return false;
}

/*
 * The reading to compare with: the newest that is at least window_us old, else
 * the oldest.  clock_us 0: there is none.  Then remember the present one.
 */
static Reading
compare(Memory *memory, const Source *source, const char *name,
		const Reading *now, TimestampTz reset, int64 window_us)
{
	Reading		before = {0};
	Object	   *object;

	if (memory->lock != NULL)
		LWLockAcquire(memory->lock, LW_EXCLUSIVE);
	object = find_object(memory, source, name);
	if (object->count > 0 && began_anew(object, now, reset))
		object->count = 0;
	object->reset = reset;
	for (int i = 0; i < object->count; i++)
	{
		int64		age = now->clock_us - object->kept[i].clock_us;

		/* a moment too young is old enough */
		if (age < SHORTEST_US || (i > 0 && age < window_us - SPACING_US))
			break;
		before = object->kept[i];
	}
	if (object->count == 0 || now->clock_us -
		object->kept[object->count - 1].clock_us >= SPACING_US)
	{
		make_room(object, now->clock_us);
		object->kept[object->count++] = *now;
	}
	if (memory->lock != NULL)
		LWLockRelease(memory->lock);
	return before;
}

/* Put a number that may be NaN into a column. */
static void
put_number(Datum *values, bool *nulls, int column, double number)
{
	nulls[column] = isnan(number);
	values[column] = Float8GetDatum(number);
}

/* Return the rows of one object. */
static void
put_object(ReturnSetInfo *rsinfo, const Source *source, const char *name,
		   const Reading *now, const Reading *before, TimestampTz reset)
{
	bool		first = before->clock_us == 0;

	for (int i = 0; source->counters[i] != NULL; i++)
	{
		Datum		values[7];
		bool		nulls[7] = {0};

		values[0] = CStringGetTextDatum(source->name);
		values[1] = CStringGetTextDatum(name);
		values[2] = CStringGetTextDatum(source->counters[i]);
		put_number(values, nulls, 3, now->counters[i]);
		put_number(values, nulls, 4, first ? NAN :
				   now->counters[i] - before->counters[i]);
		put_number(values, nulls, 5, first ? NAN :
				   (now->clock_us - before->clock_us) / 1e6);
		values[6] = TimestampTzGetDatum(reset);
		nulls[6] = reset == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
}

/* Read the counters of one row. */
static void
read_counters(Datum array, Reading *reading)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), FLOAT8OID, sizeof(float8),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &n);
	for (int i = 0; i < Min(n, COUNTERS); i++)
		reading->counters[i] = nulls[i] ? NAN : DatumGetFloat8(values[i]);
}

/* Read a source, and compare each of its objects. */
static void
read_source(ReturnSetInfo *rsinfo, const Source *source, int64 window_us)
{
	Memory	   *memory = shared;

	if (memory == NULL)
	{
		if (own == NULL)
			own = MemoryContextAllocZero(TopMemoryContext, sizeof(Memory));
		memory = own;
	}
	if (SPI_execute(source->query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read counters: %s", source->query);
	for (uint64 r = 0; r < SPI_processed; r++)
	{
		HeapTuple	row = SPI_tuptable->vals[r];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *name = SPI_getvalue(row, desc, 1);
		Reading		now = {0};
		Reading		before;
		TimestampTz reset;
		bool		null;
		Datum		value;

		read_counters(SPI_getbinval(row, desc, 2, &null), &now);
		value = SPI_getbinval(row, desc, 3, &null);
		reset = null ? 0 : DatumGetTimestampTz(value);
		now.clock_us = clock_us();
		before = compare(memory, source, name, &now, reset, window_us);
		put_object(rsinfo, source, name, &now, &before, reset);
	}
}

/*
 * glperf.counter_growth(sources, window_s): counters of the server and how
 * much they grew, one row each.
 */
Datum
glperf_counter_growth(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	double		window_s = PG_GETARG_FLOAT8(1);
	Datum	   *names;
	bool	   *nulls;
	int			n;

	if (!(window_s >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("window of %g s must not be negative", window_s)));
	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, &nulls, &n);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	for (int i = 0; i < n; i++)
	{
		char	   *name = nulls[i] ? "" : TextDatumGetCString(names[i]);
		int			s = 0;

		while (s < (int) lengthof(sources) &&
			   strcmp(sources[s].name, name) != 0)
			s++;
		if (s == (int) lengthof(sources))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("there are no counters of \"%s\"", name),
					 errhint("There are: database, wal, checkpoints, archiver, io.")));
		read_source(rsinfo, &sources[s], (int64) (Min(window_s, 1e6) * 1e6));
	}
	SPI_finish();
	return (Datum) 0;
}

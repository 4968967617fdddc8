/*
 * collector_sql.c
 *		SQL functions that read the collector: one per table of it.
 *
 * None of them needs shared memory to exist: without preloading they return
 * no rows, and glperf.collector_status() says why.
 */
#include "glperf.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "collector.h"
#include "collector_store.h"
#include "endpoints.h"
#include "errors.h"
#include "guc.h"
#include "samples.h"
#include "samples_store.h"
#include "waits.h"
#include "worker.h"

PG_FUNCTION_INFO_V1(glperf_statement_latency);
PG_FUNCTION_INFO_V1(glperf_database_latency);
PG_FUNCTION_INFO_V1(glperf_error_counts);
PG_FUNCTION_INFO_V1(glperf_endpoint_latency);
PG_FUNCTION_INFO_V1(glperf_collector_status);
PG_FUNCTION_INFO_V1(glperf_recent_latency);
PG_FUNCTION_INFO_V1(glperf_wait_counts);
PG_FUNCTION_INFO_V1(glperf_connection_peaks);

/* Store a percentile in a row; NULL when there is none. */
static void
put_percentile(Datum *value, bool *isnull, const uint64 *cells, uint64 calls,
			   uint64 max_ns, double p)
{
	double		ms = glperf_histogram_percentile(cells, calls,
												 (double) max_ns / 1e6, p);

	*isnull = isnan(ms);
	*value = Float8GetDatum(ms);
}

/*
 * Store calls, errors, total, mean, p50, p95, p99, maximum in milliseconds and,
 * when asked for, the cells: LATENCY_COLUMNS columns.
 */
#define LATENCY_COLUMNS 9
static void
put_latency(Datum *values, bool *nulls, const uint64 *cells, uint64 calls,
			uint64 errors, uint64 total_ns, uint64 max_ns, bool with_cells)
{
	Datum		counts[GLPERF_HIST_CELLS];
	double		total_ms = (double) total_ns / 1e6;

	values[0] = Int64GetDatum((int64) calls);
	values[1] = Int64GetDatum((int64) errors);
	values[2] = Float8GetDatum(total_ms);
	nulls[3] = calls == 0;
	values[3] = Float8GetDatum(total_ms / Max((double) calls, 1));
	put_percentile(&values[4], &nulls[4], cells, calls, max_ns, 0.5);
	put_percentile(&values[5], &nulls[5], cells, calls, max_ns, 0.95);
	put_percentile(&values[6], &nulls[6], cells, calls, max_ns, 0.99);
	values[7] = Float8GetDatum((double) max_ns / 1e6);
	nulls[8] = !with_cells;
	if (!with_cells)
		return;
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
		counts[c] = Int64GetDatum((int64) cells[c]);
	values[8] = PointerGetDatum(construct_array(counts, GLPERF_HIST_CELLS,
												INT8OID, sizeof(int64), true,
												TYPALIGN_DOUBLE));
}

/* One row per statement; see the function's COMMENT. */
Datum
glperf_statement_latency(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n = glperf_store_size();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		GlperfReading reading;
		Datum		values[5 + LATENCY_COLUMNS];
		bool		nulls[5 + LATENCY_COLUMNS] = {0};

		CHECK_FOR_INTERRUPTS();
		if (!glperf_store_read(i, &reading))
			continue;
		values[0] = ObjectIdGetDatum(reading.userid);
		nulls[0] = !OidIsValid(reading.userid);
		values[1] = ObjectIdGetDatum(reading.dbid);
		nulls[1] = !OidIsValid(reading.dbid);
		values[2] = Int64GetDatum(reading.queryid);
		nulls[2] = reading.queryid == 0;
		values[3] = BoolGetDatum(reading.toplevel);
		values[4] = TimestampTzGetDatum(reading.since);
		put_latency(values + 5, nulls + 5, reading.cells, reading.calls,
					reading.errors, reading.total_ns, reading.max_ns,
					PG_GETARG_BOOL(0));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/* Add one reading to another. */
static void
add_reading(GlperfReading *sum, const GlperfReading *reading)
{
	sum->calls += reading->calls;
	sum->errors += reading->errors;
	sum->total_ns += reading->total_ns;
	sum->max_ns = Max(sum->max_ns, reading->max_ns);
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
		sum->cells[c] += reading->cells[c];
}

/* Put a row of glperf_database_latency() out. */
static void
put_database(ReturnSetInfo *rsinfo, const GlperfReading *sum, bool all,
			 bool with_cells)
{
	Datum		values[2 + LATENCY_COLUMNS];
	bool		nulls[2 + LATENCY_COLUMNS] = {0};

	values[0] = ObjectIdGetDatum(sum->dbid);
	nulls[0] = !OidIsValid(sum->dbid);
	values[1] = BoolGetDatum(all);
	put_latency(values + 2, nulls + 2, sum->cells, sum->calls, sum->errors,
				sum->total_ns, sum->max_ns, with_cells);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * One row per database, and one for all of them.  Statements at the top level
 * only: the time of others is part of these.
 */
Datum
glperf_database_latency(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n = glperf_store_size();
	GlperfReading total;
	List	   *sums = NIL;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	memset(&total, 0, sizeof(total));
	for (int i = 0; i < n; i++)
	{
		GlperfReading reading;
		GlperfReading *sum = NULL;

		CHECK_FOR_INTERRUPTS();
		if (!glperf_store_read(i, &reading) || !reading.toplevel)
			continue;
		foreach(lc, sums)
		{
			if (((GlperfReading *) lfirst(lc))->dbid == reading.dbid)
				sum = lfirst(lc);
		}
		if (sum == NULL)
		{
			sum = palloc0(sizeof(GlperfReading));
			sum->dbid = reading.dbid;
			sums = lappend(sums, sum);
		}
		add_reading(sum, &reading);
		add_reading(&total, &reading);
	}
	foreach(lc, sums)
		put_database(rsinfo, lfirst(lc), false, PG_GETARG_BOOL(0));
	if (n > 0)
		put_database(rsinfo, &total, true, PG_GETARG_BOOL(0));
	return (Datum) 0;
}

/* One row per database, SQLSTATE and statement. */
Datum
glperf_error_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n = glperf_errors_size();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		GlperfErrorCount row;
		Datum		values[5];
		bool		nulls[5] = {0};

		if (!glperf_errors_read(i, &row))
			continue;
		values[0] = ObjectIdGetDatum(row.dbid);
		nulls[0] = !OidIsValid(row.dbid);
		if (row.sqlstate != 0)
			values[1] = CStringGetTextDatum(unpack_sql_state(row.sqlstate));
		else
			nulls[1] = true;
		values[2] = Int64GetDatum(row.queryid);
		nulls[2] = row.queryid == 0;
		values[3] = Int64GetDatum((int64) row.count);
		values[4] = TimestampTzGetDatum(row.last_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/* One row per endpoint. */
Datum
glperf_endpoint_latency(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {"other", "application_name", "tag"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfEndpointReading *readings;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	readings = glperf_endpoints_read(&n);
	for (int i = 0; i < n; i++)
	{
		GlperfEndpointReading *reading = &readings[i];
		Datum		values[2 + LATENCY_COLUMNS];
		bool		nulls[2 + LATENCY_COLUMNS] = {0};

		if (reading->calls == 0)
			continue;
		values[0] = CStringGetTextDatum(kinds[reading->kind]);
		values[1] = CStringGetTextDatum(reading->name);
		put_latency(values + 2, nulls + 2, reading->cells, reading->calls,
					reading->errors, reading->total_ns, reading->max_ns,
					PG_GETARG_BOOL(0));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/* One row: is the collector at work, and how full is it? */
Datum
glperf_collector_status(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	GlperfStoreUsage usage;
	int64		samples[4];
	const char *query_id = GetConfigOption("compute_query_id", true, false);
	Datum		values[10];
	bool		nulls[10] = {0};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	glperf_store_usage(&usage);
	glperf_samples_usage(&samples[0], &samples[1], &samples[2], &samples[3]);

	values[0] = BoolGetDatum(glperf_collector_loaded());
	values[1] = BoolGetDatum(query_id != NULL &&
							 strcmp(query_id, "off") != 0);
	values[2] = Int64GetDatum(usage.places);
	values[3] = Int64GetDatum(usage.used);
	values[4] = Int64GetDatum(usage.evicted);
	for (int i = 0; i < 4; i++)
		values[5 + i] = Int64GetDatum(samples[i]);
	values[9] = Int32GetDatum(glperf_worker_pid());
	nulls[9] = glperf_worker_pid() == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/* One row: what happened in the last so many seconds. */
Datum
glperf_recent_latency(PG_FUNCTION_ARGS)
{
	double		seconds = PG_GETARG_FLOAT8(0);
	TupleDesc	tupdesc;
	GlperfTotals window;
	TimestampTz end;
	uint64		requests;
	double		length;
	Datum		values[9];
	bool		nulls[9] = {0};

	if (isnan(seconds) || seconds < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("window must not be negative"),
				 errhint("Pass a number of seconds, such as 300.")));
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	end = glperf_worker_window(GetCurrentTimestamp() -
							   (TimestampTz) (Min(seconds, 1e6) * 1e6),
							   &window);
	if (end == 0)
		PG_RETURN_NULL();

	/* Errors that no execution had are requests, too. */
	requests = window.calls + window.errors - Min(window.errors, window.failed);
	length = Max((double) (end - window.at) / 1e6, 0.001);
	values[0] = TimestampTzGetDatum(window.at);
	values[1] = Float8GetDatum(length);
	values[2] = Int64GetDatum((int64) window.calls);
	values[3] = Int64GetDatum((int64) window.errors);
	values[4] = Float8GetDatum((double) requests / length);
	nulls[5] = requests == 0;
	values[5] = Float8GetDatum(100.0 * (double) window.errors /
							   Max((double) requests, 1));
	put_percentile(&values[6], &nulls[6], window.cells, window.calls, 0, 0.5);
	put_percentile(&values[7], &nulls[7], window.cells, window.calls, 0, 0.95);
	put_percentile(&values[8], &nulls[8], window.cells, window.calls, 0, 0.99);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/* One row per database, statement and wait event. */
Datum
glperf_wait_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n = glperf_waits_size();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		GlperfWaitCount row;
		const char *type;
		Datum		values[6];
		bool		nulls[6] = {0};

		if (!glperf_waits_read(i, &row))
			continue;
		type = pgstat_get_wait_event_type(row.event);
		values[0] = ObjectIdGetDatum(row.dbid);
		nulls[0] = !OidIsValid(row.dbid);
		values[1] = Int64GetDatum((int64) row.queryid);
		nulls[1] = row.queryid == 0;
		values[2] = CStringGetTextDatum(type == NULL ? "CPU" : type);
		values[3] = CStringGetTextDatum(type == NULL ? "CPU" :
										pgstat_get_wait_event(row.event));
		values[4] = Int64GetDatum((int64) row.samples);
		values[5] = Int64GetDatum((int64) glperf_waits_looks());
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/* One row per high-water mark. */
Datum
glperf_connection_peaks(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"connections", "active", "idle in transaction", "waiting for a lock"
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < GLPERF_PEAK_COUNT && glperf_collector_loaded(); i++)
	{
		int64		now;
		int64		peak;
		TimestampTz at;
		Datum		values[4];
		bool		nulls[4] = {0};

		glperf_waits_peak((GlperfPeak) i, &now, &peak, &at);
		values[0] = CStringGetTextDatum(names[i]);
		values[1] = Int64GetDatum(now);
		values[2] = Int64GetDatum(peak);
		values[3] = TimestampTzGetDatum(at);
		nulls[3] = at == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

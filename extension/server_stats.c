/*
 * server_stats.c
 *		Statistics of the server that moved from view to view over the years.
 *
 * A view's query is checked when the extension is installed, so a view of ours
 * cannot name pg_stat_io, which came with PostgreSQL 16, or
 * pg_stat_checkpointer, which came with 17.  The functions here choose the
 * query at run time, by what the server has.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/lsyscache.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(glperf_io_times);
PG_FUNCTION_INFO_V1(glperf_checkpoints);

/* pg_catalog has a relation of this name. */
static bool
catalog_has(const char *name)
{
	return OidIsValid(get_relname_relid(name, PG_CATALOG_NAMESPACE));
}

/*
 * Run a query whose columns have exactly the types of the function's result,
 * and return its rows.
 */
static void
return_query(FunctionCallInfo fcinfo, const char *query)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read statistics: %s", query);
	for (int i = 0; i < rsinfo->setDesc->natts; i++)
	{
		if (SPI_gettypeid(SPI_tuptable->tupdesc, i + 1) !=
			TupleDescAttr(rsinfo->setDesc, i)->atttypid)
			elog(ERROR, "column %d has an unexpected type: %s", i + 1, query);
	}
	for (uint64 r = 0; r < SPI_processed; r++)
		tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[r]);
	SPI_finish();
}

/*
 * glperf.io_times(): reads and writes with the time they took, one row per
 * kind of activity: source, activity, reads, read_time_ms, writes,
 * write_time_ms, since_at.  Times are NULL where nobody measures them.
 */
Datum
glperf_io_times(PG_FUNCTION_ARGS)
{
	if (catalog_has("pg_stat_io"))
		return_query(fcinfo,
					 "SELECT 'pg_stat_io'::text,"
					 " backend_type || CASE WHEN object = 'relation' THEN ''"
					 " ELSE ', ' || object END"
					 " || CASE WHEN context = 'normal' THEN ''"
					 " ELSE ', ' || context END,"
					 " reads::int8, read_time::float8, writes::int8,"
					 " write_time::float8, stats_reset"
					 " FROM pg_catalog.pg_stat_io"
					 " WHERE object <> 'wal' AND (reads > 0 OR writes > 0)");
	else
		return_query(fcinfo,
					 "SELECT 'pg_stat_database'::text,"
					 " 'database ' || datname::text,"
					 " blks_read::int8, blk_read_time::float8, NULL::int8,"
					 " NULL::float8, stats_reset"
					 " FROM pg_catalog.pg_stat_database"
					 " WHERE datname IS NOT NULL AND blks_read > 0"
					 " UNION ALL "
					 "SELECT 'pg_stat_statements', 'writes by statements',"
					 " NULL, NULL,"
					 " sum(shared_blks_written + temp_blks_written)::int8,"
					 " sum(io_write_time_ms)::float8, min(stats_since)"
					 " FROM glperf.statement_stats(false, false)"
					 " WHERE toplevel"
					 " HAVING sum(shared_blks_written + temp_blks_written) > 0");
	return (Datum) 0;
}

/*
 * glperf.checkpoints(): one row: timed, requested, write_time_ms,
 * sync_time_ms, buffers, since_at.
 */
Datum
glperf_checkpoints(PG_FUNCTION_ARGS)
{
	if (catalog_has("pg_stat_checkpointer"))
		return_query(fcinfo,
					 "SELECT num_timed::int8, num_requested::int8,"
					 " write_time::float8, sync_time::float8,"
					 " buffers_written::int8, stats_reset"
					 " FROM pg_catalog.pg_stat_checkpointer");
	else
		return_query(fcinfo,
					 "SELECT checkpoints_timed::int8, checkpoints_req::int8,"
					 " checkpoint_write_time::float8,"
					 " checkpoint_sync_time::float8,"
					 " buffers_checkpoint::int8, stats_reset"
					 " FROM pg_catalog.pg_stat_bgwriter");
	return (Datum) 0;
}

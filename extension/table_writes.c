/*
 * table_writes.c
 *		What the server's counters say of the writes to a table.
 */
#include "table_writes.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* A table that had this share of its rows written is not at rest. */
#define REST_SHARE		0.01
/* Seconds without writes that tell as much as counters since the load. */
#define REST_WINDOW		(7 * 86400.0)

/* One of the server's counters of a table. */
static double
counted(PGFunction counter, Oid relid)
{
	return DatumGetInt64(DirectFunctionCall1(counter, ObjectIdGetDatum(relid)));
}

GlperfTableWrites
glperf_table_writes(Oid relid)
{
	List	   *oids = list_make1_oid(relid);
	GlperfTableWrites writes = {0};
	ListCell   *lc;

	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		oids = find_all_inheritors(relid, NoLock, NULL);
	foreach(lc, oids)
	{
		Oid			oid = lfirst_oid(lc);

		writes.inserted += counted(pg_stat_get_tuples_inserted, oid);
		writes.updated += counted(pg_stat_get_tuples_updated, oid);
		writes.hot += counted(pg_stat_get_tuples_hot_updated, oid);
		writes.deleted += counted(pg_stat_get_tuples_deleted, oid);
	}
	return writes;
}

double
glperf_counters_window(void)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		reset;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(MyDatabaseId);
	fcinfo->args[0].isnull = false;
	reset = pg_stat_get_db_stat_reset_time(fcinfo);
	if (fcinfo->isnull)
	{
		/* never, or a crash took it: this stamp survives neither */
		InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
		reset = pg_stat_get_bgwriter_stat_reset_time(fcinfo);
		if (fcinfo->isnull)
			return 0;
	}
	return TimestampDifferenceMilliseconds(DatumGetTimestampTz(reset),
										   GetCurrentTimestamp()) / 1000.0;
}

bool
glperf_table_at_rest(Oid relid, double rows)
{
	double		inserted = counted(pg_stat_get_tuples_inserted, relid);
	double		changed = counted(pg_stat_get_tuples_updated, relid) +
	counted(pg_stat_get_tuples_deleted, relid);

	if (changed > rows * REST_SHARE || inserted > rows * (1 + REST_SHARE))
		return false;
	if (inserted >= rows * (1 - REST_SHARE))
		return true;
	/* a crash or a reset emptied the counters; since then there is nothing */
	return inserted <= rows * REST_SHARE &&
		glperf_counters_window() >= REST_WINDOW;
}

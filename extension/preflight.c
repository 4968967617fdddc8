/*
 * preflight.c
 *		How much space the volume of a tablespace, or of the WAL, has left.
 *
 * Asked before an index is built, as a full disk fails the build at its end
 * and, if it holds the WAL, stops the server.  Reads the file system only.
 */
#include "compat.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "access/htup_details.h"
#include "catalog/pg_tablespace_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(glperf_volume_space);

/*
 * volume_space(tablespace, OUT volume, OUT free_bytes, OUT total_bytes)
 *
 * A NULL tablespace is the WAL's directory.  Paths are relative to the data
 * directory, which is every backend's.  NULLs when the file system does not
 * say; free_bytes is what the server may use, without root's reserve.
 */
Datum
glperf_volume_space(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	char	   *path = "pg_wal";
	struct stat st;
	struct statvfs fs;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "unexpected result type of volume_space()");
	if (!PG_ARGISNULL(0))
	{
		Oid			tablespace = PG_GETARG_OID(0);

		if (tablespace == DEFAULTTABLESPACE_OID)
			path = "base";
		else if (tablespace == GLOBALTABLESPACE_OID)
			path = "global";
		else
			path = psprintf("pg_tblspc/%u", tablespace);
	}
	if (stat(path, &st) == 0 && statvfs(path, &fs) == 0 && fs.f_blocks > 0)
	{
		values[0] = CStringGetTextDatum(psprintf("%llu",
												 (unsigned long long) st.st_dev));
		values[1] = Int64GetDatum((int64) fs.f_bavail * (int64) fs.f_frsize);
		values[2] = Int64GetDatum((int64) (fs.f_blocks - fs.f_bfree +
										   fs.f_bavail) * (int64) fs.f_frsize);
		nulls[0] = nulls[1] = nulls[2] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values,
													  nulls)));
}

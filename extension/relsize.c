/*
 * relsize.c
 *		Sizes and ages of relations without locking them.
 *
 * pg_relation_size() opens the relation, so one ACCESS EXCLUSIVE lock on a
 * table stops every dashboard that asks for its size.  The catalog row in the
 * system cache says where the files are; stat() does not wait for anybody.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <fcntl.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_tablespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "relsize.h"

PG_FUNCTION_INFO_V1(glperf_relation_bytes);

/*
 * Path of a fork of the relation, or NULL if it has no file that we can name:
 * it has no storage, it is mapped (system catalogs), or it is temporary.
 */
static char *
fork_path(Form_pg_class rel, ForkNumber fork)
{
	Oid			tablespace = rel->reltablespace;

	if (!OidIsValid(rel->relfilenode) ||
		rel->relpersistence == RELPERSISTENCE_TEMP)
		return NULL;
	if (!OidIsValid(tablespace))
		tablespace = MyDatabaseTableSpace;
	return glperf_relation_path(tablespace == GLOBALTABLESPACE_OID ?
								InvalidOid : MyDatabaseId,
								tablespace, rel->relfilenode, fork);
}

/* Bytes of one fork: its file and the segments that follow it. */
static int64
fork_bytes(Form_pg_class rel, ForkNumber fork)
{
	char	   *path = fork_path(rel, fork);
	int64		bytes = 0;
	struct stat st;

	if (path == NULL)
		return 0;
	for (int segment = 0;; segment++)
	{
		char	   *file = segment == 0 ? path :
		psprintf("%s.%d", path, segment);
		bool		found = stat(file, &st) == 0;

		if (segment > 0)
			pfree(file);
		if (!found)
			break;
		bytes += st.st_size;
		if (st.st_size < (off_t) RELSEG_SIZE * BLCKSZ)
			break;				/* only the last segment is not full */
	}
	pfree(path);
	return bytes;
}

/* See relsize.h. */
int64
glperf_relation_main_bytes(Form_pg_class rel)
{
	return fork_bytes(rel, MAIN_FORKNUM);
}

/* Size of all forks: with free space map, visibility map and init fork. */
static int64
all_bytes(Form_pg_class rel)
{
	int64		bytes = 0;

	for (int fork = 0; fork <= MAX_FORKNUM; fork++)
		bytes += fork_bytes(rel, (ForkNumber) fork);
	return bytes;
}

/*
 * One look at a file: its size, and when it was created (or, where the file
 * system does not record that, when its inode last changed).  False if there
 * is no such file.
 */
static bool
look_at_file(const char *path, int64 *bytes, TimestampTz *created)
{
	struct stat st;

#ifdef STATX_BTIME
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_SIZE | STATX_BTIME,
			  &stx) == 0 && (stx.stx_mask & STATX_BTIME) != 0)
	{
		*bytes = (int64) stx.stx_size;
		*created = time_t_to_timestamptz((pg_time_t) stx.stx_btime.tv_sec) +
			stx.stx_btime.tv_nsec / 1000;
		return true;
	}
#endif
	if (stat(path, &st) != 0)
		return false;
	*bytes = (int64) st.st_size;
	*created = time_t_to_timestamptz((pg_time_t) st.st_ctim.tv_sec) +
		st.st_ctim.tv_nsec / 1000;
	return true;
}

/* See relsize.h. */
TimestampTz
glperf_relation_file_created(Form_pg_class rel)
{
	TimestampTz created;

	glperf_relation_main_file(rel, &created);
	return created;
}

/* See relsize.h. */
int64
glperf_relation_main_file(Form_pg_class rel, TimestampTz *created)
{
	char	   *path = fork_path(rel, MAIN_FORKNUM);
	int64		bytes = 0;

	*created = 0;
	if (path == NULL)
		return 0;
	if (look_at_file(path, &bytes, created) &&
		bytes >= (int64) RELSEG_SIZE * BLCKSZ)
		bytes = fork_bytes(rel, MAIN_FORKNUM);	/* there are more segments */
	pfree(path);
	return bytes;
}

/*
 * Bytes of all forks of a relation, -1 if it does not exist; *toast is its
 * TOAST table.
 */
static int64
relation_bytes(Oid relid, Oid *toast)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	int64		bytes;

	*toast = InvalidOid;
	if (!HeapTupleIsValid(tuple))
		return -1;
	*toast = ((Form_pg_class) GETSTRUCT(tuple))->reltoastrelid;
	bytes = all_bytes((Form_pg_class) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	return bytes;
}

/* Bytes of a TOAST table and its index. */
static int64
toast_bytes(Oid toast)
{
	ScanKeyData key;
	Relation	pg_index;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			none;
	int64		bytes = Max(relation_bytes(toast, &none), 0);

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(toast));
	pg_index = table_open(IndexRelationId, AccessShareLock);
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, NULL, 1,
							  &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			index = ((Form_pg_index) GETSTRUCT(tuple))->indexrelid;

		bytes += Max(relation_bytes(index, &none), 0);
	}
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return bytes;
}

/*
 * glperf.relation_bytes(oid): bytes on disk of a relation and its TOAST
 * table, as pg_table_size() counts them.  NULL if the relation does not exist.
 */
Datum
glperf_relation_bytes(PG_FUNCTION_ARGS)
{
	Oid			toast;
	int64		bytes = relation_bytes(PG_GETARG_OID(0), &toast);

	if (bytes < 0)
		PG_RETURN_NULL();
	if (OidIsValid(toast))
		bytes += toast_bytes(toast);
	PG_RETURN_INT64(bytes);
}

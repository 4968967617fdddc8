/*
 * compat.h
 *		Every difference between PostgreSQL majors that glperf has to know.
 *
 * Nothing outside this file tests PG_VERSION_NUM.  Shims are named by what
 * they mean, and make older servers look like newer ones.
 */
#ifndef GLPERF_COMPAT_H
#define GLPERF_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 140000 || PG_VERSION_NUM >= 200000
#error "glperf supports PostgreSQL 14 to 19"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 19 declares in these what other headers declare, or bring along, before. */
#include "access/htup_details.h"
#include "utils/lsyscache.h"	/* get_database_name */
#include "utils/tuplestore.h"

/* A set-returning function's tuplestore: from 15 on, one call sets it up. */
#if PG_VERSION_NUM < 150000
#include "funcapi.h"
#include "miscadmin.h"

static inline void
InitMaterializedSRF(FunctionCallInfo fcinfo, int flags)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		!(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL,
							 &rsinfo->setDesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = tuplestore_begin_heap(true, false, work_mem);
	MemoryContextSwitchTo(old);
}
#endif

#include "executor/executor.h"
#include "optimizer/pathnode.h"
#include "optimizer/planner.h"
#include "parser/parse_param.h"

/*
 * Does CREATE INDEX leave in pg_class what it has counted of the table?  From
 * 18 on not where autovacuum is off, for whoever keeps statistics by hand.
 */
#if PG_VERSION_NUM >= 180000
#include "postmaster/autovacuum.h"
#include "utils/rel.h"

static inline bool
glperf_create_index_counts(Relation table)
{
	StdRdOptions *options = (StdRdOptions *) table->rd_options;

	return AutoVacuumingActive() &&
		(options == NULL || options->autovacuum.enabled);
}
#else
#define glperf_create_index_counts(table) (true)
#endif

/*
 * 19 replaced get_relation_info_hook, called for relations only, by
 * build_simple_rel_hook, called for every range table entry.
 */
#if PG_VERSION_NUM >= 190000
#define GLPERF_HAVE_BUILD_SIMPLE_REL_HOOK
#endif

/* 19 hands the planner the EXPLAIN state. */
#if PG_VERSION_NUM >= 190000
#define glperf_standard_planner(query, text, options, params) \
	standard_planner(query, text, options, params, NULL)
#else
#define glperf_standard_planner(query, text, options, params) \
	standard_planner(query, text, options, params)
#endif

/* The same for the hook before it. */
#if PG_VERSION_NUM >= 190000
#define GLPERF_PLANNER_PARAMS \
	Query *query, const char *text, int options, ParamListInfo params, \
	ExplainState *es
#define GLPERF_PLANNER_ARGS query, text, options, params, es
#else
#define GLPERF_PLANNER_PARAMS \
	Query *query, const char *text, int options, ParamListInfo params
#define GLPERF_PLANNER_ARGS query, text, options, params
#endif

/* 18 names sort directions by comparison type, not by B-tree strategy. */
#if PG_VERSION_NUM >= 180000
#define glperf_pathkey_is_desc(pk)	((pk)->pk_cmptype == COMPARE_GT)
#else
#define glperf_pathkey_is_desc(pk) \
	((pk)->pk_strategy == BTGreaterStrategyNumber)
#endif

/* 15 renamed the parser's entry point for parameters of unknown type. */
#if PG_VERSION_NUM < 150000
#define setup_parse_variable_parameters(pstate, types, n) \
	parse_variable_parameters(pstate, types, n)
#endif

/* 18 folded lc_collate_is_c() into the locale object. */
#if PG_VERSION_NUM >= 180000
#include "utils/pg_locale.h"
#define glperf_collation_is_c(collation) \
	(OidIsValid(collation) && pg_newlocale_from_collation(collation)->collate_is_c)
#else
#include "utils/pg_locale.h"
#define glperf_collation_is_c(collation) \
	(OidIsValid(collation) && lc_collate_is_c(collation))
#endif

/* 16 moved the role that a query acts as out of range table entries. */
#if PG_VERSION_NUM >= 160000
#define glperf_rel_user(rel, rte)	((rel)->userid)
#else
#define glperf_rel_user(rel, rte)	((rte)->checkAsUser)
#endif

/* 17 keeps what ANALYZE needs of pg_attribute in a field of its own. */
#if PG_VERSION_NUM >= 170000
#define glperf_set_default_stats_target(stats) ((stats)->attstattarget = -1)
#else
#define glperf_set_default_stats_target(stats) \
	((stats)->attr = palloc0(sizeof(FormData_pg_attribute)), \
	 (stats)->attr->attstattarget = -1)
#endif

/*
 * Statistics target of a column, by its row of pg_attribute; -1 if none is
 * set, which is -1 there to 16, and NULL from 17 on.
 */
#include "catalog/pg_attribute.h"
#include "utils/syscache.h"

static inline int
glperf_stats_target(HeapTuple attribute)
{
	bool		isnull;
	Datum		target = SysCacheGetAttr(ATTNUM, attribute,
										 Anum_pg_attribute_attstattarget,
										 &isnull);

	return isnull ? -1 : DatumGetInt16(target);
}

/* 19 lets the caller of table scans say more. */
#if PG_VERSION_NUM >= 190000
#define glperf_beginscan_tidrange(rel, snapshot, from, to) \
	table_beginscan_tidrange(rel, snapshot, from, to, 0)
#else
#define glperf_beginscan_tidrange(rel, snapshot, from, to) \
	table_beginscan_tidrange(rel, snapshot, from, to)
#endif

/* 15 keeps the data of extended statistics by inheritance. */
#if PG_VERSION_NUM >= 150000
#define glperf_search_statext_data(oid) \
	SearchSysCache2(STATEXTDATASTXOID, ObjectIdGetDatum(oid), \
					BoolGetDatum(false))
#else
#define glperf_search_statext_data(oid) \
	SearchSysCache1(STATEXTDATASTXOID, ObjectIdGetDatum(oid))
#endif

/* Since 16 an update of columns that BRIN alone summarises may be HOT. */
#define GLPERF_BRIN_KEEPS_HOT	(PG_VERSION_NUM >= 160000)

/* Columns whose update is not HOT; before 16 any indexed one. */
#if PG_VERSION_NUM >= 160000
#define GLPERF_HOT_BLOCKING	INDEX_ATTR_BITMAP_HOT_BLOCKING
#else
#define GLPERF_HOT_BLOCKING	INDEX_ATTR_BITMAP_ALL
#endif

/* MERGE came with 15. */
#if PG_VERSION_NUM >= 150000
#define GLPERF_HAVE_MERGE
#endif

/* 16 moved permissions out of range table entries. */
#if PG_VERSION_NUM >= 160000
#define glperf_check_permissions(stmt) \
	ExecCheckPermissions((stmt)->rtable, (stmt)->permInfos, true)
#else
#define glperf_check_permissions(stmt) \
	ExecCheckRTPerms((stmt)->rtable, true)
#endif

#if PG_VERSION_NUM >= 160000
#include "nodes/queryjumble.h"
#else
#include "utils/queryjumble.h"
#endif

/* Since 15 shared memory is requested from a hook, before from _PG_init. */
#if PG_VERSION_NUM >= 150000
#define GLPERF_HOOK_SHMEM_REQUEST(fn, prev) \
	(prev = shmem_request_hook, shmem_request_hook = fn)
#define GLPERF_RESERVE_GUC_PREFIX(prefix) MarkGUCPrefixReserved(prefix)
#else
typedef void (*shmem_request_hook_type) (void);
#define GLPERF_HOOK_SHMEM_REQUEST(fn, prev) (prev = NULL, fn())
#define GLPERF_RESERVE_GUC_PREFIX(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* 18 removed execute_once from the ExecutorRun hook. */
#if PG_VERSION_NUM >= 180000
#define GLPERF_EXECUTOR_RUN_PARAMS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define GLPERF_EXECUTOR_RUN_ARGS queryDesc, direction, count
#else
#define GLPERF_EXECUTOR_RUN_PARAMS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, \
	bool execute_once
#define GLPERF_EXECUTOR_RUN_ARGS queryDesc, direction, count, execute_once
#endif

/* 15 moved the replay state out of xlog.h; 14 keeps the timeline apart. */
#include "access/xlog.h"
#if PG_VERSION_NUM >= 150000
#include "access/xlogrecovery.h"
#define wal_flush_position(tli) GetFlushRecPtr(tli)
#else
#define wal_flush_position(tli) (*(tli) = ThisTimeLineID, GetFlushRecPtr())
#endif

/* 19 hands back why no record was found; callers here look at page_read. */
#if PG_VERSION_NUM >= 190000
#define wal_find_next_record(reader, lsn) \
	XLogFindNextRecord(reader, lsn, &(char *) {NULL})
#else
#define wal_find_next_record(reader, lsn) XLogFindNextRecord(reader, lsn)
#endif

/* 19 shows how the query id came about, but not for changing. */
#if PG_VERSION_NUM >= 190000
typedef const JumbleState GlperfJumbleState;
#else
typedef JumbleState GlperfJumbleState;
#endif

/* 18 tells clients that are only told to go away from others. */
#if PG_VERSION_NUM >= 180000
#define glperf_is_client_backend() \
	(MyBackendType == B_BACKEND || MyBackendType == B_INVALID || \
	 MyBackendType == B_DEAD_END_BACKEND)
#else
#define glperf_is_client_backend() \
	(MyBackendType == B_BACKEND || MyBackendType == B_INVALID)
#endif

/* Place of this process in ProcGlobal->allProcs, and its local transaction. */
#include "storage/proc.h"
#if PG_VERSION_NUM >= 170000
#define glperf_backend_number() ((int) GetNumberFromPGProc(MyProc))
#define glperf_proc_in_transaction(proc) \
	LocalTransactionIdIsValid((proc)->vxid.lxid)
#else
#define glperf_backend_number() (MyProc->pgprocno)
#define glperf_proc_in_transaction(proc) LocalTransactionIdIsValid((proc)->lxid)
#endif

/*
 * Variables of our own that every statement reads: from 16 on modules hide
 * what they don't export, which saves a look-up at each access.
 */
#if defined(__GNUC__) && PG_VERSION_NUM < 160000
#define GLPERF_LOCAL __attribute__((visibility("hidden")))
#else
#define GLPERF_LOCAL
#endif

/* In 14 _PG_init runs before MaxBackends is known. */
#if PG_VERSION_NUM >= 150000
#define glperf_max_backends() MaxBackends
#else
#define glperf_max_backends() \
	(MaxConnections + autovacuum_max_workers + 1 + max_worker_processes + \
	 max_wal_senders + 1)
#endif

#include "common/relpath.h"

/*
 * Path of a permanent relation's fork under the data directory, palloc'd; 18
 * returns it by value.
 */
static inline char *
glperf_relation_path(Oid database, Oid tablespace, Oid number, ForkNumber fork)
{
#if PG_VERSION_NUM >= 180000
	return pstrdup(GetRelationPath(database, tablespace, number, -1,
								   fork).str);
#else
	return GetRelationPath(database, tablespace, number, -1, fork);
#endif
}

/* Since 15 a unique index may treat NULLs as equal. */
#if PG_VERSION_NUM >= 150000
#define glperf_nulls_not_distinct(form)	((form)->indnullsnotdistinct)
#else
#define glperf_nulls_not_distinct(form)	(false)
#endif

/* 15 gave the special space of a B-tree page a name. */
#if PG_VERSION_NUM < 150000
#define BTPageGetOpaque(page) ((BTPageOpaque) PageGetSpecialPointer(page))
#endif

/* Since 16 the server knows when an index was last scanned. */
#if PG_VERSION_NUM >= 160000
#define GLPERF_HAVE_LAST_SCAN
#endif

/* Since 18 a B-tree scan skips from one value of a leading column to the next. */
#if PG_VERSION_NUM >= 180000
#define GLPERF_BTREE_SKIPS	true
#else
#define GLPERF_BTREE_SKIPS	false
#endif

/* Since 18 a foreign key may be declared without being enforced. */
#if PG_VERSION_NUM >= 180000
#define glperf_constraint_enforced(form)	((form)->conenforced)
#else
#define glperf_constraint_enforced(form)	(true)
#endif

/* The node that removes duplicates of sorted rows. */
#if PG_VERSION_NUM < 190000
#define T_GlperfUniquePath	T_UpperUniquePath
#else
#define T_GlperfUniquePath	T_UniquePath
#endif

/* What a path that removes duplicates or combines sets reads; else NIL. */
static inline List *
glperf_set_path_inputs(Path *path)
{
	switch (nodeTag(path))
	{
		case T_UniquePath:
			return list_make1(((UniquePath *) path)->subpath);
#if PG_VERSION_NUM < 190000
		case T_UpperUniquePath:
			return list_make1(((UpperUniquePath *) path)->subpath);
#endif
		case T_SetOpPath:
#if PG_VERSION_NUM >= 180000
			return list_make2(((SetOpPath *) path)->leftpath,
							  ((SetOpPath *) path)->rightpath);
#else
			return list_make1(((SetOpPath *) path)->subpath);
#endif
		default:
			return NIL;
	}
}

#endif							/* GLPERF_COMPAT_H */

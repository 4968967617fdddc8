/*
 * write_cost.h
 *		What an index costs whenever its table is written.
 */
#ifndef GLPERF_WRITE_COST_H
#define GLPERF_WRITE_COST_H

#include "compat.h"

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

#include "index_def.h"

/* One kind of writing to one table, as the workload shows it. */
typedef struct GlperfWrite
{
	Oid			relid;
	CmdType		kind;			/* CMD_INSERT, CMD_UPDATE or CMD_DELETE */
	Bitmapset  *columns;		/* updated columns, attnums */
	double		rows_per_day;
} GlperfWrite;

/* Cost of one index, per day. */
typedef struct GlperfWriteCost
{
	double		entries;		/* index entries written */
	double		ms;				/* time of writers and vacuum */
	double		wal_bytes;
	double		hot_lost;		/* updates that stop being HOT */
	int			statements;		/* kinds of writes that pay */
} GlperfWriteCost;

/*
 * Note what query writes, calls and rows scaled to a day, into writes (a List
 * of GlperfWrite * in context).  Queries that only read are left alone.
 */
extern List *glperf_write_note(List *writes, Query *query,
							   double rows_per_day, MemoryContext context);

/* Cost of maintaining def under these writes. */
extern GlperfWriteCost glperf_write_cost(const GlperfIndexDef *def,
										 List *writes);

#endif							/* GLPERF_WRITE_COST_H */

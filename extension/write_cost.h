/*
 * write_cost.h
 *		What an index costs whenever its table is written.
 */
#ifndef GLPERF_WRITE_COST_H
#define GLPERF_WRITE_COST_H

#include "compat.h"

#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

#include "index_def.h"

/* How often a statement runs, in a day. */
typedef struct GlperfVolume
{
	double		rows;			/* that it changes */
	double		calls;
	double		ms;				/* measured; < 0 when unknown */
} GlperfVolume;

/* One kind of writing to one table, as the workload shows it. */
typedef struct GlperfWrite
{
	Oid			relid;
	CmdType		kind;			/* CMD_INSERT, CMD_UPDATE or CMD_DELETE */
	Bitmapset  *columns;		/* updated columns, attnums */
	double		rows_per_day;
	double		calls_per_day;
	double		ms_per_day;		/* of the statement; < 0 when unknown, or when
								 * it does more than this */
} GlperfWrite;

/* Cost of one index, per day. */
typedef struct GlperfWriteCost
{
	double		entries;		/* index entries written */
	double		ms;				/* time of writers and vacuum */
	double		wal_bytes;
	double		hot_lost;		/* updates that stop being HOT */
	double		unexplained;	/* rows written that no statement accounts for */
	int			statements;		/* kinds of writes that pay */
} GlperfWriteCost;

/*
 * Note what query writes into writes (a List of GlperfWrite * in context):
 * INSERT, UPDATE, DELETE, MERGE, ON CONFLICT DO UPDATE, and the same in WITH.
 * What is below WITH is taken to write as many rows as plan, which may be NULL,
 * estimates.  Queries that only read are left alone.
 */
extern List *glperf_write_note(List *writes, Query *query,
							   PlannedStmt *plan, GlperfVolume volume,
							   MemoryContext context);

/* The same for the text of a statement that may be COPY ... FROM. */
extern List *glperf_write_note_copy(List *writes, const char *text,
									GlperfVolume volume,
									MemoryContext context);

/*
 * Cost of maintaining def under these writes.  recorded: they are those that
 * the server recorded, so that what the table's counters have beyond them
 * counts, too.
 */
extern GlperfWriteCost glperf_write_cost(const GlperfIndexDef *def,
										 List *writes, bool recorded);

#endif							/* GLPERF_WRITE_COST_H */

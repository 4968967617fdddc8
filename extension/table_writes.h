/*
 * table_writes.h
 *		What the server's counters say of the writes to a table.
 */
#ifndef GLPERF_TABLE_WRITES_H
#define GLPERF_TABLE_WRITES_H

#include "compat.h"

/* Rows written over the statistics window of the database. */
typedef struct GlperfTableWrites
{
	double		inserted;
	double		updated;
	double		hot;			/* of updated */
	double		deleted;
} GlperfTableWrites;

/* Writes to a table, or to all of its partitions. */
extern GlperfTableWrites glperf_table_writes(Oid relid);

/* Seconds over which the database's counters were kept; 0 when unknown. */
extern double glperf_counters_window(void);

/*
 * Has a table of this many rows been loaded once and only read since, as far
 * as the server's counters go back?  Where they do not go back to the load, as
 * after a crash, they have to go back a week.
 */
extern bool glperf_table_at_rest(Oid relid, double rows);

#endif							/* GLPERF_TABLE_WRITES_H */

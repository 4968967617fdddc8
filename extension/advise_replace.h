/*
 * advise_replace.h
 *		Existing indexes on their way out; between advise_replace.c and
 *		advise_merge.c.
 */
#ifndef GLPERF_ADVISE_REPLACE_H
#define GLPERF_ADVISE_REPLACE_H

#include "advise.h"
#include "index_catalog.h"

/* An index that may go, as glperf.index_usage says. */
typedef struct GlperfDroppable
{
	char	   *schema;
	char	   *table;
	char	   *name;
	double		bytes;
	char	   *verdict;
	char	   *reason;
	char	   *ddl;
	char	   *undo;			/* NULL: its table is locked just now */
	Oid			oid;
	char	   *covered_by;
	bool		is_dismissed;	/* somebody wants to keep it */
} GlperfDroppable;

/* Two existing indexes and their union. */
typedef struct GlperfMerge
{
	GlperfIndex *narrow;
	GlperfIndex *wide;
	GlperfIndexDef *def;
	List	   *steps;			/* char * */
	char	   *schema;
	char	   *table;
	GlperfDroppable *gone[2];
} GlperfMerge;

/*
 * glperf_find_merges -- pairs of existing indexes that one could stand for
 *
 * indexes is the whole glperf_index_list(); only tables that the workload
 * reads are looked at, and each index is in one pair at most.  Whether the
 * pair may go is not asked here.  A List of GlperfMerge *.
 */
extern List *glperf_find_merges(GlperfAdvice *advice, List *indexes);

#endif							/* GLPERF_ADVISE_REPLACE_H */

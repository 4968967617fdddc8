/*
 * whatif_access.h
 *		What searching a GIN or BRIN index that does not exist would cost.
 */
#ifndef GLPERF_WHATIF_ACCESS_H
#define GLPERF_WHATIF_ACCESS_H

#include "compat.h"

#include "nodes/pathnodes.h"

/*
 * Cost estimation functions for made-up indexes, as an IndexOptInfo's
 * amcostestimate: GIN whose definition knows how many keys and pages of either
 * kind it would have, and BRIN with other ranges than the default.  They fall
 * back to the access method's own where they know no better.
 */
extern void glperf_gin_cost(PlannerInfo *root, IndexPath *path,
							double loop_count, Cost *startup, Cost *total,
							Selectivity *selectivity, double *correlation,
							double *pages);
extern void glperf_brin_cost(PlannerInfo *root, IndexPath *path,
							 double loop_count, Cost *startup, Cost *total,
							 Selectivity *selectivity, double *correlation,
							 double *pages);

#endif							/* GLPERF_WHATIF_ACCESS_H */

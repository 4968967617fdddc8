/*
 * whatif_gin.h
 *		What searching a GIN index that does not exist would cost.
 */
#ifndef GLPERF_WHATIF_GIN_H
#define GLPERF_WHATIF_GIN_H

#include "compat.h"

#include "nodes/pathnodes.h"

/*
 * Cost estimation function for a made-up GIN index whose definition knows how
 * many keys and pages of either kind it would have; an IndexOptInfo's
 * amcostestimate.  Falls back to the access method's own where it does not.
 */
extern void glperf_gin_cost(PlannerInfo *root, IndexPath *path,
							double loop_count, Cost *startup, Cost *total,
							Selectivity *selectivity, double *correlation,
							double *pages);

#endif							/* GLPERF_WHATIF_GIN_H */

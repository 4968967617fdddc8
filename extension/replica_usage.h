/*
 * replica_usage.h
 *		Scans of indexes that other nodes have told.
 */
#ifndef GLPERF_REPLICA_USAGE_H
#define GLPERF_REPLICA_USAGE_H

#include "compat.h"

#include "utils/array.h"

#include "index_catalog.h"

typedef struct GlperfReplicas GlperfReplicas;

/*
 * glperf_replicas_read -- the reports in glperf.replica_usage
 *
 * attached:	names of the standbys attached to this node (text[]), with
 *				repetitions where several have the same name; NULL: none
 * max_age_s:	older reports count for nothing
 *
 * Reads as the current user.  The result lives in the current memory context.
 */
extern GlperfReplicas *glperf_replicas_read(ArrayType *attached,
											double max_age_s);

/*
 * glperf_replicas_use -- what they say about one index
 *
 * A report from before the index's file was created is about another index of
 * the same name, and is passed over.
 */
extern GlperfReplicaUse glperf_replicas_use(GlperfReplicas *replicas,
											const GlperfIndex *index);

#endif							/* GLPERF_REPLICA_USAGE_H */

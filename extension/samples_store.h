/*
 * samples_store.h
 *		How one sample is laid out in shared memory, shared by the three
 *		files that write, keep and read samples.
 */
#ifndef GLPERF_SAMPLES_STORE_H
#define GLPERF_SAMPLES_STORE_H

#include "executor/execdesc.h"
#include "lib/stringinfo.h"

#include "samples.h"

/* A sample that would take more bytes than this is not kept. */
#define GLPERF_SAMPLE_MAX_BYTES 4096

/* Nor is one with a bound value whose text is longer than this. */
#define GLPERF_SAMPLE_MAX_VALUE 1024

/* One sample on its way to or from shared memory. */
typedef struct GlperfSampleCopy
{
	int64		queryid;
	Oid			userid;
	Oid			dbid;
	int			encoding;		/* of the sampled database */
	uint32		seen;
	TimestampTz at;
	StringInfoData payload;		/* see glperf_samples_encode() */
} GlperfSampleCopy;

/* Which samples to copy; InvalidOid and 0 mean any. */
typedef struct GlperfSampleFilter
{
	Oid			dbid;
	Oid			userid;
	int64		queryid;
} GlperfSampleFilter;

/*
 * glperf_samples_encode -- write one execution as bytes
 *
 * Appends to out: search_path and text as C strings, the number of parameters
 * and whether the plan is generic as int32s, then per parameter its type OID, an int32 length (-1 is NULL) and
 * that many bytes.  Returns false if the execution is not worth or not able
 * to be kept.  Raises no error that the statement itself wouldn't have met
 * (running out of memory, a cancel request).
 */
extern bool glperf_samples_encode(QueryDesc *queryDesc, StringInfo out);

/* The reverse; strings and arrays are palloc'd. */
extern GlperfSample *glperf_samples_decode(const GlperfSampleCopy *copy);

/* Palloc'd List of GlperfSampleCopy * that match, by statement and seen. */
extern List *glperf_samples_copy(const GlperfSampleFilter *filter);

/* Forget every sample. */
extern void glperf_samples_clear(void);

/* Statements with samples, blocks in use, and executions not kept so far. */
extern void glperf_samples_usage(int64 *statements, int64 *bytes,
								 int64 *taken, int64 *skipped);

#endif							/* GLPERF_SAMPLES_STORE_H */

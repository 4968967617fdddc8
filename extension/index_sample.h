/*
 * index_sample.h
 *		Rows of a table, sampled to find out how big an index on it would be.
 */
#ifndef GLPERF_INDEX_SAMPLE_H
#define GLPERF_INDEX_SAMPLE_H

#include "compat.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/palloc.h"

#include "index_def.h"

/* What an index would store of one value. */
typedef struct GlperfCell
{
	uint64		hash;			/* equal for equal images */
	uint32		width;			/* bytes, padding not counted */
	bool		isnull;
	bool		aligned;		/* placed as its type wants it */
} GlperfCell;

/* One column or expression of the sampled rows. */
typedef struct GlperfCells
{
	AttrNumber	attnum;			/* 0: an expression */
	Node	   *expr;			/* that one */
	Oid			keytype;		/* type as stored in the index */
	char		align;			/* as pg_type.typalign */
	int			n;				/* rows done */
	uint32		widest;			/* of the cells done */
	GlperfCell *cell;			/* [sample->allocated] */
} GlperfCells;

/* Which of the sampled rows satisfy a predicate. */
typedef struct GlperfMatches
{
	List	   *pred;			/* implicitly ANDed */
	int			n;				/* rows done */
	bool	   *match;			/* [sample->allocated] */
} GlperfMatches;

/* A sample as big as it once was: those of its rows that came first. */
typedef struct GlperfSampleStep
{
	int			chunks_read;
	int			nrows;
	bool		whole;
} GlperfSampleStep;

/* Steps of a sample, each about twice as big as the one before. */
#define GLPERF_SAMPLE_STEPS	16

/*
 * Rows of one table, or of all partitions of one, in the table's own columns.
 * Chunks are blocks read together; the rows of one follow each other.  Who asks
 * for the sample gets its first step, whatever others have had read since.
 */
typedef struct GlperfTableSample
{
	Oid			relid;
	MemoryContext context;
	TupleDesc	desc;
	List	   *leaves;			/* private to index_sample.c */
	double		blocks;			/* of all leaves */
	double		chunks;			/* the same in chunks */
	uint32		members;		/* chunks asked for so far */
	int			chunks_read;	/* of them, not locked; of the present step */
	int			pages_read;
	bool		whole;			/* nothing was left out */
	GlperfSampleStep steps[GLPERF_SAMPLE_STEPS];
	int			nsteps;
	int			step;			/* the present one */
	double		rows;			/* estimate of the table's, from all read */
	double		rows_error;		/* standard error of that */

	int			nrows;			/* of the present step */
	int			allocated;
	HeapTuple  *tuples;
	uint32	   *chunk;			/* [row] number of its chunk, ascending */
	uint32	   *block;			/* [row] of its block, among those read */
	uint32	   *leaf;			/* [row] which partition */
	List	   *columns;		/* GlperfCells *, columns and expressions */
	List	   *expr_stats;		/* whatif_stats.c's own */
	List	   *matches;		/* GlperfMatches *, predicates looked at */
	struct GlperfTableSample *runs; /* see glperf_sample_runs(), or NULL */
} GlperfTableSample;

/* Neighbouring chunks of one run. */
#define GLPERF_RUN_CHUNKS	24

/*
 * The samples of one run.  One table's is kept at a time: who asks for the
 * candidates of one table after those of another has each sampled once.
 */
typedef struct GlperfTableSamples
{
	MemoryContext context;
	GlperfTableSample *current;
	Oid			refused;		/* last table that could not be sampled */
	const char *why;			/* and the reason, a constant */
	int64		pages_read;
	int			tables;
} GlperfTableSamples;

/* Samples for a run whose memory is context; freed with it. */
extern GlperfTableSamples *glperf_samples_create(MemoryContext context);

/* Free the rows that are kept; the counts stay. */
extern void glperf_samples_forget(GlperfTableSamples *samples);

/*
 * glperf_sample_table -- sample a table, or find it sampled already
 *
 * Never waits for a lock and reads no more than glperf.size_sample_pages
 * blocks.  Returns NULL with a reason, a constant string, when the current
 * role may not see all rows or the table cannot be read.  Must run in the
 * sandbox, whose end releases the lock.
 */
extern GlperfTableSample *glperf_sample_table(GlperfTableSamples *samples,
											  Oid relid, const char **why);

/*
 * Go on to the next step: about as many blocks again, which are read unless
 * they have been; false when there are none or enough.
 */
extern bool glperf_sample_grow(GlperfTableSamples *samples,
							   GlperfTableSample *sample);

/*
 * glperf_sample_runs -- longer stretches of the same table
 *
 * A sample of a dozen runs of GLPERF_RUN_CHUNKS neighbouring chunks each, the
 * chunks numbered one after the other: they tell whether equal keys lie near
 * each other.  NULL when the table is too small for it to matter.
 */
extern GlperfTableSample *glperf_sample_runs(GlperfTableSamples *samples,
											 GlperfTableSample *sample);

/*
 * Cells of a plain column as stored by an index of that operator class
 * (InvalidOid: an included column), for all sampled rows.
 */
extern GlperfCells *glperf_sample_column(GlperfTableSample *sample,
										 AttrNumber attnum, Oid opclass);

/*
 * Cells of an expression as stored by an index of that operator class, for as
 * many rows as they have been filled in for; that is up to the caller.
 */
extern GlperfCells *glperf_sample_expr(GlperfTableSample *sample, Node *expr,
									   Oid opclass);

/* Which rows satisfy pred, as far as that has been found out. */
extern GlperfMatches *glperf_sample_matches(GlperfTableSample *sample,
											List *pred);

/* Fill cell from one value of this type and storage strategy. */
extern void glperf_cell_set(GlperfCell *cell, Datum value, bool isnull,
							int16 typlen, bool byval, char storage);

/* The type that an operator class stores for a column of this type. */
extern Oid	glperf_stored_type(Oid opclass, Oid type);

/* What it takes to get the keys of one column. */
typedef struct GlperfGinColumn
{
	FmgrInfo	extract;
	Oid			collation;
	int			attnum;
	int16		typlen;
	bool		byval;
	char		storage;
} GlperfGinColumn;

/* Prepare for key column c; false if its keys cannot be had. */
extern bool glperf_gin_column_open(const GlperfIndexDef *def, int c,
								   GlperfGinColumn *column);

/*
 * Keys of one value, each once; returns how many.  Allocates *cells, and what
 * the operator class does, in CurrentMemoryContext.
 */
extern int	glperf_gin_keys(GlperfGinColumn *column, Datum value, bool isnull,
							GlperfCell **cells);

/*
 * index_keys.c, index_keys_gin.c: equal keys among the sampled rows.
 */

struct GlperfLeaves;
struct GlperfGin;

/* One entry of an index, or one key of a GIN index, from a sampled row. */
typedef struct GlperfSampledKey
{
	uint64		hash;
	uint32		chunk;
	uint32		block;
	uint32		bytes;			/* of the entry; of the key in GIN */
} GlperfSampledKey;

/* What the sampled keys say about all of them. */
typedef struct GlperfKeyShape
{
	double		distinct;		/* different keys in all of the table */
	struct GlperfGroups *groups;	/* the same by size, when asked for */
	int			ngroups;
} GlperfKeyShape;

/* Keys of rows, in the sample's order. */
typedef struct GlperfSampledKeys
{
	GlperfSampledKey *key;
	int			n;
} GlperfSampledKeys;

/*
 * glperf_keys_leaves -- leaf entries of a B-tree over all rows
 *
 * keys:	of the sample
 * runs:	of longer stretches, or NULL
 * tuples:	number of entries in all
 * share:	of the table's chunks that were read, at most 1
 * chunks:	of the table; blocks: the same in blocks
 */
extern GlperfKeyShape glperf_keys_leaves(GlperfSampledKeys keys,
										 const GlperfSampledKeys *runs,
										 double tuples, double share,
										 double chunks, bool deduplicate,
										 struct GlperfLeaves *leaves);

/* The same as groups of equal keys, of whatever size. */
extern GlperfKeyShape glperf_keys_groups(GlperfSampledKeys keys,
										 const GlperfSampledKeys *runs,
										 double tuples, double share,
										 double chunks);

/* The same for the entries of a GIN index. */
extern void glperf_keys_gin(GlperfSampledKeys keys,
							const GlperfSampledKeys *runs, double tuples,
							double share, double chunks, double blocks,
							struct GlperfGin *gin);

#endif							/* GLPERF_INDEX_SAMPLE_H */

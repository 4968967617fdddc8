/*
 * index_catalog.h
 *		Indexes and foreign keys of the database as the catalogs describe them.
 */
#ifndef GLPERF_INDEX_CATALOG_H
#define GLPERF_INDEX_CATALOG_H

#include "compat.h"

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* What the redundancy test says about an index and one that covers it. */
typedef enum GlperfCover
{
	GLPERF_COVER_NONE,
	GLPERF_COVER_PREFIX,		/* its keys lead the other's */
	GLPERF_COVER_WIDER,			/* same keys; the other holds more */
	GLPERF_COVER_EXACT			/* nothing tells them apart */
} GlperfCover;

/*
 * What other nodes have told about one index.  All zero where there is no
 * other node.
 */
typedef struct GlperfReplicaUse
{
	int			reports;		/* recent ones of this index */
	int64		scans;			/* of all of them */
	double		idle_s;			/* since the last scan on any, as far as told */
	TimestampTz since;			/* when the youngest counters began; 0 unknown */
	TimestampTz last_scan;		/* 0: none, or not told */
	char	   *user;			/* node with the most scans, NULL: none */
	char	   *missing;		/* nodes that have not told; NULL: none */
} GlperfReplicaUse;

/*
 * One index.  Arrays have natts entries (attnum) or nkeys entries (others), in
 * index order.
 */
typedef struct GlperfIndex
{
	Oid			oid;
	Oid			table;
	char	   *schema_name;
	char	   *table_name;
	char	   *index_name;
	Oid			am;
	bool		partitioned;	/* a partitioned table's index: no storage */
	Oid			parent;			/* partitioned index it is attached to */
	struct GlperfIndex *root;	/* topmost of these, which it goes with; NULL
								 * unless measured */
	Oid			tablespace;		/* 0: the database's */
	int			nkeys;
	int			natts;			/* nkeys and the INCLUDE columns */
	AttrNumber *attnum;			/* 0 for an expression */
	Oid		   *opclass;
	Oid		   *opfamily;
	Oid		   *opcintype;
	Oid		   *collation;
	int16	   *option;
	Node	  **expression;		/* of each key; NULL for a plain column */
	int		   *target;			/* of each key: rows that ANALYZE aims at, in
								 * units of default_statistics_target; NULL
								 * without expressions */
	char	   *settings;		/* reloptions and opclass options as text */
	List	   *predicate;		/* implicitly ANDed; NIL for all rows */
	bool		opaque;			/* predicate may only be compared as a whole */
	bool		has_expression;
	bool		unique;
	bool		immediate;
	bool		nulls_not_distinct;
	bool		valid;			/* usable by queries */
	bool		building;		/* not valid because somebody is building it */
	Oid			extension;		/* that the table belongs to */
	char	   *guard;			/* why it must stay; NULL: nothing found */

	/* measured */
	int64		bytes;			/* main fork; of all leaves if partitioned */
	int64		scans;
	int64		tuples_read;
	int64		blocks_fetched;
	int64		blocks_hit;		/* of these, found in shared buffers */
	TimestampTz last_scan;		/* 0 unknown */
	TimestampTz created;		/* lower bound, see relsize.h; 0 unknown */
	TimestampTz disturbed;		/* it may have had to take another's place
								 * then; 0: not that is known */
	GlperfReplicaUse replicas;	/* see replica_usage.h */

	/* judged */
	GlperfCover cover;			/* how covered_by covers it */
	struct GlperfIndex *covered_by;
	bool		covers_other;	/* an index reported as redundant relies on it */
	const char *verdict;
	char	   *reason;
	bool		drop;			/* a DROP is offered */
} GlperfIndex;

/* One foreign key, seen from the referencing table. */
typedef struct GlperfForeignKey
{
	Oid			oid;
	Oid			table;			/* referencing */
	Oid			referenced;
	char	   *name;
	bool		inherited;		/* a partition's copy of its parent's */
	int			ncolumns;
	AttrNumber *column;			/* of the referencing table */
	Oid		   *equality;		/* operator: referenced = referencing */
	Oid		   *collation;		/* that an index must have; 0: any */
} GlperfForeignKey;

/*
 * glperf_is_system_schema -- schemas that are nobody's to tune: the catalogs,
 * TOAST, information_schema, and temporary ones
 */
extern bool glperf_is_system_schema(Oid nspid);

/*
 * glperf_index_list -- all indexes of user tables, ordered by table
 *
 * measure:	also read counters, sizes and ages
 *
 * Reads catalogs only; never waits for a lock on a user's table.  Temporary
 * tables and system schemas are left out.  Measured fields of
 * partitioned indexes are summed up over their leaves.
 */
extern List *glperf_index_list(bool measure);

/*
 * glperf_index_key_share -- percent of the table that the rarest key finds
 *
 * NaN for unique, partial and multi-column indexes, tables of no more than
 * min_rows rows, and where ANALYZE has not told.
 */
extern double glperf_index_key_share(const GlperfIndex *index,
									 double min_rows);

/*
 * glperf_index_find_builds -- which of these are being built just now
 *
 * Sets building where an index is not valid because somebody is creating or
 * rebuilding it.  To be called after the catalogs were read, so that a build
 * which ended in between is seen by looking at the index again.
 */
extern void glperf_index_find_builds(List *indexes);

/*
 * glperf_index_find_disturbed -- which had to take the place of others, and when
 *
 * Sets disturbed to when redundant indexes of the same table were dropped or
 * replaced, as glperf.recommendation tells: from then on the others have had
 * to do their work, and scans from before say nothing of that.
 */
extern void glperf_index_find_disturbed(List *indexes);

/*
 * glperf_foreign_key_list -- all enforced foreign keys, ordered by table
 *
 * With those that partitions have of their parents.
 */
extern List *glperf_foreign_key_list(void);

/*
 * glperf_index_covers -- can y do everything that x does?
 *
 * Both are of the same table.  See index_redundancy.c.
 */
extern GlperfCover glperf_index_covers(const GlperfIndex *x,
									   const GlperfIndex *y);

/*
 * glperf_index_suppose -- judge glperf.index_usage as if indexes existed
 *
 * indexes:	List of GlperfIndex * without an OID, and with a guard; NIL to judge
 *			what exists
 *
 * Holds until the next call, in this session; the caller resets it, errors or
 * not.  Supposed indexes take the place of others by the same rules as real
 * ones, and are not among the rows.
 */
extern void glperf_index_suppose(List *indexes);

/* A glperf_index_list() with them behind the others of their tables. */
extern List *glperf_index_with_supposed(List *indexes);

/*
 * glperf_index_supports_foreign_key -- does the index find the referencing
 * rows of a foreign key?
 */
extern bool glperf_index_supports_foreign_key(const GlperfIndex *index,
											  const GlperfForeignKey *fk);

/*
 * The foreign key that would be left without an index, but for this one, among
 * the n indexes of its table that are not to be dropped; or NULL.
 */
extern const GlperfForeignKey *glperf_index_needed_by(const GlperfIndex *index,
													  GlperfIndex **siblings,
													  int n, List *fks);

/*
 * The same for the parts of a partitioned index, which go with it.  all are
 * the n indexes of the database, and fks its foreign keys, by table.
 */
extern const GlperfForeignKey *glperf_index_part_needed_by(const GlperfIndex *root,
														   GlperfIndex **all,
														   int n, List *fks);

/*
 * Are there objects that would make DROP INDEX fail, or go with it?  Parts of
 * a partitioned index and internal links do not count.
 */
extern bool glperf_index_has_dependents(Oid index);

#endif							/* GLPERF_INDEX_CATALOG_H */

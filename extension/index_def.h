/*
 * index_def.h
 *		An index that may not exist yet: what it would be and how big.
 *
 * Vocabulary of the advice rooms: a *definition* describes one possible index
 * on one table; a *candidate* is a definition found worth costing; a
 * *configuration* is a set of candidates; a *recommendation* is a candidate
 * that was selected.
 */
#ifndef GLPERF_INDEX_DEF_H
#define GLPERF_INDEX_DEF_H

#include "compat.h"

#include "access/attnum.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* Most columns of an index that is advised. */
#define GLPERF_MAX_COLUMNS		10

/*
 * One possible index.  Vars of expressions and predicate have varno 1.  All
 * parts live in one memory context, the one current when it was made.
 */
typedef struct GlperfIndexDef
{
	Oid			relid;			/* table, or root of a partition tree */
	Oid			expr_relid;		/* table whose columns exprs and pred number,
								 * if not relid */
	Oid			amoid;			/* access method */
	int			nkeys;			/* key columns */
	int			ncolumns;		/* key and INCLUDE columns */
	AttrNumber	attnum[INDEX_MAX_KEYS]; /* 0 = next member of exprs */
	Oid			opclass[INDEX_MAX_KEYS];
	Oid			opfamily[INDEX_MAX_KEYS];
	Oid			opcintype[INDEX_MAX_KEYS];
	Oid			collation[INDEX_MAX_KEYS];
	int16		option[INDEX_MAX_KEYS]; /* INDOPTION_DESC, _NULLS_FIRST */
	List	   *exprs;			/* expressions of key columns, in order */
	List	   *pred;			/* implicitly ANDed predicate, or NIL */

	/*
	 * A pg_statistic row (HeapTuple) for each member of exprs, NULL where
	 * there is none; NIL before glperf_whatif_set_stats() and for plain
	 * columns.
	 */
	List	   *expr_stats;

	/* size model, see whatif_size.c */
	double		rows;			/* rows of the table, all partitions */
	double		heap_pages;		/* blocks of the table, all partitions */
	double		tuples;			/* rows that the index would hold */
	double		pages;			/* blocks, all partitions together */
	int			height;			/* levels below the root, >= 0 */
	double		entry_bytes;	/* average bytes of one leaf entry */
	double		distinct;		/* different entries; 0 when unknown */
	const char *size_basis;		/* a constant: why the size is from statistics
								 * alone; NULL when rows were sampled */
	const char *impossible;		/* a constant: why it cannot be built, or NULL */

	/* GIN alone; 0 when not known */
	double		keys_per_row;	/* different keys in one value, on average */
	double		gin_keys;		/* different keys in all */
	double		gin_entry_pages;	/* of the tree over the keys */
	double		gin_data_pages; /* of posting trees, for frequent keys */

	/* storage parameters; 0 is the access method's own value */
	int			fillfactor;		/* percent; B-tree and hash */
	int			pages_per_range;	/* BRIN */
	bool		no_deduplication;	/* B-tree: deduplicate_items = off */
	Oid			tablespace;		/* InvalidOid: the database's */

	char	   *name;			/* proposed name, no schema */
} GlperfIndexDef;

/*
 * glperf_index_def_append -- add a plain column as key or INCLUDE column
 *
 * Returns false, leaving def alone, when the type has no default operator
 * class for the access method or no column is left.  collation InvalidOid
 * means the column's own.
 */
extern bool glperf_index_def_append(GlperfIndexDef *def, AttrNumber attnum,
									Oid opclass, Oid collation,
									int16 option, bool include);

/* The same for an expression with Vars of varno 1; keys only. */
extern bool glperf_index_def_append_expr(GlperfIndexDef *def, Node *expr,
										 Oid opclass, Oid collation,
										 int16 option);

/* The expression of key column i, or NULL for a plain column. */
extern Node *glperf_index_def_expr(const GlperfIndexDef *def, int i);

/* Is the plain column attnum stored anywhere in def? */
extern bool glperf_index_def_has_column(const GlperfIndexDef *def,
										AttrNumber attnum);

/*
 * Are narrow's keys, directions included, a leading part of wide's, on the
 * same rows of the same table?  Other columns are not looked at.
 */
extern bool glperf_index_def_leads(const GlperfIndexDef *narrow,
								   const GlperfIndexDef *wide);

/* Are these two the same index?  Names and sizes are not looked at. */
extern bool glperf_index_def_equal(const GlperfIndexDef *a,
								   const GlperfIndexDef *b);

/*
 * glperf_index_def_covers -- can whatever uses b use a instead?
 *
 * True when b's keys are a leading part of a's (all directions equal, or all
 * flipped; for GIN any of a's), b's other columns are in a, and both have the
 * same predicate.
 */
extern bool glperf_index_def_covers(const GlperfIndexDef *a,
									const GlperfIndexDef *b);

/*
 * Do the keys of one B-tree lead those of the other, which includes less, so
 * that their union serves whatever either does?
 */
extern bool glperf_index_def_can_unite(const GlperfIndexDef *narrow,
									   const GlperfIndexDef *wide);

/* Let wide include what it lacks of the columns of narrow, as above. */
extern void glperf_index_def_unite(GlperfIndexDef *wide,
								   const GlperfIndexDef *narrow);

/*
 * The definition that an index on def's table gives a partition of it, whose
 * columns may have other numbers.  NULL when it lacks one.  Keeps name and size.
 */
extern GlperfIndexDef *glperf_index_def_on_partition(const GlperfIndexDef *def,
													 Oid table);

/* Number in that partition of def's column i; Invalid when it has none. */
extern AttrNumber glperf_index_def_attnum_on(const GlperfIndexDef *def, int i,
											 Oid table);

/* Definition of an existing index whose relation is open. */
extern GlperfIndexDef *glperf_index_def_from_relation(Relation index);

/*
 * glperf_index_def_from_stmt -- definition that a CREATE INDEX describes
 *
 * ddl must hold exactly one CREATE INDEX statement.  Locks the table in
 * ACCESS SHARE mode.
 *
 * Errors:	ERRCODE_SYNTAX_ERROR, ERRCODE_FEATURE_NOT_SUPPORTED and those of
 *			name lookup; nothing is created.
 */
extern GlperfIndexDef *glperf_index_def_from_stmt(IndexStmt *stmt,
												  const char *ddl);

/* Human form, as in executions (agent_name, created_at DESC) WHERE ... */
extern char *glperf_index_def_describe(const GlperfIndexDef *def);

/* The part in parentheses alone, as in agent_name, created_at DESC */
extern char *glperf_index_def_columns(const GlperfIndexDef *def);

/*
 * Statements that build the index without blocking writers, as a List of
 * char *.  One for a plain table; for a partition tree the invalid parent,
 * one build per leaf and the attachments, where an index
 * that a partition has already is attached instead of building its like.
 */
extern List *glperf_index_def_steps(const GlperfIndexDef *def);

/*
 * DROP INDEX CONCURRENTLY; for a partition tree DROP INDEX, and what brings back
 * the indexes that go with it although they were there before.
 */
extern char *glperf_index_def_undo(const GlperfIndexDef *def);

/*
 * glperf_index_undo -- what would bring back an index that exists
 *
 * Statements separated by ";\n", to be run one by one outside a transaction
 * block: with its parts, if it is partitioned, and with comments, statistics
 * targets and dependencies on extensions.  NULL if a table is locked just now;
 * no lock is waited for.
 */
extern char *glperf_index_undo(Oid index);

/* SELECT that returns the rows which the predicate keeps. */
extern char *glperf_index_def_predicate_query(const GlperfIndexDef *def);

/* Sets def->name: deterministic, at most 63 bytes, glp_<table>_<columns>_<hash>. */
extern void glperf_index_def_set_name(GlperfIndexDef *def);

/* Fills rows, tuples, pages, height and entry_bytes; see whatif_size.c. */
extern void glperf_index_def_set_size(GlperfIndexDef *def,
									  double predicate_selectivity);

/*
 * Pages that HypoPG says a B-tree of so many rows has: an entry for each row,
 * a header for each column, a third left free.
 */
extern double glperf_index_def_hypopg_pages(const GlperfIndexDef *def);

/*
 * glperf_index_def_measure -- the same from a sample of the table's rows
 *
 * Call after the above, whose figures stay, with the reason in size_basis,
 * when there is no sample to be had.  deduplicate as for a B-tree.
 */
struct GlperfTableSamples;
extern void glperf_index_def_measure(GlperfIndexDef *def,
									 struct GlperfTableSamples *samples,
									 bool deduplicate);

/* Can equal keys of this index share an entry?  False but for B-trees. */
extern bool glperf_index_def_deduplicates(const GlperfIndexDef *def);

#endif							/* GLPERF_INDEX_DEF_H */

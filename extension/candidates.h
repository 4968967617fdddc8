/*
 * candidates.h
 *		Which indexes are worth costing, from the structure of statements.
 */
#ifndef GLPERF_CANDIDATES_H
#define GLPERF_CANDIDATES_H

#include "compat.h"

#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"

#include "index_def.h"

/* Most key columns of a candidate. */
#define GLPERF_MAX_KEYS			5

/* One thing that an index could be searched or ordered by. */
typedef struct GlperfKey
{
	AttrNumber	attnum;			/* 0 for an expression */
	Node	   *expr;			/* Vars with varno 1, or NULL */
	Oid			opclass;		/* InvalidOid for the default one */
	Oid			collation;		/* InvalidOid for the column's own */
	int16		option;			/* INDOPTION_ flags, for order keys */
	double		distinct;		/* number of values, estimated */
	bool		is_null;		/* IS NULL: found like a value, but the
								 * planner does not know the column for
								 * constant */
} GlperfKey;

#define GLPERF_KEYS		8

/* A partial index holds at most this share of the table. */
#define GLPERF_PARTIAL_SHARE	0.2

/* A predicate that a partial index could have. */
typedef struct GlperfPredicate
{
	Node	   *clause;			/* Vars with varno 1 and constants; may be an
								 * AND */
	AttrNumber	attnum;			/* its column, of which rows have one value or
								 * few; 0 when keys of it are of use */
	double		selectivity;
	Bitmapset  *needed;			/* columns read beside it, as in GlperfRelKeys */
	bool		excludes;		/* keeps most rows: only worth it where the
								 * table need not be visited */
} GlperfPredicate;

/* What one statement asks of one table. */
typedef struct GlperfRelKeys
{
	Oid			relid;
	GlperfKey	eq[GLPERF_KEYS];	/* column = value, IS NULL */
	int			neq;
	GlperfKey	in[GLPERF_KEYS];	/* column IN (values) */
	int			nin;
	GlperfKey	range[GLPERF_KEYS]; /* <, >, BETWEEN, LIKE 'x%' */
	int			nrange;
	GlperfKey	join[GLPERF_KEYS];	/* column = other table's column */
	int			njoin;
	GlperfKey	order[GLPERF_KEYS]; /* ORDER BY, GROUP BY, DISTINCT */
	int			norder;
	GlperfPredicate preds[GLPERF_KEYS];
	int			npreds;
	Bitmapset  *needed;			/* columns read, as attnums; NULL when an
								 * index could not hold them all */
} GlperfRelKeys;

/*
 * Can node be an index column of rel?  Fills *key for a plain column or an
 * immutable expression over rel's columns alone.
 */
extern bool glperf_match_key(PlannerInfo *root, RelOptInfo *rel, Oid relid,
							 Node *node, GlperfKey *key);

/* Type of a key, looking through binary-compatible relabelling. */
extern Oid	glperf_key_type(Node *node);

/* Use a clause's collation where it isn't the operand's own. */
extern void glperf_key_set_collation(GlperfKey *key, Node *operand,
									 Oid inputcollid);

/* Sort out the clauses of rel into keys; false when there is nothing. */
extern bool glperf_rel_keys(PlannerInfo *root, RelOptInfo *rel, Oid relid,
							GlperfRelKeys *keys);

/* A copy of a clause of relation varno with Vars of varno 1. */
extern Node *glperf_to_varno_one(Node *node, Index varno);

/*
 * Add the predicate that all of these conditions hold.  The planner knows
 * that of a partial index's rows, and does not test them again.
 */
extern GlperfPredicate *glperf_add_predicate(PlannerInfo *root,
											 RelOptInfo *rel, List *clauses,
											 double selectivity,
											 GlperfRelKeys *keys);

/*
 * Add the predicates that are not one condition on one column, and the columns
 * that are needed; for glperf_rel_keys(), when the keys are known.
 */
extern void glperf_rel_predicates(PlannerInfo *root, RelOptInfo *rel,
								  GlperfRelKeys *keys);

/* Does an expression hold a constant, or a value that is not of the row? */
extern bool glperf_has_value(Node *node);

/* The same for each arm of an OR; a List of GlperfRelKeys *. */
extern List *glperf_or_keys(PlannerInfo *root, RelOptInfo *rel, Oid relid);

/* One candidate: a definition and who asked for it. */
typedef struct GlperfCandidate
{
	GlperfIndexDef *def;
	char	   *why;			/* for people: equality on a, order by b DESC */
	bool		supported;		/* some statement asks for it in every sample */
	bool		ordered;		/* the directions of its keys matter */
	bool		united;			/* see candidate_union.c */
} GlperfCandidate;

/* All candidates of one run, each definition once. */
typedef struct GlperfCandidates
{
	MemoryContext context;		/* where definitions live */
	GlperfCandidate *items;
	int			n;
	int			allocated;
	int			limit;			/* most candidates to keep */
	bool		overflowed;		/* the limit was hit */
} GlperfCandidates;

/* What one analysed statement contributed; argument of the harvest. */
typedef struct GlperfHarvest
{
	GlperfCandidates *set;
	List	   *proposed;		/* candidate numbers, int list */
	List	   *tables;			/* Oid list of tables worth an index */
	bool		reads;			/* it reads a table */
	bool		big;			/* it reads a table worth an index */
	List	   *small;			/* Oid list of tables that are too small */
	bool		temporary;		/* it reads a temporary table */
	bool		catalog;		/* it reads a system catalog */
	bool		own;			/* it reads a table of glperf's */
	List	   *children;		/* Oid list, while one parent of INHERITS is
								 * looked at: where its rows are */
	List	   *columns;		/* Oid list, relid and attnum in turn: columns
								 * that an index of use would lead with */
	List	   *hints;			/* char *: what would have to be done before
								 * an index could help */
} GlperfHarvest;

/* Harvest callback for GlperfWhatif; arg is a GlperfHarvest. */
extern void glperf_candidates_harvest(void *arg, PlannerInfo *root,
									  RelOptInfo *rel, RangeTblEntry *rte);

/* Add a copy of def to the candidates, and to what this statement proposed. */
extern void glperf_candidates_propose(GlperfHarvest *harvest,
									  GlperfIndexDef *def, const char *why);

/* Note a plain column that an index of use to this statement would lead with. */
extern void glperf_candidates_note(GlperfHarvest *harvest, Oid relid,
								   AttrNumber attnum);

/* Remember, once, what keeps an index from helping. */
extern void glperf_candidates_hint(GlperfHarvest *harvest, const char *hint);

/*
 * Is it a distance, which GiST gives rows in the order of, from wherever it is?
 * An index on the expression would do so from one place alone.
 */
extern bool glperf_is_distance(Node *expr);

/* Candidates for rel that are not B-trees; keys as from glperf_rel_keys(). */
extern void glperf_candidates_kinds(GlperfHarvest *harvest, PlannerInfo *root,
									RelOptInfo *rel,
									const GlperfRelKeys *keys);

/*
 * glperf_candidates_join -- add partial indexes that stand for several
 *
 * For supported candidates whose predicates choose values of one column: the
 * same keys, led by that column, over the rows of all of them.  Whatever
 * statement looks for the column finds them relevant.
 */
extern void glperf_candidates_join(GlperfCandidates *set);

/* Could candidate number i serve the statement of this harvest? */
extern bool glperf_candidate_relevant(const GlperfHarvest *harvest, int i);

/* Which statements ask for which candidate; see glperf_candidates_unite(). */
typedef struct GlperfAskers
{
	Bitmapset **of;				/* [candidate] statements, with room for
								 * GLPERF_MAX_UNIONS more */
	const double *weight;		/* [statement] */
} GlperfAskers;

/* Most candidates that glperf_candidates_unite() adds. */
#define GLPERF_MAX_UNIONS	60

/*
 * candidate_union.c: add candidates that do the work of two or three others
 * of the same leading columns, by the weight of those who ask for them.
 */
extern void glperf_candidates_unite(GlperfCandidates *set,
									GlperfAskers *askers);

#endif							/* GLPERF_CANDIDATES_H */

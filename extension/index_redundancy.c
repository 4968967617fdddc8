/*
 * index_redundancy.c
 *		Which index can do everything that another one does?
 *
 * Indexes are compared by what the planner compares: access method, columns
 * and expression trees, operator families, collations, sort directions,
 * INCLUDE columns, predicates, uniqueness.  Names and texts play no part.
 *
 * "y covers x" means: every query that can use x can use y with as narrow a
 * scan, and y enforces whatever x enforces.  A wider predicate alone does not
 * qualify: a small index on the unfinished jobs of a queue is not covered by a
 * full one, which has to read all the finished ones.  It does qualify where
 * the predicate is a condition that y can use to bound its own scan: on the
 * leading column, with an operator of the index.
 *
 * No expression is evaluated here but the comparison operators of B-tree
 * families on constants (predicate_implied_by), which only superusers define.
 */
#include "postgres.h"

#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "index_catalog.h"
#include "trees.h"

/*
 * Key i of x and key j of y hold the same values, in the same order, and y's
 * statistics of them are as good.
 */
static bool
same_key(const GlperfIndex *x, int i, const GlperfIndex *y, int j)
{
	if (x->attnum[i] != y->attnum[j] ||
		x->opfamily[i] != y->opfamily[j] ||
		x->opcintype[i] != y->opcintype[j] ||
		x->collation[i] != y->collation[j])
		return false;
	return x->attnum[i] != 0 ||
		(equal(x->expression[i], y->expression[j]) &&
		 y->target[j] >= x->target[i]);
}

/* Column attnum is in y, as a key or included, first natts columns. */
static bool
holds_column(const GlperfIndex *y, AttrNumber attnum, int natts)
{
	for (int i = 0; i < natts; i++)
	{
		if (y->attnum[i] == attnum)
			return true;
	}
	return false;
}

/* All that x includes beside its keys can be read from y. */
static bool
holds_included(const GlperfIndex *x, const GlperfIndex *y)
{
	for (int i = x->nkeys; i < x->natts; i++)
	{
		if (!holds_column(y, x->attnum[i], y->natts))
			return false;
	}
	return true;
}

/* Rows of a are rows of b: predicate a implies predicate b. */
static bool
implies(const GlperfIndex *a, const GlperfIndex *b)
{
	if (b->predicate == NIL)
		return true;
	if (a->predicate == NIL)
		return false;
	if (equal(a->predicate, b->predicate))
		return true;
	if (a->opaque || b->opaque)
		return false;
	return predicate_implied_by(b->predicate, a->predicate, false);
}

/* The node is the leading column of the index. */
static bool
is_leading_column(Node *node, const GlperfIndex *index)
{
	node = glperf_strip_relabel(node);
	return node != NULL && IsA(node, Var) &&
		index->attnum[0] != 0 &&
		((Var *) node)->varattno == index->attnum[0];
}

/*
 * A clause bounds a B-tree scan on the leading column: column op constant,
 * column = ANY (constants), or column IS [NOT] NULL.
 */
static bool
bounds_scan(Node *clause, const GlperfIndex *index)
{
	Oid			collation = index->collation[0];

	if (IsA(clause, NullTest))
		return !((NullTest *) clause)->argisrow &&
			is_leading_column((Node *) ((NullTest *) clause)->arg, index);
	if (IsA(clause, OpExpr))
	{
		OpExpr	   *op = (OpExpr *) clause;

		if (list_length(op->args) != 2 ||
			!op_in_opfamily(op->opno, index->opfamily[0]) ||
			(OidIsValid(collation) && collation != op->inputcollid))
			return false;
		return (is_leading_column(linitial(op->args), index) &&
				!contain_var_clause(lsecond(op->args))) ||
			(is_leading_column(lsecond(op->args), index) &&
			 !contain_var_clause(linitial(op->args)));
	}
	if (IsA(clause, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		return op->useOr &&
			op_in_opfamily(op->opno, index->opfamily[0]) &&
			(!OidIsValid(collation) || collation == op->inputcollid) &&
			is_leading_column(linitial(op->args), index) &&
			!contain_var_clause(lsecond(op->args));
	}
	return false;
}

/*
 * What x's predicate leaves out and y's does not, y leaves out by the bounds
 * of its scan.  x's predicate implies y's.
 */
static bool
bounded_by_predicate(const GlperfIndex *x, const GlperfIndex *y)
{
	ListCell   *lc;

	if (x->opaque || y->opaque)
		return false;
	foreach(lc, x->predicate)
	{
		Node	   *clause = (Node *) lfirst(lc);

		if (y->predicate != NIL &&
			predicate_implied_by(list_make1(clause), y->predicate, false))
			continue;
		if (!bounds_scan(clause, y))
			return false;
	}
	return true;
}

/* The same columns are included, in whatever order. */
static bool
same_included(const GlperfIndex *x, const GlperfIndex *y)
{
	for (int i = y->nkeys; i < y->natts; i++)
	{
		if (!holds_column(x, y->attnum[i], x->natts))
			return false;
	}
	return holds_included(x, y);
}

/* B-tree: leading keys, directions, included columns, predicate. */
static GlperfCover
btree_covers(const GlperfIndex *x, const GlperfIndex *y)
{
	int			flip;
	bool		same_rows;

	if (x->nkeys > y->nkeys)
		return GLPERF_COVER_NONE;

	/* A scan backwards serves the order with every direction reversed. */
	flip = x->option[0] ^ y->option[0];
	if (flip != 0 && flip != (INDOPTION_DESC | INDOPTION_NULLS_FIRST))
		return GLPERF_COVER_NONE;
	for (int i = 0; i < x->nkeys; i++)
	{
		if (!same_key(x, i, y, i) || (x->option[i] ^ y->option[i]) != flip)
			return GLPERF_COVER_NONE;
	}
	if (!holds_included(x, y))
		return GLPERF_COVER_NONE;

	if (x->unique &&
		(!y->unique || !y->immediate || x->nkeys != y->nkeys ||
		 (x->nulls_not_distinct && !y->nulls_not_distinct)))
		return GLPERF_COVER_NONE;

	if (!implies(x, y))
		return GLPERF_COVER_NONE;
	same_rows = implies(y, x);
	if (!same_rows && !bounded_by_predicate(x, y))
		return GLPERF_COVER_NONE;

	if (x->nkeys < y->nkeys)
		return GLPERF_COVER_PREFIX;
	return same_rows && same_included(x, y) ?
		GLPERF_COVER_EXACT : GLPERF_COVER_WIDER;
}

/* Every key of x is a key of y, with the same operator class. */
static bool
has_all_keys(const GlperfIndex *x, const GlperfIndex *y)
{
	for (int i = 0; i < x->nkeys; i++)
	{
		bool		found = false;

		for (int j = 0; j < y->nkeys && !found; j++)
			found = same_key(x, i, y, j) && x->opclass[i] == y->opclass[j];
		if (!found)
			return false;
	}
	return true;
}

/*
 * Other access methods: the same keys, classes and settings.  GIN and BRIN
 * search each column by itself, so there the order of the columns does not
 * matter and more of them do no harm.
 */
static GlperfCover
other_covers(const GlperfIndex *x, const GlperfIndex *y)
{
	bool		any_order = x->am == GIN_AM_OID || x->am == BRIN_AM_OID;

	if (x->unique || x->nkeys > y->nkeys ||
		(!any_order && x->nkeys != y->nkeys) ||
		strcmp(x->settings, y->settings) != 0 ||
		!same_included(x, y) || !implies(x, y) || !implies(y, x))
		return GLPERF_COVER_NONE;
	if (any_order)
	{
		if (!has_all_keys(x, y))
			return GLPERF_COVER_NONE;
		return has_all_keys(y, x) ? GLPERF_COVER_EXACT : GLPERF_COVER_WIDER;
	}
	for (int i = 0; i < x->nkeys; i++)
	{
		if (!same_key(x, i, y, i) || x->opclass[i] != y->opclass[i] ||
			x->option[i] != y->option[i])
			return GLPERF_COVER_NONE;
	}
	return GLPERF_COVER_EXACT;
}

/* See index_catalog.h. */
GlperfCover
glperf_index_covers(const GlperfIndex *x, const GlperfIndex *y)
{
	if (x->oid == y->oid || x->table != y->table || x->am != y->am ||
		!x->valid || !y->valid)
		return GLPERF_COVER_NONE;
	return x->am == BTREE_AM_OID ? btree_covers(x, y) : other_covers(x, y);
}

/*
 * The predicate holds for every row that a foreign key's check looks for:
 * those whose referencing columns are not null.
 */
static bool
holds_referencing_rows(const GlperfIndex *index, const GlperfForeignKey *fk)
{
	List	   *not_null = NIL;

	if (index->predicate == NIL)
		return true;
	if (index->opaque)
		return false;
	for (int i = 0; i < fk->ncolumns; i++)
	{
		NullTest   *test = makeNode(NullTest);
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(fk->table, fk->column[i],
							  &type, &typmod, &collation);
		test->arg = (Expr *) makeVar(1, fk->column[i], type, typmod,
									 collation, 0);
		test->nulltesttype = IS_NOT_NULL;
		test->argisrow = false;
		test->location = -1;
		not_null = lappend(not_null, test);
	}
	return predicate_implied_by(index->predicate, not_null, false);
}

/* Number of the foreign key's column that key i of the index finds, or -1. */
static int
foreign_key_column(const GlperfIndex *index, int i, const GlperfForeignKey *fk)
{
	for (int j = 0; j < fk->ncolumns; j++)
	{
		if (index->attnum[i] == fk->column[j] &&
			op_in_opfamily(fk->equality[j], index->opfamily[i]) &&
			(!OidIsValid(index->collation[i]) ||
			 !OidIsValid(fk->collation[j]) ||
			 index->collation[i] == fk->collation[j]))
			return j;
	}
	return -1;
}

/*
 * How many of the foreign key's columns come first in the index; *leading is
 * set to the number of keys that they take.
 */
static int
leading_columns(const GlperfIndex *index, const GlperfForeignKey *fk,
				int *leading)
{
	Bitmapset  *found = NULL;

	*leading = 0;
	if (!index->valid || index->table != fk->table ||
		(index->am != BTREE_AM_OID && index->am != HASH_AM_OID))
		return 0;
	for (; *leading < index->nkeys; (*leading)++)
	{
		int			column = foreign_key_column(index, *leading, fk);

		if (column < 0)
			break;
		found = bms_add_member(found, column);
	}
	return bms_num_members(found);
}

/*
 * See index_catalog.h.  The first keys must be the foreign key's columns, in
 * any order.  A unique index on some of the columns will do as well: it leaves
 * at most one row to look at.
 */
bool
glperf_index_supports_foreign_key(const GlperfIndex *index,
								  const GlperfForeignKey *fk)
{
	int			leading;
	int			columns = leading_columns(index, fk, &leading);

	if (columns == 0 ||
		(columns < fk->ncolumns &&
		 !(index->unique && leading == index->nkeys)))
		return false;
	return holds_referencing_rows(index, fk);
}

/*
 * Does it narrow down the referencing rows, at least: does it begin with some
 * of the columns?  Better than nothing, where there is nothing better.
 */
static bool
helps_foreign_key(const GlperfIndex *index, const GlperfForeignKey *fk)
{
	int			leading;

	return leading_columns(index, fk, &leading) > 0 &&
		holds_referencing_rows(index, fk);
}

const GlperfForeignKey *
glperf_index_needed_by(const GlperfIndex *index, GlperfIndex **siblings,
					   int n, List *fks)
{
	ListCell   *lc;

	foreach(lc, fks)
	{
		const GlperfForeignKey *fk = lfirst(lc);
		bool		supports = glperf_index_supports_foreign_key(index, fk);
		bool		other = false;

		if (!supports && !helps_foreign_key(index, fk))
			continue;
		for (int i = 0; i < n && !other; i++)
			other = siblings[i] != index && !siblings[i]->drop &&
				(siblings[i]->root == NULL || !siblings[i]->root->drop) &&
				(glperf_index_supports_foreign_key(siblings[i], fk) ||
				 (!supports && helps_foreign_key(siblings[i], fk)));
		if (!other)
			return fk;
	}
	return NULL;
}

/* Foreign keys of one table, of a list in the order of tables. */
static List *
foreign_keys_of(List *fks, Oid table)
{
	List	   *result = NIL;
	int			low = 0;
	int			high = list_length(fks);

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (((const GlperfForeignKey *) list_nth(fks, middle))->table < table)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < list_length(fks); low++)
	{
		if (((const GlperfForeignKey *) list_nth(fks, low))->table != table)
			break;
		result = lappend(result, list_nth(fks, low));
	}
	return result;
}

const GlperfForeignKey *
glperf_index_part_needed_by(const GlperfIndex *root, GlperfIndex **all, int n,
							List *fks)
{
	for (int i = 0; i < n; i++)
	{
		List	   *own;
		const GlperfForeignKey *fk;
		int			first = i;
		int			end = i + 1;

		if (all[i]->root != root)
			continue;
		own = foreign_keys_of(fks, all[i]->table);
		if (own == NIL)
			continue;
		while (first > 0 && all[first - 1]->table == all[i]->table)
			first--;
		while (end < n && all[end]->table == all[i]->table)
			end++;
		fk = glperf_index_needed_by(all[i], all + first, end - first, own);
		if (fk != NULL)
			return fk;
	}
	return NULL;
}

void
glperf_index_find_disturbed(List *indexes)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT c.oid, pg_catalog.max(r.applied_at)"
					" FROM glperf.recommendation r"
					" JOIN pg_catalog.pg_namespace n"
					" ON n.nspname = r.schema_name"
					" JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
					" AND c.relname = r.table_name"
					" WHERE r.applied_at IS NOT NULL"
					" AND (r.action IN ('replace', 'merge')"
					" OR r.action = 'drop' AND r.reasons[1]"
					" IN ('duplicate', 'covered', 'prefix'))"
					" GROUP BY c.oid", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read glperf.recommendation");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Oid			table = DatumGetObjectId(SPI_getbinval(row, desc, 1,
														   &isnull));
		TimestampTz when = DatumGetTimestampTz(SPI_getbinval(row, desc, 2,
															 &isnull));
		ListCell   *lc;

		foreach(lc, indexes)
		{
			GlperfIndex *index = lfirst(lc);

			if (index->table != table)
				continue;
			index->disturbed = Max(index->disturbed, when);
			if (index->root)
				index->root->disturbed = Max(index->root->disturbed, when);
		}
	}
	SPI_finish();
}

/* Indexes that are judged as if they existed; see glperf_index_suppose(). */
static List *supposed = NIL;

void
glperf_index_suppose(List *indexes)
{
	supposed = indexes;
}

List *
glperf_index_with_supposed(List *indexes)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (supposed == NIL)
		return indexes;
	foreach(lc, indexes)
	{
		GlperfIndex *index = lfirst(lc);
		ListCell   *next = lnext(indexes, lc);
		ListCell   *ls;

		result = lappend(result, index);
		if (next && ((GlperfIndex *) lfirst(next))->table == index->table)
			continue;
		foreach(ls, supposed)
			if (((GlperfIndex *) lfirst(ls))->table == index->table)
			result = lappend(result, lfirst(ls));
	}
	return result;
}

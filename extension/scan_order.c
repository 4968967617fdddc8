/*
 * scan_order.c
 *		In which order a scan delivers its rows, and what follows from that.
 *
 * In a nested loop it makes a big difference whether each look-up lands close
 * to the last one.  It does when the rows on the outer side come in the order
 * of what is looked up: of the index that they are read through, or of their
 * table.
 */
#include "plan_price.h"

#include <math.h>

#include "catalog/pg_am.h"
#include "catalog/pg_statistic.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "trees.h"
#include "whatif.h"

/* A column is in the order of the table when this well correlated. */
#define IN_ORDER_CORRELATION	0.8

/* How well a column of a relation of the query follows the table's order. */
static double
column_correlation(const GlperfPricing *pricing, RelOptInfo *rel,
				   AttrNumber attnum)
{
	Oid			table = glperf_whatif_table(pricing->whatif, rel);
	double		correlation = 0;
	HeapTuple	tup;
	AttStatsSlot slot;

	if (!OidIsValid(table) || attnum <= 0)
		return 0;
	tup = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(table),
						  Int16GetDatum(attnum), BoolGetDatum(false));
	if (!HeapTupleIsValid(tup))
		return 0;
	if (get_attstatsslot(&slot, tup, STATISTIC_KIND_CORRELATION, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		if (slot.nnumbers == 1)
			correlation = slot.numbers[0];
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(tup);
	return correlation;
}

double
glperf_price_index_correlation(const GlperfPricing *pricing, IndexOptInfo *index)
{
	double		correlation = 0;

	if (index->relam == BTREE_AM_OID && index->indexkeys[0] > 0)
		correlation = column_correlation(pricing, index->rel,
										 index->indexkeys[0]);
	return correlation * correlation;
}

bool
glperf_price_is_scan(const Path *path)
{
	return path->parent->reloptkind != RELOPT_UPPER_REL &&
		path->parent->relid != 0 &&
		(IsA(path, IndexPath) || IsA(path, BitmapHeapPath) ||
		 (IsA(path, Path) && path->pathtype == T_SeqScan));
}

Path *
glperf_price_driver(Path *path)
{
	for (;;)
	{
		if (path == NULL)
			return NULL;
		switch (nodeTag(path))
		{
			case T_NestPath:
			case T_MergePath:
				path = ((JoinPath *) path)->outerjoinpath;
				break;
			case T_HashPath:
				/* batches come one after the other */
				if (((HashPath *) path)->num_batches > 1)
					return NULL;
				path = ((JoinPath *) path)->outerjoinpath;
				break;
			case T_MaterialPath:
				path = ((MaterialPath *) path)->subpath;
				break;
			case T_MemoizePath:
				path = ((MemoizePath *) path)->subpath;
				break;
			case T_ProjectionPath:
				path = ((ProjectionPath *) path)->subpath;
				break;
			default:
				return path;
		}
	}
}

GlperfDelivery
glperf_price_delivery(const GlperfPricing *pricing, Path *scan)
{
	GlperfDelivery delivery = {0, true};

	if (IsA(scan, IndexPath))
	{
		IndexOptInfo *index = ((IndexPath *) scan)->indexinfo;

		if (index->relam == BTREE_AM_OID)
			delivery.lead = Max(0, index->indexkeys[0]);
		delivery.follows = glperf_price_index_correlation(pricing, index) >
			IN_ORDER_CORRELATION * IN_ORDER_CORRELATION;
	}
	return delivery;
}

/* Relation number relid of the root, if it is outer or any will do (NULL). */
static RelOptInfo *
lookup_relation(const GlperfPricing *pricing, RelOptInfo *outer, int relid)
{
	if (outer != NULL)
		return (int) outer->relid == relid ? outer : NULL;
	return relid < pricing->root->simple_rel_array_size ?
		pricing->root->simple_rel_array[relid] : NULL;
}

/*
 * Add the columns of an equivalence class.  Of hundreds of partitions only those
 * count that the scan is called by.
 */
static List *
add_class(const GlperfPricing *pricing, RelOptInfo *outer, Relids callers,
		  EquivalenceClass *ec, List *lookup)
{
	ListCell   *lc;

	foreach(lc, ec ? ec->ec_members : NIL)
	{
		EquivalenceMember *member = lfirst(lc);
		Var		   *var = (Var *) glperf_strip_relabel((Node *) member->em_expr);
		RelOptInfo *rel;
		GlperfLookupColumn *column;

		if (var == NULL || !IsA(var, Var) || var->varattno <= 0 ||
			(member->em_is_child &&
			 !bms_is_subset(member->em_relids, callers)))
			continue;
		rel = lookup_relation(pricing, outer, var->varno);
		if (rel == NULL)
			continue;
		column = palloc(sizeof(GlperfLookupColumn));
		column->relid = var->varno;
		column->attnum = var->varattno;
		column->follows =
			fabs(column_correlation(pricing, rel, var->varattno)) >
			IN_ORDER_CORRELATION;
		lookup = lappend(lookup, column);
	}
	return lookup;
}

List *
glperf_price_lookup(const GlperfPricing *pricing, RelOptInfo *outer,
					Path *inner)
{
	Relids		callers = PATH_REQ_OUTER(inner);
	List	   *lookup = NIL;
	ListCell   *lc;

	if (!IsA(inner, IndexPath) || inner->param_info == NULL)
		return NIL;
	foreach(lc, ((IndexPath *) inner)->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);

		if (clause->indexcol != 0)
			continue;
		lookup = add_class(pricing, outer, callers, clause->rinfo->left_ec,
						   lookup);
		if (clause->rinfo->right_ec != clause->rinfo->left_ec)
			lookup = add_class(pricing, outer, callers,
							   clause->rinfo->right_ec, lookup);
	}
	return lookup;
}

bool
glperf_price_calls_in_order(const List *lookup, Index relid,
							const GlperfDelivery *delivery)
{
	ListCell   *lc;

	foreach(lc, lookup)
	{
		GlperfLookupColumn *column = lfirst(lc);

		if (column->relid == relid &&
			(column->attnum == delivery->lead ||
			 (column->follows && delivery->follows)))
			return true;
	}
	return false;
}

/* Are a path's rows sorted first by what an index scan looks up first? */
static bool
sorted_by_lookup(Path *scan, IndexPath *inner)
{
	EquivalenceClass *ec;
	ListCell   *lc;

	if (scan->pathkeys == NIL)
		return false;
	ec = ((PathKey *) linitial(scan->pathkeys))->pk_eclass;
	foreach(lc, inner->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);

		if (clause->indexcol == 0 && ec != NULL &&
			(clause->rinfo->left_ec == ec || clause->rinfo->right_ec == ec))
			return true;
	}
	return false;
}

bool
glperf_price_in_order(const GlperfPricing *pricing, Path *outer, Path *inner)
{
	Path	   *scan = glperf_price_driver(outer);
	GlperfDelivery delivery;

	while (inner && (IsA(inner, MemoizePath) || IsA(inner, ProjectionPath)))
		inner = IsA(inner, MemoizePath) ? ((MemoizePath *) inner)->subpath :
			((ProjectionPath *) inner)->subpath;
	if (scan == NULL || inner == NULL || !IsA(inner, IndexPath))
		return false;
	if (sorted_by_lookup(scan, (IndexPath *) inner))
		return true;
	if (!glperf_price_is_scan(scan))
		return false;
	delivery = glperf_price_delivery(pricing, scan);
	return glperf_price_calls_in_order(glperf_price_lookup(pricing,
														   scan->parent, inner),
									   scan->parent->relid, &delivery);
}

/* Does an index deliver its rows in the order of a column? */
static bool
index_sorted_by(Path *path, Var *var)
{
	IndexOptInfo *index;

	if (!IsA(path, IndexPath) || path->parent->relid != var->varno)
		return false;
	index = ((IndexPath *) path)->indexinfo;
	return index->relam == BTREE_AM_OID &&
		index->indexkeys[0] == var->varattno;
}

bool
glperf_price_sorted_by(Path *path, Node *expr)
{
	JoinPath   *join = (JoinPath *) path;
	ListCell   *lc;

	check_stack_depth();
	expr = glperf_strip_relabel(expr);
	if (path == NULL || expr == NULL || !IsA(expr, Var))
		return false;
	if (IsA(path, MaterialPath))
		return glperf_price_sorted_by(((MaterialPath *) path)->subpath, expr);
	if (IsA(path, ProjectionPath))
		return glperf_price_sorted_by(((ProjectionPath *) path)->subpath,
									  expr);
	if (!IsA(path, NestPath) && !IsA(path, MergePath) &&
		!(IsA(path, HashPath) && ((HashPath *) path)->num_batches <= 1))
		return index_sorted_by(path, (Var *) expr);
	if (glperf_price_sorted_by(join->outerjoinpath, expr))
		return true;
	/* what is equal to a column of the outer side comes in its order */
	foreach(lc, join->joinrestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		List	   *args;
		ListCell   *la;
		int			other = 2;

		if (rinfo->mergeopfamilies == NIL || !IsA(rinfo->clause, OpExpr))
			continue;
		args = ((OpExpr *) rinfo->clause)->args;
		foreach(la, args)
		{
			Var		   *var = (Var *) lfirst(la);

			other--;
			if (IsA(var, Var) && var->varno == ((Var *) expr)->varno &&
				var->varattno == ((Var *) expr)->varattno &&
				glperf_price_sorted_by(join->outerjoinpath,
									   (Node *) list_nth(args, other)))
				return true;
		}
	}
	return false;
}

/*
 * candidate_partial.c
 *		Which part of a table a statement asks for, and the columns it needs.
 */
#include "candidates.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_statistic.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * Columns that a scan of rel must deliver or test, but for the conditions
 * seen_to; NULL if not plain ones.
 */
static Bitmapset *
needed_columns(RelOptInfo *rel, const List *seen_to)
{
	Bitmapset  *offsets = NULL;
	Bitmapset  *needed = NULL;
	ListCell   *lc;
	int			i = -1;

	for (AttrNumber attno = rel->min_attr; attno <= rel->max_attr; attno++)
		if (!bms_is_empty(rel->attr_needed[attno - rel->min_attr]))
			offsets = bms_add_member(offsets, attno -
									 FirstLowInvalidHeapAttributeNumber);
	foreach(lc, rel->baserestrictinfo)
	{
		Node	   *clause = (Node *) ((RestrictInfo *) lfirst(lc))->clause;

		if (!list_member_ptr(seen_to, clause))
			pull_varattnos(clause, rel->relid, &offsets);
	}
	while ((i = bms_next_member(offsets, i)) >= 0)
	{
		AttrNumber	attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0)
			return NULL;
		needed = bms_add_member(needed, attnum);
	}
	return needed;
}

GlperfPredicate *
glperf_add_predicate(PlannerInfo *root, RelOptInfo *rel, List *clauses,
					 double selectivity, GlperfRelKeys *keys)
{
	GlperfPredicate *pred = &keys->preds[keys->npreds++];

	memset(pred, 0, sizeof(GlperfPredicate));
	pred->clause = glperf_to_varno_one((Node *) make_ands_explicit(clauses),
									   rel->relid);
	pred->selectivity = selectivity;
	if (root->parse->resultRelation == 0)
		pred->needed = needed_columns(rel, clauses);
	return pred;
}

/* Walker of the following. */
static bool
has_value_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Const) || IsA(node, Param) || IsA(node, SubPlan))
		return true;
	return expression_tree_walker(node, has_value_walker, context);
}

bool
glperf_has_value(Node *node)
{
	return has_value_walker(node, NULL);
}

/*
 * Conditions between a table's own columns (shipped < promised) hold no value
 * that could be another one next time: together they make a partial index.
 */
static void
take_own_predicate(PlannerInfo *root, RelOptInfo *rel, GlperfRelKeys *keys)
{
	List	   *own = NIL;
	ListCell   *lc;
	double		selectivity;

	foreach(lc, rel->baserestrictinfo)
	{
		Node	   *clause = (Node *) ((RestrictInfo *) lfirst(lc))->clause;

		if (IsA(clause, OpExpr) && !glperf_has_value(clause) &&
			bms_equal(pull_varnos(root, clause), rel->relids) &&
			!contain_mutable_functions(clause))
			own = lappend(own, clause);
	}
	if (own == NIL || keys->npreds >= GLPERF_KEYS)
		return;
	selectivity = clauselist_selectivity(root, own, rel->relid, JOIN_INNER,
										 NULL);
	if (selectivity > GLPERF_PARTIAL_SHARE)
		return;
	(void) glperf_add_predicate(root, rel, own, selectivity, keys);
}

/* Does a condition throw away what a constant pattern matches? */
static bool
excludes_by_pattern(PlannerInfo *root, RelOptInfo *rel, Node *clause)
{
	OpExpr	   *op = (OpExpr *) clause;

	if (!IsA(clause, OpExpr) || list_length(op->args) != 2 ||
		!IsA(lsecond(op->args), Const) ||
		!bms_equal(pull_varnos(root, clause), rel->relids) ||
		contain_mutable_functions(clause))
		return false;
	switch (get_oprrest(op->opno))
	{
		case F_NLIKESEL:
		case F_ICNLIKESEL:
		case F_REGEXNESEL:
		case F_ICREGEXNESEL:
			return true;
		default:
			return false;
	}
}

/*
 * Rows that never count (comment NOT LIKE '%test%') are told by a pattern that
 * is part of the application, unlike one that somebody searches for.  No index
 * finds the others; one without them saves testing each, and reading the text.
 */
static void
take_exclusions(PlannerInfo *root, RelOptInfo *rel, GlperfRelKeys *keys)
{
	List	   *excluding = NIL;
	ListCell   *lc;
	double		selectivity;

	foreach(lc, rel->baserestrictinfo)
	{
		Node	   *clause = (Node *) ((RestrictInfo *) lfirst(lc))->clause;

		if (excludes_by_pattern(root, rel, clause))
			excluding = lappend(excluding, clause);
	}
	if (excluding == NIL || keys->npreds >= GLPERF_KEYS)
		return;
	selectivity = clauselist_selectivity(root, excluding, rel->relid,
										 JOIN_INNER, NULL);
	glperf_add_predicate(root, rel, excluding, selectivity, keys)->excludes =
		selectivity > GLPERF_PARTIAL_SHARE;
}

/* Share of NULLs in a column; 0 when unknown. */
static double
null_share(PlannerInfo *root, RelOptInfo *rel, Oid relid, AttrNumber attnum)
{
	HeapTuple	tup = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
									  Int16GetDatum(attnum),
									  BoolGetDatum(planner_rt_fetch(rel->relid, root)->inh));
	double		share = 0;

	if (HeapTupleIsValid(tup))
	{
		share = ((Form_pg_statistic) GETSTRUCT(tup))->stanullfrac;
		ReleaseSysCache(tup);
	}
	return share;
}

/*
 * A comparison finds no NULL, so that an index may leave out the NULLs of a
 * column that has hardly anything else; for any value, known or not.
 */
static void
take_not_null(PlannerInfo *root, RelOptInfo *rel, GlperfRelKeys *keys)
{
	const GlperfKey *lists[] = {keys->eq, keys->in, keys->range, keys->join};
	int			lengths[] = {keys->neq, keys->nin, keys->nrange, keys->njoin};

	for (size_t l = 0; l < lengthof(lists); l++)
		for (int i = 0; i < lengths[l] && keys->npreds < GLPERF_KEYS; i++)
		{
			AttrNumber	attnum = lists[l][i].attnum;
			NullTest   *test;
			double		share;
			Oid			type;
			int32		typmod;
			Oid			collation;

			if (attnum <= 0 || lists[l][i].is_null)
				continue;
			share = 1 - null_share(root, rel, keys->relid, attnum);
			if (share > GLPERF_PARTIAL_SHARE)
				continue;
			get_atttypetypmodcoll(keys->relid, attnum, &type, &typmod,
								  &collation);
			test = makeNode(NullTest);
			test->arg = (Expr *) makeVar(rel->relid, attnum, type, typmod,
										 collation, 0);
			test->nulltesttype = IS_NOT_NULL;
			test->location = -1;
			(void) glperf_add_predicate(root, rel, list_make1(test), share, keys);
		}
}

void
glperf_rel_predicates(PlannerInfo *root, RelOptInfo *rel, GlperfRelKeys *keys)
{
	take_own_predicate(root, rel, keys);
	take_exclusions(root, rel, keys);
	take_not_null(root, rel, keys);
	if (root->parse->resultRelation == 0)
		keys->needed = needed_columns(rel, NIL);
}

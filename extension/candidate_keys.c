/*
 * candidate_keys.c
 *		What a statement asks of a table: its clauses, joins and orders.
 *
 * This reads the planner's own structures once they are complete, so views,
 * pulled-up subqueries, implied equalities and pushed-down conditions are
 * understood as the planner understands them.
 */
#include "candidates.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/syscache.h"

#include "trees.h"

/* The column of a partial index's condition: at most this many values. */
#define PREDICATE_MAX_DISTINCT		100.0

/* Number of distinct values of a column; a tenth of the rows if unknown. */
static double
column_distinct(PlannerInfo *root, RelOptInfo *rel, Oid relid,
				AttrNumber attnum)
{
	bool		inherit = planner_rt_fetch(rel->relid, root)->inh;
	HeapTuple	tup;
	double		distinct = Max(1.0, rel->tuples / 10);

	if (attnum <= 0)
		return distinct;
	tup = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
						  Int16GetDatum(attnum), BoolGetDatum(inherit));
	if (HeapTupleIsValid(tup))
	{
		Form_pg_statistic form = (Form_pg_statistic) GETSTRUCT(tup);

		if (form->stadistinct > 0)
			distinct = form->stadistinct;
		else if (form->stadistinct < 0)
			distinct = -form->stadistinct * Max(1.0, rel->tuples);
		ReleaseSysCache(tup);
	}
	return distinct;
}

Node *
glperf_to_varno_one(Node *node, Index varno)
{
	node = copyObject(node);
	if (varno != 1)
		ChangeVarNodes(node, varno, 1, 0);
	return node;
}

bool
glperf_match_key(PlannerInfo *root, RelOptInfo *rel, Oid relid, Node *node,
				 GlperfKey *key)
{
	memset(key, 0, sizeof(GlperfKey));
	node = glperf_strip_relabel(node);
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varno != rel->relid || var->varattno <= 0 ||
			var->varlevelsup != 0)
			return false;
		key->attnum = var->varattno;
		key->distinct = column_distinct(root, rel, relid, var->varattno);
		return true;
	}
	if (!bms_equal(pull_varnos(root, node), rel->relids) ||
		contain_mutable_functions(node) || contain_subplans(node) ||
		glperf_has_param(node) || contain_agg_clause(node) ||
		contain_window_function(node))
		return false;
	key->expr = glperf_to_varno_one(node, rel->relid);
	key->distinct = column_distinct(root, rel, relid, 0);
	return true;
}

Oid
glperf_key_type(Node *node)
{
	node = glperf_strip_relabel(node);
	return exprType(node);
}

/* Remember a key unless it is there or there is no room. */
static void
add_key(GlperfKey *keys, int *n, const GlperfKey *key)
{
	for (int i = 0; i < *n; i++)
		if (keys[i].attnum == key->attnum &&
			(key->attnum != 0 || equal(keys[i].expr, key->expr)))
			return;
	if (*n < GLPERF_KEYS)
		keys[(*n)++] = *key;
}

void
glperf_key_set_collation(GlperfKey *key, Node *operand, Oid inputcollid)
{
	/* COLLATE is a relabelling that the key does without */
	operand = glperf_strip_relabel(operand);
	/* of jsonb ? text, for one, only the other side has a collation */
	if (OidIsValid(inputcollid) && OidIsValid(exprCollation(operand)) &&
		inputcollid != exprCollation(operand))
		key->collation = inputcollid;
}

/* LIKE 'abc%': searchable as a range, given the right operator class. */
static bool
is_prefix_search(OpExpr *op, Node *pattern, Oid type, GlperfKey *key)
{
	char	   *prefix;
	Oid			collation = exprCollation((Node *) linitial(op->args));

	if (op->opno != OID_TEXT_LIKE_OP && op->opno != OID_BPCHAR_LIKE_OP)
		return false;
	if (!IsA(pattern, Const) || ((Const *) pattern)->constisnull)
		return false;
	prefix = TextDatumGetCString(((Const *) pattern)->constvalue);
	if (prefix[0] == '%' || prefix[0] == '_' || prefix[0] == '\0')
		return false;
	if (!glperf_collation_is_c(collation))
		key->opclass = type == BPCHAROID ? BPCHAR_BTREE_PATTERN_OPS_OID :
			TEXT_BTREE_PATTERN_OPS_OID;
	return true;
}

/* key op value, or value op key */
static bool
take_op(PlannerInfo *root, RelOptInfo *rel, OpExpr *op, GlperfRelKeys *keys,
		AttrNumber *attnum)
{
	Node	   *left;
	Node	   *right;
	Oid			opno = op->opno;
	GlperfKey	key;
	Oid			type;
	Oid			opclass;

	if (list_length(op->args) != 2)
		return false;
	left = (Node *) linitial(op->args);
	right = (Node *) lsecond(op->args);
	if (!glperf_match_key(root, rel, keys->relid, left, &key))
	{
		Node	   *swap = left;

		left = right;
		right = swap;
		opno = get_commutator(opno);
		if (!OidIsValid(opno) ||
			!glperf_match_key(root, rel, keys->relid, left, &key))
			return false;
	}
	if (bms_is_member(rel->relid, pull_varnos(root, right)) ||
		contain_volatile_functions(right))
		return false;
	type = glperf_key_type(left);
	opclass = GetDefaultOpClass(type, BTREE_AM_OID);
	glperf_key_set_collation(&key, left, op->inputcollid);
	*attnum = key.attnum;
	if (OidIsValid(opclass))
	{
		switch (get_op_opfamily_strategy(opno, get_opclass_family(opclass)))
		{
			case BTEqualStrategyNumber:
				add_key(keys->eq, &keys->neq, &key);
				return true;
			case BTLessStrategyNumber:
			case BTLessEqualStrategyNumber:
			case BTGreaterEqualStrategyNumber:
			case BTGreaterStrategyNumber:
				add_key(keys->range, &keys->nrange, &key);
				return true;
		}
	}
	if (left == (Node *) linitial(op->args) &&
		is_prefix_search(op, right, type, &key))
	{
		add_key(keys->range, &keys->nrange, &key);
		return true;
	}
	return false;
}

/* key = ANY (array) */
static bool
take_array_op(PlannerInfo *root, RelOptInfo *rel, ScalarArrayOpExpr *op,
			  GlperfRelKeys *keys, AttrNumber *attnum)
{
	Node	   *left = (Node *) linitial(op->args);
	Node	   *right = (Node *) lsecond(op->args);
	GlperfKey	key;
	Oid			opclass;

	if (!op->useOr || !glperf_match_key(root, rel, keys->relid, left, &key) ||
		bms_is_member(rel->relid, pull_varnos(root, right)) ||
		contain_volatile_functions(right))
		return false;
	opclass = GetDefaultOpClass(glperf_key_type(left), BTREE_AM_OID);
	if (!OidIsValid(opclass) ||
		get_op_opfamily_strategy(op->opno, get_opclass_family(opclass)) !=
		BTEqualStrategyNumber)
		return false;
	glperf_key_set_collation(&key, left, op->inputcollid);
	add_key(keys->in, &keys->nin, &key);
	*attnum = key.attnum;
	return true;
}

/* key IS NULL is searched like an equality; IS NOT NULL filters only. */
static bool
take_null_test(PlannerInfo *root, RelOptInfo *rel, NullTest *test,
			   GlperfRelKeys *keys, AttrNumber *attnum)
{
	GlperfKey	key;

	if (test->argisrow ||
		!glperf_match_key(root, rel, keys->relid, (Node *) test->arg, &key))
		return false;
	*attnum = key.attnum;
	key.is_null = true;
	if (test->nulltesttype == IS_NULL)
		add_key(keys->eq, &keys->neq, &key);
	return true;
}

/* Column of a bare boolean condition: flag, NOT flag, flag IS TRUE. */
static AttrNumber
boolean_column(RelOptInfo *rel, Node *node)
{
	if (IsA(node, BoolExpr) && ((BoolExpr *) node)->boolop == NOT_EXPR)
		node = (Node *) linitial(((BoolExpr *) node)->args);
	else if (IsA(node, BooleanTest))
		node = (Node *) ((BooleanTest *) node)->arg;
	if (IsA(node, Var) && ((Var *) node)->varno == rel->relid &&
		exprType(node) == BOOLOID)
		return ((Var *) node)->varattno;
	return InvalidAttrNumber;
}

/* Keep a clause as a predicate if a partial index on it makes sense. */
static void
take_predicate(PlannerInfo *root, RelOptInfo *rel, Node *clause,
			   AttrNumber attnum, bool category, GlperfRelKeys *keys)
{
	double		selectivity;

	if (attnum <= 0 || keys->npreds >= GLPERF_KEYS)
		return;
	if (glperf_has_param(clause) || contain_mutable_functions(clause) ||
		contain_subplans(clause))
		return;
	if (category && column_distinct(root, rel, keys->relid, attnum) >
		PREDICATE_MAX_DISTINCT)
		return;
	selectivity = clause_selectivity(root, clause, rel->relid, JOIN_INNER,
									 NULL);
	if (selectivity > GLPERF_PARTIAL_SHARE)
		return;
	glperf_add_predicate(root, rel, list_make1(clause), selectivity, keys)->attnum =
		attnum;
}

/* Column of column <> value, or of column NOT IN (values); else 0. */
static AttrNumber
excluded_column(PlannerInfo *root, RelOptInfo *rel, Oid relid, Oid opno,
				List *args)
{
	GlperfKey	key;
	Oid			opclass;

	if (list_length(args) != 2 ||
		!glperf_match_key(root, rel, relid, linitial(args), &key) ||
		!OidIsValid(get_negator(opno)))
		return InvalidAttrNumber;
	opclass = GetDefaultOpClass(glperf_key_type(linitial(args)), BTREE_AM_OID);
	if (!OidIsValid(opclass) ||
		get_op_opfamily_strategy(get_negator(opno),
								 get_opclass_family(opclass)) !=
		BTEqualStrategyNumber)
		return InvalidAttrNumber;
	return key.attnum;
}

/* Sort one condition on rel into keys. */
static void
take_clause(PlannerInfo *root, RelOptInfo *rel, Node *clause,
			GlperfRelKeys *keys)
{
	AttrNumber	attnum = InvalidAttrNumber;

	if (IsA(clause, RestrictInfo))
		clause = (Node *) ((RestrictInfo *) clause)->clause;
	if (IsA(clause, OpExpr))
	{
		int			neq = keys->neq;

		if (!take_op(root, rel, (OpExpr *) clause, keys, &attnum))
			attnum = excluded_column(root, rel, keys->relid,
									 ((OpExpr *) clause)->opno,
									 ((OpExpr *) clause)->args);
		else if (keys->neq == neq)
			attnum = InvalidAttrNumber;
		take_predicate(root, rel, clause, attnum, true, keys);
	}
	else if (IsA(clause, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		if (!take_array_op(root, rel, op, keys, &attnum))
			attnum = op->useOr ? InvalidAttrNumber :
				excluded_column(root, rel, keys->relid, op->opno, op->args);
		take_predicate(root, rel, clause, attnum, true, keys);
	}
	else if (IsA(clause, NullTest))
	{
		if (take_null_test(root, rel, (NullTest *) clause, keys, &attnum))
			take_predicate(root, rel, clause, attnum, false, keys);
	}
	else
		take_predicate(root, rel, clause, boolean_column(rel, clause), false,
					   keys);
}

/* Columns of rel that other relations are joined on. */
static void
take_joins(PlannerInfo *root, RelOptInfo *rel, GlperfRelKeys *keys)
{
	ListCell   *lc;

	foreach(lc, root->eq_classes)
	{
		EquivalenceClass *ec = (EquivalenceClass *) lfirst(lc);
		GlperfKey	key;
		bool		mine = false;
		bool		others = false;
		ListCell   *lm;

		if (ec->ec_has_volatile || ec->ec_has_const)
			continue;
		foreach(lm, ec->ec_members)
		{
			EquivalenceMember *em = (EquivalenceMember *) lfirst(lm);

			if (em->em_is_child)
				continue;
			if (bms_equal(em->em_relids, rel->relids))
			{
				if (!mine && glperf_match_key(root, rel, keys->relid,
											  (Node *) em->em_expr, &key))
					mine = true;
			}
			else if (!bms_is_empty(em->em_relids) &&
					 !bms_overlap(em->em_relids, rel->relids))
				others = true;
		}
		if (mine && others)
			add_key(keys->join, &keys->njoin, &key);
	}
	foreach(lc, rel->joininfo)
	{
		RestrictInfo *rinfo = (RestrictInfo *) lfirst(lc);
		GlperfRelKeys join = {.relid = keys->relid};
		AttrNumber	attnum;

		if (!IsA(rinfo->clause, OpExpr) ||
			!take_op(root, rel, (OpExpr *) rinfo->clause, &join, &attnum))
			continue;
		for (int i = 0; i < join.neq; i++)
			add_key(keys->join, &keys->njoin, &join.eq[i]);
		for (int i = 0; i < join.nrange; i++)
			add_key(keys->join, &keys->njoin, &join.range[i]);
	}
}

/* Leading part of a required order that rel alone can deliver. */
static int
order_keys(PlannerInfo *root, RelOptInfo *rel, Oid relid, List *pathkeys,
		   GlperfKey *order)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, pathkeys)
	{
		PathKey    *pk = (PathKey *) lfirst(lc);
		bool		found = false;
		ListCell   *lm;

		foreach(lm, pk->pk_eclass->ec_members)
		{
			EquivalenceMember *em = (EquivalenceMember *) lfirst(lm);

			if (!em->em_is_child && bms_equal(em->em_relids, rel->relids) &&
				glperf_match_key(root, rel, relid, (Node *) em->em_expr, &order[n]) &&
				!glperf_is_distance((Node *) em->em_expr))
			{
				found = true;
				break;
			}
		}
		if (!found || n >= GLPERF_MAX_KEYS)
			break;
		if (glperf_pathkey_is_desc(pk))
			order[n].option |= INDOPTION_DESC;
		if (pk->pk_nulls_first)
			order[n].option |= INDOPTION_NULLS_FIRST;
		n++;
	}
	return n;
}

/* The longest order that the query could use of rel. */
static void
take_order(PlannerInfo *root, RelOptInfo *rel, GlperfRelKeys *keys)
{
	List	   *wanted[] = {root->query_pathkeys, root->sort_pathkeys,
		root->group_pathkeys, root->distinct_pathkeys,
	root->window_pathkeys};

	for (size_t i = 0; i < lengthof(wanted); i++)
	{
		GlperfKey	order[GLPERF_KEYS];
		int			n = order_keys(root, rel, keys->relid, wanted[i], order);

		if (n > keys->norder)
		{
			memcpy(keys->order, order, sizeof(order));
			keys->norder = n;
		}
	}
}

bool
glperf_rel_keys(PlannerInfo *root, RelOptInfo *rel, Oid relid,
				GlperfRelKeys *keys)
{
	ListCell   *lc;

	memset(keys, 0, sizeof(GlperfRelKeys));
	keys->relid = relid;
	foreach(lc, rel->baserestrictinfo)
		take_clause(root, rel, (Node *) lfirst(lc), keys);
	take_joins(root, rel, keys);
	glperf_rel_predicates(root, rel, keys);
	take_order(root, rel, keys);
	return keys->neq + keys->nin + keys->nrange + keys->njoin +
		keys->norder + keys->npreds > 0;
}

List *
glperf_or_keys(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = (RestrictInfo *) lfirst(lc);
		ListCell   *la;

		if (!is_orclause(rinfo->clause))
			continue;
		foreach(la, ((BoolExpr *) rinfo->clause)->args)
		{
			GlperfRelKeys *keys = palloc0(sizeof(GlperfRelKeys));
			Node	   *arm = (Node *) lfirst(la);

			keys->relid = relid;
			if (is_andclause(arm))
			{
				ListCell   *lq;

				foreach(lq, ((BoolExpr *) arm)->args)
					take_clause(root, rel, (Node *) lfirst(lq), keys);
			}
			else
				take_clause(root, rel, arm, keys);
			keys->npreds = 0;
			if (keys->neq + keys->nin + keys->nrange > 0)
				result = lappend(result, keys);
		}
	}
	return result;
}

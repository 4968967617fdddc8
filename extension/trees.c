/*
 * trees.c
 *		What several rooms ask of query and expression trees, of the planner's
 *		relations, and their text.
 */
#include "trees.h"

#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

/* Look for a Param. */
static bool
param_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return true;
	return expression_tree_walker(node, param_walker, context);
}

Node *
glperf_strip_relabel(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

bool
glperf_has_param(Node *node)
{
	return param_walker(node, NULL);
}

double
glperf_rel_tuples(PlannerInfo *root, RelOptInfo *rel)
{
	RangeTblEntry *rte = planner_rt_fetch(rel->relid, root);
	double		tuples = 0;
	ListCell   *lc;

	if (!rte->inh || rte->rtekind != RTE_RELATION)
		return rel->tuples;
	foreach(lc, root->append_rel_list)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);

		if (info->parent_relid == rel->relid &&
			root->simple_rel_array[info->child_relid] != NULL)
			tuples += glperf_rel_tuples(root,
										root->simple_rel_array[info->child_relid]);
	}
	return tuples;
}

void
glperf_each_relation(const Query *query, void (*visit) (Oid relid))
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION)
			visit(rte->relid);
	}
}

/*
 * Forget which name a Var had in its statement: the deparser would prefer that
 * to the column it stands for now.
 */
static bool
forget_syntax_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		((Var *) node)->varnosyn = ((Var *) node)->varno;
		((Var *) node)->varattnosyn = ((Var *) node)->varattno;
		return false;
	}
	return expression_tree_walker(node, forget_syntax_walker, context);
}

char *
glperf_deparse(Oid relid, Node *node)
{
	List	   *context = deparse_context_for(get_rel_name(relid), relid);

	node = copyObject(node);
	forget_syntax_walker(node, NULL);
	return deparse_expression(node, context, false, false);
}

char *
glperf_qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

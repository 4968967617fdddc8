/*
 * plan_repeat.c
 *		Plans that read the same intermediate result over and over.
 *
 * A subquery that refers to the row at hand is run for every row.  Where it
 * reads the result of a WITH query, each run reads all of that: a result has no
 * index, and no index on a table changes the number of runs.  People whose
 * statement spends its time so are to know that rewriting it is what helps.
 */
#include "whatif.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"

/* Share of a subquery's cost that makes the scan what it is about. */
#define MOST			0.5

/*
 * Share of a plan's cost that is worth a word.  The rows of a result are mostly
 * guessed too few, and this part of the cost grows by their square.
 */
#define WORTH_A_WORD	0.25

typedef struct RepeatWalk
{
	PlannedStmt *stmt;
	double		own;			/* cost of the node at hand by itself */
	char	   *name;			/* WITH query met, or NULL */
	double		cost;			/* of reading it for each row */
} RepeatWalk;

/* The scan of a WITH query's result that makes up most of a subquery. */
static CteScan *
main_cte_scan(Plan *plan, double cost)
{
	CteScan    *found;

	if (plan == NULL || plan->total_cost < MOST * cost)
		return NULL;
	check_stack_depth();
	if (IsA(plan, CteScan))
		return (CteScan *) plan;
	found = main_cte_scan(plan->lefttree, cost);
	return found ? found : main_cte_scan(plan->righttree, cost);
}

/* Subqueries of an expression that are run for each row. */
static bool
subplan_walker(Node *node, void *context)
{
	RepeatWalk *walk = context;

	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) && ((SubPlan *) node)->parParam != NIL)
	{
		SubPlan    *sub = (SubPlan *) node;
		Plan	   *plan = list_nth(walk->stmt->subplans, sub->plan_id - 1);
		CteScan    *scan = main_cte_scan(plan, plan ? plan->total_cost : 0);

		if (scan && walk->own > walk->cost)
		{
			RangeTblEntry *rte = rt_fetch(scan->scan.scanrelid,
										  walk->stmt->rtable);

			walk->name = rte->ctename;
			walk->cost = walk->own;
		}
	}
	return expression_tree_walker(node, subplan_walker, context);
}

/* Visit a node and everything below it. */
static void
walk_plan(RepeatWalk *walk, Plan *plan)
{
	double		below = 0;
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, glperf_plan_children(plan))
	{
		Plan	   *child = lfirst(lc);

		walk_plan(walk, child);
		below += child->total_cost;
	}
	walk->own = plan->total_cost - below;
	subplan_walker((Node *) plan->qual, walk);
	subplan_walker((Node *) plan->targetlist, walk);
	if (IsA(plan, NestLoop) || IsA(plan, MergeJoin) || IsA(plan, HashJoin))
		subplan_walker((Node *) ((Join *) plan)->joinqual, walk);
}

char *
glperf_plan_repeated(PlannedStmt *plan)
{
	RepeatWalk	walk = {.stmt = plan};
	ListCell   *lc;

	walk_plan(&walk, plan->planTree);
	foreach(lc, plan->subplans)
		if (lfirst(lc))
		walk_plan(&walk, lfirst(lc));
	if (walk.name == NULL ||
		walk.cost < WORTH_A_WORD * plan->planTree->total_cost)
		return NULL;
	return psprintf("reads all of WITH query %s again for each row that refers to it, which no index can shorten: group it once by the columns that tie the two together, and join with that",
					quote_identifier(walk.name));
}

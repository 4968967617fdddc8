/*
 * plan_risk.c
 *		What a plan costs if its luckiest assumption fails.
 *
 * Under a LIMIT the planner likes to read rows in the wanted order and throw
 * away those that do not match, expecting to meet enough of them early.  That
 * holds when matching rows are spread evenly over the order, and fails badly
 * when they are not: an agent that stopped running last month has all of its
 * executions at the far end.  For choosing indexes, such a plan is charged a
 * part of what it would cost to read on to the end.
 */
#include "whatif.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"

/* Share of the rest of the scan that an early stop is charged. */
#define EARLY_STOP_CHARGE	0.05

/*
 * Does what feeds a LIMIT throw away rows that it reads in order?  Follows
 * the nodes that pass rows on as they come.
 */
static bool
filters_in_order(Plan *plan)
{
	if (plan == NULL)
		return false;
	check_stack_depth();
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
			return plan->qual != NIL;
		case T_NestLoop:
			return plan->qual != NIL ||
				((Join *) plan)->joinqual != NIL ||
				plan->plan_rows < plan->lefttree->plan_rows / 2 ||
				filters_in_order(plan->lefttree);
		case T_Result:
		case T_ProjectSet:
		case T_LockRows:
		case T_Unique:
		case T_Limit:
		case T_IncrementalSort:
		case T_Gather:
		case T_GatherMerge:
			return plan->qual != NIL || filters_in_order(plan->lefttree);
		case T_SubqueryScan:
			return plan->qual != NIL ||
				filters_in_order(((SubqueryScan *) plan)->subplan);
		case T_Append:
		case T_MergeAppend:
			{
				List	   *children = IsA(plan, Append) ?
				((Append *) plan)->appendplans :
				((MergeAppend *) plan)->mergeplans;
				ListCell   *lc;

				foreach(lc, children)
					if (filters_in_order((Plan *) lfirst(lc)))
					return true;
				return false;
			}
		default:
			/* sorts, hashes and aggregates read everything anyway */
			return false;
	}
}

/* Charges for all LIMITs of a plan tree. */
static double
early_stop_charges(Plan *plan)
{
	double		charges = 0;

	if (plan == NULL)
		return 0;
	check_stack_depth();
	if (IsA(plan, Limit) && plan->lefttree &&
		plan->lefttree->total_cost > plan->total_cost &&
		filters_in_order(plan->lefttree))
		charges += EARLY_STOP_CHARGE *
			(plan->lefttree->total_cost - plan->total_cost);
	charges += early_stop_charges(plan->lefttree);
	charges += early_stop_charges(plan->righttree);
	if (IsA(plan, SubqueryScan))
		charges += early_stop_charges(((SubqueryScan *) plan)->subplan);
	return charges;
}

double
glperf_plan_cost(PlannedStmt *plan)
{
	double		cost = plan->planTree->total_cost;
	ListCell   *lc;

	cost += early_stop_charges(plan->planTree);
	foreach(lc, plan->subplans)
		cost += early_stop_charges((Plan *) lfirst(lc));
	return cost;
}

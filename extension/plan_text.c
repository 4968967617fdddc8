/*
 * plan_text.c
 *		Reading plans that nobody will execute: indexes used, readable form.
 *
 * EXPLAIN starts the executor, which evaluates stable functions to prune
 * partitions and fires other modules' hooks; this walks the plan tree only.
 */
#include "whatif.h"

#include "nodes/nodeFuncs.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "bitset.h"

typedef struct PlanWalk
{
	const GlperfWhatif *whatif;
	PlannedStmt *stmt;
	uint64	   *used;			/* filled when not NULL */
	List	   *names;			/* index names met */
	List	   *real;			/* OIDs of existing indexes met */
	StringInfo text;			/* filled when not NULL */
	List	  **scans;			/* GlperfPlanScan *, filled when not NULL */
} PlanWalk;

static void walk_plan(PlanWalk *walk, Plan *plan, int depth);

/* Name of a node as EXPLAIN writes it. */
static const char *
node_name(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			return "Result";
		case T_ProjectSet:
			return "ProjectSet";
		case T_ModifyTable:
			switch (((ModifyTable *) plan)->operation)
			{
				case CMD_INSERT:
					return "Insert";
				case CMD_UPDATE:
					return "Update";
				case CMD_DELETE:
					return "Delete";
				default:
					return "Merge";
			}
		case T_Append:
			return "Append";
		case T_MergeAppend:
			return "Merge Append";
		case T_RecursiveUnion:
			return "Recursive Union";
		case T_BitmapAnd:
			return "BitmapAnd";
		case T_BitmapOr:
			return "BitmapOr";
		case T_SeqScan:
			return "Seq Scan";
		case T_SampleScan:
			return "Sample Scan";
		case T_IndexScan:
			return "Index Scan";
		case T_IndexOnlyScan:
			return "Index Only Scan";
		case T_BitmapIndexScan:
			return "Bitmap Index Scan";
		case T_BitmapHeapScan:
			return "Bitmap Heap Scan";
		case T_TidScan:
			return "Tid Scan";
		case T_TidRangeScan:
			return "Tid Range Scan";
		case T_SubqueryScan:
			return "Subquery Scan";
		case T_FunctionScan:
			return "Function Scan";
		case T_ValuesScan:
			return "Values Scan";
		case T_TableFuncScan:
			return "Table Function Scan";
		case T_CteScan:
			return "CTE Scan";
		case T_NamedTuplestoreScan:
			return "Named Tuplestore Scan";
		case T_WorkTableScan:
			return "WorkTable Scan";
		case T_ForeignScan:
			return "Foreign Scan";
		case T_CustomScan:
			return "Custom Scan";
		case T_NestLoop:
			return "Nested Loop";
		case T_MergeJoin:
			return "Merge Join";
		case T_HashJoin:
			return "Hash Join";
		case T_Material:
			return "Materialize";
		case T_Memoize:
			return "Memoize";
		case T_Sort:
			return "Sort";
		case T_IncrementalSort:
			return "Incremental Sort";
		case T_Group:
			return "Group";
		case T_Agg:
			switch (((Agg *) plan)->aggstrategy)
			{
				case AGG_SORTED:
					return "GroupAggregate";
				case AGG_HASHED:
					return "HashAggregate";
				case AGG_MIXED:
					return "MixedAggregate";
				default:
					return "Aggregate";
			}
		case T_WindowAgg:
			return "WindowAgg";
		case T_Unique:
			return "Unique";
		case T_Gather:
			return "Gather";
		case T_GatherMerge:
			return "Gather Merge";
		case T_Hash:
			return "Hash";
		case T_SetOp:
			return "SetOp";
		case T_LockRows:
			return "LockRows";
		case T_Limit:
			return "Limit";
		default:
			return "Plan node";
	}
}

/* Range table index of the relation that a scan node reads, or 0. */
static Index
scan_relid(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_ForeignScan:
			return ((Scan *) plan)->scanrelid;
		case T_ModifyTable:
			return ((ModifyTable *) plan)->nominalRelation;
		default:
			return 0;
	}
}

/* OID of the index that a node scans, or InvalidOid. */
static Oid
scan_index(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			return ((IndexScan *) plan)->indexid;
		case T_IndexOnlyScan:
			return ((IndexOnlyScan *) plan)->indexid;
		case T_BitmapIndexScan:
			return ((BitmapIndexScan *) plan)->indexid;
		default:
			return InvalidOid;
	}
}

/* Name for people, real or made up. */
static char *
index_name(PlanWalk *walk, Oid index)
{
	const GlperfIndexDef *def = glperf_whatif_definition(walk->whatif, index);
	char	   *name;

	if (def)
		return def->name;
	name = get_rel_name(index);
	return name ? name : psprintf("%u", index);
}

/* Note an index once. */
static void
note_index(PlanWalk *walk, Oid index)
{
	int			i = glperf_whatif_index_number(walk->whatif, index);
	char	   *name = index_name(walk, index);
	ListCell   *lc;

	if (i >= 0 && walk->used)
		bitset_add(walk->used, i);
	if (i < 0)
		walk->real = list_append_unique_oid(walk->real, index);
	foreach(lc, walk->names)
		if (strcmp((char *) lfirst(lc), name) == 0)
		return;
	walk->names = lappend(walk->names, name);
}

/* One line of the readable plan. */
static void
print_node(PlanWalk *walk, Plan *plan, int depth)
{
	StringInfo	out = walk->text;
	Oid			index = scan_index(plan);
	Index		rti = scan_relid(plan);

	if (out->len > 0)
		appendStringInfoChar(out, '\n');
	if (depth > 0)
		appendStringInfo(out, "%*s->  ", (depth - 1) * 6 + 2, "");
	if (plan->parallel_aware)
		appendStringInfoString(out, "Parallel ");
	appendStringInfoString(out, node_name(plan));
	if (OidIsValid(index))
		appendStringInfo(out, " using %s%s",
						 quote_identifier(index_name(walk, index)),
						 glperf_whatif_index_number(walk->whatif, index) >= 0 ?
						 " (hypothetical)" : "");
	if (rti > 0 && rti <= list_length(walk->stmt->rtable))
	{
		RangeTblEntry *rte = list_nth(walk->stmt->rtable, rti - 1);
		char	   *name = rte->rtekind == RTE_RELATION ?
		get_rel_name(rte->relid) : NULL;

		if (name)
			appendStringInfo(out, " on %s", quote_identifier(name));
	}
	appendStringInfo(out, "  (cost=%.2f..%.2f rows=%.0f)",
					 plan->startup_cost, plan->total_cost, plan->plan_rows);
}

/* Names of the indexes below a bitmap heap scan; notes those made up. */
static void
describe_bitmap(PlanWalk *walk, Plan *plan, StringInfo names,
				GlperfPlanScan *scan)
{
	List	   *members = NIL;
	ListCell   *lc;
	Oid			index = scan_index(plan);

	if (OidIsValid(index))
	{
		int			i = glperf_whatif_index_number(walk->whatif, index);

		appendStringInfo(names, "%s%s", names->len > 0 ? ", " : "",
						 quote_identifier(index_name(walk, index)));
		if (i >= 0)
			scan->candidates = list_append_unique_int(scan->candidates, i);
	}
	else if (IsA(plan, BitmapAnd))
		members = ((BitmapAnd *) plan)->bitmapplans;
	else if (IsA(plan, BitmapOr))
		members = ((BitmapOr *) plan)->bitmapplans;
	foreach(lc, members)
		describe_bitmap(walk, (Plan *) lfirst(lc), names, scan);
}

/* Note a scan of a table. */
static void
note_scan(PlanWalk *walk, Plan *plan)
{
	Index		rti = IsA(plan, ModifyTable) ? 0 : scan_relid(plan);
	RangeTblEntry *rte = rti > 0 && rti <= list_length(walk->stmt->rtable) ?
	list_nth(walk->stmt->rtable, rti - 1) : NULL;
	GlperfPlanScan *scan;
	StringInfoData names;

	if (rte == NULL || rte->rtekind != RTE_RELATION)
		return;
	scan = palloc0(sizeof(GlperfPlanScan));
	initStringInfo(&names);
	describe_bitmap(walk, IsA(plan, BitmapHeapScan) ? plan->lefttree : plan,
					&names, scan);
	scan->relid = rte->relid;
	scan->alias = pstrdup(rte->eref->aliasname);
	scan->node = psprintf("%s%s%s%s", plan->parallel_aware ? "Parallel " : "",
						  node_name(plan), names.len > 0 ? " using " : "",
						  names.data);
	scan->index_only = IsA(plan, IndexOnlyScan);
	scan->cost = plan->total_cost;
	scan->rows = plan->plan_rows;
	*walk->scans = lappend(*walk->scans, scan);
}

List *
glperf_plan_children(Plan *plan)
{
	List	   *children = NIL;

	if (plan->lefttree)
		children = lappend(children, plan->lefttree);
	if (plan->righttree)
		children = lappend(children, plan->righttree);
	switch (nodeTag(plan))
	{
		case T_Append:
			return list_concat(children, ((Append *) plan)->appendplans);
		case T_MergeAppend:
			return list_concat(children, ((MergeAppend *) plan)->mergeplans);
		case T_BitmapAnd:
			return list_concat(children, ((BitmapAnd *) plan)->bitmapplans);
		case T_BitmapOr:
			return list_concat(children, ((BitmapOr *) plan)->bitmapplans);
		case T_SubqueryScan:
			return lappend(children, ((SubqueryScan *) plan)->subplan);
		case T_CustomScan:
			return list_concat(children, ((CustomScan *) plan)->custom_plans);
		default:
			return children;
	}
}

/* Visit a node and everything below it. */
static void
walk_plan(PlanWalk *walk, Plan *plan, int depth)
{
	ListCell   *lc;

	check_stack_depth();
	if (walk->text)
		print_node(walk, plan, depth);
	if (walk->scans)
		note_scan(walk, plan);
	if (OidIsValid(scan_index(plan)))
		note_index(walk, scan_index(plan));
	foreach(lc, glperf_plan_children(plan))
		walk_plan(walk, lfirst(lc), depth + 1);
}

/* Walk the main plan and every subplan. */
static void
walk_stmt(PlanWalk *walk)
{
	ListCell   *lc;
	int			n = 0;

	walk_plan(walk, walk->stmt->planTree, 0);
	foreach(lc, walk->stmt->subplans)
	{
		n++;
		if (lfirst(lc) == NULL)
			continue;
		if (walk->text)
			appendStringInfo(walk->text, "\nSubPlan %d", n);
		walk_plan(walk, (Plan *) lfirst(lc), 1);
	}
}

void
glperf_plan_used(const GlperfWhatif *whatif, PlannedStmt *plan, uint64 *used)
{
	PlanWalk	walk = {.whatif = whatif,.stmt = plan,.used = used};

	walk_stmt(&walk);
}

List *
glperf_plan_real_indexes(const GlperfWhatif *whatif, PlannedStmt *plan,
						 List *list)
{
	PlanWalk	walk = {.whatif = whatif,.stmt = plan,.real = list};

	walk_stmt(&walk);
	return walk.real;
}

List *
glperf_plan_index_names(const GlperfWhatif *whatif, PlannedStmt *plan)
{
	PlanWalk	walk = {.whatif = whatif,.stmt = plan};

	walk_stmt(&walk);
	return walk.names;
}

List *
glperf_plan_scans(const GlperfWhatif *whatif, PlannedStmt *plan)
{
	List	   *scans = NIL;
	PlanWalk	walk = {.whatif = whatif,.stmt = plan,.scans = &scans};

	walk_stmt(&walk);
	return scans;
}

char *
glperf_plan_text(const GlperfWhatif *whatif, PlannedStmt *plan)
{
	PlanWalk	walk = {.whatif = whatif,.stmt = plan};

	walk.text = makeStringInfo();
	walk_stmt(&walk);
	return walk.text->data;
}

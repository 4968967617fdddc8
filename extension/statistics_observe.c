/*
 * statistics_observe.c
 *		What the planner believes for want of statistics, and planning as if it
 *		had them.
 *
 * Statistics of an expression reach the planner by an index that no scan can
 * use (its predicate is false): the planner looks for statistics of an
 * expression among the indexes of its table, and asks a hook for them.
 *
 * For combinations of columns there is no such door.  Once a table's size has
 * been estimated, one of its conditions is given the selectivity that makes
 * the product right, the size is corrected and the table's paths are made anew.
 * An index that can use only some of the conditions is still priced by their
 * own selectivities.
 */
#include "statistics_advice.h"

#include "access/amapi.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"

#include "glperf.h"
#include "trees.h"
#include "whatif.h"

/* Smaller tables are not worth the trouble. */
#define MIN_TABLE_BLOCKS	16

/* OIDs of the carriers, above those of made-up indexes; see whatif.c. */
#define FIRST_CARRIER_OID	((Oid) 0xFFFFFF01)
#define MAX_CARRIERS		250

static get_index_stats_hook_type prev_get_index_stats = NULL;

/*
 * Is it the only partition that a statement reads of its table?  Statistics of
 * one partition say nothing about the others, and an object for each of many
 * would be more trouble than help.
 */
static bool
only_partition(PlannerInfo *root, RelOptInfo *rel)
{
	if (rel->reloptkind != RELOPT_OTHER_MEMBER_REL || rel->top_parent_relids == NULL)
		return false;
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RelOptInfo *other = root->simple_rel_array[i];

		if (other != NULL && other != rel && !IS_DUMMY_REL(other) &&
			!root->simple_rte_array[i]->inh &&
			bms_equal(other->top_parent_relids, rel->top_parent_relids))
			return false;
	}
	return true;
}

/* Could statistics of this table matter, and can they be looked into? */
static bool
worth_observing(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	if (rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL ||
		(rel->reloptkind != RELOPT_BASEREL && !only_partition(root, rel)) ||
		rte->relid < FirstNormalObjectId ||
		isAnyTempNamespace(get_rel_namespace(rte->relid)))
		return false;
	if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW)
		return false;
	return rel->pages >= MIN_TABLE_BLOCKS && rel->tuples > 0;
}

/* Column of rel that node is, or 0. */
static AttrNumber
plain_column(RelOptInfo *rel, Node *node)
{
	Var		   *var = (Var *) glperf_strip_relabel(node);

	if (var == NULL || !IsA(var, Var) || var->varno != rel->relid ||
		var->varattno <= 0 || var->varlevelsup != 0)
		return 0;
	return var->varattno;
}

/* Is it not a function or operator that everybody has? */
static bool
not_builtin(Oid funcid, void *context)
{
	return funcid >= FirstNormalObjectId;
}

/*
 * Walker: anything that would run code which is not the server's own?  Only
 * kinds of nodes that are known to be harmless pass.
 */
static bool
foreign_code(Node *node, void *context)
{
	Oid			type;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_Param:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_BoolExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_ArrayExpr:
		case T_NullTest:
		case T_BooleanTest:
			type = exprType(node);
			if (type >= FirstNormalObjectId &&
				get_typtype(type) != TYPTYPE_ENUM)
				return true;
			break;
		case T_List:
			break;
		default:
			return true;
	}
	if (check_functions_in_node(node, not_builtin, NULL))
		return true;
	return expression_tree_walker(node, foreign_code, context);
}

/* Can this be the other side of a condition on a column of rel? */
static bool
is_value(RelOptInfo *rel, Node *node)
{
	return !contain_var_clause(node) && !contain_subplans(node) &&
		!contain_volatile_functions(node);
}

/* Does it hold a parameter that only execution will set? */
static bool
exec_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind != PARAM_EXTERN;
	return expression_tree_walker(node, exec_param, context);
}

/* Column that an equality is about; 0 when the clause is none. */
static AttrNumber
equality_column(RelOptInfo *rel, Node *clause)
{
	Node	   *left;
	Node	   *right;
	AttrNumber	column;

	if (IsA(clause, NullTest))
		return ((NullTest *) clause)->nulltesttype == IS_NULL &&
			!((NullTest *) clause)->argisrow ?
			plain_column(rel, (Node *) ((NullTest *) clause)->arg) : 0;
	if (IsA(clause, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		if (!op->useOr || get_oprrest(op->opno) != F_EQSEL ||
			!is_value(rel, lsecond(op->args)))
			return 0;
		return plain_column(rel, linitial(op->args));
	}
	if (!IsA(clause, OpExpr) || list_length(((OpExpr *) clause)->args) != 2 ||
		get_oprrest(((OpExpr *) clause)->opno) != F_EQSEL)
		return 0;
	left = linitial(((OpExpr *) clause)->args);
	right = lsecond(((OpExpr *) clause)->args);
	column = plain_column(rel, left);
	if (column != 0)
		return is_value(rel, right) ? column : 0;
	column = plain_column(rel, right);
	return column != 0 && is_value(rel, left) ? column : 0;
}

/* A condition as it is compared and evaluated: values folded, varno 1. */
static Node *
normal_form(PlannerInfo *root, RelOptInfo *rel, Node *clause)
{
	Node	   *node = estimate_expression_value(root, copyObject(clause));

	if (rel->relid != 1)
		ChangeVarNodes(node, rel->relid, 1, 0);
	return node;
}

/*
 * The equalities on columns of rel, one a column; fills an observation whose
 * parts live in CurrentMemoryContext.  Returns the RestrictInfos.
 */
static List *
conjunction(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte,
			GlperfObservation *observation)
{
	List	   *rinfos = NIL;
	ListCell   *lc;

	memset(observation, 0, sizeof(GlperfObservation));
	observation->kind = GLPERF_OBSERVED_CONJUNCTION;
	observation->relid = rte->relid;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		AttrNumber	column;
		bool		seen = false;

		if (rinfo->pseudoconstant ||
			exec_param((Node *) rinfo->clause, NULL))
			continue;
		column = equality_column(rel, (Node *) rinfo->clause);
		for (int i = 0; i < observation->ncolumns; i++)
			seen |= observation->columns[i] == column;
		if (column == 0 || seen ||
			observation->ncolumns == GLPERF_STATISTICS_COLUMNS)
			continue;
		observation->columns[observation->ncolumns++] = column;
		observation->clauses = lappend(observation->clauses,
									   normal_form(root, rel,
												   (Node *) rinfo->clause));
		rinfos = lappend(rinfos, rinfo);
	}
	return observation->ncolumns < 2 ? NIL : rinfos;
}

/* The same belief, about the same thing? */
static bool
same_observation(const GlperfObservation *a, const GlperfObservation *b)
{
	return a->kind == b->kind && a->relid == b->relid &&
		a->ncolumns == b->ncolumns &&
		memcmp(a->columns, b->columns,
			   sizeof(AttrNumber) * a->ncolumns) == 0 &&
		equal(a->expr, b->expr) && equal(a->clauses, b->clauses);
}

/* Keep an observation of statement s, once. */
static void
keep(GlperfStatisticsSet *set, int s, const GlperfObservation *observation)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);
	GlperfObservation *copy = NULL;
	ListCell   *lc;

	foreach(lc, set->observed)
		if (same_observation(lfirst(lc), observation))
		copy = lfirst(lc);
	if (copy == NULL)
	{
		copy = palloc(sizeof(GlperfObservation));
		*copy = *observation;
		copy->expr = copyObject(observation->expr);
		copy->clauses = copyObject(observation->clauses);
		copy->builtin = !foreign_code((Node *) copy->clauses, NULL) &&
			!foreign_code(copy->expr, NULL);
		copy->actual = copy->corrected = -1;
		set->observed = lappend(set->observed, copy);
	}
	copy->statements = list_append_unique_int(copy->statements, s);
	MemoryContextSwitchTo(old);
}

/* For qsort(): ascending column numbers. */
static int
compare_columns(const void *a, const void *b)
{
	return *(const AttrNumber *) a - *(const AttrNumber *) b;
}

/* Columns of rel by which a level of the statement groups its rows. */
static void
observe_groups(GlperfStatisticsSet *set, int s, PlannerInfo *root,
			   RelOptInfo *rel, RangeTblEntry *rte, List *clauses)
{
	GlperfObservation observation = {.kind = GLPERF_OBSERVED_GROUPS};
	List	   *vars = NIL;
	double		rows = rel->rows;
	ListCell   *lc;

	foreach(lc, get_sortgrouplist_exprs(clauses, root->processed_tlist))
	{
		AttrNumber	column = plain_column(rel, lfirst(lc));

		if (column == 0 || list_member(vars, glperf_strip_relabel(lfirst(lc))) ||
			observation.ncolumns == GLPERF_STATISTICS_COLUMNS)
			continue;
		vars = lappend(vars, glperf_strip_relabel(lfirst(lc)));
		observation.columns[observation.ncolumns++] = column;
	}
	if (observation.ncolumns < 2)
		return;
	qsort(observation.columns, observation.ncolumns, sizeof(AttrNumber),
		  compare_columns);
	observation.relid = rte->relid;
	/* of the whole table, whatever the statement leaves of it */
	rel->rows = rel->tuples;
	observation.estimated = estimate_num_groups(root, vars, rel->tuples, NULL,
												NULL);
	rel->rows = rows;
	keep(set, s, &observation);
}

/* The side of a condition that is an expression over rel, or NULL. */
static Node *
expression_side(PlannerInfo *root, RelOptInfo *rel, Node *clause)
{
	Node	   *left = NULL;
	Node	   *right = NULL;

	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		left = linitial(((OpExpr *) clause)->args);
		right = lsecond(((OpExpr *) clause)->args);
		if (!is_value(rel, right))
		{
			Node	   *swap = left;

			left = right;
			right = swap;
		}
	}
	else if (IsA(clause, ScalarArrayOpExpr))
	{
		left = linitial(((ScalarArrayOpExpr *) clause)->args);
		right = lsecond(((ScalarArrayOpExpr *) clause)->args);
	}
	if (left == NULL || !is_value(rel, right))
		return NULL;
	/* nearly all rows differ from a value, and no index finds them */
	if (IsA(clause, OpExpr) &&
		get_oprrest(((OpExpr *) clause)->opno) == F_NEQSEL)
		return NULL;
	left = glperf_strip_relabel(left);
	if (IsA(left, Var) || !bms_equal(pull_varnos(root, left), rel->relids) ||
		contain_mutable_functions(left) || contain_subplans(left) ||
		exec_param(clause, NULL))
		return NULL;
	return left;
}

/* A condition on an expression that has no statistics. */
static void
observe_expression(GlperfStatisticsSet *set, int s, PlannerInfo *root,
				   RelOptInfo *rel, RangeTblEntry *rte, RestrictInfo *rinfo)
{
	Node	   *expr = expression_side(root, rel, (Node *) rinfo->clause);
	GlperfObservation observation = {.kind = GLPERF_OBSERVED_EXPRESSION};
	VariableStatData vardata;
	bool		known;

	if (expr == NULL)
		return;
	examine_variable(root, expr, 0, &vardata);
	known = HeapTupleIsValid(vardata.statsTuple) || vardata.isunique;
	ReleaseVariableStats(vardata);
	if (known)
		return;
	observation.relid = rte->relid;
	observation.expr = copyObject(expr);
	if (rel->relid != 1)
		ChangeVarNodes(observation.expr, rel->relid, 1, 0);
	observation.clauses = list_make1(normal_form(root, rel,
												 (Node *) rinfo->clause));
	observation.estimated = clause_selectivity(root, (Node *) rinfo, 0,
											   JOIN_INNER, NULL);
	keep(set, s, &observation);
}

/*
 * A partitioned table that is joined or grouped: the planner goes by
 * statistics of the whole of it, which autovacuum never gathers.
 */
static void
observe_whole(GlperfStatisticsSet *set, PlannerInfo *root, RelOptInfo *rel,
			  RangeTblEntry *rte)
{
	MemoryContext old;

	if (rel->reloptkind != RELOPT_BASEREL || !rte->inh ||
		rte->relkind != RELKIND_PARTITIONED_TABLE ||
		(rel->joininfo == NIL && !rel->has_eclass_joins &&
		 root->parse->groupClause == NIL &&
		 root->parse->distinctClause == NIL))
		return;
	old = MemoryContextSwitchTo(set->context);
	set->wholes = list_append_unique_oid(set->wholes, rte->relid);
	MemoryContextSwitchTo(old);
}

void
glperf_statistics_observe(GlperfStatisticsSet *set, int s, PlannerInfo *root,
						  RelOptInfo *rel, RangeTblEntry *rte)
{
	GlperfObservation observation;
	List	   *rinfos;
	ListCell   *lc;

	observe_whole(set, root, rel, rte);
	if (!worth_observing(root, rel, rte))
		return;
	rinfos = conjunction(root, rel, rte, &observation);
	if (rinfos != NIL)
	{
		observation.estimated = clauselist_selectivity(root, rinfos, 0,
													   JOIN_INNER, NULL);
		keep(set, s, &observation);
	}
	foreach(lc, rel->baserestrictinfo)
		if (!lfirst_node(RestrictInfo, lc)->pseudoconstant)
		observe_expression(set, s, root, rel, rte, lfirst(lc));
	if (root->parse->groupClause != NIL && root->parse->groupingSets == NIL)
		observe_groups(set, s, root, rel, rte, root->parse->groupClause);
	if (root->parse->distinctClause != NIL)
		observe_groups(set, s, root, rel, rte, root->parse->distinctClause);
}

/* Number of a wanted object among the set's, or NULL. */
static GlperfStatistics *
carried(const GlperfStatisticsSet *set, Oid index)
{
	if (set == NULL || index < FIRST_CARRIER_OID ||
		index - FIRST_CARRIER_OID >= (Oid) list_length(set->wanted))
		return NULL;
	return list_nth(set->wanted, index - FIRST_CARRIER_OID);
}

/* Statistics that live as long as the run need not be released. */
static void
release_nothing(HeapTuple tuple)
{
}

/* get_index_stats_hook: statistics of a carrier. */
static bool
statistics_of_index(PlannerInfo *root, Oid index, AttrNumber attnum,
					VariableStatData *vardata)
{
	const GlperfWhatif *whatif = glperf_whatif_active();
	GlperfStatistics *statistics =
	whatif ? carried(whatif->statistics, index) : NULL;

	if (statistics == NULL || statistics->tuple == NULL)
		return prev_get_index_stats ?
			prev_get_index_stats(root, index, attnum, vardata) : false;
	vardata->statsTuple = statistics->tuple;
	vardata->freefunc = release_nothing;
	vardata->acl_ok = true;
	return true;
}

void
glperf_statistics_init(void)
{
	prev_get_index_stats = get_index_stats_hook;
	get_index_stats_hook = statistics_of_index;
}

/* An index that nothing can use, for one expression of rel. */
static IndexOptInfo *
make_carrier(Oid oid, const GlperfStatistics *statistics, RelOptInfo *rel)
{
	IndexOptInfo *info = makeNode(IndexOptInfo);
	Node	   *expr = copyObject(statistics->expr);

	if (rel->relid != 1)
		ChangeVarNodes(expr, 1, rel->relid, 0);
	info->indexoid = oid;
	info->rel = rel;
	info->relam = BTREE_AM_OID;
	info->ncolumns = 1;
	info->nkeycolumns = 1;
	info->indexkeys = palloc0(sizeof(int));
	info->indexcollations = palloc0(sizeof(Oid));
	info->opfamily = palloc0(sizeof(Oid));
	info->opcintype = palloc0(sizeof(Oid));
	info->opclassoptions = palloc0(sizeof(bytea *));
	info->canreturn = palloc0(sizeof(bool));
	info->indexprs = list_make1(expr);
	info->indpred = list_make1(makeBoolConst(false, false));
	info->indextlist = list_make1(makeTargetEntry((Expr *) expr, 1, NULL,
												  false));
	info->hypothetical = true;
	info->immediate = true;
	info->pages = 1;
	return info;
}

void
glperf_statistics_attach(const GlperfStatisticsSet *set, Oid table,
						 RelOptInfo *rel)
{
	int			n = 0;
	ListCell   *lc;

	if (set == NULL)
		return;
	foreach(lc, set->wanted)
	{
		GlperfStatistics *statistics = lfirst(lc);

		if (n < MAX_CARRIERS && statistics->relid == table &&
			statistics->tuple != NULL)
			rel->indexlist = lappend(rel->indexlist,
									 make_carrier(FIRST_CARRIER_OID + n,
												  statistics, rel));
		n++;
	}
}

/* The correction that applies to what this index scan searches by. */
static void
corrected_costestimate(PlannerInfo *root, IndexPath *path, double loop_count,
					   Cost *startup_cost, Cost *total_cost,
					   Selectivity *selectivity, double *correlation,
					   double *pages)
{
	const IndexAmRoutine *am =
	GetIndexAmRoutineByAmId(path->indexinfo->relam, false);
	amcostestimate_function estimate = am->amcostestimate;
	const GlperfWhatif *whatif = glperf_whatif_active();
	GlperfCorrection *correction = NULL;
	List	   *searched = NIL;
	ListCell   *lc;

	foreach(lc, whatif ? whatif->corrections : NIL)
		if (((GlperfCorrection *) lfirst(lc))->rel == path->indexinfo->rel)
		correction = lfirst(lc);
	foreach(lc, path->indexclauses)
		searched = lappend(searched, lfirst_node(IndexClause, lc)->rinfo);
	if (correction != NULL &&
		list_difference_ptr(correction->rinfos, searched) != NIL)
		correction->carrier->norm_selec = correction->alone;
	estimate(root, path, loop_count, startup_cost, total_cost, selectivity,
			 correlation, pages);
	if (correction != NULL)
		correction->carrier->norm_selec = correction->together;
}

/* Make the paths of rel anew, after its size has changed. */
static void
remake_paths(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *indexes;
	ListCell   *lc;

	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	rel->ppilist = NIL;
	foreach(lc, rel->indexlist)
		((IndexOptInfo *) lfirst(lc))->amcostestimate = corrected_costestimate;
	add_path(rel, create_seqscan_path(root, rel, rel->lateral_relids, 0));
	if (rel->consider_parallel && rel->lateral_relids == NULL)
	{
		int			workers = compute_parallel_worker(rel, rel->pages, -1,
													  max_parallel_workers_per_gather);

		if (workers > 0)
			add_partial_path(rel, create_seqscan_path(root, rel, NULL,
													  workers));
	}

	/*
	 * One index at a time: the planner would AND bitmaps of columns that
	 * depend on each other and believe in the product of their selectivities.
	 */
	indexes = rel->indexlist;
	foreach(lc, indexes)
	{
		rel->indexlist = list_make1(lfirst(lc));
		create_index_paths(root, rel);
	}
	rel->indexlist = indexes;
	create_tidscan_paths(root, rel);
}

bool
glperf_statistics_corrected(List *corrections, const RelOptInfo *rel)
{
	ListCell   *lc;

	foreach(lc, corrections)
		if (((GlperfCorrection *) lfirst(lc))->rel == rel)
		return true;
	return false;
}

/*
 * Which condition carries a correction by factor: the least selective one of
 * those that stay below 1, as it changes least.  NULL without estimates.
 */
static RestrictInfo *
choose_carrier(List *rinfos, double factor)
{
	RestrictInfo *best = NULL;
	ListCell   *lc;

	foreach(lc, rinfos)
	{
		RestrictInfo *rinfo = lfirst(lc);
		bool		fits = rinfo->norm_selec * factor <= 1;
		bool		best_fits = best && best->norm_selec * factor <= 1;

		if (rinfo->norm_selec < 0)
			continue;
		if (best == NULL || (fits != best_fits ? fits :
							 (rinfo->norm_selec > best->norm_selec) == fits))
			best = rinfo;
	}
	return best;
}

void
glperf_statistics_correct(const GlperfStatisticsSet *set, List **corrections,
						  PlannerInfo *root, RelOptInfo *rel,
						  RangeTblEntry *rte)
{
	GlperfObservation here;
	GlperfObservation *known = NULL;
	GlperfCorrection *correction;
	Selectivity now;
	List	   *rinfos;
	ListCell   *lc;

	if (set == NULL || set->wanted == NIL)
		return;
	/* the whole has as many rows as the only part that is read */
	foreach(lc, rte->inh ? *corrections : NIL)
	{
		RelOptInfo *part = ((GlperfCorrection *) lfirst(lc))->rel;

		if (part->top_parent_relids != NULL &&
			(bms_equal(part->top_parent_relids, rel->relids) ||
			 bms_equal(part->top_parent_relids, rel->top_parent_relids)))
			rel->rows = part->rows;
	}
	if (!worth_observing(root, rel, rte) ||
		(rinfos = conjunction(root, rel, rte, &here)) == NIL)
		return;
	foreach(lc, set->observed)
		if (same_observation(lfirst(lc), &here))
		known = lfirst(lc);
	if (known == NULL || known->corrected < 0)
		return;

	now = clauselist_selectivity(root, rinfos, 0, JOIN_INNER, NULL);
	if (now <= 0)
		return;
	correction = palloc0(sizeof(GlperfCorrection));
	correction->rel = rel;
	correction->rinfos = rinfos;
	correction->carrier = choose_carrier(rinfos, known->corrected / now);
	if (!correction->carrier)
		return;
	correction->alone = correction->carrier->norm_selec;
	correction->together = Min(1.0, correction->alone *
							   known->corrected / now);
	correction->carrier->norm_selec = correction->together;
	*corrections = lappend(*corrections, correction);
	rel->rows = clamp_row_est(rel->rows * known->corrected / now);
	remake_paths(root, rel);
}

/*
 * advise_risk.c
 *		How far a recommendation can be relied on.
 *
 * Each doubt is one known way in which the planner's estimate and the truth
 * part: no statistics, values beyond the histogram, a LIMIT that hopes to stop
 * early, a partial index that a generic plan cannot use, an index-only scan of
 * a table whose pages do not stay all-visible.  A doubt that concerns half of
 * an index's benefit makes its confidence low, a smaller one medium.
 */
#include "advise.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_statistic.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "sandbox.h"

/* Updates and deletes, of a table's rows, that undo all-visibility. */
#define CHURN_SHARE		0.05
/* Pages that are all-visible in a table which VACUUM keeps up with. */
#define STABLE_VISIBLE	0.8

/* Has the table changed since it was analysed, as far as is known? */
static bool
has_changed(Oid relid, RelOptInfo *rel)
{
	HeapTuple	tuple;
	bool		grown;

	if (DatumGetInt64(DirectFunctionCall1(pg_stat_get_mod_since_analyze,
										  ObjectIdGetDatum(relid))) > 0)
		return true;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return true;
	grown = ((Form_pg_class) GETSTRUCT(tuple))->relpages !=
		(int32) rel->pages;
	ReleaseSysCache(tuple);
	return grown;
}

/* Is value beyond the ends of a column's histogram, where op looks for rows? */
static bool
beyond_histogram(RangeTblEntry *rte, Var *var, const OpExpr *op,
				 int strategy, Oid opfamily, const Const *value)
{
	HeapTuple	stats = SearchSysCache3(STATRELATTINH,
										ObjectIdGetDatum(rte->relid),
										Int16GetDatum(var->varattno),
										BoolGetDatum(rte->inh));
	Oid			compare = get_opfamily_proc(opfamily, var->vartype,
											value->consttype, BTORDER_PROC);
	AttStatsSlot slot;
	bool		beyond = false;

	if (!HeapTupleIsValid(stats))
		return false;
	if (OidIsValid(compare) && compare < FirstNormalObjectId &&
		get_attstatsslot(&slot, stats, STATISTIC_KIND_HISTOGRAM, InvalidOid,
						 ATTSTATSSLOT_VALUES))
	{
		bool		upward = strategy >= BTGreaterEqualStrategyNumber;
		Datum		end = slot.nvalues > 0 ?
		slot.values[upward ? slot.nvalues - 1 : 0] : (Datum) 0;

		if (slot.nvalues > 1)
		{
			int32		order = DatumGetInt32(OidFunctionCall2Coll(compare,
																   op->inputcollid,
																   end,
																   value->constvalue));

			beyond = upward ? order <= 0 : order >= 0;
		}
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(stats);
	return beyond;
}

/* Does a condition look for rows beyond the end of a histogram? */
static bool
overruns(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte, Node *clause)
{
	OpExpr	   *op;
	Node	   *left;
	Node	   *right;
	Oid			opno;
	Oid			opclass;
	int			strategy;

	if (!IsA(clause, OpExpr) || list_length(((OpExpr *) clause)->args) != 2)
		return false;
	op = (OpExpr *) clause;
	opno = op->opno;
	left = linitial(op->args);
	right = lsecond(op->args);
	if (!IsA(left, Var))
	{
		Node	   *swap = left;

		left = right;
		right = swap;
		opno = get_commutator(opno);
	}
	if (!OidIsValid(opno) || !IsA(left, Var) ||
		((Var *) left)->varno != rel->relid || ((Var *) left)->varattno <= 0)
		return false;
	right = estimate_expression_value(root, copyObject(right));
	opclass = GetDefaultOpClass(((Var *) left)->vartype, BTREE_AM_OID);
	if (!IsA(right, Const) || ((Const *) right)->constisnull ||
		!OidIsValid(opclass))
		return false;
	strategy = get_op_opfamily_strategy(opno, get_opclass_family(opclass));
	if (strategy == 0 || strategy == BTEqualStrategyNumber)
		return false;
	return beyond_histogram(rte, (Var *) left, op, strategy,
							get_opclass_family(opclass), (Const *) right);
}

void
glperf_risk_observe(List **tables, MemoryContext context, PlannerInfo *root,
					RelOptInfo *rel, RangeTblEntry *rte)
{
	ListCell   *lc;

	if (rte->rtekind != RTE_RELATION || rte->inh ||
		list_member_oid(*tables, rte->relid))
		return;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		MemoryContext old;

		if (rinfo->pseudoconstant ||
			!overruns(root, rel, rte, (Node *) rinfo->clause) ||
			!has_changed(rte->relid, rel))
			continue;
		old = MemoryContextSwitchTo(context);
		*tables = lappend_oid(*tables, rte->relid);
		MemoryContextSwitchTo(old);
		return;
	}
}

/* How much of an index's benefit a doubt concerns. */
typedef struct Doubt
{
	double		share;			/* 0..1 */
	const char *reason;
} Doubt;

/* Lower the confidence, and say why. */
static void
add_doubt(GlperfRecommendation *rec, double share, const char *reason)
{
	if (share <= 0)
		return;
	if (share >= 0.5)
		rec->confidence = "low";
	else if (strcmp(rec->confidence, "high") == 0)
		rec->confidence = "medium";
	rec->reasons = lappend(rec->reasons,
						   psprintf("confidence: %s", reason));
}

/* Is the index, or a part of its tree, read without visiting the table? */
static bool
read_index_only(const GlperfPlanned *planned, int candidate)
{
	ListCell   *lc;

	foreach(lc, planned->after)
	{
		GlperfPlanScan *scan = lfirst(lc);

		if (scan->index_only && list_member_int(scan->candidates, candidate))
			return true;
	}
	return false;
}

/* Does the final plan of one way of running read by the index? */
static bool
reads_by(const GlperfPlanned *planned, int candidate)
{
	ListCell   *lc;

	foreach(lc, planned->after)
		if (list_member_int(((GlperfPlanScan *) lfirst(lc))->candidates,
							candidate))
		return true;
	return false;
}

/* Tables that the final plan reads by the index and one way of running. */
static bool
overruns_on(const GlperfPlanned *planned, int candidate)
{
	ListCell   *lc;

	foreach(lc, planned->after)
	{
		GlperfPlanScan *scan = lfirst(lc);

		if (list_member_int(scan->candidates, candidate) &&
			list_member_oid(planned->overruns, scan->relid))
			return true;
	}
	return false;
}

/* Why a table's pages do not stay all-visible; NULL when they do. */
static char *
visibility_churn(GlperfAdvice *advice, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;
	double		visible;
	double		rows;
	double		pages;
	double		dead;
	double		changed = 0;
	ListCell   *lc;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_class) GETSTRUCT(tuple);
	rows = Max(1.0, form->reltuples);
	pages = form->relpages;
	visible = pages > 0 ? form->relallvisible / pages : 0;
	ReleaseSysCache(tuple);
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		return NULL;
	foreach(lc, advice->writes)
	{
		GlperfWrite *write = lfirst(lc);

		if (write->relid == relid && write->kind != CMD_INSERT)
			changed += write->rows_per_day;
	}
	dead = DatumGetInt64(DirectFunctionCall1(pg_stat_get_dead_tuples,
											 ObjectIdGetDatum(relid)));
	if (changed > rows * CHURN_SHARE)
		return psprintf("it counts on reading the index alone, and %.0f rows a day change in a table of %.0f: between two VACUUMs the table has to be visited",
						changed, rows);
	if (dead > rows * CHURN_SHARE)
		return psprintf("it counts on reading the index alone, and %.0f dead rows wait for VACUUM in a table of %.0f: until then the table has to be visited",
						dead, rows);
	if (visible < STABLE_VISIBLE)
		return psprintf("it counts on reading the index alone, and only %.0f %% of the table's pages are all-visible",
						100 * visible);
	return NULL;
}

/* A column of the index of which nothing is known, or NULL. */
static char *
column_without_statistics(const GlperfIndexDef *def)
{
	bool		inherit =
	get_rel_relkind(def->relid) == RELKIND_PARTITIONED_TABLE;

	for (int i = 0; i < def->nkeys; i++)
		if (def->attnum[i] > 0 &&
			!SearchSysCacheExists3(STATRELATTINH,
								   ObjectIdGetDatum(def->relid),
								   Int16GetDatum(def->attnum[i]),
								   BoolGetDatum(inherit)))
			return get_attname(def->relid, def->attnum[i], true);
	return NULL;
}

/* Planning a statement as a generic plan, inside the sandbox. */
typedef struct GenericJob
{
	GlperfAdvice *advice;
	GlperfPlanned *planned;
	uint64	   *used;
} GenericJob;

/* The work of a GenericJob. */
static void
generic_work(void *arg)
{
	GenericJob *job = arg;
	GlperfStatement stmt = job->planned->instance->stmt;
	GlperfAnalysed analysed;
	GlperfWhatif whatif = {0};
	ListCell   *lc;

	stmt.param_values = NULL;
	glperf_statement_analyse(&stmt, &analysed);
	glperf_advise_whatif(job->advice, job->advice->selection.chosen, &whatif);
	foreach(lc, analysed.queries)
	{
		Query	   *query = lfirst_node(Query, lc);

		if (query->commandType == CMD_UTILITY)
			continue;
		job->advice->planner_calls++;
		glperf_plan_used(&whatif,
						 glperf_whatif_plan(&whatif, query, stmt.text,
											analysed.cursor_options,
											analysed.params),
						 job->used);
	}
}

/*
 * Would the statement lose a partial index if it ran with a generic plan?
 * Only statements with parameters of their own may.
 */
static bool
needs_custom_plan(GlperfAdvice *advice, GlperfAdviceStatement *statement,
				  int candidate)
{
	GlperfPlanned *planned = &statement->planned[0];
	GenericJob	job = {advice, planned, NULL};
	GlperfFailure failure = {0};

	if (advice->defs[candidate]->pred == NIL || !planned->instance->sampled ||
		planned->instance->generic ||
		planned->instance->stmt.nparams == 0)
		return false;
	job.used = palloc0(bitset_bytes(advice->candidates.n));
	return glperf_sandbox_run(statement->item->userid,
							  planned->instance->search_path, generic_work,
							  &job, &failure) &&
		!bitset_get(job.used, candidate);
}

/* Did the planner guess at an expression of this statement's? */
static bool
guesses_expression(GlperfAdvice *advice, int s, Oid relid)
{
	ListCell   *lc;

	foreach(lc, advice->statistics.wanted)
	{
		GlperfStatistics *statistics = lfirst(lc);

		if (statistics->expr && statistics->relid == relid &&
			!statistics->recomputed &&
			list_member_int(statistics->statements, s))
			return true;
	}
	return false;
}

/* Share of the statements' benefit that each kind of doubt concerns. */
static void
add_doubts(GlperfAdvice *advice, GlperfRecommendation *rec, double total)
{
	GlperfIndexDef *def = advice->defs[rec->candidate];
	Doubt		beyond = {0, "a condition looks beyond the newest values that ANALYZE has seen, where the planner expects hardly any rows"};
	Doubt		gamble = {0, "a plan hopes to stop early at its LIMIT, which holds only if matching rows are spread evenly"};
	Doubt		generic = {0, "a generic plan cannot use this partial index: it needs the values of parameters, so plan_cache_mode must not be force_generic_plan"};
	Doubt		guess = {0, "the planner guesses how many rows an expression matches"};
	Doubt		index_only = {0, visibility_churn(advice, def->relid)};
	char	   *unknown = column_without_statistics(def);

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];
		double		share = statement->weight * (1 - statement->ratio) / total;
		bool		overrun = false;
		bool		gambles = false;
		bool		only = false;

		if (!bitset_get(statement->used, rec->candidate))
			continue;
		for (int p = 0; p < statement->nplanned; p++)
		{
			overrun |= overruns_on(&statement->planned[p], rec->candidate);
			gambles |= statement->planned[p].gambles &&
				reads_by(&statement->planned[p], rec->candidate);
			only |= read_index_only(&statement->planned[p], rec->candidate);
		}
		beyond.share += overrun ? share : 0;
		gamble.share += gambles ? share : 0;
		index_only.share += only ? share : 0;
		if (guesses_expression(advice, s, def->relid))
			guess.share += share;
		if (needs_custom_plan(advice, statement, rec->candidate))
			generic.share += share;
	}
	add_doubt(rec, beyond.share, beyond.reason);
	add_doubt(rec, gamble.share, gamble.reason);
	add_doubt(rec, generic.share, generic.reason);
	add_doubt(rec, guess.share, guess.reason);
	if (index_only.reason)
		add_doubt(rec, index_only.share, index_only.reason);
	if (unknown)
		add_doubt(rec, 1, psprintf("column %s has no statistics: analyse the table and ask again first",
								   quote_identifier(unknown)));
}

/*
 * High: real constants, and at least half of the cost saved.  Low to begin
 * with: planned with unknown values throughout, and little saved.
 */
void
glperf_risk_grade(GlperfAdvice *advice, GlperfRecommendation *rec)
{
	double		sampled = 0;
	double		total = 0;
	double		gain = 0;

	for (int s = 0; s < advice->nstatements; s++)
	{
		GlperfAdviceStatement *statement = &advice->statements[s];

		if (!bitset_get(statement->used, rec->candidate))
			continue;
		total += statement->weight;
		gain += statement->weight * (1 - statement->ratio);
		/* a generic plan is made without values, so nothing is unknown */
		if (!statement->planned[0].open_params ||
			statement->item->instances[0].generic)
			sampled += statement->weight;
	}
	if (total <= 0)
		total = 1;
	if (sampled / total < 0.5)
	{
		rec->confidence = gain / total >= 0.5 ? "medium" : "low";
		rec->reasons = lappend(rec->reasons,
							   "confidence: planned with unknown parameter values, since there are no samples; load glperf by shared_preload_libraries to keep some");
	}
	else
	{
		rec->confidence = gain / total >= 0.5 ? "high" : "medium";
		rec->reasons = lappend(rec->reasons,
							   "confidence: planned with the constants that the statements ran with");
	}
	add_doubts(advice, rec, gain > 0 ? gain : 1);
}

/*
 * row_doubt.c
 *		How many more rows than planned a join may yield.
 *
 * The planner takes a condition on one table to have nothing to do with which
 * of its rows the other tables refer to.  A calendar has days of two centuries,
 * sales happened on those of five years, and queries ask for one of these: the
 * planner expects a twentieth of a per cent of the sales where a fifth is
 * meant.  What it can know is how many values each side of a join has.  If all
 * of those that a condition keeps are referred to, the join yields more rows by
 * the ratio of the two.  Pessimism takes that to be so, and takes them for the
 * ones that are referred to most: what is asked for is the days before
 * Christmas.
 */
#include "plan_price.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "trees.h"
#include "whatif.h"

/*
 * Joins of three and more tables are misjudged by the planner by factors that
 * grow with each join; a plan has to hold when rows are that many more.  See
 * Leis et al., How Good Are Query Optimizers, Really? (VLDB 2015).
 */
const double glperf_pessimistic_growth = 1.7;

/* A filtered table and one that refers to fewer of its values than it has. */
typedef struct Reference
{
	int			to;				/* relids */
	int			from;
	double		growth;
} Reference;

/* All of a planner's root. */
typedef struct References
{
	PlannerInfo *root;
	List	   *list;
} References;

/* The relation that a member of an equivalence class is a column of, or 0. */
static int
member_relation(PlannerInfo *root, EquivalenceMember *em)
{
	Node	   *expr = glperf_strip_relabel((Node *) em->em_expr);
	int			relid;

	if (em->em_is_const || em->em_is_child || expr == NULL ||
		!IsA(expr, Var) || !bms_get_singleton_member(em->em_relids, &relid) ||
		relid >= root->simple_rel_array_size ||
		root->simple_rel_array[relid] == NULL ||
		root->simple_rel_array[relid]->reloptkind != RELOPT_BASEREL)
		return 0;
	return relid;
}

/* What is known of a column that refers to another table. */
typedef struct Referring
{
	double		values;			/* different ones; 0 when unknown */
	double		most;			/* largest share of its rows that have any of
								 * so many values as are kept */
} Referring;

/*
 * Largest share of the rows with a value that have any kept of the values of a
 * column: those that are most common.
 */
static double
largest_share(VariableStatData *vardata, double values, double kept)
{
	AttStatsSlot slot;
	double		share = 0;
	double		rest = 1;		/* share of the values that are not common */

	if (!HeapTupleIsValid(vardata->statsTuple))
		return kept / values;
	rest -= ((Form_pg_statistic) GETSTRUCT(vardata->statsTuple))->stanullfrac;
	if (rest <= 0)
		return 0;
	if (get_attstatsslot(&slot, vardata->statsTuple, STATISTIC_KIND_MCV,
						 InvalidOid, ATTSTATSSLOT_NUMBERS))
	{
		double		with_value = rest;

		for (int i = 0; i < slot.nnumbers; i++)
		{
			share += slot.numbers[i] * Max(0.0, Min(1.0, kept - i)) / with_value;
			rest -= slot.numbers[i];
		}
		rest /= with_value;
		kept -= slot.nnumbers;
		values -= slot.nnumbers;
		free_attstatsslot(&slot);
	}
	else
		rest = 1;
	if (kept > 0 && values > 0 && rest > 0)
		share += Min(1.0, kept / values) * rest;
	return Min(1.0, share);
}

/* What is known of an expression, of whose values so many are kept. */
static Referring
look_at(PlannerInfo *root, Node *expr, double kept)
{
	Referring	result = {0};
	VariableStatData vardata;
	bool		guessed;

	examine_variable(root, expr, 0, &vardata);
	result.values = get_variable_numdistinct(&vardata, &guessed);
	if (guessed)
		result.values = 0;
	else
		result.most = largest_share(&vardata, result.values, kept);
	ReleaseVariableStats(vardata);
	return result;
}

/*
 * When a plan is finished, the planner moves the numbers of tables in what it
 * knows of a subquery's partitions and parts of a UNION ALL; looking up their
 * statistics after that would follow wrong numbers.
 */
double
glperf_price_values(PlannerInfo *root, Node *expr)
{
	Relids		relids = root->append_rel_array && root->query_level > 1 ?
	pull_varnos(root, expr) : NULL;
	int			relid = -1;

	while ((relid = bms_next_member(relids, relid)) >= 0)
		if (relid >= root->simple_rel_array_size ||
			root->append_rel_array[relid] != NULL)
			return 0;
	return look_at(root, expr, 0).values;
}

/*
 * What is known of a member, a column of relid.  A UNION ALL has no
 * statistics: of its parts the one with the most values stands for all.
 */
static Referring
look_at_member(PlannerInfo *root, EquivalenceMember *em, int relid,
			   double kept)
{
	Node	   *expr = (Node *) em->em_expr;
	Referring	best = look_at(root, expr, kept);
	ListCell   *lc;

	if (best.values > 0 ||
		root->simple_rte_array[relid]->rtekind != RTE_SUBQUERY)
		return best;
	expr = glperf_strip_relabel(expr);
	foreach(lc, root->append_rel_list)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);
		int			column = ((Var *) expr)->varattno;
		Referring	part;
		Node	   *translated;

		if (info->parent_relid != relid || column <= 0 ||
			column > list_length(info->translated_vars))
			continue;
		translated = list_nth(info->translated_vars, column - 1);
		if (translated == NULL || !IsA(translated, Var))
			continue;
		part = look_at(root, translated, kept);
		if (part.values > best.values)
			best = part;
	}
	return best;
}

/* Note how the members of a class refer to a filtered table's column. */
static List *
note_references(List *list, PlannerInfo *root, EquivalenceClass *ec,
				EquivalenceMember *to)
{
	int			relid = member_relation(root, to);
	RelOptInfo *rel = relid ? root->simple_rel_array[relid] : NULL;
	double		tuples = rel ? glperf_rel_tuples(root, rel) : 0;
	double		kept = tuples > 0 ? rel->rows / tuples : 1;
	double		values;
	ListCell   *lc;

	if (kept >= 1)
		return list;
	values = look_at_member(root, to, relid, 0).values;
	foreach(lc, ec->ec_members)
	{
		EquivalenceMember *from = lfirst(lc);
		int			other = member_relation(root, from);
		Referring	referring;
		Reference  *reference;

		if (other == 0 || other == relid)
			continue;
		referring = look_at_member(root, from, other, kept * values);
		if (referring.values <= 0 || referring.values >= values)
			continue;
		reference = palloc(sizeof(Reference));
		reference->to = relid;
		reference->from = other;
		reference->growth = referring.most / kept;
		list = lappend(list, reference);
	}
	return list;
}

/* All references of a root that are known; NULL when it was not looked at. */
static References *
references_of(const GlperfWhatif *whatif, PlannerInfo *root)
{
	ListCell   *lc;

	foreach(lc, *whatif->references)
	{
		References *references = lfirst(lc);

		if (references->root == root)
			return references;
	}
	return NULL;
}

void
glperf_price_note_joins(const GlperfWhatif *whatif, PlannerInfo *root)
{
	MemoryContext old;
	References *mine;
	ListCell   *lc;

	if (references_of(whatif, root))
		return;
	/* joins may be looked at in a context of their own */
	old = MemoryContextSwitchTo(root->planner_cxt);
	mine = palloc0(sizeof(References));
	mine->root = root;
	foreach(lc, root->eq_classes)
	{
		EquivalenceClass *ec = lfirst(lc);
		ListCell   *lm;

		if (ec->ec_has_volatile || list_length(ec->ec_members) < 2)
			continue;
		foreach(lm, ec->ec_members)
			mine->list = note_references(mine->list, root, ec, lfirst(lm));
	}
	*whatif->references = lappend(*whatif->references, mine);
	MemoryContextSwitchTo(old);
}

double
glperf_price_doubt(const GlperfPricing *pricing, RelOptInfo *rel)
{
	double		usual;
	double		growth = 1;
	Bitmapset  *counted = NULL;
	References *references;
	ListCell   *lc;

	if (pricing->growth <= 1 || rel->reloptkind != RELOPT_JOINREL)
		return 1;
	usual = pow(pricing->growth, bms_num_members(rel->relids) - 1);
	references = pricing->here && pricing->whatif ?
		references_of(pricing->whatif, pricing->here) : NULL;
	if (references == NULL)
		return usual;
	/* the first reference to a table is as good as any */
	foreach(lc, references->list)
	{
		Reference  *reference = lfirst(lc);

		if (!bms_is_member(reference->to, rel->relids) ||
			!bms_is_member(reference->from, rel->relids) ||
			bms_is_member(reference->to, counted))
			continue;
		counted = bms_add_member(counted, reference->to);
		growth *= reference->growth;
	}
	bms_free(counted);
	return Max(usual, growth);
}

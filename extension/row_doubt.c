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
 * the ratio of the two, which pessimism takes to be so.
 */
#include "plan_price.h"

#include <math.h>

#include "optimizer/optimizer.h"
#include "utils/selfuncs.h"

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
	Node	   *expr = (Node *) em->em_expr;
	int			relid;

	while (expr && IsA(expr, RelabelType))
		expr = (Node *) ((RelabelType *) expr)->arg;
	if (em->em_is_const || em->em_is_child || expr == NULL ||
		!IsA(expr, Var) || !bms_get_singleton_member(em->em_relids, &relid) ||
		relid >= root->simple_rel_array_size ||
		root->simple_rel_array[relid] == NULL ||
		root->simple_rel_array[relid]->reloptkind != RELOPT_BASEREL)
		return 0;
	return relid;
}

/* Number of different values of an expression; 0 when unknown. */
static double
values_of_expr(PlannerInfo *root, Node *expr)
{
	VariableStatData vardata;
	bool		guessed;
	double		n;

	examine_variable(root, expr, 0, &vardata);
	n = get_variable_numdistinct(&vardata, &guessed);
	ReleaseVariableStats(vardata);
	return guessed ? 0 : n;
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
	return values_of_expr(root, expr);
}

/*
 * Number of different values of a member, a column of relid; 0 when unknown.
 * A UNION ALL has no statistics: of its parts the one with the most values
 * stands for all.
 */
static double
values_of(PlannerInfo *root, EquivalenceMember *em, int relid)
{
	Node	   *expr = (Node *) em->em_expr;
	double		most = values_of_expr(root, expr);
	ListCell   *lc;

	if (most > 0 || root->simple_rte_array[relid]->rtekind != RTE_SUBQUERY)
		return most;
	while (IsA(expr, RelabelType))
		expr = (Node *) ((RelabelType *) expr)->arg;
	foreach(lc, root->append_rel_list)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);
		int			column = ((Var *) expr)->varattno;
		Node	   *part;

		if (info->parent_relid != relid || column <= 0 ||
			column > list_length(info->translated_vars))
			continue;
		part = list_nth(info->translated_vars, column - 1);
		if (part != NULL && IsA(part, Var))
			most = Max(most, values_of_expr(root, part));
	}
	return most;
}

/* Note how the members of a class refer to a filtered table's column. */
static List *
note_references(List *list, PlannerInfo *root, EquivalenceClass *ec,
				EquivalenceMember *to)
{
	int			relid = member_relation(root, to);
	RelOptInfo *rel = relid ? root->simple_rel_array[relid] : NULL;
	double		kept = rel && rel->tuples > 0 ? rel->rows / rel->tuples : 1;
	double		values;
	ListCell   *lc;

	if (kept >= 1)
		return list;
	values = values_of(root, to, relid);
	foreach(lc, ec->ec_members)
	{
		EquivalenceMember *from = lfirst(lc);
		int			other = member_relation(root, from);
		double		used = other && other != relid ?
		values_of(root, from, other) : 0;
		Reference  *reference;

		if (used <= 0 || used >= values)
			continue;
		reference = palloc(sizeof(Reference));
		reference->to = relid;
		reference->from = other;
		reference->growth = Min(values / used, 1 / kept);
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

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

/* Number of different values of a member. */
static double
values_of(PlannerInfo *root, EquivalenceMember *em)
{
	VariableStatData vardata;
	bool		guessed;
	double		n;

	examine_variable(root, (Node *) em->em_expr, 0, &vardata);
	n = get_variable_numdistinct(&vardata, &guessed);
	ReleaseVariableStats(vardata);
	return guessed ? 0 : n;
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
	values = values_of(root, to);
	foreach(lc, ec->ec_members)
	{
		EquivalenceMember *from = lfirst(lc);
		int			other = member_relation(root, from);
		double		used = other && other != relid ? values_of(root, from) : 0;
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

/* All references of a root, found once for each planning. */
static List *
references_of(const GlperfPricing *pricing)
{
	List	  **known = pricing->whatif->references;
	References *mine;
	ListCell   *lc;

	foreach(lc, *known)
	{
		mine = lfirst(lc);
		if (mine->root == pricing->here)
			return mine->list;
	}
	mine = palloc(sizeof(References));
	mine->root = pricing->here;
	mine->list = NIL;
	foreach(lc, mine->root->eq_classes)
	{
		EquivalenceClass *ec = lfirst(lc);
		ListCell   *lm;

		if (ec->ec_has_volatile || list_length(ec->ec_members) < 2)
			continue;
		foreach(lm, ec->ec_members)
			mine->list = note_references(mine->list, mine->root, ec,
										 lfirst(lm));
	}
	*known = lappend(*known, mine);
	return mine->list;
}

double
glperf_price_doubt(const GlperfPricing *pricing, RelOptInfo *rel)
{
	double		usual;
	double		growth = 1;
	Bitmapset  *counted = NULL;
	ListCell   *lc;

	if (pricing->growth <= 1 || rel->reloptkind != RELOPT_JOINREL)
		return 1;
	usual = pow(pricing->growth, bms_num_members(rel->relids) - 1);
	if (pricing->here == NULL || pricing->whatif == NULL)
		return usual;
	/* the first reference to a table is as good as any */
	foreach(lc, references_of(pricing))
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

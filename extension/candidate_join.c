/*
 * candidate_join.c
 *		One partial index where several statements ask for parts of it.
 *
 * A queue is asked for its pending entries, for its running ones, and for
 * both.  Each asks for a partial index of its own, and one, led by that column
 * and holding the rows of all of them, does the same work for less upkeep.
 */
#include "candidates.h"

#include "catalog/pg_am.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* Most constants that a joined predicate has. */
#define MAX_CONSTANTS		6

/* A predicate of the form column = constant, or = ANY (constants). */
typedef struct Choice
{
	Var		   *column;
	Oid			opno;			/* the equality of one element */
	Oid			collation;
	List	   *values;			/* Const *, each once */
} Choice;

/* The same constant? */
static bool
has_value(List *values, Const *value)
{
	ListCell   *lc;

	foreach(lc, values)
		if (equal(lfirst(lc), value))
		return true;
	return false;
}

/* The elements of an array constant; NIL when one is NULL. */
static List *
array_values(Const *array, Oid type)
{
	List	   *values = NIL;
	int16		len;
	bool		byval;
	char		align;
	Datum	   *elems;
	bool	   *nulls;
	int			n;

	if (array->constisnull)
		return NIL;
	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(array->constvalue), type, len, byval,
					  align, &elems, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		Const	   *value = makeConst(type, -1, array->constcollid, len,
									  elems[i], nulls[i], byval);

		if (nulls[i])
			return NIL;
		if (!has_value(values, value))
			values = lappend(values, value);
	}
	return values;
}

/* Take a definition's predicate apart; false when it has another form. */
static bool
read_choice(const GlperfIndexDef *def, Choice *choice)
{
	Node	   *clause = linitial(def->pred);
	Node	   *left;
	Node	   *right;

	if (list_length(def->pred) != 1)
		return false;
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) clause;

		left = linitial(op->args);
		right = lsecond(op->args);
		choice->opno = op->opno;
		choice->collation = op->inputcollid;
	}
	else if (IsA(clause, ScalarArrayOpExpr) &&
			 ((ScalarArrayOpExpr *) clause)->useOr)
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		left = linitial(op->args);
		right = lsecond(op->args);
		choice->opno = op->opno;
		choice->collation = op->inputcollid;
	}
	else
		return false;
	if (!IsA(left, Var) || !IsA(right, Const) ||
		((Const *) right)->constisnull)
		return false;
	choice->column = (Var *) left;
	/* the column's own equality, so that both sides have its type */
	if (choice->opno !=
		lookup_type_cache(choice->column->vartype, TYPECACHE_EQ_OPR)->eq_opr)
		return false;
	if (IsA(clause, OpExpr))
	{
		Const	   *value = copyObject((Const *) right);

		value->location = -1;
		value->consttypmod = -1;
		choice->values = list_make1(value);
		return value->consttype == choice->column->vartype;
	}
	choice->values = get_element_type(((Const *) right)->consttype) ==
		choice->column->vartype ?
		array_values((Const *) right, choice->column->vartype) : NIL;
	return choice->values != NIL;
}

/* Order of two constants, by their text: the same in every run. */
static int
compare_values(const ListCell *a, const ListCell *b)
{
	Const	   *ca = lfirst_node(Const, a);
	Const	   *cb = lfirst_node(Const, b);
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(ca->consttype, &output, &varlena);
	return strcmp(OidOutputFunctionCall(output, ca->constvalue),
				  OidOutputFunctionCall(output, cb->constvalue));
}

/* column = ANY (all of these values) */
static Node *
make_choice(const Choice *choice)
{
	Oid			type = choice->column->vartype;
	Oid			array_type = get_array_type(type);
	ScalarArrayOpExpr *op;
	Datum	   *elems;
	int16		len;
	bool		byval;
	char		align;
	int			n = 0;
	ListCell   *lc;

	if (!OidIsValid(array_type))
		return NULL;
	get_typlenbyvalalign(type, &len, &byval, &align);
	elems = palloc(sizeof(Datum) * list_length(choice->values));
	foreach(lc, choice->values)
		elems[n++] = lfirst_node(Const, lc)->constvalue;
	op = makeNode(ScalarArrayOpExpr);
	op->opno = choice->opno;
	op->opfuncid = get_opcode(choice->opno);
	op->useOr = true;
	op->inputcollid = choice->collation;
	op->args = list_make2(copyObject(choice->column),
						  makeConst(array_type, -1,
									get_typcollation(array_type), -1,
									PointerGetDatum(construct_array(elems, n,
																	type, len,
																	byval,
																	align)),
									false, false));
	op->location = -1;
	return (Node *) op;
}

/* Do two lists hold the same values? */
static bool
same_values(List *a, List *b)
{
	ListCell   *lc;

	if (list_length(a) != list_length(b))
		return false;
	foreach(lc, a)
		if (!has_value(b, lfirst(lc)))
		return false;
	return true;
}

/* Are these choices about the same column in the same way? */
static bool
same_column(const GlperfIndexDef *a, const Choice *ca,
			const GlperfIndexDef *b, const Choice *cb)
{
	return a->relid == b->relid && ca->column->varattno == cb->column->varattno &&
		ca->opno == cb->opno && ca->collation == cb->collation;
}

/* All values that candidates ask of the column of this one; NIL: too many. */
static List *
joined_values(const GlperfCandidates *set, const GlperfIndexDef *def,
			  const Choice *choice)
{
	List	   *values = list_copy(choice->values);

	for (int i = 0; i < set->n; i++)
	{
		Choice		other;
		ListCell   *lc;

		if (!set->items[i].supported || set->items[i].def->pred == NIL ||
			set->items[i].def->relid != def->relid ||
			!read_choice(set->items[i].def, &other) ||
			!same_column(def, choice, set->items[i].def, &other))
			continue;
		foreach(lc, other.values)
			if (!has_value(values, lfirst(lc)))
			values = lappend(values, lfirst(lc));
		/* there may be thousands, as where texts keep their constants */
		if (list_length(values) > MAX_CONSTANTS)
			return NIL;
	}
	list_sort(values, compare_values);
	return values;
}

/*
 * The predicate of a candidate that asks for just these values, so that the
 * two are seen to be alike; else a new one.
 */
static Node *
find_choice(const GlperfCandidates *set, const GlperfIndexDef *def,
			const Choice *choice)
{
	for (int i = 0; i < set->n; i++)
	{
		GlperfIndexDef *have = set->items[i].def;
		Choice		other;

		if (have->pred != NIL && have->relid == def->relid &&
			read_choice(have, &other) &&
			same_column(def, choice, have, &other) &&
			same_values(choice->values, other.values))
			return linitial(have->pred);
	}
	return make_choice(choice);
}

/* The definition, led by the column of the choice, with this predicate. */
static bool
lead_by_choice(const GlperfIndexDef *def, const Choice *choice, Node *pred,
			   GlperfIndexDef *joined)
{
	ListCell   *expr = list_head(def->exprs);

	memset(joined, 0, sizeof(GlperfIndexDef));
	joined->relid = def->relid;
	joined->expr_relid = def->expr_relid;
	joined->amoid = def->amoid;
	joined->pred = list_make1(pred);
	if (def->nkeys >= GLPERF_MAX_KEYS ||
		!glperf_index_def_append(joined, choice->column->varattno, InvalidOid,
								 InvalidOid, 0, false))
		return false;
	for (int i = 0; i < def->ncolumns; i++)
	{
		bool		ok = true;

		if (def->attnum[i] == choice->column->varattno)
			continue;
		if (i >= def->nkeys)
			ok = glperf_index_def_append(joined, def->attnum[i], InvalidOid,
										 InvalidOid, 0, true);
		else if (def->attnum[i] != 0)
			ok = glperf_index_def_append(joined, def->attnum[i],
										 def->opclass[i], def->collation[i],
										 def->option[i], false);
		else
		{
			ok = glperf_index_def_append_expr(joined, lfirst(expr),
											  def->opclass[i],
											  def->collation[i],
											  def->option[i]);
			expr = lnext(def->exprs, expr);
		}
		if (!ok)
			return false;
	}
	return true;
}

/* Join candidate number i with those like it; false: no room for more. */
static bool
join_one(GlperfCandidates *set, int i)
{
	GlperfHarvest nobody = {.set = set};

	/* not a copy: propose() may move the items, but not the definitions */
	GlperfIndexDef *def = set->items[i].def;
	Choice		choice;
	Choice		all;
	GlperfIndexDef joined;
	Node	   *pred;
	int			number;

	if (!set->items[i].supported || def->pred == NIL ||
		def->amoid != BTREE_AM_OID || !read_choice(def, &choice))
		return true;
	all = choice;
	all.values = joined_values(set, def, &choice);
	if (list_length(all.values) <= list_length(choice.values) &&
		def->attnum[0] == choice.column->varattno)
		return true;
	if (all.values == NIL || list_length(all.values) < 2)
		return true;
	pred = find_choice(set, def, &all);
	if (pred == NULL || !lead_by_choice(def, &choice, pred, &joined))
		return true;
	glperf_candidates_propose(&nobody, &joined, set->items[i].why);
	if (nobody.proposed == NIL)
		return false;			/* the limit on candidates */
	number = llast_int(nobody.proposed);
	set->items[number].supported = true;
	set->items[number].ordered |= set->items[i].ordered;
	return true;
}

void
glperf_candidates_join(GlperfCandidates *set)
{
	/* each is compared with all others, which leaves a lot behind */
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "glperf joined candidates",
												  ALLOCSET_DEFAULT_SIZES);
	int			n = set->n;

	for (int i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);
		bool		room;

		CHECK_FOR_INTERRUPTS();
		room = join_one(set, i);

		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		if (!room)
			break;
	}
	MemoryContextDelete(scratch);
}

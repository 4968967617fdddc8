/*
 * candidate_kinds.c
 *		Candidates that are not B-trees: GIN, BRIN and hash.
 *
 * GIN serves what a B-tree cannot: operators such as @> on arrays and jsonb, @@
 * on tsvector, LIKE '%x%' given pg_trgm.  Which operators those are is asked of
 * the catalogs, so that extensions' operator classes are found as well, in
 * whatever schema they are.  One GIN index over several columns finds the rows
 * that satisfy conditions on all of them without a bitmap for each; btree_gin
 * lets plain equalities be among those.  BRIN and hash only do what a B-tree does too, but
 * BRIN costs next to nothing to keep, and hash does not store the key.
 */
#include "candidates.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_coerce.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * BRIN: fewest blocks of the table, weakest order of its rows, most rewritten
 * rows per inserted one
 */
#define BRIN_MIN_BLOCKS		1024
#define BRIN_MIN_CORRELATION	0.9
#define BRIN_MAX_REWRITTEN	0.1
/* hash: narrowest key for which its entries are clearly the smaller ones */
#define HASH_MIN_WIDTH		40

/* GIN: most columns of one index, and most of those that are plain equalities */
#define GIN_COLUMNS			4
#define GIN_SCALARS			2

/* A column of a GIN index, with the operator classes that would do. */
typedef struct GinKey
{
	GlperfKey	key;
	List	   *classes;
} GinKey;

/* What the clauses of one table are looked through with. */
typedef struct KindsWalk
{
	GlperfHarvest *harvest;
	PlannerInfo *root;
	RelOptInfo *rel;
	Oid			relid;
	GinKey		gin[GIN_COLUMNS];	/* asked for together */
	int			ngin;
} KindsWalk;

/* Can an operator class index a column of this type? */
static bool
class_accepts(Form_pg_opclass class, Oid type)
{
	if (class->opcintype == ANYARRAYOID)
		return OidIsValid(get_base_element_type(type));
	return class->opcintype == type ||
		IsBinaryCoercible(type, class->opcintype);
}

/*
 * Operator classes of an access method that can search a type by an operator,
 * or put it in order by one.
 */
static List *
classes_of(Oid amoid, Oid type, Oid opno, char purpose)
{
	Relation	rel = table_open(OperatorClassRelationId, AccessShareLock);
	List	   *result = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, Anum_pg_opclass_opcmethod, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(amoid));
	scan = systable_beginscan(rel, OpclassAmNameNspIndexId, true, NULL, 1,
							  &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		Form_pg_opclass class = (Form_pg_opclass) GETSTRUCT(tup);

		if (class_accepts(class, type) &&
			SearchSysCacheExists3(AMOPOPID, ObjectIdGetDatum(opno),
								  CharGetDatum(purpose),
								  ObjectIdGetDatum(class->opcfamily)))
			result = lappend_oid(result, class->oid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

/* Operator classes of GIN that can search a type by an operator. */
static List *
gin_classes(Oid type, Oid opno)
{
	return classes_of(GIN_AM_OID, type, opno, AMOP_SEARCH);
}

/* Would a B-tree do, on the type's default order? */
static bool
is_btree_operator(Oid type, Oid opno)
{
	Oid			opclass = GetDefaultOpClass(type, BTREE_AM_OID);

	return OidIsValid(opclass) &&
		op_in_opfamily(opno, get_opclass_family(opclass));
}

/* LIKE, ILIKE and regular expressions, on text and the like. */
static bool
is_pattern_operator(Oid opno)
{
	char	   *name = get_opname(opno);

	return opno < FirstGenbkiObjectId && name &&
		(strcmp(name, "~~") == 0 || strcmp(name, "~~*") == 0 ||
		 strcmp(name, "~") == 0 || strcmp(name, "~*") == 0);
}

/* LIKE 'abc%': a B-tree finds that better. */
static bool
is_anchored(Oid opno, Node *pattern)
{
	char	   *body;

	if ((opno != OID_TEXT_LIKE_OP && opno != OID_BPCHAR_LIKE_OP) ||
		!IsA(pattern, Const) || ((Const *) pattern)->constisnull)
		return false;
	body = TextDatumGetCString(((Const *) pattern)->constvalue);
	return body[0] != '%' && body[0] != '_' && body[0] != '\0';
}

/* Append a key to a definition, if it can be one. */
static bool
append_key(GlperfIndexDef *def, const GlperfKey *key, Oid opclass)
{
	if (key->attnum != 0)
		return glperf_index_def_append(def, key->attnum, opclass,
									   key->collation, 0, false);
	return glperf_index_def_append_expr(def, key->expr, opclass,
										key->collation, 0);
}

/* Propose an index of another access method on one key. */
static void
propose_kind(KindsWalk *walk, Oid amoid, const GlperfKey *key, Oid opclass,
			 const char *why)
{
	GlperfIndexDef def = {.relid = walk->relid,.amoid = amoid};

	if (append_key(&def, key, opclass))
		glperf_candidates_propose(walk->harvest, &def, why);
}

/*
 * Remember a column that a GIN index would find, for one over several.  A
 * column that is asked for twice needs an operator class that does both.
 */
static void
note_gin_key(KindsWalk *walk, const GlperfKey *key, List *classes)
{
	if (key->attnum > 0)
		glperf_candidates_note(walk->harvest, walk->relid, key->attnum);
	for (int i = 0; i < walk->ngin; i++)
	{
		GinKey	   *other = &walk->gin[i];
		List	   *both = NIL;
		ListCell   *lc;

		if (other->key.attnum != key->attnum ||
			!equal(other->key.expr, key->expr))
			continue;
		foreach(lc, classes)
			if (list_member_oid(other->classes, lfirst_oid(lc)))
			both = lappend_oid(both, lfirst_oid(lc));
		if (both != NIL)
			other->classes = both;
		return;
	}
	if (walk->ngin < GIN_COLUMNS)
		walk->gin[walk->ngin++] = (GinKey)
	{
		*key, classes
	};
}

/* Column of a key for people; NULL for an expression. */
static char *
key_column(KindsWalk *walk, const GlperfKey *key)
{
	return key->attnum > 0 ? get_attname(walk->relid, key->attnum, false) :
		NULL;
}

/* A search that is neither served nor could be, unless something is done. */
static void
hint_trigrams(KindsWalk *walk, const GlperfKey *key, Oid type)
{
	char	   *column = key_column(walk, key);

	if (OidIsValid(get_extension_oid("pg_trgm", true)) ||
		TypeCategory(type) != TYPCATEGORY_STRING)
		return;
	glperf_candidates_hint(walk->harvest,
						   psprintf("searches %s for a pattern: CREATE EXTENSION pg_trgm would allow a trigram index for that",
									column ? quote_identifier(column) :
									"an expression"));
}

/* What GiST or SP-GiST would serve: that is not advised, but must be said. */
static void
hint_gist(KindsWalk *walk, const GlperfKey *key, Oid type, Oid opno,
		  char purpose)
{
	GlperfIndexDef def = {.relid = walk->relid,.amoid = GIST_AM_OID};
	char	   *column = key_column(walk, key);
	List	   *classes = classes_of(def.amoid, type, opno, purpose);

	if (classes == NIL)
	{
		def.amoid = SPGIST_AM_OID;
		classes = classes_of(def.amoid, type, opno, purpose);
	}
	if (classes == NIL || !append_key(&def, key, linitial_oid(classes)))
		return;
	glperf_candidates_hint(walk->harvest,
						   psprintf("%s %s with %s: an index USING %s (%s) would serve that, which is not advised; try it with glperf.whatif()",
									purpose == AMOP_SEARCH ? "searches" : "orders by",
									column ? quote_identifier(column) : "an expression",
									get_opname(opno), get_am_name(def.amoid),
									glperf_index_def_columns(&def)));
}

bool
glperf_is_distance(Node *expr)
{
	Oid			type;

	if (!IsA(expr, OpExpr) || list_length(((OpExpr *) expr)->args) != 2)
		return false;
	type = glperf_key_type(linitial(((OpExpr *) expr)->args));
	return classes_of(GIST_AM_OID, type, ((OpExpr *) expr)->opno,
					  AMOP_ORDER) != NIL;
}

/* ORDER BY key op value, as for the nearest ones. */
static void
take_order(KindsWalk *walk)
{
	EquivalenceClass *ec;
	ListCell   *lc;

	if (walk->root->sort_pathkeys == NIL)
		return;
	ec = linitial_node(PathKey, walk->root->sort_pathkeys)->pk_eclass;
	foreach(lc, ec->ec_members)
	{
		EquivalenceMember *em = lfirst(lc);
		OpExpr	   *op = (OpExpr *) em->em_expr;
		GlperfKey	key;

		if (IsA(op, OpExpr) && list_length(op->args) == 2 &&
			glperf_match_key(walk->root, walk->rel, walk->relid,
							 linitial(op->args), &key) &&
			bms_is_empty(pull_varnos(walk->root, lsecond(op->args))))
			hint_gist(walk, &key, glperf_key_type(linitial(op->args)),
					  op->opno, AMOP_ORDER);
	}
}

/* key op value: does a GIN index find it?  all: no other way leads to a row */
static void
take_operator(KindsWalk *walk, OpExpr *op, bool all)
{
	Node	   *left;
	Node	   *right;
	Oid			opno = op->opno;
	Oid			type;
	GlperfKey	key;
	List	   *classes;
	ListCell   *lc;

	if (list_length(op->args) != 2 || get_op_rettype(opno) != BOOLOID)
		return;
	left = linitial(op->args);
	right = lsecond(op->args);
	if (!glperf_match_key(walk->root, walk->rel, walk->relid, left, &key))
	{
		opno = get_commutator(opno);
		left = lsecond(op->args);
		right = linitial(op->args);
		if (!OidIsValid(opno) ||
			!glperf_match_key(walk->root, walk->rel, walk->relid, left, &key))
			return;
	}
	if (!bms_is_empty(pull_varnos(walk->root, right)) ||
		contain_volatile_functions(right))
		return;
	type = glperf_key_type(left);
	if (is_btree_operator(type, opno) || is_anchored(opno, right))
		return;
	glperf_key_set_collation(&key, left, op->inputcollid);
	classes = gin_classes(type, opno);
	if (all && classes != NIL)
		note_gin_key(walk, &key, classes);
	foreach(lc, classes)
		propose_kind(walk, GIN_AM_OID, &key, lfirst_oid(lc),
					 is_pattern_operator(opno) ?
					 "search for a pattern by its trigrams" :
					 psprintf("search inside of values by %s",
							  get_opname(opno)));
	if (classes == NIL && is_pattern_operator(opno))
		hint_trigrams(walk, &key, type);
	else if (classes == NIL)
		hint_gist(walk, &key, type, opno, AMOP_SEARCH);
}

/* value = ANY (column): no index does that as it is written. */
static void
take_array_operator(KindsWalk *walk, ScalarArrayOpExpr *op)
{
	GlperfKey	key;
	char	   *column;

	if (!op->useOr || strcmp(get_opname(op->opno), "=") != 0 ||
		!glperf_match_key(walk->root, walk->rel, walk->relid,
						  (Node *) lsecond(op->args), &key) ||
		!bms_is_empty(pull_varnos(walk->root, (Node *) linitial(op->args))))
		return;
	column = key_column(walk, &key);
	if (column == NULL)
		return;
	column = pstrdup(quote_identifier(column));
	glperf_candidates_hint(walk->harvest,
						   psprintf("asks for value = ANY (%s), which no index serves: %s @> ARRAY[value] says the same, and a GIN index on %s would serve that",
									column, column, column));
}

/* One condition, and what it is made of; all: every row has to satisfy it. */
static void
take_condition(KindsWalk *walk, Node *clause, bool all)
{
	if (IsA(clause, RestrictInfo))
		clause = (Node *) ((RestrictInfo *) clause)->clause;
	if (IsA(clause, OpExpr))
		take_operator(walk, (OpExpr *) clause, all);
	else if (IsA(clause, ScalarArrayOpExpr))
		take_array_operator(walk, (ScalarArrayOpExpr *) clause);
	else if (IsA(clause, BoolExpr) && ((BoolExpr *) clause)->boolop != NOT_EXPR)
	{
		ListCell   *lc;

		foreach(lc, ((BoolExpr *) clause)->args)
			take_condition(walk, (Node *) lfirst(lc), false);
	}
}

/* For qsort(): plain columns by number, then expressions. */
static int
compare_gin_keys(const void *a, const void *b)
{
	AttrNumber	x = ((const GinKey *) a)->key.attnum;
	AttrNumber	y = ((const GinKey *) b)->key.attnum;

	if (x == 0 || y == 0)
		return (x == 0) - (y == 0);
	return x - y;
}

/*
 * Propose one GIN index over all of these columns, in the same order whoever
 * asks: which comes first does not matter.  When the operator classes of one
 * differ in what they can do, each is tried.
 */
static void
propose_gin(KindsWalk *walk, const GinKey *wanted, int n)
{
	GinKey		keys[GIN_COLUMNS + GIN_SCALARS];
	int			varied = 0;

	if (n < 2)
		return;
	memcpy(keys, wanted, sizeof(GinKey) * n);
	qsort(keys, n, sizeof(GinKey), compare_gin_keys);
	for (int i = 1; i < n; i++)
		if (list_length(keys[i].classes) > list_length(keys[varied].classes))
			varied = i;
	for (int v = 0; v < list_length(keys[varied].classes); v++)
	{
		GlperfIndexDef def = {.relid = walk->relid,.amoid = GIN_AM_OID};
		bool		ok = true;

		for (int i = 0; i < n && ok; i++)
			ok = append_key(&def, &keys[i].key,
							list_nth_oid(keys[i].classes, i == varied ? v : 0));
		if (ok)
			glperf_candidates_propose(walk->harvest, &def,
									  "search inside of values, by all conditions at once");
	}
}

/* Operator classes of GIN that find equal values of a key, given btree_gin. */
static List *
scalar_classes(KindsWalk *walk, const GlperfKey *key)
{
	Oid			type = key->attnum != 0 ?
	get_atttype(walk->relid, key->attnum) : glperf_key_type(key->expr);
	Oid			opclass = GetDefaultOpClass(type, BTREE_AM_OID);
	Oid			input;

	if (OidIsValid(key->opclass) || key->attnum < 0 || !OidIsValid(opclass))
		return NIL;
	input = get_opclass_input_type(opclass);
	if (IsPolymorphicType(input))
		return NIL;
	return gin_classes(type, get_opfamily_member(get_opclass_family(opclass),
												 input, input,
												 BTEqualStrategyNumber));
}

/* GIN over several columns; scalars go with each of the others. */
static void
propose_gin_columns(KindsWalk *walk, const GlperfRelKeys *keys)
{
	GinKey		all[GIN_COLUMNS + GIN_SCALARS];
	int			scalars = 0;

	if (walk->ngin == 0)
		return;
	propose_gin(walk, walk->gin, walk->ngin);
	for (int i = 0; i < keys->neq && scalars < GIN_SCALARS; i++)
	{
		List	   *classes = scalar_classes(walk, &keys->eq[i]);

		if (classes != NIL)
			all[scalars++] = (GinKey)
		{
			keys->eq[i], classes
		};
	}
	if (scalars == 0)
		return;
	for (int i = 0; i < walk->ngin; i++)
	{
		all[scalars] = walk->gin[i];
		propose_gin(walk, all, scalars + 1);
	}
	memcpy(all + scalars, walk->gin, sizeof(GinKey) * walk->ngin);
	if (walk->ngin > 1)
		propose_gin(walk, all, scalars + walk->ngin);
}

/* How well the rows' places follow the order of a column, 0 to 1. */
static double
column_correlation(Oid relid, AttrNumber attnum, bool inherit)
{
	HeapTuple	tup = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
									  Int16GetDatum(attnum),
									  BoolGetDatum(inherit));
	AttStatsSlot slot;
	double		correlation = 0;

	if (!HeapTupleIsValid(tup))
		return 0;
	if (get_attstatsslot(&slot, tup, STATISTIC_KIND_CORRELATION, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		if (slot.nnumbers > 0)
			correlation = fabs(slot.numbers[0]);
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(tup);
	return correlation;
}

/* Do rows stay where they were put?  Yes when nothing is known. */
static bool
is_appended_to(Oid relid)
{
	Datum		table = ObjectIdGetDatum(relid);
	double		inserted = DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_inserted, table));
	double		rewritten = DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_updated, table)) +
	DatumGetInt64(DirectFunctionCall1(pg_stat_get_tuples_deleted, table));

	return rewritten <= BRIN_MAX_REWRITTEN * inserted;
}

/* Ranges of columns along which a big table grows. */
static void
propose_brin(KindsWalk *walk, const GlperfRelKeys *keys)
{
	bool		inherit = planner_rt_fetch(walk->rel->relid, walk->root)->inh;

	if (!inherit && (walk->rel->pages < BRIN_MIN_BLOCKS ||
					 !is_appended_to(walk->relid)))
		return;
	for (int i = 0; i < keys->nrange; i++)
	{
		const GlperfKey *key = &keys->range[i];

		if (key->attnum > 0 && !OidIsValid(key->opclass) &&
			column_correlation(walk->relid, key->attnum, inherit) >=
			BRIN_MIN_CORRELATION)
			propose_kind(walk, BRIN_AM_OID, key, InvalidOid,
						 "search by range in a table that grows in this order");
	}
}

/* Equality on long values, by which nothing is ordered. */
static void
propose_hash(KindsWalk *walk, const GlperfRelKeys *keys)
{
	for (int i = 0; i < keys->neq; i++)
	{
		const GlperfKey *key = &keys->eq[i];

		if (key->attnum <= 0 || OidIsValid(key->opclass) ||
			get_attavgwidth(walk->relid, key->attnum) < HASH_MIN_WIDTH)
			continue;
		propose_kind(walk, HASH_AM_OID, key, InvalidOid,
					 "search by equality of long values, which are not stored");
	}
}

void
glperf_candidates_kinds(GlperfHarvest *harvest, PlannerInfo *root,
						RelOptInfo *rel, const GlperfRelKeys *keys)
{
	KindsWalk	walk = {.harvest = harvest,.root = root,.rel = rel,
		.relid = keys->relid
	};
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
		take_condition(&walk, (Node *) lfirst(lc), true);
	propose_gin_columns(&walk, keys);
	take_order(&walk);
	propose_brin(&walk, keys);
	propose_hash(&walk, keys);
}

/*
 * candidates.c
 *		Which indexes are worth costing.
 *
 * Per statement and table, from what candidate_keys.c found: equality columns,
 * then the order to deliver or one range; join columns alone and behind the
 * equalities; each with the remaining columns INCLUDEd when they are few and
 * narrow; each again as a partial index where a condition keeps a small,
 * constant part.  Candidates have their full width from the start; selection
 * never grows them.
 */
#include "candidates.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Tables of fewer blocks are read whole faster than through any index. */
#define MIN_TABLE_BLOCKS	16
/* Included columns must be this much narrower than the table's rows. */
#define MAX_INCLUDE_SHARE	0.4
#define MAX_INCLUDE_COLUMNS	4

/* A list of keys under construction. */
typedef struct KeyList
{
	const GlperfKey *keys[GLPERF_MAX_KEYS];
	int			n;
} KeyList;

/* Append a key unless the list has it or is full. */
static void
push(KeyList *list, const GlperfKey *key)
{
	for (int i = 0; i < list->n; i++)
		if (list->keys[i]->attnum == key->attnum &&
			(key->attnum != 0 || equal(list->keys[i]->expr, key->expr)))
			return;
	if (list->n < GLPERF_MAX_KEYS)
		list->keys[list->n++] = key;
}

/* Append several, leaving out the column skip (0: none). */
static void
push_all(KeyList *list, const GlperfKey *keys, int n, AttrNumber skip)
{
	for (int i = 0; i < n; i++)
		if (skip == 0 || keys[i].attnum != skip)
			push(list, &keys[i]);
}

/* Number of an equal candidate, or -1. */
static int
find_candidate(const GlperfCandidates *set, const GlperfIndexDef *def)
{
	for (int i = 0; i < set->n; i++)
		if (glperf_index_def_equal(set->items[i].def, def))
			return i;
	return -1;
}

/* Add def, a throw-away definition, to the set and to what was proposed. */
static void
propose_one(GlperfHarvest *harvest, const GlperfIndexDef *def, bool ordered,
			const char *why)
{
	GlperfCandidates *set = harvest->set;
	int			i = find_candidate(set, def);
	MemoryContext old;

	if (i < 0)
	{
		GlperfIndexDef *copy;

		if (set->n >= set->limit)
		{
			set->overflowed = true;
			return;
		}
		old = MemoryContextSwitchTo(set->context);
		if (set->n == set->allocated)
		{
			set->allocated = Max(64, set->allocated * 2);
			if (set->items)
				set->items = repalloc(set->items, sizeof(GlperfCandidate) *
									  set->allocated);
			else
				set->items = palloc(sizeof(GlperfCandidate) * set->allocated);
		}
		copy = palloc(sizeof(GlperfIndexDef));
		*copy = *def;
		copy->exprs = copyObject(def->exprs);
		copy->pred = copyObject(def->pred);
		glperf_index_def_set_name(copy);
		i = set->n++;
		set->items[i].def = copy;
		set->items[i].why = pstrdup(why);
		set->items[i].supported = false;
		set->items[i].ordered = false;
		set->items[i].united = false;
		MemoryContextSwitchTo(old);
	}
	set->items[i].ordered |= ordered;
	old = MemoryContextSwitchTo(set->context);
	harvest->proposed = list_append_unique_int(harvest->proposed, i);
	MemoryContextSwitchTo(old);
}

/* The same; with INHERITS for each of the tables that have the rows. */
static void
propose(GlperfHarvest *harvest, const GlperfIndexDef *def, bool ordered,
		const char *why)
{
	ListCell   *lc;

	if (harvest->children == NIL)
		propose_one(harvest, def, ordered, why);
	foreach(lc, harvest->children)
	{
		const GlperfIndexDef *own = lfirst_oid(lc) == def->relid ? def :
		glperf_index_def_on_partition(def, lfirst_oid(lc));

		if (own != NULL)
			propose_one(harvest, own, ordered, why);
	}
}

void
glperf_candidates_propose(GlperfHarvest *harvest, GlperfIndexDef *def,
						  const char *why)
{
	propose(harvest, def, false, why);
	glperf_candidates_note(harvest, def->relid, InvalidAttrNumber);
}

void
glperf_candidates_note(GlperfHarvest *harvest, Oid relid, AttrNumber attnum)
{
	MemoryContext old = MemoryContextSwitchTo(harvest->set->context);
	List	   *tables = list_append_unique_oid(list_copy(harvest->children),
												relid);
	ListCell   *lc;

	/* an index on a partitioned ancestor serves as well as one on the table */
	if (get_rel_relispartition(relid))
		tables = list_concat(tables, get_partition_ancestors(relid));
	foreach(lc, tables)
	{
		Oid			table = lfirst_oid(lc);

		harvest->tables = list_append_unique_oid(harvest->tables, table);
		if (attnum <= 0 && table != relid)
			continue;
		harvest->columns = lappend_oid(harvest->columns, table);
		harvest->columns =
			lappend_oid(harvest->columns, table == relid ? (Oid) attnum :
						(Oid) get_attnum(table, get_attname(relid, attnum,
															false)));
	}
	MemoryContextSwitchTo(old);
}

void
glperf_candidates_hint(GlperfHarvest *harvest, const char *hint)
{
	MemoryContext old = MemoryContextSwitchTo(harvest->set->context);
	ListCell   *lc;

	foreach(lc, harvest->hints)
		if (strcmp((char *) lfirst(lc), hint) == 0)
		break;
	if (lc == NULL)
		harvest->hints = lappend(harvest->hints, pstrdup(hint));
	MemoryContextSwitchTo(old);
}

/* Is attnum one of the definition's columns already? */
static bool
holds(const GlperfIndexDef *def, AttrNumber attnum)
{
	for (int i = 0; i < def->ncolumns; i++)
		if (def->attnum[i] == attnum)
			return true;
	return false;
}

/* The definition with every needed column included, if that is sensible. */
static void
propose_covering(GlperfHarvest *harvest, const Bitmapset *needed,
				 const GlperfIndexDef *base, RelOptInfo *rel, bool ordered,
				 const char *why)
{
	GlperfIndexDef def = *base;
	double		width = 0;
	double		row_width = 24;
	int			attnum = -1;

	/* how wide the columns of children are, their parent does not tell */
	if (needed == NULL || base->exprs != NIL || harvest->children != NIL)
		return;
	for (AttrNumber a = 1; a <= rel->max_attr; a++)
		row_width += Max(0, get_attavgwidth(base->relid, a));
	while ((attnum = bms_next_member(needed, attnum)) >= 0)
	{
		if (holds(&def, attnum))
			continue;
		width += Max(4, get_attavgwidth(base->relid, attnum));
		if (def.ncolumns - def.nkeys >= MAX_INCLUDE_COLUMNS ||
			def.ncolumns >= GLPERF_MAX_COLUMNS ||
			width > row_width * MAX_INCLUDE_SHARE)
			return;
		glperf_index_def_append(&def, attnum, InvalidOid, InvalidOid, 0, true);
	}
	if (def.ncolumns > base->ncolumns)
		propose(harvest, &def, ordered,
				psprintf("%s, without visiting the table", why));
}

/* Are all of these columns in the definition? */
static bool
holds_all(const GlperfIndexDef *def, const Bitmapset *columns)
{
	int			attnum = -1;

	while ((attnum = bms_next_member(columns, attnum)) >= 0)
		if (!holds(def, attnum))
			return false;
	return columns != NULL;
}

/* Propose an index on these keys, with a predicate or without. */
static void
emit(GlperfHarvest *harvest, const GlperfRelKeys *keys, RelOptInfo *rel,
	 const KeyList *list, const GlperfPredicate *pred, const char *why)
{
	GlperfIndexDef def = {0};
	bool		ordered = false;

	if (list->n == 0)
		return;
	def.relid = keys->relid;
	def.amoid = BTREE_AM_OID;
	if (pred)
		def.pred = make_ands_implicit((Expr *) pred->clause);
	for (int i = 0; i < list->n; i++)
	{
		const GlperfKey *key = list->keys[i];
		bool		ok;

		for (int o = 0; o < keys->norder; o++)
			if (key == &keys->order[o])
				ordered = true;
		if (key->attnum != 0)
			ok = glperf_index_def_append(&def, key->attnum, key->opclass,
										 key->collation, key->option, false);
		else
			ok = glperf_index_def_append_expr(&def, key->expr, key->opclass,
											  key->collation, key->option);
		if (!ok)
			return;
	}
	if (!pred || !pred->excludes || holds_all(&def, pred->needed))
		propose(harvest, &def, ordered, why);
	propose_covering(harvest, pred ? pred->needed : keys->needed, &def, rel,
					 ordered, why);
}

/* Equality columns, most distinct first, so that prefixes serve others. */
static int
compare_distinct(const void *a, const void *b)
{
	const GlperfKey *ka = a;
	const GlperfKey *kb = b;

	if (ka->distinct != kb->distinct)
		return ka->distinct > kb->distinct ? -1 : 1;
	return ka->attnum - kb->attnum;
}

/* Search conditions: equalities, IN lists, one range. */
static void
emit_search(GlperfHarvest *harvest, const GlperfRelKeys *keys,
			RelOptInfo *rel, const GlperfPredicate *pred)
{
	AttrNumber	skip = pred ? pred->attnum : 0;
	KeyList		base = {.n = 0};
	KeyList		list;

	push_all(&base, keys->eq, keys->neq, skip);
	push_all(&base, keys->in, keys->nin, skip);
	emit(harvest, keys, rel, &base, pred, "search by equality");
	for (int i = 0; i < keys->nrange && i < 3; i++)
	{
		list = base;
		if (skip != 0 && keys->range[i].attnum == skip)
			continue;
		push(&list, &keys->range[i]);
		emit(harvest, keys, rel, &list, pred, "search by equality and range");
		if (base.n > 0 && pred == NULL)
		{
			list.n = 0;
			push(&list, &keys->range[i]);
			emit(harvest, keys, rel, &list, pred, "search by range");
		}
	}
	if (base.n > 1 && pred == NULL)
		for (int i = 0; i < base.n; i++)
		{
			list.n = 0;
			push(&list, base.keys[i]);
			emit(harvest, keys, rel, &list, pred, "search by equality");
		}
}

/* Orders: behind the equalities, behind IN lists, and alone. */
static void
emit_order(GlperfHarvest *harvest, const GlperfRelKeys *keys,
		   RelOptInfo *rel, const GlperfPredicate *pred)
{
	AttrNumber	skip = pred ? pred->attnum : 0;
	KeyList		list = {.n = 0};

	if (keys->norder == 0)
		return;
	for (int i = 0; i < keys->neq; i++)
		if (!keys->eq[i].is_null)
			push_all(&list, &keys->eq[i], 1, skip);
	if (list.n > 0)
	{
		push_all(&list, keys->order, keys->norder, 0);
		emit(harvest, keys, rel, &list, pred,
			 "search by equality, rows come out in order");
	}
	list.n = 0;
	push_all(&list, keys->order, keys->norder, 0);
	emit(harvest, keys, rel, &list, pred, "rows come out in order");
	if (keys->nin > 0)
	{
		push_all(&list, keys->in, keys->nin, skip);
		emit(harvest, keys, rel, &list, pred,
			 "rows come out in order and are filtered in the index");
	}
}

/* Join columns: alone, and with equalities, a range or the order. */
static void
emit_joins(GlperfHarvest *harvest, const GlperfRelKeys *keys,
		   RelOptInfo *rel, const GlperfPredicate *pred)
{
	AttrNumber	skip = pred ? pred->attnum : 0;

	for (int i = 0; i < keys->njoin && i < 4; i++)
	{
		const GlperfKey *join = &keys->join[i];
		KeyList		list = {.n = 0};

		push(&list, join);
		emit(harvest, keys, rel, &list, pred, "look up by join column");
		if (keys->neq > 0)
		{
			push_all(&list, keys->eq, keys->neq, skip);
			emit(harvest, keys, rel, &list, pred,
				 "look up by join column and equality");
			list.n = 0;
			push_all(&list, keys->eq, keys->neq, skip);
			push(&list, join);
			emit(harvest, keys, rel, &list, pred,
				 "search by equality, look up by join column");
		}
		if (keys->nrange > 0)
		{
			list.n = 0;
			push(&list, join);
			push(&list, &keys->range[0]);
			emit(harvest, keys, rel, &list, pred,
				 "look up by join column and range");
		}
		if (keys->norder > 0)
		{
			list.n = 0;
			push(&list, join);
			push_all(&list, keys->order, keys->norder, 0);
			emit(harvest, keys, rel, &list, pred,
				 "look up by join column, rows come out in order");
		}
	}
	if (keys->njoin > 1)
	{
		KeyList		list = {.n = 0};

		push_all(&list, keys->join, keys->njoin, skip);
		emit(harvest, keys, rel, &list, pred, "look up by join columns");
	}
}

/* All candidates for one table of one statement. */
static void
generate(GlperfHarvest *harvest, GlperfRelKeys *keys, RelOptInfo *rel)
{
	qsort(keys->eq, keys->neq, sizeof(GlperfKey), compare_distinct);
	emit_search(harvest, keys, rel, NULL);
	emit_order(harvest, keys, rel, NULL);
	emit_joins(harvest, keys, rel, NULL);
	for (int p = 0; p < keys->npreds; p++)
	{
		const GlperfPredicate *pred = &keys->preds[p];
		KeyList		own = {.n = 0};
		GlperfKey	key = {.attnum = pred->attnum};

		emit_search(harvest, keys, rel, pred);
		emit_order(harvest, keys, rel, pred);
		emit_joins(harvest, keys, rel, pred);
		if (pred->attnum == 0)
			continue;
		push(&own, &key);
		emit(harvest, keys, rel, &own, pred,
			 "holds only the rows that are asked for");
	}
}

/* Note the columns that an index of use to this statement would lead with. */
static void
note_columns(GlperfHarvest *harvest, const GlperfRelKeys *keys)
{
	const GlperfKey *lists[] = {keys->eq, keys->in, keys->range, keys->join,
	keys->order};
	int			lengths[] = {keys->neq, keys->nin, keys->nrange, keys->njoin,
	keys->norder};

	glperf_candidates_note(harvest, keys->relid, InvalidAttrNumber);
	for (size_t l = 0; l < lengthof(lists); l++)
		for (int i = 0; i < lengths[l]; i++)
			glperf_candidates_note(harvest, keys->relid, lists[l][i].attnum);
}

/* Is it one of our own, whose indexes come with the extension? */
static bool
is_own_table(Oid relid)
{
	return get_rel_namespace(relid) == get_namespace_oid("glperf", true);
}

/* Note a table of people's that is read faster than any index of it. */
static void
note_small(GlperfHarvest *harvest, RelOptInfo *rel, RangeTblEntry *rte)
{
	MemoryContext old;

	if (rte->relid < FirstNormalObjectId || rte->inh ||
		(rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW) ||
		rel->pages >= MIN_TABLE_BLOCKS || is_own_table(rte->relid) ||
		isAnyTempNamespace(get_rel_namespace(rte->relid)))
		return;
	old = MemoryContextSwitchTo(harvest->set->context);
	harvest->small = list_append_unique_oid(harvest->small, rte->relid);
	MemoryContextSwitchTo(old);
}

/* Tables under a parent of plain inheritance, it too, worth an index. */
static List *
find_children(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, root->append_rel_list)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);
		RelOptInfo *child = root->simple_rel_array[info->child_relid];
		RangeTblEntry *rte = planner_rt_fetch(info->child_relid, root);

		if (info->parent_relid == rel->relid && child != NULL &&
			!IS_DUMMY_REL(child) && rte->relkind == RELKIND_RELATION &&
			child->pages >= MIN_TABLE_BLOCKS)
			result = lappend_oid(result, rte->relid);
	}
	return result;
}

/* Could this table get an index that is worth anything? */
static bool
worth_indexing(GlperfHarvest *harvest, RelOptInfo *rel, RangeTblEntry *rte)
{
	if (rte->relid < FirstNormalObjectId || is_own_table(rte->relid) ||
		isAnyTempNamespace(get_rel_namespace(rte->relid)))
		return false;
	if (rte->relkind == RELKIND_PARTITIONED_TABLE)
		return rte->inh;
	if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW)
		return false;
	return rte->inh ? harvest->children != NIL :
		rel->pages >= MIN_TABLE_BLOCKS;
}

void
glperf_candidates_harvest(void *arg, PlannerInfo *root, RelOptInfo *rel,
						  RangeTblEntry *rte)
{
	GlperfHarvest *harvest = arg;
	GlperfRelKeys keys;
	ListCell   *lc;

	/* partitions are dealt with at the root of their tree */
	if (rel->reloptkind != RELOPT_BASEREL)
		return;
	harvest->reads = true;
	harvest->catalog |= rte->relid < FirstNormalObjectId;
	harvest->own |= is_own_table(rte->relid);
	harvest->temporary |= isAnyTempNamespace(get_rel_namespace(rte->relid));

	/*
	 * an index on a parent of plain inheritance has none of its children's
	 * rows
	 */
	harvest->children = rte->inh && rte->relkind == RELKIND_RELATION ?
		find_children(root, rel) : NIL;
	if (!worth_indexing(harvest, rel, rte))
	{
		note_small(harvest, rel, rte);
		return;
	}
	harvest->big = true;
	if (glperf_rel_keys(root, rel, rte->relid, &keys))
	{
		note_columns(harvest, &keys);
		generate(harvest, &keys, rel);
	}
	glperf_candidates_kinds(harvest, root, rel, &keys);
	foreach(lc, glperf_or_keys(root, rel, rte->relid))
	{
		note_columns(harvest, (GlperfRelKeys *) lfirst(lc));
		emit_search(harvest, (GlperfRelKeys *) lfirst(lc), rel, NULL);
	}
}

/* Does the statement look for a plain column of a table? */
static bool
asks_for(const GlperfHarvest *harvest, Oid relid, AttrNumber attnum)
{
	for (int c = 0; c + 1 < list_length(harvest->columns); c += 2)
		if (attnum != 0 &&
			list_nth_oid(harvest->columns, c) == relid &&
			list_nth_oid(harvest->columns, c + 1) == (Oid) attnum)
			return true;
	return false;
}

bool
glperf_candidate_relevant(const GlperfHarvest *harvest, int i)
{
	const GlperfIndexDef *def = harvest->set->items[i].def;

	if (list_member_int(harvest->proposed, i))
		return true;
	if (!list_member_oid(harvest->tables, def->relid))
		return false;
	/* GIN is searched by any of its columns, the others by the first */
	for (int c = 0; c < (def->amoid == GIN_AM_OID ? def->nkeys : 1); c++)
		if (asks_for(harvest, def->relid, def->attnum[c]))
			return true;
	return false;
}

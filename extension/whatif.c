/*
 * whatif.c
 *		Planning with indexes that do not exist.
 *
 * The planner asks every relation for its indexes; a hook that is live only
 * while glperf_whatif_plan() runs adds IndexOptInfos of our own making.  They
 * are marked hypothetical (endpoint probes and BRIN, GIN metapage reads skip
 * them), never unique (the planner would remove joins on the strength of it)
 * and carry a tree height (without one descents would be free).
 *
 * Their OIDs count down from the top of the OID range, where a server's
 * counter comes only after four billion objects; nobody looks whether it has.
 * They exist inside one planner call alone, in plans that nobody executes.
 *
 * See plancat.c, get_relation_info() for what an IndexOptInfo holds.
 */
#include "whatif.h"

#include <math.h>

#include "access/amapi.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "access_cost.h"
#include "bitset.h"
#include "glperf.h"
#include "guc.h"
#include "plan_price.h"
#include "statement.h"
#include "statistics_advice.h"
#include "table_writes.h"
#include "whatif_access.h"
#include "whatif_stats.h"

/* first of the OIDs given to made-up indexes; they count down from here */
#define WHATIF_FIRST_OID	((Oid) 0xFFFFFF00)

/* What planning one statement may take of memory. */
#define MAX_PLAN_MB			1024

static GlperfWhatif *active = NULL;

static planner_hook_type prev_planner = NULL;
static set_rel_pathlist_hook_type prev_set_rel_pathlist = NULL;
static set_join_pathlist_hook_type prev_set_join_pathlist = NULL;
static create_upper_paths_hook_type prev_create_upper_paths = NULL;

/* The OID of definition number i. */
static inline Oid
whatif_oid(int i)
{
	return WHATIF_FIRST_OID - (Oid) i;
}

int
glperf_whatif_index_number(const GlperfWhatif *whatif, Oid index)
{
	if (whatif == NULL || index > WHATIF_FIRST_OID ||
		index <= WHATIF_FIRST_OID - (Oid) whatif->ndefs)
		return -1;
	return (int) (WHATIF_FIRST_OID - index);
}

const GlperfIndexDef *
glperf_whatif_definition(const GlperfWhatif *whatif, Oid index)
{
	int			number = glperf_whatif_index_number(whatif, index);

	return number < 0 ? NULL : whatif->defs[number];
}

int
glperf_whatif_next(const GlperfWhatif *whatif, int i)
{
	return whatif->enabled ? bitset_next(whatif->enabled, i, whatif->ndefs) : i;
}

const GlperfWhatif *
glperf_whatif_active(void)
{
	return active;
}

bool
glperf_whatif_applies(const GlperfIndexDef *def, Oid table)
{
	if (def->relid == table)
		return true;
	/* asked for every definition and statistic of a table in a row */
	if (active->last_table != table)
	{
		MemoryContext old = MemoryContextSwitchTo(active->context);

		list_free(active->last_ancestors);
		active->last_ancestors = get_rel_relispartition(table) ?
			get_partition_ancestors(table) : NIL;
		active->last_table = table;
		MemoryContextSwitchTo(old);
	}
	return list_member_oid(active->last_ancestors, def->relid);
}

Oid
glperf_whatif_table(const GlperfWhatif *whatif, RelOptInfo *rel)
{
	/* mostly asked for the last one; there may be hundreds of partitions */
	for (int i = list_length(whatif->rels) - 1; i >= 0; i--)
		if (list_nth(whatif->rels, i) == rel)
			return list_nth_oid(whatif->tables, i);
	return InvalidOid;
}

/* A copy of a definition's expressions fit for relation number varno. */
static List *
adapt_exprs(List *exprs, Index varno)
{
	List	   *result = copyObject(exprs);

	if (varno != 1)
		ChangeVarNodes((Node *) result, 1, varno, 0);
	return result;
}

/* Target list that tells the planner what the index columns hold. */
static List *
index_tlist(IndexOptInfo *info, Oid table)
{
	List	   *tlist = NIL;
	ListCell   *expr = list_head(info->indexprs);

	for (int i = 0; i < info->ncolumns; i++)
	{
		Expr	   *column;

		if (info->indexkeys[i] != 0)
		{
			Oid			type;
			int32		typmod;
			Oid			collation;

			get_atttypetypmodcoll(table, info->indexkeys[i], &type, &typmod,
								  &collation);
			column = (Expr *) makeVar(info->rel->relid, info->indexkeys[i],
									  type, typmod, collation, 0);
		}
		else
		{
			column = (Expr *) lfirst(expr);
			expr = lnext(info->indexprs, expr);
		}
		tlist = lappend(tlist, makeTargetEntry(column, i + 1, NULL, false));
	}
	return tlist;
}

/* Copy what the planner needs of the access method's description. */
static void
set_am_fields(IndexOptInfo *info, const IndexAmRoutine *am)
{
	info->amcanorderbyop = am->amcanorderbyop;
	info->amoptionalkey = am->amoptionalkey;
	info->amsearcharray = am->amsearcharray;
	info->amsearchnulls = am->amsearchnulls;
	info->amhasgettuple = am->amgettuple != NULL;
	info->amhasgetbitmap = am->amgetbitmap != NULL;
	info->amcanparallel = am->amcanparallel;
	info->amcanmarkpos = am->ammarkpos != NULL && am->amrestrpos != NULL;
	info->amcostestimate = am->amcostestimate;
}

/*
 * Size of the part of the index that belongs to this relation.  Once an index
 * of its own is built, its pages are counted, however many rows the planner
 * believes in.
 */
static void
set_size(IndexOptInfo *info, const GlperfIndexDef *def, RelOptInfo *rel,
		 bool own)
{
	double		scale = 1.0;
	bool		counted = active->as_built && own;

	if (def->rows > 0)
		scale = rel->tuples / def->rows;
	info->tuples = Min(rel->tuples, clamp_row_est(def->tuples * scale));
	info->pages = (BlockNumber) Max(1.0, ceil(def->pages * (counted ? 1.0 : scale)));
	info->tree_height = info->relam == BTREE_AM_OID ? def->height : -1;
}

/*
 * The planner's view of definition number i for rel, or NULL when the
 * definition does not fit (a partition without one of the columns).
 */
static IndexOptInfo *
make_index_info(int i, const GlperfIndexDef *def, Oid table, RelOptInfo *rel)
{
	IndexOptInfo *info = makeNode(IndexOptInfo);
	const IndexAmRoutine *am = GetIndexAmRoutineByAmId(def->amoid, false);

	if (def->relid != table)
		def = glperf_index_def_on_partition(def, table);
	if (def == NULL)
		return NULL;
	info->indexoid = whatif_oid(i);
	info->rel = rel;
	info->relam = def->amoid;
	info->ncolumns = def->ncolumns;
	info->nkeycolumns = def->nkeys;
	info->indexkeys = palloc(sizeof(int) * def->ncolumns);
	info->canreturn = palloc(sizeof(bool) * def->ncolumns);
	info->indexcollations = palloc(sizeof(Oid) * def->nkeys);
	info->opfamily = palloc(sizeof(Oid) * def->nkeys);
	info->opcintype = palloc(sizeof(Oid) * def->nkeys);
	info->opclassoptions = palloc0(sizeof(bytea *) * def->nkeys);
	for (int c = 0; c < def->ncolumns; c++)
	{
		info->indexkeys[c] = def->attnum[c];
		/* other access methods ask the index's metapage or opclass */
		info->canreturn[c] = def->amoid == BTREE_AM_OID;
	}
	for (int c = 0; c < def->nkeys; c++)
	{
		info->indexcollations[c] = def->collation[c];
		info->opfamily[c] = def->opfamily[c];
		info->opcintype[c] = def->opcintype[c];
	}
	if (am->amcanorder && def->amoid == BTREE_AM_OID)
	{
		info->sortopfamily = info->opfamily;
		info->reverse_sort = palloc(sizeof(bool) * def->nkeys);
		info->nulls_first = palloc(sizeof(bool) * def->nkeys);
		for (int c = 0; c < def->nkeys; c++)
		{
			info->reverse_sort[c] = (def->option[c] & INDOPTION_DESC) != 0;
			info->nulls_first[c] =
				(def->option[c] & INDOPTION_NULLS_FIRST) != 0;
		}
	}
	set_am_fields(info, am);
	if (def->amoid == GIN_AM_OID)
		info->amcostestimate = glperf_gin_cost;
	else if (def->amoid == BRIN_AM_OID)
		info->amcostestimate = glperf_brin_cost;
	info->reltablespace = def->tablespace;
	info->indexprs = adapt_exprs(def->exprs, rel->relid);
	info->indpred = adapt_exprs(def->pred, rel->relid);
	info->indextlist = index_tlist(info, table);
	info->immediate = true;
	info->hypothetical = true;
	set_size(info, def, rel, active->defs[i]->relid == table);
	return info;
}

/*
 * Let the planner know of an index without looking at it: no clause implies
 * FALSE, and a partial index that is not known to be usable is passed over.
 */
static void
mute(IndexOptInfo *info)
{
	info->indpred = lcons(makeBoolConst(false, false), info->indpred);
}

List *
glperf_whatif_reveal(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *revealed = NIL;
	List	   *rest = NIL;
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *info = (IndexOptInfo *) lfirst(lc);

		if (glperf_whatif_index_number(active, info->indexoid) < 0)
		{
			rest = lappend(rest, info);
			continue;
		}
		info->indpred = list_delete_first(info->indpred);
		revealed = lappend(revealed, info);
	}
	rel->indexlist = revealed;
	check_index_predicates(root, rel);
	rel->indexlist = rest;
	return revealed;
}

/* Remove the indexes that this call pretends were dropped. */
static void
hide_indexes(RelOptInfo *rel)
{
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *info = (IndexOptInfo *) lfirst(lc);

		for (int i = 0; i < active->nhidden; i++)
			if (info->indexoid == active->hidden[i])
			{
				rel->indexlist = foreach_delete_current(rel->indexlist, lc);
				break;
			}
	}
}

/* Count on no more all-visible pages than there will be between two VACUUMs. */
static void
limit_visible(Oid table, RelOptInfo *rel)
{
	if (!glperf_table_at_rest(table, rel->tuples))
		rel->allvisfrac = Min(rel->allvisfrac, active->max_visible);
}

/*
 * CREATE INDEX leaves in pg_class how many rows and all-visible pages it has
 * seen: what was known of them may be old.
 */
static void
recount(const GlperfIndexDef *def, Oid table, RelOptInfo *rel)
{
	Relation	heap = table_open(table, NoLock);
	BlockNumber visible;

	if (!glperf_create_index_counts(heap))
	{
		table_close(heap, NoLock);
		return;
	}
	visibilitymap_count(heap, &visible, NULL);
	table_close(heap, NoLock);
	rel->allvisfrac = rel->pages == 0 ? 0 :
		Min(1.0, (double) visible / rel->pages);
	if (def->relid == table)
		rel->tuples = def->rows;
}

/* Show rel the made-up indexes of its table. */
static void
add_indexes(Oid table, bool inhparent, RelOptInfo *rel)
{
	if (active == NULL || inhparent)
		return;
	hide_indexes(rel);
	glperf_statistics_attach(active->statistics, table, rel);
	if (active->max_visible > 0)
		limit_visible(table, rel);
	for (int i = glperf_whatif_next(active, 0); i < active->ndefs;
		 i = glperf_whatif_next(active, i + 1))
	{
		IndexOptInfo *info;

		if (!glperf_whatif_applies(active->defs[i], table))
			continue;
		if (active->as_built)
			recount(active->defs[i], table, rel);
		info = make_index_info(i, active->defs[i], table, rel);
		if (info == NULL)
			continue;
		if (active->collect)
			mute(info);
		rel->indexlist = lappend(rel->indexlist, info);
	}
}

#ifdef GLPERF_HAVE_BUILD_SIMPLE_REL_HOOK
static build_simple_rel_hook_type prev_build_simple_rel = NULL;

/* From 19 on: called for every kind of range table entry. */
static void
whatif_build_simple_rel(PlannerInfo *root, RelOptInfo *rel,
						RangeTblEntry *rte)
{
	if (prev_build_simple_rel)
		prev_build_simple_rel(root, rel, rte);
	if (rte->rtekind == RTE_RELATION)
		add_indexes(rte->relid, rte->inh, rel);
}
#else
static get_relation_info_hook_type prev_get_relation_info = NULL;

/* Up to 18: called for relations only. */
static void
whatif_get_relation_info(PlannerInfo *root, Oid table, bool inhparent,
						 RelOptInfo *rel)
{
	if (prev_get_relation_info)
		prev_get_relation_info(root, table, inhparent, rel);
	add_indexes(table, inhparent, rel);
}
#endif

/* Let the caller look at a relation whose clauses are all known. */
static void
whatif_set_rel_pathlist(PlannerInfo *root, RelOptInfo *rel, Index rti,
						RangeTblEntry *rte)
{
	if (prev_set_rel_pathlist)
		prev_set_rel_pathlist(root, rel, rti, rte);
	if (active && active->statistics)
		glperf_statistics_correct(active->statistics, &active->corrections,
								  root, rel, rte);
	if (active && active->harvest && rte->rtekind == RTE_RELATION)
		active->harvest(active->harvest_arg, root, rel, rte);
	if (active && active->matrix && rte->rtekind == RTE_RELATION)
	{
		active->rels = lappend(active->rels, rel);
		active->tables = lappend_oid(active->tables, rte->relid);
		/* what is proved empty is not read, and its pages are not counted */
		if (active->collect && rel->indexlist != NIL &&
			rel->pathlist != NIL && !rte->inh && !IS_DUMMY_REL(rel) &&
			rte->tablesample == NULL)
			glperf_access_collect(active->matrix, active,
								  list_length(active->rels) - 1, root, rel);
	}
}

/*
 * Give up planning whose joins take too much memory: the server may not have
 * it, and giving it back would hold up the answer to a cancel.
 */
static void
whatif_set_join_pathlist(PlannerInfo *root, RelOptInfo *join,
						 RelOptInfo *outer, RelOptInfo *inner, JoinType type,
						 JoinPathExtraData *extra)
{
	if (prev_set_join_pathlist)
		prev_set_join_pathlist(root, join, outer, inner, type, extra);
	if (active)
		glperf_price_note_joins(active, root);
	if (active && MemoryContextMemAllocated(CurrentMemoryContext, false) >
		MAX_PLAN_MB * (Size) 1024 * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("planning took more than %d MB of memory",
						MAX_PLAN_MB),
				 errhint("Lower join_collapse_limit or from_collapse_limit, or turn geqo on.")));
}

/*
 * Planning runs functions, and those may run SQL: its plans are executed and
 * kept, so it must see the truth.  (glperf_whatif_plan() itself does not come
 * through here.)
 */
static PlannedStmt *
whatif_planner(GLPERF_PLANNER_PARAMS)
{
	planner_hook_type next = prev_planner ? prev_planner : standard_planner;
	GlperfWhatif *saved = active;
	PlannedStmt *plan;

	if (active == NULL)
		return next(GLPERF_PLANNER_ARGS);
	active = NULL;
	PG_TRY();
	{
		plan = next(GLPERF_PLANNER_ARGS);
	}
	PG_FINALLY();
	{
		active = saved;
	}
	PG_END_TRY();
	return plan;
}

/* Remember where the plan's final paths are. */
static void
whatif_create_upper_paths(PlannerInfo *root, UpperRelationKind stage,
						  RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (prev_create_upper_paths)
		prev_create_upper_paths(root, stage, input, output, extra);
	if (active && active->matrix && stage == UPPERREL_FINAL &&
		root->parent_root == NULL)
	{
		active->final_rel = output;
		active->final_root = root;
	}
}

void
glperf_whatif_init(void)
{
	prev_create_upper_paths = create_upper_paths_hook;
	create_upper_paths_hook = whatif_create_upper_paths;
	prev_planner = planner_hook;
	planner_hook = whatif_planner;
#ifdef GLPERF_HAVE_BUILD_SIMPLE_REL_HOOK
	prev_build_simple_rel = build_simple_rel_hook;
	build_simple_rel_hook = whatif_build_simple_rel;
#else
	prev_get_relation_info = get_relation_info_hook;
	get_relation_info_hook = whatif_get_relation_info;
#endif
	prev_set_rel_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = whatif_set_rel_pathlist;
	prev_set_join_pathlist = set_join_pathlist_hook;
	set_join_pathlist_hook = whatif_set_join_pathlist;
	glperf_whatif_stats_init();
}

PlannedStmt *
glperf_whatif_plan(GlperfWhatif *whatif, Query *query, const char *text,
				   int cursor_options, ParamListInfo params)
{
	GlperfWhatif *saved = active;
	PlannedStmt *plan;

	/* the planner scribbles on its input */
	query = copyObject(query);
	whatif->context = CurrentMemoryContext;
	whatif->last_table = InvalidOid;
	whatif->last_ancestors = NIL;
	whatif->corrections = NIL;
	whatif->references = palloc0(sizeof(List *));
	active = whatif;
	PG_TRY();
	{
		plan = glperf_standard_planner(query, text, cursor_options, params);
	}
	PG_FINALLY();
	{
		active = saved;
	}
	PG_END_TRY();
	return plan;
}

/* Rows of the definition's table that satisfy its predicate. */
static double
predicate_rows(const GlperfIndexDef *def)
{
	GlperfStatement stmt = {0};
	GlperfAnalysed analysed;
	PlannedStmt *plan;
	GlperfWhatif nothing = {0};

	stmt.text = glperf_index_def_predicate_query(def);
	glperf_statement_analyse(&stmt, &analysed);
	plan = glperf_whatif_plan(&nothing, linitial_node(Query, analysed.queries),
							  stmt.text, 0, NULL);
	return plan->planTree->plan_rows;
}

void
glperf_whatif_set_size(GlperfIndexDef *def, struct GlperfTableSamples *samples)
{
	double		loose;

	glperf_index_def_set_size(def, 1.0);
	glperf_whatif_set_stats(def, samples);
	if (def->expr_stats)
		glperf_index_def_set_size(def, 1.0);
	if (def->pred && def->rows > 0)
		glperf_index_def_set_size(def, predicate_rows(def) / def->rows);
	loose = glperf_index_def_hypopg_pages(def);
	glperf_index_def_measure(def, samples,
							 glperf_index_def_deduplicates(def));
	if (glperf_size_model == GLPERF_SIZE_HYPOPG &&
		def->amoid == BTREE_AM_OID)
		def->pages = loose;
}

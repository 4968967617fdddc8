/*
 * whatif_access.c
 *		What searching a GIN or BRIN index that does not exist would cost.
 *
 * Of a real index the planner reads from the metapage how many keys GIN has,
 * how many pages hold keys and how many hold rows, and how many blocks a range
 * of BRIN has; of a made-up one it guesses all of that, which is off many times
 * for trigrams.  Here the access method estimates with its guess, and then what
 * it counted is exchanged for what the definition says.
 *
 * See gincostestimate() and brincostestimate() in selfuncs.c.
 */
#include "whatif_access.h"

#include <math.h>

#include "access/brin.h"
#include "access/brin_page.h"
#include "access/gin.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/index_selfuncs.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "trees.h"
#include "whatif.h"

/* Rows' addresses on a page of them, as the planner takes it: 3 bytes each. */
#define ROWS_PER_PAGE	(BLCKSZ / 3.0)
/* Keys that a partial match is taken to go through. */
#define PARTIAL_KEYS	100.0

/* Keys that a search looks up. */
typedef struct SearchKeys
{
	double		exact;
	double		partial;
	double		searches;
	double		scans;			/* of the index, one for each array member */
	uint32		normal;			/* columns a condition on which names keys */
	uint32		full;			/* those a condition on which wants all */
} SearchKeys;

/* An index's insides. */
typedef struct GinLayout
{
	double		keys;
	double		entry_pages;
	double		data_pages;
} GinLayout;

/* Ask the operator class which keys a constant means; false if none can match. */
static bool
count_constant(IndexOptInfo *index, int column, Oid opno, Datum value,
			   SearchKeys *keys)
{
	Oid			proc = get_opfamily_proc(index->opfamily[column],
										 index->opcintype[column],
										 index->opcintype[column],
										 GIN_EXTRACTQUERY_PROC);
	Oid			collation = index->indexcollations[column];
	int32		n = 0;
	bool	   *partial = NULL;
	Pointer    *extra = NULL;
	bool	   *nulls = NULL;
	int32		mode = GIN_SEARCH_MODE_DEFAULT;

	if (!OidIsValid(proc))
		return false;
	if (!OidIsValid(collation))
		collation = DEFAULT_COLLATION_OID;
	(void) OidFunctionCall7Coll(proc, collation, value, PointerGetDatum(&n),
								UInt16GetDatum(get_op_opfamily_strategy(opno, index->opfamily[column])),
								PointerGetDatum(&partial),
								PointerGetDatum(&extra),
								PointerGetDatum(&nulls),
								PointerGetDatum(&mode));
	if (n <= 0 && mode == GIN_SEARCH_MODE_DEFAULT)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (partial && partial[i])
			keys->partial += PARTIAL_KEYS;
		else
			keys->exact++;
		keys->searches++;
	}
	if (mode == GIN_SEARCH_MODE_INCLUDE_EMPTY)
	{
		keys->exact++;
		keys->searches++;
	}
	if (mode == GIN_SEARCH_MODE_ALL)
		keys->full |= (uint32) 1 << column;
	else
		keys->normal |= (uint32) 1 << column;
	return true;
}

/* Count the keys of a constant array's members, each searched by itself. */
static bool
count_array(IndexOptInfo *index, int column, Oid opno, Const *array,
			SearchKeys *keys)
{
	ArrayType  *value = DatumGetArrayTypeP(array->constvalue);
	int16		typlen;
	bool		byval;
	char		align;
	Datum	   *members;
	bool	   *nulls;
	int			n;
	SearchKeys	sum = {0};
	double		possible = 0;

	get_typlenbyvalalign(ARR_ELEMTYPE(value), &typlen, &byval, &align);
	deconstruct_array(value, ARR_ELEMTYPE(value), typlen, byval, align,
					  &members, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i] && count_constant(index, column, opno, members[i], &sum))
			possible++;
	/* a member that wants all keys would count the index's, which differ */
	if (possible == 0 || sum.full != 0)
		return false;
	keys->exact += sum.exact / possible;
	keys->partial += sum.partial / possible;
	keys->searches += sum.searches / possible;
	keys->scans *= possible;
	keys->normal |= sum.normal;
	return true;
}

/* Add up the keys of one condition; false when they cannot be told. */
static bool
count_clause(PlannerInfo *root, IndexOptInfo *index, int column, Expr *clause,
			 SearchKeys *keys)
{
	bool		array = IsA(clause, ScalarArrayOpExpr);
	List	   *args;
	Oid			opno;
	Node	   *operand;

	if (!array && !IsA(clause, OpExpr))
		return false;
	args = array ? ((ScalarArrayOpExpr *) clause)->args :
		((OpExpr *) clause)->args;
	opno = array ? ((ScalarArrayOpExpr *) clause)->opno :
		((OpExpr *) clause)->opno;
	operand = estimate_expression_value(root, lsecond(args));
	operand = glperf_strip_relabel(operand);
	if (!IsA(operand, Const))
	{
		keys->exact++;
		keys->searches++;
		return !array;
	}
	if (((Const *) operand)->constisnull)
		return false;
	if (array)
		return count_array(index, column, opno, (Const *) operand, keys);
	return count_constant(index, column, opno,
						  ((Const *) operand)->constvalue, keys);
}

/* Add up the keys of all conditions; false when they cannot be told. */
static bool
count_keys(PlannerInfo *root, IndexPath *path, SearchKeys *keys)
{
	ListCell   *lc;

	foreach(lc, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);
		ListCell   *lq;

		foreach(lq, clause->indexquals)
			if (!count_clause(root, path->indexinfo, clause->indexcol,
							  lfirst_node(RestrictInfo, lq)->clause, keys))
			return false;
	}
	return true;
}

/*
 * Pages read by one of several searches, each of so many scans, which find
 * some of them in memory.
 */
static double
pages_each(PlannerInfo *root, double fetched, double pages, double loops,
		   double scans)
{
	if (loops <= 1 && scans <= 1)
		return fetched;
	return index_pages_fetched(fetched * loops * scans, (BlockNumber) pages,
							   pages, root) / loops;
}

/*
 * Pages read by one of so many searches, as the planner counts them: before
 * the first row comes out, and in all.
 */
static void
count_pages(PlannerInfo *root, const GinLayout *layout, SearchKeys keys,
			double rows, double loops, double *startup, double *total)
{
	double		scale;

	if (keys.full & ~keys.normal)
	{
		keys.partial = 0;
		keys.exact = keys.searches = layout->keys;
	}
	scale = Min(1.0, keys.partial / layout->keys);
	*startup =
		pages_each(root,
				   ceil(keys.searches * rint(pow(layout->entry_pages, 0.15))) +
				   ceil(layout->entry_pages * scale), layout->entry_pages,
				   loops, keys.scans) +
		pages_each(root, ceil(layout->data_pages * scale), layout->data_pages,
				   loops, keys.scans);
	*total = *startup +
		pages_each(root,
				   Max(ceil(layout->data_pages * keys.exact / layout->keys),
					   ceil(rows / ROWS_PER_PAGE)), layout->data_pages, loops,
				   keys.scans);
}

void
glperf_gin_cost(PlannerInfo *root, IndexPath *path, double loop_count,
				Cost *startup, Cost *total, Selectivity *selectivity,
				double *correlation, double *pages)
{
	IndexOptInfo *index = path->indexinfo;
	const GlperfIndexDef *def =
	glperf_whatif_definition(glperf_whatif_active(), index->indexoid);
	SearchKeys	keys = {.scans = 1};
	GinLayout	guess;
	GinLayout	real;
	double		guessed[2];
	double		known[2];
	double		page_cost;

	gincostestimate(root, path, loop_count, startup, total, selectivity,
					correlation, pages);
	if (def == NULL || *total <= 0 || def->gin_keys < 1 ||
		!count_keys(root, path, &keys))
		return;
	/* the access method's guess for an index without a metapage */
	guess.entry_pages = floor(Max(10.0, index->pages) * 0.9);
	guess.data_pages = Max(10.0, index->pages) - guess.entry_pages;
	guess.keys = guess.entry_pages * 100;
	/* a partition has its share of them */
	real.keys = def->gin_keys;
	real.entry_pages = Max(1.0, def->gin_entry_pages);
	real.data_pages = def->gin_data_pages;
	if (def->pages > index->pages)
	{
		real.entry_pages = ceil(real.entry_pages * index->pages / def->pages);
		real.data_pages = ceil(real.data_pages * index->pages / def->pages);
	}
	count_pages(root, &guess, keys, *selectivity * index->tuples, loop_count,
				&guessed[0], &guessed[1]);
	count_pages(root, &real, keys, *selectivity * index->tuples, loop_count,
				&known[0], &known[1]);
	get_tablespace_page_costs(index->reltablespace, &page_cost, NULL);
	*startup += (known[0] - guessed[0]) * page_cost;
	*total += (known[1] - guessed[1]) * page_cost;
	*pages += (known[1] - known[0]) - (guessed[1] - guessed[0]);
}

/* -------- BRIN -------- */

/* Ranges of a table, those of them that a search visits, and the map's pages. */
typedef struct BrinLayout
{
	double		blocks;			/* of a range */
	double		ranges;
	double		visited;
	double		map_pages;
} BrinLayout;

/* The same for ranges of so many blocks, as the planner counts. */
static BrinLayout
brin_layout(const IndexOptInfo *index, double blocks, Selectivity selectivity,
			double correlation)
{
	BrinLayout	layout = {blocks};

	layout.ranges = Max(1.0, ceil(index->rel->pages / blocks));
	layout.visited = layout.ranges;
	if (correlation >= 1e-10)
		layout.visited = Min(layout.ranges,
							 ceil(layout.ranges * selectivity) / correlation);
	layout.map_pages = floor(layout.ranges / REVMAP_PAGE_MAXITEMS) + 1;
	return layout;
}

void
glperf_brin_cost(PlannerInfo *root, IndexPath *path, double loop_count,
				 Cost *startup, Cost *total, Selectivity *selectivity,
				 double *correlation, double *pages)
{
	IndexOptInfo *index = path->indexinfo;
	const GlperfIndexDef *def =
	glperf_whatif_definition(glperf_whatif_active(), index->indexoid);
	Selectivity matching;
	BrinLayout	guess;
	BrinLayout	real;
	double		random_page;
	double		seq_page;

	brincostestimate(root, path, loop_count, startup, total, selectivity,
					 correlation, pages);
	if (def == NULL || def->pages_per_range == 0)
		return;
	matching = clauselist_selectivity(root,
									  get_quals_from_indexclauses(path->indexclauses),
									  index->rel->relid, JOIN_INNER, NULL);
	guess = brin_layout(index, BRIN_DEFAULT_PAGES_PER_RANGE, matching,
						*correlation);
	real = brin_layout(index, def->pages_per_range, matching, *correlation);
	get_tablespace_page_costs(index->reltablespace, &random_page, &seq_page);
	*selectivity = Min(1.0, real.visited / real.ranges);
	*startup += (real.map_pages - guess.map_pages) * seq_page * loop_count;
	*total += (real.map_pages - guess.map_pages) *
		(seq_page - random_page) * loop_count +
		0.1 * cpu_operator_cost * (real.visited * real.blocks -
								   guess.visited * guess.blocks);
}

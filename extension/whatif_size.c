/*
 * whatif_size.c
 *		How big an index would be.
 *
 * Row counts, widths and numbers of distinct values come from the table's
 * statistics here, which say nothing of columns together or of most
 * expressions; index_measure.c does better where rows may be sampled.
 */
#include "index_def.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "index_pages.h"
#include "trees.h"
#include "whatif_stats.h"

/* How full pages of other access methods are taken to be. */
#define OTHER_FILL	0.9

/* HypoPG: a B-tree's pages to the bytes in them; width of an expression. */
#define HYPOPG_LOOSE		1.3
#define HYPOPG_EXPRESSION	50

/* What the statistics say about one column. */
typedef struct ColumnStats
{
	double		width;
	double		null_frac;
	double		distinct;		/* number of values, NULL not counted */
} ColumnStats;

/* What a row of pg_statistic says about that many rows. */
static ColumnStats
read_statistic(HeapTuple tup, double rows)
{
	Form_pg_statistic form = (Form_pg_statistic) GETSTRUCT(tup);
	ColumnStats stats = {form->stawidth, form->stanullfrac, Min(200, rows)};

	if (form->stadistinct > 0)
		stats.distinct = form->stadistinct;
	else if (form->stadistinct < 0)
		stats.distinct = -form->stadistinct * rows;
	return stats;
}

/* Statistics of a plain column, or guesses from its type. */
static ColumnStats
column_stats(Oid relid, AttrNumber attnum, double rows, bool inherit)
{
	ColumnStats stats = {8, 0, Min(200, rows)};
	HeapTuple	tup;

	stats.width = get_typavgwidth(get_atttype(relid, attnum), -1);
	tup = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
						  Int16GetDatum(attnum), BoolGetDatum(inherit));
	if (HeapTupleIsValid(tup))
	{
		stats = read_statistic(tup, rows);
		ReleaseSysCache(tup);
	}
	stats.distinct = Max(1.0, stats.distinct);
	return stats;
}

/* Place a value of this type after len bytes, as index tuples do. */
static double
align_to(double len, Oid type)
{
	int16		typlen;
	bool		byval;
	char		align;

	get_typlenbyvalalign(type, &typlen, &byval, &align);
	/* short varlenas are not aligned, and most are short */
	if (typlen == -1)
		return len;
	return att_align_nominal((uintptr_t) len, align);
}

bool
glperf_index_def_deduplicates(const GlperfIndexDef *def)
{
	if (def->amoid != BTREE_AM_OID || def->ncolumns > def->nkeys ||
		def->no_deduplication)
		return false;
	for (int i = 0; i < def->nkeys; i++)
	{
		Oid			proc = get_opfamily_proc(def->opfamily[i],
											 def->opcintype[i],
											 def->opcintype[i],
											 BTEQUALIMAGE_PROC);

		if (!OidIsValid(proc) ||
			!DatumGetBool(OidFunctionCall1Coll(proc, def->collation[i],
											   ObjectIdGetDatum(def->opcintype[i]))))
			return false;
	}
	return true;
}

/*
 * Rows and heap blocks of a table or of all leaves of a partition tree; returns
 * how many those are.
 */
static int
table_size(Oid relid, double *rows, double *blocks)
{
	List	   *oids = list_make1_oid(relid);
	ListCell   *lc;
	int			leaves = 0;

	*rows = *blocks = 0;
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		oids = find_all_inheritors(relid, AccessShareLock, NULL);
	foreach(lc, oids)
	{
		Relation	rel = relation_open(lfirst_oid(lc), AccessShareLock);
		BlockNumber pages;
		double		tuples;
		double		allvisible;

		if (RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
		{
			estimate_rel_size(rel, NULL, &pages, &tuples, &allvisible);
			*rows += tuples;
			*blocks += pages;
			leaves++;
		}
		relation_close(rel, NoLock);
	}
	return Max(1, leaves);
}

/* Is node the plain column attnum of the table, however labelled? */
static bool
is_column(Node *node, AttrNumber attnum)
{
	node = glperf_strip_relabel(node);
	return node && IsA(node, Var) && ((Var *) node)->varattno == attnum;
}

/* Does the predicate leave out the rows in which this column is NULL? */
static bool
excludes_nulls(const GlperfIndexDef *def, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, def->pred)
	{
		Node	   *node = (Node *) lfirst(lc);

		if (IsA(node, NullTest) &&
			((NullTest *) node)->nulltesttype == IS_NOT_NULL &&
			is_column((Node *) ((NullTest *) node)->arg, attnum))
			return true;
		if (IsA(node, OpExpr) && op_strict(((OpExpr *) node)->opno) &&
			(is_column(linitial(((OpExpr *) node)->args), attnum) ||
			 is_column(llast(((OpExpr *) node)->args), attnum)))
			return true;
	}
	return false;
}

/*
 * Guesses for an expression.  One that makes a text from a single column, such
 * as lower(name), is as wide as that and has about as many values; of others
 * no more is known than that they cannot have more values than their columns.
 */
static ColumnStats
expression_stats(const GlperfIndexDef *def, Node *node, bool inherit)
{
	Oid			type = exprType(node);
	ColumnStats stats = {0};
	List	   *vars = pull_var_clause(node, PVC_RECURSE_PLACEHOLDERS |
									   PVC_RECURSE_AGGREGATES |
									   PVC_RECURSE_WINDOWFUNCS);
	double		most = 1;
	ListCell   *lc;

	stats.width = get_typavgwidth(type, exprTypmod(node));
	stats.distinct = Max(1.0, def->rows / 10);
	foreach(lc, vars)
	{
		Var		   *var = lfirst_node(Var, lc);
		ColumnStats column = column_stats(def->relid, var->varattno, def->rows,
										  inherit);

		most *= column.distinct;
		if (list_length(vars) == 1 && get_typlen(type) == -1 &&
			get_typlen(var->vartype) == -1)
		{
			stats = column;
			return stats;
		}
	}
	stats.distinct = Min(stats.distinct, most);
	return stats;
}

/* Pages and height of a B-tree, so many of whose entries are NULL. */
static void
set_btree_size(GlperfIndexDef *def, double nulls, double distinct)
{
	bool		deduplicate = glperf_index_def_deduplicates(def);
	GlperfLeaves leaves = {0};
	GlperfTree	tree;
	double		others;

	nulls = Min(nulls, def->tuples);
	others = def->tuples - nulls;
	distinct = Min(Max(1.0, distinct), others);
	if (nulls > 0)
		glperf_leaves_add(&leaves, 1, nulls, def->entry_bytes, deduplicate);
	if (others > 0)
		glperf_leaves_add_random(&leaves, distinct, others / distinct,
								 def->entry_bytes, deduplicate);
	tree = glperf_tree(&leaves, def->entry_bytes, 1, def->fillfactor);
	def->pages = tree.pages;
	def->height = tree.height;
}

double
glperf_index_def_hypopg_pages(const GlperfIndexDef *def)
{
	int			width = 0;

	for (int i = 0; i < def->ncolumns; i++)
		width += def->attnum[i] != 0 ?
			get_attavgwidth(def->relid, def->attnum[i]) : HYPOPG_EXPRESSION;
	width += def->ncolumns * sizeof(IndexTupleData) +
		MAXALIGN(def->ncolumns * sizeof(ItemIdData));
	return ceil(def->tuples * width * HYPOPG_LOOSE /
				(BLCKSZ - SizeOfPageHeaderData - sizeof(BTPageOpaqueData)));
}

/* Statistics of the entries' column i, and its type. */
static ColumnStats
entry_stats(const GlperfIndexDef *def, int i, bool inherit, Oid *type)
{
	ColumnStats stats;

	if (def->attnum[i] != 0)
	{
		*type = get_atttype(def->relid, def->attnum[i]);
		stats = column_stats(def->relid, def->attnum[i], def->rows, inherit);
		if (excludes_nulls(def, def->attnum[i]))
			stats.null_frac = 0;
	}
	else
	{
		Node	   *node = glperf_index_def_expr(def, i);
		HeapTuple	statistic = glperf_index_def_statistic(def, i);

		*type = exprType(node);
		stats = statistic ? read_statistic(statistic, def->rows) :
			expression_stats(def, node, inherit);
	}
	return stats;
}

void
glperf_index_def_set_size(GlperfIndexDef *def, double predicate_selectivity)
{
	bool		inherit =
	get_rel_relkind(def->relid) == RELKIND_PARTITIONED_TABLE;
	double		width = 0;		/* on average, NULLs taking nothing */
	double		full = 0;		/* without NULLs */
	double		rest;			/* of rows with NULLs */
	double		distinct = 1;
	double		no_null = 1;
	int			leaves = table_size(def->relid, &def->rows, &def->heap_pages);

	def->size_basis = "no rows were sampled";
	def->tuples = def->rows * Min(1.0, Max(0.0, predicate_selectivity));
	for (int i = 0; i < def->ncolumns; i++)
	{
		Oid			type;
		ColumnStats stats = entry_stats(def, i, inherit, &type);

		width = align_to(ceil(width), type) + stats.width * (1 - stats.null_frac);
		full = align_to(ceil(full), type) + stats.width;
		if (i < def->nkeys)
			distinct *= stats.distinct;
		no_null *= 1 - stats.null_frac;
	}
	/* a tuple with NULLs has a bitmap, and nothing in their place */
	rest = no_null < 1 ? Max(0.0, (width - no_null * full) / (1 - no_null)) : 0;
	def->entry_bytes =
		no_null * MAXALIGN((int) ceil(sizeof(IndexTupleData) + full)) +
		(1 - no_null) * MAXALIGN((int) ceil(sizeof(IndexTupleData) +
											MAXIMUM_ALIGNOF + rest));

	if (def->amoid == BTREE_AM_OID)
		/* of rows that are NULL in one of several columns, others differ */
		set_btree_size(def, def->nkeys == 1 ? def->tuples * (1 - no_null) : 0,
					   distinct);
	else if (def->amoid == BRIN_AM_OID)
		def->pages = leaves *
			glperf_brin_pages(def->heap_pages / leaves,
							  MAXALIGN((int) ceil(8 + 2 * width)),
							  def->pages_per_range);
	else if (def->amoid == HASH_AM_OID)
	{
		GlperfGroups groups = {0};

		groups.n = Max(1.0, Min(distinct, def->tuples * no_null));
		groups.tuples = def->tuples * no_null / groups.n;
		def->pages = glperf_hash_pages(def->rows, &groups, 1,
									   def->fillfactor);
	}
	else
		def->pages = 1 + ceil(def->tuples * (def->entry_bytes + 4) /
							  (BLCKSZ * OTHER_FILL));
}

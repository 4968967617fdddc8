/*
 * whatif_size.c
 *		How big an index would be.
 *
 * The model follows CREATE INDEX on a B-tree: entries are MAXALIGNed index
 * tuples with a line pointer, equal keys are packed into posting lists of at
 * most a tenth of a page when every key column's operator class allows it,
 * leaves are filled to 90 %, inner pages to 70 %.  Row counts, widths and
 * numbers of distinct values come from the table's statistics.
 *
 * See nbtsort.c and nbtdedup.c.
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

#define LEAF_FILL	0.9
#define INNER_FILL	0.7
#define PAGE_ROOM	((double) (BLCKSZ - SizeOfPageHeaderData - \
							   MAXALIGN(sizeof(BTPageOpaqueData))))

/* hash: fill factor of a fresh index; see hash.h */
#define HASH_FILL	0.75
/* BRIN: heap blocks summarised by one entry; see brin.h */
#define BRIN_RANGE	128.0

/* Fan-out of inner pages for entries of this size. */
static double
inner_fanout(double entry)
{
	return Max(2.0, floor(PAGE_ROOM * INNER_FILL / (entry + sizeof(ItemIdData))));
}

/* Bytes of all leaf entries with their line pointers. */
static double
leaf_bytes(double tuples, double distinct, double entry, bool deduplicate)
{
	double		item = sizeof(ItemIdData);
	double		group;
	double		cap;
	double		full;
	double		rest;
	double		bytes;

	if (!deduplicate || distinct >= tuples)
		return tuples * (entry + item);
	group = tuples / distinct;
	cap = floor((PAGE_ROOM * 0.1 - entry) / sizeof(ItemPointerData));
	if (cap < 2)
		return tuples * (entry + item);
	full = floor(group / cap);
	rest = group - full * cap;
	bytes = full * (MAXALIGN((int) (entry + cap * sizeof(ItemPointerData))) + item);
	if (rest >= 2)
		bytes += MAXALIGN((int) (entry + rest * sizeof(ItemPointerData))) + item;
	else if (rest > 0)
		bytes += entry + item;
	return distinct * bytes;
}

double
glperf_btree_pages(double tuples, double nulls, double distinct,
				   double entry, bool deduplicate)
{
	double		pages;
	double		level;

	tuples = Max(0.0, tuples);
	nulls = Min(nulls, tuples);
	distinct = Min(Max(1.0, distinct), Max(1.0, tuples - nulls));
	pages = ceil((leaf_bytes(tuples - nulls, distinct, entry, deduplicate) +
				  leaf_bytes(nulls, 1, entry, deduplicate)) /
				 (PAGE_ROOM * LEAF_FILL));
	pages = Max(1.0, pages);
	level = pages;
	while (level > 1)
	{
		level = ceil(level / inner_fanout(entry));
		pages += level;
	}
	return pages + 1;			/* metapage */
}

/* Levels below the root of a tree of that many pages. */
static int
btree_height(double pages, double entry)
{
	int			height = 0;
	double		level = Max(1.0, pages - 1);

	while (level > 1)
	{
		level = ceil(level / inner_fanout(entry));
		height++;
	}
	return height;
}

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

/* Can equal keys of this index share an entry? */
static bool
can_deduplicate(const GlperfIndexDef *def)
{
	if (def->ncolumns > def->nkeys)
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

/* Rows and heap blocks of a table or of all leaves of a partition tree. */
static void
table_size(Oid relid, double *rows, double *blocks)
{
	List	   *oids = list_make1_oid(relid);
	ListCell   *lc;

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
		}
		relation_close(rel, NoLock);
	}
}

/* Is node the plain column attnum of the table, however labelled? */
static bool
is_column(Node *node, AttrNumber attnum)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
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

/*
 * A hash index is made with a number of buckets that is a power of two or, from
 * 512 on, a quarter of the way to the next; see _hash_spareindex().
 */
static double
hash_pages(double tuples)
{
	double		item = MAXALIGN(sizeof(IndexTupleData)) + MAXALIGN(sizeof(uint32)) +
	sizeof(ItemIdData);
	double		wanted = tuples / floor(BLCKSZ * HASH_FILL / item);
	double		buckets = 2;

	while (buckets < wanted)
	{
		double		step = buckets >= 512 ? buckets / 4 : buckets;
		double		next = buckets * 2;

		while (buckets < wanted && buckets < next)
			buckets += step;
	}
	return buckets + 2;			/* metapage, bitmap */
}

/* Metapage, the map of ranges, and the summaries. */
static double
brin_pages(double heap_pages, double width)
{
	double		ranges = ceil(heap_pages / BRIN_RANGE);

	return 1 + Max(1.0, ceil(ranges * sizeof(ItemPointerData) / PAGE_ROOM)) +
		Max(1.0, ceil(ranges * (2 * width + 16) / PAGE_ROOM));
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
	ListCell   *expr = list_head(def->exprs);

	table_size(def->relid, &def->rows, &def->heap_pages);
	def->tuples = def->rows * Min(1.0, Max(0.0, predicate_selectivity));
	for (int i = 0; i < def->ncolumns; i++)
	{
		ColumnStats stats;
		Oid			type;

		if (def->attnum[i] != 0)
		{
			type = get_atttype(def->relid, def->attnum[i]);
			stats = column_stats(def->relid, def->attnum[i], def->rows,
								 inherit);
		}
		else
		{
			Node	   *node = (Node *) lfirst(expr);
			HeapTuple	statistic;

			type = exprType(node);
			stats = expression_stats(def, node, inherit);
			statistic = def->expr_stats == NIL ? NULL :
				list_nth(def->expr_stats,
						 list_cell_number(def->exprs, expr));
			if (statistic)
				stats = read_statistic(statistic, def->rows);
			expr = lnext(def->exprs, expr);
		}
		if (def->attnum[i] != 0 && excludes_nulls(def, def->attnum[i]))
			stats.null_frac = 0;
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
	{
		/* of rows that are NULL in one of several columns, others differ */
		def->pages = glperf_btree_pages(def->tuples, def->nkeys == 1 ?
										def->tuples * (1 - no_null) : 0,
										distinct, def->entry_bytes,
										can_deduplicate(def));
		def->height = btree_height(def->pages, def->entry_bytes);
	}
	else if (def->amoid == BRIN_AM_OID)
		def->pages = brin_pages(def->heap_pages, width);
	else if (def->amoid == HASH_AM_OID)
		def->pages = hash_pages(def->tuples);
	else
		def->pages = 1 + ceil(def->tuples * (def->entry_bytes + 4) /
							  (PAGE_ROOM * LEAF_FILL));
}

/*
 * index_selectivity.c
 *		How much of a table an index finds at the least.
 *
 * An index on a column of few values finds a large part of the table whatever
 * is looked for, and the table itself is read as fast.  What counts is the
 * rarest value: an index on a status of which one row in a thousand is
 * 'pending' is a good one for finding these.
 *
 * Statistics are read from the catalog, because pg_stats hides those of user
 * tables from monitoring roles; a share of rows is all that gets out.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_statistic.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "index_catalog.h"

/* Rows of a table as ANALYZE counted them; 0 if it never did. */
static double
table_rows(Oid table)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	double		rows;

	if (!HeapTupleIsValid(tuple))
		return 0;
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	ReleaseSysCache(tuple);
	return Max(rows, 0);
}

/* Share of rows (0 to 1) that the rarest value has; NaN if unknown. */
static double
rarest_share(HeapTuple stats, double rows)
{
	Form_pg_statistic form = (Form_pg_statistic) GETSTRUCT(stats);
	double		distinct = form->stadistinct < 0 ?
	-form->stadistinct * rows : form->stadistinct;
	double		others = 1 - form->stanullfrac;
	double		rarest = NAN;
	int			ncommon = 0;
	AttStatsSlot slot;

	if (distinct <= 0)
		return NAN;
	if (get_attstatsslot(&slot, stats, STATISTIC_KIND_MCV, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		for (int i = 0; i < slot.nnumbers; i++)
		{
			others -= slot.numbers[i];
			if (isnan(rarest) || slot.numbers[i] < rarest)
				rarest = slot.numbers[i];
		}
		ncommon = slot.nnumbers;
		free_attstatsslot(&slot);
	}

	/* values that are not in the list share what is left */
	if (distinct - ncommon >= 0.5 && others > 0)
	{
		double		other = others / (distinct - ncommon);

		if (isnan(rarest) || other < rarest)
			rarest = other;
	}
	return rarest;
}

/* See index_catalog.h. */
double
glperf_index_key_share(const GlperfIndex *index, double min_rows)
{
	bool		plain = index->attnum[0] != 0;
	double		share;
	double		rows;
	HeapTuple	stats;

	if (index->nkeys != 1 || index->unique || index->predicate != NIL ||
		(index->am != BTREE_AM_OID && index->am != HASH_AM_OID))
		return NAN;
	rows = table_rows(index->table);
	if (rows <= min_rows)
		return NAN;

	/* those of an expression are kept under the index */
	stats = SearchSysCache3(STATRELATTINH,
							ObjectIdGetDatum(plain ? index->table : index->oid),
							Int16GetDatum(plain ? index->attnum[0] : 1),
							BoolGetDatum(plain && index->partitioned));
	if (!HeapTupleIsValid(stats))
		return NAN;
	share = rarest_share(stats, rows);
	ReleaseSysCache(stats);
	return share * 100;
}

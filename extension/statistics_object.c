/*
 * statistics_object.c
 *		Statistics objects: which exist, names and DDL.
 *
 * The deparser opens the table, so all of this is called while whoever looks
 * at the table holds a lock on it.
 */
#include "statistics_advice.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_statistic_ext_data.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "trees.h"

/* Members of an array of 1-byte characters: the kinds of an object. */
static bool
has_kind(Datum kinds, char kind)
{
	ArrayType  *array = DatumGetArrayTypeP(kinds);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	for (int i = 0; i < n; i++)
		if (((char *) ARR_DATA_PTR(array))[i] == kind)
			return true;
	return false;
}

/* Does a statistics object hold what is wanted? */
static bool
serves(Relation catalog, HeapTuple tuple, const GlperfStatistics *wanted)
{
	Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(tuple);
	bool		isnull;
	Datum		kinds = heap_getattr(tuple, Anum_pg_statistic_ext_stxkind,
									 RelationGetDescr(catalog), &isnull);
	Datum		exprs;

	if (wanted->expr != NULL)
	{
		exprs = heap_getattr(tuple, Anum_pg_statistic_ext_stxexprs,
							 RelationGetDescr(catalog), &isnull);
		return !isnull &&
			list_member(stringToNode(TextDatumGetCString(exprs)),
						wanted->expr);
	}
	for (int i = 0; i < wanted->ncolumns; i++)
	{
		bool		found = false;

		for (int k = 0; k < form->stxkeys.dim1; k++)
			found |= form->stxkeys.values[k] == wanted->columns[i];
		if (!found)
			return false;
	}
	return (!wanted->ndistinct ||
			has_kind(kinds, STATS_EXT_NDISTINCT)) &&
		(!wanted->dependencies ||
		 has_kind(kinds, STATS_EXT_DEPENDENCIES)) &&
		(!wanted->mcv || has_kind(kinds, STATS_EXT_MCV));
}

/* Was ANALYZE told to leave a statistics object alone? */
static bool
is_switched_off(Relation catalog, HeapTuple tuple)
{
	bool		isnull;
	Datum		target = heap_getattr(tuple, Anum_pg_statistic_ext_stxstattarget,
									  RelationGetDescr(catalog), &isnull);

	return !isnull && DatumGetInt16(target) == 0;
}

/* Has ANALYZE filled a statistics object? */
static bool
is_filled(Oid object)
{
	HeapTuple	tuple = glperf_search_statext_data(object);
	int			columns[] = {
		Anum_pg_statistic_ext_data_stxdndistinct,
		Anum_pg_statistic_ext_data_stxddependencies,
		Anum_pg_statistic_ext_data_stxdmcv,
		Anum_pg_statistic_ext_data_stxdexpr
	};
	bool		filled = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	for (size_t i = 0; i < lengthof(columns); i++)
		filled |= !heap_attisnull(tuple, columns[i], NULL);
	ReleaseSysCache(tuple);
	return filled;
}

bool
glperf_statistics_exist(GlperfStatistics *wanted, MemoryContext context)
{
	Relation	catalog = table_open(StatisticExtRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		filled = false;

	ScanKeyInit(&key, Anum_pg_statistic_ext_stxrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(wanted->relid));
	scan = systable_beginscan(catalog, StatisticExtRelidIndexId, true, NULL, 1,
							  &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(tuple);
		MemoryContext old;

		if (!serves(catalog, tuple, wanted))
			continue;
		filled |= is_filled(form->oid) || is_switched_off(catalog, tuple);
		old = MemoryContextSwitchTo(context);
		wanted->existing =
			quote_qualified_identifier(get_namespace_name(form->stxnamespace),
									   NameStr(form->stxname));
		MemoryContextSwitchTo(old);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return filled;
}

char *
glperf_statistics_columns(const GlperfStatistics *statistics)
{
	StringInfoData out;

	initStringInfo(&out);
	if (statistics->expr)
		appendStringInfo(&out, "(%s)",
						 glperf_deparse(statistics->relid, statistics->expr));
	for (int i = 0; i < statistics->ncolumns; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(get_attname(statistics->relid,
													  statistics->columns[i],
													  false)));
	return out.data;
}

/* The kinds in parentheses; empty for an expression. */
static char *
kinds(const GlperfStatistics *statistics)
{
	StringInfoData out;

	initStringInfo(&out);
	if (statistics->expr)
		return out.data;
	appendStringInfo(&out, "%s%s%s", statistics->ndistinct ? ", ndistinct" : "",
					 statistics->dependencies ? ", dependencies" : "",
					 statistics->mcv ? ", mcv" : "");
	return psprintf(" (%s)", out.data + 2);
}

/* Does something have this name already, or will it get it? */
static bool
is_taken(const GlperfStatisticsSet *set, Oid schema, const char *name)
{
	ListCell   *lc;

	if (SearchSysCacheExists2(STATEXTNAMENSP, CStringGetDatum(name),
							  ObjectIdGetDatum(schema)))
		return true;
	foreach(lc, set->wanted)
	{
		GlperfStatistics *other = lfirst(lc);

		if (other->name && strcmp(other->name, name) == 0 &&
			get_rel_namespace(other->relid) == schema)
			return true;
	}
	return false;
}

void
glperf_statistics_set_name(const GlperfStatisticsSet *set,
						   GlperfStatistics *statistics)
{
	char	   *table = get_rel_name(statistics->relid);
	char	   *body = psprintf("%s%s%s",
								glperf_qualified_name(statistics->relid),
								kinds(statistics),
								glperf_statistics_columns(statistics));
	uint32		hash = DatumGetUInt32(hash_any((unsigned char *) body,
											   strlen(body)));
	char	   *plain = psprintf("glp_%.*s_stat_%08x",
								 pg_mbcliplen(table, strlen(table), 32), table,
								 hash);
	char	   *name = plain;

	/* whoever has the name of ours may have renamed a table, or a column */
	for (int n = 2; is_taken(set, get_rel_namespace(statistics->relid), name);
		 n++)
		name = psprintf("%s_%d", plain, n);
	statistics->name = MemoryContextStrdup(set->context, name);
}

/* schema.name of the object, quoted */
static char *
qualified_name(const GlperfStatistics *statistics)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(statistics->relid)),
									  statistics->name);
}

List *
glperf_statistics_steps(const GlperfStatistics *statistics)
{
	char	   *table = glperf_qualified_name(statistics->relid);
	List	   *steps = NIL;

	if (statistics->existing == NULL)
		steps = lappend(steps, psprintf("CREATE STATISTICS %s%s ON %s FROM %s",
										qualified_name(statistics),
										kinds(statistics),
										glperf_statistics_columns(statistics),
										table));
	return lappend(steps, psprintf("ANALYZE %s", table));
}

char *
glperf_statistics_undo(const GlperfStatistics *statistics)
{
	if (statistics->existing)
		return NULL;
	return psprintf("DROP STATISTICS %s", qualified_name(statistics));
}

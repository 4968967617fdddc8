/*
 * index_cells.c
 *		What an index would store of sampled values.
 *
 * Worked out once per column for all candidates that have it.  Values are
 * told apart by their images, as deduplication does; no function of a type is
 * called, but for what splits a value into the keys of a GIN index, and nothing
 * is fetched from TOAST tables, but for those.
 */
#include "index_sample.h"

#include "access/detoast.h"
#include "access/gin.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/toast_internals.h"
#include "catalog/pg_language.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* A variable-length value as index_form_tuple() would store it. */
static void
set_varlena(GlperfCell *cell, Datum value, char storage)
{
	struct varlena *data = (struct varlena *) DatumGetPointer(value);

	cell->aligned = true;
	if (VARATT_IS_EXTERNAL_ONDISK(data))
	{
		struct varatt_external pointer;

		/* fetched it would be as long as it is there; each is its own value */
		VARATT_EXTERNAL_GET_POINTER(pointer, data);
		cell->width = VARATT_EXTERNAL_GET_EXTSIZE(pointer) + VARHDRSZ;
		cell->hash = hash_bytes_extended((unsigned char *) &pointer,
										 sizeof(pointer), 0);
		return;
	}
	if (VARATT_IS_EXTERNAL(data))
		data = detoast_external_attr(data);
	cell->hash = hash_bytes_extended((unsigned char *) VARDATA_ANY(data),
									 VARSIZE_ANY_EXHDR(data), 0);
	if (!VARATT_IS_EXTENDED(data) && VARSIZE(data) > TOAST_INDEX_TARGET &&
		(storage == TYPSTORAGE_EXTENDED || storage == TYPSTORAGE_MAIN))
	{
		Datum		packed = toast_compress_datum(PointerGetDatum(data),
												  InvalidCompressionMethod);

		if (DatumGetPointer(packed) != NULL)
			data = (struct varlena *) DatumGetPointer(packed);
	}
	cell->width = VARSIZE_ANY(data);
	if (VARATT_IS_SHORT(data))
		cell->aligned = false;
	else if (storage != TYPSTORAGE_PLAIN && VARATT_CAN_MAKE_SHORT(data))
	{
		cell->width = VARATT_CONVERTED_SHORT_SIZE(data);
		cell->aligned = false;
	}
}

void
glperf_cell_set(GlperfCell *cell, Datum value, bool isnull, int16 typlen,
				bool byval, char storage)
{
	cell->isnull = isnull;
	cell->aligned = true;
	cell->width = 0;
	cell->hash = 0;
	if (isnull)
		return;
	if (typlen == -1)
		set_varlena(cell, value, storage);
	else if (typlen == -2)
	{
		cell->width = strlen(DatumGetCString(value)) + 1;
		cell->hash = hash_bytes_extended((unsigned char *) DatumGetCString(value),
										 cell->width, 0);
	}
	else
	{
		cell->width = typlen;
		cell->hash = byval ?
			hash_bytes_extended((unsigned char *) &value, sizeof(Datum), 0) :
			hash_bytes_extended((unsigned char *) DatumGetPointer(value),
								typlen, 0);
	}
}

Oid
glperf_stored_type(Oid opclass, Oid type)
{
	HeapTuple	tup;
	Oid			keytype = InvalidOid;

	if (OidIsValid(opclass))
		tup = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	else
		tup = NULL;
	if (HeapTupleIsValid(tup))
	{
		keytype = ((Form_pg_opclass) GETSTRUCT(tup))->opckeytype;
		ReleaseSysCache(tup);
	}
	if (!OidIsValid(keytype) || IsPolymorphicType(keytype))
		return type;
	return keytype;
}

/* Cells of a column or expression, found or made. */
static GlperfCells *
find_cells(GlperfTableSample *sample, AttrNumber attnum, Node *expr,
		   Oid keytype)
{
	MemoryContext old;
	GlperfCells *cells;
	ListCell   *lc;
	int16		typlen;
	bool		byval;

	foreach(lc, sample->columns)
	{
		cells = lfirst(lc);
		if (cells->attnum == attnum && cells->keytype == keytype &&
			equal(cells->expr, expr))
			return cells;
	}
	old = MemoryContextSwitchTo(sample->context);
	cells = palloc0(sizeof(GlperfCells));
	cells->attnum = attnum;
	cells->expr = copyObject(expr);
	cells->keytype = keytype;
	get_typlenbyvalalign(keytype, &typlen, &byval, &cells->align);
	cells->cell = palloc(sizeof(GlperfCell) * sample->allocated);
	sample->columns = lappend(sample->columns, cells);
	MemoryContextSwitchTo(old);
	return cells;
}

GlperfCells *
glperf_sample_column(GlperfTableSample *sample, AttrNumber attnum, Oid opclass)
{
	Form_pg_attribute att = TupleDescAttr(sample->desc, attnum - 1);
	Oid			keytype = glperf_stored_type(opclass, att->atttypid);
	GlperfCells *cells = find_cells(sample, attnum, NULL, keytype);
	bool		cstring = keytype == CSTRINGOID && att->atttypid == NAMEOID;

	for (; cells->n < sample->nrows; cells->n++)
	{
		bool		isnull;
		Datum		value = heap_getattr(sample->tuples[cells->n], attnum,
										 sample->desc, &isnull);

		glperf_cell_set(&cells->cell[cells->n], value, isnull,
						cstring ? -2 : att->attlen, att->attbyval,
						att->attstorage);
		cells->widest = Max(cells->widest, cells->cell[cells->n].width);
	}
	return cells;
}

GlperfCells *
glperf_sample_expr(GlperfTableSample *sample, Node *expr, Oid opclass)
{
	return find_cells(sample, 0, expr,
					  glperf_stored_type(opclass, exprType(expr)));
}

GlperfMatches *
glperf_sample_matches(GlperfTableSample *sample, List *pred)
{
	MemoryContext old;
	GlperfMatches *matches;
	ListCell   *lc;

	foreach(lc, sample->matches)
	{
		matches = lfirst(lc);
		if (equal(matches->pred, pred))
			return matches;
	}
	old = MemoryContextSwitchTo(sample->context);
	matches = palloc0(sizeof(GlperfMatches));
	matches->pred = copyObject(pred);
	matches->match = palloc(sizeof(bool) * sample->allocated);
	sample->matches = lappend(sample->matches, matches);
	MemoryContextSwitchTo(old);
	return matches;
}

bool
glperf_gin_column_open(const GlperfIndexDef *def, int c, GlperfGinColumn *column)
{
	Oid			proc = get_opfamily_proc(def->opfamily[c], def->opcintype[c],
										 def->opcintype[c],
										 GIN_EXTRACTVALUE_PROC);
	Oid			type;
	HeapTuple	tup;
	Oid			language;
	char		align;

	if (!OidIsValid(proc))
		return false;
	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(proc));
	if (!HeapTupleIsValid(tup))
		return false;
	language = ((Form_pg_proc) GETSTRUCT(tup))->prolang;
	ReleaseSysCache(tup);
	if (language != INTERNALlanguageId && language != ClanguageId)
		return false;
	type = def->attnum[c] != 0 ? get_atttype(def->relid, def->attnum[c]) :
		exprType(glperf_index_def_expr(def, c));
	/* arrays store their elements */
	if (glperf_stored_type(def->opclass[c], type) == type &&
		OidIsValid(get_element_type(type)))
		type = get_element_type(type);
	else
		type = glperf_stored_type(def->opclass[c], type);
	fmgr_info(proc, &column->extract);
	column->collation = def->collation[c];
	column->attnum = def->attnum[c];
	get_typlenbyvalalign(type, &column->typlen, &column->byval, &align);
	column->storage = get_typstorage(type);
	return true;
}

/* For qsort(): by hash. */
static int
compare_cells(const void *a, const void *b)
{
	uint64		x = ((const GlperfCell *) a)->hash;
	uint64		y = ((const GlperfCell *) b)->hash;

	return x < y ? -1 : x > y;
}

int
glperf_gin_keys(GlperfGinColumn *column, Datum value, bool isnull, GlperfCell **cells)
{
	int32		n = 0;
	bool	   *nulls = NULL;
	Datum	   *keys = NULL;
	int			distinct = 0;

	if (!isnull)
		keys = (Datum *)
			DatumGetPointer(FunctionCall3Coll(&column->extract,
											  column->collation, value,
											  PointerGetDatum(&n),
											  PointerGetDatum(&nulls)));
	if (keys == NULL || n <= 0)
	{
		/* an entry for what is NULL or empty */
		*cells = palloc0(sizeof(GlperfCell));
		(*cells)[0].hash = isnull ? 1 : 2;
		return 1;
	}
	*cells = palloc(sizeof(GlperfCell) * n);
	for (int i = 0; i < n; i++)
		glperf_cell_set(&(*cells)[i], keys[i], nulls != NULL && nulls[i],
						column->typlen, column->byval, column->storage);
	qsort(*cells, n, sizeof(GlperfCell), compare_cells);
	for (int i = 0; i < n; i++)
		if (distinct == 0 || (*cells)[distinct - 1].hash != (*cells)[i].hash)
			(*cells)[distinct++] = (*cells)[i];
	return distinct;
}

/*
 * sql_array.h
 *		Lists as SQL arrays, for the functions that return them.
 */
#ifndef GLPERF_SQL_ARRAY_H
#define GLPERF_SQL_ARRAY_H

#include "compat.h"

#include "catalog/pg_type.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* A List of char * as text[]; empty, not NULL, for NIL. */
static inline Datum
glperf_text_array(List *list)
{
	Datum	   *values = palloc(sizeof(Datum) * (list_length(list) + 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, list)
		values[n++] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

#endif							/* GLPERF_SQL_ARRAY_H */

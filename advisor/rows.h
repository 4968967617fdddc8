/*
 * rows.h
 *		From the rows of a result to C structs.
 */
#ifndef ROWS_H
#define ROWS_H

#include "libpq-fe.h"

/* The kinds of columns in include/glperf_recommendation.h */
typedef enum ColumnKind
{
	KIND_INT,
	KIND_REAL,
	KIND_BOOL,
	KIND_TEXT,
	KIND_TEXTS
} ColumnKind;

/* Which column of a result goes where in the struct of one row. */
typedef struct Column
{
	const char *name;
	ColumnKind	kind;
	size_t		offset;
} Column;

/*
 * rows_load_one -- load one row into a struct, finding columns by name
 *
 * See advice.h for what stands for NULL.  A column that is missing from the
 * result ends the program: the extension is not the one we were made for.
 */
extern void rows_load_one(PGresult *res, int row, const Column *columns,
						  int ncolumns, void *target);

/* rows_load_all -- load all rows into a new array of structs; frees res */
extern void *rows_load_all(PGresult *res, const Column *columns,
						   int ncolumns, size_t size, int *nrows);

#endif							/* ROWS_H */

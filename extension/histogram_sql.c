/*
 * histogram_sql.c
 *		SQL functions over histograms that were read before, or kept.
 *
 * In SQL a histogram is an array of GLPERF_HIST_CELLS counts.  The history keeps
 * it packed: for each cell that is not empty the number of empty ones before
 * it, and its count, as numbers of seven bits a byte, lowest first, with the
 * eighth bit set where more follow.  That takes some twenty bytes.
 */
#include "glperf.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "histogram.h"

/* Bytes of a packed histogram at most: two numbers a cell. */
#define PACKED_MAX (GLPERF_HIST_CELLS * 2 * 10)

/*
 * State of histogram_sum().  A histogram that isn't known makes the sum
 * unknown: cells of a part of the calls would pass for those of all of them.
 */
typedef struct HistogramSum
{
	bool		unknown;
	uint64		cells[GLPERF_HIST_CELLS];
} HistogramSum;

PG_FUNCTION_INFO_V1(glperf_latency_percentile);
PG_FUNCTION_INFO_V1(glperf_histogram_subtract);
PG_FUNCTION_INFO_V1(glperf_histogram_pack);
PG_FUNCTION_INFO_V1(glperf_histogram_add);
PG_FUNCTION_INFO_V1(glperf_histogram_total);

/* Cells of an array argument; raises an error unless it is a histogram. */
static uint64
get_cells(ArrayType *array, uint64 *cells)
{
	uint64		total = 0;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE,
					  &elements, &nulls, &n);
	if (n != GLPERF_HIST_CELLS)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("histogram must have %d cells, not %d",
						GLPERF_HIST_CELLS, n),
				 errhint("Pass the column cells of glperf.statement_latency() or the difference of two of them, element by element.")));
	for (int i = 0; i < n; i++)
	{
		int64		count = nulls[i] ? 0 : DatumGetInt64(elements[i]);

		if (count < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("histogram has a negative count in cell %d", i + 1),
					 errhint("Subtract the earlier reading from the later one.")));
		cells[i] = (uint64) count;
		total += cells[i];
	}
	return total;
}

/* An array of cells. */
static ArrayType *
make_array(Datum *cells)
{
	return construct_array(cells, GLPERF_HIST_CELLS, INT8OID, sizeof(int64),
						   true, TYPALIGN_DOUBLE);
}

/* Percentile of an array of cells, such as the difference of two readings. */
Datum
glperf_latency_percentile(PG_FUNCTION_ARGS)
{
	double		p = PG_GETARG_FLOAT8(1);
	uint64		cells[GLPERF_HIST_CELLS];
	uint64		total;
	double		ms;

	if (isnan(p) || p <= 0 || p > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("percentile must be above 0 and at most 1"),
				 errhint("For the 95th percentile pass 0.95.")));
	total = get_cells(PG_GETARG_ARRAYTYPE_P(0), cells);
	ms = glperf_histogram_percentile(cells, total, 0, p);
	if (isnan(ms))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(ms);
}

/*
 * Difference of two arrays of cells.  A cell that shrank tells that counting
 * began anew; then everything in the later one is new.
 */
Datum
glperf_histogram_subtract(PG_FUNCTION_ARGS)
{
	uint64		later[GLPERF_HIST_CELLS];
	uint64		earlier[GLPERF_HIST_CELLS];
	Datum		result[GLPERF_HIST_CELLS];
	bool		anew = false;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	get_cells(PG_GETARG_ARRAYTYPE_P(0), later);
	get_cells(PG_GETARG_ARRAYTYPE_P(1), earlier);
	for (int i = 0; i < GLPERF_HIST_CELLS; i++)
		anew |= later[i] < earlier[i];
	for (int i = 0; i < GLPERF_HIST_CELLS; i++)
		result[i] = Int64GetDatum((int64) (later[i] - (anew ? 0 : earlier[i])));
	PG_RETURN_ARRAYTYPE_P(make_array(result));
}

/* Write a number at p; returns the byte after it. */
static uint8 *
put_number(uint8 *p, uint64 n)
{
	for (; n >= 0x80; n >>= 7)
		*p++ = (uint8) n | 0x80;
	*p++ = (uint8) n;
	return p;
}

/* Read a number from *p, which ends before end; false if there is none. */
static bool
get_number(const uint8 **p, const uint8 *end, uint64 *n)
{
	*n = 0;
	for (int shift = 0; *p < end && shift < 64; shift += 7)
	{
		uint8		byte = *(*p)++;

		*n |= (uint64) (byte & 0x7F) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

/* Pack an array of cells. */
Datum
glperf_histogram_pack(PG_FUNCTION_ARGS)
{
	uint64		cells[GLPERF_HIST_CELLS];
	uint8		packed[PACKED_MAX];
	uint8	   *p = packed;
	uint64		empty = 0;
	bytea	   *result;

	get_cells(PG_GETARG_ARRAYTYPE_P(0), cells);
	for (int i = 0; i < GLPERF_HIST_CELLS; i++)
	{
		if (cells[i] == 0)
		{
			empty++;
			continue;
		}
		p = put_number(p, empty);
		p = put_number(p, cells[i]);
		empty = 0;
	}
	result = palloc(VARHDRSZ + (p - packed));
	SET_VARSIZE(result, VARHDRSZ + (p - packed));
	memcpy(VARDATA(result), packed, p - packed);
	PG_RETURN_BYTEA_P(result);
}

/* Transition of the aggregate histogram_sum(): add a packed histogram. */
Datum
glperf_histogram_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	HistogramSum *sum;
	bytea	   *packed;
	const uint8 *p;
	const uint8 *end;
	uint64		cell = 0;
	uint64		empty;
	uint64		count;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "glperf_histogram_add called outside of an aggregate");
	if (PG_ARGISNULL(0))
		sum = MemoryContextAllocZero(context, sizeof(HistogramSum));
	else
		sum = (HistogramSum *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
	{
		sum->unknown = true;
		PG_RETURN_POINTER(sum);
	}

	packed = PG_GETARG_BYTEA_PP(1);
	p = (const uint8 *) VARDATA_ANY(packed);
	end = p + VARSIZE_ANY_EXHDR(packed);
	while (p < end)
	{
		if (!get_number(&p, end, &empty) || !get_number(&p, end, &count) ||
			empty >= GLPERF_HIST_CELLS - cell)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("not a packed histogram"),
					 errhint("Pass the column cells of a table of glperf's history, or what glperf.histogram_pack() returns.")));
		cell += empty;
		sum->cells[cell++] += count;
	}
	PG_RETURN_POINTER(sum);
}

/* Result of histogram_sum(); NULL without input, or if part is unknown. */
Datum
glperf_histogram_total(PG_FUNCTION_ARGS)
{
	HistogramSum *sum;
	Datum		result[GLPERF_HIST_CELLS];

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sum = (HistogramSum *) PG_GETARG_POINTER(0);
	if (sum->unknown)
		PG_RETURN_NULL();
	for (int i = 0; i < GLPERF_HIST_CELLS; i++)
		result[i] = Int64GetDatum((int64) sum->cells[i]);
	PG_RETURN_ARRAYTYPE_P(make_array(result));
}

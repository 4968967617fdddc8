/*
 * samples_sql.c
 *		SQL functions that show and forget the parameter samples.
 *
 * Values follow the rule of pg_stat_statements for texts: members of
 * pg_read_all_stats see all, everybody else those of the own role.
 */
#include "glperf.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "samples.h"
#include "samples_store.h"

PG_FUNCTION_INFO_V1(glperf_parameter_samples);
PG_FUNCTION_INFO_V1(glperf_parameter_samples_reset);

#define SAMPLE_COLUMNS 9

/* Array of the parameters' type names, which only this database can tell. */
static Datum
type_names(const GlperfSample *sample)
{
	Datum	   *names = palloc0(sizeof(Datum) * Max(sample->nparams, 1));

	for (int i = 0; i < sample->nparams; i++)
	{
		char	   *name = format_type_extended(sample->param_types[i], -1,
												FORMAT_TYPE_ALLOW_INVALID);

		names[i] = CStringGetTextDatum(name);
	}
	return PointerGetDatum(construct_array(names, sample->nparams, TEXTOID,
										   -1, false, TYPALIGN_INT));
}

/* Array of the parameters' values. */
static Datum
values_array(const GlperfSample *sample)
{
	Datum	   *values = palloc0(sizeof(Datum) * Max(sample->nparams, 1));
	bool	   *nulls = palloc0(sizeof(bool) * Max(sample->nparams, 1));
	int			dims[1] = {sample->nparams};
	int			lbs[1] = {1};

	for (int i = 0; i < sample->nparams; i++)
	{
		nulls[i] = sample->param_values[i] == NULL;
		if (!nulls[i])
			values[i] = CStringGetTextDatum(sample->param_values[i]);
	}
	if (sample->nparams == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	return PointerGetDatum(construct_md_array(values, nulls, 1, dims, lbs,
											  TEXTOID, -1, false,
											  TYPALIGN_INT));
}

/* One row per sample; see the function's COMMENT. */
Datum
glperf_parameter_samples(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfSampleFilter any = {InvalidOid, InvalidOid, 0};
	bool		all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, glperf_samples_copy(&any))
	{
		GlperfSampleCopy *copy = lfirst(lc);
		GlperfSample *sample;
		Datum		values[SAMPLE_COLUMNS];
		bool		nulls[SAMPLE_COLUMNS] = {0};

		if (!all && copy->userid != GetUserId())
			continue;
		sample = glperf_samples_decode(copy);
		values[0] = ObjectIdGetDatum(copy->userid);
		values[1] = ObjectIdGetDatum(copy->dbid);
		values[2] = Int64GetDatum(copy->queryid);
		if (copy->dbid == MyDatabaseId)
			values[4] = type_names(sample);
		else
			nulls[4] = true;
		if (copy->encoding == GetDatabaseEncoding())
		{
			values[3] = CStringGetTextDatum(sample->query_text);
			values[5] = values_array(sample);
			values[6] = CStringGetTextDatum(sample->search_path);
		}
		else
			nulls[3] = nulls[5] = nulls[6] = true;
		values[7] = Int64GetDatum(sample->times_seen);
		values[8] = TimestampTzGetDatum(sample->sampled_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

/* Forget all samples. */
Datum
glperf_parameter_samples_reset(PG_FUNCTION_ARGS)
{
	glperf_samples_clear();
	PG_RETURN_VOID();
}

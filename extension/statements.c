/*
 * statements.c
 *		pg_stat_statements as one shape, whatever its version and schema.
 *
 * The columns of pg_stat_statements were renamed and split over the years
 * (total_time became total_exec_time, blk_read_time became
 * shared_blk_read_time and local_blk_read_time).  Nothing here depends on a
 * version number: the extension's function is called with SELECT *, and its
 * columns are found by any of the names they have had.
 *
 * The source may be unusable for four reasons that an operator has to mend
 * (see GlperfStatementSource).  glperf.statement_stats() raises an error that
 * names the mend; with strict => false it returns no row instead, so that a
 * health page can show the same message as a row of its own.
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "statement_kind.h"

#define PGSS			"pg_stat_statements"
#define MAX_SOURCES		4		/* names that one column has had, or parts */

/* What stands between us and the statistics. */
typedef struct GlperfStatementSource
{
	const char *state;			/* "ok", "not installed", "not preloaded",
								 * "not visible" or "off" */
	int			sqlstate;
	const char *message;		/* lower case, no full stop */
	const char *remedy;			/* a sentence or SQL */
} GlperfStatementSource;

/*
 * One column of glperf.statement_stats(): the sum of those of the named source
 * columns that this version of pg_stat_statements has.
 */
typedef struct GlperfStatementColumn
{
	Oid			type;
	const char *sources[MAX_SOURCES];
} GlperfStatementColumn;

static const GlperfStatementColumn columns[] = {
	{OIDOID, {"userid"}},
	{OIDOID, {"dbid"}},
	{BOOLOID, {"toplevel"}},
	{INT8OID, {"queryid"}},
	{TEXTOID, {"query"}},
	{INT8OID, {"calls"}},
	{FLOAT8OID, {"total_exec_time", "total_time"}},
	{FLOAT8OID, {"mean_exec_time", "mean_time"}},
	{FLOAT8OID, {"min_exec_time", "min_time"}},
	{FLOAT8OID, {"max_exec_time", "max_time"}},
	{FLOAT8OID, {"stddev_exec_time", "stddev_time"}},
	{INT8OID, {"rows"}},
	{INT8OID, {"shared_blks_hit"}},
	{INT8OID, {"shared_blks_read"}},
	{INT8OID, {"shared_blks_dirtied"}},
	{INT8OID, {"shared_blks_written"}},
	{INT8OID, {"temp_blks_read"}},
	{INT8OID, {"temp_blks_written"}},
	{FLOAT8OID, {"blk_read_time", "shared_blk_read_time",
	"local_blk_read_time", "temp_blk_read_time"}},
	{FLOAT8OID, {"blk_write_time", "shared_blk_write_time",
	"local_blk_write_time", "temp_blk_write_time"}},
	{FLOAT8OID, {"wal_bytes"}},
	{TIMESTAMPTZOID, {"stats_since"}},
	{TIMESTAMPTZOID, {"minmax_stats_since"}},
	{INT8OID, {"plans"}},
	{FLOAT8OID, {"total_plan_time"}},
	{TEXTOID, {NULL}},			/* kind, from the text */
};

#define NCOLUMNS		((int) lengthof(columns))
#define COL_DBID		1
#define COL_TOPLEVEL	2
#define COL_QUERY		4
#define COL_STATS_SINCE 21
#define COL_KIND		25

PG_FUNCTION_INFO_V1(glperf_statement_stats);
PG_FUNCTION_INFO_V1(glperf_statement_source);

/*
 * The library is at work only if it was preloaded: it defines its settings
 * then, and only then.  A line in postgresql.conf without the library makes a
 * placeholder, which does not count.
 */
static bool
pgss_is_preloaded(void)
{
	if (GetConfigOption(PGSS ".max", true, false) == NULL)
		return false;
	return (GetConfigOptionFlags(PGSS ".max", true) & GUC_CUSTOM_PLACEHOLDER) == 0;
}

/* A setting has this value in the session. */
static bool
setting_is(const char *name, const char *value)
{
	const char *current = GetConfigOption(name, true, false);

	return current != NULL && strcmp(current, value) == 0;
}

/* Find out whether the statistics can be read, and if not, what to do. */
static GlperfStatementSource
examine_source(void)
{
	GlperfStatementSource s = {"ok", 0, NULL, NULL};
	bool		preloaded = pgss_is_preloaded();

	if (!OidIsValid(get_extension_oid(PGSS, true)))
	{
		s.state = "not installed";
		s.sqlstate = ERRCODE_UNDEFINED_OBJECT;
		s.message = psprintf("extension \"%s\" is not installed in database \"%s\"",
							 PGSS, get_database_name(MyDatabaseId));
		s.remedy = preloaded ?
			"CREATE EXTENSION " PGSS ";" :
			"Add " PGSS " to shared_preload_libraries, restart the server, then run CREATE EXTENSION " PGSS ";";
	}
	else if (!preloaded)
	{
		s.state = "not preloaded";
		s.sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		s.message = PGSS " is installed but its library is not preloaded";
		s.remedy = "Add " PGSS " to shared_preload_libraries and restart the server.";
	}
	else if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
	{
		const char *role = GetUserNameFromId(GetUserId(), false);

		s.state = "not visible";
		s.sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
		s.message = psprintf("role \"%s\" cannot see the statements of other roles",
							 role);
		s.remedy = psprintf("GRANT pg_read_all_stats TO %s;",
							quote_identifier(role));
	}
	else if (setting_is(PGSS ".track", "none"))
	{
		s.state = "off";
		s.message = PGSS ".track is \"none\": no statement is recorded";
		s.remedy = "ALTER SYSTEM RESET " PGSS ".track; SELECT pg_reload_conf();";
	}
	else if (setting_is("compute_query_id", "off"))
	{
		s.state = "off";
		s.message = "compute_query_id is \"off\": no statement is recorded";
		s.remedy = "ALTER SYSTEM RESET compute_query_id; SELECT pg_reload_conf();";
	}
	return s;
}

/*
 * glperf.statement_source(): one row (state, message, remedy) saying whether
 * the statistics can be read; message and remedy are NULL when they can.
 */
Datum
glperf_statement_source(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GlperfStatementSource s = examine_source();
	Datum		values[3] = {0};
	bool		nulls[3] = {false, true, true};

	InitMaterializedSRF(fcinfo, 0);
	values[0] = CStringGetTextDatum(s.state);
	if (s.message != NULL)
	{
		values[1] = CStringGetTextDatum(s.message);
		values[2] = CStringGetTextDatum(s.remedy);
		nulls[1] = nulls[2] = false;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}

/* The schema that pg_stat_statements lives in, quoted.  Inside SPI. */
static char *
pgss_schema(void)
{
	if (SPI_execute("SELECT pg_catalog.quote_ident(n.nspname)"
					" FROM pg_catalog.pg_extension e"
					" JOIN pg_catalog.pg_namespace n"
					" ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
					" WHERE e.extname OPERATOR(pg_catalog.=) '" PGSS "'",
					true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not find the schema of " PGSS);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/*
 * When the counters began, for servers that do not keep it per statement.
 * Versions of the extension before 1.9 do not say; *isnull then.  Inside SPI.
 */
static Datum
pgss_stats_reset(const char *schema, bool *isnull)
{
	Oid			types[1] = {TEXTOID};
	Datum		args[1];
	char	   *info = psprintf("%s.pg_stat_statements_info", schema);

	args[0] = CStringGetTextDatum(info);
	if (SPI_execute_with_args("SELECT pg_catalog.to_regclass($1)",
							  1, types, args, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look up %s", info);
	(void) SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						 isnull);
	if (*isnull)
		return (Datum) 0;
	if (SPI_execute(psprintf("SELECT stats_reset FROM %s", info),
					true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read %s", info);
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						 isnull);
}

/* A source value as a number; wal_bytes is the only numeric one. */
static double
source_number(Datum value, Oid type)
{
	switch (type)
	{
		case FLOAT8OID:
			return DatumGetFloat8(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case NUMERICOID:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8, value));
		default:
			elog(ERROR, "unexpected type %u in " PGSS, type);
			return 0;			/* keep compiler quiet */
	}
}

/* Value of one output column from a source row. */
static Datum
column_value(const GlperfStatementColumn *column, const int *attnums,
			 HeapTuple row, TupleDesc desc, bool *isnull)
{
	double		sum = 0;
	Datum		value = (Datum) 0;

	*isnull = true;
	for (int i = 0; i < MAX_SOURCES; i++)
	{
		bool		null;

		if (attnums[i] <= 0)
			continue;
		value = SPI_getbinval(row, desc, attnums[i], &null);
		if (null)
			continue;
		*isnull = false;
		if (column->type != FLOAT8OID)
			return value;
		sum += source_number(value, SPI_gettypeid(desc, attnums[i]));
	}
	return column->type == FLOAT8OID ? Float8GetDatum(sum) : value;
}

/* Call pg_stat_statements' function. */
static void
query_source(const char *query)
{
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read " PGSS);
}

/* The same, with each text in the encoding of the database that it ran in. */
static void
query_source_raw(const char *query)
{
	int			encoding = GetDatabaseEncoding();

	PG_TRY();
	{
		SetDatabaseEncoding(PG_SQL_ASCII);
		query_source(query);
	}
	PG_FINALLY();
	{
		SetDatabaseEncoding(encoding);
	}
	PG_END_TRY();
}

/*
 * Call pg_stat_statements' function, which converts the texts of all databases
 * to the encoding of this one, and fails over the first that it cannot
 * convert.  Returns false if that happened, and the texts have come as they
 * are.
 */
static bool
query_source_converted(const char *query)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool converted = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		query_source(query);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		/* also of what is raised again: else the session stays aborted */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_UNTRANSLATABLE_CHARACTER &&
			error->sqlerrcode != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE &&
			error->sqlerrcode != ERRCODE_UNDEFINED_FUNCTION)
			ReThrowError(error);
		converted = false;
	}
	PG_END_TRY();
	if (!converted)
		query_source_raw(query);
	return converted;
}

/* A text of a database, shown here: question marks for what is not ASCII. */
static Datum
readable_text(Datum query, Oid dbid)
{
	text	   *copy;
	HeapTuple	tuple;
	int			encoding = -1;
	unsigned char *byte;

	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(dbid));
	if (HeapTupleIsValid(tuple))
	{
		encoding = ((Form_pg_database) GETSTRUCT(tuple))->encoding;
		ReleaseSysCache(tuple);
	}
	if (encoding == GetDatabaseEncoding())
		return query;
	copy = DatumGetTextPCopy(query);
	byte = (unsigned char *) VARDATA(copy);
	for (int i = 0; i < VARSIZE(copy) - VARHDRSZ; i++)
		if (IS_HIGHBIT_SET(byte[i]))
			byte[i] = '?';
	return PointerGetDatum(copy);
}

/* Read all statements into the function's tuplestore.  Inside SPI. */
static void
store_statements(ReturnSetInfo *rsinfo, bool with_text)
{
	char	   *schema = pgss_schema();
	int			attnums[NCOLUMNS][MAX_SOURCES];
	Datum		stats_reset;
	bool		stats_reset_null;
	bool		converted = true;
	TupleDesc	desc;

	stats_reset = pgss_stats_reset(schema, &stats_reset_null);
	if (with_text)
		converted = query_source_converted(psprintf("SELECT * FROM %s." PGSS "(true)",
													schema));
	else
		query_source(psprintf("SELECT * FROM %s." PGSS "(false)", schema));
	desc = SPI_tuptable->tupdesc;

	for (int c = 0; c < NCOLUMNS; c++)
		for (int i = 0; i < MAX_SOURCES; i++)
			attnums[c][i] = columns[c].sources[i] == NULL ? 0 :
				SPI_fnumber(desc, columns[c].sources[i]);

	for (uint64 r = 0; r < SPI_processed; r++)
	{
		Datum		values[NCOLUMNS];
		bool		nulls[NCOLUMNS];

		for (int c = 0; c < NCOLUMNS; c++)
			values[c] = column_value(&columns[c], attnums[c],
									 SPI_tuptable->vals[r], desc, &nulls[c]);
		if (nulls[COL_TOPLEVEL])	/* before 1.9, all that is recorded */
		{
			values[COL_TOPLEVEL] = BoolGetDatum(true);
			nulls[COL_TOPLEVEL] = false;
		}
		if (nulls[COL_STATS_SINCE])
		{
			values[COL_STATS_SINCE] = stats_reset;
			nulls[COL_STATS_SINCE] = stats_reset_null;
		}
		if (!nulls[COL_QUERY])
		{
			text	   *query;

			if (!converted)
				values[COL_QUERY] = readable_text(values[COL_QUERY],
												  DatumGetObjectId(values[COL_DBID]));
			query = DatumGetTextPP(values[COL_QUERY]);
			values[COL_KIND] =
				CStringGetTextDatum(glperf_statement_kind(VARDATA_ANY(query),
														  VARSIZE_ANY_EXHDR(query)));
			nulls[COL_KIND] = false;
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc,
							 values, nulls);
	}
}

/*
 * glperf.statement_stats(with_text, strict): one row per statement.
 *
 * with_text false leaves query NULL and spares reading the file of texts.
 * strict false returns no row where the statistics cannot be read.
 *
 * Errors:	ERRCODE_UNDEFINED_OBJECT, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
 *			ERRCODE_INSUFFICIENT_PRIVILEGE, each with the next action.
 */
Datum
glperf_statement_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		with_text = PG_ARGISNULL(0) || PG_GETARG_BOOL(0);
	bool		strict = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
	GlperfStatementSource source = examine_source();

	InitMaterializedSRF(fcinfo, 0);
	if (source.sqlstate != 0)
	{
		if (strict)
			ereport(ERROR,
					(errcode(source.sqlstate),
					 errmsg_internal("%s", source.message),
					 errhint("%s", source.remedy)));
		return (Datum) 0;
	}

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	store_statements(rsinfo, with_text);
	SPI_finish();
	return (Datum) 0;
}

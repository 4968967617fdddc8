/*
 * reports.c
 *		What people, applications and other nodes tell: report_metric(),
 *		attest() and report_replica_usage().
 *
 * Each writes one row of a table of the extension.  Granting EXECUTE is all it
 * takes to let a role report: the functions write as the owner of the table,
 * as foreign key triggers do, so that nobody needs to write the table itself
 * and who reported what, and when, cannot be made up.  What runs with the
 * owner's rights is the fixed SQL below, with the search_path that is set for
 * the function.
 *
 * An application may report in the middle of a transaction of its own, so
 * nothing here waits: what another transaction is reporting at the same moment
 * is left to it.
 */
#include "glperf.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/syscache.h"

/* Bytes of a name or a note that are worth keeping. */
#define MAX_NAME 200
#define MAX_NOTE 4000

PG_FUNCTION_INFO_V1(glperf_report_metric);
PG_FUNCTION_INFO_V1(glperf_attest);
PG_FUNCTION_INFO_V1(glperf_report_replica_usage);

/* Whom to turn back into. */
typedef struct SavedUser
{
	Oid			user;
	int			context;
} SavedUser;

/*
 * Act as the owner of a table of the extension until stop_being_owner(); an
 * error ends it, too, with the transaction or subtransaction.
 */
static Oid
be_owner_of(const char *table, SavedUser *saved)
{
	Oid			schema = get_namespace_oid("glperf", false);
	Oid			relation = get_relname_relid(table, schema);
	HeapTuple	tuple;
	Oid			owner;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table glperf.%s does not exist", table),
				 errhint("Run ALTER EXTENSION glperf UPDATE.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(owner,
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
	return relation;
}

/* Be oneself again. */
static void
stop_being_owner(const SavedUser *saved)
{
	SetUserIdAndSecContext(saved->user, saved->context);
}

/* Refuse to write where nothing can be written, and say where it can. */
static void
check_writable(const char *function)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s on a standby server", function),
				 errhint("Connect to the primary: the standby shows what is reported there.")));
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s in a read-only transaction",
						function),
				 errhint("Begin a transaction READ WRITE; default_transaction_read_only may be set for this role or database.")));
}

/* Run one of the statements below; the number of rows is in SPI_processed. */
static void
run(const char *sql, int nargs, Oid *types, Datum *args, const char *nulls,
	int expected)
{
	int			rc = SPI_execute_with_args(sql, nargs, types, args, nulls,
										   false, 0);

	if (rc != expected)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(rc));
}

/* The first column of the first row as text; NULL: none, or SQL NULL. */
static char *
first_value(void)
{
	if (SPI_processed == 0)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* A text argument, NULL if it is; longer ones than max bytes are refused. */
static char *
text_argument(FunctionCallInfo fcinfo, int n, const char *what, int max)
{
	char	   *value;

	if (PG_ARGISNULL(n))
		return NULL;
	value = text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (strlen(value) > (size_t) max)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("%s is longer than %d bytes", what, max)));
	return value;
}

/* The unit of a metric that applications report; an error for other names. */
static char *
unit_of_metric(const char *metric)
{
	Oid			types[1] = {TEXTOID};
	Datum		args[1];
	char	   *unit;

	args[0] = CStringGetTextDatum(metric);
	run("SELECT unit FROM glperf.threshold WHERE id = $1 AND source = 'external'",
		1, types, args, NULL, SPI_OK_SELECT);
	unit = first_value();
	if (unit == NULL)
	{
		char	   *known;
		char	   *source;

		run("SELECT source FROM glperf.threshold WHERE id = $1",
			1, types, args, NULL, SPI_OK_SELECT);
		source = first_value();
		run("SELECT string_agg(id, ', ' ORDER BY id) FROM glperf.threshold"
			" WHERE source = 'external'", 0, NULL, NULL, NULL, SPI_OK_SELECT);
		known = first_value();
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 source != NULL ?
				 errmsg("metric \"%s\" is measured by glperf itself", metric) :
				 errmsg("metric \"%s\" does not exist", metric),
				 errhint("Metrics that can be reported: %s. For one of your own INSERT INTO glperf.threshold.",
						 known ? known : "none")));
	}
	return unit;
}

/* Refuse what cannot have been measured. */
static void
check_value(const char *metric, double value, const char *unit)
{
	if (isnan(value) || isinf(value) || value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %g of metric \"%s\" must be a finite number and not negative",
						value, metric)));
	if (strcmp(unit, "%") == 0 && value > 100)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %g of metric \"%s\" is a percentage and must not exceed 100",
						value, metric)));
}

/* Is nobody else writing this row?  Then nobody will until the transaction ends. */
static bool
claim_row(Oid relation, const char *metric, const char *instance)
{
	uint32		hash = hash_bytes((const unsigned char *) metric,
								  strlen(metric));

	hash = hash_combine(hash, hash_bytes((const unsigned char *) instance,
										 strlen(instance)));
	return DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4,
											Int32GetDatum((int32) relation),
											Int32GetDatum((int32) hash)));
}

/*
 * glperf.report_metric(name, value, instance): keep the latest value of a
 * metric that only the application knows.  true: kept; false: another
 * transaction is reporting the same at this moment.
 */
Datum
glperf_report_metric(PG_FUNCTION_ARGS)
{
	char	   *metric = text_argument(fcinfo, 0, "name of the metric", MAX_NAME);
	char	   *instance = text_argument(fcinfo, 2, "name of the instance",
										 MAX_NAME);
	Oid			types[4] = {TEXTOID, TEXTOID, FLOAT8OID, TEXTOID};
	Datum		args[4];
	double		value;
	SavedUser	saved;
	Oid			relation;
	bool		kept;

	if (metric == NULL || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a metric takes a name and a value"),
				 errhint("Report nothing when there is nothing to report: the metric becomes unknown by itself.")));
	value = PG_GETARG_FLOAT8(1);
	if (instance == NULL)
		instance = pstrdup(application_name ? application_name : "");
	check_writable("report_metric()");

	relation = be_owner_of("metric_report", &saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	check_value(metric, value, unit_of_metric(metric));
	kept = claim_row(relation, metric, instance);
	if (kept)
	{
		args[0] = CStringGetTextDatum(metric);
		args[1] = CStringGetTextDatum(instance);
		args[2] = Float8GetDatum(value);
		args[3] = CStringGetTextDatum(GetUserNameFromId(saved.user, false));
		run("INSERT INTO glperf.metric_report"
			" (metric, instance, value, reported_at, reported_by)"
			" VALUES ($1, $2, $3, clock_timestamp(), $4)"
			" ON CONFLICT (metric, instance) DO UPDATE SET"
			" value = EXCLUDED.value, reported_at = EXCLUDED.reported_at,"
			" reported_by = EXCLUDED.reported_by",
			4, types, args, NULL, SPI_OK_INSERT);
		/* instances come and go */
		run("DELETE FROM glperf.metric_report r WHERE ctid = ANY (ARRAY("
			" SELECT o.ctid FROM glperf.metric_report o, glperf.threshold t"
			" WHERE t.id = 'report_age' AND o.metric = $1"
			" AND o.reported_at < now() - make_interval(secs => t.critical)"
			" FOR UPDATE OF o SKIP LOCKED))",
			1, types, args, NULL, SPI_OK_DELETE);
	}
	SPI_finish();
	stop_being_owner(&saved);
	PG_RETURN_BOOL(kept);
}

/*
 * glperf.attest(item, by, note): write down that an item of the checklist was
 * done.
 */
Datum
glperf_attest(PG_FUNCTION_ARGS)
{
	char	   *item = text_argument(fcinfo, 0, "item", MAX_NAME);
	char	   *by = text_argument(fcinfo, 1, "name of who did it", MAX_NAME);
	char	   *note = text_argument(fcinfo, 2, "note", MAX_NOTE);
	Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		args[4];
	char		nulls[5] = "    ";
	SavedUser	saved;

	if (item == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an attestation takes an item"),
				 errhint("SELECT item, description FROM glperf.checklist lists them.")));
	check_writable("attest()");
	be_owner_of("attestation", &saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	args[0] = CStringGetTextDatum(item);
	run("SELECT item FROM glperf.checklist_items() WHERE item = $1",
		1, types, args, NULL, SPI_OK_SELECT);
	if (SPI_processed == 0)
	{
		run("SELECT string_agg(item, ', ' ORDER BY item)"
			" FROM glperf.checklist_items()", 0, NULL, NULL, NULL,
			SPI_OK_SELECT);
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("checklist item \"%s\" does not exist", item),
				 errhint("Items: %s.", first_value())));
	}
	args[3] = CStringGetTextDatum(GetUserNameFromId(saved.user, false));
	args[1] = by != NULL && *by != '\0' ? CStringGetTextDatum(by) : args[3];
	if (note != NULL)
		args[2] = CStringGetTextDatum(note);
	else
		nulls[2] = 'n';
	run("INSERT INTO glperf.attestation (item, attested_by, note, role)"
		" VALUES ($1, $2, $3, $4)", 4, types, args, nulls, SPI_OK_INSERT);
	SPI_finish();
	stop_being_owner(&saved);
	PG_RETURN_VOID();
}

/* Drop what nodes told that have not been heard of for long. */
static void
forget_replicas(void)
{
	run("DELETE FROM glperf.replica_usage r USING glperf.threshold t"
		" WHERE t.id = 'replica_report'"
		" AND r.reported_at < now() - make_interval(secs => t.critical)",
		0, NULL, NULL, NULL, SPI_OK_DELETE);
}

/*
 * Write one row of replica_usage.  There are as many calls as there are
 * indexes, so the statement is planned once in a session.
 */
static void
store_replica_usage(Datum *args, const char *nulls)
{
	static SPIPlanPtr plan = NULL;
	int			rc;

	if (plan == NULL)
	{
		Oid			types[8] = {TEXTOID, TEXTOID, TEXTOID, INT8OID,
		TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTARRAYOID, TEXTOID};

		plan = SPI_prepare("INSERT INTO glperf.replica_usage"
						   " (node, schema_name, index_name, scans,"
						   " last_used_at, since_at, standbys, reported_by,"
						   " reported_at)"
						   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
						   " clock_timestamp())"
						   " ON CONFLICT (node, schema_name, index_name)"
						   " DO UPDATE SET scans = EXCLUDED.scans,"
						   " last_used_at = EXCLUDED.last_used_at,"
						   " since_at = EXCLUDED.since_at,"
						   " standbys = EXCLUDED.standbys,"
						   " reported_by = EXCLUDED.reported_by,"
						   " reported_at = EXCLUDED.reported_at",
						   8, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the statement of report_replica_usage");
	}
	rc = SPI_execute_plan(plan, args, nulls, false, 0);
	if (rc != SPI_OK_INSERT)
		elog(ERROR, "could not write glperf.replica_usage: %s",
			 SPI_result_code_string(rc));
}

/*
 * glperf.report_replica_usage(node, schema, index, scans, last_used_at,
 * since_at, standbys): keep what another node counted.  false: there is no
 * such index here, nothing was kept.
 */
Datum
glperf_report_replica_usage(PG_FUNCTION_ARGS)
{
	static TransactionId forgotten = InvalidTransactionId;
	char	   *node = text_argument(fcinfo, 0, "name of the node", MAX_NAME);
	char	   *schema = text_argument(fcinfo, 1, "name of the schema",
									   MAX_NAME);
	char	   *index = text_argument(fcinfo, 2, "name of the index", MAX_NAME);
	Datum		args[8];
	char		nulls[9] = "        ";
	SavedUser	saved;
	Oid			namespace;

	if (node == NULL || *node == '\0' || schema == NULL || index == NULL ||
		PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("usage on a replica takes the name of the node, schema, index and the number of scans"),
				 errhint("SELECT glperf.node_name() on the replica tells the name.")));
	if (PG_GETARG_INT64(3) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of scans %lld must not be negative",
						(long long) PG_GETARG_INT64(3))));
	check_writable("report_replica_usage()");
	namespace = get_namespace_oid(schema, true);
	if (!OidIsValid(namespace) ||
		!OidIsValid(get_relname_relid(index, namespace)))
		PG_RETURN_BOOL(false);

	be_owner_of("replica_usage", &saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	/* once in a transaction is enough */
	if (forgotten != GetTopTransactionId())
	{
		forget_replicas();
		forgotten = GetTopTransactionId();
	}
	for (int i = 0; i < 7; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	args[7] = CStringGetTextDatum(GetUserNameFromId(saved.user, false));
	store_replica_usage(args, nulls);
	SPI_finish();
	stop_being_owner(&saved);
	PG_RETURN_BOOL(true);
}

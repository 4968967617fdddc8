/*
 * workload.c
 *		The statements that advice is for.
 *
 * Rows come from glperf.statement_stats(), the constants with which they ran
 * from the parameter samples when there are any.  Nothing is reset.
 *
 * A day's worth: counters are scaled from their window to 24 hours.  A
 * statement that ran once in a short window, such as a bulk load, says next to
 * nothing about its rate, so the factor grows with the number of calls.
 */
#include "workload.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "samples.h"

#define SECONDS_PER_DAY		86400.0
/* shortest window believed, in seconds */
#define MIN_WINDOW			60.0
/* calls that make a rate */
#define MIN_CALLS			10.0

/*
 * The search_path of a statement without a sample is the one its role would
 * get on connecting to this database.
 */
static const char *const workload_query =
"SELECT s.userid, s.queryid, s.query, s.calls, s.total_time_ms, s.rows,"
"  greatest(extract(epoch FROM now() - s.stats_since), 0)::float8,"
"  coalesce(r.rolname, s.userid::text)::text,"
"  (SELECT substr(c, 13) FROM pg_db_role_setting d, unnest(d.setconfig) c"
"    WHERE starts_with(c, 'search_path=')"
"      AND d.setrole IN (s.userid, 0)"
"      AND d.setdatabase IN (s.dbid, 0)"
"    ORDER BY d.setrole <> 0 DESC, d.setdatabase <> 0 DESC LIMIT 1),"
"  s.stats_since, coalesce(NOT s.toplevel, false)"
" FROM glperf.statement_stats() s"
" LEFT JOIN pg_roles r ON r.oid = s.userid"
" WHERE s.dbid = (SELECT oid FROM pg_database"
"                 WHERE datname = current_database())"
" ORDER BY s.total_time_ms DESC, s.queryid, s.userid, s.toplevel";

/* The same columns from a JSON array; one day's work by definition. */
static const char *const given_query =
"SELECT coalesce(r.oid, 0::oid),"
"  coalesce(w.queryid, 0), w.query, coalesce(w.calls, 1),"
"  coalesce(w.time_ms, -1), coalesce(w.rows, 0)::int8, 86400::float8,"
"  coalesce(w.role, current_user),"
"  coalesce(w.search_path, glperf.role_search_path(r.oid)),"
"  NULL::timestamptz, coalesce(NOT w.toplevel, false),"
"  ARRAY(SELECT e ->> 'query' FROM jsonb_array_elements(w.samples) e"
"        WHERE e ->> 'query' IS NOT NULL),"
"  ARRAY(SELECT coalesce((e ->> 'seen')::int8, 1)"
"        FROM jsonb_array_elements(w.samples) e"
"        WHERE e ->> 'query' IS NOT NULL)"
" FROM ROWS FROM (jsonb_to_recordset($1) AS"
"   (query text, calls int8, time_ms float8, rows float8, role text,"
"    search_path text, queryid int8, toplevel bool, samples jsonb))"
"  WITH ORDINALITY AS w(query, calls, time_ms, rows, role, search_path,"
"    queryid, toplevel, samples, n)"
" LEFT JOIN pg_roles r ON r.rolname = coalesce(w.role, current_user)"
" ORDER BY n";

#define MEMBERS_HINT \
	"Each object has a member \"query\" and may have \"calls\", \"time_ms\", \"rows\", \"role\", \"search_path\", \"queryid\", \"toplevel\" and \"samples\"."

/* The first thing in such an array that is not what it has to be. */
static const char *const misfit_query =
"SELECT e.n::int4, m.key, m.word"
" FROM jsonb_array_elements($1) WITH ORDINALITY AS e(statement, n)"
" LEFT JOIN LATERAL ("
"  SELECT j.key, k.word"
"  FROM jsonb_each(CASE jsonb_typeof(e.statement) WHEN 'object'"
"    THEN e.statement ELSE '{}' END) j"
"  JOIN (VALUES ('query', 'string', 'string', NULL, NULL),"
"    ('role', 'string', 'string', NULL, NULL),"
"    ('search_path', 'string', 'string', NULL, NULL),"
"    ('toplevel', 'boolean', 'boolean', NULL, NULL),"
"    ('samples', 'array', 'array of objects with \"query\" and \"seen\"', NULL, NULL),"
"    ('calls', 'number', 'whole number', 0, 9e18),"
"    ('time_ms', 'number', 'number', 0, 1e300),"
"    ('rows', 'number', 'number', -9e18, 9e18),"
"    ('queryid', 'number', 'whole number', -9223372036854775808, 9223372036854775807))"
"   AS k(name, kind, word, lowest, highest) ON k.name = j.key"
"  WHERE jsonb_typeof(j.value) NOT IN (k.kind, 'null')"
"   OR CASE jsonb_typeof(j.value) WHEN 'number'"
"     THEN NOT j.value::numeric BETWEEN k.lowest AND k.highest"
"      OR k.word = 'whole number' AND j.value::numeric % 1 <> 0"
"     WHEN 'array' THEN EXISTS (SELECT FROM jsonb_array_elements(j.value) s"
"       WHERE jsonb_typeof(s -> 'query') IS DISTINCT FROM 'string'"
"        OR CASE jsonb_typeof(coalesce(s -> 'seen', '1'))"
"         WHEN 'number' THEN NOT (s -> 'seen')::numeric BETWEEN 0 AND 9e18"
"          OR (s -> 'seen')::numeric % 1 <> 0"
"         ELSE jsonb_typeof(s -> 'seen') <> 'null' END) END"
"  ORDER BY j.key LIMIT 1) m ON true"
" WHERE jsonb_typeof(e.statement) <> 'object' OR m.key IS NOT NULL"
" ORDER BY e.n LIMIT 1";

/* Column of an SPI row as text, or NULL. */
static char *
text_column(HeapTuple row, TupleDesc desc, int column)
{
	return SPI_getvalue(row, desc, column);
}

/* Column of an SPI row as float8; 0 for NULL. */
static double
float_column(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, column, &isnull);

	return isnull ? 0 : DatumGetFloat8(value);
}

/* Column of an SPI row as int8; 0 for NULL. */
static int64
int_column(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* Fill one item from one row. */
static void
fill_item(GlperfWorkItem *item, HeapTuple row, TupleDesc desc,
		  char **search_path)
{
	bool		isnull;
	double		window;
	char	   *query = text_column(row, desc, 3);

	item->userid = DatumGetObjectId(SPI_getbinval(row, desc, 1, &isnull));
	item->queryid = int_column(row, desc, 2);
	item->query = query ? query : pstrdup("");
	item->calls = int_column(row, desc, 4);
	item->time_ms = float_column(row, desc, 5);
	item->rows = (double) int_column(row, desc, 6);
	window = Max(MIN_WINDOW, float_column(row, desc, 7));
	item->per_day = SECONDS_PER_DAY / window;
	if (item->calls < MIN_CALLS && item->per_day > 1)
		item->per_day = pow(item->per_day, item->calls / MIN_CALLS);
	item->role = text_column(row, desc, 8);
	*search_path = text_column(row, desc, 9);
	item->since = (TimestampTz) int_column(row, desc, 10);
	item->nested = DatumGetBool(SPI_getbinval(row, desc, 11, &isnull));
}

/* The ways in which the statement ran, or its normalised text alone. */
static void
fill_instances(GlperfWorkItem *item, const char *search_path)
{
	List	   *samples = item->queryid == 0 ? NIL :
	glperf_samples_get(MyDatabaseId, item->userid, item->queryid);
	double		rows_per_call = item->calls > 0 ? item->rows / item->calls : 0;
	ListCell   *lc;

	if (search_path == NULL)
		search_path = "\"$user\", public";
	foreach(lc, samples)
	{
		GlperfSample *sample = lfirst(lc);
		GlperfInstance *instance = &item->instances[item->ninstances];

		if (item->ninstances == GLPERF_INSTANCES)
			break;
		instance->stmt.text = sample->query_text;
		instance->stmt.nparams = sample->nparams;
		instance->stmt.param_types = sample->param_types;
		/* a generic plan does not know the values, its running time does */
		instance->generic = sample->generic;
		instance->stmt.generic = sample->generic;
		instance->seen = sample->times_seen;
		instance->stmt.param_values = sample->nparams > 0 ?
			sample->param_values : NULL;
		instance->stmt.rows_per_call = rows_per_call;
		instance->stmt.local = true;
		instance->stmt.variables = item->nested;
		instance->search_path = sample->search_path ? sample->search_path :
			search_path;
		instance->sampled = true;
		item->ninstances++;
	}
	if (item->ninstances > 0)
		return;
	item->instances[0].stmt.text = item->query;
	item->instances[0].stmt.rows_per_call = rows_per_call;
	item->instances[0].stmt.local = true;
	item->instances[0].stmt.variables = item->nested;
	item->instances[0].search_path = search_path;
	item->ninstances = 1;
}

/*
 * The ways in which a statement that was handed in ran: columns 12 and 13 hold
 * texts with their constants, and how often each was seen.
 */
static void
given_instances(GlperfWorkItem *item, HeapTuple row, TupleDesc desc)
{
	Datum	   *texts;
	Datum	   *seen;
	int			ntexts;
	int			nseen;
	bool		isnull;
	GlperfInstance whole = item->instances[0];

	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 12, &isnull)),
					  TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &ntexts);
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 13, &isnull)),
					  INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &seen,
					  NULL, &nseen);
	for (int i = 0; i < ntexts && i < nseen && i < GLPERF_INSTANCES; i++)
	{
		GlperfInstance *instance = &item->instances[i];

		*instance = whole;
		instance->stmt.text = TextDatumGetCString(texts[i]);
		instance->sampled = true;
		instance->seen = DatumGetInt64(seen[i]);
		item->ninstances = i + 1;
	}
}

bool
glperf_workload_constants(const GlperfWorkItem *item)
{
	int64		seen = 0;

	for (int i = 0; i < item->ninstances; i++)
	{
		if (!item->instances[i].sampled)
			return true;
		if (item->instances[i].generic)
			return false;
		seen += item->instances[i].seen;
	}
	return seen >= Min(item->calls, GLPERF_STABLE_EXECUTIONS);
}

const char *
glperf_workload_constants_basis(const GlperfWorkItem *item)
{
	int64		seen = 0;

	for (int i = 0; i < item->ninstances; i++)
		seen += item->instances[i].seen;
	if (!item->instances[0].sampled)
		return "is part of the statement's text";
	if (item->instances[0].stmt.nparams == 0)
		return psprintf("is part of the statement's text in all " INT64_FORMAT " sampled executions",
						seen);
	return psprintf("was bound as parameter in all " INT64_FORMAT " sampled executions, whose plans were made for it (custom plans); a generic plan could not use this index",
					seen);
}

/* Run one of the queries above and make a workload of its rows. */
static GlperfWorkload *
workload_from_query(const char *query, Datum *argument)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	GlperfWorkload *workload = palloc0(sizeof(GlperfWorkload));
	Oid			type = JSONBOID;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(query, argument ? 1 : 0, &type, argument, NULL,
							  true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the statements");
	spi = MemoryContextSwitchTo(caller);
	workload->n = (int) SPI_processed;
	workload->items = palloc0(sizeof(GlperfWorkItem) * (workload->n + 1));
	for (int i = 0; i < workload->n; i++)
	{
		char	   *search_path;

		fill_item(&workload->items[i], SPI_tuptable->vals[i],
				  SPI_tuptable->tupdesc, &search_path);
		fill_instances(&workload->items[i], search_path);
		if (argument && !workload->items[i].instances[0].sampled)
			given_instances(&workload->items[i], SPI_tuptable->vals[i],
							SPI_tuptable->tupdesc);
	}
	MemoryContextSwitchTo(spi);
	SPI_finish();
	return workload;
}

GlperfWorkload *
glperf_workload_load(void)
{
	return workload_from_query(workload_query, NULL);
}

/* strcmp() for texts of which some may be missing. */
static int
compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/*
 * For qsort(): most time first, then by everything that tells items apart, so
 * that advice does not depend on the order in which they were handed in.
 */
static int
compare_items(const void *a, const void *b)
{
	const GlperfWorkItem *x = a;
	const GlperfWorkItem *y = b;
	double		xtime = x->time_ms * x->per_day;
	double		ytime = y->time_ms * y->per_day;
	int			order;

	if (xtime != ytime)
		return xtime > ytime ? -1 : 1;
	if (x->queryid != y->queryid)
		return x->queryid < y->queryid ? -1 : 1;
	if (x->userid != y->userid)
		return x->userid < y->userid ? -1 : 1;
	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	order = compare_texts(x->query, y->query);
	if (order == 0)
		order = compare_texts(x->instances[0].search_path,
							  y->instances[0].search_path);
	return order;
}

/* Planning runs code: statements of other roles need membership in them. */
static void
check_role(const GlperfWorkItem *item)
{
	if (!OidIsValid(item->userid) ||
		!has_privs_of_role(GetUserId(), item->userid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" of the workload does not exist or is not yours to use",
						item->role ? item->role : "")));
}

/*
 * Add what was handed in, a day's work, to what was recorded.  The same
 * statement of the same role on another node becomes more of the same.
 */
static GlperfWorkload *
merge_workloads(GlperfWorkload *recorded, GlperfWorkload *given)
{
	int			nrecorded = recorded->n;

	recorded->items = repalloc(recorded->items, sizeof(GlperfWorkItem) *
							   (recorded->n + given->n + 1));
	for (int i = 0; i < given->n; i++)
	{
		GlperfWorkItem *item = &given->items[i];
		GlperfWorkItem *same = NULL;

		for (int j = 0; j < nrecorded && item->queryid != 0 && !same; j++)
			if (recorded->items[j].queryid == item->queryid &&
				recorded->items[j].userid == item->userid)
				same = &recorded->items[j];
		if (same == NULL)
		{
			check_role(item);
			recorded->items[recorded->n++] = *item;
			continue;
		}
		same->calls += (int64) rint(item->calls / same->per_day);
		same->time_ms += Max(item->time_ms, 0) / same->per_day;
		same->rows += item->rows / same->per_day;
	}
	return recorded;
}

/* Refuse an array with members of other types or sizes than they have to be. */
static void
check_members(Datum statements)
{
	Oid			type = JSONBOID;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(misfit_query, 1, &type, &statements, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not check the statements");
	if (SPI_processed > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		char	   *n = text_column(row, SPI_tuptable->tupdesc, 1);
		char	   *key = text_column(row, SPI_tuptable->tupdesc, 2);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 key == NULL ?
				 errmsg("statement %s of the workload is not a JSON object", n) :
				 errmsg("\"%s\" of statement %s of the workload is no %s, or out of range",
						key, n, text_column(row, SPI_tuptable->tupdesc, 3)),
				 errhint(MEMBERS_HINT)));
	}
	SPI_finish();
}

/* Refuse statements that make no sense or that the caller has no right to. */
static void
check_given(const GlperfWorkload *workload)
{
	for (int i = 0; i < workload->n; i++)
	{
		const GlperfWorkItem *item = &workload->items[i];

		if (item->query[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("statement %d of the workload has no query", i + 1)));
	}
}

/* Member of a JSON object; NULL without it. */
static Jsonb *
json_member(Jsonb *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&object->root, name,
													 (int) strlen(name), NULL);

	return value == NULL ? NULL : JsonbValueToJsonb(value);
}

GlperfWorkload *
glperf_workload_given(Jsonb *statements)
{
	bool		with_recorded = false;
	GlperfWorkload *given;
	GlperfWorkload *workload;
	Datum		argument;

	if (JB_ROOT_IS_OBJECT(statements))
	{
		JsonbValue *recorded = getKeyJsonValueFromContainer(&statements->root,
															"recorded", 8, NULL);

		if (recorded != NULL && recorded->type != jbvBool)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"recorded\" of the workload must be true or false")));
		with_recorded = recorded != NULL && recorded->val.boolean;
		statements = json_member(statements, "statements");
	}
	if (statements == NULL || !JB_ROOT_IS_ARRAY(statements) ||
		JB_ROOT_IS_SCALAR(statements))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("workload must be a JSON array of objects"),
				 errhint(MEMBERS_HINT)));
	argument = JsonbPGetDatum(statements);
	check_members(argument);
	given = workload_from_query(given_query, &argument);
	check_given(given);
	for (int i = 0; i < given->n; i++)
		given->items[i].per_day = 1;
	if (!with_recorded)
	{
		for (int i = 0; i < given->n; i++)
			check_role(&given->items[i]);
		workload = given;
	}
	else
		workload = merge_workloads(glperf_workload_load(), given);
	qsort(workload->items, workload->n, sizeof(GlperfWorkItem), compare_items);
	return workload;
}

/*
 * replica_usage.c
 *		Scans of indexes that other nodes have told.
 *
 * A standby counts its own scans and nobody else's, so an index may look idle
 * here and be busy there.  Whoever can reach the standby (glperf-advisor does)
 * writes what it counted into glperf.replica_usage with
 * report_replica_usage(), and the verdict on an index takes it into account.
 *
 * No silence is taken for an answer: an index is only known to be idle if
 * every node that is known to exist has said so lately.  Known are those that
 * are attached, those attached to them, and those that have reported.
 */
#include "replica_usage.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* Names longer than this are cut by the server itself. */
typedef struct IndexName
{
	NameData	schema;
	NameData	index;
} IndexName;

/* One report of one index by one node. */
typedef struct Report
{
	struct Report *next;		/* of the same index */
	int			node;			/* its number */
	int64		scans;
	TimestampTz last_scan;		/* 0 not told */
	TimestampTz since;			/* 0 unknown */
	TimestampTz reported;
} Report;

/* All reports of one index. */
typedef struct IndexReports
{
	IndexName	name;			/* hash key; must be first */
	Report	   *first;
} IndexReports;

/* A node that is known to exist. */
typedef struct KnownNode
{
	char	   *name;
	int			attached;		/* standbys here that have this name */
} KnownNode;

struct GlperfReplicas
{
	int			nnodes;
	int			maxnodes;
	KnownNode  *nodes;
	HTAB	   *reports;		/* of IndexReports; NULL: there are none */
	MemoryContext context;
};

/* The number of a node, which is added if it is new. */
static int
node_number(GlperfReplicas *replicas, const char *name)
{
	for (int i = 0; i < replicas->nnodes; i++)
	{
		if (strcmp(replicas->nodes[i].name, name) == 0)
			return i;
	}
	if (replicas->nnodes == replicas->maxnodes)
	{
		replicas->maxnodes *= 2;
		replicas->nodes = repalloc(replicas->nodes,
								   replicas->maxnodes * sizeof(KnownNode));
	}
	replicas->nodes[replicas->nnodes].name =
		MemoryContextStrdup(replicas->context, name);
	replicas->nodes[replicas->nnodes].attached = 0;
	return replicas->nnodes++;
}

/* Add the nodes named in an array; attached ones are counted by name. */
static void
add_nodes(GlperfReplicas *replicas, ArrayType *names, bool attached)
{
	Datum	   *name;
	bool	   *null;
	int			n;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &name, &null,
					  &n);
	for (int i = 0; i < n; i++)
	{
		int			number;

		if (null[i])
			continue;
		number = node_number(replicas, TextDatumGetCString(name[i]));
		if (attached)
			replicas->nodes[number].attached++;
	}
}

/* Make a hash key of two names. */
static void
set_name(IndexName *name, const char *schema, const char *index)
{
	memset(name, 0, sizeof(IndexName));
	namestrcpy(&name->schema, schema);
	namestrcpy(&name->index, index);
}

/* A column of type timestamptz; 0 for NULL. */
static TimestampTz
time_column(HeapTuple row, TupleDesc desc, int column)
{
	bool		null;
	Datum		value = SPI_getbinval(row, desc, column, &null);

	return null ? 0 : DatumGetTimestampTz(value);
}

/*
 * Keep one row of glperf.replica_usage.  One that is too old counts for nothing
 * but the node, which may be away for maintenance and come back.
 */
static void
add_report(GlperfReplicas *replicas, HeapTuple row, TupleDesc desc)
{
	IndexName	name;
	IndexReports *reports;
	Report	   *report;
	bool		found;
	bool		null;
	Datum		standbys = SPI_getbinval(row, desc, 8, &null);

	if (!null)
		add_nodes(replicas, DatumGetArrayTypeP(standbys), false);
	if (!DatumGetBool(SPI_getbinval(row, desc, 9, &null)))
	{
		(void) node_number(replicas, SPI_getvalue(row, desc, 1));
		return;
	}
	report = MemoryContextAllocZero(replicas->context, sizeof(Report));
	report->node = node_number(replicas, SPI_getvalue(row, desc, 1));
	report->scans = DatumGetInt64(SPI_getbinval(row, desc, 4, &null));
	report->last_scan = time_column(row, desc, 5);
	report->since = time_column(row, desc, 6);
	report->reported = time_column(row, desc, 7);

	set_name(&name, SPI_getvalue(row, desc, 2), SPI_getvalue(row, desc, 3));
	reports = hash_search(replicas->reports, &name, HASH_ENTER, &found);
	if (!found)
		reports->first = NULL;
	report->next = reports->first;
	reports->first = report;
}

/* See replica_usage.h. */
GlperfReplicas *
glperf_replicas_read(ArrayType *attached, double max_age_s)
{
	GlperfReplicas *replicas = palloc0(sizeof(GlperfReplicas));
	Oid			types[1] = {FLOAT8OID};
	Datum		args[1];

	replicas->context = CurrentMemoryContext;
	replicas->maxnodes = 8;
	replicas->nodes = palloc(replicas->maxnodes * sizeof(KnownNode));
	if (attached != NULL)
		add_nodes(replicas, attached, true);

	/* a standby speaks for itself: its own report is among those */
	if (RecoveryInProgress())
		return replicas;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	args[0] = Float8GetDatum(max_age_s);
	if (SPI_execute_with_args("SELECT node, schema_name, index_name, scans,"
							  " last_used_at, since_at, reported_at, standbys,"
							  " extract(epoch FROM"
							  " clock_timestamp() - reported_at) <= $1"
							  " FROM glperf.replica_usage"
							  " WHERE reported_at >= now() - coalesce("
							  " (SELECT make_interval(secs => t.critical)"
							  " FROM glperf.threshold t"
							  " WHERE t.id = 'replica_report'), '0')"
							  " ORDER BY node",
							  1, types, args, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read glperf.replica_usage");
	if (SPI_processed > 0)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(IndexName);
		ctl.entrysize = sizeof(IndexReports);
		ctl.hcxt = replicas->context;
		replicas->reports = hash_create("glperf replica usage", 1024, &ctl,
										HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	for (uint64 i = 0; i < SPI_processed; i++)
		add_report(replicas, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	return replicas;
}

/* All recent reports of this index; NULL: none. */
static Report *
reports_of(GlperfReplicas *replicas, const GlperfIndex *index)
{
	IndexName	name;
	IndexReports *reports;

	if (replicas->reports == NULL)
		return NULL;
	set_name(&name, index->schema_name, index->index_name);
	reports = hash_search(replicas->reports, &name, HASH_FIND, NULL);
	return reports == NULL ? NULL : reports->first;
}

/* Seconds without a scan up to the report; 0 if that is not told. */
static double
idle_seconds(const Report *report, TimestampTz since)
{
	if (since == 0 || (report->scans > 0 && report->last_scan == 0))
		return 0;
	since = Max(since, report->last_scan);
	return Max((report->reported - since) / (double) USECS_PER_SEC, 0);
}

/* Name the nodes that have not told about an index, as told[] says. */
static char *
name_missing(const GlperfReplicas *replicas, const bool *told)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < replicas->nnodes; i++)
	{
		const KnownNode *node = &replicas->nodes[i];

		if (told[i] && node->attached <= 1)
			continue;
		if (names.len > 0)
			appendStringInfoString(&names, ", ");
		appendStringInfo(&names, "\"%s\"", node->name);
		/* which of them has told cannot be known */
		if (node->attached > 1)
			appendStringInfo(&names, " (%d of that name)", node->attached);
	}
	return names.len > 0 ? names.data : NULL;
}

/* See replica_usage.h. */
GlperfReplicaUse
glperf_replicas_use(GlperfReplicas *replicas, const GlperfIndex *index)
{
	GlperfReplicaUse use = {0};
	int64		most = 0;
	bool	   *told;

	if (replicas->nnodes == 0)
		return use;
	told = palloc0(replicas->nnodes * sizeof(bool));
	for (Report *report = reports_of(replicas, index); report != NULL;
		 report = report->next)
	{
		TimestampTz since = report->since == 0 ? 0 :
		Max(report->since, index->created);
		double		idle = idle_seconds(report, since);

		if (report->reported < index->created)
			continue;
		told[report->node] = true;
		use.idle_s = use.reports == 0 ? idle : Min(use.idle_s, idle);
		use.since = use.reports == 0 ? since :
			use.since == 0 || since == 0 ? 0 : Max(use.since, since);
		use.reports++;
		use.scans += report->scans;
		use.last_scan = Max(use.last_scan, report->last_scan);
		if (report->scans > most)
		{
			most = report->scans;
			use.user = replicas->nodes[report->node].name;
		}
	}
	use.missing = name_missing(replicas, told);
	pfree(told);
	return use;
}

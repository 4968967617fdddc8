/*
 * sources.c
 *		Which statements the advice is for: what the server recorded, or files
 *		or logs instead of that, and standbys beside either.
 */
#include "postgres_fe.h"

#include <math.h>

#include "common/logging.h"

#include "db.h"
#include "sources.h"
#include "text.h"
#include "workload.h"

/* Read all logs: together they cover one span of time. */
static Workload *
read_logs(const AdvisorOptions *opts, Advice *advice)
{
	Workload   *workload = workload_create();
	LogWindow	window = {.first_s = NAN,.last_s = NAN};
	char	   *prefix = db_line_prefix();
	double		span_s;

	for (SimpleStringListCell *cell = opts->log_files.head; cell; cell = cell->next)
		source_log(cell->val, prefix, advice->server.database, workload, &window);

	span_s = isnan(window.first_s) ? NAN : window.last_s - window.first_s;
	if (!isnan(span_s))
		workload_scale(workload, span_s);
	advice->server.window_s = span_s;
	advice->source_text = psprintf("server log%s: %s executions of %s statements in %s",
								   opts->log_files.head->next ? "s" : "",
								   text_count(window.durations),
								   text_count(workload_size(workload)),
								   isnan(span_s) ? "an unknown time, taken for a day" :
								   text_ms(span_s * 1000));
	if (window.other_database > 0)
		advice->source_text = psprintf("%s; %s of other databases left out",
									   advice->source_text,
									   text_count(window.other_database));
	if (window.without_text > 0)
		pg_log_warning("%s durations in the logs come without their statements: set log_min_duration_statement rather than log_duration",
					   text_count(window.without_text));
	return workload;
}

/* Read all files of statements. */
static Workload *
read_files(const AdvisorOptions *opts, Advice *advice)
{
	Workload   *workload = workload_create();

	for (SimpleStringListCell *cell = opts->workload_files.head; cell; cell = cell->next)
		source_sql(cell->val, workload);
	advice->source_text = psprintf("%s%s%s statements of %s, as a day's work",
								   advice->source_text ? advice->source_text : "",
								   advice->source_text ? "; " : "",
								   text_count(workload_size(workload)),
								   opts->workload_files.head->next ? "files" :
								   opts->workload_files.head->val);
	return workload;
}

/* Read all standbys. */
static Workload *
read_replicas(const AdvisorOptions *opts, Advice *advice)
{
	Workload   *workload = workload_create();
	int			n = 0;

	for (SimpleStringListCell *cell = opts->replicas.head; cell; cell = cell->next)
	{
		if (db_replica(opts, advice, cell->val, workload))
			n++;
		else
			advice->sources_missing = true;
	}
	advice->source_text = psprintf("%s, and %d %s",
								   advice->source_text ? advice->source_text :
								   "pg_stat_statements", n,
								   n == 1 ? "standby" : "standbys");
	return workload;
}

/* See sources.h. */
void
sources_read(const AdvisorOptions *opts, Advice *advice)
{
	Workload   *workloads[3];
	int			n = 0;

	advice->source = "statistics";
	advice->server.window_s = NAN;
	if (opts->log_files.head == NULL && opts->workload_files.head == NULL &&
		opts->replicas.head == NULL)
		return;
	db_sources_begin(opts, advice);
	if (opts->log_files.head != NULL)
	{
		advice->source = "log";
		workloads[n++] = read_logs(opts, advice);
	}
	if (opts->workload_files.head != NULL)
	{
		if (n == 0)
			advice->source = "file";
		workloads[n++] = read_files(opts, advice);
	}
	if (opts->replicas.head != NULL)
		workloads[n++] = read_replicas(opts, advice);
	advice->workload = workload_json(workloads, n,
									 strcmp(advice->source, "statistics") == 0,
									 db_usable_role);
	db_sources_end();
}

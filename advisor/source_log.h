/*
 * source_log.h
 *		What the readers of the three log formats share.
 */
#ifndef SOURCE_LOG_H
#define SOURCE_LOG_H

#include "workload.h"

/* One entry of a log; NULL and 0 for what it does not tell. */
typedef struct LogEntry
{
	const char *message;
	const char *detail;
	const char *user;
	const char *database;
	const char *session;
	int64		queryid;
	double		time_s;			/* seconds of some clock; NaN unknown */
} LogEntry;

/* A statement whose duration comes in a later entry of its session */
typedef struct LogPending
{
	struct LogPending *next;
	char	   *session;
	char	   *text;			/* NULL: none */
	char	   *detail;
} LogPending;

typedef struct LogReader
{
	FILE	   *file;
	const char *database;		/* ours */
	Workload   *workload;
	LogWindow  *window;
	LogPending *pending;
	int64		unreadable;		/* lines that are no log entries */
} LogReader;

/* source_log_entry -- take an entry, if it is an execution with its duration */
extern void source_log_entry(LogReader *reader, const LogEntry *entry);

/* source_log_time -- "2026-01-31 12:34:56.789 UTC" in seconds; NaN if not */
extern double source_log_time(const char *text);

/* One reader per format; each reads to the end of the file. */
extern void source_log_stderr(LogReader *reader, const char *line_prefix);
extern void source_log_csv(LogReader *reader);
extern void source_log_json(LogReader *reader);

#endif							/* SOURCE_LOG_H */

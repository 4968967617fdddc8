/*
 * source_log.c
 *		Server logs as a workload: which format, and what an entry means.
 *
 * With log_min_duration_statement the server writes one entry per execution:
 * "duration: 12.3 ms  statement: ..." or "execute NAME: ...", and with bound
 * parameters a detail with their values.  Those are put back into the text,
 * so that the planner sees what the execution saw.
 */
#include "postgres_fe.h"

#include <ctype.h>
#include <math.h>

#include "common/logging.h"
#include "lib/stringinfo.h"

#include "lexer.h"
#include "options.h"
#include "source_log.h"

/* See source_log.h. */
double
source_log_time(const char *text)
{
	int			y;
	int			mon;
	int			d;
	int			h;
	int			min;
	double		s;
	long		days;

	if (text == NULL || sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d:%lf", &y, &mon,
							   &d, &h, &min, &s) != 6)
		return NAN;
	/* days of the civil calendar; only differences matter */
	y -= mon <= 2;
	days = 365L * y + y / 4 - y / 100 + y / 400 +
		(153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + d;
	return days * 86400.0 + h * 3600.0 + min * 60.0 + s;
}

/*
 * Values of "parameters: $1 = '42', $2 = NULL".  Returns how many there are;
 * values[n] is the literal of $(n+1).
 */
static int
parse_parameters(const char *detail, char **values, int max)
{
	const char *s = detail;
	int			n = 0;

	while (n < max && s[0] == '$' && isdigit((unsigned char) s[1]))
	{
		int			len;

		s += 1 + strspn(s + 1, "0123456789");
		if (strncmp(s, " = ", 3) != 0)
			break;
		s += 3;
		if (lexer_next(s, &len) == TOKEN_END)
			break;
		values[n++] = pnstrdup(s, len);
		s += len;
		if (strncmp(s, ", ", 2) == 0)
			s += 2;
	}
	return n;
}

/* The value for a parameter; NULL when it has none. */
static const char *
parameter_value(const char *token, char **values, int nvalues)
{
	long		n = strtol(token + 1, NULL, 10);

	return n >= 1 && n <= nvalues ? values[n - 1] : NULL;
}

/* The text with its parameters' values in it. */
static char *
fill_in(const char *text, char **values, int nvalues)
{
	StringInfoData out;
	TokenKind	kind;
	int			len;

	initStringInfo(&out);
	for (const char *s = text; (kind = lexer_next(s, &len)) != TOKEN_END; s += len)
	{
		const char *value = kind == TOKEN_PARAM ?
		parameter_value(s, values, nvalues) : NULL;

		if (value != NULL)
			appendStringInfoString(&out, value);
		else
			appendBinaryStringInfo(&out, s, len);
	}
	return out.data;
}

/* The place for what a session has begun; NULL when it isn't known. */
static LogPending *
pending_of(LogReader *reader, const char *session)
{
	LogPending *pending;

	if (session == NULL || session[0] == '\0')
		return NULL;
	for (LogPending **link = &reader->pending; *link != NULL;
		 link = &(*link)->next)
	{
		pending = *link;
		if (strcmp(pending->session, session) != 0)
			continue;
		/* to the front: busy sessions are found at once */
		*link = pending->next;
		pending->next = reader->pending;
		reader->pending = pending;
		return pending;
	}
	pending = pg_malloc0(sizeof(LogPending));
	pending->session = pg_strdup(session);
	pending->next = reader->pending;
	reader->pending = pending;
	return pending;
}

/* Keep a statement until its duration comes. */
static void
keep_pending(LogReader *reader, const LogEntry *entry, const char *text)
{
	LogPending *pending = pending_of(reader, entry->session);

	if (pending == NULL)
		return;
	pg_free(pending->text);
	pg_free(pending->detail);
	pending->text = pg_strdup(text);
	pending->detail = entry->detail ? pg_strdup(entry->detail) : NULL;
}

/* The text behind "statement: " or "execute NAME: "; NULL for other words. */
static const char *
statement_text(const char *message)
{
	const char *text;

	if (strncmp(message, "statement: ", 11) == 0)
		return message + 11;
	if (strncmp(message, "execute ", 8) != 0)
		return NULL;
	text = strstr(message, ": ");
	return text ? text + 2 : NULL;
}

/* Count an execution with its text, and free what was made for it. */
static void
add_execution(LogReader *reader, const LogEntry *entry, const char *text,
			  double time_ms)
{
	char	   *values[1000];
	int			nvalues = 0;
	char	   *filled = NULL;
	Execution	execution = {.calls = 1,.time_ms = time_ms};

	if (entry->detail != NULL && strlen(entry->detail) > 12 &&
		pg_strncasecmp(entry->detail, "parameters: ", 12) == 0)
		nvalues = parse_parameters(entry->detail + 12, values, lengthof(values));
	if (nvalues > 0)
		filled = fill_in(text, values, nvalues);
	execution.text = filled ? filled : text;
	execution.role = entry->user;
	execution.queryid = entry->queryid;
	workload_add(reader->workload, &execution);
	reader->window->durations++;
	for (int i = 0; i < nvalues; i++)
		pg_free(values[i]);
	pg_free(filled);
}

/* A duration alone: log_statement had the text logged before. */
static void
add_pending(LogReader *reader, const LogEntry *entry, double time_ms)
{
	LogPending *pending = pending_of(reader, entry->session);
	LogEntry	both = *entry;

	if (pending == NULL || pending->text == NULL)
	{
		reader->window->without_text++;
		return;
	}
	both.detail = pending->detail;
	add_execution(reader, &both, pending->text, time_ms);
	pg_free(pending->text);
	pending->text = NULL;
}

/* See source_log.h. */
void
source_log_entry(LogReader *reader, const LogEntry *entry)
{
	LogWindow  *window = reader->window;
	const char *s = entry->message;
	char	   *end;
	double		time_ms;

	if (!isnan(entry->time_s))
	{
		if (!(entry->time_s >= window->first_s))
			window->first_s = entry->time_s;
		if (!(entry->time_s <= window->last_s))
			window->last_s = entry->time_s;
	}
	if (s == NULL)
		return;
	if (strncmp(s, "duration: ", 10) != 0)
	{
		if (statement_text(s) != NULL)
			keep_pending(reader, entry, statement_text(s));
		return;
	}
	time_ms = strtod(s + 10, &end);
	if (end == s + 10 || strncmp(end, " ms", 3) != 0)
		return;
	if (entry->database != NULL && strcmp(entry->database, reader->database) != 0)
	{
		window->other_database++;
		return;
	}
	s = end + 3;
	s += strspn(s, " ");
	if (*s == '\0')
		add_pending(reader, entry, time_ms);
	else if (statement_text(s) != NULL)
		add_execution(reader, entry, statement_text(s), time_ms);
	/* parse and bind are parts of an execution, plan is auto_explain's */
}

/* See workload.h. */
void
source_log(const char *path, const char *line_prefix, const char *database,
		   Workload *workload, LogWindow *window)
{
	LogReader	reader = {.database = database,.workload = workload,.window = window};
	int			c;
	int64		before = window->durations + window->without_text +
	window->other_database;

	reader.file = fopen(path, "r");
	if (reader.file == NULL)
	{
		pg_log_error("could not read file \"%s\": %m", path);
		options_exit_failure();
	}
	c = getc(reader.file);
	if (c == 0x1f)
	{
		pg_log_error("file \"%s\" is compressed", path);
		pg_log_error_hint("Unpack it first.");
		options_exit_failure();
	}
	ungetc(c, reader.file);
	if (c == '{')
		source_log_json(&reader);
	else
	{
		/* "2026-01-31 12:34:56.789 UTC," begins an entry in CSV */
		char		head[64];
		size_t		n = fread(head, 1, sizeof(head) - 1, reader.file);
		char	   *comma;

		head[n] = '\0';
		comma = strchr(head, ',');
		if (fseek(reader.file, 0, SEEK_SET) != 0)
		{
			pg_log_error("could not read file \"%s\" from its beginning: %m", path);
			options_exit_failure();
		}
		if (comma != NULL && !isnan(source_log_time(head)) &&
			comma - head < 40 && strcspn(head, "[\"") > (size_t) (comma - head))
			source_log_csv(&reader);
		else
			source_log_stderr(&reader, line_prefix);
	}
	if (ferror(reader.file))
	{
		pg_log_error("could not read file \"%s\": %m", path);
		options_exit_failure();
	}
	fclose(reader.file);
	if (window->durations + window->without_text + window->other_database == before)
	{
		pg_log_warning("file \"%s\" has no durations of statements", path);
		pg_log_warning_hint("The server writes them with log_min_duration_statement, and in English with lc_messages = 'C'.");
	}
}

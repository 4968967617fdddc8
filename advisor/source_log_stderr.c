/*
 * source_log_stderr.c
 *		Server logs in their plain format.
 *
 * What stands before the severity is up to log_line_prefix, which the server
 * tells us.  An entry goes on in lines that begin with a tab; its detail is the
 * line after it.
 */
#include "postgres_fe.h"

#include <ctype.h>
#include <math.h>

#include "common/string.h"
#include "lib/stringinfo.h"

#include "source_log.h"

/* What a prefix told. */
typedef struct Prefix
{
	char		user[128];
	char		database[128];
	char		session[64];
	int64		queryid;
	double		time_s;
} Prefix;

/* Characters that the value of an escape can consist of; NULL: anything */
static const char *
escape_characters(char escape)
{
	switch (escape)
	{
		case 'p':
		case 'P':
		case 'l':
		case 'x':
		case 'Q':
			return "0123456789-";
		case 'n':
			return "0123456789.";
		case 'c':
			return "0123456789abcdef.";
		case 'v':
			return "0123456789/-";
		case 'm':
		case 't':
		case 's':
			return "0123456789-: .+ABCDEFGHIJKLMNOPQRSTUVWXYZ";
		default:
			return NULL;
	}
}

/* Keep the value of an escape. */
static void
take_value(Prefix *prefix, char escape, const char *value, int len)
{
	char text[	128];

	len = Min(len, (int) sizeof(text) - 1);
	while (len > 0 && *value == ' ')
	{
		value++;
		len--;
	}
	while (len > 0 && value[len - 1] == ' ')
		len--;
	memcpy(text, value, len);
	text[		len] = '\0';

	if (escape == 'u')
		strlcpy(prefix->user, text, sizeof(prefix->user));
	else if (escape == 'd')
		strlcpy(prefix->database, text, sizeof(prefix->database));
	else if (escape == 'p' || escape == 'c')
		strlcpy(prefix->session, text, sizeof(prefix->session));
	else if (escape == 'Q')
		prefix->queryid = strtoll(text, NULL, 10);
	else if (escape == 'm' || escape == 't')
		prefix->time_s = source_log_time(text);
	else if (escape == 'n')
		prefix->time_s = strtod(text, NULL);
}

/* Does what stands at s look like the format?  Shortest values first. */
static bool
match_prefix(const char *format, const char *s, const char *end,
			 Prefix *prefix)
{
	const char *allowed;
	char		escape;

	if (*format == '\0')
		return s == end;
	if (*format != '%' || format[1] == '%')
		return s < end && *s == *format &&
			match_prefix(format + 1 + (*format == '%'), s + 1, end, prefix);
	format++;
	while (*format == '-' || isdigit((unsigned char) *format))
		format++;				/* padding */
	escape = *format;
	if (escape == '\0')
		return s == end;
	if (escape == 'q')
		return match_prefix(format + 1, s, end, prefix);
	allowed = escape_characters(escape);
	for (const char *stop = s; stop <= end; stop++)
	{
		if (match_prefix(format + 1, stop, end, prefix))
		{
			take_value(prefix, escape, s, stop - s);
			return true;
		}
		if (stop < end && allowed != NULL && *stop != ' ' &&
			strchr(allowed, *stop) == NULL)
			break;
	}
	return false;
}

/* Where a severity begins in a line; NULL if there is none like that. */
static const char *
find_severity(const char *line, const char *severity)
{
	const char *found = strstr(line, severity);

	return found != NULL && (found == line || found[-1] != '\t') ? found : NULL;
}

/* Hand over the entry that was collected, if there is one. */
static void
end_entry(LogReader *reader, StringInfo message, const char *detail,
		  const Prefix *prefix)
{
	LogEntry	entry = {.message = message->data,.detail = detail,
		.user = prefix->user[0] ? prefix->user : NULL,
		.database = prefix->database[0] ? prefix->database : NULL,
	.session = prefix->session,.queryid = prefix->queryid,.time_s = prefix->time_s};

	if (message->len > 0)
		source_log_entry(reader, &entry);
	resetStringInfo(message);
}

/* See source_log.h. */
void
source_log_stderr(LogReader *reader, const char *line_prefix)
{
	StringInfoData message;
	Prefix		prefix = {.time_s = NAN};
	char	   *line = NULL;
	size_t		size = 0;

	initStringInfo(&message);
	while (getline(&line, &size, reader->file) > 0)
	{
		const char *found;

		pg_strip_crlf(line);
		if (line[0] == '\t')
		{
			if (message.len > 0)
				appendStringInfo(&message, "\n%s", line + 1);
			continue;
		}
		found = find_severity(line, "DETAIL:  ");
		if (found != NULL && message.len > 0)
		{
			end_entry(reader, &message, found + strlen("DETAIL:  "), &prefix);
			continue;
		}
		end_entry(reader, &message, NULL, &prefix);
		memset(&prefix, 0, sizeof(prefix));
		prefix.time_s = NAN;
		found = find_severity(line, "LOG:  duration: ");
		if (found == NULL)
			found = find_severity(line, "LOG:  statement: ");
		if (found == NULL)
			found = find_severity(line, "LOG:  execute ");
		if (found == NULL)
			continue;
		if (!match_prefix(line_prefix, line, found, &prefix))
			reader->unreadable++;
		appendStringInfoString(&message, found + strlen("LOG:  "));
	}
	end_entry(reader, &message, NULL, &prefix);
	free(line);
}

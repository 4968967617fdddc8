/*
 * source_log_csv.c
 *		Server logs in CSV and in JSON, whose fields have names or places.
 */
#include "postgres_fe.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "source_log.h"

/* Places of fields in a CSV entry */
enum
{
	CSV_TIME = 0,
	CSV_USER = 1,
	CSV_DATABASE = 2,
	CSV_PID = 3,
	CSV_MESSAGE = 13,
	CSV_DETAIL = 14,
	CSV_QUERYID = 25,
	CSV_FIELDS = 26				/* those that we look at */
};

/* Hand over one entry, and begin the next. */
static void
end_csv_entry(LogReader *reader, StringInfo fields, int nfields)
{
	LogEntry	entry = {0};

	if (nfields > CSV_DETAIL)
	{
		entry.time_s = source_log_time(fields[CSV_TIME].data);
		entry.user = fields[CSV_USER].len > 0 ? fields[CSV_USER].data : NULL;
		entry.database = fields[CSV_DATABASE].len > 0 ?
			fields[CSV_DATABASE].data : NULL;
		entry.session = fields[CSV_PID].data;
		entry.message = fields[CSV_MESSAGE].data;
		entry.detail = fields[CSV_DETAIL].data;
		entry.queryid = nfields > CSV_QUERYID ?
			strtoll(fields[CSV_QUERYID].data, NULL, 10) : 0;
		source_log_entry(reader, &entry);
	}
	for (int i = 0; i < CSV_FIELDS; i++)
		resetStringInfo(&fields[i]);
}

/* See source_log.h. */
void
source_log_csv(LogReader *reader)
{
	StringInfoData fields[CSV_FIELDS];
	int			field = 0;
	bool		quoted = false;
	int			c;

	for (int i = 0; i < CSV_FIELDS; i++)
		initStringInfo(&fields[i]);
	while ((c = getc(reader->file)) != EOF)
	{
		if (c == '"')
		{
			/* a doubled quote is one; it ends and begins again */
			if (quoted)
			{
				int			next = getc(reader->file);

				if (next != '"')
				{
					quoted = false;
					if (next != EOF)
						ungetc(next, reader->file);
					continue;
				}
			}
			else
			{
				quoted = true;
				continue;
			}
		}
		else if (!quoted && c == ',')
		{
			field++;
			continue;
		}
		else if (!quoted && c == '\n')
		{
			end_csv_entry(reader, fields, field + 1);
			field = 0;
			continue;
		}
		if (field < CSV_FIELDS)
			appendStringInfoChar(&fields[field], (char) c);
	}
	end_csv_entry(reader, fields, field + 1);
}

/* Four hexadecimal digits, or -1 */
static int
hex4(const char *s)
{
	char		digits[5];
	char	   *end;
	long		value;

	for (int i = 0; i < 4; i++)
		if ((digits[i] = s[i]) == '\0')
			return -1;
	digits[4] = '\0';
	value = strtol(digits, &end, 16);
	return *end == '\0' ? (int) value : -1;
}

/* One character after a backslash; returns what follows it. */
static const char *
unescape(const char *s, StringInfo out)
{
	static const char from[] = "nrtbf";
	static const char to[] = "\n\r\t\b\f";
	const char *found = *s != '\0' ? strchr(from, *s) : NULL;

	if (found != NULL)
		appendStringInfoChar(out, to[found - from]);
	else if (*s == 'u' && hex4(s + 1) > 0)
	{
		unsigned char utf8[8] = {0};

		unicode_to_utf8(hex4(s + 1), utf8);
		appendStringInfoString(out, (char *) utf8);
		return s + 5;
	}
	else if (*s != '\0')
		appendStringInfoChar(out, *s);
	return *s != '\0' ? s + 1 : s;
}

/* A JSON string, s behind its quote; returns what follows it. */
static const char *
read_string(const char *s, StringInfo out)
{
	resetStringInfo(out);
	while (*s != '\0' && *s != '"')
	{
		if (*s == '\\')
			s = unescape(s + 1, out);
		else
			appendStringInfoChar(out, *s++);
	}
	return *s == '"' ? s + 1 : s;
}

/* Where the values of one entry go, by the names of their members */
typedef struct JsonField
{
	const char *name;
	StringInfoData value;
} JsonField;

/* Read the flat object in a line. */
static bool
read_object(const char *s, JsonField *fields, int nfields)
{
	StringInfoData key;
	StringInfoData ignored;
	bool		ok = (*s == '{');

	initStringInfo(&key);
	initStringInfo(&ignored);
	for (int i = 0; i < nfields; i++)
		resetStringInfo(&fields[i].value);
	for (s++; ok && *s != '}' && *s != '\0';)
	{
		StringInfo	target = &ignored;

		s += strspn(s, " ,");
		if (*s != '"')
			break;
		s = read_string(s + 1, &key);
		s += strspn(s, " :");
		for (int i = 0; i < nfields; i++)
			if (strcmp(fields[i].name, key.data) == 0)
				target = &fields[i].value;
		if (*s == '"')
			s = read_string(s + 1, target);
		else
		{
			size_t		len = strcspn(s, ",}");

			resetStringInfo(target);
			appendBinaryStringInfo(target, s, len);
			s += len;
		}
	}
	ok = ok && *s == '}';
	pg_free(key.data);
	pg_free(ignored.data);
	return ok;
}

/* See source_log.h. */
void
source_log_json(LogReader *reader)
{
	static const char *const names[] = {
		"timestamp", "user", "dbname", "message", "detail", "query_id", "pid"
	};
	JsonField	fields[lengthof(names)];
	char	   *line = NULL;
	size_t		size = 0;

	for (size_t i = 0; i < lengthof(fields); i++)
	{
		fields[i].name = names[i];
		initStringInfo(&fields[i].value);
	}
	while (getline(&line, &size, reader->file) > 0)
	{
		LogEntry	entry = {0};

		if (!read_object(line, fields, lengthof(fields)))
		{
			reader->unreadable++;
			continue;
		}
		entry.time_s = source_log_time(fields[0].value.data);
		entry.user = fields[1].value.len > 0 ? fields[1].value.data : NULL;
		entry.database = fields[2].value.len > 0 ? fields[2].value.data : NULL;
		entry.message = fields[3].value.data;
		entry.detail = fields[4].value.len > 0 ? fields[4].value.data : NULL;
		entry.queryid = strtoll(fields[5].value.data, NULL, 10);
		entry.session = fields[6].value.data;
		source_log_entry(reader, &entry);
	}
	free(line);
}

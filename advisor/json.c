/*
 * json.c
 *		Writing JSON.
 *
 * RFC 8259: every string is valid UTF-8 (invalid bytes become U+FFFD), and
 * besides what must be escaped, every character that a terminal would act
 * upon is.  Lists are [] and never null.  Unknown numbers are null, as NaN
 * and Infinity aren't JSON.
 */
#include "postgres_fe.h"

#include <math.h>

#include "common/shortest_dec.h"

#include "json.h"
#include "text.h"

/* Raised whenever a reader of the previous document could stumble. */
#define JSON_SCHEMA_VERSION		1

/* A string with its quotes. */
static void
write_string(FILE *out, const char *s)
{
	fputc('"', out);
	while (*s)
	{
		uint32		code;
		int			len = text_next(s, &code);

		if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int) code);
		else if (code == '\n')
			fputs("\\n", out);
		else if (code == '\t')
			fputs("\\t", out);
		else if (text_is_unsafe(code) || (code == 0xFFFD && len == 1))
			fprintf(out, "\\u%04x", code);
		else
			fwrite(s, 1, len, out);
		s += len;
	}
	fputc('"', out);
}

/* Comma, line break, indentation and key: all that goes before a value. */
static void
write_key(JsonWriter *w, const char *key)
{
	if (!w->first)
		fputc(',', w->out);
	if (w->depth > 0)
		fprintf(w->out, "\n%*s", w->depth * 2, "");
	w->first = false;
	if (key != NULL)
	{
		write_string(w->out, key);
		fputs(": ", w->out);
	}
}

/* Begin an object or a list. */
void
json_open(JsonWriter *w, const char *key, char bracket)
{
	write_key(w, key);
	fputc(bracket, w->out);
	w->depth++;
	w->first = true;
}

/* End it. */
void
json_close(JsonWriter *w, char bracket)
{
	w->depth--;
	if (!w->first)
		fprintf(w->out, "\n%*s", w->depth * 2, "");
	fputc(bracket, w->out);
	w->first = false;
}

/* See json.h. */
void
json_begin(JsonWriter *w, FILE *out, const char *generated_at)
{
	*w = (JsonWriter)
	{
		.out = out,.first = true
	};
	json_open(w, NULL, '{');
	json_INT(w, "schema_version", JSON_SCHEMA_VERSION);
	json_TEXT(w, "advisor_version", GLPERF_VERSION);
	json_TEXT(w, "generated_at", generated_at);
}

/* See json.h. */
void
json_end(JsonWriter *w)
{
	json_close(w, '}');
	fputc('\n', w->out);
}

/* A string, or null. */
void
json_TEXT(JsonWriter *w, const char *key, const char *value)
{
	write_key(w, key);
	if (value == NULL)
		fputs("null", w->out);
	else
		write_string(w->out, value);
}

/* A whole number, or null. */
void
json_INT(JsonWriter *w, const char *key, int64 value)
{
	write_key(w, key);
	if (value == GLPERF_NULL_INT)
		fputs("null", w->out);
	else
		fprintf(w->out, INT64_FORMAT, value);
}

/* The shortest text that reads back as the same double, or null. */
void
json_REAL(JsonWriter *w, const char *key, double value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	write_key(w, key);
	if (!isfinite(value))
	{
		fputs("null", w->out);
		return;
	}
	double_to_shortest_decimal_buf(value, digits);
	fputs(digits, w->out);
}

/* true or false. */
void
json_BOOL(JsonWriter *w, const char *key, bool value)
{
	write_key(w, key);
	fputs(value ? "true" : "false", w->out);
}

/* A list of strings, perhaps empty. */
void
json_TEXTS(JsonWriter *w, const char *key, TextList list)
{
	json_open(w, key, '[');
	for (int i = 0; i < list.n; i++)
		json_TEXT(w, NULL, list.items[i]);
	json_close(w, ']');
}

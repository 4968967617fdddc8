/*
 * text.c
 *		Making strings safe and numbers readable for people.
 */
#include "postgres_fe.h"

#include <ctype.h>
#include <math.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "text.h"

/* Decode one character. */
int
text_next(const char *s, uint32 *code)
{
	int			len = pg_encoding_verifymbchar(PG_UTF8, s, strlen(s));

	if (len < 1)
	{
		*code = 0xFFFD;
		return 1;
	}
	*code = utf8_to_unicode((const unsigned char *) s);
	return len;
}

/* Could this character do more than be shown? */
bool
text_is_unsafe(uint32 code)
{
	return code < 0x20 || (code >= 0x7F && code <= 0x9F) ||
		code == 0x061C ||		/* arabic letter mark */
		code == 0x200E || code == 0x200F || /* left-to-right mark etc. */
		(code >= 0x2028 && code <= 0x202E) ||	/* separators, embeddings */
		(code >= 0x2066 && code <= 0x2069) ||	/* isolates */
		code == 0xFEFF;			/* byte order mark */
}

/* Does a string hold an unsafe character? */
bool
text_has_unsafe(const char *s)
{
	uint32		code;

	while (*s)
	{
		s += text_next(s, &code);
		if (text_is_unsafe(code) || code == 0xFFFD)
			return true;
	}
	return false;
}

/* White space, for the purpose of putting text on one line */
static bool
is_space(uint32 code)
{
	return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 ||
		code == 0x2028 || code == 0x2029;
}

/* Put a string on one line that is safe to show. */
char *
text_clean(const char *s)
{
	StringInfoData buf;
	bool		pending = false;

	initStringInfo(&buf);
	while (s != NULL && *s)
	{
		uint32		code;
		int			len = text_next(s, &code);

		if (is_space(code))
			pending = (buf.len > 0);
		else
		{
			if (pending)
				appendStringInfoChar(&buf, ' ');
			pending = false;
			if (text_is_unsafe(code) || (code == 0xFFFD && len == 1))
				appendStringInfoChar(&buf, '?');
			else
				appendBinaryStringInfo(&buf, s, len);
		}
		s += len;
	}
	return buf.data;
}

/*
 * Cut a statement's text at its first string literal, quoted or in dollars.
 * A $1 is no literal.  Whatever stood behind it could be part of the literal
 * by some reading of it, so none of that stays.
 */
void
text_hide_literals(char *query)
{
	for (char *p = query; *p; p++)
	{
		if (*p == '\'' || (*p == '$' && !isdigit((unsigned char) p[1])))
		{
			/* as much of "..." as there is room for */
			for (int i = 0; i < 3 && *p; i++)
				*p++ = '.';
			*p = '\0';
			return;
		}
	}
}

/* Columns of the character at s. */
static int
char_width(const char *s)
{
	int			width = pg_encoding_dsplen(PG_UTF8, s);

	return Max(width, 0);
}

/* Columns of a string on a terminal. */
int
text_width(const char *s)
{
	int			width = 0;
	uint32		code;

	while (*s)
	{
		width += char_width(s);
		s += text_next(s, &code);
	}
	return width;
}

/* Clean a string and cut it to a display width. */
char *
text_fit(const char *s, int width)
{
	char	   *clean = text_clean(s);
	char	   *p = clean;
	char	   *cut = clean;
	int			used = 0;

	if (text_width(clean) <= width)
		return clean;
	while (*p)
	{
		uint32		code;

		used += char_width(p);
		if (used > width)
			break;
		p += text_next(p, &code);
		if (used <= width - 3)
			cut = p;
	}
	*cut = '\0';
	p = psprintf("%s...", clean);
	free(clean);
	return p;
}

/* Print a string, breaking lines between words. */
void
text_wrap(FILE *out, const char *first, const char *rest, const char *s,
		  int width)
{
	char	   *clean = text_clean(s);
	char	   *word = clean;
	int			column = text_width(first);
	bool		line_start = true;

	fputs(first, out);
	while (*word)
	{
		char	   *end = word + strcspn(word, " ");
		char		saved = *end;
		int			len;

		*end = '\0';
		len = text_width(word);
		if (!line_start && column + 1 + len > width)
		{
			fprintf(out, "\n%s", rest);
			column = text_width(rest);
			line_start = true;
		}
		fprintf(out, "%s%s", line_start ? "" : " ", word);
		column += len + (line_start ? 0 : 1);
		line_start = false;
		*end = saved;
		word = saved ? end + 1 : end;
	}
	fputc('\n', out);
	free(clean);
}

/* A duration in the unit that suits its size. */
char *
text_ms(double ms)
{
	double		size = fabs(ms);

	if (isnan(ms))
		return pg_strdup("?");
	if (size < 0.005)
		return pg_strdup("0 ms");
	if (size < 1)
		return psprintf("%.2f ms", ms);
	if (size < 1000)
		return psprintf("%.0f ms", ms);
	if (size < 60 * 1000.0)
		return psprintf("%.1f s", ms / 1000);
	if (size < 3600 * 1000.0)
		return psprintf("%.1f min", ms / 60000);
	if (size < 48 * 3600 * 1000.0)
		return psprintf("%.1f h", ms / 3600000);
	return psprintf("%.1f days", ms / 86400000);
}

/* A size in the unit that suits it. */
char *
text_bytes(int64 bytes)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
	double		value = bytes;
	int			unit = 0;

	if (bytes == GLPERF_NULL_INT)
		return pg_strdup("?");
	while (fabs(value) >= 10 * 1024 && unit + 1 < (int) lengthof(units))
	{
		value /= 1024;
		unit++;
	}
	return psprintf("%.0f %s", value, units[unit]);
}

/* A percentage. */
char *
text_pct(double pct)
{
	if (isnan(pct))
		return pg_strdup("?");
	return psprintf(pct != 0 && fabs(pct) < 1 ? "%.2f %%" : "%.1f %%", pct);
}

/* A whole number with thousands separated. */
char *
text_count(int64 n)
{
	char		digits[32];
	StringInfoData buf;
	char	   *p = digits;

	if (n == GLPERF_NULL_INT)
		return pg_strdup("?");
	snprintf(digits, sizeof(digits), INT64_FORMAT, n);
	initStringInfo(&buf);
	for (; *p; p++)
	{
		appendStringInfoChar(&buf, *p);
		if (*p != '-' && p[1] && strlen(p + 1) % 3 == 0)
			appendStringInfoChar(&buf, ',');
	}
	return buf.data;
}

/* See text.h. */
char *
text_hide_name(const char *message, const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_$";
	size_t		start = Min(strlen(name), 8);
	char	   *result = pg_strdup("");
	const char *from = message;

	if (name[strspn(name, plain)] == '\0')
		return pg_strdup(message);
	for (const char *s = message; *s;)
	{
		size_t		len = 0;

		if (strncmp(s, name, start) != 0)
		{
			s++;
			continue;
		}
		while (name[len] != '\0' && s[len] == name[len])
			len++;
		result = psprintf("%s%.*s...", result, (int) (s - from), from);
		from = s += len;
	}
	return psprintf("%s%s", result, from);
}

/* See text.h. */
char *
text_replace(const char *s, const char *from, const char *to)
{
	char	   *result = pg_strdup("");
	const char *found;

	while ((found = strstr(s, from)) != NULL)
	{
		result = psprintf("%s%.*s%s", result, (int) (found - s), s, to);
		s = found + strlen(from);
	}
	return psprintf("%s%s", result, s);
}

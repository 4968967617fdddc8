/*
 * endpoints_tag.c
 *		The endpoint's name in the comment of a statement; no server needed.
 *
 * sqlcommenter appends key='value' pairs, percent-encoded and separated by
 * commas; Marginalia key:value pairs, before or after the statement.
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include <ctype.h>

#include "endpoints.h"

/* Tags that name an endpoint. */
typedef struct EndpointTags
{
	char		route[GLPERF_ENDPOINT_NAME];
	char		controller[GLPERF_ENDPOINT_NAME];
	char		action[GLPERF_ENDPOINT_NAME];
	char		application[GLPERF_ENDPOINT_NAME];
} EndpointTags;

/* Value of a hexadecimal digit, or -1. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char) tolower((unsigned char) c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Copy a value, decoding %xx and dropping backslashes; what would not print
 * becomes a question mark, so that a name is safe to show anywhere.
 */
static void
copy_value(char *dest, const char *from, const char *end)
{
	int			n = 0;

	while (from < end && n < GLPERF_ENDPOINT_NAME - 1)
	{
		char		c = *from++;

		if (c == '%' && end - from >= 2 && hex_digit(from[0]) >= 0 &&
			hex_digit(from[1]) >= 0)
		{
			c = (char) (hex_digit(from[0]) * 16 + hex_digit(from[1]));
			from += 2;
		}
		else if (c == '\\' && from < end)
			c = *from++;
		if ((unsigned char) c < 0x20 || (unsigned char) c >= 0x7f)
			c = '?';
		dest[n++] = c;
	}
	dest[n] = '\0';
}

/* Keep a tag if it is one of ours. */
static void
keep_tag(EndpointTags *tags, const char *key, int keylen, const char *value,
		 const char *end)
{
#define IS_KEY(k) (keylen == (int) sizeof(k) - 1 && \
				   memcmp(key, k, sizeof(k) - 1) == 0)
	if (IS_KEY("route"))
		copy_value(tags->route, value, end);
	else if (IS_KEY("controller"))
		copy_value(tags->controller, value, end);
	else if (IS_KEY("action"))
		copy_value(tags->action, value, end);
	else if (IS_KEY("application"))
		copy_value(tags->application, value, end);
#undef IS_KEY
}

/* Read the pairs between two places of the text. */
static void
read_tags(EndpointTags *tags, const char *p, const char *end)
{
	while (p < end)
	{
		const char *key;
		const char *value;
		int			keylen;

		while (p < end && (isspace((unsigned char) *p) || *p == ','))
			p++;
		key = p;
		while (p < end && *p != '=' && *p != ':' && *p != ',' && *p != '\'')
			p++;
		keylen = (int) (p - key);
		if (p >= end || (*p != '=' && *p != ':'))
			continue;
		p++;
		if (p < end && *p == '\'')
		{
			value = ++p;
			while (p < end && *p != '\'')
				p += (*p == '\\' && p + 1 < end) ? 2 : 1;
			keep_tag(tags, key, keylen, value, Min(p, end));
			p++;
		}
		else
		{
			value = p;
			while (p < end && *p != ',')
				p++;
			while (p > value && isspace((unsigned char) p[-1]))
				p--;
			keep_tag(tags, key, keylen, value, p);
			while (p < end && *p != ',')
				p++;
		}
	}
}

/* The comment that the text ends with, without its marks; false if none. */
static bool
last_comment(const char *text, const char **from, const char **to)
{
	const char *end = text + strlen(text);

	while (end > text && (isspace((unsigned char) end[-1]) || end[-1] == ';'))
		end--;
	if (end - text < 4 || end[-1] != '/' || end[-2] != '*')
		return false;
	*to = end - 2;
	for (const char *p = *to - 2; p >= text; p--)
	{
		if (p[0] == '/' && p[1] == '*')
		{
			*from = p + 2;
			return true;
		}
	}
	return false;
}

/* The comment that the text begins with. */
static bool
first_comment(const char *text, const char **from, const char **to)
{
	while (isspace((unsigned char) *text))
		text++;
	if (text[0] != '/' || text[1] != '*')
		return false;
	*from = text + 2;
	*to = strstr(*from, "*/");
	return *to != NULL;
}

/* See endpoints.h. */
bool
glperf_endpoints_tag(const char *text, char *name)
{
	const char *from;
	const char *to;
	EndpointTags tags;

	if (!last_comment(text, &from, &to) && !first_comment(text, &from, &to))
		return false;

	memset(&tags, 0, sizeof(tags));
	read_tags(&tags, from, to);
	if (tags.route[0] != '\0')
		strlcpy(name, tags.route, GLPERF_ENDPOINT_NAME);
	else if (tags.controller[0] != '\0')
	{
		strlcpy(name, tags.controller, GLPERF_ENDPOINT_NAME);
		if (tags.action[0] != '\0')
		{
			strlcat(name, "#", GLPERF_ENDPOINT_NAME);
			strlcat(name, tags.action, GLPERF_ENDPOINT_NAME);
		}
	}
	else if (tags.application[0] != '\0')
		strlcpy(name, tags.application, GLPERF_ENDPOINT_NAME);
	else
		return false;
	return true;
}

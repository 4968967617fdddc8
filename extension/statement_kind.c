/*
 * statement_kind.c
 *		What sort of statement a text is, by its first words mostly.
 *
 * pg_stat_statements counts VACUUM and CREATE INDEX like any query.  They take
 * as long as there is data, run when somebody has decided so, and no index
 * makes them faster: calling them slow would be noise.  COPY, CALL, DO, LOCK
 * and COMMIT take an application's time, so they are judged, but by nobody who
 * looks for a better plan.  What is asked of glperf itself is not judged, or
 * the nightly advice would be on the health page as a slow statement.
 */
#include "postgres.h"

#include <ctype.h>

#include "statement_kind.h"

#define MAX_WORD 32

/* Statements that somebody who looks after the database runs. */
static const char *const maintenance[] = {
	"alter", "analyse", "analyze", "checkpoint", "cluster", "comment",
	"create", "drop", "explain", "grant", "import", "load", "reassign",
	"refresh", "reindex", "repack", "revoke", "security", "vacuum", NULL
};

/* Statements that are planned, so that an index may help. */
static const char *const queries[] = {
	"delete", "execute", "fetch", "insert", "merge", "prepare", "select", "table",
	"update", "values", "with", "declare", NULL
};

/* Skip white space, comments and opening parentheses. */
static const char *
skip_blanks(const char *s, const char *end)
{
	while (s < end)
	{
		if (strchr(" \t\r\n\f\v(;", *s) != NULL)
			s++;
		else if (end - s >= 2 && s[0] == '-' && s[1] == '-')
		{
			while (s < end && *s != '\n')
				s++;
		}
		else if (end - s >= 2 && s[0] == '/' && s[1] == '*')
		{
			int			depth = 0;

			do
			{
				if (end - s >= 2 && s[0] == '/' && s[1] == '*')
				{
					depth++;
					s += 2;
				}
				else if (end - s >= 2 && s[0] == '*' && s[1] == '/')
				{
					depth--;
					s += 2;
				}
				else
					s++;
			} while (depth > 0 && s < end);
		}
		else
			break;
	}
	return s;
}

/* Read the next word in lower case; returns where it ends. */
static const char *
next_word(const char *s, const char *end, char *word)
{
	int			n = 0;

	s = skip_blanks(s, end);
	while (s < end && (isalpha((unsigned char) *s) || *s == '_') &&
		   n < MAX_WORD - 1)
		word[n++] = pg_ascii_tolower((unsigned char) *s++);
	word[n] = '\0';
	return s;
}

/* Is the word in the list? */
static bool
is_one_of(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
	{
		if (strcmp(*list, word) == 0)
			return true;
	}
	return false;
}

/* Is this CREATE followed by TABLE, as applications use it, too? */
static bool
creates_table(const char *s, const char *end)
{
	char		word[MAX_WORD];

	do
	{
		s = next_word(s, end, word);
	} while (strcmp(word, "local") == 0 || strcmp(word, "global") == 0 ||
			 strcmp(word, "temp") == 0 || strcmp(word, "temporary") == 0 ||
			 strcmp(word, "unlogged") == 0);
	return strcmp(word, "table") == 0;
}

/* Does the text name an object of schema glperf? */
static bool
names_glperf(const char *s, const char *end)
{
	static const char name[] = "glperf.";
	const int	len = sizeof(name) - 1;

	for (const char *at = s; end - at > len; at++)
	{
		if (pg_strncasecmp(at, name, len) != 0)
			continue;
		/* not the end of a longer name, nor a table or column of another */
		if (at == s || !(isalnum((unsigned char) at[-1]) ||
						 IS_HIGHBIT_SET(at[-1]) ||
						 strchr("_$.\"", at[-1]) != NULL))
			return true;
	}
	return false;
}

/* See statement_kind.h. */
const char *
glperf_statement_kind(const char *query, int len)
{
	const char *end = query + len;
	char		word[MAX_WORD];
	const char *rest = next_word(query, end, word);

	if (is_one_of(word, queries))
		return names_glperf(query, end) ? "maintenance" : "query";
	if (strcmp(word, "create") == 0 && creates_table(rest, end))
		return "command";
	if (is_one_of(word, maintenance))
		return "maintenance";
	return "command";
}

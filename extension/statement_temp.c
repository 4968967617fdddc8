/*
 * statement_temp.c
 *		Temporary tables that statements made, and that are gone by now.
 *
 * A statement over a temporary table cannot be planned by anybody but the
 * session that made it.  That the table was temporary is still to be seen
 * where pg_stat_statements has the statement that made it.
 */
#include "workload.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "parser/scansup.h"

#include "sandbox.h"
#include "statement_tokens.h"

/* One text on its way through the sandbox. */
typedef struct TempSearch
{
	const char *text;
	MemoryContext context;
	List	   *names;			/* looked for, or found */
	char	   *found;
} TempSearch;

/* The name that a token is, as the server would know it; NULL if it is none. */
static char *
token_name(const char *text, const GlperfToken *token)
{
	const char *start = text + token->start;
	int			len = token->end - token->start;
	char	   *name;
	int			n = 0;

	while (len > 0 && scanner_isspace(start[len - 1]))
		len--;
	if (len > 0 && start[0] != '"')
	{
		int			end = 0;

		/* comments may follow */
		while (end < len && (IS_HIGHBIT_SET(start[end]) || isalnum((unsigned char) start[end]) ||
							 start[end] == '_' || start[end] == '$'))
			end++;
		return end > 0 ? downcase_truncate_identifier(start, end, false) : NULL;
	}
	name = palloc(len + 1);
	for (int i = 1; i < len; i++)
	{
		if (start[i] == '"' && start[++i] != '"')
			break;
		name[n++] = start[i];
	}
	name[n] = '\0';
	return n > 0 ? name : NULL;
}

/* Is token i the keyword? */
static bool
is_word(const TempSearch *search, const GlperfToken *tokens, int n, int i,
		const char *word)
{
	char	   *name = i < n ? token_name(search->text, &tokens[i]) : NULL;

	return name && strcmp(name, word) == 0;
}

/*
 * Work: the name in CREATE TEMP TABLE name and SELECT ... INTO TEMP name.
 */
static void
find_created(void *arg)
{
	TempSearch *search = arg;
	int			n;
	GlperfToken *tokens = glperf_scan_tokens(search->text, &n);

	for (int i = 1; i < n; i++)
	{
		int			next = i + 1;
		char	   *name;

		if (!is_word(search, tokens, n, i, "temp") &&
			!is_word(search, tokens, n, i, "temporary"))
			continue;
		if (!is_word(search, tokens, n, i - 1, "create") &&
			!is_word(search, tokens, n, i - 1, "into") &&
			!is_word(search, tokens, n, i - 1, "local") &&
			!is_word(search, tokens, n, i - 1, "global"))
			continue;
		if (is_word(search, tokens, n, next, "table"))
			next++;
		if (is_word(search, tokens, n, next, "if"))
			next += 3;
		if (next + 2 < n && tokens[next + 1].token == '.')
			next += 2;
		name = next < n ? token_name(search->text, &tokens[next]) : NULL;
		if (name)
			search->found = MemoryContextStrdup(search->context, name);
		return;
	}
}

/* Work: the first of the names that the text mentions. */
static void
find_mentioned(void *arg)
{
	TempSearch *search = arg;
	int			n;
	GlperfToken *tokens = glperf_scan_tokens(search->text, &n);

	for (int i = 0; i < n; i++)
	{
		char	   *name = token_name(search->text, &tokens[i]);
		ListCell   *lc;

		foreach(lc, search->names)
			if (name && strcmp(name, (char *) lfirst(lc)) == 0)
		{
			search->found = MemoryContextStrdup(search->context, name);
			return;
		}
	}
}

/* Does text hold word, in whatever case? */
static bool
mentions(const char *text, const char *word)
{
	int			len = strlen(word);

	for (; *text; text++)
		if (pg_strncasecmp(text, word, len) == 0)
			return true;
	return false;
}

List *
glperf_workload_temp_tables(const GlperfWorkload *workload)
{
	List	   *names = NIL;

	for (int i = 0; i < workload->n; i++)
	{
		TempSearch	search = {workload->items[i].query, CurrentMemoryContext};
		GlperfFailure failure;

		if (mentions(search.text, "temp") &&
			glperf_sandbox_run(GetUserId(), NULL, find_created, &search,
							   &failure) &&
			search.found)
			names = lappend(names, search.found);
	}
	return names;
}

char *
glperf_statement_temp_table(const char *text, List *names)
{
	TempSearch	search = {text, CurrentMemoryContext, names};
	GlperfFailure failure;

	if (names == NIL ||
		!glperf_sandbox_run(GetUserId(), NULL, find_mentioned, &search,
							&failure))
		return NULL;
	return search.found;
}

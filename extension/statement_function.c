/*
 * statement_function.c
 *		Whether a statement stands in some function.
 *
 * pg_stat_statements calls a statement top-level that an IMMUTABLE function
 * ran while another statement was planned: names of variables in it look like
 * columns that do not exist.  What gives it away is the function's source,
 * which holds the same words in the same order.
 */
#include "statement.h"

#include <ctype.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "statement_tokens.h"

/* Shorter texts could stand anywhere. */
#define LEAST_TOKENS	4

/* A text cut into tokens. */
typedef struct Words
{
	const char *text;
	GlperfToken *tokens;
	int			n;
} Words;

/* Looking for one statement, inside the sandbox. */
typedef struct FunctionSearch
{
	const char *text;
	bool		found;
} FunctionSearch;

/* Cut a text into tokens. */
static Words
cut(const char *text)
{
	Words		words = {text};

	words.tokens = glperf_scan_tokens(text, &words.n);
	return words;
}

/* Length of a token without the blanks and comments behind it. */
static int
token_length(const Words *words, int i)
{
	const char *start = words->text + words->tokens[i].start;
	int			end = words->tokens[i].end - words->tokens[i].start;
	int			len = 0;

	/* of the tokens compared here only names and numbers have several bytes */
	while (len < end && (IS_HIGHBIT_SET(start[len]) || isalnum((unsigned char) start[len]) ||
						 start[len] == '_' || start[len] == '$' ||
						 start[len] == '"'))
		len++;
	return Max(len, 1);
}

/* Does a token stand for the same in both texts, case aside? */
static bool
same_token(const Words *a, int i, const Words *b, int j)
{
	int			len = token_length(a, i);

	return len == token_length(b, j) &&
		pg_strncasecmp(a->text + a->tokens[i].start,
					   b->text + b->tokens[j].start, len) == 0;
}

/* Is the token a word? */
static bool
is_word(const Words *words, int i, const char *word)
{
	return i < words->n && token_length(words, i) == (int) strlen(word) &&
		pg_strncasecmp(words->text + words->tokens[i].start, word,
					   strlen(word)) == 0;
}

/* Number of tokens of INTO [STRICT] a.b, c at i, which PL/pgSQL blanks; or 0. */
static int
into_clause(const Words *words, int i)
{
	int			end = i + 1;

	if (!is_word(words, i, "into"))
		return 0;
	if (is_word(words, end, "strict"))
		end++;
	while (end + 1 < words->n && (words->tokens[end + 1].token == '.' ||
								  words->tokens[end + 1].token == ','))
		end += 2;
	return end + 1 - i;
}

/* Does the source hold the statement from token start on? */
static bool
matches(const Words *statement, const Words *source, int start)
{
	int			j = start;

	for (int i = 0; i < statement->n; i++, j++)
	{
		if (j < source->n && !same_token(statement, i, source, j))
			j += into_clause(source, j);
		if (j >= source->n)
			return false;
		/* a constant became a parameter */
		if (!glperf_token_is_param(statement->text, &statement->tokens[i]) &&
			!same_token(statement, i, source, j))
			return false;
	}
	return true;
}

/* The longest name of a statement: sources without it need no closer look. */
static char *
rarest_word(const Words *statement)
{
	int			best = 0;

	for (int i = 1; i < statement->n; i++)
		if (token_length(statement, i) > token_length(statement, best))
			best = i;
	return pnstrdup(statement->text + statement->tokens[best].start,
					token_length(statement, best));
}

/* Is it a function in SQL or PL/pgSQL that somebody has written? */
static bool
is_readable(Form_pg_proc proc, Oid plpgsql)
{
	return proc->oid >= FirstNormalObjectId &&
		(proc->prolang == SQLlanguageId || proc->prolang == plpgsql);
}

/* Does a function's source hold the statement? */
static bool
holds(Relation catalog, HeapTuple tuple, const Words *statement,
	  const char *rarest)
{
	bool		isnull;
	Datum		source = heap_getattr(tuple, Anum_pg_proc_prosrc,
									  RelationGetDescr(catalog), &isnull);
	char	   *body;
	bool		found = false;

	if (isnull)
		return false;
	body = TextDatumGetCString(source);
	if (strcasestr(body, rarest) != NULL)
	{
		Words		words = cut(body);

		for (int start = 0; start < words.n && !found; start++)
			found = matches(statement, &words, start);
		pfree(words.tokens);
	}
	pfree(body);
	return found;
}

/* Look through all functions; the work of a FunctionSearch. */
static void
search_functions(void *arg)
{
	FunctionSearch *search = arg;
	Words		statement = cut(search->text);
	Oid			plpgsql = get_language_oid("plpgsql", true);
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *rarest;

	if (statement.n < LEAST_TOKENS)
		return;
	rarest = rarest_word(&statement);
	catalog = table_open(ProcedureRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (!search->found &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		search->found = is_readable(proc, plpgsql) &&
			holds(catalog, tuple, &statement, rarest);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

bool
glperf_statement_in_function(const char *text)
{
	FunctionSearch search = {text};
	GlperfFailure failure = {0};

	/* a source may be no SQL to the scanner */
	(void) glperf_sandbox_run(GetUserId(), NULL, search_functions, &search,
							  &failure);
	return search.found;
}

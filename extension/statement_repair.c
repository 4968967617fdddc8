/*
 * statement_repair.c
 *		Mending normalised statements that no longer parse.
 *
 * A constant with its type in front becomes a parameter with a type name in
 * front of it, which is not SQL.  PostgreSQL's own scanner finds those places,
 * so strings, comments and quoted names are never mistaken for them.
 */
#include "statement.h"

#include "common/keywords.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "parser/scanner.h"
#include "utils/formatting.h"

#include "statement_tokens.h"

GlperfToken *
glperf_scan_tokens(const char *text, int *ntokens)
{
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE		location;
	int			allocated = 256;
	int			n = 0;
	GlperfToken *tokens = palloc(sizeof(GlperfToken) * allocated);

	scanner = scanner_init(text, &extra, &ScanKeywords, ScanKeywordTokens);
	for (;;)
	{
		int			token = core_yylex(&value, &location, scanner);

		if (n > 0)
			tokens[n - 1].end = token == 0 ? (int) strlen(text) : location;
		if (token == 0)
			break;
		if (n == allocated)
		{
			allocated *= 2;
			tokens = repalloc(tokens, sizeof(GlperfToken) * allocated);
		}
		tokens[n].token = token;
		tokens[n].start = location;
		n++;
	}
	scanner_finish(scanner);
	*ntokens = n;
	return tokens;
}

/* Does the token's text equal word, regardless of case? */
static bool
token_is(const char *text, const GlperfToken *token, const char *word)
{
	int			len = strlen(word);

	return pg_strncasecmp(text + token->start, word, len) == 0 &&
		token->start + len <= token->end &&
		!isalnum((unsigned char) text[token->start + len]) &&
		text[token->start + len] != '_';
}

bool
glperf_token_is_param(const char *text, const GlperfToken *token)
{
	return text[token->start] == '$' &&
		isdigit((unsigned char) text[token->start + 1]);
}

/* Is the token a name, quoted or not, that is no keyword? */
static bool
token_is_name(const char *text, const GlperfToken *token)
{
	const char *start = text + token->start;
	char		word[NAMEDATALEN];
	int			len = 0;

	if (*start == '"')
		return true;
	while (len < NAMEDATALEN - 1 &&
		   (IS_HIGHBIT_SET(start[len]) || isalnum((unsigned char) start[len]) ||
			start[len] == '_' || start[len] == '$'))
	{
		word[len] = start[len];
		len++;
	}
	word[len] = '\0';
	return len > 0 && !isdigit((unsigned char) word[0]) && word[0] != '$' &&
		ScanKeywordLookup(word, &ScanKeywords) < 0;
}

/* Is the token one of words? */
static bool
token_is_one_of(const char *text, const GlperfToken *token,
				const char *const *words, int nwords)
{
	for (int i = 0; i < nwords; i++)
		if (token_is(text, token, words[i]))
			return true;
	return false;
}

/*
 * If a type name such as may stand before a constant starts at token i, the
 * number of tokens it takes, modifiers included; else 0.
 */
static int
type_name(const char *text, const GlperfToken *tokens, int n, int i)
{
	/* names of types that are keywords; all others are plain names */
	static const char *const keywords[] = {
		"bigint", "bit", "boolean", "char", "character", "dec", "decimal",
		"double", "float", "int", "integer", "interval", "json", "name",
		"nchar", "numeric", "real", "smallint", "text", "time", "timestamp",
		"varchar", "xml",
	};
	int			end = i + 1;

	/* a name after a dot, or a column being cast, is no type name */
	if (i > 0 && (tokens[i - 1].token == '.' ||
				  strncmp(text + tokens[i - 1].start, "::", 2) == 0))
		return 0;
	if (token_is_name(text, &tokens[i]))
		while (end + 1 < n && tokens[end].token == '.')
			end += 2;
	else if (!token_is_one_of(text, &tokens[i], keywords, lengthof(keywords)))
		return 0;
	if (end < n && (token_is(text, &tokens[end], "precision") ||
					token_is(text, &tokens[end], "varying")))
		end++;
	if (end < n && tokens[end].token == '(')
	{
		while (end < n && tokens[end].token != ')')
			end++;
		end++;
	}
	if (end + 2 < n && (token_is(text, &tokens[end], "with") ||
						token_is(text, &tokens[end], "without")) &&
		token_is(text, &tokens[end + 1], "time") &&
		token_is(text, &tokens[end + 2], "zone"))
		end += 3;
	return end - i;
}

/* Number of tokens of (3) at i, or 0. */
static int
precision(const GlperfToken *tokens, int n, int i)
{
	return i + 2 < n && tokens[i].token == '(' && tokens[i + 2].token == ')' ?
		3 : 0;
}

/* Number of tokens of an interval's unit (day, hour to second(3)) at i. */
static int
interval_unit(const char *text, const GlperfToken *tokens, int n, int i)
{
	static const char *const units[] = {
		"year", "month", "day", "hour", "minute", "second",
	};

	if (i >= n)
		return 0;
	for (size_t u = 0; u < lengthof(units); u++)
	{
		if (!token_is(text, &tokens[i], units[u]))
			continue;
		if (i + 2 < n && token_is(text, &tokens[i + 1], "to"))
			return 3 + precision(tokens, n, i + 3);
		return 1 + precision(tokens, n, i + 1);
	}
	return 0;
}

/* Text of tokens from to to - 1, trailing blanks included. */
static void
append_tokens(StringInfo out, const char *text, const GlperfToken *tokens,
			  int from, int to)
{
	if (to > from)
		appendBinaryStringInfo(out, text + tokens[from].start,
							   tokens[to - 1].end - tokens[from].start);
}

char *
glperf_statement_repair(const char *text)
{
	StringInfoData out;
	GlperfToken *tokens;
	int			n;
	int			i = 0;

	tokens = glperf_scan_tokens(text, &n);
	initStringInfo(&out);
	if (n > 0)
		appendBinaryStringInfo(&out, text, tokens[0].start);
	while (i < n)
	{
		int			len = type_name(text, tokens, n, i);

		if (len > 0 && i + len < n && glperf_token_is_param(text, &tokens[i + len]))
		{
			int			param = i + len;
			bool		interval = token_is(text, &tokens[i], "interval");

			/* comments may stand between any two tokens */
			appendStringInfoChar(&out, '(');
			append_tokens(&out, text, tokens, param, param + 1);
			appendStringInfoString(&out, "::");
			append_tokens(&out, text, tokens, i, param);
			appendStringInfoString(&out, ") ");
			i = param + 1;
			if (interval)
				i += interval_unit(text, tokens, n, i);
			continue;
		}
		/* extract($1 from x) */
		if (token_is(text, &tokens[i], "extract") && i + 3 < n &&
			tokens[i + 1].token == '(' &&
			glperf_token_is_param(text, &tokens[i + 2]) &&
			token_is(text, &tokens[i + 3], "from"))
		{
			appendStringInfoString(&out, "date_part(");
			append_tokens(&out, text, tokens, i + 2, i + 3);
			appendStringInfoString(&out, ", ");
			i += 4;
			continue;
		}
		/* N'x' became N$1; U&'x' uescape '!' became $1 uescape '!' */
		if (pg_toupper(text[tokens[i].start]) == 'N' &&
			text[tokens[i].start + 1] == '$' &&
			isdigit((unsigned char) text[tokens[i].start + 2]))
			tokens[i].start++;
		append_tokens(&out, text, tokens, i, i + 1);
		if (glperf_token_is_param(text, &tokens[i]) && i + 2 < n &&
			token_is(text, &tokens[i + 1], "uescape"))
			i += 2;
		i++;
	}
	return out.data;
}

char *
glperf_statement_command(const char *text)
{
	static const char *const planned[] = {
		"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES",
		"TABLE", "EXPLAIN", "DECLARE", "CREATE", "COPY",
	};
	char	   *word;
	int			len = 0;

	while (isspace((unsigned char) *text))
		text++;
	while (isalpha((unsigned char) text[len]))
		len++;
	if (len == 0)
		return NULL;
	word = asc_toupper(text, len);
	for (size_t i = 0; i < lengthof(planned); i++)
		if (strcmp(word, planned[i]) == 0)
			return NULL;
	return ScanKeywordLookup(word, &ScanKeywords) >= 0 ? word : NULL;
}

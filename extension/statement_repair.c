/*
 * statement_repair.c
 *		Mending normalised statements that no longer parse.
 *
 * A constant with its type in front becomes a parameter with a type name in
 * front of it, which is not SQL.  PostgreSQL's own scanner finds those places,
 * so strings, comments and quoted names are never mistaken for them.
 */
#include "statement.h"

#include "lib/stringinfo.h"
#include "common/keywords.h"
#include "nodes/parsenodes.h"
#include "parser/scanner.h"

#define REPAIR_MAX_TOKENS	20000

typedef struct RepairToken
{
	int			token;
	int			start;			/* offset in the text */
	int			end;
} RepairToken;

/* Cut the text into tokens; NULL when there are too many. */
static RepairToken *
scan_tokens(const char *text, int *ntokens)
{
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE		location;
	int			allocated = 256;
	int			n = 0;
	RepairToken *tokens = palloc(sizeof(RepairToken) * allocated);

	scanner = scanner_init(text, &extra, &ScanKeywords, ScanKeywordTokens);
	for (;;)
	{
		int			token = core_yylex(&value, &location, scanner);

		if (n > 0)
			tokens[n - 1].end = token == 0 ? (int) strlen(text) : location;
		if (token == 0 || n >= REPAIR_MAX_TOKENS)
			break;
		if (n == allocated)
		{
			allocated *= 2;
			tokens = repalloc(tokens, sizeof(RepairToken) * allocated);
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
token_is(const char *text, const RepairToken *token, const char *word)
{
	int			len = strlen(word);

	return pg_strncasecmp(text + token->start, word, len) == 0 &&
		token->start + len <= token->end &&
		!isalnum((unsigned char) text[token->start + len]) &&
		text[token->start + len] != '_';
}

/* Is the token a parameter, $n? */
static bool
token_is_param(const char *text, const RepairToken *token)
{
	return text[token->start] == '$' &&
		isdigit((unsigned char) text[token->start + 1]);
}

/*
 * If a type name written before a constant starts at token i, the number of
 * tokens it takes and the type to cast to; else 0.
 */
static int
type_prefix(const char *text, const RepairToken *tokens, int n, int i,
			const char **type)
{
	static const char *const simple[] = {
		"date", "interval", "timestamp", "timestamptz", "time", "timetz",
		"bytea", "json", "jsonb", "uuid", "numeric", "inet", "cidr", "bit",
	};

	/* a name after a dot, or a column being cast, is no type name */
	if (i > 0 && (tokens[i - 1].token == '.' ||
				  strncmp(text + tokens[i - 1].start, "::", 2) == 0))
		return 0;
	for (size_t t = 0; t < lengthof(simple); t++)
	{
		if (!token_is(text, &tokens[i], simple[t]))
			continue;
		*type = simple[t];
		if (i + 4 < n && token_is(text, &tokens[i + 2], "time") &&
			token_is(text, &tokens[i + 3], "zone"))
		{
			if (token_is(text, &tokens[i + 1], "with"))
				*type = strncmp(simple[t], "timestamp", 9) == 0 ?
					"timestamptz" : "timetz";
			return 4;
		}
		return 1;
	}
	return 0;
}

/* Number of tokens of an interval's unit (day, hour to second) at i. */
static int
interval_unit(const char *text, const RepairToken *tokens, int n, int i)
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
			return 3;
		return 1;
	}
	return 0;
}

/* Text of tokens from to to - 1, trailing blanks included. */
static void
append_tokens(StringInfo out, const char *text, const RepairToken *tokens,
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
	RepairToken *tokens;
	int			n;
	int			i = 0;

	tokens = scan_tokens(text, &n);
	initStringInfo(&out);
	if (n > 0)
		appendBinaryStringInfo(&out, text, tokens[0].start);
	while (i < n)
	{
		const char *type = NULL;
		int			len = type_prefix(text, tokens, n, i, &type);

		if (len > 0 && i + len < n && token_is_param(text, &tokens[i + len]))
		{
			int			param = i + len;

			appendStringInfo(&out, "(%.*s::%s) ",
							 (int) strcspn(text + tokens[param].start + 1,
										   " \t\r\n,;()+-*/<>=|:") + 1,
							 text + tokens[param].start, type);
			i = param + 1;
			if (strcmp(type, "interval") == 0)
				i += interval_unit(text, tokens, n, i);
			continue;
		}
		/* extract($1 from x) */
		if (token_is(text, &tokens[i], "extract") && i + 3 < n &&
			tokens[i + 1].token == '(' &&
			token_is_param(text, &tokens[i + 2]) &&
			token_is(text, &tokens[i + 3], "from"))
		{
			appendStringInfoString(&out, "date_part(");
			append_tokens(&out, text, tokens, i + 2, i + 3);
			appendStringInfoString(&out, ", ");
			i += 4;
			continue;
		}
		append_tokens(&out, text, tokens, i, i + 1);
		i++;
	}
	return out.data;
}

/*
 * lexer.c
 *		Cutting SQL into tokens, as far as workloads need it.
 *
 * Enough to find where statements end and which tokens are constants; what a
 * statement means is the server's to say.
 */
#include "postgres_fe.h"

#include <ctype.h>

#include "lexer.h"

/* May c begin a name?  Bytes above ASCII may. */
static bool
begins_name(char c)
{
	return isalpha((unsigned char) c) || c == '_' || IS_HIGHBIT_SET(c);
}

/* May c go on in one? */
static bool
continues_name(char c)
{
	return begins_name(c) || isdigit((unsigned char) c) || c == '$';
}

/* Length of a quoted thing that begins at s, quotes doubled inside. */
static int
quoted_length(const char *s, char quote, bool backslashes)
{
	int			i = 1;

	while (s[i] != '\0')
	{
		if (backslashes && s[i] == '\\' && s[i + 1] != '\0')
			i += 2;
		else if (s[i] != quote)
			i++;
		else if (s[i + 1] == quote)
			i += 2;
		else
			return i + 1;
	}
	return i;
}

/* Length of a comment; they nest. */
static int
block_comment_length(const char *s)
{
	int			depth = 0;
	int			i = 0;

	while (s[i] != '\0')
	{
		if (s[i] == '/' && s[i + 1] == '*')
		{
			depth++;
			i += 2;
		}
		else if (s[i] == '*' && s[i + 1] == '/')
		{
			i += 2;
			if (--depth == 0)
				break;
		}
		else
			i++;
	}
	return i;
}

/* Length of a dollar-quoted string at s, or 0 if it is none. */
static int
dollar_length(const char *s)
{
	int			tag = 1;
	const char *end;
	char	   *delimiter;

	if (begins_name(s[tag]))
		while (continues_name(s[tag]) && s[tag] != '$')
			tag++;
	if (s[tag] != '$')
		return 0;
	delimiter = pnstrdup(s, tag + 1);
	end = strstr(s + tag + 1, delimiter);
	pg_free(delimiter);
	return end == NULL ? (int) strlen(s) : (int) (end - s) + tag + 1;
}

/* Length of white space and comments at s, 0 for none. */
static int
space_length(const char *s)
{
	if (isspace((unsigned char) s[0]))
		return (int) strspn(s, " \t\r\n\f\v");
	if (s[0] == '-' && s[1] == '-')
		return (int) strcspn(s, "\n");
	if (s[0] == '/' && s[1] == '*')
		return block_comment_length(s);
	return 0;
}

/* Length of a number at s, 0 for none. */
static int
number_length(const char *s)
{
	int			i = 0;

	if (!isdigit((unsigned char) s[0]) &&
		!(s[0] == '.' && isdigit((unsigned char) s[1])))
		return 0;
	while (isalnum((unsigned char) s[i]) || s[i] == '_' ||
		   (s[i] == '.' && s[i + 1] != '.') ||
		   ((s[i] == '+' || s[i] == '-') && i > 0 &&
			tolower((unsigned char) s[i - 1]) == 'e' && tolower((unsigned char) s[1]) != 'x'))
		i++;
	return i;
}

/* Length of a string at s with its prefix, 0 for none. */
static int
string_length(const char *s)
{
	if (s[0] == '\'')
		return quoted_length(s, '\'', false);
	if (s[0] != '\0' && strchr("eEbBxXnN", s[0]) != NULL && s[1] == '\'')
		return 1 + quoted_length(s + 1, '\'', s[0] == 'e' || s[0] == 'E');
	if ((s[0] == 'u' || s[0] == 'U') && s[1] == '&' && s[2] == '\'')
		return 2 + quoted_length(s + 2, '\'', false);
	if (s[0] == '$')
		return dollar_length(s);
	return 0;
}

/* See lexer.h. */
TokenKind
lexer_next(const char *s, int *len)
{
	*len = 0;
	if (s[0] == '\0')
		return TOKEN_END;
	if ((*len = space_length(s)) > 0)
		return TOKEN_SPACE;
	if ((*len = string_length(s)) > 0)
		return TOKEN_STRING;
	if ((*len = number_length(s)) > 0)
		return TOKEN_NUMBER;
	if (s[0] == '$' && isdigit((unsigned char) s[1]))
	{
		*len = 1 + (int) strspn(s + 1, "0123456789");
		return TOKEN_PARAM;
	}
	if (s[0] == '"')
	{
		*len = quoted_length(s, '"', false);
		return TOKEN_NAME;
	}
	if (begins_name(s[0]))
	{
		while (continues_name(s[*len]))
			(*len)++;
		return TOKEN_NAME;
	}
	*len = 1;
	return TOKEN_OTHER;
}

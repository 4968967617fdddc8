/*
 * statement_tokens.h
 *		A statement's text cut into tokens by PostgreSQL's own scanner, so that
 *		strings, comments and quoted names are never mistaken for anything.
 */
#ifndef GLPERF_STATEMENT_TOKENS_H
#define GLPERF_STATEMENT_TOKENS_H

#include "compat.h"

typedef struct GlperfToken
{
	int			token;			/* as the scanner numbers them */
	int			start;			/* offset in the text */
	int			end;
} GlperfToken;

/*
 * All tokens of a text, palloc'd.
 *
 * Errors:	ERRCODE_SYNTAX_ERROR, as of a string without end.
 */
extern GlperfToken *glperf_scan_tokens(const char *text, int *ntokens);

/* Is the token a parameter, $n? */
extern bool glperf_token_is_param(const char *text, const GlperfToken *token);

#endif							/* GLPERF_STATEMENT_TOKENS_H */

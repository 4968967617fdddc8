/*
 * lexer.h
 *		Cutting SQL into tokens, as far as workloads need it.
 */
#ifndef LEXER_H
#define LEXER_H

typedef enum TokenKind
{
	TOKEN_END,
	TOKEN_SPACE,				/* white space and comments */
	TOKEN_STRING,				/* with its prefix or dollar quotes */
	TOKEN_NUMBER,
	TOKEN_PARAM,				/* $1 */
	TOKEN_NAME,					/* word or quoted name */
	TOKEN_OTHER					/* one character */
} TokenKind;

/*
 * lexer_next -- kind and length in bytes of the token at s
 *
 * Knows nested comments, dollar quotes and the string prefixes.  What is not
 * terminated reaches to the end of the text.  Strings have standard
 * backslashes: they escape in E'' only.
 */
extern TokenKind lexer_next(const char *s, int *len);

#endif							/* LEXER_H */

/*
 * text.h
 *		Making strings safe and numbers readable for people.
 *
 * Names and query texts come from whoever may create a table or run a query.
 * Nothing of theirs reaches a terminal or a comment before it went through
 * here.  All strings are UTF-8; what isn't valid is replaced, never passed on.
 */
#ifndef TEXT_H
#define TEXT_H

#include "advice.h"

/*
 * text_next -- decode one character
 *
 * Sets *code to its code point (U+FFFD if the bytes are not valid UTF-8) and
 * returns its length in bytes, at least 1.  Not to be called at the end.
 */
extern int	text_next(const char *s, uint32 *code);

/*
 * text_is_unsafe -- could this character do more than be shown?
 *
 * True for control characters (C0, DEL, C1), line and paragraph separators
 * and the marks that reorder text.
 */
extern bool text_is_unsafe(uint32 code);

/* text_has_unsafe -- does a string hold a character of that kind? */
extern bool text_has_unsafe(const char *s);

/*
 * text_clean -- one line that is safe to show
 *
 * Runs of white space and unsafe characters become one space; an unsafe
 * character that is not white space becomes "?".  NULL becomes "".
 */
extern char *text_clean(const char *s);

/* text_fit -- as text_clean, cut to a display width with "..." */
extern char *text_fit(const char *s, int width);

/*
 * text_hide_literals -- cut a statement's text at its first string literal
 *
 * pg_stat_statements puts $1 for the constants of queries, but before
 * PostgreSQL 16 keeps utility statements as they were: ALTER ROLE ... PASSWORD
 * 'secret', or the options of a user mapping.  Reports get mailed around.
 * Works in place.
 */
extern void text_hide_literals(char *query);

/*
 * text_hide_name -- a message without a name that may hold a password
 *
 * Messages about a failed connection quote the names it was asked for, such as
 * "role:secret" or "db password secret".  One of letters, digits and .-_$ alone
 * stays; others become "...", also where the server has cut them short.
 */
extern char *text_hide_name(const char *message, const char *name);

/* text_replace -- a copy with every from in it replaced by to */
extern char *text_replace(const char *s, const char *from, const char *to);

/* text_width -- columns on a terminal */
extern int	text_width(const char *s);

/* text_wrap -- print cleaned words behind first, then behind rest, to width */
extern void text_wrap(FILE *out, const char *first, const char *rest,
					  const char *s, int width);

/* Numbers for people: "1.2 s", "42 MB", "12.3 %", "1,234"; "?" if unknown */
extern char *text_ms(double ms);
extern char *text_bytes(int64 bytes);
extern char *text_pct(double pct);
extern char *text_count(int64 n);

#endif							/* TEXT_H */

/*
 * json.h
 *		Writing JSON.
 */
#ifndef JSON_H
#define JSON_H

#include "advice.h"

/* A document in progress; begins as {.out = stream, .first = true}. */
typedef struct JsonWriter
{
	FILE	   *out;
	int			depth;
	bool		first;			/* nothing yet at this depth */
} JsonWriter;

/* Begin an object or a list, '{' or '['; key is NULL in a list. */
extern void json_open(JsonWriter *w, const char *key, char bracket);

/* End it, with '}' or ']'. */
extern void json_close(JsonWriter *w, char bracket);

/* One value per column kind; NULL, NaN and GLPERF_NULL_INT become null. */
extern void json_TEXT(JsonWriter *w, const char *key, const char *value);
extern void json_INT(JsonWriter *w, const char *key, int64 value);
extern void json_REAL(JsonWriter *w, const char *key, double value);
extern void json_BOOL(JsonWriter *w, const char *key, bool value);
extern void json_TEXTS(JsonWriter *w, const char *key, TextList list);

#endif							/* JSON_H */

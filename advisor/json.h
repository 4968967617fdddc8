/*
 * json.h
 *		Writing JSON.
 */
#ifndef JSON_H
#define JSON_H

#include "advice.h"

/* A document in progress; one that is a part: {.out = stream, .first = true} */
typedef struct JsonWriter
{
	FILE	   *out;
	int			depth;
	bool		first;			/* nothing yet at this depth */
} JsonWriter;

/*
 * Begin a document of the advisor: an object with the version of its layout,
 * the program's version and when it was made, by the server's clock.
 */
extern void json_begin(JsonWriter *w, FILE *out, const char *generated_at);

/* End it. */
extern void json_end(JsonWriter *w);

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

/*
 * utility_id.c
 *		Query ids of utility statements, when other modules have cleared them.
 *
 * pg_stat_statements clears the id in the statement that it is about to run.
 * Where it comes before us, or the statement was prepared in the protocol and
 * runs again, the id is gone.  So it is remembered at analysis, by the text and
 * the place in it: another statement that was analysed in between, or the same
 * memory used again, can't be taken for it.
 */
#include "glperf.h"

#include "common/hashfn.h"

#include "utility_id.h"

/* Statements remembered by each backend; a power of two. */
#define REMEMBERED 64

/* Bytes of the text that tell it from others. */
#define TEXT_BYTES 1024

static struct
{
	uint64		text;			/* 0: unused */
	uint64		queryid;
}			remembered[REMEMBERED];

/* Identity of a statement in a text, never 0. */
static uint64
text_key(const char *text, int location)
{
	return hash_bytes_extended((const unsigned char *) text,
							   (int) strnlen(text, TEXT_BYTES),
							   (uint64) (uint32) location) | 1;
}

/* See utility_id.h. */
void
glperf_utility_id_note(const char *text, int location, uint64 queryid)
{
	uint64		key;

	if (text == NULL || queryid == 0)
		return;
	key = text_key(text, location);
	remembered[key / 2 % REMEMBERED].text = key;
	remembered[key / 2 % REMEMBERED].queryid = queryid;
}

/* See utility_id.h. */
uint64
glperf_utility_id(const char *text, int location)
{
	uint64		key;

	if (text == NULL)
		return 0;
	key = text_key(text, location);
	if (remembered[key / 2 % REMEMBERED].text != key)
		return 0;
	return remembered[key / 2 % REMEMBERED].queryid;
}

/*
 * advisor_text.c
 *		Unit test of advisor/text.c: strings from a database that reach a
 *		terminal, and numbers for people.  Prints TAP.
 */
/* unit: advisor/text.c */
#include "postgres_fe.h"

#include <math.h>

#include "mb/pg_wchar.h"

#include "text.h"

static int	tests = 0;

/* One assertion. */
static void
ok(bool passed, const char *name)
{
	printf("%sok %d - %s\n", passed ? "" : "not ", ++tests, name);
}

/* An assertion about a string, which is freed. */
static void
is(char *got, const char *want, const char *name)
{
	ok(strcmp(got, want) == 0, name);
	if (strcmp(got, want) != 0)
		printf("#  got: '%s'\n# want: '%s'\n", got, want);
	free(got);
}

/* A string after text_hide_literals(). */
static char *
hidden(const char *query)
{
	char	   *copy = pg_strdup(query);

	text_hide_literals(copy);
	return copy;
}

/* What text_wrap() prints. */
static char *
wrapped(const char *s, int width)
{
	FILE	   *out = tmpfile();
	char		buf[1024];
	size_t		len;

	text_wrap(out, "* ", "  ", s, width);
	rewind(out);
	len = fread(buf, 1, sizeof(buf) - 1, out);
	buf[len] = '\0';
	fclose(out);
	return pg_strdup(buf);
}

/*
 * Random bytes, with those that matter more often than the others: what comes
 * out is valid UTF-8 without anything unsafe, on one line, and fits.
 */
static void
fuzz(void)
{
	static const char dangerous[] = "\x1b\x9b\n\r\t\xe2\x80\xae\xc2\x85\xf0\xff '\\\"";
	bool		clean_ok = true;
	bool		fit_ok = true;
	bool		next_ok = true;

	srandom(42);
	for (int i = 0; i < 200000; i++)
	{
		char		s[40];
		int			len = random() % (sizeof(s) - 1);
		int			width = 3 + random() % 30;
		char	   *clean;
		char	   *fit;

		for (int j = 0; j < len; j++)
		{
			s[j] = random() % 2 ? dangerous[random() % (sizeof(dangerous) - 1)] :
				(char) (1 + random() % 255);
		}
		s[len] = '\0';

		for (const char *p = s; *p;)
		{
			uint32		code;
			int			step = text_next(p, &code);

			if (step < 1 || step > 4 || code > 0x10FFFF)
			{
				next_ok = false;
				break;
			}
			p += step;
		}
		clean = text_clean(s);
		clean_ok = clean_ok && !text_has_unsafe(clean) &&
			pg_encoding_verifymbstr(PG_UTF8, clean, strlen(clean)) ==
			strlen(clean);
		fit = text_fit(s, width);
		fit_ok = fit_ok && text_width(fit) <= width && !text_has_unsafe(fit);
		free(clean);
		free(fit);
	}
	ok(next_ok, "fuzz: text_next stays inside the string");
	ok(clean_ok, "fuzz: text_clean gives safe and valid text");
	ok(fit_ok, "fuzz: text_fit fits");
}

/* Run all tests. */
int
main(void)
{
	/* safe to show */
	is(text_clean("SELECT 1"), "SELECT 1", "plain text stays");
	is(text_clean("  a\n\t b\r\nc  "), "a b c", "white space becomes one blank");
	is(text_clean("\x1b[31mred"), "?[31mred", "escape");
	is(text_clean("a\xc2\x9b" "31m"), "a?31m", "C1 control");
	is(text_clean("a\xe2\x80\xae" "b"), "a?b", "right-to-left override");
	is(text_clean("a\xe2\x80\xa8" "b"), "a b", "line separator");
	is(text_clean("\xc3\xbc\xf0\x9f\x90\x98"), "\xc3\xbc\xf0\x9f\x90\x98",
	   "other characters stay");
	is(text_clean("latin\xe9!"), "latin?!", "invalid byte");
	is(text_clean("cut\xe2\x80"), "cut??", "incomplete character at the end");
	is(text_clean(NULL), "", "NULL");
	ok(text_has_unsafe("a\nb"), "a newline is not");

	/* width */
	is(text_fit("12345", 5), "12345", "fits exactly");
	is(text_fit("123456", 5), "12...", "one too many");
	ok(text_width("\xe6\x97\xa5\xe6\x9c\xac") == 4, "wide characters");
	is(text_fit("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5),
	   "\xe6\x97\xa5...", "never half a wide character");
	is(wrapped("one two three", 9), "* one two\n  three\n", "wrapping");
	is(wrapped("unbreakable", 5), "* unbreakable\n", "a long word stays whole");
	is(wrapped("", 5), "* \n", "nothing");

	/* secrets */
	is(hidden("ALTER ROLE a PASSWORD 'x'"), "ALTER ROLE a PASSWORD ...",
	   "quoted literal");
	is(hidden("SELECT $1, $12"), "SELECT $1, $12", "parameters stay");
	is(hidden("DO $$secret$$"), "DO ...", "dollar quotes");
	is(hidden("DO $tag$secret$tag$"), "DO ...", "dollar quotes with a tag");
	is(hidden("x '"), "x .", "no room for more");
	is(hidden(""), "", "nothing to hide");
	is(text_hide_name("role \"a.b-c_1$\" is missing", "a.b-c_1$"),
	   "role \"a.b-c_1$\" is missing", "a plain name stays");
	is(text_hide_name("\"a:b\", and \"a:b\"", "a:b"), "\"...\", and \"...\"",
	   "others do not");
	is(text_hide_name("\"db password secr\"!", "db password secret"), "\"...\"!",
	   "nor when they are cut short");
	is(text_hide_name("role \"a\"", "a:b"), "role \"a\"", "other names stay");
	is(text_hide_name("nobody", ""), "nobody", "no name");

	/* numbers */
	is(text_ms(0), "0 ms", "0 ms");
	is(text_ms(0.25), "0.25 ms", "fractions");
	is(text_ms(999.4), "999 ms", "milliseconds");
	is(text_ms(1500), "1.5 s", "seconds");
	is(text_ms(90 * 1000), "1.5 min", "minutes");
	is(text_ms(7200 * 1000), "2.0 h", "hours");
	is(text_ms(6 * 86400 * 1000.0), "6.0 days", "days");
	is(text_ms(-1500), "-1.5 s", "negative");
	is(text_ms(NAN), "?", "unknown time");
	is(text_bytes(0), "0 bytes", "0 bytes");
	is(text_bytes(8192), "8192 bytes", "bytes");
	is(text_bytes(44040192), "42 MB", "megabytes");
	is(text_bytes(PG_INT64_MAX), "8192 PB", "as large as it gets");
	is(text_bytes(GLPERF_NULL_INT), "?", "unknown size");
	is(text_count(0), "0", "zero");
	is(text_count(999), "999", "three digits");
	is(text_count(1000), "1,000", "four");
	is(text_count(-1234567), "-1,234,567", "negative count");
	is(text_count(GLPERF_NULL_INT), "?", "unknown count");
	is(text_pct(0), "0.0 %", "0 %");
	is(text_pct(0.125), "0.12 %", "small share");
	is(text_pct(12.34), "12.3 %", "share");
	is(text_pct(NAN), "?", "unknown share");

	fuzz();
	printf("1..%d\n", tests);
	return 0;
}

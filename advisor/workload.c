/*
 * workload.c
 *		Statements from elsewhere than pg_stat_statements.
 *
 * Which constants a statement ran with decides about selectivity and partial
 * indexes, so a few of its texts are kept as they were.  They stay between
 * this program and the server: reports show the text without constants.
 */
#include "postgres_fe.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "json.h"
#include "lexer.h"
#include "workload.h"

#define SECONDS_PER_DAY		86400.0
/* as in the extension: the shortest window believed, calls that make a rate */
#define MIN_WINDOW_S		60.0
#define MIN_CALLS			10.0

#define BUCKETS				4096

typedef struct Variant
{
	char	   *text;
	int64		seen;
} Variant;

typedef struct WorkStatement
{
	struct WorkStatement *next; /* in its bucket */
	struct WorkStatement *order;	/* as they came */
	char	   *normal;
	char	   *role;
	char	   *search_path;
	int64		queryid;
	double		calls;
	double		time_ms;
	bool		timed;
	double		rows;
	int			nvariants;
	Variant		variants[WORKLOAD_VARIANTS];
} WorkStatement;

struct Workload
{
	WorkStatement *buckets[BUCKETS];
	WorkStatement *first;
	WorkStatement **end;
	int			n;
};

/* See workload.h. */
Workload *
workload_create(void)
{
	Workload   *workload = pg_malloc0(sizeof(Workload));

	workload->end = &workload->first;
	return workload;
}

/* See workload.h. */
int
workload_size(const Workload *workload)
{
	return workload->n;
}

/* The largest $n in a text */
static long
last_param(const char *text)
{
	TokenKind	kind;
	int			len;
	long		last = 0;

	while ((kind = lexer_next(text, &len)) != TOKEN_END)
	{
		if (kind == TOKEN_PARAM)
			last = Max(last, strtol(text + 1, NULL, 10));
		text += len;
	}
	return last;
}

/* Where we are in a list after IN, whose constants count as one */
typedef enum InList
{
	IN_NONE,
	IN_WORD,					/* after IN */
	IN_OPEN,					/* after its parenthesis */
	IN_CONSTANT,				/* after a constant there */
	IN_COMMA					/* after a comma behind that */
} InList;

/* What a token does to that. */
static InList
next_in_list(InList state, TokenKind kind, const char *text, int len)
{
	if (kind == TOKEN_NAME)
		return len == 2 && pg_strncasecmp(text, "in", 2) == 0 ? IN_WORD :
			IN_NONE;
	if (kind == TOKEN_STRING || kind == TOKEN_NUMBER)
		return state == IN_OPEN || state == IN_COMMA ? IN_CONSTANT : IN_NONE;
	if (kind == TOKEN_OTHER && *text == '(' && state == IN_WORD)
		return IN_OPEN;
	if (kind == TOKEN_OTHER && *text == ',' && state == IN_CONSTANT)
		return IN_COMMA;
	return IN_NONE;
}

/*
 * A text without constants, comments and layout.  The members of a list after
 * IN count as one, however many there are.
 */
static char *
normalise(const char *text)
{
	StringInfoData out;
	long		param = last_param(text);
	bool		space = false;
	InList		state = IN_NONE;
	TokenKind	kind;
	int			len;

	initStringInfo(&out);
	for (; (kind = lexer_next(text, &len)) != TOKEN_END; text += len)
	{
		bool		constant = kind == TOKEN_STRING || kind == TOKEN_NUMBER;
		InList		before = state;

		if (kind == TOKEN_SPACE)
		{
			space = true;
			continue;
		}
		state = next_in_list(before, kind, text, len);
		if (state == IN_COMMA || (before == IN_COMMA && constant))
		{
			space = false;
			continue;
		}
		if (before == IN_COMMA)
			appendStringInfoChar(&out, ',');	/* no constant after it */
		if (space && out.len > 0)
			appendStringInfoChar(&out, ' ');
		space = false;
		if (constant)
			appendStringInfo(&out, "$%ld", ++param);
		else
			appendBinaryStringInfo(&out, text, len);
	}
	while (out.len > 0 && strchr("; ", out.data[out.len - 1]) != NULL)
		out.data[--out.len] = '\0';
	return out.data;
}

/* Bucket of a key */
static unsigned int
hash_text(const char *s)
{
	unsigned int hash = 2166136261u;

	for (; s != NULL && *s; s++)
		hash = (hash ^ (unsigned char) *s) * 16777619u;
	return hash;
}

/* Both NULL, or the same */
static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The statement of an execution, made if it is new. */
static WorkStatement *
find_statement(Workload *workload, const Execution *execution, char *normal)
{
	WorkStatement **bucket = &workload->buckets[(hash_text(normal) ^
												 hash_text(execution->role)) % BUCKETS];
	WorkStatement *statement;

	for (statement = *bucket; statement != NULL; statement = statement->next)
		if (strcmp(statement->normal, normal) == 0 &&
			same_text(statement->role, execution->role) &&
			same_text(statement->search_path, execution->search_path))
		{
			pg_free(normal);
			return statement;
		}
	statement = pg_malloc0(sizeof(WorkStatement));
	statement->normal = normal;
	statement->role = execution->role ? pg_strdup(execution->role) : NULL;
	statement->search_path = execution->search_path ?
		pg_strdup(execution->search_path) : NULL;
	statement->next = *bucket;
	*bucket = statement;
	*workload->end = statement;
	workload->end = &statement->order;
	workload->n++;
	return statement;
}

/* Keep a text, or count it again. */
static void
note_variant(WorkStatement *statement, const char *text, int64 seen)
{
	Variant    *variant;

	for (int i = 0; i < statement->nvariants; i++)
		if (strcmp(statement->variants[i].text, text) == 0)
		{
			statement->variants[i].seen += seen;
			return;
		}
	if (statement->nvariants == WORKLOAD_VARIANTS)
		return;
	variant = &statement->variants[statement->nvariants++];
	variant->text = pg_strdup(text);
	variant->seen = seen;
}

/* See workload.h. */
void
workload_add(Workload *workload, const Execution *execution)
{
	char	   *normal = execution->normalised ? pg_strdup(execution->text) :
	normalise(execution->text);
	WorkStatement *statement;

	if (normal[0] == '\0')
	{
		pg_free(normal);
		return;
	}
	statement = find_statement(workload, execution, normal);
	if (statement->queryid == 0)
		statement->queryid = execution->queryid;
	statement->calls += execution->calls;
	statement->rows += execution->rows;
	if (execution->time_ms >= 0)
	{
		statement->timed = true;
		statement->time_ms += execution->time_ms;
	}
	if (!execution->normalised)
		note_variant(statement, execution->text,
					 (int64) Max(1, rint(execution->calls)));
}

/* See workload.h. */
double
workload_per_day(double window_s, double calls)
{
	double		factor = SECONDS_PER_DAY / Max(window_s, MIN_WINDOW_S);

	/* few executions in a short time say next to nothing about a day */
	if (calls < MIN_CALLS && factor > 1)
		factor = pow(factor, calls / MIN_CALLS);
	return factor;
}

/* See workload.h. */
void
workload_scale(Workload *workload, double window_s)
{
	for (WorkStatement *s = workload->first; s != NULL; s = s->order)
	{
		double		factor = workload_per_day(window_s, s->calls);

		s->calls *= factor;
		s->time_ms *= factor;
		s->rows *= factor;
	}
}

/* Most seen first; the order in which they came decides between equals. */
static int
compare_variants(const void *a, const void *b)
{
	const Variant *x = a;
	const Variant *y = b;

	if (x->seen != y->seen)
		return x->seen > y->seen ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* One statement */
static void
write_statement(JsonWriter *w, WorkStatement *s,
				bool (*usable) (const char *role))
{
	json_open(w, NULL, '{');
	json_TEXT(w, "query", s->normal);
	json_INT(w, "calls", (int64) Max(1, rint(s->calls)));
	if (s->timed)
		json_REAL(w, "time_ms", s->time_ms);
	json_REAL(w, "rows", rint(s->rows));
	if (s->role != NULL && usable(s->role))
		json_TEXT(w, "role", s->role);
	if (s->search_path != NULL)
		json_TEXT(w, "search_path", s->search_path);
	if (s->queryid != 0)
		json_INT(w, "queryid", s->queryid);
	qsort(s->variants, s->nvariants, sizeof(Variant), compare_variants);
	json_open(w, "samples", '[');
	for (int i = 0; i < Min(s->nvariants, WORKLOAD_SAMPLES); i++)
	{
		json_open(w, NULL, '{');
		json_TEXT(w, "query", s->variants[i].text);
		json_INT(w, "seen", s->variants[i].seen);
		json_close(w, '}');
	}
	json_close(w, ']');
	json_close(w, '}');
}

/* See workload.h. */
char *
workload_json(Workload *const *workloads, int n, bool recorded,
			  bool (*usable) (const char *role))
{
	char	   *text;
	size_t		size;
	JsonWriter	writer = {.out = open_memstream(&text, &size),.first = true};
	JsonWriter *w = &writer;

	json_open(w, NULL, '{');
	json_BOOL(w, "recorded", recorded);
	json_open(w, "statements", '[');
	for (int i = 0; i < n; i++)
		for (WorkStatement *s = workloads[i]->first; s != NULL; s = s->order)
			write_statement(w, s, usable);
	json_close(w, ']');
	json_close(w, '}');
	fclose(writer.out);
	return text;
}

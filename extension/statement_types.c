/*
 * statement_types.c
 *		Finding out which type a normalised constant had.
 *
 * 1 is an integer, $1 is whatever stands beside it: ARRAY[$1], sum($1) and
 * current_date - $1 are taken for arrays of text and the like, and then no
 * operator fits.  Constants without quotes are integers or decimal numbers, so
 * those two are tried for the parameters next to where analysis gave up, until
 * it does not.
 */
#include "statement.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"

#include "statement_tokens.h"

/* Parameters tried at one place, places, and attempts in all. */
#define NEAREST			4
#define MAX_ROUNDS		8
#define MAX_ATTEMPTS	48

/* A parameter of the text. */
typedef struct ParamPlace
{
	int			number;			/* from 1 */
	int			position;		/* in characters, from 1 */
	int			distance;		/* from where analysis gave up */
} ParamPlace;

/* Parameters whose type the text does not say. */
static ParamPlace *
find_params(const char *text, int *nplaces, int *highest)
{
	int			ntokens;
	GlperfToken *tokens = glperf_scan_tokens(text, &ntokens);
	ParamPlace *places = palloc(sizeof(ParamPlace) * (ntokens + 1));
	int			n = 0;

	*highest = 0;
	for (int i = 0; i < ntokens; i++)
	{
		int			number;

		if (!glperf_token_is_param(text, &tokens[i]))
			continue;
		number = (int) strtol(text + tokens[i].start + 1, NULL, 10);
		*highest = Max(*highest, number);
		if (i + 1 < ntokens &&
			strncmp(text + tokens[i + 1].start, "::", 2) == 0)
			continue;
		places[n].number = number;
		places[n].position = 1 + pg_mbstrlen_with_len(text, tokens[i].start);
		n++;
	}
	*nplaces = n;
	return places;
}

/* For qsort(): nearest first, then in the text's order. */
static int
compare_places(const void *a, const void *b)
{
	const ParamPlace *x = a;
	const ParamPlace *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return x->position - y->position;
}

bool
glperf_statement_type_error(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_UNDEFINED_FUNCTION ||
		sqlerrcode == ERRCODE_AMBIGUOUS_FUNCTION ||
		sqlerrcode == ERRCODE_INDETERMINATE_DATATYPE ||
		sqlerrcode == ERRCODE_DATATYPE_MISMATCH ||
		sqlerrcode == ERRCODE_CANNOT_COERCE;
}

/* Sort the places by their distance from a failure. */
static void
sort_places(ParamPlace *places, int n, const GlperfFailure *failure)
{
	for (int i = 0; i < n; i++)
		places[i].distance = abs(places[i].position - failure->cursorpos);
	qsort(places, n, sizeof(ParamPlace), compare_places);
}

/*
 * Position, in characters, where the call that begins at or behind a position
 * ends; 0 when none does.
 */
static int
call_end(const char *text, int position)
{
	int			ntokens;
	GlperfToken *tokens = glperf_scan_tokens(text, &ntokens);
	int			depth = 0;

	for (int i = 0; i < ntokens; i++)
	{
		int			here = 1 + pg_mbstrlen_with_len(text, tokens[i].start);

		if (here < position)
			continue;
		if (tokens[i].token == '(')
			depth++;
		else if (tokens[i].token == ')' && --depth <= 0)
			return depth == 0 ? here : 0;
	}
	return 0;
}

/* Do types fit, and something else is in the way? */
static bool
fails_later(const GlperfFailure *failure)
{
	return failure->cursorpos == 0 &&
		(failure->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED ||
		 failure->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		 failure->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE);
}

/* A search for types. */
typedef struct TypeSearch
{
	GlperfStatement *stmt;
	bool		(*attempt) (void *arg, GlperfFailure *failure);
	void	   *arg;
	int			attempts;
	GlperfFailure now;			/* as it fails at present */
	bool		ended;			/* with types that fit; else goes on */
	bool		succeeded;
} TypeSearch;

/*
 * Try one type for some parameters, which keep it when the search has ended.
 * Returns whether the statement fails further behind with it: *then tells how.
 */
static bool
try_type(TypeSearch *search, ParamPlace *places, int n, Oid type,
		 GlperfFailure *then)
{
	Oid		   *types = search->stmt->param_types;

	memset(then, 0, sizeof(GlperfFailure));
	if (search->attempts++ >= MAX_ATTEMPTS)
		return false;
	for (int i = 0; i < n; i++)
		types[places[i].number - 1] = type;
	if (search->attempt(search->arg, then))
		search->ended = search->succeeded = true;
	else if (fails_later(then))
		search->ended = true;
	if (search->ended)
	{
		search->now = *then;
		return true;
	}
	for (int i = 0; i < n; i++)
		types[places[i].number - 1] = InvalidOid;
	return then->cursorpos > search->now.cursorpos &&
		glperf_statement_type_error(then->sqlerrcode);
}

/* Open parameters of the call where analysis gave up, moved to the front. */
static int
of_call(TypeSearch *search, ParamPlace *places, int n)
{
	int			end = call_end(search->stmt->text, search->now.cursorpos);
	int			found = 0;

	for (int i = 0; i < n; i++)
	{
		ParamPlace	place = places[i];

		if (place.position < search->now.cursorpos || place.position > end ||
			OidIsValid(search->stmt->param_types[place.number - 1]))
			continue;
		places[i] = places[found];
		places[found++] = place;
	}
	return found;
}

/* One step ahead; false when nothing that is tried gets any further. */
static bool
find_next(TypeSearch *search, ParamPlace *places, int n)
{
	static const Oid guesses[] = {INT4OID, NUMERICOID};
	GlperfFailure then;
	GlperfFailure next;
	Oid		   *better = NULL;
	Oid			better_type = InvalidOid;
	int			together;

	sort_places(places, n, &search->now);
	for (int i = 0; i < Min(n, NEAREST); i++)
		for (size_t g = 0; g < lengthof(guesses); g++)
		{
			Oid		   *type = &search->stmt->param_types[places[i].number - 1];

			if (OidIsValid(*type) ||
				!try_type(search, &places[i], 1, guesses[g], &then))
				continue;
			if (search->ended)
				return true;
			/* it fails elsewhere: this was right, or as wrong as before */
			if (better == NULL)
			{
				better = type;
				better_type = guesses[g];
				next = then;
			}
		}
	if (better != NULL)
	{
		*better = better_type;
		search->now = next;
		return true;
	}
	/* as f($1, ARRAY[$2]), where one does not fit without the other */
	together = of_call(search, places, n);
	for (size_t g = 0; together > 1 && g < lengthof(guesses); g++)
	{
		if (!try_type(search, places, together, guesses[g], &then))
			continue;
		for (int i = 0; i < together; i++)
			search->stmt->param_types[places[i].number - 1] = guesses[g];
		search->now = then;
		return true;
	}
	return false;
}

bool
glperf_statement_guess_types(GlperfStatement *stmt, MemoryContext context,
							 bool (*attempt) (void *arg,
											  GlperfFailure *failure),
							 void *arg, GlperfFailure *failure)
{
	TypeSearch	search = {stmt, attempt, arg,.now = *failure};
	int			n;
	int			highest;
	ParamPlace *places = find_params(stmt->text, &n, &highest);

	if (n == 0 || stmt->nparams > 0)
		return false;
	stmt->param_types = MemoryContextAllocZero(context,
											   sizeof(Oid) * (highest + 1));
	stmt->nparams = highest;
	for (int round = 0; round < MAX_ROUNDS && !search.ended; round++)
		if (!find_next(&search, places, n))
			break;
	if (search.succeeded)
		return true;
	if (search.ended)
		*failure = search.now;
	stmt->nparams = 0;
	stmt->param_types = NULL;
	return false;
}

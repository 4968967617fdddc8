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

bool
glperf_statement_guess_types(GlperfStatement *stmt, MemoryContext context,
							 bool (*attempt) (void *arg,
											  GlperfFailure *failure),
							 void *arg, GlperfFailure *failure)
{
	static const Oid guesses[] = {INT4OID, NUMERICOID};
	GlperfFailure next = *failure;
	int			attempts = 0;
	int			n;
	int			highest;
	ParamPlace *places = find_params(stmt->text, &n, &highest);

	if (n == 0 || stmt->nparams > 0)
		return false;
	stmt->param_types = MemoryContextAllocZero(context,
											   sizeof(Oid) * (highest + 1));
	stmt->nparams = highest;
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		GlperfFailure now = next;
		Oid		   *better = NULL;
		Oid			better_type = InvalidOid;

		sort_places(places, n, &now);
		for (int i = 0; i < Min(n, NEAREST); i++)
			for (size_t g = 0; g < lengthof(guesses); g++)
			{
				Oid		   *type = &stmt->param_types[places[i].number - 1];
				GlperfFailure then = {0};

				if (OidIsValid(*type) || ++attempts > MAX_ATTEMPTS)
					continue;
				*type = guesses[g];
				if (attempt(arg, &then))
					return true;
				*type = InvalidOid;
				/* it fails elsewhere: this was right, or as wrong as before */
				if (better == NULL && then.cursorpos > now.cursorpos &&
					glperf_statement_type_error(then.sqlerrcode))
				{
					better = type;
					better_type = guesses[g];
					next = then;
				}
			}
		if (better == NULL)
			break;
		*better = better_type;
	}
	stmt->nparams = 0;
	stmt->param_types = NULL;
	return false;
}

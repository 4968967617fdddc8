/*
 * statement_variables.c
 *		Variables of a function in the statements that it runs.
 *
 * pg_stat_statements keeps such a statement with the names of variables in
 * it, as in WHERE id = wanted or VALUES (NEW.id).  Where it is parsed again
 * there is no such function, and so whatever is no column becomes a parameter
 * whose value is not known and whose type follows from its place.
 */
#include "statement.h"

#include <ctype.h>

#include "nodes/pg_list.h"
#include "parser/parse_relation.h"

#include "statement_tokens.h"

/* Number of the next variable in the statement that is being parsed. */
static int	next_variable;

/* The highest number of a parameter that a text may hold. */
static int
highest_param(const char *text)
{
	int			highest = 0;

	for (; *text; text++)
		if (text[0] == '$' && isdigit((unsigned char) text[1]))
			highest = Max(highest, (int) Min(strtol(text + 1, NULL, 10), 65535));
	return highest;
}

/* Is it a, a.b or a.b.c, and not such as a.*? */
static bool
is_name(const ColumnRef *cref)
{
	ListCell   *lc;

	foreach(lc, cref->fields)
		if (!IsA(lfirst(lc), String))
		return false;
	return true;
}

/*
 * Hook of the parser: what a name means that may be a column, var, or not.
 * Each occurrence is a parameter of its own, since one variable may be
 * compared with columns of several types.
 */
static Node *
variable_ref(ParseState *pstate, ColumnRef *cref, Node *var)
{
	ParamRef   *param;

	if (var != NULL || !is_name(cref))
		return NULL;
	/* the table is there, so this was a column once */
	if (list_length(cref->fields) > 1 &&
		refnameNamespaceItem(pstate, NULL, strVal(linitial(cref->fields)),
							 cref->location, NULL) != NULL)
		return NULL;
	param = makeNode(ParamRef);
	param->number = next_variable++;
	param->location = cref->location;
	return pstate->p_paramref_hook(pstate, param);
}

void
glperf_statement_take_variables(const GlperfStatement *stmt,
								ParseState *pstate)
{
	next_variable = Max(stmt->nparams, highest_param(stmt->text)) + 1;
	pstate->p_post_columnref_hook = variable_ref;
}

const char *
glperf_statement_expression(const char *text)
{
	int			ntokens;
	GlperfToken *tokens = glperf_scan_tokens(text, &ntokens);

	for (int i = 0; i + 1 < ntokens; i++)
	{
		if (strncmp(text + tokens[i].start, ":=", 2) == 0)
			return text + tokens[i + 1].start;
		/* no more than a variable with its parts stands before it */
		if (tokens[i].token == '(')
			break;
	}
	return text;
}

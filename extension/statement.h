/*
 * statement.h
 *		From the text of a statement to a Query that may be planned.
 */
#ifndef GLPERF_STATEMENT_H
#define GLPERF_STATEMENT_H

#include "compat.h"

#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "parser/parse_node.h"

#include "sandbox.h"

/* One way in which a statement is run: its text and parameter values. */
typedef struct GlperfStatement
{
	const char *text;
	int			nparams;		/* known parameters; the rest stays open */
	Oid		   *param_types;	/* InvalidOid: to be found out */
	char	  **param_values;	/* text form, NULL for SQL NULL; or no array */
	bool		generic;		/* the plan may not depend on these values:
								 * they only say how many rows there are */
	bool		local;			/* refuse foreign tables: planning them may
								 * contact other servers */
	bool		variables;		/* it ran inside a function: what is no column
								 * is a variable of that */
	bool		expression;		/* an expression of PL/pgSQL, no statement */
	double		rows_per_call;	/* observed, stands in for an unknown LIMIT;
								 * <= 0 when unknown */
} GlperfStatement;

/* A statement after analysis and rewriting, ready for the planner. */
typedef struct GlperfAnalysed
{
	List	   *queries;		/* Query, usually one; more with rules */
	ParamListInfo params;		/* NULL when nothing is known */
	int			cursor_options;
	bool		open_params;	/* has parameters whose value is unknown */
} GlperfAnalysed;

/*
 * glperf_statement_analyse -- parse, analyse and rewrite one statement
 *
 * Takes the locks that planning needs (to be called inside the sandbox).  No
 * parse-analysis hook runs, so no other module notices.
 *
 * Errors:	ERRCODE_SYNTAX_ERROR when the text is not exactly one statement,
 *			ERRCODE_FEATURE_NOT_SUPPORTED for utility statements and for
 *			functions that may not be evaluated here, and whatever analysis
 *			raises.
 */
extern void glperf_statement_analyse(const GlperfStatement *stmt,
									 GlperfAnalysed *result);

/*
 * glperf_statement_repair -- mend what normalisation of constants broke
 *
 * pg_stat_statements turns interval '1 day' into interval $1, which does not
 * parse.  Returns a text with such places rewritten as casts, in CurrentMemoryContext;
 * the same text when there is none.  Only for planning.
 */
extern char *glperf_statement_repair(const char *text);

/*
 * The command of a text that no longer parses, in capitals, when it is none
 * that could have a plan; else NULL.  From 18 on SET a = 1 is SET a = $1.
 */
extern char *glperf_statement_command(const char *text);

/*
 * glperf_statement_guess_types -- give parameters types that fit
 *
 * For a normalised statement whose analysis failed with *failure, an error of
 * the kind below.  Sets stmt->param_types, in context, and calls attempt(arg),
 * which analyses stmt, until that succeeds.  Returns false, with stmt as it
 * was, when nothing fits.
 */
extern bool glperf_statement_guess_types(GlperfStatement *stmt,
										 MemoryContext context,
										 bool (*attempt) (void *arg,
														  GlperfFailure *failure),
										 void *arg, GlperfFailure *failure);

/*
 * Let names that are no columns stand for parameters of open value, numbered
 * behind those of the text; after setup_parse_variable_parameters().
 */
extern void glperf_statement_take_variables(const GlperfStatement *stmt,
											ParseState *pstate);

/*
 * glperf_statement_in_function -- does a function hold this statement?
 *
 * A function that was folded while a statement was planned ran statements
 * that pg_stat_statements calls top-level.  Looks for one in SQL or PL/pgSQL
 * whose source holds the text, constants and PL/pgSQL's INTO left aside.
 */
extern bool glperf_statement_in_function(const char *text);

/*
 * What is to be parsed as an expression of PL/pgSQL: the text without the
 * variable that it is assigned to; points into text.
 */
extern const char *glperf_statement_expression(const char *text);

/* Could this error code come of a parameter that was taken for another type? */
extern bool glperf_statement_type_error(int sqlerrcode);

#endif							/* GLPERF_STATEMENT_H */

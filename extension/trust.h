/*
 * trust.h
 *		Whose code may run while a statement is planned.
 */
#ifndef GLPERF_TRUST_H
#define GLPERF_TRUST_H

#include "compat.h"

#include "nodes/nodes.h"
#include "nodes/parsenodes.h"

/*
 * All of these raise ERRCODE_FEATURE_NOT_SUPPORTED when planning would run
 * somebody else's code with rights that read-only mode does not contain, and
 * return at once when the current role has no such rights.
 */

/* A query after rewriting, and the tables, indexes and constraints below it. */
extern void glperf_trust_query(Query *query);

/* An expression or predicate in the text of an index definition. */
extern void glperf_trust_expr(Node *expr);

/* What a table carries that its owner wrote; takes no lock. */
extern void glperf_trust_table(Oid relid);

/*
 * A function about to be called while a statement is parsed or planned, by
 * whatever way it is reached: conditions of domains inside composite types,
 * functions called by functions.  Volatile ones are refused for every role,
 * since what they do can outlive a transaction (messages, signals, session
 * locks), and the planner itself never calls them.
 */
extern void glperf_trust_call(Oid funcid);

/*
 * May the current role evaluate expr, which an index would hold, on the rows of
 * a table?  Yes for what came with the server or is written in C, and for what
 * the role wrote itself, unless it is a superuser or the like.  Raises nothing.
 */
extern bool glperf_trust_run(Node *expr);

/* May a value of this type be made from text? */
extern bool glperf_trust_input(Oid type);

#endif							/* GLPERF_TRUST_H */

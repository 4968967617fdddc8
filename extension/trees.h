/*
 * trees.h
 *		What several rooms ask of query and expression trees, of the planner's
 *		relations, and their text.
 */
#ifndef GLPERF_TREES_H
#define GLPERF_TREES_H

#include "compat.h"

#include "nodes/nodes.h"
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"

/* Does an expression hold a parameter of any kind? */
extern bool glperf_has_param(Node *node);

/* What is below relabellings, which change no value; NULL for NULL. */
extern Node *glperf_strip_relabel(Node *node);

/*
 * Rows of a relation before any condition.  What the planner has as tuples of a
 * table with partitions or children is what passes their conditions.
 */
extern double glperf_rel_tuples(PlannerInfo *root, RelOptInfo *rel);

/* Call visit() for each relation of a query's own range table. */
extern void glperf_each_relation(const Query *query, void (*visit) (Oid relid));

/*
 * glperf_deparse -- text of an expression over one table, its Vars of varno 1
 *
 * Opens the table, so whoever calls holds a lock on it.  Names that are not in
 * the current search_path get their schema.
 */
extern char *glperf_deparse(Oid relid, Node *node);

/* schema.table, quoted */
extern char *glperf_qualified_name(Oid relid);

#endif							/* GLPERF_TREES_H */

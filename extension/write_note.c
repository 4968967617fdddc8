/*
 * write_note.c
 *		What the statements of a workload write.
 *
 * A statement's row count is measured.  Where it is divided between inserts
 * and updates, as by ON CONFLICT DO UPDATE and MERGE, the table's counters say
 * in which proportion; what a writing WITH query changes is estimated.
 */
#include "write_cost.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "parser/scansup.h"
#include "utils/lsyscache.h"

#include "table_writes.h"

/* One statement being noted. */
typedef struct NoteContext
{
	List	   *writes;
	PlannedStmt *plan;
	GlperfVolume volume;
	MemoryContext context;
} NoteContext;

/* Add one kind of write. */
static void
add_write(NoteContext *note, Oid relid, CmdType kind, Bitmapset *columns,
		  double rows, double ms)
{
	MemoryContext old;
	GlperfWrite *write;

	if (rows <= 0 || !OidIsValid(relid))
		return;
	old = MemoryContextSwitchTo(note->context);
	write = palloc0(sizeof(GlperfWrite));
	write->relid = relid;
	write->kind = kind;
	write->rows_per_day = rows;
	write->calls_per_day = note->volume.calls;
	write->ms_per_day = ms;
	write->columns = bms_copy(columns);
	note->writes = lappend(note->writes, write);
	MemoryContextSwitchTo(old);
}

/* Columns that the target list of an update sets, as attnums. */
static Bitmapset *
updated_columns(List *targets)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	foreach(lc, targets)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);

		if (!tle->resjunk)
			columns = bms_add_member(columns, tle->resno);
	}
	return columns;
}

/* Share of updates among rows that were inserted or updated. */
static double
update_share(Oid relid)
{
	GlperfTableWrites writes = glperf_table_writes(relid);

	/* a table that was just loaded tells nothing about what comes then */
	return writes.inserted > 0 && writes.updated > 0 ?
		writes.updated / (writes.inserted + writes.updated) : 0.5;
}

/*
 * Does INSERT also find or compute the rows, so that its time is that of more
 * than writing them?  So does ON CONFLICT DO UPDATE, whose "excluded" is one
 * more relation.
 */
static bool
makes_its_rows(Query *query)
{
	int			relation = 0;
	ListCell   *lc;

	if (query->hasSubLinks)
		return true;
	foreach(lc, query->rtable)
		if (++relation != query->resultRelation &&
			lfirst_node(RangeTblEntry, lc)->rtekind != RTE_VALUES)
		return true;
	return false;
}

/* INSERT, with what it does about conflicts. */
static void
note_insert(NoteContext *note, Query *query, Oid relid, double rows,
			double ms)
{
	double		updates = 0;

	if (makes_its_rows(query))
		ms = -1;
	if (query->onConflict &&
		query->onConflict->action == ONCONFLICT_UPDATE)
	{
		updates = rows * update_share(relid);
		add_write(note, relid, CMD_UPDATE,
				  updated_columns(query->onConflict->onConflictSet), updates,
				  -1);
	}
	add_write(note, relid, CMD_INSERT, NULL, rows - updates, ms);
}

#ifdef GLPERF_HAVE_MERGE
/* MERGE: its rows are divided among its actions. */
static void
note_merge(NoteContext *note, Query *query, Oid relid, double rows)
{
	GlperfTableWrites writes = glperf_table_writes(relid);
	int			n[3] = {0};		/* actions that insert, update, delete */
	double		share[3] = {0};
	double		sum = 0;
	ListCell   *lc;

	foreach(lc, query->mergeActionList)
	{
		MergeAction *action = lfirst_node(MergeAction, lc);

		n[0] += action->commandType == CMD_INSERT;
		n[1] += action->commandType == CMD_UPDATE;
		n[2] += action->commandType == CMD_DELETE;
	}
	share[0] = n[0] ? 1 + writes.inserted : 0;
	share[1] = n[1] ? 1 + writes.updated : 0;
	share[2] = n[2] ? 1 + writes.deleted : 0;
	/* loaded rows are not merged ones */
	if (n[0] && n[1])
	{
		double		updates = update_share(relid);
		double		both = share[0] + share[1];

		share[0] = both * (1 - updates);
		share[1] = both * updates;
	}
	sum = share[0] + share[1] + share[2];
	foreach(lc, query->mergeActionList)
	{
		MergeAction *action = lfirst_node(MergeAction, lc);

		if (action->commandType == CMD_INSERT)
			add_write(note, relid, CMD_INSERT, NULL,
					  rows * share[0] / sum / n[0], -1);
		else if (action->commandType == CMD_UPDATE)
			add_write(note, relid, CMD_UPDATE,
					  updated_columns(action->targetList),
					  rows * share[1] / sum / n[1], -1);
		else if (action->commandType == CMD_DELETE)
			add_write(note, relid, CMD_DELETE, NULL,
					  rows * share[2] / sum / n[2], -1);
	}
}
#endif

/* Rows that the plan of a writing WITH query is estimated to write. */
static double
planned_rows(PlannedStmt *plan, Oid relid, CmdType kind)
{
	ListCell   *lc;

	if (plan == NULL)
		return 0;
	foreach(lc, plan->subplans)
	{
		ModifyTable *modify = lfirst(lc);

		if (modify && IsA(modify, ModifyTable) && modify->operation == kind &&
			rt_fetch(modify->nominalRelation, plan->rtable)->relid == relid &&
			outerPlan(modify))
			return outerPlan(modify)->plan_rows;
	}
	return 0;
}

/* Note a query and those in its WITH list. */
static void
note_query(NoteContext *note, Query *query, double rows, double ms)
{
	ListCell   *lc;

	if (query->resultRelation > 0)
	{
		Oid			relid = rt_fetch(query->resultRelation, query->rtable)->relid;

		if (query->cteList != NIL)
			ms = -1;
		if (query->commandType == CMD_INSERT)
			note_insert(note, query, relid, rows, ms);
		else if (query->commandType == CMD_UPDATE)
			add_write(note, relid, CMD_UPDATE,
					  updated_columns(query->targetList), rows, ms);
		else if (query->commandType == CMD_DELETE)
			add_write(note, relid, CMD_DELETE, NULL, rows, ms);
#ifdef GLPERF_HAVE_MERGE
		else if (query->commandType == CMD_MERGE)
			note_merge(note, query, relid, rows);
#endif
	}
	foreach(lc, query->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, lc);
		Query	   *inner = (Query *) cte->ctequery;

		if (IsA(inner, Query) && inner->resultRelation > 0)
			note_query(note, inner,
					   planned_rows(note->plan,
									rt_fetch(inner->resultRelation,
											 inner->rtable)->relid,
									inner->commandType) * note->volume.calls,
					   -1);
	}
}

List *
glperf_write_note(List *writes, Query *query, PlannedStmt *plan,
				  GlperfVolume volume, MemoryContext context)
{
	NoteContext note = {writes, plan, volume, context};

	if (query->commandType != CMD_UTILITY)
		note_query(&note, query, volume.rows, volume.ms);
	return note.writes;
}

List *
glperf_write_note_copy(List *writes, const char *text, GlperfVolume volume,
					   MemoryContext context)
{
	NoteContext note = {writes, NULL, volume, context};
	List	   *parsed;
	CopyStmt   *copy;

	/* parsing every statement twice would be a waste */
	while (scanner_isspace(*text))
		text++;
	if (pg_strncasecmp(text, "copy", 4) != 0)
		return writes;
	parsed = raw_parser(text, RAW_PARSE_DEFAULT);
	if (list_length(parsed) != 1)
		return writes;
	copy = (CopyStmt *) linitial_node(RawStmt, parsed)->stmt;
	/* its time is mostly the client's */
	if (IsA(copy, CopyStmt) && copy->is_from && copy->relation)
		add_write(&note, RangeVarGetRelid(copy->relation, NoLock, true),
				  CMD_INSERT, NULL, volume.rows, -1);
	return note.writes;
}

/*
 * index_ddl.c
 *		Text of index DDL: the only place that writes it.
 *
 * Names go through quote_identifier(), expressions through ruleutils.  The
 * deparser opens the table, so all of this is called while whoever analyses
 * the table holds a lock on it.
 *
 * Whoever runs the DDL may have any search_path, so every name outside
 * pg_catalog is written with its schema.
 */
#include "index_def.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_opclass.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "trees.h"

/* From here to leave_bare_path() nothing but pg_catalog is in sight. */
static int
enter_bare_path(void)
{
	int			nestlevel = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	return nestlevel;
}

/* Back to what enter_bare_path() left. */
static void
leave_bare_path(int nestlevel)
{
	AtEOXact_GUC(true, nestlevel);
}

/* schema.name of an operator class, quoted. */
static char *
opclass_name(Oid opclass)
{
	HeapTuple	tup = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	char	   *name;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for opclass %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tup);
	if (OpclassIsVisible(opclass))
		name = pstrdup(quote_identifier(NameStr(form->opcname)));
	else
		name = quote_qualified_identifier(get_namespace_name(form->opcnamespace),
										  NameStr(form->opcname));
	ReleaseSysCache(tup);
	return name;
}

/* Collation, operator class and direction of key column i, if special. */
static void
append_key_options(StringInfo out, const GlperfIndexDef *def, int i,
				   Oid type, Oid typcollation)
{
	int16		option = def->option[i];

	if (OidIsValid(def->collation[i]) && def->collation[i] != typcollation)
		appendStringInfo(out, " COLLATE %s",
						 generate_collation_name(def->collation[i]));
	if (def->opclass[i] != GetDefaultOpClass(type, def->amoid))
		appendStringInfo(out, " %s", opclass_name(def->opclass[i]));
	if (option & INDOPTION_DESC)
	{
		appendStringInfoString(out, " DESC");
		if (!(option & INDOPTION_NULLS_FIRST))
			appendStringInfoString(out, " NULLS LAST");
	}
	else if (option & INDOPTION_NULLS_FIRST)
		appendStringInfoString(out, " NULLS FIRST");
}

char *
glperf_index_def_columns(const GlperfIndexDef *def)
{
	StringInfoData out;
	ListCell   *expr = list_head(def->exprs);
	int			nestlevel = enter_bare_path();

	initStringInfo(&out);
	for (int i = 0; i < def->nkeys; i++)
	{
		Oid			type;
		Oid			collation;
		int32		typmod;

		if (i > 0)
			appendStringInfoString(&out, ", ");
		if (def->attnum[i] != 0)
		{
			appendStringInfoString(&out,
								   quote_identifier(get_attname(def->relid,
																def->attnum[i],
																false)));
			get_atttypetypmodcoll(def->relid, def->attnum[i], &type, &typmod,
								  &collation);
		}
		else
		{
			Node	   *node = (Node *) lfirst(expr);

			appendStringInfo(&out, "(%s)", glperf_deparse(def->relid, node));
			type = exprType(node);
			collation = exprCollation(node);
			expr = lnext(def->exprs, expr);
		}
		append_key_options(&out, def, i, type, collation);
	}
	leave_bare_path(nestlevel);
	return out.data;
}

/* INCLUDE and WHERE parts. */
static void
append_tail(StringInfo out, const GlperfIndexDef *def)
{
	for (int i = def->nkeys; i < def->ncolumns; i++)
		appendStringInfo(out, "%s%s", i == def->nkeys ? " INCLUDE (" : ", ",
						 quote_identifier(get_attname(def->relid,
													  def->attnum[i], false)));
	if (def->ncolumns > def->nkeys)
		appendStringInfoChar(out, ')');
	if (def->fillfactor > 0)
		appendStringInfo(out, " WITH (fillfactor = %d)", def->fillfactor);
	if (def->pred)
	{
		int			nestlevel = enter_bare_path();

		appendStringInfo(out, " WHERE %s",
						 glperf_deparse(def->relid,
										(Node *) make_ands_explicit(def->pred)));
		leave_bare_path(nestlevel);
	}
}

/* [USING method] (columns) [INCLUDE (...)] [WHERE ...] */
static void
append_body(StringInfo out, const GlperfIndexDef *def)
{
	if (def->amoid != BTREE_AM_OID)
		appendStringInfo(out, " USING %s",
						 quote_identifier(get_am_name(def->amoid)));
	appendStringInfo(out, " (%s)", glperf_index_def_columns(def));
	append_tail(out, def);
}

char *
glperf_index_def_describe(const GlperfIndexDef *def)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, quote_identifier(get_rel_name(def->relid)));
	append_body(&out, def);
	return out.data;
}

/* CREATE INDEX CONCURRENTLY ..., complete, quoted, without semicolon. */
static char *
index_ddl(const GlperfIndexDef *def)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE INDEX CONCURRENTLY %s ON %s",
					 quote_identifier(def->name),
					 glperf_qualified_name(def->relid));
	append_body(&out, def);
	return out.data;
}

char *
glperf_index_def_predicate_query(const GlperfIndexDef *def)
{
	int			nestlevel = enter_bare_path();
	char	   *query = psprintf("SELECT 1 FROM %s WHERE %s",
								 glperf_qualified_name(def->relid),
								 glperf_deparse(def->relid,
												(Node *) make_ands_explicit(def->pred)));

	leave_bare_path(nestlevel);
	return query;
}

/* Up to limit bytes of a name, cut at a character's border. */
static int
clip(const char *name, int limit)
{
	return pg_mbcliplen(name, strlen(name), limit);
}

void
glperf_index_def_set_name(GlperfIndexDef *def)
{
	StringInfoData out;
	StringInfoData body;
	char	   *table = get_rel_name(def->relid);
	uint32		hash;

	/* what makes it this index and no other, independent of OIDs */
	initStringInfo(&body);
	appendStringInfoString(&body, glperf_qualified_name(def->relid));
	append_body(&body, def);
	hash = DatumGetUInt32(hash_any((unsigned char *) body.data, body.len));

	initStringInfo(&out);
	appendStringInfo(&out, "glp_%.*s", clip(table, 24), table);
	for (int i = 0; i < def->nkeys; i++)
	{
		char	   *column = def->attnum[i] != 0 ?
		get_attname(def->relid, def->attnum[i], false) : "expr";
		int			room = NAMEDATALEN - 1 - 9 - out.len - 1;

		if (room < 3)
			break;
		appendStringInfo(&out, "_%.*s", clip(column, Min(room, 20)), column);
	}
	appendStringInfo(&out, "_%08x", hash);
	def->name = out.data;
}

/* The definition for one partition, with a name of its own. */
static GlperfIndexDef *
for_partition(const GlperfIndexDef *def, Oid partition)
{
	GlperfIndexDef *result = glperf_index_def_on_partition(def, partition);

	if (result == NULL)
		elog(ERROR, "partition %u lacks a column of its parent", partition);
	glperf_index_def_set_name(result);
	return result;
}

/* An index by its OID, or InvalidOid. */
static Oid
existing_index(const GlperfIndexDef *def)
{
	return get_relname_relid(def->name, get_rel_namespace(def->relid));
}

/* May this index of a partition become part of an index of its parent? */
static bool
can_be_attached(Form_pg_index form, const GlperfIndexDef *def, Oid parent)
{
	HeapTuple	tuple;
	bool		result;

	if (form->indisunique || form->indisexclusion || !form->indisvalid ||
		!form->indisready || !form->indislive)
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(form->indexrelid));
	if (!HeapTupleIsValid(tuple))
		return false;

	/* settings make other indexes than B-trees work differently */
	result = strcmp(NameStr(((Form_pg_class) GETSTRUCT(tuple))->relname),
					def->name) != 0 &&
		(def->amoid == BTREE_AM_OID ||
		 heap_attisnull(tuple, Anum_pg_class_reloptions, NULL)) &&
		(!((Form_pg_class) GETSTRUCT(tuple))->relispartition ||
		 get_partition_parent(form->indexrelid, true) == parent);
	ReleaseSysCache(tuple);
	return result;
}

/*
 * An index that a partition has already, under another name, and that is what
 * def describes: the parent's takes it in, instead of building one more.
 * InvalidOid if there is none, or none that can be looked at just now.
 */
static Oid
find_twin(const GlperfIndexDef *def, Oid parent)
{
	Oid			twin = InvalidOid;
	Relation	pg_index = table_open(IndexRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(def->relid));
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, NULL, 1,
							  &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
		GlperfIndexDef *other;
		Relation	index;

		if (!can_be_attached(form, def, parent) ||
			!ConditionalLockRelationOid(form->indexrelid, AccessShareLock))
			continue;
		index = try_relation_open(form->indexrelid, NoLock);
		if (index == NULL)
			continue;
		other = glperf_index_def_from_relation(index);
		/* ATTACH wants included columns in the same order, too */
		if (glperf_index_def_equal(def, other) &&
			memcmp(def->attnum, other->attnum,
				   sizeof(AttrNumber) * def->ncolumns) == 0 &&
			(get_rel_relispartition(form->indexrelid) || !OidIsValid(twin)))
			twin = form->indexrelid;
		relation_close(index, AccessShareLock);
	}
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return twin;
}

List *
glperf_index_def_steps(const GlperfIndexDef *def)
{
	Oid			whole = existing_index(def);
	List	   *steps = NIL;
	ListCell   *lc;
	StringInfoData out;

	if (get_rel_relkind(def->relid) != RELKIND_PARTITIONED_TABLE)
		return list_make1(index_ddl(def));
	initStringInfo(&out);
	appendStringInfo(&out, "CREATE INDEX %s ON ONLY %s",
					 quote_identifier(def->name),
					 glperf_qualified_name(def->relid));
	append_body(&out, def);
	steps = lappend(steps, out.data);
	foreach(lc, find_inheritance_children(def->relid, NoLock))
	{
		GlperfIndexDef *part = for_partition(def, lfirst_oid(lc));
		Oid			twin = find_twin(part, whole);

		if (!OidIsValid(twin))
			steps = list_concat(steps, glperf_index_def_steps(part));
		initStringInfo(&out);
		appendStringInfo(&out, "ALTER INDEX %s ATTACH PARTITION %s",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(def->relid)),
													def->name),
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(part->relid)),
													OidIsValid(twin) ? get_rel_name(twin) : part->name));
		steps = lappend(steps, out.data);
	}
	return steps;
}

/*
 * What glperf_index_def_steps() takes in goes with the whole: how to get it
 * back.  A part that is younger than the whole was made for it, for a new
 * partition.
 */
static void
add_twins_undo(StringInfo script, const GlperfIndexDef *def)
{
	Oid			whole = existing_index(def);
	ListCell   *lc;

	if (get_rel_relkind(def->relid) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(lc, find_inheritance_children(def->relid, NoLock))
	{
		GlperfIndexDef *part = for_partition(def, lfirst_oid(lc));
		Oid			twin = find_twin(part, whole);
		char	   *undo = OidIsValid(twin) &&
		(!OidIsValid(whole) || twin < whole) ? glperf_index_undo(twin) : NULL;

		if (undo)
			appendStringInfo(script, ";\n%s", undo);
		else if (!OidIsValid(twin))
			add_twins_undo(script, part);
	}
}

char *
glperf_index_def_undo(const GlperfIndexDef *def)
{
	StringInfoData script;

	/* CONCURRENTLY is refused for an index of a partitioned table */
	initStringInfo(&script);
	appendStringInfo(&script, "DROP INDEX %s%s",
					 get_rel_relkind(def->relid) == RELKIND_PARTITIONED_TABLE ?
					 "" : "CONCURRENTLY ",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(def->relid)),
												def->name));
	add_twins_undo(&script, def);
	return script.data;
}

/* Append one more statement to a script. */
static void
add_statement(StringInfo script, const char *statement)
{
	appendStringInfo(script, "%s%s", script->len > 0 ? ";\n" : "", statement);
}

/* What CREATE INDEX cannot say of an existing index. */
static void
add_decorations(StringInfo script, Oid index, const char *name)
{
	char	   *comment = GetComment(index, RelationRelationId, 0);
	HeapTuple	tuple;
	ListCell   *lc;

	for (int attnum = 1;
		 HeapTupleIsValid(tuple = SearchSysCache2(ATTNUM,
												  ObjectIdGetDatum(index),
												  Int16GetDatum(attnum)));
		 attnum++)
	{
		int			target = glperf_stats_target(tuple);

		if (target >= 0)
			add_statement(script,
						  psprintf("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d",
								   name, attnum, target));
		ReleaseSysCache(tuple);
	}
	foreach(lc, getAutoExtensionsOfObject(RelationRelationId, index))
	{
		char	   *extension = get_extension_name(lfirst_oid(lc));

		if (extension)
			add_statement(script, psprintf("ALTER INDEX %s DEPENDS ON EXTENSION %s",
										   name, quote_identifier(extension)));
	}
	if (comment)
		add_statement(script, psprintf("COMMENT ON INDEX %s IS %s", name,
									   quote_literal_cstr(comment)));
}

/*
 * CREATE INDEX of an existing index with the word that keeps it from blocking
 * writers; NULL if its table is locked just now: printing expressions opens
 * the table.
 */
static char *
existing_ddl(Oid index)
{
	Oid			table = IndexGetRelation(index, true);
	char	   *name = get_rel_name(index);
	char	   *ddl = NULL;
	size_t		before = strlen("CREATE INDEX ");

	if (!OidIsValid(table) || name == NULL ||
		!ConditionalLockRelationOid(table, AccessShareLock))
		return NULL;
	if (SearchSysCacheExists1(INDEXRELID, ObjectIdGetDatum(index)))
		ddl = pg_get_indexdef_string(index);
	UnlockRelationOid(table, AccessShareLock);
	if (ddl == NULL)
		return NULL;
	if (strncmp(ddl, "CREATE UNIQUE ", 14) == 0)
		before = strlen("CREATE UNIQUE INDEX ");
	if (get_rel_relkind(index) == RELKIND_INDEX)
		return psprintf("%.*sCONCURRENTLY %s", (int) before, ddl, ddl + before);
	before += strlen(quote_identifier(name)) + strlen(" ON ");
	return psprintf("%.*sONLY %s", (int) before, ddl, ddl + before);
}

char *
glperf_index_undo(Oid index)
{
	StringInfoData script;
	List	   *tree = get_rel_relkind(index) == RELKIND_PARTITIONED_INDEX ?
	find_all_inheritors(index, NoLock, NULL) : list_make1_oid(index);
	ListCell   *lc;

	initStringInfo(&script);
	foreach(lc, tree)
	{
		Oid			member = lfirst_oid(lc);
		char	   *ddl = existing_ddl(member);
		char	   *name;
		Oid			parent;

		if (ddl == NULL)
			return NULL;
		name = glperf_qualified_name(member);
		add_statement(&script, ddl);
		add_decorations(&script, member, name);
		parent = member == index || !get_rel_relispartition(member) ?
			InvalidOid : get_partition_parent(member, true);
		if (OidIsValid(parent))
			add_statement(&script,
						  psprintf("ALTER INDEX %s ATTACH PARTITION %s",
								   glperf_qualified_name(parent), name));
	}
	return script.data;
}

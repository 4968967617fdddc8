-- What every object of the extension owes its readers, asked of the catalog:
-- each query lists what is missing.

-- the objects of the extension, by name
CREATE TEMP VIEW members AS
SELECT d.classid, d.objid
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND e.extname = 'glperf';

-- everything lives in the extension's schema
SELECT pg_describe_object(classid, objid, 0) AS elsewhere
FROM members m
WHERE COALESCE(
	(SELECT relnamespace FROM pg_class c
	 WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid),
	(SELECT pronamespace FROM pg_proc p
	 WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid))
	<> 'glperf'::regnamespace;

-- a comment on every relation, function and trigger
SELECT pg_describe_object(classid, objid, 0) AS without_comment
FROM members
WHERE classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
	AND obj_description(objid, classid::regclass::name) IS NULL
	AND NOT EXISTS (SELECT FROM pg_class c
					WHERE c.oid = objid AND c.relkind IN ('i', 'c', 'S'))
ORDER BY 1;
SELECT tgrelid::regclass AS relation, tgname AS trigger_without_comment
FROM pg_trigger t JOIN members m ON m.objid = t.tgrelid
	AND m.classid = 'pg_class'::regclass
WHERE NOT tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL;
-- and on every column; the health_* views are described by glperf.health
SELECT c.relname, a.attname AS column_without_comment
FROM members m JOIN pg_class c ON c.oid = m.objid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	AND NOT a.attisdropped
WHERE m.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'v', 'm')
	AND c.relname NOT LIKE 'health\_%'
	AND col_description(c.oid, a.attnum) IS NULL
ORDER BY 1, a.attnum;

-- functions: a fixed search_path, no rights of others, a language that is
-- always there, nothing for PUBLIC that is not harmless
SELECT p.oid::regprocedure AS without_search_path
FROM members m JOIN pg_proc p ON p.oid = m.objid
WHERE m.classid = 'pg_proc'::regclass
	AND NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (p.proconfig),
					 false)
	-- a statement means what it means on its author's search_path
	AND p.proname <> 'whatif'
	-- has no settings; its parts do
	AND p.prokind <> 'a'
ORDER BY 1;
SELECT p.oid::regprocedure AS security_definer
FROM members m JOIN pg_proc p ON p.oid = m.objid
WHERE m.classid = 'pg_proc'::regclass AND p.prosecdef
ORDER BY 1;
SELECT p.oid::regprocedure AS language
FROM members m JOIN pg_proc p ON p.oid = m.objid
JOIN pg_language l ON l.oid = p.prolang
WHERE m.classid = 'pg_proc'::regclass AND l.lanname NOT IN ('c', 'sql')
	AND p.prokind <> 'a'
	-- chooses its query by what the server has
	AND p.proname <> 'subscription_errors'
ORDER BY 1;
SELECT p.oid::regprocedure AS executable_by_public
FROM members m JOIN pg_proc p ON p.oid = m.objid
WHERE m.classid = 'pg_proc'::regclass
	AND has_function_privilege('public', p.oid, 'execute')
ORDER BY 1;

-- what operators enter survives dump and restore
SELECT c.relname AS table_not_dumped
FROM members m JOIN pg_class c ON c.oid = m.objid
WHERE m.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'S')
	AND NOT EXISTS (SELECT FROM pg_extension e
					WHERE e.extname = 'glperf' AND c.oid = ANY (e.extconfig))
ORDER BY 1;

-- columns that Grafana can plot: no type that it takes for text, numbers in
-- two types, times that say so
CREATE TEMP VIEW view_columns AS
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type
FROM members m JOIN pg_class c ON c.oid = m.objid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE m.classid = 'pg_class'::regclass AND c.relkind IN ('v', 'm');
SELECT * FROM view_columns
WHERE type NOT IN ('text', 'boolean', 'bigint', 'double precision',
				   'timestamp with time zone')
	-- read by programs, not plotted
	AND relname <> 'parameter_samples'
ORDER BY relname, attname;
SELECT * FROM view_columns
WHERE type = 'timestamp with time zone'
	AND attname <> 'time' AND attname NOT LIKE '%\_at'
ORDER BY relname, attname;
-- fractions and durations carry their unit; plain counts are whole numbers
SELECT * FROM view_columns
WHERE type = 'double precision'
	AND attname !~ '_(ms|s|bytes|pct|ratio|per_s|per_day|rows|bytes_per_s|backends)$'
	AND attname !~ '^seconds_'
	AND attname !~ '^rows_per_|^table_rows$'
	AND attname NOT IN ('value', 'warning', 'critical')
	-- its rows have units of their own
	AND relname <> 'capacity'
ORDER BY relname, attname;
SELECT * FROM view_columns
WHERE type IN ('bigint', 'double precision')
	AND attname ~ '(time|latency|size|duration|lag|elapsed)$'
ORDER BY relname, attname;

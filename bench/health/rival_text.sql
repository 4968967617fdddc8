-- duplicates: equal definitions once the name is cut out
SELECT count(*) FROM (
	SELECT indrelid, regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \S+ ON', 'INDEX ON')
	FROM pg_index JOIN pg_class c ON c.oid = indexrelid
	WHERE c.relnamespace <> 'pg_catalog'::regnamespace
	GROUP BY 1, 2 HAVING count(*) > 1) d

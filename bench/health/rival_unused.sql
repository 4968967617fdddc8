-- never scanned, with size and definition
SELECT count(x::text) FROM (
	SELECT s.schemaname, s.relname, s.indexrelname,
		pg_relation_size(s.indexrelid) AS bytes,
		pg_relation_size(s.relid) AS table_bytes,
		pg_get_indexdef(s.indexrelid) AS definition
	FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
	WHERE s.idx_scan = 0 AND NOT i.indisunique) x

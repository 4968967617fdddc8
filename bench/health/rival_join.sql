-- one index's columns begin another's, by the text of indkey
SELECT count(*)
FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid
	AND a.indexrelid <> b.indexrelid
	AND b.indkey::text || ' ' LIKE a.indkey::text || ' %'
	AND coalesce(a.indpred::text, '') = coalesce(b.indpred::text, '')
	AND coalesce(a.indexprs::text, '') = coalesce(b.indexprs::text, '')
WHERE NOT a.indisunique

-- The extensions that every later file relies on, installed into an empty
-- database.
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
SELECT extname, nspname, extrelocatable
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE extname = 'glperf';
-- the library that runs is the one that the script belongs to
SELECT glperf.version() = extversion AS library_matches_script
FROM pg_extension WHERE extname = 'glperf';
-- the schema has one owner: a second copy is refused
CREATE EXTENSION glperf;
-- not relocatable: its functions and views name each other
ALTER EXTENSION glperf SET SCHEMA public;

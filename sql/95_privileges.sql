-- A member of pg_monitor sees what a superuser sees, in every view; nobody
-- else sees anything.
CREATE ROLE glperf_reader;
GRANT pg_monitor TO glperf_reader;
CREATE ROLE glperf_stranger;

-- something to see: statements and objects of others
CREATE ROLE glperf_owner;
CREATE SCHEMA priv AUTHORIZATION glperf_owner;
SET ROLE glperf_owner;
CREATE TABLE priv.hidden (id int PRIMARY KEY, a int, b int,
						  ref int REFERENCES priv.hidden);
CREATE INDEX ON priv.hidden (a);
CREATE INDEX ON priv.hidden (a, b) WHERE b IS NOT NULL;
CREATE INDEX ON priv.hidden (a, (b + 1));
INSERT INTO priv.hidden SELECT g, g, g FROM generate_series(1, 100) g;
-- values that statistics keep, and that no statement's text has
CREATE TABLE priv.secret (word text, n int);
INSERT INTO priv.secret
SELECT repeat(chr(113 + g % 2), 9), g % 2 FROM generate_series(1, 12000) g;
CREATE INDEX ON priv.secret (word);
CREATE INDEX ON priv.secret (upper(word));
ANALYZE priv.secret;
SELECT count(*) AS kept FROM pg_stats
WHERE tablename = 'secret' AND most_common_vals::text ~ '[qr]{9}';
SELECT count(*) AS seen_by_others FROM priv.hidden;
RESET ROLE;
SELECT pg_stat_force_next_flush();

-- rows of a view with every number made equal, so that only what is shown and
-- what is hidden can differ
CREATE FUNCTION rows_of(view text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format(
		'SELECT regexp_replace(to_jsonb(v)::text,'
		' ''-?\d+(\.\d+)?(e[+-]?\d+)?( (bytes|kB|MB|GB))?'', ''N'', ''g'')'
		' FROM glperf.%I v', view);
END $$;
CREATE TABLE shown (pass int, role text, view text, row_text text);
GRANT INSERT ON shown TO PUBLIC;
-- rates take two readings
SELECT count(*) > 0 AS first
FROM glperf.counter_growth('{database,wal,checkpoints,archiver,io}');
SELECT pg_sleep(0.6);
-- One block, so that what is recorded of statements stays as it is; twice in
-- turn, as background processes change what there is to see.
DO $$
DECLARE
	v text;
	r text;
	pass int := 0;
BEGIN
	FOREACH r IN ARRAY ARRAY[current_user::text, 'glperf_reader',
							 current_user::text, 'glperf_reader'] LOOP
		pass := pass + 1;
		EXECUTE format('SET LOCAL ROLE %I', r);
		FOR v IN SELECT relname FROM pg_class
			WHERE relnamespace = 'glperf'::regnamespace
				AND (relkind = 'v' OR relname IN ('threshold', 'pool'))
				-- the rows of health, kept for each role for some time
				AND relname <> 'recent_health'
			ORDER BY relname
		LOOP
			BEGIN
				INSERT INTO shown SELECT pass, r, v, t FROM rows_of(v) t;
			EXCEPTION WHEN OTHERS THEN
				RAISE NOTICE '% as %: %', v,
					CASE r WHEN 'glperf_reader' THEN r ELSE 'superuser' END,
					sqlerrm;
			END;
		END LOOP;
		RESET ROLE;
	END LOOP;
END $$;
SELECT count(DISTINCT view) > 15 AS many_views, count(*) > 100 AS many_rows
FROM shown;
SELECT view, row_text AS only_for_superusers FROM (
	(SELECT view, row_text FROM shown WHERE pass = 1
	 INTERSECT ALL SELECT view, row_text FROM shown WHERE pass = 3)
	EXCEPT ALL SELECT view, row_text FROM shown WHERE pass = 2) d
ORDER BY 1, 2;
SELECT view, row_text AS only_for_pg_monitor FROM (
	(SELECT view, row_text FROM shown WHERE pass = 2
	 INTERSECT ALL SELECT view, row_text FROM shown WHERE pass = 4)
	EXCEPT ALL SELECT view, row_text FROM shown WHERE pass = 3) d
ORDER BY 1, 2;
-- no value of any table's statistics
SELECT view, count(*) AS leaked FROM shown
WHERE row_text ~* '[qr]{9}' GROUP BY view;
-- the text of other roles' statements among it
SELECT count(*) > 0 AS text_seen FROM shown
WHERE role = 'glperf_reader' AND view = 'statements'
	AND row_text LIKE '%seen_by_others%';

-- a reader changes nothing
SET ROLE glperf_reader;
UPDATE glperf.threshold SET warning = 1 WHERE id = 'cpu';
DELETE FROM glperf.threshold WHERE id = 'cpu';
SELECT glperf.threshold_refresh();
-- and reads no table of others through it
SELECT count(*) FROM priv.hidden;
RESET ROLE;

-- strangers: nothing at all
SELECT p.oid::regprocedure AS executable_by_anybody
FROM pg_proc p
WHERE p.pronamespace = 'glperf'::regnamespace
	AND has_function_privilege('glperf_stranger', p.oid, 'execute')
ORDER BY 1;
SELECT c.oid::regclass AS readable_by_anybody
FROM pg_class c
WHERE c.relnamespace = 'glperf'::regnamespace
	AND c.relkind IN ('r', 'v', 'm', 'S', 'p')
	AND has_table_privilege('glperf_stranger', c.oid,
							'select, insert, update, delete, truncate')
ORDER BY 1;
-- nothing is writable to pg_monitor
SELECT c.oid::regclass AS writable_by_pg_monitor
FROM pg_class c
WHERE c.relnamespace = 'glperf'::regnamespace AND c.relkind IN ('r', 'v')
	AND has_table_privilege('pg_monitor', c.oid,
							'insert, update, delete, truncate')
ORDER BY 1;
SET ROLE glperf_stranger;
SELECT * FROM glperf.health;
RESET ROLE;

DROP FUNCTION rows_of(text);
DROP TABLE shown;
DROP SCHEMA priv CASCADE;
DROP ROLE glperf_reader, glperf_stranger, glperf_owner;

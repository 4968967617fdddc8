-- Findings that somebody knows about and has decided to live with for a while.

CREATE TABLE silence (
	check_id text COLLATE pg_catalog."C" NOT NULL,
	object text COLLATE pg_catalog."C" NOT NULL,
	reason text NOT NULL
		CONSTRAINT "a silence needs a reason" CHECK (reason ~ '\S'),
	until_at timestamptz NOT NULL
		DEFAULT pg_catalog.now() + '90 days'::interval,
	silenced_by text NOT NULL DEFAULT SESSION_USER,
	silenced_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (check_id, object),
	CONSTRAINT "patterns must not end with a single backslash"
		CHECK (check_id !~ '(^|[^\\])(\\\\)*\\$'
			AND object !~ '(^|[^\\])(\\\\)*\\$')
);
COMMENT ON TABLE silence IS
'Checks of glperf.health that are silenced for an object until some day, with the reason: INSERT INTO glperf.silence (check_id, object, reason) VALUES (''index_unused'', ''public.orders_old'', ''for the audit in March''). The row stays on the page, with status ok and what it would be in its message, and is itself again on the day after. DELETE ends a silence. Survives dump and restore. Written by its owner; GRANT INSERT, UPDATE, DELETE to whom you trust with it.';
COMMENT ON COLUMN silence.check_id IS 'check_id of glperf.health, or a LIKE pattern of them.';
COMMENT ON COLUMN silence.object IS 'object of glperf.health, or a LIKE pattern of them; % for all.';
COMMENT ON COLUMN silence.reason IS 'Why; shown on the page.';
COMMENT ON COLUMN silence.until_at IS 'When the check speaks again: after 90 days unless told otherwise; infinity: never.';
COMMENT ON COLUMN silence.silenced_by IS 'Who silenced it.';
COMMENT ON COLUMN silence.silenced_at IS 'When it was silenced.';
SELECT pg_catalog.pg_extension_config_dump('silence', '');

CREATE VIEW silence_active AS
SELECT s.check_id, s.object, s.until_at,
	pg_catalog.format('until %s by %s: %s',
		CASE WHEN pg_catalog.isfinite(s.until_at)
			THEN pg_catalog.to_char(s.until_at, 'YYYY-MM-DD HH24:MI')
			ELSE 'further notice' END, s.silenced_by, s.reason) AS note,
	pg_catalog.format('DELETE FROM glperf.silence WHERE check_id = %L AND object = %L;',
					  s.check_id, s.object) AS remedy
FROM silence s
WHERE s.until_at > pg_catalog.now();
COMMENT ON VIEW silence_active IS
'The rows of glperf.silence that are in force.';
COMMENT ON COLUMN silence_active.check_id IS 'Check, or a LIKE pattern.';
COMMENT ON COLUMN silence_active.object IS 'Object, or a LIKE pattern.';
COMMENT ON COLUMN silence_active.until_at IS 'When the check speaks again.';
COMMENT ON COLUMN silence_active.note IS 'Until when, by whom and why, as the page says it.';
COMMENT ON COLUMN silence_active.remedy IS 'Statement that ends it.';

-- Whether a finding is silenced is asked in two places.  In the views of
-- topics, which show the worst few only, silenced ones are counted by
-- themselves, so that they are in nobody's place; there may be thousands to
-- look at, so all patterns are one array.  The page marks its own few rows.

CREATE FUNCTION silence_patterns() RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	-- a name means itself, too, whatever characters it is made of
	SELECT coalesce(array_agg(c.pattern || E'\n' || o.pattern), '{}')
	FROM glperf.silence_active s,
		LATERAL (SELECT s.check_id UNION
			SELECT regexp_replace(s.check_id, '([\\%_])', '\\\1', 'g'))
			c (pattern),
		LATERAL (SELECT s.object UNION
			SELECT regexp_replace(s.object, '([\\%_])', '\\\1', 'g'))
			o (pattern)
$$;
COMMENT ON FUNCTION silence_patterns() IS
'What is silenced, as patterns: a finding is if check_id || E''\n'' || object LIKE ANY of them.';

CREATE FUNCTION silence_of(check_id text, object text,
						   OUT note text, OUT remedy text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.note, s.remedy FROM glperf.silence_active s
	WHERE ($1 = s.check_id OR $1 LIKE s.check_id)
		AND ($2 = s.object OR $2 LIKE s.object)
	ORDER BY s.until_at DESC, s.check_id, s.object LIMIT 1
$$;
COMMENT ON FUNCTION silence_of(text, text) IS
'The silence in force for a check of an object, the longest one; note and remedy as in glperf.silence_active. No row: it is not silenced.';

REVOKE ALL ON FUNCTION silence_patterns(), silence_of(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION silence_patterns(), silence_of(text, text)
	TO pg_monitor;
GRANT SELECT ON silence, silence_active TO pg_monitor;

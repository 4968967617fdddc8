-- The limits of the tuning guide: glperf.threshold and the verdict of a value.
-- The numbers themselves are in include/glperf_thresholds.h.

CREATE FUNCTION threshold_defaults(
	OUT id text, OUT description text, OUT warning float8,
	OUT critical float8, OUT direction text, OUT unit text, OUT source text,
	OUT guide_section text)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_threshold_defaults';
COMMENT ON FUNCTION threshold_defaults() IS
'The limits as shipped, whatever glperf.threshold says now; columns as there. Source: the tuning guide, through include/glperf_thresholds.h.';

CREATE TABLE threshold (
	id text COLLATE pg_catalog."C" NOT NULL PRIMARY KEY,
	description text NOT NULL,
	warning float8,
	critical float8,
	direction text NOT NULL,
	unit text NOT NULL,
	source text NOT NULL DEFAULT 'external',
	guide_section text,
	builtin bool NOT NULL DEFAULT false,
	edited bool NOT NULL DEFAULT false,
	CONSTRAINT threshold_id_not_empty CHECK (id <> ''),
	CONSTRAINT threshold_direction CHECK (direction IN ('above', 'below')),
	CONSTRAINT threshold_source
		CHECK (source IN ('postgres', 'host', 'external'))
);
COMMENT ON TABLE threshold IS
'Limits that every verdict is judged by, one row per threshold. UPDATE warning and critical to change them: edits survive dump and restore and upgrades; NULL in both silences the check. INSERT rows of your own for metrics that your application reports.';
COMMENT ON COLUMN threshold.id IS 'Name of the threshold; check_id in glperf.health.';
COMMENT ON COLUMN threshold.description IS 'What is measured, and where the numbers come from.';
COMMENT ON COLUMN threshold.warning IS 'First limit, in unit; a value equal to it is still ok; NULL: no limit.';
COMMENT ON COLUMN threshold.critical IS 'Second limit, in unit; a value equal to it is not yet critical; NULL: no limit.';
COMMENT ON COLUMN threshold.direction IS 'above: too much is bad; below: too little is bad.';
COMMENT ON COLUMN threshold.unit IS 'Unit of the limits and of the value.';
COMMENT ON COLUMN threshold.source IS 'Who measures it: postgres, host, or external (the application reports it).';
COMMENT ON COLUMN threshold.guide_section IS 'Section of the tuning guide that gives the number; NULL where the guide is silent and the number is a default of glperf.';
COMMENT ON COLUMN threshold.builtin IS 'The threshold is shipped with glperf; its limits can be changed, the rest and the row itself can not. Kept by a trigger.';
COMMENT ON COLUMN threshold.edited IS 'The row differs from what is shipped: its limits were changed, or it is not built-in. Kept by a trigger.';

CREATE FUNCTION threshold_check() RETURNS trigger
LANGUAGE c
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_threshold_check';
COMMENT ON FUNCTION threshold_check() IS
'Trigger of glperf.threshold: refuses limits that make no sense and keeps the columns builtin and edited.';

CREATE TRIGGER threshold_check
BEFORE INSERT OR UPDATE OR DELETE ON threshold
FOR EACH ROW EXECUTE FUNCTION threshold_check();
COMMENT ON TRIGGER threshold_check ON threshold IS
'Refuses limits that make no sense, and deleting a built-in row.';
CREATE TRIGGER threshold_no_truncate
BEFORE TRUNCATE ON threshold
FOR EACH STATEMENT EXECUTE FUNCTION threshold_check();
COMMENT ON TRIGGER threshold_no_truncate ON threshold IS
'Built-in rows cannot be removed.';
-- also when a logical replication worker or a restore writes the table
ALTER TABLE threshold ENABLE ALWAYS TRIGGER threshold_check;

SELECT pg_catalog.pg_extension_config_dump('threshold', 'WHERE edited');

CREATE FUNCTION threshold_refresh() RETURNS int8
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
	-- thresholds that this version no longer has
	DELETE FROM glperf.threshold t
	WHERE t.builtin AND NOT t.edited
		AND NOT EXISTS (SELECT FROM glperf.threshold_defaults() d
						WHERE d.id = t.id);
	UPDATE glperf.threshold t
	SET description = d.description,
		warning = CASE WHEN t.edited THEN t.warning ELSE d.warning END,
		critical = CASE WHEN t.edited THEN t.critical ELSE d.critical END,
		direction = d.direction, unit = d.unit, source = d.source,
		guide_section = d.guide_section
	FROM glperf.threshold_defaults() d
	WHERE d.id = t.id
		AND (t.description, t.direction, t.unit, t.source, t.guide_section,
			 CASE WHEN NOT t.edited THEN t.warning END,
			 CASE WHEN NOT t.edited THEN t.critical END)
		IS DISTINCT FROM
			(d.description, d.direction, d.unit, d.source, d.guide_section,
			 CASE WHEN NOT t.edited THEN d.warning END,
			 CASE WHEN NOT t.edited THEN d.critical END);
	INSERT INTO glperf.threshold (id, description, warning, critical,
								  direction, unit, source, guide_section)
	SELECT d.* FROM glperf.threshold_defaults() d
	WHERE NOT EXISTS (SELECT FROM glperf.threshold t WHERE t.id = d.id);
	SELECT count(*) FROM glperf.threshold WHERE builtin;
$$;
COMMENT ON FUNCTION threshold_refresh() IS
'Brings the rows of glperf.threshold that nobody edited up to what this version ships; edited limits stay. Run by CREATE EXTENSION and by every upgrade. Returns the number of built-in thresholds.';

SELECT glperf.threshold_refresh();

CREATE FUNCTION verdict(value float8, warning float8, critical float8,
						direction text)
RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_verdict_limits';
COMMENT ON FUNCTION verdict(float8, float8, float8, text) IS
'ok, warning, critical, or unknown when the value or the direction is NULL; a value equal to a limit is within it; a NULL limit is none. direction is above or below.';

CREATE FUNCTION verdict(threshold_id text, value float8) RETURNS text
LANGUAGE c STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_verdict_id';
COMMENT ON FUNCTION verdict(text, float8) IS
'Verdict of a value against a row of glperf.threshold: ok, warning, critical, or unknown when the value is NULL. An unknown threshold is an error.';

REVOKE ALL ON FUNCTION threshold_defaults(), threshold_check(),
	threshold_refresh(), verdict(float8, float8, float8, text),
	verdict(text, float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION threshold_defaults(),
	verdict(float8, float8, float8, text), verdict(text, float8)
	TO pg_monitor;
GRANT SELECT ON threshold TO pg_monitor;

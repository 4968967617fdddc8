-- Every topic file grants its own objects to pg_monitor; what they share is
-- the schema.
GRANT USAGE ON SCHEMA glperf TO pg_monitor;
COMMENT ON SCHEMA glperf IS
'glperf: what is slow, why, and what to do about it, judged against the limits in glperf.threshold. Start with SELECT * FROM glperf.health WHERE status <> ''ok''.';

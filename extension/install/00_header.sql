/* glperf: install script, put together by make from extension/install */

-- complain if the script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION glperf" to load this file. \quit

CREATE FUNCTION version() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_version';
COMMENT ON FUNCTION glperf.version() IS
'Release version of the loaded glperf library, such as 1.0.';

CREATE FUNCTION api_version() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'glperf_api_version';
COMMENT ON FUNCTION api_version() IS
'Version of the interface that glperf-advisor relies on, as major.minor; the advisor refuses another major.';

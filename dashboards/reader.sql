-- The role that Grafana connects as: it may look, and nothing else.
--
-- Run by a superuser (or, from PostgreSQL 16, a role with CREATEROLE and
-- ADMIN OPTION on pg_monitor) in the database that has the extension:
--
--     psql -X -d mydb -f dashboards/reader.sql
--     psql -X -d mydb -c '\password glperf_reader'
--
-- Another name:  psql -X -v reader=grafana -d mydb -f dashboards/reader.sql
-- Running it again brings an existing role back to these settings.

\set ON_ERROR_STOP on
\if :{?reader}
\else
\set reader glperf_reader
\endif

BEGIN;

SELECT pg_catalog.format('CREATE ROLE %I', :'reader')
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :'reader')
\gexec

-- The data source is provisioned with fewer connections than this limit; the
-- difference is for the moment in which Grafana replaces its pool.
ALTER ROLE :"reader" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE
	NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT 10;

-- A panel that cannot answer in time gives up; it never queues behind a lock,
-- and it never holds a transaction open.
ALTER ROLE :"reader" SET default_transaction_read_only = on;
ALTER ROLE :"reader" SET statement_timeout = '15s';
ALTER ROLE :"reader" SET lock_timeout = '1s';
ALTER ROLE :"reader" SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE :"reader" SET search_path = pg_catalog;
ALTER ROLE :"reader" SET jit = off;

-- pg_monitor is what the views of schema glperf are granted to.  It includes
-- pg_read_all_stats, so this role sees the text of everybody's statements.
GRANT pg_monitor TO :"reader";

SELECT pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I',
						 pg_catalog.current_database(), :'reader')
\gexec

COMMIT;

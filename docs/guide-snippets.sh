#!/bin/bash
# guide-snippets.sh: runs the tuning guide's own SQL beside what replaces it,
# on a throw-away primary with one streaming standby, and prints both outputs.
# The README's comparison is copied from here.
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/throwaway.sh
idle=${1:-30}

say() { printf '\n--- %s\n' "$*"; }

q -c 'CREATE TABLE executions AS SELECT g AS id, g % 50 AS agent
	FROM generate_series(1, 200000) AS g' -c 'ANALYZE executions'
as mkdir "$W/s/standby"
as "$bin/pg_basebackup" -h "$W/s" -p 5432 -U postgres -D "$W/s/standby/data" \
	-R -c fast --no-sync
echo "unix_socket_directories = '$W/s/standby'" |
	as tee -a "$W/s/standby/data/postgresql.auto.conf" >/dev/null
as "$bin/pg_ctl" -D "$W/s/standby/data" -l "$W/s/standby/log" -w start >/dev/null
q -c 'CREATE TABLE marker (a int)'
for n in 1 2 3; do q -o /dev/null -c 'SELECT count(*) FROM executions,
	generate_series(1, 20) AS n WHERE agent % n = 3'; done
q -c "INSERT INTO glperf.pool (application_name) VALUES ('api')"
# an application that holds three connections and uses none
for n in 1 2 3; do sleep 20 | PGAPPNAME=api q & done
sleep 1

say "Query Tuning: the guide's SQL"
q -c 'SELECT query, calls, total_time, mean_time, max_time
	FROM pg_stat_statements WHERE mean_time > 100
	ORDER BY mean_time DESC LIMIT 20' 2>&1 || true
say "Query Tuning: glperf.slow_queries"
q -c "SELECT calls, round(mean_time_ms) AS mean_ms, round(max_time_ms) AS max_ms,
	round(p95_at_most_ms) AS p95_at_most_ms, status,
	left(regexp_replace(query, '\s+', ' ', 'g'), 45) AS query
	FROM glperf.slow_queries ORDER BY mean_time_ms DESC LIMIT 3"

say "Connection Pool Tuning: the guide's SQL"
q -c "SELECT count(*), application_name, state FROM pg_stat_activity
	WHERE datname = 'postgres' GROUP BY application_name, state"
say "Connection Pool Tuning: glperf.pool_conformance"
q -c "SELECT pool, open, in_use, idle, idle_pct, size_limit, hard_limit, status,
	verdict FROM glperf.pool_conformance WHERE pool = 'api'"

say "Database Scaling: an idle primary for $idle s, nothing behind"
sleep "$idle"
echo "the guide's SQL, on the standby:"
dir=$W/s/standby q -c 'SELECT now() - pg_last_xact_replay_timestamp() AS replication_lag'
echo "glperf.replication_lag, on the standby:"
dir=$W/s/standby q -c 'SELECT role, state, lag_bytes, lag_s, status
	FROM glperf.replication_lag'

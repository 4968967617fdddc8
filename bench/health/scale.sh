#!/bin/bash
# scale.sh [TABLES [CONNECTIONS]]		(default: 5000 500)
#
# What the views cost in a large database: TABLES tables with five indexes each,
# as many statements in pg_stat_statements, and CONNECTIONS idle connections.
# Prints, per view, wall-clock time and processor time of the backend, the best
# of three runs in one session; the same for rival.sql, plain queries that
# answer a part of what index_usage answers; then what polling the health page
# costs a processor.  Times depend on the machine and on what else it does;
# processor time does so less.
#
# Starts a server of its own, and removes it.  Takes about four minutes.
# Environment: PG_CONFIG, TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/../.."
tables=${1:-5000}
connections=${2:-500}
here=$PWD/bench/health

. docs/throwaway.sh
as tee -a "$W/s/data/postgresql.auto.conf" >/dev/null <<X
max_connections = $((connections + 50))
pg_stat_statements.max = $((tables + 1000))
shared_buffers = 256MB
max_wal_size = 4GB
autovacuum = off
X
as "$bin/pg_ctl" -D "$W/s/data" -l "$W/s/server.log" -m fast -w restart >/dev/null
echo "# $("$bin/postgres" --version), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"

SECONDS=0
q -v tables="$tables" -f "$here/scale.sql" >/dev/null
printf 'SELECT 1;\n\\sleep 1800 s\n' >"$W/idle.sql"
chmod a+r "$W/idle.sql"
set -m # a process group of its own, which cleanup ends
as "$bin/pgbench" -n -h "$W/s" -p 5432 -U postgres -c "$connections" -t 1 \
	-f "$W/idle.sql" postgres >"$W/idle.log" 2>&1 &
child=$!
set +m
until [ "$(q -Atc "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")" -gt "$connections" ]; do
	kill -0 $child 2>/dev/null || { cat "$W/idle.log" >&2; exit 1; }
	sleep 1
done
echo "# $(q -Atc "SELECT format('%s tables, %s indexes, %s statements, %s connections',
	(SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'scale'::regnamespace),
	(SELECT count(*) FROM glperf.index_usage), (SELECT count(*) FROM pg_stat_statements),
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'))"), made in $SECONDS s"

# One session for all that is measured.
coproc PSQL { as "$bin/psql" -XqAt -h "$W/s" -p 5432 -U postgres -d postgres 2>&1; }
exec {in}<&"${PSQL[0]}" {out}>&"${PSQL[1]}" # subshells lack those of a coprocess
ask() # SQL: the last line of its output
{
	local line last=
	printf '%s\n\\echo --end--\n' "$1" >&"$out"
	while IFS= read -r line <&"$in" && [ "$line" != --end-- ]; do
		last=$line
	done
	echo "$last"
}
backend=$(ask 'SELECT pg_backend_pid();')
tick=$((1000 / $(getconf CLK_TCK)))
cpu_ms() { awk -v t=$tick '{print ($14 + $15) * t}' "/proc/$backend/stat"; }
now_ms() { date +%s%N | cut -c1-13; }

# measure NAME SQL
measure()
{
	local i start cpu wall best=999999 bestcpu=999999 c0
	for i in 1 2 3; do
		c0=$(cpu_ms) start=$(now_ms)
		ask "$2" >/dev/null
		wall=$(($(now_ms) - start)) cpu=$(($(cpu_ms) - c0))
		[ "$wall" -ge "$best" ] || best=$wall
		[ "$cpu" -ge "$bestcpu" ] || bestcpu=$cpu
		[ "$wall" -lt 5000 ] || break
	done
	printf '%-28s %7d %7d\n' "$1" "$best" "$bestcpu"
}
first=$(now_ms)
ask 'SELECT count(x::text) FROM glperf.health x;' >/dev/null
printf '%-28s %7s %7s\n' 'view' 'ms' 'cpu ms'
printf '%-28s %7d\n' 'health, first of a session' $(($(now_ms) - first))
for view in $(q -Atc "SELECT relname FROM pg_class WHERE relnamespace = 'glperf'::regnamespace AND relkind = 'v'
		AND relname <> 'recent_health' ORDER BY relname <> 'health', relname"); do
	measure "$view" "SELECT count(x::text) FROM glperf.$view x;"
done | awk 'NR == 1 || $2 >= 5'
echo "(views below 5 ms are left out)"

# plain SQL for parts of it, written for this comparison
while IFS='|' read -r name file; do
	measure "$name" "$(cat "$here/$file");"
done <<X
duplicates as text (indexdef)|rival_text.sql
redundant, self-join|rival_join.sql
unused, with sizes|rival_unused.sql
X

# poll SQL SECONDS: share of a processor, asked every second
poll()
{
	local i c0 n=$2
	c0=$(cpu_ms)
	for ((i = 0; i < n; i++)); do
		ask "$1" >/dev/null
		sleep 1
	done
	awk -v c=$(($(cpu_ms) - c0)) -v n=$n 'BEGIN {printf "%.1f ms of processor time each\n", c / n}'
}
echo
echo "polling glperf.health: $(poll 'SELECT count(x::text) FROM glperf.health x;' 5)"
# percent MS_OF_PROCESSOR START: share of a processor since then
percent() { awk -v c="$1" -v t=$(($(now_ms) - $2)) 'BEGIN {printf "%.2f %% of a processor\n", 100 * c / t}'; }
ask 'SELECT count(*) FROM glperf.recent_health;' >/dev/null
c0=$(cpu_ms) start=$(now_ms)
for ((i = 0; i < 30; i++)); do
	ask 'SELECT count(x::text) FROM glperf.recent_health x;' >/dev/null
	sleep 2
done
echo "polling glperf.recent_health every 2 s for a minute: $(percent $(($(cpu_ms) - c0)) "$start")"

# A new connection each time: what the backends take that have ended
# meanwhile, by the kernel's count for their parent, autovacuum being off.
postmaster=$(head -n 1 "$W/s/data/postmaster.pid")
ended_ms() { awk -v t=$tick '{print ($16 + $17) * t}' "/proc/$postmaster/stat"; }
anew() { q -c 'SELECT count(x::text) FROM glperf.recent_health x' >/dev/null; }
anew
c0=$(ended_ms) start=$(now_ms)
for ((i = 0; i < 6; i++)); do
	sleep 10
	anew
done
sleep 1
echo "the same every 10 s over a new connection each time, glperf preloaded: $(percent $(($(ended_ms) - c0)) "$start")"

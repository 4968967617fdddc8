#!/bin/bash
# collector.sh [CONFIGURATION...]
#
# What the collector costs, beside pg_stat_statements, pg_qualstats and
# pg_stat_kcache: user-space instructions per transaction of pgbench -S, counted
# by valgrind's callgrind as the difference between 4500 and 500 transactions of
# one backend.  That is reproducible to some ten instructions on any machine and
# under any load, where transactions per second need an idle one.  What waits
# for the client is left out: it depends on whether the client was quick.
#
# Needs valgrind and an installed glperf (make install); the rivals are
# downloaded as Debian packages and unpacked into a private copy of PostgreSQL,
# not installed.  About a minute per configuration.
#
# Environment: PG_CONFIG, TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE

W=$(mktemp -d "${TMPDIR:-/tmp}/glperf-bench.XXXXXX")
chmod 755 "$W"
P=$(bash .ci/private-pg.sh "$W/pg" "${PG_CONFIG:-pg_config}")
bin=$("$P" --bindir)
as=()
if [ "$(id -u)" = 0 ]; then as=(runuser -u postgres --); fi
stop()
{
	[ ! -f "$W/data/postmaster.pid" ] ||
		"${as[@]}" "$bin/pg_ctl" -D "$W/data" -m fast -t 120 -w stop >/dev/null 2>&1 || true
}
trap 'stop; rm -rf "$W"' EXIT
command -v valgrind >/dev/null || { echo "collector.sh: valgrind is missing" >&2; exit 1; }

mkdir "$W/src" "$W/deb" "$W/s" "$W/out"
cp -r Makefile glperf.control include extension advisor "$W/src"
find "$W/src" -name '*.o' -delete
make -s -C "$W/src" PG_CONFIG="$P" with_llvm=no all install >"$W/make.log" 2>&1 || {
	tail "$W/make.log"; exit 1; }
major=$("$P" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
[ "$(id -u)" != 0 ] || chown -R _apt "$W/deb"
for package in pg-qualstats pg-stat-kcache; do
	(cd "$W/deb" && apt-get -qq download "postgresql-$major-$package") >/dev/null 2>&1 ||
		echo "# postgresql-$major-$package is not to be had: left out"
done
for deb in "$W"/deb/*.deb; do
	[ -f "$deb" ] || continue
	echo "# $(basename "$deb")"
	dpkg -x "$deb" "$W/unpacked"
done
[ ! -d "$W/unpacked" ] || cp "$W"/unpacked/usr/lib/postgresql/*/lib/*.so "$("$P" --pkglibdir)"

if [ "$(id -u)" = 0 ]; then chown -R postgres "$W/s" "$W/out"; install -d -o postgres "$W/data"; fi
"${as[@]}" "$bin/initdb" -D "$W/data" -A trust -U postgres --no-sync >/dev/null
cat >>"$W/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$W/s'
autovacuum = off
jit = off
fsync = off
shared_buffers = 64MB
max_wal_size = 4GB
log_connections = on
log_line_prefix = '%p '
END
export PGHOST=$W/s PGUSER=postgres PGPORT=5432
"${as[@]}" "$bin/pg_ctl" -D "$W/data" -l "$W/out/log" -w start >/dev/null
"$bin/createdb" bench
"$bin/pgbench" -i -q -s 1 bench >/dev/null 2>&1
"$bin/psql" -Xqc 'VACUUM (FREEZE, ANALYZE)' bench
stop

echo "# $("$P" --version), pgbench -S, instructions per transaction"
printf '%-34s %10s %8s %10s %8s\n' configuration prepared '' simple ''

declare -A base
# Instructions of one backend for so many transactions.
instructions()
{
	local mode=$1 n=$2 name=bench_$1_$2 pid i
	PGAPPNAME=$name "$bin/pgbench" -n -S -c 1 -t "$n" -M "$mode" --random-seed=1 bench >/dev/null 2>"$W/out/pgbench.err" || {
		cat "$W/out/pgbench.err" >&2; exit 1; }
	# pgbench connects once to look around, and then once to work
	pid=$(sed -n "s/^\([0-9]*\) .*connection authorized.*application_name=$name.*/\1/p" "$W/out/log" | tail -n 1)
	# a backend writes its file as it ends
	for i in $(seq 150); do
		! grep -q '^totals:' "$W/out/callgrind.$pid" 2>/dev/null || break
		sleep 0.2
	done
	# whether the next request is there already, or has to be waited for, is
	# a matter of luck: leave out what waits
	callgrind_annotate --auto=no --threshold=100 "$W/out/callgrind.$pid" 2>/dev/null | awk '
		$2 ~ /^\(/ && !/PROGRAM TOTALS/ &&
			!/:(WaitEventSetWait|ModifyWaitEvent|secure_read|secure_raw_read|recv|epoll_wait|__errno_location)( |$)/ {
			gsub(",", "", $1); sum += $1 }
		END {printf "%d\n", sum}'
}

measure()
{
	local name=$1 baseline=$2
	shift 2
	"${as[@]}" valgrind --quiet --tool=callgrind --callgrind-out-file="$W/out/callgrind.%p" \
		"$bin/postgres" -D "$W/data" "$@" >"$W/out/log" 2>&1 &
	local i
	for i in $(seq 300); do
		"$bin/pg_isready" -q && break
		sleep 0.2
	done
	"$bin/pg_isready" -q || { tail "$W/out/log" >&2; return 0; }
	"$bin/pgbench" -n -S -c 1 -t 200 bench >/dev/null 2>&1
	local line mode few many per
	line=$(printf '%-34s' "$name")
	for mode in prepared simple; do
		few=$(instructions $mode 500)
		many=$(instructions $mode 4500)
		per=$(((many - few) / 4000))
		base[$name.$mode]=$per
		line+=$(printf ' %10d %8s' "$per" "$(awk -v a="$per" -v b="${base[$baseline.$mode]}" \
			'BEGIN {printf "%+.2f%%", (a / b - 1) * 100}')")
	done
	echo "$line"
	stop
	wait
}

want()
{
	local w
	[ ${#only[@]} = 0 ] && return 0
	for w in "${only[@]}"; do [ "$w" != "$1" ] || return 0; done
	return 1
}
only=("$@")
id=(-c compute_query_id=on)
lib() { echo "shared_preload_libraries=$1"; }
measure none none "${id[@]}"
if want glperf; then measure glperf none "${id[@]}" -c "$(lib glperf)"; fi
if want pss; then
	measure pg_stat_statements none "${id[@]}" -c "$(lib pg_stat_statements)"
	echo '# on top of pg_stat_statements:'
	measure 'pss, glperf' pg_stat_statements "${id[@]}" -c "$(lib 'pg_stat_statements, glperf')"
	measure 'glperf, pss' pg_stat_statements "${id[@]}" -c "$(lib 'glperf, pg_stat_statements')"
fi
if want rivals; then
	[ ! -f "$("$P" --pkglibdir)/pg_stat_kcache.so" ] ||
		measure 'pss, pg_stat_kcache' pg_stat_statements "${id[@]}" -c "$(lib 'pg_stat_statements, pg_stat_kcache')"
	if [ -f "$("$P" --pkglibdir)/pg_qualstats.so" ]; then
		measure 'pss, pg_qualstats' pg_stat_statements "${id[@]}" -c "$(lib 'pg_stat_statements, pg_qualstats')"
		measure 'pss, pg_qualstats, sample rate 1' pg_stat_statements "${id[@]}" \
			-c "$(lib 'pg_stat_statements, pg_qualstats')" -c pg_qualstats.sample_rate=1
	fi
fi

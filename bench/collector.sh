#!/bin/bash
# collector.sh [CONFIGURATION...]
#
# What the collector costs, beside pg_stat_statements, pg_qualstats and
# pg_stat_kcache, per transaction of pgbench -S, in two ways:
#
# - User-space instructions, counted by valgrind's callgrind as the difference
#   between 4500 and 500 transactions of one backend.  That is reproducible to
#   some ten instructions on any machine and under any load, where transactions
#   per second need an idle one.  What waits for the client is left out: it
#   depends on whether the client was quick.
# - As a cross-check the processor time of one backend, kernel included: the
#   median of ROUNDS (5) starts of each server in random order, TRANSACTIONS
#   (100000) each.  On a busy machine it says little about differences of 1 %.
#
# Ends with what one execution calls in the collector, as callgrind saw it, in
# the simple protocol, where each text is looked through for tags.  What the hot
# path of a prepared statement does, t/068_hot_path.pl proves.
#
# Needs valgrind and an installed glperf (make install); the rivals are
# downloaded as Debian packages and unpacked into a private copy of PostgreSQL,
# not installed.  Debian has no pg_stat_monitor: RIVALS names a directory with
# rivals' libraries (*.so) that were built for the same server, to be measured
# in addition to the packages or instead of them.  About a minute per
# configuration.  CONFIGURATION: glperf, pss, rivals, monitor; none: all of
# them.
#
# Environment: PG_CONFIG, TMPDIR, RIVALS, ROUNDS (0: no cross-check),
# TRANSACTIONS.
set -euo pipefail
rivals=${RIVALS:+$(realpath "$RIVALS")}
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
for so in ${rivals:+"$rivals"/*.so}; do
	echo "# $(basename "$so"), $(sha256sum <"$so" | cut -c 1-12)"
	install -m 755 "$so" "$("$P" --pkglibdir)"
done

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

# Print what the collector's function calls, per transaction of the last run.
calls()
{
	local f
	f=$(grep -l 'run_statement' $(ls -t "$W"/out/callgrind.*) | head -n 1 || true)
	[ -n "$f" ] || return 0
	echo "# calls of the hook per transaction, simple protocol (callgrind, $(basename "$f")):"
	callgrind_annotate --tree=calling --auto=no --threshold=100 --inclusive=yes "$f" 2>/dev/null | awk '
		/ \* .*:run_statement( |$)/ && !/glperf_|standard_/ {on = 1; next}
		on && / > / {
			n = $0; sub(/.*\(/, "", n); sub(/x\).*/, "", n); gsub(",", "", n)
			f = $0; sub(/ \([0-9,]*x\).*/, "", f); sub(/.*:/, "", f)
			if (n > 3000) printf "#   %-28s %.2f\n", f, n / 4500
			next }
		on {on = 0}' || true
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
	if [ "$name" = glperf ]; then calls >"$W/calls"; fi
	rm -f "$W"/out/callgrind.*
}

# Processor time, in clock ticks, of backends that have ended.
ticks() { awk '{print $16 + $17}' "/proc/$(head -n 1 "$W/data/postmaster.pid")/stat"; }

# cpu NAME OPTION...: one round of one configuration, into $W/cpu
cpu()
{
	local name=$1 before after i
	shift
	"${as[@]}" "$bin/pg_ctl" -D "$W/data" -l "$W/out/log" -w \
		-o "$(printf "'%s' " "$@")" start >/dev/null
	"$bin/pgbench" -n -S -c 1 -t 5000 -M prepared bench >/dev/null 2>&1
	sleep 0.5
	before=$(ticks)
	"$bin/pgbench" -n -S -c 1 -t "$transactions" -M prepared --random-seed=1 bench >/dev/null 2>&1
	for i in $(seq 50); do
		sleep 0.1
		after=$(ticks)
		[ "$after" -le $((before + 5)) ] || break
	done
	echo "$name	$((after - before))" >>"$W/cpu"
	stop
}

# run NAME BASELINE OPTION...: count instructions now, and time it later
run()
{
	measure "$@"
	configurations+=("$(printf '%s\t' "$@")")
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
configurations=()
rounds=${ROUNDS:-5}
transactions=${TRANSACTIONS:-100000}
run none none "${id[@]}"
if want glperf; then run glperf none "${id[@]}" -c "$(lib glperf)"; fi
if want pss; then
	run pg_stat_statements none "${id[@]}" -c "$(lib pg_stat_statements)"
	echo '# on top of pg_stat_statements:'
	run 'pg_stat_statements, glperf' pg_stat_statements "${id[@]}" -c "$(lib 'pg_stat_statements, glperf')"
	run 'glperf, pg_stat_statements' pg_stat_statements "${id[@]}" -c "$(lib 'glperf, pg_stat_statements')"
fi
if want rivals; then
	[ ! -f "$("$P" --pkglibdir)/pg_stat_kcache.so" ] ||
		run 'pg_stat_statements, kcache' pg_stat_statements "${id[@]}" -c "$(lib 'pg_stat_statements, pg_stat_kcache')"
	if [ -f "$("$P" --pkglibdir)/pg_qualstats.so" ]; then
		run 'pg_stat_statements, qualstats' pg_stat_statements "${id[@]}" -c "$(lib 'pg_stat_statements, pg_qualstats')"
		run 'same, sample rate 1' pg_stat_statements "${id[@]}" \
			-c "$(lib 'pg_stat_statements, pg_qualstats')" -c pg_qualstats.sample_rate=1
	fi
fi
if want monitor && [ -f "$("$P" --pkglibdir)/pg_stat_monitor.so" ]; then
	echo '# instead of pg_stat_statements:'
	run pg_stat_monitor none "${id[@]}" -c "$(lib pg_stat_monitor)"
fi

if [ "$rounds" -gt 0 ]; then
	echo
	echo "# processor time per transaction, prepared, median of $rounds rounds of $transactions"
	for _ in $(seq "$rounds"); do
		while IFS= read -r line; do
			IFS=$'\t' read -r -a words <<<"$line"
			cpu "${words[0]}" "${words[@]:2}"
		done < <(printf '%s\n' "${configurations[@]}" | shuf)
	done
	for line in "${configurations[@]}"; do
		IFS=$'\t' read -r -a words <<<"$line"
		awk -F '\t' -v name="${words[0]}" -v baseline="${words[1]}" -v n="$transactions" \
			-v hz="$(getconf CLK_TCK)" '
			function median(a, c,   i, j, x) {
				for (i = 1; i <= c; i++)
					for (j = i + 1; j <= c; j++)
						if (a[j] < a[i]) {x = a[i]; a[i] = a[j]; a[j] = x}
				return c % 2 ? a[(c + 1) / 2] : (a[c / 2] + a[c / 2 + 1]) / 2 }
			$1 == name {mine[++m] = $2}
			$1 == baseline {base[++b] = $2}
			END {
				x = median(mine, m); y = median(base, b)
				printf "%-34s %7.2f us  %.3f (rounds %.2f to %.2f us)\n", name, x / hz / n * 1e6, x / y,
					mine[1] / hz / n * 1e6, mine[m] / hz / n * 1e6 }' "$W/cpu"
	done
fi
[ ! -f "$W/calls" ] || { echo; cat "$W/calls"; }

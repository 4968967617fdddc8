#!/bin/bash
# demo.sh			make demo
# demo.sh --clean	make demo-clean
#
# Shows the whole product on a throw-away PostgreSQL: loads a platform's tables,
# lets several applications work on them, prints what glperf finds, applies the
# advice of glperf-advisor, lets them work again, and measures the difference.
#
# The server lives in a directory of its own, whose path is in demo/.run/dir,
# with its own copy of PostgreSQL's files; nothing of the system is touched.  It
# keeps running afterwards, to be looked at, until "make demo-clean".
#
# Environment:
#	GLPERF_DEMO_ROWS	executions to load (2000000)
#	GLPERF_DEMO_SECONDS	length of each of the two periods of traffic (30)
#	GLPERF_DEMO_INSTALLED	pg_config of a server with glperf installed, to be
#						used instead of building and copying (for tests)
#	GLPERF_DEMO_PORT	first TCP port to try, on 127.0.0.1 only (54321)
#	TMPDIR				where the server's files go (/var/tmp)
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE \
	PGSERVICEFILE PGPASSWORD PGPASSFILE PGAPPNAME MAKEFLAGS MAKELEVEL MFLAGS
. .ci/common.sh

# as COMMAND...: as the ordinary user, who may not be able to enter this directory
as()
{
	if [ "$(id -u)" = 0 ]; then
		env -C / runuser -u "$PGU" -- "$@"
	else
		"$@"
	fi
}

rows=${GLPERF_DEMO_ROWS:-2000000}
seconds=${GLPERF_DEMO_SECONDS:-30}
port=${GLPERF_DEMO_PORT:-54321}
applications=(api worker dashboard report)
state=demo/.run
run_dir=
started=$SECONDS

die()
{
	echo "demo: $1" >&2
	exit 1
}

# number NAME VALUE LEAST MOST
number()
{
	[[ $2 =~ ^[0-9]{1,10}$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] ||
		die "$1 must be a whole number from $3 to $4, not \"$2\""
}

# remove DIR: stop the server in it, if it runs, and remove it
remove()
{
	local pid
	if [ -f "$1/data/postmaster.pid" ]; then
		pid=$(head -n 1 "$1/data/postmaster.pid")
		# an old file may name somebody else's process by now
		if [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$1/data" ]; then
			kill -INT "$pid" 2>/dev/null
			for _ in $(seq 50); do
				kill -0 "$pid" 2>/dev/null || break
				sleep 0.2
			done
			kill -QUIT "$pid" 2>/dev/null
			sleep 0.2
		fi
	fi
	rm -rf "$1"
}

# forget: remove the server of an earlier run
forget()
{
	local old
	[ -f "$state/dir" ] || return 0
	old=$(cat "$state/dir")
	# only what this script has made
	if [[ $old == */glperf-demo.* ]] && [ -d "$old" ]; then
		remove "$old"
	fi
	rm -f "$state/dir"
}

# --- one demo per checkout at a time
mkdir -p "$state" 2>/dev/null && exec 8>"$state/lock" ||
	die "cannot write to $PWD/$state"
flock -n 8 || die "another \"make demo\" of this checkout is running"

if [ "${1:-}" = --clean ]; then
	forget
	rm -rf "$state"
	echo "demo server and files removed"
	exit 0
fi
[ $# = 0 ] || die "unknown argument \"$1\""
number GLPERF_DEMO_ROWS "$rows" 10000 100000000
number GLPERF_DEMO_SECONDS "$seconds" 2 3600
number GLPERF_DEMO_PORT "$port" 1024 65535

# An interrupted or failed demo leaves nothing behind; a finished one its server.
finished=
at_exit()
{
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	[ -n "$finished" ] || forget
}
trap at_exit EXIT
trap 'echo; echo "demo: interrupted, removing the server" >&2; exit 130' INT
trap 'echo "demo: terminated, removing the server" >&2; exit 143' TERM HUP

section()
{
	printf '\n\033[1m== %s\033[0m\n\n' "$1" | if [ -t 1 ]; then cat
		else sed 's/\x1b\[[0-9]*m//g'; fi
}

# --- directory
bash .ci/deps.sh 8>&- || exit 1
forget
if [ "$(id -u)" = 0 ]; then
	PGU=postgres
	id "$PGU" >/dev/null 2>&1 || die "no user postgres to run the server as"
else
	PGU=$(id -un)
fi
# some 700 bytes per execution: table, indexes, WAL; and PostgreSQL itself
need=$((rows * 7 / 10000 + 300))
for base in "${TMPDIR:-/var/tmp}" /var/tmp /tmp; do
	# socket paths are short; the server's user must get there
	[ -d "$base" ] && [ ${#base} -le 60 ] && as test -x "$base" || continue
	[ "$(df -Pm "$base" | awk 'NR == 2 {print $4}')" -ge "$need" ] || continue
	run_dir=$(mktemp -d "$base/glperf-demo.XXXXXX" 2>/dev/null) && break
done
[ -n "$run_dir" ] || die "no directory with $need MB to spare: set TMPDIR to one"
run_dir=$(cd "$run_dir" && pwd -P)
echo "$run_dir" >"$state/dir"

# --- 1. build and install into a private copy of PostgreSQL
section "1. PostgreSQL and glperf, in $run_dir"
pc=${PG_CONFIG:-}
[ -n "$pc" ] || for pc in /usr/lib/postgresql/15/bin/pg_config pg_config; do
	[ ! -x "$pc" ] || break
done
build()
{
	make -s -C "$run_dir/src" PG_CONFIG="$P" with_llvm=no all install
}
P=${GLPERF_DEMO_INSTALLED:-}
if [ -z "$P" ]; then
	P=$(bash .ci/private-pg.sh "$run_dir/pg" "$pc") || exit 1
	copy_tree "$run_dir/src"
	run build >"$run_dir/build.log" 2>&1 ||
		{ cat "$run_dir/build.log"; die "build failed"; }
fi
bin=$("$P" --bindir)
mkdir -p "$run_dir/log"
cp -r demo "$run_dir/"
[ "$(id -u)" != 0 ] || chown -R "$PGU" "$run_dir"
echo "installed: $("$bin/glperf-advisor" --version), $("$bin/postgres" -V)"

# --- server: unix socket in a directory that only its user may enter, and a
# TCP port of the loopback interface, with a password that nobody else knows
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$run_dir/password"
[ "$(id -u)" != 0 ] || chown "$PGU" "$run_dir/password"
chmod 600 "$run_dir/password"
as "$bin/initdb" -D "$run_dir/data" -U postgres --auth-local=trust \
	--auth-host=scram-sha-256 --pwfile="$run_dir/password" -E UTF8 \
	--locale=C.UTF-8 --no-sync >"$run_dir/log/initdb.log" 2>&1 ||
	{ cat "$run_dir/log/initdb.log"; die "initdb failed"; }
as tee "$run_dir/data/postgresql.auto.conf" >/dev/null <<X
listen_addresses = '127.0.0.1'
unix_socket_directories = '$run_dir'
cluster_name = 'glperf demo'
shared_preload_libraries = '$(preload)'
pg_stat_statements.max = 5000
track_io_timing = on
shared_buffers = 256MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
log_line_prefix = '%m [%p] %q%a '
X

# A port that somebody else holds, or takes meanwhile, sends us to the next.
server_up=
for ((i = 0; i < 50; i++)); do
	as "$bin/pg_ctl" -D "$run_dir/data" -l "$run_dir/log/server.log" -w \
		-o "-p $port" start >"$run_dir/log/pg_ctl.log" 2>&1 8>&- &&
		{ server_up=yes; break; }
	grep -q 'Address already in use' "$run_dir/log/server.log" || break
	echo "port $port is taken"
	as truncate -s 0 "$run_dir/log/server.log"
	port=$((port % 65535 + 1))
	[ "$port" -ge 1024 ] || port=1024
done
[ -n "$server_up" ] || {
	cat "$run_dir/log/pg_ctl.log" "$run_dir/log/server.log" >&2
	die "the server did not start"
}
echo "server on port $port of 127.0.0.1, and on a socket in $run_dir"

export PGHOST=$run_dir PGPORT=$port PGUSER=postgres PGDATABASE=platform
# Loading and measuring shall not show among the statements; what a user would
# type may.
untracked() { as env PGOPTIONS='-c pg_stat_statements.track=none' "$@"; }
sql() { untracked "$bin/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
value() { untracked "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }
show()
{
	as "$bin/psql" -X -q -P pager=off -v ON_ERROR_STOP=1 "$@"
}

PGDATABASE=postgres sql -c "CREATE ROLE platform LOGIN" \
	-c "CREATE DATABASE platform OWNER platform" || exit 1
sql -c "CREATE EXTENSION pg_stat_statements" -c "CREATE EXTENSION glperf" || exit 1

# --- 2. tables
section "2. The platform's tables: $rows executions"
load()
{
	# made by the platform's role, measured by nobody
	sql -c "SET SESSION AUTHORIZATION platform" -v rows="$rows" \
		-f "$run_dir/demo/schema.sql" -f "$run_dir/demo/load.sql"
}
run load || die "loading failed"
untracked "$bin/psql" -X -q -P pager=off -c '\dt+' -c '\di' || exit 1

# --- traffic
# traffic NAME: every application for the set time, with a progress display;
# leaves the differences of pg_stat_statements in table demo.NAME
traffic()
{
	local name=$1 app i t0 done0 pids=() rc=0
	value "SELECT demo.take('$name before')" >/dev/null || return 1
	done0=$(statements)
	for app in "${applications[@]}"; do
		# requests arrive at a steady rate, whether or not the server keeps up
		case $app in
		api) set -- -c 2 -R 12 --random-seed=1 ;;
		worker) set -- -c 1 -R 4 --random-seed=2 -M prepared ;;
		dashboard) set -- -c 1 -R 2 --random-seed=3 ;;
		report) set -- -c 1 -R 1 --random-seed=4 ;;
		esac
		as env PGAPPNAME="$app" PGUSER=platform "$bin/pgbench" -n \
			-T "$seconds" -D rows="$rows" -f "$run_dir/demo/traffic/$app.sql" \
			"$@" >"$run_dir/log/$name-$app.log" 2>&1 &
		pids+=($!)
	done
	t0=$SECONDS
	while [ $((SECONDS - t0)) -lt "$seconds" ]; do
		progress "$((SECONDS - t0))" "$done0"
		sleep 1
	done
	progress "$seconds" "$done0"
	[ ! -t 1 ] || echo
	for i in "${!pids[@]}"; do
		wait "${pids[$i]}" || {
			rc=1
			tail -n 5 "$run_dir/log/$name-${applications[$i]}.log"
		}
	done
	value "SELECT demo.take('$name after')" >/dev/null || return 1
	return $rc
}

# statements: how many the applications have had answered so far
statements()
{
	value "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
		WHERE userid = 'platform'::regrole"
}

# progress SECONDS STATEMENTS-AT-START
progress()
{
	local n=$(($1 * 30 / seconds)) bar
	[ -t 1 ] || [ $(($1 % 10)) = 0 ] || [ "$1" = "$seconds" ] || return 0
	bar=$(printf '%*s' "$n" '' | tr ' ' '#')
	bar=$(printf '  [%-30s] %3d/%d s  %d statements answered' "$bar" "$1" \
		"$seconds" $(($(statements) - $2)))
	if [ -t 1 ]; then printf '\r%s' "$bar"; else echo "$bar"; fi
}

sql -f "$run_dir/demo/measure.sql" || exit 1
names=$(printf '%s, ' "${applications[@]}")
section "3. Traffic of ${names%, }: $seconds s"
# rates take two readings: this is the first
value 'SELECT count(*) FROM glperf.health' >/dev/null || exit 1
run traffic before || die "traffic failed"

# felt PERIOD APPLICATION LABEL: one figure of a pgbench report
felt()
{
	sed -nE "s|.*$3 ([0-9]+).*|\\1|p" "$run_dir/log/$1-$2.log" | head -n 1
}

# --- what glperf says
section "4. The health page (glperf.health)"
show -f "$run_dir/demo/health.sql" || exit 1
# for docs/make-picture.sh
[ -z "${GLPERF_DEMO_PAGE:-}" ] ||
	show -f - <docs/health-page.sql >"$GLPERF_DEMO_PAGE" || exit 1
section "5. The slow statements (glperf.slow_queries)"
show -f "$run_dir/demo/slow.sql" || exit 1

# --- the advisor, as cron would run it, then with --apply
advisor=$bin/glperf-advisor
advise()
{
	local rc=0
	echo "\$ glperf-advisor $*"
	echo
	run as "$advisor" "$@" || rc=$?
	case $rc in
	0 | 2 | 3) return 0 ;;
	*) die "glperf-advisor failed with status $rc" ;;
	esac
}
section "6. Advice (glperf-advisor)"
advise
section "7. Applying it"
# the report is that of above; of it, only what was done
advise --apply --output="$run_dir/log/applied.txt"
echo
as awk '/^     CREATE .*INDEX/ {name = $4}
	/^     applied/ {sub(/^ +applied +/, ""); printf "  %-63s %s\n", name, $0}' \
	"$run_dir/log/applied.txt"

section "8. The same traffic again, $seconds s"
sql -c 'VACUUM (ANALYZE) executions, steps' || exit 1
run traffic again || die "traffic failed"

section "9. What it brought, measured"
show -f "$run_dir/demo/compare.sql" || exit 1
echo "What the applications felt (their requests arrive at a steady rate):"
echo
printf '  %-10s  %21s  %27s\n' '' 'requests answered' 'mean time to answer, ms'
printf '  %-10s  %10s %10s  %13s %13s\n' application before after before after
for app in "${applications[@]}"; do
	printf '  %-10s  %10s %10s  %13s %13s\n' "$app" \
		"$(felt before "$app" 'actually processed:')" \
		"$(felt again "$app" 'actually processed:')" \
		"$(felt before "$app" 'latency average =')" \
		"$(felt again "$app" 'latency average =')"
done

finished=yes
cat <<X

The demo took $((SECONDS - started)) seconds.  Its server keeps running:

  $([ "$(id -u)" != 0 ] || echo "runuser -u $PGU -- ")$bin/psql -h $run_dir -p $port -U postgres platform

  (for programs: 127.0.0.1 port $port, password in $run_dir/password)
  SELECT * FROM glperf.health;   SELECT * FROM glperf.advise_indexes();

Remove it with: make demo-clean
X

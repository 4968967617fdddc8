#!/bin/bash
# check.sh [TEST...]			(make check TESTS='...')
#
# Installs what is missing, builds, and runs every test of this checkout
# against a throw-away server, touching neither the checkout nor the system's
# PostgreSQL.  With names it runs those tests only:
#
#	10_thresholds		sql/10_thresholds.sql (after 00_install)
#	t/030_lag.pl		one TAP file
#	specs/prune			one isolation test
#	unit/select			one C unit test
#	build indent lint	one gate
#
# Environment: PG_CONFIG, TMPDIR, KEEP=1 (keep the scratch directory),
# GLPERF_COPT (more compiler flags).
# Ends with "N passed, N failed"; exit status 1 on any failure.
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGPASSWORD MAKEFLAGS \
	MAKELEVEL MFLAGS

passed=0 failed=0 skipped=0 second= started=$SECONDS
summary=() broken=()

# tally GROUP PASSED FAILED [SKIPPED]
tally()
{
	passed=$((passed + $2))
	failed=$((failed + $3))
	skipped=$((skipped + ${4:-0}))
	summary+=("$(printf '%-10s %4d passed %4d failed' "$1" "$2" "$3")$(
		[ "${4:-0}" = 0 ] || printf ' %4d skipped' "$4")")
}

finish()
{
	echo
	printf '%s\n' "${summary[@]}"
	if [ ${#broken[@]} -gt 0 ]; then
		echo "failed: ${broken[*]}"
		echo "run one again with: make check TESTS=${broken[0]}"
	fi
	[ -z "$second" ] || echo "PASSED ONLY THE SECOND TIME: $second"
	echo "$((SECONDS - started)) seconds"
	[ "$skipped" = 0 ] || echo "$skipped skipped (not counted)"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}

say() { printf '== %s\n' "$*"; }

# --- which tests
all=yes sql=() iso=() tap=() unit=() gates=()
[ $# = 0 ] || all=no
for t in "$@"; do
	b=$(basename "$t")
	case $t in
	build | indent | lint) gates+=("$t") ;;
	unit/* | t/unit/*) unit+=("${b%.c}") ;;
	t/* | *.pl) tap+=("t/${b%.pl}.pl") ;;
	specs/* | *.spec) iso+=("${b%.spec}") ;;
	*)	if [ -f "sql/${b%.sql}.sql" ]; then sql+=("${b%.sql}")
		elif [ -f "specs/$b.spec" ]; then iso+=("$b")
		elif [ -f "t/$b.pl" ]; then tap+=("t/$b.pl")
		elif [ -f "t/unit/$b.c" ]; then unit+=("$b")
		else echo "check.sh: no test named $t" >&2; exit 2
		fi ;;
	esac
done
shopt -s nullglob
if [ $all = yes ]; then
	gates=(build indent lint)
	for f in sql/*.sql; do sql+=("$(basename "$f" .sql)"); done
	for f in specs/*.spec; do iso+=("$(basename "$f" .spec)"); done
	tap=(t/*.pl)
	for f in t/unit/*.c; do unit+=("$(basename "$f" .c)"); done
fi
for f in "${tap[@]}"; do
	[ -f "$f" ] || { echo "check.sh: no test named $f" >&2; exit 2; }
done

# --- packages, scratch directory, private server
bash .ci/deps.sh || { tally packages 0 1; finish; }
. .ci/common.sh
scratch_make check
copy_tree "$W/src"
orig=$PWD
cd "$W/src" || exit 1
pc=${PG_CONFIG:-}
[ -n "$pc" ] || for pc in /usr/lib/postgresql/15/bin/pg_config pg_config; do
	[ ! -x "$pc" ] || break
done
P=$(bash .ci/private-pg.sh "$W/pg" "$pc") || { tally server 0 1; finish; }
bin=$("$P" --bindir)
echo "$("$P" --version), $(gcc -dumpfullversion | sed 's/^/gcc /'), as user $PGU"

# --- build: as shipped, then with assertions, which the tests run on
gate()
{
	local name=$1
	shift
	say "$name"
	if run "$@" >"$W/$name.log" 2>&1; then
		tally "$name" 1 0
	else
		cat "$W/$name.log"
		tally "$name" 0 1
		broken+=("$name")
		return 1
	fi
}
MK=(make -s PG_CONFIG="$P" with_llvm=no)
copt=$(echo $CHECK_COPT ${GLPERF_COPT:-})
build()
{
	"${MK[@]}" COPT="$copt" all && "${MK[@]}" clean &&
		"${MK[@]}" COPT="$copt -DUSE_ASSERT_CHECKING" all install
}
if [[ " ${gates[*]} " == *" build "* ]]; then
	gate build build || finish
else
	run "${MK[@]}" COPT="${GLPERF_COPT:-}" all install || { tally build 0 1; finish; }
fi
export GLPERF_OBJDIR=$W/src
[[ " ${gates[*]} " != *" indent "* ]] || gate indent bash .ci/indent.sh --check || true
if [[ " ${gates[*]} " == *" lint "* ]]; then
	# in the checkout, for git's list of files
	gate lint env -C "$orig" bash .ci/lint.sh || true
fi
unset GLPERF_OBJDIR

# --- C unit tests
if [ ${#unit[@]} -gt 0 ]; then
	say "unit: ${#unit[@]} programs"
	run env PG_CONFIG="$P" bash .ci/unit.sh "${unit[@]}" >"$W/unit.log" 2>&1
	rc=$?
	read -r p f s < <(count_tap "$W/unit.log")
	[ $rc = 0 ] || [ "$f" != 0 ] || f=1
	if [ "$f" != 0 ]; then
		grep -v '^ok' "$W/unit.log"
		broken+=($(awk '/^# unit test / {n = $4} /^not ok/ {print "unit/" n}' \
			"$W/unit.log" | uniq))
	fi
	tally unit "$p" "$f" "$s"
fi

[ "$(id -u)" != 0 ] || chown -R "$PGU" "$W/src"
regress_env=(env PGHOST="$W/s" PGPORT=5432 PGUSER=postgres)

# pg_regress_group GROUP MAKE-ARGUMENT...: one run of pg_regress
pg_regress_group()
{
	local group=$1 n=$2 p f rc
	shift 2
	say "$group: $n tests"
	run as "${regress_env[@]}" "${MK[@]}" TAP_TESTS= "$@" installcheck \
		>"$W/$group.log" 2>&1
	rc=$?
	grep -E '^(test |ok |not ok )' "$W/$group.log"
	read -r p f < <(count_regress "$W/$group.log")
	# a run that ended early has tests that never ran
	[ $((p + f)) -ge "$n" ] || f=$((n - p))
	[ $rc = 0 ] || [ "$f" != 0 ] || f=1
	tally "$group" "$p" "$f"
	if [ "$f" != 0 ]; then
		show_regress "$W/$group.log"
		broken+=($(sed -nE -e 's/^test ([^ ]+) .*FAILED.*/\1/p' \
			-e 's/^not ok [0-9]+ +[-+] ([^ ]+).*/\1/p' "$W/$group.log"))
		grep -E 'PANIC|FATAL|terminated by signal|TRAP:' "$W/s/server.log" | tail -n 20
	fi
}

if [ ${#sql[@]} -gt 0 ] || [ ${#iso[@]} -gt 0 ]; then
	server_start "$P" "$W/s" || { tally server 0 1; finish; }
	if [ ${#sql[@]} -gt 0 ]; then
		[ "${sql[0]}" = 00_install ] || sql=(00_install "${sql[@]}")
		pg_regress_group regress ${#sql[@]} REGRESS="${sql[*]}" ISOLATION=
	fi
	if [ ${#iso[@]} -gt 0 ]; then
		pg_regress_group isolation ${#iso[@]} REGRESS= ISOLATION="${iso[*]}"
	fi
	server_stop "$P" "$W/s"
	if grep -qE 'terminated by signal|TRAP:' "$W/s/server.log"; then
		grep -E -B2 -A2 'terminated by signal|TRAP:' "$W/s/server.log" | head -n 40
		tally crashes 0 1
	fi
fi

# --- TAP
if [ ${#tap[@]} -gt 0 ]; then
	say "tap: ${#tap[@]} files"
	run tap_run "$W/src" "${tap[@]}" -- "${MK[@]}"
	read -r p f s bad < <(tap_total)
	tally tap "$p" "$f" "$s"
	broken+=($bad)
	second=$(xargs <"$W/tap.second")
	n=$(wc -l <"$W/tap.results")
	[ "$n" = ${#tap[@]} ] || tally unrun 0 $((${#tap[@]} - n))
fi
finish

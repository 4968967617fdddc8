#!/bin/bash
# matrix.sh [MAJOR...]
#
# Builds and tests this checkout on PostgreSQL 15, 17, 18 and 19 (or the majors
# named), servers unpacked from Debian's suites by matrix-server.sh into
# $GLPERF_MATRIX_DIR (~/.cache/glperf-matrix; for root, whose home the servers'
# user cannot read, /var/cache/glperf-matrix).  The first run fetches them, in
# seconds each.  Runs pg_regress and isolation tests everywhere, and the TAP
# files named by GLPERF_MATRIX_TAP (default: the quick ones; "all" for all).
#
# A suite that cannot be reached makes the run fail, unless
# GLPERF_MATRIX_ALLOW_MISSING=1 is set.  Ends with "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGPASSWORD MAKEFLAGS \
	MAKELEVEL MFLAGS

majors=(15 17 18 19)
[ $# = 0 ] || majors=("$@")
if [ "$(id -u)" = 0 ]; then
	export GLPERF_MATRIX_DIR=${GLPERF_MATRIX_DIR:-/var/cache/glperf-matrix}
else
	export GLPERF_MATRIX_DIR=${GLPERF_MATRIX_DIR:-${HOME:?}/.cache/glperf-matrix}
fi
# files that finish within seconds and touch what differs between majors
quick='t/0{01,10,11,12,14,15,16,17_w,18,22,83,89}*.pl'

bash .ci/deps.sh || { echo "0 passed, 1 failed"; exit 1; }
. .ci/common.sh
scratch_make matrix
mkdir -p "$GLPERF_MATRIX_DIR" && as test -x "$GLPERF_MATRIX_DIR" || {
	echo "matrix.sh: user $PGU cannot read $GLPERF_MATRIX_DIR" >&2
	echo "  set GLPERF_MATRIX_DIR to a directory below ones that all may enter" >&2
	exit 1
}
copy_tree "$W/src"

passed=0 failed=0 summary=() missing=()

# one MAJOR: everything on one server; adds to passed and failed
one()
{
	local v=$1 from P d=$W/$v p f s rc ok=0 bad=0 t0=$SECONDS note= n
	if [ "$v" = 15 ] && [ -x /usr/lib/postgresql/15/bin/pg_config ]; then
		from=/usr/lib/postgresql/15/bin/pg_config
	else
		from=$(bash .ci/matrix-server.sh "$v" 2>"$W/fetch.log") || {
			cat "$W/fetch.log" >&2
			missing+=("$v")
			summary+=("PostgreSQL $v: MISSING, not tested")
			return
		}
	fi
	mkdir -p "$d"
	P=$(bash .ci/private-pg.sh "$d/pg" "$from") || { failed=$((failed + 1)); return; }
	echo "== $("$P" --version)"
	cp -r "$W/src" "$d/src"
	cd "$d/src" || exit 1
	local mk=(make -s PG_CONFIG="$P" with_llvm=no)

	if ! run "${mk[@]}" -k COPT="$(echo $CHECK_COPT)" all install >"$d/build.log" 2>&1; then
		cat "$d/build.log"
		failed=$((failed + 1))
		summary+=("PostgreSQL $v: does not build")
		return
	fi
	ok=1
	if [ -n "${GLPERF_MATRIX_BUILD_ONLY:-}" ]; then
		passed=$((passed + ok))
		summary+=("PostgreSQL $v: builds")
		return
	fi
	[ "$(id -u)" != 0 ] || chown -R "$PGU" "$d/src"

	# one run of pg_regress each for sql/ and specs/
	server_start "$P" "$d/s" || bad=$((bad + 1))
	local regress_env=(env PGHOST="$d/s" PGPORT=5432 PGUSER=postgres)
	for n in "ISOLATION=" "REGRESS="; do
		run as "${regress_env[@]}" "${mk[@]}" TAP_TESTS= "$n" installcheck \
			>"$d/regress.log" 2>&1
		rc=$?
		read -r p f < <(count_regress "$d/regress.log")
		[ $rc = 0 ] || [ "$f" != 0 ] || f=1
		ok=$((ok + p)) bad=$((bad + f))
		if [ "$f" != 0 ]; then
			show_regress "$d/regress.log"
			note="$note $(sed -nE -e 's/^test ([^ ]+) .*FAILED.*/\1/p' \
				-e 's/^not ok [0-9]+ +[-+] ([^ ]+).*/\1/p' "$d/regress.log" | xargs)"
		fi
	done
	server_stop "$P" "$d/s"
	if grep -qE 'terminated by signal|TRAP:' "$d/s/server.log"; then
		grep -E -B2 -A2 'terminated by signal|TRAP:' "$d/s/server.log" | head -n 40
		bad=$((bad + 1)) note="$note crash"
	fi

	local files
	case ${GLPERF_MATRIX_TAP-quick} in
	quick) files=$(eval "ls $quick") ;;
	all) files=$(compgen -G 't/*.pl' || true) ;;
	*) files=$GLPERF_MATRIX_TAP ;;
	esac
	if [ -n "$files" ]; then
		run tap_run "$d/src" $files -- "${mk[@]}"
		read -r p f s n < <(tap_total)
		ok=$((ok + p)) bad=$((bad + f)) note="$note $n"
		[ ! -s "$W/tap.second" ] ||
			note="$note PASSED ONLY THE SECOND TIME: $(xargs <"$W/tap.second")"
		for n in $files; do
			grep -q "^$n " "$W/tap.results" || bad=$((bad + 1)) note="$note $n"
		done
	fi

	note=$(echo $note)
	passed=$((passed + ok)) failed=$((failed + bad))
	summary+=("PostgreSQL $v: $ok passed, $bad failed${note:+ ($note)}, $((SECONDS - t0)) s")
	[ -n "${KEEP:-}" ] || rm -rf "$d/pg"
}

here=$PWD
for v in "${majors[@]}"; do
	one "$v"
	cd "$here" || exit 1
done

echo
printf '%s\n' "${summary[@]}"
if [ ${#missing[@]} -gt 0 ]; then
	echo "no server for PostgreSQL ${missing[*]}: the matrix is incomplete"
	if [ "${GLPERF_MATRIX_ALLOW_MISSING:-}" != 1 ]; then
		echo "(GLPERF_MATRIX_ALLOW_MISSING=1 accepts that)"
		failed=$((failed + ${#missing[@]}))
	fi
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

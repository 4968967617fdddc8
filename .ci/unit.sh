#!/bin/bash
# unit.sh [NAME...]
#
# Compiles and runs the C unit tests, t/unit/NAME.c, which need no server.  Each
# prints TAP.  They are frontend programs (-DFRONTEND), so palloc and StringInfo
# come from libpgcommon.  The files under test are named in the test's first
# lines, one comment each:
#
#	/* unit: extension/select.c */
set -uo pipefail
cd "$(dirname "$0")/.."

pc=${PG_CONFIG:-pg_config}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/glperf-unit.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
inc=$("$pc" --includedir)
cppflags="-DFRONTEND -Iinclude -Iextension -Iadvisor -It/unit
	-I$("$pc" --includedir-server) -I$inc -I$inc/internal
	-DGLPERF_VERSION=\"$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" glperf.control)\""
cflags="-O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare
	-Wno-unused-function -fno-strict-aliasing -fwrapv
	-fsanitize=address,undefined -fno-sanitize-recover=undefined"
export ASAN_OPTIONS=detect_leaks=0

shopt -s nullglob
names=("$@")
[ $# -gt 0 ] || for f in t/unit/*.c; do names+=("$(basename "$f" .c)"); done
rc=0
for n in "${names[@]}"; do
	f=t/unit/$n.c
	echo "# unit test $n"
	srcs=$(sed -n '1,40s|^.*unit: *\([a-z_0-9/]*\.c\).*|\1|p' "$f")
	if ! gcc $cppflags $cflags "$f" $srcs -L"$("$pc" --pkglibdir)" \
		-lpgcommon -lpgport -lm -o "$tmp/$n" 2>"$tmp/err"; then
		sed 's/^/# /' "$tmp/err"
		echo "not ok - $n compiles"
		rc=1
		continue
	fi
	"$tmp/$n" >"$tmp/out" 2>&1
	status=$?
	cat "$tmp/out"
	grep -q '^not ok' "$tmp/out" && rc=1
	# a program that crashed, or tested nothing, has failed too
	if ! grep -q '^\(not \)\?ok' "$tmp/out" ||
		{ [ $status != 0 ] && ! grep -q '^not ok' "$tmp/out"; }; then
		echo "not ok - $n ended with status $status"
		rc=1
	fi
done
exit $rc

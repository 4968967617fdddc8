#!/bin/bash
# indent.sh [--check]
#
# Formats the C code as PostgreSQL's pgindent does, or with --check only shows
# the differences.  pg_bsd_indent has to be told the names of all types; they
# are read from the debug information of our own objects, so nothing needs to
# be kept up to date.  Objects come from GLPERF_OBJDIR (a built tree), or are
# built in a scratch directory.
set -euo pipefail
cd "$(dirname "$0")/.."

opts="-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79
-lp -lpl -nip -npro -sac -tpg -ts4"
command -v pg_bsd_indent >/dev/null || {
	echo "indent.sh: pg_bsd_indent is missing: run .ci/deps.sh" >&2; exit 1; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/glperf-indent.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
objs=${GLPERF_OBJDIR:-}
if [ -z "$objs" ]; then
	objs=$tmp/build
	mkdir "$objs"
	cp -r Makefile glperf.control include extension advisor "$objs"
	find "$objs" -name '*.o' -delete
	rm -f "$objs"/advisor/glperf-advisor "$objs"/glperf.so
	make -s -k -C "$objs" PG_CONFIG="${PG_CONFIG:-pg_config}" with_llvm=no \
		COPT=-w all >"$tmp/make.log" 2>&1 || {
		tail -n 20 "$tmp/make.log"
		echo "indent.sh: the code must compile before it can be formatted" >&2
		exit 1
	}
fi

# Words that are types somewhere but variables in our code stay out.
objdump -W "$objs"/extension/*.o "$objs"/advisor/*.o 2>/dev/null |
	awk '/DW_TAG_typedef/ {n = 3}
		n > 0 {n--; if (/DW_AT_name/) print $NF}' | sort -u |
	grep -vxE 'abs|date|interval|iterator|other|pointer|reference|string|timestamp|type|wrap' \
	>"$tmp/types" || true
shopt -s nullglob
files=(include/*.h extension/*.[ch] extension/import/*.[ch] advisor/*.[ch]
	t/unit/*.[ch])
# types that are never instantiated have no debug information
sed -n 's/^}[[:space:]]*\([A-Za-z_][A-Za-z0-9_]*\);.*/\1/p' "${files[@]}" \
	>>"$tmp/types"
echo bool >>"$tmp/types"

rc=0
for f in "${files[@]}"; do
	# a variable of the name makes "text + 1" look like a declaration
	types=$tmp/types
	if grep -qE '\<char[[:space:]]+\*+text\>' "$f"; then
		types=$tmp/types.no_text
		grep -vx text "$tmp/types" >"$types"
	fi
	pg_bsd_indent $opts -U"$types" <"$f" >"$tmp/new" 2>"$tmp/err" || {
		sed "s|^|$f: |" "$tmp/err"; rc=1; continue; }
	# pg_bsd_indent widens "List *" as a function's result; pgindent undoes it
	sed -i -E 's/^([A-Za-z][A-Za-z0-9_ ]*[A-Za-z0-9_])[ \t]+\*$/\1 */' "$tmp/new"
	cmp -s "$f" "$tmp/new" && continue
	if [ "${1:-}" = --check ]; then
		diff -u --label "$f" --label "$f (formatted)" "$f" "$tmp/new" || rc=1
	else
		cat "$tmp/new" >"$f"
		echo "formatted $f"
	fi
done
if [ $rc != 0 ]; then
	echo "indent.sh: fix with: make indent" >&2
fi
exit $rc

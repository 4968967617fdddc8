#!/bin/bash
# lint.sh
#
# Rules that the compiler does not check.  Every complaint names the file, the
# rule and the remedy.  GLPERF_OBJDIR names a built tree for the symbol check,
# which is left out when there is none.
set -uo pipefail
cd "$(dirname "$0")/.."
rc=0

perl .ci/lint.pl || rc=1

# Exported C symbols live in one process with those of every other extension.
so=${GLPERF_OBJDIR:-.}/glperf.so
if [ -f "$so" ]; then
	bad=$(nm -D --defined-only "$so" | awk '{print $NF}' |
		grep -vE '^(glperf_|pg_finfo_glperf_|Pg_magic_func$|_PG_init$|_init$|_fini$)')
	if [ -n "$bad" ]; then
		echo "glperf.so exports: $(echo $bad)"
		echo "    fix: make them static, or prefix them with glperf_"
		rc=1
	fi
fi

for s in .ci/*.sh .ci/run demo/*.sh docs/*.sh; do
	[ -f "$s" ] || continue
	bash -n "$s" || { echo "$s: not valid bash"; rc=1; }
done
exit $rc

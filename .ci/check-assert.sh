#!/bin/bash
# check-assert.sh [TEST...]		(make check-assert TESTS='...')
#
# check.sh on the server of assert-server.sh, kept in $GLPERF_ASSERT_DIR
# (~/.cache/glperf-assert; for root, whose home the servers' user cannot read,
# /var/cache/glperf-assert).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" = 0 ]; then
	dir=${GLPERF_ASSERT_DIR:-/var/cache/glperf-assert}
else
	dir=${GLPERF_ASSERT_DIR:-${HOME:?}/.cache/glperf-assert}
fi
bash .ci/deps.sh
PG_CONFIG=$(bash .ci/assert-server.sh "$dir")
export PG_CONFIG
exec bash .ci/check.sh "$@"

#!/bin/bash
# assert-server.sh DIR
#
# Builds PostgreSQL 15 from Debian's source package with assertions, which also
# overwrite memory when it is freed and check every memory context, into DIR,
# and prints the path of its pg_config.  Takes some ten minutes of processor
# time once; a finished build of the same version is reused.
#
# Exit status: 0 ready, 3 the source cannot be fetched.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: assert-server.sh DIR}"
D=$(cd "$1" && pwd)
R=$D/root
pg_config=$R/usr/lib/postgresql/15/bin/pg_config
stamp="$D $(cksum <"$0")"

exec 9>"$D.lock"
flock 9
if [ "$(cat "$D/complete" 2>/dev/null)" = "$stamp" ]; then
	echo "$pg_config"
	exit 0
fi

. "$here/apt-private.sh"
find "$D" -mindepth 1 -delete
apt_private "$D" "deb-src $URI bookworm main"
apt-get -qq update >"$D/apt.log" 2>&1 &&
	(cd "$D" && apt-get -qq --download-only source postgresql-15 >>"$D/apt.log" 2>&1) || {
	echo "assert-server.sh: no source of PostgreSQL 15 (see $D/apt.log)" >&2
	exit 3
}
mkdir "$D/src"
tar -xf "$D"/postgresql-15_*.orig.tar.* -C "$D/src" --strip-components=1
cd "$D/src"
{
	./configure --quiet --enable-cassert --enable-debug --enable-tap-tests \
		--without-readline --without-zlib CFLAGS='-O1 -g' \
		--prefix="$R/usr/lib/postgresql/15" \
		--datadir="$R/usr/share/postgresql/15" \
		--includedir="$R/usr/include/postgresql"
	make -s -j"$(nproc)"
	make -s install
	# the extensions that the tests want, and what isolation tests run on
	for c in pg_stat_statements pg_trgm btree_gin btree_gist hstore citext \
		pgstattuple file_fdw postgres_fdw pageinspect tablefunc; do
		make -s -C "contrib/$c" install
	done
	make -s -C src/test/isolation install
	make -s -C src/test/regress install
} >"$D/build.log" 2>&1 </dev/null || {
	tail -n 20 "$D/build.log" >&2
	exit 1
}
rm -rf "$D/src" "$D/apt" "$D"/postgresql-15_*
chmod -R a+rX "$D"
echo "$stamp" >"$D/complete"
echo "$pg_config"

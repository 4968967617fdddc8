#!/bin/bash
# matrix-server.sh MAJOR
#
# Unpacks the PostgreSQL server of another Debian suite, without installing
# anything, into $GLPERF_MATRIX_DIR/MAJOR and prints the path of its pg_config.  A private apt configuration with an empty list of
# installed packages makes apt resolve the whole closure of libraries of that
# suite, its libc included; each binary then gets its own loader and library
# path.  A finished tree is reused; remove the directory to fetch it anew.
#
# Exit status: 0 ready, 3 the suite cannot be reached or lacks the packages.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
V=${1:?usage: matrix-server.sh MAJOR}
D=${GLPERF_MATRIX_DIR:?}/$V
R=$D/root
pg_config=$R/usr/lib/postgresql/$V/bin/pg_config

# where it is, since paths are patched in, and by which version of this script
stamp="$D $(cat "$here/apt-private.sh" "$0" | cksum)"

ready()
{
	[ "$(cat "$D/complete" 2>/dev/null)" = "$stamp" ] || return 1
	echo "$pg_config"
}

ready && exit 0

mkdir -p "$D"
exec 9>"$D.lock"
flock 9
ready && exit 0		# somebody else has just made it

missing()
{
	echo "matrix-server.sh: PostgreSQL $V is not to be had: $1" >&2
	echo "  (apt's messages: $D/apt.log)" >&2
	exit 3
}

. "$here/apt-private.sh"

# A suite under development may stand still for longer than its Release file
# is valid; signatures are checked all the same.
O='[check-valid-until=no]' T=''
case $V in
15) L="deb $URI bookworm main" ;;
17) L="deb $URI trixie main"$'\n'"deb $SEC trixie-security main" ;;
18) L="deb $O $URI forky main" ;;
19) L="deb $O $URI experimental main"$'\n'"deb $O $URI sid main"
	T='-t experimental' ;;
*) echo "matrix-server.sh: no Debian suite known for PostgreSQL $V" >&2
	exit 2 ;;
esac

rm -rf "$D"
mkdir -p "$D/debs" "$R"
apt_private "$D" "$L"
apt-get -qq update >"$D/apt.log" 2>&1 || missing "apt-get update failed"
cd "$D/debs"
P="postgresql-$V postgresql-client-$V"
apt-cache show $P >/dev/null 2>&1 || missing "the suite has no postgresql-$V"
LIBS=$(apt-cache depends --no-recommends --no-suggests --no-conflicts \
	--no-breaks --no-replaces --no-enhances $P |
	sed -n 's/^ *|\?Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | sort -u)
# a simulated installation gives the closure; libraries only
apt-get -qq -y -s $T install $LIBS 2>>"$D/apt.log" |
	awk '/^Inst (lib|gcc-[0-9]+-base)/ {print $2}' | sort -u >libs.txt ||
	missing "its libraries do not resolve"
apt-get -qq download $(cat libs.txt) $P "postgresql-server-dev-$V" libpq-dev \
	>>"$D/apt.log" 2>&1 || missing "download failed"
for f in *.deb; do dpkg-deb -x "$f" "$R"; done
cd /
rm -rf "$D/apt" "$D/debs"

A=$(gcc -print-multiarch)
LD=$(find "$R" -type f -name 'ld-linux*.so.*' | sed -n 1p)
[ -n "$LD" ] || missing "no loader among its libraries"
for b in "$R/usr/lib/postgresql/$V"/bin/* \
	"$R/usr/lib/postgresql/$V"/lib/pgxs/src/test/regress/pg_regress \
	"$R/usr/lib/postgresql/$V"/lib/pgxs/src/test/isolation/*; do
	[ -f "$b" ] && [ "$(head -c4 "$b" | tail -c3)" = ELF ] || continue
	patchelf --set-interpreter "$LD" --force-rpath \
		--set-rpath "$R/usr/lib/$A:$R/lib/$A" "$b"
done

# The suite's compiler is newer than this machine's, and its clang is absent.
# A client program links against the suite's libc and runs by its loader.
G=$R/usr/lib/postgresql/$V/lib/pgxs/src/Makefile.global
for flag in $(sed -n 's/^CFLAGS = //p' "$G" | tr ' ' '\n' | grep '^-' | sort -u); do
	gcc -Werror "$flag" -fsyntax-only -x c /dev/null >/dev/null 2>&1 ||
		sed -i -E "/^CFLAGS = /s/ $flag( |\$)/ /" "$G"
done
H=$R/usr/include/postgresql/$V/server/pg_config.h
compiles() { printf '%s\n' "$1" | gcc -Werror -x c -fsyntax-only - 2>/dev/null; }
compiles 'const int a; typeof_unqual(a) b;' ||
	sed -i 's/^#define HAVE_TYPEOF_UNQUAL 1/#undef HAVE_TYPEOF_UNQUAL/' "$H"
for f in STRLCPY STRLCAT; do
	compiles "#include <string.h>"$'\n'"void *p = ${f,,};" ||
		sed -i "s/^#define HAVE_DECL_$f 1/#define HAVE_DECL_$f 0/" "$H"
done
sed -i -e 's/^with_llvm.*/with_llvm = no/' \
	-e "s|^LDFLAGS_EX = .*|& -Wl,--allow-shlib-undefined \
-Wl,--dynamic-linker=$LD -Wl,--disable-new-dtags \
-Wl,-rpath,$R/usr/lib/$A:$R/lib/$A -Wl,-rpath-link,$R/usr/lib/$A:$R/lib/$A \
$(find "$R" -name libc.so.6 | sed -n 1p)|" "$G"
chmod -R a+rX "$D"
"$R/usr/lib/postgresql/$V/bin/postgres" -V >&2
echo "$stamp" >"$D/complete"
echo "$pg_config"

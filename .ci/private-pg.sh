#!/bin/bash
# private-pg.sh DIR [PG_CONFIG]
#
# Makes a private copy of an installed or unpacked PostgreSQL under DIR and
# prints the path of its pg_config.  PostgreSQL finds its files relative to its
# own binaries, so "make install" into the copy leaves the original alone and
# several checkouts can be tested side by side.  A copy of the same server is
# reused; one of another minor version, or a half-made one, is replaced.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: private-pg.sh DIR [PG_CONFIG]" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
pc=${2:-pg_config}
command -v "$pc" >/dev/null || {
	echo "private-pg.sh: no $pc: install postgresql-server-dev" >&2; exit 1; }

bin=$("$pc" --bindir)
case $bin in
*/usr/lib/postgresql/*/bin) ;;
*)	echo "private-pg.sh: $bin is not a Debian layout" >&2; exit 1 ;;
esac
root=${bin%/usr/lib/postgresql/*}	# empty for the system's own
bin=${bin#"$root"}
share=$("$pc" --sharedir)
share=${share#"$root"}
arch=$(gcc -print-multiarch)
stamp="$root $("$pc" --version)"

if [ "$(cat "$dir/complete" 2>/dev/null)" != "$stamp" ]; then
	rm -rf "$dir/usr" "$dir/complete"
	mkdir -p "$dir${bin%/bin}" "$dir$share" "$dir/usr/lib"
	# bitcode is of no use here: everything is built with_llvm=no
	(cd "$root${bin%/bin}" && tar -cf - --exclude=lib/bitcode .) |
		tar -xf - -C "$dir${bin%/bin}"
	(cd "$root$share" && tar -cf - .) | tar -xf - -C "$dir$share"
	ln -sfn "$root/usr/include" "$dir/usr/include"
	ln -sfn "$root/usr/lib/$arch" "$dir/usr/lib/$arch"
	chmod -R a+rX "$dir"
	echo "$stamp" >"$dir/complete"
fi
echo "$dir$bin/pg_config"

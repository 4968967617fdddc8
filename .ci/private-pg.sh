#!/bin/bash
# private-pg.sh DIR [PG_CONFIG]
#
# Makes a private copy of an installed PostgreSQL under DIR and prints the path
# of its pg_config.  PostgreSQL finds its files relative to its own binaries,
# so "make install" into the copy leaves the system's installation alone and
# several checkouts can be tested side by side.
set -euo pipefail
dir=$1 pc=${2:-pg_config}
bin=$("$pc" --bindir) share=$("$pc" --sharedir)
inc=$("$pc" --includedir-server)
case $bin in
/usr/lib/postgresql/*/bin) ;;
*)	# an unpacked tree is private already
	echo "$(cd "$(dirname "$(command -v "$pc")")" && pwd)/pg_config"; exit 0 ;;
esac
if [ ! -x "$dir$bin/pg_config" ]; then
	mkdir -p "$dir${bin%/bin}" "$dir$share" "$dir/usr/lib"
	cp -a "${bin%/bin}/." "$dir${bin%/bin}/"
	cp -a "$share/." "$dir$share/"
	ln -sfn /usr/include "$dir/usr/include"
	ln -sfn "/usr/lib/$(gcc -print-multiarch)" \
		"$dir/usr/lib/$(gcc -print-multiarch)"
	chmod -R a+rX "$dir"
fi
: "$inc"
echo "$dir$bin/pg_config"

#!/bin/bash
# make-picture.sh: writes docs/health.png, the health page of the running demo.
#
# Run "make demo" first.  What psql prints becomes an HTML page, which a
# headless Chromium (Debian: chromium, fonts-dejavu-core) turns into a picture.
set -euo pipefail
cd "$(dirname "$0")/.."

run_dir=$(cat demo/.run/dir 2>/dev/null) ||
	{ echo "make-picture.sh: no demo server: run make demo" >&2; exit 1; }
browser=$(command -v chromium || command -v chromium-browser) ||
	{ echo "make-picture.sh: no chromium: apt-get install chromium" >&2; exit 1; }
columns=${1:-150}
psql=("$run_dir"/pg/usr/lib/postgresql/*/bin/psql)
port=$(sed -n 4p "$run_dir/data/postmaster.pid")
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then
	as() { runuser -u "$(stat -c %U "$run_dir/data")" -- "$@"; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
	echo 'platform=# \i demo/health.sql'
	# the directory belongs to the server's account: read the script here
	as "${psql[0]}" -X -q -h "$run_dir" -p "$port" -U postgres -d platform \
		-P pager=off -P border=1 -P linestyle=unicode -P format=wrapped \
		-P columns="$columns" -f - <demo/health.sql
} >"$work/page.txt"

{
	cat <<'X'
<!DOCTYPE html><meta charset="utf-8"><title>glperf.health</title>
<style>
body { margin: 0; background: #10151c; }
pre { margin: 0; padding: 14px 18px; color: #d8dee6;
	font: 13px/17px "DejaVu Sans Mono", monospace; }
.critical { color: #ff6b63; font-weight: bold; } .warning { color: #ffb454; }
.unknown { color: #8b95a1; } .ok { color: #7fd17f; }
</style><pre>
X
	# escape, then colour the status column
	sed -E -e 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' \
		-e 's/(^|│) (critical|warning|unknown|ok)( *)(│|$)/\1 <span class="\2">\2<\/span>\3\4/' \
		"$work/page.txt"
	echo '</pre>'
} >"$work/page.html"

# 7.83 px per character, 17 px per line, and the padding
width=$((columns * 783 / 100 + 36))
height=$(($(wc -l <"$work/page.txt") * 17 + 28 + 17))
"$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --disable-lcd-text \
	--user-data-dir="$work/profile" --window-size="$width,$height" \
	--screenshot="$work/health.png" "file://$work/page.html" 2>"$work/log" ||
	{ cat "$work/log" >&2; exit 1; }
size=$(stat -c %s "$work/health.png")
[ "$size" -le 200000 ] ||
	{ echo "make-picture.sh: $size bytes are too many" >&2; exit 1; }
cp "$work/health.png" docs/health.png
echo "docs/health.png: ${width}x$height, $size bytes"

#!/bin/bash
# make-picture.sh: writes docs/health.png, the health page of the demo.
#
# Runs the demo, which stores the page at the moment in which it prints its own
# (GLPERF_DEMO_PAGE).  A headless Chromium (Debian: chromium, fonts-dejavu-core)
# turns that text into a picture.
set -euo pipefail
cd "$(dirname "$0")/.."

browser=$(command -v chromium || command -v chromium-browser) ||
	{ echo "make-picture.sh: no chromium: apt-get install chromium" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
page=${1:-$work/page.txt}
if [ ! -f "$page" ]; then
	GLPERF_DEMO_PAGE=$page bash demo/demo.sh
fi

{
	cat <<'X'
<!DOCTYPE html><meta charset="utf-8"><title>glperf.health</title>
<style>
body { margin: 0; background: #10151c; }
pre { margin: 0; padding: 12px 16px; color: #d8dee6;
	font: 12px/16px "DejaVu Sans Mono", monospace; }
.critical { color: #ff6b63; font-weight: bold; } .warning { color: #ffb454; }
.unknown { color: #8b95a1; } .ok { color: #7fd17f; }
</style><pre>
X
	# escape, then colour the first column
	sed -E -e 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' \
		-e 's/^ (critical|warning|unknown|ok)( *)│/ <span class="\1">\1<\/span>\2│/' \
		"$page"
	echo '</pre>'
} >"$work/page.html"

# 12 px DejaVu Sans Mono: 7.23 px per character, 16 px per line, and the padding
width=$(($(LC_ALL=C.UTF-8 wc -L <"$page") * 723 / 100 + 36))
height=$(($(wc -l <"$page") * 16 + 26))
"$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
	--user-data-dir="$work/profile" --window-size="$width,$height" \
	--screenshot="$work/health.png" "file://$work/page.html" 2>"$work/log" ||
	{ cat "$work/log" >&2; exit 1; }
size=$(stat -c %s "$work/health.png")
[ "$size" -le 200000 ] ||
	{ echo "make-picture.sh: $size bytes are too many" >&2; exit 1; }
cp "$work/health.png" docs/health.png
echo "docs/health.png: ${width}x$height, $size bytes"

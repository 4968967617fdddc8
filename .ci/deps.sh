#!/bin/bash
# deps.sh
#
# Installs the packages of .ci/packages that this Debian machine lacks, as root
# or through sudo.  Does nothing, and asks for nothing, when all are there.
# The system gets no database cluster by it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

wanted=$(sed 's/#.*//' "$here/packages" | xargs)

# print those of the wanted packages that are not installed
missing()
{
	local p
	for p in $wanted; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = \
			installed ] || echo "$p"
	done
}

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: not a Debian system; make sure that you have the equivalents of: $wanted" >&2
	exit 0
fi
need=$(missing | xargs)
[ -n "$need" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	sudo=sudo
else
	cat >&2 <<X
deps.sh: these packages are missing, and neither root nor sudo is at hand:
  $need
Ask an administrator for:
  apt-get install --no-install-recommends $need
X
	exit 1
fi

echo "installing: $need"
log=$(mktemp)
# Debian would create and start a cluster together with the server.
conf=/etc/postgresql-common/createcluster.d/glperf-no-cluster.conf
cleanup()
{
	$sudo rm -f "$conf"
	$sudo rmdir --ignore-fail-on-non-empty -p "$(dirname "$conf")" 2>/dev/null || true
	rm -f "$log"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
$sudo mkdir -p "$(dirname "$conf")"
echo 'create_main_cluster = false' | $sudo tee "$conf" >/dev/null

apt()
{
	$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y \
		-o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" >>"$log" 2>&1
}
# The lists may be fresh enough; fetching them again is the second try.
if ! apt install --no-install-recommends $need; then
	apt update || true
	apt install --no-install-recommends $need || {
		tail -n 20 "$log" >&2
		echo "deps.sh: could not install: $need" >&2
		exit 1
	}
fi
need=$(missing | xargs)
[ -z "$need" ] || { echo "deps.sh: still missing: $need" >&2; exit 1; }

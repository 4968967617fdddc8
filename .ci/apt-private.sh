# apt-private.sh: an apt of our own, that installs nothing.  Sourced, not run.
#
# apt_private DIR SOURCES makes DIR/apt with these sources.list lines and an
# empty list of installed packages, and points APT_CONFIG at it.  URI and SEC
# are this machine's own archives.

# archive addresses from this machine's own apt sources, in both formats
uris()
{
	{ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list 2>/dev/null || true; } |
		awk '/^URIs:/ {print $2}
			$1 == "deb" {for (i = 2; i <= NF; i++)
				if ($i ~ /^https?:/) {print $i; break}}'
}
URI=$(uris | grep '/debian/\?$' | sed -n 1p || true)
SEC=$(uris | grep 'security/\?$' | sed -n 1p || true)
: "${URI:=http://deb.debian.org/debian}"
: "${SEC:=http://deb.debian.org/debian-security}"

apt_private()
{
	local D=$1
	mkdir -p "$D"/apt/lists/partial "$D"/apt/cache/archives/partial \
		"$D"/apt/etc/preferences.d "$D"/apt/etc/apt.conf.d
	printf '%s\n' "$2" >"$D/apt/etc/sources.list"
	: >"$D/apt/status"
	{
		cat <<X
Dir::Etc "$D/apt/etc/";
Dir::Etc::SourceList "$D/apt/etc/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::TrustedParts "/etc/apt/trusted.gpg.d";
Dir::State "$D/apt";
Dir::State::status "$D/apt/status";
Dir::Cache "$D/apt/cache";
APT::Sandbox::User "$(id -un)";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
X
		apt-config dump | grep -E '^Acquire::https?::' || true	# proxies
	} >"$D/apt/apt.conf"
	export APT_CONFIG=$D/apt/apt.conf
}

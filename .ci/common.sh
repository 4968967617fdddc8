# common.sh: what check.sh and matrix.sh share.  Sourced, not run.
#
# Call scratch_make first.  It sets W (scratch directory that the test user
# can read), PGU (the ordinary user that servers run as) and the clean-up.

CHECK_COPT="-Wextra -Werror -Wno-unused-parameter -Wno-sign-compare
	-Wno-missing-field-initializers -Wno-clobbered"
child=

# as COMMAND...: run as the ordinary user (postgres refuses to run as root)
as()
{
	if [ "$(id -u)" = 0 ]; then
		runuser -u "$PGU" -- "$@"
	else
		"$@"
	fi
}

# run COMMAND...: run in the background, so that an interrupt is noticed at once
# and ends the whole process group with all its servers
run()
{
	local rc
	set -m
	"$@" &
	child=$!
	set +m
	rc=0
	wait "$child" || rc=$?
	child=
	return $rc
}

cleanup()
{
	local f
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			kill -0 -- "-$child" 2>/dev/null || break
			sleep 0.3
		done
		kill -KILL -- "-$child" 2>/dev/null
	fi
	# our own server, and those that a killed test left behind
	if [ -n "${W:-}" ] && [ -d "$W" ]; then
		while IFS= read -r f; do
			kill -QUIT "$(head -n 1 "$f")" 2>/dev/null
		done < <(find "$W" -name postmaster.pid 2>/dev/null)
		sleep 0.2
		if [ -n "${KEEP:-}" ]; then
			echo "kept: $W"
		else
			rm -rf "$W" || { sleep 1; rm -rf "$W"; }
		fi
	fi
}

# scratch_make NAME
scratch_make()
{
	local base=${TMPDIR:-/tmp}
	if [ "$(id -u)" = 0 ]; then
		PGU=${PGU:-postgres}
		id "$PGU" >/dev/null 2>&1 ||
			useradd --system --no-create-home --shell /bin/bash "$PGU"
		as test -x "$base" -a -r "$base" || base=/tmp
	else
		PGU=$(id -un)
	fi
	# unix sockets live below: their paths must stay under 108 bytes
	[ ${#base} -le 50 ] || base=/tmp
	W=$(mktemp -d "$base/glperf-$1.XXXXXX")
	chmod 755 "$W"
	trap cleanup EXIT
	trap 'echo interrupted >&2; exit 130' INT
	trap 'echo terminated >&2; exit 143' TERM HUP
}

# copy_tree DIR: the checkout without what is ignored or built
copy_tree()
{
	mkdir -p "$1"
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' f; do
				if [ -e "$f" ]; then printf '%s\0' "$f"; fi
			done | tar --null -T - -cf - | tar -xf - -C "$1"
	else
		tar --exclude=.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
			--exclude=demo/.run --exclude=tmp_check -cf - . | tar -xf - -C "$1"
	fi
}

# preload: the value of shared_preload_libraries for the checkout in $PWD
preload()
{
	local libs=pg_stat_statements
	[ ! -f extension/collector.c ] || libs=$libs,glperf
	echo "$libs"
}

# server_start PG_CONFIG DIR: initialise and start a server on a unix socket
# in DIR.  Nothing listens on TCP, so no port can be taken.
server_start()
{
	local bin dir=$2
	bin=$("$1" --bindir)
	mkdir -p "$dir"
	[ "$(id -u)" != 0 ] || chown "$PGU" "$dir"
	as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 \
		--locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log"; return 1; }
	as tee "$dir/data/postgresql.auto.conf" >/dev/null <<X
listen_addresses = ''
unix_socket_directories = '$dir'
port = 5432
fsync = off
shared_preload_libraries = '$(preload)'
log_line_prefix = '%m [%p] %q%a '
max_prepared_transactions = 4
X
	as "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w start \
		>"$dir/pg_ctl.log" 2>&1 || { cat "$dir/pg_ctl.log" "$dir/server.log"; return 1; }
}

server_stop()
{
	as "$("$1" --bindir)/pg_ctl" -D "$2/data" -m fast stop >/dev/null 2>&1
}

# show_regress LOG: what a failed run of pg_regress has to say, without the part
# that every run says
show_regress()
{
	grep -vE '^(test |ok |not ok |# |SET$|(CREATE|DROP|ALTER) DATABASE$|=====|[(]using|$)|^[+]{3} |make: |The diff|file "|above is saved' "$1"
	cat regression.diffs output_iso/regression.diffs 2>/dev/null | head -n 400
	rm -f regression.diffs output_iso/regression.diffs
}

# count_regress LOG: print "passed failed" of a pg_regress run, whose lines are
# "test NAME ... ok" up to PostgreSQL 15 and TAP from 16 on
count_regress()
{
	awk '/^(test|[ ]+)[ ].*\.\.\. ok/ || /^ok [0-9]+ / {ok++}
		/^(test|[ ]+)[ ].*\.\.\. FAILED/ || /^not ok [0-9]+ / {bad++}
		END {print ok + 0, bad + 0}' "$1"
}

# count_tap LOG: print "passed failed skipped" of the assertions of one file.
# Failures that were declared (TODO) are not failures.
count_tap()
{
	awk '/^ok( |$)/ {if (/# *skip/ || /# SKIP/) skip++; else ok++}
		/^not ok( |$)/ {if (!/# *TODO/) bad++}
		/^1\.\.0 # SKIP/ {skip++}
		END {print ok + 0, bad + 0, skip + 0}' "$1"
}

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
	# what the tests themselves put into a temporary directory
	mkdir "$W/t"
	[ "$(id -u)" != 0 ] || chown "$PGU" "$W/t"
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
	awk '/^ok [0-9]/ {if (/# *skip/ || /# SKIP/) skip++; else ok++}
		/^not ok [0-9]/ {if (!/# *TODO/) bad++}
		/^1\.\.0 # SKIP/ {skip++}
		END {print ok + 0, bad + 0, skip + 0}' "$1"
}

# tap_next: take the next file from the list in $W/tap.list
tap_next()
{
	flock "$W/tap.lock" bash -c \
		'IFS= read -r f <"$1" && sed -i 1d "$1" && echo "$f"' - "$W/tap.list"
}

# tap_worker DIR MAKE-COMMAND...: run files from the list in DIR, a built tree,
# one at a time, so that each has its own log and its own time
tap_worker()
{
	local f n p b s rc t0 dir=$1
	shift
	cd "$dir" || return 1
	while f=$(tap_next); do
		n=$(basename "$f" .pl) t0=$SECONDS
		as env TMPDIR="$W/t" "$@" REGRESS= ISOLATION= PROVE_TESTS="$f" PROVE_FLAGS=-v \
			installcheck >"$W/$n.log" 2>&1
		rc=$?
		read -r p b s < <(count_tap "$W/$n.log")
		# a file that died, or ran nothing, has failed too
		[ $rc = 0 ] || [ "$b" != 0 ] || b=1
		[ $((p + b + s)) != 0 ] || b=1
		{
			printf '%-36s %4d ok %3d failed%s  %4d s\n' "$f" "$p" "$b" \
				"$([ "$s" = 0 ] || printf ' %3d skipped' "$s")" $((SECONDS - t0))
			[ "$s" = 0 ] || grep -E '# *(skip|SKIP)' "$W/$n.log" | sort | uniq -c |
				head -n 5
			[ "$b" = 0 ] || tap_explain "$n"
		} >"$W/$n.out" 2>&1
		flock "$W/tap.lock" cat "$W/$n.out"
		rc=
		! grep -qE 'TRAP:|terminated by signal (6|11)' tmp_check/log/*.log \
			2>/dev/null || rc=crash b=$((b > 0 ? b : 1))
		echo "$f $p $b $s $rc" >>"$W/tap.results"
	done
}

# tap_explain NAME: what the log of a failed file, and those of its servers, say
tap_explain()
{
	local log
	grep -vE '^(ok |[+]{3} |make: )' "$W/$1.log" | tail -n 80
	tail -n 15 "tmp_check/log/regress_log_$1" 2>/dev/null
	for log in tmp_check/log/*.log; do
		grep -E 'PANIC|terminated by signal|TRAP:|could not' "$log" 2>/dev/null |
			tail -n 5 | sed "s|^|$(basename "$log"): |"
	done
	# kept while the scratch directory is, for the next look
	cp -r tmp_check/log "$W/$1.logs" 2>/dev/null
}

# tap_run DIR FILE... -- MAKE-COMMAND...: run TAP files in a built tree, as many
# at a time as there are processors (four at most; GLPERF_JOBS says otherwise).
# Leaves "FILE PASSED FAILED SKIPPED" per file in $W/tap.results.
#
# What failed is run once more, alone: many of these tests watch real time go
# by (lag, peaks, timeouts), and a machine can be too busy for them.  A file
# that passes only then is named in $W/tap.second, and what failed the first
# time stays on the screen; one that fails again, or crashed a server, has
# failed.
tap_run()
{
	local dir=$1 i jobs f
	shift
	: >"$W/tap.list"
	: >"$W/tap.lock"
	: >"$W/tap.results"
	while [ "$1" != -- ]; do
		echo "$1" >>"$W/tap.list"
		shift
	done
	shift
	jobs=${GLPERF_JOBS:-$(nproc)}
	[ "$jobs" -le 4 ] || jobs=4
	# prove empties tmp_check: each worker has a tree of its own
	for ((i = 2; i <= jobs; i++)); do
		cp -a "$dir" "$dir.$i"
		tap_worker "$dir.$i" "$@" &
	done
	tap_worker "$dir" "$@"
	wait
	rm -rf "$dir".[2-9]
	: >"$W/tap.second"
	awk '$3 && $5 == "" {print $1}' "$W/tap.results" >"$W/tap.list"
	[ -s "$W/tap.list" ] || return 0
	echo "-- once more, alone: $(xargs <"$W/tap.list")"
	cp "$W/tap.list" "$W/tap.again"
	awk '!$3 || $5 != ""' "$W/tap.results" >"$W/tap.kept"
	mv "$W/tap.kept" "$W/tap.results"
	tap_worker "$dir" "$@"
	while IFS= read -r f; do
		awk -v f="$f" '$1 == f && !$3 {print $1}' "$W/tap.results" \
			>>"$W/tap.second"
	done <"$W/tap.again"
}

# tap_total: "passed failed skipped" of tap_run, and the files that failed
tap_total()
{
	awk '{p += $2; f += $3; s += $4; if ($3) bad = bad " " $1}
		END {print p + 0, f + 0, (s + 0) bad}' "$W/tap.results"
}

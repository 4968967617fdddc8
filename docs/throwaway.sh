# throwaway.sh: a server for the scripts here that need one.  Sourced, not run.
#
# Builds this checkout, starts a server with pg_stat_statements and glperf, and
# removes everything at exit.  Defines q [PSQL OPTION...], psql on that server;
# W, as and server_stop come from .ci/common.sh.  PG_CONFIG chooses the server.

bash .ci/deps.sh
. .ci/common.sh
scratch_make docs
copy_tree "$W/src"
P=$(bash .ci/private-pg.sh "$W/pg" "${PG_CONFIG:-pg_config}")
bin=$("$P" --bindir)
make -s -C "$W/src" PG_CONFIG="$P" with_llvm=no all install
(cd "$W/src" && server_start "$P" "$W/s")

q() { "$bin/psql" -X -q -h "${dir:-$W/s}" -p 5432 -U postgres -d postgres "$@"; }
q -c 'CREATE EXTENSION pg_stat_statements' -c 'CREATE EXTENSION glperf'

#!/bin/bash
# load.sh --schema FILE --data DIR [--keys FILE] DATABASE
#
# Creates DATABASE and loads a benchmark kit's files into it: FILE holds its
# CREATE TABLE statements, DIR one <table>.tbl or <table>.dat per table with
# fields separated by "|" (a separator at the end of the line is fine), and
# --keys a script with primary keys where the schema has none.  Ends with
# VACUUM (FREEZE, ANALYZE).  The server is the one that PG* variables name.
set -euo pipefail
schema= data= keys=
while [ $# -gt 1 ]; do
	case $1 in
	--schema) schema=$2; shift 2 ;;
	--data) data=$2; shift 2 ;;
	--keys) keys=$2; shift 2 ;;
	*) echo "load.sh: unknown option $1" >&2; exit 4 ;;
	esac
done
db=${1:?name of the database to create}
: "${schema:?--schema FILE}" "${data:?--data DIR}"
run() { psql -X -q -v ON_ERROR_STOP=1 -d "$db" "$@"; }

createdb "$db"
run -f "$schema"
for file in "$data"/*.tbl "$data"/*.dat; do
	[ -s "$file" ] || continue
	table=$(basename "${file%.*}")
	known=$(run -At -v t="$table" <<<"SELECT to_regclass(lower(:'t')) IS NOT NULL")
	[ "$known" = t ] || { echo "load.sh: no table for $file" >&2; continue; }
	printf '%-24s ' "$table"
	# one transaction with TRUNCATE lets COPY skip WAL under wal_level=minimal
	{ echo "BEGIN; TRUNCATE $table;"
	  echo "COPY $table FROM STDIN (DELIMITER '|', NULL '', ENCODING 'LATIN1');"
	  sed 's/|$//' "$file"; printf '%s\n' '\.' 'COMMIT;'; } | run
	run -At -c "SELECT count(*) FROM $table"
done
[ -z "$keys" ] || run -f "$keys"
run -c 'VACUUM (FREEZE, ANALYZE)'
run -At -c "SELECT pg_size_pretty(pg_database_size(current_database()))"

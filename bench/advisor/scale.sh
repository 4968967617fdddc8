#!/bin/bash
# scale.sh [--seed N] [--tables N] [--statements N] [--partitions N]
#          [--advise 'name => value, ...'] DATABASE
#
# What advice on a big schema takes: creates DATABASE with generated tables of
# 300 to 20,000 rows (unless it exists), hands as many generated statements to
# glperf.advise_indexes(), and prints time, CPU time and memory of its backend
# and the number of planner calls.  With --partitions every tenth table has so
# many, and a hundred times as many rows.  The server is the one that PG* variables
# name; CPU time and memory are those of its /proc, so it is to be on this
# machine.
set -euo pipefail
seed=1 tables=500 statements=2000 partitions=0 advise=
while [ $# -gt 1 ]; do
	case $1 in
	--seed) seed=$2; shift 2 ;;
	--tables) tables=$2; shift 2 ;;
	--statements) statements=$2; shift 2 ;;
	--partitions) partitions=$2; shift 2 ;;
	--advise) advise=", $2"; shift 2 ;;
	*) echo "scale.sh: unknown option $1" >&2; exit 4 ;;
	esac
done
db=${1:?name of the database}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/glperf-scale.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

python3 - "$seed" "$tables" "$statements" "$partitions" "$tmp" <<'PY'
import json
import math
import random
import sys

seed, ntables, nstatements, npartitions = map(int, sys.argv[1:5])
out = sys.argv[5]
dice = random.Random(seed)


class Table:
    """A table: columns by name with their number of distinct values."""

    def __init__(self, number):
        self.name = "t%03d" % number
        self.rows = int(math.exp(dice.uniform(math.log(300), math.log(20000))))
        self.ints = {"n%d" % i: int(math.exp(dice.uniform(
            math.log(2), math.log(self.rows)))) for i in
            range(dice.randint(2, 5))}
        # parents come before their children
        self.parents = {"%s_id" % other.name: other for other in
                        dice.sample(tables, min(len(tables),
                                                dice.randint(0, 3)))}
        self.status = dice.randint(2, 6)
        self.partitioned = npartitions > 0 and number % 10 == 1
        if self.partitioned:
            self.rows *= 100

    def ddl(self):
        columns = ["i AS id"]
        columns += ["hash(i, %d) %% %d AS %s" % (n, distinct, name)
                    for n, (name, distinct) in enumerate(self.ints.items())]
        columns += ["1 + hash(i, %d) %% %d AS %s" % (50 + n, other.rows, name)
                    for n, (name, other) in enumerate(self.parents.items())]
        columns += ["'2026-01-01'::timestamptz + i * interval '1 min' AS at",
                    "'s' || hash(i, 99) %% %d AS status" % self.status,
                    "repeat('x', 20) AS note"]
        select = "SELECT %s FROM generate_series(1, " % ", ".join(columns)
        make = "CREATE TABLE %s AS %s%d) i;\n" % (self.name, select, self.rows)
        if self.partitioned:
            make = ("CREATE TABLE like_%s AS %s0) i;\n"
                    "CREATE TABLE %s (LIKE like_%s) PARTITION BY RANGE (id);\n"
                    "DROP TABLE like_%s;\n" %
                    (self.name, select, self.name, self.name, self.name))
            bounds = [self.rows * i // npartitions + 1
                      for i in range(npartitions + 1)]
            make += "".join("CREATE TABLE %s_%d PARTITION OF %s FOR VALUES"
                            " FROM (%d) TO (%d);\n" %
                            (self.name, i, self.name, bounds[i], bounds[i + 1])
                            for i in range(npartitions))
            make += "INSERT INTO %s %s%d) i;\n" % (self.name, select,
                                                   self.rows)
        return make + "ALTER TABLE %s ADD PRIMARY KEY (id);\n" % self.name

    def condition(self, alias):
        kind = dice.random()
        name, distinct = dice.choice(list(self.ints.items()))
        value = dice.randrange(distinct)
        if kind < 0.45:
            return "%s.%s = %d" % (alias, name, value)
        if kind < 0.6:
            return "%s.%s IN (%d, %d)" % (alias, name, value, value // 2)
        if kind < 0.75:
            return "%s.%s BETWEEN %d AND %d" % (alias, name, value,
                                                value + distinct // 50)
        if kind < 0.9:
            return "%s.at >= '2026-01-01'::timestamptz + %d * interval '1 min'" \
                % (alias, int(self.rows * dice.uniform(0.8, 1)))
        return "%s.status = 's%d'" % (alias, dice.randrange(self.status))


def statement():
    first = dice.choice(tables)
    names, text, where = [("a", first)], first.name + " a", []
    while len(names) < 4 and dice.random() < 0.5:
        alias, table = dice.choice(names)
        if not table.parents:
            break
        column, other = dice.choice(list(table.parents.items()))
        new = "abcd"[len(names)]
        text += " JOIN %s %s ON %s.id = %s.%s" % (other.name, new, new, alias,
                                                  column)
        names.append((new, other))
    for _ in range(dice.randint(1, 3)):
        alias, table = dice.choice(names)
        where.append(table.condition(alias))
    what, tail = dice.choice([
        ("a.*", ""), ("count(*)", ""), ("a.id, a.note", ""),
        ("a.*", " ORDER BY a.at DESC LIMIT 20"),
        ("a.status, count(*)", " GROUP BY a.status")])
    return "SELECT %s FROM %s WHERE %s%s" % (what, text, " AND ".join(where),
                                             tail)


tables = []
for number in range(1, ntables + 1):
    tables.append(Table(number))
with open(out + "/schema.sql", "w") as file:
    file.write("CREATE FUNCTION hash(int, int) RETURNS int IMMUTABLE LANGUAGE"
               " sql AS 'SELECT abs(hashint8($1::int8 * 1000 + $2) / 2)';\n")
    file.writelines(table.ddl() for table in tables)
    file.write("DROP FUNCTION hash(int, int);\n")
seen = {}
while len(seen) < nstatements:
    seen[statement()] = True
work = [{"query": text, "calls": int(math.exp(dice.uniform(0, 8)))}
        for text in seen]
with open(out + "/workload.json", "w") as file:
    json.dump(work, file)
PY

if [ "$(psql -X -At -d postgres -v db="$db" <<<"SELECT count(*) FROM pg_database WHERE datname = :'db'")" = 0 ]; then
	createdb "$db"
	psql -X -q -v ON_ERROR_STOP=1 -d "$db" -f "$tmp/schema.sql" || {
		dropdb "$db"
		exit 1
	}
	psql -X -q -d "$db" -c 'VACUUM (ANALYZE)' -c 'CREATE EXTENSION glperf'
fi

# private memory, ten times a second
{
	until [ -s "$tmp/pid" ]; do sleep 0.1; done
	while awk '/RssAnon/ {print $2}' "/proc/$(cat "$tmp/pid")/status" \
		>>"$tmp/rss" 2>/dev/null; do sleep 0.1; done
} &
watcher=$!
trap 'kill "$watcher" 2>/dev/null; rm -rf "$tmp"' EXIT

{
	echo "LOAD 'glperf';"
	echo "SELECT pg_backend_pid() AS pid \\gset"
	echo "\\setenv BACKEND :pid"
	echo "CREATE TEMP TABLE w (j text);"
	echo "\\copy w FROM '$tmp/workload.json' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
	echo "SELECT length(j) AS bytes FROM w \\gset"
	echo "\\! awk '/RssAnon/ {print \"before \" \$2}' /proc/\$BACKEND/status"
	echo "\\! echo \$BACKEND >'$tmp/pid'"
	echo "SELECT 'indexes ' || count(*) FILTER (WHERE action = 'create') FROM"
	echo "glperf.advise_indexes(workload => (SELECT j::jsonb FROM w)$advise);"
	echo "\\! sort -n '$tmp/rss' | tail -n 1 | sed 's/^/after /'"
	echo "\\! awk '{print \"ticks \" \$14 + \$15}' /proc/\$BACKEND/stat"
	echo "SELECT 'kept ' || sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'glperf%';"
	echo "SELECT format('%s statements (%s advised, %s without gain, %s not analysable), %s candidates', statements, advised, no_gain, not_analysable, candidates) FROM glperf.advice_summary();"
	echo "SELECT format('%s planner calls, %s a statement; %s s; complete: %s; gain %s %% of the time, %s %% of the bound', planner_calls, round(planner_calls::numeric / nullif(statements, 0), 1), round(elapsed_ms::numeric / 1000, 1), complete, round(100 * gain_ms_per_day / nullif(workload_ms_per_day, 0)), round(captured_pct)) FROM glperf.advice_summary();"
} | psql -X -q -At -v ON_ERROR_STOP=1 -d "$db" | awk '
	$1 == "before" {before = $2; next}
	$1 == "after" {printf "private memory: %.0f MB at most, %.0f MB more than before\n", $2 / 1024, ($2 - before) / 1024; next}
	$1 == "ticks" {printf "CPU time of the backend: %.1f s\n", $2 / 100; next}
	$1 == "kept" {printf "kept afterwards: %.0f MB\n", $2 / 1048576; next}
	{print}'

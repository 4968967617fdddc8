#!/usr/bin/env python3
"""Real effect of the advice on a directory of queries.

realtime.py --queries DIR [--leave-out 2,17,20] [--budgets 300,1000] DB

Measures the CPU time of each query's backend, hands the queries with those
times to glperf.advise_indexes(), builds what it says for real, measures each
query by turns without and with the new indexes, and drops them.  A query whose
plan has not changed takes as long as before.  A time is the
best of --runs after one to warm up.  Budgets are megabytes (10^6 bytes) on disk.  PG* variables name a
server on this machine (its /proc is read); run it when nothing else runs.
"""
import argparse
import json
import math
import re
import subprocess
import sys

from estimate import dollar, load, psql


def cpu_ms(db, text, runs, timeout, indexes=()):
    """Best CPU times of the query's backend in ms, without and with indexes.

    Without and with take turns, so that other work on the machine falls on
    both alike; an index that is not valid is no index to the planner.  None
    for a time that was over the limit.
    """
    script = ("SET statement_timeout = '%ds';\n"
              "SELECT pg_backend_pid() AS pid \\gset\n"
              "\\setenv BACKEND :pid\n" % timeout)
    tick = "\\! cut -d' ' -f1 /proc/$BACKEND/schedstat | sed 's/^/ticks /'\n"
    turns = ("false", "true") if indexes else ("",)
    for _ in range(runs + 1):
        for valid in turns:
            if indexes:
                script += ("UPDATE pg_index SET indisvalid = %s WHERE"
                           " indexrelid = ANY (ARRAY[%s]::regclass[]);\n" %
                           (valid, ",".join(map(dollar, indexes))))
            script += (tick + "\\o /dev/null\n" + text + ";\n\\o\n" +
                       "\\echo failed :ERROR\n" + tick)
    run = subprocess.run(["psql", "-X", "-q", "-At", "-d", db], input=script,
                         capture_output=True, text=True)
    late = "statement timeout" in run.stderr
    if run.returncode or "ERROR" in run.stderr and not late:
        sys.exit(run.stderr)
    ticks = [int(t) / 1e6 for t in re.findall(r"ticks (\d+)", run.stdout)]
    failed = re.findall(r"failed (\w+)", run.stdout)
    spent = [math.inf if f == "true" else b - a
             for a, b, f in zip(ticks[0::2], ticks[1::2], failed)]
    best = [min(spent[len(turns) + t::len(turns)]) for t in range(len(turns))]
    best = [None if b == math.inf else max(b, 1) for b in best]
    return best if indexes else best[0]


def measure(db, queries, args):
    return {name: cpu_ms(db, text, args.runs, args.timeout)
            for name, text in queries.items()}


def plan(db, text):
    return psql(db, "EXPLAIN (COSTS OFF) " + text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", required=True)
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--budgets", default="300,1000")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true",
                        help="times of each query")
    parser.add_argument("--timeout", type=int, default=120)
    parser.add_argument("db")
    args = parser.parse_args()
    queries = load(args.queries, args.leave_out.split(","))
    before = measure(args.db, queries, args)
    queries = {n: q for n, q in queries.items() if before[n] is not None}
    print("%d queries, %.1f s of CPU without indexes" %
          (len(queries), sum(before[n] for n in queries) / 1000))
    for word in args.budgets.split(","):
        work = [{"query": q, "calls": 100, "time_ms": 100 * before[n]}
                for n, q in queries.items()]
        out = psql(args.db, "SELECT coalesce(jsonb_agg(jsonb_build_object("
                   "'ddl', ddl, 'undo', undo_ddl) ORDER BY rank), '[]')"
                   " FROM glperf.advise_indexes(budget_bytes => %d,"
                   " workload => %s::jsonb) WHERE action = 'create'" %
                   (float(word) * 1e6, dollar(json.dumps(work))))
        recs = json.loads(out)
        plans = {n: plan(args.db, q) for n, q in queries.items()}
        psql(args.db, "".join(r["ddl"].replace("CONCURRENTLY ", "", 1) + ";"
                              for r in recs) + "CHECKPOINT;")
        names = [r["undo"].split()[-1] for r in recs]
        size = int(psql(args.db, "SELECT " + "+".join(
            ["pg_relation_size(%s)" % dollar(n) for n in names] or ["0"])))
        both = {n: cpu_ms(args.db, q, args.runs, args.timeout, names)
                if plan(args.db, q) != plans[n] else [before[n]] * 2
                for n, q in queries.items()}
        psql(args.db, "".join(r["undo"].replace("CONCURRENTLY ", "", 1) + ";"
                              for r in recs))
        took = {n: both[n][1] or args.timeout * 1000.0 for n in queries}
        base = {n: both[n][0] or before[n] for n in queries}
        ratios = {n: took[n] / base[n] for n in queries}
        print("budget %s MB: %d indexes, %.0f MB on disk, CPU %.3f of before,"
              " geometric mean %.3f" %
              (word, len(recs), size / 1e6,
               sum(took.values()) / sum(base.values()),
               math.exp(sum(map(math.log, ratios.values())) / len(ratios))))
        print("  slower by more than 10 %%: %s" % (", ".join(
            "%s x%.2f (%.0f ms)" % (n, r, took[n])
            for n, r in ratios.items() if r > 1.1) or "none"))
        for n in queries if args.verbose else ():
            print("  %5s %7.0f %7.0f  %.2f" %
                  (n, base[n], took[n], ratios[n]))
        for r in recs:
            print("    " + r["ddl"], flush=True)


if __name__ == "__main__":
    main()

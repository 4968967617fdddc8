#!/usr/bin/env python3
"""Real effect of the advice on a directory of queries.

realtime.py --queries DIR [--leave-out 2,17,20] [--budgets 300,1000] DB

Measures the CPU time of each query's backend without the advice, hands the
queries with those times to glperf.advise_indexes(), builds what it says for
real, measures again, and drops it.  A time is the best of --runs after one to
warm up.  Budgets are megabytes (10^6 bytes) on disk.  PG* variables name a
server on this machine (its /proc is read); run it when nothing else runs.
"""
import argparse
import json
import math
import re
import subprocess
import sys

from estimate import dollar, load, psql


def cpu_ms(db, text, runs, timeout):
    """Best CPU time of the query's backend in ms; None when it timed out."""
    script = ("SET statement_timeout = '%ds';\n"
              "SELECT pg_backend_pid() AS pid \\gset\n"
              "\\setenv BACKEND :pid\n" % timeout)
    tick = "\\! awk '{print \"ticks\", $14 + $15}' /proc/$BACKEND/stat\n"
    for _ in range(runs + 1):
        script += tick + "\\o /dev/null\n" + text + ";\n\\o\n" + tick
    run = subprocess.run(["psql", "-X", "-q", "-At", "-d", db], input=script,
                         capture_output=True, text=True)
    if "statement timeout" in run.stderr:
        return None
    if run.returncode or "ERROR" in run.stderr:
        sys.exit(run.stderr)
    ticks = [int(t) for t in re.findall(r"ticks (\d+)", run.stdout)]
    spent = [b - a for a, b in zip(ticks[2::2], ticks[3::2])]
    return 10.0 * max(min(spent), 0.5)


def measure(db, queries, args):
    return {name: cpu_ms(db, text, args.runs, args.timeout)
            for name, text in queries.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", required=True)
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--budgets", default="300,1000")
    parser.add_argument("--runs", type=int, default=2)
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
        psql(args.db, "".join(r["ddl"].replace("CONCURRENTLY ", "", 1) + ";"
                              for r in recs) + "CHECKPOINT;")
        names = [r["undo"].split()[-1] for r in recs]
        size = int(psql(args.db, "SELECT " + "+".join(
            ["pg_relation_size(%s)" % dollar(n) for n in names] or ["0"])))
        after = measure(args.db, queries, args)
        psql(args.db, "".join(r["undo"].replace("CONCURRENTLY ", "", 1) + ";"
                              for r in recs))
        took = {n: after[n] or args.timeout * 1000.0 for n in queries}
        ratios = {n: took[n] / before[n] for n in queries}
        print("budget %s MB: %d indexes, %.0f MB on disk, CPU %.3f of before,"
              " geometric mean %.3f" %
              (word, len(recs), size / 1e6,
               sum(took.values()) / sum(before[n] for n in queries),
               math.exp(sum(map(math.log, ratios.values())) / len(ratios))))
        print("  slower by more than 10 %%: %s" % (", ".join(
            "%s x%.2f (%.0f ms)" % (n, r, took[n])
            for n, r in ratios.items() if r > 1.1) or "none"))
        for r in recs:
            print("    " + r["ddl"])


if __name__ == "__main__":
    main()

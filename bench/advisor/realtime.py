#!/usr/bin/env python3
"""Real effect of the advice on a directory of queries.

realtime.py --queries DIR [--leave-out 2,17,20] [--budgets 300,1000]
            [--min-benefit 0.1] [--save FILE] [--apart 1,81] DB

Measures the CPU time of each query's backend, hands the queries with those
times to glperf.advise_indexes(), builds what it says for real, measures each
query by turns without and with the new indexes, and drops them.  A query whose
plan has not changed takes as long as before, but for how much faster or slower
the others without indexes have become since; one that does not finish within
--timeout in either state is left out.  A time is the best of --runs after one
to warm up, but for queries of twenty seconds and more, which warm themselves;
how far the first times and those by turns without indexes differ is said, too.
Budgets are megabytes (10^6 bytes) on disk; --min-benefit is what an index has
to save, in per cent of the workload's time.  The ratio is also said without the
queries that --apart names, of which advice knows all the same.  PG* variables
name a server on this machine (its /proc is read); run it when nothing else
runs.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys

from estimate import advise, dollar, load, psql


# A query that takes so long is not run once more to warm up.
LONG_MS = 20000


def cpu_ms(db, text, runs, timeout, indexes=(), warm_up=1):
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
    for _ in range(warm_up + runs):
        for valid in turns:
            if indexes:
                script += ("UPDATE pg_index SET indisvalid = %s WHERE"
                           " indexrelid = ANY (ARRAY[%s]::regclass[]);\n" %
                           (valid, ",".join(map(dollar, indexes))))
            script += (tick + "\\o /dev/null\n" + text + ";\n\\o\n" +
                       "\\echo failed :ERROR\n" + tick +
                       "\\if :ERROR\n\\q\n\\endif\n")
    run = subprocess.run(["psql", "-X", "-q", "-At", "-d", db], input=script,
                         capture_output=True, text=True)
    late = "statement timeout" in run.stderr
    if run.returncode or "ERROR" in run.stderr and not late:
        sys.exit(run.stderr)
    ticks = [int(t) / 1e6 for t in re.findall(r"ticks (\d+)", run.stdout)]
    failed = re.findall(r"failed (\w+)", run.stdout)
    spent = [math.inf if f == "true" else b - a
             for a, b, f in zip(ticks[0::2], ticks[1::2], failed)]
    best = [None if late else
            max(min(spent[warm_up * len(turns) + t::len(turns)]), 1)
            for t in range(len(turns))]
    return best if indexes else best[0]


def measure(db, queries, args):
    """Times without indexes; those in the file --save are not taken again."""
    times = {}
    if args.save and os.path.exists(args.save):
        with open(args.save) as file:
            times = json.load(file)
    for name, text in queries.items():
        if name not in times:
            times[name] = cpu_ms(db, text, 1, args.timeout, warm_up=0)
            if times[name] is not None and times[name] < LONG_MS:
                times[name] = cpu_ms(db, text, args.runs, args.timeout)
            if args.save:
                with open(args.save, "w") as file:
                    json.dump(times, file, indent=1)
    return {name: times[name] for name in queries}


def plan(db, text):
    return psql(db, "EXPLAIN (COSTS OFF) " + text)


def slower(ratios, times):
    return ", ".join("%s x%.2f (%.0f ms)" % (n, r, times[n]) for n, r in
                     ratios.items() if r > 1.1) or "none"


def say_ratios(what, names, base, took, expected):
    print("  %s: CPU %.3f of before (expected %.3f), geometric mean %.3f" %
          (what, sum(took[n] for n in names) / sum(base[n] for n in names),
           sum(base[n] * expected[n] for n in names) /
           sum(base[n] for n in names),
           math.exp(sum(math.log(took[n] / base[n]) for n in names) /
                    len(names))))


def say_advice(advice):
    """What the advice took, and what it promises."""
    summary = advice["summary"]
    share = summary["gain_ms_per_day"] / summary["workload_ms_per_day"]
    print("    %.1f s of CPU, %.1f planner calls a statement; gain %.1f %% of"
          " the time, at most %.1f with any indexes" %
          (advice["seconds"],
           summary["planner_calls"] / summary["statements"], 100 * share,
           summary["upper_bound_pct"]), flush=True)


def report(queries, before, both, expected, args):
    """both: times of those whose plan has changed."""
    late = [n for n in both if None in both[n]]
    kept = [n for n in queries if n not in late]
    # the machine may be faster or slower by now than when it ran the others
    pace = statistics.median([both[n][0] / before[n] for n in kept
                              if n in both] or [1])
    base = {n: both[n][0] if n in both else before[n] * pace for n in kept}
    took = {n: both[n][1] if n in both else base[n] for n in kept}
    ratios = {n: took[n] / base[n] for n in kept}
    say_ratios("%d queries" % len(kept), kept, base, took, expected)
    if args.apart:
        rest = [n for n in kept if n.lstrip("0") not in
                args.apart.split(",")]
        say_ratios("without %s" % args.apart, rest, base, took, expected)
    print("  not finished: %s" % (", ".join(late) or "none"))
    print("  slower by more than 10 %%: %s" % slower(ratios, took))
    # how far that may be chance: the same state, measured twice
    again = {n: max(base[n], before[n]) / min(base[n], before[n])
             for n in kept if n in both}
    print("  without indexes, once more: differ by more than 10 %%: %s" %
          slower(again, base))
    for n in kept if args.verbose else ():
        print("  %5s %7.0f %7.0f  %.2f expected %.2f" %
              (n, base[n], took[n], ratios[n], expected[n]))


def try_budget(db, queries, before, megabytes, args):
    """Build what is advised for a budget, measure, and undo."""
    advice = advise(db, [{"query": q, "queryid": i + 1, "calls": 100,
                          "time_ms": 100 * before[n]}
                         for i, (n, q) in enumerate(queries.items())],
                    megabytes * 1e6, args.min_benefit)
    recs = advice["indexes"]
    expected = {n: advice["ratios"].get(str(i + 1)) or 1.0
                for i, n in enumerate(queries)}
    plans = {n: plan(db, q) for n, q in queries.items()}
    names = [r["undo"].split()[-1] for r in recs]
    both = {}
    try:
        for r in recs:
            psql(db, r["ddl"].replace("CONCURRENTLY ", "", 1))
        size = int(psql(db, "CHECKPOINT; SELECT " + "+".join(
            ["pg_relation_size(%s)" % dollar(n) for n in names] or ["0"])))
        print("budget %.0f MB: %d indexes, %.0f MB on disk" %
              (megabytes, len(recs), size / 1e6), flush=True)
        say_advice(advice)
        for r in recs:
            print("    " + r["ddl"], flush=True)
        for n, q in queries.items():
            if plan(db, q) != plans[n]:
                both[n] = cpu_ms(db, q, args.runs, args.timeout, names,
                                 0 if before[n] >= LONG_MS else 1)
                if args.verbose:
                    print("    %s %s" % (n, both[n]), flush=True)
    finally:
        for r in recs:
            psql(db, r["undo"].replace("CONCURRENTLY ", "IF EXISTS ", 1))
    report(queries, before, both, expected, args)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", required=True)
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--budgets", default="300,1000")
    parser.add_argument("--min-benefit", type=float)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true",
                        help="times of each query")
    parser.add_argument("--save", metavar="FILE",
                        help="keep the times without indexes in FILE, and"
                        " take them from there")
    parser.add_argument("--apart", default="")
    parser.add_argument("--timeout", type=int, default=120)
    parser.add_argument("db")
    args = parser.parse_args()
    queries = load(args.queries, args.leave_out.split(","))
    before = measure(args.db, queries, args)
    late = [n for n in queries if before[n] is None]
    queries = {n: q for n, q in queries.items() if n not in late}
    print("%d queries, %.1f s of CPU without indexes; not finished: %s" %
          (len(queries), sum(before[n] for n in queries) / 1000,
           ", ".join(late) or "none"), flush=True)
    for word in args.budgets.split(","):
        try_budget(args.db, queries, before, float(word), args)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Estimated quality of the advice on a directory of queries.

estimate.py --queries DIR [--leave-out 2,17,20] [--budgets 250,500,...]
            [--min-benefit 0.1] DB

Hands the queries to glperf.advise_indexes() with equal weight per unit of
planner cost, and has the recommended sets priced by HypoPG, as the published
figures for other advisors were: workload cost relative to no index, in plain
sum and as geometric mean, and size in HypoPG's megabytes (10^6 bytes).
A budget is met in HypoPG's megabytes: glperf's own sizes are smaller, so the
budget handed in is lowered until HypoPG agrees, and the best of those tried
counts.  --min-benefit is what an index has to save, in per cent of the
workload's cost; without it, the default of glperf.advise_indexes().  PG* variables name the
server; needs the extensions glperf and hypopg.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys


def psql(db, script):
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1",
                          "-d", db], input=script, capture_output=True,
                         text=True)
    if run.returncode:
        sys.exit(run.stderr)
    return run.stdout


def dollar(text):
    return "$glperf_bench$" + text + "$glperf_bench$"


def load(directory, leave_out):
    queries = {}
    for name in sorted(os.listdir(directory)):
        stem = name[:-4]
        if not name.endswith(".sql") or stem.lstrip("0") in leave_out:
            continue
        with open(os.path.join(directory, name)) as file:
            queries[stem] = file.read().strip().rstrip(";")
    return queries


def advise(db, queries, budget, min_benefit=None):
    """(list of (ddl, bytes), summary) under a budget in bytes or None."""
    work = [{"query": text} for text in queries.values()]
    out = psql(db, "LOAD 'glperf'; SET glperf.cost_model = planner;"
               "SELECT jsonb_agg(jsonb_build_object('ddl', ddl, 'size',"
               " size_bytes) ORDER BY rank) FROM glperf.advise_indexes("
               "budget_bytes => %s, min_benefit_pct => %s,"
               " workload => %s::jsonb)"
               " WHERE action = 'create';"
               "SELECT to_jsonb(s) FROM glperf.advice_summary() s;" %
               ("NULL" if budget is None else int(budget),
                "NULL" if min_benefit is None else min_benefit,
                dollar(json.dumps(work))))
    first, second = out.split("\n", 2)[:2]
    return json.loads(first or "[]") or [], json.loads(second)


def hypopg(db, queries, ddl):
    """(cost of each query, HypoPG's size in bytes) with these indexes."""
    script = "SELECT hypopg_reset();"
    for text in ddl:
        plain = re.sub("CONCURRENTLY \\S+ ", "", text, 1)
        script += "SELECT 'made' FROM hypopg_create_index(%s);" % dollar(plain)
    script += ("SELECT 'size ' || coalesce(sum(hypopg_relation_size("
               "indexrelid)), 0) FROM hypopg_list_indexes;")
    for text in queries.values():
        script += "EXPLAIN (FORMAT JSON) " + text + ";"
    out = psql(db, script)
    size = int(re.search(r"^size (\d+)$", out, re.M).group(1))
    costs = [float(re.search(r'"Total Cost": ([0-9.]+)', plan).group(1))
             for plan in re.findall(r"^\[\n.*?^\]", out, re.M | re.S)]
    assert len(costs) == len(queries)
    return costs, size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", required=True)
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--budgets", default="250,500,1000,2000,")
    parser.add_argument("--min-benefit", type=float)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("db")
    args = parser.parse_args()
    queries = load(args.queries, args.leave_out.split(","))
    before, _ = hypopg(args.db, queries, [])
    print("%d queries, cost without indexes %.0f" % (len(queries), sum(before)))
    print("%8s %8s %8s %7s %7s %7s %9s %8s %6s" %
          ("budget", "HypoPG", "glperf", "indexes", "rel", "gm",
           "est.rel", "planner", "sec"))
    for word in args.budgets.split(","):
        budget = float(word) * 1e6 if word else None
        best = None
        # HypoPG's index is up to four times glperf's: find the budget in
        # glperf's megabytes that just fits in HypoPG's
        low, high, give = 0, budget, budget and budget * 0.25
        for step in range(13 if budget else 1):
            recs, summary = advise(args.db, queries, give, args.min_benefit)
            after, size = hypopg(args.db, queries, [r["ddl"] for r in recs])
            if budget is None or size <= budget:
                if best is None or sum(after) < sum(best[2]):
                    best = recs, summary, after, size
            if step < 5:
                low, high = ((give, high) if budget is None or size <= budget
                             else (low, give))
            # what HypoPG says does not grow steadily: look around in the end
            give = budget and ((low + high) / 2 if step < 5 else
                               low * (1.02 + 0.03 * (step - 5)))
        if best is None:
            print("%8s nothing fits" % word)
            continue
        recs, summary, after, size = best
        gm = math.exp(sum(math.log(a / b) for a, b in zip(after, before))
                      / len(before))
        print("%8s %8.0f %8.0f %7d %7.3f %7.3f %9.3f %8d %6.2f" %
              (word or "none", size / 1e6,
               sum(r["size"] for r in recs) / 1e6, len(recs),
               sum(after) / sum(before), gm,
               1 - summary["gain_ms_per_day"] / summary["workload_ms_per_day"],
               summary["planner_calls"], summary["elapsed_ms"] / 1000))
        if args.show:
            for r in recs:
                print("    %6.1f MB  %s" % (r["size"] / 1e6, r["ddl"]))
            for (name, _), a, b in zip(queries.items(), after, before):
                if a < b * 0.9 or a > b * 1.01:
                    print("    %s %.3f" % (name, a / b), end="")
            print()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Estimated quality of the advice on a directory of queries.

estimate.py --queries DIR [--leave-out 2,17,20] [--budgets 250,500,...]
            [--min-benefit 0.1] [--max-indexes 4,3,...] DB

Hands the queries to glperf.advise_indexes() with equal weight per unit of
planner cost, and has the recommended sets priced by HypoPG, as the published
figures for other advisors were: workload cost relative to no index, in plain
sum and as geometric mean, and size in HypoPG's megabytes (10^6 bytes), which
are what the budgets mean, too.  HypoPG 1.3 and 1.4 show the planner an index
with a condition or an expression only where its table is the first of the
query: such indexes are built for the measure, and rolled back.

--min-benefit is what an index has to save, in per cent of the workload's cost;
without it, the default of glperf.advise_indexes().  --max-indexes is how many
indexes there may be, one number or one for each budget.  PG* variables name
the server; needs the extensions glperf and hypopg.
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


def advise(db, work, budget, min_benefit=None, max_indexes=None, settings=""):
    """What glperf.advise_indexes() says of a workload under a budget in bytes.

    A dictionary: indexes, a list of {ddl, undo, size}; ratios, by queryid, what
    a statement should take of its time; summary; seconds of CPU.
    """
    def value(number):
        return "NULL" if number is None else "%g" % number
    out = psql(db, "LOAD 'glperf';" + settings +
               "SELECT coalesce(jsonb_agg(jsonb_build_object('ddl', ddl,"
               " 'undo', undo_ddl, 'size', size_bytes) ORDER BY rank), '[]')"
               " FROM glperf.advise_indexes("
               "budget_bytes => %s, min_benefit_pct => %s, max_indexes => %s,"
               " workload => %s::jsonb)"
               " WHERE action = 'create';"
               "SELECT jsonb_object_agg(coalesce(queryid, 0),"
               " 1 / speedup_ratio) FROM glperf.advised_statements();"
               "SELECT to_jsonb(s) FROM glperf.advice_summary() s;"
               "SELECT pg_read_file('/proc/self/stat');" %
               ("NULL" if budget is None else int(budget), value(min_benefit),
                value(max_indexes), dollar(json.dumps(work))))
    indexes, ratios, summary, stat = out.split("\n", 4)[:4]
    user, system = stat.rsplit(")", 1)[1].split()[11:13]
    return {"indexes": json.loads(indexes), "ratios": json.loads(ratios),
            "summary": json.loads(summary),
            "seconds": (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")}


def hidden_from_hypopg(ddl):
    """Has it a condition or an expression?"""
    return " WHERE " in ddl or "(" in ddl.split("(", 1)[1].split(" WHERE ")[0] \
        .replace(" INCLUDE (", "")


def hypopg(db, queries, ddl):
    """(cost of each query, HypoPG's size in bytes) with these indexes."""
    plain = [re.sub("CONCURRENTLY \\S+ ", "", text, 1) for text in ddl]
    script = "SELECT hypopg_reset();"
    for text in plain:
        script += "SELECT 'made' FROM hypopg_create_index(%s);" % dollar(text)
    script += ("SELECT 'size ' || coalesce(sum(hypopg_relation_size("
               "indexrelid)), 0) FROM hypopg_list_indexes;"
               "SELECT hypopg_reset(); BEGIN;")
    for text in plain:
        script += (text + ";" if hidden_from_hypopg(text) else
                   "SELECT 'made' FROM hypopg_create_index(%s);" %
                   dollar(text))
    for text in queries.values():
        script += "EXPLAIN (FORMAT JSON) " + text + ";"
    out = psql(db, script + "ROLLBACK;")
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
    parser.add_argument("--max-indexes", default="")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("db")
    args = parser.parse_args()
    queries = load(args.queries, args.leave_out.split(","))
    before, _ = hypopg(args.db, queries, [])
    print("%d queries, cost without indexes %.0f" % (len(queries), sum(before)))
    print("%8s %8s %7s %7s %7s %9s %8s %6s" %
          ("budget", "HypoPG", "indexes", "rel", "gm", "est.rel", "planner",
           "CPU s"))
    budgets = args.budgets.split(",")
    counts = args.max_indexes.split(",")
    if len(counts) == 1:
        counts *= len(budgets)
    for word, count in zip(budgets, counts):
        budget = float(word) * 1e6 if word else None
        advice = advise(args.db, [{"query": text} for text in
                                  queries.values()], budget,
                        args.min_benefit, int(count) if count else None,
                        "SET glperf.cost_model = planner;"
                        "SET glperf.size_model = hypopg;")
        recs, summary = advice["indexes"], advice["summary"]
        after, size = hypopg(args.db, queries, [r["ddl"] for r in recs])
        gm = math.exp(sum(math.log(a / b) for a, b in zip(after, before))
                      / len(before))
        print("%8s %8.0f %7d %7.3f %7.3f %9.3f %8d %6.2f" %
              (word or "none", size / 1e6, len(recs),
               sum(after) / sum(before), gm,
               1 - summary["gain_ms_per_day"] / summary["workload_ms_per_day"],
               summary["planner_calls"], advice["seconds"]))
        if args.show:
            for r in recs:
                print("    %6.1f MB  %s" % (r["size"] / 1e6, r["ddl"]))
            for (name, _), a, b in zip(queries.items(), after, before):
                if a < b * 0.9 or a > b * 1.01:
                    print("    %s %.3f" % (name, a / b), end="")
            print()


if __name__ == "__main__":
    main()

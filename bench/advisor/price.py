#!/usr/bin/env python3
"""Processor time of the steps of a plan, for extension/plan_price.c.

price.py [--rows 2000000] DB

Builds a table several times larger than the processor's caches in schema
glperf_price, runs plans that are forced to differ in one step, and prints
nanoseconds per step: the constants of plan_price.c are these figures, rounded.
Only their proportions matter there, since every statement's estimate is scaled
by its measured time.  Everything is in shared buffers.  PG* variables name a
server on this machine (its /proc is read); run it when nothing else runs.
"""
import argparse
import re
import subprocess
import sys

from estimate import psql

SETUP = """
DROP SCHEMA IF EXISTS glperf_price CASCADE;
CREATE SCHEMA glperf_price;
SET search_path = glperf_price;
CREATE TABLE t AS SELECT i AS id, ((i * 1103515245::int8) %% %(n)d)::int AS r,
 (i / 30)::int AS near, ((i * 1103515245::int8) %% (%(n)d / 30))::int AS far,
 (i %% 1000)::numeric / 100 AS num, repeat(md5(i::text), 3) AS pad,
 (i %% 7)::int AS last FROM generate_series(1, %(n)d) i;
CREATE INDEX t_id ON t (id);
CREATE INDEX t_r ON t (r);
CREATE INDEX t_near ON t (near);
CREATE INDEX t_far ON t (far);
CREATE TABLE outer_near AS SELECT i AS k FROM generate_series(1, 200000) i;
CREATE TABLE outer_far AS SELECT
 ((i * 1103515245::int8) %% %(n)d)::int AS k FROM generate_series(1, 200000) i;
CREATE TABLE few AS SELECT (i * 7919) %% (%(n)d / 30) AS k
 FROM generate_series(1, 10000) i;
CREATE TABLE few_near AS SELECT i AS k FROM generate_series(1, 10000) i;
VACUUM (FREEZE, ANALYZE) t;
VACUUM (FREEZE, ANALYZE) outer_near;
VACUUM (FREEZE, ANALYZE) outer_far;
VACUUM (FREEZE, ANALYZE) few;
VACUUM (FREEZE, ANALYZE) few_near;
"""

COMMON = ("SET search_path = glperf_price; SET jit = off;"
          "SET max_parallel_workers_per_gather = 0; SET work_mem = '1GB';"
          "SET enable_memoize = off; SET enable_material = off;"
          "SET join_collapse_limit = 1;")
LOOP = "SET enable_hashjoin = off; SET enable_mergejoin = off;" \
    "SET enable_seqscan = off; SET enable_bitmapscan = off;"
HASH = "SET enable_nestloop = off; SET enable_mergejoin = off;" \
    "SET enable_indexscan = off; SET enable_indexonlyscan = off;"
BITMAP = "SET enable_seqscan = off; SET enable_indexscan = off;" \
    "SET enable_indexonlyscan = off;"
SCAN = "SET enable_seqscan = off; SET enable_bitmapscan = off;"
# nothing is sent to the client, and no node above the plan adds work
DISCARD = " OFFSET 1000000000"


def ns(db, settings, query):
    """Best of three runs, in nanoseconds of the backend's processor time."""
    tick = "\\! cut -d' ' -f1 /proc/$BACKEND/schedstat | sed 's/^/ticks /'\n"
    script = (COMMON + settings + "\nSELECT pg_backend_pid() AS pid \\gset\n"
              "\\setenv BACKEND :pid\n")
    for _ in range(4):
        script += tick + "\\o /dev/null\n" + query + DISCARD + ";\n\\o\n" + tick
    run = subprocess.run(["psql", "-X", "-q", "-At", "-d", db], input=script,
                         capture_output=True, text=True)
    if run.returncode or "ERROR" in run.stderr:
        sys.exit(run.stderr)
    ticks = [int(t) for t in re.findall(r"ticks (\d+)", run.stdout)]
    return min(b - a for a, b in zip(ticks[2::2], ticks[3::2]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2000000)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("db")
    args = parser.parse_args()
    n = args.rows
    psql(args.db, SETUP % {"n": n})

    def run(query, settings=""):
        return ns(args.db, settings, query)

    def show(name, value):
        print("%-58s %8.1f" % (name, value), flush=True)

    seq = run("SELECT FROM t")
    show("sequential scan, row", seq / n)
    last = run("SELECT last FROM t WHERE last < 0") - run(
        "SELECT id FROM t WHERE id < 0")
    show("reaching the last of 7 columns instead of the first", last / n)
    first = run("SELECT FROM t WHERE id < 0")
    show("integer comparison, first column, row", (first - seq) / n)
    like = run("SELECT FROM t WHERE pad LIKE '%zz%zz%'")
    show("LIKE '%x%y%' over 96 bytes, row", (like - seq) / n)
    num = run("SELECT FROM t WHERE num < 0")
    show("numeric comparison, fifth column, row", (num - seq) / n)

    outer = run("SELECT FROM outer_far")
    for name, table in (("scattered", "outer_far"), ("in order", "outer_near")):
        only = run("SELECT FROM %s o JOIN t ON t.id = o.k" % table, LOOP)
        show("look-up %s, index only" % name, (only - outer) / 200000)
        heap = run("SELECT pad FROM %s o JOIN t ON t.id = o.k" % table, LOOP)
        show("look-up %s, index and row" % name, (heap - outer) / 200000)
    few = run("SELECT FROM few")
    for name, table, column in (("scattered", "few", "far"),
                                ("side by side", "few_near", "near")):
        only = run("SELECT FROM %s o JOIN t ON t.%s = o.k" % (table, column),
                   LOOP)
        show("30 entries a look-up, %s look-ups, entry" % name,
             (only - few) / 300000)
        heap = run("SELECT pad FROM %s o JOIN t ON t.%s = o.k" %
                   (table, column), LOOP)
        show("30 rows a look-up, %s, row" % name, (heap - few) / 300000)

    only = run("SELECT id FROM t WHERE id > 0", SCAN)
    show("index-only scan, row", only / n)
    show("index scan in table order, row",
         run("SELECT pad FROM t WHERE id > 0", SCAN) / n)
    show("index scan scattered, row",
         run("SELECT pad FROM t WHERE r > 0 AND r < %d" % (n // 10), SCAN) /
         (n / 10))
    for share in (100, 10, 2):
        show("bitmap scan of 1/%d of the rows, scattered, row" % share,
             run("SELECT pad FROM t WHERE r > 0 AND r < %d" % (n // share),
                 BITMAP) / (n / share))

    small = run("SELECT FROM t JOIN few_near f ON f.k = t.r", HASH)
    show("hash join, probe of a small table, row", (small - seq) / n)
    large = run("SELECT FROM outer_far o JOIN t ON t.r = o.k",
                HASH + "SET enable_seqscan = on;")
    show("hash join of 200,000 with %d rows, larger row" % n,
         (large - seq) / n)
    build = run("SELECT FROM t a LEFT JOIN t b ON a.r = b.id", HASH)
    show("hash join, build and probe a large table, row",
         (build - 2 * seq) / n)
    show("sort of integers, row",
         (run("SELECT r FROM t ORDER BY r", HASH) - seq) / n)
    show("sort of 96 bytes of text, row",
         (run("SELECT pad FROM t ORDER BY pad", HASH) - seq) / n)
    show("count(*), row", (run("SELECT count(*) FROM t") - seq) / n)
    ints = run("SELECT sum(id), max(r) FROM t")
    show("two integer aggregates, row", (ints - seq) / n)
    show("sum(numeric), row", (run("SELECT sum(num) FROM t") - seq) / n)
    show("sum(numeric * numeric), row",
         (run("SELECT sum(num * num) FROM t") - seq) / n)
    show("hash aggregate, 7 groups, row",
         (run("SELECT last FROM t GROUP BY last") - seq) / n)
    show("hash aggregate, as many groups as rows, row",
         (run("SELECT r FROM t GROUP BY r", HASH) - seq) / n)
    show("sorted aggregate over an index-only scan, row, without the scan",
         (run("SELECT id FROM t GROUP BY id",
              SCAN + "SET enable_hashagg = off;") - only) / n)
    if not args.keep:
        psql(args.db, "DROP SCHEMA glperf_price CASCADE;")


if __name__ == "__main__":
    main()

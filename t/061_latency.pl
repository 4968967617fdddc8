# Latency histograms: every execution is counted exactly once, whatever way it
# came, and percentiles are within 5 % of the truth.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('latency');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
max_prepared_transactions = 2
autovacuum = off
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i;
});

# Value of columns for the statement whose text in pg_stat_statements matches.
sub latency
{
	my ($pattern, $columns) = @_;
	$columns //= 'l.calls';
	return $node->safe_psql('postgres', qq{
SELECT $columns FROM glperf.statement_latency(true) l
JOIN pg_stat_statements(true) p USING (userid, dbid, queryid, toplevel)
WHERE p.query LIKE '$pattern' AND p.query NOT LIKE '%statement_latency%'
ORDER BY 1});
}

sub pgbench
{
	my ($script, @options) = @_;
	my $file = $node->basedir . '/script.sql';
	PostgreSQL::Test::Utils::append_to_file("$file", '');
	open my $fh, '>', $file or die $!;
	print $fh $script;
	close $fh;
	$node->command_ok([ 'pgbench', '-n', '-f', $file, @options, 'postgres' ],
		"pgbench @options");
}

# Failure proved: counts are lost or doubled when many backends write.
my $columns = 'v';
for my $mode (qw(simple extended prepared))
{
	pgbench("\\set i random(1, 1000)\nSELECT $columns FROM t WHERE id = :i;\n",
		'-c', 16, '-t', 200, '-M', $mode);
	is(latency("SELECT $columns FROM t%"), 3200, "16 clients x 200, $mode: 3200");
	$columns .= ', v';				# another statement
}

# Failure proved: a percentile is off by more than 5 %.  The truth is how long
# the server says in its log that each call took, not how long it should have.
# What it does besides running the statement may take a moment, and may move a
# call or two to the other side of a rank.
my $offset = -s $node->logfile;
{
	local $ENV{PGOPTIONS} = '-c log_min_duration_statement=0 -c log_statement=none';
	pgbench("\\set u random(1, 100)\n"
		  . "\\set ms CASE WHEN :u <= 90 THEN 40 + :u / 2 ELSE 150 + :u END\n"
		  . "SELECT pg_sleep(:ms / 1000.0) AS nap;\n",
		'-c', 20, '-t', 25);
}
my @truth = sort { $a <=> $b }
  slurp_file($node->logfile, $offset) =~ /duration: ([0-9.]+) ms  statement: SELECT pg_sleep.* AS nap/g;
is(scalar @truth, 500, 'the server logged 500 calls');
my @found = split /\|/, latency('SELECT pg_sleep%nap', 'p50_ms, p95_ms, p99_ms');
for my $p ([ p50 => 0.50 ], [ p95 => 0.95 ], [ p99 => 0.99 ])
{
	my $found = shift @found;
	my $rank = int($p->[1] * @truth + 0.999999) - 1;
	my ($low, $high) = @truth[ $rank - 3, $rank + 3 ];
	ok($found >= $low * 0.95 - 2 && $found <= $high * 1.05,
		sprintf('%s: %.1f ms, truly %.1f ms', $p->[0], $found, $truth[$rank]))
	  or diag("allowed: $low to $high, 5 % more or less");
}
is( latency('SELECT pg_sleep%nap',
		'l.calls = (SELECT sum(c) FROM unnest(l.cells) c) AND '
		  . 'abs(l.total_ms / p.total_exec_time - 1) < 0.02 AND '
		  . 'abs(l.max_ms / p.max_exec_time - 1) < 0.05'),
	't', 'cells, total and maximum agree with each other and with pg_stat_statements');

# Failure proved: a window, the difference of two readings, is not possible.
is( $node->safe_psql('postgres', q{
CREATE TEMP TABLE before_it AS SELECT cells, total_exec_time FROM glperf.statement_latency(true)
	JOIN pg_stat_statements USING (userid, dbid, queryid, toplevel) WHERE query LIKE 'SELECT pg_sleep%nap';
SELECT pg_sleep(400 / 1000.0) AS nap;
SELECT sum(n), glperf.latency_percentile(array_agg(n ORDER BY i), 0.95) / min(took) BETWEEN 0.93 AND 1.07
FROM (SELECT i, a - b AS n, p.total_exec_time - o.total_exec_time AS took FROM before_it o, glperf.statement_latency(true) l
	JOIN pg_stat_statements p USING (userid, dbid, queryid, toplevel),
	unnest(l.cells, o.cells) WITH ORDINALITY u(a, b, i) WHERE query LIKE 'SELECT pg_sleep%nap') x;
}), "\n1|t", 'percentile of a window');

# Failure proved: one kind of statement is not counted, counted per fetch, or
# counted again for what it runs inside.
$node->safe_psql('postgres', q{
CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT count(*) AS inner_one FROM t); END $$;
CREATE FUNCTION slow_trigger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$;
CREATE TABLE trig (a int);
CREATE TRIGGER t AFTER INSERT ON trig FOR EACH STATEMENT EXECUTE FUNCTION slow_trigger();
});
$node->safe_psql('postgres', q{
PREPARE p AS SELECT count(*) AS prepared_one FROM t WHERE id < $1;
EXECUTE p(1); EXECUTE p(2); EXECUTE p(3);
SELECT f() AS calls_a_function;
DO $$ BEGIN PERFORM count(*) AS inner_one FROM t; END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS cursor_one FROM t;
FETCH 10 FROM c; FETCH 10 FROM c;
COMMIT;
COPY (SELECT id AS copied FROM t LIMIT 3) TO STDOUT;
EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) AS inner_one FROM t;
CREATE TABLE ctas AS SELECT count(*) AS inner_one FROM t;
INSERT INTO trig VALUES (1);
BEGIN; INSERT INTO t VALUES (5000, 1); PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x';
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT sum(v) AS parallel_one FROM t;
});
like($node->safe_psql('postgres', q{
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN SELECT sum(v) AS parallel_one FROM t}), qr/Parallel/, 'a query that is parallel');
for my $case (
	[ 'prepared statements', '%AS prepared_one%' => 3 ],
	[ 'a function', '%calls_a_function%' => 1 ],
	[ 'DO', 'DO %' => 1 ],
	[ 'COPY', 'COPY %' => 1 ],
	[ 'EXPLAIN ANALYZE', 'EXPLAIN %inner_one%' => 1 ],
	[ 'CREATE TABLE AS', 'CREATE TABLE ctas%' => 1 ],
	[ 'a prepared transaction', 'PREPARE TRANSACTION%' => 1 ],
	[ 'a parallel query', 'SELECT sum(v) AS parallel_one%' => 1 ],
	[ 'nested statements', 'SELECT count(*) AS inner_one%' => '' ])
{
	is(latency($case->[1]), $case->[2], "$case->[0]: counted right");
}
is(latency('INSERT INTO trig%', 'p50_ms >= 47 AND p50_ms / p.max_exec_time BETWEEN 0.9 AND 1.1'),
	't', 'time of AFTER triggers is in');
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM pg_stat_statements p FULL JOIN
	(SELECT * FROM glperf.statement_latency() WHERE queryid IS NOT NULL) l USING (userid, dbid, queryid, toplevel)
WHERE p.calls IS DISTINCT FROM l.calls AND p.query NOT LIKE '%FULL JOIN%'
	AND p.query NOT LIKE '%before_it%'}),
	'0', 'every statement has as many calls as in pg_stat_statements');

# Failure proved: fetching in chunks, by a cursor or (since psql 17) from one
# result, counts each chunk.
{
	my $fetch = $node->basedir . '/fetch.sql';
	append_to_file($fetch, "\\set FETCH_COUNT 100\nSELECT id AS fetched FROM t;\n");
	$node->command_ok([ 'psql', '-XAtq', '-f', $fetch, 'postgres' ], 'FETCH_COUNT');
	is(latency('%AS fetched FROM t%'), 1, 'counted once, by a cursor or not');
}

# Failure proved: the same statement of two roles, or in two databases, is one.
$node->safe_psql('postgres', q{
CREATE ROLE other;
SELECT 1 AS whose;
SET ROLE other;
SELECT 1 AS whose; SELECT 1 AS whose;
});
$node->safe_psql('template1', 'SELECT 1 AS whose;' x 4);
is( latency('SELECT % AS whose', q{(SELECT datname FROM pg_database d WHERE d.oid = l.dbid)
	|| ' ' || (l.userid = 'other'::regrole) || ' ' || l.calls}),
	"postgres false 1\npostgres true 2\ntemplate1 false 4", 'by role and database');

# Failure proved: glperf.track does not do as it says.
$node->safe_psql('postgres', q{
SET glperf.track = 'all'; SET pg_stat_statements.track = 'all';
SELECT f() AS tracked; SELECT f() AS tracked;
SET glperf.track = 'none';
SELECT 1 AS untracked;
});
is(latency('(SELECT count(*) AS inner_one FROM t)', 'toplevel, l.calls'),
	'f|2', 'track = all: statements inside functions, not at the top level');
is(latency('SELECT % AS untracked'), '', 'track = none: nothing');

# Failure proved: overall and per-database figures differ from their parts.
is( $node->safe_psql('postgres', q{
WITH l AS MATERIALIZED (SELECT * FROM glperf.statement_latency()),
	d AS MATERIALIZED (SELECT * FROM glperf.database_latency())
SELECT (SELECT sum(calls) FROM l WHERE toplevel) = (SELECT calls FROM d WHERE is_total),
	(SELECT sum(calls) FROM d WHERE NOT is_total) = (SELECT calls FROM d WHERE is_total)}),
	't|t', 'totals are sums');

# Failure proved: nonsense given to latency_percentile() is taken for data.
for my $case (
	[ "'{1,2}', 0.5", qr/must have 240 cells, not 2/ ],
	[ 'array_fill(-1::int8, ARRAY[240]), 0.5', qr/negative count/ ],
	[ 'array_fill(1::int8, ARRAY[240]), 95', qr/above 0 and at most 1/ ],
	[ "array_fill(1::int8, ARRAY[240]), 'NaN'", qr/above 0 and at most 1/ ])
{
	my ($ret, $out, $err) = $node->psql('postgres',
		"SELECT glperf.latency_percentile($case->[0])");
	like($err, $case->[1], "latency_percentile($case->[0])");
}
is( $node->safe_psql('postgres',
		'SELECT glperf.latency_percentile(array_fill(0::int8, ARRAY[240]), 0.5) IS NULL'),
	't', 'no calls, no percentile');

# Failure proved: utility statements are lost to pg_stat_statements or to us,
# whichever is loaded first.
my $utilities = $node->basedir . '/utilities.sql';
append_to_file($utilities, q{
BEGIN; SET LOCAL work_mem = '8MB'; COMMIT;
CREATE TABLE u (a int); COPY u FROM stdin;
1
\.
COPY u TO stdout; VACUUM u; ALTER TABLE u ADD b int; TRUNCATE u;
DO $$ BEGIN PERFORM 1; END $$;
BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH 1 FROM c; CLOSE c; ROLLBACK;
LISTEN somewhere; UNLISTEN *; DISCARD ALL;
PREPARE pp AS SELECT 1 AS of_prepared; EXECUTE pp; DEALLOCATE pp;
DROP TABLE u;
});
my $rows = q{SELECT string_agg(query || ' ' || p.calls, E'\n' ORDER BY query, p.calls) FROM pg_stat_statements p
WHERE query !~ 'pg_stat_statements' AND query !~ 'glperf'};
my %utility_rows;
for my $libraries ('pg_stat_statements', 'pg_stat_statements, glperf', 'glperf, pg_stat_statements')
{
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'");
	$node->restart;
	$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
	$node->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', $utilities, 'postgres' ],
		"utility statements with $libraries");
	$utility_rows{$libraries} = $node->safe_psql('postgres', $rows);
	next if $libraries !~ /glperf/;
	is($utility_rows{$libraries}, $utility_rows{pg_stat_statements},
		"$libraries: pg_stat_statements has all that it has alone");
	is( $node->safe_psql('postgres', q{
SELECT string_agg(p.query || ': ' || p.calls || ', ' || coalesce(l.calls, 0), '; ') FROM pg_stat_statements p
LEFT JOIN glperf.statement_latency() l USING (userid, dbid, queryid, toplevel)
WHERE p.calls IS DISTINCT FROM l.calls AND p.query !~ 'pg_stat_statements'
	-- counted by pg_stat_statements since 17, never by us
	AND p.query !~ '^DEALLOCATE'}),
		'', "$libraries: so has glperf");

	# Prepared in the protocol, where pg_stat_statements clears the id for good.
	pgbench("SET glperf.track = 'top';\nSET glperf.track_utility = on;\nSET glperf.track = 'top';\n",
		'-c', 4, '-t', 25, '-M', $_) for qw(extended prepared);
	is( $node->safe_psql('postgres', q{
SELECT sum(l.calls) FILTER (WHERE query LIKE 'SET glperf.track = %'), sum(l.calls) FILTER (WHERE query LIKE 'SET glperf.track_utility%')
FROM glperf.statement_latency() l JOIN pg_stat_statements USING (userid, dbid, queryid, toplevel)}),
		'400|200', "$libraries: prepared utility statements are counted each time they run");
}

$node->stop;
done_testing();

# History: what snapshots keep, with the collector and without, and that it
# stays within bounds.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('history');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
autovacuum = off
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE TABLE t (a int);
});

# Rows of a statement in the history, oldest first.
sub history
{
	my ($pattern, $columns) = @_;
	return $node->safe_psql('postgres', qq{
SELECT $columns FROM glperf.history_statement h
WHERE queryid IN (SELECT queryid FROM pg_stat_statements WHERE query LIKE '$pattern') ORDER BY taken_at});
}

# Failure proved: everything since the server started is taken for the first
# window; windows overlap or miss calls.
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 5);
is($node->safe_psql('postgres', 'SELECT glperf.snapshot()'), '0', 'the first only notes where counting begins');
is($node->safe_psql('postgres', 'SELECT window_s IS NULL, source FROM glperf.history_snapshot'),
	't|collector', 'it says so');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 3 . 'SELECT pg_sleep(0.2);');
cmp_ok($node->safe_psql('postgres', 'SELECT glperf.snapshot()'), '>=', 2, 'the second keeps statements');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 4);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls, errors, p95_ms > 0, window_s > 0, role IS NOT NULL, database'),
	"3|0|t|t|t|postgres\n4|0|t|t|t|postgres", 'calls of each window');
is(history('SELECT pg_sleep%', 'calls, p50_ms BETWEEN 180 AND 260, total_ms BETWEEN 190 AND 400'),
	'1|t|t', 'percentiles of the window');
is( $node->safe_psql('postgres', q{
SELECT count(*), bool_and(calls > 0 AND per_second > 0) FROM glperf.history_database WHERE database IS NULL}),
	'2|t', 'totals of all databases');

# Failure proved: a restart, which begins counting anew, makes negative or
# enormous windows.
$node->restart;
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 2);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls'), "3\n4\n2", 'after a restart');
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;');
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 6);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls'), "3\n4\n2\n6", 'after a crash');

# Failure proved: history grows without bound, in time or in size.
$node->safe_psql('postgres', q{
INSERT INTO glperf.history_statement SELECT now() - i * interval '1 hour', 3600, 'postgres', 'postgres', 1, true, 1, 0, 1
FROM generate_series(1, 1000) i;
INSERT INTO glperf.history_snapshot SELECT now() - i * interval '1 hour', 3600, 'collector' FROM generate_series(1, 1000) i;
SELECT glperf.snapshot()});
is( $node->safe_psql('postgres', q{
SELECT max(now() - taken_at) BETWEEN interval '13 days' AND interval '15 days' FROM glperf.history_statement}),
	't', 'two weeks are kept');
is( $node->safe_psql('postgres', q{
SELECT count(*) > 0 FROM glperf.history_statement; SELECT glperf.snapshot(1) > 0;
SELECT max(now() - taken_at) < interval '25 hours' FROM glperf.history_statement;
SELECT glperf.snapshot(14, 1000) IS NOT NULL;
SELECT count(*) < 20 FROM glperf.history_snapshot}), "t\nt\nt\nt\nt", 'less when told to');

# Failure proved: a statement that became slower is not shown, or one that did
# not is.
$node->safe_psql('postgres', q{
TRUNCATE glperf.history_statement;
INSERT INTO glperf.history_statement
SELECT now() - d * interval '1 day' - h * interval '1 hour', 3600, 'postgres', 'postgres', q, true, 100, 0,
	100 * CASE WHEN q = 1 AND d = 0 THEN 30 ELSE 10 END, 1, 2, 3
FROM generate_series(0, 13) d, generate_series(1, 20) h, generate_series(1, 2) q;
});
is( $node->safe_psql('postgres', q{
SELECT queryid, mean_ms, mean_before_ms, mean_ratio, lost_ms > 0 FROM glperf.query_regressions ORDER BY lost_ms DESC}),
	"1|30|10|3|t\n2|10|10|1|f", 'regressions');

# Failure proved: two at once fail or keep a window twice.
my @runs = map {
	my ($in, $out, $err) = ('SELECT glperf.snapshot();' x 5, '', '');
	IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err) } 1 .. 4;
ok(!(grep { !$_->finish } @runs), 'four at once');

# Failure proved: the sampler does not run, stops at a database or extension
# that went away, stands in the way of dropping them, or fills the log.
$node->append_conf('postgresql.conf', "glperf.history_database = 'hist'\nglperf.history_interval = 1s");
$node->reload;
select(undef, undef, undef, 2);
$node->safe_psql('postgres', 'CREATE DATABASE hist');
select(undef, undef, undef, 3);
$node->safe_psql('hist', 'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf');
ok($node->poll_query_until('hist', 'SELECT count(*) >= 2 FROM glperf.history_snapshot'),
	'snapshots are taken once it is there');
$node->safe_psql('hist', 'DROP EXTENSION glperf');
select(undef, undef, undef, 2);
$node->safe_psql('hist', 'CREATE EXTENSION glperf');
ok($node->poll_query_until('hist', 'SELECT count(*) >= 2 FROM glperf.history_snapshot'),
	'and again after the extension was dropped and created');
my $dropped = 0;
for (1 .. 20)
{
	my ($r) = $node->psql('postgres', 'DROP DATABASE hist');
	last if $dropped = $r == 0;
}
ok($dropped, 'the database can be dropped');
select(undef, undef, undef, 4);
my $complaints = () = slurp_file($node->logfile) =~ /database "hist" does not exist/g;
cmp_ok($complaints, '<=', 8, 'a missing database is not asked for every second');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal 11/, 'nothing crashed');

# Failure proved: without the collector there is no history, or an obscure error.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements'");
$node->restart;
$node->safe_psql('postgres', 'TRUNCATE glperf.history_statement, glperf.history_snapshot, glperf.history_last');
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 3);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls, errors IS NULL, p95_ms IS NULL'), '3|t|t', 'from pg_stat_statements');
is($node->safe_psql('postgres', 'SELECT DISTINCT source FROM glperf.history_snapshot'),
	'pg_stat_statements', 'it says so');

$node->stop;
done_testing();

# More statements than fit, and crashes: totals stay, nobody is told, and the
# collector comes back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = GlperfNode::start('full', preload => 'glperf,pg_stat_statements',
	conf => q{
restart_after_crash = on
});
$node->safe_psql('postgres', q{
CREATE TABLE t (a int);
});

my $status = 'SELECT statements, statements_evicted FROM glperf.collector_status()';

# n different statements: different ids need different structure, such as
# another number of columns and another operator.
sub statements
{
	my ($from, $to) = @_;
	return join('', map {
		my $n = $_;
		'SELECT ' . join(',', map { ($n >> $_ & 1) ? 'a' : '1' } 0 .. 14)
		  . " FROM t;\n" } $from .. $to);
}

# Failure proved: the collector takes more memory than it promises.
is( $node->safe_psql('postgres', q{
SELECT sum(allocated_size) BETWEEN 12 * 1024^2 AND 16 * 1024^2 FROM pg_shmem_allocations WHERE name LIKE 'glperf %'}),
	't', 'at most 16 MB for 5,000 statements');
is( $node->safe_psql('postgres', q{
SELECT allocated_size <= 5000 * 2048 FROM pg_shmem_allocations WHERE name = 'glperf statements'}),
	't', 'of which each takes at most 2 kB, with its share of the index');

# Failure proved: 20,000 statements in a table of 5,000 lose counts, or the
# application hears of it.
my $before = $node->safe_psql('postgres',
	'SELECT calls FROM glperf.database_latency() WHERE is_total');
my ($ret, $out, $err) = $node->psql('postgres', statements(1, 20000));
is($err, '', 'no message to the client');
is( $node->safe_psql('postgres',
		'SELECT calls FROM glperf.database_latency() WHERE is_total') - $before,
	20001, '20,000 statements (and one of ours): none is lost');
my ($statements, $evicted) = split /\|/, $node->safe_psql('postgres', $status);
cmp_ok($statements, '<=', 5016, "the table holds $statements");
cmp_ok($statements, '>=', 3000, 'and is well used');

# Failure proved: a statement new to a full table never gets a place.
$node->poll_query_until('postgres',
	'SELECT statements_evicted > 200 FROM glperf.collector_status()')
  or diag $node->safe_psql('postgres', $status);
ok( $node->poll_query_until('postgres', q{
SELECT count(*) AS late_comer FROM t;
SELECT count(*) > 0 FROM glperf.statement_latency() l
JOIN pg_stat_statements p USING (userid, dbid, queryid, toplevel) WHERE p.query LIKE '%late_comer FROM t%'},
		"0\nt"), 'room is made for new ones');

# Failure proved: statements are evicted that are in use all the time.
is( $node->safe_psql('postgres', q{
SELECT sum(calls) = (SELECT calls FROM glperf.database_latency() WHERE is_total)
FROM glperf.statement_latency()}), 't', 'evictions keep the total');

# Failure proved: a backend killed in the middle leaves something locked.
my ($in, $crash_out, $crash_err) = ('', '', '');
my $sleeper = IPC::Run::start(
	[ 'psql', '-XAtqc', 'SELECT pg_sleep(600)', $node->connstr('postgres') ],
	'<', \$in, '>', \$crash_out, '2>', \$crash_err);
my $its_pid = q{SELECT min(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'};
$node->poll_query_until('postgres', "SELECT ($its_pid) IS NOT NULL");
my $pid = $node->safe_psql('postgres', $its_pid);
kill 'KILL', $pid;
$sleeper->finish;
# the entry of a killed backend stays until shared memory is made anew
ok( $node->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)"),
	'the server is back');
is( $node->safe_psql('postgres', 'SELECT preloaded, statements < 100 FROM glperf.collector_status()'),
	't|t', 'the collector, too, and it is empty');
$node->safe_psql('postgres', 'SELECT count(*) AS after_crash FROM t');
is( $node->safe_psql('postgres', q{
SELECT calls > 0 FROM glperf.database_latency() WHERE is_total}), 't', 'and it counts');

# Failure proved: immediate shutdown, or a restart with other sizes.
$node->stop('immediate');
$node->append_conf('postgresql.conf', 'glperf.max_statements = 100');
$node->start;
$node->safe_psql('postgres', statements(1, 500));
($statements) = split /\|/, $node->safe_psql('postgres', $status);
cmp_ok($statements, '<=', 116, 'the smallest table');
is( $node->safe_psql('postgres', q{
SELECT sum(calls) = (SELECT calls FROM glperf.database_latency() WHERE is_total)
FROM glperf.statement_latency()}), 't', 'keeps the total');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|signal 11/, 'no crash but the one we made');

# Failure proved: without preloading something crashes or pretends.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements'");
$node->restart;
is( $node->safe_psql('postgres', q{
LOAD 'glperf';
SELECT count(*) FROM glperf.statement_latency();
SELECT count(*) FROM glperf.database_latency();
SELECT count(*) FROM glperf.endpoints;
SELECT count(*) FROM glperf.errors;
SELECT * FROM glperf.collector_status();
}), "0\n0\n0\n0\nf|t|0|0|0|0|0|0|0|", 'not preloaded: no rows');

$node->stop;
done_testing();

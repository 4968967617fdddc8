# More waits than the profile has places for: it stays as large as it is, every
# sighting is counted, and the events of what found no place are still told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 16;
my $statements = 6000;			# the profile has 4,096 places for statements
my $node = GlperfNode::start('waits_full', preload => 'glperf', conf => q{
compute_query_id = on
max_connections = 60
glperf.wait_interval = 10ms
});
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT 1 AS a');
my $shared = q{SELECT sum(allocated_size) FROM pg_shmem_allocations WHERE name LIKE 'glperf%'};
my $bytes = $node->safe_psql('postgres', $shared);

# A script of different statements, each of which waits: another structure is
# another statement.
sub script
{
	my ($first) = @_;
	return join('', map {
		my $n = $first + $_ * $sessions;
		'SELECT pg_sleep(0.025), ' . join(',', map { ($n >> $_ & 1) ? 'a' : '1' } 0 .. 12) . " FROM t;\n"
	} 0 .. $statements / $sessions - 1);
}

my $dir = PostgreSQL::Test::Utils::tempdir;
my @files = map { "$dir/$_.sql" } 0 .. $sessions - 1;
append_to_file($files[$_], script($_)) for 0 .. $sessions - 1;

# What no statement's place was left for.
my $rest = q{SELECT coalesce(sum(samples), 0) FROM glperf.waits
WHERE wait_event = 'PgSleep' AND database IS NULL AND queryid IS NULL};

# A busy worker looks more rarely, and misses some: run them until it is full.
my ($found, $rounds) = (0, 0);
while (!$found && $rounds++ < 15)
{
	my @out = ('') x $sessions;
	my @run = map {
		IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $files[$_] ],
			'<', \undef, '>', \my $rows, '2>', \$out[$_]) } 0 .. $sessions - 1;
	$_->finish for @run;
	is(scalar(grep { /ERROR|FATAL/ } @out), 0, "round $rounds: no statement fails");
	$found = $node->safe_psql('postgres', $rest) > 0;
}

# Failure proved: a full profile drops what it has no place for.
ok($found, 'what finds no place is counted without its statement');
# Failure proved: it grows, or one row is told twice.
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM glperf.waits'), '<=',
	4096 + 512 + 1, 'the profile keeps its size');
is($node->safe_psql('postgres', $shared), $bytes, 'and its memory');
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM (SELECT 1 FROM glperf.waits
	GROUP BY database, queryid, wait_event_type, wait_event HAVING count(*) > 1) AS twice}),
	'0', 'each of them once');
# Failure proved: a statement's place is lost to newer ones.
cmp_ok($node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.waits WHERE wait_event = 'PgSleep' AND queryid IS NOT NULL}),
	'>', 2000, 'most places are taken by statements');
is($node->safe_psql('postgres', 'SELECT worker_pid IS NOT NULL FROM glperf.collector_status()'),
	't', 'the worker goes on');

done_testing();

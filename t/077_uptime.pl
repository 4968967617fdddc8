# The time in which the server was not there is known after an orderly restart,
# after a crash, and after an immediate stop, and judged once it was watched for
# long enough.  A copy of the server begins a history of its own.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION glperf');
my $row = q{SELECT status, message, remedy IS NOT NULL FROM glperf.health_server WHERE check_id = 'uptime'};
is($node->safe_psql('postgres', $row),
	'unknown|not watched: glperf is not in shared_preload_libraries|t',
	'nobody watches');

$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'glperf'});
$node->restart;

sub poll
{
	my ($condition, $name) = @_;
	ok( $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM glperf.uptime() WHERE $condition"),
		$name)
	  or diag($node->safe_psql('postgres', 'SELECT * FROM glperf.uptime()'));
	return;
}
poll('outages = 0 AND down_s = 0 AND last_outage_at IS NULL', 'no outage yet');
like($node->safe_psql('postgres', $row), qr/^unknown\|down 0 times, 0\.0 s together, in the last \S+ hours: too short to judge\|f$/,
	'too short to judge');
$node->safe_psql('postgres',
	q{UPDATE glperf.threshold SET warning = 0 WHERE id = 'uptime_evidence'});
like($node->safe_psql('postgres', $row), qr/^ok\|down 0 times, 0.0 s together/, 'always there');

# an orderly restart is known exactly
my $begin = time;
$node->stop;
sleep 3;
$node->start;
poll('outages = 1 AND down_s >= 3', 'a restart is an outage');
my $took = time - $begin;
cmp_ok($node->safe_psql('postgres', 'SELECT down_s FROM glperf.uptime()'),
	'<=', $took, 'no longer than it took');
like($node->safe_psql('postgres', $row), qr/^critical\|down 1 times, .*last at /,
	'which is too much of so short a time');
$node->safe_psql('postgres',
	q{UPDATE glperf.threshold SET warning = 1, critical = 0.1 WHERE id = 'uptime'});
like($node->safe_psql('postgres', $row), qr/^ok\|/, 'the limits are those of glperf.threshold');

# a crash, and an immediate stop
my $pid = $node->safe_psql('postgres',
	q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'});
kill 'KILL', $pid;
poll('outages = 2', 'a crash is an outage, too');
$node->stop('immediate');
$node->start;
poll('outages = 3', 'and so is an immediate stop');

# the collector alone, ended and started again, is none
$node->safe_psql('postgres', q{
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'glperf collector'});
$node->poll_query_until('postgres',
	'SELECT worker_pid IS NOT NULL FROM glperf.collector_status()')
  or die 'no collector';
poll('outages = 3', 'the server was there while its collector was not');

# another server knows nothing of this one's past
$node->backup('copy');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'copy');
$copy->start;
ok( $copy->poll_query_until('postgres', 'SELECT count(*) = 1 FROM glperf.uptime() WHERE outages = 0'),
	'a copy begins anew');
$copy->stop;

# a damaged file is no file
$node->stop;
my $file = $node->data_dir . '/pg_stat_tmp/glperf_uptime';
ok(-s $file, 'there is a file');
open(my $fh, '>', $file) or die $!;
print $fh 'nonsense';
close $fh;
$node->start;
poll('outages = 0', 'a damaged file is no file');
$node->stop;

done_testing();

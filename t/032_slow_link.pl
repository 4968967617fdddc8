# A link that is too slow: the standby replays whatever arrives at once, while
# readers see data that is ever older.  What it lacks can't be read here, so
# the seconds must be bounds that hold, and never ok.  A proxy on the way holds
# the bytes back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfProxy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

plan skip_all => 'needs Unix sockets'
  unless $PostgreSQL::Test::Utils::use_unix_sockets;

my $rate = 200_000;    # bytes a second, once the proxy has been told to

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "autovacuum = off\n");
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION glperf; CREATE TABLE t (x int)');
$primary->backup('base');

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $proxy = GlperfProxy::start("$dir/.s.PGSQL.1",
	$primary->host . '/.s.PGSQL.' . $primary->port, $rate);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf',
	"primary_conninfo = 'host=$dir port=1 application_name=standby'\n"
	  . "wal_receiver_status_interval = 1s\n");
$standby->start;
$primary->safe_psql('postgres', 'INSERT INTO t VALUES (1)');
$primary->wait_for_catchup($standby);
$standby->poll_query_until('postgres',
	"SELECT state = 'ok' AND status = 'ok' FROM glperf.replication_lag")
  or die 'never ok';
pass('a fast link is ok');

#
# Idle for a while, then one transaction of 4 MB, which takes 20 seconds.
#
foreach my $node ($primary)
{
	$node->safe_psql('postgres',
		"UPDATE glperf.threshold SET warning = 1, critical = 3 "
		  . "WHERE id = 'replication_lag'");
}
$primary->wait_for_catchup($standby);
sleep 4;
kill 'USR1', $proxy;
$primary->safe_psql('postgres',
	"SELECT pg_logical_emit_message(true, 'bulk', repeat('y', 4000000))");
my $written = time;

my $columns = 'state, status, lag_s, lag_at_least_s, lag_at_most_s, lag_bytes';
foreach my $wait (2, 4, 6)
{
	# a busy machine is late; what arrives within 20 seconds is no longer behind
	my $left = $written + $wait - time;
	sleep $left if $left > 0;
	last if time > $written + 15;
	my $before = time - $written;
	my ($state, $status, $lag, $least, $most, $bytes) = split /\|/,
	  $standby->safe_psql('postgres',
		"SELECT $columns FROM glperf.replication_lag"), -1;
	my $after = time - $written;
	is("$state $lag", 'behind ', "after $wait s: behind, by how much isn't known");
	isnt($status, 'ok', "after $wait s: not ok");
	ok($least <= $after + 0.7, "after $wait s: the lower bound holds")
	  or diag("got $least, truth $before to $after");
	ok($most >= $before, "after $wait s: the upper bound holds")
	  or diag("got $most, truth $before to $after");
	cmp_ok($bytes, '>', 1_000_000, "after $wait s: megabytes behind")
	  if $after < 10;

	$before = time - $written;
	my $lag_there = $primary->safe_psql('postgres',
		'SELECT replay_lag_s FROM glperf.replication');
	$after = time - $written;
	ok($lag_there ne '' && $lag_there > $before - 0.7 && $lag_there < $after + 0.7,
		"after $wait s: the primary knows the seconds")
	  or diag("got '$lag_there', truth $before to $after");
}

# the link recovers
kill 'USR2', $proxy;
ok($standby->poll_query_until('postgres',
	"SELECT state = 'ok' AND status = 'ok' FROM glperf.replication_lag"),
	'ok once everything has arrived');

#
# Many small transactions, more than the link can carry.
#
kill 'USR1', $proxy;
my $writer = IPC::Run::start(
	[
		'psql', '-X', '-q', '-d', $primary->connstr('postgres'), '-c', q{
DO $$
BEGIN
	FOR i IN 1..100 LOOP
		PERFORM pg_logical_emit_message(true, 'load', repeat('y', 100000));
		COMMIT;
		PERFORM pg_sleep(0.1);
	END LOOP;
END
$$}
	]);
my $seconds = 'SELECT replay_lag_s FROM glperf.replication';
ok($primary->poll_query_until('postgres', "SELECT coalesce(s > 3, false) FROM ($seconds) r (s)"),
	'steady load: the primary knows of more than 3 s');
my $before = $primary->safe_psql('postgres', $seconds);
my ($state, $status, $least, $most) = split /\|/,
  $standby->safe_psql('postgres',
	'SELECT state, status, lag_at_least_s, lag_at_most_s '
	  . 'FROM glperf.replication_lag');
my $after = $primary->safe_psql('postgres', $seconds);
isnt("$state $status", 'ok ok', 'steady load: not ok');
is($state, 'behind', 'steady load: behind');
my ($low, $high) = sort { $a <=> $b } $before, $after;
ok($least <= $high + 0.5 && $most >= $low - 0.5,
	'steady load: the truth is between the bounds')
  or diag("$least .. $most, truth $before to $after");
$writer->kill_kill;

$standby->stop('immediate');
$primary->stop('immediate');
kill 'TERM', $proxy;
done_testing();

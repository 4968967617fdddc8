# Lag of a standby where the collector is loaded: within half a second of the
# truth whatever happens.  The truth is the time of the first commit that the
# standby does not show, as the primary stamped it; both nodes have one clock,
# and the lag comes with the time at which it was read, so that a busy machine
# makes no difference.

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

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => ['--wal-segsize=1']);
$primary->append_conf('postgresql.conf', q{
shared_preload_libraries = 'glperf'
track_commit_timestamp = on
max_wal_size = 4MB
min_wal_size = 2MB
autovacuum = off
});
$primary->start;
$primary->safe_psql('postgres',
	'CREATE EXTENSION glperf; CREATE TABLE t (id int PRIMARY KEY)');
$primary->backup('base');

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $proxy = GlperfProxy::start("$dir/.s.PGSQL.1",
	$primary->host . '/.s.PGSQL.' . $primary->port, 200_000);
END { kill 'TERM', $proxy if defined $proxy }

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf',
	"primary_conninfo = 'host=$dir port=1 application_name=standby'\n"
	  . "wal_receiver_status_interval = 1s\n");
$standby->start;
$standby->backup('base');
my $last = PostgreSQL::Test::Cluster->new('last');
$last->init_from_backup($standby, 'base', has_streaming => 1);
$last->start;

my $id = 0;

# Commit a row after what precedes it in the transaction; returns its id.
sub commit
{
	my ($first) = @_;
	$id++;
	$primary->safe_psql('postgres',
		'BEGIN; ' . ($first // '') . "; INSERT INTO t VALUES ($id); COMMIT");
	return $id;
}

# Wait until the standby is up to date and knows it.
sub settle
{
	my ($node) = @_;
	$node->poll_query_until('postgres', "SELECT count(*) = $id FROM t")
	  or die 'never caught up';
	$node->poll_query_until('postgres',
		"SELECT state = 'ok' AND lag_s = 0 FROM glperf.replication_lag")
	  or die 'never ok';
	return;
}

# Wait until that long after a commit, and compare the lag with the truth.
sub lag_is_true
{
	my ($node, $row, $wait, $name) = @_;
	my $at = $primary->safe_psql('postgres',
		"SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM t WHERE id = $row");
	sleep($at + $wait - time) if $at + $wait > time;
	my ($state, $lag, $least, $most, $read_at) = split /\|/,
	  $node->safe_psql('postgres', q{
SELECT state, lag_s, lag_at_least_s, lag_at_most_s, extract(epoch FROM clock_timestamp())
FROM glperf.replication_lag});
	my $truth = $read_at - $at;
	ok(fits($lag, $most, $truth, $truth), "$name: lag within 0.5 s")
	  or diag("$state, $lag s ($least to $most), truly $truth");
	return;
}

# Is that the lag, give or take half a second?  What a slow link holds back is
# as old as the announcement of it, or older, up to the announcement before:
# when a busy machine lets the collector look seldom, the view says what it can
# be at most.
sub fits
{
	my ($lag, $most, $truth_least, $truth_most) = @_;
	return $lag ne '' && $lag <= $truth_most + 0.5
	  && ($most eq '' || $most < $lag ? $lag : $most) >= $truth_least - 0.5;
}

settle($standby);
settle($last);

# Failure proved: idle time is taken for lag.
sleep 3;
is($standby->safe_psql('postgres', 'SELECT lag_s FROM glperf.replication_lag'),
	'0', 'idle primary: no lag');

# Failure proved: the first commit after idling is as old as the idle time; WAL
# without a commit makes anything stale.
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$primary->safe_psql('postgres',
	"SELECT pg_logical_emit_message(false, 'noise', repeat('y', 300000))");
$standby->poll_query_until('postgres',
	'SELECT lag_bytes >= 300000 FROM glperf.replication_lag');
is($standby->safe_psql('postgres', 'SELECT lag_s FROM glperf.replication_lag'),
	'0', 'WAL without a commit: no lag');
my $row = commit();
lag_is_true($standby, $row, $_, "paused, $_ s") for (1.5, 3);

# Failure proved: WAL that the primary has recycled meanwhile is not known here.
my $first = $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
for (1 .. 12)
{
	commit("SELECT pg_logical_emit_message(true, 'bulk', repeat('y', 1000000))");
	$primary->safe_psql('postgres', 'CHECKPOINT') if $_ % 4 == 0;
}
ok( $primary->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_ls_waldir() WHERE name = '$first'"),
	'the primary has removed the WAL');
lag_is_true($standby, $row, 0, 'paused for longer than WAL is kept');
$primary->append_conf('postgresql.conf', "wal_keep_size = 1GB\nmax_wal_size = 1GB");
$primary->reload;

# Failure proved: a standby downstream takes the middle one's lag for its own,
# or the other way round.
is($last->safe_psql('postgres', "SELECT count(*) >= $id FROM t"), 't',
	'a cascading standby is ahead of the one that is paused')
  if $last->poll_query_until('postgres', "SELECT count(*) = $id FROM t");
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
settle($standby);
settle($last);
$last->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$row = commit();
settle($standby);
lag_is_true($last, $row, 1.5, 'cascading standby, paused');
$last->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
settle($last);

# Failure proved: a restart forgets how old WAL is that waits for replay.
$primary->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 1 WHERE id = 'replication_lag'");
$row = commit();
settle($standby);
$standby->append_conf('postgresql.conf', "recovery_min_apply_delay = '1h'");
$standby->restart;
$row = commit();
$standby->poll_query_until('postgres',
	'SELECT lag_bytes > 0 FROM glperf.replication_lag');
lag_is_true($standby, $row, 1.5, 'delayed replay');
# Failure proved: a delay that is wanted is judged.
ok($standby->poll_query_until('postgres', q{
SELECT state = 'ok' AND status = 'ok' AND lag_s > 1.2
	AND message ~ '3600 s of it are recovery_min_apply_delay' FROM glperf.replication_lag}),
	'a delay that is wanted is no finding');
$standby->restart;
lag_is_true($standby, $row, 3, 'after a restart, not connected yet');
$standby->append_conf('postgresql.conf', 'recovery_min_apply_delay = 0');
$standby->reload;
settle($standby);
$primary->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 10 WHERE id = 'replication_lag'");
$row = commit();
settle($standby);

# Failure proved: how old the data is that a slow link holds back is not known.
# One transaction first, then more than the link can carry.
sleep 2;
kill 'USR1', $proxy;
$row = commit("SELECT pg_logical_emit_message(true, 'bulk', repeat('y', 2000000))");
lag_is_true($standby, $row, $_, "slow link, $_ s") for (2, 4, 6);
kill 'USR2', $proxy;
settle($standby);

kill 'USR1', $proxy;
# in one session: more than the link carries, however busy the machine is
$primary->safe_psql('postgres', join('', map {
	$id++;
	"BEGIN; SELECT pg_logical_emit_message(true, 'load', repeat('y', 100000)); "
	  . "INSERT INTO t VALUES ($id); COMMIT; SELECT pg_sleep(0.1);\n" } 1 .. 40));
my ($looks, $precise) = (0, 0);
while ($looks < 3 || !$precise && $looks < 10)
{
	sleep 1;
	$looks++;
	# which row it misses and how old it says that it is, at one time
	my ($has, $lag, $most, $read_at, $state) = split /\|/, $standby->safe_psql('postgres', q{
SELECT (SELECT max(id) FROM t), lag_s, lag_at_most_s, extract(epoch FROM clock_timestamp()), state FROM glperf.replication_lag});
	my $after = $standby->safe_psql('postgres', 'SELECT max(id) FROM t');
	last if $after == $id;
	# replay goes on while the view is read: either row may be the first missed
	my @truth = map { $read_at - $primary->safe_psql('postgres',
			"SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM t WHERE id = $_ + 1") } ($has, $after);
	ok(fits($lag, $most, @truth[1, 0]), "steady load on a slow link, $looks: lag within 0.5 s")
	  or diag("$state, $lag s, at most $most s, truly $truth[1] to $truth[0]");
	$precise++ if fits($lag, $lag, @truth[1, 0]);
}
cmp_ok($precise, '>', 0, "$precise of $looks lags are right without their bound");
kill 'USR2', $proxy;
settle($standby);

$last->stop;
$standby->stop;
$primary->stop;
done_testing();

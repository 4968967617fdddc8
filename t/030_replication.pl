# A real primary and a streaming standby through everything that makes usual
# lag formulas lie: an idle primary, the first write after idling, a paused
# replay, a receiver that hangs, a link that is cut, a slot that is lost, a
# promotion.  Beside each verdict stands what the guide's formula,
# now() - pg_last_xact_replay_timestamp(), says at that moment.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $guide = 'SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())';
# the correction that most exporters apply to it
my $popular = "SELECT CASE WHEN pg_last_wal_receive_lsn() = "
  . "pg_last_wal_replay_lsn() THEN 0 ELSE ($guide) END";

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => ['--wal-segsize=1']);
$primary->append_conf(
	'postgresql.conf', q{
checkpoint_timeout = 1h
max_wal_size = 200MB
wal_keep_size = 0
wal_sender_timeout = 8s
synchronous_commit = local
autovacuum = off
});
$primary->start;
$primary->safe_psql(
	'postgres', q{
CREATE EXTENSION glperf;
CREATE TABLE t (x text);
CREATE ROLE watcher LOGIN;
GRANT pg_monitor TO watcher;
SELECT pg_create_physical_replication_slot('standby_slot', true);
});
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf(
	'postgresql.conf', q{
primary_slot_name = 'standby_slot'
wal_receiver_timeout = 4s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
});
$standby->start;

# One row of replication_lag as a hash.
sub lag
{
	my ($node) = @_;
	my @names = qw(role state lag_bytes lag_s lag_at_least_s lag_at_most_s
	  last_message_age_s status message remedy);
	my %row;
	@row{@names} = split /\x1f/,
	  $node->safe_psql('postgres',
		'SELECT ' . join(', ', @names) . ' FROM glperf.replication_lag',
		extra_params => [ '-F', "\x1f" ]), -1;
	return \%row;
}

# The rows of glperf.replication, as a list of hashes.
sub standbys
{
	my ($node, $where) = @_;
	my @names = qw(kind name slot_name state sent_lag_bytes write_lag_bytes
	  flush_lag_bytes replay_lag_bytes replay_lag_s reply_age_s wal_status
	  retained_wal_bytes safe_wal_bytes seconds_to_lost status message remedy);
	my @rows;
	foreach my $line (
		split /\n/,
		$node->safe_psql('postgres',
			'SELECT ' . join(', ', @names) . ' FROM glperf.replication WHERE '
			  . ($where // 'true') . ' ORDER BY kind, name',
			extra_params => [ '-F', "\x1f" ]))
	{
		my %row;
		@row{@names} = split /\x1f/, $line, -1;
		push @rows, \%row;
	}
	return @rows;
}

# Polls glperf.replication_lag until its state is the one asked for.
sub wait_for_state
{
	my ($node, $state) = @_;
	return $node->poll_query_until('postgres',
		"SELECT state = '$state' FROM glperf.replication_lag");
}

# Times are taken before and after what is timed, as a busy machine may take a
# second to start psql.
sub between
{
	my ($value, $low, $high, $name) = @_;
	ok($value ne '' && $value >= $low && $value <= $high, $name)
	  or diag("got '$value', expected $low .. $high");
	return;
}

#
# Nothing is wrong.
#
wait_for_state($standby, 'ok') or die 'standby never became ok';
$primary->safe_psql('postgres', "INSERT INTO t VALUES ('first')");
$primary->wait_for_catchup($standby);

my $here = lag($primary);
is("$here->{role} $here->{state} $here->{lag_bytes} $here->{lag_s} $here->{status}",
	'primary primary 0 0 ok', 'a primary is not behind, and raises no error');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM glperf.replication'),
	'0', 'a standby without standbys of its own lists none, without an error');
my ($row, @more) = standbys($primary);
is(scalar(@more), 0, 'one row: the standby and its slot are one thing');
is("$row->{kind} $row->{slot_name} $row->{state} $row->{status}",
	'standby standby_slot streaming ok', 'the standby streams');
is($row->{remedy}, '', 'nothing to do for a standby that is well');
foreach my $view (
	qw(health_replication health_pool pool_connections pool_state pool_summary
	pool_checks pool_conformance pool_hosts connections blocking_edges blocking
	blocking_roots))
{
	like($standby->safe_psql('postgres', "SELECT count(*) FROM glperf.$view"),
		qr/^\d+$/, "$view answers on a standby");
}
is($primary->safe_psql('postgres',
	'SELECT count(*) FROM glperf.commit_after(pg_current_wal_lsn()) '
	  . 'WHERE committed_at IS NULL AND complete'),
	'1', 'no commit lies beyond the end of the WAL');
is($primary->safe_psql('postgres',
	"SELECT count(*) FROM glperf.commit_after('0/100') "
	  . 'WHERE committed_at IS NULL AND NOT complete'),
	'1', 'WAL that is gone gives "not known", not an error');

#
# An idle primary: the guide's formula grows beyond its own 10 s limit.
#
sleep 11;
my $said = $standby->safe_psql('postgres', $guide);
cmp_ok($said, '>', 10, "idle primary: the guide's formula says $said s");
$here = lag($standby);
is("$here->{state} $here->{lag_bytes} $here->{status}", 'ok 0 ok',
	'idle primary: no lag');
between($here->{lag_s}, 0, 0, 'idle primary: 0 seconds');

#
# One write after idling, replay paused: about a second of lag, not the length
# of the idle time, on both sides.
#
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres',
	"SELECT pg_get_wal_replay_pause_state() = 'paused'");
$here = lag($standby);
is("$here->{state} $here->{status}", 'paused warning',
	'a paused replay is never ok, even with nothing to replay');
is($here->{remedy}, 'SELECT pg_wal_replay_resume();', 'remedy of a pause');

my @written = (time);
$primary->safe_psql('postgres', "INSERT INTO t VALUES ('after idling')");
push @written, time;
$standby->poll_query_until('postgres',
	'SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()');
sleep 1.5;
$said = $standby->safe_psql('postgres', $guide);
my @truth = (time - $written[1]);
$here = lag($standby);
push @truth, time - $written[0];
cmp_ok($said, '>', 11,
	"one write after idling: the guide's formula says $said s");
is($here->{state}, 'paused', 'replay is paused');
between($here->{lag_s}, $truth[0] - 0.5, $truth[1] + 0.5,
	"standby: lag within 0.5 s of the truth");
cmp_ok($here->{lag_bytes}, '>', 0, 'standby: and some bytes');
@truth = (time - $written[1]);
($row) = standbys($primary);
push @truth, time - $written[0];
between($row->{replay_lag_s}, $truth[0] - 0.5, $truth[1] + 0.5,
	'primary: lag of the standby within 0.5 s of the truth');
is($row->{flush_lag_bytes}, '0', 'primary: the standby has the WAL on disk');
cmp_ok($row->{replay_lag_bytes}, '>', 0, 'primary: but has not replayed it');

# the verdict follows the threshold, wherever somebody has put it
$primary->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 0.1, critical = 0.2 "
	  . "WHERE id = 'replication_lag'");
($row) = standbys($primary);
is($row->{status}, 'critical', 'the limits are those of glperf.threshold');
$primary->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 10, critical = 60 "
	  . "WHERE id = 'replication_lag'");
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
wait_for_state($standby, 'ok');
$primary->wait_for_catchup($standby);
is(lag($standby)->{status}, 'ok', 'ok again after the pause');

# A transaction that has written much and not committed is not lag.
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
my $open = IPC::Run::start(
	[
		'psql', '-X', '-q', '-d', $primary->connstr('postgres'),
		'-c', q{
BEGIN;
INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 3000);
SELECT pg_sleep(3);
ROLLBACK}
	],
	'>', '/dev/null');
$standby->poll_query_until('postgres',
	'SELECT lag_bytes > 3000000 FROM glperf.replication_lag');
sleep 1;
$here = lag($standby);
between($here->{lag_s}, 0, 0, 'uncommitted changes make nothing stale');
cmp_ok($here->{lag_bytes}, '>', 3_000_000, 'but their bytes wait');
($row) = standbys($primary);
between($row->{replay_lag_s}, 0, 0, 'nor seen from the primary');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$open->finish;
$primary->wait_for_catchup($standby);

#
# A receiver that hangs.
#
my $receiver =
  $standby->safe_psql('postgres', 'SELECT pid FROM pg_stat_wal_receiver');
kill 'STOP', $receiver;
@written = (time);
$primary->safe_psql('postgres',
	"INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
push @written, time;
sleep 2;
@truth = (time - $written[1]);
($row) = standbys($primary, "kind = 'standby'");
push @truth, time - $written[0];
cmp_ok($row->{replay_lag_bytes}, '>=', 5_000_000,
	'hung receiver, primary: all bytes are counted');
between($row->{replay_lag_s}, $truth[0] - 0.5, $truth[1] + 0.5,
	'hung receiver, primary: seconds since the commit it does not have');
wait_for_state($standby, 'stalled')
  or diag(explain(lag($standby)));
$here = lag($standby);
is($standby->safe_psql('postgres', $popular), '0',
	'hung receiver: the popular formula says 0');
is($here->{state}, 'stalled', 'hung receiver, standby: stalled');
is($here->{lag_s}, '', 'hung receiver, standby: seconds are not known');
isnt($here->{status}, 'ok', 'hung receiver, standby: not ok');
cmp_ok($here->{lag_at_most_s}, '>=', 3,
	'hung receiver, standby: but an upper bound is');
ok($primary->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM glperf.replication WHERE status <> 'ok' "
	  . "AND state IN ('stalled', 'disconnected') AND slot_name = 'standby_slot'"),
	'hung receiver, primary: the row says so');
ok($primary->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM glperf.replication WHERE kind = 'slot' "
	  . "AND state = 'disconnected' AND status <> 'ok'"),
	'hung receiver dropped: the standby stays visible by its slot');
kill 'CONT', $receiver;
wait_for_state($standby, 'ok');
$primary->wait_for_catchup($standby);
is(lag($standby)->{status}, 'ok', 'ok again after the hang');

#
# The link is cut, the primary writes on until the slot is lost.
#
my $conninfo =
  $standby->safe_psql('postgres', "SELECT current_setting('primary_conninfo')");
(my $nowhere = $conninfo) =~ s/port=\S+/port=1/;
$standby->safe_psql('postgres',
	"ALTER SYSTEM SET primary_conninfo = " . quote_sql($nowhere));
$standby->reload;
ok(wait_for_state($standby, 'disconnected'), 'cut link: disconnected');
$here = lag($standby);
is($standby->safe_psql('postgres', $popular), '0',
	'cut link: the popular formula says 0');
isnt($here->{status}, 'ok', 'cut link: not ok');
is($here->{lag_s}, '', 'cut link: seconds are not known');

$primary->safe_psql('postgres',
	"ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
$primary->reload;
$primary->safe_psql('postgres', 'CHECKPOINT');

# about 1.5 MB of WAL a second
my $writer = IPC::Run::start(
	[
		'psql', '-X', '-q', '-d', $primary->connstr('postgres'), '-c', q{
DO $$
BEGIN
	FOR i IN 1..1200 LOOP
		PERFORM pg_logical_emit_message(true, 'load', repeat('y', 75000));
		COMMIT;
		PERFORM pg_sleep(0.05);
	END LOOP;
END
$$}
	]);
my ($forecast, $forecast_at, $lost_at, $pace, @path, %seen);
my $until = time + 60;
while (time < $until)
{
	my ($slot) = standbys($primary, "kind = 'slot'");
	my $now = time;
	$seen{"$slot->{state} $slot->{wal_status} $slot->{status}"} = 1;
	if ($slot->{seconds_to_lost} ne '' && $slot->{safe_wal_bytes} ne '')
	{
		push @path, [ $now, $slot->{safe_wal_bytes} ];
		# half way through, predict the end
		if (!defined $forecast && $slot->{safe_wal_bytes} < 7 * 1024 * 1024)
		{
			$forecast = $slot->{seconds_to_lost};
			$forecast_at = $now;
			# as many bytes as are left took that long
			my ($since) = grep { $_->[1] <= 2 * $slot->{safe_wal_bytes} } @path;
			$pace = ($now - $since->[0]) * $slot->{safe_wal_bytes}
			  / ($since->[1] - $slot->{safe_wal_bytes} || 1);
		}
		if ($slot->{safe_wal_bytes} <= 0)
		{
			$lost_at = $now;
			last;
		}
	}
	sleep 0.1;
}
ok(defined $forecast && defined $lost_at, 'the slot ran out of WAL');
my $truth = ($lost_at // 0) - ($forecast_at // 0);
# A machine that gets busy writes more slowly in the second half than it did in
# the first: nobody can know that before.
my @right = sort { $a <=> $b } ($truth, $pace // $truth);
between($forecast // '', $right[0] * 0.8, $right[1] * 1.2,
	"seconds_to_lost within 20 % of the truth");
note sprintf 'forecast %.1f s, truth %.1f s, %.1f s by the pace until then',
  $forecast // -1, $truth, $pace // -1;
my ($cut) = standbys($primary, "kind = 'slot'");
cmp_ok($cut->{replay_lag_bytes}, '>', 10_000_000,
	'cut link: bytes behind are counted while nobody is connected');
$writer->kill_kill;
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->poll_query_until('postgres',
	"SELECT wal_status = 'lost' FROM pg_replication_slots")
  or die 'slot not lost';
is(join(',', sort grep { / ok$/ } keys %seen), '',
	'the slot of a vanished standby was never ok');
is($primary->safe_psql('postgres',
	'SELECT pg_current_wal_lsn() - restart_lsn IS NULL, '
	  . "(SELECT count(*) FROM pg_stat_replication) FROM pg_replication_slots"),
	't|0', 'lost slot: the usual gauges go blank');
($row, @more) = standbys($primary);
is("$row->{kind} $row->{state} $row->{status} $row->{seconds_to_lost}",
	'slot lost critical 0', 'lost slot: a critical row');
like($row->{remedy}, qr/pg_drop_replication_slot\('standby_slot'\)/,
	'lost slot: the remedy names it');
is($primary->safe_psql('postgres',
	"SELECT count(*) FROM glperf.health WHERE area = 'replication' "
	  . "AND status = 'critical' AND object = 'slot standby_slot'"),
	'1', 'lost slot: on the health page');
isnt(lag($standby)->{status}, 'ok', 'lost slot: the standby is not ok');

# reconnecting doesn't help any more, and doesn't look as if it did
$standby->safe_psql('postgres', 'ALTER SYSTEM RESET primary_conninfo');
$standby->reload;
my %tries;
$until = time + 3;
while (time < $until)
{
	$here = lag($standby);
	$tries{"$here->{state} $here->{status}"}++;
}
is(join(', ', grep { !/^disconnected (warning|critical)$|^unknown unknown$/ }
		  sort keys %tries), '',
	'lost slot: the standby tries again in vain, and is never ok');
$standby->stop;

#
# A synchronous standby that is missing.
#
$primary->safe_psql('postgres',
	"SELECT pg_drop_replication_slot('standby_slot')");
foreach my $case (
	[ 'FIRST 1 (a, "b ""c")', 'a critical|b "c critical' ],
	[ '*', '* critical' ],
	[ '', '' ])
{
	my ($setting, $expected) = @$case;
	$primary->append_conf('postgresql.conf',
		'synchronous_standby_names = ' . quote_sql($setting));
	$primary->reload;
	is($primary->safe_psql('postgres',
		"SELECT string_agg(name || ' ' || status, '|' ORDER BY name) "
		  . "FROM glperf.replication WHERE state = 'disconnected'"),
		$expected, "missing synchronous standbys of '$setting'");
}

#
# A new standby, promoted while somebody polls.
#
$primary->backup('second');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($primary, 'second', has_streaming => 1);
$second->start;
$primary->wait_for_catchup($second);

# both roles, both nodes: the same rows
foreach my $node ($primary, $second)
{
	my $sql = 'SELECT kind, name, state, status FROM glperf.replication '
	  . 'UNION ALL SELECT role, state, status, message FROM glperf.replication_lag '
	  . "UNION ALL SELECT object, check_id, status, '' FROM glperf.health_replication "
	  . 'ORDER BY 1, 2, 3';
	is($node->safe_psql('postgres', $sql, extra_params => [ '-U', 'watcher' ]),
		$node->safe_psql('postgres', $sql),
		'a member of pg_monitor sees what a superuser sees on '
		  . $node->name);
}

my ($out, $err) = ('', '');
my $poll = 'SELECT state FROM glperf.replication_lag '
  . "UNION ALL SELECT state FROM glperf.replication \\watch 0.02\n";
my $poller = IPC::Run::start(
	[
		'psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1',
		'-d', $second->connstr('postgres')
	],
	'<', \$poll,
	'>', \$out, '2>', \$err,
	my $timeout = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
$poller->pump until $out =~ /ok/ || $err ne '' || $timeout->is_expired;
$second->promote;
$second->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$poller->pump until $out =~ /primary/ || $err ne '' || $timeout->is_expired;
$poller->kill_kill;
is($err, '', 'polling through a promotion raises no error');
like($out, qr/ok.*primary/s, 'and sees the standby become a primary');
is(lag($second)->{state}, 'primary', 'promoted: primary');
$second->safe_psql('postgres', "INSERT INTO t VALUES ('mine')");
is(lag($second)->{status}, 'ok', 'promoted: ok');

$second->stop;
$primary->stop;
done_testing();

# A string as an SQL literal (also right in postgresql.conf).
sub quote_sql
{
	my ($string) = @_;
	$string =~ s/'/''/g;
	return "'$string'";
}

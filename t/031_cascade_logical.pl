# Lag where WAL takes another way: from an archive, through a cascading standby,
# across its upstream's promotion to a new timeline, and to a logical
# subscription that is blocked by a lock, fails on a conflict, is switched off,
# or has no worker.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical', has_archiving => 1);
$primary->append_conf('postgresql.conf', "autovacuum = off\n");
$primary->start;
$primary->safe_psql(
	'postgres', q{
CREATE EXTENSION glperf;
CREATE TABLE t (id int PRIMARY KEY, x text);
INSERT INTO t VALUES (1, 'one');
});

sub between
{
	my ($value, $low, $high, $name) = @_;
	ok($value ne '' && $value >= $low && $value <= $high, $name)
	  or diag("got '$value', expected $low .. $high");
	return;
}

#
# primary -> middle -> last
#
$primary->backup('base');
my $middle = PostgreSQL::Test::Cluster->new('middle');
$middle->init_from_backup($primary, 'base', has_streaming => 1);
$middle->start;
$middle->backup('base');
my $last = PostgreSQL::Test::Cluster->new('last');
$last->init_from_backup($middle, 'base', has_streaming => 1);
$last->append_conf('postgresql.conf', "wal_receiver_status_interval = 1s\n");
$last->start;
$primary->safe_psql('postgres', "INSERT INTO t VALUES (2, 'two')");
$primary->wait_for_catchup($middle);
$middle->wait_for_catchup($last, 'replay',
	$middle->safe_psql('postgres', 'SELECT pg_last_wal_replay_lsn()'));

my $row = q{
SELECT kind || ' ' || name || ' ' || state || ' ' || status
FROM glperf.replication};
is($primary->safe_psql('postgres', $row), 'standby middle streaming ok',
	'the primary sees the middle one');
is($middle->safe_psql('postgres', $row), 'standby last streaming ok',
	'the middle one sees the last one, without an error');
is($last->safe_psql('postgres', $row), '', 'the last one sees none');
is($last->safe_psql('postgres',
	"SELECT role || ' ' || state || ' ' || status FROM glperf.replication_lag"),
	'standby ok ok', 'the last one is up to date');

# the middle one hands on WAL that it hasn't replayed itself
$middle->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$primary->safe_psql('postgres', "INSERT INTO t VALUES (3, 'three')");
$last->poll_query_until('postgres', 'SELECT count(*) = 3 FROM t')
  or die 'never replayed';
sleep 1;
is($middle->safe_psql('postgres',
	"SELECT state || ' ' || (lag_s >= 1) || ' ' || (lag_bytes > 0)
	FROM glperf.replication_lag"),
	'paused true true', 'the middle one is paused');
is($middle->safe_psql('postgres',
	"SELECT status || ' ' || replay_lag_bytes || ' ' || replay_lag_s
	FROM glperf.replication"),
	'ok 0 0', 'and sees that the last one is ahead of it');
$middle->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');

# the last one is paused: seen from the middle one, with the primary's clock
$last->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
my @written = (time);
$primary->safe_psql('postgres', "INSERT INTO t VALUES (4, 'four')");
push @written, time;
$last->poll_query_until('postgres',
	'SELECT lag_bytes > 0 FROM glperf.replication_lag');
sleep 1.5;
my $begin = time;
my $seen = $middle->safe_psql('postgres',
	'SELECT replay_lag_s FROM glperf.replication');
between($seen, $begin - $written[1] - 0.5, time - $written[0] + 0.5,
	'lag of the last one within half a second, seen from a standby');
$last->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');

#
# Who keeps WAL and replays none has no replay lag, and is well all the same.
#
my $receiver = IPC::Run::start(
	[
		'pg_receivewal', '-s', '1', '-D', PostgreSQL::Test::Utils::tempdir(),
		'-d', $primary->connstr('postgres') . ' application_name=receiver'
	],
	'>', '/dev/null', '2>&1');
my $kept = q{
SELECT concat_ws(' ', kind, status, coalesce(replay_lag_bytes::text, 'none'), message)
FROM glperf.replication WHERE name = 'receiver' AND state = 'streaming' AND write_lag_bytes = 0};
ok($primary->poll_query_until('postgres',
	"SELECT ($kept) = 'standby ok none keeps the WAL and replays none, like pg_receivewal; 0 bytes not written'"),
	'pg_receivewal is judged by what it has written')
  or diag($primary->safe_psql('postgres', 'SELECT * FROM glperf.replication'));

# How bad it is that a synchronous standby is missing depends on the others.
foreach my $case (
	[ 'ANY 1 (receiver, ghost)', 'warning|others stand in' ],
	[ 'ANY 2 (receiver, ghost)', 'critical|commits wait (1 of 2 needed are connected)' ])
{
	my ($setting, $expected) = @$case;
	$primary->append_conf('postgresql.conf', "synchronous_standby_names = '$setting'");
	$primary->reload;
	ok($primary->poll_query_until('postgres', qq{
SELECT status || '|' || regexp_replace(message, '^.*connected[;:] ', '') = '$expected'
FROM glperf.replication WHERE name = 'ghost' AND current_setting('synchronous_standby_names') = '$setting'}),
		"a missing standby of '$setting'")
	  or diag($primary->safe_psql('postgres', 'SELECT * FROM glperf.replication'));
}
$primary->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$primary->reload;
$receiver->kill_kill;

#
# A standby that restores from the archive has no link to judge by.
#
my $archive = PostgreSQL::Test::Cluster->new('archive');
$archive->init_from_backup($primary, 'base', has_restoring => 1);
$archive->start;
my $line = q{
SELECT role, state, status, lag_s IS NULL, lag_at_most_s > 0, message
	LIKE 'restores from an archive%'
FROM glperf.replication_lag};
$primary->safe_psql('postgres',
	'INSERT INTO t VALUES (100, NULL); SELECT pg_switch_wal()');
$archive->poll_query_until('postgres',
	'SELECT count(*) = 1 FROM t WHERE id = 100')
  or die 'archive never restored';
like($archive->safe_psql('postgres', $line),
	qr/^standby\|unknown\|(ok|unknown)\|t\|t\|t$/,
	'archive: seconds are not known, but a bound is');
$primary->safe_psql('postgres', 'DELETE FROM t WHERE id = 100');
sleep 1;
is($archive->safe_psql('postgres',
	"SELECT state FROM glperf.replication_lag WHERE status = 'warning' "
	  . "OR status = 'critical'"),
	'', 'archive: no alarm from what is not known');
$archive->stop;

#
# The middle one becomes primary: a new timeline, whose first segment holds
# the old one's end.
#
$primary->stop;
$middle->promote;
$middle->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$middle->safe_psql('postgres', "INSERT INTO t VALUES (5, 'five')");
$last->poll_query_until('postgres', 'SELECT count(*) = 5 FROM t')
  or die 'last standby did not follow';
$last->poll_query_until('postgres',
	"SELECT state = 'ok' FROM glperf.replication_lag");
$last->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
@written = (time);
$middle->safe_psql('postgres', "INSERT INTO t VALUES (6, 'six')");
push @written, time;
$last->poll_query_until('postgres',
	'SELECT lag_bytes > 0 FROM glperf.replication_lag');
sleep 1;
$begin = time;
$seen = $last->safe_psql('postgres',
	'SELECT lag_s FROM glperf.replication_lag');
between($seen, $begin - $written[1] - 0.5, time - $written[0] + 0.5,
	'new timeline: lag on the standby');
$begin = time;
$seen = $middle->safe_psql('postgres',
	'SELECT replay_lag_s FROM glperf.replication');
between($seen, $begin - $written[1] - 0.5, time - $written[0] + 0.5,
	'new timeline: lag on the primary');
is($middle->safe_psql('postgres',
	"SELECT role || ' ' || state FROM glperf.replication_lag"),
	'primary primary', 'new timeline: the promoted one is a primary');
$last->stop;

#
# A logical subscription.
#
my $publisher = $middle;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf(
	'postgresql.conf', q{
wal_receiver_timeout = 6s
wal_retrieve_retry_interval = 1s
max_logical_replication_workers = 4
});
$subscriber->start;
$subscriber->safe_psql('postgres',
	'CREATE EXTENSION glperf; CREATE TABLE t (id int PRIMARY KEY, x text)');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE t');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION s CONNECTION '"
	  . $publisher->connstr . " dbname=postgres' PUBLICATION p");
$subscriber->poll_query_until('postgres', 'SELECT count(*) = 6 FROM t')
  or die 'never copied';
$publisher->wait_for_catchup('s');

my $subscription = q{
SELECT state || ' ' || status FROM glperf.replication
WHERE kind = 'subscription' AND name = 's'};
ok($subscriber->poll_query_until('postgres',
	"SELECT ($subscription) = 'streaming ok'"), 'subscription: streaming');
is($publisher->safe_psql('postgres',
	"SELECT kind || ' ' || name || ' ' || slot_name || ' ' || database "
	  . "|| ' ' || status FROM glperf.replication"),
	'logical subscriber s s postgres ok', 'publisher: its subscriber');

# the worker waits for a lock
my ($in, $out) = ('', '');
my $locker = IPC::Run::start(
	[ 'psql', '-X', '-q', '-d', $subscriber->connstr('postgres') ],
	'<', \$in, '>', \$out);
$in = "BEGIN; LOCK TABLE t;\n\\echo locked\n";
$locker->pump until $out =~ /locked/;
@written = (time);
$publisher->safe_psql('postgres', "INSERT INTO t VALUES (7, 'seven')");
push @written, time;
ok($subscriber->poll_query_until('postgres',
	"SELECT ($subscription) LIKE 'blocked %'"), 'subscription: blocked');
my $remedy = $subscriber->safe_psql('postgres',
	"SELECT remedy FROM glperf.replication WHERE state = 'blocked'");
is($subscriber->safe_psql('postgres',
	$remedy =~ s/\*/count(*)/r), '1', 'and its remedy shows the blocker');
sleep 1;
$begin = time;
$seen = $publisher->safe_psql('postgres',
	'SELECT replay_lag_s FROM glperf.replication');
between($seen, $begin - $written[1] - 0.5, time - $written[0] + 0.5,
	'publisher: how long the first change has been waiting');
$publisher->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 0.2 WHERE id = 'replication_lag'");
is($publisher->safe_psql('postgres', 'SELECT status FROM glperf.replication'),
	'warning', 'publisher: judged by the threshold');
$publisher->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 10 WHERE id = 'replication_lag'");
$in .= "ROLLBACK;\n\\q\n";
$locker->finish;
$publisher->wait_for_catchup('s');
ok($subscriber->poll_query_until('postgres',
	"SELECT ($subscription) = 'streaming ok'"), 'subscription: free again');

# the worker fails, is started again, fails, ...
$subscriber->safe_psql('postgres', "INSERT INTO t VALUES (8, 'mine')");
$publisher->safe_psql('postgres', "INSERT INTO t VALUES (8, 'yours')");
my $log = $subscriber->logfile;
$subscriber->poll_query_until('postgres',
	"SELECT coalesce(max(apply_errors), 1) > 0 FROM glperf.replication "
	  . "WHERE kind = 'subscription'")
  or die 'no conflict';
$publisher->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 0.1 WHERE id = 'replication_lag'");
my (%here, %there);
my $until = time + 4;
while (time < $until)
{
	$here{ $subscriber->safe_psql('postgres', $subscription) }++;
	$there{
		$publisher->safe_psql('postgres',
			"SELECT string_agg(concat_ws(' ', kind, state, replay_lag_bytes, status), ', ') "
			  . 'FROM glperf.replication')
	}++;
	sleep 0.1;
}
is(join(', ', grep { !/critical$/ } sort keys %here), '',
	'subscription: a failing worker is critical at every moment')
  or diag(explain(\%here));
is(join(', ', grep { /\bok\b/ } sort keys %there), '',
	'publisher: and its slot is never ok')
  or diag(explain(\%there));
$publisher->safe_psql('postgres',
	"UPDATE glperf.threshold SET warning = 10 WHERE id = 'replication_lag'");
cmp_ok($subscriber->safe_psql('postgres',
	"SELECT apply_errors FROM glperf.replication WHERE name = 's'"),
	'>', 0, 'subscription: errors are counted');
$subscriber->safe_psql('postgres', 'DELETE FROM t WHERE id = 8');
$publisher->wait_for_catchup('s');
ok($subscriber->poll_query_until('postgres',
	"SELECT ($subscription) = 'streaming ok'"),
	'subscription: ok after the conflict is gone');

# switched off, and the publisher keeps the WAL
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s DISABLE');
$subscriber->poll_query_until('postgres',
	"SELECT count(*) = 0 FROM pg_stat_subscription WHERE pid IS NOT NULL");
like($subscriber->safe_psql('postgres', $subscription),
	qr/^disabled (warning|critical)$/, 'subscription: disabled');
$publisher->safe_psql('postgres', "INSERT INTO t VALUES (9, 'nine')");
$publisher->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM glperf.replication WHERE state = 'disconnected'");
is($publisher->safe_psql('postgres',
	"SELECT kind || ' ' || slot_type || ' ' || status || ' ' "
	  . "|| (replay_lag_bytes > 0) || ' ' || (retained_wal_bytes > 0) "
	  . "FROM glperf.replication"),
	'slot logical warning true true', 'publisher: the slot says so');
$subscriber->safe_psql('postgres',
	$subscriber->safe_psql('postgres',
		"SELECT remedy FROM glperf.replication WHERE state = 'disabled'"));
$publisher->wait_for_catchup('s');
ok($subscriber->poll_query_until('postgres',
	"SELECT ($subscription) = 'streaming ok'"),
	'subscription: the remedy switches it on');

# no worker slots left: nothing runs, and that is said
$subscriber->append_conf('postgresql.conf',
	'max_logical_replication_workers = 0');
$subscriber->restart;
is($subscriber->safe_psql('postgres', $subscription),
	'down critical', 'subscription: no worker');

$subscriber->stop;
$publisher->stop;
done_testing();

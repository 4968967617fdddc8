# --apply on a live server.  CREATE INDEX CONCURRENTLY fails quietly and leaves
# invalid indexes; each case below is one way to make it fail, and proves that
# nothing is left, or that the next run removes it, and that what is not ours
# stays as it is.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('apply');
run_workload($node);

my @recs = @{ advice($node)->{recommendations} };
my $first = $recs[0]{index_name};
cmp_ok(scalar @recs, '>=', 2, 'two recommendations to work with');

# a session that keeps a transaction open
sub open_transaction
{
	my ($sql) = @_;
	my $session = $node->background_psql('postgres');
	$session->query_safe($sql);
	return $session;
}

# wait until the advisor's session runs something like this
sub wait_for_statement
{
	my ($like) = @_;
	$node->poll_query_until('postgres', qq{
SELECT count(*) = 1 FROM pg_stat_activity
WHERE application_name = 'glperf-advisor' AND wait_event_type = 'Lock'
	AND query LIKE '$like'}) or die "no such statement";
	return;
}

# end a run and collect what it left
sub finish
{
	my ($run) = @_;
	$run->{handle}->finish;
	my $status = $? >> 8;
	note("status $status\n${$run->{err}}");
	return ($status, ${ $run->{out} });
}

sub drop_all
{
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS $_")
	  for split /\n/, $node->safe_psql('postgres',
		"SELECT indexrelid::regclass FROM pg_index WHERE indexrelid::regclass::text LIKE 'glp\\_%'");
	$node->safe_psql('postgres', 'TRUNCATE glperf.apply_log');
	return;
}

sub log_is
{
	my ($want, $name) = @_;
	is( $node->safe_psql('postgres',
			"SELECT string_agg(command || ' ' || outcome, ', ' ORDER BY started_at) FROM glperf.apply_log"),
		$want, $name);
	return;
}

my $lock = 'BEGIN; UPDATE orders SET note = note WHERE id = 1';
my ($run, $session, $status, $out);

# --- a transaction that holds a lock: CREATE times out, so does the clean-up

$session = open_transaction($lock);
for my $n (1 .. 3)
{
	$run = advisor($node, '--apply', '--lock-timeout=300ms');
	is($run->{status}, 3, "blocked, run $n: status 3");
}
like(flat($run->{out}), qr/failed after 0 of 1 steps: .*could not be dropped/,
	'... the report says what was not done');
like(flat($run->{out}), qr/an invalid index is left; the next run with --apply drops it/,
	'... and what is left');
like(flat($run->{out}), qr/skipped after 0 of 1 steps: not begun/,
	'... and what was not begun');
is(invalid_indexes($node), $first, 'three runs leave one invalid index, not three');
my $report = advice($node);
is($report->{leftovers}[0]{index_name}, $first, 'a dry run reports the leftover');
is($report->{exit_status}, 2, '... as something to do');
$session->quit;

$run = advisor($node, '--apply');
is($run->{status}, 0, 'unblocked: status 0');
is(invalid_indexes($node), '', '... no invalid index');
is(valid_indexes($node), scalar @recs, '... all recommendations are valid indexes');
like(flat($run->{out}), qr/invalid index public\.\Q$first\E: dropped/,
	'... the leftover is in the report');
my $done = () = $run->{out} =~ /applied    done in .*, verified/g;
is($done, scalar @recs, '... and so is each index');

$run = advisor($node, '--apply', '--quiet');
is($run->{status}, 0, 'run again: status 0');
is($run->{out} . $run->{err}, '', '... and nothing to say');

# --- the plan without waiting: old snapshots block the build, not the clean-up

for my $signal ('INT', 'TERM', 'HUP')
{
	drop_all();
	$session = open_transaction(
		'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
	$run = advisor_start($node, '--apply');
	wait_for_statement('CREATE INDEX CONCURRENTLY%');
	is(invalid_indexes($node), $first, "SIG$signal: the build is under way");
	$run->{handle}->signal($signal);
	($status, $out) = finish($run);
	is($status, 3, "SIG$signal: status 3");
	is(invalid_indexes($node), '', '... the invalid index is dropped at once');
	like(flat($out), qr/failed after 0 of 1 steps: canceling statement/,
		'... the report says what happened');
	like(flat($out), qr/not begun: interrupted/, '... and what was not begun');
	log_is('create index failed, drop index done', '... and so does the log');
	$session->quit;
}

# --- another session cancels or terminates ours

$session = open_transaction(
	'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
$run = advisor_start($node, '--apply');
wait_for_statement('CREATE INDEX CONCURRENTLY%');
$node->safe_psql('postgres',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'glperf-advisor'");
($status, $out) = finish($run);
is($status, 3, 'pg_cancel_backend: status 3');
is(invalid_indexes($node), '', '... nothing is left');
like(flat($out), qr/not begun: another session cancelled the run/, '... and the run ends');

$run = advisor_start($node, '--apply', '--format=json');
wait_for_statement('CREATE INDEX CONCURRENTLY%');
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'glperf-advisor'");
($status, $out) = finish($run);
is($status, 3, 'pg_terminate_backend: status 3');
$report = JSON::PP->new->utf8->decode($out);
ok($report->{recommendations}[0]{left_invalid}, '... an invalid index may be left');
is($report->{recommendations}[1]{message}, 'not begun: the connection was lost',
	'... nothing else is begun');
is(invalid_indexes($node), $first, '... it is');
$session->quit;
is(advisor($node, '--apply')->{status}, 0, '... the next run converges');
is(invalid_indexes($node), '', '... and removes it');

# --- kill -9: the server notices, stops building, and frees the lock

drop_all();
$session = open_transaction($lock);
$run = advisor_start($node, '--apply');
wait_for_statement('CREATE INDEX CONCURRENTLY%');

my $second = advisor($node, '--apply');
is($second->{status}, 5, 'two at once: the second ends with 5');
is(() = $second->{err} =~ /\n/g, 1, '... with one line');
is($second->{out}, '', '... and no report');
my $listing = advisor($node);
is($listing->{status}, 2, 'a dry run meanwhile is fine');

$run->{handle}->signal('KILL');
$run->{handle}->finish;
$node->poll_query_until('postgres',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'glperf-advisor'")
  or die 'the server works on';
is(invalid_indexes($node), $first, 'kill -9: an invalid index is left');
log_is('create index started', '... the log has the intention');
$session->quit;
is(advisor($node, '--apply')->{status}, 0, '... the next run converges');
is(invalid_indexes($node), '', '... nothing is left');
is(valid_indexes($node), scalar @recs, '... all indexes are there');

# --- what is not ours stays

drop_all();
$node->safe_psql('postgres', qq{
CREATE INDEX $first ON orders (note);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = '$first'::regclass});
my $oid = $node->safe_psql('postgres', "SELECT '$first'::regclass::oid");
$run = advisor($node, '--apply');
is($run->{status}, 3, 'a foreign invalid index of our name: status 3');
like(flat($run->{out}), qr/skipped [^:]*: an invalid index of this name exists that glperf-advisor did not create/,
	'... is reported');
is($node->safe_psql('postgres', "SELECT '$first'::regclass::oid"), $oid,
	'... and stays');
is(valid_indexes($node), @recs - 1, '... the others are created');

drop_all();
$node->safe_psql('postgres', "CREATE TABLE $first (a int)");
$run = advisor($node, '--apply');
is($run->{status}, 3, 'a table of our name: status 3');
like(flat($run->{out}), qr/another relation of this name exists/, '... is reported');
is(advisor($node, '--apply')->{status}, 3, '... and the next run reports it again');
is($node->safe_psql('postgres', "SELECT relkind FROM pg_class WHERE relname = '$first'"),
	'r', '... and stays');
$node->safe_psql('postgres', "DROP TABLE $first");

# --- a server that is short of something ends the run, a read-only one too

drop_all();
$node->append_conf('postgresql.conf', 'default_transaction_read_only = on');
$node->reload;
$run = advisor($node, '--apply');
is($run->{status}, 3, 'read-only server: status 3');
like(flat($run->{out}), qr/not begun: the server is read-only/, '... ends the run');
is(valid_indexes($node) . invalid_indexes($node), '0', '... and nothing changed');
$node->append_conf('postgresql.conf', 'default_transaction_read_only = off');
$node->reload;

# --- a role that is no superuser needs the tables and the log

drop_all();
$node->safe_psql('postgres', q{
CREATE ROLE builder LOGIN IN ROLE pg_monitor, pg_read_all_data;
ALTER TABLE orders OWNER TO builder;
GRANT CREATE ON SCHEMA public TO builder});
$run = advisor($node, '--apply', '--username=builder');
is($run->{status}, 3, 'without the log: status 3');
like(flat($run->{out}), qr/permission denied for table apply_log/, '... says why');
is(valid_indexes($node), 0, '... and nothing ran that could not be noted');
$node->safe_psql('postgres', 'GRANT INSERT, SELECT, UPDATE ON glperf.apply_log TO builder');
is(advisor($node, '--apply', '--username=builder')->{status}, 0,
	'an owner of the tables who may write the log can apply');
is($node->safe_psql('postgres', 'SELECT DISTINCT role FROM glperf.apply_log'),
	'builder', '... and is in the log');

$node->stop;
done_testing();

# Who waits for whom, exactly: a tree of lock waits with seven true edges, on
# which usual queries over pg_locks report five false ones or miss some; a
# prepared transaction at the root; and a monitoring role that sees the same.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION glperf;
CREATE TABLE t (id int PRIMARY KEY, x int);
INSERT INTO t VALUES (1, 1);
CREATE TABLE u (id int);
CREATE ROLE watcher LOGIN;
GRANT pg_monitor TO watcher;
});

my (%session, %input, %output, %pid);

# Starts a session named $name and runs its first statements to the end.
sub session
{
	my ($name, $sql) = @_;
	($input{$name}, $output{$name}) = ('', '');
	$session{$name} = IPC::Run::start(
		[
			'psql', '-X', '-q', '-At', '-d',
			$node->connstr('postgres') . " application_name=$name"
		],
		'<', \$input{$name}, '>', \$output{$name}, '2>&1',
		IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
	$input{$name} = "SELECT pg_backend_pid();\n$sql\n\\echo ready\n";
	$session{$name}->pump until $output{$name} =~ /ready/;
	($pid{$name}) = $output{$name} =~ /^(\d+)/;
	return;
}

# Sends a statement that will wait for a lock, and waits until it does.
sub block
{
	my ($name, $sql) = @_;
	$input{$name} .= "$sql\n";
	$session{$name}->pump_nb;
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_locks WHERE pid = $pid{$name} "
		  . 'AND NOT granted AND waitstart IS NOT NULL')
	  or die "$name never waited";
	return;
}

sub query
{
	my ($sql, @more) = @_;
	return $node->safe_psql('postgres', $sql, @more);
}

is(query('SELECT count(*) FROM glperf.blocking'), '0', 'nobody waits');

#
# A holds a row and is idle; B and C want it; D has only read; E wants to
# change the table; F wants to read it, queued behind E.
#
session('A', 'BEGIN; UPDATE t SET x = 2;');
session('B', '');
session('C', '');
session('D', 'BEGIN; SELECT count(*) FROM t;');
session('E', '');
session('F', '');
block('B', 'UPDATE t SET x = 3;');
block('C', 'UPDATE t SET x = 4;');
block('E', 'ALTER TABLE t ADD COLUMN y int;');
block('F', 'SELECT count(*) FROM t;');

my $edges = q{
SELECT string_agg(w.application_name || '-' || b.application_name, ' '
	ORDER BY w.application_name, b.application_name)
FROM glperf.blocking_edges AS e
JOIN pg_stat_activity AS w ON w.pid = e.pid
JOIN pg_stat_activity AS b ON b.pid = e.blocker_pid
};
is(query($edges), 'B-A C-B E-A E-B E-C E-D F-E',
	'the seven true edges, and no other');
is(query(q{
SELECT string_agg(application_name || ':' || blockers, ' '
	ORDER BY application_name) FROM glperf.blocking}),
	'B:1 C:1 E:4 F:1', 'one row per waiting backend');
is(query(q{SELECT roots = '} . join(', ', sort { $a <=> $b } @pid{qw(A D)})
	  . q{' FROM glperf.blocking WHERE application_name = 'F'}),
	't', 'F waits for two roots through E');
is(query(q{
SELECT string_agg(application_name || ':' || root_application || ':'
	|| root_blocks_directly, ' ' ORDER BY application_name)
FROM glperf.blocking}),
	'B:A:true C:A:false E:A:true F:A:false',
	'the oldest root, near or far');
is(query(q{
SELECT root_state || '|' || root_query || '|' || lock_mode || '|' || lock_type
FROM glperf.blocking WHERE application_name = 'F'}),
	'idle in transaction|UPDATE t SET x = 2;|AccessShareLock|relation',
	'what the root does and what is waited for');
is(query(q{
SELECT waiters, state, longest_s <= blocked_s, remedy
	= 'SELECT pg_terminate_backend(' || root_pid || ');'
FROM glperf.blocking_roots WHERE application_name = 'A'}),
	'4|idle in transaction|t|t', 'all four seen from the root');
$node->poll_query_until('postgres',
	'SELECT bool_and(blocked_s > 2) FROM glperf.blocking')
  or die 'nobody waits';
is(query(q{
SELECT bool_and(blocked_s >= 2 AND blocked_s < root_transaction_s)
FROM glperf.blocking}), 't', 'seconds blocked');
is(query(q{
SELECT blocked_s > 8 AND longest_s BETWEEN 2 AND blocked_s / 2
FROM glperf.blocking_roots}), 't', 'summed up at the root');

# the health page judges by how long clients wait for a connection
query(q{UPDATE glperf.threshold SET warning = 3600, critical = 7200
WHERE id = 'pool_wait'});
is(query(q{
SELECT status || ' ' || (value > 2) FROM glperf.health_pool
WHERE check_id = 'blocking'}), 'ok true', 'health: short waits are ok');
query(q{UPDATE glperf.threshold SET warning = 1, critical = 2
WHERE id = 'pool_wait'});
is(query(q{
SELECT status || ' ' || remedy FROM glperf.health_pool
WHERE check_id = 'blocking'}),
	"critical SELECT pg_terminate_backend($pid{A});",
	'health: long waits are not, and name the remedy');

# a member of pg_monitor sees the same, texts included
my $rows = 'SELECT application_name, blocked_by, roots, root_pid, '
  . 'query, root_query FROM glperf.blocking ORDER BY 1';
is(query($rows, extra_params => [ '-U', 'watcher' ]), query($rows),
	'a member of pg_monitor sees what a superuser sees');

# the remedy works
query("SELECT pg_terminate_backend($pid{A})");
$node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM glperf.blocking WHERE application_name = 'B'});
query("SELECT pg_terminate_backend($pid{D})");
$node->poll_query_until('postgres',
	'SELECT count(*) = 0 FROM glperf.blocking')
  or die 'still blocked';
pass('nobody waits after the roots are gone');

#
# A prepared transaction has no backend to show, but holds its locks.
#
query(q{BEGIN; LOCK TABLE u; PREPARE TRANSACTION 'forgotten';});
session('G', '');
block('G', 'SELECT count(*) FROM u;');
is(query(q{
SELECT blocked_by, root_pid, root_state, root_blocks_directly FROM glperf.blocking}),
	'0|0|prepared transaction|t', 'a prepared transaction at the root');
like(query('SELECT remedy FROM glperf.blocking_roots'),
	qr/pg_prepared_xacts/, 'and where to look for it');
query(q{ROLLBACK PREPARED 'forgotten'});
$node->poll_query_until('postgres',
	'SELECT count(*) = 0 FROM glperf.blocking');

#
# Advisory locks and a chain through them.
#
session('H', 'SELECT pg_advisory_lock(1);');
session('I', 'SELECT pg_advisory_lock(2);');
block('I', 'SELECT pg_advisory_lock(1);');
session('J', '');
block('J', 'SELECT pg_advisory_lock(2);');
is(query($edges), 'I-H J-I', 'advisory locks wait in the same way');
is(query(q{SELECT root_application || ' ' || lock_type FROM glperf.blocking
	WHERE application_name = 'J'}), 'H advisory', 'through the one between');
# a root that is at work is cancelled, not thrown out
$input{H} .= "SELECT pg_sleep(600);\n";
$session{H}->pump_nb;
$node->poll_query_until('postgres',
	"SELECT state = 'active' FROM pg_stat_activity WHERE pid = $pid{H}")
  or die 'H never slept';
is(query('SELECT remedy FROM glperf.blocking_roots'),
	"SELECT pg_cancel_backend($pid{H});", 'a root that is at work is to be cancelled');

$_->kill_kill foreach values %session;

#
# A pile-up: each waits for all before it, so edges grow with the square of
# the queue; the view must answer while somebody is needed to act on it.
#
$node->append_conf('postgresql.conf', "max_connections = 200\n");
$node->restart;
session('K', 'BEGIN; UPDATE t SET x = 5;');
my @queue = map {
	IPC::Run::start(
		[ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c',
			'UPDATE t SET x = 6' ], '>', '/dev/null', '2>', '/dev/null')
} 1 .. 80;
$node->poll_query_until('postgres',
	"SELECT count(*) = 80 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
is(query(q{
SET statement_timeout = '20s';
SELECT waiters FROM glperf.blocking_roots}), '80',
	'eighty in one queue, one root, in time');
query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
$_->finish foreach @queue;
$session{K}->kill_kill;
$node->stop;
done_testing();

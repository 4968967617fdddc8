# Real SQLAlchemy pools against their declaration: one that keeps to it, under
# load and through several recyclings, and one for each way of not doing so.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $python = '/usr/bin/python3';
if (system(qq{$python -c "import sqlalchemy, psycopg2" 2>/dev/null}) != 0)
{
	plan skip_all =>
	  'needs SQLAlchemy and psycopg2 (apt install python3-sqlalchemy python3-psycopg2)';
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
max_connections = 40
shared_preload_libraries = 'glperf'
});
$node->start;

# the watcher's own sessions stay out of the application's database
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql(
	'postgres', q{
CREATE EXTENSION glperf;
CREATE ROLE watcher LOGIN;
GRANT pg_monitor TO watcher;
INSERT INTO glperf.pool
VALUES ('shop-%', 1, 4, 2, 1, 4, 'test');
});

my $prelude = q{
import psycopg2, sys, threading, time
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool, NullPool

def engine(poolclass=QueuePool, **settings):
    return create_engine("postgresql+psycopg2://", poolclass=poolclass,
        creator=lambda: psycopg2.connect(sys.argv[1]), **settings)

# what the pool is declared as
declared = dict(pool_size=4, max_overflow=2, pool_timeout=1, pool_recycle=4,
    pool_pre_ping=True)

# n requests that are running now
def busy(e, n):
    def request():
        with e.connect() as c:
            c.execute(text("SELECT pg_sleep(600)"))
    for i in range(n):
        threading.Thread(target=request, daemon=True).start()

# until n connections are in use
def taken(e, n):
    while e.pool.checkedout() < n:
        time.sleep(0.05)

# n clients that send one request after the other
def cycle(e, n):
    def client():
        while True:
            with e.connect() as c:
                c.execute(text("SELECT pg_sleep(0.3)"))
    for i in range(n):
        threading.Thread(target=client, daemon=True).start()

# n connections opened, and all given back
def rest(e, n):
    for c in [e.connect() for i in range(n)]:
        c.execute(text("SELECT 1"))
        c.close()

};

my ($app, $in, $out);

# Starts an application; its code runs, then it stays until it is stopped.
sub start_app
{
	my ($code, $name) = @_;
	($in, $out) = ('', '');
	$app = IPC::Run::start(
		[
			$python, '-c',
			"$prelude\n$code\nprint('ready', flush=True)\n"
			  . "sys.stdin.readline()\n",
			$node->connstr('shop') . " application_name='"
			  . ($name // 'shop-api') . "'"
		],
		'<', \$in, '>', \$out, '2>&1',
		IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
	$app->pump until $out =~ /ready/ || !$app->pumpable;
	$out =~ /ready/ or die "application failed: $out";
	return;
}

# Kills the application and its connections.
sub stop_app
{
	$app->kill_kill;
	$node->safe_psql('postgres',
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		  . "WHERE datname = 'shop'");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'shop'");
	$node->safe_psql('shop', 'SELECT pg_stat_reset()');
	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'shop'");
	return;
}

sub query
{
	my ($sql, @more) = @_;
	return $node->safe_psql('postgres', $sql, @more);
}

sub wait_open
{
	my ($n, $state) = @_;
	$node->poll_query_until('postgres',
		"SELECT count(*) = $n FROM pg_stat_activity WHERE datname = 'shop'"
		  . ($state ? " AND state = '$state'" : ''))
	  or die "never $n connections";
	return;
}

my $verdict = q{
SELECT status || ' ' || verdict || coalesce(': ' || reasons, '')
FROM glperf.pool_conformance WHERE pool = 'shop-%'};

# Checks of the pool that aren't ok, as "check status".
my $broken = q{
SELECT coalesce(string_agg(check_id || ' ' || status, ', ' ORDER BY check_id),
	'none')
FROM glperf.pool_checks WHERE pool = 'shop-%' AND status <> 'ok'};

# Waits until the checks that are broken are these.
sub comes_to
{
	my ($wanted) = @_;
	my $until = time + 120;
	while (time < $until)
	{
		return 1 if query($broken) eq $wanted;
		sleep 0.1;
	}
	diag('got ' . query($broken));
	return 0;
}

is(query($verdict), 'ok absent', 'a declared pool without connections');

#
# A pool that keeps to its declaration: four clients for ten seconds, while
# connections are replaced every four; sampled all the time.
#
start_app('cycle(engine(**declared), 4)');
wait_open(4);
my %seen;
my $until = time + 10;
while (time < $until)
{
	$seen{ query($verdict) }++;
	sleep 0.2;
}
is(join('; ', sort keys %seen), 'ok conforms',
	'a conforming pool conforms at every moment');
cmp_ok(query("SELECT sessions FROM pg_stat_database WHERE datname = 'shop'"),
	'>', 4, 'though connections were replaced');
is(query("SELECT open || ' ' || hosts || ' ' || size_limit || ' ' || hard_limit
	FROM glperf.pool_conformance WHERE pool = 'shop-%'"),
	'4 1 4 6', 'open connections and limits');
is(query("SELECT sum(connections) FROM glperf.pool_state
	WHERE application_name = 'shop-api' AND database = 'shop' AND declared"),
	'4', 'and by state, as the guide asks');
stop_app();

#
# Overflow: in use, used up, exceeded.
#
start_app('e = engine(**declared); busy(e, 5)');
wait_open(5, 'active');
is(query($verdict),
	'warning violates: 1 connections beyond pool_size are open (5 of at most 6)',
	'overflow in use');
stop_app();

start_app(q{
e = engine(**declared); busy(e, 6); taken(e, 6)
try:
    e.connect()
except Exception as x:
    print(type(x).__name__)
});
wait_open(6, 'active');
like($out, qr/TimeoutError/, 'overflow used up: the next client fails');
is(query($verdict),
	'critical violates: the overflow is used up: 6 of 6 connections are open, '
	  . '6 in use; clients wait up to 1 s and then fail',
	'overflow used up: and that is said');
stop_app();

start_app('busy(engine(**declared), 4); busy(engine(**declared), 5)');
wait_open(9, 'active');
like(query($verdict),
	qr/^critical violates: 9 connections are open, 3 more than pool_size \+ max_overflow of 1 instance\(s\) allow \(6\)/,
	'a second engine that nobody declared');
is(query("SELECT status || ' ' || open || ' ' || host_limit
	FROM glperf.pool_hosts WHERE pool = 'shop-%'"),
	'critical 9 6', 'seen on its host too');
query("UPDATE glperf.pool SET instances = 3");
is(query($verdict), 'ok conforms', 'fine once three instances are declared');
query("UPDATE glperf.pool SET instances = 1");
stop_app();

#
# Idle: "mostly active (not idle)".
#
start_app('e = engine(**declared); rest(e, 4)');
wait_open(4, 'idle');
is(query($broken), 'pool_idle_share critical', 'all idle');
stop_app();
start_app('e = engine(**declared); busy(e, 1); taken(e, 1); rest(e, 3)');
wait_open(3, 'idle');
is(query($broken), 'pool_idle_share warning', 'three of four idle');
stop_app();
start_app('e = engine(**declared); rest(e, 1)');
wait_open(1, 'idle');
is(query($broken), 'none', 'one idle connection of four is no excess');

#
# Age: an idle connection may grow old, it is replaced when next taken; one
# that is used beyond pool_recycle was not replaced.
#
$node->poll_query_until('postgres',
	"SELECT older_than_recycle = 1 FROM glperf.pool_conformance
	WHERE pool = 'shop-%' AND oldest_backend_s > 5");
is(query($broken), 'none', 'an old idle connection is no violation');
stop_app();
start_app(q{
settings = dict(declared); settings['pool_recycle'] = -1
cycle(engine(**settings), 4)});
wait_open(4);
query('UPDATE glperf.pool SET pool_recycle_s = 3600');
is(query($broken), 'none', 'not recycling shows only with time');
query('UPDATE glperf.pool SET pool_recycle_s = 4');
ok(comes_to('connection_age warning'), 'pool_recycle not kept');
ok(comes_to('connection_age critical'), 'nor long after');
is(query("SELECT used_past_recycle FROM glperf.pool_conformance
	WHERE pool = 'shop-%'"), '4', 'by all four');
query('UPDATE glperf.pool SET pool_recycle_s = NULL');
is(query($broken), 'none', 'fine when never recycling is declared');
query('UPDATE glperf.pool SET pool_recycle_s = 4');
stop_app();

#
# A connection taken and forgotten inside a transaction.
#
start_app(q{
e = engine(**declared); c = e.connect(); c.execute(text("SELECT 1"))});
wait_open(1, 'idle in transaction');
query('UPDATE glperf.pool SET pool_timeout_s = 3600');
is(query($broken), 'none', 'a moment in a transaction is nothing');
query('UPDATE glperf.pool SET pool_timeout_s = 1');
ok(comes_to('idle_in_transaction warning'),
	'but longer than clients wait for a connection');
stop_app();

#
# No pool at all: a connection per request, until a file says otherwise.  What
# counts is what was done lately: a bad past is forgiven.
#
my $enough = PostgreSQL::Test::Utils::tempdir() . '/enough';
start_app(qq{
import os
e = engine(poolclass=NullPool)
def client():
    while not os.path.exists('$enough'):
        with e.connect() as c:
            c.execute(text("SELECT 1"))
threading.Thread(target=client, daemon=True).start()
busy(e, 1)
});
ok(comes_to('pool_churn warning'), 'a connection per request');
append_to_file($enough, 'stop');
ok(comes_to('none'), 'which is forgiven once it has ended');
is(query(q{SELECT sessions > 6 AND session_time / sessions < 1000
	FROM pg_stat_database WHERE datname = 'shop'}), 't',
	'... although most of all sessions were short');
stop_app();

#
# An application that nobody declared is judged by the guide's defaults, and
# the health page says how to declare it.
#
start_app('busy(engine(**declared), 5)', 'other "app"');
wait_open(5, 'active');
is(query(q{SELECT status || ' ' || verdict || ' ' || declared
	FROM glperf.pool_conformance WHERE pool = 'other "app"'}),
	'unknown undeclared false', 'undeclared, within the defaults');
like(query(q{SELECT status || ' ' || message FROM glperf.health
	WHERE object = 'undeclared applications'}),
	qr/^unknown 1 application\(s\) hold .*: other "app" \(5\)$/,
	'undeclared: on the health page');
query(query(q{SELECT remedy FROM glperf.health_pool
	WHERE object = 'undeclared applications'}));
is(query(q{SELECT status || ' ' || verdict || ' ' || declared
	FROM glperf.pool_conformance WHERE pool = 'other "app"'}),
	'ok conforms true', 'the remedy declares it');
query(q{DELETE FROM glperf.pool WHERE application_name = 'other "app"'});

# a member of pg_monitor sees the same
my $rows = q{
SELECT pool, declared, open, in_use, idle, status, verdict
FROM glperf.pool_conformance WHERE pool NOT LIKE '%.pl' ORDER BY pool};
is(query($rows, extra_params => [ '-U', 'watcher' ]), query($rows),
	'a member of pg_monitor sees what a superuser sees');

#
# Saturation: what is reserved can't be used.
#
stop_app();
start_app('busy(engine(pool_size=30, max_overflow=0), 27)');
wait_open(27, 'active');
is(query(q{SELECT used - 1 || ' of ' || usable || ' ' || status
	FROM glperf.connections}), '27 of 37 warning',
	'28 of 37 usable connections, as 40 include 3 reserved ones');
stop_app();

# declarations are part of a dump
my ($dump, $err) = run_command(
	[ 'pg_dump', '-d', $node->connstr('postgres') ]);
like($dump, qr/COPY glperf\.pool .*\nshop-%\t1\t4\t2\t1\t4\ttest\n/,
	'declared pools are in a dump');

$node->stop;
done_testing();

# Planning executes nothing: traps that code in statements, views, indexes and
# policies could spring, locks, cancels, time limits, a standby, and memory.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = PostgreSQL::Test::Cluster->new('sandbox');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
autovacuum = off
max_connections = 40
});
$node->start;
my $marker = PostgreSQL::Test::Utils::tempdir() . '/sprung';

$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE ROLE mallory LOGIN;
CREATE ROLE watch LOGIN IN ROLE pg_monitor;
CREATE ROLE signaller LOGIN IN ROLE pg_signal_backend;
CREATE ROLE programmer LOGIN IN ROLE pg_execute_server_program;
CREATE ROLE file_writer LOGIN IN ROLE pg_write_server_files;
CREATE SCHEMA app;
GRANT USAGE, CREATE ON SCHEMA app TO PUBLIC;
CREATE TABLE app.job (id int PRIMARY KEY, agent int, note text);
INSERT INTO app.job SELECT i, i % 100, repeat('x', 60) FROM generate_series(1, 20000) i;
ANALYZE app.job;
GRANT SELECT ON app.job TO PUBLIC;
CREATE TABLE app.trap (what text);
GRANT INSERT, SELECT ON app.trap TO PUBLIC;
CREATE SEQUENCE app.counter;
GRANT ALL ON app.counter TO PUBLIC;
});

# Anything that could be true at the end if a trap had sprung.
sub sprung
{
	return $node->safe_psql('postgres', q{
SELECT concat_ws(' ', (SELECT count(*) FROM app.trap),
	(SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname IN ('mallory', 'watch')
		AND (rolsuper OR rolcreaterole)),
	(SELECT last_value || is_called::text FROM app.counter),
	(SELECT count(*) FROM pg_class WHERE relname = 'made'))})
	  . (-e $marker ? ' marker' : '');
}
my $clean = '0 1false 0';

# Every kind of trap, as the body of a function that says it is harmless.
my %body = (
	insert => q{INSERT INTO app.trap VALUES ('x')},
	superuser => q{ALTER ROLE mallory SUPERUSER},
	program => qq{COPY (SELECT 1) TO PROGRAM 'cat > $marker'},
	file => qq{COPY (SELECT 1) TO '$marker'},
	terminate =>
	  q{PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'},
	nextval => q{PERFORM nextval('app.counter')},
	settings => q{PERFORM set_config('transaction_read_only', 'off', false);
		INSERT INTO app.trap VALUES ('x')},
	write_mode => q{SET transaction_read_only = off; INSERT INTO app.trap VALUES ('x')},
	reset_role => q{RESET ROLE; ALTER ROLE mallory SUPERUSER},
	authorization => q{SET SESSION AUTHORIZATION postgres; ALTER ROLE mallory SUPERUSER},
	temporary => q{CREATE TEMP TABLE made (a int)},
	create => q{CREATE TABLE app.made (a int)},
	prepare => q{EXECUTE 'PREPARE left_over AS SELECT 1'},
	cursor => q{EXECUTE 'DECLARE left_over CURSOR WITH HOLD FOR SELECT 1'},
	listen => q{LISTEN left_over},
	lock => q{LOCK TABLE app.job IN ACCESS EXCLUSIVE MODE},
	timeouts => q{PERFORM set_config('lock_timeout', '0', false),
		set_config('statement_timeout', '1ms', false),
		set_config('search_path', 'app', false)},
	session_lock => q{PERFORM pg_advisory_lock(4711)},
	try_lock => q{PERFORM pg_try_advisory_lock_shared(4711)},
	notify => q{PERFORM pg_notify('left_over', '')},
	own_backends => q{PERFORM pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = current_user},
	wal_message => q{PERFORM pg_logical_emit_message(false, 'x', 'y')},
	large_object => q{PERFORM lo_create(4711)},
	cancel => q{RAISE EXCEPTION 'pretended' USING ERRCODE = 'query_canceled'},
	shutdown => q{RAISE EXCEPTION 'pretended' USING ERRCODE = 'admin_shutdown'},
);

# trap(role, body): (re)create app.evil_role(), which says that it is immutable
# and calls one that is not; or trap(role, undef, body), where it does the deed
# itself
sub trap
{
	my ($role, $body, $own) = @_;
	$own //= "RETURN app.deed_$role()";
	$body //= 'NULL';
	$node->safe_psql('postgres', qq{
SET ROLE $role;
CREATE OR REPLACE FUNCTION app.deed_$role() RETURNS int LANGUAGE plpgsql VOLATILE AS \$\$
BEGIN
	$body;
	RETURN 1;
END \$\$;
CREATE OR REPLACE FUNCTION app.evil_$role() RETURNS int LANGUAGE plpgsql IMMUTABLE AS \$\$
BEGIN
	$own;
END \$\$;
});
}

# What a session is like before and after.
my $session = q{
SELECT concat_ws(' ', current_user, session_user, current_setting('transaction_read_only'),
	current_setting('lock_timeout'), current_setting('statement_timeout'),
	current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements),
	(SELECT count(*) FROM pg_cursors WHERE name <> ''),
	(SELECT count(*) FROM pg_listening_channels()),
	(SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
	(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()
		AND (locktype = 'advisory' OR mode = 'AccessExclusiveLock')));
};

my $victim = IPC::Run::start(
	[ 'psql', '-X', '-d', $node->connstr('postgres') . ' application_name=victim', '-c',
		'SELECT pg_sleep(600)' ], '>', '/dev/null', '2>', '/dev/null');
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'");

# Failure proved: code that an ordinary role wrote runs with effect when a
# superuser asks what an index would do, wherever that code hides.
for my $role ('mallory', 'signaller')
{
	trap($role, 'NULL');
	$node->safe_psql('postgres', qq{
SET ROLE $role;
SET search_path = app;
CREATE VIEW view_$role AS SELECT * FROM job WHERE agent = evil_$role();
CREATE TABLE indexed_$role (a int, b int);
CREATE INDEX ON indexed_$role (b) WHERE a > evil_$role();
CREATE TABLE policed_$role (a int);
ALTER TABLE policed_$role ENABLE ROW LEVEL SECURITY;
ALTER TABLE policed_$role FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON policed_$role USING (a > evil_$role());
INSERT INTO indexed_$role SELECT i, i FROM generate_series(1, 20000) i;
GRANT SELECT ON indexed_$role, policed_$role, view_$role TO PUBLIC;
});
}
# The traps are armed: plain EXPLAIN by a superuser springs them.
trap('mallory', "$body{insert}; $body{program}; $body{nextval}");
$node->safe_psql('postgres', 'EXPLAIN SELECT * FROM app.job WHERE agent = app.evil_mallory()');
is(sprung(), '1 1true 0 marker', 'the traps are armed');
unlink $marker;
$node->safe_psql('postgres', "TRUNCATE app.trap; SELECT setval('app.counter', 1, false)");
is(sprung(), $clean, 'and set again');

my @statements = (
	'SELECT * FROM app.job WHERE agent = app.evil_%s()',
	'SELECT * FROM app.view_%s',
	'SELECT * FROM app.indexed_%s WHERE a > 5 AND b = 7',
	'SELECT * FROM app.policed_%s');
for my $name (sort keys %body)
{
	for my $author ('mallory', 'signaller')
	{
		trap($author, $body{$name});
		my @calls;
		for my $statement (map { sprintf $_, $author } @statements)
		{
			push @calls,
			  "SELECT cost_after FROM glperf.whatif('$statement', ARRAY['CREATE INDEX ON app.job (agent)']);",
			  "SELECT cost_after FROM glperf.whatif('$statement', ARRAY['CREATE INDEX ON app.job (agent) WHERE agent > app.evil_$author()']);",
			  "SELECT ddl FROM glperf.advise_indexes(workload => '[{\"query\": \"$statement\"}]');",
			  map {
				"SELECT ddl FROM glperf.advise_indexes(workload => '[{\"query\": \"$statement\", \"role\": \"$_\"}]');"
			  } 'mallory', 'signaller';
		}
		for my $caller ('postgres', 'watch')
		{
			my ($ret, $out, $err) = $node->psql('postgres',
				$session . join("\n", @calls) . $session,
				on_error_stop => 0,
				extra_params => [ '-U', $caller eq 'postgres' ? $node->safe_psql('postgres', 'SELECT current_user') : $caller ]);
			my @lines = split /\n/, $out;
			my $good = sprung() eq $clean && @lines >= 2 && $lines[0] eq $lines[-1]
			  && $err !~ /server closed|FATAL|PANIC/;
			ok($good, "$name, written by $author, asked by $caller: no effect")
			  or diag(sprung(), "\n", $out, "\n", substr($err, 0, 2000));
		}
	}
}
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim'"),
	'1', 'nobody was terminated');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
$victim->finish;

# Failure proved: the parser makes a value of a type in whose domains an
# ordinary role's conditions hide, and runs them as a superuser.
trap('mallory', $body{insert}, q{INSERT INTO app.trap VALUES ('x'); RETURN 1});
$node->safe_psql('postgres', q{
SET ROLE mallory;
CREATE DOMAIN app.dom AS int CHECK (VALUE > app.evil_mallory());
CREATE TYPE app.pair AS (a app.dom, b int);
CREATE TABLE app.typed (p app.pair, d app.dom[]);
});
foreach my $literal ("'(5,6)'::app.pair", "'{5,6}'::app.dom[]", "'5'::app.dom", "ROW(5, 6)::app.pair")
{
	my ($ret, $out, $err) = $node->psql('postgres',
		"SELECT * FROM glperf.whatif(\$\$SELECT * FROM app.job WHERE $literal IS NOT NULL AND agent = 7\$\$)");
	like($err, qr/calls function app.evil_mallory\(\)|planning would run/, "$literal is refused");
	is(sprung(), $clean, 'and has no effect');
}

# Failure proved: one function that pretends a cancel, or never returns, ends
# or stalls the whole run.
sub outcomes
{
	my ($workload) = @_;
	return $node->safe_psql('postgres', qq{
SELECT count(*) >= 0 FROM glperf.advise_indexes(workload => '$workload');
SELECT outcome, reason FROM glperf.advised_statements() ORDER BY 1 DESC;});
}
trap('mallory', undef, $body{cancel});
my $two = '[{"query": "SELECT app.evil_mallory()", "role": "mallory"},'
  . ' {"query": "SELECT * FROM app.job WHERE agent = 7 AND note < \'\'a\'\'", "calls": 9}]';
is(outcomes($two), "t\nnot analysable|pretended\nadvised|",
	'a pretended cancel concerns its own statement only');
trap('mallory', undef, 'LOOP END LOOP');
my $t0 = time;
is(outcomes($two), "t\nnot analysable|planning took longer than 5 s\nadvised|",
	'a function that never returns is given up');
cmp_ok(time - $t0, '<', 60, 'in time');

# Failure proved: only superusers are kept from running others' code.
foreach my $role ('signaller', 'programmer', 'file_writer')
{
	like(outcomes(qq{[{"query": "SELECT * FROM app.job WHERE agent = app.evil_mallory()", "role": "$role"}]}),
		qr/^not analysable\|calls function app.evil_mallory\(\), .* "$role"$/m,
		"nobody's code runs with the rights of $role");
}

trap('mallory', undef, 'LOOP END LOOP');
my ($ret, $out, $err) = $node->psql('postgres', q{
SET ROLE mallory;
SELECT 1;
RESET ROLE;
SET statement_timeout = '300ms';
SELECT ddl FROM glperf.advise_indexes(workload => '[{"query": "SELECT app.evil_mallory()", "role": "mallory"}]');
SET statement_timeout = 0;
SELECT count(*) FROM app.job;}, on_error_stop => 0);
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout holds');
like($out, qr/20000$/, 'and the session goes on');
trap($_, 'NULL') foreach 'mallory', 'signaller';

# Failure proved: a locked table stalls the run, or its statement is missing.
my $locker = IPC::Run::start(
	[ 'psql', '-X', '-q', '-d', $node->connstr('postgres') . ' application_name=locker', '-c',
		'BEGIN; CREATE TABLE app.locked AS SELECT * FROM app.job; COMMIT; BEGIN;'
		  . 'LOCK TABLE app.locked IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)' ],
	'>', '/dev/null', '2>', '/dev/null');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks "
	  . "WHERE mode = 'AccessExclusiveLock' AND granted AND relation = to_regclass('app.locked')");
$t0 = time;
is( outcomes('[{"query": "SELECT * FROM app.locked WHERE agent = 7"},'
		  . '{"query": "SELECT * FROM app.job WHERE agent = 7 AND note < \'\'a\'\'"}]'),
	"t\nnot analysable|a table it reads is locked at the moment\nadvised|",
	'a locked table is said to be locked, the rest is advised on');
# the lock is held for ten minutes; the rest is a busy machine
cmp_ok(time - $t0, '<', 60, 'without waiting');
($ret, $out, $err) = $node->psql('postgres',
	"SELECT glperf.whatif('SELECT * FROM app.locked', ARRAY['CREATE INDEX ON app.locked (agent)'])");
like($err, qr/locked by another session\nHINT:  Try again/, 'whatif() does not wait either, and says so');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locker'");
$locker->finish;

# Failure proved: a cancel is noticed late, or leaves the session unusable.
$node->safe_psql('postgres', q{
SELECT format('CREATE TABLE app.wide_%s AS SELECT i AS id, i %% 100 AS a, i %% 101 AS b, i %% 102 AS c, i %% 103 AS d
	FROM generate_series(1, 5000) i', n) FROM generate_series(1, 8) n \gexec
ANALYZE;
CREATE TABLE app.workload AS SELECT jsonb_agg(jsonb_build_object('query',
	format('SELECT * FROM app.wide_%s x JOIN app.wide_%s y USING (a, b) JOIN app.wide_%s z ON z.c = x.d AND z.id = %s WHERE x.c < %s ORDER BY x.d, y.c LIMIT 10',
		1 + n % 8, 1 + n / 3 % 8, 1 + n / 7 % 8, n, n), 'calls', n)) AS w
FROM generate_series(1, 3000) n;
});
my ($stdout, $stderr) = ('', '');
my $runner = IPC::Run::start(
	[ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres') . ' application_name=runner',
		'-c', 'SELECT count(*) FROM glperf.advise_indexes(workload => (SELECT w FROM app.workload))',
		'-c', 'SELECT count(*) FROM app.job' ], '>', \$stdout, '2>', \$stderr);
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'runner' AND query LIKE '%advise_indexes%' AND state = 'active'");
sleep 0.7;
$t0 = time;
is( $node->safe_psql('postgres',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'runner'"),
	't', 'a long run is cancelled');
$runner->finish;
cmp_ok(time - $t0, '<', 30, 'and ends at once');
like($stderr, qr/canceling statement due to user request/, 'with the usual error');
is($stdout, "20000\n", 'and the session goes on');
$t0 = time;
is( $node->safe_psql('postgres', q{
SELECT count(*) >= 0 FROM glperf.advise_indexes(time_limit_ms => 500, workload => (SELECT w FROM app.workload));
SELECT statements, complete FROM glperf.advice_summary();}), "t\n3000|f",
	'a time limit ends a long run with every statement accounted for');
cmp_ok(time - $t0, '<', 30, 'in time');

# Failure proved: memory stays behind in the session.
is( $node->safe_psql('postgres', q{
CREATE FUNCTION app.top() RETURNS int8 LANGUAGE sql AS
	$$SELECT total_bytes FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext'$$;
CREATE FUNCTION app.sandboxes() RETURNS int8 LANGUAGE sql AS
	$$SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'glperf%' AND parent NOT LIKE 'glperf%'$$;
DO $do$
DECLARE before int8; after int8; n int8;
BEGIN
	FOR round IN 1 .. 2 LOOP
		before := app.top();
		FOR i IN 1 .. 1000 LOOP
			PERFORM glperf.whatif('SELECT * FROM app.job WHERE agent = 7 ORDER BY note',
				ARRAY['CREATE INDEX ON app.job (agent, note) WHERE agent > 5']);
			BEGIN
				PERFORM glperf.whatif('SELECT 1 / 0');
			EXCEPTION WHEN division_by_zero THEN
			END;
		END LOOP;
		FOR i IN 1 .. 25 LOOP
			PERFORM glperf.advise_indexes(workload => '[{"query": "SELECT * FROM app.job WHERE agent = 7"},
				{"query": "nonsense"}, {"query": "SELECT * FROM app.wide_1 x JOIN app.wide_2 y USING (a)"}]');
		END LOOP;
		after := app.top();
	END LOOP;
	RAISE NOTICE '%', after - before;
	CREATE TEMP TABLE grown AS SELECT after - before AS bytes, app.sandboxes() AS contexts;
END $do$;
SELECT bytes, contexts FROM grown;}), '0|1',
	'2,000 what-ifs and 50 runs leave TopMemoryContext as it was, and one advice kept');

# Failure proved: analysis needs to write, and so fails on a hot standby.
$node->safe_psql('postgres', 'SELECT count(*) FROM app.job WHERE agent = 7');
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
like( $standby->safe_psql('postgres',
		"SELECT indexes_used FROM glperf.whatif('SELECT * FROM app.job WHERE agent = 7', ARRAY['CREATE INDEX i ON app.job (agent)'])"),
	qr/^\{i\}$/, 'whatif() works on a hot standby');
$standby->safe_psql('postgres',
	join('', map { "SELECT count(*) FROM app.job WHERE agent = $_;" } 1 .. 30));
like( $standby->safe_psql('postgres', 'SELECT ddl FROM glperf.advise_indexes()'),
	qr/ON app\.job \(agent/, 'and so does advice on the statements of the standby');

$standby->stop;
$node->stop;
done_testing();

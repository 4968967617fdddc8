# Errors by SQLSTATE: what reached a client is counted once, whatever is
# logged; what a handler caught is not.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('errors');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
autovacuum = off
max_connections = 20
log_connections = on
log_disconnections = on
superuser_reserved_connections = 3
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v >= 0));
INSERT INTO t VALUES (1, 1);
CREATE FUNCTION catches() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
	BEGIN
		INSERT INTO t VALUES (1, 1);
	EXCEPTION WHEN unique_violation THEN RETURN 'caught';
	END;
	RETURN 'half';
END $$;
});

# Errors of each SQLSTATE counted so far.
sub errors
{
	my $rows = $node->safe_psql('postgres',
		'SELECT sqlstate, sum(errors) FROM glperf.error_counts() '
		  . 'WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1');
	return map { split /\|/ } split /\n/, $rows;
}

# Run SQL that fails, and compare what was counted.
sub counts
{
	my ($name, $sql, $expected) = @_;
	my %before = errors();
	$node->psql('postgres', $sql, on_error_stop => 0);
	my %after = errors();
	my %diff;
	for (keys %after)
	{
		my $n = $after{$_} - ($before{$_} // 0);
		$diff{$_} = $n if $n;
	}
	is_deeply(\%diff, $expected, $name);
}

# What goes to the log from now on.
sub log_level
{
	my ($level) = @_;
	$node->append_conf('postgresql.conf', "log_min_messages = $level");
	$node->reload;
	$node->poll_query_until('postgres',
		"SELECT current_setting('log_min_messages') = '$level'");
	return;
}

for my $level (qw(warning panic))
{
	log_level($level);

	# Failure proved: a statement that fails while it runs is missing.
	counts("$level: executor", 'SELECT 1 / (v - 1) FROM t; INSERT INTO t VALUES (1, 1);',
		{ '22012' => 1, '23505' => 1 });
	counts("$level: statement_timeout",
		"SET statement_timeout = '50ms'; SELECT pg_sleep(5), '$level';",
		{ '57014' => 1 });

	# Failure proved: errors before execution, after it, or of commands.
	counts("$level: parser, analysis, planner",
		'SELEC 1; SELECT nothing_like_it; SELECT 1 / 0;',
		{ '42601' => 1, '42703' => 1, '22012' => 1 });
	counts("$level: command", 'DROP TABLE missing; ALTER TABLE t ADD v int;',
		{ '42P01' => 1, '42701' => 1 });
	counts("$level: at commit",
		"CREATE TABLE d_$level (a int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
		  . "BEGIN; INSERT INTO d_$level VALUES (1), (1); COMMIT;",
		{ '23505' => 1 });

	# Failure proved: one error is counted twice, or hides the next one.
	counts("$level: inside a function, DO and EXPLAIN", q{
CREATE OR REPLACE FUNCTION raises() RETURNS int LANGUAGE plpgsql AS
$$ BEGIN PERFORM 1 FROM t WHERE 1 / (v - 1) = 1; RETURN 1; END $$;
SELECT raises(); DO $$ BEGIN PERFORM raises(); END $$; EXPLAIN ANALYZE SELECT raises();},
		{ '22012' => 3 });
	counts("$level: a series of them",
		'SELEC 1; SELECT 1 / (v - 1) FROM t; SELEC 1; DROP TABLE missing; SELEC 1;',
		{ '42601' => 3, '22012' => 1, '42P01' => 1 });
	counts("$level: savepoint", q{
BEGIN; SAVEPOINT s; SELECT 1 / (v - 1) FROM t; ROLLBACK TO s; SELECT 1; COMMIT;
BEGIN; SAVEPOINT s; SELECT 1 / (v - 1) FROM t; ROLLBACK;},
		{ '22012' => 2 });
	counts("$level: EXECUTE",
		'PREPARE p AS SELECT 1 / (v - $1) FROM t; EXECUTE p(1); EXECUTE p(1, 2); EXECUTE q;',
		{ '22012' => 1, '42601' => 1, '26000' => 1 });

	# Failure proved: errors in a transaction that has failed, which abort
	# nothing, are missing or counted for the one that failed it.
	counts("$level: in a failed transaction", q{
BEGIN; SELECT 1 / (v - 1) FROM t; SELECT 1; SELECT 2; SELEC; ROLLBACK; SELECT 1; SELEC;
BEGIN; SELEC; SELECT 1; ROLLBACK;}, { '22012' => 1, '25P02' => 3, '42601' => 3 });
	counts("$level: after a savepoint", q{
BEGIN; SAVEPOINT s; SELEC; SELECT 1; ROLLBACK TO s; SELECT 1; SELEC; ROLLBACK TO s; SELECT 1 / (v - 1) FROM t;
ROLLBACK TO s; SELECT 1 / (v - 1) FROM t; ROLLBACK TO s; COMMIT; COMMIT; ROLLBACK;},
		{ '22012' => 2, '25P02' => 1, '42601' => 2 });

	# Failure proved: what no client saw is counted.
	counts("$level: caught by a handler",
		'SELECT catches(); DO $$ BEGIN PERFORM catches(); END $$;', {});
	counts("$level: rolled back by the client",
		'BEGIN; SELECT 1; ROLLBACK; BEGIN; INSERT INTO t VALUES (2, 2); ROLLBACK;', {});
	counts("$level: rolled back by a procedure", q{
CREATE OR REPLACE PROCEDURE rolls() LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO t VALUES (3, 3); ROLLBACK; INSERT INTO t VALUES (3, 3); ROLLBACK; END $$;
CALL rolls();}, {});
}

# Failure proved: a failed statement has no latency, the time of a killed one is
# missing or zero, or failures are not told from successes.
is( $node->safe_psql('postgres', q{
SELECT l.calls, l.errors, l.p99_ms BETWEEN 47 AND 4900 FROM glperf.statement_latency() l
JOIN glperf.error_counts() e USING (dbid, queryid) WHERE e.sqlstate = '57014'}),
	'2|2|t', 'two timeouts of 50 ms are two failed calls of 50 ms');
is( $node->safe_psql('postgres', q{
SELECT l.calls, l.errors FROM glperf.statement_latency() l
JOIN pg_stat_statements p USING (userid, dbid, queryid, toplevel) WHERE p.query LIKE 'SELECT raises()'}),
	'', 'pg_stat_statements knows nothing of statements that only failed');
is( $node->safe_psql('postgres', q{
SELECT l.calls, l.errors FROM glperf.statement_latency() l
JOIN pg_stat_statements p USING (userid, dbid, queryid, toplevel) WHERE p.query LIKE 'SELECT catches()%'}),
	'2|0', 'statements whose errors were handled have not failed');
is( $node->safe_psql('postgres', q{
SELECT sum(errors) > 0, bool_and(calls >= errors) FROM glperf.statement_latency()}),
	't|t', 'calls include errors');

# Failure proved: a statement whose session is terminated is missing, the time
# that it had taken, or the error.
for my $level (qw(warning panic))
{
	log_level($level);
	my %before = errors();
	my ($in, $out, $err) = ('', '', '');
	my $client = IPC::Run::start(
		[ 'psql', '-XAtqc', "SELECT pg_sleep(600) AS $level", $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err);
	my $running = "FROM pg_stat_activity WHERE query LIKE '%(600) AS $level' AND wait_event = 'PgSleep'";
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 $running AND now() - query_start > interval '0.1 s'");
	my $took = $node->safe_psql('postgres',
		"SELECT extract(epoch FROM clock_timestamp() - query_start) * 1000 $running");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) $running");
	$client->finish;
	ok($node->poll_query_until('postgres', qq{
SELECT count(*) = 1 FROM glperf.statement_latency() WHERE queryid IN (SELECT queryid FROM glperf.error_counts()
	WHERE sqlstate = '57P01') AND errors = calls AND calls = CASE '$level' WHEN 'panic' THEN 2 ELSE 1 END
	AND max_ms >= $took}),
		"$level: a terminated statement is a failed call of at least $took ms");
	my %after = errors();
	is($after{'57P01'} - ($before{'57P01'} // 0), 1, "$level: and an error");
}

# Failure proved: refused connections are counted nowhere, or twice, or not
# where log_min_messages keeps even fatal errors away.
$node->safe_psql('postgres', q{
CREATE ROLE few LOGIN CONNECTION LIMIT 0;
CREATE DATABASE full_up CONNECTION LIMIT 0;
GRANT pg_read_all_stats TO few});
my $refusals =
  q{SELECT coalesce(sum(errors), 0) FROM glperf.error_counts() WHERE sqlstate = '%s'};

# Connect in vain, as the given user; returns the message.
sub refused
{
	my ($user, $database) = @_;
	my ($out, $err);
	IPC::Run::run([ 'psql', '-XAtqc', 'SELECT 1', $node->connstr($database) . " user=$user" ],
		'>', \$out, '2>', \$err);
	return $err;
}
for my $level (qw(warning panic))
{
	log_level($level);
	for my $case ([ '53300', 'few', 'postgres', qr/too many connections for role/ ],
		[ '53300', 'few', 'full_up', qr/too many connections for/ ],
		[ '3D000', scalar getpwuid($<), 'missing', qr/does not exist/ ],
		[ '28000', 'nobody_there', 'postgres', qr/does not exist/ ])
	{
		my ($sqlstate, $user, $database, $message) = @$case;
		my $counted = sprintf $refusals, $sqlstate;
		my $before = $node->safe_psql('postgres', $counted);
		like(refused($user, $database), $message, "$level: $user to $database is refused");
		ok($node->poll_query_until('postgres', "SELECT ($counted) = $before + 1"),
			"$level: and counted as $sqlstate");
		is($node->safe_psql('postgres', $counted), $before + 1, 'once');
	}
}

# The same without a single connection left.
for my $level (qw(fatal panic))
{
	log_level($level);
	my $counted = sprintf $refusals, '53300';
	my $before = $node->safe_psql('postgres', $counted);
	my @held;
	my $refused = 0;
	for (1 .. 600)
	{
		if (refused(scalar getpwuid($<), 'postgres') =~ /too many clients|remaining connection slots/)
		{
			$refused++;
			last if $refused == 5;
			next;
		}
		# One more holds a place.  Who finds none left is refused and gone; all
		# at once with the attempt above, that could leave a place free for good.
		my $input = "SELECT 'held', pg_sleep(600);\n";
		push @held, IPC::Run::start([ 'psql', '-XAtq', $node->connstr('postgres') ],
			'<', \$input, '>', \my $out, '2>', \my $err);
	}
	is($refused, 5, "$level: no connection is left");
	$_->kill_kill for @held;
	# there may be a moment before a slot is free, and refusals of our own
	for (1 .. 600)
	{
		my ($r) = $node->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()});
		last if $r == 0;
		select(undef, undef, undef, 0.1);
	}
	cmp_ok($node->safe_psql('postgres', $counted) - $before, '>=', 5,
		"$level: refusals are counted");
}

is( $node->safe_psql('postgres', q{
SELECT class_name, errors > 0, rate_pct > 0 FROM glperf.errors
WHERE database = 'postgres' AND class = '42'}),
	'syntax error or access rule violation|t|t', 'view errors');

# Failure proved: more kinds of errors than there is room for lose some.
my $total = 'SELECT sum(errors) FROM glperf.error_counts()';
my $before = $node->safe_psql('postgres', $total);
$node->psql('postgres', join('', map {
	my $s = sprintf('X%04d', $_);
	"DO \$\$ BEGIN RAISE SQLSTATE '$s'; END \$\$;\n" } 1 .. 1500),
	on_error_stop => 0);
is($node->safe_psql('postgres', $total) - $before, 1500,
	'1,500 SQLSTATEs in a table of 768: no error is lost');

$node->stop;
done_testing();

# Advice under limits: the time limit holds inside a long planning, what was
# found until then is returned, a cancel is answered at once, and the same
# statements in any order get the same advice.

use strict;
use warnings;

use IPC::Run;
use List::Util qw(max shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('limits');
$node->init;
# nothing keeps the planner from trying every order of a join
$node->append_conf('postgresql.conf', q{
autovacuum = off
geqo = off
join_collapse_limit = 20
from_collapse_limit = 20
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
SELECT format('CREATE TABLE wide_%s AS SELECT i AS id, i %% 7 AS g, i * 79 %% 1000 AS a, i * 1047 %% 500 AS b,
	i * 129 %% 49 AS c, timestamptz ''2026-01-01'' - i * interval ''1 min'' AS at, repeat(''x'', 40) AS note
	FROM generate_series(1, 4000 + 500 * %s) i; ALTER TABLE wide_%s ADD PRIMARY KEY (id)', n, n, n)
FROM generate_series(1, 14) n \gexec
VACUUM ANALYZE;
CREATE TABLE workload (name text, w jsonb);
CREATE ROLE looper;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO looper;
-- planning calls it, and takes longer than any limit
CREATE FUNCTION endless() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN LOOP END LOOP; END $$;
INSERT INTO workload SELECT name, jsonb_agg(j) FROM (
	-- every pair of tables can be joined: planning takes all time and memory there is
	SELECT 'endless' AS name, jsonb_build_object('query', 'SELECT count(*) FROM ' ||
		string_agg('wide_' || n, ' JOIN ' ORDER BY n) FILTER (WHERE n = 1) ||
		string_agg(format(' JOIN wide_%s USING (g)', n), '' ORDER BY n) FILTER (WHERE n > 1) ||
		' WHERE wide_1.a = 3', 'time_ms', 10) AS j FROM generate_series(1, 14) n
	UNION ALL
	SELECT 'stuck', '{"query": "SELECT note FROM wide_6 WHERE a = endless()", "time_ms": 10, "role": "looper"}'
	UNION ALL
	SELECT unnest('{endless,stuck}'::text[]), jsonb_build_object('query', format('SELECT note FROM wide_%s WHERE a = %s', n, n),
		'calls', 1000, 'time_ms', 10000 * n) FROM generate_series(1, 5) n) x GROUP BY name;
INSERT INTO workload SELECT 'many', jsonb_agg(jsonb_build_object('query', format(
	'SELECT x.id FROM wide_%s x JOIN wide_%s y USING (a, b) JOIN wide_%s z ON z.c = x.c AND z.id = %s WHERE x.a < %s ORDER BY x.at, y.b LIMIT 10',
		1 + n % 14, 1 + n / 3 % 14, 1 + n / 7 % 14, n, n % 50), 'calls', n))
	FROM generate_series(1, 3000) n;
-- each constant asks for a partial index of its own
INSERT INTO workload SELECT 'constants', jsonb_agg(jsonb_build_object('query',
	format('SELECT note FROM wide_14 WHERE id = %s', n))) FROM generate_series(1, 3000) n;
INSERT INTO workload SELECT 'few', jsonb_agg(j) FROM (
	SELECT jsonb_build_object('query', format(CASE n % 5
		WHEN 0 THEN 'SELECT * FROM wide_%1$s WHERE a = %2$s AND b > %2$s'
		WHEN 1 THEN 'SELECT * FROM wide_%1$s WHERE b = %2$s ORDER BY at DESC LIMIT 5'
		WHEN 2 THEN 'SELECT count(*) FROM wide_%1$s x JOIN wide_%3$s y USING (a) WHERE x.b = %2$s'
		WHEN 3 THEN 'SELECT c, count(*) FROM wide_%1$s WHERE a IN (%2$s, 5) GROUP BY c'
		ELSE 'SELECT * FROM wide_%1$s WHERE at > timestamptz ''2026-01-01'' - %2$s * interval ''1 min''' END,
		1 + n % 3, n, 1 + n % 4), 'calls', 1 + n % 3) AS j FROM generate_series(1, 24) n) x;
});

# Milliseconds that a run took by the server's clock, with its summary.
sub timed_run
{
	my ($name, $limit) = @_;
	return split /\|/, $node->safe_psql('postgres', qq{
CREATE TEMP TABLE t AS SELECT clock_timestamp() AS began;
CREATE TEMP TABLE advice AS SELECT * FROM glperf.advise_indexes(
	time_limit_ms => $limit, workload => (SELECT w FROM workload WHERE name = '$name'));
SELECT extract(epoch FROM clock_timestamp() - (SELECT began FROM t)) * 1000, complete,
	(SELECT count(*) FROM advice WHERE action = 'create'),
	(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text LIKE 'wide%')
FROM glperf.advice_summary()});
}

# Failure proved: the limit waits for the planning under way, of up to 5 s each.
my ($ms, $complete, $indexes, $locks) = timed_run('stuck', 'NULL');
cmp_ok($ms, '>', 4000, 'one statement takes longer to plan than it is allowed');
is($complete, 't', 'which is reported as such: the run is complete');
cmp_ok($indexes, '>=', 5, 'the others get their indexes');
($ms, $complete, $indexes, $locks) = timed_run('stuck', 1500);
cmp_ok($ms, '<', 4500, 'a time limit holds inside a long planning');
is($complete, 'f', 'the run says that it is incomplete');
cmp_ok($indexes, '>=', 5, 'and returns the best that it found');
is($locks, 0, 'no lock is left');

# Failure proved: on time-out nothing is returned, or far too late.
# A busy machine reaches no index in the first of these limits.
foreach my $limit (1000, 2000, 4000, 8000)
{
	($ms, $complete, $indexes) = timed_run('many', $limit);
	$ms -= $limit;
	last if $indexes > 0 || $complete eq 't';
}
cmp_ok($ms, '<', 5000, 'a time limit holds on many statements');
is($complete, 'f', 'and is admitted');
cmp_ok($indexes, '>', 0, 'with indexes for the statements that were reached');

# Failure proved: one statement takes the memory that the server needs.
my ($why, $megabytes) = split /\|/, $node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.advise_indexes(workload => (SELECT w FROM workload WHERE name = 'endless')) \g /dev/null
SELECT (SELECT reason FROM glperf.advised_statements() WHERE outcome = 'not analysable'),
	substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+)')::int / 1024});
# a busy machine does not get that far
like($why, qr/^planning took (more than 1024 MB of memory|longer than 5 s)$/, 'planning is given up');
cmp_ok($megabytes, '<', 1500, 'before it takes all memory');

# Processor time of a backend, in ms: what a busy machine does not change.
sub processor_ms
{
	my ($pid) = @_;
	return (split ' ', slurp_file("/proc/$pid/schedstat"))[0] / 1e6;
}

# Cancel advice on a workload after it has used so much processor time, and
# wait until it has answered by starting the next statement.  Returns how much
# it has used for that; nothing if it was done before.
sub cancel_after
{
	my ($workload, $after) = @_;
	my ($out, $err, $pid, $begin) = ('', '');
	my $victim = IPC::Run::start(
		[ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres') . ' application_name=victim',
			'-c', "SELECT count(*) FROM glperf.advise_indexes(workload => (SELECT w FROM workload WHERE name = '$workload'))",
			'-c', 'SELECT pg_sleep(3600)' ],
		'>', \$out, '2>', \$err);
	my $doing = sub {
		return $node->safe_psql('postgres', "SELECT pid, query LIKE '%pg_sleep%' FROM pg_stat_activity
			WHERE application_name = 'victim' AND state = 'active'");
	};
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if ($pid) = $doing->() =~ /^(\d+)/;
		usleep(100_000);
	}
	for (my $used = 0, my $ticks = 0; $used < $after; $ticks++)
	{
		$begin //= processor_ms($pid);
		usleep(1000);
		$used = processor_ms($pid) - $begin;
		last if $ticks % 200 == 199 && $doing->() =~ /t$/;
	}
	my $before = processor_ms($pid);
	kill 'INT', $pid;
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
		WHERE pid = $pid AND state = 'active' AND query NOT LIKE '%pg_sleep%')");
	# it is gone if the signal came so late that it met the next statement
	my $took = -e "/proc/$pid" ? processor_ms($pid) - $before : undef;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	$victim->finish;
	return $err =~ /canceling statement due to user request.*terminating/s ? $took : undef;
}

# Failure proved: some stage of a run does not notice a cancel for long.  The
# best of some tries counts, as the test may be late between look and signal.
my ($slowest, $cancelled) = (0, 0);
foreach my $stage (map { my $after = $_; map { [ $_, $after ] } qw(endless many constants) } (0, 100, 400, 1200, 2500))
{
	my $best;
	for (1 .. 5)
	{
		my $ms = cancel_after(@$stage);
		last if !defined $ms;
		$best = $ms if !defined $best || $ms < $best;
		last if $best < 100;
	}
	next if !defined $best;
	note "$stage->[0], cancelled after $stage->[1] ms: answered within " . sprintf("%.1f", $best) . " ms of processor time";
	$cancelled++;
	$slowest = max($slowest, $best);
}
cmp_ok($cancelled, '>=', 6, 'runs are cancelled at any time');
cmp_ok($slowest, '<', 200, 'and end at once');

# Failure proved: advice depends on the order of statements, or on chance.
my $few = $node->safe_psql('postgres', q{SELECT jsonb_array_elements(w) FROM workload WHERE name = 'few'});
my @statements = split /\n/, $few;
my %seen;
srand(42);
for my $budget ('NULL', '400000', '150000')
{
	my %advice;
	for my $order (\@statements, \@statements, [ shuffle @statements ], [ reverse @statements ])
	{
		my $work = '[' . join(',', @$order) . ']';
		$advice{ $node->safe_psql('postgres', qq{
SELECT rank, ddl, benefit_ms_per_day, reasons FROM glperf.advise_indexes(budget_bytes => $budget, workload => \$w\$$work\$w\$);
SELECT gain_ms_per_day, upper_bound_pct, planner_calls FROM glperf.advice_summary()}) }++;
	}
	is(scalar keys %advice, 1, "the same advice whatever the order, budget $budget");
	like((keys %advice)[0], qr/CREATE INDEX/, 'and there is some');
	$seen{ (keys %advice)[0] }++;
}
is(scalar keys %seen, 3, 'which depends on the budget');

done_testing();

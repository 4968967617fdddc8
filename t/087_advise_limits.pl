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
-- every pair of tables can be joined: planning takes longer than any limit
INSERT INTO workload SELECT 'endless', jsonb_agg(j) FROM (
	SELECT jsonb_build_object('query', 'SELECT count(*) FROM ' ||
		string_agg('wide_' || n, ' JOIN ' ORDER BY n) FILTER (WHERE n = 1) ||
		string_agg(format(' JOIN wide_%s USING (g)', n), '' ORDER BY n) FILTER (WHERE n > 1) ||
		' WHERE wide_1.a = 3', 'time_ms', 10) AS j FROM generate_series(1, 14) n
	UNION ALL
	SELECT jsonb_build_object('query', format('SELECT note FROM wide_%s WHERE a = %s', n, n),
		'calls', 1000, 'time_ms', 10000 * n) FROM generate_series(1, 5) n) x;
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
my ($ms, $complete, $indexes, $locks) = timed_run('endless', 'NULL');
cmp_ok($ms, '>', 4000, 'one statement takes longer to plan than it is allowed');
is($complete, 't', 'which is reported as such: the run is complete');
cmp_ok($indexes, '>=', 5, 'the others get their indexes');
($ms, $complete, $indexes, $locks) = timed_run('endless', 1500);
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

# How long the server takes to end the statement of the session called victim,
# in ms; polls without waiting for anybody's clock but the server's.
sub cancel_latency
{
	my ($statement, $delay) = @_;
	my ($out, $err) = ('', '');
	my $victim = IPC::Run::start(
		[ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres') . ' application_name=victim', '-c', $statement ],
		'>', \$out, '2>', \$err);
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'");
	my $latency = $node->safe_psql('postgres', qq{
SELECT pg_sleep($delay);
CREATE TEMP TABLE t (ms float8);
DO \$\$
DECLARE
	victim int := (SELECT pid FROM pg_stat_activity WHERE application_name = 'victim');
	began timestamptz := clock_timestamp();
BEGIN
	PERFORM pg_cancel_backend(victim);
	LOOP
		PERFORM pg_stat_clear_snapshot();
		EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = victim AND state = 'active')
			OR clock_timestamp() > began + interval '1 min';
		PERFORM pg_sleep(0.002);
	END LOOP;
	INSERT INTO t VALUES (extract(epoch FROM clock_timestamp() - began) * 1000);
END \$\$;
SELECT ms FROM t});
	$victim->finish;
	$latency =~ s/^\s+//;
	return ($latency, $err);
}

# Failure proved: some stage of a run does not notice a cancel for long.  What
# the machine needs to cancel any statement that computes just now is not held
# against it.
my ($slowest, $machine, $cancelled) = (0, 0, 0);
for my $try (0 .. 8)
{
	my ($ms, $err) = cancel_latency(
		'SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b', 0);
	$machine = max($machine, $ms);
	my $name = qw(endless many constants)[$try % 3];
	($ms, $err) = cancel_latency(
		"SELECT count(*) FROM glperf.advise_indexes(workload => (SELECT w FROM workload WHERE name = '$name'))",
		0.05 + 0.45 * $try);
	$cancelled++ if $err =~ /canceling statement due to user request/;
	$slowest = max($slowest, $ms);
}
note "cancel answered within $slowest ms; a join's within $machine ms";
cmp_ok($cancelled, '>=', 6, 'runs are cancelled at any time');
cmp_ok($slowest, '<', 1000 + 3 * $machine, 'and end at once, but for what the machine is late');

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

# A partitioned table's index is built in many steps, and the run may die
# before, in or after any of them: the program by kill -9, its session by
# pg_terminate_backend.  Whenever that happens, the next run, asked again what
# to do, must come to the same end: all parts valid and attached, nothing left
# over, nothing built twice.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('killed');
$node->safe_psql('postgres', q{
SET max_parallel_workers_per_gather = 0;
CREATE TABLE p (k int, a int, note text) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY RANGE (a);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (0) TO (1000000);
INSERT INTO p SELECT i % 2 + 1, i % 5000, repeat('x', 400) FROM generate_series(1, 60000) i;
VACUUM ANALYZE p;

-- stops the program's DDL command number pause.step until somebody lets go
CREATE TABLE pause (step int);
INSERT INTO pause VALUES (0);
CREATE SEQUENCE ddl_number;
CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('application_name') = 'glperf-advisor'
		AND nextval('public.ddl_number') = (SELECT step FROM public.pause)
	THEN
		PERFORM pg_advisory_lock(4711);
	END IF;
END $$;
CREATE EVENT TRIGGER hold ON ddl_command_start EXECUTE FUNCTION hold();
SELECT pg_stat_statements_reset();
});

# The workload, again and again: its time must not be that of the index.
sub query
{
	$node->safe_psql('postgres', join '',
		"SELECT pg_stat_statements_reset();\nSET max_parallel_workers_per_gather = 0;\n",
		map { "SELECT note, ctid FROM p WHERE a = $_;\n" } 1 .. 20);
	return;
}
query();

my $report = advice($node);
my ($rec) = grep { $_->{table_name} eq 'p' } @{ $report->{recommendations} };
my @steps = @{ $rec->{steps} };
is(scalar @steps, 7, 'seven steps: two shells, two leaves, three attachments')
  or BAIL_OUT("other advice: @steps");
my @leaf_steps = grep { $steps[ $_ - 1 ] =~ /CONCURRENTLY/ } 1 .. @steps;
is(scalar @leaf_steps, 2, '... two of them build');

# All indexes of the tree: valid, other, and attached ones.
sub tree
{
	return $node->safe_psql('postgres', q{
SELECT count(*) FILTER (WHERE indisvalid AND indisready AND indislive),
	count(*) FILTER (WHERE NOT (indisvalid AND indisready AND indislive)),
	count(*) FILTER (WHERE EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid))
FROM pg_index WHERE indrelid IN ('p'::regclass, 'p1'::regclass, 'p2'::regclass, 'p21'::regclass)});
}

# Back to the start.
sub start_over
{
	for my $i (1 .. 2)
	{
		$node->safe_psql('postgres', "DROP INDEX IF EXISTS $_")
		  for split /\n/, $node->safe_psql('postgres', q{
SELECT i.indexrelid::regclass FROM pg_index i
WHERE i.indexrelid::regclass::text LIKE 'glp\_%'
	AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid)});
	}
	$node->safe_psql('postgres', q{
TRUNCATE glperf.apply_log;
UPDATE pause SET step = 0;
SELECT setval('ddl_number', 1, false)});
	die 'not at the start' unless tree() eq '0|0|0';
	query();
	return;
}

# Wait until the program's session waits for a lock of this kind.
sub wait_until_held
{
	my ($kind) = @_;
	$node->poll_query_until('postgres', qq{
SELECT count(*) = 1 FROM pg_stat_activity
WHERE application_name = 'glperf-advisor' AND wait_event_type = 'Lock'
	AND wait_event = '$kind'}) or die "nothing waits for $kind";
	return;
}

# End a run that waits, one way or the other, and wait until it is gone.
sub kill_run
{
	my ($run, $how) = @_;
	if ($how eq 'kill -9')
	{
		$run->{handle}->signal('KILL');
	}
	else
	{
		$node->safe_psql('postgres', q{
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'glperf-advisor'});
	}
	$run->{handle}->finish;
	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'glperf-advisor'")
	  or die 'the session lives on';
	return;
}

# Run again until the end, and look at what is there.
sub converges
{
	my ($what) = @_;
	$node->safe_psql('postgres', 'UPDATE pause SET step = 0');
	my $run = advisor($node, '--apply');
	is($run->{status}, 0, "$what: the next run ends well")
	  or diag($run->{out} . $run->{err});
	is(tree(), '4|0|3', '... all valid and attached, nothing left over')
	  or diag($node->safe_psql('postgres',
		"SELECT string_agg(indexdef, E'\n') FROM pg_indexes WHERE tablename LIKE 'p%' AND schemaname = 'public'"));
	is( $node->safe_psql('postgres', q{
SELECT count(*) FROM (SELECT statement FROM glperf.apply_log
	WHERE outcome = 'done' AND command <> 'drop index'
	GROUP BY statement HAVING count(*) > 1) d}), 0, '... no step was done twice');
	return;
}

my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(4711)');

for my $how ('kill -9', 'pg_terminate_backend')
{
	for my $k (1 .. @steps)
	{
		start_over();
		$node->safe_psql('postgres', "UPDATE pause SET step = $k");
		my $run = advisor_start($node, '--apply');
		wait_until_held('advisory');
		kill_run($run, $how);
		converges("$how after step " . ($k - 1));
	}

	# in the middle of a build, which leaves an invalid index
	for my $k (@leaf_steps)
	{
		start_over();
		$node->safe_psql('postgres', "UPDATE pause SET step = $k");
		my $run = advisor_start($node, '--apply');
		wait_until_held('advisory');
		my $old = $node->background_psql('postgres');
		$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
		$holder->query_safe('SELECT pg_advisory_unlock(4711)');
		wait_until_held('virtualxid');
		kill_run($run, $how);
		$old->quit;
		$holder->query_safe('SELECT pg_advisory_lock(4711)');
		isnt((split /\|/, tree())[1], 0, "$how in step $k: something is not valid");
		converges("$how in step $k");
	}
}

# Twice in a row, at different steps.
start_over();
for my $k (2, 5, 1)
{
	$node->safe_psql('postgres', qq{
UPDATE pause SET step = $k; SELECT setval('ddl_number', 1, false)});
	my $run = advisor_start($node, '--apply');
	wait_until_held('advisory');
	kill_run($run, 'kill -9');
}
converges('killed three times');

# One partition has the index already, and one more comes while nobody works on
# it: both are taken in, and what was there before survives taking all back.
start_over();
$node->safe_psql('postgres', q{
CREATE INDEX own ON p1 (a) WITH (fillfactor = 80);
COMMENT ON INDEX own IS 'mine';
UPDATE pause SET step = 3});
($rec) = grep { $_->{table_name} eq 'p' } @{ advice($node)->{recommendations} };
is(scalar @{ $rec->{steps} }, 6, 'one leaf less to build');
my $run = advisor_start($node, '--apply');
wait_until_held('advisory');
kill_run($run, 'kill -9');
$node->safe_psql('postgres', q{
CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3);
INSERT INTO p SELECT 3, i % 5000, repeat('x', 400) FROM generate_series(1, 3000) i});
converges('a partition with the index, and a new one');
is( $node->safe_psql('postgres',
		q{SELECT string_agg(indexname, ' ') FROM pg_indexes WHERE tablename IN ('p1', 'p3')}),
	'own p3_a_idx', '... nothing was built beside theirs');
$node->safe_psql('postgres', $_) for split /;\n/, $rec->{undo_ddl};
is( $node->safe_psql('postgres', q{
SELECT string_agg(indexdef || ' ' || coalesce(obj_description(indexname::regclass), ''), '')
FROM pg_indexes WHERE tablename ~ '^p[0-9]*$' AND schemaname = 'public'}),
	"CREATE INDEX own ON public.p1 USING btree (a) WITH (fillfactor='80') mine",
	'... undo leaves what was there before');

$holder->quit;
$node->stop;
done_testing();

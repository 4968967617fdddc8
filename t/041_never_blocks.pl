# No view waits for a lock on a user's table, and none fails: while a table is
# held in ACCESS EXCLUSIVE mode, while an index is being built, and on a hot
# standby.  A dashboard that hangs on one locked table uses up connections
# until the server refuses its users.

use strict;
use warnings;

use IPC::Run qw(start pump finish timer);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements'
autovacuum = off
max_connections = 40
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE ROLE watch LOGIN;
GRANT pg_monitor TO watch;
CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE held (id int PRIMARY KEY, a int, b int, d text,
	ref int REFERENCES parent, EXCLUDE USING btree (a WITH =));
CREATE INDEX held_a ON held (a) WHERE b IS NOT NULL;
CREATE INDEX held_a2 ON held (a) WHERE b IS NOT NULL;
CREATE INDEX held_expr ON held (lower(d), f(b));
CREATE INDEX held_expr2 ON held (lower(d), f(b)) WHERE (held.*) IS NOT NULL;
CREATE INDEX held_expr3 ON held (lower(d), f(b)) WHERE (held.*) IS NOT NULL;
CREATE INDEX held_b ON held (b);
CREATE INDEX held_ba ON held (b, a);
CREATE TABLE part (id int, ref int REFERENCES parent) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE INDEX part_ref ON part (ref, id);
INSERT INTO parent SELECT generate_series(1, 100);
INSERT INTO held SELECT g, g, g, g, g FROM generate_series(1, 100) g;
ANALYZE;
});

# A psql that keeps its transaction open.
my @sessions;

sub session
{
	my ($node, $sql) = @_;
	my ($in, $out, $err) = ("$sql;\nSELECT 'rea' || 'dy';\n", '', '');
	my $timer = timer(180);
	my $run = start [ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
	  '<', \$in, '>', \$out, '2>', \$err, $timer;

	pump $run until $out =~ /ready/ || $timer->is_expired;
	my $s = { run => $run, in => \$in, out => \$out, err => \$err };
	push @sessions, $s;
	return $s;
}

sub end_session
{
	my ($s) = @_;
	${ $s->{in} } .= "\\q\n";
	finish $s->{run};
	return;
}

my @views = split /\n/, $node->safe_psql('postgres', q{
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'glperf'::regnamespace AND c.relkind = 'v'
ORDER BY 1});
cmp_ok(scalar(@views), '>', 20, 'there are views to try');

# Every function that a reader may call, whichever there are; what needs
# arguments gets these, or NULL.
my @functions = split /\n/, $node->safe_psql('postgres', q{
SELECT DISTINCT p.proname FROM pg_proc p
WHERE p.pronamespace = 'glperf'::regnamespace AND p.prorettype <> 'trigger'::regtype
	AND has_function_privilege('watch', p.oid, 'execute')
ORDER BY 1});
my %nulls = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{
SELECT DISTINCT ON (p.proname) p.proname, (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n)
	FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n) WHERE n <= p.pronargs - p.pronargdefaults)
FROM pg_proc p
WHERE p.pronamespace = 'glperf'::regnamespace AND p.pronargs > p.pronargdefaults});
my %arguments = (
	apply_owns => q{'public', 'held_a'},
	apply_step => q{'CREATE INDEX CONCURRENTLY glp_x ON public.held (a)'},
	commit_after => q{'0/1'},
	counter_growth => q{'{database,wal,checkpoints,archiver,io}'},
	ddl_target => q{'CREATE INDEX CONCURRENTLY x ON public.held (a)'},
	histogram_subtract => 'array_fill(1::int8, ARRAY[240]), NULL',
	index_bloat_report => '3, 10',
	index_density => q{'held_a'},
	index_report => q{NULL, NULL, NULL, '{x}', NULL, true, 1, 1},
	largest_btrees => '3, 0',
	latency_bound_ms => '1',
	latency_percentile => 'array_fill(1::int8, ARRAY[240]), 0.5',
	pool_default => q{'pool_size'},
	position_age_s => q{'0/1'},
	recent_health_rows => q{'{health_indexes,health_tables}'},
	relation_bytes => q{'held'::regclass},
	silence_of => q{'x', 'y'},
	verdict => q{'cpu', 1},
	whatif => q{'SELECT a FROM held WHERE a = 1', '{CREATE INDEX ON held (b)}'},
	worse_status => q{'ok', 'warning'});

# Read every column of every view, and call every function, as the reader of a
# dashboard does.  A function may refuse, but does not wait; whatif() has to lock
# what it plans for, and says so when it cannot.
sub all_views_answer
{
	my ($node, $when) = @_;

	local $ENV{PGOPTIONS} = '-c lock_timeout=10ms -c statement_timeout=20s';
	foreach my $function (@functions)
	{
		my $arguments = $arguments{$function} // $nulls{$function} // '';
		my ($rc, $out, $err) =
		  $node->psql('postgres', "BEGIN; SELECT * FROM glperf.$function($arguments); ROLLBACK");
		my $answers = exists $arguments{$function} ? $rc == 0 : 1;
		my $waited = $err =~ /lock timeout|statement timeout/;
		ok($function eq 'whatif' || ($answers && !$waited), "$function() answers $when")
		  or diag($err);
	}
	foreach my $view (@views)
	{
		my ($rc, $out, $err) = $node->psql('postgres',
			"SELECT * FROM glperf.$view",
			extra_params => [ '-U', 'watch' ]);
		is($rc, 0, "$view answers $when") or diag($err);
	}
	return;
}

sub verdict
{
	my ($index, $columns) = @_;
	return $node->safe_psql('postgres',
		"SELECT $columns FROM glperf.index_usage WHERE index_name = '$index'");
}

is(verdict('held_a2', 'verdict, undo_ddl IS NOT NULL'), 'duplicate|t',
	'an undo is shown while nothing is locked');
is(verdict('held_expr3', 'verdict, covered_by, undo_ddl IS NOT NULL'),
	'duplicate|held_expr2|t', 'whole-row predicates are compared');

my $lock = session($node, q{BEGIN;
LOCK TABLE held, part, part_1, parent IN ACCESS EXCLUSIVE MODE});
all_views_answer($node, 'while tables are locked');
is(verdict('held_a2',
		q{verdict, drop_ddl, undo_ddl IS NULL, reason LIKE '%locked just now%'}),
	'duplicate|DROP INDEX CONCURRENTLY public.held_a2|t|t',
	'the verdict does not depend on the lock, the undo does');
is(verdict('held_expr3', 'verdict, covered_by'), 'duplicate|held_expr2',
	'nor does that of an index with a whole-row predicate');
is($node->safe_psql('postgres',
		q{SELECT count(*), bool_and(size_bytes > 0)
		FROM glperf.table_access WHERE table_name IN ('held', 'parent')}),
	'2|t', 'sizes of locked tables are known');
is($node->safe_psql('postgres',
		q{SELECT string_agg(table_name || '.' || columns, ' ' ORDER BY 1)
		FROM glperf.foreign_keys_without_index f}),
	'held.ref', 'foreign keys of locked tables are known');
end_session($lock);
is(verdict('held_a2', 'undo_ddl IS NOT NULL'), 't',
	'the undo is back with the end of the lock');

# DDL queued behind a reader blocks everybody who comes later
my $reader = session($node, 'BEGIN; SELECT count(*) FROM held');
my ($qin, $qout, $qerr) = ("ALTER TABLE held ADD COLUMN late int;\n\\q\n", '', '');
my $queued = start [ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
  '<', \$qin, '>', \$qout, '2>', \$qerr, timer(180);
pump $queued while length $qin;
$node->poll_query_until('postgres',
	q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted})
  or die 'DDL does not wait';
all_views_answer($node, 'while DDL waits in the queue');
end_session($reader);
finish $queued;

# An index that is being built is not one that a failed build left behind.
my $writer = session($node,
	'BEGIN; CREATE TEMP TABLE x (); INSERT INTO parent VALUES (1000)');
my ($bin, $bout, $berr) =
  ("CREATE INDEX CONCURRENTLY parent_new ON parent ((id + 1));\n\\q\n", '', '');
my $build = start [ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
  '<', \$bin, '>', \$bout, '2>', \$berr, timer(180);
pump $build while length $bin;
$node->poll_query_until('postgres', q{
SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid})
  or die 'no index is being built';
is(verdict('parent_new', 'verdict, reason, drop_ddl IS NULL'),
	'keep|is being built|t', 'an index that is being built is left alone');
is($node->safe_psql('postgres', q{SET ROLE watch;
		SELECT verdict FROM glperf.index_usage
		WHERE index_name = 'parent_new'}),
	'keep', 'pg_monitor sees that, too');
all_views_answer($node, 'while an index is being built');
$node->safe_psql('postgres', q{
SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index});
finish $build;
end_session($writer);
is(verdict('parent_new', 'verdict, drop_ddl'),
	'invalid|DROP INDEX CONCURRENTLY public.parent_new',
	'what a cancelled build leaves is offered for dropping');
$node->safe_psql('postgres', verdict('parent_new', 'drop_ddl'));
is(verdict('parent_new', 'verdict'), '', 'and can be dropped');

# A standby answers everything as well; its own scans are not the primary's.
$node->safe_psql('postgres',
	q{UPDATE glperf.threshold SET warning = 0 WHERE id = 'index_evidence'});
is(verdict('held_ba', 'verdict, drop_ddl IS NOT NULL'), 'unused|f',
	'the only user of the table is judged alone');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay');
all_views_answer($standby, 'on a hot standby');
is($standby->safe_psql('postgres',
		q{SELECT count(*), count(drop_ddl) FROM glperf.index_usage
		WHERE index_name LIKE 'held%2'}), '2|0',
	'a standby offers nothing to drop');
is(verdict('held_ba', q{verdict, reason LIKE '%has not told%'}),
	'unknown|t', 'not scanned here says nothing while a standby is attached');
is(verdict('held_a2', 'verdict, drop_ddl IS NOT NULL'), 'duplicate|t',
	'a duplicate is one on every node');
$standby->stop;
$node->stop;

done_testing();

# Verification: of four indexes that were applied in one night, the useful one
# is kept, the useless one is named, and so are the one that slows down writes
# and the one that the planner falls for; each with what takes it back.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('verify');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
SELECT setseed(0.5);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, note text);
INSERT INTO orders SELECT i, random() * 5000, 'note ' || i FROM generate_series(1, 60000) i;
CREATE TABLE counter (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 40);
INSERT INTO counter SELECT i, 0, repeat('x', 50) FROM generate_series(1, 5000) i;
-- what is wanted sits at the end of what the index would walk through
CREATE TABLE trap (id int, day int, kind int, pad text);
INSERT INTO trap SELECT i, i, CASE WHEN i > 59000 THEN 7 ELSE i % 5 END, repeat('x', 100)
FROM generate_series(1, 60000) i ORDER BY random();
CREATE TABLE other (id int PRIMARY KEY, v int);
INSERT INTO other SELECT i, i FROM generate_series(1, 2000) i;
VACUUM ANALYZE;
});

# One day's work.
sub day
{
	my $script = "SET max_parallel_workers_per_gather = 0; SET synchronous_commit = off;\n";
	for my $i (1 .. 25)
	{
		$script .= "SELECT note FROM orders WHERE customer_id = $i;\n"
		  . "SELECT count(*) FROM orders WHERE note LIKE '%te ${i}99';\n"
		  . "UPDATE counter SET n = n + 1 WHERE id BETWEEN $i AND $i + 500;\n"
		  . "SELECT pad FROM trap WHERE kind = 7 ORDER BY day LIMIT 10;\n"
		  . "SELECT sum(v) FROM other WHERE v > $i;\n"
		  . "SELECT max(v) FROM other WHERE v < $i * 3;\n"
		  . "SELECT count(*) FROM other WHERE v % 7 = $i;\n";
	}
	sql($script);
	return;
}

sub queryid
{
	my ($like) = @_;
	return sql("SELECT queryid FROM pg_stat_statements WHERE query LIKE '$like'");
}

day();

# as if four runs had recommended them, and somebody created them
my %ddl = (
	useful => [ 'orders', 'customer_id', 'SELECT note FROM orders%' ],
	useless => [ 'orders', 'note', 'SELECT count(*) FROM orders%' ],
	write => [ 'counter', 'n', 'SELECT % nothing' ],
	read => [ 'trap', 'day', 'SELECT % nothing' ]);
for my $index (sort keys %ddl)
{
	my ($table, $column, $like) = @{ $ddl{$index} };
	my $id = queryid($like) || 4711;
	sql(qq{SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'statistics',
		'create', 'public', '$table', 'glp_$index',
		'CREATE INDEX CONCURRENTLY glp_$index ON public.$table ($column)',
		'DROP INDEX CONCURRENTLY public.glp_$index', ARRAY[$id]::int8[], 100000, 5000, 1, 50, 'high', '{why}')});
}
# one snapshot before them all
sql(q{UPDATE glperf.recommendation SET before_snapshot = (SELECT id FROM glperf.recommendation_snapshot ORDER BY taken_at DESC LIMIT 1);
UPDATE glperf.recommendation_snapshot s SET table_updates = (SELECT jsonb_object_agg('public.' || t, glperf.table_updates('public', t))
	FROM unnest('{orders,counter,trap}'::text[]) t)});
sql("CREATE INDEX glp_$_ ON $ddl{$_}[0] ($ddl{$_}[1])"
	  # no plan can use this one
	  . ($_ eq 'useless' ? ' WHERE customer_id < 0' : '')) for sort keys %ddl;
# stands for a costing that favours random reads
sql("ALTER ROLE CURRENT_USER SET random_page_cost = 0.2; ALTER ROLE CURRENT_USER SET cpu_index_tuple_cost = 0.0001");
advisor($node);
is(sql(q{SELECT DISTINCT state FROM glperf.recommendation WHERE name LIKE '%.glp\_%' AND reasons = '{why}'}), 'applied', 'all four count as applied');

my $run = advisor($node, 'verify');
is($run->{status}, 0, 'too early: status 0');
like(flat($run->{out}), qr/not known yet/, '... and it says so');
is(sql(q{SELECT DISTINCT state FROM glperf.recommendation WHERE name LIKE '%.glp\_%' AND reasons = '{why}'}), 'applied', '... no state has changed');

day();
like(sql('EXPLAIN SELECT pad FROM trap WHERE kind = 7 ORDER BY day LIMIT 10'), qr/glp_read/, 'the trap works');
$run = advisor($node, 'verify', '--format=json');
is($run->{status}, 2, 'after a day: status 2');
my %verdict = map { $_->{name} =~ /glp_(\w+)$/; ($1 => $_) }
  @{ JSON::PP->new->utf8->decode($run->{out})->{verdicts} };
my %want = (useful => 'verified', useless => 'no effect', write => 'regressed', read => 'regressed');
for my $index (sort keys %want)
{
	note("$index: $verdict{$index}{message}");
	is($verdict{$index}{state}, $want{$index}, "$index: $want{$index}")
	  or diag(sql("SELECT * FROM glperf.recommendation_effect('create public.glp_$index')"));
	is( $verdict{$index}{undo_ddl},
		$index eq 'useful' ? undef : "DROP INDEX CONCURRENTLY public.glp_$index",
		'... and what to do about it');
}
cmp_ok($verdict{useful}{mean_after_ms}, '<', $verdict{useful}{mean_before_ms}, 'measured: faster');
cmp_ok($verdict{useful}{saved_ms_per_day}, '>', 0, '... and how much that saves');
cmp_ok($verdict{useful}{index_scans}, '>=', 25, '... by scans of the index');
is($verdict{useless}{index_scans}, 0, 'the useless one was not scanned');
cmp_ok($verdict{write}{hot_before_pct}, '>', 50, 'HOT updates before');
cmp_ok($verdict{write}{hot_after_pct}, '<', 5, '... and none after');
like($verdict{write}{message}, qr/HOT updates fell from/, '... which is said');
cmp_ok($verdict{write}{saved_ms_per_day}, '<', 0, 'a loss is a negative saving');
is(sql(q{SELECT count(*) FROM glperf.recommendation WHERE verified_at IS NOT NULL AND message IS NOT NULL}), 4,
	'the table has it all');
is(sql(q{SELECT link, verdict FROM glperf.recommendation_effect('create public.glp_read') WHERE query LIKE '%trap%LIMIT%'}),
	'uses|slower', 'a slower statement counts because its plan uses the index');

$run = advisor($node, '--quiet');
unlike($run->{out}, qr{glp_useless|glp_write|glp_read}, 'a verdict is news once');
like(advisor($node)->{out}, qr/no effect.*DROP INDEX CONCURRENTLY public\.glp_useless;/s, 'the full report repeats it');

# --- a machine that has become busy is not the index's doing

sql(q{UPDATE glperf.recommendation_counter c SET total_time_ms = c.total_time_ms / 50, spread = 0
FROM glperf.recommendation r WHERE r.name = 'create public.glp_useless' AND c.snapshot = r.before_snapshot AND c.queryid = ANY (r.queryids)});
is(sql(q{SELECT verdict FROM glperf.recommendation_effect('create public.glp_useless') WHERE link = 'advised'}),
	'slower', 'the statement of an index that no plan uses got slower');
is(sql(q{SELECT state FROM glperf.recommendation_verdict('create public.glp_useless')}), 'no effect', '... which is not held against the index');

# --- taken back: not proposed again

$run = advisor($node, 'verify', '--format=sql');
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/undo.sql", $run->{out});
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', "$dir/undo.sql" ],
	'the script of verify runs');
is(sql(q{SELECT string_agg(relname, ',') FROM pg_class WHERE relname LIKE 'glp\_%'}), 'glp_useful', '... and leaves the useful one');
is(sql(q{SELECT is_suppressed, note FROM glperf.recommendation_match('create', 'public', 'trap', 'glp_read', 'statistics', 100000, 5000)})
	  =~ /^t\|regressed: /, 1, 'what did harm is not proposed again');
is(sql(q{SELECT is_suppressed FROM glperf.recommendation_match('create', 'public', 'trap', 'glp_read', 'statistics', 100000, 50000)}),
	'f', '... unless much more speaks for it');
is(advisor($node, 'verify')->{status}, 0, 'nothing is left to take back');

# --- resets and evictions are not taken for effects

sql('SELECT pg_stat_statements_reset()');
day();
$run = advisor($node, 'verify', '--format=json');
($verdict{useful}) = grep { $_->{name} =~ /useful/ } @{ JSON::PP->new->utf8->decode($run->{out})->{verdicts} };
is($verdict{useful}{verdict}, 'unknown', 'after a reset nothing is known');
like($verdict{useful}{message}, qr/counters were reset/, '... and it says why');
is($verdict{useful}{state}, 'verified', '... the state stays');

$node->stop;
done_testing();

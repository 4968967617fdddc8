# glperf.recommendation: the memory of what was recommended.  --quiet says only
# what the run before did not; what is dismissed stays away until much more
# depends on it; without the right to write, everything works but the memory.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('memory');
run_workload($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub states
{
	return sql(q{SELECT string_agg(state || ' ' || runs || ' ' || sources::text, ', ' ORDER BY name)
FROM glperf.recommendation});
}

# --- without the right to write, before anything is known

sql('CREATE ROLE watcher LOGIN IN ROLE pg_monitor');
my $run = advisor($node, '--username=watcher');
is($run->{status}, 2, 'a reader gets advice');
like(flat($run->{out}),
	qr/This run is not in glperf\.recommendation \(permission denied for table \w+\)/,
	'... and is told that it is not recorded');
my $advice = advice($node, '--username=watcher');
is($advice->{recorded}, JSON::PP::false, '... in JSON, too');
like($advice->{record_message}, qr/^permission denied/, '... with the reason');
$advice = advice($node, '--no-record');
is($advice->{record_message}, '--no-record was given', '--no-record writes nothing');
is(sql('SELECT count(*) FROM glperf.recommendation'), 0, '... indeed');
is(advisor($node, '--quiet', '--no-record')->{status}, 2, 'without a memory all is news');

# --- the first run, and the second

$advice = advice($node);
my @recs = @{ $advice->{recommendations} };
cmp_ok(scalar @recs, '>=', 2, 'recommendations to work with');
is($advice->{recorded}, JSON::PP::true, 'the run is recorded');
is(join(',', map { $_->{is_new} } @recs), join(',', map { 1 } @recs), 'all of them are new');
is($recs[0]{first_seen_at}, undef, '... and were not seen before');
is(states(), join(', ', map { 'proposed 1 {statistics}' } @recs), 'the table has them');
is(sql(qq{SELECT action, schema_name, table_name, index_name, ddl, undo_ddl, queryids::text,
	size_bytes, confidence FROM glperf.recommendation WHERE name = '$recs[0]{name}'}),
	join('|', @{ $recs[0] }{qw(action schema_name table_name index_name ddl undo_ddl)},
		'{' . join(',', @{ $recs[0]{queryids} }) . '}', @{ $recs[0] }{qw(size_bytes confidence)}),
	'... as they were shown');

$run = advisor($node, '--quiet');
is($run->{status}, 0, 'unchanged workload with --quiet: status 0');
is($run->{out} . $run->{err}, '', '... and not a word');
is(advisor($node)->{status}, 2, 'without --quiet they are still there');
like(advisor($node)->{out}, qr/proposed   since \d{4}-/, '... and it says since when');
is(states(), join(', ', map { 'proposed 4 {statistics}' } @recs), 'runs are counted');

# --- a new statement is news, and only that is

sql('CREATE TABLE parts AS SELECT i AS id, i % 1000 AS maker FROM generate_series(1, 50000) i; ANALYZE parts');
sql("SET max_parallel_workers_per_gather = 0;"
	  . join('', map { "SELECT count(*) FROM parts WHERE maker = $_;" } 1 .. 20));
$run = advisor($node, '--quiet');
is($run->{status}, 2, 'a new statement: status 2');
like($run->{out}, qr/ON public\.parts \(maker\)/, '... its index is shown');
unlike($run->{out}, qr/ON public\.orders/, '... and no other');
like(flat($run->{out}), qr/\d recommendations are as before/, '... which are mentioned');
is(advisor($node, '--quiet')->{out}, '', 'the next night: nothing');

# --- a statement that vanishes

sql('DROP TABLE parts');
$run = advisor($node, '--quiet');
like(flat($run->{out}), qr/create public\.glp_parts_maker_\w+: would no longer pay for itself/,
	'what is recommended no longer is news');
is($run->{status}, 0, '... but nothing to do');
is(advisor($node, '--quiet')->{out}, '', '... and news only once');
is(sql(q{SELECT state, sources FROM glperf.recommendation WHERE table_name = 'parts'}),
	'proposed|{}', 'the table remembers it');

# --- dismiss

my $name = $recs[0]{index_name};
is(sql("SELECT glperf.dismiss('$name', 'writes matter more')"), $recs[0]{name}, 'dismiss by index name');
$advice = advice($node);
ok(!(grep { $_->{index_name} eq $name } @{ $advice->{recommendations} }), 'a dismissed one is not proposed');
is($advice->{left_out}[0]{index_name}, $name, '... but named as left out');
is($advice->{left_out}[0]{note}, 'dismissed: by ' . sql('SELECT session_user') . ': writes matter more',
	'... with who and why');
like(flat(advisor($node)->{out}), qr/1 recommendation is left out, as dismissed/, '... in text, too');
$run = advisor($node, '--all');
like($run->{out}, qr/\Q$name\E/, '--all shows it');
like(flat($run->{out}), qr/note dismissed: by \S+: writes matter more/, '... with the note');
$run = advisor($node, '--apply', '--all', '--max-indexes=1');
is(sql("SELECT count(*) FROM pg_class WHERE relname = '$name'"), 0, '--apply --all does not create it');

# evidence that grows by less than the factor changes nothing, more does
sql("UPDATE glperf.recommendation SET settled_benefit_ms_per_day = benefit_ms_per_day * 0.9 WHERE index_name = '$name'");
$advice = advice($node);
ok((grep { $_->{index_name} eq $name } @{ $advice->{left_out} }), 'a little more benefit: still left out');
sql("UPDATE glperf.recommendation SET settled_benefit_ms_per_day = benefit_ms_per_day * 0.1 WHERE index_name = '$name'");
$advice = advice($node);
my ($back) = grep { $_->{index_name} eq $name } @{ $advice->{recommendations} };
is($back->{state}, 'proposed', 'ten times the benefit: proposed again');
like($back->{note}, qr/^was dismissed \(by .*writes matter more\), but much more depends on it now/, '... with the story');
is($back->{is_new}, JSON::PP::true, '... as news');

sql("SELECT glperf.dismiss('$recs[0]{name}', NULL)");
is(sql("SELECT glperf.propose_again('$name')"), $recs[0]{name}, 'propose_again() takes it back');
is(advisor($node, '--quiet')->{status}, 2, '... which is news');

my ($ret, $out, $err) = $node->psql('postgres', "SELECT glperf.dismiss('nonsense', 'x')");
like($err, qr/ERROR:  there is no recommendation "nonsense"\n.*HINT/s, 'an unknown name is refused');
($ret, $out, $err) = $node->psql('postgres', "SET ROLE watcher; SELECT glperf.dismiss('$name', 'x')");
like($err, qr/permission denied for table recommendation/, 'a reader may not dismiss');

# --- done by hand

sql($recs[0]{ddl});
$run = advisor($node, '--quiet');
like(flat($run->{out}), qr/create public\.\Q$name\E: somebody has done it; it will be verified/,
	'an index created by hand is noticed');
is(sql("SELECT state FROM glperf.recommendation WHERE index_name = '$name'"), 'applied', '... and counts as applied');
sql("DROP INDEX $name");
$advice = advice($node);
($back) = grep { $_->{index_name} eq $name } @{ $advice->{recommendations} };
is($back->{note}, 'was applied before, and taken back since', 'dropped again: proposed again, with the story');

# --- applied, and a second run

$run = advisor($node, '--apply', '--quiet');
is($run->{status}, 0, '--apply: status 0');
like($run->{out}, qr/done in .*, verified/, '... --quiet shows what was done');
is(sql(q{SELECT DISTINCT state FROM glperf.recommendation WHERE table_name = 'orders'}), 'applied', 'applied');
is(advisor($node, '--quiet')->{out}, '', 'and the next run has nothing to say');

# --- rights that suffice

sql(q{GRANT SELECT, INSERT, UPDATE, DELETE ON glperf.recommendation, glperf.recommendation_snapshot,
	glperf.recommendation_counter TO watcher});
is(advice($node, '--username=watcher')->{recorded}, JSON::PP::true, 'a role with the documented rights records');

# --- dump and restore

my $dir = PostgreSQL::Test::Utils::tempdir();
my $all = q{SELECT name, state, runs, ddl, queryids, reasons, applied_at FROM glperf.recommendation ORDER BY name};
my $before = sql($all);
$node->command_ok([ 'pg_dump', '-f', "$dir/dump.sql", $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql", $node->connstr('copy') ], 'restore');
is($node->safe_psql('copy', $all), $before, 'recommendations survive');
$run = advisor($node, 'verify');
is($run->{status}, 0, 'verify works');
$run = do {
	my ($o, $e) = ('', '');
	IPC::Run::run([ 'glperf-advisor', 'verify', '-w', '-h', $node->host, '-p', $node->port, '-d', 'copy' ], '>', \$o, '2>', \$e);
	{ status => $? >> 8, out => $o, err => $e };
};
is($run->{status}, 0, '... in the copy, too');
like(flat($run->{out}), qr/no counters of this server were noted/,
	'... where it knows that it knows nothing');

$node->stop;
done_testing();

# Workloads from elsewhere: a file of statements, and real server logs in all
# three formats, with bound parameters put back and no constant in a report.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('workload', conf => q{
logging_collector = on
log_filename = 'w.log'
log_rotation_age = 0
log_line_prefix = '%m [%p] %q%u@%d/%-12a %Q|'
compute_query_id = on
});
my $major = $node->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int / 10000});
my @formats = ('stderr', 'csvlog', $major >= 15 ? 'jsonlog' : ());
run_workload($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $dir = PostgreSQL::Test::Utils::tempdir();

# --- a file

append_to_file("$dir/w.sql", <<'SQL');
-- what the shop does; all day
\timing on
-- glperf: calls=5000 time_ms=50000 rows=100000
SELECT id, note FROM orders WHERE customer_id IN (1, 2, 3) AND note <> 'se;cret';
SELECT id, note FROM orders
  WHERE customer_id IN (4,5) AND note <> $tag$sec;ret$tag$;
/* not a ; statement */
-- glperf: calls=7 role=nobody
UPDATE orders SET note = E'it\'s;' WHERE id = 3; ;
SELECT 1 FROM nowhere WHERE "col;umn" = 2
SQL
my $advice = advice($node, "--workload=$dir/w.sql");
is($advice->{source}, 'file', 'the workload is the file');
my %calls = map { $_->{query} => $_->{calls} } @{ $advice->{statements} };
is_deeply(\%calls, {
		'SELECT id, note FROM orders WHERE customer_id IN ($1) AND note <> $2' => 5001,
		'UPDATE orders SET note = $1 WHERE id = $2' => 7,
		'SELECT $1 FROM nowhere WHERE "col;umn" = $2' => 1 },
	'statements are cut, counted, weighed and without constants');
my ($first) = grep { $_->{query} =~ /customer_id/ } @{ $advice->{statements} };
cmp_ok(abs($first->{time_ms_per_day} / 50000 - 1), '<', 0.01, '... with the time given');
is($first->{samples}, 2, '... and planned with their constants');
like($advice->{recommendations}[0]{ddl}, qr/\(customer_id\)/, 'they are advised on');
my ($update) = grep { $_->{query} =~ /^UPDATE/ } @{ $advice->{statements} };
is($update->{role}, sql('SELECT current_user'), 'a role that does not exist is left out');
unlike(JSON::PP->new->encode($advice), qr/se;cret|sec;ret/, 'no constant is in the report');
like(advisor($node, "--workload=$dir/w.sql")->{out}, qr/workload    3 statements of \S+w\.sql, as a day's work/, 'text says what it is about');
is(sql('SELECT DISTINCT sources FROM glperf.recommendation'), '{file}', 'recorded as what the file proposed');
my $gone = advice($node);
is_deeply($gone->{gone}, [], 'a run over the statistics is not compared with that');
is(advisor($node, '--quiet', "--workload=$dir/w.sql")->{out}, '', 'the file again: no news');

my $run = advisor($node, "--workload=$dir/none.sql");
is($run->{status}, 1, 'no such file: status 1');
like($run->{err}, qr/could not read file ".*none\.sql": No such file/, '... and says so');
append_to_file("$dir/bad.sql", "-- glperf: calls=many\nSELECT 1;");
like(advisor($node, "--workload=$dir/bad.sql")->{err}, qr/ignoring calls, which is no number/, 'a bad weight is named');

# --- real logs

$node->append_conf('postgresql.conf', "log_destination = '" . join(',', @formats) . "'");
$node->append_conf('postgresql.conf', 'log_min_duration_statement = 0');
$node->restart;
append_to_file("$dir/bench.sql", "\\set c random(1, 4000)\nSELECT id, note FROM orders WHERE customer_id = :c;\n");
$node->command_ok([ 'pgbench', '-n', '-M', 'prepared', '-t', '40', '-f', "$dir/bench.sql", '-h', $node->host, '-p', $node->port, 'postgres' ],
	'a workload with bound parameters');
sql(q{CREATE ROLE app LOGIN; GRANT SELECT ON orders TO app});
for my $i (1 .. 15)
{
	$node->safe_psql('postgres', "SELECT note\nFROM orders -- it's\nWHERE product_id = $i AND note <> 'q''uo\"te, \\back'",
		extra_params => [ '-U', 'app' ]);
}
sql("ALTER ROLE app PASSWORD 'sEcret'");
$node->safe_psql('template1', 'SELECT 4711 AS elsewhere');
$node->append_conf('postgresql.conf', 'log_min_duration_statement = -1');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('log_min_duration_statement') = '-1'}) or die;

my %seen;
for my $format (@formats)
{
	my $file = $node->data_dir . '/log/w.' . { stderr => 'log', csvlog => 'csv', jsonlog => 'json' }->{$format};
	# the log's writer has its own pace
	for (1 .. 100)
	{
		last if -e $file && slurp_file($file) =~ /elsewhere/;
		select undef, undef, undef, 0.1;
	}
	$advice = advice($node, "--log=$file");
	is($advice->{source}, 'log', "$format: the workload is the log");
	my @statements = @{ $advice->{statements} };
	my ($bound) = grep { $_->{query} eq 'SELECT id, note FROM orders WHERE customer_id = $1' } @statements;
	ok($bound, '... executions with bound parameters are one statement') or diag(join "\n", map { $_->{query} } @statements);
	cmp_ok($bound->{samples} // 0, '>=', 1, '... planned with the values of their parameters');
	isnt($bound->{queryid}, '0', '... and known to pg_stat_statements');
	my ($app) = grep { $_->{query} eq 'SELECT note FROM orders WHERE product_id = $1 AND note <> $2' } @statements;
	is(($app // {})->{role}, 'app', '... a statement of several lines, of its role');
	is(join(',', sort map { $_->{ddl} =~ /\((\w+)/ ? $1 : () } @{ $advice->{recommendations} }),
		'customer_id,product_id', '... both are advised on');
	ok(!(grep { $_->{query} =~ /elsewhere/ } @statements), '... another database is left out');
	unlike(JSON::PP->new->encode($advice), qr/sEcret/, '... no password is in the report');
	is(scalar(grep { $_->{outcome} eq 'not analysable' && !$_->{reason} } @statements), 0,
		'... what cannot be analysed has a reason');
	$seen{$format} = join "\n", sort map { $_->{query} } @statements;
	like(advisor($node, "--log=$file")->{out}, qr/workload    server log: \d+ executions of \d+ statements in .*of other databases left out/,
		'... and the text says what it covers');
}
is($seen{$_}, $seen{stderr}, "$_ says the same as stderr") for @formats;

append_to_file("$dir/empty.log", "2026-01-01 00:00:00.000 UTC [1] LOG:  starting\n");
$run = advisor($node, "--log=$dir/empty.log");
like($run->{err}, qr/has no durations of statements/, 'a log without durations is named');
is($run->{status}, 0, '... and there is nothing to do');
like($run->{out}, qr/^Nothing to do: there is no statement to advise on\.$/m, '... because there is no statement');
append_to_file("$dir/denied.sql", "-- glperf: role=nobody_yet\nSELECT * FROM orders WHERE customer_id = 1;");
sql('CREATE ROLE nobody_yet');
like(advisor($node, "--workload=$dir/denied.sql", '--format=sql')->{out},
	qr/^-- nothing to do: none of the statements could be analysed$/m, 'a role without rights: the script does not say that no index helps');
append_to_file("$dir/packed.gz", "\x1f\x8b");
like(advisor($node, "--log=$dir/packed.gz")->{err}, qr/is compressed/, 'a compressed one, too');

# --- --explain as the role of the statement sees it

sql(q{CREATE SCHEMA shop; CREATE TABLE shop.items AS SELECT i AS id, i % 2000 AS kind FROM generate_series(1, 60000) i;
ANALYZE shop.items; GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT ON shop.items TO app;
ALTER ROLE app SET search_path = shop});
$node->safe_psql('postgres', 'SET max_parallel_workers_per_gather = 0;' . join('', map { "SELECT count(*) FROM items WHERE kind = $_;" } 1 .. 25),
	extra_params => [ '-U', 'app' ]);
my ($items) = grep { $_->{query} =~ /FROM items/ } @{ advice($node, '--explain')->{statements} };
is($items->{plan_error}, undef, '--explain finds the tables of another role');
like($items->{plan_after}, qr/glp_items_kind/, '... and shows its plan');

$node->stop;
done_testing();

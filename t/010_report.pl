# Reports about a real workload: text for people, SQL that psql runs, JSON that
# keeps to its schema, and that all three say the same.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/..";
my $node = new_node('report');
run_workload($node);

# Validate against the part of JSON Schema that docs/advisor.schema.json uses.
# Returns complaints.
sub complaints
{
	my ($schema, $value, $path, $defs) = @_;
	my @bad;

	if (my $ref = $schema->{'$ref'})
	{
		$ref =~ s{^#/\$defs/}{};
		return complaints($defs->{$ref}, $value, $path, $defs);
	}
	my $type =
		!defined $value ? 'null'
	  : JSON::PP::is_bool($value) ? 'boolean'
	  : ref $value eq 'HASH' ? 'object'
	  : ref $value eq 'ARRAY' ? 'array'
	  : JSON::PP->new->allow_nonref->encode($value) =~ /^"/ ? 'string'
	  : $value =~ /^-?\d+$/ ? 'integer'
	  : 'number';
	if (my $want = $schema->{type})
	{
		my @want = ref $want ? @$want : $want;
		push @bad, "$path is $type, not @want"
		  unless grep { $_ eq $type or $_ eq 'number' && $type eq 'integer' }
		  @want;
	}
	if (my $enum = $schema->{enum})
	{
		my $text = $value // 'null';
		push @bad, "$path is \"$text\""
		  unless grep { ($_ // 'null') eq $text } @$enum;
	}
	push @bad, "$path is not $schema->{const}"
	  if exists $schema->{const} && $value ne $schema->{const};
	push @bad, "$path does not match"
	  if defined $value && $schema->{pattern} && $value !~ /$schema->{pattern}/;
	push @bad, "$path is too small"
	  if defined $value && exists $schema->{minimum} && $value < $schema->{minimum};
	if ($type eq 'object')
	{
		push @bad, "$path.$_ is missing"
		  for grep { !exists $value->{$_} } @{ $schema->{required} };
		push @bad, map {
			$schema->{properties}{$_}
			  ? complaints($schema->{properties}{$_}, $value->{$_}, "$path.$_",
				$defs)
			  : "$path.$_ is not in the schema"
		} sort keys %$value;
	}
	if ($type eq 'array')
	{
		push @bad, complaints($schema->{items}, $value->[$_], "$path\[$_]", $defs)
		  for 0 .. $#$value;
	}
	return @bad;
}

sub check_schema
{
	my ($document, $name) = @_;
	my $schema = JSON::PP->new->utf8->decode(
		slurp_file("$root/docs/advisor.schema.json"));
	is(join("\n", complaints($schema, $document, 'report', $schema->{'$defs'})),
		'', "$name keeps to docs/advisor.schema.json");
	return;
}

# --- the columns that we read are those that the functions declare

{
	my $header = slurp_file("$root/include/glperf_recommendation.h");
	my %type = (
		INT => qr/^(integer|bigint)$/, REAL => qr/^double precision$/,
		BOOL => qr/^boolean$/, TEXT => qr/^(text|bigint|timestamp with time zone)$/,
		TEXTS => qr/^(text|bigint)\[\]$/);
	my %function = (
		VERDICT => 'verify_recommendations', MATCH => 'recommendation_match',
		GONE => 'recommendations_gone', PREFLIGHT => 'apply_preflight',
		RECOMMENDATION => 'advise_indexes', STATEMENT => 'advised_statements',
		SUMMARY => 'advice_summary', PLAN => 'advice_plans',
		RIVAL => 'advice_rivals', NOT_EXAMINED => 'advice_not_examined');
	# rank only says which recommendation a row is of
	my %unread = (
		SUMMARY => 'started_at', PLAN => 'index_name, rank',
		RIVAL => 'index_name, rank');
	for my $list (sort keys %function)
	{
		my %want = $header =~ /^GLPERF_${list}_COLUMN\((\w+), (\w+)\)/mg;
		my %have = split /[|\n]/, $node->safe_psql('postgres', qq{
SELECT name, format_type(type, NULL)
FROM pg_proc p, unnest(proargnames, proallargtypes, proargmodes)
	a (name, type, mode)
WHERE pronamespace = 'glperf'::regnamespace
	AND proname = '$function{$list}' AND mode IN ('t', 'o')});
		is( join(', ', grep { ($have{$_} // '') !~ $type{ $want{$_} } }
				sort keys %want),
			'', "$function{$list}() has the columns that we read");
		is(join(', ', grep { !$want{$_} } sort keys %have),
			$unread{$list} // '', '... and we read them all');
	}
}

# --- JSON

my $advice = advice($node);
check_schema($advice, 'a report with advice');
is($advice->{exit_status}, 2, 'exit status is in the report');
my @recs = @{ $advice->{recommendations} };
cmp_ok(scalar @recs, '>=', 2, 'the workload gets advice');
for my $column (qw(customer_id product_id))
{
	ok((grep { $_->{ddl} =~ /\(\(?"?$column/ } @recs),
		"an index leads with $column");
}
is(join(',', map { $_->{rank} } @recs), join(',', 1 .. @recs), 'ranks count up');
ok(!(grep { !@{ $_->{steps} } } @recs), 'each recommendation has steps');
ok(!(grep { $_->{outcome} ne 'not tried' } @recs), 'nothing was applied');

my $summary = $advice->{summary};
my @statements = @{ $advice->{statements} };
is(scalar @statements, $summary->{statements},
	'every statement of the workload is accounted for');
is( $summary->{advised} + $summary->{no_gain} + $summary->{not_analysable},
	$summary->{statements}, 'outcomes add up');
my ($gone) = grep { ($_->{query} // '') =~ /gone/ } @statements;
is($gone->{outcome}, 'not analysable', 'a vanished table is accounted for');
ok(length($gone->{reason} // ''), '... with the reason');
my %known = map { $_->{queryid} => 1 } @statements;
ok(!(grep { !$known{$_} } map { @{ $_->{queryids} } } @recs),
	'recommendations refer to statements of the report');
is(valid_indexes($node), 0, 'a dry run changes nothing');

# --- text

my $text = advisor($node);
is($text->{status}, 2, 'text: status 2');
like($text->{out}, qr/database    postgres on .* as /, 'text: which database');
like($text->{out}, qr/PostgreSQL \d+.*primary, glperf \d/, 'text: which server');
like($text->{out}, qr/statistics  since \d{4}-/, 'text: since when');
like($text->{out}, qr/^Recommendations\n=+\n\n  1\. create an index on public\.orders/m,
	'text: numbered recommendations');
ok(index($text->{out}, "     $_;\n") >= 0, 'text: the statement to run')
  for map { @{ $_->{steps} } } @recs;
like($text->{out}, qr/saves      .* per day, [\d.]+ % of the workload's time/,
	'text: benefit');
like($text->{out}, qr/costs      .* of disk; .* per day for writes/, 'text: costs');
like($text->{out}, qr/helps      \d+ statement/, 'text: who gains');
like($text->{out}, qr/x faster, [\d,]+ calls, .*:\n +SELECT id, note FROM orders WHERE \w+ = \$1\n/,
	'text: the statements');
like($text->{out}, qr/could not be analysed\n=+\n.*gone/s, 'text: what was left out');
unlike($text->{out}, qr/[^\n]{250}/, 'text: no endless lines');
unlike($text->{out}, qr/[\x00-\x09\x0b-\x1f]/, 'text: no control characters');
like($text->{err}, qr/analysing the workload/, 'diagnostics are on stderr');

# --- explanations: plans, rivals, what was not examined

for my $rec (@recs)
{
	my %helped = map { $_ => 1 } @{ $rec->{queryids} };
	my @plans = @{ $rec->{plans} };
	ok(@plans && !(grep { !$helped{ $_->{queryid} } } @plans),
		"$rec->{index_name}: plans of statements that it helps");
	is(join(',', sort { $a <=> $b } map { $_->{queryid} } @plans),
		join(',', sort { $a <=> $b } keys %helped), '... of all of them');
	ok(!(grep { $_->{node_before} ne 'Seq Scan'
				|| index($_->{node_after}, $rec->{index_name}) < 0
				|| $_->{node_cost_after} >= $_->{node_cost_before} } @plans),
		'... from a sequential scan to this index, which is cheaper');
}
my @unseen = @{ $advice->{not_examined} };
is(join(',', grep { $_ ne 'statement' } map { $_->{kind} } @unseen), '',
	'what was not examined: statements');
my $unseen = 0;
$unseen += $_->{count} for @unseen;
is($unseen, $summary->{not_analysable}, '... all that could not be analysed');
ok((grep { $_->{reason} eq $gone->{reason} } @unseen), '... with the reason');
unlike($text->{out}, qr/^Not examined/m,
	'text: they are listed already, so there is no section');
unlike($text->{out}, qr/ -> /, 'text: no plan nodes without --explain');
unlike($text->{out}, qr/without it/,
	'text: no loss where it is what the index saves');

my $explained = advisor($node, '--explain');
like($explained->{out},
	qr/orders: Seq Scan \(cost \d+\.\d\d\) ->\s.*?using\s+\Q$_->{index_name}\E\s+\(cost \d+\.\d\d\)/s,
	'--explain shows what an index changes') for @recs;

like($explained->{out}, qr/without:.*Seq Scan on orders.*with:.*Index/s,
	'--explain shows both plans');
like(advisor($node, '--verbose')->{out}, qr/^Nothing was changed/m,
	'--verbose reports as well');

# --- limits reach the analysis

is(scalar @{ advice($node, '--max-indexes=1')->{recommendations} }, 1,
	'--max-indexes=1');
is(advisor($node, '--max-indexes=0')->{status}, 0,
	'--max-indexes=0: nothing to do');
like(flat(advisor($node, '--budget=0', '--max-indexes=3')->{out}),
	qr/no index would pay for itself within the limits of this run \(--budget=0 bytes, --max-indexes=3\)/,
	'limits that leave nothing are named');
is(advisor($node, '--budget=8kB')->{status}, 0,
	'a budget that no index fits in: nothing to do');
like(advisor($node, '--budget=8kB')->{out},
	qr/^Not examined\n=+\n\n  \d+ candidate indexes: larger than the whole budget\n/m,
	'... and the report names what it left out');
like(advisor($node, '--time-limit=1ms')->{out},
	qr/^  analysis .*\n +the time limit ended the search:/m,
	'a search that ended early says so at the top');
is(advisor($node, '--min-benefit=100')->{status}, 0,
	'--min-benefit=100: nothing to do');

# --- files

my $dir = PostgreSQL::Test::Utils::tempdir();
my $file = "$dir/report.json";
append_to_file($file, 'the old report');
chmod 0644, $file;
my $run = advisor($node, '--format=json', "--output=$file");
is($run->{status}, 2, '--output: status as without');
is($run->{out}, '', '--output: nothing on stdout');
is((stat $file)[2] & 07777, 0600, '--output: readable by its owner only');
check_schema(JSON::PP->new->utf8->decode(slurp_file($file)), 'the file');
is(join(' ', map { s{.*/}{}r } glob "$dir/*"), 'report.json',
	'--output: no temporary file is left');
is(advisor($node, "--output=$dir/no/such/dir")->{status}, 1,
	'--output into nowhere fails');
is(advisor($node, '--output=/dev/null')->{status}, 2, '--output=/dev/null');
ok(-c '/dev/null', '... is still a device');
$run = advisor($node, '--output=/dev/full');
is($run->{status}, 1, 'a full disk is a failure');
like($run->{err}, qr/could not write to "\/dev\/full"/, '... that is reported');

# a failing run keeps the old report
my $old = slurp_file($file);
is(advisor($node, '--dbname=nowhere', "--output=$file")->{status}, 1,
	'a failing run');
is(slurp_file($file), $old, '... keeps the old report');
is(join(' ', map { s{.*/}{}r } glob "$dir/*"), 'report.json',
	'... and leaves no temporary file');

# --- SQL: what psql makes of it

my $sql = advisor($node, '--format=sql');
is($sql->{status}, 2, 'sql: status 2');
append_to_file("$dir/advice.sql", $sql->{out});
$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres', '-f', "$dir/advice.sql" ],
	'sql: psql runs the script');
is(valid_indexes($node), scalar @recs, 'sql: the indexes exist and are valid');

# --- afterwards there is nothing to do

my $after = advice($node);
check_schema($after, 'a report without advice');
is($after->{exit_status}, 0, 'nothing to do after the script ran');
is_deeply($after->{recommendations}, [], 'no recommendation is [], not null');
like(advisor($node)->{out}, qr/^Nothing to do/m, 'text says so');
like(advisor($node, '--format=sql')->{out}, qr/^-- nothing to do/m,
	'sql says so');
my $quiet = advisor($node, '--quiet');
is($quiet->{status}, 0, '--quiet without news: status 0');
is($quiet->{out} . $quiet->{err}, '', '... and not a word');

# --- existing indexes

$node->safe_psql('postgres', 'CREATE INDEX orders_twice ON orders (id)');
my ($note) = grep { $_->{index_name} eq 'orders_twice' }
  @{ advice($node)->{existing_indexes} };
is($note->{verdict}, 'duplicate', 'a superfluous index is in the JSON report');
is($note->{drop_ddl}, 'DROP INDEX CONCURRENTLY public.orders_twice',
	'... with the statement to drop it');
like(advisor($node)->{out},
	qr/drop an index of public\.orders .*DROP INDEX CONCURRENTLY public\.orders_twice;.*duplicate/ms,
	'... and in the text');

# --- indexes that depend on each other, rivals and small tables

$node->safe_psql('postgres', q{
CREATE TABLE runs (id int PRIMARY KEY, agent int, created int, kind int, pad text);
CREATE TABLE steps (id int PRIMARY KEY, run_id int, pad text);
INSERT INTO runs SELECT i, i % 1000, i, i / 1000, repeat('x', 60) FROM generate_series(1, 60000) i;
INSERT INTO steps SELECT i, i % 60000, repeat('x', 60) FROM generate_series(1, 60000) i;
VACUUM ANALYZE runs, steps;
CREATE TABLE tiny_0 (id int);
INSERT INTO tiny_0 VALUES (1);
});
my @small = map { "tiny_$_" } 0 .. 6;
$node->safe_psql('postgres',
	"CREATE TABLE $_ (LIKE tiny_0); INSERT INTO $_ VALUES (1); ANALYZE $_")
  for @small[ 1 .. 6 ];
my $load = "$dir/load.sql";
append_to_file($load,
	"SELECT * FROM runs WHERE agent = 7 ORDER BY created DESC LIMIT 20;\n" x 20
	  # stops at the first row, and only both indexes together allow that
	  . "SELECT * FROM runs r JOIN steps s ON s.run_id = r.id WHERE r.agent = 7 ORDER BY r.created DESC LIMIT 1;\n" x 20
	  . "SELECT * FROM runs WHERE agent = 7 AND kind = 3;\n" x 20
	  . join('', map { "SELECT * FROM $_ WHERE id = 1;\n" } @small));
my @load = ('--no-record', '--min-benefit=0.01', "--workload=$load");
$advice = advice($node, @load);
check_schema($advice, 'a report with rivals');
@recs = @{ $advice->{recommendations} };
my ($by_agent) = grep { $_->{ddl} =~ /\(agent, created/ } @recs;
my ($by_run) = grep { $_->{ddl} =~ /\(run_id\)/ } @recs;
my ($by_kind) = grep { $_->{ddl} =~ /kind/ } @recs;
ok($by_agent && $by_run && $by_kind, 'three indexes')
  or diag(join("\n", map { $_->{ddl} } @recs));
cmp_ok($by_run->{loss_without_ms_per_day}, '>',
	1.01 * $by_run->{benefit_ms_per_day}, 'one that another one needs');
cmp_ok($by_kind->{loss_without_ms_per_day}, '<',
	0.99 * $by_kind->{benefit_ms_per_day}, 'one that another one could replace');
is(scalar @{ $by_agent->{rivals} }, 1, 'one with a rival');
like($by_agent->{rivals}[0]{rival}, qr/^runs \(/, '... on the same table');
is_deeply($by_run->{rivals}, [], 'one without: [], not null');
is_deeply(
	[ map { "$_->{table_name} $_->{alias}: $_->{query}" } @{ $by_run->{plans} } ],
	['steps s: SELECT * FROM runs r JOIN steps s ON s.run_id = r.id WHERE r.agent = $1 ORDER BY r.created DESC LIMIT $2'],
	'plans of statements without a queryid have their text');
is(scalar(grep { $_->{kind} eq 'table' && $_->{count} == 1 } @{ $advice->{not_examined} }),
	scalar @small, 'small tables are not examined');

# one recommendation of a text report
sub part
{
	my ($out, $rec) = @_;
	my ($part) = $out =~ /^ +$rec->{rank}\. (.*?undo .*?)\n\n/ms;
	return $part // '';
}

$run = advisor($node, @load);
like(part($run->{out}, $by_run),
	qr/without it .* per day would be lost: other indexes bring less without it\n/,
	'text: what others need it for');
like(part($run->{out}, $by_kind),
	qr/without it .* per day would be lost: other indexes could do part of its work\n/,
	'text: what others could do');
like(flat(part($run->{out}, $by_agent)),
	qr/instead of \Q$by_agent->{rivals}[0]{rival}: $by_agent->{rivals}[0]{reason}\E/,
	'text: the rival and why it lost');
unlike(part($run->{out}, $by_run), qr/instead of/, '... where there is one');
like(part($run->{out}, $by_run), qr/helps      1 statement\n.*FROM runs r JOIN/s,
	'text: which statement of a file it helps');
unlike(part($run->{out}, $by_run), qr/FROM runs WHERE/, '... and no other one');
like($run->{out},
	qr/^Not examined\n=+\n\n(  table public\.tiny_\d, which 1 statement reads \(.* per day\): too small.*\n){5}  and 2 more \(--verbose/m,
	'text: tables that were not examined, but not all of them');
is(scalar(() = advisor($node, @load, '--verbose')->{out} =~ /^  table public\.tiny_/mg),
	scalar @small, '... all with --verbose');
like(flat(part(advisor($node, @load, '--explain')->{out}, $by_run)),
	qr/steps s: Seq Scan \(cost [\d.]+\) -> Index Scan using \Q$by_run->{index_name}\E \(cost [\d.]+\) without:/,
	'--explain: the scan that it changes');

# --- our own statements stay out of the workload, besides BEGIN

$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
advice($node);
is( $node->safe_psql('postgres', q{
SELECT string_agg(query, ';' ORDER BY query) FROM pg_stat_statements
WHERE query NOT LIKE '%pg_stat_statements%'}),
	'BEGIN TRANSACTION READ ONLY;BEGIN TRANSACTION READ WRITE', 'a run leaves no trace in pg_stat_statements');

$node->stop;
done_testing();

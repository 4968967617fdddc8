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
		SUMMARY => 'advice_summary');
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
			$list eq 'SUMMARY' ? 'started_at' : '', '... and we read them all');
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

my $explained = advisor($node, '--explain');
like($explained->{out}, qr/without:.*Seq Scan on orders.*with:.*Index/s,
	'--explain shows both plans');
like(advisor($node, '--verbose')->{out}, qr/^Nothing was changed/m,
	'--verbose reports as well');

# --- limits reach the analysis

is(scalar @{ advice($node, '--max-indexes=1')->{recommendations} }, 1,
	'--max-indexes=1');
is(advisor($node, '--max-indexes=0')->{status}, 0,
	'--max-indexes=0: nothing to do');
is(advisor($node, '--budget=8kB')->{status}, 0,
	'a budget that no index fits in: nothing to do');
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

# --- our own statements stay out of the workload, besides BEGIN

$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
advice($node);
is( $node->safe_psql('postgres', q{
SELECT string_agg(query, ';' ORDER BY query) FROM pg_stat_statements
WHERE query NOT LIKE '%pg_stat_statements%'}),
	'BEGIN TRANSACTION READ ONLY;BEGIN TRANSACTION READ WRITE', 'a run leaves no trace in pg_stat_statements');

$node->stop;
done_testing();

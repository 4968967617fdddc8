# Endpoints: tags in comments and application_name, bounded in number.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('endpoints');
$node->init;
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'pg_stat_statements, glperf'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION glperf');

# What one endpoint has, by its name.
sub endpoint
{
	my ($name, $columns) = @_;
	$columns //= 'kind, calls, errors';
	return $node->safe_psql('postgres',
		"SELECT $columns FROM glperf.endpoints WHERE endpoint = '$name'");
}

# Run SQL as an application.
sub run
{
	my ($application, $sql) = @_;
	local $ENV{PGAPPNAME} = $application;
	$node->psql('postgres', $sql, on_error_stop => 0);
}

# Failure proved: tags of sqlcommenter or Marginalia are not understood.
my %tags = (
	q{SELECT 1 /*action='index',controller='users',framework='django'*/} => 'users#index',
	q{SELECT 1 /*controller='a',route='%2Fpolls%2F%3Cid%3E',traceparent='00-5bd66ef5-01'*/;} => '/polls/<id>',
	q{/*route='/first'*/ SELECT 1} => '/first',
	q{SELECT 1 /*application:shop,controller:cart,action:add*/} => 'cart#add',
	q{SELECT 1 /*application='worker'*/  } => 'worker',
	q{SELECT 1 /*route='it\\'s',x='y'*/} => q{it''s});
for my $sql (sort keys %tags)
{
	run('tagged', "$sql\n;");
	is(endpoint($tags{$sql}), 'tag|1|0', "named $tags{$sql}");
}

# Failure proved: comments that are no tags, or broken ones, name an endpoint
# or crash.
for my $sql (
	'SELECT 1 /* plain comment */', 'SELECT 1 /**/', 'SELECT 1 /*=*/',
	q{SELECT 1 /*route*/}, q{SELECT 1 /*route=''*/}, q{SELECT 1 /*route='open*/},
	q{SELECT '/*route=''in a string''*/'}, 'SELECT 2 */ 3', 'SELECT 1 /*:,:,=*/')
{
	run('untagged', "$sql;");
}
is(endpoint('open', 'calls'), '1', 'a value without its end');
is( $node->safe_psql('postgres',
		q{SELECT count(*) FROM glperf.endpoints WHERE kind = 'tag'}),
	'7', 'no other endpoint came of it');

# Failure proved: a session that changes its name, or is still there, or ended
# by an error, is counted under the wrong name, twice, or not at all.
run('one', 'SELECT 1; SELECT 1 / 0; SELECT 1;' . 'SELECT 2;' x 10);
is(endpoint('one'), 'application_name|12|0',
	'by application_name; an error before execution is no call');
run('two', "CREATE TABLE t AS SELECT 0 AS v; SELECT 1 / v FROM t; "
	  . "SET application_name = 'three'; SELECT 1; SELECT 2; SET application_name = 'two'; SELECT 3;");
is(endpoint('two'), 'application_name|4|1', 'a name that changes, and an error');
is(endpoint('three'), 'application_name|3|0', 'the other name');
is( $node->safe_psql('postgres',
		q{SET application_name = 'here'; SELECT 1; SELECT 2; SELECT calls FROM glperf.endpoints WHERE endpoint = 'here'}),
	"1\n2\n3", 'a session that goes on');
my $long = 'n' x 63;
run($long, 'SELECT 1; SELECT 2;');
is(endpoint($long, 'calls'), '2', 'a name of 63 bytes');

# Failure proved: the sum of all endpoints differs from all calls.
is( $node->safe_psql('postgres', q{
SELECT (SELECT sum(calls) FROM glperf.endpoints) - (SELECT calls FROM glperf.database_latency() WHERE is_total)}),
	'0', 'endpoints add up to all calls');

# Failure proved: an application that puts ids in its routes fills memory or
# makes counts disappear.
run('many', join('', map { "SELECT 1 /*route='/item/$_'*/;\n" } 1 .. 1000));
is( $node->safe_psql('postgres', q{
SELECT count(*) <= 257, (SELECT calls > 700 FROM glperf.endpoints WHERE kind = 'other'),
	(SELECT sum(calls) FROM glperf.endpoints) - (SELECT calls FROM glperf.database_latency() WHERE is_total)
FROM glperf.endpoints}), 't|t|0', '1,000 routes: 256, and other');

# Failure proved: a percentile of an endpoint is not that of its statements.
is( $node->safe_psql('postgres', q{
SELECT pg_sleep(0.6) /*route='/first'*/;
SELECT p50_ms < 50, p99_ms BETWEEN 570 AND total_ms * 1.05, status FROM glperf.endpoints WHERE endpoint = '/first'}),
	"\nt|t|critical", 'percentiles and verdict');

$node->stop;
done_testing();

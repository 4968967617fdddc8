# Copyright (c) 2026, the glperf authors

# Every query of every dashboard, expanded as Grafana expands it and sent as
# the role that Grafana connects as.  Proves that no panel fails or waits:
# - on an empty server, under load, on a standby, without the collector;
# - with a table held in ACCESS EXCLUSIVE mode.
# Each rule that judges a panel is first shown to catch its own violation.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use CPAN::Meta::YAML;
use GlperfGrafana;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $top = "$FindBin::RealBin/..";
my @files = sort glob "$top/dashboards/*.json";

my $now = time;
my $ctx = {
	from => $now - 6 * 3600,
	to => $now + 60,
	interval_ms => 30000,
	vars => {}
};

#-------------------------------------------------------------------------
# The macros
#-------------------------------------------------------------------------

my $fixed = {
	from => 1700000000,
	to => 1700003600,
	interval_ms => 30000,
	vars => {
		one => { value => "o'clock" },
		many => { value => [ 'a', "b'c" ], multi => 1 }
	}
};

sub expands_to
{
	my ($sql, $want, $name) = @_;
	my $got = eval { GlperfGrafana::expand($sql, $fixed) } // "died: $@";
	is($got, $want, $name);
	return;
}

sub refused
{
	my ($sql, $pattern, $name) = @_;
	my $got = eval { GlperfGrafana::expand($sql, $fixed) };
	like($@, $pattern, $name);
	return;
}

expands_to(
	'WHERE $__timeFilter(x.sampled_at)',
	"WHERE x.sampled_at BETWEEN '2023-11-14T22:13:20Z' AND '2023-11-14T23:13:20Z'",
	'$__timeFilter');
expands_to(
	'SELECT $__timeFrom(), $__timeTo()',
	"SELECT '2023-11-14T22:13:20Z', '2023-11-14T23:13:20Z'",
	'$__timeFrom and $__timeTo');
expands_to(
	q{SELECT $__timeGroup(t, '5m', NULL), 1 GROUP BY $__timeGroup(t,5m)},
	'SELECT floor(extract(epoch from t)/300)*300 AS "time", 1 '
	  . 'GROUP BY floor(extract(epoch from t)/300)*300',
	'$__timeGroup before a comma names its column, elsewhere not');
expands_to(
	q{SELECT $__timeGroupAlias(t,$__interval) FROM x},
	'SELECT floor(extract(epoch from t)/30)*30 AS "time" FROM x',
	'$__interval is text, replaced before the macro is read');
expands_to(
	q{$__unixEpochFilter(t) $__unixEpochGroup(t,'1h',0) $__interval_ms},
	't >= 1700000000 AND t <= 1700003600 floor((t)/3600)*3600 30000',
	'$__unixEpochFilter, $__unixEpochGroup, $__interval_ms');
expands_to(
	q{$__unixEpochGroupAlias(t,'500ms') $__unixEpochFrom() $__unixEpochTo()},
	'floor((t)/0.5)*0.5 AS "time" 1700000000 1700003600',
	'$__unixEpochGroupAlias, $__unixEpochFrom, $__unixEpochTo');
expands_to(
	q{$__time(a), $__timeEpoch(b)},
	'a AS "time", extract(epoch from b) as "time"',
	'$__time and $__timeEpoch');
expands_to(
	q{x = '$one' AND y IN ($many) AND z = ANY ('{${many:csv}}') AND [[one]]},
	q{x = 'o''clock' AND y IN ('a','b''c') AND z = ANY ('{a,b'c}') AND o''clock},
	'variables: one value is escaped, several are quoted and joined');
expands_to(
	q{WHERE $__timeFilter(date_trunc('h', t))},
	q{WHERE date_trunc('h' BETWEEN '2023-11-14T22:13:20Z' }
	  . q{AND '2023-11-14T23:13:20Z')},
	'an argument ends at its first closing parenthesis, as in Grafana');
refused('SELECT $__timeRange(t)', qr/unknown macro "__timeRange"/,
	'an unknown macro is an error');
refused(q{SELECT $x(1)}, qr/unknown macro "x"/,
	'so is anything of the form $name(');
refused('$__timeGroup(t)', qr/needs time column and interval/,
	'$__timeGroup without interval');
refused(q{$__timeGroup(t,'soon')}, qr/error parsing interval/,
	'$__timeGroup with a bad interval');
refused('$__timeFilter()', qr/missing time column/,
	'$__timeFilter without column');

#-------------------------------------------------------------------------
# The files
#-------------------------------------------------------------------------

cmp_ok(scalar @files, '>=', 1, 'there are dashboards');
my (@dashboards, %uid);
foreach my $file (@files)
{
	my ($name) = $file =~ m{([^/]+)$};
	my $d = eval { GlperfGrafana::load($file) };
	ok($d, "$name is JSON") or diag($@), next;
	is_deeply([ GlperfGrafana::lint($d) ], [], "$name keeps the rules");
	ok(!$uid{ $d->{uid} }++, "$name has a uid of its own");
	push @dashboards, $d;
}

# Does the linter see each fault?  One change per case on a good dashboard.
sub spoilt
{
	my ($pattern, $change, $name) = @_;
	my $d = JSON::PP->new->decode(JSON::PP->new->encode($dashboards[0]));
	$change->($d);
	ok((grep { $_ =~ $pattern } GlperfGrafana::lint($d)),
		"found: $name");
	return;
}

# The first panel that has a query.
sub panel { return (grep { @{ $_->{targets} || [] } } @{ $_[0]{panels} })[0]; }

spoilt(qr/id is not null/, sub { $_[0]{id} = 7 }, 'a dashboard id');
spoilt(qr/uid is missing/, sub { delete $_[0]{uid} }, 'no uid');
spoilt(qr/schemaVersion/, sub { $_[0]{schemaVersion} = 16 }, 'an old schema');
spoilt(
	qr/id is used twice/,
	sub { $_[0]{panels}[1]{id} = $_[0]{panels}[0]{id} },
	'two panels with one id');
spoilt(
	qr/other than the variable/,
	sub { panel($_[0])->{targets}[0]{datasource}{uid} = 'glperf' },
	'a hard-coded data source');
spoilt(
	qr/overlaps panel/,
	sub { $_[0]{panels}[2]{gridPos} = $_[0]{panels}[1]{gridPos} },
	'panels on top of each other');
spoilt(
	qr/threshold number of its own/,
	sub {
		panel($_[0])->{fieldConfig}{defaults}{thresholds}{steps} =
		  [ { color => 'green', value => undef },
			{ color => 'red', value => 80 } ];
	},
	'a threshold number in a panel');
spoilt(
	qr/column \w+_ms without the unit in its name/,
	sub {
		$_->{fieldConfig}{overrides} = [] foreach @{ $_[0]{panels} };
	},
	'milliseconds that are shown as a bare number');
spoilt(
	qr/column \w+_bytes without the unit in its name/,
	sub {
		$_->{properties}[0]{value} = 'ms' foreach map { @{ $_->{fieldConfig}{overrides} || [] } } @{ $_[0]{panels} };
	},
	'bytes that are shown as milliseconds');
spoilt(
	qr/reads pg_stat_activity, which is not/,
	sub {
		panel($_[0])->{targets}[0]{rawSql} =
		  'SELECT count(*) FROM pg_stat_activity';
	},
	'SQL that goes round schema glperf');
spoilt(
	qr/unknown variable nosuch/,
	sub { panel($_[0])->{targets}[0]{rawSql} .= q{ WHERE x = '$nosuch'} },
	'a variable that is not defined');
spoilt(
	qr/empty query/,
	sub { panel($_[0])->{targets}[0]{rawSql} = '' },
	'an empty query');

# Provisioning: read the YAML, compare it with the role and the dashboards.
sub yaml
{
	my ($file) = @_;
	my $y = CPAN::Meta::YAML->read("$top/dashboards/provisioning/$file")
	  or die CPAN::Meta::YAML->errstr;
	return $y->[0];
}
my $source = yaml('datasources/glperf.yaml')->{datasources}[0];
is($source->{type}, 'grafana-postgresql-datasource',
	'the data source is of the type that the dashboards ask for');
my $reader_sql = slurp_file("$top/dashboards/reader.sql");
my ($limit) = $reader_sql =~ /CONNECTION LIMIT (\d+)/;
cmp_ok($source->{jsonData}{maxOpenConns},
	'<', $limit, 'maxOpenConns is below the connection limit of the role');
cmp_ok($source->{jsonData}{maxOpenConns}, '>', 0, 'and it is a limit');
is($source->{user}, 'glperf_reader', 'the user is the role of reader.sql');
like($source->{secureJsonData}{password},
	qr/^\$__env\{/, 'the password comes from the environment');
my $provider = yaml('dashboards/glperf.yaml')->{providers}[0];
is($provider->{type}, 'file', 'dashboards are provisioned from files');

#-------------------------------------------------------------------------
# A server, and the rules about results
#-------------------------------------------------------------------------

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements'
max_connections = 40
autovacuum = off
jit = off
});
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE app');

# reader.sql as its own header says, and again: it may be repeated.
foreach my $run (1, 2)
{
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[
			'psql', '-X', '-q',
			'-d', $node->connstr('app'),
			'-f', "$top/dashboards/reader.sql"
		],
		'>', \$out, '2>', \$err);
	is($? >> 8, 0, "reader.sql, run $run") or diag($err);
}
is( $node->safe_psql('app', q{
		SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb,
			rolreplication, rolbypassrls, rolconnlimit,
			pg_has_role(oid, 'pg_monitor', 'USAGE')
		FROM pg_roles WHERE rolname = 'glperf_reader'}),
	"t|f|f|f|f|f|$limit|t",
	'the role may log in and monitor, and nothing else');

sub reader
{
	my ($n) = @_;
	return GlperfGrafana::connect(
		host => $n->host,
		port => $n->port,
		user => 'glperf_reader',
		dbname => 'app');
}
my $conn = reader($node);
is_deeply(
	$conn->query(q{SELECT current_setting('default_transaction_read_only'),
		current_setting('statement_timeout'), current_setting('lock_timeout')})
	  ->{rows},
	[ [ 'on', '15s', '1s' ] ],
	'its sessions are read-only and bounded');
is($conn->query('CREATE TABLE public.t (a int)')->{error}{C},
	'25006', 'it cannot write');

sub verdict
{
	my ($format, $sql, $want, $name) = @_;
	my @bad = GlperfGrafana::problems($format, $conn->query($sql));
	if (defined $want)
	{
		ok((grep { $_ =~ $want } @bad), "found: $name")
		  or diag("got: @bad");
	}
	else
	{
		is_deeply(\@bad, [], "accepted: $name");
	}
	return;
}
verdict('time_series', 'SELECT now() AS time, 1::float8 AS value',
	undef, 'a time and a number');
verdict('time_series',
	'SELECT 1700000000 AS time, 1::int8 AS a, true AS b, 0.5 AS c',
	undef, 'epoch seconds, integers, booleans and numeric');
verdict(
	'time_series',
	q{SELECT t AS time, n::text AS label, 1::float8 AS value
		FROM generate_series(1, 3) AS t, generate_series(1, 3) AS n
		ORDER BY 1, 2},
	undef,
	'three series in one result');
verdict('time_series', 'SELECT now() AS at, 1 AS value',
	qr/no column "time"/, 'no column named time');
verdict('time_series', 'SELECT NULL::timestamptz AS time, 1 AS value',
	qr/1 rows have no time/, 'a NULL time');
verdict(
	'time_series',
	q{SELECT now() - n * interval '1 h' AS time, 1 AS value
		FROM generate_series(1, 3) AS n ORDER BY n},
	qr/2 rows are older/,
	'rows in descending order');
verdict(
	'time_series',
	'SELECT now() AS time, n::float8 AS value FROM generate_series(1, 2) AS n',
	qr/1 rows repeat a time/,
	'one time twice in one series');
verdict(
	'time_series',
	q{SELECT now() AS time, n::text AS label, 1 AS value
		FROM generate_series(1, 51) AS n},
	qr/51 series, more than 50/,
	'too many labels');
verdict('time_series', q{SELECT now() AS time, 'x' AS label},
	qr/no column with numbers/, 'labels without a value');
verdict('time_series',
	q{SELECT now() AS time, interval '1 s' AS lag, 1 AS value},
	qr/"lag" has type OID 1186/, 'an interval, which would become a label');
foreach my $type (
	"'0/1'::pg_lsn", "1::oid", "'pg_class'::regclass",
	"ARRAY[1]", "'{}'::jsonb", "'x'::name")
{
	verdict('table', "SELECT $type AS x", qr/has type OID/,
		"a column such as $type");
}
verdict('table', 'SELECT now() AS at, 1 AS a, 2 AS a',
	qr/"a" occurs twice/, 'two columns of one name');
verdict('table', 'SELECT 1 AS a; SELECT 2 AS b',
	qr/2 statements return rows/, 'two statements');
verdict('table', 'SELECT 1/0', qr/error 22012/, 'an error');
verdict('table', 'SELECT now() AS at, 1 AS a',
	undef, 'a table needs no column time');

$node->safe_psql('app',
	'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf');

#-------------------------------------------------------------------------
# Every query of every dashboard
#-------------------------------------------------------------------------

# Run everything once.  Returns the rows by "where", and the slowest query.
sub run_all
{
	my ($c, $state) = @_;
	my (%rows, @bad);
	my ($slowest, $slowest_name, $count) = (0, '', 0);
	foreach my $d (@dashboards)
	{
		my %vars;
		foreach my $q (GlperfGrafana::queries($d))
		{
			my $name = "$d->{uid} $q->{where}";
			my $sql = eval {
				GlperfGrafana::expand($q->{sql}, { %$ctx, vars => \%vars });
			};
			if (!defined $sql) { push @bad, "$name: $@"; next; }
			my $start = time;
			my $r = $c->query($sql);
			my $took = time - $start;
			($slowest, $slowest_name) = ($took, $name) if $took > $slowest;
			push @bad,
			  map { "$name: $_" } GlperfGrafana::problems($q->{format}, $r);
			$rows{ $q->{where} } = $r;
			$count++;

			# A variable takes the values that its own query returned.
			next unless $q->{variable};
			my ($v) = grep { $_->{name} eq $q->{variable} }
			  @{ $d->{templating}{list} };
			$vars{ $q->{variable} } = {
				value => [ map { $_->[0] } @{ $r->{rows} } ],
				multi => $v->{multi},
				includeAll => $v->{includeAll}
			};
			push @bad, "$name: no values" unless @{ $r->{rows} };
		}
	}
	is(join("\n", @bad), '', "$count queries answer: $state");
	note(sprintf 'slowest: %.0f ms, %s', $slowest * 1000, $slowest_name);
	return (\%rows, $slowest);
}

# Rows of one panel as hashes.
sub shown
{
	my ($rows, $title) = @_;
	my ($key) = grep { index($_, "\"$title\"") > 0 } sort keys %$rows;
	return () unless $key && $rows->{$key}{columns};
	my @names = map { $_->{name} } @{ $rows->{$key}{columns} };
	return map {
		my $r = $_;
		+{ map { $names[$_] => $r->[$_] } 0 .. $#names }
	} @{ $rows->{$key}{rows} };
}

# Panels with nothing to measure say so instead of showing an empty number.
my ($rows) = run_all($conn, 'fresh server');
is((shown($rows, $_))[0]{state}, 'no collector',
	"without the collector the panel \"$_\" says so")
  foreach 'Requests per second', 'Latency p95', 'Latency p99',
  'Failed requests';
cmp_ok(scalar shown($rows, 'Health status'),
	'>', 0, 'the health table has rows from the start');

# From here on with the collector.
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'pg_stat_statements,glperf'");
$conn->disconnect;
$node->restart;
$conn = reader($node);

# Something to see in every panel: slow statements, indexes of every verdict,
# foreign keys without index, connections in each state, a standby and a slot.
$node->safe_psql(
	'app', q{
	CREATE TABLE agent (id int PRIMARY KEY, name text);
	CREATE TABLE execution (id int PRIMARY KEY,
		agent_id int REFERENCES agent, status text, created_at timestamptz);
	INSERT INTO agent SELECT g, 'agent ' || g FROM generate_series(1, 100) AS g;
	INSERT INTO execution
	SELECT g, 1 + g % 100, 'done', now() - g * interval '1 s'
	  FROM generate_series(1, 50000) AS g;
	CREATE INDEX execution_status ON execution (status);
	CREATE INDEX execution_status_again ON execution (status);
	CREATE INDEX execution_status_created ON execution (status, created_at);
	CREATE INDEX "odd "" name" ON execution ((lower(status))) WHERE id > 5;
	ANALYZE;
	SELECT count(*) FROM execution AS a, generate_series(1, 60) AS b
	 WHERE a.status = 'done';
	SELECT pg_sleep(0.15)});
my @sessions = map { $node->background_psql('app') } 1 .. 3;
$sessions[0]->query_safe(q{SET application_name = 'api "one"'});
$sessions[0]->query_safe('BEGIN; SELECT 1');
$sessions[1]->query_safe(q{SET application_name = 'worker'});
$node->safe_psql('app',
	q{SELECT pg_create_physical_replication_slot('standby_1', true)});

# Errors of two classes, one under a tag that names the endpoint.
foreach my $broken ('SELECT no_such_column',
	"SELECT 1 / (g - 1) FROM generate_series(1, 3) g /*route='/v1/executions'*/",
	"INSERT INTO agent VALUES (1, 'again')")
{
	my ($rc) = $node->psql('app', $broken, on_error_die => 0);
	isnt($rc, 0, "fails: $broken");
}
# two readings of the collector, which it takes every ten seconds; asking often
# would make the few failures a small share
my $tries = 60;
until ($node->safe_psql('app', q{
SELECT count(value) FROM glperf.health_collector
WHERE check_id IN ('latency_p95', 'latency_p99', 'throughput', 'error_rate')}) >= 4)
{
	die 'the collector has no two readings' if --$tries == 0;
	sleep 2;
}

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "primary_slot_name = 'standby_1'");
$standby->start;
$node->wait_for_catchup($standby);

($rows) = run_all($conn, 'a workload and a standby');
cmp_ok(scalar(grep { $_->{status} eq 'warning' } shown($rows, 'Slow queries')),
	'>', 0, 'a slow statement is shown with its status');
my %verdict = map { $_->{index_name} => $_ } shown($rows, 'Index findings');
ok($verdict{execution_status_again} || $verdict{execution_status},
	'a duplicate index is shown');
ok( (grep { $_->{table_name} eq 'execution' }
		shown($rows, 'Foreign keys without index')),
	'a foreign key without index is shown');
like((shown($rows, "Latency $_"))[0]{state},
	qr/^[\d.]+ ms (ok|warning|critical)$/,
	"with the collector $_ is a number with its verdict")
  foreach qw(p95 p99);
like((shown($rows, 'Requests per second'))[0]{state},
	qr{^[\d.]+ req/s (ok|warning)$}, 'and so is the request rate');
like((shown($rows, 'Failed requests'))[0]{state},
	qr/^[\d.]+ % critical$/, 'and the error rate: three of these few failed');
cmp_ok(scalar shown($rows, 'Request rate'),
	'>=', 1, 'the request rate has a course');
my ($p) = shown($rows, 'Latency percentiles');
ok($p && $p->{p50} <= $p->{p95} && $p->{p95} <= $p->{p99},
	'three percentiles, in order');
ok((grep { $_->{endpoint} eq '/v1/executions' } shown($rows, 'Endpoints')),
	'an endpoint is shown under its tag');
my %class = map { $_->{class} => $_ } shown($rows, 'Errors');
is_deeply([ sort keys %class ], [ '22', '23', '42' ],
	'errors are shown by class');
my %pool =
  map { $_->{application} => $_ } shown($rows, 'Database connection pool');
ok($pool{'api "one"'}, 'a connection is shown under its application');
cmp_ok(scalar shown($rows, 'Replication'), '>', 0, 'the standby is a row');

# The same rows for this role as for a superuser, in every panel that does not
# show moving numbers.
my $super = GlperfGrafana::connect(
	host => $node->host,
	port => $node->port,
	user => $node->safe_psql('postgres', 'SELECT current_user'),
	dbname => 'app');
$super->query('SET lock_timeout = 0');
foreach my $view (qw(index_usage foreign_keys_without_index slow_queries
	health pool_state replication))
{
	# one may be there for a moment, such as that of a new connection
	my $sql = "SELECT count(*) FROM glperf.$view";
	my @counts;
	for (1 .. 60)
	{
		@counts = map { $_->query($sql)->{rows}[0][0] } ($conn, $super);
		last if $counts[0] == $counts[1];
		sleep 1;
	}
	is($counts[0], $counts[1], "as many rows of $view as a superuser sees");
}

my $on_standby = reader($standby);
my ($standby_rows) = run_all($on_standby, 'on a hot standby');
is((shown($standby_rows, 'This node'))[0]{role},
	'standby', 'the standby knows that it is one');

# A session that holds the strongest lock must not stop the page.
my $locker = $node->background_psql('app');
$locker->query_safe(
	'BEGIN; LOCK TABLE execution, agent IN ACCESS EXCLUSIVE MODE');
$conn->query(q{SET lock_timeout = '10ms'});
is($conn->query('SELECT pg_relation_size($$public.execution$$)')->{error}{C},
	'55P03', 'the lock would stop a query that touches the table');
my ($locked_rows, $slowest) =
  run_all($conn, 'a table locked in ACCESS EXCLUSIVE mode');
is( scalar shown($locked_rows, 'Index findings'),
	scalar shown($rows, 'Index findings'),
	'and no index is missing from the page');
$locker->query_safe('ROLLBACK');

# Negative control of that: a view that takes the lock is found out.
$super->query(
	q{CREATE VIEW public.careless AS
	SELECT pg_get_indexdef(indexrelid) AS ddl FROM pg_stat_user_indexes});
$super->query('GRANT SELECT ON public.careless TO glperf_reader');
$locker->query_safe(
	'BEGIN; LOCK TABLE execution IN ACCESS EXCLUSIVE MODE');
verdict('table', 'SELECT * FROM public.careless',
	qr/error 55P03/, 'a view that waits for a lock');
$locker->query_safe('ROLLBACK');

# Without pg_stat_statements the page still answers.  The one view that cannot
# say anything says what to do.
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('bare', 'CREATE EXTENSION glperf');
my $bare = GlperfGrafana::connect(
	host => $node->host,
	port => $node->port,
	user => 'glperf_reader',
	dbname => 'bare');
my (@silent, @failed);
foreach my $q (map { GlperfGrafana::queries($_) } @dashboards)
{
	my $sql = GlperfGrafana::expand(
		$q->{sql},
		{
			%$ctx,
			vars => {
				database => { value => ['bare'], multi => 1 },
				area => {
					value => [ 'statements', 'pool' ],
					multi => 1
				}
			}
		});
	my $r = $bare->query($sql);
	next unless $r->{error};
	push @failed, $q->{where};
	push @silent, "$q->{where}: $r->{error}{M}" unless $r->{error}{H};
	push @silent, "$q->{where}: does not read statements"
	  unless $q->{sql} =~ /glperf\.(?:slow_queries|statement_rankings)/;
}
is(join("\n", @silent), '',
	'without pg_stat_statements only panels of statements fail, with a hint');
note("without pg_stat_statements: @failed");
is($bare->query(
		q{SELECT status FROM glperf.health WHERE area = 'statements'})
	  ->{rows}[0][0],
	'unknown', 'and the health page says that it is unknown');
$bare->disconnect;

# A name in a variable is data.
$node->safe_psql('postgres', q{CREATE DATABASE "o'hara ""x"""});
my $hostile = GlperfGrafana::expand(
	q{SELECT 1 AS x FROM glperf.health WHERE area IN ($area) LIMIT 1},
	{ %$ctx, vars => { area => { value => [q{a'); SELECT 2 --}], multi => 1 } } });
is_deeply(
	[ GlperfGrafana::problems('table', $conn->query($hostile)) ],
	[], 'a quote in a variable stays inside its literal');

# More panels at once than the data source opens connections.
my $most = $source->{jsonData}{maxOpenConns};
my @pool = map { reader($node) } 1 .. $most;
is(scalar @pool, $most, 'the role may open as many connections as maxOpenConns');
$_->disconnect foreach @pool;
my @open;
eval { push @open, reader($node) for 1 .. $limit + 1; };
like($@, qr/too many connections for role/, 'and not without limit');

$_->quit foreach @sessions, $locker;
$standby->stop;
$node->stop;
done_testing();

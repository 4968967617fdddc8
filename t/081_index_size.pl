# Estimated sizes of indexes against real ones.
#
# The tables come from t/lib/GlperfIndexCases.pm with a seed (GLPERF_SEED,
# default 1), so that sets that nobody tuned for can be drawn;
# bench/advisor/size.pl does so with bigger tables.  The sample is made so small
# here that most tables are not read whole.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfIndexCases;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{GLPERF_SEED} || 1;

my $node = PostgreSQL::Test::Cluster->new('size');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION glperf; CREATE SCHEMA app;');
my $trgm = $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'");
$node->safe_psql('postgres', 'CREATE EXTENSION pg_trgm') if $trgm;

my @cases = index_cases(seed => $seed, rows => 12000, random => 10, trgm => $trgm);
my $sql = "SET client_min_messages = error; " . index_case_types() . "CREATE TABLE app.result (n int, estimated int8, real int8);\n";
foreach my $case (@cases)
{
	my $n = $case->{n};
	my $ddl = "CREATE INDEX real_$n ON app.t$n $case->{ddl}";
	$sql .= index_case_sql($case, $seed) . qq{
SET glperf.size_sample_pages = 80;
INSERT INTO app.result SELECT $n, size_bytes[1] FROM glperf.whatif('SELECT 1', ARRAY[\$d\$$ddl\$d\$]);
RESET glperf.size_sample_pages;
$ddl;
UPDATE app.result SET real = coalesce((SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('app.real_$n')), pg_relation_size('app.real_$n')) WHERE n = $n;
DROP TABLE app.t$n;
};
}
$node->safe_psql('postgres', $sql);

# One page is the smallest step there is, and rounding decides about it.
my %result;
foreach (split /\n/, $node->safe_psql('postgres', 'SELECT n, estimated, real FROM app.result'))
{
	my ($n, $estimated, $real) = split /\|/;
	$result{$n} = abs($estimated - $real) <= 8192 ? 1 : $estimated / $real;
}
my @worst = sort { abs(log $result{$b}) <=> abs(log $result{$a}) } keys %result;
note(sprintf '%6.3f  %s  %s', $result{$_}, $cases[$_ - 1]{name}, $cases[$_ - 1]{ddl}) foreach @worst[0 .. 19];

# Failure proved: sizes, and with them budgets and benefit per byte, are off.
is(scalar keys %result, scalar @cases, 'every case has an estimate');
cmp_ok((grep { abs($result{$_} - 1) <= 0.15 } @worst) / @worst, '>=', 0.9, 'within 15 % in nine cases out of ten');
is(join(', ', map { $cases[$_ - 1]{name} } grep { abs($result{$_} - 1) > 0.25 } @worst), '', 'within 25 % in all');

# A sample is the same each time, and so is advice.
my $size = q{SELECT size_bytes[1] FROM glperf.whatif('SELECT 1', ARRAY['CREATE INDEX ON app.big (a, b)'])};
$node->safe_psql('postgres', q{
CREATE TABLE app.big AS SELECT (random() * 5000)::int AS a, (random() * 40)::int AS b, repeat('f', 200) FROM generate_series(1, 50000);
VACUUM ANALYZE app.big;});
is($node->safe_psql('postgres', $size), $node->safe_psql('postgres', $size), 'the same size every time');

# Steps that small tables do not show: a hash index grows by quarters of a power
# of two, and a GIN index that exceeds the memory of its build is less full.
foreach my $big ([ 'hash (a)', 200000 ], [ 'gin (b)', 60000 ])
{
	my ($using, $rows) = @$big;
	my ($estimated, $real) = split /\|/, (split /\n/, $node->safe_psql('postgres', qq{
CREATE TABLE app.steps AS SELECT i AS a, ARRAY[md5(i::text), md5((i + 0.5)::text)] AS b FROM generate_series(1, $rows) i;
VACUUM ANALYZE app.steps;
SET maintenance_work_mem = '1MB';
CREATE TEMP TABLE estimated AS SELECT size_bytes[1] AS bytes FROM glperf.whatif('SELECT 1', ARRAY['CREATE INDEX ON app.steps USING $using']);
CREATE INDEX steps_real ON app.steps USING $using;
SELECT bytes, pg_relation_size('app.steps_real') FROM estimated;
DROP TABLE app.steps;}))[-1];
	cmp_ok(abs($estimated / $real - 1), '<', 0.15, "$using of $rows rows: $estimated against $real bytes");
}

# Nothing but blocks of the sample is read.
my $read = $node->safe_psql('postgres', qq{SET glperf.size_sample_pages = 100; EXPLAIN (ANALYZE, BUFFERS, SUMMARY off, TIMING off) $size});
my ($hit) = $read =~ /Execution.*|shared hit=(\d+)/ ? ($1 || 0) : 0;
cmp_ok($hit, '<', 1000, 'reads no more than it is allowed to');

# Who may not read the rows gets the statistics' answer, not the sample's.
$node->safe_psql('postgres', q{
CREATE ROLE nobody_special; GRANT USAGE ON SCHEMA app, glperf TO nobody_special;
GRANT pg_monitor TO nobody_special;
CREATE TABLE app.secret AS SELECT i AS a, i % 3 = 0 AS b FROM generate_series(1, 20000) i;});
my $secret = q{SELECT size_bytes[1] FROM glperf.whatif('SELECT 1', ARRAY['CREATE INDEX ON app.secret (a)'])};
$node->safe_psql('postgres', q{UPDATE pg_class SET reltuples = 200000, relpages = 89 WHERE oid = 'app.secret'::regclass});
my $owner = $node->safe_psql('postgres', $secret);
my $other = $node->safe_psql('postgres', "SET ROLE nobody_special; $secret");
cmp_ok($owner * 3, '<', $other, 'rows are counted only for who may read them');
$node->safe_psql('postgres', q{GRANT SELECT ON app.secret TO nobody_special});
is($node->safe_psql('postgres', "SET ROLE nobody_special; $secret"), $owner, 'and with the right they are');
$node->safe_psql('postgres', q{ALTER TABLE app.secret ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.secret USING (b)});
is($node->safe_psql('postgres', "SET ROLE nobody_special; $secret"), $other, 'but not behind row security');

# A key that a B-tree cannot store is known before the build fails.
$node->safe_psql('postgres', q{
CREATE TABLE app.long AS SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 100) j) AS a FROM generate_series(1, 200) i; ANALYZE app.long;});
isnt($node->psql('postgres', 'CREATE INDEX ON app.long (a)'), 0, 'a row is too long for an index');
is( $node->safe_psql('postgres', q{SELECT count(*) FROM glperf.advise_indexes(workload => '[{"query": "SELECT i FROM app.long WHERE a = $1", "calls": 100000, "time_ms": 1000000}]') WHERE action = 'create'}),
	'0', 'and no such index is advised');

$node->stop;
done_testing();

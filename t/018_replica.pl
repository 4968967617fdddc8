# --replica: what a standby runs is advised on, and what only a standby scans
# is never offered for dropping.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 });
run_workload($primary);

sub sql { return $primary->safe_psql('postgres', $_[0]); }

sql(q{
UPDATE glperf.threshold SET warning = 0.0001 / 86400 WHERE id = 'index_evidence';
CREATE TABLE t (a int, b int, c int);
INSERT INTO t SELECT g, g, g % 3000 FROM generate_series(1, 60000) g;
CREATE INDEX t_there ON t (a);
CREATE INDEX t_nowhere ON t (b);
CREATE ROLE app LOGIN;
GRANT SELECT ON t TO app;
SELECT pg_create_physical_replication_slot('near', true);});
sql('VACUUM ANALYZE t');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('near');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', q{primary_slot_name = 'near'});
$standby->start;
$primary->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'}) or die;
$primary->wait_for_catchup($standby);

# its own work: a scan of an index, and a statement that wants one
$standby->safe_psql('postgres', q{SELECT pg_stat_statements_reset()});
$standby->safe_psql('postgres', 'SET enable_seqscan = off; SELECT b FROM t WHERE a BETWEEN 7 AND 9');
$standby->safe_psql('postgres', 'SET max_parallel_workers_per_gather = 0;' . join('', map { "SELECT count(*) FROM t WHERE c = $_;" } 1 .. 40),
	extra_params => [ '-U', 'app' ]);
# and one that both run
$standby->safe_psql('postgres', 'SET max_parallel_workers_per_gather = 0;' . join('', map { "SELECT id, note FROM orders WHERE customer_id = $_;" } 1 .. 30));
$standby->poll_query_until('postgres', q{SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 't_there'}) or die;

sub drops { return join ',', sort map { $_->{index_name} } grep { $_->{action} eq 'drop' } @{ $_[0]{recommendations} }; }
my $conninfo = 'host=' . $standby->host . ' port=' . $standby->port;

# --- without the standby

my $before = advice($primary);
is(drops($before), '', 'while the standby has not told, nothing is offered for dropping');
ok(!(grep { $_->{query} =~ /WHERE c = / } @{ $before->{statements} }), '... and its statements are not known');
my ($own) = grep { $_->{query} =~ /customer_id = \$1/ } @{ $before->{statements} };

# --- a standby that cannot be read

my $run = advisor($primary, '--replica=host=' . $standby->host . ' port=1', '--no-record');
is($run->{status}, 3, 'a standby that is away: status 3');
like($run->{err}, qr/could not connect to replica 1 of the command line/, '... it is named by its place');
$run = advisor($primary, "--replica=$conninfo password=sEcret");
is($run->{status}, 4, 'a password in the connection string is refused');
unlike($run->{out} . $run->{err}, qr/sEcret/, '... and not shown');
$run = advisor($primary, '--replica=host=' . $primary->host . ' port=' . $primary->port, '--no-record');
is($run->{status}, 3, 'the primary is no standby');
like($run->{err}, qr/left out: it is no standby/, '... which is said');
my $other = new_node('other');
$run = advisor($primary, '--replica=host=' . $other->host . ' port=' . $other->port, '--no-record');
like($run->{err}, qr/left out: it is no copy of this server/, 'a strange server is refused');
$other->stop;

# --- with it

my $advice = advice($primary, "--replica=$conninfo");
is($advice->{exit_status}, 2, 'with the standby: advice');
my ($there) = grep { $_->{query} eq 'SELECT count(*) FROM t WHERE c = $1' } @{ $advice->{statements} };
is(($there // {})->{role}, 'app', 'a statement that only the standby runs is known, with its role');
ok((grep { $_->{ddl} =~ /ON public\.t \(c\)/ } @{ $advice->{recommendations} }), '... and advised on');
my @both = grep { $_->{query} =~ /customer_id = \$1/ } @{ $advice->{statements} };
is(scalar @both, 1, 'what both run is one statement');
cmp_ok($both[0]{calls}, '>', $own->{calls}, '... with the calls of both');
is(drops($advice), 't_nowhere', 'what no node scans is offered for dropping, what the standby scans is not');
# from PostgreSQL 16 on it is also known when, and the limit here is next to nothing: ask with one that reaches back to the scan
is(sql(q{SELECT r.verdict, r.replica_scans > 0, (r.last_scan_at IS NOT NULL) = (current_setting('server_version_num')::int >= 160000)
FROM (SELECT coalesce(max(extract(epoch FROM reported_at - last_used_at)), 0)::float8 + 0.001 AS s FROM glperf.replica_usage WHERE index_name = 't_there') e,
	glperf.index_report(glperf.counters_since(), e.s, 5, ARRAY(SELECT glperf.standby_names()), 86400, true, NULL, NULL) r
WHERE r.index_name = 't_there'}), 'used|t|t', '... because it is known to be used there');
like(advisor($primary, "--replica=$conninfo")->{out}, qr/workload    pg_stat_statements, and 1 standby/, 'text says so');

# --- a reader: statements of others cannot be planned as them, usage not be noted

sql('CREATE ROLE watcher LOGIN IN ROLE pg_monitor');
$primary->wait_for_catchup($standby);
$run = advisor($primary, "--replica=$conninfo user=watcher", '--username=watcher');
like($run->{err}, qr/index usage of standby "near" cannot be noted: permission denied/, 'a reader is told what it lacks');
is($run->{status}, 2, '... and gets advice');

# --- and nothing is written on request

sql('TRUNCATE glperf.replica_usage');
is(drops(advice($primary, "--replica=$conninfo", '--no-record')), '', '--no-record notes nothing, so nothing is dropped');
is(sql('SELECT count(*) FROM glperf.replica_usage'), 0, '... indeed');

$standby->stop;
$primary->stop;
done_testing();

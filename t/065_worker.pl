# The background worker: latency of the last minutes, wait profile, high-water
# marks, and what the health page makes of them.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
autovacuum = off
max_connections = 40
glperf.wait_interval = 20ms
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE TABLE t (a int PRIMARY KEY);
INSERT INTO t VALUES (1);
UPDATE glperf.threshold SET critical = 600000 WHERE id IN ('latency_p95', 'latency_p99');
});

# Failure proved: recent figures are those since the start, or miss commands,
# errors or refused statements.
$node->psql('postgres',
	'SELECT pg_sleep(0.4);' . 'SELEC;' x 5 . 'SELECT 1 / (a - 1) FROM t;',
	on_error_stop => 0);
is( $node->safe_psql('postgres', q{
SELECT calls BETWEEN 2 AND 100, errors, p99_ms BETWEEN 380 AND 60000, error_pct > 5, per_second > 0
FROM glperf.recent_latency(60)}), 't|6|t|t|t', 'the last minute');
is( $node->safe_psql('postgres', q{
SELECT check_id, status FROM glperf.health_collector ORDER BY 1}),
	"error_rate|critical\nlatency_p95|warning\nlatency_p99|warning\nthroughput|warning",
	'health: slow and failing')
  or diag $node->safe_psql('postgres', 'SELECT * FROM glperf.health_collector');
my ($ret, $out, $err) = $node->psql('postgres', "SELECT glperf.recent_latency('NaN')");
like($err, qr/must not be negative/, 'nonsense is refused');

# Failure proved: BEGIN and COMMIT make everything look fast.
my $before = $node->safe_psql('postgres', 'SELECT calls FROM glperf.recent_latency(600)');
$node->safe_psql('postgres', 'BEGIN; COMMIT;' x 500);
cmp_ok( $node->safe_psql('postgres', 'SELECT calls FROM glperf.recent_latency(600)') - $before,
	'<', 10, 'transaction commands are no requests');

# Failure proved: waits are seen for the wrong statement, or not at all.
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; UPDATE t SET a = a;');
my $waiter = $node->background_psql('postgres');
$waiter->query_until(qr/start/, "\\echo start\nSELECT a AS waits_for_lock FROM t FOR UPDATE;\n\\echo done\n");
$node->poll_query_until('postgres',
	q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'});

# Seen at least five times, with that event?
sub seen
{
	my ($pattern, $type, $event) = @_;
	return qq{SELECT count(*) > 0 FROM glperf.waits w JOIN pg_stat_statements USING (queryid)
WHERE samples >= 5 AND database = 'postgres' AND query LIKE '$pattern' AND query NOT LIKE '%glperf.waits%'
	AND wait_event_type = '$type' AND wait_event = '$event'};
}

# The statement's text is in pg_stat_statements when it has run, not before.
my $waited_for = q{SELECT coalesce(max(samples), 0) >= 5 FROM glperf.waits WHERE wait_event = 'transactionid' AND queryid IS NOT NULL};
ok($node->poll_query_until('postgres', $waited_for), 'the collector looks while a statement waits');
$locker->query_safe('COMMIT;');
$locker->quit;
$waiter->quit;
ok($node->poll_query_until('postgres', seen('%waits_for_lock%', 'Lock', 'transactionid')),
	'a statement that waited for a lock');
for my $case ([ 'SELECT pg_sleep(0.4)', 'SELECT pg_sleep(%', 'Timeout', 'PgSleep' ],
	[ 'SELECT count(*) AS burns_cpu FROM generate_series(1, 1000000) a, generate_series(1, 3) b', '%burns_cpu%', 'CPU', 'CPU' ])
{
	my ($sql, @case) = @$case;
	my $found = 0;
	for (1 .. 50)
	{
		$node->safe_psql('postgres', $sql);
		last if $found = $node->safe_psql('postgres', seen(@case)) eq 't';
	}
	ok($found, "one that is busy with $case[2]");
}
is( $node->safe_psql('postgres', q{
SELECT string_agg(DISTINCT wait_event_type, ',') FROM glperf.waits w JOIN pg_stat_statements USING (queryid)
WHERE query LIKE 'SELECT pg_sleep(%' AND database = 'postgres' AND wait_event_type IN ('Lock', 'Timeout')}),
	'Timeout', 'not with what others wait for');
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.waits WHERE wait_event_type IN ('Activity') OR (queryid IS NULL AND wait_event = 'ClientRead')}),
	'0', 'being idle is no wait');

# Failure proved: a short peak of connections passes unnoticed.
my @clients = map { $node->background_psql('postgres') } 1 .. 7;
$_->query_safe('BEGIN') for @clients;
ok( $node->poll_query_until('postgres', q{
SELECT bool_and(now_count >= 7) FROM glperf.connection_peaks()
WHERE state IN ('connections', 'idle in transaction')}), 'a peak is seen');
$_->quit for @clients;
ok( $node->poll_query_until('postgres', q{
SELECT bool_and(now_count <= 3) FROM glperf.connection_peaks()
WHERE state IN ('connections', 'idle in transaction', 'waiting for a lock')}), 'peaks pass');
is( $node->safe_psql('postgres', q{
SELECT state, peak_count >= CASE state WHEN 'connections' THEN 7 WHEN 'idle in transaction' THEN 7 ELSE 1 END, peak_at IS NOT NULL
FROM glperf.connection_peaks() WHERE state IN ('connections', 'idle in transaction', 'waiting for a lock') ORDER BY 1}),
	"connections|t|t\nidle in transaction|t|t\nwaiting for a lock|t|t", 'high-water marks');
is( $node->safe_psql('postgres', 'SELECT high_water >= 7 FROM glperf.connections'),
	't', 'glperf.connections shows them');

# Failure proved: the collector does not run on a standby.
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
$standby->poll_query_until('postgres',
	'SELECT worker_pid IS NOT NULL FROM glperf.collector_status()')
  or die 'no worker on the standby';
is( $standby->safe_psql('postgres', q{
SELECT count(*) FROM t;
SELECT calls > 0 FROM glperf.database_latency() WHERE is_total;
SELECT count(*) FROM glperf.parameter_samples WHERE query_text = 'SELECT count(*) FROM t';
SELECT worker_pid IS NOT NULL FROM glperf.collector_status();
SELECT count(*) FROM glperf.health_collector WHERE status <> 'unknown';
}), "1\nt\n1\nt\n4", 'the collector works on a standby');
$standby->stop;

# Failure proved: a worker that is killed stays away or takes the rest along.
my $pid = $node->safe_psql('postgres',
	'SELECT worker_pid FROM glperf.collector_status()');
kill 'TERM', $pid;
ok( $node->poll_query_until('postgres',
		"SELECT worker_pid <> $pid FROM glperf.collector_status()"),
	'a terminated worker is started again');

# Failure proved: without the collector a row is missing or claims to know.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements'");
$node->restart;
is( $node->safe_psql('postgres', q{
SELECT DISTINCT status, remedy FROM glperf.health_collector}),
	q{unknown|ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements', 'glperf'; -- then restart the server},
	'not preloaded: unknown, and what to do');
is( $node->safe_psql('postgres', q{
SELECT glperf.recent_latency() IS NULL; SELECT count(*) FROM glperf.waits;
SELECT count(*) FROM glperf.connection_peaks(); SELECT high_water IS NULL FROM glperf.connections}),
	"t\n0\n0\nt", 'not preloaded: nothing');

$node->stop;
done_testing();

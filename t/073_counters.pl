# Counters are judged by what they did lately: the first look says that it is
# one, a bad present shows in spite of a good past, and a good one in spite of a
# bad past.  Readings outlive a session where glperf is preloaded, and end with
# a crash or a reset.  Deadlocks, damaged pages, failing archiving and lock waits
# of a statement are told, and nothing is where there is none.

use strict;
use warnings;

use IPC::Run qw(start finish);
use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', q{
autovacuum = off
restart_after_crash = on
temp_buffers = 800kB
deadlock_timeout = 10ms
track_io_timing = on
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
CREATE TABLE small AS SELECT g AS id, 0 AS n FROM generate_series(1, 1000) g;
UPDATE glperf.threshold SET warning = 2000 WHERE id = 'cache_evidence';
});

# Reads that miss: a temporary table larger than its buffers.  Reads that hit:
# a small table, over and over.
sub misses
{
	my ($times) = @_;
	return qq{
CREATE TEMP TABLE IF NOT EXISTS larger AS
SELECT repeat('x', 1000) AS x FROM generate_series(1, 8000);
DO \$\$ BEGIN FOR i IN 1 .. $times LOOP PERFORM count(*) FROM larger; END LOOP; END \$\$;
SELECT pg_stat_force_next_flush();
};
}

sub hits
{
	my ($times) = @_;
	return qq{
DO \$\$ BEGIN FOR i IN 1 .. $times LOOP PERFORM count(*) FROM small; END LOOP; END \$\$;
SELECT pg_stat_force_next_flush();
};
}
my $look = q{
SELECT format('cache %s, %s, %s past', status,
	CASE WHEN window_s > 0 THEN 'rate' ELSE 'first sample' END,
	CASE WHEN total_hit_pct > 80 THEN 'good' ELSE 'bad' END)
FROM glperf.cache WHERE database = current_database();
};
my $page = q{
SELECT concat_ws(' ', 'page', check_id, status, substring(message FROM '^first sample'))
FROM glperf.health_server
WHERE check_id IN ('cache_hit', 'deadlocks', 'disk_read_latency', 'temp_rate', 'wal_rate')
	AND object NOT LIKE 'database template%'
ORDER BY check_id COLLATE "C";
};
my $reset = 'SELECT pg_stat_reset();';
my $wait = 'SELECT pg_sleep(0.6);';

# All in one session, which alone remembers.
sub looks
{
	my ($sql) = @_;
	return join "\n", grep { /^(cache|page)/ } split /\n/,
	  $node->safe_psql('postgres', $sql);
}

is(looks($page),
	join("\n", map { "page $_ unknown first sample" }
		  qw(cache_hit deadlocks disk_read_latency temp_rate wal_rate)),
	'the page says which rows are a first sample');
is(looks($reset . misses(20) . $look . $wait . hits(1000) . $look),
	"cache unknown, first sample, bad past\ncache ok, rate, bad past",
	'a bad past is forgiven');
is(looks($reset . hits(20000) . $look . $wait . misses(10) . $look),
	"cache unknown, first sample, good past\ncache critical, rate, good past",
	'a bad present shows in spite of a good past');
is(looks($look . $wait . $look . $reset . $look . $wait . $look) =~ s/, \w+ past//gr,
	"cache unknown, first sample\ncache ok, rate\n"
	  . "cache unknown, first sample\ncache ok, rate",
	'after a reset counting begins anew');
like(looks($page . $wait . misses(5) . $page),
	qr/cache_hit critical\npage deadlocks ok\npage disk_read_latency ok\npage temp_rate ok\npage wal_rate ok$/,
	'the second look judges');

# Where glperf is preloaded, readings are everybody's.
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
glperf.wait_interval = 20ms
wal_level = replica
archive_mode = on
archive_command = 'true'
});
$node->restart;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');
like(looks($look), qr/unknown, first sample/, 'preloaded: first sample');
ok( $node->poll_query_until('postgres', q{
SELECT window_s IS NOT NULL FROM glperf.cache WHERE database = current_database()}),
	'preloaded: another session goes on from it');
ok( $node->poll_query_until('postgres', q{
SELECT wal_window_s > 0 AND checkpoints_window_s > 0 AND archive_window_s > 0
FROM glperf.wal}), 'of each source');

# psql in the background.
sub begin
{
	my ($sql) = @_;
	my $out = '';
	return start [ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ],
	  '<', \undef, '>', \$out, '2>&1';
}

sub check
{
	my ($id) = @_;
	return $node->safe_psql('postgres', qq{
SELECT status || ' ' || message FROM glperf.health_server
WHERE check_id = '$id' AND object IN ('database postgres', 'WAL archiving')});
}

# deadlocks: each locks one row, waits until the other has done so, and wants
# the other's
like(check('deadlocks'), qr/^ok 0 deadlocks in the last/, 'no deadlock');
my @parties = map {
	my ($mine, $other) = @$_;
	begin(qq{BEGIN; UPDATE small SET n = 1 WHERE id = $mine; SELECT pg_advisory_xact_lock($mine);
DO \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $other)
LOOP PERFORM pg_sleep(0.05); END LOOP; END \$\$;
UPDATE small SET n = 1 WHERE id = $other; ROLLBACK;})
} ([ 1, 2 ], [ 2, 1 ]);
finish $_ foreach @parties;
ok( $node->poll_query_until('postgres', q{
SELECT status = 'warning' AND value >= 1 AND remedy IS NOT NULL FROM glperf.health_server
WHERE check_id = 'deadlocks' AND object = 'database postgres'}),
	'a deadlock is told');
like(check('deadlocks'), qr/^warning \d+ deadlocks in the last \d+ minutes/, 'in words');

# A statement that waits for locks most of the time that it is seen
my $holder = begin(q{BEGIN; UPDATE small SET n = 2 WHERE id = 3; SELECT pg_advisory_xact_lock(3);
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP
EXIT WHEN (SELECT sum(samples) FROM glperf.wait_counts() WHERE wait_event_type = 'Lock') > 30;
PERFORM pg_sleep(0.1); END LOOP; END $$; ROLLBACK;});
$node->poll_query_until('postgres',
	q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 3})
  or die 'nobody holds the row';
$node->safe_psql('postgres', 'UPDATE small SET n = 3 WHERE id = 3');
finish $holder;
my $reasons = q{SELECT coalesce(string_agg(reasons, '; '), 'none') FROM glperf.statements WHERE query LIKE };
like($node->safe_psql('postgres', "$reasons 'UPDATE small SET n%'"),
	qr/waits for locks: \d+ of the \d+ times that it was seen running/,
	'the reason is given');
$node->safe_psql('postgres', 'SELECT count(*) AS busy FROM generate_series(1, 3000000)');
unlike($node->safe_psql('postgres', "$reasons '%AS busy%'"), qr/waits for locks/,
	'and not for one that works');

# archiving
like(check('archiving'), qr/^ok /, 'archiving works');
$node->safe_psql('postgres', q{ALTER SYSTEM SET archive_command = 'false'});
$node->reload;
$node->safe_psql('postgres', 'CREATE TABLE x1 (); SELECT pg_switch_wal()');
ok( $node->poll_query_until('postgres', q{
SELECT status = 'critical' AND message ~ 'the last attempt to archive failed at .*, \d+ attempts in the last \d+ minutes'
FROM glperf.health_server WHERE check_id = 'archiving'}),
	'failing archiving is told') or diag(check('archiving'));
$node->safe_psql('postgres', q{ALTER SYSTEM SET archive_command = 'true'});
$node->reload;
ok( $node->poll_query_until('postgres',
		q{SELECT status = 'ok' FROM glperf.health_server WHERE check_id = 'archiving'}),
	'and working again, too');

# a crash takes the readings with it
ok(GlperfNode::crash($node), 'crashed and back');
like(looks($look), qr/unknown, first sample/, 'a crash begins anew');

# a damaged page
is(check('checksum_failures'), '', 'nothing is damaged');
my $path = $node->safe_psql('postgres', q{SELECT pg_relation_filepath('small')});
$node->stop;
$node->corrupt_page_checksum($path, 0);
$node->start;
isnt($node->psql('postgres', 'SELECT * FROM small'), 0, 'a page is damaged');
ok( $node->poll_query_until('postgres', q{
SELECT status = 'critical' AND value >= 1 FROM glperf.health_server
WHERE check_id = 'checksum_failures'}), 'which is told');
$node->stop;

done_testing();

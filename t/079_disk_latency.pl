# What disks take is known of reads and of writes, from pg_stat_io where the
# server has it, and judged both ways; a statement is told when it reads what is
# not in shared buffers, when it waits for disks and when it is planned too often,
# and not told when it does none of that.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
shared_buffers = 1MB
autovacuum = off
bgwriter_lru_maxpages = 0
track_io_timing = on
pg_stat_statements.track_planning = on
max_parallel_workers_per_gather = 0
jit = off
});
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE TABLE big (id int, filler text);
ALTER TABLE big ALTER filler SET STORAGE PLAIN;
INSERT INTO big SELECT g, repeat('x', 2000) FROM generate_series(1, 4000) g;
CREATE TABLE small AS SELECT g AS id FROM generate_series(1, 1000) g;
});
my $has_io = $node->safe_psql('postgres',
	q{SELECT to_regclass('pg_catalog.pg_stat_io') IS NOT NULL}) eq 't';

sub limits
{
	my ($id, $warning, $critical) = @_;
	$node->safe_psql('postgres', qq{
UPDATE glperf.threshold SET warning = $warning, critical = $critical
WHERE id = '$id'});
	return;
}

# Eight times what fits into shared buffers is changed, and nobody else writes.
sub write_and_read
{
	$node->safe_psql('postgres', q{
UPDATE big SET id = id + 1;
SELECT count(*) FROM big;
SELECT pg_stat_force_next_flush();});
	return;
}

#
# Latency of writes and reads
#
my $kinds = q{FROM glperf.io_latency WHERE activity = } .
  ($has_io ? q{'client backend'} : q{'writes by statements'});
$node->safe_psql('postgres', 'SELECT count(*) FROM glperf.io_latency');
foreach my $try (1 .. 60)
{
	write_and_read();
	last if $node->safe_psql('postgres',
		"SELECT coalesce(max(writes), 0) > 500 $kinds") eq 't';
	sleep 1;
}
is($node->safe_psql('postgres', qq{
SELECT source, writes > 500, write_mean_ms > 0, window_s > 0,
	total_writes >= writes, total_write_time_ms > 0 $kinds}),
	($has_io ? 'pg_stat_io' : 'pg_stat_statements') . '|t|t|t|t|t',
	'writes are counted and timed');
SKIP:
{
	skip 'no pg_stat_io before PostgreSQL 16', 2 if !$has_io;
	my $sums = q{sum(reads)::int8, sum(writes)::int8,
		round(sum(write_time)::numeric, 3) FROM pg_stat_io
		WHERE object <> 'wal' AND (reads > 0 OR writes > 0)};
	# one transaction sees one snapshot of the statistics
	is($node->safe_psql('postgres', qq{BEGIN;
SELECT (SELECT (sum(total_reads)::int8, sum(total_writes)::int8,
		round(sum(total_write_time_ms)::numeric, 3))::text FROM glperf.io_latency)
	= (SELECT r::text FROM (SELECT $sums) r);}),
		't', "as many, and as long, as pg_stat_io says");
	is($node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.io_latency WHERE activity ~ 'wal$' OR activity ~ ', wal'}),
		'0', 'the write-ahead log is no data file');
}

my $page = q{SELECT status, message ~ 'the slowest kind of access took [0-9.]+ ms on average in the last \d+ s',
	remedy IS NOT NULL FROM glperf.health_server WHERE check_id = };
foreach my $what ('read', 'write')
{
	limits('io_evidence', 100, 'NULL');
	limits("disk_${what}_latency", 1e9, 1e9);
	is($node->safe_psql('postgres', "$page 'disk_${what}_latency'"), 'ok|t|f',
		"${what}s that are fast enough");
	limits("disk_${what}_latency", 0, 0);
	is($node->safe_psql('postgres', "$page 'disk_${what}_latency'"), 'critical|t|t',
		"${what}s that are too slow");
	is($node->safe_psql('postgres', qq{
SELECT bool_or(${what}_status = 'critical') FROM glperf.io_latency}),
		't', '... in the view, too');
	limits('io_evidence', 1e9, 'NULL');
	is($node->safe_psql('postgres', "$page 'disk_${what}_latency'"), 'ok|f|f',
		"${what}s too few to matter")
	  or diag($node->safe_psql('postgres', qq{
SELECT * FROM glperf.health_server WHERE check_id = 'disk_${what}_latency'}));
	limits('io_evidence', 100, 'NULL');
}
{
	local $ENV{PGOPTIONS} = '-c track_io_timing=off';
	is($node->safe_psql('postgres', q{
SELECT string_agg(DISTINCT status, ' '), bool_and(message ~ 'track_io_timing'), bool_and(remedy ~ 'track_io_timing')
FROM glperf.health_server WHERE check_id IN ('disk_read_latency', 'disk_write_latency')}),
		'unknown|t|t', 'without timing nothing is known, which is said with a way out');
}

#
# Reasons of statements
#
limits('cache_evidence', 500, 'NULL');
limits('statement_io_share', 1, 'NULL');
$node->restart;
$node->safe_psql('postgres', q{
SELECT count(id) AS cold FROM big;});
$node->safe_psql('postgres', join "\n", map { 'SELECT count(id) AS warm FROM small;' } 1 .. 200);
$node->safe_psql('postgres', join "\n",
	map { 'SELECT sum(g) AS pure FROM generate_series(1, 50000) g;' } 1 .. 5);
$node->safe_psql('postgres', join "\n", map { q{
SELECT 1 AS planned FROM pg_class a JOIN pg_class b USING (oid) JOIN pg_class c USING (oid)
JOIN pg_class d USING (oid) JOIN pg_class e USING (oid) JOIN pg_class f USING (oid)
WHERE oid = 1;} } 1 .. 5);

sub reasons
{
	my ($what) = @_;
	return $node->safe_psql('postgres', qq{
SELECT coalesce(string_agg(reasons, ' / '), 'none') FROM glperf.statements
WHERE query LIKE '%AS $what FROM%'});
}
like(reasons('cold'), qr/only [0-9.]+ % of its blocks come from shared buffers, \d+ \w+ read per call/,
	'a statement that reads what is not in shared buffers');
like(reasons('cold'), qr/I\/O bound: \d+ % of its time is spent reading and writing blocks/,
	'and waits for it');
unlike(reasons('warm'), qr/shared buffers/, 'one that finds all in shared buffers');
unlike(reasons('pure'), qr/shared buffers|I\/O bound|planning/, 'one that only computes');
like(reasons('planned'), qr/\d+ % of its time is planning: prepare it once per session/,
	'one that takes longer to plan than to run');
unlike(reasons('planned'), qr/shared buffers/, '... which is all');
$node->stop;

done_testing();

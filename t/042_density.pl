# What a sample of 128 pages says of a B-tree agrees with pgstatindex(), which
# reads all of them, and with what REINDEX then frees; it reads no more than it
# says, waits for no lock, and leaves others' pages in shared buffers.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
autovacuum = off
shared_buffers = 64MB
maintenance_work_mem = 128MB
max_wal_size = 4GB
});
$node->start;
if ($node->psql('postgres', 'CREATE EXTENSION pgstattuple') != 0)
{
	plan skip_all => 'pgstattuple is not installed';
}
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
CREATE SCHEMA d;
SET search_path = d;
SELECT setseed(0.3);
CREATE TABLE fresh (id int, dup int, few int, nul int, txt text, num numeric);
INSERT INTO fresh SELECT g, random() * 2000, g % 5,
	CASE WHEN g % 10 = 0 THEN g END, md5(g::text), g
FROM generate_series(1, 200000) g;
CREATE UNIQUE INDEX fresh_unique ON fresh (id);
CREATE INDEX fresh_duplicates ON fresh (dup);
CREATE INDEX fresh_few_values ON fresh (few);
CREATE INDEX fresh_no_dedup ON fresh (dup) WITH (deduplicate_items = off);
CREATE INDEX fresh_nulls ON fresh (nul);
CREATE INDEX fresh_expression ON fresh (lower(txt));
CREATE INDEX fresh_partial ON fresh (dup) WHERE few = 1;
CREATE INDEX fresh_include ON fresh (dup) INCLUDE (txt);
CREATE INDEX fresh_numeric ON fresh (num);
CREATE INDEX fresh_fillfactor ON fresh (id) WITH (fillfactor = 50);

-- filled by inserts in random order
CREATE TABLE grown (a int, b text, c int);
CREATE INDEX grown_random ON grown (a);
CREATE INDEX grown_text ON grown (b);
CREATE INDEX grown_duplicates ON grown (c);
INSERT INTO grown SELECT random() * 1e9, md5(g::text), random() * 3000
FROM generate_series(1, 200000) g;

-- rows deleted all over the index
CREATE TABLE sparse (a int, k int);
INSERT INTO sparse SELECT g, random() * 1e9 FROM generate_series(1, 200000) g;
CREATE INDEX sparse_ordered ON sparse (a);
CREATE INDEX sparse_random ON sparse (k);
DELETE FROM sparse WHERE a % 4 <> 0;
VACUUM sparse;
-- in one half of it
CREATE TABLE half (a int);
INSERT INTO half SELECT generate_series(1, 200000);
CREATE INDEX half_sparse ON half (a);
DELETE FROM half WHERE a < 100000 AND a % 10 <> 0;
VACUUM half;
-- at one end of it, as in a queue
CREATE TABLE queue (a int);
INSERT INTO queue SELECT generate_series(1, 200000);
CREATE UNIQUE INDEX queue_end ON queue (a);
DELETE FROM queue WHERE a < 120000;
VACUUM queue;
-- updated again and again, with many equal keys
CREATE TABLE churn (id int, v int) WITH (fillfactor = 50);
INSERT INTO churn SELECT g, random() * 500 FROM generate_series(1, 100000) g;
CREATE INDEX churn_few ON churn (v);
CREATE INDEX churn_wide ON churn (id, v);
UPDATE churn SET v = random() * 500;
UPDATE churn SET v = random() * 500;
DELETE FROM churn WHERE id % 5 <> 0;
VACUUM churn;
});

# --- against the whole truth
$node->safe_psql('postgres', q{
CREATE TABLE estimate AS
SELECT c.oid AS index, c.relname AS name, p.avg_leaf_density AS truth, e.*
FROM pg_class c, pgstatindex(c.oid::regclass) p,
	glperf.index_density(c.oid, 128) e
WHERE c.relnamespace = 'd'::regnamespace AND c.relkind = 'i'});
foreach my $index (
	split /\n/,
	$node->safe_psql('postgres', 'SELECT name FROM estimate ORDER BY 1'))
{
	my ($read, $truth, $density, $error, $reason) = split /\|/,
	  $node->safe_psql('postgres', qq{
SELECT pages_read, truth, round(density_pct::numeric, 2),
	abs(density_pct - truth), reason
FROM estimate WHERE name = '$index'});
	# pages differ much where inserts came in random order
	my $allowed = $index =~ /^(grown|half|queue)/ ? 5 : 3;
	ok($error <= $allowed && $read <= 128 && $reason eq '',
		"$index: $density % where pgstatindex says $truth %, from $read pages")
	  or diag($reason);
	$node->safe_psql('postgres', "REINDEX INDEX d.$index");
	my ($freed, $really, $off) = split /\|/, $node->safe_psql('postgres', qq{
SELECT freed_bytes, size_bytes - pg_relation_size(index),
	100.0 * abs(freed_bytes - (size_bytes - pg_relation_size(index))) / size_bytes
FROM estimate WHERE name = '$index'});
	cmp_ok($off, '<', 6,
		"$index: REINDEX frees $really bytes, $freed were promised");
}
# 95 of 100 intervals hold the truth; seven of eight do here (a fresh index is
# so even that its last pages lie outside of the narrow interval of the others)
is( $node->safe_psql('postgres', q{
SELECT count(*) FILTER (WHERE truth BETWEEN density_low_pct - 0.5
		AND density_high_pct + 0.5) >= 0.875 * count(*)
FROM estimate}), 't', 'the confidence intervals hold what they say');

# --- what it reads: counted by the server itself
$node->safe_psql('postgres', q{
CREATE TABLE big (a int);
INSERT INTO big SELECT generate_series(1, 500000);
CREATE INDEX big_a ON big (a) WITH (fillfactor = 30);
VACUUM ANALYZE big;
});
$node->restart;    # nothing in shared buffers

# Pages of the index that were asked for, and that were read, in a look.
sub pages_touched
{
	my ($sql) = @_;
	my $counters = q{
SELECT pg_stat_force_next_flush();
SELECT idx_blks_read + idx_blks_hit, idx_blks_read
FROM pg_statio_all_indexes WHERE indexrelname = 'big_a';
};
	my ($asked0, $read0, $asked1, $read1) =
	  $node->safe_psql('postgres', "$counters$sql;$counters") =~ /(\d+)\|(\d+)/g;
	return ($asked1 - $asked0, $read1 - $read0);
}

my ($asked, $read) =
  pages_touched(q{DO $$BEGIN PERFORM glperf.index_density('big_a', 50); END$$});
is($asked, 51, 'no more pages are touched than asked for, and the metapage');
pages_touched(q{DO $$BEGIN PERFORM glperf.index_density('big_a', 20); END$$});
($asked, $read) =
  pages_touched(q{DO $$BEGIN PERFORM glperf.index_density('big_a', 20); END$$});
is("$asked $read", '21 0',
	'the next look finds the same pages in the cache');
is( $node->safe_psql('postgres', q{
SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelname = 'big_a'}),
	0, 'and it is no scan, which would make an unused index a used one');

# --- the row of the health page
$node->safe_psql('postgres',
	q{UPDATE glperf.threshold SET warning = 5 WHERE id = 'index_bloat_size'});
is( $node->safe_psql('postgres', q{
SELECT object, status, remedy FROM glperf.health WHERE check_id = 'index_bloat'}),
	'largest B-trees|ok|', 'a fillfactor of 30 is no bloat');
$node->safe_psql('postgres', 'ALTER INDEX big_a SET (fillfactor = 90)');
my $finding = q{
SELECT object, status, remedy FROM glperf.health WHERE check_id = 'index_bloat'};
is( $node->safe_psql('postgres', $finding),
	'public.big_a|warning|REINDEX INDEX CONCURRENTLY public.big_a;',
	'a third full where 90 % are possible is');

# --- a standby says the same, and offers nothing that it cannot do
$node->safe_psql('postgres', q{
CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 50000) AS a;
CREATE INDEX fleeting_a ON fleeting (a);
});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $finding),
	'public.big_a|warning|Ask glperf.index_bloat on the primary.',
	'on a standby');
is( $standby->safe_psql('postgres',
		q{SELECT reason FROM glperf.index_density('fleeting_a')}),
	'unlogged: a standby does not have it', 'unlogged indexes are left out');
$standby->stop;

# --- a lock is never waited for
my $lock = $node->background_psql('postgres');
$lock->query_safe('BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE;'
	  . ' REINDEX INDEX big_a');
is( $node->safe_psql('postgres', q{SET lock_timeout = '10ms';
		SELECT density_pct, reason FROM glperf.index_density('big_a')}),
	'|locked just now', 'an index that is being rebuilt is left alone');
is( $node->safe_psql('postgres', q{SET lock_timeout = '10ms';
		SELECT verdict, reason, freed_bytes FROM glperf.index_bloat
		WHERE index_name = 'big_a'}),
	'unknown|locked just now|', 'and is a row that says so');
$lock->query_safe('ROLLBACK');
$lock->query_safe('BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE');
is( $node->safe_psql('postgres', q{SET lock_timeout = '10ms';
		SELECT density_pct IS NOT NULL, reason
		FROM glperf.index_density('big_a')}),
	't|', 'a lock of the table alone is no hindrance');
$lock->query_safe('ROLLBACK');
$lock->quit;

# --- a damaged index is a finding, and does not hide the others
$node->safe_psql('postgres', 'CHECKPOINT');
my $path = $node->data_dir . '/'
  . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('big_a')});
$node->stop;
open my $fh, '+<:raw', $path or die "$path: $!";
print $fh 'X' x 8192;
close $fh;
$node->start;
like(
	$node->safe_psql('postgres', q{
SELECT verdict, reason FROM glperf.index_bloat WHERE index_name = 'big_a'}),
	qr/^unknown\|cannot be read: /,
	'a damaged index is reported');
is( $node->safe_psql('postgres', q{
SELECT count(*) > 0 FROM glperf.health WHERE area = 'server'}),
	't', 'and the health page is there');
$node->stop;

done_testing();

# A crash empties the counters and hides it: stats_reset of the database turns
# NULL and the postmaster's start stays as it was.  Judged by those, every index
# looks unused for days.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = GlperfNode::start('main', preload => 'pg_stat_statements',
	conf => q{
restart_after_crash = on
});
$node->safe_psql('postgres', q{
CREATE TABLE t (a int, b int);
INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX t_used ON t (a);
CREATE INDEX t_idle ON t (b);
UPDATE glperf.threshold SET warning = 5.0 / 86400 WHERE id = 'index_evidence';
});
$node->safe_psql('postgres', q{
SET enable_seqscan = off; SELECT b FROM t WHERE a = 7;
SELECT b FROM t WHERE a BETWEEN 7 AND 9;});

sub verdicts
{
	return $node->safe_psql('postgres', q{
SELECT string_agg(verdict || ' ' || (scans > 0), ', ' ORDER BY index_name)
FROM glperf.index_usage WHERE table_name = 't'});
}

# long enough that the idle index is called unused by a limit of 5 seconds
ok( $node->poll_query_until('postgres', q{
SELECT verdict = 'unused' FROM glperf.index_usage
WHERE index_name = 't_idle'}), 'an idle index is called unused in time');
# from PostgreSQL 16 on, what was last used more than 5 seconds ago is unused
like(verdicts(), qr/^unused false, (un)?used true$/, 'before the crash');
$node->safe_psql('postgres', q{SELECT pg_stat_reset_shared('archiver')});

# kill a backend: the server restarts by itself
my $start = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
ok(GlperfNode::crash($node), 'back after a crash');

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $start,
	'the start of the server tells nothing');
is($node->safe_psql('postgres', q{
SELECT stats_reset IS NULL FROM pg_stat_database
WHERE datname = current_database()}),
	't', 'nor does stats_reset');
is($node->safe_psql('postgres', q{
SELECT evidence_s < extract(epoch FROM clock_timestamp()
	- (SELECT max(stats_reset) FROM pg_stat_bgwriter)) + 1
FROM glperf.index_usage WHERE index_name = 't_used'}),
	't', 'the evidence reaches back to the crash, and not further');
$node->safe_psql('postgres',
	q{UPDATE glperf.threshold SET warning = 35 WHERE id = 'index_evidence'});
is(verdicts(), 'unknown false, unknown false',
	'no index is called unused for want of counters');
is($node->safe_psql('postgres',
		q{SELECT count(*) FROM glperf.index_usage WHERE drop_ddl IS NOT NULL}),
	'0', 'and none is offered for dropping');
is($node->safe_psql('postgres', q{
SELECT status, value < 1 FROM glperf.health
WHERE check_id = 'index_evidence'}),
	'unknown|t', 'the health page says so');
$node->stop;

done_testing();

# History: what snapshots keep, with the collector and without, and that it
# stays within bounds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = GlperfNode::start('history', preload => 'pg_stat_statements,glperf',
	init => { allows_streaming => 1 },
	conf => q{
log_min_messages = debug1
max_connections = 40
});
$node->safe_psql('postgres', q{
CREATE TABLE t (a int);
});

# Rows of a statement in the history, oldest first.
sub history
{
	my ($pattern, $columns) = @_;
	return $node->safe_psql('postgres', qq{
SELECT $columns FROM glperf.history_statement h
WHERE queryid IN (SELECT queryid FROM pg_stat_statements WHERE query LIKE '$pattern') ORDER BY taken_at});
}

# Failure proved: everything since the server started is taken for the first
# window; windows overlap or miss calls.
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 5);
is($node->safe_psql('postgres', 'SELECT glperf.snapshot()'), '0', 'the first only notes where counting begins');
is($node->safe_psql('postgres', 'SELECT window_s IS NULL, source FROM glperf.history_snapshot'),
	't|collector', 'it says so');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 3 . 'SELECT pg_sleep(0.4);');
cmp_ok($node->safe_psql('postgres', 'SELECT glperf.snapshot()'), '>=', 2, 'the second keeps statements');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 4);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls, errors, p95_ms > 0, window_s > 0, role IS NOT NULL, database'),
	"3|0|t|t|t|postgres\n4|0|t|t|t|postgres", 'calls of each window');
my $slept = $node->safe_psql('postgres',
	q{SELECT max_exec_time FROM pg_stat_statements WHERE query LIKE 'SELECT pg_sleep%'});
is(history('SELECT pg_sleep%', "calls, p50_ms / $slept BETWEEN 0.9 AND 1.1, total_ms / $slept BETWEEN 0.9 AND 1.1"),
	'1|t|t', "percentiles of the window: $slept ms");

is( $node->safe_psql('postgres', q{
SELECT count(*), bool_and(calls > 0 AND per_second > 0) FROM glperf.history_database WHERE database IS NULL}),
	'2|t', 'totals of all databases');

# Failure proved: a percentile over several windows is made of theirs, not of
# the executions, so that it differs from what counting without windows gives.
my $stretch = $node->safe_psql('postgres', 'SELECT max(taken_at) FROM glperf.history_snapshot');
my $mixed = q{FROM glperf.statement_latency(true) WHERE queryid = (SELECT queryid FROM pg_stat_statements
	WHERE query LIKE 'SELECT count(*) AS mixed%')};
$node->safe_psql('postgres', 'SELECT count(*) AS mixed FROM generate_series(1, 10);' x 90);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
$node->safe_psql('postgres', 'SELECT count(*) AS mixed FROM generate_series(1, 200000);' x 10);
$node->safe_psql('postgres', "CREATE TABLE before_third AS SELECT cells $mixed");
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
$node->safe_psql('postgres', 'SELECT count(*) AS mixed FROM generate_series(1, 20000);' x 7);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
my $percentiles = sub {
	join(', ', 'calls', map { "glperf.latency_percentile($_[0], $_)" } qw(0.5 0.95 0.99)) };
my $of_it = q{FROM glperf.history_latency('%s'%s) WHERE queryid IN (SELECT queryid FROM pg_stat_statements WHERE query LIKE 'SELECT count(*) AS mixed%%')};
is( $node->safe_psql('postgres', 'SELECT windows, calls, p50_ms, p95_ms, p99_ms ' . sprintf($of_it, $stretch, '')),
	'3|' . $node->safe_psql('postgres', 'SELECT ' . $percentiles->('cells') . " $mixed"),
	'three windows: percentiles of all executions');
my $second = $node->safe_psql('postgres', "SELECT min(ends) FROM (SELECT taken_at AS ends FROM glperf.history_snapshot ORDER BY 1 DESC LIMIT 2) x");
is( $node->safe_psql('postgres', 'SELECT windows, calls, p50_ms, p95_ms, p99_ms ' . sprintf($of_it, $second, '')),
	'1|' . $node->safe_psql('postgres', 'SELECT 7, '
		  . $percentiles->('glperf.histogram_subtract(cells, (SELECT cells FROM before_third))') =~ s/^calls, //r . " $mixed"),
	'the last of them: the difference of two readings');
is( $node->safe_psql('postgres', 'SELECT windows, calls ' . sprintf($of_it, $stretch, ", '$second'")),
	'2|100', 'the first two');
is( $node->safe_psql('postgres', qq{
SELECT bool_and(h.calls = d.calls AND h.windows = d.n AND h.p95_ms > 0 AND h.ends_at = d.ends), count(*) >= 2
FROM glperf.history_latency('-infinity') h
JOIN (SELECT database, sum(calls) AS calls, count(*) AS n, max(taken_at) AS ends FROM glperf.history_database GROUP BY 1) d
ON d.database IS NOT DISTINCT FROM h.database WHERE h.scope <> 'statement'}), 't|t', 'databases, and all of them');
is( $node->safe_psql('postgres', q{
SELECT glperf.histogram_sum(glperf.histogram_pack(a)) = a, octet_length(glperf.histogram_pack(a)) > 1000
FROM (SELECT array_agg(CASE WHEN i % 7 = 0 THEN 0 ELSE 2 ^ (i / 4.0) END::int8 ORDER BY i) AS a FROM generate_series(1, 240) i) a GROUP BY a;
SELECT glperf.histogram_sum(x) IS NULL FROM (VALUES (NULL::bytea), ('')) v(x);
SELECT glperf.histogram_sum('') = array_fill(0::int8, ARRAY[240])}), "t|t\nt\nt", 'packed and unpacked');
my ($bad, $nothing, $complaint) = $node->psql('postgres', q{SELECT glperf.histogram_sum('\xffff')});
like($complaint, qr/not a packed histogram/, 'nonsense is refused');
($bad, $nothing, $complaint) = $node->psql('postgres', q{SELECT glperf.histogram_sum('\xf00101')});
like($complaint, qr/not a packed histogram/, 'so are cells beyond the last');


# Failure proved: a restart, which begins counting anew, makes negative or
# enormous windows, or loses calls when there are more than before it.
$node->restart;
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 20);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls'), "3\n4\n20", 'after a restart');
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;');
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 6);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls'), "3\n4\n20\n6", 'after a crash');

# Failure proved: history grows without bound, in time or in size.
$node->safe_psql('postgres', q{
INSERT INTO glperf.history_statement SELECT now() - i * interval '1 hour', 3600, 'postgres', 'postgres', 1, true, 1, 0, 1
FROM generate_series(1, 1000) i;
INSERT INTO glperf.history_snapshot SELECT now() - i * interval '1 hour', 3600, 'collector' FROM generate_series(1, 1000) i;
SELECT glperf.snapshot()});
is( $node->safe_psql('postgres', q{
SELECT max(now() - taken_at) BETWEEN interval '13 days' AND interval '15 days' FROM glperf.history_statement}),
	't', 'two weeks are kept');
is( $node->safe_psql('postgres', q{
SELECT count(*) > 0 FROM glperf.history_statement; SELECT glperf.snapshot(1) > 0;
SELECT max(now() - taken_at) < interval '25 hours' FROM glperf.history_statement;
SELECT glperf.snapshot(14, 1000) IS NOT NULL;
SELECT count(*) < 20 FROM glperf.history_snapshot}), "t\nt\nt\nt\nt", 'less when told to');

# Failure proved: a statement that became slower is not shown, or one that did
# not is.
$node->safe_psql('postgres', q{
TRUNCATE glperf.history_statement;
INSERT INTO glperf.history_statement
SELECT now() - d * interval '1 day' - h * interval '1 hour', 3600, 'postgres', 'postgres', q, true, 100, 0,
	100 * CASE WHEN q = 1 AND d = 0 THEN 30 ELSE 10 END, 1, 2, 3
FROM generate_series(0, 13) d, generate_series(1, 20) h, generate_series(1, 2) q;
});
is( $node->safe_psql('postgres', q{
SELECT queryid, mean_ms, mean_before_ms, mean_ratio, lost_ms > 0 FROM glperf.query_regressions ORDER BY lost_ms DESC}),
	"1|30|10|3|t\n2|10|10|1|f", 'regressions');

# Failure proved: two at once fail or keep a window twice.
my @runs = map {
	my ($in, $out, $err) = ('SELECT glperf.snapshot();' x 5, '', '');
	IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err) } 1 .. 4;
ok(!(grep { !$_->finish } @runs), 'four at once');

# Failure proved: the sampler does not run, stops at a database or extension
# that went away, stands in the way of dropping them, or fills the log.

# Matches of a pattern in the log of a node.
sub in_log
{
	my ($server, $pattern) = @_;
	my $n = () = slurp_file($server->logfile) =~ /$pattern/g;
	return $n;
}

# Wait until there are so many more.
sub wait_for_log
{
	my ($server, $pattern, $more) = @_;
	my $from = in_log($server, $pattern);
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if in_log($server, $pattern) >= $from + $more;
		select(undef, undef, undef, 0.1);
	}
	return 0;
}
my $run = qr/starting background worker process "glperf history"/;
my $missing = qr/database "hist" does not exist/;

$node->append_conf('postgresql.conf', "glperf.history_database = 'hist'\nglperf.history_interval = 1s");
$node->reload;
ok(wait_for_log($node, $missing, 1), 'the database is missing');
$node->safe_psql('postgres', 'CREATE DATABASE hist');
$node->safe_psql('hist', 'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf');
ok($node->poll_query_until('hist', 'SELECT count(*) >= 2 FROM glperf.history_snapshot'),
	'snapshots are taken once it is there');
$node->safe_psql('hist', 'DROP EXTENSION glperf');
ok(wait_for_log($node, $run, 3), 'it goes on when the extension was dropped');
is(in_log($node, qr/ERROR:.*glperf\.snapshot/), 0, 'without an error');
$node->safe_psql('hist', 'CREATE EXTENSION glperf');
ok($node->poll_query_until('hist', 'SELECT count(*) >= 2 FROM glperf.history_snapshot'),
	'and takes snapshots again when it was created');

# An error in it is its own affair.
$node->safe_psql('hist', 'ALTER TABLE glperf.history_snapshot ADD CONSTRAINT no CHECK (false) NOT VALID');
ok(wait_for_log($node, qr/violates check constraint "no"/, 2), 'it goes on after errors');
$node->safe_psql('hist', 'ALTER TABLE glperf.history_snapshot DROP CONSTRAINT no; TRUNCATE glperf.history_snapshot');
ok($node->poll_query_until('hist', 'SELECT count(*) >= 2 FROM glperf.history_snapshot'),
	'and works again when the cause is gone');
my $dropped = 0;
for (1 .. 60)
{
	my ($r) = $node->psql('postgres', 'DROP DATABASE hist');
	last if $dropped = $r == 0;
}
ok($dropped, 'the database can be dropped');

# Waits of 1, 2, 4 and 8 s follow the first four failures.
ok(wait_for_log($node, $missing, 1), 'it is missed');
my $since = time;
ok(wait_for_log($node, $missing, 4), 'and missed again');
cmp_ok(time - $since, '>=', 10, 'ever more rarely');

# Failure proved: a standby, which cannot write, tries to take snapshots; or one
# that was promoted does not.
$node->safe_psql('postgres', 'CREATE DATABASE hist');
$node->safe_psql('hist', 'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf');
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
ok( $standby->poll_query_until('hist', q{SELECT worker_pid IS NOT NULL AND clock_timestamp() - pg_postmaster_start_time() > interval '5 s'
	FROM glperf.collector_status()}), 'the collector runs on a standby');
is(in_log($standby, $run), 0, 'but no snapshots are tried');
$node->stop;
$standby->promote;
ok(wait_for_log($standby, $run, 1), 'once promoted they are');
ok( $standby->poll_query_until('hist', q{SELECT count(*) >= 2 FROM glperf.history_snapshot
	WHERE taken_at > pg_postmaster_start_time()}), 'taken');
$standby->stop;
$node->start;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal 11/, 'nothing crashed');

# Failure proved: without the collector there is no history, or an obscure error.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements'");
$node->restart;
$node->safe_psql('postgres', 'TRUNCATE glperf.history_statement, glperf.history_snapshot, glperf.history_last');
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
$node->safe_psql('postgres', 'SELECT count(*) AS early FROM t;' x 3);
$node->safe_psql('postgres', 'SELECT glperf.snapshot()');
is(history('%AS early%', 'calls, errors IS NULL, p95_ms IS NULL'), '3|t|t', 'from pg_stat_statements');
is($node->safe_psql('postgres', 'SELECT DISTINCT source FROM glperf.history_snapshot'),
	'pg_stat_statements', 'it says so');

$node->stop;
done_testing();

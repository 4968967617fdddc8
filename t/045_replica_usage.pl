# An index that nothing scans on the primary may be what a standby lives on.
# With real standbys, one behind the other: no verdict while one of them has
# not told, the right one once all have.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', 'autovacuum = off');
$primary->start;
$primary->safe_psql('postgres', q{
CREATE EXTENSION glperf;
UPDATE glperf.threshold SET warning = 0.0001 / 86400 WHERE id = 'index_evidence';
CREATE TABLE t (a int, b int);
INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX t_there ON t (a);
CREATE INDEX t_nowhere ON t (b);
SELECT pg_create_physical_replication_slot('near', true);});
$primary->backup('base');

# one named by its slot, and one behind it named by its application_name
my $near = PostgreSQL::Test::Cluster->new('near_node');
$near->init_from_backup($primary, 'base', has_streaming => 1);
$near->append_conf('postgresql.conf', q{primary_slot_name = 'near'});
$near->start;
my $far = PostgreSQL::Test::Cluster->new('far');
$far->init_from_backup($primary, 'base', has_streaming => 1);
my $upstream = $near->connstr;
$far->append_conf('postgresql.conf',
	qq{primary_conninfo = '$upstream application_name=far'});
$far->start;

sub verdicts
{
	return $primary->safe_psql('postgres', q{
SELECT string_agg(index_name || ' ' || verdict || coalesce(
	' ' || replicas_missing, ''), ', ' ORDER BY index_name)
FROM glperf.index_usage WHERE table_name = 't'});
}

# What glperf-advisor does: read there, tell here.  The time of the last scan is
# left out unless asked for, as it is before PostgreSQL 16: moments ago is long
# ago to this test.
sub report
{
	my ($node, $last_scan) = @_;
	$last_scan //= 'NULL';
	my $calls = $node->safe_psql('postgres', qq{
SELECT format('SELECT glperf.report_replica_usage(%L, %L, %L, %L, %L, %L, %L);',
	glperf.node_name(), schema_name, index_name, scans, $last_scan,
	evidence_since_at, ARRAY(SELECT * FROM glperf.standby_names()))
FROM glperf.index_usage});
	return $primary->safe_psql('postgres', $calls);
}

$near->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'})
  or die 'no cascade';
$primary->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'})
  or die 'no standby';
is($near->safe_psql('postgres', 'SELECT glperf.node_name()'), 'near',
	'a standby knows its name');
is($primary->safe_psql('postgres', 'SELECT * FROM glperf.standby_names()'),
	'near', 'which is what the primary calls it');
is($far->safe_psql('postgres', 'SELECT glperf.node_name()'), 'far',
	'also without a slot');
is($near->safe_psql('postgres', 'SELECT * FROM glperf.standby_names()'),
	'far', 'and behind another standby');

is($far->safe_psql('postgres', q{
SELECT verdict, drop_ddl IS NULL, undo_ddl IS NULL, reason ~ 'on this standby; indexes are dropped on the primary'
FROM glperf.index_usage WHERE index_name = 't_nowhere'}), 'unused|t|t|t',
	'nothing is offered for dropping where nothing can be dropped');

is(verdicts(), 't_nowhere unknown "near", t_there unknown "near"',
	'nothing is known while the standby has not told');
is($primary->safe_psql('postgres', q{
SELECT status, message ~ 'standby "near", which has not told'
FROM glperf.health WHERE check_id = 'index_evidence'}),
	'unknown|t', 'the health page names it');
$far->safe_psql('postgres', q{
SET enable_seqscan = off; SELECT b FROM t WHERE a BETWEEN 7 AND 9;});
$far->poll_query_until('postgres', q{
SELECT scans > 0 FROM glperf.index_usage WHERE index_name = 't_there'})
  or die 'no scan';

report($near);
is(verdicts(), 't_nowhere unknown "far", t_there unknown "far"',
	'its own standby counts, too');
report($far);
is(verdicts(), 't_nowhere unused, t_there used',
	'with all reports the verdict is known');
is($primary->safe_psql('postgres', q{
SELECT reason, drop_ddl IS NULL FROM glperf.index_usage
WHERE index_name = 't_there'}),
	'not scanned here, but once on standby "far" and others|t',
	'the reason says where');
like($primary->safe_psql('postgres', q{
SELECT reason || ' ' || drop_ddl FROM glperf.index_usage
WHERE index_name = 't_nowhere'}),
	qr/^not scanned for \d+ \w+, neither here nor on a standby DROP INDEX/,
	'and where the other one is idle');
is($primary->safe_psql('postgres', q{
SELECT count(*) FROM glperf.health WHERE check_id = 'index_evidence'}),
	'0', 'nothing is left unknown');

# From PostgreSQL 16 on a node also tells when it last scanned an index.  A limit
# between the time without a scan of the one and of the other tells them apart,
# whatever the pace of this machine: what is reported of a node no longer moves.
sub verdicts_within
{
	my ($share) = @_;
	return $primary->safe_psql('postgres', qq{
WITH idle AS (
	SELECT index_name, min(CASE WHEN scans > 0 AND last_used_at IS NULL THEN 0
		ELSE extract(epoch FROM reported_at - greatest(since_at, last_used_at)) END) AS s
	FROM glperf.replica_usage WHERE index_name ~ '^t_' GROUP BY index_name
), edge AS (
	SELECT min(s) FILTER (WHERE index_name = 't_there') AS there,
		min(s) FILTER (WHERE index_name = 't_nowhere') AS nowhere FROM idle
)
SELECT string_agg(r.index_name || ' ' || r.verdict, ', ' ORDER BY r.index_name)
FROM edge e, glperf.index_report(glperf.counters_since(),
	(e.there + $share * (e.nowhere - e.there))::float8, 5,
	ARRAY(SELECT glperf.standby_names()), 86400, true, NULL, NULL) r
WHERE r.table_name = 't'});
}
my $tells_when = $primary->safe_psql('postgres',
	q{SELECT current_setting('server_version_num')::int >= 160000}) eq 't';

report($far, 'last_scan_at');
report($near, 'last_scan_at');
is($primary->safe_psql('postgres', q{
SELECT index_name, last_scan_at IS NOT NULL FROM glperf.index_usage
WHERE table_name = 't' ORDER BY 1}),
	't_nowhere|f' . "\nt_there|" . ($tells_when ? 't' : 'f'),
	'the last scan there is known here, if the server tells it');
is(verdicts_within(0.5), 't_nowhere unused, t_there used',
	'what a standby has scanned within the time asked for is used');
is(verdicts_within(-0.5),
	't_nowhere unused, t_there ' . ($tells_when ? 'unused' : 'used'),
	'what it last scanned before that is not, if the server tells when');
is(verdicts_within(1e6), 't_nowhere unknown, t_there used',
	'nothing is unused before the counters reach back that far');
report($_) foreach $far, $near;

# a report is no longer true for an index that was made after it
$primary->safe_psql('postgres',
	'DROP INDEX t_nowhere; CREATE INDEX t_nowhere ON t (b)');
is(verdicts(), 't_nowhere unknown "near", "far", t_there used',
	'an index of the same name is another index');
$far->stop;
$near->stop;
is(verdicts(), 't_nowhere unknown "near", "far", t_there used',
	'standbys that are away have not told either');

$primary->stop;
done_testing();

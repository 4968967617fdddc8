# Copyright (c) 2026, the glperf authors

# glperf.report_metric() never makes an application wait for another one, says
# on a standby where to go, and what it wrote is seen there; a dump leaves
# reports out, and keeps attestations and the record of growth.

use strict;
use warnings;

use IPC::Run qw(start pump finish timer);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA glperf TO app;
GRANT EXECUTE ON FUNCTION glperf.report_metric TO app;
CREATE ROLE watch LOGIN;
GRANT pg_monitor TO watch});

#-------------------------------------------------------------------------
# Transactions in the way
#-------------------------------------------------------------------------

sub report
{
	my ($metric, $value, $instance) = @_;
	local $ENV{PGOPTIONS} = '-c statement_timeout=20s -c lock_timeout=10ms';
	my ($rc, $out, $err) = $node->psql('postgres',
		"SELECT glperf.report_metric('$metric', $value, '$instance')",
		extra_params => [ '-U', 'app' ]);
	return "$out$err";
}

my ($in, $out, $err) = (
	"BEGIN; SELECT glperf.report_metric('redis_hit', 10, 'new'),"
	  . " glperf.report_metric('redis_hit', 10, 'known');\n"
	  . "SELECT 'rea' || 'dy';\n", '', '');
is(report('redis_hit', 88, 'known'), 't', 'a first report');
my $timer = timer(180);
my $open = start [ 'psql', '-XAtq', '-U', 'app', '-d', $node->connstr('postgres') ],
  '<', \$in, '>', \$out, '2>', \$err, $timer;
pump $open until $out =~ /ready/ || $timer->is_expired;
is(report('redis_hit', 20, 'new'), 'f',
	'a new instance that another transaction is reporting is left to it');
is(report('redis_hit', 20, 'known'), 'f', 'a known one, too');
is(report('redis_hit', 20, 'other'), 't', 'others are not in the way');
is(report('config_hit', 20, 'known'), 't', 'nor are other metrics');
# the row of an instance that is gone is not waited for either
$node->safe_psql('postgres', q{
UPDATE glperf.metric_report SET reported_at = now() - interval '3 days'
WHERE instance = 'other'});
my ($in2, $out2, $err2) = (
	"BEGIN; SELECT FROM glperf.metric_report WHERE instance = 'other' FOR UPDATE;\n"
	  . "SELECT 'rea' || 'dy';\n", '', '');
my $holder = start [ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
  '<', \$in2, '>', \$out2, '2>', \$err2, $timer;
pump $holder until $out2 =~ /ready/ || $timer->is_expired;
is(report('redis_hit', 77, 'third'), 't',
	'a stale row that somebody holds is left alone');
$in2 .= "COMMIT;\n\\q\n";
finish $holder;
$in .= "COMMIT;\n\\q\n";
finish $open;
is($node->safe_psql('postgres', q{
SELECT string_agg(instance || ' ' || value, ', ' ORDER BY instance COLLATE "C")
FROM glperf.metric_report WHERE metric = 'redis_hit'}),
	'known 10, new 10, other 20, third 77', 'what was kept is what true said');
is(report('redis_hit', 78, 'third'), 't', 'and again');
is($node->safe_psql('postgres',
		q{SELECT count(*) FROM glperf.metric_report WHERE instance = 'other'}),
	'0', 'the stale row has gone');

# a report inside a subtransaction that fails leaves its user behind nowhere
is($node->safe_psql('postgres', q{
SET ROLE app;
BEGIN;
SAVEPOINT s;
\set ON_ERROR_STOP off
SELECT glperf.report_metric('redis_hit', 1000);
\set ON_ERROR_STOP on
ROLLBACK TO s;
SELECT current_user;
COMMIT;
SELECT current_user}), "app\napp", 'an error gives the role back');

#-------------------------------------------------------------------------
# Standby
#-------------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
report('agent_pack_hit', 60, 'known');
$node->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', q{SET ROLE watch;
SELECT value, status FROM glperf.health_external
WHERE check_id = 'agent_pack_hit'}), '60|warning',
	'a standby shows what was reported on the primary');
my ($rc, $sout, $serr) = $standby->psql('postgres',
	"SELECT glperf.report_metric('redis_hit', 1)",
	extra_params => [ '-U', 'app' ]);
like($serr, qr/cannot execute report_metric\(\) on a standby server.*Connect to the primary/s,
	'and refuses reports, and says where they belong');
$standby->stop;

#-------------------------------------------------------------------------
# Dump
#-------------------------------------------------------------------------

my $dir = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', q{
SELECT glperf.attest('load_test', 'Ann', E'it''s\\ngood');
SELECT glperf.capacity_snapshot();
CREATE DATABASE restored});
$node->command_ok([ 'pg_dump', '-f', "$dir/dump.sql", $node->connstr('postgres') ],
	'pg_dump');
$node->command_ok(
	[ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql",
		$node->connstr('restored') ], 'restore');
is($node->safe_psql('restored', 'SELECT count(*) FROM glperf.metric_report'),
	'0', 'reports are not dumped');
foreach my $kept (
	q{SELECT item, attested_at, attested_by, role, note FROM glperf.attestation},
	q{SELECT * FROM glperf.history_capacity ORDER BY resource, object})
{
	is($node->safe_psql('restored', $kept), $node->safe_psql('postgres', $kept),
		'but these are: ' . ($kept =~ s/.* FROM //r));
}
is($node->safe_psql('restored', 'SELECT count(*) FROM glperf.attestation'),
	'1', 'the attestation once');
$node->stop;

done_testing();

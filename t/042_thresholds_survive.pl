# What people have told glperf survives pg_dump and restore: edited limits, into
# a database where CREATE EXTENSION has seeded the same rows already, silences,
# declared pools and attestations.  What nobody edited is not dumped, nor what
# ages within days.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
UPDATE glperf.threshold SET warning = 50 WHERE id = 'slow_query_mean';
UPDATE glperf.threshold SET warning = NULL, critical = NULL WHERE id = 'cpu';
INSERT INTO glperf.threshold (id, description, warning, direction, unit)
VALUES (E'que"ue\n''x', 'jobs waiting', 10, 'above', 'jobs');
CREATE TABLE quiet (a int);
CREATE INDEX quiet_a ON quiet (a);
CREATE INDEX quiet_dup ON quiet (a);
INSERT INTO glperf.silence (check_id, object, reason, until_at) VALUES
	('index_redundant', 'public.quiet_dup', E'Bob''s "audit"\\n\\\\ in March', 'infinity'),
	('index\\_%', E'it''s %', 'gone', now() - interval '1 day');
INSERT INTO glperf.pool (application_name, instances, pool_size) VALUES (E'api \\\\ ''1''', 3, 7);
SELECT glperf.report_replica_usage('s1', 'public', 'quiet_a', 5, NULL, now());
CREATE DATABASE plain;
CREATE DATABASE custom;
CREATE DATABASE twice;
});

my $wanted = q{SELECT id, warning, critical, unit, builtin, edited
FROM glperf.threshold WHERE edited ORDER BY id};
my $before = $node->safe_psql('postgres', $wanted);

# Every table that is dumped, whichever there are, as one text
my @tables = split /\n/, $node->safe_psql('postgres', q{
SELECT t.oid::regclass FROM pg_extension e, unnest(e.extconfig, e.extcondition) t (oid, condition)
WHERE e.extname = 'glperf' AND t.condition = '' ORDER BY 1});
my $others = join ' UNION ALL ', map { "SELECT '$_', to_jsonb(t)::text FROM $_ t" } @tables;
my $told = $node->safe_psql('postgres', "$others ORDER BY 1, 2");
like($told, qr/^glperf\.$_\|/m, "there are rows of $_") foreach qw(silence pool);
my $silenced = q{SELECT status, message ~ 'silenced until further notice .*audit.*\(warning: redundant index', remedy
FROM glperf.health WHERE object = 'public.quiet_dup'};
is($node->safe_psql('postgres', $silenced),
	q{ok|t|DELETE FROM glperf.silence WHERE check_id = 'index_redundant' AND object = 'public.quiet_dup';},
	'a finding is silenced');
my $count = $node->safe_psql('postgres',
	'SELECT count(*) FROM glperf.threshold');
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->command_ok(
	[ 'pg_dump', '-f', "$dir/plain.sql", $node->connstr('postgres') ],
	'pg_dump');
my $dump = slurp_file("$dir/plain.sql");
unlike($dump, qr/latency_p95/, 'limits that nobody edited are not dumped');
$node->command_ok(
	[
		'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql",
		$node->connstr('plain') ],
	'restore with psql');
is($node->safe_psql('plain', $wanted), $before, 'edits are back');
is($node->safe_psql('plain', 'SELECT count(*) FROM glperf.threshold'),
	$count, 'and nothing is there twice');
is($node->safe_psql('plain', "$others ORDER BY 1, 2"), $told,
	'all that people have told is back');
is($node->safe_psql('plain', $silenced), $node->safe_psql('postgres', $silenced),
	'the finding is silenced there, too');
is($node->safe_psql('plain', 'SELECT count(*) FROM glperf.replica_usage'), '0',
	'what ages within days stays behind');

$node->command_ok(
	[ 'pg_dump', '-Fc', '-f', "$dir/custom", $node->connstr('postgres') ],
	'pg_dump -Fc');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', '-d', $node->connstr('custom'),
		"$dir/custom" ],
	'pg_restore');
is($node->safe_psql('custom', $wanted), $before, 'edits are back');

# a dump of a dump, and the limits are obeyed
$node->command_ok(
	[ 'pg_dump', '-f', "$dir/again.sql", $node->connstr('custom') ],
	'pg_dump of what was restored');
$node->command_ok(
	[
		'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/again.sql",
		$node->connstr('twice') ],
	'restore of it');
is($node->safe_psql('twice', $wanted), $before, 'edits are still there');
is($node->safe_psql('twice', "$others ORDER BY 1, 2"), $told,
	'and all that people have told');
is($node->safe_psql('twice', q{
DELETE FROM glperf.silence;
SELECT status FROM glperf.health WHERE object = 'public.quiet_dup'}), 'warning',
	'a silence that was restored ends like any other');
is( $node->safe_psql('twice', q{
SELECT glperf.verdict('slow_query_mean', 60), glperf.verdict('cpu', 99)}),
	'warning|ok', 'and are obeyed');
$node->stop;

done_testing();

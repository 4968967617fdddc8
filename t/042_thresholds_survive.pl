# Edited limits survive pg_dump and restore, into a database where CREATE
# EXTENSION has seeded the same rows already; what nobody edited is not dumped.

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
CREATE DATABASE plain;
CREATE DATABASE custom;
CREATE DATABASE twice;
});

my $wanted = q{SELECT id, warning, critical, unit, builtin, edited
FROM glperf.threshold WHERE edited ORDER BY id};
my $before = $node->safe_psql('postgres', $wanted);
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
is( $node->safe_psql('twice', q{
SELECT glperf.verdict('slow_query_mean', 60), glperf.verdict('cpu', 99)}),
	'warning|ok', 'and are obeyed');
$node->stop;

done_testing();

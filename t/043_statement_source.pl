# pg_stat_statements installed but not preloaded: an error that says what to
# do for those who ask for statements, a row that says it for those who ask for
# everything, and glperf as a whole at work.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;

# a setting of the library does not mean that it is loaded
$node->append_conf('postgresql.conf', 'pg_stat_statements.max = 1000');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION glperf');

is($node->safe_psql('postgres', q{SELECT state, remedy
	FROM glperf.statement_source()}),
	'not installed|Add pg_stat_statements to shared_preload_libraries, restart the server, then run CREATE EXTENSION pg_stat_statements;',
	'neither preloaded nor installed: both steps are named, in order');

$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');
foreach my $what ('slow_queries', 'statements', 'statement_stats()')
{
	my ($rc, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT * FROM glperf.$what");
	isnt($rc, 0, "$what fails");
	like($err,
		qr/ERROR:  55000: pg_stat_statements is installed but its library is not preloaded\nHINT:  Add pg_stat_statements to shared_preload_libraries and restart the server\./,
		"$what says what to do");
}
is($node->safe_psql('postgres', q{
SELECT object, status, remedy FROM glperf.health WHERE area = 'statements'}),
	'pg_stat_statements|unknown|Add pg_stat_statements to shared_preload_libraries and restart the server.',
	'the health page has a row for it');
cmp_ok($node->safe_psql('postgres',
		q{SELECT count(DISTINCT area) FROM glperf.health}),
	'>=', 4, 'and all the other areas');
is($node->safe_psql('postgres', q{
SELECT status FROM glperf.settings WHERE name = 'shared_preload_libraries'}),
	'warning', 'the setting is pointed out');

$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'pg_stat_statements'");
$node->restart;
is($node->safe_psql('postgres', 'SELECT state FROM glperf.statement_source()'),
	'ok', 'the remedy works');
is($node->safe_psql('postgres', q{
SELECT status FROM glperf.settings WHERE name = 'shared_preload_libraries'}),
	'ok', 'and the setting is as it should be');

# Failure proved: an error while the statements are read leaves the session in
# an aborted transaction that nobody began, so that a pool hands on what is
# good for nothing but ROLLBACK.
$node->safe_psql('postgres', q{
CREATE ROLE watcher IN ROLE pg_monitor;
REVOKE EXECUTE ON FUNCTION pg_stat_statements(boolean) FROM PUBLIC});
my ($rc, $out, $err) = $node->psql('postgres', q{
SET ROLE watcher;
SELECT count(*) FROM glperf.statement_stats();
SELECT 'alive'}, on_error_stop => 0);
like($err, qr/permission denied for function pg_stat_statements/,
	'an error while the statements are read is shown');
is($out, 'alive', 'and is over when it is shown');
$node->stop;

done_testing();

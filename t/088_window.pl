# How far back the server's counters go, and what they have not seen since.
# The days before are made by libfaketime, under which the server runs at first.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';
plan(skip_all => 'libfaketime is not installed') unless $library;

my $node = PostgreSQL::Test::Cluster->new('window');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\n");
{
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{FAKETIME} = '-8d';
	local $ENV{FAKETIME_DONT_FAKE_MONOTONIC} = 1;
	$node->start;
}
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
CREATE TABLE rest AS SELECT (i * 7919::int8 % 1000003)::int AS k FROM generate_series(1, 1000000) i;
CREATE TABLE written AS TABLE rest;
VACUUM (FREEZE, ANALYZE);
});
is($node->safe_psql('postgres', q{SELECT now() < clock.at FROM (SELECT '} . localtime(time - 7 * 86400) . q{'::timestamptz AS at) clock}),
	't', 'the clock of the server is a week behind');

# Forget the load, as a crash does; the stamp of that is the database's.
sub forget
{
	my ($table) = @_;
	$node->safe_psql('postgres', "SELECT pg_stat_reset_single_table_counters('$table'::regclass)");
	$node->poll_query_until('postgres', "SELECT n_tup_ins = 0 FROM pg_stat_user_tables WHERE relname = '$table'")
	  or die 'the counters were never reset';
}

# The index for look-ups by k.
sub advised
{
	my ($table) = @_;
	return $node->safe_psql('postgres', qq{
SELECT regexp_replace(ddl, '.* ON ', '') FROM glperf.advise_indexes(workload =>
	'[{"query": "SELECT * FROM $table WHERE k = 7", "calls": 1000, "time_ms": 60000}]')});
}

forget($_) for qw(rest written);
$node->stop;
$node->start;
is($node->safe_psql('postgres', 'SELECT now() - stats_reset > interval \'7 days\' FROM pg_stat_database WHERE datname = current_database()'),
	't', 'now the counters are a week old');

# Failure proved: a table whose load was before a crash is taken for one that is
# written for ever.
is(advised('rest'), 'public.rest (k) WITH (fillfactor = 100)', 'not written for a week: a table at rest');
$node->safe_psql('postgres', 'UPDATE written SET k = k + 1 WHERE k < 30000; VACUUM (FREEZE, ANALYZE) written');
$node->poll_query_until('postgres', "SELECT n_tup_upd > 20000 FROM pg_stat_user_tables WHERE relname = 'written'") or die;
is(advised('written'), 'public.written (k)', 'one that was written in that time is none');
# Failure proved: minutes without a write pass for a table that is not written.
forget('rest');
is(advised('rest'), 'public.rest (k)', 'nor is one that was not for minutes');

done_testing();

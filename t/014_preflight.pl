# Before --apply builds an index it looks for what would make the build fail,
# wait or do harm: each such thing skips that index with a clear message, and
# status 3; once it is gone, the next run builds it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('preflight', init => { allows_streaming => 1 },
	conf => "max_prepared_transactions = 5\nwal_receiver_status_interval = 1s\n");
run_workload($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# --apply must leave every index alone, for this reason
sub refused
{
	my ($why, $name, @args) = @_;
	my $run = advisor($node, '--apply', @args);
	is($run->{status}, 3, "$name: status 3");
	like(flat($run->{out}), qr/skipped after 0 of 1 steps: not begun: $why/, '... says why');
	is(valid_indexes($node) . invalid_indexes($node), '0', '... and built nothing');
	return $run;
}

sub session
{
	my ($sql) = @_;
	my $session = $node->background_psql('postgres');
	$session->query_safe($sql);
	return $session;
}

# --- a transaction that the build would have to wait for

my $reader = session('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
refused(qr/it has to wait for a transaction that is open for \d+ s \(pid \d+, role \w+, [^)]*idle in transaction\)/,
	'an old snapshot', '--max-wait=0');
sub verdicts
{
	my ($step, $max_wait, $like) = @_;
	return sql("SELECT coalesce(string_agg(check_id || ' ' || status, ','), '') FROM glperf.apply_preflight('$step', 1000, $max_wait) WHERE check_id LIKE '$like'");
}
my $create = 'CREATE INDEX CONCURRENTLY x ON public.orders (note)';
sql("UPDATE glperf.threshold SET warning = 0 WHERE id = 'build_wait'");
is(verdicts($create, 600, 'old%'), 'old_transaction warning', 'one that is not too old yet: a warning');
sql("UPDATE glperf.threshold SET warning = 0, critical = 0 WHERE id = 'build_wait'");
refused(qr/it has to wait for a transaction/, 'the threshold says the same');
sql("UPDATE glperf.threshold SET warning = 60, critical = 600 WHERE id = 'build_wait'");
$reader->quit;

my $writer = session('BEGIN; UPDATE orders SET note = note WHERE id = 1');
refused(qr/it has to wait for a transaction/, 'a writer of the table', '--max-wait=0');
$writer->quit;

# neither touches the table nor keeps a snapshot: nothing waits for it
my $idle = session('BEGIN; SELECT 1');
is(sql(q{SELECT count(*) FROM glperf.apply_preflight('CREATE INDEX CONCURRENTLY x ON public.orders (note)', 1000, 0)
	WHERE status = 'refuse'}), 0, 'an idle transaction without a snapshot is none of our business');
$idle->quit;
$idle = session('BEGIN; SELECT count(*) FROM orders');
is(verdicts($create, 0, 'old%'), '', 'nor is one that has only read the table');
is(verdicts('DROP INDEX CONCURRENTLY public.orders_pkey', 0, 'old%'), 'old_transaction refuse', '... but dropping an index waits for it');
$idle->quit;

sql(q{BEGIN; UPDATE orders SET note = note WHERE id = 2; PREPARE TRANSACTION 'it''s prepared'});
refused(qr/it has to wait for the prepared transaction 'it''s prepared', which is \d+ s old/,
	'a prepared transaction', '--max-wait=0');
sql(q{ROLLBACK PREPARED 'it''s prepared'});

# --- somebody is at work on the table

my $busy = session('BEGIN; LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE');
refused(qr/a session holds a lock that excludes it \(pid \d+/, 'a lock');
$busy->quit;

# a vacuum that takes its time
$node->append_conf('postgresql.conf', 'vacuum_cost_delay = 100ms');
$node->append_conf('postgresql.conf', 'vacuum_cost_limit = 1');
$node->reload;
my $vacuum = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) orders' ],
	'<', \undef, '>', \my $out, '2>', \my $err);
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_progress_vacuum') or die;
refused(qr/VACUUM is running on the table \(pid \d+\)/, 'a vacuum');
sql('CREATE TABLE elsewhere (a int)');
is(verdicts('CREATE INDEX CONCURRENTLY x ON public.elsewhere (a)', 0, 'old%'), '', '... which a build on another table does not wait for');
sql('SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum');
$vacuum->finish;

# another build, which waits for a transaction
$reader = session('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
my $build = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CREATE INDEX CONCURRENTLY mine ON orders (note)' ],
	'<', \undef, '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'}) or die;
is(sql(q{SELECT string_agg(check_id || ' ' || message, ',') FROM glperf.apply_preflight('CREATE INDEX CONCURRENTLY x ON public.orders (note)', 1000, 600)
	WHERE status = 'refuse'}) =~ /^table_busy another index of the table is being built \(pid \d+\)$/, 1, 'another build: refused');
$reader->quit;
$build->finish;
sql('DROP INDEX mine');

# --- space

sql("UPDATE glperf.threshold SET warning = 1e12 WHERE id = 'build_space'");
refused(qr/building it needs [\d.]+ \wB in tablespace pg_default, which has [\d.]+ \wB left/, 'a full tablespace');
sql("UPDATE glperf.threshold SET warning = 2 WHERE id = 'build_space'");

SKIP:
{
	# a real one: root may mount, and an ordinary user in a namespace of its own
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	skip 'no right to mount a small file system', 3
	  if $> != 0 || system("mount -t tmpfs -o size=2m none '$dir' 2>/dev/null") != 0;
	sql("CREATE TABLESPACE small LOCATION '$dir'");
	$node->append_conf('postgresql.conf', 'default_tablespace = small');
	$node->reload;
	sql(q{CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)});
	refused(qr/building it needs .* in tablespace small/, 'a small tablespace');
	sql('DROP TABLE filler');
	$node->append_conf('postgresql.conf', 'default_tablespace = \'\'');
	$node->reload;
	sql('DROP TABLESPACE small');
	system("umount '$dir'");
}

# --- a standby that is behind

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "primary_slot_name = 'keeper'\nvacuum_cost_delay = 0\n");
sql(q{SELECT pg_create_physical_replication_slot('keeper', true)});
$standby->start;
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
sql("UPDATE glperf.threshold SET warning = 1 WHERE id = 'replication_lag'");
sql('UPDATE orders SET note = note WHERE id < 10');
$node->poll_query_until('postgres',
	q{SELECT replay_lag_s > 1 FROM glperf.replication WHERE kind = 'standby'}) or die;
refused(qr/standby standby is [\d.]+ s behind, 1 s are allowed: building would add to it/, 'a standby that lags');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$node->wait_for_catchup($standby);
sql("UPDATE glperf.threshold SET warning = 10 WHERE id = 'replication_lag'");

$standby->stop;
$node->append_conf('postgresql.conf', 'max_slot_wal_keep_size = 1MB');
$node->reload;
like(sql(q{SELECT string_agg(check_id || ' ' || message, ',') FROM glperf.apply_preflight('CREATE INDEX CONCURRENTLY x ON public.orders (note)', 1000000000, 600)
	WHERE status = 'refuse' AND check_id LIKE 'replica%'}),
	qr/^replica_slot slot keeper would be lost after another .* of WAL, and building writes about 954 MB/,
	'a slot that the build would kill');
$node->append_conf('postgresql.conf', 'max_slot_wal_keep_size = 1GB');
$node->reload;
$node->poll_query_until('postgres', q{SELECT safe_wal_size > 500e6 FROM pg_replication_slots}) or die;
# half of what is left is the limit, and what is left shrinks meanwhile
is(sql(q{SELECT string_agg(p.check_id || ' ' || s.share, ',') FROM pg_replication_slots k,
	unnest('{0.3,0.7}'::float8[]) s(share), glperf.preflight_replication((k.safe_wal_size * s.share)::int8) p
	WHERE p.check_id = 'replica_slot'}), 'replica_slot 0.7', 'twice the size of the index has to be left');
sql(q{SELECT pg_drop_replication_slot('keeper')});

# --- a role that cannot see is told so; steps that don't build are not held up

sql('CREATE ROLE blind LOGIN; GRANT USAGE ON SCHEMA glperf TO blind; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA glperf TO blind; GRANT SELECT ON ALL TABLES IN SCHEMA glperf TO blind');
is(sql(q{SET ROLE blind; SELECT status FROM glperf.preflight_table('public', 'orders', false, 0) WHERE check_id = 'old_transaction'}),
	'unknown', 'without the right to see transactions: unknown');
is(sql(q{SELECT count(*) FROM glperf.apply_preflight('ANALYZE public.orders', 0, 0)}), 0, 'ANALYZE needs no preflight');

# --- nothing in the way

my $run = advisor($node, '--apply');
is($run->{status}, 0, 'nothing in the way: status 0');
cmp_ok(valid_indexes($node), '>=', 2, '... and all indexes are built');

$node->stop;
done_testing();

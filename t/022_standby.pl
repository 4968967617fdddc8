# On a hot standby the advice works as far as a read-only server allows: it is
# about the standby's own workload, and --apply is refused before anything.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', init => { allows_streaming => 1 });
run_workload($primary);
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

# the standby counts its own statements, so its workload is its own
$standby->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
my $idle = advice($standby);
ok($idle->{server}{in_recovery}, 'the report says that this is a standby');
is_deeply($idle->{recommendations}, [], 'no workload, no advice');

$standby->safe_psql('postgres',
	'SET max_parallel_workers_per_gather = 0;'
	  . join '', map { "SELECT id, note FROM orders WHERE customer_id = $_;" } 1 .. 30);
my $advice = advice($standby);
is($advice->{exit_status}, 2, 'a workload of its own gets advice');
my @recs = @{ $advice->{recommendations} };
is(scalar @recs, 1, 'about the standby\'s statement only');
like($recs[0]{ddl}, qr/customer_id/, '... and the right column');
like(advisor($standby)->{out}, qr/PostgreSQL .*, standby, glperf/, 'text says standby');

my $run = advisor($standby, '--apply');
is($run->{status}, 1, '--apply: status 1');
is($run->{out}, '', '... no report');
like($run->{err}, qr/^glperf-advisor: error: cannot apply recommendations on a standby server$/m,
	'... a clear message');
like($run->{err}, qr/^glperf-advisor: hint: Connect to the primary/m, '... and a hint');
is($primary->safe_psql('postgres', 'SELECT count(*) FROM glperf.apply_log'), 0,
	'nothing was logged');

# the script of the standby is for the primary
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/advice.sql", advisor($standby, '--format=sql')->{out});
$primary->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres', '-f', "$dir/advice.sql" ],
	'the primary runs the script of the standby');
$primary->wait_for_catchup($standby);
is(advisor($standby)->{status}, 0, '... and the standby has nothing left to do');

$standby->stop;
$primary->stop;
done_testing();

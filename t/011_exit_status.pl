# Exit statuses and error messages of glperf-advisor: each failure has one
# status, one clear message on stderr and says what to do next.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;

my $node = new_node('exit_status', bare => 1);

# status, message, hint
sub fails
{
	my ($name, $status, $message, $hint, @args) = @_;
	my $run = advisor($node, @args);
	is($run->{status}, $status, "$name: status $status");
	like($run->{err}, $message, "$name: message");
	like($run->{err}, qr/^glperf-advisor: hint: $hint/m, "$name: hint") if $hint;
	is($run->{out}, '', "$name: nothing on stdout");
	return $run;
}

fails('no such database', 1, qr/database "nowhere" does not exist/, undef,
	'--dbname=nowhere');
fails('no server', 1, qr/glperf-advisor: error: .*No such file or directory/s,
	undef, '--host=/nonexistent');
fails('no extension', 1, qr/could not find the extension glperf/,
	qr/.*CREATE EXTENSION glperf/);

$node->safe_psql('postgres', 'CREATE EXTENSION glperf');
fails('no pg_stat_statements', 1, qr/analysis failed: .*pg_stat_statements/,
	qr/.*pg_stat_statements/);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');

# 0: an idle database
my $run = advisor($node);
is($run->{status}, 0, 'nothing to do: status 0');
like($run->{out}, qr/^Nothing to do/m, '... and says so');

# a role without rights learns which it needs; one with pg_monitor works
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN; CREATE ROLE watcher LOGIN IN ROLE pg_monitor');
fails('no rights', 1, qr/permission denied/, qr/.*pg_monitor/,
	'--username=nobody');
is(advisor($node, '--username=watcher')->{status}, 0,
	'a member of pg_monitor gets advice');

# interface of another major, or older than ours
for my $version ('2.0', '1.0', '0.9', 'rubbish')
{
	$node->safe_psql('postgres', qq{
CREATE OR REPLACE FUNCTION glperf.api_version() RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS 'SELECT ''$version''::text'});
	fails("interface $version", 1,
		qr/needs interface 1\.[1-9]\d*, but the extension in database "postgres" \(glperf [\d.]+\) offers \Q$version\E/,
		qr/.*ALTER EXTENSION glperf UPDATE/);
}
$node->safe_psql('postgres', 'DROP EXTENSION glperf; CREATE EXTENSION glperf');

# 2: recommendations
run_workload($node);
is(advisor($node)->{status}, 2, 'recommendations: status 2');
is(advisor($node, '--username=watcher')->{status}, 2,
	'recommendations for a member of pg_monitor');
$run = advisor($node, '--quiet', '--no-record');
is($run->{status}, 0, 'the same recommendations with --quiet: no news');
$node->safe_psql('postgres', 'TRUNCATE glperf.recommendation');
$run = advisor($node, '--quiet');
is($run->{status}, 2, 'new recommendations with --quiet');
isnt($run->{out}, '', '... which prints the news');

# 1: the analysis takes too long for --statement-timeout
fails('statement timeout', 1, qr/statement timeout/, qr/.*--statement-timeout/,
	'--statement-timeout=1ms');

# 3: --apply without the right to create an index
$run = advisor($node, '--apply', '--username=watcher');
is($run->{status}, 3, 'apply without rights: status 3');
like($run->{out}, qr/applied    failed after 0 of 1 steps: permission denied/,
	'... and the report says why');
is(valid_indexes($node) . invalid_indexes($node), '0', '... and nothing changed');

# 1: a signal between two statements, where there is nothing to cancel
my $fifo = $node->basedir . '/fifo';
POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
my $reading = advisor_start($node, "--workload=$fifo");
open my $pipe, '>', $fifo or die "could not open $fifo: $!";
$reading->{handle}->signal('TERM');
print $pipe "SELECT 1;\n";
close $pipe;
$reading->{handle}->finish;
is($reading->{handle}->result(0), 1, 'a signal while reading a file: status 1');
like(${ $reading->{err} }, qr/error: cancelled/, '... says so');
is(${ $reading->{out} }, '', '... and reports nothing');

# messages that nobody reads do not end up in the connection to the server
system(join(' ', map { "'$_'" } AdvisorTest::command($node)) . ' >/dev/null 2>&-');
is($? >> 8, 2, 'without standard error: as with it');

# 5: somebody else has the lock
my $locker = $node->background_psql('postgres');
$locker->query_safe('SELECT pg_advisory_lock(7452455064404623361)');
$run = advisor($node, '--apply');
is($run->{status}, 5, 'already running: status 5');
is($run->{err},
	"glperf-advisor: error: another glperf-advisor --apply is running in this database\n",
	'... one line on stderr');
is(advisor($node)->{status}, 2, 'a dry run needs no lock');
$locker->quit;

$node->stop;
done_testing();

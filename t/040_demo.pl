# The demo, small: what "make demo" promises is what it prints, it survives a
# second run, a busy port and an interrupt, and "make demo-clean" leaves
# nothing.  Proves that the advice found by analysis on the demo's workload is
# what the guide's "Index Strategy" asks for.
use strict;
use warnings;

use Cwd qw(cwd);
use IO::Socket::INET;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The demo builds from the checkout, and finds everything else itself.
my $top = cwd();
my $tmp = PostgreSQL::Test::Utils::tempdir_short();
$ENV{TMPDIR} = $tmp;
$ENV{GLPERF_DEMO_ROWS} = 200000;
$ENV{GLPERF_DEMO_SECONDS} = 8;
$ENV{GLPERF_DEMO_PORT} = PostgreSQL::Test::Cluster::get_free_port();
delete $ENV{$_} foreach qw(MAKEFLAGS MAKELEVEL MFLAGS);

# Runs after the first need not build again what is installed for this test.
my @installed =
  $ENV{PG_CONFIG} ? ("GLPERF_DEMO_INSTALLED=$ENV{PG_CONFIG}") : ();

# one run of make; returns exit status and everything that it printed
sub run_make
{
	my ($target, @env) = @_;
	my $out = '';
	my $h = IPC::Run::start([ 'env', @env, 'make', '-C', $top, $target ],
		'<', \undef, '>&', \$out);
	$h->finish;
	return ($h->result(0), $out);
}

# directories that a demo has made, and processes that run in them
sub leftovers
{
	my @dirs = glob("$tmp/glperf-demo.*");
	my @procs = grep { (readlink("$_/cwd") // '') =~ m{^\Q$tmp\E/glperf-demo\.} }
	  glob('/proc/[0-9]*');
	return join ' ', @dirs, @procs;
}

# the part of the output that stands under one heading
sub section
{
	my ($out, $n) = @_;
	return $out =~ /^== $n\. .*?\n(.*?)(?=^== |\z)/ms ? $1 : '';
}

# --- first run, from beginning to end
my ($status, $out) = run_make('demo');
is($status, 0, 'make demo succeeds') or diag($out);

like(section($out, 3), qr{\] +8/8 s +[1-9]\d* statements answered},
	'traffic ran, with a progress display');
like(section($out, 4), qr/\b(?:critical|warning)\b.*\bstatus\b.*\bok\b/s,
	'health page: findings first, then the count of every status');
like(section($out, 5), qr/^ *statement +\| calls \| mean_ms/m,
	'slow statements are printed');

my $advice = section($out, 6);
like($advice,
	qr/CREATE INDEX CONCURRENTLY \S+ ON public\.executions \(agent_name, created_at DESC\)/,
	'advice: (agent_name, created_at DESC)');
like($advice,
	qr/CREATE INDEX CONCURRENTLY \S+ ON public\.executions \(created_at DESC\);/,
	'advice: created_at DESC');
like($advice,
	qr/CREATE INDEX CONCURRENTLY \S+ ON public\.executions \([^;]*\) WHERE [^;]*status[^;]*(?:running[^;]*pending|pending[^;]*running)[^;]*;/,
	'advice: partial index on status, for running and pending');
like($advice, qr/separate index on \(agent_name\) would be redundant/,
	'advice: a separate (agent_name) is called redundant');
unlike($advice, qr/ON public\.executions \(agent_name\);/,
	'advice: and is not recommended');

my @advised = $advice =~ /CREATE INDEX CONCURRENTLY (\S+) ON/g;
my @applied = section($out, 7) =~ /^  (\S+) +done in .*verified/mg;
is("@applied", "@advised", 'every recommended index was created and verified');

my @speedups = section($out, 9) =~ /\| ([\d.]+) x +\|$/mg;
cmp_ok(scalar(@speedups), '>=', 5, 'speed-up is printed for the statements');
my ($guide) = section($out, 9) =~
  /WHERE agent_name = \$1 ORDER BY created_at.*\| ([\d.]+) x +\|$/m;
cmp_ok($guide // 0, '>', 3, "the guide's query became faster as measured");

# --- the server is there to be looked at, and did what the guide expects
my $dir = slurp_file("$top/demo/.run/dir");
chomp $dir;
my ($port) = $out =~ /server on port (\d+)/;
my ($psql) = glob("$dir/pg/usr/lib/postgresql/*/bin/psql");
my $plan = '';
IPC::Run::run(
	[
		$psql, '-XAtq', '-h', $dir, '-p', $port, '-U', 'postgres', '-d',
		'platform', '-c', q{EXPLAIN SELECT * FROM executions
			WHERE agent_name = 'calculator' ORDER BY created_at DESC LIMIT 10}
	],
	'>', \$plan);
like($plan, qr/Index Scan using glp_executions_agent_name_created_at_\w+/,
	"the guide's validation query uses the composite index");
unlike($plan, qr/Sort/, '... without sorting');
is( (stat($dir))[2] & 077, 0, "nobody else may enter the server's directory");

# --- again, while somebody else holds the port, and with bad settings
($status, $out) = run_make('demo', 'GLPERF_DEMO_ROWS=many');
isnt($status, 0, 'a number of rows that is none is refused');
like($out, qr/GLPERF_DEMO_ROWS must be a whole number/, '... with the reason');

my $blocker = IO::Socket::INET->new(
	LocalAddr => '127.0.0.1', Proto => 'tcp', Listen => 1, ReuseAddr => 1);
my $busy = $blocker->sockport;
my @small = ('GLPERF_DEMO_ROWS=20000', 'GLPERF_DEMO_SECONDS=3', @installed);
($status, $out) = run_make('demo', @small, "GLPERF_DEMO_PORT=$busy");
is($status, 0, 'a second run succeeds') or diag($out);
like($out, qr/port $busy is taken/, '... on another port when its own is busy');
isnt(slurp_file("$top/demo/.run/dir"), "$dir\n", '... in a new directory');
ok(!-d $dir, "... and the first run's server is gone");
$blocker->close;

# --- two at once, and an interrupt in the middle of the traffic
# A shell that was started in the background ignores SIGINT, and passes that on.
$SIG{INT} = 'DEFAULT';
my $long = '';
my $h = IPC::Run::start(
	[ 'env', @small, 'GLPERF_DEMO_SECONDS=120', 'bash', "$top/demo/demo.sh" ],
	'<', \undef, '>&', \$long, IPC::Run::timeout(180));
$h->pump until $long =~ /statements answered/ || !$h->pumpable;
($status, $out) = run_make('demo');
isnt($status, 0, 'a second demo at the same time is refused');
like($out, qr/another "make demo" of this checkout is running/,
	'... with the reason');
$h->signal('INT');
$h->finish;
is($h->full_result(0) >> 8, 130, 'an interrupted demo says so by its status');
like($long, qr/interrupted, removing the server/, '... and in words');
is(leftovers(), '', '... and leaves no file and no process');

# --- clean
($status, $out) = run_make('demo', @small);
is($status, 0, 'the demo runs after an interrupt') or diag($out);
isnt(leftovers(), '', 'it leaves its server running');
($status, $out) = run_make('demo-clean');
is($status, 0, 'make demo-clean succeeds');
is(leftovers(), '', '... and removes every file and process');
ok(!-e "$top/demo/.run", '... and its notes in the checkout');
($status, $out) = run_make('demo-clean');
is($status, 0, 'make demo-clean with nothing to clean succeeds');

done_testing();

# What the collector does to a prepared SELECT, instruction by instruction: one
# server runs under valgrind's callgrind, which writes down each execution by
# itself.  Most of them must take the hot path, on which the collector takes no
# lock, allocates nothing, makes no system call, reads the clock twice and does
# two atomic operations on shared memory.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'needs valgrind and objdump'
  if grep { system("command -v $_ >/dev/null 2>&1") } qw(valgrind objdump nm);

# Executions that are looked at, and how many of them may be something else:
# the first ones, those that are sampled for the index advisor, and any that
# takes longer than all before it.
my $executions = 200;
my $others = 60;

my $node = PostgreSQL::Test::Cluster->new('hot_path');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'glperf'
autovacuum = off
jit = off
log_statement = none
});
my $dumps = PostgreSQL::Test::Utils::tempdir();
my $server = IPC::Run::start(
	[
		'valgrind', '--quiet', '--tool=callgrind', '--dump-instr=yes',
		'--compress-strings=no', '--compress-pos=no',
		'--dump-before=run_statement', "--callgrind-out-file=$dumps/%p",
		'postgres', '-D', $node->data_dir
	],
	'<', \undef, '>', $node->logfile, '2>&1');

# Stop it, however this ends.
END
{
	if (defined $server)
	{
		my $status = $?;
		system('pg_ctl', '-D', $node->data_dir, '-m', 'immediate', '-w', 'stop');
		$server->kill_kill;
		$? = $status;
	}
}

my $up = 0;
for (1 .. 6000)
{
	last if $up = !system('pg_isready', '-q', '-h', $node->host, '-p', $node->port);
	sleep 0.1;
}
ok($up, 'the server runs under callgrind') or BAIL_OUT('no server');
$node->safe_psql('postgres',
	'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i');

my $script = $node->basedir . '/script.sql';
append_to_file($script, "\\set i random(1, 100)\nSELECT v FROM t WHERE id = :i;\n");
$node->command_ok(
	[ 'pgbench', '-n', '-c', 1, '-t', $executions, '-M', 'prepared', '-f', $script, 'postgres' ],
	'a prepared statement, executed by one session');

# The session's files: the n-th has what ran from its n-th execution, which ends
# the file before, to the next one.
my %files;
push @{ $files{ $_->[0] } }, $_
  for sort { $a->[1] <=> $b->[1] } map { /(\d+)\.(\d+)$/ ? [ $1, $2, $_ ] : () }
  glob "$dumps/*";
my ($session) = grep { @{ $files{$_} } >= $executions } keys %files;
ok(defined $session, 'each execution is written down')
  or BAIL_OUT('no files: ' . join(' ', map { "$_: " . @{ $files{$_} } } keys %files));

# Addresses in the library of instructions that lock the bus, and of a function.
chomp(my $library = `pg_config --pkglibdir`);
$library .= '/glperf.so';
my $x86 = `uname -m` =~ /x86_64/;
my %locking;
if ($x86)
{
	for (split /\n/, `objdump -d --no-show-raw-insn '$library'`)
	{
		# an exchange with memory locks without saying so
		$locking{ hex $1 } = 1 if /^\s*([0-9a-f]+):\s+(?:lock |xchg .*\()/;
	}
	cmp_ok(scalar keys %locking, '>', 10, 'atomic operations are found in the library');
}
my ($entry) = `nm '$library'` =~ /^([0-9a-f]+) t run_statement$/m;
ok(defined $entry, 'so is the hook');

# What the library did in one file: calls of other functions, of its own ones,
# and atomic operations, as one line.
my $entered = 0;

sub summary
{
	my ($file) = @_;
	my (%calls, %own, %cost);
	my ($object, $function, $callee, $callee_object) = ('', '');
	open my $fh, '<', $file or die "$file: $!";
	while (<$fh>)
	{
		if (/^ob=(.*)/)     { $object = $1; }
		elsif (/^fn=(.*)/)  { $function = $1; $callee_object = $object; }
		elsif (/^cob=(.*)/) { $callee_object = $1; }
		elsif (/^cfn=([^@\n]*)/) { $callee = $1; }
		elsif (/^calls=(\d+)/)
		{
			my $n = $1;
			$calls{$callee} += $n
			  if $object =~ /glperf\.so/ && $callee_object !~ /glperf\.so/;
			readline($fh);		# what the call took
			$callee_object = $object;
		}
		elsif ($object =~ /glperf\.so/ && /^0x([0-9a-f]+) \S+ (\d+)/)
		{
			$own{$function} = 1;
			$cost{ hex $1 } += $2;
		}
	}
	close $fh;
	my $atomic = 0;
	$atomic += $cost{$_} for grep { $locking{$_} } keys %cost;
	# were these addresses not those of the library's file, none would be found
	$entered += $cost{ hex $entry } // 0;
	return join(' ',
		(map { "$_()" } sort keys %own), '->',
		(map { "$_=$calls{$_}" } sort keys %calls),
		"atomic=" . ($x86 ? $atomic : '?'));
}

my %seen;
$seen{ summary($_->[2]) }++ for @{ $files{$session} };
my ($usual) = sort { $seen{$b} <=> $seen{$a} } keys %seen;
note "$seen{$_} times $_" for sort { $seen{$b} <=> $seen{$a} } keys %seen;
is($entered, @{ $files{$session} } - 1, 'the hook is entered once each time');
cmp_ok($seen{$usual}, '>=', $executions - $others,
	"$seen{$usual} of $executions executions are alike");

# Failure proved: the hot path locks, allocates, asks the system, reads the
# clock more often, or shares more than two counters.
is( $usual,
	'end_transaction() finish_statement() run_statement() -> GetUserId=1 __sigsetjmp=1 '
	  . 'clock_gettime=2 standard_ExecutorFinish=1 standard_ExecutorRun=1 atomic='
	  . ($x86 ? 2 : '?'),
	'the hot path: two clock reads, two atomic operations, and nothing else');

is(system('pg_ctl', '-s', '-D', $node->data_dir, '-m', 'fast', '-w', '-t', 600, 'stop'), 0,
	'the server stops');
$server->finish;
undef $server;
done_testing();

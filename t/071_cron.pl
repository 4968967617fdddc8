# Copyright (c) 2026, the glperf authors

# The crontab line of README.md, run as cron runs it: a bare environment, the
# home directory, /bin/sh, no terminal, the C locale.  Proves that the line
# works there as printed, that it prints when there is news and only then,
# that a run that fails says so, and that every run ends with the documented
# exit status.  With GLPERF_TEST_CRON=1 and a running cron daemon the line is
# also installed as the user's crontab for a minute.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $top = "$FindBin::RealBin/..";

#-------------------------------------------------------------------------
# The lines of the README
#-------------------------------------------------------------------------

my $readme = slurp_file("$top/README.md");
my ($block) = $readme =~ /^```crontab\n(.*?)^```$/ms;
ok($block, 'README.md has a block marked crontab');

my (@jobs, %setting);
foreach my $line (split /\n/, $block // '')
{
	next if $line =~ /^\s*(#|$)/;
	if ($line =~ /^(\w+)\s*=\s*(.*)$/) { $setting{$1} = $2; next; }
	push @jobs, $line;
}
cmp_ok(scalar @jobs, '>=', 1, 'with at least one job');
my ($schedule, $command) = ($jobs[0] // '') =~ /^((?:\S+\s+){4}\S+)\s+(.*)$/;
like($schedule, qr/^[\d*\/,\- \t]+$/, 'five fields of time');
unlike($command, qr/(?<!\\)%/, 'no percent sign, which cron reads as a newline');
like($command, qr{(?:^|\s)/\S+/glperf-advisor\s},
	'the program is named with its full path');
like($command, qr/--quiet\b/, 'it prints news only');
like($command, qr/--no-password\b/, 'it cannot wait for a password');

#-------------------------------------------------------------------------
# A server, and a home directory such as the README asks for
#-------------------------------------------------------------------------

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements'
autovacuum = off
jit = off
});
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE DATABASE app;
	CREATE ROLE advisor LOGIN;
	GRANT pg_monitor TO advisor});
$node->safe_psql('app',
	'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf');

my $home = PostgreSQL::Test::Utils::tempdir;
my ($service) = $command =~ /service=(\w+)/;
ok($service, 'it finds the server through a service name')
  or $service = 'none';

# The README's service file, with this server in it.
append_to_file(
	"$home/.pg_service.conf", sprintf
	  "[%s]\nhost=%s\nport=%s\ndbname=app\nuser=advisor\n",
	$service, $node->host, $node->port);

my $bindir = $node->config_data('--bindir');
chomp $bindir;
$command =~ s{/\S+/glperf-advisor}{$bindir/glperf-advisor};
ok(-x "$bindir/glperf-advisor", 'glperf-advisor is installed');
my $user = getpwuid $>;

# Run a command as cron does.  Returns exit status, stdout, stderr.
sub as_cron
{
	my ($cmd) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[
			'/usr/bin/env', '-i',
			"HOME=$home", "LOGNAME=$user",
			'PATH=/usr/bin:/bin', 'SHELL=/bin/sh',
			"PWD=$home", '/bin/sh',
			'-c', "cd \"\$HOME\" && $cmd"
		],
		'<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

# The statements in a report.
sub ddl
{
	my ($report) = @_;
	return $report =~ /^\s*(CREATE INDEX CONCURRENTLY [^;]+;)/mg;
}

my ($rc, $out, $err) = as_cron('env');
unlike($out, qr/^(PG\w+|LANG|LC_\w+)=/m, 'the environment is as bare as cron\'s');

#-------------------------------------------------------------------------
# Nothing to do, news, failure
#-------------------------------------------------------------------------

($rc, $out, $err) = as_cron($command);
is($rc, 0, 'nothing to do: exit status 0');
is($out, '', 'nothing to do: no output, so no mail');
is($err, '', 'nothing to do: no complaint either');

# A table read by a column without an index, many times.
$node->safe_psql(
	'app', q{
	CREATE TABLE executions AS
	SELECT g AS id, md5((g % 5000)::text) AS agent_name, g % 7 AS tries
	  FROM generate_series(1, 60000) AS g;
	ANALYZE executions;
	SELECT pg_stat_statements_reset()});
$node->safe_psql('app', join ";\n",
	map { "SELECT * FROM executions WHERE agent_name = md5('$_')" } 1 .. 50);

($rc, $out, $err) = as_cron($command);
is($rc, 2, 'recommendations: exit status 2');
like($out, qr/CREATE INDEX CONCURRENTLY/, 'recommendations: they are printed');
like($out, qr/agent_name/, 'and are about the column that is searched');
is($err, '', 'recommendations: no complaint');
is( $node->safe_psql(
		'app', q{SELECT count(*) FROM pg_indexes
		WHERE tablename = 'executions'}),
	'0',
	'the line as printed changes nothing');

my ($again_rc, $again) = as_cron($command);
is($again_rc, 2, 'the next night gives the same verdict');
is_deeply([ ddl($again) ], [ ddl($out) ], 'and the same statements');

# One run applies at a time.  The lock's key is part of advisor/README.md.
my ($key) = slurp_file("$top/advisor/README.md") =~ /advisory lock (\d+)/;
my $holder = $node->background_psql('app');
$holder->query_safe("SELECT pg_advisory_lock($key)");
my ($busy_rc, $busy_out, $busy_err) = as_cron("$command --apply");
is($busy_rc, 5, 'another run applies: exit status 5');
like($busy_err, qr/another glperf-advisor/, 'another run applies: it says so');
$holder->quit;

# What is printed can be run: then there is no news.
my @ddl = ddl($out);
cmp_ok(scalar @ddl, '>=', 1, 'the report holds statements to run');
$node->safe_psql('app', $_) foreach @ddl;
$node->safe_psql('app', 'ANALYZE executions');
($rc, $out, $err) = as_cron($command);
is($rc, 0, 'after running them: exit status 0');
is($out . $err, '', 'after running them: silence');

# A server that is away must not be silent: cron mails what is printed.
$node->stop;
($rc, $out, $err) = as_cron($command);
is($rc, 1, 'server down: exit status 1');
isnt($err, '', 'server down: it says so');
like($err, qr/^glperf-advisor: error: /m, 'with the name of the program');

# A mistake in the line is told apart from a failure.
($rc, $out, $err) = as_cron("$command --no-such-option");
is($rc, 4, 'a misspelt option: exit status 4');
isnt($err, '', 'a misspelt option: it says so');
$node->start;

#-------------------------------------------------------------------------
# cron itself
#-------------------------------------------------------------------------

SKIP:
{
	skip 'GLPERF_TEST_CRON is not set', 3 unless $ENV{GLPERF_TEST_CRON};
	my $daemon = grep { (eval { slurp_file($_) } // '') eq "cron\n" }
	  glob '/proc/[0-9]*/comm';
	ok($daemon, 'a cron daemon runs');
	skip 'no cron daemon', 2 unless $daemon;
	skip "$user has a crontab", 2 if system('crontab -l >/dev/null 2>&1') == 0;

	# Every minute; the mail that cron would send goes to a file.
	my $log = "$home/cron.log";
	my $file = "$home/crontab";
	append_to_file($file,
		    "HOME=$home\nMAILTO=\"\"\n"
		  . "* * * * * env > $home/cron.env; ($command) >> $log 2>&1; "
		  . "echo status=\$? >> $log\n");
	is(system("crontab $file"), 0, 'the line is a valid crontab');
	my $deadline = time + 75;
	sleep 0.5
	  until (-s $log && slurp_file($log) =~ /status=/) || time > $deadline;
	system('crontab -r');
	my $said = -e $log ? slurp_file($log) : '(nothing)';
	is($said, "status=0\n", 'cron ran it: silent, exit status 0');
	note(slurp_file("$home/cron.env")) if -e "$home/cron.env";
}

$node->stop;
done_testing();

# glperf-advisor check: the health page in the form that monitoring systems
# expect, and the pools of a real PgBouncer beside it: quiet while they are
# healthy, loud when clients wait, honest when the console cannot be asked, and
# never with a password in what it prints.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($bouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}),
  '/usr/sbin', '/usr/local/sbin';
plan skip_all => 'pgbouncer is not installed' unless $bouncer;

my $node = new_node('main');
my $dir = PostgreSQL::Test::Utils::tempdir_short;
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $pid;

END
{
	# what die leaves behind
	kill 'KILL', $pid if $pid;
}

$node->safe_psql('postgres', q{
CREATE ROLE app LOGIN;
CREATE ROLE watch LOGIN;
GRANT pg_monitor TO watch;
});

# glperf-advisor check; returns a hash: status, out, err
sub check
{
	my (@args) = @_;
	my ($out, $err) = ('', '');
	my @command = ('glperf-advisor', 'check', '--no-password', '--host',
		$node->host, '--port', $node->port, '--dbname', 'postgres',
		'--username', 'watch', @args);

	note("running: @command");
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	note("status $status\n$out$err");
	unlike("$out$err", qr/sesame/, 'no password in the output');
	return { status => $status, out => $out, err => $err };
}

# --- the health page alone
my %rank = (ok => 0, unknown => 3, warning => 1, critical => 2);

# some checks need a workload, which would make the outcome a matter of time
my $worst = $node->safe_psql('postgres', q{
SELECT status FROM glperf.health WHERE area = 'server'
ORDER BY array_position('{critical,warning,unknown,ok}', status) LIMIT 1});
my $run = check('--area=server');
is($run->{status}, $rank{$worst}, "status is that of the worst row, $worst");
like($run->{out}, qr/\AGLPERF [A-Z]+ - [^|\n]* \| critical=\d+ warning=\d+ unknown=\d+ ok=\d+$/m,
	'the first line is that of a plugin');
is($run->{out} =~ tr/|//, 1, 'and holds the only bar');

$node->safe_psql('postgres', q{
UPDATE glperf.threshold SET warning = 0, critical = NULL
WHERE id = 'connection_saturation'});
$run = check('--area=pool');
is($run->{status}, 1, 'warning');
like($run->{out}, qr/^GLPERF WARNING - 0 critical, 1 warning/, 'which is said');
$node->safe_psql('postgres', q{
UPDATE glperf.threshold SET critical = 0 WHERE id = 'connection_saturation'});
$run = check('--area=pool');
is($run->{status}, 2, 'critical');
$node->safe_psql('postgres', q{
UPDATE glperf.threshold SET warning = 70, critical = 85
WHERE id = 'connection_saturation'});
$run = check('--area=pool', '--quiet');
is("$run->{status} $run->{out}", '0 ', 'ok is quiet if asked to be');

$run = check('--area=no such area');
is($run->{status}, 3, 'a misspelt area is not good news');
like($run->{out}, qr/^GLPERF UNKNOWN/, 'and is said to be unknown');
$run = check('--dbname=no_such_database');
is($run->{status}, 3, 'a failure is status 3');
like($run->{out}, qr/^GLPERF UNKNOWN/, 'where a monitoring system looks');
like($run->{err}, qr/no_such_database/, 'and the reason is on standard error');
foreach my $bad ('--apply', '--format=sql', '--budget=1MB', 'more')
{
	is(check($bad)->{status}, 3, "usage error with $bad");
}
is(advisor($node, '--area=pool')->{status}, 4, 'no --area without check');

# --- PgBouncer
append_to_file("$dir/users", qq{"app" "open sesame app"
"stats" "open sesame stats"
"boss" "open sesame boss"
});
append_to_file("$dir/pgbouncer.ini", qq{
[databases]
shop = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_size=2
spare = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_size=2
[pgbouncer]
listen_port = $port
unix_socket_dir = $dir
auth_type = scram-sha-256
auth_file = $dir/users
pool_mode = transaction
stats_users = stats
admin_users = boss
stats_period = 1
logfile = $dir/log
pidfile = $dir/pid
});
my $passfile = "$dir/pgpass";
append_to_file($passfile, "*:*:*:$_:open sesame $_\n") for qw(app stats boss);
chmod 0600, $passfile;
$ENV{PGPASSFILE} = $passfile;
system($bouncer, '-q', '-d', "$dir/pgbouncer.ini") == 0
  or die 'pgbouncer does not start: ' . slurp_file("$dir/log");
for (1 .. 100)
{
	last if -s "$dir/pid";
	select undef, undef, undef, 0.1;
}
$pid = slurp_file("$dir/pid");
chomp $pid;

sub bounce    # a psql through PgBouncer
{
	my ($user, $dbname, $sql) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[ 'psql', '-XAtq', '-d', "host=$dir port=$port user=$user dbname=$dbname" ],
		'<', \$sql, '>', \$out, '2>', \$err);
	chomp $out;
	return $err ne '' ? $err : $out;
}

my $console = "host=$dir port=$port user=stats";
my @pool = ('--area=pgbouncer', "--pgbouncer=$console");

is(bounce('app', 'shop', 'SELECT 1'), '1', 'the pool works');
$run = check(@pool, '--verbose');
is($run->{status}, 0, 'a healthy pool is ok');
unlike($run->{err}, qr/: (error|warning): /, 'without complaints');
like($run->{out}, qr/^GLPERF OK - \d+ checks \|/, 'the first line');
like($run->{out}, qr/\[ok\] pgbouncer, shop, user app: no client waits/,
	'nobody waits');
like($run->{out}, qr/\[ok\] pgbouncer, shop, user app: 0 of 2 server connections/,
	'the size is that of the database');
like($run->{out}, qr/PgBouncer \d+\.\d+\S* answers/, 'its version is known');
unlike($run->{out}, qr/\] pgbouncer, pgbouncer/, 'the console is no pool');
my $all = check("--pgbouncer=$console", '--verbose');
like($all->{out}, qr/\] server, .*\] pgbouncer, shop/s,
	'without --area both are checked');

# all server connections in use, nobody waiting yet
my @busy;

sub hold    # a session that keeps its transaction open
{
	my $s = { in => "BEGIN;\nSELECT 'rea' || 'dy';\n", out => '', err => '' };
	$s->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', "host=$dir port=$port user=app dbname=shop" ],
		'<', \$s->{in}, '>', \$s->{out}, '2>', \$s->{err},
		IPC::Run::timer(120));
	return $s;
}

sub release
{
	my ($s) = @_;
	$s->{in} .= "COMMIT;\n\\q\n";
	IPC::Run::finish($s->{run});
	return;
}
for (1 .. 2)
{
	push @busy, my $s = hold();
	IPC::Run::pump($s->{run}) until $s->{out} =~ /ready/ || $s->{err};
}
$run = check(@pool);
is($run->{status}, 1, 'a pool that is full, with nobody waiting, is a warning');
like($run->{out}, qr/2 of 2 server connections are in use$/m, 'which is said');

# and now somebody waits
my @waiting;
for (1 .. 3)
{
	push @waiting, my $s = hold();
	IPC::Run::pump_nb($s->{run});
}
my $deadline = time + 60;
until (bounce('stats', 'pgbouncer', 'SHOW POOLS') =~ /^shop\|app\|2\|3\|/m)
{
	die 'no client waits' if time > $deadline;
	$_->{run}->pump_nb for @waiting;
	select undef, undef, undef, 0.2;
}
sleep 2;
$run = check(@pool);
is($run->{status}, 2, 'a pool that is full, with clients waiting, is critical');
like($run->{out}, qr/2 of 2 server connections are in use, and clients wait/,
	'which is said');
$run = check(@pool, '--format=json', '--verbose');
is($run->{status}, 2, 'and as JSON');
my $json = JSON::PP->new->utf8->decode($run->{out});
is($json->{exit_status}, 2, 'which tells the exit status');
my ($wait) = grep { $_->{check_id} eq 'pool_wait' && $_->{object} =~ /^shop/ }
  @{ $json->{checks} };
cmp_ok($wait->{value}, '>=', 2, 'time waited is known');
cmp_ok($wait->{value}, '<', 60, 'in seconds');
is("$wait->{unit} $wait->{warning} $wait->{critical}",
	's 5 10', 'the limits are those of the database');
like($wait->{message}, qr/^3 clients wait/, 'and how many wait');
$node->safe_psql('postgres', q{
UPDATE glperf.threshold SET warning = 0.1, critical = 0.2
WHERE id = 'pool_wait'});
$run = check(@pool);
like($run->{out}, qr/\[critical\] pgbouncer, shop, user app: 3 clients wait/,
	'the limit of glperf.threshold is obeyed');
$node->safe_psql('postgres', q{
UPDATE glperf.threshold SET warning = 3600, critical = 7200
WHERE id = 'pool_wait'});
$run = check(@pool);
unlike($run->{out}, qr/3 clients wait/, 'either way');
release($_) for @busy, @waiting;

# statistics remember what the snapshot no longer shows
$deadline = time + 120;
do
{
	sleep 1;
	$run = check(@pool, '--format=json');
} until $run->{status} == 0 || time > $deadline;
is($run->{status}, 0, 'all is well again');
$json = JSON::PP->new->utf8->decode($run->{out});
ok(scalar(grep { $_->{check_id} eq 'pgbouncer_waiting' && defined $_->{value} }
		@{ $json->{checks} }), 'the mean number of waiting clients is there');

# --- a database that somebody stopped
is(bounce('boss', 'pgbouncer', 'PAUSE spare'), '', 'PAUSE');
$run = check(@pool);
is($run->{status}, 1, 'a paused database is a warning');
like($run->{out}, qr/spare: the database is paused.*\n.*RESUME "spare"/,
	'with the way out');
is(bounce('boss', 'pgbouncer', 'RESUME spare'), '', 'RESUME');

# --- a console that cannot be asked
$run = check('--area=pgbouncer', "--pgbouncer=host=$dir port=$port user=app");
is($run->{status}, 3, 'a role without rights is status 3');
like($run->{out}, qr/cannot connect.*\n.*stats_users/, 'with what to do');
$run = check('--area=pgbouncer', '--accept-unknown',
	"--pgbouncer=host=$dir port=$port user=app");
is($run->{status}, 0, 'unless that is accepted');
append_to_file("$dir/wrong", "*:*:*:*:sesame wrong\n");
chmod 0600, "$dir/wrong";
$run = check('--area=pgbouncer', "--pgbouncer=$console passfile=$dir/wrong");
is($run->{status}, 3, 'a wrong password is status 3');
like($run->{out}, qr/cannot connect.*authentication.*\n.*auth_file/i,
	'and said to be one');
$run = check('--area=pgbouncer', "--pgbouncer=$console passfile=/nowhere");
is($run->{status}, 3, 'no password is status 3');
like($run->{out}, qr/\.pgpass/, 'and where to put it is said');
{
	my $secret = "--pgbouncer=$console password=sesame";
	$run = check($secret);
	is($run->{status}, 3, 'a password in the command line is refused');
	like($run->{err}, qr/visible to every user/, 'because it can be seen');
	$run = check("--pgbouncer=$console password='sesame");
	is($run->{status}, 3, 'also in a malformed string, which is not shown');
}
# a server is no PgBouncer
$run = check('--area=pgbouncer', '--pgbouncer=host=' . $node->host . ' port='
	  . $node->port . ' user=watch dbname=postgres');
is($run->{status}, 3, 'a server is not taken for a PgBouncer');
like($run->{out}, qr/does not answer/, 'and what is wrong is said');

# one that hangs does not hang its monitoring
kill 'STOP', $pid;
my $started = time;
$run = check('--area=pgbouncer', "--pgbouncer=$console connect_timeout=2");
cmp_ok(time - $started, '<', 60, 'a PgBouncer that hangs is given up on');
is($run->{status}, 3, 'as unknown');
kill 'CONT', $pid;
kill 'TERM', $pid;
undef $pid;
$run = check('--area=pgbouncer', "--pgbouncer=$console");
is($run->{status}, 3, 'one that is gone, too');

$node->stop;

done_testing();

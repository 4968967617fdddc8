# A password never shows: not in a report, a file, a message, the process list
# or the server's log of statements; and on the command line it is refused.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'S3cr3t-of-the-advisor';
my $node = new_node('secrets', conf => "log_statement = all\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
run_workload($node);
$node->safe_psql('postgres', qq{
SET password_encryption = 'scram-sha-256';
-- pg_stat_statements keeps this as it is before PostgreSQL 16
CREATE ROLE advisor LOGIN SUPERUSER PASSWORD '$secret'});
unlink $node->data_dir . '/pg_hba.conf';
$node->append_conf('pg_hba.conf', "local all advisor scram-sha-256\nlocal all all trust\n");
$node->reload;

sub never_shows
{
	my ($name, $run, $status) = @_;
	is($run->{status}, $status, "$name: status $status");
	unlike($run->{out} . $run->{err}, qr/\Q$secret\E/, "$name: the password does not show");
	return;
}

my @as = ('--username=advisor');

# --- from the environment and from files it works

{
	local $ENV{PGPASSWORD} = $secret;
	for my $format ('text', 'json', 'sql')
	{
		never_shows("PGPASSWORD, $format",
			advisor($node, @as, "--format=$format", '--verbose',
				$format eq 'sql' ? () : '--explain'), 2);
	}
	my $file = "$dir/report";
	never_shows('PGPASSWORD, file', advisor($node, @as, "--output=$file"), 2);
	unlike(slurp_file($file), qr/\Q$secret\E/, 'the report file has no password');

	# while it runs, anybody may look at its command line
	my $locker = $node->background_psql('postgres');
	$locker->query_safe('BEGIN; UPDATE orders SET note = note WHERE id = 1');
	my $run = advisor_start($node, @as, '--apply');
	$node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'glperf-advisor'");
	my ($pid) = map { $_->{PID} // () } @{ $run->{handle}{KIDS} };
	my $cmdline = slurp_file("/proc/$pid/cmdline");
	like($cmdline, qr/--apply/, 'this is its command line');
	unlike($cmdline, qr/\Q$secret\E/, '... without the password');
	is( $node->safe_psql('postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%$secret' || '%' AND pid <> pg_backend_pid()"),
		0, 'its statements do not hold it');
	$run->{handle}->signal('TERM');
	$locker->quit;
	$run->{handle}->finish;
	unlike(${ $run->{out} } . ${ $run->{err} }, qr/\Q$secret\E/,
		'interrupted: the password does not show');
}

append_to_file("$dir/pgpass", '*:*:*:advisor:' . $secret . "\n");
chmod 0600, "$dir/pgpass";
append_to_file("$dir/services",
	"[report]\nhost=" . $node->host . "\nport=" . $node->port
	  . "\ndbname=postgres\nuser=advisor\npassword=$secret\n");
chmod 0600, "$dir/services";
{
	local $ENV{PGPASSFILE} = "$dir/pgpass";
	never_shows('password file', advisor($node, @as), 2);
	never_shows('connection string without a password',
		advisor($node, '--dbname=dbname=postgres user=advisor'), 2);
	never_shows('URI without a password',
		advisor($node, '--dbname=postgresql:///postgres?user=advisor'), 2);
}
{
	local $ENV{PGSERVICEFILE} = "$dir/services";
	never_shows('service', advisor($node, '--dbname=service=report'), 2);
}

# --- wrong or missing: a failure that says nothing

{
	local $ENV{PGPASSWORD} = "$secret-but-wrong";
	never_shows('wrong password', advisor($node, @as), 1);
}
my $run = advisor($node, @as);
is($run->{status}, 1, 'no password, and none may be asked for: status 1');
like($run->{err}, qr/no password supplied/, '... says so and does not wait');

# --- on the command line

for my $dbname (
	"dbname=postgres user=advisor password=$secret",
	"password='$secret'",
	"postgresql://advisor:$secret\@localhost/postgres",
	"postgres:///postgres?user=advisor&password=$secret",
	"dbname=postgres sslpassword=$secret")
{
	$run = advisor($node, "--dbname=$dbname");
	never_shows('refused', $run, 4);
	like($run->{err}, qr/refusing the (ssl)?password in the connection string/,
		'... with the reason');
	like($run->{err}, qr/hint: Put it into ~\/\.pgpass/, '... and what to do');
}
for my $dbname (
	"dbname=postgres password='$secret",
	"postgresql://advisor:$secret%zz\@localhost/postgres",
	"nonsense=$secret",
	# a slash that is not written %2F ends the server's name
	"postgresql://advisor:$secret/x\@localhost/postgres",
	"postgresql://advisor:12$secret/x\@localhost/postgres",
	"postgresql://advisor\@localhost:$secret/postgres")
{
	never_shows('malformed', advisor($node, "--dbname=$dbname"), 4);
}
# names that the server, or libpq, quotes when it refuses them
for my $odd ("advisor:$secret", "advisor password:$secret", "advisor/$secret",
	"advisor:$secret\@localhost/postgres", "advisor password=$secret")
{
	never_shows('as part of a role', advisor($node, "--username=$odd"), 1);
	never_shows('as part of a host', advisor($node, "--host=$odd"), $odd =~ /=/ ? 4 : 1);
	never_shows('as part of a database', advisor($node, "--dbname=$odd"), $odd =~ /=/ ? 4 : 1);
	never_shows('as part of a connection string', advisor($node, "--dbname=user='$odd'"), 1);
	never_shows('as part of one for a standby', advisor($node, "--replica=dbname='$odd'"), 3);
	never_shows('as part of one for PgBouncer',
		advisor($node, 'check', '--area=pgbouncer', "--pgbouncer=user='$odd' port=1"), 3);
}
$run = advisor($node, '--username=advisor: a name longer than the server will have it, ' . $secret x 3);
never_shows('as part of a long one', $run, 1);
like($run->{err}, qr/user|role/, '... but it says that it is about the role');
# options that do not exist, or take no value
for my $wrong ("--passwort=$secret", "--password=$secret", "--p=$secret", "-p$secret", "-x$secret", "--db=password=$secret")
{
	never_shows("as $wrong", advisor($node, $wrong), 4);
}
never_shows('as an argument', advisor($node, "password=$secret"), 4);
never_shows('as a host', advisor($node, "--host=postgresql://advisor:$secret\@localhost/postgres"), 4);
never_shows('as a port', advisor($node, "--port=5432 password=$secret"), 4);

# --- the server's log of what we said

is(join("\n", grep { /glperf-advisor/ && /\Q$secret\E/ }
		split /\n/, slurp_file($node->logfile)),
	'', 'the server logged no password of ours');

$node->stop;
done_testing();

# What the tests of glperf-advisor share: a server with a real workload, and
# running the program with everything about it captured.

package AdvisorTest;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use lib "$FindBin::RealBin/lib";
use GlperfNode;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node run_workload advisor advisor_start advice flat
  invalid_indexes valid_indexes);

# A running server with pg_stat_statements preloaded; both extensions exist in
# database postgres unless told otherwise.
sub new_node
{
	my ($name, %param) = @_;

	return GlperfNode::start($name,
		preload => 'pg_stat_statements',
		init => { extra => [ '--encoding=UTF8', '--no-locale' ],
			%{ $param{init} // {} } },
		conf => "log_line_prefix = '%m [%p] %q%a '\n" . ($param{conf} // ''),
		bare => $param{bare});
}

# A table that is scanned for few rows, by two of its columns, and one
# statement that nobody can plan any more.
sub run_workload
{
	my ($node, $dbname) = @_;
	$dbname //= 'postgres';
	$node->safe_psql($dbname, q{
SET max_parallel_workers_per_gather = 0;
SELECT setseed(0.5);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL,
	product_id int NOT NULL, note text);
INSERT INTO orders SELECT i, random() * 5000, random() * 5000, repeat('x', 60)
FROM generate_series(1, 100000) i;
CREATE TABLE gone (a int);
VACUUM ANALYZE orders;
SELECT pg_stat_statements_reset();
SELECT count(*) FROM gone WHERE a = 1;
DROP TABLE gone;
});
	query_by($node, $dbname);
	return;
}

# The statements that want an index, often enough to matter.
sub query_by
{
	my ($node, $dbname) = @_;
	my $script = "SET max_parallel_workers_per_gather = 0;\n";
	$script .= "SELECT id, note FROM orders WHERE customer_id = $_;\n"
	  . "SELECT id, note FROM orders WHERE product_id = $_;\n"
	  for 1 .. 30;
	$node->safe_psql($dbname, $script);
	return;
}

# The command line of a run; args may begin with a command such as verify.
sub command
{
	my ($node, @args) = @_;
	my @verb = @args && $args[0] =~ /^\w/ ? shift @args : ();
	return ('glperf-advisor', @verb, '--no-password', '--host', $node->host,
		'--port', $node->port, '--dbname', 'postgres', @args);
}

# Run it to its end.  Returns a hash: status, out, err.
sub advisor
{
	my ($node, @args) = @_;
	my ($out, $err) = ('', '');
	my @command = command($node, @args);

	note("running: @command");
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	note("status $status\n$err");
	return { status => $status, signal => $? & 127, out => $out, err => $err };
}

# Begin a run; finish it with ->{handle}->finish, then see result($run).
sub advisor_start
{
	my ($node, @args) = @_;
	my ($out, $err) = ('', '');
	my $run = { out => \$out, err => \$err };
	my @command = command($node, @args);

	note("starting: @command");
	$run->{handle} =
	  IPC::Run::start(\@command, '<', \undef, '>', \$out, '2>', \$err);
	return $run;
}

# The JSON report of a dry run.
sub advice
{
	my ($node, @args) = @_;
	my $run = advisor($node, '--format=json', @args);

	like($run->{status}, qr/^[023]$/, 'a JSON report comes with status 0, 2 or 3');
	return JSON::PP->new->utf8->decode($run->{out});
}

# A report without its line breaks, for patterns that may be wrapped.
sub flat
{
	my ($text) = @_;
	return $text =~ s/\s+/ /gr;
}

# Names of invalid indexes.
sub invalid_indexes
{
	my ($node, $dbname) = @_;
	return $node->safe_psql($dbname // 'postgres', q{
SELECT indexrelid::regclass FROM pg_index
WHERE NOT (indisvalid AND indisready AND indislive) ORDER BY 1});
}

# Number of valid indexes that are not of a primary key or of the extension.
sub valid_indexes
{
	my ($node, $dbname) = @_;
	return $node->safe_psql($dbname // 'postgres', q{
SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indisvalid AND NOT i.indisprimary AND c.relname LIKE 'glp\_%'});
}

1;

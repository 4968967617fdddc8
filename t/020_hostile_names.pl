# Names that break out: of quotes, of comments, of lines, of columns, of the
# terminal.  Every statement of the advice must mean the object it is about,
# and no report may carry what a name smuggles in.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use Encode qw(encode decode);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('hostile', bare => 1);
my $evil = 'DROP TABLE public.canary';
my @names = (
	'Upper Case', 'select', q{quo"te}, q{apo'strophe}, "semi; $evil; --",
	"line\n$evil;\n", "return\r$evil;\r", "dash -- $evil", "*/ $evil; /*",
	"tab\tand {braces,\\backslash}", "\e[31mred\e]0;title\a", "\x{202e}reversed",
	"\x{85}next line\x{9b}31m", "\x{2028}separator", 'dollar $$ $1', ':variable',
	'\\! touch canary', '%s%n%d', "\x{fc}" x 31 . 'b', "\x{1f418}" x 15 . 'xyz');

sub ident
{
	my ($name) = @_;
	return '"' . ($name =~ s/"/""/gr) . '"';
}

# a database, a schema, a table and a column of each name
my $dbname = qq{hostile "db" ; -- it's \e[31m \x{202e}\x{9b}}; # 19 refuses newlines here

sub sql
{
	my ($sql, $database) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
	append_to_file($file, encode('UTF-8', "SET client_min_messages = error;\n$sql"));
	my $result = run_log(
		[
			'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', $node->host,
			'-p', $node->port, '-f', $file, '-d', quoted_conninfo($database) ],
		'>', \my $out);
	die "psql failed" unless $result;
	return decode('UTF-8', $out);
}

sub quoted_conninfo
{
	my ($database) = @_;
	$database //= $dbname;
	$database =~ s/([\\'])/\\$1/g;
	return encode('UTF-8', "dbname='$database'");
}

sql('CREATE DATABASE ' . ident($dbname), 'postgres');
my $setup = "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf;\n"
  . "CREATE TABLE public.canary (a int);\n";
my $queries = '';
for my $i (0 .. $#names)
{
	my ($schema, $table, $column) = map { ident($names[ ($i + $_) % @names ]) } 0 .. 2;
	$setup .= "CREATE SCHEMA $schema;\n"
	  . "CREATE TABLE $schema.$table (id int, $column int, note text);\n"
	  . "INSERT INTO $schema.$table SELECT i, i % 2000, repeat('x', 50)"
	  . " FROM generate_series(1, 20000) i;\n"
	  . "VACUUM ANALYZE $schema.$table;\n";
	$queries .= "SELECT note FROM $schema.$table WHERE $column = $_;\n" for 1 .. 20;
}
sql($setup);
sql($queries);

my @db = ('--dbname', quoted_conninfo());
my $wanted = @names;

# --- JSON

my $run = advisor($node, @db, '--format=json');
is($run->{status}, 2, 'JSON: status 2');
unlike($run->{out}, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'JSON: no control characters');
my $report = JSON::PP->new->utf8->decode($run->{out});
is($report->{server}{database}, $dbname, 'JSON: the database has its name');
my @recs = @{ $report->{recommendations} };
my %tables = map { ("$_->{schema_name}\0$_->{table_name}" => 1) } @recs;
is( scalar(
		grep { $tables{"$names[$_]\0" . $names[ ($_ + 1) % @names ]} } 0 .. $#names),
	$wanted, 'JSON: each table gets advice under its true name');
ok(!(grep { length(encode('UTF-8', $_->{index_name})) > 63 } @recs),
	'index names fit into 63 bytes');
my %distinct = map { $_->{index_name} => 1 } @recs;
is(scalar keys %distinct, scalar @recs, 'index names are distinct');

# --- text

$run = advisor($node, @db);
my $text = decode('UTF-8', $run->{out}, Encode::FB_CROAK);
unlike($text, qr/[\x00-\x09\x0b-\x1f\x7f-\x9f\x{200e}\x{200f}\x{2028}-\x{202e}]/,
	'text: nothing that a terminal acts upon');
unlike($text, qr/^\s*\Q$evil\E/m, 'text: no name begins a line');
unlike(decode('UTF-8', $run->{err}), qr/[\x00-\x09\x0b-\x1f\x7f-\x9f]/,
	'diagnostics: the same');

# --- SQL: what is run is what was meant, and nothing else

my $script = advisor($node, @db, '--format=sql')->{out};
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/advice.sql", $script);
chdir $dir;
ok( run_log(
		[
			'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p',
			$node->port, '-d', quoted_conninfo(), '-f', "$dir/advice.sql" ]),
	'SQL: psql runs the script');
is(sql('SELECT count(*) FROM pg_tables WHERE tablename = \'canary\''), "1\n",
	'SQL: nothing was smuggled in');
ok(!-e "$dir/canary", 'SQL: not through psql either');
my $indexes = q{SELECT count(DISTINCT indrelid) FROM pg_index i
	JOIN pg_class c ON c.oid = indexrelid WHERE indisvalid AND relname LIKE 'glp\\_%'};
is(sql($indexes), "$wanted\n", 'SQL: each table has its index');
is(advisor($node, @db)->{status}, 0, 'SQL: nothing is left to do');

# --- --apply: the same, and its clean-up works on such names, too

my $undo = join '', map { "$_->{undo_ddl};\n" } @recs;
sql($undo);
is(sql($indexes), "0\n", 'undo: every statement means its index');
$run = advisor($node, @db, '--apply');
is($run->{status}, 0, 'apply: status 0');
is(sql($indexes), "$wanted\n", 'apply: each table has its index');
sql('UPDATE pg_index SET indisvalid = false FROM pg_class c'
	  . " WHERE c.oid = indexrelid AND relname LIKE 'glp\\_%'");
$run = advisor($node, @db, '--apply');
is($run->{status}, 0, 'leftovers: status 0');
is(sql($indexes), "$wanted\n", 'leftovers: dropped and built again');
is(sql('SELECT count(*) FROM glperf.apply_leftovers'), "0\n", 'leftovers: none');
is(sql('SELECT count(*) FROM pg_tables WHERE tablename = \'canary\''), "1\n",
	'apply: nothing was smuggled in');
unlike(decode('UTF-8', $run->{err}), qr/[\x00-\x09\x0b-\x1f\x7f-\x9f]/,
	'apply: diagnostics are clean');

# --- a database without an encoding may hold what is no UTF-8

sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
	'postgres');
$node->safe_psql('bytes', q{
CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf;
DO $$ BEGIN
	EXECUTE format('CREATE TABLE %I (id int, a int, note text)', E'latin\xe9');
	EXECUTE format('INSERT INTO %I SELECT i, i %% 2000, repeat(''x'', 50) FROM generate_series(1, 20000) i', E'latin\xe9');
	EXECUTE format('ANALYZE %I', E'latin\xe9');
END $$});
append_to_file("$dir/bytes.sql", "SELECT note FROM \"latin\xe9\" WHERE a = 1;\n" x 5);
$node->command_ok([ 'psql', '-X', '-q', '-d', 'bytes', '-f', "$dir/bytes.sql" ],
	'bytes: the workload runs');
$run = advisor($node, '--dbname=bytes', '--format=json');
is($run->{status}, 2, 'bytes: there is advice');
$report = eval { JSON::PP->new->utf8->decode($run->{out}) };
is($report->{recommendations}[0]{table_name}, "latin\x{fffd}",
	'bytes: JSON is valid UTF-8 all the same');
append_to_file("$dir/bytes_advice.sql", advisor($node, '--dbname=bytes', '--format=sql')->{out});
is(advisor($node, '--dbname=bytes', '--apply')->{status}, 0,
	'bytes: --apply finds the table');
$node->safe_psql('bytes', q{DO $$ BEGIN EXECUTE (SELECT format('DROP INDEX %I', relname) FROM pg_class
	WHERE relkind = 'i' AND relname LIKE 'glp%'); END $$});
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'bytes', '-f', "$dir/bytes_advice.sql" ],
	'bytes: psql runs the script');

# --- texts of a database in another encoding, which pg_stat_statements cannot
# convert to that of this one

sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", 'postgres');
$node->safe_psql('latin', q{CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf});
$node->safe_psql('postgres', qq{SELECT count(*) AS "\xe2\x86\x92" FROM pg_class});
my ($ret, $stdout, $stderr) = $node->psql('latin', 'SELECT count(*) FROM pg_stat_statements');
isnt($ret, 0, 'other encoding: pg_stat_statements fails');
is($node->safe_psql('latin', q{SELECT query FROM glperf.statement_stats() WHERE query LIKE 'SELECT count(*) AS%pg_class'}),
	'SELECT count(*) AS "???" FROM pg_class', '... glperf shows question marks');
is(advisor($node, '--dbname=latin')->{status}, 0, '... nor does the advice');

$node->stop;
done_testing();

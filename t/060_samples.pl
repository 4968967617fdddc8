# Parameter samples: what the collector keeps of real executions, for whom it
# shows it, and that keeping it never disturbs a statement.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('samples');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
});
$node->start;

# Preloaded, but the extension does not exist in this database yet: hooks must
# not look for it.
is($node->safe_psql('postgres', 'SELECT 41 + 1'), '42',
	'preloaded library works before CREATE EXTENSION');

$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE SCHEMA app;
CREATE TYPE app.state AS ENUM ('running', 'done');
CREATE TABLE app.job (id int PRIMARY KEY, state app.state, due date, note text);
INSERT INTO app.job SELECT i, CASE WHEN i % 100 = 0 THEN 'running' ELSE 'done' END::app.state,
	'2026-01-01'::date + i, repeat('x', 10) FROM generate_series(1, 1000) i;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE watch LOGIN;
GRANT pg_monitor TO watch;
GRANT USAGE ON SCHEMA app TO alice, bob;
GRANT ALL ON app.job TO alice, bob;
});

sub samples
{
	my ($where, $columns) = @_;
	$columns //= "query_text || ' | ' || param_values::text";
	return $node->safe_psql('postgres',
		"SELECT $columns FROM glperf.parameter_samples WHERE ($where) "
		  . "AND query_text NOT LIKE '%parameter_samples%' ORDER BY 1");
}

# Failure proved: a sample holds the whole string of a multi-statement query,
# a neighbour's literals, or the text of the caller instead of the statement's.
$node->safe_psql('postgres',
	"SET search_path = app;\n"
	  . "SELECT 1; SELECT count(*) FROM job WHERE state = 'running'; SELECT 2");
is(samples("query_text LIKE '%count(*) FROM job%'",
		"query_text || ' @ ' || search_path"),
	q{SELECT count(*) FROM job WHERE state = 'running' @ app},
	'one statement is cut out of a multi-statement string, with search_path');

# Failure proved: constants that differ collapse into one sample, or more are
# kept than promised, or the common one is pushed out by rare ones.
$node->safe_psql('postgres',
	"SET search_path = app; "
	  . join('', map { "SELECT note FROM job WHERE id = "
			. ($_ % 10 ? 7 : $_) . "; " } 1 .. 300));
is( samples("query_text LIKE 'SELECT note FROM job WHERE id = %'",
		"count(*) <= 4 AND bool_or(query_text LIKE '% = 7' AND times_seen > 1)"),
	't', 'the common constant is among the samples');
$node->safe_psql('postgres',
	join('', map { "SELECT due FROM app.job WHERE id = $_; " } 1 .. 300));
is(samples("query_text LIKE 'SELECT due FROM app.job WHERE id = %'", 'count(*)'),
	'4', 'four samples of a statement whose constants all differ');

# Failure proved: bound parameters are lost, printed in a session's DateStyle,
# or NULL becomes an empty string.
my $bound = <<'END';
SET search_path = app;
SET DateStyle = 'SQL, DMY';
PREPARE "p(1)" (app.state, date, text, int[]) /* AS */ AS
  SELECT count(*) AS bound FROM job WHERE state = $1 AND due > $2
  AND note IS DISTINCT FROM $3 AND id <> ALL ($4);
EXECUTE "p(1)"('running', '31/12/2025', NULL, '{1,2}');
END
$node->safe_psql('postgres', $bound);
is( samples("query_text LIKE '%AS bound%'",
		"(query_text LIKE 'SELECT count%') || ' ' || param_types::text || "
		  . "' ' || param_values::text"),
	q(true {app.state,date,text,integer[]} {running,2025-12-31,NULL,"{1,2}"}),
	'bound parameters in a format that every session reads back');

# Failure proved: an output function that raises an error fails the user's
# statement, or leaves the session in a broken state.
$node->safe_psql('postgres', q{
CREATE TYPE bad;
CREATE FUNCTION bad_in(cstring) RETURNS bad LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION bad_out(bad) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE bad (INPUT = bad_in, OUTPUT = bad_out, LIKE = text);
CREATE TYPE pair AS (a int, b app.state);
});
is( $node->safe_psql('postgres', q{
BEGIN;
CREATE TEMP TABLE before_it AS SELECT 5 AS a;
PREPARE q(pair, bad) AS SELECT ($1).a AS composite, $2 IS NULL, (SELECT a FROM before_it);
EXECUTE q('(1,done)', 'x');
COMMIT;
}), '1|f|5', 'values of composite and user-defined types do not disturb');
is( samples("query_text LIKE '%AS composite%'",
		"query_text = 'SELECT (\$1).a AS composite, \$2 IS NULL, (SELECT a FROM before_it)'"),
	't', 'and are sampled');

# Failure proved: an output function's error reaches the client.
is( $node->safe_psql('postgres', q{
CREATE TYPE worse;
CREATE FUNCTION worse_in(cstring) RETURNS worse LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION worse_out(worse) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'shell_out';
CREATE TYPE worse (INPUT = worse_in, OUTPUT = worse_out, LIKE = text);
BEGIN;
PREPARE r(worse, int) AS SELECT $1 IS NULL AS unprintable, $2;
EXECUTE r('x', 3);
SELECT 'still in the transaction';
COMMIT;
}), "f|3\nstill in the transaction",
	'an output function that fails does not fail the statement');
is(samples("query_text LIKE '%AS unprintable%'", 'count(*)'), '0',
	'what cannot be printed is not kept');

# Failure proved: a long value or statement is kept, cut in the middle, or
# pushes everything else out.
$node->safe_psql('postgres', q{
PREPARE l(text) AS SELECT length($1) AS long_value;
EXECUTE l(repeat('x', 100000));
EXECUTE l('short');
SELECT length('} . ('y' x 5000) . q{') AS long_text;
});
is(samples("query_text LIKE '%AS long_%'"),
	'SELECT length($1) AS long_value | {short}', 'long ones are left out');

# Failure proved: statements inside functions, EXPLAIN ANALYZE or cursors are
# taken for statements of the client.
$node->safe_psql('postgres', q{
CREATE FUNCTION inner_one() RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT count(*) AS nested FROM app.job); END $$;
SELECT inner_one();
DO $$ BEGIN PERFORM count(*) AS nested FROM app.job; END $$;
EXPLAIN (ANALYZE) SELECT count(*) AS nested FROM app.job;
});
is(samples("query_text LIKE '%AS nested%'", 'count(*)'),
	'0', 'nested statements are not sampled');

# Failure proved: values leak to a role that may not read the statement.
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA glperf TO alice, bob, watch;
GRANT EXECUTE ON FUNCTION glperf.parameter_samples() TO alice, bob;
GRANT SELECT ON glperf.parameter_samples TO alice, bob');
$node->safe_psql('postgres', "SELECT note FROM app.job WHERE note = 'secret'",
	extra_params => [ '-U', 'alice' ]);
my $secret = "SELECT count(*) FROM glperf.parameter_samples "
  . "WHERE query_text LIKE '%= ''secret''%' "
  . "AND query_text NOT LIKE '%parameter_samples%'";
for my $case ([ alice => 1 ], [ bob => 0 ], [ watch => 1 ])
{
	is( $node->safe_psql('postgres', $secret,
			extra_params => [ '-U', $case->[0] ]),
		$case->[1], "$case->[0] sees $case->[1] sample of alice");
}
my ($ret, $out, $err) = $node->psql('postgres',
	'SELECT glperf.parameter_samples_reset()',
	extra_params => [ '-U', 'watch' ]);
like($err, qr/permission denied/, 'only a superuser forgets samples');

# Failure proved: the switch does not switch.
$node->safe_psql('postgres', q{
SELECT glperf.parameter_samples_reset();
SET glperf.sample_parameters = off;
SELECT 1 AS unwatched;
});
is(samples("query_text LIKE '%unwatched'", 'count(*)'), '0',
	'glperf.sample_parameters = off keeps nothing');
($ret, $out, $err) = $node->psql('postgres',
	'SET glperf.sample_parameters = off',
	extra_params => [ '-U', 'alice' ]);
like($err, qr/permission denied/, 'only a superuser sets it');

# Failure proved: more statements than fit overrun shared memory, or lock up.
$node->append_conf('postgresql.conf', 'glperf.max_statements = 100');
$node->restart;
$node->safe_psql('postgres', join('',
		map { "SELECT '" . ('z' x ($_ * 7)) . "'" . (', 1' x $_) . '; ' }
		  1 .. 400));
cmp_ok(samples('true', 'count(DISTINCT queryid)'), '<=', 104,
	'a full table forgets');
cmp_ok(samples('true', 'count(DISTINCT queryid)'), '>', 10,
	'but not everything');

# Failure proved: the order of preloading matters.
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'glperf, pg_stat_statements'");
$node->restart;
$node->safe_psql('postgres', 'SELECT 1 AS reversed, now() - now()');
is( $node->safe_psql('postgres', q{
SELECT s.query_text, p.calls FROM glperf.parameter_samples s
JOIN pg_stat_statements p USING (queryid) WHERE s.query_text LIKE '%reversed%now()'}),
	'SELECT 1 AS reversed, now() - now()|1', 'loaded before pg_stat_statements');

# Failure proved: without preloading something crashes or pretends.
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'pg_stat_statements'");
$node->restart;
is( $node->safe_psql('postgres', q{LOAD 'glperf';
SELECT 1; SELECT count(*) FROM glperf.parameter_samples;
SELECT glperf.parameter_samples_reset()}), "1\n0\n",
	'not preloaded: no samples, no crash');

$node->stop;
done_testing();

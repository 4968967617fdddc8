# Generated statements through the what-if planner and the advisor: no crash,
# nothing left behind, every statement accounted for.
#
# GLPERF_FUZZ=20000 sets the number of statements (default 400), GLPERF_SEED
# the seed (default 1), to be named when reporting a failure.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sqlsmith = (grep { -x $_ } map { "$_/sqlsmith" } split(/:/, $ENV{PATH}), '/usr/bin', '/usr/games')[0];
plan skip_all => 'sqlsmith is not installed' unless $sqlsmith;
my $wanted = $ENV{GLPERF_FUZZ} || 400;
my $seed = $ENV{GLPERF_SEED} || 1;

my $node = PostgreSQL::Test::Cluster->new('fuzz');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
pg_stat_statements.max = 50000
log_statement = none
log_min_messages = warning
log_min_error_statement = panic
autovacuum = off
max_parallel_workers_per_gather = 1
});
$node->start;

# The same tables in two databases: one in which sqlsmith works and finds
# nothing but tables, one in which its statements are planned.
$node->safe_psql('postgres', 'CREATE DATABASE corpus');
my $schema = q{
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE TABLE app.people (id int PRIMARY KEY, name text NOT NULL, mood app.mood, born date,
	tags int[], doc jsonb, code char(8), worth numeric(10,2), spot point, seen tsrange,
	flags bit(4), key uuid, score float8, n app.positive, upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
INSERT INTO app.people SELECT i, 'name ' || i * 7 % 1000, (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::app.mood,
	'2020-01-01'::date + i % 700, ARRAY[i % 10, i % 7], jsonb_build_object('a', i % 50), i % 90,
	i / 7.0, point(i, i), tsrange('2020-01-01'::timestamp + i * interval '1 h', NULL), (i % 16)::bit(4),
	md5(i::text)::uuid, sqrt(i), i
FROM generate_series(1, 3000) i;
CREATE INDEX ON app.people (lower(name));
CREATE INDEX ON app.people (born) WHERE mood = 'sad';
CREATE INDEX ON app.people USING gin (tags);
CREATE TABLE app.events (id int8, person int REFERENCES app.people, at timestamptz, kind text COLLATE "C",
	dropped int, amount int2, ok boolean, payload bytea, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE app.events_2 (payload bytea, ok boolean, kind text COLLATE "C", amount int2, at timestamptz NOT NULL, person int, id int8 NOT NULL);
ALTER TABLE app.events DROP COLUMN dropped;
ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE app.events_x PARTITION OF app.events DEFAULT PARTITION BY HASH (id);
CREATE TABLE app.events_x1 PARTITION OF app.events_x FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.events_x2 PARTITION OF app.events_x FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.events SELECT i, 1 + i % 3000, '2020-01-01'::timestamptz + i * interval '4 h', 'kind ' || i % 20,
	i % 100, i % 2 = 0, 'x' FROM generate_series(1, 6000) i;
CREATE TABLE app.base (a int, b text, c int);
CREATE TABLE app.derived (d int) INHERITS (app.base);
INSERT INTO app.base SELECT i, i, i % 10 FROM generate_series(1, 2000) i;
INSERT INTO app.derived SELECT i, i, i % 10, i FROM generate_series(1, 2000) i;
CREATE STATISTICS app.base_s ON a, c FROM app.base;
CREATE VIEW app.sad AS SELECT * FROM app.people WHERE mood = 'sad';
CREATE VIEW app.daily AS SELECT at::date AS day, kind, count(*), sum(amount) FROM app.events GROUP BY 1, 2;
CREATE MATERIALIZED VIEW app.kinds AS SELECT kind, count(*) AS n FROM app.events GROUP BY kind;
CREATE UNLOGGED TABLE app.empty (LIKE app.people INCLUDING ALL);
CREATE RULE redirect AS ON INSERT TO app.empty DO ALSO INSERT INTO app.base (a) VALUES (NEW.id);
ALTER TABLE app.base ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.base USING (c < 9);
ANALYZE;
};
$node->safe_psql('corpus', $schema);
$node->safe_psql('postgres', $schema . q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE SCHEMA fuzz;
CREATE TABLE fuzz.statement (n serial, query text);
});

# The corpus, with literals: all that was generated, also what then failed.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/corpus.sql';
system_log(
	"timeout 3000 $sqlsmith --target=\"host=" . $node->host . ' port=' . $node->port
	  . " dbname=corpus options='-cstatement_timeout=300'\" --max-queries=$wanted --seed=$seed "
	  . "--exclude-catalog --dump-all-queries >$dump 2>/dev/null");
my @texts = grep { length $_ < 30000 && /\S/ } split /;\n/, slurp_file($dump);
cmp_ok(scalar @texts, '>', $wanted / 2, "sqlsmith generated " . scalar @texts . " statements");
open my $copy, '>', "$dump.copy" or die $!;
foreach my $text (@texts)
{
	my $copied = $text;
	$copied =~ s/\\/\\\\/g;
	$copied =~ s/\n/\\n/g;
	$copied =~ s/\t/\\t/g;
	$copied =~ s/\r/\\r/g;
	print $copy "$copied\n";
}
close $copy;
$node->safe_psql('postgres', "COPY fuzz.statement (query) FROM '$dump.copy'");
# and without: as pg_stat_statements has them
$node->safe_psql('postgres', q{
INSERT INTO fuzz.statement (query) SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE datname = 'corpus' AND query NOT LIKE '%fuzz%'});

# A pool of indexes of every kind; those that CREATE INDEX would refuse too.
$node->safe_psql('postgres', q{
CREATE TABLE fuzz.ddl AS
SELECT format(pattern, c.oid::regclass, quote_ident(a.attname), quote_ident(b.attname)) AS ddl
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	JOIN pg_attribute b ON b.attrelid = c.oid AND b.attnum > 0 AND NOT b.attisdropped AND b.attnum <> a.attnum,
	unnest(ARRAY['CREATE INDEX ON %1$s (%2$s)', 'CREATE INDEX ON %1$s (%2$s DESC NULLS LAST, %3$s)',
	'CREATE UNIQUE INDEX ON %1$s (%2$s) INCLUDE (%3$s)', 'CREATE INDEX ON %1$s (%2$s) WHERE %3$s IS NOT NULL',
	'CREATE INDEX ON %1$s ((%2$s::text), %3$s)', 'CREATE INDEX ON %1$s ((%2$s IS NULL)) WHERE %2$s IS NULL AND %3$s IS NULL',
	'CREATE INDEX ON %1$s USING hash (%2$s)', 'CREATE INDEX ON %1$s USING brin (%2$s, %3$s)',
	'CREATE INDEX ON %1$s USING gin (%2$s)', 'CREATE INDEX ON %1$s USING gist (%2$s)',
	'CREATE INDEX ON %1$s USING spgist (%2$s)']) pattern
WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p', 'm');
INSERT INTO fuzz.ddl SELECT 'DROP INDEX ' || oid::regclass FROM pg_class, generate_series(1, 20)
WHERE relnamespace = 'app'::regnamespace AND relkind IN ('i', 'I');
CREATE TABLE fuzz.result (n int, sqlstate text, message text, used int);
-- a few of those that are refused will do
CREATE FUNCTION fuzz.refused(ddl text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM glperf.whatif('SELECT 1', ARRAY[ddl]);
	RETURN false;
EXCEPTION WHEN OTHERS THEN
	RETURN true;
END $$;
DELETE FROM fuzz.ddl WHERE random() < 0.99 AND fuzz.refused(ddl);
});

my $left = q{
SELECT concat_ws(' ', pg_postmaster_start_time(),
	(SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace),
	(SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'app'),
	(SELECT count(*) FROM pg_prepared_xacts))};
my $before = $node->safe_psql('postgres', $left);
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

# Statement by statement, each with up to four indexes.
my $grown = $node->safe_psql('postgres', qq{
SELECT setseed(0.$seed);
SET client_min_messages = error;
CREATE FUNCTION fuzz.top() RETURNS int8 LANGUAGE sql AS
	\$\$SELECT total_bytes FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext'\$\$;
DO \$do\$
DECLARE
	s fuzz.statement;
	pool text[] := ARRAY(SELECT ddl FROM fuzz.ddl ORDER BY ddl);
	picked text[];
	used int;
	start int8;
BEGIN
	FOR s IN SELECT * FROM fuzz.statement ORDER BY n LOOP
		picked := ARRAY(SELECT pool[1 + floor(random() * cardinality(pool))::int] FROM generate_series(1, floor(random() * 5)::int));
		BEGIN
			SELECT cardinality(indexes_used) INTO used FROM glperf.whatif(s.query, picked);
			INSERT INTO fuzz.result VALUES (s.n, NULL, NULL, used);
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO fuzz.result VALUES (s.n, SQLSTATE, SQLERRM);
		END;
		start := coalesce(start, fuzz.top());
	END LOOP;
	INSERT INTO fuzz.result VALUES (0, 'memory', NULL, fuzz.top() - start);
END \$do\$;
SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE pid = pg_backend_pid() AND relnamespace = 'app'::regnamespace;});
like($grown, qr/^0$/m, 'no lock is left');
is( $node->safe_psql('postgres',
		'SELECT (SELECT count(*) FROM fuzz.result WHERE n > 0) = (SELECT count(*) FROM fuzz.statement)'),
	't', 'whatif() answered for every statement');
cmp_ok(
	$node->safe_psql('postgres', "SELECT used FROM fuzz.result WHERE n = 0"),
	'<=', 65536, 'TopMemoryContext stays as it is');
note($node->safe_psql('postgres', q{
SELECT coalesce(sqlstate, 'planned'), count(*), count(*) FILTER (WHERE used > 0) AS with_index, min(left(message, 100))
FROM fuzz.result WHERE n > 0 GROUP BY 1 ORDER BY 2 DESC}));
cmp_ok(
	$node->safe_psql('postgres', "SELECT count(*) FROM fuzz.result WHERE n > 0 AND sqlstate IS NULL"),
	'>', $wanted / 10, 'many statements were planned');
# Failure proved: our planning trips over what the server's own does not.
$node->safe_psql('postgres', q{
CREATE FUNCTION fuzz.explain_error(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'EXPLAIN ' || query;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$});
is( $node->safe_psql('postgres', q{
SELECT message, count(*), min(n) FROM fuzz.result JOIN fuzz.statement USING (n)
WHERE (sqlstate LIKE 'XX%' OR message ~ 'cache lookup|could not open relation|unrecognized|variable not found|no relation entry')
	AND message IS DISTINCT FROM fuzz.explain_error(query)
	AND query !~ '\$[0-9]'
GROUP BY 1}), '', 'no internal error, unless EXPLAIN gives it, too');

# All of them as workloads of up to 1000, as they are and normalised.
$node->safe_psql('postgres', q{
CREATE TABLE fuzz.batch AS SELECT n / 1000 AS batch, jsonb_agg(jsonb_build_object('query', query, 'calls', n) ORDER BY n) AS workload,
	count(*) AS statements FROM fuzz.statement GROUP BY 1;
CREATE FUNCTION fuzz.total() RETURNS numeric LANGUAGE sql AS
	$$SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name <> 'ExecutorState'$$;
CREATE TABLE fuzz.run (batch int, statements bool, accounted bool, calls bool, complete bool, reasons bool, costs bool, bytes numeric);
});
my $advice = $node->safe_psql('postgres', q{
SET client_min_messages = error;
DO $do$
DECLARE
	b fuzz.batch;
BEGIN
	FOR b IN SELECT * FROM fuzz.batch ORDER BY batch LOOP
		PERFORM count(*) FROM glperf.advise_indexes(workload => b.workload);
		INSERT INTO fuzz.run SELECT b.batch, s.statements = b.statements, s.statements = s.advised + s.no_gain + s.not_analysable,
			s.planner_calls <= 12 * s.statements, s.complete,
			(SELECT bool_and(outcome = 'advised' OR coalesce(reason, '') <> '') FROM glperf.advised_statements()),
			(SELECT coalesce(bool_and(cost_after <= cost_before * 2 AND cost_after >= 0 AND cost_after <> 'NaN'), true) FROM glperf.advised_statements()
				WHERE cost_after IS NOT NULL), fuzz.total() FROM glperf.advice_summary() s;
	END LOOP;
END $do$;
SELECT bool_and(statements), bool_and(accounted), bool_and(calls), bool_and(complete), bool_and(reasons), bool_and(costs) FROM fuzz.run;
});
is($advice, 't|t|t|t|t|t', 'advice on the whole corpus accounts for every statement')
  or diag($node->safe_psql('postgres', 'SELECT * FROM fuzz.run ORDER BY batch'));

# Failure proved: each run leaves some memory behind.
is( $node->safe_psql('postgres', q{
SET client_min_messages = error;
DO $do$
DECLARE
	b jsonb;
	sizes numeric[];
BEGIN
	FOR b IN SELECT workload FROM fuzz.batch WHERE batch IN (0, (SELECT max(batch) - 1 FROM fuzz.batch)) LOOP
		sizes := NULL;
		FOR i IN 1 .. 6 LOOP
			PERFORM count(*) FROM glperf.advise_indexes(workload => b);
			sizes := sizes || fuzz.total();
		END LOOP;
		INSERT INTO fuzz.result VALUES (-1, 'memory', sizes::text, (sizes[6] - sizes[2])::int);
	END LOOP;
END $do$;
SELECT message FROM fuzz.result WHERE n = -1 AND used > 500000}),
	'', 'memory stays level from run to run');
note($node->safe_psql('postgres', q{SELECT batch, bytes FROM fuzz.run ORDER BY batch}));

is($node->safe_psql('postgres', $left), $before, 'no table or index came, no row was written');

# What was advised can be created.
my ($ret, $out, $err) = $node->psql('postgres', q{
SET client_min_messages = error;
CREATE TABLE fuzz.advice AS SELECT row_number() OVER () AS n, step, table_name FROM glperf.advise_indexes(min_benefit_pct => 0,
	workload => (SELECT jsonb_agg(jsonb_build_object('query', query, 'time_ms', 1000)) FROM fuzz.statement WHERE n <= 2000)), unnest(steps) AS step;
SELECT step FROM fuzz.advice ORDER BY n \gexec
}, on_error_stop => 0);
is($err, '', 'every step of the advice executes')
  or diag($node->safe_psql('postgres', 'SELECT step FROM fuzz.advice ORDER BY n'));

# Our own functions with arguments that nobody thought of.
system_log(
	"timeout 600 $sqlsmith --target=\"host=" . $node->host . ' port=' . $node->port
	  . " dbname=postgres options='-cstatement_timeout=500'\" --max-queries=" . int($wanted / 4)
	  . " --seed=$seed --exclude-catalog >/dev/null 2>&1");
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started,
	'the server is the same');
unlike(slurp_file($node->logfile), qr/terminated by signal|TRAP|PANIC/, 'and did not crash');
# Failure proved: buffers, relations or snapshots are held beyond the analysis.
unlike(slurp_file($node->logfile), qr/WARNING: .* leak/, 'and nothing leaked');

$node->stop;
done_testing();

# Every statement of a real pg_stat_statements is accounted for: normalised
# ones are mended and planned, others are named for what they are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# without samples: only the normalised text is there
my $node = GlperfNode::start('statements', preload => 'pg_stat_statements',
	init => { extra => [ '--encoding=UTF8', '--no-locale' ] },
	conf => q{
max_parallel_workers_per_gather = 0
});
$node->safe_psql('postgres', q{
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c numeric, d date, ts timestamptz, iv interval,
	tm time, data jsonb, arr int[], u uuid, f float8, v bit(8), flag boolean);
INSERT INTO t SELECT i, i * 7919 % 10007, 'b' || i % 1000, i % 500, '2026-01-01'::date + i % 300,
	'2026-01-01'::timestamptz + i * interval '1 min', i % 100 * interval '1 min', '12:00',
	jsonb_build_object('k', i % 100), ARRAY[i % 10, i % 7], md5(i::text)::uuid, i / 7.0, i::bit(8), i % 2 = 0
FROM generate_series(1, 5000) i;
ANALYZE t;
});

# Statements that must be planned, however little of them is left.
my @shapes = (
	q{SELECT * FROM t WHERE ts > now() - interval '1 day'},
	q{SELECT * FROM t WHERE ts > now() - INTERVAL '90' MINUTE},
	q{SELECT * FROM t WHERE iv < interval(3) '1 hour'},
	q{SELECT * FROM t WHERE iv < interval '1-2' year to month},
	q{SELECT * FROM t WHERE d = date '2026-02-03'},
	q{SELECT * FROM t WHERE d BETWEEN DATE '2026-02-03' AND DATE '2026-02-05'},
	q{SELECT * FROM t WHERE ts >= timestamptz '2026-01-02'},
	q{SELECT * FROM t WHERE ts >= timestamp with time zone '2026-01-02'},
	q{SELECT * FROM t WHERE ts >= timestamp(3) without time zone '2026-01-02'},
	q{SELECT * FROM t WHERE tm > time '11:00'},
	q{SELECT * FROM t WHERE c > numeric '1.5' AND c < numeric(10,2) '2.5'},
	q{SELECT * FROM t WHERE f > double precision '1.5'},
	q{SELECT * FROM t WHERE flag = boolean 'true' AND b = text 'b7'},
	q{SELECT * FROM t WHERE u = uuid '00000000-0000-0000-0000-000000000000'},
	q{SELECT * FROM t WHERE data @> jsonb '{"k": 7}'},
	q{SELECT * FROM t WHERE b = pg_catalog.varchar 'b7'},
	q{SELECT extract(epoch FROM ts), extract(dow FROM d) FROM t WHERE a = 1},
	q{SELECT date_trunc('day', ts), count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 5},
	q{SELECT * FROM t JOIN generate_series(1, 10) g ON g = t.a},
	q{SELECT g, count(t.id) FROM generate_series('2026-01-01'::timestamptz, now(), interval '1 day') g LEFT JOIN t ON t.ts = g GROUP BY g},
	q{SELECT g, count(t.id) FROM generate_series(timestamptz '2026-01-01', timestamptz '2026-01-03', '1 day') g LEFT JOIN t ON t.ts = g GROUP BY g},
	q{SELECT * FROM t WHERE id = ANY (ARRAY[1, 2, 3])},
	q{SELECT * FROM t WHERE u = ANY (ARRAY['00000000-0000-0000-0000-000000000000'::uuid])},
	q{SELECT * FROM t WHERE arr && ARRAY[1, 2]},
	q{SELECT * FROM t WHERE b = ANY ('{b1, b2}')},
	q{SELECT * FROM t JOIN unnest(ARRAY[1, 2, 3]) x ON x = t.a},
	q{SELECT * FROM t JOIN (VALUES (1, 'x'), (2, 'y')) v (k, n) ON v.k = t.a},
	q{SELECT concat('x', b), format('%s-%s', a, 1) FROM t WHERE a = 1},
	q{SELECT json_build_object('a', a, 'n', 1) FROM t WHERE a = 1},
	q{SELECT jsonb_build_array(1, 'two', a) FROM t WHERE a = 1},
	q{SELECT coalesce(b, 'none'), nullif(a, 0), greatest(a, 5) FROM t WHERE a = 1},
	q{SELECT CASE WHEN a > 5 THEN 'big' ELSE 'small' END, sum(1) FROM t GROUP BY 1},
	q{SELECT data->>'k' FROM t WHERE data->>'k' = '7'},
	q{SELECT * FROM t WHERE data #>> '{k}' = '7'},
	q{SELECT * FROM t WHERE (a, b) > (5, 'b') ORDER BY a, b LIMIT 10 OFFSET 5},
	q{SELECT substring(b FROM 1 FOR 2), position('b' IN b), trim(both 'b' FROM b), overlay(b PLACING 'x' FROM 1) FROM t WHERE a = 1},
	q{SELECT * FROM t WHERE ts AT TIME ZONE 'UTC' > '2026-01-01'},
	q{SELECT to_char(ts, 'YYYY'), round(c, 2), a % 5, -7 FROM t WHERE a = 1},
	q{SELECT array_append(arr, 5), array_position(arr, 3), array_agg(5) FROM t WHERE a = 1 GROUP BY arr},
	q{SELECT * FROM t WHERE v = B'10101010' AND b LIKE 'b%' AND b !~ E'\\n'},
	q{SELECT lag(a, 1, 0) OVER (ORDER BY id), ntile(4) OVER (ORDER BY id) FROM t WHERE a = 1},
	q{SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f) FROM t WHERE a = 1},
	q{SELECT string_agg(b, ', ' ORDER BY id) FROM t WHERE a = 1},
	q{WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r JOIN t ON t.a = r.n},
	q{SELECT 'it''s -- not $1 a comment' || b, "id" FROM t /* interval '1 day' */ WHERE a = 1},
	q{SELECT * FROM t WHERE a IN (1, 2) AND b NOT IN ('x', 'y') AND id BETWEEN 5 AND 10},
	q{SELECT * FROM t WHERE a = (SELECT max(a) FROM t WHERE d < current_date - 7)},
	q{INSERT INTO t (id, ts, d) VALUES (100001, timestamptz '2026-01-01', date '2026-01-01')},
	q{UPDATE t SET ts = ts + interval '1 second' WHERE id = 100001},
	q{DELETE FROM t WHERE d = date '1999-01-01' AND id > 100000},
	# several of them at once, so that all of it is mended
	q{SELECT * FROM t WHERE iv = interval '1-2' YEAR TO MONTH OR iv > interval '5' SECOND(3) OR iv < interval '1' DAY TO SECOND(2)},
	q{SELECT ts AT TIME ZONE 'Europe/Berlin', ts AT TIME ZONE interval '1 hour' FROM t WHERE ts AT TIME ZONE 'UTC' > '2026-01-02' AND d = date '2026-01-02'},
	q{SELECT U&"\0061", U&'d\0061t', E'\x41', X'1F', N'national', B'1' FROM t WHERE a = 5},
	q{SELECT * FROM t WHERE b = U&'d!0061' UESCAPE '!'},
	q{SELECT arr[1:2], array[[1, 2], [3, 4]], array_fill(0, array[3]), arr || 5, arr || array[6] FROM t WHERE a = 5},
	q{PREPARE often (int) AS SELECT * FROM t WHERE a = $1 AND b = 'b5'; EXECUTE often(7); EXECUTE often(8)},
	q{PREPARE untyped AS UPDATE t SET f = $1 WHERE id = $2 AND d > date '2026-01-01'; EXECUTE untyped(1.5, -1)},
	q{CREATE MATERIALIZED VIEW totals AS SELECT a, count(*) AS n FROM t WHERE d > '2026-02-01' GROUP BY a; REFRESH MATERIALIZED VIEW totals},
	q{COPY (SELECT * FROM t WHERE a = 77) TO '/dev/null'; CREATE TABLE copied AS SELECT * FROM t WHERE a = 78; EXPLAIN SELECT * FROM t WHERE a = 79},
	q{BEGIN; DECLARE c SCROLL CURSOR FOR SELECT * FROM t WHERE a > 5 ORDER BY a; CLOSE c; COMMIT},
	q{SELECT a, d, sum(c), grouping(a, d) FROM t WHERE id < 100 GROUP BY GROUPING SETS ((a), ROLLUP (d), ())},
	q{SELECT count(*) FROM t TABLESAMPLE bernoulli (5.5) REPEATABLE (42) WHERE a = 5},
	q{SELECT * FROM t WHERE a > 5 ORDER BY a FETCH FIRST 3 ROWS WITH TIES},
	q{SELECT * FROM t WHERE a IN (} . join(',', 1 .. 1000) . q{) FOR UPDATE SKIP LOCKED},
	q{SELECT * FROM t WHERE b ~ ANY (array['^b1', 'b2$']) AND a IS DISTINCT FROM 5 AND (a, b) IS NOT NULL AND b COLLATE "C" > 'b'},
	q{WITH d AS (DELETE FROM t WHERE a = -5 RETURNING *), i AS (INSERT INTO t SELECT * FROM d RETURNING id) SELECT count(*) FROM i},
);
$node->safe_psql('postgres', join(";\n", 'SELECT pg_stat_statements_reset()', @shapes));

# The advice's account, by outcome.
sub account
{
	return $node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.advise_indexes() \g /dev/null
} . $_[0]);
}
my $failed = account(q{
SELECT query || E'\n    ' || reason FROM glperf.advised_statements()
WHERE outcome = 'not analysable' AND query ~ '\mt\M' AND query !~ 'reset' ORDER BY 1});

# Failure proved: ordinary statements are left out of the advice.
is($failed, '', scalar(@shapes) . ' normalised shapes are planned');
is(account(q{SELECT count(*) >= } . scalar(@shapes) . q{ FROM glperf.advised_statements()}), 't', 'each of them is there');

# Statements that have no plan, or none that an index could better, are named.
my $has_fdw = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'file_fdw'});
$node->safe_psql('postgres', q{
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE elsewhere (line text) SERVER files OPTIONS (filename '/dev/null');
CREATE VIEW far AS SELECT line FROM elsewhere;
}) if $has_fdw;
$node->safe_psql('postgres', q{
SELECT pg_stat_statements_reset();
CREATE TEMP TABLE "My temp" AS SELECT id, a FROM t WHERE a < 100;
SELECT count(*) FROM "My temp" WHERE a = 7;
CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS scratch (a int, b text);
INSERT INTO scratch SELECT a, b FROM t;
UPDATE pg_temp.scratch SET b = 'x' WHERE a = 7;
SELECT a, b INTO TEMP TABLE other FROM t WHERE a < 50;
SELECT sum(a) FROM other;
VACUUM t;
SET work_mem = '8MB';
BEGIN;
CREATE TABLE gone (a int);
SELECT count(*) FROM gone;
COMMIT;
DROP TABLE gone;
CHECKPOINT;
COPY t (id) TO '/dev/null';
SELECT relname FROM pg_class WHERE relname = 'x';
SELECT 1;
DO $$BEGIN PERFORM 1; END$$;
});
$node->safe_psql('postgres', 'SELECT count(*) FROM elsewhere; SELECT count(*) FROM far;') if $has_fdw;
my %named = (
	'count%"My temp"%' => 'not analysable: reads temporary table "My temp", which is gone with its session',
	'INSERT INTO scratch%' => 'not analysable: reads temporary table scratch, which is gone with its session',
	'UPDATE pg_temp%' => 'not analysable: reads temporary table scratch, which is gone with its session',
	'SELECT sum(a) FROM other' => 'not analysable: reads temporary table other, which is gone with its session',
	'VACUUM t' => 'not analysable: utility statement VACUUM has no plan',
	'SET work_mem%' => 'not analysable: utility statement SET has no plan',
	'BEGIN' => 'not analysable: utility statement BEGIN has no plan',
	'CREATE TABLE gone%' => 'not analysable: utility statement CREATE TABLE has no plan',
	'CREATE LOCAL%' => 'not analysable: utility statement CREATE TABLE has no plan',
	'CHECKPOINT' => 'not analysable: utility statement CHECKPOINT has no plan',
	'COPY%' => 'not analysable: utility statement COPY has no plan',
	'DO %' => 'not analysable: utility statement DO has no plan: what it runs is recorded with pg_stat_statements.track = all',
	'SELECT count(*) FROM gone' => 'not analysable: relation "gone" does not exist: it was dropped, renamed or temporary, or is not in the search_path "$user", public',
	'SELECT relname%' => 'no gain: reads system catalogs, whose indexes are fixed',
	'SELECT $1' => 'no gain: reads no table',
	$has_fdw
	? ( '%FROM elsewhere' => 'not analysable: reads foreign table elsewhere, for which planning may contact another server',
		'%FROM far' => 'not analysable: reads foreign table elsewhere, for which planning may contact another server')
	: ());
foreach my $pattern (sort keys %named)
{
	my $like = $pattern =~ s/'/''/gr;

	$like = "%$like" if $like =~ /^count/;
	# Failure proved: people look for a statement's advice and find no answer.
	is(account(qq{SELECT DISTINCT outcome || ': ' || reason FROM glperf.advised_statements() WHERE query LIKE '$like'}),
		$named{$pattern}, "named: $pattern");
}
# Failure proved: variables of functions are taken for columns that do not exist.
$node->safe_psql('postgres', q{
CREATE FUNCTION work(wanted int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE found int; later date := '2026-03-01'; r record; few int := 3;
BEGIN
	SELECT count(*) INTO found FROM t WHERE c = wanted AND d > later;
	FOR r IN SELECT id, wanted AS w FROM t WHERE c = wanted ORDER BY ts LIMIT few LOOP
		UPDATE t SET a = r.w WHERE id = r.id AND b = 'b7';
	END LOOP;
END $$;
CREATE FUNCTION plus(wanted int) RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT count(*) + wanted FROM t WHERE tm > '12:00' AND c = wanted $$;
CREATE FUNCTION folded(wanted int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE r int; few int := 5;
BEGIN
	r := (SELECT count(*) FROM t WHERE t.a = few AND t.f > round(7.5));
	IF NOT EXISTS (SELECT FROM t WHERE t.a = few AND t.c > 498) THEN r := 5; END IF;
	-- pg_stat_statements calls it top-level
	SELECT count(*) INTO STRICT r /* of them */ FROM t WHERE a = 7 AND c = wanted AND id > few;
	RETURN r;
END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM t WHERE t.a = NEW.a AND t.c > 499) THEN NEW.b := (SELECT max(t.b) FROM t WHERE t.a = NEW.a AND t.f < 3); END IF;
	NEW.b := (SELECT max(t.b) FROM t WHERE t.a = NEW.a AND t.f > 3);
	RETURN NEW;
END $$;
CREATE TABLE touched (a int, b text);
CREATE TRIGGER touch BEFORE INSERT ON touched FOR EACH ROW EXECUTE FUNCTION touch();
SET pg_stat_statements.track = 'all';
SET pg_stat_statements.track_planning = on;
SELECT work(7);
SELECT plus(a) FROM generate_series(1, 2) a;
SELECT * FROM t WHERE id = folded(7);
INSERT INTO touched VALUES (5);
});
is(account(q{SELECT string_agg(outcome || coalesce(': ' || reason, ''), E'\n' ORDER BY query) FROM glperf.advised_statements()
WHERE query ~ '\mt\M' AND query ~ 'wanted|r\.id' AND query !~ 'CREATE' AND outcome = 'not analysable'}), '', 'statements inside functions are planned');
is(account(q{SELECT count(*) FROM glperf.advised_statements() WHERE query ~ '\mt\M' AND query ~ 'wanted|r\.id' AND query !~ 'CREATE'}), '5',
	'... all of them');
is(account(q{SELECT string_agg(DISTINCT outcome || coalesce(': ' || reason, ''), E'\n') FROM glperf.advised_statements()
WHERE query ~ 'c = wanted AND id > few|NEW\.a AND' AND query !~ 'CREATE' AND outcome = 'not analysable'}), '',
	'... also those of functions that planning ran, and expressions');
is(account(q{SELECT count(*) FROM glperf.advised_statements() WHERE query ~ 'c = wanted AND id > few|NEW\.a AND' AND query !~ 'CREATE'}), '3',
	'... all of these, too');
is( account(q{SELECT count(*), string_agg(reason, E'\n') FILTER (WHERE outcome = 'not analysable') FROM glperf.advised_statements()
WHERE query ~ '^(r := \(SELECT|NOT EXISTS)'}), '2|', '... and expressions of those');
# of 5 alone is left
is( account(q{SELECT DISTINCT outcome || ': ' || reason FROM glperf.advised_statements() WHERE query = '$1'}),
	'no gain: reads no table', '... however little of them is left');
# what stands in no function is a column that is gone
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.advise_indexes(workload => '[{"query": "SELECT count(*) FROM t WHERE nowhere_found = $1 AND a = 5"}]') \g /dev/null
SELECT reason FROM glperf.advised_statements()}),
	'column "nowhere_found" does not exist: it was dropped or renamed, or is a variable of a function that has changed since',
	'a column that is gone is no variable');
# as later servers normalise it
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.advise_indexes(workload => '[{"query": "SET work_mem = $1"}, {"query": "SELEC 1"},
	{"query": "SELEC a FROM t"}, {"query": "SELEC 2", "toplevel": false}]') \g /dev/null
SELECT string_agg(reason, '; ' ORDER BY query) FROM glperf.advised_statements()}),
	'syntax error at or near "SELEC"; ' x 3 . 'utility statement SET has no plan', 'a utility statement with a parameter');
# a temporary table of the session that asks is there, and left alone
is( $node->safe_psql('postgres', q{
CREATE TEMP TABLE mine AS SELECT g AS a FROM generate_series(1, 10000) g;
ANALYZE mine;
SELECT count(*) FROM glperf.advise_indexes(workload => '[{"query": "SELECT * FROM mine WHERE a = 7", "calls": 1000}]') \g /dev/null
SELECT outcome || ': ' || reason FROM glperf.advised_statements()}),
	'no gain: reads a temporary table, whose indexes are up to the session that makes it', "one's own temporary table");
is(account(q{SELECT count(*) - (SELECT count(*) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
	WHERE d.datname = current_database()) BETWEEN -4 AND 0 FROM glperf.advised_statements()}),
	't', 'as many rows as pg_stat_statements has, but for those of this very question');

$node->stop;
done_testing();

# Costs with made-up indexes against costs with the real ones.
#
# Each case is planned by whatif(), then the indexes are built, the statement
# is explained, and everything is rolled back.  The tables have fewer rows than
# ANALYZE samples, so that nothing depends on chance.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# How far a made-up index's cost may be from the real one's.
my $tolerance = 0.03;

my $node = GlperfNode::start('cost',
	init => { extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ] },
	conf => q{
max_parallel_workers_per_gather = 0
jit = off
});
my $trgm = $node->safe_psql('postgres',
	q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'});

$node->safe_psql('postgres', q{
CREATE SCHEMA ext;
CREATE SCHEMA app;
ALTER DATABASE postgres SET search_path = app;
});
$node->safe_psql('postgres', 'CREATE EXTENSION pg_trgm SCHEMA ext') if $trgm;
# not the database's collation, also on a server that was built without ICU
my $icu = $node->safe_psql('postgres',
	q{SELECT count(*) FROM pg_collation WHERE collname = 'en-x-icu'});
$node->safe_psql('postgres',
	'CREATE COLLATION app.names FROM ' . ($icu ? '"en-x-icu"' : '"POSIX"'));
$node->safe_psql('postgres', q{
CREATE TABLE ev (id int PRIMARY KEY, agent text NOT NULL, status text NOT NULL,
	created timestamptz NOT NULL, score int, amount numeric(10,2), flag boolean,
	name text COLLATE names, mail text, note text);
INSERT INTO ev SELECT i, 'agent ' || i * 7919 % 500,
	CASE WHEN i % 50 = 0 THEN 'pending' WHEN i % 3 = 0 THEN 'failed' ELSE 'done' END,
	'2026-01-01 00:00+00'::timestamptz + i * interval '1 minute',
	CASE WHEN i % 20 > 0 THEN i * 14929 % 20011 END, i % 977 / 7.0, i % 100 = 0,
	'Name ' || i * 31 % 4001, 'User' || i * 17 % 25000 || '@Example.COM',
	repeat('x', 100) || i
FROM generate_series(1, 25000) i;
-- grew since its statistics were made
CREATE TABLE grown (id int, at timestamptz, k int, filler text);
INSERT INTO grown SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute',
	i * 7919 % 5003, repeat('g', 80) FROM generate_series(1, 20000) i;
CREATE TABLE item (id int PRIMARY KEY, ev_id int NOT NULL, kind int NOT NULL, qty int, body text);
INSERT INTO item SELECT i, i * 7919 % 25000 + 1, i % 20, i % 13, repeat('y', 60)
FROM generate_series(1, 29000) i;
CREATE TABLE doc (id int PRIMARY KEY, tags int[], data jsonb, body text, words tsvector);
INSERT INTO doc SELECT i, ARRAY[i % 997, 1000 + i % 211, 2000 + i * 31 % 1499],
	jsonb_build_object('kind', 'k' || i % 300, 'n', i % 2000, 'tags', jsonb_build_array('t' || i % 50, 'u' || i % 900)),
	'body ' || md5(i::text) || ' ' || md5((i * 7)::text),
	to_tsvector('simple', 'w' || i % 700 || ' v' || i % 1300 || ' common')
FROM generate_series(1, 20000) i;
-- where a GIN index has posting trees
CREATE TABLE page (id int, tags int[], body text);
INSERT INTO page SELECT i, ARRAY[i % 7, 10 + i % 41, 100 + i % 3001], 'see https://example.com/' || i % 100 || '/' || md5(i::text)
FROM generate_series(1, 29500) i;
CREATE TABLE part (id int NOT NULL, k int, at date NOT NULL, v text) PARTITION BY RANGE (at);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE part2 (v text, at date NOT NULL, k int, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE part3 PARTITION OF part FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO part SELECT i, i * 7919 % 5003, '2026-01-01'::date + i / 320, repeat('p', 80)
FROM generate_series(0, 28000) i;
VACUUM (FREEZE, ANALYZE) ev, item, doc, page, part, grown;
INSERT INTO grown SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute',
	i * 7919 % 5003, repeat('g', 80) FROM generate_series(20001, 26000) i;

-- total cost with the real indexes, which are gone afterwards
CREATE FUNCTION real_cost(query text, ddl text[], target text) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
	d text;
	plan json;
	cost float8;
BEGIN
	FOREACH d IN ARRAY ddl LOOP EXECUTE d; END LOOP;
	IF target <> '' THEN EXECUTE 'ANALYZE ' || target; END IF;
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	cost := plan->0->'Plan'->>'Total Cost';
	RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
	RETURN cost;
END $$;
CREATE TABLE result (name text, made_up float8, built float8, used int, expected int, plan text);
});

# name, statement, DDL, table to analyse after building ('' for none), how many
# of the indexes must be used
my @cases = (
	[ 'point lookup', q{SELECT * FROM ev WHERE agent = 'agent 7'}, ['CREATE INDEX i ON ev (agent)'] ],
	[ 'unique value', q{SELECT * FROM ev WHERE mail = 'User17@Example.COM'}, ['CREATE INDEX i ON ev (mail)'] ],
	[ 'numeric', q{SELECT * FROM ev WHERE amount = 5.00}, ['CREATE INDEX i ON ev (amount)'] ],
	[ 'parameter', q{SELECT * FROM ev WHERE created BETWEEN '2026-01-02' AND '2026-01-03' AND score > 19000}, ['CREATE INDEX i ON ev (created, score)'] ],
	[ 'IN list', q{SELECT * FROM ev WHERE score IN (1, 5, 77, 19, 2047, 3000)}, ['CREATE INDEX i ON ev (score)'] ],
	[ 'IN list, second column', q{SELECT * FROM ev WHERE agent = 'agent 7' AND status IN ('pending', 'failed')}, ['CREATE INDEX i ON ev (agent, status)'] ],
	[ 'IS NULL', q{SELECT * FROM ev WHERE score IS NULL AND created < '2026-01-02'}, ['CREATE INDEX i ON ev (score, created)'] ],
	[ 'ORDER BY LIMIT', q{SELECT * FROM ev ORDER BY created LIMIT 10}, ['CREATE INDEX i ON ev (created)'] ],
	[ 'ORDER BY DESC LIMIT', q{SELECT * FROM ev ORDER BY created DESC LIMIT 10}, ['CREATE INDEX i ON ev (created)'] ],
	[ 'ORDER BY NULLS FIRST', q{SELECT * FROM ev ORDER BY score NULLS FIRST LIMIT 10}, ['CREATE INDEX i ON ev (score NULLS FIRST)'] ],
	[ 'ORDER BY DESC NULLS LAST', q{SELECT * FROM ev ORDER BY score DESC NULLS LAST LIMIT 100}, ['CREATE INDEX i ON ev (score DESC NULLS LAST)'] ],
	[ 'ORDER BY two columns', q{SELECT * FROM ev ORDER BY agent DESC, created LIMIT 20}, ['CREATE INDEX i ON ev (agent DESC, created)'] ],
	[ 'equality and ORDER BY LIMIT', q{SELECT * FROM ev WHERE agent = 'agent 7' ORDER BY created DESC LIMIT 5}, ['CREATE INDEX i ON ev (agent, created DESC)'] ],
	[ 'incremental sort', q{SELECT * FROM ev ORDER BY agent, created LIMIT 5}, ['CREATE INDEX i ON ev (agent)'] ],
	[ 'range, correlated', q{SELECT * FROM ev WHERE created < '2026-01-03'}, ['CREATE INDEX i ON ev (created)'] ],
	[ 'range, uncorrelated', q{SELECT * FROM ev WHERE score BETWEEN 100 AND 400}, ['CREATE INDEX i ON ev (score)'] ],
	[ 'range, two columns', q{SELECT * FROM ev WHERE agent = 'agent 7' AND created >= '2026-01-10'}, ['CREATE INDEX i ON ev (agent, created)'] ],
	[ 'index only', q{SELECT score FROM ev WHERE score < 2000}, ['CREATE INDEX i ON ev (score)'] ],
	[ 'index only, count', q{SELECT count(*) FROM ev WHERE agent > 'agent 4'}, ['CREATE INDEX i ON ev (agent)'] ],
	[ 'INCLUDE', q{SELECT sum(amount) FROM ev WHERE agent = 'agent 7'}, ['CREATE INDEX i ON ev (agent) INCLUDE (amount)'] ],
	[ 'partial', q{SELECT * FROM ev WHERE status = 'pending' ORDER BY created LIMIT 10}, [q{CREATE INDEX i ON ev (created) WHERE status = 'pending'}] ],
	[ 'partial, boolean', q{SELECT * FROM ev WHERE flag AND score < 5000}, [q{CREATE INDEX i ON ev (score) WHERE flag}] ],
	[ 'partial, nulls left out', q{SELECT * FROM ev WHERE score > 19500}, [q{CREATE INDEX i ON ev (score) WHERE score IS NOT NULL}] ],
	[ 'beyond the histogram', q{SELECT * FROM grown WHERE at > '2026-01-15 12:00+00'}, ['CREATE INDEX i ON grown (at)'] ],
	[ 'beyond the histogram, DESC', q{SELECT * FROM grown WHERE at > '2026-01-15 12:00+00'}, ['CREATE INDEX i ON grown (at DESC)'] ],
	[ 'beyond the histogram, second column', q{SELECT * FROM grown WHERE k = 7 AND at > '2026-01-15 12:00+00'}, ['CREATE INDEX i ON grown (k, at)'] ],
	[ 'beyond, order and limit', q{SELECT * FROM grown WHERE at > '2026-01-18' ORDER BY at LIMIT 50}, ['CREATE INDEX i ON grown (at)'] ],
	[ 'expression', q{SELECT * FROM ev WHERE lower(mail) = 'user17@example.com'}, ['CREATE INDEX i ON ev (lower(mail))'], 'ev' ],
	[ 'expression, few values', q{SELECT * FROM ev WHERE upper(agent) = 'AGENT 7' AND score > 19000}, ['CREATE INDEX i ON ev (upper(agent), score)'], 'ev' ],
	[ 'expression, range', q{SELECT * FROM ev WHERE date_trunc('day', created AT TIME ZONE 'UTC') < '2026-01-02'}, [q{CREATE INDEX i ON ev (date_trunc('day', created AT TIME ZONE 'UTC'))}], 'ev' ],
	[ 'expression, arithmetic order', q{SELECT * FROM ev WHERE score + id > 40000 ORDER BY score + id LIMIT 10}, ['CREATE INDEX i ON ev ((score + id))'], 'ev' ],
	[ 'expression, jsonb', q{SELECT * FROM doc WHERE data->>'kind' = 'k7'}, [q{CREATE INDEX i ON doc ((data->>'kind'))}], 'doc' ],
	[ 'expression, partial', q{SELECT * FROM ev WHERE status = 'pending' AND lower(agent) = 'agent 50'}, [q{CREATE INDEX i ON ev (lower(agent)) WHERE status = 'pending'}], 'ev' ],
	[ 'hash', q{SELECT * FROM ev WHERE agent = 'agent 7'}, ['CREATE INDEX i ON ev USING hash (agent)'] ],
	[ 'hash, long key', q{SELECT * FROM ev WHERE note = 'x'}, ['CREATE INDEX i ON ev USING hash (note)'] ],
	[ 'BRIN, correlated', q{SELECT * FROM ev WHERE created < '2026-01-02'}, ['CREATE INDEX i ON ev USING brin (created)'] ],
	[ 'BRIN, not correlated', q{SELECT * FROM ev WHERE score < 200}, ['CREATE INDEX i ON ev USING brin (score)'], '', 0 ],
	[ 'GIN array @>', q{SELECT * FROM doc WHERE tags @> '{7}'}, ['CREATE INDEX i ON doc USING gin (tags)'] ],
	[ 'GIN array &&', q{SELECT * FROM doc WHERE tags && '{7, 1100}'}, ['CREATE INDEX i ON doc USING gin (tags)'] ],
	[ 'GIN array, frequent key', q{SELECT count(*) FROM page WHERE tags @> '{3, 17}'}, ['CREATE INDEX i ON page USING gin (tags)'] ],
	[ 'GIN array, rare key', q{SELECT * FROM page WHERE tags @> '{777}'}, ['CREATE INDEX i ON page USING gin (tags)'] ],
	[ 'GIN jsonb @>', q{SELECT * FROM doc WHERE data @> '{"kind": "k7"}'}, ['CREATE INDEX i ON doc USING gin (data)'] ],
	[ 'GIN jsonb ?', q{SELECT * FROM doc WHERE data->'tags' ? 'u77'}, [q{CREATE INDEX i ON doc USING gin ((data->'tags'))}] ],
	[ 'GIN jsonb_path_ops', q{SELECT * FROM doc WHERE data @> '{"n": 77}'}, ['CREATE INDEX i ON doc USING gin (data jsonb_path_ops)'] ],
	[ 'GIN tsvector', q{SELECT * FROM doc WHERE words @@ 'w7 & v77'::tsquery}, ['CREATE INDEX i ON doc USING gin (words)'] ],
	( $trgm
		? (
			[ 'trigram LIKE', q{SELECT * FROM doc WHERE body LIKE '%a87ff679%'}, ['CREATE INDEX i ON doc USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram, many rows each', q{SELECT * FROM page WHERE body LIKE '%example.com/42/abc%'}, ['CREATE INDEX i ON page USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram, regular expression', q{SELECT * FROM page WHERE body ~ 'com/4[23]/abcd'}, ['CREATE INDEX i ON page USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram ILIKE', q{SELECT * FROM ev WHERE mail ILIKE '%user17@%'}, ['CREATE INDEX i ON ev USING gin (mail ext.gin_trgm_ops)'] ],
		  )
		: ()),
	[ 'COLLATE "C"', q{SELECT * FROM ev WHERE name COLLATE "C" > 'Name 395'}, ['CREATE INDEX i ON ev (name COLLATE "C")'] ],
	[ 'other collation, range', q{SELECT * FROM ev WHERE name > 'Name 395'}, ['CREATE INDEX i ON ev (name)'] ],
	[ 'text_pattern_ops', q{SELECT * FROM ev WHERE name LIKE 'Name 395%'}, ['CREATE INDEX i ON ev (name text_pattern_ops)'] ],
	[ 'nested loop, inner', q{SELECT * FROM ev JOIN item ON item.ev_id = ev.id WHERE ev.id < 20}, ['CREATE INDEX i ON item (ev_id)'] ],
	[ 'nested loop, two columns', q{SELECT * FROM ev JOIN item ON item.ev_id = ev.id WHERE ev.id < 20 AND item.kind = 3}, ['CREATE INDEX i ON item (ev_id, kind)'] ],
	[ 'nested loop, two indexes', q{SELECT * FROM ev JOIN item ON item.ev_id = ev.id WHERE ev.agent = 'agent 7'}, ['CREATE INDEX i ON item (ev_id)', 'CREATE INDEX j ON ev (agent)'], '', 2 ],
	[ 'semi-join', q{SELECT * FROM ev WHERE agent = 'agent 7' AND EXISTS (SELECT 1 FROM item WHERE ev_id = ev.id AND kind = 3)}, ['CREATE INDEX i ON item (ev_id, kind)', 'CREATE INDEX j ON ev (agent)'], '', 2 ],
	[ 'inequality join', q{SELECT count(*) FROM ev e JOIN item ON item.id BETWEEN e.score AND e.score + 3 JOIN ev f ON f.score > item.id + 20000 WHERE e.agent = 'agent 7'}, ['CREATE INDEX i ON ev (score)', 'CREATE INDEX j ON ev (agent)'], '', 2 ],
	[ 'merge join', q{SELECT item.ev_id, ev.id FROM ev JOIN item ON item.ev_id = ev.id ORDER BY ev.id}, ['CREATE INDEX i ON item (ev_id)'] ],
	[ 'min and max', q{SELECT min(score), max(score) FROM ev}, ['CREATE INDEX i ON ev (score)'], '', 1 ],
	[ 'DISTINCT', q{SELECT DISTINCT agent FROM ev ORDER BY agent LIMIT 20}, ['CREATE INDEX i ON ev (agent)'] ],
	[ 'GROUP BY', q{SELECT score, count(*) FROM ev GROUP BY score ORDER BY score}, ['CREATE INDEX i ON ev (score)'] ],
	[ 'bitmap AND', q{SELECT * FROM ev WHERE amount BETWEEN 1 AND 30 AND score BETWEEN 100 AND 2000}, ['CREATE INDEX i ON ev (amount)', 'CREATE INDEX j ON ev (score)'], '', 1 ],
	[ 'bitmap OR', q{SELECT * FROM ev WHERE agent = 'agent 7' OR score = 55}, ['CREATE INDEX i ON ev (agent)', 'CREATE INDEX j ON ev (score)'], '', 2 ],
	[ 'index on the partitioned table', q{SELECT * FROM part WHERE k = 7}, ['CREATE INDEX i ON part (k)'] ],
	[ 'partition pruned', q{SELECT * FROM part WHERE k = 7 AND at = '2026-02-10'}, ['CREATE INDEX i ON part (k, at)'] ],
	[ 'index on one partition', q{SELECT * FROM part2 WHERE k BETWEEN 7 AND 60}, ['CREATE INDEX i ON part2 (k)'] ],
	[ 'partitions in order', q{SELECT * FROM part ORDER BY at, id LIMIT 10}, ['CREATE INDEX i ON part (at, id)'] ],
	[ 'UPDATE', q{UPDATE ev SET flag = true WHERE agent = 'agent 7'}, ['CREATE INDEX i ON ev (agent)'] ],
	[ 'DELETE', q{DELETE FROM item WHERE ev_id = 77}, ['CREATE INDEX i ON item (ev_id)'] ],
);

sub quote { my $s = shift; $s =~ s/'/''/g; return "'$s'" }
my $sql = '';
foreach my $case (@cases)
{
	my ($name, $query, $ddl, $analyse, $used) = @$case;
	my $array = 'ARRAY[' . join(', ', map { quote($_) } @$ddl) . ']';

	$sql .= 'INSERT INTO result SELECT ' . quote($name) . ', cost_after, real_cost('
	  . join(', ', quote($query), $array, quote($analyse // '')) . '), '
	  . '(SELECT count(DISTINCT u) FROM unnest(indexes_used) u WHERE u IN (\'i\', \'j\')), '
	  . ($used // 1) . ', plan_after FROM glperf.whatif(' . quote($query) . ", $array);\n";
}
$node->safe_psql('postgres', $sql);
note($node->safe_psql('postgres', q{
SELECT format('%-38s built %12s made up %12s ratio %6s used %s', name, round(built::numeric, 2),
	round(made_up::numeric, 2), round((made_up / built)::numeric, 3), used)
FROM result ORDER BY abs(ln(made_up / built)) DESC}));

cmp_ok(scalar(@cases), '>=', 30, 'at least 30 cases');
foreach my $case (@cases)
{
	my $name = $case->[0];

	# Failure proved: advice weighs this kind of access too high or too low.
	is($node->safe_psql('postgres', "SELECT abs(made_up / built - 1) <= $tolerance FROM result WHERE name = " . quote($name)),
		't', "$name: cost as with the real index")
	  or diag($node->safe_psql('postgres', 'SELECT made_up, built, plan FROM result WHERE name = ' . quote($name)));
	# Failure proved: the case compares plans that use no index.
	is($node->safe_psql('postgres', 'SELECT used >= expected FROM result WHERE name = ' . quote($name)),
		't', "$name: index used");
}

$node->stop;
done_testing();

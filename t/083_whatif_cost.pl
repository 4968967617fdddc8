# Costs with made-up indexes against costs with the real ones.
#
# Each case is planned by whatif(), then the indexes are built, the statement
# is planned again, and everything is rolled back: cost and nodes have to agree.  The tables have fewer rows than
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
my %has = map { $_ => 1 } split /\n/, $node->safe_psql('postgres',
	q{SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'btree_gin')});

$node->safe_psql('postgres', q{
CREATE SCHEMA ext;
CREATE SCHEMA app;
ALTER DATABASE postgres SET search_path = app;
});
$node->safe_psql('postgres', "CREATE EXTENSION $_ SCHEMA ext") foreach sort keys %has;
$node->safe_psql('postgres', 'CREATE TABLESPACE slow LOCATION \'' . PostgreSQL::Test::Utils::tempdir() . q{'});
$node->safe_psql('postgres', 'ALTER TABLESPACE slow SET (random_page_cost = 40)');
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
-- has statistics of little detail
CREATE TABLE coarse (id int, at timestamptz, r int, filler text);
ALTER TABLE coarse ALTER at SET STATISTICS 10, ALTER r SET STATISTICS 10;
INSERT INTO coarse SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute',
	i * 7919 % 25013, repeat('c', 80) FROM generate_series(1, 25000) i;
-- whole numbers that a finer histogram cannot divide evenly
CREATE TABLE months (id int, seq int, filler text);
INSERT INTO months SELECT i, i / 43, repeat('m', 40) FROM generate_series(1, 29500) i;
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
-- types with orders of their own, and an index of another kind beside
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'gone');
CREATE TABLE kind (id int PRIMARY KEY, mood mood, ip inet, place point, small int2, tenant int,
	note text);
INSERT INTO kind SELECT i, (ARRAY['sad', 'ok', 'happy', 'gone'])[1 + i % 40 / 13]::mood,
	('10.' || i % 200 || '.' || i % 77 || '.' || i % 250)::inet, point(i % 100, i % 77), (i % 999)::int2,
	i % 150, 'a note ' || i % 3000
FROM generate_series(1, 12000) i;
CREATE INDEX kind_place ON kind USING spgist (place);
CREATE TABLE long (id int, key uuid, text text);
INSERT INTO long SELECT i, md5(i::text)::uuid, (SELECT string_agg(md5((i * 20 + j)::text), '') FROM generate_series(1, 20) j)
FROM generate_series(1, 12000) i;
-- rows in their order, many of them gone, and others rewritten
CREATE TABLE dead (id int, k int, at timestamptz, filler text);
INSERT INTO dead SELECT i, i * 7919 % 30011, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', repeat('d', 70)
FROM generate_series(1, 28000) i;
CREATE TABLE moved (id int, k int, v int, filler text);
INSERT INTO moved SELECT i, i * 7919 % 30011, i % 50, repeat('m', 100) FROM generate_series(1, 29000) i;
CREATE TABLE unseen (id int, k int, filler text) WITH (autovacuum_enabled = off);
INSERT INTO unseen SELECT i, i % 3000, repeat('u', 70) FROM generate_series(1, 20000) i;
-- partitions of partitions
CREATE TABLE tree (id int NOT NULL, region text NOT NULL, at date NOT NULL, k int, tags text[]) PARTITION BY LIST (region);
CREATE TABLE tree_a PARTITION OF tree FOR VALUES IN ('a') PARTITION BY RANGE (at);
CREATE TABLE tree_a1 PARTITION OF tree_a FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE tree_a2 PARTITION OF tree_a FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE tree_b PARTITION OF tree DEFAULT;
INSERT INTO tree SELECT i, CASE WHEN i % 10 = 0 THEN 'b' ELSE 'a' END, '2026-01-01'::date + i / 500, i * 7919 % 4001,
	ARRAY['t' || i % 300, 'u' || i % 20]
FROM generate_series(1, 28000) i;
VACUUM (FREEZE, ANALYZE) ev, item, doc, page, part, grown, coarse, months, kind, long, dead, moved, tree;
DELETE FROM dead WHERE id < 20000;
UPDATE moved SET v = v + 1 WHERE id % 7 = 0;
INSERT INTO grown SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute',
	i * 7919 % 5003, repeat('g', 80) FROM generate_series(20001, 26000) i;

-- total cost and plan with the real indexes, which are gone afterwards
CREATE FUNCTION with_real(query text, ddl text[], target text, OUT cost float8, OUT plan text)
LANGUAGE plpgsql AS $$
DECLARE
	d text;
	explained json;
BEGIN
	FOREACH d IN ARRAY ddl LOOP EXECUTE d; END LOOP;
	IF target <> '' THEN EXECUTE 'ANALYZE ' || target; END IF;
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO explained;
	cost := explained->0->'Plan'->>'Total Cost';
	plan := (glperf.whatif(query, '{}')).plan_before;
	RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ999';
EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
	RETURN;
END $$;
-- a plan without figures and names of indexes
CREATE FUNCTION shape(plan text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(plan, ' +\(cost[^)]*\)| \(hypothetical\)| using \S+', '', 'g')
$$;
CREATE TABLE result (name text, made_up float8, built float8, used int, expected int, plan text, built_plan text);
});

# name, statement, DDL, table to analyse after building ('' for none), how many
# of the indexes must be used, settings
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
	( $has{pg_trgm}
		? (
			[ 'trigram LIKE', q{SELECT * FROM doc WHERE body LIKE '%a87ff679%'}, ['CREATE INDEX i ON doc USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram, many rows each', q{SELECT * FROM page WHERE body LIKE '%example.com/42/abc%'}, ['CREATE INDEX i ON page USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram, regular expression', q{SELECT * FROM page WHERE body ~ 'com/4[23]/abcd'}, ['CREATE INDEX i ON page USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram, one of several patterns', q{SELECT * FROM page WHERE body LIKE ANY ('{%/42/abc%,%/17/abcd%}')}, ['CREATE INDEX i ON page USING gin (body ext.gin_trgm_ops)'] ],
			[ 'trigram, expression', q{SELECT * FROM kind WHERE lower(note) LIKE '%note 77%'}, ['CREATE INDEX i ON kind USING gin (lower(note) ext.gin_trgm_ops)'], 'kind' ],
			[ 'trigram ILIKE', q{SELECT * FROM ev WHERE mail ILIKE '%user17@%'}, ['CREATE INDEX i ON ev USING gin (mail ext.gin_trgm_ops)'] ],
		  )
		: ()),
	( $has{btree_gin}
		? [ 'GIN with a scalar', q{SELECT * FROM doc WHERE id < 900 AND tags @> '{1007}'}, ['CREATE INDEX i ON doc USING gin (id, tags)'] ]
		: ()),
	[ 'GIN, two columns', q{SELECT * FROM doc WHERE tags @> '{1007}' AND data @> '{"kind": "k7"}'}, ['CREATE INDEX i ON doc USING gin (tags, data)'] ],
	[ 'GIN, one of two columns', q{SELECT * FROM doc WHERE words @@ 'w7'::tsquery}, ['CREATE INDEX i ON doc USING gin (words, data jsonb_path_ops)'] ],
	[ 'GIN tsvector prefix', q{SELECT * FROM doc WHERE words @@ 'v129:*'::tsquery}, ['CREATE INDEX i ON doc USING gin (words)'] ],
	[ 'GIN jsonpath', q{SELECT * FROM doc WHERE data @? '$.n ? (@ == 77)'}, ['CREATE INDEX i ON doc USING gin (data jsonb_path_ops)'] ],
	[ 'GIN join', q{SELECT * FROM item JOIN page ON page.tags @> ARRAY[100 + item.id] WHERE item.id < 12}, ['CREATE INDEX i ON page USING gin (tags)'] ],
	[ 'GIN and B-tree', q{SELECT * FROM doc WHERE tags @> '{1007}' AND id BETWEEN 100 AND 3000}, ['CREATE INDEX i ON doc USING gin (tags)'] ],
	[ 'GIN expression', q{SELECT * FROM kind WHERE string_to_array(note, ' ') @> '{77}'}, [q{CREATE INDEX i ON kind USING gin (string_to_array(note, ' '))}], 'kind' ],
	[ 'GIN, partitions', q{SELECT * FROM tree WHERE tags @> '{t7}'}, ['CREATE INDEX i ON tree USING gin (tags)'] ],
	[ 'BRIN, small ranges', q{SELECT * FROM ev WHERE created BETWEEN '2026-01-02' AND '2026-01-02 03:00'}, ['CREATE INDEX i ON ev USING brin (created) WITH (pages_per_range = 4)'] ],
	[ 'BRIN, big ranges', q{SELECT * FROM ev WHERE created BETWEEN '2026-01-02' AND '2026-01-02 03:00'}, ['CREATE INDEX i ON ev USING brin (created) WITH (pages_per_range = 300)'], '', undef, 'enable_seqscan = off' ],
	[ 'BRIN, partitions', q{SELECT * FROM tree WHERE id BETWEEN 700 AND 900}, ['CREATE INDEX i ON tree USING brin (id)'], '', undef, 'enable_seqscan = off' ],
	[ 'BRIN, rows gone', q{SELECT count(*) FROM dead WHERE at > '2026-01-15'}, ['CREATE INDEX i ON dead USING brin (at)'], '', undef, 'enable_seqscan = off' ],
	[ 'hash, partitions', q{SELECT * FROM tree WHERE k = 77}, ['CREATE INDEX i ON tree USING hash (k)'] ],
	[ 'row comparison', q{SELECT * FROM ev WHERE (agent, created) > ('agent 90', '2026-01-05') ORDER BY agent, created LIMIT 30}, ['CREATE INDEX i ON ev (agent, created)'] ],
	[ 'last one of an agent', q{SELECT max(created) FROM ev WHERE agent = 'agent 7'}, ['CREATE INDEX i ON ev (agent, created)'] ],
	[ 'with ties', q{SELECT * FROM ev ORDER BY score FETCH FIRST 10 ROWS WITH TIES}, ['CREATE INDEX i ON ev (score)'] ],
	[ 'anti-join', q{SELECT * FROM ev WHERE id < 40 AND NOT EXISTS (SELECT 1 FROM item WHERE ev_id = ev.id AND kind = 3)}, ['CREATE INDEX i ON item (ev_id, kind)'] ],
	[ 'lateral, partial', q{SELECT e.id, l.id FROM ev e, LATERAL (SELECT id FROM item WHERE kind = e.id AND qty = 3 ORDER BY id DESC LIMIT 3) l WHERE e.id < 15}, ['CREATE INDEX i ON item (kind, id DESC) WHERE qty = 3'] ],
	[ 'recursive', q{WITH RECURSIVE r AS (SELECT id FROM item WHERE id = 5 UNION ALL SELECT i.id FROM item i JOIN r ON i.ev_id = r.id) SELECT count(*) FROM r}, ['CREATE INDEX i ON item (ev_id)'] ],
	[ 'DISTINCT ON', q{SELECT DISTINCT ON (agent) agent, created FROM ev ORDER BY agent, created DESC}, ['CREATE INDEX i ON ev (agent, created DESC)'] ],
	[ 'partial, implied by more', q{SELECT * FROM ev WHERE score > 19500 AND amount = 5.00}, ['CREATE INDEX i ON ev (amount) WHERE score > 19000'] ],
	[ 'partial, implied by the join', q{SELECT * FROM item JOIN ev ON ev.score = item.id WHERE item.id < 20}, ['CREATE INDEX i ON ev (score) WHERE score IS NOT NULL'] ],
	[ 'expression, collation', q{SELECT * FROM ev WHERE lower(name) COLLATE "C" = 'name 77'}, ['CREATE INDEX i ON ev (lower(name) COLLATE "C")'], 'ev' ],
	[ 'index only, pages not visible', q{SELECT sum(v) FROM moved WHERE k < 5000}, ['CREATE INDEX i ON moved (k) INCLUDE (v)'] ],
	[ 'near the end of a histogram', q{SELECT * FROM coarse WHERE at > '2026-01-18 08:35+00'}, ['CREATE INDEX i ON coarse (at)'] ],
	[ 'near its beginning', q{SELECT * FROM coarse WHERE at <= '2026-01-01 00:05+00'}, ['CREATE INDEX i ON coarse (at DESC)'] ],
	[ 'near an end without order', q{SELECT * FROM coarse WHERE r >= 25006}, ['CREATE INDEX i ON coarse (r)'] ],
	[ 'beyond an end without order', q{SELECT * FROM coarse WHERE r > 40000}, ['CREATE INDEX i ON coarse (r)'] ],
	[ 'far from the ends of a histogram', q{SELECT * FROM months WHERE seq BETWEEN 307 AND 308}, ['CREATE INDEX i ON months (seq)'] ],
	[ 'most common value beyond the histogram', q{SELECT * FROM kind WHERE tenant BETWEEN 3 AND 9}, ['CREATE INDEX i ON kind (tenant)'] ],
	[ 'never analysed', q{SELECT * FROM unseen WHERE k = 7}, ['CREATE INDEX i ON unseen (k)'] ],
	[ 'beside SP-GiST', q{SELECT * FROM kind WHERE place <@ box '((1,1),(9,9))' AND small < 70}, ['CREATE INDEX i ON kind (small)'] ],
	[ 'enum', q{SELECT count(*) FROM kind WHERE mood = 'gone'}, ['CREATE INDEX i ON kind (mood)'] ],
	[ 'network', q{SELECT * FROM kind WHERE ip << '10.7.0.0/16'}, ['CREATE INDEX i ON kind (ip)'] ],
	[ 'long column behind a unique one', q{SELECT id FROM long WHERE key = md5('7')::uuid AND text > 'f'}, ['CREATE INDEX i ON long (key, text)'] ],
	[ 'fillfactor', q{SELECT score FROM ev WHERE score < 9000}, ['CREATE INDEX i ON ev (score) WITH (fillfactor = 40)'] ],
	[ 'no deduplication', q{SELECT agent FROM ev WHERE agent < 'agent 3'}, ['CREATE INDEX i ON ev (agent) WITH (deduplicate_items = off)'] ],
	[ 'tablespace', q{SELECT * FROM ev WHERE agent = 'agent 7'}, ['CREATE INDEX i ON ev (agent) TABLESPACE slow'] ],
	[ 'parallel', q{SELECT sum(amount) FROM ev WHERE created < '2026-01-13' AND score < 9000}, ['CREATE INDEX i ON ev (created)'], '', undef,
		'max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 1; SET min_parallel_index_scan_size = 0; SET min_parallel_table_scan_size = 0; SET enable_seqscan = off' ],
	[ 'partition by partition', q{SELECT * FROM part a JOIN part b ON a.at = b.at AND a.k = b.k WHERE a.k = 7}, ['CREATE INDEX i ON part (k)'], '', undef, 'enable_partitionwise_join = on' ],
	[ 'partitions of partitions', q{SELECT * FROM tree WHERE region = 'a' AND at = '2026-01-15' AND k < 200}, ['CREATE INDEX i ON tree (k)'] ],
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
	my ($name, $query, $ddl, $analyse, $used, $settings) = @$case;
	my $array = 'ARRAY[' . join(', ', map { quote($_) } @$ddl) . ']';

	$sql .= "SET $settings;\n" if $settings;
	$sql .= 'INSERT INTO result SELECT ' . quote($name) . ', cost_after, r.cost, '
	  . '(SELECT count(DISTINCT u) FROM unnest(indexes_used) u WHERE u IN (\'i\', \'j\')), '
	  . ($used // 1) . ', plan_after, r.plan FROM glperf.whatif(' . quote($query) . ", $array), with_real("
	  . join(', ', quote($query), $array, quote($analyse // '')) . ") r;\n";
	$sql .= "RESET ALL;\n" if $settings;
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
	# Failure proved: another plan than the one that was costed will run.
	is($node->safe_psql('postgres', 'SELECT shape(plan) FROM result WHERE name = ' . quote($name)),
		$node->safe_psql('postgres', 'SELECT shape(built_plan) FROM result WHERE name = ' . quote($name)),
		"$name: the same plan");
	# Failure proved: the case compares plans that use no index.
	is($node->safe_psql('postgres', 'SELECT used >= expected FROM result WHERE name = ' . quote($name)),
		't', "$name: index used");
}

$node->stop;
done_testing();

# Advice on GIN, BRIN and hash indexes, built as advised: the statement's plan
# uses them and reads fewer pages.

use strict;
use warnings;

use JSON::PP;
use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = GlperfNode::start('kinds',
	init => { extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ] },
	conf => q{
max_parallel_workers_per_gather = 0
jit = off
});
$node->safe_psql('postgres', q{
CREATE SCHEMA ext;
CREATE SCHEMA app;
ALTER DATABASE postgres SET search_path = app;
});
$node->safe_psql('postgres', q{
CREATE TABLE doc (id int PRIMARY KEY, tags int[], labels text[], data jsonb, body text,
	title varchar(80), words tsvector, key text, code text, tenant int);
INSERT INTO doc SELECT i, ARRAY[i % 997, 1000 + i % 211, 2000 + i * 31 % 1499],
	ARRAY['l' || i % 500, 'm' || i % 70],
	jsonb_build_object('kind', 'k' || i % 300, 'n', i % 2000, 'tags',
		jsonb_build_array('t' || i % 50, 'u' || i % 900)),
	'body ' || md5(i::text) || ' ' || md5((i * 7)::text), 'Title ' || md5((i * 3)::text),
	to_tsvector('simple', 'w' || i % 700 || ' v' || i % 1300 || ' common'),
	repeat(md5(i::text), 6), 'c' || i % 5000, i % 50
FROM generate_series(1, 20000) i;
CREATE TABLE log (id bigint, at timestamptz, shuffled int, msg text);
INSERT INTO log SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '10 second',
	i * 7919 % 150011, repeat('m', 90) FROM generate_series(1, 150000) i;
CREATE TABLE task (id int PRIMARY KEY, tenant int, state text, priority int, due date, deleted date,
	coupon text, open bool, body text);
INSERT INTO task SELECT i, i % 20, CASE WHEN i % 20 < 17 THEN 'closed' WHEN i % 20 = 17 THEN 'open' ELSE 'new' END,
	i % 1000, '2026-01-01'::date + i % 400, CASE WHEN i % 10 = 3 THEN '2026-01-01'::date END,
	CASE WHEN i % 20 = 0 THEN 'c' || i % 700 END, i % 20 = 17, repeat('b', 90)
FROM generate_series(1, 40000) i;
CREATE TABLE booking (id int PRIMARY KEY, during int4range, place point, area box, addr inet);
INSERT INTO booking SELECT i, int4range(i, i + 60), point(i % 1000, i / 1000), box(point(i % 1000, i / 1000), point(i % 1000 + 1, i / 1000)),
	'10.0.0.0'::inet + i FROM generate_series(1, 20000) i;
VACUUM (FREEZE, ANALYZE) doc, log, task, booking;
});
my $has_trgm = $node->safe_psql('postgres',
	q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'});

# Advice on a workload, a list of [statement, calls a day]
sub advise
{
	my @workload = map { { query => $_->[0], search_path => 'app', calls => $_->[1], $_->[2] ? (rows => $_->[1], time_ms => $_->[2]) : () } } @_;
	my $json = encode_json(\@workload);

	return split /\n/, $node->safe_psql('postgres',
		qq{SELECT ddl FROM glperf.advise_indexes(workload => \$w\$$json\$w\$) WHERE action = 'create' ORDER BY ddl});
}

# Pages that a statement touches, and the names in its plan
sub run
{
	my $plan = $node->safe_psql('postgres', "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $_[0]");
	my $root = decode_json($plan)->[0]{Plan};

	return ($root->{'Shared Hit Blocks'} + $root->{'Shared Read Blocks'}, $plan);
}

# A statement is advised one index whose DDL matches; built, it is used.
sub advised
{
	my ($name, $query, $pattern, @more) = @_;
	my @ddl = advise([ $query, 1000, 20000 ], @more);

	# Failure proved: no index of the kind that would serve it is found.
	is(scalar(@ddl), 1, "$name: one index") or diag("@ddl");
	like($ddl[0] // '', $pattern, "$name: of that kind") or return;
	my ($before) = run($query);
	# under another search_path than the advice was made
	$node->safe_psql('postgres', "SET search_path = '';\n$ddl[0]");
	my ($index) = $ddl[0] =~ /CONCURRENTLY (\S+) ON/;
	my ($after, $plan) = run($query);
	# Failure proved: the index that was advised does not do what was promised.
	like($plan, qr/"$index"/, "$name: the plan uses it");
	cmp_ok($after, '<', 0.7 * $before, "$name: fewer pages ($before before, $after after)");
	$node->safe_psql('postgres', "DROP INDEX app.$index");
}

advised('array contains', q{SELECT * FROM doc WHERE tags @> '{7}'}, qr/USING gin \(tags\)$/);
advised('array contains, other way round', q{SELECT * FROM doc WHERE '{7}' <@ tags}, qr/USING gin \(tags\)$/);
advised('array overlaps', q{SELECT * FROM doc WHERE labels && '{l7, l8}'}, qr/USING gin \(labels\)$/);
advised('jsonb contains', q{SELECT * FROM doc WHERE data @> '{"n": 77}'}, qr/USING gin \(data jsonb_path_ops\)$/);
advised('jsonb has key', q{SELECT * FROM doc WHERE data->'tags' ? 'u77'}, qr/USING gin \(\(\(data -> 'tags'::text\)\)\)$/);
advised('jsonb, both', q{SELECT * FROM doc WHERE data ? 'none'}, qr/USING gin \(data\)$/,
	[ q{SELECT * FROM doc WHERE data @> '{"n": 77}' AND data ? 'kind'}, 1 ]);
advised('other collation', q{SELECT * FROM doc WHERE code COLLATE "C" = 'c77'}, qr/\(code COLLATE "C"\)$/);
advised('text search', q{SELECT * FROM doc WHERE words @@ 'w7 & v77'::tsquery}, qr/USING gin \(words\)$/);
advised('text search, expression', q{SELECT * FROM doc WHERE to_tsvector('simple', code) @@ 'c77'::tsquery},
	qr/USING gin \(\(to_tsvector\('simple'::regconfig, code\)\)\)$/);
advised('prefix', q{SELECT * FROM doc WHERE title LIKE 'Title a87ff%'}, qr/\(title (text|varchar)_pattern_ops\)$/);
advised('OR of two kinds', q{SELECT * FROM doc WHERE id = 7 OR tags @> '{7}'}, qr/USING gin \(tags\)$/);
# Failure proved: what is of no use without another new index is not looked at.
like(join("\n", advise([ q{SELECT * FROM doc WHERE code = 'c77' OR tags @> '{7}'}, 1000, 20000 ])),
	qr/\(code\)\n.*USING gin \(tags\)$/, 'OR of two kinds: both indexes');
advised('long key', q{SELECT * FROM doc WHERE key = repeat(md5('77'), 6)}, qr/USING hash \(key\)$/);
advised('short key', q{SELECT * FROM doc WHERE code = 'c77'}, qr/app\.doc \(code\)$/);
advised('long key in order', q{SELECT * FROM doc WHERE key > repeat('fff', 7) ORDER BY key LIMIT 10}, qr/app\.doc \(key\)$/);

# Conditions on two columns that GIN finds: one index over both, in the same
# order whoever asks, which serves one of them, too.
my $both = q{SELECT * FROM doc WHERE labels @> '{m7}' AND tags @> '{1007}'};
advised('values of two columns', $both, qr/USING gin \(tags, labels\)$/);
advised('values of two columns, of one, and the other way round', $both, qr/USING gin \(tags, labels\)$/,
	[ q{SELECT * FROM doc WHERE tags @> '{1008}' AND labels @> '{m8}'}, 1000, 20000 ],
	[ q{SELECT * FROM doc WHERE tags @> '{7}'}, 1000, 20000 ]);
# Failure proved: an index over both is taken for one that serves either of them.
like(join("\n", advise([ q{SELECT * FROM doc WHERE labels @> '{m7}' OR tags @> '{1007}'}, 1000, 20000 ])),
	qr/USING gin \((tags|labels)\)\n.*USING gin \((tags|labels)\)$/, 'either of two columns: an index on each');

# Failure proved: an order is asked of an index behind a column that is NULL,
# where the planner does not see it.
advised('IS NULL beside an order', q{SELECT id, body FROM task WHERE tenant = 7 AND deleted IS NULL ORDER BY priority DESC LIMIT 5},
	qr/task \(tenant, priority DESC\)$/);
# Failure proved: a table of what is done hides the few that are not.
advised('not equal', q{SELECT id, body FROM task WHERE state <> 'closed' ORDER BY due LIMIT 5}, qr/\(due\) WHERE \(state <> 'closed'::text\)$/);
advised('NOT IN', q{SELECT id, body FROM task WHERE state NOT IN ('closed', 'open') ORDER BY due LIMIT 5},
	qr/\(due\) WHERE \(state <> ALL \(.*\)\)$/);
# Failure proved: an index holds NULLs that nobody can find by it.
advised('value of a column that is mostly NULL', q{SELECT id, body FROM task WHERE coupon = 'c20'}, qr/\(coupon\) WHERE \(coupon IS NOT NULL\)$/);
# Failure proved: a column is stored that the condition has dealt with.
unlike(join("\n", advise([ q{SELECT tenant, count(*) FROM task WHERE open GROUP BY tenant}, 1000, 20000 ])),
	qr/INCLUDE \([^)]*open/, 'no column of the condition beside it');

# Tables that inherit get indexes of their own, the parent none; one whose
# columns have other numbers, too.
$node->safe_psql('postgres', q{
CREATE TABLE book (id int, at date, who int, what text);
CREATE TABLE book_1 (CHECK (at < '2026-01-01')) INHERITS (book);
CREATE TABLE book_2 (extra int, who int, at date, id int, what text, CHECK (at >= '2026-01-01'));
ALTER TABLE book_2 INHERIT book;
INSERT INTO book_1 SELECT i, '2025-01-01'::date + i % 365, i % 500, repeat('w', 80) FROM generate_series(1, 20000) i;
INSERT INTO book_2 SELECT 1, i % 500, '2026-01-01'::date + i % 365, 20000 + i, repeat('w', 80) FROM generate_series(1, 20000) i;
VACUUM ANALYZE;
});
is(join("\n", map { s/CREATE INDEX CONCURRENTLY \S+ //r } advise([ q{SELECT * FROM book WHERE id = 77}, 1000, 20000 ])),
	"ON app.book_1 (id)\nON app.book_2 (id)", 'inheritance: an index on each table');
# Failure proved: tables that a CHECK constraint keeps out get indexes, too.
is(join("\n", map { s/CREATE INDEX CONCURRENTLY \S+ //r }
			advise([ q{SELECT * FROM book WHERE who = 7 AND at >= '2026-06-01' ORDER BY at LIMIT 5}, 1000, 20000 ])),
	"ON app.book_2 (who, at)", 'inheritance: on the one that is read');

# BRIN where writing weighs more than reading, a B-tree where it does not, and
# never on a column that the rows are not ordered by.
my $range = q{SELECT count(msg) FROM log WHERE at BETWEEN '2026-01-03' AND '2026-01-04'};
my @inserts = ([ q{INSERT INTO log VALUES (1, now(), 1, 'x')}, 20000000, 1000000 ]);
advised('range, written a lot', $range, qr/USING brin \(at\)$/, @inserts);
advised('range, read a lot', $range, qr/app\.log \(at\)$/);
is(join("\n", advise([ q{SELECT count(msg) FROM log WHERE shuffled < 9000}, 100 ], @inserts)) =~ /brin/ ? 1 : 0,
	0, 'no BRIN on a column without order');

# A GIN index makes an entry of every key, so that writing costs more.
is(scalar(advise([ q{SELECT * FROM doc WHERE tags @> '{7}'}, 10 ],
		[ q{INSERT INTO doc (id, tags) VALUES (1, '{1,2,3}')}, 20000000, 1000000 ])),
	0, 'no GIN where it costs more than it brings');

# Rows that a pattern excludes: an index without them saves testing the others
# and reading the text, where it holds all else that the statement reads.
my $pattern = q{WHERE \(body !~~ '%aaaa%'::text\)$};
advised('without what a pattern excludes', q{SELECT tenant, count(*) FROM doc WHERE body NOT LIKE '%aaaa%' GROUP BY tenant},
	qr/\(tenant\) $pattern/);
advised('what a join reads of it', q{SELECT g, count(d.tenant) FROM generate_series(1, 20000) g
LEFT JOIN doc d ON d.id = g AND d.body NOT LIKE '%aaaa%' GROUP BY 1},
	qr/\(id\) INCLUDE \(tenant\) $pattern/);
# Failure proved: an index of most rows is advised where each has to be visited.
unlike(join("\n", advise([ q{SELECT d.* FROM log l JOIN doc d USING (id) WHERE d.body NOT LIKE '%aaaa%'}, 1000, 20000 ])),
	qr/aaaa/, 'not where the table is visited all the same');
# Failure proved: what somebody looks for makes an index of its own each time.
unlike(join("\n", advise([ q{SELECT tenant, count(*) FROM doc WHERE body LIKE '%aaaa%' GROUP BY tenant}, 1000, 20000 ])),
	qr/ WHERE /, 'not for a pattern that is searched for');

# What an index cannot do yet, and what would let it.
sub outcome
{
	my $json = encode_json([ { query => $_[0], search_path => 'app', calls => 1000 } ]);

	return $node->safe_psql('postgres', qq{
SELECT count(*) FROM glperf.advise_indexes(workload => \$w\$$json\$w\$) \\g /dev/null
SELECT outcome || ': ' || reason FROM glperf.advised_statements()});
}
my $like = q{SELECT * FROM doc WHERE body LIKE '%a87ff6%'};
like(outcome($like), qr/^no gain: .*CREATE EXTENSION pg_trgm would allow/, 'pg_trgm is missed');
like(outcome(q{SELECT * FROM doc WHERE 7 = ANY (tags)}), qr/^no gain: .*tags @> ARRAY\[value\]/,
	'= ANY (column) is named for what it is');

# Failure proved: silence about what a GiST index would serve, or an index by
# the distance from one place in its stead.
my @gist = (
	[ 'ranges that overlap', q{during && int4range(5, 9)}, 'searches during with &&: an index USING gist (during) would' ],
	[ 'the other way round', q{int4range(5, 90) @> during}, 'searches during with <@: an index USING gist (during) would' ],
	[ 'boxes', q{area && box(point(1, 1), point(2, 2))}, 'searches area with &&: an index USING gist (area) would' ],
	[ 'places in a box', q{place <@ box(point(1, 1), point(2, 2))}, 'searches place with <@: an index USING gist (place) would' ],
	[ 'networks', q{addr << '10.0.1.0/24'}, 'searches addr with <<: an index USING gist (addr inet_ops) would' ],
	[ 'the nearest', q{true ORDER BY place <-> point(3, 4) LIMIT 3}, 'orders by place with <->: an index USING gist (place) would' ]);
like(outcome("SELECT * FROM booking WHERE $_->[1]"), qr/^no gain: \Q$_->[2]/, $_->[0]) foreach @gist;

SKIP:
{
	skip 'btree_gin is not installed', 1
	  unless $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'btree_gin'});
	my $scalar = q{SELECT * FROM doc WHERE tenant = 7 AND tags @> '{1007}'};
	# Failure proved: an operator class that is not there is advised.
	unlike(join("\n", advise([ $scalar, 1000, 20000 ])), qr/gin \(.*tenant/, 'without btree_gin none with a plain column');
	$node->safe_psql('postgres', 'CREATE EXTENSION btree_gin SCHEMA ext');
	advised('values and a plain column', $scalar, qr/USING gin \(tags, tenant( ext.int4_ops)?\)$/);
	advised('values and a unique column', q{SELECT * FROM doc WHERE code = 'c77' AND labels @> '{m7}'}, qr/doc \(code\)$/);
}

SKIP:
{
	skip 'pg_trgm is not installed', 1 unless $has_trgm;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_trgm SCHEMA ext');
	advised('LIKE', $like, qr/USING gin \(body ext\.gin_trgm_ops\)$/);
	advised('ILIKE', q{SELECT * FROM doc WHERE title ILIKE '%A87FF6%'}, qr/USING gin \(title ext\.gin_trgm_ops\)$/);
	advised('regular expression', q{SELECT * FROM doc WHERE body ~ 'a87ff6[0-9]'}, qr/USING gin \(body ext\.gin_trgm_ops\)$/);
	advised('lower() LIKE', q{SELECT * FROM doc WHERE lower(title) LIKE '%a87ff6%'},
		qr/USING gin \(\(lower\(\(title\)::text\)\) ext\.gin_trgm_ops\)$/);
	advised('prefix, with pg_trgm', q{SELECT * FROM doc WHERE title LIKE 'Title a87ff%'}, qr/_pattern_ops\)$/);
}

$node->stop;
done_testing();

# What an index costs writers, and whether the advice heeds it.
#
# The workload is handed in, so that nothing depends on this machine's speed;
# bench/advisor/write.pl holds the figures against measured ones.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('write');
$node->init;
$node->append_conf('postgresql.conf', q{
autovacuum = off
fsync = off
shared_preload_libraries = 'pg_stat_statements'
});
$node->start;
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf;
CREATE TABLE item (id int PRIMARY KEY, code int, state text, made timestamptz, note text);
INSERT INTO item SELECT i, (i::int8 * 7919 % 40000)::int, CASE WHEN i % 50 = 0 THEN 'open' ELSE 'done' END,
	'2026-01-01'::timestamptz + i * interval '1 min', repeat('n', 60) FROM generate_series(1, 40000) i;
CREATE TABLE part (id int, kind int, code int) PARTITION BY LIST (kind);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (code int, kind int, id int);
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
INSERT INTO part SELECT i, 1 + i % 2, (i::int8 * 7919 % 40000)::int FROM generate_series(1, 40000) i;
CREATE TABLE mixed (big int8, num numeric, two int[], ten int[]);
INSERT INTO mixed SELECT v, v, ARRAY[i, i + 1], ARRAY(SELECT i + j FROM generate_series(1, 10) j)
FROM (SELECT i, i::int8 * 7919 % 40000 AS v FROM generate_series(1, 40000) i) s;
CREATE TABLE watched (LIKE item);
INSERT INTO watched SELECT * FROM item;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER look BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION look();
VACUUM ANALYZE;
});

# Statements are [ query, calls, rows of all calls, time_ms of all calls ].
sub workload
{
	my @work = map {
		{ query => $_->[0], calls => $_->[1], rows => $_->[2] // $_->[1], defined $_->[3] ? (time_ms => $_->[3]) : () }
	} @_;
	return encode_json(\@work);
}

# The recommended index over a pattern, as a hash; undef without one.
sub advised
{
	my ($like, @work) = @_;
	my $work = workload(@work);
	my $row = $node->safe_psql('postgres', qq{
SELECT row_to_json(a) FROM glperf.advise_indexes(min_benefit_pct => 0, workload => \$w\$$work\$w\$) a
WHERE action = 'create' AND ddl ~ '$like'});
	my ($first) = split /\n/, $row;
	return $first ? decode_json($first) : undef;
}

# Reads are dear enough that the index is advised whatever is written.
my @read = ('SELECT note FROM item WHERE code = 17', 10000000, 10000000, 5e7);
my @part_read = ('SELECT count(*) FROM part WHERE code = 17', 10000000, 10000000, 5e7);

sub upkeep
{
	my ($name, $read, $like, @writes) = @_;
	my $advice = advised($like, $read, @writes);

	ok($advice, "$name: advised, as reads outweigh") or return (0, 0);
	note("$name: $advice->{write_cost_ms_per_day} ms, $advice->{wal_bytes_per_day} bytes, hurts $advice->{statements_hurt}; @{ $advice->{reasons} }");
	return ($advice->{write_cost_ms_per_day}, $advice->{wal_bytes_per_day}, $advice->{statements_hurt});
}

# Failure proved: a way of writing goes uncounted, and its table gets too many
# indexes.
my $n = 1000000;
my ($nothing) = upkeep('no writes', \@read, '\(code\)');
is($nothing, 0, 'nothing written, nothing paid');
my ($insert, $wal) = upkeep('INSERT', \@read, '\(code\)', [ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5)', $n ]);
cmp_ok($insert / $n, '>', 0.0005, 'an entry takes more than half a microsecond');
cmp_ok($insert / $n, '<', 0.05, 'and less than 50');
cmp_ok($wal / $n, '>', 60, 'and is written to WAL');
cmp_ok($wal / $n, '<', 8192 * 2, 'with the images of pages at most');

my ($copy) = upkeep('COPY', \@read, '\(code\)', [ 'COPY item FROM STDIN', 10, $n ]);
cmp_ok(abs($copy / $insert - 1), '<', 0.02, 'COPY costs as much per row as INSERT');
my ($copy_to) = upkeep('COPY TO', \@read, '\(code\)', [ 'COPY item TO STDOUT', 10, $n ]);
is($copy_to, 0, 'COPY TO costs nothing');

my ($delete) = upkeep('DELETE', \@read, '\(code\)', [ 'DELETE FROM item WHERE id = $1', $n ]);
cmp_ok($delete, '>', 0, 'deleted rows are left to vacuum');
cmp_ok($delete, '<', $insert / 2, 'which is cheaper than inserting');

my ($other) = upkeep('UPDATE of another column', \@read, '\(code\)', [ 'UPDATE item SET note = $1 WHERE id = $2', $n ]);
my ($key) = upkeep('UPDATE of the key', \@read, '\(code\)', [ 'UPDATE item SET code = $1 WHERE id = $2', $n ]);
cmp_ok($key, '>', 3 * $other, 'an update that stops being HOT costs a multiple of one that may be');
cmp_ok($key, '>', 1.5 * $insert, 'and more than an insert, as the primary key gets an entry, too');
my ($unrelated) = upkeep('UPDATE of another index\'s key', \@read, '\(code\)', [ 'UPDATE item SET id = $1 WHERE id = $2', $n ]);
cmp_ok($unrelated, '>', 2 * $other, 'nor can one be HOT that changes the key of another index');
my ($upsert) = upkeep('ON CONFLICT DO UPDATE', \@read, '\(code\)',
	[ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET code = excluded.code', $n ]);
cmp_ok($upsert, '>', $insert * 1.1, 'ON CONFLICT DO UPDATE counts as inserts and updates');
cmp_ok($upsert, '<', $key, 'and not as updates alone');
my ($kept) = upkeep('ON CONFLICT DO UPDATE of another column', \@read, '\(code\)',
	[ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET note = excluded.note', $n ]);
cmp_ok($kept, '<', $insert, 'which may be HOT');

my ($with) = upkeep('WITH', \@read, '\(code\)',
	[ 'WITH gone AS (DELETE FROM item WHERE id BETWEEN 1 AND 100 RETURNING *), new AS (INSERT INTO item SELECT i, i FROM generate_series(1, 100) i RETURNING 1) SELECT count(*) FROM new', $n / 100 ]);
cmp_ok($with, '>', $insert * 0.5, 'what is written below WITH counts, by the planner\'s estimate');
cmp_ok($with, '<', $insert * 2, 'and once');

SKIP:
{
	skip 'no MERGE', 3 if $version < 150000;
	my ($merge) = upkeep('MERGE', \@read, '\(code\)',
		[ 'MERGE INTO item USING (SELECT $1::int AS id, $2::int AS code) s ON item.id = s.id WHEN MATCHED THEN UPDATE SET code = s.code WHEN NOT MATCHED THEN INSERT (id, code) VALUES (s.id, s.code)', $n ]);
	cmp_ok($merge, '>', $insert * 1.1, 'MERGE counts as inserts and updates');
	cmp_ok($merge, '<', $key, 'and not as updates alone');
}

my ($parent) = upkeep('INSERT into a partitioned table', \@part_read, '\(code\)', [ 'INSERT INTO part VALUES ($1, $2, $3)', $n ]);
my ($child) = upkeep('INSERT into a partition', \@part_read, '\(code\)', [ 'INSERT INTO part_2 (id, kind, code) VALUES ($1, $2, $3)', $n ]);
cmp_ok(abs($child / $parent - 1), '<', 0.02, 'a partition written directly counts for the whole table\'s index');
my ($moved) = upkeep('UPDATE of a partition with other column numbers', \@part_read, '\(code\)', [ 'UPDATE part_2 SET code = $1 WHERE id = $2', $n ]);
my ($stays) = upkeep('UPDATE of its other column', \@part_read, '\(code\)', [ 'UPDATE part_2 SET id = $1 WHERE id = $2', $n ]);
cmp_ok($moved, '>', 2 * $stays, 'and its columns are known by name');

my @leaf_read = ('SELECT count(*) FROM part_2 WHERE code = 17', 10000000, 10000000, 5e7);
my ($leaf) = upkeep('INSERT into a partition with an index of its own', \@leaf_read, 'part_2.*\(code\)', [ 'INSERT INTO part_2 (id, kind, code) VALUES ($1, $2, $3)', $n ]);
my ($spread) = upkeep('INSERT above it', \@leaf_read, 'part_2.*\(code\)', [ 'INSERT INTO part VALUES ($1, $2, $3)', $n ]);
cmp_ok(abs($spread / $leaf - 0.5), '<', 0.1, 'which gets the share of the rows that it has');

# Keys are not equally dear.
my @mixed = ('INSERT INTO mixed VALUES ($1, $2, $3, $4)', $n);
my ($big) = upkeep('bigint', [ 'SELECT num FROM mixed WHERE big = 17', 10000000, 10000000, 5e7 ], '\(big\)', [@mixed]);
my ($numeric) = upkeep('numeric', [ 'SELECT big FROM mixed WHERE num = 17', 10000000, 10000000, 5e7 ], '\(num\)', [@mixed]);
cmp_ok($numeric, '>', $big + $n * 0.0009, 'numbers of any length are compared more slowly');
my ($two) = upkeep('two keys', [ 'SELECT num FROM mixed WHERE two @> ARRAY[17]', 10000000, 10000000, 5e7 ], 'gin \(two', [@mixed]);
my ($ten) = upkeep('ten keys', [ 'SELECT num FROM mixed WHERE ten @> ARRAY[17]', 10000000, 10000000, 5e7 ], 'gin \(ten', [@mixed]);
cmp_ok($ten, '>', 3 * $two, 'GIN has an entry for each key inside a value');

# Measured times of inserts tell how fast the machine is, but not of triggers.
my ($slow) = upkeep('INSERT on a slow machine', \@read, '\(code\)', [ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5)', $n, $n, $n ]);
cmp_ok($slow, '>', 2 * $insert, 'a slow machine writes indexes slowly');
my @watched_read = ('SELECT note FROM watched WHERE code = 17', 10000000, 10000000, 5e7);
my @watched = map {
	(upkeep('INSERT with a trigger', \@watched_read, '\(code\)', [ 'INSERT INTO watched VALUES ($1, $2, $3, $4, $5)', $n, $n, $_ ]))[0]
} undef, $n;
cmp_ok(abs($watched[1] / $watched[0] - 1), '<', 0.02, 'but a slow trigger says nothing about that');

foreach (
	[ 'INSERT of what a query finds', 'INSERT INTO item SELECT id, code, state, made, note FROM watched WHERE code = $1' ],
	[ 'INSERT of computed rows', 'INSERT INTO item VALUES ((SELECT max(id) FROM watched), $1, $2, $3, $4)' ],
	[ 'ON CONFLICT DO UPDATE, slowly', 'INSERT INTO item VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET code = excluded.code', $upsert ],
	[ 'COPY from a slow client', 'COPY item FROM STDIN' ])
{
	my ($name, $write, $expected) = @$_;
	my ($cost) = upkeep($name, \@read, '\(code\)', [ $write, $n, $n, $n ]);
	cmp_ok(abs($cost / ($expected // $insert) - 1), '<', 0.02, 'nor does the time of what is more than writing');
}
my ($several) = upkeep('INSERT of several rows on a slow machine', \@read, '\(code\)', [ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10)', $n / 2, $n, $n ]);
cmp_ok($several, '>', 2 * $insert, 'that of several rows at once does');

# An index with a condition pays for the rows that it has, and for updates of
# the condition's column.
my @open = (q{SELECT made FROM item WHERE state = 'open' ORDER BY made LIMIT 10}, 10000000, 10000000, 5e7);
my ($partial) = upkeep('partial', \@open, q{WHERE}, [ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5)', $n ]);
cmp_ok($partial, '<', $insert / 2, 'a partial index costs less');
my ($flips) = upkeep('partial, its condition', \@open, q{WHERE|state}, [ 'UPDATE item SET state = $1 WHERE id = $2', $n ]);
cmp_ok($flips, '>', $partial, 'but updates of its condition end HOT');

$node->append_conf('postgresql.conf', 'full_page_writes = off');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('full_page_writes') = 'off'}) or die;
my (undef, $bare) = upkeep('INSERT without page images', \@read, '\(code\)', [ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5)', $n ]);
cmp_ok($bare, '<', $wal - $n, 'without images of pages there is less WAL');
$node->append_conf('postgresql.conf', 'full_page_writes = on');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('full_page_writes') = 'on'}) or die;

# Where the break-even lies: an index that costs more than it brings is not
# advised, and near that point the verdict turns.
sub chosen
{
	my ($reads, $writes) = @_;
	return defined advised('\(code\)', [ 'SELECT note FROM item WHERE code = 17', $reads, $reads, $reads * 2 ],
		[ 'INSERT INTO item VALUES ($1, $2, $3, $4, $5)', $writes ]) ? 1 : 0;
}
my $balance = $insert / $n / 2;    # reads of 2 ms per write at which it just pays
is(chosen(int($n * $balance * 3) + 1, $n), 1, 'three times the reads: the index');
is(chosen(int($n * $balance / 3) + 1, $n), 0, 'a third of them: no index');
is(chosen(100000, 100), 1, 'read all the time: the index');
is(chosen(10, 20000000), 0, 'written all the time: no index');

# COPY is counted, but stays a statement without a plan.
$node->safe_psql('postgres', q{
SELECT pg_stat_statements_reset();
COPY item FROM PROGRAM 'seq -f "%.0f,1,x,2026-01-01,n" 50001 50020' WITH (FORMAT csv);
});
for (1 .. 12)
{
	$node->safe_psql('postgres', q{SELECT note FROM item WHERE code = 17});
}
is( $node->safe_psql('postgres', q{
SELECT count(*) > 0 FROM glperf.advise_indexes(min_benefit_pct => 0) \g /dev/null
SELECT outcome || ': ' || (reason LIKE '%COPY%') FROM glperf.advised_statements() WHERE query LIKE 'COPY%'}),
	'not analysable: true', 'COPY is named as what has no plan');

$node->stop;
done_testing();

# What decides about an index where plans are valued by time: prices of plans,
# how far they are doubted, and how much slower which statement may get.
# Nothing here is timed: prices come from statistics alone.

use strict;
use warnings;

use JSON::PP;
use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The planner takes all of it to be cached, and looks up what it can.
my $node = GlperfNode::start('price',
	init => { extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ] },
	conf => q{
max_parallel_workers_per_gather = 0
jit = off
shared_buffers = 64MB
random_page_cost = 0.1
work_mem = 64MB
});
$node->safe_psql('postgres', q{
CREATE SCHEMA app;
CREATE TABLE app.big AS SELECT i AS id, (i * 7919::int8 % 200003)::int AS k, i % 1000 AS v, repeat('x', 120) AS pad
FROM generate_series(1, 200000) i;
CREATE TABLE app.link AS SELECT i % 4000 AS m, (i * 104729::int8 % 200003)::int AS k FROM generate_series(1, 40000) i;
CREATE TABLE app.one AS SELECT i AS id, repeat('y', 30) AS pad FROM generate_series(1, 4000) i;
CREATE TABLE app.two AS SELECT i AS id, repeat('y', 30) AS pad FROM generate_series(1, 4000) i;
CREATE TABLE app.three AS SELECT i AS id, repeat('y', 30) AS pad FROM generate_series(1, 4000) i;
CREATE TABLE app.day AS SELECT i AS id, i / 100 AS year FROM generate_series(0, 19999) i;
CREATE TABLE app.sale AS SELECT i % 500 AS lately, i % 20000 AS ever, (i * 104729::int8 % 200003)::int AS k
FROM generate_series(1, 100000) i;
CREATE TABLE app.season AS SELECT i % 500 AS even, CASE WHEN i % 5 < 4 THEN 300 + (i / 5) % 100 ELSE i % 500 END AS peak,
	(i * 104729::int8 % 200003)::int AS k FROM generate_series(1, 25000) i;
VACUUM (FREEZE, ANALYZE) app.big, app.link, app.one, app.two, app.three, app.day, app.sale, app.season;
});

# Indexes on a table advised for a list of [statement, ms a day, calls]
sub advise
{
	my ($model, $table, @work) = @_;
	my $json = encode_json([ map { { query => $_->[0], search_path => 'app', time_ms => $_->[1], calls => $_->[2] || 100 } } @work ]);
	my $out = $node->safe_psql('postgres',
		qq{SET glperf.cost_model = $model;
		SELECT regexp_replace(ddl, '^.* ON ', '') FROM glperf.advise_indexes(workload => \$w\$$json\$w\$)
		WHERE action = 'create' AND table_name = '$table' ORDER BY 1});
	return $out;
}

# --- look-ups all over a table against one scan
sub join_two
{
	return "SELECT sum(b.v), max(b.pad) FROM link l JOIN big b ON b.k = l.k WHERE l.m < $_[0]";
}

is(advise('time', 'big', [ join_two(300), 6000 ]), 'app.big (k)', 'an index for some look-ups');
is(advise('planner', 'big', [ join_two(1500), 6000 ]), 'app.big (k)', 'for many, if the planner is believed');
# Failure proved: the price of rows fetched one by one is not counted.
is(advise('time', 'big', [ join_two(1500), 6000 ]), '', '... but not by time');

# --- a nested loop that explodes when the joins below yield more rows
my $joins = 'SELECT sum(b.v), max(b.pad) FROM one JOIN two ON two.id = one.id JOIN three ON three.id = two.id'
  . ' JOIN link l ON l.m = one.id JOIN big b ON b.k = l.k WHERE one.id < 400';
is(advise('time', 'big', [ join_two(400), 6000 ]), 'app.big (k)', 'look-ups for rows that are counted on');
is(advise('planner', 'big', [ $joins, 6000 ]), 'app.big (k)', 'as many for rows of three joins, if the planner is believed');
# Failure proved: plans are not looked at with more rows than expected.
is(advise('time', 'big', [ $joins, 6000 ]), '', '... but not by time: the loop would run too often');

# --- one that explodes when a condition keeps just what is referred to: the
# planner expects 500 sales of a hundred days, be they of all days that there
# are or of five hundred
sub join_days
{
	my ($column, $sale) = (@_, 'sale');

	return "SELECT sum(b.v), max(b.pad) FROM day d JOIN $sale s ON s.$column = d.id JOIN big b ON b.k = s.k WHERE d.year = 3";
}

is(advise('time', 'big', [ join_days('ever'), 6000 ]), 'app.big (k)', 'look-ups for some of all days');
# Failure proved: that other days have no sales is not thought of.
is(advise('time', 'big', [ join_days('lately'), 6000 ]), '', '... but not where all sales may be meant');

is(advise('time', 'big', [ join_days('even', 'season'), 6000 ]), 'app.big (k)', 'look-ups for few sales');
# Failure proved: the days asked for are taken to be like any others.
is(advise('time', 'big', [ join_days('peak', 'season'), 6000 ]), '', '... but not where most may be on those days');

# --- the same inside of a subquery, over the parts of a UNION ALL
sub subquery_days
{
	my ($column, $sales, $distinct) = @_;

	return "SELECT sum(b.v), max(b.pad) FROM big b JOIN (SELECT $distinct s.k FROM day d JOIN $sales ON s.$column = d.id"
	  . " WHERE d.year = 3 OFFSET 0) x ON x.k = b.k";
}
my $parts = '(SELECT ever, lately, k FROM sale WHERE k > 5 UNION ALL SELECT ever, lately, k FROM sale) s';

is(advise('time', 'big', [ subquery_days('ever', 'sale s', 'DISTINCT'), 6000 ]), 'app.big (k)', 'look-ups for a subquery');
is(advise('time', 'big', [ subquery_days('ever', $parts, ''), 6000 ]), 'app.big (k)', '... over parts');
# Failure proved: the rows of a subquery are not doubted.
is(advise('time', 'big', [ subquery_days('lately', 'sale s', 'DISTINCT'), 6000 ]), '', 'but not where it may yield all sales');
# Failure proved: nothing is known of what UNION ALL refers to.
is(advise('time', 'big', [ subquery_days('lately', $parts, ''), 6000 ]), '', '... nor over parts');

# --- conditions behind a gap of an index, on parts inside of a subquery
$node->safe_psql('postgres', 'CREATE INDEX sale_ever_lately ON app.sale (ever, lately)');
my $gap = 'SELECT sum(b.v), max(b.pad) FROM big b JOIN (SELECT s.k FROM day d JOIN (SELECT ever, lately, k FROM sale'
  . ' UNION ALL SELECT ever, lately, k FROM sale) s ON s.lately = d.id WHERE d.id IN (3, 5) AND s.ever > 19000 OFFSET 0) x ON x.k = b.k';
# Failure proved: statistics of a part are looked up by numbers of the whole
# statement, or where the planner has moved those of the subquery.
is(advise('time', 'big', [ $gap, 6000 ]), 'app.big (k)', 'parts of a subquery are priced');
$node->safe_psql('postgres', 'DROP INDEX app.sale_ever_lately');

# --- what was measured says how far more rows are to be expected: two scans tell
# how long a price takes, and a join takes as long as it should, or longer
$node->safe_psql('postgres', 'CREATE INDEX link_m ON app.link (m)');
sub saved
{
	my ($ms) = @_;
	my $json = encode_json([ map { { query => $_->[0], search_path => 'app', time_ms => 100 * $_->[1], calls => 100 } }
		[ 'SELECT sum(length(pad)) FROM big', 100 ], [ 'SELECT sum(octet_length(pad)) FROM big', 100 ],
		[ 'SELECT sum(b.v), max(b.pad) FROM one JOIN link l ON l.m = one.id JOIN big b ON b.k = l.k WHERE one.id < 300',
			$ms ] ]);

	return $ms * (1 - 1 / $node->safe_psql('postgres', qq{SET glperf.cost_model = time;
		DO \$do\$BEGIN PERFORM glperf.advise_indexes(workload => \$w\$$json\$w\$); END\$do\$;
		SELECT speedup_ratio FROM glperf.advised_statements() WHERE query LIKE '%link%'}));
}
my @saved = map { saved($_) } 50, 75, 90, 105, 120, 250;

cmp_ok($saved[1], '>', 1.4 * $saved[0], 'the longer a join takes, the more an index saves');
# Failure proved: the time of a statement is not held against its price.
cmp_ok((sort { $b <=> $a } @saved)[0], '>', 1.05 * $saved[5],
	'... until its time says that the loop runs more often than planned');
$node->safe_psql('postgres', 'DROP INDEX app.link_m');

# --- how much slower a statement may get depends on how much it matters
my $lookup = 'SELECT pad FROM big WHERE k = 7';
is(advise('time', 'big', [ $lookup, 10000, 1000 ]), 'app.big (k)', 'an index for a look-up');
# Failure proved: a statement that matters is sacrificed.
is(advise('time', 'big', [ $lookup, 10000, 1000 ], [ join_two(1500), 10000 ]), '',
	'no index that slows down a statement with half of the time');
# Failure proved: harm without bounds, because it is rare.
is(advise('time', 'big', [ $lookup, 10000, 1000 ], [ join_two(1500), 200, 1 ]), '',
	'nor one that makes a rare statement several times slower');
# Failure proved: a report of a tenth of a millisecond a day forbids the index.
is(advise('time', 'big', [ $lookup, 10000, 1000 ], [ join_two(1500), 0.1, 1 ]), 'app.big (k)',
	'but a fraction of a millisecond a day is no harm');

# --- a covering index where fetching rows is most of the work
my $range = 'SELECT sum(v) FROM big WHERE k BETWEEN 20000 AND 40000';
is(advise('time', 'big', [ $range, 6000 ]), 'app.big (k) INCLUDE (v)', 'a covering index, as rows are scattered');
# Failure proved: writes are not taken to undo what VACUUM did, or too much so.
$node->safe_psql('postgres', 'UPDATE app.big SET v = v + 1 WHERE id % 100 = 0');
is(advise('time', 'big', [ $range, 6000 ]), 'app.big (k) INCLUDE (v)', 'also with some rows that have changed');

# --- a partial index of a tenth of the rows, which lie on all of the pages
$node->safe_psql('postgres', q{
CREATE TABLE app.part AS SELECT i AS id, i % 10 AS state, i % 7 AS a, i % 11 AS b, repeat('x', 120) AS pad
FROM generate_series(1, 200000) i;
VACUUM (FREEZE, ANALYZE) app.part;
});
my $open = [ 'SELECT id, pad FROM part WHERE state = 3 AND a < b ORDER BY id', 6000 ];
is(advise('time', 'part', $open), 'app.part (id) WHERE (state = 3)', 'a partial index');
# Failure proved: its condition is counted twice, and all of its rows seem a
# hundredth of the table.
my $faster = $node->safe_psql('postgres', qq{
SET glperf.cost_model = time;
SELECT count(*) FROM glperf.advise_indexes(workload =>
	'[{"query": "$open->[0]", "search_path": "app", "time_ms": 6000, "calls": 100}]');
SELECT speedup_ratio BETWEEN 1.5 AND 10 FROM glperf.advised_statements()});
like($faster, qr/\nt$/, '... whose rows are as many as they are');

# --- tables at rest: only if the counters have seen the load
$node->safe_psql('postgres', q{
CREATE TABLE app.rest AS SELECT (i * 7919::int8 % 1000003)::int AS k FROM generate_series(1, 1000000) i;
VACUUM (FREEZE, ANALYZE) app.rest;
});
my $rest = [ 'SELECT * FROM rest WHERE k = 7', 60000, 1000 ];
$node->poll_query_until('postgres',
	"SELECT n_tup_ins = 1000000 FROM pg_stat_user_tables WHERE relname = 'rest'")
  or die 'the counters never came';
is(advise('time', 'rest', $rest), "app.rest (k) WITH (fillfactor = 100)", 'a table at rest: a packed index');
# Failure proved: counters that saw no load pass for a table that is not written.
$node->safe_psql('postgres', "SELECT pg_stat_reset_single_table_counters('app.rest'::regclass)");
$node->poll_query_until('postgres', "SELECT n_tup_ins = 0 FROM pg_stat_user_tables WHERE relname = 'rest'")
  or die 'the counters were never reset';
is(advise('time', 'rest', $rest), 'app.rest (k)', 'not known to be at rest: room for entries to come');
$node->safe_psql('postgres', q{
CREATE TABLE app.written AS TABLE app.rest;
VACUUM (FREEZE, ANALYZE) app.written;
UPDATE app.written SET k = k + 1 WHERE k < 30000;
});
$node->poll_query_until('postgres',
	"SELECT n_tup_ins = 1000000 AND n_tup_upd > 29000 FROM pg_stat_user_tables WHERE relname = 'written'")
  or die 'the counters never came';
$rest->[0] =~ s/rest/written/;
is(advise('time', 'written', $rest), 'app.written (k)', 'a table that is written: the same');

$node->stop;
done_testing();

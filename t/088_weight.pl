# The night after: indexes are there, but pg_stat_statements still counts the
# calls from before them.  Such a statement counts for what its plan takes now,
# by what a unit of cost takes here, which other statements tell.
# Nothing here is timed but what the server counts itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = GlperfNode::start('weight',
	preload => 'pg_stat_statements,glperf',
	conf => q{
max_parallel_workers_per_gather = 0
jit = off
});
$node->safe_psql('postgres', q{
CREATE TABLE executions AS SELECT i AS id, i * 7919 % 20011 AS agent, i % 97 AS duration, repeat('x', 200) AS payload
FROM generate_series(1, 200000) i;
CREATE TABLE agents AS SELECT i AS id, 'agent ' || i AS name FROM generate_series(1, 50) i;
CREATE TABLE log (at timestamptz, agent int, text text);
CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN 1; END';
VACUUM ANALYZE;
});

# Run a statement so often, each time with another constant.
sub often
{
	my ($times, $text) = @_;
	$node->safe_psql('postgres', join("\n", map { (my $sql = $text) =~ s/#/$_/g; "$sql;" } 1 .. $times));
}

$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
sleep 1;
often(20, q{SELECT avg(duration) FROM executions WHERE agent BETWEEN # * 100 AND # * 100 + 99});
often(3, q{SELECT count(*) FROM executions WHERE payload = 'y#'});
# what has next to no cost, and takes its time all the same
often(200, q{INSERT INTO log VALUES (now(), #, repeat('z', 1000))});
often(200, q{SELECT name FROM agents WHERE id = #});
often(50, q{SELECT slow() + #});
often(50, q{SELECT count(*) FROM pg_class WHERE oid = #});

my $time = q{SELECT round(time_ms_per_day / calls) FROM glperf.advised_statements() WHERE query LIKE 'SELECT avg(duration)%'};
my $before = (split /\n/, $node->safe_psql('postgres', "SELECT FROM glperf.advise_indexes(); $time"))[-1];

$node->safe_psql('postgres', 'CREATE INDEX ON executions (agent)');
my $after = (split /\n/, $node->safe_psql('postgres', "SELECT FROM glperf.advise_indexes(); $time"))[-1];

note("each call counts for $before ms a day before the index, $after after it");
cmp_ok($before, '>', 0, 'the statement counts for its time');
# Failure proved: what was before the index is to be saved once more.  (A call
# reads 1,000 of 200,000 rows.)
cmp_ok($after, '<', $before / 3, 'with an index since, for what its plan takes');
cmp_ok($after, '>', 0, '... which is not nothing');

$node->stop;
done_testing();

# The memory of what is no plain CREATE INDEX: replace, merge and rebuild are
# applied, recorded and judged like it; and a statement is compared with what
# it took lately, not with its mean since the counters began.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('actions');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
CREATE TABLE jobs (id int PRIMARY KEY, agent int, created int, pad text);
INSERT INTO jobs SELECT i, i % 3, i, repeat('x', 100) FROM generate_series(1, 60000) i;
CREATE INDEX jobs_agent ON jobs (agent);
CREATE TABLE pairs (id int PRIMARY KEY, k int, a int, b int, pad text);
INSERT INTO pairs SELECT i, i % 3000, i, i, repeat('x', 100) FROM generate_series(1, 60000) i;
CREATE INDEX pairs_a ON pairs (k) INCLUDE (a);
CREATE INDEX pairs_b ON pairs (k, id) INCLUDE (b);
CREATE TABLE broken (id int PRIMARY KEY, v int, pad text);
INSERT INTO broken SELECT i, i % 3000, repeat('x', 100) FROM generate_series(1, 60000) i;
CREATE INDEX broken_v ON broken (v);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken_v'::regclass;
CREATE TABLE other (id int PRIMARY KEY, v int);
INSERT INTO other SELECT i, i FROM generate_series(1, 2000) i;
VACUUM ANALYZE;
SELECT pg_stat_statements_reset();
});

# One day's work.
sub day
{
	my $script = "SET max_parallel_workers_per_gather = 0;\n";
	for my $i (1 .. 25)
	{
		$script .= "SELECT * FROM jobs WHERE agent = $i % 3 ORDER BY created LIMIT 2;\n"
		  . "SELECT a FROM pairs WHERE k = $i;\n"
		  . "SELECT b FROM pairs WHERE k = $i AND id > 5;\n"
		  . "SELECT * FROM broken WHERE v = $i;\n"
		  . "SELECT sum(v) FROM other WHERE v > $i;\n"
		  . "SELECT max(v) FROM other WHERE v < $i * 3;\n"
		  . "SELECT count(*) FROM other WHERE v % 7 = $i;\n";
	}
	sql($script);
	return;
}

# State and message of a recommendation by its action.
sub verdicts
{
	my %verdict;
	my $run = advisor($node, 'verify', '--format=json');

	foreach my $v (@{ JSON::PP->new->utf8->decode($run->{out})->{verdicts} })
	{
		note("$v->{name}: $v->{state}: $v->{message}");
		$verdict{ ($v->{name} =~ /^(\w+)/)[0] } = $v;
	}
	return ($run->{status}, \%verdict);
}

day();

# --- the advice, recorded and applied

my $advice = advice($node);
is(join(' ', sort map { $_->{action} } @{ $advice->{recommendations} }), 'merge reindex replace',
	'a replacement, a merge and a rebuild are recommended')
  or diag(join "\n", map { "$_->{action}: $_->{ddl}" } @{ $advice->{recommendations} });
is(sql(q{SELECT string_agg(action || ' ' || state, ', ' ORDER BY action) FROM glperf.recommendation}),
	'merge proposed, reindex proposed, replace proposed', 'and recorded');
is(advisor($node, '--quiet')->{out}, '', 'the next run has no news');
my $run = advisor($node, '--apply', '--allow-drop');
is($run->{status}, 0, '--apply --allow-drop carries them out');
is(sql(q{SELECT string_agg(action || ' ' || state || ' ' || sources::text, ', ' ORDER BY action) FROM glperf.recommendation}),
	'merge applied {}, reindex applied {}, replace applied {}', '... and says so in the table');
is(sql(q{SELECT count(*) FROM pg_class WHERE relname IN ('jobs_agent', 'pairs_a', 'pairs_b')}), '0',
	'the old indexes are gone');
is(sql(q{SELECT indisvalid FROM pg_index WHERE indexrelid = 'broken_v'::regclass}), 't', '... and the broken one is whole');
is(advisor($node, '--quiet')->{out}, '', 'the next run has nothing to say');

my ($status, $verdict) = verdicts();
is($status, 0, 'too early');
is(join(' ', map { $verdict->{$_}{verdict} } qw(merge reindex replace)), 'unknown unknown unknown', '... for a verdict');

# --- after days

# more of them make up for one on which the machine was busy
for (1 .. 10)
{
	day();
	($status, $verdict) = verdicts();
	last unless grep { $verdict->{$_}{state} ne 'verified' } qw(merge reindex replace);
}
is($status, 0, 'later: nothing to take back');
# Failure proved: a merge is for no statement, so nothing is ever known of it.
is($verdict->{merge}{state}, 'verified', 'merge: nothing got slower');
cmp_ok($verdict->{merge}{index_scans}, '>=', 25, '... with the scans of the new index');
is($verdict->{reindex}{state}, 'verified', 'reindex: verified');
cmp_ok($verdict->{reindex}{mean_after_ms}, '<', $verdict->{reindex}{mean_before_ms}, '... its statement is faster');
is($verdict->{replace}{state}, 'verified', 'replace: verified');
cmp_ok($verdict->{replace}{saved_ms_per_day}, '>', 0, '... as it saves time');
is(join(' ', map { $verdict->{$_}{undo_ddl} // 'none' } qw(merge reindex replace)), 'none none none',
	'none is to be taken back');

# --- taken back by hand, and broken again

sql(q{DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || format('%I', index_name) FROM glperf.recommendation WHERE action = 'merge'); END $$;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken_v'::regclass});
(undef, $verdict) = verdicts();
is($verdict->{merge}{verdict} . ': ' . $verdict->{merge}{message}, 'unknown: the index is not there any more', 'merge: gone');
is($verdict->{reindex}{verdict} . ': ' . $verdict->{reindex}{message}, 'unknown: the index is broken again, or gone', 'reindex: broken');
$advice = advice($node);
my ($again) = grep { $_->{action} eq 'reindex' } @{ $advice->{recommendations} };
is($again->{note}, 'was rebuilt before, and needs it again', '... and proposed again, with the story');
sql(q{UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'broken_v'::regclass});

# --- a replacement that does harm: another statement misses what was dropped

sql(q{
CREATE TABLE missed (id int PRIMARY KEY, a int, b int, pad text);
INSERT INTO missed SELECT i, i % 30, i % 3000, repeat('x', 100) FROM generate_series(1, 60000) i;
CREATE INDEX missed_b ON missed (b);
VACUUM ANALYZE missed;
});

sub missed_day
{
	sql("SET max_parallel_workers_per_gather = 0;\n" . join('', map {
		"SELECT count(pad) FROM missed WHERE b = $_;\nSELECT count(pad) FROM missed WHERE a = $_ AND id < 4000;\n" } 1 .. 25));
	return;
}
missed_day();
my $for = sql(q{SELECT queryid FROM pg_stat_statements WHERE query LIKE '%FROM missed WHERE a =%'});
sql(qq{SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'statistics',
	'replace', 'public', 'missed', 'glp_missed', 'CREATE INDEX CONCURRENTLY glp_missed ON public.missed (a);
DROP INDEX CONCURRENTLY public.missed_b', 'CREATE INDEX CONCURRENTLY missed_b ON public.missed (b);
DROP INDEX CONCURRENTLY public.glp_missed', ARRAY[$for]::int8[], 100000, 5000, 1, 50, 'high', '{why}')});
sql('CREATE INDEX glp_missed ON missed (a, id); DROP INDEX missed_b');
sql(q{SELECT glperf.recommendation_applied(glperf.recommendation_begin(), ARRAY['replace public.glp_missed'])});
missed_day();
# Failure proved: only what the new index serves is looked at.
is(sql(q{SELECT state FROM glperf.recommendation_verdict('glp_missed')}), 'regressed', 'replace: what misses the old index counts');
($status, $verdict) = verdicts();
is($status, 2, 'the advisor says so');
like($verdict->{replace}{undo_ddl} // '', qr/^CREATE INDEX CONCURRENTLY missed_b .*;\nDROP INDEX CONCURRENTLY public\.glp_missed$/,
	'... with the way back');

# --- before is what the history has of the days before, not the lifetime

sql(q{
CREATE TABLE grown (id int PRIMARY KEY, v int, pad text);
INSERT INTO grown SELECT i, i, 'x' FROM generate_series(1, 10) i;
ANALYZE grown;
SELECT glperf.snapshot();
});

sub grown_day
{
	my ($calls) = @_;
	sql("SET max_parallel_workers_per_gather = 0;\n"
		  . join('', map { "SELECT count(pad) FROM grown WHERE v % 3000 = $_;\n" } 1 .. $calls));
	return;
}
# a small table, most calls, and long ago
grown_day(2000);
sql(q{SELECT glperf.snapshot();
UPDATE glperf.history_statement SET taken_at = taken_at - interval '3 days';
UPDATE glperf.history_snapshot SET taken_at = taken_at - interval '3 days' WHERE taken_at < (SELECT max(taken_at) FROM glperf.history_snapshot);
INSERT INTO grown SELECT i, i, repeat('x', 200) FROM generate_series(11, 60000) i;
VACUUM ANALYZE grown});
grown_day(25);
sql('SELECT glperf.snapshot()');
$for = sql(q{SELECT queryid FROM pg_stat_statements WHERE query LIKE '%FROM grown WHERE v %'});
sql(qq{SELECT glperf.record_recommendation(glperf.recommendation_begin(), 'statistics',
	'create', 'public', 'grown', 'glp_grown', 'CREATE INDEX CONCURRENTLY glp_grown ON public.grown ((v % 3000))',
	'DROP INDEX CONCURRENTLY public.glp_grown', ARRAY[$for]::int8[], 100000, 5000, 1, 50, 'high', '{why}')});
sql('CREATE INDEX glp_grown ON grown ((v % 3000)); ANALYZE grown');
sql(q{SELECT glperf.recommendation_applied(glperf.recommendation_begin(), ARRAY['create public.glp_grown'])});
grown_day(25);
my $effect = q{SELECT verdict, calls_before, before_from_at IS NOT NULL FROM glperf.recommendation_effect('create public.glp_grown')
WHERE link = 'advised'};
# Failure proved: the statement was fast once, so nothing that helps it now counts.
is(sql($effect), 'faster|25|t', 'compared with the days before');
is(sql(q{SELECT state FROM glperf.recommendation_verdict('create public.glp_grown')}), 'verified', '... and verified');
# without a history there is only the lifetime
sql('TRUNCATE glperf.history_statement');
is(sql($effect) =~ s/^\w+//r, '|2025|f', 'without a history: with the lifetime');

$node->stop;
done_testing();

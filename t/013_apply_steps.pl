# --apply with every kind of step that advise_indexes() may return.  What the
# analysis recommends is replaced here, so that the cases do not depend on it:
# partitioned tables step by step, drops, ANALYZE, and statements that --apply
# must refuse whoever returns them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use AdvisorTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('steps');
$node->safe_psql('postgres', q{
CREATE TABLE t (a int, b int);
CREATE TABLE canary (a int);
CREATE UNIQUE INDEX t_first ON t (a, b);
CREATE INDEX t_old ON t (a, b);
CREATE TABLE p (k int, a int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY LIST (a);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES IN (1);
INSERT INTO p VALUES (1, 1), (2, 1);
CREATE TABLE advised (rank int4, action text, index_name text, steps text[]);
});

# Replace advise_indexes(), whatever its other arguments and columns are, by
# one that returns what table advised says and is not there yet.
$node->safe_psql('postgres', q{
DO $do$
DECLARE
	f record;
	columns text;
BEGIN
	SELECT p.oid, pg_get_function_arguments(p.oid) AS arguments,
		pg_get_function_result(p.oid) AS result INTO STRICT f
	FROM pg_proc p WHERE proname = 'advise_indexes'
		AND pronamespace = 'glperf'::regnamespace;
	SELECT string_agg(CASE name
		WHEN 'rank' THEN 'a.rank'
		WHEN 'action' THEN 'a.action'
		WHEN 'schema_name' THEN '''public''::text'
		WHEN 'table_name' THEN '''t'' || a.rank'
		WHEN 'index_name' THEN 'a.index_name'
		WHEN 'ddl' THEN 'array_to_string(a.steps, E'';\n'')'
		WHEN 'steps' THEN 'a.steps'
		ELSE 'NULL::' || format_type(type, NULL) END, ', ' ORDER BY n)
	INTO columns
	FROM pg_proc p, unnest(proargnames, proallargtypes, proargmodes)
		WITH ORDINALITY c (name, type, mode, n)
	WHERE p.oid = f.oid AND mode = 't';
	EXECUTE format($f$
		CREATE OR REPLACE FUNCTION glperf.advise_indexes(%s) RETURNS %s
		LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $b$
		SELECT %s FROM public.advised a
		WHERE a.action <> 'create' OR NOT coalesce((SELECT indisvalid
			FROM pg_index WHERE indexrelid = to_regclass(a.index_name)), false)
		$b$ $f$, f.arguments, f.result, columns);
END
$do$
});

# What it returns from now on: [ action, index, step... ]...
sub advise
{
	my (@recs) = @_;
	my $rank = 0;
	my $values = join ', ', map {
		my ($action, $index, @steps) = @$_;
		$rank++;
		"($rank, '$action', '$index', ARRAY["
		  . join(', ', map { "\$s\$$_\$s\$" } @steps) . '])'
	} @recs;
	$node->safe_psql('postgres',
		"TRUNCATE advised; INSERT INTO advised VALUES $values");
	return;
}

sub outcomes
{
	my (@args) = @_;
	my $run = advisor($node, '--apply', '--format=json', @args);
	my $report = JSON::PP->new->utf8->decode($run->{out});
	return "$run->{status}: " . join ', ',
	  map { "$_->{outcome} $_->{steps_done}/" . @{ $_->{steps} } }
	  @{ $report->{recommendations} };
}

sub exists_index
{
	my ($name) = @_;
	return $node->safe_psql('postgres',
		"SELECT coalesce((SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.$name'))::text, 'none')");
}

# --- statements that --apply refuses, whoever returns them

for my $step (
	'DROP TABLE public.canary',
	'CREATE INDEX CONCURRENTLY IF NOT EXISTS glp_x ON public.t (b)',
	'CREATE INDEX glp_x ON public.t (b)',
	'CREATE INDEX CONCURRENTLY glp_x ON t (b)',
	'CREATE INDEX CONCURRENTLY ON public.t (b)',
	'DROP INDEX CONCURRENTLY public.t_old',
	'DROP INDEX public.t_old',
	'COPY (SELECT 1) TO PROGRAM $$cat$$',
	"SELECT pg_sleep(0)")
{
	advise([ 'create', 'public.glp_x', $step ]);
	is(outcomes(), '3: skipped 0/1', "refused: $step");
}
for my $step ('CREATE INDEX CONCURRENTLY glp_x ON public.t (b); DROP TABLE public.canary',
	'CREATE INDEX CONCURRENTLY glp_x ON', '')
{
	advise([ 'create', 'public.glp_x', $step ]);
	is(outcomes(), '3: failed 0/1', "not one statement: $step");
}
is( $node->safe_psql('postgres',
		"SELECT to_regclass('canary') IS NOT NULL AND to_regclass('t_old') IS NOT NULL AND to_regclass('glp_x') IS NULL"),
	't', 'nothing of that happened');
is($node->safe_psql('postgres', 'SELECT count(*) FROM glperf.apply_log'), 0,
	'nothing of that was begun');

# --- a partitioned table: the parent's shell, the leaves, ATTACH

my @steps = (
	'CREATE INDEX glp_p ON ONLY public.p (a)',
	'CREATE INDEX CONCURRENTLY glp_p1 ON public.p1 (a)',
	'ALTER INDEX public.glp_p ATTACH PARTITION public.glp_p1',
	'CREATE INDEX glp_p2 ON ONLY public.p2 (a)',
	'CREATE INDEX CONCURRENTLY glp_p21 ON public.p21 (a)',
	'ALTER INDEX public.glp_p2 ATTACH PARTITION public.glp_p21',
	'ALTER INDEX public.glp_p ATTACH PARTITION public.glp_p2');
for my $stop (1 .. $#steps)
{
	# an error in the step at $stop ends the run there; the next one goes on
	my @broken = @steps;
	$broken[$stop] = 'CREATE INDEX CONCURRENTLY glp_no ON public.no_such_table (a)';
	advise([ 'create', 'public.glp_p', @broken ]);
	is(outcomes(), "3: failed $stop/7", "partitions: interrupted before step $stop");
	is(exists_index('glp_p'), 'false', '... the parent is not valid yet');
}
advise([ 'create', 'public.glp_p', @steps ]);
is(outcomes(), '0: done 7/7', 'partitions: resumed and complete');
is(exists_index($_), 'true', "... $_ is valid") for qw(glp_p glp_p1 glp_p2 glp_p21);
is(outcomes(), '0: ', '... nothing left to do');
is( $node->safe_psql('postgres', q{
SELECT count(*) FROM glperf.apply_log WHERE outcome = 'done'}), 7,
	'... and no step ran twice');

# --- replace and merge: create first; the drop takes --allow-drop

$node->safe_psql('postgres', 'CREATE INDEX r_old ON t (b)');
my @replace = ('replace', 'public.glp_new',
	'CREATE INDEX CONCURRENTLY glp_new ON public.t (b, a)',
	'DROP INDEX CONCURRENTLY public.r_old');
advise(\@replace);
is(outcomes(), '2: done 1/2', 'replace: the new index is created');
is(exists_index('glp_new'), 'true', '... and valid');
is(exists_index('r_old'), 'true', '... the old one stays');
is(outcomes('--allow-drop'), '0: done 2/2', '... --allow-drop goes on where it ended');
is(exists_index('r_old'), 'none', '... and drops it');
$node->safe_psql('postgres',
	'DROP INDEX glp_new; CREATE INDEX r_old ON t (b); CREATE INDEX r_two ON t (b)');
advise([ 'merge', 'public.glp_no', 'CREATE INDEX CONCURRENTLY glp_no ON public.t (no_such_column)',
	'DROP INDEX CONCURRENTLY public.r_old', 'DROP INDEX CONCURRENTLY public.r_two' ]);
is(outcomes('--allow-drop'), '3: failed 0/3', 'merge: without the new index');
is(exists_index('r_old') . exists_index('r_two'), 'truetrue', '... nothing is dropped');
advise([ 'replace', 'public.r_old', 'DROP INDEX CONCURRENTLY public.r_old' ]);
is(outcomes(), '3: skipped 0/1', 'a drop that nothing comes before is refused');
advise([ 'merge', 'public.glp_new', $replace[2], $replace[3],
	'DROP INDEX CONCURRENTLY public.r_two' ]);
is(outcomes('--allow-drop'), '0: done 3/3', 'merge: all steps');
is(exists_index('r_old') . exists_index('r_two'), 'nonenone', '... both are gone');
$node->safe_psql('postgres', 'DROP INDEX glp_new');

# --- reindex: a broken index, one that is bloated, and again another night

$node->safe_psql('postgres', q{
CREATE INDEX broken ON t (b);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass});
for my $what ('broken', 'bloated')
{
	my $file = $node->safe_psql('postgres', "SELECT pg_relation_filenode('broken')");
	advise([ 'reindex', 'public.broken', 'REINDEX INDEX CONCURRENTLY public.broken' ]);
	is(outcomes(), '0: done 1/1', "reindex: $what");
	is(exists_index('broken'), 'true', '... and valid');
	isnt($node->safe_psql('postgres', "SELECT pg_relation_filenode('broken')"),
		$file, '... and new');
}
advise([ 'reindex', 'public.broken', 'REINDEX INDEX public.broken' ]);
is(outcomes(), '3: skipped 0/1', 'a rebuild that blocks is refused');
$node->safe_psql('postgres', 'DROP INDEX broken');

# --- drops: only when allowed, last, and only if everything else worked

my @drop = ('drop', 'public.t_old', 'DROP INDEX CONCURRENTLY public.t_old');
my @good = ('create', 'public.glp_good', 'CREATE INDEX CONCURRENTLY glp_good ON public.t (b)');
my @bad = ('create', 'public.glp_bad', 'CREATE INDEX CONCURRENTLY glp_bad ON public.t (no_such_column)');

advise(\@drop);
is(outcomes(), '2: not tried 0/1', 'drop: not without --allow-drop');
is(exists_index('t_old'), 'true', '... it is there');
like(flat(advisor($node, '--apply')->{out}), qr/applied not run without --allow-drop/,
	'... the report says so');
unlike(advisor($node, '--format=sql')->{out}, qr/^DROP/m,
	'drop: the script has it as a comment');
like(advisor($node, '--format=sql', '--allow-drop')->{out},
	qr/^DROP INDEX CONCURRENTLY public.t_old;$/m, '... unless allowed');

advise(\@drop, \@bad);
is(outcomes('--allow-drop'), '3: skipped 0/1, failed 0/1',
	'drop: not after something failed');
is(exists_index('t_old'), 'true', '... it is there');

# a drop that times out leaves the index invalid; that is ours to finish
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; SELECT count(*) FROM t');
advise(\@drop, \@good);
is(outcomes('--allow-drop', '--lock-timeout=300ms'), '3: failed 0/1, done 1/1',
	'drop: timed out');
is(exists_index('t_old'), 'false', '... invalid now');
$session->quit;
advise(\@good);
is(outcomes(), '0: ', 'drop: the next run needs no permission to finish it');
is(exists_index('t_old'), 'none', '... it is gone');
is(exists_index('glp_good'), 'true', '... what replaced it is there');

# somebody drops, between the advice and the drop, what made it superfluous
$node->safe_psql('postgres', 'CREATE INDEX t_old ON t (a, b); DROP INDEX t_first');
advise(\@drop);
is(outcomes('--allow-drop'), '3: skipped 0/1', 'drop: not if it is needed by now');
is(exists_index('t_old'), 'true', '... it is there');
$node->safe_psql('postgres', 'CREATE UNIQUE INDEX t_first ON t (a, b)');
is(outcomes('--allow-drop'), '0: done 1/1', 'drop: done');
is(exists_index('t_old'), 'none', '... it is gone');
advise([ 'drop', 'public.t_old', 'DROP INDEX CONCURRENTLY public.t_old' ]);
is(outcomes('--allow-drop'), '0: done 1/1', 'drop: already gone is done');
# a partitioned index cannot go without locking the table against everybody
advise([ 'drop', 'public.glp_p', 'DROP INDEX public.glp_p' ]);
is(outcomes('--allow-drop'), '2: not tried 0/1', 'drop: of a partitioned index is left to people');
like(flat(advisor($node, '--apply', '--allow-drop')->{out}), qr/applied left to you: it locks the table/, '... says why');
unlike(advisor($node, '--format=sql', '--allow-drop')->{out}, qr/^DROP/m, '... in the script, too');

# --- a failed build of ours does not touch the other statements

advise(\@bad, [ 'analyze', 'public.t', 'ANALYZE public.t' ],
	[ 'create', 'public.glp_more', 'CREATE INDEX CONCURRENTLY glp_more ON public.t (a)' ]);
is(outcomes(), '3: failed 0/1, done 1/1, done 1/1', 'one failure does not end the run');
is(invalid_indexes($node), '', '... nothing invalid is left');
isnt($node->safe_psql('postgres', "SELECT last_analyze FROM pg_stat_user_tables WHERE relname = 't'"),
	undef, '... ANALYZE ran');
is( $node->safe_psql('postgres', q{
SELECT sqlstate, message FROM glperf.apply_log WHERE index_name = 'glp_bad'
ORDER BY started_at DESC LIMIT 1}),
	'42703|column "no_such_column" does not exist', '... the log has the reason');

# --- a unique violation, by way of an index whose predicate fails to compute

$node->safe_psql('postgres', 'INSERT INTO t VALUES (0, 0)');
advise([ 'create', 'public.glp_div', 'CREATE INDEX CONCURRENTLY glp_div ON public.t ((1 / a))' ]);
is(outcomes(), '3: failed 0/1', 'an error during the build');
is(invalid_indexes($node), '', '... is cleaned up');

$node->stop;
done_testing();

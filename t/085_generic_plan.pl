# Partial indexes are for constants: of the text, or of parameters that plans
# are made for.  A generic plan cannot use one, so it gets a full index.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = GlperfNode::start('generic', preload => 'pg_stat_statements,glperf',
	init => { extra => [ '--encoding=UTF8', '--no-locale' ] },
	conf => q{
max_parallel_workers_per_gather = 0
});
$node->safe_psql('postgres', q{
CREATE TABLE jobs (id int PRIMARY KEY, status text NOT NULL, tenant int NOT NULL,
	created timestamptz NOT NULL, body text, gone date, owner int);
INSERT INTO jobs SELECT i, CASE WHEN i % 200 = 0 THEN 'pending' WHEN i % 190 = 0 THEN 'failed' ELSE 'done' END,
	i % 100, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', repeat('x', 100),
	CASE WHEN i % 50 = 0 THEN '2026-01-01'::date END, CASE WHEN i % 5 = 0 THEN 1 ELSE i END
FROM generate_series(1, 40000) i;
VACUUM ANALYZE jobs;
});
my $statement = 'SELECT id, body FROM jobs WHERE status = $1 ORDER BY created LIMIT 10';

# Run the statement with these values under one plan_cache_mode; each in a
# session of its own, so that the sampler sees all of them.
sub run_prepared
{
	my ($mode, @values) = @_;

	foreach my $value (@values)
	{
		$node->safe_psql('postgres', "SET plan_cache_mode = $mode; PREPARE s (text) AS $statement;\n"
			  . "EXECUTE s ('$value');\n" x 3);
	}
}

sub forget
{
	$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset(); SELECT glperf.parameter_samples_reset();');
}

# The DDL, without names, and the reasons.
sub advice
{
	return $node->safe_psql('postgres', q{
SELECT regexp_replace(ddl, 'glp_\w+_[0-9a-f]{8}\M', 'x'), array_to_string(reasons, '; ')
FROM glperf.advise_indexes() WHERE table_name = 'jobs' AND action = 'create'});
}

# Failure proved: the constant that a queue is asked for is not recognised.
forget();
run_prepared('force_custom_plan', ('pending') x 4);
like(advice(), qr/^CREATE INDEX CONCURRENTLY x ON public.jobs \(created\).* WHERE \(?status = 'pending'::text\)?\|/,
	'custom plans of one value: partial');
like(advice(), qr/its constant was bound as parameter in all \d+ sampled executions.*custom plans/,
	'the reason says that plans are custom');

# Failure proved: an index that generic plans never use.
forget();
run_prepared('force_generic_plan', ('pending') x 4);
like(advice(), qr/^CREATE INDEX CONCURRENTLY x ON public.jobs \(status, created\)\|/, 'generic plans: a full index');
like(advice(), qr/runs generic plans/, 'the reason says so');
is($node->safe_psql('postgres', q{SELECT samples > 0 FROM glperf.advised_statements() WHERE query LIKE '%FROM jobs%'}),
	't', 'although there are samples');

# Failure proved: a session that has gone over to the generic plan is left out.
forget();
run_prepared('force_custom_plan', ('pending') x 3);
run_prepared('force_generic_plan', 'pending');
unlike(advice(), qr/^[^|]* WHERE/, 'one generic plan among them: no partial index');

# Failure proved: what no parameter decides is taken for a constant of one plan.
forget();
$node->safe_psql('postgres', "SET plan_cache_mode = force_generic_plan; PREPARE s (int) AS\n"
	  . "SELECT id, body FROM jobs WHERE tenant = \$1 AND gone IS NOT NULL;\n" . "EXECUTE s (7);\n" x 4);
like(advice(), qr/^CREATE INDEX CONCURRENTLY x ON public.jobs \(tenant\).* WHERE \(gone IS NOT NULL\)\|/,
	'generic plans: partial where no parameter decides');

# Failure proved: the rows of an average value are sorted fast enough.
forget();
$node->safe_psql('postgres', "SET plan_cache_mode = force_generic_plan; PREPARE s (int) AS\n"
	  . "SELECT id, body FROM jobs WHERE owner = \$1 ORDER BY created DESC LIMIT 10;\n" . "EXECUTE s (1);\n" x 4);
like(advice(), qr/^CREATE INDEX CONCURRENTLY x ON public.jobs \(owner, created DESC\)\|/,
	'generic plans: the rows of the values that they ran with');

# Failure proved: an index for one of the values that are asked for.
forget();
run_prepared('force_custom_plan', 'pending', 'failed', 'pending', 'failed');
like(advice(), qr/^CREATE INDEX CONCURRENTLY x ON public.jobs \(status, created\)\|/, 'two values: a full index');

# Failure proved: a constant of the text is taken for a parameter.
forget();
$node->safe_psql('postgres', "SELECT id, body FROM jobs WHERE status = 'pending' ORDER BY created LIMIT 10;\n")
  for 1 .. 4;
like(advice(), qr/\(created\).* WHERE .*its constant is part of the statement's text in all/,
	'the text holds the constant: partial');

# Failure proved: an index on the distance to one of the places asked for.
forget();
$node->safe_psql('postgres', "SELECT id, body FROM jobs ORDER BY abs(tenant - $_) LIMIT 10;\n" x 2) for 3 .. 5;
is(advice(), '', 'an expression with a constant that varies: nothing');
forget();
$node->safe_psql('postgres', "SELECT id, body FROM jobs WHERE abs(id - 5) = $_;\n" x 2) for 3 .. 5;
like(advice(), qr/^CREATE INDEX CONCURRENTLY x ON public.jobs \(\(*abs\(\(?id - 5/, 'one that stays: an index');

# Failure proved: one look is taken for a rule.
forget();
$node->safe_psql('postgres', "SELECT id, body FROM jobs WHERE status = 'pending' ORDER BY created LIMIT 10;\n");
$node->safe_psql('postgres', "SET glperf.sample_parameters = off;\n"
	  . "SELECT id, body FROM jobs WHERE status = 'failed' ORDER BY created LIMIT 10;\n" x 20);
unlike(advice(), qr/^[^|]* WHERE/, 'one sampled execution out of many: no partial index');

# The index does what was said: custom plans use it, generic ones do not.
$node->safe_psql('postgres', q{CREATE INDEX partial ON jobs (created) WHERE status = 'pending'});
foreach my $mode ('custom', 'generic')
{
	my $plan = $node->safe_psql('postgres', "SET plan_cache_mode = force_${mode}_plan; PREPARE s (text) AS $statement;\nEXPLAIN EXECUTE s ('pending')");

	is($plan =~ /partial/ ? 'used' : 'not used', $mode eq 'custom' ? 'used' : 'not used', "$mode plan");
}

$node->stop;
done_testing();

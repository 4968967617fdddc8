# A program that connects anew for each poll finds what its last connection has
# measured, where glperf is preloaded: the same role in the same database only,
# with nothing that it may not see any more, and nothing after a crash.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use GlperfNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements, glperf'
restart_after_crash = on
});
$node->start;

# An area of the page that takes some 200 ms, and is kept for minutes; its value
# differs each time that it is read.  One that is too large to be shared, one
# whose text is stored out of line, and one with other columns.
my $setup = q{
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION glperf;
CREATE TABLE glperf.long (word text);
ALTER TABLE glperf.long ALTER word SET STORAGE external;
INSERT INTO glperf.long VALUES (repeat('word ', 2000));
CREATE VIEW glperf.slow AS
SELECT 'x'::text AS area, current_user::text AS object, 'x'::text AS check_id,
	extract(epoch FROM clock_timestamp())::float8 + 0 * w.work AS value,
	'x'::text AS unit, NULL::float8 AS warning, NULL::float8 AS critical,
	'ok'::text AS status, 'x'::text AS message, NULL::text AS remedy,
	NULL::text AS guide_section
FROM (SELECT count(*)::float8 AS work FROM generate_series(1, 3000000)) w;
CREATE VIEW glperf.large AS
SELECT s.area, s.object, s.check_id, s.value, s.unit, s.warning, s.critical,
	s.status, repeat('long ', 1000) AS message, s.remedy, s.guide_section
FROM glperf.slow s, generate_series(1, 20);
CREATE VIEW glperf.apart AS
SELECT s.area, s.object, s.check_id, s.value, s.unit, s.warning, s.critical,
	s.status, l.word AS message, s.remedy, s.guide_section
FROM glperf.slow s, glperf.long l;
CREATE VIEW glperf.other AS
SELECT 1 AS area, 2 AS object, 3 AS check_id, 4 AS value, 5 AS unit,
	6 AS warning, 7 AS critical, 8 AS status, 9 AS message, 10 AS remedy,
	11 AS guide_section;
GRANT SELECT ON glperf.slow TO PUBLIC;
};
$node->safe_psql('postgres', $setup . q{
CREATE ROLE one LOGIN IN ROLE pg_monitor;
CREATE ROLE two LOGIN IN ROLE pg_monitor;
CREATE DATABASE elsewhere;
});
$node->safe_psql('elsewhere', $setup);

# What a new connection is shown of a view, and when that was measured
sub look
{
	my ($role, $view, $database, $options) = @_;
	local $ENV{PGOPTIONS} = $options // '';
	return $node->safe_psql($database // 'postgres', qq{
SELECT object, value, measured_at FROM glperf.recent_health_rows(ARRAY['$view'])},
		extra_params => [ '-U', $role ]);
}

my $first = look('one', 'slow');
like($first, qr/^one\|/, 'a role is told');
is(look('one', 'slow'), $first, 'its next connection finds that');
my $second = look('two', 'slow');
like($second, qr/^two\|/, 'another role is told by itself');
is(look('one', 'slow'), $first, 'which changes nothing for the first one');
isnt(look('one', 'slow', 'elsewhere'), $first, 'another database is another matter');
isnt(look('one', 'slow', undef, '-c timezone=Asia/Kathmandu'), $first,
	'so is another time zone, which messages are written in');
is(look('one', 'slow'), $first, 'all of that is kept side by side');

# what fits no place, and what is stored elsewhere
my $me = $node->safe_psql('postgres', 'SELECT current_user');
my $large = look($me, 'large');
is(scalar(split /\n/, $large), 20, 'rows that are too many to share are shown');
isnt(look($me, 'large'), $large, '... and measured by each connection');
my $apart = look($me, 'apart');
$node->safe_psql('postgres', 'TRUNCATE glperf.long');
is(look($me, 'apart'), $apart, 'a long value is kept whole');
is($node->safe_psql('postgres', q{
SELECT message = repeat('word ', 2000) FROM glperf.recent_health_rows('{apart}')}),
	't', '... to its end, although the table it came from is empty');
my ($rc, undef, $err) = $node->psql('postgres',
	q{SELECT * FROM glperf.recent_health_rows('{other}')});
isnt($rc, 0, 'a view with columns of other types');
like($err, qr/is not a part of the health page/, '... is refused');

# rights
$node->safe_psql('postgres', q{
REVOKE pg_monitor FROM one;
GRANT USAGE ON SCHEMA glperf TO one;
GRANT EXECUTE ON FUNCTION glperf.recent_health_rows(text[]) TO one;
});
isnt(look('one', 'slow'), $first,
	'without the right to read all statistics it does not find what it was told with it');
$node->safe_psql('postgres', q{
REVOKE EXECUTE ON FUNCTION glperf.recent_health_rows(text[]) FROM one});
($rc, undef, $err) = $node->psql('postgres',
	q{SELECT * FROM glperf.recent_health_rows('{slow}')},
	extra_params => [ '-U', 'one' ]);
like($err, qr/permission denied/, 'who may not ask is not told');

# more roles and areas than there are places: each answer is still its own
$node->safe_psql('postgres', join '', map {
	"CREATE ROLE poller$_ LOGIN IN ROLE pg_monitor; GRANT poller$_ TO CURRENT_USER;" } 1 .. 80);
$node->safe_psql('postgres', q{
CREATE VIEW glperf.quick AS
SELECT area, current_user::text AS object, check_id, value, unit, warning,
	critical, status, message, remedy, guide_section
FROM (SELECT 'x'::text AS area, 'x'::text AS check_id, 1::float8 AS value,
	'x'::text AS unit, NULL::float8 AS warning, NULL::float8 AS critical,
	'ok'::text AS status, 'first sample'::text AS message, NULL::text AS remedy,
	NULL::text AS guide_section) x;
GRANT SELECT ON glperf.quick TO PUBLIC;
});
my $strangers = $node->safe_psql('postgres', join '', map { qq{
SET ROLE poller$_;
SELECT object FROM glperf.recent_health_rows('{quick}') WHERE object <> current_user;
} } (1 .. 80, 1 .. 80));
is($strangers, '', 'nobody is shown the rows of another role');
is(look('two', 'slow'), $second,
	'what is to be kept longest outlasts what is not');

# the whole page, as a poller has it
my $page = q{SELECT count(*) > 20, count(*) FILTER (WHERE message ~ '^first sample'
	AND check_id IN ('cache_hit', 'wal_rate', 'temp_rate')) FROM glperf.recent_health};
like($node->safe_psql('postgres', $page), qr/^t/, 'the page is shown to a new connection');
ok( $node->poll_query_until('postgres', "SELECT count = 0 FROM ($page) s (many, count)"),
	'which soon has rates to show, although no connection lasts');

# a crash forgets, and leaves nothing half written
ok(GlperfNode::crash($node), 'crashed and back');
my $third = look('two', 'slow');
isnt($third, $second, 'after a crash all is measured anew');
is(look('two', 'slow'), $third, '... and found again');

# without the library preloaded each connection has its own
$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'pg_stat_statements'});
$node->restart;
my $own = look('two', 'slow');
like($own, qr/^two\|/, 'not preloaded: a role is told');
isnt(look('two', 'slow'), $own, '... each connection by itself');
$node->stop;

done_testing();

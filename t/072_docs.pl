# Copyright (c) 2026, the glperf authors

# The documents against what is installed.  Proves that a reader is not sent
# to an object, a setting, an option, a file or a panel that does not exist,
# and that docs/reference.md is what docs/make-reference.sh writes today.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use GlperfGrafana;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my @docs = grep { -f } ("$top/README.md", glob("$top/docs/*.md"),
	"$top/dashboards/README.md", "$top/CHANGELOG.md",
	"$top/CONTRIBUTING.md");

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'pg_stat_statements,glperf'");
$node->start;
$node->safe_psql('postgres',
	'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION glperf');

#-------------------------------------------------------------------------
# docs/reference.md
#-------------------------------------------------------------------------

my ($out, $err) = ('', '');
IPC::Run::run(
	[
		'psql', '-X', '-q',
		'-d', $node->connstr('postgres'),
		'-f', "$top/docs/reference.sql"
	],
	'>', \$out, '2>', \$err);
is($err, '', 'docs/reference.sql runs');
my $reference = slurp_file("$top/docs/reference.md");
if ($out eq $reference)
{
	pass('docs/reference.md is current');
}
else
{
	my %old = map { $_ => 1 } split /\n/, $reference;
	my %new = map { $_ => 1 } split /\n/, $out;
	fail('docs/reference.md is current: run docs/make-reference.sh');
	diag("  missing: $_") foreach grep { !$old{$_} } split /\n/, $out;
	diag("  stale: $_") foreach grep { !$new{$_} } split /\n/, $reference;
}

# Every object of the schema, whether or not the script above lists it.
my @objects = split /\n/, $node->safe_psql(
	'postgres', q{
	SELECT relname FROM pg_class
	 WHERE relnamespace = 'glperf'::regnamespace AND relkind IN ('r', 'v', 'm')
	UNION
	SELECT proname FROM pg_proc WHERE pronamespace = 'glperf'::regnamespace
	ORDER BY 1});
cmp_ok(scalar @objects, '>', 1, 'the schema has objects');
my @absent = grep { $reference !~ /^### glperf\.\Q$_\E(\(|$)/m } @objects;
is_deeply(\@absent, [], 'every object of schema glperf is in the reference');

my @uncommented = split /\n/, $node->safe_psql(
	'postgres', q{
	SELECT c.relname || '.' || a.attname
	  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	 WHERE c.relnamespace = 'glperf'::regnamespace
	   AND c.relkind IN ('r', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
	   AND col_description(c.oid, a.attnum) IS NULL ORDER BY 1});
note("columns without a comment: @uncommented") if @uncommented;

#-------------------------------------------------------------------------
# Names in the prose
#-------------------------------------------------------------------------

my %exists = map { $_ => 1 } @objects;
$exists{$_} = 1 foreach split /\n/, $node->safe_psql(
	'postgres', q{
	SELECT substr(name, 8) FROM pg_settings WHERE name LIKE 'glperf.%'});
$exists{$_} = 1 foreach qw(control so);

sub names_in
{
	my ($text) = @_;
	my %n;
	$n{$1} = 1 while $text =~ /(?<![\/\w])glperf\.([a-z_]\w*)/g;
	return sort keys %n;
}

sub links_in
{
	my ($text) = @_;
	my %n;
	$n{$1} = 1 while $text =~ /\]\(([^)\s]+)\)/g;
	return grep { !/^(https?:|#|mailto:)/ } sort keys %n;
}

# Paths written as code: `t/070_dashboards.pl`, `docs/make-reference.sh`.
sub paths_in
{
	my ($text) = @_;
	my %n;
	$n{$1} = 1
	  while $text =~
	  m{`((?:bash |sh )?(?:\.ci|t|sql|docs|demo|bench|dashboards|include|advisor|extension|specs)/[\w./*-]+)}g;
	# OLD and NEW stand for version numbers
	return map { s/^(bash|sh) //r } grep { !/OLD|NEW/ } sort keys %n;
}

is_deeply([ grep { !$exists{$_} } names_in('x glperf.nosuch glperf.health') ],
	['nosuch'], 'found: a name that does not exist');
is_deeply([ paths_in('see `t/nosuch.pl` and `make`') ],
	['t/nosuch.pl'], 'found: a path');

foreach my $file (@docs)
{
	my ($name) = $file =~ m{\Q$top\E/(.*)};
	my ($dir) = $file =~ m{(.*)/};
	my $text = slurp_file($file);
	is_deeply([ grep { !$exists{$_} } names_in($text) ],
		[], "$name: every glperf.name exists");
	is_deeply([ grep { !-e "$dir/" . s/#.*//r } links_in($text) ],
		[], "$name: every link leads somewhere");
	is_deeply([ grep { my @g = glob "$top/$_"; !grep { -e } @g } paths_in($text) ],
		[], "$name: every path exists");
	unlike($text, qr{/root/|/home/}, "$name: no path of one machine");
}

#-------------------------------------------------------------------------
# Options of the advisor
#-------------------------------------------------------------------------

my ($help, $help_err) = run_command([ 'glperf-advisor', '--help' ]);
my %option = map { $_ => 1 } $help =~ /(--[a-z][a-z-]+)/g;
my $readme = slurp_file("$top/README.md");
my %used;
while ($readme =~ /glperf-advisor((?:[ \t]+[^\s`|;&]+)+)/g)
{
	my $args = $1;
	$used{$_} = 1 foreach $args =~ /(?<!\S)(--[a-z][a-z-]+)/g;
}
foreach my $row ($readme =~ /^\| (`--[^|]*)/mg)
{
	$used{$_} = 1 foreach $row =~ /`(--[a-z][a-z-]+)/g;
}
is_deeply([ grep { !$option{$_} } sort keys %used ],
	[], 'README.md: every option of glperf-advisor exists');
is_deeply([ grep { !$used{$_} && !/^--(help|version)$/ } sort keys %option ],
	[], 'README.md: every option of glperf-advisor is explained');

#-------------------------------------------------------------------------
# Thresholds
#-------------------------------------------------------------------------

my $thresholds = slurp_file("$top/docs/thresholds.md");
my @ids = split /\n/, $node->safe_psql('postgres',
	'SELECT id FROM glperf.threshold ORDER BY 1');
my %row = map { /^\| `(\w+)` / ? ($1 => $_) : () } split /\n/, $thresholds;
is_deeply([ sort keys %row ], [ sort @ids ],
	'docs/thresholds.md has one row for each row of glperf.threshold');

# A panel or a test that a row names must exist.
my %title;
foreach my $file (glob "$top/dashboards/*.json")
{
	$title{ $_->{title} } = 1
	  foreach GlperfGrafana::panels(GlperfGrafana::load($file));
}
my @no_panel;
foreach my $id (sort keys %row)
{
	my @cell = split /\s*\|\s*/, $row{$id};
	push @no_panel, "$id: $_"
	  foreach grep { length && !$title{$_} } split /, /, $cell[4] =~ s/-//r;
}
is_deeply(\@no_panel, [], 'docs/thresholds.md: every panel exists');

$node->stop;
done_testing();

#!/usr/bin/perl
# size.pl [--seed N] [--rows N] [--random N] [--only REGEX] [--all] DATABASE
#
# Estimated sizes of indexes against those of the same indexes, built.  Makes
# the tables of t/lib/GlperfIndexCases.pm for this seed in schema app of DATABASE
# (created when missing, dropped and made anew), asks glperf.whatif() for each
# index's size, builds it, and prints model / real, worst first (--all: every
# case), and the shares within 15 and 25 %.  --only: cases of such names.  The server is the one that PG*
# variables name; it needs the extension, and pg_trgm for two of the cases.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../../t/lib";
use Getopt::Long;

use GlperfIndexCases;

my %option = (seed => 1, rows => 300000, random => 25, only => '');
GetOptions(\%option, 'seed=i', 'rows=i', 'random=i', 'only=s', 'all') && @ARGV == 1
  or die "usage: size.pl [--seed N] [--rows N] [--random N] [--only REGEX] [--all] DATABASE\n";
my $db = shift;

sub psql
{
	my ($sql) = @_;
	open my $out, '>', "/tmp/glperf-size-$$.sql" or die $!;
	print $out $sql;
	close $out;
	my $result = `psql -X -q -At -F '	' -v ON_ERROR_STOP=1 -d '$db' -f /tmp/glperf-size-$$.sql`;
	unlink "/tmp/glperf-size-$$.sql";
	die "psql failed\n" if $?;
	return $result;
}

system("createdb '$db' 2>/dev/null");
my $trgm = psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'") > 0;
psql('SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS glperf; DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app;'
	  . index_case_types() . ($trgm ? 'CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;' : ''));

my @rows;
foreach my $case (index_cases(%option, trgm => $trgm))
{
	next if "$case->{name} $case->{ddl}" !~ /$option{only}/;
	my $t = "app.t$case->{n}";
	my $ddl = "CREATE INDEX real_$case->{n} ON $t $case->{ddl}";
	my $answer = psql(index_case_sql($case, $option{seed}) . qq{
SELECT (glperf.whatif('SELECT 1', ARRAY[\$d\$$ddl\$d\$])).size_bytes[1];
$ddl;
SELECT coalesce(sum(pg_relation_size(relid)), pg_relation_size('app.real_$case->{n}')) FROM pg_partition_tree('app.real_$case->{n}');
DROP TABLE $t;
});
	my ($estimate, $real) = grep { /^\d+$/ } split /\n/, $answer;
	push @rows, { %$case, estimate => $estimate, real => $real, ratio => $estimate / $real };
}

my @sorted = sort { abs(log $b->{ratio}) <=> abs(log $a->{ratio}) } @rows;
foreach my $row ($option{all} ? @sorted : @sorted[0 .. ($#sorted < 14 ? $#sorted : 14)])
{
	printf "%6.3f %11d %11d  %s  %s%s\n", $row->{ratio}, $row->{estimate}, $row->{real}, $row->{name}, $row->{ddl}, $row->{order} ? ' shuffled' : '';
}
my $log = 0;
$log += abs log $_->{ratio} for @rows;
printf "%d cases, seed %d, %d rows: %.1f %% within 15 %%, %.1f %% within 25 %%, mean error factor %.3f\n",
  scalar @rows, $option{seed}, $option{rows},
  100 * (grep { abs($_->{ratio} - 1) <= 0.15 } @rows) / @rows,
  100 * (grep { abs($_->{ratio} - 1) <= 0.25 } @rows) / @rows, exp($log / @rows);

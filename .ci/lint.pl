#!/usr/bin/perl
# lint.pl: see lint.sh.  Reads the sources in the current directory.
use strict;
use warnings;

use constant {
	MAX_FILE_LINES => 700,
	MAX_FUNCTION_LINES => 150,
};

my $complaints = 0;

sub complain
{
	my ($where, $what, $fix) = @_;
	print "$where: $what\n    fix: $fix\n";
	$complaints++;
}

sub slurp
{
	my ($f) = @_;
	open my $fh, '<', $f or die "$f: $!";
	local $/;
	return scalar <$fh>;
}

# The text with comments (and, when asked, string contents) blanked, so that
# line numbers and brackets stay what they are.
sub strip
{
	my ($s, $strings) = @_;
	my $blank = sub { my $t = shift; $t =~ s/[^\n]/ /g; $t };
	$s =~ s{(/\*.*?\*/)|("(?:\\.|[^"\\])*")|('(?:\\.|[^'\\])')}
		{defined $1 ? $blank->($1)
			: defined $2 ? ($strings ? '"' . $blank->(substr($2, 1, -1)) . '"' : $2)
			: "' '"}gesx;
	return $s;
}

sub line_of
{
	my ($s, $pos) = @_;
	return 1 + (substr($s, 0, $pos) =~ tr/\n//);
}

my @c = grep { -f } (glob('extension/*.[ch]'), glob('extension/import/*.[ch]'),
	glob('advisor/*.[ch]'), glob('include/*.h'), glob('t/unit/*.[ch]'));

# Prototypes that have their comment in the header: those directly below one,
# and those that follow in the same block of lines.
my %documented;
for my $h (grep { /\.h$/ } @c)
{
	my $described = 0;
	for my $l (split /\n/, slurp($h))
	{
		if ($l =~ m{\*/\s*$}) { $described = 1 }
		elsif ($l =~ /^\s*$/) { $described = 0 }
		elsif ($described && $l =~ /^extern\b.*?(\w+)\s*\(/) { $documented{$1} = 1 }
	}
}

for my $f (@c)
{
	my $raw = slurp($f);
	my $code = strip($raw, 1);
	my @raw = split /\n/, $raw, -1;
	my @line = split /\n/, $code, -1;

	my $n = @raw - 1;
	complain($f, "$n lines (ceiling " . MAX_FILE_LINES . ')',
		'split it by concern; one file answers one question')
	  if $n > MAX_FILE_LINES;

	while ($code =~ /\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|gets|atoi|atol|atof|alloca)\s*\(/g)
	{
		complain("$f:" . line_of($code, $-[0]), "$1() is banned",
			'snprintf, strlcpy, psprintf, StringInfo or PQExpBuffer; strtol or strtod for numbers');
	}

	complain("$f:" . line_of($code, $-[0]), 'PG_VERSION_NUM outside compat.h',
		'add a shim named by its meaning to extension/compat.h')
	  if $f ne 'extension/compat.h' && $code =~ /\bPG_VERSION_NUM\b/;

	# every error that a user can meet has an SQLSTATE
	while ($code =~ /\bereport\s*(\((?:[^()]++|(?1))*\))/g)
	{
		my ($call, $at) = ($1, $-[0]);
		next unless $call =~ /^\(\s*(?:ERROR|FATAL|elevel)\b/;
		complain("$f:" . line_of($code, $at), 'ereport(ERROR) without errcode',
			'add errcode(ERRCODE_...), and errhint() with the next action')
		  unless $call =~ /\berrcode(_for_\w+)?\s*\(/;
	}

	# functions: pgindent puts the name and both braces in the first column
	for my $i (1 .. $#line)
	{
		next unless $line[$i] =~ /^\{/;
		my $start = $i - 1;
		$start-- while $start > 0 && $line[$start] !~ /^[A-Za-z_]\w*\s*\(/
		  && $line[$start] =~ /\S/;
		next unless $line[$start] =~ /^([A-Za-z_]\w*)\s*\(/;
		my $name = $1;
		my $end = $i;
		$end++ while $end < $#line && $line[$end] !~ /^\}/;
		my $len = $end - $i + 1;
		my $body = join "\n", @line[ $i .. $end ];
		complain("$f:" . ($start + 1), "$name() has $len lines (ceiling "
			  . MAX_FUNCTION_LINES . ')',
			'give its steps names: one static function each')
		  if $len > MAX_FUNCTION_LINES && $body !~ /getopt_long\s*\(/;

		next if $documented{$name};
		# the obvious few lines of a family of inline functions
		next if $f =~ /\.h$/ && $len <= 8;
		my $above = $start - 1;
		$above-- if $above > 0 && $line[$above] =~ /^[A-Za-z_]/;	# result type
		$above-- while $above > 0
		  && ($raw[$above] =~ /^\s*$/ || $raw[$above] =~ /^(PG_FUNCTION_INFO_V1|#)/);
		complain("$f:" . ($start + 1), "$name() has no header comment",
			'say what it is for, here or above its prototype: units, NULL, errors, locking')
		  unless $raw[$above] =~ m{\*/\s*$};
	}

	# the client asks the extension; it does not know the catalogs
	if ($f =~ m{^advisor/} && $f !~ m{^advisor/db\w*\.c$})
	{
		my $text = strip($raw, 0);
		while ($text =~ /"[^"\n]*\b(pg_(?:class|index|indexes|attribute|namespace|constraint|stat_(?!statements\b)\w+|catalog)\b)/g)
		{
			complain("$f:" . line_of($text, $-[0]), "$1 in the advisor",
				'SQL belongs to advisor/db*.c, and facts to a glperf view');
		}
	}
}

# db*.c: every query starts from the extension's own interface
for my $f (glob('advisor/db*.c'))
{
	my $text = strip(slurp($f), 0);
	while ($text =~ /\b(pg_(?:class|index|indexes|attribute|constraint|stat_(?!statements\b)\w+))\b/g)
	{
		complain("$f:" . line_of($text, $-[0]), "$1 in the advisor",
			'select from a glperf view, so that psql and Grafana see the same');
	}
}

# tests without their counterpart never run, or never fail
for (['sql', 'sql'], ['specs', 'spec'])
{
	my ($dir, $ext) = @$_;
	for my $f (glob("$dir/*"))
	{
		next if $f =~ /README/;
		if ($f !~ m{^\Q$dir\E/([\w-]+)\.\Q$ext\E$})
		{
			complain($f, "not a .$ext file", 'rename or remove it');
		}
		elsif (!-f "expected/$1.out")
		{
			complain($f, 'no expected output',
				"write expected/$1.out by hand, or check results/$1.out by eye and copy it");
		}
	}
}
for my $f (glob('expected/*'))
{
	my ($base) = $f =~ m{^expected/(.+)\.out$};
	if (!defined $base)
	{
		complain($f, 'not an .out file', 'remove it');
	}
	elsif (!-f "sql/$base.sql" && !-f "specs/$base.spec")
	{
		complain($f, $base =~ /_\d$/ ? 'alternate expected file' : 'no test belongs to it',
			'make the test print what does not vary (booleans, counts, relations); remove this file');
	}
}
for my $f (glob('t/*.p[lm]'))
{
	complain($f, 'not named NNN_concern.pl', 'rename it')
	  if $f =~ /\.pl$/ && $f !~ m{^t/\d{3}_\w+\.pl$};
}
for my $f (glob('t/unit/*.c'))
{
	complain($f, 'names no file under test',
		'add a comment near the top: /* unit: extension/FILE.c */, or include it')
	  unless slurp($f) =~ m{unit: *[a-z_0-9/]+\.c|#include\s+"[^"]*\.[ch]"};
}

# install scripts
for my $f (glob('extension/install/*.sql'), glob('extension/upgrades/*.sql'))
{
	my $sql = slurp($f);
	$sql =~ s/--[^\n]*//g;
	while ($sql =~ /\b(OR\s+REPLACE|IF\s+NOT\s+EXISTS|\@extschema\@)/gi)
	{
		next if $f =~ /upgrades/ && $1 =~ /REPLACE/i;
		complain("$f:" . line_of($sql, $-[0]), "$1 in an install script",
			'plain CREATE: it fails on an object that somebody else planted');
	}
	while ($sql =~ /\b(SECURITY\s+DEFINER)\b/gi)
	{
		complain("$f:" . line_of($sql, $-[0]), $1, 'grant to pg_monitor instead');
	}
	# 10_thresholds is the home of every limit
	next if $f =~ m{/10_thresholds\.sql$};
	(my $bare = $sql) =~ s/'(?:''|[^'])*'/my $t = $&; $t =~ s{[^\n]}{ }g; $t/ges;
	while ($bare =~ /(warning|critical)\s*(?:=>|:=|=)\s*(\d+)/gi)
	{
		complain("$f:" . line_of($bare, $-[0]), "literal $1 $2",
			'join glperf.threshold; the number belongs to include/glperf_thresholds.h');
	}
	# how many rows to show, and the length of a name, are no limits
	while ($bare =~ /(?<!=)[<>]=?\s*(\d+(?:\.\d+)?)\b/g)
	{
		complain("$f:" . line_of($bare, $-[0]), "comparison with the literal $1",
			'join glperf.threshold; the number belongs to include/glperf_thresholds.h')
		  if $1 > 5 && $1 != 63;
	}
}

# dashboards judge by the status column; they hold no limits of their own
for my $f (glob('dashboards/*.json'))
{
	my $json = slurp($f);
	while ($json =~ /"rawSql"\s*:\s*"((?:\\.|[^"\\])*)"/g)
	{
		my ($q, $at) = ($1, $-[0]);
		complain("$f:" . line_of($json, $at), 'reads a catalog directly',
			'select from a glperf view')
		  if $q =~ /\bpg_(stat_\w+|class|index|catalog)\b/;
	}
}

for my $f (glob('dashboards/*.json'))
{
	my $json = slurp($f);
	while ($json =~ /"steps"\s*:\s*\[([^\]]*)\]/g)
	{
		my ($steps, $at) = ($1, $-[0]);
		complain("$f:" . line_of($json, $at), 'a panel has limits of its own',
			'colour by the status column; limits belong to include/glperf_thresholds.h')
		  if $steps =~ /"value"\s*:\s*[0-9.]+/;
	}
}

# the reference names every object and every setting
if (-f 'docs/reference.md')
{
	my $doc = slurp('docs/reference.md');
	for my $f (glob('extension/install/*.sql'), glob('extension/*.c'))
	{
		my $src = slurp($f);
		my @names = $f =~ /sql$/
		  ? $src =~ /^CREATE\s+(?:VIEW|TABLE|FUNCTION)\s+(?:glperf\.)?(\w+)/gm
		  : $src =~ /DefineCustom\w+Variable\s*\(\s*"([\w.]+)"/g;
		my %absent = map { $_ => 1 } grep { $doc !~ /\b\Q$_\E\b/ } @names;
		complain($f, 'not in docs/reference.md: ' . join(' ', sort keys %absent),
			'document them there: columns, units, defaults, meaning of NULL')
		  if %absent;
	}
}

# nothing of one machine stands in the tree
my @tracked = split /\0/, `git ls-files -z 2>/dev/null` || '';
@tracked = grep { -f } (@c, glob('*.md'), glob('docs/*.md'), glob('sql/*'),
	glob('expected/*'), glob('t/*'), glob('demo/*'), glob('.ci/*'))
  unless @tracked;
for my $f (grep { -f && !/\.png$/ } @tracked)
{
	my $text = slurp($f);
	while ($text =~ m{(?<![\w.\$\}/~*-])(/(?:work|farm|home|root)/[\w.]+)}g)
	{
		complain("$f:" . line_of($text, $-[0]), "path of one machine: $1",
			'use a relative path, $HOME or ${TMPDIR:-/tmp}');
	}
	complain("$f:" . line_of($text, $-[0]), 'blanks at the end of a line', 'remove them')
	  if $f =~ /\.(c|h|sql|pl|pm|sh|spec)$/ && $f !~ /^expected/ && $text =~ /[ \t]+$/m;
}

exit($complaints ? 1 : 0);

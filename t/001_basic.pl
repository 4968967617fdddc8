# Options of glperf-advisor: what it promises in --help, and that a command
# line that cannot be meant is refused with status 4 before anything connects.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

program_help_ok('glperf-advisor');
program_version_ok('glperf-advisor');
program_options_handling_ok('glperf-advisor');

my ($out, $err);

sub advisor
{
	($out, $err) = ('', '');
	IPC::Run::run([ 'glperf-advisor', @_ ], '<', \undef, '>', \$out, '2>', \$err);
	return $? >> 8;
}

# exit statuses are part of the interface, and --help is where people look
advisor('--help');
like($out, qr/^  $_  \S/m, "--help explains exit status $_") for 0 .. 5;
unlike($out, qr/^.{81,}/m, '--help fits a terminal');
is(advisor('-?'), 0, '-? is --help');
like($out, qr/^Usage:/m, '... and prints it');

my @refused = (
	[ 'unknown option', qr/unrecognized option/, '--no-such-option' ],
	[ 'unknown format', qr/invalid report format "xml"/, '--format=xml' ],
	[ 'budget without unit', qr/invalid unit in "500"/, '--budget=500' ],
	[ 'budget with a wrong unit', qr/invalid unit in "5min"/, '--budget=5min' ],
	[ 'negative budget', qr/out of range/, '--budget=-5MB' ],
	[ 'budget that is no number', qr/invalid value "lots"/, '--budget=lots' ],
	[ 'budget beyond all disks', qr/out of range/, '--budget=99999999TB' ],
	[ 'infinite budget', qr/invalid value "inf"/, '--budget=inf' ],
	[ 'empty budget', qr/invalid value ""/, '--budget=' ],
	[ 'negative number of indexes', qr/--max-indexes/, '--max-indexes=-1' ],
	[ 'number of indexes with rubbish', qr/--max-indexes/, '--max-indexes=3x' ],
	[ 'no number of indexes', qr/--max-indexes/, '--max-indexes=' ],
	[ 'no file', qr/--output/, '--output=' ],
	[ 'benefit above 100', qr/between 0 and 100/, '--min-benefit=101' ],
	[ 'benefit that is no number', qr/between 0 and 100/, '--min-benefit=nan' ],
	[ 'time without unit', qr/Valid units are ms, s, min and h/,
		'--time-limit=5' ],
	[ 'time limit of nothing', qr/out of range/, '--time-limit=0' ],
	[ 'lock timeout overflow', qr/out of range/, '--lock-timeout=10000h' ],
	[ 'apply and dry run', qr/cannot be used together/, '--apply', '--dry-run' ],
	[ 'drops without apply', qr/needs --apply/, '--allow-drop' ],
	[ 'plans in a script', qr/--explain needs/, '--explain', '--format=sql' ],
	[ 'arguments', qr/too many command-line arguments/, 'somedb' ],);
for my $case (@refused)
{
	my ($name, $message, @args) = @$case;
	is(advisor(@args), 4, "$name: usage error");
	like($err, $message, "$name: message");
	like($err, qr/Try "glperf-advisor --help"/, "$name: hint");
	is($out, '', "$name: nothing on stdout");
}

done_testing();

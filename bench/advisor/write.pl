#!/usr/bin/perl
# write.pl [--rows N] [--writes N] [--rounds N] [--seed N] [--shape NAME] DATABASE
#
# What an index costs writers, measured, against what the advice takes it for.
#
# For each table shape: time of single-row writes, the VACUUM after them included,
# and of reads, each without and with the index that the read wants; then what
# glperf.advise_indexes() says of the same statements.  Printed are microseconds and
# WAL bytes per write, and the mix of reads and writes at which the index just pays:
# reads per 1000 writes.
#
# Each write is a message from psql: between two of them the processor's caches lose
# what a loop inside of the server would keep there of the index, and which makes its
# entries look half as dear.  The time of writes is the executor's, as
# pg_stat_statements has it; that of reads and VACUUM is the backend's own clock
# (/proc/self/schedstat).  Without and with the index by turns, medians of --rounds.
# Indexes are there while the table is loaded, as pages of a fresh one, all nearly
# full, would all have to be split within the measured writes.  Run it when nothing
# else runs.
#
# The server is the one that PG* variables name; it has to preload
# pg_stat_statements, and the role to be a superuser.  DATABASE has both extensions;
# its schema bench is made anew, pg_stat_statements reset.  --seed draws numbers of
# rows and values and widths of rows that the coefficients were not fitted to.

use strict;
use warnings;

use Getopt::Long;

my %option = (rows => 200000, writes => 20000, rounds => 7, shape => '', seed => 0);
GetOptions(\%option, 'rows=i', 'writes=i', 'rounds=i', 'seed=i', 'shape=s') && @ARGV == 1
  or die "usage: write.pl [--rows N] [--writes N] [--rounds N] [--seed N] [--shape NAME] DATABASE\n";
my $db = shift;
my ($rows, $writes) = @option{qw(rows writes)};
my ($customers, $states, $topics, $users, $width, $devices) = (50000, 20000, 3000, 20000, 60, 500);

# Other shapes than those that the coefficients were fitted to.
if ($option{seed})
{
	my $between = sub { my ($low, $high) = @_; return int exp(log($low) + rand() * log($high / $low)) };
	srand $option{seed};
	$rows = $between->($rows / 2, $rows * 2);
	($customers, $states, $topics, $users) = map { $between->(1000, $rows / 2) } 1 .. 4;
	$width = $between->(20, 300);
	$devices = $between->(10, 5000);
}

# name, table, loading, other indexes, index, write and its parameters (over i),
# what deletes a row (i), read (over i), its text in the workload, number of reads,
# how many times as many rounds
my @shapes = (
	{
		name => 'time series, append only',
		table => 'CREATE TABLE bench.t (ts timestamptz, device int, value float8)',
		load => "INSERT INTO bench.t SELECT '2026-01-01'::timestamptz + i * interval '1 s', i % $devices, random() FROM generate_series(1, $rows) i",
		index => 'CREATE INDEX ON bench.t (ts)',
		write => 'INSERT INTO bench.t VALUES ($1, $2, $3)',
		values => "'2026-01-01'::timestamptz + (i + $rows) * interval '1 s', i % $devices, 1",
		read => "PERFORM count(value) FROM bench.t WHERE ts = '2026-01-01'::timestamptz + i * interval '1 s'",
		workload_read => "SELECT count(value) FROM bench.t WHERE ts = '2026-01-02'",
		reads => 20,
	},
	{
		name => 'wide rows, six indexes',
		table => 'CREATE TABLE bench.t (id int PRIMARY KEY, customer int, product int, status text, total numeric, made date, note text, extra text)',
		load => "INSERT INTO bench.t SELECT i, (random() * $customers)::int, (random() * 5000)::int, 's' || i % 5, random() * 100, '2026-01-01'::date + i % 365, repeat('n', 200), repeat('e', 100) FROM generate_series(1, $rows) i",
		others => [ '(product)', '(status)', '(made)', '(total)', '(made, status)' ],
		index => 'CREATE INDEX ON bench.t (customer)',
		write => 'INSERT INTO bench.t VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
		values => "i + $rows, (random() * $customers)::int, (random() * 5000)::int, 's' || i % 5, random() * 100, '2026-01-01'::date + i % 365, repeat('n', 200), repeat('e', 100)",
		read => 'PERFORM count(note) FROM bench.t WHERE customer = i',
		workload_read => 'SELECT count(note) FROM bench.t WHERE customer = 17',
		reads => 20,
		# a small difference of big times
		rounds => 3,
	},
	{
		name => 'updates that were HOT',
		table => 'CREATE TABLE bench.t (id int PRIMARY KEY, kind int, state int, note text) WITH (fillfactor = 80)',
		load => "INSERT INTO bench.t SELECT i, (random() * 100)::int, (random() * $states)::int, repeat('n', $width) FROM generate_series(1, $rows) i",
		others => ['(kind)'],
		index => 'CREATE INDEX ON bench.t (state)',
		write => 'UPDATE bench.t SET state = $1 WHERE id = $2',
		values => "(random() * $states)::int, 1 + floor(random() * $rows)::int",
		read => 'PERFORM count(note) FROM bench.t WHERE state = i',
		workload_read => 'SELECT count(note) FROM bench.t WHERE state = 17',
		reads => 20,
	},
	{
		name => 'random uuid keys',
		table => 'CREATE TABLE bench.t (id int PRIMARY KEY, token uuid, note text)',
		load => "INSERT INTO bench.t SELECT i, gen_random_uuid(), repeat('n', $width) FROM generate_series(1, $rows) i",
		index => 'CREATE INDEX ON bench.t (token)',
		write => 'INSERT INTO bench.t VALUES ($1, $2, $3)',
		values => "i + $rows, gen_random_uuid(), repeat('n', $width)",
		read => "PERFORM count(note) FROM bench.t WHERE token = md5(i::text)::uuid",
		workload_read => "SELECT count(note) FROM bench.t WHERE token = '0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a'",
		reads => 20,
	},
	{
		name => 'partitioned, names as text',
		table => 'CREATE TABLE bench.t (id int, part int, name text, note text) PARTITION BY LIST (part);'
		  . join(';', map { "CREATE TABLE bench.t_$_ PARTITION OF bench.t FOR VALUES IN ($_)" } 0 .. 3),
		load => "INSERT INTO bench.t SELECT i, i % 4, 'name ' || md5(i::text), repeat('n', $width) FROM generate_series(1, $rows) i",
		others => ['(id)'],
		index => 'CREATE INDEX ON bench.t (name)',
		write => 'INSERT INTO bench.t VALUES ($1, $2, $3, $4)',
		values => "i + $rows, i % 4, 'name ' || md5(random()::text), repeat('n', $width)",
		read => "PERFORM count(note) FROM bench.t WHERE name = 'name ' || i",
		workload_read => "SELECT count(note) FROM bench.t WHERE name = 'name 17'",
		reads => 20,
	},
	{
		name => 'queue, deleted when done',
		table => 'CREATE TABLE bench.t (id int PRIMARY KEY, topic int, note text)',
		load => "INSERT INTO bench.t SELECT i, (random() * $topics)::int, repeat('n', $width) FROM generate_series(1, $rows) i",
		index => 'CREATE INDEX ON bench.t (topic)',
		write => 'INSERT INTO bench.t VALUES ($1, $2, $3)',
		values => "i + $rows, (random() * $topics)::int, repeat('n', $width)",
		delete => 'DELETE FROM bench.t WHERE id = $1',
		read => 'PERFORM count(note) FROM bench.t WHERE topic = i',
		workload_read => 'SELECT count(note) FROM bench.t WHERE topic = 17',
		reads => 20,
	},
	{
		name => 'documents, jsonb expression',
		table => 'CREATE TABLE bench.t (id int PRIMARY KEY, doc jsonb)',
		load => "INSERT INTO bench.t SELECT i, jsonb_build_object('user', i % $users, 'a', repeat('x', 40), 'b', i) FROM generate_series(1, $rows) i",
		index => "CREATE INDEX ON bench.t (((doc->>'user')))",
		write => 'INSERT INTO bench.t VALUES ($1, $2)',
		values => "i + $rows, jsonb_build_object('user', (random() * $users)::int, 'a', repeat('x', 40), 'b', i)",
		read => "PERFORM count(id) FROM bench.t WHERE doc->>'user' = i::text",
		workload_read => "SELECT count(id) FROM bench.t WHERE doc->>'user' = '17'",
		reads => 20,
	},
);

sub psql
{
	my ($sql) = @_;
	my $file = "/tmp/glperf-write-$$.sql";
	open my $out, '>', $file or die $!;
	print $out $sql;
	close $out;
	my $result = `psql -X -q -At -F '	' -v ON_ERROR_STOP=1 -d '$db' -f $file`;
	unlink $file;
	die "psql failed\n" if $?;
	return $result;
}

sub min { return (sort { $a <=> $b } @_)[0] }

sub median { return (sort { $a <=> $b } @_)[ @_ / 2 ] }

# Once, without or with the index: microseconds and WAL bytes of a write,
# microseconds of a read, and what pg_stat_statements has for the statements.
sub measure
{
	my ($shape, $with) = @_;
	my $index = $with ? "$shape->{index};" : '';
	my $others = join '', map { "CREATE INDEX ON bench.t $_;" } @{ $shape->{others} || [] };
	my $delete = $shape->{delete} ? "PREPARE del (int) AS $shape->{delete};" : '';
	my $deletes = $shape->{delete} ? "UNION ALL SELECT i, 2, format('EXECUTE del(%s)', i) FROM generate_series(1, $writes) i" : '';
	my $places = join ', ', map { '%L' } $shape->{write} =~ /\$\d/g;

	my $out = psql(qq{
SET client_min_messages = error; SET jit = off; SET max_parallel_workers_per_gather = 0;
DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench;
CREATE FUNCTION bench.cpu() RETURNS float8 LANGUAGE sql AS
	\$\$SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 60), ' ', 1)::float8 / 1000\$\$;
SELECT setseed(0.5);
$shape->{table}; $others $index $shape->{load};
CREATE TEMP TABLE messages AS
SELECT i, 1 AS part, format('EXECUTE ins($places)', $shape->{values}) AS message FROM generate_series(1, $writes) i
$deletes;
PREPARE ins AS $shape->{write}; $delete
VACUUM ANALYZE bench.t; CHECKPOINT; SELECT FROM pg_stat_statements_reset();
DO \$\$BEGIN FOR i IN 1 .. 5 LOOP $shape->{read}; END LOOP; END\$\$;
SELECT bench.cpu() AS c \\gset
DO \$\$BEGIN FOR i IN 1 .. $shape->{reads} LOOP $shape->{read}; END LOOP; END\$\$;
SELECT 'read', (bench.cpu() - :c) / $shape->{reads};
SELECT pg_current_wal_insert_lsn() AS w \\gset
SELECT message FROM messages ORDER BY i, part \\gexec
SELECT 'wal', (pg_current_wal_insert_lsn() - :'w') / $writes;
SELECT substr(query, 9, 3), mean_exec_time * 1000 FROM pg_stat_statements
WHERE calls = $writes AND query ~ '^PREPARE (ins|del) ';
SELECT bench.cpu() AS c \\gset
VACUUM (INDEX_CLEANUP on) bench.t;
SELECT 'vacuum', (bench.cpu() - :c) / $writes;
});
	my %value = map { /^(\w+)\t([\d.]+)$/ ? ($1, $2) : () } split /\n/, $out;
	# autovacuum would have come after so many writes, not after these
	$value{write} = $value{ins} + ($value{del} || 0) + $value{vacuum} * min(1, $writes / (50 + 0.2 * $rows));
	return \%value;
}

# One statement of a workload; us: of a call.
sub item
{
	my ($query, $calls, $us) = @_;
	return sprintf '{"query": "%s", "calls": %d, "rows": %d, "time_ms": %f}', $query, $calls, $calls, $us * $calls / 1000;
}

# What the advice says; the table is there as it was without the index.
sub model
{
	my ($shape, $was) = @_;
	# as many writes in five minutes as were measured after one checkpoint
	my ($calls, $reads) = ($writes * 288, 1000000);
	my @work = (item($shape->{write}, $calls, $was->{ins}), item($shape->{workload_read}, $reads, $was->{read}));
	push @work, item($shape->{delete}, $calls, $was->{del}) if $shape->{delete};
	my $work = join ', ', @work;
	my $out = psql(qq{
SET client_min_messages = error;
SELECT write_cost_ms_per_day / $calls * 1000, wal_bytes_per_day / $calls, benefit_ms_per_day / $reads * 1000, ddl
FROM glperf.advise_indexes(workload => \$w\$[$work]\$w\$) WHERE action = 'create';
});
	my ($first) = split /\n/, $out;
	return split /\t/, $first || '';
}

printf "%-30s %8s %8s %6s  %7s %7s  %9s %9s  %8s %8s %6s\n", 'shape', 'us meas.', 'us model', 'ratio', 'WAL m.', 'WAL mod', 'gain us', 'gain mod', 'mix meas', 'mix mod', 'ratio';
foreach my $shape (@shapes)
{
	next if $shape->{name} !~ /\Q$option{shape}\E/;
	my (@with, @without);
	foreach (1 .. $option{rounds} * ($shape->{rounds} || 1))
	{
		push @with, measure($shape, 1);
		push @without, measure($shape, 0);
	}
	my %is = map { my $key = $_; $key => median(map { $_->{$key} } @with) } keys %{ $with[0] };
	my %was = map { my $key = $_; $key => median(map { $_->{$key} } @without) } keys %{ $without[0] };
	my ($cost, $wal, $gain, $ddl) = model($shape, \%was);
	if (!defined $ddl)
	{
		printf "%-30s no advice\n", $shape->{name};
		next;
	}
	my $entry = $is{write} - $was{write};
	my $measured = 1000 * $entry / ($was{read} - $is{read});
	my $modelled = 1000 * $cost / $gain;
	printf "%-30s %8.2f %8.2f %6.2f  %7.0f %7.0f  %9.1f %9.1f  %8.3f %8.3f %6.2f\n", $shape->{name}, $entry, $cost, $cost / $entry,
	  $is{wal} - $was{wal}, $wal, $was{read} - $is{read}, $gain, $measured, $modelled, $modelled / $measured;
	printf "    %.2f us a statement; %s\n", $was{ins}, $ddl if $ENV{VERBOSE};
}

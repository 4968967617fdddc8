# Tables and indexes for holding estimated sizes against real ones.
#
# index_cases(seed => 1, rows => 60000, random => 20) returns a list of
# { name, columns, ddl, rows, order, partitions, with, after }: columns are SQL
# expressions over i (1 ... rows) and r, q (random, 0 ... 1), ddl the rest of
# CREATE INDEX behind the table's name, with storage parameters of the table, and
# after what is done to it once it is filled (TABLE stands for its name).  The
# families below come first, with parameters drawn from the seed, then so many
# random combinations of columns.  index_case_types() is SQL that makes the types
# they need, to run once.

package GlperfIndexCases;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(index_cases index_case_sql index_case_types);

sub pick { return $_[ int rand @_ ] }
sub between { my ($low, $high) = @_; return $low + int rand($high - $low + 1) }
# spread over orders of magnitude
sub magnitude { my ($low, $high) = @_; return int exp(log($low) + rand() * log($high / $low)) }

# A random column: (name, expression, type for the name).
sub column
{
	my ($n) = @_;
	my $some = magnitude(20, $n / 4);
	my $few = between(2, 40);
	my @keys = (
		[ 'unique', 'i' ],
		[ 'shuffled', "(i::int8 * 7919 % $n)::int" ],
		[ "uniform $some", "(r * $some)::int" ],
		[ "cyclic $some", "i % $some" ],
		[ "runs of $few", "i / $few" ],
		[ "few $few", "(q * $few)::int" ],
		[ 'skewed', "(r ^ " . between(2, 6) . " * $some)::int" ],
		[ 'log-uniform', "exp(q * " . between(6, 11) . ")::int" ],
		[ 'near clustered', "(i + (q * 200)::int) / " . between(2, 60) ],
	);
	my $key = pick(@keys);
	my $width = between(1, 30);
	my @types = (
		[ 'int', '%s' ], [ 'int', '%s' ], [ 'int8', '(%s)::int8' ],
		[ 'int2', '((%s) %% 32000)::int2' ],
		[ 'text', "repeat('x', $width) || (%s)" ], [ 'text', "'v ' || (%s)" ],
		[ 'varchar', "('name ' || (%s))::varchar(50)" ],
		[ 'char(n)', "(%s)::char(" . between(8, 30) . ")" ],
		[ 'numeric', '(%s)::numeric / 100' ],
		[ 'float8', '(%s)::float8' ],
		[ 'date', "'2000-01-01'::date + (%s) %% 20000" ],
		[ 'timestamptz', "'2020-01-01'::timestamptz + (%s) * interval '1 min'" ],
		[ 'uuid', 'md5((%s)::text)::uuid' ],
		[ 'boolean', '(%s) %% 2 = 0' ],
		[ 'bytea', "decode(md5((%s)::text), 'hex')" ],
		[ 'interval', "(%s) * interval '1 second'" ],
		[ 'jsonb', "jsonb_build_object('k', %s)" ],
	);
	my $type = pick(@types);
	my $expr = sprintf $type->[1], $key->[1];
	my $name = "$type->[0] $key->[0]";
	if (rand() < 0.2)
	{
		my $share = between(5, 95);
		$expr = "CASE WHEN abs(hashint4(i)) % 100 >= $share THEN $expr END";
		$name .= ", $share % null";
	}
	return ($name, $expr);
}

# The families: name, columns, index, and what differs from the usual table.
sub families
{
	my ($rows) = @_;
	my $few = between(5, 50);
	my $some = magnitude(100, $rows / 10);
	my $many = magnitude($rows / 8, $rows);

	return (
		[ 'int unique', 'i AS a', '(a)' ],
		[ 'int shuffled', "(i::int8 * 7919 % $rows)::int AS a", '(a)' ],
		[ 'bigint unique', 'i::int8 AS a', '(a)' ],
		[ 'smallint', "(i % $some % 32000)::int2 AS a", '(a)' ],
		[ 'int few values', "i % $few AS a", '(a)' ],
		[ "int $some values", "(r * $some)::int AS a", '(a)' ],
		[ "int $many values", "(r * $many)::int AS a", '(a)' ],
		[ 'skewed', "(r ^ " . between(2, 6) . " * $many)::int AS a", '(a)' ],
		[ 'log-uniform', "exp(r * " . between(7, 12) . ")::int AS a", '(a)' ],
		[ 'clustered pairs', 'i / 2 AS a', '(a)' ],
		[ 'clustered lines', 'i / ' . between(3, 9) . ' AS a', '(a)' ],
		[ 'clustered long', 'i / ' . between(50, 400) . ' AS a', '(a)' ],
		[ 'clustered uneven', "(i + (sin(i / 7.0) * 20)::int) / 4 AS a", '(a)' ],
		[ 'one value', '7 AS a', '(a)' ],
		[ 'mostly null', 'CASE WHEN i % ' . between(5, 30) . ' = 0 THEN i END AS a', '(a)' ],
		[ 'half null, few values', "CASE WHEN r < 0.5 THEN i % $few END AS a", '(a)' ],
		[ 'all null', 'NULL::int AS a', '(a)' ],
		[ 'null in two columns', "CASE WHEN r < 0.3 THEN i END AS a, CASE WHEN q < 0.6 THEN i % $few END AS b", '(a, b)' ],
		[ 'text few', "'status ' || i % $few AS a", '(a)' ],
		[ 'text unique', 'md5(i::text) AS a', '(a)' ],
		[ 'text varied length', "repeat('x', (r * " . between(20, 60) . ")::int) || i AS a", '(a)' ],
		[ 'text long', "repeat(md5(i::text), " . between(3, 12) . ") AS a", '(a)' ],
		[ 'text compressible', "repeat('lorem ipsum ', 60 + i % 40) || (r * $some)::int AS a", '(a)' ],
		[ 'name type', "('rel_' || i % $some)::name AS a", '(a)' ],
		[ 'char(n) few', "(i % $few)::char(" . between(4, 40) . ") AS a", '(a)' ],
		[ 'char(n) some', "(r * $some)::int::char(12) AS a", '(a)' ],
		[ 'varchar some', "('name ' || (r * $some)::int)::varchar(40) AS a", '(a)' ],
		[ 'numeric some', "(r * $some)::numeric(10,2) AS a", '(a)' ],
		[ 'float few', "(i % $few)::float8 AS a", '(a)' ],
		[ 'boolean', 'r < 0.1 AS a', '(a)' ],
		[ 'date', "'2020-01-01'::date + (r * 700)::int AS a", '(a)' ],
		[ 'date clustered', "'2020-01-01'::date + i / " . between(100, 900) . " AS a", '(a)' ],
		[ 'timestamptz unique', "'2020-01-01'::timestamptz + i * interval '1 min' AS a", '(a)' ],
		[ 'interval', "(r * $some)::int * interval '1 hour' AS a", '(a)' ],
		[ 'uuid', 'md5(i::text)::uuid AS a', '(a)' ],
		[ 'uuid repeated', "md5((r * $many)::int::text)::uuid AS a", '(a)' ],
		[ 'jsonb', "jsonb_build_object('k', i % $some) AS a", '(a)' ],
		[ 'int array', 'ARRAY[i % 100, i % 7] AS a', '(a)' ],
		[ 'inet', "('10.' || i % 200 || '.0.1')::inet AS a", '(a)' ],
		[ 'two columns independent', "(r * 100)::int AS a, i % 97 AS b", '(a, b)' ],
		[ 'two columns dependent', "(r * $some)::int AS a, (r * $some)::int / 2 AS b", '(a, b)' ],
		[ 'two columns one function', "(r * $many)::int AS a, md5((r * $many)::int::text) AS b", '(a, b)' ],
		[ 'int and text', "i % $few AS a, 'v ' || i % $some AS b", '(a, b)' ],
		[ 'text then int8', "repeat('y', " . between(1, 9) . ") || i % $few AS a, i::int8 AS b", '(a, b)' ],
		[ 'three columns', "i % $few AS a, (r * 30)::int AS b, i AS c", '(a, b DESC, c)' ],
		[ 'order lines', "i / 4 AS a, i % 4 AS b", '(a, b)' ],
		[ 'include', "i % $few AS a, i AS b", '(a) INCLUDE (b)' ],
		[ 'include text', "i % $few AS a, 'text ' || i AS b", '(a) INCLUDE (b)' ],
		[ 'partial few rows', "(r * $few)::int AS a, i AS b", '(b) WHERE a = 1' ],
		[ 'partial rare', "CASE WHEN r < 0.01 THEN 'failed' ELSE 'done' END AS a, i AS b", "(b) WHERE a = 'failed'" ],
		[ 'partial most rows', "i % 20 AS a, i AS b", '(b) WHERE a <> 1' ],
		[ 'partial range', "i AS a, i % $some AS b", '(b) WHERE a < ' . int($rows / between(3, 12)) ],
		[ 'partial two columns', "(r * 10)::int AS a, (r * 10)::int AS b, i AS c", '(c) WHERE a = 3 AND b = 3' ],
		[ 'partial not null', 'CASE WHEN i % 7 = 0 THEN i END AS a', '(a) WHERE a IS NOT NULL' ],
		[ 'partial expression', "'Name ' || i % $some AS a, i AS b", "(b) WHERE length(a) > 8" ],
		[ 'partial nothing', 'i AS a', '(a) WHERE a < 0' ],
		[ 'expression text', "'Name ' || (r * $some)::int AS a", '(lower(a))' ],
		[ 'expression int', 'i AS a', '((a % ' . between(5, 2000) . '))' ],
		[ 'expression date', "'2020-01-01'::timestamp + i * interval '1 min' AS a", "(date_trunc('day', a))" ],
		[ 'expression jsonb', "jsonb_build_object('k', i % $some, 'l', r) AS a", "((a->>'k'))" ],
		[ 'expression and column', "i AS a, 'X' || i % $few AS b", '(lower(b), a)' ],
		[ 'partitioned', "(r * $some)::int AS a", '(a)', partitions => between(3, 7) ],
		[ 'hash unique', 'i AS a', 'USING hash (a)' ],
		[ 'hash some', "(r * $some)::int AS a", 'USING hash (a)' ],
		[ 'hash few', "i % $few AS a", 'USING hash (a)' ],
		[ 'hash null', "CASE WHEN r < 0.5 THEN i END AS a", 'USING hash (a)' ],
		[ 'brin', 'i AS a', 'USING brin (a)' ],
		[ 'gin int array', "ARRAY[i % 100, (r * $some)::int, (q * $few)::int] AS a", 'USING gin (a)' ],
		[ 'gin text array', "ARRAY['tag' || i % $few, 'word ' || (r * $many)::int] AS a", 'USING gin (a)' ],
		[ 'gin jsonb', "jsonb_build_object('k', (r * $some)::int, 's', 'st ' || i % $few) AS a", 'USING gin (a)' ],
		[ 'gin jsonb unique', "jsonb_build_object('id', i, 's', 'st ' || i % $few) AS a", 'USING gin (a jsonb_path_ops)' ],
		[ 'gin path', "jsonb_build_object('k', (r * $some)::int, 's', i % $few) AS a", 'USING gin (a jsonb_path_ops)' ],
		[ 'gin trigrams', "md5((r * $some)::int::text) AS a", 'USING gin (a public.gin_trgm_ops)', trgm => 1 ],
		[ 'gin trigrams of words', "'user ' || (r * $some)::int || '\@example.com' AS a", 'USING gin (a public.gin_trgm_ops)', trgm => 1 ],
		[ 'gin document', "to_tsvector('simple', 'word' || (r * $some)::int || ' w' || i % $few || ' x' || (q * $many)::int) AS a", 'USING gin (a)' ],
		[ 'tiny, empty', 'i AS a', '(a)', rows => 0 ],
		[ 'tiny, 1 row', 'i AS a', '(a)', rows => 1 ],
		[ 'tiny, some rows', 'i AS a', '(a)', rows => between(2, 400) ],
		[ 'tiny, one page', 'i AS a', '(a)', rows => 367 ],
		[ 'tiny, one row more', 'i AS a', '(a)', rows => 368 ],
		[ 'tiny text', 'md5(i::text) AS a', '(a)', rows => between(200, 900) ],
		[ 'small', "i % $few AS a", '(a)', rows => between(1000, 5000) ],
	);
}

# Types with parts, tables that have been through something, parameters.
sub odd_families
{
	my ($rows) = @_;
	my $few = between(5, 50);
	my $some = magnitude(100, $rows / 10);
	my $many = magnitude($rows / 8, $rows);
	my $gone = between(30, 95);
	my $fill = between(30, 80);
	my $wide = between(100, 400);
	my $null = "CASE WHEN r < 0." . between(4, 9) . " THEN";

	return (
		[ 'enum', "(ARRAY['sad', 'ok', 'happy', 'gone'])[1 + (r * 3)::int]::app.mood AS a", '(a)' ],
		[ 'enum and date', "(ARRAY['sad', 'ok', 'happy', 'gone'])[1 + i % 4]::app.mood AS a, '2026-01-01'::date + (q * 900)::int AS b", '(a, b)' ],
		[ 'domain', "('code ' || (r * $some)::int)::app.code AS a", '(a)' ],
		[ 'network', "('10.' || i % 200 || '.' || (r * 250)::int || '.1')::inet AS a, (i % 7)::int2 AS b", '(a, b)' ],
		[ 'MAC address', "('08:00:2b:01:02:' || lpad(to_hex((r * 255)::int), 2, '0'))::macaddr AS a", '(a)' ],
		[ 'bit string', "(r * $some)::int::bit(24) AS a", '(a)' ],
		[ 'range', "int4range((r * $some)::int, (r * $some)::int + 10) AS a", '(a)' ],
		[ 'time', "'00:00'::time + (r * 1400)::int * interval '1 min' AS a", '(a)' ],
		[ 'money', "(r * $some)::int::money AS a", '(a)' ],
		[ 'composite', "row((r * $few)::int, 'y' || i % $few)::app.pair AS a", '(a)' ],
		[ 'text array', "ARRAY['x' || (r * $some)::int, 'y' || i % $few] AS a", '(a)' ],
		[ 'char(n), wide', "((r * $some)::int)::char($wide) AS a", '(a)' ],
		[ 'three columns, mostly null', "$null NULL ELSE i END AS a, $null NULL ELSE 'b' || i % $few END AS b, CASE WHEN q < 0.8 THEN NULL ELSE i % $some END AS c", '(a, b, c)' ],
		[ 'five columns', "i % 3 AS a, 't' || i % $few AS b, (r * 20)::int::int2 AS c, r < 0.2 AS d, i::int8 AS e", '(a, b, c, d, e)' ],
		[ 'text that does not compress', "(SELECT string_agg(md5((i * 60 + j)::text), '') FROM generate_series(1, " . between(20, 60) . ") j) AS a", '(a)', rows => int($rows / 10) ],
		[ 'text that is stored elsewhere', "repeat(md5((r * $some)::int::text), " . between(70, 200) . ") AS a", '(a)', rows => int($rows / 8) ],
		[ 'long behind unique', "md5(i::text)::uuid AS a, repeat(md5(i::text), 3) || repeat(md5(r::text), 3) AS b, q AS c", '(a, b)' ],
		[ 'include wide', "i % $few AS a, repeat(md5(i::text), " . between(3, 9) . ") AS b", '(a) INCLUDE (b)' ],
		[ 'include, stored elsewhere', "i % $some AS a, repeat(md5(i::text), " . between(70, 150) . ") AS b", '(a) INCLUDE (b)', rows => int($rows / 10) ],
		[ 'partial, one in a thousand', "CASE WHEN r < 0.001 THEN 'x' ELSE 'y' END AS a, i AS b", "(b) WHERE a = 'x'" ],
		[ 'partial, in a list', "(r * $few)::int AS a, 'n' || i % $some AS b", '(b) WHERE a IN (1, 2, 3)' ],
		[ 'expression, lower of name', "'User' || (r * $many)::int || '\@Example.com' AS a", '(lower(a))' ],
		[ 'expression, left', 'md5(i::text) AS a', '(left(a, ' . between(2, 5) . '))' ],
		[ 'expression, coalesce', "CASE WHEN r < 0.3 THEN i % $some END AS a", '(coalesce(a, -1))' ],
		[ 'expression, md5', "(r * $some)::int AS a", '(md5(a::text))' ],
		[ 'columns gone', "i AS x, 'gone' || i AS y, (r * $some)::int AS a, 'b' || i % $few AS b", '(a, b)', after => 'ALTER TABLE TABLE DROP COLUMN x, DROP COLUMN y' ],
		[ 'column added', 'i AS x', '(a, x)', after => 'ALTER TABLE TABLE ADD COLUMN a text DEFAULT \'added\'' ],
		[ 'fillfactor of the table', "(r * $some)::int AS a", '(a)', with => 'fillfactor = ' . between(10, 60) ],
		[ 'rows deleted', "(r * $many)::int AS a, i AS b", '(a)', after => "DELETE FROM TABLE WHERE hashint4(b) % 100 < $gone" ],
		[ 'rows deleted and vacuumed', "(r * $some)::int AS a, i AS b", '(a)', after => "DELETE FROM TABLE WHERE abs(hashint4(b)) % 100 < $gone; VACUUM TABLE" ],
		[ 'head deleted', "i / 3 AS a, i AS b", '(a)', after => 'DELETE FROM TABLE WHERE b < ' . int($rows * $gone / 100) ],
		[ 'rows updated', "(r * $some)::int AS a, i AS b", '(a)', after => "UPDATE TABLE SET a = a + 1 WHERE b % 3 = 0; UPDATE TABLE SET a = a + 1 WHERE b % 4 = 0" ],
		[ 'emptied', 'i AS a', '(a)', after => 'DELETE FROM TABLE' ],
		[ 'grown since it was analysed', "(r * $some)::int AS a, i AS b", '(a, b)', after => 'ANALYZE TABLE; INSERT INTO TABLE SELECT * FROM TABLE', stale => 1 ],
		[ 'never analysed', "(r * $some)::int AS a, 't' || i AS b", '(a, b)', stale => 1 ],
		[ 'wide rows', "(r * $some)::int AS a, (SELECT string_agg(md5((i * 60 + j)::text), '') FROM generate_series(1, 55) j) AS b", '(a)', rows => int($rows / 10) ],
		[ 'fillfactor, unique', 'i AS a', "(a) WITH (fillfactor = $fill)" ],
		[ 'fillfactor, few values', "i % $few AS a", "(a) WITH (fillfactor = $fill)" ],
		[ 'fillfactor, full', "'t' || (r * $many)::int AS a", '(a) WITH (fillfactor = 100)' ],
		[ 'no deduplication', "i % $few AS a", '(a) WITH (deduplicate_items = off)' ],
		[ 'hash, text', "'t' || (r * $some)::int AS a", 'USING hash (a)' ],
		[ 'hash, skewed', "(r ^ 4 * $many)::int AS a", 'USING hash (a)' ],
		[ 'hash, partial', "(r * $many)::int AS a, q AS b", 'USING hash (a) WHERE b < 0.2' ],
		[ 'hash, fillfactor', 'i AS a', "USING hash (a) WITH (fillfactor = $fill)" ],
		[ 'brin, small ranges', 'i AS a', 'USING brin (a) WITH (pages_per_range = 2)' ],
		[ 'brin, text and date', "'t' || i AS a, '2026-01-01'::date + i / 50 AS b", 'USING brin (a, b) WITH (pages_per_range = 4)' ],
		[ 'brin, partitions', 'i AS a', 'USING brin (a)', partitions => between(3, 7) ],
		[ 'gin, partitions', "i AS a, ARRAY[i % 100, (r * $some)::int] AS b", 'USING gin (b)', partitions => between(3, 7) ],
		[ 'gin, two columns', "ARRAY[i % 100, (r * $some)::int] AS a, jsonb_build_object('k', (q * $few)::int, 'id', i % $some) AS b", 'USING gin (a, b)' ],
		[ 'gin, expression', "jsonb_build_object('x', jsonb_build_object('k', (r * $some)::int, 't', 'st ' || i % $few)) AS a", "USING gin ((a->'x'))" ],
		[ 'gin, words of a text', "'Word' || (r * $some)::int || ' other' || i % $few || ' more' || (q * $many)::int AS a", "USING gin (to_tsvector('simple', a))" ],
		[ 'gin, lower trigrams', "'User ' || (r * $some)::int || '\@Example.com' AS a", 'USING gin (lower(a) public.gin_trgm_ops)', trgm => 1 ],
		[ 'gin, null and empty', "CASE WHEN r < 0.4 THEN NULL WHEN r < 0.6 THEN '{}' ELSE ARRAY[i % $few, (q * $some)::int] END AS a", 'USING gin (a)' ],
		[ 'gin, partial', "ARRAY[i % $few, (q * $some)::int] AS a, r AS b", 'USING gin (a) WHERE b < 0.1' ],
		[ 'gin, frequent keys in order', "ARRAY[i / " . between(200, 2000) . ", i % 3] AS a", 'USING gin (a)' ],
		[ 'gin, long documents', "(SELECT to_tsvector('simple', string_agg('w' || abs(hashint8(i * 100 + j)) % $many, ' ')) FROM generate_series(1, 60) j) AS a", 'USING gin (a)', rows => int($rows / 10) ],
	);
}

sub index_cases
{
	my %option = (seed => 1, rows => 60000, random => 20, trgm => 1, @_);
	my @cases;

	srand $option{seed};
	foreach my $family (families($option{rows}), odd_families($option{rows}))
	{
		my ($name, $columns, $ddl, %other) = @$family;
		next if $other{trgm} && !$option{trgm};
		push @cases, { name => $name, columns => $columns, ddl => $ddl, rows => $option{rows}, %other };
	}
	for (1 .. $option{random})
	{
		my $rows = between(int($option{rows} / 3), $option{rows});
		my (@names, @columns);
		my $width = pick(1, 2, 2, 3);
		foreach my $n (1 .. $width)
		{
			my ($name, $expr) = column($rows);
			push @names, $name;
			push @columns, "$expr AS c$n";
		}
		my $ddl = '(' . join(', ', map { "c$_" } 1 .. $width) . ')';
		$ddl = '(c1) INCLUDE (' . join(', ', map { "c$_" } 2 .. $width) . ')' if $width > 1 && rand() < 0.1;
		$ddl .= ' WHERE p < ' . pick(0.03, 0.2, 0.7) if rand() < 0.15;
		push @cases, { name => join(' + ', @names) . ($ddl =~ /(WHERE|INCLUDE)/ ? " $1" : ''),
			columns => join(', ', @columns) . ', random() AS p', ddl => $ddl, rows => $rows };
	}
	my $n = 0;
	foreach my $case (@cases)
	{
		$case->{n} = ++$n;
		$case->{filler} = pick(10, 40, 40, 120);
		$case->{order} = rand() < 0.2 ? 'ORDER BY r' : '';
	}
	return @cases;
}

# SQL that makes the types of the cases.
sub index_case_types
{
	return "CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy', 'gone');\n"
	  . "CREATE DOMAIN app.code AS text CHECK (value <> '');\n"
	  . "CREATE TYPE app.pair AS (x int, y text);\n";
}

# SQL that makes a case's table app.t<n>, analysed unless it is meant not to be.
sub index_case_sql
{
	my ($case, $seed) = @_;
	my $t = "app.t$case->{n}";
	my $select = "SELECT $case->{columns}, repeat('f', $case->{filler}) AS filler FROM (SELECT i, random() AS r, random() AS q FROM generate_series(1, $case->{rows}) i OFFSET 0) s $case->{order}";
	my $sql = sprintf "SELECT setseed(%.6f);\n", ($seed * 7 + $case->{n}) % 1000 / 1000;

	my $with = $case->{with} ? "WITH (autovacuum_enabled = off, $case->{with})" : 'WITH (autovacuum_enabled = off)';
	my $after = ($case->{after} // '') . ($case->{stale} ? ';' : '; ANALYZE TABLE;');

	$after =~ s/\bTABLE\b(?! (TABLE|t))/$t/g;
	return "${sql}CREATE TABLE $t $with AS $select;\n$after\n" unless $case->{partitions};
	$sql .= "CREATE TEMP TABLE source AS $select;\n"
	  . "CREATE TABLE $t (LIKE source) PARTITION BY HASH (a);\n";
	$sql .= "CREATE TABLE ${t}_$_ PARTITION OF $t FOR VALUES WITH (MODULUS $case->{partitions}, REMAINDER $_);\n"
	  for 0 .. $case->{partitions} - 1;
	return $sql . "INSERT INTO $t SELECT * FROM source;\nDROP TABLE source;\n$after\n";
}

1;

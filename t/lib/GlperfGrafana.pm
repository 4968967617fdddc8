# Copyright (c) 2026, the glperf authors

=pod

=head1 NAME

GlperfGrafana - what Grafana's PostgreSQL data source does with a query

=head1 DESCRIPTION

A dashboard is only known to work when its SQL has been expanded, sent and
turned into a frame the way Grafana does it.  This module does those three
steps without Grafana:

  expand()          template variables, then the text replacements, then the
                    macros, each in the data source's own order
  connect()/query() the simple protocol over a Unix socket, so that column
                    types arrive as the type OIDs that Grafana decides by
  problems()        the rules that a result has to keep to become a frame

Grafana's rules are those of its data source for PostgreSQL, releases 10 to 13.

=cut

package GlperfGrafana;

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(strftime);

# Types that Grafana maps to a number, a boolean, a time or a string.  Every
# other type silently becomes a string, and a string in a time series becomes
# a label: an interval or an LSN then starts a new series with every sample.
my %NUMBER = (
	20 => 'int8',
	21 => 'int2',
	23 => 'int4',
	700 => 'float4',
	701 => 'float8',
	1700 => 'numeric',
	16 => 'bool');
my %TEXT = (25 => 'text', 1043 => 'varchar');
my %TIME = (1184 => 'timestamptz', 1114 => 'timestamp', 1082 => 'date');

# More series than this in one panel cannot be read, and Grafana slows down.
our $MAX_SERIES = 50;

# Grafana cuts a result here and says so in a notice.
our $ROW_LIMIT = 1_000_000;

#-------------------------------------------------------------------------
# Dashboards
#-------------------------------------------------------------------------

# Read a dashboard file; dies when it is not one JSON object.
sub load
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "could not read $file: $!";
	local $/ = undef;
	my $d = JSON::PP->new->utf8->decode(<$fh>);
	die "$file is not an object\n" unless ref $d eq 'HASH';
	return $d;
}

# All panels of a dashboard, those inside collapsed rows included.
sub panels
{
	my ($dashboard) = @_;
	return map { ($_, @{ $_->{panels} || [] }) } @{ $dashboard->{panels} || [] };
}

# Every query of a dashboard: { where, format, sql, variable }.
sub queries
{
	my ($dashboard) = @_;
	my @q;
	foreach my $v (@{ $dashboard->{templating}{list} || [] })
	{
		next unless ($v->{type} // '') eq 'query';
		my $sql = ref $v->{query} ? $v->{query}{rawSql} : $v->{query};
		push @q,
		  {
			where => "variable $v->{name}",
			format => 'table',
			sql => $sql,
			variable => $v->{name}
		  };
	}
	foreach my $p (panels($dashboard))
	{
		foreach my $t (@{ $p->{targets} || [] })
		{
			push @q,
			  {
				where => "panel $p->{id} \"$p->{title}\" $t->{refId}",
				format => $t->{format} // 'time_series',
				sql => $t->{rawSql},
				panel => $p
			  };
		}
	}
	foreach my $a (@{ $dashboard->{annotations}{list} || [] })
	{
		my $t = $a->{target} or next;
		next unless defined $t->{rawSql};
		push @q,
		  {
			where => "annotation \"$a->{name}\"",
			format => $t->{format} // 'table',
			sql => $t->{rawSql}
		  };
	}
	return @q;
}

# Does a panel show a column in the unit that its name ends in?
sub has_unit
{
	my ($p, $column) = @_;
	my %unit = (s => 's', ms => 'ms', bytes => 'bytes', bytes_per_s => 'binBps',
		pct => 'percent', ratio => 'percentunit');
	my ($word) = $column =~ /_(bytes_per_s|[a-z]+)$/;
	my $shown = '';

	# the last override that matches counts
	foreach my $o (@{ $p->{fieldConfig}{overrides} || [] })
	{
		my ($pattern) = $o->{matcher}{id} eq 'byRegexp' ? $o->{matcher}{options} =~ m{^/(.*)/$} : ();
		next unless defined $pattern && $column =~ /$pattern/;
		$_->{id} eq 'unit' and $shown = $_->{value} foreach @{ $o->{properties} };
	}
	return $shown eq $unit{$word};
}

# Faults of a dashboard that need no database: returns a list of sentences.
sub lint
{
	my ($d) = @_;
	my @bad;
	my %variable = map { $_->{name} => $_ } @{ $d->{templating}{list} || [] };

	push @bad, 'id is not null' if exists $d->{id} && defined $d->{id};
	push @bad, 'uid is missing or longer than 40 characters'
	  unless ($d->{uid} // '') =~ /^[a-zA-Z0-9_-]{1,40}$/;
	push @bad, 'schemaVersion is not 41 or 42'
	  unless ($d->{schemaVersion} // 0) =~ /^4[12]$/;
	push @bad, 'no variable "datasource" of type datasource'
	  unless ($variable{datasource}{type} // '') eq 'datasource'
	  && $variable{datasource}{query} eq 'grafana-postgresql-datasource';

	my (%id, @rects);
	foreach my $p (panels($d))
	{
		my $name = sprintf 'panel %s "%s"', $p->{id} // '?', $p->{title} // '';
		push @bad, "$name: no id" unless defined $p->{id};
		push @bad, "$name: id is used twice"
		  if defined $p->{id} && $id{ $p->{id} }++;
		push @bad, "$name: no title" unless length($p->{title} // '');
		push @bad, "$name: no description"
		  unless $p->{type} eq 'row' || length($p->{description} // '');
		my $g = $p->{gridPos};
		if (!$g || grep { !defined $g->{$_} } qw(x y w h))
		{
			push @bad, "$name: no position";
		}
		else
		{
			push @bad, "$name: is wider than the grid"
			  if $g->{x} + $g->{w} > 24;
			push @bad, "$name: overlaps panel $_->[0]"
			  foreach grep
			{
				     $g->{x} < $_->[1]{x} + $_->[1]{w}
				  && $_->[1]{x} < $g->{x} + $g->{w}
				  && $g->{y} < $_->[1]{y} + $_->[1]{h}
				  && $_->[1]{y} < $g->{y} + $g->{h}
			} @rects;
			push @rects, [ $p->{id}, $g ];
		}
		next if $p->{type} eq 'row' || $p->{type} eq 'text';

		push @bad, "$name: no query" unless @{ $p->{targets} || [] };
		my %ref;
		foreach my $x ($p, @{ $p->{targets} || [] })
		{
			my $ds = $x->{datasource};
			push @bad, "$name: a data source other than the variable"
			  unless ref $ds eq 'HASH'
			  && ($ds->{uid} // '') eq '${datasource}'
			  && ($ds->{type} // '') eq 'grafana-postgresql-datasource';
		}
		foreach my $t (@{ $p->{targets} || [] })
		{
			push @bad, "$name: refId is used twice"
			  if $ref{ $t->{refId} // '' }++;
			push @bad, "$name: not a raw SQL query"
			  unless $t->{rawQuery} && ($t->{editorMode} // '') eq 'code';
			push @bad, "$name: neither time_series nor table"
			  unless ($t->{format} // '') =~ /^(time_series|table)$/;
		}
		push @bad, "$name: column $_ without the unit in its name"
		  foreach grep { $p->{type} eq 'table' && !has_unit($p, $_) }
		  map { /\b(\w+_(?:s|ms|bytes|pct|ratio))\b/g }
		  map { $_->{rawSql} // '' } @{ $p->{targets} || [] };
		push @bad, "$name: a threshold number of its own"
		  if grep { defined $_->{value} }
		  map { @{ $_->{thresholds}{steps} || [] } }
		  ($p->{fieldConfig}{defaults} || {});
		push @bad, "$name: a threshold number in an override"
		  if grep { ($_->{id} // '') eq 'thresholds' }
		  map { @{ $_->{properties} || [] } }
		  @{ $p->{fieldConfig}{overrides} || [] };
	}
	foreach my $v (values %variable)
	{
		next unless $v->{type} eq 'query';
		push @bad, "variable $v->{name}: a data source other than the variable"
		  unless ref $v->{datasource} eq 'HASH'
		  && ($v->{datasource}{uid} // '') eq '${datasource}';
	}
	foreach my $q (queries($d))
	{
		push @bad, "$q->{where}: empty query" unless length($q->{sql} // '');
		push @bad, "$q->{where}: reads $_, which is not of schema glperf"
		  foreach foreign_relations($q->{sql} // '');
		foreach my $name (variables_used($q->{sql} // ''))
		{
			push @bad, "$q->{where}: unknown variable $name"
			  unless $variable{$name};
		}
	}
	return @bad;
}

# What a query reads besides schema glperf and its own WITH queries.
sub foreign_relations
{
	my ($sql) = @_;
	my %own = map { lc($_) => 1 } $sql =~ /\b(\w+)\s+AS\s+(?:MATERIALIZED\s+)?\(/gi;
	$own{$_} = 1 foreach qw(generate_series unnest);
	my %bad;
	$sql =~ s/\bDISTINCT\s+FROM\b//gi;
	$sql =~ s/\bextract\s*\(\s*\w+\s+FROM\b//gi;
	while ($sql =~ /\b(?:FROM|JOIN)\s+(?:LATERAL\s+)?([\w."]+)/gi)
	{
		my $name = $1;
		$bad{$name} = 1
		  unless $name =~ /^glperf\./ || $own{ lc $name };
	}
	return sort keys %bad;
}

#-------------------------------------------------------------------------
# Variables and macros
#-------------------------------------------------------------------------

# Variables that Grafana itself defines for SQL data sources.
my %builtin = map { $_ => 1 } qw(__interval __interval_ms __from __to __range
  __range_s __range_ms __dashboard __user __org);

my $variable_re = qr/\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]|\$(\w+)/;

# Names of the template variables that a query uses (macros are not variables).
sub variables_used
{
	my ($sql) = @_;
	my %used;
	while ($sql =~ /$variable_re/g)
	{
		my $name = $1 // $3 // $5;
		next if $name =~ /^\d+$/ || $builtin{$name} || $name =~ /^__/;
		$used{$name} = 1;
	}
	return sort keys %used;
}

sub quote_literal
{
	my ($s) = @_;
	$s =~ s/'/''/g;
	return "'$s'";
}

# One template variable as the SQL data source writes it into the query: a
# multi-value variable quoted and joined, a single value with quotes doubled.
sub format_variable
{
	my ($v, $format) = @_;
	my @values = ref $v->{value} ? @{ $v->{value} } : ($v->{value});
	if (!defined $format)
	{
		return join ',', map { quote_literal($_) } @values
		  if $v->{multi} || $v->{includeAll} || ref $v->{value};
		my $s = $values[0];
		$s =~ s/'/''/g;
		return $s;
	}
	return join ',', @values if $format eq 'csv' || $format eq 'raw';
	return join ',', map { quote_literal($_) } @values
	  if $format eq 'sqlstring' || $format eq 'singlequote';
	die "variable format \"$format\" is not known to this test\n";
}

# "5m" -> 300; dies as gtime.ParseInterval does.
sub parse_interval
{
	my ($s) = @_;
	my %unit = (
		ms => 0.001,
		s => 1,
		m => 60,
		h => 3600,
		d => 86400,
		w => 604800,
		M => 2592000,
		y => 31536000);
	return $1 * $unit{$2} if $s =~ /^(\d+)([dwMy])$/;
	my $total = 0;
	my $rest = $s;
	while ($rest =~ s/^(\d+(?:\.\d+)?)(ms|s|m|h)//)
	{
		$total += $1 * $unit{$2};
	}
	die "error parsing interval $s\n" if $rest ne '' || $s eq '';
	return $total;
}

# Milliseconds -> "30s", "5m", "1h": what $__interval becomes.
sub format_interval
{
	my ($ms) = @_;
	foreach my $u ([ 31536000000, 'y' ], [ 86400000, 'd' ], [ 3600000, 'h' ],
		[ 60000, 'm' ], [ 1000, 's' ])
	{
		return int($ms / $u->[0]) . $u->[1] if $ms >= $u->[0];
	}
	return ($ms >= 1 ? int($ms) : 1) . 'ms';
}

sub rfc3339
{
	my ($epoch) = @_;
	return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $epoch);
}

# One macro with its already split arguments; dies on an unknown name.
sub macro
{
	my ($ctx, $name, @args) = @_;
	my ($from, $to) = (int $ctx->{from}, int $ctx->{to});

	die "missing time column argument for macro $name\n"
	  if $name =~ /^__(time|timeEpoch|timeFilter|unixEpoch(Nano)?Filter)$/
	  && !length($args[0] // '');
	return "$args[0] AS \"time\"" if $name eq '__time';
	return "extract(epoch from $args[0]) as \"time\""
	  if $name eq '__timeEpoch';
	return sprintf "%s BETWEEN '%s' AND '%s'", $args[0], rfc3339($from),
	  rfc3339($to)
	  if $name eq '__timeFilter';
	return "'" . rfc3339($from) . "'" if $name eq '__timeFrom';
	return "'" . rfc3339($to) . "'" if $name eq '__timeTo';
	return "$args[0] >= $from AND $args[0] <= $to"
	  if $name eq '__unixEpochFilter';
	return "$args[0] >= ${from}000000000 AND $args[0] <= ${to}000000000"
	  if $name eq '__unixEpochNanoFilter';
	return "${from}000000000" if $name eq '__unixEpochNanoFrom';
	return "${to}000000000" if $name eq '__unixEpochNanoTo';

	if ($name =~ /^__(timeGroup|unixEpochGroup)(Alias)?$/)
	{
		my ($kind, $alias) = ($1, $2);
		die "macro $name needs time column and interval and optional fill value\n"
		  if @args < 2;
		my $interval = $args[1];
		$interval =~ s/^'+|'+$//g;
		my $s = parse_interval($interval);
		die "error parsing fill value $args[2]\n"
		  if @args == 3
		  && $args[2] !~ /^(NULL|previous|-?\d+(\.\d+)?([eE][-+]?\d+)?)$/;
		my $e =
		  $kind eq 'timeGroup'
		  ? "floor(extract(epoch from $args[0])/$s)*$s"
		  : "floor(($args[0])/$s)*$s";
		return $alias ? "$e AS \"time\"" : $e;
	}
	die "unknown macro \"$name\"\n";
}

# The query that the server gets.  ctx: from, to (epoch seconds), interval_ms,
# vars (name -> { value, multi, includeAll }).
sub expand
{
	my ($sql, $ctx) = @_;
	my $vars = $ctx->{vars} || {};

	# The browser replaces template variables and leaves unknown ones alone.
	$sql =~ s{$variable_re}{
		my ($name, $format, $all) = ($1 // $3 // $5, $2 // $4, $&);
		$vars->{$name} ? format_variable($vars->{$name}, $format) : $all
	}ge;

	# Then plain text replacement, before any macro is looked at.
	my $interval = format_interval($ctx->{interval_ms});
	$sql =~ s/\$__interval_ms/$ctx->{interval_ms}/g;
	$sql =~ s/\$__interval/$interval/g;
	$sql =~ s/\$__unixEpochFrom\(\)/int $ctx->{from}/ge;
	$sql =~ s/\$__unixEpochTo\(\)/int $ctx->{to}/ge;

	# Then macros.  The argument ends at the first closing parenthesis,
	# whatever was opened before it.
	my $all = $sql;
	$sql =~ s{\$([_a-zA-Z0-9]+)\(([^)]*)\)}{
		my ($call, $name, $args) = ($&, $1, $2);
		my $at = index $all, $call;
		$name = '__timeGroupAlias'
		  if $name eq '__timeGroup'
		  && substr($all, $at + length $call, 1) eq ',';
		my @args = split /,/, $args, -1;
		@args = ('') unless @args;
		s/^ +| +$//g foreach @args;
		macro($ctx, $name, @args)
	}ge;
	return $sql;
}

#-------------------------------------------------------------------------
# The simple protocol
#-------------------------------------------------------------------------

# Connect through a Unix socket; the server must trust the user.  Returns a
# handle; dies with the server's message when it refuses.
sub connect
{
	my (%arg) = @_;
	my $sock = IO::Socket::UNIX->new(Peer => "$arg{host}/.s.PGSQL.$arg{port}")
	  or die "could not connect: $!\n";
	my $self = bless { sock => $sock }, __PACKAGE__;
	my $body = pack('N', 196608)
	  . join('',
		map { "$_\0" }
		  ('user', $arg{user}, 'database', $arg{dbname},
			'application_name', 'Grafana', 'TimeZone', 'UTC', 'DateStyle',
			'ISO'))
	  . "\0";
	print $sock pack('N', 4 + length $body) . $body;
	$sock->flush;
	my $r = $self->_until_ready;
	die "$r->{error}{M}\n" if $r->{error};
	return $self;
}

sub _read
{
	my ($self, $n) = @_;
	my $buf = '';
	while (length $buf < $n)
	{
		my $got = read $self->{sock}, $buf, $n - length $buf, length $buf;
		die "the server closed the connection\n" unless $got;
	}
	return $buf;
}

# Collect messages up to ReadyForQuery.  Only the first statement that returns
# rows shapes the frame, so only its rows are kept.
sub _until_ready
{
	my ($self) = @_;
	my $r = { rows => [], results => 0 };
	while (1)
	{
		my ($type, $len) = unpack 'aN', $self->_read(5);
		my $body = $len > 4 ? $self->_read($len - 4) : '';
		if ($type eq 'R')
		{
			die "the server asks for a password\n" if unpack('N', $body) != 0;
		}
		elsif ($type eq 'T')
		{
			next if $r->{results}++;
			my ($n, @cols) = (unpack('n', $body));
			my $rest = substr $body, 2;
			for (1 .. $n)
			{
				my ($name, $type_oid);
				($name, $rest) = $rest =~ /^([^\0]*)\0(.*)$/s;
				$type_oid = unpack 'x6N', $rest;
				push @cols, { name => $name, type => $type_oid };
				$rest = substr $rest, 18;
			}
			$r->{columns} = \@cols;
		}
		elsif ($type eq 'D')
		{
			next if $r->{results} > 1;
			my ($n, $at, @row) = (unpack('n', $body), 2);
			for (1 .. $n)
			{
				my $l = unpack 'l>', substr $body, $at, 4;
				$at += 4;
				if ($l < 0) { push @row, undef; next; }
				push @row, substr $body, $at, $l;
				$at += $l;
			}
			push @{ $r->{rows} }, \@row;
		}
		elsif ($type eq 'E')
		{
			my %e = map { (substr($_, 0, 1), substr($_, 1)) }
			  split /\0/, $body;
			$r->{error} = \%e;

			# A refused connection ends here; a failed query ends with 'Z'.
			return $r if $e{S} eq 'FATAL';
		}
		elsif ($type eq 'Z') { return $r; }
	}
}

# Send one simple query.  Returns { columns, rows, error }.
sub query
{
	my ($self, $sql) = @_;
	my $s = $self->{sock};
	print $s 'Q' . pack('N', 5 + length $sql) . $sql . "\0";
	$s->flush;
	return $self->_until_ready;
}

sub disconnect
{
	my ($self) = @_;
	my $s = $self->{sock};
	print $s 'X' . pack('N', 4);
	close $s;
	return;
}

#-------------------------------------------------------------------------
# The frame
#-------------------------------------------------------------------------

# What keeps a result from being shown: a list of sentences, empty when fine.
sub problems
{
	my ($format, $r) = @_;
	return "error $r->{error}{C}: $r->{error}{M}" if $r->{error};
	return 'no statement returns rows' unless $r->{columns};

	my @cols = @{ $r->{columns} };
	my (@bad, %seen);
	push @bad, "$r->{results} statements return rows, the first is shown"
	  if $r->{results} > 1;
	push @bad, "more rows than Grafana shows"
	  if @{ $r->{rows} } > $ROW_LIMIT;
	foreach my $c (@cols)
	{
		push @bad, "column \"$c->{name}\" occurs twice" if $seen{ $c->{name} }++;
		push @bad, "column \"$c->{name}\" has type OID $c->{type}, "
		  . "which Grafana shows as a string"
		  unless $NUMBER{ $c->{type} }
		  || $TEXT{ $c->{type} }
		  || $TIME{ $c->{type} };
	}
	return @bad if $format eq 'table';

	my ($time) = grep { $cols[$_]{name} eq 'time' } 0 .. $#cols;
	return (@bad, 'no column "time"') unless defined $time;
	push @bad, 'column "time" is neither a time nor a number'
	  unless $TIME{ $cols[$time]{type} } || $NUMBER{ $cols[$time]{type} };
	my @labels = grep { $TEXT{ $cols[$_]{type} } } 0 .. $#cols;
	my @values = grep { $_ != $time && $NUMBER{ $cols[$_]{type} } } 0 .. $#cols;
	push @bad, 'no column with numbers' unless @values;
	push @bad, "column \"$_->{name}\" is a second time"
	  foreach grep { $TIME{ $_->{type} } && $_->{name} ne 'time' } @cols;

	my (%series, %point, $last);
	my ($null, $unsorted, $double) = (0, 0, 0);
	foreach my $row (@{ $r->{rows} })
	{
		my $t = $row->[$time];
		if (!defined $t) { $null++; next; }
		my $key = sort_key($t, $cols[$time]{type});
		$unsorted++ if defined $last && $key lt $last;
		$last = $key;
		my $labels = join "\x1f", map { $_ // '' } @{$row}[@labels];
		$series{$labels} = 1;
		$double++ if $point{"$key\x1e$labels"}++;
	}
	push @bad, "$null rows have no time" if $null;
	push @bad, "$unsorted rows are older than the one before" if $unsorted;
	push @bad, "$double rows repeat a time of their series" if $double;
	my $n = @values * keys %series;
	push @bad, "$n series, more than $MAX_SERIES" if $n > $MAX_SERIES;
	return @bad;
}

# A string that sorts as the time does (the session writes ISO dates in UTC).
sub sort_key
{
	my ($t, $type) = @_;
	return sprintf '%030.9f', $t if $NUMBER{$type};
	$t =~ s/\+00$//;
	$t .= '.' unless $t =~ /\./;
	return $t . '0' x (26 - length $t) if length $t < 26;
	return $t;
}

1;

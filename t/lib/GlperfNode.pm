# Copyright (c) 2026, the glperf authors

=pod

=head1 NAME

GlperfNode - a running server with the extension

=head1 DESCRIPTION

  GlperfNode::start($name, preload => 'pg_stat_statements,glperf', conf => '...')

returns a node without autovacuum, with what is preloaded and glperf as
extensions of database postgres. C<conf> is more of postgresql.conf, C<init>
a reference to arguments of init(), C<bare> leaves the extensions out.

  GlperfNode::crash($node)

kills a process of the server, and is true when that came back without it.

=cut

package GlperfNode;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;

sub start
{
	my ($name, %param) = @_;
	my $preload = $param{preload} // '';
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $param{init} // {} });
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = '$preload'\nautovacuum = off\n"
		  . ($param{conf} // ''));
	$node->start;
	return $node if $param{bare};
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements')
	  if $preload =~ /pg_stat_statements/;
	$node->safe_psql('postgres', 'CREATE EXTENSION glperf');
	return $node;
}

sub crash
{
	my ($node) = @_;
	my $pid = $node->safe_psql('postgres',
		q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'});
	kill 'KILL', $pid;
	return $node->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
}

1;

# Copyright (c) 2026, the glperf authors

=pod

=head1 NAME

GlperfProxy - a link that can be made slow

=head1 DESCRIPTION

  GlperfProxy::start($from, $to, $rate)

forwards connections from one Unix socket to another, in a process of its own
whose id is returned: after SIGUSR1 towards the client at $rate bytes a second
only, after SIGUSR2 fast again, until SIGTERM.

=cut

package GlperfProxy;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();

sub start
{
	my ($from, $to, $rate) = @_;
	my $listen = IO::Socket::UNIX->new(Local => $from, Listen => 5)
	  or die "could not listen on $from: $!";
	my $pid = fork // die "could not fork: $!";
	return $pid if $pid;

	my $slow = 0;
	local $SIG{USR1} = sub { $slow = 1 };
	local $SIG{USR2} = sub { $slow = 0 };
	local $SIG{PIPE} = 'IGNORE';
	local $SIG{TERM} = sub { POSIX::_exit(0) };
	my %peer;
	my $select = IO::Select->new($listen);
	my %from_server;
	while (1)
	{
		foreach my $socket ($select->can_read(1))
		{
			if ($socket == $listen)
			{
				my $client = $listen->accept or next;
				my $server = IO::Socket::UNIX->new(Peer => $to);
				if (!$server)
				{
					close $client;
					next;
				}
				$peer{$client} = $server;
				$peer{$server} = $client;
				$from_server{$server} = 1;
				$select->add($client, $server);
				next;
			}
			my $other = $peer{$socket} or next;
			my $held = $slow && $from_server{$socket};
			my $got = sysread($socket, my $data, $held ? $rate / 20 : 65536);
			my $sent = 0;
			while ($got && $sent < $got)
			{
				my $n = syswrite($other, $data, $got - $sent, $sent);
				next if !defined $n && $!{EINTR};
				last if !$n;
				$sent += $n;
			}
			next if !defined $got && $!{EINTR};
			if (!$got || $sent < $got)
			{
				$select->remove($socket, $other);
				delete @peer{ $socket, $other };
				close $_ foreach $socket, $other;
				next;
			}
			select(undef, undef, undef, $got / $rate) if $held;
		}
	}
}

1;

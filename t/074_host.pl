# Copyright (c) 2026, the glperf authors

# glperf.host and glperf.health_host on machines and containers made of files:
# each verdict fires and stays silent, cgroups of both versions are read, and
# whatever is missing or mangled is a row that says so, never an error.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use POSIX qw(mkfifo);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir;

# Write files below a directory.
sub files
{
	my ($dir, %files) = @_;
	foreach my $path (keys %files)
	{
		make_path(dirname("$dir/$path"));
		open my $fh, '>', "$dir/$path" or die "$dir/$path: $!";
		print $fh $files{$path};
		close $fh;
	}
	return;
}

# Processors: user and system together, idle, waiting for I/O, in ticks.
sub stat_file
{
	my ($busy, $idle, $iowait) = @_;
	return
	    "cpu  $busy 0 0 $idle $iowait 0 0 0 0 0\n"
	  . "cpu0 $busy 0 0 $idle $iowait 0 0 0 0 0\n"
	  . "cpu1 0 0 0 0 0 0 0 0 0 0\nintr 1 2 3\nctxt 5\n";
}

# A disk: reads, their milliseconds, writes, their milliseconds, of 8 sectors.
sub disk_line
{
	my ($major, $minor, $name, $r, $rms, $w, $wms, $busy) = @_;
	return sprintf("%4d %7d %s %d 0 %d %d %d 0 %d %d 0 %d 0\n",
		$major, $minor, $name, $r, 8 * $r, $rms, $w, 8 * $w, $wms, $busy);
}

sub net_file
{
	my ($in, $out) = @_;
	return
	    "Inter-|   Receive  |  Transmit\n face |bytes  packets|bytes\n"
	  . "    lo: 999999999 1 0 0 0 0 0 0 999999999 1 0 0 0 0 0 0\n"
	  . "  eth0: $in 1 0 0 0 0 0 0 $out 1 0 0 0 0 0 0\n";
}

# A machine without containers, with a partitioned disk.
sub machine
{
	my ($dir) = @_;
	files($dir,
		'proc/stat' => stat_file(1000, 9000, 100),
		'proc/loadavg' => "0.50 1.25 3.00 1/100 1234\n",
		'proc/meminfo' => "MemTotal:  1000000 kB\nMemFree: 100 kB\n"
		  . "MemAvailable:  400000 kB\nSwapTotal: 1000 kB\nSwapFree: 750 kB\n",
		'proc/vmstat' => "nr_free_pages 1\noom_kill 0\n",
		'proc/diskstats' => disk_line(7, 0, 'loop0', 5, 5, 5, 5, 5)
		  . disk_line(8, 0, 'sda', 1000, 2000, 1000, 3000, 100)
		  . disk_line(8, 1, 'sda1', 900, 1800, 900, 2700, 90),
		'proc/net/dev' => net_file(1000, 1000),
		'proc/self/cgroup' => "0::/\n",
		'proc/self/mountinfo' =>
		  "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / /proc rw - proc proc rw\n",
		'sys/class/net/eth0/speed' => "1000\n",
		'sys/fs/cgroup/cpu.stat' => "usage_usec 100\n");
	make_path("$dir/sys/dev/block", "$dir/sys/class/net/eth0/device");
	symlink('../../devices/pci/block/sda/sda1', "$dir/sys/dev/block/8:1");
	symlink('../../devices/pci/block/sda', "$dir/sys/dev/block/8:0");
	return;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "track_io_timing = on\n");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION glperf;
CREATE ROLE watch LOGIN;
GRANT pg_monitor TO watch;
CREATE ROLE joe LOGIN});

# What a query says in a session that has seen the machine before and again
# after its files were changed.
sub after_change
{
	my ($before, $after, $query) = @_;
	remove_tree("$top/now");
	system_or_bail('cp', '-a', "$top/$before", "$top/now");
	return $node->safe_psql('postgres', qq{
SET glperf.host_root = '$top/now';
SELECT count(*) AS rows FROM glperf.host
\\gset
\\! cp -a $top/$after/. $top/now/
SELECT
FROM pg_sleep(0.6)
\\g /dev/null
$query});
}

# What a query says at first sight.
sub at_first
{
	my ($dir, $query) = @_;
	return $node->safe_psql('postgres',
		"SET glperf.host_root = '$top/$dir';\n$query");
}

sub row
{
	my ($metric, $object, $columns) = @_;
	$columns //= 'round(value::numeric, 3), status';
	return
	  "SELECT $columns FROM glperf.host WHERE metric = '$metric' AND object = '$object';";
}

#-------------------------------------------------------------------------
# A quiet machine, and the same under stress
#-------------------------------------------------------------------------

machine("$top/quiet");
machine("$top/calm");
files("$top/calm",
	'proc/stat' => stat_file(1030, 9069, 101),
	'proc/diskstats' => disk_line(8, 0, 'sda', 1200, 2400, 1300, 3900, 110)
	  . disk_line(8, 1, 'sda1', 900, 1800, 900, 2700, 90),
	'proc/net/dev' => net_file(1500, 1100));
# so much that it is too much for a minute, should the machine be that late
machine("$top/busy");
files("$top/busy",
	'proc/stat' => stat_file(1000 + 600, 9000 + 100, 100 + 300),
	'proc/meminfo' => "MemTotal: 1000000 kB\nMemAvailable: 50000 kB\n",
	'proc/vmstat' => "oom_kill 3\n",
	'proc/diskstats' =>
	  disk_line(8, 0, 'sda', 1200, 2000 + 200 * 7, 2_001_000, 3000 + 2_000_000 * 30, 900)
	  . disk_line(8, 1, 'sda1', 900, 1800, 900, 2700, 90),
	'proc/net/dev' => net_file(1000, 50_000_001_000));

my $all = q{SELECT string_agg(metric || ' ' || object || ' ' || status, E'\n'
	ORDER BY metric COLLATE "C", object) FROM glperf.host
	WHERE metric <> 'storage';};
is(after_change('quiet', 'calm', $all), 'cpu machine ok
cpu_throttled container ok
disk_busy disk sda ok
disk_bytes disk sda ok
disk_operations disk sda ok
disk_read_latency disk sda ok
disk_throughput disk sda ok
disk_write_latency disk sda ok
io_wait machine ok
io_wait_mean machine ok
iops disk sda ok
load_15m machine ok
load_1m machine ok
load_5m machine ok
memory machine ok
network interface eth0 ok
network_bytes interface eth0 ok
oom_kills container unknown
oom_kills machine ok
swap machine ok', 'a calm machine');
is(after_change('quiet', 'calm',
		"SELECT status, message LIKE 'cannot open /sys/fs/cgroup/memory.events%', value FROM glperf.host WHERE metric = 'oom_kills' AND object = 'container'"),
	'unknown|t|', 'what this machine does not tell is unknown, with the file');
is(after_change('quiet', 'busy',
		q{SELECT string_agg(check_id || ' ' || status || ' '
			|| (remedy IS NOT NULL), E'\n' ORDER BY check_id COLLATE "C")
		FROM glperf.health_host WHERE status NOT IN ('ok', 'unknown');}),
	'disk_read_latency warning true
disk_throughput critical true
disk_write_latency critical true
io_wait warning true
iops critical true
memory critical true
network critical true
oom_kills warning true', 'a machine under stress: every verdict fires')
  or diag(after_change('quiet', 'busy', 'TABLE glperf.health_host'));

is(after_change('quiet', 'busy', row('cpu', 'machine')), '60.000|ok',
	'processor time: neither idle nor waiting for the disk');
is(after_change('quiet', 'busy', row('io_wait_mean', 'machine')), '30.000|ok',
	'waiting for the disk, on average');
is(after_change('quiet', 'busy', row('io_wait', 'machine')),
	'100.000|warning', 'and as spikes');
is(after_change('quiet', 'busy',
		"UPDATE glperf.threshold SET warning = 30 WHERE id = 'io_wait_spike';\n"
		  . row('io_wait', 'machine')
		  . "UPDATE glperf.threshold SET warning = 20 WHERE id = 'io_wait_spike';"),
	'0.000|ok', 'what a spike is can be changed');
is(after_change('quiet', 'busy',
		"UPDATE glperf.threshold SET warning = 50 WHERE id = 'cpu';\n"
		  . row('cpu', 'machine')
		  . "UPDATE glperf.threshold SET warning = 70 WHERE id = 'cpu';"),
	'60.000|warning', 'processor time above the limit');
is(after_change('quiet', 'busy', row('disk_read_latency', 'disk sda')),
	'7.000|warning', 'time of a read, of the reads since then alone');
is(after_change('quiet', 'busy', row('disk_write_latency', 'disk sda')),
	'30.000|critical', 'time of a write');
is(after_change('quiet', 'busy',
		row('disk_operations', 'disk sda',
			'round((value * window_s)::numeric, 3)')),
	'2000200.000', 'operations per second');
is(after_change('quiet', 'busy',
		row('disk_bytes', 'disk sda', 'round((value * window_s)::numeric)')),
	2_000_200 * 8 * 512, 'bytes per second');
is(after_change('quiet', 'busy',
		row('iops', 'disk sda', 'round((value * window_s)::numeric, 3)')),
	'66673.333', 'iops is a share of what the guide has provisioned');
is(after_change('quiet', 'busy',
		row('network_bytes', 'interface eth0',
			'round((value * window_s)::numeric)')),
	50_000_000_000, 'the busier direction of the network, without the local one');
is(after_change('quiet', 'busy',
		q{SELECT message LIKE '% of 1.0 Gbit/s over %' FROM glperf.host
		WHERE metric = 'network'}),
	't', 'a link slower than the guide\'s is full sooner');
is(after_change('quiet', 'busy', row('memory', 'machine')), '95.000|critical',
	'memory that is not available');
is(after_change('quiet', 'calm',
		row('load_5m', 'machine', 'value, message')),
	'1.25|running or waiting for a disk, on 2 processors', 'load');
is(after_change('quiet', 'calm', row('swap', 'machine')), '25.000|ok', 'swap');

# too little to judge
machine("$top/idle");
files("$top/idle", 'proc/stat' => stat_file(1001, 9999, 100),
	'proc/diskstats' => disk_line(8, 0, 'sda', 1000, 2000, 1002, 3500, 101));
is(after_change('quiet', 'idle',
		row('disk_write_latency', 'disk sda', "status, value, message ~ '^only 2 writes in the last \\d+ s: too few to judge'")),
	'unknown|250|t', 'two slow writes are no slow disk');
is(after_change('quiet', 'idle',
		row('disk_read_latency', 'disk sda', "status, value, message ~ '^only 0 reads'")),
	'unknown||t', 'no read, no latency');

# first sample
is(at_first('quiet', q{SELECT count(*), count(value), count(*) FILTER
	(WHERE status = 'unknown' AND message LIKE 'first sample: a rate takes two%'
	AND remedy = 'SELECT * FROM glperf.host_metrics(1000);')
	FROM glperf.health_host WHERE check_id IN ('cpu', 'io_wait', 'iops',
	'disk_throughput', 'disk_read_latency', 'disk_write_latency', 'network')}),
	'7|0|7', 'a rate takes two samples, which is said');
is(at_first('quiet', row('oom_kills', 'machine')), '0.000|ok',
	'no kill ever needs no second sample');
is(at_first('busy', row('oom_kills', 'machine', "value, status, message LIKE 'first sample: 3 processes%'")),
	'|unknown|t', 'kills of unknown age are no verdict');
is(after_change('busy', 'busy', row('oom_kills', 'machine')), '0.000|ok',
	'old kills are forgiven');
is(at_first('quiet', q{SELECT count(*), bool_and(value IS NOT NULL)
	FROM glperf.host_metrics(600) WHERE metric IN ('disk_operations',
	'disk_bytes', 'network_bytes', 'disk_busy') AND window_s > 0.5;}),
	'4|t', 'a call may wait for its second sample');
is(at_first('quiet', q{SELECT round(window_s::numeric, 1) FROM glperf.host_metrics(600)
	WHERE metric = 'network_bytes'}), '0.6', 'as long as it is told');

# counters that begin anew
machine("$top/reset");
files("$top/reset", 'proc/stat' => stat_file(10, 20, 1),
	'proc/diskstats' => disk_line(8, 0, 'sda', 1, 1, 1, 1, 1),
	'proc/net/dev' => net_file(1, 1));
is(after_change('quiet', 'reset',
		'SELECT count(*) FROM glperf.host WHERE value < 0'),
	'0', 'counters that fall back give nothing negative');

# a file system with device numbers of its own
machine("$top/btrfs");
files("$top/btrfs", 'proc/self/mountinfo' =>
	  "22 1 0:40 /\@ / rw - btrfs /dev/sda1 rw\n");
is(at_first('btrfs', "SELECT count(*) FROM glperf.host WHERE object = 'disk sda' AND metric = 'iops'"),
	'1', 'the disk is found by the name of what was mounted');
machine("$top/overlay");
files("$top/overlay", 'proc/self/mountinfo' =>
	  "22 1 0:40 / / rw - overlay overlay rw\n");
is(at_first('overlay', row('iops', 'volume /', 'status, message')),
	'unknown|file system overlay on overlay is on no disk that /proc/diskstats counts',
	'a file system without a disk says so');
my $data = $node->data_dir;
my $blank = $data =~ s/ /\\040/gr;
machine("$top/nested");
files("$top/nested", 'proc/self/mountinfo' =>
	  "22 1 8:9 / / rw - ext4 /dev/zzz rw\n23 22 8:1 / $blank rw - ext4 /dev/sda1 rw\n"
	  . "24 22 8:9 / ${blank}x rw - ext4 /dev/zzz rw\n");
is(at_first('nested', "SELECT object = 'volume $data', value > 0 FROM glperf.host WHERE metric = 'storage'"),
	't|t', 'the innermost mount counts');

#-------------------------------------------------------------------------
# Space
#-------------------------------------------------------------------------

is(at_first('quiet', q{SELECT count(*), bool_and(value BETWEEN 0 AND 100
	AND used_bytes < total_bytes AND message LIKE '%(data directory, WAL)')
	FROM glperf.host WHERE metric = 'storage'}), '1|t', 'space of the volume');
my ($df) = split ' ', `df --output=pcent -- '$data' | tail -n 1`;
my $pct = at_first('quiet', q{SELECT value FROM glperf.host WHERE metric = 'storage'});
cmp_ok(abs($pct - ($df =~ s/%//r)), '<=', 2, 'as df tells it');
foreach my $limit ([0, 100, 'warning'], [0, 0, 'critical'], [100, 100, 'ok'])
{
	is(at_first('quiet', qq{BEGIN;
UPDATE glperf.threshold SET warning = $limit->[0], critical = $limit->[1]
WHERE id = 'storage';
SELECT status, (remedy IS NULL) = (status = 'ok') FROM glperf.health_host
WHERE check_id = 'storage';
ROLLBACK}), "$limit->[2]|t", "space is judged: $limit->[2]");
}
my $where = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', qq{CREATE TABLESPACE "Fast one" LOCATION '$where'});
is(at_first('quiet', q{SELECT count(*) FROM glperf.host
	WHERE metric = 'storage' AND message LIKE '%tablespace Fast one%'}),
	'1', 'tablespaces are looked at');
if (-d '/dev/shm' && -w '/dev/shm' && (stat '/dev/shm')[0] != (stat $data)[0])
{
	my $shm = "/dev/shm/glperf_test_$$";
	mkdir $shm, 0700 or die;
	$node->safe_psql('postgres', qq{CREATE TABLESPACE other LOCATION '$shm'});
	is($node->safe_psql('postgres', q{SELECT metric, status, message LIKE '%tablespace other%'
	FROM glperf.host WHERE object LIKE 'volume%shm' AND metric IN ('storage', 'iops') ORDER BY 1}),
		"iops|unknown|f\nstorage|ok|t", 'a tablespace on another volume has a row of its own');
	$node->safe_psql('postgres', 'DROP TABLESPACE other');
	rmdir $shm;
}

#-------------------------------------------------------------------------
# Containers
#-------------------------------------------------------------------------

my $mb = 1024 * 1024;

sub container_v2
{
	my ($dir, $used_us, $throttled, $oom, $current) = @_;
	machine($dir);
	my $pod = 'sys/fs/cgroup/kubepods/pod1';
	files($dir,
		'proc/self/cgroup' => "0::/kubepods/pod1/c1\n",
		"$pod/c1/cpu.max" => "max 100000\n",
		"$pod/c1/cpu.stat" => "usage_usec 1\nnr_periods 0\nnr_throttled 0\n",
		"$pod/cpu.max" => "50000 100000\n",
		"$pod/cpu.stat" => "usage_usec $used_us\nnr_periods "
		  . ($throttled + 100) . "\nnr_throttled $throttled\nthrottled_usec 7\n",
		"$pod/c1/memory.max" => 512 * $mb . "\n",
		"$pod/c1/memory.current" => $current * $mb . "\n",
		"$pod/c1/memory.stat" => "anon 1\nactive_file 5\ninactive_file " . 100 * $mb . "\n",
		"$pod/c1/memory.events" => "low 0\nhigh 0\nmax 5\noom 2\noom_kill $oom\n",
		"$pod/memory.max" => "max\n",
		"$pod/memory.events" => "oom_kill 77\n");
	return;
}

sub container_v1
{
	my ($dir, $used_us, $throttled, $oom, $current, $inside) = @_;
	machine($dir);
	my $cpu = 'sys/fs/cgroup/cpu,cpuacct/docker/c1';
	my $memory = 'sys/fs/cgroup/memory/docker/c1';
	($cpu, $memory) = ('sys/fs/cgroup/cpu', 'sys/fs/cgroup/memory') if $inside;
	files($dir,
		'proc/self/cgroup' => "12:memory:/docker/c1\n11:cpuset:/docker/c1\n"
		  . "3:cpu,cpuacct:/docker/c1\n1:name=systemd:/docker/c1\n0::/system.slice\n",
		"$cpu/cpu.cfs_quota_us" => "50000\n",
		"$cpu/cpu.cfs_period_us" => "100000\n",
		"$cpu/cpu.stat" => "nr_periods " . ($throttled + 100)
		  . "\nnr_throttled $throttled\nthrottled_time 7\n",
		"$cpu/cpuacct.usage" => $used_us * 1000 . "\n",
		"$memory/memory.limit_in_bytes" => 512 * $mb . "\n",
		"$memory/memory.usage_in_bytes" => $current * $mb . "\n",
		"$memory/memory.stat" => "cache 1\ninactive_file 1\ntotal_inactive_file " . 100 * $mb . "\n",
		"$memory/memory.oom_control" => "oom_kill_disable 0\nunder_oom 0\noom_kill $oom\n");
	files($dir,
		'sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us' => "-1\n",
		'sys/fs/cgroup/memory/docker/memory.limit_in_bytes' => "9223372036854771712\n")
	  if !$inside;
	return;
}

foreach my $kind ([ 'v2', \&container_v2, 0 ], [ 'v1', \&container_v1, 0 ],
	[ 'v1 seen from inside', \&container_v1, 1 ])
{
	my ($name, $make, $inside) = @$kind;
	my $d = $name =~ s/ /_/gr;
	$make->("$top/$d.quiet", 1_000_000, 5, 4, 300, $inside);
	$make->("$top/$d.calm", 1_100_000, 5, 4, 300, $inside);
	$make->("$top/$d.busy", 1_900_000, 12, 6, 595, $inside);
	is(after_change("$d.quiet", "$d.calm",
			q{SELECT string_agg(check_id || ' ' || status, ', ' ORDER BY check_id)
			FROM glperf.health_host WHERE object = 'container'}),
		'cpu ok, cpu_throttled ok, memory ok, oom_kills ok',
		"cgroup $name: calm");
	is(after_change("$d.quiet", "$d.busy",
			q{SELECT string_agg(check_id || ' ' || status, ', ' ORDER BY check_id)
			FROM glperf.health_host WHERE object = 'container' AND remedy IS NOT NULL}),
		'cpu critical, cpu_throttled warning, memory critical, oom_kills warning',
		"cgroup $name: stress")
	  or diag(after_change("$d.quiet", "$d.busy", "SELECT * FROM glperf.host WHERE object = 'container'"));
	is(after_change("$d.quiet", "$d.busy", row('memory', 'container', 'used_bytes, total_bytes')),
		495 * $mb . '|' . 512 * $mb,
		"cgroup $name: memory without file cache that can go");
	is(after_change("$d.quiet", "$d.busy", row('oom_kills', 'container', 'value')),
		'2', "cgroup $name: kills since the first sample");
	is(after_change("$d.quiet", "$d.busy", row('cpu_throttled', 'container', 'value, message')),
		'7|throttled in 7 of 7 periods, with a limit of 0.5 processors',
		"cgroup $name: throttled periods");
	is(after_change("$d.quiet", "$d.busy",
			row('cpu', 'container', 'round((value * window_s)::numeric, 3)')),
		'180.000', "cgroup $name: processor time as a share of the limit");
}
is(at_first('quiet', row('cpu_throttled', 'container', 'value, status, message')),
	'0|ok|no limit on processors is set, so nothing is throttled',
	'nothing is throttled without a limit');
is(at_first('quiet', "SELECT count(*) FROM glperf.host WHERE metric = 'memory' AND object = 'container'"),
	'0', 'a limit that is none is no row');
files("$top/v2.quiet", 'sys/fs/cgroup/kubepods/pod1/memory.max' => 256 * $mb . "\n",
	'sys/fs/cgroup/kubepods/pod1/memory.current' => 350 * $mb . "\n",
	'sys/fs/cgroup/kubepods/pod1/memory.stat' => "inactive_file " . 150 * $mb . "\n");
is(at_first('v2.quiet', row('memory', 'container', 'used_bytes, total_bytes, status')),
	200 * $mb . '|' . 256 * $mb . '|warning', 'the tightest limit counts');

#-------------------------------------------------------------------------
# Nothing there, and nonsense
#-------------------------------------------------------------------------

make_path("$top/empty");
is(at_first('empty', q{SELECT string_agg(DISTINCT status, ',') || ' '
	|| count(DISTINCT check_id) || ' ' || count(value)
	|| ' ' || bool_and(message LIKE 'cannot open /proc/%: No such file or directory')
	FROM glperf.health_host WHERE check_id <> 'storage'}),
	'unknown 10 0 true', 'without any file every check is unknown, and says why');
is(at_first('empty', q{SELECT count(*) FROM glperf.health_host
	WHERE check_id = 'storage' AND status <> 'unknown'}), '1',
	'space needs no file');

my $seed = 7;
srand($seed);
machine("$top/junk");
my $failed = 0;
foreach my $round (1 .. 24)
{
	my $from = $round % 2 ? 'calm' : 'v2.calm';
	remove_tree("$top/junk");
	system_or_bail('cp', '-a', "$top/$from", "$top/junk");
	foreach my $file (split /\n/, `find $top/junk -type f | sort`)
	{
		my $text = slurp_file($file);
		my $how = int rand 6;
		next if $how == 0;
		$text = substr($text, 0, int rand(1 + length $text)) if $how == 1;
		$text =~ s/\d+/99999999999999999999999/ if $how == 2;
		$text =~ s/(\d)/chr(33 + int rand 90)/ge if $how == 3;
		$text = join '', map { chr(int rand 256) } 1 .. 300 if $how == 4;
		$text =~ s/\s+/ /g if $how == 5;
		open my $fh, '>:raw', $file or die $!;
		print $fh $text;
		close $fh;
	}
	my ($rc, $out, $err) = $node->psql('postgres', qq{
SET glperf.host_root = '$top/junk';
SELECT count(*) AS n FROM glperf.host
\\gset
SELECT pg_sleep(0.5);
SELECT count(*) FROM glperf.health_host WHERE status IS NULL OR message IS NULL
	OR value < 0 OR value = 'NaN';});
	next if $rc == 0 && $out =~ /\n?0$/;
	$failed++;
	diag("round $round: $rc $out $err");
}
is($failed, 0, "files of nonsense (seed $seed) break nothing");
unlink "$top/empty/proc/meminfo";
make_path("$top/empty/proc");
mkfifo("$top/empty/proc/meminfo", 0600);
is(at_first('empty', "SET statement_timeout = '20s';\n" . row('memory', 'machine', 'status, message')),
	'unknown|cannot understand /proc/meminfo: no MemTotal', 'a pipe does not hang the session');

#-------------------------------------------------------------------------
# Who may
#-------------------------------------------------------------------------

sub as_role
{
	my ($role, $sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql,
		extra_params => [ '-U', $role ]);
	return ($out, $err);
}
my ($out, $err) = as_role('watch', 'SELECT count(*) > 10 FROM glperf.host');
is($out, 't', 'pg_monitor reads the view');
($out, $err) = as_role('joe', 'SELECT count(*) FROM glperf.host');
like($err, qr/permission denied/, 'others do not');
($out, $err) = as_role('watch',
	"SELECT count(*) FROM glperf.host; SET glperf.host_root = '$top/busy'");
like($err, qr/permission denied to set parameter/, 'another directory is for superusers only');
($out, $err) = as_role('watch', qq{SET glperf.host_root = '$top/busy';
SELECT value > 0 FROM glperf.host WHERE metric = 'memory' AND object = 'machine' AND total_bytes = 1000000 * 1024::int8});
is($out, '', 'also when it is set before the library is loaded');
like($err, qr/permission denied/, 'which is said');
like((($node->psql('postgres', "LOAD 'glperf'; SET glperf.host_root = 'relative'"))[2]),
	qr/must be an absolute path/, 'a relative path is refused');
like((($node->psql('postgres', 'SELECT * FROM glperf.host_metrics(1)'))[2]),
	qr/cannot wait 1 ms/, 'two readings at once are refused');
$node->stop;

#-------------------------------------------------------------------------
# Preloaded: readings for everybody, and kills that a crash does not hide
#-------------------------------------------------------------------------

container_v2("$top/live", 1_000_000, 5, 4, 300);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'glperf'
glperf.host_root = '$top/live'
restart_after_crash = on
});
$node->start;
$node->poll_query_until('postgres', q{
SELECT window_s > 0.5 FROM glperf.host WHERE metric = 'network_bytes' AND object = 'interface eth0'})
  or die 'no earlier reading';
is($node->safe_psql('postgres', row('network_bytes', 'interface eth0', 'value, window_s > 0.5')),
	'0|t', 'a new session knows an earlier reading');
is($node->safe_psql('postgres', row('oom_kills', 'container')), '0.000|ok',
	'kills from before the server started are forgiven');
container_v2("$top/live", 1_000_000, 5, 5, 300);
is($node->safe_psql('postgres', row('oom_kills', 'container')), '1.000|warning',
	'a kill since then is not');
is($node->safe_psql('postgres', qq{SET glperf.host_root = '$top/quiet';\n}
		  . row('network_bytes', 'interface eth0', 'value, message LIKE \'first sample%\'')),
	'|t', 'readings of one machine are not compared with those of another');
my $pid = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
kill 'KILL', $pid;
$node->poll_query_until('postgres',
	"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)")
  or die 'server did not come back';
is($node->safe_psql('postgres', row('oom_kills', 'container')), '1.000|warning',
	'a kill is still seen after the crash that it causes');
$node->stop;

done_testing();

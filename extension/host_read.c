/*
 * host_read.c
 *		Files of /proc and /sys as numbers.
 *
 * Nothing here fails: a file that is absent, unreadable or of another shape
 * makes its source missing, with the reason.  Nothing is allocated and no
 * error raised, see host.h.
 *
 * Format of the files: Linux, Documentation/filesystems/proc.rst and
 * admin-guide/iostats.rst.
 */
#include "host.h"

#include <time.h>
#include <unistd.h>

#include "utils/timestamp.h"

#include "host_file.h"

/* Microseconds of a clock that nobody sets. */
static uint64
clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64) now.tv_sec * 1000000 + (uint64) now.tv_nsec / 1000;
}

/* Processor time; what a hypervisor gave to others counts as busy. */
static bool
read_cpu(const char *root, GlperfHostReading *reading, char *reason)
{
	const char *text = glperf_host_file(root, "/proc/stat", reason);
	unsigned long long t[8] = {0};

	if (text == NULL)
		return false;
	/* user nice system idle iowait irq softirq steal; guests are in user */
	if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0],
			   &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) < 5)
	{
		glperf_host_reason(reason, "cannot understand", "/proc/stat",
						   "no line for all processors");
		return false;
	}
	for (int i = 0; i < 8; i++)
		reading->cpu_total += t[i];
	reading->cpu_iowait = t[4];
	reading->cpu_busy = reading->cpu_total - t[3] - t[4];
	for (const char *line = glperf_host_next_line(text); line != NULL; line = glperf_host_next_line(line))
	{
		if (strncmp(line, "cpu", 3) != 0)
			break;
		reading->ncpus++;
	}
	return true;
}

/* Processes that the kernel killed for want of memory. */
static bool
read_oom(const char *root, GlperfHostReading *reading, char *reason)
{
	const char *text = glperf_host_file(root, "/proc/vmstat", reason);

	if (text == NULL)
		return false;
	if (glperf_host_key(text, "oom_kill", &reading->oom_kills))
		return true;
	glperf_host_reason(reason, "no oom_kill in", "/proc/vmstat",
					   "kernels before 4.13 do not count");
	return false;
}

/* Block devices that were ever used; those in memory are none. */
static bool
read_disks(const char *root, GlperfHostReading *reading, char *reason)
{
	const char *text = glperf_host_file(root, "/proc/diskstats", reason);

	if (text == NULL)
		return false;
	for (const char *line = text; line != NULL; line = glperf_host_next_line(line))
	{
		GlperfHostDisk *d = &reading->disks[reading->ndisks];
		unsigned long long n[10];

		if (reading->ndisks == GLPERF_HOST_DISKS)
			break;
		/* reads merged sectors ms, writes merged sectors ms, now, busy */
		if (sscanf(line, "%u %u %31s %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu",
				   &d->major, &d->minor, d->name, &n[0], &n[1], &n[2], &n[3],
				   &n[4], &n[5], &n[6], &n[7], &n[8], &n[9]) != 13)
			continue;
		if (strncmp(d->name, "loop", 4) == 0 || strncmp(d->name, "ram", 3) == 0 ||
			strncmp(d->name, "zram", 4) == 0 || n[0] + n[4] == 0)
			continue;
		d->reads = n[0];
		d->read_sectors = n[2];
		d->read_ms = n[3];
		d->writes = n[4];
		d->write_sectors = n[6];
		d->write_ms = n[7];
		d->busy_ms = n[9];
		reading->ndisks++;
	}
	return true;
}

/* Is the interface a piece of hardware? */
static bool
net_is_physical(const char *root, const char *name)
{
	char		path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device", root, name);
	return access(path, F_OK) == 0;
}

/*
 * Network interfaces.  Bridges, tunnels and the ends of containers carry what
 * the hardware carries: they count only where there is no hardware, as inside
 * a container.
 */
static bool
read_nets(const char *root, GlperfHostReading *reading, char *reason)
{
	const char *text = glperf_host_file(root, "/proc/net/dev", reason);

	if (text == NULL)
		return false;
	for (int physical = 1; physical >= 0 && reading->nnets == 0; physical--)
	{
		for (const char *line = text; line != NULL; line = glperf_host_next_line(line))
		{
			GlperfHostNet *net = &reading->nets[reading->nnets];
			unsigned long long received;
			unsigned long long sent;

			if (reading->nnets == GLPERF_HOST_NETS)
				break;
			if (sscanf(line, " %31[^: ]: %llu %*u %*u %*u %*u %*u %*u %*u %llu",
					   net->name, &received, &sent) != 3 ||
				strcmp(net->name, "lo") == 0 ||
				(physical && !net_is_physical(root, net->name)))
				continue;
			net->received_bytes = received;
			net->sent_bytes = sent;
			reading->nnets++;
		}
	}
	if (reading->nnets > 0)
		return true;
	glperf_host_reason(reason, "no interface in", "/proc/net/dev",
					   "only the local one");
	return false;
}

/* See host.h.  reasons may be NULL. */
void
glperf_host_read(const char *root, GlperfHostReading *reading,
				 GlperfHostReasons *reasons)
{
	static bool (*const readers[GLPERF_HOST_SOURCES]) (const char *,
													   GlperfHostReading *,
													   char *) =
	{
		[GLPERF_HOST_CPU] = read_cpu,
		[GLPERF_HOST_CGROUP_CPU] = glperf_host_read_cgroup_cpu,
		[GLPERF_HOST_OOM] = read_oom,
		[GLPERF_HOST_CGROUP_OOM] = glperf_host_read_cgroup_oom,
		[GLPERF_HOST_DISK] = read_disks,
		[GLPERF_HOST_NET] = read_nets,
	};

	memset(reading, 0, sizeof(*reading));
	if (reasons != NULL)
		memset(reasons, 0, sizeof(*reasons));
	reading->clock_us = clock_us();
	reading->at = GetCurrentTimestamp();
	for (int i = 0; i < GLPERF_HOST_SOURCES; i++)
	{
		if (!readers[i] (root, reading, reasons ? reasons->text[i] : NULL))
			reading->missing |= 1 << i;
	}
}

/* See host.h. */
bool
glperf_host_read_memory(const char *root, GlperfHostMemory *memory,
						char *reason)
{
	const char *text = glperf_host_file(root, "/proc/meminfo", reason);
	uint64		n;

	memset(memory, 0, sizeof(*memory));
	if (text == NULL)
		return false;
	if (!glperf_host_key(text, "MemTotal", &memory->total) || memory->total == 0)
	{
		glperf_host_reason(reason, "cannot understand", "/proc/meminfo",
						   "no MemTotal");
		return false;
	}
	if (!glperf_host_key(text, "MemAvailable", &memory->available))
	{
		/* before 3.14 */
		if (glperf_host_key(text, "MemFree", &n))
			memory->available += n;
		if (glperf_host_key(text, "Buffers", &n))
			memory->available += n;
		if (glperf_host_key(text, "Cached", &n))
			memory->available += n;
	}
	glperf_host_key(text, "SwapTotal", &memory->swap_total);
	glperf_host_key(text, "SwapFree", &memory->swap_free);
	memory->total *= 1024;
	memory->available = Min(memory->available * 1024, memory->total);
	memory->swap_total *= 1024;
	memory->swap_free = Min(memory->swap_free * 1024, memory->swap_total);
	return true;
}

/* See host.h. */
bool
glperf_host_read_load(const char *root, double load[3], char *reason)
{
	const char *text = glperf_host_file(root, "/proc/loadavg", reason);

	if (text == NULL)
		return false;
	if (sscanf(text, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3)
		return true;
	glperf_host_reason(reason, "cannot understand", "/proc/loadavg", "no numbers");
	return false;
}

/* Copy a field of mountinfo, in which blanks are written in octal. */
static void
copy_unescaped(char *to, size_t size, const char *from)
{
	size_t		n = 0;

	while (*from != '\0' && n + 1 < size)
	{
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
			from[2] >= '0' && from[2] <= '7' && from[3] >= '0' && from[3] <= '7')
		{
			to[n++] = (from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0';
			from += 4;
		}
		else
			to[n++] = *from++;
	}
	to[n] = '\0';
}

/* Is path at or below dir? */
static bool
path_below(const char *path, const char *dir)
{
	size_t		len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, len) == 0 &&
		(path[len] == '/' || path[len] == '\0');
}

/* See host.h.  path is absolute, without symbolic links. */
bool
glperf_host_find_mount(const char *root, const char *path,
					   GlperfHostMount *mount, char *reason)
{
	const char *text = glperf_host_file(root, "/proc/self/mountinfo", reason);
	bool		found = false;

	memset(mount, 0, sizeof(*mount));
	if (text == NULL)
		return false;
	for (const char *line = text; line != NULL; line = glperf_host_next_line(line))
	{
		char		field[MAXPGPATH];
		char		point[MAXPGPATH];
		char		one[2048];
		const char *rest;
		unsigned int major;
		unsigned int minor;

		strlcpy(one, line, Min(sizeof(one),
							   (size_t) (strchrnul(line, '\n') - line) + 1));
		rest = strstr(one, " - ");
		if (rest == NULL ||
			sscanf(one, "%*u %*u %u:%u %*s %1023s", &major, &minor, field) != 3)
			continue;
		copy_unescaped(point, sizeof(point), field);
		/* a later mount hides an earlier one */
		if (!path_below(path, point) ||
			(found && strlen(point) < strlen(mount->point)))
			continue;
		if (sscanf(rest, " - %31s %1023s", mount->type, field) != 2)
			continue;
		copy_unescaped(mount->source, sizeof(mount->source), field);
		strlcpy(mount->point, point, sizeof(mount->point));
		mount->major = major;
		mount->minor = minor;
		found = true;
	}
	if (!found)
		glperf_host_reason(reason, "no mount for", path, "not in /proc/self/mountinfo");
	return found;
}

/* The disk of this name in the reading. */
static const GlperfHostDisk *
disk_by_name(const GlperfHostReading *reading, const char *name)
{
	for (uint32 i = 0; i < reading->ndisks; i++)
	{
		if (strcmp(reading->disks[i].name, name) == 0)
			return &reading->disks[i];
	}
	return NULL;
}

/*
 * The whole disk of a device number, or the device itself, by where sysfs has
 * it: .../block/sda/sda1.  NULL if sysfs or the reading does not know it.
 */
static const GlperfHostDisk *
disk_by_number(const char *root, const GlperfHostReading *reading,
			   uint32 major, uint32 minor)
{
	const GlperfHostDisk *disk = NULL;
	char		path[MAXPGPATH];
	char		target[MAXPGPATH];
	ssize_t		len;

	snprintf(path, sizeof(path), "%s/sys/dev/block/%u:%u", root, major, minor);
	len = readlink(path, target, sizeof(target) - 1);
	if (len > 0)
	{
		char	   *name;
		char	   *parent;

		target[len] = '\0';
		name = strrchr(target, '/');
		if (name == NULL)
			return NULL;
		*name++ = '\0';
		parent = strrchr(target, '/');
		if (parent != NULL)
			disk = disk_by_name(reading, parent + 1);
		if (disk == NULL)
			disk = disk_by_name(reading, name);
	}
	for (uint32 i = 0; i < reading->ndisks && disk == NULL; i++)
	{
		if (reading->disks[i].major == major && reading->disks[i].minor == minor)
			disk = &reading->disks[i];
	}
	return disk;
}

/*
 * See host.h.  By device number; file systems that make up numbers of their
 * own (btrfs) by the name of what was mounted.  A partition shares its disk's
 * limits with its neighbours, so the disk is what counts.
 */
const GlperfHostDisk *
glperf_host_find_disk(const char *root, const GlperfHostReading *reading,
					  const GlperfHostMount *mount)
{
	const GlperfHostDisk *disk;

	disk = disk_by_number(root, reading, mount->major, mount->minor);
	if (disk == NULL && strncmp(mount->source, "/dev/", 5) == 0)
	{
		disk = disk_by_name(reading, mount->source + 5);
		if (disk != NULL)
			disk = disk_by_number(root, reading, disk->major, disk->minor);
	}
	return disk;
}

/* See host.h. */
double
glperf_host_link_speed(const char *root, const char *name)
{
	char		path[MAXPGPATH];
	const char *text;
	long		megabits;

	snprintf(path, sizeof(path), "/sys/class/net/%s/speed", name);
	text = glperf_host_file(root, path, NULL);
	if (text == NULL)
		return 0;
	megabits = strtol(text, NULL, 10);
	/* -1: no link, or a device without speed */
	return megabits > 0 ? megabits * 1e6 / 8 : 0;
}

/*
 * host_cgroup.c
 *		Limits and counters of the server's control group, version 1 or 2.
 *
 * A limit may be set on the group of this process or on any one above it.  As
 * in host_read.c nothing here fails, allocates or raises an error.
 *
 * Format of the files: Linux, Documentation/admin-guide/cgroup-v2.rst,
 * cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
 */
#include "host.h"

#include <unistd.h>

#include "host_file.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

/* A limit of this many bytes is version 1's way to say none. */
#define NO_LIMIT_BYTES (UINT64CONST(1) << 60)

/* Where a controller's files are. */
typedef struct Cgroup
{
	int			version;		/* 1 or 2 */
	char		base[MAXPGPATH];	/* without root */
	char		path[MAXPGPATH];	/* of this process, below base; "" is base */
} Cgroup;

/* Is name among the comma-separated list of this length? */
static bool
list_has(const char *list, size_t len, const char *name)
{
	size_t		namelen = strlen(name);

	for (const char *p = list; p < list + len;)
	{
		const char *comma = memchr(p, ',', list + len - p);
		size_t		n = (comma ? comma : list + len) - p;

		if (n == namelen && memcmp(p, name, n) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

/* Directory of a cgroup level exists. */
static bool
level_exists(const char *root, const Cgroup *cgroup)
{
	char		dir[MAXPGPATH * 3];

	snprintf(dir, sizeof(dir), "%s%s%s", root, cgroup->base, cgroup->path);
	return access(dir, F_OK) == 0;
}

/* Go one level up; false at the top. */
static bool
level_up(Cgroup *cgroup)
{
	char	   *slash = strrchr(cgroup->path, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

/* Path of one of the cgroup's files; the same buffer each time. */
static const char *
cgroup_file(const Cgroup *cgroup, const char *file)
{
	static char path[MAXPGPATH * 2 + 64];

	snprintf(path, sizeof(path), "%s%s/%s", cgroup->base, cgroup->path, file);
	return path;
}

/*
 * Find the cgroup of this process for a controller ("cpu", "memory", ...): the
 * innermost level whose directory exists.  Inside a container the levels
 * above it, and with them the path in /proc/self/cgroup, may be out of sight;
 * then what is mounted is the container's own level.
 */
static bool
find_cgroup(const char *root, const char *controller, Cgroup *cgroup,
			char *reason)
{
	const char *text = glperf_host_file(root, "/proc/self/cgroup", reason);

	if (text == NULL)
		return false;
	cgroup->version = 0;
	for (const char *line = text; line != NULL; line = glperf_host_next_line(line))
	{
		const char *list = strchr(line, ':');
		const char *path = list ? strchr(list + 1, ':') : NULL;
		const char *end = strchrnul(line, '\n');
		size_t		len;

		if (path == NULL || path > end)
			continue;
		list++;
		len = path - list;
		path++;
		if (list_has(list, len, controller))
		{
			cgroup->version = 1;
			snprintf(cgroup->base, MAXPGPATH, CGROUP_MOUNT "/%.*s",
					 (int) len, list);
		}
		else if (len == 0 && cgroup->version == 0)
		{
			cgroup->version = 2;
			strlcpy(cgroup->base, CGROUP_MOUNT, MAXPGPATH);
		}
		else
			continue;
		snprintf(cgroup->path, MAXPGPATH, "%.*s", (int) (end - path), path);
		if (cgroup->version == 1)
			break;
	}
	if (cgroup->version == 0)
	{
		glperf_host_reason(reason, "no cgroup of controller", controller,
						   "not in /proc/self/cgroup");
		return false;
	}
	if (strcmp(cgroup->path, "/") == 0 || strstr(cgroup->path, "/..") != NULL)
		cgroup->path[0] = '\0';
	do
	{
		if (level_exists(root, cgroup))
			return true;
	} while (level_up(cgroup));
	/* co-mounted controllers are also found under each one's name */
	if (cgroup->version == 1)
	{
		snprintf(cgroup->base, MAXPGPATH, CGROUP_MOUNT "/%s", controller);
		if (level_exists(root, cgroup))
			return true;
	}
	glperf_host_reason(reason, "cannot open", cgroup->base, strerror(errno));
	return false;
}

/* The level's limit in processors; 0 if it has none. */
static double
level_quota(const char *root, const Cgroup *cgroup)
{
	uint64		quota;
	uint64		period;

	if (cgroup->version == 2)
	{
		const char *text = glperf_host_file(root, cgroup_file(cgroup, "cpu.max"), NULL);
		unsigned long long q;
		unsigned long long p;

		if (text == NULL || sscanf(text, "%llu %llu", &q, &p) != 2 || p == 0)
			return 0;
		return (double) q / p;
	}
	/* -1 stands for none */
	if (!glperf_host_number(root, cgroup_file(cgroup, "cpu.cfs_quota_us"), &quota) ||
		!glperf_host_number(root, cgroup_file(cgroup, "cpu.cfs_period_us"), &period) ||
		(int64) quota <= 0 || period == 0)
		return 0;
	return (double) quota / period;
}

/* Microseconds of processor time that the level used; false if unknown. */
static bool
level_cpu_us(const char *root, const Cgroup *cgroup, uint64 *used)
{
	Cgroup		account;

	if (cgroup->version == 2)
	{
		const char *text = glperf_host_file(root, cgroup_file(cgroup, "cpu.stat"), NULL);

		return text != NULL && glperf_host_key(text, "usage_usec", used);
	}
	if (!glperf_host_number(root, cgroup_file(cgroup, "cpuacct.usage"), used))
	{
		/* not mounted together with cpu */
		if (!find_cgroup(root, "cpuacct", &account, NULL) ||
			!glperf_host_number(root, cgroup_file(&account, "cpuacct.usage"), used))
			return false;
	}
	*used /= 1000;
	return true;
}

/*
 * Limit, use and throttling of processors.  A limit may be set on any level
 * above the process: the tightest counts, throttling by all.
 */
bool
glperf_host_read_cgroup_cpu(const char *root, GlperfHostReading *reading, char *reason)
{
	Cgroup		cgroup;

	if (!find_cgroup(root, "cpu", &cgroup, reason))
		return false;
	do
	{
		double		quota = level_quota(root, &cgroup);
		const char *text;
		uint64		n;

		if (quota <= 0)
			continue;
		text = glperf_host_file(root, cgroup_file(&cgroup, "cpu.stat"), reason);
		if (text == NULL)
			return false;
		if (glperf_host_key(text, "nr_periods", &n))
			reading->periods += n;
		if (glperf_host_key(text, "nr_throttled", &n))
			reading->throttled += n;
		if ((reading->quota_cpus == 0 || quota < reading->quota_cpus) &&
			level_cpu_us(root, &cgroup, &n))
		{
			reading->quota_cpus = quota;
			reading->cgroup_cpu_us = n;
		}
	} while (level_up(&cgroup));
	return true;
}

/* Of these, of the cgroup of this process and what is below it. */
bool
glperf_host_read_cgroup_oom(const char *root, GlperfHostReading *reading, char *reason)
{
	Cgroup		cgroup;
	const char *file;
	const char *text;

	if (!find_cgroup(root, "memory", &cgroup, reason))
		return false;
	file = cgroup.version == 2 ? "memory.events" : "memory.oom_control";
	text = glperf_host_file(root, cgroup_file(&cgroup, file), reason);
	if (text == NULL)
		return false;
	if (glperf_host_key(text, "oom_kill", &reading->cgroup_oom_kills))
		return true;
	glperf_host_reason(reason, "no oom_kill in", cgroup_file(&cgroup, file),
					   "this kernel does not count");
	return false;
}

/*
 * See host.h.  What a cgroup "uses" includes file cache, which a database
 * fills up to any limit; what has not been touched lately goes first and at
 * once, so it does not count (as in Kubernetes' working set).
 */
bool
glperf_host_read_cgroup_memory(const char *root,
							   GlperfHostCgroupMemory *memory, char *reason)
{
	Cgroup		cgroup;

	memset(memory, 0, sizeof(*memory));
	if (!find_cgroup(root, "memory", &cgroup, reason))
		return false;
	memory->version = cgroup.version;
	do
	{
		bool		v2 = cgroup.version == 2;
		uint64		limit;
		uint64		used;
		uint64		cached = 0;
		const char *text;

		if (!glperf_host_number(root, cgroup_file(&cgroup, v2 ? "memory.max" :
												  "memory.limit_in_bytes"), &limit) ||
			limit == 0 || limit >= NO_LIMIT_BYTES)
			continue;
		if (!glperf_host_number(root, cgroup_file(&cgroup, v2 ? "memory.current" :
												  "memory.usage_in_bytes"), &used))
		{
			glperf_host_reason(reason, "cannot read", cgroup_file(&cgroup, v2 ?
																  "memory.current" :
																  "memory.usage_in_bytes"),
							   strerror(errno));
			return false;
		}
		text = glperf_host_file(root, cgroup_file(&cgroup, "memory.stat"), NULL);
		if (text != NULL)
			glperf_host_key(text, v2 ? "inactive_file" : "total_inactive_file",
							&cached);
		used -= Min(used, cached);
		if (!memory->limited ||
			(double) used / limit > (double) memory->used / memory->limit)
		{
			memory->limited = true;
			memory->used = used;
			memory->limit = limit;
		}
	} while (level_up(&cgroup));
	return true;
}

/*
 * host.c
 *		glperf.host_metrics(): processors, memory, disks and network as rows.
 *
 * glperf.host_root says where /proc and /sys are; only superusers may change
 * it, because it makes the server read files, though as numbers only.
 */
#include "glperf.h"

#include <limits.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "commands/tablespace.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "host.h"

PG_FUNCTION_INFO_V1(glperf_host_metrics);

/* Columns of host_metrics(), in order. */
enum
{
	COL_METRIC,
	COL_OBJECT,
	COL_VALUE,
	COL_UNIT,
	COL_USED,
	COL_TOTAL,
	COL_COUNT,
	COL_WINDOW,
	COL_SOURCE,
	COL_MESSAGE,
	COLUMNS
};

/* One row; unset numbers are NaN. */
typedef struct HostRow
{
	const char *metric;
	const char *object;
	const char *unit;
	const char *source;
	const char *message;
	double		value;
	double		used;
	double		total;
	double		count;
	double		window_s;
} HostRow;

/* What the rows of one call are made from. */
typedef struct HostCall
{
	ReturnSetInfo *rsinfo;
	const char *root;
	GlperfHostComparison c;
} HostCall;

/* A file system that the server keeps data on. */
typedef struct HostVolume
{
	const char *path;			/* any of ours on it */
	StringInfoData holds;
	GlperfHostMount mount;
	bool		mounted;		/* mount is known */
	char		reason[GLPERF_HOST_REASON]; /* why not */
	dev_t		device;
} HostVolume;

/* A row without numbers yet. */
static HostRow
new_row(const char *metric, const char *object, const char *unit,
		const char *source)
{
	HostRow		row;

	memset(&row, 0, sizeof(row));
	row.metric = metric;
	row.object = object;
	row.unit = unit;
	row.source = source;
	row.value = row.used = row.total = row.count = row.window_s = NAN;
	return row;
}

/* Put a text that may be NULL into a column. */
static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text != NULL)
		values[column] = CStringGetTextDatum(text);
}

/* Put a whole number that may be NaN into a column. */
static void
put_whole(Datum *values, bool *nulls, int column, double number)
{
	nulls[column] = isnan(number);
	if (!isnan(number))
		values[column] = Int64GetDatum((int64) number);
}

/* Put a number that may be NaN into a column. */
static void
put_number(Datum *values, bool *nulls, int column, double number)
{
	nulls[column] = isnan(number);
	if (!isnan(number))
		values[column] = Float8GetDatum(number);
}

/* Return a row. */
static void
emit(HostCall *call, const HostRow *row)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};

	put_text(values, nulls, COL_METRIC, row->metric);
	put_text(values, nulls, COL_OBJECT, row->object);
	put_number(values, nulls, COL_VALUE, row->value);
	put_text(values, nulls, COL_UNIT, row->unit);
	put_whole(values, nulls, COL_USED, row->used);
	put_whole(values, nulls, COL_TOTAL, row->total);
	put_whole(values, nulls, COL_COUNT, row->count);
	put_number(values, nulls, COL_WINDOW, row->window_s);
	put_text(values, nulls, COL_SOURCE, row->source);
	put_text(values, nulls, COL_MESSAGE, row->message);
	tuplestore_putvalues(call->rsinfo->setResult, call->rsinfo->setDesc,
						 values, nulls);
}

/* Return a row that has no value, and why. */
static void
emit_unknown(HostCall *call, const char *metric, const char *object,
			 const char *unit, const char *source, const char *why)
{
	HostRow		row = new_row(metric, object, unit, source);

	row.message = why;
	emit(call, &row);
}

/*
 * Why there is no rate from this source; NULL if there is one.
 */
static const char *
no_rate(const HostCall *call, GlperfHostSource source)
{
	if ((call->c.now.missing & (1 << source)) != 0)
		return call->c.reasons.text[source];
	if (call->c.before.clock_us == 0)
		return "first sample: a rate takes two, at least half a second apart";
	if ((call->c.before.missing & (1 << source)) != 0)
		return "first sample: it could not be read the time before";
	return NULL;
}

/* Processors of the machine and of the container. */
static void
emit_cpu(HostCall *call)
{
	const GlperfHostReading *now = &call->c.now;
	const GlperfHostReading *before = &call->c.before;
	const char *why = no_rate(call, GLPERF_HOST_CPU);
	HostRow		cpu = new_row("cpu", "machine", "%", "/proc/stat");
	HostRow		mean = new_row("io_wait_mean", "machine", "%", "/proc/stat");
	HostRow		spikes = new_row("io_wait", "machine", "%", "/proc/stat");
	double		total = glperf_host_growth(now->cpu_total, before->cpu_total);

	if (why == NULL && total <= 0)
		why = "no clock tick has passed since the last reading";
	if (why == NULL)
	{
		cpu.value = 100 * Min(glperf_host_growth(now->cpu_busy, before->cpu_busy), total) /
			total;
		mean.value = glperf_host_iowait_pct(now, before);
		cpu.window_s = mean.window_s = spikes.window_s = call->c.window_s;
		cpu.message = psprintf("of %u processors", now->ncpus);
		mean.message = "processor time idle for want of the disk";
		if (call->c.steps > 0)
		{
			spikes.value = 100.0 * call->c.waiting_steps / call->c.steps;
			spikes.count = call->c.steps;
			spikes.message = psprintf("waited for the disk %.1f %% of the time, %.1f %% at the peak; %d of %d readings were spikes",
									  mean.value, call->c.iowait_peak,
									  call->c.waiting_steps, call->c.steps);
		}
	}
	else
		cpu.message = mean.message = why;
	if (spikes.message == NULL)
		spikes.message = why != NULL ? why : "no two readings to compare";
	emit(call, &cpu);
	emit(call, &mean);
	emit(call, &spikes);
}

/* Processors of the container, and whether it was held back. */
static void
emit_cgroup_cpu(HostCall *call)
{
	const GlperfHostReading *now = &call->c.now;
	const GlperfHostReading *before = &call->c.before;
	const char *why = no_rate(call, GLPERF_HOST_CGROUP_CPU);
	HostRow		cpu = new_row("cpu", "container", "%", "cgroup");
	HostRow		throttled = new_row("cpu_throttled", "container", "events",
									"cgroup cpu.stat");

	if ((now->missing & (1 << GLPERF_HOST_CGROUP_CPU)) == 0 &&
		now->quota_cpus == 0)
	{
		throttled.value = 0;
		throttled.message = "no limit on processors is set, so nothing is throttled";
		emit(call, &throttled);
		return;
	}
	if (why == NULL && before->quota_cpus > 0)
	{
		cpu.value = glperf_host_growth(now->cgroup_cpu_us, before->cgroup_cpu_us) / 1e4 /
			call->c.window_s / now->quota_cpus;
		cpu.window_s = call->c.window_s;
		cpu.message = psprintf("of a limit of %g processors", now->quota_cpus);
	}
	else
		cpu.message = why != NULL ? why : "first sample since a limit was set";
	emit(call, &cpu);

	if (why == NULL)
	{
		throttled.value = glperf_host_growth(now->throttled, before->throttled);
		throttled.count = glperf_host_growth(now->periods, before->periods);
		throttled.window_s = call->c.window_s;
		throttled.message = psprintf("throttled in %.0f of %.0f periods, with a limit of %g processors",
									 throttled.value, throttled.count,
									 now->quota_cpus);
	}
	else if ((now->missing & (1 << GLPERF_HOST_CGROUP_CPU)) == 0 &&
			 now->throttled == 0)
	{
		throttled.value = 0;
		throttled.message = "never throttled";
	}
	else
		throttled.message = why;
	emit(call, &throttled);
}

/*
 * Kills for want of memory.  A counter that is still 0 needs no second
 * reading.
 */
static void
emit_oom(HostCall *call, GlperfHostSource source, const char *object,
		 const char *file, uint64 now, uint64 before)
{
	HostRow		row = new_row("oom_kills", object, "events", file);
	uint32		bit = 1 << source;

	if ((call->c.now.missing & bit) != 0)
		row.message = call->c.reasons.text[source];
	else if (now == 0)
	{
		row.value = 0;
		row.message = "no process was ever killed for want of memory";
	}
	else if (call->c.events.clock_us == 0 || (call->c.events.missing & bit) != 0)
		row.message = psprintf("first sample: " UINT64_FORMAT " processes were killed for want of memory, nobody knows when",
							   now);
	else
	{
		row.value = glperf_host_growth(now, before);
		row.window_s = (call->c.now.clock_us - call->c.events.clock_us) / 1e6;
		row.message = psprintf("%.0f processes were killed for want of memory since %s",
							   row.value, timestamptz_to_str(call->c.events.at));
	}
	emit(call, &row);
}

/* Load: processes that run or would. */
static void
emit_load(HostCall *call)
{
	static const char *const metrics[3] = {"load_1m", "load_5m", "load_15m"};
	double		load[3];
	char		reason[GLPERF_HOST_REASON];
	bool		known = glperf_host_read_load(call->root, load, reason);

	for (int i = 0; i < 3; i++)
	{
		HostRow		row = new_row(metrics[i], "machine", "processes",
								  "/proc/loadavg");

		if (known)
			row.value = load[i];
		row.message = known ? psprintf("running or waiting for a disk, on %u processors",
									   call->c.now.ncpus) : reason;
		emit(call, &row);
	}
}

/* A share of bytes in use. */
static void
emit_bytes(HostCall *call, const char *metric, const char *object,
		   const char *source, double used, double total, const char *what)
{
	HostRow		row = new_row(metric, object, "%", source);

	row.value = 100 * used / total;
	row.used = used;
	row.total = total;
	row.message = what;
	emit(call, &row);
}

/* Memory of the machine and of the container. */
static void
emit_memory(HostCall *call)
{
	GlperfHostMemory memory;
	GlperfHostCgroupMemory cgroup;
	char		reason[GLPERF_HOST_REASON];

	if (glperf_host_read_memory(call->root, &memory, reason))
	{
		emit_bytes(call, "memory", "machine", "/proc/meminfo",
				   (double) (memory.total - memory.available), memory.total,
				   "without file cache that can go");
		if (memory.swap_total > 0)
			emit_bytes(call, "swap", "machine", "/proc/meminfo",
					   (double) (memory.swap_total - memory.swap_free),
					   memory.swap_total, "swap space");
	}
	else
	{
		emit_unknown(call, "memory", "machine", "%", "/proc/meminfo", reason);
		memory.total = 0;
	}

	if (!glperf_host_read_cgroup_memory(call->root, &cgroup, reason))
		emit_unknown(call, "memory", "container", "%", "cgroup", reason);
	else if (cgroup.limited &&
			 (memory.total == 0 || cgroup.limit < memory.total))
		emit_bytes(call, "memory", "container",
				   psprintf("cgroup v%d", cgroup.version),
				   cgroup.used, cgroup.limit,
				   "of the container's limit, without file cache that can go");
}

/* The mean time of an operation. */
static void
emit_latency(HostCall *call, const char *metric, const char *object,
			 double operations, double ms, const char *what)
{
	HostRow		row = new_row(metric, object, "ms", "/proc/diskstats");

	row.count = operations;
	row.window_s = call->c.window_s;
	if (operations > 0)
		row.value = ms / operations;
	row.message = psprintf("%.0f %s", operations, what);
	emit(call, &row);
}

/* Something per second. */
static void
emit_rate(HostCall *call, const char *metric, const char *object,
		  const char *unit, const char *source, double amount,
		  const char *what)
{
	HostRow		row = new_row(metric, object, unit, source);

	row.value = amount / call->c.window_s;
	row.window_s = call->c.window_s;
	row.message = what;
	emit(call, &row);
}

/* The reading's disk of the same name, NULL if it was not there. */
static const GlperfHostDisk *
same_disk(const GlperfHostReading *reading, const GlperfHostDisk *disk)
{
	for (uint32 i = 0; i < reading->ndisks; i++)
	{
		if (strcmp(reading->disks[i].name, disk->name) == 0)
			return &reading->disks[i];
	}
	return NULL;
}

/* Everything about a disk that is not known. */
static void
emit_no_disk(HostCall *call, const char *object, const char *why)
{
	emit_unknown(call, "disk_read_latency", object, "ms", "/proc/diskstats", why);
	emit_unknown(call, "disk_write_latency", object, "ms", "/proc/diskstats", why);
	emit_unknown(call, "disk_operations", object, "per second",
				 "/proc/diskstats", why);
	emit_unknown(call, "disk_bytes", object, "bytes/s", "/proc/diskstats", why);
}

/* A disk that data is on. */
static void
emit_disk(HostCall *call, const GlperfHostDisk *now, const char *holds)
{
	const GlperfHostDisk *before = same_disk(&call->c.before, now);
	const char *object = psprintf("disk %s", now->name);
	const char *file = "/proc/diskstats";
	const char *why = no_rate(call, GLPERF_HOST_DISK);
	double		reads;
	double		writes;
	double		bytes;
	HostRow		busy = new_row("disk_busy", object, "%", file);

	if (why == NULL && before == NULL)
		why = "first sample: the disk was not in use the time before";
	if (why != NULL)
	{
		emit_no_disk(call, object, why);
		return;
	}
	reads = glperf_host_growth(now->reads, before->reads);
	writes = glperf_host_growth(now->writes, before->writes);
	bytes = 512 * (glperf_host_growth(now->read_sectors, before->read_sectors) +
				   glperf_host_growth(now->write_sectors, before->write_sectors));
	emit_latency(call, "disk_read_latency", object, reads,
				 glperf_host_growth(now->read_ms, before->read_ms),
				 psprintf("reads; %s", holds));
	emit_latency(call, "disk_write_latency", object, writes,
				 glperf_host_growth(now->write_ms, before->write_ms),
				 psprintf("writes; %s", holds));
	emit_rate(call, "disk_operations", object, "per second", file,
			  reads + writes, holds);
	emit_rate(call, "disk_bytes", object, "bytes/s", file, bytes, holds);
	busy.value = Min(100.0, glperf_host_growth(now->busy_ms, before->busy_ms) / 10 /
					 call->c.window_s);
	busy.window_s = call->c.window_s;
	busy.message = holds;
	emit(call, &busy);
}

/* Note that a path of the server is on some volume. */
static List *
note_path(HostCall *call, List *volumes, const char *path, const char *what)
{
	char		real[PATH_MAX];
	struct stat st;
	HostVolume *volume;
	ListCell   *lc;

	if (stat(path, &st) != 0)
		return volumes;
	foreach(lc, volumes)
	{
		volume = (HostVolume *) lfirst(lc);
		if (volume->device == st.st_dev)
		{
			appendStringInfo(&volume->holds, ", %s", what);
			return volumes;
		}
	}
	volume = palloc0(sizeof(HostVolume));
	volume->path = pstrdup(path);
	volume->device = st.st_dev;
	initStringInfo(&volume->holds);
	appendStringInfoString(&volume->holds, what);
	if (realpath(path, real) == NULL)
		snprintf(volume->reason, GLPERF_HOST_REASON,
				 "cannot resolve the path of %s: %m", what);
	else
		volume->mounted = glperf_host_find_mount(call->root, real,
												 &volume->mount,
												 volume->reason);
	return lappend(volumes, volume);
}

/*
 * The volumes of data directory, WAL and tablespaces.  Tablespaces are read
 * from their directory, which takes no lock and holds all of them.
 */
static List *
find_volumes(HostCall *call)
{
	List	   *volumes = NIL;
	DIR		   *dir;
	struct dirent *entry;

	volumes = note_path(call, volumes, ".", "data directory");
	volumes = note_path(call, volumes, "pg_wal", "WAL");
	dir = AllocateDir("pg_tblspc");
	while ((entry = ReadDirExtended(dir, "pg_tblspc", DEBUG1)) != NULL)
	{
		Oid			oid = (Oid) strtoul(entry->d_name, NULL, 10);
		char	   *name;

		if (!OidIsValid(oid))
			continue;
		name = get_tablespace_name(oid);
		volumes = note_path(call, volumes,
							psprintf("pg_tblspc/%s", entry->d_name),
							psprintf("tablespace %s",
									 name ? name : entry->d_name));
	}
	FreeDir(dir);
	return volumes;
}

/* Space of a volume, as df tells it to ordinary users. */
static void
emit_space(HostCall *call, const HostVolume *volume, const char *object)
{
	struct statvfs fs;
	double		used;
	double		total;

	if (statvfs(volume->path, &fs) != 0)
	{
		emit_unknown(call, "storage", object, "%", "statvfs",
					 psprintf("cannot ask for its space: %m"));
		return;
	}
	used = (double) (fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	total = used + (double) fs.f_bavail * fs.f_frsize;
	if (total <= 0)
		emit_unknown(call, "storage", object, "%", "statvfs",
					 "the file system does not say how large it is");
	else
		emit_bytes(call, "storage", object, "statvfs", used, total,
				   volume->holds.data);
}

/* Volumes, and the disks below them. */
static void
emit_volumes(HostCall *call)
{
	List	   *volumes = find_volumes(call);
	const GlperfHostDisk *disks[GLPERF_HOST_DISKS];
	StringInfoData holds[GLPERF_HOST_DISKS];
	int			ndisks = 0;
	ListCell   *lc;

	foreach(lc, volumes)
	{
		HostVolume *volume = (HostVolume *) lfirst(lc);
		const char *object;
		const GlperfHostDisk *disk = NULL;
		const char *why = NULL;
		int			i;

		object = volume->mounted ? psprintf("volume %s", volume->mount.point) :
			psprintf("volume of %s", volume->holds.data);
		emit_space(call, volume, object);

		if ((call->c.now.missing & (1 << GLPERF_HOST_DISK)) != 0)
			why = call->c.reasons.text[GLPERF_HOST_DISK];
		else if (!volume->mounted)
			why = volume->reason;
		else
			disk = glperf_host_find_disk(call->root, &call->c.now, &volume->mount);
		if (disk == NULL)
		{
			if (why == NULL)
				why = psprintf("file system %s on %s is on no disk that %s counts",
							   volume->mount.type, volume->mount.source,
							   "/proc/diskstats");
			emit_no_disk(call, object, why);
			continue;
		}
		for (i = 0; i < ndisks && disks[i] != disk; i++)
			;
		if (i == ndisks)
		{
			disks[ndisks++] = disk;
			initStringInfo(&holds[i]);
		}
		else
			appendStringInfoString(&holds[i], ", ");
		appendStringInfoString(&holds[i], volume->holds.data);
	}
	for (int i = 0; i < ndisks; i++)
		emit_disk(call, disks[i], holds[i].data);
}

/* Network interfaces; both directions have the link's speed each. */
static void
emit_nets(HostCall *call)
{
	const GlperfHostReading *before = &call->c.before;
	const char *why = no_rate(call, GLPERF_HOST_NET);
	const char *file = "/proc/net/dev";

	if (call->c.now.nnets == 0)
		emit_unknown(call, "network_bytes", "network", "bytes/s", file, why);
	for (uint32 i = 0; i < call->c.now.nnets; i++)
	{
		const GlperfHostNet *now = &call->c.now.nets[i];
		const GlperfHostNet *then = NULL;
		double		speed = glperf_host_link_speed(call->root, now->name);
		HostRow		row = new_row("network_bytes",
								  psprintf("interface %s", now->name),
								  "bytes/s", file);
		double		received;
		double		sent;

		for (uint32 j = 0; j < before->nnets; j++)
		{
			if (strcmp(before->nets[j].name, now->name) == 0)
				then = &before->nets[j];
		}
		if (why == NULL && then == NULL)
			row.message = "first sample: the interface was not there the time before";
		else if (why != NULL)
			row.message = why;
		else
		{
			received = glperf_host_growth(now->received_bytes, then->received_bytes);
			sent = glperf_host_growth(now->sent_bytes, then->sent_bytes);
			row.value = Max(received, sent) / call->c.window_s;
			row.window_s = call->c.window_s;
			row.message = psprintf("%.0f bytes/s received, %.0f sent",
								   received / call->c.window_s,
								   sent / call->c.window_s);
		}
		if (speed > 0)
			row.total = speed;
		emit(call, &row);
	}
}

/*
 * glperf.host_metrics(wait_ms, spike_pct): one row per metric.  wait_ms 0:
 * compare with a reading kept from before; more: wait so long between two
 * readings.
 */
Datum
glperf_host_metrics(PG_FUNCTION_ARGS)
{
	int64		wait_ms = PG_GETARG_INT64(0);
	double		spike_pct = PG_GETARG_FLOAT8(1);
	HostCall   *call = palloc0(sizeof(HostCall));

	if (wait_ms < 0 || wait_ms > GLPERF_HOST_MAX_WAIT_MS ||
		(wait_ms > 0 && wait_ms < GLPERF_HOST_MIN_WAIT_MS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot wait %lld ms between two readings",
						(long long) wait_ms),
				 errhint("Use 0 to compare with an earlier reading, or %d to %d.",
						 GLPERF_HOST_MIN_WAIT_MS, GLPERF_HOST_MAX_WAIT_MS)));
	InitMaterializedSRF(fcinfo, 0);
	call->rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	call->root = pstrdup(glperf_host_root);
	glperf_host_compare(call->root, wait_ms, spike_pct, &call->c);

	emit_cpu(call);
	emit_cgroup_cpu(call);
	emit_load(call);
	emit_memory(call);
	emit_oom(call, GLPERF_HOST_OOM, "machine", "/proc/vmstat",
			 call->c.now.oom_kills, call->c.events.oom_kills);
	emit_oom(call, GLPERF_HOST_CGROUP_OOM, "container", "cgroup",
			 call->c.now.cgroup_oom_kills, call->c.events.cgroup_oom_kills);
	emit_volumes(call);
	emit_nets(call);
	return (Datum) 0;
}

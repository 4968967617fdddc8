/*
 * host.h
 *		What the operating system says about the machine and the container.
 *
 * host_read.c reads files of /proc, /sys and cgroups into the structs here and
 * never fails: what cannot be read is missing, with the reason.  host.c turns
 * two readings into rates, and these into the rows of glperf.host_metrics().
 */
#ifndef GLPERF_HOST_H
#define GLPERF_HOST_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define GLPERF_HOST_DISKS 24	/* kept at most; more are left out */
#define GLPERF_HOST_NETS 8
#define GLPERF_HOST_NAME 32		/* bytes of a device's name, with NUL */
#define GLPERF_HOST_REASON 256

/* Where counters come from; each can be missing by itself. */
typedef enum GlperfHostSource
{
	GLPERF_HOST_CPU,			/* /proc/stat */
	GLPERF_HOST_CGROUP_CPU,		/* cpu.stat and the quota */
	GLPERF_HOST_OOM,			/* /proc/vmstat */
	GLPERF_HOST_CGROUP_OOM,		/* memory.events or memory.oom_control */
	GLPERF_HOST_DISK,			/* /proc/diskstats */
	GLPERF_HOST_NET,			/* /proc/net/dev */
	GLPERF_HOST_SOURCES
} GlperfHostSource;

/* Why a source is missing: an English sentence without full stop. */
typedef struct GlperfHostReasons
{
	char text[	GLPERF_HOST_SOURCES][GLPERF_HOST_REASON];
} GlperfHostReasons;

/* Counters of a block device since it appeared. */
typedef struct GlperfHostDisk
{
	char		name[GLPERF_HOST_NAME];
	uint32		major;
	uint32		minor;
	uint64		reads;			/* completed */
	uint64		read_sectors;	/* of 512 bytes */
	uint64		read_ms;		/* sum over all reads */
	uint64		writes;
	uint64		write_sectors;
	uint64		write_ms;
	uint64		busy_ms;		/* time with anything under way */
} GlperfHostDisk;

/* Counters of a network interface since it appeared. */
typedef struct GlperfHostNet
{
	char		name[GLPERF_HOST_NAME];
	uint64		received_bytes;
	uint64		sent_bytes;
} GlperfHostNet;

/* All counters at one moment. */
typedef struct GlperfHostReading
{
	uint64		clock_us;		/* of a clock that nobody sets; 0: no reading */
	TimestampTz at;
	uint32		missing;		/* bits 1 << GlperfHostSource */
	uint32		ncpus;
	uint64		cpu_total;		/* clock ticks of all processors */
	uint64		cpu_busy;		/* neither idle nor waiting for I/O */
	uint64		cpu_iowait;
	double		quota_cpus;		/* cgroup's limit in processors; 0: none */
	uint64		cgroup_cpu_us;	/* used where that limit is */
	uint64		periods;		/* accounting periods of limits */
	uint64		throttled;		/* of these, throttled */
	uint64		oom_kills;		/* on the machine */
	uint64		cgroup_oom_kills;
	uint32		ndisks;
	uint32		nnets;
	GlperfHostDisk disks[GLPERF_HOST_DISKS];
	GlperfHostNet nets[GLPERF_HOST_NETS];
} GlperfHostReading;

/* Kills so far, at one moment. */
typedef struct GlperfHostEvents
{
	uint64		clock_us;
	TimestampTz at;
	uint32		missing;
	uint64		oom_kills;
	uint64		cgroup_oom_kills;
} GlperfHostEvents;

/* The reading of now, and what there is to compare it with. */
typedef struct GlperfHostComparison
{
	GlperfHostReading now;
	GlperfHostReading before;	/* clock_us 0: none */
	GlperfHostReasons reasons;
	double		window_s;		/* between the two; NaN */
	GlperfHostEvents events;	/* begin of the count; clock_us 0: none */
	int			steps;			/* pairs of readings in the window */
	int			waiting_steps;	/* of these, with much waiting for the disk */
	double		iowait_peak;	/* highest share of a step, percent */
} GlperfHostComparison;

/* Memory of the machine, in bytes. */
typedef struct GlperfHostMemory
{
	uint64		total;
	uint64		available;		/* without swapping, as the kernel guesses */
	uint64		swap_total;
	uint64		swap_free;
} GlperfHostMemory;

/* Memory where the cgroup's limit is tightest, in bytes. */
typedef struct GlperfHostCgroupMemory
{
	int			version;		/* 1 or 2 */
	bool		limited;		/* there is a limit */
	uint64		limit;
	uint64		used;			/* without file cache that can go at once */
} GlperfHostCgroupMemory;

/* The mount that a path is on. */
typedef struct GlperfHostMount
{
	char		point[MAXPGPATH];
	char		type[GLPERF_HOST_NAME];
	char		source[MAXPGPATH];	/* such as /dev/sda1 */
	uint32		major;
	uint32		minor;
} GlperfHostMount;

/*
 * Readers.  root comes before the path of every file: "" for the machine
 * itself, or where its /proc and /sys are mounted.  They touch no shared
 * memory, allocate nothing and raise no error, so that the postmaster and the
 * background worker may call them.  false: missing, reason says why.
 */
extern void glperf_host_read(const char *root, GlperfHostReading *reading,
							 GlperfHostReasons *reasons);
extern bool glperf_host_read_memory(const char *root, GlperfHostMemory *memory,
									char *reason);
extern bool glperf_host_read_cgroup_memory(const char *root,
										   GlperfHostCgroupMemory *memory,
										   char *reason);
extern bool glperf_host_read_load(const char *root, double load[3],
								  char *reason);
extern bool glperf_host_find_mount(const char *root, const char *path,
								   GlperfHostMount *mount, char *reason);

/* The whole disk that a device is on, or NULL if the reading has none. */
extern const GlperfHostDisk *glperf_host_find_disk(const char *root,
												   const GlperfHostReading *reading,
												   const GlperfHostMount *mount);

/* Bytes per second of an interface's link, 0 if it does not say. */
extern double glperf_host_link_speed(const char *root, const char *name);

/* Growth of a counter; 0 if it began anew. */
static inline double
glperf_host_growth(uint64 now, uint64 before)
{
	return now > before ? (double) (now - before) : 0;
}

/*
 * Share of the processors' time spent waiting for the disk between two
 * readings, in percent; NaN if unknown.
 */
extern double glperf_host_iowait_pct(const GlperfHostReading *now,
									 const GlperfHostReading *before);

/*
 * Make a reading, and find the one of some minutes ago: kept by the background
 * worker, or by this session.  wait_ms above 0: wait so long between two
 * readings instead.  spike_pct: what iowait_pct is a spike.
 */
extern void glperf_host_compare(const char *root, int64 wait_ms,
								double spike_pct, GlperfHostComparison *result);

/* Milliseconds that may be waited for, besides 0. */
#define GLPERF_HOST_MIN_WAIT_MS 500
#define GLPERF_HOST_MAX_WAIT_MS 60000

/* Readings that the background worker keeps, when preloaded. */
extern Size glperf_host_shmem_size(void);
extern void glperf_host_shmem_startup(void);
extern void glperf_host_keep(void);

#endif							/* GLPERF_HOST_H */

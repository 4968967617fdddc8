/*
 * host_file.h
 *		Reading small text files without allocating and without errors.
 */
#ifndef GLPERF_HOST_FILE_H
#define GLPERF_HOST_FILE_H

#include "host.h"

/* Remember why something is missing; reason may be NULL. */
extern void glperf_host_reason(char *reason, const char *what,
							   const char *path, const char *why);

/*
 * Content of root + path, valid until the next call.  NULL and the reason if
 * it cannot be read.  A file that is too long ends with its last whole line.
 */
extern const char *glperf_host_file(const char *root, const char *path,
									char *reason);

/* The line after this one, or NULL. */
extern const char *glperf_host_next_line(const char *line);

/* The number after a key at the beginning of a line: "key 1" or "key: 1". */
extern bool glperf_host_key(const char *text, const char *key, uint64 *value);

/* The first number of a file; false if it has none, as in "max". */
extern bool glperf_host_number(const char *root, const char *path,
							   uint64 *value);

/* Sources of a reading that are read in host_cgroup.c; see GlperfHostSource. */
extern bool glperf_host_read_cgroup_cpu(const char *root,
										GlperfHostReading *reading,
										char *reason);
extern bool glperf_host_read_cgroup_oom(const char *root,
										GlperfHostReading *reading,
										char *reason);

#endif							/* GLPERF_HOST_FILE_H */

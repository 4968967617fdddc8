/*
 * endpoints.h
 *		Latency by what the application says it is doing.
 */
#ifndef GLPERF_ENDPOINTS_H
#define GLPERF_ENDPOINTS_H

#ifndef FRONTEND
#include "compat.h"
#include "utils/guc.h"
#else
#define GLPERF_LOCAL
#endif

#include "histogram.h"

/* Endpoints told apart; the rest is counted together. */
#define GLPERF_MAX_ENDPOINTS 256

/* Bytes of a name with its terminator; longer ones are cut. */
#define GLPERF_ENDPOINT_NAME 96

/* Where an endpoint's name comes from. */
typedef enum GlperfEndpointKind
{
	GLPERF_ENDPOINT_OTHER,		/* no room to tell */
	GLPERF_ENDPOINT_APPLICATION,	/* application_name */
	GLPERF_ENDPOINT_TAG			/* a comment in the statement */
} GlperfEndpointKind;

/* A reading of one endpoint. */
typedef struct GlperfEndpointReading
{
	GlperfEndpointKind kind;
	char		name[GLPERF_ENDPOINT_NAME];
	uint64		calls;			/* sum of cells */
	uint64		errors;
	uint64		total_ns;
	uint64		max_ns;
	uint64		cells[GLPERF_HIST_CELLS];
} GlperfEndpointReading;

extern Size glperf_endpoints_shmem_size(void);
extern void glperf_endpoints_shmem_startup(void);

/* What one backend has counted under its application_name. */
typedef struct GlperfBackendCells
{
	char		name[NAMEDATALEN];
	bool		used;
	uint32		errors;
	uint64		total_ns;
	uint64		max_ns;
	uint32		cells[GLPERF_HIST_CELLS];
} GlperfBackendCells;

/* A backend's cells move to the table before one of them overflows. */
#define GLPERF_MANY_COUNTS (PG_UINT32_MAX / 2)

/* This backend's cells, and the value of application_name that they are for. */
extern GLPERF_LOCAL GlperfBackendCells *glperf_endpoint_cells;
extern GLPERF_LOCAL const char *glperf_endpoint_application;

/* The statement looked at last if it had no tags; NULL if it may be another. */
extern GLPERF_LOCAL const char *glperf_endpoint_plain_text;

extern void glperf_endpoints_count_slowly(const char *text, int cell,
										  uint64 duration_ns, bool failed);

/*
 * glperf_endpoints_count -- count one execution of the client's statement
 *
 * text:	the statement as the client sent it, or NULL
 * cell:	glperf_histogram_cell(duration_ns)
 *
 * By the tags of a comment at its start or end, as sqlcommenter and Marginalia
 * write them (the route, else controller#action, else the application), else
 * by application_name.  A new value of that is allocated before the old one is
 * freed, so that a change shows in the pointer.
 */
static inline void
glperf_endpoints_count(const char *text, int cell, uint64 duration_ns,
					   bool failed)
{
	GlperfBackendCells *mine = glperf_endpoint_cells;

	if (unlikely(mine == NULL || failed ||
				 text != glperf_endpoint_plain_text ||
				 application_name != glperf_endpoint_application ||
				 duration_ns > mine->max_ns ||
				 mine->cells[cell] >= GLPERF_MANY_COUNTS))
		glperf_endpoints_count_slowly(text, cell, duration_ns, failed);
	else
	{
		mine->cells[cell]++;
		mine->total_ns += duration_ns;
	}
}

/* A statement was analysed: the next text may be at the same address. */
static inline void
glperf_endpoints_new_text(void)
{
	glperf_endpoint_plain_text = NULL;
}

/*
 * glperf_endpoints_tag -- name in the tags of a statement's comment
 *
 * Writes it to name, which has room for GLPERF_ENDPOINT_NAME bytes; false if
 * the statement has no such tags.
 */
extern bool glperf_endpoints_tag(const char *text, char *name);

/* Palloc'd readings of all endpoints, *n of them. */
extern GlperfEndpointReading *glperf_endpoints_read(int *n);

#endif							/* GLPERF_ENDPOINTS_H */

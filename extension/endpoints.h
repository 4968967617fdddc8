/*
 * endpoints.h
 *		Latency by what the application says it is doing.
 */
#ifndef GLPERF_ENDPOINTS_H
#define GLPERF_ENDPOINTS_H

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

/*
 * glperf_endpoints_count -- count one execution of the client's statement
 *
 * text:	the statement as the client sent it, or NULL
 *
 * By the tags of a comment at its start or end, as sqlcommenter and Marginalia
 * write them (the route, else controller#action, else the application), else
 * by application_name.
 */
extern void glperf_endpoints_count(const char *text, uint64 duration_ns,
								   bool failed);

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

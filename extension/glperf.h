/*
 * glperf.h
 *		Declarations shared by the rooms of the extension.
 *
 * Each room (file) with an interface of its own has its own header; this one
 * holds only what _PG_init() needs.
 */
#ifndef GLPERF_H
#define GLPERF_H

#include "compat.h"

/*
 * Hook registration of each room, called once from _PG_init().  preloaded is
 * true while shared_preload_libraries are processed; only then may shared
 * memory be requested.
 */
extern void glperf_whatif_init(void);
extern void glperf_statistics_init(void);
extern void glperf_collector_init(bool preloaded);

#endif							/* GLPERF_H */

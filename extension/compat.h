/*
 * compat.h
 *		Every difference between PostgreSQL majors that glperf has to know.
 *
 * Nothing outside this file tests PG_VERSION_NUM.  Shims are named by what
 * they mean, and make older servers look like newer ones.
 */
#ifndef GLPERF_COMPAT_H
#define GLPERF_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 140000 || PG_VERSION_NUM >= 200000
#error "glperf supports PostgreSQL 14 to 19"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif							/* GLPERF_COMPAT_H */

/*
 * glperf_version.h
 *		Version of the interface between the extension and the advisor.
 *
 * The release version has one home, default_version in glperf.control; make
 * passes it as GLPERF_VERSION.  These two numbers version what the advisor
 * relies on: the columns and meaning of the views and functions it calls.
 * A major step breaks older partners, a minor step only adds.
 */
#ifndef GLPERF_VERSION_H
#define GLPERF_VERSION_H

#define GLPERF_API_MAJOR	1
#define GLPERF_API_MINOR	1

#endif							/* GLPERF_VERSION_H */

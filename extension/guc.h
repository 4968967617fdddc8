/*
 * guc.h
 *		Settings of the extension.
 */
#ifndef GLPERF_GUC_H
#define GLPERF_GUC_H

/* Values of the settings; guc.c describes them. */
extern int	glperf_max_statements;
extern bool glperf_sample_parameters;

extern void glperf_guc_init(bool preloaded);

#endif							/* GLPERF_GUC_H */

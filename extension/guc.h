/*
 * guc.h
 *		Settings of the extension.
 */
#ifndef GLPERF_GUC_H
#define GLPERF_GUC_H

/* Which statements are counted. */
typedef enum GlperfTrack
{
	GLPERF_TRACK_NONE,
	GLPERF_TRACK_TOP,			/* those that clients send */
	GLPERF_TRACK_ALL			/* those inside functions, too */
} GlperfTrack;

/* What the index advisor minimises. */
typedef enum GlperfCostModel
{
	GLPERF_COST_TIME,			/* processor time of the plans */
	GLPERF_COST_PLANNER			/* the planner's own cost of them */
} GlperfCostModel;

/* How big an index is taken to be. */
typedef enum GlperfSizeModel
{
	GLPERF_SIZE_BUILT,			/* as CREATE INDEX would make it */
	GLPERF_SIZE_HYPOPG			/* as HypoPG says */
} GlperfSizeModel;

/* Values of the settings; guc.c describes them. */
extern int	glperf_max_statements;
extern GLPERF_LOCAL int glperf_track;	/* GlperfTrack */
extern bool glperf_track_utility;
extern int	glperf_wait_interval_ms;
extern char *glperf_history_database;
extern int	glperf_history_interval_s;
extern GLPERF_LOCAL bool glperf_sample_parameters;
extern char *glperf_host_root;
extern int	glperf_size_sample_pages;
extern int	glperf_cost_model;	/* GlperfCostModel */
extern int	glperf_size_model;	/* GlperfSizeModel */

extern void glperf_guc_init(bool preloaded);

#endif							/* GLPERF_GUC_H */

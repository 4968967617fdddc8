/*
 * select.h
 *		Choosing a set of candidates: plain C over arrays.
 *
 * Compiles without a server (-DFRONTEND), so that it can be tested without
 * one.  Nothing here knows what a statement or an index is.
 */
#ifndef GLPERF_SELECT_H
#define GLPERF_SELECT_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "bitset.h"

/*
 * nstatements statements and ncandidates candidates; sets are bit sets over
 * candidates.  ratio() gives a statement's cost under a configuration relative
 * to its cost under none, > 0; it may be expensive, and must be a function of
 * the configuration's intersection with relevant[statement].
 */
typedef struct GlperfSelectProblem
{
	int			nstatements;
	int			ncandidates;
	const double *weight;		/* [statement] time per day now, ms */
	uint64	  **relevant;		/* [statement] candidates that can matter */
	const double *size;			/* [candidate] bytes */
	const double *write_cost;	/* [candidate] ms per day */
	uint64	  **covers;			/* [a] candidates that a serves as well as
								 * they would; may be NULL */
	uint64	  **moves;			/* [move] sets worth adding at once */
	int			nmoves;

	double		budget;			/* bytes; < 0 for none */
	int			max_candidates; /* < 0 for no limit */
	double		min_gain;		/* ms per day that a candidate must save */
	double		trust;			/* a cost ratio above this counts as no gain */
	double		max_regression; /* no statement's ratio may exceed 1 + this */
	const double *limit;		/* [statement] or this instead; may be NULL */

	double		(*ratio) (void *arg, int statement, const uint64 *config);

	/*
	 * An estimate of the same without the expense; what ratio() has said
	 * where it has said something.  May be NULL.  The search goes by bound(),
	 * makes sure of what it ends with by ratio(), and searches on from there
	 * when that told something new.
	 */
	double		(*bound) (void *arg, int statement, const uint64 *config);
	bool		(*stop) (void *arg);	/* true: return the best so far */

	/*
	 * True when ratio() has been at work enough: then the set at hand, once
	 * it is sure, is not searched on from.  May be NULL.
	 */
	bool		(*enough) (void *arg);
	void	   *arg;
} GlperfSelectProblem;

typedef struct GlperfSelection
{
	uint64	   *chosen;
	double		gain;			/* ms per day, write cost taken off */
	double		bound;			/* no set can gain more than this */
	bool		complete;		/* false when stop() ended the search */
} GlperfSelection;

/*
 * glperf_select -- the best set found under all constraints
 *
 * Deterministic: ties go to the lower number.  chosen is palloc'd.
 */
extern GlperfSelection glperf_select(const GlperfSelectProblem *problem);

/* Gain of a set in ms per day; the objective that glperf_select() maximises. */
extern double glperf_select_gain(const GlperfSelectProblem *problem,
								 const uint64 *config);

#endif							/* GLPERF_SELECT_H */

/*
 * select_state.h
 *		A set of candidates under construction, and what changes to it gain.
 *
 * Plain C, like select.c, for which alone this is.  A statement sees a set
 * through its own few candidates only; what it costs under each such part is
 * remembered, so the search may come back to a set as often as it likes.
 */
#ifndef GLPERF_SELECT_STATE_H
#define GLPERF_SELECT_STATE_H

#include "select.h"

/* Smallest change in gain that is one, relative to the workload. */
#define GLPERF_SELECT_EPSILON	1e-6

/* What a forbidden set gains. */
#define GLPERF_FORBIDDEN		(-1e300)

/*
 * A statement that a candidate or a move matters to, and what adding that
 * saves it under its last two parts of a set: mostly that of the set which is
 * being improved, and one that is being tried.
 */
typedef struct GlperfTouch
{
	int			statement;
	int			mask;			/* where its part starts in masks[] */
	uint64		seen[2];		/* mark of the part */
	double		saving[2];		/* ms per day, or GLPERF_FORBIDDEN */
} GlperfTouch;

/* Candidates to be added at once. */
typedef struct GlperfMove
{
	int		   *members;
	int			nmembers;
	GlperfTouch *touches;
	int			ntouches;

	/* where a change for its sake was tried in vain: glperf_select_news() */
	uint64		tried;
	double		tried_bytes;
	int			tried_count;
} GlperfMove;

/* A touch that it is not known of what it saves, and the most it can. */
typedef struct GlperfUnknown
{
	int			touch;
	double		most;
} GlperfUnknown;

/* A remembered ratio. */
typedef struct GlperfMemo
{
	int			statement;		/* -1: free */
	int			epoch;
	int			key;			/* where its set starts in keys[] */
	bool		exact;			/* not only an estimate */
	uint64		word;			/* the first of its set */
	double		ratio;
} GlperfMemo;

typedef struct GlperfSelectState
{
	const GlperfSelectProblem *p;
	int			words;			/* of a set of candidates */
	double		total_weight;
	double		min_gain;		/* what each member has to save */
	bool		stopped;

	/* the set, and what is known of it */
	uint64	   *config;
	double		bytes;
	double		upkeep;
	int			count;
	double		saved;			/* ms per day, upkeep not taken off */
	int			slowed;			/* statements that regress too much */
	uint64	   *banned;			/* not to be added for now */

	/* statements */
	int		   *first;			/* [statement] start of its part in local[] */
	int		   *nwords;			/* [statement] words of its part */
	uint64	   *local;			/* the set as each statement sees it */
	int		  **candidates;		/* [statement] by bit of its part */
	double	   *ratio;			/* [statement] under the set */
	double	   *lowest;			/* [statement] ever made sure of */
	double	   *least;			/* [statement] ever estimated */
	int		   *epoch;			/* [statement] grows with what is known */
	uint64	   *mark;			/* [statement] hash of its part and epoch */

	/* a set that contains this one, if had_more; see glperf_select_less() */
	bool		had_more;
	uint64	   *more_mark;		/* [statement] mark under it */
	double	   *more_ratio;		/* [statement] ratio under it */

	/* candidates and moves */
	GlperfMove *single;			/* [candidate] */
	GlperfMove *moves;
	uint64	   *masks;
	int			nmasks;
	int			masks_allocated;

	/* memory of ratios */
	GlperfMemo *memo;
	int			memo_size;		/* a power of 2 */
	int			memo_used;
	uint64	   *keys;
	int			nkeys;
	int			keys_allocated;
	uint64	   *key;			/* scratch: one statement's part */
	uint64	   *scratch;		/* scratch: a set of candidates */
	GlperfUnknown *unknown;		/* scratch: touches of one move */
} GlperfSelectState;

/* The empty set; never freed but with its memory context. */
extern GlperfSelectState *glperf_select_state(const GlperfSelectProblem *p);

/* Time to end?  Once true, always true. */
extern bool glperf_select_stopped(GlperfSelectState *st);

/* A ratio as it counts: small gains are not believed. */
extern double glperf_select_trusted(const GlperfSelectProblem *p,
									double ratio);

/*
 * Gain of the set, less what each member has to save; GLPERF_FORBIDDEN when a
 * statement regresses too much.
 */
extern double glperf_select_score(const GlperfSelectState *st);

/* Within storage and count budgets, with this much added? */
extern bool glperf_select_fits(const GlperfSelectState *st, double bytes,
							   int count);

/* Bytes and number of a move's members that the set lacks. */
extern double glperf_select_added(const GlperfSelectState *st,
								  const GlperfMove *move, int *count);

/* Is c redundant beside a member of the set, or a member beside c? */
extern bool glperf_select_conflicts(const GlperfSelectState *st, int c,
									int other);

/*
 * Gain of adding a move, upkeep taken off; GLPERF_FORBIDDEN when a statement
 * would regress too much.  When it is less than least, anything less than that.
 */
extern double glperf_select_add_gain(GlperfSelectState *st, GlperfMove *move,
									 double least);

/*
 * No less than glperf_select_add_gain(), as far as estimates go that were made
 * before; cheap.  It tells which moves need no closer look.
 */
extern double glperf_select_most_gain(const GlperfSelectState *st,
									  const GlperfMove *move);

/*
 * Has anything changed for a move since this was last asked of it: what is
 * known of its statements under the set, or the room that is left?
 */
extern bool glperf_select_news(GlperfSelectState *st, GlperfMove *move);

/*
 * Note that from now on the set is part of what it is now, which bounds what
 * can be gained by adding to it; false: no longer.
 */
extern void glperf_select_less(GlperfSelectState *st, bool less);

/* Change in gain by dropping member c; GLPERF_FORBIDDEN likewise. */
extern double glperf_select_drop_gain(GlperfSelectState *st, int c);

/* Change the set. */
extern void glperf_select_add(GlperfSelectState *st, int c);
extern void glperf_select_drop(GlperfSelectState *st, int c);
extern void glperf_select_become(GlperfSelectState *st, const uint64 *config);

/*
 * Make sure of what a statement costs under the set, or every one.  False when
 * there was no time to.
 */
extern bool glperf_select_make_sure(GlperfSelectState *st, int s);
extern bool glperf_select_verify(GlperfSelectState *st);

/* Does a statement cost more under the set than it may? */
extern bool glperf_select_is_slowed(const GlperfSelectState *st, int s);

#endif							/* GLPERF_SELECT_STATE_H */

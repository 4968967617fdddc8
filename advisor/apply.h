/*
 * apply.h
 *		Running the recommended DDL, and cleaning up after what fails.
 */
#ifndef APPLY_H
#define APPLY_H

#include "advice.h"
#include "options.h"

/*
 * apply_leftovers -- drop the invalid indexes of earlier, interrupted runs
 *
 * Runs before the analysis, so that the advice is about what will be there.
 */
extern void apply_leftovers(const AdvisorOptions *opts, Advice *advice);

/*
 * apply_run -- run the recommendations, one statement at a time
 *
 * Sets outcome, steps_done, apply_ms, message and left_invalid of each.
 * Returns normally whatever happens; advice->interrupted says if it was cut
 * short.
 */
extern void apply_run(const AdvisorOptions *opts, Advice *advice);

/* apply_status -- exit status for what was found and done */
extern ExitStatus apply_status(const AdvisorOptions *opts,
							   const Advice *advice);

/* apply_leaves -- a drop that cannot be done CONCURRENTLY, of a partitioned index */
extern bool apply_leaves(const Recommendation *rec);

#endif							/* APPLY_H */

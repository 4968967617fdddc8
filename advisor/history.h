/*
 * history.h
 *		What earlier runs mean to this one: what is news, what is left out.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "advice.h"
#include "options.h"

/*
 * history_settle -- take out what was dismissed or tried in vain
 *
 * It moves to advice->suppressed; with --all it stays, and is not applied.
 */
extern void history_settle(const AdvisorOptions *opts, Advice *advice);

/* history_shown -- should the report show it?  --quiet shows news only. */
extern bool history_shown(const AdvisorOptions *opts,
						  const Recommendation *rec);

/* history_verdict_shown -- the same for a verdict */
extern bool history_verdict_shown(const AdvisorOptions *opts,
								  const Verdict *verdict);

/* history_is_news -- is there anything that the run before did not say? */
extern bool history_is_news(const Advice *advice);

/* history_verify_status -- exit status for the verdicts that are shown */
extern ExitStatus history_verify_status(const AdvisorOptions *opts,
										const Advice *advice);

#endif							/* HISTORY_H */

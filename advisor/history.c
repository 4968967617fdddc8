/*
 * history.c
 *		What earlier runs mean to this one: what is news, what is left out.
 *
 * The facts come from glperf.recommendation; see db_history.c.
 */
#include "postgres_fe.h"

#include "history.h"

/* See history.h. */
void
history_settle(const AdvisorOptions *opts, Advice *advice)
{
	int			kept = 0;

	if (opts->all)
		return;
	advice->suppressed = pg_malloc0(sizeof(Recommendation) *
									(advice->nrecommendations + 1));
	for (int i = 0; i < advice->nrecommendations; i++)
	{
		Recommendation rec = advice->recommendations[i];

		if (rec.match.is_suppressed)
			advice->suppressed[advice->nsuppressed++] = rec;
		else
			advice->recommendations[kept++] = rec;
	}
	advice->nrecommendations = kept;
}

/* See history.h. */
bool
history_shown(const AdvisorOptions *opts, const Recommendation *rec)
{
	return !opts->quiet || rec->match.is_new ||
		rec->outcome != APPLY_NOT_TRIED;
}

/* See history.h. */
bool
history_verdict_shown(const AdvisorOptions *opts, const Verdict *verdict)
{
	return !opts->quiet || strcmp(verdict->old_state, verdict->state) != 0;
}

/* See history.h. */
bool
history_is_news(const Advice *advice)
{
	if (advice->ngone > 0 || advice->nleftovers > 0 || advice->interrupted)
		return true;
	for (int i = 0; i < advice->nrecommendations; i++)
		if (advice->recommendations[i].match.is_new ||
			advice->recommendations[i].outcome != APPLY_NOT_TRIED)
			return true;
	for (int i = 0; i < advice->nverdicts; i++)
		if (strcmp(advice->verdicts[i].old_state,
				   advice->verdicts[i].state) != 0)
			return true;
	return false;
}

/* See history.h. */
ExitStatus
history_verify_status(const AdvisorOptions *opts, const Advice *advice)
{
	for (int i = 0; i < advice->nverdicts; i++)
		if (advice->verdicts[i].undo_ddl != NULL &&
			history_verdict_shown(opts, &advice->verdicts[i]))
			return GLPERF_EXIT_ADVICE;
	return GLPERF_EXIT_NOTHING;
}

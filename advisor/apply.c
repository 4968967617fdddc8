/*
 * apply.c
 *		Running the recommended DDL, and cleaning up after what fails.
 *
 * CREATE INDEX CONCURRENTLY fails quietly: whatever stops it (a timeout, a
 * cancel, a deadlock, a full disk, a crash) leaves an invalid index behind
 * that every write maintains, that no query uses, and over which IF NOT
 * EXISTS reports success.  So, for each statement:
 *
 * - look first: what is there under that name, and is it ours?  "Ours" means
 *	 that glperf.apply_log has an entry about it, written before the statement
 *	 ran; a similar name proves nothing.  What isn't ours is never touched.
 * - run it alone, outside a transaction block, under a lock_timeout that is
 *	 long, as waiting is what CONCURRENTLY is about.
 * - look again: only a valid index counts as done.
 * - after a failure, drop our own invalid index at once.  If even that fails
 *	 (the transaction that blocked the build blocks the drop, too), say so; the
 *	 next run finds it through glperf.apply_leftovers.
 *
 * One failure doesn't end the run unless the next statement would fail as
 * well.  Drops come last, and only after everything else succeeded, as what
 * makes an index superfluous may be among the things that failed.
 */
#include "postgres_fe.h"

#include <time.h>

#include "common/logging.h"
#include "fe_utils/cancel.h"

#include "apply.h"
#include "db.h"
#include "history.h"
#include "text.h"

/* Longest wait for a lock when cleaning up after a signal or a timeout. */
#define CLEANUP_LOCK_TIMEOUT_MS		3000

typedef enum StepResult
{
	STEP_DONE,
	STEP_HELD,					/* a drop that takes --allow-drop */
	STEP_FAILED,
	STEP_SKIPPED
} StepResult;

/* Why nothing more is begun; NULL while all is well. */
static char *stop_reason = NULL;


/* Milliseconds of a clock that only moves forward. */
static double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000.0 + ts.tv_nsec / 1000000.0;
}

/*
 * Decide whether to go on after a failure.  A lock that we could not get or a
 * table that isn't ours says nothing about the next statement; a full disk, a
 * read-only server, or somebody who wants us to stop does.
 */
static void
note_failure(const DbError *error)
{
	if (CancelRequested)
		stop_reason = "interrupted";
	else if (error->connection_lost)
		stop_reason = "the connection was lost";
	else if (strcmp(error->sqlstate, "57014") == 0)
		stop_reason = "another session cancelled the run";
	else if (strncmp(error->sqlstate, "53", 2) == 0)
		stop_reason = "the server is short of resources";
	else if (strcmp(error->sqlstate, "25006") == 0)
		stop_reason = "the server is read-only";
}

/* Log in a way that says which recommendation is meant. */
static void
log_failure(const Recommendation *rec)
{
	char	   *name = text_clean(rec->index_name ? rec->index_name :
								  rec->table_name);
	char	   *message = text_clean(rec->message);

	pg_log_warning("%s of \"%s\" failed: %s", rec->action, name, message);
	if (rec->left_invalid)
		pg_log_warning_detail("An invalid index is left; the next run with --apply drops it.");
	free(name);
	free(message);
}

/*
 * After a failed CREATE INDEX: drop the invalid index, if there is one and it
 * is ours.  Returns false if it may still be there.
 */
static bool
drop_invalid(const AdvisorOptions *opts, const char *step)
{
	bool		gone = false;

	/* the signal was for the build; a second one is for the clean-up */
	CancelRequested = false;
	db_set_lock_timeout(opts->lock_timeout_ms == 0 ? CLEANUP_LOCK_TIMEOUT_MS :
						Min(opts->lock_timeout_ms, CLEANUP_LOCK_TIMEOUT_MS));

	/* a cancel that arrives late hits the first of these: try again */
	for (int attempt = 0; attempt < 2 && !gone; attempt++)
	{
		StepState	state;
		DbError		error = {0};

		if (db_step_state(step, &state, &error))
		{
			if (!state.is_own || state.state == NULL ||
				strcmp(state.state, "invalid") != 0)
				gone = true;
			else if (db_run_step(state.drop_ddl, NULL, &error))
			{
				pg_log_info("dropped the invalid index \"%s\"",
							text_clean(state.index_name));
				gone = true;
			}
		}
		if (!gone && (CancelRequested || error.connection_lost ||
					  strcmp(error.sqlstate, "57014") != 0))
			break;
	}
	db_set_lock_timeout(opts->lock_timeout_ms);
	return gone;
}

/* Run a step that may run, check that it worked, clean up if it did not. */
static StepResult
run_and_verify(const AdvisorOptions *opts, Recommendation *rec,
			   const char *step, const StepState *before)
{
	StepState	after;
	DbError		error = {0};

	if (!db_run_step(step, rec->undo_ddl, &error) ||
		!db_step_state(step, &after, &error))
	{
		rec->message = error.message;
		rec->lock_timeout = (strcmp(error.sqlstate, "55P03") == 0);
		note_failure(&error);
	}
	else if (after.is_done || after.state == NULL)
		return STEP_DONE;
	else
		rec->message = psprintf("the statement succeeded, but the index is %s",
								after.state);

	if (strcmp(before->command, "create index") == 0)
		rec->left_invalid = error.connection_lost || !drop_invalid(opts, step);
	return STEP_FAILED;
}

/*
 * May this CREATE INDEX run?  STEP_DONE means yes, and that nothing is in its
 * way any more.
 */
static StepResult
clear_the_way(const AdvisorOptions *opts, Recommendation *rec,
			  const char *step, const StepState *state)
{
	if (strcmp(state->state, "absent") == 0)
		return STEP_DONE;
	if (strcmp(state->state, "building") == 0)
	{
		rec->message = "another session is building an index of this name";
		return STEP_SKIPPED;
	}
	if (strcmp(state->state, "invalid") == 0 && state->is_own)
	{
		if (drop_invalid(opts, step))
			return STEP_DONE;
		rec->left_invalid = true;
		rec->lock_timeout = true;	/* what else could hinder a drop */
		rec->message = "the invalid index of an earlier run could not be dropped";
		return STEP_FAILED;
	}
	if (strcmp(state->state, "invalid") == 0)
		rec->message = psprintf("an invalid index of this name exists that glperf-advisor did not create; if nobody needs it: %s",
								state->drop_ddl);
	else
		rec->message = "another relation of this name exists";
	return STEP_SKIPPED;
}

/*
 * Would the step fail, wait or do harm just now?  Says STEP_SKIPPED if so, and
 * keeps what is only worth a warning.
 */
static StepResult
preflight(const AdvisorOptions *opts, Recommendation *rec, const char *step)
{
	Preflight  *rows;
	int			nrows;
	DbError		error = {0};

	if (!db_preflight(opts, step, rec->size_bytes, &rows, &nrows, &error))
	{
		rec->message = error.message;
		note_failure(&error);
		return STEP_FAILED;
	}
	for (int i = 0; i < nrows; i++)
	{
		if (strcmp(rows[i].status, "refuse") == 0)
		{
			rec->message = psprintf("not begun: %s", rows[i].message);
			return STEP_SKIPPED;
		}
		pg_log_warning("%s", text_clean(rows[i].message));
		rec->warning = rec->warning == NULL ? rows[i].message :
			psprintf("%s; %s", rec->warning, rows[i].message);
	}
	return STEP_DONE;
}

/* One step of a recommendation, from looking to cleaning up. */
static StepResult
do_step(const AdvisorOptions *opts, Recommendation *rec, const char *step)
{
	StepState	state;
	DbError		error = {0};

	if (!db_step_state(step, &state, &error))
	{
		rec->message = error.message;
		note_failure(&error);
		return STEP_FAILED;
	}
	if (state.is_done)
		return STEP_DONE;		/* an earlier run got this far */
	if (strcmp(state.command, "drop index") == 0 && !opts->allow_drop &&
		rec->steps_done > 0 && (strcmp(rec->action, "replace") == 0 ||
								strcmp(rec->action, "merge") == 0))
	{
		rec->message = "the new index is there; what it takes the place of is dropped with --allow-drop";
		return STEP_HELD;
	}
	if (strcmp(state.command, "other") == 0 ||
		(strcmp(state.command, "drop index") == 0 && !opts->allow_drop))
	{
		rec->message = psprintf("not a statement that --apply runs: %s", step);
		return STEP_SKIPPED;
	}
	if (strcmp(state.command, "create index") == 0)
	{
		StepResult	result = clear_the_way(opts, rec, step, &state);

		if (result != STEP_DONE)
			return result;
	}
	else if (strcmp(rec->action, "reindex") == 0 && state.state != NULL &&
			 strcmp(state.state, "invalid") == 0 && state.is_own)
	{
		/*
		 * Ours are dropped before the analysis.  What kept this one from
		 * being dropped keeps it from being rebuilt, which would leave more.
		 */
		rec->left_invalid = true;
		rec->lock_timeout = true;
		rec->message = "the invalid index of an earlier run could not be dropped";
		return STEP_FAILED;
	}
	if (state.index_name != NULL)
	{
		StepResult	result = preflight(opts, rec, step);

		if (result != STEP_DONE)
			return result;
	}
	return run_and_verify(opts, rec, step, &state);
}

/* Did an earlier recommendation wait in vain for this one's table? */
static bool
table_is_blocked(const Advice *advice, const Recommendation *rec)
{
	for (int i = 0; i < advice->nrecommendations; i++)
	{
		const Recommendation *other = &advice->recommendations[i];

		if (other->lock_timeout &&
			strcmp(other->schema_name, rec->schema_name) == 0 &&
			strcmp(other->table_name, rec->table_name) == 0)
			return true;
	}
	return false;
}

/* Everything about one recommendation. */
static void
apply_one(const AdvisorOptions *opts, Advice *advice, Recommendation *rec)
{
	StepResult	result = STEP_DONE;
	double		start = now_ms();

	if (rec->match.is_suppressed)
		return;					/* shown by --all, and no more than that */
	if (CancelRequested && stop_reason == NULL)
		stop_reason = "interrupted";
	if (stop_reason != NULL)
	{
		rec->outcome = APPLY_SKIPPED;
		rec->message = psprintf("not begun: %s", stop_reason);
		return;
	}
	if (table_is_blocked(advice, rec))
	{
		rec->outcome = APPLY_SKIPPED;
		rec->message = "not begun: an open transaction blocks this table";
		return;
	}

	pg_log_info("%d of %d: %s %s (%d %s)", (int) rec->rank,
				advice->nrecommendations, text_clean(rec->action),
				text_clean(rec->index_name ? rec->index_name :
						   rec->table_name),
				rec->steps.n, rec->steps.n == 1 ? "step" : "steps");
	while (rec->steps_done < rec->steps.n)
	{
		result = do_step(opts, rec, rec->steps.items[rec->steps_done]);
		if (result != STEP_DONE)
			break;
		rec->steps_done++;
	}
	rec->apply_ms = now_ms() - start;
	rec->outcome = result == STEP_DONE || result == STEP_HELD ? APPLY_DONE :
		result == STEP_FAILED ? APPLY_FAILED : APPLY_SKIPPED;
	if (rec->outcome != APPLY_DONE)
		log_failure(rec);
}

/* Drop what earlier runs left behind, before the analysis. */
void
apply_leftovers(const AdvisorOptions *opts, Advice *advice)
{
	DbError		error = {0};

	if (!db_leftovers(advice, &error))
	{
		pg_log_error("could not look for leftovers: %s", text_clean(error.message));
		exit(GLPERF_EXIT_FAILURE);
	}
	for (int i = 0; i < advice->nleftovers; i++)
	{
		Leftover   *leftover = &advice->leftovers[i];

		if (CancelRequested)
		{
			pg_log_error("cancelled");
			exit(GLPERF_EXIT_FAILURE);
		}
		if (db_run_step(leftover->drop_ddl, NULL, &error))
		{
			leftover->outcome = APPLY_DONE;
			pg_log_info("dropped the invalid index \"%s\" of an earlier run",
						text_clean(leftover->index_name));
			continue;
		}
		leftover->outcome = APPLY_FAILED;
		leftover->message = error.message;
		pg_log_warning("could not drop the invalid index \"%s\" of an earlier run: %s",
					   text_clean(leftover->index_name),
					   text_clean(error.message));
		if (error.connection_lost)
			exit(GLPERF_EXIT_FAILURE);
	}
}

/* Is this one of the recommendations that wait for everything else? */
static bool
is_drop(const Recommendation *rec)
{
	return strcmp(rec->action, "drop") == 0;
}

/* See apply.h. */
bool
apply_leaves(const Recommendation *rec)
{
	static const char words[] = "DROP INDEX CONCURRENTLY ";

	return is_drop(rec) && rec->steps.n > 0 &&
		strncmp(rec->steps.items[0], words, strlen(words)) != 0;
}

/* Run the recommendations: everything else first, then the drops. */
void
apply_run(const AdvisorOptions *opts, Advice *advice)
{
	bool		all_done = true;

	db_applying = true;
	for (int i = 0; i < advice->nrecommendations; i++)
	{
		Recommendation *rec = &advice->recommendations[i];

		if (is_drop(rec))
			continue;
		apply_one(opts, advice, rec);
		all_done = all_done && (rec->outcome == APPLY_DONE ||
								rec->match.is_suppressed);
	}
	for (int i = 0; opts->allow_drop && i < advice->nrecommendations; i++)
	{
		Recommendation *rec = &advice->recommendations[i];

		if (!is_drop(rec))
			continue;
		if (apply_leaves(rec))
			rec->message = "left to you: it locks the table and all partitions against everybody, and whoever comes while it waits waits, too; run it with a short lock_timeout";
		else if (all_done)
			apply_one(opts, advice, rec);
		else
		{
			rec->outcome = APPLY_SKIPPED;
			rec->message = "not begun: drops wait until everything else succeeded";
		}
	}
	advice->interrupted = (stop_reason != NULL);
}

/* What the run means to the caller's shell. */
ExitStatus
apply_status(const AdvisorOptions *opts, const Advice *advice)
{
	bool		news = history_verify_status(opts, advice) != GLPERF_EXIT_NOTHING;
	bool		partial = advice->interrupted || advice->sources_missing ||
	!advice->summary.complete;

	for (int i = 0; i < advice->nrecommendations; i++)
	{
		ApplyOutcome outcome = advice->recommendations[i].outcome;

		news = news || (outcome == APPLY_NOT_TRIED &&
						history_shown(opts, &advice->recommendations[i]) &&
						!advice->recommendations[i].match.is_suppressed) ||
			(outcome == APPLY_DONE && advice->recommendations[i].steps_done <
			 advice->recommendations[i].steps.n);
		partial = partial || outcome == APPLY_FAILED ||
			outcome == APPLY_SKIPPED;
	}
	for (int i = 0; i < advice->nleftovers; i++)
	{
		news = news || advice->leftovers[i].outcome == APPLY_NOT_TRIED;
		partial = partial || advice->leftovers[i].outcome == APPLY_FAILED;
	}
	return partial ? GLPERF_EXIT_PARTIAL :
		news ? GLPERF_EXIT_ADVICE : GLPERF_EXIT_NOTHING;
}

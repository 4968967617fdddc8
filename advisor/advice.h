/*
 * advice.h
 *		What the advisor knows about one run: the extension's answer, the
 *		server it came from, and what --apply did with it.
 *
 * db.c fills it, apply.c adds outcomes, report_*.c print it.  The structs of
 * the extension's answer are made from include/glperf_recommendation.h, so a
 * column cannot be in one place and not in the other.
 *
 * NULL is NaN in a double, GLPERF_NULL_INT in an int64, a NULL pointer in a
 * string and an empty list in a TextList.  Everything lives until the process
 * ends; nothing is freed.
 */
#ifndef ADVICE_H
#define ADVICE_H

#define GLPERF_NULL_INT		PG_INT64_MIN

/* GLPERF_EXIT_NOTHING ... GLPERF_EXIT_RUNNING */
typedef enum ExitStatus
{
#define GLPERF_EXIT_STATUS(name, status, meaning) GLPERF_EXIT_##name = status,
#include "glperf_exit.h"
#undef GLPERF_EXIT_STATUS
} ExitStatus;

typedef struct TextList
{
	int			n;
	char	  **items;
} TextList;

/* C types of the column kinds in glperf_recommendation.h */
typedef int64 ColumnINT;
typedef double ColumnREAL;
typedef bool ColumnBOOL;
typedef char *ColumnTEXT;
typedef TextList ColumnTEXTS;

/* What --apply did with one recommendation. */
typedef enum ApplyOutcome
{
	APPLY_NOT_TRIED,			/* no --apply, or a drop without --allow-drop */
	APPLY_DONE,					/* every step ran, its index is valid */
	APPLY_FAILED,				/* a step failed */
	APPLY_SKIPPED				/* never begun, for the reason in the message */
} ApplyOutcome;

/* What glperf.recommendation knows of a recommendation. */
typedef struct Match
{
#define GLPERF_MATCH_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} Match;

/* How a recommended index changes one scan of one statement. */
typedef struct PlanChange
{
	int64		rank;			/* of the recommendation */
#define GLPERF_PLAN_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} PlanChange;

/* A candidate that could have been in a recommendation's place. */
typedef struct Rival
{
	int64		rank;			/* of the recommendation */
#define GLPERF_RIVAL_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} Rival;

/* Something that the analysis did not look at. */
typedef struct NotExamined
{
#define GLPERF_NOT_EXAMINED_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} NotExamined;

typedef struct Recommendation
{
#define GLPERF_RECOMMENDATION_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"

	int			nplans;
	PlanChange *plans;
	int			nrivals;
	Rival	   *rivals;
	Match		match;
	char	   *warning;		/* of the preflight; NULL: none */
	ApplyOutcome outcome;
	int			steps_done;		/* of steps.n */
	double		apply_ms;		/* time of those steps */
	char	   *message;		/* why not, when not APPLY_DONE */
	bool		lock_timeout;	/* a step waited too long for a lock */
	bool		left_invalid;	/* an invalid index of ours is still there */
} Recommendation;

typedef struct Statement
{
#define GLPERF_STATEMENT_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"

	/* --explain; all NULL when not asked for or not to be had */
	char	   *plan_before;
	char	   *plan_after;
	char	   *plan_error;
} Statement;

typedef struct Summary
{
#define GLPERF_SUMMARY_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} Summary;

typedef struct IndexNote
{
#define GLPERF_INDEX_NOTE_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} IndexNote;

/* What the last run proposed and this one does not. */
typedef struct Gone
{
#define GLPERF_GONE_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} Gone;

/* What became of a recommendation that was applied. */
typedef struct Verdict
{
#define GLPERF_VERDICT_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} Verdict;

/* One thing that was looked at before a step. */
typedef struct Preflight
{
#define GLPERF_PREFLIGHT_COLUMN(name, kind) Column##kind name;
#include "glperf_recommendation.h"
} Preflight;

/* An invalid index that an interrupted --apply left behind. */
typedef struct Leftover
{
	char	   *schema_name;
	char	   *table_name;
	char	   *index_name;
	char	   *drop_ddl;
	ApplyOutcome outcome;
	char	   *message;
} Leftover;

/* Where the advice comes from. */
typedef struct ServerFacts
{
	char	   *database;
	char	   *user;
	char	   *host;			/* name or socket directory */
	char	   *port;
	char	   *client_encoding;	/* of the connection, and so of all texts */
	char	   *server_version;
	char	   *extension_version;
	char	   *api_version;
	char	   *now;			/* server's clock, RFC 3339, UTC */
	bool		in_recovery;
	char	   *stats_since;	/* RFC 3339, UTC; NULL when unknown */
	double		window_s;		/* age of the statistics; NaN when unknown */
} ServerFacts;

typedef struct Advice
{
	ServerFacts server;
	Summary		summary;
	int			nrecommendations;
	Recommendation *recommendations;
	int			nstatements;
	Statement  *statements;
	int			nnotexamined;
	NotExamined *notexamined;
	int			nnotes;
	IndexNote  *notes;
	int			nleftovers;
	Leftover   *leftovers;

	/* glperf.recommendation */
	const char *source;			/* which workload: statistics, file, log */
	char	   *source_text;	/* the same for people */
	char	   *workload;		/* as JSON; NULL: what is recorded */
	bool		sources_missing;	/* a standby could not be read */
	bool		recorded;		/* this run is in it */
	char	   *snapshot;		/* id of what was noted; NULL: nothing */
	char	   *record_message; /* why not recorded */
	int			nsuppressed;
	Recommendation *suppressed; /* left out, unless --all */
	int			ngone;
	Gone	   *gone;
	int			nverdicts;
	Verdict    *verdicts;

	/* --apply */
	bool		applied;		/* --apply was given */
	bool		allow_drop;		/* --allow-drop was given */
	bool		interrupted;	/* by a signal or a lost connection */
	ExitStatus	status;
} Advice;

#endif							/* ADVICE_H */

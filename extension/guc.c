/*
 * guc.c
 *		Settings named glperf.*, their defaults, and who may change them.
 *
 * Settings that size shared memory exist only when the library is preloaded,
 * because PostgreSQL refuses to define them later.
 */
#include "glperf.h"

#include <limits.h>

#include "utils/guc.h"

#include "guc.h"
#include "samples.h"

int			glperf_max_statements = 5000;
int			glperf_track = GLPERF_TRACK_TOP;
bool		glperf_track_utility = true;
int			glperf_wait_interval_ms = 100;
char	   *glperf_history_database = NULL;
int			glperf_history_interval_s = 300;
bool		glperf_sample_parameters = true;
char	   *glperf_host_root = "";
int			glperf_size_sample_pages = 2400;
int			glperf_cost_model = GLPERF_COST_TIME;
int			glperf_size_model = GLPERF_SIZE_BUILT;

static const struct config_enum_entry cost_model_options[] = {
	{"time", GLPERF_COST_TIME, false},
	{"planner", GLPERF_COST_PLANNER, false},
	{NULL, 0, false}
};

static const struct config_enum_entry size_model_options[] = {
	{"built", GLPERF_SIZE_BUILT, false},
	{"hypopg", GLPERF_SIZE_HYPOPG, false},
	{NULL, 0, false}
};

static const struct config_enum_entry track_options[] = {
	{"none", GLPERF_TRACK_NONE, false},
	{"top", GLPERF_TRACK_TOP, false},
	{"all", GLPERF_TRACK_ALL, false},
	{NULL, 0, false}
};

/* glperf.host_root: an absolute path, or empty. */
static bool
check_host_root(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0')
		return true;
	if (!is_absolute_path(*newval) || strlen(*newval) >= MAXPGPATH / 2)
	{
		GUC_check_errdetail("It must be an absolute path of less than %d bytes, or empty.",
							MAXPGPATH / 2);
		return false;
	}
	return true;
}

/* Define every setting; called once per process from _PG_init(). */
void
glperf_guc_init(bool preloaded)
{
	if (preloaded)
		DefineCustomIntVariable("glperf.max_statements",
								"Statements that the collector can tell apart.",
								"Each takes about 2 kB of shared memory.",
								&glperf_max_statements,
								5000, 100, 1000000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("glperf.track",
							 "Which statements have their latency counted.",
							 "top: those that clients send; all: those inside functions, too.",
							 &glperf_track,
							 GLPERF_TRACK_TOP, track_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("glperf.track_utility",
							 "Counts the latency of other commands than SELECT, INSERT, UPDATE, DELETE and MERGE.",
							 NULL,
							 &glperf_track_utility,
							 true,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	/*
	 * On by default, because adding the library to shared_preload_libraries
	 * is a decision already, the values are no easier to read than the
	 * statements of pg_stat_activity, and the index advisor is much better
	 * with them.
	 */
	DefineCustomBoolVariable("glperf.sample_parameters",
							 "Keeps a few of the constants that each statement runs with.",
							 "They feed the index advisor and need glperf in shared_preload_libraries.",
							 &glperf_sample_parameters,
							 true,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("glperf.wait_interval",
							"How often the collector looks what statements wait for; 0 turns it off.",
							NULL,
							&glperf_wait_interval_ms,
							100, 0, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomStringVariable("glperf.history_database",
							   "Database in which the collector calls glperf.snapshot() at intervals; empty turns it off.",
							   "The extension must exist there.",
							   &glperf_history_database,
							   "",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("glperf.history_interval",
							"How often the collector calls glperf.snapshot().",
							NULL,
							&glperf_history_interval_s,
							300, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomIntVariable("glperf.size_sample_pages",
							"Most blocks of a table that are read to find out how big an index on it would be.",
							"A quarter of that is usual; 0 makes do with the statistics.",
							&glperf_size_sample_pages,
							2400, 0, 100000,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("glperf.cost_model",
							 "What the index advisor minimises.",
							 "time: the processor time that plans are estimated to take; planner: their cost as the planner puts it.",
							 &glperf_cost_model,
							 GLPERF_COST_TIME, cost_model_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("glperf.size_model",
							 "How big the index advisor takes a B-tree to be.",
							 "built: as CREATE INDEX would make it; hypopg: as HypoPG says, two to four times as big, only for comparing the advice with that of tools whose budgets mean this.",
							 &glperf_size_model,
							 GLPERF_SIZE_BUILT, size_model_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	/*
	 * Not for everybody: it makes the server read files of another directory,
	 * if only as numbers.
	 */
	DefineCustomStringVariable("glperf.host_root",
							   "Directory in which the machine's /proc and /sys are mounted, as in a container; empty: in /.",
							   NULL,
							   &glperf_host_root,
							   "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_host_root, NULL, NULL);

	GLPERF_RESERVE_GUC_PREFIX("glperf");
}

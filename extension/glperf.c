/*
 * glperf.c
 *		Module entry point: magic block, hook registration, version functions.
 */
#include "glperf.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "glperf_version.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

PG_FUNCTION_INFO_V1(glperf_version);
PG_FUNCTION_INFO_V1(glperf_api_version);

/* Module load: register hooks, and nothing else. */
void
_PG_init(void)
{
	glperf_whatif_init();
	glperf_statistics_init();
	glperf_collector_init(process_shared_preload_libraries_in_progress);
}

/* The release version of the loaded library, as text. */
Datum
glperf_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(GLPERF_VERSION));
}

/* "major.minor" of the interface that the advisor relies on. */
Datum
glperf_api_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d.%d", GLPERF_API_MAJOR,
											  GLPERF_API_MINOR)));
}

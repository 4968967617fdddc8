/*
 * glperf_health.h
 *		Columns of glperf.health, as the advisor reads and prints them.
 *
 * X-macro list without an include guard on purpose; the macro is undefined at
 * the end.  Kinds are those of glperf_recommendation.h.
 *
 * GLPERF_HEALTH_COLUMN(name, kind)
 */
GLPERF_HEALTH_COLUMN(area, TEXT)
GLPERF_HEALTH_COLUMN(object, TEXT)
GLPERF_HEALTH_COLUMN(check_id, TEXT)
GLPERF_HEALTH_COLUMN(value, REAL)
GLPERF_HEALTH_COLUMN(unit, TEXT)
GLPERF_HEALTH_COLUMN(warning, REAL)
GLPERF_HEALTH_COLUMN(critical, REAL)
GLPERF_HEALTH_COLUMN(status, TEXT)
GLPERF_HEALTH_COLUMN(message, TEXT)
GLPERF_HEALTH_COLUMN(remedy, TEXT)
GLPERF_HEALTH_COLUMN(guide_section, TEXT)
#undef GLPERF_HEALTH_COLUMN

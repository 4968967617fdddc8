/*
 * glperf_exit.h
 *		Exit statuses of glperf-advisor; they are part of its interface.
 *
 * Cron jobs, systemd units and CI pipelines branch on these numbers, so they
 * never change their meaning.  X-macro list without an include guard on
 * purpose: options.c prints it in --help, advice.h makes the enum from it.
 *
 * GLPERF_EXIT_STATUS(name, status, meaning)
 *
 * The check command alone follows the convention of monitoring plugins:
 *
 * GLPERF_CHECK_STATUS(name, status, meaning)
 */
#ifdef GLPERF_EXIT_STATUS
GLPERF_EXIT_STATUS(NOTHING, 0, "nothing to do, or all of it was done")
GLPERF_EXIT_STATUS(FAILURE, 1, "failure: no advice")
GLPERF_EXIT_STATUS(ADVICE, 2, "there are recommendations")
GLPERF_EXIT_STATUS(PARTIAL, 3, "partial: something was skipped, and is named")
GLPERF_EXIT_STATUS(USAGE, 4, "usage error")
GLPERF_EXIT_STATUS(RUNNING, 5, "another --apply is running in this database")
#endif

#ifdef GLPERF_CHECK_STATUS
GLPERF_CHECK_STATUS(OK, 0, "ok")
GLPERF_CHECK_STATUS(WARNING, 1, "something is above its first limit")
GLPERF_CHECK_STATUS(CRITICAL, 2, "something is above its second limit")
GLPERF_CHECK_STATUS(UNKNOWN, 3, "something could not be measured, or the check failed")
#endif

/*
 * glperf_exit.h
 *		Exit statuses of glperf-advisor; they are part of its interface.
 *
 * Cron jobs, systemd units and CI pipelines branch on these numbers, so they
 * never change their meaning.  X-macro list without an include guard on
 * purpose: options.c prints it in --help, advice.h makes the enum from it.
 *
 * GLPERF_EXIT_STATUS(name, status, meaning)
 */
GLPERF_EXIT_STATUS(NOTHING, 0, "nothing to do, or all of it was done")
GLPERF_EXIT_STATUS(FAILURE, 1, "failure: no advice")
GLPERF_EXIT_STATUS(ADVICE, 2, "there are recommendations")
GLPERF_EXIT_STATUS(PARTIAL, 3, "partial: something was skipped, and is named")
GLPERF_EXIT_STATUS(USAGE, 4, "usage error")
GLPERF_EXIT_STATUS(RUNNING, 5, "another --apply is running in this database")

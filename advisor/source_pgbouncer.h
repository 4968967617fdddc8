/*
 * source_pgbouncer.h
 *		What a PgBouncer says about its pools.
 */
#ifndef SOURCE_PGBOUNCER_H
#define SOURCE_PGBOUNCER_H

#include "check.h"
#include "options.h"

/* Area of its findings */
#define PGBOUNCER_AREA	"pgbouncer"

/*
 * source_pgbouncer -- ask the admin console, and add findings
 *
 * One that cannot be asked is a finding of status unknown, not an error.
 * Needs the connection to the database, for the thresholds.
 */
extern void source_pgbouncer(const AdvisorOptions *opts, Check *check);

#endif							/* SOURCE_PGBOUNCER_H */

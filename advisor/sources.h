/*
 * sources.h
 *		Which statements the advice is for.
 */
#ifndef SOURCES_H
#define SOURCES_H

#include "advice.h"
#include "options.h"

/*
 * sources_read -- read the files, logs and standbys of the command line
 *
 * Sets source, source_text and workload of the advice.  A file that cannot be
 * read ends the program; a standby that cannot is reported, and the run counts
 * as partial.
 */
extern void sources_read(const AdvisorOptions *opts, Advice *advice);

#endif							/* SOURCES_H */

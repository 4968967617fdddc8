/*
 * relsize.h
 *		Sizes and ages of relations, read from their files.
 */
#ifndef GLPERF_RELSIZE_H
#define GLPERF_RELSIZE_H

#include "compat.h"

#include "catalog/pg_class.h"
#include "datatype/timestamp.h"

/*
 * glperf_relation_main_bytes -- size of the main fork, in bytes
 *
 * 0 for relations without storage.  Takes no lock; a file that vanishes
 * meanwhile counts as far as it was seen.
 */
extern int64 glperf_relation_main_bytes(Form_pg_class rel);

/*
 * glperf_relation_file_created -- when the relation's file came to be
 *
 * A lower bound for how long the relation has been what it is now: creating,
 * rewriting, reindexing and restoring it all make a new file.  Where the file
 * system does not record births, the last change of the inode is returned,
 * which is never earlier.  0 for relations without storage.
 */
extern TimestampTz glperf_relation_file_created(Form_pg_class rel);

/*
 * glperf_relation_main_file -- both of the above, for the price of one
 *
 * Returns glperf_relation_main_bytes(); *created becomes
 * glperf_relation_file_created().
 */
extern int64 glperf_relation_main_file(Form_pg_class rel,
									   TimestampTz *created);

#endif							/* GLPERF_RELSIZE_H */

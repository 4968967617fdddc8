/*
 * utility_id.h
 *		Query ids of utility statements, when other modules have cleared them.
 */
#ifndef GLPERF_UTILITY_ID_H
#define GLPERF_UTILITY_ID_H

/* Remember the id of a utility statement that was analysed. */
extern void glperf_utility_id_note(const char *text, int location,
								   uint64 queryid);

/* Id of the utility statement there in a text; 0 if it isn't known any more. */
extern uint64 glperf_utility_id(const char *text, int location);

#endif							/* GLPERF_UTILITY_ID_H */

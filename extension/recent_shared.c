/*
 * recent_shared.c
 *		Rows of the health page that sessions of one role share.
 *
 * A program that connects anew for each poll would pay for the whole page each
 * time.  Where glperf is preloaded, what one session has measured is there for
 * the next one: for the same role in the same database only, since what a role
 * may see is its own, and with the same way of writing dates, which messages
 * contain.  A role that loses the right to see others' statements does not
 * find what it was shown before.
 *
 * There is a fixed number of places of a fixed size.  Rows that do not fit stay
 * the session's own; the rows that expire first make way for new ones.  Two
 * sessions that find nothing at the same time both measure, and the later one
 * is kept.
 */
#include "compat.h"

#include "catalog/pg_authid.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/acl.h"

#include "collector.h"
#include "recent_shared.h"

#define PLACES 32				/* two roles that poll, each of the areas */
#define PLACE_BYTES 32768

/* Whose rows these are. */
typedef struct PlaceKey
{
	Oid			database;
	Oid			role;
	bool		reads_all;		/* of others' statements */
	uint32		dates;			/* hash of how it has dates written */
	char		view[NAMEDATALEN];
} PlaceKey;

/* The rows of one view, each as its length and itself, aligned. */
typedef struct Place
{
	PlaceKey	key;
	TimestampTz measured;		/* 0: the place is free */
	double		keep_ms;
	int			nrows;
	char		rows[PLACE_BYTES] pg_attribute_aligned(MAXIMUM_ALIGNOF);
} Place;

typedef struct RecentShared
{
	LWLock	   *lock;
	Place		places[PLACES];
} RecentShared;

static RecentShared *shared = NULL;

/* See recent_shared.h. */
Size
glperf_recent_shmem_size(void)
{
	return sizeof(RecentShared);
}

/*
 * Attach to shared memory, and initialise it in the postmaster.  It comes
 * zeroed, and what nobody polls for is never touched.
 */
void
glperf_recent_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf health page", glperf_recent_shmem_size(),
							 &found);
	if (found)
		return;
	for (int i = 0; i < PLACES; i++)
		shared->places[i].measured = 0;
	shared->lock = glperf_collector_lock(GLPERF_LOCK_RECENT);
}

/* See recent_shared.h. */
bool
glperf_rows_are_recent(TimestampTz measured, double keep_ms)
{
	TimestampTz now = GetCurrentTimestamp();

	/* a clock that was set back says nothing about ages */
	return now >= measured &&
		!TimestampDifferenceExceeds(measured, now, (int) keep_ms);
}

/* Under what the present role finds the rows of a view. */
static void
make_key(PlaceKey *key, const char *view)
{
	char		dates[256];

	memset(key, 0, sizeof(*key));	/* it is compared as bytes */
	key->database = MyDatabaseId;
	key->role = GetUserId();
	key->reads_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	snprintf(dates, sizeof(dates), "%d %d %d %s", DateStyle, DateOrder,
			 IntervalStyle, pg_get_timezone_name(session_timezone));
	key->dates = DatumGetUInt32(hash_any((unsigned char *) dates,
										 (int) strlen(dates)));
	strlcpy(key->view, view, NAMEDATALEN);
}

/* The place of that key, or NULL.  The lock is held. */
static Place *
find_place(const PlaceKey *key)
{
	for (int i = 0; i < PLACES; i++)
	{
		Place	   *place = &shared->places[i];

		if (place->measured != 0 &&
			memcmp(&place->key, key, sizeof(PlaceKey)) == 0)
			return place;
	}
	return NULL;
}

/* When the rows of a place expire. */
static double
expires_at(const Place *place)
{
	return place->measured / 1e3 + place->keep_ms;
}

/* The place to be overwritten with new rows.  The lock is held. */
static Place *
place_for(const PlaceKey *key)
{
	Place	   *place = find_place(key);

	if (place != NULL)
		return place;
	place = &shared->places[0];
	for (int i = 0; i < PLACES; i++)
	{
		if (shared->places[i].measured == 0)
			return &shared->places[i];
		if (expires_at(&shared->places[i]) < expires_at(place))
			place = &shared->places[i];
	}
	return place;
}

/* Copy rows out of a place's bytes. */
static void
unpack_rows(const char *from, GlperfKeptRows *kept)
{
	kept->rows = palloc(Max(kept->nrows, 1) * sizeof(HeapTuple));
	for (int i = 0; i < kept->nrows; i++)
	{
		HeapTupleData tuple = {0};

		memcpy(&tuple.t_len, from, sizeof(tuple.t_len));
		tuple.t_data = (HeapTupleHeader) (from + MAXALIGN(sizeof(tuple.t_len)));
		kept->rows[i] = heap_copytuple(&tuple);
		from += MAXALIGN(sizeof(tuple.t_len)) + MAXALIGN(tuple.t_len);
	}
}

/* See recent_shared.h. */
bool
glperf_recent_shared_get(const char *view, GlperfKeptRows *kept)
{
	PlaceKey	key;
	Place	   *place;
	char	   *bytes;

	if (shared == NULL)
		return false;
	make_key(&key, view);
	bytes = palloc(PLACE_BYTES);
	LWLockAcquire(shared->lock, LW_SHARED);
	place = find_place(&key);
	if (place != NULL)
	{
		kept->measured = place->measured;
		kept->keep_ms = place->keep_ms;
		kept->nrows = place->nrows;
		memcpy(bytes, place->rows, PLACE_BYTES);
	}
	LWLockRelease(shared->lock);
	if (place == NULL || !glperf_rows_are_recent(kept->measured, kept->keep_ms))
	{
		pfree(bytes);
		return false;
	}
	unpack_rows(bytes, kept);
	pfree(bytes);
	return true;
}

/* See recent_shared.h. */
void
glperf_recent_shared_put(const char *view, const GlperfKeptRows *kept)
{
	PlaceKey	key;
	Place	   *place;
	char	   *bytes;
	Size		used = 0;

	if (shared == NULL)
		return;
	make_key(&key, view);
	bytes = palloc0(PLACE_BYTES);
	for (int i = 0; i < kept->nrows; i++)
	{
		uint32		len = kept->rows[i]->t_len;
		Size		head = MAXALIGN(sizeof(len));

		if (used + head + MAXALIGN(len) > PLACE_BYTES)
		{
			pfree(bytes);
			return;
		}
		memcpy(bytes + used, &len, sizeof(len));
		memcpy(bytes + used + head, kept->rows[i]->t_data, len);
		used += head + MAXALIGN(len);
	}
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	place = place_for(&key);
	place->key = key;
	place->measured = kept->measured;
	place->keep_ms = kept->keep_ms;
	place->nrows = kept->nrows;
	memcpy(place->rows, bytes, used);
	LWLockRelease(shared->lock);
	pfree(bytes);
}

/*
 * collector_store.c
 *		The table of statements with their latency histograms.
 *
 * Finding a statement takes no lock: an index of keys, open to reading at all
 * times, leads to its place.  A new statement is added under an LWLock: its
 * place is filled first and its key published last.  A key is looked for in a
 * window of the index of fixed length, so that neither hits nor misses ever
 * depend on how many statements came and went.
 *
 * No backend makes room for others.  That is the collector's background
 * worker's task; when it is behind, or can't run, what finds no place is
 * counted with the rest of its database.
 */
#include "glperf.h"

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "collector.h"
#include "collector_store.h"
#include "guc.h"

/* Places of the index in which a key may be. */
#define WINDOW 32

/* A key that was removed; others may lie beyond it. */
#define REMOVED UINT64CONST(1)

/* Places that only the entries for the rest may take. */
#define RESERVED 16

/* A count that began before an eviction has arrived after this long. */
#define SETTLE_US (INT64CONST(2) * 1000000)

/* Index entry. */
typedef struct StoreIndex
{
	pg_atomic_uint64 key;
	uint32		place;			/* valid before key is */
} StoreIndex;

/* Head of the shared memory; places, free list and index follow it. */
typedef struct StoreShared
{
	LWLock	   *lock;
	uint32		nplaces;
	uint32		nindex;			/* a power of two */
	pg_atomic_uint32 nfree;
	uint32		ndying;
	uint64		evicted;
} StoreShared;

GlperfRecentStatement glperf_recent[GLPERF_RECENT_STATEMENTS];

/* What has not been looked up yet; its key is that of no statement. */
static GlperfStoreEntry nowhere;

static StoreShared *shared = NULL;
static GlperfStoreEntry *places = NULL; /* place 0: what has none at all */
static StoreIndex *index_slots = NULL;	/* nindex */
static uint32 *free_places = NULL;	/* nfree of them */

/* Places of the table. */
static uint32
place_count(void)
{
	return 1 + RESERVED + (uint32) glperf_max_statements;
}

/* Entries of the index: about twice the places. */
static uint32
index_count(void)
{
	uint32		n = 64;

	while (n < 2 * place_count() - place_count() / 4)
		n *= 2;
	return n;
}

/* Bytes of shared memory; the same at request and at attach. */
Size
glperf_store_shmem_size(void)
{
	Size		size = CACHELINEALIGN(sizeof(StoreShared));

	size = add_size(size, PG_CACHE_LINE_SIZE);
	size = add_size(size, mul_size(place_count(), sizeof(GlperfStoreEntry)));
	size = add_size(size, mul_size(index_count(), sizeof(StoreIndex)));
	return add_size(size, mul_size(place_count(), sizeof(uint32)));
}

/* Make a place's counters zero. */
static void
clear_place(GlperfStoreEntry *place)
{
	pg_atomic_write_u64(&place->total_ns, 0);
	pg_atomic_write_u64(&place->max_ns, 0);
	pg_atomic_write_u64(&place->errors, 0);
	for (int i = 0; i < GLPERF_HIST_CELLS; i++)
		pg_atomic_write_u64(&place->cells[i], 0);
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_store_shmem_startup(void)
{
	bool		found;
	char	   *p;

	StaticAssertStmt(sizeof(GlperfStoreEntry) <= 2048,
					 "a statement takes at most 2 kB");

	shared = ShmemInitStruct("glperf statements", glperf_store_shmem_size(),
							 &found);
	p = (char *) CACHELINEALIGN((char *) shared + sizeof(StoreShared));
	places = (GlperfStoreEntry *) p;
	p += (Size) place_count() * sizeof(GlperfStoreEntry);
	index_slots = (StoreIndex *) p;
	p += (Size) index_count() * sizeof(StoreIndex);
	free_places = (uint32 *) p;
	if (found)
		return;

	memset(shared, 0, glperf_store_shmem_size());
	shared->lock = glperf_collector_lock(GLPERF_LOCK_STORE);
	shared->nplaces = place_count();
	shared->nindex = index_count();
	pg_atomic_init_u32(&shared->nfree, shared->nplaces - 1);
	for (uint32 i = 0; i < shared->nplaces; i++)
	{
		pg_atomic_init_u64(&places[i].key, 0);
		pg_atomic_init_u64(&places[i].total_ns, 0);
		pg_atomic_init_u64(&places[i].max_ns, 0);
		pg_atomic_init_u64(&places[i].errors, 0);
		for (int c = 0; c < GLPERF_HIST_CELLS; c++)
			pg_atomic_init_u64(&places[i].cells[c], 0);
		places[i].state = GLPERF_STORE_FREE;

		/* low places are given out first */
		if (i > 0)
			free_places[shared->nplaces - 1 - i] = i;
	}
	for (uint32 i = 0; i < shared->nindex; i++)
		pg_atomic_init_u64(&index_slots[i].key, 0);

	places[0].toplevel = true;
	places[0].since = GetCurrentTimestamp();
	pg_atomic_write_u64(&places[0].key, REMOVED + 1);
	places[0].state = GLPERF_STORE_LIVE;
}

/* Identity of a statement in the table; neither free nor REMOVED. */
static uint64
store_key(uint64 queryid, Oid dbid, Oid userid, bool toplevel)
{
	uint64		h = (uint64) userid << 32 | dbid;

	h = h * UINT64CONST(0x9E3779B97F4A7C15) + (toplevel ? 0 : 0x7F4A7C15);
	h = (h ^ queryid) * UINT64CONST(0xD6E8FEB86659FD93);
	h ^= h >> 32;
	return h <= REMOVED ? h + REMOVED + 1 : h;
}

/* The i-th index entry of the key's window. */
static inline StoreIndex *
window_slot(uint64 key, int i)
{
	return &index_slots[(key + i) & (shared->nindex - 1)];
}

/* Look the key up without a lock; NULL if it isn't there. */
static GlperfStoreEntry *
look_up(uint64 key)
{
	for (int i = 0; i < WINDOW; i++)
	{
		StoreIndex *slot = window_slot(key, i);
		uint64		found = pg_atomic_read_u64(&slot->key);

		if (found == key)
		{
			pg_read_barrier();
			return &places[slot->place];
		}
		if (found == 0)
			break;
	}
	return NULL;
}

/*
 * Add a statement, with the lock held and after having looked it up in vain;
 * NULL if there is no place, or no place but for the rest of a database.
 */
static GlperfStoreEntry *
add_statement(uint64 key, int64 queryid, Oid dbid, Oid userid, bool toplevel,
			  bool utility)
{
	uint32		nfree = pg_atomic_read_u32(&shared->nfree);
	StoreIndex *slot = NULL;
	GlperfStoreEntry *place;

	if (nfree <= (queryid == 0 ? 0 : RESERVED))
		return NULL;
	for (int i = 0; i < WINDOW && slot == NULL; i++)
	{
		if (pg_atomic_read_u64(&window_slot(key, i)->key) <= REMOVED)
			slot = window_slot(key, i);
	}
	if (slot == NULL)
		return NULL;

	slot->place = free_places[nfree - 1];
	pg_atomic_write_u32(&shared->nfree, nfree - 1);
	place = &places[slot->place];
	place->queryid = queryid;
	place->userid = userid;
	place->dbid = dbid;
	place->toplevel = toplevel;
	place->utility = utility;
	place->since = GetCurrentTimestamp();
	place->state = GLPERF_STORE_LIVE;
	pg_write_barrier();
	pg_atomic_write_u64(&place->key, key);
	pg_write_barrier();
	pg_atomic_write_u64(&slot->key, key);
	return place;
}

/* The entry for the rest of a database, with the lock held; never NULL. */
static GlperfStoreEntry *
rest_of_database(Oid dbid)
{
	uint64		key = store_key(0, dbid, InvalidOid, true);
	GlperfStoreEntry *rest = look_up(key);

	if (rest == NULL && OidIsValid(dbid))
		rest = add_statement(key, 0, dbid, InvalidOid, true, false);
	return rest == NULL ? &places[0] : rest;
}

/*
 * See collector_store.h.  The same statement of another role goes on with its
 * throttle, lest roles that take turns are sampled every time.
 */
void
glperf_store_meet(GlperfRecentStatement *recent, uint64 queryid, Oid userid,
				  bool toplevel)
{
	if (recent->queryid != queryid)
		memset(&recent->throttle, 0, sizeof(recent->throttle));
	recent->queryid = queryid;
	recent->who = glperf_store_who(userid, toplevel);
	recent->key = store_key(queryid, MyDatabaseId, userid, toplevel);
	recent->entry = &nowhere;
}

/* See collector_store.h. */
GlperfStoreEntry *
glperf_store_find(uint64 key, uint64 queryid, Oid userid, bool toplevel,
				  bool utility)
{
	GlperfStoreEntry *entry = look_up(key);
	GlperfRecentStatement *recent = glperf_store_recent(queryid);

	/* While the table is full, nobody queues up to hear it. */
	if (entry == NULL && pg_atomic_read_u32(&shared->nfree) <= RESERVED)
		entry = look_up(store_key(0, MyDatabaseId, InvalidOid, true));

	if (entry == NULL)
	{
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		entry = look_up(key);
		if (entry == NULL)
			entry = add_statement(key, (int64) queryid, MyDatabaseId, userid,
								  toplevel, utility);
		if (entry == NULL)
			entry = rest_of_database(MyDatabaseId);
		LWLockRelease(shared->lock);
	}

	/* What has no place now may have one next time: not to be remembered. */
	if (entry->queryid == (int64) queryid && recent->key == key)
		recent->entry = entry;
	return entry;
}

/* See collector_store.h. */
int
glperf_store_size(void)
{
	return shared == NULL ? 0 : (int) shared->nplaces;
}

/*
 * See collector_store.h.  The statement may leave its place meanwhile; then
 * the reading is void, and what it has counted is with the rest.
 */
bool
glperf_store_read(int i, GlperfReading *reading)
{
	GlperfStoreEntry *place = &places[i];
	uint64		key = pg_atomic_read_u64(&place->key);

	if (key == 0)
		return false;
	pg_read_barrier();
	reading->queryid = place->queryid;
	reading->userid = place->userid;
	reading->dbid = place->dbid;
	reading->toplevel = place->toplevel;
	reading->utility = place->utility;
	reading->since = place->since;
	reading->total_ns = pg_atomic_read_u64(&place->total_ns);
	reading->max_ns = pg_atomic_read_u64(&place->max_ns);
	reading->errors = pg_atomic_read_u64(&place->errors);
	reading->calls = 0;
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
	{
		reading->cells[c] = pg_atomic_read_u64(&place->cells[c]);
		reading->calls += reading->cells[c];
	}
	pg_read_barrier();
	return pg_atomic_read_u64(&place->key) == key && reading->calls > 0;
}

/* See collector_store.h. */
void
glperf_store_usage(GlperfStoreUsage *usage)
{
	memset(usage, 0, sizeof(*usage));
	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	usage->places = glperf_max_statements;
	usage->used = (int64) shared->nplaces - 1 - shared->ndying -
		pg_atomic_read_u32(&shared->nfree);
	usage->evicted = shared->evicted;
	LWLockRelease(shared->lock);
}

/* See collector_store.h. */
bool
glperf_store_wants_room(void)
{
	return pg_atomic_read_u32(&shared->nfree) + shared->ndying <
		RESERVED + shared->nplaces / 20;
}

/* Move what place has counted to the rest of its database. */
static void
move_to_rest(GlperfStoreEntry *place)
{
	GlperfStoreEntry *rest = rest_of_database(place->dbid);
	uint64		max = pg_atomic_read_u64(&place->max_ns);
	uint64		n;

	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
	{
		if (pg_atomic_read_u64(&place->cells[c]) == 0)
			continue;
		n = pg_atomic_exchange_u64(&place->cells[c], 0);
		pg_atomic_fetch_add_u64(&rest->cells[c], n);
	}
	n = pg_atomic_exchange_u64(&place->total_ns, 0);
	pg_atomic_fetch_add_u64(&rest->total_ns, n);
	n = pg_atomic_exchange_u64(&place->errors, 0);
	pg_atomic_fetch_add_u64(&rest->errors, n);
	if (max > pg_atomic_read_u64(&rest->max_ns))
		pg_atomic_write_u64(&rest->max_ns, max);
}

/* See collector_store.h. */
void
glperf_store_evict(const int *victims, int n)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int v = 0; v < n; v++)
	{
		GlperfStoreEntry *place = &places[victims[v]];
		uint64		key;

		/* Released between statements, because backends wait for it. */
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		key = pg_atomic_read_u64(&place->key);
		if (place->state == GLPERF_STORE_LIVE && place->queryid != 0)
		{
			for (int i = 0; i < WINDOW; i++)
			{
				StoreIndex *slot = window_slot(key, i);

				if (pg_atomic_read_u64(&slot->key) == key)
					pg_atomic_write_u64(&slot->key, REMOVED);
			}
			pg_atomic_write_u64(&place->key, 0);
			place->state = GLPERF_STORE_DYING;
			place->since = now;
			shared->ndying++;
			shared->evicted++;
			move_to_rest(place);
		}
		LWLockRelease(shared->lock);
	}
}

/* See collector_store.h. */
void
glperf_store_settle(void)
{
	TimestampTz now;

	if (shared->ndying == 0)
		return;
	now = GetCurrentTimestamp();
	for (uint32 i = 1; i < shared->nplaces; i++)
	{
		GlperfStoreEntry *place = &places[i];

		if (place->state != GLPERF_STORE_DYING ||
			now - place->since < SETTLE_US)
			continue;
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		move_to_rest(place);
		clear_place(place);
		place->state = GLPERF_STORE_FREE;
		free_places[pg_atomic_read_u32(&shared->nfree)] = i;
		pg_atomic_fetch_add_u32(&shared->nfree, 1);
		shared->ndying--;
		LWLockRelease(shared->lock);
	}
}

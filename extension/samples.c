/*
 * samples.c
 *		Shared memory of the parameter samples: find, keep, replace, copy.
 *
 * Statements live in sets of WAYS entries chosen by hash, so that finding or
 * replacing one looks at WAYS entries and never at the whole table.  A sample
 * is a chain of fixed-size blocks.  When blocks run out, a clock hand takes
 * the samples of the next statements it meets.
 *
 * One LWLock protects all of it.  Before taking the lock a backend looks at
 * the statement's entry without it, to see whether the statement is due; what
 * it reads may be torn, which at worst takes a sample too early or too late.
 * No error can be raised while the lock is held.
 */
#include "glperf.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "collector.h"
#include "guc.h"
#include "samples.h"
#include "samples_store.h"

/* Entries among which a statement may choose. */
#define WAYS 8

/* Bytes of a block, and the blocks that a statement has on average. */
#define BLOCK_SIZE 128
#define BLOCKS_PER_STATEMENT 5

#define NO_BLOCK PG_UINT32_MAX

/* This many samples are taken as they come, the following ever more rarely. */
#define EAGER_SAMPLES 16
#define MIN_INTERVAL_US INT64CONST(100000)
#define MAX_INTERVAL_US (INT64CONST(60) * 1000000)

/* No backend leaves a statement unwatched for more executions than this. */
#define MAX_EXECUTIONS_UNWATCHED 1024

/* Place of one sample. */
typedef struct SampleSlot
{
	TimestampTz at;
	uint32		hash;			/* of the payload, to recognise it */
	uint32		seen;			/* 0: the slot is empty */
	uint32		first_block;
	uint32		length;			/* bytes of payload */
} SampleSlot;

/* One statement. */
typedef struct SampleEntry
{
	int64		queryid;
	Oid			userid;
	Oid			dbid;
	int32		encoding;
	uint32		taken;			/* samples so far; 0: the entry is free */
	TimestampTz due_at;			/* not to be sampled before this */
	TimestampTz last_at;
	SampleSlot	slots[GLPERF_SAMPLES_PER_STATEMENT];
} SampleEntry;

/* Head of the shared memory; entries, links and blocks follow it. */
typedef struct SampleShared
{
	LWLock	   *lock;
	uint32		nentries;
	uint32		nblocks;
	uint32		first_free;		/* chain of free blocks */
	uint32		free_blocks;
	uint32		clock_hand;		/* next entry to lose its samples */
	int64		taken;
	int64		skipped;
	SampleEntry entries[FLEXIBLE_ARRAY_MEMBER];
} SampleShared;

static SampleShared *shared = NULL;
static uint32 *next_block = NULL;	/* nblocks links */
static char *blocks = NULL;		/* nblocks blocks */

/* Entries, rounded up to whole sets. */
static uint32
entry_count(void)
{
	return (uint32) TYPEALIGN(WAYS, glperf_max_statements);
}

/* Bytes of the head with its entries. */
static Size
entries_size(void)
{
	return MAXALIGN(add_size(offsetof(SampleShared, entries),
							 mul_size(entry_count(), sizeof(SampleEntry))));
}

/* Bytes of shared memory; the same at request and at attach. */
Size
glperf_samples_shmem_size(void)
{
	Size		nblocks = mul_size(entry_count(), BLOCKS_PER_STATEMENT);

	return add_size(entries_size(),
					mul_size(nblocks, sizeof(uint32) + BLOCK_SIZE));
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_samples_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf samples", glperf_samples_shmem_size(),
							 &found);
	next_block = (uint32 *) ((char *) shared + entries_size());
	blocks = (char *) (next_block + entry_count() * BLOCKS_PER_STATEMENT);
	if (found)
		return;

	memset(shared, 0, entries_size());
	shared->lock = glperf_collector_lock(GLPERF_LOCK_SAMPLES);
	shared->nentries = entry_count();
	shared->nblocks = shared->nentries * BLOCKS_PER_STATEMENT;
	shared->free_blocks = shared->nblocks;
	for (uint32 i = 0; i < shared->nblocks; i++)
		next_block[i] = i + 1 < shared->nblocks ? i + 1 : NO_BLOCK;
}

/* First of the entries among which the statement may choose. */
static SampleEntry *
entry_set(Oid dbid, Oid userid, int64 queryid)
{
	uint32		h = hash_combine(murmurhash32((uint32) queryid ^
											  (uint32) (queryid >> 32)),
								 hash_combine(murmurhash32(userid),
											  murmurhash32(dbid)));

	return &shared->entries[h % (shared->nentries / WAYS) * WAYS];
}

/* The statement's entry, or NULL. */
static SampleEntry *
find_entry(Oid dbid, Oid userid, int64 queryid)
{
	SampleEntry *set = entry_set(dbid, userid, queryid);

	for (int i = 0; i < WAYS; i++)
	{
		if (set[i].taken > 0 && set[i].queryid == queryid &&
			set[i].userid == userid && set[i].dbid == dbid)
			return &set[i];
	}
	return NULL;
}

/* Give the slot's blocks back. */
static void
free_slot(SampleSlot *slot)
{
	uint32		block = slot->first_block;

	if (slot->seen == 0)
		return;
	while (block != NO_BLOCK)
	{
		uint32		next = next_block[block];

		next_block[block] = shared->first_free;
		shared->first_free = block;
		shared->free_blocks++;
		block = next;
	}
	slot->seen = 0;
}

/* Forget a statement. */
static void
free_entry(SampleEntry *entry)
{
	for (int i = 0; i < GLPERF_SAMPLES_PER_STATEMENT; i++)
		free_slot(&entry->slots[i]);
	entry->taken = 0;
}

/*
 * The statement's entry, made from the least valuable one of its set when it
 * is new: a free one, else the one with the fewest samples, else the one not
 * sampled for longest.
 */
static SampleEntry *
find_or_make_entry(Oid dbid, Oid userid, int64 queryid)
{
	SampleEntry *entry = find_entry(dbid, userid, queryid);
	SampleEntry *set;

	if (entry != NULL)
		return entry;

	set = entry_set(dbid, userid, queryid);
	entry = &set[0];
	for (int i = 1; i < WAYS; i++)
	{
		uint32		mine = Min(set[i].taken, EAGER_SAMPLES);
		uint32		best = Min(entry->taken, EAGER_SAMPLES);

		if (mine < best || (mine == best && set[i].last_at < entry->last_at))
			entry = &set[i];
	}
	free_entry(entry);
	entry->queryid = queryid;
	entry->userid = userid;
	entry->dbid = dbid;
	entry->encoding = GetDatabaseEncoding();
	return entry;
}

/* Free blocks of other statements until there are enough for one sample. */
static void
reclaim_blocks(uint32 needed, const SampleEntry *keep)
{
	while (shared->free_blocks < needed)
	{
		SampleEntry *victim = &shared->entries[shared->clock_hand];

		shared->clock_hand = (shared->clock_hand + 1) % shared->nentries;
		if (victim != keep)
			free_entry(victim);
	}
}

/* Write the payload into a chain of blocks; there are enough. */
static void
fill_slot(SampleSlot *slot, StringInfo payload, uint32 hash)
{
	uint32	   *link = &slot->first_block;

	for (int done = 0; done < payload->len; done += BLOCK_SIZE)
	{
		uint32		block = shared->first_free;

		shared->first_free = next_block[block];
		shared->free_blocks--;
		memcpy(blocks + (Size) block * BLOCK_SIZE, payload->data + done,
			   Min(BLOCK_SIZE, payload->len - done));
		*link = block;
		link = &next_block[block];
	}
	*link = NO_BLOCK;
	slot->hash = hash;
	slot->length = payload->len;
	slot->seen = 1;
}

/* Do slot and payload hold the same bytes? */
static bool
slot_equals(const SampleSlot *slot, StringInfo payload, uint32 hash)
{
	uint32		block = slot->first_block;

	if (slot->seen == 0 || slot->hash != hash ||
		slot->length != (uint32) payload->len)
		return false;
	for (int done = 0; done < payload->len; done += BLOCK_SIZE)
	{
		if (memcmp(blocks + (Size) block * BLOCK_SIZE, payload->data + done,
				   Min(BLOCK_SIZE, payload->len - done)) != 0)
			return false;
		block = next_block[block];
	}
	return true;
}

/*
 * Keep a sample.  Constants seen before are counted, others take the place of
 * those seen least often, and among these of the oldest: so constants that
 * are common stay, and the rest of the slots shows what else there is.
 */
static void
keep_sample(SampleEntry *entry, StringInfo payload, uint32 hash,
			TimestampTz now)
{
	SampleSlot *slot = NULL;

	for (int i = 0; i < GLPERF_SAMPLES_PER_STATEMENT; i++)
	{
		if (slot_equals(&entry->slots[i], payload, hash))
		{
			entry->slots[i].seen++;
			entry->slots[i].at = now;
			return;
		}
	}
	for (int i = 0; i < GLPERF_SAMPLES_PER_STATEMENT; i++)
	{
		SampleSlot *other = &entry->slots[i];

		if (slot == NULL || other->seen < slot->seen ||
			(other->seen == slot->seen && other->at < slot->at))
			slot = other;
	}
	free_slot(slot);
	reclaim_blocks((payload->len + BLOCK_SIZE - 1) / BLOCK_SIZE, entry);
	fill_slot(slot, payload, hash);
	slot->at = now;
}

/* When the statement may be sampled again. */
static TimestampTz
next_due(uint32 taken, TimestampTz now)
{
	int64		interval = MAX_INTERVAL_US;

	if (taken < EAGER_SAMPLES)
		return 0;
	if (taken - EAGER_SAMPLES < 10)
		interval = Min(interval, MIN_INTERVAL_US << (taken - EAGER_SAMPLES));
	return now + interval;
}

/*
 * Executions until this backend looks again: as many as there were so far,
 * more or less.  Chance keeps us out of step with clients that send their
 * constants in a fixed order.
 */
static uint32
executions_to_wait(uint32 executions)
{
	static uint32 state = 0;
	uint32		wait = Max(1, Min(executions, MAX_EXECUTIONS_UNWATCHED));

	if (state == 0)
		state = murmurhash32(MyProcPid) | 1;
	state ^= state << 13;		/* xorshift32 */
	state ^= state >> 17;
	state ^= state << 5;
	return 1 + state % wait;
}

/*
 * glperf_samples_take -- sample this execution unless it is too soon
 *
 * The time is that of the statement's start, which PostgreSQL has asked for
 * already, so an execution that is not sampled makes no system call.
 */
void
glperf_samples_take(QueryDesc *queryDesc, uint64 queryid,
					GlperfSampleThrottle *throttle)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	Oid			userid = GetUserId();
	SampleEntry *entry;
	StringInfoData payload;
	MemoryContext context;
	MemoryContext old;
	bool		keep;

	throttle->due = throttle->executions +
		executions_to_wait(throttle->executions);

	if (shared == NULL || !glperf_sample_parameters)
		return;
	entry = find_entry(MyDatabaseId, userid, (int64) queryid);
	if (entry != NULL && now < entry->due_at)
		return;

	context = AllocSetContextCreate(CurrentMemoryContext, "glperf sample",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	initStringInfo(&payload);
	keep = glperf_samples_encode(queryDesc, &payload);
	MemoryContextSwitchTo(old);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (keep)
	{
		uint32		hash = hash_bytes((unsigned char *) payload.data,
									  payload.len);

		entry = find_or_make_entry(MyDatabaseId, userid, (int64) queryid);
		keep_sample(entry, &payload, hash, now);
		entry->taken++;
		entry->last_at = now;
		entry->due_at = next_due(entry->taken, now);
		shared->taken++;
	}
	else
		shared->skipped++;
	LWLockRelease(shared->lock);

	MemoryContextDelete(context);
}

/* Does the entry match? */
static bool
entry_matches(const SampleEntry *entry, const GlperfSampleFilter *filter)
{
	return entry->taken > 0 &&
		(filter->queryid == 0 || filter->queryid == entry->queryid) &&
		(!OidIsValid(filter->userid) || filter->userid == entry->userid) &&
		(!OidIsValid(filter->dbid) || filter->dbid == entry->dbid);
}

/*
 * Copy the entry's samples to dest, which has room for all of them, and their
 * payloads to where *bytes points.  Raises no error.
 */
static int
copy_entry(const SampleEntry *entry, GlperfSampleCopy *dest, char **bytes)
{
	int			n = 0;

	for (int i = 0; i < GLPERF_SAMPLES_PER_STATEMENT; i++)
	{
		const SampleSlot *slot = &entry->slots[i];
		GlperfSampleCopy *copy = &dest[n];
		uint32		block = slot->first_block;

		if (slot->seen == 0)
			continue;
		copy->queryid = entry->queryid;
		copy->userid = entry->userid;
		copy->dbid = entry->dbid;
		copy->encoding = entry->encoding;
		copy->seen = slot->seen;
		copy->at = slot->at;
		copy->payload.data = *bytes;
		copy->payload.len = slot->length;
		copy->payload.maxlen = 0;	/* read only */
		copy->payload.cursor = 0;
		for (uint32 done = 0; done < slot->length; done += BLOCK_SIZE)
		{
			memcpy(*bytes + done, blocks + (Size) block * BLOCK_SIZE,
				   Min(BLOCK_SIZE, slot->length - done));
			block = next_block[block];
		}
		*bytes += slot->length;
		n++;
	}
	return n;
}

/* Order by statement, then most often seen, then latest. */
static int
compare_copies(const ListCell *a, const ListCell *b)
{
	const GlperfSampleCopy *x = lfirst(a);
	const GlperfSampleCopy *y = lfirst(b);

	if (x->dbid != y->dbid)
		return x->dbid < y->dbid ? -1 : 1;
	if (x->userid != y->userid)
		return x->userid < y->userid ? -1 : 1;
	if (x->queryid != y->queryid)
		return x->queryid < y->queryid ? -1 : 1;
	if (x->seen != y->seen)
		return x->seen > y->seen ? -1 : 1;
	if (x->at != y->at)
		return x->at > y->at ? -1 : 1;
	return 0;
}

/*
 * glperf_samples_copy -- consistent copy of the matching samples
 *
 * Memory is allocated before the lock is taken: for one statement what it can
 * have at most, for more what all of them can have.
 */
List *
glperf_samples_copy(const GlperfSampleFilter *filter)
{
	bool		one = filter->queryid != 0 && OidIsValid(filter->userid) &&
	OidIsValid(filter->dbid);
	uint32		nentries;
	uint32		nblocks;
	GlperfSampleCopy *copies;
	char	   *bytes;
	int			n = 0;
	List	   *result = NIL;

	if (shared == NULL)
		return NIL;

	nentries = one ? 1 : shared->nentries;
	nblocks = GLPERF_SAMPLES_PER_STATEMENT * GLPERF_SAMPLE_MAX_BYTES /
		BLOCK_SIZE;
	if (!one)
		nblocks = shared->nblocks;
	copies = (GlperfSampleCopy *)
		MemoryContextAllocHuge(CurrentMemoryContext,
							   (Size) nentries * GLPERF_SAMPLES_PER_STATEMENT *
							   sizeof(GlperfSampleCopy));
	bytes = (char *) MemoryContextAllocHuge(CurrentMemoryContext,
											(Size) nblocks * BLOCK_SIZE);

	LWLockAcquire(shared->lock, LW_SHARED);
	if (one)
	{
		SampleEntry *entry = find_entry(filter->dbid, filter->userid,
										filter->queryid);

		if (entry != NULL)
			n = copy_entry(entry, copies, &bytes);
	}
	else
	{
		for (uint32 i = 0; i < shared->nentries; i++)
		{
			if (entry_matches(&shared->entries[i], filter))
				n += copy_entry(&shared->entries[i], copies + n, &bytes);
		}
	}
	LWLockRelease(shared->lock);

	for (int i = 0; i < n; i++)
		result = lappend(result, &copies[i]);
	list_sort(result, compare_copies);
	return result;
}

/* See samples.h. */
List *
glperf_samples_get(Oid dbid, Oid userid, int64 queryid)
{
	GlperfSampleFilter filter = {dbid, userid, queryid};
	List	   *result = NIL;
	ListCell   *lc;

	if (queryid == 0 || !OidIsValid(dbid) || !OidIsValid(userid))
		return NIL;
	foreach(lc, glperf_samples_copy(&filter))
		result = lappend(result, glperf_samples_decode(lfirst(lc)));
	return result;
}

/* See samples_store.h. */
void
glperf_samples_clear(void)
{
	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (uint32 i = 0; i < shared->nentries; i++)
		free_entry(&shared->entries[i]);
	LWLockRelease(shared->lock);
}

/* See samples_store.h. */
void
glperf_samples_usage(int64 *statements, int64 *bytes, int64 *taken,
					 int64 *skipped)
{
	*statements = *bytes = *taken = *skipped = 0;
	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	for (uint32 i = 0; i < shared->nentries; i++)
		*statements += shared->entries[i].taken > 0;
	*bytes = (int64) (shared->nblocks - shared->free_blocks) * BLOCK_SIZE;
	*taken = shared->taken;
	*skipped = shared->skipped;
	LWLockRelease(shared->lock);
}

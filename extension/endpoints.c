/*
 * endpoints.c
 *		Latency by what the application says it is doing.
 *
 * Executions without tags, which are all of most applications', are counted by
 * application_name: each backend adds to cells in shared memory that nobody
 * else writes, so that counting them takes no atomic operation.  They move to
 * the table of endpoints when the backend's application_name changes and when
 * it ends.  Executions with tags are counted in that table directly.
 *
 * An LWLock protects the table's names and the moving; readers take it shared
 * and see every execution once.  When the table is full, further endpoints
 * are counted together as "other".
 */
#include "glperf.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#include "collector.h"
#include "endpoints.h"

#define TAG_CACHE 64

/* One endpoint. */
typedef struct Endpoint
{
	GlperfEndpointKind kind;
	uint32		hash;			/* of the name */
	char		name[GLPERF_ENDPOINT_NAME];
	pg_atomic_uint64 errors;
	pg_atomic_uint64 total_ns;
	pg_atomic_uint64 max_ns;
	pg_atomic_uint64 cells[GLPERF_HIST_CELLS];
} Endpoint;

/* Head of the shared memory; the backends' cells follow. */
typedef struct EndpointShared
{
	LWLock	   *lock;
	int			nbackends;
	int			nendpoints;		/* used, without the one for the rest */
	Endpoint	endpoints[GLPERF_MAX_ENDPOINTS + 1];	/* last: the rest */
} EndpointShared;

static EndpointShared *shared = NULL;
static GlperfBackendCells *backends = NULL;

GlperfBackendCells *glperf_endpoint_cells = NULL;
const char *glperf_endpoint_application = NULL;
const char *glperf_endpoint_plain_text = NULL;

/* Bytes of shared memory; the same at request and at attach. */
Size
glperf_endpoints_shmem_size(void)
{
	return add_size(CACHELINEALIGN(sizeof(EndpointShared)),
					mul_size(glperf_max_backends(), sizeof(GlperfBackendCells)));
}

/* Attach to shared memory, and initialise it in the postmaster. */
void
glperf_endpoints_shmem_startup(void)
{
	bool		found;

	shared = ShmemInitStruct("glperf endpoints",
							 glperf_endpoints_shmem_size(), &found);
	backends = (GlperfBackendCells *) ((char *) shared +
									   CACHELINEALIGN(sizeof(EndpointShared)));
	if (found)
		return;

	memset(shared, 0, glperf_endpoints_shmem_size());
	shared->lock = glperf_collector_lock(GLPERF_LOCK_ENDPOINTS);
	shared->nbackends = glperf_max_backends();
	for (int i = 0; i <= GLPERF_MAX_ENDPOINTS; i++)
	{
		Endpoint   *endpoint = &shared->endpoints[i];

		pg_atomic_init_u64(&endpoint->errors, 0);
		pg_atomic_init_u64(&endpoint->total_ns, 0);
		pg_atomic_init_u64(&endpoint->max_ns, 0);
		for (int c = 0; c < GLPERF_HIST_CELLS; c++)
			pg_atomic_init_u64(&endpoint->cells[c], 0);
	}
}

/* Hash of an endpoint's name. */
static uint32
name_hash(GlperfEndpointKind kind, const char *name)
{
	return hash_bytes((const unsigned char *) name, strlen(name)) ^ kind;
}

/*
 * The endpoint of that name, with the lock held; with the exclusive lock made
 * if need be, else NULL if there is none.
 */
static Endpoint *
find_endpoint(GlperfEndpointKind kind, const char *name, bool make)
{
	uint32		hash = name_hash(kind, name);
	Endpoint   *endpoint;

	for (int i = 0; i < shared->nendpoints; i++)
	{
		endpoint = &shared->endpoints[i];
		if (endpoint->hash == hash && endpoint->kind == kind &&
			strcmp(endpoint->name, name) == 0)
			return endpoint;
	}
	if (shared->nendpoints == GLPERF_MAX_ENDPOINTS)
		return &shared->endpoints[GLPERF_MAX_ENDPOINTS];
	if (!make)
		return NULL;
	endpoint = &shared->endpoints[shared->nendpoints++];
	endpoint->kind = kind;
	endpoint->hash = hash;
	strlcpy(endpoint->name, name, GLPERF_ENDPOINT_NAME);
	return endpoint;
}

/* Raise a maximum. */
static void
raise_max(pg_atomic_uint64 *max, uint64 value)
{
	uint64		old = pg_atomic_read_u64(max);

	while (value > old &&
		   !pg_atomic_compare_exchange_u64(max, &old, value))
		;
}

/* Move what this backend has counted to the endpoint of its name. */
static void
flush_mine(void)
{
	GlperfBackendCells *mine = glperf_endpoint_cells;
	Endpoint   *endpoint;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	endpoint = find_endpoint(GLPERF_ENDPOINT_APPLICATION, mine->name, true);
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
	{
		if (mine->cells[c] > 0)
			pg_atomic_fetch_add_u64(&endpoint->cells[c], mine->cells[c]);
	}
	pg_atomic_fetch_add_u64(&endpoint->errors, mine->errors);
	pg_atomic_fetch_add_u64(&endpoint->total_ns, mine->total_ns);
	raise_max(&endpoint->max_ns, mine->max_ns);
	memset(mine, 0, sizeof(*mine));
	LWLockRelease(shared->lock);
}

/* The backend ends. */
static void
flush_at_exit(int code, Datum arg)
{
	if (glperf_endpoint_cells != NULL && glperf_endpoint_cells->used)
		flush_mine();
	glperf_endpoint_cells = NULL;
	glperf_endpoint_application = NULL;
}

/* Begin to count under the present application_name; false if impossible. */
static bool
start_mine(void)
{
	GlperfBackendCells *mine = glperf_endpoint_cells;

	if (mine == NULL)
	{
		int			number = glperf_backend_number();

		if (number < 0 || number >= shared->nbackends)
			return false;
		before_shmem_exit(flush_at_exit, (Datum) 0);
		mine = &backends[number];
		glperf_endpoint_cells = mine;
	}
	if (mine->used)
		flush_mine();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	memset(mine, 0, sizeof(*mine));
	strlcpy(mine->name, application_name, NAMEDATALEN);
	mine->used = true;
	LWLockRelease(shared->lock);
	glperf_endpoint_application = application_name;
	return true;
}

/* Count an execution without tags. */
static void
count_application(int cell, uint64 duration_ns, bool failed)
{
	GlperfBackendCells *mine = glperf_endpoint_cells;

	if (application_name == NULL)
		return;
	if (mine == NULL || glperf_endpoint_application != application_name ||
		mine->cells[cell] >= GLPERF_MANY_COUNTS)
	{
		if (!start_mine())
			return;
		mine = glperf_endpoint_cells;
	}
	mine->cells[cell]++;
	mine->total_ns += duration_ns;
	mine->max_ns = Max(mine->max_ns, duration_ns);
	mine->errors += failed;
}

/* Count an execution with tags. */
static void
count_tag(const char *name, int cell, uint64 duration_ns, bool failed)
{
	static Endpoint *cache[TAG_CACHE];
	uint32		hash = name_hash(GLPERF_ENDPOINT_TAG, name);
	Endpoint   *endpoint = cache[hash % TAG_CACHE];

	if (endpoint == NULL || endpoint->hash != hash ||
		strcmp(endpoint->name, name) != 0)
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		endpoint = find_endpoint(GLPERF_ENDPOINT_TAG, name, false);
		LWLockRelease(shared->lock);
		if (endpoint == NULL)
		{
			LWLockAcquire(shared->lock, LW_EXCLUSIVE);
			endpoint = find_endpoint(GLPERF_ENDPOINT_TAG, name, true);
			LWLockRelease(shared->lock);
		}
		cache[hash % TAG_CACHE] = endpoint;
	}
	pg_atomic_fetch_add_u64(&endpoint->cells[cell], 1);
	pg_atomic_fetch_add_u64(&endpoint->total_ns, duration_ns);
	raise_max(&endpoint->max_ns, duration_ns);
	if (failed)
		pg_atomic_fetch_add_u64(&endpoint->errors, 1);
}

/* See endpoints.h. */
void
glperf_endpoints_count_slowly(const char *text, int cell, uint64 duration_ns,
							  bool failed)
{
	char		name[GLPERF_ENDPOINT_NAME];

	glperf_endpoint_plain_text = NULL;
	if (text != NULL && glperf_endpoints_tag(text, name))
	{
		count_tag(name, cell, duration_ns, failed);
		return;
	}
	count_application(cell, duration_ns, failed);
	if (glperf_endpoint_cells != NULL)
		glperf_endpoint_plain_text = text;
}

/* Copy an endpoint of the table. */
static void
read_endpoint(Endpoint *endpoint, GlperfEndpointReading *reading)
{
	memset(reading, 0, sizeof(*reading));
	reading->kind = endpoint->kind;
	strlcpy(reading->name, endpoint->name, GLPERF_ENDPOINT_NAME);
	reading->errors = pg_atomic_read_u64(&endpoint->errors);
	reading->total_ns = pg_atomic_read_u64(&endpoint->total_ns);
	reading->max_ns = pg_atomic_read_u64(&endpoint->max_ns);
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
	{
		reading->cells[c] = pg_atomic_read_u64(&endpoint->cells[c]);
		reading->calls += reading->cells[c];
	}
}

/* Add what a backend has counted and not yet moved. */
static void
add_backend(GlperfEndpointReading *reading, volatile GlperfBackendCells *cells)
{
	reading->errors += cells->errors;
	reading->total_ns += cells->total_ns;
	reading->max_ns = Max(reading->max_ns, cells->max_ns);
	for (int c = 0; c < GLPERF_HIST_CELLS; c++)
	{
		uint32		n = cells->cells[c];

		reading->cells[c] += n;
		reading->calls += n;
	}
}

/* See endpoints.h. */
GlperfEndpointReading *
glperf_endpoints_read(int *n)
{
	GlperfEndpointReading *readings;

	*n = 0;
	if (shared == NULL)
		return NULL;

	/* Names of backends that have not moved anything yet need a place, too. */
	readings = (GlperfEndpointReading *)
		palloc((GLPERF_MAX_ENDPOINTS + 1) * sizeof(*readings));
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int b = 0; b < shared->nbackends; b++)
	{
		if (backends[b].used)
			find_endpoint(GLPERF_ENDPOINT_APPLICATION, backends[b].name, true);
	}
	for (int i = 0; i < shared->nendpoints; i++)
		read_endpoint(&shared->endpoints[i], &readings[i]);
	*n = shared->nendpoints;
	read_endpoint(&shared->endpoints[GLPERF_MAX_ENDPOINTS],
				  &readings[GLPERF_MAX_ENDPOINTS]);
	for (int b = 0; b < shared->nbackends; b++)
	{
		if (backends[b].used)
		{
			Endpoint   *endpoint;

			endpoint = find_endpoint(GLPERF_ENDPOINT_APPLICATION,
									 backends[b].name, false);
			add_backend(&readings[endpoint - shared->endpoints], &backends[b]);
		}
	}
	LWLockRelease(shared->lock);

	if (readings[GLPERF_MAX_ENDPOINTS].calls > 0)
	{
		if (*n != GLPERF_MAX_ENDPOINTS)
			readings[*n] = readings[GLPERF_MAX_ENDPOINTS];
		strlcpy(readings[*n].name, "other", GLPERF_ENDPOINT_NAME);
		(*n)++;
	}
	return readings;
}

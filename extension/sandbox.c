/*
 * sandbox.c
 *		Running analysis so that it cannot change or break anything.
 *
 * Planning runs code: the planner folds IMMUTABLE functions, views and row
 * security policies bring their own.  So the work runs as the role whose
 * statement it is, restricted and read only.  A subtransaction that is always
 * rolled back undoes settings, user and locks alike, on success, error and
 * cancel; it writes nothing, so this works on a standby too.  What could
 * outlive the subtransaction all the same is refused when it is called.
 */
#include "sandbox.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include "trust.h"

/* Longest wait for anybody's lock, in ms; text, because a setting wants it. */
#define SANDBOX_LOCK_TIMEOUT	"10"

/* Longest time for one piece of work: functions may loop for ever. */
#define SANDBOX_TIME_LIMIT_MS	5000

static volatile sig_atomic_t out_of_time = false;

/* What the caller allows; see glperf_sandbox_limit(). */
static int	allowed_ms = SANDBOX_TIME_LIMIT_MS;

/* Signal handler: cancel what runs; see glperf_sandbox_run(). */
static void
time_limit_handler(void)
{
	out_of_time = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/* The timeout's identity, given out once per session. */
static TimeoutId
time_limit(void)
{
	static TimeoutId id = MAX_TIMEOUTS;

	if (id == MAX_TIMEOUTS)
		id = RegisterTimeout(USER_TIMEOUT, time_limit_handler);
	return id;
}

void
glperf_sandbox_limit(int ms)
{
	allowed_ms = ms > 0 ? Min(ms, SANDBOX_TIME_LIMIT_MS) :
		SANDBOX_TIME_LIMIT_MS;
}

/* A setting for this subtransaction only. */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

static object_access_hook_type previous_hook;

/* The executor is about to prepare a call of a function. */
static void
access_hook(ObjectAccessType access, Oid classid, Oid objid, int subid,
			void *arg)
{
	if (previous_hook)
		previous_hook(access, classid, objid, subid, arg);
	if (access == OAT_FUNCTION_EXECUTE)
		glperf_trust_call(objid);
}

/* Settings under which the work runs. */
static void
enter(Oid roleid, const char *search_path)
{
	Oid			save_userid;
	int			save_sec_context;

	set_local("lock_timeout", SANDBOX_LOCK_TIMEOUT);
	set_local("client_min_messages", "error");

	/*
	 * The planner probes the ends of indexes, which counts as a scan: our
	 * planning must not make an unused index look used.
	 */
	(void) set_config_option("track_counts", "off", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	if (search_path)
		set_local("search_path", search_path);

	/* the subtransaction's end restores both */
	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(roleid,
						   save_sec_context | SECURITY_RESTRICTED_OPERATION);
	XactReadOnly = true;
}

/*
 * Did the server cancel the caller's statement?  A function may raise the same
 * error code, and must not end a whole run by it.
 */
static bool
is_cancel(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		(edata->funcname == NULL ||
		 strcmp(edata->funcname, "ProcessInterrupts") == 0);
}

bool
glperf_sandbox_run(Oid roleid, const char *search_path,
				   void (*work) (void *arg), void *arg,
				   GlperfFailure *failure)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext scratch;
	ErrorData  *volatile edata = NULL;
	TimeoutId	timeout = time_limit();
	bool		nested = get_timeout_active(timeout);
	bool		hooked = object_access_hook == access_hook;

	scratch = AllocSetContextCreate(caller, "glperf sandbox",
									ALLOCSET_DEFAULT_SIZES);
	BeginInternalSubTransaction(NULL);
	if (!hooked)
	{
		previous_hook = object_access_hook;
		object_access_hook = access_hook;
	}
	PG_TRY();
	{
		MemoryContextSwitchTo(scratch);
		enter(roleid, search_path);
		if (!nested)
		{
			out_of_time = false;
			enable_timeout_after(timeout, allowed_ms);
		}
		work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		edata = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	if (!hooked)
		object_access_hook = previous_hook;
	if (!nested)
	{
		disable_timeout(timeout, false);
		/* it may have struck when the work was done: then not the next one */
		if (out_of_time)
			QueryCancelPending = false;
	}

	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	MemoryContextDelete(scratch);

	if (edata == NULL)
		return true;
	if (is_cancel(edata))
	{
		if (!out_of_time || nested)
			ReThrowError(edata);
		edata->message = allowed_ms < SANDBOX_TIME_LIMIT_MS ?
			pstrdup("planning took longer than there was time left for it") :
			psprintf("planning took longer than %d s",
					 SANDBOX_TIME_LIMIT_MS / 1000);
		edata->hint = NULL;
	}
	failure->sqlerrcode = edata->sqlerrcode;
	failure->cursorpos = edata->cursorpos;
	failure->message = pstrdup(edata->message);
	failure->hint = edata->hint ? pstrdup(edata->hint) : NULL;
	FreeErrorData(edata);
	return false;
}

/* A piece of work on a table. */
typedef struct TableWork
{
	Oid			relid;
	void		(*work) (void *arg);
	void	   *arg;
} TableWork;

/* Look at what is attached to the table before anything evaluates it. */
static void
table_work(void *arg)
{
	TableWork  *table = arg;

	glperf_trust_table(table->relid);
	table->work(table->arg);
}

bool
glperf_sandbox_run_on_table(Oid relid, void (*work) (void *arg), void *arg,
							GlperfFailure *failure)
{
	TableWork	table = {relid, work, arg};
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tup))
	{
		failure->sqlerrcode = ERRCODE_UNDEFINED_TABLE;
		failure->cursorpos = 0;
		failure->message = pstrdup("the table no longer exists");
		failure->hint = NULL;
		return false;
	}
	owner = ((Form_pg_class) GETSTRUCT(tup))->relowner;
	ReleaseSysCache(tup);
	return glperf_sandbox_run(owner, NULL, table_work, &table, failure);
}

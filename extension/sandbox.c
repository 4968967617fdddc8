/*
 * sandbox.c
 *		Running analysis so that it cannot change or break anything.
 *
 * Planning runs code: the planner folds IMMUTABLE functions, views and row
 * security policies bring their own.  So the work runs as the role whose
 * statement it is, restricted and read only.  A subtransaction that is always
 * rolled back undoes settings, user and locks alike, on success, error and
 * cancel; it writes nothing, so this works on a standby too.
 */
#include "sandbox.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Longest wait for anybody's lock, in ms; text, because a setting wants it. */
#define SANDBOX_LOCK_TIMEOUT	"10"

/* A setting for this subtransaction only. */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* Settings under which the work runs. */
static void
enter(Oid roleid, const char *search_path)
{
	Oid			save_userid;
	int			save_sec_context;

	set_local("lock_timeout", SANDBOX_LOCK_TIMEOUT);
	set_local("client_min_messages", "error");
	if (search_path)
		set_local("search_path", search_path);

	/* the subtransaction's end restores both */
	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(roleid,
						   save_sec_context | SECURITY_RESTRICTED_OPERATION);
	XactReadOnly = true;
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

	scratch = AllocSetContextCreate(caller, "glperf sandbox",
									ALLOCSET_DEFAULT_SIZES);
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(scratch);
		enter(roleid, search_path);
		work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		edata = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	MemoryContextDelete(scratch);

	if (edata == NULL)
		return true;
	if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(edata);
	failure->sqlerrcode = edata->sqlerrcode;
	failure->cursorpos = edata->cursorpos;
	failure->message = pstrdup(edata->message);
	failure->hint = edata->hint ? pstrdup(edata->hint) : NULL;
	FreeErrorData(edata);
	return false;
}

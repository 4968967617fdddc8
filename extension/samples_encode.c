/*
 * samples_encode.c
 *		One execution as bytes: its text, its bound parameters, and back.
 *
 * What is written here runs inside a user's statement, which it may slow down
 * a little, once in a long while, but never make fail.  Parameters of built-in
 * types and of enums are printed directly: their output functions accept every
 * value that exists.  Those of other types may raise errors, so they are
 * printed in a subtransaction that is rolled back in any case.
 */
#include "glperf.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodes.h"
#include "nodes/params.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "samples.h"
#include "samples_store.h"

/* Skip white space and comments. */
static const char *
skip_blanks(const char *p)
{
	for (;;)
	{
		if (scanner_isspace(*p))
			p++;
		else if (p[0] == '-' && p[1] == '-')
			p += strcspn(p, "\r\n");
		else if (p[0] == '/' && p[1] == '*')
		{
			int			depth = 1;

			for (p += 2; *p != '\0' && depth > 0;)
			{
				if (p[0] == '/' && p[1] == '*')
					depth++, p += 2;
				else if (p[0] == '*' && p[1] == '/')
					depth--, p += 2;
				else
					p++;
			}
		}
		else
			return p;
	}
}

/* If the keyword, which is in lower case, is next, what follows; else NULL. */
static const char *
skip_keyword(const char *p, const char *keyword)
{
	Size		len = strlen(keyword);

	if (pg_strncasecmp(p, keyword, len) != 0)
		return NULL;
	p += len;
	if (isalnum((unsigned char) *p) || *p == '_' || *p == '$' ||
		IS_HIGHBIT_SET(*p))
		return NULL;
	return p;
}

/* Skip a plain or quoted identifier; NULL if there is none. */
static const char *
skip_identifier(const char *p)
{
	const char *start = p;

	if (*p == '"')
	{
		for (p++; *p != '\0'; p++)
		{
			if (p[0] == '"' && p[1] == '"')
				p++;
			else if (*p == '"')
				return p + 1;
		}
		return NULL;
	}
	while (isalnum((unsigned char) *p) || *p == '_' || *p == '$' ||
		   IS_HIGHBIT_SET(*p))
		p++;
	return p > start ? p : NULL;
}

/* Skip a parenthesised list of types; NULL if it has no end. */
static const char *
skip_parentheses(const char *p)
{
	int			depth = 0;

	do
	{
		if (*p == '"')
		{
			p = skip_identifier(p);
			if (p == NULL)
				return NULL;
			continue;
		}
		if (*p == '\0')
			return NULL;
		depth += (*p == '(') - (*p == ')');
		p++;
	} while (depth > 0);
	return p;
}

/*
 * The statement inside "PREPARE name (types) AS statement", which is what
 * EXECUTE runs and has the statement's query id; any other text unchanged.
 */
static const char *
skip_prepare(const char *text)
{
	const char *p = skip_keyword(skip_blanks(text), "prepare");

	if (p == NULL)
		return text;

	p = skip_identifier(skip_blanks(p));
	if (p == NULL)
		return text;

	p = skip_blanks(p);
	if (*p == '(')
	{
		p = skip_parentheses(p);
		if (p == NULL)
			return text;

		p = skip_blanks(p);
	}
	p = skip_keyword(p, "as");
	return p == NULL ? text : skip_blanks(p);
}

/* Append the text of this statement alone; false if it is too long. */
static bool
append_statement(QueryDesc *queryDesc, StringInfo out)
{
	int			location = queryDesc->plannedstmt->stmt_location;
	int			len = queryDesc->plannedstmt->stmt_len;
	const char *text = queryDesc->sourceText;
	char	   *copy;

	if (text == NULL)
		return false;
	text = CleanQuerytext(text, &location, &len);

	if (len <= 0 || out->len + len >= GLPERF_SAMPLE_MAX_BYTES)
		return false;

	/* The scanners above want a terminated string. */
	copy = pnstrdup(text, len);
	appendStringInfoString(out, skip_prepare(copy));
	appendStringInfoChar(out, '\0');
	return true;
}

/* Is every value of the type sure to print?  Looks through arrays. */
static bool
prints_safely(Oid type)
{
	Oid			element = get_element_type(type);

	if (OidIsValid(element))
		type = element;
	if (type_is_enum(type))
		return true;
	return type < FirstNormalObjectId && get_typtype(type) == TYPTYPE_BASE;
}

/*
 * Print the value; NULL if it is too long.  An enum's label is looked up here,
 * because its output function raises an error for one that it doesn't find.
 */
static char *
print_value(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;
	char	   *text;

	if (type_is_enum(type))
	{
		HeapTuple	tuple = SearchSysCache1(ENUMOID, value);

		if (!HeapTupleIsValid(tuple))
			return NULL;
		text = pstrdup(NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel));

		ReleaseSysCache(tuple);
		return text;
	}
	getTypeOutputInfo(type, &output, &varlena);
	if (varlena &&
		toast_raw_datum_size(value) > GLPERF_SAMPLE_MAX_VALUE + VARHDRSZ)
		return NULL;
	text = OidOutputFunctionCall(output, value);
	return strlen(text) > GLPERF_SAMPLE_MAX_VALUE ? NULL : text;
}

/* The same for a type whose output function may raise an error. */
static char *
print_value_guarded(Oid type, Datum value)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile result = NULL;
	ErrorData  *volatile cancelled = NULL;

	if (IsInParallelMode())
		return NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = print_value(type, value);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (geterrcode() == ERRCODE_QUERY_CANCELED)
			cancelled = CopyErrorData();
		FlushErrorState();
		result = NULL;
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	/* A cancel request is meant for the user's statement. */
	if (cancelled)
		ReThrowError(cancelled);
	return result;
}

/* Append one bound parameter; false if it can't be kept. */
static bool
append_parameter(ParamListInfo params, int i, StringInfo out)
{
	ParamExternData workspace;
	ParamExternData *param = &params->params[i];
	char	   *text = NULL;
	int32		len = -1;

	if (params->paramFetch != NULL)
		param = params->paramFetch(params, i + 1, false, &workspace);
	if (!OidIsValid(param->ptype))
		return false;
	if (!param->isnull)
	{
		if (prints_safely(param->ptype))
			text = print_value(param->ptype, param->value);

		else
			text = print_value_guarded(param->ptype, param->value);

		if (text == NULL)
			return false;
		len = strlen(text);
	}
	appendBinaryStringInfo(out, (char *) &param->ptype, sizeof(Oid));
	appendBinaryStringInfo(out, (char *) &len, sizeof(len));
	if (len > 0)
		appendBinaryStringInfo(out, text, len);
	return out->len <= GLPERF_SAMPLE_MAX_BYTES;
}

/*
 * Does the plan hold parameters instead of their values?  A plan made for this
 * execution has constants in their place.
 */
static bool
is_generic(QueryDesc *queryDesc)
{
	return strstr(nodeToString(queryDesc->plannedstmt),
				  "{PARAM :paramkind 0 ") != NULL;
}

/* Append all bound parameters, in formats that every session reads back. */
static bool
append_parameters(QueryDesc *queryDesc, StringInfo out)
{
	ParamListInfo params = queryDesc->params;
	int32		generic = 0;
	int32		nparams = params == NULL ? 0 : params->numParams;
	int			save_date = DateStyle;
	int			save_interval = IntervalStyle;
	int			save_digits = extra_float_digits;
	volatile bool keep = true;

	if (nparams > 0)
		generic = is_generic(queryDesc);
	appendBinaryStringInfo(out, (char *) &nparams, sizeof(nparams));
	appendBinaryStringInfo(out, (char *) &generic, sizeof(generic));
	if (nparams == 0)
		return true;

	PG_TRY();
	{
		DateStyle = USE_ISO_DATES;
		IntervalStyle = INTSTYLE_POSTGRES;
		extra_float_digits = 1;
		for (int i = 0; i < nparams && keep; i++)
			keep = append_parameter(params, i, out);
	}
	PG_FINALLY();
	{
		DateStyle = save_date;
		IntervalStyle = save_interval;
		extra_float_digits = save_digits;
	}
	PG_END_TRY();
	return keep;
}

/* See samples_store.h. */
bool
glperf_samples_encode(QueryDesc *queryDesc, StringInfo out)
{
	if (strlen(namespace_search_path) > GLPERF_SAMPLE_MAX_VALUE)
		return false;
	appendStringInfoString(out, namespace_search_path);
	appendStringInfoChar(out, '\0');
	return append_statement(queryDesc, out) &&
		append_parameters(queryDesc, out) &&
		out->len <= GLPERF_SAMPLE_MAX_BYTES;
}

/* Read len bytes of the payload, wherever they are. */
static void
read_bytes(const GlperfSampleCopy *copy, int *at, void *dest, int len)
{
	memcpy(dest, copy->payload.data + *at, len);
	*at += len;
}

/* See samples_store.h. */
GlperfSample *
glperf_samples_decode(const GlperfSampleCopy *copy)
{
	GlperfSample *sample = palloc0(sizeof(GlperfSample));
	int32		nparams;
	int32		generic;
	int			at = 0;

	sample->times_seen = copy->seen;
	sample->sampled_at = copy->at;
	sample->search_path = pstrdup(copy->payload.data);
	at += strlen(sample->search_path) + 1;
	sample->query_text = pstrdup(copy->payload.data + at);
	at += strlen(sample->query_text) + 1;
	read_bytes(copy, &at, &nparams, sizeof(nparams));
	read_bytes(copy, &at, &generic, sizeof(generic));
	sample->generic = generic != 0;
	sample->nparams = nparams;
	sample->param_types = palloc0(sizeof(Oid) * Max(nparams, 1));
	sample->param_values = palloc0(sizeof(char *) * Max(nparams, 1));
	for (int i = 0; i < nparams; i++)
	{
		int32		len;

		read_bytes(copy, &at, &sample->param_types[i], sizeof(Oid));
		read_bytes(copy, &at, &len, sizeof(len));
		if (len < 0)
			continue;
		sample->param_values[i] = pnstrdup(copy->payload.data + at, len);
		at += len;
	}
	return sample;
}

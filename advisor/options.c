/*
 * options.c
 *		Command line of glperf-advisor: option table, units, --help.
 *
 * A password never travels through argv, where every user of the machine can
 * read it: a connection string that holds one is refused before anything
 * connects, and no connection string is ever echoed.
 */
#include "postgres_fe.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>

#include "common/logging.h"
#include "fe_utils/option_utils.h"
#include "getopt_long.h"
#include "libpq-fe.h"

#include "advice.h"
#include "check.h"
#include "options.h"
#include "text.h"

static const char *const progname = "glperf-advisor";

/* Longest query, unless --statement-timeout says otherwise */
#define ADVISE_TIMEOUT_MS	(15 * 60 * 1000)
#define CHECK_TIMEOUT_MS	(30 * 1000)

/* The command: known before the options, as it decides the exit statuses */
static Command command = COMMAND_ADVISE;

/* Options without a short form. */
enum
{
	OPT_FORMAT = 1000,
	OPT_APPLY,
	OPT_DRY_RUN,
	OPT_ALLOW_DROP,
	OPT_BUDGET,
	OPT_MAX_INDEXES,
	OPT_MIN_BENEFIT,
	OPT_TIME_LIMIT,
	OPT_LOCK_TIMEOUT,
	OPT_STATEMENT_TIMEOUT,
	OPT_EXPLAIN,
	OPT_AREA,
	OPT_PGBOUNCER,
	OPT_ACCEPT_UNKNOWN,
	OPT_MAX_WAIT,
	OPT_WORKLOAD,
	OPT_LOG,
	OPT_REPLICA,
	OPT_ALL,
	OPT_NO_RECORD,
	OPT_HELP
};

/* A unit and how many base units it holds. */
typedef struct Unit
{
	const char *name;
	double		factor;
} Unit;

static const Unit time_units[] = {
	{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {NULL, 0}
};

static const Unit size_units[] = {
	{"B", 1}, {"kB", 1024}, {"MB", 1024 * 1024},
	{"GB", 1024.0 * 1024 * 1024}, {"TB", 1024.0 * 1024 * 1024 * 1024},
	{NULL, 0}
};

/* Print --help to stdout. */
static void
help(void)
{
	printf("%s recommends indexes for a PostgreSQL database, and creates them.\n\n",
		   progname);
	printf("Usage:\n");
	printf("  %s [OPTION]...\n", progname);
	printf("  %s check [OPTION]...\n", progname);
	printf("  %s verify [OPTION]...\n", progname);
	printf("\nAnalysis options:\n");
	printf("      --budget=SIZE           disk space for new indexes together, e.g. 500MB\n");
	printf("      --max-indexes=N         number of new indexes at most\n");
	printf("      --min-benefit=PCT       leave out what saves less of the workload's time\n");
	printf("      --time-limit=TIME       stop searching after TIME, report the best so far\n");
	printf("      --statement-timeout=TIME\n");
	printf("                              give up on a query after TIME (default 15min;\n");
	printf("                              check: 30s)\n");
	printf("      --workload=FILE         statements to advise on instead of the recorded\n");
	printf("                              ones, separated by semicolons\n");
	printf("      --log=FILE              the same from a server log with durations (plain,\n");
	printf("                              CSV or JSON)\n");
	printf("      --replica=CONNINFO      add the statements and index usage of a standby;\n");
	printf("                              each of these can be given several times\n");
	printf("\nWhat to do with the advice:\n");
	printf("      --dry-run               only report (default)\n");
	printf("      --apply                 create the recommended indexes CONCURRENTLY,\n");
	printf("                              one by one, and clean up after failures\n");
	printf("      --allow-drop            with --apply: run recommended drops, too\n");
	printf("      --lock-timeout=TIME     with --apply: longest single wait (default 10min)\n");
	printf("      --max-wait=TIME         with --apply: skip an index that would have to\n");
	printf("                              wait for a transaction open longer than TIME\n");
	printf("      --all                   also show what was dismissed or tried in vain\n");
	printf("      --no-record             write nothing to the database's record of\n");
	printf("                              recommendations\n");
	printf("\nThe command verify compares statements before and after what was applied, and\n");
	printf("names what had no effect or did harm.  Each run does that, too.\n");
	printf("\nThe command check prints the health page for a monitoring system; its options:\n");
	printf("      --area=AREA             only this area of the health page\n");
	printf("      --pgbouncer=CONNINFO    also check the pools of a PgBouncer, through its\n");
	printf("                              admin console (area pgbouncer)\n");
	printf("      --accept-unknown        what cannot be measured is no reason for status 3\n");
	printf("\nOutput options:\n");
	printf("      --format=FORMAT         text (default), sql or json; check: text or json\n");
	printf("  -o, --output=FILE           write the report to FILE (replaced at the end,\n");
	printf("                              readable by its owner only)\n");
	printf("      --explain               add plans without and with the indexes\n");
	printf("  -q, --quiet                 print only when there is news\n");
	printf("  -v, --verbose               also list statements without gain; log progress\n");
	printf("  -V, --version               output version information, then exit\n");
	printf("  -?, --help                  show this help, then exit\n");
	printf("\nConnection options:\n");
	printf("  -d, --dbname=DBNAME         database name, connection string or URI\n");
	printf("  -h, --host=HOSTNAME         database server host or socket directory\n");
	printf("  -p, --port=PORT             database server port\n");
	printf("  -U, --username=USERNAME     user name to connect as\n");
	printf("  -w, --no-password           never prompt for password\n");
	printf("  -W, --password              force password prompt\n");
	printf("A password comes from the prompt, ~/.pgpass, a service file or PGPASSWORD;\n");
	printf("one on the command line is refused.\n");
	printf("\nTIME is a number with ms, s, min or h; SIZE with B, kB, MB, GB or TB.\n");
	printf("\nExit status:\n");
#define GLPERF_EXIT_STATUS(name, status, meaning) \
	printf("  %d  %s\n", status, meaning);
#include "glperf_exit.h"
#undef GLPERF_EXIT_STATUS
	printf("Exit status of check:\n");
#define GLPERF_CHECK_STATUS(name, status, meaning) \
	printf("  %d  %s\n", status, meaning);
#include "glperf_exit.h"
#undef GLPERF_CHECK_STATUS
}

/* See options.h. */
const char *
options_limits(const AdvisorOptions *opts)
{
	char	   *limits = "";

	if (opts->budget_bytes >= 0)
		limits = psprintf("--budget=%s", text_bytes(opts->budget_bytes));
	if (opts->max_indexes >= 0)
		limits = psprintf("%s%s--max-indexes=%d", limits,
						  limits[0] ? ", " : "", opts->max_indexes);
	if (opts->min_benefit_pct >= 0)
		limits = psprintf("%s%s--min-benefit=%g", limits,
						  limits[0] ? ", " : "", opts->min_benefit_pct);
	return limits[0] ? limits : NULL;
}

/* See options.h. */
void
options_exit_failure(void)
{
	if (command == COMMAND_CHECK)
	{
		printf("GLPERF UNKNOWN - the check failed; its messages are on standard error\n");
		exit(GLPERF_CHECK_UNKNOWN);
	}
	exit(GLPERF_EXIT_FAILURE);
}

/* The status of a usage error. */
static int
usage_status(void)
{
	return command == COMMAND_CHECK ? (int) GLPERF_CHECK_UNKNOWN :
		(int) GLPERF_EXIT_USAGE;
}

/* End a usage error: where to look, and the status. */
static void
usage_exit(void)
{
	pg_log_error_hint("Try \"%s --help\" for more information.", progname);
	exit(usage_status());
}

/*
 * Read a number with a unit.  Returns it in base units; anything that is not
 * "NUMBER UNIT" in min..max is a usage error.  A lone 0 needs no unit.
 */
static double
parse_with_unit(const char *arg, const char *option, const Unit *units,
				double min, double max)
{
	char	   *end;
	double		value;
	const Unit *unit;

	errno = 0;
	value = strtod(arg, &end);
	if (end == arg || errno != 0 || isspace((unsigned char) arg[0]) ||
		!isfinite(value))
	{
		pg_log_error("invalid value \"%s\" for option %s", arg, option);
		usage_exit();
	}
	while (*end == ' ')
		end++;
	for (unit = units; unit->name != NULL; unit++)
		if (pg_strcasecmp(end, unit->name) == 0)
			break;
	if (unit->name == NULL && !(*end == '\0' && value == 0))
	{
		pg_log_error("invalid unit in \"%s\" for option %s", arg, option);
		pg_log_error_detail(units == time_units ?
							"Valid units are ms, s, min and h." :
							"Valid units are B, kB, MB, GB and TB.");
		usage_exit();
	}
	value *= unit->name ? unit->factor : 1;
	if (value < min || value > max)
	{
		pg_log_error("value \"%s\" for option %s is out of range", arg, option);
		usage_exit();
	}
	return value;
}

/* The same for a time, in whole milliseconds: 0 alone means no limit. */
static int
parse_time(const char *arg, const char *option, double min)
{
	return (int) ceil(parse_with_unit(arg, option, time_units, min, INT_MAX));
}

/* Read a percentage, with or without the sign. */
static double
parse_percent(const char *arg, const char *option)
{
	char	   *end;
	double		value = strtod(arg, &end);

	if (end != arg && *end == '%')
		end++;
	if (end == arg || *end != '\0' || !(value >= 0 && value <= 100))
	{
		pg_log_error("invalid value \"%s\" for option %s", arg, option);
		pg_log_error_detail("A percentage between 0 and 100 is expected.");
		usage_exit();
	}
	return value;
}

/* Read the name of a report format. */
static ReportFormat
parse_format(const char *arg)
{
	if (strcmp(arg, "text") == 0)
		return FORMAT_TEXT;
	if (strcmp(arg, "sql") == 0)
		return FORMAT_SQL;
	if (strcmp(arg, "json") == 0)
		return FORMAT_JSON;
	pg_log_error("invalid report format \"%s\"", arg);
	pg_log_error_detail("Valid formats are text, sql and json.");
	usage_exit();
	return FORMAT_TEXT;			/* keep compiler quiet */
}

/* Does this -d argument hold more than a database name?  (libpq's own rule) */
static bool
is_connection_string(const char *dbname)
{
	return strncmp(dbname, "postgresql://", 13) == 0 ||
		strncmp(dbname, "postgres://", 11) == 0 ||
		strchr(dbname, '=') != NULL;
}

/* End it without showing the string, and be it in a message of libpq. */
static void
refuse_connection_string(const char *option_name)
{
	pg_log_error("invalid value for option %s", option_name);
	pg_log_error_detail("It is not shown, as it may hold a password.");
	usage_exit();
}

/*
 * Refuse a value that can only be part of a misplaced or misread connection
 * string: of other characters than those allowed, if that is not NULL.
 */
static void
check_is_plain(const char *value, const char *option_name, const char *allowed)
{
	if (strstr(value, "://") != NULL || strchr(value, '=') != NULL ||
		(allowed != NULL && value[strspn(value, allowed)] != '\0'))
		refuse_connection_string(option_name);
}

/*
 * In a URI whose password has a slash in it, that ends the server's name: the
 * rest of the password would be taken for a database's.
 */
static bool
is_cut_short(const char *uri)
{
	const char *server = strstr(uri, "://");
	const char *path = server ? strchr(server + 3, '/') : NULL;
	const char *at = path ? strchr(path, '@') : NULL;

	return at != NULL && at < path + strcspn(path, "?");
}

/*
 * Refuse a connection string with a secret in it.  libpq marks the options
 * whose values must not be shown; that covers more than "password".  The
 * string is not echoed, not even when it is malformed: libpq's message about
 * that can quote any part of it.
 */
static void
check_connection_string(const char *conninfo, const char *option_name)
{
	PQconninfoOption *parsed;
	PQconninfoOption *option;

	parsed = is_cut_short(conninfo) ? NULL : PQconninfoParse(conninfo, NULL);
	if (parsed == NULL)
		refuse_connection_string(option_name);
	for (option = parsed; option->keyword != NULL; option++)
	{
		/* libpq would quote a port that is none, part of a password maybe */
		if (strcmp(option->keyword, "port") == 0 && option->val != NULL)
			check_is_plain(option->val, option_name, "0123456789, ");
		if (option->dispchar[0] != '*' || option->val == NULL)
			continue;
		pg_log_error("refusing the %s in the connection string: the command line is visible to every user of this machine",
					 option->keyword);
		pg_log_error_hint("Put it into ~/.pgpass or a service file (and change it, as it may have been seen).");
		exit(usage_status());
	}
	PQconninfoFree(parsed);
}

/* Store one option; false when it is none of ours. */
static bool
store_option(AdvisorOptions *opts, int c, char *arg)
{
	switch (c)
	{
		case 'd':
			if (is_connection_string(arg))
				check_connection_string(arg, "--dbname");
			opts->dbname = arg;
			break;
		case 'h':
			check_is_plain(arg, "--host", NULL);
			opts->host = arg;
			break;
		case 'p':
			check_is_plain(arg, "--port", "0123456789, ");
			opts->port = arg;
			break;
		case 'U':
			opts->user = arg;
			break;
		case 'w':
			opts->prompt_password = TRI_NO;
			break;
		case 'W':
			opts->prompt_password = TRI_YES;
			break;
		case 'o':
			if (arg[0] == '\0')
			{
				pg_log_error("invalid value \"\" for option --output");
				usage_exit();
			}
			opts->output = arg;
			break;
		case 'q':
			opts->quiet = true;
			break;
		case 'v':
			opts->verbose = true;
			break;
		case OPT_FORMAT:
			opts->format = parse_format(arg);
			break;
		case OPT_APPLY:
			opts->apply = true;
			break;
		case OPT_ALLOW_DROP:
			opts->allow_drop = true;
			break;
		case OPT_BUDGET:
			opts->budget_bytes = (int64) parse_with_unit(arg, "--budget",
														 size_units, 0, 1e18);
			break;
		case OPT_MAX_INDEXES:
			if (arg[0] == '\0') /* which the next line takes for 0 */
				pg_log_error("invalid value \"\" for option --max-indexes");
			if (arg[0] == '\0' ||
				!option_parse_int(arg, "--max-indexes", 0, INT_MAX,
								  &opts->max_indexes))
				usage_exit();
			break;
		case OPT_MIN_BENEFIT:
			opts->min_benefit_pct = parse_percent(arg, "--min-benefit");
			break;
		case OPT_TIME_LIMIT:
			opts->time_limit_ms = parse_time(arg, "--time-limit", 1);
			break;
		case OPT_LOCK_TIMEOUT:
			opts->lock_timeout_ms = parse_time(arg, "--lock-timeout", 0);
			break;
		case OPT_STATEMENT_TIMEOUT:
			opts->statement_timeout_ms =
				parse_time(arg, "--statement-timeout", 0);
			break;
		case OPT_WORKLOAD:
			simple_string_list_append(&opts->workload_files, arg);
			break;
		case OPT_LOG:
			simple_string_list_append(&opts->log_files, arg);
			break;
		case OPT_REPLICA:
			check_connection_string(arg, "--replica");
			simple_string_list_append(&opts->replicas, arg);
			break;
		case OPT_MAX_WAIT:
			opts->max_wait_ms = parse_time(arg, "--max-wait", 0);
			break;
		case OPT_ALL:
			opts->all = true;
			break;
		case OPT_NO_RECORD:
			opts->no_record = true;
			break;
		case OPT_EXPLAIN:
			opts->explain = true;
			break;
		case OPT_AREA:
			opts->area = arg;
			break;
		case OPT_PGBOUNCER:
			check_connection_string(arg, "--pgbouncer");
			opts->pgbouncer = arg;
			break;
		case OPT_ACCEPT_UNKNOWN:
			opts->accept_unknown = true;
			break;
		case OPT_HELP:
			help();
			exit(GLPERF_EXIT_NOTHING);
		case 'V':
			printf("%s %s\n", progname, GLPERF_VERSION);
			exit(GLPERF_EXIT_NOTHING);
		default:
			return false;
	}
	return true;
}

/* Refuse combinations that cannot be meant. */
static void
check_combinations(const AdvisorOptions *opts, bool dry_run)
{
	const char *problem = NULL;

	if (opts->apply && dry_run)
		problem = "options --apply and --dry-run cannot be used together";
	else if (opts->allow_drop && !opts->apply && opts->format != FORMAT_SQL)
		problem = "option --allow-drop needs --apply or --format=sql";
	else if (opts->explain && opts->format == FORMAT_SQL)
		problem = "option --explain needs --format=text or json";
	else if (opts->max_wait_ms >= 0 && !opts->apply)
		problem = "option --max-wait needs --apply";
	else if (opts->command != COMMAND_ADVISE &&
			 (opts->apply || dry_run || opts->allow_drop || opts->explain ||
			  opts->budget_bytes >= 0 || opts->max_indexes >= 0 ||
			  opts->min_benefit_pct >= 0 || opts->time_limit_ms >= 0 ||
			  opts->all || opts->no_record || opts->workload_files.head ||
			  opts->log_files.head || opts->replicas.head))
		problem = "options for recommendations cannot be used with check or verify";
	else if (opts->command == COMMAND_CHECK && opts->format == FORMAT_SQL)
		problem = "check needs --format=text or json";
	else if (opts->command != COMMAND_CHECK &&
			 (opts->area || opts->pgbouncer || opts->accept_unknown))
		problem = "options --area, --pgbouncer and --accept-unknown need the command check";
	if (problem != NULL)
	{
		pg_log_error("%s", problem);
		usage_exit();
	}
}

/*
 * End a bad option: the message of getopt_long() would show what stands behind
 * an equals sign, as in --passwort=secret.
 */
static void
refuse_option(int c, char *arg, const struct option *known)
{
	while (known->name != NULL && known->val != optopt)
		known++;
	if (optopt == 0)
		pg_log_error("unrecognized option \"%.*s\"",
					 (int) strcspn(arg, "="), arg);
	else if (known->name == NULL)
		pg_log_error("unrecognized option \"-%c\"", optopt);
	else if (c == ':')
		pg_log_error("option --%s needs a value", known->name);
	else
		pg_log_error("option --%s takes no value", known->name);
	usage_exit();
}

/* Read the command line. */
void
options_parse(AdvisorOptions *opts, int argc, char *argv[])
{
	static struct option long_options[] = {
		{"dbname", required_argument, NULL, 'd'},
		{"host", required_argument, NULL, 'h'},
		{"port", required_argument, NULL, 'p'},
		{"username", required_argument, NULL, 'U'},
		{"no-password", no_argument, NULL, 'w'},
		{"password", no_argument, NULL, 'W'},
		{"output", required_argument, NULL, 'o'},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"format", required_argument, NULL, OPT_FORMAT},
		{"apply", no_argument, NULL, OPT_APPLY},
		{"dry-run", no_argument, NULL, OPT_DRY_RUN},
		{"allow-drop", no_argument, NULL, OPT_ALLOW_DROP},
		{"budget", required_argument, NULL, OPT_BUDGET},
		{"max-indexes", required_argument, NULL, OPT_MAX_INDEXES},
		{"min-benefit", required_argument, NULL, OPT_MIN_BENEFIT},
		{"time-limit", required_argument, NULL, OPT_TIME_LIMIT},
		{"lock-timeout", required_argument, NULL, OPT_LOCK_TIMEOUT},
		{"statement-timeout", required_argument, NULL, OPT_STATEMENT_TIMEOUT},
		{"explain", no_argument, NULL, OPT_EXPLAIN},
		{"area", required_argument, NULL, OPT_AREA},
		{"pgbouncer", required_argument, NULL, OPT_PGBOUNCER},
		{"workload", required_argument, NULL, OPT_WORKLOAD},
		{"log", required_argument, NULL, OPT_LOG},
		{"replica", required_argument, NULL, OPT_REPLICA},
		{"max-wait", required_argument, NULL, OPT_MAX_WAIT},
		{"all", no_argument, NULL, OPT_ALL},
		{"no-record", no_argument, NULL, OPT_NO_RECORD},
		{"accept-unknown", no_argument, NULL, OPT_ACCEPT_UNKNOWN},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0}
	};
	bool		dry_run = false;
	int			c;

	/* getopt says '?' about a bad option, too, so look for it first */
	if (argc == 2 && strcmp(argv[1], "-?") == 0)
	{
		help();
		exit(GLPERF_EXIT_NOTHING);
	}

	if (argc > 1 && (strcmp(argv[1], "check") == 0 ||
					 strcmp(argv[1], "verify") == 0))
	{
		command = opts->command = argv[1][0] == 'c' ? COMMAND_CHECK :
			COMMAND_VERIFY;
		argc--;
		argv++;
	}

	/* the first colon keeps it from saying anything by itself */
	while ((c = getopt_long(argc, argv, ":d:h:p:U:wWo:qvV", long_options,
							NULL)) != -1)
	{
		if (c == OPT_DRY_RUN)
			dry_run = true;
		else if (!store_option(opts, c, optarg))
			refuse_option(c, argv[optind - 1], long_options);
	}

	/* Not echoed, as it could be a connection string. */
	if (optind < argc)
	{
		pg_log_error("too many command-line arguments");
		pg_log_error_detail("A database is named with --dbname; the commands check and verify come first.");
		usage_exit();
	}
	check_combinations(opts, dry_run);
	if (opts->statement_timeout_ms < 0)
		opts->statement_timeout_ms = command == COMMAND_CHECK ?
			CHECK_TIMEOUT_MS : ADVISE_TIMEOUT_MS;
}

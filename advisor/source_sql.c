/*
 * source_sql.c
 *		A file of statements, separated by semicolons.
 *
 * A comment "-- glperf: calls=100 time_ms=2500 rows=10 role=app
 * search_path=..." says how often a day the statement after it runs, and as
 * whom.  psql's own commands, lines that begin with a backslash, are skipped.
 */
#include "postgres_fe.h"

#include <sys/stat.h>

#include "common/logging.h"
#include "common/string.h"

#include "lexer.h"
#include "options.h"
#include "workload.h"

#define MARK	"-- glperf:"

/* The whole file as a string; ends the program if it can't be read. */
static char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *text = NULL;
	size_t		size = 0;

	if (file == NULL || (getdelim(&text, &size, '\0', file) < 0 && ferror(file)))
	{
		pg_log_error("could not read file \"%s\": %m", path);
		options_exit_failure();
	}
	fclose(file);
	return text ? text : pg_strdup("");
}

/* Take what a comment says about the statement that follows. */
static void
read_weights(const char *comment, int len, const char *path,
			 Execution *execution)
{
	char	   *copy = pnstrdup(comment + strlen(MARK), len - strlen(MARK));
	char	   *state = NULL;

	for (char *word = strtok_r(copy, " \t\r,", &state); word != NULL;
		 word = strtok_r(NULL, " \t\r,", &state))
	{
		char	   *value = strchr(word, '=');
		char	   *end = NULL;
		double		number;

		if (value == NULL)
			continue;
		*value++ = '\0';
		number = strtod(value, &end);
		if (strcmp(word, "role") == 0)
			execution->role = pg_strdup(value);
		else if (strcmp(word, "search_path") == 0)
			execution->search_path = pg_strdup(value);
		else if (end == value || *end != '\0' || !(number >= 0))
			pg_log_warning("file \"%s\": ignoring %s, which is no number",
						   path, word);
		else if (strcmp(word, "calls") == 0)
			execution->calls = number;
		else if (strcmp(word, "time_ms") == 0)
			execution->time_ms = number;
		else if (strcmp(word, "rows") == 0)
			execution->rows = number;
		else
			pg_log_warning("file \"%s\": ignoring unknown weight %s", path, word);
	}
	pg_free(copy);
}

/* An execution about which nothing is said */
static const Execution plain = {.calls = 1,.time_ms = -1};

/* Count the statement between two places, unless it is empty. */
static void
end_statement(const char *begin, const char *end, Execution *execution,
			  Workload *workload)
{
	char	   *text = pnstrdup(begin, end - begin);

	execution->text = text;
	workload_add(workload, execution);
	pg_free(text);
	*execution = plain;
}

/* See workload.h. */
void
source_sql(const char *path, Workload *workload)
{
	char	   *text = read_file(path);
	char	   *s = text;
	char	   *begin = NULL;	/* first token of a statement */
	Execution	execution = plain;
	TokenKind	kind;
	int			len;

	while ((kind = lexer_next(s, &len)) != TOKEN_END)
	{
		if (kind == TOKEN_SPACE)
		{
			if (strncmp(s, MARK, strlen(MARK)) == 0 && begin == NULL)
				read_weights(s, len, path, &execution);
		}
		else if (kind == TOKEN_OTHER && *s == ';')
		{
			if (begin != NULL)
				end_statement(begin, s, &execution, workload);
			begin = NULL;
		}
		else if (begin == NULL && kind == TOKEN_OTHER && *s == '\\')
			len = strcspn(s, "\n");
		else if (begin == NULL)
			begin = s;
		s += len;
	}
	if (begin != NULL)
		end_statement(begin, s, &execution, workload);
	free(text);
}

/*
 * host_file.c
 *		Small text files of the operating system: lines, keys and numbers.
 */
#include "host.h"

#include <fcntl.h>
#include <unistd.h>

#include "host_file.h"

/* The file read last; the longest of them is cut off. */
static char content[128 * 1024];

/* See host_file.h. */
void
glperf_host_reason(char *reason, const char *what, const char *path, const char *why)
{
	if (reason != NULL)
		snprintf(reason, GLPERF_HOST_REASON, "%s %s: %s", what, path, why);
}

/* See host_file.h. */
const char *
glperf_host_file(const char *root, const char *path, char *reason)
{
	char		name[MAXPGPATH];
	size_t		len = 0;
	int			fd;

	/* not to hang on a named pipe under a root of somebody's making */
	snprintf(name, sizeof(name), "%s%s", root, path);
	fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
	{
		glperf_host_reason(reason, "cannot open", path, strerror(errno));
		return NULL;
	}
	while (len < sizeof(content) - 1)
	{
		ssize_t		n = read(fd, content + len, sizeof(content) - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
		{
			glperf_host_reason(reason, "cannot read", path, strerror(errno));
			close(fd);
			return NULL;
		}
		if (n == 0)
			break;
		len += n;
	}
	close(fd);
	if (len == sizeof(content) - 1)
	{
		while (len > 0 && content[len - 1] != '\n')
			len--;
	}
	content[len] = '\0';
	return content;
}

/* See host_file.h. */
const char *
glperf_host_next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end == NULL || end[1] == '\0' ? NULL : end + 1;
}

/* See host_file.h. */
bool
glperf_host_key(const char *text, const char *key, uint64 *value)
{
	size_t		len = strlen(key);

	for (const char *line = text; line != NULL; line = glperf_host_next_line(line))
	{
		if (strncmp(line, key, len) == 0 &&
			(line[len] == ' ' || line[len] == ':' || line[len] == '\t'))
		{
			char	   *end;

			*value = strtoull(line + len + 1, &end, 10);
			return end != line + len + 1;
		}
	}
	return false;
}

/* See host_file.h. */
bool
glperf_host_number(const char *root, const char *path, uint64 *value)
{
	const char *text = glperf_host_file(root, path, NULL);
	char	   *end;

	if (text == NULL)
		return false;
	*value = strtoull(text, &end, 10);
	return end != text;
}

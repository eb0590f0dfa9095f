// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knob.h"

#define KNOBS	32

static struct {
	char path[128];
	char value[128];
} old[KNOBS];
static unsigned int count;

static int get(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, value, size - 1);
	char *open_bracket, *close_bracket;

	if (fd >= 0)
		close(fd);
	if (length < 0)
		return -1;
	value[length] = 0;
	open_bracket = strchr(value, '[');
	close_bracket = strchr(value, ']');
	if (open_bracket && close_bracket) {
		*close_bracket = 0;
		memmove(value, open_bracket + 1, close_bracket - open_bracket);
	}
	value[strcspn(value, "\n")] = 0;
	return 0;
}

int knob_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(value);
	ssize_t done;
	int error;

	if (fd < 0)
		return -1;
	done = write(fd, value, length);
	error = errno;
	close(fd);
	errno = error;
	return done == length ? 0 : -1;
}

int knob_set(const char *path, const char *value)
{
	if (count == KNOBS) {
		errno = ENOSPC;
		return -1;
	}
	if (get(path, old[count].value, sizeof(old[count].value)))
		return -1;
	snprintf(old[count].path, sizeof(old[count].path), "%s", path);
	if (knob_write(path, value))
		return -1;
	count++;
	return 0;
}

long knob_read(const char *path)
{
	char value[128];

	return get(path, value, sizeof(value)) ? -1 : strtol(value, NULL, 0);
}

void knobs_restore(void)
{
	while (count) {
		count--;
		knob_write(old[count].path, old[count].value);
	}
}

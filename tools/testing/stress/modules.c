// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers are loaded and unloaded while others use them: what is in use must not go, and what is
 * not must. The arguments are the modules' paths.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#define PAUSE 100

enum { LOADED, UNLOADED, IN_USE };

static void load(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (!again(syscall(SYS_finit_module, file, "", 0)))
		count(LOADED);
	else if (errno != EEXIST)
		wrong("%s does not load", path);
	close(file);
}

/* Whether it is gone; one that is in use stays. */
static bool unload(const char *path)
{
	const char *file = strrchr(path, '/') + 1;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
	if (!again(syscall(SYS_delete_module, name, O_NONBLOCK))) {
		count(UNLOADED);
		return true;
	}
	if (errno == EWOULDBLOCK)
		count(IN_USE);
	else if (errno != ENOENT)
		wrong("%s does not unload", name);
	return errno == ENOENT;
}

static void turn(unsigned int worker, struct random random)
{
	const char *path = arguments[below(&random, argument_count)];

	(void)worker;
	/* One is gone for a moment only, or nobody would come to use it. */
	if (unload(path)) {
		pause_ms(below(&random, PAUSE) / 4);
		load(path);
	}
	pause_ms(below(&random, PAUSE));
}

static void end(unsigned int worker)
{
	(void)worker;
	for (unsigned int i = 0; i < argument_count; i++)
		load(arguments[i]);
}

const struct job_class modules = {
	.name = "modules",
	.workers = 1,
	.counters = { "loaded", "unloaded", "in_use" },
	.turn = turn,
	.end = end,
};

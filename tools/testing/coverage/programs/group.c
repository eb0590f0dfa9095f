// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "group.h"
#include "knob.h"

#define CGROUP		"/tmp/cgroup"
#define GROUP_PATH	"/coverage"
#define GROUP		CGROUP GROUP_PATH
#define LRU_GEN		"/sys/kernel/debug/lru_gen"

int group_enter(void)
{
	if (mkdir(GROUP, 0700) && errno != EEXIST)
		return -1;
	return knob_write(GROUP "/cgroup.procs", "0");
}

int group_reclaim(const char *bytes)
{
	char stat[8192];
	int fd = open(GROUP "/memory.stat", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	/*
	 * Reading the statistics brings them up to date: reclaim goes by the
	 * balance of the lists, which else is two seconds old.
	 */
	length = fd < 0 ? -1 : read(fd, stat, sizeof(stat));
	if (fd >= 0)
		close(fd);
	if (length < 0)
		return -1;
	return knob_write(GROUP "/memory.reclaim", bytes) && errno != EAGAIN ? -1 : 0;
}

/*
 * The list of generations is, for each group and each node, the oldest first:
 *
 *	memcg <id> <path>
 *	 node <number>
 *	  <generation> <its age and sizes>
 */
int group_age(void)
{
	FILE *list = fopen(LRU_GEN, "re");
	unsigned long group = 0, generation = 0;
	char line[256], path[128] = "", commands[256] = "";
	size_t length = 0;
	int node = -1;

	if (!list)
		return -1;
	for (;;) {
		char *got = fgets(line, sizeof(line), list);

		if (got && node >= 0 && sscanf(line, "%lu", &generation) == 1)
			continue;
		if (node >= 0 && !strcmp(path, GROUP_PATH))
			length += snprintf(commands + length,
					   sizeof(commands) - length,
					   "+ %lu %d %lu max 1\n", group, node,
					   generation);
		node = -1;
		if (!got)
			break;
		if (sscanf(line, " node %d", &node) != 1)
			sscanf(line, "memcg %lu %127s", &group, path);
	}
	fclose(list);
	if (!length) {
		errno = ENOENT;
		return -1;
	}
	return knob_write(LRU_GEN, commands);
}

void group_leave(void)
{
	knob_write(CGROUP "/cgroup.procs", "0");
	rmdir(GROUP);
}

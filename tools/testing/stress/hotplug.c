// SPDX-License-Identifier: GPL-2.0
/* Processors but for the first one go and come. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mnt.h"
#include "stress.h"

#define PAUSE 400

enum { WENT, CAME };

static bool switch_to(unsigned int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return !write_file(path, online ? "1" : "0");
}

static void turn(unsigned int worker, struct random random)
{
	unsigned int cpus = sysconf(_SC_NPROCESSORS_CONF);
	bool online = one_in(&random, 2);

	(void)worker;
	if (!switch_to(1 + below(&random, cpus - 1), online))
		wrong("a processor does not go %s", online ? "online" : "offline");
	count(online ? CAME : WENT);
	pause_ms(below(&random, PAUSE));
}

static void end(unsigned int worker)
{
	(void)worker;
	for (unsigned int cpu = sysconf(_SC_NPROCESSORS_CONF) - 1; cpu; cpu--)
		if (!switch_to(cpu, true))
			wrong("processor %u does not come back", cpu);
}

const struct job_class hotplug = {
	.name = "hotplug",
	.workers = 1,
	.counters = { "went", "came" },
	.turn = turn,
	.end = end,
};

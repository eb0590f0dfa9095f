// SPDX-License-Identifier: GPL-2.0
/* The core's parameters change, as often as the core is there and lets them. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "mnt.h"
#include "stress.h"

#define PAUSE 200

enum { SEARCHED, MODES };

static const struct knob {
	const char *path, *values[2];
} knob[] = {
	[SEARCHED] = { "/sys/module/mmu_notifier_rust/parameters/mm_lock_searched", { "N", "Y" } },
	[MODES] = { "/sys/module/mmu_notifier_rust/parameters/mode", { "native", "compatible" } },
};

/* Whether it could be set; one that is not there, or is going, cannot. */
static bool set(unsigned int which, unsigned int value)
{
	struct stat stat_of;

	if (stat(knob[which].path, &stat_of) || !(stat_of.st_mode & S_IWUSR))
		return false;
	if (!write_file(knob[which].path, knob[which].values[value]))
		return true;
	if (!is_absent(errno))
		wrong("%s cannot be set", knob[which].path);
	return false;
}

static void turn(unsigned int worker, struct random random)
{
	unsigned int which = below(&random, 2);

	(void)worker;
	if (set(which, below(&random, 2)))
		count(which);
	pause_ms(below(&random, PAUSE));
}

static void end(unsigned int worker)
{
	(void)worker;
	set(SEARCHED, 0);
	set(MODES, 0);
}

const struct job_class knobs = {
	.name = "knobs",
	.workers = 1,
	.counters = { "searched", "modes" },
	.turn = turn,
	.end = end,
};

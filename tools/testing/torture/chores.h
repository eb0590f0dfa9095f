/* SPDX-License-Identifier: GPL-2.0 */
/* What the machine does meanwhile, to the memory of all. */
#ifndef TORTURE_CHORES_H
#define TORTURE_CHORES_H

#include <stdint.h>
#include <sys/types.h>

struct chore {
	const char *name;
	/* 0 or -errno. */
	int (*run)(uint64_t random);
};

extern const struct chore chores[];
extern const unsigned int chore_count;

/* The processes whose pages are moved about. */
void chores_watch(const pid_t *workers, unsigned int count);

/* Does one after the other until the run is over. */
void chores_run(uint64_t seed);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* What all processes of a run share: when it ends, what was counted, and the first stale read. */
#ifndef TORTURE_SHARED_H
#define TORTURE_SHARED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "secondaries.h"

#define OPERATIONS_MAX 48
#define CHORES_MAX 16

struct count_of_secondary {
	atomic_ulong present, absent;	/* peeks */
	atomic_ulong reads, writes;	/* that succeeded */
	atomic_ulong refused;		/* where the processor has no access */
	atomic_ulong busy;		/* gave up for now */
	atomic_ulong concurrent;	/* reads between two reads of the processor */
};

struct count_of_operation {
	atomic_ulong done;
	atomic_ulong refused;		/* by the kernel */
};

/* Where a thread is. */
struct place {
	unsigned int thread;
	uint64_t step;
	const char *operation;
	const char *region;
	unsigned int page;
};

struct shared {
	atomic_bool over;
	atomic_bool stale;		/* the first one to set it reports */
	atomic_bool broken;		/* the torture itself is */
	uint64_t seed;
	unsigned int left_out;		/* secondaries, a bit each */
	atomic_ulong steps, comparisons;
	struct count_of_operation operation[OPERATIONS_MAX];
	struct count_of_operation chore[CHORES_MAX];
	struct count_of_secondary secondary[SECONDARIES];
	atomic_uint open[SECONDARIES];	/* how many are */
	/* Held for writing while memory is reclaimed from all. */
	pthread_rwlock_t reclaim;
};

extern struct shared *shared;

/* For an address that the processor cannot read. */
#define NO_VALUE (~0ULL)

/* Prints what was found and ends the run. Async-signal-safe: a fork's child may call it. */
void report_stale(const struct place *place, const void *address, uint64_t cpu,
		  const char *secondary, uint64_t seen, const char *what);

/* The torture cannot go on as planned: prints why, with errno, and ends the run. */
void report_broken(const struct place *place, const char *what, int error);

/* Prints the counts as one line of JSON. */
void report_summary(double seconds);

#endif

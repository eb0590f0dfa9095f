/* SPDX-License-Identifier: GPL-2.0 */
/* A thread that owns regions and works through its plan on them. */
#ifndef TORTURE_THREAD_H
#define TORTURE_THREAD_H

#include <pthread.h>

#include "plan.h"
#include "region.h"
#include "secondaries.h"
#include "shared.h"

struct thread {
	unsigned int number;		/* unique in the run */
	char *arena;
	struct region region[REGIONS];
	struct secondary secondary[SECONDARIES];
	int device;			/* that pages move to */
	struct bounce *bounce;
	uint64_t written;		/* the last value; those to come are greater */
	struct place place;
};

/* Value: thread in the highest bits, then this one, then a count. */
#define VALUES_OF_CHILD (1ULL << 47)

/* A value that this thread has never written, greater than all that it has. */
uint64_t thread_next_value(struct thread *thread);

/* Sets up the thread's memory and secondaries. */
void thread_prepare(struct thread *thread, unsigned int number);

/* Steps until the run is over, or for `steps` steps if that is not 0. */
void thread_run(struct thread *thread, uint64_t steps);

void thread_close(struct thread *thread);

/* Clears the soft-dirty bits of the whole process: one thread at a time may rely on them. */
extern pthread_mutex_t soft_dirty_lock;

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* The oracle: what a secondary sees and may do is what the processor sees and may do. */
#ifndef TORTURE_COMPARE_H
#define TORTURE_COMPARE_H

#include "thread.h"

/* Has the sample used through the step's secondaries, so that there is something to invalidate. */
void compare_prime(struct thread *thread, struct region *region, const struct step *step);

/* After the operation: what is held, what is read, what can be written. */
void compare_sample(struct thread *thread, struct region *region, const struct step *step);

/* One page: what is held already, against what the processor sees. */
void compare_held(struct thread *thread, struct region *region, unsigned int page,
		  unsigned int secondaries);

/* Nothing may be held of an address where the processor must have nothing. */
void compare_nothing(struct thread *thread, char *address, unsigned int secondaries);

/* Writes a new value to a page by way of a secondary; whether it could. */
bool compare_write(struct thread *thread, struct region *region, unsigned int page,
		   unsigned int secondary);

/* Writes a new value as the processor. */
void compare_store(struct thread *thread, struct region *region, unsigned int page);

/* A run of the hammer: reads a word of someone's region while it is being worked on. */
void compare_concurrently(struct thread *owner, unsigned int number, uint64_t random,
			  struct bounce *bounce);

#endif

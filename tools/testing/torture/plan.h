/* SPDX-License-Identifier: GPL-2.0 */
/* The random program of a thread: what it does at each step, whatever happens meanwhile. */
#ifndef TORTURE_PLAN_H
#define TORTURE_PLAN_H

#include <stdint.h>

#define SAMPLE 6

/* How a step uses the pages of its sample before the operation. */
enum prime { PRIME_NOTHING, PRIME_READ, PRIME_WRITE };

struct step {
	unsigned int operation;
	unsigned int region;
	unsigned int first;		/* page of the region */
	unsigned int count;		/* pages */
	uint64_t argument;		/* the operation's own choice */
	unsigned int sample[SAMPLE];	/* pages that are looked at */
	enum prime prime;
	unsigned int secondaries;	/* a bit each: which of them are used */
	unsigned int writer;		/* which of them writes */
};

/* Step `number` of a thread; a pure function. */
struct step plan_step(uint64_t seed, unsigned int thread, uint64_t number);

/* A random number that depends on nothing but its arguments. */
uint64_t plan_random(uint64_t seed, uint64_t stream, uint64_t number);

#endif

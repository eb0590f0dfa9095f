/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that depend on the seed alone. */
#ifndef STRESS_RANDOM_H
#define STRESS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

/* SplitMix64. */
static inline uint64_t next_random(struct random *random)
{
	uint64_t value = random->state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static inline unsigned int below(struct random *random, unsigned int limit)
{
	return (next_random(random) >> 16) % limit;
}

static inline bool one_in(struct random *random, unsigned int chances)
{
	return !below(random, chances);
}

/* The numbers of one turn of one worker; each differs from those of all others. */
static inline struct random random_of(uint64_t seed, unsigned int worker, uint64_t number)
{
	struct random of_worker = { next_random(&(struct random){ seed }) ^ worker };

	return (struct random){ next_random(&of_worker) ^ number };
}

#endif

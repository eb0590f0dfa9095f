/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that a seed determines; each step of each program has its own row. */
#ifndef COMPARE_DRAW_H
#define COMPARE_DRAW_H

#include <stdbool.h>
#include <stdint.h>

struct draw {
	uint64_t state;
};

/* The generator SplitMix64. */
static inline uint64_t draw(struct draw *from)
{
	uint64_t value = from->state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static inline struct draw draw_from(uint64_t seed, uint64_t program, uint64_t step)
{
	struct draw from = { seed };

	from.state = draw(&from) ^ program;
	from.state = draw(&from) ^ step;
	return from;
}

static inline unsigned int below(struct draw *from, unsigned int limit)
{
	return (unsigned int)(draw(from) % limit);
}

static inline bool one_in(struct draw *from, unsigned int n)
{
	return !below(from, n);
}

#endif

// SPDX-License-Identifier: GPL-2.0
#include "plan.h"

#include "operations.h"
#include "region.h"

/* The finaliser of SplitMix64: each bit of the result depends on each of the input. */
static uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

uint64_t plan_random(uint64_t seed, uint64_t stream, uint64_t number)
{
	return mix(mix(mix(seed) ^ stream) ^ number);
}

/* Draws from the numbers of one step. */
struct draw {
	uint64_t seed;
	uint64_t drawn;
};

static uint64_t draw(struct draw *from)
{
	return mix(from->seed ^ ++from->drawn << 48);
}

static unsigned int below(struct draw *from, unsigned int limit)
{
	return draw(from) % limit;
}

static unsigned int pick_operation(struct draw *from)
{
	unsigned int number, total = 0, left;

	for (number = 0; number < operation_count; number++)
		total += operations[number].weight;
	left = below(from, total);
	for (number = 0; left >= operations[number].weight; number++)
		left -= operations[number].weight;
	return number;
}

/* A region of a kind that the operation is for. */
static unsigned int pick_region(struct draw *from, unsigned int kinds)
{
	unsigned int region = below(from, REGIONS);

	while (!(kinds & 1U << region_kind[region].kind))
		region = (region + 1) % REGIONS;
	return region;
}

/* Few pages mostly, all of them at times; of huge pages, whole ones. */
static void pick_pages(struct draw *from, const struct region_kind *kind, struct step *step)
{
	unsigned int units = kind->pages / kind->unit;
	unsigned int most = below(from, 8) ? (units < 8 ? units : 8) : units;

	step->first = below(from, units);
	step->count = 1 + below(from, most);
	if (step->first + step->count > units)
		step->count = units - step->first;
	step->first *= kind->unit;
	step->count *= kind->unit;
}

/* The edges from inside and outside, where mistakes are, and any others. */
static void pick_sample(struct draw *from, unsigned int pages, struct step *step)
{
	unsigned int end = step->first + step->count;

	step->sample[0] = step->first;
	step->sample[1] = end - 1;
	step->sample[2] = step->first + below(from, step->count);
	step->sample[3] = step->first ? step->first - 1 : below(from, pages);
	step->sample[4] = end < pages ? end : below(from, pages);
	step->sample[5] = below(from, pages);
}

struct step plan_step(uint64_t seed, unsigned int thread, uint64_t number)
{
	struct draw from = { .seed = plan_random(seed, thread, number) };
	struct step step = { 0 };

	step.operation = pick_operation(&from);
	step.region = pick_region(&from, operations[step.operation].kinds);
	pick_pages(&from, &region_kind[step.region], &step);
	pick_sample(&from, region_kind[step.region].pages, &step);
	step.argument = draw(&from);
	step.prime = below(&from, 8) ? (below(&from, 3) ? PRIME_WRITE : PRIME_READ) : PRIME_NOTHING;
	step.secondaries = below(&from, 4) ? ~0U : (unsigned int)draw(&from);
	step.writer = draw(&from) >> 32;
	return step;
}

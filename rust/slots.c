// SPDX-License-Identifier: GPL-2.0

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>

#include "slots.h"

static DEFINE_PER_CPU_ALIGNED(struct mmn_slots, slots);

struct mmn_slots *mmn_slots_here(void)
{
	return raw_cpu_ptr(&slots);
}

struct mmn_slots *mmn_slots_of(unsigned int cpu)
{
	return cpu_possible(cpu) ? per_cpu_ptr(&slots, cpu) : NULL;
}

struct mmn_slots *mmn_slots_enter(void *key)
{
	struct mmn_slots *here = raw_cpu_ptr(&slots);
	void *expected = NULL;

	if (unlikely(!try_cmpxchg(&here->keys[0], &expected, key)))
		return NULL;
	WRITE_ONCE(here->readers[0].task, current);
	return here;
}

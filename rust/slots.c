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

struct mmn_slot *mmn_slots_enter(void *key)
{
	struct mmn_slot *slot = raw_cpu_ptr(&slots.slots[0]);
	void *expected = NULL;

	if (unlikely(!try_cmpxchg(&slot->key, &expected, key)))
		return NULL;
	WRITE_ONCE(slot->task, current);
	return slot;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where readers of subscription lists say what they read; see slots.rs.
 */
#ifndef MMN_SLOTS_H
#define MMN_SLOTS_H

#include <linux/cache.h>
#include <linux/sched.h>

struct mmn_slot {
	void *key;
	unsigned long turn;
	/* Only looked at when the key has met someone's eye. */
	struct task_struct *task;
	const void *callback;
};

struct mmn_slots {
	struct mmn_slot slots[8];
} ____cacheline_aligned;

/* The slots of the processor that the caller runs on, or ran on a moment ago. */
struct mmn_slots *mmn_slots_here(void);

/* The slots of a processor, or NULL if there can be no such processor. */
struct mmn_slots *mmn_slots_of(unsigned int cpu);

/*
 * Claims the first slot of mmn_slots_here() for @key, with the full barrier of
 * a successful try_cmpxchg(), and puts the current task in; NULL if it is
 * taken. One call instead of three, in the hottest path of all.
 */
struct mmn_slot *mmn_slots_enter(void *key);

#endif /* MMN_SLOTS_H */

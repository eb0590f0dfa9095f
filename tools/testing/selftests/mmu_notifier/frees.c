// SPDX-License-Identifier: GPL-2.0
/*
 * mmu_notifier_synchronize() is what a module calls before its text goes, so
 * everything that was put must have been freed by then. The C core waits for a
 * grace period only: frees queued on another processor may still be to come.
 * The kernel must be booted with srcutree.convert_to_big=1, as SRCU becomes
 * with many processors; with few it runs all callbacks of a domain in order,
 * which hides the defect.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "fixture.h"

#define NOTIFIERS	8

static void run_on(struct __test_metadata *_metadata, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
}

static int pending_after_synchronize(struct __test_metadata *_metadata,
				     struct _test_data_notifier *self, int round)
{
	int pending;

	for (int slot = 0; slot < NOTIFIERS; slot++)
		ASSERT_DONE(mnt_get(self->fd, slot, MNT_RANGE, NULL));
	/* All are put on one processor, the first to be freed takes its time. */
	run_on(_metadata, 1);
	for (int slot = 0; slot < NOTIFIERS; slot++)
		ASSERT_DONE(mnt_put(self->fd, slot));
	run_on(_metadata, 0);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_FREE, round));
	pending = ioctl(self->fd, MNT_SYNCHRONIZE, 0);
	ASSERT_LE(0, pending);
	for (int slot = 0; slot < NOTIFIERS; slot++)
		ASSERT_DONE(mnt_wait_entered(self->fd, slot, MNT_FREE, round));
	return pending;
}

TEST_F(notifier, synchronize_waits_for_frees)
{
	int most = 0;

	BEHAVE(0, .flags = MNT_SLOW_FREE);
	for (int round = 1; round <= 5; round++) {
		int pending = pending_after_synchronize(_metadata, self, round);

		most = pending > most ? pending : most;
	}
	note("up to %d of %d not freed when mmu_notifier_synchronize() came back",
	     most, NOTIFIERS);
	/* Of C it is known, and shown by the line above. */
	if (!c_may_err())
		EXPECT_EQ(0, most) TH_LOG("synchronize left frees pending");
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Unregister and put of a process with a stuck callback wait for it, with either core, however
 * many others are stuck. Unregister waits whether it is of the callback's own subscription or of
 * another one of the mm.
 */
#define _GNU_SOURCE
#include "isolation.h"

/* In the record, nothing returned or was freed before the callback of its mm was left. */
static void expect_order(struct __test_metadata *_metadata, int fd)
{
	const struct mnt_event *events;
	size_t count = mnt_events(fd, &events);
	bool left[MANY] = {};

	for (size_t i = 0; i < count; i++) {
		if (events[i].phase == MNT_LEAVE)
			left[events[i].slot % MANY] = true;
		if ((events[i].hook == MNT_RETURNED && events[i].event == _IOC_NR(MNT_UNREGISTER)) ||
		    events[i].hook == MNT_FREE)
			EXPECT_TRUE(left[events[i].slot % MANY])
				TH_LOG("slot %u was done too early", events[i].slot);
	}
}

/* Each process has two who wait for it: both unregister, or one has put. */
TEST_F_TIMEOUT(notifier, own_waits_for_each_of_many_processes, LIMIT)
{
	struct on_slot slots[2 * MANY];
	struct job jobs[2 * MANY];
	struct stuck stuck = { .nr_processes = MANY };
	const bool c = c_serves();

	for (unsigned int n = 0; n < MANY; n++) {
		stuck.processes[n] = (struct process){
			.fd = self->fd, .area = self->area, .first = n, .count = 1, .counted = true,
		};
		process_start(_metadata, &stuck.processes[n]);
	}
	for (unsigned int n = 0; n < MANY; n++)
		stick(_metadata, &stuck.processes[n], n);
	mnt_trace(self->fd);
	for (unsigned int n = 0; n < MANY; n++) {
		for (unsigned int slot = STUCK(n); slot < 2 * MANY; slot += MANY) {
			slots[slot] = (struct on_slot){ self->fd, slot };
			if (slot == QUIET(n) && n % 2) {
				ASSERT_DONE(mnt_put(self->fd, slot));
				continue;
			}
			job_start(&jobs[slot], run_unregister, &slots[slot]);
		}
	}
	for (unsigned int n = 0; n < MANY; n++) {
		ASSERT_TRUE(job_blocks(&jobs[STUCK(n)], "mmu_notifier_unregister"));
		if (n % 2 == 0)
			ASSERT_TRUE(job_blocks(&jobs[QUIET(n)], "mmu_notifier_unregister"));
	}
	for (unsigned int n = 0; n < MANY; n++) {
		grace_periods();
		for (unsigned int m = n; m < MANY; m++) {
			EXPECT_FALSE(jobs[STUCK(m)].done) TH_LOG("%u with %u to open", m, n);
			EXPECT_FALSE(m % 2 ? mnt_seen(self->fd, QUIET(m), MNT_FREE) :
					     jobs[QUIET(m)].done)
				TH_LOG("%u with %u to open", m, n);
		}
		ASSERT_DONE(ioctl(self->fd, MNT_OPEN, STUCK(n)));
		/* With Rust each goes on with its own gate, with C all with the last one. */
		if (!c)
			ASSERT_TRUE(job_goes_on(&jobs[STUCK(n)], NULL));
	}
	for (unsigned int n = 0; n < MANY; n++) {
		EXPECT_EQ(0, job_join(&jobs[STUCK(n)]));
		EXPECT_EQ(0, n % 2 ? mnt_wait_entered(self->fd, QUIET(n), MNT_FREE, 1) :
				     job_join(&jobs[QUIET(n)]));
	}
	expect_order(_metadata, self->fd);
}

/* Each of the threads in turn is the last one that is inside. */
TEST_F_TIMEOUT(notifier, own_waits_for_each_of_many_threads, LIMIT)
{
	static struct stuck stuck;
	struct process *it = stuck.processes;

	start_processes(_metadata, self, &stuck, 1, MANY);
	for (unsigned int last = 0; last < MANY; last++) {
		struct on_slot quiet = { self->fd, QUIET(last) };
		struct job job;

		for (unsigned int n = 0; n < MANY; n++)
			stick(_metadata, it, n);
		job_start(&job, run_unregister, &quiet);
		ASSERT_TRUE(job_blocks(&job, "mmu_notifier_unregister"));
		for (unsigned int n = 0; n < MANY; n++)
			if (n != last)
				let_go(_metadata, it, n);
		grace_periods();
		ASSERT_TRUE(job_blocks(&job, "mmu_notifier_unregister"))
			TH_LOG("returned though thread %u is stuck", last);
		let_go(_metadata, it, last);
		ASSERT_EQ(0, job_join(&job));
	}
}

TEST_HARNESS_MAIN

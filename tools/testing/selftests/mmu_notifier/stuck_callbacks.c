// SPDX-License-Identifier: GPL-2.0
/*
 * Callbacks that get stuck while others wait for them, for the core to say so. It is told who is
 * stuck and who waits, as thread numbers, and goes on when the suite says "open".
 */
#define _GNU_SOURCE
#include "isolation.h"
#include "talk.h"

#define INCIDENTS	2

static pid_t stuck_thread(int fd, unsigned int hook)
{
	const struct mnt_event *events;
	size_t count = mnt_events(fd, &events);
	pid_t tid = 0;

	for (size_t i = 0; i < count; i++)
		if (events[i].hook == hook && events[i].phase == MNT_ENTER)
			tid = events[i].tid;
	return tid;
}

static long run_remove(void *arg)
{
	struct on_slot *it = arg;

	return mnt_remove(it->fd, it->slot);
}

static void incident(struct __test_metadata *_metadata, struct process *it, unsigned int n,
		     long (*wait)(void *), const char *where, struct on_slot slots[2])
{
	struct job jobs[2];

	stick(_metadata, it, n);
	for (int i = 0; i < 2; i++)
		job_start(&jobs[i], wait, &slots[i]);
	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(job_blocks(&jobs[i], where));
	note("stuck %d waiting %d %d", stuck_thread(it->fd, it->intervals ? MNT_INVALIDATE :
						    MNT_RANGE_START), jobs[0].tid, jobs[1].tid);
	expect_word(_metadata, "open");
	ASSERT_DONE(ioctl(it->fd, MNT_OPEN, STUCK(n)));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, job_join(&jobs[i]));
	note("opened");
}

TEST_F_TIMEOUT(notifier, of_lists, LIMIT)
{
	static struct stuck stuck;

	start_processes(_metadata, self, &stuck, 1, 2 * INCIDENTS);
	for (int i = 0; i < INCIDENTS; i++) {
		struct on_slot slots[] = { { self->fd, QUIET(2 * i) },
					   { self->fd, QUIET(2 * i + 1) } };

		incident(_metadata, stuck.processes, 0, run_unregister,
			 "mmu_notifier_unregister", slots);
	}
}

TEST_F_TIMEOUT(notifier, of_intervals, LIMIT)
{
	static struct process it;

	it = (struct process){
		.fd = self->fd, .area = self->area, .count = 3 * INCIDENTS, .intervals = true,
	};
	process_start(_metadata, &it);
	for (unsigned int i = 0; i < INCIDENTS; i++) {
		/* The one that is called, and one that the range does not touch. */
		struct on_slot slots[] = { { self->fd, STUCK(3 * i) },
					   { self->fd, STUCK(3 * i + 1) } };

		incident(_metadata, &it, 3 * i, run_remove, "mmu_interval_notifier_remove", slots);
	}
}

TEST_HARNESS_MAIN

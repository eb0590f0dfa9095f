// SPDX-License-Identifier: GPL-2.0
/*
 * Stuck callbacks while the core changes. The suite changes it when it is told that all is
 * prepared, and says "go" when it has changed, for all tasks or for all but the stuck one.
 */
#define _GNU_SOURCE
#include "isolation.h"
#include "talk.h"

/* Slots of the others' session: this many of each kind. */
#define OTHERS	5
#define LISTED	0
#define COUNTED	OTHERS
#define EXITING	(2 * OTHERS)

struct child {
	int fd;
	unsigned int slot;
	int ready, end;
};

static void register_and_exit(void *arg)
{
	struct child *it = arg;
	char c;

	if (mnt_register(it->fd, it->slot, MNT_RANGE | MNT_BIT(MNT_RELEASE), 0) ||
	    write(it->ready, "", 1) != 1 || read(it->end, &c, 1) != 1)
		_exit(1);
}

struct others {
	int fd;
	int end;
	pid_t children[OTHERS];
	_Atomic unsigned int done;
};

static long run_others(void *arg)
{
	struct others *it = arg;

	for (int i = 0; i < OTHERS; i++) {
		if (mnt_unregister(it->fd, LISTED + i))
			return -1;
		it->done++;
		if (mnt_put(it->fd, COUNTED + i) ||
		    mnt_wait_entered(it->fd, COUNTED + i, MNT_FREE, 1))
			return -1;
		it->done++;
		if (write(it->end, "", 1) != 1)
			return -1;
	}
	for (int i = 0; i < OTHERS; i++, it->done++)
		if (child_wait(it->children[i]))
			return -1;
	return 0;
}

/* All have registered in C; Rust has adopted them when the callback gets stuck. */
TEST_F_TIMEOUT(notifier, adopted, LIMIT)
{
	const unsigned int ops = MNT_RANGE | MNT_BIT(MNT_RELEASE);
	struct others others = { .fd = self->others };
	static struct stuck stuck;
	int ready[2], end[2];
	struct job job;
	char c;

	ASSERT_TRUE(c_serves());
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(end));
	others.end = end[1];
	start_processes(_metadata, self, &stuck, 1, 1);
	for (int i = 0; i < OTHERS; i++) {
		ASSERT_DONE(mnt_register(self->others, LISTED + i, ops, 0));
		ASSERT_DONE(mnt_get(self->others, COUNTED + i, ops, NULL));
		others.children[i] = child_start(register_and_exit, &(struct child){
			self->others, EXITING + i, ready[1], end[0] });
		ASSERT_EQ(1, read(ready[0], &c, 1));
	}
	note("prepared");
	expect_word(_metadata, "go");

	ASSERT_FALSE(c_serves());
	stick(_metadata, &stuck.processes[0], 0);
	job_start(&job, run_others, &others);
	ASSERT_TRUE(job_goes_on(&job, &others.done)) TH_LOG("waits after %u", others.done);
	ASSERT_EQ(0, job_join(&job));
	for (int i = 0; i < OTHERS; i++)
		EXPECT_EQ(1, mnt_seen(self->others, EXITING + i, MNT_RELEASE));
	EXPECT_EQ(0, mnt_seen(self->fd, STUCK(0), MNT_RANGE_END));
	let_go(_metadata, &stuck.processes[0], 0);
}

/*
 * The callback is stuck in the old core; its mm's other subscription is unregistered by a task
 * that is in the new one. Both cores have to know whom to wait for.
 */
TEST_F_TIMEOUT(notifier, own_waits_across_cores, LIMIT)
{
	struct on_slot own = { self->fd, QUIET(0) }, other = { self->others, LISTED };
	struct job own_job, other_job;
	const struct mnt_event *events;
	const bool c = c_serves();
	static struct stuck stuck;
	bool left = false;
	size_t count;

	start_processes(_metadata, self, &stuck, 1, 1);
	ASSERT_DONE(mnt_register(self->others, LISTED, MNT_RANGE, 0));
	stick(_metadata, &stuck.processes[0], 0);
	mnt_trace(self->fd);
	note("prepared");
	expect_word(_metadata, "go");

	ASSERT_NE(c, c_serves());
	job_start(&own_job, run_unregister, &own);
	job_start(&other_job, run_unregister, &other);
	ASSERT_TRUE(job_blocks(&own_job, "mmu_notifier_unregister"));
	grace_periods();
	ASSERT_TRUE(job_blocks(&own_job, "mmu_notifier_unregister"));
	note("measured: unregister of another process %s",
	     other_job.done ? "has returned" : "waits as well");
	note("waits");
	expect_word(_metadata, "end");

	let_go(_metadata, &stuck.processes[0], 0);
	ASSERT_EQ(0, job_join(&own_job));
	ASSERT_EQ(0, job_join(&other_job));
	count = mnt_events(self->fd, &events);
	for (size_t i = 0; i < count; i++) {
		left |= events[i].phase == MNT_LEAVE;
		if (events[i].hook == MNT_RETURNED)
			EXPECT_TRUE(left);
	}
}

TEST_HARNESS_MAIN

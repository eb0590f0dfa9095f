// SPDX-License-Identifier: GPL-2.0
/*
 * Both cores on one mm. A thread is stopped in an invalidation, in the core
 * that serves; then livepatch is told to change cores and says "go" on standard
 * input: the other threads are in the new core, this one stays in the old one
 * until it comes out. They share the state: what one defers the other inserts,
 * whom one lets wait the other wakes. On "end" the stopped thread goes on.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "fixture.h"
#include "talk.h"

#define STATE(slot)	mnt_state(self->fd, slot)

struct on_slot {
	int fd;
	unsigned int slot;
	__u64 seq;
};

static long run_read_begin(void *arg)
{
	struct on_slot *it = arg;

	return mnt_read_begin(it->fd, it->slot, &it->seq);
}

static long run_remove(void *arg)
{
	struct on_slot *it = arg;

	return mnt_remove(it->fd, it->slot);
}

enum { LIST = 0, STOPPED, REMOVED, COUNTED, NEWCOMER, TAKEN_BACK, OLD_CHILD, NEW_CHILD };

struct life {
	int fd;
	unsigned int slot;
	int begin;
	int end;
};

#define OPS	(MNT_RANGE | MNT_BIT(MNT_RELEASE))

/* Registers, lives until it is told to end, and leaves the rest to exit. */
static void live(void *arg)
{
	struct life *life = arg;
	char c;

	if (life->begin && read(life->begin, &c, 1) != 1)
		_exit(2);
	if (mnt_register(life->fd, life->slot, OPS, 0) ||
	    read(life->end, &c, 1) != 1)
		_exit(1);
}

TEST_F_TIMEOUT(notifier, one_mm_in_both_cores, 240)
{
	struct on_slot reader = { self->fd, STOPPED, 0 };
	struct on_slot removed = { self->fd, REMOVED, 0 };
	struct advice advice = { self->area, PAGE, MADV_DONTNEED };
	struct job stopped, reading, removing;
	pid_t old_child, new_child;
	int begin[2], end[2];

	ASSERT_EQ(0, pipe(end));
	ASSERT_EQ(0, pipe(begin));
	for (int slot = OLD_CHILD; slot <= NEW_CHILD; slot++)
		mnt_behave(self->fd, slot, NULL, 1, (struct mnt_behave){});
	old_child = child_start(live, &(struct life){ self->fd, OLD_CHILD, 0, end[0] });
	new_child = child_start(live, &(struct life){ self->fd, NEW_CHILD, begin[0],
						      end[0] });
	while (STATE(OLD_CHILD).users != 1)
		sched_yield();
	ASSERT_DONE(mnt_register(self->fd, LIST, MNT_RANGE, 0));
	ASSERT_DONE(mnt_get(self->fd, COUNTED, OPS, NULL));
	ASSERT_DONE(mnt_insert(self->fd, STOPPED, self->area, PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, REMOVED, self->area + 4 * PAGE, PAGE, 0));
	BEHAVE(STOPPED, .gates = MNT_BIT(MNT_INVALIDATE));
	job_start(&stopped, run_madvise, &advice);
	ASSERT_DONE(mnt_wait_entered(self->fd, STOPPED, MNT_INVALIDATE, 1));
	note("stopped in %d", stopped.tid);
	expect_word(_metadata, "go");

	/* In the new core from here on, but for the stopped one. */
	ASSERT_DONE(mnt_insert(self->fd, NEWCOMER, self->area, AREA * PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, TAKEN_BACK, self->area, AREA * PAGE, 0));
	EXPECT_EQ(2, STATE(LIST).deferred);
	ASSERT_DONE(mnt_remove(self->fd, TAKEN_BACK));
	EXPECT_EQ(1, STATE(LIST).deferred);
	job_start(&reading, run_read_begin, &reader);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	job_start(&removing, run_remove, &removed);
	ASSERT_TRUE(job_blocks(&removing, "mmu_interval_notifier_remove"));
	EXPECT_EQ(2, STATE(LIST).deferred);
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area + 7 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("3.start 0.start 3.end 0.end", mnt_trace(self->fd));
	EXPECT_EQ(1, STATE(LIST).active_invalidate_ranges);
	EXPECT_EQ(1, STATE(LIST).invalidate_seq & 1);
	ASSERT_DONE(mnt_put(self->fd, COUNTED));
	ASSERT_DONE(mnt_wait_entered(self->fd, COUNTED, MNT_FREE, 1));

	/* One that the old core registered ends, another one begins and ends. */
	ASSERT_EQ(1, write(begin[1], ".", 1));
	ASSERT_EQ(2, write(end[1], "..", 2));
	EXPECT_EQ(0, child_wait(old_child));
	EXPECT_EQ(0, child_wait(new_child));
	EXPECT_EQ(1, mnt_seen(self->fd, OLD_CHILD, MNT_RELEASE));
	EXPECT_EQ(1, mnt_seen(self->fd, NEW_CHILD, MNT_RELEASE));
	ASSERT_DONE(mnt_unregister(self->fd, OLD_CHILD));
	note("done in both");
	expect_word(_metadata, "end");

	/* The old core makes the changes that the new one has deferred. */
	mnt_trace(self->fd);
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, STOPPED));
	ASSERT_EQ(0, job_join(&stopped));
	ASSERT_EQ(0, job_join(&reading));
	ASSERT_EQ(0, job_join(&removing));
	EXPECT_EQ(2, STATE(LIST).intervals);
	EXPECT_EQ(0, STATE(LIST).deferred);
	EXPECT_EQ(0, STATE(LIST).active_invalidate_ranges);
	EXPECT_EQ(0, STATE(LIST).invalidate_seq & 1);
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area + 4 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("4.inv 0.start 0.end", mnt_trace(self->fd));
}

TEST_HARNESS_MAIN

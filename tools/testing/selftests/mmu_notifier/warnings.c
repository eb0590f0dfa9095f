// SPDX-License-Identifier: GPL-2.0
/*
 * What the core warns of: broken drivers. Every test here leaves a warning in
 * the kernel's log, and the mm in a state that goes on working.
 */
#define _GNU_SOURCE
#include "fixture.h"

/* The core warns once, refuses, and registers nothing. */
TEST_F(notifier, tlb_and_range_models_do_not_mix)
{
	unsigned int tlbs = MNT_BIT(MNT_SECONDARY_TLBS);

	ASSERT_FAILS(EINVAL, mnt_register(self->fd, 0, tlbs | MNT_RANGE, 0));
	ASSERT_FAILS(EINVAL, mnt_register(self->fd, 0,
					  tlbs | MNT_BIT(MNT_RANGE_START), 0));
	ASSERT_FAILS(EINVAL, mnt_register(self->fd, 0,
					  tlbs | MNT_BIT(MNT_RANGE_END), 0));
	EXPECT_EQ(0, mnt_state(self->fd, 0).present);
	ASSERT_DONE(mnt_register(self->fd, 0, tlbs, 0));
	EXPECT_EQ(1, mnt_state(self->fd, 0).subscriptions);
}

/*
 * While a callback sleeps no notifier is freed, but one that was put for the
 * last time is gone: get makes another, and one put too many is only warned of.
 */
TEST_F(notifier, a_put_notifier_is_gone_before_it_is_freed)
{
	struct advice advice = { self->area, PAGE, MADV_DONTNEED };
	struct mnt_add first = {}, second = {};
	struct job job;

	ASSERT_DONE(mnt_register(self->fd, 1, MNT_RANGE, 0));
	ASSERT_DONE(mnt_get(self->fd, 0, MNT_BIT(MNT_RELEASE), &first));
	BEHAVE(1, .gates = MNT_BIT(MNT_RANGE_END));
	job_start(&job, run_madvise, &advice);
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_RANGE_END, 1));

	ASSERT_DONE(mnt_put(self->fd, 0));
	EXPECT_EQ(1, mnt_state(self->fd, 1).subscriptions);
	ASSERT_DONE(mnt_put(self->fd, 0));
	EXPECT_EQ(0, mnt_state(self->fd, 0).users);

	mnt_trace(self->fd);
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 1));
	ASSERT_EQ(0, job_join(&job));
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_FREE, 1));
	EXPECT_STREQ("1.end< 0.free", mnt_trace(self->fd));
	ASSERT_DONE(mnt_get(self->fd, 0, MNT_BIT(MNT_RELEASE), &second));
	EXPECT_NE(first.object, second.object);
}

/* A dead mm takes no intervals. */
static void leave_mm_behind(void *arg)
{
	int fd = *(int *)arg;

	if (mnt_insert(fd, 0, (void *)PAGE, PAGE, 0) ||
	    ioctl(fd, MNT_KEEP_MM, 0))
		_exit(1);
}

TEST_F(notifier, a_dead_mm_takes_no_intervals)
{
	ASSERT_EQ(0, child_wait(child_start(leave_mm_behind, &self->fd)));
	ASSERT_FAILS(EINVAL, mnt_insert(self->fd, 1, self->area, PAGE, MNT_KEPT_MM));
	ASSERT_FAILS(EOVERFLOW, mnt_insert(self->fd, 1, self->area, 0, MNT_KEPT_MM));
	EXPECT_EQ(1, mnt_state(self->fd, 0).intervals);
	ASSERT_DONE(mnt_remove(self->fd, 0));
}

static long dontneed(char *area)
{
	return madvise(area, PAGE, MADV_DONTNEED);
}

/* An interval that fails though it may sleep: warned of, and overruled. */
TEST_F(notifier, an_interval_fails_a_blockable_range)
{
	for (int slot = 0; slot < 3; slot++)
		ASSERT_DONE(mnt_insert(self->fd, slot, self->area + slot * PAGE,
				       PAGE, slot == 2 ? MNT_TWO_PASS : 0));
	ASSERT_DONE(mnt_register(self->fd, 3, MNT_RANGE, 0));
	BEHAVE(1, .flags = MNT_FAIL_BLOCKABLE);
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, AREA * PAGE, MADV_DONTNEED));
	EXPECT_STREQ("0.inv 1.inv! 2.pass1 2.pass2 3.start 3.end",
		     mnt_trace(self->fd));
	BEHAVE(2, .flags = MNT_FAIL_BLOCKABLE | MNT_FINISH_AND_FAIL);
	ASSERT_DONE(madvise(self->area, AREA * PAGE, MADV_DONTNEED));
	EXPECT_STREQ("0.inv 1.inv! 2.pass1! 3.start 3.end", mnt_trace(self->fd));
	EXPECT_EQ(0, mnt_state(self->fd, 0).active_invalidate_ranges);
	EXPECT_EQ(0, mnt_state(self->fd, 0).invalidate_seq & 1);
}

/* A start that fails though it may sleep. */
TEST_F(notifier, a_start_fails_a_blockable_range)
{
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_register(self->fd, 1, MNT_BIT(MNT_RANGE_START), 0));
	BEHAVE(1, .flags = MNT_FAIL_BLOCKABLE);
	mnt_trace(self->fd);
	ASSERT_DONE(dontneed(self->area));
	/* C ends it at once, and the VM, which goes on regardless, ends it again. */
	EXPECT_STREQ(c_serves() ? "1.start! 0.start 0.end 0.end" :
		     "1.start! 0.start 0.end", mnt_trace(self->fd));
	BEHAVE(1, .flags = 0);
	ASSERT_DONE(dontneed(self->area));
	EXPECT_STREQ("1.start 0.start 0.end", mnt_trace(self->fd));
}

TEST_HARNESS_MAIN

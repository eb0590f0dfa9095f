// SPDX-License-Identifier: GPL-2.0
/* Intervals that invalidate in two passes: all start, then all finish. */
#define _GNU_SOURCE
#include "fixture.h"

static void insert(struct __test_metadata *_metadata,
		   struct _test_data_notifier *self, unsigned int slot,
		   unsigned int flags)
{
	ASSERT_DONE(mnt_insert(self->fd, slot, self->area + slot * PAGE, PAGE,
			       flags));
}

#define INSERT(slot, flags)	insert(_metadata, self, slot, flags)
#define ALL			madvise(self->area, AREA * PAGE, MADV_DONTNEED)

/* The finish passes come in the order of the start passes, not reversed. */
TEST_F(notifier, all_start_before_one_finishes)
{
	ASSERT_DONE(mnt_register(self->fd, 7, MNT_RANGE, 0));
	INSERT(2, MNT_TWO_PASS);
	INSERT(0, MNT_TWO_PASS);
	INSERT(3, MNT_TWO_PASS);
	INSERT(1, MNT_TWO_PASS);
	mnt_trace(self->fd);
	ASSERT_DONE(ALL);
	EXPECT_STREQ("0.pass1 1.pass1 2.pass1 3.pass1 "
		     "0.pass2 1.pass2 2.pass2 3.pass2 7.start 7.end",
		     mnt_trace(self->fd));
}

/* One-pass intervals are served in between; no finish pass unless asked for. */
TEST_F(notifier, passes_mix)
{
	INSERT(0, MNT_TWO_PASS);
	INSERT(1, 0);
	INSERT(2, MNT_TWO_PASS);
	INSERT(3, MNT_TWO_PASS);
	BEHAVE(2, .flags = MNT_NO_FINISH);
	mnt_trace(self->fd);
	ASSERT_DONE(ALL);
	EXPECT_STREQ("0.pass1 1.inv 2.pass1 3.pass1 0.pass2 3.pass2",
		     mnt_trace(self->fd));
	ASSERT_DONE(madvise(self->area + PAGE, 2 * PAGE, MADV_DONTNEED));
	EXPECT_STREQ("1.inv 2.pass1", mnt_trace(self->fd));
}

struct reader {
	int fd;
	__u64 seq;
};

static long run_read_begin(void *arg)
{
	struct reader *reader = arg;

	return mnt_read_begin(reader->fd, 0, &reader->seq);
}

static long run_remove(void *arg)
{
	return mnt_remove(((struct reader *)arg)->fd, 1);
}

/* The invalidation is not over before its last finish pass is. */
TEST_F(notifier, readers_and_removers_wait_for_the_finish_pass)
{
	struct advice advice = { self->area, AREA * PAGE, MADV_DONTNEED };
	struct job job, reading, removing;
	struct reader reader = { .fd = self->fd };

	INSERT(0, MNT_TWO_PASS);
	INSERT(1, MNT_TWO_PASS);
	BEHAVE(1, .gates = MNT_BIT(MNT_INVALIDATE_FINISH));
	job_start(&job, run_madvise, &advice);
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_INVALIDATE_FINISH, 1));
	job_start(&reading, run_read_begin, &reader);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	job_start(&removing, run_remove, &reader);
	ASSERT_TRUE(job_blocks(&removing, "mmu_interval_notifier_remove"));
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	EXPECT_STREQ("0.inserted 1.inserted 0.pass1 1.pass1 0.pass2 1.pass2",
		     mnt_trace(self->fd));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 1));
	ASSERT_EQ(0, job_join(&job));
	ASSERT_EQ(0, job_join(&reading));
	ASSERT_EQ(0, job_join(&removing));
	EXPECT_EQ(0, strncmp("1.pass2< ", mnt_trace(self->fd), 9));
	EXPECT_EQ(1, mnt_state(self->fd, 0).intervals);
}

static void live_short(void *arg)
{
	int fd = *(int *)arg;

	for (int slot = 0; slot < 3; slot++)
		if (mnt_insert(fd, slot, (void *)(slot * PAGE), PAGE, MNT_TWO_PASS))
			_exit(1);
	for (int slot = 0; slot < 3; slot++)
		mnt_behave(fd, slot, NULL, 0, (struct mnt_behave){});
}

/* Exit tells all there is, in two passes; the unmapping after it does again. */
TEST_F(notifier, exit_makes_both_passes)
{
	ASSERT_EQ(0, child_wait(child_start(live_short, &self->fd)));
	EXPECT_STREQ("0.inserted 1.inserted 2.inserted "
		     "0.pass1 1.pass1 2.pass1 0.pass2 1.pass2 2.pass2 "
		     "0.pass1 1.pass1 2.pass1 0.pass2 1.pass2 2.pass2",
		     mnt_trace(self->fd));
	EXPECT_EQ(0, mnt_state(self->fd, 0).active_invalidate_ranges);
}

TEST_HARNESS_MAIN

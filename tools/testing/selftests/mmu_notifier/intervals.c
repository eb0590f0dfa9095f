// SPDX-License-Identifier: GPL-2.0
/*
 * Interval subscriptions: the collision-retry sequence, and changes of the
 * tree while invalidations are under way.
 */
#define _GNU_SOURCE
#include "fixture.h"

#define STATE(slot)	mnt_state(self->fd, slot)
#define OPEN(slot)	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, slot))

/* Starts an invalidation of a page and waits until its callback is stopped. */
static void stop_in(struct __test_metadata *_metadata,
		    struct _test_data_notifier *self, struct job *job,
		    struct advice *advice, int page, int slot, int hook)
{
	*advice = (struct advice){ self->area + page * PAGE, PAGE, MADV_DONTNEED };
	BEHAVE(slot, .gates = MNT_BIT(hook));
	job_start(job, run_madvise, advice);
	ASSERT_DONE(mnt_wait_entered(self->fd, slot, hook, 1));
}

#define STOP_IN(n, page, slot, hook) \
	stop_in(_metadata, self, &job##n, &advice##n, page, slot, hook)

struct reader {
	int fd;
	unsigned int slot;
	__u64 seq;
};

static long run_read_begin(void *arg)
{
	struct reader *reader = arg;

	return mnt_read_begin(reader->fd, reader->slot, &reader->seq);
}

static long run_remove(void *arg)
{
	struct reader *reader = arg;

	return mnt_remove(reader->fd, reader->slot);
}

TEST_F(notifier, what_insert_refuses)
{
	char *last = (char *)~0UL;

	ASSERT_FAILS(EOVERFLOW, mnt_insert(self->fd, 0, self->area, 0, 0));
	EXPECT_EQ(1, STATE(MNT_SLOTS).has_itree);
	ASSERT_FAILS(EOVERFLOW, mnt_insert(self->fd, 0, last, 2, 0));
	ASSERT_FAILS(EOVERFLOW, mnt_insert(self->fd, 0, self->area, ~0UL, 0));
	ASSERT_FAILS(EOVERFLOW, mnt_insert(self->fd, 0, self->area, 0, MNT_LOCKED));
	EXPECT_EQ(0, STATE(MNT_SLOTS).intervals);

	ASSERT_DONE(mnt_insert(self->fd, 0, last, 1, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, NULL, ~0UL, 0));
	EXPECT_EQ(2, STATE(0).intervals);
	EXPECT_EQ(0, STATE(0).subscriptions);
}

TEST_F(notifier, insert_with_the_mmap_lock_held)
{
	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, MNT_LOCKED));
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area, PAGE, MNT_LOCKED));
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	const struct mnt_event *events;

	EXPECT_EQ(2, mnt_events(self->fd, &events));
}

/* Without an invalidation the reader neither waits nor collides. */
TEST_F(notifier, a_quiet_reader)
{
	__u64 seq;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	EXPECT_EQ(2, STATE(0).invalidate_seq);
	EXPECT_EQ(1, STATE(0).sub_seq);
	ASSERT_DONE(mnt_read_begin(self->fd, 0, &seq));
	EXPECT_EQ(1, seq);
	ASSERT_DONE(madvise(self->area + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(2, STATE(0).invalidate_seq);
	EXPECT_EQ(0, mnt_read_retry(self->fd, 0, seq));
}

TEST_F(notifier, an_invalidation_makes_the_reader_retry)
{
	__u64 seq;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	for (int round = 0; round < 3; round++) {
		ASSERT_DONE(mnt_read_begin(self->fd, 0, &seq));
		ASSERT_EQ(0, mnt_read_retry(self->fd, 0, seq));
		ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
		ASSERT_EQ(1, mnt_read_retry(self->fd, 0, seq));
		EXPECT_EQ(3 + 2 * round, STATE(0).sub_seq);
		EXPECT_EQ(4 + 2 * round, STATE(0).invalidate_seq);
		EXPECT_EQ(0, STATE(0).active_invalidate_ranges);
	}
}

/* A reader that comes during an invalidation sleeps until it has ended. */
TEST_F(notifier, read_begin_waits_for_the_invalidation)
{
	struct reader reader = { self->fd, 0, 0 };
	struct advice advice1;
	struct job job1, reading;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_INVALIDATE);
	EXPECT_EQ(1, STATE(0).active_invalidate_ranges);
	EXPECT_EQ(3, STATE(0).invalidate_seq);
	EXPECT_EQ(3, STATE(0).sub_seq);
	job_start(&reading, run_read_begin, &reader);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	mnt_trace(self->fd);
	OPEN(0);
	ASSERT_EQ(0, job_join(&reading));
	ASSERT_EQ(0, job_join(&job1));
	EXPECT_STREQ("0.inv< 0.read", mnt_trace(self->fd));
	EXPECT_EQ(3, reader.seq);
	EXPECT_EQ(4, STATE(0).invalidate_seq);
	EXPECT_EQ(0, mnt_read_retry(self->fd, 0, reader.seq));
}

/* Ranges that overlap in time make one writer: the last end releases. */
TEST_F(notifier, read_begin_waits_for_the_last_of_two)
{
	struct reader reader = { self->fd, 0, 0 };
	struct advice advice1, advice2;
	struct job job1, job2, reading;
	char *other = area_map(1);

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, other, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_INVALIDATE);
	mnt_behave(self->fd, 1, other, PAGE,
		   (struct mnt_behave){ .gates = MNT_BIT(MNT_INVALIDATE) });
	advice2 = (struct advice){ other, PAGE, MADV_DONTNEED };
	job_start(&job2, run_madvise, &advice2);
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_INVALIDATE, 1));
	EXPECT_EQ(2, STATE(0).active_invalidate_ranges);
	EXPECT_EQ(3, STATE(0).invalidate_seq);
	job_start(&reading, run_read_begin, &reader);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));

	OPEN(0);
	ASSERT_EQ(0, job_join(&job1));
	EXPECT_EQ(1, STATE(0).active_invalidate_ranges);
	EXPECT_EQ(3, STATE(0).invalidate_seq);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	mnt_trace(self->fd);
	OPEN(1);
	ASSERT_EQ(0, job_join(&reading));
	ASSERT_EQ(0, job_join(&job2));
	EXPECT_STREQ("1.inv< 0.read", mnt_trace(self->fd));
}

/*
 * Inserted during an invalidation, it is not in the tree yet but counts as
 * invalidated: its readers wait. The last end puts it into the tree.
 */
TEST_F(notifier, insert_during_an_invalidation_is_deferred)
{
	struct reader reader = { self->fd, 1, 0 };
	struct advice advice1;
	struct job job1, reading;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_INVALIDATE);
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area, AREA * PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 2, self->area, AREA * PAGE, 0));
	EXPECT_EQ(1, STATE(0).intervals);
	EXPECT_EQ(2, STATE(0).deferred);
	EXPECT_EQ(3, STATE(1).sub_seq);
	job_start(&reading, run_read_begin, &reader);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	mnt_trace(self->fd);
	OPEN(0);
	ASSERT_EQ(0, job_join(&reading));
	ASSERT_EQ(0, job_join(&job1));
	EXPECT_STREQ("0.inv< 1.read", mnt_trace(self->fd));
	EXPECT_EQ(3, STATE(0).intervals);
	EXPECT_EQ(0, STATE(0).deferred);
	EXPECT_EQ(0, mnt_read_retry(self->fd, 1, reader.seq));

	ASSERT_DONE(madvise(self->area + 5 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_DONE(mnt_remove(self->fd, 1));
	ASSERT_DONE(madvise(self->area + 5 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(2, mnt_seen(self->fd, 2, MNT_INVALIDATE));
	EXPECT_EQ(1, mnt_seen(self->fd, 1, MNT_INVALIDATE));
	EXPECT_EQ(1, mnt_read_retry(self->fd, 2, 3));
}

/* Removed before it ever came into the tree: at once, and without a trace. */
TEST_F(notifier, remove_of_a_deferred_insert)
{
	struct advice advice1;
	struct job job1;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_INVALIDATE);
	for (int slot = 1; slot <= 3; slot++)
		ASSERT_DONE(mnt_insert(self->fd, slot, self->area, PAGE, 0));
	ASSERT_DONE(mnt_remove(self->fd, 2));
	EXPECT_EQ(2, STATE(0).deferred);
	ASSERT_DONE(mnt_remove(self->fd, 1));
	ASSERT_DONE(mnt_remove(self->fd, 3));
	EXPECT_EQ(0, STATE(0).deferred);
	EXPECT_EQ(1, STATE(0).intervals);
	OPEN(0);
	ASSERT_EQ(0, job_join(&job1));
	EXPECT_EQ(1, STATE(0).intervals);
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("0.inv", mnt_trace(self->fd));
}

/* Once remove is back no callback runs, so it waits for the running one. */
TEST_F(notifier, remove_waits_for_the_running_invalidation)
{
	struct reader its = { self->fd, 0, 0 }, other = { self->fd, 1, 0 };
	struct job job1, removing, removing_other;
	struct advice advice1;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area, PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area + 4 * PAGE, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_INVALIDATE);
	job_start(&removing, run_remove, &its);
	ASSERT_TRUE(job_blocks(&removing, "mmu_interval_notifier_remove"));
	/* The tree may not change, so removal of any other is put off as well. */
	job_start(&removing_other, run_remove, &other);
	ASSERT_TRUE(job_blocks(&removing_other, "mmu_interval_notifier_remove"));
	EXPECT_EQ(2, STATE(0).intervals);
	EXPECT_EQ(2, STATE(0).deferred);
	ASSERT_TRUE(job_blocks(&removing, "mmu_interval_notifier_remove"));
	mnt_trace(self->fd);
	OPEN(0);
	ASSERT_EQ(0, job_join(&removing));
	ASSERT_EQ(0, job_join(&removing_other));
	ASSERT_EQ(0, job_join(&job1));
	EXPECT_EQ('0', mnt_trace(self->fd)[0]);
	EXPECT_EQ(0, STATE(MNT_SLOTS).intervals);
	EXPECT_EQ(0, STATE(MNT_SLOTS).deferred);
	ASSERT_DONE(madvise(self->area, AREA * PAGE, MADV_DONTNEED));
	EXPECT_STREQ("", mnt_trace(self->fd));
}

/*
 * Partially excluded: a range is being invalidated that no interval touches.
 * The tree may change; the newcomer counts as invalidated until the end.
 */
TEST_F(notifier, insert_while_an_untouched_range_is_invalidated)
{
	struct reader reader = { self->fd, 2, 0 };
	struct job job1, reading;
	struct advice advice1;
	const char *trace;
	__u64 seq;

	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area + 4 * PAGE, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_RANGE_START);
	EXPECT_EQ(1, STATE(0).active_invalidate_ranges);
	EXPECT_EQ(2, STATE(0).invalidate_seq);
	/* An interval that is not touched is read as ever. */
	ASSERT_DONE(mnt_read_begin(self->fd, 1, &seq));
	EXPECT_EQ(0, mnt_read_retry(self->fd, 1, seq));

	ASSERT_DONE(mnt_insert(self->fd, 2, self->area + PAGE, PAGE, 0));
	EXPECT_EQ(3, STATE(2).invalidate_seq);
	EXPECT_EQ(3, STATE(2).sub_seq);
	EXPECT_EQ(2, STATE(2).intervals);
	EXPECT_EQ(0, STATE(2).deferred);
	job_start(&reading, run_read_begin, &reader);
	ASSERT_TRUE(job_blocks(&reading, "mmu_interval_read_begin"));
	mnt_trace(self->fd);
	OPEN(0);
	ASSERT_EQ(0, job_join(&reading));
	ASSERT_EQ(0, job_join(&job1));
	/* The intervals are released before the list is told of the end. */
	trace = mnt_trace(self->fd);
	EXPECT_TRUE(!strcmp(trace, "0.start< 0.end 2.read") ||
		    !strcmp(trace, "0.start< 2.read 0.end"));
	EXPECT_EQ(4, STATE(2).invalidate_seq);
	EXPECT_EQ(0, mnt_read_retry(self->fd, 2, reader.seq));
}

/* In the same state remove takes the interval out at once and does not wait. */
TEST_F(notifier, remove_while_an_untouched_range_is_invalidated)
{
	struct advice advice1;
	struct job job1;

	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area + 4 * PAGE, PAGE, 0));
	STOP_IN(1, 0, 0, MNT_RANGE_START);
	ASSERT_DONE(mnt_remove(self->fd, 1));
	EXPECT_EQ(0, STATE(0).intervals);
	EXPECT_EQ(2, STATE(0).invalidate_seq);
	OPEN(0);
	ASSERT_EQ(0, job_join(&job1));
	EXPECT_EQ(2, STATE(0).invalidate_seq);
	EXPECT_EQ(0, STATE(0).active_invalidate_ranges);
}

/* Subtraction and addition wrap, and no value of the sequence is special. */
TEST_F(notifier, the_sequence_wraps)
{
	__u64 starts[] = { ~0ULL - 3, ~0ULL - 1, 0 };
	__u64 seq;

	ASSERT_DONE(mnt_insert(self->fd, 0, self->area + 4 * PAGE, PAGE, 0));
	for (int i = 0; i < 3; i++) {
		struct reader reader = { self->fd, 1, 0 };
		struct job job1, reading;
		struct advice advice1;

		ASSERT_DONE(ioctl(self->fd, MNT_SET_SEQ, &starts[i]));
		ASSERT_DONE(mnt_insert(self->fd, 1, self->area, PAGE, 0));
		EXPECT_EQ(starts[i] - 1, STATE(1).sub_seq);
		ASSERT_DONE(mnt_read_begin(self->fd, 1, &seq));
		EXPECT_EQ(0, mnt_read_retry(self->fd, 1, seq));
		for (int round = 0; round < 3; round++) {
			ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
			EXPECT_EQ(1, mnt_read_retry(self->fd, 1, seq));
			ASSERT_DONE(mnt_read_begin(self->fd, 1, &seq));
			EXPECT_EQ(starts[i] + 1 + 2 * round, seq);
			EXPECT_EQ(0, mnt_read_retry(self->fd, 1, seq));
		}
		ASSERT_DONE(mnt_remove(self->fd, 1));

		/* Waiting readers and removers get through the wrap as well. */
		ASSERT_DONE(ioctl(self->fd, MNT_SET_SEQ, &starts[i]));
		ASSERT_DONE(mnt_insert(self->fd, 1, self->area, PAGE, 0));
		BEHAVE(1, .gates = MNT_BIT(MNT_INVALIDATE));
		advice1 = (struct advice){ self->area, PAGE, MADV_DONTNEED };
		job_start(&job1, run_madvise, &advice1);
		ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_INVALIDATE,
					     4 * i + 4));
		job_start(&reading, i % 2 ? run_read_begin : run_remove, &reader);
		ASSERT_TRUE(job_blocks(&reading, "mmu_interval_"));
		OPEN(1);
		ASSERT_EQ(0, job_join(&reading));
		ASSERT_EQ(0, job_join(&job1));
		if (i % 2)
			ASSERT_DONE(mnt_remove(self->fd, 1));
	}
}

TEST_HARNESS_MAIN

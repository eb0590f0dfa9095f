// SPDX-License-Identifier: GPL-2.0
/* The list changes while a walker of it sleeps in a callback. */
#define _GNU_SOURCE
#include "fixture.h"

#define OPS	(MNT_RANGE | MNT_BIT(MNT_RELEASE))

struct slot {
	int fd;
	unsigned int slot;
};

static long run_unregister(void *arg)
{
	struct slot *it = arg;

	return mnt_unregister(it->fd, it->slot);
}

/* Three on the list (called 2, 1, 0) and a walker that is stopped in one. */
struct walk {
	struct advice advice;
	struct job job;
};

static void start_walk(struct __test_metadata *_metadata,
		       struct _test_data_notifier *self, struct walk *walk,
		       int stop, bool counted)
{
	for (int slot = 0; slot < 3; slot++)
		ASSERT_DONE(counted ? mnt_get(self->fd, slot, OPS, NULL) :
				      mnt_register(self->fd, slot, OPS, 0));
	mnt_trace(self->fd);
	BEHAVE(stop, .gates = MNT_BIT(MNT_RANGE_START));
	walk->advice = (struct advice){ self->area, PAGE, MADV_DONTNEED };
	job_start(&walk->job, run_madvise, &walk->advice);
	ASSERT_DONE(mnt_wait_entered(self->fd, stop, MNT_RANGE_START, 1));
}

#define START_WALK(walk, stop, counted) \
	start_walk(_metadata, self, walk, stop, counted)

static void end_walk(struct __test_metadata *_metadata,
		     struct _test_data_notifier *self, struct walk *walk,
		     int stop)
{
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, stop));
	ASSERT_EQ(0, job_join(&walk->job));
}

/* The very subscription that is being called: unregister waits for it. */
TEST_F(notifier, unregister_of_the_one_being_called)
{
	struct slot slot = { self->fd, 1 };
	struct walk walk;
	struct job job;

	START_WALK(&walk, 1, false);
	job_start(&job, run_unregister, &slot);
	ASSERT_TRUE(job_blocks(&job, "synchronize"));
	EXPECT_EQ(2, mnt_state(self->fd, 0).subscriptions);
	EXPECT_STREQ("2.start 1.start 1.release", mnt_trace(self->fd));
	ASSERT_TRUE(job_blocks(&job, "synchronize"));
	end_walk(_metadata, self, &walk, 1);
	ASSERT_EQ(0, job_join(&job));

	/* The walker finds its way on from a node no longer on the list. */
	const struct mnt_event *events;
	size_t count = mnt_events(self->fd, &events);
	bool left = false, first = false, second = false, returned = false;

	for (size_t i = 0; i < count; i++) {
		left |= events[i].slot == 1 && events[i].phase == MNT_LEAVE;
		if (events[i].hook == MNT_RETURNED) {
			EXPECT_TRUE(left);
			returned = true;
		}
		first |= events[i].slot == 0 && events[i].hook == MNT_RANGE_START;
		second |= events[i].slot == 0 && events[i].hook == MNT_RANGE_END;
		EXPECT_FALSE(events[i].slot == 1 &&
			     events[i].hook == MNT_RANGE_END);
	}
	EXPECT_TRUE(returned);
	EXPECT_TRUE(first);
	EXPECT_TRUE(second);
}

/* Another one of the same mm: a walker may be about to call it, so wait too. */
TEST_F(notifier, unregister_of_another_one)
{
	struct slot slots[2] = { { self->fd, 0 }, { self->fd, 2 } };
	struct job jobs[2];
	struct walk walk;

	START_WALK(&walk, 1, false);
	for (int i = 0; i < 2; i++)
		job_start(&jobs[i], run_unregister, &slots[i]);
	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(job_blocks(&jobs[i], "synchronize"));
	EXPECT_EQ(1, mnt_state(self->fd, 1).subscriptions);
	mnt_trace(self->fd);
	end_walk(_metadata, self, &walk, 1);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, job_join(&jobs[i]));
	/* 0 had not been called yet and is no longer on the list: never. */
	EXPECT_EQ(0, mnt_seen(self->fd, 0, MNT_RANGE_START));
	EXPECT_EQ(1, mnt_seen(self->fd, 1, MNT_RANGE_END));
	EXPECT_EQ(0, mnt_seen(self->fd, 2, MNT_RANGE_END));
}

TEST_F(notifier, put_of_the_one_being_called)
{
	struct walk walk;

	START_WALK(&walk, 1, true);
	ASSERT_DONE(mnt_put(self->fd, 1));
	EXPECT_EQ(2, mnt_state(self->fd, 0).subscriptions);
	EXPECT_STREQ("2.start 1.start 1.put", mnt_trace(self->fd));
	end_walk(_metadata, self, &walk, 1);
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_FREE, 1));
	/* Freed only after its callback has returned. */
	EXPECT_EQ(0, strncmp("1.start< ", mnt_trace(self->fd), 9));
	EXPECT_EQ(1, mnt_seen(self->fd, 0, MNT_RANGE_START));
	EXPECT_EQ(1, mnt_seen(self->fd, 0, MNT_RANGE_END));
	EXPECT_EQ(0, mnt_seen(self->fd, 1, MNT_RANGE_END));
}

TEST_F(notifier, put_of_the_next_one)
{
	struct walk walk;

	START_WALK(&walk, 2, true);
	ASSERT_DONE(mnt_put(self->fd, 1));
	end_walk(_metadata, self, &walk, 2);
	EXPECT_EQ(0, mnt_seen(self->fd, 1, MNT_RANGE_START));
	EXPECT_EQ(1, mnt_seen(self->fd, 0, MNT_RANGE_START));
	EXPECT_EQ(1, mnt_seen(self->fd, 2, MNT_RANGE_END));
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_FREE, 1));
}

/* All of them; the walker stands on a node of an empty list. */
TEST_F(notifier, put_of_all)
{
	struct walk walk;

	START_WALK(&walk, 2, true);
	for (int slot = 0; slot < 3; slot++)
		ASSERT_DONE(mnt_put(self->fd, slot));
	EXPECT_EQ(0, mnt_state(self->fd, MNT_SLOTS).subscriptions);
	mnt_trace(self->fd);
	end_walk(_metadata, self, &walk, 2);
	for (int slot = 0; slot < 3; slot++) {
		ASSERT_DONE(mnt_wait_entered(self->fd, slot, MNT_FREE, 1));
		EXPECT_EQ(0, mnt_seen(self->fd, slot, MNT_RANGE_END));
	}
	EXPECT_EQ(0, strncmp("2.start< ", mnt_trace(self->fd), 9));
}

/* The walk of the ends is a walk like any other. */
TEST_F(notifier, unregister_during_an_end)
{
	struct advice advice = { self->area, PAGE, MADV_DONTNEED };
	struct slot slot = { self->fd, 1 };
	struct job walker, job;

	for (int i = 0; i < 3; i++)
		ASSERT_DONE(mnt_register(self->fd, i, OPS, 0));
	BEHAVE(1, .gates = MNT_BIT(MNT_RANGE_END));
	job_start(&walker, run_madvise, &advice);
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_RANGE_END, 1));
	job_start(&job, run_unregister, &slot);
	ASSERT_TRUE(job_blocks(&job, "synchronize"));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 1));
	ASSERT_EQ(0, job_join(&walker));
	ASSERT_EQ(0, job_join(&job));
	EXPECT_EQ(1, mnt_seen(self->fd, 0, MNT_RANGE_END));
}

TEST_HARNESS_MAIN

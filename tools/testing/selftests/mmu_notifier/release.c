// SPDX-License-Identifier: GPL-2.0
/* The end of a process that has notifiers. */
#define _GNU_SOURCE
#include <fcntl.h>

#include "fixture.h"

#define OPS	(MNT_RANGE | MNT_BIT(MNT_RELEASE))

struct life {
	int fd;
	int ready;
	int end;
	char *area;
	void (*subscribe)(struct life *life);
};

static void live(void *arg)
{
	struct life *life = arg;
	char c;

	life->subscribe(life);
	if (write(life->ready, "", 1) != 1 || read(life->end, &c, 1) != 0)
		_exit(1);
}

/*
 * A child that subscribes, and ends once the caller closes what is returned
 * in @end.
 */
static pid_t start_life(struct __test_metadata *_metadata,
			struct _test_data_notifier *self,
			void (*subscribe)(struct life *), int *end)
{
	int ready[2], ending[2];
	struct life life;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe2(ending, O_CLOEXEC));
	life = (struct life){ self->fd, ready[1], ending[0], self->area, subscribe };
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(ending[1]);
		live(&life);
		_exit(0);
	}
	close(ending[0]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	*end = ending[1];
	mnt_trace(self->fd);
	return child;
}

#define START_LIFE(subscribe, end) start_life(_metadata, self, subscribe, end)

static void subscribe_all_kinds(struct life *it)
{
	mnt_register(it->fd, 0, OPS, 0);
	mnt_register(it->fd, 1, MNT_RANGE, 0);
	mnt_register(it->fd, 2, OPS, 0);
	mnt_insert(it->fd, 3, it->area, PAGE, 0);
	mnt_insert(it->fd, 4, NULL, PAGE, 0);
	mnt_behave(it->fd, 4, NULL, 0, (struct mnt_behave){});
}

/*
 * Intervals are told first, then the list, which is empty from then on: the
 * unmapping that follows tells the intervals only. What is left can be taken back later,
 * and release does not come again.
 */
TEST_F(notifier, exit_releases_and_unregister_comes_after)
{
	pid_t child;
	int end;

	child = START_LIFE(subscribe_all_kinds, &end);
	close(end);
	ASSERT_EQ(0, child_wait(child));
	EXPECT_STREQ("4.inv 3.inv 2.release 0.release 4.inv 3.inv", mnt_trace(self->fd));
	EXPECT_EQ(0, mnt_state(self->fd, 0).subscriptions);
	EXPECT_EQ(2, mnt_state(self->fd, 0).intervals);
	EXPECT_EQ(0, mnt_state(self->fd, 0).active_invalidate_ranges);
	ASSERT_DONE(mnt_remove(self->fd, 4));
	EXPECT_EQ(1, mnt_state(self->fd, 0).intervals);
	ASSERT_DONE(mnt_remove(self->fd, 3));
	for (int slot = 0; slot < 3; slot++)
		ASSERT_DONE(mnt_unregister(self->fd, slot));
	EXPECT_STREQ("4.removed 3.removed 0.unregistered 1.unregistered "
		     "2.unregistered", mnt_trace(self->fd));
}

static void get_three(struct life *it)
{
	for (int slot = 0; slot < 3; slot++)
		mnt_get(it->fd, slot, OPS, NULL);
}

/* put from release: the walk goes on, and each is freed, once and later. */
TEST_F(notifier, put_from_release)
{
	pid_t child;
	int end;

	for (int slot = 0; slot < 3; slot++)
		BEHAVE(slot, .flags = MNT_PUT_IN_RELEASE);
	child = START_LIFE(get_three, &end);
	close(end);
	ASSERT_EQ(0, child_wait(child));
	for (int slot = 0; slot < 3; slot++)
		ASSERT_DONE(mnt_wait_entered(self->fd, slot, MNT_FREE, 1));
	EXPECT_EQ(0, strncmp("2.release 1.release 0.release", mnt_trace(self->fd),
			     29));
}

/* A put after the exit frees too, and a get is not found by another process. */
TEST_F(notifier, put_after_exit)
{
	struct mnt_add mine = {};
	pid_t child;
	int end;

	child = START_LIFE(get_three, &end);
	ASSERT_DONE(mnt_get(self->fd, 5, OPS, &mine));
	close(end);
	ASSERT_EQ(0, child_wait(child));
	EXPECT_EQ(1, mnt_state(self->fd, 5).subscriptions);
	for (int slot = 0; slot < 3; slot++) {
		ASSERT_DONE(mnt_put(self->fd, slot));
		ASSERT_DONE(mnt_wait_entered(self->fd, slot, MNT_FREE, 1));
	}
}

static void subscribe_one(struct life *it)
{
	mnt_register(it->fd, 0, OPS, 0);
}

static long run_unregister(void *fd)
{
	return mnt_unregister(*(int *)fd, 0);
}

/* Exit waits for the release that unregister is still in. */
TEST_F(notifier, exit_waits_for_unregister)
{
	struct job job;
	pid_t child;
	int end;

	BEHAVE(0, .gates = MNT_BIT(MNT_RELEASE), .flags = MNT_GATE_LIVING);
	child = START_LIFE(subscribe_one, &end);
	job_start(&job, run_unregister, &self->fd);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_RELEASE, 1));
	close(end);
	ASSERT_TRUE(child_blocks(child, "synchronize"));
	EXPECT_STREQ("0.release 0.release", mnt_trace(self->fd));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	ASSERT_EQ(0, job_join(&job));
	ASSERT_EQ(0, child_wait(child));
	EXPECT_STREQ("0.release< 0.unregistered", mnt_trace(self->fd));
}

/* unregister waits for the release that exit is still in. */
TEST_F(notifier, unregister_waits_for_exit)
{
	struct job job;
	pid_t child;
	int end;

	BEHAVE(0, .gates = MNT_BIT(MNT_RELEASE), .flags = MNT_GATE_EXITING);
	child = START_LIFE(subscribe_one, &end);
	close(end);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_RELEASE, 1));
	job_start(&job, run_unregister, &self->fd);
	ASSERT_TRUE(job_blocks(&job, "synchronize"));
	EXPECT_STREQ("0.release 0.release", mnt_trace(self->fd));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	ASSERT_EQ(0, job_join(&job));
	ASSERT_EQ(0, child_wait(child));
	EXPECT_STREQ("0.release< 0.unregistered", mnt_trace(self->fd));
}

struct truncation {
	int file;
	int length;
};

static long run_truncate(void *arg)
{
	struct truncation *it = arg;

	return ftruncate(it->file, it->length);
}

/*
 * An invalidation that came through the reverse map is stopped in its start
 * while the process exits. Exit waits for the callback; but as it has emptied
 * the list by then, the end of that range never comes. So it is in C; drivers
 * rely on release instead.
 */
TEST_F(notifier, exit_swallows_the_end_of_a_running_range)
{
	int file = memory_file(2, 0);
	struct truncation truncation = { file, PAGE };
	char *shared = area_map_file(file, 2);
	struct mnt_counts counts;
	struct job job;
	pid_t child;
	int end;

	mnt_behave(self->fd, 0, shared, 2 * PAGE, (struct mnt_behave){
			   .gates = MNT_BIT(MNT_RANGE_START) });
	child = START_LIFE(subscribe_one, &end);
	job_start(&job, run_truncate, &truncation);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_RANGE_START, 1));
	close(end);
	ASSERT_TRUE(child_blocks(child, "synchronize"));
	EXPECT_STREQ("0.start 0.release", mnt_trace(self->fd));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	ASSERT_EQ(0, job_join(&job));
	ASSERT_EQ(0, child_wait(child));
	EXPECT_STREQ("0.start<", mnt_trace(self->fd));
	counts = mnt_counts(self->fd, 0);
	EXPECT_EQ(1, counts.open);
	EXPECT_EQ(0, counts.orphans);
	ASSERT_DONE(mnt_unregister(self->fd, 0));
}

TEST_HARNESS_MAIN

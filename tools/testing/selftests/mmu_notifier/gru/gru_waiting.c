// SPDX-License-Identifier: GPL-2.0
/*
 * While a range is active the range model takes no drop-in of it: it waits for
 * the end. The test driver, subscribed before the contexts and so called after
 * them, holds the range open at its gate; the madvise() that is stopped there
 * has the lock of the area's VMA only.
 */
#define _GNU_SOURCE
#include <string.h>

#include "harness.h"
#include "gru_user.h"

#define AREA	8

FIXTURE(waiting) {
	int driver;
	int fd;
	int flush;		/* a context of the flush model */
	char *area;
	struct job dropper;	/* makes a range active */
	struct job loader;	/* needs a page of it */
	struct advice advice;
	struct load {
		int fd;
		char *from;
		uint64_t value;
	} load;
};

static long load_word(void *arg)
{
	struct load *load = arg;
	int error = gru_load(load->fd, load->from, &load->value);

	errno = error;
	return error ? -1 : 0;
}

/* A signal that ends what it meets. */
static void on_signal(int number __attribute__((unused)))
{
}

FIXTURE_SETUP(waiting)
{
	struct sigaction action = { .sa_handler = on_signal };

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	self->driver = mnt_open();
	ASSERT_LE(0, self->driver) {
		TH_LOG("no /dev/mmu_notifier_test: load the module");
	}
	self->area = area_map(AREA);
	*(uint64_t *)(self->area + 2 * PAGE) = 42;
	*(uint64_t *)(self->area + 6 * PAGE) = 43;
	ASSERT_DONE(mnt_register(self->driver, 0, MNT_RANGE, 0));
	self->fd = gru_open(GRU_MODEL_RANGE, 64);
	ASSERT_LE(0, self->fd) TH_LOG("/dev/gru: %s", strerror(errno));
	self->flush = gru_open(GRU_MODEL_FLUSH, 64);
	ASSERT_LE(0, self->flush);

	self->advice = (struct advice){ self->area, 4 * PAGE, MADV_DONTNEED };
	self->load = (struct load){ self->fd, self->area + 2 * PAGE, 0 };
	mnt_behave(self->driver, 0, self->area, AREA * PAGE,
		   (struct mnt_behave){ .gates = MNT_BIT(MNT_RANGE_START) });
	job_start(&self->dropper, run_madvise, &self->advice);
	ASSERT_DONE(mnt_wait_entered(self->driver, 0, MNT_RANGE_START, 1));
}

FIXTURE_TEARDOWN(waiting)
{
	ioctl(self->driver, MNT_OPEN_ALL, 0);
	close(self->fd);
	close(self->flush);
	close(self->driver);
	area_unmap(self->area, AREA);
}

static void start_loader(struct __test_metadata *_metadata,
			 FIXTURE_DATA(waiting) *self)
{
	job_start(&self->loader, load_word, &self->load);
	while (!gru_stats(self->fd).waits)
		sched_yield();
	ASSERT_TRUE(job_blocks(&self->loader, "[gru]"));
}

TEST_F(waiting, a_drop_in_waits_and_the_end_wakes_it)
{
	struct gru_stats stats;

	start_loader(_metadata, self);
	stats = gru_stats(self->fd);
	EXPECT_EQ(1, stats.refused);
	EXPECT_EQ(1, stats.waits);
	ASSERT_FALSE(self->loader.done);

	ASSERT_DONE(ioctl(self->driver, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&self->dropper));
	EXPECT_EQ(0, job_join(&self->loader));
	/* What it got is from after the range. */
	EXPECT_EQ(0, self->load.value);
	EXPECT_EQ(1, gru_stats(self->fd).waits);
}

/* Other pages are dropped in meanwhile. */
TEST_F(waiting, pages_outside_do_not_wait)
{
	uint64_t value;

	ASSERT_EQ(0, gru_load(self->fd, self->area + 6 * PAGE, &value));
	EXPECT_EQ(43, value);
	EXPECT_EQ(0, gru_stats(self->fd).refused);
	ASSERT_DONE(ioctl(self->driver, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&self->dropper));
}

TEST_F(waiting, a_signal_ends_the_wait)
{
	start_loader(_metadata, self);
	ASSERT_EQ(0, pthread_kill(self->loader.thread, SIGUSR1));
	EXPECT_EQ(-1, job_join(&self->loader));
	EXPECT_EQ(EINTR, errno);
	ASSERT_DONE(ioctl(self->driver, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&self->dropper));
	EXPECT_EQ(0, load_word(&self->load));
	EXPECT_EQ(0, self->load.value);
}

/* A queue that waits in the middle tells how far it came. */
TEST_F(waiting, a_signal_ends_a_queue)
{
	struct gru_instruction queue[4] = {};
	struct gru_run run = { (uintptr_t)queue, 4, 0 };
	struct command command = { self->fd, GRU_RUN, &run };
	unsigned int done;
	struct job runner;

	for (unsigned int i = 0; i < 4; i++)
		queue[i] = (struct gru_instruction){
			.op = GRU_OP_FILL,
			.status = ~0u,
			.dst = (uintptr_t)self->area + (7 - i) * PAGE,
			.length = WORD,
			.value = i,
		};
	queue[2].dst = (uintptr_t)self->area + 2 * PAGE;
	job_start(&runner, run_command, &command);
	while (!gru_stats(self->fd).waits)
		sched_yield();
	ASSERT_EQ(0, pthread_kill(runner.thread, SIGUSR1));
	EXPECT_EQ(-1, job_join(&runner));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(2, run.done);
	EXPECT_EQ(0, queue[1].status);
	EXPECT_EQ(EINTR, queue[2].status);
	EXPECT_EQ(~0u, queue[3].status);
	ASSERT_DONE(ioctl(self->driver, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&self->dropper));
	EXPECT_EQ(0, gru_run(self->fd, queue + 2, 2, &done));
	EXPECT_EQ(2, done);
}

/* The flush model knows no active ranges: it sees the page that still is there. */
TEST_F(waiting, the_flush_model_does_not_wait)
{
	uint64_t value;

	ASSERT_EQ(0, gru_load(self->flush, self->area + 2 * PAGE, &value));
	EXPECT_EQ(42, value);
	EXPECT_EQ(0, gru_stats(self->flush).refused);
	ASSERT_DONE(ioctl(self->driver, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&self->dropper));
	ASSERT_EQ(0, gru_load(self->flush, self->area + 2 * PAGE, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, gru_stats(self->flush).waits);
}

TEST_HARNESS_MAIN

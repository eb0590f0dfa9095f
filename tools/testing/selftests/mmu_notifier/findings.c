// SPDX-License-Identifier: GPL-2.0
/*
 * What is right and the C core does not do: Documentation/findings.rst. These
 * fail with it, in the words below, and pass with the Rust core. The last one
 * leaves a warning in the kernel's log.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "fixture.h"

/* Longer than job_goes_on() waits for what does not. */
#define LIMIT	120

/* A process of its own, and what it does after it has subscribed. */
struct other {
	int fd;
	int file;
	char *area;
	int ready[2], go[2];
};

static void wait_for(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		_exit(1);
}

static void tell(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(1);
}

static pid_t start(struct __test_metadata *_metadata, struct other *other,
		   void (*run)(void *other))
{
	pid_t child;

	ASSERT_EQ(0, pipe(other->ready));
	ASSERT_EQ(0, pipe(other->go));
	child = child_start(run, other);
	wait_for(other->ready[0]);
	return child;
}

static void subscribe_and_invalidate(void *arg)
{
	struct other *it = arg;

	if (mnt_register(it->fd, 0, MNT_RANGE, 0))
		_exit(1);
	tell(it->ready[1]);
	wait_for(it->go[0]);
	madvise(it->area, PAGE, MADV_DONTNEED);
}

static long unregister(void *arg)
{
	return mnt_unregister(*(int *)arg, 0);
}

/* One SRCU domain serves all: who unregisters waits for every callback there is. */
TEST_F_TIMEOUT(notifier, a_stuck_callback_holds_up_no_other_process, LIMIT)
{
	struct other stuck = { .fd = self->fd, .area = self->area };
	pid_t child = start(_metadata, &stuck, subscribe_and_invalidate);
	int mine = mnt_open();
	struct job job;

	ASSERT_DONE(mnt_register(mine, 0, MNT_RANGE, 0));
	BEHAVE(0, .gates = MNT_BIT(MNT_RANGE_START));
	tell(stuck.go[1]);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_RANGE_START, 1));
	job_start(&job, unregister, &mine);
	EXPECT_TRUE(job_goes_on(&job, NULL)) TH_LOG("unregister waits for another process");
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&job));
	EXPECT_EQ(0, child_wait(child));
	close(mine);
}

static void subscribe_twice(void *arg)
{
	struct other *it = arg;

	/* Where the test looks. */
	if (mmap(it->area, AREA * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 it->file, 0) != it->area)
		_exit(1);
	*it->area = 1;
	if (mnt_register(it->fd, 0, MNT_RANGE, 0))
		_exit(1);
	tell(it->ready[1]);
	wait_for(it->go[0]);
	if (mnt_register(it->fd, 1, MNT_RANGE, 0))
		_exit(1);
}

static void subscribe(void *arg)
{
	struct other *it = arg;

	tell(it->ready[1]);
	wait_for(it->go[0]);
	if (mnt_register(it->fd, 2, MNT_RANGE, 0))
		_exit(1);
}

static long truncate_file(void *file)
{
	return ftruncate(*(int *)file, 0);
}

static long await_child(void *child)
{
	return child_wait(*(pid_t *)child);
}

/*
 * A registration has to wait, for a lock of a file that is being truncated. It
 * does so with mm_all_locks_mutex held, which all other registrations need.
 */
TEST_F_TIMEOUT(notifier, a_registration_that_waits_holds_up_no_other, LIMIT)
{
	int file = memory_file(AREA, 0);
	struct other waiting = { .fd = self->fd, .file = file, .area = self->area };
	struct other free = { .fd = self->fd };
	pid_t waits = start(_metadata, &waiting, subscribe_twice);
	pid_t other = start(_metadata, &free, subscribe);
	struct job truncation, end;

	BEHAVE(0, .gates = MNT_BIT(MNT_RANGE_START));
	job_start(&truncation, truncate_file, &file);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_RANGE_START, 1));
	tell(waiting.go[1]);
	ASSERT_TRUE(child_blocks(waits, "mnt_register"));
	tell(free.go[1]);
	job_start(&end, await_child, &other);
	EXPECT_TRUE(job_goes_on(&end, NULL)) TH_LOG("register waits for another process");
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	EXPECT_EQ(0, job_join(&truncation));
	EXPECT_EQ(0, job_join(&end));
	EXPECT_EQ(0, child_wait(waits));
}

/*
 * A start that may block must not fail. One that does is warned of, and the VM
 * goes on and ends what it has started: all others are to get that end once.
 */
TEST_F(notifier, a_start_that_fails_is_ended_once)
{
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_register(self->fd, 1, MNT_BIT(MNT_RANGE_START), 0));
	BEHAVE(1, .flags = MNT_FAIL_BLOCKABLE);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, mnt_counts(self->fd, 0).orphans) TH_LOG("an end without its start");
	EXPECT_EQ(0, mnt_counts(self->fd, 0).open);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* register and unregister, get and put, and what they refuse. */
#define _GNU_SOURCE
#include "fixture.h"

static void nothing(void *arg)
{
	(void)arg;
}

#define RELEASE_AND_RANGE	(MNT_RANGE | MNT_BIT(MNT_RELEASE))

/* unregister calls release, leaves nothing behind, and allows another round. */
TEST_F(notifier, register_and_unregister)
{
	for (int round = 0; round < 2; round++) {
		ASSERT_DONE(mnt_register(self->fd, 0, RELEASE_AND_RANGE, 0));
		EXPECT_EQ(1, mnt_state(self->fd, 0).present);
		EXPECT_EQ(1, mnt_state(self->fd, 0).subscriptions);
		EXPECT_EQ(1, mnt_state(self->fd, 0).users);
		EXPECT_EQ(0, mnt_state(self->fd, 0).has_itree);
		ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
		ASSERT_DONE(mnt_unregister(self->fd, 0));
		EXPECT_EQ(0, mnt_state(self->fd, 0).subscriptions);
		ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
		EXPECT_STREQ("0.registered 0.start 0.end 0.release 0.unregistered",
			     mnt_trace(self->fd));
	}
}

TEST_F(notifier, register_with_the_mmap_lock_held)
{
	ASSERT_DONE(mnt_register(self->fd, 0, RELEASE_AND_RANGE, MNT_LOCKED));
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("0.registered 0.start 0.end", mnt_trace(self->fd));
}

/* An absent callback is skipped, and the present ones are still called. */
TEST_F(notifier, absent_callbacks_are_skipped)
{
	ASSERT_DONE(mnt_register(self->fd, 0, 0, 0));
	ASSERT_DONE(mnt_register(self->fd, 1, MNT_BIT(MNT_RANGE_START), 0));
	ASSERT_DONE(mnt_register(self->fd, 2, MNT_BIT(MNT_RANGE_END), 0));
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	for (int slot = 0; slot < 3; slot++)
		ASSERT_DONE(mnt_unregister(self->fd, slot));
	EXPECT_STREQ("0.registered 1.registered 2.registered 1.start 2.end "
		     "0.unregistered 1.unregistered 2.unregistered",
		     mnt_trace(self->fd));
}

/* Many subscriptions of one mm are called the newest first, each one once. */
TEST_F(notifier, the_newest_is_called_first)
{
	for (int slot = 0; slot < 4; slot++)
		ASSERT_DONE(mnt_register(self->fd, slot, MNT_RANGE, 0));
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("3.start 2.start 1.start 0.start 3.end 2.end 1.end 0.end",
		     mnt_trace(self->fd));
	ASSERT_DONE(mnt_unregister(self->fd, 2));
	ASSERT_DONE(mnt_register(self->fd, 2, MNT_RANGE, 0));
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("2.start 3.start 1.start 0.start 2.end 3.end 1.end 0.end",
		     mnt_trace(self->fd));
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A pending signal ends registration with EINTR and leaves the mm as it was. */
TEST_F(notifier, a_signal_interrupts_registration)
{
	struct mnt_add get = { .flags = MNT_SIGUSR1 };

	signal(SIGUSR1, on_signal);
	ASSERT_FAILS(EINTR, mnt_register(self->fd, 0, MNT_RANGE, MNT_SIGUSR1));
	ASSERT_FAILS(EINTR, mnt_get(self->fd, 1, MNT_RANGE, &get));
	ASSERT_FAILS(EINTR, mnt_insert(self->fd, 2, self->area, PAGE, MNT_SIGUSR1));
	EXPECT_EQ(0, mnt_state(self->fd, MNT_SLOTS).present);
	EXPECT_STREQ("0.registered! 1.alloc 1.free 1.got! 2.inserted!",
		     mnt_trace(self->fd));

	/* Whatever was left locked would stop one of these. */
	ASSERT_DONE(mprotect(self->area + PAGE, PAGE, PROT_READ));
	ASSERT_DONE(munmap(self->area + 2 * PAGE, PAGE));
	ASSERT_EQ(0, child_wait(child_start(nothing, NULL)));
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 2, self->area, PAGE, 0));
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("2.inv 0.start 0.end", mnt_trace(self->fd));
}

static void register_killed(void *fd)
{
	mnt_register(*(int *)fd, 0, MNT_RANGE, MNT_SIGKILL);
}

/* The same with a fatal signal, on files that others go on using. */
TEST_F(notifier, a_fatal_signal_interrupts_registration)
{
	int file = memory_file(2, 0);
	char *shared = area_map_file(file, 2);

	for (int round = 0; round < 8; round++)
		ASSERT_EQ(-SIGKILL, child_wait(child_start(register_killed,
							   &self->fd)));
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(ftruncate(file, PAGE));
	ASSERT_DONE(munmap(shared, PAGE));
}

struct seen_by_child {
	int fd;
	char *area;
};

static void child_of_registered(void *arg)
{
	struct seen_by_child *it = arg;

	if (mnt_state(it->fd, MNT_SLOTS).present)
		_exit(1);
	if (madvise(it->area, PAGE, MADV_DONTNEED))
		_exit(2);
	if (mnt_register(it->fd, 1, MNT_RANGE, 0))
		_exit(3);
	if (mnt_state(it->fd, MNT_SLOTS).subscriptions != 1)
		_exit(4);
	if (madvise(it->area, PAGE, MADV_DONTNEED))
		_exit(5);
}

/* A child has no notifiers until it registers its own. */
TEST_F(notifier, a_child_has_no_notifiers)
{
	struct seen_by_child it = { self->fd, self->area };

	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_EQ(0, child_wait(child_start(child_of_registered, &it)));
	EXPECT_STREQ("0.registered 0.start 0.end 1.registered 1.start 1.end",
		     mnt_trace(self->fd));
	EXPECT_EQ(1, mnt_state(self->fd, 0).subscriptions);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* mmu_notifier_get() and mmu_notifier_put(): one notifier, counted users. */
#define _GNU_SOURCE
#include <limits.h>

#include "fixture.h"

#define OPS	(MNT_RANGE | MNT_BIT(MNT_RELEASE))

/* The last put frees it, once and later; release is not for put. */
TEST_F(notifier, get_finds_the_same_and_put_frees_it_once)
{
	struct mnt_add first = {}, second = {};

	ASSERT_DONE(mnt_get(self->fd, 0, OPS, &first));
	ASSERT_DONE(mnt_get(self->fd, 0, OPS, &second));
	EXPECT_EQ(first.object, second.object);
	EXPECT_EQ(1, first.users);
	EXPECT_EQ(2, second.users);
	EXPECT_EQ(1, mnt_state(self->fd, 0).subscriptions);

	ASSERT_DONE(mnt_put(self->fd, 0));
	EXPECT_EQ(1, mnt_state(self->fd, 0).users);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("0.alloc 0.got 0.got 0.put 0.start 0.end",
		     mnt_trace(self->fd));
	ASSERT_DONE(mnt_put(self->fd, 0));
	EXPECT_EQ(0, mnt_state(self->fd, MNT_SLOTS).subscriptions);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_FREE, 1));
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));

	ASSERT_DONE(mnt_get(self->fd, 0, OPS, &first));
	EXPECT_NE(first.object, second.object);
	ASSERT_DONE(mnt_put(self->fd, 0));
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_FREE, 2));
}

/* Other operations make another notifier, on the same mm. */
TEST_F(notifier, the_ops_tell_notifiers_apart)
{
	ASSERT_DONE(mnt_get(self->fd, 0, OPS, NULL));
	ASSERT_DONE(mnt_get(self->fd, 1, OPS, NULL));
	ASSERT_DONE(mnt_get(self->fd, 0, OPS, NULL));
	EXPECT_EQ(2, mnt_state(self->fd, 0).subscriptions);
	EXPECT_EQ(2, mnt_state(self->fd, 0).users);
	EXPECT_EQ(1, mnt_state(self->fd, 1).users);
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("1.start 0.start 1.end 0.end", mnt_trace(self->fd));
}

TEST_F(notifier, the_count_of_users_does_not_overflow)
{
	struct mnt_state users = { .slot = 0, .users = UINT_MAX };
	struct mnt_add add = {};

	ASSERT_DONE(mnt_get(self->fd, 0, OPS, &add));
	ASSERT_DONE(ioctl(self->fd, MNT_SET_USERS, &users));
	ASSERT_FAILS(EOVERFLOW, mnt_get(self->fd, 0, OPS, &add));
	EXPECT_EQ(UINT_MAX, mnt_state(self->fd, 0).users);
	users.users = UINT_MAX - 1;
	ASSERT_DONE(ioctl(self->fd, MNT_SET_USERS, &users));
	ASSERT_DONE(mnt_get(self->fd, 0, OPS, &add));
	EXPECT_EQ(UINT_MAX, mnt_state(self->fd, 0).users);
	ASSERT_FAILS(EOVERFLOW, mnt_get(self->fd, 0, OPS, &add));
	users.users = 2;
	ASSERT_DONE(ioctl(self->fd, MNT_SET_USERS, &users));
	EXPECT_STREQ("0.alloc 0.got 0.got! 0.got 0.got!", mnt_trace(self->fd));
}

/* What alloc_notifier answers is what the caller gets; nothing is registered. */
TEST_F(notifier, a_failed_alloc_registers_nothing)
{
	BEHAVE(0, .flags = MNT_FAIL_ALLOC);
	ASSERT_FAILS(ENOMEM, mnt_get(self->fd, 0, OPS, NULL));
	EXPECT_EQ(0, mnt_state(self->fd, MNT_SLOTS).present);
	EXPECT_STREQ("0.alloc! 0.got!", mnt_trace(self->fd));
	BEHAVE(0, .flags = 0);
	ASSERT_DONE(mnt_get(self->fd, 0, OPS, NULL));
}

struct get {
	int fd;
	struct mnt_add add;
	pthread_barrier_t *together;
};

static long run_get(void *arg)
{
	struct get *get = arg;

	pthread_barrier_wait(get->together);
	return mnt_get(get->fd, 0, OPS, &get->add);
}

/* Threads that get at the same time share one notifier. */
TEST_F(notifier, concurrent_gets_share_one)
{
	pthread_barrier_t together;
	struct get gets[4];
	struct job jobs[4];

	pthread_barrier_init(&together, NULL, 4);
	for (int round = 1; round <= 50; round++) {
		for (int i = 0; i < 4; i++) {
			gets[i] = (struct get){ self->fd, {}, &together };
			job_start(&jobs[i], run_get, &gets[i]);
		}
		for (int i = 0; i < 4; i++)
			ASSERT_EQ(0, job_join(&jobs[i]));
		ASSERT_EQ(4, mnt_state(self->fd, 0).users);
		ASSERT_EQ(1, mnt_state(self->fd, 0).subscriptions);
		for (int i = 0; i < 4; i++) {
			ASSERT_EQ(gets[0].add.object, gets[i].add.object);
			ASSERT_DONE(mnt_put(self->fd, 0));
		}
		ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_FREE, round));
	}
}

/* register and put go together too, when the driver can free. */
TEST_F(notifier, put_of_a_registered_notifier)
{
	ASSERT_DONE(mnt_register(self->fd, 0, OPS, 0));
	ASSERT_DONE(mnt_put(self->fd, 0));
	EXPECT_EQ(0, mnt_state(self->fd, MNT_SLOTS).subscriptions);
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_FREE, 1));
	EXPECT_STREQ("0.registered 0.put 0.free", mnt_trace(self->fd));
}

TEST_HARNESS_MAIN

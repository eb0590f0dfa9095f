// SPDX-License-Identifier: GPL-2.0
/* Every bad input has the errno that emm.h gives it, and changes nothing. */
#define _GNU_SOURCE
#include <string.h>

#include "harness.h"
#include "emm_user.h"

#define FAR	((void *)(1UL << 62))	/* an address that no process has */
#define TOP	((void *)-PAGE)

FIXTURE(emm) {
	int fd;
	char *area;
};

/* There is something to lose: the record of two calls. */
FIXTURE_SETUP(emm)
{
	self->fd = emm_open();
	ASSERT_LE(0, self->fd) TH_LOG("/dev/emm: %s", strerror(errno));
	self->area = area_map(2);
	ASSERT_EQ(0, emm_watch(self->fd, self->area, PAGE));
	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
}

FIXTURE_TEARDOWN(emm)
{
	EXPECT_STREQ("start[0,1) end[0,1)", emm_trace(self->fd, self->area));
	EXPECT_EQ(1, emm_counts(self->fd).calls[EMM_INVALIDATE_START]);
	close(self->fd);
	area_unmap(self->area, 2);
}

TEST_F(emm, unknown_numbers)
{
	char argument[256] = {};

	for (unsigned int nr = 4; nr < 256; nr++)
		ASSERT_FAILS(ENOTTY, ioctl(self->fd, _IO(0xB8, nr), argument));
	ASSERT_FAILS(ENOTTY, ioctl(self->fd, _IOW(0xB8, 0, char[8]), argument));
	ASSERT_FAILS(ENOTTY, ioctl(self->fd, _IOW(0xB8, 1, struct emm_read), argument));
	ASSERT_FAILS(ENOTTY, ioctl(self->fd, _IOR(0xB8, 2, char[8]), argument));
	ASSERT_FAILS(ENOTTY, ioctl(self->fd, _IOW(0xB8, 3, int), argument));
	ASSERT_FAILS(ENOTTY, ioctl(self->fd, _IO(0xB7, 0), argument));
}

TEST_F(emm, unusable_arguments)
{
	static const unsigned long commands[] = { EMM_WATCH, EMM_READ, EMM_COUNTS };

	for (size_t i = 0; i < 3; i++) {
		ASSERT_FAILS(EFAULT, ioctl(self->fd, commands[i], NULL));
		ASSERT_FAILS(EFAULT, ioctl(self->fd, commands[i], TOP));
		ASSERT_FAILS(EFAULT, ioctl(self->fd, commands[i], FAR));
	}
}

TEST_F(emm, watches_of_nothing)
{
	struct emm_watch watch = { 5, 5 };

	ASSERT_FAILS(EINVAL, ioctl(self->fd, EMM_WATCH, &watch));
	watch.end = 4;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, EMM_WATCH, &watch));
	watch.end = 0;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, EMM_WATCH, &watch));
	watch.start = -1UL;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, EMM_WATCH, &watch));
}

/* What could not be handed out is still there. */
TEST_F(emm, reads_that_fail)
{
	struct emm_record *records = (void *)(self->area + PAGE);
	struct emm_read *arg = (void *)(self->area + 2 * PAGE - sizeof(*arg));
	unsigned int count, lost;

	EXPECT_EQ(EINVAL, emm_read(self->fd, records, 0, &count, &lost));
	EXPECT_EQ(EINVAL, emm_read(self->fd, records, EMM_RECORDS + 1, &count, &lost));
	EXPECT_EQ(EINVAL, emm_read(self->fd, records, ~0u, &count, &lost));
	EXPECT_EQ(EFAULT, emm_read(self->fd, NULL, 4, &count, &lost));
	EXPECT_EQ(EFAULT, emm_read(self->fd, FAR, 4, &count, &lost));
	EXPECT_EQ(EFAULT, emm_read(self->fd, TOP, 4, &count, &lost));
	/* The second one does not fit. */
	EXPECT_EQ(EFAULT, emm_read(self->fd, (void *)((char *)records + PAGE -
						      sizeof(*records)),
				   2, &count, &lost));
	/* Records could be written, but not their count. */
	*arg = (struct emm_read){ (uintptr_t)self->area, 4, 0 };
	ASSERT_DONE(mprotect(self->area + PAGE, PAGE, PROT_READ));
	ASSERT_FAILS(EFAULT, ioctl(self->fd, EMM_READ, arg));
}

TEST_F(emm, answers_that_are_none)
{
	EXPECT_EQ(EINVAL, emm_answer(self->fd, 2));
	EXPECT_EQ(EINVAL, emm_answer(self->fd, -1UL));
}

TEST_HARNESS_MAIN

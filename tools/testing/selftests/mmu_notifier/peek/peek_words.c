// SPDX-License-Identifier: GPL-2.0
/* What /dev/peek reads is what is there, whatever has become of the page. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "peek.h"

#define PAGE	4096UL
#define PAGES	16UL
#define SIZE	(PAGES * PAGE)

FIXTURE(peek) {
	int fd;
	char *area;
};

static __u64 *word(char *area, size_t page)
{
	return (__u64 *)(area + page * PAGE);
}

static int peek(int fd, const void *addr, __u64 *value)
{
	struct peek_read read = { .addr = (uintptr_t)addr };
	int failed = ioctl(fd, PEEK_READ, &read);

	*value = read.value;
	return failed;
}

#define EXPECT_PEEKS(value, addr) do {				\
	__u64 seen_;						\
	ASSERT_DONE(peek(self->fd, addr, &seen_));		\
	EXPECT_EQ(value, seen_);				\
} while (0)

#define EXPECT_REFUSED(error, addr) do {			\
	__u64 seen_;						\
	EXPECT_EQ(-1, peek(self->fd, addr, &seen_));		\
	EXPECT_EQ(error, errno);				\
} while (0)

FIXTURE_SETUP(peek)
{
	self->fd = open("/dev/peek", O_RDWR);
	ASSERT_LE(0, self->fd) TH_LOG("no /dev/peek: load the module");
	self->area = area_map(PAGES);
	for (size_t page = 0; page < PAGES; page++) {
		*word(self->area, page) = page + 1;
		EXPECT_PEEKS(page + 1, word(self->area, page));
	}
}

FIXTURE_TEARDOWN(peek)
{
	area_unmap(self->area, PAGES);
	close(self->fd);
}

TEST_F(peek, keeps_translations)
{
	struct peek_counts counts;

	for (size_t page = 0; page < PAGES; page++)
		EXPECT_PEEKS(page + 1, word(self->area, page));
	ASSERT_DONE(ioctl(self->fd, PEEK_COUNTS, &counts));
	EXPECT_EQ(PAGES, counts.faults);
	EXPECT_EQ(0, counts.dropped);
}

TEST_F(peek, follows_the_memory)
{
	struct peek_counts counts;

	ASSERT_EQ(0, madvise(self->area, PAGE, MADV_DONTNEED));
	EXPECT_PEEKS(0, word(self->area, 0));
	ASSERT_EQ(word(self->area, 1),
		  mremap(self->area + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 self->area + PAGE));
	EXPECT_PEEKS(3, word(self->area, 1));
	EXPECT_REFUSED(EFAULT, word(self->area, 2));
	ASSERT_EQ(0, mprotect(self->area + 3 * PAGE, PAGE, PROT_NONE));
	EXPECT_REFUSED(EFAULT, word(self->area, 3));
	ASSERT_DONE(ioctl(self->fd, PEEK_COUNTS, &counts));
	EXPECT_EQ(4, counts.dropped);
}

static void writes(void *area)
{
	*word(area, 5) = 55;
}

TEST_F(peek, sees_the_parents_copy)
{
	/* The parent's and the child's pages are one until somebody writes. */
	pid_t child = child_start(writes, self->area);

	EXPECT_PEEKS(6, word(self->area, 5));
	EXPECT_EQ(0, child_wait(child));
	EXPECT_PEEKS(6, word(self->area, 5));
	*word(self->area, 5) = 56;
	EXPECT_PEEKS(56, word(self->area, 5));
}

TEST_F(peek, refuses)
{
	struct peek_counts counts;

	EXPECT_REFUSED(EINVAL, self->area + 4);
	EXPECT_REFUSED(EFAULT, NULL);
	EXPECT_EQ(-1, ioctl(self->fd, PEEK_READ, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IO(0xB9, 7)));
	EXPECT_EQ(ENOTTY, errno);
	ASSERT_DONE(ioctl(self->fd, PEEK_COUNTS, &counts));
	EXPECT_EQ(PAGES, counts.faults);
}

struct opener {
	char *area;
	int ready[2];
};

static void opens(void *arg)
{
	struct opener *it = arg;
	int fd = open("/dev/peek", O_RDWR);
	__u64 seen;

	if (peek(fd, word(it->area, 1), &seen) || write(it->ready[1], &fd, sizeof(fd)) < 0)
		_exit(1);
	pause();
}

TEST_F(peek, process_is_gone)
{
	struct opener opener = { .area = self->area };
	int pidfd, fd;
	__u64 seen;
	pid_t child;

	ASSERT_EQ(0, pipe(opener.ready));
	child = child_start(opens, &opener);
	close(opener.ready[1]);
	ASSERT_EQ(sizeof(fd), read(opener.ready[0], &fd, sizeof(fd)));
	pidfd = syscall(SYS_pidfd_open, child, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ASSERT_LE(0, fd);
	ASSERT_DONE(peek(fd, word(self->area, 1), &seen));
	EXPECT_EQ(2, seen);
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(-SIGKILL, child_wait(child));
	EXPECT_EQ(-1, peek(fd, word(self->area, 1), &seen));
	EXPECT_EQ(ESRCH, errno);
	close(fd);
	close(pidfd);
	close(opener.ready[0]);
}

TEST_HARNESS_MAIN

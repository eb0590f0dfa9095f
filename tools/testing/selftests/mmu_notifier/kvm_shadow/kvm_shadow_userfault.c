// SPDX-License-Identifier: GPL-2.0
/* Faults of the guest that user space resolves, as a live migration's second half does. */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <pthread.h>

#include "ks.h"

#define SIZE	(PAGES * PAGE)

FIXTURE(userfault) {
	int fd;
	int uffd;
	char *area;
};

FIXTURE_SETUP(userfault)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MOVE,
	};
	struct uffdio_register range;

	self->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (self->uffd < 0 || ioctl(self->uffd, UFFDIO_API, &api))
		SKIP(return, "userfaultfd: %s", strerror(errno));
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->area = area_map(PAGES);
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
	range = (struct uffdio_register){
		.range = { (uintptr_t)self->area, SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &range)) TH_LOG("%s", strerror(errno));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, 0));
}

FIXTURE_TEARDOWN(userfault)
{
	close(self->uffd);
	area_unmap(self->area, PAGES);
	close(self->fd);
}

/* The kernel function that a thread whose fault is user space's to resolve sleeps in. */
#define UNRESOLVED	"handle_userfault"

struct access {
	int fd;
	__u64 guest;
	__u64 word;
};

static long reads(void *arg)
{
	struct access *it = arg;

	return ks_read_word(it->fd, it->guest, &it->word);
}

static long writes(void *arg)
{
	struct access *it = arg;

	return ks_write_word(it->fd, it->guest, it->word);
}

/* Puts a page of this word at an address where there is none. */
static int resolve(int uffd, char *to, __u64 word)
{
	static __u64 page[PAGE / 8] __attribute__((aligned(PAGE)));
	struct uffdio_copy copy = { (uintptr_t)to, (uintptr_t)page, PAGE };

	page[0] = word;
	return ioctl(uffd, UFFDIO_COPY, &copy);
}

static int protect(int uffd, char *page, bool on)
{
	struct uffdio_writeprotect it = {
		.range = { (uintptr_t)page, PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &it);
}

TEST_F(userfault, missing)
{
	struct access read = { self->fd, GUEST }, write = { self->fd, GUEST_PAGE(1), 9 };
	struct job reader, writer;

	job_start(&reader, reads, &read);
	job_start(&writer, writes, &write);
	ASSERT_TRUE(job_blocks(&reader, UNRESOLVED));
	ASSERT_TRUE(job_blocks(&writer, UNRESOLVED));
	/* The machine is free for others meanwhile. */
	EXPECT_EQ(0, ks_state(self->fd, GUEST));
	ASSERT_EQ(0, resolve(self->uffd, self->area + PAGE, 2));
	EXPECT_EQ(0, job_join(&writer)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(9, get_word(self->area, 1));
	ASSERT_EQ(0, resolve(self->uffd, self->area, 1));
	EXPECT_EQ(0, job_join(&reader)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(1, read.word);
}

static void ignore(int signal)
{
	(void)signal;
}

TEST_F(userfault, a_signal_ends_the_wait)
{
	struct sigaction action = { .sa_handler = ignore };
	struct access read = { self->fd, GUEST };
	struct job reader;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	job_start(&reader, reads, &read);
	ASSERT_TRUE(job_blocks(&reader, UNRESOLVED));
	ASSERT_EQ(0, pthread_kill(reader.thread, SIGUSR1));
	EXPECT_EQ(-1, job_join(&reader));
	EXPECT_EQ(EINTR, errno) TH_LOG("%s", strerror(errno));
	/* It left nothing behind. */
	EXPECT_EQ(0, ks_state(self->fd, GUEST));
	ASSERT_EQ(0, resolve(self->uffd, self->area, 1));
	EXPECT_GUEST_SEES(self->fd, GUEST, 1);
}

TEST_F(userfault, write_protected)
{
	struct access write = { self->fd, GUEST, 9 };
	struct job writer;

	ASSERT_EQ(0, resolve(self->uffd, self->area, 1));
	ASSERT_DONE(ks_write_word(self->fd, GUEST, 2));
	ASSERT_EQ(0, protect(self->uffd, self->area, true)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, ks_state(self->fd, GUEST) & KVM_SHADOW_WRITABLE);
	EXPECT_GUEST_SEES(self->fd, GUEST, 2);
	job_start(&writer, writes, &write);
	ASSERT_TRUE(job_blocks(&writer, UNRESOLVED));
	EXPECT_EQ(2, get_word(self->area, 0));
	ASSERT_EQ(0, protect(self->uffd, self->area, false));
	EXPECT_EQ(0, job_join(&writer)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(9, get_word(self->area, 0));
}

/* The page itself goes elsewhere, with what the guest has written to it. */
TEST_F(userfault, moved)
{
	char *from = area_map(1);
	struct uffdio_move move = { (uintptr_t)self->area, (uintptr_t)from, PAGE };
	__u64 word;

	ASSERT_DONE(ks_slot(self->fd, 1, 0, from, PAGE, 0));
	ASSERT_DONE(ks_write_word(self->fd, 0, 5));
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_MOVE, &move)) TH_LOG("%s", strerror(errno));
	ASSERT_FAILS(ENODATA, ks_peek_word(self->fd, 0, &word));
	EXPECT_GUEST_SEES(self->fd, GUEST, 5);
	EXPECT_GUEST_SEES(self->fd, 0, 0);
	ASSERT_DONE(ks_write_word(self->fd, 0, 6));
	EXPECT_GUEST_SEES(self->fd, GUEST, 5);
	area_unmap(from, 1);
}

struct dirty {
	int fd;
	void *bitmap;
};

static long takes_the_log(void *arg)
{
	struct dirty *it = arg;

	return ks_dirty(it->fd, 1, it->bitmap);
}

/*
 * The log of slot 1 is on its way to memory that is missing. Nobody is kept
 * waiting, and when it does not arrive, it joins what was written meanwhile.
 */
TEST_F(userfault, a_log_on_its_way)
{
	const int log = KVM_SHADOW_LOG_DIRTY;
	char *area = area_map(4), *other = area_map(1);
	struct job taker;
	__u64 bitmap;

	ASSERT_DONE(ks_slot(self->fd, 1, 0, area, 4 * PAGE, log));
	for (int same = 0; same < 2; same++) {
		struct dirty arg = { self->fd, self->area + same * PAGE };
		struct uffdio_range missing = { (uintptr_t)arg.bitmap, PAGE };

		ASSERT_DONE(ks_write_word(self->fd, 0, 1));
		job_start(&taker, takes_the_log, &arg);
		ASSERT_TRUE(job_blocks(&taker, UNRESOLVED));
		ASSERT_DONE(ks_slot(self->fd, 2, 1UL << 40, other, PAGE, 0));
		ASSERT_DONE(ks_delete(self->fd, 2));
		if (!same) {
			/* In the same place, but another one. */
			ASSERT_DONE(ks_delete(self->fd, 1));
			ASSERT_DONE(ks_slot(self->fd, 1, 0, area, 4 * PAGE, log));
		}
		ASSERT_DONE(ks_write_word(self->fd, PAGE, 1));
		ASSERT_EQ(0, munmap(arg.bitmap, PAGE));
		ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_WAKE, &missing));
		EXPECT_EQ(-1, job_join(&taker));
		EXPECT_EQ(EFAULT, errno) TH_LOG("%s", strerror(errno));
		ASSERT_DONE(ks_dirty(self->fd, 1, &bitmap));
		EXPECT_EQ(same ? 3 : 2, bitmap);
	}
	area_unmap(area, 4);
	area_unmap(other, 1);
}

static void waits_for_ever(void *arg)
{
	struct access read = { *(int *)arg, GUEST };

	reads(&read);
}

/* Whoever waits can be killed. */
TEST_F(userfault, killed_while_it_waits)
{
	pid_t child = child_start(waits_for_ever, &self->fd);

	ASSERT_TRUE(child_blocks(child, UNRESOLVED));
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(-SIGKILL, child_wait(child));
	ASSERT_EQ(0, resolve(self->uffd, self->area, 1));
	EXPECT_GUEST_SEES(self->fd, GUEST, 1);
}

TEST_HARNESS_MAIN

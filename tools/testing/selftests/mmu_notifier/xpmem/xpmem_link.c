// SPDX-License-Identifier: GPL-2.0
/*
 * What the exporter's kernel frees, it frees when the other side has
 * acknowledged. To be run by root, with a link that takes long enough to look
 * at who waits: link_delay_us=500000.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xpmem_expect.h"

#define DRIVER	"[xpmem]"	/* in the stack of a task that waits in it */

/* This process exports, another attaches. */
FIXTURE(link) {
	struct peer attacher;
	int fd, theirs;
	char *area, *there;
};

FIXTURE_SETUP(link)
{
	int64_t apid;

	if (geteuid())
		SKIP(return, "needs root to look at stacks");
	peer_start(&self->attacher);
	self->fd = xp_open();
	ASSERT_LE(0, self->fd) TH_LOG("no " XPMEM_DEVICE ": load the module");
	self->theirs = peer_open(&self->attacher);
	self->area = area_map(PAGES);
	apid = peer_get(&self->attacher, self->theirs,
			xp_make(self->fd, self->area, SIZE, 0600), XPMEM_RDWR);
	ASSERT_LT(0, apid);
	self->there = (char *)peer_attach(&self->attacher, self->theirs, apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)self->there);
	for (size_t page = 0; page < PAGES; page++)
		ASSERT_EQ(0, peer_store(&self->attacher, self->there + page * PAGE, page));
}

FIXTURE_TEARDOWN(link)
{
	peer_exit(&self->attacher);
	area_unmap(self->area, PAGES);
	close(self->fd);
}

static uint64_t number_in(const char *path, uint64_t index)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t number = 0;

	if (pread(file, &number, sizeof(number), (off_t)(index * sizeof(number))) < 0)
		number = 0;
	close(file);
	return number;
}

static uint64_t frame_of(void *addr)
{
	return number_in("/proc/self/pagemap", (uintptr_t)addr / PAGE) & ((1UL << 55) - 1);
}

static struct advice discard_all(char *area)
{
	return (struct advice){ area, SIZE, MADV_DONTNEED };
}

TEST_F_TIMEOUT(link, pages_stay_until_the_acknowledgement, 120)
{
	struct advice discard = discard_all(self->area);
	uint64_t frame = frame_of(self->area), word;
	struct job job;

	ASSERT_NE(0, frame);
	ASSERT_EQ(1, number_in("/proc/kpagecount", frame));
	job_start(&job, run_madvise, &discard);
	ASSERT_TRUE(job_blocks(&job, DRIVER));
	EXPECT_LT(0, xp_pages_of(getpid()));
	EXPECT_EQ(frame, frame_of(self->area));
	EXPECT_EQ(1, number_in("/proc/kpagecount", frame));
	ASSERT_EQ(0, job_join(&job));
	EXPECT_EQ(0, xp_pages_of(getpid()));
	EXPECT_EQ(0, frame_of(self->area));
	EXPECT_EQ(0, peer_load(&self->attacher, self->there, &word));
	EXPECT_EQ(0, word);
}

TEST_F_TIMEOUT(link, a_second_invalidation_waits_for_the_first, 120)
{
	struct advice discard = discard_all(self->area);
	struct job first, second;

	job_start(&first, run_madvise, &discard);
	ASSERT_TRUE(job_blocks(&first, DRIVER));
	job_start(&second, run_madvise, &discard);
	ASSERT_TRUE(job_blocks(&second, DRIVER));
	ASSERT_EQ(0, job_join(&second));
	EXPECT_EQ(0, xp_pages_of(getpid()));
	ASSERT_EQ(0, job_join(&first));
}

TEST_F_TIMEOUT(link, an_attacher_is_killed_meanwhile, 120)
{
	struct advice discard = discard_all(self->area);
	struct job job;

	job_start(&job, run_madvise, &discard);
	ASSERT_TRUE(job_blocks(&job, DRIVER));
	peer_kill(&self->attacher);
	ASSERT_EQ(0, job_join(&job));
	EXPECT_EQ(0, xp_pages_of(getpid()));
	peer_start(&self->attacher);
}

/* The OOM reaper cannot wait for a link: it is refused, and nothing has changed. */
TEST_F_TIMEOUT(link, what_cannot_wait_is_refused, 120)
{
	struct peer exporter;
	int64_t apid;
	uint64_t word;
	char *area, *here, map[64];
	uint64_t frame;
	int pidfd, fd;

	peer_start(&exporter);
	fd = peer_open(&exporter);
	area = peer_map(&exporter, PAGES);
	apid = xp_get(self->fd, peer_make(&exporter, fd, area, SIZE, 0600), XPMEM_RDWR);
	ASSERT_LT(0, apid);
	here = (char *)xp_attach(self->fd, apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)here);
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_SEES(here + page * PAGE, word_of(page));
	snprintf(map, sizeof(map), "/proc/%d/pagemap", exporter.pid);
	frame = number_in(map, (uintptr_t)area / PAGE + 1) & ((1UL << 55) - 1);
	ASSERT_NE(0, frame);

	/* It dies while it waits for the first page, and keeps its memory until then. */
	peer_begin(&exporter, SYS_madvise, area, PAGE, (long)MADV_DONTNEED);
	ASSERT_TRUE(child_blocks(exporter.pid, DRIVER));
	pidfd = (int)syscall(SYS_pidfd_open, exporter.pid, 0);
	ASSERT_EQ(0, kill(exporter.pid, SIGKILL));
	EXPECT_EQ(-1, syscall(SYS_process_mrelease, pidfd, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(1, number_in("/proc/kpagecount", frame));
	EXPECT_EQ(0, load(here + PAGE, &word));
	EXPECT_EQ(word_of(1), word);
	peer_kill(&exporter);
	EXPECT_EQ(SIGBUS, load(here + PAGE, &word));
	close(pidfd);
}

struct attaching {
	int fd;
	int64_t apid;
	char *here;
};

static long run_attach(void *arg)
{
	struct attaching *it = arg;

	it->here = (char *)xp_attach(it->fd, it->apid, 0, SIZE, NULL);
	return 0;
}

/*
 * A subscription that is new while an invalidation runs in its process is told
 * of nothing before that one's end. So nothing may be entered before.
 */
TEST_F_TIMEOUT(link, attaching_waits_for_a_running_invalidation, 120)
{
	struct advice discard = discard_all(self->area);
	struct attaching attaching = { .fd = self->fd };
	struct job invalidation, attach;
	struct peer exporter;
	char *area;
	int fd;

	peer_start(&exporter);
	fd = peer_open(&exporter);
	area = peer_map(&exporter, PAGES);
	attaching.apid = xp_get(self->fd, peer_make(&exporter, fd, area, SIZE, 0600),
				XPMEM_RDWR);
	ASSERT_LT(0, attaching.apid);
	/* The fork has taken all pages from the attacher. */
	ASSERT_EQ(0, peer_store(&self->attacher, self->there, 1));
	job_start(&invalidation, run_madvise, &discard);
	ASSERT_TRUE(job_blocks(&invalidation, DRIVER));
	job_start(&attach, run_attach, &attaching);
	EXPECT_TRUE(job_blocks(&attach, "mmu_interval_read_begin"));
	ASSERT_EQ(0, job_join(&attach));
	ASSERT_EQ(0, job_join(&invalidation));
	ASSERT_LT(0, (int64_t)attaching.here);
	EXPECT_SEES(attaching.here, word_of(0));
	EXPECT_EQ(0, xp_detach(self->fd, attaching.here));
	peer_exit(&exporter);
}

TEST_F_TIMEOUT(link, where_nothing_is_attached_nothing_is_sent, 120)
{
	struct advice discard = discard_all(self->area);
	struct job job;

	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
	job_start(&job, run_madvise, &discard);
	EXPECT_FALSE(job_blocks(&job, DRIVER));
	ASSERT_EQ(0, job_join(&job));
}

TEST_HARNESS_MAIN

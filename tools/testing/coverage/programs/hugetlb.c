// SPDX-License-Identifier: GPL-2.0
/* Huge pages from the pool, private and shared. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "area.h"
#include "pause.h"

#define SIZE	(2 * HUGE)

FIXTURE(hugetlb) {
	char *area;
	int pause;
};

FIXTURE_SETUP(hugetlb)
{
	self->area = area_map(SIZE, HUGE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	ASSERT_NE(NULL, self->area);
	self->pause = pause_ends(self->area, SIZE);
	ASSERT_LE(0, self->pause) TH_LOG("no /dev/mmu_notifier_test");
	secondary_map(self->area, SIZE);
	secondary_fill(self->area, SIZE);
	secondary_touch(self->area, SIZE);
}

FIXTURE_TEARDOWN(hugetlb)
{
}

/* Reaches mm/hugetlb.c:copy_hugetlb_page_range, mm/hugetlb.c:hugetlb_wp */
TEST_F(hugetlb, fork_and_write)
{
	int end[2], status;
	pid_t child;
	char c;

	ASSERT_DONE(pause_over(self->pause));
	ASSERT_DONE(pipe2(end, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(end[1]);
		_exit(read(end[0], &c, 1) ? 1 : 0);
	}
	close(end[0]);
	secondary_protected(self->area, SIZE);
	secondary_touch_read(self->area, SIZE);
	self->area[0]++;
	/* This one is the parent's own now, the other is still shared. */
	secondary_dropped(self->area, HUGE);
	secondary_flushed(self->area, HUGE);
	secondary_agrees(self->area, SIZE);
	close(end[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* What to move where. */
struct move {
	char *from;
	char *to;
};

static void *move_mapping(void *arg)
{
	struct move *move = arg;

	return mremap(move->from, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, move->to);
}

/*
 * The old mapping goes right after its pages have been moved, which by itself
 * takes its translations: it is held up until it is seen that they have gone.
 * Reaches mm/hugetlb.c:move_hugetlb_page_tables
 */
TEST_F(hugetlb, mremap)
{
	struct move move = { self->area, area_private(SIZE) };
	pthread_t thread;
	void *moved;

	ASSERT_NE(NULL, move.to);
	secondary_map(move.to, SIZE);
	ASSERT_DONE(pause_starts(self->pause, self->area, SIZE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, move_mapping, &move));
	ASSERT_DONE(pause_wait(self->pause));
	ASSERT_DONE(pause_second_start(self->pause));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	ASSERT_DONE(pause_starts_over(self->pause));
	ASSERT_EQ(0, pthread_join(thread, &moved));
	ASSERT_EQ(move.to, moved);
	secondary_agrees(self->area, SIZE);
	secondary_agrees(move.to, SIZE);
}

/* Reaches mm/hugetlb.c:hugetlb_change_protection */
TEST_F(hugetlb, mprotect)
{
	ASSERT_DONE(pause_over(self->pause));
	ASSERT_DONE(mprotect(self->area, SIZE, PROT_READ));
	secondary_protected(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
	ASSERT_DONE(mprotect(self->area, SIZE, PROT_NONE));
	secondary_agrees(self->area, SIZE);
}

static volatile sig_atomic_t bus_errors;

static void bus_error(int signal)
{
	(void)signal;
	bus_errors++;
}

/* Reaches mm/rmap.c:try_to_unmap_poisoned_hugetlb_one */
TEST_F(hugetlb, poison)
{
	struct sigaction action = { .sa_handler = bus_error }, old;

	ASSERT_DONE(pause_over(self->pause));
	ASSERT_DONE(sigaction(SIGBUS, &action, &old));
	ASSERT_DONE(madvise(self->area, PAGE, MADV_HWPOISON));
	ASSERT_DONE(sigaction(SIGBUS, &old, NULL));
	EXPECT_EQ(1, bus_errors);
	EXPECT_EQ(0, area_frame(self->area));
	secondary_dropped(self->area, HUGE);
	secondary_flushed(self->area, HUGE);
	secondary_agrees(self->area, SIZE);
}

FIXTURE(hugetlbfs) {
	int fd;
	char *area;
};

FIXTURE_SETUP(hugetlbfs)
{
	self->fd = memfd_create("coverage", MFD_HUGETLB | MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_DONE(ftruncate(self->fd, SIZE));
	self->area = area_map(SIZE, HUGE, MAP_SHARED, self->fd);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
	secondary_fill(self->area, SIZE);
	secondary_touch(self->area, SIZE);
}

FIXTURE_TEARDOWN(hugetlbfs)
{
	close(self->fd);
}

/* Reaches mm/hugetlb.c:unmap_hugepage_range */
TEST_F(hugetlbfs, punch)
{
	ASSERT_DONE(fallocate(self->fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      HUGE, HUGE));
	EXPECT_EQ(0, area_frame(self->area + HUGE));
	secondary_dropped(self->area + HUGE, HUGE);
	secondary_flushed(self->area + HUGE, HUGE);
	secondary_agrees(self->area, SIZE);
}

/* Reaches mm/hugetlb.c:unmap_hugepage_range */
TEST_F(hugetlbfs, truncate)
{
	ASSERT_DONE(ftruncate(self->fd, HUGE));
	secondary_dropped(self->area + HUGE, HUGE);
	secondary_flushed(self->area + HUGE, HUGE);
	secondary_agrees(self->area, SIZE);
}

TEST_HARNESS_MAIN

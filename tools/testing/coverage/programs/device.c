// SPDX-License-Identifier: GPL-2.0
/*
 * Pages go to memory that only a device can reach, and come back, by the
 * kernel's test_hmm.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "pause.h"
#include "test_hmm_uapi.h"

#define DEVICE	"/dev/hmm_dmirror0"
#define PAGES	16
#define SIZE	(PAGES * PAGE)

FIXTURE(device) {
	int fd;
	int pause;
	char *area;
	char *buffer;
};

FIXTURE_SETUP(device)
{
	self->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd) TH_LOG("no " DEVICE ": load test_hmm");
	self->buffer = area_private(SIZE);
	self->area = area_private(SIZE);
	ASSERT_NE(NULL, self->buffer);
	ASSERT_NE(NULL, self->area);
	ASSERT_DONE(madvise(self->area, SIZE, MADV_NOHUGEPAGE));
	self->pause = pause_ends(self->area, SIZE);
	ASSERT_LE(0, self->pause) TH_LOG("no /dev/mmu_notifier_test");
	secondary_map(self->area, SIZE);
}

FIXTURE_TEARDOWN(device)
{
	pause_over(self->pause);
	/* Closing brings back what is still on the device. */
	if (self->fd >= 0)
		close(self->fd);
}

/* Returns how many pages the device has worked on, -1 with errno. */
static long device(int fd, unsigned long request, char *area, char *buffer,
		   size_t size)
{
	struct hmm_dmirror_cmd command = {
		.addr = (uintptr_t)area,
		.ptr = (uintptr_t)buffer,
		.npages = size / PAGE,
	};

	return ioctl(fd, request, &command) ? -1 : (long)command.cpages;
}

/* Whether the page is where only the device reaches it. */
static bool on_device(int fd, char *page)
{
	unsigned char state = 0;

	return device(fd, HMM_DMIRROR_SNAPSHOT, page, (char *)&state, PAGE) == 1 &&
	       (state & HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL);
}

/*
 * Both ways are collected alike; the processor's fault is the way back.
 * Reaches mm/migrate_device.c:migrate_vma_collect
 */
TEST_F(device, there_and_back)
{
	ASSERT_DONE(pause_over(self->pause));
	secondary_fill(self->area, SIZE);
	secondary_touch(self->area, SIZE);
	ASSERT_EQ(PAGES, device(self->fd, HMM_DMIRROR_MIGRATE_TO_DEV,
				self->area, self->buffer, SIZE));
	EXPECT_TRUE(on_device(self->fd, self->area));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
	EXPECT_FALSE(on_device(self->fd, self->area));
}

struct move {
	int fd;
	char *area;
	char *buffer;
};

static void *move_to_device(void *arg)
{
	struct move *move = arg;

	return (void *)device(move->fd, HMM_DMIRROR_MIGRATE_TO_DEV, move->area,
			      move->buffer, SIZE);
}

/*
 * What was never written is a page of zeros, and is not copied but made on the
 * device. It can be used until that has been done, which is held up.
 * Reaches mm/migrate_device.c:__migrate_device_pages
 */
TEST_F(device, made_there)
{
	struct move move = { self->fd, self->area, self->buffer };
	pthread_t thread;
	void *moved;

	secondary_touch_read(self->area, SIZE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, move_to_device, &move));
	ASSERT_DONE(pause_wait(self->pause));
	secondary_touch_read(self->area, SIZE);
	ASSERT_DONE(pause_over(self->pause));
	ASSERT_EQ(0, pthread_join(thread, &moved));
	ASSERT_EQ(PAGES, (long)moved);
	EXPECT_TRUE(on_device(self->fd, self->area));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
}

/*
 * The device takes the pages for itself, and loses them to the first who asks.
 * Reaches mm/rmap.c:make_device_exclusive, mm/memory.c:remove_device_exclusive_entry
 */
TEST_F(device, exclusive)
{
	ASSERT_DONE(pause_over(self->pause));
	secondary_fill(self->area, SIZE);
	secondary_touch(self->area, SIZE);
	ASSERT_EQ(PAGES, device(self->fd, HMM_DMIRROR_EXCLUSIVE, self->area,
				self->buffer, SIZE));
	ASSERT_EQ(-1, device(self->fd, HMM_DMIRROR_CHECK_EXCLUSIVE, self->area,
			     self->buffer, SIZE));
	ASSERT_EQ(EPERM, errno);
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	/* The device is told that others use them again. */
	secondary_fill(self->area, SIZE);
	ASSERT_LE(0, device(self->fd, HMM_DMIRROR_CHECK_EXCLUSIVE, self->area,
			    self->buffer, SIZE));
	secondary_agrees(self->area, SIZE);
}

TEST_HARNESS_MAIN

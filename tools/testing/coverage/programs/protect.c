// SPDX-License-Identifier: GPL-2.0
/* Rights that are taken away, and writes that are watched. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"

#define SIZE		(16 * PAGE)
#define SOFT_DIRTY	(1ULL << 55)

FIXTURE(protect) {
	char *area;
};

FIXTURE_SETUP(protect)
{
	self->area = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
	secondary_fill(self->area, SIZE);
}

FIXTURE_TEARDOWN(protect)
{
}

/* Reaches mm/mprotect.c:change_pud_range */
TEST_F(protect, read_only)
{
	secondary_touch(self->area, SIZE);
	ASSERT_DONE(mprotect(self->area, SIZE, PROT_READ));
	secondary_protected(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
	ASSERT_DONE(mprotect(self->area, SIZE, PROT_READ | PROT_WRITE));
	secondary_agrees(self->area, SIZE);
}

/* Reaches mm/mprotect.c:change_pud_range */
TEST_F(protect, none)
{
	secondary_touch(self->area, SIZE);
	ASSERT_DONE(mprotect(self->area, SIZE, PROT_NONE));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
	ASSERT_DONE(mprotect(self->area, SIZE, PROT_READ | PROT_WRITE));
	secondary_agrees(self->area, SIZE);
}

/* Opens a userfaultfd that watches writes to the area; -1 with errno. */
static int watch(char *area, unsigned long long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register registration = {
		.range = { (uintptr_t)area, SIZE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &registration))
		return -1;
	return fd;
}

static int write_protect(int fd, char *area, bool protected)
{
	struct uffdio_writeprotect args = {
		.range = { (uintptr_t)area, SIZE },
		.mode = protected ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &args);
}

/* Reaches mm/mprotect.c:change_pud_range */
TEST_F(protect, userfaultfd)
{
	int fd = watch(self->area, 0);

	ASSERT_LE(0, fd) TH_LOG("%s", strerror(errno));
	secondary_touch(self->area, SIZE);
	ASSERT_DONE(write_protect(fd, self->area, true));
	secondary_protected(self->area, SIZE);
	secondary_agrees_on_reads(self->area, SIZE);
	secondary_protected(self->area, SIZE);
	ASSERT_DONE(write_protect(fd, self->area, false));
	secondary_agrees(self->area, SIZE);
}

/* How many pages were written to since they were protected; they are again. */
static long written(int pagemap, char *area)
{
	struct page_region regions[SIZE / PAGE];
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + SIZE,
		.vec = (uintptr_t)regions,
		.vec_len = SIZE / PAGE,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	long count = ioctl(pagemap, PAGEMAP_SCAN, &scan), pages = 0;

	for (long i = 0; i < count; i++)
		pages += (regions[i].end - regions[i].start) / PAGE;
	return count < 0 ? -1 : pages;
}

/* What the devices write shows in the scan. Reaches fs/proc/task_mmu.c:do_pagemap_scan */
TEST_F(protect, pagemap_scan)
{
	int fd = watch(self->area, UFFD_FEATURE_WP_ASYNC |
		       UFFD_FEATURE_WP_UNPOPULATED);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t word = 0x5ec0;

	ASSERT_LE(0, fd) TH_LOG("%s", strerror(errno));
	ASSERT_DONE(write_protect(fd, self->area, true));
	secondary_touch(self->area, SIZE);
	EXPECT_EQ(SIZE / PAGE, written(pagemap, self->area));
	secondary_protected(self->area, SIZE);
	secondary_agrees_on_reads(self->area, SIZE);
	EXPECT_EQ(0, written(pagemap, self->area));
	ASSERT_EQ(0, secondary_vm_write(self->area, sizeof(word), &word));
	ASSERT_EQ(0, secondary_tlb_write(self->area + PAGE, word));
	EXPECT_EQ(2, written(pagemap, self->area));
	secondary_agrees(self->area, SIZE);
}

static bool soft_dirty(int pagemap, char *page)
{
	uint64_t entry = 0;

	return pread(pagemap, &entry, sizeof(entry),
		     (off_t)((uintptr_t)page / PAGE * sizeof(entry))) == sizeof(entry) &&
	       entry & SOFT_DIRTY;
}

/* What the devices write is soft-dirty. Reaches fs/proc/task_mmu.c:clear_refs_write */
TEST_F(protect, soft_dirty)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t word = 0x5ec0;

	secondary_touch(self->area, SIZE);
	ASSERT_TRUE(soft_dirty(pagemap, self->area));
	ASSERT_DONE(knob_write("/proc/self/clear_refs", "4"));
	secondary_protected(self->area, SIZE);
	secondary_agrees_on_reads(self->area, SIZE);
	for (size_t i = 0; i < SIZE; i += PAGE)
		EXPECT_FALSE(soft_dirty(pagemap, self->area + i));
	ASSERT_EQ(0, secondary_vm_write(self->area, sizeof(word), &word));
	ASSERT_EQ(0, secondary_tlb_write(self->area + PAGE, word));
	EXPECT_TRUE(soft_dirty(pagemap, self->area));
	EXPECT_TRUE(soft_dirty(pagemap, self->area + PAGE));
	EXPECT_FALSE(soft_dirty(pagemap, self->area + 2 * PAGE));
	secondary_agrees(self->area, SIZE);
}

TEST_HARNESS_MAIN

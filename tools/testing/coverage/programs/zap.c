// SPDX-License-Identifier: GPL-2.0
/* Pages that go: unmapped, given up, freed lazily, cut off their file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif
#define SIZE	(16 * PAGE)

/* Makes an area whose every page the devices may write. */
static char *touched(struct __test_metadata *_metadata, int flags, int fd)
{
	char *area = area_map(SIZE, PAGE, flags, fd);

	ASSERT_NE(NULL, area) TH_LOG("%s", strerror(errno));
	secondary_map(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_touch(area, SIZE);
	return area;
}

static int new_file(void)
{
	int fd = memfd_create("coverage", MFD_CLOEXEC);

	return fd < 0 || ftruncate(fd, SIZE) ? -1 : fd;
}

#define ASSERT_GONE(area) do {			\
	secondary_dropped(area, SIZE);		\
	secondary_flushed(area, SIZE);		\
	secondary_agrees(area, SIZE);		\
} while (0)

/* Reaches mm/memory.c:unmap_vmas, arch/x86/mm/tlb.c:flush_tlb_mm_range */
TEST(unmap)
{
	char *area = touched(_metadata, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_DONE(munmap(area, SIZE));
	ASSERT_GONE(area);
}

/* Other pages at once where there were some. Reaches mm/memory.c:unmap_vmas */
TEST(map_over)
{
	char *area = touched(_metadata, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_EQ(area, mmap(area, SIZE, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_GONE(area);
}

/* Reaches mm/memory.c:zap_vma_range_batched */
TEST(dontneed)
{
	char *area = touched(_metadata, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_DONE(madvise(area, SIZE, MADV_DONTNEED));
	ASSERT_GONE(area);
}

/* Guards are put in the place of pages. Reaches mm/memory.c:zap_vma_range_batched */
TEST(guard)
{
	char *area = touched(_metadata, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_DONE(madvise(area, SIZE, MADV_GUARD_INSTALL));
	ASSERT_GONE(area);
}

/* Reaches mm/memory.c:zap_vma_range_batched */
TEST(cut_off)
{
	int fd = new_file();
	char *area = touched(_metadata, MAP_SHARED, fd);

	ASSERT_DONE(ftruncate(fd, 0));
	ASSERT_GONE(area);
}

/* Reaches mm/memory.c:zap_vma_range_batched */
TEST(punch_a_hole)
{
	int fd = new_file();
	char *area = touched(_metadata, MAP_SHARED, fd);

	ASSERT_DONE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      0, SIZE));
	ASSERT_GONE(area);
}

/*
 * A page that is written to after it was given up is kept: the devices' writes
 * must count.
 * Reaches mm/madvise.c:madvise_free_single_vma
 */
TEST(free_lazily)
{
	char *area = touched(_metadata, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	uint64_t word = 0x5ec0;

	ASSERT_DONE(madvise(area, SIZE, MADV_FREE));
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	/* Every second page is used again, through either device. */
	for (size_t i = 0; i < SIZE; i += 4 * PAGE) {
		ASSERT_EQ(0, secondary_vm_write(area + i, sizeof(word), &word));
		ASSERT_EQ(0, secondary_tlb_write(area + i + 2 * PAGE, word));
	}
	ASSERT_DONE(madvise(area, SIZE, MADV_PAGEOUT));
	for (size_t i = 0; i < SIZE; i += 2 * PAGE)
		EXPECT_EQ(word, *(uint64_t *)(area + i));
	secondary_agrees(area, SIZE);
}

TEST_HARNESS_MAIN

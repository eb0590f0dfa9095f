// SPDX-License-Identifier: GPL-2.0
/* Pages go to swap space, and come back. Needs swap. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "elsewhere.h"
#include "group.h"

#define SIZE	(16 * PAGE)

static size_t absent(const char *area, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i += PAGE)
		count += !area_frame(area + i);
	return count;
}

/* Reaches mm/rmap.c:try_to_unmap_one */
TEST(pages)
{
	char *area = area_private(SIZE);

	ASSERT_NE(NULL, area);
	secondary_map(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_touch(area, SIZE);
	ASSERT_DONE(area_settle());
	ASSERT_DONE(madvise(area, SIZE, MADV_PAGEOUT));
	ASSERT_EQ(SIZE / PAGE, absent(area, SIZE)) TH_LOG("no swap?");
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	secondary_agrees(area, SIZE);
}

/*
 * Where another processor runs the process, the flushes of many pages are put
 * off, but not those of a secondary TLB. (MADV_PAGEOUT would flush before.)
 * Reaches mm/rmap.c:try_to_unmap_one, mm/rmap.c:set_tlb_ubc_flush_pending
 */
TEST(pages_used_elsewhere)
{
	struct elsewhere elsewhere;
	char *area = area_private(SIZE);

	ASSERT_NE(NULL, area);
	ASSERT_DONE(group_enter());
	secondary_map(area, SIZE);
	ASSERT_DONE(elsewhere_start(&elsewhere));
	secondary_fill(area, SIZE);
	secondary_touch(area, SIZE);
	ASSERT_DONE(area_settle());
	EXPECT_EQ(0, group_reclaim("1M"));
	EXPECT_EQ(SIZE / PAGE, absent(area, SIZE)) TH_LOG("no swap?");
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	elsewhere_stop(&elsewhere);
	secondary_agrees(area, SIZE);
	group_leave();
}

/* Reaches mm/rmap.c:try_to_unmap_one */
TEST(file)
{
	int fd = memfd_create("coverage", MFD_CLOEXEC);
	char *area;

	ASSERT_LE(0, fd);
	ASSERT_DONE(ftruncate(fd, SIZE));
	area = area_map(SIZE, HUGE, MAP_SHARED, fd);
	close(fd);
	ASSERT_NE(NULL, area);
	secondary_map(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_touch(area, SIZE);
	ASSERT_DONE(area_settle());
	ASSERT_DONE(madvise(area, SIZE, MADV_PAGEOUT));
	ASSERT_EQ(SIZE / PAGE, absent(area, SIZE)) TH_LOG("no swap?");
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	secondary_agrees(area, SIZE);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* Pages move from one NUMA node to the other. */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "area.h"
#include "elsewhere.h"
#include "knob.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define SIZE	(16 * PAGE)

/* Has the page on the node; returns 0, or errno of the page. */
static int move_to(char *page, int node)
{
	void *pages[] = { page };
	int status = 0;

	if (syscall(SYS_move_pages, 0, 1, pages, &node, &status,
		    MPOL_MF_MOVE_ALL))
		return errno;
	return status < 0 ? -status : 0;
}

/* The node that the page is not on, -1 if it is on none. */
static int other_node(char *page)
{
	void *pages[] = { page };
	int status = -1;

	if (syscall(SYS_move_pages, 0, 1, pages, NULL, &status, 0) || status < 0)
		return -1;
	return !status;
}

FIXTURE(migrate) {
};

FIXTURE_SETUP(migrate)
{
	ASSERT_DONE(knob_set(THP "enabled", "madvise"));
}

FIXTURE_TEARDOWN(migrate)
{
	knobs_restore();
}

/* Reaches mm/rmap.c:try_to_migrate_one, arch/x86/mm/tlb.c:flush_tlb_mm_range */
TEST_F(migrate, pages)
{
	char *area = area_private(SIZE);

	ASSERT_NE(NULL, area);
	secondary_map(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_touch(area, SIZE);
	for (char *page = area; page < area + SIZE; page += PAGE)
		ASSERT_EQ(0, move_to(page, other_node(page)));
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	secondary_agrees(area, SIZE);
}

/*
 * Where another processor runs the process, flushes of many are put off, but
 * not those of the secondary TLB.
 * Reaches mm/rmap.c:set_tlb_ubc_flush_pending
 */
TEST_F(migrate, pages_used_elsewhere)
{
	struct elsewhere elsewhere;
	char *area = area_private(SIZE);

	ASSERT_NE(NULL, area);
	secondary_map(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_touch(area, SIZE);
	ASSERT_DONE(elsewhere_start(&elsewhere));
	for (char *page = area; page < area + SIZE; page += PAGE)
		EXPECT_EQ(0, move_to(page, other_node(page)));
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	elsewhere_stop(&elsewhere);
	secondary_agrees(area, SIZE);
}

/* Reaches mm/rmap.c:try_to_migrate_one */
TEST_F(migrate, huge)
{
	char *area = area_private(HUGE);

	ASSERT_NE(NULL, area);
	ASSERT_DONE(madvise(area, HUGE, MADV_HUGEPAGE));
	secondary_map(area, HUGE);
	secondary_fill(area, HUGE);
	ASSERT_EQ(HUGE, area_huge(area, HUGE));
	secondary_touch(area, HUGE);
	ASSERT_EQ(0, move_to(area, other_node(area)));
	EXPECT_EQ(HUGE, area_huge(area, HUGE));
	secondary_dropped(area, HUGE);
	secondary_flushed(area, HUGE);
	secondary_agrees(area, HUGE);
}

/* Reaches mm/rmap.c:try_to_migrate_one */
TEST_F(migrate, hugetlb)
{
	char *area = area_map(HUGE, HUGE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);

	ASSERT_NE(NULL, area);
	secondary_map(area, HUGE);
	secondary_fill(area, HUGE);
	secondary_touch(area, HUGE);
	ASSERT_EQ(0, move_to(area, other_node(area)));
	secondary_dropped(area, HUGE);
	secondary_flushed(area, HUGE);
	secondary_agrees(area, HUGE);
}

/*
 * Compaction moves pages from the start of the memory into holes at its end.
 * Which of them is up to it; there are more holes than all others can fill.
 * It looks for holes in steps of up to 32 pages, a power of two: what stays
 * must not be all it sees, so groups are of nine (isolate_freepages()).
 * Reaches mm/rmap.c:try_to_migrate_one
 */
TEST_F(migrate, compaction)
{
	const size_t size = 72 * HUGE, group = 9 * PAGE, stride = 8 * group;
	uint64_t frames[72 * HUGE / (72 * PAGE)];
	char *area = area_private(size);
	size_t moved = 0;

	ASSERT_NE(NULL, area);
	ASSERT_DONE(madvise(area, size, MADV_NOHUGEPAGE));
	secondary_map(area, size);
	memset(area, 0x5a, size);
	/* Few free pages are to wait on the lists of processors. */
	ASSERT_DONE(knob_set("/proc/sys/vm/percpu_pagelist_high_fraction", "100000"));
	/* Of each group the first page stays. */
	for (size_t i = 0; i < size; i += group)
		ASSERT_DONE(madvise(area + i + PAGE, group - PAGE, MADV_DONTNEED));
	for (size_t i = 0; i < size; i += stride) {
		secondary_touch(area + i, PAGE);
		frames[i / stride] = area_frame(area + i);
	}
	ASSERT_DONE(knob_write("/proc/sys/vm/compact_memory", "1"));
	for (size_t i = 0; i < size; i += stride) {
		if (area_frame(area + i) == frames[i / stride])
			continue;
		moved++;
		secondary_dropped(area + i, PAGE);
	}
	EXPECT_LT(0, moved);
	for (size_t i = 0; i < size; i += stride)
		secondary_agrees(area + i, PAGE);
}

TEST_HARNESS_MAIN

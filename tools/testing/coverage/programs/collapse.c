// SPDX-License-Identifier: GPL-2.0
/* Small pages are gathered into a huge one. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"
#include "pause.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define DAEMON	THP "khugepaged/"

FIXTURE(collapse) {
	char *area;
};

FIXTURE_SETUP(collapse)
{
	ASSERT_DONE(knob_set(THP "enabled", "never"));
	self->area = area_private(HUGE);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, HUGE);
	secondary_fill(self->area, HUGE);
	secondary_touch(self->area, HUGE);
	ASSERT_EQ(0, area_huge(self->area, HUGE));
}

FIXTURE_TEARDOWN(collapse)
{
	knobs_restore();
}

/* Reaches mm/khugepaged.c:collapse_huge_page */
TEST_F(collapse, advised)
{
	ASSERT_DONE(madvise(self->area, HUGE, MADV_COLLAPSE));
	ASSERT_EQ(HUGE, area_huge(self->area, HUGE));
	secondary_dropped(self->area, HUGE);
	secondary_flushed(self->area, HUGE);
	secondary_agrees(self->area, HUGE);
}

/*
 * That a page is used does not show as long as the TLB knows it: clear_refs
 * leaves it there, and the daemon flushes it only after the secondary.
 */
static bool huge_when_used(char *area)
{
	*(volatile char *)area;
	return area_huge(area, HUGE) == HUGE;
}

/*
 * The daemon gathers only pages that are in use. The processor has forgotten
 * that it has used them, so the daemon begins with it because the secondary
 * has, and thereby takes the pages from it. That it then finds them old is
 * why the processor has to use one for it to go through.
 * Reaches mm/khugepaged.c:folio_pte_referenced, mm/khugepaged.c:collapse_huge_page
 */
TEST_F_TIMEOUT(collapse, used_by_the_secondary_only, 120)
{
	ASSERT_DONE(knob_write("/proc/self/clear_refs", "1"));
	ASSERT_DONE(knob_set(DAEMON "scan_sleep_millisecs", "0"));
	ASSERT_DONE(knob_set(DAEMON "pages_to_scan", "4096"));
	ASSERT_DONE(knob_write(THP "enabled", "madvise"));
	ASSERT_DONE(madvise(self->area, HUGE, MADV_HUGEPAGE));
	AWAIT(secondary_state(self->area) == 0);
	secondary_dropped(self->area, HUGE);
	AWAIT(huge_when_used(self->area));
	secondary_flushed(self->area, HUGE);
	secondary_agrees(self->area, HUGE);
}

/* Two mappings of a file in memory, whose pages are gathered through one. */
FIXTURE(collapse_file) {
	char *area;
	char *other;
};

FIXTURE_SETUP(collapse_file)
{
	int fd = memfd_create("coverage", MFD_CLOEXEC);

	ASSERT_DONE(knob_set(THP "shmem_enabled", "never"));
	ASSERT_LE(0, fd);
	ASSERT_DONE(ftruncate(fd, HUGE));
	self->area = area_map(HUGE, HUGE, MAP_SHARED, fd);
	self->other = area_map(HUGE, HUGE, MAP_SHARED, fd);
	close(fd);
	ASSERT_NE(NULL, self->area);
	ASSERT_NE(NULL, self->other);
	secondary_map(self->area, HUGE);
	secondary_map(self->other, HUGE);
	secondary_fill(self->area, HUGE);
}

FIXTURE_TEARDOWN(collapse_file)
{
	knobs_restore();
}

/*
 * The pages are taken out of the other mapping before its table is, and cannot
 * come back in between: only who walks the table would keep what is stale.
 * Reaches mm/khugepaged.c:retract_page_tables
 */
TEST_F(collapse_file, the_other_loses_its_table)
{
	int pause = pause_ends(self->other, HUGE);

	ASSERT_LE(0, pause) TH_LOG("no /dev/mmu_notifier_test");
	ASSERT_DONE(pause_over(pause));
	secondary_touch(self->area, HUGE);
	secondary_touch(self->other, HUGE);
	ASSERT_EQ(0, pause_told(pause, self->other, HUGE));
	ASSERT_DONE(madvise(self->area, HUGE, MADV_COLLAPSE));
	EXPECT_EQ(1, pause_told(pause, self->other, HUGE));
	ASSERT_EQ(HUGE, area_huge(self->area, HUGE));
	EXPECT_EQ(0, area_frame(self->other));
	secondary_dropped(self->area, HUGE);
	secondary_dropped(self->other, HUGE);
	secondary_flushed(self->area, HUGE);
	secondary_flushed(self->other, HUGE);
	secondary_agrees(self->area, HUGE);
	secondary_agrees(self->other, HUGE);
}

/* Reaches mm/khugepaged.c:try_collapse_pte_mapped_thp */
TEST_F(collapse_file, mapped_in_pieces)
{
	ASSERT_DONE(madvise(self->area, HUGE, MADV_COLLAPSE));
	/* Faults map the whole, where that is allowed: a page by itself first. */
	ASSERT_DONE(mprotect(self->other, PAGE, PROT_READ));
	EXPECT_EQ(self->area[0], *(volatile char *)self->other);
	ASSERT_DONE(mprotect(self->other, PAGE, PROT_READ | PROT_WRITE));
	secondary_touch(self->other, HUGE);
	ASSERT_EQ(0, area_huge(self->other, HUGE));
	ASSERT_DONE(madvise(self->other, HUGE, MADV_COLLAPSE));
	ASSERT_EQ(HUGE, area_huge(self->other, HUGE));
	secondary_dropped(self->other, HUGE);
	secondary_flushed(self->other, HUGE);
	secondary_agrees(self->other, HUGE);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* Pages of the same content become one, which is write-protected. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"
#include "pause.h"

#define KSM	"/sys/kernel/mm/ksm/"
#define PAGES	8
#define SIZE	(PAGES * PAGE)

FIXTURE(ksm) {
	char *area;
	int pause;
};

FIXTURE_SETUP(ksm)
{
	ASSERT_DONE(knob_set(KSM "sleep_millisecs", "0"));
	ASSERT_DONE(knob_set(KSM "pages_to_scan", "1000"));
	ASSERT_DONE(knob_set(KSM "run", "1"));
	self->area = area_private(SIZE);
	ASSERT_NE(NULL, self->area);
	ASSERT_DONE(madvise(self->area, SIZE, MADV_NOHUGEPAGE));
	self->pause = pause_ends(self->area, PAGE);
	ASSERT_LE(0, self->pause) TH_LOG("no /dev/mmu_notifier_test");
	secondary_map(self->area, SIZE);
	memset(self->area, 0x5a, SIZE);
}

FIXTURE_TEARDOWN(ksm)
{
	/* A failed test may have left the daemon at the gate. */
	pause_over(self->pause);
	/* 2 takes all merged pages apart. */
	knob_write(KSM "run", "2");
	knobs_restore();
}

static bool merged(const char *area)
{
	uint64_t frame = area_frame(area);

	for (size_t i = 1; frame && i < PAGES; i++)
		if (area_frame(area + i * PAGE) != frame)
			return false;
	return frame;
}

/*
 * The first page is held up in between: write-protected, not yet replaced.
 * Reaches mm/ksm.c:write_protect_page, mm/ksm.c:replace_page
 */
TEST_F_TIMEOUT(ksm, merge, 120)
{
	secondary_touch(self->area, SIZE);
	ASSERT_DONE(madvise(self->area, SIZE, MADV_MERGEABLE));
	ASSERT_DONE(pause_wait(self->pause));
	EXPECT_FALSE(merged(self->area));
	secondary_dropped(self->area, PAGE);
	secondary_flushed(self->area, PAGE);
	secondary_touch_read(self->area, PAGE);
	secondary_protected(self->area, PAGE);
	ASSERT_DONE(pause_over(self->pause));
	AWAIT(merged(self->area));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
}

/* Reaches mm/memory.c:wp_page_copy */
TEST_F_TIMEOUT(ksm, unmerge, 120)
{
	ASSERT_DONE(pause_over(self->pause));
	ASSERT_DONE(madvise(self->area, SIZE, MADV_MERGEABLE));
	AWAIT(merged(self->area));
	secondary_touch_read(self->area, SIZE);
	ASSERT_DONE(madvise(self->area, SIZE, MADV_UNMERGEABLE));
	EXPECT_FALSE(merged(self->area));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
}

TEST_HARNESS_MAIN

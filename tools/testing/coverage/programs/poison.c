// SPDX-License-Identifier: GPL-2.0
/* Memory that is said to be broken. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#define SIZE		(8 * PAGE)
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"

FIXTURE(poison) {
	char *area;
	uint64_t frame;
};

FIXTURE_SETUP(poison)
{
	self->area = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
	secondary_fill(self->area, SIZE);
	secondary_touch(self->area, SIZE);
	self->frame = area_frame(self->area + PAGE);
	ASSERT_NE(0, self->frame);
}

FIXTURE_TEARDOWN(poison)
{
	char frame[32];

	munmap(self->area, SIZE);
	snprintf(frame, sizeof(frame), "%#lx", (unsigned long)self->frame);
	EXPECT_EQ(0, knob_write(UNPOISON, frame)) TH_LOG("%s", strerror(errno));
}

static void told(int signal)
{
	(void)signal;
}

/* The page is gone for good; its neighbours are not. Reaches mm/rmap.c:try_to_unmap_one */
TEST_F(poison, hard)
{
	struct sigaction action = { .sa_handler = told }, old;
	char *page = self->area + PAGE;

	/* The process is told of it by a signal. */
	ASSERT_DONE(sigaction(SIGBUS, &action, &old));
	ASSERT_DONE(madvise(page, PAGE, MADV_HWPOISON));
	ASSERT_DONE(sigaction(SIGBUS, &old, NULL));
	secondary_dropped(page, PAGE);
	secondary_flushed(page, PAGE);
	secondary_agrees(self->area, SIZE);
}

/* The content moves to a page that is not broken. Reaches mm/rmap.c:try_to_migrate_one */
TEST_F(poison, soft)
{
	char *page = self->area + PAGE;

	ASSERT_DONE(madvise(page, PAGE, MADV_SOFT_OFFLINE));
	EXPECT_NE(self->frame, area_frame(page));
	secondary_dropped(page, PAGE);
	secondary_flushed(page, PAGE);
	secondary_agrees(self->area, SIZE);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* Huge pages of anonymous memory are made, split and moved. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"

FIXTURE(thp) {
	char *area;
};

FIXTURE_SETUP(thp)
{
	ASSERT_DONE(knob_set(THP "enabled", "madvise"));
	ASSERT_DONE(knob_set(THP "use_zero_page", "1"));
	self->area = area_private(HUGE);
	ASSERT_NE(NULL, self->area);
	ASSERT_DONE(madvise(self->area, HUGE, MADV_HUGEPAGE));
	secondary_map(self->area, HUGE);
}

FIXTURE_TEARDOWN(thp)
{
	knobs_restore();
}

/* Reaches mm/huge_memory.c:do_huge_zero_wp_pmd */
TEST_F(thp, write_to_the_huge_zero_page)
{
	EXPECT_EQ(0, *(volatile char *)self->area);
	ASSERT_EQ(HUGE, area_huge(self->area, HUGE));
	secondary_touch_read(self->area, HUGE);
	self->area[PAGE] = 1;
	ASSERT_EQ(HUGE, area_huge(self->area, HUGE));
	secondary_dropped(self->area, HUGE);
	secondary_flushed(self->area, HUGE);
	secondary_agrees(self->area, HUGE);
}

/* Reaches mm/huge_memory.c:__split_huge_pmd */
TEST_F(thp, split)
{
	secondary_fill(self->area, HUGE);
	ASSERT_EQ(HUGE, area_huge(self->area, HUGE));
	secondary_touch(self->area, HUGE);
	ASSERT_DONE(mprotect(self->area, PAGE, PROT_READ));
	EXPECT_EQ(0, area_huge(self->area, HUGE));
	/* The first page goes by mprotect itself, the others by the split. */
	secondary_dropped(self->area, HUGE);
	secondary_agrees(self->area, HUGE);
}

/* Reaches mm/huge_memory.c:move_pages_huge_pmd */
TEST_F(thp, move)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MOVE,
	};
	char *to = area_private(HUGE);
	struct uffdio_register registered = {
		.range = { (uintptr_t)to, HUGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_move move = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)self->area,
		.len = HUGE,
	};
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	ASSERT_NE(NULL, to);
	ASSERT_LE(0, uffd);
	ASSERT_DONE(ioctl(uffd, UFFDIO_API, &api));
	ASSERT_DONE(madvise(to, HUGE, MADV_HUGEPAGE));
	ASSERT_DONE(ioctl(uffd, UFFDIO_REGISTER, &registered));
	secondary_map(to, HUGE);
	secondary_fill(self->area, HUGE);
	ASSERT_EQ(HUGE, area_huge(self->area, HUGE));
	secondary_touch(self->area, HUGE);
	ASSERT_DONE(ioctl(uffd, UFFDIO_MOVE, &move));
	EXPECT_EQ(HUGE, area_huge(to, HUGE));
	secondary_dropped(self->area, HUGE);
	secondary_flushed(self->area, HUGE);
	secondary_agrees(self->area, HUGE);
	secondary_agrees(to, HUGE);
	close(uffd);
}

TEST_HARNESS_MAIN

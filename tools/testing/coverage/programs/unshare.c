// SPDX-License-Identifier: GPL-2.0
/*
 * Two mappings of one whole gigabyte of a hugetlb file share its table of
 * page table entries, until one of them is set apart from the other.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "area.h"

#define SIZE	(2 * HUGE)

FIXTURE(unshare) {
	char *area;
};

FIXTURE_SETUP(unshare)
{
	int fd = memfd_create("coverage", MFD_HUGETLB | MFD_CLOEXEC);
	char *twin;

	ASSERT_LE(0, fd);
	ASSERT_DONE(ftruncate(fd, PUD));
	twin = area_map(PUD, PUD, MAP_SHARED | MAP_NORESERVE, fd);
	self->area = area_map(PUD, PUD, MAP_SHARED | MAP_NORESERVE, fd);
	close(fd);
	ASSERT_NE(NULL, twin);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
	secondary_fill(twin, SIZE);
	secondary_touch(self->area, SIZE);
}

FIXTURE_TEARDOWN(unshare)
{
}

/* Reaches mm/hugetlb.c:hugetlb_unshare_pmds */
TEST_F(unshare, register_with_userfaultfd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MINOR_HUGETLBFS,
	};
	struct uffdio_register registered = {
		.range = { (uintptr_t)self->area, PUD },
		.mode = UFFDIO_REGISTER_MODE_MINOR,
	};
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	ASSERT_LE(0, uffd);
	ASSERT_DONE(ioctl(uffd, UFFDIO_API, &api));
	ASSERT_DONE(ioctl(uffd, UFFDIO_REGISTER, &registered));
	/* The table was all that held the pages in this mapping. */
	EXPECT_EQ(0, area_frame(self->area));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	ASSERT_DONE(ioctl(uffd, UFFDIO_UNREGISTER, &registered.range));
	close(uffd);
	secondary_agrees(self->area, SIZE);
}

/* Reaches mm/hugetlb.c:hugetlb_unshare_pmds */
TEST_F(unshare, split_the_mapping)
{
	ASSERT_DONE(mprotect(self->area, HUGE, PROT_READ));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
}

TEST_HARNESS_MAIN

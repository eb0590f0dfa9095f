// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a file are written to the disk and must not be written to without
 * notice from then on. Needs a file system on a disk at /tmp/disk.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"

#define SIZE	(16 * PAGE)
#define NAME	"/tmp/disk/coverage"

FIXTURE(writeback) {
	int fd;
	char *area;
};

FIXTURE_SETUP(writeback)
{
	self->fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->fd) TH_LOG(NAME ": %s", strerror(errno));
	ASSERT_DONE(ftruncate(self->fd, SIZE));
	self->area = area_map(SIZE, PAGE, MAP_SHARED, self->fd);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
	secondary_fill(self->area, SIZE);
	secondary_touch(self->area, SIZE);
}

FIXTURE_TEARDOWN(writeback)
{
	unlink(NAME);
}

/* Reaches mm/rmap.c:page_vma_mkclean_one */
TEST_F(writeback, clean)
{
	ASSERT_DONE(msync(self->area, SIZE, MS_SYNC));
	secondary_protected(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
}

/* What the devices write afterwards gets to the disk. Reaches mm/rmap.c:page_vma_mkclean_one */
TEST_F(writeback, write_again)
{
	uint64_t word = 0x5ec0, from_disk;

	ASSERT_DONE(msync(self->area, SIZE, MS_SYNC));
	ASSERT_EQ(0, secondary_vm_write(self->area, sizeof(word), &word));
	ASSERT_EQ(0, secondary_tlb_write(self->area + PAGE, word));
	ASSERT_DONE(msync(self->area, SIZE, MS_SYNC));
	ASSERT_DONE(munmap(self->area, SIZE));
	/* Only clean pages are dropped: what is read then comes from the disk. */
	ASSERT_DONE(knob_write("/proc/sys/vm/drop_caches", "1"));
	for (int page = 0; page < 2; page++) {
		ASSERT_EQ(sizeof(from_disk), pread(self->fd, &from_disk,
						   sizeof(from_disk), page * PAGE));
		EXPECT_EQ(word, from_disk);
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a device that is mapped in pieces of 1 GiB: nothing else has such
 * huge pages. The guest calls a part of its memory persistent.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"

#define ND	"/sys/bus/nd/"
#define DAX	ND "devices/dax0.0/"
#define DEVICE	"/dev/dax0.0"

/* Makes the persistent memory a device of such pieces; 0, or -1 with errno. */
static int make_device(void)
{
	if (!access(DEVICE, F_OK))
		return 0;
	/* Where it is a disk already. */
	knob_write(ND "drivers/nd_pmem/unbind", "namespace0.0");
	if (knob_write(DAX "align", "1073741824") ||
	    knob_write(DAX "mode", "ram") ||
	    knob_write(DAX "uuid", "5d3a7c52-63c6-4b0e-9d5c-3f1d2a8e4b70") ||
	    knob_write(DAX "namespace", "namespace0.0"))
		return -1;
	return knob_write(ND "drivers/dax_pmem/bind", "dax0.0");
}

/*
 * To take one page out, the whole is taken apart.
 * Reaches mm/huge_memory.c:__split_huge_pud
 */
TEST(split)
{
	const size_t size = 8 * PAGE;
	char *area;
	int fd;

	ASSERT_DONE(make_device());
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd) TH_LOG(DEVICE ": %s", strerror(errno));
	area = area_map(PUD, PUD, MAP_SHARED, fd);
	close(fd);
	ASSERT_NE(NULL, area) TH_LOG("%s", strerror(errno));
	secondary_map(area, size);
	secondary_fill(area, size);
	secondary_touch(area, size);
	ASSERT_DONE(madvise(area, PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, area_frame(area + PAGE));
	secondary_dropped(area, size);
	secondary_flushed(area, size);
	secondary_agrees(area, size);
}

TEST_HARNESS_MAIN

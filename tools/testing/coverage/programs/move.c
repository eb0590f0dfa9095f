// SPDX-License-Identifier: GPL-2.0
/* Pages that change their address. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "area.h"

#define SIZE	(16 * PAGE)

/* Two areas that the devices know; they hold translations of the first. */
FIXTURE(move) {
	char *from;
	char *to;
};

FIXTURE_SETUP(move)
{
	self->from = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	self->to = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ASSERT_TRUE(self->from && self->to);
	secondary_map(self->from, SIZE);
	secondary_map(self->to, SIZE);
	secondary_fill(self->from, SIZE);
	secondary_touch(self->from, SIZE);
}

FIXTURE_TEARDOWN(move)
{
}

#define ASSERT_MOVED() do {				\
	secondary_dropped(self->from, SIZE);		\
	secondary_flushed(self->from, SIZE);		\
	secondary_agrees(self->to, SIZE);		\
	secondary_agrees(self->from, SIZE);		\
	secondary_agrees(self->to, SIZE);		\
} while (0)

/*
 * Onto others, which go, as does in the end what is left of the mapping at the old
 * addresses.
 * Reaches mm/memory.c:unmap_vmas
 */
TEST_F(move, mremap)
{
	secondary_fill(self->to, SIZE);
	secondary_touch(self->to, SIZE);
	ASSERT_EQ(self->to, mremap(self->from, SIZE, SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, self->to));
	secondary_dropped(self->to, SIZE);
	ASSERT_MOVED();
}

/* The old addresses stay, without pages. Reaches mm/mremap.c:move_page_tables */
TEST_F(move, dontunmap)
{
	ASSERT_EQ(self->to, mremap(self->from, SIZE, SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
				   self->to));
	ASSERT_MOVED();
}

/* Reaches mm/userfaultfd.c:move_pages_ptes */
TEST_F(move, userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };
	struct uffdio_register registration = {
		.range = { (uintptr_t)self->to, SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_move move = {
		.dst = (uintptr_t)self->to,
		.src = (uintptr_t)self->from,
		.len = SIZE,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	ASSERT_LE(0, fd);
	ASSERT_DONE(ioctl(fd, UFFDIO_API, &api));
	ASSERT_DONE(ioctl(fd, UFFDIO_REGISTER, &registration));
	ASSERT_DONE(ioctl(fd, UFFDIO_MOVE, &move));
	ASSERT_EQ(SIZE, move.move);
	ASSERT_MOVED();
}

TEST_HARNESS_MAIN

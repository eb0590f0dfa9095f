// SPDX-License-Identifier: GPL-2.0
/* Pages shared by fork() or with all others that hold zeros, and their copies. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "area.h"

#define SIZE	(16 * PAGE)

FIXTURE(fork) {
	char *area;
	pid_t child;
	int go;
};

FIXTURE_SETUP(fork)
{
	/* No huge pages: they would be split first. */
	self->area = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
	secondary_fill(self->area, SIZE);
}

FIXTURE_TEARDOWN(fork)
{
}

/* In the child: does the area hold, once it is told to look, what it held at its birth? */
static int look(const char *area, int go)
{
	static char before[SIZE];
	char c;

	memcpy(before, area, SIZE);
	return read(go, &c, 1) == 1 && !memcmp(before, area, SIZE) ? 0 : 1;
}

static pid_t start_child(const char *area, int *go)
{
	int ends[2];
	pid_t child;

	if (pipe(ends))
		return -1;
	child = fork();
	if (!child)
		_exit(look(area, ends[0]));
	close(ends[0]);
	*go = ends[1];
	return child;
}

static int end_child(pid_t child, int go)
{
	int status;

	if (write(go, "", 1) != 1 || waitpid(child, &status, 0) != child)
		return -1;
	return status;
}

/*
 * What the devices may write becomes shared with the child, which must not see
 * their writes.
 * Reaches mm/memory.c:copy_page_range
 */
TEST_F(fork, writable)
{
	secondary_touch(self->area, SIZE);
	self->child = start_child(self->area, &self->go);
	ASSERT_LT(0, self->child);
	secondary_protected(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
	EXPECT_EQ(0, end_child(self->child, self->go));
}

/*
 * What the devices read is the child's page alone once this process has
 * written and got a copy.
 * Reaches mm/memory.c:wp_page_copy
 */
TEST_F(fork, copied)
{
	self->child = start_child(self->area, &self->go);
	ASSERT_LT(0, self->child);
	secondary_touch_read(self->area, SIZE);
	for (size_t i = 0; i < SIZE; i += PAGE)
		self->area[i] ^= 1;
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	secondary_agrees(self->area, SIZE);
	EXPECT_EQ(0, end_child(self->child, self->go));
}

/* A new page instead of the one of zeros. Reaches mm/memory.c:wp_page_copy */
TEST(page_of_zeros)
{
	char *area = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	ASSERT_NE(NULL, area);
	secondary_map(area, SIZE);
	secondary_touch_read(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	secondary_agrees(area, SIZE);
}

/* A page of its own instead of the file's. Reaches mm/memory.c:wp_page_copy */
TEST(page_of_a_file)
{
	int fd = memfd_create("coverage", MFD_CLOEXEC);
	char *area;

	ASSERT_DONE(ftruncate(fd, SIZE));
	area = area_map(SIZE, PAGE, MAP_PRIVATE, fd);
	ASSERT_NE(NULL, area);
	secondary_map(area, SIZE);
	secondary_touch_read(area, SIZE);
	secondary_fill(area, SIZE);
	secondary_dropped(area, SIZE);
	secondary_flushed(area, SIZE);
	secondary_agrees(area, SIZE);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * What the VM tells a subscription: for every operation its start and its end,
 * the exact range, and why.
 */
#define _GNU_SOURCE
#include "fixture.h"

#define TRACE	mnt_trace_ranges(self->fd, self->area)

static void watch(struct __test_metadata *_metadata,
		  struct _test_data_notifier *self)
{
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area, AREA * PAGE, 0));
	mnt_trace(self->fd);
}

#define EXPECT_TOLD(range)						\
	EXPECT_STREQ("1.inv" range " 0.start" range " 0.end" range, TRACE)

TEST_F(notifier, munmap)
{
	watch(_metadata, self);
	ASSERT_DONE(munmap(self->area + 2 * PAGE, 3 * PAGE));
	EXPECT_TOLD("[2,5)unmap");
}

TEST_F(notifier, mprotect)
{
	watch(_metadata, self);
	ASSERT_DONE(mprotect(self->area + PAGE, PAGE, PROT_READ));
	EXPECT_TOLD("[1,2)protect");
}

TEST_F(notifier, madvise_dontneed)
{
	watch(_metadata, self);
	ASSERT_DONE(madvise(self->area, AREA * PAGE, MADV_DONTNEED));
	EXPECT_TOLD("[0,8)clear");
}

TEST_F(notifier, madvise_free)
{
	watch(_metadata, self);
	ASSERT_DONE(madvise(self->area + 7 * PAGE, PAGE, MADV_FREE));
	EXPECT_TOLD("[7,8)clear");
}

TEST_F(notifier, mremap)
{
	char *target = area_map(2);

	watch(_metadata, self);
	ASSERT_EQ(target, mremap(self->area + PAGE, 2 * PAGE, 2 * PAGE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, target));
	/* The move, then the unmapping of what it left. */
	EXPECT_STREQ("1.inv[1,3)unmap 0.start[1,3)unmap 0.end[1,3)unmap "
		     "1.inv[1,3)unmap 0.start[1,3)unmap 0.end[1,3)unmap", TRACE);
}

static void write_one(void *area)
{
	*(volatile char *)area = 2;
}

/* fork protects the parent's pages; writing one again replaces or reuses it. */
TEST_F(notifier, fork_and_copy_on_write)
{
	pid_t child;
	int gate[2];

	watch(_metadata, self);
	ASSERT_EQ(0, pipe(gate));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		char c;

		close(gate[1]);
		_exit(read(gate[0], &c, 1) != 0);
	}
	EXPECT_TOLD("[0,8)protect_page");
	write_one(self->area + 3 * PAGE);
	EXPECT_TOLD("[3,4)clear");
	close(gate[1]);
	ASSERT_EQ(0, child_wait(child));
}

TEST_F(notifier, soft_dirty)
{
	const struct mnt_event *events;
	size_t count;

	watch(_metadata, self);
	ASSERT_DONE(write_file("/proc/self/clear_refs", "4"));
	count = mnt_events(self->fd, &events);
	ASSERT_EQ(3, count);
	EXPECT_EQ(MNT_INVALIDATE, events[0].hook);
	EXPECT_EQ(MNT_RANGE_START, events[1].hook);
	EXPECT_EQ(MNT_RANGE_END, events[2].hook);
	for (size_t i = 0; i < count; i++) {
		EXPECT_EQ(4, events[i].event);
		EXPECT_EQ(0, events[i].start);
	}
}

/* A truncated file is torn out of the page tables by way of the reverse map. */
TEST_F(notifier, truncate_by_another_process)
{
	int file = memory_file(4, 0);
	char *shared = area_map_file(file, 4);
	pid_t child;

	for (int slot = 0; slot < 2; slot++)
		mnt_behave(self->fd, slot, shared, 4 * PAGE,
			   (struct mnt_behave){});
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, shared, 4 * PAGE, 0));
	mnt_trace(self->fd);
	child = fork();
	if (!child)
		_exit(!!ftruncate(file, 2 * PAGE));
	ASSERT_EQ(0, child_wait(child));
	/* Once before the pages leave the file, and once after. */
	EXPECT_STREQ("1.inv[2,4)clear 0.start[2,4)clear 0.end[2,4)clear "
		     "1.inv[2,4)clear 0.start[2,4)clear 0.end[2,4)clear",
		     mnt_trace_ranges(self->fd, shared));
}

/* The TLB model is told of flushes, for its own mm, and of nothing else. */
TEST_F(notifier, secondary_tlbs)
{
	const struct mnt_event *events;
	bool covered = false;
	size_t count;

	ASSERT_DONE(mnt_register(self->fd, 0, MNT_BIT(MNT_SECONDARY_TLBS) |
					      MNT_BIT(MNT_RELEASE), 0));
	mnt_trace(self->fd);
	ASSERT_DONE(mprotect(self->area + PAGE, PAGE, PROT_READ));
	count = mnt_events(self->fd, &events);
	ASSERT_LE(1, count);
	for (size_t i = 0; i < count; i++) {
		EXPECT_EQ(MNT_SECONDARY_TLBS, events[i].hook);
		covered |= events[i].start <= (uintptr_t)self->area + PAGE &&
			   events[i].end >= (uintptr_t)self->area + 2 * PAGE;
	}
	EXPECT_TRUE(covered);
}

/* Only intervals that the range touches are told, in the order of addresses. */
TEST_F(notifier, only_touched_intervals_are_told)
{
	ASSERT_DONE(mnt_insert(self->fd, 3, self->area + 4 * PAGE, PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 2, self->area + 2 * PAGE, 2 * PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, 1, self->area, 2 * PAGE, 0));
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(self->area + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	EXPECT_STREQ("2.inv[2,4)clear", TRACE);
	ASSERT_DONE(madvise(self->area + PAGE, 4 * PAGE, MADV_DONTNEED));
	EXPECT_STREQ("1.inv[1,5)clear 2.inv[1,5)clear 3.inv[1,5)clear", TRACE);
	ASSERT_DONE(madvise(self->area + 5 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("", TRACE);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * No translation survives what happens to its page: after an operation on the
 * address space the TLB shows what the processor sees, or nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>

#include "gru_fixture.h"

/* Fills the area, and has the TLB hold all of it, to write. */
static void hold_area(struct __test_metadata *_metadata, FIXTURE_DATA(tlb) *self)
{
	for (size_t page = 0; page < AREA; page++)
		ASSERT_EQ(0, gru_fill(self->fd, self->area + page * PAGE,
				      page + 1, PAGE));
}

/* Looks first at what the TLB holds, then has it look at the page tables. */
static void compare(struct __test_metadata *_metadata, int fd, char *start,
		    size_t pages)
{
	char seen[PAGE];
	int error;

	for (size_t page = 0; page < pages; page++) {
		char *at = start + page * PAGE;

		error = gru_peek(fd, at, seen, PAGE);
		if (error != ENODATA) {
			ASSERT_EQ(0, error);
			ASSERT_EQ(0, memcmp(at, seen, PAGE)) {
				TH_LOG("page %zu is stale", page);
			}
		}
		ASSERT_EQ(0, gru_copy(fd, seen, at, PAGE));
		ASSERT_EQ(0, memcmp(at, seen, PAGE)) {
			TH_LOG("page %zu is stale when copied", page);
		}
	}
}

static void expect_gone(struct __test_metadata *_metadata, int fd, char *at)
{
	uint64_t word;

	EXPECT_EQ(ENODATA, gru_peek(fd, at, &word, WORD));
	EXPECT_EQ(EFAULT, gru_load(fd, at, &word));
	EXPECT_EQ(EFAULT, gru_fill(fd, at, 1, WORD));
}

TEST_F(tlb, munmap)
{
	hold_area(_metadata, self);
	ASSERT_DONE(munmap(self->area + 3 * PAGE, 2 * PAGE));
	expect_gone(_metadata, self->fd, self->area + 3 * PAGE);
	expect_gone(_metadata, self->fd, self->area + 4 * PAGE);
	compare(_metadata, self->fd, self->area, 3);
	compare(_metadata, self->fd, self->area + 5 * PAGE, AREA - 5);
}

TEST_F(tlb, a_new_mapping_in_place_of_the_old)
{
	char *fixed;

	hold_area(_metadata, self);
	fixed = mmap(self->area + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(self->area + 2 * PAGE, fixed);
	compare(_metadata, self->fd, self->area, AREA);
	EXPECT_EQ(0, self->area[2 * PAGE]);
}

TEST_F(tlb, mremap)
{
	char *target = area_map(2);

	hold_area(_metadata, self);
	ASSERT_EQ(0, gru_fill(self->fd, target, 7, 2 * PAGE));
	ASSERT_EQ(target, mremap(self->area + 4 * PAGE, 2 * PAGE, 2 * PAGE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, target));
	expect_gone(_metadata, self->fd, self->area + 4 * PAGE);
	expect_gone(_metadata, self->fd, self->area + 5 * PAGE);
	compare(_metadata, self->fd, target, 2);
	EXPECT_EQ(5, target[0]);
	EXPECT_EQ(6, target[PAGE]);
	area_unmap(target, 2);
}

TEST_F(tlb, madvise_dontneed)
{
	hold_area(_metadata, self);
	ASSERT_DONE(madvise(self->area + PAGE, 5 * PAGE, MADV_DONTNEED));
	for (size_t page = 1; page < 6; page++) {
		uint64_t word;

		EXPECT_EQ(ENODATA, gru_peek(self->fd, self->area + page * PAGE,
					    &word, WORD));
	}
	compare(_metadata, self->fd, self->area, AREA);
	EXPECT_EQ(0, self->area[PAGE]);
}

TEST_F(tlb, mprotect)
{
	uint64_t *word = (uint64_t *)self->area, seen;

	hold_area(_metadata, self);
	ASSERT_DONE(mprotect(self->area, PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, gru_fill(self->fd, self->area, 99, WORD));
	compare(_metadata, self->fd, self->area, 1);
	EXPECT_EQ(1, *word);

	ASSERT_DONE(mprotect(self->area, PAGE, PROT_NONE));
	expect_gone(_metadata, self->fd, self->area);

	ASSERT_DONE(mprotect(self->area, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, gru_fill(self->fd, self->area, 99, WORD));
	EXPECT_EQ(99, *word);
	EXPECT_EQ(0, gru_load(self->fd, word, &seen));
	EXPECT_EQ(99, seen);
}

/* A child that keeps its pages until it is asked whether they are as they were. */
struct twin {
	char *area;
	int ask;
};

static void keep_pages(void *arg)
{
	struct twin *twin = arg;
	char c;

	if (read(twin->ask, &c, 1) < 0)
		_exit(2);
	for (size_t page = 0; page < AREA; page++)
		if (*(uint64_t *)(twin->area + page * PAGE) != page + 1)
			_exit(1);
}

/* What either writes after a fork, the other must not see. */
TEST_F(tlb, fork_and_copy_on_write)
{
	struct twin twin = { .area = self->area };
	int ask[2];
	pid_t child;

	hold_area(_metadata, self);
	ASSERT_EQ(0, pipe2(ask, O_CLOEXEC));
	twin.ask = ask[0];
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(ask[1]);
		keep_pages(&twin);
		_exit(0);
	}
	/* By the processor first, by the TLB first, and read only. */
	*(volatile uint64_t *)self->area = 100;
	ASSERT_EQ(0, gru_fill(self->fd, self->area + PAGE, 101, WORD));
	compare(_metadata, self->fd, self->area, AREA);
	*(volatile uint64_t *)(self->area + PAGE) = 102;
	ASSERT_EQ(0, gru_fill(self->fd, self->area, 103, WORD));
	compare(_metadata, self->fd, self->area, AREA);
	EXPECT_EQ(103, *(volatile uint64_t *)self->area);
	EXPECT_EQ(102, *(volatile uint64_t *)(self->area + PAGE));
	close(ask[1]);
	EXPECT_EQ(0, child_wait(child));
}

#define HUGE (2UL << 20)

/*
 * A huge page has one page table entry; flushing that must take all of it from
 * the TLB, also where no part of the first small page is held.
 */
TEST_F(tlb, a_huge_page_is_copied_on_write)
{
	char *huge = MAP_FAILED;
	struct twin twin;
	int ask[2], knob;
	pid_t child;

	knob = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	if (knob >= 0 && write(knob, "4", 1) == 1)
		huge = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (huge == MAP_FAILED)
		SKIP(return, "no huge pages: %s", strerror(errno));
	for (size_t page = 0; page < AREA; page++)
		*(uint64_t *)(huge + page * PAGE) = page + 1;
	ASSERT_EQ(0, pipe2(ask, O_CLOEXEC));
	twin = (struct twin){ .area = huge, .ask = ask[0] };
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(ask[1]);
		keep_pages(&twin);
		_exit(0);
	}
	/* Now it is shared, so these hold the page that the next write copies. */
	compare(_metadata, self->fd, huge + PAGE, AREA - 1);
	*(volatile uint64_t *)huge = 100;
	for (size_t page = 1; page < AREA; page++)
		*(volatile uint64_t *)(huge + page * PAGE) = 100 + page;
	compare(_metadata, self->fd, huge, AREA);
	close(ask[1]);
	EXPECT_EQ(0, child_wait(child));
	ASSERT_DONE(munmap(huge, HUGE));
	ASSERT_EQ(1, write(knob, "0", 1));
	close(knob);
}

TEST_F(tlb, a_file_is_cut_short)
{
	int file = memory_file(4, 0);
	char *shared = area_map_file(file, 4);

	ASSERT_EQ(0, gru_fill(self->fd, shared, 5, 4 * PAGE));
	ASSERT_DONE(ftruncate(file, 2 * PAGE));
	expect_gone(_metadata, self->fd, shared + 2 * PAGE);
	expect_gone(_metadata, self->fd, shared + 3 * PAGE);
	ASSERT_DONE(ftruncate(file, 4 * PAGE));
	compare(_metadata, self->fd, shared, 4);
	EXPECT_EQ(0, shared[2 * PAGE]);

	ASSERT_EQ(0, gru_fill(self->fd, shared, 6, 4 * PAGE));
	ASSERT_DONE(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      PAGE, PAGE));
	compare(_metadata, self->fd, shared, 4);
	EXPECT_EQ(0, shared[PAGE]);
	area_unmap(shared, 4);
	close(file);
}

/* What the TLB writes to a shared file mapping is in the file. */
TEST_F(tlb, a_shared_file_is_written)
{
	int file = memory_file(2, 0);
	char *shared = area_map_file(file, 2);
	uint64_t words[2] = {};

	ASSERT_EQ(0, gru_fill(self->fd, shared + PAGE - WORD, 0x1234, 2 * WORD));
	ASSERT_EQ(sizeof(words), pread(file, words, sizeof(words), PAGE - WORD));
	EXPECT_EQ(0x1234, words[0]);
	EXPECT_EQ(0x1234, words[1]);
	area_unmap(shared, 2);
	close(file);
}

TEST_F(tlb, memory_that_cannot_be_written)
{
	const char *zero = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);
	uint64_t seen = 1;

	ASSERT_NE(MAP_FAILED, zero);
	EXPECT_EQ(0, gru_load(self->fd, zero, &seen));
	EXPECT_EQ(0, seen);
	EXPECT_EQ(EFAULT, gru_fill(self->fd, (void *)zero, 1, WORD));
}

/* Only of the zero page until it is written: then of a page of its own. */
TEST_F(tlb, the_zero_page_is_replaced)
{
	char *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seen = 1;

	ASSERT_NE(MAP_FAILED, fresh);
	ASSERT_EQ(0, gru_load(self->fd, fresh, &seen));
	EXPECT_EQ(0, seen);
	*(volatile uint64_t *)fresh = 3;
	compare(_metadata, self->fd, fresh, 1);
	ASSERT_EQ(0, gru_fill(self->fd, fresh, 4, WORD));
	EXPECT_EQ(4, *(volatile uint64_t *)fresh);
	munmap(fresh, PAGE);
}

TEST_HARNESS_MAIN

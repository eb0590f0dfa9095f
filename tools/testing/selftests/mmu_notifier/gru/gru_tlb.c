// SPDX-License-Identifier: GPL-2.0
/*
 * What the TLB holds and counts: misses, drop-ins, replacement, and the flushes
 * that an operation on the address space brings.
 */
#define _GNU_SOURCE
#include <string.h>

#include "gru_fixture.h"

/* What has been counted since the last look. */
static struct gru_stats since(int fd, struct gru_stats *last)
{
	struct gru_stats now = gru_stats(fd), then = *last;

	*last = now;
	now.misses -= then.misses;
	now.drop_ins -= then.drop_ins;
	now.refused -= then.refused;
	now.waits -= then.waits;
	now.flush_page -= then.flush_page;
	now.flush_range -= then.flush_range;
	now.pages_flushed -= then.pages_flushed;
	return now;
}

static int fill_page(int fd, char *area, size_t page)
{
	return gru_fill(fd, area + page * PAGE, page, WORD);
}

static bool holds(int fd, char *area, size_t page)
{
	char byte;

	return !gru_peek(fd, area + page * PAGE, &byte, 1);
}

TEST_F(tlb, a_page_is_dropped_in_once)
{
	struct gru_stats last = gru_stats(self->fd), told;

	ASSERT_EQ(0, gru_copy(self->fd, self->area + PAGE, self->area, 100));
	told = since(self->fd, &last);
	EXPECT_EQ(2, told.misses);
	EXPECT_EQ(2, told.drop_ins);
	for (size_t at = 0; at < PAGE; at += 100)
		ASSERT_EQ(0, gru_copy(self->fd, self->area + PAGE + 4096 - 100,
				      self->area + 4096 - 100, 100));
	told = since(self->fd, &last);
	EXPECT_EQ(0, told.misses);
	EXPECT_EQ(0, told.drop_ins);
}

TEST_F(tlb, a_page_that_was_read_is_dropped_in_anew_to_write)
{
	struct gru_stats last, told;

	ASSERT_EQ(0, gru_copy(self->fd, self->area + PAGE, self->area, WORD));
	last = gru_stats(self->fd);
	ASSERT_EQ(0, fill_page(self->fd, self->area, 0));
	told = since(self->fd, &last);
	EXPECT_EQ(1, told.misses);
	EXPECT_EQ(1, told.drop_ins);
	ASSERT_EQ(0, gru_copy(self->fd, self->area + PAGE, self->area, WORD));
	told = since(self->fd, &last);
	EXPECT_EQ(0, told.misses);
}

TEST_F(tlb, a_long_instruction_misses_each_page_once)
{
	struct gru_stats last = gru_stats(self->fd), told;

	ASSERT_EQ(0, gru_copy(self->fd, self->area + 8 * PAGE + 5, self->area + 3,
			      7 * PAGE));
	told = since(self->fd, &last);
	EXPECT_EQ(16, told.misses);
	EXPECT_EQ(16, told.drop_ins);
	EXPECT_EQ(0, told.refused);
}

/* The oldest gives its place away; there are never more than the TLB has. */
TEST_F(tlb, a_full_tlb_replaces_the_oldest)
{
	int fd = gru_open(variant->model, 4);

	ASSERT_LE(0, fd);
	for (size_t page = 0; page < AREA; page++) {
		ASSERT_EQ(0, fill_page(fd, self->area, page));
		for (size_t n = 0; n < AREA; n++) {
			bool young_enough = n <= page && n + 4 > page;

			ASSERT_EQ(young_enough, holds(fd, self->area, n)) {
				TH_LOG("page %zu after %zu", n, page);
			}
		}
	}
	EXPECT_EQ(AREA, gru_stats(fd).drop_ins);
	EXPECT_EQ(0, gru_stats(fd).pages_flushed);
	close(fd);
}

/* A page that was flushed leaves a place for the next. */
TEST_F(tlb, a_flushed_place_is_free)
{
	int fd = gru_open(variant->model, 4);

	ASSERT_LE(0, fd);
	for (size_t page = 0; page < 4; page++)
		ASSERT_EQ(0, fill_page(fd, self->area, page));
	ASSERT_DONE(madvise(self->area + 2 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, fill_page(fd, self->area, 7));
	EXPECT_TRUE(holds(fd, self->area, 0));
	EXPECT_TRUE(holds(fd, self->area, 1));
	EXPECT_FALSE(holds(fd, self->area, 2));
	EXPECT_TRUE(holds(fd, self->area, 3));
	EXPECT_TRUE(holds(fd, self->area, 7));
	close(fd);
}

/* Every page of the area has an entry; then the operation drops some. */
#define EXPECT_FLUSHES(page_calls, range_calls, pages, operation) do {	\
	struct gru_stats last, told;					\
									\
	for (size_t page = 0; page < AREA; page++)			\
		ASSERT_EQ(0, fill_page(self->fd, self->area, page));	\
	last = gru_stats(self->fd);					\
	ASSERT_DONE(operation);						\
	told = since(self->fd, &last);					\
	EXPECT_EQ(page_calls, told.flush_page);				\
	EXPECT_EQ(range_calls, told.flush_range);			\
	EXPECT_EQ(pages, told.pages_flushed);				\
} while (0)

TEST_F(tlb, flushes_of_one_page)
{
	char *page = self->area + 5 * PAGE;

	EXPECT_FLUSHES(1, 0, 1, madvise(page, PAGE, MADV_DONTNEED));
	EXPECT_FALSE(holds(self->fd, self->area, 5));
	EXPECT_TRUE(holds(self->fd, self->area, 4));
	EXPECT_TRUE(holds(self->fd, self->area, 6));
	EXPECT_FLUSHES(1, 0, 1, mprotect(page, PAGE, PROT_READ));
	EXPECT_FALSE(holds(self->fd, self->area, 5));
	ASSERT_DONE(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_FLUSHES(1, 0, 1, munmap(page, PAGE));
	EXPECT_FALSE(holds(self->fd, self->area, 5));
}

TEST_F(tlb, flushes_of_many_pages)
{
	char *start = self->area + 2 * PAGE;

	EXPECT_FLUSHES(0, 1, 6, madvise(start, 6 * PAGE, MADV_DONTNEED));
	EXPECT_FLUSHES(0, 1, 2, mprotect(start, 2 * PAGE, PROT_READ));
	ASSERT_DONE(mprotect(start, 2 * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_FLUSHES(0, 1, AREA, munmap(self->area, AREA * PAGE));
	for (size_t page = 0; page < AREA; page++)
		EXPECT_FALSE(holds(self->fd, self->area, page));
}

/* What has no entry is no flush. */
TEST_F(tlb, flushes_elsewhere_do_not_count)
{
	struct gru_stats last, told;
	char *other = area_map(4);

	ASSERT_EQ(0, fill_page(self->fd, self->area, 0));
	last = gru_stats(self->fd);
	ASSERT_DONE(madvise(other, 4 * PAGE, MADV_DONTNEED));
	area_unmap(other, 4);
	told = since(self->fd, &last);
	EXPECT_EQ(0, told.flush_page);
	EXPECT_EQ(0, told.flush_range);
	EXPECT_TRUE(holds(self->fd, self->area, 0));
}

TEST_F(tlb, a_flush_by_the_program)
{
	struct gru_stats last, told;

	for (size_t page = 0; page < AREA; page++)
		ASSERT_EQ(0, fill_page(self->fd, self->area, page));
	last = gru_stats(self->fd);
	ASSERT_EQ(0, gru_flush(self->fd));
	for (size_t page = 0; page < AREA; page++)
		EXPECT_FALSE(holds(self->fd, self->area, page));
	ASSERT_EQ(0, fill_page(self->fd, self->area, 0));
	told = since(self->fd, &last);
	EXPECT_EQ(0, told.flush_page);
	EXPECT_EQ(0, told.flush_range);
	EXPECT_EQ(0, told.pages_flushed);
	EXPECT_EQ(1, told.misses);
}

/* A look brings nothing in, counts nothing, and sees all or nothing. */
TEST_F(tlb, peek)
{
	char seen[3 * PAGE], *from = self->area + PAGE - 10;
	struct gru_stats last, told;

	for (size_t page = 0; page < 2; page++)
		ASSERT_EQ(0, fill_page(self->fd, self->area, page));
	last = gru_stats(self->fd);
	memset(from, 'x', 20);
	EXPECT_EQ(0, gru_peek(self->fd, from, seen, 20));
	EXPECT_EQ(0, memcmp(seen, from, 20));

	memset(seen, 'u', sizeof(seen));
	EXPECT_EQ(ENODATA, gru_peek(self->fd, from, seen, PAGE + 11));
	for (size_t i = 0; i < sizeof(seen); i++)
		ASSERT_EQ('u', seen[i]);
	EXPECT_FALSE(holds(self->fd, self->area, 2));
	told = since(self->fd, &last);
	EXPECT_EQ(0, told.misses);
	EXPECT_EQ(0, told.drop_ins);
}

TEST_HARNESS_MAIN

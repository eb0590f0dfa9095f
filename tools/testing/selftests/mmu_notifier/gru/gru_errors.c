// SPDX-License-Identifier: GPL-2.0
/*
 * Every bad input has the errno that gru.h gives it, and changes nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>

#include "gru_fixture.h"

#define TOP	(-PAGE)		/* the last page there could be */
#define FAR	(1UL << 62)	/* an address that no process has */

static int new_context(struct __test_metadata *_metadata)
{
	int fd = open("/dev/gru", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd) TH_LOG("/dev/gru: %s", strerror(errno));
	return fd;
}

TEST(unknown_numbers)
{
	int fd = new_context(_metadata);
	char argument[256] = {};

	for (unsigned int nr = 5; nr < 256; nr++)
		ASSERT_FAILS(ENOTTY, ioctl(fd, _IO(0xB7, nr), argument));
	/* The right numbers with another size or direction. */
	ASSERT_FAILS(ENOTTY, ioctl(fd, _IOW(0xB7, 0, char[4]), argument));
	ASSERT_FAILS(ENOTTY, ioctl(fd, _IOWR(0xB7, 1, char[24]), argument));
	ASSERT_FAILS(ENOTTY, ioctl(fd, _IOR(0xB7, 2, struct gru_peek), argument));
	ASSERT_FAILS(ENOTTY, ioctl(fd, _IOW(0xB7, 3, int), argument));
	ASSERT_FAILS(ENOTTY, ioctl(fd, _IO(0xB7, 4), argument));
	ASSERT_FAILS(ENOTTY, ioctl(fd, _IO(0xB6, 0), argument));
	close(fd);
}

TEST(unreadable_arguments)
{
	static const unsigned long commands[] = {
		GRU_CONFIGURE, GRU_RUN, GRU_PEEK, GRU_STATS,
	};
	int fd = new_context(_metadata);

	for (size_t i = 0; i < 4; i++) {
		ASSERT_FAILS(EFAULT, ioctl(fd, commands[i], NULL));
		ASSERT_FAILS(EFAULT, ioctl(fd, commands[i], TOP));
		ASSERT_FAILS(EFAULT, ioctl(fd, commands[i], FAR));
	}
	/* None of them was a first use. */
	EXPECT_EQ(0, gru_configure(fd, GRU_MODEL_RANGE, 1));
	close(fd);
}

TEST(configure)
{
	int fd = new_context(_metadata);

	EXPECT_EQ(EINVAL, gru_configure(fd, 2, 64));
	EXPECT_EQ(EINVAL, gru_configure(fd, ~0u, 64));
	EXPECT_EQ(EINVAL, gru_configure(fd, GRU_MODEL_RANGE, 0));
	EXPECT_EQ(EINVAL, gru_configure(fd, GRU_MODEL_FLUSH, GRU_TLB_MAX + 1));
	EXPECT_EQ(EINVAL, gru_configure(fd, GRU_MODEL_FLUSH, ~0u));
	EXPECT_EQ(0, gru_configure(fd, GRU_MODEL_FLUSH, GRU_TLB_MAX));
	EXPECT_EQ(EBUSY, gru_configure(fd, GRU_MODEL_FLUSH, GRU_TLB_MAX));
	EXPECT_EQ(EINVAL, gru_configure(fd, GRU_MODEL_FLUSH, 0));
	close(fd);
}

TEST(configure_after_use)
{
	uint64_t word = 0, seen;
	int fd = new_context(_metadata);

	EXPECT_EQ(0, gru_stats(fd).misses);
	EXPECT_EQ(0, gru_load(fd, &word, &seen));
	EXPECT_EQ(EBUSY, gru_configure(fd, GRU_MODEL_RANGE, 64));
	close(fd);
	fd = new_context(_metadata);
	EXPECT_EQ(ENODATA, gru_peek(fd, &word, &seen, WORD));
	EXPECT_EQ(EBUSY, gru_configure(fd, GRU_MODEL_RANGE, 64));
	close(fd);
	fd = new_context(_metadata);
	EXPECT_EQ(0, gru_flush(fd));
	EXPECT_EQ(EBUSY, gru_configure(fd, GRU_MODEL_RANGE, 64));
	close(fd);
}

/* Each single field out of order; the memory stays as it is. */
TEST_F(tlb, instructions_that_make_no_sense)
{
	uint64_t area = (uintptr_t)self->area;
	struct gru_instruction bad[] = {
		{ .op = 0, .dst = area, .src = area, .length = 8 },
		{ .op = 4, .dst = area, .src = area, .length = 8 },
		{ .op = ~0u, .dst = area, .src = area, .length = 8 },
		{ GRU_OP_COPY, 0, area, area + PAGE, 0, 0 },
		{ GRU_OP_COPY, 0, area, area + PAGE, GRU_LENGTH_MAX + 1, 0 },
		{ GRU_OP_COPY, 0, area, area + PAGE, ~0UL, 0 },
		{ GRU_OP_COPY, 0, TOP, area, PAGE, 0 },
		{ GRU_OP_COPY, 0, area, TOP, PAGE, 0 },
		{ GRU_OP_COPY, 0, area, -8UL, 9, 0 },
		{ GRU_OP_COPY, 0, area, area + PAGE, 8, 1 },
		{ GRU_OP_FILL, 0, area, 0, 0, 1 },
		{ GRU_OP_FILL, 0, area, 0, 7, 1 },
		{ GRU_OP_FILL, 0, area, 0, 12, 1 },
		{ GRU_OP_FILL, 0, area, 1, 8, 1 },
		{ GRU_OP_FILL, 0, TOP, 0, PAGE, 1 },
		{ GRU_OP_FILL, 0, area, 0, GRU_LENGTH_MAX + 8, 1 },
		{ GRU_OP_FILL, 0, area, 0, -8UL, 1 },
		{ GRU_OP_GATHER, 0, area, area, 0, area },
		{ GRU_OP_GATHER, 0, area + 1, area, 1, area },
		{ GRU_OP_GATHER, 0, area, area + 4, 1, area },
		{ GRU_OP_GATHER, 0, area, area, 1, area + 2 },
		{ GRU_OP_GATHER, 0, TOP, area, PAGE / 8, area },
		{ GRU_OP_GATHER, 0, area, area, PAGE / 8, TOP },
		{ GRU_OP_GATHER, 0, area, area, GRU_LENGTH_MAX / 8 + 1, area },
		{ GRU_OP_GATHER, 0, area, area, 1UL << 61, area },
		{ GRU_OP_GATHER, 0, area, area, ~0UL, area },
	};
	char *before = area_map(AREA);
	unsigned int done;

	memset(self->area, 'b', AREA * PAGE);
	memcpy(before, self->area, AREA * PAGE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		bad[i].status = ~0u;
		ASSERT_EQ(EINVAL, gru_run(self->fd, &bad[i], 1, &done)) {
			TH_LOG("instruction %zu", i);
		}
		ASSERT_EQ(EINVAL, bad[i].status);
		ASSERT_EQ(0, done);
	}
	EXPECT_EQ(0, memcmp(before, self->area, AREA * PAGE));
	EXPECT_EQ(0, gru_stats(self->fd).misses);
	area_unmap(before, AREA);
}

/* An index that points past the end is found out when it is read. */
TEST_F(tlb, indexes_that_make_no_sense)
{
	static const uint64_t bad[] = { ~0UL, 1UL << 61, 1UL << 62, 1UL << 63 };
	uint64_t *words = (uint64_t *)self->area;

	words[0] = 5;
	for (size_t i = 0; i < 4; i++) {
		words[9] = bad[i];
		EXPECT_EQ(EINVAL, gru_gather(self->fd, words, words + 16,
					     words + 8, 2));
		EXPECT_EQ(5, words[0]);
	}
	words[9] = AREA * PAGE / WORD;
	EXPECT_EQ(EFAULT, gru_gather(self->fd, words, words, words + 8, 2));
	EXPECT_EQ(5, words[0]);
}

TEST_F(tlb, memory_that_is_not_there)
{
	void *fence = self->area + AREA * PAGE, *far = (void *)FAR;

	EXPECT_EQ(EFAULT, gru_copy(self->fd, self->area, fence, 8));
	EXPECT_EQ(EFAULT, gru_copy(self->fd, fence, self->area, 8));
	EXPECT_EQ(EFAULT, gru_copy(self->fd, self->area, far, 8));
	EXPECT_EQ(EFAULT, gru_copy(self->fd, far, self->area, 8));
	EXPECT_EQ(EFAULT, gru_copy(self->fd, self->area, NULL, 8));
	EXPECT_EQ(EFAULT, gru_fill(self->fd, NULL, 0, 8));
	EXPECT_EQ(EFAULT, gru_fill(self->fd, (void *)(TOP - PAGE), 0, PAGE));
	EXPECT_EQ(EFAULT, gru_gather(self->fd, self->area, fence,
				     (uint64_t *)self->area, 1));
	EXPECT_EQ(EFAULT, gru_gather(self->fd, self->area, self->area, fence, 1));
	EXPECT_EQ(EFAULT, gru_gather(self->fd, fence, self->area,
				     (uint64_t *)self->area, 1));
	/* The kernel's own half. */
	EXPECT_EQ(EFAULT, gru_copy(self->fd, self->area,
				   (void *)0xffffffff81000000, 8));
	EXPECT_EQ(EFAULT, gru_fill(self->fd, (void *)0xffff888000000000, 0, 8));
}

TEST_F(tlb, queues_that_make_no_sense)
{
	struct gru_instruction good = {
		.op = GRU_OP_FILL, .status = ~0u, .length = 8, .value = 1,
		.dst = (uintptr_t)self->area,
	};
	struct gru_run run = { (uintptr_t)&good, 0, 9 };
	uint64_t *word = (uint64_t *)self->area;

	*word = 2;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, GRU_RUN, &run));
	run.count = GRU_COUNT_MAX + 1;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, GRU_RUN, &run));
	run.count = ~0u;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, GRU_RUN, &run));
	run.count = 1;
	run.instructions = -39UL;
	ASSERT_FAILS(EINVAL, ioctl(self->fd, GRU_RUN, &run));
	/* What makes no sense leaves the structure alone. */
	EXPECT_EQ(9, run.done);
	EXPECT_EQ(~0u, good.status);
	run.instructions = 0;
	ASSERT_FAILS(EFAULT, ioctl(self->fd, GRU_RUN, &run));
	EXPECT_EQ(0, run.done);
	EXPECT_EQ(2, *word);
}

/* The array ends at a page that is not there; then it can only be read. */
TEST_F(tlb, arrays_that_cannot_be_used)
{
	struct gru_instruction *last, good = {
		.op = GRU_OP_FILL, .status = ~0u, .length = 8, .value = 1,
		.dst = (uintptr_t)self->area,
	};
	char *place = area_map(1);
	struct gru_run *run;
	unsigned int done;

	last = (void *)(place + PAGE - sizeof(*last));
	*last = good;
	EXPECT_EQ(EFAULT, gru_run(self->fd, last, 2, &done));
	EXPECT_EQ(1, done);
	EXPECT_EQ(0, last->status);

	*last = good;
	ASSERT_DONE(mprotect(place, PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, gru_run(self->fd, last, 1, &done));
	EXPECT_EQ(0, done);
	EXPECT_EQ(~0u, last->status);

	/* A run that cannot be told how far it came does not begin. */
	ASSERT_DONE(mprotect(place, PAGE, PROT_READ | PROT_WRITE));
	run = (void *)place;
	*run = (struct gru_run){ (uintptr_t)&good, 1, 0 };
	ASSERT_DONE(mprotect(place, PAGE, PROT_READ));
	*(uint64_t *)self->area = 3;
	ASSERT_FAILS(EFAULT, ioctl(self->fd, GRU_RUN, run));
	EXPECT_EQ(3, *(uint64_t *)self->area);
	area_unmap(place, 1);
}

TEST_F(tlb, peeks_that_make_no_sense)
{
	char *buffer = area_map(1);

	ASSERT_EQ(0, gru_fill(self->fd, self->area, 1, PAGE));
	EXPECT_EQ(EINVAL, gru_peek(self->fd, self->area, buffer, 0));
	EXPECT_EQ(EINVAL, gru_peek(self->fd, self->area, buffer, GRU_PEEK_MAX + 1));
	EXPECT_EQ(EINVAL, gru_peek(self->fd, self->area, buffer, ~0UL));
	EXPECT_EQ(EINVAL, gru_peek(self->fd, (void *)TOP, buffer, PAGE));
	EXPECT_EQ(EINVAL, gru_peek(self->fd, self->area, (void *)TOP, PAGE));
	EXPECT_EQ(ENODATA, gru_peek(self->fd, (void *)FAR, buffer, 8));
	EXPECT_EQ(EFAULT, gru_peek(self->fd, self->area, NULL, 8));
	EXPECT_EQ(EFAULT, gru_peek(self->fd, self->area, (void *)FAR, 8));
	ASSERT_DONE(mprotect(buffer, PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, gru_peek(self->fd, self->area, buffer, 8));
	EXPECT_EQ(0, gru_peek(self->fd, self->area, self->area + 1, 8));
	area_unmap(buffer, 1);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * What the instructions do, compared with the same done by the processor, over
 * page borders and with TLBs that do not hold a source and its destination.
 */
#define _GNU_SOURCE
#include <string.h>

#include "harness.h"
#include "gru_user.h"

#define AREA	8
#define SIZE	(AREA * PAGE)
#define ROUNDS	400
#define SEED	20081121

FIXTURE(operations) {
	int fd;
	char *area;	/* what the context works on */
	char *twin;	/* what the processor does */
	uint64_t seed;
};

FIXTURE_VARIANT(operations) {
	unsigned int model;
	unsigned int entries;
};

#define VARIANT(name, of_model, of_entries)		\
	FIXTURE_VARIANT_ADD(operations, name) {		\
		.model = of_model,			\
		.entries = of_entries,			\
	}

VARIANT(range_1, GRU_MODEL_RANGE, 1);
VARIANT(range_3, GRU_MODEL_RANGE, 3);
VARIANT(range_64, GRU_MODEL_RANGE, 64);
VARIANT(flush_1, GRU_MODEL_FLUSH, 1);
VARIANT(flush_64, GRU_MODEL_FLUSH, 64);

FIXTURE_SETUP(operations)
{
	uint64_t *words;

	self->fd = gru_open(variant->model, variant->entries);
	ASSERT_LE(0, self->fd) TH_LOG("/dev/gru: %s", strerror(errno));
	self->seed = SEED;
	self->area = area_map(AREA);
	self->twin = area_map(AREA);
	words = (uint64_t *)self->area;
	for (size_t i = 0; i < SIZE / WORD; i++)
		words[i] = next_random(&self->seed);
	memcpy(self->twin, self->area, SIZE);
}

FIXTURE_TEARDOWN(operations)
{
	close(self->fd);
	area_unmap(self->area, AREA);
	area_unmap(self->twin, AREA);
}

static size_t below(uint64_t *seed, size_t limit)
{
	return next_random(seed) % limit;
}

/* Short ones, long ones, and those that just cross a border. */
static size_t some_length(uint64_t *seed, size_t limit)
{
	size_t length = below(seed, 2) ? below(seed, 64) : below(seed, 3 * PAGE);

	return length < limit ? length + 1 : limit;
}

#define ASSERT_SAME() \
	ASSERT_EQ(0, memcmp(self->area, self->twin, SIZE))

TEST_F(operations, copies_as_memmove)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t src = below(&self->seed, SIZE), dst = below(&self->seed, SIZE);
		size_t length = some_length(&self->seed,
					    SIZE - (src > dst ? src : dst));

		ASSERT_EQ(0, gru_copy(self->fd, self->area + dst, self->area + src,
				      length));
		memmove(self->twin + dst, self->twin + src, length);
		ASSERT_SAME() TH_LOG("round %d: %zu bytes from %zu to %zu", i,
				     length, src, dst);
	}
}

/* Each overlap near a page border, in both directions. */
TEST_F(operations, overlapping_copies)
{
	for (long distance = -9; distance <= 9; distance++) {
		char *src = self->area + 2 * PAGE - 20;
		size_t offset = src - self->area;

		ASSERT_EQ(0, gru_copy(self->fd, src + distance, src, PAGE + 40));
		memmove(self->twin + offset + distance, self->twin + offset,
			PAGE + 40);
		ASSERT_SAME() TH_LOG("by %ld bytes", distance);
	}
}

TEST_F(operations, fills_with_words)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t dst = below(&self->seed, SIZE - WORD);
		size_t length = some_length(&self->seed, SIZE - dst) & ~7UL;
		uint64_t value = next_random(&self->seed);

		if (!length)
			continue;
		ASSERT_EQ(0, gru_fill(self->fd, self->area + dst, value, length));
		for (size_t done = 0; done < length; done += WORD)
			memcpy(self->twin + dst + done, &value, WORD);
		ASSERT_SAME() TH_LOG("round %d: %zu bytes to %zu", i, length, dst);
	}
}

/* The first half is the array, then the results, then the indexes. */
TEST_F(operations, gathers_words)
{
	const size_t elements = SIZE / 2 / WORD, most = SIZE / 4 / WORD;
	uint64_t *array = (uint64_t *)self->twin;

	for (int i = 0; i < ROUNDS / 20; i++) {
		size_t words = below(&self->seed, most) + 1;
		size_t dst = elements + below(&self->seed, most - words + 1);
		size_t index = elements + most + below(&self->seed, most - words + 1);

		for (size_t n = 0; n < words; n++) {
			array[index + n] = below(&self->seed, elements);
			array[dst + n] = array[array[index + n]];
		}
		memcpy(self->area + index * WORD, array + index, words * WORD);
		ASSERT_EQ(0, gru_gather(self->fd, self->area + dst * WORD,
					self->area,
					(uint64_t *)self->area + index, words));
		ASSERT_SAME() TH_LOG("round %d: %zu words", i, words);
	}
}

/* Each instruction of a queue sees what those before it did. */
TEST_F(operations, a_queue_works_in_order)
{
	struct gru_instruction queue[GRU_COUNT_MAX] = {};
	uint64_t *words = (uint64_t *)self->area;
	unsigned int done;

	for (unsigned int i = 0; i < GRU_COUNT_MAX; i++)
		queue[i] = (struct gru_instruction){
			.op = GRU_OP_COPY,
			.status = ~0u,
			.src = (uintptr_t)&words[i],
			.dst = (uintptr_t)&words[i + 1],
			.length = WORD,
		};
	queue[1000] = (struct gru_instruction){
		.op = GRU_OP_FILL,
		.dst = (uintptr_t)&words[1001],
		.length = WORD,
		.value = 77,
	};
	words[0] = 42;
	ASSERT_EQ(0, gru_run(self->fd, queue, GRU_COUNT_MAX - 1, &done));
	EXPECT_EQ(GRU_COUNT_MAX - 1, done);
	for (unsigned int i = 0; i < GRU_COUNT_MAX; i++) {
		ASSERT_EQ(i <= 1000 ? 42 : 77, words[i]);
		ASSERT_EQ(i < GRU_COUNT_MAX - 1 ? 0 : ~0u, queue[i].status);
	}
}

/* The first that fails ends the run; those behind it are not touched. */
TEST_F(operations, a_queue_ends_where_it_fails)
{
	struct gru_instruction queue[5] = {};
	uint64_t *words = (uint64_t *)self->area;
	unsigned int done;

	for (unsigned int i = 0; i < 5; i++)
		queue[i] = (struct gru_instruction){
			.op = GRU_OP_FILL,
			.status = ~0u,
			.dst = (uintptr_t)&words[i],
			.length = WORD,
			.value = i + 1,
		};
	/* The fence behind the area. */
	queue[3].dst = (uintptr_t)self->area + SIZE;
	words[4] = 99;
	EXPECT_EQ(EFAULT, gru_run(self->fd, queue, 5, &done));
	EXPECT_EQ(3, done);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(0, queue[i].status);
		EXPECT_EQ(i + 1, words[i]);
	}
	EXPECT_EQ(EFAULT, queue[3].status);
	EXPECT_EQ(~0u, queue[4].status);
	EXPECT_EQ(99, words[4]);
}

TEST_HARNESS_MAIN

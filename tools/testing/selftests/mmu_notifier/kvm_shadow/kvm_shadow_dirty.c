// SPDX-License-Identifier: GPL-2.0
/* The dirty log holds what the guest wrote to since it was last read, and nothing else. */
#define _GNU_SOURCE
#include <pthread.h>

#include "ks.h"

#define LOGGED	100
#define WORDS	2
#define SIZE	(LOGGED * PAGE)

FIXTURE(dirty) {
	int fd;
	char *area;
};

FIXTURE_SETUP(dirty)
{
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->area = area_map(LOGGED);
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, KVM_SHADOW_LOG_DIRTY));
}

FIXTURE_TEARDOWN(dirty)
{
	area_unmap(self->area, LOGGED);
	close(self->fd);
}

static void set(__u64 *bitmap, size_t page)
{
	bitmap[page / 64] |= 1ULL << page % 64;
}

/* The log of a slot is exactly this. */
#define EXPECT_LOG(slot, wanted) do {					\
	__u64 _log[WORDS + 1] = { ~0ULL, ~0ULL, ~0ULL };		\
									\
	EXPECT_EQ(0, ks_dirty(self->fd, slot, _log)) TH_LOG("%s", strerror(errno)); \
	for (size_t _word = 0; _word < WORDS; _word++)			\
		EXPECT_EQ((wanted)[_word], _log[_word]);		\
	EXPECT_EQ(~0ULL, _log[WORDS]);					\
} while (0)

static const __u64 nothing[WORDS];

TEST_F(dirty, equals_the_writes)
{
	unsigned int random = 1;
	__u64 word;

	EXPECT_LOG(0, nothing);
	for (int round = 0; round < 20; round++) {
		__u64 wanted[WORDS] = {};

		for (int i = 0; i < 3 * round; i++) {
			size_t page = rand_r(&random) % LOGGED;

			set(wanted, page);
			ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(page), i));
			page = rand_r(&random) % LOGGED;
			ASSERT_DONE(ks_read_word(self->fd, GUEST_PAGE(page), &word));
		}
		EXPECT_LOG(0, wanted);
		EXPECT_LOG(0, nothing);
	}
}

TEST_F(dirty, both_sides_of_a_page_boundary)
{
	__u64 wanted[WORDS] = {};

	ASSERT_DONE(ks_write(self->fd, GUEST_PAGE(64) - 4, &(__u64){ 1 }, 8));
	set(wanted, 63);
	set(wanted, 64);
	EXPECT_LOG(0, wanted);
}

/* The process's own writes are not the guest's. */
TEST_F(dirty, not_by_the_process)
{
	__u64 word;

	for (size_t page = 0; page < LOGGED; page++)
		ASSERT_DONE(ks_read_word(self->fd, GUEST_PAGE(page), &word));
	memset(self->area, 1, SIZE);
	EXPECT_LOG(0, nothing);
}

/* Entries go, with what they know; the log must not. */
TEST_F(dirty, outlives_the_entries)
{
	__u64 wanted[WORDS] = {};

	for (size_t page = 0; page < 5; page++) {
		set(wanted, page);
		ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(page), 1));
	}
	ASSERT_EQ(0, madvise(self->area, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, munmap(self->area + PAGE, PAGE));
	ASSERT_EQ(0, mprotect(self->area + 2 * PAGE, PAGE, PROT_READ));
	ASSERT_EQ(0, madvise(self->area + 3 * PAGE, PAGE, MADV_PAGEOUT));
	for (size_t page = 0; page < 3; page++)
		EXPECT_EQ(0, ks_state(self->fd, GUEST_PAGE(page)));
	EXPECT_LOG(0, wanted);
	EXPECT_LOG(0, nothing);
}

/* Reading the log takes the right to write, so that the next write is seen. */
TEST_F(dirty, protects_again)
{
	const int writes = KVM_SHADOW_WRITABLE | KVM_SHADOW_DIRTY;
	__u64 wanted[WORDS] = {}, word;

	set(wanted, 9);
	for (int round = 0; round < 3; round++) {
		struct kvm_shadow_stats before = ks_stats(self->fd);

		ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(9), round));
		EXPECT_EQ(before.faults + 1, ks_stats(self->fd).faults);
		EXPECT_EQ(writes, ks_state(self->fd, GUEST_PAGE(9)) & writes);
		EXPECT_LOG(0, wanted);
		EXPECT_EQ(0, ks_state(self->fd, GUEST_PAGE(9)) & writes);
		/* It may still be read. */
		EXPECT_EQ(0, ks_peek_word(self->fd, GUEST_PAGE(9), &word));
		EXPECT_EQ(round, word);
	}
}

TEST_F(dirty, turned_on_and_off)
{
	__u64 wanted[WORDS] = {}, bitmap[WORDS];

	ASSERT_DONE(ks_write_word(self->fd, GUEST, 1));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, 0));
	ASSERT_FAILS(ENOENT, ks_dirty(self->fd, 0, bitmap));
	ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(1), 1));
	/* What was written before it was turned on is not in it, whether entered by then or not. */
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, KVM_SHADOW_LOG_DIRTY));
	EXPECT_LOG(0, nothing);
	ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(2), 1));
	/* Nothing changes, and nothing is lost. */
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, KVM_SHADOW_LOG_DIRTY));
	set(wanted, 2);
	EXPECT_LOG(0, wanted);
}

TEST_F(dirty, of_every_slot_that_shows_the_page)
{
	__u64 wanted[WORDS] = {};

	/* The same user memory from its second page on. */
	ASSERT_DONE(ks_slot(self->fd, 1, 0, self->area + PAGE, SIZE - PAGE,
			    KVM_SHADOW_LOG_DIRTY));
	ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(70), 1));
	set(wanted, 70);
	EXPECT_LOG(0, wanted);
	wanted[1] = 0;
	set(wanted, 69);
	EXPECT_LOG(1, wanted);
	EXPECT_LOG(0, nothing);

	ASSERT_DONE(ks_write_word(self->fd, 0, 1));
	ASSERT_DONE(ks_delete(self->fd, 1));
	wanted[0] = 1 << 1;
	wanted[1] = 0;
	EXPECT_LOG(0, wanted);
}

/*
 * As a live migration does it: copy what the log names while the guest writes,
 * and once more when it has stopped. Then the copy is the memory.
 */
#define WRITES	400

static void *write_at_random(void *arg)
{
	unsigned int random = 7;
	int fd = *(int *)arg;

	for (__u64 i = 1; i <= WRITES; i++)
		if (ks_write_word(fd, GUEST_PAGE(rand_r(&random) % LOGGED), i))
			return strerror(errno);
	return NULL;
}

static int copy_dirty(int fd, const char *area, char *copy)
{
	__u64 log[WORDS];

	if (ks_dirty(fd, 0, log))
		return -1;
	for (size_t page = 0; page < LOGGED; page++)
		if (log[page / 64] >> page % 64 & 1)
			memcpy(copy + page * PAGE, area + page * PAGE, PAGE);
	return 0;
}

TEST_F(dirty, migration)
{
	static char copy[SIZE];
	pthread_t writer;
	void *error;

	memcpy(copy, self->area, SIZE);
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_at_random, &self->fd));
	while (pthread_tryjoin_np(writer, &error)) {
		ASSERT_DONE(copy_dirty(self->fd, self->area, copy));
		/* The VM takes entries away at any time. */
		ASSERT_EQ(0, mprotect(self->area, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC));
		ASSERT_EQ(0, mprotect(self->area, SIZE, PROT_READ | PROT_WRITE));
	}
	EXPECT_EQ(NULL, error) TH_LOG("%s", (char *)error);
	ASSERT_DONE(copy_dirty(self->fd, self->area, copy));
	EXPECT_EQ(0, memcmp(copy, self->area, SIZE));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/* Guest memory: reads and writes both ways, slots, what PEEK and STATE say of it. */
#define _GNU_SOURCE
#include <sys/time.h>

#include "ks.h"

#define SIZE	(PAGES * PAGE)

FIXTURE(memory) {
	int fd;
	char *area;
};

FIXTURE_SETUP(memory)
{
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->area = area_map(PAGES);
	for (size_t page = 0; page < PAGES; page++)
		put_word(self->area, page, word_of(page));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, 0));
}

FIXTURE_TEARDOWN(memory)
{
	area_unmap(self->area, PAGES);
	close(self->fd);
}

TEST_F(memory, both_ways)
{
	for (size_t page = 0; page < PAGES; page++) {
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
		EXPECT_EQ(0, ks_write_word(self->fd, GUEST_PAGE(page), ~word_of(page)));
		EXPECT_EQ(~word_of(page), get_word(self->area, page));
		put_word(self->area, page, page);
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), page);
	}
}

/* Every offset and length around the ends of pages, against a copy in plain memory. */
TEST_F(memory, any_alignment)
{
	static const size_t offsets[] = { 0, 1, 7, 8, 4088, 4091, 4095, 4096, 8191 };
	static const size_t lengths[] = { 1, 7, 8, 9, 4095, 4096, 4097, 8192, 12289 };
	static unsigned char in[SIZE], out[SIZE], model[SIZE];
	unsigned char fill = 0;

	memcpy(model, self->area, SIZE);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			size_t offset = offsets[i], length = lengths[j];

			for (size_t k = 0; k < length; k++)
				in[k] = fill += 7;
			memcpy(model + offset, in, length);
			ASSERT_DONE(ks_write(self->fd, GUEST + offset, in, length));
			ASSERT_EQ(0, memcmp(model, self->area, SIZE));
			memset(out, 0, sizeof(out));
			ASSERT_DONE(ks_read(self->fd, GUEST + offset, out, length));
			ASSERT_EQ(0, memcmp(model + offset, out, length));
			ASSERT_EQ(0, out[length]);
			memset(out, 0, sizeof(out));
			ASSERT_DONE(ks_peek(self->fd, GUEST + offset, out, length));
			ASSERT_EQ(0, memcmp(model + offset, out, length));
			ASSERT_EQ(0, out[length]);
		}
	}
}

TEST_F(memory, slots_next_to_each_other)
{
	char *other = area_map(2);
	__u64 words[2] = { 1, 2 };

	/* In the other order, with a hole after them. */
	ASSERT_DONE(ks_slot(self->fd, 5, GUEST + SIZE, other + PAGE, PAGE, 0));
	ASSERT_DONE(ks_slot(self->fd, 31, GUEST + SIZE + PAGE, other, PAGE, 0));
	ASSERT_DONE(ks_write(self->fd, GUEST + SIZE - 8, words, sizeof(words)));
	EXPECT_EQ(1, *(__u64 *)(self->area + SIZE - 8));
	EXPECT_EQ(2, get_word(other, 1));
	ASSERT_DONE(ks_write(self->fd, GUEST + SIZE + PAGE - 8, words, sizeof(words)));
	EXPECT_EQ(1, *(__u64 *)(other + 2 * PAGE - 8));
	EXPECT_EQ(2, get_word(other, 0));
	ASSERT_FAILS(ENXIO, ks_read(self->fd, GUEST + SIZE + 2 * PAGE - 8, words, 16));
	area_unmap(other, 2);
}

TEST_F(memory, a_slot_is_deleted)
{
	__u64 word;

	EXPECT_GUEST_SEES(self->fd, GUEST, word_of(0));
	ASSERT_DONE(ks_delete(self->fd, 0));
	ASSERT_FAILS(ENXIO, ks_read_word(self->fd, GUEST, &word));
	ASSERT_FAILS(ENXIO, ks_peek_word(self->fd, GUEST, &word));
	ASSERT_FAILS(ENXIO, ks_write_word(self->fd, GUEST, 0));
	ASSERT_FAILS(ENOENT, ks_delete(self->fd, 0));
	/* What the shadow held for it is gone. */
	ASSERT_DONE(ks_slot(self->fd, 1, 0, self->area, SIZE, 0));
	ASSERT_FAILS(ENODATA, ks_peek_word(self->fd, 0, &word));
	EXPECT_EQ(0, ks_state(self->fd, 0));
	EXPECT_GUEST_SEES(self->fd, 0, word_of(0));
}

TEST_F(memory, all_slots)
{
	ASSERT_DONE(ks_delete(self->fd, 0));
	for (unsigned int slot = 0; slot < KVM_SHADOW_SLOTS; slot++)
		ASSERT_DONE(ks_slot(self->fd, slot, slot * 2 * PAGE,
				    self->area + slot % PAGES * PAGE, PAGE, 0));
	for (unsigned int slot = 0; slot < KVM_SHADOW_SLOTS; slot++)
		EXPECT_GUEST_SEES(self->fd, slot * 2 * PAGE, word_of(slot % PAGES));
	for (unsigned int slot = 0; slot < KVM_SHADOW_SLOTS; slot++)
		ASSERT_DONE(ks_delete(self->fd, slot));
	/* The largest there may be, over whatever there is. */
	ASSERT_DONE(ks_slot(self->fd, 0, 0, NULL, KVM_SHADOW_SLOT_PAGES * PAGE,
			    KVM_SHADOW_LOG_DIRTY));
	ASSERT_DONE(ks_delete(self->fd, 0));
}

/* Two guest pages, one user page: one entry, one content. */
TEST_F(memory, two_slots_show_the_same)
{
	ASSERT_DONE(ks_slot(self->fd, 1, 0, self->area, PAGE, KVM_SHADOW_READONLY));
	ASSERT_DONE(ks_write_word(self->fd, GUEST, 99));
	EXPECT_GUEST_SEES(self->fd, 0, 99);
	ASSERT_FAILS(EPERM, ks_write_word(self->fd, 0, 98));
}

TEST_F(memory, peek_faults_nothing_in)
{
	struct kvm_shadow_stats before = ks_stats(self->fd), after;
	unsigned char states[PAGES];
	__u64 word, words[PAGE / 8 + 1];

	ASSERT_FAILS(ENODATA, ks_peek_word(self->fd, GUEST, &word));
	ASSERT_DONE(ks_states(self->fd, GUEST, states, PAGES));
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_EQ(0, states[page]);
	after = ks_stats(self->fd);
	EXPECT_EQ(before.faults, after.faults);

	ASSERT_DONE(ks_read_word(self->fd, GUEST, &word));
	EXPECT_EQ(before.faults + 1, ks_stats(self->fd).faults);
	ASSERT_DONE(ks_peek_word(self->fd, GUEST, &word));
	EXPECT_EQ(word_of(0), word);
	ASSERT_DONE(ks_read_word(self->fd, GUEST, &word));
	EXPECT_EQ(before.faults + 1, ks_stats(self->fd).faults);
	/* The first page is there, the second is not. */
	ASSERT_FAILS(ENODATA, ks_peek(self->fd, GUEST, words, sizeof(words)));
}

TEST_F(memory, states)
{
	const int used = KVM_SHADOW_PRESENT | KVM_SHADOW_YOUNG;
	const int written = used | KVM_SHADOW_WRITABLE | KVM_SHADOW_DIRTY;
	unsigned char states[PAGES];
	__u64 word;

	ASSERT_DONE(ks_read_word(self->fd, GUEST_PAGE(1), &word));
	ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(2), 1));
	ASSERT_DONE(ks_states(self->fd, GUEST, states, PAGES));
	EXPECT_EQ(0, states[0]);
	/* A read may enter a page as writable if it is. */
	EXPECT_EQ(used, states[1] & ~KVM_SHADOW_WRITABLE);
	EXPECT_EQ(written, states[2]);
	for (size_t page = 3; page < PAGES; page++)
		EXPECT_EQ(0, states[page]);
}

/* More pages than one hold of the device's lock looks at, and only as many bytes. */
TEST_F(memory, many_states)
{
	enum { MANY = 200 };
	unsigned char states[MANY + 1];
	char *area = area_map(MANY);
	__u64 word;

	ASSERT_DONE(ks_slot(self->fd, 1, 0, area, MANY * PAGE, 0));
	for (size_t page = 0; page < MANY; page += 3)
		ASSERT_DONE(ks_read_word(self->fd, page * PAGE, &word));
	memset(states, 0xff, sizeof(states));
	ASSERT_DONE(ks_states(self->fd, 0, states, MANY));
	for (size_t page = 0; page < MANY; page++)
		EXPECT_EQ(page % 3 == 0, states[page] & KVM_SHADOW_PRESENT);
	EXPECT_EQ(0xff, states[MANY]);
	area_unmap(area, MANY);
}

/* What user space may not touch the guest may not either, whatever the address. */
TEST_F(memory, addresses_of_nobody)
{
	void *addresses[] = { NULL, (void *)(1UL << 47), (void *)(1UL << 62),
			      (void *)0xffff888000000000UL, (void *)0xffffffff81000000UL,
			      (void *)0xffffffffff600000UL };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		ASSERT_DONE(ks_slot(self->fd, 1, 0, addresses[i], PAGE, 0));
		EXPECT_GUEST_FAULTS(self->fd, 0);
		ASSERT_DONE(ks_delete(self->fd, 1));
	}
}

/* A failure half way leaves what comes before it done. */
TEST_F(memory, a_hole_in_the_middle)
{
	char in[3 * PAGE], out[3 * PAGE];

	ASSERT_EQ(0, munmap(self->area + PAGE, PAGE));
	memset(in, 5, sizeof(in));
	ASSERT_FAILS(EFAULT, ks_write(self->fd, GUEST, in, sizeof(in)));
	EXPECT_EQ(5, self->area[0]);
	EXPECT_EQ(word_of(2), get_word(self->area, 2));
	memset(out, 0, sizeof(out));
	ASSERT_FAILS(EFAULT, ks_read(self->fd, GUEST, out, sizeof(out)));
	EXPECT_EQ(0, memcmp(out, in, PAGE));
	EXPECT_EQ(0, out[PAGE]);
}

/* The buffer is guest memory itself: nothing is held while it is touched. */
TEST_F(memory, a_buffer_that_is_guest_memory)
{
	ASSERT_DONE(ks_read(self->fd, GUEST, self->area + PAGE, 3 * PAGE));
	for (size_t page = 0; page < 4; page++)
		EXPECT_EQ(word_of(0), get_word(self->area, page));
	put_word(self->area, 8, 8);
	ASSERT_DONE(ks_write(self->fd, GUEST, self->area + 8 * PAGE, PAGE));
	EXPECT_EQ(8, get_word(self->area, 0));
}

static void ignore(int signal)
{
	(void)signal;
}

TEST_F(memory, a_signal_ends_it)
{
	const size_t size = 4096 * PAGE;
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = {};
	char *area = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_DONE(ks_slot(self->fd, 1, 1UL << 40, area, size, 0));
	signal(SIGALRM, ignore);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	do
		ret = ks_read(self->fd, 1UL << 40, area + size, size);
	while (!ret);
	EXPECT_EQ(EINTR, errno);
	do
		ret = ks_write(self->fd, 1UL << 40, area + size, size);
	while (!ret);
	EXPECT_EQ(EINTR, errno);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_DONE(ks_write(self->fd, 1UL << 40, area + size, size));
	munmap(area, 2 * size);
}

TEST_HARNESS_MAIN

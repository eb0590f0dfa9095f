// SPDX-License-Identifier: GPL-2.0
/*
 * A page that the shadow holds is the VM's to move and to take away: whatever
 * refuses pages with a reference too many takes these. Needs swap space, and
 * for one test two nodes (numa=fake=2).
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>

#include "ks.h"

#define HELD	64
#define HUGE	512

FIXTURE(pins) {
	int fd;
	char *space;
	char *area;
};

FIXTURE_VARIANT(pins) {
	bool written;
};

FIXTURE_VARIANT_ADD(pins, read) { .written = false };
FIXTURE_VARIANT_ADD(pins, written) { .written = true };

/* An aligned huge page's worth of small pages, all of them held. */
FIXTURE_SETUP(pins)
{
	__u64 word;

	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->space = mmap(NULL, 2 * HUGE * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->space);
	self->area = (char *)(((uintptr_t)self->space | (HUGE * PAGE - 1)) + 1);
	ASSERT_EQ(0, madvise(self->area, HUGE * PAGE, MADV_NOHUGEPAGE));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, HUGE * PAGE, 0));
	for (size_t page = 0; page < HUGE; page++) {
		put_word(self->area, page, word_of(page));
		ASSERT_DONE(ks_read_word(self->fd, GUEST_PAGE(page), &word));
		if (variant->written)
			ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(page), word));
	}
}

FIXTURE_TEARDOWN(pins)
{
	for (size_t page = 0; page < HUGE; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
	munmap(self->space, 2 * HUGE * PAGE);
	close(self->fd);
}

/* Reclaim unmaps a page in any case; one with more references it cannot free. */
TEST_F(pins, reclaim)
{
	unsigned char in_memory[HELD];

	/* What is in a batch on its way to a list cannot be reclaimed yet; this empties them. */
	ASSERT_DONE(write_file("/proc/sys/vm/drop_caches", "1"));
	ASSERT_EQ(0, madvise(self->area, HELD * PAGE, MADV_PAGEOUT));
	ASSERT_EQ(0, mincore(self->area, HELD * PAGE, in_memory));
	for (size_t page = 0; page < HELD; page++) {
		EXPECT_EQ(1, swapped_out(self->area + page * PAGE));
		EXPECT_EQ(0, in_memory[page] & 1);
	}
}

/* The making of a huge page wants all 512 to itself. */
TEST_F(pins, collapse)
{
	ASSERT_EQ(0, madvise(self->area, HUGE * PAGE, MADV_HUGEPAGE));
	EXPECT_EQ(0, madvise(self->area, HUGE * PAGE, MADV_COLLAPSE))
		TH_LOG("%s", strerror(errno));
}

/* And so does migration, from node to node, there and back. */
TEST_F(pins, migration)
{
	void *pages[HELD];
	int nodes[HELD], status[HELD];

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "one node only: boot with numa=fake=2");
	for (int round = 0; round < 4; round++) {
		for (size_t page = 0; page < HELD; page++) {
			pages[page] = self->area + page * PAGE;
			nodes[page] = round % 2;
		}
		ASSERT_EQ(0, syscall(SYS_move_pages, 0, HELD, pages, nodes, status,
				     MPOL_MF_MOVE));
		for (size_t page = 0; page < HELD; page++) {
			EXPECT_EQ(round % 2, status[page]);
			EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
		}
	}
}

TEST_HARNESS_MAIN

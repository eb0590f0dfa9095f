// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim and aging ask who has used a page lately, and make it old. In all
 * these tests the processor has forgotten that it has used the pages, so what
 * is young is so for the secondary MMU only.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "group.h"
#include "knob.h"
#include "kvm_shadow.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"
/* The secondary uses the first half; the other is there to be taken. */
#define SIZE	(2 * HUGE)
#define USED	HUGE
/* More than are kept apart, so that the oldest ones become one. */
#define GENERATIONS	6

/* How many pages the machine holds in this state of use. */
static size_t held(const char *area, size_t size, int use)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i += PAGE)
		count += (secondary_state(area + i) &
			  (KVM_SHADOW_PRESENT | KVM_SHADOW_YOUNG)) ==
			 (KVM_SHADOW_PRESENT | use);
	return count;
}

#define young(area, size)	held(area, size, KVM_SHADOW_YOUNG)
#define old(area, size)		held(area, size, 0)

FIXTURE(young) {
	char *area;
};

FIXTURE_SETUP(young)
{
	ASSERT_DONE(knob_set(THP "enabled", "madvise"));
	ASSERT_DONE(group_enter());
	self->area = area_private(SIZE);
	ASSERT_NE(NULL, self->area);
	secondary_map(self->area, SIZE);
}

FIXTURE_TEARDOWN(young)
{
	group_leave();
	knobs_restore();
}

/* Has the processor forget what it has used. */
#define FORGET() do {								\
	ASSERT_DONE(area_settle());						\
	ASSERT_DONE(knob_write("/proc/self/clear_refs", "1"));			\
} while (0)

#define PREPARE(lru_gen, advice) do {						\
	ASSERT_DONE(knob_set(LRU_GEN, lru_gen));				\
	ASSERT_DONE(madvise(self->area, SIZE, advice));				\
	/* First come, first taken. */						\
	secondary_fill(self->area, USED);					\
	memset(self->area + USED, 0x5a, SIZE - USED);				\
	secondary_touch(self->area, USED);					\
	FORGET();								\
	ASSERT_EQ(USED / PAGE, young(self->area, USED));			\
} while (0)

/*
 * Less than the unused half, so what is used stays, but is old now. Where reclaim
 * begins is its own matter, so it is asked until it has come to what is used.
 */
#define RECLAIM() do {								\
	for (int asked = 0; asked < 6 && !old(self->area, USED); asked++)	\
		ASSERT_DONE(group_reclaim("256K"));				\
	EXPECT_LT(0, old(self->area, USED));					\
	secondary_agrees(self->area, SIZE);					\
} while (0)

#define AGE() do {								\
	ASSERT_DONE(group_age());						\
	EXPECT_EQ(USED / PAGE, old(self->area, USED));				\
	secondary_agrees(self->area, SIZE);					\
} while (0)

/* Reaches mm/rmap.c:folio_referenced_one#1 */
TEST_F(young, reclaim)
{
	PREPARE("n", MADV_NOHUGEPAGE);
	RECLAIM();
}

/* Reaches mm/rmap.c:folio_referenced_one#2 */
TEST_F(young, reclaim_huge)
{
	PREPARE("n", MADV_HUGEPAGE);
	ASSERT_EQ(SIZE, area_huge(self->area, SIZE));
	RECLAIM();
}

/*
 * Reclaim comes to a page of the oldest generation that has been used since,
 * and looks around it, at pages that it would not have come to.
 * Reaches mm/vmscan.c:lru_gen_look_around#1, mm/vmscan.c:lru_gen_look_around#2
 */
TEST_F(young, reclaim_by_generations)
{
	const size_t size = 32 * PAGE;
	char *oldest = self->area, *newest = oldest + size;

	PREPARE("y", MADV_NOHUGEPAGE);
	ASSERT_DONE(madvise(newest, USED - size, MADV_DONTNEED));
	for (int round = 0; round < GENERATIONS; round++)
		ASSERT_DONE(group_age());
	secondary_fill(newest, size);
	secondary_touch(newest, size);
	FORGET();
	secondary_touch_read(oldest, size);
	ASSERT_EQ(2 * size / PAGE, young(oldest, 2 * size));
	ASSERT_DONE(group_reclaim("256K"));
	EXPECT_LT(0, old(oldest, size));
	EXPECT_LT(0, old(newest, size));
	secondary_agrees(self->area, SIZE);
}

/* Reaches mm/vmscan.c:walk_pte_range */
TEST_F(young, age)
{
	PREPARE("y", MADV_NOHUGEPAGE);
	AGE();
}

/* Reaches mm/vmscan.c:walk_pmd_range_locked */
TEST_F(young, age_huge)
{
	PREPARE("y", MADV_HUGEPAGE);
	ASSERT_EQ(SIZE, area_huge(self->area, SIZE));
	AGE();
}

TEST_HARNESS_MAIN

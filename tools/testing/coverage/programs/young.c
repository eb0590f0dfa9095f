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
#define SIZE	HUGE
/* At most so many are kept apart. */
#define GENERATIONS	4

/* How many pages the machine holds and, to it, are young. */
static size_t young(const char *area)
{
	const int both = KVM_SHADOW_PRESENT | KVM_SHADOW_YOUNG;
	size_t count = 0;

	for (size_t i = 0; i < SIZE; i += PAGE)
		count += (secondary_state(area + i) & both) == both;
	return count;
}

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

/* Fills the area with pages that only the secondary has used. */
#define PREPARE(lru_gen, advice) do {						\
	ASSERT_DONE(knob_set(LRU_GEN, lru_gen));				\
	ASSERT_DONE(madvise(self->area, SIZE, advice));				\
	secondary_fill(self->area, SIZE);					\
	secondary_touch(self->area, SIZE);					\
	/* From the lists of processors to those where reclaim looks. */	\
	ASSERT_DONE(knob_write("/proc/sys/vm/drop_caches", "1"));		\
	ASSERT_DONE(knob_write("/proc/self/clear_refs", "1"));			\
	ASSERT_EQ(SIZE / PAGE, young(self->area));				\
} while (0)

/* A part of them, so that not all have to go in the end. */
#define RECLAIM() do {								\
	ASSERT_DONE(group_reclaim("256K"));					\
	EXPECT_GT(SIZE / PAGE, young(self->area));				\
	secondary_agrees(self->area, SIZE);					\
} while (0)

#define AGE() do {								\
	ASSERT_DONE(group_age());						\
	EXPECT_EQ(0, young(self->area));					\
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
 * Reclaim makes all old itself before it takes the youngest generation, so the
 * secondary has to use the pages again once they are in the oldest one.
 * Reaches mm/vmscan.c:lru_gen_look_around#1, mm/vmscan.c:lru_gen_look_around#2
 */
TEST_F(young, reclaim_by_generations)
{
	PREPARE("y", MADV_NOHUGEPAGE);
	for (int generation = 0; generation < GENERATIONS; generation++)
		ASSERT_DONE(group_age());
	EXPECT_EQ(0, young(self->area));
	secondary_touch_read(self->area, SIZE);
	RECLAIM();
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

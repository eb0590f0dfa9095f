// SPDX-License-Identifier: GPL-2.0
/*
 * DAMON watches which pages are used. Here nobody uses them but the secondary
 * MMU, so what it finds it can only have from there.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"
#include "kvm_shadow.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define ADMIN	"/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT	"0/contexts/0/"
#define SCHEME	CONTEXT "schemes/0/"
#define PATTERN	SCHEME "access_pattern/"
#define FILTER	SCHEME "ops_filters/0/"
#define STATS	SCHEME "stats/"
#define SIZE	(8 * PAGE)
/* More than the first look at each page can come to, before anyone made it old. */
#define OFTEN	3

/* Writes to a file of DAMON's, `value` is a format; an error is remembered. */
static __attribute__((format(printf, 3, 4))) void tell(int *error, const char *file,
						       const char *value, ...)
{
	char path[128], text[32];
	va_list args;

	va_start(args, value);
	vsnprintf(text, sizeof(text), value, args);
	va_end(args);
	snprintf(path, sizeof(path), ADMIN "%s", file);
	if (!*error && knob_write(path, text))
		*error = errno;
}

/* What it does with what it finds: it counts. */
static void tell_scheme(int *error, bool filtered)
{
	tell(error, CONTEXT "schemes/nr_schemes", "1");
	tell(error, SCHEME "action", "stat");
	tell(error, PATTERN "sz/max", "%lu", ~0UL);
	tell(error, PATTERN "age/max", "%u", ~0U);
	tell(error, PATTERN "nr_accesses/max", "%u", ~0U);
	if (!filtered) {
		tell(error, PATTERN "nr_accesses/min", "1");
		return;
	}
	tell(error, SCHEME "ops_filters/nr_filters", "1");
	tell(error, FILTER "type", "young");
	tell(error, FILTER "matching", "Y");
	tell(error, FILTER "allow", "Y");
}

/*
 * Starts it on [start, start + size), which are addresses of this process, or
 * of memory itself for the operations "paddr". It counts regions in use or,
 * filtered, pages in use. Returns 0 or errno.
 */
static int watch(const char *operations, unsigned long start, size_t size, bool filtered)
{
	int error = 0;

	tell(&error, "nr_kdamonds", "1");
	tell(&error, "0/contexts/nr_contexts", "1");
	tell(&error, CONTEXT "operations", "%s", operations);
	tell(&error, CONTEXT "monitoring_attrs/intervals/sample_us", "1000");
	tell(&error, CONTEXT "monitoring_attrs/intervals/aggr_us", "20000");
	tell(&error, CONTEXT "targets/nr_targets", "1");
	tell(&error, CONTEXT "targets/0/pid_target", "%d", getpid());
	tell(&error, CONTEXT "targets/0/regions/nr_regions", "1");
	tell(&error, CONTEXT "targets/0/regions/0/start", "%lu", start);
	tell(&error, CONTEXT "targets/0/regions/0/end", "%lu", start + size);
	tell_scheme(&error, filtered);
	tell(&error, "0/state", "on");
	return error;
}

static bool all_old(const char *area, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		if ((secondary_state(area + i) & (KVM_SHADOW_PRESENT | KVM_SHADOW_YOUNG)) !=
		    KVM_SHADOW_PRESENT)
			return false;
	return true;
}

/*
 * Uses the area through the machine until DAMON has told so often enough, then
 * no longer, until DAMON has made all of it old.
 */
static const char *use(char *area, size_t size, bool filtered)
{
	const char *count = filtered ? ADMIN STATS "sz_ops_filter_passed"
				     : ADMIN STATS "nr_tried";
	long enough = filtered ? (long)(OFTEN * size) : OFTEN;
	int error = 0;

	while (!error && knob_read(count) < enough) {
		for (size_t i = 0; !error && i < size; i += PAGE) {
			uint64_t word;

			error = secondary_vm_read(area + i, sizeof(word), &word);
		}
		tell(&error, "0/state", "update_schemes_stats");
	}
	if (!error)
		AWAIT(all_old(area, size));
	return error ? strerror(error) : NULL;
}

FIXTURE(damon) {
	char *area;
};

static void stop(void)
{
	knob_write(ADMIN "0/state", "off");
	knob_write(ADMIN "nr_kdamonds", "0");
}

FIXTURE_SETUP(damon)
{
	/* A test that did not end may have left it running. */
	stop();
	ASSERT_DONE(knob_set(THP "enabled", "madvise"));
}

FIXTURE_TEARDOWN(damon)
{
	stop();
	knobs_restore();
}

#define PREPARE(area, size) do {		\
	ASSERT_NE(NULL, area);			\
	secondary_map(area, size);		\
	secondary_fill(area, size);		\
	secondary_touch(area, size);		\
	ASSERT_DONE(area_settle());		\
} while (0)

/* Reaches mm/damon/ops-common.c:damon_ptep_mkold, mm/damon/vaddr.c:damon_young_pmd_entry#2 */
TEST_F_TIMEOUT(damon, pages, 120)
{
	char *area = area_private(SIZE);

	PREPARE(area, SIZE);
	ASSERT_EQ(0, watch("fvaddr", (uintptr_t)area, SIZE, false));
	ASSERT_RIGHT(use(area, SIZE, false));
	secondary_agrees(area, SIZE);
}

/* Reaches mm/damon/ops-common.c:damon_pmdp_mkold, mm/damon/vaddr.c:damon_young_pmd_entry#1 */
TEST_F_TIMEOUT(damon, huge, 120)
{
	char *area = area_private(HUGE);

	ASSERT_NE(NULL, area);
	ASSERT_DONE(madvise(area, HUGE, MADV_HUGEPAGE));
	PREPARE(area, HUGE);
	ASSERT_EQ(HUGE, area_huge(area, HUGE));
	ASSERT_EQ(0, watch("fvaddr", (uintptr_t)area, HUGE, false));
	ASSERT_RIGHT(use(area, HUGE, false));
	secondary_agrees(area, HUGE);
}

/* Reaches mm/damon/vaddr.c:damon_hugetlb_mkold, mm/damon/vaddr.c:damon_young_hugetlb_entry */
TEST_F_TIMEOUT(damon, hugetlb, 120)
{
	char *area = area_map(HUGE, HUGE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);

	PREPARE(area, HUGE);
	ASSERT_EQ(0, watch("fvaddr", (uintptr_t)area, HUGE, false));
	ASSERT_RIGHT(use(area, HUGE, false));
	secondary_agrees(area, HUGE);
}

/* Reaches mm/damon/vaddr.c:damos_va_filter_young_match */
TEST_F_TIMEOUT(damon, filter, 120)
{
	char *area = area_private(SIZE);

	PREPARE(area, SIZE);
	ASSERT_EQ(0, watch("fvaddr", (uintptr_t)area, SIZE, true));
	ASSERT_RIGHT(use(area, SIZE, true));
	secondary_agrees(area, SIZE);
}

/* Reaches mm/damon/ops-common.c:damon_ptep_mkold, mm/damon/ops-common.c:damon_folio_young_one */
TEST_F_TIMEOUT(damon, frames, 120)
{
	char *area = area_private(PAGE);

	PREPARE(area, PAGE);
	ASSERT_EQ(0, watch("paddr", area_frame(area) * PAGE, PAGE, false));
	ASSERT_RIGHT(use(area, PAGE, false));
	secondary_agrees(area, PAGE);
}

/* Reaches mm/damon/ops-common.c:damon_pmdp_mkold, mm/damon/ops-common.c:damon_folio_young_one */
TEST_F_TIMEOUT(damon, huge_frames, 120)
{
	char *area = area_private(HUGE);

	ASSERT_NE(NULL, area);
	ASSERT_DONE(madvise(area, HUGE, MADV_HUGEPAGE));
	PREPARE(area, HUGE);
	ASSERT_EQ(HUGE, area_huge(area, HUGE));
	ASSERT_EQ(0, watch("paddr", area_frame(area) * PAGE, HUGE, false));
	ASSERT_RIGHT(use(area, HUGE, false));
	secondary_agrees(area, HUGE);
}

TEST_HARNESS_MAIN

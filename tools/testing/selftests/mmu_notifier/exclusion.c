// SPDX-License-Identifier: GPL-2.0
/*
 * Registration and invalidation exclude each other. An invalidation is stopped
 * between its start and its end, under one lock of the VM after the other; a
 * second registration must then sleep on that very lock, or the newcomer would
 * see an end without its start.
 *
 * Where the address space has interval subscriptions its invalidations are
 * counted, and a registration may need no lock while none runs.
 */
#define _GNU_SOURCE
#include <linux/memfd.h>
#include <linux/mman.h>

#include "harness.h"

enum how { BY_REGISTER, BY_GET, BY_INSERT };

/*
 * All of it happens in a child, the subject: while it registers, every page
 * fault of its own would wait. The test's own process watches and opens gates.
 */
FIXTURE(exclusion) {
	int fd;
	char *area;
	size_t size;
	int file;
	int ready[2];
};

FIXTURE_VARIANT(exclusion) {
	enum how how;
	bool counted;
};

FIXTURE_VARIANT_ADD(exclusion, register) { .how = BY_REGISTER };
FIXTURE_VARIANT_ADD(exclusion, register_counted) { .how = BY_REGISTER, .counted = true };
FIXTURE_VARIANT_ADD(exclusion, get) { .how = BY_GET };
FIXTURE_VARIANT_ADD(exclusion, get_counted) { .how = BY_GET, .counted = true };
FIXTURE_VARIANT_ADD(exclusion, insert) { .how = BY_INSERT };

FIXTURE_SETUP(exclusion)
{
	self->fd = mnt_open();
	ASSERT_LE(0, self->fd) TH_LOG("no /dev/mmu_notifier_test: load the module");
	ASSERT_EQ(0, pipe(self->ready));
	self->file = -1;
}

FIXTURE_TEARDOWN(exclusion)
{
	ioctl(self->fd, MNT_OPEN_ALL, 0);
	close(self->fd);
}

struct plan {
	FIXTURE_DATA(exclusion) *self;
	enum how how;
	bool counted;
	bool by_child;
	long (*invalidate)(FIXTURE_DATA(exclusion) *self);
};

static long add_newcomer(const struct plan *plan)
{
	switch (plan->how) {
	case BY_REGISTER:
		return mnt_register(plan->self->fd, 1, MNT_RANGE, 0);
	case BY_GET:
		return mnt_get(plan->self->fd, 1, MNT_RANGE, NULL);
	default:
		return mnt_insert(plan->self->fd, 1, plan->self->area, PAGE, 0);
	}
}

/* Waits until everybody is in place: fork and new threads invalidate too. */
static long run_invalidation(void *arg)
{
	struct plan *plan = arg;

	ioctl(plan->self->fd, MNT_HOLD, 0);
	return plan->invalidate(plan->self);
}

static void invalidate_in_child(void *arg)
{
	if (run_invalidation(arg))
		_exit(1);
}

static bool settled(FIXTURE_DATA(exclusion) *self)
{
	struct mnt_state state = mnt_state(self->fd, MNT_SLOTS);
	bool paired = true;

	for (int slot = 0; slot < 2; slot++) {
		struct mnt_counts counts = mnt_counts(self->fd, slot);

		note("slot %d: %llu starts, %llu ends, %llu without a start",
		     slot, counts.starts, counts.ends, counts.orphans);
		paired &= !counts.orphans && !counts.open;
	}
	note("%llu ranges active, sequence %llu", state.active_invalidate_ranges,
	     state.invalidate_seq);
	return paired && !state.active_invalidate_ranges &&
	       !(state.invalidate_seq & 1);
}

static void be_subject(void *arg)
{
	struct plan *plan = arg;
	FIXTURE_DATA(exclusion) *self = plan->self;
	struct job job;
	pid_t child = 0;

	if (mnt_register(self->fd, 0, MNT_RANGE, 0))
		_exit(1);
	/* Has it counted; of memory that is not touched. */
	if (plan->counted && mnt_insert(self->fd, 2, (void *)PAGE, PAGE, 0))
		_exit(8);
	if (plan->by_child)
		child = child_start(invalidate_in_child, plan);
	else
		job_start(&job, run_invalidation, plan);
	mnt_behave(self->fd, 0, self->area, self->size, (struct mnt_behave){
			   .gates = MNT_BIT(MNT_RANGE_START) });
	if (write(self->ready[1], "", 1) != 1)
		_exit(2);
	if (mnt_wait_entered(self->fd, 0, MNT_RANGE_START, 1))
		_exit(3);
	if (add_newcomer(plan))
		_exit(4);
	/* Registered: then the range it had to wait for must have ended. */
	if (!mnt_seen(self->fd, 0, MNT_RANGE_END))
		_exit(7);
	if (plan->by_child ? child_wait(child) : job_join(&job))
		_exit(5);
	if (!settled(self))
		_exit(6);
}

static void check(struct __test_metadata *_metadata, FIXTURE_DATA(exclusion) *self,
		  enum how how, bool counted,
		  long (*invalidate)(FIXTURE_DATA(exclusion) *), bool by_child)
{
	struct plan plan = { self, how, counted, by_child, invalidate };
	pid_t child;
	char c;

	mnt_behave(self->fd, 0, NULL, 1, (struct mnt_behave){});
	mnt_behave(self->fd, 1, self->area, self->size, (struct mnt_behave){});
	child = child_start(be_subject, &plan);
	ASSERT_EQ(1, read(self->ready[0], &c, 1));
	ASSERT_DONE(ioctl(self->fd, MNT_LET_GO, 0));
	ASSERT_DONE(mnt_wait_entered(self->fd, 0, MNT_RANGE_START, 1));
	EXPECT_TRUE(child_blocks(child, how == BY_REGISTER ? "mnt_register" :
					how == BY_GET ? "mnt_get" : "mnt_insert"));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	EXPECT_EQ(0, child_wait(child));
}

#define CHECK(run, by_child) \
	check(_metadata, self, variant->how, variant->counted, run, by_child)

static long dontneed(FIXTURE_DATA(exclusion) *self)
{
	return madvise(self->area, self->size, MADV_DONTNEED);
}

/* MADV_DONTNEED holds the VMA's own lock and no other. */
TEST_F(exclusion, the_lock_of_a_vma)
{
	self->size = 2 * PAGE;
	self->area = area_map(2);
	CHECK(dontneed, false);
}

static long protect(FIXTURE_DATA(exclusion) *self)
{
	return mprotect(self->area, PAGE, PROT_READ);
}

TEST_F(exclusion, the_mmap_lock)
{
	self->size = 2 * PAGE;
	self->area = area_map(2);
	CHECK(protect, false);
}

static long truncate_file(FIXTURE_DATA(exclusion) *self)
{
	return ftruncate(self->file, 0);
}

/* Truncation by another process holds the mapping's i_mmap lock. */
TEST_F(exclusion, the_lock_of_a_mapping)
{
	self->size = 4 * PAGE;
	self->file = memory_file(4, 0);
	self->area = area_map_file(self->file, 4);
	CHECK(truncate_file, true);
}

/* The same in hugetlbfs, whose locks are a class of their own. */
TEST_F(exclusion, the_lock_of_a_hugetlb_mapping)
{
	if (write_file("/proc/sys/vm/nr_hugepages", "8"))
		SKIP(return, "no huge pages: %s", strerror(errno));
	self->size = 2UL << 20;
	self->file = memory_file(1, MFD_HUGETLB);
	ASSERT_LE(0, self->file);
	self->area = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->file, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->area[0] = 1;
	CHECK(truncate_file, true);
}

static long migrate(FIXTURE_DATA(exclusion) *self)
{
	return madvise(self->area, PAGE, MADV_SOFT_OFFLINE);
}

/*
 * Migration of a page finds the other processes that map it by its anon_vma,
 * whose root all of them share after fork.
 */
TEST_F(exclusion, the_lock_of_an_anon_vma)
{
	self->size = PAGE;
	self->area = area_map(1);
	CHECK(migrate, true);
}

/*
 * Another process is stuck with the lock of a file that the subject maps, its
 * invalidation not yet come to the subject.
 */
static void register_beside(void *arg)
{
	FIXTURE_DATA(exclusion) *self = arg;

	self->area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, self->file, 3 * PAGE);
	if (self->area == MAP_FAILED || mnt_insert(self->fd, 2, (void *)PAGE, PAGE, 0))
		_exit(1);
	if (write(self->ready[1], "", 1) != 1 || mnt_wait_entered(self->fd, 0, MNT_RANGE_START, 1))
		_exit(2);
	if (mnt_register(self->fd, 1, MNT_RANGE, 0))
		_exit(3);
	/* Exit wants the file's lock. */
	if (write(self->ready[1], "", 1) != 1)
		_exit(4);
}

static long run_truncation(void *arg)
{
	return truncate_file(arg);
}

TEST(idle_and_counted_needs_no_lock)
{
	FIXTURE_DATA(exclusion) here = { .fd = mnt_open(), .file = memory_file(4, 0) };
	struct job job;
	pid_t child;
	char *area;
	char c;

	ASSERT_LE(0, here.fd);
	ASSERT_EQ(0, pipe(here.ready));
	/* Ranges of a file are visited in order: this process's comes before the child's. */
	area = area_map_file(here.file, 3);
	/* Fork invalidates other memory. */
	mnt_behave(here.fd, 0, area, 3 * PAGE, (struct mnt_behave){});
	ASSERT_EQ(0, mnt_register(here.fd, 0, MNT_RANGE, 0));
	child = child_start(register_beside, &here);
	ASSERT_EQ(1, read(here.ready[0], &c, 1));
	mnt_behave(here.fd, 0, area, 3 * PAGE, (struct mnt_behave){
			   .gates = MNT_BIT(MNT_RANGE_START) });
	job_start(&job, run_truncation, &here);
	ASSERT_EQ(0, mnt_wait_entered(here.fd, 0, MNT_RANGE_START, 1));
	if (rust_serves_alone()) {
		EXPECT_EQ(1, read(here.ready[0], &c, 1));
	} else {
		EXPECT_TRUE(child_blocks(child, "mnt_register"));
	}
	ASSERT_EQ(0, ioctl(here.fd, MNT_OPEN, 0));
	ASSERT_EQ(0, job_join(&job));
	EXPECT_EQ(0, child_wait(child));
	close(here.fd);
}

TEST_HARNESS_MAIN

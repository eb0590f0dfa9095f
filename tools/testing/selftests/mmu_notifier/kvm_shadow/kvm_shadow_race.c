// SPDX-License-Identifier: GPL-2.0
/*
 * The process and the guest count in the same memory while the VM moves it
 * about: what one has written the other sees, always. Needs swap space.
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "ks.h"

#define HUGE	512
#define ROUNDS	30

FIXTURE(race) {
	int fd;
	char *space;
	char *area;
};

typedef int disturb_fn(char *area, int round);

FIXTURE_VARIANT(race) {
	disturb_fn *disturb;
};

/* The process's pages are shared until somebody writes. */
static int forks(char *area, int round)
{
	int status;
	pid_t child = fork();

	(void)area;
	(void)round;
	if (!child)
		_exit(0);
	return waitpid(child, &status, 0) == child ? 0 : -1;
}

static int pages_out(char *area, int round)
{
	(void)round;
	return madvise(area, HUGE * PAGE, MADV_PAGEOUT);
}

static int protects(char *area, int round)
{
	return mprotect(area, HUGE * PAGE, PROT_READ | PROT_WRITE | (round % 2 ? PROT_EXEC : 0));
}

/* One huge page, and small ones again; a collapse may find a page in use. */
static int collapses(char *area, int round)
{
	(void)round;
	if (madvise(area, HUGE * PAGE, MADV_COLLAPSE) && errno != EAGAIN && errno != EBUSY)
		return -1;
	if (mprotect(area + HUGE / 2 * PAGE, PAGE, PROT_READ))
		return -1;
	return mprotect(area + HUGE / 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
}

static int migrates(char *area, int round)
{
	void *pages[PAGES];
	int nodes[PAGES], status[PAGES];

	for (int page = 0; page < PAGES; page++) {
		pages[page] = area + page * PAGE;
		nodes[page] = round % 2;
	}
	/* Those that could not be moved are counted. */
	return syscall(SYS_move_pages, 0, PAGES, pages, nodes, status, MPOL_MF_MOVE) < 0 ? -1 : 0;
}

FIXTURE_VARIANT_ADD(race, fork) { .disturb = forks };
FIXTURE_VARIANT_ADD(race, pageout) { .disturb = pages_out };
FIXTURE_VARIANT_ADD(race, protect) { .disturb = protects };
FIXTURE_VARIANT_ADD(race, collapse) { .disturb = collapses };
FIXTURE_VARIANT_ADD(race, migrate) { .disturb = migrates };

FIXTURE_SETUP(race)
{
	if (variant->disturb == migrates && access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "one node only: boot with numa=fake=2");
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->space = mmap(NULL, 2 * HUGE * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->space);
	self->area = (char *)(((uintptr_t)self->space | (HUGE * PAGE - 1)) + 1);
	memset(self->area, 0, HUGE * PAGE);
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, HUGE * PAGE, 0));
}

FIXTURE_TEARDOWN(race)
{
	munmap(self->space, 2 * HUGE * PAGE);
	close(self->fd);
}

/* In each page the first word is the process's to count in, the second the guest's. */
struct counting {
	int fd;
	char *area;
	_Atomic bool stop;
	_Atomic __u64 rounds[3];
};

static _Atomic __u64 *counter(struct counting *it, size_t page, size_t word)
{
	return (_Atomic __u64 *)(it->area + page * PAGE) + word;
}

static long process_counts(void *arg)
{
	struct counting *it = arg;

	for (; !it->stop; it->rounds[0]++)
		for (size_t page = 0; page < PAGES; page++)
			atomic_fetch_add(counter(it, page, 0), 1);
	return 0;
}

/* What the guest reads lies between what the process sees before and after. */
static long guest_reads(void *arg)
{
	struct counting *it = arg;
	__u64 before, seen, after;

	for (; !it->stop; it->rounds[1]++) {
		for (size_t page = 0; page < PAGES; page++) {
			before = *counter(it, page, 0);
			if (ks_read_word(it->fd, GUEST_PAGE(page), &seen))
				return -1;
			after = *counter(it, page, 0);
			if (seen < before || seen > after)
				return 1;
		}
	}
	return 0;
}

/* What the guest has written is what the process sees, and stays so. */
static long guest_counts(void *arg)
{
	struct counting *it = arg;

	for (__u64 count = 0; !it->stop; it->rounds[2] = ++count) {
		for (size_t page = 0; page < PAGES; page++) {
			if (*counter(it, page, 1) != count)
				return 1;
			if (ks_write_word(it->fd, GUEST_PAGE(page) + 8, count + 1))
				return -1;
			if (*counter(it, page, 1) != count + 1)
				return 2;
		}
	}
	return 0;
}

/* A busy machine takes its time. */
TEST_F_TIMEOUT(race, counters, 120)
{
	static long (*const jobs[])(void *) = { process_counts, guest_reads, guest_counts };
	struct counting it = { .fd = self->fd, .area = self->area };
	struct kvm_shadow_stats stats;
	struct job threads[3];
	__u64 before;

	for (int i = 0; i < 3; i++)
		job_start(&threads[i], jobs[i], &it);
	for (int round = 0; round < ROUNDS; round++) {
		/* Each round meets all of them at work. */
		for (int i = 0; i < 3; i++)
			for (before = it.rounds[i]; it.rounds[i] == before && !threads[i].done;)
				;
		EXPECT_EQ(0, variant->disturb(self->area, round)) TH_LOG("%s", strerror(errno));
	}
	it.stop = true;
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, job_join(&threads[i]))
			TH_LOG("thread %d: %s", i, strerror(errno));
	}
	stats = ks_stats(self->fd);
	note("faults %llu, retries %llu, invalidations %llu", stats.faults, stats.retries,
	     stats.invalidations);
	EXPECT_LT(PAGES, stats.faults);
}

/* One guest page, which shows now this user page, now that, now nothing, logged at times. */
struct changing {
	int fd;
	char *area;
	_Atomic bool stop;
};

#define THIS	0x7415
#define THAT	0x74a7

static long reads_either(void *arg)
{
	struct changing *it = arg;
	__u64 word;

	while (!it->stop)
		if (ks_read_word(it->fd, GUEST, &word) ? errno != ENXIO :
		    word != THIS && word != THAT)
			return 1;
	return 0;
}

/* The second word of either, and of no other page. */
static long writes_either(void *arg)
{
	struct changing *it = arg;

	while (!it->stop)
		if (ks_write_word(it->fd, GUEST + 8, 1) && errno != ENXIO)
			return 1;
	return 0;
}

static long takes_logs(void *arg)
{
	struct changing *it = arg;
	__u64 bitmap[2] = { 0, 0x5a5a };

	while (!it->stop)
		if (ks_dirty(it->fd, 0, bitmap) ? errno != ENOENT :
		    bitmap[0] > 1 || bitmap[1] != 0x5a5a)
			return 1;
	return 0;
}

TEST(slots_that_change)
{
	static long (*const jobs[])(void *) = { reads_either, writes_either, takes_logs };
	struct changing it = { .fd = ks_open(), .area = area_map(3) };
	struct job threads[3];
	unsigned int flags;

	ASSERT_LE(0, it.fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	put_word(it.area, 0, THIS);
	put_word(it.area, 1, THAT);
	for (int i = 0; i < 3; i++)
		job_start(&threads[i], jobs[i], &it);
	for (int round = 0; round < 300; round++) {
		flags = round % 3 ? KVM_SHADOW_LOG_DIRTY : 0;
		ASSERT_DONE(ks_slot(it.fd, 0, GUEST, it.area + round % 2 * PAGE, PAGE, flags));
		ASSERT_DONE(ks_slot(it.fd, 0, GUEST, it.area + round % 2 * PAGE, PAGE,
				    flags ^ KVM_SHADOW_LOG_DIRTY));
		ASSERT_DONE(ks_delete(it.fd, 0));
	}
	it.stop = true;
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, job_join(&threads[i]))
			TH_LOG("thread %d: %s", i, strerror(errno));
	}
	EXPECT_EQ(THIS, get_word(it.area, 0));
	EXPECT_EQ(THAT, get_word(it.area, 1));
	area_unmap(it.area, 3);
	close(it.fd);
}

TEST_HARNESS_MAIN

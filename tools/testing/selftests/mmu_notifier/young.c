// SPDX-License-Identifier: GPL-2.0
/*
 * Aging. clear_flush_young comes from reclaim without multi-generational LRU,
 * clear_young from reclaim with it, test_young from DAMON. What a subscription
 * answers decides whether a page goes. Needs swap space.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "harness.h"

/*
 * The newest pages wait on a list of their processor, where reclaim does not
 * look: only the first ones are watched.
 */
#define PAGES	256
#define WATCHED	8
#define SLOTS	3
#define YOUNG	(MNT_BIT(MNT_CLEAR_FLUSH_YOUNG) | MNT_BIT(MNT_CLEAR_YOUNG) | \
		 MNT_BIT(MNT_TEST_YOUNG))

#define CGROUP	"/tmp/mnt-cgroup"
#define GROUP	CGROUP "/young"
#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"
#define DAMON	"/sys/kernel/mm/damon/admin/kdamonds"

FIXTURE(young) {
	int fd;
	char *area;
	pid_t child;
	int end;
};

FIXTURE_VARIANT(young) {
	const char *lru_gen;
	unsigned int hook;
	unsigned int never;
};

FIXTURE_VARIANT_ADD(young, two_lists) {
	.lru_gen = "n",
	.hook = MNT_CLEAR_FLUSH_YOUNG,
	.never = MNT_CLEAR_YOUNG,
};

FIXTURE_VARIANT_ADD(young, generations) {
	.lru_gen = "y",
	.hook = MNT_CLEAR_YOUNG,
	.never = MNT_CLEAR_FLUSH_YOUNG,
};

struct life {
	int fd;
	char *area;
	int ready;
	int end;
};

/* Its pages belong to the group, and it touches them no more once it is ready. */
static void live_in_group(void *arg)
{
	struct life *life = arg;
	char c;

	if (write_file(GROUP "/cgroup.procs", "0"))
		_exit(1);
	if (mmap(life->area, PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    madvise(life->area, PAGES * PAGE, MADV_NOHUGEPAGE))
		_exit(2);
	for (int i = 0; i < PAGES; i++)
		life->area[i * PAGE] = (char)i;
	for (int slot = 0; slot < SLOTS; slot++)
		if (mnt_register(life->fd, slot, YOUNG | MNT_RANGE, 0))
			_exit(3);
	if (write(life->ready, "", 1) != 1 || read(life->end, &c, 1) < 0)
		_exit(4);
	for (int i = 0; i < PAGES; i++)
		if (life->area[i * PAGE] != (char)i)
			_exit(5);
}

FIXTURE_SETUP(young)
{
	int ready[2], ending[2];
	struct life life;
	char c;

	self->fd = mnt_open();
	ASSERT_LE(0, self->fd) TH_LOG("no /dev/mmu_notifier_test: load the module");
	if (write_file(LRU_GEN, variant->lru_gen))
		SKIP(return, "%s: %s", LRU_GEN, strerror(errno));
	mkdir(CGROUP, 0700);
	if (mount("none", CGROUP, "cgroup2", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	ASSERT_DONE(write_file(CGROUP "/cgroup.subtree_control", "+memory"));
	mkdir(GROUP, 0700);
	/* The kernel's own DAMON would come in between. */
	write_file("/sys/module/damon_stat/parameters/enabled", "N");

	self->area = mmap(NULL, PAGES * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int slot = 0; slot < SLOTS; slot++)
		mnt_behave(self->fd, slot, self->area, WATCHED * PAGE,
			   (struct mnt_behave){});
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(ending));
	self->child = fork();
	if (!self->child) {
		close(ending[1]);
		life = (struct life){ self->fd, self->area, ready[1], ending[0] };
		live_in_group(&life);
		_exit(0);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	self->end = ending[1];
	mnt_trace(self->fd);
}

FIXTURE_TEARDOWN(young)
{
	close(self->end);
	EXPECT_EQ(0, child_wait(self->child));
	rmdir(GROUP);
	close(self->fd);
}

static void answer(int fd, const char *area, unsigned int slot,
		   unsigned int young)
{
	mnt_behave(fd, slot, area, WATCHED * PAGE,
		   (struct mnt_behave){ .young = young });
}

/*
 * Takes what it can get of the group; that it cannot get all is no error.
 * Reading the statistics brings them up to date: reclaim goes by the balance
 * of the lists, which else is updated every two seconds only.
 */
static bool reclaim(void)
{
	char stat[4096];
	int fd = open(GROUP "/memory.stat", O_RDONLY);
	bool read_it = read(fd, stat, sizeof(stat)) > 0;

	close(fd);
	if (!read_it)
		return false;
	return !write_file(GROUP "/memory.reclaim", "4M") || errno == EAGAIN;
}

/*
 * Returns how often a page was asked about, if each time all were asked, the
 * newest first, whatever the others had answered; else -1.
 */
static int rounds_of_all(int fd, unsigned int hook)
{
	const struct mnt_event *events;
	size_t count = mnt_events(fd, &events);
	unsigned int due = SLOTS - 1;
	int rounds = 0;
	__u64 page = 0;

	for (size_t i = 0; i < count; i++) {
		if (events[i].hook != hook)
			continue;
		if (events[i].slot != due ||
		    (due != SLOTS - 1 && events[i].start != page))
			return -1;
		page = events[i].start;
		rounds += due == 0;
		due = due ? due - 1 : SLOTS - 1;
	}
	return due == SLOTS - 1 ? rounds : -1;
}

TEST_F(young, reclaim)
{
	/* One that says young keeps the page, whichever it is. */
	for (int slot = 0; slot < SLOTS; slot++) {
		answer(self->fd, self->area, slot, YOUNG);
		ASSERT_TRUE(reclaim()) TH_LOG("%s", strerror(errno));
		EXPECT_LT(0, rounds_of_all(self->fd, variant->hook));
		EXPECT_EQ(0, mnt_seen(self->fd, 0, MNT_RANGE_START));
		answer(self->fd, self->area, slot, 0);
	}
	/* Nobody does: the pages go, and all are told. */
	ASSERT_TRUE(reclaim()) TH_LOG("%s", strerror(errno));
	EXPECT_LT(0, rounds_of_all(self->fd, variant->hook));
	for (int slot = 0; slot < SLOTS; slot++)
		EXPECT_LT(0, mnt_seen(self->fd, slot, MNT_RANGE_START));
	EXPECT_EQ(0, mnt_seen(self->fd, 0, variant->never));
}

static int tell_damon(const char *path, const char *format, unsigned long value)
{
	char name[128], text[32];

	snprintf(name, sizeof(name), DAMON "/%s", path);
	snprintf(text, sizeof(text), format, value);
	return write_file(name, text);
}

#define CONTEXT	"0/contexts/0/"

static bool start_damon(pid_t child, char *area)
{
	unsigned long start = (unsigned long)area;

	return !tell_damon("nr_kdamonds", "%lu", 1) &&
	       !tell_damon("0/contexts/nr_contexts", "%lu", 1) &&
	       !tell_damon(CONTEXT "operations", "fvaddr%.0lu", 0) &&
	       !tell_damon(CONTEXT "targets/nr_targets", "%lu", 1) &&
	       !tell_damon(CONTEXT "targets/0/pid_target", "%lu",
			   (unsigned long)child) &&
	       !tell_damon(CONTEXT "targets/0/regions/nr_regions", "%lu", 1) &&
	       !tell_damon(CONTEXT "targets/0/regions/0/start", "%lu", start) &&
	       !tell_damon(CONTEXT "targets/0/regions/0/end", "%lu",
			   start + WATCHED * PAGE) &&
	       !tell_damon(CONTEXT "monitoring_attrs/intervals/sample_us", "%lu",
			   1000) &&
	       !tell_damon(CONTEXT "monitoring_attrs/intervals/aggr_us", "%lu",
			   20000) &&
	       !tell_damon("0/state", "on%.0lu", 0);
}

/* The first that says young ends the question; until then it goes on. */
TEST_F(young, test_young)
{
	const struct mnt_event *events;
	size_t count;

	if (!start_damon(self->child, self->area))
		SKIP(return, "DAMON: %s", strerror(errno));
	/* Nobody says young: all are asked, and old pages are told of as well. */
	for (int slot = 0; slot < SLOTS; slot++) {
		ASSERT_DONE(mnt_wait_entered(self->fd, slot, MNT_TEST_YOUNG, 4));
		ASSERT_DONE(mnt_wait_entered(self->fd, slot, MNT_CLEAR_YOUNG, 4));
	}
	answer(self->fd, self->area, 1, MNT_BIT(MNT_TEST_YOUNG));
	mnt_trace(self->fd);
	ASSERT_DONE(mnt_wait_entered(self->fd, 1, MNT_TEST_YOUNG,
				     mnt_seen(self->fd, 1, MNT_TEST_YOUNG) + 8));
	ASSERT_DONE(tell_damon("0/state", "off%.0lu", 0));
	count = mnt_events(self->fd, &events);
	for (size_t i = 1; i < count; i++) {
		if (events[i - 1].hook != MNT_TEST_YOUNG ||
		    events[i].hook != MNT_TEST_YOUNG)
			continue;
		/* 2 says no, 1 says yes; but for a question already under way */
		if (i > 3 && events[i - 1].slot == 2)
			EXPECT_EQ(1, events[i].slot);
		if (i > 3 && events[i - 1].slot == 1)
			EXPECT_NE(0, events[i].slot);
	}
	tell_damon("nr_kdamonds", "%lu", 0);
}

TEST_HARNESS_MAIN

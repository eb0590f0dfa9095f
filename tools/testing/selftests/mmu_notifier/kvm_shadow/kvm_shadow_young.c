// SPDX-License-Identifier: GPL-2.0
/*
 * The VM ages what the shadow holds without taking it away: DAMON by
 * clear_young, reclaim by clear_flush_young or, with multi-generational LRU,
 * by clear_young. Needs swap space.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "ks.h"

#define HELD	256
#define KNOWN	100

#define CGROUP	"/tmp/kvm-shadow-cgroup"
#define GROUP	CGROUP "/young"
#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"
#define DAMON	"/sys/kernel/mm/damon/admin/kdamonds"

/* How many of these are there, and how many of them are young. */
struct held {
	size_t present;
	size_t young;
};

static struct held held(int fd)
{
	unsigned char states[HELD];
	struct held held = {};

	if (ks_states(fd, GUEST, states, HELD))
		abort();
	for (size_t page = 0; page < HELD; page++) {
		held.present += !!(states[page] & KVM_SHADOW_PRESENT);
		held.young += !!(states[page] & KVM_SHADOW_YOUNG);
	}
	return held;
}

/* A machine on its own memory, which it touches no more once it is ready. */
static void has_a_machine(int ready, int end)
{
	int fd = ks_open();
	__u64 word;
	char *area;
	char c;

	if (write_file(GROUP "/cgroup.procs", "0") || dup2(fd, KNOWN) != KNOWN)
		_exit(1);
	area = area_map(HELD);
	if (ks_slot(fd, 0, GUEST, area, HELD * PAGE, 0))
		_exit(2);
	for (size_t page = 0; page < HELD; page++) {
		put_word(area, page, word_of(page));
		if (ks_read_word(fd, GUEST_PAGE(page), &word))
			_exit(3);
	}
	if (write(ready, &area, sizeof(area)) != sizeof(area) || read(end, &c, 1) < 0)
		_exit(4);
	_exit(0);
}

FIXTURE(young) {
	int fd;
	char *area;
	pid_t child;
	int end;
};

FIXTURE_VARIANT(young) {
	const char *lru_gen;
};

FIXTURE_VARIANT_ADD(young, two_lists) { .lru_gen = "n" };
FIXTURE_VARIANT_ADD(young, generations) { .lru_gen = "y" };

FIXTURE_SETUP(young)
{
	int ready[2], ending[2];

	if (write_file(LRU_GEN, variant->lru_gen))
		SKIP(return, "%s: %s", LRU_GEN, strerror(errno));
	mkdir(CGROUP, 0700);
	if (mount("none", CGROUP, "cgroup2", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	ASSERT_DONE(write_file(CGROUP "/cgroup.subtree_control", "+memory"));
	mkdir(GROUP, 0700);
	/* The kernel's own DAMON would come in between. */
	write_file("/sys/module/damon_stat/parameters/enabled", "N");

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(ending));
	self->child = fork();
	if (!self->child) {
		close(ending[1]);
		has_a_machine(ready[1], ending[0]);
	}
	close(ready[1]);
	self->end = ending[1];
	ASSERT_EQ(sizeof(self->area), read(ready[0], &self->area, sizeof(self->area)))
		TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->fd = file_of(self->child, KNOWN);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(HELD, held(self->fd).young);
}

FIXTURE_TEARDOWN(young)
{
	close(self->end);
	EXPECT_EQ(0, child_wait(self->child));
	rmdir(GROUP);
	close(self->fd);
}

/* What the guest uses is young again, and only that. */
#define EXPECT_YOUNG_AFTER_USE(page) do {				\
	struct held _before = held(self->fd);				\
	__u64 _word;							\
									\
	EXPECT_EQ(0, ks_state(self->fd, GUEST_PAGE(page)) & KVM_SHADOW_YOUNG); \
	EXPECT_EQ(0, ks_read_word(self->fd, GUEST_PAGE(page), &_word));	\
	EXPECT_EQ(word_of(page), _word);				\
	EXPECT_NE(0, ks_state(self->fd, GUEST_PAGE(page)) & KVM_SHADOW_YOUNG); \
	EXPECT_EQ(_before.young + 1, held(self->fd).young);		\
} while (0)

static int tell_damon(const char *path, const char *format, unsigned long value)
{
	char name[128], text[32];

	snprintf(name, sizeof(name), DAMON "/%s", path);
	snprintf(text, sizeof(text), format, value);
	return write_file(name, text);
}

#define CONTEXT	"0/contexts/0/"
#define REGION	CONTEXT "targets/0/regions/0/"

/* The first pages are watched. */
#define WATCHED	4

static bool start_damon(pid_t child, char *area)
{
	if (tell_damon("nr_kdamonds", "%lu", 1) ||
	    tell_damon("0/contexts/nr_contexts", "%lu", 1) ||
	    tell_damon(CONTEXT "operations", "fvaddr%.0lu", 0) ||
	    tell_damon(CONTEXT "targets/nr_targets", "%lu", 1) ||
	    tell_damon(CONTEXT "targets/0/pid_target", "%lu", (unsigned long)child) ||
	    tell_damon(CONTEXT "targets/0/regions/nr_regions", "%lu", 1) ||
	    tell_damon(REGION "start", "%lu", (unsigned long)area) ||
	    tell_damon(REGION "end", "%lu", (unsigned long)area + WATCHED * PAGE) ||
	    tell_damon(CONTEXT "monitoring_attrs/intervals/sample_us", "%lu", 1000) ||
	    tell_damon(CONTEXT "monitoring_attrs/intervals/aggr_us", "%lu", 20000))
		return false;
	return !tell_damon("0/state", "on%.0lu", 0);
}

TEST_F(young, damon)
{
	struct kvm_shadow_stats before = ks_stats(self->fd), after;
	struct held now;

	if (!start_damon(self->child, self->area))
		SKIP(return, "DAMON: %s", strerror(errno));
	do
		now = held(self->fd);
	while (now.young > HELD - WATCHED);
	ASSERT_DONE(tell_damon("0/state", "off%.0lu", 0));
	tell_damon("nr_kdamonds", "%lu", 0);
	now = held(self->fd);
	after = ks_stats(self->fd);
	EXPECT_LT(before.aged, after.aged);
	EXPECT_EQ(before.pages_dropped, after.pages_dropped);
	EXPECT_EQ(HELD, now.present);
	/* From an address inside of a page on it ages as many bytes as a page has. */
	EXPECT_LE(HELD - WATCHED - 1, now.young);
	EXPECT_YOUNG_AFTER_USE(WATCHED / 2);
}

/* As much as asked for, or as can be had; up-to-date statistics are what reclaim goes by. */
static bool reclaim(const char *bytes)
{
	char stat[4096];
	int fd = open(GROUP "/memory.stat", O_RDONLY | O_CLOEXEC);
	bool read_it = read(fd, stat, sizeof(stat)) > 0;

	close(fd);
	return read_it && (!write_file(GROUP "/memory.reclaim", bytes) || errno == EAGAIN);
}

/* A page that is held, but not young; HELD if there is none. */
static size_t an_old_page(int fd)
{
	size_t page = 0;

	while (page < HELD && (ks_state(fd, GUEST_PAGE(page)) &
			       (KVM_SHADOW_PRESENT | KVM_SHADOW_YOUNG)) != KVM_SHADOW_PRESENT)
		page++;
	return page;
}

/* It takes few pages, and looks at many before: those are old now, and still there. */
TEST_F(young, reclaim)
{
	size_t page;

	while ((page = an_old_page(self->fd)) == HELD) {
		ASSERT_LT(0, held(self->fd).present) TH_LOG("all went, none was aged");
		ASSERT_TRUE(reclaim("4096")) TH_LOG("%s", strerror(errno));
	}
	EXPECT_YOUNG_AFTER_USE(page);
	/* It takes all it can get: the guest's entries go with them, and come back. */
	while (held(self->fd).present > HELD / 2)
		ASSERT_TRUE(reclaim("4M")) TH_LOG("%s", strerror(errno));
	for (page = 0; page < HELD; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
}

TEST_HARNESS_MAIN

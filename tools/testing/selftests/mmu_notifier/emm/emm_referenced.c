// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim asks whether a page was used, and the answer decides whether it goes.
 * Needs swap space.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "harness.h"
#include "emm_user.h"

/* The newest pages are not looked at: the first ones are watched. */
#define PAGES	256
#define WATCHED	8

#define CGROUP	"/tmp/emm-cgroup"
#define GROUP	CGROUP "/referenced"
#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"

FIXTURE(referenced) {
	int fd;
	char *area;
};

/* The two reclaims ask by different hooks, which are one operation here. */
FIXTURE_VARIANT(referenced) {
	const char *lru_gen;
};

FIXTURE_VARIANT_ADD(referenced, two_lists) {
	.lru_gen = "n",
};

FIXTURE_VARIANT_ADD(referenced, generations) {
	.lru_gen = "y",
};

FIXTURE_SETUP(referenced)
{
	if (write_file(LRU_GEN, variant->lru_gen))
		SKIP(return, "%s: %s", LRU_GEN, strerror(errno));
	mkdir(CGROUP, 0700);
	if (mount("none", CGROUP, "cgroup2", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	ASSERT_DONE(write_file(CGROUP "/cgroup.subtree_control", "+memory"));
	mkdir(GROUP, 0700);
	/* The kernel's own DAMON asks as well. */
	write_file("/sys/module/damon_stat/parameters/enabled", "N");

	ASSERT_DONE(write_file(GROUP "/cgroup.procs", "0"));
	self->area = area_map(PAGES);
	self->fd = emm_open();
	ASSERT_LE(0, self->fd) TH_LOG("/dev/emm: %s", strerror(errno));
	ASSERT_EQ(0, emm_watch(self->fd, self->area, WATCHED * PAGE));
}

FIXTURE_TEARDOWN(referenced)
{
	EXPECT_EQ(0, write_file(CGROUP "/cgroup.procs", "0"));
	rmdir(GROUP);
	close(self->fd);
	area_unmap(self->area, PAGES);
}

/*
 * Takes what it can get; that it cannot get all is no error. Reclaim goes by
 * statistics that reading them brings up to date.
 */
static bool reclaim(void)
{
	char stat[4096];
	int fd = open(GROUP "/memory.stat", O_RDONLY);
	bool read_it = read(fd, stat, sizeof(stat)) > 0;

	close(fd);
	return read_it &&
	       (!write_file(GROUP "/memory.reclaim", "4M") || errno == EAGAIN);
}

TEST_F(referenced, the_answer_decides)
{
	struct emm_counts counts;

	ASSERT_EQ(0, emm_answer(self->fd, 1));
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(reclaim()) TH_LOG("%s", strerror(errno));
	counts = emm_counts(self->fd);
	EXPECT_LT(0, counts.calls[EMM_REFERENCED]);
	EXPECT_EQ(0, counts.calls[EMM_INVALIDATE_START]);

	ASSERT_EQ(0, emm_answer(self->fd, 0));
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(reclaim()) TH_LOG("%s", strerror(errno));
	counts = emm_counts(self->fd);
	EXPECT_LT(0, counts.calls[EMM_INVALIDATE_START]);
	EXPECT_EQ(counts.calls[EMM_INVALIDATE_START],
		  counts.calls[EMM_INVALIDATE_END]);
	for (size_t page = 0; page < PAGES; page++)
		ASSERT_EQ(1, self->area[page * PAGE]);
}

/* Each question is of one page of the area. */
TEST_F(referenced, of_single_pages)
{
	struct emm_record records[EMM_RECORDS];
	unsigned int count, lost, asked = 0;

	ASSERT_EQ(0, emm_answer(self->fd, 1));
	ASSERT_TRUE(reclaim()) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, emm_read(self->fd, records, EMM_RECORDS, &count, &lost));
	for (unsigned int i = 0; i < count; i++) {
		if (records[i].operation != EMM_REFERENCED)
			continue;
		asked++;
		EXPECT_EQ(PAGE, records[i].end - records[i].start);
		EXPECT_EQ(0, records[i].start % PAGE);
		EXPECT_EQ(0, records[i].flags);
	}
	EXPECT_LT(0, asked);
}

TEST_HARNESS_MAIN

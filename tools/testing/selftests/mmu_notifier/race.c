// SPDX-License-Identifier: GPL-2.0
/*
 * Registrations race with invalidations of every way in. Nobody may see an end
 * without its start, and once all is quiet nothing may be left open.
 */
#define _GNU_SOURCE
#include "fixture.h"

#define ROUNDS	1500
#define PAGES	4

struct storm {
	char *anon;
	char *mapped;
	int file;
	atomic_bool over;
};

static struct storm *storm_new(void)
{
	struct storm *storm = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	storm->anon = area_map(PAGES);
	storm->file = memory_file(PAGES, 0);
	storm->mapped = area_map_file(storm->file, PAGES);
	return storm;
}

static long blow_inside(void *arg)
{
	struct storm *storm = arg;

	for (unsigned int i = 0; !storm->over; i++) {
		char *page = storm->anon + i % PAGES * PAGE;

		if (madvise(page, PAGE, MADV_DONTNEED) ||
		    mprotect(page, PAGE, PROT_READ) ||
		    mprotect(page, PAGE, PROT_READ | PROT_WRITE))
			return -1;
		*page = 1;
	}
	return 0;
}

/* From outside, by way of the reverse map. */
static void blow_outside(void *arg)
{
	struct storm *storm = arg;

	while (!storm->over)
		if (ftruncate(storm->file, PAGE) ||
		    ftruncate(storm->file, PAGES * PAGE))
			_exit(1);
}

/* Touches what is truncated; beyond the end of the file that is no access. */
static long touch(void *arg)
{
	struct storm *storm = arg;
	char c;

	while (!storm->over)
		for (int i = 0; i < PAGES; i++)
			pread(storm->file, &c, 1, i * PAGE);
	return 0;
}

TEST_F(notifier, registrations_and_invalidations)
{
	struct storm *storm = storm_new();
	struct job inside, touching;
	pid_t outside;

	for (int slot = 0; slot < 4; slot++)
		BEHAVE(slot, .start = 0);
	outside = child_start(blow_outside, storm);
	job_start(&inside, blow_inside, storm);
	job_start(&touching, touch, storm);
	for (int round = 0; round < ROUNDS; round++) {
		int slot = round % 4;

		ASSERT_DONE(mnt_get(self->fd, slot, MNT_RANGE, NULL));
		if (round % 2)
			sched_yield();
		ASSERT_DONE(mnt_put(self->fd, slot));
		if (round % 100 == 99)
			ASSERT_LE(0, ioctl(self->fd, MNT_SYNCHRONIZE, 0));
	}
	storm->over = true;
	EXPECT_EQ(0, job_join(&inside));
	EXPECT_EQ(0, job_join(&touching));
	EXPECT_EQ(0, child_wait(outside));
	for (int slot = 0; slot < 4; slot++) {
		struct mnt_counts counts = mnt_counts(self->fd, slot);

		note("slot %d: %llu starts, %llu ends", slot, counts.starts,
		     counts.ends);
		EXPECT_EQ(0, counts.orphans);
		EXPECT_EQ(0, counts.lost);
	}
}

/* No invalidation that came after read_begin escapes read_retry. */
TEST_F(notifier, readers_and_invalidations)
{
	struct storm *storm = storm_new();
	unsigned int collisions = 0;
	struct job inside;
	__u64 seq;

	mnt_behave(self->fd, 0, storm->anon, 1, (struct mnt_behave){});
	ASSERT_DONE(mnt_insert(self->fd, 0, storm->anon, PAGES * PAGE, 0));
	job_start(&inside, blow_inside, storm);
	for (int round = 0; round < 20 * ROUNDS; round++) {
		__u64 before, after;

		ASSERT_DONE(mnt_read_begin(self->fd, 0, &seq));
		before = mnt_seen(self->fd, 0, MNT_INVALIDATE);
		after = mnt_seen(self->fd, 0, MNT_INVALIDATE);
		if (before != after) {
			ASSERT_EQ(1, mnt_read_retry(self->fd, 0, seq));
			collisions++;
		}
	}
	storm->over = true;
	EXPECT_EQ(0, job_join(&inside));
	note("%u collisions", collisions);
	ASSERT_DONE(mnt_read_begin(self->fd, 0, &seq));
	EXPECT_EQ(0, mnt_read_retry(self->fd, 0, seq));
	EXPECT_EQ(0, mnt_state(self->fd, 0).active_invalidate_ranges);
}

struct interval {
	int fd;
	unsigned int slot;
	char *start;
};

static long insert_and_remove(void *arg)
{
	struct interval *it = arg;
	__u64 seq;

	for (int round = 0; round < ROUNDS; round++)
		if (mnt_insert(it->fd, it->slot, it->start, PAGE,
			       round % 2 ? MNT_TWO_PASS : 0) ||
		    mnt_read_begin(it->fd, it->slot, &seq) ||
		    mnt_read_retry(it->fd, it->slot, seq) < 0 ||
		    mnt_remove(it->fd, it->slot))
			return -1;
	return 0;
}

/* Inserts and removes, deferred or not, race with invalidations. */
TEST_F(notifier, inserts_removes_and_invalidations)
{
	struct storm *storm = storm_new();
	struct interval intervals[3];
	struct job inside, jobs[3];
	struct mnt_state state;

	for (int i = 0; i < 4; i++)
		mnt_behave(self->fd, i, storm->anon, 1, (struct mnt_behave){});
	ASSERT_DONE(mnt_insert(self->fd, 3, storm->anon, PAGE, 0));
	job_start(&inside, blow_inside, storm);
	for (int i = 0; i < 3; i++) {
		intervals[i] = (struct interval){ self->fd, i, storm->anon + i * PAGE };
		job_start(&jobs[i], insert_and_remove, &intervals[i]);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, job_join(&jobs[i]));
	storm->over = true;
	EXPECT_EQ(0, job_join(&inside));
	state = mnt_state(self->fd, 3);
	EXPECT_EQ(1, state.intervals);
	EXPECT_EQ(0, state.deferred);
	EXPECT_EQ(0, state.active_invalidate_ranges);
	EXPECT_EQ(0, state.invalidate_seq & 1);
}

TEST_HARNESS_MAIN

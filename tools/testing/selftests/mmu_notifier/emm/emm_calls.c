// SPDX-License-Identifier: GPL-2.0
/*
 * The single callback is told of every operation: which, of what range, and
 * each start has its end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "harness.h"
#include "emm_user.h"

#define AREA	8

FIXTURE(emm) {
	int fd;
	char *area;
};

FIXTURE_SETUP(emm)
{
	self->fd = emm_open();
	ASSERT_LE(0, self->fd) TH_LOG("/dev/emm: %s", strerror(errno));
	self->area = area_map(AREA);
	ASSERT_EQ(0, emm_watch(self->fd, self->area, AREA * PAGE));
}

FIXTURE_TEARDOWN(emm)
{
	close(self->fd);
	area_unmap(self->area, AREA);
}

#define EXPECT_TOLD(text) \
	EXPECT_STREQ(text, emm_trace(self->fd, self->area))

TEST_F(emm, munmap)
{
	ASSERT_DONE(munmap(self->area + 2 * PAGE, 3 * PAGE));
	EXPECT_TOLD("start[2,5) end[2,5)");
}

TEST_F(emm, mprotect)
{
	ASSERT_DONE(mprotect(self->area + PAGE, PAGE, PROT_READ));
	EXPECT_TOLD("start[1,2) end[1,2)");
}

TEST_F(emm, madvise_dontneed)
{
	ASSERT_DONE(madvise(self->area, AREA * PAGE, MADV_DONTNEED));
	EXPECT_TOLD("start[0,8) end[0,8)");
}

TEST_F(emm, mremap)
{
	char *target = area_map(2);

	ASSERT_EQ(target, mremap(self->area + PAGE, 2 * PAGE, 2 * PAGE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, target));
	/* The move, then the unmapping of what it left. */
	EXPECT_TOLD("start[1,3) end[1,3) start[1,3) end[1,3)");
	area_unmap(target, 2);
}

TEST_F(emm, fork_and_copy_on_write)
{
	int gate[2];
	pid_t child;

	ASSERT_EQ(0, pipe(gate));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		char c;

		close(gate[1]);
		_exit(read(gate[0], &c, 1) != 0);
	}
	EXPECT_TOLD("start[0,8) end[0,8)");
	*(volatile char *)(self->area + 3 * PAGE) = 2;
	EXPECT_TOLD("start[3,4) end[3,4)");
	close(gate[1]);
	ASSERT_EQ(0, child_wait(child));
}

/* A child reads of its parent's memory, and is told nothing of its own. */
TEST_F(emm, a_child_reads_of_its_parent)
{
	pid_t child;

	ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	emm_trace(self->fd, self->area);
	ASSERT_EQ(0, emm_watch(self->fd, self->area, PAGE));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		/* Of the fork itself, and not of this. */
		if (madvise(self->area, PAGE, MADV_DONTNEED) ||
		    emm_counts(self->fd).calls[EMM_INVALIDATE_START] != 1)
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(child));
}

TEST_F(emm, only_what_touches_the_window)
{
	ASSERT_EQ(0, emm_watch(self->fd, self->area + 2 * PAGE, 2 * PAGE));
	ASSERT_DONE(madvise(self->area, 2 * PAGE, MADV_DONTNEED));
	ASSERT_DONE(madvise(self->area + 4 * PAGE, 4 * PAGE, MADV_DONTNEED));
	EXPECT_TOLD("");
	ASSERT_DONE(madvise(self->area, 3 * PAGE, MADV_DONTNEED));
	ASSERT_DONE(madvise(self->area + 3 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_TOLD("start[0,3) end[0,3) start[3,4) end[3,4)");
	EXPECT_EQ(2, emm_counts(self->fd).calls[EMM_INVALIDATE_START]);
}

/* Taken out in pieces, each record comes once, in order. */
TEST_F(emm, records_come_in_order)
{
	struct emm_record records[3];
	unsigned int count, lost;
	__u64 order = 0;

	for (size_t page = 0; page < AREA; page++)
		ASSERT_DONE(madvise(self->area + page * PAGE, PAGE, MADV_DONTNEED));
	do {
		ASSERT_EQ(0, emm_read(self->fd, records, 3, &count, &lost));
		EXPECT_EQ(0, lost);
		for (unsigned int i = 0; i < count; i++, order++) {
			ASSERT_EQ(order, records[i].order);
			ASSERT_EQ(order % 2 ? EMM_INVALIDATE_END : EMM_INVALIDATE_START,
				  records[i].operation);
			ASSERT_EQ((uintptr_t)self->area + order / 2 * PAGE,
				  records[i].start);
		}
	} while (count == 3);
	EXPECT_EQ(2 * AREA, order);
}

/* Of too many calls the latest are kept. */
TEST_F(emm, the_latest_calls_are_kept)
{
	static struct emm_record records[EMM_RECORDS];
	unsigned int count, lost;

	for (unsigned int i = 0; i < EMM_RECORDS / 2 + 10; i++)
		ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, emm_read(self->fd, records, EMM_RECORDS, &count, &lost));
	EXPECT_EQ(EMM_RECORDS, count);
	EXPECT_EQ(20, lost);
	EXPECT_EQ(20, records[0].order);
	EXPECT_EQ(EMM_RECORDS + 19, records[EMM_RECORDS - 1].order);
	EXPECT_EQ(EMM_RECORDS / 2 + 10,
		  emm_counts(self->fd).calls[EMM_INVALIDATE_END]);
	ASSERT_EQ(0, emm_watch(self->fd, self->area, PAGE));
	ASSERT_EQ(0, emm_read(self->fd, records, EMM_RECORDS, &count, &lost));
	EXPECT_EQ(0, count);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, emm_counts(self->fd).calls[EMM_INVALIDATE_END]);
}

/* So few that the record holds all of them, however late it is read. */
#define CHANGES	100

/* Of three pages; what is dropped lies in one VMA always, so it is one range. */
static long change_pages(void *arg)
{
	char *pages = arg;

	for (unsigned int i = 0; i < CHANGES; i++)
		if (madvise(pages + PAGE, (1 + i % 2) * PAGE, MADV_DONTNEED) ||
		    mprotect(pages, PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ))
			return -1;
	return 0;
}

static int by_range(const void *a, const void *b)
{
	const struct emm_record *one = a, *two = b;

	if (one->start != two->start)
		return one->start < two->start ? -1 : 1;
	return one->end < two->end ? -1 : one->end > two->end;
}

/* Ranges of several threads overlap in time; still every start has its end. */
TEST_F(emm, starts_and_ends_pair)
{
	static struct emm_record starts[4 * CHANGES], ends[4 * CHANGES];
	struct emm_record records[16];
	unsigned int started = 0, ended = 0, count, lost;
	struct job jobs[2];
	struct emm_counts counts;

	for (int i = 0; i < 2; i++)
		job_start(&jobs[i], change_pages, self->area + 3 * i * PAGE);
	do {
		bool done = jobs[0].done && jobs[1].done;

		ASSERT_EQ(0, emm_read(self->fd, records, 16, &count, &lost));
		ASSERT_EQ(0, lost);
		for (unsigned int i = 0; i < count; i++) {
			if (records[i].operation == EMM_INVALIDATE_START)
				starts[started++] = records[i];
			else if (records[i].operation == EMM_INVALIDATE_END)
				ends[ended++] = records[i];
			ASSERT_LE(ended, started);
			ASSERT_LE(started, 4 * CHANGES);
		}
		if (done && !count)
			break;
	} while (true);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, job_join(&jobs[i]));
	ASSERT_EQ(4 * CHANGES, started);
	ASSERT_EQ(started, ended);
	qsort(starts, started, sizeof(*starts), by_range);
	qsort(ends, ended, sizeof(*ends), by_range);
	for (unsigned int i = 0; i < started; i++)
		ASSERT_EQ(0, by_range(&starts[i], &ends[i]));
	counts = emm_counts(self->fd);
	EXPECT_EQ(started, counts.calls[EMM_INVALIDATE_START]);
	EXPECT_EQ(ended, counts.calls[EMM_INVALIDATE_END]);
	EXPECT_EQ(0, counts.active);
	EXPECT_EQ(0, counts.unpaired);
}

struct owner {
	char *area;
	int driver;	/* to be held in until let go, or to exit by itself */
	int ready;
};

static void own_record(void *arg)
{
	struct owner *owner = arg;
	int fd = emm_open();

	if (fd < 0 || emm_watch(fd, owner->area, AREA * PAGE) ||
	    write(owner->ready, &fd, sizeof(fd)) != sizeof(fd))
		_exit(1);
	ioctl(owner->driver, MNT_HOLD, 0);
}

static int start_owner(struct __test_metadata *_metadata,
		       struct owner *owner, pid_t *child)
{
	int ready[2], theirs, pidfd, fd;

	ASSERT_EQ(0, pipe(ready));
	owner->ready = ready[1];
	*child = child_start(own_record, owner);
	ASSERT_EQ(sizeof(theirs), read(ready[0], &theirs, sizeof(theirs)));
	pidfd = pidfd_open(*child, 0);
	ASSERT_LE(0, pidfd);
	fd = pidfd_getfd(pidfd, theirs, 0);
	ASSERT_LE(0, fd) TH_LOG("pidfd_getfd: %s", strerror(errno));
	ASSERT_TRUE(child_blocks(*child, "mnt_"));
	close(pidfd);
	return fd;
}

/* The record outlives the memory; the release is the last of it. */
TEST_F(emm, release)
{
	struct owner owner = { self->area, mnt_open() };
	struct emm_counts counts;
	pid_t child;
	int fd;

	ASSERT_LE(0, owner.driver) TH_LOG("no /dev/mmu_notifier_test: load the module");
	fd = start_owner(_metadata, &owner, &child);
	EXPECT_EQ(0, emm_counts(fd).calls[EMM_RELEASE]);
	ASSERT_DONE(ioctl(owner.driver, MNT_LET_GO, 0));
	EXPECT_EQ(0, child_wait(child));
	EXPECT_STREQ("release", emm_trace(fd, self->area));
	counts = emm_counts(fd);
	EXPECT_EQ(1, counts.calls[EMM_RELEASE]);
	EXPECT_EQ(0, counts.active);
	EXPECT_EQ(0, emm_watch(fd, self->area, PAGE));
	EXPECT_STREQ("", emm_trace(fd, self->area));
	close(fd);
	close(owner.driver);
}

/* As the OOM reaper, process_mrelease() cannot wait. */
TEST_F(emm, a_range_that_may_not_sleep)
{
	struct owner owner = { self->area, mnt_open() };
	pid_t child;
	int fd, pidfd;

	ASSERT_LE(0, owner.driver) TH_LOG("no /dev/mmu_notifier_test: load the module");
	fd = start_owner(_metadata, &owner, &child);
	pidfd = pidfd_open(child, 0);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_DONE(syscall(SYS_process_mrelease, pidfd, 0));
	EXPECT_STREQ("start[0,8)~ end[0,8)~", emm_trace(fd, self->area));
	ASSERT_DONE(ioctl(owner.driver, MNT_LET_GO, 0));
	EXPECT_EQ(-SIGKILL, child_wait(child));
	EXPECT_STREQ("release", emm_trace(fd, self->area));
	close(pidfd);
	close(fd);
	close(owner.driver);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation on the way into the core fails in turn.
 *
 * The kernel lets the nth allocation of a task fail. Each way in is gone in a
 * child of its own, whose mm has no notifiers yet, with n = 1, 2, 3 and so on
 * until nothing is left to fail. What is refused has ENOMEM for a reason and
 * leaves the mm as it was: the same way in then succeeds, callbacks come, and
 * the child ends. What is lost meanwhile the kernel's leak detector shows.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness.h"

/* Far more than any way has. */
#define MOST	4000
#define VMAS	600
/* Only to end what hangs. */
#define TIMEOUT	300

enum end {
	NOTHING_FAILED,
	REFUSED,
	DONE_ALL_THE_SAME,
	WRONG,
};

/* A way into the core: how a child gets ready for it, goes it, and comes back. */
struct way {
	const char *device;
	void (*prepare)(int fd);
	int (*go)(int fd);
	void (*back)(int fd, int result);
};

static char *area;

static int disarm(int file)
{
	char left[16] = "";

	if (pread(file, left, sizeof(left) - 1, 0) < 1 || pwrite(file, "0", 1, 0) != 1)
		return -1;
	return atoi(left);
}

static enum end wrong(unsigned int nth, const char *what)
{
	printf("# allocation %u: %s: %s\n", nth, what, strerror(errno));
	fflush(stdout);
	return WRONG;
}

static enum end go(const struct way *way, unsigned int nth)
{
	int file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int fd = open(way->device, O_RDWR | O_CLOEXEC);
	int result, left, error;
	char number[16];
	int length = snprintf(number, sizeof(number), "%u", nth);

	if (file < 0 || fd < 0)
		return wrong(nth, "open");
	area = area_map(2);
	if (way->prepare)
		way->prepare(fd);
	/* No page fault of ours shall take the failure. */
	if (mlockall(MCL_CURRENT))
		return wrong(nth, "mlockall");

	if (pwrite(file, number, length, 0) != length)
		return wrong(nth, "fail-nth");
	result = way->go(fd);
	error = errno;
	left = disarm(file);
	munlockall();
	errno = error;
	if (left < 0)
		return wrong(nth, "no answer from fail-nth");
	if (result < 0 && left)
		return wrong(nth, "refused, and nothing has failed");
	if (result < 0 && error != ENOMEM)
		return wrong(nth, "refused with another error");

	if (result < 0) {
		int again = way->go(fd);

		if (again < 0)
			return wrong(nth, "refused once more, and nothing has failed");
		way->back(fd, again);
	} else {
		way->back(fd, result);
	}
	if (madvise(area, PAGE, MADV_DONTNEED) || area[0])
		return wrong(nth, "the memory is not usable");
	return left ? NOTHING_FAILED : result < 0 ? REFUSED : DONE_ALL_THE_SAME;
}

struct attempt {
	const struct way *way;
	unsigned int nth;
};

static void attempt(void *arg)
{
	struct attempt *it = arg;

	_exit(go(it->way, it->nth));
}

/* Returns whether all went well, and something was refused. */
static bool all_in_turn(const struct way *way)
{
	unsigned int seen[WRONG + 1] = {};
	struct attempt it = { .way = way };

	for (it.nth = 1; it.nth <= MOST; it.nth++) {
		int end = child_wait(child_start(attempt, &it));

		if (end < 0 || end > WRONG) {
			note("allocation %u: ended with %d", it.nth, end);
			return false;
		}
		seen[end]++;
		if (end == WRONG || end == NOTHING_FAILED)
			break;
	}
	note("%u refused, %u done all the same", seen[REFUSED], seen[DONE_ALL_THE_SAME]);
	return seen[NOTHING_FAILED] && seen[REFUSED];
}

/* The ways. */

#define TEST_DEVICE	"/dev/mmu_notifier_test"

static void tells(int fd, const char *wanted)
{
	const char *trace;

	mnt_trace(fd);
	madvise(area + PAGE, PAGE, MADV_DONTNEED);
	trace = mnt_trace(fd);
	if (strcmp(trace, wanted)) {
		printf("# told %s, not %s\n", trace, wanted);
		fflush(stdout);
		_exit(WRONG);
	}
}

static void heed(int fd, unsigned int slot)
{
	mnt_behave(fd, slot, area, 2 * PAGE, (struct mnt_behave){});
}

static void one_slot(int fd)
{
	heed(fd, 0);
}

static int add_to_list(int fd)
{
	return mnt_register(fd, 0, MNT_RANGE, 0);
}

static int add_locked(int fd)
{
	return mnt_register(fd, 0, MNT_RANGE, MNT_LOCKED);
}

static void unregister(int fd, int result)
{
	(void)result;
	tells(fd, "0.start 0.end");
	mnt_unregister(fd, 0);
}

static int get(int fd)
{
	return mnt_get(fd, 0, MNT_RANGE, NULL);
}

static void put(int fd, int result)
{
	(void)result;
	tells(fd, "0.start 0.end");
	mnt_put(fd, 0);
}

static int insert(int fd)
{
	return mnt_insert(fd, 1, area, 2 * PAGE, 0);
}

static void one_interval(int fd)
{
	heed(fd, 1);
}

static void take_out(int fd, int result)
{
	(void)result;
	tells(fd, "1.inv");
	mnt_remove(fd, 1);
}

/* Locks for which a page does not do: of files, and of memory of its own. */
static void many_vmas(int fd)
{
	one_slot(fd);
	for (int i = 0; i < VMAS; i++)
		if (i % 3)
			area_map(1);
		else
			area_map_file(memory_file(1, 0), 1);
}

static int another_file(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int open_dmirror(int fd)
{
	(void)fd;
	return another_file("/dev/hmm_dmirror0");
}

static int open_shadow(int fd)
{
	(void)fd;
	return another_file("/dev/kvm_shadow");
}

static int create_vm(int fd)
{
	return ioctl(fd, KVM_CREATE_VM, 0);
}

static void shut(int fd, int result)
{
	(void)fd;
	close(result);
}

#define WAY(name, ...)							\
TEST_F_TIMEOUT(failing, name, TIMEOUT)					\
{									\
	EXPECT_TRUE(all_in_turn(&(struct way){ __VA_ARGS__ }));	\
}

FIXTURE(failing) {
};

FIXTURE_SETUP(failing)
{
	if (access("/proc/thread-self/fail-nth", F_OK))
		SKIP(return, "no fault injection in this kernel");
}

FIXTURE_TEARDOWN(failing)
{
}

WAY(a_register, TEST_DEVICE, one_slot, add_to_list, unregister)
WAY(a_register_with_the_mmap_lock_held, TEST_DEVICE, one_slot, add_locked, unregister)
WAY(a_register_with_many_locks, TEST_DEVICE, many_vmas, add_to_list, unregister)
WAY(a_get, TEST_DEVICE, one_slot, get, put)
WAY(an_insert, TEST_DEVICE, one_interval, insert, take_out)
WAY(hmm, TEST_DEVICE, NULL, open_dmirror, shut)
WAY(kvm_shadow, TEST_DEVICE, NULL, open_shadow, shut)
WAY(kvm, "/dev/kvm", NULL, create_vm, shut)

TEST_HARNESS_MAIN

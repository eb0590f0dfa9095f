// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "mmu_notifier_test_uapi.h"
#include "recorder.h"

#define LIST_OPS (MNT_BIT(MNT_RELEASE) | MNT_BIT(MNT_CLEAR_FLUSH_YOUNG) |	\
		  MNT_BIT(MNT_CLEAR_YOUNG) | MNT_BIT(MNT_TEST_YOUNG) |		\
		  MNT_BIT(MNT_RANGE_START) | MNT_BIT(MNT_RANGE_END))

/* Of the list, in this process: the range model and the TLB-flush model. */
static unsigned int list[2];
static uint64_t from = UINT64_MAX, to;

static int session(void)
{
	const char *fd = getenv(RECORDER_ENV);

	return fd ? atoi(fd) : -1;
}

/* In the first slot that no other process has; the slot, or -1 with errno. */
static int add(int fd, unsigned long command, struct mnt_add how)
{
	for (how.slot = 0; how.slot < MNT_SLOTS; how.slot++) {
		if (!ioctl(fd, command, &how))
			return (int)how.slot;
		if (errno != EBUSY)
			return -1;
	}
	return -1;
}

int recorder_subscribe(void)
{
	static const unsigned int ops[2] = { LIST_OPS, MNT_BIT(MNT_SECONDARY_TLBS) };
	int fd = session();

	if (fd < 0)
		return 0;
	from = UINT64_MAX;
	to = 0;
	for (int i = 0; i < 2; i++) {
		int slot = add(fd, MNT_REGISTER, (struct mnt_add){ .ops = ops[i] });

		if (slot < 0)
			return -1;
		list[i] = (unsigned int)slot;
	}
	return 0;
}

int recorder_watch(const void *area, size_t size)
{
	static unsigned int areas;
	struct mnt_add interval = {
		.start = (uintptr_t)area,
		.length = size,
		/* Both kinds, in turn. */
		.flags = areas++ & 1 ? MNT_TWO_PASS : 0,
	};
	int fd = session();

	if (fd < 0)
		return 0;
	from = from < interval.start ? from : interval.start;
	to = to > interval.start + size ? to : interval.start + size;
	for (int i = 0; i < 2; i++) {
		struct mnt_behave behave = { .slot = list[i], .start = from, .end = to };

		if (ioctl(fd, MNT_BEHAVE, &behave))
			return -1;
	}
	return add(fd, MNT_INSERT, interval) < 0 ? -1 : 0;
}

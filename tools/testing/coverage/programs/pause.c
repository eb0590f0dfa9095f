// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mmu_notifier_test_uapi.h"
#include "pause.h"

enum slot { ENDS, STARTS };

/* Of the area that `pause_starts` was told. */
static struct mnt_behave starts = { .slot = STARTS };

static int subscribe(int fd, enum slot slot)
{
	struct mnt_add add = {
		.slot = slot,
		.ops = MNT_BIT(MNT_RANGE_START) | MNT_BIT(MNT_RANGE_END),
	};

	return ioctl(fd, MNT_REGISTER, &add);
}

static int wait_for(int fd, enum slot slot, enum mnt_hook hook, unsigned int count)
{
	struct mnt_wait wait = { .slot = slot, .hook = hook, .count = count };

	return ioctl(fd, MNT_WAIT, &wait);
}

int pause_ends(const void *area, size_t size)
{
	struct mnt_behave behave = {
		.slot = ENDS,
		.gates = MNT_BIT(MNT_RANGE_END),
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + size,
	};
	int fd = open("/dev/mmu_notifier_test", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, MNT_BEHAVE, &behave) || subscribe(fd, ENDS)) {
		close(fd);
		return -1;
	}
	return fd;
}

int pause_wait(int fd)
{
	return wait_for(fd, ENDS, MNT_RANGE_END, 1);
}

int pause_over(int fd)
{
	return ioctl(fd, MNT_OPEN, ENDS);
}

int pause_starts(int fd, const void *area, size_t size)
{
	starts.start = (uintptr_t)area;
	starts.end = (uintptr_t)area + size;
	return ioctl(fd, MNT_BEHAVE, &starts) || subscribe(fd, STARTS) ? -1 : 0;
}

int pause_second_start(int fd)
{
	starts.gates = MNT_BIT(MNT_RANGE_START);
	return ioctl(fd, MNT_BEHAVE, &starts) || pause_over(fd) ? -1 :
	       wait_for(fd, STARTS, MNT_RANGE_START, 2);
}

int pause_starts_over(int fd)
{
	return ioctl(fd, MNT_OPEN, STARTS);
}

int pause_told(int fd, const void *start, size_t size)
{
	static struct mnt_event events[MNT_EVENTS_MAX];
	struct mnt_drain drain = { .events = (uintptr_t)events };
	int told = 0;

	if (ioctl(fd, MNT_DRAIN, &drain) || drain.lost)
		return -1;
	for (unsigned int i = 0; i < drain.count; i++)
		told += events[i].slot == ENDS && events[i].hook == MNT_RANGE_START &&
			events[i].start == (uintptr_t)start &&
			events[i].end == (uintptr_t)start + size;
	return told;
}

// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mmu_notifier_test_uapi.h"
#include "pause.h"

#define SLOT	0

int pause_ends(const void *area, size_t size)
{
	struct mnt_add add = {
		.slot = SLOT,
		.ops = MNT_BIT(MNT_RANGE_START) | MNT_BIT(MNT_RANGE_END),
	};
	struct mnt_behave behave = {
		.slot = SLOT,
		.gates = MNT_BIT(MNT_RANGE_END),
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + size,
	};
	int fd = open("/dev/mmu_notifier_test", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, MNT_BEHAVE, &behave) || ioctl(fd, MNT_REGISTER, &add)) {
		close(fd);
		return -1;
	}
	return fd;
}

int pause_wait(int fd)
{
	struct mnt_wait wait = {
		.slot = SLOT,
		.hook = MNT_RANGE_END,
		.count = 1,
	};

	return ioctl(fd, MNT_WAIT, &wait);
}

int pause_over(int fd)
{
	return ioctl(fd, MNT_OPEN, SLOT);
}

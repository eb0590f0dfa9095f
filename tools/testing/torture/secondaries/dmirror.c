// SPDX-License-Identifier: GPL-2.0
/*
 * A mirror of test_hmm's: an interval subscription of the kernel's own. It transfers whole pages,
 * and cannot be asked what it holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "secondaries.h"
#include "test_hmm_uapi.h"

static int dmirror_open(struct secondary *secondary, size_t size)
{
	(void)size;
	secondary->fd = open("/dev/hmm_dmirror1", O_RDWR | O_CLOEXEC);
	return secondary->fd < 0 ? -errno : 0;
}

static int transfer(struct secondary *secondary, unsigned long number, char *address, void *buffer)
{
	struct hmm_dmirror_cmd command = {
		.addr = (uintptr_t)address, .ptr = (uintptr_t)buffer, .npages = 1,
	};

	return ioctl(secondary->fd, number, &command) ? -errno : 0;
}

static int dmirror_read(struct secondary *secondary, char *address, uint64_t *value,
			struct bounce *bounce)
{
	int result = transfer(secondary, HMM_DMIRROR_READ, address, bounce->in.bytes);

	*value = bounce->in.word;
	return result;
}

static int dmirror_write(struct secondary *secondary, char *address, uint64_t value,
			 struct bounce *bounce)
{
	bounce->out.word = value;
	return transfer(secondary, HMM_DMIRROR_WRITE, address, bounce->out.bytes);
}

const struct secondary_class dmirror = {
	.name = "dmirror",
	.open = dmirror_open,
	.read = dmirror_read,
	.write = dmirror_write,
	.forgets_dirty = true,
};

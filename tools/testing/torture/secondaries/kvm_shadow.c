// SPDX-License-Identifier: GPL-2.0
/* /dev/kvm_shadow: the whole arena is one slot, guest addresses are user addresses. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "kvm_shadow.h"
#include "secondaries.h"

static int shadow_open(struct secondary *secondary, size_t size)
{
	struct kvm_shadow_slot slot = {
		.guest_addr = (uintptr_t)secondary->arena,
		.user_addr = (uintptr_t)secondary->arena,
		.size = size,
	};

	secondary->fd = open(KVM_SHADOW_DEVICE, O_RDWR | O_CLOEXEC);
	if (secondary->fd < 0 || ioctl(secondary->fd, KVM_SHADOW_SET_SLOT, &slot))
		return -errno;
	return 0;
}

static int transfer(struct secondary *secondary, unsigned long command, char *address,
		    struct bounce *bounce)
{
	struct kvm_shadow_memory memory = {
		.guest_addr = (uintptr_t)address,
		.length = sizeof(bounce->in.word),
		.buffer = (uintptr_t)&bounce->in.word,
	};

	return ioctl(secondary->fd, command, &memory) ? -errno : 0;
}

static int shadow_peek(struct secondary *secondary, char *address, uint64_t *value,
		       struct bounce *bounce)
{
	int result = transfer(secondary, KVM_SHADOW_PEEK, address, bounce);

	*value = bounce->in.word;
	return result;
}

static int shadow_read(struct secondary *secondary, char *address, uint64_t *value,
		       struct bounce *bounce)
{
	int result = transfer(secondary, KVM_SHADOW_READ, address, bounce);

	*value = bounce->in.word;
	return result;
}

static int shadow_write(struct secondary *secondary, char *address, uint64_t value,
			struct bounce *bounce)
{
	bounce->in.word = value;
	return transfer(secondary, KVM_SHADOW_WRITE, address, bounce);
}

const struct secondary_class kvm_shadow = {
	.name = "kvm_shadow",
	.open = shadow_open,
	.peek = shadow_peek,
	.read = shadow_read,
	.write = shadow_write,
};

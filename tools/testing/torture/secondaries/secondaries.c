// SPDX-License-Identifier: GPL-2.0
#include "secondaries.h"

#include <errno.h>
#include <unistd.h>

#include "shared.h"

const struct secondary_class *const secondary_classes[SECONDARIES] = {
	[KVM_SHADOW_AT] = &kvm_shadow,
	[GRU_RANGE_AT] = &gru_range,
	[GRU_FLUSH_AT] = &gru_flush,
	[DMIRROR_AT] = &dmirror,
	[XPMEM_AT] = &xpmem,
};

void secondary_open(struct secondary *secondary, unsigned int which, char *arena, size_t size)
{
	int result;

	*secondary = (struct secondary){
		.class = secondary_classes[which], .fd = -1, .arena = arena,
	};
	if (shared->left_out & 1U << which)
		return;
	/* A signal ends the wait for locks: livepatch sends one to whom it waits for. */
	while ((result = secondary->class->open(secondary, size)) == -EINTR)
		secondary_close(secondary);
	if (result)
		secondary_close(secondary);
}

void secondary_close(struct secondary *secondary)
{
	if (secondary->fd < 0)
		return;
	if (secondary->class->close)
		secondary->class->close(secondary);
	close(secondary->fd);
	secondary->fd = -1;
}

// SPDX-License-Identifier: GPL-2.0
/* /dev/gru in its two models. A read is a copy to the bounce buffer, by way of the TLB as well. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "gru.h"
#include "secondaries.h"

/* Some of the pages in use do not fit. */
#define TLB_ENTRIES 512

static int gru_open(struct secondary *secondary, uint32_t model)
{
	struct gru_configure configure = { .model = model, .tlb_entries = TLB_ENTRIES };

	secondary->fd = open("/dev/gru", O_RDWR | O_CLOEXEC);
	if (secondary->fd < 0 || ioctl(secondary->fd, GRU_CONFIGURE, &configure))
		return -errno;
	return 0;
}

static int range_open(struct secondary *secondary, size_t size)
{
	(void)size;
	return gru_open(secondary, GRU_MODEL_RANGE);
}

static int flush_open(struct secondary *secondary, size_t size)
{
	(void)size;
	return gru_open(secondary, GRU_MODEL_FLUSH);
}

static int gru_peek(struct secondary *secondary, char *address, uint64_t *value,
		    struct bounce *bounce)
{
	struct gru_peek peek = {
		.addr = (uintptr_t)address,
		.length = sizeof(bounce->in.word),
		.buffer = (uintptr_t)&bounce->in.word,
	};
	int result = ioctl(secondary->fd, GRU_PEEK, &peek) ? -errno : 0;

	*value = bounce->in.word;
	return result;
}

static int gru_run(struct secondary *secondary, struct gru_instruction *instruction)
{
	struct gru_run run = { .instructions = (uintptr_t)instruction, .count = 1 };

	return ioctl(secondary->fd, GRU_RUN, &run) ? -errno : 0;
}

static int gru_read(struct secondary *secondary, char *address, uint64_t *value,
		    struct bounce *bounce)
{
	struct gru_instruction copy = {
		.op = GRU_OP_COPY,
		.dst = (uintptr_t)&bounce->in.word,
		.src = (uintptr_t)address,
		.length = sizeof(bounce->in.word),
	};
	int result = gru_run(secondary, &copy);

	*value = bounce->in.word;
	return result;
}

static int gru_write(struct secondary *secondary, char *address, uint64_t value,
		     struct bounce *bounce)
{
	struct gru_instruction fill = {
		.op = GRU_OP_FILL,
		.dst = (uintptr_t)address,
		.length = sizeof(value),
		.value = value,
	};

	(void)bounce;
	return gru_run(secondary, &fill);
}

const struct secondary_class gru_range = {
	.name = "gru_range",
	.open = range_open,
	.peek = gru_peek,
	.read = gru_read,
	.write = gru_write,
};

const struct secondary_class gru_flush = {
	.name = "gru_flush",
	.open = flush_open,
	.peek = gru_peek,
	.read = gru_read,
	.write = gru_write,
};

// SPDX-License-Identifier: GPL-2.0
/* The commands of /dev/gru as functions. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gru_user.h"

static int command(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

int gru_open(unsigned int model, unsigned int entries)
{
	int fd = open("/dev/gru", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && gru_configure(fd, model, entries)) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int gru_configure(int fd, unsigned int model, unsigned int entries)
{
	struct gru_configure configure = { model, entries };

	return command(fd, GRU_CONFIGURE, &configure);
}

int gru_run(int fd, struct gru_instruction *instructions, unsigned int count,
	    unsigned int *done)
{
	struct gru_run run = { (uintptr_t)instructions, count, ~0u };
	int error = command(fd, GRU_RUN, &run);

	if (done)
		*done = run.done;
	return error;
}

/* Of a single instruction the two ways to tell its end must agree. */
static int run_one(int fd, struct gru_instruction instruction)
{
	unsigned int done;
	int error;

	instruction.status = ~0u;
	error = gru_run(fd, &instruction, 1, &done);
	if ((int)instruction.status != error || done != !error) {
		fprintf(stderr, "# status %u, done %u, but GRU_RUN returned %d\n",
			instruction.status, done, error);
		abort();
	}
	return error;
}

int gru_copy(int fd, void *dst, const void *src, size_t length)
{
	return run_one(fd, (struct gru_instruction){
		.op = GRU_OP_COPY,
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.length = length,
	});
}

int gru_fill(int fd, void *dst, uint64_t value, size_t length)
{
	return run_one(fd, (struct gru_instruction){
		.op = GRU_OP_FILL,
		.dst = (uintptr_t)dst,
		.length = length,
		.value = value,
	});
}

int gru_gather(int fd, void *dst, const void *src, const uint64_t *index,
	       size_t words)
{
	return run_one(fd, (struct gru_instruction){
		.op = GRU_OP_GATHER,
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.length = words,
		.value = (uintptr_t)index,
	});
}

int gru_load(int fd, const void *src, uint64_t *value)
{
	static _Thread_local _Alignas(WORD) uint64_t word;
	int error;

	word = 0;
	error = gru_copy(fd, &word, src, WORD);
	*value = word;
	return error;
}

int gru_peek(int fd, const void *addr, void *buffer, size_t length)
{
	struct gru_peek peek = { (uintptr_t)addr, length, (uintptr_t)buffer };

	return command(fd, GRU_PEEK, &peek);
}

int gru_flush(int fd)
{
	return command(fd, GRU_FLUSH, NULL);
}

struct gru_stats gru_stats(int fd)
{
	struct gru_stats stats = {};

	if (command(fd, GRU_STATS, &stats)) {
		perror("GRU_STATS");
		abort();
	}
	return stats;
}

uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

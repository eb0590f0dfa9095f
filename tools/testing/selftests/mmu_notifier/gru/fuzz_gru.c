// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_gru [seed [operations]]: random calls of /dev/gru, most of them near
 * what makes sense, while the memory they work on comes and goes. The kernel
 * must stay whole and every errno be one that gru.h knows; and memory that no
 * valid instruction names must stay as it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "mnt.h"
#include "gru_user.h"

#define CONTEXTS	3
#define PAGES		12
#define QUEUE		8
#define GUARD		4	/* pages that nothing may write */

static uint64_t seed;
static unsigned long runs, succeeded;	/* without error */
static char *area, *guard;
/* Where structures are: the last ones of a page, so that some lie across. */
static char *arguments;

static uint64_t below(uint64_t limit)
{
	return next_random(&seed) % limit;
}

/* A number at or near one that matters. */
static uint64_t some_number(void)
{
	static const uint64_t edges[] = {
		0, 1, 8, PAGE, GRU_TLB_MAX, GRU_COUNT_MAX, GRU_PEEK_MAX,
		GRU_LENGTH_MAX, 1UL << 32, 1UL << 47, 1UL << 61, 1UL << 63, -PAGE,
	};

	if (!below(8))
		return next_random(&seed);
	return edges[below(sizeof(edges) / sizeof(*edges))] + below(5) - 2;
}

static uint64_t some_length(void)
{
	switch (below(8)) {
	case 0:
		return some_number();
	case 1:
		return below(PAGES * PAGE);
	default:
		return below(64) * 8;
	}
}

static uint64_t some_address(void)
{
	uint64_t at = (uintptr_t)area + below(PAGES * PAGE);

	switch (below(10)) {
	case 0:
		return some_number();
	case 1:
		/* From behind the area, or into it from before. */
		return at + (below(2) ? PAGES * PAGE : -PAGES * PAGE);
	case 2:
		return at;
	default:
		return at & ~7UL;
	}
}

static struct gru_instruction some_instruction(void)
{
	struct gru_instruction it = {
		.op = below(10) ? 1 + below(3) : some_number(),
		.status = ~0u,
		.dst = some_address(),
		.src = some_address(),
		.length = some_length(),
		.value = some_address(),
	};

	if (it.op == GRU_OP_COPY && below(8))
		it.value = 0;
	if (it.op == GRU_OP_FILL && below(8))
		it.src = 0;
	/* Long ones take long, and are of no interest. */
	if (it.length > PAGES * PAGE && it.length <= GRU_LENGTH_MAX && below(16))
		it.length %= PAGES * PAGE;
	return it;
}

static void change_memory(void)
{
	char *at = area + below(PAGES) * PAGE;
	size_t length = (1 + below(3)) * PAGE;

	if (at + length > area + PAGES * PAGE)
		length = PAGE;
	switch (below(5)) {
	case 0:
		munmap(at, length);
		break;
	case 1:
	case 2:
		mmap(at, length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 3:
		mprotect(at, length, below(4) ? PROT_READ | PROT_WRITE : PROT_READ);
		break;
	case 4:
		madvise(at, length, MADV_DONTNEED);
		break;
	}
}

/* Random bytes in the area would be indexes that make no sense: small ones. */
static void write_indexes(void)
{
	uint64_t indexes[16];
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < 16; i++)
		indexes[i] = below(16) ? below(PAGE / WORD) : some_number();
	/* Where nothing is mapped this fails, without harm. */
	if (pwrite(memory, indexes, sizeof(indexes),
		   (uintptr_t)area + (below(PAGES * PAGE) & ~7UL)) < 0)
		errno = 0;
	close(memory);
}

static void *place_for(size_t size)
{
	if (!below(32))
		return (void *)some_address();
	return arguments + PAGE - size + (below(32) ? 0 : below(size));
}

static void put_argument(void *place, const void *argument, size_t size)
{
	if ((uintptr_t)place - (uintptr_t)arguments <= PAGE - size)
		memcpy(place, argument, size);
}

static int call(int fd, unsigned long cmd, void *argument)
{
	return ioctl(fd, cmd, argument) ? errno : 0;
}

static bool one_of(int error, const int *errors)
{
	for (; *errors; errors++)
		if (error == *errors)
			return true;
	return !error;
}

static void report(const char *what, int error, const int *errors)
{
	if (!one_of(error, errors))
		ksft_exit_fail_msg("%s: %s\n", what, strerror(error));
}

static void fuzz_configure(int fd)
{
	static const int errors[] = { EINVAL, EBUSY, EFAULT, 0 };
	struct gru_configure configure = { below(4) ? below(2) : some_number(),
					   below(4) ? 1 + below(9) : some_number() };
	void *place = place_for(sizeof(configure));

	put_argument(place, &configure, sizeof(configure));
	report("GRU_CONFIGURE", call(fd, GRU_CONFIGURE, place), errors);
}

static void fuzz_run(int fd)
{
	static const int errors[] = { EINVAL, EFAULT, 0 };
	struct gru_instruction *queue = (void *)arguments;
	struct gru_run run = {
		below(16) ? (uintptr_t)queue : some_address(),
		below(16) ? 1 + below(QUEUE) : some_number(), some_number(),
	};
	void *place = place_for(sizeof(run));
	int error;

	/* An array of what is lying about may write anywhere: not to the guard. */
	if (run.count > QUEUE && run.count <= GRU_COUNT_MAX)
		run.count = QUEUE;
	for (unsigned int i = 0; i < QUEUE; i++)
		queue[i] = some_instruction();
	put_argument(place, &run, sizeof(run));
	error = call(fd, GRU_RUN, place);
	report("GRU_RUN", error, errors);
	runs += !error;
	for (unsigned int i = 0; i < QUEUE; i++)
		succeeded += !queue[i].status;
}

static void fuzz_peek(int fd)
{
	static const int errors[] = { EINVAL, ENODATA, EFAULT, 0 };
	struct gru_peek peek = { some_address(), some_length(), some_address() };
	void *place = place_for(sizeof(peek));

	put_argument(place, &peek, sizeof(peek));
	report("GRU_PEEK", call(fd, GRU_PEEK, place), errors);
}

static void fuzz_stats(int fd)
{
	static const int errors[] = { EFAULT, 0 };

	report("GRU_STATS", call(fd, GRU_STATS, place_for(sizeof(struct gru_stats))),
	       errors);
	if (gru_stats(fd).released)
		ksft_exit_fail_msg("a living address space is said to be dead\n");
}

/* What the kernel itself answers, for files of any kind. */
static bool of_every_file(unsigned long cmd)
{
	static const unsigned char types[] = { 0, 'T', 'X', 'f', 0x12, 0x15, 0x94 };

	return memchr(types, _IOC_TYPE(cmd), sizeof(types));
}

static void fuzz_number(int fd)
{
	static const int errors[] = { ENOTTY, 0 };
	unsigned long cmd = below(2) ? next_random(&seed) & 0xffffffff :
				       _IOC(below(4), 0xB7, below(8), below(80));

	if (cmd == GRU_CONFIGURE || cmd == GRU_RUN || cmd == GRU_PEEK ||
	    cmd == GRU_FLUSH || cmd == GRU_STATS ||
	    of_every_file(cmd))
		return;
	if (call(fd, cmd, arguments) != ENOTTY)
		ksft_exit_fail_msg("number %#lx: %s\n", cmd, strerror(errno));
	report("GRU_FLUSH", call(fd, GRU_FLUSH, (void *)some_number()), errors);
}

static void one_operation(int *contexts)
{
	int *fd = &contexts[below(CONTEXTS)];

	switch (below(16)) {
	case 0:
		fuzz_configure(*fd);
		break;
	case 1:
		fuzz_peek(*fd);
		break;
	case 2:
		fuzz_stats(*fd);
		break;
	case 3:
		fuzz_number(*fd);
		break;
	case 4:
		if (below(8))
			break;
		close(*fd);
		*fd = open("/dev/gru", O_RDWR | O_CLOEXEC);
		break;
	case 5:
	case 6:
		change_memory();
		break;
	case 7:
	case 8:
		write_indexes();
		break;
	default:
		fuzz_run(*fd);
	}
}

static bool guard_is_whole(void)
{
	for (size_t i = 0; i < GUARD * PAGE; i++)
		if (guard[i] != 'g')
			return false;
	return true;
}

int main(int argc, char **argv)
{
	unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 0) : 4000;
	int contexts[CONTEXTS];

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("seed %#lx, %lu operations\n", (unsigned long)seed, operations);
	/* The area may lose its pages: nobody else must get into the holes. */
	area = (char *)(1UL << 40);
	if (mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	guard = area_map(GUARD);
	memset(guard, 'g', GUARD * PAGE);
	arguments = area_map(1);
	for (size_t i = 0; i < CONTEXTS; i++) {
		contexts[i] = open("/dev/gru", O_RDWR | O_CLOEXEC);
		if (contexts[i] < 0)
			ksft_exit_fail_msg("/dev/gru: %s\n", strerror(errno));
	}
	for (unsigned long i = 0; i < operations; i++)
		one_operation(contexts);
	ksft_print_msg("%lu runs and %lu instructions succeeded\n", runs, succeeded);
	ksft_test_result(guard_is_whole(), "fuzz_gru\n");
	ksft_finished();
}
